// Profiles of the program that shows this page.

import { h } from './dom.js';
import { dialog } from './popup.js';

/** @param {import('./app.js').App} app */
export function capture(app) {
  const { captures } = app.about;
  const which = h('select', { 'aria-label': 'Profile' }, captures.map(name => h('option', { value: name }, name === 'profile' ? 'CPU (profile)' : name)));
  const seconds = h('input', { 'aria-label': 'Seconds', inputmode: 'decimal', value: '5' });
  const words = h('p', { role: 'status' });
  const button = h('button', { class: 'primary', id: 'capture', onclick: () => take() }, 'Capture');
  const box = dialog('Capture a profile of this program',
    h('p', {}, which, ' for ', seconds, ' seconds'),
    h('p', { class: 'dim' }, 'Without seconds, what a profile holds now; the CPU profile then takes 30. With seconds, the difference over that time.'),
    h('p', { class: 'buttons' }, button), words);
  const take = async () => {
    button.disabled = true;
    words.textContent = 'Capturing …';
    const params = new URLSearchParams({ profile: which.value });
    if (seconds.value.trim()) params.set('seconds', seconds.value.trim());
    try {
      const id = await (await app.api.send(`api/capture?${params}`, { method: 'POST' })).json();
      app.api.forget();
      box.close();
      app.state.set({ profile: String(id), z: null, si: null });
    } catch (error) {
      words.textContent = error.message;
      button.disabled = false;
    }
  };
}
