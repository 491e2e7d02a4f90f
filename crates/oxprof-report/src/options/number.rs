//! Numbers as Go reads and prints them, since people paste them from one tool into the other.

use std::fmt;

/// Why text is not a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberError {
    /// It does not look like one.
    Syntax,
    /// It is one, but too large to hold.
    Range,
}

impl fmt::Display for NumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "invalid syntax",
            Self::Range => "value out of range",
        })
    }
}

impl std::error::Error for NumberError {}

/// Reads a decimal integer with an optional sign.
pub(crate) fn parse_int(text: &str) -> Result<i64, NumberError> {
    int_in_base(text, 10)
}

/// Reads an integer as Go's command-line flags do: `0x`, `0o`, `0b` and `0` prefixes choose the
/// base, and `_` may stand between digits of a prefixed or plain number.
pub fn parse_flag_int(text: &str) -> Result<i64, NumberError> {
    let (sign, digits) = match text.as_bytes().first() {
        Some(b'-') => ("-", &text[1..]),
        Some(b'+') => ("", &text[1..]),
        _ => ("", text),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, body) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    let prefixed = base != 10;
    if !underscores_separate_digits(body, prefixed) {
        return Err(NumberError::Syntax);
    }
    int_in_base(&format!("{sign}{}", body.replace('_', "")), base)
}

fn underscores_separate_digits(body: &str, prefixed: bool) -> bool {
    !body.ends_with('_') && !body.contains("__") && (prefixed || !body.starts_with('_'))
}

fn int_in_base(text: &str, base: u32) -> Result<i64, NumberError> {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    i64::from_str_radix(text, base).map_err(|e| match e.kind() {
        PosOverflow | NegOverflow => NumberError::Range,
        _ => NumberError::Syntax,
    })
}

/// Reads a floating-point number; a finite text that overflows is out of range.
pub fn parse_float(text: &str) -> Result<f64, NumberError> {
    let value: f64 = text.parse().map_err(|_| NumberError::Syntax)?;
    let spelled_infinite = text.contains(['n', 'N']);
    if value.is_infinite() && !spelled_infinite { Err(NumberError::Range) } else { Ok(value) }
}

/// Prints a number with the fewest digits that read back the same, as Go's `%v` does: with an
/// exponent only below 1e-4 and from 1e6 on.
pub fn go_float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf".into() } else { "-Inf".into() };
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').expect("`{:e}` prints an exponent");
    let exponent: i32 = exponent.parse().expect("`{:e}` prints a whole exponent");
    if value == 0.0 || (-4..6).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flag_integers_follow_go() {
        #[track_caller]
        fn check(text: &str, expected: Result<i64, NumberError>) {
            assert_eq!(parse_flag_int(text), expected, "{text}");
        }
        check("10", Ok(10));
        check("-3", Ok(-3));
        check("+3", Ok(3));
        check("0x10", Ok(16));
        check("-0X1f", Ok(-31));
        check("010", Ok(8));
        check("0b11", Ok(3));
        check("1_000", Ok(1000));
        check("0x_ff", Ok(255));
        check("1__0", Err(NumberError::Syntax));
        check("_1", Err(NumberError::Syntax));
        check("", Err(NumberError::Syntax));
        check("1.5", Err(NumberError::Syntax));
        check("99999999999999999999", Err(NumberError::Range));
    }

    #[test]
    fn floats_print_as_go_prints_them() {
        #[track_caller]
        fn check(value: f64, expected: &str) {
            assert_eq!(go_float(value), expected);
        }
        check(0.0, "0");
        check(1.0, "1");
        check(0.005, "0.005");
        check(0.0001, "0.0001");
        check(0.00001, "1e-05");
        check(100000.0, "100000");
        check(123456789.0, "1.23456789e+08");
        check(1e21, "1e+21");
        check(-2.5e-7, "-2.5e-07");
        check(f64::INFINITY, "+Inf");
    }

    #[test]
    fn floats_overflow_only_when_finite_text_does() {
        assert_eq!(parse_float("1e999"), Err(NumberError::Range));
        assert_eq!(parse_float("inf"), Ok(f64::INFINITY));
        assert_eq!(parse_float("1e-3"), Ok(0.001));
        assert_eq!(parse_float("x"), Err(NumberError::Syntax));
    }
}
