//! Names for people from names for linkers.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

/// How much of a mangled name to show.
///
/// Rust names always keep their generic arguments (they are part of the path) and lose their hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Demangle {
    /// Names as the binary has them.
    None,
    /// C++ without parameters and template arguments.
    #[default]
    Default,
    /// C++ without parameters.
    Templates,
    /// C++ with everything.
    Full,
}

/// Longest name that is written out: nested substitutions can describe exponentially long ones.
const MAX_NAME: usize = 64 << 10;

/// The name for people of `name`.
///
/// Names that are not mangled, or that cannot be read, come back unchanged: this never shortens a name
/// that is plain already, whatever brackets it holds.
pub fn demangle(name: &str, style: Demangle) -> Cow<'_, str> {
    if style == Demangle::None || !is_mangled(name) {
        return Cow::Borrowed(name);
    }
    rust(name).or_else(|| cpp(name, style)).map_or(Cow::Borrowed(name), Cow::Owned)
}

/// Mach-O puts one more underscore in front.
fn is_mangled(name: &str) -> bool {
    let name = name.strip_prefix("__").map_or(name, |_| &name[1..]);
    name.starts_with("_Z") || name.starts_with("_R")
}

fn rust(name: &str) -> Option<String> {
    if !is_v0(name) && !has_legacy_hash(name) {
        return None;
    }
    let demangled = rustc_demangle::try_demangle(name).ok()?;
    let mut out = Bounded::default();
    write!(out, "{demangled:#}").ok()?;
    Some(out.0)
}

fn is_v0(name: &str) -> bool {
    name.starts_with("_R") || name.starts_with("__R")
}

/// Legacy Rust names are C++ ones whose last part is a hash: `17h` and 16 hexadecimal digits.
fn has_legacy_hash(name: &str) -> bool {
    name.match_indices("17h").any(|(at, _)| {
        let hash = name.as_bytes().get(at + 3..at + 20);
        hash.is_some_and(|h| h[16] == b'E' && h[..16].iter().all(u8::is_ascii_hexdigit))
    })
}

#[cfg(not(feature = "cpp"))]
fn cpp(_: &str, _: Demangle) -> Option<String> {
    None
}

#[cfg(feature = "cpp")]
fn cpp(name: &str, style: Demangle) -> Option<String> {
    use cpp_demangle::{DemangleOptions, Symbol};

    let name = if name.starts_with("__Z") { &name[1..] } else { name };
    let mut options = DemangleOptions::new();
    if style != Demangle::Full {
        options = options.no_params().no_return_type();
    }
    let mut out = Bounded::default();
    Symbol::new(name).ok()?.structured_demangle(&mut out, &options).ok()?;
    Some(if style == Demangle::Default { strip_templates(&out.0) } else { out.0 })
}

/// `name` without what is between angle brackets, those of operators excepted.
#[cfg(feature = "cpp")]
fn strip_templates(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut depth = 0_usize;
    let mut rest = name;
    while let Some(at) = rest.find(['<', '>', 'o']) {
        let (plain, from) = rest.split_at(at);
        let before = &name[..name.len() - from.len()];
        let operator = operator_at(from).filter(|_| !before.ends_with(is_word));
        let size = operator.map_or(1, str::len);
        let is_bracket = operator.is_none() && !from.starts_with('o');
        if depth == 0 {
            out.push_str(if is_bracket { plain } else { &rest[..at + size] });
        }
        match from.as_bytes()[0] {
            b'<' => depth += 1,
            b'>' if depth > 0 => depth -= 1,
            b'>' => out.push('>'),
            _ => {}
        }
        rest = &from[size..];
    }
    if depth > 0 {
        return name.to_owned();
    }
    out.push_str(rest);
    out
}

#[cfg(feature = "cpp")]
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The operator name with angle brackets that `text` starts with.
#[cfg(feature = "cpp")]
fn operator_at(text: &str) -> Option<&str> {
    const NAMES: [&str; 9] = ["<<=", ">>=", "<=>", "->*", "->", "<<", ">>", "<=", ">="];
    let symbol = text.strip_prefix("operator")?;
    let name = NAMES
        .iter()
        .find(|n| symbol.starts_with(**n))
        .or_else(|| ["<", ">"].iter().find(|n| symbol.starts_with(**n)))?;
    Some(&text[.."operator".len() + name.len()])
}

/// A string that refuses to grow beyond [`MAX_NAME`].
#[derive(Default)]
struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        if self.0.len() + s.len() > MAX_NAME {
            return Err(fmt::Error);
        }
        self.0.push_str(s);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expected: &str) {
        assert_eq!(demangle(name, Demangle::Default), expected);
    }

    #[test]
    fn rust_names_lose_their_hash_and_nothing_else() {
        check("_ZN4core3fmt9Formatter3pad17h0123456789abcdefE", "core::fmt::Formatter::pad");
        check(
            "_ZN66_$LT$alloc..vec..Vec$LT$T$GT$$u20$as$u20$core..ops..drop..Drop$GT$4drop17h0123456789abcdefE",
            "<alloc::vec::Vec<T> as core::ops::drop::Drop>::drop",
        );
        check("_ZN3foo3bar17h0123456789abcdefE.llvm.123", "foo::bar");
        check("_RNvC6_123foo3bar", "123foo::bar");
        check("_RINvNtC3std3mem8align_ofjdE", "std::mem::align_of::<usize, f64>");
        check("__ZN4core3fmt9Formatter3pad17h0123456789abcdefE", "core::fmt::Formatter::pad");
    }

    #[test]
    fn plain_names_stay_whole() {
        for name in [
            "main",
            "",
            "_",
            "_R",
            "_Z",
            "Rust",
            "<alloc::vec::Vec<T> as core::ops::Drop>::drop",
            "(anonymous namespace)::Bar::Foo",
            "foo::bar<int>(char const*)",
            "github.com/x/y.(*T).Method[...]",
            "ZN3foo3barE",
            "größe",
            "_Zäöü",
        ] {
            check(name, name);
        }
    }

    #[test]
    fn none_leaves_everything() {
        let name = "_ZN4core3fmt9Formatter3pad17h0123456789abcdefE";
        assert_eq!(demangle(name, Demangle::None), name);
    }

    #[cfg(feature = "cpp")]
    #[test]
    fn cpp_names_by_style() {
        fn all(name: &str, expected: [&str; 3]) {
            let styles = [Demangle::Default, Demangle::Templates, Demangle::Full];
            assert_eq!(styles.map(|s| demangle(name, s)), expected);
        }
        all("_ZN3foo3barEv", ["foo::bar", "foo::bar", "foo::bar()"]);
        all(
            "_ZNSt6vectorIiSaIiEE9push_backERKi",
            [
                "std::vector::push_back",
                "std::vector<int, std::allocator<int> >::push_back",
                "std::vector<int, std::allocator<int> >::push_back(int const&)",
            ],
        );
        all("_ZlsRSoRK3Foo", ["operator<<", "operator<<", "operator<<(std::ostream&, Foo const&)"]);
        all("_ZN1AssERKS_", ["A::operator<=>", "A::operator<=>", "A::operator<=>(A const&)"]);
        all("_ZNK1AptEv", ["A::operator->", "A::operator->", "A::operator->() const"]);
        all(
            "_ZN12_GLOBAL__N_13Bar3FooEv",
            [
                "(anonymous namespace)::Bar::Foo",
                "(anonymous namespace)::Bar::Foo",
                "(anonymous namespace)::Bar::Foo()",
            ],
        );
    }

    #[cfg(feature = "cpp")]
    #[test]
    fn exponential_names_are_left_alone() {
        let mut name = String::from("_Z1fI1aE");
        for i in 0..40 {
            let s = if i == 0 { "S_".into() } else { format!("S{}_", i - 1) };
            name.push_str(&format!("St4pairI{s}{s}E"));
        }
        assert_eq!(demangle(&name, Demangle::Full), name);
    }
}
