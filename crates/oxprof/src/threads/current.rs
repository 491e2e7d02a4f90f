//! Which slot the calling thread has: a word that is there from the thread's start.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;
use std::sync::OnceLock;

use super::created::Creator;
use super::slots::{self, Birth, Slot};
use super::{name, tasks};
use crate::code::arch;

/// What a thread knows of its slot.
#[derive(Clone, Copy)]
enum Current {
    /// Nothing yet.
    Unknown,
    Has(&'static Slot),
    /// There is none: too many threads, or this one is ending.
    None,
}

/// In the word in place of a slot's address: there is none.
const NONE: *const Slot = ptr::without_provenance(1);

impl Current {
    #[inline]
    fn get() -> Self {
        match word().get() {
            slot if slot.is_null() => Self::Unknown,
            slot if ptr::eq(slot, NONE) => Self::None,
            // SAFETY: neither of the two, so it came from a reference.
            slot => Self::Has(unsafe { &*slot }),
        }
    }

    fn set(self) {
        word().set(match self {
            Self::Unknown => ptr::null(),
            Self::Has(slot) => slot,
            Self::None => NONE,
        });
    }
}

#[inline]
fn word<'a>() -> &'a Cell<*const Slot> {
    // SAFETY: an aligned word of the calling thread, zero at first, which only this function refers to.
    unsafe { &*arch::slot_word().cast() }
}

/// The slot of the calling thread, which gets one if it has none. For hooks.
#[inline]
pub(crate) fn slot() -> Option<&'static Slot> {
    match Current::get() {
        Current::Has(slot) => Some(slot),
        Current::None => None,
        Current::Unknown => find(),
    }
}

/// A slot for a thread that nobody told about.
#[cold]
fn find() -> Option<&'static Slot> {
    let tid = tasks::current();
    let stack = if tid == tasks::process() { main_stack() } else { (0, 0) };
    claim(&Birth { tid, creator: None, stack })
}

fn claim(birth: &Birth) -> Option<&'static Slot> {
    let slot = slots::claim(birth);
    slot.iter().for_each(|slot| name::tell(slot));
    slot.map_or(Current::None, Current::Has).set();
    slot
}

/// Gives the calling thread, which begins just now, a slot that it gives back when it ends. `stack_size` is the size of
/// its stack, 0 if unknown.
pub(super) fn begin(creator: Option<Creator>, stack_size: u64) {
    if let Some(creator) = creator {
        creator.note_begin();
    }
    claim(&Birth { tid: tasks::current(), creator, stack: thread_stack(stack_size) });
    if let Some(key) = end_key() {
        // SAFETY: the key exists. The value only has to differ from null for the destructor to be called.
        unsafe { libc::pthread_setspecific(key, ptr::dangling::<c_void>()) };
    }
}

static END_KEY: OnceLock<Option<libc::pthread_key_t>> = OnceLock::new();

/// The key whose destructor runs when a thread ends, whether it returns, exits or is cancelled, and after the
/// destructors of Rust's thread-local variables; `None` if the C library has no more keys. Slots are then taken back
/// by whoever looks at all threads.
fn end_key() -> Option<libc::pthread_key_t> {
    *END_KEY.get_or_init(|| {
        let mut key = 0;
        // SAFETY: a valid place for the key, and a function of the expected type.
        let result = unsafe { libc::pthread_key_create(&raw mut key, Some(end)) };
        (result == 0).then_some(key)
    })
}

/// Lets threads that still run end without a word, when the binary that this is part of is about to be unloaded.
pub(super) extern "C" fn forget_end_key() {
    if let Some(Some(key)) = END_KEY.get() {
        // SAFETY: the key exists.
        unsafe { libc::pthread_key_delete(*key) };
    }
}

/// Takes the slot from the calling thread, which ends.
unsafe extern "C" fn end(_: *mut c_void) {
    crate::cpu::thread_ends();
    crate::trace::hooks::thread_end();
    let current = Current::get();
    Current::None.set();
    if let Current::Has(slot) = current {
        if let Some(creator) = slot.identity().and_then(|identity| identity.creator) {
            creator.note_end();
        }
        slots::release(slot);
    }
}

/// The bounds of the calling thread's stack, given its size: the C library keeps what it knows of a thread at the upper
/// end. Nothing if that is not so here.
fn thread_stack(size: u64) -> (u64, u64) {
    /// More than thread-local variables and the first frames take in all but the oddest programs.
    const MOST_BELOW: u64 = 64 << 10;
    /// More than what the C library keeps there.
    const MOST_DATA: u64 = 16 << 10;
    let (sp, high) = (arch::current_registers().sp(), arch::thread_pointer());
    let is_above = high > sp && high - sp < MOST_BELOW.min(size) && size > MOST_DATA;
    // The stack begins its size below the end of the data. What is lower than that may be another stack.
    if is_above { (high - size + MOST_DATA, high) } else { (0, 0) }
}

/// The bounds of the main thread's stack. The kernel puts the program's name at its upper end, and nothing else for a
/// good way below.
fn main_stack() -> (u64, u64) {
    const USUAL_SIZE: u64 = 8 << 20;
    // SAFETY: has no preconditions.
    let high = unsafe { libc::getauxval(libc::AT_EXECFN) } & !7;
    (high.saturating_sub(USUAL_SIZE), high)
}

/// Keeps the calling thread's slot, under its new id, in the child of a fork. Returns it.
pub(super) fn keep_after_fork() -> Option<&'static Slot> {
    let Current::Has(slot) = Current::get() else { return None };
    slot.set_tid(tasks::current());
    slot.wait.reset_after_fork();
    Some(slot)
}
