//! What differs between processors: system calls without libc, and what a signal interrupted.

mod x86_64;

pub(crate) use x86_64::{
    ARCH, Registers, current_registers, cycles, hooks_word, labels_word, prefetch, read_word,
    registers, registers_at, slot_word, syscall4, syscall6, thread_pointer, trace_words, walk,
    weak_symbol,
};
