// Painting lanes on a canvas: only those that are seen, only what is as wide as a pixel.

import { fit } from '../flame/paint.js';
import { laneName, moment, name } from './words.js';

export const ROW = 22, AXIS = 22, MAP = 30;
const STRIP = 34;
const FONT = '12px system-ui, sans-serif';

/** @typedef {import('./picture.js').Picture} Picture */
/** @typedef {import('./picture.js').Slice} Slice */
/** @typedef {{picture: Picture, slice: Slice}} Spot */
/** @typedef {{picture: Picture | null, map: Picture | null, from: number, to: number, duration: number, scroll: number, width: number,
 *   height: number, gutter: number, hovered: Spot | null, chosen: Spot | null, chain: {go: number, start: number, end: number}[],
 *   colors: ReturnType<typeof palette>}} Scene */

/** @param {string} theme */
export function palette(theme) {
  const common = {
    light: { paper: '#fff', soft: '#f4f5f7', ink: '#16181d', dim: '#5b6270', line: '#d5d9e0', mark: '#1a5fd0', s: 58, l: 76,
      running: '#58b888', runnable: '#f2b134', waiting: '#d3dae4', syscall: '#a78bd8', range: '#e08a9c', other: '#b8c0cc', call: '#7e5bbf' },
    dark: { paper: '#14161a', soft: '#1d2026', ink: '#eceff3', dim: '#9aa3b2', line: '#363c47', mark: '#7db0ff', s: 38, l: 36,
      running: '#2c8a5b', runnable: '#b37f16', waiting: '#2c323d', syscall: '#6d55a3', range: '#9a4558', other: '#4a5160', call: '#9c80d6' },
    contrast: { paper: '#000', soft: '#000', ink: '#fff', dim: '#fff', line: '#fff', mark: '#ff0', s: 100, l: 24,
      running: '#006b3a', runnable: '#8a5c00', waiting: '#333', syscall: '#5a2ca0', range: '#8f1f3b', other: '#444', call: '#b48cff' },
  }[theme];
  /** @type {Map<string, string>} */
  const known = new Map();
  /** The colour of a kind of thing. @param {string} kind @param {string} text */
  const of = (kind, text) => {
    if (kind !== 'function') return common[kind] || common.other;
    let color = known.get(text);
    if (!color) known.set(text, color = `hsl(${hue(text)} ${common.s}% ${common.l}%)`);
    return color;
  };
  return { ...common, of };
}

/** @param {string} text */
function hue(text) {
  let hash = 7;
  for (let i = 0; i < text.length; i++) hash = (hash * 31 + text.charCodeAt(i)) >>> 0;
  return (hash * 137) % 360;
}

/** Where lanes begin. @param {Scene} scene */
export const top = scene => MAP + AXIS + strips(scene).length * STRIP;

/** Pictures of numbers above the lanes. @param {Scene} scene @returns {string[][]} */
function strips({ picture, height }) {
  if (!picture || height < 320) return [];
  const has = names => names.filter(name => picture.counters.has(name));
  return [has(['running', 'runnable', 'syscall']), has(['heap', 'goal'])].filter(names => names.length);
}

/** @param {CanvasRenderingContext2D} pen @param {Scene} scene */
export function paint(pen, scene) {
  const { colors, width, height } = scene;
  pen.font = FONT;
  pen.textBaseline = 'middle';
  pen.fillStyle = colors.paper;
  pen.fillRect(0, 0, width, height);
  if (!scene.picture) return;
  paintLanes(pen, scene);
  paintChain(pen, scene);
  paintArrows(pen, scene);
  outline(pen, scene, scene.hovered, 1);
  outline(pen, scene, scene.chosen, 2);
  paintLabels(pen, scene);
  pen.fillStyle = colors.paper;
  pen.fillRect(0, 0, width, top(scene));
  paintMap(pen, scene);
  paintAxis(pen, scene);
  strips(scene).forEach((names, i) => paintStrip(pen, scene, names, MAP + AXIS + i * STRIP));
}

/** @param {Scene} scene */
export const scale = scene => (scene.width - scene.gutter) / (scene.to - scene.from);
/** @param {Scene} scene @param {number} time */
export const x = (scene, time) => scene.gutter + (time - scene.from) * scale(scene);
/** @param {Scene} scene @param {number} lane position among those of the picture */
export const y = (scene, lane) => top(scene) + (scene.picture.head.first + lane) * ROW - scene.scroll;

/** @param {CanvasRenderingContext2D} pen @param {Scene} scene */
function paintLanes(pen, scene) {
  const { picture, colors } = scene, { lanes } = picture.head;
  for (let lane = 0; lane < lanes.length; lane++) {
    const row = y(scene, lane);
    if (row > scene.height || row + ROW < 0) continue;
    if ((picture.head.first + lane) % 2) {
      pen.fillStyle = colors.soft;
      pen.fillRect(scene.gutter, row, scene.width, ROW);
    }
    if (picture.cells) paintCells(pen, scene, lane, row);
    else paintSlices(pen, scene, lane, row);
  }
  paintInstants(pen, scene);
}

/** Stretches: as high as they are busy. @param {CanvasRenderingContext2D} pen @param {Scene} scene @param {number} lane @param {number} row */
function paintCells(pen, scene, lane, row) {
  const { picture, colors } = scene, { columns, from, to, legend } = picture.head;
  const step = (to - from) / columns, cells = picture.cells;
  const first = Math.max(0, Math.floor((scene.from - from) / step)), last = Math.min(columns, Math.ceil((scene.to - from) / step));
  for (let i = first; i < last;) {
    const cell = cells[lane * columns + i];
    let end = i + 1;
    while (end < last && cells[lane * columns + end] === cell) end++;
    if (cell) {
      const [kind, text] = legend[cell >>> 16], busy = (cell & 255) / 255, high = Math.max(2, Math.round(busy * (ROW - 3)));
      pen.fillStyle = colors.of(kind, text);
      const left = Math.round(x(scene, from + i * step)), right = Math.round(x(scene, from + end * step));
      pen.fillRect(left, row + ROW - 1 - high, Math.max(right - left, 1), high);
    }
    i = end;
  }
}

/** @param {CanvasRenderingContext2D} pen @param {Scene} scene @param {number} lane @param {number} row */
function paintSlices(pen, scene, lane, row) {
  const { picture, colors } = scene, many = scale(scene);
  let painted = -1;
  const draw = (slice, i) => {
    const left = scene.gutter + (slice.start - scene.from) * many, right = scene.gutter + (slice.end - scene.from) * many;
    if (right < scene.gutter || left > scene.width) return;
    // What is within one pixel is one to the eye.
    if (!slice.inner && right < painted + 0.3) return;
    const { kind, text } = picture.what(slice), from = Math.max(left, scene.gutter), wide = Math.max(Math.min(right, scene.width) - from, 0.6);
    pen.fillStyle = colors.of(kind, text);
    if (slice.inner) pen.fillRect(from, row + ROW - 7, wide, 5);
    else {
      pen.fillRect(from, row + 2, wide > 2 ? wide - 0.5 : wide, ROW - 3);
      painted = from + wide;
      if (wide > 30) {
        const label = kind === 'function' && slice.go >= 0 ? `${slice.go} ${text}` : name({ kind, text });
        pen.fillStyle = colors.ink;
        pen.fillText(fit(pen, label, wide - 8), from + 4, row + ROW / 2);
      }
    }
  };
  const slices = picture.on(lane);
  slices.forEach((slice, i) => { if (!slice.inner) draw(slice, i); });
  slices.forEach((slice, i) => { if (slice.inner) draw(slice, i); });
}

/** @param {CanvasRenderingContext2D} pen @param {Scene} scene */
function paintInstants(pen, scene) {
  const { picture, colors } = scene;
  for (let i = 0; i < picture.head.instants; i++) {
    const [lane, legend] = picture.instants.subarray(3 * i, 3 * i + 2), at = x(scene, picture.instantTimes[i]);
    const kind = picture.head.legend[legend][0];
    if (at < scene.gutter || at > scene.width || kind.startsWith('proc')) continue;
    const row = y(scene, lane);
    pen.fillStyle = kind === 'log' ? colors.mark : colors.dim;
    pen.beginPath();
    pen.moveTo(at - 3, row + 1);
    pen.lineTo(at + 3, row + 1);
    pen.lineTo(at, row + 7);
    pen.fill();
  }
}

/** Wake-ups: those of the goroutine that is pointed at or chosen. @param {CanvasRenderingContext2D} pen @param {Scene} scene */
function paintArrows(pen, scene) {
  const { picture, colors } = scene;
  const about = [scene.chosen, scene.hovered].map(spot => (spot ? spot.slice.go : -1)).filter(go => go >= 0);
  if (!about.length || !picture.head.arrows) return;
  pen.strokeStyle = pen.fillStyle = colors.mark;
  pen.lineWidth = 1.3;
  for (let i = 0; i < picture.head.arrows; i++) {
    const arrow = picture.arrow(i);
    if (arrow.cause < 0 || !about.some(go => go === arrow.woken || go === arrow.by)) continue;
    const [left, right] = [x(scene, arrow.from), x(scene, arrow.to)];
    if (right < scene.gutter || left > scene.width) continue;
    const [begin, end] = [y(scene, arrow.cause) + ROW / 2, y(scene, arrow.lane) + ROW / 2];
    pen.beginPath();
    pen.moveTo(left, begin);
    pen.bezierCurveTo(left + 12, begin, right - 12, end, right, end);
    pen.stroke();
    pen.beginPath();
    pen.moveTo(right, end);
    pen.lineTo(right - 6, end - 3);
    pen.lineTo(right - 6, end + 3);
    pen.fill();
  }
}

/** What something waited for: a line from lane to lane. @param {CanvasRenderingContext2D} pen @param {Scene} scene */
function paintChain(pen, scene) {
  if (!scene.chain.length) return;
  pen.strokeStyle = scene.colors.mark;
  pen.lineWidth = 3;
  pen.globalAlpha = 0.8;
  pen.beginPath();
  for (const link of scene.chain) {
    const lane = scene.picture.lane('goroutine', link.go);
    if (lane < 0) continue;
    const row = y(scene, lane) + ROW - 2;
    pen.lineTo(x(scene, link.start), row);
    pen.lineTo(x(scene, link.end), row);
  }
  pen.stroke();
  pen.globalAlpha = 1;
}

/** @param {CanvasRenderingContext2D} pen @param {Scene} scene */
function paintLabels(pen, scene) {
  const { picture, colors, gutter } = scene;
  pen.fillStyle = colors.paper;
  pen.fillRect(0, 0, gutter, scene.height);
  pen.fillStyle = colors.line;
  pen.fillRect(gutter - 1, 0, 1, scene.height);
  picture.head.lanes.forEach((lane, i) => {
    const row = y(scene, i);
    if (row > scene.height || row + ROW < 0) return;
    pen.fillStyle = lane.kind === 'goroutine' || lane.kind === 'proc' || lane.kind === 'thread' ? colors.ink : colors.dim;
    pen.fillText(label(pen, lane, gutter - 12), 6, row + ROW / 2);
  });
}

/** A lane's name, where the number stays whatever the room. @param {CanvasRenderingContext2D} pen @param {import('./picture.js').Head['lanes'][0]} lane @param {number} room */
function label(pen, lane, room) {
  if (lane.kind === 'proc' && room < 110) return `P${lane.id}`;
  if (lane.kind !== 'goroutine' || !lane.function) return fit(pen, laneName(lane), room);
  const number = `${lane.id} `;
  return number + fit(pen, lane.function, room - pen.measureText(number).width);
}

/** @param {CanvasRenderingContext2D} pen @param {Scene} scene */
function paintAxis(pen, scene) {
  const { colors, from, to, width, gutter } = scene, span = to - from;
  const rough = span / Math.max(2, (width - gutter) / 110), power = 10 ** Math.floor(Math.log10(Math.max(rough, 1)));
  const step = power * ([1, 2, 5, 10].find(m => m * power >= rough) || 10);
  pen.fillStyle = colors.dim;
  for (let t = Math.ceil(from / step) * step; t <= to; t += step) {
    const at = x(scene, t);
    pen.fillStyle = colors.line;
    pen.fillRect(at, MAP + AXIS - 6, 1, 6);
    pen.fillStyle = colors.dim;
    if (at + 70 < width) pen.fillText(moment(t, step), at + 4, MAP + AXIS / 2);
  }
  pen.fillStyle = colors.line;
  pen.fillRect(0, MAP + AXIS - 1, width, 1);
}

/** The whole trace, and where we are in it. @param {CanvasRenderingContext2D} pen @param {Scene} scene */
function paintMap(pen, scene) {
  const { map, colors, width, duration } = scene;
  pen.fillStyle = colors.soft;
  pen.fillRect(0, 0, width, MAP - 2);
  const values = map && (map.counters.get('running') || map.counters.get('procs'));
  if (values) {
    let most = 1;
    for (const value of values) most = Math.max(most, value);
    pen.fillStyle = colors.running;
    const step = width * (map.head.duration / Math.max(duration, 1)) / values.length;
    for (let i = 0; i < values.length; i++) {
      const high = values[i] / most * (MAP - 6);
      const left = Math.round(i * step);
      pen.fillRect(left, MAP - 3 - high, Math.max(Math.round((i + 1) * step) - left, 1), high);
    }
  }
  const left = scene.from / duration * width, right = scene.to / duration * width;
  pen.globalAlpha = 0.5;
  pen.fillStyle = colors.paper;
  pen.fillRect(0, 0, left, MAP);
  pen.fillRect(right, 0, width - right, MAP);
  pen.globalAlpha = 1;
  pen.strokeStyle = colors.mark;
  pen.lineWidth = 1.5;
  pen.strokeRect(left + 0.75, 0.75, Math.max(right - left - 1.5, 2), MAP - 3);
}

/** Numbers over time: stacked if they are of one kind. @param {CanvasRenderingContext2D} pen @param {Scene} scene @param {string[]} names @param {number} row */
function paintStrip(pen, scene, names, row) {
  const { picture, colors, gutter } = scene, { columns, from, to } = picture.head, heap = names[0] === 'heap';
  const all = names.map(name => picture.counters.get(name)), step = (to - from) / columns;
  let most = 1;
  for (let i = 0; i < columns; i++) most = Math.max(most, heap ? Math.max(...all.map(v => v[i])) : all.reduce((sum, v) => sum + v[i], 0));
  const high = STRIP - 6;
  for (let i = Math.max(0, Math.floor((scene.from - from) / step)); i < Math.min(columns, Math.ceil((scene.to - from) / step)); i++) {
    const left = Math.max(Math.round(x(scene, from + i * step)), gutter), wide = Math.max(Math.round(x(scene, from + (i + 1) * step)) - left, 1);
    let base = row + STRIP - 2;
    names.forEach((name, k) => {
      const size = all[k][i] / most * high;
      pen.fillStyle = heap ? (name === 'goal' ? colors.dim : colors.other) : colors[name];
      if (name === 'goal') pen.fillRect(left, row + STRIP - 2 - size, wide, 1);
      else pen.fillRect(left, base - size, wide, size);
      base -= heap ? 0 : size;
    });
  }
  pen.fillStyle = colors.paper;
  pen.fillRect(0, row, gutter, STRIP);
  pen.fillStyle = colors.dim;
  const title = heap ? `Heap ≤ ${bytes(most)}` : gutter < 120 ? `Active ≤ ${Math.round(most)}` : `Active goroutines ≤ ${Math.round(most)}`;
  pen.fillText(title, 6, row + STRIP / 2, gutter - 12);
  pen.fillStyle = colors.line;
  pen.fillRect(0, row + STRIP - 1, scene.width, 1);
}

/** @param {number} value */
function bytes(value) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let i = 0;
  for (; value >= 1024 && i < 4; i++) value /= 1024;
  return `${value.toFixed(value < 10 && i ? 1 : 0)} ${units[i]}`;
}

/** @param {CanvasRenderingContext2D} pen @param {Scene} scene @param {Spot | null} spot @param {number} width */
function outline(pen, scene, spot, width) {
  if (!spot || spot.picture !== scene.picture) return;
  const { slice } = spot, left = Math.max(x(scene, slice.start), scene.gutter), right = Math.min(x(scene, slice.end), scene.width);
  if (right < left) return;
  pen.strokeStyle = scene.colors.ink;
  pen.lineWidth = width;
  const row = y(scene, slice.lane);
  pen.strokeRect(left, row + 1.5, Math.max(right - left, 2), ROW - 2);
}
