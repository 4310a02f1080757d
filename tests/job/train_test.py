#!/usr/bin/env python3
"""`tensortap train` with real interruptions: programs, managers and workers that are killed, limits, rules, requests.

TENSORTAP_COMMAND names the tool, TENSORTAP_JOB_TRAINING the program that is trained, TENSORTAP_JOB_CONTRACT the one that
checks what a program sees.
"""
import http.server
import json
import os
import pty
import re
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import unittest
from collections import Counter
from pathlib import Path

COMMAND = os.environ.get("TENSORTAP_COMMAND")
TRAINING = os.environ.get("TENSORTAP_JOB_TRAINING")
CONTRACT = os.environ.get("TENSORTAP_JOB_CONTRACT")
HERE = Path(__file__).resolve().parent
TIMEOUT = 180  # seconds
EACH_STEP = '{"HookParameters": {"save_interval": 1}}'
LAUNCHERS = ("OMPI_", "PMI_", "PMIX_", "SLURM_", "SM_", "SAGEMAKER_", "RANK", "WORLD_SIZE", "TENSORTAP_JOB")


def steps_in(run):
    """Counts the index files of each (worker, step)."""
    return Counter((path.stem.split("_", 1)[1], int(path.stem.split("_")[0])) for path in run.glob("index/*/*.json"))


def processes_about(folder):
    """Returns the processes with the folder in their command line or environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in (path / "cmdline").read_bytes() + (path / "environ").read_bytes():
                found.append(int(path.name))
        except OSError:  # the process has ended
            pass
    return found


class MetadataService(http.server.BaseHTTPRequestHandler):
    """The metadata service of EC2, which announces the end of the machine once it is told when."""
    ends_at = None

    def do_PUT(self):
        self.reply(200, "token")

    def do_GET(self):
        if self.ends_at and self.path.endswith("/spot/instance-action"):
            self.reply(200, json.dumps({"action": "terminate", "time": self.ends_at}))
        else:
            self.reply(404, "")

    def reply(self, code, text):
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("X-aws-ec2-metadata-token-ttl-seconds", "21600")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


class JobTest(unittest.TestCase):
    def setUp(self):
        if not COMMAND or not TRAINING:
            self.skipTest("TENSORTAP_COMMAND or TENSORTAP_JOB_TRAINING is not set")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.jobs = self.folder / "jobs"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(LAUNCHERS)}
        self.environment["TENSORTAP_TEST_DIR"] = str(self.folder)
        self.environment["TENSORTAP_CLOUD"] = "none"

    def command(self, *options, program=None, name="job", **hyperparameters):
        line = [COMMAND, "train", "--job-name", name, *map(str, options)]
        if not program and "--hook-config" not in options:
            line += ["--hook-config", EACH_STEP]
        for key, value in hyperparameters.items():
            line += ["--hyperparameter", f"{key if key.startswith('sagemaker_') else key.replace('_', '-')}={value}"]
        return line + ["--", *map(str, program or [TRAINING])]

    def start(self, *options, **more):
        process = subprocess.Popen(self.command(*options, **more), cwd=self.folder, env=self.environment, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.addCleanup(lambda: (process.kill(), process.wait(), process.stdout.close()))
        return process

    def train(self, *options, code=0, **more):
        result = subprocess.run(self.command(*options, **more), cwd=self.folder, env=self.environment, text=True,
                                capture_output=True, timeout=TIMEOUT)
        self.assertEqual(result.returncode, code, result.stdout[-3000:] + result.stderr)
        return result.stdout + result.stderr

    def tool(self, *arguments, code=0):
        result = subprocess.run([COMMAND, *map(str, arguments)], cwd=self.folder, env=self.environment, text=True,
                                capture_output=True, timeout=TIMEOUT)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        return result.stdout + result.stderr

    def record(self, name="job"):
        return json.loads((self.jobs / name / "job.json").read_text())

    def wait_for(self, condition, what):
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            if condition():
                return
            time.sleep(0.02)
        self.fail("waited for " + what)

    def wait_for_commit(self, step=0, name="job"):
        def is_there():
            try:
                return self.record(name).get("Commit", -1) >= step
            except OSError:
                return False
        self.wait_for(is_there, f"a commit of step {step}")

    def ends(self, process, code):
        out = process.communicate(timeout=TIMEOUT)[0]
        self.assertEqual(process.returncode, code, out[-3000:])
        return out

    def is_whole(self, steps, workers=("worker_0",), name="job"):
        """Each step of each worker is there once, and the model was trained for all of them."""
        run = self.jobs / name / "debug-output"
        self.assertEqual(steps_in(run), Counter({(worker, step): 1 for worker in workers for step in range(steps)}))
        with tarfile.open(self.jobs / name / "output" / "model.tar.gz") as archive:
            self.assertEqual(archive.extractfile("model.txt").read(), f"{steps}\n".encode())
        self.assertEqual(self.record(name)["TrainingJobStatus"], "Completed")


class CompletedTest(JobTest):
    def test_a_program_is_run_to_its_end(self):
        out = self.train("--rule", "VanishingGradient", steps=30)
        for pattern in (r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d Starting - ", r"Downloading - ", r"Training - ", r"Uploading - ",
                        r"Completed - Training job completed$", r"^VanishingGradient: NoIssuesFound$",
                        r"^Training seconds: \d+$", r"^Billable seconds: \d+$", r"^ends with weight 30$"):
            self.assertRegex(out, re.compile(pattern, re.MULTILINE))
        self.assertNotIn("savings", out)
        self.is_whole(30)
        job = self.jobs / "job"
        self.assertEqual(stat.S_IMODE((job / "job.json").stat().st_mode), 0o600)
        self.assertIn("ends with weight 30", (job / "logs" / "attempt-0000" / "algo-1.log").read_text())
        self.assertIn("==> attempt-0000/algo-1 <==\nbegins at step 0", (job / "logs" / "output.log").read_text())
        with tarfile.open(job / "output" / "output.tar.gz") as archive:
            self.assertEqual(archive.getnames(), ["result.txt"])
        self.assertEqual((job / "checkpoints" / "metadata.json").read_bytes(),
                         (job / "ml" / "checkpoints" / "metadata.json").read_bytes())
        described = self.tool("describe", "job")
        for text in ("job: Completed", "exit code: 0", "VanishingGradient: NoIssuesFound", "committed step 29"):
            self.assertIn(text, described)
        self.assertEqual(json.loads(self.tool("describe", "job", "--json")), self.record())
        self.assertRegex(self.tool("jobs", "jobs"), r"^job  Completed  ")
        self.assertEqual(json.loads(self.tool("jobs", "jobs", "--json")), json.loads(self.tool("describe", "job", "--json")))
        self.assertIn("the job has ended", self.tool("stop", "job"))

    def test_a_job_that_has_completed_is_not_run_again(self):
        self.train(steps=5)
        before = self.record()
        self.assertIn("the job has completed before", self.train(steps=5))
        self.assertEqual(self.record(), before)

    def test_artifacts_of_any_name_and_size_are_archived(self):
        script = ("import os; m = os.environ['SM_MODEL_DIR']; os.makedirs(m + '/' + 'd' * 90 + '/e');"
                  "open(m + '/' + 'd' * 90 + '/e/' + 'f' * 90, 'w').write('long');"
                  "open(m + '/big', 'wb').write(bytes(range(256)) * 2000); os.symlink('big', m + '/link')")
        self.train(program=[sys.executable, "-c", script])
        folder = self.folder / "out"
        folder.mkdir()
        subprocess.run(["tar", "xzf", self.jobs / "job" / "output" / "model.tar.gz"], cwd=folder, check=True)
        self.assertEqual((folder / ("d" * 90) / "e" / ("f" * 90)).read_text(), "long")
        self.assertEqual((folder / "link").read_bytes(), bytes(range(256)) * 2000)
        self.assertEqual(os.readlink(folder / "link"), "big")

    def test_the_record_is_readable_at_every_moment(self):
        process = self.start(steps=60, delay=10, kill_once_at=30)
        seen = set()
        while process.poll() is None:
            try:
                seen.add(self.record()["SecondaryStatus"])
            except FileNotFoundError:
                pass
        self.ends(process, 0)
        self.assertIn("Training", seen)

    def test_checkpoints_may_lie_elsewhere(self):
        options = ["--base-dir", "base", "--checkpoint-uri", "kept"]
        self.train(*options, "--checkpoint-local-path", "local", steps=20)
        for folder in ("local", "kept"):
            self.assertTrue((self.folder / folder / "metadata.json").exists())
        self.assertEqual(self.record()["CheckpointConfig"],
                         {"S3Uri": str(self.folder / "kept"), "LocalPath": str(self.folder / "local")})

    def test_secrets_are_not_recorded(self):
        out = self.train("--hyperparameter", "api-token=hunter2", "--hyperparameter", "max_tokens=7",
                         program=["true", "--password", "hunter2", "--secret=hunter2", "https://me:hunter2@host/x"])
        config = self.jobs / "job" / "ml" / "input" / "config" / "hyperparameters.json"
        self.assertEqual(stat.S_IMODE(config.stat().st_mode), 0o600)
        self.assertNotIn("hunter2", (self.jobs / "job" / "job.json").read_text() + out + self.tool("describe", "job"))
        self.assertEqual(self.record()["HyperParameters"], {"api-token": "*****", "max_tokens": "7"})


    def test_a_terminal_has_a_status_line(self):
        here, there = pty.openpty()
        process = subprocess.Popen(self.command(steps=300, delay=10), cwd=self.folder, env=self.environment,
                                   stdout=subprocess.DEVNULL, stderr=there)
        os.close(there)
        seen = b""
        try:
            while part := os.read(here, 4096):
                seen += part
        except OSError:  # the other end is closed
            pass
        os.close(here)
        self.assertEqual(process.wait(timeout=TIMEOUT), 0)
        self.assertRegex(seen.decode(), r"\rTraining, attempt 0, \d+ s, committed step \d+\x1b\[K")
        self.assertTrue(seen.endswith(b"\r\x1b[K"), seen[-50:])


class InterruptedTest(JobTest):
    def test_a_killed_program_is_started_again(self):
        out = self.train("--spot", "--spot-discount", "60", "--max-wait", "90000", steps=40, kill_once_at=25)
        self.assertRegex(out, "Interrupted - .*signal 9")
        self.assertRegex(out, r"Managed Spot Training savings: 60\.0%")
        self.assertIn("begins at step 20 with weight 20", out)
        self.is_whole(40)
        self.assertEqual([one["Cause"] for one in self.record()["Attempts"]], ["interrupted", "completed"])
        self.assertIn("==> attempt-0001/algo-1 <==\nbegins at step 20", (self.jobs / "job/logs/output.log").read_text())

    def test_a_program_that_is_killed_before_its_first_commit_starts_over(self):
        self.train(steps=40, kill_once_at=5)
        self.is_whole(40)

    def test_a_terminated_program_is_started_again(self):
        process = self.start(steps=400, delay=10)
        self.wait_for_commit(9)
        programs = [pid for pid in processes_about(self.folder) if pid != process.pid]
        os.kill(programs[0], signal.SIGTERM)
        self.assertRegex(self.ends(process, 0), "Interrupted - .*75")
        self.is_whole(400)

    def test_a_notice_leaves_the_job_to_another_machine(self):
        for number in (signal.SIGTERM, signal.SIGUSR1):
            process = self.start("--base-dir", self.folder / f"machine-{number}", steps=600, delay=10)
            attempts = 1 if number == signal.SIGTERM else 2
            self.wait_for_commit(9)
            self.wait_for(lambda: len(self.record()["Attempts"]) == attempts and "Commit" in self.record()["Attempts"][-1],
                          "the attempt")
            process.send_signal(number)
            out = self.ends(process, 75)
            self.assertIn("interrupted after step", out)
            self.assertEqual(self.record()["TrainingJobStatus"], "InProgress")
            self.assertEqual(self.record()["SecondaryStatus"], "Interrupted")
            shutil.rmtree(self.folder / f"machine-{number}")
        out = self.train("--base-dir", self.folder / "machine-3", steps=600, delay=2)
        self.assertIn("restored", out)
        self.is_whole(600)
        log = (self.jobs / "job" / "logs" / "output.log").read_text()
        for attempt in range(3):
            self.assertIn(f"==> attempt-000{attempt}/algo-1 <==", log)

    def test_a_notice_of_the_cloud_leaves_the_job_to_another_machine(self):
        service = http.server.ThreadingHTTPServer(("127.0.0.1", 0), MetadataService)
        self.addCleanup(service.server_close)
        self.addCleanup(service.shutdown)
        threading.Thread(target=service.serve_forever, daemon=True).start()
        self.environment |= {"TENSORTAP_CLOUD": "ec2",
                             "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://127.0.0.1:{service.server_port}"}
        process = self.start("--spot", "--base-dir", self.folder / "machine-1", steps=3000, delay=10)
        self.wait_for_commit(9)
        try:
            MetadataService.ends_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 120))
            self.assertIn("interrupted after step", self.ends(process, 75))
        finally:
            MetadataService.ends_at = None
        self.assertEqual(self.record()["SecondaryStatus"], "Interrupted")

    def test_a_killed_manager_leaves_a_job_that_goes_on(self):
        for times in range(1, 3):
            process = self.start("--base-dir", self.folder / f"machine-{times}", steps=600, delay=10)
            self.wait_for_commit(60 * times)
            process.kill()
            process.wait()
            self.wait_for(lambda: not processes_about(self.folder), "the end of the program")
        out = self.train("--base-dir", self.folder / "machine-3", steps=600, delay=2)
        self.is_whole(600)
        self.assertEqual([one["Cause"] for one in self.record()["Attempts"]], ["lost", "lost", "completed"])
        self.assertIn("Interrupted - Attempt 1", out)

    def test_what_the_program_has_started_dies_with_the_manager(self):
        process = self.start(program=["bash", "-c", "sleep 1000 & echo ready; wait; true"])
        self.wait_for(lambda: "ready" in (process.stdout.readline() or "ready"), "the program")
        process.kill()
        process.wait()
        self.wait_for(lambda: not processes_about(self.folder), "the end of what it has started")

    def test_a_manager_that_is_silent_is_told(self):
        process = self.start(steps=3000, delay=10)
        self.wait_for_commit()
        self.assertNotIn("has not written", self.tool("describe", "job"))
        process.kill()
        process.wait()
        path = self.jobs / "job" / "job.json"
        path.write_text(json.dumps(self.record() | {"LastModifiedTime": time.time() - 1000}))
        for line in (self.tool("describe", "job"), self.tool("jobs")):
            self.assertRegex(line, r"InProgress/Training, its manager has not written for 10\d\d s")
        self.assertGreaterEqual(json.loads(self.tool("describe", "job", "--json"))["ManagerSilentSeconds"], 1000)
        self.assertIn("stops at its next start", self.tool("stop", "job"))

    def test_a_stop_while_it_waits_begins_no_attempt(self):
        (self.folder / "job.file").write_text('{"first_delay": 50, "longest_delay": 50}')
        process = self.start("--file", "job.file", program=["bash", "-c", "exit 75"])
        self.wait_for(lambda: "Interrupted" in (process.stdout.readline() or "Interrupted"), "the delay")
        process.send_signal(signal.SIGTERM)
        self.assertNotIn("Starting attempt", self.ends(process, 75))

    def test_a_base_directory_that_was_removed_is_told(self):
        script = "[ -e $TENSORTAP_TEST_DIR/once ] && exit 0; touch $TENSORTAP_TEST_DIR/once; rm -rf $SAGEMAKER_BASE_DIR; exit 75"
        out = self.train(program=["bash", "-c", script], code=2)
        self.assertIn("the base directory was removed", out)
        self.assertEqual(self.record()["TrainingJobStatus"], "InProgress")
        self.train(program=["bash", "-c", script])

    def test_what_a_copy_of_checkpoints_does_not_keep_is_noted_once(self):
        script = ("cd $SAGEMAKER_BASE_DIR/checkpoints; echo $TENSORTAP_JOB_ATTEMPT > file; chmod +x file; ln -sf file link;"
                  "[ $TENSORTAP_JOB_ATTEMPT = 2 ] || exit 75")
        out = self.train(program=["bash", "-c", script])
        self.assertEqual(out.count("1 symbolic link is not copied"), 1, out)
        self.assertIn("1 executable file is restored without the permission", out)

    def test_an_exit_code_can_be_an_interruption(self):
        out = self.train("--restart-on-exit", "17,3", steps=40, fail_once_at=25)
        self.assertRegex(out, "Interrupted - .*code 3")
        self.is_whole(40)

    def test_attempts_without_a_commit_end_the_job(self):
        out = self.train(steps=40, kill_at=5, code=93)
        self.assertIn("3 attempts in a row have ended without a new commit", out)
        self.assertEqual(len(self.record()["Attempts"]), 3)
        self.assertEqual(self.record()["TrainingJobStatus"], "Failed")

    def test_a_stalled_program_is_started_again(self):
        out = self.train("--stall", "3", "--stop-window", "0.2", steps=40, hang_once_at=25)
        self.assertRegex(out, "Interrupted - no output, step or checkpoint for too long")
        self.is_whole(40)
        self.assertEqual(self.record()["Attempts"][0]["Cause"], "stalled")


class FailedTest(JobTest):
    def test_the_code_of_the_program_is_that_of_the_job(self):
        out = self.train(steps=40, fail_at=25, code=3)
        self.assertIn("exit code: 3", out)
        self.assertEqual(self.record()["FailureReason"], "AlgorithmError: the program ended with code 3, exit code: 3")
        self.assertIn("it has ended (Failed)", self.train(steps=40, code=2))
        self.assertIn("program or hyperparameters differ", self.train("--restart", steps=40))
        self.is_whole(40)

    def test_a_failure_is_followed_by_another_attempt_if_that_is_wanted(self):
        self.train("--max-failures", "1", steps=40, fail_once_at=25)
        self.is_whole(40)
        self.assertEqual([one["Cause"] for one in self.record()["Attempts"]], ["failed", "completed"])

    def test_the_reason_is_what_the_program_has_left(self):
        program = ["bash", "-c", 'printf "ä%.0s" {1..2000} > "$SM_OUTPUT_FAILURE"; exit 7']
        self.train(program=program, code=7)
        self.assertEqual(self.record()["FailureReason"], "ä" * 1024)

    def test_a_reason_that_is_no_file_is_none(self):
        self.train(program=["bash", "-c", "mkfifo $SM_OUTPUT_FAILURE; exit 3"], code=3)
        self.assertEqual(self.record()["TrainingJobStatus"], "Failed")

    def test_a_reader_that_has_gone_does_not_change_the_exit_code(self):
        with open("/dev/full", "w") as full:
            result = subprocess.run(self.command(program=["bash", "-c", "echo line; exit 7"]), cwd=self.folder,
                                    env=self.environment, stdout=full, stderr=subprocess.DEVNULL, timeout=TIMEOUT)
        self.assertEqual(result.returncode, 7)

    def test_a_job_that_cannot_begin_leaves_no_record(self):
        (self.folder / "file").write_text("")
        for options, cause in ((["--checkpoint-uri", "/proc/no/such"], "/proc/no"), (["--channel", "a=none"], "there is nothing at"),
                               (["--base-dir", "file"], "it is not a directory")):
            with self.subTest(options):
                out = self.train(*options, steps=3, code=2)
                self.assertEqual(out.count(cause), 1, out)
                self.assertFalse((self.jobs / "job" / "job.json").exists())
                self.assertEqual(self.tool("jobs"), "no jobs\n")
        self.train(steps=3)
        self.is_whole(3)

    def test_a_job_that_goes_on_and_cannot_begin_keeps_its_record(self):
        self.train("--max-run", "0.3", "--stop-window", "5", steps=3000, delay=10, code=90)
        self.train("--restart", "--channel", "a=none", steps=3, code=2)
        self.assertEqual(self.record()["TrainingJobStatus"], "InProgress")

    def test_a_signal_of_a_fault_is_a_failure(self):
        self.train(program=["bash", "-c", "kill -SEGV $$"], code=139)

    def test_a_program_that_is_not_there_is_a_failure(self):
        for i, program in enumerate((["no-such-program"], ["./no/such"], [self.folder])):
            self.assertIn("cannot be started", self.train(program=program, code=127, name=f"job-{i}"))
            self.assertIn("cannot be started", self.record(f"job-{i}")["FailureReason"])

    def test_a_run_that_was_left_open_is_noted(self):
        out = self.train("--hook-config", EACH_STEP, "--restart-on-exit", "3", steps=40, fail_at=25, code=93)
        self.assertNotIn("left its run open", out)
        script = f"{TRAINING} --steps 40 --fail-at 25 && exit 1; exit 0"
        self.assertIn("left its run open", self.train(program=["bash", "-c", script], name="open"))


class StoppedTest(JobTest):
    def test_a_program_can_read_why_and_until_when(self):
        script = "trap 'cat $TENSORTAP_STOP_FILE; exit 75' TERM; while :; do sleep 0.05; done"
        begin = time.time()
        out = self.train("--max-run", "2", "--stop-window", "5", program=["bash", "-c", script], code=90)
        content = json.loads(re.search(r"^\{.*\}$", out, re.MULTILINE)[0])
        self.assertEqual(content["Reason"], "the training took longer than max_run")
        self.assertGreaterEqual(content["Deadline"], begin + 2 + 5 - 0.1)
        self.assertLessEqual(content["Deadline"], time.time() + 5)

    def test_a_restarted_job_has_new_budgets(self):
        self.train("--max-run", "1", "--stop-window", "5", steps=200, delay=10, code=90)
        for _ in range(60):  # more than one, however slow this machine is
            process = self.start("--restart", "--max-run", "1", "--stop-window", "5", steps=200, delay=10)
            process.communicate(timeout=TIMEOUT)
            if process.returncode == 0:
                break
            self.assertEqual(process.returncode, 90)
        self.is_whole(200)

    def until_a_limit(self, line_of, **hyperparameters):
        """Trains with a limit that leaves the program the time to be killed once, however slow this machine is. Returns the
        limit in seconds, the exit code and the record."""
        for limit in (1.5, 6, 24, 96):
            name = f"job-{limit:.0f}"
            process = self.start(*line_of(limit), steps=30000, delay=20, name=name, **hyperparameters)
            process.communicate(timeout=TIMEOUT)
            record = self.record(name)
            if record["Attempts"][0]["Cause"] == "interrupted":
                return limit, process.returncode, record
        self.fail("the program was not killed")

    def test_max_run_counts_all_attempts(self):
        limit, code, record = self.until_a_limit(lambda limit: ["--max-run", limit, "--stop-window", "5"], kill_once_at=25)
        self.assertEqual(code, 90)
        self.assertEqual((record["TrainingJobStatus"], record["SecondaryStatus"]), ("Stopped", "MaxRuntimeExceeded"))
        self.assertEqual(len(record["Attempts"]), 2)
        self.assertLess(record["TrainingTimeInSeconds"], 2 * limit)

    def test_max_wait(self):
        _, code, record = self.until_a_limit(
            lambda limit: ["--spot", "--max-run", limit, "--max-wait", limit, "--stop-window", "1"], kill_once_at=3)
        self.assertEqual(code, 91)
        self.assertEqual(record["SecondaryStatus"], "MaxWaitTimeExceeded")

    def test_a_rule_stops_the_job(self):
        out = self.train("--rule", "VanishingGradient:threshold=1e-20,action=stop", steps=3000, delay=10, vanish_at=20, code=92)
        self.assertIn("VanishingGradient: IssuesFound", out)
        record = self.record()
        self.assertEqual(record["StopReason"], "RuleStopped")
        self.assertEqual(record["Findings"][0]["rule"], "VanishingGradient")
        self.assertEqual(record["DebugRuleEvaluationStatuses"][0]["RuleEvaluationStatus"], "IssuesFound")

    def test_a_rule_without_an_action_only_reports(self):
        out = self.train("--rule", "VanishingGradient:threshold=1e-20", steps=60, vanish_at=20, kill_once_at=40)
        self.assertEqual(out.count("below 1e-20"), 1, out)
        self.is_whole(60)

    def test_a_request_to_stop_from_before_runs_nothing(self):
        (self.jobs / "job").mkdir(parents=True)
        (self.jobs / "job" / "stop").write_text("x")
        out = self.train(program=["bash", "-c", "echo has-run"], code=94)
        self.assertNotIn("has-run\n", out)

    def test_nohup_is_respected(self):
        process = subprocess.Popen(["nohup", *self.command(steps=200, delay=10)], cwd=self.folder, env=self.environment,
                                   text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.addCleanup(lambda: (process.kill(), process.wait(), process.stdout.close()))
        self.wait_for_commit(9)
        process.send_signal(signal.SIGHUP)
        self.ends(process, 0)

    def test_stop_ends_the_job(self):
        process = self.start(steps=3000, delay=10)
        self.wait_for_commit()
        self.tool("stop", "jobs/job")
        self.assertIn("interrupted after step", self.ends(process, 94))
        self.assertEqual(self.record()["TrainingJobStatus"], "Stopped")

    def test_a_first_ctrl_c_is_graceful(self):
        process = self.start(steps=3000, delay=10)
        self.wait_for_commit()
        process.send_signal(signal.SIGINT)
        self.assertIn("interrupted after step", self.ends(process, 94))

    def test_a_second_ctrl_c_kills(self):
        process = self.start(program=["bash", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"])
        self.wait_for(lambda: "ready" in (process.stdout.readline() or "ready"), "the program")
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        self.ends(process, 130)
        self.assertEqual(processes_about(self.folder), [])

    def test_a_program_that_ignores_sigterm_is_killed_with_its_group(self):
        script = "trap '' TERM; sleep 1000 & while :; do sleep 0.1; done"
        self.train("--max-run", "2", "--stop-window", "0.5", program=["bash", "-c", script], code=90)
        self.assertIn("did not end within the stop window", self.tool("describe", "job"))
        self.assertEqual(processes_about(self.folder), [])

    def test_one_manager_at_a_time(self):
        process = self.start(steps=3000, delay=10)
        self.wait_for_commit()
        self.assertIn("another process manages it", self.train("--max-pending", "0.3", steps=3000, code=95))
        process.send_signal(signal.SIGINT)
        self.ends(process, 94)


class WorkersTest(JobTest):
    def test_two_workers_share_a_run(self):
        out = self.train("--workers", "2", steps=40)
        self.assertIn("[algo-1] ends with weight 40", out)
        self.assertIn("[algo-2] ends with weight 40", out)
        self.is_whole(40, ("worker_0", "worker_1"))
        self.assertEqual(self.record()["ResourceConfig"]["InstanceCount"], 2)

    def test_two_workers_are_interrupted_together(self):
        self.train("--workers", "2", steps=40, delay=5, kill_once_at=25)
        self.is_whole(40, ("worker_0", "worker_1"))
        self.assertEqual(len(self.record()["Attempts"]), 2)


class ContractTest(JobTest):
    def check(self, program, *options, **more):
        (self.folder / "data").mkdir(exist_ok=True)
        (self.folder / "data" / "a.txt").write_text("a\n")
        (self.folder / "one.txt").write_text("one\n")
        return self.train("--channel", "training=data", "--channel", f"test.set={self.folder / 'one.txt'}",
                          "--rule", "VanishingGradient", *options, program=program, batch_size=64, lr="1e-3", n=3,
                          layers="[1, 2]", text="a b", sagemaker_program="train.py", **more)

    @unittest.skipUnless(CONTRACT, "TENSORTAP_JOB_CONTRACT is not set")
    def test_a_program_in_cxx_finds_all_of_it(self):
        self.assertIn("all is there", self.check([CONTRACT, "first", "second word"]))

    def test_a_program_in_bash_finds_all_of_it(self):
        self.assertIn("all is there", self.check(["bash", HERE / "contract.sh", "first", "second word"]))

    def test_two_workers_and_a_restart(self):
        out = self.check(["bash", HERE / "contract.sh", "first", "second word"], "--workers", "2",
                         "--hyperparameter", "die-once=1")
        self.assertEqual(out.count("all is there"), 2, out)
        self.assertEqual(len(self.record()["Attempts"]), 2)


class MistakesTest(JobTest):
    def test_options_that_contradict_each_other(self):
        for options, text in (
            (["--spot", "--max-run", "10", "--max-wait", "9"], "max_wait: it is shorter than max_run"),
            (["--max-wait", "100000"], "max_wait: it is for jobs on spot machines"),
            (["--max-run", "0"], "max_run: it is not positive"),
            (["--rule", "VanishingGradent"], "did you mean \"VanishingGradient\"?"),
            (["--rule", "VanishingGradient:treshold=1"], "did you mean \"threshold\"?"),
            (["--rule", "VanishingGradient:threshold=x"], "threshold"),
            (["--rule", "VanishingGradient:action=explode"], "choose stop or none"),
            (["--rule", "VanishingGradient", "--rule", "VanishingGradient"], "it comes twice"),
            (["--channel", "training"], "it is not NAME=VALUE"),
            (["--channel", "..=x"], "choose such a name"),
            (["--channel", "a/b=x"], "choose such a name"),
            (["--channel", "a=no-such-directory"], "there is nothing at"),
            (["--channel", "CHAN=.", "--channel", "chan=."], "SM_CHANNEL_CHAN is that of \"CHAN\", too"),
            (["--channel", "c-h=.", "--channel", "c.h=."], "SM_CHANNEL_C_H is that of"),
            (["--hyperparameter", "=x"], "it is not NAME=VALUE"),
            (["--hyperparameter", "a=1", "--hyperparameter", "a=2"], "it comes twice"),
            (["--restart-on-exit", "0"], "exit codes from 1 to 255"),
            (["--hook-config", "no-such.json"], "cannot be read"),
            (["--output", "gopher://x"], "no store has this kind of address"),
        ):
            with self.subTest(options):
                out = self.train(*options, program=["true"], code=2, name="bad")
                self.assertIn(text, out)
                shutil.rmtree(self.jobs, ignore_errors=True)

    def test_names_are_no_paths(self):
        for name in ("../x", "a/b", "", ".", "-a", "a_b", "a" * 64, "ä", "a\nb"):
            with self.subTest(name):
                self.assertIn("job_name", self.train(program=["true"], name=name, code=2))
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_a_program_is_required(self):
        result = subprocess.run([COMMAND, "train", "--job-name", "a"], cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(result.returncode, 2)
        self.assertIn("names no program", result.stderr)

    def test_a_base_directory_belongs_to_one_job(self):
        self.train("--base-dir", "base", program=["true"], name="a")
        self.assertIn("it holds the files of another job", self.train("--base-dir", "base", program=["true"], name="b", code=2))
        self.train("--base-dir", "other", program=["true"], name="b")

    def test_there_is_no_such_job(self):
        for command in ("describe", "stop"):
            self.assertIn("there is no job", self.tool(command, "nothing", code=2))

    def test_help_lists_the_exit_codes(self):
        out = self.tool("train", "--help")
        for code in ("0 ", "2 ", "75", "90", "91", "92", "93", "94", "95", "130"):
            self.assertRegex(out, re.compile(rf"^  {code} +\S", re.MULTILINE))

    def test_a_damaged_record_is_not_overwritten(self):
        (self.jobs / "job").mkdir(parents=True)
        (self.jobs / "job" / "job.json").write_text("{")
        out = self.train(program=["true"], code=2)
        self.assertIn("it is no record of a job", out)
        self.assertNotIn("json.exception", out)
        self.assertEqual((self.jobs / "job" / "job.json").read_text(), "{")

    def test_the_way_out_of_a_damaged_record_works(self):
        self.train(program=["true"])
        (self.jobs / "job" / "job.json").write_text('{"TrainingJobName": 1}')
        self.assertIn("move the whole folder of the job away", self.train(program=["true"], code=2))
        (self.jobs / "job").rename(self.folder / "away")
        self.train(program=["true"])

    def test_a_hostile_record_is_told_and_not_obeyed(self):
        self.train("--rule", "VanishingGradient:threshold=1e-20", steps=30, vanish_at=5)
        record = self.record()
        finding = record["Findings"][0] | {"message": "\x1b[31mred \u202e"}
        path = self.jobs / "job" / "job.json"
        attempts = [record["Attempts"][0] | {"Cause": "\x1b[2J"}]
        path.write_text(json.dumps(record | {"Findings": [finding], "Attempts": attempts, "EnableManagedSpotTraining": "x"},
                                   ensure_ascii=False))
        out = self.tool("describe", "job")
        self.assertIn("red", out)
        self.assertNotRegex(out, "[\x1b\u202e]")
        for key, value in (("ExitCode", 1 << 40), ("CreationTime", 1e300), ("CreationTime", -1), ("Failures", 1.5),
                           ("Commit", 1 << 63), ("Attempts", [attempts[0] | {"StartTime": "soon"}]), ("Attempts", {}),
                           ("Attempts", [7]), ("TrainingJobStatus", "Perhaps"), ("ModelArtifacts", [])):
            path.write_text(json.dumps(record | {key: value}))
            for command in (["describe", "job"], ["stop", "job"]):
                out = self.tool(*command, code=2)
                self.assertIn(key, out)
                self.assertIn("jobs/job/job.json", out)
                self.assertNotIn("json.exception", out)


class JobFileTest(JobTest):
    def write(self, text):
        (self.folder / "job.file").write_text(text)
        return ["--file", "job.file"]

    def test_a_file_says_what_the_options_say(self):
        content = {"job_name": "from-file", "spot": True, "max_run": 100, "max-wait": 200, "workers": 1,
                   "hyperparameters": {"steps": 20, "name": "x", "list": [1, 2]},
                   "rules": ["VanishingGradient:threshold=1e-9", {"name": "LossNotDecreasing", "action": "none"}],
                   "program": [TRAINING], "hook_config": json.loads(EACH_STEP), "stop_window": 5, "restart_on_exit": [3]}
        options = self.write(json.dumps(content))
        result = subprocess.run([COMMAND, "train", *options, "--hyperparameter", "steps=10"], cwd=self.folder,
                                env=self.environment, capture_output=True, text=True, timeout=TIMEOUT)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.is_whole(10, name="from-file")
        record = self.record("from-file")
        self.assertEqual(record["HyperParameters"], {"steps": "10", "name": "x", "list": "[1,2]"})
        self.assertEqual(record["StoppingCondition"]["MaxWaitTimeInSeconds"], 200)
        self.assertEqual(len(record["DebugRuleConfigurations"]), 2)

    def test_a_file_says_how_the_hook_writes(self):
        options = self.write(json.dumps({"hook_config": {"HookParameters": {
            "save_interval": 1, "pack": True, "pack_time": "2.5", "budget": 0.5}}}))
        result = subprocess.run([COMMAND, "train", "--job-name", "job", *options, "--hyperparameter", "steps=30", "--", TRAINING],
                                cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=TIMEOUT)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        seen = json.loads((self.jobs / "job/ml/input/config/debughookconfig.json").read_text())["HookParameters"]
        self.assertEqual([seen[key] for key in ("pack", "pack_time", "budget")], [True, 2.5, 0.5])
        self.assertEqual(list((self.jobs / "job/debug-output").glob("index/*/*.json")), [])
        self.assertIn("30 steps", self.tool("show", self.jobs / "job" / "debug-output"))
        self.assertIn("option   pack: true", self.tool("config", self.jobs / "job/ml/input/config/debughookconfig.json"))

    def test_mistakes_name_the_key_and_the_line(self):
        for text, expected in (
            ('{\n "max_wiat": 1\n}', r'line 2: max_wiat: there is no such key; did you mean "max_wait"\?'),
            ('{\n "job_name": "a",\n "max_run": "soon"\n}', r'line 3: max_run: it must be a number of seconds'),
            ('{\n "workers": 0\n}', r"line 2: workers: it must be from 1 to"),
            ('{\n "rules": [\n  "VanishingGradient:x"]\n}', r"line [23]: rules\[0\]: "),
            ('{\n "rules": [{"parameters": {}}]\n}', r"line 2: rules\[0\]: it has no key"),
            ('{\n "program": "./train"\n}', r"line 2: program: it must be an array"),
            ('{\n "spot": true,\n "spot": true\n}', r"line 3: spot: the key comes twice"),
            ('{\n "spot": tru\n}', r"line [23]: it is not JSON"),
            ('[]', r"line 1: it is no JSON object"),
        ):
            with self.subTest(text):
                self.assertRegex(self.train(*self.write(text), program=["true"], code=2), expected)


if __name__ == "__main__":
    unittest.main()
