//! What hooks do with sampled blocks.
//!
//! ```text
//! alloc ─charge─▶ decide ─▶ record: stack, site, live table, filter
//! free ──filter─▶ forget: live table, site, filter
//! ```
//!
//! Everything here is lock-free, so hooks may interrupt hooks: a signal handler that allocates is sampled like other code.
//!
//! Order matters: a block is in the live table and the filter before its owner learns the address, and out of
//! the table before the allocator may give the address to another.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::filter::Filter;
use super::live::{Block, Live};
use super::{countdown, sites};
use crate::{labels, stacks};

static FILTER: Filter = Filter::new();
/// Up to a million blocks, in at most 44 MiB; the first level has 128 KiB.
static LIVE: Live<4> = Live::new([1 << 9, 1 << 12, 1 << 15, 1 << 17]);
/// Whether a hook was ever called.
static INSTALLED: AtomicBool = AtomicBool::new(false);
/// Sampled blocks that are not followed, for lack of room.
static UNFOLLOWED: AtomicU64 = AtomicU64::new(0);

pub(super) use countdown::charge;

/// Whether the allocator of this program calls these hooks.
pub(super) fn is_installed() -> bool {
    INSTALLED.load(Ordering::Relaxed)
}

/// Sampled blocks that count as freed although they may not be.
pub(super) fn unfollowed() -> u64 {
    UNFOLLOWED.load(Ordering::Relaxed)
}

/// Sees to a new block of which [`charge`] asked to be told.
pub(super) fn consider(address: usize, size: usize) {
    if let Some(rate) = countdown::decide() {
        record(address, size, rate);
    }
    if !INSTALLED.load(Ordering::Relaxed) {
        sites::reserve();
        INSTALLED.store(true, Ordering::Relaxed);
    }
}

fn record(address: usize, size: usize, rate: u64) {
    let stack = stacks::capture();
    let Some(site) = sites::find(stack, labels::sample(), size, rate) else { return };
    let block = Block { site: site.to_raw(), size, rate };
    sites::allocated(site, block);
    restore(address, block);
}

/// Whether the block at `address` may have been sampled.
#[inline(always)]
pub(super) fn may_hold(address: usize) -> bool {
    FILTER.may_hold(address)
}

/// Sees to a block that is about to be freed and [may have been sampled](may_hold).
#[cold]
#[inline(never)]
pub(super) fn forget(address: usize) {
    if let Some(block) = take(address) {
        freed(address, block);
    }
}

/// Takes a block out of the table, to be [`freed`] or [`restore`]d.
pub(super) fn take(address: usize) -> Option<Block> {
    LIVE.remove(address)
}

/// Books that a block that was taken is freed.
pub(super) fn freed(address: usize, block: Block) {
    sites::freed(block);
    FILTER.remove(address);
}

/// Puts back a block that was taken but could not be freed.
pub(super) fn put_back(address: usize, block: Block) {
    FILTER.remove(address);
    restore(address, block);
}

/// Follows a block until it is freed. Without room for that it counts as freed at once.
fn restore(address: usize, block: Block) {
    if LIVE.insert(address, block) {
        FILTER.add(address);
    } else {
        UNFOLLOWED.fetch_add(1, Ordering::Relaxed);
        sites::freed(block);
    }
}
