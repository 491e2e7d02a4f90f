//! From bytes of any known format to a profile.

use std::borrow::Cow;

use crate::compress::{gunzip, is_gzip};
use crate::error::DecodeError;
use crate::folded::{decode_folded, looks_folded};
use crate::{Profile, legacy, proto};

/// Limits of decoding.
#[derive(Clone, Copy, Debug)]
pub struct DecodeOptions {
    /// The largest size of a profile after decompression, in bytes. Capped at 4 GiB − 1, which is also the
    /// default. Decoding takes memory of at most 20 times the decompressed size.
    pub max_bytes: u64,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self { max_bytes: MAX_BYTES }
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
    let plain = decompress(bytes, options)?;
    if plain.is_empty() {
        return Err(DecodeError::Empty);
    }
    decode_plain(&plain)
}

fn decode_plain(plain: &[u8]) -> Result<Profile, DecodeError> {
    if let Some(result) = legacy::decode(plain) {
        return result;
    }
    match proto::decode(plain) {
        Err(error) if error != DecodeError::Concatenated => {
            decode_text(plain).unwrap_or(Err(error))
        }
        result => result,
    }
}

/// Formats that are told apart by looking at their text as a whole; `None` for binary data.
fn decode_text(plain: &[u8]) -> Option<Result<Profile, DecodeError>> {
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

fn decompress<'a>(bytes: &'a [u8], options: &DecodeOptions) -> Result<Cow<'a, [u8]>, DecodeError> {
    let max_bytes = options.max_bytes.min(MAX_BYTES);
    if is_gzip(bytes) {
        return gunzip(bytes, max_bytes).map(Cow::Owned);
    }
    if bytes.len() as u64 > max_bytes {
        return Err(DecodeError::TooLarge { max_bytes });
    }
    Ok(Cow::Borrowed(bytes))
}
