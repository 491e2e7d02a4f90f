//! Machine code of local binaries, for disasm and weblist.

use oxprof_profile::Mapping;
use oxprof_report::options::Options;
use oxprof_report::{Binaries, Binary, CodeLine, CodePlace, CodeSymbol};
use oxprof_symbols::symbolize::{ObjectSource, with_object};
use oxprof_symbols::{
    Avma, Demangle, FileOffset, Frame, MappedRange, Object, Svma, Syntax, demangle,
};

use super::LocalObjects;
use crate::plan::SymbolPlan;

/// Local binaries, disassembled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalCode<'a> {
    objects: &'a LocalObjects,
    syntax: Syntax,
    demangle: Demangle,
}

impl<'a> LocalCode<'a> {
    /// With names as the plan wants them.
    pub(crate) fn new(objects: &'a LocalObjects, plan: &SymbolPlan) -> Self {
        Self { objects, syntax: Syntax::default(), demangle: super::demangle(plan) }
    }

    /// The binaries themselves.
    pub(crate) fn objects(self) -> &'a LocalObjects {
        self.objects
    }

    /// Written as `options` want it.
    pub(crate) fn with_syntax(self, options: &Options) -> Self {
        let syntax = if options.intel_syntax { Syntax::Intel } else { Syntax::Att };
        Self { syntax, ..self }
    }
}

impl Binaries for LocalCode<'_> {
    fn open(
        &self,
        file: &str,
        build_id: &str,
        with: &mut dyn FnMut(&dyn Binary),
    ) -> Result<(), String> {
        let found = self.objects.open(file, build_id, &mut |_| {})?;
        with_object(self.objects, &found, build_id, |object| {
            with(&Code { object, settings: *self });
            Ok(())
        })
        .map_err(|reason| format!("{}: {reason}", found.path))
    }
}

struct Code<'a, 'd> {
    object: &'a Object<'d>,
    settings: LocalCode<'a>,
}

impl Code<'_, '_> {
    fn name(&self, mangled: &str) -> String {
        demangle(mangled, self.settings.demangle).into_owned()
    }

    fn place(&self, frame: &Frame<'_>) -> CodePlace {
        CodePlace {
            function: self.name(&frame.system_name),
            file: frame.file.as_deref().unwrap_or_default().to_owned(),
            line: i64::from(frame.line),
        }
    }
}

impl Binary for Code<'_, '_> {
    fn address(&self, address: u64, mapping: &Mapping) -> Option<u64> {
        let range = MappedRange {
            start: Avma(mapping.start),
            limit: Avma(mapping.limit),
            offset: FileOffset(mapping.offset),
        };
        self.object.svma(Avma(address), &range).ok().map(|svma| svma.0)
    }

    fn function(&self, address: u64) -> Option<CodeSymbol> {
        let symbol = self.object.symbol(Svma(address))?;
        let (start, end) = (symbol.start.0, symbol.end.0);
        Some(CodeSymbol { names: vec![self.name(&symbol.name)], start, end })
    }

    fn names(&self, symbol: &CodeSymbol) -> Vec<String> {
        let all = self.object.names_at(&[Svma(symbol.start)]);
        let others = all.iter().map(|(_, name)| self.name(name));
        let mut names = symbol.names.clone();
        for name in others {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    fn places(&self, address: u64) -> Vec<CodePlace> {
        self.object.frames(Svma(address)).iter().map(|frame| self.place(frame)).collect()
    }

    fn instructions(&self, symbol: &CodeSymbol) -> Result<Vec<CodeLine>, String> {
        let range = Svma(symbol.start)..Svma(symbol.end);
        let decoded =
            self.object.disassemble(range, self.settings.syntax).map_err(|e| e.to_string())?;
        let line = |instruction: oxprof_symbols::Instruction| CodeLine {
            address: instruction.address.0,
            places: self.places(instruction.address.0),
            text: instruction.text,
        };
        Ok(decoded.into_iter().map(line).collect())
    }
}
