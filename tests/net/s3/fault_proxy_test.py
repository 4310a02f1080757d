#!/usr/bin/env python3
"""The fault proxy injects the planned faults and no others, in front of a minimal server."""
import datetime
import http.client
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import fault_proxy  # noqa: E402

SCRIPT = Path(fault_proxy.__file__)
BODY = bytes(range(256)) * 2048  # 512 KiB
BROKEN = (ConnectionError, http.client.HTTPException)


class Upstream(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        self.objects = {}
        self.requests = []
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def handle_error(self, *_):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def take(self):
        self.server.requests.append((self.command, self.path, self.headers["Host"]))
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            data = b""
            while size := int(self.rfile.readline(), 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return data
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def give(self, code, data=b""):
        self.send_response(code)
        self.send_header("Content-Length", len(data))
        self.send_header("ETag", '"1"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def do_PUT(self):
        self.server.objects[self.path] = self.take()
        self.give(200)

    do_POST = do_PUT

    def do_GET(self):
        self.take()
        data = self.server.objects.get(self.path)
        if self.path.startswith("/chunked"):
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"3\r\nabc\r\n10;x=y\r\n0123456789abcdef\r\n0\r\ntrailer: 1\r\n\r\n")
            return
        self.give(404 if data is None else 200, data or b"")

    do_HEAD = do_GET


class FaultProxyTest(unittest.TestCase):
    def setUp(self):
        self.upstream = Upstream()
        self.proxy = fault_proxy.Proxy(f"http://127.0.0.1:{self.upstream.server_port}", seed=5)
        self.addCleanup(self.upstream.server_close)
        self.addCleanup(self.upstream.shutdown)
        self.addCleanup(self.proxy.close)
        self.open()

    def open(self, endpoint=None):
        self.http = http.client.HTTPConnection((endpoint or self.proxy.endpoint).removeprefix("http://"), timeout=10)
        self.addCleanup(self.http.close)

    def ask(self, method, target, body=None, headers=None):
        self.http.request(method, target, body, headers or {})
        reply = self.http.getresponse()
        return reply.status, reply.read(), reply

    def plan(self, *rules):
        """Sets the rules, clears the log, opens a new connection and puts BODY at /b/k."""
        self.open()
        self.assertEqual(self.ask("POST", "/__plan", b"[]")[0], 200)
        self.assertEqual(self.ask("PUT", "/b/k", BODY)[0], 200)
        self.upstream.requests.clear()
        self.assertEqual(self.ask("POST", "/__plan", json.dumps(rules))[:2], (200, b""))

    def log(self):
        self.open()
        return json.loads(self.ask("GET", "/__log")[1])

    def assert_broken(self, *request):
        with self.assertRaises(BROKEN):
            self.ask(*request)

    def code(self, fault, method="GET", headers=None):
        self.plan(fault)
        status, body, reply = self.ask(method, "/b/k", None, headers)
        return status, body.partition(b"<Code>")[2].partition(b"</Code>")[0].decode(), reply

    def test_without_a_plan_everything_passes_unchanged(self):
        self.assertEqual(self.ask("PUT", "/b/k%2F+?x=%20", BODY, {"Host": "b.example.com"})[0], 200)
        self.assertEqual(self.upstream.requests, [("PUT", "/b/k%2F+?x=%20", "b.example.com")])
        self.assertEqual(self.ask("GET", "/b/k%2F+?x=%20")[1], BODY)
        self.assertEqual(self.ask("HEAD", "/b/k%2F+?x=%20")[2].headers["Content-Length"], str(len(BODY)))
        self.assertEqual(self.ask("GET", "/missing")[0], 404)
        self.assertEqual(self.ask("GET", "/chunked")[1], b"abc0123456789abcdef")
        self.assertEqual(self.ask("PUT", "/chunks", iter([b"ab", b"c" * 300000]))[0], 200)
        self.assertEqual(self.upstream.objects["/chunks"], b"ab" + b"c" * 300000)
        self.assertEqual(self.ask("PUT", "/empty", b"")[0], 200)
        log = self.log()
        self.assertEqual(log["counts"], {})
        self.assertEqual(log["requests"][0] | {"ms": 0}, {
            "method": "PUT", "target": "/b/k%2F+?x=%20", "connection": 1, "elsewhere": False, "authorized": False,
            "region": None, "date": "", "fault": None, "status": 200, "received": len(BODY), "sent": 0, "ms": 0})
        self.assertEqual({request["connection"] for request in log["requests"]}, {1})

    def test_rules_choose_by_method_path_header_and_count(self):
        self.plan({"method": "GET", "path": "^/b/.*k$", "header": {"X-A": "^1"}, "skip": 1, "times": 2,
                   "fault": "slow_down"})
        asked = [("GET", "/b/k", "1"), ("GET", "/b/x", "1"), ("HEAD", "/b/k", "1"), ("GET", "/b/k", "2"),
                 ("GET", "/b/k", "1"), ("GET", "/b/k", "10"), ("GET", "/b/k", "1")]
        self.assertEqual([self.ask(method, target, None, {"x-a": value})[0] for method, target, value in asked],
                         [200, 404, 200, 200, 503, 503, 200])
        self.assertEqual(self.log()["counts"], {"slow_down": 2})

    def test_chances_follow_from_the_seed(self):
        def draw():
            self.plan({"path": "^/n", "probability": 0.2,
                       "faults": [{"fault": "slow_down"}, {"fault": "internal_error"}]})
            return [self.ask("GET", f"/n{i % 150}")[0] for i in range(300)]

        first = draw()
        self.assertEqual(first, draw())
        self.assertTrue(30 < len(first) - first.count(404) < 90, first)
        self.assertTrue(10 < first.count(503) < 50, first)
        self.assertNotEqual(first[:150], first[150:])  # each attempt has its own probability
        self.proxy.seed = 6
        self.assertNotEqual(first, draw())

    def test_a_plan_with_a_mistake_is_refused(self):
        for mistake in ([{"fault": "nothing"}], [{"fault": "cut", "afer": 1}], [{"path": "(", "fault": "cut"}], [{}], 3,
                        [{"faults": []}], [{"times": 1, "after": 1, "faults": [{"fault": "cut"}]}], ["cut"]):
            with self.subTest(mistake=mistake):
                self.assertEqual(self.ask("POST", "/__plan", json.dumps(mistake))[0], 400)
        self.assertEqual(self.ask("POST", "/__plan", "{")[0], 400)

    def test_answers_of_the_proxy_do_not_reach_the_server(self):
        self.assertEqual(self.code({"fault": "slow_down"})[:2], (503, "SlowDown"))
        self.assertEqual(self.code({"fault": "slow_down", "retry_after": 3})[2].headers["Retry-After"], "3")
        self.assertEqual(self.code({"fault": "internal_error"})[:2], (500, "InternalError"))
        self.assertEqual(self.code({"fault": "expired_token"})[:2], (400, "ExpiredToken"))
        self.assertEqual(self.code({"fault": "error_in_200"})[:2], (200, "InternalError"))
        self.assertEqual(self.code({"fault": "error_in_200"}, "POST")[:2], (200, "InternalError"))
        self.assertEqual(self.code({"fault": "status", "code": 429, "error": "Throttling"})[:2], (429, "Throttling"))
        self.assertEqual(self.code({"fault": "wrong_region"})[:2], (400, "AuthorizationHeaderMalformed"))
        self.assertEqual(self.code({"fault": "slow_down"}, "HEAD")[:2], (503, ""))
        self.assertEqual(self.upstream.requests, [])
        self.plan({"fault": "slow_down"})
        self.assertEqual(self.ask("PUT", "/b/k", b"new")[0], 503)
        self.assertEqual(self.ask("GET", "/b/k")[1], BODY)

    def test_a_redirect_leads_to_where_credentials_are_seen(self):
        status, code, reply = self.code({"fault": "redirect", "code": 307, "region": None, "elsewhere": True})
        self.assertEqual((status, code), (307, "TemporaryRedirect"))
        self.assertEqual(reply.headers["Location"], self.proxy.elsewhere + "/b/k")
        self.assertIsNone(reply.headers["x-amz-bucket-region"])
        self.open(self.proxy.elsewhere)
        signed = {"Authorization": "x Credential=k/20260101/eu-north-1/s3/"}
        self.assertEqual(self.ask("GET", "/b/k", None, signed)[0], 403)
        self.assertEqual(self.ask("GET", "/b/k")[0], 403)
        requests = self.log()["requests"]
        self.assertEqual([(entry["elsewhere"], entry["authorized"], entry["region"]) for entry in requests],
                         [(False, False, None), (True, True, "eu-north-1"), (True, False, None)])
        status, code, reply = self.code({"fault": "redirect"})
        self.assertEqual((status, code, reply.headers["x-amz-bucket-region"], reply.headers["Location"]),
                         (301, "PermanentRedirect", "eu-west-1", None))

    def test_a_skewed_clock_is_content_once_the_time_is_corrected(self):
        now = datetime.datetime.now(datetime.timezone.utc)
        later = now + datetime.timedelta(seconds=600)
        dates = [{"x-amz-date": date.strftime("%Y%m%dT%H%M%SZ")} for date in (now, later)]
        status, code, reply = self.code({"fault": "skewed", "times": -1}, headers=dates[0])
        self.assertEqual((status, code), (403, "RequestTimeTooSkewed"))
        told = fault_proxy.email.utils.parsedate_to_datetime(reply.headers["Date"])
        self.assertLess(abs((told - later).total_seconds()), 30)
        self.assertEqual(self.ask("GET", "/b/k", None, dates[1])[:2], (200, BODY))

    def test_resets_leave_nothing_behind(self):
        for fault in ({"when": "head"}, {"when": "body", "after": 1000}, {"when": "request"}):
            with self.subTest(fault=fault):
                self.plan({"fault": "reset", **fault})
                self.assert_broken("PUT", "/b/k", b"n" * 100000)
                self.assertEqual(self.upstream.requests, [])
                self.assertEqual(self.log()["counts"], {"reset": 1})

    def test_a_lost_reply_was_carried_out(self):
        self.plan({"method": "PUT", "fault": "lost_reply"})
        self.assert_broken("PUT", "/b/k", b"new")
        self.assertEqual(self.upstream.objects["/b/k"], b"new")
        self.plan({"fault": "error_in_200", "carried_out": True, "spaces": 9})
        self.assertEqual(self.ask("PUT", "/b/k", b"newer")[1][:15], b" " * 9 + b"<?xml ")
        self.assertEqual(self.upstream.objects["/b/k"], b"newer")

    def test_early_answers_end_the_connection(self):
        self.plan({"fault": "slow_down", "early": True})
        self.http.putrequest("PUT", "/b/k")
        self.http.putheader("Content-Length", "1000000")
        self.http.endheaders()
        reply = self.http.getresponse()
        self.assertEqual((reply.status, reply.headers["Connection"]), (503, "close"))
        self.assertEqual(self.upstream.requests, [])

    def test_downloads_are_cut(self):
        for clean in (False, True):
            for after in (0, 1000, len(BODY) - 1):
                with self.subTest(clean=clean, after=after):
                    self.plan({"fault": "cut", "after": after, "clean": clean})
                    self.http.request("GET", "/b/k")
                    with self.assertRaises(BROKEN) as raised:
                        self.http.getresponse().read()
                    if clean:
                        self.assertEqual(len(raised.exception.partial), after)

    def test_one_bit_is_corrupt(self):
        for at in (0, 300000, len(BODY) - 1):
            self.plan({"fault": "corrupt", "at": at})
            body = self.ask("GET", "/b/k")[1]
            self.assertEqual([i for i in range(len(BODY)) if body[i] != BODY[i]], [at])
            self.assertEqual(self.ask("GET", "/b/k")[1], BODY)

    def test_slow_downloads(self):
        self.plan({"fault": "stall", "after": 5000, "seconds": 0.3}, {"fault": "trickle", "bytes_per_second": 2 << 20},
                  {"fault": "delay", "seconds": 0.3})
        for _ in range(3):
            start = time.monotonic()
            self.assertEqual(self.ask("GET", "/b/k")[1], BODY)
            self.assertTrue(0.2 < time.monotonic() - start < 20)
        self.plan({"fault": "stall", "after": 5000, "seconds": 60})
        self.http.request("GET", "/b/k")
        self.assertEqual(len(self.http.getresponse().read(5000)), 5000)
        self.http.close()  # it notices
        self.wait_for(lambda: self.log()["requests"][0]["ms"])

    def wait_for(self, condition):
        for _ in range(1000):
            if condition():
                return
            time.sleep(0.01)
        self.fail("it does not come")

    def test_kept_connections_close(self):
        self.plan({"fault": "close_idle"})
        self.assertEqual(self.ask("GET", "/b/k")[0], 200)
        time.sleep(0.1)
        self.http.auto_open = False
        self.http.sock.setblocking(False)
        with self.assertRaises(BlockingIOError):  # still open
            self.http.sock.recv(1)
        self.http.sock.settimeout(10)
        self.assert_broken("GET", "/b/k")
        self.plan({"fault": "close_after"})
        self.assertEqual(self.ask("GET", "/b/k")[0], 200)
        self.assertEqual(self.http.sock.recv(1), b"")

    def test_hostile_xml(self):
        for kind, size, end in (("malformed", 0, b"<"), ("deep", 100000, b"</a></ListBucketResult>"),
                                ("dtd", 0, b"</ListBucketResult>"), ("long", 5 << 20, b"</ListBucketResult>")):
            with self.subTest(kind=kind):
                self.plan({"fault": "xml", "kind": kind, "size": size})
                status, body, _ = self.ask("GET", "/b?list-type=2")
                self.assertEqual(status, 200)
                self.assertTrue(body.endswith(end), body[-100:])
                self.assertEqual(body.count(b"<a>"), 100000 if kind == "deep" else 0)
                self.assertTrue(len(body) >= size - 100)
                self.assertEqual(self.ask("GET", "/b/k")[0], 200)

    def test_endless_replies_and_what_is_not_http(self):
        self.plan({"fault": "not_http"}, {"fault": "endless_header"}, {"fault": "endless_body"})
        self.assert_broken("GET", "/b/k")
        for start in (b"x-amz-meta-a: aaa", b"Transfer-Encoding: chunked\r\n\r\n4000"):
            with socket.create_connection(self.http_address(), timeout=10) as sock:
                sock.sendall(b"GET /b/k HTTP/1.1\r\nHost: x\r\n\r\n")
                received = bytearray()
                while len(received) < 4 << 20:
                    piece = sock.recv(1 << 20)
                    self.assertTrue(piece)
                    received += piece
                self.assertTrue(received.startswith(b"HTTP/1.1 200 OK\r\n" + start), received[:100])

    def http_address(self):
        return self.proxy.listeners[0].getsockname()

    def test_a_header_field_is_dropped(self):
        self.plan({"fault": "drop_header", "name": "etag"})
        self.assertIsNone(self.ask("GET", "/b/k")[2].headers["ETag"])
        self.assertEqual(self.ask("GET", "/b/k")[2].headers["ETag"], '"1"')

    def test_100_continue_comes_from_the_server_or_never(self):
        request = b"PUT /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        self.plan()
        with socket.create_connection(self.http_address(), timeout=10) as sock:
            sock.sendall(request)
            self.assertTrue(sock.recv(1000).startswith(b"HTTP/1.1 100 "))
            sock.sendall(b"new")
            self.assertTrue(sock.recv(1000).startswith(b"HTTP/1.1 200 "))
        self.plan({"fault": "no_continue"})
        with socket.create_connection(self.http_address(), timeout=10) as sock:
            sock.sendall(request)
            sock.settimeout(0.2)
            with self.assertRaises(TimeoutError):
                sock.recv(1000)
            sock.settimeout(10)
            sock.sendall(b"own")
            self.assertTrue(sock.recv(1000).startswith(b"HTTP/1.1 200 "))
        self.assertEqual(self.upstream.objects["/b/k"], b"own")

    def test_many_connections_at_once(self):
        self.plan({"method": "PUT", "probability": 0.2, "faults": [{"fault": "slow_down"}, {"fault": "lost_reply"}]})
        wrong = []

        def work(worker):
            client = http.client.HTTPConnection(self.proxy.endpoint.removeprefix("http://"), timeout=20)
            for i in range(50):
                target, body = f"/many/{worker}/{i}", os.urandom(4096)
                for _ in range(20):
                    try:
                        client.request("PUT", target, body)
                        reply = client.getresponse()
                        reply.read()
                        if reply.status == 200:
                            break
                    except BROKEN:
                        client.close()
                if self.upstream.objects.get(target) != body:
                    wrong.append(target)
            client.close()

        workers = [threading.Thread(target=work, args=(number,)) for number in range(16)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        self.assertEqual(wrong, [])
        log = self.log()
        self.assertEqual(len(log["requests"]), 800 + sum(log["counts"].values()))
        self.assertTrue(100 < sum(log["counts"].values()) < 320, log["counts"])

    def test_as_a_program_around_another(self):
        log = Path(os.environ.get("TMPDIR", "/tmp")) / f"fault_proxy_test.{os.getpid()}.json"
        self.addCleanup(log.unlink)
        plan = json.dumps([{"fault": "delay", "seconds": 0.1}])
        program = ("import os, urllib.request as r; e = os.environ; p = e['TENSORTAP_S3_FAULTY_ENDPOINT']; "
                   "print(r.urlopen(r.Request(p + '/b/k', b'x', method='PUT')).status, e['TENSORTAP_S3_ELSEWHERE']); "
                   "raise SystemExit(7)")
        result = subprocess.run(
            [sys.executable, SCRIPT, "--log", log, "--plan", plan, "--", sys.executable, "-c", program],
            env={**os.environ, "TENSORTAP_S3_ENDPOINT": f"http://127.0.0.1:{self.upstream.server_port}"},
            capture_output=True, text=True, timeout=30)
        self.assertEqual((result.returncode, result.stdout[:21]), (7, "200 http://127.0.0.1:"), result.stderr)
        self.assertEqual(json.loads(log.read_text(encoding="utf-8"))["counts"], {"delay": 1})


if __name__ == "__main__":
    unittest.main()
