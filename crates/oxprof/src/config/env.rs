//! Settings in environment variables. Empty ones count as not set.

use std::ffi::OsString;

use super::{Config, ConfigError};

/// Reads the variables that `var` gives.
pub(super) fn read(var: impl Fn(&'static str) -> Option<OsString>) -> Result<Config, ConfigError> {
    let text = |name: &'static str| match var(name).map(OsString::into_string) {
        None => Ok(None),
        Some(Ok(value)) => Ok(Some(value).filter(|value| !value.is_empty())),
        Some(Err(value)) => Err(bad(name, &value.to_string_lossy(), "valid Unicode")),
    };
    let address = match (text("PPROF_ADDR")?, text("PPROF_PORT")?) {
        (Some(address), _) => Some(address),
        (None, Some(port)) => Some(local(&port)?),
        (None, None) => None,
    };
    let enabled = text("PPROF_ENABLED")?.map(|value| switch(&value)).transpose()?;
    let rate = |name: &'static str, expected: &'static str| {
        text(name)?.map(|value| number(name, &value, expected)).transpose()
    };
    let tls = match (text("PPROF_TLS_CERT")?, text("PPROF_TLS_KEY")?) {
        (Some(certificate), Some(key)) => Some((certificate.into(), key.into())),
        (None, None) => None,
        (certificate, _) => {
            let (there, missing) = match certificate {
                Some(_) => ("PPROF_TLS_CERT", "set together with PPROF_TLS_KEY"),
                None => ("PPROF_TLS_KEY", "set together with PPROF_TLS_CERT"),
            };
            return Err(bad(there, "…", missing));
        }
    };
    Ok(Config {
        enabled: enabled.or(address.is_some().then_some(true)),
        address,
        token: text("ADMIN_KEY")?,
        path: text("PPROF_PATH")?,
        heap_rate: rate("OXPROF_HEAP_RATE", "a number of bytes")?,
        block_rate: rate("OXPROF_BLOCK_RATE", "a number of nanoseconds")?,
        mutex_fraction: rate("OXPROF_MUTEX_FRACTION", "a number of events")?,
        tls,
        client_ca: text("PPROF_TLS_CLIENT_CA")?.map(Into::into),
        hint: Some("set PPROF_ADDR or PPROF_PORT to enable"),
        ..Config::default()
    })
}

fn local(port: &str) -> Result<String, ConfigError> {
    match port.parse::<u16>() {
        Ok(port) => Ok(format!("127.0.0.1:{port}")),
        Err(_) => Err(bad("PPROF_PORT", port, "a port number from 0 to 65535")),
    }
}

fn switch(value: &str) -> Result<bool, ConfigError> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" | "enabled" => Ok(true),
        "0" | "false" | "no" | "off" | "disabled" => Ok(false),
        _ => Err(bad("PPROF_ENABLED", value, "true or false")),
    }
}

fn number(name: &str, value: &str, expected: &'static str) -> Result<u64, ConfigError> {
    value.trim().parse().map_err(|_| bad(name, value, expected))
}

fn bad(name: &str, value: &str, expected: &'static str) -> ConfigError {
    ConfigError::Value { setting: name.to_owned(), value: value.to_owned(), expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(vars: &[(&str, &str)], expected: Result<Config, &str>) {
        let found =
            read(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).into()));
        match (found, expected) {
            (Ok(mut config), Ok(expected)) => {
                config.hint = None;
                assert_eq!(config, expected, "{vars:?}");
            }
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (got, expected) => panic!("{vars:?}: got {got:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn variables() {
        let on = || Config::new().enabled(true);
        check(&[], Ok(Config::new()));
        check(&[("PPROF_ADDR", ""), ("PPROF_PORT", "")], Ok(Config::new()));
        check(&[("ADMIN_KEY", "k")], Ok(Config::new().token("k")));
        check(&[("PPROF_PORT", "6060")], Ok(on().address("127.0.0.1:6060")));
        check(
            &[("PPROF_ADDR", "h:1"), ("PPROF_PORT", "2"), ("ADMIN_KEY", "k")],
            Ok(on().address("h:1").token("k")),
        );
        check(&[("PPROF_ENABLED", "true"), ("PPROF_PATH", "/p")], Ok(on().path("/p")));
        check(
            &[("PPROF_ENABLED", "off"), ("PPROF_ADDR", ":1")],
            Ok(Config::new().enabled(false).address(":1")),
        );
        check(&[("OXPROF_HEAP_RATE", "4096")], Ok(Config::new().heap_rate(4096)));
        check(
            &[("OXPROF_BLOCK_RATE", "10"), ("OXPROF_MUTEX_FRACTION", "5")],
            Ok(Config::new().block_rate(10).mutex_fraction(5)),
        );
        check(
            &[("PPROF_TLS_CERT", "c"), ("PPROF_TLS_KEY", "k"), ("PPROF_TLS_CLIENT_CA", "a")],
            Ok(Config::new().tls("c", "k").client_ca("a")),
        );
        check(&[("PPROF_TLS_CERT", "c")], Err("set together with PPROF_TLS_KEY"));
        check(&[("PPROF_PORT", "x")], Err("PPROF_PORT is \"x\""));
        check(&[("PPROF_PORT", "65536")], Err("from 0 to 65535"));
        check(&[("PPROF_ENABLED", "maybe")], Err("PPROF_ENABLED is \"maybe\""));
        check(&[("OXPROF_HEAP_RATE", "512k")], Err("OXPROF_HEAP_RATE is \"512k\""));
    }
}
