//! Bearer tokens (RFC 6750), compared without telling by timing how much of a guess was right.

use std::fmt;
use std::hint::black_box;
use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;

/// A secret that requests must present as `Authorization: Bearer …`.
#[derive(Clone)]
pub(super) struct Token(Arc<str>);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Token {
    pub(super) fn new(secret: &str) -> Self {
        Self(secret.into())
    }

    /// Whether the request carries exactly one `Authorization` header with this token.
    pub(super) fn admits(&self, headers: &HeaderMap) -> bool {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return false };
        let Some((scheme, guess)) = value.as_bytes().split_at_checked("Bearer ".len()) else {
            return false;
        };
        scheme.eq_ignore_ascii_case(b"Bearer ") && same(guess, self.0.as_bytes())
    }
}

/// Equality in time that depends on the length of `guess` only.
fn same(guess: &[u8], secret: &[u8]) -> bool {
    let mut difference = u8::from(guess.len() != secret.len());
    for (i, byte) in guess.iter().enumerate() {
        let expected = secret.get(i % secret.len().max(1)).copied().unwrap_or(0);
        difference = black_box(difference | (byte ^ expected));
    }
    difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn check(headers: &[&str], expected: bool) {
        let mut map = HeaderMap::new();
        for h in headers {
            map.append(AUTHORIZATION, HeaderValue::from_str(h).unwrap());
        }
        assert_eq!(Token::new("s3cret").admits(&map), expected, "{headers:?}");
    }

    #[test]
    fn admits_exactly_the_token() {
        check(&["Bearer s3cret"], true);
        check(&["bearer s3cret"], true);
        check(&[], false);
        check(&["Bearer "], false);
        check(&["Bearer s3cre"], false);
        check(&["Bearer s3crets3cret"], false);
        check(&["Bearer s3crex"], false);
        check(&["Basic s3cret"], false);
        check(&["s3cret"], false);
        check(&["Bearer s3cret", "Bearer s3cret"], false);
    }

    #[test]
    fn time_does_not_tell_how_much_was_right() {
        // Long enough that a comparison which stops early is thousands of times as fast for the first guess.
        let secret = vec![b'x'; 1 << 16];
        let (mut first, mut last) = (secret.clone(), secret.clone());
        first[0] = b'y';
        last[(1 << 16) - 1] = b'y';
        let fastest = |guess: &[u8]| {
            let time = |_| {
                let started = std::time::Instant::now();
                assert!(!same(black_box(guess), black_box(&secret)));
                started.elapsed()
            };
            (0..50).map(time).min().unwrap_or_default().as_secs_f64()
        };
        let ratio =
            (0..20).map(|_| fastest(&first) / fastest(&last)).find(|r| (0.5..2.0).contains(r));
        assert!(
            ratio.is_some(),
            "the first byte being wrong is noticed sooner or later than the last"
        );
    }

    #[test]
    fn does_not_print_the_secret() {
        assert_eq!(format!("{:?}", Token::new("s3cret")), "Token(..)");
    }
}
