//! Files that are compressed as a whole, and symbols that are.
#![cfg(feature = "packed")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use oxprof_symbols::{Content, Data, Object, Parts, ReadAt, Store, Svma, unpack};

/// `data` as a command that is installed makes it of it; `None`, with a word on stderr, where it is not.
fn packed(tool: &str, data: &[u8]) -> Option<Vec<u8>> {
    let mut words = tool.split(' ');
    let mut command = Command::new(words.next().unwrap());
    let command = command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        eprintln!("skipped: {tool} is not installed");
        return None;
    };
    let mut input = child.stdin.take().unwrap();
    let data = data.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&data).unwrap());
    let out = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Some(out.stdout)
}

const TOOLS: [&str; 5] = [
    "gzip -c",
    "xz -c --check=crc32 --lzma2=dict=2MiB",
    "xz -c -9 -T2 --block-size=100000",
    "zstd -c",
    "zstd -19 -c",
];

fn content() -> Vec<u8> {
    (0..100_000_u32).flat_map(|i| (i.wrapping_mul(0x9e37_79b9) >> 20).to_le_bytes()).collect()
}

#[test]
fn what_is_packed_comes_out() {
    let content = content();
    for tool in TOOLS {
        let Some(packed) = packed(tool, &content) else { continue };
        assert!(unpack(Data::from(&packed)).unwrap().unwrap() == content, "{tool}");
    }
    assert!(unpack(Data::from(&content)).is_none());
    assert!(unpack(Data::from(b"\x1f\x8b")).is_none());
}

#[test]
fn damage_and_bombs_are_errors() {
    let zeros = vec![0; 8 << 20];
    for tool in TOOLS {
        let Some(mut bomb) = packed(tool, &zeros) else { continue };
        let error = unpack(Data::from(&bomb)).unwrap().unwrap_err().to_string();
        assert!(error.contains("come out"), "{tool}: {error}");
        bomb.truncate(bomb.len() / 2);
        unpack(Data::from(&bomb)).unwrap().unwrap_err();
        let packed = packed(tool, &content()).unwrap();
        // Wherever it is damaged, it ends.
        for at in (6..packed.len()).step_by(packed.len() / 40) {
            let mut damaged = packed.clone();
            damaged[at] ^= 0x55;
            let _ = unpack(Data::from(&damaged)).unwrap();
            let _ = unpack(Data::from(&packed[..at])).unwrap().unwrap_err();
        }
    }
}

/// An archive of somebody's, as long as a disk, of which only the start may be read.
struct Archive;

impl ReadAt for Archive {
    fn size(&self) -> u64 {
        1 << 40
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> bool {
        assert!(offset == 0 && into.len() < 1 << 20, "{} at {offset}", into.len());
        into.fill(0);
        into[..3].copy_from_slice(&[0x1f, 0x8b, 8]);
        true
    }
}

#[test]
fn what_is_too_long_is_not_read() {
    let archive = Parts::new(Archive);
    let error = unpack(archive.data()).unwrap().unwrap_err().to_string();
    assert!(error.contains("more than 134217728 bytes"), "{error}");
}

const PROGRAM: &str = r#"
static int __attribute__((noinline)) hidden(int n) { return n * n + 1; }
int __attribute__((noinline)) exported(int n) { return hidden(n) + 2; }
int main(int argc, char **argv) { return exported(argc); }
"#;

/// A directory of its own, deleted in the end.
struct Workshop(PathBuf);

impl Workshop {
    /// Runs the lines of a script; `None`, with a word on stderr, if a tool is missing.
    fn build(script: &str) -> Option<Self> {
        let dir = std::env::temp_dir().join(format!("oxprof-packed-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("app.c"), PROGRAM).unwrap();
        let shop = Self(dir);
        let out = Command::new("sh").args(["-ec", script]).current_dir(&shop.0).output();
        match out {
            Ok(out) if out.status.success() => Some(shop),
            Ok(out) => {
                eprintln!("skipped: {}", String::from_utf8_lossy(&out.stderr));
                None
            }
            Err(e) => {
                eprintln!("skipped: {e}");
                None
            }
        }
    }

    fn read(&self, file: &str) -> Vec<u8> {
        std::fs::read(Path::new(&self.0).join(file)).unwrap()
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What Fedora does to each of its binaries.
const MINI: &str = "
cc -O1 -rdynamic app.c -o whole
nm -D whole --format=posix --defined-only | awk '{ print $1 }' | sort > exported
nm whole --format=posix --defined-only | awk '$2 == \"T\" || $2 == \"t\" { print $1 }' | sort > all
comm -13 exported all > keep
objcopy --only-keep-debug whole debug
objcopy -S --remove-section .comment --keep-symbols=keep debug mini
xz mini
objcopy -S --add-section .gnu_debugdata=mini.xz whole app
";

#[test]
fn symbols_that_are_not_exported() {
    let Some(shop) = Workshop::build(MINI) else { return };
    let (whole, app) = (shop.read("whole"), shop.read("app"));
    let (whole, store) = (Object::parse(&whole).unwrap(), Store::default());
    let app = Object::parse_with(&app, &store).unwrap();
    let name = |object: &Object<'_>, at: Svma| object.symbol(at).map(|s| s.name.into_owned());
    for function in ["hidden", "exported", "main"] {
        let symbol = whole.symbols().find(|s| s.name == function).unwrap();
        assert_eq!(name(&app, symbol.start).as_deref(), Some(function));
        let last = Svma(symbol.end.0 - 1);
        assert_eq!(name(&app, last).as_deref(), Some(function));
        assert!(app.symbols().any(|s| s == symbol), "{function}");
        assert!(app.names_at(&[symbol.start]).iter().any(|(_, name)| name == function));
    }
}
