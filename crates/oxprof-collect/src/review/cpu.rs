//! CPU profiles: where the time goes, and patterns that are known to waste it.

use std::collections::HashMap;

use oxprof_profile::{LocationIdx, Profile};

use super::{Finding, Severity, heaviest, percent};
use crate::weights::{self, weigh};

/// A function with this share of the time, by itself, is a hot spot.
const HOT: f64 = 10.0;

/// Fewer samples say nothing.
const MIN_SAMPLES: i64 = 50;

/// What is known to waste time.
struct Smell {
    name: &'static str,
    title: &'static str,
    /// Names of functions that it shows by; see [`matches`].
    functions: &'static [&'static str],
    /// Share of the time from which on it matters, in percent.
    from: f64,
    severity: Severity,
    why: &'static str,
    next: &'static str,
}

const SMELLS: &[Smell] = &[
    Smell {
        name: "allocation",
        title: "of the time goes to allocating and freeing memory",
        functions: &[
            "malloc",
            "calloc",
            "realloc",
            "free",
            "cfree",
            "_int_malloc",
            "_int_free",
            "__rust_alloc*",
            "__rust_dealloc*",
            "__rust_realloc*",
            "__rustc::__rust_*",
            "__rdl_*",
            "alloc::alloc::*",
            "runtime.mallocgc",
        ],
        from: 10.0,
        severity: Severity::Warning,
        why: "Memory that is asked for and given back at once costs more than the work on it.",
        next: "Look at the allocs profile by alloc_objects; reuse buffers, reserve capacity, borrow.",
    },
    Smell {
        name: "garbage-collection",
        title: "of the time goes to garbage collection",
        functions: &["runtime.gcBgMarkWorker", "runtime.gcAssistAlloc*", "runtime.bgsweep"],
        from: 10.0,
        severity: Severity::Warning,
        why: "The collector works as much as the program allocates.",
        next: "Look at the allocs profile by alloc_objects; raise GOGC if memory allows.",
    },
    Smell {
        name: "hashing",
        title: "of the time goes to SipHash",
        functions: &[
            "core::hash::sip::*",
            "<core::hash::sip::*",
            "std::collections::hash::map::DefaultHasher*",
        ],
        from: 5.0,
        severity: Severity::Warning,
        why: "The standard hasher resists attackers, which keys from trusted sources do not need.",
        next: "Use a faster hasher for maps whose keys no stranger chooses.",
    },
    Smell {
        name: "formatting",
        title: "of the time goes to formatting text",
        functions: &[
            "core::fmt::*",
            "<core::fmt::*",
            "alloc::fmt::format*",
            "fmt.Sprintf",
            "fmt.Fprintf",
        ],
        from: 10.0,
        severity: Severity::Warning,
        why: "Formatting is often done for logs that nobody sees, or where appending would do.",
        next: "Check who formats; test the log level first, write into one buffer.",
    },
    Smell {
        name: "copying",
        title: "of the time goes to copying memory",
        functions: &["memcpy", "memmove", "__memcpy_*", "__memmove_*", "runtime.memmove"],
        from: 10.0,
        severity: Severity::Warning,
        why: "Large values are moved or cloned where a reference would do.",
        next: "Look at the callers; box large types, share instead of cloning.",
    },
    Smell {
        name: "regex-compilation",
        title: "of the time goes to compiling regular expressions",
        functions: &[
            "regex::builders::*",
            "regex::regex::string::Regex::new",
            "regex_automata::meta::regex::Builder::*",
            "regexp.Compile",
            "regexp.MustCompile",
        ],
        from: 2.0,
        severity: Severity::Warning,
        why: "Compiling costs thousands of times more than matching.",
        next: "Compile once, into a LazyLock or a global.",
    },
    Smell {
        name: "dropping",
        title: "of the time goes to dropping values",
        functions: &["core::ptr::drop_in_place*", "core::ptr::drop_glue*"],
        from: 10.0,
        severity: Severity::Info,
        why: "Deep structures of small boxes are slow to take down.",
        next: "Drop them elsewhere, or keep them in an arena.",
    },
    Smell {
        name: "unwinding",
        title: "of the time goes to panics",
        functions: &[
            "std::panicking::*",
            "_Unwind_RaiseException",
            "rust_panic",
            "runtime.gopanic",
        ],
        from: 1.0,
        severity: Severity::Warning,
        why: "Panics as control flow cost microseconds each, and hide faults.",
        next: "Return errors where they are expected.",
    },
    Smell {
        name: "locking",
        title: "of the time goes to taking locks",
        functions: &[
            "futex*",
            "__lll_lock_wait*",
            "std::sys::sync::mutex::*",
            "std::sys::sync::rwlock::*",
            "parking_lot*",
            "runtime.lock2",
            "sync.(*Mutex).lockSlow",
        ],
        from: 5.0,
        severity: Severity::Warning,
        why: "Threads spin or sleep for one another instead of working.",
        next: "Look at the mutex and block profiles.",
    },
    Smell {
        name: "json",
        title: "of the time goes to JSON",
        functions: &["serde_json::*", "<serde_json::*", "encoding/json.*"],
        from: 20.0,
        severity: Severity::Info,
        why: "Reading and writing JSON outweighs what is done with it.",
        next: "Avoid intermediate values, borrow strings, or choose another format inside.",
    },
];

/// Functions that an optimising compiler never leaves as calls.
const UNOPTIMISED: &[&str] = &[
    "core::ptr::const_ptr::*",
    "core::ptr::mut_ptr::*",
    "core::ops::range::*",
    "<core::ops::range::Range*",
    "core::iter::range::*",
    "<usize as core::iter::range::Step>*",
    "core::cmp::impls::*",
    "core::num::<impl u*",
    "<core::slice::iter::Iter<T> as core::iter::traits::iterator::Iterator>::next",
];

/// Share of the time in such functions from which on a build counts as unoptimised, in percent.
const UNOPTIMISED_FROM: f64 = 5.0;

/// All there is to say about CPU profiles.
pub(super) fn find(profiles: &[Profile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if profiles.iter().filter_map(|p| Some(p.totals()[hits_column(p)?])).sum::<i64>() >= MIN_SAMPLES
    {
        findings.extend(hot_spots(profiles));
        findings.extend(SMELLS.iter().filter_map(|smell| sniff(smell, profiles)));
        findings.extend(unoptimised(profiles));
    }
    findings
}

/// The column that counts samples, or else the one there is.
pub(super) fn hits_column(profile: &Profile) -> Option<usize> {
    weights::column(profile, &["samples", "cpu"]).or_else(|| weights::main_column(profile))
}

fn hot_spots(profiles: &[Profile]) -> Option<Finding> {
    let (mut total, mut flat) = (0, HashMap::<String, i64>::new());
    for profile in profiles {
        let weights = weigh(profile, hits_column(profile)?);
        total += weights.total;
        for (name, weight) in weights.functions {
            *flat.entry(name).or_default() += weight.flat;
        }
    }
    let mut evidence = heaviest(flat, total, 5);
    evidence.retain(|e| e.value >= HOT);
    let hottest = evidence.first()?;
    Some(Finding {
        severity: Severity::Info,
        detector: "hot-spot",
        kind: "cpu".to_owned(),
        title: format!("{:.0} % of the time is spent in {}", hottest.value, hottest.place),
        why: "What takes most of the time is where making it faster pays.".to_owned(),
        next: format!(
            "oxprof -peek='{0}' and oxprof -list='{0}' on the profile.",
            simple(&hottest.place)
        ),
        evidence,
    })
}

/// The part of a name that makes a fair regular expression.
fn simple(name: &str) -> &str {
    let end = name.find(['<', '(', '{']).filter(|&end| end > 0).unwrap_or(name.len());
    let name = name[..end].trim_end_matches([':', '.']);
    name.rsplit("::").next().unwrap_or(name)
}

fn sniff(smell: &Smell, profiles: &[Profile]) -> Option<Finding> {
    let (mut total, mut caught, mut callers) = (0, 0, HashMap::<String, i64>::new());
    for profile in profiles {
        let column = hits_column(profile)?;
        let suspicious: Vec<_> = profile
            .functions
            .iter()
            .map(|f| matches(profile.str(f.name), smell.functions))
            .collect();
        for sample in profile.samples.iter() {
            total += sample.values[column];
            if let Some(caller) = caller(profile, sample.stack, &suspicious) {
                caught += sample.values[column];
                *callers.entry(caller).or_default() += sample.values[column];
            }
        }
    }
    let share = percent(caught, total);
    (share >= smell.from).then(|| Finding {
        severity: smell.severity,
        detector: smell.name,
        kind: "cpu".to_owned(),
        title: format!("{share:.0} % {}", smell.title),
        why: smell.why.to_owned(),
        evidence: heaviest(callers, total, 5),
        next: smell.next.to_owned(),
    })
}

/// Whoever calls the suspicious functions of a stack: the frame above the outermost of them.
fn caller(profile: &Profile, stack: &[LocationIdx], suspicious: &[bool]) -> Option<String> {
    let frames = stack.iter().flat_map(|&l| profile.lines_of(l));
    let frames: Vec<_> = frames.map(|line| line.function).collect();
    let outermost = frames.iter().rposition(|f| suspicious[f.index()])?;
    let named = frames.get(outermost + 1).unwrap_or(&frames[outermost]);
    Some(profile.str(profile.functions[named.index()].name).to_owned())
}

/// Whether a name is one of `patterns`, each a name or, with a star at its end, a beginning.
fn matches(name: &str, patterns: &[&str]) -> bool {
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == *pattern,
    })
}

fn unoptimised(profiles: &[Profile]) -> Option<Finding> {
    let (mut total, mut caught, mut names) = (0, 0, HashMap::<String, i64>::new());
    for profile in profiles {
        let column = hits_column(profile)?;
        for sample in profile.samples.iter() {
            total += sample.values[column];
            // The last line of a place is the function that is really there; others were inlined into it.
            let Some(line) = sample.stack.first().and_then(|&l| profile.lines_of(l).last()) else {
                continue;
            };
            let name = profile.str(profile.functions[line.function.index()].name);
            if matches(name, UNOPTIMISED) {
                caught += sample.values[column];
                *names.entry(name.to_owned()).or_default() += sample.values[column];
            }
        }
    }
    let share = percent(caught, total);
    (share >= UNOPTIMISED_FROM).then(|| Finding {
        severity: Severity::Warning,
        detector: "unoptimised-build",
        kind: "cpu".to_owned(),
        title: "the program seems to be built without optimisation".to_owned(),
        why: "Profiles of such builds show costs that optimised ones do not have.".to_owned(),
        evidence: heaviest(names, total, 3),
        next: "Profile a release build.".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, cpu};
    use super::*;

    #[test]
    fn hot_spots_and_who_causes_what_is_known_to_be_slow() {
        let busy = cpu(&[
            ("main;parse", 600),
            ("main;serve;core::fmt::write;malloc", 120),
            ("main;log;alloc::fmt::format::format_inner", 30),
            ("main;index;<core::hash::sip::Hasher<S> as core::hash::Hasher>::write", 60),
        ]);
        let expected = [
            "info hot-spot parse 74",
            "warning allocation core::fmt::write 15",
            "warning hashing index 7",
            "warning formatting serve 15",
        ];
        check(&find(&[busy]), &expected);
    }

    #[test]
    fn few_samples_are_no_evidence() {
        check(&find(&[cpu(&[("main;malloc", 20)])]), &[]);
        check(&find(&[cpu(&[])]), &[]);
    }

    #[test]
    fn builds_without_optimisation() {
        let debug = cpu(&[("main;core::ptr::const_ptr::add", 90), ("main;a", 60), ("main;b", 60)]);
        let found = find(&[debug]);
        assert!(found.iter().any(|f| f.detector == "unoptimised-build"), "{found:?}");
    }

    #[test]
    fn names_as_patterns() {
        assert_eq!(simple("a::b::handle::<T>"), "handle");
        assert_eq!(simple("main.work"), "main.work");
        assert_eq!(simple("<T as U>::f"), "f");
    }
}
