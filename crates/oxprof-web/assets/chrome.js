// What stands around every view: tabs, search, filters, and the doors to everything else.

import { VIEWS } from './app.js';
import { byId, debounce, fill, h, isTyping } from './dom.js';
import { clean, count, exactly, percent } from './format.js';
import { capture } from './capture.js';
import { compare, takeFiles } from './compare.js';
import { exportItems } from './export.js';
import { Filters } from './filters.js';
import { help } from './help.js';
import { dialog, popup } from './popup.js';
import * as theme from './theme.js';

/** @typedef {import('./app.js').App} App */

export class Chrome {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    const { state } = app;
    const button = (label, hint, run, extra = {}) => h('button', { class: 'tool', title: hint, 'aria-label': hint, onclick: run, ...extra }, label);
    this.title = h('button', { class: 'title', title: 'About this profile', onclick: () => this.details() }, 'oxprof');
    this.tabs = h('nav', { 'aria-label': 'Views' });
    this.search = h('input', {
      type: 'search', placeholder: 'Search /', 'aria-label': 'Search functions by a regular expression', value: state.get('q'), spellcheck: 'false',
      oninput: debounce(200, () => this.type()), onkeydown: e => this.enter(e), onfocus: () => this.list(true),
    });
    this.hits = h('output', { class: 'dim' });
    this.results = h('div', { id: 'found', hidden: true });
    this.types = h('select', {
      'aria-label': 'Sample type', title: 'Sample type (n: next)',
      onchange: () => state.set({ si: this.types.value }),
    });
    this.filters = new Filters(app);
    this.doors = h('div', { class: 'doors' },
      this.captureDoor = button('Capture', 'Take a profile of this program', () => capture(app), { hidden: true }),
      this.filterDoor = button('Filter', 'Filters and options (g)', () => this.filters.toggle(), { 'aria-expanded': 'false' }),
      button('Compare', 'Compare with another profile (x)', () => compare(app)),
      button('Config', 'Named configurations', e => this.configs(e.currentTarget)),
      button('Export', 'Save this view (e)', e => this.export(e.currentTarget)),
      button('Theme', 'Light, dark, high contrast (t)', e => this.look(e.currentTarget)),
      button('?', 'Keys and help (?)', () => help(this.app)));
    fill(byId('bar'), h('div', { class: 'first' }, this.title, this.types, h('div', { class: 'search', role: 'search', onfocusout: e => this.leave(e) }, this.search, this.hits, this.results), this.doors), this.tabs);
    byId('bar').after(this.filters.element);
    addEventListener('pointerdown', e => { if (!(e.target instanceof Node && this.results.parentElement.contains(e.target))) this.list(false); });
    takeFiles(app);
    app.api.onbusy = busy => document.documentElement.classList.toggle('busy', busy);
  }

  /** The address has changed. */
  update() {
    const { state } = this.app;
    const tab = ([name, view], i) => h('a', {
      href: state.link({ z: null }, name), 'aria-current': name === state.view ? 'page' : null, title: `${view.title} (${i + 1})`,
      onclick: e => {
        if (e.ctrlKey || e.metaKey || e.shiftKey) return;
        e.preventDefault();
        state.set({ z: null }, { view: name });
      },
    }, view.title);
    fill(this.tabs, Object.entries(VIEWS).map(tab));
    this.tabs.querySelector('[aria-current]')?.scrollIntoView?.({ block: 'nearest', inline: 'nearest' });
    if (document.activeElement !== this.search) this.search.value = state.get('q');
    this.filters.update();
  }

  /** @param {any} about */
  learn(about) {
    const { state } = this.app, { types, chosen } = about, name = about.title || about.name || 'profile';
    const base = about.comparison ? ' compared' : '';
    fill(this.title, h('b', { class: 'ellipsis' }, `${name}${base}`), types.length > 1 ? null : ` ${types[chosen][0]}`);
    this.types.hidden = types.length < 2;
    fill(this.types, types.map(([kind], i) => h('option', { value: kind, selected: i === chosen }, kind)));
    document.title = clean(`${name} ${types[chosen][0]}`);
    this.filters.learn(about);
    this.captureDoor.hidden = !about.captures.length;
    // There is nothing to see until something is captured.
    if (about.captures.length && about.profiles.length === 1 && !this.asked) {
      this.asked = true;
      capture(this.app);
    }
    if (about.settings_error) this.app.fail(new Error(about.settings_error));
  }

  // --- Search ------------------------------------------------------------------------------------

  type() {
    this.app.state.set({ q: this.search.value || null }, { replace: true });
    this.list(true);
  }

  /** @param {KeyboardEvent} e */
  enter(e) {
    const q = this.search.value, { state } = this.app;
    if (e.key === 'Escape') {
      if (q) state.set({ q: null }, { replace: true });
      this.search.value = '';
      this.list(false);
    } else if (e.key === 'ArrowDown') {
      this.results.querySelector('button')?.focus();
    } else if (e.key === 'Enter' && q) {
      this.list(false);
      state.set({ [state.view === 'flamegraph' ? 'p' : 'f']: q, q: null });
      this.search.value = '';
      this.app.view?.focus?.();
    } else return;
    e.preventDefault();
  }

  /** @param {any} found */
  found(found) {
    this.match = found;
    this.hits.classList.toggle('error', !!found?.error);
    fill(this.hits, found && (found.error ? 'no expression' : `${count(found.count)} · ${percent(found.weight, found.whole)}`));
    this.hits.title = found?.error || 'Functions that match · share of the total that passes through them';
    if (!found || found.error) this.list(false);
    else if (isTyping(document.activeElement)) this.list(true);
  }

  /** Shows or hides what was found. @param {boolean} on */
  list(on) {
    const { match, results } = this, { state } = this.app;
    results.hidden = !on || !match || !!match.error || !match.top.length;
    if (results.hidden) return;
    const row = ([name, own, weight]) => h('button', {
      onclick: () => { this.list(false); state.set({ p: exactly(name), dir: null }, { view: 'flamegraph' }); },
      onkeydown: e => this.walk(e),
    }, h('span', { class: 'ellipsis' }, name), h('span', { class: 'dim' }, `${percent(weight, match.whole)}, itself ${percent(own, match.whole)}`));
    fill(results, match.top.map(row), match.count > match.top.length && h('p', { class: 'dim' }, `and ${count(match.count - match.top.length)} more`));
  }

  /** What was found does not stay open behind whoever goes on. @param {FocusEvent} e */
  leave({ currentTarget, relatedTarget }) {
    if (relatedTarget instanceof Node && !(/** @type {Node} */ (currentTarget)).contains(relatedTarget)) this.list(false);
  }

  /** @param {KeyboardEvent} e */
  walk(e) {
    const to = { ArrowDown: 'nextElementSibling', ArrowUp: 'previousElementSibling' }[e.key];
    if (e.key === 'Escape') this.search.focus();
    else if (to) (e.target[to] instanceof HTMLButtonElement ? e.target[to] : this.search).focus();
    else return;
    e.preventDefault();
  }

  // --- Doors -------------------------------------------------------------------------------------

  details() {
    const { about } = this.app;
    if (!about) return;
    dialog('About this profile', h('pre', { class: 'legend' }, about.legend.join('\n')),
      about.doc && h('p', {}, h('a', { href: about.doc, rel: 'noreferrer noopener', target: '_blank' }, 'Documentation of this profile ↗')),
      h('p', {}, h('a', { href: this.app.state.link({}, 'download'), download: true }, 'Download the profile as it was loaded')));
  }

  /** @param {HTMLElement} at */
  configs(at) {
    const { app } = this, { state } = app;
    if (!app.about) return;
    const { settings, options } = app.about;
    const clear = Object.fromEntries(options.map(o => [o.url, null]));
    const same = parameters => options.every(o => state.get(o.url) === ((parameters.find(([url]) => url === o.url) || [])[1] || '') || o.url === 'si');
    const item = ({ name, parameters }) => ({
      label: name, current: same(parameters), run: () => state.set({ ...clear, si: state.get('si') || null, ...Object.fromEntries(parameters) }),
      remove: () => this.configure('deleteconfig', name),
    });
    popup(at, 'Configurations', [
      { label: 'Save as …', run: () => this.save() },
      { label: 'Default', current: same([]), run: () => state.set({ ...clear, si: state.get('si') || null }) },
      ...settings.map(item),
    ]);
  }

  save() {
    const name = h('input', { 'aria-label': 'Name', required: true, autofocus: true });
    const box = dialog('Save configuration', h('p', {}, 'Filters and options, under a name. Go’s pprof shows it, too.'),
      h('form', { onsubmit: e => { e.preventDefault(); box.close(); this.configure('saveconfig', name.value); } }, name, ' ', h('button', {}, 'Save')));
  }

  /** @param {string} what @param {string} name */
  async configure(what, name) {
    const params = this.app.state.options();
    params.set('config', name);
    try {
      await this.app.api.send(`${what}?${params}`, { method: 'POST' });
      this.app.say(what === 'saveconfig' ? `Saved ${name}.` : `Deleted ${name}.`);
      this.app.api.forget();
      await this.app.learn();
    } catch (error) {
      this.app.fail(error);
    }
  }

  /** @param {HTMLElement} at */
  export(at) {
    popup(at, 'Save this view', exportItems(this.app));
  }

  /** @param {HTMLElement} at */
  look(at) {
    const item = (name, label, now) => value => ({ label: label[value], current: now === value, run: () => theme.set(name, value) });
    const themes = { auto: 'As the system', light: 'Light', dark: 'Dark', contrast: 'High contrast' };
    const schemes = { package: 'Frames by package', self: 'Frames by own cost', plain: 'Frames in one colour' };
    popup(at, 'Appearance', [
      ...Object.keys(themes).map(item('theme', themes, theme.choice())),
      ...Object.keys(schemes).map(item('scheme', schemes, theme.scheme())),
    ]);
  }

  // --- Keys --------------------------------------------------------------------------------------

  /** @param {string} key */
  key(key) {
    const { app } = this, { state } = app, names = Object.keys(VIEWS);
    if (key >= '1' && key <= String(names.length)) {
      state.set({ z: null }, { view: names[Number(key) - 1] });
      return true;
    }
    /** @type {Record<string, () => void>} */
    const acts = {
      '/': () => { this.search.focus(); this.search.select(); },
      '?': () => help(app),
      g: () => this.filters.toggle(),
      x: () => compare(app),
      e: () => this.export(this.doors.children[4]),
      t: () => app.say(`Theme: ${theme.turn()}.`),
      n: () => this.nextType(),
      u: () => history.back(),
      U: () => this.filters.clear(),
      l: () => app.copy(location.href, 'the link'),
    };
    if (!acts[key]) return false;
    acts[key]();
    return true;
  }

  nextType() {
    if (!this.app.about) return;
    const { types, chosen } = this.app.about;
    this.app.state.set({ si: types[(chosen + 1) % types.length][0] });
  }
}

