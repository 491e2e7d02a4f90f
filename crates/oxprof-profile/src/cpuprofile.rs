//! `.cpuprofile` files of Chrome, Node.js and Deno: a tree of calls, and which node was seen when.

use std::collections::HashMap;

use crate::error::DecodeError;
use crate::json::Json;
use crate::{Builder, LocationIdx, Profile, Symbol};

/// A call in the tree.
#[derive(Debug, Default)]
struct Node {
    id: u64,
    function: String,
    url: String,
    /// From 0; −1 if unknown.
    line: i64,
    column: i64,
    hits: i64,
    children: Vec<u64>,
    parent: Option<u64>,
}

/// The whole file.
#[derive(Debug, Default)]
struct File {
    nodes: Vec<Node>,
    samples: Vec<u64>,
    /// Microseconds before each sample.
    deltas: Vec<i64>,
    start: f64,
    end: f64,
}

/// Whether the text is JSON with a list of nodes near its start.
pub(crate) fn looks_like(text: &[u8]) -> bool {
    const NEAR: usize = 4096;
    let text = text.trim_ascii_start();
    let start = &text[..text.len().min(NEAR)];
    let has = |key: &[u8]| start.windows(key.len()).any(|window| window == key);
    text.starts_with(b"{") && has(b"\"nodes\"") && has(b"\"callFrame\"")
}

/// Reads a `.cpuprofile`: sample types `samples/count` and `cpu/microseconds`, one sample per node.
pub(crate) fn decode(text: &[u8]) -> Result<Profile, DecodeError> {
    let mut json = Json::new(text);
    let mut file = File::default();
    file.read(&mut json).ok_or_else(|| DecodeError::Malformed {
        format: "cpuprofile",
        offset: json.offset().min(text.len()),
        reason: "not the JSON that was expected".to_owned(),
    })?;
    file.profile()
}

impl File {
    fn read(&mut self, json: &mut Json<'_>) -> Option<()> {
        json.object(|json, key| match key {
            "nodes" => json.array(|json| {
                self.nodes.push(Node::read(json)?);
                Some(())
            }),
            "samples" => json.array(|json| {
                self.samples.push(json.number()? as u64);
                Some(())
            }),
            "timeDeltas" => json.array(|json| {
                self.deltas.push(json.number()? as i64);
                Some(())
            }),
            "startTime" => json.number().map(|n| self.start = n),
            "endTime" => json.number().map(|n| self.end = n),
            _ => json.skip(),
        })
    }

    fn profile(self) -> Result<Profile, DecodeError> {
        let index: HashMap<u64, usize> =
            self.nodes.iter().enumerate().map(|(i, n)| (n.id, i)).collect();
        let parents = self.parents(&index)?;
        let mut values: Vec<[i64; 2]> = vec![[0; 2]; self.nodes.len()];
        if self.samples.is_empty() {
            values.iter_mut().zip(&self.nodes).for_each(|(v, node)| v[0] = node.hits);
        }
        // A delta is the time before its sample, in which the program was where the sample before says.
        let lasting = self.deltas.iter().skip(1).copied().chain([0]);
        for (id, micros) in self.samples.iter().zip(lasting.chain(std::iter::repeat(0))) {
            let node = *index.get(id).ok_or_else(|| {
                DecodeError::Invalid(format!("a sample mentions node {id}, which does not exist"))
            })?;
            values[node][0] += 1;
            values[node][1] = values[node][1].saturating_add(micros.max(0));
        }
        let mut builder = Builder::new(&[("samples", "count"), ("cpu", "microseconds")]);
        builder.profile.period_type = builder.value_type("cpu", "microseconds");
        builder.profile.duration_nanos = ((self.end - self.start).max(0.0) * 1000.0) as i64;
        let places: Vec<_> = self.nodes.iter().map(|node| node.place(&mut builder)).collect();
        let mut stack = Vec::new();
        for (node, values) in values.iter().enumerate().filter(|(_, values)| **values != [0; 2]) {
            stack.clear();
            let ancestors = std::iter::successors(Some(node), |&node| parents[node]);
            stack.extend(ancestors.filter_map(|node| places[node]));
            builder.sample(values, &stack, &[]);
        }
        Ok(builder.finish())
    }

    /// The parent of each node; fails on cycles.
    fn parents(&self, index: &HashMap<u64, usize>) -> Result<Vec<Option<usize>>, DecodeError> {
        let mut parents = vec![None; self.nodes.len()];
        for (i, node) in self.nodes.iter().enumerate() {
            if let Some(parent) = node.parent.and_then(|id| index.get(&id)) {
                parents[i] = Some(*parent);
            }
            for child in node.children.iter().filter_map(|id| index.get(id)) {
                parents[*child] = Some(i);
            }
        }
        // Depths are found once per node; a walk longer than there are nodes goes in a circle.
        let mut is_rooted = vec![false; self.nodes.len()];
        for start in 0..self.nodes.len() {
            let path: Vec<_> = std::iter::successors(Some(start), |&node| parents[node])
                .take_while(|&node| !is_rooted[node])
                .take(self.nodes.len() + 1)
                .collect();
            if path.len() > self.nodes.len() {
                return Err(DecodeError::Invalid(format!(
                    "node {} is its own ancestor",
                    self.nodes[start].id
                )));
            }
            path.into_iter().for_each(|node| is_rooted[node] = true);
        }
        Ok(parents)
    }
}

impl Node {
    fn read(json: &mut Json<'_>) -> Option<Self> {
        let mut node = Self { line: -1, column: -1, ..Self::default() };
        let mut has_id = false;
        json.object(|json, key| match key {
            "id" => json.number().map(|n| (node.id, has_id) = (n as u64, true)),
            "parent" => json.number().map(|n| node.parent = Some(n as u64)),
            "hitCount" => json.number().map(|n| node.hits = n as i64),
            "callFrame" => node.call_frame(json),
            "children" => json.array(|json| {
                node.children.push(json.number()? as u64);
                Some(())
            }),
            _ => json.skip(),
        })?;
        has_id.then_some(node)
    }

    fn call_frame(&mut self, json: &mut Json<'_>) -> Option<()> {
        json.object(|json, key| match key {
            "functionName" => json.string().map(|s| self.function = s.into_owned()),
            "url" => json.string().map(|s| self.url = s.into_owned()),
            "lineNumber" => json.number().map(|n| self.line = n as i64),
            "columnNumber" => json.number().map(|n| self.column = n as i64),
            _ => json.skip(),
        })
    }

    /// The root of the tree is no place.
    fn place(&self, builder: &mut Builder) -> Option<LocationIdx> {
        let name = match self.function.as_str() {
            "(root)" => return None,
            "" => "(anonymous)",
            name => name,
        };
        let symbol = Symbol {
            name: name.as_bytes(),
            file: self.url.as_bytes(),
            line: self.line.saturating_add(1),
            column: self.column.saturating_add(1),
            ..Symbol::default()
        };
        Some(builder.symbol(None, 0, &symbol))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode_folded;

    const FILE: &str = r#"{"nodes":[
        {"id":1,"callFrame":{"functionName":"(root)","scriptId":"0","url":"","lineNumber":-1,"columnNumber":-1},"children":[2,4]},
        {"id":2,"callFrame":{"functionName":"main","url":"file:///a.js","lineNumber":9,"columnNumber":4},"children":[3]},
        {"id":3,"callFrame":{"functionName":"","url":"file:///a.js","lineNumber":0,"columnNumber":0},"positionTicks":[{"line":1,"ticks":2}]},
        {"id":4,"callFrame":{"functionName":"(idle)","url":""}}],
        "startTime":1000,"endTime":2000,"samples":[2,3,3,4],"timeDeltas":[10,100,200,300]}"#;

    #[test]
    fn time_goes_to_the_node_it_was_spent_in() {
        let profile = decode(FILE.as_bytes()).unwrap();
        assert_eq!(encode_folded(&profile, 0), "(idle) 1\nmain 1\nmain;(anonymous) 2\n");
        assert_eq!(encode_folded(&profile, 1), "main 100\nmain;(anonymous) 500\n");
        assert_eq!((profile.lines[0].line, profile.duration_nanos), (10, 1_000_000));
    }

    #[track_caller]
    fn check_error(from: &str, to: &str, message: &str) {
        let error = decode(FILE.replace(from, to).as_bytes()).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }

    #[test]
    fn broken_trees_are_errors() {
        check_error("[2,3,3,4]", "[2,9]", "node 9, which does not exist");
        check_error("\"positionTicks\"", "\"children\":[2],\"positionTicks\"", "its own ancestor");
        check_error("\"samples\":[", "\"samples\":[,", "not the JSON that was expected");
    }
}
