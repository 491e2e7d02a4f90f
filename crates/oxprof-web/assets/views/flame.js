// The flame graph: from the root, from the leaves, or around one function.

import { debounce, fill, h } from '../dom.js';
import { amount, percent, signed } from '../format.js';
import { Chart } from '../flame/chart.js';
import { change, colors } from '../flame/colors.js';
import { Tree } from '../flame/tree.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {import('../flame/paint.js').Layer} Layer */
/** @typedef {import('../flame/paint.js').Spot} Spot */

export const title = 'Flame graph';

/** Detail is asked for once the window is so much smaller than what is known in detail. */
const FINER = 0.5;

/** The trees of the picture. Of many samples, some are counted first. @param {App} app @param {boolean} [draft] */
export async function load({ state, api }, draft = true) {
  const base = state.options(['p']), pivot = state.get('p');
  base.set('px', String(pixels()));
  if (draft) base.set('draft', 't');
  const ask = async dir => {
    const params = new URLSearchParams(base);
    if (dir === 'out') params.set('dir', dir);
    return new Tree(await api.bytes('api/flame', params));
  };
  if (pivot) return Promise.all([ask('in'), ask('out')]);
  return [await ask(state.get('dir') || 'in')];
}

/** As many pixels as the screen may have, in steps, so that replies are the same for windows of about a size. */
function pixels() {
  return Math.ceil(innerWidth * (devicePixelRatio || 1) / 1024) * 1024;
}

export class View {
  /** @param {App} app @param {HTMLElement} place */
  constructor(app, place) {
    this.app = app;
    this.tip = h('div', { class: 'tip', hidden: true });
    this.tools = h('div', { class: 'tools' });
    this.chart = new Chart({
      moved: debounce(120, () => this.moved()),
      zoomed: () => { this.step = true; },
      chosen: spot => this.app.choose(spot && this.describe(spot)),
      hovered: (spot, x, y) => this.hover(spot, x, y),
      menu: (spot, x, y) => {
        this.tip.hidden = true;
        this.app.menu(this.target(spot), x, y);
      },
    });
    fill(place, this.tools, this.chart.element, this.tip);
    this.chart.resize();
  }

  /** @param {Tree[]} trees */
  show(trees) {
    const layers = this.layers(trees), [{ tree, base }, outwards] = layers;
    this.chart.show(layers);
    this.window();
    if (outwards) this.chart.scrollTo((base - 4) * 20 - this.chart.scene.height / 2);
    this.app.remarks(tree.head.remarks);
    if (tree.head.every > 1) this.complete(trees);
    else this.refine();
    if (tree.head.whole === 0) this.app.empty('No samples are left; remove a filter.');
  }

  /** @param {Tree[]} trees @returns {Layer[]} */
  layers(trees) {
    const { state } = this.app, [inwards, outwards] = trees, base = outwards ? Math.max(outwards.rows - 1, 0) : 0;
    this.trees = trees;
    this.chart.element.setAttribute('aria-busy', String(inwards.head.every > 1));
    this.recolor();
    const layer = { tree: inwards, fine: null, sign: /** @type {const} */ (1), base, dir: outwards ? 'in' : state.get('dir') || 'in' };
    return outwards ? [layer, { tree: outwards, fine: null, sign: -1, base, dir: 'out' }] : [layer];
  }

  /** Puts the whole in place of a draft. @param {Tree[]} draft */
  async complete(draft) {
    const { app, chart, chart: { scene } } = this, { from, to } = scene;
    app.say(`A first picture, of one sample in ${draft[0].head.every}. Counting all of them …`);
    // They are counted as soon as it is seen: here and in the server there may be few processors.
    await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    if (this.trees !== draft) return;
    try {
      const trees = await load(app, false);
      if (this.trees !== draft) return;
      const still = scene.from === from && scene.to === to;
      chart.replace(this.layers(trees));
      if (still) this.window();
      this.moved();
      if (!this.tip.hidden) this.hover(scene.hovered, ...this.pointer);
      app.say(scene.chosen ? this.describe(scene.chosen) : 'All samples are counted.');
    } catch (error) {
      if (this.trees === draft) app.fail(error);
    }
  }

  /** Goes where the address says. */
  window() {
    const [from, to] = this.app.state.get('z').split('.').map(Number);
    if (to > from) this.chart.place(from, to);
    else this.chart.place(0, this.chart.whole);
  }

  /** The address has changed in something that only this page knows. */
  update() {
    const { scene } = this.chart;
    const [from, to] = this.app.state.get('z').split('.').map(Number);
    const there = to > from ? [from, to] : [0, this.chart.whole];
    if (Math.round(scene.from) !== there[0] || Math.round(scene.to) !== there[1]) this.chart.glide(there[0], there[1]);
    this.recolor();
  }

  recolor() {
    const { theme, scheme, state } = this.app;
    this.chart.scene.colors = colors(theme(), scheme(), state.get('dm'));
    this.chart.draw();
    if (this.trees) this.toolbar(this.trees[0]);
  }

  /** @param {Set<number> | null} ids */
  mark(ids) {
    this.chart.scene.marks = ids;
    this.chart.draw();
  }

  /** @param {Tree} tree */
  toolbar(tree) {
    const { state } = this.app, pivot = state.get('p'), dir = state.get('dir');
    const choice = (text, changes, on, hint) => h('button', {
      class: 'choice', 'aria-pressed': String(on), title: hint, onclick: () => state.set(changes),
    }, text);
    fill(this.tools,
      h('div', { class: 'choices', role: 'group', 'aria-label': 'Direction' },
        choice('From the root', { dir: null, p: null }, !pivot && dir !== 'out', 'Callers above their callees (r)'),
        choice('From the leaves', { dir: 'out', p: null }, !pivot && dir === 'out', 'What costs, and who calls it (v)'),
        pivot && choice('Around', { p: pivot }, true, pivot)),
      pivot && h('span', { class: 'dim ellipsis' }, 'callers above, callees below ', h('b', {}, pivot)),
      tree.head.difference && this.legend(),
      h('span', { class: 'spacer' }),
      h('button', { class: 'plain', title: 'Show everything (Home)', onclick: () => this.chart.zoomOut() }, 'Reset zoom'),
      h('span', { class: 'dim' }, `${about(tree)}${amount(tree.head, tree.head.whole)} in all`,
        tree.head.difference ? ' of change and base' : '', about(tree) && ' · counting …'));
  }

  legend() {
    const { state, theme } = this.app, mode = state.get('dm') || 'rel';
    const choice = (text, value, hint) => h('button', {
      class: 'choice', 'aria-pressed': String(mode === value), title: hint,
      onclick: () => state.set({ dm: value === 'rel' ? null : value }),
    }, text);
    return [h('div', { class: 'choices', role: 'group', 'aria-label': 'Colours of changes' },
      choice('Relative', 'rel', 'Colour by the change of each frame'),
      choice('Absolute', 'abs', 'Colour by the change as a part of the whole')),
    [['less', -1], ['same', 0], ['more', 1]].map(([word, share]) =>
      h('span', { class: 'key' }, h('i', { style: { background: change(share, theme()) } }), word))];
  }

  // --- Detail ------------------------------------------------------------------------------------

  moved() {
    const { from, to } = this.chart.scene, all = from <= 0 && to >= this.chart.whole;
    const z = all ? null : `${Math.round(from)}.${Math.round(to)}`;
    if (this.step) {
      this.step = false;
      this.app.state.set({ z });
    } else {
      this.app.state.note({ z });
    }
    this.refine();
  }

  /** Asks for what has come into sight. */
  refine() {
    const { from, to, layers } = this.chart.scene;
    // Places in a draft are not those of the whole, which is on its way.
    if (layers[0].tree.head.every > 1) return;
    for (const layer of layers) {
      const known = layer.fine && covers(layer.fine, from, to) ? layer.fine : layer.tree;
      const [a, b] = known.head.window;
      if ((to - from) > (b - a) * FINER || !known.head.dropped) continue;
      // A little around it, too, so that small moves need nothing.
      const margin = (to - from) / 2;
      this.fetch(layer, Math.max(0, Math.floor(from - margin)), Math.min(this.chart.whole, Math.ceil(to + margin)));
    }
  }

  /** @param {Layer} layer @param {number} from @param {number} to */
  async fetch(layer, from, to) {
    const params = this.app.state.options(['p']);
    params.set('px', String(2 * pixels()));
    if (layer.dir === 'out') params.set('dir', 'out');
    params.set('from', String(from));
    params.set('to', String(to));
    try {
      const fine = new Tree(await this.app.api.bytes('api/flame', params));
      if (this.chart.scene.layers.includes(layer)) this.chart.refine(layer, fine);
    } catch (error) {
      this.app.fail(error);
    }
  }

  // --- Words -------------------------------------------------------------------------------------

  /** @param {Spot} spot */
  describe({ tree, i }) {
    const { head } = tree, name = tree.text(i);
    if (head.difference) {
      const before = (tree.weight[i] - tree.net[i]) / 2, after = (tree.weight[i] + tree.net[i]) / 2;
      // Some samples do not tell that there are no others.
      const what = about(tree) || (before === 0 ? 'new, ' : after === 0 ? 'gone, ' : '');
      return `${name}: ${what}${amount(head, before)} → ${amount(head, after)} (${signed(head, tree.net[i])}, `
        + `${percent(tree.net[i], head.total)} of the base)`;
    }
    const own = tree.own[i] ? `, itself ${amount(head, tree.own[i])} (${percent(tree.own[i], head.total)})` : '';
    const caller = tree.parent[i] > 0 ? `, ${percent(tree.weight[i], tree.weight[tree.parent[i]])} of ${tree.text(tree.parent[i])}` : '';
    return `${name}: ${about(tree)}${amount(head, tree.weight[i])} (${percent(tree.weight[i], head.total)})${own}${caller}`;
  }

  /** What actions are about. @param {Spot} spot */
  target(spot) {
    const { tree, i, layer } = spot;
    const stack = tree.stack(i);
    return {
      name: i ? tree.text(i) : '',
      stack: layer.dir === 'out' ? stack.reverse() : stack,
      zoom: () => this.chart.zoomTo(spot),
    };
  }

  /** @param {Spot | null} spot @param {number} x @param {number} y */
  hover(spot, x, y) {
    this.pointer = [x, y];
    this.tip.hidden = !spot;
    if (!spot) return;
    const text = this.describe(spot), colon = text.lastIndexOf(': ', text.length);
    fill(this.tip, h('b', {}, text.slice(0, Math.min(colon, 400))), h('div', {}, text.slice(colon + 2, colon + 402)));
    const right = x > innerWidth / 2, low = y > innerHeight / 2;
    Object.assign(this.tip.style, {
      left: right ? '' : `${x + 14}px`, right: right ? `${innerWidth - x + 14}px` : '',
      top: low ? '' : `${y + 16}px`, bottom: low ? `${innerHeight - y + 12}px` : '',
    });
  }

  /** What is chosen, for keys that act on it. */
  chosen() {
    const { chosen } = this.chart.scene;
    return chosen && { ...this.target(chosen), at: this.chart.middle(chosen) };
  }

  /** @param {string} key */
  key(key) {
    const { state } = this.app;
    if (key === 'v') state.set({ dir: 'out', p: null });
    else if (key === 'r') state.set({ dir: null, p: null });
    else if (key === 'Escape' || key === 'Backspace') this.back();
    else return this.chart.key(key);
    return true;
  }

  back() {
    const { state } = this.app;
    if (this.chart.scene.to - this.chart.scene.from < this.chart.whole) this.chart.zoomOut();
    else if (state.get('p')) state.set({ p: null });
    else this.chart.choose(null);
  }

  focus() {
    this.chart.element.focus({ preventScroll: true });
  }

  /** The picture as it is seen. @returns {Promise<Blob | null>} */
  picture() {
    return new Promise(done => this.chart.canvas.toBlob(done, 'image/png'));
  }

  close() {
    this.trees = null;
    this.chart.close();
    this.tip.remove();
  }
}

/** What stands before numbers that are estimates. @param {Tree} tree */
const about = tree => (tree.head.every > 1 ? 'about ' : '');

/** @param {Tree} tree @param {number} from @param {number} to */
const covers = (tree, from, to) => tree.head.window[0] <= from && tree.head.window[1] >= to;

