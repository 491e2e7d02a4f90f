//! The `symbol` protocol: program counters in, function names out.
//!
//! A request names program counters separated by `+`, in the query of a GET or the body of a POST. The
//! reply starts with `num_symbols: 1`, which tells clients that look-ups work here, and has a line
//! `0xADDRESS NAME` for each counter that is known; others are left out.

use std::fmt::Write;

/// Answers `request` with the names that `names_of` finds for its program counters.
pub(super) fn answer(
    request: &str,
    names_of: impl FnOnce(&[u64]) -> Vec<Option<String>>,
) -> String {
    let pcs: Vec<u64> = request.split('+').filter_map(parse_pc).collect();
    let mut out = String::from("num_symbols: 1\n");
    for (pc, name) in pcs.iter().zip(names_of(&pcs)) {
        if let Some(name) = name {
            // Writing to a string cannot fail.
            let _ = writeln!(out, "{pc:#x} {name}");
        }
    }
    out
}

/// A number with a base prefix (`0x`, `0o` or `0`, `0b`), or decimal.
fn parse_pc(word: &str) -> Option<u64> {
    let word = word.trim();
    let prefixed = |prefix: [&str; 2], radix| {
        let digits = prefix.iter().find_map(|p| word.strip_prefix(p))?;
        Some(u64::from_str_radix(digits, radix).ok())
    };
    prefixed(["0x", "0X"], 16)
        .or_else(|| prefixed(["0b", "0B"], 2))
        .or_else(|| prefixed(["0o", "0O"], 8))
        .unwrap_or_else(|| match word.strip_prefix('0') {
            Some(octal) if !octal.is_empty() => u64::from_str_radix(octal, 8).ok(),
            _ => word.parse().ok(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(request: &str, expected: &str) {
        let got = answer(request, |pcs| {
            pcs.iter().map(|pc| (*pc < 0x1000).then(|| format!("f{pc}"))).collect()
        });
        assert_eq!(got, format!("num_symbols: 1\n{expected}"), "{request}");
    }

    #[test]
    fn symbol_protocol() {
        check("", "");
        check("0x10", "0x10 f16\n");
        check("16+0x20+\n", "0x10 f16\n0x20 f32\n");
        check("0x10+nonsense+48c3aa+0x11\n", "0x10 f16\n0x11 f17\n");
        check("020+0b11+0o7+0", "0x10 f16\n0x3 f3\n0x7 f7\n0x0 f0\n");
        check("0x2000+-1+0x+0xffffffffffffffffff", "");
    }
}
