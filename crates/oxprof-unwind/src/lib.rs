//! Stack walking from compact tables, safe inside a signal handler.
//!
//! ```text
//! .eh_frame bytes ──Table::compile──▶ Table ─┐ (outside the handler, may allocate)
//!                                            ▼
//!                    registers, stack ──x86_64::walk──▶ addresses, Outcome (inside it, may not)
//! ```
//!
//! Nothing here reads memory by itself: call-frame information comes in as bytes, the stack through
//! the [`Memory`] trait. So the same code walks the running thread, a copy, or a stack a test made up.
//!
//! # Why a table
//! A walk inside a signal handler must not allocate, lock or touch thread-local storage, and has to be
//! quick on a cold cache. Interpreting `.eh_frame` there is possible but slow without a cache, and a cache
//! is shared state. [`Table`] is the result of interpreting it all beforehand: 3 bytes a row plus
//! 4 bytes per 256 bytes of code, about as much as `.eh_frame` itself, and a look-up touches three
//! cache lines.
//!
//! # Responsibilities of the user
//! - Tables describe code at the addresses given to [`Modules`]; after `dlclose` and `dlopen` the
//!   user publishes a new map.
//! - [`Memory::near`] answers for addresses the thread may have unmapped by mistake: it decides what is
//!   safe to read.
//!
//! # Not goals
//! Unwinding for exceptions, restoring registers other than the frame and stack pointer, languages
//! that describe frames in formats other than `.eh_frame`.
#![forbid(unsafe_code)]

mod arch;
mod cfi;
mod cursor;
mod eh_frame;
mod expression;
mod modules;
mod rule;
mod table;
mod walk;
pub mod x86_64;

pub use arch::Arch;
pub use eh_frame::EhFrame;
pub use modules::{Lookup, Module, Modules};
pub use rule::{Cfa, Rule, Saved};
pub use table::{CompileError, Stats, Table};
pub use walk::{Memory, Outcome, Walk};
