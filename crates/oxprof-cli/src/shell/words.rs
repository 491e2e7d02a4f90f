//! Words of a shell line.

/// Splits a line at white space. Quotes keep a word together when they open it, perhaps behind the
/// `-` or `>` that says what the word is for, and close it: a quote within a word is only a
/// character, since names such as `f<'a>` have them.
pub(super) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (word, after) = first_word(rest);
        words.push(word);
        rest = after.trim_start();
    }
    words
}

fn first_word(text: &str) -> (String, &str) {
    let marker = text.len() - text.trim_start_matches(['-', '>']).len();
    if let Some((quoted, rest)) = quoted(&text[marker..]) {
        return (format!("{}{quoted}", &text[..marker]), rest);
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (text[..end].to_owned(), &text[end..])
}

/// Reads a quotation that ends a word.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let body = &text[1..];
    let ends_word = |at: usize| body[at + 1..].chars().next().is_none_or(char::is_whitespace);
    let (end, _) = body.match_indices(quote).find(|(at, _)| ends_word(*at))?;
    Some((&body[..end], &body[end + 1..]))
}

/// A value without the quotes around it, if there are any.
pub(super) fn unquoted(value: &str) -> &str {
    match quoted(value) {
        Some((body, "")) => body,
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        assert_eq!(words(line), expected, "{line}");
    }

    #[test]
    fn quotes_keep_words_together() {
        check("list 'a b'  c", &["list", "a b", "c"]);
        check("top -\"a b\" >'my file'", &["top", "-a b", ">my file"]);
        check("top ''", &["top", ""]);
    }

    #[test]
    fn quotes_within_names_are_characters() {
        check("list f<'a> 'static", &["list", "f<'a>", "'static"]);
        check("list 'a'b c'", &["list", "a'b c"]);
    }

    #[test]
    fn values_lose_their_quotes() {
        assert_eq!(unquoted("\"\""), "");
        assert_eq!(unquoted("'a b'"), "a b");
        assert_eq!(unquoted("'a' b"), "'a' b");
    }
}
