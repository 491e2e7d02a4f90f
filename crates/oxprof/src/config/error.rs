//! What is wrong with a configuration.

use std::path::PathBuf;
use std::{fmt, io};

/// What is wrong with a configuration.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// A setting has a value that it cannot have.
    Value {
        /// The setting, by the name that it has where it was found.
        setting: String,
        /// Its value.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// A section has a key that means nothing.
    Unknown {
        /// The key.
        key: String,
    },
    /// A document is not in the format that it is said to be in.
    Syntax {
        /// The format.
        format: &'static str,
        /// What the parser says.
        reason: String,
    },
    /// A file cannot be read.
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// A file is in a format that this program was not built to read.
    Format {
        /// The file.
        path: PathBuf,
    },
    /// What the configuration asks for needs a feature that this program was built without.
    Feature {
        /// The setting.
        setting: &'static str,
        /// The feature of `oxprof`.
        feature: &'static str,
    },
    /// Certificates or keys cannot be used.
    Tls {
        /// What is wrong with them.
        reason: String,
    },
    /// The server can be reached from other machines, and its token may not be taken away.
    NeedsToken,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value { setting, value, expected } => {
                write!(f, "{setting} is {value:?}, but must be {expected}")
            }
            Self::Unknown { key } => {
                write!(f, "the section PROFILING has a key {key:?}, which means nothing")
            }
            Self::Syntax { format, reason } => {
                write!(f, "the configuration is not valid {format}: {reason}")
            }
            Self::File { path, reason } => write!(f, "cannot read {}: {reason}", path.display()),
            Self::Format { path } => write!(
                f,
                "cannot tell the format of {}: give a name that ends in .json, .yaml or .yml, and build with the \
                 feature json or yaml of oxprof",
                path.display()
            ),
            Self::Feature { setting, feature } => {
                write!(f, "{setting} needs the feature {feature} of oxprof; build with it")
            }
            Self::Tls { reason } => f.write_str(reason),
            Self::NeedsToken => f.write_str(
                "the token cannot be taken away while other machines can reach the server; restart on localhost",
            ),
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File { reason, .. } => Some(reason),
            _ => None,
        }
    }
}
