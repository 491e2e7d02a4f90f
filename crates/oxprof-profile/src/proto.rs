//! `profile.proto`, read and written without generated code: straight between the file's bytes and the
//! columns of [`Profile`](crate::Profile).

mod decode;
mod encode;
mod ids;
mod stream;
pub(crate) mod wire;

pub(crate) use decode::decode;
pub use encode::encode;
pub(crate) use encode::encode_to;
pub(crate) use stream::{StreamFault, decode_stream};

/// Field numbers of `profile.proto`.
mod field {
    pub(super) mod profile {
        pub(crate) const SAMPLE_TYPE: u64 = 1;
        pub(crate) const SAMPLE: u64 = 2;
        pub(crate) const MAPPING: u64 = 3;
        pub(crate) const LOCATION: u64 = 4;
        pub(crate) const FUNCTION: u64 = 5;
        pub(crate) const STRING_TABLE: u64 = 6;
        pub(crate) const DROP_FRAMES: u64 = 7;
        pub(crate) const KEEP_FRAMES: u64 = 8;
        pub(crate) const TIME_NANOS: u64 = 9;
        pub(crate) const DURATION_NANOS: u64 = 10;
        pub(crate) const PERIOD_TYPE: u64 = 11;
        pub(crate) const PERIOD: u64 = 12;
        pub(crate) const COMMENT: u64 = 13;
        pub(crate) const DEFAULT_SAMPLE_TYPE: u64 = 14;
        pub(crate) const DOC_URL: u64 = 15;
    }
}
