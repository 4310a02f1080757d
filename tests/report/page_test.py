#!/usr/bin/env python3
"""The page of a run and its facts: equal to what smdebug says of the golden runs, safe whatever names say, small; and in
headless Chromium without errors, requests and barriers, where Chromium, playwright-core and axe-core are installed.

TENSORTAP_COMMAND names the program. CXX, CXXFLAGS and TENSORTAP_LIBRARY as in readme_test.py. TENSORTAP_SCREENSHOTS: a
folder for screenshots.
"""
import base64
import functools
import hashlib
import html.parser
import json
import math
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
GOLDEN = HERE.parent / "data" / "golden"
RUNS = sorted(path.name for path in GOLDEN.iterdir() if (path / "index").is_dir())
COMMAND = os.environ.get("TENSORTAP_COMMAND")
LIBRARY = os.environ.get("TENSORTAP_LIBRARY")
MODULES = next((place for place in (HERE.parents[1] / "build/tests/node_modules", Path("/usr/share/nodejs"))
                if (place / "playwright-core").is_dir() and (place / "axe-core").is_dir()), None)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HOSTILE = "<b>hostile & name"


def call(*arguments, codes=(0,)):
    result = subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True, encoding="utf-8", timeout=300)
    if result.returncode not in codes:
        raise AssertionError(f"{arguments}: {result.returncode}: {result.stderr}")
    return result.stdout


def refuse(constant):
    raise AssertionError(f"{constant} is not JSON")


@functools.lru_cache
def facts_of(run, *options, codes=(0,)):
    return json.loads(call("report", run, "--json", *options, codes=codes), parse_constant=refuse)


class Page(html.parser.HTMLParser):
    """The elements of a page, and the text of each script and style."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self.open = [], [], None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag in ("script", "style", "title"):
            self.open = len(self.texts)
            self.texts.append((tag, dict(attributes), ""))

    def handle_data(self, data):
        if self.open is not None:
            tag, attributes, text = self.texts[self.open]
            self.texts[self.open] = (tag, attributes, text + data)

    def handle_endtag(self, tag):
        self.open = None

    def text_of(self, tag, number=0):
        return [text for name, _, text in self.texts if name == tag][number]


@unittest.skipUnless(COMMAND, "TENSORTAP_COMMAND is not set")
class Reports(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.place = Path(cls.folder.name)
        program = cls.place / "page_program"
        command = [os.environ.get("CXX", "c++"), *"-std=c++20 -O1 -pthread -I".split(), HERE.parents[1] / "include",
                   *shlex.split(os.environ.get("CXXFLAGS", "")), *(["-DTENSORTAP_COMPILED"] if LIBRARY else []),
                   HERE / "page_program.cpp", "-o", program, *([LIBRARY] if LIBRARY else [])]
        subprocess.run(command, check=True, timeout=900)
        cls.runs = cls.place / "runs"
        cls.runs.mkdir()
        subprocess.run([program, cls.runs], check=True, timeout=300)
        subprocess.run([program, cls.runs, "large", "900"], check=True, timeout=300)
        cls.pages = {}

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def page(self, name, *runs, codes=(0,)):
        """The path of the page of `runs`, made once."""
        if name not in self.pages:
            path = self.place / f"{name}.html"
            call("report", *(runs or [self.runs / name]), "-o", path, codes=codes)
            self.pages[name] = path
        return self.pages[name]

    # ---- Facts

    def test_the_facts_are_those_of_dump(self):
        for name in RUNS:
            with self.subTest(run=name):
                facts = facts_of(GOLDEN / name, codes=(0, 1))
                dump = json.loads(call("dump", GOLDEN / name, codes=(0, 1)))
                values = json.loads("[" + ",".join(call("export", GOLDEN / name, "--jsonl", "-o", "-", codes=(0, 1, 2)).splitlines()) + "]")
                steps = {row["step"] for row in values}
                if facts["state"] == "ended":
                    self.assertLessEqual(len(steps), facts["steps"])
                self.assertEqual(facts["tensors"], len(dump["tensors"]))
                self.assertEqual({one["name"] for one in facts["workers"]}, set(dump["workers"]))
                self.assertEqual({one["name"] for one in facts["collections"]}, set(dump["collections"]))
                scalars = {(row["tensor"], row["worker"], row["mode"], row["step"]): float(row["value"]) for row in values
                           if "value" in row and row.get("dtype") not in ("str", "complex64", "complex128")}
                complete = {step for curve in facts["curves"] for step in curve["steps"]}
                found = {}
                for curve in facts["curves"]:
                    self.assertEqual(curve["points_per_entry"], 1)
                    if curve["quantity"] == "value":
                        for step, value in zip(curve["steps"], curve["min"], strict=True):
                            found[curve["tensor"], curve["worker"], curve["mode"], step] = float(value)
                self.assertEqual(found.keys(), {key for key in scalars if key[3] in complete})
                for key, value in found.items():
                    expected = scalars[key]
                    self.assertTrue(value == expected or (math.isnan(value) and math.isnan(expected)) or
                                    abs(value - expected) <= 1e-7 * abs(expected), (key, value, expected))

    def test_the_facts_are_those_that_smdebug_expects(self):
        for name in RUNS:
            expected = json.loads((GOLDEN / f"{name}.expected.json").read_text("utf-8"))
            facts = facts_of(GOLDEN / name, codes=(0, 1))
            with self.subTest(run=name):
                if "workers" in expected:
                    self.assertEqual([one["name"] for one in facts["workers"]], sorted(expected["workers"]))
                for mode, steps in expected.get("steps", {}).items():
                    if mode in facts["modes"] and steps:
                        self.assertEqual(facts["modes"][mode], {"steps": len(steps), "first": min(steps), "last": max(steps)})

    def test_norms_are_those_of_the_table(self):
        run = self.runs / "healthy"
        facts = facts_of(run)
        norms = {}
        for row in map(json.loads, call("export", run, "--jsonl", "-o", "-").splitlines()):
            if row["tensor"].endswith(".weight.grad"):
                norms.setdefault(row["tensor"], {})[row["step"]] = row["l2"]
        maps = [one for one in facts["maps"] if one["quantity"] == "l2" and one["role"] == "gradient"]
        self.assertEqual(len(maps), 1)
        columns = maps[0]["columns"]
        self.assertEqual(sorted(maps[0]["tensors"]), sorted(norms))
        for tensor, least, largest in zip(maps[0]["tensors"], maps[0]["min"], maps[0]["max"], strict=True):
            steps = sorted(norms[tensor])
            for k, column in enumerate(columns):
                end = columns[k + 1] if k + 1 < len(columns) else math.inf
                part = [norms[tensor][step] for step in steps if column <= step < end]
                self.assertAlmostEqual(largest[k] / max(part), 1, 3)
                self.assertAlmostEqual(least[k] / min(part), 1, 3)
        total = next(one for one in facts["curves"] if one["quantity"] == "gradient_norm")
        first = total["steps"][0]
        self.assertAlmostEqual(total["min"][0], math.sqrt(sum(norms[tensor][first] ** 2 for tensor in norms)), 6)

    def test_findings_are_those_of_judge(self):
        for name in ("healthy", "broken", "interrupted"):
            facts = facts_of(self.runs / name)
            judged = [json.loads(line) for line in call("judge", self.runs / name, "--json", codes=(0, 1)).splitlines()]
            self.assertEqual(sorted(map(json.dumps, judged)), sorted(json.dumps(one["finding"]) for one in facts["findings"]))
            severities = [one["finding"]["severity"] for one in facts["findings"]]
            self.assertEqual(severities, sorted(severities, key=["error", "advice"].index))
        self.assertTrue(facts_of(self.runs / "broken")["findings"])

    def test_findings_have_evidence_and_what_was_around(self):
        for one in facts_of(self.runs / "broken", "--around", "3")["findings"]:
            finding = one["finding"]
            self.assertLessEqual(len(one["rows"]), 7)
            self.assertIn(finding["step"], [row[0] for row in one["rows"]])
            for row in one["rows"]:
                self.assertEqual(len(row), 3 + len(one["columns"]))
            if one.get("shows_value"):
                curve = one["evidence"]
                at = max(k for k, step in enumerate(curve["steps"]) if step <= finding["step"])
                ends = [float(curve[key][at]) for key in ("min", "max") if key in curve]
                self.assertTrue(any(abs(end - finding["value"]) <= 1e-5 * abs(finding["value"]) for end in ends), one)

    def test_curves_that_are_shortened_keep_the_least_and_the_largest(self):
        run = self.runs / "large"
        facts = facts_of(run)
        loss = [json.loads(line)["min"] for line in call("export", run, "--jsonl", "--tensor", "^loss$", "-o", "-").splitlines()]
        curve = next(one for one in facts["curves"] if one["tensor"] == "loss")
        share = curve["points_per_entry"]
        self.assertGreater(share, 1)
        self.assertEqual(curve["points"], len(loss))
        self.assertEqual(curve["steps"], list(range(0, len(loss), share)))
        for k in range(len(curve["steps"])):
            part = loss[k * share:(k + 1) * share]
            self.assertAlmostEqual(curve["min"][k], min(part), 6)
            self.assertAlmostEqual(curve["max"][k], max(part), 6)

    def test_interruptions_are_on_both_axes(self):
        facts = facts_of(self.runs / "interrupted")
        self.assertEqual([(one["attempt"], one["resumed_at"]) for one in facts["interruptions"]], [(1, 39), (2, 79)])
        for one in facts["interruptions"]:
            self.assertGreater(one["seconds"], 250)
        self.assertEqual([one["name"] for one in facts["workers"]], ["worker_0", "worker_1"])
        self.assertEqual([one["steps"] for one in facts["workers"]], [120, 120])
        steps = [step for step, _ in facts["clock"]]
        self.assertEqual(steps, sorted(set(steps)))
        self.assertTrue({39, 40, 79, 80} <= set(steps))
        for worker in ("worker_0", "worker_1"):
            curve = next(one for one in facts["curves"] if one["tensor"] == "loss" and one["worker"] == worker)
            self.assertEqual(curve["points"], 120)

    def test_a_run_without_steps(self):
        facts = facts_of(self.runs / "empty")
        self.assertEqual((facts["steps"], facts["curves"], facts["findings"], facts["state"]), (0, [], [], "ended"))

    def test_numbers_that_json_lacks(self):
        facts = facts_of(self.runs / HOSTILE)
        curve = next(one for one in facts["curves"] if one["tensor"] == "loss&amp;")
        self.assertEqual(curve["min"][20:], ["nan"] * 10)
        self.assertEqual(curve["bad"][19:21], [0, 1])

    def test_damaged_runs(self):
        run = self.place / "damaged"
        shutil.copytree(self.runs / "healthy", run)
        files = sorted((run / "events").rglob("*.tfevents"))
        files[5].write_bytes(files[5].read_bytes()[:40])
        files[9].unlink()
        sorted((run / "index").rglob("*.json"))[12].write_text("{", encoding="utf-8")
        facts = facts_of(run, codes=(1,))
        self.assertGreaterEqual(len(facts["damage"]), 3)
        self.assertIn("damaged", self.page("damaged", run, codes=(1,)).read_text("utf-8"))

    def test_the_run_of_a_job_has_its_savings(self):
        job = self.place / "mnist"
        shutil.copytree(self.runs / "healthy", job / "debug-output")
        record = {"TrainingJobName": "mnist", "JobId": "1", "TrainingJobStatus": "Completed", "SecondaryStatus": "Completed",
                  "CreationTime": 1.7e9, "TrainingTimeInSeconds": 100, "BillableTimeInSeconds": 40, "Run": str(job / "debug-output")}
        (job / "job.json").write_text(json.dumps(record), encoding="utf-8")
        for place in (job, job / "debug-output"):
            facts = facts_of(place)
            self.assertEqual(facts["steps"], 420)
            self.assertEqual(facts["name"], "mnist")
            self.assertEqual((facts["job"]["status"], facts["job"]["savings"]), ("Completed", 60))
        (job / "job.json").write_text("{}", encoding="utf-8")  # a record that is damaged is no obstacle
        self.assertNotIn("job", facts_of(job / "debug-output", "--around", "4"))

    # ---- Pages

    def test_a_page_holds_everything_and_asks_for_nothing(self):
        for name in ("healthy", "broken", "interrupted", "empty", "large", HOSTILE):
            text = self.page("hostile" if name == HOSTILE else name, self.runs / name).read_text("utf-8")
            page = Page(text)
            with self.subTest(page=name):
                for tag, attributes in page.elements:
                    self.assertNotIn(tag, ("img", "iframe", "link", "object", "embed", "base", "form"))
                    for attribute, value in attributes.items():
                        self.assertFalse(attribute.startswith("on"), (tag, attribute))
                        if attribute in ("src", "href"):
                            self.assertTrue(value.startswith("#"), value)
                outside = re.findall(r"https?://[^'\"\s]*", text)
                self.assertEqual(set(outside) - {"http://www.w3.org/2000/svg"}, set())  # a name, not an address
                policy = next(a["content"] for tag, a in page.elements if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy")
                self.assertIn("default-src 'none'", policy)
                self.assertNotIn("unsafe", policy)
                digest = lambda part: "sha256-" + base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()
                self.assertIn(f"style-src '{digest(page.text_of('style'))}'", policy)
                self.assertIn(f"script-src '{digest(page.text_of('script', 1))}'", policy)
                data = json.loads(page.text_of("script"), parse_constant=refuse)
                self.assertEqual(data["runs"][0], facts_of(self.runs / name))
                self.assertLess(len(text), 2 << 20)

    def test_names_are_text(self):
        text = self.page("hostile", self.runs / HOSTILE).read_text("utf-8")
        page = Page(text)
        self.assertEqual([tag for tag, _, _ in page.texts], ["title", "style", "script", "script"])
        self.assertIn("&lt;b&gt;hostile &amp; name", text)
        self.assertNotIn("<b>hostile", text)
        data = page.text_of("script")
        self.assertTrue(data.isascii())
        for bad in "<>&":
            self.assertNotIn(bad, data)

    def test_the_same_run_gives_the_same_page(self):
        self.assertEqual(self.page("healthy").read_bytes(), self.page("again", self.runs / "healthy").read_bytes())

    def test_several_runs(self):
        lines = call("report", self.runs / "healthy", self.runs / "broken", "--json").splitlines()
        self.assertEqual([json.loads(line)["name"] for line in lines], ["healthy", "broken"])
        data = json.loads(Page(self.page("both", self.runs / "healthy", self.runs / "broken").read_text("utf-8")).text_of("script"))
        self.assertEqual(data["runs"], [json.loads(line) for line in lines])

    def test_mistakes(self):
        for options, message in (([], "name a file with --output"), (["-o", "/nonexistent/x"], "cannot be written"),
                                 (["-o", "."], "a directory"), (["--xgboost", "-o", "x"], "--xgboost"), (["--json", "--around", "99"], "--around")):
            result = subprocess.run([COMMAND, "report", self.runs / "empty", *options], capture_output=True, text=True, timeout=60)
            self.assertEqual(result.returncode, 2, options)
            self.assertIn(message, result.stderr)
        result = subprocess.run([COMMAND, "report", self.runs, "--json"], capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 2)
        self.assertIn("name one of them", result.stderr)

    # ---- In a browser

    @unittest.skipUnless(CHROMIUM and MODULES and shutil.which("node"), "Chromium, playwright-core or axe-core is not installed")
    def test_in_a_browser(self):
        pages = {name: self.page(name) for name in ("broken", "interrupted", "empty", "large")}
        pages["hostile"] = self.page("hostile", self.runs / HOSTILE)
        pages["both"] = self.page("both", self.runs / "healthy", self.runs / "broken")
        result = subprocess.run(["node", HERE / "page_test.mjs", MODULES, CHROMIUM, os.environ.get("TENSORTAP_SCREENSHOTS", ""),
                                 *(f"{name}={path}" for name, path in pages.items())], capture_output=True, text=True, timeout=900)
        self.assertEqual(result.returncode, 0, result.stderr)
        looks = [(name, look, facts) for name, one in json.loads(result.stdout).items() for look, facts in one.items()]
        self.assertEqual(len(looks), 3 * len(pages))
        for name, look, facts in looks:
            with self.subTest(page=name, look=look):
                self.assertEqual(facts["messages"], [])
                self.assertEqual(facts["requests"], [])
                self.assertEqual(facts["mute"], [])
                self.assertEqual(facts["handlers"], 0)
                self.assertEqual(facts["tooWide"], 0)
                self.assertEqual([one for one in facts["violations"] if one["impact"] in ("serious", "critical")], [])
                self.assertEqual(facts["reached"][0], "To the report")
                self.assertIn("Summary", facts["reached"])
                self.assertEqual(facts["scripts"], 2)
                self.assertLess(facts["milliseconds"], 30000)
        sections = {name: facts["sections"] for name, look, facts in looks if look == "light"}
        self.assertEqual(sections["empty"], ["summary", "findings", "configuration"])
        self.assertEqual(sections["interrupted"], ["summary", "findings", "curves", "norms", "updates", "distributions", "units", "workers",
                                                   "interruptions", "configuration"])
        self.assertNotIn("workers", sections["broken"])


if __name__ == "__main__":
    unittest.main()
