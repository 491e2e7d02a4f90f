//! How a program says what of it may be profiled, by whom: in code, in its environment, in its configuration file.
//!
//! ```
//! use oxprof::Config;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::new()
//!     .path("/debug/pprof") // what the program insists on
//!     .or(Config::from_env()?) // then the environment
//!     .or(Config::new().address("localhost:0").enabled(true)); // then what holds otherwise
//! let server = config.serve()?; // `None` unless something enabled it
//! # assert!(server.is_some());
//! # Ok(())
//! # }
//! ```
//!
//! # Precedence
//! Each setting is taken from the first place that has it: **code, environment, file, default**. [`serve_from_env`] and
//! [`serve_from_file`] go by this order, and so does who chains configurations with [`Config::or`].
//!
//! | setting | environment | file | default |
//! |---|---|---|---|
//! | [`enabled`](Config::enabled) | `PPROF_ENABLED` (`true`, `false`); `true` if an address or port is set | `enable_pprof`, `PROFILING: ENABLED` | `false` |
//! | [`address`](Config::address) | `PPROF_ADDR`, or `PPROF_PORT` on 127.0.0.1 | `pprof_addr`, `pprof_port`; `ADDR`, `PORT` | `127.0.0.1:6060` |
//! | [`token`](Config::token) | `ADMIN_KEY` | `ADMIN_KEY` | none |
//! | [`path`](Config::path) | `PPROF_PATH` | `PATH`, to which `/pprof` is added | `/debug/pprof` |
//! | [`cpu_duration`](Config::cpu_duration) | | `CPU_PROFILE_DURATION`, seconds | 30 s |
//! | [`memory_interval`](Config::memory_interval) | | `MEMORY_PROFILE_INTERVAL`, seconds | none |
//! | [`heap_rate`](Config::heap_rate) | `OXPROF_HEAP_RATE` | `HEAP_RATE`, bytes | 512 KiB |
//! | [`block_rate`](Config::block_rate) | `OXPROF_BLOCK_RATE` | `BLOCK_RATE`, nanoseconds | 0 |
//! | [`mutex_fraction`](Config::mutex_fraction) | `OXPROF_MUTEX_FRACTION` | `MUTEX_FRACTION` | 0 |
//! | [`tls`](Config::tls) | `PPROF_TLS_CERT`, `PPROF_TLS_KEY` | `TLS_CERT`, `TLS_KEY` | none |
//! | [`client_ca`](Config::client_ca) | `PPROF_TLS_CLIENT_CA` | `TLS_CLIENT_CA` | none |
//!
//! Names in the right column but `enable_pprof`, `pprof_addr` and `pprof_port` are those of a section `PROFILING`. In
//! files, upper and lower case are the same.

mod env;
mod error;
#[cfg(any(feature = "json", feature = "yaml"))]
mod file;
mod start;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

pub use self::error::ConfigError;
#[cfg(any(feature = "json", feature = "yaml"))]
pub use self::start::serve_from_file;
pub use self::start::{Reloaded, serve_from_env};

/// What of the program may be profiled, by whom. Settings that are not made are left to the next
/// configuration in order; see the [module](self).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Config {
    enabled: Option<bool>,
    address: Option<String>,
    token: Option<String>,
    path: Option<String>,
    cpu_duration: Option<Duration>,
    memory_interval: Option<Duration>,
    heap_rate: Option<u64>,
    block_rate: Option<u64>,
    mutex_fraction: Option<u64>,
    tls: Option<(PathBuf, PathBuf)>,
    client_ca: Option<PathBuf>,
    /// What somebody may do to enable it, for the log.
    hint: Option<&'static str>,
}

impl Config {
    /// No setting is made.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether profiles are served at all.
    #[must_use]
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = Some(enabled);
        self
    }

    /// Where to listen: `host:port` or `unix:/path`, as [`ServerBuilder::address`](crate::http::ServerBuilder::address).
    #[must_use]
    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }

    /// What requests have to carry as `Authorization: Bearer …`.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// The path below which profiles are.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// How long CPU profiles take when the request does not say.
    #[must_use]
    pub fn cpu_duration(mut self, duration: Duration) -> Self {
        self.cpu_duration = Some(duration);
        self
    }

    /// How often who keeps profiles of this program is to take one of its memory. `/debug/stats` says it; the program itself
    /// keeps none.
    #[must_use]
    pub fn memory_interval(mut self, interval: Duration) -> Self {
        self.memory_interval = Some(interval);
        self
    }

    /// Bytes between heap samples, on average; 0 for none.
    #[must_use]
    pub fn heap_rate(mut self, bytes: u64) -> Self {
        self.heap_rate = Some(bytes);
        self
    }

    /// Nanoseconds of waiting for each event of the profile `block`; 1 for all, 0 for none.
    #[must_use]
    pub fn block_rate(mut self, nanoseconds: u64) -> Self {
        self.block_rate = Some(nanoseconds);
        self
    }

    /// One in how many events the profile `mutex` has; 1 for all, 0 for none.
    #[must_use]
    pub fn mutex_fraction(mut self, fraction: u64) -> Self {
        self.mutex_fraction = Some(fraction);
        self
    }

    /// Files with the certificate and its private key, in PEM form, for TLS (feature `tls`).
    #[must_use]
    pub fn tls(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.tls = Some((certificate.into(), key.into()));
        self
    }

    /// A file with the certificate that client certificates have to be signed by.
    #[must_use]
    pub fn client_ca(mut self, certificate: impl Into<PathBuf>) -> Self {
        self.client_ca = Some(certificate.into());
        self
    }

    /// These settings, and those of `other` that are not among them.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            enabled: self.enabled.or(other.enabled),
            address: self.address.or(other.address),
            token: self.token.or(other.token),
            path: self.path.or(other.path),
            cpu_duration: self.cpu_duration.or(other.cpu_duration),
            memory_interval: self.memory_interval.or(other.memory_interval),
            heap_rate: self.heap_rate.or(other.heap_rate),
            block_rate: self.block_rate.or(other.block_rate),
            mutex_fraction: self.mutex_fraction.or(other.mutex_fraction),
            tls: self.tls.or(other.tls),
            client_ca: self.client_ca.or(other.client_ca),
            hint: other.hint.or(self.hint),
        }
    }

    /// What the environment says.
    ///
    /// # Errors
    /// When a variable is there that cannot be understood.
    pub fn from_env() -> Result<Self, ConfigError> {
        env::read(std::env::var_os)
    }

    /// What a file says, by the extension of its name: `.json`, or `.yaml` or `.yml`.
    ///
    /// # Errors
    /// When the file cannot be read or has a setting that cannot be understood.
    #[cfg(any(feature = "json", feature = "yaml"))]
    pub fn from_file(path: impl AsRef<std::path::Path>) -> Result<Self, ConfigError> {
        file::read(path.as_ref())
    }

    /// What a JSON document says; members that are not ours are the program's.
    ///
    /// ```
    /// let config = oxprof::Config::from_json(r#"{"listen": ":53", "enable_pprof": true}"#)?;
    /// assert_eq!(config, oxprof::Config::from_json(r#"{"profiling": {"enabled": true}}"#)?);
    /// # Ok::<(), oxprof::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// When it is not JSON, or has a setting that cannot be understood.
    #[cfg(feature = "json")]
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        file::from_json(text)
    }

    /// What a YAML document says; keys that are not ours are the program's.
    ///
    /// ```
    /// let config = oxprof::Config::from_yaml("PROFILING:\n  ENABLED: true\n  PATH: /debug\n")?;
    /// assert_eq!(config, oxprof::Config::from_yaml("profiling: {enabled: true, path: /debug/}")?);
    /// # Ok::<(), oxprof::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// When it is not YAML, or has a setting that cannot be understood.
    #[cfg(feature = "yaml")]
    pub fn from_yaml(text: &str) -> Result<Self, ConfigError> {
        file::from_yaml(text)
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("enabled", &self.enabled)
            .field("address", &self.address)
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("path", &self.path)
            .field("cpu_duration", &self.cpu_duration)
            .field("memory_interval", &self.memory_interval)
            .field("heap_rate", &self.heap_rate)
            .field("block_rate", &self.block_rate)
            .field("mutex_fraction", &self.mutex_fraction)
            .field("tls", &self.tls)
            .field("client_ca", &self.client_ca)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_has_a_setting_wins() {
        let first = Config::new().address("a:1").enabled(false);
        let second = Config::new().address("b:2").token("t").path("/p");
        let both = first.or(second);
        assert_eq!(both, Config::new().address("a:1").enabled(false).token("t").path("/p"));
    }

    #[test]
    fn does_not_print_the_token() {
        assert!(!format!("{:?}", Config::new().token("s3cret")).contains("s3cret"));
    }
}
