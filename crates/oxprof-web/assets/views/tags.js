// Labels: what samples bear, to filter and to group by.

import { fill, h } from '../dom.js';
import { amount, count, exactly, percent } from '../format.js';
import { bar } from './table.js';

export const title = 'Labels';

/** @param {import('../app.js').App} app */
export const load = ({ state, api }) => api.json('api/tags', state.options());

export class View {
  constructor(app, place) {
    this.app = app;
    this.box = h('div', { class: 'cards', tabindex: '0', 'aria-label': 'Labels of samples' });
    fill(place, this.box);
  }

  show(data) {
    this.data = data;
    fill(this.box, data.keys.map(key => this.card(key)),
      !data.keys.length && h('p', {}, 'No sample bears a label.'));
    this.app.remarks(data.remarks);
  }

  card(key) {
    const { data } = this, { state } = this.app;
    const grouped = state.get('tagroot').split(',').includes(key.key);
    const row = ([value, weight]) => h('tr', {}, h('td', { class: 'number' }, bar(data.total ? weight / data.total : 0, amount(data, weight))),
      h('td', { class: 'number dim' }, percent(weight, data.total)), h('td', { class: 'name' }, value),
      h('td', { class: 'acts' },
        h('button', { class: 'plain', title: 'Only samples with this value', onclick: () => state.set({ tf: this.filter(key.key, value) }) }, 'only'),
        h('button', { class: 'plain', title: 'All samples but those', onclick: () => state.set({ ti: this.filter(key.key, value) }) }, 'without')));
    return h('article', { class: 'card' },
      h('h2', {}, key.key),
      h('p', { class: 'dim' }, `on ${percent(key.weight, data.total)} of all samples, ${count(key.count)} ${key.count === 1 ? 'value' : 'values'} `,
        h('button', {
          class: 'plain', 'aria-pressed': String(grouped), title: 'Root the flame graph in the values of this label',
          onclick: () => state.set({ tagroot: grouped ? null : key.key, p: null }, { view: 'flamegraph' }),
        }, grouped ? 'ungroup flame graph' : 'group flame graph by it')),
      h('table', { class: 'calls' }, h('tbody', {}, key.values.map(row))),
      key.count > key.values.length && h('p', { class: 'dim' }, `and ${count(key.count - key.values.length)} more`));
  }

  /** Numbers have ranges, texts expressions. */
  filter(key, value) {
    return /^-?\d/.test(value) ? `${key}=${value}` : `${key}=${exactly(value)}`;
  }

  focus() { this.box.focus({ preventScroll: true }); }
}
