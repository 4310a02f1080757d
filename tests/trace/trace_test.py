#!/usr/bin/env python3
"""`tensortap trace` on smdebug's own profiler files, and on what our tracer writes beside a training.

TENSORTAP_COMMAND and TENSORTAP_TRACED name the programs.
"""
import json
import math
import os
import random
import statistics
import subprocess
import tempfile
import unittest
from pathlib import Path

try:
    import numpy
except ImportError:
    numpy = None

COMMAND = os.environ.get("TENSORTAP_COMMAND")
TRACED = os.environ.get("TENSORTAP_TRACED")
GOLDEN = Path(__file__).resolve().parents[1] / "data" / "golden"


def machine(place, draw):
    """Writes the trace of a machine with two GPUs, whose habits are drawn. Returns its metrics and the steps' durations."""
    def habit():
        low, high = draw.choice([(0, 5), (0, 100), (40, 69), (72, 100), (85, 99)])
        return lambda: draw.uniform(low, high)
    habits = {("gpu0", "GPUUtilization"): habit(), ("gpu1", "GPUUtilization"): habit(),
              ("gpu0", "GPUMemoryUtilization"): habit(), ("gpu1", "GPUMemoryUtilization"): habit(),
              ("cpu0", "CPUUtilization"): habit(), ("cpu1", "CPUUtilization"): habit(),
              ("cpu0", "I/OWaitPercentage"): habit(), ("cpu1", "I/OWaitPercentage"): habit()}
    samples = draw.choice([900, 1100, 1500])
    begin = 1700000000
    metrics = {key: [value() for _ in range(samples)] for key, value in habits.items()}
    hour = place / "system" / "incremental" / "2023111422"
    hour.mkdir(parents=True)
    with open(hour / f"{begin + 60 * samples}.algo-1.json", "w") as file:
        for i in range(samples):
            for (name, dimension), values in metrics.items():
                print(json.dumps({"Type": name[:3], "Name": name, "Dimension": dimension, "Value": values[i],
                                  "NodeId": "algo-1", "Timestamp": begin + i / 2}), file=file)
    durations = [draw.choice([1000, 1100, 1200]) * (30 if draw.random() < draw.choice([0, 0.06]) else 1)
                 for _ in range(draw.choice([90, 400]))]
    delay = draw.choice([10, 1500]) * 1000000
    hour = place / "framework" / "pevents" / "2023111422"
    hour.mkdir(parents=True)
    lines = [{"name": "process_name", "ph": "M", "pid": 0, "args": {"start_time_since_epoch_in_micros": begin * 1000000}},
             {"name": "process_name", "ph": "M", "pid": 1, "args": {"name": "Step:ModeKeys.TRAIN"}}]
    lines += [{"name": "s", "ph": "X", "pid": 1, "ts": delay + 40000 * i, "dur": d} for i, d in enumerate(durations)]
    (hour / "1700009000000000_7-algo-1_pythontimeline.json").write_text("[\n" + ",\n".join(map(json.dumps, lines)) + "\n]")
    return metrics, (delay, durations)


def reading(metrics, steps):
    """What the documented conditions of the profiler's rules say: {(rule, subject): value}."""
    out = {}
    column = {key: numpy.array(values) for key, values in metrics.items()}
    samples = len(next(iter(column.values())))
    gpus = [key for key in column if key[1] == "GPUUtilization"]
    p95 = lambda values: numpy.percentile(values[-500:], 95)
    if samples > 1000:
        mean = (column["cpu0", "CPUUtilization"] + column["cpu1", "CPUUtilization"]) / 2
        for key in gpus:
            memory = column[key[0], "GPUMemoryUtilization"]
            name = "algo-1 " + key[0]
            if p95(mean) < 70 and p95(column[key]) < 70 and p95(memory) < 70:
                out["BatchSize", name] = p95(column[key])
            low = numpy.percentile(column[key][-500:], 5)
            if p95(column[key]) < 70:
                out["LowGPUUtilization", name] = p95(column[key])
            elif low < 10:
                out["LowGPUUtilization", name] = low
            if (grown := memory[-10:].mean() - memory[-20:-10].mean()) > 5:
                out["GPUMemoryIncrease", name] = grown
        idle = (column[gpus[0]] < 10) | (column[gpus[1]] < 10)
        for rule, dimension, limit in ("CPUBottleneck", "CPUUtilization", 90), ("IOBottleneck", "I/OWaitPercentage", 50):
            share = 100 * (idle & ((column["cpu0", dimension] > limit) | (column["cpu1", dimension] > limit))).mean()
            if share > 50:
                out[rule, "algo-1"] = share
        p, q = (numpy.histogram(column[key], bins=50, range=(0, 100))[0] / samples for key in gpus)
        m = (p + q) / 2
        part = lambda x: (x[x > 0] * numpy.log(x[x > 0] / m[x > 0])).sum() / 2
        if (distance := math.sqrt(max(part(p) + part(q), 0))) > 0.5:
            out["LoadBalancing", "algo-1 gpu0, gpu1"] = distance
    delay, durations = steps
    if delay / 6e7 > 20:
        out["MaxInitializationTime", "training"] = delay / 6e7
    durations = numpy.array(durations)
    limit = durations.mean() + 3 * durations.std()
    if len(durations) > 100 and (durations > limit).sum() > 10:
        out["StepOutlier", "algo-1-7 Step:ModeKeys.TRAIN"] = durations.max()
    return out


def call(*arguments, code=0):
    result = subprocess.run([COMMAND, "trace", *map(str, arguments)], capture_output=True, text=True, timeout=60)
    if result.returncode != code if code is not None else result.returncode not in (0, 1):
        raise AssertionError(f"{arguments}: {result.returncode}: {result.stderr}")
    return result


@unittest.skipUnless(COMMAND, "TENSORTAP_COMMAND is not set: the tool is not built")
class TraceTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_times_of_a_golden_trace(self):
        expected = json.loads((GOLDEN / "timeline.profiler.json").read_text())["profiler"]
        found = json.loads(call(GOLDEN / "timeline", "--json").stdout)
        phases = {phase["phase"]: phase for phase in found["phases"]}
        for name in {event[2] for event in expected["framework"]}:
            durations = sorted(event[1] for event in expected["framework"] if event[2] == name)
            self.assertEqual(phases[name]["count"], len(durations))
            self.assertEqual(phases[name]["total_us"], sum(durations))
            self.assertEqual(phases[name]["max_us"], durations[-1])
            self.assertEqual(phases[name]["median_us"], statistics.median(durations))
            self.assertAlmostEqual(phases[name]["p95_us"], statistics.quantiles(durations, n=100, method="inclusive")[94])
        gpu = next(m for m in found["metrics"] if m["dimension"] == "GPUUtilization")
        values = [metric[4] for metric in expected["system"] if metric[3] == "GPUUtilization"]
        self.assertEqual(gpu["samples"], len(values))
        self.assertAlmostEqual(gpu["mean"], statistics.mean(values))
        self.assertEqual((gpu["min"], gpu["p50"], gpu["max"]), (min(values), statistics.median(values), max(values)))
        table = call(GOLDEN / "timeline").stdout
        for text in ("Step:ModeKeys.TRAIN", "Forward", "algo-1-4242", "gpu0 GPUUtilization"):
            self.assertIn(text, table)

    def test_merged(self):
        merged = self.folder / "merged.json"
        self.assertIn("18 events, 40 metrics", call(GOLDEN / "timeline", "-o", merged).stdout)
        self.assertEqual(json.loads(merged.read_text()), json.loads(call(GOLDEN / "timeline", "-o", "-").stdout))

    def test_mistakes(self):
        self.assertIn("no trace is there", call(self.folder, code=2).stderr)
        hour = self.folder / "framework" / "pevents" / "2023111422"
        hour.mkdir(parents=True)
        (hour / "1700000000000000_1-algo-1_pythontimeline.json").write_text('[\n{"ph": 7},\n{"ph": "X", "ts": 1, "dur": 2}\n]')
        result = call(self.folder, code=1)
        self.assertIn("line 2: ", result.stderr)
        self.assertIn("0.002", result.stdout)

    @unittest.skipUnless(numpy, "numpy is not installed")
    def test_the_rules_are_those_of_the_profiler(self):
        fired = set()
        for seed in range(24):
            place = self.folder / str(seed)
            metrics, steps = machine(place, random.Random(seed))
            found = [json.loads(line) for line in call(place, "--rules", "--json", code=None).stdout.splitlines()]
            expected = reading(metrics, steps)
            self.assertEqual(sorted((f["rule"], f["subject"]) for f in found), sorted(expected), seed)
            for one in found:
                self.assertAlmostEqual(one["value"], expected[one["rule"], one["subject"]], 6, (seed, one))
            fired.update(one["rule"] for one in found)
        self.assertEqual(len(fired), 8, fired)

    @unittest.skipUnless(TRACED, "TENSORTAP_TRACED is not set")
    def test_a_training(self):
        subprocess.run([TRACED, self.folder / "run"], check=True, timeout=60)
        found = json.loads(call(self.folder / "run" / "profiler", "--json").stdout)
        phases = {phase["phase"]: phase for phase in found["phases"]}
        self.assertEqual(phases["Step:ModeKeys.TRAIN"]["count"], 20)
        self.assertEqual(phases["Forward"]["count"], 20)
        self.assertGreaterEqual(phases["Forward"]["median_us"], 1000)
        self.assertLess(phases["Backward"]["median_us"], phases["Step:ModeKeys.TRAIN"]["median_us"])
        self.assertIn("MemoryUsedPercent", {metric["dimension"] for metric in found["metrics"]})
        self.assertEqual(found["damaged_lines"], 0)
        self.assertEqual(json.loads(call(self.folder / "run", "--json").stdout), found)


if __name__ == "__main__":
    unittest.main()
