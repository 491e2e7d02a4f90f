//! Binaries, debug information and sources from servers that have them by build id.
//!
//! Off unless `DEBUGINFOD_URLS` names servers. The variables and the layout of the cache are those of
//! elfutils, so its tools and this one share what they have fetched: `CACHE/BUILDID/KIND`, where an empty
//! file stands for what no server had.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::fetch::{FileLimits, get_file};
use crate::plan::Env;

/// What a server may have for a build id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted<'a> {
    DebugInfo,
    Executable,
    /// The source file that the compiler called so.
    Source(&'a str),
}

/// Servers, and what they have sent so far.
#[derive(Debug)]
pub(crate) struct Debuginfod {
    servers: Vec<Server>,
    cache: PathBuf,
    limits: FileLimits,
    notes: Mutex<Vec<String>>,
}

#[derive(Debug)]
struct Server {
    url: String,
    /// Whether it could not be reached, or answered with an error: it is not asked again.
    failed: AtomicBool,
}

/// For so long, what no server had is not asked for again.
const MISS_LASTS: Duration = Duration::from_secs(600);

/// What was not used for so long is deleted when something new is fetched.
const UNUSED_LASTS: Duration = Duration::from_secs(7 * 24 * 3600);

impl Debuginfod {
    /// As the environment says; `None` unless it names servers.
    pub(crate) fn from_env(env: Env<'_>) -> Option<Self> {
        let text = |name| env(name).and_then(|value: OsString| value.into_string().ok());
        let number = |name| text(name)?.trim().parse::<u64>().ok().filter(|n| *n > 0);
        let urls = text("DEBUGINFOD_URLS")?;
        let server = |url: &str| Server {
            url: url.trim_end_matches('/').to_owned(),
            failed: AtomicBool::new(false),
        };
        let servers: Vec<_> = urls.split_whitespace().map(server).collect();
        let timeout = Duration::from_secs(number("DEBUGINFOD_TIMEOUT").unwrap_or(90));
        let max_time = number("DEBUGINFOD_MAXTIME").map(Duration::from_secs);
        let limits = FileLimits {
            answer: timeout,
            whole: max_time.unwrap_or(timeout.saturating_mul(10)),
            bytes: number("DEBUGINFOD_MAXSIZE").unwrap_or(u64::MAX),
        };
        (!servers.is_empty()).then(|| Self {
            servers,
            cache: cache_directory(env),
            limits,
            notes: Mutex::default(),
        })
    }

    /// Fetches a file, or takes it from the cache. What `is_right` refuses is treated as missing.
    pub(crate) fn get(
        &self,
        build_id: &str,
        wanted: Wanted<'_>,
        is_right: impl Fn(&[u8]) -> bool,
    ) -> Option<Vec<u8>> {
        if build_id.is_empty() || !build_id.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let path = self.cache.join(build_id).join(wanted.file_name());
        match std::fs::read(&path) {
            Ok(bytes) if !bytes.is_empty() => return Some(bytes).filter(|bytes| is_right(bytes)),
            Ok(_) if is_younger(&path, MISS_LASTS) => return None,
            _ => {}
        }
        let fetched = self.fetch(build_id, wanted, is_right);
        if let Some(bytes) = &fetched {
            self.keep(&path, bytes.as_deref().unwrap_or_default());
        }
        fetched.flatten()
    }

    /// Takes what there is to tell the user.
    pub(crate) fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut self.notes.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    fn note(&self, text: String) {
        self.notes.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(text);
    }

    /// `None` if there was no telling, `Some(None)` if all servers say that they do not have it.
    fn fetch(
        &self,
        build_id: &str,
        wanted: Wanted<'_>,
        is_right: impl Fn(&[u8]) -> bool,
    ) -> Option<Option<Vec<u8>>> {
        let mut is_certain = true;
        for server in &self.servers {
            if server.failed.load(Ordering::Relaxed) {
                is_certain = false;
                continue;
            }
            let url = format!("{}/buildid/{build_id}/{}", server.url, wanted.path());
            match get_file(&url, self.limits) {
                Ok(Some(bytes)) if is_right(&bytes) => {
                    self.note(format!("Fetched {url}"));
                    return Some(Some(bytes));
                }
                Ok(Some(_)) => self.note(format!("{url}: not what was asked for; ignoring it")),
                Ok(None) => {}
                Err(reason) => {
                    is_certain = false;
                    server.failed.store(true, Ordering::Relaxed);
                    self.note(format!("debuginfod: {url}: {reason}; not asking this server again"));
                }
            }
        }
        is_certain.then_some(None)
    }

    /// A cache that cannot be written to is no reason to fail.
    fn keep(&self, path: &Path, bytes: &[u8]) {
        let _ = super::cache::write_whole(path, bytes);
        let _ = sweep(&self.cache);
    }
}

impl Wanted<'_> {
    /// Name in the cache.
    fn file_name(self) -> String {
        match self {
            Self::DebugInfo => "debuginfo".to_owned(),
            Self::Executable => "executable".to_owned(),
            Self::Source(path) => format!("source{}", path.replace('/', "#")),
        }
    }

    /// Path below the build id.
    fn path(self) -> String {
        match self {
            Self::DebugInfo => "debuginfo".to_owned(),
            Self::Executable => "executable".to_owned(),
            Self::Source(path) => format!("source{path}"),
        }
    }
}

/// `DEBUGINFOD_CACHE_PATH`, or where elfutils has its cache.
fn cache_directory(env: Env<'_>) -> PathBuf {
    let set = |name: &str| env(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let home = || Some(set("HOME")?.join(".cache"));
    set("DEBUGINFOD_CACHE_PATH").unwrap_or_else(|| {
        let caches = set("XDG_CACHE_HOME").or_else(home).unwrap_or_else(std::env::temp_dir);
        caches.join("debuginfod_client")
    })
}

fn is_younger(path: &Path, age: Duration) -> bool {
    let modified = std::fs::metadata(path).and_then(|m| m.modified());
    modified.is_ok_and(|time| time.elapsed().is_ok_and(|passed| passed < age))
}

/// Deletes what nobody has used for long.
fn sweep(cache: &Path) -> io::Result<()> {
    for build in std::fs::read_dir(cache)? {
        let Ok(files) = std::fs::read_dir(build?.path()) else { continue };
        for file in files {
            let path = file?.path();
            let used =
                std::fs::metadata(&path).and_then(|m| m.accessed().or_else(|_| m.modified()));
            let age = used.ok().and_then(|time| time.elapsed().ok());
            if age.is_some_and(|age| age > UNUSED_LASTS) {
                std::fs::remove_file(&path)?;
            }
        }
    }
    Ok(())
}
