// What the profile is, where it comes from and what stands out: in words and one picture.

import { fill, h } from '../dom.js';
import { amount, brief, change, count, exactly, percent, signed } from '../format.js';
import { bar } from './table.js';

export const title = 'Overview';

/** @param {import('../app.js').App} app */
export const load = ({ state, api }) => api.json('api/overview', state.options());

const TIME = { units: [[1, 'ns'], [1e3, 'µs'], [1e6, 'ms'], [1e9, 's'], [6e10, 'min'], [3.6e12, 'h']], unit: 'nanoseconds', total: 0 };

/** Packages of a smaller share have no room for their name. */
const THIN = 0.025;

/** Kinds of cost that have a name of their own. */
const KINDS = [
  ['allocating and freeing memory', /malloc|calloc|realloc|(^|[^a-z])free$|mallocgc|alloc::|jemalloc|mi_|_rjem|newobject|operator (new|delete)/],
  ['collecting garbage', /gcBgMark|scanobject|gcDrain|greyobject|sweep/],
  ['locks and waiting', /mutex|futex|lock_slow|semacquire|Condvar|pthread_cond|park/i],
  ['copying memory', /memcpy|memmove|memset|memclr/],
  ['system calls', /syscall|__libc_(read|write)|(^|::)(send|recv)(msg|to|from)?$/i],
];

export class View {
  constructor(app, place) {
    this.app = app;
    this.box = h('div', { class: 'overview', tabindex: '0', 'aria-label': 'Overview of the profile' });
    fill(place, this.box);
  }

  show(data) {
    this.data = data;
    if (!data.samples || !data.whole) {
      fill(this.box, h('section', {}, h('p', {}, 'No samples are left; the profile is empty, or a filter takes everything away.')));
      return this.app.remarks(data.remarks);
    }
    fill(this.box,
      h('section', { class: 'what' }, h('h2', {}, 'What it is'), this.what().map(s => h('p', {}, s))),
      h('section', { class: 'picture-of' }, h('h2', {}, `Where ${this.noun()} goes, by package`), this.picture()),
      h('section', {}, h('h2', {}, 'What stands out'), h('ul', { class: 'findings' }, this.findings().map(f => h('li', {}, f)))),
      h('section', {}, h('h2', {}, data.change ? 'What changed most' : 'What costs most'), data.change ? this.changes() : this.heaviest()),
      h('section', {}, h('h2', {}, 'Where it comes from'), h('dl', { class: 'facts' }, this.origin())));
    this.app.remarks(data.remarks);
  }

  noun() {
    const { kind } = this.data;
    if (/cpu|wall|time|delay/.test(kind)) return kind === 'cpu' ? 'CPU time' : `${kind} time`.replace('time time', 'time');
    return kind;
  }

  what() {
    const { data } = this, words = [];
    const spent = /nanosec|microsec|millisec|second/.test(data.unit);
    const kind = h('b', {}, data.kind);
    if (data.change) {
      const { before, after } = data.change;
      words.push([`A comparison of `, kind, `: `, h('b', {}, `${amount(data, before)} before, ${amount(data, after)} after`), ` (${change(before, after)}).`]);
    } else {
      words.push([`A profile of `, kind, `: `, h('b', {}, amount(data, data.whole)), ` in ${count(data.samples)} samples of ${count(data.functions)} functions, stacks up to ${count(data.deepest)} frames deep.`]);
    }
    if (data.duration_nanos > 0) {
      const nanos = { nanoseconds: 1, microseconds: 1e3, milliseconds: 1e6, seconds: 1e9 }[data.unit];
      const cores = spent && nanos ? data.whole * nanos / data.duration_nanos : 0;
      words.push([`Collected for ${amount(TIME, data.duration_nanos)}`, data.legend_time && ` from ${data.legend_time}`,
        cores && data.kind === 'cpu' && !data.change ? `, ${cores.toFixed(2)} processors busy on average.` : '.']);
    } else if (data.legend_time) {
      words.push(`Taken at ${data.legend_time}.`);
    }
    if (data.samples < 100) words.push(`With so few samples, small differences are chance.`);
    return words;
  }

  /** Packages side by side, as wide as they cost. */
  picture() {
    const { data } = this, all = data.packages, shown = all.reduce((sum, [, weight]) => sum + Math.max(0, weight), 0);
    const parts = all.filter(([, weight]) => weight > 0).map(([name, weight, hue]) => ({ name, weight, hue }));
    if (data.whole > shown) parts.push({ name: 'others', weight: data.whole - shown, hue: -1 });
    const part = ({ name, weight, hue }) => {
      const words = `${name}: ${amount(data, weight)}, ${percent(weight, data.whole)}`, width = `${100 * weight / data.whole}%`;
      const style = { width, background: hue < 0 ? 'var(--chosen)' : `hsl(${hue} var(--frame-s) var(--frame-l))` };
      return h('button', { class: weight < THIN * data.whole ? 'block thin' : 'block', style, title: words, 'aria-label': words, onclick: () => this.search(name, hue) },
        h('span', { class: 'ellipsis' }, name), h('small', {}, percent(weight, data.whole)));
    };
    return h('div', { class: 'blocks', role: 'group', 'aria-label': 'Own cost by package' }, parts.map(part));
  }

  /** @param {string} name @param {number} hue */
  search(name, hue) {
    if (hue >= 0) this.app.state.set({ q: exactly(name).slice(0, -1).replace('^', '(^|[<&*_ ])') }, { view: 'flamegraph' });
  }

  findings() {
    const { data } = this, { state } = this.app, found = [];
    const to = (text, changes, view) => h('a', { href: state.link(changes, view), onclick: e => { if (!e.ctrlKey && !e.metaKey) { e.preventDefault(); state.set(changes, { view }); } } }, text);
    const name = text => to(brief(text), { p: exactly(text) }, 'flamegraph');
    const share = value => percent(value, data.whole);
    if (data.path.length) {
      const last = data.path[data.path.length - 1];
      found.push([`Most samples go the same way down to `, name(last[0]), `, which holds ${share(last[1])}`, data.path.length > 1 ? ` (${data.path.length} frames deep).` : '.']);
    }
    const [first] = data.heaviest;
    if (first) found.push([name(first[0]), ` costs most by itself: ${share(first[1])}.`]);
    const alone = data.heaviest.find(([, own, cum]) => own > 0.8 * cum && own > 0.2 * data.whole);
    if (alone && alone !== first) found.push([name(alone[0]), ` does nearly all of its ${share(alone[2])} itself.`]);
    for (const [what, pattern] of KINDS) {
      const hits = data.heaviest.filter(([text]) => pattern.test(text)), sum = hits.reduce((s, [, own]) => s + own, 0);
      if (sum > 0.05 * data.whole) found.push([`At least ${share(sum)} is `, to(what, { q: hits.map(([text]) => exactly(text)).join('|') }, 'flamegraph'), '.']);
    }
    for (const [key, value, weight] of data.labels) {
      if (weight > 0.3 * data.whole) found.push([to(`${key}=${value}`, { tf: `${key}=${/^-?\d/.test(value) ? value : exactly(value)}` }, 'flamegraph'), ` is on ${share(weight)}.`]);
    }
    if (data.unnamed > 0.05 * data.whole) found.push(`${share(data.unnamed)} of the samples go through code without names; binaries with symbols would help.`);
    if (data.deepest >= 500) found.push(`Stacks are up to ${count(data.deepest)} frames deep, which looks like recursion.`);
    return found;
  }

  heaviest() {
    const { data } = this, { state } = this.app;
    const row = ([name, own, cum]) => h('tr', {}, h('td', { class: 'number' }, bar(own / data.whole, amount(data, own))), h('td', { class: 'number dim' }, percent(own, data.whole)),
      h('td', { class: 'number dim' }, amount(data, cum)), h('td', { class: 'name' }, h('a', { href: state.link({ p: exactly(name) }, 'flamegraph'), onclick: e => { if (!e.ctrlKey) { e.preventDefault(); state.set({ p: exactly(name) }, { view: 'flamegraph' }); } } }, brief(name))));
    return h('table', { class: 'calls' }, h('thead', {}, h('tr', {}, ['own', '%', 'with callees', 'function'].map(t => h('th', { scope: 'col' }, t)))), h('tbody', {}, data.heaviest.map(row)));
  }

  changes() {
    const { data } = this;
    const row = ([name, before, after]) => h('tr', {}, h('td', { class: 'number' }, bar((after - before) / data.whole, signed(data, after - before), true)),
      h('td', { class: 'number dim' }, change(before, after)), h('td', { class: 'number dim' }, `${amount(data, before)} → ${amount(data, after)}`), h('td', { class: 'name' }, brief(name)));
    return h('table', { class: 'calls' }, h('tbody', {}, data.change.functions.map(row)));
  }

  origin() {
    const { data } = this, facts = [];
    for (const [file, build] of data.binaries) facts.push(['Binary', build ? `${file} (build ${build})` : file]);
    if (data.period) facts.push(['Sampled', `every ${amount({ ...TIME, units: /second/.test(data.period_type[1]) ? TIME.units : [], unit: data.period_type[1] }, data.period)} of ${data.period_type[0] || data.kind}`]);
    for (const text of data.comments) facts.push(['Comment', text]);
    return facts.map(([term, text]) => [h('dt', {}, term), h('dd', {}, text)]);
  }

  focus() { this.box.focus({ preventScroll: true }); }
}
