#!/usr/bin/env python3
"""Event files that a hook writes while it trains show, in the readers of TensorBoard, what an export shows afterwards.

Both readers' rules are here. The fast one keeps of each tag no step at or after that of a later record. The slow one drops
at the second and each later start of a session all that is at or after its step. The training is killed at random moments.
Environment: see tensorboard_test.py.
"""
import json
import math
import os
import random
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import strict_reader  # noqa: E402
from tensorboard_test import (  # noqa: E402
    COMMAND, GOLDEN, NAME, PROTOC, Board, boards_in, built_program, call, decode, one, payloads_of, same, unescape, varint)

FINDINGS = "findings/"
SEED = int(os.environ.get("TENSORTAP_TEST_SEED", "17"))


def whole_records(data):
    """The bytes of the records that are whole, as a reader of a growing file takes them."""
    at = 0
    while at + 12 <= len(data):
        end = at + 16 + struct.unpack_from("<Q", data, at)[0]
        if end > len(data):
            break
        at = end
    return data[:at]


def events_in(folder):
    """The events of a directory, in the order in which readers take them: file by file, sorted by name."""
    out = []
    for path in sorted(path for path in Path(folder).iterdir() if "tfevents" in path.name):
        if not NAME.match(path.name):
            raise AssertionError(path)
        payloads = payloads_of(whole_records(path.read_bytes()), path)
        events = decode("Batch", b"".join(b"\x0a" + varint(len(p)) + p for p in payloads)).get("event", [])
        if events and one(events[0], "file_version") != '"brain.Event:2"':
            raise AssertionError(f"{path}: {events[0]}")
        out += events[1:]
    return out


def step_of(event):
    return int(one(event, "step") or 0)


def tag_of(event):
    return unescape(one(event, "summary", "value", "tag"))


def as_fast_reader(events):
    by_tag = {}
    for event in events:
        if "session_log" in event:
            continue
        kept = by_tag.setdefault(tag_of(event), [])
        while kept and step_of(kept[-1]) >= step_of(event):
            kept.pop()
        kept.append(event)
    return [event for kept in by_tag.values() for event in kept]


def as_slow_reader(events):
    kept, starts = [], 0
    for event in events:
        if "session_log" not in event:
            kept.append(event)
            continue
        assert one(event, "session_log", "status") == "START", event
        starts += 1
        if starts > 1:
            kept = [old for old in kept if step_of(old) < step_of(event)]
    assert starts or not events, "no session begins"
    return kept


READERS = {"fast": as_fast_reader, "slow": as_slow_reader}


class Seen(Board):
    """What a reader has of a directory; Board refuses a step that is there twice."""

    several_files = True

    def __init__(self, events):
        self.begin()
        for event in events:
            self.read(event)


def seen_in(folder):
    """{reader: {place: what it sees}} of all directories below `folder`."""
    places = sorted({path.parent for path in Path(folder).rglob("*tfevents*")})
    return {name: {place.relative_to(folder).as_posix(): Seen(reader(events_in(place))) for place in places}
            for name, reader in READERS.items()}


def files_below(folder):
    return {path: path.read_bytes() for path in Path(folder).rglob("*tfevents*")} if Path(folder).exists() else {}


@unittest.skipUnless(COMMAND and PROTOC, "TENSORTAP_COMMAND is not set, or there is no protoc")
class Live(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.program = built_program(cls.folder.name)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def check_equal(self, seen, exported):
        """Tags, steps, values and times are those of the export; findings are in the live files alone."""
        self.assertEqual(set(seen), set(exported))
        for place, board in seen.items():
            other = exported[place]
            self.assertEqual(set(board.histograms), set(other.histograms), place)
            self.assertEqual(board.histograms, other.histograms)
            self.assertEqual(set(board.scalars), set(other.scalars), place)
            for key, value in board.scalars.items():
                self.assertTrue(same(value, other.scalars[key]), (place, key, value, other.scalars[key]))
            self.assertEqual(board.times, other.times)
            self.assertEqual(board.hparams, other.hparams)
            plugins = {tag: plugin for tag, plugin in board.plugins.items() if plugin != "text"}
            self.assertEqual(plugins, other.plugins)

    def export(self, run):
        with tempfile.TemporaryDirectory() as folder:
            call("export", run, "--tensorboard", "-o", Path(folder, "board"), codes=(0, 1))
            return boards_in(Path(folder, "board"))

    def check_findings(self, board):
        found = [(tag, step, text) for (tag, step), text in board.texts.items()]
        self.assertEqual(sorted((tag, step) for tag, step, _ in found), [(FINDINGS + "Twice", 9), (FINDINGS + "Twice", 25)])
        self.assertTrue(all("another one" in text and "\\*" in text for _, _, text in found), found)
        self.assertEqual(board.plugins[FINDINGS + "Twice"], "text")

    def test_interrupted_runs(self):
        written = Path(self.folder.name, "written")
        written.mkdir()
        subprocess.run([self.program, written], check=True, timeout=300)
        exported = self.export(written / "one")
        for name, seen in seen_in(written / "one" / "tensorboard").items():
            with self.subTest(reader=name):
                self.check_equal(seen, exported)
                self.assertEqual([step for tag, step in sorted(seen["TRAIN"].scalars) if tag == "loss"], list(range(30)))

    def kill_at(self, command, seconds):
        """Runs until then; returns whether it had to be killed. Files only grow meanwhile."""
        process = subprocess.Popen(command)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return True
        self.assertEqual(process.returncode, 0)
        return False

    def check_killed(self, workers, kind, chance):
        """Returns how often the training was killed."""
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder, "run")
            board = run if kind == "alone" else run / "tensorboard"
            command = [self.program, run, str(workers), kind]
            began = time.monotonic()
            self.assertFalse(self.kill_at([self.program, Path(folder, "other"), str(workers), kind], 300))
            whole = time.monotonic() - began
            kills, before = 0, {}
            while kills < 20 and self.kill_at(command, whole * chance.uniform(0.05, 0.6)):
                kills += 1
                after = files_below(board)
                for path, data in before.items():
                    self.assertTrue(after[path].startswith(data), f"{path} has not only grown")
                before = after
                self.check_partial(board, Path(folder, "run_checkpoints"))
            if kills == 20:
                self.assertFalse(self.kill_at(command, 300))
            for path, data in before.items():
                self.assertTrue(path.read_bytes().startswith(data), f"{path} has not only grown")
            seen = seen_in(board)
            places = [""] if workers == 1 else [f"worker_{i}/" for i in range(workers)]
            for boards in seen.values():
                self.assertEqual(set(boards), {place + mode for place in places for mode in ("TRAIN", "EVAL")})
                for place, one_board in boards.items():
                    count = 150 if place.endswith("TRAIN") else 50
                    for values, tag in ((one_board.scalars, "loss"), (one_board.histograms, "layer/weights")):
                        self.assertEqual(sorted(step for t, step in values if t == tag), list(range(count)))
                self.check_findings(boards[places[0] + "TRAIN"])
            if kind == "run":
                exported = self.export(run)
                for boards in seen.values():
                    self.check_equal(boards, exported)
            else:
                self.assertEqual({path.name for path in run.iterdir()}, {"TRAIN", "EVAL"})
            return kills

    def check_partial(self, board, checkpoints):
        """No reader sees a step twice, or one after the last commit."""
        state = checkpoints / "metadata.json"
        last = -1
        if state.exists():
            last = json.loads(state.read_text())[-1]["latest-global-step-seen"]
        for boards in seen_in(board).values():
            for place, seen in boards.items():
                evals = (last + 1) // 4
                most = last + 1 - evals if place.endswith("TRAIN") else evals
                steps = [step for tag, step in seen.scalars if tag == "loss"]
                self.assertEqual(sorted(steps), list(range(len(steps))), place)
                self.assertLessEqual(len(steps), most, place)

    def test_killed_runs(self):
        chance = random.Random(SEED)
        for workers, kind in ((1, "run"), (2, "run"), (1, "alone")):
            with self.subTest(workers=workers, kind=kind, seed=SEED):
                kills, trainings = 0, 0
                while kills < 3:  # one that gets on faster than the first ends before it is killed
                    trainings += 1
                    self.assertLess(trainings, 20)
                    kills += self.check_killed(workers, kind, chance)

    def test_smdebug(self):
        """The golden run has smdebug's own files for TensorBoard: the same places, curves and histograms. Its steps are global
        ones, its tags have underscores for other characters, and histograms begin with the name of a collection."""
        run = GOLDEN / "tensorboard"
        exported = self.export(run)
        rows = [json.loads(line) for line in call("export", run, "--jsonl", "-o", "-").splitlines()]
        mode_steps = {(row["mode"], row["step"]): row["mode_step"] for row in rows}
        files = sorted((run / "tensorboard").rglob("*.tfevents"))
        self.assertEqual({path.parent.name for path in files}, set(exported))
        scalars = histograms = 0
        for path in files:
            board = exported[path.parent.name]
            for payload in payloads_of(path.read_bytes(), path):
                event = strict_reader.decode(payload, "Event", canonical=False)
                (value,) = event["summary"]["value"]
                step = mode_steps[path.parent.name, event.get("step", 0)]
                if "simple_value" in value:
                    found = [number for (tag, at), number in board.scalars.items() if at == step and cleaned(tag) == value["tag"]]
                    self.assertEqual(found, [value["simple_value"]], value)
                    scalars += 1
                    continue
                name = value["tag"].partition("/")[2]
                (found,) = (rows for (tag, at), rows in board.histograms.items() if at == step and cleaned(tag) == name)
                histogram = value["histo"]
                self.assertEqual((found[0][0], found[-1][1]), (histogram["min"], histogram["max"]))
                self.assertEqual(sum(count for _, _, count in found), histogram["num"])
                self.check_counts(found, histogram)
                histograms += 1
        self.assertGreater(scalars, 4)
        self.assertGreater(histograms, 4)

    def check_counts(self, ours, theirs):
        """Below the end of each of our buckets there are as many elements as smdebug's buckets allow."""
        for _, end, _ in ours[:-1]:
            below = sum(count for _, right, count in ours if right <= end)
            limits = [-math.inf, *theirs["bucket_limit"]]
            least = sum(count for right, count in zip(limits[1:], theirs["bucket"]) if right < end)
            most = sum(count for left, count in zip(limits, theirs["bucket"]) if left < end)
            self.assertTrue(least <= below <= most, (end, least, below, most))


def cleaned(tag):
    return re.sub(r"[^-/\w.]", "_", tag)


if __name__ == "__main__":
    unittest.main()
