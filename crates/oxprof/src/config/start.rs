//! From a configuration to what it describes, and to a changed one while that runs.

use super::{Config, ConfigError};
use crate::http::{Endpoints, ServeError, Server};
use crate::log;

/// What a configuration has to be given that cannot be changed while a server runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Settings that differ from those the server was started with, and count from the next start only.
    pub needs_restart: Vec<&'static str>,
}

/// Serves `/debug/pprof/` if the environment says so; see [`Config`] for the variables, of which `PPROF_ADDR`, `PPROF_PORT`
/// and `ADMIN_KEY` are those that matter most.
///
/// Unless they enable it nothing is started, and `None` is returned. The
/// server ends when the returned value is dropped, so keep it for as long as the program runs:
///
/// ```
/// let _pprof = oxprof::serve_from_env()?;
/// # Ok::<(), oxprof::http::ServeError>(())
/// ```
///
/// # Errors
/// When a variable cannot be understood, the address is not local and there is no `ADMIN_KEY`, or the
/// address cannot be listened on.
pub fn serve_from_env() -> Result<Option<Server>, ServeError> {
    Config::from_env()?.serve()
}

/// Serves `/debug/pprof/` if the environment or the file says so, the environment having precedence. The format is
/// that of the file's name: `.json`, `.yaml` or `.yml`.
///
/// # Errors
/// Those of [`serve_from_env`], and when the file cannot be read or has a setting that cannot be understood.
#[cfg(any(feature = "json", feature = "yaml"))]
pub fn serve_from_file(path: impl AsRef<std::path::Path>) -> Result<Option<Server>, ServeError> {
    Config::from_env()?.or(Config::from_file(path)?).serve()
}

impl Config {
    /// Starts a server of its own, unless profiling is disabled; the log says which.
    ///
    /// # Errors
    /// When the address is not local and nothing protects it, or cannot be listened on.
    pub fn serve(&self) -> Result<Option<Server>, ServeError> {
        if !self.is_enabled() {
            self.log_disabled();
            return Ok(None);
        }
        self.apply_rates();
        let builder = Server::builder().endpoints(self.make_endpoints());
        let builder = match &self.address {
            Some(address) => builder.address(address),
            None => builder,
        };
        #[cfg(feature = "tls")]
        let builder = match self.read_tls()? {
            Some(tls) => builder.tls(tls),
            None => builder,
        };
        #[cfg(not(feature = "tls"))]
        if self.tls.is_some() || self.client_ca.is_some() {
            let error = ConfigError::Feature { setting: "a certificate", feature: "tls" };
            return Err(error.into());
        }
        let server = builder.start()?;
        log::info(format_args!("pprof profiling enabled at {}", server.url()));
        Ok(Some(server))
    }

    /// The routes, to be mounted into a server that is there, unless profiling is disabled; the log says which. What the
    /// configuration says about addresses and TLS is that server's to know.
    pub fn endpoints(&self) -> Option<Endpoints> {
        if !self.is_enabled() {
            self.log_disabled();
            return None;
        }
        self.apply_rates();
        let endpoints = self.make_endpoints();
        log::info(format_args!("pprof profiling enabled at {}/", endpoints.prefix()));
        Some(endpoints)
    }

    fn is_enabled(&self) -> bool {
        self.enabled.unwrap_or(false)
    }

    fn log_disabled(&self) {
        let hint = self.hint.unwrap_or("enable it in the program's configuration");
        log::info(format_args!("pprof profiling disabled ({hint})"));
    }

    fn make_endpoints(&self) -> Endpoints {
        let endpoints = Endpoints::new();
        self.apply(&endpoints);
        match &self.path {
            Some(path) => endpoints.with_prefix(path),
            None => endpoints,
        }
    }

    /// Makes the settings that can be made at any time; those that are not there become the default.
    fn apply(&self, endpoints: &Endpoints) {
        let default = crate::http::Settings::default();
        endpoints.change(|settings| {
            settings.is_enabled = self.is_enabled();
            settings.set_token(self.token.as_deref());
            settings.cpu_duration = self.cpu_duration.unwrap_or(default.cpu_duration);
            settings.memory_interval = self.memory_interval;
        });
    }

    fn apply_rates(&self) {
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        {
            use crate::{contention, heap};
            if let Some(bytes) = self.heap_rate {
                heap::set_rate(bytes);
            }
            if let Some(nanoseconds) = self.block_rate {
                contention::set_block_profile_rate(nanoseconds);
            }
            if let Some(fraction) = self.mutex_fraction {
                contention::set_mutex_profile_fraction(fraction);
            }
        }
    }

    #[cfg(feature = "tls")]
    fn read_tls(&self) -> Result<Option<crate::http::Tls>, ConfigError> {
        use crate::http::Tls;
        let read = |path: &std::path::Path| {
            std::fs::read(path)
                .map_err(|reason| ConfigError::File { path: path.to_owned(), reason })
        };
        let Some((certificate, key)) = &self.tls else {
            return match self.client_ca {
                None => Ok(None),
                Some(_) => Err(ConfigError::Tls {
                    reason: "client certificates need TLS: give the server a certificate and a key"
                        .to_owned(),
                }),
            };
        };
        let (certificate, key) = (read(certificate)?, read(key)?);
        let tls = match &self.client_ca {
            None => Tls::new(&certificate, &key),
            Some(ca) => Tls::with_client_ca(&certificate, &key, &read(ca)?),
        };
        tls.map(Some).map_err(|error| ConfigError::Tls { reason: error.to_string() })
    }
}

impl Endpoints {
    /// Goes by another configuration from the next request on: whether anything is answered, the token, durations, and
    /// sampling rates. Paths stay as they are.
    pub fn reload(&self, config: &Config) {
        config.apply(self);
        config.apply_rates();
        log::info(format_args!(
            "pprof configuration reloaded: profiling {}",
            if config.is_enabled() { "enabled" } else { "disabled" }
        ));
    }
}

impl Server {
    /// Goes by another configuration from the next request on, as [`Endpoints::reload`]; a program may call it
    /// on `SIGHUP`. What would need another socket waits for the next start.
    ///
    /// # Errors
    /// When it would take away the token that protects a server which other machines can reach. Nothing is
    /// changed then.
    pub fn reload(&self, config: &Config) -> Result<Reloaded, ConfigError> {
        if self.needs_token() && config.token.is_none() {
            return Err(ConfigError::NeedsToken);
        }
        self.endpoints().reload(config);
        Ok(Reloaded { needs_restart: self.differences(config) })
    }

    fn differences(&self, config: &Config) -> Vec<&'static str> {
        let path = config.path.as_deref().unwrap_or("/debug/pprof");
        let is_same_path = path.trim_matches('/') == self.endpoints().prefix().trim_matches('/');
        let address = config.address.as_deref().unwrap_or("127.0.0.1:6060");
        let settings = [
            ("address", !self.listens_on(address)),
            ("path", !is_same_path),
            ("tls", config.tls.is_some() != self.is_encrypted()),
        ];
        settings.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
    }
}
