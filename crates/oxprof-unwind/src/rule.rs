//! How to get from a frame to its caller.

/// What the frames of a range of code look like: where the caller's registers are.
///
/// Registers are DWARF numbers of the architecture. The canonical frame address (CFA) is the value
/// of the stack pointer in the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// The canonical frame address.
    pub cfa: Cfa,
    /// The caller's frame pointer.
    pub fp: Saved,
    /// The return address; [`Saved::Undefined`] at the root of a stack.
    pub ra: Saved,
    /// Whether this is the trampoline of a signal handler: the caller was interrupted, so its address is
    /// exact, and its stack may be anywhere.
    pub signal: bool,
}

/// How to compute the canonical frame address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cfa {
    /// `register + offset`.
    Register {
        /// DWARF number; anything but stack and frame pointer is known in the innermost frame only.
        register: u8,
        /// Bytes.
        offset: i32,
    },
    /// `*(register + offset) + add`: realigned stacks, hand-written assembly, signal frames.
    Deref {
        /// DWARF number.
        register: u8,
        /// Bytes to the address that is read.
        offset: i32,
        /// Bytes to what was read.
        add: i32,
    },
    /// An entry of the procedure linkage table: `sp + 8`, and 8 more from byte `pushed` of the
    /// entry's 16 on.
    Plt {
        /// First byte of the entry after its `push`.
        pushed: u8,
    },
    /// Something this crate does not interpret.
    Unsupported,
}

/// Where the caller's value of a register is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Saved {
    /// In the register still.
    Same,
    /// In another register, which is known in the innermost frame only: `longjmp` and returns into
    /// landing pads.
    In {
        /// DWARF number.
        register: u8,
    },
    /// Nowhere.
    Undefined,
    /// At the canonical frame address plus so many bytes.
    AtCfa(i32),
    /// At `register + offset`.
    At {
        /// DWARF number.
        register: u8,
        /// Bytes.
        offset: i32,
    },
    /// Something this crate does not interpret.
    Unsupported,
}
