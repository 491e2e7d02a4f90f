//! When each lane was busy, with what.

use std::io::Write;

use oxprof_trace::grid::{Cell, Grid, Paint, Row};
use oxprof_trace::timeline::{Counter, LanesBy, Timeline};
use oxprof_trace::{GoState, Names};
use serde::Serialize;

use super::Report;
use crate::failure::Result;
use crate::trace::args::Args;
use crate::trace::input::Trace;
use crate::trace::options;
use crate::trace::text::{duration, lane_name, or_unknown};

/// Columns of the text.
const WIDTH: usize = 64;
/// Lanes that are shown: some 50 KiB each are kept of them.
const LANES: usize = 1000;
/// From idle to busy.
const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];

/// All lanes. Times are in nanoseconds since the trace began.
#[derive(Debug, Serialize)]
pub(super) struct Lanes {
    /// How long the trace is.
    duration: i64,
    lanes: Vec<LaneRow>,
    counters: Vec<CounterRow>,
    /// Slices on lanes that are not shown.
    omitted: u64,
}

#[derive(Debug, Serialize)]
struct LaneRow {
    lane: String,
    busy: i64,
    slices: u64,
    stretches: Vec<Stretch>,
}

/// A stretch of time, a sixty-fourth of the whole.
#[derive(Debug, Serialize)]
struct Stretch {
    busy: i64,
    /// What took most of it.
    what: String,
    /// Whether that is no work.
    #[serde(skip)]
    rest: Option<char>,
}

#[derive(Debug, Serialize)]
struct CounterRow {
    counter: &'static str,
    /// The greatest value in each stretch.
    greatest: Vec<u64>,
}

pub(super) fn read(args: &Args, by: LanesBy) -> Result<Lanes> {
    let (mut timeline, mut grid) = (Timeline::new(by), Grid::new(LANES));
    let outcome = Trace::open(&args.file)?.each(options(args), |event, tables| {
        grid.begin(event.time);
        timeline.event(event, tables, &mut |_, item| grid.item(&item));
    })?;
    outcome.warn();
    let names = timeline.finish(&mut |_, item| grid.item(&item));
    Ok(Lanes::new(&grid, &names))
}

impl Lanes {
    fn new(grid: &Grid, names: &Names) -> Self {
        let (start, end) = grid.range();
        let lane = |row: &Row| {
            let stretch = |cell: &Cell| Stretch {
                busy: cell.busy as i64,
                what: if cell.busy > 0.0 { paint(grid, names, cell) } else { String::new() },
                rest: if cell.busy > 0.0 { rest(grid.paints()[cell.paint as usize]) } else { None },
            };
            let stretches = grid.window(row, start, end, WIDTH).iter().map(stretch).collect();
            LaneRow { lane: lane_name(row.lane), busy: row.busy, slices: row.slices, stretches }
        };
        let mut rows: Vec<&Row> = grid.rows().iter().collect();
        rows.sort_by_key(|row| row.lane);
        let counters = grid.counters(start, end, WIDTH);
        let counter = |(counter, greatest)| CounterRow { counter: counter_name(counter), greatest };
        Self {
            duration: end - start,
            lanes: rows.into_iter().map(lane).collect(),
            counters: counters.map(counter).collect(),
            omitted: grid.omitted(),
        }
    }
}

fn paint(grid: &Grid, names: &Names, cell: &Cell) -> String {
    match grid.paints()[cell.paint as usize] {
        Paint::Function(name) | Paint::Other(name) => or_unknown(names.get(name)).to_owned(),
        Paint::State(state, reason) if reason.is_empty() => format!("{state:?}"),
        Paint::State(state, reason) => format!("{state:?} ({})", names.get(reason)),
    }
}

/// How a state is shown in which nothing is done.
fn rest(paint: Paint) -> Option<char> {
    match paint {
        Paint::State(GoState::Waiting, _) => Some('·'),
        Paint::State(GoState::Runnable, _) => Some('-'),
        Paint::State(GoState::Syscall, _) => Some('s'),
        _ => None,
    }
}

fn counter_name(counter: Counter) -> &'static str {
    match counter {
        Counter::Goroutines(GoState::Running) => "goroutines running",
        Counter::Goroutines(GoState::Runnable) => "goroutines runnable",
        Counter::Goroutines(GoState::Waiting) => "goroutines waiting",
        Counter::Goroutines(_) => "goroutines in system calls",
        Counter::RunningProcs => "processors in use",
        Counter::HeapAlloc => "heap bytes",
        Counter::HeapGoal => "heap bytes to collect at",
    }
}

impl Report for Lanes {
    fn text(&self, out: &mut dyn Write) -> Result<()> {
        let stretch = self.duration / WIDTH as i64;
        writeln!(out, "{} in {WIDTH} stretches of {}", duration(self.duration), duration(stretch))?;
        let counters = self.counters.iter().map(|row| row.counter.len());
        let lanes = self.lanes.iter().map(|row| row.lane.len());
        let width = lanes.chain(counters).max().unwrap_or(0);
        for LaneRow { lane, busy, stretches, .. } in &self.lanes {
            let sign = |s: &Stretch| s.rest.unwrap_or(shade(s.busy as f64 / stretch.max(1) as f64));
            let signs: String = stretches.iter().map(sign).collect();
            let share = 100.0 * *busy as f64 / self.duration.max(1) as f64;
            writeln!(out, "{lane:<width$} │{signs}│ {share:3.0}%  {}", most(stretches))?;
        }
        for CounterRow { counter, greatest } in &self.counters {
            let top = greatest.iter().copied().max().unwrap_or(0);
            let signs: String =
                greatest.iter().map(|&value| shade(value as f64 / top.max(1) as f64)).collect();
            writeln!(out, "{counter:<width$} │{signs}│ up to {top}")?;
        }
        if self.lanes.iter().flat_map(|row| &row.stretches).any(|stretch| stretch.rest.is_some()) {
            writeln!(out, "█ runs  - could run  · waits  s is in a system call")?;
        }
        if self.omitted > 0 {
            writeln!(out, "{} slices on further lanes are not shown.", self.omitted)?;
        }
        Ok(())
    }
}

/// A share from 0 to 1 as a character; only nothing at all is blank.
fn shade(share: f64) -> char {
    let last = SHADES.len() - 1;
    let level = (share * last as f64).round() as usize;
    if share <= 0.0 { SHADES[0] } else { SHADES[level.clamp(1, last)] }
}

/// What took most of a lane's time.
fn most(stretches: &[Stretch]) -> &str {
    let mut sums: Vec<(&str, i64)> = Vec::new();
    for Stretch { busy, what, .. } in stretches.iter().filter(|s| s.busy > 0) {
        match sums.iter_mut().find(|(known, _)| known == what) {
            Some((_, sum)) => *sum += busy,
            None => sums.push((what, *busy)),
        }
    }
    sums.into_iter().rev().max_by_key(|&(_, sum)| sum).map_or("", |(what, _)| what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shades_go_from_nothing_to_all() {
        let all: String = [0.0, 0.01, 0.3, 0.6, 0.8, 1.0, 1.1].map(shade).into_iter().collect();
        assert_eq!(all, " ░░▒▓██");
    }

    #[test]
    fn the_lane_is_about_what_took_most_of_it() {
        let stretch = |busy, what: &str| Stretch { busy, what: what.to_owned(), rest: None };
        let all = [stretch(5, "a"), stretch(6, "b"), stretch(4, "a"), stretch(0, "")];
        assert_eq!(most(&all), "a");
    }
}
