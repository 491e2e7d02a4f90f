//! Recognising code by its bytes, where nothing describes it.

use crate::Memory;

/// `mov $15, %rax; syscall`, its first eight bytes.
const SIGRETURN: [u8; 8] = [0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f];

/// Whether the code at `pc` is a trampoline into `rt_sigreturn`.
pub(super) fn is_sigreturn(pc: u64, memory: &mut impl Memory) -> bool {
    memory.far(pc) == Some(u64::from_le_bytes(SIGRETURN))
}

/// Whether the instruction that ends at `address` is a call.
pub(super) fn is_after_call(address: u64, memory: &mut impl Memory) -> bool {
    let Some(start) = address.checked_sub(8) else { return false };
    memory.far(start).is_some_and(|word| ends_with_call(word.to_le_bytes()))
}

/// Direct calls are `e8` and four bytes; indirect ones `ff /2`, two to seven bytes long.
fn ends_with_call(bytes: [u8; 8]) -> bool {
    bytes[3] == 0xe8
        || (2..=7).any(|length| {
            let (opcode, modrm, sib) =
                (bytes[8 - length], bytes[9 - length], bytes[(10 - length).min(7)]);
            opcode == 0xff && modrm >> 3 & 7 == 2 && length_of(modrm, sib) == length
        })
}

/// Bytes of a one-byte opcode with this operand.
fn length_of(modrm: u8, sib: u8) -> usize {
    let (mode, operand) = (modrm >> 6, modrm & 7);
    let sib_bytes = usize::from(operand == 4 && mode != 3);
    let displacement = match mode {
        0 if operand == 5 || (operand == 4 && sib & 7 == 5) => 4,
        1 => 1,
        2 => 4,
        _ => 0,
    };
    2 + sib_bytes + displacement
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls() {
        let check = |code: &[u8], expected| {
            let mut bytes = [0x90; 8];
            bytes[8 - code.len()..].copy_from_slice(code);
            assert_eq!(ends_with_call(bytes), expected, "{code:02x?}");
        };
        check(&[0xe8, 1, 2, 3, 4], true);
        check(&[0xff, 0xd0], true); // call *%rax
        check(&[0x41, 0xff, 0xd4], true); // call *%r12
        check(&[0xff, 0x10], true); // call *(%rax)
        check(&[0xff, 0x14, 0x24], true); // call *(%rsp)
        check(&[0xff, 0x50, 0x18], true); // call *0x18(%rax)
        check(&[0xff, 0x54, 0x24, 0x08], true); // call *8(%rsp)
        check(&[0xff, 0x15, 1, 2, 3, 4], true); // call *0x4030201(%rip)
        check(&[0xff, 0x90, 1, 2, 3, 4], true); // call *0x4030201(%rax)
        check(&[0xff, 0x14, 0x25, 1, 2, 3, 4], true); // call *0x4030201
        check(&[0xff, 0x94, 0x24, 1, 2, 3, 4], true); // call *0x4030201(%rsp)
        check(&[0xff, 0xe0], false); // jmp *%rax
        check(&[0xff, 0x50], false); // cut short
        check(&[0xe9, 1, 2, 3, 4], false); // jmp
        check(&[], false);
    }
}
