//! The local time zone.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use oxprof_report::Zone;

/// The zone of this machine, as it is at a time in nanoseconds since 1970.
pub(crate) fn at(nanos: i64) -> Zone {
    let time = Timestamp::from_nanosecond(nanos.into()).unwrap_or_default();
    let info = TimeZone::system();
    let info = info.to_offset_info(time);
    Zone { offset_seconds: info.offset().seconds(), abbreviation: info.abbreviation().to_owned() }
}
