//! The configuration file.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};

use serde::Deserialize;

/// What `config.json` says; `enable_pprof` is read by oxprof.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Config {
    /// Where questions are answered, over UDP and TCP.
    pub dns: SocketAddr,
    /// Where the API is.
    pub http: SocketAddr,
    /// Who is asked what is not known here.
    pub upstream: SocketAddr,
    /// Answers that are kept at most.
    pub cache_entries: usize,
    /// Names that are known here.
    #[serde(default)]
    pub records: HashMap<String, Ipv4Addr>,
}

impl Config {
    /// Reads a file.
    pub(crate) fn read(path: &str) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))?;
        serde_json::from_str(&text).map_err(|e| format!("{path}: {e}"))
    }
}
