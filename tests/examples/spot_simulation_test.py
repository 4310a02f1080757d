#!/usr/bin/env python3
"""A small spot simulation: machines are taken away, a rule judges the run, and nothing may be lost.

TENSORTAP_SPOT_TRAINING and TENSORTAP_SPOT_SIMULATION name the programs, TENSORTAP_COMMAND the tool.
"""
import gzip
import json
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
from collections import Counter
from pathlib import Path

TRAINING = os.environ.get("TENSORTAP_SPOT_TRAINING")
SIMULATION = os.environ.get("TENSORTAP_SPOT_SIMULATION")
COMMAND = os.environ.get("TENSORTAP_COMMAND")
STRICT_READER = Path(__file__).resolve().parent.parent / "strict_reader.py"
RADOSGW = Path(__file__).resolve().parent.parent / "net" / "s3" / "radosgw"
TIMEOUT = 120  # seconds


def write_images(folder, learnable=True):
    """Writes images in the format of Fashion-MNIST: noise with a bar, at a height that four of five labels tell if it is
    learnable."""
    noise = random.Random(1)
    for part, count in (("train", 1000), ("t10k", 200)):
        labels = bytes(noise.randrange(10) for _ in range(count))
        images = bytearray(byte >> 1 for byte in noise.randbytes(count * 28 * 28))
        for i, label in enumerate(labels if learnable else bytes(count)):
            if learnable and noise.random() < 0.2:
                label = noise.randrange(10)
            for at in range((28 * i + 2 * label + 3) * 28, (28 * i + 2 * label + 6) * 28):
                images[at] |= 0x80
        for name, header, content in (("images-idx3", (0x803, count, 28, 28), images), ("labels-idx1", (0x801, count), labels)):
            with gzip.open(folder / f"{part}-{name}-ubyte.gz", "wb", compresslevel=1) as file:
                file.write(struct.pack(f">{len(header)}I", *header) + content)


def steps_in(run):
    """Counts the index files of each (mode, mode step)."""
    metas = [json.loads(path.read_text())["meta"] for path in run.glob("index/*/*.json")]
    return Counter((meta["mode"], meta["mode_step"]) for meta in metas)


def processes_about(folder):
    """Returns the processes with the folder in their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder).encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:  # the process has ended
            pass
    return found


@unittest.skipUnless(TRAINING and SIMULATION, "TENSORTAP_SPOT_SIMULATION is not set: the examples are not built")
class SpotSimulationTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        write_images(self.folder)
        self.spot = self.folder / "spot"
        self.result = self.folder / "result.json"

    def options(self, epochs):
        return ["--data", self.folder, "--batch-size", 10, "--limit", 1000, "--epochs", epochs]

    def call(self, *command, code=0):
        result = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=3 * TIMEOUT)
        self.assertEqual(result.returncode, code, result.stdout[-3000:] + result.stderr[-2000:])
        return result.stdout + result.stderr

    def train_without_interruptions(self, epochs):
        self.call(TRAINING, "--out-dir", self.folder / "run", "--result", self.result, *self.options(epochs))

    def expect_a_long_training(self):
        result = {"train_steps": 100_000, "eval_steps": 1, "checksum": "", "accuracy": 0, "hook_seconds": 0,
                  "learning_seconds": 0, "commit_seconds": 0}
        self.result.write_text(json.dumps(result))

    def simulate(self, epochs, *options, code=0):
        return self.call(SIMULATION, "--dir", self.spot, "--reference", self.result, "--timeout", TIMEOUT,
                         *self.options(epochs), *options, code=code)

    def test_nothing_is_lost(self):
        self.train_without_interruptions(6)
        out = self.simulate(6)
        expected = {("TRAIN", step) for step in range(600)} | {("EVAL", step) for step in range(6)}
        times = steps_in(self.spot / "run")
        self.assertEqual(times.keys(), expected)
        self.assertEqual(set(times.values()), {1})
        self.assertTrue((self.spot / "run" / "training_job_end.ts").is_file())
        self.assertTrue(steps_in(self.spot / "run" / "superseded" / "000000002"), "SIGKILL has cost no step")
        self.assertFalse((self.spot / "run" / "superseded" / "000000001").exists(), "SIGTERM has cost steps")
        checksum = json.loads(self.result.read_text())["checksum"]
        self.assertIn(f"{checksum} and {checksum}", out)
        self.assertIn("606 of 606, 0, 0", out)
        self.assertNotIn(" NO\n", out)
        self.assertEqual([path.name for path in self.spot.glob("machine_*")], [])
        self.assertEqual(len(list(self.spot.glob("durable/*.checkpoint"))), 2)
        self.assertEqual(processes_about(self.folder), [])

    def test_nothing_is_lost_on_s3(self):
        """The same in a bucket. A third machine is taken away before its first commit."""
        self.train_without_interruptions(3)
        copy = self.folder / "copy"
        script = """set -e
            "$@" --s3 "s3://$TENSORTAP_S3_BUCKET/spot"
            "$TENSORTAP_COMMAND" sync --quiet "s3://$TENSORTAP_S3_BUCKET/spot" "$COPY"
            """
        command = [RADOSGW, "run", "--", "bash", "-c", script, "simulation", SIMULATION, "--dir", self.spot,
                   "--reference", self.result, "--timeout", TIMEOUT, *self.options(3)]
        result = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=4 * TIMEOUT,
                                env={**os.environ, "COPY": str(copy)})
        if result.returncode == 77 or "is built without S3" in result.stderr:
            self.skipTest(result.stderr.strip())
        out = result.stdout + result.stderr
        self.assertEqual(result.returncode, 0, out[-5000:])
        expected = {("TRAIN", step) for step in range(300)} | {("EVAL", step) for step in range(3)}
        times = steps_in(copy / "run")
        self.assertEqual(times.keys(), expected)
        self.assertEqual(set(times.values()), {1})
        self.assertTrue((copy / "run" / "training_job_end.ts").is_file())
        self.assertFalse((copy / "run" / "superseded" / "000000001").exists(), "SIGTERM has cost steps")
        for attempt in (2, 3):
            self.assertTrue(steps_in(copy / "run" / "superseded" / f"{attempt:09}"), "SIGKILL has cost no step")
        checksum = json.loads(self.result.read_text())["checksum"]
        self.assertIn(f"{checksum} and {checksum}", out)
        self.assertIn("303 of 303, 0, 0", out)
        self.assertNotIn(" NO\n", out)
        self.assertEqual(out.count("   SIGKILL\n"), 2)
        self.assertEqual([path.name for path in self.spot.iterdir() if path.is_dir()], [])
        self.assertEqual(len(list(copy.glob("durable/*.checkpoint"))), 2)
        self.assertEqual(processes_about(self.folder), [])

    def test_another_result_is_reported(self):
        self.train_without_interruptions(3)
        result = json.loads(self.result.read_text())
        self.result.write_text(json.dumps(result | {"checksum": "00000000"}))
        out = self.simulate(3, code=1)
        self.assertEqual(out.count(" NO\n"), 1)
        self.assertRegex(out, r"weights as without interruptions.* and 00000000 +NO\n")

    def break_training(self, cause, rule, tensor, epochs=20):
        """A fault is found as an error by the right rule, stops the training, and leaves a snapshot that opens."""
        out = self.simulate(epochs, "--inject", cause)
        self.assertNotIn(" NO\n", out)
        self.assertRegex(out, rf"the rule {rule} has found it +an error +yes\n")
        self.assertFalse((self.spot / "run" / "training_job_end.ts").exists())
        snapshots = sorted((self.spot / "run" / "snapshots").iterdir())
        self.assertIn(len(snapshots), (1, 2, 3))
        findings = [json.loads(line) for line in (snapshots[0] / "findings.jsonl").read_text().splitlines()]
        step = int(snapshots[0].name.split("_")[0])
        self.assertEqual(snapshots[0].name, f"{step:012}_{rule}_worker_0")
        self.assertEqual({(finding["rule"], finding["severity"], finding["step"]) for finding in findings}, {(rule, "error", step)})
        self.assertTrue(any(re.fullmatch(tensor, finding["tensor"]) for finding in findings), findings)
        modes = steps_in(snapshots[0])
        self.assertEqual(len(modes), min(10, step + 1))
        self.assertEqual(set(modes.values()), {1})
        strict = subprocess.run([sys.executable, "-B", STRICT_READER, snapshots[0]], capture_output=True, text=True, timeout=TIMEOUT)
        self.assertEqual(strict.returncode, 0, strict.stdout + strict.stderr)
        self.assertEqual(processes_about(self.folder), [])

    def test_vanishing(self):
        self.break_training("vanishing", "VanishingGradient", r"gradient/conv1\.weight")

    def test_exploding(self):
        self.break_training("exploding", "ExplodingTensor", r"loss|gradient/.*")

    def test_nan(self):
        self.break_training("nan", "ExplodingTensor", r"gradient/conv1\.weight", epochs=4)

    def test_dead(self):
        self.break_training("dead", "DeadRelu", r"dense1\.relu_output")

    def test_saturated(self):
        write_images(self.folder, learnable=False)  # the last layer learns the bars alone, and the finding is an advice
        self.break_training("saturated", "SaturatedActivation", r"(conv|dense)\d\.tanh_output")

    def test_wrong_labels(self):
        self.break_training("wrong_labels", "LossNotDecreasing", "loss")

    def test_learning_rate_zero(self):
        self.break_training("learning_rate_zero", "UpdateMissing", r"conv1\.weight")

    def test_constant_weights(self):
        self.break_training("constant_weights", "IdenticalUnits", r"dense1\.weight")

    def test_unknown_faults_are_refused(self):
        for program in (TRAINING, SIMULATION):
            result = subprocess.run([program, "--inject", "list"], capture_output=True, text=True, timeout=TIMEOUT)
            self.assertNotEqual(result.returncode, 0)
            for name in ("vanishing", "exploding", "nan", "dead", "saturated", "wrong_labels", "learning_rate_zero", "constant_weights"):
                self.assertIn(f"\n{name} ", result.stdout + result.stderr)

    def test_a_healthy_training_has_no_error(self):
        out = self.call(TRAINING, "--out-dir", self.folder / "run", *self.options(6))
        self.assertNotRegex(out, r"(?m)^\w+: step \d+ \(")
        self.assertRegex(out, r"epoch 6: .* test accuracy [78]")
        self.assertFalse((self.folder / "run" / "snapshots").exists())

    def test_its_programs_end_with_it(self):
        self.expect_a_long_training()
        command = [SIMULATION, "--dir", self.spot, "--reference", self.result, *self.options(1000)]
        simulation = subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(simulation.wait)
        self.addCleanup(simulation.kill)
        end = time.monotonic() + TIMEOUT
        while len(steps_in(self.spot / "run")) < 3 and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(len(processes_about(self.folder)), 3)  # the simulation, the training, the judge
        simulation.send_signal(signal.SIGKILL)
        simulation.wait()
        while processes_about(self.folder) and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(processes_about(self.folder), [])

    def test_a_training_that_is_too_short_is_reported(self):
        self.expect_a_long_training()
        self.assertIn("it was too short, take more --epochs", self.simulate(1, code=1))
        self.assertIn("not empty", self.simulate(1, code=1))
        self.assertEqual(processes_about(self.folder), [])


if __name__ == "__main__":
    unittest.main()
