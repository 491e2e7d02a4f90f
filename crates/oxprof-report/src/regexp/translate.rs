//! From Go's syntax to that of the `regex` crate, in one pass over the expression.

use super::RegexpError;
use super::class;

/// Rewrites `pattern` so that the `regex` crate gives it the meaning that Go does.
pub(super) fn translate(pattern: &str) -> Result<String, RegexpError> {
    let mut translator = Translator::new(pattern);
    while let Some(c) = translator.peek() {
        translator.step(c)?;
    }
    translator.finish()
}

/// State of the translation.
struct Translator<'a> {
    pattern: &'a str,
    /// What is still to be read.
    rest: &'a str,
    out: String,
    /// What a repetition operator would apply to.
    last: Option<Atom>,
    /// Start in `pattern` of the operator that the previous step read, if it was one.
    operator: Option<usize>,
    /// Enclosing groups.
    groups: Vec<Group>,
    /// The largest [`Atom::repeats`] in the current group.
    repeats: u32,
}

/// Something that can be repeated.
#[derive(Clone, Copy)]
struct Atom {
    /// Where it ends in the output.
    end: usize,
    /// How often its innermost part is repeated at most, by counts.
    repeats: u32,
}

/// What to return to at the end of a group.
struct Group {
    repeats: u32,
}

/// How many times Go repeats something at most, nested counts multiplied.
const MAX_REPEATS: u32 = 1000;
/// How deep Go nests groups.
const MAX_DEPTH: usize = 999;

impl<'a> Translator<'a> {
    fn new(pattern: &'a str) -> Self {
        let out = String::with_capacity(pattern.len() + 16);
        Self { pattern, rest: pattern, out, last: None, operator: None, groups: vec![], repeats: 1 }
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// Bytes read so far.
    fn position(&self) -> usize {
        self.pattern.len() - self.rest.len()
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
    }

    fn step(&mut self, c: char) -> Result<(), RegexpError> {
        let operator = self.operator.take();
        match c {
            '(' if self.rest.starts_with("(?") => self.perl_group(),
            '(' => {
                self.skip(1);
                self.open("(?:")
            }
            ')' => self.close(),
            '|' => {
                self.skip(1);
                self.out.push('|');
                self.last = None;
                Ok(())
            }
            '*' | '+' | '?' => self.repeat(1, None, operator),
            '{' => match counts(self.rest) {
                Some((length, counts)) => self.repeat(length, Some(counts), operator),
                None => {
                    self.skip(1);
                    self.literal(c);
                    Ok(())
                }
            },
            '[' => self.class(),
            '\\' => self.escape(),
            '.' | '^' | '$' => {
                self.skip(1);
                self.atom(c.encode_utf8(&mut [0; 4]));
                Ok(())
            }
            _ => {
                self.skip(c.len_utf8());
                self.literal(c);
                Ok(())
            }
        }
    }

    fn finish(self) -> Result<String, RegexpError> {
        if self.groups.is_empty() {
            Ok(self.out)
        } else {
            Err(RegexpError::new("missing closing )", self.pattern))
        }
    }

    fn atom(&mut self, text: &str) {
        self.out.push_str(text);
        self.last = Some(Atom { end: self.out.len(), repeats: 1 });
    }

    fn literal(&mut self, c: char) {
        class::push_literal(&mut self.out, c);
        self.last = Some(Atom { end: self.out.len(), repeats: 1 });
    }

    fn open(&mut self, text: &str) -> Result<(), RegexpError> {
        if self.groups.len() == MAX_DEPTH {
            return Err(RegexpError::new("expression nests too deeply", self.pattern));
        }
        self.out.push_str(text);
        self.groups.push(Group { repeats: std::mem::replace(&mut self.repeats, 1) });
        self.last = None;
        Ok(())
    }

    fn close(&mut self) -> Result<(), RegexpError> {
        let Some(group) = self.groups.pop() else {
            return Err(RegexpError::new("unexpected )", self.pattern));
        };
        self.skip(1);
        self.out.push(')');
        self.last = Some(Atom { end: self.out.len(), repeats: self.repeats });
        self.repeats = self.repeats.max(group.repeats);
        Ok(())
    }

    /// Reads a repetition operator of `length` bytes. `previous` is where an operator directly
    /// before it starts.
    fn repeat(
        &mut self,
        length: usize,
        counts: Option<Counts>,
        previous: Option<usize>,
    ) -> Result<(), RegexpError> {
        let start = self.position();
        if let Some(counts) = &counts
            && !counts.are_valid()
        {
            return Err(RegexpError::new("invalid repeat count", &self.rest[..length]));
        }
        self.skip(length);
        if self.peek() == Some('?') {
            self.skip(1);
        }
        let read = |from: usize| &self.pattern[from..self.position()];
        let operator = read(start);
        if let Some(previous) = previous {
            return Err(RegexpError::new("invalid nested repetition operator", read(previous)));
        }
        let Some(atom) = self.last.as_mut() else {
            return Err(RegexpError::new("missing argument to repetition operator", operator));
        };
        atom.repeats = atom.repeats.saturating_mul(counts.map_or(1, |c| c.largest()));
        if atom.repeats > MAX_REPEATS {
            return Err(RegexpError::new("invalid repeat count", operator));
        }
        self.repeats = self.repeats.max(atom.repeats);
        // Flags may stand between the atom and the operator; they take effect after it.
        self.out.insert_str(atom.end, operator);
        atom.end += operator.len();
        self.operator = Some(start);
        Ok(())
    }

    fn class(&mut self) -> Result<(), RegexpError> {
        self.rest = class::bracketed(self.rest, &mut self.out)?;
        self.last = Some(Atom { end: self.out.len(), repeats: 1 });
        Ok(())
    }

    fn escape(&mut self) -> Result<(), RegexpError> {
        let mut chars = self.rest.chars();
        chars.next();
        let same = match chars.next() {
            Some('A') => r"\A",
            Some('z') => r"\z",
            Some('b') => r"(?-u:\b)",
            Some('B') => r"(?-u:\B)",
            Some('Q') => {
                self.quotation();
                return Ok(());
            }
            _ => {
                let (item, rest) = class::escaped(self.rest)?;
                self.rest = rest;
                item.push_alone(&mut self.out);
                self.last = Some(Atom { end: self.out.len(), repeats: 1 });
                return Ok(());
            }
        };
        self.skip(2);
        self.atom(same);
        Ok(())
    }

    /// Reads `\Q…\E`, or `\Q…` to the end.
    fn quotation(&mut self) {
        self.skip(2);
        let (quoted, rest) = self.rest.split_once(r"\E").unwrap_or((self.rest, ""));
        self.rest = rest;
        for c in quoted.chars() {
            self.literal(c);
        }
    }

    /// Reads what starts with `(?`: a group with a name, with flags, or flags alone. Names are
    /// dropped, for nobody asks what a group captured.
    fn perl_group(&mut self) -> Result<(), RegexpError> {
        let named = ["(?P<", "(?<"]
            .into_iter()
            .find(|open| self.rest.starts_with(open) && self.rest.len() > open.len());
        match named {
            Some(open) => self.named_group(open.len()),
            None => self.flags(),
        }
    }

    fn named_group(&mut self, open: usize) -> Result<(), RegexpError> {
        let end = self.rest.find('>').map_or(self.rest.len(), |at| at + 1);
        let name = self.rest[open..end].strip_suffix('>').unwrap_or("");
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(is_word) {
            return Err(RegexpError::new("invalid named capture", &self.rest[..end]));
        }
        self.skip(end);
        self.open("(?:")
    }

    /// Reads `(?flags)` or `(?flags:`.
    fn flags(&mut self) -> Result<(), RegexpError> {
        const OPEN: usize = "(?".len();
        let mut negated = false;
        let mut since_sign = 0;
        for (at, c) in self.rest.char_indices().skip(OPEN) {
            match c {
                'i' | 'm' | 's' | 'U' => since_sign += 1,
                '-' if !negated => (negated, since_sign) = (true, 0),
                ')' | ':' if !negated || since_sign > 0 => return self.apply_flags(at, c),
                _ => {
                    let part = &self.rest[..at + c.len_utf8()];
                    return Err(RegexpError::new("invalid or unsupported Perl syntax", part));
                }
            }
        }
        Err(RegexpError::new("invalid or unsupported Perl syntax", self.rest))
    }

    fn apply_flags(&mut self, end: usize, close: char) -> Result<(), RegexpError> {
        let text = &self.rest[..=end];
        self.skip(end + 1);
        if close == ':' {
            return self.open(text);
        }
        if text != "(?)" {
            self.out.push_str(text);
        }
        Ok(())
    }
}

/// Counts of a repetition: `{min}`, `{min,}` or `{min,max}`.
struct Counts {
    /// `None` for a number too large to hold.
    min: Option<u32>,
    max: Max,
}

enum Max {
    Same,
    Unbounded,
    At(Option<u32>),
}

impl Counts {
    fn are_valid(&self) -> bool {
        let fits = |n: Option<u32>| n.is_some_and(|n| n <= MAX_REPEATS);
        let ordered = match self.max {
            Max::At(max) => fits(max) && self.min <= max,
            Max::Same | Max::Unbounded => true,
        };
        fits(self.min) && ordered
    }

    /// What a nested count is multiplied by; never 0, which would hide what is inside.
    fn largest(&self) -> u32 {
        let max = match self.max {
            Max::At(max) => max,
            Max::Same | Max::Unbounded => self.min,
        };
        max.unwrap_or(u32::MAX).max(1)
    }
}

/// Reads counts at the start of `text`, with their length; `None` if the brace is only a brace.
fn counts(text: &str) -> Option<(usize, Counts)> {
    let end = text.find('}')?;
    let body = &text[1..end];
    let (min, max) = match body.split_once(',') {
        None => (number(body)?, Max::Same),
        Some((min, "")) => (number(min)?, Max::Unbounded),
        Some((min, max)) => (number(min)?, Max::At(number(max)?)),
    };
    Some((end + 1, Counts { min, max }))
}

/// Digits without needless zeros; `Some(None)` when they are too large.
fn number(digits: &str) -> Option<Option<u32>> {
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let canonical = digits == "0" || !digits.starts_with('0');
    (plain && canonical).then(|| digits.parse().ok())
}
