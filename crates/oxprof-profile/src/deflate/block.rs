//! Writing one block in whichever of the format's three ways is shortest.

use super::bits::{BitWriter, CAPACITY, Pending};
use super::huffman::Code;
use super::matches::{MAX, Run};

/// Literals 0–255, the end of the block, and 29 lengths.
const LITERALS: usize = 286;
const END: usize = 256;
const DISTANCES: usize = 30;
/// Four literals must fit into what [`BitWriter`] gathers.
const LIMIT: u8 = (CAPACITY / 4) as u8;
/// The order in which the format lists the lengths of the code for code lengths.
const LENGTH_ORDER: [usize; 19] =
    [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Writes `data`, which `runs` describe. `fixed` is [`Codes::fixed`].
pub(super) fn write(out: &mut BitWriter, data: &[u8], runs: &[Run], fixed: &Codes, is_last: bool) {
    let counts = Counts::new(data, runs);
    let codes = Codes {
        literals: Code::new(&counts.literals, LIMIT),
        distances: Code::new(&counts.distances, LIMIT),
    };
    let header = Header::new(&codes);
    let own_cost = header.cost() + codes.cost(&counts);
    let fixed_cost = fixed.cost(&counts);
    let stored_cost = 8 * (data.len() + 5 * data.len().div_ceil(STORED_MAX).max(1));
    out.reserve(own_cost.min(fixed_cost).min(stored_cost) / 8 + 64);
    if stored_cost < own_cost.min(fixed_cost) {
        return stored(out, data, is_last);
    }
    out.write(is_last.into(), 1);
    if own_cost < fixed_cost {
        out.write(0b10, 2);
        header.write(out);
        codes.write(out, data, runs);
    } else {
        out.write(0b01, 2);
        fixed.write(out, data, runs);
    }
}

const STORED_MAX: usize = u16::MAX as usize;

fn stored(out: &mut BitWriter, data: &[u8], is_last: bool) {
    let mut pieces = data.chunks(STORED_MAX).peekable();
    while let Some(piece) = pieces.next() {
        out.write(u64::from(is_last && pieces.peek().is_none()), 3);
        out.align();
        let len = piece.len() as u16;
        out.bytes(&len.to_le_bytes());
        out.bytes(&(!len).to_le_bytes());
        out.bytes(piece);
    }
}

/// How often each symbol occurs.
struct Counts {
    literals: [u32; LITERALS],
    distances: [u32; DISTANCES],
    /// Bits that follow codes of lengths and distances.
    extra: usize,
}

impl Counts {
    fn new(data: &[u8], runs: &[Run]) -> Self {
        let mut counts = Self { literals: [0; LITERALS], distances: [0; DISTANCES], extra: 0 };
        // Four tables, as the same byte often comes twice and an increment takes its time.
        let mut bytes = [[0_u32; 256]; 4];
        let mut at = 0;
        for run in runs {
            let literals = &data[at..at + run.literals as usize];
            let mut fours = literals.chunks_exact(4);
            for four in &mut fours {
                (0..4).for_each(|i| bytes[i][four[i] as usize] += 1);
            }
            fours.remainder().iter().for_each(|&b| bytes[0][b as usize] += 1);
            at += literals.len() + run.len as usize;
            if run.len > 0 {
                let (length, distance) = (length_symbol(run.len), distance_symbol(run.distance));
                counts.literals[length.symbol] += 1;
                counts.distances[distance.symbol] += 1;
                counts.extra += (length.extra_bits + distance.extra_bits) as usize;
            }
        }
        for (i, count) in counts.literals[..256].iter_mut().enumerate() {
            *count = bytes.iter().map(|table| table[i]).sum();
        }
        counts.literals[END] = 1;
        counts
    }
}

#[derive(Debug)]
pub(super) struct Codes {
    literals: Code<LITERALS>,
    distances: Code<DISTANCES>,
}

impl Codes {
    /// The format's own codes, which need no header.
    pub(super) fn fixed() -> Self {
        let mut lengths = [8; 288];
        lengths[144..256].fill(9);
        lengths[256..280].fill(7);
        let all = Code::of_lengths(lengths);
        let literals = Code {
            bits: *all.bits.first_chunk().expect("a shorter table"),
            lengths: *all.lengths.first_chunk().expect("a shorter table"),
        };
        let all = Code::of_lengths([5; 32]);
        let distances = Code {
            bits: *all.bits.first_chunk().expect("a shorter table"),
            lengths: *all.lengths.first_chunk().expect("a shorter table"),
        };
        Self { literals, distances }
    }

    /// Bits of a block without its header.
    fn cost(&self, counts: &Counts) -> usize {
        3 + self.literals.cost(&counts.literals)
            + self.distances.cost(&counts.distances)
            + counts.extra
    }

    fn write(&self, out: &mut BitWriter, data: &[u8], runs: &[Run]) {
        // Code and length side by side are one load.
        let mut table = [(0_u16, 0_u8); 256];
        for (i, entry) in table.iter_mut().enumerate() {
            *entry = (self.literals.bits[i], self.literals.lengths[i]);
        }
        let code = |byte: u8| {
            let (bits, len) = table[byte as usize];
            (u64::from(bits), u32::from(len))
        };
        let join = |(a, a_len): (u64, u32), (b, b_len): (u64, u32)| (a | b << a_len, a_len + b_len);
        let mut at = 0;
        out.with(|pending, out| {
            for run in runs {
                let literals = &data[at..at + run.literals as usize];
                let mut fours = literals.chunks_exact(4);
                for four in &mut fours {
                    // Two by two, as nothing then waits for all that went before.
                    let halves =
                        [join(code(four[0]), code(four[1])), join(code(four[2]), code(four[3]))];
                    let (bits, len) = join(halves[0], halves[1]);
                    pending.put(bits, len);
                    pending.flush(out);
                }
                for &byte in fours.remainder() {
                    let (bits, len) = code(byte);
                    pending.put(bits, len);
                }
                pending.flush(out);
                at += literals.len() + run.len as usize;
                if run.len > 0 {
                    self.put_match(pending, run);
                    pending.flush(out);
                }
            }
        });
        out.write(self.literals.bits[END].into(), self.literals.lengths[END].into());
    }

    #[inline]
    fn put_match(&self, out: &mut Pending, run: &Run) {
        let (length, distance) = (length_symbol(run.len), distance_symbol(run.distance));
        out.put(
            self.literals.bits[length.symbol].into(),
            self.literals.lengths[length.symbol].into(),
        );
        out.put(length.extra.into(), length.extra_bits);
        out.put(
            self.distances.bits[distance.symbol].into(),
            self.distances.lengths[distance.symbol].into(),
        );
        out.put(distance.extra.into(), distance.extra_bits);
    }
}

/// The lengths of the codes, run-length coded and then Huffman coded themselves.
struct Header {
    literals: usize,
    distances: usize,
    /// Symbols of the code for code lengths, each with the bits that follow it.
    items: Vec<(u8, u8)>,
    code: Code<19>,
    counts: [u32; 19],
    /// How many of [`LENGTH_ORDER`] are written.
    lengths: usize,
}

impl Header {
    fn new(codes: &Codes) -> Self {
        let used =
            |lengths: &[u8]| lengths.iter().rposition(|&len| len > 0).map_or(0, |last| last + 1);
        let literals = used(&codes.literals.lengths).max(257);
        let distances = used(&codes.distances.lengths).max(1);
        let all =
            [&codes.literals.lengths[..literals], &codes.distances.lengths[..distances]].concat();
        let items = run_lengths(&all);
        let mut counts = [0; 19];
        items.iter().for_each(|&(symbol, _)| counts[symbol as usize] += 1);
        let code = Code::new(&counts, 7);
        let written =
            LENGTH_ORDER.iter().rposition(|&s| code.lengths[s] > 0).expect("there are items") + 1;
        Self { literals, distances, items, code, counts, lengths: written.max(4) }
    }

    fn cost(&self) -> usize {
        let extra: usize = self.items.iter().map(|&(symbol, _)| repeat_bits(symbol) as usize).sum();
        14 + 3 * self.lengths + self.code.cost(&self.counts) + extra
    }

    fn write(&self, out: &mut BitWriter) {
        out.write(self.literals as u64 - 257, 5);
        out.write(self.distances as u64 - 1, 5);
        out.write(self.lengths as u64 - 4, 4);
        for &symbol in &LENGTH_ORDER[..self.lengths] {
            out.write(self.code.lengths[symbol].into(), 3);
        }
        for &(symbol, extra) in &self.items {
            let symbol_bits = self.code.lengths[symbol as usize];
            out.write(self.code.bits[symbol as usize].into(), symbol_bits.into());
            out.write(extra.into(), repeat_bits(symbol));
        }
    }
}

/// Bits that follow a symbol of the code for code lengths.
fn repeat_bits(symbol: u8) -> u32 {
    match symbol {
        16 => 2,
        17 => 3,
        18 => 7,
        _ => 0,
    }
}

/// 16 repeats the length before 3–6 times, 17 and 18 repeat zero 3–10 and 11–138 times.
fn run_lengths(lengths: &[u8]) -> Vec<(u8, u8)> {
    let mut items = Vec::new();
    for run in lengths.chunk_by(|a, b| a == b) {
        let (value, mut left) = (run[0], run.len());
        if value > 0 {
            items.push((value, 0));
            left -= 1;
        }
        while left >= 3 {
            let (symbol, least, most) = match (value, left) {
                (0, 11..) => (18, 11, 138),
                (0, _) => (17, 3, 10),
                _ => (16, 3, 6),
            };
            let now = left.min(most);
            items.push((symbol, (now - least) as u8));
            left -= now;
        }
        items.extend((0..left).map(|_| (value, 0)));
    }
    items
}

/// A length or distance in terms of the format.
struct Symbol {
    symbol: usize,
    extra: u16,
    extra_bits: u32,
}

/// Lengths 3–258. From 11 on, four symbols share a number of extra bits.
#[inline]
fn length_symbol(len: u16) -> Symbol {
    let n = len - 3;
    if len as usize == MAX {
        return Symbol { symbol: 285, extra: 0, extra_bits: 0 };
    }
    if n < 8 {
        return Symbol { symbol: 257 + n as usize, extra: 0, extra_bits: 0 };
    }
    let extra_bits = 13 - n.leading_zeros();
    let symbol = 257 + 4 * extra_bits as usize + (n >> extra_bits) as usize;
    Symbol { symbol, extra: n & ((1 << extra_bits) - 1), extra_bits }
}

/// Distances 1–32768. From 5 on, two symbols share a number of extra bits.
#[inline]
fn distance_symbol(distance: u16) -> Symbol {
    let n = distance.wrapping_sub(1);
    if n < 4 {
        return Symbol { symbol: n as usize, extra: 0, extra_bits: 0 };
    }
    let extra_bits = 14 - n.leading_zeros();
    let symbol = 2 * extra_bits as usize + (n >> extra_bits) as usize;
    Symbol { symbol, extra: n & ((1 << extra_bits) - 1), extra_bits }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_those_of_the_format() {
        let length = |len| {
            (length_symbol(len).symbol, length_symbol(len).extra_bits, length_symbol(len).extra)
        };
        assert_eq!(
            [3, 10, 11, 12, 18, 19, 257, 258].map(length),
            [
                (257, 0, 0),
                (264, 0, 0),
                (265, 1, 0),
                (265, 1, 1),
                (268, 1, 1),
                (269, 2, 0),
                (284, 5, 30),
                (285, 0, 0)
            ]
        );
        let distance = |d| {
            (distance_symbol(d).symbol, distance_symbol(d).extra_bits, distance_symbol(d).extra)
        };
        assert_eq!(
            [1, 4, 5, 6, 7, 24_577, 32_768].map(distance),
            [(0, 0, 0), (3, 0, 0), (4, 1, 0), (4, 1, 1), (5, 1, 0), (29, 13, 0), (29, 13, 8191)]
        );
    }

    #[test]
    fn repeated_lengths_are_shortened() {
        let lengths = [&[0; 150][..], &[5; 8], &[0, 0, 7, 7]].concat();
        assert_eq!(
            run_lengths(&lengths),
            [(18, 127), (18, 1), (5, 0), (16, 3), (5, 0), (0, 0), (0, 0), (7, 0), (7, 0)]
        );
    }
}
