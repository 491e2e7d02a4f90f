//! Whole profiles, symbolized from this test program and from nothing.
#![cfg(feature = "symbolize")]

use std::sync::Arc;

use oxprof_profile::{Function, FunctionIdx, Line, Location, Mapping, MappingIdx, Profile};
use oxprof_symbols::symbolize::{ObjectFile, ObjectSource, SymbolizeOptions, symbolize};
use oxprof_symbols::{Demangle, Object, Parts, Svma};

/// A world in which there is one file.
struct OneFile(Vec<u8>);

impl ObjectSource for OneFile {
    fn open(
        &self,
        file: &str,
        _: &str,
        note: &mut dyn FnMut(String),
    ) -> Result<ObjectFile, String> {
        if file != "/app/program" {
            note(format!("looked for {file}"));
            return Err(format!("open {file}: no such file or directory"));
        }
        Ok(ObjectFile { path: "/found/program".into(), data: Arc::new(self.0.clone()) })
    }
}

/// The same, read piece by piece.
struct InPieces(Vec<u8>);

impl ObjectSource for InPieces {
    fn open(&self, _: &str, _: &str, _: &mut dyn FnMut(String)) -> Result<ObjectFile, String> {
        let data = Parts::new(self.0.clone());
        Ok(ObjectFile { path: "/found/program".into(), data: Arc::new(data) })
    }
}

fn this_program() -> OneFile {
    OneFile(std::fs::read(std::env::current_exe().unwrap()).unwrap())
}

/// A profile of `file` with a location in each of the functions of `program` that are called `needle`.
fn profile_of(program: &OneFile, file: &str, build_id: &str, needle: &str) -> Profile {
    let object = Object::parse(&program.0).unwrap();
    let code = object.segments().iter().find(|s| s.is_executable).unwrap();
    let mut profile = Profile::default();
    let start = 0x7f00_0000_0000;
    profile.mappings.push(Mapping {
        id: 1,
        start,
        limit: start + (code.end.0 - code.start.0),
        offset: code.offset.0,
        file: profile.strings.intern(file),
        build_id: profile.strings.intern(build_id),
        ..Mapping::default()
    });
    for symbol in object.symbols().filter(|s| s.name.contains(needle)) {
        profile.locations.push(Location {
            id: profile.locations.len() as u64 + 1,
            mapping: Some(MappingIdx(0)),
            address: start + (symbol.start.0 - code.start.0),
            ..Location::default()
        });
    }
    profile
}

#[inline(never)]
fn well_known_landmark() -> u32 {
    std::hint::black_box(line!())
}

/// "function file:line start" of each line of each location.
fn frames(profile: &Profile) -> Vec<String> {
    let lines = profile.locations.iter().flat_map(|l| l.lines.clone());
    lines
        .map(|i| {
            let line = profile.lines[i as usize];
            let function = profile.functions[line.function.index()];
            let file = profile.str(function.filename).rsplit('/').next().unwrap();
            let name = profile.str(function.name);
            format!("{name} {file}:{} {}", line.line, function.start_line)
        })
        .collect()
}

fn notes(profile: &mut Profile, source: &OneFile, options: &SymbolizeOptions) -> Vec<String> {
    symbolize(profile, source, options).iter().map(ToString::to_string).collect()
}

#[test]
fn names_files_lines_and_where_the_binary_was() {
    let line = well_known_landmark() - 1;
    let program = this_program();
    let mut profile = profile_of(&program, "/app/program", "", "well_known_landmark");
    let options = SymbolizeOptions { threads: 3, ..SymbolizeOptions::default() };
    assert_eq!(notes(&mut profile, &program, &options), [""; 0]);
    let wanted = format!("symbolize::well_known_landmark symbolize.rs:{line} {line}");
    assert_eq!(frames(&profile), [wanted]);
    assert_eq!(profile.str(profile.mappings[0].file), "/found/program");
    assert!(profile.mappings[0].has_functions && profile.mappings[0].has_line_numbers);
}

#[test]
fn many_addresses_on_several_threads_are_the_same_as_on_one() {
    let program = this_program();
    let mut one = profile_of(&program, "/app/program", "", "core");
    let mut many = one.clone();
    assert!(one.locations.len() > 1000);
    symbolize(&mut one, &program, &SymbolizeOptions::default());
    symbolize(&mut many, &program, &SymbolizeOptions { threads: 4, ..SymbolizeOptions::default() });
    assert_eq!(frames(&one), frames(&many));
}

#[test]
fn many_addresses_in_pieces_are_the_same_as_one_by_one() {
    let program = this_program();
    let mut profile = profile_of(&program, "/app/program", "", "core");
    // Beyond their first instruction, much is inlined into functions.
    profile.locations.iter_mut().for_each(|location| location.address += 9);
    let options =
        SymbolizeOptions { threads: 2, demangle: Demangle::None, ..SymbolizeOptions::default() };
    symbolize(&mut profile, &InPieces(program.0.clone()), &options);
    let object = Object::parse(&program.0).unwrap();
    let code = object.segments().iter().find(|s| s.is_executable).unwrap();
    let mut inlined = 0;
    for location in &profile.locations {
        let found = location.lines.clone().map(|i| {
            let line = profile.lines[i as usize];
            let function = profile.functions[line.function.index()];
            let (name, file) = (function.system_name, function.filename);
            (profile.str(name).to_owned(), profile.str(file).to_owned(), line.line)
        });
        let address = location.address - profile.mappings[0].start + code.start.0;
        let expected = object.frames(Svma(address)).into_iter().map(|frame| {
            let file = frame.file.unwrap_or_default().into_owned();
            (frame.system_name.into_owned(), file, i64::from(frame.line))
        });
        let (found, expected): (Vec<_>, Vec<_>) = (found.collect(), expected.collect());
        inlined += usize::from(found.len() > 1);
        assert_eq!(found, expected, "{address:#x}");
    }
    assert!(inlined > 100, "{inlined}");
}

#[test]
fn names_only_and_mangled() {
    let program = this_program();
    let mut profile = profile_of(&program, "/app/program", "", "well_known_landmark");
    let options = SymbolizeOptions {
        names_only: true,
        demangle: Demangle::None,
        ..SymbolizeOptions::default()
    };
    symbolize(&mut profile, &program, &options);
    let [only] = frames(&profile).try_into().unwrap();
    assert!(only.starts_with("_ZN") && only.ends_with(" :0 0"), "{only}");
}

#[test]
fn another_build_is_refused() {
    let program = this_program();
    let mut profile = profile_of(&program, "/app/program", "abcd", "well_known_landmark");
    assert_eq!(
        notes(&mut profile, &program, &SymbolizeOptions::default()),
        ["Local symbolization failed for program (build ID abcd): build ID mismatch"]
    );
    assert_eq!(frames(&profile), [""; 0]);
}

#[test]
fn a_missing_binary_is_told_once() {
    let program = this_program();
    let mut profile = profile_of(&program, "/app/other", "", "well_known_landmark");
    assert_eq!(
        notes(&mut profile, &program, &SymbolizeOptions::default()),
        [
            "looked for /app/other",
            "Local symbolization failed for other: open /app/other: no such file or directory",
            "Some binary filenames not available. Symbolization may be incomplete.\n\
             Try setting PPROF_BINARY_PATH to the search path for local binaries.",
        ]
    );
}

#[test]
fn what_is_named_already_stays() {
    let program = this_program();
    let mut profile = profile_of(&program, "/app/program", "", "well_known_landmark");
    profile.mappings[0].has_functions = true;
    assert_eq!(notes(&mut profile, &program, &SymbolizeOptions::default()), [""; 0]);
    assert_eq!(frames(&profile), [""; 0]);
    let forced = SymbolizeOptions { force: true, ..SymbolizeOptions::default() };
    symbolize(&mut profile, &program, &forced);
    assert_eq!(frames(&profile).len(), 1);
}

#[test]
fn lines_are_added_to_names_of_exactly_this_build() {
    let program = this_program();
    let id = Object::parse(&program.0).unwrap().build_id().unwrap().to_string();
    for (build_id, expected) in [(id.as_str(), 1), ("abcd", 0), ("", 0)] {
        let mut profile = profile_of(&program, "/app/program", build_id, "well_known_landmark");
        profile.mappings[0].has_functions = true;
        assert_eq!(notes(&mut profile, &program, &SymbolizeOptions::default()), [""; 0]);
        assert_eq!(frames(&profile).len(), expected);
    }
}

#[test]
fn lines_are_not_added_where_frames_have_files() {
    let program = this_program();
    let id = Object::parse(&program.0).unwrap().build_id().unwrap().to_string();
    let mut profile = profile_of(&program, "/app/program", &id, "well_known_landmark");
    profile.mappings[0].has_functions = true;
    let (name, filename) = (profile.strings.intern("main.main"), profile.strings.intern("main.go"));
    profile.functions.push(Function { id: 1, name, filename, ..Function::default() });
    profile.lines.push(Line { function: FunctionIdx(0), line: 7, column: 0 });
    profile.locations[0].lines = 0..1;
    symbolize(&mut profile, &program, &SymbolizeOptions::default());
    assert_eq!(profile.lines.len(), 1);
    assert!(!profile.mappings[0].has_line_numbers);
}

#[test]
fn special_mappings_are_passed_over_silently() {
    let program = this_program();
    let check = |file, expected: &[&str]| {
        let mut profile = profile_of(&program, file, "", "well_known_landmark");
        assert_eq!(notes(&mut profile, &program, &SymbolizeOptions::default()), expected, "{file}");
    };
    for file in ["//anon", "/memfd:jit", "/dev/dri/card0", "http://host/profile"] {
        check(file, &[]);
    }
    // What is not found of the kernel is not missed.
    check("[vdso]", &["looked for [vdso]"]);
    check("[kernel.kallsyms]_text", &["looked for [kernel.kallsyms]_text"]);
}
