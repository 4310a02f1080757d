#!/usr/bin/env python3
"""ls, cp and sync of the command-line tool against a real S3 server.

`tests/net/s3/radosgw run --` starts the server; TENSORTAP_COMMAND names the tool. Exits with 77 if a program is missing.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

COMMAND = os.environ.get("TENSORTAP_COMMAND")
BUCKET = os.environ.get("TENSORTAP_S3_BUCKET")
GOLDEN = Path(__file__).resolve().parent.parent / "data" / "golden"
MIB = 1 << 20


def why_not():
    if not BUCKET:
        return "TENSORTAP_S3_BUCKET is not set: run this by tests/net/s3/radosgw run --"
    if not COMMAND:
        return "TENSORTAP_COMMAND is not set: the examples are not built"
    probe = subprocess.run([COMMAND, "ls", f"s3://{BUCKET}/"], capture_output=True, text=True, timeout=60)
    if "is built without S3" in probe.stderr:
        return "the tool is built without S3"
    return None


class CopyTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.prefix = f"s3://{BUCKET}/{self.id().rsplit('.', 1)[1]}"

    def tool(self, *arguments, code=0, **how):
        how = {"capture_output": True, "timeout": 120, **how}
        result = subprocess.run([COMMAND, *map(str, arguments)], **how)
        result.stdout, result.stderr = (text.decode() if isinstance(text, bytes) else text
                                        for text in (result.stdout, result.stderr))
        self.assertEqual(result.returncode, code, f"{arguments}\n{result.stdout[-2000:]}{result.stderr[-2000:]}")
        self.assertNotIn("\x1b", result.stdout + result.stderr)
        return result

    def file(self, name, data=b"", age=100):
        """Writes a file with an old time, because S3 times have no fractions of a second."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (time.time() - age, time.time() - age))
        return path

    def put(self, key, data=b"x"):
        """Puts an object under any key, by awscli."""
        if not shutil.which("aws"):
            self.skipTest("awscli is not installed")
        bucket, _, folder = self.prefix.removeprefix("s3://").partition("/")
        result = subprocess.run(
            ["aws", "--endpoint-url", os.environ["AWS_ENDPOINT_URL_S3"], "s3api", "put-object", "--bucket", bucket,
             "--key", folder + "/" + key, "--body", self.file("body", data)], capture_output=True, text=True, timeout=120)
        self.assertEqual(result.returncode, 0, result.stderr)

    def names(self, folder):
        root = self.folder / folder
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())

    def keys(self):
        """Returns the keys below the prefix of this test."""
        out = self.tool("ls", "--recursive", self.prefix + "/").stdout
        folder = self.prefix.removeprefix(f"s3://{BUCKET}/") + "/"
        return [re.sub(r"^\S+ \S+ +\d+ ", "", line).removeprefix(folder) for line in out.splitlines()]

    def test_ls_lists_folders_and_objects(self):
        self.file("tree/one", b"12345")
        self.file("tree/sub/two")
        self.file("tree/sub/deep/three")
        self.tool("cp", "--recursive", self.folder / "tree", self.prefix)
        out = self.tool("ls", self.prefix + "/").stdout
        self.assertRegex(out, r"^ +PRE sub/\n\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +5 one\n$")
        self.assertRegex(self.tool("ls", self.prefix).stdout, r"^ +PRE test_ls_lists_folders_and_objects/\n$")
        self.assertEqual(self.keys(), ["one", "sub/deep/three", "sub/two"])
        self.assertIn("no key begins with this", self.tool("ls", self.prefix + "/nothing", code=2).stderr)

    def test_many_objects_are_listed_page_by_page(self):
        for number in range(1100):
            self.file(f"tree/{number:04}")
        self.tool("cp", "--quiet", "--recursive", self.folder / "tree", self.prefix)
        self.assertEqual(self.keys(), [f"{number:04}" for number in range(1100)])
        self.tool("sync", "--quiet", self.prefix, self.folder / "back")
        self.assertEqual(len(self.names("back")), 1100)

    def test_cp_through_pipes(self):
        data = os.urandom(20 * MIB)
        self.tool("cp", "-", f"{self.prefix}/piped", input=data)
        whole = subprocess.run([COMMAND, "cp", f"{self.prefix}/piped", "-"], capture_output=True, timeout=120)
        self.assertEqual(whole.returncode, 0, whole.stderr)
        self.assertTrue(whole.stdout == data)
        with open(self.file("file", data), "rb") as file:
            file.seek(19 * MIB)
            self.tool("cp", "-", f"{self.prefix}/rest", stdin=file)
        self.tool("cp", f"{self.prefix}/rest", self.folder / "rest")
        self.assertTrue((self.folder / "rest").read_bytes() == data[19 * MIB:])

    def test_cp_into_a_folder_keeps_the_name(self):
        (self.folder / "target").mkdir()
        self.tool("cp", self.file("name", b"1"), f"{self.prefix}/folder/")
        self.assertEqual(self.keys(), ["folder/name"])
        self.tool("cp", f"{self.prefix}/folder/name", self.folder / "target")
        self.tool("cp", f"{self.prefix}/folder/name", f"{self.folder}/new/")
        self.assertEqual([self.names("target"), self.names("new")], [["name"], ["name"]])
        self.assertIn("has no name", self.tool("cp", "-", f"{self.prefix}/", input=b"", code=2).stderr)
        self.assertIn("is a folder", self.tool("cp", f"{self.prefix}/", self.folder, code=2).stderr)
        self.assertIn("no such object", self.tool("cp", f"{self.prefix}/folder", self.folder / "x", code=2).stderr)
        self.assertEqual(self.names("target"), ["name"])

    def test_sync_sends_what_differs(self):
        tree = self.folder / "tree"
        self.file("tree/same", b"1")
        self.file("tree/longer", b"1")
        self.file("tree/younger", b"1")
        self.tool("sync", tree, self.prefix)
        self.assertEqual(self.tool("sync", tree, self.prefix).stdout, "")
        self.file("tree/longer", b"12")
        self.file("tree/younger", b"2", age=-100)
        self.file("tree/new", b"1")
        out = self.tool("sync", "--dryrun", tree, self.prefix).stdout
        self.assertEqual(out.count("(dryrun) upload: "), 3)
        done = self.tool("sync", tree, self.prefix).stdout
        self.assertEqual(sorted(done.splitlines()), sorted(out.replace("(dryrun) ", "").splitlines()))
        self.assertEqual(self.tool("cp", f"{self.prefix}/younger", "-").stdout, "2")

    def test_sync_fetches_what_differs(self):
        self.file("tree/a/same", b"1")
        self.file("tree/replaced", b"1")
        self.tool("sync", self.folder / "tree", self.prefix)
        back = self.folder / "back"
        self.tool("sync", self.prefix, back)
        self.assertEqual(self.tool("sync", self.prefix, back).stdout, "")
        time.sleep(1)  # of the same length: only the time tells
        self.tool("cp", self.file("tree/replaced", b"2"), f"{self.prefix}/replaced")
        self.assertIn("download: ", self.tool("sync", self.prefix, back).stdout)
        self.assertEqual((back / "replaced").read_bytes(), b"2")
        self.assertEqual(self.names("back"), ["a/same", "replaced"])

    def test_sync_deletes_only_on_request(self):
        tree, back = self.folder / "tree", self.folder / "back"
        for name in ("keep", "go", "go.log"):
            self.file(f"tree/{name}", b"1")
        self.tool("sync", tree, self.prefix)
        self.tool("sync", self.prefix, back)
        (tree / "go").unlink()
        (tree / "go.log").unlink()
        self.tool("sync", tree, self.prefix)
        self.assertEqual(self.keys(), ["go", "go.log", "keep"])
        self.tool("sync", "--delete", "--exclude", "*.log", tree, self.prefix)
        self.assertEqual(self.keys(), ["go.log", "keep"])
        self.tool("sync", "--delete", self.prefix, back)
        self.assertEqual(self.names("back"), ["go.log", "keep"])
        (self.folder / "empty").mkdir()
        self.assertIn("it is empty", self.tool("sync", "--delete", self.folder / "empty", self.prefix, code=2).stderr)
        self.assertIn("it is empty", self.tool("sync", "--delete", self.prefix + "/x", back, code=2).stderr)
        self.assertEqual([self.keys(), self.names("back")], [["go.log", "keep"]] * 2)

    def test_the_last_filter_that_matches_decides(self):
        for name in ("a.bin", "a.log", "sub/b.bin", "sub/b.log"):
            self.file(f"tree/{name}")
        self.tool("sync", "--exclude", "*", "--include", "*.bin", "--exclude", "sub/*", self.folder / "tree", self.prefix)
        self.assertEqual(self.keys(), ["a.bin"])

    def test_no_key_leads_out_of_the_directory(self):
        for key in ("fine", "../up", "a/../../up", "b//c", "d/./e", "/outside", "folder/"):
            self.put(key, b"" if key == "folder/" else b"evil")
        self.assertEqual(len(self.keys()), 7)
        (self.folder / "elsewhere").mkdir()
        (self.folder / "in").mkdir()
        out = self.tool("sync", self.prefix, self.folder / "in", code=1)
        self.assertEqual(self.names("in"), ["fine"])
        self.assertEqual(out.stderr.count("skipped: "), 5, out.stderr)
        self.assertFalse((self.folder / "up").exists() or Path("/outside").exists())

    def test_no_symbolic_link_is_followed(self):
        elsewhere = self.file("elsewhere/secret", b"secret").parent
        self.file("tree/file", b"1")
        (self.folder / "tree" / "link").symlink_to(elsewhere)
        (self.folder / "tree" / "other").symlink_to(elsewhere / "secret")
        out = self.tool("sync", self.folder / "tree", self.prefix, code=1)
        self.assertEqual(out.stderr.count("it is a symbolic link"), 2, out.stderr)
        self.assertEqual(self.keys(), ["file"])
        self.tool("cp", self.file("new", b"new"), f"{self.prefix}/link/secret")
        self.tool("cp", self.folder / "new", f"{self.prefix}/other")
        out = self.tool("sync", self.prefix, self.folder / "tree", code=2)
        self.assertIn("symbolic links inside a run are not followed", out.stderr)
        self.assertEqual((elsewhere / "secret").read_bytes(), b"secret")
        self.assertEqual(self.names("elsewhere"), ["secret"])
        self.assertFalse((self.folder / "tree" / "other").is_symlink())

    def test_names_cannot_play_with_the_terminal(self):
        self.file("tree/\x1b[31mred\n", b"1")
        self.assertIn("\\x1b[31mred\\n", self.tool("sync", self.folder / "tree", self.prefix).stdout)
        self.assertIn("red\\n", self.tool("ls", self.prefix + "/").stdout)
        self.tool("sync", self.prefix, self.folder / "back")
        self.assertEqual(self.names("back"), ["\x1b[31mred\n"])

    def test_after_a_failed_copy_nothing_is_removed(self):
        for name in ("a", "b/c", "d"):
            self.file(f"tree/{name}", b"1")
        self.tool("sync", self.folder / "tree", self.prefix)
        self.file("back/b", b"a file where a directory should be")
        self.file("back/old", b"1")
        out = self.tool("sync", "--delete", "--exclude", "b", self.prefix, self.folder / "back", code=2)
        self.assertIn("nothing is removed", out.stderr)
        self.assertEqual(self.names("back"), ["a", "b", "d", "old"])

    def test_memory_is_bounded(self):
        size = 300 * MIB
        with open(self.file("large"), "wb") as file:
            for _ in range(size // MIB):
                file.write(os.urandom(MIB))
        for source, target in ((self.folder / "large", f"{self.prefix}/large"),
                               (f"{self.prefix}/large", self.folder / "back")):
            process = subprocess.Popen([COMMAND, "cp", source, target], stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            self.assertEqual(process.returncode, 0)
            self.assertLess(usage.ru_maxrss * 1024, (8 * 8 + 64) * MIB)
        self.assertEqual(subprocess.run(["cmp", self.folder / "large", self.folder / "back"]).returncode, 0)

    def test_runs_are_read_from_s3(self):
        self.tool("sync", "--quiet", GOLDEN / "basic", self.prefix)
        for command in ("dump", "check", "judge"):
            self.assertEqual(self.tool(command, self.prefix).stdout, self.tool(command, GOLDEN / "basic").stdout)
        self.assertIn("Net_head0.weight: ", self.tool("show", self.prefix).stdout)
        self.assertRegex(self.tool("show", self.prefix, "Net_head0.weight", "--step", 3).stdout, r"\n1\.28401\d+ -1\.98737")
        parent, _, name = self.prefix.rpartition("/")
        self.assertIn(f"{parent}/{name}: ended, 1 worker, 7 steps, ", self.tool("show", parent).stdout)

    def test_the_profile_option_overrides_the_environment(self):
        self.tool("cp", self.file("file", b"1"), f"{self.prefix}/key")
        keys = self.file("credentials", "[tester]\naws_access_key_id={AWS_ACCESS_KEY_ID}\naws_secret_access_key="
                         "{AWS_SECRET_ACCESS_KEY}\n".format(**os.environ).encode())
        other = {**os.environ, "AWS_ACCESS_KEY_ID": "unknown", "AWS_SECRET_ACCESS_KEY": "nothing",
                 "AWS_SHARED_CREDENTIALS_FILE": str(keys)}
        self.assertIn("InvalidAccessKeyId", self.tool("ls", self.prefix, code=2, env=other).stderr)
        self.assertIn("PRE", self.tool("ls", self.prefix, "--profile", "tester", env=other).stdout)

    def test_refusals_of_the_server_are_reported(self):
        self.assertIn("NoSuchBucket", self.tool("ls", "s3://no-such-bucket-here/", code=2).stderr)
        wrong = {**os.environ, "AWS_SECRET_ACCESS_KEY": "wrong-secret"}
        out = self.tool("ls", self.prefix, code=2, env=wrong).stderr
        self.assertIn("SignatureDoesNotMatch", out)
        self.assertNotIn("wrong-secret", out)


if __name__ == "__main__":
    reason = why_not()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    unittest.main()
