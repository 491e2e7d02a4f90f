//! Compression around profiles.

use std::io::{self, Read, Write};

use crc32fast::Hasher as Crc;

use crate::Profile;
use crate::deflate::Deflater;
use crate::error::DecodeError;
use crate::inflate::{self, Inflater};
use crate::proto::encode_to;

/// How hard to compress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// With as little work as is sensible, by a compressor made for profiles.
    #[default]
    Fast,
    /// As gzip does when not told otherwise.
    #[cfg(feature = "zlib")]
    Balanced,
    /// As small as the format allows.
    #[cfg(feature = "zlib")]
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
        #[cfg(feature = "zlib")]
        Compression::Balanced => write_zlib(profile, flate2::Compression::default(), out),
        #[cfg(feature = "zlib")]
        Compression::Small => write_zlib(profile, flate2::Compression::best(), out),
    }
}

const UNKNOWN_OS: u8 = 255;

fn write_fast(profile: &Profile, out: &mut impl Write) -> io::Result<()> {
    out.write_all(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, UNKNOWN_OS])?;
    let mut deflater = Deflater::new();
    let (mut checksum, mut len) = (Crc::new(), 0_u32);
    encode_to(profile, |chunk| {
        checksum.update(chunk);
        len = len.wrapping_add(chunk.len() as u32);
        deflater.write(chunk, out)
    })?;
    deflater.finish(out)?;
    out.write_all(&checksum.finalize().to_le_bytes())?;
    out.write_all(&len.to_le_bytes())
}

#[cfg(feature = "zlib")]
fn write_zlib(
    profile: &Profile,
    level: flate2::Compression,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut gzip = flate2::GzBuilder::new().operating_system(UNKNOWN_OS).write(out, level);
    encode_to(profile, |chunk| gzip.write_all(chunk))?;
    gzip.finish().map(drop)
}

/// Whether `bytes` start as a gzip member does.
pub(crate) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// Reads all members of a gzip file (RFC 1952), up to `max_bytes` in total.
#[derive(Debug)]
pub(crate) struct GzipReader<R> {
    inflater: Inflater<R>,
    has_begun: bool,
    is_in_member: bool,
    /// Bytes that came out of all members before the one at hand, and of that one.
    before: u64,
    member: u64,
    checksum: Crc,
    max_bytes: u64,
}

impl<R: Read> GzipReader<R> {
    pub(crate) fn new(file: R, max_bytes: u64) -> Self {
        Self {
            inflater: Inflater::new(file),
            has_begun: false,
            is_in_member: false,
            before: 0,
            member: 0,
            checksum: Crc::new(),
            max_bytes,
        }
    }

    /// Decompresses into `window[at..]` until there is less than [`inflate::ROOM`] or the file ends; gives
    /// where it stopped. What went before must lie before `at`, [`inflate::WINDOW`] bytes of it.
    ///
    /// # Errors
    /// Those of the file; `FileTooLarge` beyond the limit, `UnexpectedEof` for a file that is cut short.
    pub(crate) fn fill(&mut self, window: &mut [u8], mut at: usize) -> io::Result<usize> {
        while window.len() - at >= inflate::ROOM && (self.is_in_member || self.next_member()?) {
            let start = at - self.member.min(at as u64) as usize;
            let end = self.inflater.fill(window, start, at)?;
            self.checksum.update(&window[at..end]);
            self.member += (end - at) as u64;
            if self.before + self.member > self.max_bytes {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            if self.inflater.is_done() {
                self.trailer()?;
            }
            at = end;
        }
        Ok(at)
    }

    /// Goes on to the next member; false if there is none. Archivers pad with zeros, which is no member.
    fn next_member(&mut self) -> io::Result<bool> {
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        if !is_first && self.inflater.skip_zeros()? {
            return Ok(false);
        }
        self.header()?;
        self.inflater.start();
        self.before += std::mem::take(&mut self.member);
        self.checksum = Crc::new();
        self.is_in_member = true;
        Ok(true)
    }

    fn header(&mut self) -> io::Result<()> {
        const DEFLATE: u8 = 8;
        let mut byte = || self.inflater.byte();
        let (magic, method, flags) = ([byte()?, byte()?], byte()?, byte()?);
        let [has_checksum, has_extra, has_name, has_comment] =
            [1, 2, 3, 4].map(|bit| flags & 1 << bit != 0);
        if !is_gzip(&magic) || method != DEFLATE || flags >= 1 << 5 {
            return Err(damaged("invalid gzip header"));
        }
        // Time, speed, and operating system.
        (0..6).try_for_each(|_| byte().map(drop))?;
        if has_extra {
            let len = u16::from_le_bytes([byte()?, byte()?]);
            (0..len).try_for_each(|_| byte().map(drop))?;
        }
        for _ in 0..usize::from(has_name) + usize::from(has_comment) {
            while byte()? != 0 {}
        }
        if has_checksum {
            (0..2).try_for_each(|_| byte().map(drop))?;
        }
        Ok(())
    }

    fn trailer(&mut self) -> io::Result<()> {
        let mut word = || {
            let mut byte = || self.inflater.byte();
            io::Result::Ok(u32::from_le_bytes([byte()?, byte()?, byte()?, byte()?]))
        };
        let (checksum, size) = (word()?, word()?);
        if checksum != self.checksum.clone().finalize() || size != self.member as u32 {
            return Err(damaged("the contents differ from their checksum"));
        }
        self.is_in_member = false;
        Ok(())
    }
}

fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Decompresses all members of a gzip file, up to `max_bytes` in total.
pub(crate) fn gunzip(file: &[u8], max_bytes: u64) -> Result<Vec<u8>, DecodeError> {
    let mut reader = GzipReader::new(file, max_bytes);
    let (mut out, mut end) = (vec![0; expected_size(file).min(max_bytes) as usize], 0);
    loop {
        let len = out.len().max(2 * end + inflate::ROOM);
        out.resize(len, 0);
        let now = reader.fill(&mut out, end).map_err(|e| gzip_error(&e, max_bytes))?;
        if now == end {
            break;
        }
        end = now;
    }
    out.truncate(end);
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
