//! Reads what `pprof -dot` writes, and what `dot -Tplain` makes of it.

use std::collections::HashMap;

/// A graph in Graphviz's language, as far as pprof uses it.
#[derive(Debug, Default)]
pub(crate) struct DotGraph {
    pub(crate) nodes: Vec<DotNode>,
    pub(crate) edges: Vec<DotEdge>,
}

/// A node statement.
#[derive(Debug)]
pub(crate) struct DotNode {
    pub(crate) name: String,
    /// Whether it is in a subgraph: pprof's legend.
    pub(crate) clustered: bool,
}

/// An edge statement.
#[derive(Debug)]
pub(crate) struct DotEdge {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) attributes: HashMap<String, String>,
}

impl DotGraph {
    /// Reads a digraph; statements that are neither nodes nor edges are skipped.
    pub(crate) fn parse(text: &str) -> Self {
        let mut graph = Self::default();
        let mut tokens = tokens(text).into_iter().skip_while(|t| t != "{").skip(1).peekable();
        let mut depth = 0;
        while let Some(token) = tokens.next() {
            match token.as_str() {
                "subgraph" => {
                    tokens.next();
                }
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {
                    let target = tokens.next_if(|t| t == "->").and_then(|_| tokens.next());
                    let attributes = attributes(&mut tokens);
                    match target {
                        Some(to) => graph.edges.push(DotEdge { from: token, to, attributes }),
                        None if matches!(token.as_str(), "node" | "edge" | "graph") => {}
                        None => {
                            let clustered = depth > 0;
                            graph.nodes.push(DotNode { name: token, clustered });
                        }
                    }
                }
            }
        }
        graph
    }
}

fn attributes(
    tokens: &mut std::iter::Peekable<impl Iterator<Item = String>>,
) -> HashMap<String, String> {
    let mut attributes = HashMap::new();
    if tokens.next_if(|t| t == "[").is_none() {
        return attributes;
    }
    while let Some(key) = tokens.next().filter(|t| t != "]") {
        if tokens.next_if(|t| t == "=").is_some() {
            attributes.insert(key, tokens.next().unwrap_or_default());
        }
    }
    attributes
}

/// Words, quoted texts (without their quotes) and punctuation.
pub(crate) fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => tokens.push(quoted(&mut chars)),
            '-' if chars.next_if_eq(&'>').is_some() => tokens.push("->".to_owned()),
            '{' | '}' | '[' | ']' | '=' => tokens.push(c.to_string()),
            c if c.is_whitespace() || c == ';' || c == ',' => {}
            c => {
                let mut word = c.to_string();
                let inner = |c: &char| c.is_alphanumeric() || "_.+-#".contains(*c);
                while let Some(c) = chars.next_if(inner) {
                    word.push(c);
                }
                tokens.push(word);
            }
        }
    }
    tokens
}

fn quoted(chars: &mut impl Iterator<Item = char>) -> String {
    let mut text = String::new();
    while let Some(c) = chars.next().filter(|c| *c != '"') {
        text.push(c);
        if c == '\\' {
            text.extend(chars.next());
        }
    }
    text
}

/// A graph as `dot -Tplain` lays it out, in points.
#[derive(Debug, Default)]
pub(crate) struct Plain {
    pub(crate) size: (f64, f64),
    /// Name, centre, width and height.
    pub(crate) nodes: Vec<(String, [f64; 4])>,
    pub(crate) edges: Vec<PlainEdge>,
}

/// Ends and control points.
pub(crate) type PlainEdge = (String, String, Vec<(f64, f64)>);

impl Plain {
    pub(crate) fn parse(text: &str) -> Self {
        let mut plain = Self::default();
        for line in logical_lines(text) {
            let tokens = tokens(&line);
            let number = |i: usize| tokens[i].parse::<f64>().map_or(0.0, |inches| inches * 72.0);
            match tokens.first().map(String::as_str) {
                Some("graph") => plain.size = (number(2), number(3)),
                Some("node") => {
                    plain.nodes.push((tokens[1].clone(), [2, 3, 4, 5].map(number)));
                }
                Some("edge") => {
                    let count: usize = tokens[3].parse().expect("the number of points");
                    let points = (0..count).map(|i| (number(4 + 2 * i), number(5 + 2 * i)));
                    plain.edges.push((tokens[1].clone(), tokens[2].clone(), points.collect()));
                }
                _ => {}
            }
        }
        plain
    }
}

/// Lines, joined where a backslash or an open quote continues them.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        match c {
            '\n' if !quoted && !escaped => lines.push(String::new()),
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = c == '\\' && !escaped;
        if let Some(line) = lines.last_mut() {
            line.push(c);
        }
    }
    lines
}
