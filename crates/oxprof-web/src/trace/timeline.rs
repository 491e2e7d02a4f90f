//! The timeline: from the overview where that is fine enough, else from the generations that the interval touches.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use oxprof_trace::grid::{Grid, Row};
use oxprof_trace::timeline::{Item, Lane, LanesBy, Timeline};
use oxprof_trace::window::{Generations, View, Window};
use oxprof_trace::{Event, Names, Problems, Tables};

use super::encode::{Picture, encode};
use super::job::Job;
use super::read::{self, Visitor};
use super::{Trace, TraceSource, unfinished};
use crate::app::Refusal;
use crate::reply::Reply;
use crate::request::Query;

/// Lanes of the overview and of a closer look. Some 50 KiB each are kept of those of the overview.
const LANES: usize = 1000;
const LANES_CLOSE: usize = 4000;
/// Bytes of the trace that are read again to look closer, if that is not less than a few generations.
const CLOSE: u64 = 32 << 20;
/// Items that are kept of a look, and that are sent, before stretches of time take their place. Of those that are kept
/// each takes 80 bytes.
const ITEMS: usize = 300_000;
pub(super) const ITEMS_SENT: usize = 20_000;
/// The largest picture.
const MOST_COLUMNS: usize = 2048;
const MOST_LANES_SENT: usize = 400;
/// Close looks that are kept: whoever scrolls, or zooms in and pans, asks for what they have seen.
const KEPT: usize = 3;

/// All of the trace from far away, as far as it has been read.
#[derive(Debug)]
pub(super) struct Overview {
    pub(super) grid: Grid,
    names: Names,
    pub(super) generations: Generations,
    problems: Problems,
}

/// A look at some generations.
#[derive(Clone, Debug)]
struct Seen {
    by: LanesBy,
    view: Arc<View>,
    /// Between when it is known when something begins and ends.
    known: (i64, i64),
}

/// Overviews by kind of lane, and close looks.
#[derive(Debug, Default)]
pub(super) struct Overviews {
    jobs: [Job<Overview>; 3],
    /// The one that was asked for last comes first.
    seen: Mutex<Vec<Seen>>,
}

impl Overviews {
    fn job(&self, by: LanesBy) -> &Job<Overview> {
        &self.jobs[match by {
            LanesBy::Proc => 0,
            LanesBy::Thread => 1,
            LanesBy::Goroutine => 2,
        }]
    }
}

impl Overviews {
    /// A look that has seen what this one wants to see.
    fn seen(&self, look: &Look, range: (i64, i64)) -> Option<Seen> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let shows = |seen: &Seen| {
            let view = &seen.view;
            seen.by == look.by
                && (view.covers(range, look.columns) || view.is_fine(range, look.columns))
        };
        let at = seen.iter().position(shows)?;
        seen[..=at].rotate_right(1);
        Some(seen[0].clone())
    }

    fn keep(&self, look: Seen) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.truncate(KEPT - 1);
        seen.insert(0, look);
    }
}

/// What of the timeline is asked for. Times are in nanoseconds since the trace began.
#[derive(Debug)]
struct Look {
    by: LanesBy,
    range: Option<(i64, i64)>,
    columns: usize,
    /// The lanes to send: from the one of this number on, or from this goroutine's on.
    first: usize,
    goroutine: Option<i64>,
    count: usize,
    /// Only lanes whose names contain this.
    filter: String,
}

impl Look {
    fn new(query: &Query) -> Result<Self, Refusal> {
        let number = |name: &str, default: usize| query.get(name).parse().unwrap_or(default);
        let time = |name: &str| query.get(name).parse::<f64>().ok().map(|time| time as i64);
        let by = match query.get("by") {
            "" | "proc" => LanesBy::Proc,
            "thread" => LanesBy::Thread,
            "goroutine" => LanesBy::Goroutine,
            other => {
                return Err(Refusal::bad(format!("by is proc, thread or goroutine, not {other}")));
            }
        };
        Ok(Self {
            by,
            range: time("from").zip(time("to")).filter(|(from, to)| from < to),
            columns: number("columns", 1000).clamp(1, MOST_COLUMNS),
            first: number("first", 0),
            goroutine: query.get("goroutine").parse().ok(),
            count: number("count", 100).min(MOST_LANES_SENT),
            filter: query.get("q").to_lowercase(),
        })
    }
}

/// A picture of an interval, or how far the trace has been read if nothing can be seen yet.
pub(super) fn answer(trace: &Trace, query: &Query) -> Result<Reply, Refusal> {
    let look = Look::new(query)?;
    let standing = overview(trace, look.by)?;
    let Some(overview) = standing.value else { return Ok(unfinished(standing.progress)) };
    let (start, end) = overview.grid.range();
    let whole = (start, end.max(start + 1));
    let range = look.range.map_or(whole, |(from, to)| {
        let from = start.saturating_add(from.max(0)).clamp(start, end);
        (from, start.saturating_add(to).clamp(from + 1, whole.1.max(from + 1)))
    });
    let seen = look_closer(trace, &overview, &look, range)?;
    let close = seen.as_ref().and_then(|seen| seen.view.close(range, look.columns));
    let (grid, names) = match (&seen, &close) {
        (Some(seen), Some(close)) => (&close.grid, &seen.view.names),
        (Some(seen), None) => (&seen.view.far, &seen.view.names),
        (None, _) => (&overview.grid, &overview.names),
    };
    let rows = lanes(grid, names, &look, range, close.is_some());
    let first = first_lane(&rows, &look);
    Ok(Reply::binary(encode(&Picture {
        progress: standing.progress,
        whole,
        range,
        known: seen.as_ref().map_or((start, end), |seen| seen.known),
        columns: look.columns,
        close: close.is_some(),
        grid,
        names,
        total: rows.len(),
        first,
        rows: rows.into_iter().skip(first).take(look.count).collect(),
        items: close.as_ref().and_then(|close| close.items.as_deref()),
        counters: &overview.grid,
        problems: &overview.problems,
    })))
}

/// The overview, which begins to be made now if it has not been.
pub(super) fn overview(
    trace: &Trace,
    by: LanesBy,
) -> Result<super::job::Standing<Overview>, Refusal> {
    let source = Arc::clone(&trace.source);
    let work = move |job: &Job<Overview>| read_overview(&*source, by, job);
    trace.overviews.job(by).ask(work).map_err(Refusal::bad)
}

fn read_overview(
    source: &dyn TraceSource,
    by: LanesBy,
    job: &Job<Overview>,
) -> Result<Overview, String> {
    let (begun, pause) = (Instant::now(), Duration::from_millis(200));
    let mut reading = Reading {
        timeline: Timeline::new(by),
        grid: Grid::new(LANES),
        generations: Generations::default(),
        job,
        bytes: source.size().max(1),
        next: begun + pause,
        pause,
    };
    let problems = read::all(source, &mut reading)?;
    let Reading { timeline, mut grid, generations, .. } = reading;
    let names = timeline.finish(&mut |_, item| grid.item(&item));
    Ok(Overview { grid, names, generations, problems })
}

/// An overview while it is made.
struct Reading<'a> {
    timeline: Timeline,
    grid: Grid,
    generations: Generations,
    job: &'a Job<Overview>,
    bytes: u64,
    /// When to put out what there is, and how long to wait after that.
    next: Instant,
    pause: Duration,
}

impl Visitor for Reading<'_> {
    fn event(&mut self, event: &Event, tables: &Tables, bytes_parsed: u64) {
        self.generations.event(event, bytes_parsed);
        self.grid.begin(event.time);
        let grid = &mut self.grid;
        self.timeline.event(event, tables, &mut |_, item| grid.item(&item));
    }

    fn piece(&mut self, read: u64) {
        self.job.progress(read as f64 / self.bytes as f64);
        if Instant::now() < self.next {
            return;
        }
        self.job.publish(Overview {
            grid: self.grid.clone(),
            names: self.timeline.names().clone(),
            generations: self.generations.clone(),
            problems: Problems::default(),
        });
        // The longer it takes, the more there is to be copied.
        self.pause = (self.pause * 2).min(Duration::from_secs(2));
        self.next = Instant::now() + self.pause;
    }
}

/// A closer look, if there is more to be seen than in the overview and it does not take too long.
fn look_closer(
    trace: &Trace,
    overview: &Overview,
    look: &Look,
    (from, to): (i64, i64),
) -> Result<Option<Seen>, Refusal> {
    let bytes = overview.generations.bytes(from, to);
    let length = bytes.end - bytes.start;
    let is_fine = (to - from) / look.columns as i64 >= overview.grid.resolution();
    // Where little happens, every single item may be shown.
    let most = if is_fine { ITEMS as u64 } else { CLOSE };
    let is_short = !is_fine && overview.generations.touched(from, to) <= 2;
    if length == 0 || length > most && !is_short {
        return Ok(None);
    }
    if let Some(seen) = trace.overviews.seen(look, (from, to)) {
        return Ok(Some(seen));
    }
    let mut window = Window::new(look.by, (from, to), look.columns, LANES_CLOSE, ITEMS);
    let mut visitor = |event: &Event, tables: &Tables| window.event(event, tables);
    read::part(&*trace.source, bytes, &mut visitor).map_err(Refusal::bad)?;
    let (begin, end) = overview.generations.known(from, to);
    let known = (begin, end.unwrap_or(overview.grid.range().1));
    let seen = Seen { by: look.by, view: Arc::new(window.finish()), known };
    trace.overviews.keep(seen.clone());
    Ok(Some(seen))
}

/// The lanes in which something happens in the interval, in order.
fn lanes<'a>(
    grid: &'a Grid,
    names: &Names,
    look: &Look,
    (from, to): (i64, i64),
    close: bool,
) -> Vec<&'a Row> {
    let many = look.by == LanesBy::Goroutine && !close;
    let lives = |row: &&Row| {
        let is_goroutine = matches!(row.lane, Lane::Goroutine(_));
        !(many && is_goroutine) || grid.window(row, from, to, 64).iter().any(|c| c.busy > 0.0)
    };
    let mut rows: Vec<&Row> =
        grid.rows().iter().filter(|row| look.matches(row, names)).filter(lives).collect();
    rows.sort_by_key(|row| order(row.lane));
    rows
}

/// What belongs to nobody comes first.
fn order(lane: Lane) -> (bool, Lane) {
    (matches!(lane, Lane::Proc(_) | Lane::Thread(_) | Lane::Goroutine(_)), lane)
}

impl Look {
    fn matches(&self, row: &Row, names: &Names) -> bool {
        if self.filter.is_empty() {
            return true;
        }
        let Lane::Goroutine(id) = row.lane else { return true };
        let exact = self.filter.parse() == Ok(id.0);
        exact || names.get(row.function).to_lowercase().contains(&self.filter)
    }
}

fn first_lane(rows: &[&Row], look: &Look) -> usize {
    let last = rows.len().saturating_sub(1);
    let Some(goroutine) = look.goroutine else { return look.first.min(last) };
    let at =
        rows.iter().position(|row| matches!(row.lane, Lane::Goroutine(id) if id.0 >= goroutine));
    at.unwrap_or(last)
}

/// Whether an item is on a lane.
pub(super) fn lane_of(item: &Item) -> Option<Lane> {
    match *item {
        Item::Slice { lane, .. } | Item::Instant { lane, .. } => Some(lane),
        Item::Arrow { to, .. } => Some(to.0),
        Item::Counter { .. } | Item::Span { .. } => None,
    }
}
