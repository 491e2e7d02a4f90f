//! Many profiles instead of one: what to take, what to keep, and what they say together.
//!
//! ```text
//! kinds ─▶ (captures) ─▶ retention
//! profiles ─▶ weights ─▶ growth   is something leaking?
//!                     └▶ review   what is wrong, and what got worse?
//! ```
//!
//! | to | use |
//! |---|---|
//! | name a kind of profile and its route | [`Kind`] |
//! | decide which captures to delete | [`retention`] |
//! | measure latencies without losing the slow ones | [`latency`] |
//! | judge whether snapshots grow | [`growth`] |
//! | review profiles, alone or against a baseline | [`review`] |
//! | pack profiles to send them, and look into such a pack | [`archive`], [`redact`] |
//!
//! Nothing here opens a file or socket, reads a clock or draws a random number: whoever calls does, and
//! passes in what it found. [`stats`] holds the tests that judgements rest on.
#![forbid(unsafe_code)]

pub mod archive;
pub mod growth;
mod kind;
pub mod latency;
pub mod redact;
pub mod retention;
pub mod review;
pub mod stats;
pub mod weights;

pub use kind::{Kind, KindError};
