//! Damaged object files: an error or fewer answers, never a panic, never a long wait.

use oxprof_symbols::{Avma, FileOffset, MappedRange, Object, Svma};

/// A program with debug information in three kilobytes: see `small.c` beside it.
const SMALL: &[u8] = include_bytes!("data/small.elf");

/// A small deterministic generator, so that a failure can be run again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, limit: usize) -> usize {
        self.next() as usize % limit.max(1)
    }
}

/// Asks everything of `bytes`; the answers do not matter.
fn interrogate(bytes: &[u8], addresses: &[u64]) {
    let Ok(object) = Object::parse(bytes) else { return };
    let _ = object.build_id().map(|id| id.to_string());
    let mapping =
        MappedRange { start: Avma(0x5000_0000), limit: Avma(0x6000_0000), offset: FileOffset(0) };
    for &address in addresses {
        let _ = object.symbol(Svma(address));
        let _ = object.frames(Svma(address));
        let _ = object.svma(Avma(address.wrapping_add(0x5000_0000)), &mapping);
    }
    let _ = object.symbols().count();
}

/// A program that is there wherever tests run: the smaller, the more a mutation hits.
fn small_program() -> Option<Vec<u8>> {
    let found = option_env!("CARGO").and_then(|_| std::env::current_exe().ok())?;
    let bytes = std::fs::read(found).ok()?;
    // The whole file is megabytes; headers, notes and tables are at both ends.
    (bytes.len() < 200 << 20).then_some(bytes)
}

#[test]
fn truncated_files() {
    let bytes = small_program().unwrap();
    let mut random = Random(1);
    for cut in (0..70).chain((0..10).map(|_| random.below(bytes.len()))) {
        interrogate(&bytes[..cut], &[0, 0x1000, 0x5_0000, u64::MAX]);
    }
}

#[test]
fn overwritten_headers() {
    let bytes = small_program().unwrap();
    let object = Object::parse(&bytes).unwrap();
    let known: Vec<u64> = object.symbols().take(4).map(|s| s.start.0).collect();
    let interesting = [0, 1, 0x7f, 0x80, 0xff];
    let mut random = Random(2);
    let mut copy = bytes.clone();
    for round in 0..40 {
        let window = if round % 2 == 0 { 0..1024 } else { bytes.len() - 4096..bytes.len() };
        let at: Vec<usize> =
            (0..1 + round % 5).map(|_| window.start + random.below(window.len())).collect();
        for &i in &at {
            copy[i] = interesting[random.below(interesting.len())];
        }
        interrogate(&copy, &known);
        for &i in &at {
            copy[i] = bytes[i];
        }
    }
}

/// The addresses of `work` in [`SMALL`], and some that are in nothing.
fn small_addresses() -> Vec<u64> {
    (0x40_010c..0x40_0141).step_by(13).chain([0, 0x40_0141, 0x40_1000, u64::MAX]).collect()
}

#[cfg(feature = "lines")]
#[test]
fn the_small_program_itself() {
    let object = Object::parse(SMALL).unwrap();
    let mut chains: Vec<String> = (0x40_010c..0x40_0141)
        .map(|address| {
            let frames = object.frames(Svma(address));
            let line = |f: &oxprof_symbols::Frame<'_>| {
                format!("{}:{}:{} s={}", f.system_name, f.line, f.column, f.start_line)
            };
            frames.iter().map(line).collect::<Vec<_>>().join(" < ")
        })
        .collect();
    chains.dedup();
    assert!(
        chains.iter().any(|c| c.contains("square:3:44 s=3 < hypot2:6:12 s=5 < work:12:16")),
        "{chains:#?}"
    );
    assert!(chains.iter().all(|c| c.contains("work:") && c.ends_with("s=9")), "{chains:#?}");
}

#[test]
fn every_byte_overwritten() {
    let addresses = small_addresses();
    let mut copy = SMALL.to_vec();
    for i in 0..SMALL.len() {
        for value in [0, 0xff, SMALL[i] ^ 0x20] {
            copy[i] = value;
            interrogate(&copy, &addresses);
        }
        copy[i] = SMALL[i];
    }
}

#[test]
fn several_bytes_overwritten() {
    let addresses = small_addresses();
    let mut random = Random(3);
    for _ in 0..2000 {
        let mut copy = SMALL.to_vec();
        for _ in 0..2 + random.below(6) {
            let at = random.below(copy.len());
            copy[at] = random.next() as u8;
        }
        interrogate(&copy, &addresses);
    }
}

/// An object file with nothing but these sections.
#[cfg(feature = "lines")]
fn elf(sections: &[(&str, Vec<u8>)]) -> Vec<u8> {
    const HEADER: usize = 64;
    let mut names = vec![0];
    let mut file = vec![0; HEADER];
    let mut table = vec![0; HEADER];
    let mut add = |name: &str, kind: u32, content: &[u8], names: &mut Vec<u8>| {
        let at = names.len() as u32;
        names.extend(name.bytes().chain([0]));
        let content = if name == ".shstrtab" { names.as_slice() } else { content };
        table.extend([at, kind].iter().flat_map(|n| n.to_le_bytes()));
        let place = [0, 0, file.len() as u64, content.len() as u64, 0, 1, 0];
        table.extend(place.iter().flat_map(|n: &u64| n.to_le_bytes()));
        file.extend(content);
    };
    for (name, content) in sections {
        add(name, 1, content, &mut names);
    }
    add(".shstrtab", 3, &[], &mut names);
    let (start, count) = (file.len() as u64, sections.len() as u16 + 2);
    file.extend(table);
    file[..20].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0");
    file[20] = 1;
    file[40..48].copy_from_slice(&start.to_le_bytes());
    file[52..54].copy_from_slice(&(HEADER as u16).to_le_bytes());
    file[58..60].copy_from_slice(&(HEADER as u16).to_le_bytes());
    file[60..62].copy_from_slice(&count.to_le_bytes());
    file[62..64].copy_from_slice(&(count - 1).to_le_bytes());
    file
}

/// Function `deep`, with so many functions inlined one into the other, all of them at 0x1000.
#[cfg(feature = "lines")]
fn nested(depth: usize) -> Vec<u8> {
    // Unit, function, inlined function: each with children, low_pc, and high_pc as a size.
    let abbrev = b"\x01\x11\x01\x11\x01\x12\x07\0\0\
                   \x02\x2e\x01\x03\x08\x11\x01\x12\x07\0\0\
                   \x03\x1d\x01\x11\x01\x12\x07\0\0\0";
    let place: Vec<u8> = [0x1000_u64, 0x10].iter().flat_map(|n| n.to_le_bytes()).collect();
    let mut unit = vec![4, 0, 0, 0, 0, 0, 8, 1];
    unit.extend(&place);
    unit.extend(b"\x02deep\0");
    unit.extend(&place);
    for _ in 0..depth {
        unit.push(3);
        unit.extend(&place);
    }
    unit.extend(vec![0; depth + 2]);
    let mut info = (unit.len() as u32).to_le_bytes().to_vec();
    info.extend(unit);
    elf(&[(".debug_abbrev", abbrev.to_vec()), (".debug_info", info)])
}

/// A reader that called itself for each level would need more stack than this thread has.
#[cfg(feature = "lines")]
#[test]
fn functions_inlined_into_each_other_without_end() {
    let look_up = |depth| {
        let bytes = nested(depth);
        let object = Object::parse(&bytes).unwrap();
        let frames = object.frames(Svma(0x1008));
        (frames.len(), frames.last().unwrap().system_name.to_string())
    };
    let thread = std::thread::Builder::new().stack_size(128 << 10);
    let answers = thread.spawn(move || [look_up(3), look_up(300_000)]).unwrap().join().unwrap();
    assert_eq!(answers, [(4, "deep".to_owned()), (1001, "deep".to_owned())]);
}

/// Where the code of [`with_sections`] is.
#[cfg(feature = "lines")]
const CODE: u64 = 0x40_1000;

#[cfg(feature = "lines")]
fn words(words: impl IntoIterator<Item = u32>) -> Vec<u8> {
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}

/// A file of 64 bits and `kind` with a page of code and these sections, of names, flags and contents. Sections with no
/// content are those before.
#[cfg(feature = "lines")]
fn with_sections(kind: u16, sections: &[(&str, u64, &[u8])]) -> Vec<u8> {
    const HEADER: usize = 64;
    let mut file = vec![0; HEADER + 0x1000];
    let mut names = vec![0];
    let mut headers = vec![0; HEADER];
    let (mut at, mut size) = (0, 0);
    let code = (".text", 6, &[][..]);
    for (i, &(name, flags, content)) in std::iter::once(&code).chain(sections).enumerate() {
        if i == 0 {
            (at, size) = (HEADER, 0x1000);
        } else if !content.is_empty() {
            (at, size) = (file.len(), content.len());
            file.extend_from_slice(content);
        }
        headers.extend(words([names.len() as u32, 1]));
        let address = if i == 0 { CODE } else { 0 };
        let fields = [flags, address, at as u64, size as u64, 0, 1, 0];
        headers.extend(fields.into_iter().flat_map(u64::to_le_bytes));
        names.extend_from_slice(name.as_bytes());
        names.push(0);
    }
    headers.extend(words([0, 3]));
    let fields = [0, 0, file.len() as u64, names.len() as u64, 0, 1, 0];
    headers.extend(fields.into_iter().flat_map(u64::to_le_bytes));
    file.extend(names);
    let (table, count) = (file.len() as u64, (headers.len() / HEADER) as u16);
    file.extend(headers);
    file[..8].copy_from_slice(b"\x7fELF\x02\x01\x01\0");
    file[16..20].copy_from_slice(&words([u32::from(kind) | 62 << 16]));
    file[40..48].copy_from_slice(&table.to_le_bytes());
    let sizes = [64, 56, 0, 64, count, count - 1];
    let sizes: Vec<u8> = sizes.into_iter().flat_map(u16::to_le_bytes).collect();
    file[52..64].copy_from_slice(&sizes);
    file
}

/// 20 000 units that say nothing but where their line tables are: in `lines`, one every so many bytes.
#[cfg(feature = "lines")]
fn with_overlapping_lines(lines: &[u8], step: u32) -> Vec<u8> {
    let unit = |i: u32| [&words([12])[..], &[4, 0, 0, 0, 0, 0, 8, 1], &words([step * i])].concat();
    let info: Vec<u8> = (0..20_000).flat_map(unit).collect();
    let abbrevs = [1, 0x11, 0, 0x10, 0x17, 0, 0, 0];
    let debug: [(&str, u64, &[u8]); 3] =
        [(".debug_info", 0, &info), (".debug_abbrev", 0, &abbrevs), (".debug_line", 0, lines)];
    with_sections(2, &debug)
}

/// A file of which one counts how much is read.
#[cfg(feature = "lines")]
struct Counted(Vec<u8>, std::sync::atomic::AtomicUsize);

#[cfg(feature = "lines")]
impl oxprof_symbols::ReadAt for &'static Counted {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> bool {
        self.1.fetch_add(into.len(), std::sync::atomic::Ordering::Relaxed);
        into.copy_from_slice(&self.0[offset as usize..][..into.len()]);
        true
    }
}

/// Asks for the lines of a file, which takes no longer than a damaged file may, and reads it seven times at most: line
/// tables may be gone over four times to find a unit, and what stays is three times the file.
#[cfg(feature = "lines")]
#[track_caller]
fn check_bounds(file: Vec<u8>) {
    use oxprof_symbols::{Content, Parts};

    let started = std::time::Instant::now();
    let file: &'static Counted = Box::leak(Box::new(Counted(file, 0.into())));
    let parts = Parts::new(file);
    let object = Object::parse(parts.data()).unwrap();
    let _ = object.frames(Svma(CODE));
    let read = file.1.load(std::sync::atomic::Ordering::Relaxed);
    assert!(read <= 7 * file.0.len(), "{read} of {}", file.0.len());
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
}

/// Each table reaches to the end of the section, or would.
#[cfg(feature = "lines")]
#[test]
fn line_tables_that_overlap() {
    const SIZE: u32 = 2 << 20;
    let lines = words((4..=SIZE).step_by(4).map(|at| SIZE - at));
    check_bounds(with_overlapping_lines(&lines, 4));
}

/// The instructions of each table are those of hundreds after it, too, whose headers do nothing as instructions.
#[cfg(feature = "lines")]
#[test]
fn line_tables_that_overlap_and_can_be_read() {
    const STEP: usize = 512;
    let header = [&words([0x06_0606])[..], &[2, 0], &words([0x0110]), &[1, 1, 0, 1, 255]].concat();
    let mut table = [&header[..], &[0; 254 + 2]].concat();
    table.resize(STEP, 6);
    check_bounds(with_overlapping_lines(&table.repeat(21_000), STEP as u32));
}

/// Sections of a file that is not linked that all have the same compressed bytes.
#[cfg(feature = "compressed")]
#[test]
fn sections_that_share_what_is_compressed() {
    use std::io::Write;

    const SIZE: usize = 32 << 20;
    let mut zeros = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    zeros.write_all(&vec![0; SIZE]).unwrap();
    // As much as is needed for the size to be believed.
    let mut compressed = [words([1, 0]), (SIZE as u64).to_le_bytes().to_vec()].concat();
    compressed.extend(words([1, 0]));
    compressed.extend(zeros.finish().unwrap());
    compressed.resize(compressed.len().max(SIZE / 128 + 100), 0);
    const COMPRESSED: u64 = 1 << 11;
    let mut sections = vec![(".debug_info", COMPRESSED, &compressed[..])];
    sections.resize(3000, (".debug_info", COMPRESSED, &[]));
    let file = with_sections(1, &sections);
    let started = std::time::Instant::now();
    let store = oxprof_symbols::Store::default();
    let object = Object::parse_with(&file, &store).unwrap();
    let _ = object.frames(Svma(0));
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
}
