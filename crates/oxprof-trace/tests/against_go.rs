//! What is read from traces, compared with what Go's tool reads from them.

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use oxprof_profile::Profile;
use oxprof_trace::{
    Footprint, Options, RawReader, RawStep, WaitFilter, WaitProfiler, Waiting, for_each,
};
use support::{go_tool_trace, go_traces, reference_trace};

const STRICT: Options = Options { strict: true, max_generation: 1 << 30 };

/// The events of a trace as text, and the violation that ends it.
fn parsed(bytes: &[u8]) -> (String, Option<String>) {
    let mut text = String::new();
    let result = for_each(bytes, STRICT, |event, tables| event.write_text(tables, &mut text));
    (text, result.err().map(|violation| violation.to_string()))
}

#[track_caller]
fn assert_same_lines(ours: &str, theirs: &str, what: &Path) {
    let differs = ours.lines().zip(theirs.lines()).position(|(a, b)| a != b);
    if let Some(line) = differs {
        let at = |text: &str| {
            text.lines().skip(line.saturating_sub(2)).take(5).collect::<Vec<_>>().join("\n")
        };
        panic!("{}, line {line}\nours:\n{}\ntheirs:\n{}", what.display(), at(ours), at(theirs));
    }
    assert_eq!(ours.lines().count(), theirs.lines().count(), "{}", what.display());
}

/// Our text of a good trace is Go's, byte for byte.
#[track_caller]
fn check_parsed(file: &Path) {
    let Some(output) = go_tool_trace(&["-d=parsed"], file) else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (ours, violation) = parsed(&std::fs::read(file).unwrap());
    assert_eq!(violation, None);
    assert_same_lines(&ours, &String::from_utf8_lossy(&output.stdout), file);
}

#[test]
fn events_of_go_programs() {
    go_traces().iter().for_each(|file| check_parsed(file));
}

#[test]
fn events_of_the_reference_writer() {
    for version in [22, 23, 25, 26] {
        let Some((file, _)) = reference_trace(version, "none") else { return };
        check_parsed(&file);
    }
}

/// Events as they are written, and how many bytes each type takes.
fn raw(bytes: &[u8]) -> (String, Footprint) {
    let (mut text, mut footprint) = (String::new(), Footprint::default());
    let mut reader = RawReader::new();
    let mut pieces = bytes.chunks(1000);
    loop {
        match reader.step().unwrap() {
            RawStep::Event(event) => {
                event.write_text(&mut text);
                footprint.add(&event);
            }
            RawStep::NeedInput => match pieces.next() {
                Some(piece) => reader.feed(piece),
                None => reader.finish(),
            },
            RawStep::End => return (text, footprint),
        }
    }
}

#[test]
fn events_as_written() {
    for file in go_traces() {
        let (ours, footprint) = raw(&std::fs::read(file).unwrap());
        let Some(output) = go_tool_trace(&["-d=wire"], file) else { return };
        assert_same_lines(&ours, &String::from_utf8_lossy(&output.stdout), file);
        let Some(output) = go_tool_trace(&["-d=footprint"], file) else { return };
        let text = String::from_utf8_lossy(&output.stdout);
        for row in footprint.rows() {
            let theirs =
                text.lines().find(|line| line.starts_with(&format!("{} ", row.event.name())));
            let fields: Vec<_> = theirs.unwrap().split_whitespace().collect();
            assert_eq!((fields[1], fields[3]), (&*row.bytes.to_string(), &*row.count.to_string()));
        }
    }
}

/// A profile's values by stack, in a form that does not depend on order. Frames that say nothing do not
/// count: Go's tool keeps them, and then takes stacks that differ in them for the same.
fn by_stack(profile: &Profile) -> BTreeMap<Vec<(u64, String, i64)>, [i64; 2]> {
    let frame = |location: &oxprof_profile::LocationIdx| {
        let line = profile.lines_of(*location)[0];
        let name = profile.str(profile.functions[line.function.index()].name).to_owned();
        (profile.locations[location.index()].address, name, line.line)
    };
    let mut stacks = BTreeMap::new();
    for sample in profile.samples.iter() {
        let stack = sample.stack.iter().map(frame).filter(|(pc, ..)| *pc != 0).collect();
        let [count, nanos] = stacks.entry(stack).or_insert([0; 2]);
        *count += sample.values[0];
        *nanos += sample.values[1];
    }
    stacks
}

/// Entries that two maps do not share.
fn differences<K: Ord + Clone, V: PartialEq + Clone>(
    a: &BTreeMap<K, V>,
    b: &BTreeMap<K, V>,
) -> Vec<(K, Option<V>, Option<V>)> {
    let keys: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
    let pair = |key: &K| (key.clone(), a.get(key).cloned(), b.get(key).cloned());
    keys.into_iter().map(pair).filter(|(_, a, b)| a != b).collect()
}

fn wait_profile(bytes: &[u8], waiting: Waiting) -> Profile {
    let mut profiler = WaitProfiler::new(waiting, WaitFilter::default());
    for_each(bytes, STRICT, |event, tables| profiler.event(event, tables)).unwrap();
    profiler.finish()
}

#[test]
fn profiles_of_waiting() {
    for file in go_traces() {
        let bytes = std::fs::read(file).unwrap();
        for waiting in Waiting::ALL {
            let arg = format!("-pprof={}", waiting.name());
            let Some(output) = go_tool_trace(&[&arg], file) else { return };
            let theirs = oxprof_profile::decode(&output.stdout).unwrap();
            let ours = wait_profile(&bytes, waiting);
            let differences = differences(&by_stack(&ours), &by_stack(&theirs));
            assert!(differences.is_empty(), "{arg} {}: {differences:#?}", file.display());
            let kind = |p: &Profile| {
                p.sample_types
                    .iter()
                    .map(|t| (p.str(t.kind).to_owned(), p.str(t.unit).to_owned()))
                    .collect::<Vec<_>>()
            };
            assert_eq!((kind(&ours), ours.period), (kind(&theirs), theirs.period));
        }
    }
}
