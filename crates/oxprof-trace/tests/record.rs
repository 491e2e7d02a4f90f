//! What hooks record becomes a trace that says so, and that strict readers accept.

mod support;

use std::fmt::Write;

use oxprof_trace::record::{
    LabelsKey, Names, Past, Present, Record, Recorder, StackKey, Text, Waiting, What,
};
use oxprof_trace::write::{Clock, FrameRef, header};
use oxprof_trace::{GoState, Kind, Metric, Options, ThreadId, for_each};
use support::go_tool_trace;

const STRICT: Options = Options { strict: true, max_generation: 1 << 30 };
const OWN: ThreadId = ThreadId(999);

/// Stack 7 has the frames `leaf7` and `middle`.
struct Numbered(Vec<String>);

impl Numbered {
    fn new() -> Self {
        Self((0..1000).map(|i| format!("leaf{i}")).collect())
    }
}

impl Names for Numbered {
    fn frames(&mut self, stack: StackKey) -> Vec<FrameRef<'_>> {
        let leaf = FrameRef { func: &self.0[stack as usize % 1000], file: "app.rs", line: 7 };
        vec![leaf, FrameRef { func: "middle", file: "app.rs", line: 9 }]
    }

    fn thread(&mut self, thread: ThreadId) -> Text {
        format!("thread{thread}").into()
    }

    fn labels(&mut self, labels: LabelsKey) -> Text {
        format!("{{n: {labels}}}").into()
    }
}

/// The trace of some records, in as many generations as there are pieces.
fn trace(past: &Past, pieces: Vec<(u64, Vec<Record>)>) -> Vec<u8> {
    let mut names = Numbered::new();
    let mut recorder = Recorder::new(1, OWN, past, &mut names);
    let mut out = header().to_vec();
    for (number, (end, records)) in (1..).zip(pieces) {
        let end = end * UNIT;
        records.into_iter().for_each(|record| recorder.record(record));
        let clock = Clock {
            frequency: 1_000_000_000,
            ticks: end,
            mono: end,
            wall_seconds: 1,
            wall_nanos: 0,
        };
        recorder.generation(number, end, clock, &mut names, &mut out);
    }
    out
}

/// Times are in units that are longer than what a reader adds to keep times apart.
const UNIT: u64 = 1000;

fn at(time: u64, thread: i64, what: What) -> Record {
    Record { time: time * UNIT, thread: ThreadId(thread), what }
}

fn running(thread: i64) -> Present {
    Present { thread: ThreadId(thread), waiting: None }
}

/// What a trace says, an event a line: its time, its thread, and what happened. Left out is what belongs to the
/// recorder itself.
fn story(bytes: &[u8]) -> String {
    let mut out = String::new();
    for_each(bytes, STRICT, |event, tables| {
        let text = |id| tables.str(id);
        let leaf = |stack| tables.frames(stack).next().map_or("", |frame| text(frame.func));
        let told = match event.kind {
            Kind::Go(go) if event.thread != OWN => {
                let why = [text(go.reason), leaf(event.stack)].join(" ");
                let name = go.stack.map_or("", |stack| tables.root_func(stack));
                let name = if go.from == GoState::NotExist { name } else { "" };
                format!("{}: {:?} > {:?} {name} {why}", go.id, go.from, go.to)
            }
            Kind::Metric(Metric::HeapAlloc, bytes) => format!("heap {bytes}"),
            Kind::TaskBegin(task) => format!("task {} {}", task.id, text(task.name)),
            Kind::TaskEnd(task) => format!("end of task {} {}", task.id, text(task.name)),
            Kind::RegionBegin(region) => {
                format!("{}: region {}", event.goroutine, text(region.name))
            }
            Kind::RegionEnd(region) => {
                format!("{}: end of region {}", event.goroutine, text(region.name))
            }
            Kind::Log(log) => format!("{} {}", text(log.category), text(log.message)),
            Kind::Label(label) => format!("{}: labels {}", event.goroutine, text(label)),
            Kind::StackSample => format!("{}: sample {}", event.goroutine, leaf(event.stack)),
            _ => return,
        };
        let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
        writeln!(out, "{} M{} {told}", event.time / UNIT as i64, event.thread).unwrap();
    })
    .unwrap();
    out
}

#[track_caller]
fn check(present: &[Present], pieces: Vec<(u64, Vec<Record>)>, expected: &str) {
    let bytes = trace(&Past::new(present), pieces);
    let expected: Vec<_> = expected.trim().lines().map(str::trim).collect();
    assert_eq!(story(&bytes).trim().lines().collect::<Vec<_>>(), expected);
}

const LOCK: What = What::WaitBegin { why: Waiting::Lock, on: 0xf00, stack: 5 };

/// How the story begins if threads 1 and 2 run: they are goroutines 1 and 2. The recorder's is 3.
const TWO: &str =
    "0 M1 1: Undetermined > Running thread1\n0 M2 2: Undetermined > Running thread2\n";
const WAKE: What = What::Wake { on: 0xf00, count: 1, stack: 6 };

#[track_caller]
fn check_two(records: Vec<Record>, expected: &str) {
    check(&[running(1), running(2)], vec![(100, records)], &format!("{TWO}{expected}"));
}

#[test]
fn a_wait_is_ended_by_the_thread_that_woke() {
    check_two(
        vec![at(10, 1, LOCK), at(20, 2, WAKE), at(25, 1, What::WaitEnd)],
        "10 M1 1: Running > Waiting sync leaf5
         20 M2 1: Waiting > Runnable leaf6
         25 M1 1: Runnable > Running",
    );
}

#[test]
fn records_may_come_in_any_order() {
    check_two(
        vec![at(20, 2, WAKE), at(10, 1, LOCK), at(25, 1, What::WaitEnd)],
        "10 M1 1: Running > Waiting sync leaf5
         20 M2 1: Waiting > Runnable leaf6
         25 M1 1: Runnable > Running",
    );
}

#[test]
fn a_wake_up_that_came_before_the_wait_did_not_end_it() {
    check_two(
        vec![at(5, 2, WAKE), at(10, 1, LOCK), at(25, 1, What::WaitEnd)],
        "10 M1 1: Running > Waiting sync leaf5
         25 M1 1: Waiting > Runnable
         25 M1 1: Runnable > Running",
    );
}

/// The wake-up is in the first generation, what shows whom it woke in the second.
#[test]
fn what_happens_next_tells_who_was_woken() {
    let first = vec![at(10, 1, LOCK), at(20, 2, WAKE), at(120, 1, What::WaitEnd)];
    check(
        &[running(1), running(2)],
        vec![(100, first), (200, vec![])],
        &format!(
            "{TWO}10 M1 1: Running > Waiting sync leaf5
             20 M2 1: Waiting > Runnable leaf6
             100 M1 1: Runnable > Runnable leaf5
             100 M2 2: Running > Running thread2
             120 M1 1: Runnable > Running"
        ),
    );
}

/// When the second generation is not known yet as the first is written, the place is what remains.
#[test]
fn a_late_end_of_waiting_still_knows_where_it_was_woken() {
    let second = vec![at(120, 1, What::WaitEnd)];
    let bytes = trace(
        &Past::new(&[running(1), running(2)]),
        vec![(100, vec![at(10, 1, LOCK), at(20, 2, WAKE)]), (200, second)],
    );
    assert!(story(&bytes).contains("120 M1 1: Waiting > Runnable leaf6"), "{}", story(&bytes));
}

#[test]
fn one_wake_up_wakes_no_more_than_it_says() {
    let wake = What::Wake { on: 0xf00, count: 2, stack: 6 };
    check_two(
        vec![
            at(10, 1, LOCK),
            at(11, 2, LOCK),
            at(12, 4, LOCK),
            at(20, 5, wake),
            at(30, 1, What::WaitEnd),
            at(31, 2, What::WaitEnd),
            at(32, 4, What::WaitEnd),
        ],
        "10 M1 1: Running > Waiting sync leaf5
         11 M2 2: Running > Waiting sync leaf5
         12 M4 4: Runnable > Running
         12 M4 4: Running > Waiting sync leaf5
         20 M5 5: Runnable > Running
         20 M5 1: Waiting > Runnable leaf6
         20 M5 2: Waiting > Runnable leaf6
         30 M1 1: Runnable > Running
         31 M2 2: Runnable > Running
         32 M4 4: Waiting > Runnable
         32 M4 4: Runnable > Running",
    );
}

#[test]
fn threads_come_and_go() {
    check_two(
        vec![
            at(10, 1, What::ThreadCreate { token: 9, stack: 5 }),
            at(12, 7, What::ThreadBegin { token: 9 }),
            at(20, 7, What::ThreadEnd),
            at(30, 2, What::ThreadCreate { token: 10, stack: 6 }),
            at(31, 8, What::ThreadBegin { token: 10 }),
        ],
        "10 M1 4: NotExist > Runnable thread7 leaf5
         12 M7 4: Runnable > Running
         20 M7 4: Running > NotExist
         30 M2 5: NotExist > Runnable thread8 leaf6
         31 M8 5: Runnable > Running",
    );
}

#[test]
fn system_calls_keep_their_thread() {
    let call = What::WaitBegin { why: Waiting::Syscall, on: 0, stack: 5 };
    check(
        &[running(1)],
        vec![(100, vec![at(10, 1, call)]), (200, vec![at(150, 1, What::WaitEnd)])],
        "0 M1 1: Undetermined > Running thread1
         10 M1 1: Running > Syscall leaf5
         100 M1 1: Syscall > Syscall leaf5
         150 M1 1: Syscall > Running",
    );
}

#[test]
fn labels_are_told_when_they_change_and_in_each_generation() {
    let labels = |labels| What::Labels { labels };
    check(
        &[running(1)],
        vec![
            (
                100,
                vec![
                    at(10, 1, labels(0)),
                    at(20, 1, labels(5)),
                    at(30, 1, labels(5)),
                    at(40, 1, labels(6)),
                    at(50, 1, LOCK),
                    at(60, 1, labels(7)),
                    at(70, 1, What::WaitEnd),
                ],
            ),
            (200, vec![at(150, 1, labels(6)), at(160, 1, labels(0)), at(170, 1, labels(0))]),
        ],
        "0 M1 1: Undetermined > Running thread1
         20 M1 1: labels {n: 5}
         40 M1 1: labels {n: 6}
         50 M1 1: Running > Waiting sync leaf5
         70 M1 1: Waiting > Runnable
         70 M1 1: Runnable > Running
         100 M1 1: Running > Running thread1
         150 M1 1: labels {n: 6}
         160 M1 1: labels {}",
    );
}

const POLL: What = What::PollBegin { task: 77 };

fn poll_end(done: bool) -> What {
    What::PollEnd { task: 77, waits: (!done).then_some((Waiting::Await, 8)) }
}

#[test]
fn a_task_is_polled_waits_and_is_woken() {
    let create = What::TaskCreate { task: 77, name: "app::task".into(), stack: 5 };
    check_two(
        vec![
            at(10, 1, create),
            at(11, 2, POLL),
            at(12, 2, LOCK),
            at(13, 2, What::WaitEnd),
            at(14, 2, poll_end(false)),
            at(20, 1, What::TaskWake { task: 77, stack: 6 }),
            at(30, 1, POLL),
            at(31, 1, What::TaskWake { task: 77, stack: 6 }),
            at(32, 1, poll_end(false)),
            at(40, 2, POLL),
            at(41, 2, poll_end(true)),
        ],
        "10 M1 4: NotExist > Runnable app::task leaf5
         11 M2 2: Running > Waiting polling a task
         11 M2 4: Runnable > Running
         12 M2 4: Running > Waiting sync leaf5
         13 M2 4: Waiting > Runnable
         13 M2 4: Runnable > Running
         14 M2 4: Running > Waiting async leaf8
         14 M2 2: Waiting > Runnable
         14 M2 2: Runnable > Running
         20 M1 4: Waiting > Runnable leaf6
         30 M1 1: Running > Waiting polling a task
         30 M1 4: Runnable > Running
         32 M1 4: Running > Runnable woken while it ran leaf8
         32 M1 1: Waiting > Runnable
         32 M1 1: Runnable > Running
         40 M2 2: Running > Waiting polling a task
         40 M2 4: Runnable > Running
         41 M2 4: Running > NotExist
         41 M2 2: Waiting > Runnable
         41 M2 2: Runnable > Running",
    );
}

/// One waits and one is ready when the recording begins, and nobody is told twice of either.
#[test]
fn tasks_that_there_were_before_are_not_created() {
    let mut names = Numbered::new();
    let mut past = Past::new(&[running(1)]);
    past.add_task(5, "waits".into(), Some(7));
    past.add_task(6, "ready".into(), None);
    let mut recorder = Recorder::new(1, OWN, &past, &mut names);
    for record in [
        at(2, 1, What::TaskCreate { task: 5, name: "other".into(), stack: 3 }),
        at(3, 1, What::TaskWake { task: 5, stack: 4 }),
        at(4, 1, What::PollBegin { task: 6 }),
        at(5, 1, What::PollEnd { task: 6, waits: None }),
    ] {
        recorder.record(record);
    }
    let mut bytes = header().to_vec();
    let end = 9 * UNIT;
    let clock =
        Clock { frequency: 1_000_000_000, ticks: end, mono: end, wall_seconds: 1, wall_nanos: 0 };
    recorder.generation(1, end, clock, &mut names, &mut bytes);
    let expected = "0 M1 1: Undetermined > Running thread1
         3 M1 3: Waiting > Runnable leaf4
         4 M1 1: Running > Waiting polling a task
         4 M1 4: Runnable > Running
         5 M1 4: Running > NotExist
         5 M1 1: Waiting > Runnable
         5 M1 1: Runnable > Running";
    assert_eq!(story(&bytes), expected.replace("         ", "") + "\n");
}

/// Who begins to record late, and knows the past, tells what who began early tells from then on. One thread polls a task
/// within a task, and waits there; one task waits, one was woken, one has ended before its creation was heard of; one
/// thread has ended.
#[test]
fn a_recording_may_begin_at_any_record() {
    let create = |task, name: &'static str| What::TaskCreate { task, name: name.into(), stack: 1 };
    let poll = |task| What::PollBegin { task };
    let leave = |task, waits| What::PollEnd { task, waits };
    let waits = Some((Waiting::Channel, 8));
    let mut pieces = vec![
        vec![at(1, 1, create(4, "outer")), at(2, 1, create(5, "inner")), at(3, 1, poll(4))],
        vec![at(11, 2, poll(7)), at(12, 2, leave(7, None)), at(10, 1, create(7, "quick"))],
        vec![at(21, 1, create(6, "woken")), at(22, 2, poll(6)), at(23, 1, create(8, "waits"))],
        vec![at(31, 1, poll(5)), at(33, 2, leave(6, waits)), at(32, 1, LOCK)],
        vec![at(43, 3, LOCK), at(44, 3, What::ThreadEnd), at(41, 2, poll(8))],
        vec![at(51, 2, leave(8, waits)), at(52, 2, What::TaskWake { task: 6, stack: 3 })],
        vec![at(61, 2, WAKE), at(62, 1, What::WaitEnd), at(63, 1, leave(5, waits))],
        vec![at(71, 1, leave(4, None)), at(72, 2, poll(6)), at(73, 1, poll(8))],
        vec![at(81, 2, leave(6, None)), at(82, 1, leave(8, None)), at(83, 2, LOCK)],
    ];
    let pieces: Vec<_> = (10..).step_by(10).zip(pieces.drain(..)).collect();
    let present = Past::new(&[running(1), running(2), running(3)]);
    // What there is is told as each generation begins; threads may well have other goroutines.
    let happens = |bytes: &[u8], since: u64| -> Vec<String> {
        let of_a_task = |line: &str| line.split(' ').skip(3).collect::<Vec<_>>().join(" ");
        let is_later = |line: &&str| {
            let (time, what) = line.split_once(' ').unwrap();
            let (from, to) = what.split_once(" > ").unwrap();
            time.parse::<u64>().unwrap() > since && !from.ends_with(to)
        };
        story(bytes).lines().filter(is_later).map(of_a_task).collect()
    };
    let whole = trace(&present, pieces.clone());
    for begin in 1..pieces.len() {
        let mut past = present.clone();
        pieces[..begin].iter().for_each(|(_, records)| past.absorb(records.clone()));
        let since = 10 * begin as u64;
        let late = happens(&trace(&past, pieces[begin..].to_vec()), since);
        assert!(late.len() > 3);
        assert_eq!(late, happens(&whole, since), "since {since}");
    }
}

/// Threads are asked one after the other: who ended a task may be before whoever polled it until then.
#[test]
fn what_was_done_with_a_task_may_come_after_its_end() {
    let create = What::TaskCreate { task: 5, name: "moved".into(), stack: 1 };
    let leave = |waits| What::PollEnd { task: 5, waits };
    let poll = What::PollBegin { task: 5 };
    let first = [at(1, 1, create), at(2, 2, poll.clone())];
    let second = [at(3, 2, leave(Some((Waiting::Channel, 8))))];
    let third = [at(4, 1, poll), at(5, 1, leave(None))];
    let check = |pieces: &[&[Record]]| {
        let mut past = Past::new(&[running(1), running(2)]);
        pieces.iter().for_each(|records| past.absorb(records.iter().cloned()));
        // Then there is nothing but threads.
        let alone = trace(&Past::new(&[running(1), running(2)]), vec![(10, vec![at(6, 1, LOCK)])]);
        assert_eq!(story(&trace(&past, vec![(10, vec![at(6, 1, LOCK)])])), story(&alone));
    };
    check(&[&first, &second, &third]);
    check(&[&first, &third, &second]);
    check(&[&third, &first, &second]);
    check(&[&[&first[..], &third, &second].concat()]);
    check(&[&[&third[..], &second, &first].concat()]);
    check(&[&third, &[&second[..], &first].concat()]);
}

#[test]
fn a_dropped_task_ends_where_it_is_dropped() {
    let drop = What::TaskDrop { task: 77 };
    check(
        &[running(1)],
        vec![(100, vec![at(10, 1, POLL), at(11, 1, poll_end(false)), at(20, 1, drop)])],
        "0 M1 1: Undetermined > Running thread1
         10 M1 3: NotExist > Runnable task
         10 M1 1: Running > Waiting polling a task
         10 M1 3: Runnable > Running
         11 M1 3: Running > Waiting async leaf8
         11 M1 1: Waiting > Runnable
         11 M1 1: Runnable > Running
         20 M1 1: Running > Waiting polling a task
         20 M1 3: Waiting > Runnable
         20 M1 3: Runnable > Running
         20 M1 3: Running > NotExist
         20 M1 1: Waiting > Runnable
         20 M1 1: Runnable > Running",
    );
}

#[test]
fn what_the_program_says_is_kept() {
    let name = || Text::from("parse");
    let log = What::Log { task: 7, category: "id".into(), message: "42".into(), stack: 1 };
    let inner = What::RegionBegin { task: 7, name: "inner".into(), stack: 1 };
    check(
        &[running(1)],
        vec![(
            100,
            vec![
                at(
                    1,
                    1,
                    What::UserTaskBegin { id: 7, parent: 0, name: "request".into(), stack: 1 },
                ),
                at(2, 1, What::RegionBegin { task: 7, name: name(), stack: 1 }),
                at(3, 1, inner),
                at(4, 1, log),
                at(5, 1, What::Heap { bytes: 99 }),
                at(6, 1, What::Sample { stack: 4 }),
                at(7, 1, What::RegionEnd { task: 7, name: name(), stack: 1 }),
                at(8, 1, What::UserTaskEnd { id: 7, stack: 1 }),
                at(9, 1, What::Lost { count: 3 }),
            ],
        )],
        "0 M1 1: Undetermined > Running thread1
         1 M1 task 7 request
         2 M1 1: region parse
         3 M1 1: region inner
         4 M1 id 42
         5 M1 heap 99
         6 M1 1: sample leaf4
         7 M1 1: end of region inner
         7 M1 1: end of region parse
         8 M1 end of task 7 request
         9 M1 oxprof 3 events of this thread are missing",
    );
}

/// A generator of numbers that are as good as random (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    /// Anything, however little sense it makes.
    fn what(&mut self) -> What {
        let stack = self.below(20) as StackKey;
        let small = self.below(4);
        let name = || ["a", "b", "c", "d"][small as usize].into();
        match self.below(20) {
            0 => What::ThreadCreate { token: self.below(8), stack },
            1 => What::ThreadBegin { token: self.below(8) },
            2 => What::ThreadEnd,
            3..=5 => What::WaitBegin {
                why: [Waiting::Lock, Waiting::Network, Waiting::Syscall][self.below(3) as usize],
                on: small,
                stack,
            },
            6..=8 => What::WaitEnd,
            9 => What::Wake { on: small, count: self.below(3) as u32, stack },
            10 => What::TaskCreate { task: self.below(6), name: name(), stack },
            11 => What::PollBegin { task: self.below(6) },
            12 => {
                let waits = (self.below(4) > 0).then_some((Waiting::Await, stack));
                What::PollEnd { task: self.below(6), waits }
            }
            13 => What::TaskWake { task: self.below(6), stack },
            14 => What::TaskDrop { task: self.below(6) },
            15 => What::UserTaskBegin { id: self.0, parent: 0, name: name(), stack },
            16 => What::UserTaskEnd { id: small, stack },
            17 => What::RegionBegin { task: small, name: name(), stack },
            18 => What::RegionEnd { task: small, name: name(), stack },
            _ => match self.below(5) {
                4 => What::Labels { labels: self.below(3) as LabelsKey },
                0 => What::Heap { bytes: small },
                1 => What::Sample { stack },
                2 => What::Lost { count: small },
                _ => What::Log { task: 1, category: name(), message: name(), stack },
            },
        }
    }

    fn records(&mut self, begin: u64, count: u64) -> Vec<Record> {
        let one = |random: &mut Self| {
            let time = begin + random.below(150);
            Record {
                time: time * UNIT / 10,
                thread: ThreadId(random.below(6) as i64),
                what: random.what(),
            }
        };
        (0..count).map(|_| one(self)).collect()
    }
}

/// Nonsense of a number.
fn nonsense(seed: u64) -> Vec<u8> {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let present = [
        running(1),
        Present { thread: ThreadId(2), waiting: Some((Waiting::Lock, 2, 3)) },
        Present { thread: ThreadId(3), waiting: Some((Waiting::Syscall, 0, 3)) },
    ];
    let count = 1 + random.below(100);
    let mut pieces: Vec<_> =
        (0..4).map(|i| (10 * (i + 1), random.records(100 * i, count))).collect();
    let mut past = Past::new(&present);
    for (_, records) in pieces.drain(..random.below(4) as usize) {
        past.absorb(records);
    }
    trace(&past, pieces)
}

#[test]
fn whatever_is_recorded_a_strict_reader_accepts_it() {
    for seed in 1..1500 {
        let bytes = nonsense(seed);
        let result = for_each(&bytes, STRICT, |_, _| ());
        assert!(result.is_ok(), "seed {seed}: {}", result.unwrap_err());
    }
}

#[test]
fn whatever_is_recorded_go_accepts_it() {
    for seed in 1..20 {
        let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("nonsense.trace");
        std::fs::write(&file, nonsense(seed)).unwrap();
        let Some(output) = go_tool_trace(&["-d=parsed"], &file) else { return };
        assert!(output.status.success(), "{seed}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
