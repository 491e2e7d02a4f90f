//! A closer look reads only the generations that it touches, and sees in them what a reading of everything sees.

#[path = "../benches/whole_process/workload.rs"]
mod workload;

use std::collections::BTreeSet;

use oxprof_trace::timeline::{Item, LanesBy};
use oxprof_trace::window::{Close, Generations, View, Window};
use oxprof_trace::wire::HEADER_LEN;
use oxprof_trace::write::header;
use oxprof_trace::{Event, Options, Reader, Step, Tables};
use workload::Service;

const GENERATIONS: usize = 5;

fn trace() -> Vec<u8> {
    let (mut service, mut bytes) = (Service::new(), header().to_vec());
    (0..GENERATIONS).for_each(|_| service.generation(100_000, &mut bytes));
    bytes
}

/// Feeds all events of some bytes, with the number of bytes that have been understood.
fn each(bytes: &[&[u8]], mut each: impl FnMut(&Event, &Tables, u64)) {
    let mut reader = Reader::new(Options { strict: true, ..Options::default() });
    let mut pieces = bytes.iter();
    loop {
        match reader.step().unwrap() {
            Step::Event(event) => each(&event, reader.tables(), reader.bytes_parsed()),
            Step::NeedInput => match pieces.next() {
                Some(piece) => reader.feed(piece),
                None => reader.finish(),
            },
            Step::End => return,
        }
    }
}

const STRETCHES: usize = 100;

fn look(by: LanesBy, range: (i64, i64), bytes: &[&[u8]], most: usize) -> View {
    let mut window = Window::new(by, range, STRETCHES, usize::MAX, most);
    each(bytes, |event, tables, _| window.event(event, tables));
    window.finish()
}

/// What there is to see of an interval from close.
fn close(by: LanesBy, range: (i64, i64), bytes: &[&[u8]]) -> Close {
    look(by, range, bytes, usize::MAX).close(range, STRETCHES).unwrap().into_owned()
}

/// What begins in the interval and ends before `known`, as text.
fn begun(view: &Close, from: i64, known: i64) -> BTreeSet<String> {
    let items = view.items.as_ref().unwrap().iter().filter_map(|item| match *item {
        Item::Slice { lane, goroutine, start, end, .. } if start > from && end < known => {
            Some(format!("{lane:?} {} {start} {end}", goroutine.0))
        }
        Item::Arrow { goroutines, from: cause, to, .. } if cause.1 > from && to.1 < known => {
            // Its lane may hang on what the goroutine waited for, which is not said again in each generation.
            Some(format!("{goroutines:?} {} {to:?}", cause.1))
        }
        _ => None,
    });
    items.collect()
}

#[test]
fn a_part_shows_what_the_whole_shows() {
    let trace = trace();
    let mut generations = Generations::default();
    let mut times = Vec::new();
    each(&[&trace], |event, _, bytes_parsed| {
        generations.event(event, bytes_parsed);
        times.push(event.time);
    });
    assert_eq!(generations.len(), GENERATIONS);
    let middle = times[times.len() / 2];
    let range = (middle, middle + 100_000);
    let bytes = generations.bytes(range.0, range.1);
    assert!(bytes.end - bytes.start < trace.len() as u64 / 2, "{bytes:?} of {}", trace.len());
    let part = &trace[bytes.start as usize..bytes.end as usize];
    let (_, known) = generations.known(range.0, range.1);
    let known = known.expect("there are further generations");
    for by in [LanesBy::Proc, LanesBy::Thread, LanesBy::Goroutine] {
        let whole = begun(&close(by, range, &[&trace]), range.0, known);
        let seen = begun(&close(by, range, &[&trace[..HEADER_LEN], part]), range.0, known);
        assert!(whole.len() > 50, "{}", whole.len());
        let differences: Vec<_> = seen.symmetric_difference(&whole).take(5).collect();
        assert!(differences.is_empty(), "{differences:#?}");
    }
}

/// Each lane with what is in each stretch of it.
fn painted(close: &Close, range: (i64, i64)) -> BTreeSet<String> {
    let grid = &close.grid;
    let rows = grid.rows().iter().map(|row| {
        let cells = grid.window(row, range.0, range.1, STRETCHES);
        let cells: Vec<_> = cells.iter().map(|cell| (cell.busy, cell.most)).collect();
        format!("{:?} {} {cells:?}", row.lane, row.slices)
    });
    rows.collect()
}

#[test]
fn what_is_beside_an_interval_is_seen_with_it() {
    let trace = trace();
    let mut times = Vec::new();
    each(&[&trace], |event, _, _| times.push(event.time));
    let middle = times[times.len() / 2];
    let first = (middle, middle + 20_000);
    for by in [LanesBy::Proc, LanesBy::Goroutine] {
        let view = look(by, first, &[&trace], 8_000);
        let mut seen = 0;
        for i in [-60, -8, -2, 0, 1, 5, 60] {
            let range = (middle + i * 15_000, middle + i * 15_000 + 10_000);
            let Some(known) = view.close(range, STRETCHES) else { continue };
            let read = close(by, range, &[&trace]);
            assert_eq!(known.items, read.items, "{by:?} {i}");
            assert_eq!(painted(&known, range), painted(&read, range), "{by:?} {i}");
            seen += 1;
        }
        assert!((1..7).contains(&seen), "{seen} intervals are seen with one");
        assert!(view.close((times[0], times[0] + 10_000), STRETCHES).is_none());
        assert!(
            view.is_fine((times[0], times[times.len() - 1]), STRETCHES) == (by == LanesBy::Proc)
        );
    }
    // Other intervals have no more lanes than the first.
    let mut window = Window::new(LanesBy::Goroutine, first, STRETCHES, 2, usize::MAX);
    each(&[&trace], |event, tables, _| window.event(event, tables));
    let view = window.finish();
    for range in [first, (first.0 - 100_000, first.1 + 100_000)] {
        let grid = &view.close(range, STRETCHES).unwrap().grid;
        assert_eq!((grid.rows().len(), grid.omitted() > 0), (2, true));
    }
    // What was looked at is too much: then its stretches are all there is.
    let view = look(LanesBy::Proc, first, &[&trace], 3);
    assert_eq!(view.close(first, STRETCHES).map(|close| close.items.is_none()), Some(true));
    assert!(view.close((first.0, first.0 + 100), STRETCHES).is_none());
}
