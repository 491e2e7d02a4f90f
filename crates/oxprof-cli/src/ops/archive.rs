//! Packs all profiles of a server, its statistics, versions and configuration into one file, to be sent to
//! whoever can help. Secrets in configuration and command lines are taken out.
//!
//! usage: oxprof archive [flags] TARGET
//!        oxprof archive -list FILE
//!
//! A target is host:port or the URL of a page of profiles. What the server does not have is left out, and the
//! manifest says so. Every report reads profiles out of the file as FILE:KIND.
//!
//! ```text
//! # Everything, with the service's configuration
//! oxprof archive -config=config.yaml -note='slow since Monday' -output=support.tar.gz localhost:6060
//! # What is in it?
//! oxprof archive -list support.tar.gz
//! # Where did the time go?
//! oxprof -top support.tar.gz:cpu
//! ```

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use oxprof_collect::archive::{self, Binary, Entry, MANIFEST, Manifest, Missing, PROFILES};
use oxprof_collect::{Kind, redact};
use oxprof_profile::{decode, units};
use sha2::{Digest, Sha256};

use super::Outcome;
use super::args::{Args, Command};
use super::target::{NotTaken, Target};
use crate::failure::{Failure, Result, file_error};

pub(crate) const ABOUT: &str = "pack all profiles of a server into one file for support";

const COMMAND: Command = Command {
    name: "archive",
    source: include_str!("archive.rs"),
    flags: &[
        ("output", "FILE", "the archive (oxprof-TARGET-TIME.tar.gz)"),
        ("seconds", "N", "time over which the CPU profile is collected (10)"),
        ("trace_seconds", "N", "time over which the execution trace is collected; 0 for none (1)"),
        ("kinds", "LIST", "kinds of profile (all that the server lists)"),
        ("config", "FILE", "add a configuration file, without its secrets; repeatable"),
        ("note", "TEXT", "what whoever opens it should know"),
        ("list", "", "say what is in an archive"),
    ],
};

/// Runs the command.
pub(crate) fn run(arguments: &[OsString]) -> ExitCode {
    super::run(&COMMAND, arguments, perform)
}

fn perform(args: &Args) -> Result<Outcome> {
    if args.has("list") {
        let path = args.only("archive")?;
        let text = contents(Path::new(path)).map_err(Failure::Message)?;
        std::io::stdout().lock().write_all(text.as_bytes())?;
        return Ok(Outcome::Fine);
    }
    let target = Target::parse(args.only("target")?, args)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let name = || format!("oxprof-{}-{}.tar.gz", target.file_stem(), super::stamp(now));
    let output = PathBuf::from(args.get("output").map_or_else(name, str::to_owned));
    let mut parcel = Parcel::new(&target, now, args.get("note").unwrap_or_default());
    for file in args.all("config") {
        parcel.add_config(Path::new(file))?;
    }
    parcel.gather(&target, args)?;
    let bytes = parcel.seal(now)?;
    super::write_whole(&output, &bytes).map_err(Failure::Message)?;
    let size = units::label(i64::try_from(bytes.len()).unwrap_or(i64::MAX), "bytes");
    println!("{} ({size})", output.display());
    Ok(Outcome::Fine)
}

/// An archive that is being put together.
struct Parcel {
    manifest: Manifest,
    entries: Vec<Entry>,
}

impl Parcel {
    fn new(target: &Target, now: Duration, note: &str) -> Self {
        let manifest = Manifest {
            made_by: format!("oxprof {}", env!("CARGO_PKG_VERSION")),
            made_at: Timestamp::try_from(UNIX_EPOCH + now).unwrap_or_default().to_string(),
            target: target.to_string(),
            note: note.to_owned(),
            ..Manifest::default()
        };
        Self { manifest, entries: Vec::new() }
    }

    /// Adds everything that the server has.
    ///
    /// # Errors
    /// When it has no profile at all.
    fn gather(&mut self, target: &Target, args: &Args) -> Result<()> {
        let seconds = Duration::from_secs(args.positive("seconds")?.unwrap_or(10));
        let number = |text: &str| text.parse().ok();
        let trace = args.value("trace_seconds", "a whole number of seconds", number)?.unwrap_or(1);
        let kinds = match args.kinds("kinds")? {
            Some(kinds) => kinds,
            None => kinds(target)?,
        };
        for kind in in_order(kinds) {
            let is_trace = kind.name() == "trace";
            if is_trace && trace == 0 {
                continue;
            }
            let time = if is_trace { Duration::from_secs(trace) } else { seconds };
            eprintln!("{kind} …");
            self.add_profile(&kind, target.take(&kind, time));
            if is_written_out(&kind) {
                let debug = [("debug", "2".to_owned())];
                let text = target.get(kind.route(), &debug, Duration::ZERO);
                self.add(&format!("text/{}.txt", kind.file_stem()), text);
            }
        }
        if !self.entries.iter().any(|entry| entry.path.starts_with(PROFILES)) {
            let why = self.manifest.missing.first().map_or("", |missing| &missing.why);
            return Err(Failure::new(format_args!("{target}: no profile could be taken: {why}")));
        }
        self.gather_more(target);
        Ok(())
    }

    /// What explains the profiles.
    fn gather_more(&mut self, target: &Target) {
        let words = target.get("cmdline", &[], Duration::ZERO).map(|bytes| {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            redact::command_line(text.split('\0')).join("\n").into_bytes()
        });
        self.add("cmdline.txt", words);
        let plain = |bytes: Vec<u8>| redact::config(&String::from_utf8_lossy(&bytes)).into_bytes();
        self.add("stats.json", target.beside("../stats").map(plain));
        // Go programs publish theirs there.
        self.add("vars.json", target.beside("../vars").map(plain));
        self.add("metrics.txt", target.beside("/metrics"));
    }

    fn add_config(&mut self, file: &Path) -> Result<()> {
        let text = std::fs::read(file)
            .map_err(|e| Failure::new(file_error("open", file.display(), &e)))?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let plain = redact::config(&String::from_utf8_lossy(&text));
        self.entries.push(Entry { path: format!("config/{name}"), bytes: plain.into_bytes() });
        Ok(())
    }

    fn add_profile(&mut self, kind: &Kind, result: std::result::Result<Vec<u8>, NotTaken>) {
        if self.manifest.binaries.is_empty()
            && let Ok(profile) =
                result.as_deref().map_err(drop).and_then(|b| decode(b).map_err(drop))
        {
            let named = profile.mappings.iter().filter(|m| !profile.str(m.build_id).is_empty());
            let binary = |m: &oxprof_profile::Mapping| Binary {
                path: profile.str(m.file).to_owned(),
                build_id: profile.str(m.build_id).to_owned(),
            };
            self.manifest.binaries = named.map(binary).collect();
        }
        self.add(&format!("{PROFILES}{}.{}", kind.file_stem(), kind.extension()), result);
    }

    fn add(&mut self, path: &str, result: std::result::Result<Vec<u8>, NotTaken>) {
        match result {
            Ok(bytes) => self.entries.push(Entry { path: path.to_owned(), bytes }),
            Err(why) => {
                self.manifest.missing.push(Missing { what: path.to_owned(), why: why.to_string() });
            }
        }
    }

    /// The finished archive, manifest first.
    fn seal(mut self, now: Duration) -> Result<Vec<u8>> {
        let file = |entry: &Entry| archive::File {
            path: entry.path.clone(),
            bytes: entry.bytes.len() as u64,
            sha256: Sha256::digest(&entry.bytes).iter().map(|b| format!("{b:02x}")).collect(),
        };
        self.manifest.files = self.entries.iter().map(file).collect();
        let manifest = serde_json::to_vec_pretty(&self.manifest).map_err(Failure::new)?;
        self.entries.insert(0, Entry { path: MANIFEST.to_owned(), bytes: manifest });
        let mut out = Vec::new();
        archive::pack(&self.entries, now.as_secs(), &mut out)?;
        Ok(out)
    }
}

/// The kinds that the server lists, or all usual ones if it has no such page.
fn kinds(target: &Target) -> Result<Vec<Kind>> {
    match target.kinds() {
        Ok(kinds) if !kinds.is_empty() => Ok(kinds),
        Ok(_) | Err(NotTaken::Missing) => Ok(Kind::USUAL.map(super::kind).to_vec()),
        Err(NotTaken::Failed(why)) => Err(Failure::new(why)),
    }
}

/// What takes no time comes first, so that what does cannot disturb it.
fn in_order(mut kinds: Vec<Kind>) -> Vec<Kind> {
    kinds.sort_by_key(Kind::takes_time);
    kinds
}

/// Whether people want to read the stacks one by one.
fn is_written_out(kind: &Kind) -> bool {
    matches!(kind.name(), "goroutine" | "threads" | "tasks")
}

/// The profile that `FILE.tar.gz:KIND` names; an error that lists the archive for `FILE.tar.gz` alone; `None` for
/// anything else.
pub(crate) fn open(name: &OsStr, max_bytes: u64) -> Option<std::result::Result<Vec<u8>, String>> {
    let (path, selector) = split(name.to_str()?)?;
    let describe = |e: String| format!("{}: {e}", path.display());
    if selector.is_empty() {
        return Some(
            contents(path)
                .and_then(|text| Err(format!("an archive; add :KIND, such as :cpu\n{text}"))),
        );
    }
    let file = match File::open(path) {
        Ok(file) => BufReader::new(file),
        Err(e) => return Some(Err(file_error("open", path.display(), &e))),
    };
    Some(archive::pick(file, selector, max_bytes).map_err(|e| describe(e.to_string())))
}

/// The trace in `FILE.tar.gz`, or that which `FILE.tar.gz:KIND` names; `None` for anything else.
pub(crate) fn open_trace(
    name: &str,
    max_bytes: u64,
) -> Option<std::result::Result<Vec<u8>, String>> {
    let (_, selector) = split(name)?;
    let named = if selector.is_empty() {
        format!("{}:trace", name.trim_end_matches(':'))
    } else {
        name.to_owned()
    };
    open(OsStr::new(&named), max_bytes)
}

/// A path and what to pick from it, if the path is that of an archive.
fn split(name: &str) -> Option<(&Path, &str)> {
    let end =
        [".tar.gz", ".tgz"].iter().filter_map(|e| name.find(e).map(|at| at + e.len())).min()?;
    let (path, rest) = name.split_at(end);
    let selector = rest.strip_prefix(':').or_else(|| rest.is_empty().then_some(""))?;
    Path::new(path).is_file().then_some((Path::new(path), selector))
}

/// What is in an archive.
fn contents(path: &Path) -> std::result::Result<String, String> {
    let open =
        || File::open(path).map(BufReader::new).map_err(|e| file_error("open", path.display(), &e));
    let describe = |e: archive::ArchiveError| format!("{}: {e}", path.display());
    let mut text = String::new();
    // An archive without a manifest is none of ours, but its files may be profiles all the same.
    if let Ok(manifest) = archive::pick(open()?, MANIFEST, 1 << 20)
        && let Ok(manifest) = serde_json::from_slice::<Manifest>(&manifest)
    {
        text += &format!("{} of {}, by {}\n", manifest.made_at, manifest.target, manifest.made_by);
        if !manifest.note.is_empty() {
            text += &format!("{}\n", manifest.note);
        }
        for Missing { what, why } in manifest.missing {
            text += &format!("  not there: {what} ({why})\n");
        }
    }
    for (file, bytes) in archive::list(open()?).map_err(describe)? {
        let size = units::label(i64::try_from(bytes).unwrap_or(i64::MAX), "bytes");
        let kind = archive::kind_of(&file).map_or(String::new(), |kind| format!("  :{kind}"));
        text += &format!("{size:>10}  {file}{kind}\n");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_are_told_by_their_names() {
        let directory = std::env::temp_dir().join(format!("oxprof-archive-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let file = directory.join("a.tar.gz");
        std::fs::write(&file, "").unwrap();
        let name = file.to_str().unwrap();
        let check =
            |name: &str, expected: Option<&str>| assert_eq!(split(name).map(|s| s.1), expected);
        check(name, Some(""));
        check(&format!("{name}:cpu"), Some("cpu"));
        check(&format!("{name}.bak"), None);
        check("/no/such.tar.gz:cpu", None);
        check("cpu.pb.gz", None);
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn what_takes_no_time_comes_first() {
        let kinds = ["cpu", "heap", "trace", "mutex"].map(super::super::kind).to_vec();
        let names: Vec<_> = in_order(kinds).iter().map(|k| k.name().to_owned()).collect();
        assert_eq!(names, ["heap", "mutex", "cpu", "trace"]);
    }
}
