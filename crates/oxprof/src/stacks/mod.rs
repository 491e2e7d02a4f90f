//! Stacks of the thread that asks, each kept once: what the profilers that run inside hooks share.
//!
//! ```text
//! registers ─capture─▶ walk by the published map ─▶ table ─▶ StackId      in the hook: no waiting, no allocation
//!                  └─▶ early: a copy of the stack, while there is no map
//! StackId ─stacks::get─▶ frames ─code::builder─▶ names                    when a profile is asked for
//! ```
//!
//! # Rules of hooks
//! 1. What runs in a hook ([`capture`], [`early`], [`memo`], [`table`], [`words`], [`map::read`]) does not allocate, wait
//!    for anybody, or call libc; memory comes from the kernel, in pieces, up to a fixed most.
//! 2. Nothing in a table is ever moved, changed or freed, except for the counters in it. So whoever holds a
//!    reference may use it for ever, in a child of `fork` too: a fork may at worst strand memory.
//! 3. What cannot be kept is counted, and shown as such in profiles.

mod capture;
mod early;
mod map;
mod memo;
pub(crate) mod table;
pub(crate) mod words;

pub(crate) use capture::{
    MAX_DEPTH, Stack, StackId, capture, capture_below, capture_from, capture_innermost, current,
    get, keep, walk_into,
};
pub(crate) use map::{current_maps, maps, prepare, refresh};
