//! Compression around profiles.

use std::convert::Infallible;
use std::io::{self, Read, Write};

use flate2::GzBuilder;
use flate2::bufread::GzDecoder;
use ruzstd::decoding::StreamingDecoder;

use crate::Profile;
use crate::deflate::Deflater;
use crate::error::DecodeError;
use crate::proto::encode_to;

/// How hard to compress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// With as little work as is sensible, by a compressor made for profiles.
    #[default]
    Fast,
    /// As gzip does when not told otherwise.
    Balanced,
    /// As small as the format allows.
    Small,
}

/// The profile as `profile.proto` in a gzip member, the form in which profiles are usually stored.
pub fn encode_gzip(profile: &Profile, compression: Compression) -> Vec<u8> {
    match compression {
        Compression::Fast => encode_fast(profile),
        Compression::Balanced => encode_zlib(profile, flate2::Compression::default()),
        Compression::Small => encode_zlib(profile, flate2::Compression::best()),
    }
}

const UNKNOWN_OS: u8 = 255;

fn encode_fast(profile: &Profile) -> Vec<u8> {
    const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, UNKNOWN_OS];
    let mut deflater = Deflater::new(HEADER.to_vec());
    let mut checksum = flate2::Crc::new();
    let Ok(()) = encode_to(profile, |chunk| {
        checksum.update(chunk);
        deflater.write(chunk);
        Ok::<_, Infallible>(())
    });
    let mut out = deflater.finish();
    out.extend(checksum.sum().to_le_bytes());
    out.extend(checksum.amount().to_le_bytes());
    out
}

fn encode_zlib(profile: &Profile, level: flate2::Compression) -> Vec<u8> {
    let mut gzip = GzBuilder::new().operating_system(UNKNOWN_OS).write(Vec::new(), level);
    encode_to(profile, |chunk| gzip.write_all(chunk))
        .and_then(|()| gzip.finish())
        .expect("writing to memory does not fail")
}

/// Whether `bytes` start as a gzip member does.
pub(crate) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// Decompresses all members of a gzip file, up to `max_bytes` in total.
pub(crate) fn gunzip(mut file: &[u8], max_bytes: u64) -> Result<Vec<u8>, DecodeError> {
    let mut out = Vec::with_capacity(expected_size(file).min(max_bytes) as usize);
    while !file.is_empty() {
        let left = max_bytes - out.len() as u64;
        let mut member = GzDecoder::new(file).take(left + 1);
        let read = member.read_to_end(&mut out).map_err(|e| damaged(&e))?;
        if read as u64 > left {
            return Err(DecodeError::TooLarge { max_bytes });
        }
        file = without_padding(member.into_inner().into_inner());
    }
    Ok(out)
}

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

/// What the trailer says about the size of the last member, if that is possible at all.
fn expected_size(file: &[u8]) -> u64 {
    const BEST_RATIO: u64 = 1032;
    let trailer = file.last_chunk::<4>().map_or(0, |size| u32::from_le_bytes(*size));
    u64::from(trailer).min(file.len() as u64 * BEST_RATIO)
}

/// Archivers pad with zeros, which is no member.
fn without_padding(rest: &[u8]) -> &[u8] {
    if rest.iter().all(|&b| b == 0) { &[] } else { rest }
}

fn damaged(e: &io::Error) -> DecodeError {
    let reason = match e.kind() {
        io::ErrorKind::UnexpectedEof => {
            "unexpected end of file; the profile is cut short".to_owned()
        }
        _ => e.to_string(),
    };
    DecodeError::Compression { format: "gzip", reason }
}
