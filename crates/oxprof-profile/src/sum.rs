//! Adding up profiles that come one after another and may differ in what they measure.

use crate::{MergeError, Merger, Profile, ValueType, harmonize, merge};

/// What [`harmonize`](harmonize()) and [`merge`](merge()) make of profiles, without keeping all of them: those
/// that measure the same as the one before are merged at once.
///
/// ```
/// use oxprof_profile::{Sum, decode_folded, encode_folded};
/// let mut sum = Sum::default();
/// for file in ["main;a 1", "main;b 2", "main;a 3"] {
///     sum.add(decode_folded(file.as_bytes())?)?;
/// }
/// let whole = sum.finish()?.expect("there are profiles");
/// assert_eq!(encode_folded(&whole, 0), "main;a 4\nmain;b 2\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
#[expect(missing_debug_implementations, reason = "tables of hashes have nothing to show")]
pub struct Sum {
    /// Sums of profiles that measure the same, each different from the one before.
    sums: Vec<Profile>,
    /// The first profile of those that come now, as long as it is alone: it stays as it is if no other comes.
    first: Option<Profile>,
    /// Otherwise what became of them, and what they measure.
    merger: Option<(Merger, Types)>,
}

impl Sum {
    /// Adds a profile; gives one back that is not needed any more, if there is any, for
    /// [`decode_file_into`](crate::decode_file_into).
    ///
    /// # Errors
    /// When the sum would be too large.
    pub fn add(&mut self, mut profile: Profile) -> Result<Option<Profile>, MergeError> {
        let types = Types::of(&profile);
        if let Some((merger, _)) = self.merger.as_mut().filter(|(_, before)| *before == types) {
            harmonize(&mut [&mut profile])?;
            merger.add(&profile)?;
            return Ok(Some(profile));
        }
        if let Some(mut first) = self.first.take_if(|first| Types::of(first) == types) {
            let mut merger = Merger::default();
            for profile in [&mut first, &mut profile] {
                harmonize(&mut [profile])?;
                merger.add(profile)?;
            }
            self.merger = Some((merger, types));
            return Ok(Some(first));
        }
        self.end_run()?;
        self.first = Some(profile);
        Ok(None)
    }

    /// The sum; `None` of no profiles. One alone is as it was.
    ///
    /// # Errors
    /// When the profiles have no sample type in common, or when units of one type measure different things.
    pub fn finish(mut self) -> Result<Option<Profile>, MergeError> {
        self.end_run()?;
        if self.sums.len() < 2 {
            return Ok(self.sums.pop());
        }
        harmonize(&mut self.sums.iter_mut().collect::<Vec<_>>())?;
        merge(&self.sums).map(Some)
    }

    fn end_run(&mut self) -> Result<(), MergeError> {
        self.sums.extend(self.first.take());
        if let Some((merger, _)) = self.merger.take() {
            self.sums.push(merger.finish()?);
        }
        Ok(())
    }
}

/// Names and units of what a profile measures; of its period first.
#[derive(PartialEq)]
struct Types(Vec<[String; 2]>);

impl Types {
    fn of(profile: &Profile) -> Self {
        let text = |t: &ValueType| [t.kind, t.unit].map(|id| profile.str(id).to_owned());
        Self([&profile.period_type].into_iter().chain(&profile.sample_types).map(text).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{decode_folded, encode, harmonize};

    fn profile(unit: &str, folded: &str) -> Profile {
        let mut profile = decode_folded(folded.as_bytes()).unwrap();
        profile.sample_types[0].unit = profile.strings.intern(unit);
        profile
    }

    /// Adding up one by one gives what all at once do.
    #[track_caller]
    fn check(files: &[(&str, &str)]) {
        let mut profiles: Vec<_> = files.iter().map(|(unit, text)| profile(unit, text)).collect();
        let mut sum = Sum::default();
        for profile in &profiles {
            sum.add(profile.clone()).unwrap();
        }
        let sum = sum.finish().unwrap().unwrap();
        harmonize(&mut profiles.iter_mut().collect::<Vec<_>>()).unwrap();
        assert_eq!(encode(&sum), encode(&merge(&profiles).unwrap()));
    }

    #[test]
    fn the_sum_is_that_of_all_at_once() {
        check(&[("count", "a;b 1"), ("count", "a;b 2\nc 3")]);
        check(&[("ms", "a;b 1"), ("ms", "d 1\na;b 2"), ("us", "c 3\na;b 4"), ("ms", "c;d 5\nd 1")]);
    }

    #[test]
    fn one_profile_stays_as_it_is() {
        let mut one = profile("count", "a;b 1\na;b 2");
        one.locations[0].id = 77;
        let mut sum = Sum::default();
        assert!(sum.add(one.clone()).unwrap().is_none());
        assert_eq!(encode(&sum.finish().unwrap().unwrap()), encode(&one));
        assert!(Sum::default().finish().unwrap().is_none());
    }

    #[test]
    fn profiles_without_a_common_type_are_refused() {
        let mut other = profile("count", "a 1");
        other.sample_types[0].kind = other.strings.intern("heap");
        let mut sum = Sum::default();
        sum.add(profile("count", "a 1")).unwrap();
        sum.add(other).unwrap();
        assert_eq!(sum.finish().unwrap_err(), MergeError::NoCommonSampleType);
    }
}
