//! Regular expressions as Go's pprof understands them.
//!
//! People paste expressions from one tool into the other, so they must mean the same and be
//! refused for the same reasons. The syntax of Go (RE2's) is translated into that of the `regex`
//! crate, whose meaning differs in places: `\<` is a word boundary there, `{` must be escaped,
//! `\d` and `\b` know all of Unicode, classes nest.

mod class;
mod translate;

use std::fmt;
use std::sync::Arc;

use crate::Pattern;

/// A compiled expression, to be searched for anywhere in a text.
#[derive(Clone, Debug)]
pub struct Regexp {
    text: String,
    compiled: regex::Regex,
}

impl Regexp {
    /// Compiles an expression in Go's syntax.
    ///
    /// # Errors
    /// When Go would not accept it either, or it is too large.
    pub fn new(text: &str) -> Result<Self, RegexpError> {
        let translated = translate::translate(text)?;
        compile(&translated)
            .map(|compiled| Self { text: text.to_owned(), compiled })
            .ok_or_else(|| RegexpError::new("expression too large", text))
    }

    /// Whether it is found in `text`.
    #[inline]
    pub fn is_match(&self, text: &str) -> bool {
        self.compiled.is_match(text)
    }

    /// The expression, as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// As the matcher of names that reports take.
    pub fn into_pattern(self) -> Pattern {
        Pattern { text: self.text, matches: Arc::new(move |name| self.compiled.is_match(name)) }
    }
}

fn compile(translated: &str) -> Option<regex::Regex> {
    const SIZE_LIMIT: usize = 64 << 20;
    const NEST_LIMIT: u32 = 2000;
    let mut builder = regex::RegexBuilder::new(translated);
    builder.size_limit(SIZE_LIMIT).nest_limit(NEST_LIMIT).build().ok()
}

/// Why an expression is not accepted, in Go's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegexpError {
    what: &'static str,
    part: String,
}

impl RegexpError {
    fn new(what: &'static str, part: &str) -> Self {
        Self { what, part: part.to_owned() }
    }
}

impl fmt::Display for RegexpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error parsing regexp: {}: `{}`", self.what, self.part)
    }
}

impl std::error::Error for RegexpError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tells of each text whether it matches: `+text` for yes, `-text` for no.
    #[track_caller]
    fn check(pattern: &str, expected: &[&str]) {
        let regexp = Regexp::new(pattern).unwrap();
        for text in expected {
            let (sign, text) = text.split_at(1);
            assert_eq!(regexp.is_match(text), sign == "+", "{pattern} in {text:?}");
        }
    }

    #[track_caller]
    fn check_error(pattern: &str, expected: &str) {
        let error = Regexp::new(pattern).unwrap_err().to_string();
        assert_eq!(error, format!("error parsing regexp: {expected}"));
    }

    #[test]
    fn plain_expressions_search_anywhere() {
        check("b+|^c", &["+abc", "+c", "-ac"]);
        check("", &["+", "+x"]);
        check("(?i)ABC$", &["+xabc", "-abcx"]);
    }

    #[test]
    fn angle_brackets_are_themselves() {
        check(r"vector\<int\>", &["+std::vector<int>", "-vector int"]);
        check(r"[\<\>]", &["+a>b", "-ab"]);
    }

    #[test]
    fn braces_that_repeat_nothing_are_themselves() {
        check("func{", &["+func{1}", "-func"]);
        check("a{,3}", &["+a{,3}", "-aaa"]);
        check("a{01}", &["+a{01}", "-a"]);
        check("}{closure", &["+main}{closure", "-closure"]);
    }

    #[test]
    fn perl_classes_and_boundaries_are_ascii() {
        check(r"^\w+$", &["+foo_1", "-fôo"]);
        check(r"^\d$", &["+7", "-٧"]);
        check(r"\bo", &["+f o", "+éo", "-fo"]);
        check(r"^\W\S\D$", &["+éaa", "-aaa"]);
        check(r"^[^\d]$", &["+a", "-7"]);
    }

    #[test]
    fn classes_do_not_nest() {
        check("^[a[b]$", &["+[", "+a", "-c"]);
        check("^[[]$", &["+[", "-a"]);
        check("^[]a]$", &["+]", "+a"]);
        check("^[a&&b]$", &["+&", "+b"]);
        check("^[a-b-d]$", &["+-", "+d", "-c"]);
        check("^[[:digit:]x-]$", &["+5", "+-", "-y"]);
        check("^[[:^alpha:]]$", &["+5", "-y"]);
        check("^[^a]$", &["+\n", "-a"]);
    }

    #[test]
    fn quotations_are_literal() {
        check(r"\Qa.b(*\E+", &["+a.b(**", "-axb"]);
        check(r"\Q[", &["+["]);
    }

    #[test]
    fn escapes_name_characters() {
        check(r"^\x41\x{1F600}\101\n$", &["+A😀A\n"]);
        check(r"^[\x{D800}a]$", &["+a", "-b"]);
        check(r"\x{D800}|b", &["+b", "-a"]);
        check(r"^\pL\P{Greek}\p{^Greek}$", &["+aaa", "-aaα"]);
    }

    #[test]
    fn repetition_reaches_over_flags_to_the_last_thing() {
        check("^a(?i)*b$", &["+aaB", "-AAB"]);
        check(r"^\Qab\E*$", &["+abb", "-abab"]);
    }

    #[test]
    fn mistakes_are_told_as_go_tells_them() {
        check_error("(", "missing closing ): `(`");
        check_error("a)", "unexpected ): `a)`");
        check_error("a**", "invalid nested repetition operator: `**`");
        check_error("a*?*", "invalid nested repetition operator: `*?*`");
        check_error("a{2,1}?", "invalid repeat count: `{2,1}`");
        check_error("a{1001}", "invalid repeat count: `{1001}`");
        check_error("(a{100}){100}", "invalid repeat count: `{100}`");
        check_error("a|*", "missing argument to repetition operator: `*`");
        check_error("(?i)*", "missing argument to repetition operator: `*`");
        check_error("(?ix)", "invalid or unsupported Perl syntax: `(?ix`");
        check_error("(?<=a)", "invalid named capture: `(?<=a)`");
        check_error("(?P<n-x>a)", "invalid named capture: `(?P<n-x>`");
        check_error(r"\", "trailing backslash at end of expression: ``");
        check_error(r"\Z", r"invalid escape sequence: `\Z`");
        check_error(r"\x{110000}", r"invalid escape sequence: `\x{110000`");
        check_error(r"\p{Foo}", r"invalid character class range: `\p{Foo}`");
        check_error("[z-a]", "invalid character class range: `z-a`");
        check_error("x[[:foo:]]", "invalid character class range: `[:foo:]`");
        check_error("x[a", "missing closing ]: `[a`");
    }

    #[test]
    fn hostile_sizes_are_refused() {
        check_error("((\\pL{30}){30}){30}", "invalid repeat count: `{30}`");
        assert!(Regexp::new(&"(".repeat(100_000)).is_err());
        assert!(Regexp::new(&(r"[\pL\pN]{1000}".repeat(50))).is_err());
    }
}
