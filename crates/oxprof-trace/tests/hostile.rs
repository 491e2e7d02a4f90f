//! Damaged and hostile bytes: no panic, bounded memory, and what is good comes out.

mod support;

use oxprof_trace::chain::History;
use oxprof_trace::mutator::{GcWork, Utilization};
use oxprof_trace::timeline::{LanesBy, Timeline};
use oxprof_trace::wire::EventType as E;
use oxprof_trace::write::{Clock, Events, FrameRef, Generation, header};
use oxprof_trace::{
    GoId, Kind, Latencies, Options, Problems, RawReader, RawStep, Rule, Summarizer, SyncKind,
    ThreadId, Violation, WaitFilter, WaitProfiler, Waiting, for_each,
};

const LENIENT: Options = Options { strict: false, max_generation: 16 << 20 };

/// Does everything that can be done with a trace; returns the number of events.
fn drive(bytes: &[u8]) -> Result<(u64, Problems), Violation> {
    let mut profilers =
        Waiting::ALL.map(|waiting| WaitProfiler::new(waiting, WaitFilter::default()));
    let mut summarizer = Summarizer::default();
    let mut latencies = Latencies::new();
    let mut utilization = Utilization::new(GcWork { sweep: true, ..GcWork::default() });
    let mut history = History::new(0, i64::MAX);
    let mut timelines = [LanesBy::Proc, LanesBy::Thread, LanesBy::Goroutine].map(Timeline::new);
    let mut text = String::new();
    let mut events = 0;
    let result = for_each(bytes, LENIENT, |event, tables| {
        events += 1;
        text.clear();
        event.write_text(tables, &mut text);
        profilers.iter_mut().for_each(|profiler| profiler.event(event, tables));
        summarizer.event(event, tables);
        latencies.event(event, tables);
        utilization.event(event, tables);
        history.event(event, tables);
        timelines.iter_mut().for_each(|timeline| timeline.event(event, tables, &mut |_, _| ()));
    });
    profilers.into_iter().for_each(|profiler| drop(profiler.finish()));
    let goroutines = summarizer.finish().goroutines.into_iter().take(3);
    goroutines.for_each(|go| drop(history.chain(go.id)));
    drop((latencies.finish(), history.chain(GoId(-1))));
    if let Some(curve) = utilization.finish() {
        curve.worst(1000, 3);
        curve.quantiles(1000, &[0.01, 0.5]);
    }
    timelines.into_iter().for_each(|timeline| drop(timeline.finish(&mut |_, _| ())));
    result.map(|problems| (events, problems))
}

fn drive_raw(bytes: &[u8]) {
    let mut reader = RawReader::new();
    reader.feed(bytes);
    reader.finish();
    while let Ok(RawStep::Event(raw)) = reader.step() {
        raw.write_text(&mut String::new());
    }
}

/// A trace with a bit of everything, of a version where only the header tells.
fn sample() -> Vec<u8> {
    let mut out = header().to_vec();
    for number in 1..=3 {
        let mut g = Generation::new(number);
        let main = FrameRef { func: "main", file: "main.rs", line: 1 };
        let stack = u64::from(g.stack(&[main]));
        let [sync, network, name, stop] =
            ["sync", "network", "name", "GC stop"].map(|s| u64::from(g.string(s)));
        let (mut one, mut two) = (Events::new(), Events::new());
        let t = 10_000 * number;
        one.push(t, E::ProcStatus, &[0, 1]);
        one.push(t + 1, E::GoStatusStack, &[1, 1, 2, stack]);
        one.push(t + 2, E::ProcsChange, &[2, stack]);
        two.push(t, E::ProcStatus, &[1, if number == 1 { 2 } else { 1 }]);
        let mut seq = 0;
        let mut next = || {
            seq += 1;
            seq
        };
        if number == 1 {
            two.push(t + 1, E::ProcStart, &[1, 1]);
            one.push(t + 3, E::GoCreate, &[2, stack, stack]);
        } else {
            two.push(t + 1, E::GoStatusStack, &[2, u64::MAX, 4, stack]);
            one.push(t + 3, E::GoUnblock, &[2, next(), stack]);
        }
        two.push(t + 10, E::GoStart, &[2, next()]);
        one.push(t + 11, E::UserTaskBegin, &[number, 0, name, stack]);
        one.push(t + 12, E::UserRegionBegin, &[number, name, stack]);
        one.push(t + 13, E::UserLog, &[number, name, sync, stack]);
        one.push(t + 14, E::STWBegin, &[stop, stack]);
        one.push(t + 15, E::GCBegin, &[2 * number - 1, stack]);
        one.push(t + 16, E::STWEnd, &[]);
        one.push(t + 17, E::GCMarkAssistBegin, &[stack]);
        two.push(t + 20, E::GoBlock, &[network, stack]);
        one.push(t + 25, E::GoUnblock, &[2, next(), 0]);
        two.push(t + 30, E::GoStart, &[2, next()]);
        let call = if number == 1 { 2 } else { 1 };
        two.push(t + 35, E::GoSyscallBegin, &[call, stack]);
        one.push(t + 40, E::ProcSteal, &[1, call + 1, 2]);
        two.push(t + 45, E::GoSyscallEndBlocked, &[]);
        two.push(t + 46, E::ProcStart, &[1, call + 2]);
        two.push(t + 47, E::GoStart, &[2, next()]);
        one.push(t + 48, E::GCMarkAssistEnd, &[]);
        one.push(t + 49, E::GCEnd, &[2 * number]);
        one.push(t + 50, E::GCSweepBegin, &[stack]);
        one.push(t + 51, E::GCSweepEnd, &[100, 10]);
        one.push(t + 52, E::HeapAlloc, &[1000]);
        one.push(t + 53, E::UserRegionEnd, &[number, name, stack]);
        one.push(t + 54, E::UserTaskEnd, &[number, stack]);
        one.push(t + 55, E::GoLabel, &[name]);
        two.push(t + 60, E::GoBlock, &[sync, stack]);
        g.events(ThreadId(1), &mut one);
        g.events(ThreadId(2), &mut two);
        let clock =
            Clock { frequency: 1_000_000_000, ticks: t, mono: t, wall_seconds: 9, wall_nanos: 9 };
        g.finish(clock, &mut out);
    }
    out
}

/// A small generator of numbers that are random enough.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    /// Changes a few bytes: flips, numbers that hurt, pieces cut out, repeated or moved.
    fn damage(&mut self, bytes: &mut Vec<u8>) {
        const HURTFUL: [u8; 10] = [0, 1, 0x7f, 0x80, 0xff, 16, 25, 45, 49, 52];
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            let end = (at + self.below(40)).min(bytes.len());
            match self.below(6) {
                0 => bytes[at] ^= 1 << self.below(8),
                1 => bytes[at] = HURTFUL[self.below(HURTFUL.len())],
                2 => drop(bytes.drain(at..end)),
                3 => {
                    let piece = bytes[at..end].to_vec();
                    let to = self.below(bytes.len());
                    bytes.splice(to..to, piece);
                }
                4 => bytes[at..end].fill(0xff),
                _ => bytes.truncate(at.max(16)),
            }
            if bytes.is_empty() {
                return;
            }
        }
    }
}

/// Most memory that this process has had, in bytes, where the system tells.
fn peak_memory() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<usize>().ok()? * 1024)
}

#[test]
fn damaged_traces_do_no_harm() {
    let good = sample();
    let (events, problems) = drive(&good).unwrap();
    assert!(problems.is_empty() && events > 90, "{events} events, {problems}");
    let mut seeds = vec![good];
    seeds.extend(
        [22, 23, 25]
            .iter()
            .filter_map(|&version| Some(support::reference_trace(version, "none")?.1)),
    );
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut survived = 0;
    for _ in 0..4_000 {
        let mut bytes = seeds[random.below(seeds.len())].clone();
        random.damage(&mut bytes);
        drive_raw(&bytes);
        survived += u32::from(drive(&bytes).is_ok_and(|(events, _)| events > 1));
    }
    assert!(survived > 2_000, "most damage leaves something to read: {survived}");
    // Traces of 2 kB, limits far above: what is allocated follows what is there.
    assert!(peak_memory().is_none_or(|peak| peak < 128 << 20), "{:?}", peak_memory());
}

/// What is good on both sides of a broken generation is read, and the gap is marked.
#[test]
fn a_broken_generation_costs_only_itself() {
    let mut bytes = sample();
    // The second generation's first `GoStart` has a number that never comes.
    let starts: Vec<_> =
        (0..bytes.len() - 3).filter(|&i| bytes[i] == 16 && bytes[i + 2] == 2).collect();
    let second = starts.iter().find(|&&i| i > bytes.len() / 3).unwrap();
    bytes[second + 3] = 99;
    let mut kinds = Vec::new();
    let problems = for_each(&bytes, LENIENT, |event, _| {
        if let Kind::Sync { kind, .. } = event.kind {
            kinds.push(kind);
        }
    })
    .unwrap();
    let expected = [SyncKind::Generation, SyncKind::Generation, SyncKind::Gap, SyncKind::End];
    assert_eq!(kinds, expected);
    assert!(matches!(problems.violations[0].rule, Rule::Stuck(_)), "{problems}");
    assert!(problems.bytes_skipped > 0);
}

/// A generation without end is refused before it takes all memory.
#[test]
fn a_generation_without_end_is_refused() {
    let mut bytes = header().to_vec();
    let mut events = Events::new();
    (0..200_000).for_each(|i| events.push(i, E::HeapAlloc, &[u64::MAX]));
    let mut generation = Generation::new(1);
    generation.events(ThreadId(1), &mut events);
    let clock = Clock { frequency: 1, ticks: 0, mono: 0, wall_seconds: 0, wall_nanos: 0 };
    generation.finish(clock, &mut bytes);
    let options = Options { strict: false, max_generation: 1 << 20 };
    let violation = for_each(&bytes, options, |_, _| ()).unwrap_err();
    assert_eq!(violation.rule, Rule::GenerationTooBig(1 << 20));
}

/// However the bytes arrive, the events are the same.
#[test]
fn pieces_do_not_matter() {
    let bytes = sample();
    let whole = drive(&bytes).unwrap().0;
    for size in [1, 7, 100] {
        let mut reader = oxprof_trace::Reader::new(LENIENT);
        let (mut pieces, mut events) = (bytes.chunks(size), 0);
        loop {
            match reader.step().unwrap() {
                oxprof_trace::Step::Event(_) => events += 1,
                oxprof_trace::Step::NeedInput => match pieces.next() {
                    Some(piece) => reader.feed(piece),
                    None => reader.finish(),
                },
                oxprof_trace::Step::End => break,
            }
        }
        assert_eq!(events, whole);
    }
}
