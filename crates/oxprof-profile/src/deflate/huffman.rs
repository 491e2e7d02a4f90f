//! Prefix codes of limited length.

/// The codes of an alphabet of up to `N` symbols.
#[derive(Clone, Debug)]
pub(super) struct Code<const N: usize> {
    /// Bits of each symbol's code, first bit lowest.
    pub(super) bits: [u16; N],
    /// Length of each symbol's code; 0 for symbols that do not occur.
    pub(super) lengths: [u8; N],
}

impl<const N: usize> Code<N> {
    /// A code for symbols that occur this often, none longer than `limit` bits.
    pub(super) fn new(counts: &[u32; N], limit: u8) -> Self {
        Self::of_lengths(limited_lengths(counts, limit))
    }

    /// The canonical code of these lengths.
    pub(super) fn of_lengths(lengths: [u8; N]) -> Self {
        let mut of_length = [0_u16; 16];
        lengths.iter().for_each(|&len| of_length[len as usize] += 1);
        of_length[0] = 0;
        let mut next = [0_u16; 16];
        for len in 1..16 {
            next[len] = (next[len - 1] + of_length[len - 1]) << 1;
        }
        let mut bits = [0; N];
        for (bits, &len) in bits.iter_mut().zip(&lengths).filter(|(_, len)| **len > 0) {
            *bits = next[len as usize].reverse_bits() >> (16 - len);
            next[len as usize] += 1;
        }
        Self { bits, lengths }
    }

    /// Bits that symbols which occur this often take.
    pub(super) fn cost(&self, counts: &[u32; N]) -> usize {
        counts
            .iter()
            .zip(&self.lengths)
            .map(|(&count, &len)| count as usize * usize::from(len))
            .sum()
    }
}

/// Huffman's lengths, with those above the limit cut and the others lengthened to make room for them.
fn limited_lengths<const N: usize>(counts: &[u32; N], limit: u8) -> [u8; N] {
    let mut symbols: Vec<u16> = (0..N as u16).filter(|&s| counts[s as usize] > 0).collect();
    let mut lengths = [0; N];
    if symbols.len() < 2 {
        symbols.iter().for_each(|&s| lengths[s as usize] = 1);
        return lengths;
    }
    symbols.sort_unstable_by_key(|&s| counts[s as usize]);
    let depths =
        depths(&symbols.iter().map(|&s| u64::from(counts[s as usize])).collect::<Vec<_>>());

    // Codes of each length. What the limit cuts takes more room than there is; each step makes two codes
    // of a shorter one and takes a cut one back, until all fit.
    let mut of_length = [0_u32; 16];
    depths.iter().for_each(|&depth| of_length[depth.min(u32::from(limit)) as usize] += 1);
    let room = 1_u32 << limit;
    let mut taken: u32 = (1..=limit).map(|len| of_length[len as usize] << (limit - len)).sum();
    while taken > room {
        let shorter =
            (1..limit).rev().find(|&len| of_length[len as usize] > 0).expect("a shorter code");
        of_length[shorter as usize] -= 1;
        of_length[shorter as usize + 1] += 2;
        of_length[limit as usize] -= 1;
        taken -= 1;
    }
    // Rare symbols get the long codes.
    let mut rarest_first = symbols.iter();
    for len in (1..=limit).rev() {
        for &symbol in rarest_first.by_ref().take(of_length[len as usize] as usize) {
            lengths[symbol as usize] = len;
        }
    }
    lengths
}

/// Depths of the leaves of Huffman's tree, for at least two counts in ascending order.
fn depths(counts: &[u64]) -> Vec<u32> {
    // Inner nodes are made in ascending order of their counts, so the two smallest of all are always at
    // the front of one of two queues.
    let leaves = counts.len();
    let mut parents = vec![0_usize; 2 * leaves - 1];
    let mut inner: Vec<u64> = Vec::with_capacity(leaves - 1);
    let (mut leaf, mut node) = (0, 0);
    while inner.len() < leaves - 1 {
        let mut sum = 0;
        let parent = leaves + inner.len();
        for _ in 0..2 {
            if leaf < leaves && inner.get(node).is_none_or(|&n| counts[leaf] <= n) {
                sum += counts[leaf];
                parents[leaf] = parent;
                leaf += 1;
            } else {
                sum += inner[node];
                parents[leaves + node] = parent;
                node += 1;
            }
        }
        inner.push(sum);
    }
    let mut depths = vec![0; 2 * leaves - 1];
    for i in (0..2 * leaves - 2).rev() {
        depths[i] = depths[parents[i]] + 1;
    }
    depths.truncate(leaves);
    depths
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sum of 2^-length over all codes, in units of 2^-limit.
    fn room<const N: usize>(lengths: &[u8; N], limit: u8) -> u32 {
        lengths.iter().filter(|&&len| len > 0).map(|&len| 1 << (limit - len)).sum()
    }

    #[test]
    fn codes_use_the_room_there_is() {
        let mut counts = [0_u32; 40];
        let (mut a, mut b) = (1, 1);
        for count in &mut counts {
            *count = a;
            (a, b) = (b, (a + b).min(1 << 24));
        }
        for limit in [6, 7, 9, 14] {
            let lengths = limited_lengths(&counts, limit);
            assert!(lengths.iter().all(|&len| (1..=limit).contains(&len)));
            assert_eq!(room(&lengths, limit), 1 << limit, "limit {limit}: {lengths:?}");
        }
    }

    #[test]
    fn frequent_symbols_get_short_codes() {
        assert_eq!(limited_lengths(&[1, 0, 2, 4], 14), [2, 0, 2, 1]);
        assert_eq!(limited_lengths(&[0, 9, 0], 14), [0, 1, 0]);
        assert_eq!(limited_lengths(&[0; 3], 14), [0; 3]);
    }
}
