//! Flame graphs, as far as they are looked at.
//!
//! ```text
//! length of the JSON (u32, little endian) │ JSON: names, units, … │ frames
//! frame: name, parent's depth + 1 − depth, gap, weight, own [, net]
//! ```
//! All numbers of frames are LEB128; `net` is zigzag-coded. `name` is an index into the names of this reply. `gap` is the
//! weight between the frame and where it could have started at the earliest: at its caller's start or its
//! elder sibling's end. Frames come as in [`FlamePart`].

use std::ops::Range;

use oxprof_report::Regexp;
use oxprof_report::flame::{Direction, FlamePart, FlameQuery};
use serde::Serialize;

use crate::app::{Inner, Refusal};
use crate::reply::Reply;
use crate::request::Query;
use crate::view::View;

/// Frames narrower than a pixel of the largest screen are not sent.
const MOST_PIXELS: i64 = 16_384;
const USUAL_PIXELS: i64 = 4096;

/// What stands before the frames.
#[derive(Debug, Serialize)]
pub(super) struct Head<'a> {
    /// The weight of everything.
    whole: i64,
    /// What percentages are of.
    total: i64,
    unit: &'a str,
    units: Vec<(f64, &'static str)>,
    difference: bool,
    dropped: usize,
    /// The part that is sent in full.
    window: [i64; 2],
    /// Only each so-many-th sample was counted, and stands for the others.
    every: usize,
    names: Vec<String>,
    /// Numbers of the names in this view.
    ids: Vec<u32>,
    hues: Vec<u16>,
    remarks: &'a [String],
}

pub(super) fn answer(app: &Inner, query: &Query) -> Result<Reply, Refusal> {
    let view = app.view(query, "flame")?;
    let look = Look::new(&view, query)?;
    let every = match query.get("draft") {
        "t" => view.prepared.profile.samples.len() / DRAFT,
        _ => 1,
    };
    let draft = if every < WORTH { None } else { look.draft(&view, every) };
    let reply = match draft {
        Some(part) => encode(&view, &look, &part, every),
        None => encode(&view, &look, &look.part(&view), 1),
    };
    Ok(Reply::binary(reply))
}

/// What of the flame graph is looked at.
#[derive(Debug)]
pub(super) struct Look {
    direction: Direction,
    pivot: Option<Vec<bool>>,
    window: Range<i64>,
    pixels: i64,
}

/// A first picture is made of so many samples, if there are many more.
const DRAFT: usize = 1 << 16;
/// So many times as many.
const WORTH: usize = 4;

impl Look {
    pub(super) fn new(view: &View, query: &Query) -> Result<Self, Refusal> {
        let pivot = match query.get("p") {
            "" => None,
            text => Some(matches(view, text)?),
        };
        let number = |name: &str, default: i64| query.get(name).parse().unwrap_or(default);
        let direction = match query.get("dir") {
            "out" => Direction::Outwards,
            _ => Direction::Inwards,
        };
        Ok(Self {
            direction,
            pivot,
            window: number("from", 0)..number("to", i64::MAX),
            pixels: number("px", USUAL_PIXELS).clamp(1, MOST_PIXELS),
        })
    }

    fn query(&self) -> FlameQuery<'_> {
        let Self { direction, pixels, .. } = *self;
        FlameQuery { direction, pivot: self.pivot.as_deref(), window: self.window.clone(), pixels }
    }

    pub(super) fn part(&self, view: &View) -> FlamePart {
        view.names().part(&view.report(), &self.query())
    }

    fn draft(&self, view: &View, every: usize) -> Option<FlamePart> {
        view.names().draft(&view.report(), &self.query(), every)
    }
}

/// The names that match an expression, by number. The root's matches nothing.
pub(super) fn matches(view: &View, text: &str) -> Result<Vec<bool>, Refusal> {
    let regexp = Regexp::new(text).map_err(Refusal::bad)?;
    let mut found: Vec<bool> =
        view.names().texts().iter().map(|name| regexp.is_match(name)).collect();
    found[0] = false;
    Ok(found)
}

fn encode(view: &View, look: &Look, part: &FlamePart, every: usize) -> Vec<u8> {
    let (used, ids) = renumber(view, part);
    let report = &view.prepared;
    // The first frame is everything.
    let whole = part.frames.weight[0];
    let window = look.query().seen(whole);
    let head = Head {
        whole,
        total: match report.options.total {
            0 => whole,
            total => total.saturating_abs(),
        },
        unit: view.unit(),
        units: view.units(),
        difference: !part.frames.net.is_empty(),
        dropped: part.dropped,
        window: [window.start, window.end],
        every,
        names: ids.iter().map(|&id| cut(&view.names().texts()[id as usize])).collect(),
        hues: ids.iter().map(|&id| view.names().hue(id)).collect(),
        ids,
        remarks: &report.remarks,
    };
    let json = serde_json::to_vec(&head).unwrap_or_default();
    let mut out = Vec::with_capacity(json.len() + 4 + part.frames.len() * 10);
    out.extend((json.len() as u32).to_le_bytes());
    out.extend(json);
    encode_frames(part, &used, &mut out);
    out
}

/// Numbers the names that occur: the new number by the old one, and the old ones in the order of the new.
fn renumber(view: &View, part: &FlamePart) -> (Vec<u32>, Vec<u32>) {
    let mut numbers = vec![u32::MAX; view.names().texts().len()];
    let mut ids = Vec::new();
    for &name in &part.frames.name {
        let number = &mut numbers[name as usize];
        if *number == u32::MAX {
            *number = ids.len() as u32;
            ids.push(name);
        }
    }
    (numbers, ids)
}

fn encode_frames(part: &FlamePart, numbers: &[u32], out: &mut Vec<u8>) {
    let frames = &part.frames;
    // Where the next frame of each depth may start.
    let mut starts: Vec<i64> = vec![0];
    for i in 0..frames.len() {
        let depth = frames.depth[i] as usize;
        let up = if i == 0 { 0 } else { frames.depth[i - 1] + 1 - frames.depth[i] };
        let (start, weight) = (part.starts[i], frames.weight[i]);
        put(out, u64::from(numbers[frames.name[i] as usize]));
        put(out, u64::from(up));
        put(out, start.wrapping_sub(starts[depth]) as u64);
        put(out, weight as u64);
        put(out, frames.own[i] as u64);
        if let Some(&net) = frames.net.get(i) {
            put(out, ((net << 1) ^ (net >> 63)) as u64);
        }
        starts[depth] = start.saturating_add(weight);
        starts.truncate(depth + 1);
        starts.push(start);
    }
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Names longer than this are cut: nobody reads more of them.
const LONGEST: usize = 2000;

/// A name as pages get it.
pub(super) fn cut(name: &str) -> String {
    match name.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}
