// Source lines with their cost, and the instructions of each folded below it.

import { fill, h, place } from '../dom.js';
import { amount, brief, count, percent } from '../format.js';

export const title = 'Source';

/** @param {import('../app.js').App} app */
export const load = ({ state, api }) => api.json('api/source', state.options());

export class View {
  constructor(app, place) {
    this.app = app;
    this.what = 'source';
    this.box = h('div', { class: 'cards code', tabindex: '0', 'aria-label': 'Source code' });
    fill(place, this.box);
  }

  show(data) {
    this.data = data;
    const { state } = this.app, rest = data.count - data.functions.length;
    fill(this.box,
      !state.get('f') && h('p', { class: 'dim' }, 'The functions that cost most themselves. Focus on others to see them.'),
      data.functions.map(f => this.card(f)),
      !data.functions.length && h('p', {}, `No ${this.what} of functions that match the focus ${state.get('f')}.`),
      rest > 0 && h('p', { class: 'dim' }, `and ${count(rest)} more; narrow the focus to see them`));
    this.app.remarks(data.remarks);
  }

  card(f) {
    const { data } = this, most = Math.max(1, ...f.lines.map(line => Math.abs(line.cum)));
    // Lines are what costs are known by.
    const costs = f.lines.length > 0 && `itself ${amount(data, f.flat)} (${percent(f.flat, data.total)}), with callees ${amount(data, f.cum)} (${percent(f.cum, data.total)})`;
    return h('article', { class: 'card' },
      h('h2', { oncontextmenu: e => { e.preventDefault(); this.app.menu({ name: f.name }, e.clientX, e.clientY); } },
        h('button', { class: 'plain', onclick: e => this.app.menu({ name: f.name }, ...place(e)) }, brief(f.name))),
      h('p', { class: 'dim' }, f.file, f.file && costs && ' · ', costs),
      f.error && h('p', { class: 'remark' }, `${f.error}`),
      f.lines.length > 0 && h('table', { class: 'lines' },
        h('thead', { class: 'unseen' }, h('tr', {}, ['Own', 'With callees', 'Line', 'Source'].map(t => h('th', { scope: 'col' }, t)))),
        f.lines.map(line => this.line(line, most))));
  }

  /** A line, and its instructions once they are wanted. */
  line(line, most) {
    const { data } = this, text = value => (value ? amount(data, value) : '');
    const code = line.code || [];
    const body = h('tbody');
    const toggle = () => {
      if (body.childElementCount > 1) [...body.children].slice(1).forEach(row => row.remove());
      else body.append(...code.map(i => this.instruction(i)));
      opener?.setAttribute('aria-expanded', String(body.childElementCount > 1));
    };
    const number = line.number || '';
    const opener = code.length ? h('button', { class: 'plain', 'aria-expanded': 'false', title: `${code.length} instructions`, onclick: toggle }, number) : null;
    body.append(h('tr', { class: line.cum ? 'hot' : '' },
      h('td', { class: 'number' }, text(line.flat)), h('td', { class: 'number', style: heat(line.cum / most) }, text(line.cum)),
      h('td', { class: 'number dim' }, opener || number), h('td', { class: 'text' }, line.text || (code.length ? h('span', { class: 'dim' }, 'no source') : ''))));
    return body;
  }

  instruction(i) {
    const { data } = this, text = value => (value ? amount(data, value) : '');
    return h('tr', { class: i.gap ? 'asm gap' : 'asm' }, h('td', { class: 'number' }, text(i.flat)), h('td', { class: 'number' }, text(i.cum)),
      h('td', { class: 'number dim' }, i.address), h('td', { class: 'text' }, i.text, i.place && h('span', { class: 'dim' }, `  ${i.place}`)));
  }

  focus() { this.box.focus({ preventScroll: true }); }

  /** Arrow keys scroll the box that has them. */
  key() { return false; }
}

/** @param {number} share */
export const heat = share => (share ? { background: `color-mix(in srgb, var(--hot) ${Math.round(Math.min(1, Math.abs(share)) * 60)}%, transparent)` } : {});
