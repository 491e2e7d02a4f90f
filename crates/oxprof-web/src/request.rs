//! What the page asks.

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, HOST, HeaderName, ORIGIN};
use http::{HeaderMap, Method};

use crate::Giver;

/// A request, below the path where the page lives, that [`router::admit`](crate::router::admit) found to be one to answer.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    /// Without a slash in front.
    pub(crate) path: String,
    pub(crate) query: Query,
    /// The query as it was written.
    pub(crate) raw_query: String,
    pub(crate) headers: HeaderMap,
    /// Empty if nobody looks at it.
    pub(crate) body: Bytes,
    /// Who asks.
    pub(crate) giver: Giver,
}

impl Ask {
    /// Whether its body is worth waiting for.
    pub(crate) fn takes_body(&self) -> bool {
        self.method == Method::POST && self.path == "api/upload"
    }

    /// Whether another site made a browser send this. Tools and the address bar do not say where they come from.
    pub(crate) fn is_cross_site(&self) -> bool {
        const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
        let text = |name| self.headers.get(name).and_then(|v| v.to_str().ok());
        if text(SITE).is_some_and(|site| site == "cross-site" || site == "same-site") {
            return true;
        }
        let host = text(HOST).unwrap_or_default();
        text(ORIGIN)
            .is_some_and(|origin| origin.split_once("://").is_none_or(|(_, from)| from != host))
    }
}

/// Whether whoever sent these headers takes compressed answers.
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT_ENCODING).and_then(|v| v.to_str().ok());
    accepted.is_some_and(|value| value.contains("gzip"))
}

/// The parameters of a URL, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        };
        Self(pairs.map(pair).collect())
    }

    /// The first parameter of this name; empty if there is none.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Text of a query: `+` is a blank, `%41` a letter. What is no escape stays as it is.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match (first, after) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high * 16 + low);
                    rest = after;
                }
                _ => bytes.push(first),
            },
            _ => bytes.push(first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|d| d as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded() {
        let query = Query::parse("f=a%2Bb+c&g=%zz%4&h&f=second&&n=%C3%A4");
        assert_eq!(query.get("f"), "a+b c");
        assert_eq!(query.get("g"), "%zz%4");
        assert_eq!((query.get("h"), query.get("x")), ("", ""));
        assert_eq!(query.get("n"), "ä");
    }

    #[test]
    fn other_sites_are_recognised() {
        #[track_caller]
        fn check(headers: &[(&'static str, &str)], expected: bool) {
            let header =
                |(n, v): &(&'static str, &str)| (HeaderName::from_static(n), v.parse().unwrap());
            let ask = Ask {
                method: Method::POST,
                path: String::new(),
                query: Query::default(),
                raw_query: String::new(),
                headers: headers.iter().map(header).collect(),
                body: Bytes::new(),
                giver: Giver::User,
            };
            assert_eq!(ask.is_cross_site(), expected, "{headers:?}");
        }
        check(&[("host", "localhost:1")], false);
        check(&[("host", "localhost:1"), ("origin", "http://localhost:1")], false);
        check(&[("host", "localhost:1"), ("origin", "http://localhost:2")], true);
        check(&[("host", "localhost:1"), ("origin", "null")], true);
        check(&[("sec-fetch-site", "cross-site")], true);
        check(&[("sec-fetch-site", "same-origin")], false);
        check(&[("sec-fetch-site", "none")], false);
    }
}
