// The script of a page, last part: puts the sections in their places.
#pragma once

#include <string_view>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

inline constexpr std::string_view page_start = R"js(
const sections = [
  ['summary', 'Summary', summary, true], ['findings', 'Findings', findings], ['curves', 'Curves', curves, true],
  ['norms', 'Norms', norms], ['updates', 'Updates', updates], ['distributions', 'Distributions', distributions],
  ['units', 'Units', units], ['times', 'Times', times], ['machines', 'Machines', machines],
  ['profile', 'Profiler', profile], ['workers', 'Workers', workers], ['interruptions', 'Interruptions', attempts],
  ['configuration', 'Configuration', configuration]];

function axisButtons() {
  if (!runs.some(run => run.clock.length > 1)) return null;
  const buttons = [['step', 'steps'], ['time', 'wall clock']].map(([axis, text]) => h('button', {type: 'button', 'data-axis': axis,
    'aria-pressed': String(state.axis === axis), onclick: () => {
      state.axis = axis;
      buttons.forEach(button => button.setAttribute('aria-pressed', String(button.dataset.axis === axis)));
      redraws.forEach(draw => draw());
    }}, text));
  return h('div', {class: 'choice', role: 'group', 'aria-label': 'horizontal axis'}, buttons);
}

function runChoice() {
  if (runs.length < 2) return null;
  const id = newId();
  const choice = h('select', {id, onchange: () => { state.run = Number(choice.value); showSections(false); }},
    runs.map((run, index) => h('option', {value: index}, run.name)));
  return h('div', {class: 'choice'}, h('label', {for: id}, 'details of '), choice);
}

/// Makes the sections; with `all`, also those that show all runs.
function showSections(all) {
  const main = document.querySelector('main');
  const links = [];
  let last = null;
  for (const [id, title, make, isOfAll] of sections) {
    const there = document.getElementById(id);
    if (!all && isOfAll) {
      if (there) { links.push([id, title]); last = there; }
      continue;
    }
    const content = make(runs[state.run]).flat(Infinity);
    there?.remove();
    if (content.length === 0) continue;
    const note = runs.length > 1 && !isOfAll && h('span', {class: 'of'}, ` of ${runs[state.run].name}`);
    const section = h('section', {id, 'aria-labelledby': `${id}-title`}, h('h2', {id: `${id}-title`}, title, note), content);
    if (last) last.after(section); else main.prepend(section);
    last = section;
    links.push([id, title]);
  }
  document.querySelector('nav').replaceChildren(h('ul', {}, links.map(([id, title]) => h('li', {}, h('a', {href: `#${id}`}, title)))));
}

document.querySelector('.choices').append(...[axisButtons(), runChoice()].filter(Boolean));
document.querySelector('.badges').append(...(runs.length === 1 ? stateText(runs[0]) : []));
showSections(true);
)js";

}  // namespace detail
TENSORTAP_END_NAMESPACE
