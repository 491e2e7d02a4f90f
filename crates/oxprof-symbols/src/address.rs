//! The three ways to say where an instruction is.
//!
//! All are 64-bit numbers, often equal to each other in small programs, and wrong when mixed up; so each
//! is a type.

/// Actual virtual memory address: where the instruction was in the memory of the running process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Avma(pub u64);

/// Stated virtual memory address: where the object file says that the instruction is. Symbol tables and
/// debug information speak of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Svma(pub u64);

/// Distance in bytes from the beginning of the object file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileOffset(pub u64);

/// Part of an object file mapped into a process: what `/proc/PID/maps` and a profile's mapping say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MappedRange {
    /// First address.
    pub start: Avma,
    /// First address beyond the end.
    pub limit: Avma,
    /// What part of the file is at `start`.
    pub offset: FileOffset,
}

impl MappedRange {
    /// Where in the file `address` is; `None` if it is below `start`.
    pub fn file_offset(&self, address: Avma) -> Option<FileOffset> {
        address.0.checked_sub(self.start.0)?.checked_add(self.offset.0).map(FileOffset)
    }

    /// Whether this range stands for "addresses are as the file states them": all zero, or zero to the
    /// end of memory.
    pub(crate) fn is_identity(&self) -> bool {
        self.start.0 == 0 && self.offset.0 == 0 && matches!(self.limit.0, 0 | u64::MAX)
    }
}
