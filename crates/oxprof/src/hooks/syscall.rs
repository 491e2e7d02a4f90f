//! `syscall`, by which the locks, condition variables and channels of Rust's libraries call `futex`.

use std::arch::naked_asm;
use std::ffi::{c_int, c_long};

use super::blocked::{self, Call, deadline};
use super::interpose;
use super::on::{self, Purposes};
use crate::code::arch::{self, syscall6};
use crate::contention::{self, HasBlocked};
use crate::threads::wait::Kind;
use crate::trace;

interpose!(oxprof_block: syscall);

/// Makes a system call as libc's function of this name does. Calls of `futex` go to [`futex`] while hooks have a
/// purpose.
///
/// A variadic function gets its arguments where others do: six in registers, the last on the stack.
///
/// # Safety
/// As for libc's.
#[unsafe(naked)]
#[cfg_attr(oxprof_block, unsafe(no_mangle))]
unsafe extern "C" fn syscall(
    number: c_long,
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
    f: usize,
) -> c_long {
    naked_asm!(
        ".cfi_startproc",
        "cmp rdi, {futex_number}",
        "jne 2f",
        "mov rax, qword ptr [rip + {on}@GOTPCREL]",
        "cmp dword ptr [rax], 0",
        "je 2f",
        "jmp {futex}",
        // The kernel takes the number in rax and the fourth argument in r10.
        "2:",
        "mov rax, rdi",
        "mov rdi, rsi",
        "mov rsi, rdx",
        "mov rdx, rcx",
        "mov r10, r8",
        "mov r8, r9",
        "mov r9, qword ptr [rsp + 8]",
        "syscall",
        "cmp rax, -4095",
        "jae 3f",
        "ret",
        // Errors come as negative numbers.
        "3:",
        "neg rax",
        "push rax",
        ".cfi_adjust_cfa_offset 8",
        "call {errno}",
        "pop rcx",
        ".cfi_adjust_cfa_offset -8",
        "mov dword ptr [rax], ecx",
        "mov rax, -1",
        "ret",
        ".cfi_endproc",
        futex_number = const libc::SYS_futex,
        on = sym on::ON,
        futex = sym futex,
        errno = sym libc::__errno_location,
    )
}

/// `futex`, as called through [`syscall`].
///
/// # Safety
/// As for the system call.
unsafe extern "C" fn futex(
    _: c_long,
    word: usize,
    operation: usize,
    value: usize,
    timeout: usize,
    word2: usize,
    value3: usize,
) -> c_long {
    // SAFETY: passed on.
    let call =
        || unsafe { syscall6(libc::SYS_futex, [word, operation, value, timeout, word2, value3]) };
    let result = match operation as c_int & libc::FUTEX_CMD_MASK {
        libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET => {
            let what = Call {
                kind: Kind::Futex,
                address: word as u64,
                // SAFETY: null or valid, as the caller's word for the system call has it.
                timeout: unsafe { timeout_of(operation as c_int, timeout) },
            };
            let purposes = blocked::SYNC.and(Purposes::MUTEX);
            let registers = arch::current_registers();
            blocked::during(purposes, &what, &registers, call, |&result| {
                let is_late = result == -(libc::EAGAIN as isize);
                if is_late { HasBlocked::No } else { HasBlocked::Yes }
            })
        }
        libc::FUTEX_WAKE | libc::FUTEX_WAKE_BITSET => {
            wake(word as u64, value, &arch::current_registers());
            call()
        }
        _ => call(),
    };
    or_errno(result)
}

/// Before threads are woken: they may run and be gone before this thread does anything else.
fn wake(word: u64, most: usize, registers: &arch::Registers) {
    if on::now().has_any(Purposes::MUTEX) {
        contention::charge(word, registers);
    }
    if trace::hooks::is_on() {
        let count = u32::try_from(most).unwrap_or(u32::MAX);
        trace::hooks::wake(word, count, crate::stacks::capture_from(registers));
    }
}

/// Nanoseconds that a wait may last; `None` if that is for ever, or nobody wants to know.
///
/// # Safety
/// `timeout` is null or the address of a valid time.
unsafe fn timeout_of(operation: c_int, timeout: usize) -> Option<u64> {
    let timeout = std::ptr::with_exposed_provenance::<libc::timespec>(timeout);
    if timeout.is_null() || !on::now().has_any(Purposes::PUBLISH) {
        return None;
    }
    // SAFETY: not null, so valid.
    let time = unsafe { *timeout };
    if operation & libc::FUTEX_CMD_MASK == libc::FUTEX_WAIT {
        return Some(blocked::nanos(time));
    }
    let is_of_day = operation & libc::FUTEX_CLOCK_REALTIME != 0;
    Some(deadline(time, if is_of_day { libc::CLOCK_REALTIME } else { libc::CLOCK_MONOTONIC }))
}

/// What libc's functions make of the result of a system call.
pub(super) fn or_errno(result: isize) -> c_long {
    if (-4095..0).contains(&result) {
        // SAFETY: the address of the calling thread's `errno`.
        unsafe { *libc::__errno_location() = -result as c_int };
        return -1;
    }
    result as c_long
}
