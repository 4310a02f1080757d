#!/usr/bin/env python3
"""A training of four processes under mpirun: one run, although processes are killed; what RankDivergence finds in it.

TENSORTAP_MPI_TRAINING names the program, TENSORTAP_SPOT_TRAINING that of one process, TENSORTAP_COMMAND the tool. The
images are those of Fashion-MNIST if Debian's dataset-fashion-mnist is there, else made up.
"""
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from spot_simulation_test import processes_about, write_images

TRAINING = os.environ.get("TENSORTAP_MPI_TRAINING")
ALONE = os.environ.get("TENSORTAP_SPOT_TRAINING")
COMMAND = os.environ.get("TENSORTAP_COMMAND")
MPIRUN = shutil.which("mpirun")
IMAGES = Path("/usr/share/datasets/fashion-mnist")
TIMEOUT = 300  # seconds; a training takes five, and a minute where other programs have the cores
RANKS = 4
RECIPE = ["--batch-size", "20", "--limit", "400", "--epochs", "3"]
TRAIN_STEPS, EVAL_STEPS = 60, 3


def steps_of_workers(run):
    """Counts the index files of each (worker, mode, mode step)."""
    steps = Counter()
    for path in run.glob("index/*/*.json"):
        meta = json.loads(path.read_text())["meta"]
        steps[path.stem.partition("_")[2], meta["mode"], meta["mode_step"]] += 1
    return steps


class MpiTrainingTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.images = IMAGES
        if not (IMAGES / "train-images-idx3-ubyte.gz").is_file():
            cls.images = cls.folder
            write_images(cls.folder)

    def command(self, run, *options, ranks=RANKS):
        return [MPIRUN, "-np", str(ranks), "--oversubscribe", TRAINING, "--data", str(self.images), "--out-dir", str(run),
                "--checkpoint-dir", f"{run}_checkpoints", "--commit-every", "15", "--save-every", "5", *RECIPE,
                "--result", f"{run}.json", *options]

    def start(self, command, log):
        environment = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
        self.addCleanup(process.wait, TIMEOUT)
        self.addCleanup(process.kill)
        return process

    def train(self, run, *options, **which):
        """Trains to the end; returns what was printed."""
        with tempfile.TemporaryFile("w+") as log:
            code = self.start(self.command(run, *options, **which), log).wait(TIMEOUT)
            log.seek(0)
            text = log.read()
        self.assertEqual(code, 0, text[-3000:])
        return text

    def call(self, *command, code=0):
        result = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=TIMEOUT)
        self.assertEqual(result.returncode, code, result.stdout[-3000:] + result.stderr[-2000:])
        return result.stdout

    def wait_for(self, what, condition):
        end = time.monotonic() + TIMEOUT
        while not condition():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.002)

    def checksum(self, run):
        return json.loads(Path(f"{run}.json").read_text())["checksum"]

    def judge(self, run, code):
        """Returns the findings. The tool exits with 1 if there are some, with 2 if a run has one worker alone."""
        text = self.call(COMMAND, "judge", run, "--rule", "RankDivergence", "--json", code=code)
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def check_steps(self, run, printed, ranks=RANKS):
        """The run has each step of each worker once, and the program's table says so."""
        expected = {(f"worker_{rank}", mode, step) for rank in range(ranks)
                    for mode, count in (("TRAIN", TRAIN_STEPS), ("EVAL", EVAL_STEPS)) for step in range(count)}
        steps = steps_of_workers(run)
        self.assertEqual(steps.keys(), expected)
        self.assertEqual(set(steps.values()), {1})
        for rank in range(ranks):
            self.assertRegex(printed, rf"(?m)^worker_{rank} +63 +63 +0 +0 +0$")
        self.assertIn(f"{TRAIN_STEPS + EVAL_STEPS} complete steps, 0 incomplete, ended, 0 damaged", self.call(COMMAND, "check", run))
        self.assertEqual(self.judge(run, code=0 if ranks > 1 else 2), [])

    def test_the_same_weights_for_any_number_of_processes(self):
        if not ALONE:
            self.skipTest("TENSORTAP_SPOT_TRAINING is not set")
        alone = self.folder / "alone"
        self.call(ALONE, "--data", self.images, "--out-dir", alone, "--rules", "none", "--result", f"{alone}.json", *RECIPE)
        for ranks in (1, 3):
            run = self.folder / f"of_{ranks}"
            self.check_steps(run, self.train(run, ranks=ranks), ranks)
            self.assertEqual(self.checksum(run), self.checksum(alone))

    def rank_process(self, rank):
        """Returns the process of a rank; None before it has begun."""
        for process in processes_about(self.folder):
            try:
                if f"OMPI_COMM_WORLD_RANK={rank}\0".encode() in Path(f"/proc/{process}/environ").read_bytes():
                    return process
            except OSError:  # it has ended
                pass
        return None

    def test_processes_are_killed_and_nothing_is_lost(self):
        undisturbed, run = self.folder / "undisturbed", self.folder / "killed"
        self.check_steps(undisturbed, self.train(undisturbed))
        choose = random.Random(5)
        # Before the first commit, in the steps between two commits, and near a commit: after steps 14 and 29 of TRAIN.
        points = [choose.randrange(2, 12), choose.randrange(17, 28), choose.choice((29, 30, 31)), choose.randrange(34, 44)]
        for step in points:
            rank = choose.randrange(RANKS)
            with self.subTest(step=step, rank=rank), tempfile.TemporaryFile("w+") as log:
                training = self.start(self.command(run), log)
                index = run / "index" / "000000000" / f"{step:012}_worker_{choose.randrange(RANKS)}.json"
                self.wait_for(f"no step {step}", lambda: index.exists() or training.poll() is not None)
                self.assertIsNone(training.poll(), "the training has ended by itself")
                os.kill(self.rank_process(rank), signal.SIGKILL)
                self.assertNotEqual(training.wait(TIMEOUT), 0)
                self.wait_for("processes are left", lambda: not processes_about(self.folder))
                self.assertFalse((run / "training_job_end.ts").exists())
        printed = self.train(run)
        self.assertRegex(printed, r"attempt \d continues after step (30|45|46)\n")
        self.check_steps(run, printed)
        self.assertEqual(self.checksum(run), self.checksum(undisturbed))
        attempts = Counter(path.stem.partition("_")[2] for path in run.glob("attempts/*.json"))
        self.assertEqual(attempts, {f"worker_{rank}": len(points) + 1 for rank in range(RANKS)})
        self.assertTrue(list(run.glob("superseded/*/index/*/*.json")), "SIGKILL has cost no step")
        self.assertIn("nothing left to do", self.train(run))

    def test_a_signal_stops_all_after_the_same_step(self):
        undisturbed, run = self.folder / "undisturbed_too", self.folder / "stopped"
        self.train(undisturbed)
        with tempfile.TemporaryFile("w+") as log:
            training = self.start(self.command(run), log)
            self.wait_for("no step 20", lambda: (run / "index" / "000000000" / f"{20:012}_worker_2.json").exists())
            os.kill(self.rank_process(2), signal.SIGTERM)  # one process alone
            self.assertEqual(training.wait(TIMEOUT), 75)
            log.seek(0)
            stopped_after = int(re.search(r"interrupted by a signal after step (\d+)\n", log.read())[1])
        self.assertEqual({worker for worker, _, _ in steps_of_workers(run)}, {f"worker_{rank}" for rank in range(RANKS)})
        printed = self.train(run)
        self.assertIn(f"continues after step {stopped_after}\n", printed)
        self.check_steps(run, printed)
        self.assertEqual(self.checksum(run), self.checksum(undisturbed))
        self.assertFalse((run / "superseded").exists(), "a signal has cost steps")

    def test_a_launcher_that_is_not_known_is_reported(self):
        """Without it, two processes would write as the same worker."""
        for variable in ("OMPI_COMM_WORLD_RANK=0", "OMPI_COMM_WORLD_RANK=7"):
            command = self.command(self.folder / "none", ranks=2)
            command.insert(command.index(TRAINING), "env")
            command.insert(command.index(TRAINING), variable)
            with tempfile.TemporaryFile("w+") as log:
                self.assertNotEqual(self.start(command, log).wait(TIMEOUT), 0)
                log.seek(0)
                self.assertRegex(log.read(), r"mpi_training: rank \d: .*(WorkerPlace|OMPI_COMM_WORLD_RANK)")
        self.assertFalse((self.folder / "none").exists())

    def test_a_weight_that_differs_is_found(self):
        run = self.folder / "diverged"
        printed = self.train(run, "--inject", "divergence")
        self.assertIn(f"dense1.weight of rank {RANKS - 1} differs", printed)
        self.assertEqual({(finding["rule"], finding["severity"], finding["tensor"], finding["worker"], finding["mode_step"])
                          for finding in self.judge(run, code=1)}, {("RankDivergence", "error", "dense1.weight", f"worker_{RANKS - 1}", TRAIN_STEPS // 2)})


if __name__ == "__main__":
    if not (TRAINING and COMMAND and MPIRUN):
        print("skipped: TENSORTAP_MPI_TRAINING is not set, or there is no mpirun (Debian: libopenmpi-dev, openmpi-bin)")
        sys.exit(77)
    unittest.main()
