//! Units of measurement: scaling values between them and writing both down.
//!
//! Three families are known: memory in steps of 1024, time, and GCU, a unit of computing capacity. Names
//! are matched in lower case and with a plural `s` removed, so `KB`, `kilobytes` and `kByte` are one
//! unit. A unit of no family, such as `samples`, is never scaled, only renamed.

/// A unit of a [`Family`].
#[derive(Clone, Copy, Debug, PartialEq)]
struct Unit {
    /// How it is written.
    symbol: &'static str,
    /// Other names, in lower case and singular.
    names: &'static [&'static str],
    /// How many of the family's base unit it is.
    factor: f64,
}

/// Units of one dimension, by ascending size.
struct Family {
    units: &'static [Unit],
    /// Position of the unit for values that fit nowhere.
    default: usize,
}

const fn unit(symbol: &'static str, names: &'static [&'static str], factor: f64) -> Unit {
    Unit { symbol, names, factor }
}

const KI: f64 = 1024.0;

static FAMILIES: [Family; 3] = [
    Family {
        units: &[
            unit("B", &["b", "byte"], 1.0),
            unit("kB", &["kb", "kbyte", "kilobyte"], KI),
            unit("MB", &["mb", "mbyte", "megabyte"], KI * KI),
            unit("GB", &["gb", "gbyte", "gigabyte"], KI * KI * KI),
            unit("TB", &["tb", "tbyte", "terabyte"], KI * KI * KI * KI),
            unit("PB", &["pb", "pbyte", "petabyte"], KI * KI * KI * KI * KI),
        ],
        default: 0,
    },
    Family {
        units: &[
            unit("ns", &["ns", "nanosecond"], 1.0),
            unit("us", &["us", "µs", "μs", "microsecond"], 1e3),
            unit("ms", &["ms", "millisecond"], 1e6),
            unit("s", &["s", "sec", "second"], 1e9),
            unit("hrs", &["hour", "hr"], 3600e9),
        ],
        default: 3,
    },
    Family {
        units: &[
            unit("n*GCU", &["nanogcu"], 1e-9),
            unit("u*GCU", &["microgcu"], 1e-6),
            unit("m*GCU", &["milligcu"], 1e-3),
            unit("GCU", &["gcu"], 1.0),
            unit("k*GCU", &["kilogcu"], 1e3),
            unit("M*GCU", &["megagcu"], 1e6),
            unit("G*GCU", &["gigagcu"], 1e9),
            unit("T*GCU", &["teragcu"], 1e12),
            unit("P*GCU", &["petagcu"], 1e15),
        ],
        default: 3,
    },
];

/// Scales `value` of unit `from` to unit `to`; gives the number and how to write its unit.
///
/// * `auto` and `minimum` as `to` choose the largest unit in which the value is at least 1.
/// * A `to` of another family, or of none, becomes the default unit of `from`'s family.
/// * If `from` is of no family the value stays and the unit is `to`, which reads as nothing if it is
///   `count`, `sample`, `unit`, `minimum` or `auto`.
///
/// ```
/// use oxprof_profile::units::scale;
/// assert_eq!(scale(2048, "bytes", "auto"), (2.0, "kB"));
/// assert_eq!(scale(1500, "milliseconds", "s"), (1.5, "s"));
/// assert_eq!(scale(7, "samples", "count"), (7.0, ""));
/// ```
pub fn scale<'a>(value: i64, from: &str, to: &'a str) -> (f64, &'a str) {
    let value = value as f64;
    let Some((family, from)) = find(from) else {
        return (
            value,
            match to {
                "count" | "sample" | "unit" | "minimum" | "auto" => "",
                other => other,
            },
        );
    };
    let to = match to {
        "minimum" | "auto" => family.fitting(value.abs() * from.factor),
        name => family.named(name).unwrap_or(&family.units[family.default]),
    };
    (value * from.factor / to.factor, to.symbol)
}

/// [`scale`]d and written: at most two decimals, `0` without a unit.
///
/// ```
/// use oxprof_profile::units::scaled_label;
/// assert_eq!(scaled_label(1_100_000_000, "ns", "auto"), "1.10s");
/// assert_eq!(scaled_label(409_600, "bytes", "auto"), "400kB");
/// ```
pub fn scaled_label(value: i64, from: &str, to: &str) -> String {
    let (number, unit) = scale(value, from, to);
    let number = format!("{number:.2}");
    match number.strip_suffix(".00").unwrap_or(&number) {
        "0" | "-0" => "0".to_owned(),
        short => format!("{short}{unit}"),
    }
}

/// A value of unit `unit`, written in the unit that suits it: `scaled_label(value, unit, "auto")`.
pub fn label(value: i64, unit: &str) -> String {
    scaled_label(value, unit, "auto")
}

/// How large `value` is in proportion to `total`, disregarding signs, in six columns or a little more.
///
/// ```
/// use oxprof_profile::units::percentage;
/// assert_eq!(percentage(1, 3), "33.33%");
/// assert_eq!(percentage(-3, 3), "  100%");
/// assert_eq!(percentage(89, 100_000), "0.089%");
/// ```
pub fn percentage(value: i64, total: i64) -> String {
    let ratio = if total == 0 { 0.0 } else { (value as f64 / total as f64).abs() * 100.0 };
    match ratio {
        99.95..=100.05 => "  100%".to_owned(),
        1.0.. => format!("{ratio:5.2}%"),
        _ => format!("{:>5}%", two_digits(ratio)),
    }
}

/// How many of unit `to` make one of unit `from`; `None` if they measure different things.
/// Any unit measures the same as itself.
pub fn ratio(from: &str, to: &str) -> Option<f64> {
    match (find(from), find(to)) {
        (Some((family, from)), Some((other, to))) => {
            std::ptr::eq(family, other).then(|| from.factor / to.factor)
        }
        _ => (from == to).then_some(1.0),
    }
}

/// Whether `unit` belongs to a family, so that its values can be scaled.
pub fn is_known(unit: &str) -> bool {
    find(unit).is_some()
}

fn find(name: &str) -> Option<(&'static Family, &'static Unit)> {
    FAMILIES.iter().find_map(|family| Some((family, family.named(name)?)))
}

impl Family {
    fn named(&self, name: &str) -> Option<&'static Unit> {
        let name = name.to_lowercase();
        let singular = if name.len() > 2 { name.strip_suffix('s').unwrap_or(&name) } else { &name };
        self.units.iter().find(|u| u.names.contains(&name.as_str()) || u.names.contains(&singular))
    }

    /// The largest unit of which `amount`, in base units, is at least one; never a fraction of the
    /// base unit.
    fn fitting(&self, amount: f64) -> &'static Unit {
        let fits = |unit: &&Unit| unit.factor >= 1.0 && amount / unit.factor >= 1.0;
        self.units.iter().rev().find(fits).unwrap_or(&self.units[self.default])
    }
}

/// Two significant digits, as C's `%.2g` writes them; `x` is below 1.
fn two_digits(x: f64) -> String {
    if x == 0.0 {
        return "0".to_owned();
    }
    let scientific = format!("{x:.1e}");
    let (mantissa, exponent) = scientific.split_once('e').expect("a number in scientific notation");
    let exponent: i32 = exponent.parse().expect("a decimal exponent");
    let significant = |digits: &str| digits.trim_end_matches('0').trim_end_matches('.').to_owned();
    if exponent < -4 {
        return format!("{}e-{:02}", significant(mantissa), -exponent);
    }
    let decimals = (1 - exponent) as usize;
    significant(&format!("{x:.decimals$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_label(value: i64, from: &str, to: &str, expected: &str) {
        assert_eq!(scaled_label(value, from, to), expected);
    }

    #[test]
    fn values_scale_within_their_family() {
        check_label(10, "milliseconds", "auto", "10ms");
        check_label(103_421_123, "bytes", "minimum", "98.63MB");
        check_label(3_754_670, "ns", "us", "3754.67us");
        check_label(-3_754_670, "ns", "auto", "-3.75ms");
        check_label(7200, "seconds", "auto", "2hrs");
        check_label(1, "kilobytes", "bytes", "1024B");
        check_label(1, "\u{b5}s", "ns", "1000ns");
        check_label(1, "\u{3bc}s", "ns", "1000ns");
        check_label(5000, "milligcu", "auto", "5GCU");
        check_label(10, "GCU", "milligcus", "10000m*GCU");
    }

    #[test]
    fn foreign_units_fall_back() {
        check_label(1024, "bytes", "seconds", "1024B");
        check_label(5_000_000, "ns", "count", "0.01s");
        check_label(7, "samples", "count", "7");
        check_label(7, "samples", "auto", "7");
        check_label(7, "samples", "ns", "7ns");
        check_label(7, "", "widgets", "7widgets");
    }

    #[test]
    fn nothing_has_no_unit() {
        check_label(0, "ns", "auto", "0");
        check_label(1, "ns", "s", "0");
        check_label(-1, "ns", "s", "0");
    }

    #[track_caller]
    fn check_percentage(value: i64, total: i64, expected: &str) {
        assert_eq!(percentage(value, total), expected);
    }

    #[test]
    fn percentages_keep_two_digits() {
        check_percentage(1, 0, "    0%");
        check_percentage(0, 5, "    0%");
        check_percentage(5, 1000, "  0.5%");
        check_percentage(1, 10_000_000, "1e-05%");
        check_percentage(123, 1_000_000_000, "1.2e-05%");
        check_percentage(9_996, 10_000, "  100%");
        check_percentage(99_949, 100_000, "99.95%");
        check_percentage(9_999, 1_000_000, "    1%");
        check_percentage(1, 100, " 1.00%");
        check_percentage(25, 10, "250.00%");
        check_percentage(1, 10_000, " 0.01%");
    }

    #[test]
    fn ratios_exist_between_units_of_a_family() {
        assert_eq!(ratio("ms", "nanoseconds"), Some(1e6));
        assert_eq!(ratio("count", "count"), Some(1.0));
        assert_eq!(ratio("count", "samples"), None);
        assert_eq!(ratio("bytes", "ns"), None);
        assert!(is_known("Seconds") && !is_known("widgets"));
    }
}
