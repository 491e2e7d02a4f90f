//! Profiles of whole runs of tests and benchmarks, for any harness: from before `main` to the end of the process, if the
//! environment asks for them.
//!
//! ```toml
//! [dev-dependencies]
//! oxprof = { version = "0.1", features = ["testing"] }
//! ```
//!
//! and, in each test or bench that does not use `oxprof` otherwise, so that it is linked:
//!
//! ```
//! use oxprof as _;
//! ```
//!
//! ```console
//! $ OXPROF_CPUPROFILE=cpu.pb.gz cargo test --test it
//! $ oxprof -top cpu.pb.gz
//! ```
//!
//! | variable | what is written there at the end |
//! |---|---|
//! | `OXPROF_CPUPROFILE` | CPU profile of the whole run |
//! | `OXPROF_HEAPPROFILE`, `OXPROF_ALLOCSPROFILE` | memory in use, memory ever allocated, if the test's global allocator is a [`Heap`](crate::Heap) |
//! | `OXPROF_NAMEPROFILE` | likewise any other profile that the program [has](crate::profiles), by its name in capitals, such as `OXPROF_THREADCREATEPROFILE` |
//!
//! In file names, `%e` stands for the name of the test and `%p` for the number of its process: `cargo test` without a
//! target runs several, of which each would write over the one before. Relative ones are below the package, where cargo
//! starts tests.
//!
//! What goes wrong is said on standard error, and does not fail the tests.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::cpu::{self, FileCapture};

/// Called by the C runtime before `main`, in the thread that runs it.
#[used]
#[unsafe(link_section = ".init_array")]
static START: extern "C" fn() = start;

/// The CPU profile that is being taken.
static CPU: Mutex<Option<FileCapture>> = Mutex::new(None);

extern "C" fn start() {
    if asked_for().next().is_none() {
        return;
    }
    if let Some(path) = file("cpu") {
        match cpu::start_to_file(path) {
            Ok(capture) => *CPU.lock().unwrap_or_else(PoisonError::into_inner) = Some(capture),
            Err(error) => eprintln!("oxprof: no CPU profile of this run: {error}."),
        }
    }
    // SAFETY: may be called at any time; `finish` does not unwind, as its boundary aborts.
    if unsafe { libc::atexit(finish) } != 0 {
        eprintln!("oxprof: no profiles of this run: the system refused to call us at its end.");
    }
}

extern "C" fn finish() {
    drop(CPU.lock().unwrap_or_else(PoisonError::into_inner).take());
    for name in asked_for().filter(|name| name != "cpu") {
        if let Err(problem) = write(&name) {
            eprintln!("oxprof: no profile {name} of this run: {problem}.");
        }
    }
}

fn write(name: &str) -> Result<(), String> {
    let missing = match name {
        "heap" | "allocs" => "the global allocator is not an oxprof::Heap",
        _ => "there is none of this name",
    };
    let profile = crate::lookup(name).ok_or(missing)?;
    let Some(path) = file(name) else { return Ok(()) };
    let because = |error| format!("cannot write {}: {error}", path.display());
    let file = std::fs::File::create(&path).map_err(because)?;
    profile.write_to(file, 0).map_err(because)
}

/// Names of profiles, in small letters.
fn asked_for() -> impl Iterator<Item = String> {
    std::env::vars_os().filter(|(_, value)| !value.is_empty()).filter_map(|(name, _)| {
        let name = name.to_str()?.strip_prefix("OXPROF_")?.strip_suffix("PROFILE")?;
        (!name.is_empty()).then(|| name.to_ascii_lowercase())
    })
}

/// Where a profile is to be written.
fn file(name: &str) -> Option<PathBuf> {
    let variable = format!("OXPROF_{}PROFILE", name.to_ascii_uppercase());
    let text = std::env::var(variable).ok().filter(|text| !text.is_empty())?;
    let test = std::env::current_exe().ok();
    let test = test.as_deref().and_then(|path| path.file_stem()?.to_str()).unwrap_or("test");
    Some(fill(&text, test, std::process::id()).into())
}

/// The name with its placeholders filled in. Cargo ends the names of tests with a dash and a hash, which is left out.
fn fill(text: &str, test: &str, process: u32) -> String {
    let plain = match test.rsplit_once('-') {
        Some((name, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            name
        }
        _ => test,
    };
    text.replace("%e", plain).replace("%p", &process.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders() {
        let check = |text, test, expected| assert_eq!(fill(text, test, 7), expected);
        check("cpu.pb.gz", "it-0123456789abcdef", "cpu.pb.gz");
        check("%e.%p.pb.gz", "it-0123456789abcdef", "it.7.pb.gz");
        check("%e", "my-test", "my-test");
        check("%e", "my-test-0123456789abcdef", "my-test");
    }
}
