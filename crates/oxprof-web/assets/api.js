// Questions to the server. Replies are kept for a while: going back shows at once what was seen before.

const KEPT = 24;

export class Api {
  constructor() {
    /** @type {Map<string, Promise<any>>} */
    this.known = new Map();
    this.busy = 0;
    /** @type {(busy: boolean) => void} */
    this.onbusy = () => {};
  }

  /** @param {string} path @param {URLSearchParams} [params] */
  json(path, params) {
    return this.ask(path, params, reply => reply.json());
  }

  /** @param {string} path @param {URLSearchParams} [params] @returns {Promise<ArrayBuffer>} */
  bytes(path, params) {
    return this.ask(path, params, reply => reply.arrayBuffer());
  }

  /** @param {string} path @param {URLSearchParams} [params] @returns {Promise<string>} */
  text(path, params) {
    return this.ask(path, params, reply => reply.text());
  }

  /**
   * @param {string} path
   * @param {URLSearchParams} [params]
   * @param {(reply: Response) => Promise<any>} read
   */
  ask(path, params, read) {
    const url = path + (params && params.size ? `?${params}` : '');
    const known = this.known.get(url);
    if (known) return known;
    const reply = this.send(url, {}).then(read);
    this.known.set(url, reply);
    reply.catch(() => this.known.delete(url));
    for (const old of this.known.keys()) {
      if (this.known.size <= KEPT) break;
      this.known.delete(old);
    }
    return reply;
  }

  /** Forgets all replies: the profile is another one. */
  forget() {
    this.known.clear();
  }

  /** @param {string} url @param {RequestInit} how @returns {Promise<Response>} */
  async send(url, how) {
    this.onbusy(++this.busy > 0);
    try {
      const reply = await fetch(url, how);
      if (!reply.ok) throw new Error((await reply.text()).trim() || reply.statusText);
      return reply;
    } catch (error) {
      if (error instanceof TypeError) throw new Error('The server does not answer; is it still running?');
      throw error;
    } finally {
      this.onbusy(--this.busy > 0);
    }
  }
}
