//! JSON, as far as stats need it.

use std::fmt::Write;

/// An object being written.
pub(super) struct Object {
    text: String,
}

impl Object {
    pub(super) fn new() -> Self {
        Self { text: String::from("{") }
    }

    /// A number; `null` if there is none, or none that JSON can express.
    pub(super) fn number(mut self, name: &str, value: Option<impl Into<f64>>) -> Self {
        self.name(name);
        match value.map(Into::into).filter(|value: &f64| value.is_finite()) {
            Some(value) => self.write(format_args!("{value}")),
            None => self.text.push_str("null"),
        }
        self
    }

    /// A whole number; `null` if there is none.
    pub(super) fn integer(mut self, name: &str, value: Option<u64>) -> Self {
        self.name(name);
        match value {
            Some(value) => self.write(format_args!("{value}")),
            None => self.text.push_str("null"),
        }
        self
    }

    #[cfg(any(test, feature = "http"))]
    pub(super) fn text(mut self, name: &str, value: &str) -> Self {
        self.name(name);
        self.quote(value);
        self
    }

    pub(super) fn object(mut self, name: &str, value: Self) -> Self {
        self.name(name);
        self.text.push_str(&value.finish());
        self
    }

    pub(super) fn finish(mut self) -> String {
        self.text.push('}');
        self.text
    }

    fn name(&mut self, name: &str) {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        self.quote(name);
        self.text.push(':');
    }

    fn quote(&mut self, text: &str) {
        self.text.push('"');
        for c in text.chars() {
            match c {
                '"' | '\\' => self.text.extend(['\\', c]),
                c if c < ' ' => self.write(format_args!("\\u{:04x}", u32::from(c))),
                c => self.text.push(c),
            }
        }
        self.text.push('"');
    }

    fn write(&mut self, what: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.text.write_fmt(what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects() {
        let inner = Object::new().integer("n", Some(u64::MAX)).integer("none", None);
        let object = Object::new()
            .text("a\"b", "c\\d\n")
            .number("x", Some(1.5))
            .number("inf", Some(f64::INFINITY))
            .object("o", inner);
        let expected = r#"{"a\"b":"c\\d\u000a","x":1.5,"inf":null,"o":{"n":18446744073709551615,"none":null}}"#;
        assert_eq!(object.finish(), expected);
        assert_eq!(Object::new().finish(), "{}");
    }
}
