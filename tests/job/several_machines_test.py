#!/usr/bin/env python3
"""`tensortap train` as several processes of one job, each with a base directory of its own, as on machines of their own:
notices, lost managers and programs, failures, requests to stop, launchers.

TENSORTAP_COMMAND names the tool, TENSORTAP_JOB_TRAINING the program that is trained.
"""
import json
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
import unittest
from collections import Counter
from pathlib import Path

COMMAND = os.environ.get("TENSORTAP_COMMAND")
TRAINING = os.environ.get("TENSORTAP_JOB_TRAINING")
LAUNCHERS = ("OMPI_", "PMI_", "PMIX_", "SLURM_", "SM_", "SAGEMAKER_", "RANK", "WORLD_SIZE", "LOCAL_", "GROUP_", "MASTER_",
             "JOB_COMPLETION_INDEX", "TENSORTAP_JOB")
TIMEOUT = 150  # seconds
COUNT = 3
LIMITS = ("--max-silence", "10", "--max-pending", "30", "--stop-window", "5")
IMPATIENT = ("--max-silence", "4", "--max-pending", "4", "--stop-window", "5")  # does not wait for another machine


class Machine:
    """One manager, with a base directory that no other one uses."""

    def __init__(self, test, rank, process, log, base):
        self.rank, self.process, self.log, self.base = rank, process, log, base
        test.addCleanup(lambda: (process.kill(), process.wait()))

    def output(self):
        return self.log.read_text()

    def programs(self):
        """Returns the processes of its program."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if (path / "exe").resolve() == Path(TRAINING).resolve() and f"SAGEMAKER_BASE_DIR={self.base}/".encode() in \
                        (path / "environ").read_bytes():
                    found.append(int(path.name))
            except OSError:  # the process has ended
                pass
        return found


@unittest.skipUnless(COMMAND and TRAINING, "TENSORTAP_COMMAND or TENSORTAP_JOB_TRAINING is not set")
class SeveralMachinesTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.job = self.folder / "jobs" / "job"
        self.starts = 0
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(LAUNCHERS)}
        self.environment |= {"TENSORTAP_TEST_DIR": str(self.folder), "TENSORTAP_CLOUD": "none"}

    def start(self, rank, *options, place=None, program=(), limits=LIMITS, base=None, **hyperparameters):
        """Starts a manager on a machine that has nothing of the job."""
        self.starts += 1
        base = base or self.folder / f"machine-{self.starts}"
        log = self.folder / f"out-{self.starts}"
        line = [COMMAND, "train", "--job-name", "job", "--base-dir", base, "--hook-config",
                '{"HookParameters": {"save_interval": 1}}', *limits, *options]
        environment = dict(self.environment)
        if place is None:
            line += ["--managers", COUNT, "--rank", rank]
        else:
            environment |= place
        for name, value in {"steps": 300, "delay": 5, **hyperparameters}.items():
            line += ["--hyperparameter", f"{name.replace('_', '-')}={value}"]
        with open(log, "w") as out:
            process = subprocess.Popen([*map(str, line), "--", *(program or [TRAINING])], cwd=self.folder, env=environment,
                                       stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        return Machine(self, rank, process, log, base)

    def start_all(self, *options, **more):
        return [self.start(rank, *options, **more) for rank in range(COUNT)]

    def wait_for(self, condition, what):
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            if condition():
                return
            time.sleep(0.02)
        self.fail("waited for " + what)

    def record(self):
        return json.loads((self.job / "job.json").read_text())

    def wait_for_commit(self, step=0):
        def is_there():
            try:
                return self.record().get("Commit", -1) >= step
            except OSError:
                return False
        self.wait_for(is_there, f"a commit of step {step}")

    def end(self, machine, code):
        try:
            machine.process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self.fail(f"rank {machine.rank} hangs:\n{machine.output()[-3000:]}")
        self.assertEqual(machine.process.returncode, code, f"rank {machine.rank}:\n{machine.output()[-3000:]}")
        return machine.output()

    def ended_by(self, causes):
        attempts = self.record()["Attempts"]
        self.assertEqual([one["Cause"] for one in attempts], causes, json.dumps(attempts, indent=1))

    def forget(self):
        """Makes place for another job of this name."""
        shutil.rmtree(self.job)
        for meeting in self.folder.glob("meeting-*"):
            meeting.unlink()

    def is_whole(self, steps=300):
        """Each step of each worker is there once, and the model was trained for all of them."""
        self.assertEqual(self.record()["TrainingJobStatus"], "Completed")
        there = Counter((path.stem.split("_", 1)[1], int(path.stem.split("_")[0]))
                        for path in (self.job / "debug-output").glob("index/*/*.json"))
        self.assertEqual(there, Counter({(f"worker_{rank}", step): 1 for rank in range(COUNT) for step in range(steps)}))
        with tarfile.open(self.job / "output" / "model.tar.gz") as archive:
            self.assertEqual(archive.extractfile("model.txt").read(), f"{steps}\n".encode())
        for rank in range(1, COUNT):
            with tarfile.open(self.job / "output" / f"output-algo-{rank + 1}.tar.gz") as archive:
                self.assertEqual(archive.extractfile("result.txt").read(), f"{steps}\n".encode())
        checked = subprocess.run([COMMAND, "check", self.job / "debug-output"], capture_output=True, text=True)
        self.assertEqual(checked.returncode, 0, checked.stdout)

    def test_the_managers_run_one_job(self):
        machines = self.start_all(steps=30)
        for machine in machines:
            self.end(machine, 0)
        self.is_whole(30)
        self.assertEqual(self.record()["ResourceConfig"]["InstanceCount"], COUNT)
        for rank, machine in enumerate(machines):
            here = json.loads((machine.base / f"algo-{rank + 1}" / "input/config/resourceconfig.json").read_text())
            self.assertEqual((here["current_host"], here["hosts"]), (f"algo-{rank + 1}", ["algo-1", "algo-2", "algo-3"]))
            log = (self.job / "logs" / "attempt-0000" / f"algo-{rank + 1}.log").read_text()
            self.assertIn("ends with weight 30", log)
            self.assertIn(log, (self.job / "logs" / "output.log").read_text())
        for rank in range(COUNT):  # a completed job is not run again
            self.end(self.start(rank), 0)

    def test_a_notice_to_one_machine_ends_the_attempt_for_all_and_another_machine_goes_on(self):
        for rank in (1, 0):
            machines = self.start_all()
            self.wait_for_commit(9)
            machines[rank].process.send_signal(signal.SIGTERM)
            self.assertIn("notice that the machine will be taken away", self.end(machines[rank], 75))
            self.assertEqual(machines[rank].programs(), [])
            if rank == 0:  # the chief has told the others to leave, too
                for machine in machines[1:]:
                    self.end(machine, 75)
                machines = self.start_all()
            else:
                machines[rank] = self.start(rank)
            for machine in machines:
                self.end(machine, 0)
            self.is_whole()
            self.ended_by(["interrupted", "completed"])
            self.forget()

    def test_a_manager_that_is_killed_is_replaced_or_all_leave(self):
        for is_replaced in (True, False):
            machines = self.start_all(limits=LIMITS if is_replaced else IMPATIENT)
            self.wait_for_commit(9)
            machines[1].process.kill()
            if is_replaced:
                machines[1] = self.start(1)
            else:
                machines[1].process.wait()
                out = self.end(machines[0], 75)
                self.assertIn("no answer from the managers of algo-2 within 4 s", out)
                self.end(machines[2], 75)
                machines = self.start_all()
            for machine in machines:
                self.end(machine, 0)
            self.is_whole()
            attempts = self.record()["Attempts"]
            self.ended_by(["interrupted", "completed"])
            self.assertIn("algo-2", attempts[0]["Details"])
            self.forget()

    def test_a_chief_that_is_killed_is_replaced_or_all_leave(self):
        for is_replaced in (True, False):
            machines = self.start_all(limits=LIMITS if is_replaced else IMPATIENT)
            self.wait_for_commit(9)
            machines[0].process.kill()
            if is_replaced:
                machines[0] = self.start(0)
            else:
                for machine in machines[1:]:
                    self.assertIn("the manager of algo-1 was not heard of", self.end(machine, 75))
                    self.assertEqual(machine.programs(), [])
                machines = self.start_all()
            for machine in machines:
                self.end(machine, 0)
            self.is_whole()
            self.ended_by(["lost", "completed"])
            self.forget()

    def test_a_manager_that_hangs_is_not_waited_for(self):
        machines = self.start_all(limits=IMPATIENT)
        self.wait_for_commit(9)
        machines[2].process.send_signal(signal.SIGSTOP)
        self.assertIn("algo-3", self.end(machines[0], 75))
        self.end(machines[1], 75)
        machines[2].process.send_signal(signal.SIGCONT)
        self.end(machines[2], 75)
        for machine in self.start_all():
            self.end(machine, 0)
        self.is_whole()

    def test_a_program_that_is_killed_begins_again_with_all_others(self):
        machines = self.start_all(steps=600)
        for rank in range(COUNT):
            before = self.record()["Commit"] if rank else 0
            self.wait_for_commit(before + 10)
            self.wait_for(machines[rank].programs, "the program")
            for program in machines[rank].programs():
                os.kill(program, signal.SIGKILL)
            self.wait_for(lambda: len(self.record()["Attempts"]) == rank + 2, "the next attempt")
        for machine in machines:
            self.end(machine, 0)
        self.is_whole(600)
        self.ended_by(["interrupted"] * COUNT + ["completed"])
        for rank, one in enumerate(self.record()["Attempts"][:COUNT]):
            self.assertIn(f"algo-{rank + 1} was ended by signal 9", one["Details"])

    def test_a_worker_that_was_ahead_is_rewound_to_the_commit_of_the_chief(self):
        """All managers are killed between two commits: what the workers wrote after the first one does not count."""
        machines = self.start_all(steps=100, delay=20)
        self.wait_for_commit(19)
        for machine in machines:
            machine.process.kill()
            machine.process.wait()
        commit = json.loads((self.job / "checkpoints" / "metadata.json").read_text())[-1]["latest-global-step-seen"]
        for machine in self.start_all(steps=100, delay=1):
            self.assertIn(f"begins at step {commit + 1} with weight {commit + 1}", self.end(machine, 0))
        self.is_whole(100)

    def test_a_failure_of_one_program_fails_the_job(self):
        script = 'if [ $RANK = 2 ]; then echo "no data" > $SM_OUTPUT_FAILURE; exit 3; fi; sleep 60'
        machines = self.start_all(program=["sh", "-c", script])
        for machine in machines:
            self.end(machine, 3)
        self.assertEqual(self.record()["TrainingJobStatus"], "Failed")
        self.assertEqual(self.record()["FailureReason"], "no data")

    def test_an_interruption_of_one_program_explains_the_failure_of_another(self):
        script = 'if [ $TENSORTAP_JOB_ATTEMPT = 1 ]; then exit 0; elif [ $RANK = 1 ]; then kill -9 $$; elif [ $RANK = 0 ]; then sleep 1; exit 1; ' \
                 'fi; sleep 60'
        for machine in self.start_all(program=["sh", "-c", script]):
            self.end(machine, 0)
        self.ended_by(["interrupted", "completed"])

    def test_requests_to_stop_reach_all(self):
        for request, code in (("stop", 94), ("chief", 94), ("member", 94), ("max-run", 90)):
            machines = self.start_all(*(["--max-run", "2"] if request == "max-run" else []), steps=100000)
            if request != "max-run":
                self.wait_for_commit(9)
            if request == "stop":
                subprocess.run([COMMAND, "stop", self.job], check=True, capture_output=True)
            elif request != "max-run":
                machines[0 if request == "chief" else 1].process.send_signal(signal.SIGINT)
            for machine in machines:
                self.end(machine, code)
            self.forget()

    def test_managers_that_are_missing_are_named(self):
        few = ("--max-silence", "0.5", "--max-pending", "1")
        self.assertIn("no answer from the managers of algo-2, algo-3 within 1 s", self.end(self.start(0, limits=few), 75))
        self.assertIn("the manager of algo-1 was not heard of", self.end(self.start(1, limits=few), 75))
        other = self.start(1, "--managers", "2", "--rank", "1", place={})
        chief = self.start(0, limits=("--max-silence", "1", "--max-pending", "5"))
        self.assertIn("the chief's job has 3, this one has 2", self.end(other, 2))
        self.end(chief, 75)

    def test_with_one_attempt_an_interruption_is_left_to_the_next_start(self):
        places = [{"OMPI_COMM_WORLD_RANK": str(rank), "OMPI_COMM_WORLD_SIZE": str(COUNT)} for rank in range(COUNT)]
        machines = [self.start(rank, place=place) for rank, place in enumerate(places)]
        self.wait_for_commit(9)
        os.kill(machines[1].programs()[0], signal.SIGKILL)
        for machine in machines:
            self.end(machine, 75)
        for machine in [self.start(rank, place=place) for rank, place in enumerate(places)]:
            self.end(machine, 0)
        self.is_whole()

    def test_a_manager_with_a_notice_leaves_after_the_chief_has_copied_the_checkpoints(self):
        script = 'trap "sleep 1; echo late > $SAGEMAKER_BASE_DIR/checkpoints/file; exit 75" TERM; echo ready; ' \
                 'while :; do sleep 0.05; done'
        machines = self.start_all(program=["sh", "-c", script], limits=IMPATIENT)
        for machine in machines:
            self.wait_for(lambda: "ready" in machine.output(), "the program")
        machines[1].process.send_signal(signal.SIGTERM)
        self.assertIn("is not copied", self.end(machines[1], 75))
        self.assertEqual((self.job / "checkpoints" / "file").read_text(), "late\n")
        self.end(machines[0], 75)
        self.end(machines[2], 75)

    def test_two_managers_of_one_host_do_not_run_at_once(self):
        machines = self.start_all(steps=100000)
        self.wait_for_commit(9)
        self.assertIn("another process manages it", self.end(self.start(1, limits=("--max-pending", "0.5")), 95))
        machines[0].process.send_signal(signal.SIGINT)
        for machine in machines:
            self.end(machine, 94)

    def test_the_place_comes_from_the_launcher(self):
        places = {
            "Open MPI": lambda rank: {"OMPI_COMM_WORLD_RANK": rank, "OMPI_COMM_WORLD_SIZE": COUNT, "OMPI_COMM_WORLD_LOCAL_RANK": 5},
            "PMI": lambda rank: {"PMI_RANK": rank, "PMI_SIZE": COUNT},
            "torchrun": lambda rank: {"RANK": rank, "WORLD_SIZE": COUNT, "LOCAL_RANK": 5, "MASTER_ADDR": "first"},
            "Slurm": lambda rank: {"SLURM_PROCID": rank, "SLURM_STEP_NUM_TASKS": COUNT, "SLURM_LOCALID": 5},
            "Kubernetes": lambda rank: {"JOB_COMPLETION_INDEX": rank},
        }
        script = 'echo "place $RANK $WORLD_SIZE $LOCAL_RANK $MASTER_ADDR $SM_CURRENT_HOST"'
        for name, place in places.items():
            options = ["--managers", str(COUNT)] if name == "Kubernetes" else []
            machines = [self.start(rank, *options, place={key: str(value) for key, value in place(rank).items()},
                                   program=["sh", "-c", script]) for rank in range(COUNT)]
            for rank, machine in enumerate(machines):
                local = 0 if name in ("PMI", "Kubernetes") else 5
                address = "first" if name == "torchrun" else os.uname().nodename
                self.assertIn(f"place {rank} {COUNT} {local} {address} algo-{rank + 1}\n", self.end(machine, 0), name)
            self.forget()
        out = self.end(self.start(0, "--managers", "3", place={}), 2)
        self.assertIn("no launcher tells which of them this is", out)


if __name__ == "__main__":
    unittest.main()
