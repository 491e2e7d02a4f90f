//! Legacy formats: what each kind's lines come to. Whole files are compared in `oxprof-report`, whose raw
//! report shows every table.

use oxprof_profile::{Profile, decode};

/// The values and addresses of all samples.
#[track_caller]
fn check(file: impl AsRef<[u8]>, types: &[&str], samples: &[(&[i64], &[u64])]) -> Profile {
    let profile = decode(file.as_ref()).unwrap();
    let names: Vec<_> = profile.sample_types.iter().map(|t| profile.str(t.kind)).collect();
    assert_eq!(names, types);
    let address = |l: &oxprof_profile::LocationIdx| profile.locations[l.index()].address;
    let seen: Vec<(Vec<i64>, Vec<u64>)> = profile
        .samples
        .iter()
        .map(|s| (s.values.to_vec(), s.stack.iter().map(address).collect()))
        .collect();
    let expected: Vec<_> = samples.iter().map(|(v, s)| (v.to_vec(), s.to_vec())).collect();
    assert_eq!(seen, expected);
    profile
}

#[track_caller]
fn check_error(file: impl AsRef<[u8]>, message: &str) {
    let error = decode(file.as_ref()).unwrap_err().to_string();
    assert!(error.contains(message), "{error}");
}

fn words(words: &[u64], wide: bool, big_endian: bool) -> Vec<u8> {
    let bytes = |&word: &u64| match (wide, big_endian) {
        (true, true) => word.to_be_bytes().to_vec(),
        (true, false) => word.to_le_bytes().to_vec(),
        (false, true) => (word as u32).to_be_bytes().to_vec(),
        (false, false) => (word as u32).to_le_bytes().to_vec(),
    };
    words.iter().flat_map(bytes).collect()
}

#[test]
fn cpu_profiles_of_every_word_size_and_byte_order() {
    let file = [0, 3, 0, 1000, 0, 2, 2, 0x10, 0x21, 3, 1, 0x30, 0, 1, 0];
    for wide in [false, true] {
        for big_endian in [false, true] {
            let samples: &[(&[i64], &[u64])] =
                &[(&[2, 2_000_000], &[0x10, 0x20]), (&[3, 3_000_000], &[0x30])];
            check(words(&file, wide, big_endian), &["samples", "cpu"], samples);
        }
    }
}

#[test]
fn frames_of_the_signal_handler_are_removed() {
    let file = [0, 3, 0, 1, 0, 1, 4, 0x10, 0x99, 0x10, 0x21, 1, 3, 0x30, 0x99, 0x41, 0, 1, 0];
    let samples: &[(&[i64], &[u64])] = &[(&[1, 1000], &[0x10, 0x20]), (&[1, 1000], &[0x30, 0x40])];
    check(words(&file, true, false), &["samples", "cpu"], samples);
}

#[test]
fn a_cpu_profile_that_was_cut_is_an_error() {
    check_error(words(&[0, 3, 0, 1000, 0, 2, 9, 0x10], true, false), "in the middle of a record");
    check_error(
        words(&[0, 3, 0, 1000, 0, 2, u64::MAX, 0x10], true, false),
        "in the middle of a record",
    );
}

#[test]
fn heap_samples_are_scaled_to_what_they_stand_for() {
    let file =
        "heap profile: 1: 9216 [1: 9216] @ heapz_v2/524288\n 1: 9216 [1: 9216] @ 0x11 0x21\n";
    let profile = check(file, &["objects", "space"], &[(&[57, 528_909], &[0x10, 0x20])]);
    assert_eq!(profile.label_units().get("bytes"), "bytes");
}

#[test]
fn allocations_beyond_what_is_in_use_get_types_of_their_own() {
    let file = "heap profile: 1: 8 [2: 16] @ heapprofile\n1: 8 [2: 16] @ 0x11\n";
    let types = ["alloc_objects", "alloc_space", "inuse_objects", "inuse_space"];
    check(file, &types, &[(&[2, 16, 1, 8], &[0x10])]);
    check_error(
        "heap profile: 1: 8 [2: 16] @ heapprofile\n0: 8 [0: 0] @ 0x1\n",
        "bytes in no blocks",
    );
    check_error(
        "heap profile: 1: 8 [2: 16] @ heapprofile\nwhat\n",
        "no heap sample: `what` (at byte 41)",
    );
}

#[test]
fn counts_and_contention_of_go() {
    let file = "goroutine profile: total 3\n3 @ 0x11 0x21\n#\t0x10\tmain.main+0x1\tmain.go:3\n\n";
    check(file, &["goroutine"], &[(&[3], &[0x10, 0x20])]);
    let file = "--- mutex:\ncycles/second=2000000000\nsampling period=5\n400 2 @ 0x11\n# runtime\n";
    check(file, &["contentions", "delay"], &[(&[10, 1000], &[0x10])]);
}

#[test]
fn threads_with_the_stack_of_the_one_before_are_counted() {
    let file = "--- threadz 1 ---\n\n\
        --- Thread 7f79 (name: main/1) stack: ---\n  PC: 0x10 0x21\n\
        --- Thread 7f80 (name: other/2) stack: ---\n  [same as previous thread]\n";
    check(file, &["thread"], &[(&[2], &[0x10, 0x20])]);
}

#[test]
fn java_places_have_names_instead_of_addresses() {
    let file = "--- contentionz 1 ---\nformat = java\nresolution = microseconds\nsampling period = 100\n\
        14 1 @ 0x3 0x4\n\n 0x3 a.B.c (B.java:7)\n 0x4 GC\n";
    let profile = check(file, &["contentions", "delay"], &[(&[100, 1400], &[0, 0])]);
    let names: Vec<_> = profile.functions.iter().map(|f| profile.str(f.name)).collect();
    assert_eq!((names, profile.lines[0].line), (vec!["a.B.c", "GC"], 7));
}

#[test]
fn addresses_find_their_mapping() {
    let file = "heap profile: 1: 8 [1: 8] @ heapprofile\n1: 8 [1: 8] @ 0x2001 0x1001 0x9001\n\
        MAPPED_LIBRARIES:\n2000-3000 r-xp 0 00:00 1 /lib/libc.so.6\n3000-4000 rw-p 0 00:00 1 /bin/data\n\
        1000-1800 r-xp 0 00:00 1 /bin/x\n1800-2000 r-xp 0 00:00 1 /bin/x\n";
    let profile = check(file, &["objects", "space"], &[(&[1, 8], &[0x2000, 0x1000, 0x9000])]);
    let name = |l: &oxprof_profile::Location| {
        let mapping = profile.mappings[l.mapping.unwrap().index()];
        (profile.str(mapping.file), mapping.start, mapping.limit)
    };
    let found: Vec<_> = profile.locations.iter().map(name).collect();
    assert_eq!(
        found,
        [("/lib/libc.so.6", 0x2000, 0x3000), ("/bin/x", 0x1000, 0x2000), ("", 0, u64::MAX)]
    );
    assert_eq!(profile.str(profile.mappings[0].file), "/bin/x", "the program comes first");
}
