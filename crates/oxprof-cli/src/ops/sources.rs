//! Profiles of several kinds from files, directories and archives.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};

use oxprof_collect::{Kind, archive, review};
use oxprof_profile::decode;

use crate::failure::{Failure, Result, file_error};
use crate::objects::{self, LocalObjects};
use crate::plan::SymbolPlan;
use crate::ui::Stderr;

pub(super) use oxprof_collect::review::Input;

/// Archives are not unpacked beyond this many bytes.
const MAX_ARCHIVE: u64 = 4 << 30;

/// Loads all profiles that `names` name: files, directories of files, archives.
///
/// # Errors
/// When one of them is not there, or no profile. In directories, other files are passed over.
pub(super) fn load(names: &[String]) -> Result<Vec<Input>> {
    let mut inputs = Vec::new();
    for name in names {
        let path = Path::new(name);
        if let Some(picked) =
            super::archive::open(OsStr::new(name), MAX_ARCHIVE).filter(|_| name.contains(':'))
        {
            inputs.push(input(name, &picked.map_err(Failure::new)?)?);
        } else if path.is_dir() {
            for file in files_below(path) {
                let label = file.display().to_string();
                match read(&file).and_then(|bytes| input(&label, &bytes)) {
                    Ok(found) => inputs.push(found),
                    Err(e) => eprintln!("{label}: {e}; left out"),
                }
            }
        } else if [".tar.gz", ".tgz"].iter().any(|end| name.ends_with(end)) {
            inputs.extend(from_archive(path)?);
        } else {
            inputs.push(input(name, &read(path)?)?);
        }
    }
    Ok(inputs)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| Failure::new(file_error("open", path.display(), &e)))
}

/// Files that may be profiles, in the order of their names.
fn files_below(directory: &Path) -> Vec<PathBuf> {
    const ENDS: [&str; 5] = [".pb.gz", ".pprof", ".prof", ".pb", ".folded"];
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let below = |path: PathBuf| {
        if path.is_dir() {
            return files_below(&path);
        }
        let name = path.to_string_lossy();
        let is_profile = ENDS.iter().any(|end| name.ends_with(end));
        if is_profile { vec![path] } else { Vec::new() }
    };
    paths.into_iter().flat_map(below).collect()
}

fn from_archive(path: &Path) -> Result<Vec<Input>> {
    let describe =
        |e: &dyn std::fmt::Display| Failure::new(format_args!("{}: {e}", path.display()));
    let file =
        File::open(path).map_err(|e| Failure::new(file_error("open", path.display(), &e)))?;
    let entries = archive::unpack(file, MAX_ARCHIVE).map_err(|e| describe(&e))?;
    let profiles = entries.iter().filter(|entry| archive::kind_of(&entry.path).is_some());
    profiles
        .filter(|entry| entry.path.ends_with(".pb.gz"))
        .map(|entry| input(&format!("{}:{}", path.display(), entry.path), &entry.bytes))
        .collect()
}

/// The profile in `bytes`, with names of functions where those can be found.
pub(super) fn input(label: &str, bytes: &[u8]) -> Result<Input> {
    let mut profile = decode(bytes).map_err(|e| Failure::new(format_args!("{label}: {e}")))?;
    let objects = LocalObjects::from_env(&|name| std::env::var_os(name))?;
    objects::symbolize(&mut profile, &objects, &SymbolPlan::default(), &Stderr::new());
    let kind = kind_by_name(label).unwrap_or_else(|| review::kind_of(&profile));
    Ok(Input { label: label.to_owned(), kind, profile })
}

/// The kind that the name of a file begins with, as `heap_20261121_120000.pb.gz`, or ends with, as `a.tar.gz:heap`.
fn kind_by_name(label: &str) -> Option<String> {
    let file = label.rsplit(['/', ':']).next()?;
    let stem = file.split(['_', '.']).next()?;
    let kind: Kind = stem.parse().ok()?;
    Kind::USUAL.contains(&kind.name()).then(|| kind.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_by_name() {
        #[track_caller]
        fn check(label: &str, expected: Option<&str>) {
            assert_eq!(kind_by_name(label).as_deref(), expected);
        }
        check("profiles/a_6060/heap_20261121_120000.pb.gz", Some("heap"));
        check("mutex.pb.gz", Some("mutex"));
        check("support.tar.gz:profile", Some("cpu"));
        check("support.tar.gz:profiles/block.pb.gz", Some("block"));
        check("pprof.prog.samples.cpu.001.pb.gz", None);
    }
}
