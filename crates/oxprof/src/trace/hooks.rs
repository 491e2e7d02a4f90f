//! What hooks, pollers and the program note while a trace is recorded.
//!
//! While none is, each function here is a load and a branch. None allocates, waits for anybody or touches `errno`, but
//! for [`tell`], which is for the program's own calls.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use oxprof_trace::ThreadId;
use oxprof_trace::record::{LabelsKey, Record, Text, Waiting, What};

use super::buffer::{Pool, RECORD, Writer};
use crate::code::arch;
use crate::hooks::on::{self, Purposes};
use crate::labels::{self, LabelsId};
use crate::stacks::{self, StackId};
use crate::threads::clock;

/// What threads write to.
#[cfg(not(all(test, oxprof_loom)))]
pub(super) static POOL: Pool = Pool::new();
#[cfg(all(test, oxprof_loom))]
pub(super) static POOL: std::sync::LazyLock<Pool> = std::sync::LazyLock::new(Pool::new);

static ON: AtomicBool = AtomicBool::new(false);

/// Bytes of texts that records carry until the recorder takes them.
static TEXTS: AtomicUsize = AtomicUsize::new(0);
/// The most of them; what comes on top is lost.
const MOST_TEXTS: usize = 32 << 20;

/// What a thread keeps of its records.
struct State {
    writer: Cell<Writer>,
    /// The thread's number, 0 if it was not asked for.
    tid: Cell<i32>,
    /// Records that there was no room for.
    lost: Cell<u64>,
    /// Whether the thread is in here, or is not to be in here at all: it ends, or is the recorder's.
    is_busy: Cell<bool>,
}

/// The calling thread's, in words that are there from its start: all zero at first, which is a writer whose chain has yet
/// to begin and a thread of which nothing is known.
#[inline]
fn state<'a>() -> &'a State {
    const { assert!(size_of::<State>() <= size_of::<[u64; 5]>()) };
    const { assert!(align_of::<State>() <= align_of::<u64>()) };
    // SAFETY: aligned words of the calling thread, which only this function refers to, and there is room. The fields are
    // numbers and a truth, of which zero is a value.
    unsafe { &*arch::trace_words().cast() }
}

/// Whether a trace is being recorded.
#[inline]
pub(crate) fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Begins or ends recording.
pub(super) fn turn(on: bool) {
    ON.store(on, Ordering::SeqCst);
    on::turn(Purposes::TRACE, on);
}

/// A number for a thread that is about to be created, and a note of its creation; 0 while nothing is recorded.
pub(crate) fn thread_create() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    if !is_on() {
        return 0;
    }
    let token = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    note(Kind::ThreadCreate, 0, stacks::capture().to_raw(), token, 0);
    token
}

/// The calling thread begins.
pub(crate) fn thread_begin(token: u64) {
    if is_on() {
        note(Kind::ThreadBegin, 0, NOWHERE, token, 0);
    }
}

/// The calling thread ends. What it still does is not recorded.
pub(crate) fn thread_end() {
    if is_on() {
        // Its name goes with it: nobody can ask for it later.
        let mut name = [0; 16];
        // SAFETY: there is room for the 16 bytes that the kernel writes.
        unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
        let [a, b] =
            [0, 8].map(|i| u64::from_ne_bytes(name[i..][..8].try_into().unwrap_or_default()));
        note(Kind::ThreadEnd, 0, NOWHERE, a, b);
    }
    let state = state();
    state.is_busy.set(true);
    let mut writer = state.writer.take();
    POOL.close(&mut writer);
}

/// The calling thread is about to wait, since `time`. `on` is what [`wake`] names, or 0.
#[inline]
pub(crate) fn wait_begin(time: u64, why: Waiting, on: u64, stack: StackId) {
    if is_on() {
        note_at(time, Kind::WaitBegin, why as u8, stack.to_raw(), on, labels());
    }
}

/// The calling thread runs again.
#[inline]
pub(crate) fn wait_end() {
    if is_on() {
        note(Kind::WaitEnd, 0, NOWHERE, 0, 0);
    }
}

/// The calling thread lets up to `count` threads run that wait on something.
#[inline]
pub(crate) fn wake(on: u64, count: u32, stack: StackId) {
    if is_on() {
        note(Kind::Wake, 0, stack.to_raw(), on, count.into());
    }
}

/// The calling thread creates a task. Not for hooks.
pub(crate) fn task_create(task: u64, stack: StackId, name: impl FnOnce() -> Text) {
    if is_on() {
        tell(What::TaskCreate { task, name: name(), stack: stack.to_raw() });
    }
}

/// The calling thread begins to poll a task at `time`.
#[inline]
pub(crate) fn poll_begin(time: u64, task: u64) {
    if is_on() {
        note_at(time, Kind::PollBegin, 0, NOWHERE, task, labels());
    }
}

/// The calling thread has polled a task until `time`, which is complete or waits at `stack`.
#[inline]
pub(crate) fn poll_end(time: u64, task: u64, done: bool, stack: Option<StackId>) {
    if is_on() {
        let stack = stack.map_or(NOWHERE, StackId::to_raw);
        note_at(time, Kind::PollEnd, done.into(), stack, task, 0);
    }
}

/// The calling thread lets a task be polled again.
#[inline]
pub(crate) fn task_wake(task: u64) {
    if is_on() {
        note(Kind::TaskWake, 0, stacks::capture().to_raw(), task, 0);
    }
}

/// The calling thread drops a task that is not complete.
pub(crate) fn task_drop(task: u64) {
    if is_on() {
        note(Kind::TaskDrop, 0, NOWHERE, task, 0);
    }
}

/// The CPU profiler took a sample of a thread. For its collector.
pub(crate) fn sample(time: u64, thread: u32, stack: StackId, labels: LabelsId) {
    if is_on() {
        let (thread, labels) = (thread.into(), labels.to_raw().into());
        note_at(time, Kind::Sample, 0, stack.to_raw(), thread, labels);
    }
}

/// Notes anything else; not for hooks.
pub(crate) fn tell(mut what: What) {
    if !is_on() {
        return;
    }
    let size = what.cut_texts();
    if TEXTS.fetch_add(size, Ordering::Relaxed) + size > MOST_TEXTS {
        TEXTS.fetch_sub(size, Ordering::Relaxed);
        let lost = &state().lost;
        return lost.set(lost.get() + 1);
    }
    let told = Box::into_raw(Box::new(what));
    if !note(Kind::Told, 0, NOWHERE, told as u64, labels()) {
        // SAFETY: came out of its box just now, and was not noted.
        drop(unsafe { told_by(told) });
    }
}

/// What was told, and how many bytes its texts take.
///
/// # Safety
/// [`tell`] made the pointer, and it is not given to this function again.
unsafe fn told_by(told: *mut What) -> (What, usize) {
    // SAFETY: it came out of a box, by the caller's word.
    let mut what = *unsafe { Box::from_raw(told) };
    let texts = what.cut_texts();
    TEXTS.fetch_sub(texts, Ordering::Relaxed);
    (what, texts)
}

/// What the calling thread does is not recorded from now on.
pub(super) fn ignore_current_thread() {
    state().is_busy.set(true);
}

/// Forgets what the parent's thread noted, in the child of a fork.
pub(super) fn reset_after_fork() {
    turn(false);
    // What carries them is lost to the child.
    TEXTS.store(0, Ordering::Relaxed);
    let state = state();
    state.writer.set(Writer::new());
    state.tid.set(0);
    state.lost.set(0);
}

/// What is noted.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Kind {
    ThreadCreate,
    ThreadBegin,
    ThreadEnd,
    WaitBegin,
    WaitEnd,
    Wake,
    PollBegin,
    PollEnd,
    TaskWake,
    TaskDrop,
    Sample,
    Told,
    Lost,
}

impl Kind {
    const ALL: [Self; 13] = [
        Self::ThreadCreate,
        Self::ThreadBegin,
        Self::ThreadEnd,
        Self::WaitBegin,
        Self::WaitEnd,
        Self::Wake,
        Self::PollBegin,
        Self::PollEnd,
        Self::TaskWake,
        Self::TaskDrop,
        Self::Sample,
        Self::Told,
        Self::Lost,
    ];
}

/// The empty stack.
const NOWHERE: u32 = 0;

/// The labels in force in the calling thread.
fn labels() -> u64 {
    labels::sample().to_raw().into()
}

/// Writes a record of the calling thread. Whether it was written.
fn note(kind: Kind, code: u8, stack: u32, a: u64, b: u64) -> bool {
    note_at(clock::monotonic(), kind, code, stack, a, b)
}

fn note_at(time: u64, kind: Kind, code: u8, stack: u32, a: u64, b: u64) -> bool {
    let state = state();
    // A signal handler that interrupts a note makes none.
    if state.is_busy.replace(true) {
        state.lost.set(state.lost.get() + 1);
        return false;
    }
    if state.tid.get() == 0 {
        state.tid.set(crate::threads::tasks::current());
    }
    let lost = state.lost.take();
    let written = (lost == 0 || state.write([time, head(Kind::Lost, 0, NOWHERE), lost, 0]))
        && state.write([time, head(kind, code, stack), a, b]);
    if !written {
        state.lost.set(lost + 1);
    }
    state.is_busy.set(false);
    written
}

impl State {
    fn write(&self, record: [u64; RECORD]) -> bool {
        let mut writer = self.writer.get();
        let owner = self.tid.get().cast_unsigned().into();
        let written = POOL.write(&mut writer, owner, record);
        self.writer.set(writer);
        written
    }
}

/// The second word of a record.
fn head(kind: Kind, code: u8, stack: u32) -> u64 {
    kind as u64 | u64::from(code) << 8 | u64::from(stack) << 32
}

/// The name of the thread, if it notes its end.
pub(super) fn name_at_end([_, head, a, b]: [u64; RECORD]) -> Option<String> {
    if head as u8 != Kind::ThreadEnd as u8 {
        return None;
    }
    let name: Vec<u8> =
        [a, b].into_iter().flat_map(u64::to_ne_bytes).take_while(|&b| b != 0).collect();
    Some(String::from_utf8_lossy(&name).into_owned())
}

/// The labels that were in force when a record was noted, if it says so.
pub(super) fn labels_of([_, head, _, labels]: [u64; RECORD]) -> Option<LabelsKey> {
    let says = [Kind::WaitBegin, Kind::PollBegin, Kind::Sample, Kind::Told];
    says.iter().any(|&kind| head as u8 == kind as u8).then_some(labels as LabelsKey)
}

/// A record as it is to be kept: what was told goes to `keep`, which returns what to call it.
///
/// # Safety
/// The words were read from [`POOL`], and are not given to this function again.
pub(super) unsafe fn take(
    [time, head, a, b]: [u64; RECORD],
    keep: impl FnOnce(What, usize) -> u64,
) -> [u64; RECORD] {
    if head as u8 != Kind::Told as u8 {
        return [time, head, a, b];
    }
    // SAFETY: `tell` noted it, and the caller takes each record once.
    let (what, texts) = unsafe { told_by(a as *mut What) };
    [time, head, keep(what, texts), b]
}

/// A record of what is kept under a number.
pub(super) fn told_record(time: u64, told: u64) -> [u64; RECORD] {
    [time, head(Kind::Told, 0, NOWHERE), told, 0]
}

/// What is told is kept under, if a record says that something was.
pub(super) fn told([_, head, told, _]: [u64; RECORD]) -> Option<u64> {
    (head as u8 == Kind::Told as u8).then_some(told)
}

/// Whether a record is of a thread's beginning.
pub(super) fn is_begin([_, head, ..]: [u64; RECORD]) -> bool {
    head as u8 == Kind::ThreadBegin as u8
}

/// What a record of a thread says that was taken, and `told` what was.
pub(super) fn decode(
    owner: u64,
    [time, head, a, b]: [u64; RECORD],
    told: &[What],
) -> Option<Record> {
    let (stack, code) = ((head >> 32) as u32, (head >> 8) as u8);
    let mut thread = ThreadId(owner as i64);
    let what = match *Kind::ALL.get(head as u8 as usize)? {
        Kind::ThreadCreate => What::ThreadCreate { token: a, stack },
        Kind::ThreadBegin => What::ThreadBegin { token: a },
        Kind::ThreadEnd => What::ThreadEnd,
        Kind::WaitBegin => {
            What::WaitBegin { why: *Waiting::ALL.get(usize::from(code))?, on: a, stack }
        }
        Kind::WaitEnd => What::WaitEnd,
        Kind::Wake => What::Wake { on: a, count: u32::try_from(b).unwrap_or(u32::MAX), stack },
        Kind::PollBegin => What::PollBegin { task: a },
        Kind::PollEnd => {
            What::PollEnd { task: a, waits: (code == 0).then_some((Waiting::Await, stack)) }
        }
        Kind::TaskWake => What::TaskWake { task: a, stack },
        Kind::TaskDrop => What::TaskDrop { task: a },
        Kind::Sample => {
            thread = ThreadId(a as i64);
            What::Sample { stack }
        }
        Kind::Told => told.get(usize::try_from(a).ok()?)?.clone(),
        Kind::Lost => What::Lost { count: a },
    };
    Some(Record { time, thread, what })
}
