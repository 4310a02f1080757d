#!/usr/bin/env python3
"""The command-line tool, as a user calls it: `dump` says of every golden run what must be read from it.

TENSORTAP_COMMAND names the program.
"""
import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

COMMAND = os.environ.get("TENSORTAP_COMMAND")
GOLDEN = Path(__file__).resolve().parent.parent / "data" / "golden"


def differences(expected, actual, path=""):
    """Where two documents differ; numbers below "reductions" may by 1e-6, since numpy sums float32 in float32."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in sorted(expected.keys() | actual.keys()):
            if key not in expected or key not in actual:
                yield f"{path}/{key}: only {'expected' if key in expected else 'there'}"
            else:
                yield from differences(expected[key], actual[key], f"{path}/{key}")
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for i, pair in enumerate(zip(expected, actual)):
            yield from differences(*pair, f"{path}[{i}]")
    elif "/reductions/" in path and {type(expected), type(actual)} <= {int, float}:
        if abs(expected - actual) > 1e-6 * abs(expected):
            yield f"{path}: {expected} expected, {actual} there"
    elif type(expected) is not type(actual) or expected != actual:
        yield f"{path}: {expected!r} expected, {actual!r} there"


@unittest.skipUnless(COMMAND, "TENSORTAP_COMMAND is not set: the examples are not built")
class CommandTest(unittest.TestCase):
    def call(self, *arguments, code=0):
        result = subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, code, result.stdout[-2000:] + result.stderr)
        return result.stdout + result.stderr

    def test_dump_of_every_golden_run(self):
        expectations = sorted(GOLDEN.glob("*.expected.json"))
        self.assertEqual(len(expectations), 24)
        for path in expectations:
            run = path.name.removesuffix(".expected.json").replace(".", "/")  # spot.run1 is spot/run1
            with self.subTest(run=run):
                actual = json.loads(self.call("dump", GOLDEN / run))
                damage = actual.pop("damage")
                expected = json.loads(path.read_text(encoding="utf-8"))
                expected.pop("damage", None)
                self.assertEqual(list(differences(expected, actual))[:5], [])
                self.assertEqual(len(damage), 1 if run == "missing_event_file" else 0, damage)

    def test_the_comparison_can_fail(self):
        self.assertTrue(list(differences({"a": 1}, {"a": 1.0})))
        self.assertTrue(list(differences({"a": [1]}, {"a": []})))
        self.assertTrue(list(differences({"t": {"reductions": {"min": 1.0}}}, {"t": {"reductions": {"min": 1.00001}}})))
        self.assertFalse(list(differences({"t": {"reductions": {"min": 1.0}}}, {"t": {"reductions": {"min": 1.0000001}}})))

    def test_check_tells_sound_from_damaged(self):
        self.assertTrue(self.call("check", GOLDEN / "basic").startswith("sound: 9 tensors"))
        self.assertIn("the events file is missing", self.call("check", GOLDEN / "missing_event_file", code=1))

    def test_ls(self):
        out = self.call("ls", GOLDEN / "modes")
        self.assertIn("ended, 1 worker", out)
        self.assertIn("TRAIN: 4 steps, 0 to 6", out)
        self.assertIn("gradient/Net_conv0.bias: 5 steps, 0 to 12", out)

    def test_names_cannot_play_with_the_terminal(self):
        out = self.call("ls", GOLDEN / "names")
        self.assertIn("new\\nline", out)
        self.assertIn("space and\\ttab", out)

    def test_show(self):
        out = self.call("show", GOLDEN / "basic", "Net_head0.weight", "--step", 3)
        self.assertIn("step 3, worker_0, float32, shape [3, 2]\n1.28402 -1.98738\n", out)
        history = self.call("show", GOLDEN / "basic", "Net_head0.weight")
        self.assertEqual(len(history.splitlines()), 5)  # a heading and four steps
        eval_steps = self.call("show", GOLDEN / "modes", "CrossEntropyLoss_output_0", "--mode", "EVAL")
        self.assertEqual([line.split()[0] for line in eval_steps.splitlines()], ["step", "1", "3"])
        self.assertIn("nothing was saved in step 1", self.call("show", GOLDEN / "basic", "Net_head0.weight", "--step", 1, code=1))

    def test_help_and_version(self):
        self.assertIn("Examples:", self.call("--help"))
        self.assertRegex(self.call("--version"), r"^tensortap \d+\.\d+\.\d+\n$")

    def test_mistakes_are_told(self):
        with tempfile.TemporaryDirectory() as empty:
            self.assertIn("no such run", self.call("ls", empty, code=2))
        self.assertIn("no tensor is named", self.call("show", GOLDEN / "basic", "nothing", code=2))
        self.assertNotEqual(subprocess.run([COMMAND], capture_output=True).returncode, 0)


if __name__ == "__main__":
    unittest.main()
