//! Commands that look after running services: collecting, watching, loading, judging, packing.
//!
//! Each is a file whose module docs are its help. They share how arguments are read ([`args`]), how servers are
//! asked ([`target`]), and their exit codes: 0 when all is well, 1 when they found what they look for, 2 when
//! they could not do their job. What they judge by is in `oxprof-collect`, where neither clock nor network is.

pub(crate) mod analyze;
pub(crate) mod archive;
mod args;
pub(crate) mod continuous;
pub(crate) mod leak;
mod load;
pub(crate) mod load_test;
pub(crate) mod monitor;
mod sources;
mod target;

use std::ffi::OsString;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use oxprof_collect::Kind;

use self::args::{Args, Command};
use crate::failure::{Failure, Result, file_error};
use crate::run::FAILURE;

/// What a command came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Nothing to worry about.
    Fine,
    /// It found what it looks for: a leak, a regression.
    Found,
}

/// Exit code for [`Outcome::Found`].
const FOUND: u8 = 1;

/// Reads the arguments, prints help if that is asked for, else performs, and turns the result into an exit code.
fn run(
    command: &Command,
    arguments: &[OsString],
    perform: impl FnOnce(&Args) -> Result<Outcome>,
) -> ExitCode {
    let result = command.parse(arguments).and_then(|args| match args {
        None => {
            print!("{}", command.help());
            Ok(Outcome::Fine)
        }
        Some(args) => perform(&args),
    });
    match result {
        Ok(Outcome::Fine) | Err(Failure::BrokenPipe) => ExitCode::SUCCESS,
        Ok(Outcome::Found) => ExitCode::from(FOUND),
        Err(failure) => {
            eprintln!("oxprof {}: {failure}", command.name);
            if matches!(failure, Failure::Usage(_)) {
                eprintln!("oxprof {} -h tells all.", command.name);
            }
            ExitCode::from(FAILURE)
        }
    }
}

/// A kind that is known to be one.
fn kind(name: &str) -> Kind {
    name.parse().expect("a name of ours")
}

/// How file names tell time.
const STAMP: &str = "%Y%m%d_%H%M%S";

/// A time since 1970 as it stands in file names, in UTC.
fn stamp(time: Duration) -> String {
    let time = Timestamp::try_from(std::time::UNIX_EPOCH + time).unwrap_or_default();
    time.strftime(STAMP).to_string()
}

/// The time that a stamp stands for.
fn unstamp(stamp: &str) -> Option<Duration> {
    let time = DateTime::strptime(STAMP, stamp).ok()?.to_zoned(TimeZone::UTC).ok()?;
    u64::try_from(time.timestamp().as_second()).ok().map(Duration::from_secs)
}

/// A number from 0 to 1, the latter excluded.
fn random() -> f64 {
    let bits = RandomState::new().build_hasher().finish() >> 11;
    bits as f64 / (1u64 << 53) as f64
}

/// Writes a file that is there as a whole or not at all, and makes its directory.
fn write_whole(path: &Path, bytes: &[u8]) -> std::result::Result<(), String> {
    let describe = |e: std::io::Error| file_error("write", path.display(), &e);
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(describe)?;
    }
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    std::fs::write(&part, bytes).and_then(|()| std::fs::rename(&part, path)).map_err(describe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_read_as_they_are_written() {
        let time = Duration::from_secs(1_795_262_400);
        assert_eq!(stamp(time), "20261121_120000");
        assert_eq!(unstamp("20261121_120000"), Some(time));
        assert_eq!(unstamp("20261321_120000"), None);
        assert_eq!(unstamp("yesterday"), None);
    }
}
