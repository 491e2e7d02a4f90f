//! What happened between two snapshots of a profile that counts from the start of the program.

use crate::merge::{MergeError, merge_refs};
use crate::{Profile, harmonize};

/// Subtracts `earlier` from `later`, two snapshots of one cumulative profile.
///
/// Sample types for which `is_level` holds are levels, such as bytes in use, rather than counts since the
/// start; they keep the values of `later`. Negative differences of the others, which only a restart of
/// the program explains, stay as they are. The delta begins when `earlier` was taken and lasts until
/// `later` was.
///
/// # Errors
/// When the two do not measure the same.
pub fn delta(
    mut earlier: Profile,
    mut later: Profile,
    is_level: impl Fn(&str) -> bool,
) -> Result<Profile, MergeError> {
    harmonize(&mut [&mut later, &mut earlier])?;
    let factor = |kind: &str| if is_level(kind) { 0.0 } else { -1.0 };
    let factors: Vec<_> =
        earlier.sample_types.iter().map(|t| factor(earlier.str(t.kind))).collect();
    earlier.scale_each(&factors);
    let mut delta = merge_refs(&[&later, &earlier])?;
    delta.time_nanos = earlier.time_nanos;
    delta.duration_nanos = match (earlier.time_nanos, later.time_nanos) {
        (0, _) | (_, 0) => 0,
        (from, to) => to.saturating_sub(from),
    };
    Ok(delta)
}
