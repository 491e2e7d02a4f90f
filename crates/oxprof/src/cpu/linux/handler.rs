//! The signal handler. Everything here runs inside it, or installs it.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use oxprof_unwind::{Outcome, Walk};

use super::super::Error;
use super::ring::Header;
use super::shared::{self, Guard};
use super::timer::{self, TimerSignal, Token};
use crate::code::arch;
use crate::code::memory::OwnMemory;
use crate::code::stay;
use crate::threads::clock;
use crate::{labels, stacks, trace};

/// The action that was there before ours, for signals that are not ours.
static PREVIOUS: AtomicPtr<libc::sigaction> = AtomicPtr::new(ptr::null_mut());

/// Whether a [knock](timer::knock) got here.
static IS_REACHED: AtomicBool = AtomicBool::new(false);

/// Installs the handler if it is not. To be called by one thread at a time: the collector.
///
/// Another handler in front of ours will do, if it passes on what is not its own, as that of an oxprof in another library does.
///
/// # Errors
/// When another handler has replaced ours: chaining to it might chain back.
pub(super) fn install() -> Result<(), Error> {
    let current = current_action()?;
    if current.sa_sigaction == on_signal as *const () as usize {
        return Ok(());
    }
    let first_time = PREVIOUS.load(Ordering::Acquire).is_null();
    let is_function = !matches!(current.sa_sigaction, libc::SIG_DFL | libc::SIG_IGN);
    if !first_time && is_function {
        return if is_reached() { Ok(()) } else { Err(Error::HandlerReplaced) };
    }
    stay::stay();
    if first_time {
        // Kept for ever, as the handler is. Known before the first signal can come.
        PREVIOUS.store(Box::into_raw(Box::new(current)), Ordering::Release);
    }
    set_action()
}

/// Whether our signals get here, by whatever handler is in front.
fn is_reached() -> bool {
    IS_REACHED.store(false, Ordering::SeqCst);
    timer::knock();
    IS_REACHED.load(Ordering::SeqCst)
}

fn current_action() -> Result<libc::sigaction, Error> {
    // SAFETY: all zero is a valid sigaction to write to, and nothing is changed.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        checked(libc::sigaction(libc::SIGPROF, ptr::null(), &raw mut action))?;
        Ok(action)
    }
}

fn set_action() -> Result<(), Error> {
    // SAFETY: all zero is a valid sigaction to fill; `on_signal` is a handler of the kind that SA_SIGINFO
    // asks for and is async-signal-safe (rule 1 of the parent module).
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_signal as *const () as usize;
        // On the alternate stack where there is one: stacks of coroutines have little room.
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
        libc::sigfillset(&raw mut action.sa_mask);
        checked(libc::sigaction(libc::SIGPROF, &raw const action, ptr::null_mut()))
    }
}

fn checked(result: libc::c_int) -> Result<(), Error> {
    if result == 0 {
        return Ok(());
    }
    Err(Error::System { what: "a SIGPROF handler", source: std::io::Error::last_os_error() })
}

/// Handles `SIGPROF`.
///
/// # Safety
/// Called by the kernel.
unsafe extern "C" fn on_signal(
    number: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: `info` is what the kernel passed.
    match unsafe { TimerSignal::from_info(info) } {
        Some((_, token)) if token.is_knock() => IS_REACHED.store(true, Ordering::SeqCst),
        Some((signal, token)) => {
            // SAFETY: with SA_SIGINFO the third argument is a ucontext, which lives until we return.
            let context = unsafe { &*context.cast::<libc::ucontext_t>() };
            if let Some(guard) = shared::enter() {
                take_sample(&guard, signal.periods(), token, context);
            }
        }
        // SAFETY: passed on as they came.
        None => unsafe { chain(number, info, context) },
    }
}

/// Walks the interrupted stack straight into a ring.
fn take_sample(guard: &Guard, periods: u32, token: Token, context: &libc::ucontext_t) {
    let session = guard.session();
    let Some(slot) = session.slots.get(usize::from(token.slot)) else { return };
    if slot.generation.load(Ordering::Acquire) != token.generation {
        return;
    }
    let registers = arch::registers(context);
    let period = slot.period.load(Ordering::Relaxed);
    let sample = Header {
        periods,
        period,
        slot: token.slot,
        labels: labels::sample().to_raw(),
        thread: slot.thread.load(Ordering::Relaxed),
        time: if trace::hooks::is_on() { clock::monotonic() } else { 0 },
        ..Header::default()
    };
    let stored = session.rings.put(usize::from(token.slot), |frames| {
        let mut memory = OwnMemory::default();
        let nothing = Walk { depth: 0, outcome: Outcome::NoModule, guessed: false, uses_fp: false };
        let walk = stacks::walk_into(&registers, &mut memory, frames).unwrap_or(nothing);
        let (depth, outcome) = (walk.depth as u16, walk.outcome as u8);
        Header { depth, outcome, guessed: walk.guessed, ..sample }
    });
    if !stored {
        let nanos = u64::from(periods) * u64::from(period);
        session.lost.fetch_add(nanos, Ordering::Relaxed);
    }
}

/// Calls the handler that was there before ours.
///
/// # Safety
/// The arguments are those the kernel passed.
unsafe fn chain(number: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let previous = PREVIOUS.load(Ordering::Acquire);
    // SAFETY: null or never freed.
    let Some(previous) = (unsafe { previous.as_ref() }) else { return };
    let handler = previous.sa_sigaction;
    if matches!(handler, libc::SIG_DFL | libc::SIG_IGN) {
        return;
    }
    // SAFETY: the kernel would have called this address; SA_SIGINFO tells of which type it is.
    unsafe {
        if previous.sa_flags & libc::SA_SIGINFO != 0 {
            type Handler =
                unsafe extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
            std::mem::transmute::<usize, Handler>(handler)(number, info, context);
        } else {
            type Handler = unsafe extern "C" fn(libc::c_int);
            std::mem::transmute::<usize, Handler>(handler)(number);
        }
    }
}
