//! Profiles: the model that everything else works on, and the formats it is read from and written to.
//!
//! ```text
//! bytes ──decode──▶ Profile ──merge, filter, scale──▶ Profile ──encode──▶ bytes
//! ```
//!
//! | to | use |
//! |---|---|
//! | read any format | [`decode`], [`decode_with`], [`decode_file`] |
//! | write | [`encode`], [`encode_gzip`], [`write_gzip`], [`encode_folded`], [`write_folded`] |
//! | make from samples | [`Builder`] |
//! | join several profiles | [`harmonize`](harmonize()), then [`merge`](merge()); a [`Sum`], or a [`Merger`] for profiles that measure the same, for one after another |
//! | subtract a base | [`Profile::normalize`] if asked for, [`Profile::set_label`] for a diff base, [`Profile::scale`] by −1, [`merge`](merge()) |
//! | subtract snapshots | [`delta`](delta()) |
//! | choose stacks and frames | [`Profile::filter_by_name`], [`Profile::show_from`], [`Profile::drop_frames`], [`Profile::prune_from`] |
//! | choose by label | [`TagFilter`], [`Profile::filter_by_tag`], [`Profile::filter_tags`] |
//! | see labels as frames | [`Profile::add_label_frames`] |
//! | forget detail | [`Profile::aggregate`], [`compact`] |
//! | scale and print units | [`units`] |
//!
//! Read are: `profile.proto`; gperftools CPU, heap, growth, contention and thread profiles, those of old
//! Go programs and of Java agents; Linux `perf.data` and the text of `perf script`; `.cpuprofile` of
//! Chrome and Node.js; folded stacks. Each may be compressed with gzip or zstd. The format is told from
//! the content. Without the feature `import`, it is `profile.proto` and folded stacks, plain or gzip, and without
//! `zlib` there is one way to compress.
//!
//! Nothing here does I/O or reads a clock: bytes come in, values and errors go out.
#![forbid(unsafe_code)]

mod aggregate;
mod builder;
mod compress;
#[cfg(feature = "import")]
mod cpuprofile;
mod decode;
mod deflate;
mod delta;
mod error;
mod filter;
mod folded;
mod harmonize;
mod ids;
mod inflate;
#[cfg(feature = "import")]
mod json;
mod label_frames;
#[cfg(feature = "import")]
mod legacy;
mod memo;
mod merge;
mod model;
#[cfg(feature = "import")]
mod perf;
mod proto;
mod prune;
mod samples;
mod scale;
mod strings;
mod sum;
mod tags;
pub mod units;
#[cfg(feature = "import")]
mod zstd;

pub use aggregate::Granularity;
pub use builder::{Builder, Symbol};
pub use compress::{Compression, encode_gzip, write_gzip};
pub use decode::{DecodeOptions, decode, decode_file, decode_file_into, decode_with};
pub use delta::delta;
pub use error::DecodeError;
pub use filter::{NameFilter, NameMatches};
pub use folded::{decode_folded, encode_folded, folded_name, write_folded};
pub use harmonize::harmonize;
pub use ids::{FunctionIdx, LocationIdx, MappingIdx, StrId};
pub use label_frames::LabelFrames;
pub use memo::Matcher;
pub use merge::{MergeError, Merger, check_compatible, compact, merge, merge_refs};
pub use model::{Function, Label, LabelValue, Line, Location, Mapping, Profile, ValueType};
pub use proto::encode;
pub use prune::simple_name;
pub use samples::{Row, Sample, Samples};
pub use strings::Strings;
pub use sum::Sum;
pub use tags::{KeyMatches, LabelUnits, OwnedMatcher, TagFilter, TagMatches};
