// The current view as a file.

import { h } from './dom.js';

/** @typedef {import('./app.js').App} App */

/** @param {App} app @returns {import('./popup.js').Item[]} */
export function exportItems(app) {
  const flame = app.name === 'flamegraph';
  const file = (label, format, more = ['p', 'dir']) => ({ label, run: () => fetchFile(app, format, more) });
  return [
    ...(flame ? [
      { label: 'Picture as seen (PNG)', run: async () => save(await app.view.picture(), 'flamegraph.png') },
      file('Flame graph (SVG)', 'flame-svg'),
      file('Flame graph, one page (HTML)', 'flame-html'),
    ] : []),
    ...(app.name === 'graph' ? [file('Call graph (PNG)', 'png')] : []),
    file('Call graph (SVG)', 'svg'),
    file('Call graph (PDF)', 'pdf'),
    file('Call graph (dot)', 'dot'),
    file('Profile as filtered (pprof)', 'proto'),
    file('Folded stacks', 'folded'),
    file('Speedscope', 'speedscope'),
    file('Firefox Profiler', 'firefox'),
    file('Top as text', 'text'),
    file('Summary (Markdown)', 'markdown'),
  ];
}

/** @param {App} app @param {string} format @param {string[]} more */
async function fetchFile(app, format, more) {
  const params = app.state.options(more), z = app.state.get('z').split('.');
  params.set('format', format);
  if (z.length === 2) {
    params.set('from', z[0]);
    params.set('to', z[1]);
  }
  try {
    const reply = await app.api.send(`api/export?${params}`, {});
    const name = /filename="([^"]*)"/.exec(reply.headers.get('Content-Disposition') || '');
    save(await reply.blob(), name ? name[1] : `profile.${format}`);
  } catch (error) {
    app.fail(error);
  }
}

/** @param {Blob | null} blob @param {string} name */
function save(blob, name) {
  if (!blob) return;
  const url = URL.createObjectURL(blob), link = h('a', { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
