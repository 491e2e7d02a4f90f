//! Programs that show reports, and the files that they are shown.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use oxprof_report::options::Viewer;

use crate::failure::{Failure, Result, reason};

/// Files to delete when they have been seen.
#[derive(Debug, Default)]
pub(crate) struct TemporaryFiles(Mutex<Vec<PathBuf>>);

impl TemporaryFiles {
    pub(super) fn add(&self, path: &Path) {
        self.0.lock().expect("nobody panics with a list of files").push(path.to_owned());
    }
}

impl Drop for TemporaryFiles {
    fn drop(&mut self) {
        let files = self.0.get_mut().expect("nobody panics with a list of files");
        for file in files.drain(..) {
            // It may be gone already.
            let _ = std::fs::remove_file(file);
        }
    }
}

/// Shows `file` in the first program of `viewer` that starts, and waits for that to end unless a
/// person goes on working meanwhile.
pub(super) fn show(viewer: Viewer, file: &Path, interactive: bool) -> Result<()> {
    let programs = programs(viewer);
    let mut last = String::from("no viewer is known");
    for program in &programs {
        let Some((name, arguments)) = program.split_first() else { continue };
        match Command::new(name).args(arguments).arg(file).spawn() {
            Ok(mut child) => {
                if !interactive {
                    child.wait()?;
                    // Some viewers hand the file to a running one and leave before it was read.
                    std::thread::sleep(Duration::from_secs(1));
                }
                return Ok(());
            }
            Err(e) => last = format!("{name}: {}", reason(&e)),
        }
    }
    Err(Failure::new(format_args!("could not start a viewer: {last}")))
}

/// Opens a page in the first browser that starts. False if there is none.
pub(crate) fn browse(url: &str) -> bool {
    let starts = |words: &Vec<String>| {
        let Some((name, arguments)) = words.split_first() else { return false };
        Command::new(name).args(arguments).arg(url).spawn().is_ok()
    };
    programs(Viewer::Browser).iter().any(starts)
}

/// Programs to try, each with its arguments.
fn programs(viewer: Viewer) -> Vec<Vec<String>> {
    let words = |words: &[&str]| words.iter().map(|&w| w.to_owned()).collect();
    match viewer {
        Viewer::Program(program) => vec![words(program)],
        Viewer::Browser => {
            let mut programs = Vec::new();
            if let Ok(browser) = std::env::var("BROWSER") {
                programs.push(browser.split_whitespace().map(str::to_owned).collect());
            }
            programs.extend(system_browsers().iter().map(|browser| words(browser)));
            programs
        }
    }
}

fn system_browsers() -> &'static [&'static [&'static str]] {
    if cfg!(target_os = "macos") {
        return &[&["/usr/bin/open"]];
    }
    if cfg!(windows) {
        return &[&["cmd", "/c", "start"]];
    }
    let all: &[&[&str]] = &[
        &["chrome"],
        &["google-chrome"],
        &["chromium"],
        &["firefox"],
        &["sensible-browser"],
        &["xdg-open"],
    ];
    // Without a display the last one would open a text browser over our terminal.
    let display = std::env::var_os("DISPLAY").is_some_and(|display| !display.is_empty());
    if display { all } else { &all[..all.len() - 1] }
}
