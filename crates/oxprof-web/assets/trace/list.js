// Tables of an analysis, and what they have in common.

import { byId, fill, h } from '../dom.js';
import { Table, bar } from '../views/table.js';
import { duration } from './words.js';

/** @typedef {import('../views/table.js').Column} Column */

/** A table whose rows are opened by Enter or a double click. */
export class List extends Table {
  /** @param {any} app @param {Column[]} columns @param {string} label @param {(row: any) => void} [open] */
  constructor(app, columns, label, open) {
    super(app, columns, label);
    this.opened = open;
  }

  /** @param {any} row @param {number} i */
  row(row, i) {
    return h('tr', { onclick: () => this.choose(i), ondblclick: () => this.open() }, this.columns.map(c => h('td', { class: c.class }, c.show(row))));
  }

  open() {
    const row = this.rows[this.at];
    if (row) this.opened?.(row);
  }
}

/** A view that asks the server for something and shows it as it comes. */
export class Page {
  /** @param {import('./app.js').App} app @param {HTMLElement} place */
  constructor(app, place) {
    this.app = app;
    this.place = place;
    this.turn = 0;
    this.update();
  }

  /** What is asked for: a path and parameters. @returns {[string, Record<string, string>]} */
  question() { return ['', {}]; }

  /** Shows an answer. @param {any} _ */
  show(_) {}

  async update() {
    const { app } = this, turn = ++this.turn, [path, params] = this.question(), asked = `${path}?${new URLSearchParams(params)}`;
    if (asked === this.asked) return this.sort();
    try {
      fill(this.place, h('p', { class: 'wait dim' }, 'Reading the trace …'));
      const data = await app.api.wait(path, new URLSearchParams(params), share => turn === this.turn && this.place.isConnected && app.progress(share));
      if (turn !== this.turn) return;
      this.asked = asked;
      app.fail(null);
      app.progress(1);
      this.list = null;
      fill(this.place);
      this.show(data);
      this.focus();
      performance.mark('oxprof-shown');
    } catch (error) {
      if (turn !== this.turn) return;
      fill(this.place);
      app.progress(1);
      app.fail(error);
    }
  }

  /** Shows rows as a table below some words. @param {any[]} words @param {List} list @param {any[]} rows */
  table(words, list, rows) {
    this.list = list;
    this.rows = rows;
    fill(this.place, h('div', { class: 'tools' }, words), list.element);
    this.sort();
  }

  sort() { this.list?.show(this.rows, this.app.state.get('col')); }
  key(key) { return this.list?.key(key) || false; }
  focus() { (this.list ? this.list.element : this.place).focus({ preventScroll: true }); }
  recolor() { this.asked = ''; this.update(); }
  close() { this.turn = -1; this.app.progress(1); byId('view').removeAttribute('data-view'); }
}

/** A column of durations, with a bar of their share of the largest. @param {string} title @param {(row: any) => number} of @param {any[]} rows @param {string} [hint] @returns {Column} */
export function time(title, of, rows, hint) {
  const most = rows.reduce((max, row) => Math.max(max, of(row)), 1);
  return { title, class: 'number', hint, sort: of, show: row => bar(of(row) / most, duration(of(row))) };
}

/** A column of numbers. @param {string} title @param {(row: any) => number} of @returns {Column} */
export const number = (title, of) => ({ title, class: 'number', sort: of, show: row => of(row).toLocaleString('en-US') });

/** A column of names that open their rows. @param {string} title @param {(row: any) => string} of @param {(row: any) => void} open @returns {Column} */
export const link = (title, of, open) => ({ title, class: 'name', sort: of, show: row => h('button', { class: 'plain', onclick: () => open(row) }, of(row)) });

/** What a distribution looks like. @param {string} title @param {(row: any) => {histogram: [number, number][]}} of @returns {Column} */
export const spread = (title, of) => ({ title, show: row => picture(of(row)) });

/** @param {{histogram: [number, number][]}} times */
function picture({ histogram }) {
  const most = histogram.reduce((max, [, count]) => Math.max(max, count), 1);
  const label = histogram.map(([from, count]) => `from ${duration(from)}: ${count}`).join('\n');
  return h('span', { class: 'spread', title: label, role: 'img', 'aria-label': label.replaceAll('\n', ', ') },
    histogram.map(([, count]) => h('i', { style: { height: `${count ? Math.max(8, 100 * Math.log1p(count) / Math.log1p(most)) : 0}%` } })));
}

/** The columns of a distribution. @param {any[]} rows @returns {Column[]} */
export const distribution = rows => [
  time('Median', row => row.times.p50, rows), time('90%', row => row.times.p90, rows, 'One in ten is longer'), time('99%', row => row.times.p99, rows, 'One in a hundred is longer'),
  time('Longest', row => row.times.max, rows), time('Together', row => row.times.sum, rows), spread('Spread', row => row.times),
];

const PARTS = { execution: ['running', 'runs'], scheduler_wait: ['runnable', 'waits for a processor'], syscall: ['syscall', 'in system calls'], blocked: ['waiting', 'blocked'], unknown: ['other', 'unknown'] };

/** Parts of the time of goroutines. @param {any} times @returns {Record<string, number>} */
export const parts = times => ({
  execution: times.execution, scheduler_wait: times.scheduler_wait, syscall: times.syscall + times.syscall_blocked,
  blocked: Object.values(times.blocked).reduce((sum, nanos) => sum + nanos, 0), unknown: times.unknown,
});

/** Columns of where time went. @param {any[]} rows @param {Record<string, string>} colors @returns {Column[]} */
export function breakdown(rows, colors) {
  const part = (title, key) => time(title, row => parts(row.times)[key], rows);
  return [time('Total', row => row.times.total, rows), part('Runs', 'execution'), part('Runnable', 'scheduler_wait'), part('Syscalls', 'syscall'), part('Blocked', 'blocked'),
    { title: 'Where it went', show: row => stripe(row.times, colors) }, { title: 'Mostly blocked on', class: 'dim', show: row => reasons(row.times) }];
}

/** @param {any} times @param {Record<string, string>} colors */
function stripe(times, colors) {
  const all = parts(times), total = Math.max(1, Object.values(all).reduce((sum, nanos) => sum + nanos, 0));
  const words = Object.entries(all).filter(([, nanos]) => nanos > 0).map(([key, nanos]) => `${PARTS[key][1]} ${duration(nanos)}`).join(', ');
  return h('span', { class: 'stripe', title: words, role: 'img', 'aria-label': words },
    Object.entries(all).map(([key, nanos]) => h('i', { style: { width: `${100 * nanos / total}%`, background: colors[PARTS[key][0]] } })));
}

/** @param {any} times */
const reasons = times => Object.entries(times.blocked).filter(([, nanos]) => nanos > 0).sort((a, b) => b[1] - a[1]).slice(0, 2)
  .map(([reason, nanos]) => `${reason || 'unspecified'} ${duration(nanos)}`).join(', ');

/** Rows of a longer list. @param {any[]} rows @param {number} count @param {string} what */
export const some = (rows, count, what) => (rows.length < count ? `the ${rows.length} longest of ${count.toLocaleString('en-US')} ${what}` : `${count.toLocaleString('en-US')} ${what}`);
