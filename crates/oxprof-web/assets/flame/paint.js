// Painting frames on a canvas: only rows that are seen, only frames that are as wide as a pixel.

import { clean, tails } from '../format.js';

export const ROW = 20;
const FONT = '12px system-ui, sans-serif';
/** Narrower frames get no text. */
const TEXT_FROM = 28;

/** @typedef {import('./tree.js').Tree} Tree */
/** Frames grow from row `base` downwards, or upwards for a `sign` of −1.
 * @typedef {{tree: Tree, fine: Tree | null, sign: 1 | -1, base: number, dir: string}} Layer */
/** @typedef {{layers: Layer[], from: number, to: number, scroll: number, width: number, height: number,
 *   marks: Set<number> | null, chosen: Spot | null, hovered: Spot | null, colors: Colors}} Scene */
/** @typedef {{layer: Layer, tree: Tree, i: number}} Spot */
/** @typedef {{paper: string, ink: string, root: string, line: string, mark: string, markInk: string, fade: number,
 *   frame: (tree: Tree, i: number) => string}} Colors */

/** @param {CanvasRenderingContext2D} pen @param {Scene} scene */
export function paint(pen, scene) {
  pen.font = FONT;
  pen.textBaseline = 'middle';
  pen.fillStyle = scene.colors.paper;
  pen.fillRect(0, 0, scene.width, scene.height);
  const scale = scene.width / (scene.to - scene.from);
  for (const layer of scene.layers) {
    paintTree(pen, scene, layer, layer.tree, 0, scene.width, scale);
    if (!layer.fine) continue;
    // What is known in detail is painted over what is not.
    const [from, to] = layer.fine.head.window;
    const left = Math.max(0, (from - scene.from) * scale);
    const right = Math.min(scene.width, (to - scene.from) * scale);
    if (right <= left) continue;
    pen.save();
    pen.beginPath();
    pen.rect(left, 0, right - left, scene.height);
    pen.clip();
    pen.fillStyle = scene.colors.paper;
    const [top, bottom] = layer.sign > 0 ? [layer.base, 1e9] : [-1e9, layer.base + 1];
    pen.fillRect(left, top * ROW - scene.scroll, right - left, (bottom - top) * ROW);
    paintTree(pen, scene, layer, layer.fine, left, right, scale);
    pen.restore();
  }
  outline(pen, scene, scene.hovered, 1, scale);
  outline(pen, scene, scene.chosen, 2, scale);
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {Scene} scene
 * @param {Layer} layer
 * @param {Tree} tree
 * @param {number} left
 * @param {number} right
 * @param {number} scale
 */
function paintTree(pen, scene, layer, tree, left, right, scale) {
  const { colors, marks } = scene;
  for (let row = 0; row < tree.rows; row++) {
    const y = (layer.base + layer.sign * row) * ROW - scene.scroll;
    if (y > scene.height || y + ROW < 0) continue;
    const end = tree.firsts[row + 1];
    let painted = -1;
    for (let p = tree.seek(row, scene.from + left / scale); p < end; p++) {
      const i = tree.order[p], x = (tree.start[i] - scene.from) * scale, w = tree.weight[i] * scale;
      if (x > right) break;
      // Many frames within one pixel are one to the eye.
      if (x + w < painted + 0.5) continue;
      const visible = Math.max(w, 0.5), hit = marks !== null && marks.has(tree.head.ids[tree.name[i]]);
      pen.globalAlpha = marks === null || hit || row === 0 ? 1 : colors.fade;
      pen.fillStyle = hit ? colors.mark : row === 0 ? colors.root : colors.frame(tree, i);
      pen.fillRect(x, y, visible > 3 ? visible - 1 : visible, ROW - 1);
      painted = x + visible;
      if (w < TEXT_FROM) continue;
      const from = Math.max(x, 0), room = Math.min(x + w, scene.width) - from - 8;
      if (room < TEXT_FROM - 8) continue;
      pen.globalAlpha = 1;
      pen.fillStyle = hit ? colors.markInk : colors.ink;
      pen.fillText(fit(pen, tree.text(i), room), from + 4, y + ROW / 2);
    }
  }
  pen.globalAlpha = 1;
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {Scene} scene
 * @param {Spot | null} spot
 * @param {number} width
 * @param {number} scale
 */
function outline(pen, scene, spot, width, scale) {
  if (!spot) return;
  const { layer, tree, i } = spot;
  const x = (tree.start[i] - scene.from) * scale, w = tree.weight[i] * scale;
  const y = (layer.base + layer.sign * tree.depth[i]) * ROW - scene.scroll;
  const left = Math.max(x, 0), right = Math.min(x + w, scene.width);
  if (right < left) return;
  pen.strokeStyle = scene.colors.line;
  pen.lineWidth = width;
  pen.strokeRect(left + width / 2, y + width / 2, Math.max(right - left - width - 1, 1), ROW - 1 - width);
}

/** Widths of names and what was made of them to fit. */
const widths = new Map(), parts = new Map();

/** @param {CanvasRenderingContext2D} pen @param {string} text */
function width(pen, text) {
  let known = widths.get(text);
  if (known === undefined) {
    if (widths.size > 50_000) widths.clear();
    known = pen.measureText(text).width;
    widths.set(text, known);
  }
  return known;
}

/**
 * The longest way to write a name that fits: whole, then its last parts, then cut.
 * @param {CanvasRenderingContext2D} pen
 * @param {string} name
 * @param {number} room
 */
export function fit(pen, name, room) {
  let ends = parts.get(name);
  if (!ends) {
    if (parts.size > 50_000) parts.clear();
    // Nothing longer fits on any screen.
    ends = tails(clean(name.length > 600 ? name.slice(0, 600) : name));
    parts.set(name, ends);
  }
  for (const end of ends) if (width(pen, end) <= room) return end;
  const last = ends[ends.length - 1], letters = Math.floor(room / width(pen, last) * last.length) - 1;
  return letters > 1 ? `${last.slice(0, letters)}…` : '';
}
