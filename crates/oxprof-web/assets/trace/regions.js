// Regions of code by type and place, and one by one.

import { fill, h } from '../dom.js';
import * as theme from '../theme.js';
import { List, Page, breakdown, distribution, link, number, some } from './list.js';
import { palette } from './paint.js';
import { moment } from './words.js';

export class View extends Page {
  question() {
    const { params } = this.app.state, pc = params.get('pc');
    return pc === null ? ['regions', {}] : ['region', { name: params.get('name') || '', pc }];
  }

  show(data) {
    if (data.types) this.types(data.types);
    else this.regions(data);
  }

  types(rows) {
    if (!rows.length) return fill(this.place, h('p', { class: 'wait' }, 'The program declared no regions. In Go that is trace.WithRegion, in Rust oxprof::trace::region.'));
    rows.forEach(row => { row.title = row.name || '(inherited)'; });
    const open = row => this.app.state.set({ name: row.name, pc: String(row.pc), col: null });
    const list = new List(this.app, [link('Regions', row => row.title, open), { title: 'In goroutines that start in', class: 'name', sort: row => row.function, show: row => row.function || '(unknown)' }, number('Count', row => row.times.count), ...distribution(rows)], 'Regions by type', open);
    this.table([h('span', { class: 'dim' }, `${rows.length} kinds of regions`)], list, rows);
  }

  regions({ regions: rows, count }) {
    const name = this.app.state.get('name') || '(inherited)';
    rows.forEach(row => { row.name = `Goroutine ${row.goroutine}`; });
    const open = row => {
      const more = Math.max(row.duration * 0.05, 500);
      this.app.open('timeline', { by: 'goroutine', g: String(row.goroutine), from: String(Math.round(Math.max(0, row.start - more))), to: String(Math.round(row.start + row.duration + more)) });
    };
    const why = row => h('button', { class: 'plain', onclick: () => this.app.why({ goroutine: String(row.goroutine), from: String(row.start), to: String(row.start + row.duration) }) }, 'Why?');
    const list = new List(this.app, [link('On', row => row.name, open), { title: 'Task', class: 'number', sort: row => row.task, show: row => (row.task ? String(row.task) : '') }, { title: 'Begins', class: 'number', sort: row => row.start, show: row => moment(row.start, 1000) },
      ...breakdown(rows, palette(theme.current())), { title: '', show: why }], 'Regions', open);
    this.table([h('button', { class: 'tool', onclick: () => this.app.state.set({ name: null, pc: null, col: null }) }, '← All regions'), h('b', { class: 'ellipsis' }, name), h('span', { class: 'dim' }, some(rows, count, 'regions')),
      h('span', { class: 'spacer' }), this.app.waits({ region: this.app.state.get('name') })], list, rows);
  }
}
