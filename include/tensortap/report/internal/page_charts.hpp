// The script of a page, second part: curves.
#pragma once

#include <string_view>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

inline constexpr std::string_view page_charts = R"js(
// A line: {name, run, steps, min, max, bad, points, pointsPerEntry}. `max` is `min` where nothing was left out.
const lineOf = (curve, run, name) => ({
  name, run, steps: curve.steps, min: reals(curve.min), max: reals(curve.max ?? curve.min), bad: curve.bad,
  points: curve.points, pointsPerEntry: curve.points_per_entry});

const longestShare = lines => Math.max(1, ...lines.map(line => line.pointsPerEntry ?? 1));

/// The index of the number in the ascending `list` that is nearest to `x`.
function nearest(list, x) {
  let low = 0, high = list.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle] < x) low = middle + 1; else high = middle;
  }
  return low > 0 && x - list[low - 1] <= list[low] - x ? low - 1 : low;
}

/// What is written of entry `index` of a line.
function entryText(line, index) {
  const [min, max] = [line.min[index], line.max[index]];
  const text = min === max || Number.isNaN(min) ? number(min) : `${number(min)} to ${number(max)}`;
  return line.bad?.[index] && Number.isFinite(min) ? `${text}, ${line.bad[index]} not finite` : text;
}

function legend(lines) {
  if (lines.length < 2 && !lines[0]?.name) return null;
  return h('ul', {class: 'legend'}, lines.map((line, index) => h('li', {},
    svg('svg', {width: 26, height: 8, 'aria-hidden': 'true'},
      svg('line', {x1: 0, x2: 26, y1: 4, y2: 4, class: `line s${index % 8}`})), line.name)));
}

function lineTable(lines) {
  if (lines[0].run.isTrace)
    return table('Numbers of the chart', ['seconds', 'curve', 'least', 'largest'], lines.flatMap(line => line.steps.map((time, index) =>
      [number(time), line.name, number(line.min[index]), number(line.max[index])])));
  const rows = lines.flatMap(line => line.steps.map((step, index) => [
    String(step), ...(line.run.clock.length ? [duration(secondsAt(line.run, step))] : []), line.name,
    number(line.min[index]), number(line.max[index])]));
  const time = lines[0].run.clock.length ? ['after'] : [];
  return table('Numbers of the chart', ['step', ...time, 'curve', 'least', 'largest'], rows);
}

/// A figure with curves. Options: title, lines, isLog, threshold, span [from step, to step], height, note.
function lineChart(options) {
  const lines = options.lines.filter(line => line.steps.length > 0);
  const positive = lines.some(line => line.max.some(x => x > 0)) && lines.every(line => line.min.every(x => !(x < 0)));
  let isLog = positive && Boolean(options.isLog);
  const plot = h('div', {class: 'plot', tabindex: 0, role: 'slider', 'aria-label': `${options.title}: cursor`,
    'aria-valuemin': 0, 'aria-valuenow': 0});
  const tip = h('div', {class: 'tip', hidden: true});
  const share = longestShare(lines);
  const notes = [options.note, share > 1 && `each point stands for up to ${share} numbers: the least and the largest are drawn`];
  const toggle = positive && h('button', {type: 'button', class: 'small', 'aria-pressed': String(isLog),
    'aria-label': `log axis: ${options.title}`,
    onclick: () => { isLog = !isLog; toggle.setAttribute('aria-pressed', String(isLog)); draw(); }}, 'log');
  const figure = h('figure', {class: 'chart'},
    h('figcaption', {}, h('span', {class: 'title', title: options.title}, options.title), toggle), legend(lines),
    h('div', {class: 'frame'}, plot, tip),
    notes.some(Boolean) && h('p', {class: 'note'}, notes.filter(Boolean).join('; ')),
    hiddenTable('Table', () => lineTable(lines)));
  const view = {};  // what the last drawing has put where

  function draw() {
    const width = Math.max(plot.clientWidth || 360, 200), height = options.height ?? 170;
    const [left, right, top, bottom] = [52, 10, 8, 20];
    const isTime = state.axis === 'time' || lines.some(line => line.run.isTrace);
    const level = x => isLog ? (x > 0 ? Math.log10(x) : NaN) : x;
    const xs = lines.map(line => line.steps.map(step => place(line.run, step)));
    let [xLow, xHigh, yLow, yHigh] = [Infinity, -Infinity, Infinity, -Infinity];
    const reach = y => { if (Number.isFinite(y)) { yLow = Math.min(yLow, y); yHigh = Math.max(yHigh, y); } };
    lines.forEach((line, k) => {
      for (const x of xs[k]) if (Number.isFinite(x)) { xLow = Math.min(xLow, x); xHigh = Math.max(xHigh, x); }
      for (let i = 0; i < line.steps.length; ++i) { reach(level(line.min[i])); reach(level(line.max[i])); }
    });
    if (Number.isFinite(options.threshold)) reach(level(options.threshold));
    if (!Number.isFinite(yLow)) [yLow, yHigh] = [0, 1];
    if (yLow === yHigh) { const margin = isLog ? 0.5 : Math.abs(yLow) * 0.05 || 0.5; yLow -= margin; yHigh += margin; }
    const space = (yHigh - yLow) * 0.04;
    const sx = scale(xLow, xHigh, left, width - right), sy = scale(yLow - space, yHigh + space, height - bottom, top);
    const yTicks = (isLog ? logTicks : ticks)(yLow - space, yHigh + space, Math.max(2, Math.floor((height - 28) / 28)));
    const drawing = svg('svg', {width, height, viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true'},
      interruptionMarks(lines, sx, top, height - bottom),
      options.span && spanMark(options.span.map(step => sx(place(lines[0].run, step))), top, height - bottom),
      yTicks.map(tick => [
        svg('line', {class: 'grid', x1: left, x2: width - right, y1: sy(tick), y2: sy(tick)}),
        svg('text', {x: left - 6, y: sy(tick) + 3.5, 'text-anchor': 'end'}, number(isLog ? 10 ** tick : Number(tick.toPrecision(10))))]),
      chartXTicks(xLow, xHigh, width - left, isTime).map(tick => [
        svg('line', {class: 'tick', x1: sx(tick), x2: sx(tick), y1: height - bottom, y2: height - bottom + 3}),
        svg('text', {x: Math.min(sx(tick), width - 14), y: height - 6, 'text-anchor': 'middle'}, tickText(tick, isTime))]),
      svg('line', {class: 'axis', x1: left, x2: width - right, y1: height - bottom, y2: height - bottom}));
    if (Number.isFinite(options.threshold) && Number.isFinite(level(options.threshold))) {
      const y = sy(level(options.threshold));
      drawing.append(svg('line', {class: 'limit', x1: left, x2: width - right, y1: y, y2: y}),
        svg('text', {x: width - right - 2, y: y < top + 14 ? y + 12 : y - 4, 'text-anchor': 'end', class: 'limit'},
          `limit ${number(options.threshold)}`));
    }
    lines.forEach((line, k) => {
      let path = '', pen = 'M', drawn = 0;
      for (let i = 0; i < line.steps.length; ++i) {
        const x = sx(xs[k][i]), a = sy(level(line.min[i])), b = sy(level(line.max[i]));
        if (line.bad?.[i]) drawing.append(svg('text', {x, y: top + 8, class: 'bad', 'text-anchor': 'middle'}, '×'));
        if (!Number.isFinite(x + b)) { pen = 'M'; continue; }
        const from = Number.isFinite(a) ? a : height - bottom;
        path += `${pen}${x.toFixed(1)} ${from.toFixed(1)}`;
        if (b !== from) path += `L${x.toFixed(1)} ${b.toFixed(1)}`;
        pen = 'L';
        if (++drawn === 1 && line.steps.length === 1) drawing.append(svg('circle', {cx: x, cy: b, r: 3, class: `dot s${k % 8}`}));
      }
      drawing.append(svg('path', {d: path, class: `line s${k % 8}`}));
    });
    view.cursor = svg('g', {class: 'cursor'});
    drawing.append(view.cursor);
    Object.assign(view, {xs, sx, sy, level, width, height, top, bottom});
    plot.replaceChildren(drawing);
    tip.hidden = true;
    const all = [...new Set(xs.flat().filter(Number.isFinite))].sort((a, b) => a - b);
    view.places = all;
    plot.setAttribute('aria-valuemax', Math.max(all.length - 1, 0));
    plot.setAttribute('aria-valuetext', all.length ? `${count(all.length, 'point')}; arrow keys move the cursor` : 'no number');
  }

  /// Shows what the curves have at the x of `index`; `y`: of the pointer, whose nearest curve is set in bold.
  function show(index, y) {
    if (!view.places?.length) return;
    view.index = Math.min(Math.max(index, 0), view.places.length - 1);
    const x = view.places[view.index];
    const found = lines.map((line, k) => {
      const at = nearest(view.xs[k], x);
      return {line, k, at, distance: Math.abs(view.sx(view.xs[k][at]) - view.sx(x)), y: view.sy(view.level(line.max[at]))};
    }).filter(one => one.distance < 12 || lines.length === 1);
    const closest = y === undefined ? null : found.reduce((a, b) => !a || Math.abs(b.y - y) < Math.abs(a.y - y) ? b : a, null);
    const lead = closest ?? found[0];
    if (!lead) return;
    const head = placeText(lead.line.run, lead.line.steps[lead.at]);
    view.cursor.replaceChildren(svg('line', {x1: view.sx(x), x2: view.sx(x), y1: view.top, y2: view.height - view.bottom}),
      ...found.filter(one => Number.isFinite(one.y)).map(one => svg('circle',
        {cx: view.sx(view.xs[one.k][one.at]), cy: one.y, r: one === closest ? 4 : 3, class: `dot s${one.k % 8}`})));
    const texts = found.map(one => [one.line.name, entryText(one.line, one.at), one === closest]);
    tip.replaceChildren(h('strong', {}, head), ...texts.map(([name, text, isClosest]) =>
      h('div', {class: isClosest && found.length > 1 ? 'closest' : ''}, name ? `${name}: ${text}` : text)));
    tip.hidden = false;
    const offset = view.sx(x) > view.width / 2 ? view.sx(x) - tip.offsetWidth - 10 : view.sx(x) + 10;
    tip.style.left = `${Math.max(0, Math.min(offset, view.width - tip.offsetWidth))}px`;
    plot.setAttribute('aria-valuenow', view.index);
    plot.setAttribute('aria-valuetext', `${head}: ${texts.map(([name, text]) => name ? `${name} ${text}` : text).join('; ')}`);
  }

  function hide() { tip.hidden = true; view.cursor?.replaceChildren(); }

  plot.addEventListener('pointermove', event => {
    const box = plot.getBoundingClientRect();
    const x = event.clientX - box.left;
    if (view.places?.length) show(nearest(view.places.map(view.sx), x), event.clientY - box.top);
  });
  plot.addEventListener('pointerleave', hide);
  plot.addEventListener('blur', hide);
  plot.addEventListener('keydown', event => {
    const move = {ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10,
      Home: -Infinity, End: Infinity}[event.key];
    if (event.key === 'Escape') return hide();
    if (move === undefined) return;
    event.preventDefault();
    show(view.index === undefined || tip.hidden ? (move > 0 && Number.isFinite(move) ? 0 : move === -Infinity ? 0 : Infinity) : view.index + move);
  });
  watch(plot, draw);
  return figure;
}

/// Draws when the element has a place, when its width changes, and when the axis does.
function watch(element, draw) {
  let width = -1;
  element.redraw = () => { if (element.clientWidth !== width && element.clientWidth > 0) { width = element.clientWidth; draw(); } };
  observer.observe(element);
  redraws.add(() => element.isConnected && draw());
}

/// Marks where later attempts have continued the runs of `lines`.
function interruptionMarks(lines, sx, top, bottom) {
  const marks = [];
  for (const run of new Set(lines.map(line => line.run)))
    for (const one of run.interruptions) {
      const next = run.clock.find(([step]) => step > one.resumed_at);
      if (!next) continue;
      const from = sx(place(run, Math.max(one.resumed_at, run.clock[0][0]))), to = sx(place(run, next[0]));
      if (!Number.isFinite(from + to) || from > to) continue;
      if (to - from > 1) marks.push(svg('rect', {class: 'gap', x: from, y: top, width: to - from, height: bottom - top}));
      marks.push(svg('line', {class: 'gap', x1: to, x2: to, y1: top, y2: bottom}));
    }
  return marks;
}

const spanMark = ([from, to], top, bottom) => ['span', 'span strip'].map((name, index) => svg('rect', {class: name, x: from - 1,
  y: index ? bottom - 4 : top, width: Math.max(to - from, 0) + 2, height: index ? 4 : bottom - top}));
)js";

}  // namespace detail
TENSORTAP_END_NAMESPACE
