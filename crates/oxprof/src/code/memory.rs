//! Reading the interrupted stack from inside the handler, without faulting.

use oxprof_unwind::Memory;

use super::arch::{syscall4, syscall6};

const PAGE: u64 = 4096;

/// The memory of the thread that was interrupted.
///
/// A page of the stack is read only after the kernel confirmed that it can be. Between asking and
/// reading nobody else unmaps it: the walker asks for addresses on the stack of the running thread only
/// ([`Memory::near`]), and no other thread frees that. Addresses that may be anywhere are read by the
/// kernel on our behalf, which cannot fault.
pub(crate) struct OwnMemory {
    pid: i32,
    /// Pages known to be readable: from `low` up to `high`, exclusive.
    low: u64,
    high: u64,
}

impl OwnMemory {
    pub(crate) fn new(pid: i32) -> Self {
        Self { pid, low: 0, high: 0 }
    }

    fn confirm(&mut self, address: u64) -> bool {
        let page = address & !(PAGE - 1);
        if (self.low..self.high).contains(&page) {
            return true;
        }
        if !is_readable(page) {
            return false;
        }
        if page != self.high {
            self.low = page;
        }
        self.high = page.saturating_add(PAGE);
        true
    }
}

impl Memory for OwnMemory {
    fn near(&mut self, address: u64) -> Option<u64> {
        if !address.is_multiple_of(8) || !self.confirm(address) {
            return None;
        }
        // SAFETY: 1. `address` is aligned, so the eight bytes are in one page; 2. the kernel just confirmed
        // that it is readable; 3. it is on the stack of this thread, see the type's documentation. The read is
        // volatile because the code that was interrupted owns the memory; it does not run meanwhile.
        Some(unsafe { (address as *const u64).read_volatile() })
    }

    fn far(&mut self, address: u64) -> Option<u64> {
        let mut word = 0u64;
        let local = libc::iovec { iov_base: (&raw mut word).cast(), iov_len: 8 };
        let remote = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: 8 };
        let (local, remote) = (&raw const local as usize, &raw const remote as usize);
        let args = [self.pid as usize, local, 1, remote, 1, 0];
        // SAFETY: the kernel writes to `word` only, and answers with an error where it cannot read.
        let copied = unsafe { syscall6(libc::SYS_process_vm_readv, args) };
        (copied == 8).then_some(word)
    }
}

/// Whether the eight bytes at `address` can be read.
///
/// Asks to change the signal mask in a way that does not exist: the kernel first reads the mask, then refuses.
/// (A null pointer stands for no mask, so null is not asked about.) Needs no file descriptor, changes nothing, and is allowed in every sandbox that allows threads.
fn is_readable(address: u64) -> bool {
    if address == 0 {
        return false;
    }
    let how = usize::MAX;
    // SAFETY: `how` is invalid, so the call only reads eight bytes, and fails if it cannot.
    let result =
        unsafe { syscall4(libc::SYS_rt_sigprocmask, [how, address as usize, 0, size_of::<u64>()]) };
    result != -(libc::EFAULT as isize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readable_or_not_never_faults() {
        let mut memory = OwnMemory::new(std::process::id().cast_signed());
        let word = 0x1234_5678_u64;
        let address = &raw const word as u64;
        assert_eq!((memory.near(address), memory.far(address)), (Some(word), Some(word)));
        for bad in [0, 8, 4096, 0x7fff_ffff_f000, 0x8000_0000_0000_0000, u64::MAX - 7] {
            assert_eq!((memory.near(bad), memory.far(bad)), (None, None), "{bad:#x}");
        }
        assert_eq!(memory.near(address + 1), None);
    }
}
