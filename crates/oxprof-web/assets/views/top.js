// Functions by weight; of comparisons, before and after.

import { fill, h } from '../dom.js';
import { amount, brief, change, count, percent, signed } from '../format.js';
import { Table, bar } from './table.js';

export const title = 'Top';

/** @param {import('../app.js').App} app */
export const load = ({ state, api }) => api.json('api/top', state.options());

export class View {
  /** @param {import('../app.js').App} app @param {HTMLElement} place */
  constructor(app, place) {
    this.app = app;
    this.place = place;
  }

  show(data) {
    this.data = data;
    const { place } = this, compared = data.rows.some(row => row.sides);
    const share = value => (data.total ? value / data.total : 0);
    const value = (name, of) => ({
      title: name, class: 'number', sort: of, show: row => bar(share(of(row)), amount(data, of(row))),
    });
    const part = (name, of) => ({ title: name, class: 'number dim part', show: row => percent(of(row), data.total) });
    const name = { title: 'Function', class: 'name', sort: row => row.name, show: row => [brief(row.name), row.inline && h('span', { class: 'dim' }, ` ${row.inline}`)] };
    const side = (title, i, hint) => ({ title, class: 'number', hint, sort: row => row.sides[i], show: row => amount(data, row.sides[i]) });
    const columns = compared ? [
      side('Own before', 0), side('Own after', 2),
      { title: 'Change', class: 'number', hint: 'By the size of the change', sort: row => Math.abs(row.flat), show: row => bar(share(row.flat), signed(data, row.flat), true) },
      { title: '%', class: 'number part', show: row => change(row.sides[0], row.sides[2]) },
      side('Cum before', 1), side('Cum after', 3),
      { title: 'Cum change', class: 'number', sort: row => Math.abs(row.cum), show: row => bar(share(row.cum), signed(data, row.cum), true) },
      name,
    ] : [value('Own', row => row.flat), part('Own %', row => row.flat), value('With callees', row => row.cum), part('%', row => row.cum), name];
    this.table = new Table(this.app, columns, 'Functions by weight');
    this.tools = h('div', { class: 'tools' });
    fill(place, this.tools, this.table.element);
    this.app.remarks(data.remarks);
    this.update();
    if (!data.rows.length) this.app.empty('No functions are left; remove a filter.');
  }

  update() {
    const { data } = this, { state } = this.app;
    const rows = this.filter(data.rows), notes = data.labels.filter(l => /^(Showing|Dropped)/.test(l));
    fill(this.tools, h('span', { class: 'dim' }, rows.length === data.rows.length ? notes.join('. ') : `${count(rows.length)} of ${count(data.rows.length)} rows match ${state.get('q')}`),
      h('span', { class: 'spacer' }),
      state.get('n') !== '0' && data.rows.length >= 500 && h('button', { class: 'plain', onclick: () => state.set({ n: '0', nf: '0' }) }, 'Show all rows'));
    this.table.show(rows, state.get('col'));
  }

  /** Rows that the search matches. */
  filter(rows) {
    const q = this.app.state.get('q');
    if (!q) return rows;
    try {
      const pattern = new RegExp(q);
      return rows.filter(row => pattern.test(row.name));
    } catch {
      return rows;
    }
  }

  chosen() { return this.table?.chosen(); }
  key(key) { return this.table?.key(key) || false; }
  focus() { this.table?.focus(); }
}
