//! The code in this process: where it is, how its frames are walked, what it is called.
//!
//! ```text
//! loader ──modules──▶ tables ──▶ walks, by whoever takes stacks
//! /proc/self/maps ──maps──▶ mappings ──names──▶ functions ──builder──▶ Profile
//! ```
//!
//! All profilers share this. What runs inside signal handlers and allocators is [`arch`] and [`memory`]:
//! they allocate nothing, take no lock and keep `errno`.

pub(crate) mod arch;
pub(crate) mod builder;
pub(crate) mod fork;
pub(crate) mod gate;
mod known;
pub(crate) mod maps;
pub(crate) mod memory;
pub(crate) mod modules;
pub(crate) mod names;
pub(crate) mod stay;
pub(crate) mod sync;
