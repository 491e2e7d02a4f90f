//! Scripted truths: what a trace was written to show is what the analyses say.

use oxprof_trace::chain::History;
use oxprof_trace::mutator::{GcWork, Utilization};
use oxprof_trace::timeline::{Item, Lane, LanesBy, Timeline};
use oxprof_trace::wire::EventType as E;
use oxprof_trace::write::{Clock, Events, FrameRef, Generation, header};
use oxprof_trace::{GoId, GoState, Latencies, Options, Summarizer, Summary, ThreadId, for_each};

const STRICT: Options = Options { strict: true, max_generation: 1 << 30 };
const START: u64 = 1_000_000;

/// Writes a trace of one generation, with a thread, a processor and a goroutine for each name. Times are
/// nanoseconds since the beginning.
struct Script {
    generation: Generation,
    threads: Vec<Events>,
    numbers: Vec<u64>,
}

impl Script {
    fn new(names: &[&str]) -> Self {
        let mut generation = Generation::new(1);
        let threads = names.iter().enumerate().map(|(i, name)| {
            let stack = generation.stack(&[FrameRef { func: name, file: "app.rs", line: 1 }]);
            let mut events = Events::new();
            events.push(START, E::ProcStatus, &[i as u64, 1]);
            events.push(START, E::GoStatusStack, &[i as u64 + 1, i as u64 + 1, 2, stack.into()]);
            if i == 0 {
                events.push(START, E::ProcsChange, &[names.len() as u64, 0]);
            }
            events
        });
        let threads: Vec<_> = threads.collect();
        let numbers = vec![0; threads.len()];
        Self { generation, threads, numbers }
    }

    fn push(&mut self, who: usize, time: u64, event: E, args: &[u64]) -> &mut Self {
        self.threads[who].push(START + time, event, args);
        self
    }

    fn block(&mut self, who: usize, time: u64, reason: &str) -> &mut Self {
        let reason = u64::from(self.generation.string(reason));
        self.push(who, time, E::GoBlock, &[reason, 0])
    }

    fn number(&mut self, who: usize) -> u64 {
        self.numbers[who] += 1;
        self.numbers[who]
    }

    /// `waker` wakes `who`, who runs again later.
    fn wake(&mut self, waker: usize, who: usize, time: u64, runs: u64) -> &mut Self {
        let (unblock, start) = (self.number(who), self.number(who));
        self.push(waker, time, E::GoUnblock, &[who as u64 + 1, unblock, 0]);
        self.push(who, runs, E::GoStart, &[who as u64 + 1, start])
    }

    fn finish(self) -> Vec<u8> {
        let mut generation = self.generation;
        for (i, mut events) in self.threads.into_iter().enumerate() {
            generation.events(ThreadId(i as i64 + 1), &mut events);
        }
        let mut bytes = header().to_vec();
        let clock = Clock {
            frequency: 1_000_000_000,
            ticks: START,
            mono: 0,
            wall_seconds: 0,
            wall_nanos: 0,
        };
        generation.finish(clock, &mut bytes);
        bytes
    }
}

fn summary(bytes: &[u8]) -> Summary {
    let mut summarizer = Summarizer::default();
    for_each(bytes, STRICT, |event, tables| summarizer.event(event, tables)).unwrap();
    summarizer.finish()
}

/// The chain that ends on a goroutine, as `goroutine state nanoseconds` a link.
fn chain(bytes: &[u8], goroutine: i64, from: u64, to: u64) -> Vec<String> {
    let mut history = History::new((START + from) as i64, (START + to) as i64);
    for_each(bytes, STRICT, |event, tables| history.event(event, tables)).unwrap();
    let links = history.chain(GoId(goroutine));
    links.iter().map(|l| format!("{} {} {}", l.name, l.state, l.end - l.start)).collect()
}

/// Two goroutines want a lock that a third holds through a slow system call.
fn convoy() -> Vec<u8> {
    let mut s = Script::new(&["holder", "second", "third"]);
    s.block(1, 1_000, "sync").block(2, 2_000, "sync");
    s.push(0, 3_000, E::GoSyscallBegin, &[1, 0]).push(0, 90_000, E::GoSyscallEnd, &[]);
    s.wake(0, 1, 100_000, 101_000);
    s.wake(1, 2, 150_000, 170_000);
    s.push(2, 200_000, E::HeapAlloc, &[1]);
    s.finish()
}

#[test]
fn a_lock_convoy_is_blamed_on_its_holders() {
    let bytes = convoy();
    let expected = [
        "holder Running 3000",
        "holder Syscall 87000",
        "holder Running 10000",
        "second Waiting 0",
        "second Runnable 1000",
        "second Running 49000",
        "third Waiting 0",
        "third Runnable 20000",
        "third Running 30000",
    ];
    assert_eq!(chain(&bytes, 3, 0, 200_000), expected);
}

#[test]
fn a_late_wake_up_is_time_without_a_processor() {
    let mut latencies = Latencies::new();
    for_each(&convoy(), STRICT, |event, tables| latencies.event(event, tables)).unwrap();
    let rows = latencies.finish();
    let row = |name: &str, wait: &str| {
        let row = rows.iter().find(|row| row.goroutine == name && row.wait == wait).unwrap();
        (row.times.count(), row.times.max())
    };
    assert_eq!(row("third", "sched"), (1, 20_000));
    assert_eq!(row("third", "sync"), (1, 148_000));
    assert_eq!(row("holder", "syscall"), (1, 87_000));
}

/// As threads do in whose system calls the kernel ended the wait.
#[test]
fn who_goes_on_by_itself_waits_for_no_processor() {
    let mut s = Script::new(&["server", "client"]);
    s.block(1, 1_000, "network").wake(1, 1, 5_000, 5_000);
    s.block(1, 6_000, "network").wake(0, 1, 7_000, 7_005);
    s.push(0, 8_000, E::HeapAlloc, &[1]);
    let mut latencies = Latencies::new();
    for_each(&s.finish(), STRICT, |event, tables| latencies.event(event, tables)).unwrap();
    let row = |row: oxprof_trace::LatencyRow| (row.wait, row.times.count(), row.times.sum());
    let rows: Vec<_> = latencies.finish().into_iter().map(row).collect();
    assert_eq!(rows, [("network".to_owned(), 2, 5_000), ("sched".to_owned(), 1, 5)]);
}

#[test]
fn a_starved_goroutine_has_its_time_accounted_for() {
    let mut s = Script::new(&["hog", "starved"]);
    s.block(1, 1_000, "chan receive");
    s.wake(0, 1, 2_000, 902_000);
    s.block(1, 903_000, "chan receive").push(0, 1_000_000, E::HeapAlloc, &[1]);
    let summary = summary(&s.finish());
    let starved = &summary.goroutines[1].stats;
    assert_eq!(starved.sched_wait, 900_000);
    // The trace ends a nanosecond after its last event.
    assert_eq!(starved.blocked_total(), 98_001);
    let all: i64 = starved.states(&summary.names).iter().map(|(_, nanos)| nanos).sum();
    assert_eq!(all, starved.total);
    assert!(starved.unknown() < starved.total / 50, "{} unknown", starved.unknown());
}

#[test]
fn lanes_show_who_ran_where() {
    let mut slices = Vec::new();
    let mut timeline = Timeline::new(LanesBy::Proc);
    let mut sink = |_: &oxprof_trace::Names, item: Item| {
        if let Item::Slice { lane: Lane::Proc(proc), start, end, .. } = item {
            slices.push((proc.0, end - start));
        }
    };
    for_each(&convoy(), STRICT, |event, tables| timeline.event(event, tables, &mut sink)).unwrap();
    timeline.finish(&mut sink);
    assert!(slices.contains(&(0, 87_000)), "the system call: {slices:?}");
    assert!(slices.contains(&(2, 30_001)), "the third's turn: {slices:?}");
    assert!(slices.iter().all(|(_, length)| *length > 0));
}

#[test]
fn a_goroutines_own_lane_shows_its_states() {
    let mut states = Vec::new();
    let mut timeline = Timeline::new(LanesBy::Goroutine);
    let mut sink = |_: &oxprof_trace::Names, item: Item| {
        if let Item::Slice { lane: Lane::Goroutine(GoId(3)), name, start, end, .. } = item {
            let oxprof_trace::timeline::Name::State(state, _) = name else { panic!("{name:?}") };
            states.push((state, end - start));
        }
    };
    for_each(&convoy(), STRICT, |event, tables| timeline.event(event, tables, &mut sink)).unwrap();
    timeline.finish(&mut sink);
    let waits = [(GoState::Waiting, 148_000), (GoState::Runnable, 20_000)];
    assert_eq!(states[1..3], waits);
}

/// A background worker that runs twice, for 10 µs and for 20 µs, takes half of two processors each time.
#[test]
fn a_background_worker_counts_while_it_runs() {
    let mut s = Script::new(&["program", "runtime.gcBgMarkWorker"]);
    let label = u64::from(s.generation.string("GC (dedicated)"));
    s.block(1, 1_000, "system goroutine wait");
    s.wake(0, 1, 10_000, 10_000).push(1, 10_000, E::GoLabel, &[label]);
    s.block(1, 20_000, "system goroutine wait");
    s.wake(0, 1, 50_000, 50_000).push(1, 50_000, E::GoLabel, &[label]);
    s.block(1, 70_000, "system goroutine wait").push(0, 100_000, E::HeapAlloc, &[1]);
    let mut utilization = Utilization::new(GcWork::default());
    for_each(&s.finish(), STRICT, |event, tables| utilization.event(event, tables)).unwrap();
    let curve = utilization.finish().unwrap();
    let close = |found: f64, expected: f64| {
        assert!((found - expected).abs() < 1e-3, "{found}, not {expected}");
    };
    close(curve.minimum(20_000), 0.5);
    close(curve.minimum(40_000), 0.75);
    close(curve.minimum(curve.duration()), 0.85);
}
