//! CPU profiles of gperftools: words of 32 or 64 bits, little or big endian.
//!
//! | words | meaning |
//! |---|---|
//! | 0, 3, kind, period, 0 | header; kind 0 for addresses, 1 for Java; period in microseconds |
//! | count, depth, address… | one record per stack, leaf first |
//! | 0, 1, 0 | the end; text follows |
//!
//! The text is the memory map, or the names of a Java program's addresses.

use std::collections::HashMap;

use super::text::Lines;
use super::{frames, java, leaf_and_calls, maps, stack};
use crate::error::DecodeError;
use crate::{Builder, Profile};

/// How words are stored, and what the header says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    wide: bool,
    big_endian: bool,
    is_java: bool,
    period_micros: i64,
}

impl Header {
    /// Tries the four kinds of words.
    pub(super) fn find(file: &[u8]) -> Option<Self> {
        let kinds = [(false, false), (false, true), (true, false), (true, true)];
        kinds.iter().find_map(|&(wide, big_endian)| {
            let mut words = Words { rest: file, wide, big_endian };
            let header: Vec<_> = words.by_ref().take(5).collect();
            let [0, 3, kind @ 0..=1, period, 0] = header[..] else { return None };
            let period_micros =
                i64::try_from(period).ok().filter(|p| *p > 0 && *p < i64::MAX / 1000)?;
            Some(Self { wide, big_endian, is_java: kind == 1, period_micros })
        })
    }

    pub(super) fn decode(self, file: &[u8]) -> Result<Profile, DecodeError> {
        let mut words = Words { rest: file, wide: self.wide, big_endian: self.big_endian };
        words.by_ref().take(5).for_each(drop);
        let mut records = Records::read(&mut words).ok_or_else(|| DecodeError::Malformed {
            format: "CPU",
            offset: file.len() - words.rest.len(),
            reason: "the file ends in the middle of a record".to_owned(),
        })?;
        let mut builder = Builder::new(&[("samples", "count"), ("cpu", "nanoseconds")]);
        builder.profile.period_type = builder.value_type("cpu", "nanoseconds");
        builder.profile.period = self.period_micros * 1000;
        frames::CPU.apply(&mut builder.profile);
        if self.is_java {
            let names = java::Names::read(Lines::new(words.rest));
            records.fill(&mut builder, |builder, addresses| names.stack(builder, addresses));
            return Ok(java::without_addresses(builder.finish()));
        }
        records.drop_signal_frames();
        records.fill(&mut builder, |builder, addresses| stack(builder, addresses.iter().copied()));
        Ok(maps::attach(builder.finish(), Lines::new(words.rest)))
    }
}

/// The file word by word.
struct Words<'a> {
    rest: &'a [u8],
    wide: bool,
    big_endian: bool,
}

impl Iterator for Words<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        if self.wide {
            let (word, rest) = self.rest.split_first_chunk::<8>()?;
            self.rest = rest;
            Some(if self.big_endian {
                u64::from_be_bytes(*word)
            } else {
                u64::from_le_bytes(*word)
            })
        } else {
            let (word, rest) = self.rest.split_first_chunk::<4>()?;
            self.rest = rest;
            Some(u64::from(if self.big_endian {
                u32::from_be_bytes(*word)
            } else {
                u32::from_le_bytes(*word)
            }))
        }
    }
}

/// Counts and stacks; addresses of all stacks lie back to back.
#[derive(Default)]
struct Records {
    counts: Vec<i64>,
    addresses: Vec<u64>,
    ends: Vec<usize>,
}

impl Records {
    /// Reads up to the end mark or, as some writers forget it, to the end of the file.
    fn read(words: &mut Words<'_>) -> Option<Self> {
        let mut records = Self::default();
        while !words.rest.is_empty() {
            let (count, depth) = (words.next()?, words.next()?);
            if depth > words.rest.len() as u64 {
                return None;
            }
            let start = records.addresses.len();
            records.addresses.extend(words.by_ref().take(depth as usize));
            if records.addresses.len() - start < depth as usize {
                return None;
            }
            if count == 0 && records.addresses[start..] == [0] {
                records.addresses.truncate(start);
                break;
            }
            records.counts.push(i64::try_from(count).ok()?);
            records.ends.push(records.addresses.len());
        }
        Some(records)
    }

    fn stack(&self, i: usize) -> &[u64] {
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.addresses[start..self.ends[i]]
    }

    /// Makes addresses point into calls, and removes what the signal handler left next to the leaf: up
    /// to two addresses that all but a few of the samples share, and a second copy of the leaf.
    fn drop_signal_frames(&mut self) {
        let count = self.counts.len();
        let mut stacks: Vec<Vec<u64>> =
            (0..count).map(|i| leaf_and_calls(self.stack(i)).collect()).collect();
        for _ in 0..2 {
            let mut seconds: HashMap<u64, usize> = HashMap::new();
            stacks
                .iter()
                .filter_map(|s| s.get(1))
                .for_each(|&a| *seconds.entry(a).or_default() += 1);
            let shared = seconds.into_iter().find(|&(_, n)| n >= count - count / 32);
            if let Some((address, _)) = shared {
                for stack in stacks.iter_mut().filter(|s| s.get(1) == Some(&address)) {
                    stack.remove(1);
                }
            }
        }
        for stack in &mut stacks {
            drop_second_leaf(stack);
        }
        self.ends = stacks
            .iter()
            .scan(0, |end, s| {
                *end += s.len();
                Some(*end)
            })
            .collect();
        self.addresses = stacks.concat();
    }

    fn fill(
        &self,
        builder: &mut Builder,
        mut stack: impl FnMut(&mut Builder, &[u64]) -> Vec<crate::LocationIdx>,
    ) {
        let period = builder.profile.period;
        for (i, &count) in self.counts.iter().enumerate() {
            let stack = stack(builder, self.stack(i));
            builder.sample(&[count, count.wrapping_mul(period)], &stack, &[]);
        }
    }
}

/// Handlers take the leaf from the signal context and from the stack, once as it is and once as a
/// caller's address would be.
pub(super) fn drop_second_leaf(stack: &mut Vec<u64>) {
    if let [leaf, second, ..] = stack[..]
        && leaf == second.wrapping_add(1)
    {
        stack.remove(1);
    }
}
