// Further profiles: dropped, pasted or chosen, and which two to compare.

import { h, isTyping } from './dom.js';
import { count } from './format.js';
import { dialog } from './popup.js';

/** @typedef {import('./app.js').App} App */

/** A choice of two profiles. @param {App} app */
export function compare(app) {
  const { state, about } = app;
  if (!about) return;
  const of = name => state.get(name) || (name === 'profile' ? '0' : '');
  const chosen = { profile: of('profile'), base: of('base') };
  const radio = (name, id, label) => h('label', { class: 'pick' },
    h('input', { type: 'radio', name, value: id, checked: chosen[name] === String(id), onchange: () => { chosen[name] = String(id); } }), label);
  const scaled = h('input', { type: 'checkbox', checked: state.get('norm') === 't' });
  const rows = about.profiles.map(p => h('tr', {},
    h('td', { class: 'name' }, p.name || 'profile', h('span', { class: 'dim' }, ` ${count(p.samples)} samples`)),
    h('td', {}, radio('profile', p.id, h('span', { class: 'unseen' }, `Show ${p.name}`))),
    h('td', {}, radio('base', p.id, h('span', { class: 'unseen' }, `Compare with ${p.name}`)))));
  const box = dialog('Compare profiles',
    h('table', { class: 'picks' },
      h('thead', {}, h('tr', {}, h('th', {}, 'Profile'), h('th', {}, 'show'), h('th', {}, 'compare with'))),
      h('tbody', {}, rows, h('tr', {}, h('td', { class: 'dim' }, 'Nothing'), h('td', {}), h('td', {}, radio('base', '', h('span', { class: 'unseen' }, 'Compare with nothing')))))),
    h('p', {}, h('label', {}, scaled, ' Scale the profile to the base before comparing')),
    h('p', { class: 'buttons' },
      h('label', { class: 'button' }, 'Add a file …', h('input', { type: 'file', multiple: true, class: 'unseen', onchange: e => { box.close(); take(app, e.target.files); } })),
      h('button', {
        class: 'primary', autofocus: true, onclick: () => {
          box.close();
          state.set({ profile: chosen.profile === '0' ? null : chosen.profile, base: chosen.base, norm: scaled.checked ? 't' : null, z: null });
        },
      }, 'Show')),
    h('p', { class: 'dim' }, 'Profiles may also be dropped onto the page or pasted: pprof, perf.data, folded stacks and whatever else the tool reads.'));
}

/** Takes files that are dropped or pasted. @param {App} app */
export function takeFiles(app) {
  const root = document.documentElement;
  addEventListener('dragover', e => {
    if (!e.dataTransfer?.types.includes('Files')) return;
    e.preventDefault();
    root.classList.add('dropping');
  });
  addEventListener('dragleave', e => { if (!e.relatedTarget) root.classList.remove('dropping'); });
  addEventListener('drop', e => {
    root.classList.remove('dropping');
    if (!e.dataTransfer?.files.length) return;
    e.preventDefault();
    take(app, e.dataTransfer.files);
  });
  addEventListener('paste', e => {
    const data = e.clipboardData;
    if (isTyping(e.target) || !data) return;
    if (data.files.length) take(app, data.files);
    else if (data.getData('text')) send(app, 'pasted', data.getData('text')).then(() => compare(app), error => app.fail(error));
  });
}

/** Takes files; one that is no profile does not keep the others out. @param {App} app @param {FileList} files */
async function take(app, files) {
  let taken = 0;
  const wrong = [];
  for (const file of files) {
    app.say(`Reading ${file.name} …`);
    try {
      await send(app, file.name, file);
      taken++;
    } catch (error) {
      wrong.push(`${file.name}: ${error.message}`);
    }
  }
  app.say('');
  app.fail(wrong.length ? new Error(wrong.join('; ')) : null);
  if (taken) compare(app);
}

/** @param {App} app @param {string} name @param {BodyInit} body */
async function send(app, name, body) {
  await app.api.send(`api/upload?name=${encodeURIComponent(name)}`, { method: 'POST', body });
  app.api.forget();
  await app.learn();
}

