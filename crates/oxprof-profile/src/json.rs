//! JSON read as it comes, without a tree: just enough for profiles.

use std::borrow::Cow;

/// A position in JSON text. Every reader leaves it behind what it read; `None` means that the text is
/// not what was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Json<'a> {
    text: &'a [u8],
    pos: usize,
}

/// How deep arrays and objects may lie in each other.
const MAX_DEPTH: u32 = 256;

impl<'a> Json<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self { text, pos: 0 }
    }

    pub(crate) fn offset(&self) -> usize {
        self.pos
    }

    /// Reads an object; `member` is called at each value and must read or [`skip`](Self::skip) it.
    pub(crate) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, &str) -> Option<()>,
    ) -> Option<()> {
        self.token(b'{')?;
        if self.token(b'}').is_some() {
            return Some(());
        }
        loop {
            let key = self.string()?;
            self.token(b':')?;
            member(self, &key)?;
            if self.token(b',').is_none() {
                return self.token(b'}');
            }
        }
    }

    /// Reads an array; `item` is called at each value and must read it.
    pub(crate) fn array(&mut self, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.token(b'[')?;
        if self.token(b']').is_some() {
            return Some(());
        }
        loop {
            item(self)?;
            if self.token(b',').is_none() {
                return self.token(b']');
            }
        }
    }

    pub(crate) fn number(&mut self) -> Option<f64> {
        self.space();
        let rest = &self.text[self.pos..];
        let is_part = |b: &u8| b.is_ascii_digit() || b"+-.eE".contains(b);
        let len = rest.iter().position(|b| !is_part(b)).unwrap_or(rest.len());
        let number = std::str::from_utf8(&rest[..len]).ok()?.parse().ok()?;
        self.pos += len;
        Some(number)
    }

    pub(crate) fn string(&mut self) -> Option<Cow<'a, str>> {
        self.token(b'"')?;
        let start = self.pos;
        loop {
            match *self.text.get(self.pos)? {
                b'"' => break,
                b'\\' => self.pos += 2,
                _ => self.pos += 1,
            }
        }
        let raw = String::from_utf8_lossy(&self.text[start..self.pos]);
        self.pos += 1;
        Some(if raw.contains('\\') { Cow::Owned(unescape(&raw)?) } else { raw })
    }

    /// Reads any value without keeping it.
    pub(crate) fn skip(&mut self) -> Option<()> {
        self.skip_within(0)
    }

    fn skip_within(&mut self, depth: u32) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.space();
        match self.text.get(self.pos)? {
            b'{' => self.object(|json, _| json.skip_within(depth + 1)),
            b'[' => self.array(|json| json.skip_within(depth + 1)),
            b'"' => self.string().map(drop),
            b't' | b'f' | b'n' => ["true", "false", "null"].iter().find_map(|word| self.word(word)),
            _ => self.number().map(drop),
        }
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.text[self.pos..].starts_with(word.as_bytes()).then(|| self.pos += word.len())
    }

    fn token(&mut self, token: u8) -> Option<()> {
        self.space();
        (*self.text.get(self.pos)? == token).then(|| self.pos += 1)
    }

    fn space(&mut self) {
        let rest = self.text.get(self.pos..).unwrap_or_default();
        self.pos += rest.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(rest.len());
    }
}

fn unescape(raw: &str) -> Option<String> {
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next()? {
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'u' => {
                let mut unit = unit(&mut chars)?;
                if (0xd800..0xdc00).contains(&unit) && chars.as_str().starts_with("\\u") {
                    let mut ahead = chars.clone();
                    ahead.nth(1);
                    let low = self::unit(&mut ahead)?;
                    if (0xdc00..0xe000).contains(&low) {
                        unit = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                        chars = ahead;
                    }
                }
                out.push(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            other => out.push(other),
        }
    }
    Some(out)
}

/// Four hexadecimal digits.
fn unit(chars: &mut std::str::Chars<'_>) -> Option<u32> {
    (0..4).try_fold(0, |unit, _| Some(unit << 4 | chars.next()?.to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_unescaped() {
        let string = |text: &str| Json::new(text.as_bytes()).string().map(Cow::into_owned);
        assert_eq!(string(r#" "a\n\"\u00e9\ud83d\ude00\\" "#).as_deref(), Some("a\n\"é😀\\"));
        assert_eq!(string(r#""\ud83d""#).as_deref(), Some("\u{fffd}"));
        assert_eq!(string(r#""open"#), None);
        assert_eq!(string(r#""\"#), None);
    }

    #[test]
    fn values_can_be_skipped() {
        let skip = |text: &str| Json::new(text.as_bytes()).skip();
        assert!(skip(r#"{"a": [1, -2.5e3, {"b": null}, true], "c": "d"}"#).is_some());
        assert!(skip("[1,]").is_none() && skip("{").is_none() && skip("").is_none());
        assert!(skip(&"[".repeat(100_000)).is_none(), "deep nesting is refused");
    }
}
