//! One file with everything that support needs: a gzipped tar of profiles and of what explains them.
//!
//! ```text
//! manifest.json         what is here, what is missing and why, when, from where, by which version
//! profiles/heap.pb.gz   one file a kind; traces are profiles/trace.out
//! text/goroutine.txt    stacks for people
//! stats.json, metrics.txt, cmdline.txt
//! config/…              configuration without secrets
//! ```
//!
//! An archive is read entry by entry and never unpacked onto a disk, so nothing in it can overwrite a file.

use std::fmt;
use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use crate::Kind;

/// Where the manifest is.
pub const MANIFEST: &str = "manifest.json";

/// Where profiles are.
pub const PROFILES: &str = "profiles/";

/// What is in an archive, and how it came to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The tool and its version.
    pub made_by: String,
    /// When, as RFC 3339.
    pub made_at: String,
    /// Of what: the URL, without secrets.
    pub target: String,
    /// What the person who made it has to say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Binaries of the program with their build ids.
    #[serde(default)]
    pub binaries: Vec<Binary>,
    /// What is in it.
    #[serde(default)]
    pub files: Vec<File>,
    /// What is not, and why.
    #[serde(default)]
    pub missing: Vec<Missing>,
}

/// A binary that the program consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Binary {
    pub path: String,
    pub build_id: String,
}

/// A file of the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its path in the archive.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// SHA-256 of its contents, in hexadecimal.
    pub sha256: String,
}

/// Something that was asked for but not had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Missing {
    pub what: String,
    pub why: String,
}

/// A file to be packed or one that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Path in the archive, with slashes.
    pub path: String,
    /// Contents.
    pub bytes: Vec<u8>,
}

/// Why an archive could not be read.
#[derive(Debug)]
pub enum ArchiveError {
    /// It is cut off or damaged, or no archive.
    Io(io::Error),
    /// A file in it is larger than was allowed.
    TooLarge {
        /// The file.
        path: String,
        /// The limit, in bytes.
        limit: u64,
    },
    /// Nothing in it is called that.
    NoMatch {
        /// What was looked for.
        selector: String,
        /// What there is.
        known: Vec<String>,
    },
}

impl fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(e) => write!(f, "reading archive: {e}"),
            Self::TooLarge { path, limit } => {
                write!(f, "{path} in the archive is larger than {limit} bytes")
            }
            Self::NoMatch { selector, known } => {
                write!(f, "the archive has no {selector:?}; it has: {}", known.join(", "))
            }
        }
    }
}

impl std::error::Error for ArchiveError {}

impl From<io::Error> for ArchiveError {
    fn from(e: io::Error) -> Self {
        Self::Io(e)
    }
}

/// Packs `entries` in their order. `time`, in seconds since 1970, is what all files will be dated.
///
/// # Errors
/// Those of `out`, and paths that no archive can hold.
pub fn pack(entries: &[Entry], time: u64, out: impl Write) -> io::Result<()> {
    let mut tar = tar::Builder::new(GzEncoder::new(out, Compression::default()));
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(entry.bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(time);
        tar.append_data(&mut header, &entry.path, &*entry.bytes)?;
    }
    tar.into_inner()?.finish()?.flush()
}

/// Most files that are looked at, so that an archive of endless small ones ends, too.
const MAX_FILES: usize = 10_000;

/// Paths and sizes of all files.
///
/// # Errors
/// When it is no archive, or a damaged one.
pub fn list(archive: impl Read) -> Result<Vec<(String, u64)>, ArchiveError> {
    let mut files = Vec::new();
    for entry in tar::Archive::new(GzDecoder::new(archive)).entries()?.take(MAX_FILES) {
        let entry = entry?;
        if entry.header().entry_type().is_file() {
            files.push((path(&entry), entry.size()));
        }
    }
    Ok(files)
}

fn path<R: Read>(entry: &tar::Entry<'_, R>) -> String {
    let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
    path.strip_prefix("./").map(str::to_owned).unwrap_or(path)
}

/// Contents of the file that `selector` names: its path, or the kind of a profile.
///
/// # Errors
/// When there is none, when it is larger than `max_bytes`, or the archive is damaged.
pub fn pick(archive: impl Read, selector: &str, max_bytes: u64) -> Result<Vec<u8>, ArchiveError> {
    let mut known = Vec::new();
    for entry in tar::Archive::new(GzDecoder::new(archive)).entries()?.take(MAX_FILES) {
        let mut entry = entry?;
        let path = path(&entry);
        if !entry.header().entry_type().is_file() {
            continue;
        }
        if selects(selector, &path) {
            return contents(&mut entry, path, max_bytes);
        }
        known.push(kind_of(&path).map_or(path.clone(), str::to_owned));
    }
    Err(ArchiveError::NoMatch { selector: selector.to_owned(), known })
}

/// All profiles and other files, each with its path.
///
/// # Errors
/// As for [`pick`].
pub fn unpack(archive: impl Read, max_bytes: u64) -> Result<Vec<Entry>, ArchiveError> {
    let mut entries = Vec::new();
    let mut left = max_bytes;
    for entry in tar::Archive::new(GzDecoder::new(archive)).entries()?.take(MAX_FILES) {
        let mut entry = entry?;
        if entry.header().entry_type().is_file() {
            let path = path(&entry);
            let bytes = contents(&mut entry, path.clone(), left)?;
            left -= bytes.len() as u64;
            entries.push(Entry { path, bytes });
        }
    }
    Ok(entries)
}

fn contents(from: &mut impl Read, path: String, limit: u64) -> Result<Vec<u8>, ArchiveError> {
    let mut bytes = Vec::new();
    from.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(ArchiveError::TooLarge { path, limit });
    }
    Ok(bytes)
}

fn selects(selector: &str, path: &str) -> bool {
    let kind = selector.parse::<Kind>().ok();
    path == selector || kind.is_some_and(|kind| kind_of(path) == Some(&kind.file_stem()))
}

/// The kind of the profile at a path of an archive.
pub fn kind_of(path: &str) -> Option<&str> {
    let name = path.strip_prefix(PROFILES)?;
    name.strip_suffix(".pb.gz").or_else(|| name.strip_suffix(".out"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed() -> Vec<u8> {
        let entry = |path: &str, text: &str| Entry { path: path.into(), bytes: text.into() };
        let entries = [
            entry(MANIFEST, "{}"),
            entry("profiles/cpu.pb.gz", "C"),
            entry("profiles/app-connections.pb.gz", "A"),
            entry("profiles/trace.out", "T"),
        ];
        let mut out = Vec::new();
        pack(&entries, 0, &mut out).unwrap();
        out
    }

    #[track_caller]
    fn check(selector: &str, expected: Result<&str, &str>) {
        let found = pick(&*packed(), selector, 100).map_err(|e| e.to_string());
        let found = found.as_ref().map(|bytes| std::str::from_utf8(bytes).unwrap());
        assert_eq!(found, expected.map_err(str::to_owned).as_ref().map(|s| *s));
    }

    #[test]
    fn files_are_picked_by_kind_or_path() {
        check("cpu", Ok("C"));
        check("profile", Ok("C"));
        check("app/connections", Ok("A"));
        check("trace", Ok("T"));
        check("profiles/cpu.pb.gz", Ok("C"));
        check(
            "heap",
            Err("the archive has no \"heap\"; it has: manifest.json, cpu, app-connections, trace"),
        );
    }

    #[test]
    fn all_is_listed_and_unpacked() {
        let files = list(&*packed()).unwrap();
        assert_eq!(files[1], ("profiles/cpu.pb.gz".to_owned(), 1));
        let entries = unpack(&*packed(), 100).unwrap();
        assert_eq!(entries.len(), files.len());
        assert_eq!(entries[3].bytes, b"T");
    }

    #[test]
    fn damage_and_size_are_errors() {
        let whole = packed();
        assert!(matches!(list(&whole[..whole.len() / 2]), Err(ArchiveError::Io(_))));
        assert!(matches!(list(&b"hello"[..]), Err(ArchiveError::Io(_))));
        assert!(matches!(pick(&*whole, "cpu", 0), Err(ArchiveError::TooLarge { .. })));
        assert!(matches!(unpack(&*whole, 3), Err(ArchiveError::TooLarge { .. })));
    }
}
