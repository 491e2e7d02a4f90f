//! Arguments of `oxprof trace`.

use std::ffi::OsString;

use oxprof_trace::Waiting;
use oxprof_trace::timeline::LanesBy;

/// What was asked for.
#[derive(Debug)]
pub(super) struct Args {
    pub job: Job,
    pub file: String,
    pub output: Option<String>,
    pub json: bool,
    pub strict: bool,
    /// Only goroutines that start in this function.
    pub within: Option<String>,
    /// Only within regions of this type.
    pub region: Option<String>,
    /// A trace to compare with.
    pub base: Option<String>,
    /// Whether the page may open a browser.
    pub browser: bool,
}

#[derive(Debug)]
pub(super) enum Job {
    Help,
    Parsed,
    Wire,
    Footprint,
    Profile(Waiting),
    Export(LanesBy),
    /// The page, on this address.
    Page(String),
    View(View),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum View {
    Summary,
    Goroutines,
    Goroutine(String),
    Latency,
    Timeline(LanesBy),
    Tasks,
    Task(String),
    Regions,
    Mmu,
    Why(String),
    Diff(String),
}

/// A flag: its name, what its value is called if it takes one, and its line of help.
type Flag = (&'static str, &'static str, &'static str);

const VIEWS: &[Flag] = &[
    ("summary", "", "what is in the trace (the default)"),
    ("goroutines", "", "goroutines by start function, and where their time went"),
    ("goroutine", "FUNC", "each goroutine that starts in a function"),
    ("latency", "", "how long goroutines wait each time, by function and reason"),
    ("timeline", "", "when each processor, thread or goroutine (see -by) was busy"),
    ("tasks", "", "tasks by type, with their latencies"),
    ("task", "TYPE", "each task of a type, or the task of a number, with its logs and regions"),
    ("regions", "", "regions by type and place, with their latencies"),
    ("mmu", "", "minimum mutator utilisation: what garbage collection leaves to the program"),
    ("why", "WHO", "the chain of what a goroutine (its number) or task (task:NUMBER) waited for"),
    ("base", "FILE", "goroutines by start function, compared with those of another trace"),
];

const AS_IN_GO: &[Flag] = &[
    (
        "http",
        "HOST:PORT",
        "everything as a web page; without a host for this machine only, without a port on any",
    ),
    ("pprof", "KIND", "a profile of waiting: net, sync, syscall or sched"),
    (
        "d",
        "MODE",
        "the trace as text: parsed (checked and in order), wire (as written) or footprint",
    ),
];

const OTHERS: &[Flag] = &[
    (
        "export",
        "FORMAT",
        "perfetto: for ui.perfetto.dev and chrome://tracing (or chrome, the same)",
    ),
    ("by", "WHAT", "lanes of timeline and export: proc (the default), thread or goroutine"),
    ("within", "FUNC", "profile only goroutines that start in a function"),
    ("region", "TYPE", "profile only what happens in regions of a type"),
    ("json", "", "a view as JSON, all times in nanoseconds"),
    ("no_browser", "", "with -http, do not open a browser"),
    ("strict", "", "refuse a trace that breaks a rule of the format"),
    ("output", "FILE", "write there instead of to standard output"),
];

const SECTIONS: [(&str, &[Flag]); 3] =
    [("Views (at most one)", VIEWS), ("As in go tool trace", AS_IN_GO), ("Others", OTHERS)];

/// The whole help.
pub(super) fn help() -> String {
    let mut out = String::from(
        "Looks into an execution trace of a Go program, or of one that writes Go's format.\n\n\
         usage: oxprof trace [-VIEW] [options] FILE   (- reads standard input)\n\n\
         # Look around in a browser.\n  oxprof trace -http=: trace.out\n\
         # Where did the goroutines' time go?\n  oxprof trace -goroutines trace.out\n\
         # Why did task 7 take so long?\n  oxprof trace -why=task:7 trace.out\n\
         # Who waited for a processor, as a flame graph?\n  \
         oxprof trace -pprof=sched trace.out > sched.pb.gz && oxprof -http=: sched.pb.gz\n",
    );
    for (title, flags) in SECTIONS {
        out.push_str(&format!("\n{title}:\n"));
        for (name, value, about) in flags {
            let flag =
                if value.is_empty() { format!("-{name}") } else { format!("-{name}={value}") };
            out.push_str(&format!("  {flag:<18} {about}\n"));
        }
    }
    out
}

/// Reads the arguments, or says what is wrong with them.
pub(super) fn parse(arguments: &[OsString]) -> Result<Args, String> {
    let mut args = Args {
        job: Job::View(View::Summary),
        file: String::new(),
        output: None,
        json: false,
        strict: false,
        within: None,
        region: None,
        base: None,
        browser: true,
    };
    let mut by = LanesBy::Proc;
    let mut jobs = 0;
    let mut rest = arguments.iter().map(|argument| argument.to_string_lossy().into_owned());
    while let Some(argument) = rest.next() {
        let Some(flag) = argument.strip_prefix('-').filter(|flag| !flag.is_empty()) else {
            if !args.file.is_empty() {
                return Err(format!("there is a second file, {argument}; one at a time"));
            }
            args.file = argument;
            continue;
        };
        let flag = flag.strip_prefix('-').unwrap_or(flag);
        let (name, value) =
            flag.split_once('=').map_or((flag, None), |(n, v)| (n, Some(v.to_owned())));
        let value = value_of(name, value, &mut rest)?;
        if let Some(job) = job(name, &value)? {
            args.job = job;
            jobs += 1;
        } else {
            option(&mut args, &mut by, name, value)?;
        }
    }
    // The page compares, too.
    if let Some(base) = args.base.clone().filter(|_| !matches!(args.job, Job::Page(_))) {
        args.job = Job::View(View::Diff(base));
        jobs += 1;
    }
    if let Job::Export(lanes) | Job::View(View::Timeline(lanes)) = &mut args.job {
        *lanes = by;
    }
    match args.job {
        Job::Help => Ok(args),
        _ if jobs > 1 => Err("more than one view was asked for".to_owned()),
        _ if args.file.is_empty() => Err("no trace was given".to_owned()),
        _ => Ok(args),
    }
}

/// The value of a flag, from behind the `=` or the next argument.
fn value_of(
    name: &str,
    value: Option<String>,
    rest: &mut impl Iterator<Item = String>,
) -> Result<String, String> {
    if matches!(name, "h" | "help") {
        return Ok(String::new());
    }
    let known = SECTIONS.iter().flat_map(|(_, flags)| *flags).find(|(flag, ..)| *flag == name);
    match (known, value) {
        (None, _) => Err(format!("there is no flag -{name}")),
        (Some((_, "", _)), Some(_)) => Err(format!("-{name} takes no value")),
        (Some((_, "", _)), None) => Ok(String::new()),
        (Some(_), Some(value)) => Ok(value),
        (Some((_, what, _)), None) => {
            rest.next().ok_or_else(|| format!("-{name} needs a value: -{name}={what}"))
        }
    }
}

/// The job that a flag asks for, if it asks for one.
fn job(name: &str, value: &str) -> Result<Option<Job>, String> {
    let view = |view| Ok(Some(Job::View(view)));
    match name {
        "h" | "help" => Ok(Some(Job::Help)),
        "summary" => view(View::Summary),
        "goroutines" => view(View::Goroutines),
        "goroutine" => view(View::Goroutine(value.to_owned())),
        "latency" => view(View::Latency),
        "timeline" => view(View::Timeline(LanesBy::Proc)),
        "tasks" => view(View::Tasks),
        "task" => view(View::Task(value.to_owned())),
        "regions" => view(View::Regions),
        "mmu" => view(View::Mmu),
        "why" => view(View::Why(value.to_owned())),
        "d" => match value {
            "parsed" => Ok(Some(Job::Parsed)),
            "wire" => Ok(Some(Job::Wire)),
            "footprint" => Ok(Some(Job::Footprint)),
            _ => Err(format!("-d is parsed, wire or footprint, not {value:?}")),
        },
        "pprof" => match Waiting::ALL.into_iter().find(|waiting| waiting.name() == value) {
            Some(waiting) => Ok(Some(Job::Profile(waiting))),
            None => Err(format!("-pprof is net, sync, syscall or sched, not {value:?}")),
        },
        "http" => Ok(Some(Job::Page(value.to_owned()))),
        "export" if matches!(value, "perfetto" | "chrome") => Ok(Some(Job::Export(LanesBy::Proc))),
        "export" => Err(format!("-export is perfetto or chrome, not {value:?}")),
        _ => Ok(None),
    }
}

fn option(args: &mut Args, by: &mut LanesBy, name: &str, value: String) -> Result<(), String> {
    match name {
        "json" => args.json = true,
        "base" => args.base = Some(value),
        "strict" => args.strict = true,
        "no_browser" => args.browser = false,
        "output" => args.output = Some(value),
        "within" => args.within = Some(value),
        "region" => args.region = Some(value),
        _ => {
            *by = match &*value {
                "proc" => LanesBy::Proc,
                "thread" => LanesBy::Thread,
                "goroutine" => LanesBy::Goroutine,
                _ => return Err(format!("-by is proc, thread or goroutine, not {value:?}")),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(arguments: &str, expected: &str) {
        let arguments: Vec<_> = arguments.split_whitespace().map(OsString::from).collect();
        let found =
            parse(&arguments).map_or_else(|e| e, |args| format!("{:?} {}", args.job, args.file));
        assert_eq!(found, expected);
    }

    #[test]
    fn one_job_and_one_file() {
        check("t", "View(Summary) t");
        check("-goroutines t", "View(Goroutines) t");
        check("--pprof=sched -", "Profile(Sched) -");
        check("-pprof sync t", "Profile(Sync) t");
        check("-d=wire t", "Wire t");
        check("-by=thread -export=chrome t", "Export(Thread) t");
        check("-http=: t", "Page(\":\") t");
        check("-export=perfetto t", "Export(Proc) t");
        check("-http=: -base=old t", "Page(\":\") t");
        check("-base=old t", "View(Diff(\"old\")) t");
        check("-h", "Help ");
    }

    #[test]
    fn what_is_wrong_is_said() {
        check("", "no trace was given");
        check("a b", "there is a second file, b; one at a time");
        check("-mmu -tasks t", "more than one view was asked for");
        check("-mmu -base=old t", "more than one view was asked for");
        check("-d=all t", "-d is parsed, wire or footprint, not \"all\"");
        check("-frobnicate t", "there is no flag -frobnicate");
        check("-mmu=1 t", "-mmu takes no value");
        check("t -why", "-why needs a value: -why=WHO");
    }
}
