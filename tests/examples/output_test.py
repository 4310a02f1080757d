#!/usr/bin/env python3
"""What the command-line tool prints for programs (--json), which tensors and steps `show` chooses, and the names that it
suggests.

TENSORTAP_COMMAND names the program.
"""
import csv
import http.server
import io
import json
import os
import pty
import re
import select
import shutil
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse
from pathlib import Path

from command_test import COMMAND, GOLDEN, RunFromGolden, pack

BASIC, MODES, WORKERS = GOLDEN / "basic", GOLDEN / "modes", GOLDEN / "workers_ended"
LOSS = "CrossEntropyLoss_output_0"


@unittest.skipUnless(COMMAND, "TENSORTAP_COMMAND is not set: the examples are not built")
class OutputTest(unittest.TestCase):
    def call(self, *arguments, code=0):
        result = subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, code, result.stdout[-2000:] + result.stderr)
        return result.stdout if code != 2 else result.stderr

    def rows(self, *arguments, code=0):
        return [json.loads(line) for line in self.call(*arguments, code=code).splitlines()]

    def object(self, *arguments, code=0):
        rows = self.rows(*arguments, code=code)
        self.assertEqual(len(rows), 1)
        return rows[0]

    def test_show_chooses_as_export_does(self):
        for run in BASIC, MODES, WORKERS:
            table = list(csv.DictReader(io.StringIO(self.call("export", run, "--csv", "-o", "-"))))
            for choice in (["--tensor", "weight$"], ["--steps", "3:9"], ["--steps", "4"], ["--tensor", "bias|oss", "--steps", "3:"],
                           ["--collection", "losses"], ["--collection", "losses", "--mode", "EVAL"], ["--worker", "worker_1", "--steps", "0:2"]):
                with self.subTest(run=run.name, choice=choice):
                    options = dict(zip(choice[::2], choice[1::2]))
                    exported = subprocess.run([COMMAND, "export", run, "--jsonl", *choice, "-o", "-"], capture_output=True, text=True)
                    shown = subprocess.run([COMMAND, "show", run, *choice, "--json"], capture_output=True, text=True)
                    self.assertEqual((shown.returncode, shown.stdout), (exported.returncode, exported.stdout))
                    if exported.returncode == 2:
                        continue
                    rows = [json.loads(line) for line in shown.stdout.splitlines()]
                    first, _, last = options.get("--steps", "0:").partition(":")
                    end = int(last or 1 << 62) if ":" in options.get("--steps", "0:") else int(first) + 1
                    expected = [row for row in table
                                if re.search(options.get("--tensor", ""), row["tensor"]) and int(first) <= int(row["step"]) < end
                                and options.get("--worker", row["worker"]) == row["worker"]]
                    if "--collection" not in options:
                        self.assertEqual([(row["step"], row["tensor"], row["worker"]) for row in rows],
                                         [(int(row["step"]), row["tensor"], row["worker"]) for row in expected])
                    text = self.call("show", run, *choice)
                    for name in {row["tensor"] for row in rows}:
                        self.assertIn(f"{name}\n", text)
                    self.assertEqual(sum(bool(re.match(r" *\d+ ", line)) for line in text.splitlines()), len(rows))

    def test_steps_of_one_tensor(self):
        lines = self.call("show", BASIC, LOSS, "--steps", "3:9").splitlines()
        self.assertEqual([line.split()[0] for line in lines], ["global", "3", "4", "6", "8"])
        lines = self.call("show", MODES, LOSS, "--mode", "EVAL", "--steps", "1").splitlines()
        self.assertEqual([line.split()[0] for line in lines], ["EVAL", "1"])
        rows = self.rows("show", BASIC, LOSS, "--steps", "3:9", "--json")
        self.assertEqual([(row["step"], row["tensor"]) for row in rows], [(step, LOSS) for step in (3, 4, 6, 8)])
        row = self.object("show", BASIC, LOSS, "--step", 6, "--json")
        self.assertEqual(str(row["value"])[:7], self.call("show", BASIC, LOSS, "--step", 6).splitlines()[-1][:7])

    def test_tensors_of_one_step(self):
        lines = self.call("show", BASIC, "--step", 3, "--tensor", "weight$").splitlines()
        self.assertEqual(len(lines), 5)
        self.assertTrue(all("weight, float32" in line for line in lines[1:]), lines)
        rows = self.rows("show", BASIC, "--step", 3, "--tensor", "weight$", "--json")
        self.assertEqual([row["tensor"] for row in rows], [line.split(",")[0].strip() for line in lines[1:]])

    def test_a_run_as_an_object(self):
        for command in "show", "ls":
            run = self.object(command, MODES, "--json")
            self.assertEqual(run["state"], "ended")
            self.assertEqual(set(run["steps"]), {"TRAIN", "EVAL", "PREDICT", "GLOBAL"})
            text = self.call(command, MODES)
            for mode, steps in run["steps"].items():
                self.assertIn(f"  {mode}: {steps['count']} step", text)
            for tensor in run["tensors"]:
                self.assertRegex(text, rf"  {re.escape(tensor['tensor'])}: {tensor['steps']['count']} steps?, .*, {tensor['bytes']} bytes")
            self.assertEqual((run["damage"], run["lost"], run["thinned"]), ([], None, []))
        only = self.object("show", MODES, "--mode", "EVAL", "--json")
        self.assertEqual(only["steps"], {"EVAL": {"count": 2, "first": 1, "last": 3}})
        damaged = self.object("check", GOLDEN / "missing_event_file", "--json", code=1)
        self.assertEqual(damaged["verdict"], "damaged")
        self.assertEqual(len(damaged["damage"]), 1)

    def test_the_runs_of_a_directory(self):
        runs = self.rows("ls", GOLDEN / "spot", "--json")
        self.assertEqual([Path(run["run"]).name for run in runs], ["run1", "run2", "run3"])
        self.assertEqual(runs[0]["steps"], {"count": 6, "first": 0, "last": 10})
        self.assertEqual([run["state"] for run in runs], ["running or interrupted"] * 2 + ["ended"])

    def test_check_prune_unpack_and_export_tell_what_they_did(self):
        sound = self.object("check", BASIC, "--json")
        self.assertEqual((sound["verdict"], sound["tensors"], sound["complete_steps"]), ("sound", 9, 7))
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "run"
            shutil.copytree(MODES, run)
            (run / "claim.smd").unlink(missing_ok=True)
            pruned = self.object("prune", run, "--steps", 3, "--dry-run", "--json")
            self.assertEqual((pruned["dry_run"], pruned["steps"], pruned["objects"], pruned["steps_left"]), (True, 5, 10, 3))
            pack(run)
            unpacked = self.object("unpack", run, "--json")
            self.assertEqual((unpacked["segments"], unpacked["steps"], unpacked["files"], unpacked["damage"]), (1, 8, 16, []))
            written = self.object("export", run, "--csv", "-o", Path(folder) / "run.csv", "--json")
            rows = list(csv.DictReader(io.StringIO((Path(folder) / "run.csv").read_text(encoding="utf-8"))))
            self.assertEqual((written["format"], written["rows"]), ("csv", len(rows)))
            board = self.object("export", run, "--tensorboard", "-o", Path(folder) / "board", "--json")
            self.assertEqual(board["files"], sum(path.is_file() for path in (Path(folder) / "board").rglob("*")))
            self.assertIn("name one with --output", self.call("export", run, "--csv", "-o", "-", "--json", code=2))

    def test_losses_are_part_of_it(self):
        loss = {"reason": "write_failed", "first_step": 5, "last_step": 7, "steps": 3, "tensors": 12, "bytes": 4096}
        with tempfile.TemporaryDirectory() as folder:
            run = RunFromGolden(Path(folder) / "run")
            run.begin(0, -1)
            run.save(0, 3)
            run.put("attempts/000000000_worker_0.json",
                    json.dumps({"run": 0, "worker": "worker_0", "resumed_at": -1, "losses": [loss], "error": "full"}))
            told = self.object("show", run.path, "--json", code=1)["lost"]
            self.assertEqual((told["steps"], told["tensors"], told["first_step"], told["last_step"], told["error"]), (3, 12, 5, 7, "full"))
            self.assertEqual(self.object("check", run.path, "--json", code=1)["lost"], told)

    def test_no_jobs_are_no_lines(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(self.call("jobs", folder, "--json"), "")

    def test_choices_that_contradict_each_other(self):
        for arguments, text in (((LOSS, "--tensor", "x"), "leave one out"), (("--step", 3, "--steps", "3:4"), "name one of them"),
                                ((LOSS, "--step", 3, "--all", "--json"), "--npz"), (("--worker", "worker_0"), "needs tensors or steps"),
                                (("--steps", "9:3"), "are no steps"), (("--steps", "100:"), "nothing was saved")):
            with self.subTest(arguments=arguments):
                self.assertIn(text, self.call("show", BASIC, *arguments, code=2))

    def test_names_that_were_probably_meant(self):
        for arguments, meant in ((("show", BASIC, "Net_haed0.weight"), "Net_head0.weight"),
                                 (("show", BASIC, "--tensor", "Net_haed0.weight"), "Net_head0.weight"),
                                 (("show", BASIC, "--collection", "losess"), "losses"),
                                 (("show", BASIC, "--collection", "gradient", "--json"), "gradients"),
                                 (("export", BASIC, "--csv", "-o", "-", "--tensor", "Net_res1.wieght"), "Net_res1.weight"),
                                 (("export", BASIC, "--csv", "-o", "-", "--collection", "bias"), "biases"),
                                 (("diff", BASIC, BASIC, "--tensor", "Net_res1.wieght"), "Net_res1.weight"),
                                 (("watch", BASIC, "--once", "--tensor", "Net_res1.wieght"), "Net_res1.weight")):
            with self.subTest(arguments=arguments):
                self.assertIn(f'; did you mean "{meant}"?', self.call(*arguments, code=2))
        self.assertIn("tensortap show lists them", self.call("show", BASIC, "--tensor", "nothing_like_it", code=2))


class SlowBucket(http.server.BaseHTTPRequestHandler):
    """An S3 server that holds a golden run, and takes its time."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        address = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(address.query))
        key = urllib.parse.unquote(address.path).removeprefix("/bucket").removeprefix("/")
        status, headers = 200, {}
        if not key:
            files = sorted(f"run/{path.relative_to(BASIC).as_posix()}" for path in BASIC.rglob("*") if path.is_file())
            found = [name for name in files if name.startswith(query.get("prefix", "")) and name > query.get("start-after", "")]
            body = "".join(f"<Contents><Key>{name}</Key><Size>{(BASIC / name[4:]).stat().st_size}</Size><ETag>\"1\"</ETag>"
                           "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>" for name in found)
            body = f"<ListBucketResult><IsTruncated>false</IsTruncated>{body}</ListBucketResult>".encode()
        elif (BASIC / key[4:]).is_file():
            time.sleep(0.1)
            body = (BASIC / key[4:]).read_bytes()
            size = len(body)
            if part := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
                first, last = int(part[1]), min(int(part[2] or size - 1), size - 1)
                status = 206 if first < size else 416
                headers["Content-Range"] = f"bytes {first}-{last}/{size}" if status == 206 else f"bytes */{size}"
                body = body[first:last + 1]
        else:
            status, body = 404, b"<Error><Code>NoSuchKey</Code></Error>"
        self.send_response(status)
        for name, value in {**headers, "ETag": '"1"', "Content-Length": str(len(body)), "x-amz-request-id": "1"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@unittest.skipUnless(COMMAND, "TENSORTAP_COMMAND is not set: the examples are not built")
class ProgressTest(unittest.TestCase):
    def setUp(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), SlowBucket)
        thread = threading.Thread(target=self.server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.environment = {"PATH": os.environ["PATH"], "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1",
                            "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
                            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{self.server.server_port}"}

    def call(self, stderr):
        result = subprocess.run([COMMAND, "check", "s3://bucket/run"], stdout=subprocess.PIPE, stderr=stderr, env=self.environment, text=True,
                                timeout=120)
        if result.returncode == 2:
            self.skipTest("the tool is built without S3")
        self.assertTrue(result.stdout.startswith("sound: 9 tensors"), result.stdout)
        return result

    def test_long_reading_is_told_on_a_terminal_alone(self):
        self.assertEqual(self.call(subprocess.PIPE).stderr, "")
        terminal, other = pty.openpty()
        try:
            self.call(other)
            said = os.read(terminal, 65536).decode() if select.select([terminal], [], [], 0)[0] else ""
        finally:
            os.close(terminal)
            os.close(other)
        self.assertRegex(said, r"^(\r\d+ reads, \d\.\d MiB, \d+ s\x1b\[K)+\r\x1b\[K$")


if __name__ == "__main__":
    unittest.main()
