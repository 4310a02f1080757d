#!/usr/bin/env python3
"""One job of several managers, each on a machine of its own, that are killed again and again: managers, programs, whole
machines. The job completes when it is started again, with each step of each worker once, and nothing hangs.

usage: python3 tests/job/several_machines_crash_test.py [--kills N] [--seconds S] [--seed N] [--parallel N] [--s3]

Kills are at enumerated calls of one manager or program (killer.c), and at random moments; a manager that has ended is
started again, on the same machine or on another one. The variables are those of crash_test.py. With --s3 the jobs are in
a bucket: tests/net/s3/radosgw run -- python3 tests/job/several_machines_crash_test.py --s3
"""
import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import crash_test
from crash_test import COMMAND, COMMIT_EVERY, KILLER, LAUNCHERS, STEPS, TRAINING, Files, Objects, fault_in, programs_of

COUNT = 3
TIMEOUT = 240  # seconds of one job without disturbance
MOST_KILLS = 12  # of one job, before it may go on undisturbed
AGAIN = (75, 95, -signal.SIGKILL, -signal.SIGTERM)  # exit codes after which a manager is started again


class Team:
    """The managers of one job."""

    workers = COUNT

    def __init__(self, folder, chance, points, options):
        self.folder, self.chance, self.points = folder, chance, points
        self.place = (Objects if options.s3 else Files)(folder)
        self.kills = Counter()
        self.count = 0
        self.starts = 0
        self.tokens = []
        self.bases = {}
        self.logs = []
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(LAUNCHERS)}
        self.environment |= {"TENSORTAP_TEST_DIR": str(folder), "TENSORTAP_CLOUD": "none"}
        (folder / "job.json").write_text(json.dumps({
            "job_name": "job", "output": self.place.output, "managers": COUNT, "max_silence": 3, "max_pending": 60,
            "hook_config": {"HookParameters": {"save_interval": 1}}, "first_delay": 0.01, "longest_delay": 0.05,
            "max_attempts_without_commit": 100000, "stop_window": 5, "program": [TRAINING],
            "hyperparameters": {"steps": STEPS, "commit-every": COMMIT_EVERY, "delay": 5}}))

    def start(self, rank):
        self.starts += 1
        if rank not in self.bases or self.chance.random() < 0.5:  # another machine
            self.bases[rank] = self.folder / f"machine-{self.starts}"
        environment = dict(self.environment)
        if KILLER and self.count < MOST_KILLS and self.chance.random() < 0.5:
            program = self.chance.choice(("tensortap", "job_training"))
            number, when = self.points[program].next()
            token = self.folder / f"token-{self.starts}."
            Path(f"{token}0").touch()
            self.tokens.append((program, Path(f"{token}0")))
            environment |= {"LD_PRELOAD": KILLER, "TENSORTAP_TEST_KILL": f"{program}:{number}:{when}:{token}"}
        log = self.folder / f"log-{self.starts}-{rank}"
        self.logs.append(log)
        with open(log, "w") as out:
            return subprocess.Popen([COMMAND, "train", "--file", "job.json", "--rank", str(rank), "--base-dir", self.bases[rank]],
                                    cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=out,
                                    stderr=subprocess.STDOUT)

    def count_kill(self, what):
        self.kills[what] += 1
        self.count += 1

    def disturb(self, managers):
        """Kills one process, or gives a manager notice."""
        what = self.chance.choice(("manager", "program", "notice", "all"))
        if what == "program":
            for program in list(programs_of(self.folder))[:1]:
                try:
                    os.kill(program, signal.SIGKILL)
                    self.count_kill("programs, random")
                except OSError:
                    pass
            return
        living = [one for one in managers.values() if one.poll() is None]
        for one in living if what == "all" else self.chance.sample(living, min(1, len(living))):
            one.send_signal(signal.SIGTERM if what == "notice" else signal.SIGKILL)
            self.count_kill("notices" if what == "notice" else "managers, random")

    def see_tokens(self):
        for program, token in list(self.tokens):
            if not token.exists():
                self.tokens.remove((program, token))
                self.count_kill("managers, enumerated" if program == "tensortap" else "programs, enumerated")

    def run(self):
        """Returns what is wrong, with the last logs; an empty text: nothing is."""
        fault = self.fault()
        return fault and "\n--- ".join([fault, *(f"{log.name}\n{log.read_text()[-1500:]}" for log in self.logs[-COUNT:])])

    def fault(self):
        managers = {rank: self.start(rank) for rank in range(COUNT)}
        codes = {}
        next_one = time.monotonic() + self.chance.random() * 3
        deadline = time.monotonic() + TIMEOUT
        try:
            while len(codes) < COUNT:
                time.sleep(0.05)
                self.see_tokens()
                if self.count < MOST_KILLS:
                    deadline = time.monotonic() + TIMEOUT
                    if time.monotonic() > next_one:
                        next_one = time.monotonic() + 0.1 + self.chance.random() * self.chance.choice((0.5, 3, 8))
                        self.disturb(managers)
                if time.monotonic() > deadline:
                    return "it hangs"
                text = self.place.read("job.json")
                if text is not None:
                    json.loads(text)
                for rank, one in managers.items():
                    if rank in codes or one.poll() is None:
                        continue
                    if one.returncode == 0:
                        codes[rank] = 0
                    elif one.returncode in AGAIN:
                        self.place.release()
                        managers[rank] = self.start(rank)
                    else:
                        return f"rank {rank}: exit code {one.returncode}"
        finally:
            for one in managers.values():
                if one.poll() is None:
                    one.kill()
                    one.wait()
        return fault_in(self.place, self.workers)


class Matrix(crash_test.Matrix):
    """Jobs of several managers."""

    Job = Team


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--s3", action="store_true")
    options = parser.parse_args()
    if not COMMAND or not TRAINING or (options.s3 and "TENSORTAP_S3_BUCKET" not in os.environ):
        print("TENSORTAP_COMMAND, TENSORTAP_JOB_TRAINING or the S3 server is not set")
        return 77
    return Matrix(options).run()


if __name__ == "__main__":
    sys.exit(main())
