//! What is done around a call in which the calling thread may block.

use oxprof_trace::record::Waiting as Reason;

use super::on::{self, Purposes};
use crate::code::arch::Registers;
use crate::contention::{self, Begun, HasBlocked};
use crate::threads::clock::{self, NANOS};
use crate::threads::current;
use crate::threads::slots::Slot;
use crate::threads::wait::{Entered, Kind, Waiting};
use crate::{labels, stacks, trace};

/// Purposes of hooks of functions in which threads wait for each other.
pub(super) const SYNC: Purposes = Purposes::BLOCK.and(Purposes::PUBLISH).and(Purposes::TRACE);
/// Of those in which they wait for the world outside, and which signals break.
pub(super) const OUTSIDE: Purposes = Purposes::OUTSIDE.and(Purposes::PUBLISH).and(Purposes::TRACE);
/// Of those that go on after a signal, so that dumps need no word of theirs. They read files and pipes more often than
/// sockets, so traces show a system call.
pub(super) const QUIET: Purposes = Purposes::OUTSIDE.and(Purposes::TRACE);

/// A call that may block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) kind: Kind,
    /// What is waited for, in the words of the kind.
    pub(super) address: u64,
    /// Nanoseconds; `None` if without limit.
    pub(super) timeout: Option<u64>,
}

/// Makes `call`, for those of the purposes that are on. `registers` are those of the hook, whose frame is there all the
/// while. `has_blocked` says by the result whether it may have blocked at all.
#[inline(always)]
pub(super) fn during<R>(
    purposes: Purposes,
    what: &Call,
    registers: &Registers,
    call: impl FnOnce() -> R,
    has_blocked: impl FnOnce(&R) -> HasBlocked,
) -> R {
    let wanted = purposes.within(on::now());
    if wanted.is_empty() {
        return call();
    }
    let mut blocked = Blocked::begin(wanted, what, reason(purposes, what.kind), registers);
    let result = call();
    blocked.has_blocked = has_blocked(&result);
    result
}

/// Notes a call for traces that has waited since a time. Keeps `errno`.
#[cold]
pub(super) fn was(purposes: Purposes, what: &Call, since: u64, registers: &Registers) {
    let stack = stacks::capture_from(registers);
    trace::hooks::wait_begin(since, reason(purposes, what.kind), what.address, stack);
    trace::hooks::wait_end();
}

/// A call that is being made. Ends when dropped, also when the thread is cancelled in it.
struct Blocked<'a> {
    kind: Kind,
    registers: &'a Registers,
    published: Option<(&'static Slot, Entered)>,
    begun: Option<Begun>,
    is_traced: bool,
    has_blocked: HasBlocked,
}

impl<'a> Blocked<'a> {
    fn begin(purposes: Purposes, what: &Call, reason: Reason, registers: &'a Registers) -> Self {
        let Call { kind, address, timeout } = *what;
        let since = clock::monotonic();
        let is_traced = purposes.has_any(Purposes::TRACE);
        if is_traced {
            trace::hooks::wait_begin(since, reason, address, stacks::capture_from(registers));
        }
        let begun = contention::begin(purposes, address, since, registers);
        let published = purposes.has_any(Purposes::PUBLISH).then(|| {
            let slot = current::slot()?;
            let labels = labels::sample();
            let registers = *registers;
            let waiting = Waiting { kind, address, timeout, since, labels, registers };
            Some((slot, slot.wait.enter(&waiting)?))
        });
        let published = published.flatten();
        Self { kind, registers, published, begun, is_traced, has_blocked: HasBlocked::No }
    }
}

impl Drop for Blocked<'_> {
    fn drop(&mut self) {
        if let Some((slot, entered)) = self.published.take() {
            slot.wait.leave(entered);
        }
        if let Some(begun) = self.begun.take() {
            contention::end(begun, self.kind, self.has_blocked, self.registers);
        }
        if self.is_traced {
            trace::hooks::wait_end();
        }
    }
}

/// What traces call it, of a hook for these purposes. What a futex is for is found out later, by the stack.
fn reason(purposes: Purposes, kind: Kind) -> Reason {
    if !purposes.has_any(Purposes::PUBLISH) {
        return Reason::Syscall;
    }
    match kind {
        Kind::Futex => Reason::Park,
        Kind::Mutex => Reason::Lock,
        Kind::Condition => Reason::Condition,
        Kind::Join => Reason::Join,
        Kind::Sleep => Reason::Sleep,
        Kind::Poll | Kind::Read | Kind::Write | Kind::Accept | Kind::Connect => Reason::Network,
        Kind::Other | Kind::Await => Reason::Other,
    }
}

/// A time in nanoseconds.
pub(super) fn nanos(time: libc::timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(NANOS).saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0))
}

/// Nanoseconds until a time on a clock.
pub(super) fn deadline(time: libc::timespec, clock: libc::clockid_t) -> u64 {
    nanos(time).saturating_sub(clock::read(clock).unwrap_or(0))
}
