#!/usr/bin/env python3
"""Event files for TensorBoard say what the exported tables say, decoded by protoc with TensorBoard's field numbers.

TENSORTAP_COMMAND names the program. CXX, CXXFLAGS and TENSORTAP_LIBRARY as in readme_test.py.
"""
import ast
import json
import math
import os
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from protoc_test import as_float32, parse_text, unescape, varint  # noqa: E402
from strict_reader import masked_crc  # noqa: E402

COMMAND = os.environ.get("TENSORTAP_COMMAND")
LIBRARY = os.environ.get("TENSORTAP_LIBRARY")
PROTOC = shutil.which("protoc")
GOLDEN = HERE.parent / "data" / "golden"
RUNS = sorted(path.name for path in GOLDEN.iterdir() if (path / "index").is_dir())
NAME = re.compile(r"events\.out\.tfevents\.\d{10}\.[^.]+\.\d+\.\d+$")  # time, host, process, number
STATISTICS = ("min", "max", "mean", "std", "l2", "zeros", "nan", "inf")


def call(*arguments, codes=(0,)):
    result = subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    if result.returncode not in codes:
        raise AssertionError(f"{arguments}: {result.returncode}: {result.stderr}")
    return result.stdout


def payloads_of(data, path):
    """The payloads of the file `path`, which holds `data`; both checksums of each record are verified."""
    at, out = 0, []
    while at < len(data):
        size, crc = struct.unpack_from("<QI", data, at)
        payload, footer = data[at + 12:at + 12 + size], data[at + 12 + size:at + 16 + size]
        if crc != masked_crc(data[at:at + 8]) or footer != struct.pack("<I", masked_crc(payload)):
            raise AssertionError(f"{path}: wrong checksum at {at}")
        out.append(payload)
        at += 16 + size
    return out


def decode(message, data):
    result = subprocess.run([PROTOC, f"-I{HERE}", f"--decode=board.{message}", "tensorboard.proto"], input=data,
                            capture_output=True, timeout=120)
    if result.returncode:
        raise AssertionError("protoc: " + result.stderr.decode())
    return parse_text(result.stdout.decode("ascii"))


def one(tree, *path):
    """The only value below these fields; what is absent has its default, None."""
    for field in path:
        if tree is None or field not in tree:
            return None
        (tree,) = tree[field]
    return tree


class Board:
    """What one event file holds."""

    several_files = False

    def __init__(self, path):
        self.begin()
        payloads = payloads_of(path.read_bytes(), path)
        events = decode("Batch", b"".join(b"\x0a" + varint(len(p)) + p for p in payloads))["event"]
        assert one(events[0], "file_version") == '"brain.Event:2"', events[0]
        for event in events[1:]:
            self.read(event)

    def begin(self):
        self.scalars, self.histograms, self.texts = {}, {}, {}
        self.plugins, self.hparams, self.times = {}, {}, {}

    def read(self, event):
        assert all(not re.fullmatch(r"\d+", field) for field in event), event  # no unknown fields
        value, step = one(event, "summary", "value"), int(one(event, "step") or 0)
        tag = unescape(one(value, "tag")).decode()
        plugin = one(value, "metadata", "plugin_data", "plugin_name")
        if plugin is not None:
            assert self.several_files or tag not in self.plugins, f"{tag} has metadata twice"
            assert self.plugins.get(tag, plugin.strip('"')) == plugin.strip('"'), f"{tag} changes its kind"
            assert one(value, "metadata", "data_class") == "DATA_CLASS_TENSOR", value
            self.plugins[tag] = plugin.strip('"')
        if self.plugins.get(tag) == "hparams":
            assert one(value, "tensor", "dtype") == "DT_FLOAT" and "tensor_content" not in one(value, "tensor"), value
            assert one(value, "tensor", "tensor_shape", "dim") == {}, value
            self.hparams[tag] = decode("HParamsPluginData", unescape(one(value, "metadata", "plugin_data", "content")))
            return
        values = self.scalars if "simple_value" in value else self.texts if self.plugins[tag] == "text" else self.histograms
        for others in (self.scalars, self.histograms, self.texts):
            assert (tag, step) not in others, f"{tag}, step {step} is there twice"
        assert step not in self.times or self.times[step] == one(event, "wall_time")
        self.times[step] = one(event, "wall_time")
        if values is self.scalars:
            values[tag, step] = float32(float(one(value, "simple_value")))
            return
        tensor = one(value, "tensor")
        if values is self.texts:
            assert tensor["dtype"] == ["DT_STRING"], tensor
            values[tag, step] = unescape(one(tensor, "string_val")).decode()
            return
        assert self.plugins[tag] == "histograms", value
        assert tensor["dtype"] == ["DT_DOUBLE"], tensor
        assert [d["size"] for d in one(tensor, "tensor_shape")["dim"]] == [["30"], ["3"]], tensor
        numbers = struct.unpack("<90d", unescape(one(tensor, "tensor_content")))
        values[tag, step] = [numbers[i:i + 3] for i in range(0, 90, 3)]


def boards_in(folder):
    """The files by "MODE" or "WORKER/MODE"."""
    out = {}
    for path in sorted(Path(folder).rglob("*")):
        if path.is_dir():
            continue
        place = path.parent.relative_to(folder).as_posix()
        assert NAME.match(path.name) and place not in out, path
        out[place] = Board(path)
    return out


def arrays_of(path):
    """{name: (dtype, shape, elements of all steps)} of an NPZ of real numbers, without numpy."""
    codes = {"<f2": "e", "<f4": "f", "<f8": "d", "|i1": "b", "<i2": "h", "<i4": "i", "<i8": "q", "|u1": "B", "<u2": "H",
             "<u4": "I", "<u8": "Q", "|b1": "?"}
    out = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            data = archive.read(name)
            (size,) = struct.unpack_from("<H", data, 8)
            header = ast.literal_eval(data[10:10 + size].decode())
            if header["descr"] in codes:
                count = math.prod(header["shape"])
                out[name.removesuffix(".npy")] = header["shape"], struct.unpack_from(f"<{count}{codes[header['descr']]}", data, 10 + size)
    return out


def same(a, b):
    return a == b or (math.isnan(a) and math.isnan(b))


def float32(value):
    """The nearest float32; too large a number becomes an infinity."""
    try:
        return as_float32(value)
    except OverflowError:
        return math.copysign(math.inf, value)


def built_program(folder):
    """The path of board_program, which is built in `folder`."""
    program = Path(folder, "board_program")
    command = [os.environ.get("CXX", "c++"), *"-std=c++20 -O0 -pthread -I".split(), HERE.parents[1] / "include",
               *shlex.split(os.environ.get("CXXFLAGS", "")), *(["-DTENSORTAP_COMPILED"] if LIBRARY else []),
               HERE / "board_program.cpp", "-o", program, *([LIBRARY] if LIBRARY else [])]
    subprocess.run(command, check=True, timeout=600)
    return program


@unittest.skipUnless(COMMAND and PROTOC, "TENSORTAP_COMMAND is not set, or there is no protoc")
class TensorBoard(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.written = Path(cls.folder.name, "written")
        cls.written.mkdir()
        program = built_program(cls.folder.name)
        subprocess.run([program, cls.written], check=True, timeout=120)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def export(self, run, *options):
        with tempfile.TemporaryDirectory() as folder:
            self.summary = call("export", run, "--tensorboard", "-o", Path(folder, "board"), *options, codes=(0, 1))
            self.assertEqual(os.listdir(folder), ["board"])
            return boards_in(Path(folder, "board"))

    def rows(self, run):
        """The rows of the table, by the place and the step that TensorBoard shows; of a repeated step the last."""
        lines = [json.loads(line) for line in call("export", run, "--jsonl", "-o", "-", codes=(0, 1)).splitlines()]
        several = len({line["worker"] for line in lines}) > 1
        return {((line["worker"].replace("/", "_") + "/" if several else "") + line["mode"],
                 line["step"] if line["mode"] == "GLOBAL" else line["mode_step"], line["tensor"]): line for line in lines}

    def check_scalars(self, run, boards):
        """Each point is a number of the table, and each number that belongs into a curve is a point."""
        rows, seen = self.rows(run), 0
        dump = json.loads(call("dump", run, codes=(0, 1)))["tensors"]
        for (place, step, tensor), row in rows.items():
            scalars = boards[place].scalars if place in boards else {}
            expected = {}
            if "value" in row and row["dtype"] != "str":
                expected[tensor] = float(row["value"])
            saved = dump[tensor][str(row["step"])][row["worker"]]
            columns = {column for column in saved.get("reductions", {}) if column in row}
            if "dtype" not in row and "statistics" in saved:
                columns.update(column for column in STATISTICS if column in row)
            elif "dtype" in row and "value" not in row:
                columns.update(column for column in ("nan", "inf") if row.get(column))
            expected.update({f"{tensor}/{column}": float(row[column]) for column in columns})
            for tag, value in expected.items():
                found = [scalars[key, step] for key in (tag or "_", tag + "~") if (key, step) in scalars]
                self.assertTrue(any(same(point, float32(value)) for point in found), (place, step, tag, value, found))
                seen += 1
        self.assertEqual(seen, sum(len(board.scalars) for board in boards.values()), run)
        return seen

    def check_histograms(self, run, boards):
        """Ends are the extremes, and each bucket has the elements between its ends, except for rounding."""
        rows, seen = self.rows(run), 0
        path = Path(self.folder.name, "arrays.npz")
        call("export", run, "--npz", "-o", path, codes=(0, 1, 2))
        if not path.exists():  # no tensor has elements that numpy knows
            self.assertFalse([board for board in boards.values() if board.histograms])
            return 0
        arrays = arrays_of(path)
        for place, board in boards.items():
            for (tag, step), buckets in board.histograms.items():
                row = next(row for name in (tag, tag.removesuffix("~"), "") if (row := rows.get((place, step, name))))
                finite = row["count"] - row["nan"] - row["inf"]
                self.assertEqual(sum(count for _, _, count in buckets), finite)
                if finite == 0:
                    self.assertEqual(buckets, [(0, 0, 0)] * 30)
                    continue
                least, largest = buckets[0][0], buckets[-1][1]
                self.assertTrue(all(a[1] == b[0] and a[0] <= a[1] for a, b in zip(buckets, buckets[1:])))
                if least == largest:
                    self.assertEqual([count for _, _, count in buckets], [0] * 29 + [finite])
                if finite == row["count"]:
                    self.assertEqual((least, largest), (row["min"], row["max"]))
                several = "/" in place
                name = "/".join([row["mode"], row["tensor"], *([row["worker"]] if several else [])])
                if name not in arrays or name + "/steps" not in arrays:
                    continue
                shape, elements = arrays[name]
                at, size = arrays[name + "/steps"][1].index(step), math.prod(shape[1:])
                values = [float(x) for x in elements[at * size:(at + 1) * size] if math.isfinite(x)]
                self.assertEqual((least, largest), (min(values), max(values)))
                total, rounding = 0, 1e-12 * max(-least, largest)
                for _, end, count in buckets[:-1]:
                    total += count
                    self.assertLessEqual(sum(x < end - rounding for x in values), total)
                    self.assertGreaterEqual(sum(x <= end + rounding for x in values), total)
                seen += 1
        return seen

    def test_golden_runs(self):
        scalars = histograms = 0
        for name in RUNS:
            with self.subTest(run=name):
                boards = self.export(GOLDEN / name)
                scalars += self.check_scalars(GOLDEN / name, boards)
                histograms += self.check_histograms(GOLDEN / name, boards)
        self.assertGreater(scalars, 500)
        self.assertGreater(histograms, 50)

    def test_an_interrupted_run_has_each_step_once(self):
        for name, places in (("one", {""}), ("two", {"worker_0/", "worker_1/"})):
            with self.subTest(run=name):
                run = self.written / name
                self.assertTrue(any((run / "superseded").rglob("*.tfevents")), "nothing was set aside")
                boards = self.export(run)
                self.assertEqual(set(boards), {place + mode for place in places for mode in ("TRAIN", "EVAL")})
                for place, board in boards.items():
                    count = 10 if place.endswith("EVAL") else 30  # Board has checked that none is there twice
                    for kind, tag in (("scalars", "loss"), ("scalars", "gradient/l2"), ("histograms", "layer/weights")):
                        self.assertEqual(sorted(step for t, step in getattr(board, kind) if t == tag), list(range(count)))
                # Values of 1000 and 2000 are of the second and third attempt, which began after steps 9 and 19.
                losses = boards[min(places) + "TRAIN"].scalars
                self.assertEqual([round(losses["loss", step], -3) for step in range(30)], [0] * 8 + [1000] * 7 + [2000] * 15)
                times = boards[min(places) + "TRAIN"].times
                self.assertEqual([float(times[step]) // 1000 for step in range(30)], [1.7e6] * 8 + [1.7e6 + 1] * 7 + [1.7e6 + 2] * 15)
                self.assertGreater(self.check_scalars(run, boards), 500)
                self.assertGreater(self.check_histograms(run, boards), 100)

    def test_tags(self):
        board = self.export(self.written / "one")["TRAIN"]
        tags = {tag for tag, _ in board.scalars} | {tag for tag, _ in board.histograms}
        self.assertTrue(all(f"gradient/{column}" in tags for column in STATISTICS))
        self.assertNotIn("gradient", tags)
        # The mean of "gradient", and the tensor "gradient/mean"; a tensor that is one element first.
        self.assertEqual(board.scalars["gradient/mean~", 6], 8)
        self.assertNotEqual(board.scalars["gradient/mean", 6], 8)
        self.assertEqual({step for tag, step in board.scalars if tag == "changes"}, set(range(8)))
        self.assertEqual({step for tag, step in board.histograms if tag == "changes~"}, set(range(8, 30)))
        self.assertTrue(math.isnan(board.scalars["nan", 0]))
        self.assertIn("80 values of strings or complex numbers", self.summary)
        self.assertIn("40 tensors without elements", self.summary)

    def test_hyperparameters(self):
        for name, has_ended in (("one", True), ("two", False)):
            for place, board in self.export(self.written / name).items():
                start = one(board.hparams["_hparams_/session_start_info"], "session_start_info")
                facts = {unescape(one(entry, "key")).decode(): one(entry, "value") for entry in start["hparams"]}
                self.assertEqual(facts, {"lr": {"number_value": ["0.5"]}, "zero": {"number_value": ["0"]},
                                         "seed": {"number_value": ["17"]}, "name": {"string_value": ['"adam"']},
                                         "nesterov": {"bool_value": ["true"]}})
                self.assertEqual(one(start, "start_time_secs"), board.times[0])
                self.assertEqual("_hparams_/session_end_info" in board.hparams, has_ended)
                if has_ended:
                    end = one(board.hparams["_hparams_/session_end_info"], "session_end_info")
                    self.assertEqual(end, {"status": ["STATUS_SUCCESS"], "end_time_secs": [board.times[max(board.times)]]})

    def test_filters_and_equal_files(self):
        run = GOLDEN / "modes"
        everything = self.export(run)
        self.assertEqual(set(self.export(run, "--mode", "eval")), {"EVAL"})
        self.assertEqual(set(self.export(run, "--mode", "train", "--steps", "2:5")["TRAIN"].times), {2, 4})
        some = self.export(run, "--tensor", "weight")
        self.assertTrue(all("weight" in tag for board in some.values() for tag, _ in [*board.scalars, *board.histograms]))
        self.assertEqual(self.export(run, "--worker", "worker_9"), {})
        with tempfile.TemporaryDirectory() as folder:
            for name in "ab":
                call("export", run, "--tensorboard", "-o", f"{folder}/{name}/")
            files = [sorted((p.relative_to(at), p.read_bytes()) for p in at.rglob("*") if p.is_file())
                     for at in (Path(folder, "a"), Path(folder, "b"))]
            self.assertEqual(files[0], files[1])
            self.assertEqual(len(files[0]), len(everything))

    def test_directories(self):
        run = GOLDEN / "basic"
        with tempfile.TemporaryDirectory() as folder:
            def refused(place, message):
                before = sorted(Path(folder).rglob("*"))
                result = subprocess.run([COMMAND, "export", run, "--tensorboard", "-o", place], cwd=folder, capture_output=True,
                                        text=True, timeout=60)
                self.assertEqual(result.returncode, 2, result.stdout)
                self.assertIn(message, result.stderr)
                self.assertEqual(sorted(Path(folder).rglob("*")), before)

            Path(folder, "empty").mkdir()
            Path(folder, "link").symlink_to("empty")
            call("export", run, "--tensorboard", "-o", Path(folder, "link"))
            self.assertEqual(list(boards_in(Path(folder, "empty"))), ["GLOBAL"])
            self.assertTrue(Path(folder, "link").is_symlink())
            refused("empty", "it holds something")
            Path(folder, "file").write_text("")
            refused("file", "it is not a directory")
            refused("file/board", "it")
            Path(folder, "new.unfinished").mkdir()
            refused("new", "remove it")
            refused("-", "directory")
            call("export", run, "--tensorboard", "-o", Path(folder, "made/on/the/way"))


if __name__ == "__main__":
    unittest.main()
