// Numbers and names as people read them.

/** @typedef {{unit: string, units: [number, string][], total: number}} Scale */

/**
 * A value in the unit that suits it.
 * @param {Scale} scale
 * @param {number} value
 */
export function amount(scale, value) {
  if (!value) return '0';
  const size = Math.abs(value);
  let unit = scale.units[0];
  for (const candidate of scale.units) if (size >= candidate[0]) unit = candidate;
  if (!unit) return count(value) + (scale.unit && scale.unit !== 'count' ? ` ${scale.unit}` : '');
  const number = value / unit[0];
  const digits = Math.abs(number) >= 100 ? 0 : Math.abs(number) >= 10 ? 1 : 2;
  return `${number.toFixed(digits).replace(/\.0+$/, '')} ${unit[1]}`;
}

/** @param {number} value */
export const count = value => value.toLocaleString('en-US');

/** A share of the total. @param {number} value @param {number} total */
export function percent(value, total) {
  if (!total || !value) return '0%';
  const share = 100 * value / total, size = Math.abs(share);
  if (size > 0 && size < 0.01) return '<0.01%';
  return `${share < 0 ? '−' : ''}${size.toFixed(size >= 99.95 ? 0 : size >= 10 ? 1 : 2)}%`;
}

/** How much more one value is than another. @param {number} before @param {number} after */
export function change(before, after) {
  if (before === after) return '±0';
  if (before === 0) return 'new';
  if (after === 0) return 'gone';
  const share = 100 * (after - before) / Math.abs(before);
  return `${share > 0 ? '+' : '−'}${Math.abs(share).toFixed(Math.abs(share) < 10 ? 1 : 0)}%`;
}

/**
 * A value with its sign.
 * @param {Scale} scale
 * @param {number} value
 */
export const signed = (scale, value) =>
  (value > 0 ? '+' : value < 0 ? '−' : '±') + amount(scale, Math.abs(value));

// Characters that are not seen, or turn the text around them: each is shown as a sign.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** Text in which every character can be seen. @param {string} text */
export function clean(text) {
  return text.replace(UNSEEN, c => {
    const code = c.charCodeAt(0);
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : '\ufffd';
  });
}

/** What fits into a few lines of a name: its beginning and its end. @param {string} name */
export const brief = name => (name.length > 400 ? `${name.slice(0, 300)} … ${name.slice(-80)}` : name);

/** The server cuts longer names. */
const LONGEST = 2000;

/** An expression that matches this name and no other. @param {string} name */
export function exactly(name) {
  const cut = name.length > LONGEST && name.endsWith('…');
  const text = (cut ? name.slice(0, -1) : name).replace(/[\\.+*?()|[\]{}^$]/g, '\\$&');
  return `^${text}${cut ? '' : '$'}`;
}

/** What compilers call functions without a name: nothing of its own. */
const NAMELESS = /^(func\d+|gowrap\d+|\{[^}]*\}|\d+|h[0-9a-f]{16})([.:]|$)/;

/** The ends of a name that say something, the longest first. @param {string} name @returns {string[]} */
export function tails(name) {
  const found = [name];
  for (const match of name.matchAll(/::|[/.]/g)) {
    const rest = name.slice(match.index + match[0].length);
    if (rest && !/^[.:/]/.test(rest) && !NAMELESS.test(rest)) found.push(rest);
  }
  return found;
}
