//! Source files of programs that were built elsewhere.
//!
//! Compilers write down where a file was when they read it. Package managers keep the same files at
//! predictable places everywhere, so what another machine called
//! `/build/.cargo/registry/src/…/regex-1.11.1/src/lib.rs` is in this machine's registry, too.

use std::io;
use std::path::{Path, PathBuf};

use oxprof_profile::Profile;
use oxprof_report::SourceFiles;

use super::{LocalObjects, regular};
use crate::plan::Env;

/// No source file is larger.
const MAX_SOURCE: u64 = 64 << 20;

/// Source files on this machine.
#[derive(Debug, Default)]
pub(crate) struct LocalSources<'a> {
    /// `~/.cargo`.
    cargo: Option<PathBuf>,
    /// `~/.rustup`.
    rustup: Option<PathBuf>,
    /// Go's standard library.
    go_roots: Vec<PathBuf>,
    /// Where Go keeps modules.
    go_modules: Option<PathBuf>,
    /// Who may have the sources of these builds.
    remote: Option<(&'a LocalObjects, Vec<String>)>,
}

impl<'a> LocalSources<'a> {
    /// As the environment says.
    pub(crate) fn from_env(env: Env<'_>) -> Self {
        let set = |name: &str| env(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let home = set(if cfg!(windows) { "USERPROFILE" } else { "HOME" });
        let in_home = |path: &str| home.as_ref().map(|home| home.join(path));
        let go_path = set("GOPATH").or_else(|| in_home("go"));
        let mut go_roots: Vec<_> = set("GOROOT").into_iter().collect();
        go_roots.extend(["/usr/local/go", "/usr/lib/go"].map(PathBuf::from));
        Self {
            cargo: set("CARGO_HOME").or_else(|| in_home(".cargo")),
            rustup: set("RUSTUP_HOME").or_else(|| in_home(".rustup")),
            go_roots,
            go_modules: set("GOMODCACHE").or_else(|| go_path.map(|p| p.join("pkg/mod"))),
            remote: None,
        }
    }

    /// What is not here may be at a server that knows the builds of `profile`.
    pub(crate) fn or_from(self, objects: &'a LocalObjects, profile: &Profile) -> Self {
        let ids = profile.mappings.iter().map(|mapping| profile.str(mapping.build_id).to_owned());
        Self { remote: Some((objects, ids.filter(|id| !id.is_empty()).collect())), ..self }
    }

    /// Where the file may be that a compiler called `path`, apart from there.
    fn candidates(&self, path: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        if let Some((_, library)) = rust_library(path) {
            found.extend(self.toolchains().map(|t| t.join("lib/rustlib/src/rust").join(library)));
        }
        if let (Some(cargo), Some((_, rest))) = (&self.cargo, path.split_once("/registry/src/")) {
            // The directory below is named after the registry's address.
            let rest = rest.split_once('/').map_or(rest, |(_, rest)| rest);
            found.extend(entries(&cargo.join("registry/src")).map(|index| index.join(rest)));
        }
        if let (Some(cargo), Some((_, rest))) = (&self.cargo, path.split_once("/git/checkouts/")) {
            found.push(cargo.join("git/checkouts").join(rest));
        }
        if path.ends_with(".go") || path.ends_with(".s") {
            found.extend(self.go_module(path));
            let inside = path.rsplit_once("/go/src/").map_or(path, |(_, rest)| rest);
            let inside = inside.trim_start_matches('/');
            found.extend(self.go_roots.iter().map(|root| root.join("src").join(inside)));
        }
        found
    }

    /// Toolchains of rustup, by name.
    fn toolchains(&self) -> impl Iterator<Item = PathBuf> {
        self.rustup.iter().flat_map(|rustup| entries(&rustup.join("toolchains")))
    }

    /// `github.com/owner/module@v1.2.3/file.go`, with whatever before.
    fn go_module(&self, path: &str) -> Option<PathBuf> {
        let version = path.find("@v")?;
        let host = path[..version].split('/').find(|part| part.contains('.'))?;
        let module = &path[path.find(host)?..];
        Some(self.go_modules.as_ref()?.join(escape_upper_case(module)))
    }
}

impl SourceFiles for LocalSources<'_> {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let error = match regular::read(Path::new(path), MAX_SOURCE) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => e,
            result => return result,
        };
        if let Some(bytes) =
            self.candidates(path).iter().find_map(|p| regular::read(p, MAX_SOURCE).ok())
        {
            return Ok(bytes);
        }
        let remote = self.remote.as_ref();
        if let Some(bytes) = remote.and_then(|(objects, ids)| objects.source(path, ids)) {
            return Ok(bytes);
        }
        Err(hint(path).map_or(error, io::Error::other))
    }
}

/// What to do about a file that is missing.
fn hint(path: &str) -> Option<&'static str> {
    let is_registry = path.contains("/registry/src/") || path.contains("/git/checkouts/");
    if rust_library(path).is_some() {
        Some("no such file; for Rust's own sources run: rustup component add rust-src")
    } else if is_registry {
        Some("no such file; for sources of crates run cargo fetch in the program's workspace")
    } else if path.contains("@v") && path.ends_with(".go") {
        Some("no such file; for sources of modules run go mod download in the program's module")
    } else {
        None
    }
}

/// Splits `/rustc/HASH/library/…` and paths into any toolchain's copy of it before `library`.
fn rust_library(path: &str) -> Option<(&str, &str)> {
    const INSTALLED: &str = "/lib/rustlib/src/rust/";
    let at = match path.find(INSTALLED) {
        Some(at) => at + INSTALLED.len(),
        None => {
            const BUILT: &str = "/rustc/";
            BUILT.len() + path.strip_prefix(BUILT)?.find('/')? + 1
        }
    };
    Some(path.split_at(at)).filter(|(_, library)| library.starts_with("library/"))
}

/// Go's module cache lives on file systems that confuse `A` and `a`: it calls them `!a` and `a`.
fn escape_upper_case(module: &str) -> String {
    let mut escaped = String::new();
    let (path, file) = module.split_once('@').unwrap_or((module, ""));
    for c in path.chars() {
        if c.is_ascii_uppercase() {
            escaped.push('!');
        }
        escaped.push(c.to_ascii_lowercase());
    }
    format!("{escaped}@{file}")
}

/// What is in a directory, by name; nothing if there is no such directory.
fn entries(directory: &Path) -> std::vec::IntoIter<PathBuf> {
    let found = std::fs::read_dir(directory).into_iter().flatten();
    let mut paths: Vec<_> = found.filter_map(|e| Some(e.ok()?.path())).collect();
    paths.sort();
    paths.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A home directory with `file`.
    fn with_file(test: &str, file: &str, check: impl FnOnce(&LocalSources<'_>)) {
        let root = std::env::temp_dir().join(format!("oxprof-{test}-{}", std::process::id()));
        let path = root.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "source\n").unwrap();
        let sources = LocalSources {
            cargo: Some(root.join("cargo")),
            rustup: Some(root.join("rustup")),
            go_roots: vec![root.join("goroot")],
            go_modules: Some(root.join("modules")),
            remote: None,
        };
        check(&sources);
        std::fs::remove_dir_all(&root).unwrap();
    }

    #[track_caller]
    fn check(test: &str, file: &str, recorded: &str) {
        with_file(test, file, |sources| {
            assert_eq!(sources.read(recorded).unwrap(), b"source\n", "{recorded}");
        });
    }

    #[test]
    fn rust_library_of_any_toolchain() {
        let file = "rustup/toolchains/stable/lib/rustlib/src/rust/library/core/src/str/mod.rs";
        check("rustc", file, "/rustc/59807616e1fa/library/core/src/str/mod.rs");
        let elsewhere = "/opt/rust/lib/rustlib/src/rust/library/core/src/str/mod.rs";
        check("toolchain", file, elsewhere);
    }

    #[test]
    fn crates_of_registries_and_repositories() {
        check(
            "registry",
            "cargo/registry/src/index.crates.io-6f17/regex-1.11.1/src/lib.rs",
            "/ci/.cargo/registry/src/index.crates.io-1949/regex-1.11.1/src/lib.rs",
        );
        check(
            "git",
            "cargo/git/checkouts/tokio-0a1b/c2d3/src/lib.rs",
            "/ci/.cargo/git/checkouts/tokio-0a1b/c2d3/src/lib.rs",
        );
    }

    #[test]
    fn go_modules_and_library() {
        let file = "modules/github.com/!burnt!sushi/toml@v1.2.3/Decode.go";
        check("module", file, "/here/github.com/BurntSushi/toml@v1.2.3/Decode.go");
        check("module-path", file, "/ci/go/pkg/mod/github.com/BurntSushi/toml@v1.2.3/Decode.go");
        check("goroot", "goroot/src/fmt/print.go", "/fmt/print.go");
        check("goroot-path", "goroot/src/fmt/print.go", "/opt/go/src/fmt/print.go");
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_not_read() {
        let error = LocalSources::default().read("/dev/zero").unwrap_err();
        assert_eq!(error.to_string(), "not a regular file");
    }

    #[test]
    fn what_is_missing_says_how_to_get_it() {
        let sources = LocalSources::default();
        let message = |path: &str| sources.read(path).unwrap_err().to_string();
        assert!(message("/rustc/59807616/library/core/src/lib.rs").contains("rust-src"));
        assert!(message("/x/registry/src/i/a-1/src/lib.rs").contains("cargo fetch"));
        assert!(message("/x/example.com/a@v1.0.0/a.go").contains("go mod download"));
        assert_eq!(sources.read("/no/such/file").unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
