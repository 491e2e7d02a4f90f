//! Profiles of what goroutines wait for: network, synchronisation, system calls, a processor.

use oxprof_profile::{Profile, Samples, StrId, ValueType};

use crate::names::{Names, StackIdx};
use crate::{Event, GoState, GoTransition, Kind, Region, SyncKind, Tables};

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The network.
    Net,
    /// Another goroutine: channels, `select`, locks and the like.
    Sync,
    /// The end of a system call.
    Syscall,
    /// A processor to run on.
    Sched,
}

impl Waiting {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Net, Self::Sync, Self::Syscall, Self::Sched];

    /// Its name, as in `go tool trace -pprof=NAME`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Net => "net",
            Self::Sync => "sync",
            Self::Syscall => "syscall",
            Self::Sched => "sched",
        }
    }

    /// Whether a goroutine that enters `state` for `reason` begins to wait for this.
    #[inline]
    fn begins(self, state: GoState, reason: impl FnOnce() -> bool) -> bool {
        state == self.state() && (!matches!(self, Self::Net | Self::Sync) || reason())
    }

    fn state(self) -> GoState {
        match self {
            Self::Net | Self::Sync => GoState::Waiting,
            Self::Syscall => GoState::Syscall,
            Self::Sched => GoState::Runnable,
        }
    }

    fn has_reason(self, reason: &str) -> bool {
        match self {
            Self::Net => reason == "network",
            Self::Sync => ["chan", "sync", "select"].iter().any(|part| reason.contains(part)),
            Self::Syscall | Self::Sched => true,
        }
    }
}

/// Which waits count. All of those that are set have to agree.
#[derive(Clone, Debug, Default)]
pub struct WaitFilter {
    /// Only in goroutines that start in this function.
    pub goroutine: Option<String>,
    /// Only within a region of this type.
    pub region: Option<String>,
}

/// Sums up waits by stack. Feed it every event of a trace.
///
/// As in Go's tool, a goroutine's waits count from when it first runs; if it never does, all count.
#[derive(Debug)]
pub struct WaitProfiler {
    waiting: Waiting,
    filter: WaitFilter,
    names: Names,
    /// By slot.
    goroutines: Vec<Goroutine>,
    /// By [`StackIdx`].
    totals: Vec<Total>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Total {
    count: i64,
    nanos: i64,
}

/// There may be very many: each is in one line of the processor's cache.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Goroutine {
    /// Since when it waits, and with which stack it began to.
    since: Option<(i64, StackIdx)>,
    has_run: bool,
    /// Whether its name is known, and passes the filter.
    name_matches: Option<bool>,
    rest: Option<Box<Rest>>,
}

/// What is seldom needed of a goroutine.
#[derive(Debug, Default)]
struct Rest {
    /// For each open region, whether it passes the filter.
    regions: Vec<bool>,
    /// Waits before it first runs.
    early: Vec<(StackIdx, i64)>,
}

impl WaitProfiler {
    /// A profiler of one kind of waiting.
    pub fn new(waiting: Waiting, filter: WaitFilter) -> Self {
        Self {
            waiting,
            filter,
            names: Names::default(),
            goroutines: Vec::new(),
            totals: Vec::new(),
        }
    }

    /// Takes the next event into account.
    #[inline]
    pub fn event(&mut self, event: &Event, tables: &Tables) {
        match event.kind {
            Kind::Go(transition) => self.transition(event, &transition, tables),
            Kind::Sync { kind, .. } => {
                self.names.event(event);
                if kind == SyncKind::Gap {
                    self.forget();
                }
            }
            Kind::RegionBegin(region) => self.region_begin(event, region, tables),
            Kind::RegionEnd(_) => {
                let go = self.goroutines.get_mut(event.slot.index());
                if let Some(rest) = go.and_then(|go| go.rest.as_mut()) {
                    rest.regions.pop();
                }
            }
            _ => {}
        }
    }

    fn transition(&mut self, event: &Event, t: &GoTransition, tables: &Tables) {
        let slot = t.slot.index();
        if slot >= self.goroutines.len() {
            self.goroutines.resize_with(slot + 1, Goroutine::default);
        }
        if matches!(t.from, GoState::Undetermined | GoState::NotExist) {
            self.goroutines[slot] = Goroutine::default();
        }
        self.name(t, tables);
        let go = &mut self.goroutines[slot];
        let waiting = self.waiting;
        match go.since {
            None => {
                if waiting.begins(t.to, || waiting.has_reason(tables.str(t.reason))) {
                    go.since = Some((event.time, self.names.stack(event.stack, tables)));
                }
            }
            Some((since, stack)) if t.to != waiting.state() => {
                go.since = None;
                self.waited(slot, stack, event.time - since);
            }
            Some(_) => {}
        }
        match t.to {
            GoState::Running => {
                let go = &mut self.goroutines[slot];
                if !std::mem::replace(&mut go.has_run, true)
                    && let Some(rest) = &mut go.rest
                {
                    rest.early = Vec::new();
                }
            }
            GoState::NotExist => self.settle(slot),
            _ => {}
        }
    }

    fn name(&mut self, t: &GoTransition, tables: &Tables) {
        let Some(name) = &self.filter.goroutine else { return };
        let go = &mut self.goroutines[t.slot.index()];
        let root = t.stack.map_or("", |stack| tables.root_func(stack));
        if go.name_matches.is_none() && !root.is_empty() {
            go.name_matches = Some(root == name);
        }
    }

    fn region_begin(&mut self, event: &Event, region: Region, tables: &Tables) {
        let Some(name) = &self.filter.region else { return };
        if let Some(go) = self.goroutines.get_mut(event.slot.index()) {
            let matches = tables.str(region.name) == name;
            go.rest.get_or_insert_default().regions.push(matches);
        }
    }

    /// A wait is over. Regions begin and end while a goroutine runs, so it is all in or all out of one.
    fn waited(&mut self, slot: usize, stack: StackIdx, nanos: i64) {
        let go = &mut self.goroutines[slot];
        let in_goroutine = self.filter.goroutine.is_none() || go.name_matches == Some(true);
        let in_region = self.filter.region.is_none()
            || go.rest.as_ref().is_some_and(|rest| rest.regions.contains(&true));
        if !in_goroutine || !in_region {
            return;
        }
        if go.has_run {
            self.count(stack, nanos);
        } else {
            go.rest.get_or_insert_default().early.push((stack, nanos));
        }
    }

    #[inline]
    fn count(&mut self, stack: StackIdx, nanos: i64) {
        let i = stack.0 as usize;
        if i >= self.totals.len() {
            self.totals.resize(i + 1, Total::default());
        }
        self.totals[i].count += 1;
        self.totals[i].nanos = self.totals[i].nanos.saturating_add(nanos);
    }

    /// A goroutine will not run any more: if it never did, its early waits are all it has.
    fn settle(&mut self, slot: usize) {
        let rest = std::mem::take(&mut self.goroutines[slot]).rest;
        for (stack, nanos) in rest.map(|rest| rest.early).unwrap_or_default() {
            self.count(stack, nanos);
        }
    }

    fn forget(&mut self) {
        for slot in 0..self.goroutines.len() {
            self.settle(slot);
        }
        self.goroutines.clear();
    }

    /// The profile: how often and for how long, by the stack of the event that began the wait.
    pub fn finish(mut self) -> Profile {
        self.forget();
        let mut kind = |kind: &str, unit: &str| ValueType {
            kind: self.names.intern(kind),
            unit: self.names.intern(unit),
        };
        let sample_types = vec![kind("contentions", "count"), kind("delay", "nanoseconds")];
        let period_type = kind("trace", "count");
        let (profile, stacks) = self.names.into_profile();
        let mut samples = Samples::new(2);
        for (i, total) in self.totals.iter().enumerate().filter(|(_, total)| total.count > 0) {
            let stack = stacks.get(StackIdx(i as u32));
            samples.push(&[total.count, total.nanos], stack, &[]);
        }
        let default_sample_type = StrId::EMPTY;
        Profile { sample_types, samples, period_type, period: 1, default_sample_type, ..profile }
    }
}
