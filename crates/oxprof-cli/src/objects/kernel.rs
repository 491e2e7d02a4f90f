//! Images of the kernel and its modules. Profiles call them by names that are no paths: `[kernel.kallsyms]`,
//! `[ext4]`.

use std::path::{Path, PathBuf};

use oxprof_symbols::BuildId;

/// What a mapping in brackets stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kernel<'a> {
    /// The kernel itself.
    Image,
    /// A module.
    Module(&'a str),
}

impl<'a> Kernel<'a> {
    /// `None` for what is of a process, and for kernels of other machines.
    pub(super) fn of(file: &'a str) -> Option<Self> {
        let (name, _) = file.strip_prefix('[')?.split_once(']')?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        match name {
            _ if name == "kernel" || name.starts_with("kernel.") => Some(Self::Image),
            "vdso" | "vsyscall" | "vvar" | "stack" | "heap" | "unknown" | "" => None,
            _ if name.chars().all(is_name) => Some(Self::Module(name)),
            _ => None,
        }
    }

    /// Where its file may be, given the release that runs here.
    pub(super) fn paths(self, search: &[PathBuf], release: Option<&str>) -> Vec<PathBuf> {
        let names: Vec<_> = match self {
            Self::Image => {
                let versioned = release.map(|release| format!("vmlinux-{release}"));
                versioned.into_iter().chain(["vmlinux".to_owned()]).collect()
            }
            // Files may have dashes where names have none.
            Self::Module(name) => {
                let stems = [format!("{name}.ko"), format!("{name}.ko").replace('_', "-")];
                stems.iter().flat_map(|stem| compressed_or_not(stem)).collect()
            }
        };
        let named = |dir: &PathBuf| names.iter().map(|name| dir.join(name)).collect::<Vec<_>>();
        let mut paths: Vec<_> = search.iter().flat_map(named).collect();
        if let Some(release) = release {
            paths.extend(self.installed(release));
        }
        paths
    }

    /// Where distributions put it.
    fn installed(self, release: &str) -> Vec<PathBuf> {
        let modules = Path::new("/lib/modules").join(release);
        let debug = Path::new("/usr/lib/debug");
        match self {
            Self::Image => vec![
                debug.join(format!("boot/vmlinux-{release}")),
                debug.join("lib/modules").join(release).join("vmlinux"),
                modules.join("build/vmlinux"),
                modules.join("vmlinux"),
                PathBuf::from(format!("/boot/vmlinux-{release}")),
            ],
            Self::Module(name) => {
                let list = std::fs::read_to_string(modules.join("modules.dep")).unwrap_or_default();
                let Some(path) = listed(&list, name) else { return Vec::new() };
                let split_off = debug.join("lib/modules").join(release).join(path);
                let modules = compressed_or_not(path).map(|path| modules.join(path));
                std::iter::once(split_off).chain(modules).collect()
            }
        }
    }
}

/// Most distributions compress modules, each in its way.
fn compressed_or_not(path: &str) -> impl Iterator<Item = String> + '_ {
    ["", ".xz", ".zst", ".gz"].iter().map(move |suffix| format!("{path}{suffix}"))
}

/// The path of a module in `modules.dep`, without what says how it is compressed.
fn listed<'a>(list: &'a str, name: &str) -> Option<&'a str> {
    list.lines().find_map(|line| {
        let (path, _) = line.split_once(':')?;
        let (stem, _) = path.rsplit('/').next()?.split_once(".ko")?;
        let end = path.rfind(".ko")? + ".ko".len();
        (stem.replace('-', "_") == name.replace('-', "_")).then(|| &path[..end])
    })
}

/// Release and build of the kernel that runs here, as far as it says.
#[derive(Debug, Default)]
pub(super) struct Running {
    pub(super) release: Option<String>,
    pub(super) build_id: Option<String>,
}

impl Running {
    pub(super) fn read() -> Self {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").ok();
        let notes = std::fs::read("/sys/kernel/notes").ok();
        Self {
            release: release.map(|release| release.trim().to_owned()),
            build_id: notes.and_then(|notes| note_id(&notes)),
        }
    }

    /// Whether what it says of itself is of this build. Modules have builds of their own.
    pub(super) fn is(&self, file: Kernel<'_>, build_id: &str) -> bool {
        let own = match file {
            Kernel::Image => self.build_id.clone(),
            Kernel::Module(name) => {
                let note = format!("/sys/module/{name}/notes/.note.gnu.build-id");
                std::fs::read(note).ok().and_then(|notes| note_id(&notes))
            }
        };
        build_id.is_empty() || own.as_deref() == Some(build_id)
    }
}

/// The build id among notes.
fn note_id(notes: &[u8]) -> Option<String> {
    const GNU_BUILD_ID: &[u8] = b"\x03\0\0\0GNU\0";
    let at = notes.windows(GNU_BUILD_ID.len()).position(|w| w == GNU_BUILD_ID)?;
    let size = u32::from_ne_bytes(notes.get(at.checked_sub(4)?..at)?.try_into().ok()?);
    let start = at + GNU_BUILD_ID.len();
    Some(BuildId(notes.get(start..start + usize::try_from(size).ok()?)?).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_brackets() {
        let check = |file, expected| assert_eq!(Kernel::of(file), expected, "{file}");
        check("[kernel.kallsyms]_text", Some(Kernel::Image));
        check("[kernel]", Some(Kernel::Image));
        check("[ext4]", Some(Kernel::Module("ext4")));
        check("[guest.kernel.kallsyms]", None);
        check("[vdso]", None);
        check("[anon:heap]", None);
        check("/bin/[", None);
    }

    #[test]
    fn where_images_are() {
        let search = [PathBuf::from("/P")];
        let image = Kernel::Image.paths(&search, Some("6.1"));
        assert_eq!(
            image[..3],
            ["/P/vmlinux-6.1", "/P/vmlinux", "/usr/lib/debug/boot/vmlinux-6.1"].map(PathBuf::from)
        );
        let module = Kernel::Module("snd_hda").paths(&search, None);
        let path = |suffix| PathBuf::from(format!("/P/snd_hda.ko{suffix}"));
        assert_eq!(module[..4], ["", ".xz", ".zst", ".gz"].map(path));
        assert_eq!(module[4], Path::new("/P/snd-hda.ko"));
    }

    #[test]
    fn modules_of_a_list() {
        let list = "kernel/fs/ext4/ext4.ko.xz: kernel/lib/crc16.ko.xz\nkernel/sound/snd-hda.ko:\n";
        assert_eq!(listed(list, "ext4"), Some("kernel/fs/ext4/ext4.ko"));
        assert_eq!(listed(list, "snd_hda"), Some("kernel/sound/snd-hda.ko"));
        assert_eq!(listed(list, "crc16"), None);
    }

    #[test]
    fn the_id_of_a_kernel() {
        let notes =
            b"\x04\0\0\0\x04\0\0\0\x01\0\0\0Xen\0abcd\x04\0\0\0\x02\0\0\0\x03\0\0\0GNU\0\xab\xcd";
        assert_eq!(note_id(notes), Some("abcd".into()));
        assert_eq!(note_id(&notes[..10]), None);
    }
}
