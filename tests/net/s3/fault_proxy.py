#!/usr/bin/env python3
"""A proxy for HTTP/1.1 that injects faults by a plan in front of a real server, and keeps a log.

usage: fault_proxy.py [--upstream http://HOST:PORT] [--port N] [--tls CERT KEY] [--plan JSON] [--seed N] [--log FILE]
                      [-- COMMAND...]

Listens on 127.0.0.1, --port or a free one. Forwards requests to --upstream ($TENSORTAP_S3_ENDPOINT) with Host and all
other bytes unchanged, so that signatures stay valid. With a COMMAND it runs as long as the command and returns its
status. The command finds the address of the proxy in TENSORTAP_S3_FAULTY_ENDPOINT, and in TENSORTAP_S3_ELSEWHERE a
second one, the target of redirects, which refuses everything. Without a COMMAND it prints both and runs until killed.

Over the same port (no bucket has such a name):
  POST /__plan   sets a plan and clears the log
  GET  /__log    {"requests": [{"method", "target", "connection", "authorized", "region", "date", "elsewhere", "fault",
                 "status", "received", "sent", "ms"}...], "counts": {fault: times}}; with --log, also a file at the end

A plan is a list of rules; the first one that matches a request decides. All fields but the fault are optional:
  {"method": "PUT", "path": REGEX on the target with its query, "header": {NAME: REGEX}, "skip": 0,
   "times": 1 (-1: always, the default beside a probability), "probability": 1.0, "fault": NAME, PARAMETER: VALUE...}
   or, for one of several, "faults": [{"fault": NAME, PARAMETER: VALUE...}...]
Probabilities depend only on the seed, the method, the target (without uploadId) and its count, never on timing.
"""
import argparse
import collections
import contextlib
import ctypes
import datetime
import email.utils
import hashlib
import http
import itertools
import json
import os
import re
import select
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import urllib.parse

# The faults, with their parameters and defaults.
FAULTS = {
    # The proxy answers; the real server gets nothing. early: before the body of the request is read.
    "status": {"code": 503, "error": "SlowDown", "headers": {}, "body": None, "early": False},
    "slow_down": {"retry_after": None, "early": False},
    "internal_error": {"early": False},
    "expired_token": {},
    "skewed": {"shift": 600, "window": 60},  # seconds; refused unless signed for a time that much later
    "redirect": {"code": 301, "region": "eu-west-1", "elsewhere": False},  # elsewhere: with a Location to another host
    "wrong_region": {"region": "eu-west-1"},
    "error_in_200": {"error": "InternalError", "spaces": 0, "carried_out": False},
    "xml": {"kind": "malformed", "code": 200, "size": 100 << 20},  # or "deep", "dtd", "long"; size: levels or bytes
    "not_http": {},
    "endless_header": {"seconds": 60},
    "endless_body": {"seconds": 60},
    # The request does not arrive. when: "head" is read, "body" to its byte `after`, or the whole "request".
    "reset": {"when": "head", "after": 0},
    "no_continue": {},  # 100 Continue is never sent; a client that sends the body nevertheless is served
    "delay": {"seconds": 1},
    # The request is carried out; the reply is damaged.
    "lost_reply": {},
    "cut": {"after": 0, "clean": False},  # clean: by an orderly end of the connection
    "corrupt": {"at": 0},
    "stall": {"after": 0, "seconds": 60},
    "trickle": {"bytes_per_second": 1024},
    "drop_header": {"name": "ETag"},
    # The connection is closed when the next request arrives, or shortly after the reply.
    "close_idle": {},
    "close_after": {"seconds": 0.05},
}
CONDITIONS = {"method": None, "path": "", "header": {}, "skip": 0, "times": 1, "probability": 1.0}
PIECE = 256 << 10
LIMIT_OF_HEAD = 64 << 10
PATIENCE = 120  # seconds without a byte after which a connection is closed
PR_SET_PDEATHSIG = 1


class Closed(Exception):
    """The connection has ended, and the end is logged."""


def error_body(code, more=""):
    return (f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>a fault as planned</Message>'
            f"{more}<RequestId>PLANNED</RequestId></Error>").encode()


class Rule:
    def __init__(self, description):
        described = dict(description)
        faults = described.pop("faults", None)
        if "probability" in described:
            described.setdefault("times", -1)
        for name, usual in CONDITIONS.items():
            setattr(self, name, described.pop(name, usual))
        if faults is not None and described:
            raise ValueError(f"{sorted(described)} beside faults")
        self.path = re.compile(self.path)
        self.header = {name.lower(): re.compile(pattern) for name, pattern in self.header.items()}
        self.faults = [self.complete(fault) for fault in ([described] if faults is None else faults)]
        if not self.faults:
            raise ValueError("a rule without a fault")

    @staticmethod
    def complete(fault):
        name = fault.get("fault")
        unknown = fault.keys() - {"fault"} - FAULTS.get(name, {}).keys()
        if name not in FAULTS or unknown:
            raise ValueError(f"no fault {name} with {sorted(unknown)}")
        return {**FAULTS[name], **fault}

    def fits(self, head):
        return (self.times != 0 and self.method in (None, head.method) and self.path.search(head.target)
                and all(pattern.search(head.field(name)) for name, pattern in self.header.items()))


class Plan:
    """Chooses the fault of each request. Threads: any."""

    def __init__(self, rules, seed):
        self.rules = [Rule(rule) for rule in rules]
        self.seed = seed
        self.seen = collections.Counter()
        self.lock = threading.Lock()

    def fault_for(self, head):
        with self.lock:
            for number, rule in enumerate(self.rules):
                if not rule.fits(head):
                    continue
                if rule.skip > 0:
                    rule.skip -= 1
                    continue
                chance, choice = 0.0, 0
                if rule.probability < 1 or len(rule.faults) > 1:
                    chance, choice = self.draw(number, head)
                if chance >= rule.probability:
                    continue
                rule.times -= rule.times > 0
                return rule.faults[choice % len(rule.faults)]
        return None

    def draw(self, number, head):
        request = f"{self.seed} {number} {head.method} {re.sub('uploadId=[^&]*', '', head.target)}"
        self.seen[request] += 1
        digest = hashlib.blake2b(f"{request} {self.seen[request]}".encode(), digest_size=16).digest()
        chance, choice = struct.unpack("<QQ", digest)
        return chance / 2**64, choice


class Log:
    """Threads: any."""

    def __init__(self):
        self.requests = []

    def json(self):
        requests = list(self.requests)
        counts = collections.Counter(entry["fault"] for entry in requests if entry["fault"])
        return json.dumps({"requests": requests, "counts": counts})


class Head:
    """The first line of a message and its header."""

    def __init__(self, data):
        self.raw = data
        self.line, *fields = data.decode("latin-1").split("\r\n")
        self.fields = [tuple(part.strip() for part in field.split(":", 1)) for field in fields if ":" in field]
        self.by_name = {name.lower(): value for name, value in self.fields}
        self.first, self.second, *_ = [*self.line.split(" ", 2), "", ""]

    @property
    def method(self):
        return self.first

    @property
    def target(self):
        return self.second

    @property
    def status(self):
        return int(self.second)

    def field(self, name):
        return self.by_name.get(name, "")

    def bytes(self, without=""):
        if not without:
            return self.raw + b"\r\n\r\n"
        lines = [f"{name}: {value}" for name, value in self.fields if name.lower() != without.lower()]
        return "\r\n".join([self.line, *lines, "", ""]).encode("latin-1")


class Peer:
    """One side of the proxy: a socket with a buffer."""

    def __init__(self, sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(PATIENCE)
        self.sock = sock
        self.buffer = b""

    def more(self):
        data = self.sock.recv(PIECE)
        if not data:
            raise Closed
        self.buffer += data

    def until(self, mark):
        """Returns the bytes before the mark, and drops the mark."""
        while mark not in self.buffer:
            if len(self.buffer) > LIMIT_OF_HEAD:
                raise Closed
            self.more()
        data, self.buffer = self.buffer.split(mark, 1)
        return data

    def head(self):
        return Head(self.until(b"\r\n\r\n"))

    def body(self, head, to_the_end=False):
        """Yields the bytes after a head in pieces; to_the_end: a body without a length ends with the connection."""
        if "chunked" in head.field("transfer-encoding").lower():
            size = 1
            while size:
                line = self.until(b"\r\n")
                size = int(line.split(b";")[0], 16)
                yield line + b"\r\n"
                yield from self.count(size)
                end = self.until(b"\r\n")
                while not size and end:  # trailers
                    yield end + b"\r\n"
                    end = self.until(b"\r\n")
                yield end + b"\r\n"
        elif "content-length" in head.by_name:
            yield from self.count(int(head.field("content-length")))
        elif to_the_end:
            with contextlib.suppress(Closed):
                while True:
                    if self.buffer:
                        data, self.buffer = self.buffer, b""
                        yield data
                    self.more()

    def count(self, size):
        while size > 0:
            if not self.buffer:
                self.more()
            data, self.buffer = self.buffer[:size], self.buffer[size:]
            size -= len(data)
            yield data

    def send(self, data):
        self.sock.sendall(data)

    def readable(self, seconds):
        if self.buffer:
            return True
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def reset(self):
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.sock.close()


class Connection:
    """Serves one client until either side ends it."""

    def __init__(self, proxy, sock, number, elsewhere):
        self.proxy = proxy
        self.client = Peer(sock)
        self.server = None
        self.number = number
        self.elsewhere = elsewhere
        self.entry = {}
        self.closing = False

    def serve(self):
        try:
            while True:
                self.exchange(self.client.head())
        except (Closed, OSError, ValueError):
            pass
        finally:
            for peer in (self.client, self.server):
                if peer:
                    peer.close()

    def exchange(self, head):
        if head.target.startswith("/__"):
            self.control(head)
            return
        scope = re.search(r"Credential=[^/]*/[0-9]*/([^/]*)/", head.field("authorization"))
        start = time.monotonic()
        self.entry = {
            "method": head.method, "target": head.target, "connection": self.number, "elsewhere": self.elsewhere,
            "authorized": bool({"authorization", "x-amz-security-token"} & head.by_name.keys()),
            "region": scope and scope[1], "date": head.field("x-amz-date"), "fault": None, "status": None,
            "received": 0, "sent": 0, "ms": None}
        self.proxy.log.requests.append(self.entry)
        try:
            if self.elsewhere:
                self.answer(head, 403, error_body("AccessDenied"))
                return
            fault = self.proxy.plan.fault_for(head) or {"fault": None}
            self.entry["fault"] = fault["fault"]
            getattr(self, f"do_{fault['fault']}", self.forward)(head, fault)
        finally:
            self.entry["ms"] = round((time.monotonic() - start) * 1000, 1)

    def control(self, head):
        body = b"".join(self.client.body(head))
        try:
            if head.method == "POST" and head.target == "/__plan":
                self.proxy.plan = Plan(json.loads(body), self.proxy.seed)
                self.proxy.log = Log()
                self.reply(200, b"")
            elif head.method == "GET" and head.target == "/__log":
                self.reply(200, self.proxy.log.json().encode(), {"Content-Type": "application/json"})
            else:
                self.reply(404, b"POST /__plan or GET /__log\n")
        except (ValueError, TypeError, AttributeError, re.error) as error:
            self.reply(400, f"{error}\n".encode())

    # Answers of the proxy.

    def reply(self, code, body, headers=None, body_follows=True):
        fields = {"Date": email.utils.formatdate(usegmt=True), "Content-Type": "application/xml",
                  "Content-Length": len(body), "x-amz-request-id": "PLANNED", **(headers or {})}
        reason = http.HTTPStatus(code).phrase if code in http.HTTPStatus._value2member_map_ else "Planned"
        lines = [f"{name}: {value}" for name, value in fields.items()]
        head = "\r\n".join([f"HTTP/1.1 {code} {reason}", *lines, "", ""])
        self.client.send(head.encode("latin-1") + (body if body_follows else b""))

    def swallow(self, head):
        """Reads the body of a request that the real server must not get."""
        if head.field("expect").lower() == "100-continue":
            self.client.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        for piece in self.client.body(head):
            self.entry["received"] += len(piece)

    def answer(self, head, code, body, headers=None, early=False):
        self.entry["status"] = code
        if not early:
            self.swallow(head)
            self.reply(code, body, headers, head.method != "HEAD")
            return
        self.reply(code, body, {"Connection": "close", **(headers or {})}, head.method != "HEAD")
        with contextlib.suppress(OSError):
            self.client.sock.shutdown(socket.SHUT_WR)
        time.sleep(0.05)
        self.client.reset()
        raise Closed

    def do_status(self, head, fault):
        body = error_body(fault["error"]) if fault["body"] is None else fault["body"].encode()
        self.answer(head, fault["code"], body, fault["headers"], fault["early"])

    def do_slow_down(self, head, fault):
        wait = {} if fault["retry_after"] is None else {"Retry-After": fault["retry_after"]}
        self.answer(head, 503, error_body("SlowDown"), wait, fault["early"])

    def do_internal_error(self, head, fault):
        self.answer(head, 500, error_body("InternalError"), early=fault["early"])

    def do_expired_token(self, head, _):
        self.answer(head, 400, error_body("ExpiredToken"))

    def do_skewed(self, head, fault):
        now = time.time() + fault["shift"]
        with contextlib.suppress(ValueError):
            signed = datetime.datetime.strptime(head.field("x-amz-date"), "%Y%m%dT%H%M%SZ")
            if abs(signed.replace(tzinfo=datetime.timezone.utc).timestamp() - now) <= fault["window"]:
                self.forward(head, fault)
                return
        self.answer(head, 403, error_body("RequestTimeTooSkewed"), {"Date": email.utils.formatdate(now, usegmt=True)})

    def do_redirect(self, head, fault):
        headers = {}
        if fault["region"]:
            headers["x-amz-bucket-region"] = fault["region"]
        if fault["elsewhere"]:
            headers["Location"] = self.proxy.elsewhere + head.target
        code = "TemporaryRedirect" if fault["code"] == 307 else "PermanentRedirect"
        self.answer(head, fault["code"], error_body(code), headers)

    def do_wrong_region(self, head, fault):
        body = error_body("AuthorizationHeaderMalformed", f"<Region>{fault['region']}</Region>")
        self.answer(head, 400, body)

    def do_error_in_200(self, head, fault):
        if fault["carried_out"]:
            self.drain(self.pass_on(head, fault), head)
        else:
            self.swallow(head)
        self.entry["status"] = 200
        self.reply(200, b" " * fault["spaces"] + error_body(fault["error"]))

    def do_xml(self, head, fault):
        start, fill, end, size = b"<ListBucketResult>", b"", b"", fault["size"]
        if fault["kind"] == "malformed":
            start += b"<Contents><Key>a</Kex></Contents><"
        elif fault["kind"] == "dtd":
            start = (b'<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
                     b'<!ENTITY c SYSTEM "file:///etc/passwd">]>'
                     b'<ListBucketResult><Name>&b;&c;</Name></ListBucketResult>')
        elif fault["kind"] == "deep":
            fill, end = b"<a>", b"</ListBucketResult>"  # and </a> as often
        elif fault["kind"] == "long":
            fill, end = b"<Contents><Key>k</Key><Size>1</Size></Contents>", b"</ListBucketResult>"
            size //= len(fill)
        else:
            raise ValueError(fault["kind"])
        parts = [(start, 1), (fill, size), (b"</a>", size if fault["kind"] == "deep" else 0), (end, 1)]
        self.swallow(head)
        self.entry["status"] = fault["code"]
        self.reply(fault["code"], b"", {"Content-Length": sum(len(text) * times for text, times in parts)})
        for text, times in parts:
            block = max(1, min(times, PIECE // max(1, len(text))))
            for sent in range(0, times, block):
                self.client.send(text * min(block, times - sent))
                self.entry["sent"] += len(text) * min(block, times - sent)

    def do_not_http(self, head, _):
        self.swallow(head)
        self.client.send(b"220 mail.example.com ESMTP\r\n\r\n")
        raise Closed

    def endless(self, start, fill, seconds):
        end = time.monotonic() + seconds
        self.client.send(start)
        while time.monotonic() < end:
            self.client.send(fill)
            self.entry["sent"] += len(fill)
        raise Closed

    def do_endless_header(self, head, fault):
        self.swallow(head)
        self.endless(b"HTTP/1.1 200 OK\r\nx-amz-meta-a: ", b"a" * 16384, fault["seconds"])

    def do_endless_body(self, head, fault):
        self.swallow(head)
        self.endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"4000\r\n" + b"a" * 16384 + b"\r\n",
                     fault["seconds"])

    # Requests that do not arrive.

    def do_reset(self, head, fault):
        if fault["when"] != "head":
            if head.field("expect").lower() == "100-continue":
                self.client.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            for piece in self.client.body(head):
                self.entry["received"] += len(piece)
                if fault["when"] == "body" and self.entry["received"] > fault["after"]:
                    break
        self.client.reset()
        raise Closed

    def do_delay(self, head, fault):
        time.sleep(fault["seconds"])
        self.forward(head, fault)

    # Requests that are carried out.

    def connect(self):
        """Returns the connection to the real server; a new one if the server has closed the old one."""
        if self.server and self.server.readable(0):
            self.server.close()
            self.server = None
        if not self.server:
            self.server = Peer(socket.create_connection(self.proxy.upstream))

    def pass_on(self, head, fault):
        """Sends the request to the real server. Returns the head of its reply, whose body is not read yet."""
        self.connect()
        waits = head.field("expect").lower() == "100-continue"
        if waits and fault["fault"] == "no_continue":
            self.server.send(head.bytes(without="Expect"))
        elif waits:
            self.server.send(head.bytes())
            reply = self.server.head()
            if reply.status != 100:
                self.closing = True  # refused before the body, which the client may or may not send
                return reply
            self.client.send(reply.bytes())
        else:
            whole = b"".join(self.client.body(head)) if len(self.client.buffer) >= self.size_of(head) else b""
            self.server.send(head.bytes() + whole)
            self.entry["received"] += len(whole)
            if whole:
                return self.final_head()
        for piece in self.client.body(head):
            self.entry["received"] += len(piece)
            try:
                self.server.send(piece)
            except OSError:  # it may have sent a reply before it closed
                self.closing = True
                break
        return self.final_head()

    @staticmethod
    def size_of(head):
        chunked = "chunked" in head.field("transfer-encoding").lower()
        return LIMIT_OF_HEAD << 20 if chunked else int(head.field("content-length") or 0)

    def final_head(self):
        reply = self.server.head()
        while reply.status == 100:
            reply = self.server.head()
        return reply

    def pieces(self, reply, head):
        """The body of the real server's reply."""
        if head.method == "HEAD" or reply.status in (204, 304):
            return
        yield from self.server.body(reply, to_the_end=True)

    def drain(self, reply, head):
        for _ in self.pieces(reply, head):
            pass

    def forward(self, head, fault):
        name = fault["fault"]
        reply = self.pass_on(head, fault)
        self.entry["status"] = reply.status
        if name == "lost_reply":
            self.drain(reply, head)
            self.client.reset()
            raise Closed
        start = reply.bytes(without=fault["name"] if name == "drop_header" else "")
        hurt = getattr(self, f"hurt_{name}", None)
        if hurt:
            self.client.send(start)
            start = b""
            hurt(self.pieces(reply, head), fault)
        else:
            for piece in self.pieces(reply, head):
                self.client.send(start + piece)
                self.entry["sent"] += len(piece)
                start = b""
        if start:
            self.client.send(start)
        if name == "close_idle":
            self.client.readable(PATIENCE)
            self.client.reset()
            raise Closed
        if name == "close_after":
            time.sleep(fault["seconds"])
            raise Closed
        if "close" in (reply.field("connection").lower(), head.field("connection").lower()):
            raise Closed
        if self.closing:
            raise Closed

    def send_until(self, pieces, at):
        """Sends that many bytes of a body; returns the rest of the last piece."""
        for piece in pieces:
            rest = at - self.entry["sent"]
            self.client.send(piece[:rest])
            self.entry["sent"] += min(rest, len(piece))
            if len(piece) > rest:
                return piece[rest:]
        return b""

    def hurt_cut(self, pieces, fault):
        self.send_until(pieces, fault["after"])
        self.server.close()
        time.sleep(0.05)  # so that the bytes before the cut arrive
        if not fault["clean"]:
            self.client.reset()
        raise Closed

    def hurt_corrupt(self, pieces, fault):
        rest = self.send_until(pieces, fault["at"])
        if rest:
            rest = bytes([rest[0] ^ 1]) + rest[1:]
        self.rest(rest, pieces)

    def hurt_stall(self, pieces, fault):
        rest = self.send_until(pieces, fault["after"])
        if self.client.readable(fault["seconds"]):  # it has closed, or sends another request
            raise Closed
        self.rest(rest, pieces)

    def hurt_trickle(self, pieces, fault):
        step = max(1, fault["bytes_per_second"] // 20)
        for piece in pieces:
            for start in range(0, len(piece), step):
                if self.client.readable(0.05):
                    raise Closed
                self.rest(piece[start:start + step], ())

    def rest(self, first, pieces):
        for piece in itertools.chain((first,), pieces):
            self.client.send(piece)
            self.entry["sent"] += len(piece)


class Proxy:
    def __init__(self, upstream, port=0, rules=(), seed=0, tls=None):
        address = urllib.parse.urlsplit(upstream)
        self.upstream = (address.hostname, address.port or 80)
        self.seed = seed
        self.plan = Plan(rules, seed)
        self.log = Log()
        self.tls = None
        if tls:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*tls)
        self.connections = 0
        self.listeners = [socket.create_server(("127.0.0.1", number), backlog=256) for number in (port, 0)]
        self.endpoint, self.elsewhere = (
            f"{'https' if tls else 'http'}://127.0.0.1:{listener.getsockname()[1]}" for listener in self.listeners)
        for listener in self.listeners:
            threading.Thread(target=self.accept, args=(listener,), daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                sock = listener.accept()[0]
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(sock, self.connections, listener is self.listeners[1]),
                             daemon=True).start()

    def serve(self, sock, number, elsewhere):
        if self.tls:
            try:
                sock.settimeout(PATIENCE)
                sock = self.tls.wrap_socket(sock, server_side=True)
            except OSError:
                sock.close()
                return
        Connection(self, sock, number, elsewhere).serve()

    def close(self):
        for listener in self.listeners:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1].removeprefix("usage: "))
    parser.add_argument("--upstream", default=os.environ.get("TENSORTAP_S3_ENDPOINT"))
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    parser.add_argument("--plan", type=json.loads, default=[])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if not options.upstream:
        parser.error("--upstream, or TENSORTAP_S3_ENDPOINT in the environment")
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    proxy = Proxy(options.upstream, options.port, options.plan, options.seed, options.tls)
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if not command:
            print(proxy.endpoint, proxy.elsewhere, flush=True)
            signal.pause()
        os.environ["TENSORTAP_S3_FAULTY_ENDPOINT"] = proxy.endpoint
        os.environ["TENSORTAP_S3_ELSEWHERE"] = proxy.elsewhere
        status = subprocess.run(["setpriv", "--pdeathsig", "KILL", *command]).returncode
        return status if status >= 0 else 128 - status
    except KeyboardInterrupt:
        return 130
    finally:
        if options.log:
            with open(options.log, "w", encoding="utf-8") as file:
                file.write(proxy.log.json())


if __name__ == "__main__":
    sys.exit(main())
