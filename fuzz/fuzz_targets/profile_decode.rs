//! Any bytes: no panic, and what is read survives a round trip.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxprof_profile::{DecodeOptions, decode, decode_with, encode};

fuzz_target!(|data: &[u8]| {
    let options = DecodeOptions { max_bytes: 1 << 20, two_threads: true };
    if let Ok(profile) = decode_with(data, &options) {
        let bytes = encode(&profile);
        let again = decode(&bytes).expect("what was written can be read");
        assert!(encode(&again) == bytes, "writing is deterministic");
    }
});
