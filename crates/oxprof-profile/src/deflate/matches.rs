//! Finding repetitions.

use super::WINDOW;

/// Shortest repetition that is looked for. Shorter ones gain little over their literals.
const MIN: usize = 6;

/// Longest that the format has a code for.
pub(super) const MAX: usize = 258;

const HASH_BITS: u32 = 14;

/// How many misses it takes until steps grow by one.
const PATIENCE: u32 = 3;

/// How far apart the places are that are remembered within a repetition.
const SPACING: usize = 3;

/// Literals, then a repetition; the last run of a block ends without one (`len` 0).
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) literals: u32,
    pub(super) len: u16,
    pub(super) distance: u16,
}

/// Remembers for each hash where it was seen last.
#[derive(Debug)]
pub(super) struct Matcher {
    /// The low bits of positions in the whole stream. What they point at is compared before use, so it
    /// does no harm that old ones point elsewhere.
    seen: Box<[u16; 1 << HASH_BITS]>,
    /// Bytes of the stream before the buffer, modulo 2^16.
    base: usize,
    runs: Vec<Run>,
}

impl Matcher {
    pub(super) fn new() -> Self {
        let seen = vec![0; 1 << HASH_BITS].try_into().expect("the right length");
        Self { seen, base: 0, runs: Vec::new() }
    }

    /// Splits `buffer[start..]` into runs. What precedes `start` may be repeated.
    pub(super) fn find(&mut self, buffer: &[u8], start: usize) -> &[Run] {
        self.runs.clear();
        let (mut at, mut literals, mut misses) = (start, start, 0_u32);
        while let Some(word) = load(buffer, at) {
            let now = (self.base + at) as u16;
            let before = std::mem::replace(&mut self.seen[hash(word)], now);
            let distance = usize::from(now.wrapping_sub(before));
            let candidate = at.saturating_sub(distance);
            let Some(other) = load(buffer, candidate) else { break };
            // One number for all conditions, each of which alone goes either way as it likes: a branch on it
            // would be mispredicted every other time.
            let is_far = distance.wrapping_sub(1) >= WINDOW;
            let is_before = distance > at;
            if (word ^ other) << 16 | u64::from(is_far) | u64::from(is_before) != 0 {
                misses += 1;
                at += 1 + (misses >> PATIENCE) as usize;
                continue;
            }
            let from = at - common_suffix(buffer, candidate, at, at - literals);
            let end = at + MIN + common_prefix(&buffer[candidate + MIN..], &buffer[at + MIN..]);
            self.push(from - literals, end - from, distance);
            self.remember(buffer, at + 1, end);
            (at, literals) = (end, end);
            misses /= 2;
        }
        self.runs.push(Run { literals: (buffer.len() - literals) as u32, len: 0, distance: 0 });
        &self.runs
    }

    /// The first `gone` bytes of the buffer were removed.
    pub(super) fn slide(&mut self, gone: usize) {
        self.base = (self.base + gone) & 0xffff;
    }

    /// Some places within a repetition, so that its later ones are found.
    #[inline]
    fn remember(&mut self, buffer: &[u8], from: usize, to: usize) {
        for at in (from..to).step_by(SPACING) {
            if let Some(word) = load(buffer, at) {
                self.seen[hash(word)] = (self.base + at) as u16;
            }
        }
    }

    fn push(&mut self, literals: usize, mut len: usize, distance: usize) {
        let mut literals = literals as u32;
        while len > 0 {
            // What is left must not be shorter than any repetition can be.
            let now = if len > MAX && len < MAX + 3 { MAX - 3 } else { len.min(MAX) };
            self.runs.push(Run { literals, len: now as u16, distance: distance as u16 });
            (literals, len) = (0, len - now);
        }
    }
}

#[inline]
fn load(buffer: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*buffer.get(at..)?.first_chunk()?))
}

/// Hashes the low [`MIN`] bytes.
#[inline]
fn hash(word: u64) -> usize {
    ((word << 16).wrapping_mul(0x9e37_79b1_85eb_ca87) >> (64 - HASH_BITS)) as usize
}

/// How many bytes before `a` and before `b`, which lies behind, are equal, up to `most`.
#[inline]
fn common_suffix(buffer: &[u8], a: usize, b: usize, most: usize) -> usize {
    let most = most.min(a);
    let (mut before_a, mut before_b) = (&buffer[..a], &buffer[..b]);
    let mut len = 0;
    while let Some(((a, x), (b, y))) = before_a.split_last_chunk().zip(before_b.split_last_chunk())
    {
        let different = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if different != 0 || len >= most {
            return most.min(len + (different.leading_zeros() / 8) as usize);
        }
        (before_a, before_b, len) = (a, b, len + 8);
    }
    let pairs = before_a.iter().rev().zip(before_b.iter().rev());
    most.min(len + pairs.take_while(|(x, y)| x == y).count())
}

/// How many bytes of both are equal; `b` is the shorter one.
#[inline]
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let mut len = 0;
    for (x, y) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        let (x, y) =
            (u64::from_le_bytes(x.try_into().unwrap()), u64::from_le_bytes(y.try_into().unwrap()));
        if x != y {
            return len + ((x ^ y).trailing_zeros() / 8) as usize;
        }
        len += 8;
    }
    len + a[len..].iter().zip(&b[len..]).take_while(|(x, y)| x == y).count()
}
