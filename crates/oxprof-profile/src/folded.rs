//! Folded stacks: one line per stack, `root;…;leaf value`.
//!
//! The format of flame graph scripts. Lines may come with Windows line ends; empty lines and lines that
//! start with `#` are skipped. Fractional values are rounded.

use std::io::{self, Write};

use crate::error::DecodeError;
use crate::{Builder, Line, LocationIdx, Profile};

/// Reads folded stacks into a profile of sample type `samples/count`.
///
/// # Errors
/// When a line does not end in a number.
pub fn decode_folded(text: &[u8]) -> Result<Profile, DecodeError> {
    let mut builder = Builder::new(&[("samples", "count")]);
    let mut offset = 0;
    for line in text.split(|&b| b == b'\n') {
        let trimmed = line.trim_ascii();
        if !trimmed.is_empty() && !trimmed.starts_with(b"#") {
            let (frames, value) = split_value(trimmed).ok_or_else(|| DecodeError::Malformed {
                format: "folded",
                offset,
                reason: "the line does not end in a number".to_owned(),
            })?;
            let stack: Vec<_> =
                frames.split(|&b| b == b';').rev().map(|f| builder.named(f)).collect();
            builder.sample(&[value], &stack, &[]);
        }
        offset += line.len() + 1;
    }
    Ok(builder.finish())
}

/// Whether every one of the first lines is a folded stack.
pub(crate) fn looks_folded(text: &[u8]) -> bool {
    const ENOUGH: usize = 20;
    let lines = text.split(|&b| b == b'\n').map(<[u8]>::trim_ascii);
    let mut lines = lines.filter(|l| !l.is_empty() && !l.starts_with(b"#")).take(ENOUGH).peekable();
    lines.peek().is_some() && lines.all(|line| split_value(line).is_some())
}

/// Writes the values of sample type `column` as folded stacks, equal ones joined, in order of their
/// text. Frames without a name show their address; values of zero are left out.
///
/// # Panics
/// When the profile has no such column.
pub fn encode_folded(profile: &Profile, column: usize) -> String {
    // Each location's names, root first.
    let locations = (0..profile.locations.len()).map(LocationIdx::from_index);
    let names: Vec<Vec<String>> = locations.map(|l| names_of(profile, l)).collect();
    let samples = profile.samples.iter().map(|s| (s.stack, s.values[column])).collect();
    let root_first = |l: &LocationIdx| names[l.index()].iter().map(String::as_str);
    let mut out = Vec::new();
    write_folded(samples, |stack| stack.iter().rev().flat_map(root_first), &mut out)
        .expect("writing to memory does not fail");
    String::from_utf8(out).expect("names are text")
}

/// Writes stacks with their values, equal ones joined, in order of their names; sums of zero are left out.
/// `root_first` gives the names of a stack's frames as [`folded_name`] makes them.
///
/// # Errors
/// Those of `out`.
pub fn write_folded<'n, S: Copy, N: Iterator<Item = &'n str>>(
    mut samples: Vec<(S, i64)>,
    root_first: impl Fn(S) -> N,
    out: &mut (impl Write + ?Sized),
) -> io::Result<()> {
    // Equal stacks end up beside each other, so that they merge without a table of all stacks.
    samples.sort_by(|a, b| root_first(a.0).cmp(root_first(b.0)));
    for same in samples.chunk_by(|a, b| root_first(a.0).eq(root_first(b.0))) {
        let sum = same.iter().fold(0_i64, |sum, (_, value)| sum.wrapping_add(*value));
        if sum == 0 {
            continue;
        }
        for (i, name) in root_first(same[0].0).enumerate() {
            let separator = if i == 0 { "" } else { ";" };
            write!(out, "{separator}{name}")?;
        }
        writeln!(out, " {sum}")?;
    }
    Ok(())
}

/// A name with colons and spaces for semicolons and line breaks, which would end a frame.
pub fn folded_name(name: &str) -> String {
    name.replace(';', ":").replace(['\n', '\r'], " ")
}

fn names_of(profile: &Profile, location: LocationIdx) -> Vec<String> {
    let lines = profile.lines_of(location);
    if lines.is_empty() {
        return vec![format!("{:#x}", profile.locations[location.index()].address)];
    }
    let name =
        |line: &Line| folded_name(profile.str(profile.functions[line.function.index()].name));
    lines.iter().rev().map(name).collect()
}

fn split_value(line: &[u8]) -> Option<(&[u8], i64)> {
    let (frames, value) = line.split_at(line.iter().rposition(|&b| b == b' ' || b == b'\t')?);
    let value = std::str::from_utf8(value.trim_ascii()).ok()?.parse::<f64>().ok()?;
    value.is_finite().then_some(())?;
    Some((frames.trim_ascii_end(), value.round() as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(encode_folded(&decode_folded(text.as_bytes()).unwrap(), 0), expected);
    }

    #[test]
    fn stacks_survive() {
        check("main;b 2\nmain;a 1\n", "main;a 1\nmain;b 2\n");
    }

    #[test]
    fn equal_stacks_join_and_zeros_go() {
        check("a;b 1\na;b 2\nc 0\n", "a;b 3\n");
    }

    #[test]
    fn comments_blank_lines_and_spaces_in_names_are_fine() {
        check(
            "# made by hand\r\n\r\nstd::vec<int, a>;operator new 7\r\n",
            "std::vec<int, a>;operator new 7\n",
        );
    }

    #[test]
    fn a_line_without_number_is_named() {
        let error = decode_folded(b"a 1\nb;c\n").unwrap_err().to_string();
        assert_eq!(
            error,
            "malformed folded profile: the line does not end in a number (at byte 4)"
        );
    }
}
