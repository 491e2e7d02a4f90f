//! Walking stacks of x86-64.

mod guess;
mod walk;

pub use walk::walk;

/// General registers and program counter of a thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    /// Program counter.
    pub pc: u64,
    /// General registers by DWARF number: rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp, r8 to r15.
    pub general: [u64; 16],
}

const FP: u8 = 6;
const SP: u8 = 7;

impl Registers {
    /// The stack pointer.
    pub fn sp(&self) -> u64 {
        self.general[SP as usize]
    }

    /// The frame pointer, which may hold anything else.
    pub fn fp(&self) -> u64 {
        self.general[FP as usize]
    }
}
