//! Any bytes as a trace: no panic, whatever is done with what can be read.
//!
//! `cargo +nightly fuzz run trace`; any traces make a good corpus.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxprof_trace::chain::History;
use oxprof_trace::grid::Grid;
use oxprof_trace::mutator::{GcWork, Utilization};
use oxprof_trace::timeline::{LanesBy, Timeline};
use oxprof_trace::views::{Diff, Groups, Mmu, RegionTypes, TaskTypes, Waits};
use oxprof_trace::window::Window;
use oxprof_trace::{
    GoId, Latencies, Options, RawReader, RawStep, Summarizer, WaitFilter, WaitProfiler, Waiting, for_each,
};

fuzz_target!(|bytes: &[u8]| {
    raw(bytes);
    let _ = for_each(bytes, Options { strict: true, max_generation: 1 << 20 }, |_, _| ());
    let mut profilers = Waiting::ALL.map(|waiting| WaitProfiler::new(waiting, WaitFilter::default()));
    let mut summarizer = Summarizer::default();
    let mut latencies = Latencies::new();
    let mut utilization = Utilization::new(GcWork { sweep: true, ..GcWork::default() });
    let mut history = History::new(0, i64::MAX);
    let mut timeline = Timeline::new(LanesBy::Proc);
    let mut grid = Grid::new(10);
    let mut windows = [LanesBy::Thread, LanesBy::Goroutine].map(|by| Window::new(by, (0, 1 << 20), 50, 10, 10));
    let mut text = String::new();
    let options = Options { strict: false, max_generation: 1 << 20 };
    let _ = for_each(bytes, options, |event, tables| {
        text.clear();
        event.write_text(tables, &mut text);
        profilers.iter_mut().for_each(|profiler| profiler.event(event, tables));
        summarizer.event(event, tables);
        latencies.event(event, tables);
        utilization.event(event, tables);
        history.event(event, tables);
        grid.begin(event.time);
        timeline.event(event, tables, &mut |_, item| grid.item(&item));
        windows.iter_mut().for_each(|window| window.event(event, tables));
    });
    profilers.into_iter().for_each(|profiler| drop(profiler.finish()));
    drop((Waits::new(latencies.finish()), history.chain(GoId(1))));
    let summary = summarizer.finish();
    drop((Groups::new(&summary), TaskTypes::new(&summary), RegionTypes::new(&summary)));
    Diff::new(&summary, &summary);
    if let Some(curve) = utilization.finish() {
        Mmu::new(&curve, summary.start);
    }
    timeline.finish(&mut |_, item| grid.item(&item));
    let (from, to) = grid.range();
    grid.rows().iter().for_each(|row| drop(grid.window(row, from, to, 64)));
    drop(grid.counters(from, to, 64).count());
    windows.into_iter().map(Window::finish).for_each(|view| {
        drop(view.close((1 << 10, 1 << 15), 50));
        view.is_fine((from, to), 50);
    });
});

fn raw(bytes: &[u8]) {
    let mut reader = RawReader::new();
    reader.feed(bytes);
    reader.finish();
    let mut text = String::new();
    while let Ok(RawStep::Event(raw)) = reader.step() {
        text.clear();
        raw.write_text(&mut text);
    }
}
