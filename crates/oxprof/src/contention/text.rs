//! Profiles of contention as text: Go's `debug=1`, in which a cycle is a nanosecond.

use std::fmt::Write as _;

use crate::registry::{self, Named};

/// The text of a profile, longest waits first, below a heading and more lines.
pub(super) fn write(heading: &str, more: &[&str], named: &Named) -> String {
    let mut samples: Vec<_> = named.profile.samples.iter().collect();
    samples.sort_by_key(|sample| std::cmp::Reverse((sample.values[1], sample.values[0])));
    let mut out = format!("{heading}\ncycles/second=1000000000\n");
    for line in more {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{line}");
    }
    for sample in samples {
        let addresses = registry::addresses(named, sample.stack);
        let _ = writeln!(out, "{} {} @{addresses}", sample.values[1], sample.values[0]);
        out.push_str(&registry::labels(named, sample.labels));
        registry::frames(&mut out, named, sample.stack);
        out.push('\n');
    }
    out
}
