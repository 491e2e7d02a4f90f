// Menus: at a point, one item a line, for mouse, touch and keys.

import { h } from './dom.js';

/** @typedef {{label: string, key?: string, href?: string, run: () => void, current?: boolean, remove?: () => void}} Item */

/**
 * Opens a menu at a point or below an element.
 * @param {{x: number, y: number} | HTMLElement} where
 * @param {string} title
 * @param {Item[]} items
 * @param {() => void} [closed]
 */
export function popup(where, title, items, closed) {
  close();
  const before = document.activeElement;
  const shut = () => {
    menu.remove();
    removeEventListener('pointerdown', outside, true);
    if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    closed?.();
  };
  /** @param {Event} e */
  const outside = e => { if (!(e.target instanceof Node && menu.contains(e.target))) shut(); };
  const lines = items.map(item => h('div', { class: 'line' },
    h(item.href ? 'a' : 'button', {
      role: 'menuitem', href: item.href, 'aria-keyshortcuts': item.remove ? 'Delete' : null, 'aria-current': item.current ? 'true' : null,
      onclick: (/** @type {MouseEvent} */ e) => {
        if (item.href && (e.ctrlKey || e.metaKey || e.shiftKey)) return;
        e.preventDefault();
        shut();
        item.run();
      },
    }, h('span', {}, item.label), item.key && h('kbd', {}, item.key)),
    item.remove && h('button', { class: 'remove', 'aria-label': `Delete ${item.label}`, title: 'Delete (Del)', onclick: () => { shut(); item.remove?.(); } }, '✕')));
  const menu = h('div', { class: 'popup', role: 'menu', 'aria-label': title, onkeydown: (/** @type {KeyboardEvent} */ e) => keys(e, menu, items, shut) },
    h('div', { class: 'title ellipsis' }, title), lines);
  document.body.append(menu);
  settle(menu, where);
  menu.querySelector('[role=menuitem]')?.focus();
  addEventListener('pointerdown', outside, true);
}

export function close() {
  document.querySelector('.popup')?.remove();
}

/** Puts it where it can be seen whole. @param {HTMLElement} menu @param {any} where */
function settle(menu, where) {
  const box = where instanceof HTMLElement ? where.getBoundingClientRect() : null;
  const [x, y] = box ? [box.left, box.bottom + 2] : [where.x, where.y];
  const { offsetWidth: width, offsetHeight: height } = menu;
  menu.style.left = `${Math.max(4, Math.min(x, innerWidth - width - 4))}px`;
  menu.style.top = `${Math.max(4, Math.min(y, innerHeight - height - 4))}px`;
}

/** @param {KeyboardEvent} e @param {HTMLElement} menu @param {Item[]} items @param {() => void} shut */
function keys(e, menu, items, shut) {
  const lines = /** @type {HTMLElement[]} */ ([...menu.querySelectorAll('[role=menuitem]')]);
  const at = lines.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  const go = { ArrowDown: at + 1, ArrowUp: at - 1 + lines.length, Home: 0, End: lines.length - 1 }[e.key];
  if (go !== undefined) lines[go % lines.length].focus();
  else if (e.key === 'Escape' || e.key === 'Tab') shut();
  else if (e.key === 'Delete' && items[at]?.remove) {
    shut();
    items[at].remove();
  }
  else {
    const item = items.find(i => i.key === e.key && e.key !== 'Enter');
    if (!item) return;
    shut();
    item.run();
  }
  e.preventDefault();
  e.stopPropagation();
}

/**
 * A window in the page, closed by Escape or a click beside it.
 * @param {string} title
 * @param {...any} content
 * @returns {HTMLDialogElement}
 */
export function dialog(title, ...content) {
  document.querySelector('dialog')?.remove();
  /** @type {HTMLDialogElement} */
  const box = h('dialog', { 'aria-label': title, onclose: () => box.remove(), onclick: (/** @type {Event} */ e) => { if (e.target === box) box.close(); } },
    h('div', { class: 'dialog' },
      h('header', {}, h('h2', {}, title), h('button', { class: 'plain', 'aria-label': 'Close', onclick: () => box.close() }, '✕')),
      content));
  document.body.append(box);
  box.showModal();
  return box;
}
