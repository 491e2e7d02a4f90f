//! Operations on a decoded profile, chosen by the first bytes: no panic, no samples out of nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxprof_profile::{
    Granularity, NameFilter, OwnedMatcher, Profile, Sum, TagFilter, compact, decode, encode,
    encode_folded, harmonize, merge,
};

fuzz_target!(|data: &[u8]| {
    let Some((operations, file)) = data.split_at_checked(4) else { return };
    let Ok(mut profile) = decode(file) else { return };
    for &operation in operations {
        let before = profile.samples.len();
        apply(&mut profile, operation);
        assert!(profile.samples.len() <= before, "operation {operation} made samples");
    }
    decode(&encode(&profile)).expect("operations keep profiles valid");
});

fn apply(profile: &mut Profile, operation: u8) {
    let letter = char::from(b'a' + operation / 16);
    let matcher = move |name: &str| name.contains(letter);
    match operation % 16 {
        0 => {
            profile.filter_by_name(&NameFilter { focus: Some(&matcher), ..NameFilter::default() });
        }
        1 => {
            profile.filter_by_name(&NameFilter { ignore: Some(&matcher), ..NameFilter::default() });
        }
        2 => {
            profile.filter_by_name(&NameFilter { hide: Some(&matcher), ..NameFilter::default() });
        }
        3 => {
            profile.filter_by_name(&NameFilter { show: Some(&matcher), ..NameFilter::default() });
        }
        4 => {
            profile.show_from(&matcher);
        }
        5 => profile.drop_frames(&matcher),
        6 => profile.prune_from(&matcher),
        7 => {
            profile.filter_tags(Some(&matcher), None);
        }
        8 => filter_by_tag(profile, letter),
        9 => profile.aggregate(Granularity::Lines { columns: false }, letter < 'h'),
        10 => profile.aggregate(Granularity::Functions, true),
        11 => {
            profile.add_label_frames(&["key"], &["bytes"], "auto");
        }
        12 => profile.set_label("key", "value"),
        13 => *profile = compact(profile),
        14 => {
            drop((0..profile.sample_types.len()).map(|c| encode_folded(profile, c)).count());
            sum_of_copies(profile);
        }
        _ => subtract_itself(profile),
    }
}

fn filter_by_tag(profile: &mut Profile, letter: char) {
    let compile =
        |_: &str| Ok::<_, ()>(Box::new(move |text: &str| text.contains(letter)) as OwnedMatcher);
    let text = if letter < 'h' { "key=x" } else { "1:2kb" };
    let filter = TagFilter::parse(text, compile).expect("a filter");
    let units = profile.label_units();
    profile.filter_by_tag(Some(&filter), None, &units);
}

/// One after another amounts to the same as all at once.
fn sum_of_copies(profile: &Profile) {
    let mut copies = [profile.clone(), profile.clone(), profile.clone()];
    copies[1].scale(2.0);
    let mut sum = Sum::default();
    let is_added = copies.iter().all(|copy| sum.add(copy.clone()).is_ok());
    let merged = harmonize(&mut copies.each_mut()).ok().and_then(|()| merge(&copies).ok());
    let sum = if is_added { sum.finish().ok().flatten() } else { None };
    assert!(sum.as_ref().map(encode) == merged.as_ref().map(encode));
}

fn subtract_itself(profile: &mut Profile) {
    let mut base = profile.clone();
    base.scale(-1.0);
    if harmonize(&mut [profile, &mut base]).is_ok() {
        *profile = merge(&[profile.clone(), base]).expect("harmonized profiles can be merged");
    }
}
