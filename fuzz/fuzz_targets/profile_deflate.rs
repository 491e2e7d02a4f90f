//! The compressor against zlib-rs's decompressor: any text comes back as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxprof_profile::{Compression, Profile, decode, encode, encode_gzip};

fuzz_target!(|data: &[u8]| {
    // The first byte says how often the rest is repeated, so that windows and blocks are crossed.
    let Some((&times, data)) = data.split_first() else { return };
    let mut profile = Profile::default();
    let comment = profile.strings.intern_bytes(&data.repeat(1 + times as usize));
    profile.comments.push(comment);
    let read = decode(&encode_gzip(&profile, Compression::Fast)).expect("the stream is valid");
    assert!(encode(&read) == encode(&profile));
});
