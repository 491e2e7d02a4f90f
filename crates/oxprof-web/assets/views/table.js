// A table of functions: sorted by its columns, moved in by keys, with actions for every row. Long ones are built as
// they are scrolled to.

import { fill, h } from '../dom.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {{title: string, sort?: (row: any) => number | string, show: (row: any) => any, class?: string, hint?: string}} Column */

const STEP = 150;

export class Table {
  /**
   * @param {App} app
   * @param {Column[]} columns
   * @param {string} label
   */
  constructor(app, columns, label) {
    this.app = app;
    this.columns = columns;
    this.body = h('tbody');
    this.head = h('tr');
    this.more = h('p', { class: 'dim more' });
    this.element = h('div', { class: 'table', tabindex: '0', 'aria-label': label, onscroll: () => this.grow() },
      h('table', {}, h('thead', {}, this.head), this.body), this.more);
    this.rows = [];
    this.at = -1;
  }

  /** @param {any[]} rows @param {string} sorted `3` or `-3`: by the third column, upwards or downwards */
  show(rows, sorted) {
    const by = Math.abs(Number(sorted)) - 1, column = this.columns[by];
    this.sorted = column?.sort ? sorted : '';
    this.rows = column?.sort ? [...rows].sort(order(column.sort, Number(sorted) < 0)) : rows;
    fill(this.head, this.columns.map((c, i) => this.title(c, i)));
    fill(this.body);
    this.at = -1;
    this.element.scrollTop = 0;
    this.grow();
  }

  /** @param {Column} column @param {number} i */
  title(column, i) {
    const here = Math.abs(Number(this.sorted)) === i + 1, down = Number(this.sorted) < 0;
    // Numbers are looked at from the largest, names from the first.
    const next = here ? (down ? i + 1 : -(i + 1)) : column.class === 'name' ? i + 1 : -(i + 1);
    return h('th', { class: column.class, 'aria-sort': here ? (down ? 'descending' : 'ascending') : null, scope: 'col' },
      column.sort ? h('button', { class: 'plain', title: column.hint, onclick: () => this.app.state.set({ col: String(next) }, { replace: true }) },
        column.title, here ? (down ? ' ▾' : ' ▴') : '') : column.title);
  }

  /** Builds further rows when the last one comes near. */
  grow() {
    const { element } = this;
    while (this.body.childElementCount < this.rows.length
      && (this.body.childElementCount === 0 || element.scrollTop + element.clientHeight * 2 > element.scrollHeight)) {
      const from = this.body.childElementCount;
      this.body.append(...this.rows.slice(from, from + STEP).map((row, i) => this.row(row, from + i)));
      if (!element.clientHeight) break;
    }
  }

  /** @param {any} row @param {number} i */
  row(row, i) {
    const target = () => ({ name: row.name });
    return h('tr', {
      onclick: () => this.choose(i),
      ondblclick: () => this.open(),
      oncontextmenu: e => { e.preventDefault(); this.choose(i); this.app.menu(target(), e.clientX, e.clientY); },
    }, this.columns.map(c => h('td', { class: c.class }, c.show(row))));
  }

  /** @param {number} i */
  choose(i) {
    if (i < 0 || i >= this.rows.length) return;
    while (this.body.childElementCount <= i && this.body.childElementCount < this.rows.length) {
      const from = this.body.childElementCount;
      this.body.append(...this.rows.slice(from, from + STEP).map((row, k) => this.row(row, from + k)));
    }
    this.body.children[this.at]?.classList.remove('chosen');
    this.at = i;
    const line = this.body.children[i];
    line.classList.add('chosen');
    line.scrollIntoView({ block: 'nearest' });
    this.app.choose(`${this.rows[i].name}, row ${i + 1} of ${this.rows.length}`);
  }

  open() {
    const row = this.rows[this.at];
    if (row) this.app.actions({ name: row.name }).find(a => a.key === 'p')?.run();
  }

  chosen() {
    const row = this.rows[this.at];
    if (!row) return null;
    const box = this.body.children[this.at].getBoundingClientRect();
    return { name: row.name, at: { x: box.left + 40, y: box.bottom } };
  }

  /** @param {string} key */
  key(key) {
    const acts = {
      ArrowDown: () => this.choose(this.at + 1),
      ArrowUp: () => this.choose(Math.max(0, this.at - 1)),
      Home: () => this.choose(0),
      End: () => this.choose(this.rows.length - 1),
      PageDown: () => this.choose(Math.min(this.rows.length - 1, this.at + 20)),
      PageUp: () => this.choose(Math.max(0, this.at - 20)),
      Enter: () => this.open(),
    };
    if (!acts[key]) return false;
    acts[key]();
    return true;
  }

  focus() {
    this.element.focus({ preventScroll: true });
  }
}

/** @param {(row: any) => number | string} of @param {boolean} down */
function order(of, down) {
  const sign = down ? -1 : 1;
  return (a, b) => {
    const [x, y] = [of(a), of(b)];
    return x < y ? -sign : x > y ? sign : 0;
  };
}

/**
 * A number with its share of the total as a bar.
 * @param {number} share
 * @param {string} text
 * @param {boolean} [isChange]
 */
export function bar(share, text, isChange) {
  const width = `${Math.min(100, Math.abs(share) * 100).toFixed(1)}%`;
  return h('span', { class: share < 0 ? 'bar less' : isChange ? 'bar grown' : 'bar' }, h('span', { class: 'rod' }, h('i', { style: { width } })), h('span', {}, text));
}
