//! ARM with 64 bits.

use yaxpeax_arch::{Decoder as _, U8Reader};
use yaxpeax_arm::armv8::a64::{InstDecoder, Instruction as Decoded, Opcode, Operand};

use super::{Instruction, Names, place};
use crate::Svma;

/// Every instruction is this long.
const LEN: usize = 4;

pub(super) fn disassemble(code: &[u8], start: Svma, names: Names<'_>) -> Vec<Instruction> {
    let decoder = InstDecoder::default();
    let addresses = (start.0..).step_by(LEN).map(Svma);
    let mut out = Vec::with_capacity(code.len() / LEN);
    for (address, word) in addresses.zip(code.chunks_exact(LEN)) {
        let decoded = decoder.decode(&mut U8Reader::new(word)).ok();
        let target = decoded.as_ref().and_then(|d| target(d, address));
        let text = match decoded {
            Some(decoded) => text(&decoded, address, names),
            None => {
                let word = u32::from_le_bytes(word.try_into().expect("chunks are of four bytes"));
                format!(".inst  {word:#010x} ; undefined")
            }
        };
        let is_branch = target.is_some_and(|t| t.is_branch);
        let target = target.filter(|_| is_branch).map(|t| t.address);
        out.push(Instruction { address, len: LEN as u8, text, target });
    }
    out
}

/// An address that an instruction computes from its own.
#[derive(Clone, Copy)]
struct Target {
    address: Svma,
    is_branch: bool,
}

fn target(decoded: &Decoded, at: Svma) -> Option<Target> {
    let offset = decoded.operands.iter().find_map(|operand| match operand {
        Operand::PCOffset(offset) => Some(*offset),
        _ => None,
    })?;
    // ADRP counts in pages from the page that it is on.
    let base = if decoded.opcode == Opcode::ADRP { at.0 & !0xfff } else { at.0 };
    let is_branch = !matches!(
        decoded.opcode,
        Opcode::ADR | Opcode::ADRP | Opcode::LDR | Opcode::LDRSW | Opcode::PRFM
    );
    Some(Target { address: Svma(base.wrapping_add_signed(offset)), is_branch })
}

/// The decoder writes addresses relative to the instruction, as its last operand: `b.eq $+0x10`.
fn text(decoded: &Decoded, at: Svma, names: Names<'_>) -> String {
    let plain = decoded.to_string();
    let (mnemonic, operands) = plain.split_once(' ').unwrap_or((&plain, ""));
    let operands = match (target(decoded, at), operands.find('$')) {
        (Some(target), Some(cut)) => {
            format!("{}{}", &operands[..cut], place(target.address, names))
        }
        _ => operands.to_owned(),
    };
    if operands.is_empty() { mnemonic.to_owned() } else { format!("{mnemonic:<6} {operands}") }
}
