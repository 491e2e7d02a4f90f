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
                1 => self.advance(low, row)?,
                2 => {
                    let offset = self.factored(cursor.uleb()?);
                    self.save(low, at_cfa(offset));
                }
                3 => self.save(low, self.restored(low)),
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
            0x00 => {}                                                               // nop
            0x02 => self.advance(u64::from(c.u8()?), row)?,                          // advance_loc1
            0x03 => self.advance(u64::from(c.u16()?), row)?,                         // advance_loc2
            0x04 => self.advance(u64::from(c.u32()?), row)?,                         // advance_loc4
            0x0a => self.remember()?, // remember_state
            0x0b => self.recall()?,   // restore_state
            0x0c => self.rule.cfa = cfa(c.uleb()?, c.uleb()?.cast_signed()), // def_cfa
            0x0d => self.cfa_register(c.uleb()?), // def_cfa_register
            0x0e => self.cfa_offset(c.uleb()?.cast_signed()), // def_cfa_offset
            0x0f => self.rule.cfa = expression::cfa(self.arch, block(c)?), // def_cfa_expression
            0x12 => self.rule.cfa = cfa(c.uleb()?, self.factored_signed(c.sleb()?)), // def_cfa_sf
            0x13 => self.cfa_offset(self.factored_signed(c.sleb()?)), // def_cfa_offset_sf
            0x2e => _ = c.uleb()?,    // GNU_args_size
            _ => return self.register_instruction(opcode, c),
        }
        Some(())
    }

    /// Instructions that say where one register is.
    fn register_instruction(&mut self, opcode: u8, c: &mut Cursor<'_>) -> Option<()> {
        if !matches!(opcode, 0x05..=0x09 | 0x10 | 0x11 | 0x14..=0x16 | 0x2f) {
            return None;
        }
        let register = c.uleb()?;
        let saved = match opcode {
            0x05 => at_cfa(self.factored(c.uleb()?)), // offset_extended
            0x06 => self.restored(register),          // restore_extended
            0x07 => Saved::Undefined,                 // undefined
            0x08 => Saved::Same,                      // same_value
            0x10 => expression::saved_at(block(c)?),  // expression
            0x11 => at_cfa(self.factored_signed(c.sleb()?)), // offset_extended_sf
            0x2f => at_cfa(self.factored(c.uleb()?).wrapping_neg()), // GNU_negative_offset_extended
            0x16 => block(c).map(|_| Saved::Unsupported)?, // val_expression
            _ => c.uleb().map(|_| Saved::Unsupported)?, // register, val_offset, val_offset_sf
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

fn at_cfa(offset: i64) -> Saved {
    i32::try_from(offset).map_or(Saved::Unsupported, Saved::AtCfa)
}

fn block<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let length = cursor.uleb()?;
    cursor.bytes(length)
}
