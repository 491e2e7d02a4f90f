//! The formats from before `profile.proto`: what gperftools, old Go programs, Java agents and debug
//! pages with `debug=1` write.
//!
//! A profile of these kinds is samples of addresses, often followed by the memory map of the process.
//! Addresses of callers are return addresses; one is taken from them so that they lie in the call.

mod contention;
mod count;
mod cpu;
mod frames;
mod heap;
mod java;
mod maps;
mod text;
mod threadz;

use crate::error::DecodeError;
use crate::{Builder, Label, LabelValue, LocationIdx, Profile};
use text::{Line, Lines};

/// Reads the legacy format that the file's start announces; `None` if it announces none.
pub(crate) fn decode(file: &[u8]) -> Option<Result<Profile, DecodeError>> {
    if let Some(header) = cpu::Header::find(file) {
        return Some(header.decode(file));
    }
    let mut lines = Lines::new(file);
    let first = lines.next_relevant()?;
    if let Some(header) = heap::Header::parse(first.text) {
        return Some(header.decode(lines));
    }
    if let Some(kind) = count::parse_header(first.text) {
        return Some(count::decode(kind, lines));
    }
    if threadz::is_header(first.text) {
        return Some(threadz::decode(lines));
    }
    if let Some(kind) = java::Kind::of(&first, lines.clone()) {
        return Some(java::decode(kind, lines));
    }
    contention::is_header(first.text).then(|| contention::decode(lines))
}

/// Takes one from return addresses.
fn calls(addresses: impl IntoIterator<Item = u64>) -> impl Iterator<Item = u64> {
    addresses.into_iter().map(|address| address.wrapping_sub(1))
}

/// The same, but for the leaf, which is no return address.
fn leaf_and_calls(addresses: &[u64]) -> impl Iterator<Item = u64> {
    let adjust =
        |(i, &address): (usize, &u64)| if i == 0 { address } else { address.wrapping_sub(1) };
    addresses.iter().enumerate().map(adjust)
}

/// The stack of some addresses.
fn stack(builder: &mut Builder, addresses: impl IntoIterator<Item = u64>) -> Vec<LocationIdx> {
    addresses.into_iter().map(|address| builder.address(None, address)).collect()
}

/// The label that says how large the blocks of a heap sample are.
fn block_size(builder: &mut Builder, bytes: i64) -> Label {
    let strings = &mut builder.profile.strings;
    Label {
        key: strings.intern("bytes"),
        value: LabelValue::Num { value: bytes, unit: strings.intern("") },
    }
}

/// What a sample of `count` blocks of `bytes` bytes together stands for, if each byte allocated is
/// chosen with a probability of `1 / rate`.
fn unsample(count: i64, bytes: i64, rate: i64) -> (i64, i64) {
    if count == 0 || bytes == 0 {
        return (0, 0);
    }
    if rate <= 1 {
        return (count, bytes);
    }
    let size = bytes as f64 / count as f64;
    let factor = 1.0 / (1.0 - (-size / rate as f64).exp());
    ((count as f64 * factor) as i64, (bytes as f64 * factor) as i64)
}

fn malformed(format: &'static str, line: &Line<'_>, reason: &str) -> DecodeError {
    let shown: String = String::from_utf8_lossy(line.text).chars().take(80).collect();
    DecodeError::Malformed { format, offset: line.offset, reason: format!("{reason}: `{shown}`") }
}
