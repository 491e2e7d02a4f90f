//! Arithmetic on the values of all samples.

use crate::merge::{MergeError, check_compatible};
use crate::{Label, LabelValue, Profile, Samples, StrId};

impl Profile {
    /// Multiplies all values by `factor`; see [`scale_each`](Self::scale_each).
    pub fn scale(&mut self, factor: f64) {
        self.scale_each(&vec![factor; self.sample_types.len()]);
    }

    /// Multiplies the values of each sample type by its own factor, rounding half away from zero, and
    /// drops samples of which nothing but zeros is left. Factors of 1 change nothing.
    ///
    /// # Panics
    /// When there is not one factor per sample type.
    pub fn scale_each(&mut self, factors: &[f64]) {
        assert_eq!(factors.len(), self.sample_types.len(), "one factor per sample type");
        if factors.iter().all(|&f| f == 1.0) {
            return;
        }
        self.samples.edit(|row| {
            for (value, &factor) in row.values.iter_mut().zip(factors) {
                *value = scale_value(*value, factor);
            }
            row.values.iter().any(|&v| v != 0)
        });
    }

    /// Scales each sample type so that its sum becomes that of `base`; to nothing where the sum is 0.
    ///
    /// # Errors
    /// When the two do not have the same sample types and period type.
    pub fn normalize(&mut self, base: &Self) -> Result<(), MergeError> {
        check_compatible(self, base)?;
        let ratio = |(own, base): (i64, i64)| if own == 0 { 0.0 } else { base as f64 / own as f64 };
        let factors: Vec<_> = self.totals().into_iter().zip(base.totals()).map(ratio).collect();
        self.scale_each(&factors);
        Ok(())
    }

    /// The sum of the values of each sample type, wrapping around on overflow.
    pub fn totals(&self) -> Vec<i64> {
        let mut totals = vec![0_i64; self.sample_types.len()];
        for sample in self.samples.iter() {
            for (total, &value) in totals.iter_mut().zip(sample.values) {
                *total = total.wrapping_add(value);
            }
        }
        totals
    }

    /// Gives every sample the label `key` with the text `value`, in place of what it had under that key.
    pub fn set_label(&mut self, key: &str, value: &str) {
        let (key, value) = (self.strings.intern(key), self.strings.intern(value));
        let label = Label { key, value: LabelValue::Str(value) };
        let mut samples = Samples::with_capacity(self.sample_types.len(), self.samples.len());
        let mut labels = Vec::new();
        for sample in self.samples.iter() {
            labels.clear();
            labels.extend(sample.labels.iter().copied().filter(|l| !is_text(l, key)));
            labels.push(label);
            samples.push(sample.values, sample.stack, &labels);
        }
        self.samples = samples;
    }

    /// Takes the textual label `key` from every sample.
    pub fn remove_label(&mut self, key: &str) {
        if let Some(key) = self.strings.find(key) {
            self.samples.edit(|row| {
                row.retain_labels(|l| !is_text(&l, key));
                true
            });
        }
    }
}

fn is_text(label: &Label, key: StrId) -> bool {
    label.key == key && matches!(label.value, LabelValue::Str(_))
}

pub(crate) fn scale_value(value: i64, factor: f64) -> i64 {
    if factor == 1.0 { value } else { (value as f64 * factor).round() as i64 }
}
