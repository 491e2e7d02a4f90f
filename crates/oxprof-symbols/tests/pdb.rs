//! A program of Windows with its file of symbols: see `data/small-windows.rs.txt`.
#![cfg(all(feature = "pdb", feature = "symbolize"))]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use oxprof_symbols::symbolize::{ObjectFile, ObjectSource, with_object};
use oxprof_symbols::{Bytes, DebugFile, Svma};

const PROGRAM: &[u8] = include_bytes!("data/small.exe");
const SYMBOLS: &[u8] = include_bytes!("data/small.pdb");

/// A world with these symbols.
struct World(Vec<u8>);

impl ObjectSource for World {
    fn open(&self, _: &str, _: &str, _: &mut dyn FnMut(String)) -> Result<ObjectFile, String> {
        Err("there is nothing else".into())
    }

    fn further(&self, path: &str, file: DebugFile<'_>) -> Option<Bytes> {
        assert_eq!((path, file), ("small.exe", DebugFile::Symbols { path: "small.pdb" }));
        Some(Arc::new(self.0.clone()))
    }
}

/// The chain at an address, and the function there.
fn look_up(symbols: Vec<u8>, address: u64) -> (String, String) {
    let file = ObjectFile { path: "small.exe".into(), data: Arc::new(PROGRAM.to_vec()) };
    with_object(&World(symbols), &file, "", |object| {
        let frames = object.frames(Svma(address));
        let line = |f: &oxprof_symbols::Frame<'_>| {
            format!("{} {}:{}", f.system_name, f.file.as_deref().unwrap_or("?"), f.line)
        };
        let chain = frames.iter().map(line).collect::<Vec<_>>().join(" < ");
        let symbol = object.symbol(Svma(address));
        let extent =
            |s: oxprof_symbols::Symbol<'_>| format!("{} {:x}-{:x}", s.name, s.start.0, s.end.0);
        Ok((chain, symbol.map(extent).unwrap_or_default()))
    })
    .unwrap()
}

#[test]
fn functions_lines_and_inlined_calls() {
    let check = |address, chain: &str, symbol: &str| {
        let (found, function) = look_up(SYMBOLS.to_vec(), address);
        assert_eq!((found.as_str(), function.as_str()), (chain, symbol), "{address:#x}");
    };
    check(0x1_4000_1003, "small::start /src/small.rs:38", "small::start 140001000-14000100d");
    check(
        0x1_4000_1010,
        "small::square /src/small.rs:25 < small::work /src/small.rs:32",
        "small::work 140001010-140001019",
    );
    check(0x1_4000_0000, "", "");
}

#[test]
fn symbols_of_another_build_are_not_used() {
    let guid = SYMBOLS.windows(16).position(|w| w == pdb_guid()).unwrap();
    let mut other = SYMBOLS.to_vec();
    other[guid] ^= 1;
    assert_eq!(look_up(other, 0x1_4000_1000), (String::new(), String::new()));
}

/// What the program says identifies its symbols.
fn pdb_guid() -> &'static [u8] {
    let at = PROGRAM.windows(4).position(|w| w == b"RSDS").unwrap();
    &PROGRAM[at + 4..at + 20]
}

#[test]
fn damaged_symbols_are_no_symbols() {
    static LOUD: AtomicUsize = AtomicUsize::new(0);
    static QUIET: AtomicUsize = AtomicUsize::new(0);
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if oxprof_symbols::catches_panics() {
            QUIET.fetch_add(1, Relaxed);
        } else {
            LOUD.fetch_add(1, Relaxed);
            report(info);
        }
    }));
    let mut random = 1_u64;
    for cut in (0..SYMBOLS.len()).step_by(8191) {
        look_up(SYMBOLS[..cut].to_vec(), 0x1_4000_1010);
    }
    for _ in 0..60 {
        let mut damaged = SYMBOLS.to_vec();
        for _ in 0..4 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = (random >> 33) as usize % damaged.len();
            damaged[at] = (random >> 20) as u8;
        }
        look_up(damaged, 0x1_4000_1010);
    }
    assert!(!oxprof_symbols::catches_panics());
    assert_eq!(LOUD.load(Relaxed), 0, "{} were quiet", QUIET.load(Relaxed));
}
