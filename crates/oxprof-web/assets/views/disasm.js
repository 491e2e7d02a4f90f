// Instructions with their cost.

import { h } from '../dom.js';
import { amount } from '../format.js';
import { View as SourceView, heat } from './source.js';

export const title = 'Disassembly';

/** @param {import('../app.js').App} app */
export const load = ({ state, api }) => api.json('api/disasm', state.options());

export class View extends SourceView {
  constructor(app, place) {
    super(app, place);
    this.what = 'machine code';
    this.box.setAttribute('aria-label', 'Machine code');
  }

  /** All instructions of a function are in one line without a number. */
  line(line) {
    const { data } = this, text = value => (value ? amount(data, value) : '');
    const most = Math.max(1, ...(line.code || []).map(i => Math.abs(i.cum)));
    return h('tbody', {}, (line.code || []).map(i => h('tr', { class: `${i.cum ? 'hot' : ''} ${i.gap ? 'gap' : ''}` },
      h('td', { class: 'number' }, text(i.flat)), h('td', { class: 'number', style: heat(i.cum / most) }, text(i.cum)),
      h('td', { class: 'number dim' }, i.address), h('td', { class: 'text' }, i.text, i.place && h('span', { class: 'dim' }, `  ${i.place}`)))));
  }
}
