#!/usr/bin/env python3
"""Decodes every record of runs with protoc, and compares with what strict_reader.py decodes.

usage: protoc_test.py [RUN or folder of runs]...

Without arguments: the golden runs, and the runs below the folder that TENSORTAP_WRITTEN_RUNS names.
"""
import math
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import strict_reader
from strict_reader_test import GOLDEN, runs_below, written_runs

SCHEMA_FILE = Path(__file__).resolve().parent / "record" / "smdebug.proto"
PROTOC = shutil.which("protoc")
# protoc decodes one message for each start of the program, so all records of a run go into one.
BATCH = 'syntax = "proto3"; import "smdebug.proto"; message Batch { repeated smdebug.Event event = 1; }'

given_folders = []


def payloads_of(path):
    """The payloads of an event file, whatever its footers are."""
    data, start, payloads = path.read_bytes(), 0, []
    while start < len(data):
        length = struct.unpack_from("<Q", data, start)[0] + strict_reader.FRAMING
        payloads.append(strict_reader.payload_at(data, start, length))
        start += length
    return payloads


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def protoc_decode(payloads):
    batch = b"".join(b"\x0a" + varint(len(p)) + p for p in payloads)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "batch.proto").write_text(BATCH)
        command = [PROTOC, f"-I{folder}", f"-I{SCHEMA_FILE.parent}", "--decode=Batch", "batch.proto"]
        done = subprocess.run(command, input=batch, capture_output=True, check=False)
    if done.returncode:
        raise AssertionError("protoc: " + done.stderr.decode())
    return done.stdout.decode("ascii")


# ---- protobuf's text format ----

LINE = re.compile(r"\s*(?:(?P<close>\})|(?P<name>\w+)(?: (?P<open>\{)|: (?P<value>.*)))$")


def parse_text(text):
    """{field: [values]} with submessages as such objects, and scalars as the text that protoc wrote."""
    stack = [{}]
    for line in text.splitlines():
        match = LINE.match(line)
        if match["close"]:
            stack.pop()
        elif match["open"]:
            stack.append({})
            stack[-2].setdefault(match["name"], []).append(stack[-1])
        else:
            stack[-1].setdefault(match["name"], []).append(match["value"])
    return stack[0]


ESCAPE = re.compile(rb"\\([0-7]{3}|.)")
ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b'"': b'"', b"'": b"'", b"\\": b"\\"}


def unescape(text):
    def one(match):
        return bytes([int(match[1], 8)]) if len(match[1]) == 3 else ESCAPED[match[1]]
    return ESCAPE.sub(one, text[1:-1].encode())


ENUMS = dict(re.findall(r"^\s*(\w+) = (\d+);", "\n".join(
    re.findall(r"enum \w+ \{[^}]*\}", SCHEMA_FILE.read_text())), re.MULTILINE))


def scalar(text, kind):
    if kind in ("string", "bytes"):
        return unescape(text).decode() if kind == "string" else unescape(text)
    if kind in ("float", "double"):
        return as_float32(float(text)) if kind == "float" else float(text)
    if kind == "bool":
        return {"true": True, "false": False}[text]
    return int(ENUMS.get(text, text) if kind == "enum" else text)


def as_float32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def typed(tree, message):
    """The tree as strict_reader.decode gives it; protoc shows unknown fields by number, which fails here."""
    fields = dict(strict_reader.SCHEMA[message].values())
    out = {}
    for name, values in tree.items():
        kind = fields[name]
        bare = kind.strip("[]")
        made = [typed(v, bare) if bare in strict_reader.SCHEMA else scalar(v, bare) for v in values]
        out[name] = made if kind.startswith("[") else made[0]
    return out


def same(left, right):
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float) and math.isnan(left):
        return math.isnan(right)
    return left == right and type(left) is type(right)


# ---- tests ----

def event_files(run):
    return sorted(p for folder in ("events", "tensorboard") for p in Path(run, folder).rglob("*.tfevents"))


@unittest.skipUnless(PROTOC, "protoc is not installed")
class ProtocTest(unittest.TestCase):
    def agree(self, run):
        """How many records protoc and strict_reader.py decode alike."""
        payloads = [p for path in event_files(run) for p in payloads_of(path)]
        decoded = parse_text(protoc_decode(payloads)).get("event", [])
        self.assertEqual(len(decoded), len(payloads), run)
        for payload, tree in zip(payloads, decoded):
            theirs, ours = typed(tree, "Event"), strict_reader.decode(payload, "Event")
            self.assertTrue(same(ours, theirs), f"{run}: {ours} is not {theirs}")
        return len(payloads)

    def test_golden_runs(self):
        if given_folders:
            self.skipTest("other runs are given")
        self.assertGreater(sum(self.agree(run) for run in runs_below(GOLDEN)), 1000)

    def test_written_runs(self):
        runs = [run for folder in given_folders for run in runs_below(folder)] or written_runs()
        if not runs:
            self.skipTest("no runs given, and TENSORTAP_WRITTEN_RUNS is not set")
        for run in runs:
            with self.subTest(run=str(run)):
                self.agree(run)

    def test_notices_unknown_fields(self):
        with self.assertRaises(KeyError):
            typed(parse_text(protoc_decode([b"\x60\x01"]))["event"][0], "Event")

    def test_notices_other_content(self):
        tree = parse_text(protoc_decode([b"\x10\x05"]))["event"][0]
        self.assertFalse(same(strict_reader.decode(b"\x10\x06", "Event"), typed(tree, "Event")))


if __name__ == "__main__":
    given_folders = [a for a in sys.argv[1:] if os.path.isdir(a)]
    unittest.main(argv=sys.argv[:1] + [a for a in sys.argv[1:] if a not in given_folders])
