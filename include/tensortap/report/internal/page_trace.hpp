// The script of a page, fifth part: the sections of a trace.
#pragma once

#include <string_view>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

inline constexpr std::string_view page_trace = R"js(
// ---- The trace: its curves are over seconds since its begin, whatever the axis of the others.

const traceRun = {isTrace: true, clock: [], interruptions: []};
const timeLine = (curve, name, factor = 1) => {
  const scaled = list => reals(list).map(x => x * factor);
  return {name, run: traceRun, steps: curve.times, min: scaled(curve.min), max: scaled(curve.max ?? curve.min),
    points: curve.points, pointsPerEntry: curve.points_per_entry};
};
const milliseconds = us => number(us / 1000);
const percent = x => number(Number(x.toFixed(1)));

function shareBar(share) {
  const bar = h('span', {class: 'part', 'aria-hidden': 'true'});
  bar.style.width = `${Math.min(Math.max(share, 0), 100) * 0.8}px`;
  return h('span', {class: 'share'}, bar, `${percent(share)} %`);
}

function times(run) {
  const trace = run.trace;
  if (!trace?.phases.length) return [];
  const out = [h('p', {}, `Traced for ${duration(trace.seconds)}, from ${date(trace.began)}. `,
    'Phases may lie in each other, and those of other threads beside the steps, so that shares need not sum to 100 %.',
    trace.damaged_lines > 0 && ` ${count(trace.damaged_lines, 'damaged line')} skipped.`,
    trace.unfinished > 0 && ` ${count(trace.unfinished, 'event')} without an end.`)];
  for (const one of trace.steps)
    out.push(h('p', {}, `${one.phase} in ${one.node}: ${count(one.count, 'step')}, the middle one ${milliseconds(one.median_us)} ms; `,
      `${one.total_us > 0 ? percent(100 * one.outside_us / one.total_us) : 0} % of their time is in no phase of the same thread.`));
  out.push(table('Phases', ['phase', 'process', 'count', 'total, s', 'of the steps', 'median, ms', 'p95, ms', 'longest, ms'],
    trace.phases.map(one => [one.phase, one.node, String(one.count), number(Number((one.total_us / 1e6).toPrecision(5))),
      one.share === undefined ? '–' : shareBar(one.share), milliseconds(one.median_us), milliseconds(one.p95_us), milliseconds(one.max_us)])));
  out.push(h('div', {class: 'charts'}, trace.steps.map(one => lineChart({title: `${one.phase} in ${one.node}: duration, ms`,
    lines: [timeLine(one, '', 1e-3)], threshold: one.outliers ? one.limit_us / 1000 : undefined,
    note: one.outliers ? `${count(one.outliers, 'step')} of ${one.count} last longer than the mean and three standard deviations` : ''}))));
  const slow = trace.steps.flatMap(one => one.slowest.map(step => [step.step === undefined ? '–' : String(step.step), one.phase, one.node,
    number(step.after), milliseconds(step.duration_us), number(Number((step.duration_us / one.median_us).toPrecision(3)))]));
  if (slow.length) out.push(h('h3', {}, 'Outliers'),
    table('The longest steps', ['step', 'phase', 'process', 'after, s', 'ms', 'times the median'], slow));
  return out;
}

function machines(run) {
  const trace = run.trace;
  if (!trace?.metrics.length) return [];
  const charts = new Map();  // by dimension, with at most eight curves, which can be told from each other
  for (const load of trace.loads) {
    const group = charts.get(load.dimension) ?? charts.set(load.dimension, []).get(load.dimension);
    if (group.length === 0 || group.at(-1).length === 8) group.push([]);
    group.at(-1).push(load);
  }
  const nodes = new Set(trace.metrics.map(one => one.node));
  const label = load => [load.name, nodes.size > 1 ? load.node : ''].filter(Boolean).join(' ');
  const rows = trace.metrics.map(one => [one.name || one.type, one.dimension, one.node, String(one.samples), number(one.min), number(one.mean),
    number(one.p50), number(one.p95), number(one.p99), number(one.max)]);
  return [h('div', {class: 'charts'}, [...charts].flatMap(([dimension, groups]) => groups.map((loads, index) => lineChart({
    title: groups.length > 1 ? `${dimension} (${index + 1} of ${groups.length})` : dimension,
    lines: loads.map(load => timeLine(load, loads.length > 1 || label(load) ? label(load) : ''))})))),
    h('h3', {}, 'Use of the machines'),
    table('Use of the machines', ['part', 'metric', 'machine', 'samples', 'least', 'mean', 'p50', 'p95', 'p99', 'largest'], rows)];
}

function profile(run) {
  const trace = run.trace;
  if (!trace) return [];
  const fired = trace.rules.filter(rule => rule.findings.length > 0);
  return [fired.length === 0 && h('p', {}, 'The rules of the profiler have found nothing.'),
    ...fired.flatMap(rule => rule.findings.map(one => h('p', {}, h('span', {class: 'badge advice'}, rule.rule), ` ${one.message} `,
      h('span', {class: 'when'}, `(${count(one.times, 'time')}, from ${duration(one.after)} to ${duration(one.until)})`)))),
    table('Rules of the profiler', ['rule', 'times', 'fires when', 'parameters'], trace.rules.map(rule => [rule.rule, String(rule.times),
      rule.condition, Object.entries(rule.parameters).map(([name, value]) => `${name} ${number(value)}`).join(', ')]))].filter(Boolean);
}
)js";

}  // namespace detail
TENSORTAP_END_NAMESPACE
