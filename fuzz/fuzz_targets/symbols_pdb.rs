//! Any bytes as a file of Windows' symbols: no panic gets out.
//!
//! `cargo +nightly fuzz run symbols_pdb`; start from `crates/oxprof-symbols/tests/data/small.pdb`.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use oxprof_symbols::symbolize::{ObjectFile, ObjectSource, with_object};
use oxprof_symbols::{Bytes, DebugFile, Svma};

const PROGRAM: &[u8] = include_bytes!("../../crates/oxprof-symbols/tests/data/small.exe");

/// A world with these symbols.
struct World<'a>(&'a [u8]);

impl ObjectSource for World<'_> {
    fn open(&self, _: &str, _: &str, _: &mut dyn FnMut(String)) -> Result<ObjectFile, String> {
        Err("there is nothing else".into())
    }

    fn further(&self, _: &str, _: DebugFile<'_>) -> Option<Bytes> {
        Some(Arc::new(self.0.to_vec()))
    }
}

fuzz_target!(
    init: {
        // The fuzzer would take a panic that is caught for one that is not.
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !oxprof_symbols::catches_panics() {
                report(info);
            }
        }));
    },
    |symbols: &[u8]| {
        let file = ObjectFile { path: "small.exe".into(), data: Arc::new(PROGRAM.to_vec()) };
        let _ = with_object(&World(symbols), &file, "", |object| {
            for address in [0x1_4000_1003, 0x1_4000_1010, 0x1_4000_0000] {
                let _ = object.frames(Svma(address));
                let _ = object.symbol(Svma(address));
            }
            Ok(())
        });
    }
);
