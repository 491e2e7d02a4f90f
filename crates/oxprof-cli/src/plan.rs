//! What a command line amounts to: arguments resolved against the environment.

mod symbolize;

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

use oxprof_report::options::{FormatRow, Options};

use crate::failure::{Failure, Result};
use crate::flags::{LEGACY, LowArgs};
use crate::ui::Ui;
use crate::web::WebPlan;

pub(crate) use symbolize::{Demangle, Symbolize};

/// What to do.
#[derive(Debug)]
pub(crate) struct Plan {
    pub job: Job,
    pub options: Options,
    pub sources: Sources,
    pub fetch: FetchPlan,
    pub symbols: SymbolPlan,
}

/// What is wanted from the profile.
#[derive(Debug)]
pub(crate) enum Job {
    /// One report; its argument is empty unless the format takes one.
    Report(&'static FormatRow, String),
    /// The shell.
    Shell,
    /// The web page.
    Web(WebPlan),
}

/// Where the profile comes from, and what is done to it on the way.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    pub profiles: Vec<OsString>,
    pub bases: Vec<OsString>,
    /// Whether percentages are to be of the base.
    pub compare: bool,
    pub normalize: bool,
    pub comment: String,
    pub all_frames: bool,
}

/// How profiles are fetched and kept.
#[derive(Debug, Default)]
pub(crate) struct FetchPlan {
    /// How long to collect, in seconds; −1 leaves it to the server.
    pub seconds: i64,
    /// How long to wait, in seconds; −1 leaves it to the duration.
    pub timeout: i64,
    /// Headers to send, as name and value.
    pub headers: Vec<(String, String)>,
    pub tls_cert: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    pub tls_ca: Option<PathBuf>,
    /// Directories to save fetched profiles in: the first that can be used. Empty to save none.
    pub save_in: Vec<PathBuf>,
    /// The largest profile to accept after decompression, in bytes.
    pub max_bytes: u64,
}

/// How addresses get names.
#[derive(Debug, Default)]
pub(crate) struct SymbolPlan {
    pub mode: Symbolize,
    /// Binary to use for the main mapping.
    pub binary: Option<PathBuf>,
    /// Build id of the main mapping where it has none.
    pub build_id: String,
}

/// The process's environment variables.
pub(crate) type Env<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Resolves arguments. The binary among the positionals is told by looking into it.
///
/// # Errors
/// When arguments contradict each other, or none says what to read.
pub(crate) fn plan(low: LowArgs, env: Env<'_>, ui: &dyn Ui) -> Result<Plan> {
    let job = job(&low)?;
    let options = options(&low, ui)?;
    let (binary, profiles) = split_positionals(low.positionals.clone());
    if profiles.is_empty() {
        return Err(Failure::Usage("no profile source specified".into()));
    }
    let fetch = fetch_plan(&low, env)?;
    let mode = Symbolize::parse(&low.symbolize).unwrap_or_else(|unknown| {
        ui.note(&format!("ignoring unrecognized symbolization option: {unknown}"));
        ui.note(&format!("expecting -symbolize={}", Symbolize::SYNTAX));
        Symbolize::parse_known(&low.symbolize)
    });
    let symbols = SymbolPlan { mode, binary, build_id: low.build_id.clone() };
    let sources = sources(low, profiles)?;
    Ok(Plan { job, options, sources, fetch, symbols })
}

fn job(low: &LowArgs) -> Result<Job> {
    let web = !low.http.is_empty();
    if low.no_browser && !web {
        return Err(Failure::new("-no_browser only makes sense with -http"));
    }
    match low.formats.as_slice() {
        [] if web => Ok(Job::Web(WebPlan { address: low.http.clone(), browser: !low.no_browser })),
        [] => Ok(Job::Shell),
        [(..)] if web => {
            Err(Failure::new("-http is not compatible with an output format on the command line"))
        }
        [(row, argument)] => {
            let argument = if row.takes_argument() { argument.clone() } else { String::new() };
            Ok(Job::Report(row, argument))
        }
        _ => Err(Failure::new("must set at most one output format")),
    }
}

fn options(low: &LowArgs, ui: &dyn Ui) -> Result<Options> {
    let mut options = low.options.clone();
    let mut chosen: Vec<(&str, &str)> = Vec::new();
    for (row, choice) in &low.choices {
        if let Some((_, other)) = chosen.iter().find(|(name, _)| *name == row.name) {
            let names = [*other, choice.name].join(" ");
            return Err(Failure::new(format_args!("conflicting options set: [{names}]")));
        }
        row.set(&mut options, choice.name).expect("a choice is a value of its own option");
        chosen.push((row.name, choice.name));
    }
    apply_legacy(low, &mut options, ui);
    Ok(options)
}

/// The first of the legacy flags selects the value, unless `-sample_index` does.
fn apply_legacy(low: &LowArgs, options: &mut Options, ui: &dyn Ui) {
    for (flag, _) in LEGACY.iter().zip(low.legacy).filter(|(_, given)| *given) {
        if options.sample_index.is_empty() {
            flag.sample_index.clone_into(&mut options.sample_index);
            options.mean |= flag.mean;
        } else {
            ui.note(&format!("Multiple value selections, ignoring -{}", flag.name));
        }
    }
}

/// With several positionals, the first one may be the program that the profile is of.
fn split_positionals(mut positionals: Vec<OsString>) -> (Option<PathBuf>, Vec<OsString>) {
    let first_is_binary = positionals.len() > 1 && is_binary(Path::new(&positionals[0]));
    let binary = first_is_binary.then(|| PathBuf::from(positionals.remove(0)));
    (binary, positionals)
}

/// Whether the file starts as ELF, Mach-O (thin or fat, either endianness) or PE files do.
fn is_binary(path: &Path) -> bool {
    const MAGICS: &[&[u8]] = &[
        b"\x7fELF",
        &[0xfe, 0xed, 0xfa, 0xce],
        &[0xfe, 0xed, 0xfa, 0xcf],
        &[0xce, 0xfa, 0xed, 0xfe],
        &[0xcf, 0xfa, 0xed, 0xfe],
        &[0xca, 0xfe, 0xba, 0xbe],
        b"MZ",
    ];
    let mut start = Vec::new();
    let read = std::fs::File::open(path).and_then(|f| f.take(4).read_to_end(&mut start));
    read.is_ok() && MAGICS.iter().any(|magic| start.starts_with(magic))
}

fn sources(low: LowArgs, profiles: Vec<OsString>) -> Result<Sources> {
    if !low.bases.is_empty() && !low.diff_bases.is_empty() {
        return Err(Failure::new("-base and -diff_base flags cannot both be specified"));
    }
    let compare = !low.diff_bases.is_empty();
    let bases = if compare { low.diff_bases } else { low.bases };
    if low.options.normalize && bases.is_empty() {
        return Err(Failure::new("must have base profile to normalize by"));
    }
    Ok(Sources {
        profiles,
        bases: bases.into_iter().map(OsString::from).collect(),
        compare,
        normalize: low.options.normalize,
        comment: low.add_comment,
        all_frames: low.all_frames,
    })
}

/// How servers are reached, as the flags and the environment say.
///
/// # Errors
/// When flags contradict each other.
pub(crate) fn fetch_plan(low: &LowArgs, env: Env<'_>) -> Result<FetchPlan> {
    let file = |name: &str| (!name.is_empty()).then(|| PathBuf::from(name));
    let (tls_cert, tls_key) = (file(&low.tls_cert), file(&low.tls_key));
    match (&tls_cert, &tls_key) {
        (Some(_), None) => return Err(needs_other("tls_cert", "tls_key")),
        (None, Some(_)) => return Err(needs_other("tls_key", "tls_cert")),
        _ => {}
    }
    Ok(FetchPlan {
        seconds: low.seconds,
        timeout: low.timeout,
        headers: headers(&low.headers, env)?,
        tls_cert,
        tls_key,
        tls_ca: file(&low.tls_ca),
        save_in: if low.no_save { Vec::new() } else { save_directories(env) },
        max_bytes: max_bytes(&low.max_size)?,
    })
}

fn needs_other(given: &str, missing: &str) -> Failure {
    Failure::new(format_args!("-{given} is specified, so -{missing} must also be specified"))
}

fn headers(given: &[String], env: Env<'_>) -> Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    for header in given {
        let (name, value) = header.split_once(':').ok_or_else(|| {
            Failure::new(format_args!("-header {header:?} has no colon; write 'name: value'"))
        })?;
        headers.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    let authorized = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    if let Some(token) = env("OXPROF_TOKEN").filter(|t| !t.is_empty() && !authorized) {
        let token = token.into_string().map_err(|_| Failure::new("OXPROF_TOKEN is not UTF-8"))?;
        headers.push(("Authorization".into(), format!("Bearer {token}")));
    }
    Ok(headers)
}

fn save_directories(env: Env<'_>) -> Vec<PathBuf> {
    let set = |name: &str| env(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let home = set(if cfg!(windows) { "USERPROFILE" } else { "HOME" });
    let mut directories: Vec<_> = set("PPROF_TMPDIR").into_iter().collect();
    directories.extend(home.map(|home| home.join("pprof")));
    directories.push(std::env::temp_dir());
    directories
}

/// Reads a size such as `512MB`; a plain number is in bytes, and nothing at all is no limit.
pub(crate) fn max_bytes(text: &str) -> Result<u64> {
    if text.is_empty() {
        return Ok(u64::MAX);
    }
    let wrong = || Failure::new(format_args!("-max_size {text:?} is no size; write 512MB or 2GB"));
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let scale: u64 = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1 << 10,
        "mb" => 1 << 20,
        "gb" => 1 << 30,
        _ => return Err(wrong()),
    };
    let number: u64 = digits.trim().parse().map_err(|_| wrong())?;
    number.checked_mul(scale).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::{Grammar, parse};
    use crate::ui::tests::Recorder;

    fn planned(line: &str, variables: &[(&str, &str)]) -> (Result<Plan>, Vec<String>) {
        let low = parse(line.split(' ').map(OsString::from), Grammar::Free).unwrap();
        let ui = Recorder::default();
        let env = |name: &str| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value))
        };
        (plan(low, &env, &ui), ui.notes())
    }

    #[track_caller]
    fn check_error(line: &str, expected: &str) {
        assert_eq!(planned(line, &[]).0.unwrap_err().to_string(), expected);
    }

    #[test]
    fn contradictions_are_refused() {
        check_error("-top", "no profile source specified");
        check_error("-top -raw x", "must set at most one output format");
        check_error("-cum -flat x", "conflicting options set: [cum flat]");
        check_error("-lines -files x", "conflicting options set: [lines files]");
        check_error(
            "-base a -diff_base b x",
            "-base and -diff_base flags cannot both be specified",
        );
        check_error("-normalize x", "must have base profile to normalize by");
        check_error("-no_browser x", "-no_browser only makes sense with -http");
        check_error(
            "-http=:0 -top x",
            "-http is not compatible with an output format on the command line",
        );
        check_error("-tls_key k x", "-tls_key is specified, so -tls_cert must also be specified");
        check_error("-tls_cert c x", "-tls_cert is specified, so -tls_key must also be specified");
        check_error("-header a x", "-header \"a\" has no colon; write 'name: value'");
        check_error("-max_size 3x x", "-max_size \"3x\" is no size; write 512MB or 2GB");
    }

    #[test]
    fn legacy_flags_select_values_in_their_order() {
        #[track_caller]
        fn check(line: &str, expected: (&str, bool), notes: &[&str]) {
            let (plan, said) = planned(line, &[]);
            let options = plan.unwrap().options;
            assert_eq!((options.sample_index.as_str(), options.mean), expected);
            assert_eq!(said, notes);
        }
        check("-mean_delay x", ("delay", true), &[]);
        check("-inuse_objects x", ("inuse_objects", false), &[]);
        check(
            "-alloc_space -total_delay x",
            ("delay", false),
            &["Multiple value selections, ignoring -alloc_space"],
        );
        check(
            "-sample_index=a -contentions x",
            ("a", false),
            &["Multiple value selections, ignoring -contentions"],
        );
    }

    #[test]
    fn unknown_symbolization_is_pointed_out() {
        let (plan, notes) = planned("-symbolize=foo:local x", &[]);
        assert!(!plan.unwrap().symbols.mode.remote);
        assert_eq!(notes[0], "ignoring unrecognized symbolization option: foo");
        assert!(notes[1].starts_with("expecting -symbolize=["));
    }

    #[test]
    fn a_binary_may_stand_before_the_sources() {
        let program = std::env::current_exe().unwrap().to_string_lossy().into_owned();
        let (plan, _) = planned(&format!("-top {program} x"), &[]);
        let plan = plan.unwrap();
        assert_eq!(plan.symbols.binary, Some(PathBuf::from(&program)));
        assert_eq!(plan.sources.profiles, ["x"]);
        let (alone, _) = planned(&format!("-top {program}"), &[]);
        assert_eq!(alone.unwrap().sources.profiles, [program.as_str()]);
    }

    #[test]
    fn the_token_is_sent_unless_a_header_says_otherwise() {
        #[track_caller]
        fn check(line: &str, expected: &[(&str, &str)]) {
            let (plan, _) = planned(line, &[("OXPROF_TOKEN", "t0")]);
            let headers = plan.unwrap().fetch.headers;
            let headers: Vec<_> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            assert_eq!(headers, expected);
        }
        check("x", &[("Authorization", "Bearer t0")]);
        check("-header X-A:1 x", &[("X-A", "1"), ("Authorization", "Bearer t0")]);
        check("-header authorization:none x", &[("authorization", "none")]);
    }

    #[test]
    fn profiles_are_saved_where_the_environment_says() {
        #[track_caller]
        fn check(line: &str, variables: &[(&str, &str)], expected: &[&str]) {
            let directories = planned(line, variables).0.unwrap().fetch.save_in;
            let temp = std::env::temp_dir();
            let mut expected: Vec<_> = expected.iter().map(PathBuf::from).collect();
            if !line.contains("no_save") {
                expected.push(temp);
            }
            assert_eq!(directories, expected);
        }
        check("x", &[("PPROF_TMPDIR", "/t"), ("HOME", "/h")], &["/t", "/h/pprof"]);
        check("x", &[("HOME", "/h")], &["/h/pprof"]);
        check("x", &[], &[]);
        check("-no_save x", &[("HOME", "/h")], &[]);
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(max_bytes("").unwrap(), u64::MAX);
        assert_eq!(max_bytes("12").unwrap(), 12);
        assert_eq!(max_bytes("2GB").unwrap(), 2 << 30);
        assert_eq!(max_bytes("3 kb").unwrap(), 3 << 10);
    }
}
