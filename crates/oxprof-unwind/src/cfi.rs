//! Running the instructions of call-frame information, once, to list the rules of a function.

use crate::cursor::Cursor;
use crate::eh_frame::{Cie, Fde};
use crate::{Arch, Cfa, Rule, Saved, expression};

/// Nesting of `DW_CFA_remember_state` that is followed; compilers use 1, rarely 2.
const MAX_REMEMBERED: usize = 16;

/// Calls `row` with the address from which each rule of `fde` holds, in ascending order.
///
/// Returns `None`, having called `row` for what came before, at an instruction that is malformed.
pub(crate) fn rows(arch: &Arch, fde: &Fde<'_>, mut row: impl FnMut(u64, &Rule)) -> Option<()> {
    let mut machine = Machine::new(arch, fde);
    machine.run(fde.cie.instructions, &mut |_, _| {})?;
    machine.initial = machine.rule;
    machine.pc = fde.range.start;
    let done = machine.run(fde.instructions, &mut row);
    row(machine.pc, &machine.rule);
    done
}

/// Instructions, as DWARF names them without `DW_CFA_`. Absent are those that only other platforms use.
mod op {
    /// In the upper two bits, with an operand in the others.
    pub(super) const ADVANCE_LOC: u8 = 1;
    pub(super) const OFFSET: u8 = 2;
    pub(super) const RESTORE: u8 = 3;

    pub(super) const NOP: u8 = 0x00;
    pub(super) const ADVANCE_LOC1: u8 = 0x02;
    pub(super) const ADVANCE_LOC2: u8 = 0x03;
    pub(super) const ADVANCE_LOC4: u8 = 0x04;
    pub(super) const OFFSET_EXTENDED: u8 = 0x05;
    pub(super) const RESTORE_EXTENDED: u8 = 0x06;
    pub(super) const UNDEFINED: u8 = 0x07;
    pub(super) const SAME_VALUE: u8 = 0x08;
    pub(super) const REGISTER: u8 = 0x09;
    pub(super) const REMEMBER_STATE: u8 = 0x0a;
    pub(super) const RESTORE_STATE: u8 = 0x0b;
    pub(super) const DEF_CFA: u8 = 0x0c;
    pub(super) const DEF_CFA_REGISTER: u8 = 0x0d;
    pub(super) const DEF_CFA_OFFSET: u8 = 0x0e;
    pub(super) const DEF_CFA_EXPRESSION: u8 = 0x0f;
    pub(super) const EXPRESSION: u8 = 0x10;
    pub(super) const OFFSET_EXTENDED_SF: u8 = 0x11;
    pub(super) const DEF_CFA_SF: u8 = 0x12;
    pub(super) const DEF_CFA_OFFSET_SF: u8 = 0x13;
    pub(super) const VAL_OFFSET: u8 = 0x14;
    pub(super) const VAL_OFFSET_SF: u8 = 0x15;
    pub(super) const VAL_EXPRESSION: u8 = 0x16;
    pub(super) const GNU_ARGS_SIZE: u8 = 0x2e;
    pub(super) const GNU_NEGATIVE_OFFSET_EXTENDED: u8 = 0x2f;

    /// Instructions whose first operand is a register, to say where it is.
    pub(super) const OF_A_REGISTER: [u8; 11] = [
        OFFSET_EXTENDED,
        RESTORE_EXTENDED,
        UNDEFINED,
        SAME_VALUE,
        REGISTER,
        EXPRESSION,
        OFFSET_EXTENDED_SF,
        VAL_OFFSET,
        VAL_OFFSET_SF,
        VAL_EXPRESSION,
        GNU_NEGATIVE_OFFSET_EXTENDED,
    ];
}

struct Machine<'a> {
    arch: &'a Arch,
    cie: &'a Cie<'a>,
    pc: u64,
    end: u64,
    rule: Rule,
    /// What the CIE set up, for `DW_CFA_restore`.
    initial: Rule,
    remembered: [Rule; MAX_REMEMBERED],
    depth: usize,
}

impl<'a> Machine<'a> {
    fn new(arch: &'a Arch, fde: &'a Fde<'a>) -> Self {
        let rule = Rule {
            cfa: Cfa::Unsupported,
            fp: Saved::Same,
            ra: Saved::Same,
            signal: fde.cie.signal,
        };
        let (pc, end) = (fde.range.start, fde.range.end);
        let remembered = [rule; MAX_REMEMBERED];
        Self { arch, cie: &fde.cie, pc, end, rule, initial: rule, remembered, depth: 0 }
    }

    fn run(&mut self, program: &[u8], row: &mut dyn FnMut(u64, &Rule)) -> Option<()> {
        let mut cursor = Cursor::new(program);
        while !cursor.is_empty() {
            let opcode = cursor.u8()?;
            let low = u64::from(opcode & 0x3f);
            match opcode >> 6 {
                op::ADVANCE_LOC => self.advance(low, row)?,
                op::OFFSET => {
                    let offset = self.factored(cursor.uleb()?);
                    self.save(low, at_cfa(offset));
                }
                op::RESTORE => self.save(low, self.restored(low)),
                _ => self.extended(opcode, &mut cursor, row)?,
            }
        }
        Some(())
    }

    fn extended(
        &mut self,
        opcode: u8,
        c: &mut Cursor<'_>,
        row: &mut dyn FnMut(u64, &Rule),
    ) -> Option<()> {
        match opcode {
            op::NOP => {}
            op::ADVANCE_LOC1 => self.advance(u64::from(c.u8()?), row)?,
            op::ADVANCE_LOC2 => self.advance(u64::from(c.u16()?), row)?,
            op::ADVANCE_LOC4 => self.advance(u64::from(c.u32()?), row)?,
            op::REMEMBER_STATE => self.remember()?,
            op::RESTORE_STATE => self.recall()?,
            op::DEF_CFA => self.rule.cfa = cfa(c.uleb()?, c.uleb()?.cast_signed()),
            op::DEF_CFA_SF => self.rule.cfa = cfa(c.uleb()?, self.factored_signed(c.sleb()?)),
            op::DEF_CFA_REGISTER => self.cfa_register(c.uleb()?),
            op::DEF_CFA_OFFSET => self.cfa_offset(c.uleb()?.cast_signed()),
            op::DEF_CFA_OFFSET_SF => self.cfa_offset(self.factored_signed(c.sleb()?)),
            op::DEF_CFA_EXPRESSION => self.rule.cfa = expression::cfa(self.arch, block(c)?),
            op::GNU_ARGS_SIZE => _ = c.uleb()?,
            _ => return self.register_instruction(opcode, c),
        }
        Some(())
    }

    /// Instructions that say where one register is.
    fn register_instruction(&mut self, opcode: u8, c: &mut Cursor<'_>) -> Option<()> {
        if !op::OF_A_REGISTER.contains(&opcode) {
            return None;
        }
        let register = c.uleb()?;
        let saved = match opcode {
            op::OFFSET_EXTENDED => at_cfa(self.factored(c.uleb()?)),
            op::OFFSET_EXTENDED_SF => at_cfa(self.factored_signed(c.sleb()?)),
            op::GNU_NEGATIVE_OFFSET_EXTENDED => at_cfa(self.factored(c.uleb()?).wrapping_neg()),
            op::RESTORE_EXTENDED => self.restored(register),
            op::UNDEFINED => Saved::Undefined,
            op::SAME_VALUE => Saved::Same,
            op::REGISTER => in_register(c.uleb()?),
            op::EXPRESSION => expression::saved_at(block(c)?),
            op::VAL_EXPRESSION => block(c).map(|_| Saved::Unsupported)?,
            _ => c.uleb().map(|_| Saved::Unsupported)?, // VAL_OFFSET, VAL_OFFSET_SF
        };
        self.save(register, saved);
        Some(())
    }

    fn advance(&mut self, delta: u64, row: &mut dyn FnMut(u64, &Rule)) -> Option<()> {
        let next = self.pc.checked_add(delta.checked_mul(self.cie.code_align)?)?;
        if next > self.end {
            return None;
        }
        if next != self.pc {
            row(self.pc, &self.rule);
        }
        self.pc = next;
        Some(())
    }

    fn save(&mut self, register: u64, saved: Saved) {
        if let Some(slot) = self.slot(register) {
            *slot = saved;
        }
    }

    /// What the CIE says of a register.
    fn restored(&self, register: u64) -> Saved {
        if register == u64::from(self.arch.fp) { self.initial.fp } else { self.initial.ra }
    }

    fn slot(&mut self, register: u64) -> Option<&mut Saved> {
        if register == u64::from(self.arch.fp) {
            Some(&mut self.rule.fp)
        } else if register == self.cie.return_register {
            Some(&mut self.rule.ra)
        } else {
            None
        }
    }

    fn remember(&mut self) -> Option<()> {
        *self.remembered.get_mut(self.depth)? = self.rule;
        self.depth += 1;
        Some(())
    }

    fn recall(&mut self) -> Option<()> {
        self.depth = self.depth.checked_sub(1)?;
        self.rule = self.remembered[self.depth];
        Some(())
    }

    fn cfa_register(&mut self, register: u64) {
        self.rule.cfa = match self.rule.cfa {
            Cfa::Register { offset, .. } => cfa(register, i64::from(offset)),
            _ => Cfa::Unsupported,
        };
    }

    fn cfa_offset(&mut self, offset: i64) {
        self.rule.cfa = match self.rule.cfa {
            Cfa::Register { register, .. } => cfa(u64::from(register), offset),
            _ => Cfa::Unsupported,
        };
    }

    fn factored(&self, offset: u64) -> i64 {
        self.factored_signed(offset.cast_signed())
    }

    fn factored_signed(&self, offset: i64) -> i64 {
        offset.wrapping_mul(self.cie.data_align)
    }
}

fn cfa(register: u64, offset: i64) -> Cfa {
    match (u8::try_from(register), i32::try_from(offset)) {
        (Ok(register), Ok(offset)) => Cfa::Register { register, offset },
        _ => Cfa::Unsupported,
    }
}

fn in_register(register: u64) -> Saved {
    u8::try_from(register).map_or(Saved::Unsupported, |register| Saved::In { register })
}

fn at_cfa(offset: i64) -> Saved {
    i32::try_from(offset).map_or(Saved::Unsupported, Saved::AtCfa)
}

fn block<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let length = cursor.uleb()?;
    cursor.bytes(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eh_frame::tests::section;
    use crate::{EhFrame, Table};

    const START: u64 = 0x1000;

    /// The rules at some distances into a function whose common entry says `sp + 8`, return address below.
    fn check(program: &[u8], expected: &[(u64, Option<Rule>)]) {
        let common = [op::DEF_CFA, 7, 8, op::OFFSET << 6 | 16, 1];
        let bytes = section(&common, program, START, 0x20);
        let section = EhFrame { bytes: &bytes, address: 0 };
        let (table, _) = Table::compile(&Arch::X86_64, &section, START..START + 0x1000).unwrap();
        for (offset, rule) in expected {
            assert_eq!(table.lookup(*offset).copied(), *rule, "at {offset:#x} of {program:02x?}");
        }
    }

    fn rule(cfa: Cfa, fp: Saved) -> Option<Rule> {
        Some(Rule { cfa, fp, ra: Saved::AtCfa(-8), signal: false })
    }

    fn sp(offset: i32) -> Cfa {
        Cfa::Register { register: 7, offset }
    }

    #[test]
    fn a_function_with_a_frame_pointer() {
        let push = [0x41, op::DEF_CFA_OFFSET, 16, op::OFFSET << 6 | 6, 2];
        let mov = [0x43, op::DEF_CFA_REGISTER, 6];
        let leave = [0x42, op::DEF_CFA, 7, 8, op::RESTORE << 6 | 6];
        let by_fp = rule(Cfa::Register { register: 6, offset: 16 }, Saved::AtCfa(-16));
        check(
            &[&push[..], &mov, &leave].concat(),
            &[
                (0, rule(sp(8), Saved::Same)),
                (1, rule(sp(16), Saved::AtCfa(-16))),
                (3, rule(sp(16), Saved::AtCfa(-16))),
                (4, by_fp),
                (5, by_fp),
                (6, rule(sp(8), Saved::Same)),
                (0x1f, rule(sp(8), Saved::Same)),
                (0x20, None),
            ],
        );
    }

    #[test]
    fn states_are_remembered() {
        let program = [op::REMEMBER_STATE, 0x44, op::DEF_CFA_OFFSET, 32, 0x44, op::RESTORE_STATE];
        let (small, large) = (rule(sp(8), Saved::Same), rule(sp(32), Saved::Same));
        check(&program, &[(3, small), (4, large), (7, large), (8, small)]);
    }

    #[test]
    fn what_precedes_a_malformed_instruction_holds() {
        check(
            &[0x44, op::DEF_CFA_OFFSET, 32, 0x3f],
            &[(0, rule(sp(8), Saved::Same)), (4, rule(sp(32), Saved::Same))],
        );
        check(&[op::RESTORE_STATE], &[(0, rule(sp(8), Saved::Same))]);
    }

    #[test]
    fn the_root_has_no_return_address() {
        let root = Rule { cfa: sp(8), fp: Saved::Same, ra: Saved::Undefined, signal: false };
        check(&[op::UNDEFINED, 16], &[(0, Some(root))]);
    }

    #[test]
    fn realigned_stacks() {
        let program = [op::DEF_CFA_EXPRESSION, 3, 0x76, 0x78, 0x06, op::EXPRESSION, 6, 2, 0x76, 0];
        let cfa = Cfa::Deref { register: 6, offset: -8, add: 0 };
        check(&program, &[(0, rule(cfa, Saved::At { register: 6, offset: 0 }))]);
        check(
            &[op::DEF_CFA, 10, 0],
            &[(0, rule(Cfa::Register { register: 10, offset: 0 }, Saved::Same))],
        );
    }
}
