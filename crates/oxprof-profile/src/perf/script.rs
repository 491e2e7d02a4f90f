//! The text that `perf script` prints: a line with the event, then the frames, then an empty line.
//!
//! ```text
//! app  30559/30560 [001]  5607.297678:    2004008 cpu-clock:ppp:
//!         7f32a8c3 inner+0x12 (/usr/bin/app)
//!         7f32a8d9 main+0x40 (/usr/bin/app)
//! ```

use std::collections::HashMap;

use super::{Event, Recorder};
use crate::error::DecodeError;
use crate::{Mapping, MappingIdx, Profile, Symbol};

/// Whether the first line that is no comment is an event, and the next one a frame or nothing.
pub(crate) fn looks_like(text: &[u8]) -> bool {
    let mut lines = lines(text).filter(|(_, line)| !line.starts_with(b"#"));
    let Some((_, first)) = lines.find(|(_, line)| !line.trim_ascii().is_empty()) else {
        return false;
    };
    parse_event(first).is_some()
        && lines
            .next()
            .is_none_or(|(_, line)| line.trim_ascii().is_empty() || parse_frame(line).is_some())
}

pub(crate) fn decode(text: &[u8]) -> Result<Profile, DecodeError> {
    let mut recorder = Recorder::new();
    let mut binaries: HashMap<Vec<u8>, MappingIdx> = HashMap::new();
    let mut event = None;
    for (offset, line) in lines(text) {
        if line.starts_with(b"#") {
            continue;
        }
        let trimmed = line.trim_ascii();
        if trimmed.is_empty() {
            event.take().iter().for_each(|event| recorder.sample(event));
        } else if let Some(frame) = event.as_ref().and_then(|_| parse_frame(line)) {
            let location = frame.place(&mut recorder, &mut binaries);
            recorder.frames.push(location);
        } else if let Some(next) = parse_event(line) {
            event.replace(next).iter().for_each(|event| recorder.sample(event));
        } else {
            return Err(DecodeError::Malformed {
                format: "perf script",
                offset,
                reason: "neither an event nor a frame".to_owned(),
            });
        }
    }
    event.iter().for_each(|event| recorder.sample(event));
    Ok(recorder.finish())
}

/// Lines, each with its position.
fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    text.split(|&b| b == b'\n').scan(0, |next, line| {
        let offset = *next;
        *next += line.len() + 1;
        Some((offset, line))
    })
}

/// `comm pid[/tid] [[cpu]] seconds: [amount] event:`
fn parse_event(line: &[u8]) -> Option<Event<'_>> {
    let text = std::str::from_utf8(line).ok()?;
    // The time is the first number with a point and a colon; what precedes it may hold anything.
    let (at, time) = words(text).find(|(_, word)| {
        word.strip_suffix(':')
            .and_then(|t| t.split_once('.'))
            .is_some_and(|(s, f)| digits(s) && digits(f))
    })?;
    let mut before: Vec<_> = words(&text[..at]).collect();
    if before.last().is_some_and(|(_, word)| word.starts_with('[') && word.ends_with(']')) {
        before.pop();
    }
    let (ids_at, ids) = before.pop()?;
    let (pid, tid) = ids.split_once('/').unwrap_or((ids, ids));
    let mut after = words(&text[at + time.len()..]).map(|(_, word)| word);
    let mut word = after.next()?;
    let amount = match word.parse() {
        Ok(amount) => {
            word = after.next()?;
            amount
        }
        Err(_) => 1,
    };
    let name = word.strip_suffix(':')?;
    let seconds: f64 = time[..time.len() - 1].parse().ok()?;
    Some(Event {
        name,
        amount,
        comm: text[..ids_at].trim().as_bytes(),
        pid: pid.parse().ok()?,
        tid: tid.parse().ok()?,
        nanos: (seconds * 1e9) as u64,
    })
}

/// Words with their positions.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_whitespace().map(|word| (word.as_ptr() as usize - text.as_ptr() as usize, word))
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// A line of a stack.
struct Frame<'a> {
    address: u64,
    symbol: &'a [u8],
    binary: &'a [u8],
}

/// `address symbol[+offset] (binary)`, indented
fn parse_frame(line: &[u8]) -> Option<Frame<'_>> {
    line.first().filter(|b| b.is_ascii_whitespace())?;
    let line = line.trim_ascii();
    let space = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
    let address = u64::from_str_radix(std::str::from_utf8(&line[..space]).ok()?, 16).ok()?;
    let rest = line[space..].trim_ascii();
    let (symbol, binary) = match rest.windows(2).rposition(|pair| pair == b" (") {
        Some(at) if rest.ends_with(b")") => (&rest[..at], &rest[at + 2..rest.len() - 1]),
        _ => (rest, &b""[..]),
    };
    let offset = symbol.windows(3).rposition(|part| part == b"+0x");
    Some(Frame { address, symbol: symbol[..offset.unwrap_or(symbol.len())].trim_ascii(), binary })
}

impl Frame<'_> {
    fn place(
        &self,
        recorder: &mut Recorder,
        binaries: &mut HashMap<Vec<u8>, MappingIdx>,
    ) -> crate::LocationIdx {
        let builder = &mut recorder.builder;
        let mapping = (!self.binary.is_empty() && self.binary != b"[unknown]").then(|| {
            *binaries.entry(self.binary.to_vec()).or_insert_with(|| {
                let file = builder.profile.strings.intern_bytes(self.binary);
                builder.mapping(Mapping { file, has_functions: true, ..Mapping::default() })
            })
        });
        if self.symbol.is_empty() || self.symbol == b"[unknown]" {
            return builder.address(mapping, self.address);
        }
        let symbol = Symbol { name: self.symbol, system_name: self.symbol, ..Symbol::default() };
        builder.symbol(mapping, self.address, &symbol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode_folded;

    #[track_caller]
    fn check(text: &str, types: &[(&str, &str)], folded: &str) {
        assert!(looks_like(text.as_bytes()));
        let profile = decode(text.as_bytes()).unwrap();
        let seen: Vec<_> = profile
            .sample_types
            .iter()
            .map(|t| (profile.str(t.kind), profile.str(t.unit)))
            .collect();
        assert_eq!(seen, types);
        assert_eq!(encode_folded(&profile, types.len() - 1), folded);
    }

    #[test]
    fn events_and_frames_are_read() {
        let text = "# header\nmy app 30559/30560 [001]  5607.297678:    2004008 cpu-clock:ppp: \n\
            \t    37a80 std::vec<a, b>::push(int)+0x12 (/usr/bin/my app)\n\
            \t    1f [unknown] ([unknown])\n\nx 1 5608.0: 5 cpu-clock: \n\t 2 main+0x1 (x)\n\n";
        let types = [("samples", "count"), ("cpu", "nanoseconds")];
        check(text, &types, "0x1f;std::vec<a, b>::push(int) 2004008\nmain 5\n");
    }

    #[test]
    fn events_without_amount_or_stack_are_samples_too() {
        let text = "x 1 1.5: cycles:u: \n\nx 1 1.6: cycles:u: \n\t 2 f (x)\n";
        check(text, &[("samples", "count"), ("cycles", "count")], " 1\nf 1\n");
    }

    #[test]
    fn a_line_that_is_neither_is_named() {
        let error = decode(b"x 1 1.5: 1 cycles: \n\t what\n").unwrap_err().to_string();
        assert!(error.contains("neither an event nor a frame (at byte 20)"), "{error}");
    }
}
