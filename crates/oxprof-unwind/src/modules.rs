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

impl Module {
    /// Looks up an address of this module's code. Allocates nothing and cannot panic.
    #[inline]
    pub fn lookup(&self, address: u64) -> Lookup<'_> {
        let offset = address.wrapping_sub(self.text.start);
        match self.table.as_ref().and_then(|table| table.lookup(offset)) {
            Some(rule) => Lookup::Rule(rule),
            None => Lookup::NoRule,
        }
    }
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
        self.module(address).map_or(Lookup::NoModule, |module| module.lookup(address))
    }

    /// The module whose code holds `address`. Allocates nothing and cannot panic.
    #[inline]
    pub fn module(&self, address: u64) -> Option<&Module> {
        let after = self.sorted.partition_point(|m| m.text.start <= address);
        self.sorted.get(after.checked_sub(1)?).filter(|m| m.text.contains(&address))
    }

    /// The modules by ascending address.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Module> {
        self.sorted.iter()
    }
}
