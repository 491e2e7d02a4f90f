//! Counts of stacks, as Go's `debug=1` pages print them: `goroutine profile: total 7`, then lines of
//! `1 @ 0x44cb3 0x45045`.

use super::text::{Lines, SampleLine, is_memory_map};
use super::{calls, frames, malformed, maps, stack};
use crate::error::DecodeError;
use crate::{Builder, Profile};

/// The kind of things that are counted.
pub(super) fn parse_header(line: &[u8]) -> Option<&str> {
    let (kind, total) = std::str::from_utf8(line).ok()?.split_once(" profile: total ")?;
    let is_number = !total.is_empty() && total.bytes().all(|b| b.is_ascii_digit());
    (is_number && !kind.is_empty() && !kind.contains(char::is_whitespace)).then_some(kind)
}

pub(super) fn decode(kind: &str, mut lines: Lines<'_>) -> Result<Profile, DecodeError> {
    let mut builder = Builder::new(&[(kind, "count")]);
    builder.profile.period_type = builder.value_type(kind, "count");
    builder.profile.period = 1;
    frames::CPU.apply(&mut builder.profile);
    while let Some(line) = lines.next_relevant() {
        if line.text.starts_with(b"---") || is_memory_map(line.text) {
            lines.return_to(&line);
            break;
        }
        let sample = SampleLine::parse(line.text)
            .and_then(|mut sample| Some((sample.numbers.number()?, sample.addresses)));
        let (count, addresses) =
            sample.ok_or_else(|| malformed("count", &line, "no count with a stack"))?;
        let stack = stack(&mut builder, calls(addresses));
        builder.sample(&[count], &stack, &[]);
    }
    Ok(maps::attach_section(builder.finish(), lines))
}
