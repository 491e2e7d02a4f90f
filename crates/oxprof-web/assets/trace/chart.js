// The timeline's canvas: where one looks, and what mouse, fingers and keys do to it.

import { Surface } from '../surface.js';
import { MAP, ROW, paint, scale, top } from './paint.js';

/** @typedef {import('./paint.js').Scene} Scene */
/** @typedef {import('./paint.js').Spot} Spot */
/** @typedef {{moved: () => void, hovered: (spot: Spot | null, x: number, y: number) => void, chosen: (spot: Spot | null) => void}} Events */

/** Hands tremble this much. */
const SLACK = 5;
/** Nobody looks closer than this many nanoseconds. */
const CLOSEST = 200;

export class Chart extends Surface {
  /** @param {Events} events */
  constructor(events) {
    super('Timeline. Arrow keys move from slice to slice and lane to lane, Enter zooms to the slice, Escape zooms out, plus and minus zoom, f follows a wake-up to its cause.', 'lanes');
    this.events = events;
    /** @type {Scene} */
    this.scene = { picture: null, map: null, from: 0, to: 1, duration: 1, scroll: 0, width: 1, height: 1, gutter: 170, hovered: null, chosen: null, chain: [], colors: null };
    this.canvas.addEventListener('dblclick', e => {
      const spot = this.at(e.offsetX, e.offsetY);
      if (spot) this.zoomTo(spot);
    });
  }

  /** @param {import('./picture.js').Picture} picture */
  show(picture) {
    const { scene } = this;
    scene.picture = picture;
    scene.hovered = null;
    if (scene.chosen) scene.chosen = again(scene.chosen, picture);
    this.scrollTo(scene.scroll);
  }

  resize() {
    this.scene.gutter = this.element.clientWidth < 600 ? 96 : 190;
    const fits = super.resize();
    if (fits) this.events.moved();
    return fits;
  }

  render() {
    paint(this.pen, this.scene);
  }

  /** @param {number} from @param {number} to */
  place(from, to) {
    const { scene } = this, size = Math.min(Math.max(to - from, CLOSEST), scene.duration);
    scene.from = Math.min(Math.max(from, 0), scene.duration - size);
    scene.to = scene.from + size;
    this.draw();
  }

  /** @param {number} factor @param {number} at pixels */
  zoomAt(factor, at) {
    const { scene } = this, time = scene.from + Math.max(at - scene.gutter, 0) / scale(scene);
    this.place(time - (time - scene.from) * factor, time + (scene.to - time) * factor);
    this.events.moved();
  }

  /** @param {number} share of what is seen */
  pan(share) {
    const { scene } = this, by = (scene.to - scene.from) * share;
    this.place(scene.from + by, scene.to + by);
    this.events.moved();
  }

  /** @param {number} to pixels */
  scrollTo(to) {
    const { scene } = this, before = scene.scroll;
    const most = scene.picture ? scene.picture.head.total * ROW + top(scene) - scene.height + 4 : 0;
    scene.scroll = Math.max(0, Math.min(to, most));
    this.draw();
    if (Math.round(before) !== Math.round(scene.scroll)) this.events.moved();
  }

  /** @param {number} px @param {number} py @returns {Spot | null} */
  at(px, py) {
    const { scene } = this, { picture } = scene;
    if (!picture || py < top(scene)) return null;
    const lane = Math.floor((py - top(scene) + scene.scroll) / ROW) - picture.head.first;
    if (lane < 0 || lane >= picture.head.lanes.length || px < scene.gutter) return null;
    const time = scene.from + (px - scene.gutter) / scale(scene);
    const near = 3 / scale(scene);
    const slice = picture.at(lane, time) || picture.at(lane, time + near) || picture.at(lane, time - near);
    return slice && { picture, slice };
  }

  /** @param {Spot | null} spot */
  choose(spot) {
    this.scene.chosen = spot;
    this.events.chosen(spot);
    this.draw();
  }

  /** Chooses, and moves there if need be. @param {Spot} spot */
  reveal(spot) {
    const { scene } = this, { slice } = spot, size = scene.to - scene.from;
    if (slice.end < scene.from || slice.start > scene.to) this.place(slice.start - size / 3, slice.start + size * 2 / 3);
    const row = (spot.picture.head.first + slice.lane) * ROW, room = scene.height - top(scene);
    if (row < scene.scroll) this.scrollTo(row);
    else if (row + ROW > scene.scroll + room) this.scrollTo(row + ROW - room);
    this.choose(spot);
    this.events.moved();
  }

  // --- Hands -------------------------------------------------------------------------------------

  /** @param {WheelEvent} e */
  wheel(e) {
    e.preventDefault();
    const { scene } = this, unit = e.deltaMode === 1 ? ROW : 1;
    if (e.deltaX && !e.ctrlKey) this.pan(e.deltaX * unit / scene.width);
    if (!e.deltaY) return;
    const onLabels = e.offsetX < scene.gutter;
    if (onLabels || e.shiftKey) this.scrollTo(scene.scroll + e.deltaY * unit);
    else this.zoomAt(Math.exp(e.deltaY * unit / (e.ctrlKey ? 150 : 300)), e.offsetX);
  }

  /** @param {PointerEvent} e */
  press(e) {
    if (e.button !== 0) return;
    this.element.focus({ preventScroll: true });
    this.canvas.setPointerCapture(e.pointerId);
    const place = { x: e.offsetX, y: e.offsetY };
    this.fingers.set(e.pointerId, place);
    this.pressed = this.fingers.size === 1 ? place : null;
    this.onMap = this.fingers.size === 1 && e.offsetY < MAP;
    if (this.onMap) this.center(e.offsetX);
  }

  /** Goes where the small picture of the whole is pointed at. @param {number} px */
  center(px) {
    const { scene } = this, time = px / scene.width * scene.duration, half = (scene.to - scene.from) / 2;
    this.place(time - half, time + half);
    this.events.moved();
  }

  /** @param {PointerEvent} e */
  move(e) {
    const last = this.fingers.get(e.pointerId);
    if (!last) return this.hover(this.at(e.offsetX, e.offsetY), e.clientX, e.clientY);
    if (this.onMap) return this.center(e.offsetX);
    if (this.pressed && Math.hypot(e.offsetX - this.pressed.x, e.offsetY - this.pressed.y) > SLACK) this.pressed = null;
    if (this.pressed) return;
    this.fingers.set(e.pointerId, { x: e.offsetX, y: e.offsetY });
    const { scene } = this;
    if (this.fingers.size === 1) {
      const by = (last.x - e.offsetX) / scale(scene);
      this.place(scene.from + by, scene.to + by);
      this.scrollTo(scene.scroll + last.y - e.offsetY);
      this.events.moved();
    } else {
      const [other] = [...this.fingers].filter(([id]) => id !== e.pointerId).map(([, finger]) => finger);
      const before = Math.max(Math.abs(last.x - other.x), 10), after = Math.max(Math.abs(e.offsetX - other.x), 10);
      this.zoomAt(before / after, (e.offsetX + other.x) / 2);
    }
  }

  /** @param {PointerEvent} e */
  release(e) {
    const tapped = this.pressed && !this.onMap && this.fingers.size === 1 && e.type === 'pointerup';
    this.fingers.delete(e.pointerId);
    this.pressed = null;
    if (tapped) this.choose(this.at(e.offsetX, e.offsetY));
  }

  /** @param {Spot | null} spot @param {number} px @param {number} py */
  hover(spot, px, py) {
    const { scene } = this, changed = scene.hovered?.slice !== spot?.slice;
    scene.hovered = spot;
    this.events.hovered(spot, px, py);
    if (changed) this.draw();
  }

  /** @param {Spot} spot */
  zoomTo({ slice }) {
    const size = Math.max(slice.end - slice.start, CLOSEST);
    this.place(slice.start - size * 0.1, slice.end + size * 0.1);
    this.events.moved();
  }

  // --- Keys --------------------------------------------------------------------------------------

  /** Does what a key stands for; false if it stands for nothing here. @param {string} key */
  key(key) {
    const { scene } = this, middle = (scene.gutter + scene.width) / 2, room = scene.height - top(scene);
    /** @type {Record<string, () => void>} */
    const acts = {
      ArrowLeft: () => this.step(-1), ArrowRight: () => this.step(1),
      ArrowUp: () => this.change(-1), ArrowDown: () => this.change(1),
      Enter: () => scene.chosen && this.zoomTo(scene.chosen),
      Home: () => { this.place(0, scene.duration); this.events.moved(); },
      '+': () => this.zoomAt(0.6, middle), '=': () => this.zoomAt(0.6, middle), w: () => this.zoomAt(0.6, middle),
      '-': () => this.zoomAt(1 / 0.6, middle), s: () => this.zoomAt(1 / 0.6, middle),
      '[': () => this.pan(-0.25), a: () => this.pan(-0.25),
      ']': () => this.pan(0.25), d: () => this.pan(0.25),
      PageDown: () => this.scrollTo(scene.scroll + room * 0.8), PageUp: () => this.scrollTo(scene.scroll - room * 0.8),
    };
    if (!acts[key]) return false;
    acts[key]();
    return true;
  }

  /** To the next slice on the lane, or the one before. @param {number} by */
  step(by) {
    const { picture, chosen, from } = this.scene;
    if (!picture) return;
    if (!chosen) return this.enter(0, from);
    const { slice } = chosen, all = picture.on(slice.lane).filter(s => !s.inner);
    const next = by > 0 ? all.find(s => s.start >= slice.end - 1e-3 && s !== slice) : all.filter(s => s.end <= slice.start + 1e-3).pop();
    if (next) this.reveal({ picture, slice: next });
    else this.pan(by * 0.25);
  }

  /** To another lane. @param {number} by */
  change(by) {
    const { picture, chosen, from, to } = this.scene;
    if (!picture) return;
    if (!chosen) return this.enter(0, from);
    const time = Math.min(Math.max((chosen.slice.start + chosen.slice.end) / 2, from), to);
    this.enter(chosen.slice.lane + by, time, by);
  }

  /** Chooses on a lane what is nearest to a time. @param {number} lane @param {number} time @param {number} [by] where to go on if there is nothing */
  enter(lane, time, by = 1) {
    const { picture } = this.scene;
    for (; lane >= 0 && lane < picture.head.lanes.length; lane += by) {
      const all = picture.on(lane).filter(s => !s.inner), far = s => (s.start > time ? s.start - time : Math.max(0, time - s.end));
      if (all.length) return this.reveal({ picture, slice: all.reduce((best, s) => (far(s) < far(best) ? s : best)) });
    }
  }
}

/** The same thing in another picture. @param {Spot} spot @param {import('./picture.js').Picture} picture @returns {Spot} */
function again(spot, picture) {
  const { kind, id } = spot.picture.head.lanes[spot.slice.lane], lane = picture.lane(kind, id);
  if (lane < 0) return spot;
  const middle = (Math.max(spot.slice.start, picture.head.from) + Math.min(spot.slice.end, picture.head.to)) / 2;
  const slice = picture.at(lane, middle, spot.slice.inner);
  return slice ? { picture, slice } : spot;
}
