//! Any bytes as a file that is compressed with gzip, xz or zstd: no panic, and bounded output.
//!
//! `cargo +nightly fuzz run symbols_packed`; start from what those tools make of a short file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxprof_symbols::{Data, unpack};

fuzz_target!(|bytes: &[u8]| {
    if let Some(Ok(unpacked)) = unpack(Data::from(bytes)) {
        assert!(unpacked.len() <= 128 * bytes.len());
    }
});
