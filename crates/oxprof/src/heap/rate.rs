//! How often to sample, and what a sample stands for.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes between samples, on average, unless something else is asked for: as in Go.
pub const DEFAULT_RATE: u64 = 512 * 1024;

/// Largest rate that means something; larger ones are taken for this one.
const MAX_RATE: u64 = 1 << 32;

/// The variable that says the rate at start.
const VARIABLE: &std::ffi::CStr = c"OXPROF_HEAP_RATE";

/// The rate, or that the environment was not asked yet.
static RATE: AtomicU64 = AtomicU64::new(NOT_READ);
const NOT_READ: u64 = u64::MAX;

/// Objects are counted in fractions of this, so that sums of weights are integers: what is added when a block is
/// allocated and subtracted when it is freed cancels to nothing.
pub(super) const ONE_OBJECT: u64 = 1 << 16;

/// What a sampled block stands for: itself and the blocks like it that were not sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Weight {
    /// In units of [`ONE_OBJECT`].
    pub(super) objects: u64,
    pub(super) bytes: u64,
}

/// The rate in force. For hooks.
#[inline]
pub(super) fn get() -> u64 {
    match RATE.load(Ordering::Relaxed) {
        NOT_READ => first(),
        rate => rate,
    }
}

/// Changes the rate.
pub(super) fn set(rate: u64) {
    RATE.store(rate.min(MAX_RATE), Ordering::Relaxed);
}

/// Asks the environment, before the first sample of the process, which is before `main`. Whoever asks first sets the
/// rate for all.
#[cold]
fn first() -> u64 {
    // SAFETY: a C string; nobody changes the environment before `main`.
    let value = unsafe { libc::getenv(VARIABLE.as_ptr()) };
    let rate = if value.is_null() {
        DEFAULT_RATE
    } else {
        // SAFETY: not null, so a C string of the environment, which nobody changes yet.
        parse(unsafe { std::ffi::CStr::from_ptr(value) }.to_bytes()).unwrap_or(DEFAULT_RATE)
    };
    let rate = rate.min(MAX_RATE);
    match RATE.compare_exchange(NOT_READ, rate, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => rate,
        Err(set) => set,
    }
}

/// A decimal number.
fn parse(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

/// What a block of this size stands for that was sampled at this rate.
///
/// A point of a Poisson process with one point in `rate` bytes fell into it with probability 1 - exp(-size/rate).
pub(super) fn weight(size: usize, rate: u64) -> Weight {
    if rate <= 1 {
        return Weight { objects: ONE_OBJECT, bytes: size as u64 };
    }
    let probability = -(-(size as f64) / rate as f64).exp_m1();
    let objects = (ONE_OBJECT as f64 / probability).round() as u64;
    Weight { objects, bytes: (size as f64 / probability).round() as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_the_variable() {
        for (text, expected) in [
            ("0", Some(0)),
            ("65536", Some(65536)),
            (" 1 ", Some(1)),
            ("", None),
            ("512k", None),
            ("-1", None),
        ] {
            assert_eq!(parse(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn weights() {
        let check = |size, rate, objects: f64| {
            let weight = weight(size, rate);
            let close = |got: u64, expected: f64| (got as f64 - expected).abs() <= expected * 1e-3;
            assert!(close(weight.objects, objects * ONE_OBJECT as f64), "{size} {rate} {weight:?}");
            assert!(close(weight.bytes, objects * size as f64), "{size} {rate} {weight:?}");
        };
        check(64, 524_288, 8192.5);
        check(524_288, 524_288, 1.582);
        check(1 << 30, 524_288, 1.0);
        check(1, MAX_RATE, MAX_RATE as f64);
        check(77, 1, 1.0);
        check(77, 0, 1.0);
    }
}
