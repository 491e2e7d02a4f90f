//! Asking threads for their stacks by a signal.
//!
//! # Protocol
//! A request has a box, whose state word is a generation and one of four states. Boxes are never freed.
//!
//! 1. Who asks finds a box `Idle` or `Done`, gives it a new generation and the state `Pending` (release), and sends the thread a
//!    signal that names box and generation.
//! 2. The handler makes it `Writing` (compare-exchange from that generation's `Pending`), writes its stack into the
//!    box, and makes it `Done` (release). In any other state it does nothing: the signal was late.
//! 3. After the deadline who asked makes `Pending` boxes `Idle` (compare-exchange), after which no handler writes. A
//!    box that is `Writing` then is left alone until it is `Done`, by whoever may want it next.
//!
//! The handler touches the stack it interrupted, its `ucontext`, its box, and the map of code through its gate; it calls
//! raw system calls only. So it allocates nothing, takes no lock and keeps `errno`.

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use oxprof_unwind::Outcome;

use crate::code::arch::{self, syscall4, syscall6};
use crate::code::memory::OwnMemory;
use crate::code::stay;
use crate::code::sync::AtomicU64 as Word;
use crate::labels::{self, LabelsId};
use crate::stacks::words::Words;
use crate::stacks::{self, MAX_DEPTH, Stack};
use crate::threads::tasks;

/// How long threads are waited for while none of them answers, and at most, for each: on a busy machine it takes
/// a while until all have run.
const PATIENCE: Duration = Duration::from_millis(100);
const PATIENCE_EACH: Duration = Duration::from_millis(2);
/// How much longer who began to answer has.
const MORE_PATIENCE: Duration = Duration::from_secs(1);
/// Requests at a time.
const BOXES: usize = 1024;

/// What came of asking a thread.
pub(super) enum Answer {
    None,
    NotAsked,
    Stack(Stack, LabelsId),
    /// It is no more.
    Gone,
}

/// The stacks of these threads, as far as `may_ask`, which is told the position of one that is just about to be asked, agrees
/// and they answer. To be called by one thread at a time.
pub(super) fn stacks(tids: &[i32], mut may_ask: impl FnMut(usize) -> bool) -> Vec<Answer> {
    let mut answers: Vec<Answer> = tids.iter().map(|_| Answer::None).collect();
    if tids.is_empty() {
        return answers;
    }
    // Without a signal or memory nobody can be asked.
    let (Some(signal), Some(memory)) = (signal(), MEMORY.map()) else { return answers };
    let mut patience = Patience::with(tids.len());
    let mut next = 0;
    while next < tids.len() && !patience.left().is_zero() {
        let mut requests = Vec::new();
        for request_box in boxes(memory) {
            while next < tids.len() && !may_ask(next) {
                answers[next] = Answer::NotAsked;
                next += 1;
            }
            if next == tids.len() {
                break;
            }
            let Some(request) = Request::new(request_box, next) else { continue };
            match request.send(signal, tids[next]) {
                Ok(()) => requests.push(request),
                Err(libc::ESRCH) => answers[next] = Answer::Gone,
                // No room in the kernel: others first.
                Err(libc::EAGAIN) if !requests.is_empty() => break,
                Err(_) => {}
            }
            next += 1;
        }
        collect(requests, &mut patience, &mut answers);
    }
    answers
}

/// Waits for answers, as long as there is patience.
fn collect(requests: Vec<Request>, patience: &mut Patience, answers: &mut [Answer]) {
    WANTED.store(ANSWERS.load(Ordering::Relaxed) + requests.len() as u32, Ordering::Relaxed);
    for request in requests {
        if let Some((stack, labels)) = request.wait(patience) {
            answers[request.position] = Answer::Stack(stack, labels);
        }
    }
}

/// How long answers are waited for: as long as there are any, up to a limit.
struct Patience {
    until: Instant,
    limit: Instant,
    /// How many there were.
    answers: u32,
}

impl Patience {
    fn with(threads: usize) -> Self {
        let until = Instant::now() + PATIENCE;
        let limit = until + PATIENCE_EACH * threads as u32;
        Self { until, limit, answers: ANSWERS.load(Ordering::Relaxed) }
    }

    /// What is left of it.
    fn left(&mut self) -> Duration {
        let (now, answers) = (Instant::now(), ANSWERS.load(Ordering::Relaxed));
        if answers != self.answers {
            self.answers = answers;
            self.until = self.limit.min(now + PATIENCE);
        }
        self.until.saturating_duration_since(now)
    }
}

/// Words of a box: its state, the walk and labels, and the frames.
const STRIDE: usize = 2 + MAX_DEPTH;

static MEMORY: Words = Words::new(BOXES * STRIDE);
/// Of the latest request. Two handlers that are late by four billion requests would have to meet for a mistake.
static GENERATION: AtomicU32 = AtomicU32::new(0);
/// Answers that were given; what a thread that waits for them sleeps on.
static ANSWERS: AtomicU32 = AtomicU32::new(0);
/// Number of answers that is worth being woken for.
static WANTED: AtomicU32 = AtomicU32::new(0);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
enum State {
    Idle = 0,
    Pending = 1,
    Writing = 2,
    Done = 3,
}

impl State {
    fn word(self, generation: u32) -> u64 {
        u64::from(generation) << 2 | self as u64
    }

    fn of(word: u64) -> Self {
        match word & 3 {
            0 => Self::Idle,
            1 => Self::Pending,
            2 => Self::Writing,
            _ => Self::Done,
        }
    }
}

#[derive(Clone, Copy)]
struct RequestBox {
    number: u16,
    words: &'static [Word],
}

fn boxes(memory: &'static [Word]) -> impl Iterator<Item = RequestBox> {
    memory.chunks_exact(STRIDE).zip(0u16..).map(|(words, number)| RequestBox { number, words })
}

/// In the upper bits of our signals' values.
const MARK: u64 = 0x0cf7 << 48;

impl RequestBox {
    fn state(&self) -> &'static Word {
        &self.words[0]
    }

    /// The box that a signal names, and the generation.
    fn from_signal(value: u64) -> Option<(Self, u32)> {
        if value >> 48 != MARK >> 48 {
            return None;
        }
        let number = value as u16;
        let words = MEMORY.get()?.chunks_exact(STRIDE).nth(usize::from(number))?;
        Some((Self { number, words }, (value >> 16) as u32))
    }

    /// What the handler wrote.
    fn read(&self) -> (Stack, LabelsId) {
        let about = self.words[1].load(Ordering::Relaxed);
        let frames: Vec<u64> = self.words[2..].iter().map(|w| w.load(Ordering::Relaxed)).collect();
        let walk = oxprof_unwind::Walk {
            depth: usize::from(about as u16).min(MAX_DEPTH),
            outcome: Outcome::from_u8((about >> 16) as u8).unwrap_or(Outcome::NoModule),
            guessed: about >> 24 & 1 != 0,
            uses_fp: false,
        };
        (Stack::new(&frames, &walk), LabelsId::from_raw((about >> 32) as u32))
    }
}

struct Request {
    request_box: RequestBox,
    generation: u32,
    /// Of the thread that is asked, among those that are.
    position: usize,
}

impl Request {
    /// Prepares a request, unless somebody is late with the box.
    fn new(request_box: RequestBox, position: usize) -> Option<Self> {
        if State::of(request_box.state().load(Ordering::Acquire)) == State::Writing {
            return None;
        }
        let generation = GENERATION.fetch_add(1, Ordering::Relaxed);
        ask(request_box.state(), generation);
        Some(Self { request_box, generation, position })
    }

    /// Sends it; the error number if that fails.
    fn send(&self, signal: libc::c_int, tid: i32) -> Result<(), libc::c_int> {
        let value = MARK | u64::from(self.generation) << 16 | u64::from(self.request_box.number);
        let info = SignalInfo {
            number: signal,
            errno: 0,
            code: libc::SI_QUEUE,
            _pad: 0,
            pid: tasks::process(),
            uid: 0,
            value,
            _rest: [0; 12],
        };
        let args =
            [tasks::process() as usize, tid as usize, signal as usize, &raw const info as usize];
        // SAFETY: `info` is as the kernel wants it, and a thread that does not exist is an error.
        match unsafe { syscall4(libc::SYS_rt_tgsigqueueinfo, args) } {
            0 => Ok(()),
            error => {
                self.withdraw();
                Err(-error as libc::c_int)
            }
        }
    }

    fn withdraw(&self) -> bool {
        withdraw(self.request_box.state(), self.generation)
    }

    fn is_done(&self) -> bool {
        is_done(self.request_box.state())
    }

    /// Waits for the answer.
    fn wait(&self, patience: &mut Patience) -> Option<(Stack, LabelsId)> {
        while !self.is_done() {
            let seen = ANSWERS.load(Ordering::Acquire);
            let left = patience.left();
            if self.is_done() {
                break;
            }
            if left.is_zero() {
                return self.give_up();
            }
            sleep_on(&ANSWERS, seen, left);
        }
        Some(self.request_box.read())
    }

    /// What to do when the time is over: a handler that has begun is not far from its end.
    fn give_up(&self) -> Option<(Stack, LabelsId)> {
        if self.withdraw() {
            return None;
        }
        let deadline = Instant::now() + MORE_PATIENCE;
        while !self.is_done() && Instant::now() < deadline {
            std::thread::yield_now();
        }
        self.is_done().then(|| self.request_box.read())
    }
}

/// Waits until `word` is no longer `seen`, but not for long: not every answer wakes.
fn sleep_on(word: &AtomicU32, seen: u32, most: Duration) {
    const SLICE: Duration = Duration::from_millis(2);
    let most = most.min(SLICE);
    let time = libc::timespec { tv_sec: 0, tv_nsec: most.subsec_nanos().into() };
    let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    let args =
        [word.as_ptr() as usize, operation as usize, seen as usize, &raw const time as usize, 0, 0];
    // SAFETY: the word and the time are valid. Not libc's, which hooks may be in front of.
    unsafe { syscall6(libc::SYS_futex, args) };
}

fn wake(word: &AtomicU32) {
    let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the word is valid.
    unsafe { syscall4(libc::SYS_futex, [word.as_ptr() as usize, operation as usize, 1, 0]) };
}

/// `siginfo_t` of a signal that carries a value, as the kernel lays it out on 64-bit machines.
#[repr(C)]
struct SignalInfo {
    number: i32,
    errno: i32,
    code: i32,
    _pad: i32,
    pid: i32,
    uid: u32,
    value: u64,
    _rest: [u64; 12],
}

const _: () = assert!(size_of::<SignalInfo>() == size_of::<libc::siginfo_t>());

/// The signal that is ours: the first real-time one from here that nobody handles. `None` if there is none. Once it
/// has a handler, it keeps it: a signal that arrives late must not kill the process.
fn signal() -> Option<libc::c_int> {
    static SIGNAL: OnceLock<Option<libc::c_int>> = OnceLock::new();
    /// From here, because programs and debuggers that use these signals tend to begin at the ends.
    const FIRST: libc::c_int = 5;
    *SIGNAL.get_or_init(|| {
        let candidates = libc::SIGRTMIN() + FIRST..=libc::SIGRTMAX();
        stay::stay();
        candidates.into_iter().find(|&signal| is_free(signal) && take(signal))
    })
}

fn is_free(signal: libc::c_int) -> bool {
    // SAFETY: no action takes the place of the one that is there.
    unsafe { exchange(signal, ptr::null()) }.is_some_and(|old| old.sa_sigaction == libc::SIG_DFL)
}

/// Makes the signal ours, unless somebody was quicker: a library with an oxprof of its own, say.
fn take(signal: libc::c_int) -> bool {
    // SAFETY: all zero is a valid sigaction to fill; `on_signal` is a handler of the kind that SA_SIGINFO asks for, and
    // async-signal-safe (see the module). An action that was there may be there again.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_signal as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
        libc::sigfillset(&raw mut action.sa_mask);
        let Some(old) = exchange(signal, &raw const action) else { return false };
        let is_ours = old.sa_sigaction == libc::SIG_DFL;
        if !is_ours {
            exchange(signal, &raw const old);
        }
        is_ours
    }
}

/// Gives a signal another action, unless that is null. Returns the one that was there.
///
/// # Safety
/// As for `sigaction`.
unsafe fn exchange(signal: libc::c_int, action: *const libc::sigaction) -> Option<libc::sigaction> {
    let mut old = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a valid place for the action that was there, of which all zero is a valid value; passed on otherwise.
    let (result, old) =
        unsafe { (libc::sigaction(signal, action, old.as_mut_ptr()), old.assume_init()) };
    (result == 0).then_some(old)
}

/// Handles our signal.
///
/// # Safety
/// Called by the kernel.
unsafe extern "C" fn on_signal(
    _: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: a siginfo_t is initialised and as large and aligned as `SignalInfo`; with SA_SIGINFO the third argument is
    // a ucontext. Both live until we return.
    let (info, context) =
        unsafe { (&*info.cast::<SignalInfo>(), &*context.cast::<libc::ucontext_t>()) };
    if info.code != libc::SI_QUEUE {
        return;
    }
    let Some((request_box, generation)) = RequestBox::from_signal(info.value) else { return };
    if !respond(request_box.state(), generation, || answer(&request_box, context)) {
        return;
    }
    let answers = ANSWERS.fetch_add(1, Ordering::Release).wrapping_add(1);
    if answers == WANTED.load(Ordering::Relaxed) {
        wake(&ANSWERS);
    }
}

/// Asks for an answer. No handler may be writing one.
fn ask(state: &Word, generation: u32) {
    state.store(State::Pending.word(generation), Ordering::Release);
}

/// Makes a pending request one that handlers pay no heed to. Fails when one already does.
fn withdraw(state: &Word, generation: u32) -> bool {
    let [pending, idle] = [State::Pending, State::Idle].map(|s| s.word(generation));
    state.compare_exchange(pending, idle, Ordering::Acquire, Ordering::Acquire).is_ok()
}

fn is_done(state: &Word) -> bool {
    State::of(state.load(Ordering::Acquire)) == State::Done
}

/// Writes an answer, unless the request was withdrawn. Returns whether it did.
fn respond(state: &Word, generation: u32, write: impl FnOnce()) -> bool {
    let order = Ordering::Acquire;
    let [pending, writing] = [State::Pending, State::Writing].map(|s| s.word(generation));
    if state.compare_exchange(pending, writing, order, order).is_err() {
        return false;
    }
    write();
    state.store(State::Done.word(generation), Ordering::Release);
    true
}

/// Writes the interrupted stack into the box.
fn answer(request_box: &RequestBox, context: &libc::ucontext_t) {
    let frames: *const [Word] = &raw const request_box.words[2..];
    // SAFETY: the state is `Writing`, so until it is `Done` nobody else reads or writes these words; an atomic is laid out
    // as what it holds and may be written through a shared reference.
    let frames = unsafe { std::slice::from_raw_parts_mut(frames as *mut u64, MAX_DEPTH) };
    let mut memory = OwnMemory::default();
    let walk = stacks::walk_into(&arch::registers(context), &mut memory, frames);
    let (depth, outcome, guessed) =
        walk.map_or((0, Outcome::NoModule, false), |w| (w.depth, w.outcome, w.guessed));
    let labels = u64::from(labels::sample().to_raw()) << 32;
    let about = depth as u64 | (outcome as u64) << 16 | u64::from(guessed) << 24 | labels;
    request_box.words[1].store(about, Ordering::Relaxed);
}

#[cfg(all(test, oxprof_loom))]
mod models {
    use loom::cell::UnsafeCell;
    use loom::sync::Arc;
    use loom::thread;

    use super::*;
    use crate::code::sync::check;

    /// A box whose answer is one word, every use of which the checker sees.
    struct Box {
        state: Word,
        answer: UnsafeCell<u32>,
    }

    impl Box {
        /// The handler of a signal for request `generation`, which answers with that number.
        fn handle(&self, generation: u32) {
            // SAFETY: the checker is there to find out.
            let write = || self.answer.with_mut(|answer| unsafe { *answer = generation });
            respond(&self.state, generation, write);
        }

        /// Asks, and loses patience at once. Returns the answer of a handler that has begun.
        fn ask(&self, generation: u32) -> Option<u32> {
            ask(&self.state, generation);
            if withdraw(&self.state, generation) {
                return None;
            }
            while !is_done(&self.state) {
                thread::yield_now();
            }
            // SAFETY: the checker is there to find out.
            Some(self.answer.with(|answer| unsafe { *answer }))
        }
    }

    #[test]
    fn late_handlers_write_nothing() {
        check(|| {
            let state = Word::new(State::Idle.word(0));
            let shared = Arc::new(Box { state, answer: UnsafeCell::new(0) });
            let handlers: Vec<_> = [1, 2]
                .into_iter()
                .map(|generation| {
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || shared.handle(generation))
                })
                .collect();
            for generation in [1, 2] {
                let answer = shared.ask(generation);
                assert!(answer.is_none_or(|answer| answer == generation));
            }
            handlers.into_iter().for_each(|handler| handler.join().unwrap());
        });
    }
}
