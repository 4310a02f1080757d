#!/usr/bin/env python3
"""show, dump, judge and check of the command-line tool on a run of every kind, written by tests/capture/kinds_of_runs_test.cpp.

TENSORTAP_COMMAND names the program, TENSORTAP_WRITTEN_RUNS the folder of the runs.
"""
import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

COMMAND = os.environ.get("TENSORTAP_COMMAND")
WRITTEN = os.environ.get("TENSORTAP_WRITTEN_RUNS")

NO_GRADIENTS = ("not judged: VanishingGradient: it could judge nothing; it needs gradients: statistics, abs_mean or elements; better with weights\n"
                "nothing was judged: no rule has what it needs\n")


@unittest.skipUnless(COMMAND and WRITTEN, "TENSORTAP_COMMAND and TENSORTAP_WRITTEN_RUNS are not set")
class KindsOfRunsTest(unittest.TestCase):
    def call(self, command, run, *arguments, code=0):
        path = run if Path(run).is_absolute() else Path(WRITTEN) / "kinds" / run
        result = subprocess.run([COMMAND, command, path, *map(str, arguments)], capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, code, result.stdout[-2000:] + result.stderr)
        return result.stdout + result.stderr

    def columns(self, *arguments):
        """Returns the heading and the lines of a table, split."""
        lines = [line.replace("global step", "global_step").split() for line in self.call("show", *arguments).splitlines()]
        return lines[0], lines[1:]

    # ---- Statistics only

    def test_statistics_are_shown_over_the_steps(self):
        heading, lines = self.columns("statistics", "w.grad")
        self.assertEqual(heading, ["global_step", "min", "mean", "max", "nan", "inf"])
        self.assertEqual(lines[0], ["0", "-0.5", "0", "0.5", "-", "-"])
        self.assertEqual(lines[2], ["4", "-0.5", "0", "0.5", "1", "1"])

    def test_statistics_of_a_step_have_counts_and_places(self):
        out = self.call("show", "statistics", "w.grad", "--step", 4)
        rows = {line[:20].strip(): line[20:].strip() for line in out.splitlines() if line.startswith("  ")}
        for name, value in {"count": "6", "nan": "1", "positive_inf": "1", "negative_inf": "0", "zeros": "0",
                            "first nan or inf": "element 4", "max": "0.5", "abs_mean": "0.5", "l2": "1"}.items():
            self.assertEqual(rows[name], value, out)

    def test_dump_holds_statistics(self):
        step = json.loads(self.call("dump", "statistics"))["tensors"]["w.grad"]["4"]["worker_0"]
        self.assertEqual({key: step["statistics"][key] for key in ("count", "nan", "positive_inf", "first_non_finite", "max")},
                         {"count": 6, "nan": 1, "positive_inf": 1, "first_non_finite": 4, "max": 0.5})
        self.assertNotIn("sha256", step)

    def test_statistics_are_judged(self):
        out = self.call("judge", "statistics", "--rule", "VanishingGradient", code=1)
        self.assertIn('VanishingGradient (advice): step 4 (TRAIN 4): "dead.grad": its mean magnitude is 9.99999971718068', out)
        self.assertIn("; in 2 steps, the last is step 6\n", out)
        self.assertIn("1 finding in 2 tensors and 4 steps that were judged: the run has ended\n", out)

    # ---- One reduction only

    def test_one_reduction_is_a_column(self):
        self.assertEqual(self.columns("abs_mean", "w.grad")[0], ["global_step", "abs_mean"])
        self.assertEqual(self.columns("abs_mean", "w.grad")[1][0], ["0", "0.5"])
        self.assertIn("abs_mean           0.5\n", self.call("show", "abs_mean", "w.grad", "--step", 0))
        self.assertEqual(self.columns("min_max_l2", "w.grad")[0], ["global_step", "l2", "max", "min"])

    def test_one_reduction_is_judged(self):
        rule = ("--rule", "VanishingGradient")
        self.assertIn("1 finding in 2 tensors and 4 steps that were judged", self.call("judge", "abs_mean", *rule, code=1))
        self.assertIn("0 findings in 2 tensors and 4 steps that were judged",
                      self.call("judge", "abs_mean", *rule, "--set", "VanishingGradient.threshold=1e-30"))

    def test_reductions_that_the_rule_cannot_use_are_not_a_healthy_run(self):
        out = self.call("judge", "min_max_l2", "--rule", "VanishingGradient", code=2)
        self.assertIn(NO_GRADIENTS, out)
        self.assertIn("0 findings in 0 tensors and 0 steps that were judged", out)

    def test_gradients_that_are_not_numbers_are_not_a_healthy_run(self):
        out = self.call("judge", "nan", code=1)
        self.assertIn('ExplodingTensor: step 0 (TRAIN 0): "w.grad": 1 NaN and 0 infinities among 2 elements; '
                      "the first is element 1 with bits 0x7fc00000; no finite tensor was saved before it; check the data and the "
                      "state that the run starts from\n", out)
        out = self.call("show", "nan", "w.grad", "--step", 0)
        self.assertIn("first nan or inf   [1]\n1 nan\n", out)
        saved = json.loads(self.call("dump", "nan"))["tensors"]["w.grad"]["0"]["worker_0"]
        self.assertEqual(saved["non_finite"], {"nan": 1, "positive_inf": 0, "negative_inf": 0, "first_non_finite": 1})

    # ---- Types

    def test_numbers_are_whole(self):
        self.assertEqual(self.columns("types", "count")[1], [["0", "1234567"], ["1", "1234568"]])
        self.assertEqual(self.columns("types", "counts")[1][0][1], "-9007199254740993")
        self.assertTrue(self.call("show", "types", "counts", "--step", 1).endswith("\n1234567 -9007199254740993 1\n"))
        self.assertEqual(self.columns("types", "phase"), (["global_step", "value"], [["0", "0.1-2i"], ["1", "0.1-2i"]]))
        self.assertTrue(self.call("show", "types", "phases", "--step", 0).endswith("shape [2]\n1+2i 3-4.5i\n"))
        self.assertIn("complex64 [2]", self.call("show", "types", "phases"))
        self.assertEqual(self.columns("types", "half")[1][0], ["0", "0.1"])
        self.assertTrue(self.call("show", "types", "third", "--step", 0).endswith("\n0.33333334 16777216\n"))

    def test_types_are_dumped_and_checked(self):
        self.assertEqual(json.loads(self.call("dump", "types"))["tensors"]["phase"]["0"]["worker_0"]["dtype"], "complex128")
        self.assertIn("sound: 7 tensors", self.call("check", "types"))

    def test_a_run_without_the_collection_is_not_judged(self):
        self.assertIn(NO_GRADIENTS, self.call("judge", "types", "--rule", "VanishingGradient", code=2))
        out = self.call("judge", "types", "--rule", "VanishingGradient", "--set", "VanishingGradient.collection=all")
        self.assertIn("0 findings in 5 tensors and 2 steps", out)

    def test_names_cannot_change_the_order_of_text(self):
        for out in (self.call("show", "types"), self.call("show", "types", "--step", 0), self.call("dump", "types"),
                    self.call("judge", "types", "--set", "VanishingGradient.collection=all",
                              "--set", "VanishingGradient.threshold=1e9", code=1),
                    self.call("show", "types", "\u202Egp", code=2), self.call("show", "types", "--worker", "\u202E", code=2),
                    self.call("show", "\u202E/no", code=2), self.call("show", "types", "a", "\u202Eb", code=2)):
            self.assertNotIn("\u202E", out)
        self.assertIn("\\u{202e}gpj", self.call("show", "types"))

    # ---- Losses, modes, collections without tensors

    def test_all_numbers_of_a_listing_are_global_steps(self):
        out = self.call("show", "losses")
        self.assertIn("\nsteps (global steps)\n  TRAIN: 6 steps, 0 to 6\n  EVAL: 2 steps, 3 to 7\n", out)
        self.assertIn("\ntensors (global steps)\n  loss: 6 steps, 0 to 6, ", out)
        self.assertIn("  val_loss: 2 steps, 3 to 7, ", out)
        self.assertEqual(self.call("ls", "losses"), out)

    def test_a_listing_of_a_mode_has_its_numbers(self):
        out = self.call("show", "losses", "--mode", "eval")
        self.assertIn("\nsteps (EVAL steps)\n  EVAL: 2 steps, 0 to 1\n", out)
        self.assertIn("\ntensors (EVAL steps)\n  val_loss: 2 steps, 0 to 1, ", out)
        self.assertNotIn(" loss:", out)

    def test_modes_are_words_of_any_case(self):
        for mode in ("EVAL", "eval", "Eval"):
            lines = self.call("show", "losses", "val_loss", "--mode", mode).splitlines()
            self.assertEqual([line.split() for line in lines], [["EVAL", "step", "value"], ["0", "0.75"], ["1", "0.75"]])
        self.assertIn("evil", self.call("show", "losses", "--mode", "evil", code=2))

    def test_a_collection_without_tensors_is_said_to_have_none(self):
        self.assertIn("  gradients: no tensor; its built-in pattern finds none of the saved names\n", self.call("show", "losses"))
        rule = ("--rule", "VanishingGradient")
        self.assertIn(NO_GRADIENTS, self.call("judge", "losses", *rule, code=2))
        self.assertIn("0 findings in 2 tensors and 8 steps",
                      self.call("judge", "losses", *rule, "--set", "VanishingGradient.collection=losses"))

    def test_a_step_is_shown_whole(self):
        self.assertEqual(self.call("show", "losses", "--step", 3), "global step 3, step 0 of EVAL\n  val_loss: 0.75\n")
        self.assertEqual(self.call("show", "losses", "--step", 0, "--mode", "eval"),
                         "global step 3, step 0 of EVAL\n  val_loss: 0.75\n")
        self.assertIn("  w.grad: min -0.5, mean 0, max 0.5, nan 1, inf 1\n", self.call("show", "statistics", "--step", 4))
        self.assertIn("global step 99: it was not saved (there are 8 steps, 0 to 7)",
                      self.call("show", "losses", "--step", 99, code=2))

    # ---- Nothing

    def test_a_run_of_nothing(self):
        out = self.call("show", "nothing")
        self.assertIn(": ended, 1 worker, 1 attempt\n", out)
        self.assertIn("\nsteps (global steps)\n  none\n", out)
        self.assertIn("\ntensors (global steps)\n  none\n", out)
        self.assertEqual(json.loads(self.call("dump", "nothing"))["tensors"], {})
        self.assertIn("nothing was judged: ", self.call("judge", "nothing", code=2))
        self.assertIn("nothing was judged: no step is complete", self.call("judge", "nothing", "--rule", "all", code=2))
        self.assertIn("no tensor is named", self.call("show", "nothing", "loss", code=2))
        self.assertIn("it was not saved (there are no steps)", self.call("show", "nothing", "--step", 0, code=2))
        self.assertIn("sound: 0 tensors", self.call("check", "nothing"))

    # ---- Workers

    def test_workers_are_told_apart(self):
        heading, lines = self.columns("workers", "loss")
        self.assertEqual(heading, ["global_step", "worker", "value"])
        self.assertEqual(lines, [["0", "worker_0", "0"], ["0", "worker_1", "0.5"], ["1", "worker_0", "1"], ["1", "worker_1", "1.5"]])
        self.assertEqual(self.columns("workers", "loss", "--worker", "worker_1"),
                         (["global_step", "value"], [["0", "0.5"], ["1", "1.5"]]))
        self.assertIn("  loss, worker_1: 0.5\n", self.call("show", "workers", "--step", 0))
        self.assertNotIn("worker_0", self.call("show", "workers", "--step", 0, "--worker", "worker_1"))

    def test_a_worker_that_does_not_exist(self):
        for arguments in (("loss",), ("loss", "--step", 0), ("--step", 0)):
            self.assertIn('no worker is named "worker_9"; the run has "worker_0", "worker_1"',
                          self.call("show", "workers", *arguments, "--worker", "worker_9", code=2))
        self.assertIn('"only_of_1": nothing was saved by worker_0',
                      self.call("show", "workers", "only_of_1", "--worker", "worker_0", code=2))
        self.assertIn("--worker needs tensors or steps; name some", self.call("show", "workers", "--worker", "worker_0", code=2))

    # ---- Damage

    def test_damage_is_never_a_success(self):
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "run"
            shutil.copytree(Path(WRITTEN) / "kinds" / "abs_mean", run)
            events = sorted(run.glob("events/*/*"))
            events[0].write_bytes(b"no record")
            for command in (("show", "w.grad"), ("show", "w.grad", "--step", 0), ("show", "--step", 0), ("check",), ("dump",),
                            ("judge", "--rule", "VanishingGradient", "--set", "VanishingGradient.threshold=1e-30")):
                with self.subTest(command=command):
                    self.assertIn("damage", self.call(command[0], str(run), *command[1:], code=1))
            for path in events:
                path.write_bytes(b"")
            self.assertIn("nothing was judged", self.call("judge", str(run), code=2))
            for index in run.glob("index/*/*"):
                index.write_text("{")
            self.assertIn("damaged: index/", self.call("show", str(run), code=1))

    # ---- A directory of runs

    def test_a_directory_of_runs_lists_them(self):
        folder = Path(WRITTEN) / "kinds"
        for command in ("show", "ls"):
            out = self.call(command, str(folder))
            self.assertIn("/losses: ended, 1 worker, 8 steps, 0 to 7\n", out)
            self.assertIn("/nothing: ended, 1 worker, no steps\n", out)
        for command in ("judge", "check", "dump"):
            self.assertIn("it is no run, but holds 8 runs; name one of them: ", self.call(command, str(folder), code=2))
        with tempfile.TemporaryDirectory() as empty:
            (Path(empty) / "file").touch()
            self.assertIn("no such run", self.call("show", empty, code=2))
            said = self.call("show", f"{empty}/file", code=2)
            self.assertIn("it is a file; name the directory of a run", said)
            self.assertNotIn("symbolic link", said)


if __name__ == "__main__":
    unittest.main()
