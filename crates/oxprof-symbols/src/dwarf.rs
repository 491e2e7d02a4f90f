//! Lines and inlined frames from DWARF.
//!
//! The addresses of a profile are few beside what a binary holds, so as little as possible is read: tables
//! that say which unit owns an address, then of each such unit where its functions are, what is inlined
//! into the functions in question, and its line table. Names and paths are looked up for frames only. A
//! [`Walker`] has the last units that it used at hand, so neighbouring addresses should come one after the
//! other, and nothing piles up.
//!
//! Damaged or hostile input ends a walk early. None recurses, and each has a bound.

mod abbrev;
mod functions;
mod index;
mod lines;
mod ranges;
mod unit;
mod value;
mod walker;

use std::sync::{Arc, Mutex, OnceLock};

use crate::data::{Data, File};
use crate::sections::{Sections, SplitUnits};
use crate::{Frame, Store, Svma, Symbol};

use index::Index;
use unit::Header;
pub(crate) use walker::Walker;

/// The debug information of one object file.
pub(crate) struct Dwarf<'d> {
    sections: Arc<Sections<'d>>,
    split: SplitUnits<'d>,
    /// Lowest address of code; what seems to be below was dropped by the linker.
    lowest: u64,
    index: OnceLock<Index>,
    /// Of the units in the file that several objects share.
    shared_index: OnceLock<Index>,
    /// For single questions.
    walker: Mutex<Walker<'d>>,
}

/// Units that claim an address, beyond the first so many, are not asked about it.
const MAX_CLAIMS: usize = 8;

impl<'d> Dwarf<'d> {
    /// `None` when the file has no debug information.
    pub(crate) fn load(
        file: &Arc<File<'d>>,
        data: Data<'d>,
        store: Option<&'d Store<'d>>,
        lowest: u64,
    ) -> Option<Self> {
        let sections = Sections::new(Arc::clone(file), data, store, false);
        Header::at(&sections, 0)?;
        Some(Self {
            sections: Arc::new(sections),
            split: SplitUnits::new(store),
            lowest,
            index: OnceLock::new(),
            shared_index: OnceLock::new(),
            walker: Mutex::default(),
        })
    }

    /// The inlined chain at `address`, innermost first; `None` if debug information says nothing.
    pub(crate) fn frames(
        &self,
        address: Svma,
        symbol: Option<&Symbol<'d>>,
    ) -> Option<Vec<Frame<'d>>> {
        // A walker has nothing but copies, so one that somebody panicked with is as good as any.
        let mut walker = self.walker.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.frames_with(&mut walker, address, symbol)
    }

    /// The same with a walker of one's own.
    pub(crate) fn frames_with(
        &self,
        walker: &mut Walker<'d>,
        address: Svma,
        symbol: Option<&Symbol<'d>>,
    ) -> Option<Vec<Frame<'d>>> {
        let mut frames =
            self.claims(address).find_map(|unit| walker.frames(self, unit, address.0))?;
        let outermost = frames.last_mut()?;
        outermost.inlined = false;
        name_outermost(outermost, symbol);
        Some(frames).filter(|f| f.iter().any(|f| !f.system_name.is_empty()))
    }

    /// The unit to ask first about `address`, and how much there is to read of it.
    #[cfg(feature = "symbolize")]
    pub(crate) fn first_claim(&self, address: Svma) -> Option<(usize, usize)> {
        let unit = self.claims(address).next()?;
        let header = Header::at(&self.sections, unit)?;
        Some((unit, header.end - header.offset))
    }

    /// Reads, and decompresses, the sections that any address needs.
    #[cfg(feature = "symbolize")]
    pub(crate) fn warm(&self) {
        self.sections.warm();
    }

    /// Units that say that they have code at `address`.
    fn claims(&self, address: Svma) -> impl Iterator<Item = usize> + '_ {
        let listed = self.index().listed.covering(address.0).take(MAX_CLAIMS);
        listed.chain(self.roots(address))
    }

    /// The same, from the units themselves; they are read when that is first asked for.
    fn roots(&self, address: Svma) -> impl Iterator<Item = usize> + '_ {
        std::iter::once_with(move || self.index().roots(&self.sections, self.lowest))
            .flat_map(move |roots| roots.covering(address.0).take(MAX_CLAIMS))
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| Index::read(&self.sections, self.lowest))
    }

    fn shared_index(&self, shared: &Sections<'d>) -> &Index {
        self.shared_index.get_or_init(|| Index::read(shared, 0))
    }
}

/// Compilers leave the linkage name out where it equals the plain one, and do not mention which clone
/// (`f.cold`, `f.constprop.0`) or which kind of constructor it is: there the symbol table knows better.
fn name_outermost<'a>(frame: &mut Frame<'a>, symbol: Option<&Symbol<'a>>) {
    let Some(symbol) = symbol else { return };
    let name = frame.system_name.as_ref();
    let is_mangled = name.starts_with("_R") || name.starts_with("_Z");
    if !is_mangled || is_variant(&symbol.name, name) {
        frame.system_name = symbol.name.clone();
    }
}

/// Whether `symbol` is a clone of `name` or one of the constructors or destructors that it stands for.
fn is_variant(symbol: &str, name: &str) -> bool {
    let base = symbol.split_once('.').map_or(symbol, |(base, _)| base);
    let is_kind = |(a, b): (u8, u8)| a == b || b == b'4' && a.is_ascii_digit();
    base.len() == name.len() && base.bytes().zip(name.bytes()).all(is_kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_of_a_name() {
        let check = |symbol, name, expected| assert_eq!(is_variant(symbol, name), expected);
        check("_Z1fv", "_Z1fv", true);
        check("_Z1fv.isra.0.cold", "_Z1fv", true);
        check("_ZN1AC2Ev", "_ZN1AC4Ev", true);
        check("_Z1gv", "_Z1fv", false);
        check("_Z1fvi", "_Z1fv", false);
    }
}
