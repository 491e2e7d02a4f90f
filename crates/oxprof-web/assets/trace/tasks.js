// Tasks of the program by type, and one by one with what happened in them.

import { fill, h } from '../dom.js';
import { List, Page, distribution, link, number, some } from './list.js';
import { duration, moment } from './words.js';

export class View extends Page {
  question() {
    const type = this.app.state.params.get('type');
    return type === null ? ['tasks', {}] : ['task', { type }];
  }

  show(data) {
    if (data.types) this.types(data.types);
    else this.tasks(data);
  }

  types(rows) {
    if (!rows.length) return fill(this.place, h('p', { class: 'wait' }, 'The program declared no tasks. In Go that is trace.NewTask, in Rust oxprof::trace::task.'));
    rows.forEach(row => { [row.type, row.name] = [row.name, row.name || '(unknown)']; });
    const open = row => this.app.state.set({ type: row.type, col: null });
    const list = new List(this.app, [link('Tasks of type', row => row.name, open), number('Count', row => row.count), number('Complete', row => row.times.count), ...distribution(rows)], 'Tasks by type', open);
    this.table([h('span', { class: 'dim' }, 'Distributions are of tasks that begin and end in the trace.')], list, rows);
  }

  tasks({ tasks, count }) {
    const type = this.app.state.get('type');
    const card = task => h('section', { class: 'card' },
      h('h2', {}, `Task ${task.id} `, h('span', { class: 'dim' }, `${duration(task.duration)}${task.complete ? '' : ', incomplete'}, ${task.goroutines} goroutine${task.goroutines === 1 ? '' : 's'}${task.parent === null ? '' : `, part of task ${task.parent}`}`)),
      h('p', {}, h('button', { class: 'plain', onclick: () => this.app.open('timeline', around(task)) }, 'Show in the timeline'), ' · ',
        h('button', { class: 'plain', onclick: () => this.app.why({ task: String(task.id) }) }, 'Why did it take so long?')),
      h('table', { class: 'lines' }, task.events.map((event, i) => h('tr', {},
        h('td', { class: 'number' }, moment(event.time - task.start, 1000)), h('td', { class: 'number dim' }, i ? `+${duration(event.time - task.events[i - 1].time)}` : ''),
        h('td', { class: 'number dim' }, `goroutine ${event.goroutine}`), h('td', { class: 'text' }, sentence(event))))));
    fill(this.place, h('div', { class: 'tools' }, h('button', { class: 'tool', onclick: () => this.app.state.set({ type: null, col: null }) }, '← All types'), h('b', { class: 'ellipsis' }, type), h('span', { class: 'dim' }, some(tasks, count, 'tasks'))),
      h('div', { class: 'cards', tabindex: '0', 'aria-label': 'Tasks' }, tasks.map(card)));
  }
}

/** What happened. @param {{what: string, text: string, took: number | null}} event */
function sentence({ what, text, took }) {
  const [noun, verb] = what.split(' ');
  return [noun, text, verb, took !== null && `after ${duration(took)}`].filter(Boolean).join(' ');
}

/** Where a task is in the timeline. @param {any} task */
function around(task) {
  const more = Math.max(task.duration * 0.05, 500), last = task.events[task.events.length - 1];
  return { by: 'goroutine', g: String(last ? last.goroutine : ''), from: String(Math.round(Math.max(0, task.start - more))), to: String(Math.round(task.start + task.duration + more)) };
}
