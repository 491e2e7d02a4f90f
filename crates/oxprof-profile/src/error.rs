//! What can be wrong with the bytes of a profile.

use std::fmt;

use crate::proto::wire::WireError;

/// Why bytes are not a profile that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// There are no bytes, or none after decompression.
    Empty,
    /// The profile exceeds [`DecodeOptions::max_bytes`](crate::DecodeOptions::max_bytes).
    TooLarge {
        /// The limit in force.
        max_bytes: u64,
    },
    /// The compressed stream is damaged or cut short.
    Compression {
        /// `gzip` or `zstd`.
        format: &'static str,
        /// What the decompressor met.
        reason: String,
    },
    /// Two profiles lie back to back.
    Concatenated,
    /// The bytes break the rules of their format.
    Malformed {
        /// The format they were taken for.
        format: &'static str,
        /// Byte of the decompressed file at which that shows.
        offset: usize,
        /// The rule.
        reason: String,
    },
    /// The bytes are well-formed, but do not make a consistent profile.
    Invalid(String),
    /// No format that is known.
    Unrecognized {
        /// What the bytes look like instead, if that is plain.
        looks_like: Option<&'static str>,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("empty input file"),
            Self::TooLarge { max_bytes } => write!(
                f,
                "the profile exceeds {max_bytes} bytes when decompressed; raise the limit with -max_size"
            ),
            Self::Compression { format, reason } => {
                write!(f, "decompressing {format} profile: {reason}")
            }
            Self::Concatenated => f.write_str(
                "concatenated profiles detected: the file holds several profiles back to back; \
                 give them as separate sources to merge them",
            ),
            Self::Malformed { format, offset, reason } => {
                write!(f, "malformed {format} profile: {reason} (at byte {offset})")
            }
            Self::Invalid(reason) => write!(f, "malformed profile: {reason}"),
            Self::Unrecognized { looks_like: None } => f.write_str("unrecognized profile format"),
            Self::Unrecognized { looks_like: Some(what) } => {
                write!(f, "unrecognized profile format: the file looks like {what}")
            }
        }
    }
}

impl std::error::Error for DecodeError {}

impl From<WireError> for DecodeError {
    fn from(e: WireError) -> Self {
        Self::Malformed { format: "protobuf", offset: e.offset, reason: e.what.to_owned() }
    }
}
