// How long goroutines wait each time, and for what.

import { fill, h } from '../dom.js';
import { List, Page, distribution, link, number } from './list.js';

export class View extends Page {
  question() { return ['latency', {}]; }

  show({ waits: rows }) {
    const words = { sched: 'a processor', syscall: 'the end of a system call' };
    rows.forEach(row => { row.name = words[row.waits_for] || row.waits_for; });
    const open = row => this.app.open('goroutines', { fn: row.goroutine });
    const list = new List(this.app, [{ title: 'Waits for', class: 'name', sort: row => row.name, show: row => row.name }, link('Goroutines that start in', row => row.goroutine || '(unknown)', open), number('Times', row => row.times.count), ...distribution(rows)], 'Waits', open);
    this.table([h('span', { class: 'dim' }, 'As profiles:'), this.app.waits({})], list, rows);
    if (!rows.length) fill(this.place, h('p', { class: 'wait' }, 'Nobody waits in this trace.'));
  }
}
