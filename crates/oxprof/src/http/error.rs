//! Why a server could not be started.

use std::net::SocketAddr;
use std::{fmt, io};

use crate::config::ConfigError;

/// Why the server could not be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// The configuration says something that cannot be.
    Config(ConfigError),
    /// The address is not `host:port`, or its host is unknown.
    BadAddress {
        /// The address.
        value: String,
        /// What is wrong with it.
        reason: io::Error,
    },
    /// The address can be reached from other machines and neither a token nor client certificates protect it.
    NotLocal {
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    Listen {
        /// The address.
        address: String,
        /// What the system said.
        reason: io::Error,
    },
    /// The server's thread or runtime could not be created.
    Thread(io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::BadAddress { value, reason } => write!(
                f,
                "cannot serve profiles on {value:?}: {reason}; give host:port, such as localhost:6060, or \
                 unix:/path/to/socket"
            ),
            Self::NotLocal { address } => write!(
                f,
                "refusing to serve profiles on {address}: other machines could read them; set \
                 ADMIN_KEY to a secret that requests must present, or listen on localhost and reach \
                 it through an SSH tunnel"
            ),
            Self::Listen { address, reason } => write!(
                f,
                "cannot serve profiles on {address}: {reason}; choose another port with PPROF_ADDR \
                 or PPROF_PORT (0 picks a free one)"
            ),
            Self::Thread(reason) => {
                write!(f, "cannot start the thread that serves profiles: {reason}")
            }
        }
    }
}

impl std::error::Error for ServeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Config(error) => Some(error),
            Self::BadAddress { reason, .. }
            | Self::Listen { reason, .. }
            | Self::Thread(reason) => Some(reason),
            Self::NotLocal { .. } => None,
        }
    }
}

impl From<ConfigError> for ServeError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}
