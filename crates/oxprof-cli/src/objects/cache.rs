//! Answers about addresses, kept on disk from one run to the next.
//!
//! Off unless `OXPROF_SYMBOL_CACHE` names a directory. It holds one file per build id; files are replaced
//! whole, so readers see the old one or the new one. What was not used for longest goes when there is more
//! than `OXPROF_SYMBOL_CACHE_SIZE` allows.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use crate::failure::{Failure, Result};
use crate::plan::{Env, max_bytes};

/// A directory of answers.
#[derive(Debug)]
pub(crate) struct SymbolCache {
    directory: PathBuf,
    max_bytes: u64,
}

const DEFAULT_SIZE: &str = "512MB";

const EXTENSION: &str = "oxsym";

impl SymbolCache {
    /// As the environment says; `None` unless it names a directory.
    ///
    /// # Errors
    /// When the size is none.
    pub(crate) fn from_env(env: Env<'_>) -> Result<Option<Self>> {
        let Some(directory) = env("OXPROF_SYMBOL_CACHE").filter(|v| !v.is_empty()) else {
            return Ok(None);
        };
        let size = env("OXPROF_SYMBOL_CACHE_SIZE").filter(|v| !v.is_empty());
        let size = size.map_or(DEFAULT_SIZE.into(), |size| size.to_string_lossy().into_owned());
        let max_bytes = max_bytes(&size).map_err(|_| {
            let name = "OXPROF_SYMBOL_CACHE_SIZE";
            Failure::new(format_args!("{name} {size:?} is no size; write 512MB or 2GB"))
        })?;
        Ok(Some(Self { directory: directory.into(), max_bytes }))
    }

    /// What is kept for a build.
    pub(crate) fn load(&self, build_id: &str) -> Option<Vec<u8>> {
        let path = self.path(build_id)?;
        let bytes = std::fs::read(&path).ok()?;
        // It was of use, so it goes last.
        let _ = File::options()
            .append(true)
            .open(&path)
            .and_then(|file| file.set_modified(SystemTime::now()));
        Some(bytes)
    }

    /// Keeps answers for a build.
    ///
    /// # Errors
    /// When the directory or the file cannot be written.
    pub(crate) fn save(&self, build_id: &str, bytes: &[u8]) -> io::Result<()> {
        let Some(path) = self.path(build_id) else { return Ok(()) };
        if bytes.len() as u64 > self.max_bytes {
            return Ok(());
        }
        write_whole(&path, bytes)?;
        self.make_room()
    }

    fn path(&self, build_id: &str) -> Option<PathBuf> {
        let is_name = !build_id.is_empty() && build_id.bytes().all(|b| b.is_ascii_alphanumeric());
        is_name.then(|| self.directory.join(format!("{build_id}.{EXTENSION}")))
    }

    fn make_room(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.directory)? {
            let path = entry?.path();
            let Ok(metadata) = std::fs::metadata(&path) else { continue };
            if path.extension().is_some_and(|extension| extension == EXTENSION) {
                files.push((metadata.modified()?, metadata.len(), path));
            }
        }
        files.sort();
        let mut size: u64 = files.iter().map(|(_, size, _)| size).sum();
        for (_, bytes, path) in files {
            if size <= self.max_bytes {
                break;
            }
            std::fs::remove_file(path)?;
            size -= bytes;
        }
        Ok(())
    }
}

/// Writes a file that is there whole or not at all.
///
/// # Errors
/// When its directory cannot be made, or the file not be written.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    std::fs::create_dir_all(directory)?;
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let draft = directory.join(format!(".draft-{}-{number}", std::process::id()));
    let written = std::fs::write(&draft, bytes).and_then(|()| std::fs::rename(&draft, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&draft);
    }
    written
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_longest_unused_goes_first() {
        let directory = std::env::temp_dir().join(format!("oxprof-cache-{}", std::process::id()));
        let cache = SymbolCache { directory: directory.clone(), max_bytes: 25 };
        for (age, id) in [(3, "aa"), (2, "bb")] {
            cache.save(id, &[0; 10]).unwrap();
            let file = File::options().append(true).open(cache.path(id).unwrap()).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        }
        assert!(cache.load("aa").is_some());
        cache.save("cc", &[0; 10]).unwrap();
        let left: Vec<bool> = ["aa", "bb", "cc"].map(|id| cache.load(id).is_some()).into();
        assert_eq!(left, [true, false, true]);
        cache.save("dd", &[0; 26]).unwrap();
        assert!(cache.load("dd").is_none() && cache.load("../aa").is_none());
        std::fs::remove_dir_all(directory).unwrap();
    }
}
