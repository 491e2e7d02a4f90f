//! Writes traces of any size: a service with eight processors and a few thousand goroutines that wait for
//! the network, for locks and for each other, make system calls, come and go.

use std::collections::VecDeque;

use oxprof_trace::ThreadId;
use oxprof_trace::wire::EventType as E;
use oxprof_trace::write::{Clock, Events, FrameRef, Generation};

const THREADS: usize = 8;
const GOROUTINES: usize = 2_000;
const STACKS: usize = 300;

#[derive(Clone, Copy, PartialEq)]
enum State {
    Waiting,
    Runnable,
    Running,
    Gone,
}

struct Goroutine {
    state: State,
    seq: u64,
    /// When its state changed; nothing that follows from that may be earlier.
    since: u64,
}

struct Thread {
    time: u64,
    running: Option<usize>,
    proc_seq: u64,
    events: Events,
}

/// The service, between generations.
pub(crate) struct Service {
    random: u64,
    goroutines: Vec<Goroutine>,
    waiting: Vec<usize>,
    runnable: VecDeque<usize>,
    threads: Vec<Thread>,
    generation: u64,
}

impl Service {
    pub(crate) fn new() -> Self {
        let goroutines =
            (0..GOROUTINES).map(|_| Goroutine { state: State::Waiting, seq: 0, since: 0 });
        let thread = |_| Thread { time: 1_000, running: None, proc_seq: 0, events: Events::new() };
        Self {
            random: 0x2545_f491_4f6c_dd1d,
            goroutines: goroutines.collect(),
            waiting: (0..GOROUTINES).collect(),
            runnable: VecDeque::new(),
            threads: (0..THREADS).map(thread).collect(),
            generation: 0,
        }
    }

    fn below(&mut self, limit: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % limit as u64) as usize
    }

    /// Appends a generation of about `size` bytes to a trace.
    pub(crate) fn generation(&mut self, size: usize, out: &mut Vec<u8>) {
        self.generation += 1;
        let mut g = Generation::new(self.generation);
        let stacks: Vec<_> = (0..STACKS).map(|i| stack(&mut g, i)).collect();
        let reasons =
            ["network", "sync", "chan receive", "select", "sleep"].map(|r| u64::from(g.string(r)));
        self.begin(&stacks);
        let mut written = 0;
        while written < size {
            let thread = (0..THREADS).min_by_key(|&i| self.threads[i].time).unwrap_or_default();
            let before = self.threads[thread].events.len();
            self.act(thread, &stacks, &reasons);
            written += self.threads[thread].events.len() - before;
        }
        for (i, thread) in self.threads.iter_mut().enumerate() {
            g.events(ThreadId(i as i64 + 1), &mut thread.events);
        }
        let ticks = self.threads[0].time;
        let clock =
            Clock { frequency: 1_000_000_000, ticks, mono: ticks, wall_seconds: 0, wall_nanos: 0 };
        g.finish(clock, out);
    }

    /// Introduces everything to the generation.
    fn begin(&mut self, stacks: &[u64]) {
        let now = self.threads.iter().map(|thread| thread.time).max().unwrap_or_default();
        for (i, thread) in self.threads.iter_mut().enumerate() {
            (thread.time, thread.proc_seq) = (now + 1, 0);
            thread.events.push(now, E::ProcStatus, &[i as u64, 1]);
            if let Some(go) = thread.running {
                thread.events.push(
                    now,
                    E::GoStatusStack,
                    &[go as u64 + 1, i as u64 + 1, 2, stacks[go % STACKS]],
                );
            }
        }
        for (i, go) in self.goroutines.iter_mut().enumerate() {
            go.seq = 0;
            let status = match go.state {
                State::Runnable => 1,
                State::Waiting => 4,
                State::Running | State::Gone => continue,
            };
            let args = [i as u64 + 1, u64::MAX, status, stacks[i % STACKS]];
            self.threads[0].events.push(now, E::GoStatusStack, &args);
        }
    }

    /// A thread does something.
    fn act(&mut self, thread: usize, stacks: &[u64], reasons: &[u64; 5]) {
        let stack = stacks[self.below(STACKS)];
        let dice = self.below(100);
        self.threads[thread].time += 60 + self.below(800) as u64;
        let Some(go) = self.threads[thread].running else { return self.schedule(thread, stack) };
        match dice {
            0..30 => self.unblock(thread, stack),
            30..60 => {
                self.threads[thread].proc_seq += 1;
                let seq = self.threads[thread].proc_seq;
                self.push(thread, E::GoSyscallBegin, &[seq, stack]);
                self.threads[thread].time += 200;
                self.push(thread, E::GoSyscallEnd, &[]);
            }
            60..88 => {
                let reason = reasons[self.below(reasons.len())];
                self.push(thread, E::GoBlock, &[reason, stack]);
                self.leave(thread, go, State::Waiting);
            }
            88..94 => {
                self.push(thread, E::GoStop, &[reasons[4], stack]);
                self.leave(thread, go, State::Runnable);
            }
            94..96 => self.create(thread, stack),
            96..98 => {
                self.push(thread, E::GoDestroy, &[]);
                self.leave(thread, go, State::Gone);
            }
            _ => {
                let bytes = self.below(1 << 30) as u64;
                self.push(thread, E::HeapAlloc, &[bytes]);
            }
        }
    }

    fn push(&mut self, thread: usize, event: E, args: &[u64]) {
        let thread = &mut self.threads[thread];
        thread.events.push(thread.time, event, args);
    }

    /// A thread changes a goroutine's state, after whatever changed it before.
    fn change(&mut self, thread: usize, go: usize, state: State) -> u64 {
        let (thread, go) = (&mut self.threads[thread], &mut self.goroutines[go]);
        thread.time = thread.time.max(go.since + 1);
        (go.state, go.since) = (state, thread.time);
        go.seq += 1;
        go.seq
    }

    fn leave(&mut self, thread: usize, go: usize, state: State) {
        self.goroutines[go].state = state;
        self.goroutines[go].since = self.threads[thread].time;
        self.threads[thread].running = None;
        match state {
            State::Waiting => self.waiting.push(go),
            State::Runnable => self.runnable.push_back(go),
            State::Running | State::Gone => {}
        }
    }

    fn create(&mut self, thread: usize, stack: u64) {
        let new = self.goroutines.len();
        let since = self.threads[thread].time;
        self.goroutines.push(Goroutine { state: State::Runnable, seq: 0, since });
        self.runnable.push_back(new);
        self.push(thread, E::GoCreate, &[new as u64 + 1, stack, stack]);
    }

    fn unblock(&mut self, thread: usize, stack: u64) {
        if self.waiting.is_empty() {
            return self.create(thread, stack);
        }
        let at = self.below(self.waiting.len());
        let go = self.waiting.swap_remove(at);
        let seq = self.change(thread, go, State::Runnable);
        self.push(thread, E::GoUnblock, &[go as u64 + 1, seq, stack]);
        self.runnable.push_back(go);
    }

    fn schedule(&mut self, thread: usize, stack: u64) {
        let Some(go) = self.runnable.pop_front() else { return self.unblock(thread, stack) };
        let seq = self.change(thread, go, State::Running);
        self.push(thread, E::GoStart, &[go as u64 + 1, seq]);
        self.threads[thread].running = Some(go);
    }
}

fn stack(g: &mut Generation, i: usize) -> u64 {
    let funcs: Vec<_> = (0..12)
        .map(|depth| format!("service/internal/layer{depth}.handle{}", i % (20 * (12 - depth))))
        .collect();
    let frames: Vec<_> = funcs
        .iter()
        .map(|func| FrameRef {
            func,
            file: "/src/service/internal/layer.go",
            line: 10 + i as u64 % 50,
        })
        .collect();
    g.stack(&frames).into()
}
