//! Kernels and their modules, as they are mapped.
#![cfg(all(feature = "compressed", target_arch = "x86_64", target_os = "linux"))]

use std::process::Command;

use oxprof_symbols::{Avma, FileOffset, MappedRange, Object, Store};

const MODULE: &str = r#"
extern int printk(const char *format, ...);
int state;

static inline __attribute__((always_inline)) int twice(int n) {
    return state += n + n;
}

__attribute__((noinline)) int _stext(int n) {
    return twice(n) + 1;
}

__attribute__((noinline, section(".text.unlikely"))) int complain(int n) {
    printk("%d", twice(n));
    return n;
}

__attribute__((section(".init.text"))) int start(void) {
    return _stext(3) + complain(4);
}
"#;

/// What is compiled from [`MODULE`]; `None`, with a word on stderr, where there is no compiler for it.
fn compile(name: &str, flags: &[&str]) -> Option<Vec<u8>> {
    let dir = std::env::temp_dir().join(format!("oxprof-kernel-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("module.c"), MODULE).unwrap();
    let mut cc = Command::new("cc");
    cc.args(["-O1", "-fcf-protection=none", "-fno-pic", "module.c", "-o", "module.out"]);
    let built = cc.args(flags).current_dir(&dir).status().is_ok_and(|status| status.success());
    let data = std::fs::read(dir.join("module.out")).ok().filter(|_| built);
    std::fs::remove_dir_all(&dir).unwrap();
    if data.is_none() {
        eprintln!("skipped: cc makes nothing of {flags:?}");
    }
    data
}

const MODULE_START: u64 = 0xffff_ffff_c010_0000;

/// Where functions are in the file.
fn start_of(data: &[u8], name: &str) -> u64 {
    let store = Store::default();
    let object = Object::parse_with(data, &store).unwrap();
    object.symbols().find(|s| s.name == name).unwrap().start.0
}

/// The chain at an address of the kernel, given what is mapped there.
#[track_caller]
fn check(data: &[u8], mapping: (u64, u64), address: u64, expected: &str) {
    let store = Store::default();
    let object = Object::parse_with(data, &store).unwrap();
    let (start, offset) = (Avma(mapping.0), FileOffset(mapping.1));
    let mapping = MappedRange { start, limit: Avma(start.0 + 0x10_0000), offset };
    let frames = object.frames(object.svma(Avma(address), &mapping).unwrap());
    let frame = |f: &oxprof_symbols::Frame<'_>| format!("{}:{}", f.system_name, f.line);
    let chain = frames.iter().map(frame).collect::<Vec<_>>().join(" < ");
    assert_eq!(chain, expected, "{address:#x} of {mapping:x?}");
}

#[test]
fn modules_are_laid_out_as_the_kernel_does() {
    let versions = [
        &["-gdwarf-5"][..],
        &["-gdwarf-4"],
        &["-gdwarf-5", "-gz=zlib"],
        &["-gdwarf-5", "-ffunction-sections"],
    ];
    for flags in versions {
        let Some(data) = compile("module", &[&["-c"], flags].concat()) else { return };
        let (complain, start) = (start_of(&data, "complain"), start_of(&data, "start"));
        assert_eq!(start_of(&data, "_stext"), 0, "{flags:?}");
        assert!(complain > 0 && complain < 0x1000, "{flags:?}: {complain:#x}");
        assert!(start > 0 && start % 0x1000 == 0, "{flags:?}: {start:#x}");
        let check = |at, expected| check(&data, (MODULE_START, 0), MODULE_START + at, expected);
        check(0, "twice:6 < _stext:10");
        check(complain, "complain:13");
        check(complain + 4, "twice:6 < complain:14");
        check(start, "start:18");
    }
}

#[cfg(feature = "disasm")]
#[test]
fn calls_of_modules_lead_where_they_go() {
    let Some(data) = compile("calls", &["-c"]) else { return };
    let store = Store::default();
    let object = Object::parse_with(&data, &store).unwrap();
    let symbol = object.symbols().find(|s| s.name == "start").unwrap();
    let code = object.disassemble(symbol.start..symbol.end, oxprof_symbols::Syntax::Att).unwrap();
    let calls: Vec<_> = code.iter().filter(|i| i.text.starts_with("call")).collect();
    assert!(calls[0].text.ends_with("<_stext>"), "{calls:?}");
    assert!(calls[1].text.ends_with("<complain>"), "{calls:?}");
}

#[test]
fn kernels_are_loaded_anywhere() {
    const STATED: u64 = 0xffff_ffff_8100_0000;
    let linked = format!("-Wl,-Ttext={STATED:#x},-e,start,--unresolved-symbols=ignore-all");
    let flags = ["-mcmodel=kernel", "-nostdlib", "-static", "-no-pie", &linked, "-gdwarf-5"];
    let Some(data) = compile("image", &flags) else { return };
    let first = start_of(&data, "_stext") - STATED;
    assert!(first > 0, "functions that are not likely come before");
    for start in [STATED, STATED + 0x1b20_0000] {
        let address = start + first + 3;
        // From the beginning of the image, or from its first function.
        for start in [start, start + first] {
            for offset in [0, start] {
                check(&data, (start, offset), address, "twice:6 < _stext:10");
            }
        }
    }
}
