//! Lines of a text format and what is in them.

/// One line, without white space around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    pub(super) text: &'a [u8],
    /// Where it starts in the file.
    pub(super) offset: usize,
}

/// The lines of a file from some place on.
#[derive(Clone, Debug)]
pub(super) struct Lines<'a> {
    file: &'a [u8],
    pos: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(file: &'a [u8]) -> Self {
        Self { file, pos: 0 }
    }

    /// The next line that is neither empty nor a comment.
    pub(super) fn next_relevant(&mut self) -> Option<Line<'a>> {
        self.find(|line| !line.text.is_empty() && !line.text.starts_with(b"#"))
    }

    /// Like [`next_relevant`](Self::next_relevant), but `None` also at the heading of the memory map.
    pub(super) fn next_sample(&mut self) -> Option<Line<'a>> {
        self.next_relevant().filter(|line| !is_memory_map(line.text))
    }

    /// Goes back to the start of a line.
    pub(super) fn return_to(&mut self, line: &Line<'_>) {
        self.pos = line.offset;
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        if self.pos >= self.file.len() {
            return None;
        }
        let rest = &self.file[self.pos..];
        let len = rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
        let line = Line { text: rest[..len].trim_ascii(), offset: self.pos };
        self.pos += len + 1;
        Some(line)
    }
}

/// Whether a line is the heading of the memory map.
pub(super) fn is_memory_map(line: &[u8]) -> bool {
    [&b"--- Memory map: ---"[..], b"MAPPED_LIBRARIES:"]
        .iter()
        .any(|heading| contains(line, heading))
}

pub(super) fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Text that is read from left to right.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scan<'a>(pub(super) &'a [u8]);

impl<'a> Scan<'a> {
    /// Skips white space; `None` if there is none.
    pub(super) fn space(&mut self) -> Option<()> {
        let before = self.0.len();
        self.skip_space();
        (self.0.len() < before).then_some(())
    }

    pub(super) fn skip_space(&mut self) {
        self.0 = self.0.trim_ascii_start();
    }

    /// Skips exactly this text.
    pub(super) fn literal(&mut self, text: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(text.as_bytes())?;
        Some(())
    }

    /// A decimal number, after optional white space.
    pub(super) fn number(&mut self) -> Option<i64> {
        self.skip_space();
        std::str::from_utf8(self.take(u8::is_ascii_digit)?).ok()?.parse().ok()
    }

    /// A hexadecimal number, with or without `0x`.
    pub(super) fn hex(&mut self) -> Option<u64> {
        let mut ahead = *self;
        let prefixed = ahead.literal("0x").is_some();
        if prefixed && let Some(number) = ahead.hex_digits() {
            *self = ahead;
            return Some(number);
        }
        self.hex_digits()
    }

    fn hex_digits(&mut self) -> Option<u64> {
        u64::from_str_radix(std::str::from_utf8(self.take(u8::is_ascii_hexdigit)?).ok()?, 16).ok()
    }

    /// The longest non-empty run of such bytes.
    pub(super) fn take(&mut self, wanted: impl Fn(&u8) -> bool) -> Option<&'a [u8]> {
        let len = self.0.iter().position(|b| !wanted(b)).unwrap_or(self.0.len());
        let (run, rest) = self.0.split_at(len);
        self.0 = rest;
        (len > 0).then_some(run)
    }

    /// The text up to the next white space, after skipping what precedes it.
    pub(super) fn word(&mut self) -> Option<&'a [u8]> {
        self.space()?;
        self.take(|b| !b.is_ascii_whitespace())
    }
}

/// A line of numbers and punctuation, an `@`, and addresses: `1: 9216 [1: 9216] @ 0x1 0x2`.
pub(super) struct SampleLine<'a> {
    pub(super) numbers: Scan<'a>,
    pub(super) addresses: Vec<u64>,
}

impl<'a> SampleLine<'a> {
    pub(super) fn parse(line: &'a [u8]) -> Option<Self> {
        let at = line.iter().position(|&b| b == b'@')?;
        let addresses = &line[at + 1..];
        let plausible = |b: &u8| b.is_ascii_hexdigit() || b.is_ascii_whitespace() || *b == b'x';
        addresses.iter().all(plausible).then_some(())?;
        Some(Self { numbers: Scan(&line[..at]), addresses: hex_numbers(addresses)? })
    }
}

/// All numbers of the form `0x…`; `None` if one exceeds 64 bits.
pub(super) fn hex_numbers(text: &[u8]) -> Option<Vec<u64>> {
    let mut numbers = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.windows(2).position(|pair| pair == b"0x") {
        let mut scan = Scan(&rest[at + 2..]);
        if scan.0.first().is_some_and(u8::is_ascii_hexdigit) {
            numbers.push(scan.hex_digits()?);
        }
        rest = scan.0;
    }
    Some(numbers)
}

/// `name = value`, both trimmed.
pub(super) fn attribute(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = line.iter().position(|&b| b == b'=')?;
    Some((line[..at].trim_ascii(), line[at + 1..].trim_ascii()))
}

/// A value of an attribute, as a number.
pub(super) fn parse_number(value: &[u8]) -> Option<i64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}
