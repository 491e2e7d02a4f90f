//! What is counted of a function.
//!
//! # Protocol
//! Counters are atomics that only grow; each call adds to them when it ends. A reader may see a call in one and
//! not yet in another, which the next look mends. The list of functions grows under its lock, once for each.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::thread::panicking;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::exposition::{Exemplar, Exposition, Kind};
use super::future::Measured;

/// Upper bounds of the histogram's buckets but the last, which has none.
const BOUNDS: [(&str, Duration); 13] = [
    ("0.000001", Duration::from_micros(1)),
    ("0.00001", Duration::from_micros(10)),
    ("0.0001", Duration::from_micros(100)),
    ("0.0005", Duration::from_micros(500)),
    ("0.001", Duration::from_millis(1)),
    ("0.005", Duration::from_millis(5)),
    ("0.01", Duration::from_millis(10)),
    ("0.05", Duration::from_millis(50)),
    ("0.1", Duration::from_millis(100)),
    ("0.5", Duration::from_millis(500)),
    ("1.0", Duration::from_secs(1)),
    ("5.0", Duration::from_secs(5)),
    ("10.0", Duration::from_secs(10)),
];

/// Number of buckets.
const BUCKETS: usize = BOUNDS.len() + 1;

/// Functions that have been called.
static FUNCTIONS: Mutex<Vec<&'static Function>> = Mutex::new(Vec::new());

/// What is counted of a function. `#[oxprof::measure]` makes one; others are made like this:
///
/// ```
/// use oxprof::metrics::Function;
///
/// static REFILL: Function = Function::new("cache::refill");
/// let parsed = REFILL.measure(Result::is_err, || "7".parse::<u32>());
/// assert_eq!(parsed, Ok(7));
/// ```
#[derive(Debug)]
pub struct Function {
    name: &'static str,
    known: Once,
    durations: [AtomicU64; BUCKETS],
    nanos: AtomicU64,
    bytes: AtomicU64,
    errors: AtomicU64,
    exemplars: Mutex<[Option<Exemplar>; BUCKETS]>,
    /// When the next exemplar of each bucket is due, in seconds since 1970.
    due: [AtomicU64; BUCKETS],
}

/// A call that is going on. It ends when it is dropped; a panic makes it an error.
#[derive(Debug)]
#[must_use = "the call ends when this is dropped"]
pub struct Call {
    function: &'static Function,
    started: Instant,
    /// Bytes that the thread had allocated when the call started, or was last resumed.
    allocated_before: Option<u64>,
    bytes: u64,
    is_error: bool,
    was_panicking: bool,
}

impl Function {
    /// Of a function that is called `name` in the metrics.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            known: Once::new(),
            durations: [const { AtomicU64::new(0) }; BUCKETS],
            nanos: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            exemplars: Mutex::new([const { None }; BUCKETS]),
            due: [const { AtomicU64::new(0) }; BUCKETS],
        }
    }

    /// A call from here to the end of a scope.
    #[inline]
    pub fn call(&'static self) -> Call {
        self.known.call_once(|| {
            FUNCTIONS.lock().unwrap_or_else(PoisonError::into_inner).push(self);
        });
        Call {
            function: self,
            allocated_before: allocated(),
            bytes: 0,
            is_error: false,
            was_panicking: panicking(),
            started: Instant::now(),
        }
    }

    /// Calls `f`, and looks whether what it returns is an error.
    #[inline]
    pub fn measure<T>(
        &'static self,
        is_error: impl FnOnce(&T) -> bool,
        f: impl FnOnce() -> T,
    ) -> T {
        let mut call = self.call();
        let result = f();
        call.is_error = is_error(&result);
        result
    }

    /// The same of a future, from when it is first polled.
    pub fn measure_future<F: Future, E: FnOnce(&F::Output) -> bool>(
        &'static self,
        is_error: E,
        future: F,
    ) -> Measured<F, E> {
        Measured::new(self, is_error, future)
    }

    fn record(&self, elapsed: Duration, bytes: u64, is_error: bool) {
        let bucket = BOUNDS.partition_point(|(_, bound)| *bound < elapsed);
        let nanos = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        self.durations[bucket].fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
        if bytes > 0 {
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        if is_error {
            self.errors.fetch_add(1, Ordering::Relaxed);
        }
        self.remember(bucket, elapsed);
    }

    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    fn remember(&self, bucket: usize, elapsed: Duration) {
        if !crate::labels::are_in_force() {
            return;
        }
        let time = SystemTime::now();
        let now = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if now < self.due[bucket].load(Ordering::Relaxed) {
            return;
        }
        // Another thread may be at it: then its exemplar is as good.
        let Ok(mut exemplars) = self.exemplars.try_lock() else { return };
        self.due[bucket].store(now + 1, Ordering::Relaxed);
        let labels = labels(&crate::labels::current());
        if !labels.is_empty() {
            exemplars[bucket] = Some(Exemplar { labels, value: elapsed.as_secs_f64(), time });
        }
    }

    #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
    fn remember(&self, _: usize, _: Duration) {}
}

impl Call {
    /// Ends the call as one that failed.
    pub fn fail(mut self) {
        self.is_error = true;
    }

    pub(super) fn set_error(&mut self, is_error: bool) {
        self.is_error = is_error;
    }

    /// The thread goes on with other things: what it allocates is not the call's.
    pub(super) fn suspend(&mut self) {
        let before = self.allocated_before.take();
        let since = before.zip(allocated()).map(|(before, now)| now.wrapping_sub(before));
        self.bytes += since.unwrap_or(0);
    }

    /// This thread, which may be another, goes on with the call.
    pub(super) fn resume(&mut self) {
        self.allocated_before = allocated();
    }
}

impl Drop for Call {
    #[inline]
    fn drop(&mut self) {
        let elapsed = self.started.elapsed();
        self.suspend();
        let is_error = self.is_error || panicking() && !self.was_panicking;
        self.function.record(elapsed, self.bytes, is_error);
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[inline]
fn allocated() -> Option<u64> {
    crate::heap::allocated_by_thread()
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn allocated() -> Option<u64> {
    None
}

/// Labels as an exemplar may have them: the first ones that there is room for, with names that metrics can have.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn labels(labels: &crate::labels::Labels) -> Vec<(String, String)> {
    let mut room = super::exposition::MAX_EXEMPLAR;
    let mut out: Vec<(String, String)> = Vec::new();
    for (key, value) in labels.iter() {
        let allowed = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let mut key: String = key.chars().map(allowed).collect();
        if key.starts_with(|c: char| c.is_ascii_digit()) {
            key.insert(0, '_');
        }
        let value = value.to_string();
        let length = key.len() + value.chars().count();
        if length <= room && !out.iter().any(|(other, _)| *other == key) {
            room -= length;
            out.push((key, value));
        }
    }
    out
}

/// What was counted of functions of one name.
#[derive(Default)]
struct Counts {
    durations: [u64; BUCKETS],
    nanos: u64,
    bytes: u64,
    errors: u64,
    exemplars: [Option<Exemplar>; BUCKETS],
}

impl Counts {
    fn add(&mut self, function: &Function) {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        for (sum, count) in self.durations.iter_mut().zip(&function.durations) {
            *sum += get(count);
        }
        let exemplars = function.exemplars.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (kept, new) in self.exemplars.iter_mut().zip(exemplars) {
            *kept = new.or(kept.take());
        }
        self.nanos = self.nanos.saturating_add(get(&function.nanos));
        self.bytes = self.bytes.saturating_add(get(&function.bytes));
        self.errors += get(&function.errors);
    }

    fn calls(&self) -> u64 {
        self.durations.iter().sum()
    }
}

/// Writes what was counted of all functions. Those of one name, such as methods of two types, count together.
pub(super) fn write(out: &mut Exposition) {
    let known = FUNCTIONS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut functions = BTreeMap::<_, Counts>::new();
    for function in known {
        functions.entry(function.name).or_default().add(function);
    }
    let mut counter = |name: &str, help: &str, value: fn(&Counts) -> u64| {
        out.metric(name, Kind::Counter, help);
        for (function, counts) in &functions {
            out.sample(name, &[("function", function)], value(counts));
        }
    };
    let help = "Calls of measured functions that have ended.";
    counter("function_calls_total", help, Counts::calls);
    let help = "Calls of measured functions that returned an error or panicked.";
    counter("function_errors_total", help, |counts| counts.errors);
    write_durations(out, &functions);
    if allocated().is_some() {
        write_memory(out, &functions);
    }
}

fn write_durations(out: &mut Exposition, functions: &BTreeMap<&'static str, Counts>) {
    let help = "How long calls of measured functions took.";
    out.metric("function_duration_seconds", Kind::Histogram, help);
    for (function, counts) in functions {
        let bounds = BOUNDS.iter().map(|(bound, _)| *bound).chain(["+Inf"]);
        let mut calls = 0;
        for ((count, bound), exemplar) in counts.durations.iter().zip(bounds).zip(&counts.exemplars)
        {
            calls += count;
            let labels = [("function", *function), ("le", bound)];
            let name = "function_duration_seconds_bucket";
            out.sample_with(name, &labels, calls, exemplar.as_ref());
        }
        let labels = [("function", *function)];
        let seconds = Duration::from_nanos(counts.nanos).as_secs_f64();
        out.sample("function_duration_seconds_sum", &labels, seconds);
        out.sample("function_duration_seconds_count", &labels, calls);
    }
}

fn write_memory(out: &mut Exposition, functions: &BTreeMap<&'static str, Counts>) {
    let help = "Bytes that calls of measured functions allocated, freed or not.";
    out.metric("function_memory_bytes", Kind::Summary, help);
    for (function, counts) in functions {
        let labels = [("function", *function)];
        out.sample("function_memory_bytes_sum", &labels, counts.bytes);
        out.sample("function_memory_bytes_count", &labels, counts.calls());
    }
}

#[cfg(test)]
mod tests {
    use super::super::exposition::Format;
    use super::*;

    fn written(format: Format, name: &str) -> Vec<String> {
        let mut out = Exposition::new(format);
        write(&mut out);
        let text = out.finish();
        text.lines().filter(|line| line.contains(name)).map(str::to_owned).collect()
    }

    #[test]
    fn calls_errors_and_durations() {
        static F: Function = Function::new("test::counted");
        drop(F.call());
        F.call().fail();
        F.measure(Result::is_err, || Ok::<(), ()>(())).unwrap();
        F.measure(Result::is_err, || Err::<(), ()>(())).unwrap_err();
        F.record(Duration::from_micros(500), 0, false);
        F.record(Duration::from_secs(11), 0, false);
        let caught = std::panic::catch_unwind(|| {
            let _call = F.call();
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(caught.is_err());
        let lines = written(Format::Prometheus, "test::counted");
        let check =
            |line: &str| assert!(lines.iter().any(|l| l == line), "{line} not in {lines:#?}");
        check(r#"function_calls_total{function="test::counted"} 7"#);
        check(r#"function_errors_total{function="test::counted"} 3"#);
        check(r#"function_duration_seconds_bucket{function="test::counted",le="10.0"} 6"#);
        check(r#"function_duration_seconds_bucket{function="test::counted",le="+Inf"} 7"#);
        check(r#"function_duration_seconds_count{function="test::counted"} 7"#);
        let at = |bound: Duration| BOUNDS.partition_point(|(_, b)| *b < bound);
        assert_eq!(BOUNDS[at(Duration::from_micros(500))].0, "0.0005");
    }

    #[cfg(all(target_os = "linux", target_arch = "x86_64", not(oxprof_loom)))]
    #[test]
    fn exemplars_have_the_labels_in_force() {
        static F: Function = Function::new("test::exemplar");
        let long = "x".repeat(200);
        let labels =
            [("trace id", "a\"7"), ("9", "nine"), ("long", long.as_str()), ("tenant", "acme")];
        crate::labels::with(labels, || drop(F.call()));
        let lines = written(Format::OpenMetrics, "test::exemplar");
        let line = lines.iter().find(|line| line.contains(" # {")).expect("there is an exemplar");
        let labels = r#"# {_9="nine",tenant="acme",trace_id="a\"7"} 0.0"#;
        assert!(line.contains(labels), "{line}");
        assert!(written(Format::Prometheus, "test::exemplar").iter().all(|l| !l.contains(" # ")));
    }
}
