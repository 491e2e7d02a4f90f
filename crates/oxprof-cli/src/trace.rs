//! `oxprof trace`: what `go tool trace` shows, and why something was late.

mod args;
mod debug;
mod export;
mod input;
mod page;
mod text;
mod views;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use oxprof_profile::{Compression, encode_gzip};
use oxprof_trace::{Options, WaitFilter, WaitProfiler, Waiting};

use self::args::{Args, Job};
use self::input::Trace;
use crate::failure::{Failure, Result, file_error};

pub(crate) const ABOUT: &str = "look into an execution trace: who ran, who waited, and why";

const FAILURE: u8 = 2;

/// Does what the arguments ask for.
pub(crate) fn run(arguments: &[OsString]) -> ExitCode {
    match perform(arguments) {
        Ok(()) | Err(Failure::BrokenPipe) => ExitCode::SUCCESS,
        Err(failure) => {
            if matches!(failure, Failure::Usage(_)) {
                eprintln!(
                    "usage: oxprof trace [-VIEW] [options] FILE  (oxprof trace -h tells all)"
                );
            }
            eprintln!("oxprof trace: {failure}");
            ExitCode::from(FAILURE)
        }
    }
}

fn perform(arguments: &[OsString]) -> Result<()> {
    let args = args::parse(arguments).map_err(Failure::Usage)?;
    if matches!(args.job, Job::Help) {
        return Ok(io::stdout().lock().write_all(args::help().as_bytes())?);
    }
    if let Job::Page(address) = &args.job {
        return page::serve(&args, address);
    }
    let mut out = output(&args)?;
    match &args.job {
        Job::Help | Job::Page(_) => {}
        Job::Parsed => debug::parsed(Trace::open(&args.file)?, &mut out)?,
        Job::Wire => debug::wire(Trace::open(&args.file)?, &mut out)?,
        Job::Footprint => debug::footprint(Trace::open(&args.file)?, &mut out)?,
        Job::Profile(waiting) => profile(&args, *waiting, &mut out)?,
        Job::Export(by) => export::chrome(Trace::open(&args.file)?, options(&args), *by, &mut out)?,
        Job::View(view) => views::show(&args, view, &mut out)?,
    }
    Ok(out.flush()?)
}

/// Standard output, or the file that was asked for.
fn output(args: &Args) -> Result<BufWriter<Box<dyn Write>>> {
    let out: Box<dyn Write> = match &args.output {
        None => Box::new(io::stdout().lock()),
        Some(path) => {
            let file = File::create(path);
            Box::new(file.map_err(|e| Failure::new(file_error("open", path, &e)))?)
        }
    };
    Ok(BufWriter::with_capacity(1 << 16, out))
}

fn options(args: &Args) -> Options {
    Options { strict: args.strict, ..Options::default() }
}

/// Writes the profile of a kind of waiting.
fn profile(args: &Args, waiting: Waiting, out: &mut dyn Write) -> Result<()> {
    let filter = WaitFilter { goroutine: args.within.clone(), region: args.region.clone() };
    let mut profiler = WaitProfiler::new(waiting, filter);
    let trace = Trace::open(&args.file)?;
    trace.each(options(args), |event, tables| profiler.event(event, tables))?.warn();
    Ok(out.write_all(&encode_gzip(&profiler.finish(), Compression::default()))?)
}
