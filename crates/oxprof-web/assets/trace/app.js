// The page of a trace: address → view. Each view asks the server for itself.

import { Api } from '../api.js';
import { byId, fill, h, isForPage, isTyping } from '../dom.js';
import { clean } from '../format.js';
import { dialog, popup } from '../popup.js';
import { State } from '../state.js';
import * as theme from '../theme.js';
import { Picture } from './picture.js';
import { duration, moment } from './words.js';

/** Views by the last part of their address, in the order of the tabs. */
export const VIEWS = {
  timeline: { title: 'Timeline', load: () => import('./timeline.js') },
  goroutines: { title: 'Goroutines', load: () => import('./goroutines.js') },
  latency: { title: 'Waits', load: () => import('./latency.js') },
  tasks: { title: 'Tasks', load: () => import('./tasks.js') },
  regions: { title: 'Regions', load: () => import('./regions.js') },
  mmu: { title: 'Utilisation', load: () => import('./mmu.js') },
  compare: { title: 'Compare', load: () => import('./compare.js') },
};

/** Profiles of waits, as Go's tool calls them. */
const WAITS = { net: 'Network', sync: 'Synchronisation', syscall: 'System calls', sched: 'Scheduler' };

class TraceApi extends Api {
  /** A picture of the timeline; `null` while there is none yet. @param {URLSearchParams} params */
  async picture(params) {
    const reply = await this.send(`api/trace/timeline?${params}`, {});
    return reply.status === 202 ? null : new Picture(await reply.arrayBuffer());
  }

  /**
   * An analysis, once it is done.
   * @param {string} path
   * @param {URLSearchParams} params
   * @param {(share: number) => void} progress
   * @param {RequestInit} [how]
   */
  async wait(path, params, progress, how = {}) {
    for (;;) {
      const reply = await this.send(`api/trace/${path}?${params}`, how), value = await reply.json();
      if (reply.status !== 202) return value;
      progress(value.progress);
      await new Promise(done => setTimeout(done, 250));
    }
  }
}

export class App {
  constructor() {
    this.state = new State();
    /** Counts views: those that are loaded too late are not shown. */
    this.turn = 0;
    /** What something waited for, to be shown in the timeline. @type {any[]} */
    this.chain = [];
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
      document.title = clean(`${about.name} trace`);
      this.about = about;
      if (!about.has_base) this.tabs.querySelector('[href=compare]')?.remove();
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
    fill(this.tabs, Object.entries(VIEWS).map((entry, i) => (entry[0] !== 'compare' || this.about?.has_base !== false) && tab(entry, i)));
    this.tabs.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    if (this.shown === name) return this.view.update?.();
    const turn = ++this.turn, module = await VIEWS[name].load();
    if (turn !== this.turn) return;
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

  // --- Waits -------------------------------------------------------------------------------------

  /** Doors to the profiles of waits. @param {{within?: string, region?: string}} filter */
  waits(filter) {
    const items = (kind, params) => [
      { label: 'Flame graph', run: () => this.flame(params) },
      { label: 'Download for pprof', href: `api/trace/pprof?${params}`, run: () => { location.href = `api/trace/pprof?${params}`; } },
    ];
    return h('span', { class: 'choices', role: 'group', 'aria-label': 'Profiles of waits' }, Object.entries(WAITS).map(([kind, title]) => {
      const params = new URLSearchParams({ kind, ...filter });
      return h('button', { class: 'choice', 'aria-haspopup': 'menu', onclick: e => popup(e.currentTarget, `${title}: where goroutines wait`, items(kind, params)) }, title);
    }));
  }

  /** Goes to the flame graph of a profile. @param {URLSearchParams} params */
  async flame(params) {
    try {
      const id = await this.api.wait('profile', params, share => this.progress(share), { method: 'POST' });
      location.href = `flamegraph?si=delay&profile=${id}`;
    } catch (error) {
      this.fail(error);
    }
    this.progress(1);
  }

  /** Tells what something waited for. @param {Record<string, string>} question */
  async why(question) {
    try {
      const answer = await this.api.wait('why', new URLSearchParams(question), share => this.progress(share));
      this.tell(answer);
    } catch (error) {
      this.fail(error);
    }
    this.progress(1);
  }

  tell({ goroutine, start, end, links, cut }) {
    const more = Math.max((end - start) * 0.03, 500);
    const show = (go, from, to) => {
      box.close();
      this.chain = links.map(link => ({ go: link.goroutine, start: link.start, end: link.start + link.nanos }));
      this.open('timeline', { by: 'goroutine', g: String(go), from: String(Math.round(Math.max(0, from))), to: String(Math.round(to)) });
    };
    const what = link => [link.state, link.reason && ` (${link.reason})`, link.woken_by !== null && `, until goroutine ${link.woken_by} woke it`, link.stack[0] && h('span', { class: 'dim' }, ` in ${link.stack[0]}`)];
    const row = link => h('tr', {},
      h('td', { class: 'number' }, h('button', { class: 'plain', onclick: () => show(link.goroutine, link.start - link.nanos * 0.2 - 500, link.start + link.nanos * 1.2 + 500) }, moment(link.start, 1000))),
      h('td', { class: 'number' }, duration(link.nanos)), h('td', { class: 'name' }, `${link.goroutine} ${link.function}`), h('td', {}, what(link)));
    const box = dialog(`Why goroutine ${goroutine} was done only then`,
      h('p', {}, `${duration(end - start)}, spent like this; whoever woke whom goes on.`, cut && ' Only the last part was looked at: the interval is long.'),
      h('ul', { class: 'sums' }, sums(links).map(({ what, nanos, goroutines }) => h('li', {}, h('b', {}, duration(nanos)), ` ${what}, ${goroutines > 1 ? `${goroutines} goroutines` : 'one goroutine'}`))),
      links.length ? h('table', { class: 'chain' }, h('tr', {}, ['At', 'For', 'Goroutine', 'What it did'].map(title => h('th', {}, title))), links.map(row)) : h('p', {}, 'Nothing is known about it in this time.'),
      h('p', {}, h('button', { class: 'button', autofocus: true, onclick: () => show(goroutine, start - more, end + more) }, 'Show in the timeline')));
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
    if (!isForPage(e, () => this.view?.focus?.())) return;
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
      group('Timeline', [['← →', 'From slice to slice'], ['↑ ↓', 'From lane to lane'], ['Enter', 'Zoom to the slice'], ['f', 'Follow the wake-up to its cause'], ['y', 'Why did it end only then?'], ['Esc', 'Let go; zoom out'],
        ['+ −', 'Zoom'], ['w s', 'Zoom'], ['[ ]', 'Pan'], ['a d', 'Pan'], ['Home', 'Everything'], ['PgUp PgDn', 'Scroll'], ['p o g', 'Processors, threads, goroutines'], ['/', 'Find goroutines']]),
      group('Mouse and touch', [['click', 'Choose a slice'], ['double', 'Zoom to it'], ['wheel', 'Zoom; on labels or with Shift scroll'], ['drag', 'Pan; on top go there'], ['pinch', 'Zoom']])));
  }
}

/** What a chain's time went into, the most first. @param {{state: string, reason: string, function: string, goroutine: number, nanos: number}[]} links */
function sums(links) {
  /** @type {Map<string, {what: string, nanos: number, who: Set<number>}>} */
  const all = new Map();
  for (const { state, reason, function: start, goroutine, nanos } of links) {
    const what = `${state}${reason ? ` (${reason})` : ''}: ${start || '(unknown)'}`, sum = all.get(what) || { what, nanos: 0, who: new Set() };
    sum.nanos += nanos;
    sum.who.add(goroutine);
    all.set(what, sum);
  }
  const most = [...all.values()].filter(sum => sum.nanos > 0).sort((a, b) => b.nanos - a.nanos).slice(0, 5);
  return most.map(({ what, nanos, who }) => ({ what, nanos, goroutines: who.size }));
}

new App();
