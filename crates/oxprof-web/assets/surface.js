// A canvas to move in: as sharp as the screen, painted once an image, and given over to wheel, mouse and fingers.

import { h } from './dom.js';

/** Heirs have a `scene`, and know how to `render`, to `scrollTo` a place, and what it means to `wheel`, to `press`, to `move`,
 * to `release` and to `hover`. */
export class Surface {
  /** @param {string} label what it is, and which keys there are @param {string} [kind] a class for the canvas */
  constructor(label, kind) {
    this.canvas = h('canvas', { class: kind, 'aria-hidden': 'true' });
    this.element = h('div', { class: 'chart', tabindex: '0', role: 'application', 'aria-label': label }, this.canvas);
    this.pen = this.canvas.getContext('2d', { alpha: false });
    this.frame = 0;
    /** Those that touch it. @type {Map<number, {x: number, y: number}>} */
    this.fingers = new Map();
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.element);
    const hand = (type, act, how) => this.canvas.addEventListener(type, act, how);
    hand('wheel', e => this.wheel(e), { passive: false });
    hand('pointerdown', e => this.press(e));
    hand('pointermove', e => this.move(e));
    hand('pointerup', e => this.release(e));
    hand('pointercancel', e => this.release(e));
    hand('pointerleave', () => this.hover(null, 0, 0));
  }

  /** Fills its place; false if that has no size yet. */
  resize() {
    const { scene, canvas, element: { clientWidth: width, clientHeight: height } } = this, ratio = devicePixelRatio || 1;
    if (!width || !height) return false;
    Object.assign(scene, { width, height });
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    this.pen.setTransform(canvas.width / width, 0, 0, canvas.height / height, 0, 0);
    this.scrollTo(scene.scroll);
    this.paint();
    return true;
  }

  draw() {
    if (!this.frame) this.frame = requestAnimationFrame(() => this.paint());
  }

  paint() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    if (this.scene.colors) this.render();
  }

  close() {
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
  }
}
