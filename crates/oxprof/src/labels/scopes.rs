//! The labels in force in a thread: a stack of sets, which signal handlers and hooks of that thread read.
//!
//! ```text
//! word in TLS ─▶ Thread ─▶ Entry │ Entry │ …       innermost last
//! ```
//! The word is in the part of thread-local storage that is there from a thread's start ([`arch::labels_word`]), so
//! that handlers may read it in a shared library, too.
//!
//! # Protocol
//! 1. Only a thread itself changes its stack, and not from within a signal handler. Handlers and hooks may read it at any
//!    point: between any two steps that are separated by a fence they find a whole stack.
//! 2. An entry is written before the length that includes it; the length that excludes it is written before what it
//!    holds is dropped. A larger array is filled before it is published, and the old one freed after.
//! 3. An entry without a serial number is dead: readers skip it. It is removed once it is the last. So guards may be
//!    dropped in any order.
//! 4. The entry behind the last may still hold the labels of a scope that has ended, in case the same set is entered
//!    again: counting who shares it takes longer than all else. Nobody reads it but who enters the next.
//! 5. Other threads may read the stack of a thread that is kept from running.

use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, compiler_fence};

use super::set::Labels;
use super::table::{Draft, LabelsId};
use crate::code::arch;

/// Labels are in force until this is dropped.
#[derive(Debug)]
#[must_use = "dropping it ends the scope"]
pub struct Scope(Place);

/// Puts labels in force that somebody else keeps. Not for users: it must not be leaked.
pub(super) struct Lent<'a> {
    place: Place,
    _labels: PhantomData<&'a Labels>,
}

/// Where in this thread's stack an entry is.
#[derive(Debug)]
struct Place {
    index: usize,
    /// 0 if there is none.
    serial: u64,
    /// Of this thread, so not to be sent to another.
    _thread: PhantomData<*const ()>,
}

/// The stack of a thread.
struct Thread {
    entries: AtomicPtr<MaybeUninit<Entry>>,
    len: AtomicUsize,
    /// Entries that hold labels: as many as are in force, or one more (rule 4).
    written: Cell<usize>,
    capacity: Cell<usize>,
    serials: Cell<u64>,
    /// The number of the labels in force while the last entry has this serial number.
    cached: AtomicU32,
    cached_for: AtomicU64,
}

struct Entry {
    serial: AtomicU64,
    /// Whether to drop `labels`.
    is_owned: bool,
    labels: ManuallyDrop<Labels>,
}

/// Puts labels in force.
pub(super) fn enter(labels: Labels) -> Scope {
    Scope(push(ManuallyDrop::new(labels), true))
}

/// Puts labels in force that are kept elsewhere, too.
#[inline(never)]
pub(super) fn enter_shared(labels: &Labels) -> Scope {
    match thread().and_then(|thread| thread.push_again(labels)) {
        Some((index, serial)) => Scope(Place { index, serial, _thread: PhantomData }),
        None => enter(labels.clone()),
    }
}

impl<'a> Lent<'a> {
    pub(super) fn new(labels: &'a Labels) -> Self {
        // SAFETY: a copy that is not dropped; it is used until `place` is removed, which is before the lifetime ends since
        // this type stays in this module's caller, `Labels::run`, which drops it.
        let labels = unsafe { ptr::from_ref(labels).cast::<ManuallyDrop<Labels>>().read() };
        Self { place: push(labels, false), _labels: PhantomData }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        remove(&self.place);
    }
}

/// The labels in force in this thread.
pub(super) fn current() -> Labels {
    let Some(thread) = thread() else { return Labels::EMPTY };
    match thread.live().collect::<Vec<_>>().as_slice() {
        [] => Labels::EMPTY,
        [one] => Labels::clone(one),
        all => Labels::new(all.iter().rev().flat_map(|labels| labels.iter())),
    }
}

/// Whether there are any in this thread.
pub(super) fn are_in_force() -> bool {
    thread().is_some_and(|thread| thread.live().next().is_some())
}

/// The number of the labels in force in this thread. For hooks and signal handlers.
pub(crate) fn sample() -> LabelsId {
    thread().map_or(LabelsId::NONE, Thread::sample)
}

// Not inlined into other crates, which could not see the symbol behind `arch::labels_word`.
#[inline(never)]
fn push(labels: ManuallyDrop<Labels>, is_owned: bool) -> Place {
    let entry = |serial| Entry { serial: AtomicU64::new(serial), is_owned, labels };
    let (index, serial) = match thread().or_else(start) {
        Some(thread) => thread.push(entry),
        // In the last moments of a thread.
        None => (0, 0),
    };
    Place { index, serial, _thread: PhantomData }
}

#[inline(never)]
fn remove(place: &Place) {
    if let Some(thread) = thread() {
        thread.remove(place);
    }
}

#[inline]
fn thread<'a>() -> Option<&'a Thread> {
    // SAFETY: null, or what `start` published, which `Cleanup` frees when the thread ends. References do not outlive the
    // functions of this module that make them, and these call nothing that ends the thread.
    unsafe { word().load(Ordering::Relaxed).as_ref() }
}

#[inline]
fn word<'a>() -> &'a AtomicPtr<Thread> {
    // SAFETY: an aligned word, zero at first, which only this function refers to; valid as long as the thread.
    unsafe { &*arch::labels_word().cast() }
}

/// Makes the stack of this thread; `None` if the thread is about to end.
#[cold]
fn start<'a>() -> Option<&'a Thread> {
    thread_local!(static CLEANUP: Cleanup = const { Cleanup });
    CLEANUP.try_with(|_| ()).ok()?;
    let new = Box::into_raw(Box::new(Thread::new()));
    compiler_fence(Ordering::SeqCst);
    word().store(new, Ordering::Relaxed);
    thread()
}

/// Frees the stack when the thread ends.
struct Cleanup;

impl Drop for Cleanup {
    fn drop(&mut self) {
        let thread = word().swap(ptr::null_mut(), Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        if !thread.is_null() {
            // SAFETY: made by `start`, and no longer published. Guards that are dropped later find no stack.
            drop(unsafe { Box::from_raw(thread) });
        }
    }
}

impl Thread {
    fn new() -> Self {
        Self {
            entries: AtomicPtr::new(ptr::null_mut()),
            len: AtomicUsize::new(0),
            written: Cell::new(0),
            capacity: Cell::new(0),
            serials: Cell::new(0),
            cached: AtomicU32::new(0),
            cached_for: AtomicU64::new(0),
        }
    }

    fn push(&self, entry: impl FnOnce(u64) -> Entry) -> (usize, u64) {
        let (index, serial) = (self.len.load(Ordering::Relaxed), self.serials.get() + 1);
        self.serials.set(serial);
        if index == self.capacity.get() {
            self.grow();
        }
        self.drop_from(index);
        // SAFETY: `index` is less than the capacity, and nobody reads beyond the length. What was there is dropped.
        unsafe { (*self.entries.load(Ordering::Relaxed).add(index)).write(entry(serial)) };
        self.written.set(index + 1);
        compiler_fence(Ordering::SeqCst);
        self.len.store(index + 1, Ordering::Relaxed);
        (index, serial)
    }

    /// Adds an entry with these labels if it is there still.
    #[inline]
    fn push_again(&self, labels: &Labels) -> Option<(usize, u64)> {
        let index = self.len.load(Ordering::Relaxed);
        if index == self.written.get() {
            return None;
        }
        // SAFETY: entries before `written` were written by `push`, and not dropped since.
        let entry = unsafe { (*self.entries.load(Ordering::Relaxed).add(index)).assume_init_ref() };
        // Those that were lent may be gone.
        if !entry.is_owned || !entry.labels.is_same(labels) {
            return None;
        }
        let serial = self.serials.get() + 1;
        self.serials.set(serial);
        entry.serial.store(serial, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        self.len.store(index + 1, Ordering::Relaxed);
        Some((index, serial))
    }

    #[cold]
    fn grow(&self) {
        let (len, capacity) = (self.len.load(Ordering::Relaxed), self.capacity.get());
        let larger = (2 * capacity).max(8);
        let new = Box::into_raw(Box::<[Entry]>::new_uninit_slice(larger)).cast();
        let old = self.entries.load(Ordering::Relaxed);
        if !old.is_null() {
            // SAFETY: both arrays have `len` places, and are different. The old entries are not dropped.
            unsafe { ptr::copy_nonoverlapping(old, new, len) };
        }
        compiler_fence(Ordering::SeqCst);
        self.entries.store(new, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        self.capacity.set(larger);
        // SAFETY: made here earlier with this capacity, and no longer published.
        unsafe { free(old, capacity) };
    }

    #[inline]
    fn remove(&self, place: &Place) {
        let Some(entry) = self.entry(place.index) else { return };
        if entry.serial.load(Ordering::Relaxed) != place.serial {
            return;
        }
        if place.index + 1 == self.len.load(Ordering::Relaxed) {
            self.pop(place.index);
        } else {
            entry.serial.store(0, Ordering::Relaxed);
            compiler_fence(Ordering::SeqCst);
            self.cached_for.store(0, Ordering::Relaxed);
        }
        while let Some(last) = self.len.load(Ordering::Relaxed).checked_sub(1)
            && let Some(entry) = self.entry(last)
            && entry.serial.load(Ordering::Relaxed) == 0
        {
            self.pop(last);
        }
    }

    /// Removes the last entry, which is at `last`. Its labels stay for now.
    #[inline]
    fn pop(&self, last: usize) {
        self.len.store(last, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        self.drop_from(last + 1);
    }

    /// Drops what entries from `first` on hold, which are beyond the length.
    #[inline]
    fn drop_from(&self, first: usize) {
        while let Some(last) = self.written.get().checked_sub(1).filter(|last| *last >= first) {
            self.written.set(last);
            // SAFETY: written by `push`, beyond the length, and no longer before `written`: nobody refers to it.
            unsafe { (*self.entries.load(Ordering::Relaxed).add(last)).assume_init_drop() };
        }
    }

    #[inline]
    fn entry(&self, index: usize) -> Option<&Entry> {
        let entries = self.entries.load(Ordering::Relaxed);
        // SAFETY: entries below the length were written by `push`.
        (index < self.len.load(Ordering::Relaxed))
            .then(|| unsafe { (*entries.add(index)).assume_init_ref() })
    }

    /// The sets in force, innermost first.
    fn live(&self) -> impl Iterator<Item = &Labels> {
        let entries = (0..self.len.load(Ordering::Relaxed)).rev().filter_map(|i| self.entry(i));
        entries.filter(|e| e.serial.load(Ordering::Relaxed) != 0).map(|e| &*e.labels)
    }

    /// Computes the number anew only if the last entry is another one.
    fn sample(&self) -> LabelsId {
        let last = self.len.load(Ordering::Relaxed).checked_sub(1).and_then(|i| self.entry(i));
        let Some(serial) = last.map(|entry| entry.serial.load(Ordering::Relaxed)) else {
            return LabelsId::NONE;
        };
        if serial != 0 && self.cached_for.load(Ordering::Relaxed) == serial {
            return LabelsId::from_raw(self.cached.load(Ordering::Relaxed));
        }
        let id = self.merge();
        // A handler that interrupts this does the same.
        self.cached_for.store(0, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        self.cached.store(id.to_raw(), Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        self.cached_for.store(serial, Ordering::Relaxed);
        id
    }

    fn merge(&self) -> LabelsId {
        let mut draft = Draft::new();
        for labels in self.live() {
            for (key, value) in (0..labels.len()).filter_map(|i| labels.at(i)) {
                draft.add(key, value);
            }
            if draft.is_full() {
                break;
            }
        }
        draft.finish()
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // What was lent is not touched (see `Entry`'s drop).
        while let Some(last) = self.len.load(Ordering::Relaxed).checked_sub(1) {
            self.pop(last);
        }
        self.drop_from(0);
        // SAFETY: made by `grow` with this capacity; nobody uses it any more.
        unsafe { free(*self.entries.get_mut(), self.capacity.get()) };
    }
}

/// # Safety
/// Null, or an array of this length made by `Box`, which nobody uses.
unsafe fn free(entries: *mut MaybeUninit<Entry>, capacity: usize) {
    if !entries.is_null() {
        // SAFETY: by the caller's word.
        drop(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(entries, capacity)) });
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if self.is_owned {
            // SAFETY: dropped nowhere else.
            unsafe { ManuallyDrop::drop(&mut self.labels) };
        }
    }
}

#[cfg(all(test, not(oxprof_loom)))]
mod tests {
    use super::super::{current, get, scope, with};
    use super::*;

    /// What readers and hooks see, which is to be the same.
    fn check(expected: &[(&str, i64)]) {
        let expected = Labels::new(expected.iter().copied());
        assert_eq!(current(), expected);
        let sampled = get(sample());
        let expected: Vec<_> = expected.iter().map(|(k, v)| format!("{k} {v}")).collect();
        let sampled: Vec<_> = sampled
            .iter()
            .map(|(k, v)| match v {
                super::super::Resolved::Number(v) => format!("{k} {v}"),
                super::super::Resolved::Text(v) => panic!("{k} {v}"),
            })
            .collect();
        assert_eq!(sampled, expected);
    }

    #[test]
    fn inner_scopes_add_and_win() {
        check(&[]);
        with([("a", 1), ("b", 1)], || {
            check(&[("a", 1), ("b", 1)]);
            {
                let _inner = scope([("b", 2), ("c", 2)]);
                check(&[("a", 1), ("b", 2), ("c", 2)]);
                check(&[("a", 1), ("b", 2), ("c", 2)]);
            }
            check(&[("a", 1), ("b", 1)]);
        });
        check(&[]);
    }

    #[test]
    fn guards_may_be_dropped_in_any_order_or_never() {
        let [a, b, c] = [("a", 1), ("b", 2), ("c", 3)].map(|label| scope([label]));
        drop(b);
        check(&[("a", 1), ("c", 3)]);
        drop(a);
        check(&[("c", 3)]);
        let leaving = with([("d", 4)], || scope([("e", 5)]));
        check(&[("c", 3), ("e", 5)]);
        drop(c);
        drop(leaving);
        check(&[]);
        std::mem::forget(scope([("f", 6)]));
        with([("g", 7)], || check(&[("f", 6), ("g", 7)]));
        check(&[("f", 6)]);
    }

    #[test]
    fn labels_are_entered_again_and_dropped_in_the_end() {
        std::thread::spawn(|| {
            let [one, two] = [1, 2].map(|value| Labels::new([("a", value)]));
            for labels in [&one, &one, &two, &one] {
                let _outer = labels.enter();
                for _ in 0..2 {
                    let _inner = two.enter();
                    check(&[("a", 2)]);
                }
            }
            one.run(|| check(&[("a", 1)]));
            check(&[]);
            let _made = scope([("b", 1)]);
            // Only the last scope of this thread may still hold some.
            assert_eq!([&one, &two].map(Labels::holders), [1, 1]);
            (one, two)
        })
        .join()
        .map(|(one, two)| assert_eq!([one, two].map(|labels| labels.holders()), [1, 1]))
        .expect("the thread ends well");
    }

    #[test]
    fn recursion_goes_as_deep_as_it_likes() {
        fn recurse(depth: i64) {
            if depth < 1000 {
                let _scope = scope([("depth", depth)]);
                recurse(depth + 1);
                check(&[("depth", depth)]);
            }
        }
        recurse(0);
        check(&[]);
    }

    #[test]
    fn panics_end_scopes() {
        let caught = std::panic::catch_unwind(|| {
            let _scope = scope([("a", 1)]);
            with([("b", 2)], || std::panic::resume_unwind(Box::new(())));
        });
        assert!(caught.is_err());
        check(&[]);
    }

    #[test]
    fn threads_end_with_scopes_of_all_kinds() {
        struct Late;
        impl Drop for Late {
            fn drop(&mut self) {
                // Before or after the stack is gone.
                let _scope = scope([("late", 1)]);
                sample();
            }
        }
        thread_local!(static LATE: Late = const { Late });
        thread_local!(static GUARD: Cell<Option<Scope>> = const { Cell::new(None) });
        for late_first in [true, false] {
            let thread = std::thread::spawn(move || {
                if late_first {
                    LATE.with(|_| ());
                }
                GUARD.set(Some(scope([("a", 1)])));
                std::mem::forget(scope([("b", 1)]));
                LATE.with(|_| ());
                check(&[("a", 1), ("b", 1)]);
            });
            thread.join().expect("the thread ends well");
        }
    }
}
