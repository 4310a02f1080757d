#!/usr/bin/env python3
"""Managers and programs of jobs that are killed at random moments: every job completes when it is started again, with each
step once, its model whole and its record readable at every moment.

usage: python3 tests/job/crash_test.py [--jobs N] [--seed N] [--workers N]

TENSORTAP_COMMAND names the tool, TENSORTAP_JOB_TRAINING the program that is trained.
"""
import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from pathlib import Path

COMMAND = os.environ.get("TENSORTAP_COMMAND")
TRAINING = os.environ.get("TENSORTAP_JOB_TRAINING")
LAUNCHERS = ("OMPI_", "PMI_", "PMIX_", "SLURM_", "SM_", "SAGEMAKER_", "RANK", "WORLD_SIZE", "TENSORTAP_JOB")
TIMEOUT = 60  # seconds
STEPS = 60
MOST_KILLS = 8  # of one job


class Job:
    """One job, which is killed again and again."""

    def __init__(self, folder, chance, workers):
        self.folder = folder
        self.workers = workers
        self.chance = chance
        self.kills = 0
        self.starts = 0
        self.moves = chance.random() < 0.5  # to a machine that has nothing of the job
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(LAUNCHERS)}
        self.environment["TENSORTAP_TEST_DIR"] = str(folder)
        self.environment["TENSORTAP_CLOUD"] = "none"

    def start(self):
        self.starts += 1
        base = ["--base-dir", str(self.folder / f"machine-{self.starts}")] if self.moves else []
        return subprocess.Popen(
            [COMMAND, "train", "--job-name", "job", "--hook-config", '{"HookParameters": {"save_interval": 1}}', *base,
             "--rule", "VanishingGradient", "--workers", str(self.workers), "--stop-window", "5", "--max-pending", "20", "--hyperparameter", f"steps={STEPS}",
             "--hyperparameter", "delay=3", "--", TRAINING],
            cwd=self.folder, env=self.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def programs(self):
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if (path / "exe").resolve() == Path(TRAINING).resolve() and str(self.folder).encode() in (path / "environ").read_bytes():
                    yield int(path.name)
            except OSError:  # the process has ended
                pass

    def kill(self, manager):
        time.sleep(self.chance.random() * self.chance.choice((0.02, 0.1, 0.5)))
        if self.chance.random() < 0.3:
            for program in self.programs():
                try:
                    os.kill(program, signal.SIGKILL)
                    self.kills += 1
                except OSError:
                    pass
            time.sleep(self.chance.random() * 0.2)
        if manager.poll() is None:
            manager.kill()
            self.kills += 1

    def is_readable(self):
        try:
            json.loads((self.folder / "jobs/job/job.json").read_text())
        except FileNotFoundError:
            return True  # killed before its first line
        except ValueError:
            return False
        return True

    def run(self):
        """Returns what is wrong; an empty text: nothing is."""
        while True:
            manager = self.start()
            if self.starts <= MOST_KILLS:
                self.kill(manager)
            try:
                out = manager.communicate(timeout=TIMEOUT)[0]
            except subprocess.TimeoutExpired:
                manager.kill()
                return "it hangs"
            if not self.is_readable():
                return "job.json cannot be read"
            if manager.returncode == 0:
                return self.fault()
            if manager.returncode != -signal.SIGKILL:
                return f"exit code {manager.returncode}:\n{out[-2000:]}"

    def fault(self):
        """Returns what is wrong with the job that has completed."""
        names = (path.name for path in (self.folder / "jobs/job/debug-output").glob("index/*/*.json"))
        steps = Counter(names)
        wanted = Counter(f"{step:012}_worker_{worker}.json" for step in range(STEPS) for worker in range(self.workers))
        if steps != wanted:
            return f"steps are missing or there twice: {wanted - steps} {steps - wanted}"
        with tarfile.open(self.folder / "jobs/job/output/model.tar.gz") as archive:
            if archive.extractfile("model.txt").read() != f"{STEPS}\n".encode():
                return "the model is not whole"
        check = subprocess.run([COMMAND, "check", "jobs/job/debug-output"], cwd=self.folder, capture_output=True, text=True)
        return "" if check.returncode == 0 else check.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=0, help="left out: 1 or 2")
    arguments = parser.parse_args()
    if not COMMAND or not TRAINING:
        print("TENSORTAP_COMMAND or TENSORTAP_JOB_TRAINING is not set")
        return 77
    faults = kills = 0
    for i in range(arguments.jobs):
        folder = Path(tempfile.mkdtemp(prefix="crash_test."))
        job = Job(folder, random.Random(arguments.seed * 1_000_003 + i), arguments.workers or 1 + i % 2)
        fault = job.run()
        kills += job.kills
        if fault:
            faults += 1
            print(f"job {i} of seed {arguments.seed}, in {folder}: {fault}")
        else:
            shutil.rmtree(folder)
    print(f"{arguments.jobs} jobs, {kills} kills, {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
