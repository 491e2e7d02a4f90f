//! The walk itself. It allocates nothing, takes no lock, cannot panic, and ends: every frame but a
//! few lies above its callee, and the room for frames is finite.

use super::{FP, Registers, SP, guess};
use crate::{Cfa, Lookup, Memory, Module, Modules, Outcome, Rule, Saved, Walk};

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
        last: None,
        memory,
        start,
        frame: Frame { pc: start.pc, sp: start.sp(), fp: Value::Start, exact: true },
        depth: 0,
        switches: 0,
        guessed: false,
        uses_fp: false,
    };
    let outcome = walker.run(frames);
    let Walker { depth, guessed, uses_fp, .. } = walker;
    Walk { depth, outcome, guessed, uses_fp }
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
    fp: Value,
    /// Whether `pc` is of an instruction about to run, not inside a call.
    exact: bool,
}

/// The value of a register in a frame. Frame pointers are read when a rule asks for them, which few do: most code keeps
/// anything else in that register.
#[derive(Clone, Copy)]
enum Value {
    Known(u64),
    /// What is at this address of the stack, which is in bounds.
    At(u64),
    /// The frame pointer that the walk started with.
    Start,
}

struct Walker<'a, M> {
    modules: &'a Modules,
    /// The module of the frame before, which most callers are in, too.
    last: Option<&'a Module>,
    memory: &'a mut M,
    start: &'a Registers,
    frame: Frame,
    depth: usize,
    switches: u32,
    guessed: bool,
    uses_fp: bool,
}

impl<'a, M: Memory> Walker<'a, M> {
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
        match self.lookup() {
            Lookup::Rule(rule) => self.apply(rule),
            Lookup::NoRule if self.at_signal_trampoline() => self.apply(&SIGNAL_FRAME),
            Lookup::NoRule => self.guess(GUESS_WORDS),
            // Run-time generated code is called like any other: its first instruction sees the return
            // address on top of the stack. Anything deeper would be a wild guess.
            Lookup::NoModule if self.is_leaf() => self.guess(1),
            Lookup::NoModule => Err(Outcome::NoModule),
        }
    }

    #[inline]
    fn lookup(&mut self) -> Lookup<'a> {
        let pc = self.frame.pc;
        if !self.last.is_some_and(|module| module.text.contains(&pc)) {
            self.last = self.modules.module(pc);
        }
        self.last.map_or(Lookup::NoModule, |module| module.lookup(pc))
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
        let ra = self.saved(rule.ra, cfa, far, Value::Known(0))?;
        let ra = self.value(ra)?;
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

    fn saved(&mut self, saved: Saved, cfa: u64, far: bool, same: Value) -> Result<Value, Outcome> {
        let at = match saved {
            Saved::Same => return Ok(same),
            Saved::Undefined => return Ok(Value::Known(0)),
            Saved::AtCfa(offset) => cfa.wrapping_add_signed(i64::from(offset)),
            Saved::In { register } => return self.register_plus(register, 0).map(Value::Known),
            Saved::At { register, offset } => self.register_plus(register, offset)?,
            Saved::Unsupported => return Err(Outcome::Unsupported),
        };
        if far {
            return self.memory.far(at).map(Value::Known).ok_or(Outcome::BadFrame);
        }
        self.check_bounds(at)?;
        Ok(Value::At(at))
    }

    fn value(&mut self, value: Value) -> Result<u64, Outcome> {
        match value {
            Value::Known(value) => Ok(value),
            Value::At(at) => self.memory.near(at).ok_or(Outcome::Unreadable),
            Value::Start => {
                self.uses_fp = true;
                Ok(self.start.fp())
            }
        }
    }

    fn register_plus(&mut self, register: u8, offset: i32) -> Result<u64, Outcome> {
        let value = match register {
            SP => self.frame.sp,
            FP => {
                let fp = self.value(self.frame.fp)?;
                self.frame.fp = Value::Known(fp);
                fp
            }
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
        self.check_bounds(at)?;
        self.memory.near(at).ok_or(Outcome::Unreadable)
    }

    /// Checks that an address is a word's on the current stack.
    fn check_bounds(&self, at: u64) -> Result<(), Outcome> {
        let lowest = self.frame.sp.saturating_sub(if self.is_leaf() { RED_ZONE } else { 0 });
        if at < lowest || at - lowest > MAX_FRAME || !at.is_multiple_of(8) {
            return Err(Outcome::BadFrame);
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::Table;

    /// Where the code of these tests is, and where their stack.
    const TEXT: u64 = 0x40_0000;
    const STACK: u64 = 0x7000_0000;
    /// Rules of the code, by distance from its start.
    const PUSHED: u64 = TEXT;
    const BY_FP: u64 = TEXT + 0x100;
    const ROOT: u64 = TEXT + 0x200;
    const PLT: u64 = TEXT + 0x300;
    const TRAMPOLINE: u64 = TEXT + 0x400;
    const REALIGNED: u64 = TEXT + 0x500;
    const BY_R10: u64 = TEXT + 0x600;
    const NO_RULE: u64 = TEXT + 0x700;
    const UNSUPPORTED: u64 = TEXT + 0x800;
    const TEXT_SIZE: u64 = 0x900;

    fn modules() -> Modules {
        let rule = |cfa, fp| Rule { cfa, fp, ra: Saved::AtCfa(-8), signal: false };
        let register = |register, offset| Cfa::Register { register, offset };
        let pushed = rule(register(SP, 16), Saved::Same);
        let rules = [
            (PUSHED, Some(pushed)),
            (BY_FP, Some(rule(register(FP, 16), Saved::AtCfa(-16)))),
            (ROOT, Some(Rule { ra: Saved::Undefined, ..pushed })),
            (PLT, Some(rule(Cfa::Plt { pushed: 11 }, Saved::Same))),
            (TRAMPOLINE, Some(SIGNAL_FRAME)),
            (
                REALIGNED,
                Some(rule(
                    Cfa::Deref { register: FP, offset: -8, add: 0 },
                    Saved::At { register: FP, offset: 0 },
                )),
            ),
            (BY_R10, Some(rule(register(10, 0), Saved::Same))),
            (NO_RULE, None),
            (UNSUPPORTED, Some(rule(Cfa::Unsupported, Saved::Same))),
        ];
        let rows = rules.map(|(address, rule)| ((address - TEXT) as u32, rule));
        let table = Arc::new(Table::of(TEXT_SIZE, &rows));
        Modules::new(vec![Module { text: TEXT..TEXT + TEXT_SIZE, table: Some(table) }])
    }

    /// Words by address; what is not there cannot be read.
    #[derive(Clone, Default)]
    struct Words(BTreeMap<u64, u64>);

    impl Words {
        /// Words of the stack from its top on.
        fn stack(words: &[u64]) -> Self {
            Self::default().with(STACK, words)
        }

        fn with(mut self, address: u64, words: &[u64]) -> Self {
            self.0.extend((0..).map(|i| address + 8 * i).zip(words.iter().copied()));
            self
        }

        /// Makes the code before `address` a call.
        fn call_before(self, address: u64) -> Self {
            self.with(address - 8, &[u64::from_le_bytes([0, 0, 0, 0xe8, 0, 0, 0, 0])])
        }
    }

    impl Memory for Words {
        fn near(&mut self, address: u64) -> Option<u64> {
            self.0.get(&address).copied()
        }

        fn far(&mut self, address: u64) -> Option<u64> {
            self.0.get(&address).copied()
        }
    }

    fn at(pc: u64) -> Registers {
        let mut registers = Registers { pc, ..Registers::default() };
        registers.general[SP as usize] = STACK;
        registers
    }

    fn with_fp(mut registers: Registers, fp: u64) -> Registers {
        registers.general[FP as usize] = fp;
        registers
    }

    #[track_caller]
    fn check(start: Registers, mut memory: Words, frames: &[u64], outcome: Outcome, guessed: bool) {
        let mut room = [0; 6];
        let walked = walk(&modules(), &start, &mut memory, &mut room);
        let Walk { depth, .. } = walked;
        assert_eq!((&room[..depth], depth), (frames, frames.len()));
        assert_eq!((walked.outcome, walked.guessed), (outcome, guessed));
    }

    #[test]
    fn to_the_root() {
        let stack = Words::stack(&[0, PUSHED + 5, 0, BY_FP + 7, 1, 2, 0, ROOT + 9]);
        let start = with_fp(at(PUSHED + 3), STACK + 48);
        let frames = [PUSHED + 3, PUSHED + 4, BY_FP + 6, ROOT + 8];
        check(start, stack, &frames, Outcome::Root, false);
        check(at(PUSHED), Words::stack(&[0, 0]), &[PUSHED], Outcome::Root, false);
    }

    #[test]
    fn room_for_frames_ends() {
        let stack = [0, PUSHED + 5].repeat(10);
        let frames = [[PUSHED].as_slice(), &[PUSHED + 4; 5]].concat();
        check(at(PUSHED), Words::stack(&stack), &frames, Outcome::TooDeep, false);
    }

    #[test]
    fn through_a_linkage_table() {
        check(at(PLT), Words::stack(&[ROOT + 5]), &[PLT, ROOT + 4], Outcome::Root, false);
        let after_push = Words::stack(&[7, ROOT + 5]);
        check(at(PLT + 11), after_push, &[PLT + 11, ROOT + 4], Outcome::Root, false);
    }

    #[test]
    fn through_a_signal_handler() {
        let interrupted = STACK + 0x10_0000;
        let memory = Words::stack(&[0, TRAMPOLINE])
            .with(STACK + 16 + 120, &[0x1234]) // rbp
            .with(STACK + 16 + 160, &[interrupted, ROOT]) // rsp, rip
            .call_before(TRAMPOLINE);
        // The trampoline's own address counts as inside a call, the interrupted one is exact.
        let mut memory = memory;
        memory.0.insert(STACK + 8, TRAMPOLINE + 1);
        check(at(PUSHED), memory, &[PUSHED, TRAMPOLINE, ROOT], Outcome::Root, false);
    }

    #[test]
    fn through_a_trampoline_that_nothing_describes() {
        let code = u64::from_le_bytes([0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f]);
        let memory = Words::stack(&[0, NO_RULE + 1])
            .with(STACK + 16 + 120, &[0x1234])
            .with(STACK + 16 + 160, &[STACK + 0x800, ROOT])
            .with(NO_RULE + 1, &[code]);
        check(at(PUSHED), memory, &[PUSHED, NO_RULE, ROOT], Outcome::Root, false);
    }

    #[test]
    fn through_a_realigned_stack() {
        // fp - 8 holds the frame address, fp the caller's frame pointer.
        let memory = Words::stack(&[0, STACK + 64, 0x5555]).with(STACK + 56, &[ROOT + 1]);
        let start = with_fp(at(REALIGNED), STACK + 16);
        check(start, memory, &[REALIGNED, ROOT], Outcome::Root, false);
    }

    #[test]
    fn other_registers_are_known_in_the_leaf_only() {
        let mut start = at(BY_R10);
        start.general[10] = STACK + 16;
        check(start, Words::stack(&[0, ROOT + 1]), &[BY_R10, ROOT], Outcome::Root, false);
        let stack = Words::stack(&[0, BY_R10 + 1]);
        check(at(PUSHED), stack, &[PUSHED, BY_R10], Outcome::Unsupported, false);
    }

    #[test]
    fn to_another_stack_and_no_further() {
        let other = STACK - 0x1000_0000;
        let memory = Words::stack(&[]).with(other, &[0x77, ROOT + 1]);
        check(with_fp(at(BY_FP), other), memory, &[BY_FP, ROOT], Outcome::Root, false);
        // A frame pointer that is garbage points to no return address.
        let memory = Words::stack(&[]).with(other, &[0x77, 0x1234]);
        check(with_fp(at(BY_FP), other), memory, &[BY_FP], Outcome::BadFrame, false);
        check(with_fp(at(BY_FP), other + 1), Words::default(), &[BY_FP], Outcome::BadFrame, false);
        check(with_fp(at(BY_FP), 0), Words::default(), &[BY_FP], Outcome::BadFrame, false);
    }

    #[test]
    fn frame_pointers_are_read_where_rules_use_them() {
        let check = |start, memory: &Words, frames: &[u64], uses_fp| {
            check(start, memory.clone(), frames, Outcome::Root, false);
            let walked = walk(&modules(), &start, &mut memory.clone(), &mut [0; 6]);
            assert_eq!(walked.uses_fp, uses_fp);
        };
        check(at(PUSHED), &Words::stack(&[0, ROOT + 1]), &[PUSHED, ROOT], false);
        let by_fp = with_fp(at(BY_FP), STACK + 8);
        check(by_fp, &Words::stack(&[0, 0, ROOT + 1]), &[BY_FP, ROOT], true);
        // Through a frame that leaves it where it is.
        let memory = Words::stack(&[0, BY_FP + 1, 0, 0, ROOT + 1]);
        check(with_fp(at(PUSHED), STACK + 24), &memory, &[PUSHED, BY_FP, ROOT], true);
        // What it was before is not used by the frames that follow, so it need not be readable.
        let mut memory = Words::stack(&[0, 0, ROOT + 1]);
        memory.0.remove(&(STACK + 8));
        check(by_fp, &memory, &[BY_FP, ROOT], true);
    }

    #[test]
    fn stacks_that_circle_end() {
        let memory = Words::default().with(STACK, &[STACK, BY_FP + 1]);
        let frames = [BY_FP; 6];
        check(with_fp(at(BY_FP), STACK), memory, &frames, Outcome::TooDeep, false);
    }

    #[test]
    fn what_cannot_be_read_or_interpreted() {
        check(at(PUSHED), Words::stack(&[]), &[PUSHED], Outcome::Unreadable, false);
        check(at(UNSUPPORTED), Words::stack(&[0]), &[UNSUPPORTED], Outcome::Unsupported, false);
    }

    #[test]
    fn callers_of_code_without_rules_are_guessed() {
        let memory = Words::stack(&[1, PUSHED + 1, PUSHED + 9, 3, ROOT + 9]);
        // Only an address after a call can be a return address.
        let memory = memory.call_before(PUSHED + 9).with(PUSHED - 7, &[0]);
        let frames = [NO_RULE, PUSHED + 8, ROOT + 8];
        check(at(NO_RULE), memory, &frames, Outcome::Root, true);
        check(at(NO_RULE), Words::stack(&[1, 2, 3]), &[NO_RULE], Outcome::NoRule, false);
        // The root of musl's threads.
        let memory = Words::stack(&[0, NO_RULE + 1, 5, 6, 7]);
        check(at(PUSHED), memory, &[PUSHED, NO_RULE], Outcome::Root, false);
    }

    #[test]
    fn code_in_no_module() {
        let memory = Words::stack(&[PUSHED + 9, 0, ROOT + 1]).call_before(PUSHED + 9);
        check(at(0x1234), memory, &[0x1234, PUSHED + 8, ROOT], Outcome::Root, true);
        check(at(0x1234), Words::stack(&[5]), &[0x1234], Outcome::NoModule, false);
        let memory = Words::stack(&[0, 0x1235]);
        check(at(PUSHED), memory, &[PUSHED, 0x1234], Outcome::NoModule, false);
    }
}
