//! Machine code as text, the way objdump writes it.

mod aarch64;
mod x86;

use std::fmt::Write as _;
use std::ops::Range;

use ::object::Architecture;

use crate::{Demangle, Error, Object, Svma, demangle};

/// How x86 assembly is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Syntax {
    /// As the GNU assembler reads it.
    #[default]
    Att,
    /// As Intel's manuals have it.
    Intel,
}

/// One machine instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Where it starts.
    pub address: Svma,
    /// How long it is, in bytes.
    pub len: u8,
    /// Mnemonic and operands.
    pub text: String,
    /// Where it may jump or call to, if that is written in it.
    pub target: Option<Svma>,
}

/// Longest range to disassemble at once, in bytes: beyond any real function.
const MAX_RANGE: u64 = 16 << 20;

impl Object<'_> {
    /// The instructions in `range`. Bytes that are no instruction come out as such; a range that reaches
    /// beyond the end of the code is cut there, as it is after 16 MiB.
    ///
    /// # Errors
    /// When there is no code at the start of `range`, or it is for another processor than x86 and
    /// AArch64.
    pub fn disassemble(
        &self,
        range: Range<Svma>,
        syntax: Syntax,
    ) -> Result<Vec<Instruction>, Error> {
        let code = self.code(range.clone()).ok_or(Error::NoCode { address: range.start })?;
        let names = |address| self.label(address);
        match self.architecture() {
            Architecture::X86_64 | Architecture::X86_64_X32 => {
                Ok(x86::disassemble(code, range.start, 64, syntax, &names))
            }
            Architecture::I386 => Ok(x86::disassemble(code, range.start, 32, syntax, &names)),
            Architecture::Aarch64 => Ok(aarch64::disassemble(code, range.start, &names)),
            other => Err(Error::UnknownProcessor { name: format!("{other:?}") }),
        }
    }

    fn code(&self, range: Range<Svma>) -> Option<&[u8]> {
        let size = range.end.0.checked_sub(range.start.0)?.min(MAX_RANGE);
        self.loaded_bytes(range.start, size)
    }

    /// `<function+0x10>`.
    fn label(&self, address: Svma) -> Option<String> {
        let symbol = self.symbol(address)?;
        let mut label = format!("<{}", demangle(&symbol.name, Demangle::Default));
        let offset = address.0 - symbol.start.0;
        if offset != 0 {
            let _ = write!(label, "+{offset:#x}");
        }
        label.push('>');
        Some(label)
    }
}

/// Names the function at an address.
type Names<'a> = &'a dyn Fn(Svma) -> Option<String>;

/// `401000 <main+0x10>`.
fn place(address: Svma, names: Names<'_>) -> String {
    match names(address) {
        Some(label) => format!("{:x} {label}", address.0),
        None => format!("{:x}", address.0),
    }
}
