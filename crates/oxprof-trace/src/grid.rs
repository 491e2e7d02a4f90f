//! A timeline from far away: for every lane and each of a few thousand stretches of time, what took most of it.
//!
//! However long the trace is, this takes the same memory: when time runs beyond the last stretch, pairs of stretches
//! become one; so they do when further lanes want room. A viewer draws from this, and reads only those generations
//! again into which it looks closely ([`window`](crate::window)).

use std::ops::Range;

use oxprof_profile::StrId;
use rustc_hash::FxHashMap;

use crate::GoState;
use crate::timeline::{Counter, Item, Lane, Name};

/// Stretches of a lane that there is room for: the more the fewer lanes there are.
const FEWEST: usize = 1 << 12;
const MOST: usize = 1 << 17;
/// Stretches of all lanes together that there is room for, unless lanes have [`FEWEST`].
const TOGETHER: usize = 1 << 21;

/// A timeline from far away. Feed it the items of a [`Timeline`](crate::timeline::Timeline).
///
/// Memory: twelve bytes for each stretch of each lane, which together are two millions or, of more than 512 lanes, 4096
/// a lane.
#[derive(Clone, Debug)]
pub struct Grid {
    max_rows: usize,
    /// The interval that counts, if not all does.
    bounds: Option<(i64, i64)>,
    /// When the first stretch begins, and how long each is, in nanoseconds.
    start: Option<i64>,
    cell: i64,
    end: i64,
    /// Up to when there is room; 0 if that is to be found out.
    limit: i64,
    rows: Vec<Row>,
    index: FxHashMap<Lane, u32>,
    paints: Vec<Paint>,
    paint_index: FxHashMap<Paint, u32>,
    counters: Vec<Series>,
    /// Items on lanes for which there was no room.
    omitted: u64,
}

/// What to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Paint {
    /// Goroutines that start in this function run.
    Function(StrId),
    /// A goroutine is in a state, for a reason.
    State(GoState, StrId),
    /// Something else of this name.
    Other(StrId),
}

/// A stretch of time on a lane.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cell {
    /// Position among [`Grid::paints`] of what took most of it.
    pub paint: u32,
    /// Nanoseconds that took.
    pub most: f32,
    /// Nanoseconds in which there was anything.
    pub busy: f32,
}

impl Cell {
    /// Adds something that takes so many nanoseconds of it.
    fn add(&mut self, paint: u32, nanos: f32) {
        self.busy += nanos;
        if paint == self.paint {
            self.most += nanos;
        } else if nanos > self.most {
            (self.paint, self.most) = (paint, nanos);
        }
    }

    /// Adds a share of another stretch.
    fn join(&mut self, other: &Self, share: f32) {
        self.add(other.paint, other.most * share);
        self.busy += (other.busy - other.most) * share;
    }
}

/// A lane.
#[derive(Clone, Debug)]
pub struct Row {
    /// Which.
    pub lane: Lane,
    /// Of a goroutine's lane, the function it starts in; empty if unknown.
    pub function: StrId,
    /// Nanoseconds in which there was anything.
    pub busy: i64,
    /// Number of slices.
    pub slices: u64,
    cells: Vec<Cell>,
}

/// A number over time.
#[derive(Clone, Debug)]
struct Series {
    counter: Counter,
    last: u64,
    /// The greatest value in each stretch.
    greatest: Vec<u64>,
}

impl Series {
    /// A number stays what it is until it changes.
    fn set(&mut self, cell: usize, value: u64) {
        self.greatest.resize(self.greatest.len().max(cell + 1), self.last);
        self.greatest[cell] = self.greatest[cell].max(value);
        self.last = value;
    }
}

impl Grid {
    /// An empty grid of at most so many lanes: those that come first.
    pub fn new(max_rows: usize) -> Self {
        Self {
            max_rows,
            bounds: None,
            start: None,
            cell: 1 << 10,
            end: 0,
            limit: 0,
            rows: Vec::new(),
            index: FxHashMap::default(),
            paints: Vec::new(),
            paint_index: FxHashMap::default(),
            counters: Vec::new(),
            omitted: 0,
        }
    }

    /// An empty grid of the slices of an interval, in so many stretches; what is outside is cut off.
    pub fn of_interval(max_rows: usize, (from, to): (i64, i64), stretches: usize) -> Self {
        let length = to.saturating_sub(from).max(1);
        let stretches = stretches.clamp(1, FEWEST / 2) as i64;
        let cell = length / stretches + i64::from(length % stretches > 0);
        Self { bounds: Some((from, from + length)), start: Some(from), cell, ..Self::new(max_rows) }
    }

    /// Says when the trace begins; what is before that is cut off.
    pub fn begin(&mut self, time: i64) {
        self.start.get_or_insert(time);
    }

    /// Adds an item. Slices inside others do not count.
    pub fn item(&mut self, item: &Item) {
        match *item {
            Item::Slice { lane, name, goroutine, start, end, .. } => {
                let Some(paint) = paint(lane, name) else { return };
                let Some((start, end)) = self.within_bounds(start, end) else { return };
                if let Some(row) = self.row(lane) {
                    if matches!(lane, Lane::Goroutine(_)) && !goroutine.1.is_empty() {
                        self.rows[row].function = goroutine.1;
                    }
                    let (start, end) = self.reach(start, end);
                    let paint = self.paint(paint);
                    self.add(row, paint, start, end);
                }
            }
            Item::Counter { counter, time, value } if self.bounds.is_none() => {
                let (time, _) = self.reach(time, time);
                let cell = self.position(time);
                self.series(counter).set(cell, value);
            }
            _ => {}
        }
    }

    /// When the trace begins and ends.
    pub fn range(&self) -> (i64, i64) {
        let start = self.start.unwrap_or(0);
        (start, self.end.max(start))
    }

    /// Nanoseconds of a stretch: what is shorter cannot be seen here.
    pub fn resolution(&self) -> i64 {
        self.cell
    }

    /// The lanes, in the order in which they came.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Items on lanes for which there was no room.
    pub fn omitted(&self) -> u64 {
        self.omitted
    }

    /// What cells refer to.
    pub fn paints(&self) -> &[Paint] {
        &self.paints
    }

    /// The interval from `from` to `to` on a lane in `width` stretches of equal length.
    pub fn window(&self, row: &Row, from: i64, to: i64, width: usize) -> Vec<Cell> {
        let (from, step) = self.steps(from, to, width);
        let stretch = |i: usize| {
            let (begin, end) = (from + step * i as f64, from + step * (i + 1) as f64);
            let (first, next) = (begin as usize, (end.ceil() as usize).max(begin as usize + 1));
            let mut joined = Cell::default();
            for (i, cell) in (first..).zip(within(&row.cells, first..next)) {
                let share = end.min((i + 1) as f64) - begin.max(i as f64);
                joined.join(cell, share.clamp(0.0, 1.0) as f32);
            }
            joined
        };
        (0..width).map(stretch).collect()
    }

    /// The numbers that change, each with its greatest value in each stretch, as for [`window`](Self::window).
    pub fn counters(
        &self,
        from: i64,
        to: i64,
        width: usize,
    ) -> impl Iterator<Item = (Counter, Vec<u64>)> {
        self.counters.iter().map(move |Series { counter, last, greatest: values }| {
            let greatest = |range| within(values, range).iter().copied().max().unwrap_or(*last);
            (*counter, self.stretches(from, to, width).map(greatest).collect())
        })
    }

    /// The part of an interval that counts, if any does.
    fn within_bounds(&self, start: i64, end: i64) -> Option<(i64, i64)> {
        let Some((from, to)) = self.bounds else { return Some((start, end)) };
        let overlaps = start < to && (end > from || start >= from);
        overlaps.then(|| (start.max(from), end.min(to)))
    }

    /// The positions of cells that each of some stretches covers, at least one.
    fn stretches(&self, from: i64, to: i64, width: usize) -> impl Iterator<Item = Range<usize>> {
        let (from, step) = self.steps(from, to, width);
        (0..width).map(move |i| {
            let first = (from + step * i as f64) as usize;
            let next = (from + step * (i + 1) as f64) as usize;
            first..next.max(first + 1)
        })
    }

    /// Where an interval begins, and how long each of `width` parts of it is, in cells.
    fn steps(&self, from: i64, to: i64, width: usize) -> (f64, f64) {
        let start = self.start.unwrap_or(0);
        let cells = |time: i64| time.saturating_sub(start).max(0) as f64 / self.cell as f64;
        (cells(from), (cells(to) - cells(from)).max(0.0) / width.max(1) as f64)
    }

    /// Makes the grid reach to the end of an interval; returns what of it is in the grid.
    fn reach(&mut self, start: i64, end: i64) -> (i64, i64) {
        let first = *self.start.get_or_insert(start);
        let (start, end) = (start.max(first), end.max(first));
        self.end = self.end.max(end);
        if self.end >= self.limit {
            self.make_room(first);
        }
        (start, end)
    }

    fn make_room(&mut self, first: i64) {
        let room = (TOGETHER / self.rows.len().max(1)).clamp(FEWEST, MOST);
        while (self.end - first) / self.cell >= room as i64 {
            self.halve();
        }
        self.limit = first.saturating_add(self.cell.saturating_mul(room as i64));
    }

    /// Makes pairs of stretches one.
    fn halve(&mut self) {
        self.cell *= 2;
        for row in &mut self.rows {
            row.cells = row.cells.chunks(2).map(join).collect();
        }
        for Series { greatest, .. } in &mut self.counters {
            let of = |pair: &[u64]| pair.iter().copied().max().unwrap_or(0);
            *greatest = greatest.chunks(2).map(of).collect();
        }
    }

    fn position(&self, time: i64) -> usize {
        ((time - self.start.unwrap_or(0)) / self.cell) as usize
    }

    fn row(&mut self, lane: Lane) -> Option<usize> {
        if let Some(&row) = self.index.get(&lane) {
            return Some(row as usize);
        }
        if self.rows.len() == self.max_rows {
            self.omitted += 1;
            return None;
        }
        self.index.insert(lane, self.rows.len() as u32);
        let function = StrId::EMPTY;
        self.limit = 0;
        self.rows.push(Row { lane, function, busy: 0, slices: 0, cells: Vec::new() });
        Some(self.rows.len() - 1)
    }

    fn series(&mut self, counter: Counter) -> &mut Series {
        let known = self.counters.iter().position(|series| series.counter == counter);
        let i = known.unwrap_or_else(|| {
            self.counters.push(Series { counter, last: 0, greatest: Vec::new() });
            self.counters.len() - 1
        });
        &mut self.counters[i]
    }

    fn paint(&mut self, paint: Paint) -> u32 {
        let next = self.paints.len() as u32;
        let position = *self.paint_index.entry(paint).or_insert(next);
        if position == next {
            self.paints.push(paint);
        }
        position
    }

    fn add(&mut self, row: usize, paint: u32, start: i64, end: i64) {
        let (origin, length) = (self.start.unwrap_or(0), self.cell);
        let first = self.position(start);
        let is_one = end <= origin + (first as i64 + 1) * length;
        let last = if is_one { first } else { self.position(end - 1) };
        let row = &mut self.rows[row];
        row.busy += end - start;
        row.slices += 1;
        if last >= row.cells.len() {
            row.cells.resize(last + 1, Cell::default());
        }
        if is_one {
            return row.cells[first].add(paint, (end - start) as f32);
        }
        for (i, cell) in row.cells[first..=last].iter_mut().enumerate() {
            let begin = origin + (first + i) as i64 * length;
            cell.add(paint, (end.min(begin + length) - start.max(begin)).max(0) as f32);
        }
    }
}

/// What a slice looks like; `None` if it is part of another.
fn paint(lane: Lane, name: Name) -> Option<Paint> {
    match (lane, name) {
        (_, Name::Goroutine(_, function)) => Some(Paint::Function(function)),
        (_, Name::State(state, reason)) => Some(Paint::State(state, reason)),
        (Lane::Gc, Name::Range(name)) => Some(Paint::Other(name)),
        _ => None,
    }
}

/// The part of a range that there is.
fn within<T>(all: &[T], range: Range<usize>) -> &[T] {
    &all[range.start.min(all.len())..range.end.min(all.len())]
}

/// Stretches as one.
fn join(cells: &[Cell]) -> Cell {
    let mut joined = Cell::default();
    cells.iter().for_each(|cell| joined.join(cell, 1.0));
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GoId, ThreadId};

    const LANE: Lane = Lane::Thread(ThreadId(1));

    fn slice_of(lane: Lane, name: Name, start: i64, end: i64) -> Item {
        let goroutine = (GoId(1), StrId(1));
        Item::Slice { lane, name, goroutine, start, end, stack: None }
    }

    fn slice(function: u32, start: i64, end: i64) -> Item {
        let name = Name::Goroutine(GoId(1), StrId(function));
        slice_of(LANE, name, start, end)
    }

    #[test]
    fn each_stretch_shows_what_took_most_of_it() {
        let mut grid = Grid::new(9);
        grid.begin(0);
        [slice(1, 0, 600), slice(2, 600, 1024), slice(2, 2048, 4096)]
            .iter()
            .for_each(|s| grid.item(s));
        let cells = grid.window(&grid.rows()[0], 0, 4096, 4);
        let seen: Vec<_> = cells.iter().map(|c| (c.paint, c.most, c.busy)).collect();
        assert_eq!(
            seen,
            [(0, 600.0, 1024.0), (0, 0.0, 0.0), (1, 1024.0, 1024.0), (1, 1024.0, 1024.0)]
        );
        let halves = grid.window(&grid.rows()[0], 2048, 4096, 4);
        assert!(halves.iter().all(|c| (c.paint, c.busy) == (1, 512.0)), "parts of stretches, too");
        let whole = grid.window(&grid.rows()[0], 0, 9000, 1);
        assert_eq!((whole[0].paint, whole[0].busy), (1, 3072.0), "also where the lane is over");
    }

    #[test]
    fn a_long_trace_takes_no_more_memory() {
        let mut grid = Grid::new(9);
        for i in 0..100_000 {
            grid.item(&slice((i % 3) as u32, i * 1_000_000, i * 1_000_000 + 500_000));
        }
        let row = &grid.rows()[0];
        assert!(row.cells.len() <= MOST);
        assert_eq!(row.busy, 100_000 * 500_000);
        let busy: f64 = row.cells.iter().map(|cell| f64::from(cell.busy)).sum();
        assert!((busy / row.busy as f64 - 1.0).abs() < 1e-3, "{busy}");
    }

    #[test]
    fn many_lanes_have_fewer_stretches_each() {
        let mut grid = Grid::new(2000);
        let (end, name) = (1 << 40, Name::Goroutine(GoId(1), StrId(1)));
        let add = |grid: &mut Grid, i| {
            grid.item(&slice_of(Lane::Goroutine(GoId(i)), name, 0, end));
        };
        add(&mut grid, 0);
        let fine = grid.resolution();
        (1..2000).for_each(|i| add(&mut grid, i));
        assert_eq!(grid.resolution(), fine * (MOST / FEWEST) as i64);
        assert!(grid.rows().iter().all(|row| row.cells.len() <= FEWEST && row.busy == end));
    }

    #[test]
    fn an_interval_cuts_off_what_is_outside() {
        let mut grid = Grid::of_interval(9, (1000, 2000), 10);
        for (start, end) in [(0, 1000), (900, 1100), (1950, 5000), (2000, 2100)] {
            grid.item(&slice(1, start, end));
        }
        let cells = grid.window(&grid.rows()[0], 1000, 2000, 10);
        let busy: Vec<f32> = cells.iter().map(|cell| cell.busy).collect();
        assert_eq!(busy, [100.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 50.0]);
    }

    #[test]
    fn lanes_without_room_are_counted() {
        let mut grid = Grid::new(1);
        grid.item(&slice(1, 0, 10));
        let name = Name::Goroutine(GoId(1), StrId(1));
        let lane = Lane::Thread(ThreadId(2));
        grid.item(&slice_of(lane, name, 0, 1));
        assert_eq!((grid.rows().len(), grid.omitted()), (1, 1));
    }

    #[test]
    fn counters_keep_their_greatest_value_and_stay() {
        let mut grid = Grid::new(1);
        let counter = Counter::HeapAlloc;
        for (time, value) in [(0, 5), (10, 9), (20, 2), (4000, 3)] {
            grid.item(&Item::Counter { counter, time, value });
        }
        let (_, values) = grid.counters(0, 4096, 4).next().unwrap();
        assert_eq!(values[0], 9);
        assert_eq!(values[3], 3);
    }
}
