//! From a profile and its base to one.

use oxprof_profile::{Mapping, MappingIdx, Profile, Sum};

use super::PipelineError;
use crate::Regexp;

/// What base profiles are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Base {
    /// Percentages are to be of the base.
    pub compare: bool,
    /// Sources are scaled to the sum of the base first.
    pub normalize: bool,
}

/// What is done to a profile once it is whole.
#[derive(Clone, Debug, Default)]
pub struct Loaded<'a> {
    /// Keep the frames that the profile asks to drop.
    pub all_frames: bool,
    /// A comment to add; empty for none.
    pub comment: &'a str,
}

const DIFF_BASE: &str = crate::values::DIFF_BASE_LABEL;

/// Subtracts a base from a source.
///
/// # Errors
/// When they do not measure the same.
pub fn combine(
    mut source: Profile,
    subtrahend: Option<Profile>,
    base: Base,
) -> Result<Profile, PipelineError> {
    let Some(mut subtrahend) = subtrahend else { return Ok(source) };
    if base.compare {
        subtrahend.set_label(DIFF_BASE, "true");
    }
    if base.normalize {
        source.normalize(&subtrahend)?;
    }
    subtrahend.scale(-1.0);
    let mut difference = Sum::default();
    difference.add(source)?;
    difference.add(subtrahend)?;
    Ok(difference.finish()?.expect("there are two profiles"))
}

/// Makes sure that there is a main mapping, and tells what it is of: `binary` replaces its file,
/// `build_id` is used where it has none; empty ones change nothing.
pub fn identify(profile: &mut Profile, binary: &str, build_id: &str) {
    if profile.mappings.is_empty() {
        profile.mappings.push(Mapping { id: 1, ..Mapping::default() });
        for location in &mut profile.locations {
            location.mapping = Some(MappingIdx::from_index(0));
        }
    }
    let (file, build_id) = (profile.strings.intern(binary), profile.strings.intern(build_id));
    let main = &mut profile.mappings[0];
    if !file.is_empty() {
        main.file = file;
    }
    if main.build_id.is_empty() {
        main.build_id = build_id;
    }
}

/// Calls mappings that nothing is known of after the URL that the profile came from, so that those
/// of different programs stay apart when merged. [`finish`] takes the names away again.
pub fn name_mappings(profile: &mut Profile, url: &str) {
    let name = profile.strings.intern(url);
    let unknown = |m: &&mut Mapping| m.file.is_empty() && m.build_id.is_empty();
    profile.mappings.iter_mut().filter(unknown).for_each(|m| m.file = name);
}

/// Finishes a profile that is whole and has its symbols.
pub fn finish(profile: &mut Profile, loaded: &Loaded<'_>) {
    if !loaded.all_frames {
        drop_frames(profile);
    }
    unname_mappings(profile);
    if !loaded.comment.is_empty() {
        let comment = profile.strings.intern(loaded.comment);
        profile.comments.push(comment);
    }
}

/// Drops the frames that the profile itself says are of no interest. Expressions that make no
/// sense are not the reader's fault, and ignored.
fn drop_frames(profile: &mut Profile) {
    let anchored = |text: &str| Regexp::new(&format!("^({text})$")).ok();
    let drop = profile.str(profile.drop_frames);
    if drop.is_empty() {
        return;
    }
    let Some(drop) = anchored(drop) else { return };
    let keep = profile.str(profile.keep_frames);
    let keep = if keep.is_empty() { None } else { anchored(keep) };
    let is_kept = |name: &str| keep.as_ref().is_some_and(|keep| keep.is_match(name));
    profile.drop_frames(&|name| drop.is_match(name) && !is_kept(name));
}

fn unname_mappings(profile: &mut Profile) {
    let is_url = |file: &str| file.contains("://") && !file.starts_with('/');
    for i in 0..profile.mappings.len() {
        let Mapping { file, build_id, .. } = profile.mappings[i];
        if build_id.is_empty() && is_url(profile.str(file)) {
            profile.mappings[i].file = Default::default();
        }
    }
}
