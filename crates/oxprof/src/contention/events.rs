//! What hooks tell: waits that begin and end, and who ends them.
//!
//! All of it follows the rules of [`hooks`](crate::hooks).

use super::buckets::{Buckets, Charge, Entered};
use super::current::{self, Busy};
use super::rates::{self, ONE, Weight};
use super::sites;
use crate::code::arch::Registers;
use crate::hooks::on::{self, Purposes};
use crate::labels::LabelsId;
use crate::stacks::StackId;
use crate::threads::clock;
use crate::threads::wait::Kind;
use crate::{labels, stacks};

#[cfg(not(all(test, oxprof_loom)))]
pub(super) static BUCKETS: Buckets = Buckets::new();
#[cfg(all(test, oxprof_loom))]
pub(super) static BUCKETS: std::sync::LazyLock<Buckets> = std::sync::LazyLock::new(Buckets::new);

/// Purposes for which how long a wait lasts is of interest.
const DURATION: Purposes = Purposes::BLOCK.and(Purposes::OUTSIDE);

/// Whether a call has blocked, by what it returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HasBlocked {
    Yes,
    No,
    /// If it took longer than calls that fail at once do: there are timeouts that only say that nothing was there.
    IfLong,
}

/// A wait that has begun.
#[derive(Debug)]
pub(crate) struct Begun {
    since: u64,
    is_timed: bool,
    entered: Option<Entered>,
}

/// The calling thread is about to wait, since time `since`; `None` if that is of no interest.
pub(crate) fn begin(
    purposes: Purposes,
    address: u64,
    since: u64,
    registers: &Registers,
) -> Option<Begun> {
    if !purposes.has_any(DURATION.and(Purposes::MUTEX)) {
        return None;
    }
    let busy = current::enter()?;
    let is_shared = purposes.has_any(Purposes::MUTEX);
    let entered = is_shared.then(|| enter(address, since, registers, &busy)).flatten();
    Some(Begun { since, is_timed: purposes.has_any(DURATION), entered })
}

/// Waits are sampled, not the calls that end them: those of which no waiter was sampled then cost nothing.
fn enter(address: u64, since: u64, registers: &Registers, busy: &Busy) -> Option<Entered> {
    let fraction = rates::mutex();
    if fraction == 0 || (fraction > 1 && !busy.random().is_multiple_of(fraction)) {
        return None;
    }
    BUCKETS.enter(address, since, fraction, stacks::capture_innermost(registers))
}

/// The wait is over.
pub(crate) fn end(begun: Begun, kind: Kind, has_blocked: HasBlocked, registers: &Registers) {
    /// Nanoseconds.
    const LONG: u64 = 50_000;
    let Some(busy) = current::enter() else { return };
    if let Some(entered) = &begun.entered {
        BUCKETS.leave(entered);
    }
    if begun.is_timed && has_blocked != HasBlocked::No {
        let nanos = clock::monotonic().saturating_sub(begun.since);
        if has_blocked == HasBlocked::IfLong && nanos < LONG {
            return;
        }
        if let Some(weight) = rates::weigh(nanos, rates::block(), busy.random()) {
            sites::waited(stacks::capture_from(registers), labels::sample(), kind, weight);
        }
    }
}

/// An async task waited for so long in one place, until the calling thread woke it.
pub(crate) fn awaited(waiter: StackId, labels: LabelsId, nanos: u64) {
    let Some(busy) = current::enter() else { return };
    if let Some(weight) = rates::weigh(nanos, rates::block(), busy.random()) {
        sites::waited(waiter, labels, Kind::Await, weight);
    }
    let fraction = rates::mutex();
    if fraction > 0 && busy.random().is_multiple_of(fraction) {
        let weight = Weight { count: fraction * ONE, nanos: nanos.saturating_mul(fraction) };
        sites::charged(stacks::capture(), labels::sample(), (Kind::Await, waiter), weight);
    }
}

/// Whether waits are sampled, and so tasks are to tell of theirs.
#[inline]
pub(crate) fn is_sampled() -> bool {
    on::now().has_any(Purposes::BLOCK.and(Purposes::MUTEX))
}

/// The calling thread is about to wake others that wait for `address`.
pub(crate) fn charge(address: u64, registers: &Registers) {
    if !BUCKETS.may_be_awaited(address) {
        return;
    }
    let Some(_busy) = current::enter() else { return };
    if let Some(Charge { nanos, waits, waiter }) = BUCKETS.charge(address, clock::monotonic) {
        let weight = Weight { count: waits.saturating_mul(ONE), nanos };
        let waiter = (Kind::Futex, waiter);
        sites::charged(stacks::capture_from(registers), labels::sample(), waiter, weight);
    }
}
