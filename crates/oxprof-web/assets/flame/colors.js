// Colours of frames, and of changes. No meaning hangs on red against green.

/** @typedef {import('./tree.js').Tree} Tree */

/** Ways to colour frames. */
export const SCHEMES = { package: 'By package', self: 'By own cost', plain: 'One colour' };

/** @param {string} theme `light`, `dark` or `contrast` */
const dims = theme => ({
  light: { paper: '#fff', ink: '#16181d', root: '#d8dbe0', line: '#16181d', mark: '#7a2fd0', markInk: '#fff', fade: 0.35,
    s: 62, l: 80, spread: 6 },
  dark: { paper: '#14161a', ink: '#f1f3f6', root: '#3a3f48', line: '#fff', mark: '#d9b3ff', markInk: '#1c0733', fade: 0.4,
    s: 34, l: 33, spread: 4 },
  contrast: { paper: '#000', ink: '#fff', root: '#444', line: '#ff0', mark: '#ff0', markInk: '#000', fade: 0.5,
    s: 100, l: 18, spread: 0 },
})[theme];

/**
 * @param {string} theme
 * @param {string} scheme
 * @param {string} mode `rel` colours differences by the share of the frame, `abs` by that of the whole
 * @returns {import('./paint.js').Colors}
 */
export function colors(theme, scheme, mode) {
  const d = dims(theme), known = new Map();
  /** @param {string} key @param {() => string} make */
  const once = (key, make) => {
    let color = known.get(key);
    if (!color) known.set(key, color = make());
    return color;
  };
  /** @param {Tree} tree @param {number} i */
  const frame = (tree, i) => {
    if (tree.head.difference) {
      const share = share_of_change(tree, i, mode), step = Math.round(share * 20);
      return once(`d${step}`, () => change(step / 20, theme));
    }
    if (scheme === 'plain') return once('p', () => `hsl(205 ${d.s}% ${d.l}%)`);
    if (scheme === 'self') {
      const step = Math.round(20 * Math.sqrt(tree.weight[i] ? tree.own[i] / tree.weight[i] : 0));
      return once(`s${step}`, () => heat(step / 20, theme));
    }
    const hue = tree.head.hues[tree.name[i]], turn = tree.name[i] % 3 - 1;
    return once(`h${hue},${turn}`, () => `hsl(${hue} ${d.s}% ${d.l + turn * d.spread / 2}%)`);
  };
  return { ...d, frame };
}

/**
 * From −1, all gone, to 1, all new.
 * @param {Tree} tree
 * @param {number} i
 * @param {string} mode
 */
function share_of_change(tree, i, mode) {
  const whole = mode === 'abs' ? tree.head.whole : tree.weight[i];
  if (!whole) return 0;
  const share = tree.net[i] / whole;
  // Of the whole, little is a lot.
  return mode === 'abs' ? Math.sign(share) * Math.min(1, Math.sqrt(Math.abs(share) * 4)) : share;
}

/** Orange for more, blue for less: told apart by every eye. @param {number} share @param {string} theme */
export function change(share, theme) {
  const hue = share > 0 ? 24 : 212, size = Math.abs(share);
  const [paper, reach] = theme === 'light' ? [90, -32] : [24, 20];
  return `hsl(${hue} ${size ? 30 + 65 * size : 0}% ${paper + reach * size}%)`;
}

/** From dull to bright. @param {number} share @param {string} theme */
function heat(share, theme) {
  return theme === 'light' ? `hsl(${50 - 25 * share} ${15 + 75 * share}% ${90 - 28 * share}%)`
    : `hsl(${50 - 20 * share} ${10 + 70 * share}% ${22 + 24 * share}%)`;
}
