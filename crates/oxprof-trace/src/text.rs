//! Events as text, as `go tool trace -d=parsed` prints them.
//!
//! Two things differ on purpose: wall-clock times are in UTC, not in the reader's time zone, and text
//! that is not UTF-8 shows replacement characters instead of escaped bytes.

use std::fmt::{self, Write};

use crate::tables::{ClockSnapshot, Tables};
use crate::wire::EventType;
use crate::{Event, GoState, GoTransition, Kind, ProcState, Range, Stack, Str, SyncKind};

impl fmt::Display for GoState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Undetermined => "Undetermined",
            Self::NotExist => "NotExist",
            Self::Runnable => "Runnable",
            Self::Running => "Running",
            Self::Waiting => "Waiting",
            Self::Syscall => "Syscall",
        })
    }
}

impl fmt::Display for ProcState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Undetermined => "Undetermined",
            Self::NotExist => "NotExist",
            Self::Running => "Running",
            Self::Idle => "Idle",
        })
    }
}

impl Range {
    /// Its name, as people see it.
    pub fn name(self, tables: &Tables) -> String {
        match self {
            Self::StopTheWorld(kind, ..) => format!("stop-the-world ({})", tables.str(kind)),
            Self::GcMark => "GC concurrent mark phase".to_owned(),
            Self::GcSweep(_) => "GC incremental sweep".to_owned(),
            Self::GcMarkAssist(..) => "GC mark assist".to_owned(),
        }
    }
}

impl Event {
    /// Appends the event as text, with a line break at the end of each line.
    pub fn write_text(&self, tables: &Tables, out: &mut String) {
        // Writing to a string cannot fail.
        let _ = self.write(tables, out);
        out.push('\n');
    }

    fn write(&self, tables: &Tables, out: &mut String) -> fmt::Result {
        let (m, p, g, time) = (self.thread, self.proc, self.goroutine, self.time);
        write!(out, "M={m} P={p} G={g} {} Time={time}", self.kind.name())?;
        self.write_details(tables, out)?;
        if !self.stack.is_none() || self.kind == Kind::StackSample {
            out.push_str("\nStack=\n");
            write_stack(tables, self.stack, out)?;
        }
        Ok(())
    }

    fn write_details(&self, tables: &Tables, out: &mut String) -> fmt::Result {
        let quoted = |id: Str| Quoted(tables.str(id));
        match self.kind {
            Kind::Sync { number, kind } => write_sync(number, kind, tables.clock(), out),
            Kind::Metric(metric, value) => {
                write!(out, " Name={} Value=Value{{Uint64({value})}}", Quoted(metric.name()))
            }
            Kind::Label(label) => {
                write!(out, " Label={} Resource=Goroutine({})", quoted(label), self.goroutine)
            }
            Kind::StackSample => Ok(()),
            Kind::RangeBegin(range) | Kind::RangeActive(range) => write_range(range, tables, out),
            Kind::RangeEnd(range, swept) => {
                write_range(range, tables, out)?;
                let Some(swept) = swept else { return write!(out, " Attributes=[]") };
                let (all, back) = (swept.swept, swept.reclaimed);
                write!(
                    out,
                    " Attributes=[\"bytes swept\"=Value{{Uint64({all})}} \"bytes reclaimed\"=Value{{Uint64({back})}}]"
                )
            }
            Kind::TaskBegin(task) | Kind::TaskEnd(task) => {
                write!(out, " ID={} Parent={} Type={}", task.id, task.parent, quoted(task.name))
            }
            Kind::RegionBegin(region) | Kind::RegionEnd(region) => {
                write!(out, " Task={} Type={}", region.task, quoted(region.name))
            }
            Kind::Log(log) => write!(
                out,
                " Task={} Category={} Message={}",
                log.task,
                quoted(log.category),
                quoted(log.message)
            ),
            Kind::Go(transition) => write_transition(transition, tables, out),
            Kind::Proc(t) => write!(out, " ProcID={} {}->{} Reason=\"\"", t.id, t.from, t.to),
            Kind::Experimental(event, args) => write_experimental(event, args, out),
        }
    }
}

impl Kind {
    fn name(&self) -> &'static str {
        match self {
            Self::Sync { .. } => "Sync",
            Self::Metric(..) => "Metric",
            Self::Label(_) => "Label",
            Self::StackSample => "StackSample",
            Self::RangeBegin(_) => "RangeBegin",
            Self::RangeActive(_) => "RangeActive",
            Self::RangeEnd(..) => "RangeEnd",
            Self::TaskBegin(_) => "TaskBegin",
            Self::TaskEnd(_) => "TaskEnd",
            Self::RegionBegin(_) => "RegionBegin",
            Self::RegionEnd(_) => "RegionEnd",
            Self::Log(_) => "Log",
            Self::Go(_) | Self::Proc(_) => "StateTransition",
            Self::Experimental(..) => "Experimental",
        }
    }
}

fn write_sync(
    number: u32,
    kind: SyncKind,
    clock: Option<ClockSnapshot>,
    out: &mut String,
) -> fmt::Result {
    write!(out, " N={number}")?;
    if kind == SyncKind::Gap {
        write!(out, " Gap=true")?;
    }
    let Some(clock) = clock else { return Ok(()) };
    write!(out, " Trace={} Mono={} Wall=", clock.trace, clock.mono)?;
    write_utc(clock.wall_seconds, clock.wall_nanos, out)
}

fn write_range(range: Range, tables: &Tables, out: &mut String) -> fmt::Result {
    write!(out, " Name={} Scope=", Quoted(&range.name(tables)))?;
    match range {
        Range::GcMark => write!(out, "None"),
        Range::GcSweep(proc) => write!(out, "Proc({proc})"),
        Range::StopTheWorld(_, go, _) | Range::GcMarkAssist(go, _) => {
            write!(out, "Goroutine({go})")
        }
    }
}

fn write_transition(t: GoTransition, tables: &Tables, out: &mut String) -> fmt::Result {
    let reason = Quoted(tables.str(t.reason));
    write!(out, " GoID={} {}->{} Reason={reason}", t.id, t.from, t.to)?;
    if let Some(stack) = t.stack {
        out.push_str("\nTransitionStack=\n");
        write_stack(tables, stack, out)?;
    }
    Ok(())
}

fn write_stack(tables: &Tables, stack: Stack, out: &mut String) -> fmt::Result {
    for frame in tables.frames(stack) {
        writeln!(out, "\t{} @ 0x{:x}", tables.str(frame.func), frame.pc)?;
        writeln!(out, "\t\t{}:{}", tables.str(frame.file), frame.line)?;
    }
    Ok(())
}

fn write_experimental(event: EventType, args: [u64; 3], out: &mut String) -> fmt::Result {
    write!(out, " Name={} Args=[", event.name())?;
    for (i, (name, value)) in event.spec().args[1..].iter().zip(args).enumerate() {
        let separator = if i == 0 { "" } else { ", " };
        write!(out, "{separator}{name}=Value{{Uint64({value})}}")?;
    }
    write!(out, "]")
}

/// Writes a time since the Unix epoch as RFC 3339 does, in UTC.
fn write_utc(seconds: u64, nanos: u64, out: &mut String) -> fmt::Result {
    let seconds = seconds.saturating_add(nanos / 1_000_000_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    write!(out, "{year:04}-{month:02}-{day:02}T")?;
    write!(out, "{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)?;
    let fraction = format!(".{:09}", nanos % 1_000_000_000);
    out.push_str(fraction.trim_end_matches('0').trim_end_matches('.'));
    write!(out, "Z")
}

/// Year, month and day of a number of days since 1970-01-01, in the Gregorian calendar.
///
/// Years are counted from March, so that the leap day is the last day of a year.
fn civil(days: u64) -> (u64, u64, u64) {
    const DAYS_0000_TO_1970: u64 = 719_468;
    const DAYS_PER_ERA: u64 = 146_097;
    let days = days + DAYS_0000_TO_1970;
    let (era, day) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (400 * era + year + next, month, day)
}

/// Text as a string literal of Go.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            write_quoted_char(c, f)?;
        }
        f.write_char('"')
    }
}

fn write_quoted_char(c: char, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match c {
        '"' | '\\' => write!(f, "\\{c}"),
        ' '..='~' => f.write_char(c),
        '\x07' => f.write_str("\\a"),
        '\x08' => f.write_str("\\b"),
        '\x0c' => f.write_str("\\f"),
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\t' => f.write_str("\\t"),
        '\x0b' => f.write_str("\\v"),
        '\0'..='\x1f' | '\x7f' => write!(f, "\\x{:02x}", c as u32),
        c if printable(c) => f.write_char(c),
        c if c as u32 > 0xffff => write!(f, "\\U{:08x}", c as u32),
        c => write!(f, "\\u{:04x}", c as u32),
    }
}

/// Whether a character beyond ASCII shows as something.
fn printable(c: char) -> bool {
    // The escaping of Rust knows; it treats combining characters specially only where a string begins.
    let mut text = String::from("a");
    text.push(c);
    text.escape_debug().nth(1) == Some(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted_as_in_go() {
        let quoted =
            Quoted("a\"b\\c\n\t\x01\u{7f}é\u{a0}\u{200b}\u{301}\u{1f600}\u{e0001}").to_string();
        assert_eq!(
            quoted,
            "\"a\\\"b\\\\c\\n\\t\\x01\\x7fé\\u00a0\\u200b\u{301}\u{1f600}\\U000e0001\""
        );
    }

    #[track_caller]
    fn check_utc(seconds: u64, nanos: u64, expected: &str) {
        let mut out = String::new();
        write_utc(seconds, nanos, &mut out).unwrap();
        assert_eq!(out, expected);
    }

    #[test]
    fn wall_clock_times_are_in_utc() {
        check_utc(0, 0, "1970-01-01T00:00:00Z");
        check_utc(951_782_400, 5, "2000-02-29T00:00:00.000000005Z");
        check_utc(1_700_000_000, 123_450_000, "2023-11-14T22:13:20.12345Z");
        check_utc(1_709_251_199, 1_000_000_000, "2024-03-01T00:00:00Z");
        check_utc(4_107_542_399, 0, "2100-02-28T23:59:59Z");
    }
}
