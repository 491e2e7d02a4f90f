//! Profiles of Java programs: samples like those of C++, then a line `0x3 name (file:line)` for every
//! address. The addresses mean nothing beyond that and are not kept.

use std::collections::HashMap;

use super::text::{Line, Lines, SampleLine, Scan, attribute, parse_number};
use super::{block_size, frames, malformed, unsample};
use crate::error::DecodeError;
use crate::{Builder, LocationIdx, Profile, Symbol};

/// Mean distance between heap samples in bytes.
const HEAP_RATE: i64 = 512 << 10;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Heap,
    Contention,
}

impl Kind {
    /// The headings are shared with C++; `format = java` tells.
    pub(super) fn of(heading: &Line<'_>, lines: Lines<'_>) -> Option<Self> {
        let kind = match heading.text {
            b"--- heapz 1 ---" => Self::Heap,
            b"--- contentionz 1 ---" => Self::Contention,
            _ => return None,
        };
        let mut attributes =
            lines.filter(|l| !l.text.is_empty()).map_while(|line| attribute(line.text));
        attributes.any(|pair| pair == (b"format", b"java")).then_some(kind)
    }
}

pub(super) fn decode(kind: Kind, mut lines: Lines<'_>) -> Result<Profile, DecodeError> {
    let names = Names::read(lines.clone());
    let mut builder = match kind {
        Kind::Heap => Builder::new(&[("inuse_objects", "count"), ("inuse_space", "bytes")]),
        Kind::Contention => Builder::new(&[("contentions", "count"), ("delay", "microseconds")]),
    };
    match kind {
        Kind::Heap => frames::ALLOCATORS.apply(&mut builder.profile),
        Kind::Contention => {
            builder.profile.period_type = builder.value_type("contentions", "count");
            frames::LOCKS.apply(&mut builder.profile);
        }
    }
    while let Some(line) = lines.next_relevant() {
        if location(line.text).is_some() {
            break;
        }
        match attribute(line.text) {
            Some((name, value)) => set(&mut builder, kind, name, value)
                .ok_or_else(|| malformed("Java", &line, "an attribute without meaning"))?,
            None => sample(&mut builder, kind, &names, &line)?,
        }
    }
    Ok(without_addresses(builder.finish()))
}

/// The numbers that stand for places are no addresses.
pub(super) fn without_addresses(mut profile: Profile) -> Profile {
    profile.locations.iter_mut().for_each(|location| location.address = 0);
    profile
}

fn set(builder: &mut Builder, kind: Kind, name: &[u8], value: &[u8]) -> Option<()> {
    match (kind, name) {
        (_, b"format") => {}
        (Kind::Heap, b"resolution") => (value == b"bytes").then_some(())?,
        (Kind::Contention, b"resolution") => {
            let unit = builder.profile.strings.intern_bytes(value);
            builder.profile.sample_types[1].unit = unit;
        }
        (Kind::Contention, b"sampling period") => builder.profile.period = parse_number(value)?,
        (Kind::Contention, b"ms since reset") => {
            builder.profile.duration_nanos = parse_number(value)?.checked_mul(1_000_000)?;
        }
        _ => return None,
    }
    Some(())
}

fn sample(
    builder: &mut Builder,
    kind: Kind,
    names: &Names<'_>,
    line: &Line<'_>,
) -> Result<(), DecodeError> {
    let parsed = SampleLine::parse(line.text).and_then(|mut sample| {
        Some((sample.numbers.number()?, sample.numbers.number()?, sample.addresses))
    });
    let (amount, count, addresses) = parsed.ok_or_else(|| malformed("Java", line, "no sample"))?;
    let stack = names.stack(builder, &addresses);
    match kind {
        Kind::Heap if count == 0 => return Err(malformed("Java", line, "a sample of no blocks")),
        Kind::Heap => {
            let label = block_size(builder, amount / count);
            let (count, bytes) = unsample(count, amount, HEAP_RATE);
            builder.sample(&[count, bytes], &stack, &[label]);
        }
        Kind::Contention => {
            let period = if builder.profile.period == 0 { 1 } else { builder.profile.period };
            builder.sample(
                &[count.saturating_mul(period), amount.saturating_mul(period)],
                &stack,
                &[],
            );
        }
    }
    Ok(())
}

/// What the addresses stand for.
pub(super) struct Names<'a>(HashMap<u64, &'a [u8]>);

impl<'a> Names<'a> {
    pub(super) fn read(lines: Lines<'a>) -> Self {
        Self(lines.filter_map(|line| location(line.text)).collect())
    }

    pub(super) fn stack(&self, builder: &mut Builder, addresses: &[u64]) -> Vec<LocationIdx> {
        addresses.iter().map(|&address| self.place(builder, address)).collect()
    }

    /// The address tells places apart until all are known.
    fn place(&self, builder: &mut Builder, address: u64) -> LocationIdx {
        match self.0.get(&address) {
            Some(text) => builder.symbol(None, address, &symbol(text)),
            None => builder.address(None, address),
        }
    }
}

/// `0x3 anything`
fn location(line: &[u8]) -> Option<(u64, &[u8])> {
    let mut scan = Scan(line);
    line.starts_with(b"0x").then_some(())?;
    let address = scan.hex()?;
    scan.space()?;
    Some((address, scan.0))
}

/// `name (file:line)`, `name (file)` or `name`
fn symbol(text: &[u8]) -> Symbol<'_> {
    let plain = Symbol { name: text, system_name: text, ..Symbol::default() };
    let Some(place) = text.strip_suffix(b")") else { return plain };
    let Some(open) = place.windows(2).rposition(|pair| pair == b" (") else { return plain };
    let (name, place) = (text[..open].trim_ascii_end(), &place[open + 2..]);
    let named = Symbol { name, system_name: name, file: place, ..Symbol::default() };
    let Some(colon) = place.iter().rposition(|&b| b == b':') else { return named };
    match parse_number(&place[colon + 1..]) {
        Some(line) => Symbol { file: &place[..colon], line, ..named },
        None => named,
    }
}
