// What the server draws of an interval, and questions about it. The layout is described in the server's encode.rs.

/** @typedef {{progress: number, duration: number, from: number, to: number, known: [number, number], columns: number,
 *   resolution: number, close: boolean, exact: boolean, total: number, first: number, omitted: number, problems: number,
 *   lanes: {kind: string, id: number, function: string}[], counters: string[], legend: [string, string][],
 *   stacks: number[][], frames: [string, string, number][], slices: number, instants: number, arrows: number}} Head */

/** Something on a lane, from when to when. `go` is −1 for none.
 * @typedef {{lane: number, start: number, end: number, legend: number, go: number, stack: number, inner: boolean}} Slice */

export class Picture {
  /** @param {ArrayBuffer} buffer */
  constructor(buffer) {
    const length = new DataView(buffer).getUint32(0, true);
    /** @type {Head} */
    this.head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
    const { lanes, slices, instants, arrows, exact, columns, counters } = this.head;
    let at = 4 + length;
    const take = (type, count) => {
      const array = new type(buffer, at, count);
      at += array.byteLength;
      return array;
    };
    this.sliceTimes = take(Float64Array, 2 * slices);
    this.instantTimes = take(Float64Array, instants);
    this.arrowTimes = take(Float64Array, 2 * arrows);
    this.slices = take(Uint32Array, 4 * slices);
    this.instants = take(Uint32Array, 3 * instants);
    this.arrows = take(Uint32Array, 5 * arrows);
    this.cells = exact ? null : take(Uint32Array, lanes.length * columns);
    /** @type {Map<string, Float32Array>} */
    this.counters = new Map(counters.map(name => [name, take(Float32Array, columns)]));
    /** @type {Map<number, Slice[]>} */
    this.known = new Map();
    if (exact) this.index();
  }

  /** Positions of slices by lane, in the order of their ends. */
  index() {
    /** @type {number[][]} */
    this.byLane = this.head.lanes.map(() => []);
    for (let i = 0; i < this.head.slices; i++) this.byLane[this.slices[4 * i]].push(i);
  }

  /** What is on a lane, by time: slices, or stretches in which mostly the same happens. @param {number} lane @returns {Slice[]} */
  on(lane) {
    let found = this.known.get(lane);
    if (!found) this.known.set(lane, found = this.cells ? this.stretches(lane) : this.byLane[lane].map(i => this.slice(i)));
    return found;
  }

  /** @param {number} i @returns {Slice} */
  slice(i) {
    const [lane, legend, go, stack] = this.slices.subarray(4 * i, 4 * i + 4);
    const kind = this.head.legend[legend][0];
    const inner = kind === 'call' || (kind === 'range' && this.head.lanes[lane].kind !== 'gc');
    return { lane, start: this.sliceTimes[2 * i], end: this.sliceTimes[2 * i + 1], legend, go: go - 1, stack: stack - 1, inner };
  }

  /** @param {number} lane @returns {Slice[]} */
  stretches(lane) {
    const { columns, from, to, lanes } = this.head, step = (to - from) / columns, found = [];
    const go = lanes[lane].kind === 'goroutine' ? lanes[lane].id : -1;
    for (let i = 0; i < columns; i++) {
      const cell = this.cells[lane * columns + i], legend = cell >>> 16, last = found[found.length - 1];
      if (!cell) continue;
      const start = from + i * step;
      if (last && last.legend === legend && Math.abs(last.end - start) < step / 2) last.end = start + step;
      else found.push({ lane, start, end: start + step, legend, go, stack: -1, inner: false });
    }
    return found;
  }

  /** What is on a lane at a time; inner things win. @param {number} lane @param {number} time @param {boolean} [inner] */
  at(lane, time, inner = true) {
    let best = null;
    for (const slice of this.on(lane)) {
      if (slice.start > time || slice.end <= time || (slice.inner && !inner)) continue;
      if (!best || (slice.inner && !best.inner) || slice.end - slice.start < best.end - best.start) best = slice;
    }
    return best;
  }

  /** Kind and text of a slice. @param {Slice} slice */
  what(slice) {
    const [kind, text] = this.head.legend[slice.legend];
    return { kind, text };
  }

  /** Frames of a slice's stack, leaf first. @param {number} stack */
  stack(stack) {
    return (this.head.stacks[stack] || []).map(frame => this.head.frames[frame]);
  }

  /** @param {number} i */
  arrow(i) {
    const [cause, lane, legend, by, woken] = this.arrows.subarray(5 * i, 5 * i + 5);
    return { cause: cause - 1, lane, legend, by: by - 1, woken: woken - 1, from: this.arrowTimes[2 * i], to: this.arrowTimes[2 * i + 1] };
  }

  /** What woke the goroutine of a slice: at its begin, or at the end of its wait. @param {Slice} slice */
  cause(slice) {
    if (slice.go < 0) return null;
    for (let i = 0; i < this.head.arrows; i++) {
      const arrow = this.arrow(i);
      if (arrow.woken === slice.go && (arrow.to === slice.start || arrow.from === slice.start || arrow.from === slice.end)) return arrow;
    }
    return null;
  }

  /** The lane of this kind and number, −1 if it is not here. @param {string} kind @param {number} id */
  lane(kind, id) {
    return this.head.lanes.findIndex(lane => lane.kind === kind && lane.id === id);
  }
}
