//! How much of the machine the program itself gets while garbage is collected.
//!
//! Mutator utilisation is the fraction of processors that do the program's own work. Its minimum over all
//! windows of some length (MMU) says how bad it can get for a request of that length.

mod curve;

pub use curve::{Curve, Point, Window};

use crate::{Event, GoState, Kind, Metric, Range, Slot, SyncKind, Tables};

/// What counts as work of the garbage collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GcWork {
    /// Stops of the world.
    pub stops: bool,
    /// Background workers that mark.
    pub background: bool,
    /// Goroutines that have to help marking.
    pub assist: bool,
    /// Sweeping.
    pub sweep: bool,
    /// Whether each processor has a utilisation of its own, instead of a share in a common one. Workers
    /// that have a processor to themselves do not count then, for they do not delay a goroutine.
    pub per_proc: bool,
}

impl Default for GcWork {
    fn default() -> Self {
        Self { stops: true, background: true, assist: true, sweep: false, per_proc: false }
    }
}

/// Follows the utilisation. Feed it every event of a trace.
#[derive(Debug)]
pub struct Utilization {
    work: GcWork,
    series: Vec<Vec<Point>>,
    procs: Vec<Proc>,
    /// How many processors do the collector's work.
    busy: usize,
    stops: i32,
    /// By slot.
    goroutines: Vec<Goroutine>,
    /// When the number of processors changed, and to what.
    proc_counts: Vec<(i64, usize)>,
    syncs: u32,
    end: i64,
}

#[derive(Debug)]
struct Proc {
    /// How many pieces of the collector's work are on it.
    gc: i32,
    series: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Goroutine {
    executing: bool,
    assists: bool,
    worker: bool,
}

impl Utilization {
    /// The utilisation with regard to some kinds of work.
    pub fn new(work: GcWork) -> Self {
        Self {
            work,
            series: Vec::new(),
            procs: Vec::new(),
            busy: 0,
            stops: 0,
            goroutines: Vec::new(),
            proc_counts: Vec::new(),
            syncs: 0,
            end: 0,
        }
    }

    /// Takes the next event into account.
    #[inline]
    pub fn event(&mut self, event: &Event, tables: &Tables) {
        self.end = event.time;
        match event.kind {
            Kind::Sync { number, kind } => self.sync(number, kind),
            Kind::Metric(Metric::Procs, count) => self.procs_change(event.time, count),
            Kind::Go(t) if !self.procs.is_empty() => self.transition(event, t.slot, t.from, t.to),
            Kind::RangeActive(range) if self.syncs <= 1 => {
                self.backdate(event, range);
                self.range(event, range, tables, 1);
            }
            Kind::RangeBegin(range) => self.range(event, range, tables, 1),
            Kind::RangeEnd(range, _) => self.range(event, range, tables, -1),
            Kind::Label(label) => self.label(event, tables.str(label)),
            _ => {}
        }
    }

    /// The curve of all events so far; `None` if the trace does not say how many processors there are.
    pub fn finish(mut self) -> Option<Curve> {
        let end = Point { time: self.end, utilization: 0.0 };
        for proc in &self.procs {
            push(&mut self.series[proc.series], end);
        }
        (!self.series.is_empty()).then(|| Curve::new(self.series))
    }

    fn sync(&mut self, number: u32, kind: SyncKind) {
        self.syncs = number;
        if kind == SyncKind::Gap {
            self.goroutines.clear();
            self.procs.iter_mut().for_each(|proc| proc.gc = 0);
            (self.busy, self.stops) = (0, 0);
        }
    }

    fn procs_change(&mut self, time: i64, count: u64) {
        // More processors than this are not believed: each has a series.
        let count = count.min(1 << 16) as usize;
        for proc in self.procs.drain(count.min(self.procs.len())..) {
            self.busy -= usize::from(proc.gc > 0);
            if self.work.per_proc {
                push(&mut self.series[proc.series], Point { time, utilization: 0.0 });
            }
        }
        while self.procs.len() < count {
            if self.work.per_proc || self.series.is_empty() {
                self.series.push(vec![Point { time, utilization: 1.0 }]);
            }
            let series = if self.work.per_proc { self.series.len() - 1 } else { 0 };
            self.procs.push(Proc { gc: 0, series });
        }
        if self.proc_counts.last().is_none_or(|&(_, last)| last != count) {
            self.proc_counts.push((time, count));
        }
        self.update(time);
    }

    fn goroutine(&mut self, slot: Slot) -> Option<&mut Goroutine> {
        if slot.is_none() {
            return None;
        }
        if slot.index() >= self.goroutines.len() {
            self.goroutines.resize(slot.index() + 1, Goroutine::default());
        }
        Some(&mut self.goroutines[slot.index()])
    }

    fn transition(&mut self, event: &Event, slot: Slot, from: GoState, to: GoState) {
        let Some(go) = self.goroutine(slot) else { return };
        if matches!(from, GoState::Undetermined | GoState::NotExist) {
            *go = Goroutine::default();
        }
        go.executing = to.executing();
        match (from.executing(), to.executing()) {
            (false, true) if go.assists => self.gc_on(event, 1),
            (true, false) if go.assists || std::mem::take(&mut go.worker) => self.gc_on(event, -1),
            _ => {}
        }
    }

    /// More or less of the collector's work is on the event's processor.
    fn gc_on(&mut self, event: &Event, change: i32) {
        let Some(proc) = usize::try_from(event.proc.0).ok().and_then(|i| self.procs.get_mut(i))
        else {
            return;
        };
        let was_busy = proc.gc > 0;
        proc.gc += change;
        let is_busy = proc.gc > 0;
        self.busy = self.busy + usize::from(is_busy) - usize::from(was_busy);
        self.update(event.time);
    }

    fn range(&mut self, event: &Event, range: Range, tables: &Tables, change: i32) {
        if self.procs.is_empty() {
            return;
        }
        match range {
            Range::StopTheWorld(kind, ..) if self.work.stops && tables.str(kind).contains("GC") => {
                self.stops += change;
                self.update(event.time);
            }
            Range::GcSweep(_) if self.work.sweep => self.gc_on(event, change),
            Range::GcMarkAssist(_, slot) if self.work.assist => {
                if let Some(go) = self.goroutine(slot) {
                    go.assists = change > 0;
                }
                self.gc_on(event, change);
            }
            _ => {}
        }
    }

    /// A span that is found to be open in the first generation has been so since the trace began, so a
    /// processor was busy all the time.
    fn backdate(&mut self, event: &Event, range: Range) {
        let counts = match range {
            Range::GcMarkAssist(..) => {
                let executing = self.goroutine(event.slot).is_some_and(|go| go.executing);
                self.work.assist && executing
            }
            Range::GcSweep(_) => self.work.sweep,
            _ => false,
        };
        if !counts || self.work.per_proc || self.series.is_empty() {
            return;
        }
        let mut counts = self.proc_counts.iter().peekable();
        let mut procs = 1;
        for point in &mut self.series[0] {
            while let Some(&(_, n)) = counts.next_if(|&&(time, _)| time <= point.time) {
                procs = n.max(1);
            }
            point.utilization = (point.utilization - 1.0 / procs as f64).max(0.0);
        }
    }

    /// A worker says each time it starts to run in which capacity. (Go's tool counts the second time
    /// twice, so that its utilisation never recovers after the second collection.)
    fn label(&mut self, event: &Event, label: &str) {
        let dedicated = self.work.per_proc && label == "GC (dedicated)";
        let worker = label.starts_with("GC ") && label != "GC (idle)" && !dedicated;
        if !worker || !self.work.background || self.procs.is_empty() {
            return;
        }
        let Some(go) = self.goroutine(event.slot) else { return };
        if !std::mem::replace(&mut go.worker, true) {
            self.gc_on(event, 1);
        }
    }

    fn update(&mut self, time: i64) {
        if self.work.per_proc {
            for proc in &self.procs {
                let utilization = if self.stops > 0 || proc.gc > 0 { 0.0 } else { 1.0 };
                push(&mut self.series[proc.series], Point { time, utilization });
            }
        } else if !self.procs.is_empty() {
            let busy = if self.stops > 0 { self.procs.len() } else { self.busy };
            let utilization = 1.0 - busy as f64 / self.procs.len() as f64;
            push(&mut self.series[0], Point { time, utilization });
        }
    }
}

/// Appends a change. Of several at the same time, the lowest counts.
fn push(series: &mut Vec<Point>, point: Point) {
    match series.last_mut() {
        Some(last) if last.utilization == point.utilization => {}
        Some(last) if last.time == point.time => {
            last.utilization = last.utilization.min(point.utilization);
        }
        _ => series.push(point),
    }
}
