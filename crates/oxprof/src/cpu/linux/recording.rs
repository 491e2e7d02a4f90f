//! What one capture has gathered so far.

use std::collections::HashMap;
use std::time::{Instant, SystemTime};

use oxprof_profile::Profile;

use super::super::reply::Promise;
use super::random::Random;
use super::ring::Header;
use super::stacks::Stacks;
use crate::threads::clock::NANOS;

/// A capture in progress.
pub(super) struct Recording {
    pub(super) id: u64,
    /// Nanoseconds of CPU time between its samples.
    pub(super) period: u32,
    /// When to end it, and for whom.
    pub(super) due: Option<(Instant, Promise<Profile>)>,
    started: Instant,
    time: SystemTime,
    before: Totals,
    stacks: Stacks,
    /// CPU time since the last sample in each slot, if timers run faster than this capture wants. A thread
    /// takes over what the one before it in the slot left, which is as random as a new start.
    elapsed: HashMap<u16, u64>,
    random: Random,
}

/// Sums that only grow; times in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    /// CPU time of the process.
    pub(super) process: u64,
    /// CPU time of the profiler's own threads.
    pub(super) own: u64,
    /// CPU time of threads before they were attached.
    pub(super) missed: u64,
    /// CPU time in samples without room.
    pub(super) lost: u64,
    pub(super) threads: Counts,
}

/// How many threads were ever attached, and of these detached again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) attached: u64,
    pub(super) detached: u64,
}

/// A finished capture, in samples of `period` nanoseconds.
pub(super) struct Recorded {
    pub(super) period: u32,
    pub(super) time: SystemTime,
    pub(super) duration: std::time::Duration,
    pub(super) stacks: Stacks,
    pub(super) before_attach: u64,
    pub(super) lost: u64,
    pub(super) unattributed: u64,
}

impl Recording {
    pub(super) fn new(id: u64, hz: u32, before: Totals) -> Self {
        Self {
            id,
            period: period_of(hz),
            due: None,
            started: Instant::now(),
            time: SystemTime::now(),
            before,
            stacks: Stacks::default(),
            elapsed: HashMap::new(),
            random: Random::new(),
        }
    }

    /// Takes a sample of the timers as one, several or none of this capture's.
    pub(super) fn add(&mut self, header: &Header, frames: &[u64]) {
        let samples = self.samples_of(header);
        if samples > 0 {
            self.stacks.add(header, frames, samples);
        }
    }

    fn samples_of(&mut self, header: &Header) -> u64 {
        if header.period == self.period {
            return u64::from(header.periods);
        }
        let period = self.period;
        let random = &mut self.random;
        let elapsed =
            self.elapsed.entry(header.slot).or_insert_with(|| random.in_period(period) - 1);
        *elapsed += u64::from(header.periods) * u64::from(header.period);
        let samples = *elapsed / u64::from(period);
        *elapsed %= u64::from(period);
        samples
    }

    /// Ends the capture.
    pub(super) fn close(self, after: Totals) -> Recorded {
        let (before, period) = (self.before, u64::from(self.period));
        let samples = |nanos: u64| (nanos + period / 2) / period;
        let lost = after.lost - before.lost;
        let own = after.own.saturating_sub(before.own);
        let used = after.process.saturating_sub(before.process).saturating_sub(own);
        let sampled = self.stacks.total() * period + lost;
        // A thread that could not be attached at once may have a past from before the capture.
        let missed = (after.missed - before.missed).min(used.saturating_sub(sampled));
        let known = sampled + missed;
        let unknown = used.saturating_sub(known);
        let threads = after.threads.attached - before.threads.detached;
        let is_noise = unknown <= noise(period, threads);
        Recorded {
            period: self.period,
            time: self.time,
            duration: self.started.elapsed(),
            stacks: self.stacks,
            before_attach: samples(missed),
            lost: samples(lost),
            unattributed: if is_noise { 0 } else { samples(unknown) },
        }
    }
}

/// Nanoseconds between samples at a rate.
pub(super) fn period_of(hz: u32) -> u32 {
    (NANOS / u64::from(hz.max(1))) as u32
}

/// By how much the CPU time in samples may fall short of the true one by chance.
///
/// The count of each thread is off by the difference of two even random phases, with a variance of a sixth of
/// a squared period; three deviations of their sum are exceeded once in a thousand captures. On top come a
/// period and the ticks, at most 10 ms each, after which the kernel looks at the timers of running threads.
fn noise(period: u64, threads: u64) -> u64 {
    const TICK: u64 = 10_000_000;
    let cpus = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let deviation = period as f64 * (threads as f64 / 6.0).sqrt();
    (3.0 * deviation) as u64 + period + TICK * cpus.min(threads)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(periods: u32, period: u32, slot: u16) -> Header {
        Header { periods, period, slot, ..Header::default() }
    }

    #[test]
    fn samples_at_the_own_rate_count_as_they_are() {
        let mut recording = Recording::new(1, 100, Totals::default());
        recording.add(&header(3, 10_000_000, 1), &[1]);
        assert_eq!(recording.stacks.total(), 3);
    }

    #[test]
    fn faster_timers_are_thinned_by_cpu_time() {
        let mut recording = Recording::new(1, 100, Totals::default());
        for i in 0..10_000 {
            recording.add(&header(1 + i % 3, 1_000_000, (i % 7) as u16), &[1]);
        }
        let expected = 10_000 * 2 / 10;
        assert!(recording.stacks.total().abs_diff(expected) <= 7, "{}", recording.stacks.total());
    }

    #[test]
    fn cpu_time_without_samples_is_reported() {
        let close = |process, threads| {
            let threads = Counts { attached: threads, detached: 0 };
            let after = Totals { process, own: NANOS, threads, ..Totals::default() };
            Recording::new(1, 100, Totals::default()).close(after).unattributed
        };
        assert_eq!(close(NANOS, 1), 0);
        assert_eq!(close(NANOS + 20_000_000, 1), 0, "noise");
        assert_eq!(close(3 * NANOS, 1), 200);
    }

    #[test]
    fn lost_and_missed_time_is_in_samples() {
        let threads = Counts { attached: 9, detached: 8 };
        let before = Totals { process: 5, own: 0, missed: 40_000_000, lost: 10_000_000, threads };
        let close = |process| {
            let after = Totals { process, own: 0, missed: 90_000_000, lost: 13_000_000, threads };
            let recorded = Recording::new(1, 100, before).close(after);
            (recorded.before_attach, recorded.lost, recorded.unattributed)
        };
        assert_eq!(close(53_000_005), (5, 0, 0));
        assert_eq!(close(23_000_005), (2, 0, 0), "never more than the program used");
    }
}
