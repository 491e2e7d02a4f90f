//! The part of GraphQL's query language that the router speaks: one query of fields with arguments, aliases and variables.

use serde_json::{Map, Value};

/// What is asked for.
#[derive(Debug, PartialEq)]
pub(crate) struct Query {
    /// Its name, if it has one.
    pub name: Option<String>,
    pub fields: Vec<Field>,
}

/// A field, and what is wanted of it.
#[derive(Debug, PartialEq)]
pub(crate) struct Field {
    /// The name in the answer.
    pub alias: String,
    pub name: String,
    pub arguments: Map<String, Value>,
    pub fields: Vec<Self>,
}

/// Deeper queries are refused.
const DEPTH: usize = 16;

/// Reads a query; variables are put in place.
pub(crate) fn parse(text: &str, variables: &Map<String, Value>) -> Result<Query, String> {
    let mut parser = Parser { rest: text, variables };
    let mut name = None;
    if parser.word().is_some_and(|word| word == "query") {
        parser.name()?;
        name = parser.word().is_some().then(|| parser.name()).transpose()?;
        if parser.take("(") {
            // Types of variables are taken on trust.
            let end = parser.rest.find(')').ok_or("a parenthesis is not closed")?;
            parser.rest = &parser.rest[end + 1..];
        }
    }
    let fields = parser.selection(0)?;
    match parser.peek() {
        None => Ok(Query { name, fields }),
        Some(_) => Err(format!("one query is enough, but there follows {:?}", parser.rest)),
    }
}

struct Parser<'a> {
    rest: &'a str,
    variables: &'a Map<String, Value>,
}

impl Parser<'_> {
    /// The next character that means something.
    fn peek(&mut self) -> Option<char> {
        loop {
            self.rest = self.rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
            let Some(comment) = self.rest.strip_prefix('#') else {
                return self.rest.chars().next();
            };
            self.rest = comment.split_once('\n').map_or("", |(_, rest)| rest);
        }
    }

    fn take(&mut self, mark: &str) -> bool {
        self.peek();
        let rest = self.rest.strip_prefix(mark);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, mark: &str) -> Result<(), String> {
        if self.take(mark) {
            Ok(())
        } else {
            Err(format!("there should be {mark:?} before {:?}", self.rest))
        }
    }

    /// The name that comes next, if one does.
    fn word(&mut self) -> Option<&str> {
        self.peek().filter(|c| c.is_ascii_alphabetic() || *c == '_')?;
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        Some(&self.rest[..end.unwrap_or(self.rest.len())])
    }

    fn name(&mut self) -> Result<String, String> {
        let name = self.word().map(str::to_owned);
        let name = name.ok_or_else(|| format!("there should be a name before {:?}", self.rest))?;
        self.rest = &self.rest[name.len()..];
        Ok(name)
    }

    fn selection(&mut self, depth: usize) -> Result<Vec<Field>, String> {
        if depth == DEPTH {
            return Err(format!("the query is deeper than {DEPTH}"));
        }
        self.expect("{")?;
        let mut fields = Vec::new();
        while !self.take("}") {
            fields.push(self.field(depth)?);
        }
        Ok(fields)
    }

    fn field(&mut self, depth: usize) -> Result<Field, String> {
        let alias = self.name()?;
        let name = if self.take(":") { self.name()? } else { alias.clone() };
        let mut arguments = Map::new();
        if self.take("(") {
            while !self.take(")") {
                let argument = self.name()?;
                self.expect(":")?;
                arguments.insert(argument, self.value()?);
            }
        }
        let fields = if self.peek() == Some('{') { self.selection(depth + 1)? } else { Vec::new() };
        Ok(Field { alias, name, arguments, fields })
    }

    fn value(&mut self) -> Result<Value, String> {
        if self.take("$") {
            let name = self.name()?;
            return self
                .variables
                .get(&name)
                .cloned()
                .ok_or(format!("there is no variable ${name}"));
        }
        // Strings end themselves; numbers and truth values end where something else begins.
        let end = match self.peek() {
            Some('"') => {
                let mut strings =
                    serde_json::Deserializer::from_str(self.rest).into_iter::<String>();
                strings.next();
                strings.byte_offset()
            }
            _ => self.rest.find([' ', '\n', ',', ')']).unwrap_or(self.rest.len()),
        };
        let (value, rest) = self.rest.split_at(end);
        let value = serde_json::from_str(value);
        let value = value.map_err(|_| format!("there should be a value before {:?}", self.rest))?;
        self.rest = rest;
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Fields as `alias:name(arguments){fields}`.
    fn print(fields: &[Field]) -> String {
        let field = |f: &Field| {
            let arguments = Value::Object(f.arguments.clone());
            format!("{}:{}{arguments}[{}]", f.alias, f.name, print(&f.fields))
        };
        fields.iter().map(field).collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let variables = json!({ "n": 3 });
        let query = parse(text, variables.as_object().unwrap());
        assert_eq!(query.map_or_else(|e| e, |q| print(&q.fields)), expected);
    }

    #[test]
    fn queries() {
        check("{ a b }", "a:a{}[] b:b{}[]");
        check(
            "query Top($n: Int!) { x: products(first: $n) { name } }",
            "x:products{\"first\":3}[name:name{}[]]",
        );
        check("{ a(b: \"c\", d: 1.5) # note\n }", "a:a{\"b\":\"c\",\"d\":1.5}[]");
    }

    #[test]
    fn mistakes_are_named() {
        check("a", "there should be \"{\" before \"a\"");
        check("{ a", "there should be a name before \"\"");
        check("{ a(b) }", "there should be \":\" before \") }\"");
        check("{ a(b: $m) }", "there is no variable $m");
        check("{ a } { b }", "one query is enough, but there follows \"{ b }\"");
        check(&"{ a".repeat(17), "the query is deeper than 16");
    }
}
