// Elements. Text from profiles becomes nodes of text here and nowhere else, so it is never markup.

import { clean } from './format.js';

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * An element. Attributes that start with `on` are listeners; `null`, `undefined` and `false` leave one out.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...any} children
 * @returns {any}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'style') Object.assign(element.style, value);
    else if (name === 'value') element.value = value;
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  append(element, children);
  return element;
}

/** @param {Element} element @param {any[]} children */
function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : clean(String(child)));
  }
}

/** What Tab goes to. @param {Element} element */
const stops = element => [...element.querySelectorAll('a[href], button, input, select, textarea, [tabindex]')];
/** @param {Element} element */
const label = element => element.getAttribute('aria-label') || element.textContent;

/**
 * Puts children in place of those that an element has. Whoever was at one of these with the keyboard goes on at the new
 * one of its name, or at the one in its place.
 * @param {Element} element
 * @param {...any} children
 */
export function fill(element, ...children) {
  const before = document.activeElement, inside = element !== before && element.contains(before);
  const at = inside ? stops(element).indexOf(before) : -1, name = inside && label(before);
  element.replaceChildren();
  append(element, children);
  if (!inside) return;
  const now = stops(element), next = (name && now.find(e => label(e) === name)) || now[Math.min(at, now.length - 1)] || byId('view');
  next?.focus({ preventScroll: true });
}

/** @param {string} id @returns {any} */
export const byId = id => document.getElementById(id);

/** Where a click is on the page; one by a key is where its element is. @param {MouseEvent} e @returns {[number, number]} */
export function place(e) {
  if (e.detail || !(e.currentTarget instanceof Element)) return [e.clientX, e.clientY];
  const box = e.currentTarget.getBoundingClientRect();
  return [box.left, box.bottom];
}

/** Whether somebody is typing. @param {EventTarget | null} target */
export function isTyping(target) {
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement
    || target instanceof HTMLSelectElement;
}

/**
 * Whether a key is for the page: not for the browser, a dialog, a field or a button. Escape calls `leave` in a field.
 * @param {KeyboardEvent} e
 * @param {() => void} leave
 */
export function isForPage(e, leave) {
  if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented) return false;
  if (document.querySelector('dialog[open], .popup')) return false;
  if (isTyping(e.target)) {
    if (e.key === 'Escape') leave();
    return false;
  }
  const onButton = e.target instanceof HTMLButtonElement || e.target instanceof HTMLAnchorElement;
  return !(onButton && (e.key === 'Enter' || e.key === ' '));
}

/**
 * Calls `act` once nothing has happened for a while.
 * @template {any[]} A
 * @param {number} delay
 * @param {(...a: A) => void} act
 * @returns {(...a: A) => void}
 */
export function debounce(delay, act) {
  let timer = 0;
  return (...a) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(...a), delay);
  };
}
