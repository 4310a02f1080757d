#!/usr/bin/env python3
"""`tensortap serve`: pages of runs, live, for browsers of this machine alone.

TENSORTAP_COMMAND names the program.
"""
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

COMMAND = os.environ.get("TENSORTAP_COMMAND")
GOLDEN = Path(__file__).resolve().parents[1] / "data" / "golden"
HOSTILE = 'a "b"&<i>%2f'


class Server:
    def __init__(self, place, *options):
        self.process = subprocess.Popen([COMMAND, "serve", str(place), "--port", "0", *options], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        line = self.process.stdout.readline()
        if not (found := re.match(r"http://\S+?:(\d+)/ shows ", line)):
            raise AssertionError(line + self.process.stdout.read())
        self.port = int(found[1])

    def end(self):
        self.process.send_signal(signal.SIGINT)
        out = self.process.communicate(timeout=60)[0]
        return self.process.returncode, out

    def get(self, target, method="GET", host=None, headers=()):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.putrequest(method, target, skip_host=True)
        if host != "":
            connection.putheader("Host", host or f"127.0.0.1:{self.port}")
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders()
        reply = connection.getresponse()
        body = reply.read().decode()
        connection.close()
        return reply, body

    def events(self, target):
        """Opens a stream of events. Returns its socket and a file that reads it."""
        stream = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        stream.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost:{self.port}\r\n\r\n".encode())
        return stream, stream.makefile("rb")


def next_event(lines):
    while line := lines.readline():
        if line.startswith(b"data: "):
            return line[6:].strip().decode()
    raise AssertionError("the stream has ended")


@unittest.skipUnless(COMMAND, "TENSORTAP_COMMAND is not set: the tool is not built")
class ServeTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def serve(self, place, *options):
        server = Server(place, *options)
        self.addCleanup(server.process.wait)
        self.addCleanup(server.process.stdout.close)
        self.addCleanup(server.process.kill)
        return server

    def test_a_run(self):
        server = self.serve(GOLDEN / "basic")
        reply, body = server.get("/")
        self.assertEqual(reply.status, 200)
        self.assertIn("frame-ancestors 'none'", reply.getheader("Content-Security-Policy"))
        self.assertEqual(reply.getheader("X-Content-Type-Options"), "nosniff")
        page = re.search(r'src="(/page[^"]*)"', body)[1]
        expected = subprocess.run([COMMAND, "report", GOLDEN / "basic", "-o", "-"], capture_output=True, text=True, check=True)
        self.assertEqual(server.get(page)[1], expected.stdout)
        for target in ("/style.css", "/live.js"):
            self.assertEqual(server.get(target)[0].status, 200)
        self.assertEqual(server.end()[0], 0)

    def test_runs_of_a_directory(self):
        for name in ("modes", "workers_ended", HOSTILE):
            shutil.copytree(GOLDEN / (name if name != HOSTILE else "basic"), self.folder / name)
        server = self.serve(self.folder)
        body = server.get("/")[1]
        self.assertNotIn("<i>", body)
        links = re.findall(r'href="(/run[^"]*)"', body)
        self.assertEqual(len(links), 3)
        for link in links:
            self.assertEqual(server.get(link)[0].status, 200)
            reply, page = server.get(link.replace("/run", "/page"))
            self.assertEqual(reply.status, 200)
            self.assertIn("Made by tensortap", page)
        shutil.copytree(GOLDEN / "basic", self.folder / "later")
        self.assertIn("later", server.get("/")[1])

    def test_the_run_of_a_job(self):
        job = self.folder / "jobs" / "mnist"
        shutil.copytree(GOLDEN / "basic", job / "debug-output")
        shutil.copytree(GOLDEN / "timeline", job / "profiler-output")
        record = {"TrainingJobName": "mnist", "JobId": "1", "TrainingJobStatus": "Completed", "SecondaryStatus": "Completed",
                  "CreationTime": 1.7e9, "TrainingTimeInSeconds": 100, "BillableTimeInSeconds": 40, "Run": str(GOLDEN / "modes")}
        (job / "job.json").write_text(json.dumps(record), encoding="utf-8")
        (job / "debug-output" / "job.json").write_text(json.dumps(record), encoding="utf-8")  # a run is no job
        server = self.serve(job)
        page = server.get(re.search(r'href="(/run[^"]*)"', server.get("/")[1])[1].replace("/run", "/page"))[1]
        facts = json.loads(subprocess.run([COMMAND, "report", job / "debug-output", "--json"], capture_output=True, text=True).stdout)
        self.assertEqual((facts["job"]["name"], facts["steps"]), ("mnist", 7))
        self.assertIn('"savings":60', page)
        self.assertIn('"trace":{', page)

    def test_other_paths_and_methods_are_refused(self):
        shutil.copytree(GOLDEN / "basic", self.folder / "runs" / "mine")
        shutil.copytree(GOLDEN / "modes", self.folder / "secret")
        server = self.serve(self.folder / "runs")
        for name in ("../secret", "%2e%2e%2fsecret", "..%2Fsecret", str(self.folder / "secret"), "mine/../../secret", "", "mine%00",
                     "%ff", "s3://bucket/run"):
            for target in ("/page?name=", "/run?name=", "/events?name="):
                self.assertEqual(server.get(target + name)[0].status, 404, (target, name))
        for target in ("/secret", "/../secret/index", "/%2e%2e/secret", "/page", "//etc/passwd"):
            self.assertEqual(server.get(target)[0].status, 404, target)
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
            self.assertGreaterEqual(server.get("/", method)[0].status, 400, method)

    def test_other_names_of_the_machine_are_refused(self):
        server = self.serve(GOLDEN / "basic", "--name", "train.example")
        for host in ("evil.example", f"evil.example:{server.port}", "127.0.0.1.evil.example", "localhost@evil.example", "", "[::2]"):
            self.assertIn(server.get("/page?name=basic", host=host)[0].status, (400, 403), host)
        for host in ("localhost", f"localhost:{server.port}", "127.0.0.1", f"[::1]:{server.port}", "train.example:80"):
            self.assertEqual(server.get("/", host=host)[0].status, 200, host)
        self.assertEqual(server.get("/", host="localhost", headers=[("Host", "evil.example")])[0].status, 403)

    def test_giant_requests_are_refused(self):
        server = self.serve(GOLDEN / "basic")
        for head in (b"GET /" + b"a" * 10**6 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
                     b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 10**6 + b"\r\n\r\n",
                     b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10**5 + b"Host: localhost\r\n\r\n", b"\x00" * 10**5, b"GET\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", server.port), timeout=60) as stream:
                try:
                    stream.sendall(head)
                    reply = stream.recv(100)
                except (BrokenPipeError, ConnectionResetError):
                    reply = b""
                self.assertNotIn(b" 200 ", reply)
        self.assertEqual(server.get("/")[0].status, 200)

    def test_fifty_clients_see_steps_appear_and_a_slow_one_holds_up_no_other(self):
        run = self.folder / "run"
        steps = sorted(path for path in (GOLDEN / "basic" / "index").rglob("*.json"))
        shutil.copytree(GOLDEN / "basic", run)
        for step in steps[2:]:
            (run / step.relative_to(GOLDEN / "basic")).unlink()
        (run / "training_job_end.ts").unlink()
        server = self.serve(run)
        slow = [server.events("/events?name=run") for _ in range(5)]  # which never read
        clients = [server.events("/events?name=run") for _ in range(50)]
        first = {next_event(lines) for _, lines in clients}
        self.assertEqual(len(first), 1)
        shutil.copy(steps[2], run / steps[2].relative_to(GOLDEN / "basic"))
        seen = [None] * len(clients)

        def wait(i):
            seen[i] = next_event(clients[i][1])

        threads = [threading.Thread(target=wait, args=(i,)) for i in range(len(clients))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual(len(set(seen)), 1)
        self.assertNotIn(seen[0], first | {None})
        begin = time.monotonic()
        self.assertEqual(server.get("/page?name=run")[0].status, 200)
        self.assertLess(time.monotonic() - begin, 30)
        self.assertEqual(server.end()[0], 0)
        for stream, lines in slow + clients:
            lines.close()
            stream.close()

    def test_a_port_that_is_taken(self):
        server = self.serve(GOLDEN / "basic")
        result = subprocess.run([COMMAND, "serve", GOLDEN / "basic", "--port", str(server.port)], capture_output=True, text=True,
                                timeout=60)
        self.assertEqual(result.returncode, 2)
        self.assertIn("choose another --port", result.stderr)

    def test_what_is_no_run(self):
        server = self.serve(self.folder)
        self.assertIn("none yet", server.get("/")[1])


if __name__ == "__main__":
    unittest.main()
