//! A trace in Chrome's JSON format, which Perfetto's viewer (ui.perfetto.dev) opens.
//!
//! It is an array of events, whose end viewers do not insist on: one that is cut after an event is good up to there.

use std::fmt::{self, Write};

use oxprof_profile::StrId;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::names::{Names, StackIdx};
use crate::timeline::{Counter, Item, Lane, LanesBy, Name, Timeline};
use crate::{Event, GoId, GoState, Kind, Tables};

/// Process numbers, which viewers show as sections.
const LANES: u32 = 1;
const COUNTERS: u32 = 2;
const TASKS: u32 = 3;

/// Thread numbers of lanes that belong to no thread, beyond those that systems give out.
const GC: i64 = 1 << 40;
const NETWORK: i64 = GC + 1;
const SYSCALLS: i64 = GC + 2;

/// Turns a trace into JSON. Feed it every event, and take what it appends to `out` away at any time.
#[derive(Debug)]
pub struct Chrome {
    timeline: Timeline,
    sink: Sink,
}

/// What it has to remember of what is written.
#[derive(Debug, Default)]
struct Sink {
    /// When the trace begins.
    start: Option<i64>,
    lanes: FxHashSet<Lane>,
    /// The functions that goroutines start in.
    goroutines: FxHashMap<GoId, String>,
}

impl Chrome {
    /// Begins with what sections there are.
    pub fn new(by: LanesBy, out: &mut String) -> Self {
        let lanes = match by {
            LanesBy::Proc => "processors",
            LanesBy::Thread => "threads",
            LanesBy::Goroutine => "goroutines",
        };
        out.push('[');
        for (i, (pid, name)) in
            [(LANES, lanes), (COUNTERS, "counters"), (TASKS, "tasks")].into_iter().enumerate()
        {
            out.push_str(if i == 0 { "\n" } else { ",\n" });
            push(
                out,
                format_args!(
                    r#"{{"ph":"M","pid":{pid},"name":"process_name","args":{{"name":"{name}"}}}}"#
                ),
            );
        }
        Self { timeline: Timeline::new(by), sink: Sink::default() }
    }

    /// Appends what the next event completes.
    pub fn event(&mut self, event: &Event, tables: &Tables, out: &mut String) {
        let Self { timeline, sink } = self;
        sink.start.get_or_insert(event.time);
        if let Kind::Go(go) = event.kind
            && let Some(stack) = go.stack
            && let name = tables.root_func(stack)
            && !name.is_empty()
        {
            sink.goroutines.entry(go.id).or_insert_with(|| name.to_owned());
        }
        timeline.event(event, tables, &mut |names, item| sink.item(names, item, out));
        if let Kind::Go(go) = event.kind
            && go.to == GoState::NotExist
        {
            sink.goroutines.remove(&go.id);
            sink.lanes.remove(&Lane::Goroutine(go.id));
        }
    }

    /// Appends what is left.
    pub fn finish(self, out: &mut String) {
        let Self { timeline, mut sink } = self;
        timeline.finish(&mut |names, item| sink.item(names, item, out));
        out.push_str("\n]\n");
    }
}

/// Appends to a string, which does not fail.
fn push(out: &mut String, arguments: fmt::Arguments<'_>) {
    _ = out.write_fmt(arguments);
}

impl Sink {
    fn item(&mut self, names: &Names, item: Item, out: &mut String) {
        match item {
            Item::Slice { lane, name, start, end, stack, .. } => {
                let tid = self.lane(lane, out);
                let (ts, dur) = (self.time(start), Micros(end - start));
                let (name, args) = (Title(names, name), Stack(names, stack));
                push(
                    out,
                    format_args!(
                        r#",
{{"ph":"X","pid":{LANES},"tid":{tid},"ts":{ts},"dur":{dur},"name":"{name}"{args}}}"#
                    ),
                );
            }
            Item::Instant { lane, name, time, stack } => {
                let (tid, ts) = (self.lane(lane, out), self.time(time));
                let (name, args) = (Title(names, name), Stack(names, stack));
                push(
                    out,
                    format_args!(
                        r#",
{{"ph":"i","s":"t","pid":{LANES},"tid":{tid},"ts":{ts},"name":"{name}"{args}}}"#
                    ),
                );
            }
            Item::Arrow { name, from, to, .. } => {
                // Ends of an arrow find each other by name and number; the effect happens once.
                let (lane, time) = to;
                let id = format!("{}-{time}", number(lane));
                for (ph, (lane, time)) in [("s", from), ("f", to)] {
                    let (tid, ts, name) =
                        (self.lane(lane, out), self.time(time), Title(names, name));
                    push(
                        out,
                        format_args!(
                            r#",
{{"ph":"{ph}","bp":"e","cat":"wake","id":"{id}","pid":{LANES},"tid":{tid},"ts":{ts},"name":"{name}"}}"#
                        ),
                    );
                }
            }
            Item::Counter { counter, time, value } => {
                let (ts, (name, series)) = (self.time(time), counter_name(counter));
                push(
                    out,
                    format_args!(
                        r#",
{{"ph":"C","pid":{COUNTERS},"ts":{ts},"name":"{name}","args":{{"{series}":{value}}}}}"#
                    ),
                );
            }
            Item::Span { is_task, task, goroutine, name, start, end } => {
                let (what, name) = (if is_task { "task" } else { "region" }, Text(names.get(name)));
                for (ph, time) in [("b", start), ("e", end)] {
                    let ts = self.time(time);
                    push(
                        out,
                        format_args!(
                            r#",
{{"ph":"{ph}","cat":"{what}","id":"{task}","pid":{TASKS},"tid":{},"ts":{ts},"name":"{name}","args":{{"goroutine":{}}}}}"#,
                            task.0 as i64, goroutine.0
                        ),
                    );
                }
            }
        }
    }

    /// Time since the trace began.
    fn time(&self, time: i64) -> Micros {
        Micros(time - self.start.unwrap_or_default())
    }

    /// The number of a lane, which is named when it is first used.
    fn lane(&mut self, lane: Lane, out: &mut String) -> i64 {
        let tid = number(lane);
        if self.lanes.insert(lane) {
            let name = match lane {
                Lane::Proc(id) => format!("processor {id}"),
                Lane::Thread(id) => format!("thread {id}"),
                Lane::Goroutine(id) => match self.goroutines.get(&id) {
                    Some(name) => format!("G{id} {name}"),
                    None => format!("goroutine {id}"),
                },
                Lane::Gc => "garbage collection".to_owned(),
                Lane::Network => "network".to_owned(),
                Lane::Syscalls => "system calls".to_owned(),
            };
            let name = Text(&name);
            push(
                out,
                format_args!(
                    r#",
{{"ph":"M","pid":{LANES},"tid":{tid},"name":"thread_name","args":{{"name":"{name}"}}}}"#
                ),
            );
        }
        tid
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

/// Nanoseconds, written as microseconds.
struct Micros(i64);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, nanos) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        write!(f, "{sign}{}.{:03}", nanos / 1000, nanos % 1000)
    }
}

/// Text within the quotes of a string.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        let is_special = |c: char| c.is_ascii_control() || c == '"' || c == '\\';
        while let Some(at) = rest.find(is_special) {
            f.write_str(&rest[..at])?;
            write!(f, "\\u{:04x}", rest.as_bytes()[at])?;
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

/// The name of an item.
struct Title<'a>(&'a Names, Name);

impl fmt::Display for Title<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |id: StrId| Text(self.0.get(id));
        match self.1 {
            Name::Goroutine(id, func) => write!(f, "G{id} {}", text(func)),
            Name::State(state, reason) if reason.is_empty() => f.write_str(state_name(state)),
            Name::State(state, reason) => write!(f, "{} ({})", state_name(state), text(reason)),
            Name::Syscall { blocked: false } => f.write_str("syscall"),
            Name::Syscall { blocked: true } => f.write_str("syscall (blocked)"),
            Name::Range(range) => write!(f, "{}", text(range)),
            Name::Log(category, message) if category.is_empty() => write!(f, "{}", text(message)),
            Name::Log(category, message) => write!(f, "[{}] {}", text(category), text(message)),
            Name::CpuSample => f.write_str("CPU profile sample"),
            Name::ProcStart(thread) => write!(f, "proc start (thread {thread})"),
            Name::ProcStop(thread) => write!(f, "proc stop (thread {thread})"),
            Name::Create => f.write_str("go"),
            Name::Unblock(reason) if reason.is_empty() => f.write_str("unblock"),
            Name::Unblock(reason) => write!(f, "unblock ({})", text(reason)),
            Name::SyscallExit => f.write_str("exit blocked syscall"),
        }
    }
}

fn state_name(state: GoState) -> &'static str {
    match state {
        GoState::Undetermined => "undetermined",
        GoState::NotExist => "notexist",
        GoState::Runnable => "runnable",
        GoState::Running => "running",
        GoState::Waiting => "waiting",
        GoState::Syscall => "syscall",
    }
}

/// A stack as arguments, leaf first; nothing if there is none.
struct Stack<'a>(&'a Names, Option<StackIdx>);

impl fmt::Display for Stack<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(names, Some(stack)) = *self else { return Ok(()) };
        for (i, frame) in names.frames(stack).enumerate() {
            let before = if i == 0 { r#","args":{"stack":["# } else { "," };
            write!(f, "{before}\"{}:{}\"", Text(names.get(frame.func)), frame.line)?;
        }
        if names.frames(stack).len() > 0 { f.write_str("]}") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        assert_eq!(Text("a \"b\"\\\n\u{e9}").to_string(), r"a \u0022b\u0022\u005c\u000aé");
    }

    #[test]
    fn times() {
        let check = |nanos, expected| assert_eq!(Micros(nanos).to_string(), expected);
        check(0, "0.000");
        check(1_234_567, "1234.567");
        check(-1_005, "-1.005");
    }
}
