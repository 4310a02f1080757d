"""What the rules are compared with: one trivial rule, and the documented defaults of SageMaker Debugger's main rules.

The conditions are those of the page "List of Debugger built-in rules", read literally, on the elements that a run holds.
"""
import collections
import math
import re

from run_reader import mean, records

LOSS = re.compile(r"[Ll]oss_(?!input).*output")


def finding(rule, step, tensor, value):
    return {"rule": rule, "severity": "error", "step": step, "tensor": tensor, "value": value, "message": ""}


def trivial(run):
    """The loss fell by less than 30 %, from the first to the last tenth of the training, or it is not finite."""
    losses = [(step, name, values[0]) for mode, _, step, name, _, values in records(run, LOSS.search) if mode == "TRAIN"]
    if not losses:
        return []
    tenth = max(1, len(losses) // 10)
    first, last = (mean([value for _, _, value in part]) for part in (losses[:tenth], losses[-tenth:]))
    fine = all(math.isfinite(value) for _, _, value in losses) and last <= first - 0.3 * abs(first)
    return [] if fine else [finding("Trivial", losses[-1][0], losses[-1][1], last)]


def is_interesting(name):
    return re.search(r"\.(weight|bias)$|[Ll]oss_(?!input).*output|_(in|out)put_0$", name) is not None


class Documented:
    """The rules VanishingGradient, ExplodingTensor, DeadRelu, SaturatedActivation, WeightUpdateRatio,
    LossNotDecreasing, Overfit and UnchangedTensor (on weights), at their defaults."""

    def __init__(self):
        self.found = {}
        self.last_weights = {}
        self.recent = collections.defaultdict(list)
        self.losses = collections.defaultdict(list)

    def report(self, rule, step, tensor, value):
        self.found.setdefault((rule, tensor), finding(rule, step, tensor, value))

    def see(self, mode, mode_step, step, name, shape, values):
        if not all(map(math.isfinite, values)):
            self.report("ExplodingTensor", step, name, math.nan)
        if LOSS.search(name):
            self.see_loss(mode, step, name, values[0])
        elif name.startswith("gradient"):
            size = mean([abs(value) for value in values])
            if size < 1e-7:
                self.report("VanishingGradient", step, name, size)
        elif name.endswith((".weight", ".bias")):
            if mode == "TRAIN":
                self.see_weight(step, name, values)
        elif "relu" in name and "_output_0" in name:
            self.see_units("DeadRelu", step, name, shape, values, lambda value: value != 0)
        elif re.search("tanh.*_input_0", name):
            self.see_units("SaturatedActivation", step, name, shape, values, lambda value: abs(value) < 9.4999)
        elif re.search("sigmoid.*_input_0", name):
            self.see_units("SaturatedActivation", step, name, shape, values, lambda value: -23 < value < 16.99999)

    def see_units(self, rule, step, name, shape, values, is_active):
        rows = shape[0]
        units = len(values) // rows
        idle = sum(1 for unit in range(units) if sum(map(is_active, values[unit::units])) < 0.01 * rows)
        if idle > 0.5 * units:
            self.report(rule, step, name, idle / units)

    def see_weight(self, step, name, values):
        before = self.last_weights.get(name)
        self.last_weights[name] = values
        if before is None:
            return
        change = mean([abs(a - b) for a, b in zip(values, before)]) / (mean([abs(b) for b in before]) + 1e-9)
        if change > 10 or change < 1e-8:
            self.report("WeightUpdateRatio", step, name, change)
        same = all(abs(a - b) <= 1e-8 + 1e-5 * abs(b) for a, b in zip(values, before))
        self.recent[name] = (self.recent[name] + [same])[-2:]
        if self.recent[name] == [True, True]:
            self.report("UnchangedTensor", step, name, 0)

    def see_loss(self, mode, step, name, value):
        losses = self.losses[mode]
        losses.append((step, value))
        if len(losses) > 10 and (len(losses) - 1) % 10 == 0:
            before = losses[-11][1]
            if not value < before - 0.001 * abs(before):
                self.report("LossNotDecreasing", step, name, value)
        if mode == "EVAL" and self.losses["TRAIN"]:
            train = mean([loss for _, loss in self.losses["TRAIN"][-10:]])
            if train > 0 and (value - train) / train > 0.1:
                self.report("Overfit", step, name, (value - train) / train)


def smdebug(run):
    rules = Documented()
    for record in records(run, is_interesting):
        rules.see(*record)
    return list(rules.found.values())


RULES = {"trivial": trivial, "smdebug": smdebug}
