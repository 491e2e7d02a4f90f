//! Reports on machine code, with a program of a few instructions.

mod notation;

use std::sync::Arc;

use expect_test::{Expect, expect};
use notation::profile;
use oxprof_profile::{Mapping, Profile};
use oxprof_report::{
    Binaries, Binary, CodeLine, CodePlace, CodeSymbol, Format, Pattern, Report, ReportError,
    ReportOptions, ValueSelector,
};

/// Instructions of the program: address, text and places as `function file:line`, innermost first.
const CODE: &[(u64, &str, &str)] = &[
    (0x1000, "push   %rbp", "main /src/a.c:3"),
    (0x1001, "call   2000 <work>", "main /src/a.c:4"),
    (0x1006, "ret", "main /src/a.c:5"),
    (0x2000, "mov    $0x0,%eax", "work /src/a.c:8"),
    (
        0x2005,
        "imul   $0xffffffff9e3779b1,0x8(%rdi,%rsi,8),%rax",
        "hash /src/b.c:2 < work /src/a.c:9",
    ),
    (0x200b, "shr    $0x10,%rax", "hash /src/b.c:3 < work /src/a.c:9"),
    (0x200f, "add    %rax,%rcx", "work /src/a.c:10"),
    (0x2012, "shr    $0x20,%rax", "hash /src/b.c:3 < work /src/a.c:11"),
    (0x2016, "ret", "work /src/a.c:12"),
];

/// The machine: one program, loaded at 0x10000.
struct Machine;

impl Binaries for Machine {
    fn open(&self, file: &str, _: &str, with: &mut dyn FnMut(&dyn Binary)) -> Result<(), String> {
        if file != "/bin/prog" {
            return Err(format!("open {file}: no such file or directory"));
        }
        with(self);
        Ok(())
    }
}

impl Binary for Machine {
    fn address(&self, address: u64, _: &Mapping) -> Option<u64> {
        address.checked_sub(0x1_0000)
    }

    fn function(&self, address: u64) -> Option<CodeSymbol> {
        let names = |name: &str| vec![name.to_owned()];
        match address {
            0x1000..0x1007 => Some(CodeSymbol { names: names("main"), start: 0x1000, end: 0x1007 }),
            0x2000..0x2017 => Some(CodeSymbol { names: names("work"), start: 0x2000, end: 0x2017 }),
            0x3000 => Some(CodeSymbol { names: names("idle"), start: 0x3000, end: 0x3001 }),
            _ => None,
        }
    }

    fn names(&self, symbol: &CodeSymbol) -> Vec<String> {
        let alias = (symbol.names[0] == "main").then(|| "__main".to_owned());
        symbol.names.iter().cloned().chain(alias).collect()
    }

    fn places(&self, address: u64) -> Vec<CodePlace> {
        let at = CODE.partition_point(|(start, ..)| *start <= address) - 1;
        CODE[at].2.split(" < ").map(place).collect()
    }

    fn instructions(&self, symbol: &CodeSymbol) -> Result<Vec<CodeLine>, String> {
        let inside = CODE.iter().filter(|(a, ..)| (symbol.start..symbol.end).contains(a));
        let line = |&(address, text, _): &(u64, &str, &str)| CodeLine {
            address,
            text: text.to_owned(),
            places: self.places(address),
        };
        Ok(inside.map(line).collect())
    }
}

fn place(text: &str) -> CodePlace {
    let (function, place) = text.split_once(' ').unwrap();
    let (file, line) = place.split_once(':').unwrap();
    let line = line.parse().unwrap();
    CodePlace { function: function.to_owned(), file: file.to_owned(), line }
}

/// Two samples in the middle of an instruction, one on another, one in the inlined function.
const SAMPLES: &str = "
    11001!main@/src/a.c:4;12006!work@/src/a.c:9>hash@/src/b.c:2 2,20000000
    11001!main@/src/a.c:4;1200f!work@/src/a.c:10 1,10000000
    11001!main@/src/a.c:4;12012!work@/src/a.c:11>hash@/src/b.c:3 1,10000000
";

fn options(profile: &Profile, pattern: &'static str) -> ReportOptions {
    let value = ValueSelector { index: 1, mean: false };
    let mut options = ReportOptions::new(Format::List, value, value.total(profile));
    let matches = Arc::new(move |name: &str| name == pattern);
    options.pattern = Some(Pattern { text: pattern.to_owned(), matches });
    options
}

fn disassemble(profile: &Profile, pattern: &'static str) -> Result<String, ReportError> {
    let mut out = Vec::new();
    let options = options(profile, pattern);
    Report::new(profile, &options).render_disassembly(&Machine, &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

fn sampled() -> Profile {
    let mut profile = profile(SAMPLES);
    profile.mappings[0].limit = 0x2_0000;
    profile
}

fn check(pattern: &'static str, expected: Expect) {
    expected.assert_eq(&disassemble(&sampled(), pattern).unwrap());
}

fn check_error(profile: &Profile, pattern: &'static str, expected: &str) {
    assert_eq!(disassemble(profile, pattern).unwrap_err().to_string(), expected);
}

#[test]
fn instructions_with_their_costs_and_places() {
    check(
        "work",
        expect![[r#"
        Total: 40ms
        ROUTINE ======================== work
              40ms       40ms (flat, cum)   100% of Total
                 .          .       2000: mov    $0x0,%eax                        ;work a.c:8
                                                                                  ;hash b.c:2 < work a.c:9
              20ms       20ms       2005: imul   $0xffffffff9e3779b1,0x8(%rdi,%rsi,8),%rax
                 .          .       200b: shr    $0x10,%rax                       ;hash b.c:3 < work a.c:9
              10ms       10ms       200f: add    %rax,%rcx                        ;work a.c:10
              10ms       10ms       2012: shr    $0x20,%rax                       ;hash b.c:3 < work a.c:11
                 .          .       2016: ret                                     ;work a.c:12
    "#]],
    );
    check(
        "main",
        expect![[r#"
        Total: 40ms
        ROUTINE ======================== main
            AKA ======================== __main
                 0       40ms (flat, cum)   100% of Total
                 .          .       1000: push   %rbp                             ;main a.c:3
                 .       40ms       1001: call   2000 <work>                      ;main a.c:4
                 .          .       1006: ret                                     ;main a.c:5
    "#]],
    );
}

#[test]
fn a_function_at_an_address() {
    check(
        "0x1003",
        expect![[r#"
        Total: 40ms
        ROUTINE ======================== main
            AKA ======================== __main
                 0       40ms (flat, cum)   100% of Total
                 .          .       1000: push   %rbp                             ;main a.c:3
                 .       40ms       1001: call   2000 <work>                      ;main a.c:4
                 .          .       1006: ret                                     ;main a.c:5
    "#]],
    );
    check(
        "0x11003",
        expect![[r#"
        Total: 40ms
        ROUTINE ======================== main
            AKA ======================== __main
                 0       40ms (flat, cum)   100% of Total
                 .          .       1000: push   %rbp                             ;main a.c:3
                 .       40ms       1001: call   2000 <work>                      ;main a.c:4
                 .          .       1006: ret                                     ;main a.c:5
    "#]],
    );
}

#[test]
fn code_of_an_inlined_function() {
    check(
        "hash",
        expect![[r#"
        Total: 40ms
        ROUTINE ======================== work (inlined code only)
              30ms       30ms (flat, cum) 75.00% of Total
                                                                                  ;hash b.c:2 < work a.c:9
              20ms       20ms       2005: imul   $0xffffffff9e3779b1,0x8(%rdi,%rsi,8),%rax
                 .          .       200b: shr    $0x10,%rax                       ;hash b.c:3 < work a.c:9
                 .          .        ...
              10ms       10ms       2012: shr    $0x20,%rax                       ;hash b.c:3 < work a.c:11
    "#]],
    );
}

#[test]
fn nothing_to_disassemble() {
    let mut profile = sampled();
    check_error(&profile, "other", "no matches found for regexp other");
    check_error(&profile, "0x5000", "no matches found for address 0x5000");
    check_error(
        &profile,
        "0x3000",
        "address 0x3000 found in binary, but the corresponding symbols do not have samples in the \
         profile",
    );
    profile.mappings[0].file = profile.strings.intern("/bin/gone");
    check_error(
        &profile,
        "work",
        "no matches found for regexp work; open /bin/gone: no such file or directory",
    );
}

/// What a page says, without its markup and its first lines.
fn weblist(pattern: &'static str) -> String {
    let files = |path: &str| match path {
        "/src/a.c" => {
            Ok((1..=20).map(|n| format!("line {n} of a <&>\n")).collect::<String>().into_bytes())
        }
        _ => Err(std::io::ErrorKind::NotFound.into()),
    };
    let mut out = Vec::new();
    let profile = sampled();
    let options = options(&profile, pattern);
    Report::new(&profile, &options).render_weblist(&files, &Machine, &mut out).unwrap();
    let page = String::from_utf8(out).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    assert_eq!(page.matches("<span").count(), page.matches("</span>").count());
    let (_, body) = page.split_once("<body>\n").unwrap();
    let mut text = String::new();
    let mut rest = body;
    while let Some((before, after)) = rest.split_once('<') {
        text.push_str(before);
        rest = after.split_once('>').unwrap().1;
    }
    text.push_str(rest);
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|l| !l.is_empty()).collect();
    lines.join("\n") + "\n"
}

#[test]
fn source_with_instructions_below() {
    expect![[r#"
        prog
        File: prog
        Type: cpu
        Total: 40ms
        work
        /src/a.c
          Total:        10ms       40ms (flat, cum)   100%
              4            .          .           line 4 of a &lt;&amp;&gt;
              5            .          .           line 5 of a &lt;&amp;&gt;
              6            .          .           line 6 of a &lt;&amp;&gt;
              7            .          .           line 7 of a &lt;&amp;&gt;
              8            .          .           line 8 of a &lt;&amp;&gt;                    .          .     2000: mov    $0x0,%eax
              9            .       20ms           line 9 of a &lt;&amp;&gt;                                               ???                                                          hash b.c:2
                        20ms       20ms     2005:     imul   $0xffffffff9e3779b1,0x8(%rdi,%rsi,8),%rax
                                                      ???                                                          hash b.c:3
                           .          .     200b:     shr    $0x10,%rax
             10         10ms       10ms           line 10 of a &lt;&amp;&gt;                 10ms       10ms     200f: add    %rax,%rcx
             11            .       10ms           line 11 of a &lt;&amp;&gt;                                               ???                                                          hash b.c:3
                        10ms       10ms     2012:     shr    $0x20,%rax
             12            .          .           line 12 of a &lt;&amp;&gt;                    .          .     2016: ret
             13            .          .           line 13 of a &lt;&amp;&gt;
             14            .          .           line 14 of a &lt;&amp;&gt;
             15            .          .           line 15 of a &lt;&amp;&gt;
             16            .          .           line 16 of a &lt;&amp;&gt;
    "#]].assert_eq(&weblist("work"));
}

#[test]
fn instructions_without_source() {
    expect![[r#"
        prog
        File: prog
        Type: cpu
        Total: 40ms
        hash
        /src/b.c
          Total:        30ms       30ms (flat, cum) 75.00%
         Error: open /src/b.c: no such file or directory
              2         20ms       20ms           ???                 20ms       20ms     2005: imul   $0xffffffff9e3779b1,0x8(%rdi,%rsi,8),%rax
              3         10ms       10ms           ???                    .          .     200b: shr    $0x10,%rax
                        10ms       10ms     2012: shr    $0x20,%rax
    "#]].assert_eq(&weblist("hash"));
}

#[test]
fn source_of_the_functions_at_an_address() {
    assert_eq!(weblist("0x11001"), weblist("main"));
}

/// The program of the recorded disassembly, as that run's stand-ins for nm and objdump describe it.
struct Recorded;

const RECORDED: &[(u64, &str, &str)] = &[
    (0x1000, "instruction one", "line1000 testdata/file1000.src:1"),
    (0x1001, "instruction two", "line1000 testdata/file1000.src:1"),
    (0x1002, "instruction three", "line1000 testdata/file1000.src:2"),
    (0x1003, "instruction four", "line1000 testdata/file1000.src:1"),
    (0x3000, "instruction one", "line3000 testdata/file3000.src:6"),
    (0x3001, "instruction two", "line3000 testdata/file3000.src:9"),
    (0x3002, "instruction three", "line3000 testdata/file3000.src:9"),
    (0x3003, "instruction four", "line3000 testdata/file3000.src:0"),
    (0x3004, "instruction five", "line3000 testdata/file3000.src:0"),
];

impl Binaries for Recorded {
    fn open(&self, _: &str, _: &str, with: &mut dyn FnMut(&dyn Binary)) -> Result<(), String> {
        with(self);
        Ok(())
    }
}

impl Binary for Recorded {
    fn address(&self, address: u64, _: &Mapping) -> Option<u64> {
        Some(address)
    }

    fn function(&self, address: u64) -> Option<CodeSymbol> {
        let function = |name: &str, start, end| {
            (start..end).contains(&address).then(|| CodeSymbol {
                names: vec![name.to_owned()],
                start,
                end,
            })
        };
        function("line1000", 0x1000, 0x1004).or_else(|| function("line3000", 0x3000, 0x3005))
    }

    fn names(&self, symbol: &CodeSymbol) -> Vec<String> {
        symbol.names.clone()
    }

    fn places(&self, address: u64) -> Vec<CodePlace> {
        let recorded = RECORDED.iter().find(|(at, ..)| *at == address);
        recorded.map(|(.., text)| place(text)).into_iter().collect()
    }

    fn instructions(&self, symbol: &CodeSymbol) -> Result<Vec<CodeLine>, String> {
        let inside = RECORDED.iter().filter(|(at, ..)| (symbol.start..symbol.end).contains(at));
        let line = |&(address, text, _): &(u64, &str, &str)| CodeLine {
            address,
            text: text.to_owned(),
            places: self.places(address),
        };
        Ok(inside.map(line).collect())
    }
}

/// The recorded run had programs in place of nm, objdump and llvm-symbolizer; here they are values. The
/// report is the same to the byte.
#[test]
fn the_recorded_disassembly() {
    let workspace = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shared = std::env::var_os("OXPROF_SHARED").map_or(workspace.join("../shared"), Into::into);
    let suite = shared.join("conformance");
    let golden = "ref/internal/driver/testdata/pprof.cpu.flat.addresses.disasm";
    let (Ok(expected), Ok(profile)) = (
        std::fs::read_to_string(suite.join(golden)),
        std::fs::read(suite.join("inputs/cpu.pb.gz")),
    ) else {
        eprintln!("skipped: no conformance data at {} (set OXPROF_SHARED)", suite.display());
        return;
    };
    let profile = oxprof_profile::decode(&profile).unwrap();
    let mut options = options(&profile, "");
    let matches = Arc::new(|name: &str| name.contains("line1") || name.contains("line3"));
    options.pattern = Some(Pattern { text: "line[13]".to_owned(), matches });
    let mut out = Vec::new();
    Report::new(&profile, &options).render_disassembly(&Recorded, &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}
