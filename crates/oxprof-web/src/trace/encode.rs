//! A picture of an interval, as the page gets it.
//!
//! ```text
//! length of the JSON (u32) │ JSON, blanks up to a multiple of 8 │ f64 … │ u32 … │ f32 …
//!
//! f64: begin and end of each slice; time of each instant; cause and effect of each arrow
//! u32: of each slice lane, legend, goroutine (+1), stack (+1); of each instant lane, legend, stack (+1);
//!      of each arrow lane (+1) of the cause, lane, legend, both goroutines (+1)
//!      of each lane, where slices are not sent, each stretch: legend << 16 | share of it << 8 | share that is busy
//! f32: of each counter its greatest value in each stretch
//! ```
//! All is little-endian. Times are nanoseconds since the trace began, lanes positions among those that are sent, shares
//! go to 255. `legend`, `stacks` and `frames` are tables in the JSON. The last legend has no more than 65535 entries;
//! what is beyond is called by the first.

use oxprof_trace::grid::{Cell, Grid, Paint, Row};
use oxprof_trace::timeline::{Counter, Item, Lane, Name};
use oxprof_trace::{GoId, GoState, Names, Problems, StackIdx};
use rustc_hash::FxHashMap;
use serde::Serialize;

use super::timeline::{ITEMS_SENT, lane_of};

/// How many faults of the trace are told.
const FAULTS: usize = 4;

/// What is to be seen.
#[derive(Debug)]
pub(super) struct Picture<'a> {
    pub(super) progress: f64,
    pub(super) whole: (i64, i64),
    pub(super) range: (i64, i64),
    /// What begins or ends here may have begun earlier or end later.
    pub(super) known: (i64, i64),
    pub(super) columns: usize,
    pub(super) close: bool,
    pub(super) grid: &'a Grid,
    pub(super) names: &'a Names,
    /// Lanes that there are, and those to send from the first one on.
    pub(super) total: usize,
    pub(super) first: usize,
    pub(super) rows: Vec<&'a Row>,
    pub(super) items: Option<&'a [Item]>,
    pub(super) counters: &'a Grid,
    pub(super) problems: &'a Problems,
}

#[derive(Debug, Serialize)]
struct Head<'a> {
    progress: f64,
    duration: i64,
    from: i64,
    to: i64,
    known: (i64, i64),
    columns: usize,
    /// Nanoseconds that can be told apart.
    resolution: i64,
    close: bool,
    exact: bool,
    total: usize,
    first: usize,
    /// Slices on lanes for which there was no room.
    omitted: u64,
    problems: u64,
    /// The first few of them, in words.
    faults: Vec<String>,
    lanes: Vec<LaneHead<'a>>,
    counters: Vec<&'static str>,
    legend: Vec<(&'static str, String)>,
    /// Stacks as positions in `frames`, leaf first.
    stacks: Vec<Vec<u32>>,
    frames: Vec<(&'a str, &'a str, u64)>,
    slices: usize,
    instants: usize,
    arrows: usize,
}

#[derive(Debug, Serialize)]
struct LaneHead<'a> {
    kind: &'static str,
    id: i64,
    function: &'a str,
}

/// The picture as bytes.
pub(super) fn encode(picture: &Picture<'_>) -> Vec<u8> {
    let mut writer = Writer::new(picture);
    let sent = writer.items();
    if sent.is_none() {
        writer.cells();
    }
    let counters = writer.counters();
    let (start, (from, to)) = (picture.whole.0, picture.range);
    let (slices, instants, arrows) = sent.unwrap_or_default();
    let head = Head {
        progress: picture.progress,
        duration: picture.whole.1 - start,
        from: from - start,
        to: to - start,
        known: (picture.known.0 - start, picture.known.1 - start),
        columns: picture.columns,
        resolution: picture.grid.resolution(),
        close: picture.close,
        exact: sent.is_some(),
        total: picture.total,
        first: picture.first,
        omitted: picture.grid.omitted(),
        problems: picture.problems.count,
        faults: picture.problems.violations.iter().take(FAULTS).map(ToString::to_string).collect(),
        lanes: picture.rows.iter().map(|row| lane_head(row, picture.names)).collect(),
        counters,
        legend: writer.legend.entries,
        stacks: writer.stacks.stacks,
        frames: writer.stacks.frames,
        slices,
        instants,
        arrows,
    };
    let mut json = serde_json::to_vec(&head).unwrap_or_default();
    json.resize((json.len() + 4).next_multiple_of(8) - 4, b' ');
    let mut out = (json.len() as u32).to_le_bytes().to_vec();
    out.extend(json);
    out.extend(writer.times.iter().flat_map(|time| time.to_le_bytes()));
    out.extend(writer.numbers.iter().flat_map(|number| number.to_le_bytes()));
    out.extend(writer.values.iter().flat_map(|value| value.to_le_bytes()));
    out
}

fn lane_head<'a>(row: &Row, names: &'a Names) -> LaneHead<'a> {
    let (kind, id) = match row.lane {
        Lane::Proc(id) => ("proc", id.0),
        Lane::Thread(id) => ("thread", id.0),
        Lane::Goroutine(id) => ("goroutine", id.0),
        Lane::Gc => ("gc", 0),
        Lane::Network => ("network", 0),
        Lane::Syscalls => ("syscalls", 0),
    };
    LaneHead { kind, id, function: names.get(row.function) }
}

struct Writer<'a> {
    picture: &'a Picture<'a>,
    /// Lanes that are sent.
    lanes: FxHashMap<Lane, u32>,
    legend: Legend,
    stacks: Stacks<'a>,
    times: Vec<f64>,
    numbers: Vec<u32>,
    values: Vec<f32>,
}

impl<'a> Writer<'a> {
    fn new(picture: &'a Picture<'a>) -> Self {
        let lanes = picture.rows.iter().enumerate().map(|(i, row)| (row.lane, i as u32));
        Self {
            picture,
            lanes: lanes.collect(),
            legend: Legend::default(),
            stacks: Stacks::default(),
            times: Vec::new(),
            numbers: Vec::new(),
            values: Vec::new(),
        }
    }

    fn time(&mut self, time: i64) {
        self.times.push((time - self.picture.whole.0) as f64);
    }

    /// All items on lanes that are sent, unless they are too many: how many there are of each kind.
    fn items(&mut self) -> Option<(usize, usize, usize)> {
        let items: Vec<&Item> =
            self.picture.items?.iter().filter(|item| self.is_sent(item)).collect();
        if items.len() > ITEMS_SENT {
            return None;
        }
        let slices = items.iter().filter(|item| self.slice(item)).count();
        let instants = items.iter().filter(|item| self.instant(item)).count();
        let arrows = items.iter().filter(|item| self.arrow(item)).count();
        Some((slices, instants, arrows))
    }

    fn is_sent(&self, item: &Item) -> bool {
        lane_of(item).is_some_and(|lane| self.lanes.contains_key(&lane))
    }

    fn slice(&mut self, item: &Item) -> bool {
        let Item::Slice { lane, name, goroutine, start, end, stack } = *item else { return false };
        self.time(start);
        self.time(end);
        let legend = self.legend.name(name, self.picture.names);
        let stack = self.stacks.get(stack, self.picture.names);
        self.numbers.extend([self.lanes[&lane], legend, number(goroutine.0), stack]);
        true
    }

    fn instant(&mut self, item: &Item) -> bool {
        let Item::Instant { lane, name, time, stack } = *item else { return false };
        self.time(time);
        let legend = self.legend.name(name, self.picture.names);
        let stack = self.stacks.get(stack, self.picture.names);
        self.numbers.extend([self.lanes[&lane], legend, stack]);
        true
    }

    fn arrow(&mut self, item: &Item) -> bool {
        let Item::Arrow { name, goroutines, from, to } = *item else { return false };
        self.time(from.1);
        self.time(to.1);
        let legend = self.legend.name(name, self.picture.names);
        let cause = self.lanes.get(&from.0).map_or(0, |lane| lane + 1);
        let (by, woken) = goroutines;
        self.numbers.extend([cause, self.lanes[&to.0], legend, number(by), number(woken)]);
        true
    }

    /// All stretches of all lanes.
    fn cells(&mut self) {
        let Picture { grid, range: (from, to), columns, .. } = *self.picture;
        let paints: Vec<u32> = grid
            .paints()
            .iter()
            .map(|&paint| self.legend.paint(paint, self.picture.names))
            .collect();
        let length = (to - from) as f64 / columns as f64;
        let share = |part: f32| (f64::from(part) / length * 255.0).ceil().min(255.0) as u32;
        let number = |cell: &Cell| match cell.busy > 0.0 {
            true => paints[cell.paint as usize] << 16 | share(cell.most) << 8 | share(cell.busy),
            false => 0,
        };
        for row in &self.picture.rows {
            self.numbers.extend(grid.window(row, from, to, columns).iter().map(number));
        }
    }

    fn counters(&mut self) -> Vec<&'static str> {
        let Picture { counters, range: (from, to), columns, .. } = *self.picture;
        let mut names = Vec::new();
        for (counter, values) in counters.counters(from, to, columns) {
            names.push(counter_name(counter));
            self.values.extend(values.iter().map(|&value| value as f32));
        }
        names
    }
}

/// The number of a goroutine plus one, or 0 for none.
fn number(id: GoId) -> u32 {
    u32::try_from(id.0.saturating_add(1)).unwrap_or(0)
}

fn counter_name(counter: Counter) -> &'static str {
    match counter {
        Counter::Goroutines(GoState::Running) => "running",
        Counter::Goroutines(GoState::Runnable) => "runnable",
        Counter::Goroutines(GoState::Waiting) => "waiting",
        Counter::Goroutines(_) => "syscall",
        Counter::RunningProcs => "procs",
        Counter::HeapAlloc => "heap",
        Counter::HeapGoal => "goal",
    }
}

/// Kinds of things and their names. The first is nothing in particular.
#[derive(Debug)]
struct Legend {
    entries: Vec<(&'static str, String)>,
    index: FxHashMap<(&'static str, String), u32>,
}

impl Default for Legend {
    fn default() -> Self {
        Self { entries: vec![("other", String::new())], index: FxHashMap::default() }
    }
}

impl Legend {
    fn get(&mut self, kind: &'static str, text: &str) -> u32 {
        let next = self.entries.len() as u32;
        if next > u32::from(u16::MAX) {
            return 0;
        }
        let entry = (kind, text.to_owned());
        let found = *self.index.entry(entry.clone()).or_insert(next);
        if found == next {
            self.entries.push(entry);
        }
        found
    }

    fn paint(&mut self, paint: Paint, names: &Names) -> u32 {
        match paint {
            Paint::Function(name) => self.get("function", names.get(name)),
            Paint::State(state, reason) => self.get(state_name(state), names.get(reason)),
            Paint::Other(name) => self.get("range", names.get(name)),
        }
    }

    fn name(&mut self, name: Name, names: &Names) -> u32 {
        match name {
            Name::Goroutine(_, function) => self.get("function", names.get(function)),
            Name::State(state, reason) => self.get(state_name(state), names.get(reason)),
            Name::Syscall { blocked: false } => self.get("call", ""),
            Name::Syscall { blocked: true } => self.get("call", "blocked"),
            Name::Range(range) => self.get("range", names.get(range)),
            Name::Log(category, message) => {
                let category = names.get(category);
                let message = names.get(message);
                let text =
                    if category.is_empty() { message } else { &format!("[{category}] {message}") };
                self.get("log", text)
            }
            Name::CpuSample => self.get("sample", ""),
            Name::ProcStart(thread) => self.get("proc start", &thread.to_string()),
            Name::ProcStop(thread) => self.get("proc stop", &thread.to_string()),
            Name::Create => self.get("create", ""),
            Name::Unblock(reason) => self.get("unblock", names.get(reason)),
            Name::SyscallExit => self.get("syscall exit", ""),
        }
    }
}

pub(super) fn state_name(state: GoState) -> &'static str {
    match state {
        GoState::Runnable => "runnable",
        GoState::Running => "running",
        GoState::Waiting => "waiting",
        GoState::Syscall => "syscall",
        GoState::Undetermined | GoState::NotExist => "other",
    }
}

/// Stacks that are sent.
#[derive(Debug, Default)]
struct Stacks<'a> {
    stacks: Vec<Vec<u32>>,
    index: FxHashMap<StackIdx, u32>,
    frames: Vec<(&'a str, &'a str, u64)>,
    frame_index: FxHashMap<(&'a str, &'a str, u64), u32>,
}

impl<'a> Stacks<'a> {
    /// The number of a stack plus one; 0 for none and for an empty one.
    fn get(&mut self, stack: Option<StackIdx>, names: &'a Names) -> u32 {
        let Some(stack) = stack.filter(|&stack| names.frames(stack).len() > 0) else { return 0 };
        if let Some(&known) = self.index.get(&stack) {
            return known;
        }
        let frames = names.frames(stack);
        let frames = frames.map(|f| (names.get(f.func), names.get(f.file), f.line));
        let frames = frames.map(|frame| self.frame(frame)).collect();
        self.stacks.push(frames);
        let number = self.stacks.len() as u32;
        self.index.insert(stack, number);
        number
    }

    fn frame(&mut self, frame: (&'a str, &'a str, u64)) -> u32 {
        let next = self.frames.len() as u32;
        let found = *self.frame_index.entry(frame).or_insert(next);
        if found == next {
            self.frames.push(frame);
        }
        found
    }
}
