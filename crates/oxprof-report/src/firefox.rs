//! JSON for <https://profiler.firefox.com>, in its processed format.
//!
//! Profiles do not say when a sample was taken: samples stand one millisecond apart, in the order of the
//! profile, and carry their value as weight.

use std::collections::HashMap;
use std::io::{self, Write};

use oxprof_profile::{StrId, Strings, units};
use rustc_hash::FxBuildHasher;
use serde::Serialize;
use serde_json::{Value, json};

use crate::amounts::value_name;
use crate::header;
use crate::render::Report;
use crate::stacks::{Stacks, Streamed, repeated};

/// Version of the processed format; the viewer upgrades older ones.
const PROCESSED_VERSION: u32 = 47;
/// Version of the format that the processed one is derived from.
const GECKO_VERSION: u32 = 24;

pub(crate) fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let stacks = Stacks::new(report);
    let (kind, unit) = weights(&stacks.amounts.from);
    let mut tree = StackTree::default();
    let leaf = |(stack, _)| stacks.root_first(stack).fold(None, |s, f| Some(tree.row(s, f.0)));
    let leaves: Vec<Option<u32>> = stacks.samples().map(leaf).collect();
    let title = header::title(report.profile);
    let thread = Thread {
        name: value_name(report.profile, report.options),
        process_name: title.clone(),
        functions: Functions::new(&stacks),
        stacks: &stacks,
        tree: &tree,
        leaves: &leaves,
        weight_type: kind,
        weights: Streamed(stacks.samples().map(|(_, value)| value as f64 / unit)),
    };
    write!(out, "{{\"meta\":")?;
    serde_json::to_writer(&mut *out, &meta(report, title))?;
    write!(out, ",\"libs\":[],\"threads\":[")?;
    thread.write(out)?;
    writeln!(out, "]}}")
}

fn meta(report: &Report<'_>, title: String) -> Value {
    json!({
        "product": if title.is_empty() { "profile".to_owned() } else { title },
        "version": GECKO_VERSION,
        "preprocessedProfileVersion": PROCESSED_VERSION,
        "interval": 1,
        "startTime": report.profile.time_nanos as f64 / 1e6,
        "processType": 0,
        "stackwalk": 1,
        "debug": false,
        "symbolicated": true,
        "usesOnlyOneStackType": true,
        "doesNotUseFrameImplementation": true,
        "sourceCodeIsNotOnSearchfox": true,
        "categories": [{ "name": "Other", "color": "grey", "subcategories": ["Other"] }],
        "markerSchema": [],
        "extensions": { "length": 0, "baseURL": [], "id": [], "name": [] },
    })
}

/// The viewer's kind of weights, and what one of them is in `unit`.
fn weights(unit: &str) -> (&'static str, f64) {
    match (units::ratio("ms", unit), units::ratio("bytes", unit)) {
        (Some(unit), _) => ("tracing-ms", unit),
        (_, Some(unit)) => ("bytes", unit),
        _ => ("samples", 1.0),
    }
}

/// The tree of all stacks: each row adds a frame to the stack that another row stands for.
#[derive(Default)]
struct StackTree {
    prefixes: Vec<Option<u32>>,
    frames: Vec<u32>,
    known: HashMap<(Option<u32>, u32), u32, FxBuildHasher>,
}

impl StackTree {
    fn row(&mut self, prefix: Option<u32>, frame: u32) -> u32 {
        *self.known.entry((prefix, frame)).or_insert_with(|| {
            self.prefixes.push(prefix);
            self.frames.push(frame);
            self.frames.len() as u32 - 1
        })
    }
}

/// Functions by name and file.
#[derive(Default)]
struct Functions {
    strings: Strings,
    names: Vec<u32>,
    files: Vec<Option<u32>>,
    known: HashMap<(StrId, StrId), u32, FxBuildHasher>,
    /// Function of each frame.
    of_frames: Vec<u32>,
}

impl Functions {
    fn new(stacks: &Stacks<'_>) -> Self {
        let mut this = Self::default();
        for id in stacks.frame_ids() {
            let (name, file) = stacks.name_and_file(id);
            let row = this.row(&name, file);
            this.of_frames.push(row);
        }
        this
    }

    fn row(&mut self, name: &str, file: &str) -> u32 {
        let (name, file) = (self.strings.intern(name), self.strings.intern(file));
        *self.known.entry((name, file)).or_insert_with(|| {
            self.names.push(name.0);
            self.files.push((!file.is_empty()).then_some(file.0));
            self.names.len() as u32 - 1
        })
    }
}

struct Thread<'a, W> {
    name: String,
    process_name: String,
    functions: Functions,
    stacks: &'a Stacks<'a>,
    tree: &'a StackTree,
    leaves: &'a [Option<u32>],
    weight_type: &'static str,
    weights: W,
}

impl<W: Serialize> Thread<'_, W> {
    /// Tables first, column by column, so that no second copy of them is made.
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let Functions { strings, names, files, of_frames, .. } = &self.functions;
        let texts = (0..strings.len()).map(|i| strings.get(StrId::from_index(i)));
        let rows = names.len();
        write!(out, "{{\"stringArray\":")?;
        serde_json::to_writer(&mut *out, &Streamed(texts))?;
        let none: Option<u32> = None;
        Table::start("funcTable", rows, out)?
            .column("name", names)?
            .column("fileName", files)?
            .column("isJS", &repeated(false, rows))?
            .column("relevantForJS", &repeated(false, rows))?
            .column("resource", &repeated(-1, rows))?
            .column("lineNumber", &repeated(none, rows))?
            .column("columnNumber", &repeated(none, rows))?
            .end()?;
        let rows = of_frames.len();
        let known = |n: i64| (n != 0).then_some(n);
        let frames = self.stacks.frame_ids().map(|id| self.stacks.frames.get(id));
        Table::start("frameTable", rows, out)?
            .column("func", of_frames)?
            .column("line", &Streamed(frames.clone().map(|f| known(f.line))))?
            .column("column", &Streamed(frames.map(|f| known(f.column))))?
            .column("address", &repeated(-1, rows))?
            .column("inlineDepth", &repeated(0, rows))?
            .column("category", &repeated(0, rows))?
            .column("subcategory", &repeated(0, rows))?
            .column("nativeSymbol", &repeated(none, rows))?
            .column("innerWindowID", &repeated(none, rows))?
            .column("implementation", &repeated(none, rows))?
            .end()?;
        let rows = self.tree.frames.len();
        Table::start("stackTable", rows, out)?
            .column("prefix", &self.tree.prefixes)?
            .column("frame", &self.tree.frames)?
            .column("category", &repeated(0, rows))?
            .column("subcategory", &repeated(0, rows))?
            .end()?;
        Table::start("samples", self.leaves.len(), out)?
            .column("stack", self.leaves)?
            .column("time", &Streamed(0..self.leaves.len()))?
            .column("weight", &self.weights)?
            .column("weightType", self.weight_type)?
            .end()?;
        let Value::Object(rest) = self.rest() else { return Ok(()) };
        for (key, value) in rest {
            write!(out, ",\"{key}\":{value}")?;
        }
        write!(out, "}}")
    }

    /// What the viewer wants to see of a thread besides its samples.
    fn rest(&self) -> Value {
        json!({
            "name": self.name,
            "processName": self.process_name,
            "processType": "default",
            "isMainThread": true,
            "pid": "0",
            "tid": "0",
            "processStartupTime": 0,
            "processShutdownTime": null,
            "registerTime": 0,
            "unregisterTime": null,
            "pausedRanges": [],
            "nativeSymbols":
                { "length": 0, "address": [], "functionSize": [], "libIndex": [], "name": [] },
            "resourceTable": { "length": 0, "lib": [], "name": [], "host": [], "type": [] },
            "markers": { "length": 0, "category": [], "data": [], "name": [], "phase": [],
                "startTime": [], "endTime": [] },
        })
    }
}

/// A table of columns, being written.
struct Table<'a> {
    out: &'a mut dyn Write,
}

impl<'a> Table<'a> {
    fn start(name: &str, rows: usize, out: &'a mut dyn Write) -> io::Result<Self> {
        write!(out, ",\"{name}\":{{\"length\":{rows}")?;
        Ok(Self { out })
    }

    fn column(self, name: &str, values: &(impl Serialize + ?Sized)) -> io::Result<Self> {
        write!(self.out, ",\"{name}\":")?;
        serde_json::to_writer(&mut *self.out, values)?;
        Ok(self)
    }

    fn end(self) -> io::Result<()> {
        write!(self.out, "}}")
    }
}
