//! x86-64.

use std::arch::asm;

use oxprof_unwind::Arch;
pub(crate) use oxprof_unwind::x86_64::{Registers, walk};

pub(crate) const ARCH: Arch = Arch::X86_64;

/// Makes a system call of up to four arguments; errors come back as negative numbers, and `errno` is
/// not touched.
///
/// # Safety
/// As for the system call.
#[inline]
pub(crate) unsafe fn syscall4(number: libc::c_long, args: [usize; 4]) -> isize {
    let result;
    // SAFETY: the kernel reads and writes only what the call is documented to, which is up to the
    // caller, and clobbers rcx and r11.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// The registers of the code that a signal interrupted.
#[inline]
pub(crate) fn registers(context: &libc::ucontext_t) -> Registers {
    let saved =
        |register: libc::c_int| context.uc_mcontext.gregs[register as usize].cast_unsigned();
    Registers {
        pc: saved(libc::REG_RIP),
        general: [
            saved(libc::REG_RAX),
            saved(libc::REG_RDX),
            saved(libc::REG_RCX),
            saved(libc::REG_RBX),
            saved(libc::REG_RSI),
            saved(libc::REG_RDI),
            saved(libc::REG_RBP),
            saved(libc::REG_RSP),
            saved(libc::REG_R8),
            saved(libc::REG_R9),
            saved(libc::REG_R10),
            saved(libc::REG_R11),
            saved(libc::REG_R12),
            saved(libc::REG_R13),
            saved(libc::REG_R14),
            saved(libc::REG_R15),
        ],
    }
}
