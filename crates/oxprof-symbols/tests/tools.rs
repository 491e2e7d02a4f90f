//! Answers compared with those of the tools that people have used so far, on binaries at hand: this
//! test program (Rust with debug information) and the C library (stripped, or with what is installed).

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use oxprof_symbols::{Object, Svma};

fn read_self() -> Vec<u8> {
    std::fs::read(std::env::current_exe().unwrap()).unwrap()
}

/// Standard output of `tool`, or `None` with a word on stderr where it is not installed.
fn run(tool: &str, args: &[&str], input: &str) -> Option<String> {
    let child = Command::new(tool)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("skipped: {tool} is not installed");
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let feeder = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let out = child.wait_with_output().unwrap();
    feeder.join().unwrap().unwrap();
    Some(String::from_utf8_lossy(&out.stdout).into_owned())
}

#[test]
fn names_agree_with_nm() {
    let path = std::env::current_exe().unwrap();
    let Some(listing) = run("nm", &["--defined-only", path.to_str().unwrap()], "") else { return };
    let mut by_address: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
    for line in listing.lines() {
        let mut words = line.split(' ');
        let (Some(address), Some(kind), Some(name)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        let name = name.split("@@").next().unwrap();
        if "TtWwi".contains(kind) {
            by_address.entry(u64::from_str_radix(address, 16).unwrap()).or_default().push(name);
        }
    }
    let bytes = read_self();
    let object = Object::parse(&bytes).unwrap();
    let mut checked = 0;
    for (&address, names) in &by_address {
        if let Some(symbol) = object.symbol(Svma(address)).filter(|s| s.start.0 == address) {
            assert!(names.contains(&symbol.name.as_ref()), "{address:#x}: {symbol:?} {names:?}");
            checked += 1;
        }
    }
    assert!(checked * 100 >= by_address.len() * 99, "{checked} of {}", by_address.len());
}

#[cfg(feature = "lines")]
mod lines {
    use std::path::Path;

    use super::*;

    /// Addresses spread over the functions of `object`.
    fn sample(object: &Object<'_>, count: usize) -> Vec<u64> {
        let symbols: Vec<_> = object.symbols().collect();
        let step = symbols.len().div_ceil(count).max(1);
        symbols.iter().step_by(step).map(|s| s.start.0 + (s.end.0 - s.start.0) / 2).collect()
    }

    /// `function at file:line` per frame, as `addr2line -afi` prints them.
    fn addr2line(path: &Path, addresses: &[u64]) -> Option<Vec<Vec<(String, String)>>> {
        let input: String = addresses.iter().map(|a| format!("{a:#x}\n")).collect();
        let text = run("addr2line", &["-afi", "-e", path.to_str().unwrap()], &input)?;
        let mut answers: Vec<Vec<(String, String)>> = Vec::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if line.starts_with("0x") {
                answers.push(Vec::new());
            } else {
                let place = lines.next()?.split(" (discriminator").next()?;
                // Without a line, addr2line falls back on the FILE entry of the symbol table: a guess.
                let place = if place.ends_with(":?") { "??:?" } else { place };
                answers.last_mut()?.push((line.to_owned(), place.to_owned()));
            }
        }
        Some(answers)
    }

    #[test]
    fn inlined_chains_agree_with_addr2line() {
        let bytes = read_self();
        let object = Object::parse(&bytes).unwrap();
        let addresses = sample(&object, 2000);
        let path = std::env::current_exe().unwrap();
        let Some(theirs) = addr2line(&path, &addresses) else { return };
        assert_eq!(theirs.len(), addresses.len());
        let mut different = Vec::new();
        for (&address, theirs) in addresses.iter().zip(&theirs) {
            let ours: Vec<(String, String)> = object
                .frames(Svma(address))
                .iter()
                .map(|f| {
                    let file = f.file.as_deref().unwrap_or("??");
                    let place =
                        if f.line == 0 { "??:?".to_owned() } else { format!("{file}:{}", f.line) };
                    (f.system_name.to_string(), place)
                })
                .collect();
            if ours != *theirs {
                different.push(format!("{address:#x}\n  ours   {ours:?}\n  theirs {theirs:?}"));
            }
        }
        assert!(
            different.len() * 1000 <= addresses.len(),
            "{} of {} differ:\n{}",
            different.len(),
            addresses.len(),
            different[..different.len().min(8)].join("\n")
        );
    }
}
