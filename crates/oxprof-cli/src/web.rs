//! `-http`: the web page, and the machine that it runs on.

use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use oxprof_profile::{DecodeOptions, Profile, decode_with};
use oxprof_report::options::Options;
use oxprof_report::{Binaries, SourceFiles, Zone};
use oxprof_web::{App, Giver, Loaded, Server, SettingsFile, Setup, World};

use crate::failure::{Failure, Result};
use crate::objects::{self, LocalCode, LocalObjects, LocalSources};
use crate::output::browse;
use crate::plan::{Env, Plan};
use crate::ui::Ui;
use crate::{progress, run, zone};

/// Where to serve the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WebPlan {
    /// `[host]:[port]`.
    pub address: String,
    /// Whether to open a browser.
    pub browser: bool,
}

/// Serves the page of the plan's profile until the process is stopped. The page is there before its profile, which may
/// take a while to be read, and a browser a while to start.
///
/// # Errors
/// When the address cannot be listened on, or there is no profile.
pub(crate) fn serve(
    plan: Plan,
    objects: LocalObjects,
    web: &WebPlan,
    env: Env<'_>,
    ui: &dyn Ui,
) -> Result<()> {
    let server = Server::listen(&web.address).map_err(Failure::new)?;
    let notice = Notice::of(&server);
    let settings = settings_path(env).map_or_else(SettingsFile::none, SettingsFile::at);
    let world = Arc::new(Local { objects, plan });
    let app = App::new(Setup {
        name: name_of(&world.plan.sources.profiles),
        options: world.plan.options.clone(),
        settings,
        world: Arc::clone(&world) as _,
    });
    let served = app.clone();
    let serving = std::thread::spawn(move || server.run(served));
    std::thread::scope(|scope| {
        let (loaded, waiting) = mpsc::channel();
        scope.spawn(move || announce(&notice, web, ui, &waiting));
        let load = || run::load(&world.plan, &world.objects, ui);
        let profile = progress::during(ui, "Reading profiles", load)?;
        app.show(Loaded { profile, remarks: Vec::new() });
        // Whoever announces it may have done so before.
        let _ = loaded.send(());
        Ok::<_, Failure>(())
    })?;
    app.prepare();
    serving.join().expect("the server does not panic").map_err(Failure::new)
}

/// What is wrong with a profile shows within this time, mostly: then there is no page to announce.
const DOUBT: Duration = Duration::from_millis(100);

/// Tells where the page is, once the profile is there or seems to be a large one. Not if there is none.
fn announce(notice: &Notice, web: &WebPlan, ui: &dyn Ui, loaded: &mpsc::Receiver<()>) {
    if loaded.recv_timeout(DOUBT) != Err(RecvTimeoutError::Disconnected) {
        notice.tell(web.browser, ui);
    }
}

/// Serves a page that has all that it shows until the process is stopped.
///
/// # Errors
/// When the system has no means to.
pub(crate) fn run_server(server: Server, app: App, browser: bool, ui: &dyn Ui) -> Result<()> {
    Notice::of(&server).tell(browser, ui);
    server.run(app).map_err(Failure::new)
}

/// What there is to say of a server.
struct Notice {
    url: String,
    /// Its port, if other machines reach it.
    open: Option<u16>,
}

impl Notice {
    fn of(server: &Server) -> Self {
        let open = (!server.is_private()).then(|| server.local_addr().port());
        Self { url: server.url(), open }
    }

    /// Tells where the page is, and shows it to people. Connections wait if it is not served yet.
    fn tell(&self, browser: bool, ui: &dyn Ui) {
        let url = &self.url;
        ui.note(&format!("Serving web UI on {url}"));
        if let Some(port) = self.open {
            ui.note(&format!(
                "Other machines can reach this page, without a password: whoever does sees all that it shows, with source \
                 files and machine code of what was profiled, and may change saved configurations. To keep it to this \
                 machine, use -http=localhost:{port}"
            ));
        }
        if browser && std::io::stdout().is_terminal() && !browse(url) {
            ui.note(&format!("No browser could be opened; visit {url}"));
        }
    }
}

/// What to call the profile of these sources.
fn name_of(sources: &[OsString]) -> String {
    let first = sources.first().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let short = match Path::new(&first).file_name() {
        Some(name) if Path::new(&first).exists() => name.to_string_lossy().into_owned(),
        _ => first,
    };
    match sources.len() {
        0 | 1 => short,
        n => format!("{short} and {} more", n - 1),
    }
}

/// Where Go's pprof keeps its settings, so that both share them.
fn settings_path(env: Env<'_>) -> Option<PathBuf> {
    let set = |name: &str| env(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let directory = if cfg!(windows) {
        set("AppData")
    } else if cfg!(target_os = "macos") {
        set("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")))
    };
    Some(directory?.join("pprof").join("settings.json"))
}

/// This machine.
struct Local {
    plan: Plan,
    objects: LocalObjects,
}

impl World for Local {
    fn with_sources(&self, profile: &Profile, with: &mut dyn FnMut(&dyn SourceFiles)) {
        let sources = LocalSources::from_env(&|name| std::env::var_os(name));
        with(&sources.or_from(&self.objects, profile));
    }

    fn with_binaries(&self, options: &Options, with: &mut dyn FnMut(&dyn Binaries)) {
        with(&LocalCode::new(&self.objects, &self.plan.symbols).with_syntax(options));
    }

    fn zone(&self, nanos: i64) -> Zone {
        zone::at(nanos)
    }

    fn working_dir(&self) -> String {
        std::env::current_dir().unwrap_or_default().to_string_lossy().into_owned()
    }

    fn open(&self, bytes: &[u8], giver: Giver) -> std::result::Result<Loaded, String> {
        let options = DecodeOptions { max_bytes: self.plan.fetch.max_bytes, two_threads: true };
        let mut profile = decode_with(bytes, &options).map_err(|e| e.to_string())?;
        let remarks = Remarks::default();
        match giver {
            Giver::User => {
                objects::symbolize(&mut profile, &self.objects, &self.plan.symbols, &remarks);
            }
            Giver::Visitor => objects::demangle_added(&mut profile, &self.plan.symbols),
        }
        run::finish_loaded(&mut profile, &self.plan);
        Ok(Loaded { profile, remarks: remarks.take() })
    }

    fn stamp(&self) -> Option<u64> {
        let sources = &self.plan.sources;
        let mut stamp = DefaultHasher::new();
        let mut files = 0;
        for path in sources.profiles.iter().chain(&sources.bases) {
            if let Ok(metadata) = std::fs::metadata(path) {
                (metadata.len(), metadata.modified().ok()).hash(&mut stamp);
                files += 1;
            }
        }
        (files > 0).then(|| stamp.finish())
    }

    fn reload(&self) -> std::result::Result<Loaded, String> {
        let remarks = Remarks::default();
        let profile = run::load(&self.plan, &self.objects, &remarks);
        let remarks = remarks.take();
        // What is wrong with each source was remarked on.
        let failed = |e| format!("{e}: {}", remarks.join("; "));
        let profile = profile.map_err(failed)?;
        Ok(Loaded { profile, remarks })
    }
}

/// Keeps what would be printed for those who look at the page.
#[derive(Debug, Default)]
struct Remarks(std::sync::Mutex<Vec<String>>);

impl Remarks {
    fn take(self) -> Vec<String> {
        self.0.into_inner().unwrap_or_default()
    }
}

impl Ui for Remarks {
    fn note(&self, message: &str) {
        if let Ok(mut remarks) = self.0.lock() {
            remarks.push(message.trim_end().to_owned());
        }
    }

    fn complain(&self, message: &str) {
        self.note(message);
    }

    fn progress(&self, _: &str) {}

    fn shows_progress(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn settings_are_where_go_keeps_them() {
        #[track_caller]
        fn check(variables: &[(&str, &str)], expected: Option<&str>) {
            let env = |name: &str| {
                variables.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v))
            };
            assert_eq!(settings_path(&env), expected.map(PathBuf::from));
        }
        check(&[("HOME", "/h")], Some("/h/.config/pprof/settings.json"));
        check(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")], Some("/x/pprof/settings.json"));
        check(&[], None);
    }

    #[test]
    fn who_lets_others_in_is_told_so() {
        #[track_caller]
        fn check(address: &str, expected: bool) {
            let server = Server::listen(address).unwrap();
            let said = Remarks::default();
            Notice::of(&server).tell(false, &said);
            let said = said.take();
            assert_eq!(said[0], format!("Serving web UI on {}", server.url()));
            let keep = format!("-http=localhost:{}", server.local_addr().port());
            let warns = said.get(1).is_some_and(|warning| warning.ends_with(&keep));
            assert_eq!(warns, expected, "{said:?}");
        }
        check(":", false);
        check("127.0.0.1:0", false);
        check("0.0.0.0:", true);
    }

    #[test]
    fn profiles_are_called_after_their_files() {
        let names = |names: &[&str]| names.iter().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(name_of(&names(&["localhost:6060"])), "localhost:6060");
        assert_eq!(name_of(&names(&["Cargo.toml", "b"])), "Cargo.toml and 1 more");
    }
}
