//! Taking secrets out of what is sent away: configuration, environment, command lines.
//!
//! What a value means is told by its name, and by the shapes that secrets have wherever they stand. Rather
//! too much is removed than too little; names of settings always stay.

use serde_json::Value;

/// What stands in place of a secret.
pub const REMOVED: &str = "[removed]";

/// Parts of names whose values are secrets.
const SECRET: &[&str] = &[
    "accesskey",
    "adminkey",
    "apikey",
    "auth",
    "bearer",
    "cert",
    "connectionstring",
    "cookie",
    "credential",
    "dsn",
    "jwt",
    "license",
    "passphrase",
    "passwd",
    "password",
    "private",
    "pwd",
    "salt",
    "secret",
    "session",
    "signature",
    "signingkey",
    "token",
    "webhook",
];

/// Whether a setting of this name holds a secret.
pub fn is_secret(name: &str) -> bool {
    let bare: String =
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    bare == "key" || bare.ends_with("key") || SECRET.iter().any(|part| bare.contains(part))
}

/// A configuration file without its secrets: JSON as such, and YAML, TOML, `.ini` and `.env` line by line.
pub fn config(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(mut value) if value.is_object() || value.is_array() => {
            json(&mut value);
            format!("{value:#}\n")
        }
        _ => lines(text),
    }
}

fn json(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                if is_secret(name) && !matches!(value, Value::Bool(_) | Value::Null) {
                    *value = REMOVED.into();
                } else {
                    json(value);
                }
            }
        }
        // What is only words may be a command line, as Go programs publish theirs.
        Value::Array(items) if items.iter().all(Value::is_string) => {
            let words = command_line(items.iter().filter_map(Value::as_str));
            *items = words.into_iter().map(Value::String).collect();
        }
        Value::Array(items) => items.iter_mut().for_each(json),
        Value::String(text) => *text = shapes(text),
        _ => {}
    }
}

fn lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Inside a block that belongs to a secret name or is a key itself: until when it lasts.
    let mut hidden: Option<Block> = None;
    for line in text.lines() {
        if hidden.as_ref().is_some_and(|block| block.holds(line)) {
            continue;
        }
        let was_pem = matches!(hidden.take(), Some(Block::Pem));
        if was_pem {
            continue;
        }
        if line.contains("-----BEGIN") {
            hidden = Some(Block::Pem);
            out.push_str(REMOVED);
        } else if let Some((start, name)) = setting(line) {
            let value = line[start..].trim();
            out.push_str(&line[..start]);
            if is_secret(name) && !matches!(value, "true" | "false" | "null") {
                out.push_str(if line[start..].starts_with(' ') { " " } else { "" });
                out.push_str(REMOVED);
                hidden = Some(Block::Below(column(line, name)));
            } else {
                out.push_str(&shapes(&line[start..]));
            }
        } else {
            out.push_str(&shapes(line));
        }
        out.push('\n');
    }
    out
}

enum Block {
    /// Lines indented by more than this, as YAML continues the value of a name in that column.
    Below(usize),
    /// Up to the line that ends a key or certificate.
    Pem,
}

impl Block {
    fn holds(&self, line: &str) -> bool {
        match self {
            Self::Below(depth) => !line.trim().is_empty() && indent(line) > *depth,
            Self::Pem => !line.contains("-----END"),
        }
    }
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The column at which a setting's name begins, which is behind the dash of a list's item.
fn column(line: &str, name: &str) -> usize {
    line.find(name).unwrap_or(0)
}

/// Where the value of a line `name: value` or `name = value` begins, and the name.
fn setting(line: &str) -> Option<(usize, &str)> {
    let at = line.find([':', '='])?;
    let name = line[..at].trim().trim_start_matches("- ").trim_start_matches("export ");
    let name = name.trim().trim_matches(['"', '\'']);
    let is_name = !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    is_name.then_some((at + 1, name))
}

/// A command line without its secrets: values of flags that are named so, and what looks like a secret.
pub fn command_line<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut hide_next = false;
    let mut redact = |argument: &str| {
        let is_flag = argument.starts_with('-');
        if std::mem::take(&mut hide_next) && !is_flag {
            return REMOVED.to_owned();
        }
        match argument.split_once('=') {
            // A URL has its own ways to hold secrets.
            Some((name, _)) if is_secret(name) && !name.contains("://") => {
                format!("{name}={REMOVED}")
            }
            None if is_flag && is_secret(argument) => {
                hide_next = true;
                argument.to_owned()
            }
            _ => shapes(argument),
        }
    };
    arguments.into_iter().map(&mut redact).collect()
}

/// Removes what looks like a secret: users and passwords in URLs, secret parameters of their queries, and what
/// follows `Bearer` or `Basic`.
pub fn shapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut secret_next = false;
    for word in text.split_inclusive(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',')) {
        let body =
            word.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ','));
        let end = &word[body.len()..];
        if std::mem::take(&mut secret_next) && !body.is_empty() {
            out.push_str(REMOVED);
        } else {
            out.push_str(&url(body));
        }
        out.push_str(end);
        secret_next = body.eq_ignore_ascii_case("bearer") || body.eq_ignore_ascii_case("basic");
    }
    out
}

fn url(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    let (authority, target) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = match authority.rsplit_once('@') {
        Some((_, host)) => format!("{REMOVED}@{host}"),
        None => authority.to_owned(),
    };
    let Some((path, query)) = target.split_once('?') else {
        return format!("{scheme}://{host}{target}");
    };
    let pair = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}={REMOVED}"),
        _ => pair.to_owned(),
    };
    let query: Vec<_> = query.split('&').map(pair).collect();
    format!("{scheme}://{host}{path}?{}", query.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(config(text), expected);
    }

    #[test]
    fn json_keeps_its_shape() {
        check(
            r#"{"port": 8080, "admin_key": "k", "db": {"dsn": "x", "urls": ["pg://u:p@h/d?sslkey=1&a=2"]}, "use_tls_cert": true}"#,
            "{\n  \"admin_key\": \"[removed]\",\n  \"db\": {\n    \"dsn\": \"[removed]\",\n    \"urls\": [\n      \
             \"pg://[removed]@h/d?sslkey=[removed]&a=2\"\n    ]\n  },\n  \"port\": 8080,\n  \"use_tls_cert\": true\n}\n",
        );
    }

    #[test]
    fn command_lines_within_json() {
        check(
            r#"{"cmdline": ["app", "--token=abc", "-password", "def"]}"#,
            "{\n  \"cmdline\": [\n    \"app\",\n    \"--token=[removed]\",\n    \"-password\",\n    \
             \"[removed]\"\n  ]\n}\n",
        );
    }

    #[test]
    fn lines_of_other_formats() {
        check(
            "port: 80\nADMIN_KEY: s3\nurl: http://u:p@h/x\n",
            "port: 80\nADMIN_KEY: [removed]\nurl: http://[removed]@h/x\n",
        );
        check(
            "export API_TOKEN=abc\nname = \"web\"\n",
            "export API_TOKEN=[removed]\nname = \"web\"\n",
        );
        check(
            "- password: |\n    line one\n    line two\n  port: 1\n",
            "- password: [removed]\n  port: 1\n",
        );
        check(
            "x: |\n-----BEGIN KEY-----\nabc\n-----END KEY-----\ny: 2\n",
            "x: |\n[removed]\ny: 2\n",
        );
        check(
            "header: Authorization: Bearer abc.def\n",
            "header: Authorization: Bearer [removed]\n",
        );
        check("enable_auth: true\n", "enable_auth: true\n");
    }

    #[test]
    fn command_lines() {
        let line = [
            "serve",
            "--token=a",
            "--admin-key",
            "b",
            "--port",
            "80",
            "pg://u:p@h/d?sslkey=1",
            "-password",
            "-v",
        ];
        let expected = [
            "serve",
            "--token=[removed]",
            "--admin-key",
            "[removed]",
            "--port",
            "80",
            "pg://[removed]@h/d?sslkey=[removed]",
            "-password",
            "-v",
        ];
        assert_eq!(command_line(line), expected);
    }

    #[test]
    fn names_of_secrets() {
        for name in
            ["ADMIN_KEY", "api-key", "dbPassword", "tls.key", "Authorization", "SESSION_SECRET"]
        {
            assert!(is_secret(name), "{name}");
        }
        for name in
            ["port", "enable_pprof", "PATH", "keyboard", "CPU_PROFILE_DURATION", "upstreams"]
        {
            assert!(!is_secret(name), "{name}");
        }
    }
}
