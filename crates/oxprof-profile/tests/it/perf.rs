//! `perf.data`, made by hand: one event, one binary, samples in program and kernel.

use oxprof_profile::{LabelValue, decode};

const SAMPLE_TYPE: u64 = 1 | 1 << 1 | 1 << 2 | 1 << 5 | 1 << 8; // IP, TID, TIME, CALLCHAIN, PERIOD
const HEADER: usize = 104;
const ATTRIBUTE: usize = 64 + 16;

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn pair(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

fn record(kind: u32, misc: u16, body: &[u8]) -> Vec<u8> {
    let size = u16::try_from(body.len() + 8).unwrap();
    [&kind.to_le_bytes()[..], &misc.to_le_bytes(), &size.to_le_bytes(), body].concat()
}

fn mmap(pid: u32, start: u64, len: u64, offset: u64, file: &str) -> Vec<u8> {
    let mut name = file.as_bytes().to_vec();
    name.resize(file.len() / 8 * 8 + 8, 0);
    record(1, 0, &[words(&[pair(pid, pid), start, len, offset]), name].concat())
}

fn sample(pid: u32, period: u64, chain: &[u64]) -> Vec<u8> {
    let fixed = words(&[chain[1], pair(pid, pid + 1), 5_000_000_000, period, chain.len() as u64]);
    record(9, 0, &[fixed, words(chain)].concat())
}

fn file(records: &[Vec<u8>]) -> Vec<u8> {
    let data = records.concat();
    let data_start = (HEADER + ATTRIBUTE) as u64;
    let header = [
        u64::from_le_bytes(*b"PERFILE2"),
        HEADER as u64,
        ATTRIBUTE as u64,
        HEADER as u64,
        ATTRIBUTE as u64,
        data_start,
        data.len() as u64,
        0,
        0,
        0,
        0,
        0,
        0,
    ];
    let task_clock = [pair(1, 64), 1, 1000, SAMPLE_TYPE, 0, 0, 0, 0, 0, 0];
    [words(&header), words(&task_clock), data].concat()
}

const KERNEL: u64 = -128_i64 as u64;
const USER: u64 = -512_i64 as u64;

/// A file for others to damage.
pub(crate) fn seed() -> Vec<u8> {
    file(&[mmap(7, 0x1000, 0x1000, 0, "/bin/x"), sample(7, 10, &[KERNEL, 0x1100, USER, 0x1200])])
}

#[test]
fn stacks_are_located_in_what_was_mapped_at_the_time() {
    let comm = record(3, 0, &[&words(&[pair(7, 8)])[..], b"worker\0\0"].concat());
    let profile = decode(&file(&[
        comm,
        mmap(u32::MAX, 0xffff_0000_0000_0000, 0x1000, 0, "[kernel.kallsyms]_text"),
        mmap(7, 0x1000, 0x1000, 0x40, "/bin/old"),
        sample(7, 10, &[USER, 0x1100, 0x1200]),
        mmap(7, 0x1000, 0x1000, 0, "/bin/new"),
        sample(7, 20, &[KERNEL, 0xffff_0000_0000_0010, USER, 0x1100]),
    ]))
    .unwrap();
    let types: Vec<_> =
        profile.sample_types.iter().map(|t| (profile.str(t.kind), profile.str(t.unit))).collect();
    assert_eq!(types, [("samples", "count"), ("cpu", "nanoseconds")]);
    let stacks: Vec<Vec<_>> = profile
        .samples
        .iter()
        .map(|sample| {
            let place = |l: &oxprof_profile::LocationIdx| {
                let location = &profile.locations[l.index()];
                let mapping = profile.mappings[location.mapping.unwrap().index()];
                (location.address, profile.str(mapping.file))
            };
            sample.stack.iter().map(place).collect()
        })
        .collect();
    assert_eq!(
        stacks[0],
        [(0x1100, "/bin/old"), (0x11ff, "/bin/old")],
        "a caller's address is in the call"
    );
    let kernel = (0xffff_0000_0000_0010, "[kernel.kallsyms]_text");
    assert_eq!(stacks[1], [kernel, (0x10ff, "/bin/new")]);
    assert_eq!(
        (profile.samples.values(0), profile.samples.values(1)),
        (&[1, 10][..], &[1, 20][..])
    );
    let comm = profile.samples.labels(0)[0];
    assert_eq!(comm.value, LabelValue::Str(profile.strings.find("worker").unwrap()));
}

#[test]
fn damage_is_named() {
    let whole = file(&[sample(7, 1, &[USER, 1])]);
    let error = |file: &[u8]| decode(file).unwrap_err().to_string();
    assert!(error(&whole[..50]).contains("or a part that it names, is cut short"));
    assert!(
        error(&whole[..whole.len() - 1]).contains("or a part that it names, is cut short"),
        "the data section"
    );
    let compressed = file(&[record(81, 0, &[0; 8])]);
    assert!(error(&compressed).contains("record without -z"));
    let short = file(&[record(9, 0, &[0; 8])]);
    assert!(error(&short).contains("shorter than its fields (at byte 184)"), "{}", error(&short));
}
