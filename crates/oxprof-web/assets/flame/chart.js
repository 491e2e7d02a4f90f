// A flame graph to look at and to move in: a canvas, and what mouse, fingers and keys do to it.

import { Surface } from '../surface.js';
import { ROW, paint } from './paint.js';

/** @typedef {import('./paint.js').Layer} Layer */
/** @typedef {import('./paint.js').Spot} Spot */
/** @typedef {{moved: () => void, zoomed: () => void, chosen: (spot: Spot | null) => void,
 *   hovered: (spot: Spot | null, x: number, y: number) => void, menu: (spot: Spot, x: number, y: number) => void}} Events */

const calm = matchMedia('(prefers-reduced-motion: reduce)');
/** Fingers and hands tremble this much. */
const SLACK = 5;
const LONG_PRESS = 500;

export class Chart extends Surface {
  /** @param {Events} events */
  constructor(events) {
    super('Flame graph. Arrow keys move from frame to frame, Enter zooms in, Escape zooms out, Menu or m opens actions.');
    this.events = events;
    /** @type {import('./paint.js').Scene} */
    this.scene = {
      layers: [], from: 0, to: 1, scroll: 0, width: 1, height: 1, marks: null, chosen: null, hovered: null, colors: null,
    };
    this.whole = 1;
    this.rows = 0;
    this.canvas.addEventListener('contextmenu', e => {
      e.preventDefault();
      this.menu(e);
    });
  }

  /** @param {Layer[]} layers */
  show(layers) {
    this.lay(layers);
    this.scene.chosen = this.scene.hovered = null;
    this.place(0, this.whole);
  }

  /** @param {Layer[]} layers */
  lay(layers) {
    this.scene.layers = layers;
    this.whole = Math.max(layers[0].tree.head.whole, 1);
    this.rows = Math.max(...layers.map(l => l.base + (l.sign > 0 ? l.tree.rows : 1)));
  }

  /** Shows better trees of the same; whoever looks at a frame goes on to look at it. @param {Layer[]} layers */
  replace(layers) {
    const { scene } = this, { from, to, scroll } = scene, before = scene.layers, all = from <= 0 && to >= this.whole;
    this.lay(layers);
    for (const key of /** @type {const} */ (['chosen', 'hovered'])) {
      const spot = scene[key], layer = spot && layers[before.indexOf(spot.layer)];
      scene[key] = spot && layer ? { layer, tree: layer.tree, i: spot.tree.same(spot.i, layer.tree)[1] } : null;
    }
    const [old, { tree }] = [before[0].tree, layers[0]], [i, j] = old.same(old.around(from, to), tree);
    const there = (/** @type {number} */ x) => tree.start[j] + (x - old.start[i]) / old.weight[i] * tree.weight[j];
    if (all || !old.weight[i]) this.place(0, this.whole);
    else this.place(there(from), there(to));
    this.scrollTo(scroll + (layers[0].base - before[0].base) * ROW);
  }

  /** Adds detail to a layer. @param {Layer} layer @param {import('./tree.js').Tree} fine */
  refine(layer, fine) {
    layer.fine = fine;
    this.rows = Math.max(this.rows, layer.base + (layer.sign > 0 ? fine.rows : 1));
    for (const key of /** @type {const} */ (['chosen', 'hovered'])) {
      const spot = this.scene[key];
      // The same frame in the new tree: places do not change with detail.
      if (spot && spot.layer === layer) {
        const i = fine.at(spot.tree.depth[spot.i], spot.tree.start[spot.i]);
        this.scene[key] = i >= 0 ? { layer, tree: fine, i } : spot;
      }
    }
    this.draw();
  }

  render() {
    if (this.scene.layers.length) paint(this.pen, this.scene);
  }

  // --- Where we look -----------------------------------------------------------------------------

  /** @param {number} from @param {number} to */
  place(from, to) {
    const size = Math.min(Math.max(to - from, Math.min(1, this.whole)), this.whole);
    const start = Math.min(Math.max(from, 0), this.whole - size);
    this.scene.from = start;
    this.scene.to = start + size;
    this.draw();
  }

  /** Moves there, so that one sees how. @param {number} from @param {number} to */
  glide(from, to) {
    const { scene } = this, start = [scene.from, scene.to], begun = performance.now();
    const time = calm.matches ? 0 : 180;
    const step = () => {
      const t = Math.min(1, time ? (performance.now() - begun) / time : 1), ease = 1 - (1 - t) ** 3;
      this.place(start[0] + (from - start[0]) * ease, start[1] + (to - start[1]) * ease);
      if (t < 1) requestAnimationFrame(step);
      else this.events.moved();
    };
    step();
  }

  /** @param {number} y */
  scrollTo(y) {
    this.scene.scroll = Math.max(0, Math.min(y, this.rows * ROW - this.scene.height));
    this.draw();
  }

  /** @param {number} factor @param {number} x */
  zoomAt(factor, x) {
    const { from, to, width } = this.scene, size = to - from, at = from + size * x / width;
    this.place(at - (at - from) * factor, at + (to - at) * factor);
    this.events.moved();
  }

  /** Zooms to a frame: a step that one can take back. @param {Spot} spot */
  zoomTo({ tree, i }) {
    this.glide(tree.start[i], tree.start[i] + Math.max(tree.weight[i], 1e-9));
    this.events.zoomed();
  }

  zoomOut() {
    this.glide(0, this.whole);
    this.events.zoomed();
  }

  // --- What is there -----------------------------------------------------------------------------

  /** The frame at a point of the canvas. @param {number} x @param {number} y @returns {Spot | null} */
  at(x, y) {
    const { scene } = this, place = scene.from + (scene.to - scene.from) * x / scene.width;
    const row = Math.floor((y + scene.scroll) / ROW);
    for (const layer of scene.layers) {
      const depth = (row - layer.base) * layer.sign;
      const { fine } = layer;
      const tree = fine && place >= fine.head.window[0] && place < fine.head.window[1] ? fine : layer.tree;
      const i = tree.at(depth, place);
      if (i >= 0) return { layer, tree, i };
    }
    return null;
  }

  /** @param {Spot | null} spot */
  choose(spot) {
    this.scene.chosen = spot;
    if (spot) this.reveal(spot);
    this.events.chosen(spot);
    this.draw();
  }

  /** Scrolls and pans until a frame is seen. @param {Spot} spot */
  reveal({ layer, tree, i }) {
    const { scene } = this, y = (layer.base + layer.sign * tree.depth[i]) * ROW;
    if (y < scene.scroll) this.scrollTo(y);
    if (y + ROW > scene.scroll + scene.height) this.scrollTo(y + ROW - scene.height);
    const { from, to } = scene, start = tree.start[i], end = start + tree.weight[i];
    if (start >= to || end <= from) this.place(start, start + (to - from));
  }

  /** Goes from the chosen frame to one beside it. @param {'in' | 'out' | 'left' | 'right'} where */
  step(where) {
    const { scene } = this, layer = scene.layers[0];
    if (!layer) return;
    const spot = scene.chosen || { layer, tree: layer.fine || layer.tree, i: 0 };
    if (!scene.chosen) return this.choose(spot);
    const { tree, i } = spot;
    const to = next(tree, i, where);
    if (to >= 0) this.choose({ ...spot, i: to });
    else if (i === 0 && where === 'out') this.across(spot);
  }

  /** From the pivot's callees to its callers, or back. @param {Spot} spot */
  across(spot) {
    const other = this.scene.layers.find(layer => layer !== spot.layer);
    const tree = other && (other.fine || other.tree);
    if (other && tree && tree.count > 1) this.choose({ layer: other, tree, i: 1 });
  }

  /** Where a frame is on the page. @param {Spot} spot */
  middle({ layer, tree, i }) {
    const { scene } = this, box = this.canvas.getBoundingClientRect();
    const scale = scene.width / (scene.to - scene.from);
    const left = Math.max(0, (tree.start[i] - scene.from) * scale);
    const y = (layer.base + layer.sign * tree.depth[i]) * ROW - scene.scroll;
    return { x: box.left + Math.min(left + 20, scene.width), y: box.top + y + ROW };
  }

  // --- Hands -------------------------------------------------------------------------------------

  /** @param {WheelEvent} e */
  wheel(e) {
    e.preventDefault();
    const { scene } = this, unit = e.deltaMode === 1 ? ROW : 1;
    if (e.deltaX && !e.ctrlKey) {
      const by = e.deltaX * unit * (scene.to - scene.from) / scene.width;
      this.place(scene.from + by, scene.to + by);
      this.events.moved();
    }
    if (!e.deltaY) return;
    const taller = this.rows * ROW > scene.height;
    if (taller && !e.ctrlKey && !e.metaKey && !e.shiftKey) this.scrollTo(scene.scroll + e.deltaY * unit);
    else this.zoomAt(Math.exp(e.deltaY * unit / (e.ctrlKey ? 150 : 400)), e.offsetX);
    this.hover(this.at(e.offsetX, e.offsetY), e.clientX, e.clientY);
  }

  /** @param {PointerEvent} e */
  press(e) {
    if (e.button !== 0) return;
    this.element.focus({ preventScroll: true });
    this.canvas.setPointerCapture(e.pointerId);
    this.fingers.set(e.pointerId, { x: e.offsetX, y: e.offsetY });
    if (this.fingers.size > 1) this.cancelTap();
    else {
      this.pressed = { x: e.offsetX, y: e.offsetY };
      if (e.pointerType === 'touch') {
        this.timer = setTimeout(() => { this.cancelTap(); this.menu(e); }, LONG_PRESS);
      }
    }
  }

  cancelTap() {
    clearTimeout(this.timer);
    this.pressed = null;
  }

  /** @param {PointerEvent} e */
  move(e) {
    const last = this.fingers.get(e.pointerId);
    if (!last) return this.hover(this.at(e.offsetX, e.offsetY), e.clientX, e.clientY);
    const far = this.pressed && Math.hypot(e.offsetX - this.pressed.x, e.offsetY - this.pressed.y) > SLACK;
    if (far) this.cancelTap();
    if (this.pressed) return;
    this.fingers.set(e.pointerId, { x: e.offsetX, y: e.offsetY });
    const { scene } = this;
    if (this.fingers.size === 1) {
      const by = (last.x - e.offsetX) * (scene.to - scene.from) / scene.width;
      this.place(scene.from + by, scene.to + by);
      this.scrollTo(scene.scroll + last.y - e.offsetY);
    } else {
      const [other] = [...this.fingers].filter(([id]) => id !== e.pointerId).map(([, finger]) => finger);
      const before = Math.max(Math.abs(last.x - other.x), 10), after = Math.max(Math.abs(e.offsetX - other.x), 10);
      this.zoomAt(before / after, (e.offsetX + other.x) / 2);
    }
    this.events.moved();
  }

  /** @param {PointerEvent} e */
  release(e) {
    clearTimeout(this.timer);
    const tapped = this.pressed && this.fingers.size === 1 && e.type === 'pointerup';
    this.fingers.delete(e.pointerId);
    this.pressed = null;
    if (!tapped) return;
    const spot = this.at(e.offsetX, e.offsetY);
    const again = spot && this.scene.chosen && spot.tree === this.scene.chosen.tree && spot.i === this.scene.chosen.i;
    this.choose(spot);
    // One tap of a finger chooses, which a mouse does by hovering.
    if (spot && (e.pointerType !== 'touch' || again)) this.zoomTo(spot);
  }

  /** @param {MouseEvent} e */
  menu(e) {
    const spot = this.at(e.offsetX, e.offsetY);
    if (!spot) return;
    this.choose(spot);
    this.events.menu(spot, e.clientX, e.clientY);
  }

  /** @param {Spot | null} spot @param {number} x @param {number} y */
  hover(spot, x, y) {
    const { scene } = this, before = scene.hovered;
    scene.hovered = spot;
    this.events.hovered(spot, x, y);
    if ((before && before.i) !== (spot && spot.i) || (before && before.tree) !== (spot && spot.tree)) this.draw();
  }

  /** Does what a key stands for; false if it stands for nothing here. @param {string} key */
  key(key) {
    const { scene } = this, size = scene.to - scene.from;
    /** @type {Record<string, () => void>} */
    const acts = {
      ArrowDown: () => this.step(this.down('in')),
      ArrowUp: () => this.step(this.down('out')),
      ArrowLeft: () => this.step('left'),
      ArrowRight: () => this.step('right'),
      Enter: () => scene.chosen && this.zoomTo(scene.chosen),
      Home: () => this.zoomOut(),
      '+': () => this.zoomAt(0.7, scene.width / 2),
      '=': () => this.zoomAt(0.7, scene.width / 2),
      '-': () => this.zoomAt(1 / 0.7, scene.width / 2),
      '[': () => this.pan(-size / 4),
      ']': () => this.pan(size / 4),
      PageDown: () => this.scrollTo(scene.scroll + scene.height * 0.8),
      PageUp: () => this.scrollTo(scene.scroll - scene.height * 0.8),
    };
    if (!acts[key]) return false;
    acts[key]();
    return true;
  }

  /** Down is inwards, unless frames grow upwards. @param {'in' | 'out'} where @returns {'in' | 'out'} */
  down(where) {
    const chosen = this.scene.chosen;
    return chosen && chosen.layer.sign < 0 ? (where === 'in' ? 'out' : 'in') : where;
  }

  /** @param {number} by */
  pan(by) {
    this.place(this.scene.from + by, this.scene.to + by);
    this.events.moved();
  }
}

/**
 * The frame beside another one; −1 if there is none.
 * @param {import('./tree.js').Tree} tree
 * @param {number} i
 * @param {'in' | 'out' | 'left' | 'right'} where
 */
function next(tree, i, where) {
  if (where === 'out') return tree.parent[i];
  if (where === 'in') return i + 1 < tree.count && tree.parent[i + 1] === i ? i + 1 : -1;
  const row = tree.depth[i], position = tree.seek(row, tree.start[i]) + (where === 'left' ? -1 : 1);
  return position >= tree.firsts[row] && position < tree.firsts[row + 1] ? tree.order[position] : -1;
}
