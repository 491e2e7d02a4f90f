//! A closer look reads only the generations that it touches, and sees in them what a reading of everything sees.

#[path = "../benches/whole_process/workload.rs"]
mod workload;

use std::collections::BTreeSet;

use oxprof_trace::timeline::{Item, LanesBy};
use oxprof_trace::window::{Generations, View, Window};
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

fn look(by: LanesBy, range: (i64, i64), bytes: &[&[u8]]) -> View {
    let mut window = Window::new(by, range, 100, usize::MAX, usize::MAX);
    each(bytes, |event, tables, _| window.event(event, tables));
    window.finish()
}

/// What begins in the interval and ends before `known`, as text.
fn begun(view: &View, from: i64, known: i64) -> BTreeSet<String> {
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
        let whole = begun(&look(by, range, &[&trace]), range.0, known);
        let seen = begun(&look(by, range, &[&trace[..HEADER_LEN], part]), range.0, known);
        assert!(whole.len() > 50, "{}", whole.len());
        let differences: Vec<_> = seen.symmetric_difference(&whole).take(5).collect();
        assert!(differences.is_empty(), "{differences:#?}");
    }
}
