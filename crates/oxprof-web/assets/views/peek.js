// Functions between their callers and callees.

import { fill, h, place } from '../dom.js';
import { amount, brief, count, exactly, percent } from '../format.js';
import { bar } from './table.js';

export const title = 'Peek';

/** @param {import('../app.js').App} app */
export const load = ({ state, api }) => api.json('api/peek', state.options());

export class View {
  constructor(app, place) {
    this.app = app;
    this.box = h('div', { class: 'cards', tabindex: '0', 'aria-label': 'Functions between their callers and callees' });
    fill(place, this.box);
  }

  show(data) {
    this.data = data;
    const rest = data.count - data.entries.length;
    fill(this.box,
      !this.app.state.get('f') && h('p', { class: 'dim' }, 'All functions, the heaviest first. Choose one to see it alone.'),
      data.entries.map(entry => this.card(entry)),
      rest > 0 && h('p', { class: 'dim' }, `and ${count(rest)} more; narrow the focus to see them`));
    this.app.remarks(data.remarks);
  }

  card(entry) {
    const { data } = this;
    const row = ([name, weight]) => h('tr', {}, h('td', { class: 'number' }, bar(entry.cum ? weight / entry.cum : 0, amount(data, weight))),
      h('td', { class: 'number dim' }, percent(weight, entry.cum)), h('td', { class: 'name' }, this.link(name)));
    const side = (title, calls) => calls.length > 0 && h('tbody', {}, h('tr', {}, h('th', { colspan: '3', scope: 'rowgroup' }, title)), calls.map(row));
    return h('article', { class: 'card' },
      h('h2', {}, this.link(entry.name, true)),
      h('p', { class: 'dim' }, `itself ${amount(data, entry.flat)} (${percent(entry.flat, data.total)}), with callees ${amount(data, entry.cum)} (${percent(entry.cum, data.total)})`),
      h('table', { class: 'calls' }, side('called by', entry.callers), side('calls', entry.callees)));
  }

  /** Peek names functions with their line, so a focus is on the function's name. */
  link(name, menu) {
    const bare = name.replace(/ \S+:\d+(:\d+)?$/, ''), { state } = this.app, changes = { f: exactly(bare) };
    return h('a', {
      href: state.link(changes), oncontextmenu: e => { e.preventDefault(); this.app.menu({ name: bare }, e.clientX, e.clientY); },
      onclick: e => {
        if (e.ctrlKey || e.metaKey) return;
        e.preventDefault();
        if (menu) this.app.menu({ name: bare }, ...place(e));
        else state.set(changes);
      },
    }, brief(name));
  }

  focus() { this.box.focus({ preventScroll: true }); }
}
