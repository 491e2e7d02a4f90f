//! Profiles as text, in the grammar of Go's `debug=1`.

use std::fmt::Write as _;

use oxprof_profile::{LocationIdx, Sample};

use super::snapshot::Named;

/// A profile of one value: how many of what there are, by stack, most first.
pub(crate) fn counts(name: &str, named: &Named) -> String {
    let value = |sample: &Sample<'_>| sample.values.first().copied().unwrap_or(0);
    let mut samples: Vec<_> = named.profile.samples.iter().collect();
    samples.sort_by_cached_key(|sample| (-value(sample), addresses(named, sample.stack)));
    let total: i64 = samples.iter().map(value).sum();
    let mut out = format!("{name} profile: total {total}\n");
    for sample in samples {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{} @{}", value(&sample), addresses(named, sample.stack));
        frames(&mut out, named, sample.stack);
        out.push('\n');
    }
    out
}

/// The lines that say what the frames of a stack are, one for each function that is inlined there, too.
pub(crate) fn frames(out: &mut String, named: &Named, stack: &[LocationIdx]) {
    let profile = &named.profile;
    for &location in stack {
        let address = profile.locations[location.index()].address;
        let lines = profile.lines_of(location);
        if lines.is_empty() {
            let _ = writeln!(out, "#\t{address:#x}");
        }
        for line in lines {
            let function = &profile.functions[line.function.index()];
            let file = match profile.str(function.filename) {
                "" => "?",
                file => file,
            };
            let name = profile.str(function.name);
            let offset = named.offsets.get(location.index()).copied().flatten().unwrap_or(0);
            let _ = writeln!(out, "#\t{address:#x}\t{name}+{offset:#x}\t{file}:{}", line.line);
        }
    }
}

/// Return addresses, each after a space.
pub(crate) fn addresses(named: &Named, stack: &[LocationIdx]) -> String {
    stack.iter().fold(String::new(), |mut out, location| {
        // Locations lie inside the calls, one byte before these.
        let _ = write!(out, " {:#x}", named.profile.locations[location.index()].address + 1);
        out
    })
}
