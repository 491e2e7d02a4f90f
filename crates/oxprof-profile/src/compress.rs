//! Compression around profiles.

use std::io::{self, BufRead, Read, Write};

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
    let mut out = Vec::new();
    write_gzip(profile, compression, &mut out).expect("writing to memory does not fail");
    out
}

/// Writes what [`encode_gzip`] gives piece by piece, so that it never lies in memory as a whole.
///
/// # Errors
/// Those of `out`.
pub fn write_gzip(
    profile: &Profile,
    compression: Compression,
    out: &mut impl Write,
) -> io::Result<()> {
    match compression {
        Compression::Fast => write_fast(profile, out),
        Compression::Balanced => write_zlib(profile, flate2::Compression::default(), out),
        Compression::Small => write_zlib(profile, flate2::Compression::best(), out),
    }
}

const UNKNOWN_OS: u8 = 255;

fn write_fast(profile: &Profile, out: &mut impl Write) -> io::Result<()> {
    out.write_all(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, UNKNOWN_OS])?;
    let mut deflater = Deflater::new();
    let mut checksum = flate2::Crc::new();
    encode_to(profile, |chunk| {
        checksum.update(chunk);
        deflater.write(chunk, out)
    })?;
    deflater.finish(out)?;
    out.write_all(&checksum.sum().to_le_bytes())?;
    out.write_all(&checksum.amount().to_le_bytes())
}

fn write_zlib(
    profile: &Profile,
    level: flate2::Compression,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut gzip = GzBuilder::new().operating_system(UNKNOWN_OS).write(out, level);
    encode_to(profile, |chunk| gzip.write_all(chunk))?;
    gzip.finish().map(drop)
}

/// Whether `bytes` start as a gzip member does.
pub(crate) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// Reads all members of a gzip file, up to `max_bytes` in total.
#[derive(Debug)]
pub(crate) struct GzipReader<R> {
    /// `None` only while one member makes way for the next.
    member: Option<GzDecoder<R>>,
    left: u64,
}

impl<R: BufRead> GzipReader<R> {
    pub(crate) fn new(file: R, max_bytes: u64) -> Self {
        Self { member: Some(GzDecoder::new(file)), left: max_bytes }
    }

    /// Goes on to the next member; false if there is none. Archivers pad with zeros, which is no member.
    fn next_member(&mut self) -> io::Result<bool> {
        let mut file = self.member.take().expect("there is always a member").into_inner();
        loop {
            let ahead = file.fill_buf()?;
            let zeros = ahead.iter().take_while(|&&b| b == 0).count();
            let (len, is_end) = (ahead.len(), ahead.is_empty());
            file.consume(zeros);
            if zeros < len || is_end {
                self.member = Some(GzDecoder::new(file));
                return Ok(!is_end);
            }
        }
    }
}

impl<R: BufRead> Read for GzipReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.member.as_mut().expect("there is always a member").read(buffer)?;
            self.left = self.left.checked_sub(read as u64).ok_or(io::ErrorKind::FileTooLarge)?;
            if read > 0 || buffer.is_empty() || !self.next_member()? {
                return Ok(read);
            }
        }
    }
}

/// Decompresses all members of a gzip file, up to `max_bytes` in total.
pub(crate) fn gunzip(file: &[u8], max_bytes: u64) -> Result<Vec<u8>, DecodeError> {
    let mut out = Vec::with_capacity(expected_size(file).min(max_bytes) as usize);
    GzipReader::new(file, max_bytes)
        .read_to_end(&mut out)
        .map_err(|e| gzip_error(&e, max_bytes))?;
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

/// What a failure of [`GzipReader`] means.
pub(crate) fn gzip_error(e: &io::Error, max_bytes: u64) -> DecodeError {
    let reason = match e.kind() {
        io::ErrorKind::FileTooLarge => return DecodeError::TooLarge { max_bytes },
        io::ErrorKind::UnexpectedEof => {
            "unexpected end of file; the profile is cut short".to_owned()
        }
        _ => e.to_string(),
    };
    DecodeError::Compression { format: "gzip", reason }
}
