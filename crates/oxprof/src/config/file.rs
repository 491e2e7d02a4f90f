//! Settings in configuration files, which the program may share.

use std::path::Path;
use std::time::Duration;

use super::{Config, ConfigError};

/// A value in a document, as far as settings need it.
enum Value {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    Section(Vec<(String, Self)>),
    Other,
}

pub(super) fn read(path: &Path) -> Result<Config, ConfigError> {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    let parse: fn(&str) -> Result<Config, ConfigError> = match extension {
        #[cfg(feature = "json")]
        "json" => from_json,
        #[cfg(feature = "yaml")]
        "yaml" | "yml" => from_yaml,
        _ => return Err(ConfigError::Format { path: path.to_owned() }),
    };
    let text = std::fs::read_to_string(path)
        .map_err(|reason| ConfigError::File { path: path.to_owned(), reason })?;
    parse(&text)
}

#[cfg(feature = "json")]
pub(super) fn from_json(text: &str) -> Result<Config, ConfigError> {
    fn value(json: serde_json::Value) -> Value {
        match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(b) => Value::Bool(b),
            serde_json::Value::Number(n) => n.as_f64().map_or(Value::Other, Value::Number),
            serde_json::Value::String(text) => Value::Text(text),
            serde_json::Value::Object(members) => {
                Value::Section(members.into_iter().map(|(k, v)| (k, value(v))).collect())
            }
            serde_json::Value::Array(_) => Value::Other,
        }
    }
    let document = serde_json::from_str(text)
        .map_err(|e| ConfigError::Syntax { format: "JSON", reason: e.to_string() })?;
    let hint = "set enable_pprof: true to enable";
    Ok(Config { hint: Some(hint), ..settings(value(document))? })
}

#[cfg(feature = "yaml")]
pub(super) fn from_yaml(text: &str) -> Result<Config, ConfigError> {
    use saphyr::{LoadableYamlNode, Yaml};
    fn value(yaml: &Yaml<'_>) -> Value {
        if let Some(members) = yaml.as_mapping() {
            let named = |(key, v): (&Yaml<'_>, _)| Some((key.as_str()?.to_owned(), value(v)));
            return Value::Section(members.iter().filter_map(named).collect());
        }
        if let Some(text) = yaml.as_str() {
            return Value::Text(text.to_owned());
        }
        let number = yaml.as_floating_point().or_else(|| yaml.as_integer().map(|n| n as f64));
        let number = number.map(Value::Number);
        let simple = number.or_else(|| yaml.as_bool().map(Value::Bool));
        simple.unwrap_or(if yaml.is_null() { Value::Null } else { Value::Other })
    }
    let documents = Yaml::load_from_str(text)
        .map_err(|e| ConfigError::Syntax { format: "YAML", reason: e.to_string() })?;
    let hint = "set PROFILING: ENABLED: true to enable";
    Ok(Config { hint: Some(hint), ..settings(documents.first().map_or(Value::Null, value))? })
}

/// The settings of a document: of what is the program's, too, only our names are looked at.
fn settings(document: Value) -> Result<Config, ConfigError> {
    let Value::Section(members) = document else { return Ok(Config::new()) };
    let mut config = Config::new();
    for (key, value) in members {
        let name = key.to_ascii_lowercase();
        match (name.as_str(), value) {
            ("profiling", Value::Section(members)) => config = section(config, members)?,
            ("enable_pprof", value) => set(&mut config, "enabled", &key, value)?,
            ("pprof_addr", value) => set(&mut config, "addr", &key, value)?,
            ("pprof_port", value) => set(&mut config, "port", &key, value)?,
            _ => {}
        }
    }
    Ok(config)
}

fn section(mut config: Config, members: Vec<(String, Value)>) -> Result<Config, ConfigError> {
    let mut tls = [None, None];
    for (key, value) in members {
        match key.to_ascii_lowercase().as_str() {
            "tls_cert" => tls[0] = text(&key, value)?,
            "tls_key" => tls[1] = text(&key, value)?,
            name => set(&mut config, name, &key, value)?,
        }
    }
    match tls {
        [Some(certificate), Some(key)] => config = config.tls(certificate, key),
        [None, None] => {}
        _ => return Err(bad("TLS_CERT", "…", "set together with TLS_KEY")),
    }
    Ok(config)
}

/// Makes the setting called `name`, which is `key` in the document.
fn set(config: &mut Config, name: &str, key: &str, value: Value) -> Result<(), ConfigError> {
    match name {
        "enabled" => config.enabled = switch(key, value)?.or(config.enabled),
        "addr" => config.address = text(key, value)?.or(config.address.take()),
        "port" => {
            // An address says more than a port.
            let port = number(key, value, "a port number from 0 to 65535", 65535.0)?;
            let address = port.map(|port| format!("127.0.0.1:{port}"));
            config.address = config.address.take().or(address);
        }
        "admin_key" => config.token = text(key, value)?,
        "path" => {
            config.path =
                text(key, value)?.map(|path| format!("{}/pprof", path.trim_end_matches('/')));
        }
        "cpu_profile_duration" => config.cpu_duration = seconds(key, value)?,
        "memory_profile_interval" => config.memory_interval = seconds(key, value)?,
        "heap_rate" => {
            config.heap_rate = number(key, value, "a number of bytes", 1e15)?.map(|n| n as u64);
        }
        "block_rate" => {
            let rate = number(key, value, "a number of nanoseconds", 1e15)?;
            config.block_rate = rate.map(|n| n as u64);
        }
        "mutex_fraction" => {
            let fraction = number(key, value, "a number of events", 1e15)?;
            config.mutex_fraction = fraction.map(|n| n as u64);
        }
        "tls_client_ca" => config.client_ca = text(key, value)?.map(Into::into),
        _ => return Err(ConfigError::Unknown { key: key.to_owned() }),
    }
    Ok(())
}

fn switch(key: &str, value: Value) -> Result<Option<bool>, ConfigError> {
    match value {
        Value::Null => Ok(None),
        Value::Bool(b) => Ok(Some(b)),
        // Words that YAML took for booleans before version 1.2.
        Value::Text(text) if ["yes", "on"].contains(&text.as_str()) => Ok(Some(true)),
        Value::Text(text) if ["no", "off"].contains(&text.as_str()) => Ok(Some(false)),
        other => Err(bad(key, &other.show(), "true or false")),
    }
}

fn text(key: &str, value: Value) -> Result<Option<String>, ConfigError> {
    match value {
        Value::Null => Ok(None),
        Value::Text(text) => Ok(Some(text)),
        other => Err(bad(key, &other.show(), "text")),
    }
}

fn seconds(key: &str, value: Value) -> Result<Option<Duration>, ConfigError> {
    let expected = "a number of seconds greater than 0 and at most 86400";
    let seconds = match value {
        Value::Null => return Ok(None),
        Value::Number(n) if n > 0.0 && n <= 86400.0 => Duration::try_from_secs_f64(n).ok(),
        ref other => return Err(bad(key, &other.show(), expected)),
    };
    Ok(seconds)
}

/// A whole number from 0 to `most`.
fn number(
    key: &str,
    value: Value,
    expected: &'static str,
    most: f64,
) -> Result<Option<f64>, ConfigError> {
    match value {
        Value::Null => Ok(None),
        Value::Number(n) if n >= 0.0 && n <= most && n.fract() == 0.0 => Ok(Some(n)),
        other => Err(bad(key, &other.show(), expected)),
    }
}

fn bad(setting: &str, value: &str, expected: &'static str) -> ConfigError {
    ConfigError::Value { setting: setting.to_owned(), value: value.to_owned(), expected }
}

impl Value {
    fn show(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(b) => b.to_string(),
            Self::Number(n) => n.to_string(),
            Self::Text(text) => text.clone(),
            Self::Section(_) => "a section".to_owned(),
            Self::Other => "a list".to_owned(),
        }
    }
}

#[cfg(all(test, feature = "json", feature = "yaml"))]
mod tests {
    use super::*;

    fn check(found: Result<Config, ConfigError>, expected: Result<Config, &str>) {
        match (found, expected) {
            (Ok(mut config), Ok(expected)) => {
                config.hint = None;
                assert_eq!(config, expected);
            }
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (got, expected) => panic!("got {got:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn json() {
        let check = |text: &str, expected| check(from_json(text), expected);
        let on = || Config::new().enabled(true);
        check("{}", Ok(Config::new()));
        check(r#"{"enable_pprof": true, "upstreams": ["1.1.1.1"], "ttl": 3}"#, Ok(on()));
        check("{\n\t\"enable_pprof\": true\n}", Ok(on()));
        check(r#"{"enable_pprof": false}"#, Ok(Config::new().enabled(false)));
        check(r#"{"enable_pprof": null}"#, Ok(Config::new()));
        check(r#"{"pprof_port": 7070}"#, Ok(Config::new().address("127.0.0.1:7070")));
        check(r#"{"pprof_addr": ":1", "pprof_port": 2}"#, Ok(Config::new().address(":1")));
        check(r#"{"pprof_port": 2, "pprof_addr": ":1"}"#, Ok(Config::new().address(":1")));
        check(r#"{"enable_pprof": "sure"}"#, Err("enable_pprof is \"sure\""));
        check(r#"{"pprof_port": 65536}"#, Err("pprof_port is \"65536\""));
        check(r#"{"pprof_port": 1.5}"#, Err("a port number"));
        check("[]", Ok(Config::new()));
        check("{", Err("not valid JSON"));
    }

    #[test]
    fn yaml() {
        let check = |text: &str, expected| check(from_yaml(text), expected);
        let whole = "
SERVER: {PORT: 10000}
PROFILING:
  ENABLED: true
  PATH: \"/debug\"
  CPU_PROFILE_DURATION: 30
  MEMORY_PROFILE_INTERVAL: 60
";
        let expected = Config::new()
            .enabled(true)
            .path("/debug/pprof")
            .cpu_duration(Duration::from_secs(30))
            .memory_interval(Duration::from_secs(60));
        check(whole, Ok(expected.clone()));
        check(&whole.to_ascii_lowercase(), Ok(expected));
        let more = "PROFILING: {ADDR: ':1', ADMIN_KEY: k, HEAP_RATE: 4096, TLS_CERT: c, TLS_KEY: k, TLS_CLIENT_CA: a}";
        let expected = Config::new().address(":1").token("k").heap_rate(4096);
        check(more, Ok(expected.tls("c", "k").client_ca("a")));
        let rates = Config::new().block_rate(10_000).mutex_fraction(10);
        check("PROFILING: {BLOCK_RATE: 10000, MUTEX_FRACTION: 10}", Ok(rates));
        check("PROFILING: {ENABLED: yes}", Ok(Config::new().enabled(true)));
        check("", Ok(Config::new()));
        check("PROFILING:\n", Ok(Config::new()));
        check("PROFILING: {ENABLD: true}", Err("a key \"ENABLD\""));
        check("PROFILING: {CPU_PROFILE_DURATION: 0}", Err("CPU_PROFILE_DURATION is \"0\""));
        check("PROFILING: {CPU_PROFILE_DURATION: [1]}", Err("CPU_PROFILE_DURATION is \"a list\""));
        check("PROFILING: {PATH: 7}", Err("PATH is \"7\", but must be text"));
        check("PROFILING: {TLS_KEY: k}", Err("TLS_KEY"));
        check("a: [", Err("not valid YAML"));
    }

    #[test]
    fn files() {
        check(read(Path::new("/nowhere/config.json")), Err("cannot read /nowhere/config.json"));
        check(read(Path::new("config.toml")), Err("ends in .json"));
    }
}
