// Goroutines by the function they start in, and one by one.

import { h } from '../dom.js';
import * as theme from '../theme.js';
import { List, Page, breakdown, link, number, some } from './list.js';
import { palette } from './paint.js';
import { moment } from './words.js';

export class View extends Page {
  question() {
    const of = this.app.state.params.get('fn');
    return of === null ? ['goroutines', {}] : ['goroutine', { fn: of }];
  }

  show(data) {
    if (data.groups) this.groups(data.groups);
    else this.members(data);
  }

  groups(rows) {
    rows.forEach(row => { row.name = row.function || '(unknown)'; });
    const open = row => this.app.state.set({ fn: row.function, col: null });
    // An empty name is one, too.
    const opened = row => (row.function ? open(row) : this.app.say('Where these start is not in the trace.'));
    const list = new List(this.app, [link('Goroutines that start in', row => row.name, opened), number('Count', row => row.count), ...breakdown(rows, palette(theme.current()))], 'Goroutines by function', opened);
    this.table([h('span', { class: 'dim' }, `${rows.length} functions in which goroutines start; all times are sums`)], list, rows);
  }

  members({ function: name, goroutines: rows, count }) {
    rows.forEach(row => { row.name = `Goroutine ${row.id}`; });
    const open = row => {
      const end = row.ended ?? row.created + row.times.total, around = Math.max((end - row.created) * 0.05, 500);
      this.app.open('timeline', { by: 'goroutine', g: String(row.id), from: String(Math.round(Math.max(0, row.created - around))), to: String(Math.round(end + around)) });
    };
    const list = new List(this.app, [link('Goroutine', row => row.name, open), { title: 'Created', class: 'number', sort: row => row.created, show: row => moment(row.created, 1000) }, ...breakdown(rows, palette(theme.current()))], 'Goroutines', open);
    this.table([h('button', { class: 'tool', onclick: () => this.app.state.set({ fn: null, col: null }) }, '← All functions'), h('b', { class: 'ellipsis' }, name), h('span', { class: 'dim' }, some(rows, count, 'goroutines')),
      h('span', { class: 'spacer' }), this.app.waits({ within: name })], list, rows);
  }
}
