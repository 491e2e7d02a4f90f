//! The binaries of this machine, for names, lines and machine code.

mod cache;
mod code;
mod debuginfod;
mod kernel;
mod regular;
mod search;
mod sources;
mod vdso;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use oxprof_profile::Profile;
use oxprof_symbols::symbolize::{
    DebugLink, Note, ObjectFile, ObjectSource, SymbolizeOptions, demangle_functions,
};
use oxprof_symbols::{
    BuildId, Bytes, Content as _, Data, DebugFile, Demangle, Object, Parts, ReadAt, unpack,
};

use crate::failure::{Result, file_error, reason};
use crate::plan::{self, Env, SymbolPlan};
use crate::ui::Ui;

use cache::SymbolCache;
pub(crate) use code::LocalCode;
use debuginfod::Debuginfod;
use kernel::{Kernel, Running};
pub(crate) use sources::LocalSources;

/// Finds binaries in the directories of `PPROF_BINARY_PATH`, at the places that profiles name, and
/// debug files where the system keeps them.
#[derive(Debug, Default)]
pub(crate) struct LocalObjects {
    search: Vec<PathBuf>,
    debuginfod: Option<Debuginfod>,
    cache: Option<SymbolCache>,
    /// What there is to tell the user.
    notes: Mutex<Vec<String>>,
}

impl LocalObjects {
    /// As the environment says.
    ///
    /// # Errors
    /// When a variable makes no sense.
    pub(crate) fn from_env(env: Env<'_>) -> Result<Self> {
        let list = env("PPROF_BINARY_PATH").filter(|list| !list.is_empty());
        let home = env(if cfg!(windows) { "USERPROFILE" } else { "HOME" });
        let search = match (list, home) {
            (Some(list), _) => std::env::split_paths(&list).collect(),
            (None, Some(home)) => vec![Path::new(&home).join("pprof/binaries")],
            (None, None) => Vec::new(),
        };
        Ok(Self {
            search,
            debuginfod: Debuginfod::from_env(env),
            cache: SymbolCache::from_env(env)?,
            notes: Mutex::default(),
        })
    }

    /// A source file of one of these builds, from a server.
    fn source(&self, path: &str, build_ids: &[String]) -> Option<Vec<u8>> {
        let debuginfod = self.debuginfod.as_ref().filter(|_| path.starts_with('/'))?;
        let wanted = debuginfod::Wanted::Source(path);
        build_ids.iter().find_map(|build_id| debuginfod.get(build_id, wanted, |_| true))
    }

    /// The binary of a build, from a server; failing that, what was split off from it.
    fn remote(&self, build_id: &str) -> Option<Bytes> {
        self.remote_file(build_id, debuginfod::Wanted::Executable)
            .or_else(|| self.remote_file(build_id, debuginfod::Wanted::DebugInfo))
    }

    fn remote_file(&self, build_id: &str, wanted: debuginfod::Wanted<'_>) -> Option<Bytes> {
        let is_right = |data: &[u8]| is_build(Data::from(data), build_id);
        Some(Arc::new(self.debuginfod.as_ref()?.get(build_id, wanted, is_right)?))
    }

    fn note(&self, note: String) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(note);
    }

    fn take_notes(&self) -> Vec<String> {
        let mut notes = self.debuginfod.as_ref().map(Debuginfod::take_notes).unwrap_or_default();
        notes.append(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner));
        notes
    }

    /// The kernel's image, or that of a module; failing that, what the running kernel says of both.
    fn kernel(
        &self,
        kernel: Kernel<'_>,
        file: &str,
        build_id: &str,
    ) -> std::result::Result<ObjectFile, String> {
        let running = Running::read();
        let mut paths = search::debug_files_by_id(&self.search, build_id);
        paths.extend(kernel.paths(&self.search, running.release.as_deref()));
        let found = paths.into_iter().find_map(|path| {
            let data = match open(&path) {
                Ok(data) => data,
                Err(e) => {
                    if e.kind() == io::ErrorKind::InvalidData {
                        self.note(format!("Ignoring {}: {e}", path.display()));
                    }
                    return None;
                }
            };
            let is_right = match build_id {
                "" => Object::parse(data.data()).is_ok(),
                _ => is_build(data.data(), build_id),
            };
            is_right.then(|| ObjectFile { path: text(&path), data })
        });
        if let Some(found) = found {
            return Ok(found);
        }
        if !running.is(kernel, build_id) {
            return Err(format!("{file} is of another kernel than the one that runs here"));
        }
        let names = std::fs::read("/proc/kallsyms").map_err(|e| file_error("open", file, &e))?;
        Ok(ObjectFile { path: file.to_owned(), data: Arc::new(names) })
    }

    /// The first binary of the search path that is one; one of another build is passed over.
    fn search(
        &self,
        file: &str,
        build_id: &str,
        note: &mut dyn FnMut(String),
    ) -> Option<ObjectFile> {
        let patterns = self.search.iter().flat_map(|d| search::binaries_under(d, file, build_id));
        for path in patterns.flat_map(expand) {
            let Ok(data) = open(&path) else { continue };
            let Ok(object) = Object::parse(data.data()) else { continue };
            let found = object.build_id().map(|id| id.to_string()).unwrap_or_default();
            if found.is_empty() || build_id.is_empty() || found == build_id {
                drop(object);
                return Some(ObjectFile { path: text(&path), data });
            }
            let path = path.display();
            note(format!("Ignoring local file {path}: build-id mismatch ({build_id} != {found})"));
        }
        None
    }
}

impl ObjectSource for LocalObjects {
    fn open(
        &self,
        file: &str,
        build_id: &str,
        note: &mut dyn FnMut(String),
    ) -> std::result::Result<ObjectFile, String> {
        if let Some(kernel) = Kernel::of(file) {
            return self.kernel(kernel, file, build_id);
        }
        if let Some(found) = self.search(file, build_id, note) {
            return Ok(found);
        }
        if vdso::is_vdso(file) {
            let data = vdso::read().map_err(|e| file_error("read", file, &e))?;
            if !build_id.is_empty() && !is_build(Data::from(&data), build_id) {
                return Err(format!("{file} is of another kernel than the one that runs here"));
            }
            return Ok(ObjectFile { path: file.to_owned(), data: Arc::new(data) });
        }
        let is_other = |data: &Bytes| !build_id.is_empty() && !is_build(data.data(), build_id);
        let path = file.to_owned();
        match open(Path::new(file)) {
            Ok(data) if is_other(&data) => {
                // What has its build id elsewhere, or none, is for others to judge.
                let data = self.remote(build_id).unwrap_or(data);
                Ok(ObjectFile { path, data })
            }
            Ok(data) => Ok(ObjectFile { path, data }),
            Err(e) => {
                // Debug files of a binary that is gone still have its names and lines.
                let debug =
                    || read_first(search::debug_files_by_id(&self.search, build_id), |_| true);
                let data = self.remote(build_id).or_else(debug);
                data.map(|data| ObjectFile { path, data }).ok_or(file_error("open", file, &e))
            }
        }
    }

    fn debug_file(
        &self,
        path: &str,
        build_id: Option<BuildId<'_>>,
        link: Option<DebugLink<'_>>,
    ) -> Option<Bytes> {
        let by_id = build_id.and_then(|id| {
            let paths = search::debug_files_by_id(&self.search, &id.to_string());
            read_first(paths, |data| Object::parse(data).is_ok_and(|o| o.build_id() == Some(id)))
        });
        let bundle = || read_first(search::bundles(path), |_| true);
        let linked = || {
            let link = link?;
            let paths = search::debug_files_by_link(path, link.file);
            read_first(paths, |data| data.all().is_some_and(|data| crc32(data) == link.crc))
        };
        let fetched = || self.remote_file(&build_id?.to_string(), debuginfod::Wanted::DebugInfo);
        by_id.or_else(bundle).or_else(linked).or_else(fetched)
    }

    fn further(&self, path: &str, file: DebugFile<'_>) -> Option<Bytes> {
        let paths = match file {
            DebugFile::Shared { path: shared, build_id } => {
                let mut paths = search::mentioned(path, "", shared);
                let build_id = BuildId(build_id).to_string();
                paths.extend(search::debug_files_by_id(&self.search, &build_id));
                let fetched = || self.remote_file(&build_id, debuginfod::Wanted::DebugInfo);
                return read_first(paths, |_| true).or_else(fetched);
            }
            DebugFile::Symbols { path: recorded } => search::symbols(&self.search, path, recorded),
            DebugFile::Package => vec![PathBuf::from(format!("{path}.dwp"))],
            DebugFile::Split { directory, path: split } => {
                search::mentioned(path, directory, split)
            }
            _ => Vec::new(),
        };
        read_first(paths, |_| true)
    }

    fn recall(&self, build_id: &str) -> Option<Vec<u8>> {
        Some(self.cache.as_ref()?.load(build_id).unwrap_or_default())
    }

    fn remember(&self, build_id: &str, answers: &[u8]) {
        let Some(cache) = &self.cache else { return };
        if let Err(e) = cache.save(build_id, answers) {
            self.note(format!("OXPROF_SYMBOL_CACHE: cannot keep symbols: {}", reason(&e)));
        }
    }
}

/// Names and lines for a profile, as the plan wants them.
pub(crate) fn symbolize(
    profile: &mut Profile,
    objects: &LocalObjects,
    plan: &SymbolPlan,
    ui: &dyn Ui,
) {
    let demangle = demangle(plan);
    let options = SymbolizeOptions {
        local: plan.mode.local,
        names_only: plan.mode.fast,
        force: plan.mode.force,
        demangle,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
    };
    if !options.local && !plan.mode.remote {
        if plan.mode.force {
            demangle_functions(profile, demangle, true);
        }
        return;
    }
    let needs_symbols = profile.locations.iter().any(|location| location.lines.is_empty());
    for note in oxprof_symbols::symbolize::symbolize(profile, objects, &options) {
        // Nobody misses the program of a profile that has all names already.
        if needs_symbols || note != Note::NoMainBinary {
            ui.note(&note.to_string());
        }
    }
    for note in objects.take_notes() {
        ui.note(&note);
    }
}

/// Readable names for what other sources of symbols have added.
pub(crate) fn demangle_added(profile: &mut Profile, plan: &SymbolPlan) {
    demangle_functions(profile, demangle(plan), false);
}

/// How the plan wants names.
fn demangle(plan: &SymbolPlan) -> Demangle {
    match plan.mode.demangle {
        None => Demangle::None,
        Some(plan::Demangle::Short) => Demangle::Default,
        Some(plan::Demangle::Templates) => Demangle::Templates,
        Some(plan::Demangle::Full) => Demangle::Full,
    }
}

/// Whether an object is of this very build.
fn is_build(data: Data<'_>, build_id: &str) -> bool {
    Object::parse(data).is_ok_and(|object| object.identity().as_deref() == Some(build_id))
}

/// A path that ends in `*` stands for the files of its directory, by name.
fn expand(path: PathBuf) -> Vec<PathBuf> {
    if path.file_name().is_none_or(|name| name != "*") {
        return vec![path];
    }
    let Some(entries) = path.parent().and_then(|dir| std::fs::read_dir(dir).ok()) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    files.sort();
    files
}

/// The first file that can be read and is what was looked for.
fn read_first(paths: Vec<PathBuf>, is_right: impl Fn(Data<'_>) -> bool) -> Option<Bytes> {
    paths.into_iter().find_map(|path| open(&path).ok().filter(|data| is_right(data.data())))
}

/// No binary is larger.
const MAX_BINARY: u64 = 64 << 30;

/// A file that is read as it is asked for, or what is in it if it is compressed as a whole.
fn open(path: &Path) -> io::Result<Bytes> {
    let (file, size) = regular::open(path, MAX_BINARY)?;
    let parts = Parts::new(OpenFile { file, size });
    match unpack(parts.data()) {
        None => Ok(Arc::new(parts)),
        Some(Ok(unpacked)) => Ok(Arc::new(unpacked)),
        Some(Err(e)) => Err(io::Error::new(io::ErrorKind::InvalidData, e)),
    }
}

/// A file on a disk.
struct OpenFile {
    file: std::fs::File,
    size: u64,
}

impl ReadAt for OpenFile {
    fn size(&self) -> u64 {
        self.size
    }

    #[cfg(unix)]
    fn read_at(&self, offset: u64, into: &mut [u8]) -> bool {
        use std::os::unix::fs::FileExt;
        self.file.read_exact_at(into, offset).is_ok()
    }

    #[cfg(windows)]
    fn read_at(&self, mut offset: u64, mut into: &mut [u8]) -> bool {
        use std::os::windows::fs::FileExt;
        while !into.is_empty() {
            let Ok(count @ 1..) = self.file.seek_read(into, offset) else { return false };
            offset += count as u64;
            into = &mut into[count..];
        }
        true
    }
}

/// The checksum of `.gnu_debuglink`.
fn crc32(data: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(data);
    crc.sum()
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// A directory in which files of several names are this test program.
    struct Directory(PathBuf);

    impl Directory {
        fn with(test: &str, names: &[&str]) -> Self {
            let root = std::env::temp_dir().join(format!("oxprof-{test}-{}", std::process::id()));
            for name in names {
                let path = root.join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::os::unix::fs::symlink(std::env::current_exe().unwrap(), path).unwrap();
            }
            Self(root)
        }

        fn objects(&self) -> LocalObjects {
            LocalObjects { search: vec![self.0.clone()], ..LocalObjects::default() }
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn own_build_id() -> String {
        let data = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        Object::parse(&data).unwrap().build_id().unwrap().to_string()
    }

    /// Where a binary is found below the search path; what is said meanwhile.
    fn open(
        objects: &LocalObjects,
        file: &str,
        id: &str,
    ) -> (std::result::Result<String, String>, Vec<String>) {
        let mut notes = Vec::new();
        let found = objects.open(file, id, &mut |note| notes.push(note));
        let root = objects.search[0].to_str().unwrap();
        let strip = |text: &str| text.replace(root, "P");
        (found.map(|f| strip(&f.path)), notes.iter().map(|n| strip(n)).collect())
    }

    #[test]
    fn binaries_of_the_search_path_come_first() {
        let dir = Directory::with("search", &["program", "deep/down/tool"]);
        let objects = dir.objects();
        assert_eq!(open(&objects, "/gone/program", "").0, Ok("P/program".into()));
        assert_eq!(open(&objects, "/deep/down/tool", "").0, Ok("P/deep/down/tool".into()));
        let gone = "open /gone/other: no such file or directory";
        assert_eq!(open(&objects, "/gone/other", ""), (Err(gone.into()), vec![]));
    }

    #[test]
    fn a_mapping_may_name_what_is_no_binary() {
        let dir = Directory::with("no-binary", &["program"]);
        let objects = dir.objects();
        let message = |file: &str| open(&objects, file, "").0.unwrap_err();
        assert_eq!(message("/dev/zero"), "open /dev/zero: not a regular file");
        let sparse = dir.0.join("sparse");
        let created = std::fs::File::create(&sparse).unwrap();
        if let Err(e) = created.set_len(15 << 40) {
            return eprintln!("skipped: {e}");
        }
        let elsewhere = LocalObjects { search: vec![PathBuf::from("/gone")], ..<_>::default() };
        let error = open(&elsewhere, sparse.to_str().unwrap(), "").0.unwrap_err();
        assert!(error.ends_with("sparse: larger than 65536 MiB"), "{error}");
    }

    #[test]
    fn modules_may_be_compressed() {
        use std::io::Write;

        let dir = Directory::with("compressed", &[]);
        std::fs::create_dir_all(&dir.0).unwrap();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"\x7fELF and so on").unwrap();
        let packed = gzip.finish().unwrap();
        std::fs::write(dir.0.join("ext4.ko.gz"), &packed).unwrap();
        let data = super::open(&dir.0.join("ext4.ko.gz")).unwrap();
        assert_eq!(data.data().all(), Some(&b"\x7fELF and so on"[..]));
        std::fs::write(dir.0.join("xfs.ko.gz"), &packed[..20]).unwrap();
        let objects = LocalObjects { search: vec![dir.0.clone()], ..LocalObjects::default() };
        let _ = objects.open("[xfs]", "abcd", &mut |_| {});
        let notes = objects.take_notes().join("\n");
        assert!(notes.contains("xfs.ko.gz") && notes.contains("not decompress"), "{notes}");
    }

    #[test]
    fn another_build_is_passed_over_with_a_remark() {
        let id = own_build_id();
        let dir = Directory::with("mismatch", &["program", "abcd/renamed"]);
        let objects = dir.objects();
        let (found, notes) = open(&objects, "/gone/program", "abcd");
        assert_eq!(found, Err("open /gone/program: no such file or directory".into()));
        let remark =
            |path: &str| format!("Ignoring local file P/{path}: build-id mismatch (abcd != {id})");
        assert_eq!(notes, [remark("abcd/renamed"), remark("program")]);
        assert_eq!(open(&objects, "/gone/program", &id), (Ok("P/program".into()), vec![]));
    }

    #[test]
    fn debug_files_are_checked_before_they_are_believed() {
        let id = own_build_id();
        let by_id = format!(".build-id/{}/{}.debug", &id[..2], &id[2..]);
        let dir = Directory::with("debug", &[&by_id, "app.debug"]);
        let data = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let build_id = Object::parse(&data).unwrap().build_id();
        let path = text(&dir.0.join("app"));
        let file = |id, crc| {
            let link = Some(DebugLink { file: "app.debug", crc });
            dir.objects().debug_file(&path, id, link).is_some()
        };
        assert!(file(build_id, 0));
        assert!(file(None, crc32(&data)));
        assert!(!file(Some(BuildId(b"other")), 0));
    }
}
