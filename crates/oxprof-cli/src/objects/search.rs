//! Where binaries and their debug files may be, as lists of paths to try in order.

use std::path::{Path, PathBuf};

/// The debug files that the system's packages install.
const SYSTEM_DEBUG: &str = "/usr/lib/debug";

/// Where to look for a binary under the directory `dir` of the search path.
///
/// `file` is what the profile calls it; either of `file` and `build_id` may be empty. A path that ends
/// in `*` stands for the files of a directory.
pub(super) fn binaries_under(dir: &Path, file: &str, build_id: &str) -> Vec<PathBuf> {
    let (parent, base) = split(file);
    let mut paths = Vec::new();
    if !build_id.is_empty() {
        let by_id = dir.join(build_id);
        paths.extend((!base.is_empty()).then(|| by_id.join(base)));
        paths.push(by_id.join("*"));
        paths.extend((!file.is_empty()).then(|| under(dir, file).join(build_id)));
        paths.extend(fanned_out(build_id).map(|fan| dir.join(fan)));
    }
    if !base.is_empty() {
        paths.push(dir.join(base));
        paths.push(under(dir, file));
        paths.push(under(dir, &format!("{file}.debug")));
        paths.push(under(dir, parent).join(".debug").join(format!("{base}.debug")));
        let system = under(&dir.join("usr/lib/debug"), parent);
        paths.push(system.join(format!("{base}.debug")));
    }
    paths
}

/// Where what was split off from the binary at `path` may be, by the build id that both have.
pub(super) fn debug_files_by_id(search: &[PathBuf], build_id: &str) -> Vec<PathBuf> {
    let Some(fan) = fanned_out(build_id) else { return Vec::new() };
    let roots = search.iter().map(PathBuf::as_path).chain([Path::new(SYSTEM_DEBUG)]);
    roots.flat_map(|root| [root.join(".build-id").join(&fan), root.join(&fan)]).collect()
}

/// Where the file that `.gnu_debuglink` of the binary at `path` names may be.
pub(super) fn debug_files_by_link(path: &str, link: &str) -> Vec<PathBuf> {
    let (parent, _) = split(path);
    let beside = Path::new(parent);
    vec![
        beside.join(link),
        beside.join(".debug").join(link),
        under(Path::new(SYSTEM_DEBUG), parent).join(link),
    ]
}

/// Where macOS keeps the debug information of the binary at `path`.
pub(super) fn bundles(path: &str) -> Vec<PathBuf> {
    let (_, base) = split(path);
    let bundle = PathBuf::from(format!("{path}.dSYM"));
    vec![bundle.join("Contents/Resources/DWARF").join(base)]
}

/// Where a path that the binary at `binary` mentions may be; it is relative to `directory`.
pub(super) fn mentioned(binary: &str, directory: &str, path: &str) -> Vec<PathBuf> {
    let (parent, _) = split(binary);
    let (_, base) = split(path);
    vec![Path::new(parent).join(directory).join(path), Path::new(parent).join(base)]
}

/// `ab/cdef.debug`.
fn fanned_out(build_id: &str) -> Option<PathBuf> {
    let (first, rest) = build_id.split_at_checked(2).filter(|(_, rest)| !rest.is_empty())?;
    Some(Path::new(first).join(format!("{rest}.debug")))
}

/// Where the symbols of a program of Windows may be that its linker wrote to `recorded`: beside the program,
/// in the directories of the search path, or still there.
pub(super) fn symbols(search: &[PathBuf], path: &str, recorded: &str) -> Vec<PathBuf> {
    let name = recorded.rsplit(['/', '\\']).next().unwrap_or_default();
    let beside = Path::new(path).with_file_name(name);
    let searched = search.iter().map(|directory| directory.join(name));
    std::iter::once(beside).chain(searched).chain([PathBuf::from(recorded)]).collect()
}

/// An absolute `path` as if `dir` were the root.
fn under(dir: &Path, path: &str) -> PathBuf {
    dir.join(path.trim_start_matches('/'))
}

fn split(path: &str) -> (&str, &str) {
    match path.rfind('/') {
        Some(at) => (&path[..at.max(1)], &path[at + 1..]),
        None => ("", path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(found: &[PathBuf], expected: &[&str]) {
        let found: Vec<_> = found.iter().map(|p| p.to_str().unwrap()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn binaries_by_build_id_and_by_name() {
        check(
            &binaries_under(Path::new("/P"), "/usr/bin/ls", "abcde"),
            &[
                "/P/abcde/ls",
                "/P/abcde/*",
                "/P/usr/bin/ls/abcde",
                "/P/ab/cde.debug",
                "/P/ls",
                "/P/usr/bin/ls",
                "/P/usr/bin/ls.debug",
                "/P/usr/bin/.debug/ls.debug",
                "/P/usr/lib/debug/usr/bin/ls.debug",
            ],
        );
        check(&binaries_under(Path::new("/P"), "", "abcde"), &["/P/abcde/*", "/P/ab/cde.debug"]);
        check(&binaries_under(Path::new("/P"), "", ""), &[]);
    }

    #[test]
    fn debug_files() {
        check(
            &debug_files_by_id(&[PathBuf::from("/P")], "abcde"),
            &[
                "/P/.build-id/ab/cde.debug",
                "/P/ab/cde.debug",
                "/usr/lib/debug/.build-id/ab/cde.debug",
                "/usr/lib/debug/ab/cde.debug",
            ],
        );
        check(
            &debug_files_by_link("/usr/bin/ls", "ls.debug"),
            &["/usr/bin/ls.debug", "/usr/bin/.debug/ls.debug", "/usr/lib/debug/usr/bin/ls.debug"],
        );
    }

    #[test]
    fn symbols_of_windows() {
        check(
            &symbols(&[PathBuf::from("/P")], "/here/app.exe", "D:\\build\\app.pdb"),
            &["/here/app.pdb", "/P/app.pdb", "D:\\build\\app.pdb"],
        );
    }

    #[test]
    fn debug_information_of_macos() {
        check(&bundles("/out/app"), &["/out/app.dSYM/Contents/Resources/DWARF/app"]);
    }

    #[test]
    fn mentioned_files_are_relative_to_their_directory_or_beside_the_binary() {
        check(
            &mentioned("/out/app", "/src/app", "obj/a.dwo"),
            &["/src/app/obj/a.dwo", "/out/a.dwo"],
        );
        check(&mentioned("/out/app", "", "../dwz/x"), &["/out/../dwz/x", "/out/x"]);
    }
}
