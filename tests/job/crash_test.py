#!/usr/bin/env python3
"""Managers and programs of jobs that are killed again and again: every job completes when it is started again, with each
step of each worker once, its model and its last checkpoint whole, and its record readable at every moment.

usage: python3 tests/job/crash_test.py [--kills N] [--seconds S] [--seed N] [--workers N] [--parallel N] [--s3]

Kills are at enumerated points, the first call that changes a file, a process or a connection, the second one and so on,
before and after it (killer.c); and at random moments. The rules and the copies of checkpoints are threads of the
manager, so that its points are theirs, too. Left out, --kills is some dozens; 10000 take an hour.

TENSORTAP_COMMAND names the tool, TENSORTAP_JOB_TRAINING the program that is trained, TENSORTAP_JOB_KILLER the library of
killer.c. With --s3 the jobs are in a bucket: tests/net/s3/radosgw run -- python3 tests/job/crash_test.py --s3
"""
import argparse
import io
import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from bucket import Bucket

COMMAND = os.environ.get("TENSORTAP_COMMAND")
TRAINING = os.environ.get("TENSORTAP_JOB_TRAINING")
KILLER = os.environ.get("TENSORTAP_JOB_KILLER")
LAUNCHERS = ("OMPI_", "PMI_", "PMIX_", "SLURM_", "SM_", "SAGEMAKER_", "RANK", "WORLD_SIZE", "TENSORTAP_JOB")
TIMEOUT = 180  # seconds
STEPS = 9
COMMIT_EVERY = 3
MOST_STARTS = 16  # of one job, before it may go on undisturbed
POINTS = {"tensortap": 300, "job_training": 160}  # about as many as in an undisturbed job in a bucket; fewer in files


class Files:
    """A job's folder on this machine."""

    def __init__(self, folder):
        self.folder = folder / "jobs" / "job"
        self.output = str(folder / "jobs")

    def read(self, key):
        try:
            return (self.folder / key).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def keys(self, prefix):
        return [str(path.relative_to(self.folder)) for path in (self.folder / prefix).rglob("*") if path.is_file()]

    def release(self):
        """The kernel releases claims."""

    def remove(self):
        pass


class Objects:
    """A job's folder in a bucket."""

    def __init__(self, folder):
        self.bucket = Bucket()
        self.prefix = f"{folder.name}/job/"
        self.output = f"s3://{self.bucket.name}/{folder.name}"

    def read(self, key):
        return self.bucket.get(self.prefix + key)

    def keys(self, prefix):
        return [key[len(self.prefix):] for key in self.bucket.list(self.prefix + prefix)]

    def release(self):
        """Removes the leases of dead processes: what happens by itself half a minute later."""
        for key in self.keys(""):
            if "claim" not in key:
                continue
            text = self.read(key) or b""
            pid = re.search(rb"(?:process|pid)\D*(\d+)", text)
            if pid and not Path(f"/proc/{int(pid[1])}").exists():
                self.bucket.remove(self.prefix + key)

    def remove(self):
        for key in self.bucket.list(self.prefix):
            self.bucket.remove(key)


class Points:
    """Numbers of calls, all of them in a random order, again and again. Threads: any."""

    def __init__(self, chance, count):
        self.lock = threading.Lock()
        everything = [(n, when) for n in range(1, count + 1) for when in ("before", "after")]
        chance.shuffle(everything)
        self.numbers = itertools.cycle(everything)

    def next(self):
        with self.lock:
            return next(self.numbers)


def programs_of(folder):
    """The programs of the jobs in the folder."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (path / "exe").resolve() == Path(TRAINING).resolve() and str(folder).encode() in (path / "environ").read_bytes():
                yield int(path.name)
        except OSError:  # the process has ended
            pass


class Job:
    """One job, which is killed again and again."""

    def __init__(self, folder, chance, points, options):
        self.folder = folder
        self.chance = chance
        self.points = points
        self.workers = options.workers or chance.choice((1, 1, 1, 2))
        self.place = (Objects if options.s3 else Files)(folder)
        self.kills = Counter()
        self.starts = 0
        self.moves = chance.random() < 0.5  # to a machine that has nothing of the job
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(LAUNCHERS)}
        self.environment |= {"TENSORTAP_TEST_DIR": str(folder), "TENSORTAP_CLOUD": "none"}
        (folder / "job.json").write_text(json.dumps({
            "job_name": "job", "output": self.place.output, "workers": self.workers, "rules": ["VanishingGradient"],
            "hook_config": {"HookParameters": {"save_interval": 1}}, "first_delay": 0.01, "longest_delay": 0.05,
            "max_attempts_without_commit": 100000, "stop_window": 5, "max_pending": 100, "program": [TRAINING],
            "hyperparameters": {"steps": STEPS, "commit-every": COMMIT_EVERY, "delay": 0}}))

    def start(self, is_disturbed):
        self.starts += 1
        base = ["--base-dir", str(self.folder / f"machine-{self.starts if self.moves else 0}")]
        environment = dict(self.environment)
        self.tokens = {}
        if is_disturbed and KILLER:
            kills = []
            kinds = self.chance.choice((("tensortap",), ("tensortap", "job_training"), ("tensortap", "job_training"), ("job_training",)))
            for program in kinds:
                number, when = self.points[program].next()
                most = 1 if program == "tensortap" else 10 if len(kinds) == 1 else 3
                self.tokens[program] = [self.folder / f"{program}.token{i}" for i in range(self.chance.randint((most + 1) // 2, most))]
                for token in self.tokens[program]:
                    token.touch()
                kills.append(f"{program}:{number}:{when}:{self.folder / program}.token")
            environment |= {"LD_PRELOAD": KILLER, "TENSORTAP_TEST_KILL": ",".join(kills)}
        self.log = open(self.folder / "log", "w+")
        return subprocess.Popen([COMMAND, "train", "--file", "job.json", *base], cwd=self.folder, env=environment,
                                stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)

    def kill_at_random(self, manager):
        """Kills the program at a random moment, or the manager, or both."""
        time.sleep(self.chance.random() * self.chance.choice((0.02, 0.1, 0.5)))
        if self.chance.random() < 0.4:
            for program in programs_of(self.folder):
                try:
                    os.kill(program, signal.SIGKILL)
                    self.kills["program, random"] += 1
                except OSError:
                    pass
            self.place.release()
            time.sleep(self.chance.random() * 0.2)
        if manager.poll() is None:
            manager.kill()
            manager.wait()
            self.kills["manager, random"] += 1

    def unreadable(self):
        """Returns what is wrong with the record now."""
        text = self.place.read("job.json")
        try:
            if text is not None:
                json.loads(text)["TrainingJobStatus"]
        except (ValueError, KeyError) as error:
            return f"job.json cannot be read: {error}: {text[:200]}"
        return ""

    def watch(self, manager):
        """Waits for the end of the manager, and reads the record meanwhile. Returns what is wrong."""
        deadline = time.monotonic() + TIMEOUT
        dead = len(self.tokens.get("job_training", []))
        while manager.poll() is None:
            if fault := self.unreadable():
                return fault
            if time.monotonic() > deadline:
                return "it hangs"
            left = sum(token.exists() for token in self.tokens.get("job_training", []))
            if left != dead:
                dead = left
                self.place.release()
            time.sleep(0.02)
        return self.unreadable()

    def run(self):
        """Returns what is wrong; an empty text: nothing is."""
        while True:
            is_disturbed = self.starts < MOST_STARTS
            manager = self.start(is_disturbed)
            try:
                if is_disturbed and self.chance.random() < (0.15 if KILLER else 0.8):
                    self.kill_at_random(manager)
                fault = self.watch(manager)
            finally:
                if manager.poll() is None:
                    manager.kill()
                    manager.wait()
            for program, tokens in self.tokens.items():
                name = "manager, enumerated" if program == "tensortap" else "program, enumerated"
                self.kills[name] += sum(not token.exists() for token in tokens)
                for token in tokens:
                    token.unlink(missing_ok=True)
            self.log.seek(0)
            text = self.log.read()
            self.log.close()
            if fault:
                return fault + "\n" + text[-3000:]
            if manager.returncode == 0:
                return fault_in(self.place, self.workers)
            if manager.returncode != -signal.SIGKILL:
                return f"exit code {manager.returncode}:\n{text[-3000:]}"
            self.place.release()
            if self.moves:
                shutil.rmtree(self.folder / f"machine-{self.starts}", ignore_errors=True)


def fault_in(place, workers):
    """Returns what is wrong with the job that has completed at the place."""
    record = json.loads(place.read("job.json"))
    if record["TrainingJobStatus"] != "Completed":
        return f"the job is {record['TrainingJobStatus']}"
    steps = Counter(key.rsplit("/", 1)[1] for key in place.keys("debug-output/index/"))
    wanted = Counter(f"{step:012}_worker_{worker}.json" for step in range(STEPS) for worker in range(workers))
    if steps != wanted:
        return f"steps are missing or there twice: {wanted - steps} {steps - wanted}"
    with tarfile.open(fileobj=io.BytesIO(place.read("output/model.tar.gz"))) as archive:
        if archive.extractfile("model.txt").read() != f"{STEPS}\n".encode():
            return "the model is not whole"
    checkpoints = [place.read(key) for key in place.keys("checkpoints/")]
    if str(STEPS).encode() not in checkpoints or not place.read("checkpoints/metadata.json"):
        return f"the last checkpoint is not there: {place.keys('checkpoints/')}"
    check = subprocess.run([COMMAND, "check", f"{place.output}/job/debug-output"], capture_output=True, text=True,
                           timeout=TIMEOUT)
    return "" if check.returncode == 0 else check.stdout + check.stderr


class Matrix:
    """Jobs, several at a time, until there were enough kills."""

    Job = Job

    def __init__(self, options):
        self.options = options
        self.lock = threading.Lock()
        self.kills, self.faults, self.jobs, self.begun = Counter(), 0, 0, 0
        chance = random.Random(options.seed)
        self.points = {program: Points(chance, count) for program, count in POINTS.items()}
        self.end = time.monotonic() + options.seconds

    def goes_on(self):
        return sum(self.kills.values()) < self.options.kills and time.monotonic() < self.end

    def work(self):
        while True:
            with self.lock:
                if not self.goes_on():
                    return
                number = self.begun
                self.begun += 1
            folder = Path(tempfile.mkdtemp(prefix="crash_test."))
            job = self.Job(folder, random.Random(self.options.seed * 1_000_003 + number), self.points, self.options)
            try:
                fault = job.run()
            except Exception as error:  # of the test itself
                fault = f"{type(error).__name__}: {error}"
            with self.lock:
                self.jobs += 1
                self.kills += job.kills
                if fault:
                    self.faults += 1
                    print(f"job {number} of seed {self.options.seed}, {job.workers} workers, in {folder}: {fault}", flush=True)
                elif self.jobs % 50 == 0:
                    print(f"… {self.jobs} jobs, {sum(self.kills.values())} kills, {self.faults} faults", flush=True)
            if not fault:
                job.place.remove()
                shutil.rmtree(folder)

    def run(self):
        threads = [threading.Thread(target=self.work) for _ in range(self.options.parallel)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        each = ", ".join(f"{count} of the {name}" for name, count in sorted(self.kills.items()))
        print(f"{self.jobs} jobs, {sum(self.kills.values())} kills ({each}), {self.faults} faults")
        return 1 if self.faults else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=0, help="left out: 1 or 2")
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--s3", action="store_true")
    options = parser.parse_args()
    if not COMMAND or not TRAINING or (options.s3 and "TENSORTAP_S3_BUCKET" not in os.environ):
        print("TENSORTAP_COMMAND, TENSORTAP_JOB_TRAINING or the S3 server is not set")
        return 77
    global KILLER
    works = KILLER and subprocess.run([COMMAND, "--version"], env={**os.environ, "LD_PRELOAD": KILLER}, capture_output=True)
    if not works or works.returncode != 0 or b"LD_PRELOAD" in works.stderr:
        print("without the points of killer.c, whose library is not there or cannot be loaded")
        KILLER = None
    return Matrix(options).run()


if __name__ == "__main__":
    sys.exit(main())
