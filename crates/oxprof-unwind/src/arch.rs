//! What differs between processors while call-frame information is compiled.

/// DWARF register numbers of an architecture.
///
/// Walking is a module per architecture ([`crate::x86_64`]); compiling tables only needs these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arch {
    /// The stack pointer.
    pub sp: u16,
    /// The frame pointer, the one callee-saved register that rules refer to.
    pub fp: u16,
    /// The program counter as an expression names it.
    pub pc: u16,
}

impl Arch {
    /// x86-64 as the System V ABI numbers it.
    pub const X86_64: Self = Self { sp: 7, fp: 6, pc: 16 };
}
