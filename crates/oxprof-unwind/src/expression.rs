//! The few DWARF expressions that compilers, linkers and C libraries put into call-frame information.
//!
//! An expression is a program; running programs in a signal handler is what tables avoid. These shapes
//! cover every expression met in the wild on x86-64, so they are recognised instead of run.

use crate::cursor::Cursor;
use crate::rule::Cfa;
use crate::{Arch, Saved};

const OP_DEREF: u8 = 0x06;
const OP_AND: u8 = 0x1a;
const OP_PLUS: u8 = 0x22;
const OP_PLUS_UCONST: u8 = 0x23;
const OP_SHL: u8 = 0x24;
const OP_GE: u8 = 0x2a;
const OP_LIT0: u8 = 0x30;
const OP_BREG0: u8 = 0x70;

/// The canonical frame address that `bytes` compute.
pub(crate) fn cfa(arch: &Arch, bytes: &[u8]) -> Cfa {
    plt(arch, bytes).or_else(|| register_based(bytes)).unwrap_or(Cfa::Unsupported)
}

/// Where `bytes` say a register was saved: only `register + offset`.
pub(crate) fn saved_at(bytes: &[u8]) -> Saved {
    match register_based(bytes) {
        Some(Cfa::Register { register, offset }) => Saved::At { register, offset },
        _ => Saved::Unsupported,
    }
}

/// `register + offset`, `*(register + offset)` and `*(register + offset) + add`.
fn register_based(bytes: &[u8]) -> Option<Cfa> {
    let mut cursor = Cursor::new(bytes);
    let (register, offset) = base(&mut cursor)?;
    if cursor.is_empty() {
        return Some(Cfa::Register { register, offset });
    }
    if cursor.u8()? != OP_DEREF {
        return None;
    }
    let add = if cursor.is_empty() { 0 } else { addend(&mut cursor)? };
    cursor.is_empty().then_some(Cfa::Deref { register, offset, add })
}

fn base(cursor: &mut Cursor<'_>) -> Option<(u8, i32)> {
    let register = cursor.u8()?.checked_sub(OP_BREG0).filter(|r| *r < 32)?;
    Some((register, i32::try_from(cursor.sleb()?).ok()?))
}

fn addend(cursor: &mut Cursor<'_>) -> Option<i32> {
    match cursor.u8()? {
        OP_PLUS_UCONST => i32::try_from(cursor.uleb()?).ok(),
        literal => {
            let value = literal.checked_sub(OP_LIT0).filter(|v| *v < 32)?;
            (cursor.u8()? == OP_PLUS).then_some(i32::from(value))
        }
    }
}

/// `sp + 8 + (((pc & 15) >= pushed) << 3)`, which linkers write for `.plt`.
fn plt(arch: &Arch, bytes: &[u8]) -> Option<Cfa> {
    let mut cursor = Cursor::new(bytes);
    let (sp, eight) = base(&mut cursor)?;
    let (pc, zero) = base(&mut cursor)?;
    let &[lit15, OP_AND, pushed, OP_GE, lit3, OP_SHL, OP_PLUS] = cursor.rest() else { return None };
    let registers = u16::from(sp) == arch.sp && u16::from(pc) == arch.pc;
    let constants = eight == 8 && zero == 0 && lit15 == OP_LIT0 + 15 && lit3 == OP_LIT0 + 3;
    let pushed = pushed.checked_sub(OP_LIT0).filter(|v| *v < 16)?;
    (registers && constants).then_some(Cfa::Plt { pushed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let check = |bytes: &[u8], expected: Cfa| assert_eq!(cfa(&Arch::X86_64, bytes), expected);
        check(
            &[0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22],
            Cfa::Plt { pushed: 11 },
        );
        check(&[0x76, 0x78, 0x06], Cfa::Deref { register: 6, offset: -8, add: 0 });
        check(&[0x77, 0xa0, 1, 0x06], Cfa::Deref { register: 7, offset: 160, add: 0 });
        check(&[0x77, 16, 0x06, 0x23, 8], Cfa::Deref { register: 7, offset: 16, add: 8 });
        check(&[0x77, 16, 0x06, 0x38, 0x22], Cfa::Deref { register: 7, offset: 16, add: 8 });
        check(&[0x76, 0], Cfa::Register { register: 6, offset: 0 });
        check(&[0x77, 16, 0x06, 0x06], Cfa::Unsupported);
        check(&[0x77], Cfa::Unsupported);
        check(&[], Cfa::Unsupported);
    }
}
