//! The local time zone.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use oxprof_report::Zone;

/// The zone of this machine, as it is at a time in nanoseconds since 1970. Profiles without a time,
/// which is 0, need none.
pub(crate) fn at(nanos: i64) -> Zone {
    if nanos == 0 { Zone::default() } else { zone_at(&local(), nanos) }
}

fn zone_at(zone: &TimeZone, nanos: i64) -> Zone {
    let time = Timestamp::from_nanosecond(nanos.into()).unwrap_or_default();
    let info = zone.to_offset_info(time);
    Zone { offset_seconds: info.offset().seconds(), abbreviation: info.abbreviation().to_owned() }
}

/// What `TZ` names, or else what the machine is set to. A database of all zones, which libraries
/// like to read at once, would take longer than most reports.
#[cfg(unix)]
fn local() -> TimeZone {
    let read = |path: &str| TimeZone::tzif("", &std::fs::read(path).ok()?).ok();
    let zone = match std::env::var("TZ") {
        Err(_) => read("/etc/localtime"),
        Ok(name) => {
            let name = name.strip_prefix(':').unwrap_or(&name);
            match name {
                "" | "UTC" => None,
                path if path.starts_with('/') => read(path),
                name => DATABASES.iter().find_map(|database| read(&format!("{database}/{name}"))),
            }
        }
    };
    zone.unwrap_or(TimeZone::UTC)
}

/// Where systems keep their zones.
#[cfg(unix)]
const DATABASES: &[&str] =
    &["/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/usr/lib/locale/TZ", "/etc/zoneinfo"];

#[cfg(not(unix))]
fn local() -> TimeZone {
    TimeZone::system()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_those_in_force_at_the_time() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        #[track_caller]
        fn check(zone: &TimeZone, seconds: i64, expected: (i32, &str)) {
            let Zone { offset_seconds, abbreviation } = zone_at(zone, seconds * 1_000_000_000);
            assert_eq!((offset_seconds, abbreviation.as_str()), expected);
        }
        check(&zone, 1_700_000_000, (3600, "CET"));
        check(&zone, 1_690_000_000, (7200, "CEST"));
        check(&TimeZone::UTC, 1_690_000_000, (0, "UTC"));
        assert_eq!(at(0), Zone::default());
    }
}
