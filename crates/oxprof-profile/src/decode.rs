//! From bytes of any known format to a profile.

use std::borrow::Cow;
use std::io::{self, Read, Seek, SeekFrom};

use crate::compress::{GzipReader, gunzip, gzip_error, is_gzip};
use crate::error::DecodeError;
use crate::folded::{decode_folded, looks_folded};
use crate::proto::{StreamFault, decode_stream};
use crate::{Profile, proto};
#[cfg(feature = "import")]
use crate::{cpuprofile, legacy, perf, zstd};

/// Limits of decoding.
#[derive(Clone, Copy, Debug)]
pub struct DecodeOptions {
    /// The largest size of a profile after decompression, in bytes. Capped at 4 GiB − 1, which is also the
    /// default. Decoding takes memory of at most 40 times the decompressed size, and usually of less than
    /// twice.
    pub max_bytes: u64,
    /// Whether gzip files may be decompressed in a thread of their own while what comes out is decoded. That is
    /// sooner done where processors are idle. Files that have less than 256 KiB when decompressed are not worth it.
    pub two_threads: bool,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self { max_bytes: MAX_BYTES, two_threads: false }
    }
}

/// Positions in a file are 32 bits wide.
const MAX_BYTES: u64 = u32::MAX as u64;

/// Reads a profile of any known format, compressed or not, with default limits.
///
/// # Errors
/// When the bytes are no profile, or none that is consistent; see [`DecodeError`].
pub fn decode(bytes: &[u8]) -> Result<Profile, DecodeError> {
    decode_with(bytes, &DecodeOptions::default())
}

/// Reads a profile of any known format, compressed or not.
///
/// # Errors
/// As [`decode`], and when the decompressed profile exceeds the limit.
pub fn decode_with(bytes: &[u8], options: &DecodeOptions) -> Result<Profile, DecodeError> {
    let max_bytes = options.max_bytes.min(MAX_BYTES);
    if is_gzip(bytes)
        && let Some(result) = decode_gzip_stream(Profile::default(), bytes, options)
    {
        return result;
    }
    let plain = decompress(bytes, max_bytes)?;
    if plain.is_empty() {
        return Err(DecodeError::Empty);
    }
    decode_plain(&plain)
}

/// Reads a profile of any known format from a file, compressed or not.
///
/// In the usual case, a gzip file of `profile.proto`, neither the file nor what it expands to is ever in
/// memory as a whole. Other files are read to their end first.
///
/// # Errors
/// Those of `file`; as [`decode_with`], with a [`DecodeError`] inside, otherwise.
pub fn decode_file(file: impl Read + Seek + Send, options: &DecodeOptions) -> io::Result<Profile> {
    decode_file_into(Profile::default(), file, options)
}

/// As [`decode_file`], in the memory of a profile that is not needed any more: when many files are read, the
/// system then does not have to clear and map memory for each. What that profile had is not given back before
/// the new one goes.
///
/// # Errors
/// As [`decode_file`].
pub fn decode_file_into(
    spent: Profile,
    mut file: impl Read + Seek + Send,
    options: &DecodeOptions,
) -> io::Result<Profile> {
    let start = file.stream_position()?;
    let mut magic = Vec::new();
    file.by_ref().take(2).read_to_end(&mut magic)?;
    file.seek(SeekFrom::Start(start))?;
    if is_gzip(&magic)
        && let Some(result) = decode_gzip_stream(spent, &mut file, options)
    {
        return result.map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e));
    }
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    // No more than shows that it is too large, which compression does not make files.
    file.take(options.max_bytes.min(MAX_BYTES) + 1).read_to_end(&mut bytes)?;
    decode_with(&bytes, options).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}

/// Reads a gzip file of `profile.proto` while it is decompressed; `None` if it is nothing of the kind,
/// or nothing that can be read so.
fn decode_gzip_stream(
    spent: Profile,
    file: impl Read + Send,
    options: &DecodeOptions,
) -> Option<Result<Profile, DecodeError>> {
    let max_bytes = options.max_bytes.min(MAX_BYTES);
    match decode_stream(spent, GzipReader::new(file, max_bytes), options.two_threads) {
        Ok(profile) => Some(Ok(profile)),
        Err(StreamFault::Io(e)) => Some(Err(gzip_error(&e, max_bytes))),
        Err(StreamFault::Error(DecodeError::Concatenated)) => Some(Err(DecodeError::Concatenated)),
        Err(StreamFault::OutOfOrder | StreamFault::Error(_)) => None,
    }
}

fn decode_plain(plain: &[u8]) -> Result<Profile, DecodeError> {
    #[cfg(feature = "import")]
    if let Some(result) = import(plain) {
        return result;
    }
    match proto::decode(plain) {
        Err(error) if error != DecodeError::Concatenated => {
            decode_text(plain).unwrap_or(Err(error))
        }
        result => result,
    }
}

/// Formats of other tools that begin in a way of their own.
#[cfg(feature = "import")]
fn import(plain: &[u8]) -> Option<Result<Profile, DecodeError>> {
    if perf::data::looks_like(plain) {
        return Some(perf::data::decode(plain));
    }
    legacy::decode(plain)
}

/// Text of other tools.
#[cfg(feature = "import")]
fn import_text(plain: &[u8]) -> Option<Result<Profile, DecodeError>> {
    if perf::script::looks_like(plain) {
        return Some(perf::script::decode(plain));
    }
    cpuprofile::looks_like(plain).then(|| cpuprofile::decode(plain))
}

/// Formats that are told apart by looking at their text as a whole; `None` for binary data.
fn decode_text(plain: &[u8]) -> Option<Result<Profile, DecodeError>> {
    #[cfg(feature = "import")]
    if let Some(result) = import_text(plain) {
        return Some(result);
    }
    if looks_folded(plain) {
        return Some(decode_folded(plain));
    }
    let start = plain.trim_ascii_start();
    let looks_like = match start.first()? {
        b'<' => Some("an HTML or XML page; was it an error message of the server?"),
        b'{' | b'[' => Some("JSON; was it an error message of the server?"),
        _ if start.iter().take(64).all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace()) => {
            Some("text")
        }
        _ => return None,
    };
    Some(Err(DecodeError::Unrecognized { looks_like }))
}

/// Undoes compression, twice if need be: a server may compress a file that is compressed already.
fn decompress(bytes: &[u8], max_bytes: u64) -> Result<Cow<'_, [u8]>, DecodeError> {
    let once = decompress_once(bytes, max_bytes)?;
    match decompress_once(&once, max_bytes)? {
        Cow::Borrowed(_) => Ok(once),
        Cow::Owned(twice) => Ok(Cow::Owned(twice)),
    }
}

fn decompress_once(bytes: &[u8], max_bytes: u64) -> Result<Cow<'_, [u8]>, DecodeError> {
    #[cfg(feature = "import")]
    if zstd::is_zstd(bytes) {
        return zstd::unzstd(bytes, max_bytes).map(Cow::Owned);
    }
    if is_gzip(bytes) {
        gunzip(bytes, max_bytes).map(Cow::Owned)
    } else if bytes.len() as u64 > max_bytes {
        Err(DecodeError::TooLarge { max_bytes })
    } else {
        Ok(Cow::Borrowed(bytes))
    }
}
