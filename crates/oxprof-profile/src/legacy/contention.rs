//! Contention profiles of C++ programs, and Go's block and mutex profiles with `debug=1`: a heading,
//! attributes such as `cycles/second = 3201000000`, then lines of `delay count @ stack`.

use super::text::{Line, Lines, SampleLine, attribute, is_memory_map, parse_number};
use super::{calls, frames, malformed, maps, stack};
use crate::error::DecodeError;
use crate::{Builder, Profile};

pub(super) fn is_header(line: &[u8]) -> bool {
    ["--- contentionz ", "--- mutex:", "--- contention:"]
        .iter()
        .any(|h| line.starts_with(h.as_bytes()))
}

pub(super) fn decode(mut lines: Lines<'_>) -> Result<Profile, DecodeError> {
    let mut builder = Builder::new(&[("contentions", "count"), ("delay", "nanoseconds")]);
    builder.profile.period_type = builder.value_type("contentions", "count");
    builder.profile.period = 1;
    frames::LOCKS.apply(&mut builder.profile);
    let mut cycles_per_second = 0;
    while let Some(line) = lines.next_relevant() {
        if line.text.starts_with(b"---") || is_memory_map(line.text) {
            lines.return_to(&line);
            break;
        }
        match attribute(line.text) {
            Some((name, value)) => {
                set(&mut builder.profile, &mut cycles_per_second, name, value).ok_or_else(
                    || malformed("contention", &line, "an attribute without meaning"),
                )?;
            }
            None => sample(&mut builder, &line, cycles_per_second)?,
        }
    }
    Ok(maps::attach_section(builder.finish(), lines))
}

fn set(
    profile: &mut Profile,
    cycles_per_second: &mut i64,
    name: &[u8],
    value: &[u8],
) -> Option<()> {
    match name {
        b"cycles/second" => *cycles_per_second = parse_number(value)?,
        b"sampling period" => profile.period = parse_number(value)?,
        b"ms since reset" => {
            profile.duration_nanos = parse_number(value)?.checked_mul(1_000_000)?;
        }
        b"discarded samples" => {}
        _ => return None,
    }
    Some(())
}

fn sample(
    builder: &mut Builder,
    line: &Line<'_>,
    cycles_per_second: i64,
) -> Result<(), DecodeError> {
    let parsed = SampleLine::parse(line.text).and_then(|mut sample| {
        Some((sample.numbers.number()?, sample.numbers.number()?, sample.addresses))
    });
    let (mut delay, mut count, addresses) =
        parsed.ok_or_else(|| malformed("contention", line, "no contention sample"))?;
    let period = builder.profile.period;
    if period > 0 {
        if cycles_per_second > 0 {
            let cycles_per_nano = cycles_per_second as f64 / 1e9;
            delay = (delay as f64 * period as f64 / cycles_per_nano) as i64;
        }
        count = count.saturating_mul(period);
    }
    let stack = stack(builder, calls(addresses));
    builder.sample(&[count, delay], &stack, &[]);
    Ok(())
}
