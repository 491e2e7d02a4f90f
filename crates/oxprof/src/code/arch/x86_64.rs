//! x86-64.

use std::arch::{asm, global_asm};

use oxprof_unwind::Arch;
pub(crate) use oxprof_unwind::x86_64::{Registers, walk};

/// Differs between versions of this crate, of which a program may have several.
macro_rules! words_symbol {
    () => {
        concat!(
            "oxprof_words_",
            env!("CARGO_PKG_VERSION_MAJOR"),
            "_",
            env!("CARGO_PKG_VERSION_MINOR"),
            "_",
            env!("CARGO_PKG_VERSION_PATCH")
        )
    };
}

pub(crate) const ARCH: Arch = Arch::X86_64;

/// Makes a system call of up to four arguments; errors come back as negative numbers, and `errno` is
/// not touched.
///
/// # Safety
/// As for the system call.
#[inline]
pub(crate) unsafe fn syscall4(number: libc::c_long, args: [usize; 4]) -> isize {
    // SAFETY: passed on; the call takes no more arguments than these.
    unsafe { syscall6(number, [args[0], args[1], args[2], args[3], 0, 0]) }
}

/// Makes a system call of six arguments; see [`syscall4`].
///
/// # Safety
/// As for the system call.
#[inline]
pub(crate) unsafe fn syscall6(number: libc::c_long, args: [usize; 6]) -> isize {
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
            in("r8") args[4],
            in("r9") args[5],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// The word at an address, wherever that is. No read that a sanitizer would judge: stacks have places between variables
/// that no code of a function reads.
///
/// # Safety
/// The eight bytes are readable.
#[inline]
pub(crate) unsafe fn read_word(address: u64) -> u64 {
    let word;
    // SAFETY: reads what the caller says is readable, and changes nothing.
    unsafe {
        asm!("mov {}, [{}]", out(reg) word, in(reg) address, options(nostack, readonly, preserves_flags));
    }
    word
}

/// Has the processor fetch the line of memory at an address, which may be any, while it goes on.
#[inline]
pub(crate) fn prefetch(address: u64) {
    // SAFETY: a prefetch reads nothing that the program could see, and faults nowhere.
    unsafe {
        asm!("prefetcht0 [{}]", in(reg) address, options(nostack, preserves_flags, readonly));
    };
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

/// The registers of the function that this is inlined into, as far as walks from calls need them.
#[inline(always)]
pub(crate) fn current_registers() -> Registers {
    let (pc, sp, fp): (u64, u64, u64);
    // SAFETY: reads registers only.
    unsafe {
        asm!(
            "lea {pc}, [rip]",
            "mov {sp}, rsp",
            "mov {fp}, rbp",
            pc = out(reg) pc,
            sp = out(reg) sp,
            fp = out(reg) fp,
            options(nomem, nostack, preserves_flags),
        );
    }
    registers_at(pc, sp, fp)
}

/// Registers of which nothing is known but these.
#[inline]
pub(crate) fn registers_at(pc: u64, sp: u64, fp: u64) -> Registers {
    const FP: usize = 6;
    const SP: usize = 7;
    let mut general = [0; 16];
    (general[FP], general[SP]) = (fp, sp);
    Registers { pc, general }
}

/// The processor's counter of time, in a unit of its own.
#[inline]
pub(crate) fn cycles() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: reads a register.
    unsafe {
        asm!("rdtsc", out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags));
    }
    u64::from(high) << 32 | u64::from(low)
}

/// Where the C library keeps what it knows of the calling thread. It lies at the upper end of the thread's
/// stack, except for the main thread.
#[inline]
pub(crate) fn thread_pointer() -> u64 {
    let address;
    // SAFETY: the ABI of thread-local storage puts the address of this word there.
    unsafe {
        asm!(
            "mov {}, fs:[0]",
            out(reg) address,
            options(nostack, preserves_flags, readonly),
        );
    }
    address
}

// Words for each thread, zero at first, in the part of thread-local storage that every thread has from its start, in
// programs and in shared libraries (the "initial exec" model). The compiler's own access from a shared library may
// allocate, which handlers must not.
global_asm!(
    ".pushsection .tbss.oxprof,\"awT\",@nobits",
    concat!(".globl ", words_symbol!()),
    concat!(".hidden ", words_symbol!()),
    concat!(".type ", words_symbol!(), ",@object"),
    concat!(".size ", words_symbol!(), ",64"),
    ".balign 8",
    concat!(words_symbol!(), ":"),
    ".zero 64",
    ".popsection",
);

/// The address of a function of another library, null if it is not linked into the program.
macro_rules! weak_symbol {
    ($name:literal) => {{
        let address: *const std::ffi::c_void;
        // SAFETY: reads the word in which the linker or loader puts the address.
        unsafe {
            std::arch::asm!(
                concat!(".weak ", $name),
                concat!("mov {address}, qword ptr [rip + ", $name, "@GOTPCREL]"),
                address = out(reg) address,
                options(nostack, pure, readonly, preserves_flags),
            );
        }
        address
    }};
}
pub(crate) use weak_symbol;

/// Where the calling thread's word for its labels is.
#[inline]
pub(crate) fn labels_word() -> *mut u64 {
    words()
}

/// Where the calling thread's word for what hooks remember is.
#[inline]
pub(crate) fn hooks_word() -> *mut u64 {
    words().wrapping_add(1)
}

/// Where the calling thread's word for its slot is.
#[inline]
pub(crate) fn slot_word() -> *mut u64 {
    words().wrapping_add(2)
}

/// Where the calling thread's words for its notes in traces are.
#[inline]
pub(crate) fn trace_words() -> *mut [u64; 5] {
    words().wrapping_add(3).cast()
}

#[inline]
fn words() -> *mut u64 {
    let address: u64;
    // SAFETY: the ABI of thread-local storage: the thread pointer, plus an offset that the linker or loader knows.
    unsafe {
        asm!(
            "mov {address}, fs:[0]",
            concat!("add {address}, qword ptr [rip + ", words_symbol!(), "@GOTTPOFF]"),
            address = out(reg) address,
            options(nostack, pure, readonly),
        );
    }
    address as *mut u64
}
