//! What a source names: a file, or a URL as Go's tool understands it.

use std::fmt;
use std::time::Duration;

/// A URL to fetch a profile from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    /// `http`, `https`, `https+insecure`, or what else was given.
    pub scheme: String,
    /// Host and port, and perhaps a user.
    pub authority: String,
    /// Path, as given; starts with a slash.
    pub path: String,
    /// Parameters, decoded, in the order of their names.
    pub query: Vec<(String, String)>,
    /// Socket to connect to instead of the host.
    pub socket: Option<String>,
}

/// What Go's tool asks a server for when the URL has no path.
const DEFAULT_PATH: &str = "/debug/pprof/profile";

impl Url {
    /// Reads a source that is no file. `host:port/path` needs no scheme; `unix:/socket` and
    /// `unix:/socket:/path` name a Unix socket.
    ///
    /// Returns `None` for what cannot be a URL, such as the misspelt name of a file.
    pub(crate) fn parse(source: &str) -> Option<Self> {
        if let Some(rest) = source.strip_prefix("unix:") {
            return Some(Self::over_socket(rest));
        }
        let (scheme, rest) = match source.split_once("://") {
            Some((scheme, rest)) if is_scheme(scheme) => (scheme, rest),
            _ if source.split('/').next()?.contains(':') => ("http", source),
            _ => return None,
        };
        let rest = rest.split('#').next()?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        if authority.is_empty() || scheme == "file" || !has_valid_escapes(target) {
            return None;
        }
        Some(Self::new(scheme, authority, target))
    }

    fn over_socket(rest: &str) -> Self {
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let (socket, target) = rest.split_once(':').unwrap_or((rest, ""));
        Self { socket: Some(socket.to_owned()), ..Self::new("http", "localhost", target) }
    }

    fn new(scheme: &str, authority: &str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = if matches!(path, "" | "/") { DEFAULT_PATH } else { path };
        Self {
            scheme: scheme.to_ascii_lowercase(),
            authority: authority.to_owned(),
            path: path.to_owned(),
            query: parse_query(query),
            socket: None,
        }
    }

    /// Asks for `seconds` of profile, unless negative. Returns how long collecting will take, if
    /// the URL says so.
    pub(crate) fn set_seconds(&mut self, seconds: i64) -> Option<Duration> {
        if seconds > 0 {
            self.query.retain(|(name, _)| name != "seconds");
            self.query.push(("seconds".into(), seconds.to_string()));
            self.query.sort_by(|a, b| a.0.cmp(&b.0));
        }
        let (_, value) = self.query.iter().find(|(name, _)| name == "seconds")?;
        value.parse().ok().map(Duration::from_secs)
    }

    /// Whether the server's certificate is to be believed unseen.
    pub(crate) fn is_insecure(&self) -> bool {
        self.scheme == "https+insecure"
    }

    /// The URL that goes over the wire.
    pub(crate) fn request(&self) -> String {
        let scheme = if self.is_insecure() { "https" } else { &self.scheme };
        format!("{scheme}://{}", self.after_scheme())
    }

    fn after_scheme(&self) -> String {
        // An address without a host is this machine.
        let host = if self.authority.starts_with(':') { "localhost" } else { "" };
        format!("{host}{}{}", self.authority, self.target())
    }

    fn target(&self) -> String {
        let pairs: Vec<_> =
            self.query.iter().map(|(k, v)| format!("{}={}", escape(k), escape(v))).collect();
        let mark = if pairs.is_empty() { "" } else { "?" };
        format!("{}{mark}{}", escape_path(&self.path), pairs.join("&"))
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.socket {
            Some(socket) => write!(f, "unix:{socket}:{}", self.target()),
            None => write!(f, "{}://{}{}", self.scheme, self.authority, self.target()),
        }
    }
}

fn is_scheme(text: &str) -> bool {
    let rest = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(rest)
}

fn has_valid_escapes(text: &str) -> bool {
    let path = text.split('?').next().unwrap_or("");
    unescape(path, false).is_some()
}

/// Pairs of a query in the order of their names. Pairs with broken escapes are left out, as Go does.
fn parse_query(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty() && !pair.contains(';'));
    let mut pairs: Vec<_> = pairs
        .filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((unescape(name, true)?, unescape(value, true)?))
        })
        .collect();
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    pairs
}

fn unescape(text: &str, plus_is_space: bool) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => hex_digit(bytes.next()?)? << 4 | hex_digit(bytes.next()?)?,
            b'+' if plus_is_space => b' ',
            _ => byte,
        });
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Escapes a name or value of a query.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            _ => push_escape(&mut out, byte),
        }
    }
    out
}

/// Escapes what a path may not hold as it is.
fn escape_path(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`') {
            out.push(char::from(byte));
        } else {
            push_escape(&mut out, byte);
        }
    }
    out
}

fn push_escape(out: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(DIGITS[usize::from(byte & 15)]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, expected: &str) {
        let url = Url::parse(source).map(|url| url.to_string());
        assert_eq!(url.as_deref().unwrap_or("no URL"), expected, "{source}");
    }

    #[test]
    fn schemes_are_added_and_empty_paths_filled_in() {
        check("127.0.0.1:6161", "http://127.0.0.1:6161/debug/pprof/profile");
        check("localhost:6161/", "http://localhost:6161/debug/pprof/profile");
        check("http://localhost", "http://localhost/debug/pprof/profile");
        check("[::1]:6161", "http://[::1]:6161/debug/pprof/profile");
        check(":6161", "http://:6161/debug/pprof/profile");
        check("http://h?seconds=3", "http://h/debug/pprof/profile?seconds=3");
        check("https+insecure://h/x", "https+insecure://h/x");
        check("http://h/x#fragment", "http://h/x");
    }

    #[test]
    fn names_of_files_are_no_urls() {
        check("foo", "no URL");
        check("foo/bar", "no URL");
        check("./a:b", "no URL");
        check("file:///etc/passwd", "no URL");
        check("http://h/%zz", "no URL");
        check("http://", "no URL");
    }

    #[test]
    fn queries_are_sorted_and_encoded_anew() {
        check("http://h/p?b=2&a=1", "http://h/p?a=1&b=2");
        check("http://h/p?q=a%20b&q=c+d", "http://h/p?q=a+b&q=c+d");
        check("http://h/p?x", "http://h/p?x=");
        check("http://h/p?a=%zz&b=%2F", "http://h/p?b=%2F");
    }

    #[test]
    fn sockets_stand_before_the_path() {
        check("unix:/run/a.sock", "unix:/run/a.sock:/debug/pprof/profile");
        check("unix:///run/a.sock:/debug/pprof/heap", "unix:/run/a.sock:/debug/pprof/heap");
        let url = Url::parse("unix:/run/a.sock:/x?b=1").unwrap();
        assert_eq!(url.request(), "http://localhost/x?b=1");
        assert_eq!(url.socket.as_deref(), Some("/run/a.sock"));
    }

    #[test]
    fn requests_name_a_host() {
        let url = Url::parse(":80/x").unwrap();
        assert_eq!(url.request(), "http://localhost:80/x");
        assert_eq!(Url::parse("https+insecure://h/x").unwrap().request(), "https://h/x");
    }

    #[test]
    fn the_flag_overrides_the_seconds_of_the_url() {
        #[track_caller]
        fn check(source: &str, seconds: i64, expected: (&str, Option<u64>)) {
            let mut url = Url::parse(source).unwrap();
            let duration = url.set_seconds(seconds);
            assert_eq!((url.to_string().as_str(), duration.map(|d| d.as_secs())), expected);
        }
        check("http://h/p?seconds=7&z=1&a=2", 2, ("http://h/p?a=2&seconds=2&z=1", Some(2)));
        check("http://h/p?seconds=7", -1, ("http://h/p?seconds=7", Some(7)));
        check("http://h/p?seconds=abc", -1, ("http://h/p?seconds=abc", None));
        check("http://h/p", -1, ("http://h/p", None));
    }
}
