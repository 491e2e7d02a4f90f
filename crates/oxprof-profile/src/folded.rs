//! Folded stacks: one line per stack, `root;…;leaf value`.
//!
//! The format of flame graph scripts. Lines may come with Windows line ends; empty lines and lines that
//! start with `#` are skipped. Fractional values are rounded.

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
/// Semicolons and line breaks in names become colons and spaces, as they would end a frame.
///
/// # Panics
/// When the profile has no such column.
pub fn encode_folded(profile: &Profile, column: usize) -> String {
    let mut names = Names::new(profile);
    let mut stacks = std::collections::BTreeMap::new();
    for sample in profile.samples.iter() {
        if sample.values[column] != 0 {
            let sum: &mut i64 = stacks.entry(names.stack(sample.stack)).or_default();
            *sum = sum.wrapping_add(sample.values[column]);
        }
    }
    stacks
        .iter()
        .filter(|(_, value)| **value != 0)
        .map(|(stack, value)| format!("{stack} {value}\n"))
        .collect()
}

/// The names of each location, root first, made once.
struct Names<'a> {
    profile: &'a Profile,
    known: Vec<Option<String>>,
}

impl<'a> Names<'a> {
    fn new(profile: &'a Profile) -> Self {
        Self { profile, known: vec![None; profile.locations.len()] }
    }

    fn stack(&mut self, stack: &[LocationIdx]) -> String {
        let mut text = String::new();
        for (i, &location) in stack.iter().rev().enumerate() {
            if i > 0 {
                text.push(';');
            }
            let profile = self.profile;
            text.push_str(
                self.known[location.index()].get_or_insert_with(|| names_of(profile, location)),
            );
        }
        text
    }
}

fn names_of(profile: &Profile, location: LocationIdx) -> String {
    let lines = profile.lines_of(location);
    if lines.is_empty() {
        return format!("{:#x}", profile.locations[location.index()].address);
    }
    let name = |line: &Line| {
        profile
            .str(profile.functions[line.function.index()].name)
            .replace(';', ":")
            .replace(['\n', '\r'], " ")
    };
    lines.iter().rev().map(name).collect::<Vec<_>>().join(";")
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
