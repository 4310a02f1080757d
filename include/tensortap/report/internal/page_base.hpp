// The script of a page, first part: the facts, elements, numbers, times and axes.
#pragma once

#include <string_view>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

inline constexpr std::string_view page_base = R"js('use strict';

const runs = JSON.parse(document.getElementById('report').textContent).runs;
const state = {axis: 'step', run: 0};
const redraws = new Set();  // functions that draw a chart again
const observer = new ResizeObserver(entries => entries.forEach(entry => entry.target.redraw?.()));

// ---- Elements

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false));
  return element;
}
const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) =>
  fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);

let lastId = 0;
const newId = () => `id${++lastId}`;

/// A table that scrolls by itself; `rows` are lists of cells, the first cell is a heading of its row.
function table(caption, heads, rows, options = {}) {
  const isNumber = cell => /^[-−▸ ]*([\d.]+(e[-\d]+)?|∞|NaN|–)$/.test(cell?.textContent ?? cell ?? '');
  const numeric = (heads ?? rows[0] ?? []).map((_, column) => rows.length > 0 && rows.every(cells => isNumber(cells[column])));
  return h('div', {class: 'scroll', role: 'group', tabindex: 0, 'aria-label': caption},
    h('table', {},
      h('caption', {class: options.caption ? '' : 'hidden'}, caption),
      heads && h('thead', {}, h('tr', {}, heads.map((head, column) => head === '' ? h('td')
        : h('th', {scope: 'col', class: numeric[column] && 'number'}, head)))),
      h('tbody', {}, rows.map((cells, index) => h('tr', {class: options.rowClass?.(index)},
        cells.map((cell, column) => column === 0 ? h('th', {scope: 'row', class: numeric[0] && 'number'}, cell)
          : h('td', {class: numeric[column] && 'number'}, cell ?? '')))))));
}

/// A table in <details> that is made when it is opened.
function hiddenTable(label, make) {
  const details = h('details', {class: 'data'}, h('summary', {}, label));
  details.addEventListener('toggle', () => { if (details.open && !details.made) details.append(details.made = make()); });
  return details;
}

// ---- Numbers

const real = x => x === 'nan' ? NaN : x === 'inf' ? Infinity : x === '-inf' ? -Infinity : x;
const reals = list => list.map(real);

function number(x) {
  if (x === null || x === undefined) return '–';
  x = real(x);
  if (Number.isNaN(x)) return 'NaN';
  if (!Number.isFinite(x)) return x > 0 ? '∞' : '−∞';
  if (x === 0) return '0';
  const size = Math.abs(x);
  if (Number.isInteger(x) && size < 1e7) return String(x);
  if (size >= 1e5 || size < 1e-3) return x.toExponential(3).replace(/\.?0+e/, 'e').replace('e+', 'e');
  return String(Number(x.toPrecision(5)));
}
const count = (n, one, many = one + 's') => `${n.toLocaleString('en')} ${n === 1 ? one : many}`;

function bytes(n) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  for (; n >= 1024 && unit < units.length - 1; ++unit) n /= 1024;
  return `${unit === 0 ? n : n.toPrecision(3)} ${units[unit]}`;
}

function duration(seconds) {
  if (!Number.isFinite(seconds)) return '–';
  const sign = seconds < 0 ? '−' : '';
  seconds = Math.abs(seconds);
  if (seconds < 60) return `${sign}${seconds < 10 ? Number(seconds.toFixed(seconds < 1 ? 3 : 1)) : Math.round(seconds)} s`;
  const parts = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
  const first = parts.findIndex(([size]) => seconds >= size);
  const [size, unit] = parts[first];
  const next = parts[first + 1];
  const rest = next ? Math.floor(seconds % size / next[0]) : 0;
  return `${sign}${Math.floor(seconds / size)} ${unit}${rest ? ` ${rest} ${next[1]}` : ''}`;
}
const date = seconds => new Date(seconds * 1000).toISOString().replace('T', ' ').replace(/\.\d+Z/, ' UTC');

// ---- Steps and times

/// Seconds from the first saved step of a run to `step`; between two known times as if steps were equally long.
function secondsAt(run, step) {
  const clock = run.clock;
  if (clock.length === 0) return NaN;
  let low = 0, high = clock.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (clock[middle][0] < step) low = middle + 1; else high = middle;
  }
  const [to, toTime] = clock[low];
  if (low === 0 || to <= step) return toTime - run.began;
  const [from, fromTime] = clock[low - 1];
  return fromTime + (toTime - fromTime) * (step - from) / (to - from) - run.began;
}
const place = (run, step) => state.axis === 'time' && !run.isTrace ? secondsAt(run, step) : step;
const placeText = (run, step) => run.isTrace ? `after ${duration(step)}`
  : state.axis === 'time' ? `${duration(secondsAt(run, step))} (step ${step})` : `step ${step}`;

// ---- Axes

function ticks(low, high, most) {
  const range = high - low;
  if (!(range > 0)) return [low];
  const rough = range / Math.max(most, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const size = [1, 2, 5, 10].map(factor => factor * power).find(step => step >= rough * 0.999);
  const out = [];
  for (let tick = Math.ceil(low / size - 1e-9) * size; tick <= high + size * 1e-9; tick += size)
    out.push(Math.abs(tick) < size * 1e-9 ? 0 : tick);
  return out;
}

function timeTicks(low, high, most) {
  const sizes = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];
  const rough = (high - low) / Math.max(most, 1);
  const size = sizes.find(one => one >= rough);
  if (size === undefined || rough < 0.5) return ticks(low, high, most);
  const out = [];
  for (let tick = Math.ceil(low / size) * size; tick <= high; tick += size) out.push(tick);
  return out;
}

function logTicks(low, high, most) {
  const first = Math.ceil(low), last = Math.floor(high);
  if (last - first < 1) return ticks(10 ** low, 10 ** high, most).filter(x => x > 0).map(Math.log10);
  const every = Math.ceil((last - first + 1) / Math.max(most, 1));
  const out = [];
  for (let power = first; power <= last; power += every) out.push(power);
  return out;
}

/// A map of numbers from `low` to `high` to pixels.
const scale = (low, high, from, to) => x => high > low ? from + (x - low) / (high - low) * (to - from) : (from + to) / 2;

const tickText = (x, isTime) => isTime ? duration(x) : number(Number(x.toPrecision(10)));

function chartXTicks(low, high, width, isTime) {
  const most = Math.max(2, Math.floor(width / 80));
  return isTime ? timeTicks(low, high, most) : ticks(low, high, most).filter(Number.isInteger);
}
)js";

}  // namespace detail
TENSORTAP_END_NAMESPACE
