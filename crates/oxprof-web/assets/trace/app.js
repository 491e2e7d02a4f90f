// The page of a trace: address → view. Each view asks the server for itself.

import { Api } from '../api.js';
import { byId, fill, h, isTyping } from '../dom.js';
import { dialog, popup } from '../popup.js';
import { State } from '../state.js';
import * as theme from '../theme.js';
import { Picture } from './picture.js';

/** Views by the last part of their address, in the order of the tabs. */
export const VIEWS = {
  timeline: { title: 'Timeline', load: () => import('./timeline.js') },
};

class TraceApi extends Api {
  /** A picture of the timeline; `null` while there is none yet. @param {URLSearchParams} params */
  async picture(params) {
    const reply = await this.send(`api/trace/timeline?${params}`, {});
    return reply.status === 202 ? null : new Picture(await reply.arrayBuffer());
  }
}

export class App {
  constructor() {
    this.state = new State();
    this.api = new TraceApi();
    this.meter = h('i');
    this.title = h('b', { class: 'ellipsis' }, 'trace');
    this.tabs = h('nav', { 'aria-label': 'Views' });
    const themes = { auto: 'As the system', light: 'Light', dark: 'Dark', contrast: 'High contrast' };
    const look = at => popup(at, 'Appearance', Object.entries(themes).map(([value, label]) => ({ label, current: theme.choice() === value, run: () => theme.set('theme', value) })));
    fill(byId('bar'), h('div', { class: 'first' }, h('span', { class: 'title' }, this.title), h('span', { class: 'spacer' }),
      h('div', { class: 'doors' },
        h('button', { class: 'tool', title: 'Light, dark, high contrast (t)', onclick: e => look(e.currentTarget) }, 'Theme'),
        h('button', { class: 'tool', title: 'Keys (?)', 'aria-label': 'Keys', onclick: () => this.help() }, '?'))),
    this.tabs, h('div', { class: 'meter', role: 'progressbar', 'aria-label': 'Read of the trace', hidden: true }, this.meter));
    this.api.onbusy = busy => document.documentElement.classList.toggle('busy', busy && !this.reading);
    this.state.listen(() => this.go());
    theme.listen(() => this.view?.recolor?.());
    addEventListener('keydown', e => this.key(e));
    this.learn();
    this.go();
  }

  async learn() {
    try {
      const about = await this.api.json('api/trace/about');
      fill(this.title, about.name);
      document.title = `${about.name} trace`;
    } catch (error) {
      this.fail(error);
    }
  }

  /** Shows what the address says. */
  async go() {
    const { state } = this, name = state.view in VIEWS ? state.view : 'timeline';
    const tab = ([view, { title }], i) => h('a', {
      href: view, 'aria-current': view === name ? 'page' : null, title: `${title} (${i + 1})`,
      onclick: e => {
        if (e.ctrlKey || e.metaKey || e.shiftKey) return;
        e.preventDefault();
        this.open(view);
      },
    }, title);
    fill(this.tabs, Object.entries(VIEWS).map(tab));
    if (this.shown === name) return this.view.update?.();
    const module = await VIEWS[name].load();
    if (state.view !== name && !(state.view in VIEWS) === false) return;
    this.view?.close?.();
    this.shown = name;
    this.choose(null);
    this.fail(null);
    const place = byId('view');
    place.dataset.view = name;
    fill(place);
    this.view = new module.View(this, place);
    if (!isTyping(document.activeElement)) this.view.focus?.();
  }

  /** Goes to a view, without what was looked at in another. @param {string} view @param {import('../state.js').Changes} [changes] */
  open(view, changes = {}) {
    const none = Object.fromEntries([...this.state.params.keys()].map(key => [key, null]));
    this.state.set({ ...none, ...changes }, { view });
  }

  // --- Words -------------------------------------------------------------------------------------

  /** @param {string} text */
  say(text) { fill(byId('status'), text); }

  /** @param {string | null} text */
  choose(text) { fill(byId('status'), text || ''); }

  /** @param {Error | null} error */
  fail(error) { fill(byId('notes'), error && h('p', { class: 'error' }, error.message)); }

  /** How much of the trace has been read. @param {number} share */
  progress(share) {
    const meter = this.meter.parentElement;
    this.reading = share < 1;
    meter.hidden = share >= 1;
    meter.setAttribute('aria-valuenow', String(Math.round(share * 100)));
    this.meter.style.width = `${share * 100}%`;
  }

  // --- Keys --------------------------------------------------------------------------------------

  /** @param {KeyboardEvent} e */
  key(e) {
    if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented) return;
    if (document.querySelector('dialog[open], .popup')) return;
    if (isTyping(e.target)) {
      if (e.key === 'Escape') this.view?.focus?.();
      return;
    }
    const onButton = e.target instanceof HTMLButtonElement || e.target instanceof HTMLAnchorElement;
    if (onButton && (e.key === 'Enter' || e.key === ' ')) return;
    if (this.view?.key?.(e.key) || this.act(e.key)) e.preventDefault();
  }

  /** @param {string} key */
  act(key) {
    const names = Object.keys(VIEWS);
    if (key >= '1' && key <= String(names.length)) this.open(names[Number(key) - 1]);
    else if (key === '?') this.help();
    else if (key === 't') this.say(`Theme: ${theme.turn()}.`);
    else if (key === 'u') history.back();
    else return false;
    return true;
  }

  help() {
    const group = (title, keys) => h('section', {}, h('h3', {}, title),
      h('dl', {}, keys.map(([key, text]) => [h('dt', {}, key.split(' ').map(k => h('kbd', {}, k))), h('dd', {}, text)])));
    dialog('Keys', h('div', { class: 'help' },
      group('Everywhere', [...Object.values(VIEWS).map(({ title }, i) => [String(i + 1), title]), ['u', 'Back'], ['t', 'Next theme'], ['?', 'This sheet']]),
      group('Timeline', [['← →', 'From slice to slice'], ['↑ ↓', 'From lane to lane'], ['Enter', 'Zoom to the slice'], ['f', 'Follow the wake-up to its cause'], ['Esc', 'Let go; zoom out'],
        ['+ −', 'Zoom'], ['w s', 'Zoom'], ['[ ]', 'Pan'], ['a d', 'Pan'], ['Home', 'Everything'], ['PgUp PgDn', 'Scroll'], ['p o g', 'Processors, threads, goroutines'], ['/', 'Find goroutines']]),
      group('Mouse and touch', [['click', 'Choose a slice'], ['double', 'Zoom to it'], ['wheel', 'Zoom; on labels or with Shift scroll'], ['drag', 'Pan; on top go there'], ['pinch', 'Zoom']])));
  }
}

new App();
