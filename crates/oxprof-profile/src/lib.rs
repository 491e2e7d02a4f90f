//! Profiles: the model that everything else works on, and the formats it is read from and written to.
//!
//! ```text
//! bytes ──decode──▶ Profile ──merge, filter, scale──▶ Profile ──encode──▶ bytes
//! ```
//!
//! Nothing here does I/O or reads a clock: bytes come in, values and errors go out.
#![forbid(unsafe_code)]

mod compress;
mod decode;
mod error;
mod ids;
mod model;
mod proto;
mod strings;
pub mod units;

pub use compress::{Compression, encode_gzip};
pub use decode::{DecodeOptions, decode, decode_with};
pub use error::DecodeError;
pub use ids::{FunctionIdx, LocationIdx, MappingIdx, StrId};
pub use model::{
    Function, Label, LabelValue, Line, Location, Mapping, Profile, Sample, Samples, ValueType,
};
pub use proto::encode;
pub use strings::Strings;
