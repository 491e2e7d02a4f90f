//! Profiles as text, in the grammar of Go's `debug=1`.

use std::borrow::Cow;
use std::fmt::Write as _;

use oxprof_profile::{Label, LabelValue, LocationIdx, Sample};

use super::snapshot::Named;

/// A profile of one value: how many of what there are, by stack, most first.
pub(crate) fn counts(name: &str, named: &Named) -> String {
    let value = |sample: &Sample<'_>| sample.values.first().copied().unwrap_or(0);
    let mut samples: Vec<_> = named.profile.samples.iter().collect();
    samples.sort_by_cached_key(|sample| {
        (-value(sample), addresses(named, sample.stack), labels(named, sample.labels))
    });
    let total: i64 = samples.iter().map(value).sum();
    let mut out = format!("{name} profile: total {total}\n");
    for sample in samples {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{} @{}", value(&sample), addresses(named, sample.stack));
        out.push_str(&labels(named, sample.labels));
        frames(&mut out, named, sample.stack);
        out.push('\n');
    }
    out
}

/// The line that says what the labels of a sample are, if it has any.
pub(crate) fn labels(named: &Named, labels: &[Label]) -> String {
    let profile = &named.profile;
    let label = |label: &Label| {
        let value = match label.value {
            LabelValue::Str(text) => Cow::Borrowed(profile.str(text)),
            // Sizes are in the record already.
            LabelValue::Num { .. } if profile.str(label.key) == "bytes" => return None,
            LabelValue::Num { value, .. } => value.to_string().into(),
        };
        Some(format!("{}:{}", quoted(profile.str(label.key)), quoted(&value)))
    };
    let mut labels: Vec<String> = labels.iter().filter_map(label).collect();
    labels.sort();
    if labels.is_empty() { String::new() } else { format!("# labels: {{{}}}\n", labels.join(", ")) }
}

/// The text as a string literal of Go.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        // Writing to a string cannot fail.
        let _ = match c {
            '"' | '\\' => write!(out, "\\{c}"),
            '\n' => write!(out, "\\n"),
            '\r' => write!(out, "\\r"),
            '\t' => write!(out, "\\t"),
            c if !c.is_control() => write!(out, "{c}"),
            c if c.is_ascii() => write!(out, "\\x{:02x}", u32::from(c)),
            c => write!(out, "\\u{:04x}", u32::from(c)),
        };
    }
    out.push('"');
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting() {
        for (text, expected) in [
            ("plain é", r#""plain é""#),
            (r#"acme "quoted" \"#, r#""acme \"quoted\" \\""#),
            ("a\n\r\t\0\u{85}", r#""a\n\r\t\x00\u0085""#),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }
}
