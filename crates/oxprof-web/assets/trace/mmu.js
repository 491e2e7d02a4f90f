// Minimum mutator utilisation: how much of the machine the program gets at worst, by the length of the time one looks at.

import { h, fill } from '../dom.js';
import { Page } from './list.js';
import { duration, moment } from './words.js';

const WIDTH = 720, HEIGHT = 240, LEFT = 44, BOTTOM = 26;

export class View extends Page {
  question() { return ['mmu', {}]; }

  show({ windows, worst }) {
    if (windows.every(row => row.minimum >= 1)) return fill(this.place, h('p', { class: 'wait' }, 'No garbage collector took anything from the program: it had all processors all the time.'));
    const go = time => this.app.open('timeline', { from: String(Math.round(Math.max(0, time - 1e6))), to: String(Math.round(time + 2e6)) });
    fill(this.place, h('div', { class: 'page', tabindex: '0', 'aria-label': 'Mutator utilisation' },
      h('p', {}, 'Of any stretch of time of this length, the program itself got at least this share of the processors; the garbage collector had the rest. The thick line is the worst of such stretches; 99% and 95% of them are better than the thin ones.'), curve(windows),
      h('table', {}, h('tr', {}, ['Length', 'Worst', '99% are better than', '95% are better than'].map(title => h('th', { class: 'number' }, title))),
        windows.map(row => h('tr', {}, h('td', { class: 'number' }, duration(row.window)), [row.minimum, row.p99, row.p95].map(share => h('td', { class: 'number' }, percent(share)))))),
      h('h2', {}, 'The worst milliseconds'),
      h('table', {}, worst.map(([time, share]) => h('tr', {}, h('td', { class: 'number' }, percent(share)), h('td', {}, h('button', { class: 'plain', onclick: () => go(time) }, `at ${moment(time, 1000)}`)))))));
  }

  focus() { this.place.querySelector('.page')?.focus({ preventScroll: true }); }
}

/** @param {number} share */
const percent = share => `${(100 * share).toFixed(1)}%`;

/** @param {{window: number, minimum: number, p99: number, p95: number}[]} rows */
function curve(rows) {
  const [first, last] = [rows[0].window, rows[rows.length - 1].window].map(Math.log10);
  const x = window => LEFT + (WIDTH - LEFT - 12) * (last > first ? (Math.log10(window) - first) / (last - first) : 0.5), y = share => 8 + (HEIGHT - BOTTOM - 8) * (1 - share);
  const line = (of, className) => svg('path', { d: rows.map((row, i) => `${i ? 'L' : 'M'}${x(row.window).toFixed(1)} ${y(of(row)).toFixed(1)}`).join(''), class: className, fill: 'none' });
  const ticks = rows.filter(row => Number.isInteger(Math.round(Math.log10(row.window) * 1e9) / 1e9));
  return svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: 'curve', role: 'img', 'aria-label': 'Minimum mutator utilisation by length of time; the table has the numbers' },
    [0, 0.25, 0.5, 0.75, 1].map(share => [svg('path', { d: `M${LEFT} ${y(share)}H${WIDTH - 12}`, class: 'rule' }), text(LEFT - 6, y(share) + 4, percent(share).replace('.0', ''), 'end')]),
    ticks.map(row => text(x(row.window), HEIGHT - 8, duration(row.window).replace(/\.0+ /, ' '), 'middle')),
    line(row => row.p95, 'thin'), line(row => row.p99, 'thin'), line(row => row.minimum, 'thick'));
}

/** @param {number} x @param {number} y @param {string} words @param {string} anchor */
function text(x, y, words, anchor) {
  const element = svg('text', { x, y, 'text-anchor': anchor });
  element.append(words);
  return element;
}

/** @param {string} tag @param {Record<string, any>} attributes @param {...any} children */
function svg(tag, attributes, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children.flat(Infinity));
  return element;
}
