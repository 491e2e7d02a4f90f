// Every key, on one sheet.

import { VIEWS } from './app.js';
import { h } from './dom.js';
import { dialog } from './popup.js';

/** @param {import('./app.js').App} app */
export function help(app) {
  const group = (title, keys) => h('section', {}, h('h3', {}, title),
    h('dl', {}, keys.map(([key, text]) => [h('dt', {}, key.split(' ').map(k => h('kbd', {}, k))), h('dd', {}, text)])));
  dialog('Keys', h('div', { class: 'help' },
    group('Everywhere', [
      ...Object.values(VIEWS).map((view, i) => [String(i + 1), view.title]),
      ['/', 'Search; Enter focuses on what matches'],
      ['g', 'Filters and options'], ['U', 'Clear all filters'], ['u', 'Undo: back in history'],
      ['n', 'Next sample type'], ['x', 'Compare profiles'], ['e', 'Export'], ['t', 'Next theme'], ['?', 'This sheet'],
    ]),
    group('With the chosen function', [
      ['m', 'All actions'], ['p', 'Its callers and callees'], ['f', 'Focus on it'], ['i', 'Ignore it'], ['h', 'Hide it'], ['s', 'Show only it'],
      ['w', 'Show stacks from it'], ['k', 'Peek'], ['o', 'Source'], ['d', 'Disassembly'], ['c', 'Copy its name'], ['C', 'Copy the stack'], ['l', 'Copy the link'],
    ]),
    group('Flame graph', [
      ['← → ↑ ↓', 'From frame to frame'], ['Enter', 'Zoom to the frame'], ['Esc', 'Zoom out, then back'], ['+ −', 'Zoom'], ['[ ]', 'Pan'],
      ['PgUp PgDn', 'Scroll'], ['v', 'From the leaves'], ['r', 'From the root'],
    ]),
    group('Tables and pictures', [
      ['↑ ↓', 'From row to row'], ['Enter', 'Callers and callees'], ['+ − 0', 'Zoom the graph'], ['arrows', 'Move the graph'],
    ]),
    group('Mouse and touch', [
      ['click', 'Zoom to a frame'], ['right', 'Actions; on a touch screen press long'], ['wheel', 'Scroll; with Ctrl or Shift zoom'], ['drag', 'Pan'], ['pinch', 'Zoom'],
    ])), app.about && h('p', { class: 'dim' }, 'Links to this page show what you see now.'));
}
