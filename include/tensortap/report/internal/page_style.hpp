// The style of a page: light and dark, for screens of every width and for paper.
#pragma once

#include <string_view>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

inline constexpr std::string_view page_style = R"css(
:root {
  color-scheme: light dark;
  --back: #ffffff; --raised: #f5f7fa; --text: #1b2330; --muted: #515c6b; --line: #d9dfe7; --grid: #e8ecf1; --accent: #0b5cad;
  --error: #b3261e; --error-back: #fdecea; --advice: #7a4f00; --advice-back: #fff3d9; --gap: #6b7684;
  --s0: #0b5cad; --s1: #b34700; --s2: #1b7f4b; --s3: #8e3a9d; --s4: #666a00; --s5: #b3261e; --s6: #00707a; --s7: #5b4bb5;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #11151b; --raised: #1a2028; --text: #e4e8ee; --muted: #a3aebb; --line: #333c48; --grid: #252c36; --accent: #7db8ff;
    --error: #ff8a80; --error-back: #3a1815; --advice: #f2c14e; --advice-back: #332708; --gap: #8d98a6;
    --s0: #7db8ff; --s1: #ffab66; --s2: #7fd6a4; --s3: #e0a3ec; --s4: #d3d36b; --s5: #ff8a80; --s6: #6fd3dc; --s7: #b9aeff;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 5.5rem; }
body { margin: 0; background: var(--back); color: var(--text); font: 13px/1.45 system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  font-variant-numeric: tabular-nums; }
.skip { position: absolute; left: -999px; }
.skip:focus { left: 8px; top: 8px; z-index: 3; background: var(--back); padding: 4px 8px; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
a { color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
header { position: sticky; top: 0; z-index: 2; background: var(--back); border-bottom: 1px solid var(--line); padding: 8px 16px 0; }
.head { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 14px; }
h1 { font-size: 17px; margin: 0; overflow-wrap: anywhere; font-weight: 650; }
h1 small { font-weight: 400; color: var(--muted); font-size: 12px; margin-left: 6px; }
.choices { margin-left: auto; display: flex; flex-wrap: wrap; gap: 4px 12px; }
.badges, .badges span { display: inline-flex; gap: 6px; }
nav ul { display: flex; gap: 2px; list-style: none; margin: 6px -6px 0; padding: 0 0 4px; overflow-x: auto; }
nav a { display: block; padding: 3px 8px; border-radius: 4px; text-decoration: none; white-space: nowrap; }
nav a:hover { background: var(--raised); text-decoration: underline; }
main { max-width: 1280px; margin: 0 auto; padding: 0 16px 32px; }
section { padding-top: 10px; }
h2 { font-size: 15px; margin: 14px 0 8px; border-bottom: 1px solid var(--line); padding-bottom: 4px; }
h2 .of { font-weight: 400; color: var(--muted); }
h3 { font-size: 12px; margin: 14px 0 6px; font-weight: 600; }
.pair h3 { margin-top: 0; }
p { margin: 4px 0; max-width: 90ch; overflow-wrap: anywhere; }
.note, .when, .readout { color: var(--muted); font-size: 12px; }
code { font: 12px ui-monospace, "DejaVu Sans Mono", Menlo, monospace; overflow-wrap: anywhere; }
footer { color: var(--muted); font-size: 12px; padding: 12px 16px; border-top: 1px solid var(--line); }

button, select { font: inherit; color: inherit; background: var(--raised); border: 1px solid var(--line); border-radius: 4px; padding: 2px 8px;
  max-width: 100%; }
button[aria-pressed=true] { background: var(--accent); color: var(--back); border-color: var(--accent); }
button.small { font-size: 11px; font-weight: 400; padding: 0 6px; line-height: 16px; }
.choice button { border-radius: 0; }
.choice button:first-child { border-radius: 4px 0 0 4px; }
.choice button:last-child { border-radius: 0 4px 4px 0; margin-left: -1px; }

.scroll { overflow-x: auto; max-width: 100%; }
table { border-collapse: collapse; font-size: 12px; }
th, td { text-align: left; padding: 2px 12px 2px 0; vertical-align: top; border-bottom: 1px solid var(--grid); overflow-wrap: anywhere; }
thead th { color: var(--muted); font-weight: 500; vertical-align: bottom; }
tbody th { font-weight: 500; white-space: nowrap; }
.number { text-align: right; white-space: nowrap; }
thead th.number { white-space: normal; overflow-wrap: normal; }
td ul { margin: 0; padding-left: 16px; }
tr.here { background: var(--advice-back); }
tr.here th { font-weight: 700; }
#summary tbody th, #configuration tbody th { color: var(--muted); font-weight: 400; padding-right: 20px; }

.badge { display: inline-block; border: 1px solid var(--line); border-radius: 4px; padding: 0 6px; font-size: 12px; white-space: nowrap;
  background: var(--raised); }
.badge.error, .badge.failed { color: var(--error); background: var(--error-back); border-color: currentColor; font-weight: 600; }
.badge.advice { color: var(--advice); background: var(--advice-back); border-color: currentColor; font-weight: 600; }
.finding { border: 1px solid var(--line); border-left: 4px solid var(--gap); border-radius: 4px; margin: 8px 0; padding: 6px 12px; }
.finding.error, .finding.failed { border-left-color: var(--error); }
.finding.advice { border-left-color: var(--advice); border-left-style: double; }
.finding > summary { display: flex; flex-wrap: wrap; gap: 2px 10px; align-items: baseline; list-style: none; }
.finding > summary::before { content: "▸"; color: var(--muted); width: 8px; }
.finding[open] > summary::before { content: "▾"; }
.subject { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, monospace; font-size: 12px; overflow-wrap: anywhere; }
summary { cursor: pointer; }
.more { margin: 4px 0 12px 16px; }
.more > summary { color: var(--muted); }
details.data > summary { color: var(--muted); font-size: 11px; }
details.data .scroll { max-height: 300px; overflow: auto; }

.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 390px), 1fr)); gap: 14px 24px; align-items: start; }
.charts > figure { max-width: 860px; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 10px 24px; align-items: start; margin-top: 8px; }
.pair > * { min-width: 0; }
figure { margin: 0 0 6px; min-width: 0; break-inside: avoid; }
figcaption { display: flex; gap: 8px; align-items: baseline; font-weight: 600; font-size: 12px; flex-wrap: wrap; }
figcaption .title { overflow: hidden; text-overflow: ellipsis; overflow-wrap: anywhere; }
figcaption button { margin-left: auto; }
.legend { display: flex; flex-wrap: wrap; gap: 0 14px; list-style: none; margin: 2px 0; padding: 0; font-size: 12px; }
.title, .legend li, th, td, .tip div { unicode-bidi: isolate; }
.legend svg { margin-right: 5px; vertical-align: middle; }
.frame { position: relative; }
.plot { position: relative; width: 100%; min-width: 0; cursor: crosshair; }
.plot svg { display: block; max-width: 100%; }
.plot text { font-size: 10.5px; fill: var(--muted); }
.grid { stroke: var(--grid); }
svg .axis, .tick { stroke: var(--line); }
.line { fill: none; stroke-width: 1.4; stroke-linejoin: round; }
.dot { stroke: var(--back); }
.cursor line { stroke: var(--muted); stroke-dasharray: 2 2; }
.plot text.limit { fill: var(--error); }
line.limit { stroke: var(--error); stroke-dasharray: 5 3; }
.plot text.bad { fill: var(--error); font-size: 13px; font-weight: 700; }
rect.gap { fill: var(--gap); opacity: 0.14; }
line.gap { stroke: var(--gap); stroke-dasharray: 1 2; }
rect.span { fill: var(--error); opacity: 0.06; }
rect.strip { opacity: 0.75; }
.s0 { stroke: var(--s0); } .s1 { stroke: var(--s1); } .s2 { stroke: var(--s2); } .s3 { stroke: var(--s3); }
.s4 { stroke: var(--s4); } .s5 { stroke: var(--s5); } .s6 { stroke: var(--s6); } .s7 { stroke: var(--s7); }
.line.s1 { stroke-dasharray: 6 2; } .line.s2 { stroke-dasharray: 2 2; } .line.s3 { stroke-dasharray: 8 2 2 2; }
.line.s4 { stroke-dasharray: 4 4; } .line.s5 { stroke-dasharray: 10 3; } .line.s6 { stroke-dasharray: 1 3; } .line.s7 { stroke-dasharray: 6 2 1 2 1 2; }
.dot.s0 { fill: var(--s0); } .dot.s1 { fill: var(--s1); } .dot.s2 { fill: var(--s2); } .dot.s3 { fill: var(--s3); }
.dot.s4 { fill: var(--s4); } .dot.s5 { fill: var(--s5); } .dot.s6 { fill: var(--s6); } .dot.s7 { fill: var(--s7); }
.share { white-space: nowrap; }
.part { display: inline-block; height: 8px; margin-right: 6px; background: var(--accent); }
.tip { position: absolute; top: 2px; pointer-events: none; background: var(--back); border: 1px solid var(--line); border-radius: 4px;
  padding: 3px 8px; font-size: 12px; max-width: 90%; overflow-wrap: anywhere; z-index: 1; box-shadow: 0 1px 6px #0003; }
.tip .closest { font-weight: 650; }

.map { margin-bottom: 18px; }
.map .frame { display: grid; grid-template-columns: minmax(60px, 190px) 1fr; gap: 6px; }
.map .names { overflow: hidden; font-size: 11px; color: var(--muted); text-align: right; min-width: 0; }
.map .names span { display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.map canvas:not(.bar) { display: block; width: 100%; image-rendering: pixelated; background: var(--raised); }
.map .axis { position: relative; height: 16px; margin-left: calc(min(190px, 100%) + 6px); font-size: 10.5px; color: var(--muted); }
.map .axis span { position: absolute; transform: translateX(-50%); white-space: nowrap; }
.map .cell { position: absolute; outline: 2px solid var(--text); box-shadow: 0 0 0 3px var(--back); pointer-events: none; min-width: 3px; }
.scale { display: inline-flex; align-items: center; gap: 5px; font-weight: 400; color: var(--muted); font-size: 11px; }
.bar { width: 96px; height: 9px; }
.swatch { display: inline-block; width: 10px; height: 10px; border: 1px solid var(--muted); }
.swatch.zero { background: #000; }
.swatch.bad { background: #d62828; }
.readout { min-height: 1.4em; color: var(--text); }
.under { display: flex; flex-wrap: wrap; gap: 0 18px; align-items: baseline; }
.under details[open] { flex-basis: 100%; min-width: 0; }
.below { max-width: 640px; }

@media (max-width: 640px) {
  header, main { padding-left: 10px; padding-right: 10px; }
  .map .frame { grid-template-columns: 84px 1fr; }
  .map .axis { margin-left: 90px; }
  th, td { padding-right: 8px; }
}
@media print {
  :root { --back: #fff; --raised: #f5f7fa; --text: #000; --muted: #444; --line: #ccc; --grid: #e5e5e5; }
  header { position: static; }
  nav, .choices, .skip, button, details.data, .readout { display: none; }
  main { max-width: none; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
)css";

}  // namespace detail
TENSORTAP_END_NAMESPACE
