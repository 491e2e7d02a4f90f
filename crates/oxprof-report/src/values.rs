//! What a sample counts for in a report.

use oxprof_profile::{Label, Profile};

/// Label of the samples that a comparison took from its base profile.
pub(crate) const DIFF_BASE_LABEL: &str = "pprof::base";

/// Which value of each sample a report shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ValueSelector {
    /// Position in [`Profile::sample_types`].
    pub index: usize,
    /// Divide by the first value of the sample, which counts its events, to show averages.
    pub mean: bool,
}

impl ValueSelector {
    /// The value of a sample, before any division.
    #[inline]
    pub fn value(self, values: &[i64]) -> i64 {
        values[self.index]
    }

    /// What sums of values are divided by; 0 when they are not.
    #[inline]
    pub fn divisor(self, values: &[i64]) -> i64 {
        if self.mean { values[0] } else { 0 }
    }

    /// What percentages are of: the sum of the absolute values of all samples, or, in a comparison, of
    /// the samples of its base.
    pub fn total(self, profile: &Profile) -> i64 {
        let base_key = profile.strings.find(DIFF_BASE_LABEL);
        let is_base = |labels: &[Label]| labels.iter().any(|l| Some(l.key) == base_key);
        let (mut all, mut base) = (Sum::default(), Sum::default());
        for sample in profile.samples.iter() {
            let (value, divisor) = (self.value(sample.values), self.divisor(sample.values));
            all.add(value.wrapping_abs(), divisor);
            if base_key.is_some() && is_base(sample.labels) {
                base.add(value.wrapping_abs(), divisor);
            }
        }
        if base.value > 0 { base.mean() } else { all.mean() }
    }
}

/// A sum of values with the sum of what it is to be divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) value: i64,
    pub(crate) divisor: i64,
}

impl Sum {
    /// Overflow wraps: nothing that a hostile profile adds up to may panic.
    #[inline]
    pub(crate) fn add(&mut self, value: i64, divisor: i64) {
        self.value = self.value.wrapping_add(value);
        self.divisor = self.divisor.wrapping_add(divisor);
    }

    /// The average, or the plain sum where there is nothing to divide by.
    #[inline]
    pub(crate) fn mean(self) -> i64 {
        if self.divisor == 0 { self.value } else { self.value.wrapping_div(self.divisor) }
    }
}

#[cfg(test)]
mod tests {
    use oxprof_profile::{LabelValue, Samples, StrId, ValueType};

    use super::*;

    fn profile(samples: &[([i64; 2], bool)]) -> Profile {
        let mut p = Profile { sample_types: vec![ValueType::default(); 2], ..Profile::default() };
        let key = p.strings.intern(DIFF_BASE_LABEL);
        let labels = [Label { key, value: LabelValue::Str(StrId::EMPTY) }];
        p.samples = Samples::new(2);
        for (values, base) in samples {
            p.samples.push(values, &[], &labels[..usize::from(*base)]);
        }
        p
    }

    fn check(samples: &[([i64; 2], bool)], mean: bool, expected: i64) {
        assert_eq!(ValueSelector { index: 1, mean }.total(&profile(samples)), expected);
    }

    #[test]
    fn totals_add_absolute_values() {
        check(&[([1, 10], false), ([1, -5], false)], false, 15);
    }

    #[test]
    fn totals_of_comparisons_are_those_of_the_base() {
        check(&[([1, 10], false), ([1, -4], true)], false, 4);
    }

    #[test]
    fn a_base_without_value_is_ignored() {
        check(&[([1, 10], false), ([1, 0], true)], false, 10);
    }

    #[test]
    fn means_divide_by_the_first_value() {
        check(&[([2, 10], false), ([3, 20], false)], true, 6);
    }
}
