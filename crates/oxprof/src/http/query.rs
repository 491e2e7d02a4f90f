//! Query parameters, read strictly: a parameter that cannot be honoured is an error, never a guess.

use std::time::Duration;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use super::contention::ContentionQuery;
use super::limits::Limits;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use crate::Gauges;
use crate::cpu;

/// What `/debug/pprof/profile` was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CpuQuery {
    pub(super) duration: Duration,
    pub(super) hz: u32,
}

impl CpuQuery {
    /// Reads `seconds`, which is `default` if it is not there, and `hz`. `debug` and `gc` are accepted without
    /// effect, as clients send them to every profile; empty values count as absent.
    pub(super) fn parse(query: &str, default: Duration, limits: &Limits) -> Result<Self, String> {
        let mut parsed = Self { duration: default, hz: cpu::DEFAULT_HZ.min(limits.hz) };
        for (key, value) in pairs(query)? {
            match (key.as_str(), value.as_str()) {
                ("seconds" | "hz" | "debug" | "gc", "") | ("debug" | "gc", _) => {}
                ("seconds", value) => parsed.duration = seconds(value, limits)?,
                ("hz", value) => parsed.hz = hz(value, limits)?,
                (key, _) => {
                    return Err(format!(
                        "unknown parameter {key:?} - profile takes \"seconds\" and \"hz\""
                    ));
                }
            }
        }
        Ok(parsed)
    }
}

/// What `/debug/pprof/trace` was asked for.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TraceQuery {
    pub(super) duration: Duration,
    pub(super) format: TraceFormat,
}

/// What a trace is written as.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TraceFormat {
    /// Go's.
    Go,
    /// Chrome's JSON.
    Perfetto,
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
impl TraceQuery {
    /// Reads `seconds` and `format`. `debug` and `gc` are accepted without effect.
    pub(super) fn parse(query: &str, limits: &Limits) -> Result<Self, String> {
        let mut parsed = Self { duration: Duration::from_secs(1), format: TraceFormat::Go };
        for (key, value) in pairs(query)? {
            match (key.as_str(), value.as_str()) {
                ("seconds" | "debug" | "gc", "") | ("debug" | "gc", _) | ("format", "" | "go") => {}
                ("format", "perfetto") => parsed.format = TraceFormat::Perfetto,
                ("format", value) => {
                    return Err(format!(
                        "invalid value for \"format\": {value:?} - use \"go\" or \"perfetto\""
                    ));
                }
                ("seconds", value) => parsed.duration = seconds(value, limits)?,
                (key, _) => {
                    return Err(format!(
                        "unknown parameter {key:?} - trace takes \"seconds\" and \"format\""
                    ));
                }
            }
        }
        Ok(parsed)
    }
}

/// What `/debug/pprof/wall` was asked for.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WallQuery {
    pub(super) duration: Duration,
    pub(super) hz: u32,
    pub(super) format: Format,
}

/// What a profile is written as.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Compressed protocol buffers.
    Pprof,
    /// A line for each stack.
    Folded,
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
impl WallQuery {
    /// Reads `seconds`, `hz` and `format`. `debug` and `gc` are accepted without effect.
    pub(super) fn parse(query: &str, limits: &Limits) -> Result<Self, String> {
        let (duration, hz) = (Duration::from_secs(30), crate::wall::DEFAULT_HZ.min(limits.hz));
        let mut parsed = Self { duration, hz, format: Format::Pprof };
        for (key, value) in pairs(query)? {
            match (key.as_str(), value.as_str()) {
                ("seconds" | "hz" | "format" | "debug" | "gc", "") | ("debug" | "gc", _) => {}
                ("seconds", value) => parsed.duration = seconds(value, limits)?,
                ("hz", value) => parsed.hz = self::hz(value, limits)?,
                ("format", "pprof") => parsed.format = Format::Pprof,
                ("format", "folded") => parsed.format = Format::Folded,
                ("format", _) => {
                    return Err(
                        "invalid value for \"format\" - must be \"pprof\" or \"folded\"".to_owned()
                    );
                }
                (key, _) => {
                    return Err(format!(
                        "unknown parameter {key:?} - wall takes \"seconds\", \"hz\" and \"format\""
                    ));
                }
            }
        }
        Ok(parsed)
    }
}

/// What a profile that is always being taken was asked for.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NamedQuery {
    /// Over which time to take the difference; `None` for all there is.
    pub(super) seconds: Option<Duration>,
    /// 0 for tools, otherwise for people.
    pub(super) debug: i64,
    /// What a difference shows of values that go up and down.
    pub(super) gauges: Gauges,
    pub(super) contention: ContentionQuery,
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
impl NamedQuery {
    /// Reads `seconds`, `debug` and `delta`, and what the profile `name` takes besides. `gc` is accepted without effect,
    /// there being nothing to collect; empty values count as absent.
    pub(super) fn parse(name: &str, query: &str, limits: &Limits) -> Result<Self, String> {
        let contention = ContentionQuery::new(name);
        let mut parsed = Self { seconds: None, debug: 0, gauges: Gauges::Keep, contention };
        for (key, value) in pairs(query)? {
            match (key.as_str(), value.as_str()) {
                ("seconds" | "debug" | "gc" | "delta", "") | ("gc", _) => {}
                ("seconds", value) => parsed.seconds = Some(seconds(value, limits)?),
                ("debug", value) => parsed.debug = debug(value)?,
                ("delta", "all") => parsed.gauges = Gauges::Subtract,
                ("delta", _) => {
                    return Err("invalid value for \"delta\" - must be \"all\"".to_owned());
                }
                (key, value) if parsed.contention.read(key, value)? => {}
                (key, _) => return Err(parsed.contention.unknown(key)),
            }
        }
        match parsed.contention.rate_parameter() {
            Some(key) if parsed.seconds.is_none() => {
                Err(format!("{key:?} needs \"seconds\" - it says how to sample meanwhile"))
            }
            _ => Ok(parsed),
        }
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn debug(value: &str) -> Result<i64, String> {
    value.parse().map_err(|_| "invalid value for \"debug\" - must be an integer".to_owned())
}

fn seconds(value: &str, limits: &Limits) -> Result<Duration, String> {
    value
        .parse::<f64>()
        .ok()
        .filter(|s| *s > 0.0)
        .and_then(|s| Duration::try_from_secs_f64(s).ok())
        .filter(|d| !d.is_zero() && *d <= limits.duration)
        .ok_or_else(|| {
            let most = limits.duration.as_secs_f64();
            format!("invalid value for \"seconds\" - must be a positive number, at most {most}")
        })
}

fn hz(value: &str, limits: &Limits) -> Result<u32, String> {
    let allowed = *cpu::HZ_RANGE.start()..=limits.hz.min(*cpu::HZ_RANGE.end());
    value.parse().ok().filter(|hz| allowed.contains(hz)).ok_or_else(|| {
        let (low, high) = (allowed.start(), allowed.end());
        format!("invalid value for \"hz\" - must be an integer from {low} to {high}")
    })
}

/// Key-value pairs of a query string, percent-decoded.
fn pairs(query: &str) -> Result<Vec<(String, String)>, String> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match (percent_decode(key), percent_decode(value)) {
                (Some(key), Some(value)) => Ok((key, value)),
                _ => Err(format!("malformed parameter {pair:?} - check its percent-encoding")),
            }
        })
        .collect()
}

/// Undoes percent-encoding and `+` for a space (RFC 1866 §8.2.1); `None` where the escape is malformed
/// or the result is not UTF-8.
pub(super) fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |b: Option<u8>| char::from(b?).to_digit(16);
                let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
                u8::try_from(high << 4 | low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str, expected: Result<(u64, u32), &str>) {
        let got = CpuQuery::parse(query, Duration::from_secs(30), &Limits::default());
        match (got, expected) {
            (Ok(q), Ok((millis, hz))) => {
                assert_eq!((q.duration, q.hz), (Duration::from_millis(millis), hz), "{query}");
            }
            (Err(message), Err(part)) => assert!(message.contains(part), "{query}: {message}"),
            (got, expected) => panic!("{query}: got {got:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn cpu_query() {
        check("", Ok((30_000, 100)));
        check("seconds=5", Ok((5_000, 100)));
        check("seconds=0.5&hz=1000", Ok((500, 1000)));
        check("seconds=%35&debug=1&gc=1", Ok((5_000, 100)));
        check("seconds=", Ok((30_000, 100)));
        for bad in ["0", "-1", "abc", "1e300", "inf", "nan", "1e-12", "86401"] {
            check(&format!("seconds={bad}"), Err("invalid value for \"seconds\""));
        }
        for bad in ["0", "1001", "-5", "9.5", "99999999999"] {
            check(&format!("hz={bad}"), Err("an integer from 1 to 1000"));
        }
        check("second=5", Err("unknown parameter \"second\""));
        check("seconds=%zz", Err("percent-encoding"));
        check("seconds=%", Err("percent-encoding"));
        check("%ff=1", Err("percent-encoding"));
    }

    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    #[test]
    fn trace_query() {
        let check = |query: &str, expected: Result<u64, &str>| match (
            TraceQuery::parse(query, &Limits::default()),
            expected,
        ) {
            (Ok(q), Ok(millis)) => assert_eq!(q.duration, Duration::from_millis(millis), "{query}"),
            (Err(message), Err(part)) => assert!(message.contains(part), "{query}: {message}"),
            (got, expected) => panic!("{query}: got {got:?}, expected {expected:?}"),
        };
        check("", Ok(1000));
        check("seconds=2.5&debug=1", Ok(2500));
        check("seconds=0", Err("invalid value for \"seconds\""));
        check("format=perfetto", Ok(1000));
        check("format=svg", Err("use \"go\" or \"perfetto\""));
        check("by=thread", Err("unknown parameter \"by\""));
    }

    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    #[test]
    fn wall_query() {
        let check = |query: &str, expected: Result<(u64, u32, Format), &str>| match (
            WallQuery::parse(query, &Limits::default()),
            expected,
        ) {
            (Ok(q), Ok((millis, hz, format))) => {
                let duration = Duration::from_millis(millis);
                assert_eq!(q, WallQuery { duration, hz, format }, "{query}");
            }
            (Err(message), Err(part)) => assert!(message.contains(part), "{query}: {message}"),
            (got, expected) => panic!("{query}: got {got:?}, expected {expected:?}"),
        };
        check("", Ok((30_000, 99, Format::Pprof)));
        check("seconds=0.5&format=folded&hz=9&debug=1", Ok((500, 9, Format::Folded)));
        check("format=pprof", Ok((30_000, 99, Format::Pprof)));
        check("format=svg", Err("\"pprof\" or \"folded\""));
        check("hz=0", Err("an integer from 1 to 1000"));
        check("rate=1", Err("unknown parameter \"rate\""));
    }

    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    #[test]
    fn named_query() {
        let check = |query: &str, expected: Result<(Option<u64>, i64, Gauges), &str>| match (
            NamedQuery::parse("heap", query, &Limits::default()),
            expected,
        ) {
            (Ok(q), Ok((millis, debug, gauges))) => {
                let seconds = millis.map(Duration::from_millis);
                let contention = ContentionQuery::None;
                assert_eq!(q, NamedQuery { seconds, debug, gauges, contention }, "{query}");
            }
            (Err(message), Err(part)) => assert!(message.contains(part), "{query}: {message}"),
            (got, expected) => panic!("{query}: got {got:?}, expected {expected:?}"),
        };
        check("", Ok((None, 0, Gauges::Keep)));
        check("debug=2&gc=1&seconds=", Ok((None, 2, Gauges::Keep)));
        check("seconds=1.5&delta=all", Ok((Some(1500), 0, Gauges::Subtract)));
        check("debug=yes", Err("invalid value for \"debug\""));
        check("seconds=0", Err("invalid value for \"seconds\""));
        check("delta=some", Err("invalid value for \"delta\""));
        check("hz=9", Err("unknown parameter \"hz\""));
        check("rate=9", Err("unknown parameter \"rate\""));
    }

    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    #[test]
    fn contention_query() {
        use crate::contention::BlockView;
        let check = |name: &str, query: &str, expected: Result<ContentionQuery, &str>| match (
            NamedQuery::parse(name, query, &Limits::default()).map(|query| query.contention),
            expected,
        ) {
            (Ok(got), Ok(expected)) => assert_eq!(got, expected, "{name}?{query}"),
            (Err(message), Err(part)) => assert!(message.contains(part), "{query}: {message}"),
            (got, expected) => panic!("{name}?{query}: got {got:?}, expected {expected:?}"),
        };
        let block = |rate, outside, pending| {
            Ok(ContentionQuery::Block { rate, view: BlockView { outside, pending } })
        };
        let wakes = |fraction| Ok(ContentionQuery::Wakes { fraction });
        check("heap", "seconds=1", Ok(ContentionQuery::None));
        check("block", "debug=1&rate=&all=", block(None, false, false));
        check("block", "seconds=1&rate=5&all=1&pending=1", block(Some(5), true, true));
        check("block", "all=0&pending=1", block(None, false, true));
        check("mutex", "seconds=1&fraction=5", wakes(Some(5)));
        check("wakeup", "", wakes(None));
        check("block", "rate=5", Err("\"rate\" needs \"seconds\""));
        check("mutex", "fraction=5", Err("\"fraction\" needs \"seconds\""));
        check("block", "seconds=1&rate=0", Err("invalid value for \"rate\""));
        check("block", "all=yes", Err("invalid value for \"all\" - must be 0 or 1"));
        check("block", "fraction=1", Err("it takes \"rate\", \"all\", \"pending\", \"debug\""));
        check("mutex", "rate=1", Err("it takes \"fraction\", \"debug\""));
    }
}
