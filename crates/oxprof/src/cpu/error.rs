//! Why there is no CPU profile.

use std::{fmt, io};

use super::HZ_RANGE;

/// Why there is no CPU profile.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// CPU profiles are not implemented for this platform.
    Unsupported,
    /// The rate is out of range.
    Rate {
        /// The rate that was asked for.
        hz: u32,
    },
    /// Something else replaced our `SIGPROF` handler with its own.
    HandlerReplaced,
    /// The system refused what is needed.
    System {
        /// What was refused.
        what: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// The capture was started before a `fork`, and this is the child.
    Forked,
    /// The profiler's thread ended unexpectedly.
    Died,
    /// The profile could not be written to its file.
    Write {
        /// The file.
        path: std::path::PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported => f.write_str(
                "CPU profiles need Linux on x86_64, which this program was not built for",
            ),
            Self::Rate { hz } => {
                let (low, high) = (HZ_RANGE.start(), HZ_RANGE.end());
                write!(f, "hz must be from {low} to {high}, not {hz}")
            }
            Self::HandlerReplaced => f.write_str(
                "another profiler has taken over SIGPROF; stop it before starting a CPU profile",
            ),
            Self::System { what, source } => write!(f, "the system refused {what}: {source}"),
            Self::Forked => {
                f.write_str("the capture belongs to the parent process; start another after fork")
            }
            Self::Died => f.write_str("the profiler's thread ended unexpectedly"),
            Self::Write { path, source } => {
                write!(f, "could not write the profile to {}: {source}", path.display())
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::System { source, .. } | Self::Write { source, .. } => Some(source),
            _ => None,
        }
    }
}
