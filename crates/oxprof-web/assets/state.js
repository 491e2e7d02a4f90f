// What is looked at: all of it is in the address, so that links show the same and going back undoes.

/** Parameters that only the page understands; all others are options of the profile. */
const OURS = new Set(['q', 'z', 'dir', 'p', 'dm', 'sel', 'col']);

/** @typedef {Record<string, string | null>} Changes */

export class State {
  constructor() {
    /** @type {(() => void)[]} */
    this.listeners = [];
    this.read();
    addEventListener('popstate', () => { this.read(); this.tell(); });
  }

  read() {
    this.view = location.pathname.replace(/\/+$/, '').split('/').pop() || 'flamegraph';
    this.params = new URLSearchParams(location.search);
  }

  /** @param {string} name */
  get(name) {
    return this.params.get(name) || '';
  }

  /** The parameters that change what is asked of the server. @param {string[]} [more] */
  options(more = []) {
    const chosen = new URLSearchParams();
    for (const [name, value] of this.params) {
      if (value && (!OURS.has(name) || more.includes(name))) chosen.append(name, value);
    }
    chosen.sort();
    return chosen;
  }

  /**
   * The address after some changes; `null` removes a parameter.
   * @param {Changes} changes
   * @param {string} [view]
   */
  link(changes, view = this.view) {
    const params = new URLSearchParams(this.params);
    for (const [name, value] of Object.entries(changes)) {
      if (value === null || value === '') params.delete(name);
      else params.set(name, value);
      // A place in one picture means nothing in another.
      if (!OURS.has(name) || name === 'p' || name === 'dir') if (!('z' in changes)) params.delete('z');
    }
    const query = params.toString();
    return view + (query ? `?${query}` : '');
  }

  /**
   * Goes there. `replace` leaves no step to go back to.
   * @param {Changes} changes
   * @param {{view?: string, replace?: boolean}} [how]
   */
  set(changes, { view, replace } = {}) {
    const link = this.link(changes, view);
    if (link === this.view + location.search) return;
    if (replace) history.replaceState(null, '', link);
    else history.pushState(null, '', link);
    this.read();
    this.tell();
  }

  /** Notes a change that is seen already. @param {Changes} changes */
  note(changes) {
    history.replaceState(null, '', this.link(changes));
    this.read();
  }

  tell() {
    for (const listener of this.listeners) listener();
  }

  /** @param {() => void} listener */
  listen(listener) {
    this.listeners.push(listener);
  }
}
