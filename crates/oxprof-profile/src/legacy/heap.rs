//! Heap profiles of gperftools and Go: `heap profile: 1: 2 [3: 4] @ heapz_v2/524288`, where the numbers
//! are blocks and bytes in use and, in brackets, allocated so far; then lines of the same kind with a
//! stack instead of the kind.

use super::text::{Line, Lines, SampleLine, Scan};
use super::{block_size, calls, frames, malformed, maps, stack, unsample};
use crate::error::DecodeError;
use crate::{Builder, Profile};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Header {
    /// Whether allocations are counted apart from what is in use.
    has_alloc: bool,
    /// The mean distance between samples in bytes, if the numbers are those of the samples alone.
    rate: Option<i64>,
    period: i64,
}

/// Blocks and bytes in use, and allocated.
struct Counts {
    in_use: (i64, i64),
    allocated: (i64, i64),
}

impl Header {
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let mut scan = Scan(line);
        scan.literal("heap profile:")?;
        let counts = Counts::parse(&mut scan)?;
        scan.skip_space();
        scan.literal("@")?;
        scan.skip_space();
        let kind = scan.take(|&b| b.is_ascii_alphanumeric() || b == b'_')?;
        let number = scan.literal("/").and_then(|()| scan.number()).unwrap_or(0);
        let (rate, period) = match kind {
            b"heapz_v2" | b"heap_v2" => (Some(number), number),
            b"heap" => (Some(number / 2), number / 2),
            b"heapprofile" | b"growthz" | b"growth" | b"fragmentationz" | b"fragmentation" => {
                (None, 1)
            }
            _ => return None,
        };
        Some(Self { has_alloc: counts.in_use != counts.allocated, rate, period })
    }

    pub(super) fn decode(self, mut lines: Lines<'_>) -> Result<Profile, DecodeError> {
        let types: &[_] = if self.has_alloc {
            &[
                ("alloc_objects", "count"),
                ("alloc_space", "bytes"),
                ("inuse_objects", "count"),
                ("inuse_space", "bytes"),
            ]
        } else {
            &[("objects", "count"), ("space", "bytes")]
        };
        let mut builder = Builder::new(types);
        builder.profile.period_type = builder.value_type("space", "bytes");
        builder.profile.period = self.period;
        frames::ALLOCATORS.apply(&mut builder.profile);
        while let Some(line) = lines.next_sample() {
            self.sample(&mut builder, &line)?;
        }
        Ok(maps::attach(builder.finish(), lines))
    }

    fn sample(&self, builder: &mut Builder, line: &Line<'_>) -> Result<(), DecodeError> {
        let parsed = SampleLine::parse(line.text)
            .and_then(|mut sample| Some((Counts::parse(&mut sample.numbers)?, sample.addresses)));
        let (counts, addresses) =
            parsed.ok_or_else(|| malformed("heap", line, "no heap sample"))?;
        let allocated = self.has_alloc.then_some(counts.allocated);
        let mut values = Vec::with_capacity(4);
        let mut size = 0;
        for (count, bytes) in allocated.into_iter().chain([counts.in_use]) {
            if count == 0 && bytes != 0 {
                return Err(malformed("heap", line, "bytes in no blocks"));
            }
            if count != 0 {
                size = bytes / count;
            }
            let (count, bytes) =
                self.rate.map_or((count, bytes), |rate| unsample(count, bytes, rate));
            values.extend([count, bytes]);
        }
        let stack = stack(builder, calls(addresses));
        let label = block_size(builder, size);
        builder.sample(&values, &stack, &[label]);
        Ok(())
    }
}

impl Counts {
    /// `1: 2 [3: 4]`
    fn parse(scan: &mut Scan<'_>) -> Option<Self> {
        let in_use = pair(scan)?;
        scan.skip_space();
        scan.literal("[")?;
        let allocated = pair(scan)?;
        scan.skip_space();
        scan.literal("]")?;
        Some(Self { in_use, allocated })
    }
}

/// `1: 2`
fn pair(scan: &mut Scan<'_>) -> Option<(i64, i64)> {
    let count = scan.number()?;
    scan.literal(":")?;
    Some((count, scan.number()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<(bool, Option<i64>, i64)>) {
        let header = Header::parse(line.as_bytes()).map(|h| (h.has_alloc, h.rate, h.period));
        assert_eq!(header, expected);
    }

    #[test]
    fn headers_tell_how_to_read_the_numbers() {
        check("heap profile: 1: 2 [3: 4] @ heapz_v2/524288", Some((true, Some(524_288), 524_288)));
        check("heap profile: 1: 2 [1: 2] @ heap/1024", Some((false, Some(512), 512)));
        check("heap profile:  1:  2 [ 1:  2] @ heapprofile", Some((false, None, 1)));
        check("heap profile: 1: 2 [3: 4] @ growthz", Some((true, None, 1)));
        check("heap profile: 1: 2 @ heap/1024", None);
        check("heap profile: 1: 2 [3: 4] @ stack/1", None);
    }
}
