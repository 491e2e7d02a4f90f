//! Why an object file is of no use.

/// Why an object file, or an address in it, could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The file is not in a format that this build reads, or is damaged.
    Malformed {
        /// What the parser objected to.
        reason: String,
    },
    /// The mapping covers no part of this file, or the address lies outside of it.
    AddressNotInFile {
        /// The run-time address.
        address: crate::Avma,
    },
    /// There is no machine code in the file for an address.
    NoCode {
        /// The address.
        address: crate::Svma,
    },
    /// The file is for a processor whose instructions this build cannot read.
    UnknownProcessor {
        /// Its name.
        name: String,
    },
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed { reason } => write!(f, "not a usable object file: {reason}"),
            Self::AddressNotInFile { address } => {
                write!(f, "address {:#x} is in no loadable segment of this file", address.0)
            }
            Self::NoCode { address } => {
                write!(f, "the file holds no machine code for address {:#x}", address.0)
            }
            Self::UnknownProcessor { name } => {
                write!(f, "no disassembler for {name}; x86 and AArch64 are built in")
            }
        }
    }
}

impl std::error::Error for Error {}

impl From<::object::Error> for Error {
    fn from(e: ::object::Error) -> Self {
        Self::Malformed { reason: e.to_string() }
    }
}
