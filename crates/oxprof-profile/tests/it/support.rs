//! Where tests find the recorded reference data.

use std::path::{Path, PathBuf};

/// The conformance directory; `None`, with a printed reason, where it is not at hand.
pub(crate) fn conformance() -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shared =
        std::env::var_os("OXPROF_SHARED").map_or(workspace.join("../shared"), PathBuf::from);
    let dir = shared.join("conformance");
    if dir.is_dir() {
        return Some(dir);
    }
    eprintln!("skipped: no conformance data at {} (set OXPROF_SHARED)", dir.display());
    None
}

/// Files of a directory that end in `suffix`, in order of name, with their bytes.
pub(crate) fn files(dir: &Path, suffix: &str) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file() && path.to_str().is_some_and(|p| p.ends_with(suffix)))
        .map(|path| {
            (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap())
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no {suffix} files in {}", dir.display());
    files
}
