//! File names as reports show them.

use std::path::MAIN_SEPARATOR;

/// Prefixes that build systems leave in file names and nobody wants to see.
const BUILD_PREFIXES: [&str; 2] = ["/proc/self/cwd/./", "/proc/self/cwd/"];

/// `path` without the parts that only mean something on the machine that built the program.
///
/// `trim_path` lists prefixes to remove. When it is empty, `source_path` decides: everything up to the
/// last element of one of its directories goes. Both are lists in the style of `PATH`.
pub(crate) fn trim<'a>(path: &'a str, trim_path: &str, source_path: &str) -> &'a str {
    if trim_path.is_empty() {
        for dir in split_list(source_path) {
            let marker = format!("/{}/", base(dir));
            if let Some(at) = path.find(&marker) {
                return &path[at + marker.len()..];
            }
        }
    }
    let prefixes = split_list(trim_path).chain(BUILD_PREFIXES);
    prefixes.filter_map(|prefix| strip_dir(path, prefix)).next().unwrap_or(path)
}

/// The entries of a list in the style of `PATH`; none for the empty list.
pub(crate) fn split_list(list: &str) -> impl Iterator<Item = &str> {
    let separator = if MAIN_SEPARATOR == '\\' { ';' } else { ':' };
    list.split(separator).filter(move |_| !list.is_empty())
}

fn strip_dir<'a>(path: &'a str, dir: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(dir)?;
    if dir.ends_with('/') { Some(rest) } else { rest.strip_prefix('/') }
}

/// The shortest path that means the same: no empty or `.` elements, `..` resolved.
pub(crate) fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut kept: Vec<&str> = Vec::new();
    for element in path.split('/') {
        match element {
            "" | "." => {}
            ".." => match kept.last() {
                Some(&last) if last != ".." => _ = kept.pop(),
                None if rooted => {}
                _ => kept.push(".."),
            },
            _ => kept.push(element),
        }
    }
    match (rooted, kept.join("/")) {
        (true, joined) => format!("/{joined}"),
        (false, joined) if joined.is_empty() => ".".to_owned(),
        (false, joined) => joined,
    }
}

/// The last element of a path; `.` for none, `/` for the root.
pub(crate) fn base(path: &str) -> &str {
    if path.is_empty() {
        return ".";
    }
    match path.trim_end_matches('/') {
        "" => "/",
        trimmed => trimmed.rsplit('/').next().unwrap_or(trimmed),
    }
}

/// `dir` and `path` as one clean path.
pub(crate) fn join(dir: &str, path: &str) -> String {
    if dir.is_empty() { clean(path) } else { clean(&format!("{dir}/{path}")) }
}

/// The directory that holds a clean path; the path itself when there is none above it.
pub(crate) fn parent(path: &str) -> String {
    match path.rfind('/') {
        Some(at) => clean(&path[..=at]),
        None => ".".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleaning() {
        let check = |path: &str, expected: &str| assert_eq!(clean(path), expected, "{path}");
        check("a//b/./c", "a/b/c");
        check("a/../../b", "../b");
        check("/../a/", "/a");
        check("a/..", ".");
        check("/", "/");
    }

    #[test]
    fn elements() {
        assert_eq!([base("/a/b/"), base("a"), base("/"), base("")], ["b", "a", "/", "."]);
        assert_eq!([parent("/a/b"), parent("/"), parent("a")], ["/a", "/", "."]);
        assert_eq!(join("/a", "../b"), "/b");
    }

    #[test]
    fn trimming() {
        let check = |path, trim_path, source_path, expected: &str| {
            assert_eq!(trim(path, trim_path, source_path), expected);
        };
        check("/proc/self/cwd/./a.c", "", "", "a.c");
        check("/proc/self/cwd/a.c", "", "", "a.c");
        check("/build/x/a.c", "/none:/build", "", "x/a.c");
        check("/builds/x/a.c", "/build", "", "/builds/x/a.c");
        check("/far/away/project/a.c", "", "/home/me/project", "a.c");
        check("/far/away/project/a.c", "/far", "/home/me/project", "away/project/a.c");
    }
}
