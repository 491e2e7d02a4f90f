//! `oxprof demo`: a sample service under load, profiled before your eyes.
//!
//! Starts the service and its `/debug/pprof/` server in this process, takes a CPU profile over HTTP as one
//! would from any service, prints the top of it, and says what to try next.

mod shop;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use oxprof::http::{ServeError, Server};

use crate::program::Program;
use crate::run;
use shop::Shop;

pub(crate) const NAME: &str = "demo";
pub(crate) const ABOUT: &str = "profile a sample service that runs in this process";

const USAGE: &str = "\
usage: oxprof demo [-seconds N] [-addr HOST:PORT] [-once]

Starts a sample service under load in this process, serves its /debug/pprof/, takes a CPU profile from it
and prints where the time goes. On a terminal it then keeps running until ^C.

  -seconds N         how long to profile (default 5)
  -addr HOST:PORT    where to serve (default 127.0.0.1:6060, or a free port if that is taken)
  -once              end after the report, on a terminal too
";

const DEFAULT_ADDRESS: &str = "127.0.0.1:6060";

/// Runs the demo.
pub(crate) fn run(arguments: &[OsString]) -> ExitCode {
    match Options::parse(arguments).and_then(|options| options.map_or(Ok(()), |o| show(&o))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("oxprof demo: {message}");
            ExitCode::from(run::FAILURE)
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Options {
    seconds: u32,
    address: Option<String>,
    once: bool,
}

impl Options {
    /// `None` when only help was asked for, which is then printed.
    fn parse(arguments: &[OsString]) -> Result<Option<Self>, String> {
        let mut options = Self { seconds: 5, address: None, once: false };
        let mut words = arguments.iter().map(|word| word.to_string_lossy());
        while let Some(word) = words.next() {
            let flag = word.strip_prefix('-').map(|f| f.strip_prefix('-').unwrap_or(f));
            let (name, inline) = match flag.and_then(|f| f.split_once('=')) {
                Some((name, value)) => (Some(name), Some(value.to_owned())),
                None => (flag, None),
            };
            let mut value = || {
                inline
                    .clone()
                    .or_else(|| words.next().map(Into::into))
                    .ok_or_else(|| format!("{word} needs a value; see oxprof demo -h"))
            };
            match name {
                Some("h" | "help") => {
                    print!("{USAGE}");
                    return Ok(None);
                }
                Some("once") => options.once = true,
                Some("addr") => options.address = Some(value()?),
                Some("seconds") => {
                    let value = value()?;
                    options.seconds = value.parse().ok().filter(|s| *s > 0).ok_or_else(|| {
                        format!("-seconds is {value:?}, but must be a positive integer")
                    })?;
                }
                _ => return Err(format!("{word} is not known here; see oxprof demo -h")),
            }
        }
        Ok(Some(options))
    }
}

fn show(options: &Options) -> Result<(), String> {
    let shop = Shop::open().map_err(|e| format!("cannot start the sample service: {e}"))?;
    let server = serve(options.address.as_deref()).map_err(|e| e.to_string())?;
    let base = format!("http://{}", server.local_addr());
    println!("A sample service is under load in this process: orders as JSON, matched, signed,");
    println!("booked and compressed by async tasks and threads. Its profiles are at");
    println!("{base}/debug/pprof/. Profiling it for {} s …\n", options.seconds);

    let url = format!("{base}/debug/pprof/profile?seconds={}", options.seconds);
    println!("$ oxprof -top -nodecount=15 '{url}'");
    // The report goes to the same place: what was printed so far comes first.
    let _ = std::io::stdout().flush();
    let command = ["-no_save", "-timeout=120", "-top", "-nodecount=15", &url].map(OsString::from);
    if run::command(Program::Oxprof, command.to_vec()) != ExitCode::SUCCESS {
        return Err("the profile could not be taken; the message above says why".into());
    }
    println!("\n{} orders were handled meanwhile.\n", shop.handled());
    print!("{}", what_next(&base));
    if !options.once && std::io::stdout().is_terminal() {
        println!("\nThe service keeps running: try these in another terminal. ^C ends it.");
        loop {
            std::thread::park();
        }
    }
    Ok(())
}

/// At the address that was asked for; else at the usual one, or any free port if that is taken.
fn serve(address: Option<&str>) -> Result<Server, ServeError> {
    let at = |address: &str| Server::builder().address(address).start();
    match (address, at(address.unwrap_or(DEFAULT_ADDRESS))) {
        (None, Err(ServeError::Listen { .. })) => at("127.0.0.1:0"),
        (_, result) => result,
    }
}

fn what_next(base: &str) -> String {
    let rows = [
        ("-top -cum", "by time in a function and what it calls"),
        ("-tree", "with callers and callees"),
        ("-traces", "every stack"),
        ("-peek=handle_order", "who calls it, whom it calls"),
        ("-seconds=10 -proto -output=cpu.pb.gz", "to a file, for later"),
    ];
    let width = rows.iter().map(|(flags, _)| flags.len()).max().unwrap_or_default();
    let mut text = String::from("What to try next:\n");
    for (flags, about) in rows {
        text += &format!("  oxprof {flags:width$}  {base}   # {about}\n");
    }
    text += &format!("  go tool pprof -top {base}   # Go's tool takes it too\n");
    text +=
        "In a service of yours: `let _pprof = oxprof::serve_from_env()?;` and PPROF_PORT=6060.\n";
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `expected`: the options printed as seconds, address, once; or part of the error.
    fn check(arguments: &[&str], expected: Result<&str, &str>) {
        let arguments: Vec<_> = arguments.iter().map(OsString::from).collect();
        match (Options::parse(&arguments), expected) {
            (Ok(options), Ok(expected)) => {
                let got = options.map(|o| format!("{} {:?} {}", o.seconds, o.address, o.once));
                assert_eq!(got.unwrap_or_default(), expected, "{arguments:?}");
            }
            (Err(message), Err(part)) => assert!(message.contains(part), "{message}"),
            (got, expected) => panic!("{arguments:?}: got {got:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn arguments() {
        check(&[], Ok("5 None false"));
        check(
            &["-once", "--seconds", "2", "-addr=localhost:1"],
            Ok("2 Some(\"localhost:1\") true"),
        );
        check(&["-h"], Ok(""));
        check(&["-seconds"], Err("needs a value"));
        check(&["-seconds=0"], Err("positive integer"));
        check(&["-sceonds=1"], Err("not known here"));
        check(&["cpu.pb.gz"], Err("not known here"));
    }
}
