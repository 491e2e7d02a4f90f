//! Stacks of all threads: `--- threadz 1 ---`, then per thread `--- Thread 7f79 (name: main/1) stack: ---`
//! and lines with addresses, or a note that they are those of the thread before.

use super::cpu::drop_second_leaf;
use super::text::{Lines, Scan, contains, hex_numbers, is_memory_map};
use super::{frames, leaf_and_calls, malformed, maps, stack};
use crate::error::DecodeError;
use crate::{Builder, Profile};

pub(super) fn is_header(line: &[u8]) -> bool {
    let mut scan = Scan(line);
    scan.literal("--- threadz ")
        .and_then(|()| scan.number())
        .and_then(|_| scan.literal(" ---"))
        .is_some()
}

pub(super) fn decode(mut lines: Lines<'_>) -> Result<Profile, DecodeError> {
    let mut builder = Builder::new(&[("thread", "count")]);
    builder.profile.period_type = builder.value_type("thread", "count");
    builder.profile.period = 1;
    frames::CPU.apply(&mut builder.profile);
    while let Some(line) = lines.next_relevant() {
        if is_memory_map(line.text) {
            lines.return_to(&line);
            break;
        }
        if line.text.starts_with(b"--- no stack trace for")
            || line.text.starts_with(b"---- no stack trace for")
        {
            break;
        }
        if !is_thread(line.text) {
            return Err(malformed("threadz", &line, "no heading of a thread"));
        }
        match addresses(&mut lines)? {
            Some(addresses) => {
                let mut addresses = leaf_and_calls(&addresses).collect();
                drop_second_leaf(&mut addresses);
                let stack = stack(&mut builder, addresses);
                builder.sample(&[1], &stack, &[]);
            }
            None => count_again(&mut builder),
        }
    }
    Ok(maps::attach_section(builder.finish(), lines))
}

fn is_thread(line: &[u8]) -> bool {
    let mut scan = Scan(line);
    let heading = scan
        .literal("--- Thread ")
        .and_then(|()| scan.hex())
        .and_then(|_| scan.literal(" (name: "));
    heading.is_some() && scan.0.ends_with(b") stack: ---")
}

/// The addresses of one thread; `None` if they are those of the thread before, or none.
fn addresses(lines: &mut Lines<'_>) -> Result<Option<Vec<u64>>, DecodeError> {
    let mut addresses = Vec::new();
    let mut same = false;
    while let Some(line) = lines.next() {
        if line.text.starts_with(b"---") {
            lines.return_to(&line);
            break;
        }
        same |= contains(line.text, b"same as previous thread");
        let more = hex_numbers(line.text);
        addresses
            .extend(more.ok_or_else(|| malformed("threadz", &line, "an address exceeds 64 bits"))?);
    }
    Ok(Some(addresses).filter(|addresses| !same && !addresses.is_empty()))
}

/// One more thread with the stack of the last one.
fn count_again(builder: &mut Builder) {
    if let Some(last) = builder.profile.samples.len().checked_sub(1) {
        builder.profile.samples.values_mut(last)[0] += 1;
    }
}
