//! The walk itself. It allocates nothing, takes no lock, cannot panic, and ends: every frame but a
//! few lies above its callee, and the room for frames is finite.

use super::{FP, Registers, SP, guess};
use crate::{Cfa, Lookup, Memory, Modules, Outcome, Rule, Saved, Walk};

/// Writes the stack whose innermost frame is at `start` into `frames`, leaf first.
///
/// Each frame is the address to attribute it to: of the instruction that runs, for the leaf and for code
/// that a signal interrupted; inside the call, one byte before the return address, for callers.
pub fn walk<M: Memory>(
    modules: &Modules,
    start: &Registers,
    memory: &mut M,
    frames: &mut [u64],
) -> Walk {
    let mut walker = Walker {
        modules,
        memory,
        start,
        frame: Frame { pc: start.pc, sp: start.sp(), fp: start.fp(), exact: true },
        depth: 0,
        switches: 0,
        guessed: false,
    };
    let outcome = walker.run(frames);
    Walk { depth: walker.depth, outcome, guessed: walker.guessed }
}

/// Bytes below the stack pointer that leaf functions may use.
const RED_ZONE: u64 = 128;
/// Most bytes from a frame to its caller on the same stack.
const MAX_FRAME: u64 = 64 << 20;
/// Most times a walk goes on at a place that is no continuation of the stack it came from.
const MAX_SWITCHES: u32 = 8;
/// Words that are searched for a return address in code without rules.
const GUESS_WORDS: u64 = 64;

/// What the kernel leaves on the stack under a signal handler (`ucontext`), seen from `rt_sigreturn`'s
/// trampoline. C libraries that describe it do so with exactly this rule; musl does not describe it.
const SIGNAL_FRAME: Rule = Rule {
    cfa: Cfa::Deref { register: SP, offset: 160, add: 0 },
    fp: Saved::At { register: SP, offset: 120 },
    ra: Saved::At { register: SP, offset: 168 },
    signal: true,
};

#[derive(Clone, Copy)]
struct Frame {
    pc: u64,
    sp: u64,
    fp: u64,
    /// Whether `pc` is of an instruction about to run, not inside a call.
    exact: bool,
}

struct Walker<'a, M> {
    modules: &'a Modules,
    memory: &'a mut M,
    start: &'a Registers,
    frame: Frame,
    depth: usize,
    switches: u32,
    guessed: bool,
}

impl<M: Memory> Walker<'_, M> {
    fn run(&mut self, frames: &mut [u64]) -> Outcome {
        for slot in frames {
            *slot = self.frame.pc;
            self.depth += 1;
            if let Err(outcome) = self.step() {
                return outcome;
            }
        }
        Outcome::TooDeep
    }

    fn is_leaf(&self) -> bool {
        self.depth == 1
    }

    /// Goes to the caller, or says why there is none.
    fn step(&mut self) -> Result<(), Outcome> {
        match self.modules.lookup(self.frame.pc) {
            Lookup::Rule(rule) => self.apply(rule),
            Lookup::NoRule if self.at_signal_trampoline() => self.apply(&SIGNAL_FRAME),
            Lookup::NoRule => self.guess(GUESS_WORDS),
            // Run-time generated code is called like any other: its first instruction sees the return
            // address on top of the stack. Anything deeper would be a wild guess.
            Lookup::NoModule if self.is_leaf() => self.guess(1),
            Lookup::NoModule => Err(Outcome::NoModule),
        }
    }

    fn apply(&mut self, rule: &Rule) -> Result<(), Outcome> {
        if rule.ra == Saved::Undefined {
            return Err(Outcome::Root);
        }
        let cfa = self.cfa(rule.cfa)?;
        let same_stack = cfa > self.frame.sp && cfa - self.frame.sp <= MAX_FRAME;
        if !cfa.is_multiple_of(8) {
            return Err(Outcome::BadFrame);
        }
        if same_stack || rule.signal {
            return self.caller(rule, cfa, false);
        }
        self.switch_stack(rule, cfa)
    }

    /// The caller is on another stack (a coroutine's, a grown one), or the frame pointer is garbage. The
    /// former has a return address into known code just where the rule says.
    fn switch_stack(&mut self, rule: &Rule, cfa: u64) -> Result<(), Outcome> {
        self.switches += 1;
        if self.switches > MAX_SWITCHES || !depends_on_fp(rule.cfa) {
            return Err(Outcome::BadFrame);
        }
        self.caller(rule, cfa, true)?;
        match self.modules.lookup(self.frame.pc) {
            Lookup::Rule(_) => Ok(()),
            _ => Err(Outcome::BadFrame),
        }
    }

    /// Makes the caller the current frame.
    fn caller(&mut self, rule: &Rule, cfa: u64, far: bool) -> Result<(), Outcome> {
        let ra = self.saved(rule.ra, cfa, far, 0)?;
        let fp = self.saved(rule.fp, cfa, far, self.frame.fp)?;
        if ra == 0 {
            return Err(Outcome::Root);
        }
        let pc = if rule.signal { ra } else { ra - 1 };
        self.frame = Frame { pc, sp: cfa, fp, exact: rule.signal };
        Ok(())
    }

    fn cfa(&mut self, cfa: Cfa) -> Result<u64, Outcome> {
        match cfa {
            Cfa::Register { register, offset } => self.register_plus(register, offset),
            Cfa::Deref { register, offset, add } => {
                let at = self.register_plus(register, offset)?;
                Ok(self.read(at)?.wrapping_add_signed(i64::from(add)))
            }
            Cfa::Plt { pushed } => {
                let after_push = self.frame.pc % 16 >= u64::from(pushed);
                Ok(self.frame.sp.wrapping_add(if after_push { 16 } else { 8 }))
            }
            Cfa::Unsupported => Err(Outcome::Unsupported),
        }
    }

    fn saved(&mut self, saved: Saved, cfa: u64, far: bool, same: u64) -> Result<u64, Outcome> {
        let at = match saved {
            Saved::Same => return Ok(same),
            Saved::Undefined => return Ok(0),
            Saved::AtCfa(offset) => cfa.wrapping_add_signed(i64::from(offset)),
            Saved::At { register, offset } => self.register_plus(register, offset)?,
            Saved::Unsupported => return Err(Outcome::Unsupported),
        };
        if far { self.memory.far(at).ok_or(Outcome::BadFrame) } else { self.read(at) }
    }

    fn register_plus(&self, register: u8, offset: i32) -> Result<u64, Outcome> {
        let value = match register {
            SP => self.frame.sp,
            FP => self.frame.fp,
            // Other registers are not followed through calls.
            other if self.is_leaf() => {
                *self.start.general.get(usize::from(other)).ok_or(Outcome::Unsupported)?
            }
            _ => return Err(Outcome::Unsupported),
        };
        Ok(value.wrapping_add_signed(i64::from(offset)))
    }

    /// Reads a word of the current stack.
    fn read(&mut self, at: u64) -> Result<u64, Outcome> {
        let lowest = self.frame.sp.saturating_sub(if self.is_leaf() { RED_ZONE } else { 0 });
        if at < lowest || at - lowest > MAX_FRAME || !at.is_multiple_of(8) {
            return Err(Outcome::BadFrame);
        }
        self.memory.near(at).ok_or(Outcome::Unreadable)
    }

    fn at_signal_trampoline(&mut self) -> bool {
        let pc = self.frame.pc.wrapping_add(u64::from(!self.frame.exact));
        guess::is_sigreturn(pc, self.memory)
    }

    /// Looks for a return address in the next `words` words of the stack.
    fn guess(&mut self, words: u64) -> Result<(), Outcome> {
        for i in 0..words {
            let Ok(word) = self.read(self.frame.sp.wrapping_add(8 * i)) else { break };
            let known = matches!(self.modules.lookup(word.wrapping_sub(1)), Lookup::Rule(_));
            if known && guess::is_after_call(word, self.memory) {
                let sp = self.frame.sp.wrapping_add(8 * (i + 1));
                self.frame =
                    Frame { pc: word.wrapping_sub(1), sp, fp: self.frame.fp, exact: false };
                self.guessed = true;
                return Ok(());
            }
        }
        Err(if self.is_leaf() { self.no_rule() } else { Outcome::Root })
    }

    fn no_rule(&self) -> Outcome {
        match self.modules.lookup(self.frame.pc) {
            Lookup::NoModule => Outcome::NoModule,
            _ => Outcome::NoRule,
        }
    }
}

fn depends_on_fp(cfa: Cfa) -> bool {
    matches!(cfa, Cfa::Register { register: FP, .. } | Cfa::Deref { .. })
}
