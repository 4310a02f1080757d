#!/usr/bin/env python3
"""ls, cp and sync of the command-line tool against a real S3 server.

`tests/net/s3/radosgw run --` starts the server; TENSORTAP_COMMAND names the tool. Exits with 77 if a program is missing.
"""
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

from command_test import RunFromGolden

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
        folder = self.prefix.removeprefix(f"s3://{BUCKET}/")
        listed = [json.loads(line) for line in self.tool("ls", self.prefix + "/", "--json").stdout.splitlines()]
        self.assertLess(abs(listed[1].pop("modified") - time.time()), 3600)
        self.assertEqual(listed, [{"prefix": folder + "/sub/"}, {"key": folder + "/one", "size": 5}])
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
        out = self.tool("sync", self.prefix, self.folder / "in", code=2)
        self.assertEqual(self.names("in"), ["fine"])
        self.assertEqual(out.stderr.count("skipped: "), 5, out.stderr)
        self.assertFalse((self.folder / "up").exists() or Path("/outside").exists())

    def test_links_are_followed_in_sending_as_awscli_does(self):
        self.file("elsewhere/deep/file", b"1")
        self.file("tree/file", b"2")
        tree = self.folder / "tree"
        (tree / "directory").symlink_to(self.folder / "elsewhere")
        (tree / "link").symlink_to("file")
        self.tool("sync", tree, self.prefix)
        self.assertEqual(self.keys(), ["directory/deep/file", "file", "link"])
        self.assertEqual(self.tool("sync", "--delete", tree, self.prefix).stdout, "")
        out = self.tool("sync", "--no-follow-symlinks", tree, self.prefix, code=2)
        self.assertEqual(out.stderr.count("it is a symbolic link"), 2, out.stderr)

    def test_links_in_a_circle_or_to_nothing_are_passed_over(self):
        self.file("tree/a/file", b"1")
        tree = self.folder / "tree"
        (tree / "a" / "up").symlink_to(tree)
        (tree / "self").symlink_to("self")
        (tree / "nothing").symlink_to("nowhere")
        out = self.tool("sync", tree, self.prefix, code=2)
        self.assertEqual(self.keys(), ["a/file"])
        for text in ("a/up/: it is a symbolic link to a directory that contains it", "self: it is a symbolic link",
                     "nothing: it is a symbolic link that leads nowhere"):
            self.assertIn(text, out.stderr)
        self.assertEqual(self.tool("sync", "--exclude", "self", "--exclude", "nothing", "--exclude", "a/up/*", tree,
                                   self.prefix).stderr, "")

    def test_nothing_is_deleted_below_what_is_passed_over(self):
        self.file("tree/file", b"1")
        self.file("tree/gone", b"1")
        self.file("tree/was_file", b"1")
        self.file("tree/was_directory/a/b", b"1")
        tree = self.folder / "tree"
        self.tool("sync", tree, self.prefix)
        (tree / "gone").unlink()
        (tree / "was_file").unlink()
        shutil.rmtree(tree / "was_directory")
        (tree / "was_file").symlink_to("nowhere")
        (tree / "was_directory").symlink_to("nowhere")
        out = self.tool("sync", "--delete", tree, self.prefix, code=2)
        self.assertEqual(self.keys(), ["file", "was_directory/a/b", "was_file"])
        self.assertEqual(out.stderr.count("leads nowhere"), 2)

    def test_no_symbolic_link_is_followed_or_replaced_in_receiving(self):
        elsewhere = self.file("elsewhere/secret", b"secret").parent
        self.file("tree/file", b"1")
        tree = self.folder / "tree"
        for key in ("link/secret", "other", "file"):
            self.tool("cp", self.file("new", b"new"), f"{self.prefix}/{key}")
        (tree / "link").symlink_to(elsewhere)
        (tree / "other").symlink_to(elsewhere / "secret")
        out = self.tool("sync", self.prefix, tree, code=2)
        self.assertIn("symbolic links inside a run are not followed", out.stderr)
        self.assertIn("it is a symbolic link, which a download neither follows nor replaces", out.stderr)
        self.assertEqual((tree / "file").read_bytes(), b"new")
        self.assertEqual((elsewhere / "secret").read_bytes(), b"secret")
        self.assertEqual(self.names("elsewhere"), ["secret"])
        self.assertTrue((tree / "other").is_symlink())
        self.tool("sync", "--delete", "--exclude", "*", "--include", "file", self.prefix, tree)
        self.assertEqual(self.names("elsewhere"), ["secret"])

    def test_a_download_goes_into_a_device_or_a_pipe_and_replaces_none(self):
        self.tool("cp", self.file("data", b"x" * MIB), f"{self.prefix}/key")
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        received = []
        reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
        reader.start()
        self.tool("cp", f"{self.prefix}/key", pipe)
        reader.join(60)
        self.assertTrue(received == [b"x" * MIB])
        self.assertTrue(pipe.is_fifo())
        targets = ["/dev/null"]
        try:
            os.mknod(self.folder / "null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
            open(self.folder / "null", "wb").close()
            targets.append(self.folder / "null")
        except OSError:
            pass  # not root, or a file system without devices
        for target in targets:
            self.tool("cp", f"{self.prefix}/key", target)
            self.assertTrue(Path(target).is_char_device())
        self.assertIn("No space left", self.tool("cp", f"{self.prefix}/key", "/dev/full", code=2).stderr)
        self.assertTrue(self.tool("cp", f"{self.prefix}/key", "/dev/stdout").stdout == "x" * MIB)
        (self.folder / "key").symlink_to("target")
        self.tool("cp", f"{self.prefix}/key", self.folder / "key")
        self.assertTrue((self.folder / "key").is_symlink())
        self.assertEqual((self.folder / "target").stat().st_size, MIB)
        (self.folder / "in").mkdir()
        os.mkfifo(self.folder / "in" / "key")
        for command in (("cp", f"{self.prefix}/key", self.folder / "in"), ("sync", self.prefix, self.folder / "in")):
            self.assertIn("it is not a regular file", self.tool(*command, code=2).stderr)
        self.assertTrue((self.folder / "in" / "key").is_fifo())
        self.assertEqual(self.tool("cp", "--dryrun", f"{self.prefix}/key", "-").stdout.count("x" * 100), 0)

    def test_what_vanishes_during_a_sync_is_passed_over(self):
        self.file("tree/a", b"1")
        self.file("tree/z", b"1")
        done = threading.Event()

        def make_and_remove():
            folder = self.folder / "tree" / "m"
            while not done.is_set():
                (folder / "sub").mkdir(parents=True, exist_ok=True)
                for name in ("sub/x", "y"):
                    (self.folder / "new").write_bytes(b"1")
                    (self.folder / "new").rename(folder / name)
                shutil.rmtree(folder)

        maker = threading.Thread(target=make_and_remove)
        maker.start()
        try:
            for number in range(40):
                self.tool("sync", self.folder / "tree", f"{self.prefix}/{number}")
        finally:
            done.set()
            maker.join()
        self.assertEqual([key for key in self.keys() if "/m/" not in key],
                         sorted(f"{number}/{name}" for number in range(40) for name in "az"))

    def test_a_directory_that_may_not_be_listed_is_named_and_the_rest_is_copied(self):
        if os.geteuid() != 0:
            self.skipTest("needs root to become another user")
        tool = self.folder / "tensortap"
        shutil.copy(COMMAND, tool)
        self.folder.chmod(0o755)
        for name in ("closed/in", "closed/deep/er", "open", "z"):
            self.file(f"tree/{name}", b"1")
        tree = self.folder / "tree"
        self.tool("sync", tree, self.prefix)
        (tree / "closed").chmod(0o700)
        (tree / "open").unlink()
        self.file("tree/new", b"1")

        plain = {**os.environ, "AWS_ENDPOINT_URL_S3": os.environ["TENSORTAP_S3_ENDPOINT"]}  # that user has no certificate
        plain.pop("AWS_CA_BUNDLE", None)

        def sync(*options):
            return subprocess.run([tool, "sync", "--delete", *options, tree, self.prefix], capture_output=True, text=True,
                                  timeout=120, env=plain, user=65534, group=65534, extra_groups=[])

        out = sync()
        self.assertEqual(out.returncode, 2, out.stderr)
        self.assertIn(f"skipped: {tree}/closed/: Permission denied", out.stderr)
        self.assertEqual(self.keys(), ["closed/deep/er", "closed/in", "new", "z"])
        out = sync("--exclude", "closed/*")
        self.assertEqual((out.returncode, out.stderr), (0, ""))
        (tree / "z").chmod(0o600)
        os.utime(tree / "z", (time.time() + 100,) * 2)
        out = sync("--exclude", "closed/*")
        self.assertEqual(out.returncode, 2)
        self.assertIn("Permission denied", out.stderr)

    def test_closed_streams_do_not_become_connections(self):
        for name in ("a", "b", "c"):
            self.file(f"tree/{name}", b"1" * 1000)
        for number, closed in enumerate((">&-", "<&-", ">&- 2>&- <&-", "2>&-")):
            command = f'exec "{COMMAND}" sync "{self.folder}/tree" "{self.prefix}/{number}" {closed}'
            result = subprocess.run(["sh", "-c", command], capture_output=True, timeout=120)
            self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(len(self.keys()), 12)

    def test_a_stopped_upload_leaves_no_parts(self):
        with open(self.file("large"), "wb") as file:
            file.truncate(400 * MIB)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            process = subprocess.Popen([COMMAND, "cp", self.folder / "large", f"{self.prefix}/large"],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            end = time.time() + 60
            while not self.uploads(0) and time.time() < end and process.poll() is None:
                time.sleep(0.02)
            process.send_signal(number)
            _, errors = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 2, errors)
            self.assertEqual(self.uploads(0), [])
        self.assertEqual(self.tool("ls", "--recursive", self.prefix + "/", code=2).stdout, "")

    def uploads(self, older_than, *options):
        result = subprocess.run([COMMAND, "uploads", self.prefix + "/", "--older-than", str(older_than), *options],
                                capture_output=True, text=True, timeout=120)
        self.assertIn(result.returncode, (0, 1), result.stderr)
        self.assertEqual(result.returncode, 1 if result.stdout and "--drop" not in options else 0)
        return result.stdout.splitlines()

    def test_uploads_that_a_killed_program_left_are_listed_and_dropped(self):
        with open(self.file("large"), "wb") as file:
            file.truncate(400 * MIB)
        process = subprocess.Popen([COMMAND, "cp", self.folder / "large", f"{self.prefix}/large"], stdout=subprocess.DEVNULL)
        end = time.time() + 60
        while not self.uploads(0) and time.time() < end and process.poll() is None:
            time.sleep(0.02)
        process.kill()
        process.wait()
        self.assertEqual(len(self.uploads(0)), 1)
        self.assertIn("/large ", self.uploads(0)[0])
        self.assertEqual(self.uploads(1), [])
        self.assertEqual(len(self.uploads(0, "--drop")), 1)
        self.assertEqual(self.uploads(0), [])
        self.assertIn("it is not in S3", self.tool("uploads", self.folder, code=2).stderr)

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

    def test_a_run_in_a_bucket_is_watched_while_it_is_written(self):
        run = RunFromGolden(self.folder / "run")
        process = subprocess.Popen([COMMAND, "watch", self.prefix, "--interval", "0.1", "--rule", "none"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        run.begin(0, -1)
        for step in 0, 3:
            run.save(0, step)
            self.tool("sync", "--quiet", run.path, self.prefix)
            while f"global step {step}, " not in (line := process.stdout.readline()):
                self.assertTrue(line)
                self.assertTrue(line.startswith(f"{self.prefix}: running or interrupted, attempt 1"), line)
        run.end()
        self.tool("sync", "--quiet", run.path, self.prefix)
        self.assertIn(f"{self.prefix}: ended, attempt 1\n", process.stdout.read())
        self.assertEqual(process.wait(timeout=60), 0)

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
