//! Which captures to delete: too old, too many, too large together.

use std::time::Duration;

/// A capture that is kept somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// What it belongs to: captures of one kind from one target.
    pub series: String,
    /// When it was taken, since any fixed time.
    pub time: Duration,
    /// Its size in bytes.
    pub bytes: u64,
}

/// How much to keep. What is `None` does not limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// No capture older than this.
    pub age: Option<Duration>,
    /// No more than these of a series.
    pub count: Option<usize>,
    /// No more bytes than these altogether. The latest capture of all stays in any case.
    pub bytes: Option<u64>,
}

/// The captures to delete at time `now`, as positions in `captures`, in rising order.
pub fn expired(captures: &[Capture], policy: Policy, now: Duration) -> Vec<usize> {
    let mut latest_first: Vec<_> = (0..captures.len()).collect();
    latest_first.sort_by(|&a, &b| captures[b].time.cmp(&captures[a].time).then(b.cmp(&a)));
    let (mut kept, mut bytes) = (Vec::<usize>::new(), 0u64);
    let mut expired = Vec::new();
    for i in latest_first {
        let capture = &captures[i];
        let of_series = kept.iter().filter(|&&k| captures[k].series == capture.series).count();
        let with_it = bytes.saturating_add(capture.bytes);
        let too_old = policy.age.is_some_and(|age| now.saturating_sub(capture.time) > age);
        let too_many = policy.count.is_some_and(|count| of_series >= count);
        let too_large = policy.bytes.is_some_and(|limit| with_it > limit) && !kept.is_empty();
        if too_old || too_many || too_large {
            expired.push(i);
        } else {
            bytes = with_it;
            kept.push(i);
        }
    }
    expired.sort_unstable();
    expired
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Captures taken at seconds 0, 1, 2, … as series and bytes; it is second 10.
    #[track_caller]
    fn check(captures: &[(&str, u64)], policy: Policy, expected: &[usize]) {
        let captures: Vec<_> = captures
            .iter()
            .enumerate()
            .map(|(i, &(series, bytes))| Capture {
                series: series.into(),
                time: Duration::from_secs(i as u64),
                bytes,
            })
            .collect();
        assert_eq!(expired(&captures, policy, Duration::from_secs(10)), expected);
    }

    #[test]
    fn each_limit_deletes_the_oldest() {
        let all = [("a", 5), ("b", 5), ("a", 5), ("a", 5), ("b", 5)];
        check(&all, Policy::default(), &[]);
        check(&all, Policy { age: Some(Duration::from_secs(8)), ..Policy::default() }, &[0, 1]);
        check(&all, Policy { count: Some(2), ..Policy::default() }, &[0]);
        check(&all, Policy { count: Some(1), ..Policy::default() }, &[0, 1, 2]);
        check(&all, Policy { bytes: Some(12), ..Policy::default() }, &[0, 1, 2]);
        check(&all, Policy { bytes: Some(1), ..Policy::default() }, &[0, 1, 2, 3]);
    }
}
