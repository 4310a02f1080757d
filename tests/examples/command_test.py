#!/usr/bin/env python3
"""The command-line tool, as a user calls it. `dump` prints the expected content of every golden run.

TENSORTAP_COMMAND names the program.
"""
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

COMMAND = os.environ.get("TENSORTAP_COMMAND")
GOLDEN = Path(__file__).resolve().parent.parent / "data" / "golden"


def differences(expected, actual, path=""):
    """Yields the differences of two documents. Numbers below "reductions" may differ by 1e-6: numpy sums in float32."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in sorted(expected.keys() | actual.keys()):
            if key not in expected or key not in actual:
                yield f"{path}/{key}: only {'expected' if key in expected else 'there'}"
            else:
                yield from differences(expected[key], actual[key], f"{path}/{key}")
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for i, pair in enumerate(zip(expected, actual)):
            yield from differences(*pair, f"{path}[{i}]")
    elif "/reductions/" in path and {type(expected), type(actual)} <= {int, float}:
        if abs(expected - actual) > 1e-6 * abs(expected):
            yield f"{path}: {expected} expected, {actual} there"
    elif type(expected) is not type(actual) or expected != actual:
        yield f"{path}: {expected!r} expected, {actual!r} there"


def crc32c(data):
    """Returns the CRC-32C of bytes, slowly."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def pack(run, worker="worker_0"):
    """Puts the step files of a worker into one segment, as include/tensortap/record/README.md says."""
    steps = {"index": {}, "events": {}}
    for kind, suffix in (("index", "json"), ("events", "tfevents")):
        for path in sorted(run.glob(f"{kind}/*/*_{worker}.{suffix}")):
            steps[kind][path.relative_to(run).as_posix()] = path.read_bytes()
            path.unlink()
    files = {**steps["index"], **steps["events"]}
    numbers = [int(Path(key).name.split("_")[0]) for key in steps["index"]]
    key = f"index/packed/{worker}/000000000_{numbers[0]:012}-{numbers[-1]:012}.pack"
    manifest, start = f"{key}\n", 0
    for name, content in files.items():
        manifest += f"{start} {len(content)} {crc32c(content):x} {name}\n"
        start += len(content)
    manifest = manifest.encode()
    segment = run / key
    segment.parent.mkdir(parents=True)
    segment.write_bytes(f"tensortap-segment 1 {len(manifest):010} {crc32c(manifest):08x}\n".encode() + manifest + b"".join(files.values()))
    return segment


def files_of(run):
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in run.rglob("*") if path.is_file()}


def below(threshold):
    """Returns the arguments of judge that find gradients below `threshold`."""
    return "--smdebug", "--rule", "VanishingGradient", "--set", f"VanishingGradient.threshold={threshold}"


@unittest.skipUnless(COMMAND, "TENSORTAP_COMMAND is not set: the examples are not built")
class CommandTest(unittest.TestCase):
    def call(self, *arguments, code=0):
        result = subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, code, result.stdout[-2000:] + result.stderr)
        return result.stdout + result.stderr

    def test_dump_of_every_golden_run(self):
        expectations = sorted(GOLDEN.glob("*.expected.json"))
        self.assertEqual(len(expectations), 24)
        for path in expectations:
            run = path.name.removesuffix(".expected.json").replace(".", "/")  # spot.run1 is spot/run1
            with self.subTest(run=run):
                damaged = run == "missing_event_file"
                actual = json.loads(self.call("dump", GOLDEN / run, code=1 if damaged else 0))
                damage = actual.pop("damage")
                expected = json.loads(path.read_text(encoding="utf-8"))
                expected.pop("damage", None)
                for collection in expected["collections"].values():
                    del collection["save_histogram"]  # means nothing to tensortap
                for steps in actual["tensors"].values():
                    for workers in steps.values():
                        for saved in workers.values():
                            saved.pop("non_finite", None)  # counts of our own
                self.assertEqual(list(differences(expected, actual))[:5], [])
                self.assertEqual(len(damage), 1 if damaged else 0, damage)

    def test_the_comparison_can_fail(self):
        self.assertTrue(list(differences({"a": 1}, {"a": 1.0})))
        self.assertTrue(list(differences({"a": [1]}, {"a": []})))
        self.assertTrue(list(differences({"t": {"reductions": {"min": 1.0}}}, {"t": {"reductions": {"min": 1.00001}}})))
        self.assertFalse(list(differences({"t": {"reductions": {"min": 1.0}}}, {"t": {"reductions": {"min": 1.0000001}}})))

    def test_the_report_on_xgboost(self):
        report = json.loads(self.call("report", GOLDEN / "xgboost_like", "--xgboost"))
        self.assertEqual(report["objective"], "binary:logistic")
        self.assertEqual(set(report["metrics"]), {"train-rmse", "validation-auc"})
        self.assertEqual(len(report["confusion"]["counts"]), 2)

    def test_check_tells_sound_from_damaged(self):
        self.assertTrue(self.call("check", GOLDEN / "basic").startswith("sound: 9 tensors"))
        self.assertIn("the events file is missing", self.call("check", GOLDEN / "missing_event_file", code=1))

    def test_packed_runs_are_read_and_unpacked(self):
        with tempfile.TemporaryDirectory() as folder:
            for golden in ("basic", "reductions"):
                plain, packed, copy = (Path(folder) / f"{golden}_{name}" for name in ("plain", "packed", "copy"))
                for run in plain, packed:
                    shutil.copytree(GOLDEN / golden, run)
                (packed / "claim.smd").unlink(missing_ok=True)
                (plain / "claim.smd").unlink(missing_ok=True)
                segment = pack(packed)
                for command in "dump", "check", "show", "ls":
                    expected = self.call(command, plain).replace(str(plain), str(packed))
                    self.assertEqual(self.call(command, packed), expected)
                self.assertRegex(self.call("unpack", packed, copy), r"^copied: \d+ steps, \d+ files of steps and \d+ other objects?\n$")
                self.assertEqual(files_of(copy), files_of(plain))
                self.assertTrue(segment.exists())
                whole = segment.read_bytes()
                segment.write_bytes(whole[:-1])
                self.assertIn(f"damaged: index/packed/worker_0/{segment.name}: segment", self.call("check", packed, code=1))
                self.assertIn("damaged: index/packed/", self.call("unpack", packed, code=1))
                segment.write_bytes(whole)
                self.assertRegex(self.call("unpack", packed), r"^unpacked: 1 segment, \d+ steps, \d+ files, \d+ bytes\n$")
                self.assertEqual(files_of(packed), files_of(plain))
                self.assertEqual(self.call("unpack", packed), "nothing is packed\n")
            self.assertIn("it is no run", self.call("unpack", folder, code=2))

    def test_diff_names_the_first_difference(self):
        run = GOLDEN / "basic"
        self.assertRegex(self.call("diff", run, run), r"^compared: \d+ values in \d+ steps: (\d+) equal, 0 within round-off, 0 different\n$")
        found = json.loads(self.call("diff", run, run, "--json"))
        self.assertTrue(found["same_values"])
        self.assertEqual(found["compared"], found["equal"])
        other = GOLDEN / "save_all"
        found = json.loads(self.call("diff", run, other, "--json", code=1))
        self.assertFalse(found["same_values"])
        self.assertIn("different", self.call("diff", run, other, code=1))
        self.assertIn("run", self.call("diff", run, run / "nothing", code=2))

    def test_diff_reads_a_changed_element(self):
        with tempfile.TemporaryDirectory() as folder:
            changed = Path(folder) / "changed"
            shutil.copytree(GOLDEN / "basic", changed)
            index = json.loads(sorted(changed.glob("index/*/*.json"))[0].read_text(encoding="utf-8"))
            loss = index["tensor_payload"][-1]
            text = self.call("show", changed, loss["tensorname"], "--step", str(index["meta"]["mode_step"]))
            value = float(text.splitlines()[-1])
            events = changed / index["meta"]["event_file_name"]
            record = events.read_bytes()
            begin, end = loss["start_idx"] + 12, loss["start_idx"] + loss["length"] - 4  # of the payload
            payload = record[begin:end].replace(struct.pack("<f", value), struct.pack("<f", value + 1))
            crc = crc32c(payload)
            masked = struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
            events.write_bytes(record[:begin] + payload + masked + record[end + 4:])
            found = json.loads(self.call("diff", GOLDEN / "basic", changed, "--json", code=1))
            self.assertEqual(found["first_difference"]["tensor"], loss["tensorname"])
            self.assertAlmostEqual(float(found["first_difference"]["second"]), value + 1, places=5)
            self.assertEqual(found["compared"] - found["equal"] - found["within_round_off"], 1)

    def test_prune_removes_the_oldest_steps(self):
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "run"
            shutil.copytree(GOLDEN / "modes", run)
            (run / "claim.smd").unlink(missing_ok=True)
            self.assertIn("name --steps", self.call("prune", run, code=2))
            self.assertRegex(self.call("prune", run, "--steps", "3", "--dry-run"), r"^would remove: 5 steps, 10 objects, ")
            self.assertRegex(self.call("prune", run, "--steps", "3"), r"^removed: 5 steps, 10 objects, \d+ bytes\nleft: 3 steps, \d+ bytes\n$")
            self.assertIn("sound", self.call("check", run))
            self.assertEqual(len(list(run.glob("index/*/*.json"))), 3)
            self.assertIn("it is no run", self.call("prune", folder, "--steps", "1", code=2))

    def test_lost_steps_and_repeated_steps_are_told(self):
        loss = {"reason": "write_failed", "first_step": 5, "last_step": 7, "steps": 3, "tensors": 12, "bytes": 4096}
        attempt = {"run": 0, "worker": "worker_0", "resumed_at": -1, "losses": [loss], "error": "disk\x1b[2Jfull"}
        with tempfile.TemporaryDirectory() as directory:
            run = Path(directory) / "run"
            shutil.copytree(GOLDEN / "basic", run)
            (run / "attempts").mkdir()
            (run / "attempts/000000000_worker_0.json").write_text(json.dumps(attempt))
            line = "lost: 3 steps and 12 tensors (4096 bytes) were lost, in steps 5 to 7: disk\\x1b[2Jfull\n"
            out = self.call("check", run, code=1)
            self.assertIn(line, out)
            self.assertIn("incomplete: 9 tensors", out)
            self.assertIn(line, self.call("show", run, code=1))
            self.assertEqual(json.loads(self.call("dump", run, code=1))["losses"],
                             {"steps": 3, "tensors": 12, "bytes": 4096, "first_step": 5, "last_step": 7,
                              "error": "disk\\x1b[2Jfull"})
            result = subprocess.run([COMMAND, "judge", run], capture_output=True, text=True, timeout=60)
            self.assertIn(line, result.stdout)
            shutil.rmtree(run)
            shutil.copytree(GOLDEN / "modes", run)
            first, second = sorted(run.glob("index/*/*.json"))[1:3]  # both are TRAIN
            index = json.loads(second.read_text())
            for key in ("mode", "mode_step"):
                index["meta"][key] = json.loads(first.read_text())["meta"][key]
            second.write_text(json.dumps(index))
            out = self.call("check", run)
            self.assertRegex(out, "repeated: TRAIN step 0 is in the global steps 2 4; ")
            sound = self.call("check", GOLDEN / "modes")
            self.assertEqual(out.splitlines()[-1], sound.splitlines()[-1])  # as many records

    def test_ls(self):
        out = self.call("ls", GOLDEN / "modes")
        self.assertIn("ended, 1 worker", out)
        self.assertIn("steps (global steps)", out)
        self.assertIn("  TRAIN: 4 steps, 2 to 12\n  EVAL: 2 steps, 7 to 14\n  PREDICT: 1 step, 9\n  GLOBAL: 1 step, 0\n", out)
        self.assertIn("  TRAIN: 4 steps, 0 to 6\n", self.call("show", GOLDEN / "modes", "--mode", "train"))
        self.assertIn("gradient/Net_conv0.bias: 5 steps, 0 to 12", out)
        self.assertIn("  default: no tensor; it has neither patterns nor names\n", out)
        self.assertEqual(self.call("show", GOLDEN / "modes"), out)

    def test_names_cannot_play_with_the_terminal(self):
        out = self.call("ls", GOLDEN / "names")
        self.assertIn("new\\nline", out)
        self.assertIn("space and\\ttab", out)

    def test_show(self):
        out = self.call("show", GOLDEN / "basic", "Net_head0.weight", "--step", 3)
        self.assertRegex(out, r"global step 3, worker_0, float32, shape \[3, 2\]\n1\.28401\d+ -1\.98737\d+\n")
        history = self.call("show", GOLDEN / "basic", "Net_head0.weight")
        self.assertEqual(len(history.splitlines()), 5)  # a heading and four steps
        eval_steps = self.call("show", GOLDEN / "modes", "CrossEntropyLoss_output_0", "--mode", "EVAL")
        self.assertEqual([line.split()[0] for line in eval_steps.splitlines()], ["EVAL", "1", "3"])
        self.assertIn("nothing was saved in global step 1 (it has 4 steps, ",
                      self.call("show", GOLDEN / "basic", "Net_head0.weight", "--step", 1, code=2))

    def test_ls_counts_attempts(self):
        with tempfile.TemporaryDirectory() as folder:
            run = RunFromGolden(Path(folder) / "run")
            run.begin(0, -1)
            self.assertIn("running or interrupted, 1 worker, 1 attempt\n", self.call("ls", run.path))
            run.begin(1, 0)
            self.assertIn("1 worker, 2 attempts\n", self.call("ls", run.path))
        self.assertIn("1 worker\n", self.call("ls", GOLDEN / "basic"))

    def test_help_and_version(self):
        self.assertIn("Examples:", self.call("--help"))
        for command in ("show", "ls", "check", "dump", "judge", "report", "rules", "cp", "sync"):
            help_text = self.call(command, "--help")
            examples = help_text.partition("Examples:\n")[2].strip().splitlines()
            self.assertIn(len(examples), (2, 3, 4, 5), help_text)
            for line in examples:
                self.assertTrue(line.strip().startswith(f"tensortap {command}"), line)
            if command != "rules":
                self.assertIn("--endpoint-url", help_text)
        self.assertIn("Exit codes of all subcommands:", self.call("--help"))
        self.assertRegex(self.call("--version"), r"^tensortap \d+\.\d+\.\d+\n$")

    def test_mistakes_are_reported(self):
        with tempfile.TemporaryDirectory() as empty:
            self.assertIn("no such run", self.call("ls", empty, code=2))
        self.assertIn('no tensor is named "nothing"; "tensortap show ', self.call("show", GOLDEN / "basic", "nothing", code=2))

    def test_mistakes_of_the_command_line_are_named_with_what_was_meant(self):
        basic = GOLDEN / "basic"
        for arguments, text in (
                ((), 'name a command: "show", "ls", '),
                (("shwo", basic), 'no command is called "shwo"; did you mean "show"?'),
                (("--region", "eu", "jugde", basic), 'no command is called "jugde"; did you mean "judge"?'),
                (("show", basic, "Net_haed0.weight"), 'no tensor is named "Net_haed0.weight"; did you mean "Net_head0.weight"?'),
                (("show", basic, "NET_HEAD0.WEIGHT"), 'did you mean "Net_head0.weight"?'),
                (("show", basic, "--setp", 3), 'no option is called "--setp"; did you mean "--step"?'),
                (("judge", basic, "--rul=all"), 'did you mean "--rule"?'),
                (("judge", basic, "--rule", "VanishingGradeint"), 'did you mean "VanishingGradient"?'),
                (("judge", basic, "--set", "VanishingGradient.treshold=1"), 'did you mean "threshold"?'),
                (("judge", basic, "--set", "VanishingGradients.threshold=1"), 'did you mean "VanishingGradient"?'),
                (("judge", basic, "--rule", "ExplodingTensor", "--set", "VanishingGradient.threshold=1"), "not among those of --rule"),
                (("judge", basic, "--set", "threshold=1"), "it is not RULE.PARAMETER=VALUE"),
                (("judge", basic, "--set", "VanishingGradient.threshold"), "it is not RULE.PARAMETER=VALUE"),
                (("judge", basic, "--severity", "bad"), "--severity"),
                (("rules", "VanishingGradeint"), 'did you mean "VanishingGradient"?'),
                (("show", basic, "a", "b"), 'one argument too many: "b"'),
                (("show",), "RUN is required"),
                (("show", basic, "--all"), "--all shows the elements of a tensor in one step; name both"),
                (("judge", basic, "--timeout", 5), "--follow"),
                (("ls", basic, "--recursive"), "--recursive is for the objects of a bucket"),
                (("show", basic, ""), "TENSOR: the name is empty"),
                (("show", basic, "Net_head0.weight", "--worker", ""), "--worker: the name is empty"),
                (("judge", basic, "--rule", ""), "--rule: the name is empty"),
        ):
            with self.subTest(arguments=arguments):
                said = self.call(*arguments, code=2)
                self.assertTrue(said.startswith("tensortap: "), said)
                self.assertEqual(said.count("\n"), 1, said)
                self.assertIn(text, said)

    def test_numbers_that_mean_nothing_are_refused(self):
        basic = GOLDEN / "basic"
        for value in ("1e999", "0x1p3", "1x", " 1", "1,5"):
            with self.subTest(value=value):
                said = self.call("judge", basic, "--set", f"VanishingGradient.threshold={value}", code=2)
                self.assertIn("threshold: the value is not of its type", said)
        for arguments in (("judge", basic, "--since", "x"), ("judge", basic, "--since=-1"),
                          ("judge", basic, "--follow", "--timeout", "nan"), ("judge", basic, "--follow", "--timeout=-1"),
                          ("show", basic, "--step", "99999999999999999999999"), ("show", basic, "--step", "9223372036854775808"),
                          ("show", basic, "--step=-1"), ("show", basic, "--step", "1.5"), ("show", basic, "--step", "3x"),
                          ("show", basic, "--step", ""), ("show", basic, "Net_head0.weight", "--step", "1e3")):
            with self.subTest(arguments=arguments):
                said = self.call(*arguments, code=2)
                self.assertRegex(said, r"^tensortap: (judge|show): --(since|timeout|step): ")

    def test_output_that_cannot_be_written_is_an_error(self):
        basic = GOLDEN / "basic"
        commands = (("show", basic), ("show", basic, "Net_head0.weight"), ("show", basic, "Net_head0.weight", "--step", 3),
                    ("show", basic, "--step", 3), ("ls", basic), ("ls", GOLDEN), ("check", basic), ("dump", basic),
                    ("judge", basic), ("judge", basic, *below(1e9)), ("judge", basic, *below(1e9), "--json"), ("rules",), ("rules", "--json"), ("--help",), ("show", "--help"), ("--version",))
        for command in commands:
            with self.subTest(command=command), open("/dev/full", "wb") as full:
                result = subprocess.run([COMMAND, *map(str, command)], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
                self.assertEqual(result.returncode, 2)
                self.assertEqual(result.stderr, "tensortap: cannot write standard output: No space left on device\n")
            with self.subTest(command=command, pipe=True):
                reader, writer = os.pipe()
                os.close(reader)
                result = subprocess.run([COMMAND, *map(str, command)], stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60)
                os.close(writer)
                self.assertEqual(result.returncode, 2)
                self.assertEqual(result.stderr, "tensortap: cannot write standard output: Broken pipe\n")


@unittest.skipUnless(COMMAND, "TENSORTAP_COMMAND is not set: the examples are not built")
class CopyMistakesTest(unittest.TestCase):
    """Mistakes that are found without a server; examples/copy_test.py tests the copies."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.environment = {"PATH": os.environ["PATH"], "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none-of-it",
                            "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
        if "is built without S3" in self.call("cp", "-", "s3://bucket/"):
            self.skipTest("the tool is built without S3")

    def call(self, *arguments):
        result = subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=60,
                                stdin=subprocess.DEVNULL, env=self.environment)
        self.assertEqual(result.returncode, 2, result.stdout + result.stderr)
        self.assertNotIn("none-of-it", result.stdout + result.stderr)
        return result.stderr

    def test_one_end_must_be_local(self):
        for verb in ("cp", "sync"):
            self.assertIn("none is in S3", self.call(verb, self.folder, "elsewhere"))
            self.assertIn("both are in S3", self.call(verb, "s3://bucket/a", "s3://bucket/b"))

    def test_invalid_places(self):
        self.assertIn("the bucket name is not valid", self.call("ls", "s3://"))
        self.assertIn("the bucket name is not valid", self.call("cp", "-", "s3://?/key"))
        self.assertIn("No such file", self.call("cp", self.folder / "nothing", "s3://bucket/key"))
        self.assertIn("it is a directory", self.call("cp", self.folder, "s3://bucket/key"))
        self.assertIn("no such directory", self.call("sync", self.folder / "nothing", "s3://bucket/key"))
        self.assertIn("no such directory", self.call("cp", "--recursive", self.folder / "nothing", "s3://bucket/key"))
        self.assertIn("not a relative path", self.call("cp", __file__, "s3://bucket/a/../b"))

    def test_no_server(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"
            said = self.call("ls", "s3://bucket/", "--endpoint-url", endpoint, "--region", "eu-central-1")
            self.assertIn(endpoint.removeprefix("http://") + ": no connection", said)

    def test_a_missing_ca_bundle(self):
        said = self.call("ls", "s3://bucket/", "--endpoint-url", "https://127.0.0.1:1", "--ca-bundle", self.folder / "no.pem")
        self.assertIn("no.pem", said)


class RunFromGolden:
    """Writes a run step by step, from a golden run whose steps 3, 6, 9 and 12 have four gradients each."""

    def __init__(self, path):
        self.path = path

    def put(self, name, text):
        """Writes an object at once, as the library does."""
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(target.name + ".tmp")
        temporary.write_text(text, encoding="utf-8")
        temporary.rename(target)

    def begin(self, attempt, resumed_at, **more):
        self.put(f"attempts/{attempt:09}_worker_0.json",
                 json.dumps({"run": attempt, "worker": "worker_0", "resumed_at": resumed_at, **more}))
        name = "collections/000000000/worker_0_collections.json"
        self.put(name, (GOLDEN / "basic" / name).read_text(encoding="utf-8"))

    def save(self, attempt, step):
        events = f"events/{step:012}/{step:012}_worker_0.tfevents"
        (self.path / events).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(GOLDEN / "basic" / events, self.path / events)
        name = f"index/000000000/{step:012}_worker_0.json"
        index = json.loads((GOLDEN / "basic" / name).read_text(encoding="utf-8"))
        index["meta"]["run"] = attempt
        self.put(name, json.dumps(index))

    def set_aside(self, attempt, step):
        name = f"index/000000000/{step:012}_worker_0.json"
        target = self.path / f"superseded/{attempt:09}" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (self.path / name).rename(target)

    def end(self):
        self.put("training_job_end.ts", "")


@unittest.skipUnless(COMMAND, "TENSORTAP_COMMAND is not set: the examples are not built")
class JudgeTest(unittest.TestCase):
    TIMEOUT = 60  # seconds until a process that follows a run is killed

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.run_ = RunFromGolden(self.folder / "run")

    def judge(self, *arguments, code):
        result = subprocess.run([COMMAND, "judge", *map(str, arguments)], capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        return result.stdout + result.stderr

    def start(self, *arguments):
        """Starts to follow a run that does not exist yet. Kills the process after TIMEOUT seconds."""
        process = subprocess.Popen([COMMAND, "judge", str(self.run_.path), "--follow", *arguments],
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        timer = threading.Timer(self.TIMEOUT, process.kill)
        timer.start()
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(timer.cancel)
        return process

    def read_until(self, process, text):
        """Returns the lines up to the one that begins with `text`."""
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith(text):
                return lines
        why = "was killed after" if process.wait() == -signal.SIGKILL else "ended within"
        self.fail(f"the judge {why} {self.TIMEOUT} s without a line that begins with {text!r}: {lines}")

    def test_a_verdict_afterwards(self):
        self.assertEqual(self.judge(GOLDEN / "basic", *below(1e-7), code=0),
                         "0 findings in 6 tensors and 4 steps that were judged: the run has ended\n")
        stop = self.folder / "stop"
        lines = self.judge(GOLDEN / "basic", *below(1e9), "--stop-file", stop, code=1).splitlines(keepends=True)
        self.assertEqual(lines[-1], "4 findings in 6 tensors and 4 steps that were judged: the run has ended\n")
        self.assertEqual(len(lines), 5)
        for line in lines[:4]:
            self.assertRegex(line, r'^VanishingGradient: step 3: "gradient/.*": its mean magnitude is .*, below 1e\+09; .*; '
                                   r"in 4 steps, the last is step 12$")
        self.assertIn(stop.read_text(encoding="utf-8"), [line.partition("; in 4 steps")[0] + "\n" for line in lines[:4]])

    def test_findings_as_json(self):
        out = self.judge(GOLDEN / "basic", *below(0.4), "--json", code=1)
        self.assertEqual([json.loads(line) for line in out.splitlines()], [
            {"rule": "VanishingGradient", "severity": "error", "step": first, "mode": "GLOBAL", "mode_step": first,
             "tensor": tensor, "worker": "worker_0", "value": value, "threshold": 0.4, "first_step": first, "last_step": 12,
             "count": count, "message": f"its mean magnitude is {value}, below 0.4; look at the layers behind it, for saturated and dead units"}
            for first, tensor, value, count in ((6, "gradient/Net_res1.weight", 0.392089169472456, 2),
                                                (12, "gradient/Net_res1.bias", 0.21204792708158493, 1))])
        self.assertEqual(self.judge(GOLDEN / "basic", *below(1e-7), "--json", code=0), "")

    def test_findings_of_a_severity_or_since_a_step(self):
        def tensors(*arguments, code=1):
            out = self.judge(GOLDEN / "basic", *below(0.65), "--json", *arguments, code=code)
            return [json.loads(line)["tensor"] for line in out.splitlines()]
        self.assertEqual(len(tensors()), 3)
        self.assertEqual(tensors("--severity", "error"), tensors())
        self.assertEqual(tensors("--since", 12), tensors())
        self.assertEqual(tensors("--since", 13, code=0), [])

    def test_each_step_can_have_its_finding(self):
        out = self.judge(GOLDEN / "basic", *below(0.65), "--each", "--json", code=1)
        self.assertEqual(sorted((line["step"], line["count"], line["tensor"]) for line in map(json.loads, out.splitlines())), [
            (step, 1, f"gradient/Net_{name}") for step, name in (
                (3, "res1.bias"), (6, "head0.weight"), (6, "res1.weight"), (9, "res1.weight"), (12, "head0.weight"), (12, "res1.bias"),
                (12, "res1.weight"))])

    def test_the_rules_of_smdebug_have_its_parameters(self):
        result = subprocess.run([COMMAND, "rules", "--smdebug", "--json"], capture_output=True, text=True, timeout=60, check=True)
        known = {rule["rule"]: {one["name"]: one["default"] for one in rule["parameters"]}
                 for rule in map(json.loads, result.stdout.splitlines())}
        self.assertNotIn("InputRange", known)
        self.assertEqual(known["CheckInputImages"]["regex"], ".*hybridsequential0_input_0")
        self.assertIn('no such rule', self.judge(GOLDEN / "basic", "--smdebug", "--rule", "InputRange", code=2))

    def test_all_rules_judge_by_default(self):
        out = self.judge(GOLDEN / "basic", "--set", "VanishingGradient.threshold=1e9", code=1)
        self.assertIn('VanishingGradient (advice): step 3: "gradient/', out)
        self.assertEqual(self.judge(GOLDEN / "basic", "--rule", "all", "--set", "VanishingGradient.threshold=1e9", code=1), out)
        some = self.judge(GOLDEN / "basic", "--rule", "ExplodingTensor,VanishingGradient", code=0)
        self.assertRegex(some, "^0 findings in [0-9]+ tensors and 7 steps that were judged: the run has ended\n$")

    def test_the_rules_are_listed(self):
        def rules(*arguments):
            result = subprocess.run([COMMAND, "rules", *arguments], capture_output=True, text=True, timeout=60, check=True)
            return result.stdout
        listed = [json.loads(line) for line in rules("--json").splitlines()]
        names = [rule["rule"] for rule in listed]
        self.assertEqual(names, sorted(names))
        self.assertIn("ExplodingTensor", names)
        text = rules()
        for rule in listed:
            self.assertIn(rule["rule"] + ": ", text)
            self.assertIn(rule["condition"], text)
            self.assertIn(rule["needs"], text)
        one = json.loads(rules("VanishingGradient", "--json"))
        self.assertIn({"name": "threshold", "default": "1e-07", "meaning": "a mean magnitude below it is a finding"}, one["parameters"])
        self.assertTrue(rules("VanishingGradient").startswith("VanishingGradient: "))

    def test_mistakes(self):
        self.assertIn("no such run", self.judge(self.folder / "nothing", code=2))
        self.assertIn("no such run", self.judge(self.folder / "nothing", "--follow", "--timeout", 0, code=2))
        (self.folder / "file").touch()
        out = self.judge(GOLDEN / "basic", *below(1e9), "--stop-file", self.folder / "file" / "stop", code=2)
        self.assertIn(": failed: action: store: ", out)
        self.assertIn("no_such_rule", self.judge(GOLDEN / "basic", "--rule", "no_such_rule", code=2))

    def test_a_run_that_has_not_ended_is_judged(self):
        self.run_.begin(0, -1)
        self.run_.save(0, 0)  # without gradients
        self.assertIn("nothing was judged: ", self.judge(self.run_.path, *below(1e-7), code=2))
        self.run_.save(0, 3)
        self.assertIn("and 1 step that were judged: the run is running or interrupted", self.judge(self.run_.path, *below(1e-7), code=0))
        self.assertIn("and 1 step that were judged: the time is up", self.judge(self.run_.path, *below(1e-7), "--follow", "--timeout", 0, code=0))

    def test_a_run_is_followed_through_two_interruptions(self):
        at_step_6 = 'VanishingGradient: step 6: "gradient/Net_res1.weight"'
        at_step_12 = 'VanishingGradient: step 12: "gradient/Net_res1.bias"'
        process = self.start(*below(0.4), "--stop-file", str(self.folder / "stop"))
        self.run_.begin(0, -1)
        for step in (3, 6, 12):
            self.run_.save(0, step)
        self.read_until(process, at_step_12)
        self.assertTrue((self.folder / "stop").is_file())
        for attempt, steps in ((1, (12, 6)), (2, (6,))):
            self.run_.begin(attempt, 3)
            for step in steps:
                self.run_.set_aside(attempt, step)
            self.run_.save(attempt, 6)
            lines = self.read_until(process, at_step_6)
            count = "2 steps" if attempt == 1 else "1 step"
            self.assertIn(f"attempt {attempt} continues after step 3; {count} set aside\n", lines)
        self.run_.save(2, 9)
        self.run_.save(2, 12)
        self.run_.end()
        lines = self.read_until(process, "2 findings in 6 tensors and 4 steps that were judged: the run has ended")
        self.assertEqual(process.wait(timeout=60), 1)
        self.assertEqual([line.partition(":")[2][:8].strip() for line in lines[:-1]], ["step 12", "step 6:", "step 12"])

    def test_a_rename_of_the_run_ends_it(self):
        process = self.start(*below(1e9))
        self.run_.begin(0, -1)
        self.run_.save(0, 3)
        self.read_until(process, "VanishingGradient: step 3: ")
        self.run_.path.rename(self.folder / "renamed")
        lines = self.read_until(process, "tensortap: trial: ")
        self.assertIn("the run was removed or renamed while it was read; open it again, by its new name", lines[-1])
        self.assertEqual(process.wait(timeout=60), 2)

    def test_a_signal_ends_it_with_a_verdict(self):
        process = self.start(*below(1e9))
        self.run_.begin(0, -1)
        self.run_.save(0, 3)
        self.read_until(process, "VanishingGradient: step 3: ")
        process.send_signal(signal.SIGTERM)
        self.read_until(process, "4 findings in 6 tensors and 1 step that were judged: stopped by a signal")
        self.assertEqual(process.wait(timeout=60), 1)

    def test_a_reader_that_goes_ends_it(self):
        process = self.start(*below(1e9))
        self.run_.begin(0, -1)
        self.run_.save(0, 3)
        self.read_until(process, "VanishingGradient: step 3: ")
        process.stdout.close()
        for step in (6, 9, 12):
            self.run_.save(0, step)
        self.run_.end()
        self.assertEqual(process.wait(timeout=60), 2)

    @unittest.skipUnless(Path("/proc/self/status").exists(), "there is no /proc to see whether it listens to signals")
    def test_a_signal_ends_the_wait_for_a_run(self):
        process = self.start()
        bit = 1 << (signal.SIGTERM - 1)
        caught = 0
        while not caught & bit:
            self.assertIsNone(process.poll())
            for line in Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8").splitlines():
                if line.startswith("SigCgt:"):
                    caught = int(line.split()[1], 16)
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        self.read_until(process, "0 findings: stopped by a signal")
        self.assertEqual(process.wait(timeout=60), 2)


if __name__ == "__main__":
    unittest.main()
