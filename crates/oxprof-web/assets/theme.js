// Light, dark, high contrast; and how frames are coloured. Kept for the next visit, not in the address.

const THEMES = ['auto', 'light', 'dark', 'contrast'];
const dark = matchMedia('(prefers-color-scheme: dark)'), more = matchMedia('(prefers-contrast: more)');
/** @type {(() => void)[]} */
const listeners = [];

/** @param {string} name @param {string[]} known */
function stored(name, known) {
  const value = localStorage.getItem(`oxprof-${name}`) || '';
  return known.includes(value) ? value : known[0];
}

/** What was chosen. */
export const choice = () => stored('theme', THEMES);

/** What that comes to here and now. @returns {string} */
export function current() {
  const chosen = choice();
  if (chosen !== 'auto') return chosen;
  return more.matches ? 'contrast' : dark.matches ? 'dark' : 'light';
}

export const scheme = () => stored('scheme', ['package', 'self', 'plain']);

/** @param {string} name @param {string} value */
export function set(name, value) {
  localStorage.setItem(`oxprof-${name}`, value);
  apply();
}

/** The next theme; gives its name. */
export function turn() {
  const next = THEMES[(THEMES.indexOf(choice()) + 1) % THEMES.length];
  set('theme', next);
  return next;
}

/** @param {() => void} listener */
export function listen(listener) {
  listeners.push(listener);
}

function apply() {
  document.documentElement.dataset.theme = current();
  for (const listener of listeners) listener();
}

dark.addEventListener('change', apply);
more.addEventListener('change', apply);
apply();
