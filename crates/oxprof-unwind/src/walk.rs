//! What every architecture's walk has in common.

/// How a walk reads the memory of the process it looks at.
pub trait Memory {
    /// The eight bytes at `address`, which lies on the stack that is being walked, at most 64 MiB above a
    /// place on it that was read before. `None` if they cannot be read.
    fn near(&mut self, address: u64) -> Option<u64>;

    /// The eight bytes at an `address` about which nothing is known: code, or a stack that the thread is
    /// suspected to have switched from. `None` if they cannot be read, or not without risk.
    fn far(&mut self, address: u64) -> Option<u64>;
}

/// Result of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk {
    /// Frames written.
    pub depth: usize,
    /// Why there are no more.
    pub outcome: Outcome,
    /// Whether a caller was guessed from a word on the stack that looks like a return address, because code
    /// has no call-frame information (the C part of musl).
    pub guessed: bool,
    /// Whether any of it depends on the frame pointer that the walk started with.
    pub uses_fp: bool,
}

/// Why a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// At the root of the stack; it is complete.
    Root = 0,
    /// No room for more frames; the innermost ones are there.
    TooDeep = 1,
    /// A frame address goes backwards, or away to where no stack is.
    BadFrame = 2,
    /// Stack memory could not be read.
    Unreadable = 3,
    /// An address in no module: code generated at run time, or a library loaded just now.
    NoModule = 4,
    /// Code without call-frame information, and no caller could be guessed.
    NoRule = 5,
    /// Call-frame information of a kind that is not interpreted.
    Unsupported = 6,
}

impl Outcome {
    /// All outcomes, by value.
    pub const ALL: [Self; 7] = [
        Self::Root,
        Self::TooDeep,
        Self::BadFrame,
        Self::Unreadable,
        Self::NoModule,
        Self::NoRule,
        Self::Unsupported,
    ];

    /// The outcome whose value is `byte`.
    pub fn from_u8(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte)).copied()
    }
}
