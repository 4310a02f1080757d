#!/usr/bin/env python3
"""The rules of SageMaker Debugger with its parameters find what smdebug_rules.py reads from its documentation: the same steps and
tensors, in the golden runs and in those of the folders that TENSORTAP_PARITY_RUNS names (with colons between them).

TENSORTAP_COMMAND names the tool.
"""
import concurrent.futures
import json
import os
import subprocess
import unittest
from pathlib import Path

import smdebug_rules as rules

COMMAND = os.environ.get("TENSORTAP_COMMAND")
GOLDEN = Path(__file__).resolve().parent.parent / "data" / "golden"

# The rule, its reading, what is compared, parameters.
EVERY = {"tensor_regex": "."}
ANSWERS = {"labels_regex": ".*labels", "predictions_regex": ".*predictions"}
CASES = (
    ("VanishingGradient", rules.vanishing_gradient, ({}, {"threshold": 1e-3}, {"threshold": 0.5})),
    ("ExplodingTensor", rules.exploding_tensor, ({}, {"only_nan": True})),
    ("DeadRelu", rules.dead_relu, ({}, {"threshold_layer": 5}, {"threshold_inactivity": 20.0, "threshold_layer": 10})),
    ("SaturatedActivation", rules.saturated_activation, ({}, {"threshold_tanh_max": 0.5, "threshold_tanh_min": -0.5, "threshold_layer": 5})),
    ("WeightUpdateRatio", rules.weight_update_ratio, ({}, {"large_threshold": 0.01}, {"small_threshold": 1e-3})),
    ("TensorVariance", rules.tensor_variance, (EVERY | {"max_threshold": 1}, EVERY | {"min_threshold": 1e-3})),
    ("AllZero", rules.all_zero, (EVERY, EVERY | {"threshold": 30})),
    ("UnchangedTensor", rules.unchanged_tensor, (EVERY, EVERY | {"num_steps": 2, "rtol": 1e-2})),
    ("ClassImbalance", rules.class_imbalance, (ANSWERS, ANSWERS | {"samples": 10, "threshold_imbalance": 1.5})),
    ("Confusion", rules.confusion, ({}, {"min_diag": 0.1, "max_off_diag": 0.9})),
    ("LossNotDecreasing", rules.loss_not_decreasing, ({"mode": "TRAIN"}, {"mode": "TRAIN", "num_steps": 3, "diff_percent": 5})),
    ("Overfit", rules.overfit, ({}, {"patience": 2, "ratio_threshold": 0.02})),
    ("Overtraining", rules.overtraining, ({}, {"patience_train": 2, "delta": 0.1})),
    # Any number that grows is a time, here.
    ("StalledTrainingRule", rules.stalled_training, ({"tensor_regex": "wall_time|timestamp"}, {"tensor_regex": "oss", "threshold": 1e-3})),
    ("PoorWeightInitialization", rules.poor_weight_initialization, ({}, {"activation_inputs_regex": ".*input_0", "patience": 2})),
    ("CheckInputImages", rules.check_input_images, ({}, {"regex": "_input_0$", "threshold_samples": 1, "threshold_mean": 0.05})),
    ("NLPSequenceRatio", rules.nlp_sequence_ratio, ({}, {"tensor_regex": ".", "token_values": "0,1", "token_thresholds_percent": "30,10"})),
    ("FeatureImportanceOverweight", rules.feature_importance_overweight, ({}, {"nfeatures": 1, "threshold": 0.25})),
    ("TreeDepth", rules.tree_depth, ({}, {"tensor_regex": "f0$", "depth": 0})),
)
# smdebug always makes these collections; of a run without them, its documentation says nothing.
COLLECTION_OF = {"VanishingGradient": "gradients", "WeightUpdateRatio": "weights", "LossNotDecreasing": "losses", "Overfit": "losses",
                 "Overtraining": "losses", "PoorWeightInitialization": "gradients"}
ABOUT_STEPS = {"ClassImbalance", "Confusion", "FeatureImportanceOverweight", "Overfit", "PoorWeightInitialization"}


def as_text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def found_by_the_tool(run, cases):
    """Returns what the tool finds in a run, by rule: in one pass, with these parameters by rule."""
    command = [COMMAND, "judge", run, "--smdebug", "--each", "--json", "--rule", ",".join(cases)]
    for rule, parameters in cases.items():
        for name, value in parameters.items():
            command += ["--set", f"{rule}.{name}={as_text(value)}"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert not result.stderr.startswith("tensortap:"), result.stderr
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert not any(line.get("failed") for line in lines), result.stdout
    found = {rule: set() for rule in cases}
    for line in lines:
        found[line["rule"]].add((line["step"], "" if line["rule"] in ABOUT_STEPS else line["tensor"]))
    return found


def untold(runs, rule):
    """Returns the steps and tensors of which only reductions were saved, or not the elements that count the tokens: the documentation
    says nothing of them."""
    return {(step.number, name) for run in runs for step in run.steps for name, saved in step.tensors.items()
            if saved.elements is None and (saved.statistics is None or rule == "NLPSequenceRatio")}


def known_rules():
    result = subprocess.run([COMMAND, "rules", "--smdebug", "--json"], capture_output=True, text=True, timeout=60, check=True)
    return {json.loads(line)["rule"] for line in result.stdout.splitlines()}


def folders():
    """Returns the runs to judge."""
    out = [path.with_name(path.name.removesuffix(".expected.json")) for path in sorted(GOLDEN.glob("*.expected.json"))]
    out = [path for path in out if path.is_dir() and "running" not in path.name]
    for folder in filter(None, os.environ.get("TENSORTAP_PARITY_RUNS", "").split(":")):
        out += sorted(path.parent for path in Path(folder).glob("*/index"))
    return out


def compare(run, known):
    """Returns the number of findings that the readings expect in a run, by rule, and how those of the tool differ."""
    counts, differences = {}, []
    workers, errors = rules.runs_of(run)
    if errors:
        return counts, differences
    tellable = []
    for rule, reading, cases in CASES:
        needed = COLLECTION_OF.get(rule)
        if rule not in known or (needed and not all(needed in one.collections for one in workers.values())):
            continue
        if rule in ("ClassImbalance", "Confusion") and not all(map(rules.has_clear_answers, workers.values())):
            continue
        tellable.append((rule, reading, cases, untold(workers.values(), rule)))
    for number in range(max((len(cases) for _, _, cases, _ in tellable), default=0)):
        judged = [(rule, reading, cases[number], unclear) for rule, reading, cases, unclear in tellable if number < len(cases)]
        found = found_by_the_tool(run, {rule: parameters for rule, _, parameters, _ in judged})
        for rule, reading, parameters, unclear in judged:
            expected = set().union(*(reading(one, **parameters) for one in workers.values())) - unclear
            alone, missed = sorted(found[rule] - unclear - expected), sorted(expected - found[rule])
            if alone or missed:
                differences.append(f"{run}, {rule} {parameters}: by the tool alone {alone[:5]}, by the reading alone {missed[:5]}")
            counts[rule] = counts.get(rule, 0) + len(expected)
    return counts, differences


@unittest.skipUnless(COMMAND, "TENSORTAP_COMMAND is not set: the examples are not built")
class ParityTest(unittest.TestCase):
    def test_the_same_steps_and_tensors_are_found(self):
        known, counts, different, runs = known_rules(), {}, [], folders()
        with concurrent.futures.ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            for found, differences in pool.map(compare, runs, [known] * len(runs)):
                different += differences
                for rule, count in found.items():
                    counts[rule] = counts.get(rule, 0) + count
        self.assertEqual(different, [])
        print(f"{len(runs)} runs", end=", ")
        print("findings compared:", counts)
        for rule in ("VanishingGradient", "ExplodingTensor", "FeatureImportanceOverweight", "NLPSequenceRatio"):
            self.assertGreater(counts[rule], 0, rule)

    def test_the_same_differences_between_runs_are_found(self):
        """Each run is compared with the next one that saved the same kinds of numbers."""
        count, read = 0, [(run, *rules.runs_of(run)) for run in folders()]
        for (run, workers, errors), (other, theirs, other_errors) in zip(read, read[1:] + read[:1]):
            if errors or other_errors or workers.keys() != theirs.keys():
                continue
            with self.subTest(run=str(run), other=str(other)):
                unclear = set().union(*(rules.has_other_records(one, theirs[name]) for name, one in workers.items()))
                expected = set().union(*(rules.similar_across_runs(one, theirs[name]) for name, one in workers.items())) - unclear
                self.assertEqual(found_by_the_tool(run, {"SimilarAcrossRuns": {"other_trials": other}})["SimilarAcrossRuns"] - unclear, expected)
                count += len(expected)
        print("differences compared:", count)


if __name__ == "__main__":
    unittest.main()
