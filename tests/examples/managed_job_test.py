#!/usr/bin/env python3
"""The steps of examples/spot_training/README.md: a managed job on machines that are taken away twice.

TENSORTAP_SPOT_TRAINING and TENSORTAP_COMMAND name the programs. In files, and in a bucket if Ceph is installed.
"""
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from spot_simulation_test import RADOSGW, steps_in, write_images

TRAINING = os.environ.get("TENSORTAP_SPOT_TRAINING")
COMMAND = os.environ.get("TENSORTAP_COMMAND")
SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "spot_training" / "managed_job"
TIMEOUT = 300  # seconds


@unittest.skipUnless(TRAINING and COMMAND, "TENSORTAP_SPOT_TRAINING is not set: the examples are not built")
class ManagedJobTest(unittest.TestCase):
    def play(self, folder, epochs, before=(), options=()):
        """Plays the job in the folder. Returns what it prints, once that is as it should be.

        The notices come when a commit is seen, so that the epochs last longer than it takes to see two.
        """
        (folder / "data").mkdir()
        write_images(folder / "data")
        build = Path(COMMAND).resolve().parents[2]
        result = subprocess.run(
            [*before, "bash", "-c", f'exec bash "$0" {" ".join(options)} "$@"', SCRIPT, build, folder / "data", folder,
             "batch-size=10", "limit=1000", f"epochs={epochs}", "commit-every=10"],
            capture_output=True, text=True, timeout=TIMEOUT, env={**os.environ, "TENSORTAP_CLOUD": "none"})
        if before and result.returncode == 77:
            self.skipTest("Ceph is not installed")
        out = result.stdout + result.stderr
        self.assertEqual(result.returncode, 0, out[-4000:])
        self.assertEqual(out.count("Interrupted - notice"), 4, out)  # twice as it happens, twice in the record
        self.assertEqual(out.count(" continues after step "), 2, out)
        for text in ("Completed - Training job completed", "VanishingGradient: ", "Managed Spot Training savings: 70.0%"):
            self.assertIn(text, out)
        return out

    def test_a_job_survives_the_loss_of_two_machines(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            self.play(folder, 8)
            run = folder / "jobs" / "fashion-mnist" / "debug-output"
            steps = steps_in(run)
            self.assertEqual(set(steps.values()), {1})
            self.assertEqual(sum(mode == "TRAIN" for mode, _ in steps), 800)
            self.assertEqual(sorted(path.name for path in folder.iterdir()), ["data", "jobs"])

    def test_the_same_in_a_bucket(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            out = self.play(folder, 12, [RADOSGW, "run", "--"], ["--output", '"s3://$TENSORTAP_S3_BUCKET/jobs"'])
            self.assertRegex(out, r"run: s3://\w+/jobs/fashion-mnist/debug-output")
            self.assertEqual([path.name for path in folder.iterdir()], ["data"])


if __name__ == "__main__":
    unittest.main()
