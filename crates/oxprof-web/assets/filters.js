// Filters and options: chips for those in force, and a panel to change them with live results.

import { byId, debounce, fill, h } from './dom.js';

/** @typedef {import('./app.js').App} App */

/** What people filter by, in the order in which they look for it. */
const FIRST = ['focus', 'ignore', 'hide', 'show', 'show_from', 'prune_from', 'tagfocus', 'tagignore', 'tagshow', 'taghide', 'tagroot', 'tagleaf'];
/** Shown elsewhere. */
const ELSEWHERE = ['sample_index', 'normalize'];
/** Names of options that are not clear by themselves. */
const LABELS = { nodecount: 'nodes', nodefraction: 'min node', edgefraction: 'min edge', show_from: 'show from', prune_from: 'prune from' };

export class Filters {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.element = h('section', { id: 'filters', 'aria-label': 'Filters and options', hidden: true });
    this.options = [];
  }

  /** @param {any} about */
  learn(about) {
    const known = JSON.stringify([about.options, about.labels]);
    this.options = about.options;
    this.labels = about.labels;
    if (known !== this.known) {
      this.known = known;
      this.build();
    }
    this.update();
  }

  build() {
    const by = names => names.map(name => this.options.find(o => o.name === name)).filter(Boolean);
    const rest = this.options.filter(o => !FIRST.includes(o.name) && !ELSEWHERE.includes(o.name));
    this.fields = new Map();
    fill(this.element,
      h('datalist', { id: 'labels' }, this.labels.map(label => h('option', { value: label }))),
      h('div', { class: 'fields' }, by(FIRST).map(o => this.field(o))),
      h('div', { class: 'fields few' }, rest.map(o => this.field(o))),
      h('p', { class: 'dim' }, 'Regular expressions over names of functions, files and binaries; several with |. Changes show at once; going back takes them away again. ',
        h('button', { class: 'plain', onclick: () => this.clear() }, 'Clear all (U)')));
  }

  /** @param {any} option */
  field(option) {
    const { name, url, kind, about, details, choices } = option, { state } = this.app;
    const hint = [about, ...details].join('. ');
    let input;
    if (kind === 'bool') {
      input = h('input', { type: 'checkbox', onchange: () => this.set(option, input.checked ? 't' : 'f') });
    } else if (kind === 'choice') {
      input = h('select', { onchange: () => this.set(option, input.value) },
        h('option', { value: '' }, 'default'), choices.map(c => h('option', { value: c }, c)));
    } else {
      // One step back for one visit to a field, however many letters were typed.
      let typed = false;
      const list = ['tagroot', 'tagleaf', 'tagfocus', 'tagignore'].includes(name) ? 'labels' : null;
      input = h('input', {
        type: 'text', inputmode: kind === 'number' ? 'decimal' : null, spellcheck: 'false', autocapitalize: 'off', autocomplete: 'off', list,
        onfocus: () => { typed = false; },
        oninput: debounce(300, () => { this.set(option, input.value, typed); typed = true; }),
      });
    }
    this.fields.set(url, { option, input });
    return h('label', { title: hint, 'data-kind': kind }, h('span', {}, LABELS[name] || name.replace('_', ' ')), input);
  }

  /** @param {any} option @param {string} value @param {boolean} [replace] */
  set({ url, default: usual, kind }, value, replace) {
    const same = kind === 'bool' ? (value === 't') === (usual === 'true') : value === usual;
    this.app.state.set({ [url]: same ? null : value }, { replace });
  }

  /** Shows what the address says. */
  update() {
    const { state } = this.app;
    for (const { option, input } of this.fields?.values() || []) {
      const value = state.get(option.url) || option.default;
      if (option.kind === 'bool') input.checked = value[0] === 't';
      else if (document.activeElement !== input) input.value = value;
    }
    const on = this.options.filter(o => state.get(o.url) && !ELSEWHERE.includes(o.name));
    fill(byId('chips'), on.map(o => h('span', { class: 'chip' },
      h('button', { class: 'plain ellipsis', title: `Change ${o.name}`, onclick: () => this.edit(o) }, h('b', {}, LABELS[o.name] || o.name), ` ${state.get(o.url)}`),
      h('button', { class: 'remove', 'aria-label': `Remove ${o.name}`, onclick: () => state.set({ [o.url]: null }) }, '✕'))),
    on.length > 1 && h('button', { class: 'plain', onclick: () => this.clear() }, 'Clear all'));
  }

  /** @param {any} option */
  edit(option) {
    this.toggle(true);
    this.fields.get(option.url)?.input.focus();
  }

  /** @param {boolean} [on] */
  toggle(on = this.element.hidden) {
    this.element.hidden = !on;
    this.app.chrome.filterDoor.setAttribute('aria-expanded', String(on));
    if (on) this.element.querySelector('input')?.focus();
    else this.app.view?.focus?.();
  }

  clear() {
    this.app.state.set(Object.fromEntries(this.options.filter(o => o.name !== 'sample_index').map(o => [o.url, null])));
  }
}
