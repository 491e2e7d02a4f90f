// The page: address → state → question → view. Views know nothing of each other.

import { Api } from './api.js';
import { Chrome } from './chrome.js';
import { byId, fill, h, isForPage, isTyping } from './dom.js';
import { exactly } from './format.js';
import { popup } from './popup.js';
import { State } from './state.js';
import * as theme from './theme.js';

/** Views by the last part of their address, in the order of the tabs. */
export const VIEWS = {
  overview: { title: 'Overview', load: () => import('./views/overview.js') },
  flamegraph: { title: 'Flame graph', load: () => import('./views/flame.js') },
  graph: { title: 'Graph', load: () => import('./views/graph.js') },
  top: { title: 'Top', load: () => import('./views/top.js') },
  peek: { title: 'Peek', load: () => import('./views/peek.js') },
  source: { title: 'Source', load: () => import('./views/source.js') },
  disasm: { title: 'Disassembly', load: () => import('./views/disasm.js') },
  tags: { title: 'Labels', load: () => import('./views/tags.js') },
};

/** Nobody wonders before. */
const PATIENCE = 400;

/** What actions are about: a function, and the stack that leads to it.
 * @typedef {{name: string, stack?: string[], zoom?: () => void, at?: {x: number, y: number}}} Target */

export class App {
  constructor() {
    this.state = new State();
    this.api = new Api();
    this.theme = theme.current;
    this.scheme = theme.scheme;
    this.shown = '';
    /** Counts questions: answers to older ones come too late. */
    this.turn = 0;
    /** @type {any} */
    this.view = null;
    this.chrome = new Chrome(this);
    this.state.listen(() => this.go());
    theme.listen(() => this.view?.recolor?.());
    addEventListener('keydown', e => this.key(e));
    this.go();
    this.watch();
  }

  /** Shows what the address says. */
  async go() {
    const { state } = this, turn = ++this.turn;
    const name = state.view in VIEWS ? state.view : 'flamegraph';
    const about = this.learn();
    this.chrome.update();
    this.search();
    const shown = `${name}?${state.options(name === 'flamegraph' ? ['p', 'dir'] : [])}`;
    if (shown === this.shown) {
      this.fail(null);
      return this.view.update?.();
    }
    const waiting = setTimeout(() => this.view || fill(byId('view'), h('p', { class: 'wait' }, 'Reading the profile …')), PATIENCE);
    try {
      const module = await VIEWS[name].load();
      const data = await module.load(this);
      if (turn !== this.turn) return;
      this.fail(null);
      this.remarks([]);
      if (!this.view || this.name !== name) this.open(name, module);
      this.shown = shown;
      this.choose(null);
      this.view.show(data);
      this.mark();
      // Views paint in the next frame, before this.
      requestAnimationFrame(() => performance.mark('oxprof-shown'));
      await about;
    } catch (error) {
      if (turn === this.turn) this.fail(error);
      if (!this.view) fill(byId('view'));
    } finally {
      clearTimeout(waiting);
    }
  }

  /** @param {string} name @param {any} module */
  open(name, module) {
    this.view?.close?.();
    const place = byId('view');
    place.dataset.view = name;
    place.setAttribute('aria-label', VIEWS[name].title);
    fill(place);
    this.name = name;
    this.view = new module.View(this, place);
    if (!isTyping(document.activeElement)) this.view.focus?.();
  }

  /** Learns what the profile is. */
  async learn() {
    try {
      this.about = await this.api.json('api/about', this.state.options());
      this.chrome.learn(this.about);
    } catch (error) {
      this.fail(error);
    }
  }

  // --- Search ------------------------------------------------------------------------------------

  async search() {
    const q = this.state.get('q');
    if (q === this.searched?.q && this.searched.options === String(this.state.options())) return;
    const options = this.state.options();
    this.searched = { q, options: String(options) };
    this.found = null;
    if (q) {
      options.set('q', q);
      try {
        const found = await this.api.json('api/search', options);
        if (q !== this.state.get('q')) return;
        this.found = { ...found, set: new Set(found.ids) };
        this.chrome.found(this.found);
      } catch (error) {
        this.chrome.found({ error: error.message });
      }
    } else {
      this.chrome.found(null);
    }
    this.mark();
  }

  mark() {
    this.view?.mark?.(this.found ? this.found.set : null, this.found);
  }

  // --- Actions -----------------------------------------------------------------------------------

  /** What can be done with a function. @param {Target} target */
  actions(target) {
    const { state } = this, { name } = target, it = name && exactly(name);
    const add = option => (state.get(option) ? `${state.get(option)}|${it}` : it);
    const go = (label, key, changes, view) => ({ label, key, href: state.link(changes, view), run: () => state.set(changes, { view }) });
    return [
      target.zoom && { label: 'Zoom in', key: 'Enter', run: target.zoom },
      name && go('Callers and callees', 'p', { p: it, dir: null }, 'flamegraph'),
      name && go('Focus on it', 'f', { f: it }),
      name && go('Ignore it', 'i', { i: add('i') }),
      name && go('Hide it', 'h', { h: add('h') }),
      name && go('Show only it', 's', { s: it }),
      name && go('Show from it', 'w', { sf: it }),
      name && go('Peek', 'k', { f: it }, 'peek'),
      name && go('Source', 'o', { f: it }, 'source'),
      name && go('Disassembly', 'd', { f: it }, 'disasm'),
      name && { label: 'Copy name', key: 'c', run: () => this.copy(name, 'the name') },
      target.stack?.length && { label: 'Copy stack', key: 'C', run: () => this.copy(target.stack.join('\n'), 'the stack') },
      { label: 'Copy link', key: 'l', run: () => this.copy(location.href, 'the link') },
    ].filter(Boolean);
  }

  /** @param {Target} target @param {number} x @param {number} y */
  menu(target, x, y) {
    popup({ x, y }, target.name || 'Everything', this.actions(target), () => this.view?.focus?.());
  }

  /** @param {string} text @param {string} what */
  async copy(text, what) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Pages that did not come over a safe line have only this way.
      const area = h('textarea', { value: text, class: 'unseen' });
      document.body.append(area);
      area.select();
      document.execCommand('copy');
      area.remove();
    }
    this.say(`Copied ${what}.`);
  }

  // --- Words -------------------------------------------------------------------------------------

  /** @param {string} text */
  say(text) {
    fill(byId('status'), text);
  }

  /** @param {string | null} text */
  choose(text) {
    fill(byId('status'), text || '');
  }

  /** Shows what went wrong, or with `null` that nothing does. @param {Error | null} error */
  fail(error) {
    this.error = error;
    this.tell();
  }

  /** @param {string[]} texts */
  remarks(texts) {
    this.remarked = texts;
    this.tell();
  }

  tell() {
    fill(byId('notes'),
      this.error && h('p', { class: 'error' }, this.error.message),
      (this.remarked || []).map(text => h('p', {}, text)));
  }

  /** Says instead of a view why there is nothing to see. @param {string} text */
  empty(text) {
    this.remarks([...(this.remarked || []), text]);
  }

  // --- Keys --------------------------------------------------------------------------------------

  /** @param {KeyboardEvent} e */
  key(e) {
    if (!isForPage(e, () => this.view?.focus?.())) return;
    if (this.view?.key?.(e.key) || this.act(e.key) || this.chrome.key(e.key)) e.preventDefault();
  }

  /** Does what a key stands for with what is chosen. @param {string} key */
  act(key) {
    const target = this.view?.chosen?.();
    if (!target) return false;
    if (key === 'm' || key === 'ContextMenu') {
      this.menu(target, target.at?.x ?? 100, target.at?.y ?? 100);
      return true;
    }
    const action = this.actions(target).find(a => a.key === key);
    if (action) action.run();
    return !!action;
  }

  // --- Change ------------------------------------------------------------------------------------

  /** Everything anew: the profile is another one. */
  refresh() {
    this.api.forget();
    this.shown = '';
    this.searched = undefined;
    this.go();
  }

  /** Looks now and then whether the profile's file has changed. */
  async watch() {
    const every = 2000;
    const stamp = async () => (document.hidden ? this.stamp : (await (await fetch('api/stamp')).json()));
    try {
      this.stamp = await stamp();
      if (this.stamp === null) return;
      setInterval(async () => {
        const now = await stamp().catch(() => this.stamp);
        if (now === this.stamp || now === null) return;
        this.stamp = now;
        try {
          await this.api.send('api/reload', { method: 'POST' });
          this.refresh();
          this.say('The profile has changed and was loaded again.');
        } catch (error) {
          this.fail(error);
        }
      }, every);
    } catch {
      // Without an answer there is nothing to watch.
    }
  }
}

new App();
