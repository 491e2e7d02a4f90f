//! Load on a service: requests that are sent when they are due, and how long the answers took from then.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use oxprof_collect::latency::{Histogram, Schedule, Summary};
use serde::Serialize;
use ureq::Agent;
use ureq::http::{Method, Request};

use super::args::{Args, Flag};
use crate::failure::{Failure, Result, file_error};
use crate::fetch::http;
use crate::fetch::url::Url;
use crate::plan::FetchPlan;

/// Flags of every command that makes load.
pub(super) const RATE: Flag = ("rate", "N", "requests a second (as many as are answered)");
pub(super) const CONCURRENCY: Flag =
    ("concurrency", "N", "requests under way at a time, at most (8)");
pub(super) const METHOD: Flag = ("method", "NAME", "method of requests (GET, or POST with -body)");
pub(super) const BODY: Flag = ("body", "FILE", "send this file as the body of requests");

/// How long the last answers are waited for.
const GRACE: Duration = Duration::from_secs(10);

/// Requests to be sent.
#[derive(Debug)]
pub(super) struct Load {
    url: Url,
    method: Method,
    body: Vec<u8>,
    pub(super) schedule: Schedule,
    pub(super) concurrency: usize,
    plan: FetchPlan,
}

/// What came back.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Answers {
    /// From when a request was due until its answer had arrived: what users feel.
    pub latency: Summary,
    /// From when it was sent.
    pub service_time: Summary,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests without an answer, by reason.
    pub errors: BTreeMap<String, u64>,
    /// Requests that were due but not sent in time, since all others were still waiting.
    pub unsent: u64,
    /// Answers a second.
    pub rate: f64,
    /// Bytes of all answers.
    pub bytes: u64,
    pub seconds: f64,
}

impl Answers {
    /// The part of all requests that failed or were not even sent.
    pub(super) fn failed(&self) -> f64 {
        let bad_status = |(status, count): (&u16, &u64)| if *status >= 400 { *count } else { 0 };
        let bad: u64 = self.statuses.iter().map(bad_status).sum();
        let errors: u64 = self.errors.values().sum();
        let all = self.statuses.values().sum::<u64>() + errors + self.unsent;
        (bad + errors + self.unsent) as f64 / all.max(1) as f64
    }
}

impl Load {
    /// The load that the flags describe, on `url`.
    pub(super) fn parse(args: &Args, url: &str, duration: Duration) -> Result<Self> {
        let Some(mut target) = Url::parse(url) else {
            return Err(Failure::Usage(format!("{url} is no URL to send requests to")));
        };
        // What profiles are fetched from by default is not what a service serves.
        if !url.contains(target.path.as_str()) {
            "/".clone_into(&mut target.path);
        }
        let read = |file: &str| {
            std::fs::read(file).map_err(|e| Failure::new(file_error("open", file, &e)))
        };
        let body = args.get("body").map(read).transpose()?;
        let usual = if body.is_some() { Method::POST } else { Method::GET };
        let method = args.value("method", "the name of a method", |name| name.parse().ok())?;
        Ok(Self {
            url: target,
            method: method.unwrap_or(usual),
            body: body.unwrap_or_default(),
            schedule: Schedule { rate: args.positive("rate")?, duration },
            concurrency: args.positive("concurrency")?.unwrap_or(8),
            plan: args.servers()?,
        })
    }

    /// Sends the requests until the schedule ends or `halt` says so.
    ///
    /// # Errors
    /// When requests cannot be sent at all, as with a certificate that cannot be read.
    pub(super) fn run(&self, halt: &AtomicBool) -> Result<Answers> {
        let (next, start) = (AtomicU64::new(0), Instant::now());
        let agent = || http::agent(&self.url, GRACE, &self.plan).map_err(Failure::new);
        let agents: Vec<_> = (0..self.concurrency).map(|_| agent()).collect::<Result<_>>()?;
        let mut all = Part::default();
        thread::scope(|scope| {
            let send = |agent| self.work(agent, &next, start, halt);
            let senders: Vec<_> =
                agents.iter().map(|agent| scope.spawn(move || send(agent))).collect();
            for sender in senders {
                all.add(&sender.join().expect("no sender panics"));
            }
        });
        let seconds = start.elapsed().as_secs_f64();
        let unsent = self.unsent(&all, halt);
        Ok(all.answers(unsent, seconds))
    }

    /// How many of the requests that were due did not get sent.
    fn unsent(&self, sent: &Part, halt: &AtomicBool) -> u64 {
        let Some(rate) = self.schedule.rate.filter(|_| !halt.load(Ordering::Relaxed)) else {
            return 0;
        };
        let due = (rate * self.schedule.duration.as_secs_f64()).ceil() as u64;
        due.saturating_sub(sent.latency.count() + sent.errors.values().sum::<u64>())
    }

    fn work(&self, agent: &Agent, next: &AtomicU64, start: Instant, halt: &AtomicBool) -> Part {
        let mut part = Part::default();
        while !halt.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(due) = self.schedule.due(number, start.elapsed()) else { break };
            thread::sleep(due.saturating_sub(start.elapsed()));
            let sent = start.elapsed();
            if sent > self.schedule.duration + GRACE {
                break;
            }
            match self.send(agent) {
                Ok((status, bytes)) => {
                    let done = start.elapsed();
                    part.latency.record(done.saturating_sub(due));
                    part.service.record(done - sent);
                    *part.statuses.entry(status).or_default() += 1;
                    part.bytes += bytes;
                }
                Err(why) => {
                    *part.errors.entry(why).or_default() += 1;
                    // A server that is away is not asked a million times a second.
                    thread::sleep(Duration::from_millis(1));
                }
            }
        }
        part
    }

    fn send(&self, agent: &Agent) -> std::result::Result<(u16, u64), String> {
        let mut request = Request::builder().method(&self.method).uri(self.url.request());
        for (name, value) in &self.plan.headers {
            request = request.header(name, value);
        }
        let request = request.body(&*self.body).map_err(|e| e.to_string())?;
        let mut response = agent.run(request).map_err(|e| e.to_string())?;
        let mut body = response.body_mut().as_reader().take(u64::MAX);
        let bytes = std::io::copy(&mut body, &mut std::io::sink()).map_err(|e| e.to_string())?;
        Ok((response.status().as_u16(), bytes))
    }
}

/// What one sender has seen.
#[derive(Default)]
struct Part {
    latency: Histogram,
    service: Histogram,
    statuses: BTreeMap<u16, u64>,
    errors: BTreeMap<String, u64>,
    bytes: u64,
}

impl Part {
    fn add(&mut self, other: &Self) {
        self.latency.merge(&other.latency);
        self.service.merge(&other.service);
        self.bytes += other.bytes;
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        for (why, count) in &other.errors {
            *self.errors.entry(why.clone()).or_default() += count;
        }
    }

    fn answers(self, unsent: u64, seconds: f64) -> Answers {
        Answers {
            latency: self.latency.summary(),
            service_time: self.service.summary(),
            rate: self.latency.count() as f64 / seconds.max(1e-9),
            statuses: self.statuses,
            errors: self.errors,
            bytes: self.bytes,
            unsent,
            seconds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_bad_answers_and_none() {
        let answers = Answers {
            statuses: [(200, 6), (404, 1), (500, 1)].into(),
            errors: [("refused".to_owned(), 1)].into(),
            unsent: 1,
            ..Answers::default()
        };
        assert_eq!(answers.failed(), 0.4);
        assert_eq!(Answers::default().failed(), 0.0);
    }
}
