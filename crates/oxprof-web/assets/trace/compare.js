// Two traces: what goroutines spend per second of each.

import { h } from '../dom.js';
import { bar } from '../views/table.js';
import { List, Page } from './list.js';
import { duration } from './words.js';

export class View extends Page {
  question() { return ['diff', {}]; }

  show({ rows, duration: now, base_duration: before }) {
    rows.forEach(row => { row.name = row.function || '(unknown)'; });
    const change = (title, key) => {
      const of = row => row[key][1] - row[key][0], most = rows.reduce((max, row) => Math.max(max, Math.abs(of(row))), 1);
      return { title, class: 'number', hint: 'By the size of the change', sort: row => Math.abs(of(row)),
        show: row => h('span', { title: `${duration(row[key][0])} before, ${duration(row[key][1])} now` }, bar(of(row) / most, `${of(row) > 0 ? '+' : of(row) < 0 ? '−' : '±'}${duration(Math.abs(of(row)))}`, true)) };
    };
    const list = new List(this.app, [
      { title: 'Goroutines that start in', class: 'name', sort: row => row.name, show: row => row.name },
      { title: 'Count', class: 'number', sort: row => Math.abs(row.count[1] - row.count[0]), show: row => `${row.count[0].toFixed(1)} → ${row.count[1].toFixed(1)}` },
      change('Runs', 'execution'), change('Runnable', 'scheduler_wait'), change('Syscalls', 'syscall'), change('Blocked', 'blocked'),
    ], 'Changes');
    this.table([h('span', { class: 'dim' }, `Changes per second of trace: ${duration(before)} before, ${duration(now)} now`)], list, rows);
  }
}
