//! From the names of sources to profiles.
//!
//! A source is a file if there is one of that name, standard input if it is `-`, and else a URL.
//! Sources are fetched and decoded side by side; one that fails is reported and left out.

pub(crate) mod http;
mod save;
pub(crate) mod symbolz;
pub(crate) mod url;

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use oxprof_profile::{DecodeError, DecodeOptions, Profile, decode_file, decode_with};
use oxprof_report::pipeline::{identify, name_mappings};

use crate::failure::{Failure, Result, file_error};
use crate::ops::archive;
use crate::plan::{FetchPlan, Sources, SymbolPlan};
use crate::ui::Ui;
use symbolz::Origin;
use url::Url;

pub(crate) use http::{FileLimits, get_file};
pub(crate) use save::{create_numbered, save};

/// Profiles that were fetched, in the order of their sources.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub profiles: Vec<Profile>,
    pub bases: Vec<Profile>,
    /// Servers that some of them came from.
    pub origins: Vec<Origin>,
}

/// Fetches everything that `sources` names.
///
/// # Errors
/// When no source, or no base of several, gave a profile.
pub(crate) fn fetch(
    sources: &Sources,
    plan: &FetchPlan,
    symbols: &SymbolPlan,
    ui: &dyn Ui,
) -> Result<Fetched> {
    let names: Vec<_> = sources.profiles.iter().chain(&sources.bases).map(|s| &**s).collect();
    let mut fetched = fetch_all(&names, plan, symbols, ui).into_iter();
    let profiles = group(&mut fetched, sources.profiles.len(), "source", ui)?;
    let bases = group(&mut fetched, sources.bases.len(), "base", ui)?;
    let mut origins = Vec::new();
    let mut plain = |group: Vec<One>| -> Vec<Profile> {
        let split = |one: One| {
            origins.extend(one.origins);
            one.profile
        };
        group.into_iter().map(split).collect()
    };
    let (profiles, bases) = (plain(profiles), plain(bases));
    Ok(Fetched { profiles, bases, origins })
}

/// One profile.
struct One {
    profile: Profile,
    origins: Vec<Origin>,
}

/// The next `wanted` results, of which at least one must be a profile.
fn group(
    fetched: &mut impl Iterator<Item = Option<One>>,
    wanted: usize,
    kind: &str,
    ui: &dyn Ui,
) -> Result<Vec<One>> {
    let group: Vec<_> = fetched.take(wanted).flatten().collect();
    if group.is_empty() && wanted > 0 {
        return Err(Failure::new(format_args!("failed to fetch any {kind} profiles")));
    }
    if group.len() < wanted {
        ui.note(&format!("Fetched {} {kind} profiles out of {wanted}", group.len()));
    }
    Ok(group)
}

/// Servers that collect for a while are waited for side by side, up to this many.
const MAX_WORKERS: usize = 128;

fn fetch_all(
    names: &[&OsStr],
    plan: &FetchPlan,
    symbols: &SymbolPlan,
    ui: &dyn Ui,
) -> Vec<Option<One>> {
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<One>>> = names.iter().map(|_| Mutex::new(None)).collect();
    let work = || {
        while let i = next.fetch_add(1, Ordering::Relaxed)
            && let Some(name) = names.get(i)
        {
            match fetch_one(name, plan, symbols, ui) {
                Ok(one) => *results[i].lock().expect("no worker panics") = Some(one),
                Err(e) => ui.note(&format!("{}: {e}", name.display())),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..names.len().min(MAX_WORKERS) {
            scope.spawn(work);
        }
        work();
    });
    results.into_iter().map(|one| one.into_inner().expect("no worker panics")).collect()
}

fn fetch_one(
    name: &OsStr,
    plan: &FetchPlan,
    symbols: &SymbolPlan,
    ui: &dyn Ui,
) -> std::result::Result<One, String> {
    let (mut profile, url) = read(name, plan, ui)?;
    let binary = symbols.binary.as_deref().map_or(Cow::Borrowed(""), Path::to_string_lossy);
    identify(&mut profile, &binary, &symbols.build_id);
    let Some(url) = url else { return Ok(One { profile, origins: Vec::new() }) };
    name_mappings(&mut profile, &url.to_string());
    let origins = symbolz::origins(&profile, &url);
    Ok(One { profile, origins })
}

fn parse_error(e: &DecodeError) -> String {
    let reason = e.to_string();
    if reason.starts_with("decompressing") || reason.starts_with("malformed") {
        return reason;
    }
    format!("parsing profile: {reason}")
}

/// The profile of a source, and the URL that it came from if it did.
fn read(
    name: &OsStr,
    plan: &FetchPlan,
    ui: &dyn Ui,
) -> std::result::Result<(Profile, Option<Url>), String> {
    if let Some(found) = archive::open(name, plan.max_bytes) {
        return Ok((decode_bytes(&found?, plan)?, None));
    }
    if name == "-" {
        let bytes = read_limited(&mut std::io::stdin().lock(), plan.max_bytes);
        let bytes = bytes.map_err(|e| file_error("read", "-", &e))?;
        return Ok((decode_bytes(&bytes, plan)?, None));
    }
    let path = Path::new(name);
    match std::fs::metadata(path) {
        Ok(metadata) => Ok((read_file(path, metadata.is_file(), plan)?, None)),
        Err(e) => match name.to_str().and_then(Url::parse) {
            Some(url) => {
                let (bytes, url) = download(url, plan, ui)?;
                Ok((decode_bytes(&bytes, plan)?, Some(url)))
            }
            None => Err(file_error("stat", path.display(), &e)),
        },
    }
}

/// The profile in a file, of which little is in memory at a time; pipes have no start to go back to if it is
/// not what it seems to be, so those are read first.
fn read_file(
    path: &Path,
    is_regular: bool,
    plan: &FetchPlan,
) -> std::result::Result<Profile, String> {
    let failed = |what, e: &_| file_error(what, path.display(), e);
    let mut file = File::open(path).map_err(|e| failed("open", &e))?;
    if !is_regular {
        let bytes = read_limited(&mut file, plan.max_bytes).map_err(|e| failed("read", &e))?;
        return decode_bytes(&bytes, plan);
    }
    let options = DecodeOptions { max_bytes: plan.max_bytes };
    decode_file(file, &options).map_err(|e| match e.downcast() {
        Ok(e) => parse_error(&e),
        Err(e) => failed("read", &e),
    })
}

fn decode_bytes(bytes: &[u8], plan: &FetchPlan) -> std::result::Result<Profile, String> {
    let options = DecodeOptions { max_bytes: plan.max_bytes };
    decode_with(bytes, &options).map_err(|e| parse_error(&e))
}

/// Decoders take no more than this.
const LARGEST: u64 = 1 << 32;

/// Reads to the end, but no more than what shows that the profile is too large. Compression does
/// not make profiles larger, so the limit holds for what is compressed, too.
fn read_limited(source: &mut impl Read, max_bytes: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(max_bytes.min(LARGEST) + 1).read_to_end(&mut bytes).map(|_| bytes)
}

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

fn download(
    mut url: Url,
    plan: &FetchPlan,
    ui: &dyn Ui,
) -> std::result::Result<(Vec<u8>, Url), String> {
    let duration = url.set_seconds(plan.seconds);
    ui.note(&format!("Fetching profile over HTTP from {url}"));
    if let Some(wait) = duration.filter(|_| plan.seconds > 0) {
        ui.note(&format!("Please wait... ({})", go_duration(wait)));
    }
    let timeout = match u64::try_from(plan.timeout) {
        Ok(seconds) if seconds > 0 => Duration::from_secs(seconds),
        _ => duration.filter(|d| !d.is_zero()).map_or(DEFAULT_TIMEOUT, |d| d.saturating_mul(3) / 2),
    };
    Ok((http::get(&url, timeout, plan)?, url))
}

/// Whole seconds as Go prints durations: `1h2m3s`.
fn go_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}
