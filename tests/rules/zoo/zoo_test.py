#!/usr/bin/env python3
"""The zoo is the same each time, its manifest is complete, and its score counts rightly.

TENSORTAP_ZOO names the program that makes it; without it the test is skipped.
"""
import contextlib
import filecmp
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import score  # noqa: E402
from run_reader import records, strict_reader  # noqa: E402

ZOO = os.environ.get("TENSORTAP_ZOO")
COUNT = 8  # among them an injected value


def make(folder):
    subprocess.run([ZOO, folder, "--count", str(COUNT)], check=True, stdout=subprocess.DEVNULL)


def files_below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


class ZooTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.place.name) / "first"
        make(cls.folder)
        cls.manifest = score.read_lines(cls.folder / "manifest.jsonl")

    @classmethod
    def tearDownClass(cls):
        cls.place.cleanup()

    def test_the_same_bytes_are_made_twice(self):
        again = Path(self.place.name) / "second"
        make(again)
        files = files_below(self.folder)
        self.assertEqual(files, files_below(again))
        _, differ, unreadable = filecmp.cmpfiles(self.folder, again, files, shallow=False)
        self.assertEqual((differ, unreadable), ([], []))

    def test_the_manifest_describes_each_run(self):
        self.assertEqual([line["run"] for line in self.manifest], sorted(path.name for path in self.folder.glob("run-*")))
        for line in self.manifest:
            self.assertIn(line["label"], ("healthy", "broken", "excluded"))
            self.assertIn(line["split"], ("tune", "held_out"))
            self.assertEqual(line["label"] == "healthy", line["cause"] == "", line)
            for part in ("outcome", "twin_outcome", "chance"):
                self.assertTrue({"score", "loss"} <= line[part].keys())

    def test_smdebug_can_read_the_runs(self):
        for line in self.manifest:
            run = strict_reader.read_run(str(self.folder / line["run"]))
            self.assertEqual(run.errors, [], line["run"])
            self.assertTrue(run.ended)

    def test_an_injected_value_is_where_the_manifest_says(self):
        injected = [line for line in self.manifest if line["injected"]]
        self.assertNotEqual(injected, [])
        for line in injected:
            self.check_injected(self.folder / line["run"], line["injected"])

    def check_injected(self, run, place):
        def is_finite(value):
            return abs(value) < float("inf")

        for _, _, step, name, _, values in records(run, lambda name: True):
            bad = [index for index, value in enumerate(values) if not is_finite(value)]
            if bad:
                self.assertEqual((step, name, bad), (place["step"], place["tensors"][0], [place["flat_index"]]))
                return
        self.fail("all values are finite")

    def test_a_score_of_fake_verdicts(self):
        broken = [line for line in self.manifest if line["label"] == "broken"]
        healthy = [line for line in self.manifest if line["label"] == "healthy"]
        named = next(line for line in broken if line["injected"])
        place = named["injected"]
        exact = {"rule": "ExplodingTensor", "severity": "error", "step": place["step"], "tensor": place["tensors"][-1],
                 "message": f"element {place['flat_index']} is not finite"}
        advice = {"rule": "LossSpike", "severity": "advice", "step": 3, "tensor": "loss", "message": ""}
        fake = {line["run"]: [] for line in self.manifest}
        fake |= {named["run"]: [exact, advice], healthy[0]["run"]: [advice], healthy[1]["run"]: [{**exact, "rule": "Other"}]}
        path = Path(self.place.name) / "verdicts"
        path.write_text("\n".join(json.dumps({"run": run, "findings": found}) for run, found in fake.items()))
        output, result = io.StringIO(), Path(self.place.name) / "result.json"
        with contextlib.redirect_stdout(output):
            score.main(["--runs", str(self.folder), "--fake", str(path), "--json", str(result)])
        result = json.loads(result.read_text())
        self.assertEqual((result["recall"]["flagged"], result["recall"]["runs"]), (1, len(broken)))
        self.assertEqual((result["false_alarms"]["flagged"], result["false_alarms"]["runs"]), (1, len(healthy)))
        self.assertEqual(result["recall"]["rules"], {"ExplodingTensor": 1})
        self.assertEqual([line["run"] for line in result["false"]], [healthy[1]["run"]])
        self.assertEqual(result["injected"]["named"], 1)
        self.assertEqual(result["failures"], {})
        self.assertIn(f"Missed: {len(broken) - 1}", output.getvalue())

    def test_another_element_is_not_the_exact_one(self):
        place = {"step": 7, "tensors": ["w"], "flat_index": 12}
        finding = {"step": 7, "tensor": "w", "message": "element 12 is NaN"}
        self.assertTrue(score.names_exactly(finding, place))
        for changed in ({"step": 8}, {"tensor": "v"}, {"message": "element 123 is NaN"}, {"message": "1.12 is large"}):
            self.assertFalse(score.names_exactly(finding | changed, place), changed)

    def test_intervals_are_those_of_the_literature(self):
        low, high = score.wilson(81, 263)  # Newcombe, Statistics in Medicine 17 (1998) 857, table I
        self.assertAlmostEqual(low, 0.2553, places=4)
        self.assertAlmostEqual(high, 0.3662, places=4)

    def test_the_trivial_rule(self):
        flagged = {line["run"]: bool(score.baselines.trivial(self.folder / line["run"])) for line in self.manifest}
        self.assertTrue(all(flagged[line["run"]] for line in self.manifest if line["injected"]))


if __name__ == "__main__":
    sys.exit(unittest.main() if ZOO else 77)
