//! What is written is read, by our reader and by Go's.

mod support;

use oxprof_trace::wire::EventType as E;
use oxprof_trace::write::{Clock, Events, FrameRef, Generation, Sample, StackId, header};
use oxprof_trace::{
    GoId, Kind, Names, Options, ProcId, ThreadId, WaitFilter, WaitProfiler, Waiting, for_each,
};
use support::go_tool_trace;

const STRICT: Options = Options { strict: true, max_generation: 1 << 30 };
const MAIN: FrameRef<'_> = FrameRef { func: "app::main", file: "main.rs", line: 1 };
const LOCK: FrameRef<'_> = FrameRef { func: "app::lock", file: "lock.rs", line: 7 };

/// Two threads, each with a processor and a goroutine; the first waits `waits` times for the other, 60 ns
/// in a lock and 40 ns for its processor each time.
fn convoy(generation: u64, waits: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let mut g = Generation::new(generation);
    let (main, lock) = (u64::from(g.stack(&[MAIN])), u64::from(g.stack(&[LOCK, MAIN])));
    let sync = u64::from(g.string("sync"));
    let (mut one, mut two) = (Events::new(), Events::new());
    let start = 1_000_000 * generation;
    for (thread, events) in [(1, &mut one), (2, &mut two)] {
        events.push(start, E::ProcStatus, &[thread - 1, 1]);
        events.push(start + 1, E::GoStatusStack, &[thread, thread, 2, main]);
    }
    one.push(start + 2, E::ProcsChange, &[2, main]);
    for i in 0..waits {
        let t = start + 100 * (i + 1);
        one.push(t, E::GoBlock, &[sync, lock]);
        two.push(t + 60, E::GoUnblock, &[1, 2 * i + 1, lock]);
        one.push(t + 99, E::GoStart, &[1, 2 * i + 2]);
    }
    g.events(ThreadId(1), &mut one);
    g.events(ThreadId(2), &mut two);
    let ticks = start + 100 * waits + 200;
    let stack = g.stack(&[MAIN]);
    g.sample(&Sample { ticks, thread: ThreadId(1), proc: ProcId(0), goroutine: GoId(1), stack });
    g.finish(
        Clock { frequency: 1_000_000_000, ticks, mono: ticks, wall_seconds: 1, wall_nanos: 0 },
        &mut out,
    );
    out
}

/// Count and nanoseconds of a kind of waiting in all.
fn waited(bytes: &[u8], waiting: Waiting) -> (i64, i64) {
    let mut profiler = WaitProfiler::new(waiting, WaitFilter::default());
    for_each(bytes, STRICT, |event, tables| profiler.event(event, tables)).unwrap();
    let profile = profiler.finish();
    profile.samples.iter().fold((0, 0), |(n, t), s| (n + s.values[0], t + s.values[1]))
}

/// Enough that each thread needs several batches.
const MANY: u64 = 9_000;

#[test]
fn a_trace_says_what_was_written() {
    let bytes = [&header()[..], &convoy(1, MANY), &convoy(2, 10)].concat();
    let waits = MANY as i64 + 10;
    assert_eq!(waited(&bytes, Waiting::Sync), (waits, 60 * waits));
    assert_eq!(waited(&bytes, Waiting::Sched), (waits, 39 * waits));
    assert_eq!(waited(&bytes, Waiting::Net), (0, 0));
}

#[test]
fn go_accepts_it() {
    let bytes = [&header()[..], &convoy(1, MANY), &convoy(2, 10)].concat();
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("written.trace");
    std::fs::write(&file, &bytes).unwrap();
    let Some(output) = go_tool_trace(&["-d=parsed"], &file) else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut ours = String::new();
    for_each(&bytes, STRICT, |event, tables| event.write_text(tables, &mut ours)).unwrap();
    assert_eq!(ours, String::from_utf8_lossy(&output.stdout));
}

/// Cut anywhere, a trace is good up to the end of the last whole generation.
#[test]
fn a_cut_trace_is_good_up_to_the_last_generation() {
    let first = [&header()[..], &convoy(1, 5)].concat();
    let both = [&first[..], &convoy(2, 5)].concat();
    for cut in first.len()..both.len() {
        let mut syncs = 0;
        let result = for_each(&both[..cut], STRICT, |event, _| {
            syncs += u32::from(matches!(event.kind, Kind::Sync { .. }));
        });
        assert_eq!(result.is_ok(), cut == first.len(), "cut at {cut}");
        assert_eq!(syncs, 2, "cut at {cut}");
    }
}

#[test]
fn names_and_stacks_keep_to_the_limits() {
    let mut g = Generation::new(1);
    let long = "é".repeat(600);
    let deep = vec![FrameRef { func: &long, file: "f", line: 1 }; 200];
    assert_ne!(g.stack(&deep), StackId::default());
    assert_eq!(g.stack(&[]), StackId::default());
    assert_eq!(g.string(&long), g.string(&"é".repeat(512)));
    let many: Vec<_> = (0..3_000).map(|i| format!("{i} {}", "x".repeat(100))).collect();
    many.iter().for_each(|text| _ = g.string(text));
    let clock = Clock { frequency: 1, ticks: 1, mono: 1, wall_seconds: 1, wall_nanos: 1 };
    let mut bytes = header().to_vec();
    g.finish(clock, &mut bytes);
    assert!(for_each(&bytes, STRICT, |_, _| ()).is_ok());
}

/// Readers take a program counter for one place in the whole trace.
#[test]
fn places_are_the_same_in_each_generation() {
    let generation = |number, func| {
        let mut out = Vec::new();
        let mut g = Generation::new(number);
        let stack = g.stack(&[FrameRef { func, file: "app.rs", line: 1 }]);
        let mut events = Events::new();
        let start = 1000 * number;
        events.push(start, E::ProcStatus, &[0, 1]);
        events.push(start + 1, E::GoStatusStack, &[1, 1, 2, stack.into()]);
        events.push(start + 2, E::ProcsChange, &[1, stack.into()]);
        g.events(ThreadId(1), &mut events);
        let ticks = start + 3;
        let clock =
            Clock { frequency: 1_000_000_000, ticks, mono: ticks, wall_seconds: 1, wall_nanos: 0 };
        g.finish(clock, &mut out);
        out
    };
    let bytes =
        [&header()[..], &generation(1, "a"), &generation(2, "b"), &generation(3, "a")].concat();
    let (mut names, mut roots) = (Names::default(), Vec::new());
    for_each(&bytes, STRICT, |event, tables| {
        names.event(event);
        if matches!(event.kind, Kind::Metric(..)) {
            let stack = names.stack(event.stack, tables);
            roots.extend(names.root(stack).map(|frame| names.get(frame.func).to_owned()));
        }
    })
    .unwrap();
    assert_eq!(roots, ["a", "b", "a"]);
}
