//! The memory map at the end of legacy profiles, and which addresses lie where.
//!
//! Lines are those of Linux's `/proc/PID/maps`, or `start-end [permissions] file [(@offset)] [build id]`.
//! A line `name=value` makes `$name` mean that value in lines to come; what else does not read as a
//! mapping is skipped.

use super::text::{Lines, Scan, attribute, is_memory_map};
use crate::{Mapping, MappingIdx, Profile, StrId, Strings};

/// Where the linker used to put programs.
const USUAL_START: u64 = 0x40_0000;

/// Looks for the memory map in what is left of the file and [`attach`]es it.
pub(super) fn attach_section(profile: Profile, mut lines: Lines<'_>) -> Profile {
    let found = lines.by_ref().any(|line| is_memory_map(line.text));
    attach(profile, if found { lines } else { Lines::new(&[]) })
}

/// Reads the memory map from `lines` and gives every location with an address the mapping it lies in.
pub(super) fn attach(mut profile: Profile, lines: Lines<'_>) -> Profile {
    let mut mappings = join_neighbours(read(&mut profile.strings, lines));
    put_program_first(&mut mappings, &profile.strings);
    mend_program(&mut mappings, &profile.strings);
    locate(&mut profile, &mut mappings);
    mappings.iter_mut().zip(1..).for_each(|(mapping, id)| mapping.id = id);
    profile.mappings = mappings;
    profile
}

fn read(strings: &mut Strings, lines: Lines<'_>) -> Vec<Mapping> {
    let mut definitions: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let mut mappings = Vec::new();
    for line in lines {
        let line = substitute(without_log_prefix(line.text), &definitions);
        match entry(&line) {
            Some(entry) if entry.is_executable => mappings.push(entry.mapping(strings)),
            Some(_) => {}
            None => {
                if let Some((name, value)) = attribute(&line) {
                    definitions.retain(|(known, _)| known != name);
                    definitions.push((name.to_vec(), value.to_vec()));
                }
            }
        }
    }
    mappings
}

/// A line of the map.
#[derive(Debug, Default, PartialEq)]
struct Entry<'a> {
    start: u64,
    limit: u64,
    offset: u64,
    file: &'a [u8],
    build_id: &'a [u8],
    is_executable: bool,
}

impl Entry<'_> {
    fn mapping(&self, strings: &mut Strings) -> Mapping {
        Mapping {
            start: self.start,
            limit: self.limit,
            offset: self.offset,
            file: strings.intern_bytes(self.file),
            build_id: strings.intern_bytes(self.build_id),
            ..Mapping::default()
        }
    }
}

fn entry(line: &[u8]) -> Option<Entry<'_>> {
    let mut scan = Scan(line);
    let start = scan.hex()?;
    let separated = scan.literal("-").is_some();
    scan.skip_space();
    let limit = scan.hex()?;
    let ends_range =
        scan.literal(":").is_some() || scan.0.first().is_none_or(u8::is_ascii_whitespace);
    (separated && ends_range).then_some(())?;
    let range = Entry { start, limit, is_executable: true, ..Entry::default() };
    let range =
        Entry { is_executable: permissions(&mut scan).is_none_or(|p| p.contains(&b'x')), ..range };
    Some(proc_entry(scan, &range).unwrap_or_else(|| brief_entry(scan, &range)))
}

fn permissions<'a>(scan: &mut Scan<'a>) -> Option<&'a [u8]> {
    let mut ahead = *scan;
    let word = ahead.word()?;
    word.iter().all(|b| b"-rwxp".contains(b)).then_some(())?;
    *scan = ahead;
    Some(word)
}

/// ` 00002000 00:00 1531   /lib/libdl.so`
fn proc_entry<'a>(mut scan: Scan<'a>, range: &Entry<'a>) -> Option<Entry<'a>> {
    scan.space()?;
    let offset = scan.hex()?;
    let device = scan.word()?;
    let is_device = |half: &[u8]| !half.is_empty() && half.iter().all(u8::is_ascii_hexdigit);
    let colon = device.iter().position(|&b| b == b':')?;
    (is_device(&device[..colon]) && is_device(&device[colon + 1..])).then_some(())?;
    scan.word()?.iter().all(u8::is_ascii_digit).then_some(())?;
    Some(Entry { offset, file: scan.word().unwrap_or_default(), ..*range })
}

/// ` /path/to/binary (@FF00) abc123456`, each part optional
fn brief_entry<'a>(mut scan: Scan<'a>, range: &Entry<'a>) -> Entry<'a> {
    let file = scan.word().unwrap_or_default();
    let mut ahead = scan;
    let offset = ahead.space().and_then(|()| ahead.literal("(@")).and_then(|()| ahead.hex());
    let offset = match offset.filter(|_| ahead.literal(")").is_some()) {
        Some(offset) => {
            scan = ahead;
            offset
        }
        None => 0,
    };
    let build_id = scan.word().filter(|word| word.iter().all(u8::is_ascii_hexdigit));
    Entry { offset, file, build_id: build_id.unwrap_or_default(), ..*range }
}

/// Cuts `I0102 03:04:05.678 910 file.cc:11] ` off.
fn without_log_prefix(line: &[u8]) -> &[u8] {
    let Some(end) = line.iter().position(|&b| b == b'[' || b == b']').filter(|&i| line[i] == b']')
    else {
        return line;
    };
    let digits = line[..end].iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let is_place = digits > 0 && line[..end - digits].ends_with(b":") && end - digits > 1;
    match line.get(end + 1) {
        Some(b) if is_place && b.is_ascii_whitespace() => line[end + 1..].trim_ascii_start(),
        _ => line,
    }
}

/// Replaces `$name` by its value.
fn substitute(line: &[u8], definitions: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.iter().position(|&b| b == b'$') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        out.extend_from_slice(before);
        rest = match definitions
            .iter()
            .find(|(name, _)| !name.is_empty() && after.starts_with(name))
        {
            Some((name, value)) => {
                out.extend_from_slice(value);
                &after[name.len()..]
            }
            None => {
                out.push(b'$');
                after
            }
        };
    }
    out.extend_from_slice(rest);
    out
}

/// Loaders split one mapping into several; neighbours of the same file are joined again.
fn join_neighbours(mappings: Vec<Mapping>) -> Vec<Mapping> {
    let mut joined: Vec<Mapping> = Vec::with_capacity(mappings.len());
    for mapping in mappings {
        match joined.last_mut() {
            Some(last) if continues(last, &mapping) => {
                last.limit = mapping.limit;
                last.file = if mapping.file.is_empty() { last.file } else { mapping.file };
                last.build_id =
                    if mapping.build_id.is_empty() { last.build_id } else { mapping.build_id };
            }
            _ => joined.push(mapping),
        }
    }
    joined
}

fn continues(one: &Mapping, next: &Mapping) -> bool {
    let agree = |a: StrId, b: StrId| a.is_empty() || b.is_empty() || a == b;
    let offsets_fit = one.offset == 0
        || next.offset == 0
        || one.offset.wrapping_add(one.limit.wrapping_sub(one.start)) == next.offset;
    agree(one.file, next.file)
        && agree(one.build_id, next.build_id)
        && one.limit == next.start
        && offsets_fit
}

/// The first mapping of a profile is the program: the first that is named and no library.
fn put_program_first(mappings: &mut [Mapping], strings: &Strings) {
    let is_program = |mapping: &Mapping| {
        let file = strings.get(mapping.file).replace("(deleted)", "");
        let file = file.trim();
        !file.is_empty() && !file.starts_with('[') && !is_library(file)
    };
    if let Some(program) = mappings.iter().position(is_program) {
        mappings.swap(0, program);
    }
}

/// Whether a path ends in `.so`, or has `.so.1` or `.so_1` in it.
fn is_library(file: &str) -> bool {
    file.ends_with(".so")
        || file.match_indices(".so").any(|(at, so)| {
            let mut rest = file[at + so.len()..].chars();
            matches!(rest.next(), Some('.' | '_'))
                && rest.next().is_some_and(|c| c.is_ascii_digit())
        })
}

/// Programs that remap their text into huge pages leave a map that hides where they started.
fn mend_program(mappings: &mut Vec<Mapping>, strings: &Strings) {
    if let [first, second, ..] = mappings[..]
        && strings.get(first.file).starts_with("/anon_hugepage")
        && first.limit == second.start
    {
        mappings.remove(0);
    }
    if let Some(program) = mappings.first_mut()
        && program.start.wrapping_sub(program.offset) == USUAL_START
    {
        (program.start, program.offset) = (USUAL_START, 0);
    }
}

/// Finds the mapping of every location; those that lie nowhere share one that spans everything.
fn locate(profile: &mut Profile, mappings: &mut Vec<Mapping>) {
    let mut everywhere = None;
    for location in profile.locations.iter_mut().filter(|l| l.address != 0 && l.mapping.is_none()) {
        let found = find(mappings, location.address).or(everywhere).unwrap_or_else(|| {
            mappings.push(Mapping { limit: u64::MAX, ..Mapping::default() });
            *everywhere.insert(mappings.len() - 1)
        });
        location.mapping = Some(MappingIdx::from_index(found));
    }
}

fn find(mappings: &mut [Mapping], address: u64) -> Option<usize> {
    let holds = |m: &Mapping| m.start <= address && address < m.limit;
    if let Some(found) = mappings.iter().position(holds) {
        return Some(found);
    }
    // Some writers leave out the first part of a mapping that was split.
    let first_part = |m: &Mapping| {
        m.offset != 0 && m.start.wrapping_sub(m.offset) <= address && address < m.start
    };
    let found = mappings.iter().position(first_part)?;
    let mapping = &mut mappings[found];
    (mapping.start, mapping.offset) = (mapping.start.wrapping_sub(mapping.offset), 0);
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<(u64, u64, u64, &str, &str, bool)>) {
        let entry = entry(line.as_bytes());
        let text = |bytes| std::str::from_utf8(bytes).unwrap();
        let seen = entry
            .as_ref()
            .map(|e| (e.start, e.limit, e.offset, text(e.file), text(e.build_id), e.is_executable));
        assert_eq!(seen, expected);
    }

    #[test]
    fn lines_of_every_style_are_read() {
        check(
            "400000-fc0000 r-xp 00001000 fd:01 12 /bin/x",
            Some((0x40_0000, 0xfc_0000, 0x1000, "/bin/x", "", true)),
        );
        check(
            "400000-fc0000 rw-p 00000000 00:00 0",
            Some((0x40_0000, 0xfc_0000, 0, "", "", false)),
        );
        check("00400000-00fcb000: cppbench", Some((0x40_0000, 0xfc_b000, 0, "cppbench", "", true)));
        check(
            "0x40000-0x80000 /bin/x (@FF00) abc123",
            Some((0x4_0000, 0x8_0000, 0xff00, "/bin/x", "abc123", true)),
        );
        check("0x40000-0x80000 r-xp /bin/x", Some((0x4_0000, 0x8_0000, 0, "/bin/x", "", true)));
        check("nothing of the kind", None);
        check("build=/home/x", None);
    }

    #[test]
    fn log_prefixes_and_definitions_are_undone() {
        let line = b"I1023 12:34:56.7  89 maps.cc:12] 400000-fc0000: $build/x";
        let definitions = [(b"build".to_vec(), b"/home".to_vec())];
        assert_eq!(substitute(without_log_prefix(line), &definitions), b"400000-fc0000: /home/x");
    }

    #[test]
    fn libraries_are_known_by_name() {
        assert!(
            is_library("/lib/libc-2.15.so") && is_library("libc.so.6") && is_library("libc.so_6")
        );
        assert!(!is_library("/bin/also") && !is_library("/opt/x.sock"));
    }
}
