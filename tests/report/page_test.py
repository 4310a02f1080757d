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
import random
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

try:
    import numpy
except ImportError:
    numpy = None

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


BEGIN = 1700000000000000  # of the traces that `write_trace` makes. Units: microseconds since 1970
PROCESSES = ("7-algo-1", "8-algo-1")


def write_trace(place):
    """Writes the trace of two processes on a machine with six processors and a GPU, in which time counts in 100 us."""
    draw = random.Random(5)
    hour = place / "framework" / "pevents" / "2023111422"
    hour.mkdir(parents=True)
    for process in PROCESSES:
        phases = ["Step:ModeKeys.TRAIN", "Forward", "Backward", "</script><b>inner", "Writer", "Step:ModeKeys.EVAL"]
        lines = [{"name": "process_name", "ph": "M", "pid": 0, "args": {"start_time_since_epoch_in_micros": BEGIN}}]
        lines += [{"name": "process_name", "ph": "M", "pid": n + 1, "args": {"name": name}} for n, name in enumerate(phases)]
        at = 0

        def add(phase, start, duration, thread=0, **arguments):
            lines.append({"name": phase, "ph": "X", "pid": phases.index(phase) + 1, "tid": thread, "ts": 100 * start,
                          "dur": 100 * duration, "args": arguments})
        for step in range(700):
            duration = draw.randint(80, 120) * (20 if step % 43 == 20 else 1)
            add("Step:ModeKeys.TRAIN", at, duration, step_num=str(step))
            add("Forward", at + 5, 30, step_num=str(step))
            add(phases[3], at + 10, draw.randint(5, 60))  # begins in Forward, and may end after it
            add("Backward", at + 50, duration - 50 + draw.randint(-9, 9))  # may end after the step
            add("Writer", at + 20, 40, thread=1)
            if step % 50 == 49:
                add("Step:ModeKeys.EVAL", at + duration, 40, step_num=str(step // 50))
            at += duration + 40
        (hour / f"{BEGIN + 900000000}_{process}_pythontimeline.json").write_text("[\n" + ",\n".join(map(json.dumps, lines)) + "\n]")
    hour = place / "system" / "incremental" / "2023111422"
    hour.mkdir(parents=True)
    with open(hour / f"{BEGIN // 1000000 + 900}.algo-1.json", "w", encoding="utf-8") as file:
        for i in range(1300):
            def say(kind, name, dimension, value):
                print(json.dumps({"Type": kind, "Name": name, "Dimension": dimension, "Value": value, "NodeId": "algo-1",
                                  "Timestamp": BEGIN / 1e6 + i / 2}), file=file)
            for n in range(6):
                say("cpu", f"cpu{n}", "CPUUtilization", draw.uniform(60, 100))
                say("cpu", f"cpu{n}", "I/OWaitPercentage", draw.uniform(0, 10))
            say("gpu", "gpu0", "GPUUtilization", draw.choice([3, draw.uniform(0, 8), draw.uniform(0, 8), 50]))
            say("gpu", "gpu0", "GPUMemoryUtilization", i / 20)
            say("memory", "", "MemoryUsedPercent", draw.uniform(20, 30))
            say("network", "", "ReceiveBytesPerSecond", draw.uniform(1e5, 1e8))


def events_in(place):
    """The complete events below `place`: {(process, phase): [(start, duration, thread, step)]}, sorted by start."""
    out = {}
    for file in sorted((place / "framework").rglob("*.json")):
        pid, machine, number = re.match(r"\d+_(\d+)-(\w+)-(\d+)_", file.name).groups()
        lines = json.loads(file.read_text("utf-8"))
        names = {line["pid"]: line["args"]["name"] for line in lines if line["ph"] == "M" and "name" in line["args"]}
        start = next(line["args"][key] for line in lines for key in ["start_time_since_epoch_in_micros"] if key in line["args"])
        for line in lines:
            if line["ph"] == "X":
                out.setdefault((f"{machine}-{number}-{pid}", names[line["pid"]]), []).append(
                    (start + line["ts"], line["dur"], line["tid"], line["args"].get("step_num")))
    return {key: sorted(events, key=lambda event: event[0]) for key, events in out.items()}


def metrics_in(place):
    """The values below `place`: {(machine, type, name, dimension): [(seconds, value)]}."""
    out = {}
    for file in sorted((place / "system").rglob("*.json")):
        for line in map(json.loads, file.read_text("utf-8").splitlines()):
            key = line["NodeId"], line["Type"], line["Name"], line["Dimension"]
            out.setdefault(key, []).append((line["Timestamp"], line["Value"]))
    return out


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
        shutil.copytree(cls.runs / "healthy", cls.runs / "traced")
        write_trace(cls.runs / "traced" / "profiler")
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

    def test_what_the_hook_costs(self):
        self.assertNotIn("hook", facts_of(self.runs / "healthy"))
        run = self.place / "costly"
        shutil.copytree(self.runs / "healthy", run)
        attempt = next((run / "attempts").iterdir())
        cost = {"elapsed_ns": 4 * 10**10, "in_training_ns": 5 * 10**8, "writing_ns": 2 * 10**9}
        attempt.write_text(json.dumps({**json.loads(attempt.read_text("utf-8")), "cost": cost}), encoding="utf-8")
        text = "1.3 % of the time of training; its writer 5.0 % of a processor"
        self.assertEqual(facts_of(run)["hook"], {"share": 0.0125, "text": text})
        self.assertIn(text, self.page("costly", run).read_text("utf-8"))

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

    # ---- The trace of a run

    def assert_close(self, found, expected, place=""):
        self.assertTrue(abs(found - expected) <= 1e-6 * abs(expected) + 1e-9, (place, found, expected))

    def assert_curve(self, curve, times, values):
        """The entries of `curve` stand for consecutive `values`, and have the least and the largest of them."""
        self.assertEqual(curve["points"], len(values))
        share = curve["points_per_entry"]
        self.assertEqual(len(curve["times"]), math.ceil(len(values) / share))
        self.assertLessEqual(len(curve["times"]), 400)
        for k, time in enumerate(curve["times"]):
            part = values[k * share:(k + 1) * share]
            self.assert_close(time, times[k * share])
            self.assert_close(curve["min"][k], min(part))
            self.assert_close(curve.get("max", curve["min"])[k], max(part))

    @unittest.skipUnless(numpy, "numpy is not installed")
    def test_phases_and_steps_are_those_of_the_trace(self):
        run = self.runs / "traced"
        trace, events = facts_of(run)["trace"], events_in(run / "profiler")
        self.assertEqual({(one["node"], one["phase"]) for one in trace["phases"]}, set(events))
        totals = [one["total_us"] for one in trace["phases"]]
        self.assertEqual(totals, sorted(totals, reverse=True))
        self.assert_close(trace["began"], BEGIN / 1e6)
        step_time = {node: sum(event[1] for key in events if key[0] == node and key[1].startswith("Step") for event in events[key])
                     for node in {node for node, _ in events}}
        for one in trace["phases"] + trace["steps"]:
            durations = numpy.array([event[1] for event in events[one["node"], one["phase"]]])
            self.assertEqual((one["count"], one["total_us"], one["max_us"]), (len(durations), durations.sum(), durations.max()))
            for key, value in (("mean_us", durations.mean()), ("median_us", numpy.median(durations)),
                               ("p95_us", numpy.percentile(durations, 95)), ("share", 100 * durations.sum() / step_time[one["node"]])):
                self.assert_close(one[key], value, (key, one["phase"]))
        self.assertEqual(len(trace["steps"]), 4)
        for one in trace["steps"]:
            steps = events[one["node"], one["phase"]]
            durations = numpy.array([event[1] for event in steps])
            limit = durations.mean() + 3 * durations.std()
            self.assert_close(one["limit_us"], limit)
            longer = sorted((event for event in steps if event[1] > limit), key=lambda event: -event[1])
            self.assertEqual(one["outliers"], len(longer))
            self.assertEqual([(str(slow["step"]), slow["duration_us"]) for slow in one["slowest"]],
                             [(event[3], event[1]) for event in longer[:10]])
            inside = numpy.zeros(max(event[0] + event[1] - BEGIN for event in steps) // 100 + 9999, bool)
            for (node, phase), others in events.items():
                if node == one["node"] and not phase.startswith("Step"):
                    for start, duration, thread, _ in others:
                        if thread == steps[0][2]:
                            inside[(start - BEGIN) // 100:(start - BEGIN + duration) // 100] = True
            outside = sum((~inside[(event[0] - BEGIN) // 100:(event[0] - BEGIN + event[1]) // 100]).sum() for event in steps)
            self.assertEqual(one["outside_us"], 100 * outside)
            self.assert_curve(one, [(event[0] - BEGIN) / 1e6 for event in steps], list(durations))
        self.assertGreater(max(one["outliers"] for one in trace["steps"]), 10)
        self.assertGreater(min(one["outside_us"] for one in trace["steps"]), 0)

    @unittest.skipUnless(numpy, "numpy is not installed")
    def test_metrics_are_those_of_the_machine(self):
        run = self.runs / "traced"
        trace, metrics = facts_of(run)["trace"], metrics_in(run / "profiler")
        self.assertEqual({(one["node"], one["type"], one["name"], one["dimension"]) for one in trace["metrics"]}, set(metrics))
        for one in trace["metrics"]:
            values = numpy.array([value for _, value in metrics[one["node"], one["type"], one["name"], one["dimension"]]])
            self.assertEqual(one["samples"], len(values))
            for key, value in (("mean", values.mean()), ("min", values.min()), ("max", values.max()),
                               *((f"p{q}", numpy.percentile(values, q)) for q in (50, 95, 99))):
                self.assert_close(one[key], value, (key, one["dimension"]))
        loads = {(one["dimension"], one["name"]): one for one in trace["loads"]}
        self.assertEqual(set(loads), {("CPUUtilization", "mean of 6"), ("I/OWaitPercentage", "mean of 6"), ("GPUUtilization", "gpu0"),
                                      ("GPUMemoryUtilization", "gpu0"), ("MemoryUsedPercent", ""), ("ReceiveBytesPerSecond", "")})
        for (dimension, name), load in loads.items():
            parts = [series for key, series in metrics.items() if key[3] == dimension]
            self.assert_curve(load, [time - BEGIN / 1e6 for time, _ in parts[0]],
                              list(numpy.array([[value for _, value in series] for series in parts]).mean(axis=0)))

    @unittest.skipUnless(numpy, "numpy is not installed")
    def test_what_the_rules_of_the_profiler_find(self):
        run = self.runs / "traced"
        trace, metrics, events = facts_of(run)["trace"], metrics_in(run / "profiler"), events_in(run / "profiler")
        rules = {one["rule"]: one for one in trace["rules"]}
        self.assertEqual(len(rules), 8)
        times = [one["times"] for one in trace["rules"]]
        self.assertEqual(times, sorted(times, reverse=True))
        value = lambda name, dimension: numpy.array([value for _, value in next(
            series for key, series in metrics.items() if key[2:] == (name, dimension))])
        busy = numpy.array([value(f"cpu{n}", "CPUUtilization") > 90 for n in range(6)]).any(axis=0)
        self.assertEqual(rules["CPUBottleneck"]["times"], (busy & (value("gpu0", "GPUUtilization") < 10)).sum())
        outliers = 0
        for key, steps in events.items():
            durations = numpy.array([event[1] for event in steps])
            if key[1].startswith("Step") and len(durations) > 100:
                outliers += (durations > durations.mean() + 3 * durations.std()).sum()
        self.assertEqual(rules["StepOutlier"]["times"], outliers)
        self.assertEqual(rules["StepOutlier"]["parameters"], {"stddev": 3, "n_outliers": 10})
        self.assertEqual(rules["LowGPUUtilization"]["parameters"], {"threshold_p95": 70, "threshold_p5": 10, "patience": 1000, "window": 500})
        self.assertEqual(rules["LowGPUUtilization"]["times"], 1)
        self.assertEqual(rules["IOBottleneck"]["findings"], [])
        judged = [json.loads(line) for line in call("trace", run, "--rules", "--json", codes=(1,)).splitlines()]
        self.assertEqual(sorted((one["rule"], one["message"], one["times"]) for one in judged),
                         sorted((rule, one["message"], one["times"]) for rule in rules for one in rules[rule]["findings"]))

    def test_a_trace_of_smdebug_beside_a_run(self):
        run = self.place / "of_smdebug"
        shutil.copytree(self.runs / "healthy", run)
        for part in ("framework", "system"):
            shutil.copytree(GOLDEN / "timeline" / part, run / part)
        expected = json.loads((GOLDEN / "timeline.profiler.json").read_text("utf-8"))["profiler"]
        trace = facts_of(run)["trace"]
        self.assertEqual({one["phase"]: one["count"] for one in trace["phases"]},
                         {name: sum(event[2] == name for event in expected["framework"]) for name in {event[2] for event in expected["framework"]}})
        self.assertEqual(sum(one["samples"] for one in trace["metrics"]), len(expected["system"]))
        self.assertEqual([one["slowest"] for one in trace["steps"]], [[]])

    def test_the_trace_of_a_job_is_beside_its_run(self):
        job = self.place / "traced_job"
        shutil.copytree(self.runs / "healthy", job / "debug-output")
        self.assertNotIn("trace", facts_of(job / "debug-output"))
        write_trace(job / "profiler-output")
        self.assertEqual(facts_of(job / "debug-output", "--around", "4")["trace"], facts_of(self.runs / "traced")["trace"])

    def test_a_damaged_trace(self):
        run = self.place / "damaged_trace"
        shutil.copytree(self.runs / "traced", run)
        file = next((run / "profiler" / "framework").rglob("*7-algo-1*"))
        file.write_text(file.read_text("utf-8").replace('"dur"', '"dur', 2), encoding="utf-8")
        facts = facts_of(run, codes=(1,))
        self.assertEqual(facts["trace"]["damaged_lines"], 2)
        self.assertIn("damaged lines: 2", facts["damage"][0])

    # ---- Pages

    def test_a_page_holds_everything_and_asks_for_nothing(self):
        for name in ("healthy", "broken", "interrupted", "empty", "large", "traced", HOSTILE):
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
        for name in ("healthy", "traced"):
            self.assertEqual(self.page(name).read_bytes(), self.page(f"{name}_again", self.runs / name).read_bytes())

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
        pages = {name: self.page(name) for name in ("broken", "interrupted", "empty", "large", "traced")}
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
        self.assertEqual(sections["traced"][-4:], ["times", "machines", "profile", "configuration"])


if __name__ == "__main__":
    unittest.main()
