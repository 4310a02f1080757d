#!/usr/bin/env python3
"""Several processes of the tool that judge one run together, and what they print when it is joined.

TENSORTAP_COMMAND names the program.
"""
import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

COMMAND = os.environ.get("TENSORTAP_COMMAND")
ROOT = Path(__file__).resolve().parent.parent.parent
GOLDEN = ROOT / "tests" / "data" / "golden"
LAUNCHERS = ("OMPI_", "PMI_", "PMIX_", "SLURM_", "JOB_COMPLETION")
MPI = {"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "3"}
ARRAY = {"SLURM_ARRAY_TASK_ID": "14", "SLURM_ARRAY_TASK_MIN": "10", "SLURM_ARRAY_TASK_MAX": "16", "SLURM_ARRAY_TASK_COUNT": "4"}
BATCH = {"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}
OPTIONS = ("--set", "VanishingGradient.threshold=1e9", "--set", "TensorVariance.min_threshold=1e9")


def environment(**variables):
    """Returns the environment without launchers, and with these variables."""
    return {**{name: value for name, value in os.environ.items() if not name.startswith(LAUNCHERS)}, **variables}


@unittest.skipUnless(COMMAND, "TENSORTAP_COMMAND is not set: the examples are not built")
class ShardTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.files = 0

    def judge(self, *arguments, code=None, **variables):
        result = subprocess.run([COMMAND, "judge", *map(str, arguments)], capture_output=True, timeout=120,
                                env=environment(**variables))
        if code is not None:
            self.assertEqual(result.returncode, code, result.stdout[-2000:] + result.stderr)
        return result

    def parts(self, run, count, *options, **variables):
        """Judges all shards. Returns their files."""
        out = []
        for i in range(count):
            result = self.judge(run, "--json", "--shard", f"{i}/{count}", *options, code=0, **variables)
            self.files += 1
            out.append(self.folder / f"part.{self.files}")
            out[-1].write_bytes(result.stdout)
        return out

    def refused(self, *files):
        """Returns why these files cannot be joined."""
        result = self.judge("--merge", *files, code=2)
        self.assertEqual(result.stdout, b"")
        return result.stderr.decode()

    def test_parts_are_joined_to_what_one_process_prints(self):
        for name in ("basic", "workers_ended", "missing_event_file", "modes"):
            run = GOLDEN / name
            whole = self.judge(run, "--json", *OPTIONS)
            if name in ("basic", "workers_ended"):
                self.assertGreater(len(whole.stdout.splitlines()), 3)
            for count in (1, 2, 3, 7):
                with self.subTest(run=name, count=count):
                    joined = self.judge("--merge", *reversed(self.parts(run, count, *OPTIONS)))
                    self.assertEqual(joined.stdout, whole.stdout)
                    self.assertEqual(joined.returncode, whole.returncode)

    def test_the_exit_code_is_that_of_one_process(self):
        cases = ((("--rule", "ExplodingTensor"), 0), (("--rule", "TreeDepth,ExplodingTensor"), 0), (("--rule", "TreeDepth"), 2),
                 ((*OPTIONS, "--since", 13), 0), (("--rule", "VanishingGradient", "--set", "VanishingGradient.threshold=-1"), 2))
        for options, code in cases:
            with self.subTest(options=options):
                whole = self.judge(GOLDEN / "basic", "--json", *options, code=code)
                joined = self.judge("--merge", *self.parts(GOLDEN / "basic", 3, *options), code=code)
                self.assertEqual(joined.stdout, whole.stdout)

    def test_many_more_shards_than_rules(self):
        whole = self.judge(GOLDEN / "basic", "--json", "--rule", "VanishingGradient,ExplodingTensor", *OPTIONS[:2])
        joined = self.judge("--merge", *self.parts(GOLDEN / "basic", 9, "--rule", "VanishingGradient,ExplodingTensor", *OPTIONS[:2]))
        self.assertEqual((joined.stdout, joined.returncode), (whole.stdout, whole.returncode))

    def test_one_file_may_hold_all_parts(self):
        """As the output of mpirun does, with lines in any order."""
        lines = sorted(line for part in self.parts(GOLDEN / "basic", 3, *OPTIONS) for line in part.read_bytes().splitlines())
        mixed = self.folder / "mixed"
        mixed.write_bytes(b"\n".join(lines) + b"\n")
        self.assertEqual(self.judge("--merge", mixed).stdout, self.judge(GOLDEN / "basic", "--json", *OPTIONS).stdout)

    def test_a_part_tells_what_it_is(self):
        part = self.parts(GOLDEN / "basic", 3, *OPTIONS)[1]
        lines = [json.loads(line) for line in part.read_text(encoding="utf-8").splitlines()]
        self.assertTrue(all("rule" in line for line in lines[:-1]))
        shard = lines[-1]["shard"]
        self.assertEqual({name: shard[name] for name in ("index", "count", "steps", "last_step", "findings", "complete", "damaged")},
                         {"index": 1, "count": 3, "steps": 7, "last_step": shard["last_step"], "findings": len(lines) - 1,
                          "complete": True, "damaged": False})
        self.assertGreater(len(shard["rules"]), 8)

    def share(self, *arguments, **variables):
        """Returns the shard that the tool judges in this environment; None: everything."""
        out = self.judge(GOLDEN / "basic", "--json", "--rule", "ExplodingTensor", *arguments, **variables)
        self.assertIn(out.returncode, (0, 1))
        if not out.stdout:
            return None
        shard = json.loads(out.stdout.splitlines()[-1])["shard"]
        if "--shard" not in arguments:
            self.assertIn(f"judging shard {shard['index']} of {shard['count']}, by ".encode(), out.stderr)
        return shard["index"], shard["count"]

    def test_launchers_name_the_shard(self):
        kubernetes = {"JOB_COMPLETION_INDEX": "2", "JOB_COMPLETIONS": "5"}
        for variables, expected in (
                ({}, None), (MPI, (1, 3)), ({"PMI_RANK": "0", "PMI_SIZE": "2"}, (0, 2)), (ARRAY, (2, 4)), (kubernetes, (2, 5)),
                ({"JOB_COMPLETION_INDEX": "2"}, None),  # of how many is unknown
                (BATCH, None),  # the script of a job, not a process that srun has started
                ({**BATCH, "SLURM_PROCID": "3", "SLURM_STEP_NUM_TASKS": "4"}, (3, 4)),
                ({**ARRAY, **MPI}, (1, 3)), ({**ARRAY, "SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1"}, (2, 4)),
                ({"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "1"}, (0, 1)),
                ({**ARRAY, "SLURM_ARRAY_TASK_ID": "0", "SLURM_ARRAY_TASK_MIN": "0", "SLURM_ARRAY_TASK_MAX": "0", "SLURM_ARRAY_TASK_COUNT": "1"}, (0, 1))):
            with self.subTest(variables=variables):
                self.assertEqual(self.share(**variables), expected)
        self.assertIsNone(self.share("--shard", "all", **MPI))
        self.assertEqual(self.share("--shard", "auto", **MPI), (1, 3))
        self.assertEqual(self.share("--shard", "4/9", **MPI), (4, 9))
        self.assertEqual(self.share("--shard", "/5", JOB_COMPLETION_INDEX="2"), (2, 5))
        self.assertEqual(self.share("--shard", "/5", **MPI), (1, 5))

    def test_a_shard_that_cannot_be(self):
        for text in ("3/3", "-1/3", "0/0", "0/-1", "1", "a/b", "1/2/3", "0x1/2", " 0/2", "1/", "/", "0/1000001", "99999999999999999999/2"):
            with self.subTest(shard=text):
                out = self.judge(GOLDEN / "basic", f"--shard={text}", code=2).stderr.decode()
                self.assertRegex(out, r"tensortap: judge: --shard .*; write --shard I/N, I from 0 to N - 1, or --shard all\n$")
        self.assertIn("no launcher tells", self.judge(GOLDEN / "basic", "--shard", "/3", code=2).stderr.decode())
        self.assertIn("auto: no variable of", self.judge(GOLDEN / "basic", "--shard", "auto", **BATCH, code=2).stderr.decode())
        for variables in ({**MPI, "OMPI_COMM_WORLD_RANK": "3"}, {**MPI, "OMPI_COMM_WORLD_SIZE": "x"}, {"JOB_COMPLETION_INDEX": "-1", "JOB_COMPLETIONS": "2"},
                          {**ARRAY, "SLURM_ARRAY_TASK_COUNT": "3", "SLURM_ARRAY_TASK_MAX": "17"}, {**ARRAY, "SLURM_ARRAY_TASK_COUNT": "0"}):
            with self.subTest(variables=variables):
                out = self.judge(GOLDEN / "basic", code=2, **variables).stderr.decode()
                self.assertIn("; write --shard I/N", out)
                self.judge(GOLDEN / "basic", "--shard", "all", "--rule", "ExplodingTensor", code=0, **variables)

    def test_a_share_says_so_in_its_text(self):
        out = self.judge(GOLDEN / "basic", "--shard", "1/3", code=0).stdout.decode()
        self.assertRegex(out, r"that were judged: the run has ended, shard 1 of 3\n$")
        out = self.judge(GOLDEN / "basic", "--shard", "1/3", "--rule", "ExplodingTensor", code=0).stdout.decode()
        self.assertIn("nothing was judged: the share is empty\n", out)

    def test_parts_that_do_not_fit_together(self):
        parts = self.parts(GOLDEN / "basic", 3, *OPTIONS)
        self.assertIn("of 3 shards, 1 are missing: 1; name the files of all", self.refused(parts[0], parts[2]))
        self.assertIn(f'"{parts[1]}"', self.refused(*parts, parts[1]))
        self.assertIn("shard 1 is there twice", self.refused(*parts, parts[1]))
        self.assertIn("it is one of 3 shards, unlike", self.refused(self.parts(GOLDEN / "basic", 2, *OPTIONS)[0], parts[1], parts[2]))
        self.assertIn("other rules, parameters or options", self.refused(*parts[:2], self.parts(GOLDEN / "basic", 3)[2]))
        self.assertIn("another run", self.refused(*self.parts(GOLDEN / "modes", 3, *OPTIONS)[:1], *parts[1:]))
        self.assertIn("it cannot be read", self.refused(self.folder / "nothing"))
        self.assertIn("it cannot be read", self.refused(self.folder))
        self.assertIn("RUN is required", self.judge(code=2).stderr.decode())
        self.judge(GOLDEN / "basic", "--merge", *parts, code=2)
        self.judge("--merge", *parts, "--severity", "error", code=2)
        self.judge("--json", "--merge", *parts, code=1)

    def test_files_that_are_no_parts(self):
        part = self.parts(GOLDEN / "basic", 1, *OPTIONS)[0]
        whole = part.read_bytes()
        lines = whole.splitlines(keepends=True)
        self.assertGreater(len(lines), 4)
        bad = self.folder / "bad"

        def refused(content):
            bad.write_bytes(content)
            return self.refused(bad)
        self.assertIn("it is empty", refused(b""))
        self.assertIn("no line tells which shard it is", refused(b"".join(lines[:-1])))  # its process was killed
        self.assertIn(f"it has {len(lines) - 2} findings, and should have {len(lines) - 1}", refused(b"".join(lines[1:])))
        self.assertIn("line 2: it is no JSON object", refused(lines[0] + lines[1][:20] + b"\n" + b"".join(lines[2:])))
        self.assertIn("it is no JSON object", refused(whole[:-20]))
        self.assertIn("line 1: it is no JSON object", refused(b"\xff\xfe\0"))
        self.assertIn("line 1: it is no JSON object", refused(b"[" * 100000))
        self.assertIn('line 1: there is no "severity"', refused(b'{"rule": "X"}\n' + lines[-1]))
        self.assertIn('"step" is not a whole number', refused(lines[0].replace(b'"step": ', b'"step": 0.5e3, "was": ', 1) + lines[-1]))
        end = json.loads(lines[-1])["shard"]
        for change in ({"index": 1}, {"count": 0}, {"index": "0"}, {"rules": 5}, {"rules": [5]}, {"rules": [{"rule": 3}]}, {"findings": -1},
                       {"complete": False}, {"run": None}):
            with self.subTest(change=change):
                self.assertIn(f'--merge: "{bad}"', refused(b"".join(lines[:-1]) + json.dumps({"shard": {**end, **change}}).encode()))
        self.assertIn("shard", refused(b'{"shard": 3}\n'))

    @unittest.skipUnless(shutil.which("mpirun"), "mpirun is not there (Debian: openmpi-bin)")
    def test_the_example_with_mpirun(self):
        for options in (OPTIONS, ("--rule", "ExplodingTensor")):
            whole = self.judge(GOLDEN / "workers_ended", "--json", *options)
            result = subprocess.run(["bash", ROOT / "examples" / "judge_with_mpirun", GOLDEN / "workers_ended", *options],
                                    capture_output=True, timeout=120, env=environment(TENSORTAP=COMMAND, NP="3"))
            self.assertEqual((result.stdout, result.returncode), (whole.stdout, whole.returncode), result.stderr)


if __name__ == "__main__":
    unittest.main()
