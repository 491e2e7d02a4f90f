//! A look at an interval of a trace: what to draw of it, in detail where there is room for that.
//!
//! A generation stands for itself: what it uses it introduces. So to look at an interval, only the generations that it
//! touches are read again, [`Generations`] knows where, by a new [`Reader`](crate::Reader) that gets the header of the
//! trace first. What began earlier seems to begin with the first of them, and why it did is not known; what goes on
//! after the last of them seems to end with it ([`Generations::known`]).
//!
//! Whoever looks somewhere looks beside it next. So a view keeps as much of what was read as there is room for: every
//! item of an interval around the one that was asked for, and all of it from farther away.

use std::borrow::Cow;
use std::ops::Range;

use crate::grid::Grid;
use crate::names::Names;
use crate::timeline::{Item, LanesBy, Timeline};
use crate::wire::HEADER_LEN;
use crate::{Event, Kind, SyncKind, Tables};

/// Lanes of what is seen from farther away. If there are more, it is not drawn from.
const FAR_LANES: usize = 512;

/// Items are kept of so many times the interval on each side of it, if there is room.
const BESIDE: i64 = 64;

/// Where generations begin, in the file and in time.
#[derive(Clone, Debug, Default)]
pub struct Generations {
    starts: Vec<(i64, u64)>,
    /// What has been understood, up to which byte.
    end: u64,
}

impl Generations {
    /// Takes the next event into account, and [`Reader::bytes_parsed`](crate::Reader::bytes_parsed) after it.
    pub fn event(&mut self, event: &Event, bytes_parsed: u64) {
        let Kind::Sync { kind, .. } = event.kind else { return };
        // By now all of the generation has been parsed.
        if kind != SyncKind::End {
            self.starts.push((event.time, self.end.max(HEADER_LEN as u64)));
        }
        self.end = bytes_parsed;
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// The bytes of the generations that an interval touches.
    pub fn bytes(&self, from: i64, to: i64) -> Range<u64> {
        let offset = |i: usize| self.starts.get(i).map_or(self.end, |&(_, offset)| offset);
        let range = self.range(from, to);
        offset(range.start)..offset(range.end)
    }

    /// How many generations an interval touches.
    pub fn touched(&self, from: i64, to: i64) -> usize {
        self.range(from, to).len()
    }

    /// When the first of the generations begins that an interval touches, and when the last of them ends, unless that
    /// is the last of all.
    pub fn known(&self, from: i64, to: i64) -> (i64, Option<i64>) {
        let range = self.range(from, to);
        let start = |i: usize| self.starts.get(i).map(|&(start, _)| start);
        (start(range.start).unwrap_or(from), start(range.end))
    }

    fn range(&self, from: i64, to: i64) -> Range<usize> {
        let after = |time: i64| self.starts.partition_point(|&(start, _)| start <= time);
        after(from).saturating_sub(1)..after(to).max(1)
    }

    /// The earliest time, not before `from`, from which at most so many bytes have to be read to know what happened
    /// until `to`.
    pub fn reach_back(&self, from: i64, to: i64, most: u64) -> i64 {
        let end = self.bytes(from, to).end;
        let near = self.starts.iter().find(|&&(_, offset)| end - offset.min(end) <= most);
        near.map_or(to, |&(start, _)| start.min(to)).max(from)
    }
}

/// What happened in an interval. Feed it the events of the generations that the interval touches.
#[derive(Debug)]
pub struct Window {
    timeline: Timeline,
    seen: Seen,
}

/// A finished [`Window`]: what it looked at, and what it has seen around that.
#[derive(Debug)]
pub struct View {
    /// Strings and stacks of the rest.
    pub names: Names,
    /// All that was read, from farther away.
    pub far: Grid,
    range: (i64, i64),
    stretches: usize,
    max_lanes: usize,
    close: Close,
    /// The items of an interval around what was looked at, as far as there was room.
    around: Option<((i64, i64), Vec<Item>)>,
}

/// An interval from close.
#[derive(Clone, Debug)]
pub struct Close {
    /// The lanes, and what took most of each stretch of them.
    pub grid: Grid,
    /// Slices, instants and arrows in the interval, in the order of their ends; `None` if there are too many.
    pub items: Option<Vec<Item>>,
}

#[derive(Debug)]
struct Seen {
    range: (i64, i64),
    stretches: usize,
    max_lanes: usize,
    grid: Grid,
    far: Grid,
    /// The interval of which items are kept. It begins no earlier than the first event.
    from: i64,
    to: i64,
    /// The time of the last event; the least until there is one.
    now: i64,
    /// The items; `None` if those of the range are too many.
    items: Option<Vec<Item>>,
    max_items: usize,
}

impl Window {
    /// A look at the interval `range` in so many stretches, and at no more than so many lanes and items.
    pub fn new(
        by: LanesBy,
        range: (i64, i64),
        stretches: usize,
        max_lanes: usize,
        max_items: usize,
    ) -> Self {
        let beside = range.1.saturating_sub(range.0).saturating_mul(BESIDE);
        let seen = Seen {
            range,
            stretches,
            max_lanes,
            grid: Grid::of_interval(max_lanes, range, stretches),
            far: Grid::new(FAR_LANES),
            from: range.0.saturating_sub(beside),
            to: range.1.saturating_add(beside),
            now: i64::MIN,
            items: Some(Vec::new()),
            max_items,
        };
        Self { timeline: Timeline::new(by), seen }
    }

    /// Takes the next event into account.
    pub fn event(&mut self, event: &Event, tables: &Tables) {
        let seen = &mut self.seen;
        if seen.now == i64::MIN {
            seen.from = seen.from.max(event.time);
        }
        seen.now = event.time;
        seen.far.begin(event.time);
        self.timeline.event(event, tables, &mut |_, item| seen.item(item));
    }

    /// What is to be drawn.
    pub fn finish(self) -> View {
        let Self { timeline, mut seen } = self;
        let names = timeline.finish(&mut |_, item| seen.item(item));
        let Seen { range, stretches, max_lanes, grid, far, from, to, now, items, .. } = seen;
        let close = Close { grid, items: items.as_ref().map(|items| within(items, range)) };
        let around = items.map(|items| ((from, to.min(now)), items));
        View { names, far, range, stretches, max_lanes, close, around }
    }
}

impl View {
    /// The interval `range` in so many stretches, if all of it has been looked at as closely.
    pub fn close(&self, range: (i64, i64), stretches: usize) -> Option<Cow<'_, Close>> {
        if (range, stretches) == (self.range, self.stretches) {
            return Some(Cow::Borrowed(&self.close));
        }
        let (_, items) = self.around.as_ref().filter(|_| self.covers(range, stretches))?;
        let items = within(items, range);
        let mut grid = Grid::of_interval(self.max_lanes, range, stretches);
        items.iter().for_each(|item| grid.item(item));
        Some(Cow::Owned(Close { grid, items: Some(items) }))
    }

    /// Whether there is a [`close`](Self::close) look at the interval.
    pub fn covers(&self, range: (i64, i64), stretches: usize) -> bool {
        let around =
            self.around.as_ref().is_some_and(|((from, to), _)| *from <= range.0 && range.1 <= *to);
        around || (range, stretches) == (self.range, self.stretches)
    }

    /// Whether [`far`](Self::far) shows the interval `range` as finely as so many stretches.
    pub fn is_fine(&self, range: (i64, i64), stretches: usize) -> bool {
        let (from, to) = self.far.range();
        let stretch = range.1.saturating_sub(range.0) / stretches.max(1) as i64;
        self.far.omitted() == 0
            && from <= range.0
            && range.1 <= to
            && self.far.resolution() <= stretch
    }
}

impl Seen {
    fn item(&mut self, item: Item) {
        self.grid.item(&item);
        self.far.item(&item);
        let around = (self.from, self.to);
        let Some(items) = self.items.as_mut().filter(|_| is_within(&item, around)) else { return };
        items.push(item);
        if items.len() > self.max_items {
            self.shrink();
        }
    }

    /// Keeps less of what is around the interval: half as much on the side where there is more.
    fn shrink(&mut self) {
        let (before, after) =
            (self.range.0 - self.from, self.to.min(self.now).saturating_sub(self.range.1));
        if before <= 0 && after <= 0 {
            self.items = None;
        } else if before > after {
            self.from += before - before / 2;
        } else {
            self.to = self.range.1 + after / 2;
        }
        let around = (self.from, self.to);
        self.items.iter_mut().for_each(|items| items.retain(|item| is_within(item, around)));
    }
}

/// The items that are to be seen in an interval.
fn within(items: &[Item], range: (i64, i64)) -> Vec<Item> {
    items.iter().filter(|item| is_within(item, range)).copied().collect()
}

fn is_within(item: &Item, (from, to): (i64, i64)) -> bool {
    match *item {
        Item::Slice { start, end, .. } => start < to && end > from,
        Item::Instant { time, .. } => (from..to).contains(&time),
        Item::Arrow { from: cause, to: effect, .. } => cause.1 < to && effect.1 >= from,
        // Spans are known from the summary, and counters from the whole trace.
        Item::Counter { .. } | Item::Span { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GoId, ProcId, Slot, Stack, ThreadId};

    fn sync(time: i64, number: u32, kind: SyncKind) -> Event {
        Event {
            time,
            thread: ThreadId::NONE,
            proc: ProcId::NONE,
            goroutine: GoId::NONE,
            slot: Slot::NONE,
            stack: Stack::NONE,
            kind: Kind::Sync { number, kind },
        }
    }

    /// Three generations of a hundred bytes and a hundred nanoseconds, from 1000 on.
    fn generations() -> Generations {
        let mut generations = Generations::default();
        for i in 0..3 {
            let sync = sync(1000 + 100 * i, i as u32 + 1, SyncKind::Generation);
            generations.event(&sync, HEADER_LEN as u64 + 100 * (i as u64 + 1));
        }
        generations.event(&sync(1300, 4, SyncKind::End), HEADER_LEN as u64 + 300);
        generations
    }

    #[test]
    fn an_interval_touches_generations() {
        #[track_caller]
        fn check((from, to): (i64, i64), expected: Range<u64>) {
            let header = HEADER_LEN as u64;
            let found = generations().bytes(from, to);
            assert_eq!(found.start - header..found.end - header, expected);
        }
        check((1000, 1300), 0..300);
        check((0, 5000), 0..300);
        check((1010, 1020), 0..100);
        check((1150, 1200), 100..300);
        check((1250, 1260), 200..300);
        check((0, 10), 0..100);
    }

    #[test]
    fn as_much_of_the_past_as_there_is_room_for() {
        #[track_caller]
        fn check(most: u64, expected: i64) {
            assert_eq!(generations().reach_back(1050, 1250, most), expected);
        }
        check(1000, 1050);
        check(200, 1100);
        check(199, 1200);
        check(0, 1250);
    }
}
