#!/usr/bin/env python3
"""Scores rules on a zoo: recall and false alarms, by cause and by trap, as a table in Markdown.

usage: score.py --runs DIR (--tool PATH [--arguments TEXT] | --baseline trivial | --baseline smdebug | --fake FILE)
                [--rule NAMES] [--split tune|held_out] [--jobs N] [--json FILE]

A run is flagged if it has a finding of severity error. Recall counts the broken runs that are flagged, false alarms
count the healthy ones. Excluded runs, in which a fault is present and the outcome is as good as without it, are counted
apart. --baseline trivial flags a loss that fell by less than 30 % or is not finite; --baseline smdebug applies the
conditions that SageMaker Debugger documents. --fake FILE reads verdicts, one JSON object {"run", "findings"} a line.
"""
import argparse
import collections
import concurrent.futures
import json
import math
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import baselines


def read_lines(path):
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def judge(tool, arguments, run):
    """Returns the findings of the tool, and what it could not do."""
    done = subprocess.run([tool, "judge", str(run), "--json", *arguments], capture_output=True, text=True)
    findings = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    failed = done.returncode not in (0, 1)
    return {"findings": findings, "failure": (done.stderr.strip() or f"exit code {done.returncode}") if failed else None}


def verdicts(options, runs):
    """Returns {run: {"findings", "failure"}}."""
    if options.fake:
        fake = {line["run"]: {"findings": line["findings"], "failure": None} for line in read_lines(options.fake)}
        return {run: fake.get(run, {"findings": [], "failure": "no verdict"}) for run in runs}
    folder = Path(options.runs)
    if options.baseline:
        rule = baselines.RULES[options.baseline]
        with concurrent.futures.ProcessPoolExecutor(options.jobs) as pool:
            found = list(pool.map(rule, [folder / run for run in runs], chunksize=4))
        return {run: {"findings": findings, "failure": None} for run, findings in zip(runs, found)}
    arguments = ["--rule", options.rule, *shlex.split(options.arguments)]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        found = pool.map(lambda run: judge(options.tool, arguments, folder / run), runs)
        return dict(zip(runs, found))


def errors_of(verdict):
    return [finding for finding in verdict["findings"] if finding["severity"] == "error"]


def wilson(hits, count):
    """Returns the 95 % interval of a share. Source: Wilson, JASA 22 (1927) 209."""
    if count == 0:
        return 0.0, 1.0
    z, share = 1.959964, hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def tally(lines, found):
    """Returns the counts of some runs."""
    flagged = [line for line in lines if errors_of(found[line["run"]])]
    rules = collections.Counter()
    for line in flagged:
        rules.update({finding["rule"] for finding in errors_of(found[line["run"]])})
    low, high = wilson(len(flagged), len(lines))
    return {"runs": len(lines), "flagged": len(flagged), "low": low, "high": high,
            "rules": dict(sorted(rules.items(), key=lambda item: (-item[1], item[0])))}


def names_exactly(finding, injected):
    """Returns whether a finding names the step, the tensor and the element of an injected value."""
    if finding["step"] != injected["step"] or finding["tensor"] not in injected["tensors"]:
        return False
    text = finding.get("message", "") + " " + json.dumps(finding.get("evidence", ""))
    return re.search(rf"(?<![\d.]){injected['flat_index']}(?![\d.]*\d)", text) is not None


def group(lines, key):
    groups = collections.defaultdict(list)
    for line in lines:
        groups[line[key]].append(line)
    return sorted(groups.items())


def describe(line, findings):
    return {"run": line["run"], "cause": line["cause"], "trap": line["trap"], "task": line["task"],
            "config": line["config"], "saving": line["saving"],
            "rules": sorted({f"{finding['rule']}: {finding['tensor']}" for finding in findings})}


def score(manifest, found):
    by_label = collections.defaultdict(list)
    for line in manifest:
        by_label[line["label"]].append(line)
    broken, healthy, excluded = (by_label[label] for label in ("broken", "healthy", "excluded"))
    injected = [line for line in broken if line["injected"]]
    named = [line for line in injected
             if any(names_exactly(finding, line["injected"]) for finding in errors_of(found[line["run"]]))]
    return {
        "recall": tally(broken, found), "false_alarms": tally(healthy, found), "excluded": tally(excluded, found),
        "causes": {cause: tally(lines, found) for cause, lines in group(broken, "cause")},
        "traps": {trap or "none": tally(lines, found) for trap, lines in group(healthy, "trap")},
        "injected": {"runs": len(injected), "named": len(named),
                     "not_named": sorted({line["run"] for line in injected} - {line["run"] for line in named})},
        "missed": [describe(line, []) for line in broken if not errors_of(found[line["run"]])],
        "false": [describe(line, errors_of(found[line["run"]])) for line in healthy if errors_of(found[line["run"]])],
        "failures": {run: verdict["failure"] for run, verdict in sorted(found.items()) if verdict["failure"]},
    }


def percent(part):
    if part["runs"] == 0:
        return "none"
    return f"{100 * part['flagged'] / part['runs']:.1f} % ({100 * part['low']:.1f} to {100 * part['high']:.1f})"


def table(title, parts):
    yield f"| {title} | runs | flagged | share (95 % interval) | rules |"
    yield "|---|---|---|---|---|"
    for name, part in parts:
        rules = ", ".join(f"{rule} {count}" for rule, count in part["rules"].items())
        yield f"| {name} | {part['runs']} | {part['flagged']} | {percent(part)} | {rules} |"
    yield ""


def report(result):
    yield from table("all", [("broken: recall", result["recall"]), ("healthy: false alarms", result["false_alarms"]),
                             ("fault without effect: not scored", result["excluded"])])
    injected = result["injected"]
    yield f"Injected NaN and infinities named exactly (step, tensor, element): {injected['named']} of {injected['runs']}."
    yield ""
    yield from table("broken by", result["causes"].items())
    yield from table("healthy, with the trap", result["traps"].items())
    for title, lines in (("Missed", result["missed"]), ("False alarms", result["false"])):
        yield f"{title}: {len(lines)}"
        for line in lines:
            what = "; ".join(filter(None, [line["cause"], line["trap"], line["task"], line["config"],
                                           "saves " + line["saving"], ", ".join(line["rules"])]))
            yield f"* {line['run']}: {what}"
        yield ""
    if result["failures"]:
        yield f"Without a verdict: {len(result['failures'])}"
        yield from (f"* {run}: {failure}" for run, failure in result["failures"].items())


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(description="Scores rules on a zoo of runs.")
    parser.add_argument("--runs", required=True, help="the zoo, with its manifest.jsonl")
    parser.add_argument("--tool", help="the command-line tool tensortap")
    parser.add_argument("--arguments", default="", help="further arguments of its command judge")
    parser.add_argument("--rule", default="all", help="rules to apply, separated by commas")
    parser.add_argument("--split", choices=["tune", "held_out"], help="only these runs")
    parser.add_argument("--baseline", choices=sorted(baselines.RULES), help="score this instead of the tool")
    parser.add_argument("--fake", help="verdicts to score instead")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", help="write the result into this file, too")
    options = parser.parse_args(arguments)
    if [options.tool, options.baseline, options.fake].count(None) != 2:
        parser.error("give one of --tool, --baseline and --fake")
    return options


def main(arguments):
    options = parse_arguments(arguments)
    manifest = read_lines(Path(options.runs) / "manifest.jsonl")
    manifest = [line for line in manifest if options.split in (None, line["split"])]
    result = score(manifest, verdicts(options, [line["run"] for line in manifest]))
    if options.json:
        Path(options.json).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print("\n".join(report(result)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
