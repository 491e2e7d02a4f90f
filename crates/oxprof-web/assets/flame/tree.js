// A flame graph as the server sends it, and where its frames are. See `flame.rs` for the format.

/** @typedef {{whole: number, total: number, unit: string, units: [number, string][], difference: boolean,
 *   dropped: number, window: [number, number], every: number, names: string[], ids: number[], hues: number[],
 *   remarks: string[]}} Head */

export class Tree {
  /** @param {ArrayBuffer} buffer */
  constructor(buffer) {
    const bytes = new Uint8Array(buffer);
    const length = new DataView(buffer).getUint32(0, true);
    /** @type {Head} */
    this.head = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
    this.read(bytes, 4 + length);
    this.index();
  }

  /** @param {Uint8Array} bytes @param {number} at */
  read(bytes, at) {
    const most = Math.floor((bytes.length - at) / (this.head.difference ? 6 : 5));
    const name = new Uint32Array(most), depth = new Uint32Array(most), parent = new Int32Array(most);
    const start = new Float64Array(most), weight = new Float64Array(most), own = new Float64Array(most);
    const net = new Float64Array(this.head.difference ? most : 0);
    // Numbers may have more bits than JavaScript shifts.
    const number = () => {
      let value = 0, place = 1, byte;
      do {
        byte = bytes[at++];
        value += (byte & 127) * place;
        place *= 128;
      } while (byte > 127);
      return value;
    };
    /** @type {number[]} */
    const next = [0], open = [];
    let i = 0, d = 0;
    for (; at < bytes.length; i++) {
      name[i] = number();
      d = i ? depth[i - 1] + 1 - number() : number();
      open.length = d;
      parent[i] = d ? open[d - 1] : -1;
      open.push(i);
      depth[i] = d;
      start[i] = next[d] + number();
      weight[i] = number();
      own[i] = number();
      if (this.head.difference) {
        const coded = number();
        net[i] = coded % 2 ? -(coded + 1) / 2 : coded / 2;
      }
      next[d] = start[i] + weight[i];
      next.length = d + 1;
      next.push(start[i]);
    }
    this.count = i;
    Object.assign(this, { name, depth, parent, start, weight, own, net });
  }

  /** Frames of each depth, from left to right: frames come callers first. */
  index() {
    let rows = 0;
    for (let i = 0; i < this.count; i++) rows = Math.max(rows, this.depth[i] + 1);
    const sizes = new Uint32Array(rows + 1);
    for (let i = 0; i < this.count; i++) sizes[this.depth[i] + 1]++;
    for (let d = 0; d < rows; d++) sizes[d + 1] += sizes[d];
    const firsts = sizes.slice(), order = new Uint32Array(this.count);
    for (let i = 0; i < this.count; i++) order[firsts[this.depth[i]]++] = i;
    this.rows = rows;
    this.firsts = sizes;
    this.order = order;
  }

  /**
   * Position in `order` of the first frame of a row that ends right of a place.
   * @param {number} row
   * @param {number} place
   */
  seek(row, place) {
    let low = this.firsts[row], high = this.firsts[row + 1];
    while (low < high) {
      const middle = (low + high) >> 1, i = this.order[middle];
      if (this.start[i] + this.weight[i] <= place) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The frame at a place, −1 if there is none. @param {number} row @param {number} place */
  at(row, place) {
    if (row < 0 || row >= this.rows) return -1;
    const position = this.seek(row, place);
    if (position >= this.firsts[row + 1]) return -1;
    const i = this.order[position];
    return this.start[i] <= place ? i : -1;
  }

  /** @param {number} i */
  text(i) {
    return this.head.names[this.name[i]];
  }

  /** Names from the first frame to this one. @param {number} i */
  stack(i) {
    const names = [];
    for (let at = i; at > 0; at = this.parent[at]) names.push(this.text(at));
    return names.reverse();
  }

  /** The callee of a frame that has this name, −1 if there is none. @param {number} i @param {string} name */
  callee(i, name) {
    for (let at = i + 1; at < this.count && this.depth[at] > this.depth[i]; at++) {
      if (this.parent[at] === i && this.text(at) === name) return at;
    }
    return -1;
  }

  /** The innermost frame that takes up all of a window. @param {number} from @param {number} to */
  around(from, to) {
    let found = 0;
    for (let row = 1; row < this.rows; row++) {
      const i = this.at(row, from);
      if (i < 0 || this.start[i] + this.weight[i] < to) break;
      found = i;
    }
    return found;
  }

  /**
   * A frame's counterpart in another tree, or that of the innermost of its callers that has one: both places.
   * @param {number} i
   * @param {Tree} other
   * @returns {[number, number]}
   */
  same(i, other) {
    const way = [];
    for (let at = i; at > 0; at = this.parent[at]) way.push(at);
    let [here, there] = [0, 0];
    for (const next of way.reverse()) {
      const found = other.callee(there, this.text(next));
      if (found < 0) break;
      [here, there] = [next, found];
    }
    return [here, there];
  }
}
