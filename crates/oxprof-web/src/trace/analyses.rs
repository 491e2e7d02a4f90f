//! Analyses of the whole trace: one pass each, kept, and shown as the values that the command line prints.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use http::Method;
use oxprof_profile::{Compression, Profile, encode_gzip};
use oxprof_trace::chain::History;
use oxprof_trace::mutator::{GcWork, Utilization};
use oxprof_trace::timeline::LanesBy;
use oxprof_trace::views::{
    Diff, Groups, Members, Mmu, Question, RegionTypes, Regions, TaskTypes, Tasks, Waits, Why,
};
use oxprof_trace::{
    Event, GoId, Latencies, Summarizer, Summary, Tables, TaskId, WaitFilter, WaitProfiler, Waiting,
};
use serde::Serialize;

use super::job::{Job, PATIENCE, Standing};
use super::read::{self, Visitor};
use super::timeline::overview;
use super::{Trace, TraceSource, unfinished};
use crate::app::{Inner, Refusal};
use crate::reply::Reply;
use crate::request::{Ask, Query};
use crate::{Giver, Loaded};

/// Rows of a list of goroutines, tasks or regions that are sent: the longest.
const ROWS: usize = 500;
/// Profiles that are kept.
const PROFILES: usize = 8;
/// Of these, how many are made at a time: every one is a pass over the trace.
const PASSES: usize = 4;
/// Bytes of the trace in which the chain of what something waited for is looked for.
const CHAIN: u64 = 128 << 20;

/// What has been found out, or is about to be.
#[derive(Debug, Default)]
pub(super) struct Analyses {
    summary: Job<Summary>,
    base: Job<Summary>,
    waits: Job<Waits>,
    mmu: Job<Mmu>,
    profiles: Mutex<Vec<(ProfileKey, Job<Profile>)>>,
}

/// What is waited for, in goroutines that start in a function, in regions of a type.
type ProfileKey = (&'static str, String, String);

/// A value made of the summary, once there is one.
fn of_summary<T: Serialize>(
    trace: &Trace,
    make: impl FnOnce(&Summary) -> Result<T, Refusal>,
) -> Result<Reply, Refusal> {
    finished(summary(trace)?, |summary| Ok(Reply::json(&make(summary)?)))
}

fn summary(trace: &Trace) -> Result<Standing<Summary>, Refusal> {
    let source = Arc::clone(&trace.source);
    let work = move |job: &Job<Summary>| summarize(&*source, job);
    trace.analyses.summary.ask(work).map_err(Refusal::bad)
}

fn summarize(source: &dyn TraceSource, job: &Job<Summary>) -> Result<Summary, String> {
    let mut summarizer = Summarizer::default();
    pass(source, job, |event, tables| summarizer.event(event, tables))?;
    Ok(summarizer.finish())
}

/// What `reply` makes of a job's value, or how far the job is.
fn finished<T>(
    standing: Standing<T>,
    reply: impl FnOnce(&T) -> Result<Reply, Refusal>,
) -> Result<Reply, Refusal> {
    match standing.value.filter(|_| standing.progress >= 1.0) {
        Some(value) => reply(&value),
        None => Ok(unfinished(standing.progress)),
    }
}

/// Reads all of a trace for a job.
fn pass<T: Send + Sync + 'static>(
    source: &dyn TraceSource,
    job: &Job<T>,
    each: impl FnMut(&Event, &Tables),
) -> Result<(), String> {
    struct Pass<'a, T, F>(&'a Job<T>, F, u64);

    impl<T: Send + Sync + 'static, F: FnMut(&Event, &Tables)> Visitor for Pass<'_, T, F> {
        fn event(&mut self, event: &Event, tables: &Tables, _: u64) {
            (self.1)(event, tables);
        }

        fn piece(&mut self, read: u64) {
            self.0.progress(read as f64 / self.2 as f64);
        }
    }

    read::all(source, &mut Pass(job, each, source.size().max(1))).map(drop)
}

pub(super) fn goroutines(trace: &Trace) -> Result<Reply, Refusal> {
    of_summary(trace, |summary| Ok(Groups::new(summary)))
}

pub(super) fn goroutine(trace: &Trace, query: &Query) -> Result<Reply, Refusal> {
    let function = query.get("fn");
    of_summary(trace, |summary| {
        let none = || Refusal::bad(format!("no goroutine starts in {function}"));
        Members::new(summary, function, ROWS).ok_or_else(none)
    })
}

pub(super) fn tasks(trace: &Trace) -> Result<Reply, Refusal> {
    of_summary(trace, |summary| Ok(TaskTypes::new(summary)))
}

pub(super) fn task(trace: &Trace, query: &Query) -> Result<Reply, Refusal> {
    let which = query.get("type");
    of_summary(trace, |summary| {
        let none = || Refusal::bad(format!("no task is of type or number {which}"));
        Tasks::new(summary, which, ROWS).ok_or_else(none)
    })
}

pub(super) fn regions(trace: &Trace) -> Result<Reply, Refusal> {
    of_summary(trace, |summary| Ok(RegionTypes::new(summary)))
}

pub(super) fn region(trace: &Trace, query: &Query) -> Result<Reply, Refusal> {
    let (name, pc) = (query.get("name"), query.get("pc").parse().unwrap_or(0));
    of_summary(trace, |summary| {
        let none = || Refusal::bad(format!("no region of type {name} is at {pc:#x}"));
        Regions::new(summary, name, pc, ROWS).ok_or_else(none)
    })
}

pub(super) fn latency(trace: &Trace) -> Result<Reply, Refusal> {
    let source = Arc::clone(&trace.source);
    let work = move |job: &Job<Waits>| {
        let mut latencies = Latencies::new();
        pass(&*source, job, |event, tables| latencies.event(event, tables))?;
        Ok(Waits::new(latencies.finish()))
    };
    let standing = trace.analyses.waits.ask(work).map_err(Refusal::bad)?;
    finished(standing, |waits| Ok(Reply::json(waits)))
}

pub(super) fn mmu(trace: &Trace) -> Result<Reply, Refusal> {
    let source = Arc::clone(&trace.source);
    let work = move |job: &Job<Mmu>| {
        let (mut utilization, mut start) = (Utilization::new(GcWork::default()), None);
        pass(&*source, job, |event, tables| {
            start.get_or_insert(event.time);
            utilization.event(event, tables);
        })?;
        let none =
            "the trace does not say how many processors there are, so there is no utilisation";
        let curve = utilization.finish().ok_or(none)?;
        Ok(Mmu::new(&curve, start.unwrap_or_default()))
    };
    let standing = trace.analyses.mmu.ask(work).map_err(Refusal::bad)?;
    finished(standing, |mmu| Ok(Reply::json(mmu)))
}

/// The trace compared with the one that was given for that.
pub(super) fn diff(trace: &Trace) -> Result<Reply, Refusal> {
    let none = || Refusal::bad("there is no trace to compare with; give one with -base");
    let source = Arc::clone(trace.base.as_ref().ok_or_else(none)?);
    let work = move |job: &Job<Summary>| summarize(&*source, job);
    let base = trace.analyses.base.ask(work).map_err(Refusal::bad)?;
    finished(base, |base| of_summary(trace, |summary| Ok(Diff::new(base, summary))))
}

/// Gives the profile of a kind of waiting to the page of profiles: its number there.
pub(super) fn show_profile(app: &Inner, trace: &Trace, ask: &Ask) -> Result<Reply, Refusal> {
    if ask.method != Method::POST {
        return Err(Refusal(http::StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed".to_owned()));
    }
    let (name, job) = profile(trace, &ask.query)?;
    let Some(job) = job else { return Ok(unfinished(0.0)) };
    finished(job.standing().map_err(Refusal::bad)?, |profile| {
        let loaded = Loaded { profile: profile.clone(), remarks: Vec::new() };
        Ok(Reply::json(&app.library.add(&name, loaded, Giver::User)))
    })
}

/// The profile of a kind of waiting as a file, once it is there.
pub(super) fn download(trace: &Trace, query: &Query) -> Result<Reply, Refusal> {
    let (name, job) = loop {
        match profile(trace, query)? {
            (name, Some(job)) => break (name, job),
            _ => thread::sleep(PATIENCE),
        }
    };
    loop {
        if let Some(profile) = job.standing().map_err(Refusal::bad)?.value {
            let bytes = encode_gzip(&profile, Compression::Balanced);
            let reply = Reply::of_kind("application/vnd.google.protobuf+gzip", bytes);
            return Ok(reply.attachment(&format!("{name}.pb.gz")));
        }
    }
}

/// The profile that a query asks for: what to call it, and who makes it, unless too many are being made.
fn profile(trace: &Trace, query: &Query) -> Result<(String, Option<Job<Profile>>), Refusal> {
    let waiting = Waiting::ALL.into_iter().find(|waiting| waiting.name() == query.get("kind"));
    let waiting = waiting.ok_or_else(|| Refusal::bad("kind is net, sync, syscall or sched"))?;
    let given = |name: &str| Some(query.get(name).to_owned()).filter(|text| !text.is_empty());
    let filter = WaitFilter { goroutine: given("within"), region: given("region") };
    let name = [Some(waiting.name()), filter.goroutine.as_deref(), filter.region.as_deref()];
    let name = name.into_iter().flatten().collect::<Vec<_>>().join(" in ");
    let key = (waiting.name(), query.get("within").to_owned(), query.get("region").to_owned());
    let source = Arc::clone(&trace.source);
    let work = move |job: &Job<Profile>| {
        let mut profiler = WaitProfiler::new(waiting, filter);
        pass(&*source, job, |event, tables| profiler.event(event, tables))?;
        Ok(profiler.finish())
    };
    Ok((name, trace.analyses.profile(key, work).map_err(Refusal::bad)?))
}

impl Analyses {
    /// The job that makes a profile: one that is known, or one that `work` is begun in, unless too many are at work. What
    /// is at work stays known, so that these are all.
    fn profile(
        &self,
        key: ProfileKey,
        work: impl FnOnce(&Job<Profile>) -> Result<Profile, String> + Send + 'static,
    ) -> Result<Option<Job<Profile>>, String> {
        let mut profiles = self.profiles.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, job)) = profiles.iter().find(|(known, _)| *known == key) {
            return Ok(Some(job.clone()));
        }
        if profiles.iter().filter(|(_, job)| !job.has_ended()).count() >= PASSES {
            return Ok(None);
        }
        if profiles.len() >= PROFILES
            && let Some(oldest) = profiles.iter().rposition(|(_, job)| job.has_ended())
        {
            profiles.remove(oldest);
        }
        let job = Job::default();
        job.begin(work)?;
        profiles.insert(0, (key, job.clone()));
        Ok(Some(job))
    }
}

/// The chain of what a goroutine or task waited for.
#[derive(Serialize)]
struct Chain {
    /// Whether the chain may begin earlier than what was looked at.
    cut: bool,
    #[serde(flatten)]
    why: Why,
}

pub(super) fn why(trace: &Trace, query: &Query) -> Result<Reply, Refusal> {
    finished(overview(trace, LanesBy::Proc)?, |overview| {
        let start = overview.grid.range().0;
        let number = |name: &str| query.get(name).parse::<f64>().ok().map(|n| n as i64);
        let interval = number("from").zip(number("to")).filter(|(from, to)| from < to);
        if let Some(((from, to), goroutine)) = interval.zip(number("goroutine")) {
            let (from, to) = (start.saturating_add(from), start.saturating_add(to));
            return chain(trace, Question { goroutine: GoId(goroutine), from, to });
        }
        finished(summary(trace)?, |summary| {
            let question = match query.get("task").parse() {
                Ok(task) => Question::of_task(summary, TaskId(task)),
                Err(_) => {
                    number("goroutine").and_then(|id| Question::of_goroutine(summary, GoId(id)))
                }
            };
            let question = question.ok_or_else(|| Refusal::bad("that is not in the trace"))?;
            chain(trace, question)
        })
    })
}

fn chain(trace: &Trace, question: Question) -> Result<Reply, Refusal> {
    finished(overview(trace, LanesBy::Proc)?, |overview| {
        let (start, generations) = (overview.grid.range().0, &overview.generations);
        let from = generations.reach_back(question.from, question.to, CHAIN);
        let cut = from > question.from;
        let question = Question { from, ..question };
        let mut history = History::new(question.from, question.to);
        let mut visitor = |event: &Event, tables: &Tables| history.event(event, tables);
        let bytes = generations.bytes(question.from, question.to);
        read::part(&*trace.source, bytes, &mut visitor).map_err(Refusal::bad)?;
        Ok(Reply::json(&Chain { cut, why: Why::new(&question, &history, start) }))
    })
}
