//! `-http`: the web page of a trace.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oxprof_profile::{Builder, Profile};
use oxprof_report::options::Options;
use oxprof_report::{Binaries, Binary, SourceFiles, Zone};
use oxprof_web::{App, Giver, Loaded, Server, SettingsFile, Setup, TraceSetup, TraceSource, World};

use super::args::Args;
use crate::failure::{Failure, Result, file_error};
use crate::objects::LocalSources;
use crate::ui::Stderr;
use crate::{web, zone};

/// Serves the page of a trace until the process is stopped.
pub(super) fn serve(args: &Args, address: &str) -> Result<()> {
    let server = Server::listen(address).map_err(Failure::new)?;
    let setup = Setup {
        name: "no profile chosen yet".to_owned(),
        options: Options::default(),
        settings: SettingsFile::none(),
        world: Arc::new(Local),
    };
    let base = args.base.as_deref().map(source).transpose()?;
    let trace = TraceSetup {
        name: name(&args.file),
        source: Box::new(source(&args.file)?),
        base: base.map(|base| Box::new(base) as _),
    };
    let app = App::with_trace(setup, trace);
    // Until a profile of waits is opened there is nothing in that page.
    let nothing = Builder::new(&[("samples", "count")]).finish();
    app.show(Loaded { profile: nothing, remarks: Vec::new() });
    web::run_server(server, app, args.browser, &Stderr::new())
}

fn name(path: &str) -> String {
    Path::new(path).file_name().map_or(path.into(), |name| name.to_string_lossy()).into_owned()
}

/// A trace in a file, which has to be one that can be read from any place.
fn source(path: &str) -> Result<TraceFile> {
    if path == "-" {
        let words =
            "the page reads the trace as often as it has to, so it cannot be standard input";
        return Err(Failure::new(words));
    }
    let metadata = File::open(path).and_then(|file| file.metadata());
    let metadata = metadata.map_err(|e| Failure::new(file_error("open", path, &e)))?;
    Ok(TraceFile { path: path.into(), len: metadata.len() })
}

struct TraceFile {
    path: PathBuf,
    len: u64,
}

impl TraceSource for TraceFile {
    fn open(&self, offset: u64) -> io::Result<Box<dyn Read>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(Box::new(file))
    }

    fn size(&self) -> u64 {
        self.len
    }
}

/// This machine, as far as profiles of waits need it: their stacks have names already.
struct Local;

impl World for Local {
    fn with_sources(&self, _: &Profile, with: &mut dyn FnMut(&dyn SourceFiles)) {
        with(&LocalSources::from_env(&|name| std::env::var_os(name)));
    }

    fn with_binaries(&self, _: &Options, with: &mut dyn FnMut(&dyn Binaries)) {
        with(&Self);
    }

    fn zone(&self, nanos: i64) -> Zone {
        zone::at(nanos)
    }

    fn working_dir(&self) -> String {
        std::env::current_dir().unwrap_or_default().to_string_lossy().into_owned()
    }

    fn open(&self, bytes: &[u8], _: Giver) -> std::result::Result<Loaded, String> {
        let profile = oxprof_profile::decode(bytes).map_err(|e| e.to_string())?;
        Ok(Loaded { profile, remarks: Vec::new() })
    }
}

impl Binaries for Local {
    fn open(
        &self,
        file: &str,
        _: &str,
        _: &mut dyn FnMut(&dyn Binary),
    ) -> std::result::Result<(), String> {
        Err(format!("{file}: a trace names no binaries"))
    }
}
