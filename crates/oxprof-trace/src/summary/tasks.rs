//! Tasks, regions and logs.

use oxprof_profile::StrId;

use super::{LogMark, Mark, RegionSummary, Summarizer, TaskSummary, is_system_goroutine};
use crate::stats::ExecStats;
use crate::{Event, Log, Region, Slot, Tables, Task, TaskId};

impl Summarizer {
    /// A goroutine that is created in a region works for its task.
    pub(super) fn inherit_region(&mut self, event: &Event, created: Slot, tables: &Tables) {
        let creator = self.live(event.slot).and_then(|live| live.regions.last());
        let Some(&(outer, _)) = creator else { return };
        let task = self.summary.regions[outer as usize].task;
        let Some(goroutine) = self.live[created.index()].goroutine else { return };
        let name = self.summary.goroutines[goroutine as usize].name;
        if is_system_goroutine(self.summary.names.get(name)) {
            return;
        }
        let mark = self.mark(event, tables);
        let region = self.add_region(goroutine, task, StrId::EMPTY, Some(mark));
        self.live[created.index()].regions.push((region, ExecStats::default()));
    }

    fn add_region(
        &mut self,
        goroutine: u32,
        task: TaskId,
        name: StrId,
        start: Option<Mark>,
    ) -> u32 {
        let stats = ExecStats::default();
        self.summary.regions.push(RegionSummary { goroutine, task, name, start, end: None, stats });
        self.summary.regions.len() as u32 - 1
    }

    pub(super) fn region_begin(&mut self, event: &Event, region: Region, tables: &Tables) {
        let name = self.summary.names.string(region.name, tables);
        let mark = self.mark(event, tables);
        let Some(live) = self.live(event.slot) else { return };
        let before = live.clockwork.snapshot(event.time);
        let Some(goroutine) = live.goroutine else { return };
        let i = self.add_region(goroutine, region.task, name, Some(mark));
        self.live[event.slot.index()].regions.push((i, before));
        let task = self.task_of(region.task);
        self.summary.tasks[task as usize].regions.push(i);
        self.works_for(event.slot, task);
    }

    pub(super) fn region_end(&mut self, event: &Event, region: Region, tables: &Tables) {
        let name = self.summary.names.string(region.name, tables);
        let mark = self.mark(event, tables);
        let Some(live) = self.live(event.slot) else { return };
        let now = live.clockwork.snapshot(event.time);
        let Some(goroutine) = live.goroutine else { return };
        let (i, before) = live.regions.pop().unwrap_or_else(|| {
            // It began before the trace.
            let i = self.add_region(goroutine, region.task, name, None);
            let task = self.task_of(region.task);
            self.summary.tasks[task as usize].regions.push(i);
            self.works_for(event.slot, task);
            (i, ExecStats::default())
        });
        let summary = &mut self.summary.regions[i as usize];
        summary.end = Some(mark);
        summary.stats = now.minus(&before);
    }

    pub(super) fn task(&mut self, event: &Event, task: Task, tables: &Tables, begins: bool) {
        let name = self.summary.names.string(task.name, tables);
        let mark = self.mark(event, tables);
        let i = self.task_of(task.id);
        self.works_for(event.slot, i);
        let summary = &mut self.summary.tasks[i as usize];
        summary.name = name;
        if begins {
            summary.start = Some(mark);
        } else {
            summary.end = Some(mark);
        }
        if !task.parent.is_none() && summary.parent.is_none() {
            let parent = self.task_of(task.parent);
            self.summary.tasks[i as usize].parent = Some(parent);
            self.summary.tasks[parent as usize].children.push(i);
        }
    }

    pub(super) fn log(&mut self, event: &Event, log: Log, tables: &Tables) {
        let mark = self.mark(event, tables);
        let category = self.summary.names.string(log.category, tables);
        let message = self.summary.names.string(log.message, tables);
        let task = self.task_of(log.task);
        self.works_for(event.slot, task);
        self.summary.tasks[task as usize].logs.push(LogMark { mark, category, message });
    }

    /// Position of a task, which is added if it is new.
    fn task_of(&mut self, id: TaskId) -> u32 {
        let tasks = &mut self.summary.tasks;
        *self.task_index.entry(id).or_insert_with(|| {
            tasks.push(TaskSummary {
                id,
                name: StrId::EMPTY,
                parent: None,
                children: Vec::new(),
                start: None,
                end: None,
                logs: Vec::new(),
                regions: Vec::new(),
                goroutines: Vec::new(),
            });
            tasks.len() as u32 - 1
        })
    }

    fn works_for(&mut self, slot: Slot, task: u32) {
        let Some(goroutine) = self.live(slot).and_then(|live| live.goroutine) else { return };
        let goroutines = &mut self.summary.tasks[task as usize].goroutines;
        if let Err(at) = goroutines.binary_search(&goroutine) {
            goroutines.insert(at, goroutine);
        }
    }
}
