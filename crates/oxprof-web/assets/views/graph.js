// The call graph, as it is laid out on the server: to pan, to zoom, to choose from.

import { fill, h } from '../dom.js';

export const title = 'Graph';

/** @param {import('../app.js').App} app */
export const load = ({ state, api }) => api.text('api/graph', state.options());

const LEAST = 0.1, MOST = 10;
/** What is smaller cannot be read at all. */
const READABLE = 0.25;

export class View {
  /** @param {import('../app.js').App} app @param {HTMLElement} place */
  constructor(app, place) {
    this.app = app;
    this.frame = h('div', { class: 'picture', tabindex: '0', role: 'application', 'aria-label': 'Call graph. Arrow keys move, plus and minus zoom, Tab goes from function to function.' });
    this.x = this.y = 0;
    this.scale = 1;
    /** @type {Map<number, {x: number, y: number}>} */
    this.fingers = new Map();
    fill(place, this.frame);
    this.listen();
  }

  /** @param {string} text */
  show(text) {
    // Parsed as XML, which makes elements of nothing but what the server drew. The picture's own style and script,
    // which it has for when it stands alone, stay behind: the page would not let them in.
    const bare = text.replace(/<style>[^]*?<\/style>/, '').replace(/<script>[^]*?<\/script>/, '');
    const parsed = new DOMParser().parseFromString(bare, 'image/svg+xml').documentElement;
    const svg = document.importNode(parsed, true), [, , width, height] = (svg.getAttribute('viewBox') || '0 0 1 1').split(' ').map(Number);
    svg.removeAttribute('width');
    svg.removeAttribute('height');
    svg.setAttribute('width', String(width));
    svg.setAttribute('height', String(height));
    this.size = { width, height };
    this.svg = svg;
    fill(this.frame, svg);
    svg.querySelectorAll('.node').forEach(node => this.prepare(node));
    this.fit();
  }

  /** @param {Element} node */
  prepare(node) {
    const name = nameOf(node);
    node.setAttribute('tabindex', '0');
    node.setAttribute('role', 'button');
    node.setAttribute('aria-label', node.querySelector('title')?.textContent || name);
    node.addEventListener('focus', () => {
      this.choose(node);
      if (node.matches(':focus-visible')) this.reveal(node);
    });
  }

  /** Moves the picture until a box is seen. @param {Element} node */
  reveal(node) {
    const box = node.getBoundingClientRect(), frame = this.frame.getBoundingClientRect();
    const by = (low, high, from, to) => (low < from ? from - low : high > to ? Math.max(to - high, from - low) : 0);
    this.x += by(box.left, box.right, frame.left, frame.right);
    this.y += by(box.top, box.bottom, frame.top, frame.bottom);
    this.place();
  }

  /** @param {Element | null} node */
  choose(node) {
    this.node = node;
    this.svg.querySelectorAll('.chosen, .near').forEach(e => e.classList.remove('chosen', 'near'));
    if (!node) return this.app.choose(null);
    node.classList.add('chosen');
    const number = node.getAttribute('data-node');
    this.svg.querySelectorAll(`.edge[data-from="${number}"], .edge[data-to="${number}"]`).forEach(e => e.classList.add('near'));
    this.app.choose(node.querySelector('title')?.textContent || '');
  }

  /** Shows all of it, or if that is too large, what is around the heaviest box. */
  fit() {
    const { clientWidth: width, clientHeight: height } = this.frame;
    this.scale = Math.min(1.5, Math.max(READABLE, Math.min(width / this.size.width, height / this.size.height)));
    const space = { x: width - this.size.width * this.scale, y: height - this.size.height * this.scale };
    this.x = space.x / 2;
    this.y = Math.max(0, space.y / 2);
    this.place();
    const box = this.svg.querySelector('.node')?.getBoundingClientRect(), frame = this.frame.getBoundingClientRect();
    if (!box) return;
    if (space.x < 0) this.x += frame.left + width / 2 - (box.left + box.right) / 2;
    if (space.y < 0) this.y = Math.min(0, this.y + frame.top + height / 2 - (box.top + box.bottom) / 2);
    this.place();
  }

  place() {
    this.svg.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
  }

  /** @param {number} factor @param {number} x @param {number} y */
  zoom(factor, x, y) {
    const scale = Math.min(MOST, Math.max(LEAST, this.scale * factor)), real = scale / this.scale;
    this.x = x - (x - this.x) * real;
    this.y = y - (y - this.y) * real;
    this.scale = scale;
    this.place();
  }

  listen() {
    const { frame } = this;
    const at = e => {
      const box = frame.getBoundingClientRect();
      return { x: e.clientX - box.left, y: e.clientY - box.top };
    };
    frame.addEventListener('wheel', e => {
      e.preventDefault();
      const { x, y } = at(e);
      this.zoom(Math.exp(-e.deltaY / 400), x, y);
    }, { passive: false });
    frame.addEventListener('pointerdown', e => {
      if (e.button === 0) this.fingers.set(e.pointerId, at(e));
      this.pressed = at(e);
    });
    frame.addEventListener('pointermove', e => this.move(e.pointerId, at(e)));
    const up = e => {
      this.fingers.delete(e.pointerId);
      const { x, y } = at(e);
      if (e.type === 'pointerup' && this.pressed && Math.hypot(x - this.pressed.x, y - this.pressed.y) < 5) this.choose(e.target.closest('.node'));
    };
    frame.addEventListener('pointerup', up);
    frame.addEventListener('pointercancel', up);
    frame.addEventListener('pointerleave', up);
    frame.addEventListener('dblclick', () => this.node && this.app.act('p'));
    frame.addEventListener('contextmenu', e => {
      const node = e.target.closest('.node');
      if (!node) return;
      e.preventDefault();
      this.choose(node);
      this.app.menu({ name: nameOf(node) }, e.clientX, e.clientY);
    });
  }

  /** @param {number} id @param {{x: number, y: number}} to */
  move(id, to) {
    const last = this.fingers.get(id);
    if (!last) return;
    this.fingers.set(id, to);
    if (this.fingers.size === 1) {
      this.x += to.x - last.x;
      this.y += to.y - last.y;
      this.place();
    } else {
      const [, other] = [...this.fingers].find(([key]) => key !== id) || [];
      const far = p => Math.max(10, Math.hypot(p.x - other.x, p.y - other.y));
      this.zoom(far(to) / far(last), (to.x + other.x) / 2, (to.y + other.y) / 2);
    }
  }

  /** @param {Set<number> | null} ids */
  mark(ids) {
    const q = this.app.state.get('q');
    let pattern = null;
    try {
      pattern = ids && q ? new RegExp(q) : null;
    } catch {
      // The server says what is wrong with it.
    }
    this.svg?.querySelectorAll('.node').forEach(node => node.classList.toggle('hit', !!pattern && pattern.test(nameOf(node))));
  }

  chosen() {
    if (!this.node) return null;
    const box = this.node.getBoundingClientRect();
    return { name: nameOf(this.node), at: { x: box.left, y: box.bottom } };
  }

  key(key) {
    const { clientWidth: width, clientHeight: height } = this.frame, step = 60;
    const acts = {
      ArrowLeft: () => { this.x += step; }, ArrowRight: () => { this.x -= step; },
      ArrowUp: () => { this.y += step; }, ArrowDown: () => { this.y -= step; },
      '+': () => this.zoom(1.25, width / 2, height / 2), '=': () => this.zoom(1.25, width / 2, height / 2),
      '-': () => this.zoom(0.8, width / 2, height / 2), '0': () => this.fit(), Home: () => this.fit(),
      Enter: () => this.app.act('p'), ' ': () => this.app.act('p'), Escape: () => this.choose(null),
    };
    if (!acts[key]) return false;
    acts[key]();
    this.place();
    return true;
  }

  focus() { this.frame.focus({ preventScroll: true }); }
}

/** The function of a box: what its title says before the amount in parentheses. @param {Element} node */
function nameOf(node) {
  return (node.querySelector('title')?.textContent || '').replace(/ \([^()]*\)$/, '');
}
