//! The raw report: every table of a profile as text, in file order.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};

use oxprof_profile::{Label, LabelValue, Line, Location, Mapping, Profile, Sample, StrId};

use crate::Zone;

/// Writes the raw report; the profile's time is shown in `zone`.
///
/// Strings are written with the bytes that they have in the profile. Labels are sorted by key, text
/// before numbers. Unlike google/pprof, which loses them when reading, numeric labels of value 0 show.
///
/// # Errors
/// Those of `out`.
pub fn raw(profile: &Profile, zone: &Zone, out: &mut impl Write) -> io::Result<()> {
    header(profile, zone, out)?;
    samples(profile, out)?;
    out.write_all(b"Locations\n")?;
    for location in &profile.locations {
        write_location(profile, location, out)?;
    }
    out.write_all(b"Mappings\n")?;
    profile.mappings.iter().try_for_each(|mapping| write_mapping(profile, mapping, out))
}

fn header(profile: &Profile, zone: &Zone, out: &mut impl Write) -> io::Result<()> {
    for &comment in &profile.comments {
        writeln!(out, "Comment: {}", text(profile, comment))?;
    }
    if !profile.doc_url.is_empty() {
        writeln!(out, "Doc: {}", text(profile, profile.doc_url))?;
    }
    let period = profile.period_type;
    writeln!(out, "PeriodType: {} {}", text(profile, period.kind), text(profile, period.unit))?;
    writeln!(out, "Period: {}", profile.period)?;
    if profile.time_nanos != 0 {
        writeln!(out, "Time: {}", timestamp(profile.time_nanos, zone))?;
    }
    if profile.duration_nanos != 0 {
        let full = duration(profile.duration_nanos);
        writeln!(out, "Duration: {}", full.chars().take(4).collect::<String>())?;
    }
    Ok(())
}

fn samples(profile: &Profile, out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"Samples:\n")?;
    for (i, value_type) in profile.sample_types.iter().enumerate() {
        let space = if i == 0 { "" } else { " " };
        write!(
            out,
            "{space}{}/{}",
            text(profile, value_type.kind),
            text(profile, value_type.unit)
        )?;
        if value_type.kind == profile.default_sample_type {
            out.write_all(b"[dflt]")?;
        }
    }
    out.write_all(b"\n")?;
    profile.samples.iter().try_for_each(|sample| write_sample(profile, &sample, out))
}

fn write_sample(profile: &Profile, sample: &Sample<'_>, out: &mut impl Write) -> io::Result<()> {
    for value in sample.values {
        write!(out, " {value:>10}")?;
    }
    out.write_all(b": ")?;
    for location in sample.stack {
        write!(out, "{} ", profile.locations[location.index()].id)?;
    }
    out.write_all(b"\n")?;
    if !sample.labels.is_empty() {
        write_labels(
            profile,
            sample.labels,
            |label| matches!(label.value, LabelValue::Str(_)),
            out,
        )?;
        write_labels(
            profile,
            sample.labels,
            |label| matches!(label.value, LabelValue::Num { .. }),
            out,
        )?;
    }
    Ok(())
}

/// One line of `key:[value value]` for the labels of one kind.
fn write_labels(
    profile: &Profile,
    labels: &[Label],
    of_kind: impl Fn(&Label) -> bool,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut by_key: BTreeMap<&[u8], Vec<LabelValue>> = BTreeMap::new();
    for label in labels.iter().filter(|label| of_kind(label)) {
        by_key.entry(profile.strings.bytes(label.key)).or_default().push(label.value);
    }
    if by_key.is_empty() {
        return Ok(());
    }
    write!(out, "{:15}", "")?;
    for (key, values) in by_key {
        out.write_all(b" ")?;
        out.write_all(key)?;
        for (i, &value) in values.iter().enumerate() {
            out.write_all(if i == 0 { b":[" } else { b" " })?;
            write_label_value(profile, value, out)?;
        }
        out.write_all(b"]")?;
    }
    out.write_all(b"\n")
}

fn write_label_value(profile: &Profile, value: LabelValue, out: &mut impl Write) -> io::Result<()> {
    match value {
        LabelValue::Str(value) => out.write_all(profile.strings.bytes(value)),
        LabelValue::Num { value, unit } if unit.is_empty() => write!(out, "{value}"),
        LabelValue::Num { value, unit } => write!(out, "{value} {}", text(profile, unit)),
    }
}

fn write_location(profile: &Profile, location: &Location, out: &mut impl Write) -> io::Result<()> {
    write!(out, "{:6}: {:#x} ", location.id, location.address)?;
    if let Some(mapping) = location.mapping {
        write!(out, "M={} ", profile.mappings[mapping.index()].id)?;
    }
    if location.is_folded {
        out.write_all(b"[F] ")?;
    }
    let lines = &profile.lines[location.lines.start as usize..location.lines.end as usize];
    if lines.is_empty() {
        return out.write_all(b"\n");
    }
    for (i, line) in lines.iter().enumerate() {
        if i > 0 {
            write!(out, "{:13}", "")?;
        }
        write_line(profile, line, out)?;
    }
    Ok(())
}

fn write_line(profile: &Profile, line: &Line, out: &mut impl Write) -> io::Result<()> {
    let function = &profile.functions[line.function.index()];
    write!(
        out,
        "{} {}:{}:{} s={}",
        text(profile, function.name),
        text(profile, function.filename),
        line.line,
        line.column,
        function.start_line,
    )?;
    if function.system_name != function.name {
        write!(out, "({})", text(profile, function.system_name))?;
    }
    out.write_all(b"\n")
}

fn write_mapping(profile: &Profile, mapping: &Mapping, out: &mut impl Write) -> io::Result<()> {
    let flags = [
        (mapping.has_functions, "[FN]"),
        (mapping.has_filenames, "[FL]"),
        (mapping.has_line_numbers, "[LN]"),
        (mapping.has_inline_frames, "[IN]"),
    ];
    let flags: String = flags.iter().filter(|(set, _)| *set).map(|(_, text)| *text).collect();
    writeln!(
        out,
        "{}: {:#x}/{:#x}/{:#x} {} {} {flags}",
        mapping.id,
        mapping.start,
        mapping.limit,
        mapping.offset,
        text(profile, mapping.file),
        text(profile, mapping.build_id),
    )
}

fn text(profile: &Profile, id: StrId) -> Cow<'_, str> {
    String::from_utf8_lossy(profile.strings.bytes(id))
}

/// Nanoseconds since 1970 as `2006-01-02 15:04:05.999999999 -0700 MST`.
fn timestamp(nanos: i64, zone: &Zone) -> String {
    const DAY: i64 = 86_400;
    let (utc, fraction) = (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000));
    let local = utc + i64::from(zone.offset_seconds);
    let (year, month, day) = civil_date(local.div_euclid(DAY));
    let second = local.rem_euclid(DAY);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let fraction = if fraction == 0 { String::new() } else { format!(".{fraction:09}") };
    let sign = if zone.offset_seconds < 0 { '-' } else { '+' };
    let offset = zone.offset_seconds.abs() / 60;
    format!(
        "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{} {sign}{:02}{:02} {}",
        fraction.trim_end_matches('0'),
        offset / 60,
        offset % 60,
        zone.abbreviation,
    )
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar.
pub(crate) fn civil_date(days: i64) -> (i64, i64, i64) {
    // Years start in March here, so that the leap day is the last of its year.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year_of_era + next_year, month, day)
}

/// Nanoseconds as `1h2m3.5s`, `1.5ms`, `300ns`.
fn duration(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let n = nanos.unsigned_abs();
    let text = match n {
        0..1_000 => format!("{n}ns"),
        1_000..1_000_000 => format!("{}µs", decimal(n, 3)),
        1_000_000..1_000_000_000 => format!("{}ms", decimal(n, 6)),
        _ => {
            let minutes = n / 60_000_000_000;
            let seconds = decimal(n % 60_000_000_000, 9);
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{seconds}s"),
                (0, m) => format!("{m}m{seconds}s"),
                (h, m) => format!("{h}h{m}m{seconds}s"),
            }
        }
    };
    format!("{sign}{text}")
}

/// `n / 10^digits`, exactly.
fn decimal(n: u64, digits: u32) -> String {
    let unit = 10_u64.pow(digits);
    let (whole, fraction) = (n / unit, n % unit);
    let text = format!("{whole}.{fraction:0width$}", width = digits as usize);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_time(nanos: i64, offset_seconds: i32, expected: &str) {
        let zone = Zone { offset_seconds, abbreviation: "ZZZ".to_owned() };
        assert_eq!(timestamp(nanos, &zone), expected);
    }

    #[test]
    fn times_read_as_in_go() {
        check_time(1_700_000_000_123_456_789, 0, "2023-11-14 22:13:20.123456789 +0000 ZZZ");
        check_time(1_700_000_000_120_000_000, -5 * 3600, "2023-11-14 17:13:20.12 -0500 ZZZ");
        check_time(951_782_400_000_000_000, 0, "2000-02-29 00:00:00 +0000 ZZZ");
        check_time(-1, 19_800, "1970-01-01 05:29:59.999999999 +0530 ZZZ");
    }

    #[test]
    fn durations_read_as_in_go() {
        let cases = [
            (1, "1ns"),
            (100_000, "100µs"),
            (1_234_567, "1.234567ms"),
            (10_500_000_000, "10.5s"),
            (61_000_000_000, "1m1s"),
            (86_400_000_000_000, "24h0m0s"),
            (-3_725_400_000_000, "-1h2m5.4s"),
        ];
        for (nanos, expected) in cases {
            assert_eq!(duration(nanos), expected);
        }
    }
}
