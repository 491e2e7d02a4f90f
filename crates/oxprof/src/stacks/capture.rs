//! The stack of the calling thread, from within a hook.

use std::hash::{Hash, Hasher};

use oxprof_unwind::{Memory, Outcome, Walk};

use super::memo::{self, Extent, Walked};
use super::table::{self, Position, Table};
use super::{early, map};
use crate::code::arch::{self, Registers};
use crate::code::memory::{Below, OwnMemory};
use crate::threads;
use crate::threads::slots::Slot;

/// Most frames of a stack that are kept; the outermost are dropped.
pub(crate) const MAX_DEPTH: usize = 256;

/// All stacks that hooks have seen: up to 100 000 or so, in at most 33 MiB.
static STACKS: Table<128> = Table::new(1 << 17, 1 << 15, 0);

/// Bits of the last word of a key: why there are no more frames, whether a caller was guessed, and
/// whether the key is not the frames but the number of a copy ([`early`]).
const OUTCOME: u64 = 0xff;
const GUESSED: u64 = 1 << 8;
const EARLY: u64 = 1 << 9;

/// A stack that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StackId(u32);

/// The frames of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stack {
    /// Addresses inside the calls, leaf first.
    pub(crate) frames: Box<[u64]>,
    /// A frame in brackets that stands for what is beyond the outermost frame, if that is not the root.
    pub(crate) beyond: Option<&'static str>,
    /// Whether a caller was guessed.
    pub(crate) guessed: bool,
}

impl StackId {
    /// Stands for all stacks for which there was no room.
    pub(crate) const LOST: Self = Self(0);

    pub(crate) fn to_raw(self) -> u32 {
        self.0
    }

    pub(crate) fn from_raw(raw: u32) -> Self {
        Self(raw)
    }
}

/// Quicker than by the bytes of all frames, which are the program's own and so nobody's to choose.
impl Hash for Stack {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(table::hash(&self.frames));
        (self.beyond, self.guessed).hash(hasher);
    }
}

impl Stack {
    /// What a walk wrote into `frames`.
    pub(crate) fn new(frames: &[u64], walk: &Walk) -> Self {
        let frames = frames.get(..walk.depth).unwrap_or(&[]).into();
        Self { frames, beyond: beyond(walk.outcome), guessed: walk.guessed }
    }

    /// A frame in brackets that stands for no code.
    pub(crate) fn pseudo(name: &'static str) -> Self {
        Self { frames: Box::default(), beyond: Some(name), guessed: false }
    }
}

/// The stack of the calling thread, from the caller of this function on.
///
/// For hooks: allocates nothing, waits for nobody, keeps `errno`.
#[inline(never)]
pub(crate) fn capture() -> StackId {
    capture_from(&arch::current_registers())
}

/// The stack of the calling thread, from the caller of the function on whose registers these are.
///
/// For hooks, like [`capture`].
pub(crate) fn capture_from(registers: &Registers) -> StackId {
    let slot = threads::current::slot();
    memo::walk(Extent::Whole, registers, slot, own_memory(registers, slot), |memory| {
        let mut key = [0; MAX_DEPTH + 2];
        map::read(|modules| match modules {
            Some(modules) => walk(modules, registers, memory, &mut key),
            None => {
                let key = early::copy(registers).map(|number| [number, EARLY]);
                Walked { stack: intern(key.as_ref().map(<[u64; 2]>::as_slice)), uses_fp: true }
            }
        })
    })
}

/// Its innermost frames, as many as it takes to get out of the libraries that threads wait in. Nothing while there is no
/// map.
///
/// For hooks, like [`capture`].
pub(crate) fn capture_innermost(registers: &Registers) -> StackId {
    const DEPTH: usize = 12;
    let slot = threads::current::slot();
    memo::walk(Extent::Innermost, registers, slot, own_memory(registers, slot), |memory| {
        let mut key = [0; DEPTH + 2];
        map::read(|modules| match modules {
            Some(modules) => walk(modules, registers, memory, &mut key),
            None => Walked { stack: StackId::LOST, uses_fp: true },
        })
    })
}

/// A stack that another profiler walked in the same way; `outcome` is the value of how that ended.
pub(crate) fn keep(frames: &[u64], outcome: u8, guessed: bool) -> StackId {
    let mut key = [0; MAX_DEPTH + 1];
    let depth = frames.len().min(MAX_DEPTH);
    let outcome = if depth < frames.len() { Outcome::TooDeep as u8 } else { outcome };
    key[..depth].copy_from_slice(&frames[..depth]);
    key[depth] = u64::from(outcome) | if guessed { GUESSED } else { 0 };
    intern(Some(&key[..=depth]))
}

fn intern(key: Option<&[u64]>) -> StackId {
    let stored = key.and_then(|key| STACKS.intern(key));
    stored.map_or(StackId::LOST, |position| StackId(position.to_raw()))
}

/// The part of the calling thread's stack from the caller of this function on to the function whose local
/// variable is at `limit`, which has to be on this stack. Nothing while there is no map.
///
/// For hooks, like [`capture`].
#[inline(never)]
pub(crate) fn capture_below(limit: u64) -> StackId {
    let registers = arch::current_registers();
    let slot = threads::current::slot();
    let memory = own_memory(&registers, slot);
    memo::walk(Extent::Below(limit), &registers, slot, memory, |memory| {
        let mut key = [0; MAX_DEPTH + 2];
        map::read(|modules| {
            let Some(modules) = modules else {
                return Walked { stack: StackId::LOST, uses_fp: true };
            };
            let mut memory = Below::new(limit, memory);
            let room = &mut key[..=MAX_DEPTH];
            let walk = arch::walk(modules, &registers, &mut memory, room);
            let outcome = if memory.is_reached { Outcome::Root } else { walk.outcome };
            keep_walk(&mut key, Walk { outcome, ..walk })
        })
    })
}

/// Walks the stack whose innermost frame is at these registers, by the published map; `None` if there is none.
///
/// For hooks and handlers: allocates nothing, waits for nobody, keeps `errno`.
pub(crate) fn walk_into(
    registers: &Registers,
    memory: &mut impl Memory,
    frames: &mut [u64],
) -> Option<Walk> {
    map::read(|modules| modules.map(|modules| arch::walk(modules, registers, memory, frames)))
}

/// The stack of the calling thread, from the caller of this function on, without keeping it.
#[inline(never)]
pub(crate) fn current() -> Stack {
    let mut frames = [0; MAX_DEPTH + 1];
    let registers = arch::current_registers();
    match walk_into(&registers, &mut OwnMemory::default(), &mut frames) {
        Some(walk) => {
            let mut stack = Stack::new(&frames, &walk);
            stack.frames = stack.frames.get(1..).unwrap_or(&[]).into();
            stack
        }
        None => Stack::pseudo("[incomplete]"),
    }
}

/// Walks into `key` and keeps what that found. The first frame, which is `capture`'s, is left out.
fn walk(
    modules: &oxprof_unwind::Modules,
    registers: &Registers,
    memory: &mut impl Memory,
    key: &mut [u64],
) -> Walked {
    let room = key.len() - 1;
    let walk = arch::walk(modules, registers, memory, &mut key[..room]);
    keep_walk(key, walk)
}

fn keep_walk(key: &mut [u64], walk: Walk) -> Walked {
    let uses_fp = walk.uses_fp;
    Walked { stack: intern(finish(key, walk)), uses_fp }
}

fn own_memory(registers: &Registers, slot: Option<&Slot>) -> OwnMemory {
    OwnMemory::of_thread(registers.sp(), slot.map_or((0, 0), Slot::stack))
}

fn finish(key: &mut [u64], walk: Walk) -> Option<&[u64]> {
    let guessed = if walk.guessed { GUESSED } else { 0 };
    *key.get_mut(walk.depth)? = walk.outcome as u64 | guessed;
    key.get(1..=walk.depth)
}

/// The frames of `id`.
pub(crate) fn get(id: StackId) -> Stack {
    let Some(position) = Position::from_raw(id.0) else {
        return Stack::pseudo("[lost]");
    };
    let key: Vec<u64> = STACKS.key(position).collect();
    let Some((&last, frames)) = key.split_last() else { return get(StackId::LOST) };
    if last & EARLY != 0 {
        return frames.first().map_or_else(|| get(StackId::LOST), |&number| walk_copy(number));
    }
    let outcome = Outcome::from_u8((last & OUTCOME) as u8).unwrap_or(Outcome::NoModule);
    Stack { frames: frames.into(), beyond: beyond(outcome), guessed: last & GUESSED != 0 }
}

fn beyond(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Root => None,
        Outcome::TooDeep => Some("[truncated]"),
        _ => Some("[incomplete]"),
    }
}

/// Walks a stack that was copied, by the map there is now.
fn walk_copy(number: u64) -> Stack {
    let (mut frames, mut guessed, mut outcome) = (vec![0; MAX_DEPTH + 1], false, Outcome::NoModule);
    early::with(number, |registers, memory| {
        map::read(|modules| {
            let Some(modules) = modules else { return frames.clear() };
            let walk = arch::walk(modules, registers, memory, &mut frames);
            frames.truncate(walk.depth);
            (guessed, outcome) = (walk.guessed, walk.outcome);
        });
    });
    // What could not be read was not copied.
    let outcome = if outcome == Outcome::Unreadable { Outcome::TooDeep } else { outcome };
    Stack { frames: frames.get(1..).unwrap_or(&[]).into(), beyond: beyond(outcome), guessed }
}
