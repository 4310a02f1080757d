#!/usr/bin/env python3
"""`tensortap train` with its output in a bucket of a real S3 server: each attempt has a machine of its own.

Started beside a server: tests/net/s3/radosgw run -- python3 tests/job/train_s3_test.py. TENSORTAP_COMMAND names the tool,
TENSORTAP_JOB_TRAINING the program that is trained.
"""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

COMMAND = os.environ.get("TENSORTAP_COMMAND")
TRAINING = os.environ.get("TENSORTAP_JOB_TRAINING")
BUCKET = os.environ.get("TENSORTAP_S3_BUCKET")
TIMEOUT = 120  # seconds


@unittest.skipUnless(COMMAND and TRAINING and BUCKET, "the tool or the server is missing")
class TrainOnS3Test(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.machines = 0

    def start(self, name, *options, steps):
        """Starts the job on a machine that has nothing of it."""
        self.machines += 1
        machine = self.folder / f"machine-{self.machines}"
        machine.mkdir()
        process = subprocess.Popen(
            [COMMAND, "train", "--job-name", name, "--output", f"s3://{BUCKET}/jobs", "--rule", "VanishingGradient",
             "--hook-config", '{"HookParameters": {"save_interval": 1}}', "--hyperparameter", f"steps={steps}",
             "--hyperparameter", "delay=10", *options, "--", TRAINING],
            cwd=machine, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, "TENSORTAP_TEST_DIR": str(machine), "TENSORTAP_CLOUD": "none"})
        self.addCleanup(lambda: (process.kill(), process.wait(), process.stdout.close()))
        return process

    def ends(self, process, code):
        out = process.communicate(timeout=TIMEOUT)[0]
        self.assertEqual(process.returncode, code, out[-3000:])
        return out

    def tool(self, *arguments):
        result = subprocess.run([COMMAND, *arguments], capture_output=True, text=True, timeout=TIMEOUT)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return result.stdout

    def record(self, name):
        return json.loads(self.tool("describe", f"s3://{BUCKET}/jobs/{name}", "--json"))

    def wait_for_output(self, process, text):
        for line in process.stdout:
            if text in line:
                return
        self.fail(f"waited for {text!r}")

    def is_whole(self, name, steps):
        record = self.record(name)
        self.assertEqual(record["TrainingJobStatus"], "Completed")
        shown = self.tool("show", record["Run"])
        self.assertIn(f"{steps} steps", shown)
        self.tool("check", record["Run"])
        self.tool("cp", record["ModelArtifacts"]["S3ModelArtifacts"], str(self.folder / "model.tar.gz"))
        text = subprocess.run(["tar", "xzOf", self.folder / "model.tar.gz", "model.txt"], capture_output=True, check=True)
        self.assertEqual(text.stdout, f"{steps}\n".encode())

    def test_a_job_goes_on_after_notices_on_other_machines(self):
        for attempt in range(2):
            process = self.start("notices", steps=200)
            self.wait_for_output(process, "begins at step")
            time.sleep(0.6)
            process.send_signal(signal.SIGTERM)
            self.assertIn("interrupted after step", self.ends(process, 75))
            shutil.rmtree(self.folder / f"machine-{self.machines}")
        out = self.ends(self.start("notices", steps=200), 0)
        self.assertIn("restored", out)
        self.assertIn("VanishingGradient: NoIssuesFound", out)
        self.is_whole("notices", 200)
        log = self.tool("cp", f"s3://{BUCKET}/jobs/notices/logs/output.log", "-")
        for attempt in range(3):
            self.assertIn(f"==> attempt-000{attempt}/algo-1 <==", log)
        self.assertIn("notices  Completed", self.tool("jobs", f"s3://{BUCKET}/jobs/"))

    def test_a_job_goes_on_after_its_machine_is_lost(self):
        process = self.start("lost", steps=400)
        self.wait_for_output(process, "begins at step")
        time.sleep(2)
        process.kill()
        process.wait()
        shutil.rmtree(self.folder / f"machine-{self.machines}", ignore_errors=True)
        out = self.ends(self.start("lost", "--max-pending", "100", steps=400), 0)
        self.assertIn("was lost", out)
        self.is_whole("lost", 400)

    def test_a_channel_comes_from_a_bucket(self):
        for name in ("a.txt", "folder/b.txt"):
            path = self.folder / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
            self.tool("cp", str(path), f"s3://{BUCKET}/data/{name}")
        out = self.folder / "out"
        out.mkdir()
        script = 'cat "$SM_CHANNEL_TRAINING/a.txt" "$SM_CHANNEL_TRAINING/folder/b.txt"'
        result = subprocess.run([COMMAND, "train", "--job-name", "data", "--channel", f"training=s3://{BUCKET}/data", "--",
                                 "bash", "-c", script], cwd=out, capture_output=True, text=True, timeout=TIMEOUT)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("a.txtfolder/b.txt", result.stdout)

    def test_a_job_is_stopped_from_elsewhere(self):
        process = self.start("stopped", steps=10000)
        self.wait_for_output(process, "begins at step")
        self.tool("stop", f"s3://{BUCKET}/jobs/stopped")
        self.ends(process, 94)


if __name__ == "__main__":
    unittest.main()
