//! zstd around profiles.

use std::io::Read;

use ruzstd::decoding::StreamingDecoder;

use crate::error::DecodeError;

/// Whether `bytes` start as a zstd frame does.
pub(crate) fn is_zstd(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
}

/// Decompresses all frames of a zstd file, up to `max_bytes` in total.
pub(crate) fn unzstd(mut file: &[u8], max_bytes: u64) -> Result<Vec<u8>, DecodeError> {
    let damaged = |e: &dyn std::fmt::Display| DecodeError::Compression {
        format: "zstd",
        reason: e.to_string(),
    };
    let mut out = Vec::new();
    while !file.is_empty() {
        let left = max_bytes - out.len() as u64;
        let mut frame = StreamingDecoder::new(&mut file).map_err(|e| damaged(&e))?.take(left + 1);
        let read = frame.read_to_end(&mut out).map_err(|e| damaged(&e))?;
        if read as u64 > left {
            return Err(DecodeError::TooLarge { max_bytes });
        }
    }
    Ok(out)
}
