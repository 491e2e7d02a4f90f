//! Names in the kernel, from the text of `/proc/kallsyms`.

use crate::Avma;

/// The functions of a running kernel and its modules.
#[derive(Debug)]
pub(crate) struct Kallsyms<'a> {
    /// By address.
    functions: Vec<(Avma, &'a str)>,
}

impl<'a> Kallsyms<'a> {
    /// Lines that make no sense are passed over. Addresses that the kernel hides read as zero; such lines
    /// are passed over too.
    pub(crate) fn parse(text: &'a [u8]) -> Self {
        let lines = text.split(|&b| b == b'\n').filter_map(|l| std::str::from_utf8(l).ok());
        let mut functions: Vec<_> = lines.filter_map(function).collect();
        functions.sort_by_key(|f| f.0);
        functions.dedup_by_key(|f| f.0);
        Self { functions }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    /// The function at `address`. Where the last one ends is not said, but none is longer than this.
    pub(crate) fn find(&self, address: Avma) -> Option<&'a str> {
        const LONGEST: u64 = 1 << 20;
        let after = self.functions.partition_point(|f| f.0 <= address);
        let (start, name) = self.functions[after.checked_sub(1)?];
        (address.0 - start.0 < LONGEST).then_some(name)
    }
}

/// `ffffffff81000000 T _stext [module]`
fn function(line: &str) -> Option<(Avma, &str)> {
    let mut words = line.split_ascii_whitespace();
    let address = u64::from_str_radix(words.next()?, 16).ok().filter(|&a| a != 0)?;
    let is_code = matches!(words.next()?, "t" | "T" | "w" | "W");
    Some((Avma(address), words.next().filter(|_| is_code)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, address: u64, expected: Option<&str>) {
        assert_eq!(Kallsyms::parse(text.as_bytes()).find(Avma(address)), expected);
    }

    #[test]
    fn the_last_function_that_starts_before() {
        let text = "ff00 T first\nff20 t second\t[ext4]\nff10 d data\nnonsense\n";
        check(text, 0xfeff, None);
        check(text, 0xff00, Some("first"));
        check(text, 0xff1f, Some("first"));
        check(text, 0xffff, Some("second"));
        check(text, 0xff20 + (1 << 20), None);
    }

    #[test]
    fn hidden_addresses_say_nothing() {
        check("0000000000000000 T _stext\n", 0xff00, None);
    }
}
