//! Prefix codes, decoded by looking several bits up at once.

/// What a code stands for, and what to do about it.
///
/// ```text
/// bits 0–5    length of the code, or of both codes
/// bits 6–7    number of literals, 0 if it is something else
/// bits 8–11   how many bits follow that are added to the base
/// bits 12–13  END, LONG, INVALID
/// bits 16–31  one or two literals, or the base of a length or distance
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry(u32);

const LITERAL: u32 = 1 << 6;
const PAIR: u32 = 2 * LITERAL;
const SPECIAL: u32 = 3 << 12;

impl Entry {
    /// The end of a block.
    pub(super) const END: Self = Self(1 << 12);
    /// The code is longer than the bits that were looked up.
    pub(super) const LONG: Self = Self(2 << 12);
    /// There is no such code, or it has no meaning.
    pub(super) const INVALID: Self = Self(3 << 12);

    pub(super) const fn literal(byte: u8) -> Self {
        Self(LITERAL | ((byte as u32) << 16))
    }

    pub(super) const fn base(base: u16, extra_bits: u32) -> Self {
        Self(((base as u32) << 16) | (extra_bits << 8))
    }

    fn code_len(self) -> u32 {
        self.0 & 63
    }

    /// The length of the code in the lowest six bits, for [`Lookahead::skip`](super::bits::Lookahead::skip).
    #[inline(always)]
    pub(super) fn to_skip(self) -> u32 {
        self.0
    }

    #[inline(always)]
    pub(super) fn literals(self) -> u32 {
        self.0 >> 6 & 3
    }

    #[inline(always)]
    pub(super) fn extra_bits(self) -> u32 {
        self.0 >> 8 & 15
    }

    /// `END`, `LONG`, `INVALID`, or nothing.
    #[inline(always)]
    pub(super) fn special(self) -> Self {
        Self(self.0 & SPECIAL)
    }

    #[inline(always)]
    pub(super) fn is_special(self) -> bool {
        self.0 & SPECIAL != 0
    }

    /// The base, or the literals.
    #[inline(always)]
    pub(super) fn value(self) -> u32 {
        self.0 >> 16
    }

    /// This literal, then `next`, if both codes together have no more than `bits` bits.
    fn then(self, next: Self, bits: u32) -> Option<Self> {
        let len = self.code_len() + next.code_len();
        let fit = self.literals() == 1 && next.literals() == 1 && len <= bits;
        fit.then(|| Self(len | PAIR | (self.value() << 16) | (next.value() << 24)))
    }
}

/// The longest code that the format allows.
const LONGEST: usize = 15;
const ALL: u32 = 1 << LONGEST;

/// A code, and a table of `SIZE` (a power of two) by the bits at its front.
#[derive(Debug)]
pub(super) struct Code<const SIZE: usize> {
    table: Box<[Entry; SIZE]>,
    /// How many codes there are of each length, and what they stand for, by length: for long codes.
    of_length: [u16; LONGEST + 1],
    by_length: Vec<Entry>,
}

impl<const SIZE: usize> Code<SIZE> {
    /// How many bits are looked up.
    const BITS: u32 = SIZE.ilog2();

    pub(super) fn new() -> Self {
        let table = vec![Entry::INVALID; SIZE].try_into().expect("the right length");
        Self { table, of_length: [0; LONGEST + 1], by_length: Vec::new() }
    }

    /// Becomes the canonical code of these lengths, 0 for symbols that do not occur. False if it cannot: the
    /// lengths must use up all codes, unless there is only one code, or none.
    pub(super) fn set(&mut self, lengths: &[u8], meanings: &[Entry]) -> bool {
        self.of_length = [0; LONGEST + 1];
        lengths.iter().for_each(|&len| self.of_length[usize::from(len)] += 1);
        self.of_length[0] = 0;
        let longest = self.of_length.iter().rposition(|&n| n > 0).unwrap_or(0);
        let is_valid = self.taken() == ALL || (self.taken() < ALL && longest <= 1);
        if is_valid {
            self.sort(lengths, meanings);
            self.fill();
        }
        is_valid
    }

    /// Whether every sequence of bits has a meaning.
    pub(super) fn is_complete(&self) -> bool {
        self.taken() == ALL
    }

    /// How many of the codes of [`LONGEST`] bits begin with one of these.
    fn taken(&self) -> u32 {
        (1..=LONGEST).map(|len| u32::from(self.of_length[len]) << (LONGEST - len)).sum()
    }

    fn sort(&mut self, lengths: &[u8], meanings: &[Entry]) {
        let mut next = [0_u16; LONGEST + 1];
        for len in 1..LONGEST {
            next[len + 1] = next[len] + self.of_length[len];
        }
        self.by_length.clear();
        self.by_length.resize(self.of_length.iter().sum::<u16>().into(), Entry::INVALID);
        for (&len, &meaning) in lengths.iter().zip(meanings).filter(|(len, _)| **len > 0) {
            let next = &mut next[usize::from(len)];
            self.by_length[usize::from(*next)] = Entry(meaning.0 | u32::from(len));
            *next += 1;
        }
    }

    /// Makes the table by doubling it for each length: what is known of `n` bits holds whatever the next is.
    fn fill(&mut self) {
        let mut symbols = self.by_length.iter();
        let mut code = 0_usize;
        self.table[0] = Entry::INVALID;
        for len in 1..=LONGEST as u32 {
            if len <= Self::BITS {
                let half = 1 << (len - 1);
                self.table.copy_within(..half, half);
            }
            for &symbol in symbols.by_ref().take(self.of_length[len as usize].into()) {
                let is_long = len > Self::BITS;
                self.table[code & (SIZE - 1)] = if is_long { Entry::LONG } else { symbol };
                code = next_code(code, len);
            }
        }
    }

    /// Lets one look find two literals, where both codes are short enough.
    pub(super) fn pair_literals(&mut self) {
        // The second is looked up further down, where pairs are not made yet.
        for i in (0..SIZE).rev() {
            let first = self.table[i];
            let second = self.table[i >> first.code_len()];
            if let Some(pair) = first.then(second, Self::BITS) {
                self.table[i] = pair;
            }
        }
    }

    /// What the code at the front of `bits` stands for.
    #[inline(always)]
    pub(super) fn look_up(&self, bits: u64) -> Entry {
        self.table[bits as usize & (SIZE - 1)]
    }

    /// The same bit by bit, for [`Entry::LONG`].
    #[cold]
    pub(super) fn look_up_long(&self, bits: u64) -> Entry {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for len in 1..=LONGEST {
            code |= (bits >> (len - 1)) as usize & 1;
            let count = usize::from(self.of_length[len]);
            if code < first + count {
                return self.by_length[index + code - first];
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        Entry::INVALID
    }
}

/// Adds one to a number of `len` bits whose first bit is the lowest.
fn next_code(code: usize, len: u32) -> usize {
    let zeros = !code & ((1 << len) - 1);
    if zeros == 0 {
        return 0;
    }
    // The last zero becomes a one, and all behind it zeros.
    let last = 1 << zeros.ilog2();
    code & (last - 1) | last
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sets a code of literals, then reads each of them.
    #[track_caller]
    fn check(lengths: &[u8]) {
        let meanings: Vec<_> = (0..lengths.len()).map(|n| Entry::literal(n as u8)).collect();
        let mut code = Code::<64>::new();
        assert!(code.set(lengths, &meanings));
        let mut next = 0_u64;
        let mut symbols: Vec<_> = (0..lengths.len()).filter(|&s| lengths[s] > 0).collect();
        symbols.sort_by_key(|&s| lengths[s]);
        let mut before = 0;
        for symbol in symbols {
            let len = u32::from(lengths[symbol]);
            next <<= len - before;
            before = len;
            let bits = next.reverse_bits() >> (64 - len);
            let found = match code.look_up(bits) {
                Entry::LONG => code.look_up_long(bits),
                entry => entry,
            };
            assert_eq!((found.value(), found.code_len()), (symbol as u32, len));
            next += 1;
        }
    }

    #[test]
    fn codes_are_canonical() {
        check(&[1, 1]);
        check(&[2, 1, 0, 2]);
        check(&[1]);
        check(&[3, 3, 3, 3, 3, 2, 4, 4]);
        check(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 15]);
    }

    #[test]
    fn lengths_must_use_all_codes() {
        let meanings = [Entry::literal(0); 4];
        for lengths in [&[1, 1, 1][..], &[2, 2, 2], &[2], &[1, 2]] {
            assert!(!Code::<64>::new().set(lengths, &meanings), "{lengths:?}");
        }
        assert!(Code::<64>::new().set(&[0, 0], &meanings));
    }
}
