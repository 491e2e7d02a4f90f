//! Profiles: the model that everything else works on, and the formats it is read from and written to.
//!
//! ```text
//! bytes ──decode──▶ Profile ──merge, filter, scale──▶ Profile ──encode──▶ bytes
//! ```
//!
//! Nothing here does I/O or reads a clock: bytes come in, values and errors go out.
#![forbid(unsafe_code)]

mod ids;
mod model;
mod strings;

pub use ids::{FunctionIdx, LocationIdx, MappingIdx, StrId};
pub use model::{
    Function, Label, LabelValue, Line, Location, Mapping, Profile, Sample, Samples, ValueType,
};
pub use strings::Strings;
