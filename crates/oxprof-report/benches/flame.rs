//! How long the flame graph of a large profile takes, and how large its page is.
//!
//! `cargo bench -p oxprof-report --bench flame`: a million samples of random stacks, about 30 frames deep.

use std::time::Instant;

use oxprof_profile::{
    Function, FunctionIdx, Line, Location, LocationIdx, Profile, Samples, ValueType,
};
use oxprof_report::{Format, Report, ReportOptions, ValueSelector, flame};

const SAMPLES: usize = 1_000_000;
const FUNCTIONS: u64 = 20_000;

fn main() {
    let profile = profile();
    let selector = ValueSelector::default();
    let options = ReportOptions::new(Format::FlamePage, selector, selector.total(&profile));
    let report = Report::new(&profile, &options);
    let frames: usize = profile.samples.iter().map(|s| s.stack.len()).sum();
    println!("{SAMPLES} samples, {frames} frames");
    let start = Instant::now();
    let tree = report.flame_tree(flame::PAGE_SHARE);
    println!(
        "tree: {:?}, {} frames kept, {} dropped",
        start.elapsed(),
        tree.frames.len(),
        tree.dropped
    );
    let start = Instant::now();
    let mut page = Vec::new();
    tree.write_html(&mut page).expect("memory can be written");
    println!("page: {:?}, {} bytes", start.elapsed(), page.len());
}

/// Stacks that are alike near the root and differ near the leaf, as those of programs do.
fn profile() -> Profile {
    let mut profile = Profile::default();
    let (kind, unit) = (profile.strings.intern("cpu"), profile.strings.intern("nanoseconds"));
    profile.sample_types = vec![ValueType { kind, unit }];
    for i in 0..FUNCTIONS as usize {
        let name = profile.strings.intern(&format!("example.com/service/part{}.run{i}", i % 50));
        let id = i as u64 + 1;
        profile.functions.push(Function { id, name, system_name: name, ..Function::default() });
        profile.lines.push(Line { function: FunctionIdx::from_index(i), line: 1, column: 0 });
        let lines = i as u32..i as u32 + 1;
        profile.locations.push(Location { id, address: id, lines, ..Location::default() });
    }
    profile.samples = Samples::new(1);
    let mut state = 1_u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state >> 33
    };
    let mut stack = Vec::new();
    for _ in 0..SAMPLES {
        stack.clear();
        let mut function = 0;
        for depth in 0..20 + random() % 20 {
            stack.push(LocationIdx::from_index(function as usize));
            // Few callees for each function, fewer that are called often.
            let choice = random() % (2 + depth) * (random() % 2);
            function = (function * 7 + choice * 131 + 1) % FUNCTIONS;
        }
        stack.reverse();
        profile.samples.push(&[10_000_000], &stack, &[]);
    }
    profile
}
