//! Which code is mapped where.

use std::ops::Range;
use std::sync::Arc;

use crate::{Rule, Table};

/// Code of one binary and its table.
#[derive(Clone, Debug)]
pub struct Module {
    /// Addresses of the code, as given to [`Table::compile`].
    pub text: Range<u64>,
    /// Its rules; `None` if it came without call-frame information.
    pub table: Option<Arc<Table>>,
}

/// The modules of a process; never changed once built, so that a handler may read it.
#[derive(Debug, Default)]
pub struct Modules {
    /// By ascending address, disjoint.
    sorted: Box<[Module]>,
}

/// What is known about an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// A function is there, and this is what its frame looks like.
    Rule(&'a Rule),
    /// A module is there, but it does not describe this code.
    NoRule,
    /// No module is there.
    NoModule,
}

impl Modules {
    /// A map of `modules`. Of two that overlap the one at the lower address stays.
    pub fn new(mut modules: Vec<Module>) -> Self {
        modules.retain(|m| m.text.start < m.text.end);
        modules.sort_by_key(|m| m.text.start);
        let mut end = 0;
        modules.retain(|m| {
            let disjoint = m.text.start >= end;
            if disjoint {
                end = m.text.end;
            }
            disjoint
        });
        Self { sorted: modules.into() }
    }

    /// Looks an address up. Allocates nothing and cannot panic.
    #[inline]
    pub fn lookup(&self, address: u64) -> Lookup<'_> {
        let after = self.sorted.partition_point(|m| m.text.start <= address);
        let found = after.checked_sub(1).and_then(|i| self.sorted.get(i));
        let Some(module) = found.filter(|m| address < m.text.end) else { return Lookup::NoModule };
        let offset = address - module.text.start;
        match module.table.as_ref().and_then(|table| table.lookup(offset)) {
            Some(rule) => Lookup::Rule(rule),
            None => Lookup::NoRule,
        }
    }

    /// The modules by ascending address.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Module> {
        self.sorted.iter()
    }
}
