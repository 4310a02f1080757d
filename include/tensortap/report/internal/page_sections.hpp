// The script of a page, fourth part: its sections.
#pragma once

#include <string_view>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

inline constexpr std::string_view page_sections = R"js(
const quantityNames = {value: 'value', l2: 'norm', rms: 'root mean square', mean: 'mean', std: 'standard deviation', min: 'least',
  max: 'largest', abs_mean: 'mean magnitude', abs_max: 'largest magnitude', zeros: 'zeros, percent', non_finite: 'elements not finite',
  update_ratio: 'size of the update', dead: 'dead units, percent', saturated: 'saturated units, percent', gradient_norm: 'norm of all gradients'};
const plural = {gradient: 'gradients', weight: 'weights', bias: 'biases', 'layer output': 'layer outputs', 'layer input': 'layer inputs',
  other: 'other tensors', loss: 'losses', metric: 'metrics', predictions: 'predictions', labels: 'labels'};

function stateText(run) {
  const errors = run.findings.filter(one => one.finding.severity === 'error' && !one.finding.failed).length;
  const advice = run.findings.filter(one => one.finding.severity === 'advice' && !one.finding.failed).length;
  const texts = [];
  if (errors) texts.push(h('span', {class: 'badge error'}, count(errors, 'error')));
  if (advice) texts.push(h('span', {class: 'badge advice'}, h('span', {}, `${advice} advice`)));
  if (!errors && !advice) texts.push(h('span', {class: 'badge'}, run.rules.some(rule => rule.tensors > 0) ? 'no findings' : 'nothing was judged'));
  return texts;
}

function summary() {
  const rows = [];
  const row = (name, text) => { const cells = runs.map(text); if (cells.some(cell => cell !== null)) rows.push([name, ...cells]); };
  row('findings', run => h('span', {}, stateText(run)));
  row('state', run => run.state + (run.job ? `; job ${run.job.name}: ${run.job.status}` : ''));
  row('steps', run => Object.entries(run.modes).map(([mode, one]) => `${one.steps.toLocaleString('en')} ${mode} (${one.first} to ${one.last})`).join(', ') || 'none');
  row('duration', run => run.began === undefined ? null : `${duration(run.last_saved - run.began)}, from ${date(run.began)}`);
  row('time per step', run => run.began === undefined || run.steps < 2 ? null : duration((run.last_saved - run.began - pauses(run)) / (run.steps - 1)));
  row('interruptions', run => run.interruptions.length === 0 ? null :
    `${run.interruptions.length}; ${duration(pauses(run))} between the attempts`);
  row('savings', run => run.job ? `${number(Number(run.job.savings.toFixed(1)))} % (trained ${duration(run.job.training_seconds)}, billed ${duration(run.job.billable_seconds)})` : null);
  row('workers', run => run.workers.length > 1 ? String(run.workers.length) : null);
  row('tensors', run => `${run.tensors.toLocaleString('en')}, ${bytes(run.bytes)} of records`);
  row('last loss', run => {
    const losses = run.curves.filter(curve => curve.role === 'loss' && curve.steps.length);
    return losses.length ? losses.slice(0, 4).map(curve => `${curve.tensor} ${curve.mode} ${number(curve.max?.at(-1) ?? curve.min.at(-1))}`).join(', ') : null;
  });
  row('hook', run => run.hook ? run.hook.text : null);
  row('not saved', run => run.lost.text ?? null);
  row('thinned', run => run.thinned.length ? h('ul', {}, run.thinned.slice(0, 20).map(text => h('li', {}, text))) : null);
  row('damaged', run => run.damage.length ? h('ul', {}, run.damage.slice(0, 20).map(text => h('li', {}, text)),
    run.damage.length > 20 && h('li', {}, `and ${run.damage.length - 20} more`)) : null);
  row('left out here', run => run.left_out ? `${count(run.left_out, 'curve or row', 'curves and rows')} beyond the size of a page` : null);
  row('address', run => h('code', {}, run.address));
  return [table('Summary', runs.length > 1 ? ['', ...runs.map(run => run.name)] : null, rows)];
}
const pauses = run => run.interruptions.reduce((sum, one) => sum + Math.max(real(one.seconds ?? 0), 0), 0);

function findings(run) {
  const ran = run.rules.filter(rule => rule.tensors > 0).length;
  const rules = h('details', {}, h('summary', {}, `${count(ran, 'rule')} could judge something, of ${run.rules.length}`),
    table('Rules', ['rule', 'status', 'tensors', 'steps', 'what it lacks'],
      run.rules.map(rule => [rule.rule, rule.status.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase(), String(rule.tensors), String(rule.steps), rule.reason])));
  if (run.findings.length === 0)
    return [h('p', {}, ran ? 'The rules have found nothing.' : 'No rule has what it needs.'), rules];
  const groups = new Map();  // by rule and severity; the order of the findings is kept
  for (const one of run.findings) {
    const key = `${one.finding.failed} ${one.finding.severity} ${one.finding.rule}`;
    groups.set(key, [...groups.get(key) ?? [], one]);
  }
  const most = 3;  // of a group, which are not folded away
  return [[...groups.values()].map((group, place) => [
    group.slice(0, most).map((one, index) => finding(run, one, place < 8 && index === 0)),
    group.length > most && h('details', {class: 'more'}, h('summary', {}, `${count(group.length - most, 'more finding')} of ${group[0].finding.rule}`),
      group.slice(most).map(one => finding(run, one, false)))]), rules];
}

function finding(run, {finding: found, condition, evidence, shows_value: showsValue, columns, rows}, isOpen) {
  const [, cause, advice] = /^(.*?)(?:; ((?:try|lower|look|check|clip|use|see|save|if|train|stop|make|give|remove|normalise) .*))?$/s.exec(found.message);
  const [first, last] = [found.step, found.last_step];
  const kind = found.failed ? 'failed' : found.severity;
  const when = found.count > 1 ? `${count(found.count, 'step')}, ${first} to ${last}` : `step ${first}`;
  const subject = found.tensor || 'the run';
  const body = [
    h('p', {}, cause, '.'),
    advice && h('p', {class: 'try'}, h('strong', {}, 'What to try: '), advice.replace(/^try /, ''), '.'),
    condition && h('p', {class: 'note'}, 'The rule fires if ', condition, '.')];
  const chart = evidence && lineChart({
    title: `${evidence.tensor}: ${quantityNames[evidence.quantity] ?? evidence.quantity}`, lines: [lineOf(evidence, run, '')],
    threshold: showsValue ? real(found.threshold ?? NaN) : NaN, span: [first, last], height: 190,
    isLog: ['l2', 'rms', 'abs_mean', 'update_ratio'].includes(evidence.quantity),
    note: showsValue ? 'shaded: the steps of the finding' :
      `shaded: the steps of the finding; the rule's number is ${number(found.value)}${found.threshold === null ? '' : `, its limit ${number(found.threshold)}`}`});
  const around = rows && h('div', {}, h('h3', {}, `Around step ${first}`),
    table(`What was saved around step ${first}`, ['step', ...columns.map(name => quantityNames[name] ?? name)],
      rows.map(([step, mode, modeStep, ...numbers]) => [
        h('span', {title: `${mode} step ${modeStep}`}, step === first ? `▸ ${step}` : String(step)), ...numbers.map(number)]),
      {rowClass: index => rows[index][0] === first ? 'here' : ''}));
  return h('details', {class: `finding ${kind}`, open: isOpen},
    h('summary', {}, h('span', {class: `badge ${kind}`}, kind), h('strong', {}, found.rule), h('bdi', {class: 'subject'}, subject),
      h('span', {class: 'when'}, run.workers.length > 1 && found.worker ? `${found.worker}, ${when}` : when)),
    body, h('div', {class: 'pair'}, chart, around));
}

function curves() {
  const groups = new Map();
  for (const run of runs) {
    const seen = new Set();
    for (const curve of run.curves) {
      const name = curve.tensor || quantityNames[curve.quantity];
      if (seen.has(`${name}\n${curve.mode}`) || curve.steps.length === 0) continue;  // of several workers the first
      seen.add(`${name}\n${curve.mode}`);
      if (!groups.has(name)) groups.set(name, {role: curve.role, lines: []});
      const parts = [runs.length > 1 && run.name, curve.mode !== 'GLOBAL' && curve.tensor && curve.mode].filter(Boolean);
      groups.get(name).lines.push(lineOf(curve, run, parts.join(' ')));
    }
  }
  const charts = [...groups].map(([name, {role, lines}]) =>
    lineChart({title: name, lines, isLog: name === quantityNames.gradient_norm, height: role === 'loss' ? 210 : 150}));
  return charts.length ? [h('div', {class: 'charts'}, charts)] : [];
}

function mapFigure(run, map, title, options = {}) {
  const max = (map.max ?? map.min).map(reals), min = map.min.map(reals);
  return heatMap({title, run, steps: map.columns, names: map.tensors, cells: max, ...options,
    text: (i, k) => max[i][k] === null || min[i][k] === max[i][k] ? number(max[i][k]) : `${number(min[i][k])} to ${number(max[i][k])}`,
    open: i => {
      const kept = map.columns.map((_, k) => k).filter(k => max[i][k] !== null);
      return lineChart({title: map.tensors[i], isLog: options.isLog, lines: [{name: '', run, steps: kept.map(k => map.columns[k]),
        min: kept.map(k => min[i][k]), max: kept.map(k => max[i][k]), pointsPerEntry: 1}]});
    },
    note: options.note});
}

function norms(run) {
  const note = 'Each cell is the largest norm in its range of steps.';
  return run.maps.filter(map => map.quantity === 'l2').map(map => mapFigure(run, map, `Norms of ${plural[map.role]}`, {isLog: true, note}))
    .concat(run.maps.filter(map => map.quantity === 'non_finite').map(map =>
      mapFigure(run, map, 'Elements that are not finite', {isLog: true, note: 'Tensors without NaN and infinities are left out.'})));
}

const updates = run => run.maps.filter(map => map.quantity === 'update_ratio').map(map =>
  mapFigure(run, map, `Updates of ${plural[map.role]}: size of the change over that of the tensor`, {isLog: true,
    note: 'Between two steps that have saved the tensor; about 0.001 for one step is usual. Without elements, it is the least that the statistics allow.'}));

const units = run => run.maps.filter(map => map.quantity === 'dead' || map.quantity === 'saturated').map(map =>
  mapFigure(run, map, map.quantity === 'dead' ? 'Dead units: always zero, percent' : 'Saturated units, percent', {range: [0, 100],
    note: 'Of the units of each layer, in one step.'}));

function distributions(run) {
  const names = [...new Set(run.bands.map(band => band.tensor))];
  if (names.length === 0) return [];
  const place = h('div', {class: 'pair'});
  const draw = name => {
    const bands = run.bands.filter(band => band.tensor === name);
    const histogram = run.histograms.find(one => one.tensor === name);
    place.replaceChildren(
      lineChart({title: `${name}: range`, lines: bands.map(band => lineOf(band, run, quantityNames[band.quantity])), height: 230}),
      histogram ? histogramMap(run, histogram) : h('p', {class: 'note'}, 'Its elements were not saved, or are too many for a histogram here.'));
  };
  const id = newId();
  const choice = h('select', {id, onchange: () => draw(choice.value)}, names.map(name => h('option', {value: name}, name)));
  const first = names.find(name => run.histograms.some(one => one.tensor === name)) ?? names[0];
  choice.value = first;
  draw(first);
  return [h('p', {}, h('label', {for: id}, 'Tensor '), choice), place];
}

function histogramMap(run, {tensor, steps, edges, counts}) {
  edges = reals(edges);
  const bins = edges.length - 1;
  const order = [...Array(bins).keys()].reverse();  // large numbers on top
  const totals = counts.map(one => one.reduce((a, b) => a + b, 0));
  return heatMap({title: `${tensor}: share of the elements, percent`, run, steps, isLog: true, rowHeight: 8,
    names: order.map(bin => `${number(edges[bin])} to ${number(edges[bin + 1])}`),
    cells: order.map(bin => counts.map((one, k) => one[bin] === 0 ? null : 100 * one[bin] / totals[k])),
    text: (i, k) => `${number(counts[k][order[i]])} of ${number(totals[k])}`,
    note: steps.length === 24 ? 'Of 24 of its steps, evenly spaced.' : undefined});
}

function workers(run) {
  if (run.workers.length < 2) return [];
  const out = [table('Workers', ['worker', 'steps', 'last step', 'attempts', 'findings'], run.workers.map(one => [one.name, String(one.steps),
    String(one.last_step), String(one.attempts), String(run.findings.filter(f => f.finding.worker === one.name).length)]))];
  const groups = new Map();
  for (const curve of run.curves) {
    if (!['loss', 'metric', 'gradient'].includes(curve.role) || curve.steps.length === 0) continue;
    const name = curve.tensor ? `${curve.tensor} ${curve.mode}` : quantityNames[curve.quantity];
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(lineOf(curve, run, curve.worker));
  }
  const charts = [...groups].filter(([, lines]) => lines.length > 1).slice(0, 12).map(([title, lines]) =>
    lineChart({title, lines: lines.slice(0, 8), note: lines.length > 8 ? `8 of ${lines.length} workers` : undefined}));
  return out.concat(charts.length ? h('div', {class: 'charts'}, charts) : []);
}

function attempts(run) {
  if (run.interruptions.length === 0) return [];
  return [table('Interruptions', ['attempt', 'worker', 'continues after step', 'pause'], run.interruptions.map(one =>
    [String(one.attempt), one.worker, one.resumed_at < 0 ? 'starts over' : String(one.resumed_at), one.seconds === undefined ? '–' : duration(real(one.seconds))]))];
}

function configuration(run) {
  const facts = Object.entries(run.facts);
  const out = [];
  if (facts.length) out.push(h('h3', {}, 'Facts'), table('Facts of the run', null, facts));
  if (run.collections.length) out.push(h('h3', {}, 'Collections'), table('Collections', ['collection', 'patterns', 'saved', 'tensors by name'],
    run.collections.map(one => [one.name, h('code', {}, one.patterns.join('  ')),
      [one.elements && 'elements', ...one.reductions].filter(Boolean).join(', '), String(one.tensors)])));
  return out;
}
)js";

}  // namespace detail
TENSORTAP_END_NAMESPACE
