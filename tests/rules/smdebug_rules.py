"""The rules of SageMaker Debugger, read from its documentation alone: each function returns what its condition finds in a run.

A finding is a pair of a global step and the name of a tensor; "" is a finding about the whole run. Nothing is shared with the
library: runs are read by strict_reader.py, and all arithmetic is on Python's floats. Losses that are not finite are left out, as
the documentation does not say what becomes of them.
"""
import math
import re
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import strict_reader  # noqa: E402

FORMATS = {"float32": "f", "float64": "d", "float16": "e", "int32": "i", "uint8": "B", "int16": "h", "int8": "b", "int64": "q",
           "bool": "?", "uint16": "H", "uint32": "I", "uint64": "Q"}
REDUCTIONS = "smdebug/reductions/"


class Saved:
    """What one worker saved of one tensor in one step."""

    def __init__(self):
        self.elements, self.shape, self.reductions, self.statistics = None, None, {}, None
        self.records = {}  # all that was saved, by kind: types, shapes and bytes

    def abs_mean(self):
        if self.elements is not None:
            return mean([abs(x) for x in self.elements])
        if "abs_mean" in self.reductions:
            return self.reductions["abs_mean"]
        if self.statistics is None or not self.statistics["count"] or self.non_finite():
            return math.nan
        return self.statistics["abs_sum"] / self.statistics["count"]

    def non_finite(self):
        """Returns the numbers of NaN and of infinities; None if that cannot be told."""
        if self.elements is not None:
            counts = sum(map(math.isnan, self.elements)), sum(map(math.isinf, self.elements))
        elif self.statistics is not None:
            counts = self.statistics["nan"], self.statistics["positive_inf"] + self.statistics["negative_inf"]
        else:
            return None
        return counts if any(counts) else ()

    def variance(self):
        if self.elements is not None:
            middle = mean(self.elements)
            return mean([(x - middle) ** 2 for x in self.elements])
        if "variance" in self.reductions:
            return self.reductions["variance"]
        if self.statistics is None or self.non_finite():
            return math.nan
        return self.statistics["squared_deviations"] / self.statistics["count"] if self.statistics["count"] else math.nan

    def zeros_percent(self):
        if self.elements is not None:
            return 100 * mean([x == 0 for x in self.elements])
        if self.statistics is None or not self.statistics["count"]:
            return math.nan
        return 100 * self.statistics["zeros"] / self.statistics["count"]

    def number(self):
        """Returns the value of a loss."""
        if self.elements is not None:
            return mean(self.elements)
        if "mean" in self.reductions:
            return self.reductions["mean"]
        if self.statistics is None or self.non_finite() or not self.statistics["count"]:
            return math.nan
        return self.statistics["sum"] / self.statistics["count"]

    def units(self):
        """Returns, for each position behind the axis of the batch, the elements of all examples."""
        if not self.elements or not self.shape:
            return []
        width = len(self.elements) // self.shape[0]
        return [self.elements[unit::width] for unit in range(width)]


class Step:
    def __init__(self, number, mode, mode_step, tensors):
        self.number, self.mode, self.mode_step, self.tensors = number, mode, mode_step, tensors


class Run:
    """The steps of one worker, in order."""

    def __init__(self, steps, collections):
        self.steps, self.collections = steps, collections

    def chosen(self, step, collections="", regex=""):
        """Yields the tensors of a step that are in one of the collections, or match one of the patterns."""
        names = [name for name in collections.split(",") if name]
        patterns = [pattern for pattern in regex.split(",") if pattern]
        for name, saved in step.tensors.items():
            if any(self.has(collection, name) for collection in names) or any(re.search(p, name) for p in patterns):
                yield name, saved

    def has(self, collection, name):
        listed = self.collections.get(collection)
        if listed is None:
            return False
        return name in listed["tensor_names"] or any(re.search(pattern, name) for pattern in listed["include_regex"])


def mean(numbers):
    return math.fsum(numbers) / len(numbers) if numbers and all(map(math.isfinite, numbers)) else math.nan


STATISTICS = ("count", "nan", "positive_inf", "negative_inf", "zeros", "first_non_finite", "min", "max", "abs_min", "abs_max", "sum",
              "abs_sum", "sum_squares", "squared_deviations", "abs_squared_deviations")


def elements_of(record):
    """Returns the elements as floats; None if they are no real numbers."""
    dtype, content = record["dtype"], record.get("content", b"")
    if dtype == "bfloat16":
        return [struct.unpack("<f", b"\0\0" + content[i:i + 2])[0] for i in range(0, len(content), 2)]
    if dtype not in FORMATS:
        return None
    count = len(content) // struct.calcsize("<" + FORMATS[dtype])
    return [float(x) for x in struct.unpack(f"<{count}{FORMATS[dtype]}", content)]


def runs_of(root):
    """Returns a Run for each worker; while the run goes on, only with steps that all workers have saved."""
    read = strict_reader.read_run(str(root))
    has_ended = (Path(root) / "training_job_end.ts").exists()
    workers = {seen["worker"] for seen in read.index_files}
    number_of_workers = {}
    for seen in read.index_files:
        number_of_workers[seen["step"]] = number_of_workers.get(seen["step"], 0) + 1
    out = {}
    for worker in sorted(workers):
        steps = []
        for seen in read.index_files:
            if seen["worker"] != worker or (not has_ended and number_of_workers[seen["step"]] < len(workers)):
                continue
            tensors = {}
            for record in seen["records"]:
                add_record(tensors, record)
            steps.append(Step(seen["step"], seen["mode"], seen["mode_step"], tensors))
        collections = next(iter(read.collections.values()))["collections"] if read.collections else {}
        out[worker] = Run(sorted(steps, key=lambda step: step.number), read.collections.get(worker, {}).get("collections", collections))
    return out, read.errors


def bits_of(record):
    return record["dtype"], record["shape"], record.get("content", record.get("list"))


def add_record(tensors, record):
    name = record["name"]
    if not name.startswith(REDUCTIONS):
        saved = tensors.setdefault(name, Saved())
        saved.records[""] = bits_of(record)
        saved.elements, saved.shape = elements_of(record), record["shape"]
        return
    kind, _, name = name[len(REDUCTIONS):].partition("/")
    saved, numbers = tensors.setdefault(name, Saved()), elements_of(record)
    saved.records[kind] = bits_of(record)
    if kind == "statistics":
        saved.statistics = dict(zip(STATISTICS, numbers))
    elif numbers:
        saved.reductions[kind] = numbers[0]


# ---- deep learning

def vanishing_gradient(run, threshold=1e-7):
    return {(step.number, name) for step in run.steps for name, saved in run.chosen(step, "gradients") if saved.abs_mean() < threshold}


def exploding_tensor(run, only_nan=False, tensor_regex="."):
    found = set()
    for step in run.steps:
        for name, saved in run.chosen(step, "", tensor_regex):
            counts = saved.non_finite()
            if counts and (counts[0] or (counts[1] and not only_nan)):
                found.add((step.number, name))
    return found


def share_of_units(saved, is_active, threshold_inactivity):
    """Returns the percentage of the units of which less than threshold_inactivity % of the elements are active."""
    units = saved.units()
    dead = sum(100 * sum(map(is_active, unit)) / len(unit) < threshold_inactivity for unit in units)
    return 100 * dead / len(units) if units else 0


def dead_relu(run, tensor_regex=".*relu_output", threshold_inactivity=1.0, threshold_layer=50.0):
    return {(step.number, name) for step in run.steps for name, saved in run.chosen(step, "", tensor_regex)
            if share_of_units(saved, lambda x: x != 0, threshold_inactivity) > threshold_layer}


def saturated_activation(run, tensor_regex=".*tanh_input|.*sigmoid_input", threshold_tanh_min=-9.4999, threshold_tanh_max=9.4999,
                         threshold_sigmoid_min=-23, threshold_sigmoid_max=16.99999, threshold_inactivity=1.0, threshold_layer=50.0):
    def inside(name):
        if "tanh" in name:
            return lambda x: threshold_tanh_min < x < threshold_tanh_max
        return lambda x: threshold_sigmoid_min < x < threshold_sigmoid_max
    return {(step.number, name) for step in run.steps for name, saved in run.chosen(step, "", tensor_regex)
            if share_of_units(saved, inside(name), threshold_inactivity) > threshold_layer}


def weight_update_ratio(run, large_threshold=10.0, small_threshold=1e-8, epsilon=1e-9):
    mode = "TRAIN" if any(step.mode == "TRAIN" for step in run.steps) else "GLOBAL"
    before, found = {}, set()
    for step in run.steps:
        if step.mode != mode:
            continue
        for name, saved in run.chosen(step, "weights"):
            if saved.elements is None:
                continue
            old = before.get(name)
            before[name] = saved.elements
            if old is None or len(old) != len(saved.elements):
                continue
            ratio = mean([abs(a - b) for a, b in zip(saved.elements, old)]) / (mean([abs(x) for x in saved.elements]) + epsilon)
            if ratio > large_threshold or ratio < small_threshold:
                found.add((step.number, name))
    return found


def tensor_variance(run, tensor_regex="", max_threshold=math.inf, min_threshold=-math.inf):
    return {(step.number, name) for step in run.steps for name, saved in run.chosen(step, "", tensor_regex)
            if saved.variance() > max_threshold or saved.variance() < min_threshold}


# ---- deep learning and XGBoost

def all_zero(run, tensor_regex="", threshold=100):
    return {(step.number, name) for step in run.steps for name, saved in run.chosen(step, "", tensor_regex)
            if saved.zeros_percent() >= threshold}


def unchanged_tensor(run, tensor_regex="", num_steps=3, rtol=1e-5, atol=1e-8):
    def close(a, b):
        return len(a) == len(b) and all(x == y or abs(x - y) <= atol + rtol * abs(y) for x, y in zip(a, b))
    history, found = {}, set()
    for step in run.steps:
        for name, saved in run.chosen(step, "", tensor_regex):
            if saved.elements is None:
                continue
            last = history.setdefault(name, [])
            last.append(saved.elements)
            del last[:-num_steps]
            if len(last) == num_steps and all(close(saved.elements, other) for other in last[:-1]):
                found.add((step.number, name))
    return found


def examples(run, step, labels_regex, predictions_regex):
    """Yields each label with its prediction: the class of the largest number of its row, or the number itself; None if one of
    them is no number, of which the documentation says nothing."""
    labels = [saved for _, saved in run.chosen(step, "", labels_regex)]
    predictions = [saved for _, saved in run.chosen(step, "", predictions_regex)]
    if len(labels) != 1 or len(predictions) != 1 or not labels[0].elements or not predictions[0].elements:
        return
    if any(label != math.floor(label) for label in labels[0].elements if math.isfinite(label)):
        return  # numbers, not classes
    width = len(predictions[0].elements) // len(labels[0].elements)
    for i, label in enumerate(labels[0].elements):
        row = predictions[0].elements[i * width:(i + 1) * width]
        yield label, None if any(map(math.isnan, row)) else row.index(max(row)) if width > 1 else round(row[0])


def has_clear_answers(run, labels_regex=".*labels", predictions_regex=".*predictions"):
    """Whether all labels are whole numbers, and all predictions are rows of finite scores or whole numbers: else the documentation does
    not say what is right."""
    for step in run.steps:
        labels = [saved for _, saved in run.chosen(step, "", labels_regex)]
        predictions = [saved for _, saved in run.chosen(step, "", predictions_regex)]
        if len(labels) > 1 or len(predictions) > 1:
            return False
        if any(not math.isfinite(x) for saved in predictions for x in saved.elements or ()):
            return False
        for saved in labels + ([] if labels and predictions and len(predictions[0].elements or ()) > len(labels[0].elements or ())
                               else predictions):
            if any(x != math.floor(x) for x in saved.elements or () if math.isfinite(x)):
                return False
    return True


def class_imbalance(run, threshold_imbalance=10, threshold_misprediction=0.7, samples=500, labels_regex=".*labels",
                    predictions_regex=".*predictions"):
    """About steps: labels are whole numbers, predictions have one row for each label."""
    totals, predicted, wrong, found = {}, {}, {}, set()
    for step in run.steps:
        any_seen = False
        for label, guess in examples(run, step, labels_regex, predictions_regex):
            any_seen = True
            totals[label] = totals.get(label, 0) + 1
            predicted[label] = predicted.get(label, 0) + (guess is not None)
            wrong[label] = wrong.get(label, 0) + (guess not in (label, None))
        if not any_seen:
            continue
        if sum(totals.values()) < samples:
            continue
        if max(totals.values()) / min(totals.values()) > threshold_imbalance or \
                any(wrong[label] / n > threshold_misprediction for label, n in predicted.items() if n):
            found.add((step.number, ""))
    return found


def confusion(run, min_diag=0.9, max_off_diag=0.1, labels=".*labels", predictions=".*predictions"):
    """About steps: shares are those of a row, which holds the examples of one label."""
    rows, found = {}, set()
    for step in run.steps:
        for label, guess in examples(run, step, labels, predictions):
            if guess is not None:
                row = rows.setdefault(label, {})
                row[guess] = row.get(guess, 0) + 1
        if not any(True for _ in examples(run, step, labels, predictions)):
            continue
        for label, row in rows.items():
            total = sum(row.values())
            if row.get(label, 0) / total < min_diag or any(n / total > max_off_diag for guess, n in row.items() if guess != label):
                found.add((step.number, ""))
    return found


def loss_not_decreasing(run, num_steps=10, diff_percent=0.1, increase_threshold_percent=5, mode="TRAIN"):
    """The loss must fall by diff_percent, unless it rises by increase_threshold_percent at most, which is tolerated."""
    history, last_check, found = {}, {}, set()
    for step in run.steps:
        if step.mode != mode:
            continue
        for name, saved in run.chosen(step, "losses"):
            loss = saved.number()
            if not math.isfinite(loss):
                continue
            last_check.setdefault(name, step.mode_step)
            older = [value for at, value in history.get(name, []) if at <= step.mode_step - num_steps]
            history.setdefault(name, []).append((step.mode_step, loss))
            if step.mode_step - last_check[name] < num_steps:
                continue
            last_check[name] = step.mode_step
            if not older:
                continue
            size = abs(older[-1]) / 100
            is_tolerated = older[-1] < loss <= older[-1] + increase_threshold_percent * size
            if loss >= older[-1] - diff_percent * size and not is_tolerated:
                found.add((step.number, name))
    return found


def overfit(run, start_step=0, patience=1, ratio_threshold=0.1):
    """About steps: the losses of an EVAL step against those of the last TRAIN step. Where that is 0, any other is infinitely above it."""
    train, in_a_row, found = math.nan, 0, set()
    for step in run.steps:
        losses = [saved.number() for _, saved in run.chosen(step, "losses")]
        losses = [loss for loss in losses if math.isfinite(loss)]
        if not losses:
            continue
        if step.mode == "TRAIN":
            train = mean(losses)
        if step.mode != "EVAL" or step.mode_step < start_step:
            continue
        gap = mean(losses) - train
        is_above = gap > 0 if train == 0 else gap / train > ratio_threshold
        in_a_row = in_a_row + 1 if is_above else 0
        if in_a_row >= patience:
            found.add((step.number, ""))
    return found


def overtraining(run, patience_train=5, patience_validation=10, delta=0.01):
    best, without, found = {}, {}, set()
    for step in run.steps:
        if step.mode not in ("TRAIN", "EVAL"):
            continue
        for name, saved in run.chosen(step, "losses"):
            key, loss = (step.mode, name), saved.number()
            if not math.isfinite(loss):
                continue
            if best.get(key, math.inf) - loss > delta:
                best[key], without[key] = loss, 0
                continue
            without[key] = without.get(key, 0) + 1
            if without[key] >= (patience_train if step.mode == "TRAIN" else patience_validation):
                found.add((step.number, name))
    return found


def percentile(numbers, percent):
    ordered = sorted(numbers)
    at = (len(ordered) - 1) * percent / 100
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def poor_weight_initialization(run, activation_inputs_regex=".*relu_input", threshold=10.0, distribution_range=0.001, patience=5, steps=10):
    """About steps: the first `steps` steps of training."""
    best, since_best, found = math.inf, 0, set()
    for step in run.steps:
        if step.mode not in ("TRAIN", "GLOBAL") or step.mode_step >= steps:
            continue
        variances = [saved.variance() for _, saved in run.chosen(step, "", activation_inputs_regex)]
        if variances and min(variances) > 0 and max(variances) / min(variances) > threshold:
            found.add((step.number, ""))
        for _, saved in run.chosen(step, "gradients"):
            if saved.elements and percentile(saved.elements, 95) - percentile(saved.elements, 5) < distribution_range:
                found.add((step.number, ""))
        for _, saved in run.chosen(step, "losses"):
            since_best = 0 if saved.number() < best else since_best + 1
            best = min(best, saved.number())
        if since_best >= patience:
            found.add((step.number, ""))
    return found


def stalled_training(run, threshold=1800.0, tensor_regex=""):
    """The time is that of the first tensor of such a name, in seconds. Times that go back say nothing."""
    name, last, found = None, None, set()
    for step in run.steps:
        if name is None:
            name = next((one for one in step.tensors if re.search(tensor_regex, one)), None)
        now = step.tensors[name].number() if name in step.tensors else math.nan
        if not math.isfinite(now) or now < (0 if last is None else last):
            continue
        if last is not None and now - last > threshold:
            found.add((step.number, name))
        last = now
    return found


def similar_across_runs(run, other):
    """The steps and tensors that both runs have, and of which they saved different bits: of the elements if both have them, else
    of their statistics or reductions."""
    others, found = {step.number: step.tensors for step in other.steps}, set()
    for step in run.steps:
        for name, saved in step.tensors.items():
            theirs = others.get(step.number, {}).get(name, Saved()).records
            kinds = [kind for kind in saved.records if kind in theirs]
            whole = [kind for kind in ("", "statistics") if kind in kinds][:1]
            if any(saved.records[kind] != theirs[kind] for kind in whole or kinds):
                found.add((step.number, name))
    return found


def has_other_records(run, other):
    """The steps and tensors of which two runs saved different kinds of records."""
    others = {step.number: step.tensors for step in other.steps}
    return {(step.number, name) for step in run.steps for name, saved in step.tensors.items()
            if saved.records.keys() != others.get(step.number, {}).get(name, Saved()).records.keys()}


# ---- applications

def check_input_images(run, threshold_mean=0.2, threshold_samples=500, regex=".*hybridsequential0_input_0", channel=1):
    seen, found = {}, set()
    for step in run.steps:
        for name, saved in run.chosen(step, "", regex):
            if not saved.elements or len(saved.shape) != 4:
                continue
            inner = math.prod(saved.shape[channel + 1:])
            count, values = seen.setdefault(name, [0, {}])
            seen[name][0] = count + saved.shape[0]
            for i, x in enumerate(saved.elements):
                values.setdefault(i // inner % saved.shape[channel], []).append(x)
            if seen[name][0] >= threshold_samples and any(abs(mean(v)) > threshold_mean for v in values.values()):
                found.add((step.number, name))
    return found


def nlp_sequence_ratio(run, tensor_regex=".*embedding0_input_0", token_values="0", token_thresholds_percent="50"):
    limits = dict(zip(map(float, token_values.split(",")), map(float, token_thresholds_percent.split(","))))
    return {(step.number, name) for step in run.steps for name, saved in run.chosen(step, "", tensor_regex)
            if saved.elements and any(100 * saved.elements.count(token) / len(saved.elements) > limit for token, limit in limits.items())}


# ---- XGBoost

def feature_importance_overweight(run, threshold=0.8, nfeatures=3, tensor_regex=".*feature_importance/weight"):
    found = set()
    for step in run.steps:
        shares = sorted((x for _, saved in run.chosen(step, "", tensor_regex) for x in saved.elements or ()), reverse=True)
        if shares and sum(shares) > 0 and sum(shares[:nfeatures]) / sum(shares) > threshold:
            found.add((step.number, ""))
    return found


def tree_depth(run, depth=4, tensor_regex="^trees/Node$"):
    return {(step.number, name) for step in run.steps for name, saved in run.chosen(step, "", tensor_regex)
            if saved.elements and max(saved.elements) >= 1 and math.floor(math.log2(max(saved.elements))) > depth}
