//! Heap profiles as text: records as in Go's `debug=1`, then what the process uses in all.

use std::fmt::Write as _;

use super::allocators::AllocatorMemory;
use super::totals::Totals;
use super::{rate, sampler};
use crate::registry::{self, Named};

/// The text of a profile whose values are samples taken at `rate`.
pub(super) fn write(named: &Named, rate: u64) -> String {
    let mut samples: Vec<_> = named.profile.samples.iter().collect();
    samples.sort_by_key(|sample| std::cmp::Reverse((sample.values[3], sample.values[1])));
    let sum = |column: usize| samples.iter().map(|s| s.values[column]).sum::<i64>();
    let mut totals = [0, 1, 2, 3].map(sum);
    // Readers take equal numbers for a sign that only memory in use was recorded.
    totals[1] += i64::from(totals[1] == totals[3]);
    let mut out = format!("heap profile: {} @ heap/{}\n", record(&totals), 2 * rate);
    for sample in samples {
        let addresses = registry::addresses(named, sample.stack);
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{} @{addresses}", record(sample.values));
        out.push_str(&registry::labels(named, sample.labels));
        registry::frames(&mut out, named, sample.stack);
        out.push('\n');
    }
    process(&mut out, &Totals::now());
    out
}

fn record(values: &[i64]) -> String {
    format!("{}: {} [{}: {}]", values[2], values[3], values[0], values[1])
}

/// The totals, under Go's names where they mean the same.
fn process(out: &mut String, totals: &Totals) {
    let AllocatorMemory { in_use, held } = totals.allocator;
    out.push_str("\n# runtime.MemStats\n");
    let lines = [
        ("Alloc", Some(totals.in_use.bytes)),
        ("TotalAlloc", Some(totals.allocated.bytes)),
        ("Sys", totals.virtual_bytes),
        ("Mallocs", Some(totals.allocated.objects as u64)),
        ("Frees", Some((totals.allocated.objects - totals.in_use.objects) as u64)),
        ("HeapAlloc", Some(totals.in_use.bytes)),
        ("HeapSys", held),
        ("HeapIdle", held.zip(in_use).map(|(held, in_use)| held.saturating_sub(in_use))),
        ("HeapInuse", in_use),
        ("HeapObjects", Some(totals.in_use.objects as u64)),
        ("RSS", totals.resident_bytes),
        ("MaxRSS", totals.peak_resident_bytes),
        ("SampleRate", Some(rate::get())),
        ("SamplesNotFollowed", Some(sampler::unfollowed())),
    ];
    for (name, value) in lines {
        if let Some(value) = value {
            let _ = writeln!(out, "# {name} = {value}");
        }
    }
}
