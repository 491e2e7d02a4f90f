//! From the names of sources to profiles.
//!
//! A source is a file if there is one of that name, standard input if it is `-`, and else a URL.
//! Sources are fetched and decoded side by side and added up in order as they come; one that fails is
//! reported and left out.

pub(crate) mod http;
mod save;
pub(crate) mod symbolz;
pub(crate) mod url;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use oxprof_profile::{
    DecodeError, DecodeOptions, MergeError, Profile, Sum, decode_file_into, decode_with,
};
use oxprof_report::pipeline::{identify, name_mappings};

use crate::failure::{Failure, Result, file_error};
use crate::ops::archive;
use crate::plan::{FetchPlan, Sources, SymbolPlan};
use crate::ui::Ui;
use symbolz::Origin;
use url::Url;

pub(crate) use http::{FileLimits, get_file};
pub(crate) use save::{create_numbered, save};

/// What the sources amount to.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// All profiles together.
    pub profile: Profile,
    /// All bases together.
    pub base: Option<Profile>,
    /// Servers that some of them came from.
    pub origins: Vec<Origin>,
}

/// Fetches everything that `sources` names, and adds it up.
///
/// # Errors
/// When no source, or no base of several, gave a profile; when they do not measure the same.
pub(crate) fn fetch(
    sources: &Sources,
    plan: &FetchPlan,
    symbols: &SymbolPlan,
    ui: &dyn Ui,
) -> Result<Fetched> {
    let decoders = Decoders::new(sources.profiles.len() + sources.bases.len());
    let fetching = Fetching { plan, symbols, ui, decoders };
    let mut origins = Vec::new();
    let mut groups = [("source", &sources.profiles), ("base", &sources.bases)]
        .map(|(kind, names)| Group { kind, wanted: names.len(), got: 0, sum: Sum::default() });
    let names: Vec<_> = sources.profiles.iter().chain(&sources.bases).map(|s| &**s).collect();
    fetch_all(&names, &fetching, |i, one| {
        origins.extend(one.origins);
        let spent = groups[usize::from(i >= sources.profiles.len())].add(one.profile)?;
        fetching.decoders.spent.lock().expect("no worker panics").extend(spent);
        Ok(())
    })?;
    let [profiles, bases] = groups;
    let profile = profiles.finish(ui)?.expect("there is a source");
    Ok(Fetched { profile, base: bases.finish(ui)?, origins })
}

/// Profiles that are added up.
struct Group {
    kind: &'static str,
    wanted: usize,
    got: usize,
    sum: Sum,
}

impl Group {
    fn add(&mut self, profile: Profile) -> Result<Option<Profile>> {
        self.got += 1;
        self.sum.add(profile).map_err(|e| self.error(&e))
    }

    /// The sum. There must be at least one profile unless none was wanted.
    fn finish(mut self, ui: &dyn Ui) -> Result<Option<Profile>> {
        let Self { kind, wanted, got, .. } = self;
        if got == 0 && wanted > 0 {
            return Err(Failure::new(format_args!("failed to fetch any {kind} profiles")));
        }
        if got < wanted {
            ui.note(&format!("Fetched {got} {kind} profiles out of {wanted}"));
        }
        std::mem::take(&mut self.sum).finish().map_err(|e| self.error(&e))
    }

    fn error(&self, e: &MergeError) -> Failure {
        Failure::new(format_args!("problem fetching {} profiles: {e}", self.kind))
    }
}

/// What fetching needs to know and to share.
struct Fetching<'a> {
    plan: &'a FetchPlan,
    symbols: &'a SymbolPlan,
    ui: &'a dyn Ui,
    decoders: Decoders,
}

/// One profile.
struct One {
    profile: Profile,
    origins: Vec<Origin>,
}

/// Servers that collect for a while are waited for side by side, up to this many.
const MAX_WORKERS: usize = 128;

/// Fetches side by side, and hands over in order what there is.
///
/// # Errors
/// The first of `take`; workers then stop with what they have at hand.
fn fetch_all(
    names: &[&OsStr],
    fetching: &Fetching<'_>,
    mut take: impl FnMut(usize, One) -> Result<()>,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let work = |sender: Sender<_>| {
        while let i = next.fetch_add(1, Ordering::Relaxed)
            && let Some(name) = names.get(i)
        {
            let mut answer = Answer { i, one: None, sender: &sender };
            match fetch_one(i, name, fetching) {
                Ok(one) => answer.one = Some(one),
                Err(e) => fetching.ui.note(&format!("{}: {e}", name.display())),
            }
        }
    };
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..names.len().min(MAX_WORKERS) {
            let (work, sender) = (&work, sender.clone());
            scope.spawn(move || work(sender));
        }
        drop(sender);
        let (mut early, mut due) = (BTreeMap::new(), 0);
        let taken = receiver.into_iter().try_for_each(|(i, one)| {
            early.insert(i, one);
            while let Some(one) = early.remove(&due) {
                due += 1;
                fetching.decoders.advance(due);
                one.map_or(Ok(()), |one| take(due - 1, one))?;
            }
            Ok(())
        });
        // Nobody waits for what is left, if anything is.
        next.store(names.len(), Ordering::Relaxed);
        fetching.decoders.advance(names.len());
        taken
    })
}

/// Answers for a source, also if its worker panics.
struct Answer<'a> {
    i: usize,
    one: Option<One>,
    sender: &'a Sender<(usize, Option<One>)>,
}

impl Drop for Answer<'_> {
    fn drop(&mut self) {
        // Whoever does not listen any more has failed already.
        let _ = self.sender.send((self.i, self.one.take()));
    }
}

fn fetch_one(i: usize, name: &OsStr, fetching: &Fetching<'_>) -> std::result::Result<One, String> {
    let Fetching { plan, symbols, ui, decoders } = fetching;
    let turn = Turn { i, decoders };
    let (mut profile, url) = read(name, plan, turn, *ui)?;
    let binary = symbols.binary.as_deref().map_or(Cow::Borrowed(""), Path::to_string_lossy);
    identify(&mut profile, &binary, &symbols.build_id);
    let Some(url) = url else { return Ok(One { profile, origins: Vec::new() }) };
    name_mappings(&mut profile, &url.to_string());
    let origins = symbolz::origins(&profile, &url);
    Ok(One { profile, origins })
}

/// Lets profiles be decoded in their turn, as many at a time as there are processors, so that few wait to be added
/// up, in the memory of those that were.
struct Decoders {
    /// The source that is waited for.
    due: Mutex<usize>,
    is_due: Condvar,
    /// How many may be decoded from that one on.
    ahead: usize,
    /// Whether there are processors enough for two threads each.
    two_threads: bool,
    spent: Mutex<Vec<Profile>>,
}

impl Decoders {
    fn new(sources: usize) -> Self {
        let ahead = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            due: Mutex::new(0),
            is_due: Condvar::new(),
            ahead,
            two_threads: 2 * sources <= ahead,
            spent: Mutex::default(),
        }
    }

    /// Source `due` is waited for now.
    fn advance(&self, due: usize) {
        *self.due.lock().expect("no worker panics") = due;
        self.is_due.notify_all();
    }
}

/// When source `i` is decoded.
#[derive(Clone, Copy)]
struct Turn<'a> {
    i: usize,
    decoders: &'a Decoders,
}

impl Turn<'_> {
    /// Waits for it, then decodes in the memory of a profile that is not needed any more.
    fn decode<T>(self, plan: &FetchPlan, decode: impl FnOnce(Profile, &DecodeOptions) -> T) -> T {
        let Decoders { due, is_due, ahead, two_threads, spent } = self.decoders;
        let due = due.lock().expect("no worker panics");
        let is_early = |due: &mut usize| self.i.saturating_sub(*due) >= *ahead;
        drop(is_due.wait_while(due, is_early).expect("no worker panics"));
        let spent = spent.lock().expect("no worker panics").pop();
        let options = DecodeOptions { max_bytes: plan.max_bytes, two_threads: *two_threads };
        decode(spent.unwrap_or_default(), &options)
    }
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
    turn: Turn<'_>,
    ui: &dyn Ui,
) -> std::result::Result<(Profile, Option<Url>), String> {
    if let Some(found) = archive::open(name, plan.max_bytes) {
        return Ok((decode_bytes(&found?, plan, turn)?, None));
    }
    if name == "-" {
        let bytes = read_limited(&mut std::io::stdin().lock(), plan.max_bytes);
        let bytes = bytes.map_err(|e| file_error("read", "-", &e))?;
        return Ok((decode_bytes(&bytes, plan, turn)?, None));
    }
    let path = Path::new(name);
    match std::fs::metadata(path) {
        Ok(metadata) => Ok((read_file(path, metadata.is_file(), plan, turn)?, None)),
        Err(e) => match name.to_str().and_then(Url::parse) {
            Some(url) => {
                let (bytes, url) = download(url, plan, ui)?;
                Ok((decode_bytes(&bytes, plan, turn)?, Some(url)))
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
    turn: Turn<'_>,
) -> std::result::Result<Profile, String> {
    let failed = |what, e: &_| file_error(what, path.display(), e);
    let mut file = File::open(path).map_err(|e| failed("open", &e))?;
    if !is_regular {
        let bytes = read_limited(&mut file, plan.max_bytes).map_err(|e| failed("read", &e))?;
        return decode_bytes(&bytes, plan, turn);
    }
    let decoded = turn.decode(plan, |spent, options| decode_file_into(spent, file, options));
    decoded.map_err(|e| match e.downcast() {
        Ok(e) => parse_error(&e),
        Err(e) => failed("read", &e),
    })
}

fn decode_bytes(
    bytes: &[u8],
    plan: &FetchPlan,
    turn: Turn<'_>,
) -> std::result::Result<Profile, String> {
    turn.decode(plan, |_, options| decode_with(bytes, options)).map_err(|e| parse_error(&e))
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
