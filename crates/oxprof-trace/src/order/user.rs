//! What the program says about itself: labels, tasks, regions and logs.

use super::{ActiveTask, Attempt, Order, Outcome};
use crate::error::Rule;
use crate::{Kind, Log, Region, Task, TaskId};

impl Order {
    pub(super) fn label(&mut self, at: Attempt<'_>) -> Outcome {
        at.needs_proc()?;
        at.needs_goroutine()?;
        let label = self.string(&at, at.arg(0));
        self.emit(&at, crate::Stack::NONE, Kind::Label(label))
    }

    /// A task may be referred to without ever having begun, and ended more than once; only beginning
    /// twice is an error.
    pub(super) fn task_begin(&mut self, at: Attempt<'_>) -> Outcome {
        let id = TaskId(at.arg(0));
        if self.tasks.contains_key(&id) {
            return Err(at.state("task", id.0 as i64, "which has begun already"));
        }
        at.needs_proc()?;
        at.needs_goroutine()?;
        let parent = if at.arg(1) == 0 { TaskId::NONE } else { TaskId(at.arg(1)) };
        let name = self.string(&at, at.arg(2));
        self.tasks.insert(id, ActiveTask { name: at.tables.str(name).into(), parent });
        let stack = self.stack(&at, at.arg(3));
        self.emit(&at, stack, Kind::TaskBegin(Task { id, parent, name }))
    }

    pub(super) fn task_end(&mut self, at: Attempt<'_>) -> Outcome {
        at.needs_proc()?;
        at.needs_goroutine()?;
        let id = TaskId(at.arg(0));
        let (parent, name) = match self.tasks.remove(&id) {
            Some(task) => (task.parent, at.tables.extra(&task.name)),
            None => (TaskId::NONE, crate::Str::NONE),
        };
        let stack = self.stack(&at, at.arg(1));
        self.emit(&at, stack, Kind::TaskEnd(Task { id, parent, name }))
    }

    pub(super) fn region_begin(&mut self, at: Attempt<'_>) -> Outcome {
        let slot = self.current_in_user_code(&at)?;
        let region = self.region(&at);
        let name = at.tables.str(region.name).into();
        self.goroutines[slot.index()].spans().regions.push((region.task, name));
        let stack = self.stack(&at, at.arg(2));
        self.emit(&at, stack, Kind::RegionBegin(region))
    }

    pub(super) fn region_end(&mut self, at: Attempt<'_>) -> Outcome {
        let slot = self.current_in_user_code(&at)?;
        let region = self.region(&at);
        self.close_region(&at, slot, region)?;
        let stack = self.stack(&at, at.arg(2));
        self.emit(&at, stack, Kind::RegionEnd(region))
    }

    fn region(&mut self, at: &Attempt<'_>) -> Region {
        Region { task: TaskId(at.arg(0)), name: self.string(at, at.arg(1)) }
    }

    /// Regions nest. One that ends without having begun had begun before the trace.
    fn close_region(
        &mut self,
        at: &Attempt<'_>,
        slot: crate::Slot,
        region: Region,
    ) -> Result<(), Rule> {
        let regions = &mut self.goroutines[slot.index()].spans().regions;
        let name = at.tables.str(region.name);
        match regions.last() {
            Some((task, open)) if *task != region.task || **open != *name => {
                let problem = format!(
                    "region {name:?} of task {} ends while {open:?} of task {task} is the innermost",
                    region.task
                );
                Err(at.state("goroutine", at.context.go.id.0, problem))
            }
            _ => {
                regions.pop();
                Ok(())
            }
        }
    }

    pub(super) fn log(&mut self, at: Attempt<'_>) -> Outcome {
        at.needs_proc()?;
        at.needs_goroutine()?;
        let category = self.string(&at, at.arg(1));
        let message = self.string(&at, at.arg(2));
        let stack = self.stack(&at, at.arg(3));
        self.emit(&at, stack, Kind::Log(Log { task: TaskId(at.arg(0)), category, message }))
    }
}
