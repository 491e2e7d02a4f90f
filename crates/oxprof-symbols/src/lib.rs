//! Addresses to functions, files and lines.
//!
//! ```text
//! run-time address ──Object::svma──▶ Svma ──Object::symbol──▶ function name
//!   (Avma, Mapping)                       ──Object::frames──▶ inlined chain with files and lines
//! ```
//!
//! Bytes come in, values go out: the caller reads files, at once or [piece by piece](Parts), and keeps them
//! for as long as an [`Object`] looks at them. What costs time is done when it is first needed: parsing reads headers
//! only, the first name sorts the symbol table, and the first line of a compilation unit decodes that
//! unit. An [`Object`] can be shared among threads.
//!
//! ```
//! use oxprof_symbols::{Demangle, Object, demangle};
//!
//! # fn run(bytes: &[u8]) -> Result<(), oxprof_symbols::Error> {
//! let object = Object::parse(bytes)?;
//! for frame in object.frames(oxprof_symbols::Svma(0x1234)) {
//!     println!("{} {:?}:{}", demangle(&frame.system_name, Demangle::Default), frame.file, frame.line);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Damaged and hostile files end in an error or in fewer answers, in time and memory that follow from their
//! size: what is read of a file takes at most three times its size, a compressed section or file at most 128 times its size (and
//! of files 1 GiB), the
//! line table of a unit 24 bytes per byte of its program, its functions and what is inlined into one at most 64 MiB each,
//! the list of all units and each of the two indexes of what they hold at most 128 MiB; a thread has four units at hand,
//! of which what was read is in memory that is used again.
//!
//! Features: `cpp` demangles C++ names; `lines` reads DWARF (without it [`Object::frames`] answers from
//! the symbol table alone), `compressed` also in compressed sections; `packed` unpacks
//! files that are compressed as a whole, and reads MiniDebugInfo; `symbolize` works on whole profiles;
//! `disasm` disassembles x86 and AArch64; `macho` and `pe` read the files of macOS and Windows, `pdb` what
//! Windows keeps beside them.
#![forbid(unsafe_code)]

mod address;
#[cfg(feature = "lines")]
mod cursor;
mod data;
mod demangle;
#[cfg(feature = "disasm")]
mod disasm;
#[cfg(feature = "lines")]
mod dwarf;
mod error;
#[cfg(feature = "lines")]
mod go;
#[cfg(feature = "symbolize")]
mod kallsyms;
#[cfg(feature = "macho")]
mod macho;
mod object;
#[cfg(feature = "packed")]
mod packed;
#[cfg(feature = "pdb")]
mod pdb;
#[cfg(feature = "lines")]
mod relocatable;
#[cfg(feature = "lines")]
mod sections;
mod shelf;
#[cfg(feature = "lines")]
mod store;
#[cfg(feature = "symbolize")]
pub mod symbolize;
mod symtab;

pub use address::{Avma, FileOffset, MappedRange, Svma};
pub use data::{Bytes, Content, Data, Parts, ReadAt};
pub use demangle::{Demangle, demangle};
#[cfg(feature = "disasm")]
pub use disasm::{Instruction, Syntax};
pub use error::Error;
pub use object::{BuildId, Frame, Object, Segment};
#[cfg(feature = "packed")]
pub use packed::unpack;
#[cfg(feature = "pdb")]
pub use pdb::catches_panics;
#[cfg(feature = "lines")]
pub use store::{DebugFile, Store};
pub use symtab::Symbol;
