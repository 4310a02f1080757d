#!/usr/bin/env python3
"""Exported tables say what `dump` says, read by Python's csv and json, by numpy, hyparquet and DuckDB.

TENSORTAP_COMMAND names the program.
"""
import csv
import hashlib
import io
import json
import math
import os
import shutil
import subprocess
import tempfile
import unittest
import zipfile
from pathlib import Path

try:
    import numpy
except ImportError:
    numpy = None

COMMAND = os.environ.get("TENSORTAP_COMMAND")
GOLDEN = Path(__file__).resolve().parent.parent / "data" / "golden"
RUNS = sorted(path.name for path in GOLDEN.iterdir() if (path / "index").is_dir())
MODULES = next((place for place in (Path(__file__).resolve().parents[2] / "build/tests/node_modules", Path("/usr/share/nodejs"))
                if (place / "hyparquet").is_dir()), None)
DUCKDB = next((path for path in [Path(__file__).resolve().parents[2] / "build/tests/node_modules/@duckdb/node-api"] if path.is_dir()), None)


def call(*arguments, codes=(0,)):
    result = subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    if result.returncode not in codes:
        raise AssertionError(f"{arguments}: {result.returncode}: {result.stderr}")
    return result.stdout


def node(script, path):
    result = subprocess.run(["node", "--input-type=module", "-e", script, path], capture_output=True, text=True, timeout=120)
    if result.returncode != 0:
        raise AssertionError(result.stderr)
    return result.stdout


def number(text):
    return math.nan if text == "nan" else float(text)


def same(a, b):
    return a == b or (isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b))


def rows_of_csv(text):
    for row in csv.DictReader(io.StringIO(text, newline="")):
        yield {key: value for key, value in row.items() if value != ""}


def unescaped(name):
    return name[1:] if name[:1] == "'" and name[1:2] in "=+-@\t\r" else name


@unittest.skipUnless(COMMAND, "TENSORTAP_COMMAND is not set")
class Tables(unittest.TestCase):
    def export(self, folder, run, form, *options):
        path = Path(folder) / f"table.{form}"
        call("export", run, f"--{form}", "-o", path, *options, codes=(0, 1, 2) if form == "npz" else (0, 1))
        self.assertEqual([p.name for p in Path(folder).glob("table.*.*")], [])
        return path

    def test_the_rows_are_those_of_dump(self):
        for name in RUNS:
            with self.subTest(run=name), tempfile.TemporaryDirectory() as folder:
                run = GOLDEN / name
                dump = json.loads(call("dump", run, codes=(0, 1)))
                expected = {(tensor, int(step), worker): saved
                            for tensor, steps in dump["tensors"].items()
                            for step, workers in steps.items()
                            for worker, saved in workers.items()}
                lines = [json.loads(line) for line in self.export(folder, run, "jsonl").read_text("utf-8").splitlines()]
                rows = {(row["tensor"], row["step"], row["worker"]): row for row in lines}
                self.assertEqual(len(rows), len(lines))
                self.assertEqual(rows.keys(), expected.keys())
                for key, saved in expected.items():
                    row = rows[key]
                    if "shape" in saved:
                        self.assertEqual(row["shape"], saved["shape"], key)
                    for reduction, value in saved.get("reductions", {}).items():
                        if isinstance(value, (int, float)) and reduction in row:
                            self.assertTrue(same(number(row[reduction]), float(value)), (key, reduction, row[reduction], value))

                with open(self.export(folder, run, "csv"), newline="", encoding="utf-8") as file:
                    table = list(rows_of_csv(file.read()))
                self.assertEqual(len(table), len(lines))
                for csv_row, row in zip(table, lines):
                    self.assertEqual(unescaped(csv_row.get("tensor", "")), row["tensor"])
                    for column in ("step", "mode_step", "value", "min", "mean", "l2", "count", "nan"):
                        if column in row and "str" not in row.get("dtype", ""):
                            self.assertTrue(same(number(csv_row[column]), number(row[column])), (column, csv_row, row))
                        elif "str" not in row.get("dtype", ""):
                            self.assertNotIn(column, csv_row)

    @unittest.skipUnless(numpy, "numpy is not installed")
    def test_numpy_reads_the_elements(self):
        for name in RUNS:
            with self.subTest(run=name), tempfile.TemporaryDirectory() as folder:
                dump = json.loads(call("dump", GOLDEN / name, codes=(0, 1)))
                path = self.export(folder, GOLDEN / name, "npz")
                if not path.exists():  # nothing in it has elements that numpy knows
                    self.assertFalse([1 for steps in dump["tensors"].values() for workers in steps.values() for saved in workers.values()
                                      if "sha256" in saved and saved["dtype"] != "bfloat16"])
                    continue
                self.assertIsNone(zipfile.ZipFile(path).testzip())
                arrays = numpy.load(path, allow_pickle=False)
                hashes = {saved["sha256"] for steps in dump["tensors"].values() for workers in steps.values()
                          for saved in workers.values() if "sha256" in saved}
                seen = 0
                for key in arrays.files:
                    if key.endswith("/steps"):
                        continue
                    array = arrays[key]
                    single = "/step_" in key
                    if not single:
                        self.assertEqual(len(arrays[key + "/steps"]), len(array))
                    for values in [array] if single else array:
                        seen += 1
                        self.assertIn(hashlib.sha256(numpy.ascontiguousarray(values).tobytes()).hexdigest(), hashes, key)
                self.assertGreater(seen + (not hashes) + (name == "dtypes"), 0)

    def compare_with_parquet(self, script):
        """Compares the rows of Parquet files, which `script` prints as JSON, with those of JSON lines."""
        for name in RUNS:
            with self.subTest(run=name), tempfile.TemporaryDirectory() as folder:
                lines = [json.loads(line) for line in self.export(folder, GOLDEN / name, "jsonl").read_text("utf-8").splitlines()]
                path = self.export(folder, GOLDEN / name, "parquet")
                rows = json.loads(node(script, path))
                key = lambda row: (row["tensor"].encode(), row["step"], row["worker"].encode())
                self.assertEqual([key(row) for row in rows], sorted(key(row) for row in lines))
                lines.sort(key=key)
                for row, line in zip(rows, lines):
                    self.assertEqual(row["mode"], line["mode"])
                    self.assertEqual(row["dtype"], line.get("dtype", ""))
                    self.assertEqual(row["shape"], "x".join(map(str, line.get("shape", []))))
                    for column in ("value", "min", "std", "abs_l2", "count", "zeros"):
                        if line.get("dtype") == "str":
                            continue
                        there = row.get(column)
                        self.assertEqual(there is None, column not in line, (column, row, line))
                        if there is not None:
                            text = str(there).lower().replace("infinity", "inf")
                            self.assertTrue(same(number(text), number(line[column])), (column, there, line[column]))

    PLAIN = "(k, v) => typeof v === 'bigint' ? Number(v) : Number.isFinite(v) || typeof v !== 'number' ? v : String(v)"

    @unittest.skipUnless(MODULES and shutil.which("node"), "npm's hyparquet is not installed")
    def test_hyparquet_reads_the_same_rows(self):
        self.compare_with_parquet(f"""
            const {{ parquetReadObjects, asyncBufferFromFile }} = await import('file://{MODULES}/hyparquet/src/node.js');
            const rows = await parquetReadObjects({{ file: await asyncBufferFromFile(process.argv[1]) }});
            console.log(JSON.stringify(rows, {self.PLAIN}));""")

    @unittest.skipUnless(DUCKDB and shutil.which("node"), "npm's @duckdb/node-api is not installed")
    def test_duckdb_reads_the_same_rows(self):
        ask = f"""
            const {{ DuckDBInstance }} = (await import('file://{DUCKDB}/lib/index.js')).default;
            const connection = await (await DuckDBInstance.create()).connect();
            const rows = async (query) => (await connection.runAndReadAll(query)).getRowObjects();
            const file = process.argv[1].replaceAll("'", "''");"""
        self.compare_with_parquet(ask + f"console.log(JSON.stringify(await rows(`from '${{file}}'`), {self.PLAIN}));")
        # It skips row groups and pages by what the footer says of them: the counts must be those of all rows.
        with tempfile.TemporaryDirectory() as folder:
            lines = [json.loads(line) for line in self.export(folder, GOLDEN / "modes", "jsonl").read_text("utf-8").splitlines()]
            path = self.export(folder, GOLDEN / "modes", "parquet")
            count = lambda condition: int(node(ask + f"""
                console.log(Number((await rows(`select count(*) as n from '${{file}}' where {condition}`))[0].n));""", path))
            for step in sorted({row["step"] for row in lines}) + [10**6]:
                self.assertEqual(count(f"step >= {step}"), sum(row["step"] >= step for row in lines))
            for tensor in sorted({row["tensor"] for row in lines}):
                self.assertEqual(count(f"tensor = '{tensor}'"), sum(row["tensor"] == tensor for row in lines))
            self.assertEqual(count("tensor = 'no such tensor'"), 0)

    def test_filters(self):
        with tempfile.TemporaryDirectory() as folder:
            lines = lambda *options: [json.loads(line) for line in
                                      self.export(folder, GOLDEN / "modes", "jsonl", *options).read_text("utf-8").splitlines()]
            everything = lines()
            self.assertEqual({row["mode"] for row in lines("--mode", "eval")}, {"EVAL"})
            self.assertEqual({row["mode_step"] for row in lines("--mode", "train", "--steps", "2:5")}, {2, 4})
            self.assertEqual({row["step"] for row in lines("--steps", "7")}, {7})
            self.assertEqual({row["step"] for row in lines("--steps", "10:")}, {row["step"] for row in everything if row["step"] >= 10})
            self.assertTrue(all("weight" in row["tensor"] for row in lines("--tensor", "weight")))
            self.assertEqual(len(lines("--worker", "worker_0")), len(everything))
            self.assertIn("nothing was saved", subprocess.run([COMMAND, "export", GOLDEN / "modes", "--csv", "-o", "-", "--worker", "worker_9"],
                                                              capture_output=True, text=True, timeout=60).stderr)

    def test_names_that_spreadsheets_take_for_formulas(self):
        with tempfile.TemporaryDirectory() as folder:
            text = self.export(folder, GOLDEN / "names", "csv").read_bytes().decode("utf-8")
            for row in csv.reader(io.StringIO(text, newline="")):
                self.assertNotIn(row[4][:1], tuple("=+-@\t\r"), row)

    def test_pipes_links_and_modes(self):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            real, link, pipe = folder / "real.csv", folder / "link.csv", folder / "pipe"
            real.write_text("before", encoding="utf-8")
            real.chmod(0o600)
            link.symlink_to(real)
            call("export", GOLDEN / "basic", "--csv", "-o", link)
            self.assertTrue(link.is_symlink())
            self.assertTrue(real.read_text("utf-8").startswith("step,mode"))
            self.assertEqual(real.stat().st_mode & 0o777, 0o600)
            os.mkfifo(pipe)
            with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
                call("export", GOLDEN / "basic", "--csv", "-o", pipe)
                self.assertEqual(reader.communicate(timeout=60)[0], real.read_bytes())
            self.assertTrue(pipe.is_fifo())
            self.assertEqual(sorted(os.listdir(folder)), ["link.csv", "pipe", "real.csv"])

    def test_large_integers_are_exact(self):
        rows = [json.loads(line) for line in call("export", GOLDEN / "dtypes", "--jsonl", "-o", "-").splitlines()]
        self.assertTrue(rows)
        for row in rows:
            if row.get("dtype") in ("int64", "uint64") and "value" in row:
                self.assertIsInstance(row["value"], int)

    def test_mistakes(self):
        with tempfile.TemporaryDirectory() as folder:
            for options, message in ((["-o", "-"], "--csv"), (["--csv"], "--output"), (["--csv", "--npz", "-o", "-"], "--csv"),
                                     (["--csv", "-o", "/nonexistent/x"], "cannot be written"), (["--csv", "-o", "."], "a directory"), (["--csv", "-o", "-", "--steps", "5:2"], "no steps")):
                result = subprocess.run([COMMAND, "export", GOLDEN / "basic", *options], cwd=folder, capture_output=True, text=True, timeout=60)
                self.assertEqual(result.returncode, 2, options)
                self.assertIn(message, result.stderr)
            self.assertEqual(os.listdir(folder), [])


if __name__ == "__main__":
    unittest.main()
