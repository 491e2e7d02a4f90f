//! Times and tables as text.

use std::io::{self, Write};

use oxprof_trace::timeline::Lane;

/// Nanoseconds with three digits and a unit, such as `1.23ms`.
pub(super) fn duration(nanos: i64) -> String {
    let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs")];
    let Some((size, unit)) = units.into_iter().find(|(size, _)| nanos.abs() >= *size) else {
        return format!("{nanos}ns");
    };
    let value = nanos as f64 / size as f64;
    let digits = match value.abs() {
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$}{unit}")
}

/// A signed change of a duration.
pub(super) fn change(nanos: i64) -> String {
    if nanos > 0 { format!("+{}", duration(nanos)) } else { duration(nanos) }
}

/// Writes a table: all columns to the right but the last.
pub(super) fn table(heads: &[&str], rows: &[Vec<String>], out: &mut dyn Write) -> io::Result<()> {
    let heads: Vec<String> = heads.iter().map(|&head| head.to_owned()).collect();
    let last = heads.len() - 1;
    let chars = |text: &str| text.chars().count();
    let width = |i: usize| rows.iter().chain([&heads]).map(|row| chars(&row[i])).max().unwrap_or(0);
    let widths: Vec<_> = (0..last).map(width).collect();
    for row in [&heads].into_iter().chain(rows) {
        for (cell, width) in row.iter().zip(&widths) {
            write!(out, "{cell:>width$}  ")?;
        }
        writeln!(out, "{}", row[last])?;
    }
    Ok(())
}

/// A name, or a word for one that is missing.
pub(super) fn or_unknown(name: &str) -> &str {
    if name.is_empty() { "(unknown)" } else { name }
}

/// What a lane is called.
pub(super) fn lane_name(lane: Lane) -> String {
    match lane {
        Lane::Proc(id) => format!("processor {id}"),
        Lane::Thread(id) => format!("thread {id}"),
        Lane::Goroutine(id) => format!("goroutine {id}"),
        Lane::Gc => "garbage collection".to_owned(),
        Lane::Network => "network".to_owned(),
        Lane::Syscalls => "system calls".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits() {
        let all =
            [0, 999, 1_000, 12_340, 999_600, 1_234_567, 59_960_000_000, -5_000_000].map(duration);
        let expected = ["0ns", "999ns", "1.00µs", "12.3µs", "1000µs", "1.23ms", "60.0s", "-5.00ms"];
        assert_eq!(all, expected);
    }
}
