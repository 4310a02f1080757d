// Opens pages in headless Chromium and prints, as JSON, what is wrong with them: node page_test.mjs MODULES CHROMIUM
// SCREENSHOTS NAME=PAGE... MODULES is a node_modules with playwright-core and axe-core; SCREENSHOTS a folder or "".
import {createRequire} from 'node:module';
import {pathToFileURL} from 'node:url';

const [modules, executablePath, screenshots, ...pages] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const {chromium} = require('playwright-core');
const axe = require('axe-core').source;
const looks = [['light', {colorScheme: 'light', viewport: {width: 1280, height: 900}}],
  ['dark', {colorScheme: 'dark', viewport: {width: 1280, height: 900}}],
  ['phone', {colorScheme: 'light', viewport: {width: 390, height: 844}, hasTouch: true}]];
const browser = await chromium.launch({executablePath,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking']});
const out = {};

/// Walks through the page with the keyboard alone; returns what did not answer.
async function walk(page) {
  const mute = [];
  const plots = await page.$$('.plot[role=slider]');
  for (const plot of plots.filter((_, index) => index < 8 || index > plots.length - 4)) {
    if (!await plot.isVisible()) continue;
    const before = await plot.getAttribute('aria-valuetext');
    if (before === 'no number') continue;
    await plot.focus();
    for (const key of ['ArrowRight', 'End', 'Home', 'ArrowRight', 'PageDown', 'Escape', 'ArrowLeft']) await page.keyboard.press(key);
    if (await plot.getAttribute('aria-valuetext') === before) mute.push(await plot.getAttribute('aria-label'));
  }
  return mute;
}

/// Returns the labels of what the Tab key reaches, up to `most` stops.
async function stops(page, most) {
  const labels = [];
  await page.evaluate(() => { document.activeElement?.blur(); window.scrollTo(0, 0); });
  for (let i = 0; i < most; ++i) {
    await page.keyboard.press('Tab');
    labels.push(await page.evaluate(() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent.slice(0, 40)));
  }
  return labels;
}

for (const pair of pages) {
  const [name, file] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)];
  out[name] = {};
  for (const [look, options] of looks) {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    const [messages, requests] = [[], []];
    page.on('console', message => messages.push(message.text()));
    page.on('pageerror', error => messages.push(String(error)));
    page.on('request', request => requests.push(request.url()));
    const began = Date.now();
    await page.goto(pathToFileURL(file).href, {waitUntil: 'load'});
    await page.evaluate(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))));
    const milliseconds = Date.now() - began;
    const facts = await page.evaluate(() => ({
      title: document.title, sections: [...document.querySelectorAll('main > section')].map(one => one.id),
      figures: document.querySelectorAll('figure').length, findings: document.querySelectorAll('.finding').length,
      tooWide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
      scripts: document.scripts.length, handlers: document.querySelectorAll('[onclick],[onload],[onerror]').length}));
    if (screenshots) await page.screenshot({path: `${screenshots}/${name}-${look}.png`, fullPage: true});
    const reached = await stops(page, 12);
    const mute = await walk(page);
    await page.evaluate(() => document.querySelectorAll('details:not([open])').forEach((one, index) => { one.open = index % 8 === 0; }));
    await page.evaluate(() => new Promise(done => requestAnimationFrame(() => setTimeout(done, 50))));
    const switches = await page.$$('.choice button');
    if (switches.length > 1) await switches[1].click();
    await page.evaluate(axe);  // not as a tag: the policy of the page refuses other scripts
    const {violations} = await page.evaluate(() => window.axe.run(document, {resultTypes: ['violations']}));
    out[name][look] = {...facts, milliseconds, messages, requests: requests.slice(1), reached, mute,
      violations: violations.map(one => ({id: one.id, impact: one.impact, nodes: one.nodes.slice(0, 3).map(node => node.html.slice(0, 200))}))};
    await context.close();
  }
}
await browser.close();
console.log(JSON.stringify(out));
