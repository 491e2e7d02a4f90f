//! What must hold for every profile and every input.

use std::collections::BTreeMap;

use oxprof_profile::{
    Compression, Granularity, LabelValue, NameFilter, OwnedMatcher, Profile, TagFilter, compact,
    decode, delta, encode, encode_folded, encode_gzip, harmonize, merge,
};

use crate::random::{Random, damage, profile};
use crate::support::{conformance, files};

/// Checks the invariants of the model, on which everything else relies.
fn check_consistent(profile: &Profile) {
    let strings = profile.strings.len();
    let is_string = |id: oxprof_profile::StrId| id.index() < strings;
    for location in &profile.locations {
        assert!(location.lines.start <= location.lines.end);
        assert!(location.lines.end as usize <= profile.lines.len());
        assert!(location.mapping.is_none_or(|m| m.index() < profile.mappings.len()));
    }
    assert!(profile.lines.iter().all(|l| l.function.index() < profile.functions.len()));
    assert!(
        profile
            .functions
            .iter()
            .all(|f| [f.name, f.system_name, f.filename].into_iter().all(is_string))
    );
    assert!(profile.mappings.iter().all(|m| is_string(m.file) && is_string(m.build_id)));
    for sample in profile.samples.iter() {
        assert_eq!(sample.values.len(), profile.sample_types.len());
        assert!(sample.stack.iter().all(|l| l.index() < profile.locations.len()));
        assert!(sample.labels.iter().all(|l| is_string(l.key)));
    }
}

/// Samples as text with the sum of their values, so that order and numbering do not matter.
fn content(profile: &Profile) -> BTreeMap<String, Vec<i64>> {
    let mut content: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for sample in profile.samples.iter() {
        let frame = |&l: &oxprof_profile::LocationIdx| {
            let location = &profile.locations[l.index()];
            let mapping = location.mapping.map(|m| profile.mappings[m.index()]);
            let file = mapping.map(|m| profile.str(m.file));
            let address = location.address - mapping.map_or(0, |m| m.start);
            let line = |line: &oxprof_profile::Line| {
                let f = profile.functions[line.function.index()];
                let names =
                    [f.name, f.system_name, f.filename].map(|id| profile.str(id).to_owned());
                format!("{names:?}:{}:{}", line.line, line.column)
            };
            let lines: Vec<_> = profile.lines_of(l).iter().map(line).collect();
            format!("{file:?}+{address} {lines:?} {}", location.is_folded)
        };
        let label = |label: &oxprof_profile::Label| match label.value {
            LabelValue::Str(text) => format!("a {}: {}", profile.str(label.key), profile.str(text)),
            LabelValue::Num { value, unit } => {
                format!("b {}: {value} {}", profile.str(label.key), profile.str(unit))
            }
        };
        // Order counts among the values of one key only.
        let mut labels: Vec<_> = sample.labels.iter().map(label).collect();
        labels.sort_by(|a, b| a.split(':').next().cmp(&b.split(':').next()));
        let stack: Vec<_> = sample.stack.iter().map(frame).collect();
        let sums = content
            .entry(format!("{stack:?} {labels:?}"))
            .or_insert_with(|| vec![0; sample.values.len()]);
        sums.iter_mut().zip(sample.values).for_each(|(sum, value)| *sum += value);
    }
    content.retain(|_, values| values.iter().any(|&v| v != 0));
    content
}

const SEEDS: std::ops::Range<u64> = 0..150;

#[test]
fn encoding_and_decoding_is_the_identity() {
    for seed in SEEDS {
        let original = profile(seed);
        let bytes = encode(&original);
        let read = decode(&bytes).unwrap();
        check_consistent(&read);
        assert_eq!(encode(&read), bytes);
        assert_eq!(content(&read), content(&original));
        for level in [Compression::Fast, Compression::Balanced] {
            assert_eq!(encode(&decode(&encode_gzip(&original, level)).unwrap()), bytes);
        }
    }
}

#[test]
fn merging_is_associative_and_commutative_up_to_order() {
    for seed in SEEDS {
        let [a, b, c] = [seed, seed + 1000, seed + 2000].map(profile);
        let all = merge(&[a.clone(), b.clone(), c.clone()]).unwrap();
        check_consistent(&all);
        let left = merge(&[merge(&[a.clone(), b.clone()]).unwrap(), c.clone()]).unwrap();
        let right = merge(&[a.clone(), merge(&[b.clone(), c.clone()]).unwrap()]).unwrap();
        let reversed = merge(&[c, b, a]).unwrap();
        for other in [&left, &right, &reversed] {
            assert_eq!(content(&all), content(other), "seed {seed}");
            assert_eq!(all.time_nanos, other.time_nanos);
            assert_eq!(all.samples.len(), other.samples.len());
        }
        assert_eq!(encode(&compact(&all)), encode(&all), "a merged profile is compact");
    }
}

#[test]
fn merging_one_profile_keeps_its_content() {
    for seed in SEEDS {
        let original = profile(seed);
        let merged = compact(&original);
        assert_eq!(content(&merged), content(&original));
        assert_eq!(encode(&compact(&merged)), encode(&merged));
    }
}

#[test]
fn the_difference_of_a_profile_and_itself_is_empty() {
    for seed in SEEDS {
        let original = profile(seed);
        let mut base = original.clone();
        base.scale(-1.0);
        let difference = merge(&[original.clone(), base]).unwrap();
        assert!(difference.samples.is_empty() && difference.locations.is_empty());
        let nothing = delta(original.clone(), original.clone(), |_| false).unwrap();
        assert!(nothing.samples.is_empty());
        let levels = delta(original.clone(), original.clone(), |_| true).unwrap();
        assert_eq!(content(&levels), content(&original), "levels are not subtracted");
    }
}

type Operation = Box<dyn Fn(&mut Profile)>;

/// Every operation that narrows a profile down, by name.
fn narrowing() -> Vec<(&'static str, Operation)> {
    fn has_o(name: &str) -> bool {
        name.contains('o')
    }
    let tag = |text: &str| {
        TagFilter::parse(text, |part| {
            let part = part.to_owned();
            Ok::<_, ()>(Box::new(move |text: &str| text.contains(&part)) as OwnedMatcher)
        })
        .unwrap()
    };
    let names = |filter: NameFilter<'static>| {
        move |p: &mut Profile| {
            p.filter_by_name(&filter);
        }
    };
    let tags = move |focus: &'static str| {
        move |p: &mut Profile| {
            let units = p.label_units();
            p.filter_by_tag(Some(&tag(focus)), None, &units);
        }
    };
    vec![
        ("focus", Box::new(names(NameFilter { focus: Some(&has_o), ..NameFilter::default() }))),
        ("ignore", Box::new(names(NameFilter { ignore: Some(&has_o), ..NameFilter::default() }))),
        ("hide", Box::new(names(NameFilter { hide: Some(&has_o), ..NameFilter::default() }))),
        ("show", Box::new(names(NameFilter { show: Some(&has_o), ..NameFilter::default() }))),
        (
            "show_from",
            Box::new(|p| {
                p.show_from(&has_o);
            }),
        ),
        ("drop_frames", Box::new(|p| p.drop_frames(&has_o))),
        ("prune_from", Box::new(|p| p.prune_from(&has_o))),
        ("tagfocus", Box::new(tags("key=a"))),
        ("tagfocus range", Box::new(tags("1kb:2mb"))),
        (
            "tagshow",
            Box::new(|p| {
                p.filter_tags(Some(&has_o), None);
            }),
        ),
        ("functions", Box::new(|p| p.aggregate(Granularity::Functions, true))),
        ("lines", Box::new(|p| p.aggregate(Granularity::Lines { columns: false }, false))),
        ("halve", Box::new(|p| p.scale(0.5))),
        ("label", Box::new(|p| p.set_label("key", "one"))),
        ("unlabel", Box::new(|p| p.remove_label("key"))),
        (
            "label frames",
            Box::new(|p| {
                p.add_label_frames(&["key"], &["bytes", "none"], "auto");
            }),
        ),
    ]
}

fn check_narrowing(original: &Profile) {
    for (name, operation) in narrowing() {
        let mut narrowed = original.clone();
        operation(&mut narrowed);
        check_consistent(&narrowed);
        assert!(narrowed.samples.len() <= original.samples.len(), "{name} made samples");
        decode(&encode(&narrowed))
            .unwrap_or_else(|e| panic!("{name} made an invalid profile: {e}"));
    }
}

#[test]
fn filters_never_make_samples() {
    for seed in SEEDS {
        let original = profile(seed);
        check_narrowing(&original);
        for (name, operation) in &narrowing()[..4] {
            let mut narrowed = original.clone();
            operation(&mut narrowed);
            let (after, before) = (narrowed.totals(), original.totals());
            assert!(after.iter().zip(&before).all(|(a, b)| a <= b), "{name} made values");
        }
    }
}

/// Files of every format.
fn seeds() -> Vec<Vec<u8>> {
    let word = |words: &[u64]| words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<u8>>();
    let maps =
        "MAPPED_LIBRARIES:\n1000-2000 r-xp 0 00:00 1 /bin/x\nb=/y\n2000-3000: $b (@10) abc\n";
    let mut seeds = vec![
        encode(&profile(7)),
        encode(&profile(8)),
        encode_gzip(&profile(9), Compression::Fast),
        [word(&[0, 3, 0, 1000, 0, 2, 2, 16, 33, 3, 1, 48, 0, 1, 0]), maps.into()].concat(),
        word(&[0, 3, 1, 1000, 0, 2, 2, 16, 33, 0, 1, 0]),
        format!("heap profile: 1: 8 [2: 16] @ heap_v2/524288\n1: 8 [2: 16] @ 0x1001 0x2001\n{maps}").into(),
        format!("goroutine profile: total 3\n3 @ 0x1001 0x2001\n{maps}").into(),
        format!("--- threadz 1 ---\n--- Thread 7 (name: m/1) stack: ---\n PC: 0x1001\n--- Memory map: ---\n{maps}")
            .into(),
        b"--- contentionz 1 ---\ncycles/second = 20\nsampling period = 5\n40 2 @ 0x11\n".to_vec(),
        b"--- heapz 1 ---\nformat = java\nresolution = bytes\n14 1 @ 0x3\n 0x3 a.B (B.java:7)\n".to_vec(),
        b"x 1/2 [000] 1.5: 7 cycles:u: \n\t1f main+0x1 (/bin/x)\n\t2f [unknown] ([unknown])\n\n".to_vec(),
        br#"{"nodes":[{"id":1,"callFrame":{"functionName":"f"},"children":[2]},{"id":2,"callFrame":{}}],"samples":[2],"timeDeltas":[1]}"#.to_vec(),
        b"main;work 3\nmain 4.5\n".to_vec(),
        crate::perf::seed(),
    ];
    if let Some(dir) = conformance() {
        for suffix in [".pb.gz", ".cpu", ".heap", ".thread", ".contention"] {
            let folder = if suffix == ".pb.gz" { "inputs" } else { "ref/profile/testdata" };
            seeds.extend(files(&dir.join(folder), suffix).into_iter().map(|(_, bytes)| bytes));
        }
    }
    seeds
}

#[test]
fn damaged_files_never_panic() {
    let seeds = seeds();
    seeds.iter().for_each(|seed| check_consistent(&decode(seed).unwrap()));
    let mut random = Random(1);
    let rounds = std::env::var("OXPROF_MUTATIONS").map_or(3000, |n| n.parse().unwrap());
    let mut readable = 0;
    for _ in 0..rounds {
        let seed = &seeds[random.below(seeds.len())];
        let other = &seeds[random.below(seeds.len())];
        let bytes = damage(&mut random, seed, other);
        if let Ok(profile) = decode(&bytes) {
            readable += 1;
            check_consistent(&profile);
            if readable % 8 == 0 {
                check_operations(profile);
            }
        }
    }
    assert!(
        readable > rounds / 20,
        "{readable} of {rounds} were readable: the damage is too coarse"
    );
}

fn check_operations(profile: Profile) {
    check_narrowing(&profile);
    check_consistent(&compact(&profile));
    (0..profile.sample_types.len()).for_each(|column| drop(encode_folded(&profile, column)));
    let (mut a, mut b) = (profile.clone(), profile);
    a.scale(-1.0);
    if harmonize(&mut [&mut a, &mut b]).is_ok() {
        check_consistent(&merge(&[a, b]).unwrap());
    }
}
