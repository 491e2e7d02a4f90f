// Times, lanes and states as people read them.

const UNITS = [[1e9, 's'], [1e6, 'ms'], [1e3, 'µs']];

/** Nanoseconds with three digits and a unit. @param {number} nanos */
export function duration(nanos) {
  const unit = UNITS.find(([size]) => Math.abs(nanos) >= size);
  if (!unit) return `${Math.round(nanos)} ns`;
  const value = nanos / unit[0], size = Math.abs(value);
  return `${value.toFixed(size < 9.995 ? 2 : size < 99.95 ? 1 : 0)} ${unit[1]}`;
}

/** A moment, with as many digits as tell it from one that is `apart` later. @param {number} nanos @param {number} apart */
export function moment(nanos, apart) {
  const [size, unit] = UNITS.find(([s]) => Math.max(Math.abs(nanos), apart) >= s) || [1, 'ns'];
  const digits = Math.max(0, Math.min(9, Math.ceil(Math.log10(size / Math.max(apart, 1)))));
  return `${(nanos / size).toFixed(digits)} ${unit}`;
}

/** @param {{kind: string, id: number, function: string}} lane */
export function laneName(lane) {
  switch (lane.kind) {
    case 'proc': return `Processor ${lane.id}`;
    case 'thread': return `Thread ${lane.id}`;
    case 'goroutine': return lane.function ? `${lane.id} ${lane.function}` : `Goroutine ${lane.id}`;
    case 'gc': return 'Garbage collection';
    case 'network': return 'Network';
    default: return 'System calls';
  }
}

/** @type {Record<string, string>} */
const KINDS = { call: 'in a system call', 'proc start': 'processor taken by thread', 'proc stop': 'processor left by thread', sample: 'CPU sample', create: 'created', unblock: 'woken', 'syscall exit': 'back from a system call', other: 'something', syscall: 'in a system call' };

/** What something is. @param {{kind: string, text: string}} what */
export function name({ kind, text }) {
  if (kind === 'function') return text || '(unknown)';
  if (kind === 'range' || kind === 'log') return text;
  const word = KINDS[kind] || kind;
  return kind.startsWith('proc') ? `${word} ${text}` : text ? `${word} (${text})` : word;
}
