// The timeline: asks for what is looked at, and tells about what is chosen.

import { debounce, fill, h } from '../dom.js';
import * as theme from '../theme.js';
import { Chart } from './chart.js';
import { ROW, palette, top } from './paint.js';
import { Picture } from './picture.js';
import { duration, laneName, moment, name } from './words.js';

/** @typedef {import('./paint.js').Spot} Spot */

const LANES = { proc: 'Processors', thread: 'Threads', goroutine: 'Goroutines' };
const HINTS = { proc: 'what each processor runs', thread: 'what each thread runs', goroutine: 'what each goroutine or task does and waits for' };

export class View {
  /** @param {import('./app.js').App} app @param {HTMLElement} place */
  constructor(app, place) {
    this.app = app;
    this.chart = new Chart({ moved: () => this.moved(), hovered: (spot, x, y) => this.tip(spot, x, y), chosen: spot => this.detail(spot) });
    this.chart.scene.colors = palette(theme.current());
    this.chart.scene.chain = app.chain;
    app.chain = [];
    this.tools = h('div', { class: 'tools' });
    this.side = h('aside', { class: 'detail', hidden: true, 'aria-label': 'What is chosen' });
    this.hint = h('div', { class: 'tip', hidden: true });
    this.note = h('span', { class: 'dim' });
    this.legend = h('span', { class: 'legend' });
    fill(place, this.tools, h('div', { class: 'split' }, this.chart.element, this.side), this.hint);
    /** How often it has been moved; what is shown is busy until that has been answered. */
    this.moves = 0;
    this.ask = debounce(50, () => this.fetch());
    this.turn = 0;
    this.update();
  }

  get by() { return this.app.state.get('by') || 'proc'; }

  /** The address has changed. */
  update() {
    const { state } = this.app, shown = `${this.by} ${state.get('q')}`;
    const choice = ([by, title]) => h('button', { class: 'choice', 'aria-pressed': String(by === this.by), title: HINTS[by], onclick: () => this.lanes(by) }, title);
    const search = h('input', { type: 'search', placeholder: 'Function or number /', 'aria-label': 'Only goroutines that start in this function, or of this number', value: state.get('q'), oninput: debounce(200, e => state.set({ q: e.target.value || null }, { replace: true })) });
    if (shown !== this.shown) {
      this.search = this.by === 'goroutine' ? search : null;
      fill(this.tools, h('div', { class: 'choices', role: 'group', 'aria-label': 'Lanes' }, Object.entries(LANES).map(choice)), this.search,
        h('button', { class: 'tool', onclick: () => this.chart.key('-'), 'aria-label': 'Zoom out' }, '−'),
        h('button', { class: 'tool', onclick: () => this.chart.key('+'), 'aria-label': 'Zoom in' }, '+'),
        h('button', { class: 'tool', onclick: () => this.chart.key('Home') }, 'All'), this.note, h('span', { class: 'spacer' }), this.legend);
      this.explain();
      if (this.shown !== undefined && this.search && state.get('q') !== this.asked) this.search.focus();
      if (!this.chart.scene.picture) fill(this.note, 'Reading the trace …');
      this.shown = shown;
    }
    this.asked = state.get('q');
    const [from, to] = [Number(state.get('from')), Number(state.get('to'))], { scene } = this.chart;
    // Until the trace is known to be so long.
    if (to > from) {
      scene.duration = Math.max(scene.duration, to);
      this.chart.place(from, to);
    }
    this.follows = !(to > from);
    if (this.follows) this.chart.place(0, scene.duration);
    if (this.app.chain.length) {
      scene.chain = this.app.chain;
      this.app.chain = [];
    }
    this.near = state.get('g') === '' ? null : Number(state.get('g'));
    this.fetch();
  }

  /** What colours mean. */
  explain() {
    const { colors } = this.chart.scene, states = { running: 'running', runnable: 'runnable', syscall: 'in a system call', waiting: 'waiting' };
    const key = ([kind, text]) => h('span', { class: 'key' }, h('i', { style: { background: colors[kind] } }), text);
    const lanes = this.by !== 'goroutine' && h('span', { class: 'key' }, 'lanes: a colour for each function');
    fill(this.legend, Object.entries(states).filter(([kind]) => this.by === 'goroutine' || kind !== 'waiting').map(key), lanes);
  }

  /** @param {string} by */
  lanes(by) {
    const { scene } = this.chart;
    scene.chosen = null;
    scene.scroll = 0;
    this.app.state.set({ by, q: null, g: null });
  }

  moved() {
    const { scene } = this.chart, { state } = this.app;
    const whole = scene.from <= 0 && scene.to >= scene.duration;
    this.follows = whole;
    if (scene.picture) state.note(whole ? { from: null, to: null } : { from: String(Math.round(scene.from)), to: String(Math.round(scene.to)) });
    this.moves++;
    this.chart.element.setAttribute('aria-busy', 'true');
    this.ask();
  }

  /** Asks for what is seen and a little around it; one question at a time, the last one counts. */
  async fetch() {
    // Where there is no room yet, it will be told when there is.
    if (this.chart.scene.width < 2) return;
    if (this.busy) {
      this.again = true;
      return;
    }
    const moves = this.moves;
    this.busy = true;
    try {
      await this.load();
      this.app.fail(null);
    } catch (error) {
      this.app.fail(error);
    }
    this.busy = false;
    if (moves === this.moves) this.chart.element.setAttribute('aria-busy', 'false');
    if (this.again) {
      this.again = false;
      this.fetch();
    }
  }

  async load() {
    const { scene } = this.chart, { api, state } = this.app, by = this.by;
    const params = new URLSearchParams({ by, columns: String(Math.min(2048, Math.round(scene.width * 2))) });
    if (this.follows) params.set('columns', String(Math.round(scene.width)));
    else {
      const around = (scene.to - scene.from) / 2;
      params.set('from', String(Math.max(0, Math.round(scene.from - around))));
      params.set('to', String(Math.round(scene.to + around)));
    }
    const rows = Math.max(1, Math.ceil((scene.height - top(scene)) / ROW)), first = Math.max(0, Math.floor(scene.scroll / ROW) - rows);
    params.set('first', String(first));
    params.set('count', String(Math.max(3 * rows, 20)));
    if (state.get('q')) params.set('q', state.get('q'));
    if (this.near !== null) params.set('goroutine', String(this.near));
    const picture = await api.picture(params);
    if (!picture || by !== this.by || !this.chart.element.isConnected) return this.later(picture);
    this.take(picture);
    await this.map(picture);
    this.later(picture);
  }

  /** @param {Picture} picture */
  take(picture) {
    const { scene } = this.chart, { head } = picture;
    const first = !scene.picture;
    scene.duration = head.duration;
    if (this.follows) this.chart.place(0, head.duration);
    if (this.near !== null) {
      scene.scroll = head.first * ROW;
      this.near = null;
    }
    this.chart.show(picture);
    if (this.wanted) this.land();
    this.tell(head);
    this.app.progress(head.progress);
    if (first) {
      this.chart.paint();
      performance.mark('oxprof-shown');
    }
  }

  /** The picture of the whole above. @param {Picture} picture */
  async map(picture) {
    const { scene } = this.chart;
    if (this.follows) scene.map = picture;
    else if (!scene.map || scene.map.head.progress < 1) {
      scene.map = await this.app.api.picture(new URLSearchParams({ by: this.by, count: '0', columns: String(Math.round(scene.width)) })) || scene.map;
    }
    this.chart.draw();
  }

  /** Asks again while the trace is still being read. @param {Picture | null} picture */
  later(picture) {
    if (!this.chart.element.isConnected) return;
    if (!picture || picture.head.progress < 1) setTimeout(() => this.fetch(), picture ? 700 : 150);
  }

  /** @param {import('./picture.js').Head} head */
  tell(head) {
    const { scene } = this.chart, seen = duration(scene.to - scene.from), of = duration(head.duration);
    const how = head.exact ? 'every event' : `stretches of ${duration(Math.max(head.resolution, (head.to - head.from) / head.columns))}`;
    fill(this.note, `${seen} of ${of}, ${how}`, head.omitted ? '; some short-lived lanes are left out until you zoom in' : '', head.problems ? h('span', { class: 'bad', title: head.faults.join('\n') }, `; damaged: ${head.faults[0]}${head.problems > 1 ? ` and ${head.problems - 1} more` : ''}`) : '');
  }

  /** @param {Spot | null} spot @param {number} px @param {number} py */
  tip(spot, px, py) {
    const { hint } = this;
    hint.hidden = !spot;
    if (!spot) return;
    const { slice, picture } = spot, cause = picture.cause(slice), leaf = picture.stack(slice.stack)[0];
    fill(hint, h('b', {}, this.title(spot)), ` ${this.length(spot)}`, h('div', { class: 'dim' }, laneName(picture.head.lanes[slice.lane]), ` at ${moment(slice.start, slice.end - slice.start)}`),
      leaf && h('div', {}, leaf[0]), cause && cause.by >= 0 && h('div', {}, `woken by ${cause.by}`));
    const { offsetWidth: width, offsetHeight: height } = hint;
    Object.assign(hint.style, { left: `${Math.max(4, Math.min(px + 14, innerWidth - width - 4))}px`, top: `${py + 18 + height > innerHeight ? py - height - 8 : py + 18}px` });
  }

  /** @param {Spot} spot */
  title({ picture, slice }) {
    const what = picture.what(slice);
    return what.kind === 'function' && slice.go >= 0 ? `${slice.go} ${name(what)}` : name(what);
  }

  /** How long it is, as far as is known. @param {Spot} spot */
  length({ picture, slice }) {
    const { head } = picture;
    if (picture.cells) return `mostly, for ${duration(slice.end - slice.start)}`;
    const [from, to] = head.known, more = (slice.start <= from && from > 0) || (slice.end >= to && to < head.duration);
    return `${more ? 'at least ' : ''}${duration(slice.end - slice.start)}`;
  }

  /** @param {Spot | null} spot */
  detail(spot) {
    const { side, chart } = this;
    side.hidden = !spot;
    if (!spot) return this.app.choose(null);
    const { picture, slice } = spot, cause = picture.cause(slice), frames = picture.stack(slice.stack), lane = picture.head.lanes[slice.lane];
    this.app.choose(`${this.title(spot)}, ${this.length(spot)}, ${laneName(lane)}`);
    const pair = (title, value) => value && [h('dt', {}, title), h('dd', {}, value)];
    fill(side, h('button', { class: 'plain shut', 'aria-label': 'Close', onclick: () => chart.choose(null) }, '✕'),
      h('h2', {}, h('i', { class: 'swatch', style: { background: chart.scene.colors.of(picture.what(slice).kind, picture.what(slice).text) } }), this.title(spot)),
      h('dl', {}, pair('took', this.length(spot)), pair('from', moment(slice.start, slice.end - slice.start)), pair('on', laneName(lane)),
        pair('woken by', cause && (cause.by >= 0 ? `goroutine ${cause.by}` : name(named(picture, cause.legend)))),
        cause && pair('woken', `${duration(cause.to - cause.from)} before it ran`)),
      h('div', { class: 'acts' },
        h('button', { class: 'button', onclick: () => chart.zoomTo(spot) }, 'Zoom to it'),
        cause && h('button', { class: 'button', title: 'f', onclick: () => this.follow() }, 'Who woke it'),
        slice.go >= 0 && h('button', { class: 'button', title: 'y: what led to its end, in the time that is seen', onclick: () => this.why() }, 'Why only then?'),
        slice.go >= 0 && lane.kind !== 'goroutine' && h('button', { class: 'button', onclick: () => this.goroutine(slice.go, slice.start) }, 'Its own lane')),
      picture.cells && h('p', { class: 'dim' }, 'Zoom in to see single events.'),
      frames.length > 0 && [h('h3', {}, 'Stack where it began'), h('ol', { class: 'stack' }, frames.map(([func, file, line]) => h('li', { title: `${file}:${line}` }, func, h('span', { class: 'dim' }, `:${line}`))))]);
  }

  /** Goes to what woke the chosen goroutine. */
  follow() {
    const { chosen, picture } = this.chart.scene, cause = chosen && picture && picture.cause(chosen.slice);
    if (!cause) return this.app.say('Nothing is known to have woken it; zoom in until every event is shown.');
    if (cause.cause < 0) return this.goroutine(cause.by, cause.from);
    const slice = picture.at(cause.cause, cause.from - 0.5, false) || picture.at(cause.cause, cause.from, false);
    if (slice) this.chart.reveal({ picture, slice });
  }

  /** Asks what the end of the chosen slice waited for. */
  why() {
    const { chosen, from } = this.chart.scene;
    if (!chosen || chosen.slice.go < 0) return;
    const { go, start, end } = chosen.slice;
    this.app.why({ goroutine: String(go), from: String(Math.round(Math.min(from, start))), to: String(Math.round(end)) });
  }

  /** Shows the lane of a goroutine around a time. @param {number} go @param {number} time */
  goroutine(go, time) {
    if (go < 0) return;
    this.wanted = { go, time };
    const { scene } = this.chart;
    scene.chosen = null;
    const size = scene.to - scene.from;
    this.app.state.set({ by: 'goroutine', q: null, g: String(go), from: String(Math.round(Math.max(0, time - size / 2))), to: String(Math.round(time + size / 2)) });
  }

  /** Chooses what was wanted, now that it is here. */
  land() {
    const { picture } = this.chart.scene, { go, time } = this.wanted, lane = picture.lane('goroutine', go);
    this.wanted = null;
    const slice = lane >= 0 && (picture.at(lane, time, false) || picture.at(lane, time - 1, false));
    if (slice) this.chart.reveal({ picture, slice });
  }

  recolor() {
    this.chart.scene.colors = palette(theme.current());
    this.chart.draw();
  }

  /** @param {string} key */
  key(key) {
    const { scene } = this.chart;
    if (key === '/') {
      if (this.search) this.search.focus();
      else this.lanes('goroutine');
    } else if (key === 'f') this.follow();
    else if (key === 'y') this.why();
    else if (key === 'Escape' && scene.chain.length) {
      scene.chain = [];
      this.chart.draw();
    } else if (key === 'Escape') scene.chosen ? this.chart.choose(null) : this.chart.key('Home');
    else if (key === 'p' || key === 'g' || key === 'o') this.lanes({ p: 'proc', o: 'thread', g: 'goroutine' }[key]);
    else return this.chart.key(key);
    return true;
  }

  focus() { this.chart.element.focus({ preventScroll: true }); }
  close() { this.chart.close(); }
}

/** @param {Picture} picture @param {number} legend */
function named(picture, legend) {
  const [kind, text] = picture.head.legend[legend];
  return { kind, text };
}
