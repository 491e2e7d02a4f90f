//! What analyses found, as it is shown: names in full, times in nanoseconds since the trace began.
//!
//! The command line prints these values and the page draws them, so that both say the same.

mod goroutines;
mod latency;
mod mmu;
mod tasks;
mod why;

pub use goroutines::{Diff, DiffRow, GroupRow, Groups, Member, Members, Times};
pub use latency::{Distribution, WaitRow, Waits};
pub use mmu::{Mmu, MmuRow};
pub use tasks::{
    Happening, RegionRow, RegionType, RegionTypes, Regions, Task, TaskType, TaskTypes, Tasks,
};
pub use why::{LinkRow, Question, Why};
