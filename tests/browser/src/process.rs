//! The browser's process and the directory that it keeps its things in.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/// A page that tests need nothing from the network, and no sandbox: containers rarely have one to offer.
const FLAGS: [&str; 12] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--no-first-run",
    "--remote-debugging-port=0",
    "--force-color-profile=srgb",
];

/// Starting takes long on a machine that also builds.
const START: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    directory: PathBuf,
}

/// Chromium's program.
pub(crate) fn find() -> Option<PathBuf> {
    if let Some(program) = env::var_os("OXPROF_CHROMIUM") {
        return Some(program.into());
    }
    let path = env::var_os("PATH")?;
    NAMES
        .iter()
        .find_map(|name| env::split_paths(&path).map(|dir| dir.join(name)).find(|p| p.is_file()))
}

impl Process {
    pub(crate) fn start(program: &Path) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("oxprof-browser-{}-{number}", std::process::id());
        let directory = env::temp_dir().join(name);
        fs::create_dir_all(&directory).expect("a directory for the browser");
        let log = File::create(directory.join("log")).expect("a log for the browser");
        let child = Command::new(program)
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", directory.display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", program.display()));
        Self { child, directory }
    }

    /// Waits until the browser says where it listens: `127.0.0.1:port/path`.
    pub(crate) fn address(&self) -> String {
        let start = Instant::now();
        loop {
            let text = fs::read_to_string(self.directory.join("DevToolsActivePort"));
            if let Some((port, path)) = text.unwrap_or_default().split_once('\n')
                && !path.is_empty()
            {
                return format!("127.0.0.1:{}{}", port, path.trim_end());
            }
            if start.elapsed() > START {
                let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
                panic!("the browser does not start:\n{log}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Its helper processes may still be writing for a moment.
        for _ in 0..50 {
            if fs::remove_dir_all(&self.directory).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
