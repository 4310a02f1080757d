#!/usr/bin/env python3
"""The command-line tool and awscli read each other's objects: keys of all kinds, objects in parts, listings, folders.

For `tests/net/s3/radosgw run --`; TENSORTAP_COMMAND names the tool. Exits with 77 where something is missing.
"""
import filecmp
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

COMMAND = os.environ.get("TENSORTAP_COMMAND")
ENDPOINT = os.environ.get("TENSORTAP_S3_ENDPOINT")
TLS_ENDPOINT = os.environ.get("TENSORTAP_S3_TLS_ENDPOINT")
BUCKET = os.environ.get("TENSORTAP_S3_BUCKET")
KEYS = [
    "plain.txt", "with space", "a+b", "a%20b%2Fc", "question?and=this&that", "hash#tag", "umlaute/\u00e4\u00f6\u00fc",
    "\u65e5\u672c\u8a9e", "smile\U0001f600", "quote'\"", "<tag>&amp;", "back\\slash", "star*(bang!)~",
    "semi;colon:,@$=[]{}|^`",
    "deep/" + "/".join("abcdefghij") + "/" + 100 * "k",
]


def why_not():
    if not BUCKET:
        return "TENSORTAP_S3_BUCKET is not set: run this by tests/net/s3/radosgw run --"
    if not shutil.which("aws"):
        return "awscli is not installed"
    if not COMMAND:
        return "TENSORTAP_COMMAND is not set: the examples are not built"
    if subprocess.run([COMMAND, "cp", "--help"], capture_output=True, timeout=60).returncode:
        return "the tool has no cp"
    return None


class AwscliTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.prefix = f"s3://{BUCKET}/{self.id().rsplit('.', 1)[1]}"

    def call(self, command, code=0, **environment):
        result = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120,
                                env={**os.environ, **environment})
        self.assertEqual(result.returncode, code, f"{command}\n{result.stdout[-2000:]}{result.stderr[-2000:]}")
        self.assertNotIn(os.environ["AWS_SECRET_ACCESS_KEY"], result.stdout + result.stderr)
        return result.stdout

    def aws(self, *arguments):
        return self.call(["aws", "--endpoint-url", ENDPOINT, *arguments])

    def tool(self, *arguments, **how):
        return self.call([COMMAND, *arguments], **how)

    def file(self, name, data):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def tree(self, name):
        """Makes a folder with one file for each of KEYS."""
        for number, key in enumerate(KEYS):
            self.file(f"{name}/{key}", f"{number} {key}\n".encode() * number)
        return self.folder / name

    def assert_same_tree(self, expected, actual):
        for key in KEYS:
            self.assertTrue((actual / key).is_file(), key)
            self.assertTrue(filecmp.cmp(expected / key, actual / key, shallow=False), key)

    def listed(self, prefix):
        """Returns key and size of each object, by awscli."""
        bucket, _, folder = prefix.removeprefix("s3://").partition("/")
        out = self.aws("s3api", "list-objects-v2", "--bucket", bucket, "--prefix", folder + "/", "--output", "json")
        return {entry["Key"].removeprefix(folder + "/"): entry["Size"] for entry in json.loads(out)["Contents"]}

    def test_keys_written_by_awscli(self):
        written = self.tree("written")
        self.aws("s3", "cp", "--quiet", "--recursive", written, self.prefix)
        self.assertEqual(len(self.listed(self.prefix)), 15)
        for key in KEYS:
            target = self.folder / "read" / key
            target.parent.mkdir(parents=True, exist_ok=True)
            self.tool("cp", f"{self.prefix}/{key}", target)
        self.assert_same_tree(written, self.folder / "read")

    def test_keys_written_by_the_tool(self):
        written = self.tree("written")
        for key in KEYS:
            self.tool("cp", written / key, f"{self.prefix}/{key}")
        self.assertEqual(self.listed(self.prefix), {key: (written / key).stat().st_size for key in KEYS})
        self.aws("s3", "cp", "--quiet", "--recursive", self.prefix, self.folder / "read")
        self.assert_same_tree(written, self.folder / "read")

    def test_listings_agree(self):
        self.aws("s3", "cp", "--quiet", "--recursive", self.tree("written"), self.prefix)
        lines = self.tool("ls", "--recursive", f"{self.prefix}/").splitlines()
        for key, size in self.listed(self.prefix).items():
            with self.subTest(key=key):
                escaped = key.replace("\\", "\\\\")  # the tool escapes control characters of names
                found = [line for line in lines if line.endswith((key, escaped)) and str(size) in line.split()]
                self.assertEqual(len(found), 1, lines)

    def etag(self, key):
        bucket, _, name = f"{self.prefix}/{key}".removeprefix("s3://").partition("/")
        head = json.loads(self.aws("s3api", "head-object", "--bucket", bucket, "--key", name, "--output", "json"))
        return head["ETag"].strip('"'), head["ContentLength"]

    def test_parts_written_by_awscli(self):
        large = self.file("large", os.urandom(20 << 20))
        self.aws("s3", "cp", "--quiet", large, f"{self.prefix}/large")
        self.assertRegex(self.etag("large")[0], "^[0-9a-f]{32}-3$")  # parts of 8 MiB
        self.tool("cp", f"{self.prefix}/large", self.folder / "read")
        self.assertTrue(filecmp.cmp(large, self.folder / "read", shallow=False))

    def test_parts_written_by_the_tool(self):
        large = self.file("large", os.urandom((40 << 20) + 12345))
        self.tool("cp", large, f"{self.prefix}/large")
        etag, size = self.etag("large")
        self.assertRegex(etag, "^[0-9a-f]{32}-[2-8]$")
        self.assertEqual(size, large.stat().st_size)
        self.aws("s3", "cp", "--quiet", f"{self.prefix}/large", self.folder / "read")
        self.assertTrue(filecmp.cmp(large, self.folder / "read", shallow=False))
        self.tool("cp", f"{self.prefix}/large", self.folder / "own")
        self.assertTrue(filecmp.cmp(large, self.folder / "own", shallow=False))

    def test_empty_and_small_objects(self):
        for size in (0, 1, (5 << 20) - 1, 5 << 20, (8 << 20) + 1):
            with self.subTest(size=size):
                written = self.file("written", os.urandom(size))
                self.tool("cp", written, f"{self.prefix}/own")
                self.aws("s3", "cp", "--quiet", f"{self.prefix}/own", self.folder / "read")
                self.assertTrue(filecmp.cmp(written, self.folder / "read", shallow=False))

    def test_after_a_sync_awscli_has_nothing_to_do(self):
        written = self.tree("written")
        self.tool("sync", written, self.prefix)
        self.assertEqual(self.aws("s3", "sync", "--dryrun", written, self.prefix), "")
        self.file("written/one more", b"1")
        self.assertIn("one more", self.aws("s3", "sync", "--dryrun", written, self.prefix))

    def test_a_sync_restores_what_awscli_synced(self):
        written = self.tree("written")
        self.aws("s3", "sync", "--quiet", written, self.prefix)
        self.tool("sync", self.prefix, self.folder / "read")
        self.assert_same_tree(written, self.folder / "read")

    def test_options_are_spelled_as_awscli_spells_them(self):
        written = self.file("written", b"text\n")
        nowhere = {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1", "AWS_REGION": "nowhere-1"}
        for endpoint in (ENDPOINT, TLS_ENDPOINT):
            how = "--endpoint-url", endpoint, "--region", "us-east-1"
            self.tool("cp", written, f"{self.prefix}/key", *how, **nowhere)
            self.tool("cp", f"{self.prefix}/key", self.folder / "read", *how, **nowhere)
            self.assertEqual((self.folder / "read").read_bytes(), b"text\n")

    def test_what_is_not_there_is_an_error(self):
        result = subprocess.run([COMMAND, "cp", f"{self.prefix}/missing", self.folder / "read"], capture_output=True,
                                text=True, timeout=60)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("missing", result.stderr)
        self.assertFalse((self.folder / "read").exists())


if __name__ == "__main__":
    reason = why_not()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    unittest.main()
