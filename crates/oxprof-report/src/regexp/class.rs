//! Characters and classes of characters.

use std::fmt::Write;
use std::ops::RangeInclusive;

use super::{RegexpError, compile};

/// A character or class that an escape names.
pub(super) enum Item {
    /// A code point, which may be a surrogate: those are written but never match.
    Char(u32),
    /// A class in the `regex` crate's syntax, brackets and all.
    Class(String),
}

impl Item {
    /// Appends it as it stands outside of brackets.
    pub(super) fn push_alone(&self, out: &mut String) {
        match self {
            Self::Class(class) => out.push_str(class),
            Self::Char(code) => match char::from_u32(*code) {
                Some(c) => push_literal(out, c),
                None => out.push_str(r"[^\x{0}-\x{10FFFF}]"),
            },
        }
    }
}

/// Appends a character that stands for itself, in brackets or outside.
pub(super) fn push_literal(out: &mut String, c: char) {
    // An escaped angle bracket would be a word boundary.
    if c.is_ascii_punctuation() && !matches!(c, '<' | '>' | '_') {
        out.push('\\');
    }
    out.push(c);
}

type Parsed<'a, T> = Result<(T, &'a str), RegexpError>;

/// Reads an escape: a backslash and what belongs to it.
pub(super) fn escaped(text: &str) -> Parsed<'_, Item> {
    if let Some(found) = perl_class(text) {
        return Ok(found);
    }
    if text.starts_with(r"\p") || text.starts_with(r"\P") {
        let (class, rest) = unicode_class(text)?;
        return Ok((Item::Class(class), rest));
    }
    let (code, rest) = escaped_char(text)?;
    Ok((Item::Char(code), rest))
}

fn perl_class(text: &str) -> Option<(Item, &str)> {
    let class = match text.as_bytes().get(1)? {
        b'd' => "[0-9]",
        b'D' => "[^0-9]",
        b's' => r"[\t\n\x0C\r ]",
        b'S' => r"[^\t\n\x0C\r ]",
        b'w' => "[0-9A-Za-z_]",
        b'W' => "[^0-9A-Za-z_]",
        _ => return None,
    };
    Some((Item::Class(class.to_owned()), &text[2..]))
}

/// Reads `\pN`, `\p{Name}`, `\p{^Name}` and the same with `\P`.
fn unicode_class(text: &str) -> Parsed<'_, String> {
    let error = |part: &str| RegexpError::new("invalid character class range", part);
    let body = &text[2..];
    let (name, end) = match body.strip_prefix('{') {
        Some(braced) => {
            let close = braced.find('}').ok_or_else(|| error(text))?;
            (&braced[..close], 2 + 1 + close + 1)
        }
        None => {
            let first = body.chars().next().ok_or_else(|| error(text))?;
            (&body[..first.len_utf8()], 2 + first.len_utf8())
        }
    };
    let (part, rest) = text.split_at(end);
    let (negated, name) = match name.strip_prefix('^') {
        Some(name) => (text.starts_with(r"\p"), name),
        None => (text.starts_with(r"\P"), name),
    };
    let class = format!(r"\{}{{{name}}}", if negated { 'P' } else { 'p' });
    let known = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ' ' | '-'));
    if !known || name.is_empty() || compile(&class).is_none() {
        return Err(error(part));
    }
    Ok((class, rest))
}

/// Reads an escape that names one character.
fn escaped_char(text: &str) -> Parsed<'_, u32> {
    let mut chars = text.chars();
    chars.next();
    let Some(c) = chars.next() else {
        return Err(RegexpError::new("trailing backslash at end of expression", ""));
    };
    let rest = chars.as_str();
    let simple = match c {
        'a' => 0x07,
        'f' => 0x0c,
        't' => 0x09,
        'n' => 0x0a,
        'r' => 0x0d,
        'v' => 0x0b,
        'x' => return hexadecimal(text, rest),
        '0'..='7' => return octal(text, c, rest),
        c if c.is_ascii_punctuation() || (c.is_ascii() && !c.is_ascii_alphanumeric()) => {
            u32::from(c)
        }
        _ => return Err(invalid_escape(text, rest)),
    };
    Ok((simple, rest))
}

/// An escape that ends where `rest` starts.
fn invalid_escape(text: &str, rest: &str) -> RegexpError {
    RegexpError::new("invalid escape sequence", &text[..text.len() - rest.len()])
}

/// Reads up to three octal digits; a single one other than 0 would be a reference to a group.
fn octal<'a>(text: &str, first: char, rest: &'a str) -> Parsed<'a, u32> {
    let is_octal = |c: &char| ('0'..='7').contains(c);
    let more: Vec<char> = rest.chars().take(2).take_while(is_octal).collect();
    if first != '0' && more.is_empty() {
        return Err(invalid_escape(text, rest));
    }
    let digits = std::iter::once(&first).chain(&more);
    let code = digits.fold(0, |code, c| code * 8 + c.to_digit(8).expect("only octal digits"));
    Ok((code, &rest[more.len()..]))
}

/// Reads what follows `\x`: two hexadecimal digits, or any number of them in braces.
fn hexadecimal<'a>(text: &str, rest: &'a str) -> Parsed<'a, u32> {
    match rest.strip_prefix('{') {
        Some(digits) => braced_hexadecimal(text, digits),
        None => two_hexadecimal_digits(text, rest),
    }
}

fn braced_hexadecimal<'a>(text: &str, digits: &'a str) -> Parsed<'a, u32> {
    let mut code = 0;
    let mut chars = digits.chars();
    while let Some(c) = chars.next() {
        match c.to_digit(16) {
            Some(digit) => code = code * 16 + digit,
            None if c == '}' && chars.as_str().len() + 1 < digits.len() => {
                return Ok((code, chars.as_str()));
            }
            None => return Err(invalid_escape(text, chars.as_str())),
        }
        if code > u32::from(char::MAX) {
            return Err(invalid_escape(text, chars.as_str()));
        }
    }
    Err(invalid_escape(text, ""))
}

fn two_hexadecimal_digits<'a>(text: &str, rest: &'a str) -> Parsed<'a, u32> {
    let mut chars = rest.chars();
    let mut code = 0;
    for _ in 0..2 {
        let digit = chars.next().and_then(|c| c.to_digit(16));
        let digit = digit.ok_or_else(|| invalid_escape(text, chars.as_str()))?;
        code = code * 16 + digit;
    }
    Ok((code, chars.as_str()))
}

/// Reads a class in brackets at the start of `text`, appends its translation and returns the rest.
pub(super) fn bracketed<'a>(text: &'a str, out: &mut String) -> Result<&'a str, RegexpError> {
    let mut rest = &text[1..];
    out.push('[');
    if let Some(negated) = rest.strip_prefix('^') {
        out.push('^');
        rest = negated;
    }
    let mut items = Items { out, empty: true };
    let mut first = true;
    while first || !rest.starts_with(']') {
        if rest.is_empty() {
            return Err(RegexpError::new("missing closing ]", text));
        }
        rest = class_item(text, rest, &mut items)?;
        first = false;
    }
    items.close();
    Ok(&rest[1..])
}

/// Reads one character, range or class of the bracketed class that `whole` starts with.
fn class_item<'a>(
    whole: &str,
    text: &'a str,
    items: &mut Items<'_>,
) -> Result<&'a str, RegexpError> {
    if let Some((name, rest)) = posix_class(text)? {
        items.push_class(name);
        return Ok(rest);
    }
    if text.starts_with('\\')
        && let Some((Item::Class(class), rest)) = class_escape(text)?
    {
        items.push_class(&class);
        return Ok(rest);
    }
    let (low, after_low) = class_char(whole, text)?;
    if !is_range_start(after_low) {
        items.push_range(low..=low);
        return Ok(after_low);
    }
    let (high, rest) = class_char(whole, &after_low[1..])?;
    if high < low {
        let part = &text[..text.len() - rest.len()];
        return Err(RegexpError::new("invalid character class range", part));
    }
    items.push_range(low..=high);
    Ok(rest)
}

fn is_range_start(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(|rest| !rest.is_empty() && !rest.starts_with(']'))
}

/// `\d`, `\pN` and the like; `None` for an escape of a character.
fn class_escape(text: &str) -> Result<Option<(Item, &str)>, RegexpError> {
    match text.as_bytes().get(1) {
        Some(b'd' | b'D' | b's' | b'S' | b'w' | b'W' | b'p' | b'P') => escaped(text).map(Some),
        _ => Ok(None),
    }
}

fn class_char<'a>(whole: &str, text: &'a str) -> Parsed<'a, u32> {
    if text.starts_with('\\') {
        return escaped_char(text);
    }
    let mut chars = text.chars();
    match chars.next() {
        Some(c) => Ok((u32::from(c), chars.as_str())),
        None => Err(RegexpError::new("missing closing ]", whole)),
    }
}

const POSIX_CLASSES: &[&str] = &[
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

/// Reads `[:name:]` or `[:^name:]`, with its brackets; `None` if there is nothing of the kind.
fn posix_class(text: &str) -> Result<Option<(&str, &str)>, RegexpError> {
    let Some(end) = text.strip_prefix("[:").and_then(|body| body.find(":]")) else {
        return Ok(None);
    };
    let (class, rest) = text.split_at("[:".len() + end + ":]".len());
    let name = &class["[:".len()..class.len() - ":]".len()];
    let name = name.strip_prefix('^').unwrap_or(name);
    if !POSIX_CLASSES.contains(&name) {
        return Err(RegexpError::new("invalid character class range", class));
    }
    Ok(Some((class, rest)))
}

/// What a bracketed class consists of, as it is written out.
struct Items<'a> {
    out: &'a mut String,
    empty: bool,
}

impl Items<'_> {
    fn push_class(&mut self, class: &str) {
        self.out.push_str(class);
        self.empty = false;
    }

    /// Appends a range of code points; surrogates in it match nothing and are left out.
    fn push_range(&mut self, range: RangeInclusive<u32>) {
        const SURROGATES: RangeInclusive<u32> = 0xD800..=0xDFFF;
        let (mut low, mut high) = range.into_inner();
        if SURROGATES.contains(&low) {
            low = SURROGATES.end() + 1;
        }
        if SURROGATES.contains(&high) {
            high = SURROGATES.start() - 1;
        }
        if low <= high {
            write!(self.out, r"\x{{{low:X}}}-\x{{{high:X}}}").expect("memory takes all text");
            self.empty = false;
        }
    }

    fn close(self) {
        if self.empty {
            // Brackets around nothing are an error; this is a class of nothing.
            self.out.push_str(r"[^\x{0}-\x{10FFFF}]");
        }
        self.out.push(']');
    }
}
