//! What the examples share: the endpoints, with a token if `ADMIN_KEY` says one.

use oxprof::http::Endpoints;

/// The address in the first argument, or one that the README uses.
pub fn address() -> String {
    std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned())
}

/// What the environment configures, and enabled unless it says otherwise: this program is about nothing else.
pub fn endpoints() -> Result<Option<Endpoints>, oxprof::ConfigError> {
    Ok(oxprof::Config::from_env()?.or(oxprof::Config::new().enabled(true)).endpoints())
}
