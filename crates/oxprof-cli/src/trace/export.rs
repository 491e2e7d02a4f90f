//! A trace in Chrome's JSON format, which Perfetto's viewer opens too.

use std::collections::BTreeSet;
use std::io::Write;

use oxprof_trace::timeline::{Counter, Item, Lane, LanesBy, Name, Timeline};
use oxprof_trace::{GoState, Names, Options, StackIdx};
use serde_json::{Value, json};

use super::input::Trace;
use super::text::lane_name;
use crate::failure::Result;

/// Process numbers, which viewers show as sections.
const LANES: u32 = 1;
const COUNTERS: u32 = 2;
const TASKS: u32 = 3;

/// Thread numbers of lanes that belong to no thread, beyond those that systems give out.
const GC: i64 = 1 << 40;
const NETWORK: i64 = GC + 1;
const SYSCALLS: i64 = GC + 2;

/// Writes the trace, item by item.
pub(super) fn chrome(
    trace: Trace,
    options: Options,
    by: LanesBy,
    out: &mut dyn Write,
) -> Result<()> {
    let mut timeline = Timeline::new(by);
    let mut writer = Writer { out, first: true, start: None, lanes: BTreeSet::new() };
    writer.out.write_all(b"{\"displayTimeUnit\":\"ns\",\"traceEvents\":[")?;
    let outcome = trace.try_each(options, |event, tables| {
        writer.start.get_or_insert(event.time);
        let mut result = Ok(());
        timeline.event(event, tables, &mut |names, item| {
            if result.is_ok() {
                result = writer.item(names, item);
            }
        });
        result
    })?;
    let mut result = Ok(());
    timeline.finish(&mut |names, item| {
        if result.is_ok() {
            result = writer.item(names, item);
        }
    });
    result?;
    writer.name_lanes(by)?;
    writer.out.write_all(b"\n]}\n")?;
    outcome.warn();
    Ok(())
}

struct Writer<'a> {
    out: &'a mut dyn Write,
    first: bool,
    start: Option<i64>,
    lanes: BTreeSet<Lane>,
}

impl Writer<'_> {
    fn put(&mut self, event: &Value) -> Result<()> {
        self.out.write_all(if self.first { b"\n" } else { b",\n" })?;
        self.first = false;
        Ok(serde_json::to_writer(&mut *self.out, event).map_err(std::io::Error::from)?)
    }

    /// Microseconds since the trace began.
    fn micros(&self, time: i64) -> f64 {
        (time - self.start.unwrap_or_default()) as f64 / 1e3
    }

    fn lane(&mut self, lane: Lane) -> i64 {
        self.lanes.insert(lane);
        number(lane)
    }

    fn item(&mut self, names: &Names, item: Item) -> Result<()> {
        match item {
            Item::Slice { lane, name, start, end, stack, .. } => {
                let tid = self.lane(lane);
                let (ts, dur) = (self.micros(start), (end - start) as f64 / 1e3);
                self.put(&json!({
                    "ph": "X", "pid": LANES, "tid": tid, "ts": ts, "dur": dur,
                    "name": text(names, name), "args": arguments(names, stack),
                }))
            }
            Item::Instant { lane, name, time, stack } => {
                let (tid, ts) = (self.lane(lane), self.micros(time));
                self.put(&json!({
                    "ph": "i", "s": "t", "pid": LANES, "tid": tid, "ts": ts,
                    "name": text(names, name), "args": arguments(names, stack),
                }))
            }
            Item::Arrow { name, from, to, .. } => {
                // Ends of an arrow find each other by name and number; the effect happens once.
                let id = format!("{}-{}", number(to.0), to.1);
                for (ph, (lane, time)) in [("s", from), ("f", to)] {
                    let (tid, ts) = (self.lane(lane), self.micros(time));
                    self.put(&json!({
                        "ph": ph, "bp": "e", "cat": "wake", "id": id, "pid": LANES, "tid": tid,
                        "ts": ts, "name": text(names, name),
                    }))?;
                }
                Ok(())
            }
            Item::Counter { counter, time, value } => {
                let (name, series) = counter_name(counter);
                let ts = self.micros(time);
                self.put(&json!({
                    "ph": "C", "pid": COUNTERS, "ts": ts, "name": name, "args": { series: value },
                }))
            }
            Item::Span { is_task, task, goroutine, name, start, end } => {
                let name = names.get(name);
                let what = if is_task { "task" } else { "region" };
                let id = format!("{task}");
                for (ph, time) in [("b", start), ("e", end)] {
                    let ts = self.micros(time);
                    self.put(&json!({
                        "ph": ph, "cat": what, "id": id, "pid": TASKS, "tid": task.0 as i64, "ts": ts,
                        "name": name, "args": { "goroutine": goroutine.0 },
                    }))?;
                }
                Ok(())
            }
        }
    }

    fn name_lanes(&mut self, by: LanesBy) -> Result<()> {
        let lanes = match by {
            LanesBy::Proc => "processors",
            LanesBy::Thread => "threads",
            LanesBy::Goroutine => "goroutines",
        };
        for (pid, name) in [(LANES, lanes), (COUNTERS, "counters"), (TASKS, "tasks")] {
            let args = json!({ "name": name });
            self.put(&json!({ "ph": "M", "pid": pid, "name": "process_name", "args": args }))?;
        }
        for lane in std::mem::take(&mut self.lanes) {
            let (tid, args) = (number(lane), json!({ "name": lane_name(lane) }));
            let event =
                json!({ "ph": "M", "pid": LANES, "tid": tid, "name": "thread_name", "args": args });
            self.put(&event)?;
        }
        Ok(())
    }
}

fn number(lane: Lane) -> i64 {
    match lane {
        Lane::Proc(id) => id.0,
        Lane::Thread(id) => id.0,
        Lane::Goroutine(id) => id.0,
        Lane::Gc => GC,
        Lane::Network => NETWORK,
        Lane::Syscalls => SYSCALLS,
    }
}

fn text(names: &Names, name: Name) -> String {
    match name {
        Name::Goroutine(id, func) => format!("G{id} {}", names.get(func)),
        Name::State(state, reason) if reason.is_empty() => state.to_string().to_lowercase(),
        Name::State(state, reason) => {
            format!("{} ({})", state.to_string().to_lowercase(), names.get(reason))
        }
        Name::Syscall { blocked: false } => "syscall".to_owned(),
        Name::Syscall { blocked: true } => "syscall (blocked)".to_owned(),
        Name::Range(range) => names.get(range).to_owned(),
        Name::Log(category, message) if category.is_empty() => names.get(message).to_owned(),
        Name::Log(category, message) => format!("[{}] {}", names.get(category), names.get(message)),
        Name::CpuSample => "CPU profile sample".to_owned(),
        Name::ProcStart(thread) => format!("proc start (thread {thread})"),
        Name::ProcStop(thread) => format!("proc stop (thread {thread})"),
        Name::Create => "go".to_owned(),
        Name::Unblock(reason) if reason.is_empty() => "unblock".to_owned(),
        Name::Unblock(reason) => format!("unblock ({})", names.get(reason)),
        Name::SyscallExit => "exit blocked syscall".to_owned(),
    }
}

fn arguments(names: &Names, stack: Option<StackIdx>) -> Value {
    let frames: Vec<_> = stack
        .map(|stack| {
            names
                .frames(stack)
                .map(|frame| format!("{}:{}", names.get(frame.func), frame.line))
                .collect()
        })
        .unwrap_or_default();
    if frames.is_empty() { json!({}) } else { json!({ "stack": frames }) }
}

fn counter_name(counter: Counter) -> (&'static str, &'static str) {
    match counter {
        Counter::Goroutines(GoState::Runnable) => ("goroutines", "runnable"),
        Counter::Goroutines(GoState::Running) => ("goroutines", "running"),
        Counter::Goroutines(GoState::Syscall) => ("goroutines", "syscall"),
        Counter::Goroutines(_) => ("goroutines", "waiting"),
        Counter::RunningProcs => ("processors", "running"),
        Counter::HeapAlloc => ("heap", "allocated"),
        Counter::HeapGoal => ("heap", "goal"),
    }
}
