//! Our decompressor against zlib-rs's: the same bytes, or an error from both.
#![no_main]

use std::io::Read;

use flate2::Crc;
use flate2::read::DeflateDecoder;
use libfuzzer_sys::fuzz_target;
use oxprof_profile::{DecodeError, DecodeOptions, decode_with};

/// Some streams grow a thousandfold.
const MAX_BYTES: u64 = 1 << 22;

fuzz_target!(|data: &[u8]| {
    let mut plain = Vec::new();
    let mut peer = DeflateDecoder::new(data).take(MAX_BYTES);
    let is_valid = peer.read_to_end(&mut plain).is_ok();
    if plain.len() as u64 == MAX_BYTES {
        return;
    }
    let stream = if is_valid { &data[..peer.get_ref().total_in() as usize] } else { data };
    let mut checksum = Crc::new();
    checksum.update(&plain);
    let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let trailer = [checksum.sum().to_le_bytes(), checksum.amount().to_le_bytes()].concat();
    // Ours are the same bytes if it agrees with the checksum; that they are no profile does not matter.
    let options = DecodeOptions { max_bytes: MAX_BYTES, two_threads: true };
    let result = decode_with(&[&header, stream, &trailer].concat(), &options);
    let is_damaged = matches!(result, Err(DecodeError::Compression { .. }));
    assert_eq!(is_valid, !is_damaged, "{result:?}");
});
