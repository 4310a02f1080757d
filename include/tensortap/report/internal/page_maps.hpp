// The script of a page, third part: heat maps.
#pragma once

#include <string_view>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

inline constexpr std::string_view page_maps = R"js(
// Colours from the least number to the largest, each lighter than the one before.
const ramp = [[18, 28, 68], [28, 78, 128], [40, 124, 142], [72, 162, 120], [150, 194, 84], [240, 220, 90]];

function colour(part) {
  const at = Math.min(Math.max(part, 0), 1) * (ramp.length - 1);
  const low = Math.min(Math.floor(at), ramp.length - 2);
  return ramp[low].map((channel, i) => Math.round(channel + (ramp[low + 1][i] - channel) * (at - low)));
}

function colourBar(low, high, isLog) {
  const bar = h('canvas', {width: 96, height: 1, class: 'bar', 'aria-hidden': 'true'});
  const context = bar.getContext('2d');
  for (let i = 0; i < 96; ++i) {
    context.fillStyle = `rgb(${colour(i / 95)})`;
    context.fillRect(i, 0, 1, 1);
  }
  const text = x => number(Number((isLog ? 10 ** x : x).toPrecision(3)));
  return h('span', {class: 'scale'}, text(low), bar, text(high));
}

/// A figure with a row for each name and a column for each step. Options: title, run, steps, names, cells [row][column]
/// of numbers, NaN or null, isLog, range, unit, note, text(row, column), label(row), open(row) for what is below.
function heatMap(options) {
  const {run, steps, names, cells, isLog} = options;
  const level = x => x === null ? null : isLog ? (x > 0 ? Math.log10(x) : x === 0 ? -Infinity : NaN) : x;
  const levels = cells.map(row => row.map(level));
  let [low, high] = options.range ?? [Infinity, -Infinity];
  if (!options.range) for (const row of levels) for (const x of row)
    if (x !== null && Number.isFinite(x)) { low = Math.min(low, x); high = Math.max(high, x); }
  if (!(low <= high)) [low, high] = [0, 1];
  const rowHeight = options.rowHeight ?? (names.length <= 40 ? 15 : names.length <= 96 ? 10 : 6);
  const every = Math.ceil(13 / rowHeight);  // of how many rows one has its name written
  const height = Math.max(names.length * rowHeight, 1);

  const canvas = h('canvas', {width: steps.length, height: names.length, 'aria-hidden': 'true'});
  canvas.style.height = `${height}px`;
  const context = canvas.getContext('2d');
  const image = context.createImageData(Math.max(steps.length, 1), Math.max(names.length, 1));
  levels.forEach((row, i) => row.forEach((x, k) => {
    const at = (i * steps.length + k) * 4;
    if (x === null) return;
    const [r, g, b] = x === -Infinity ? [0, 0, 0] : !Number.isFinite(x) ? [214, 40, 40] : colour(high > low ? (x - low) / (high - low) : 0.5);
    image.data.set([r, g, b, 255], at);
  }));
  context.putImageData(image, 0, 0);

  const cursor = h('div', {class: 'cell', hidden: true});
  const axis = h('div', {class: 'axis', 'aria-hidden': 'true'});
  const plot = h('div', {class: 'plot', tabindex: 0, role: 'slider', 'aria-label': `${options.title}: cursor`, 'aria-valuemin': 0,
    'aria-valuemax': Math.max(steps.length - 1, 0), 'aria-valuenow': 0, 'aria-valuetext': 'arrow keys move the cursor'}, canvas, cursor);
  const out = h('p', {class: 'readout'}, 'Point at a cell, or use the arrow keys.', options.open && ' Enter or a click draws its row.');
  const below = h('div', {class: 'below'});
  const hasZero = isLog && levels.some(row => row.includes(-Infinity));
  const hasBad = levels.some(row => row.some(x => x !== null && x !== -Infinity && !Number.isFinite(x)));
  const figure = h('figure', {class: 'chart map'},
    h('figcaption', {}, h('span', {class: 'title'}, options.title), colourBar(low, high, isLog),
      hasZero && h('span', {class: 'scale'}, h('i', {class: 'swatch zero'}), '0'),
      hasBad && h('span', {class: 'scale'}, h('i', {class: 'swatch bad'}), 'not finite')),
    h('div', {class: 'frame'},
      h('div', {class: 'names', 'aria-hidden': 'true'}, names.filter((_, i) => i % every === 0).map(name => {
        const label = h('span', {title: name}, h('bdi', {}, name));
        label.style.height = label.style.lineHeight = `${rowHeight * every}px`;
        return label;
      })), plot), axis,
    h('div', {class: 'under'}, out, options.note && h('p', {class: 'note'}, options.note), hiddenTable('Table', () => table(options.title, ['', ...steps.map(step => `step ${step}`)],
      names.map((name, i) => [name, ...cells[i].map(number)])))), below);

  let at = null;
  function show(row, column) {
    at = [Math.min(Math.max(row, 0), names.length - 1), Math.min(Math.max(column, 0), steps.length - 1)];
    const [i, k] = at;
    const text = `${names[i]}, ${placeText(run, steps[k])}: ${options.text ? options.text(i, k) : number(cells[i][k])}`;
    out.textContent = text;
    Object.assign(cursor.style, {left: `${k / steps.length * 100}%`, width: `${100 / steps.length}%`,
      top: `${i * rowHeight}px`, height: `${rowHeight}px`});
    cursor.hidden = false;
    plot.setAttribute('aria-valuenow', k);
    plot.setAttribute('aria-valuetext', text);
  }
  const open = () => at && options.open && below.replaceChildren(options.open(at[0]));
  plot.addEventListener('pointermove', event => {
    const box = canvas.getBoundingClientRect();
    show(Math.floor((event.clientY - box.top) / rowHeight), Math.floor((event.clientX - box.left) / box.width * steps.length));
  });
  plot.addEventListener('click', open);
  plot.addEventListener('pointerleave', () => { cursor.hidden = true; });
  plot.addEventListener('blur', () => { cursor.hidden = true; });
  plot.addEventListener('keydown', event => {
    const [row, column] = at ?? [0, -1];
    const to = {ArrowRight: [row, column + 1], ArrowLeft: [row, column - 1], ArrowDown: [row + 1, Math.max(column, 0)],
      ArrowUp: [row - 1, Math.max(column, 0)], PageDown: [row + 10, column], PageUp: [row - 10, column],
      Home: [row, 0], End: [row, steps.length - 1]}[event.key];
    if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); open(); }
    if (event.key === 'Escape') cursor.hidden = true;
    if (!to) return;
    event.preventDefault();
    show(...to);
  });
  // Columns are evenly spaced; their steps need not be.
  function drawAxis() {
    const most = Math.max(2, Math.floor((axis.clientWidth || 300) / 90));
    const every = Math.ceil(steps.length / most);
    axis.replaceChildren(...steps.flatMap((step, k) => {
      if (k % every) return [];
      const mark = h('span', {}, state.axis === 'time' ? duration(secondsAt(run, step)) : String(step));
      mark.style.left = `${(k + 0.5) / steps.length * 100}%`;
      return [mark];
    }));
  }
  watch(axis, drawAxis);
  return figure;
}
)js";

}  // namespace detail
TENSORTAP_END_NAMESPACE
