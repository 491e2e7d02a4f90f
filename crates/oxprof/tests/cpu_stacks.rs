//! Stacks that are hard to walk: code without call-frame information, signal handlers on another stack,
//! very deep recursion.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::ffi::CString;
use std::hint::black_box;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use oxprof::cpu::{self, Options};
use oxprof_profile::{LabelValue, Profile, Sample};

fn thread_cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid place for the time.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32)
}

/// Calls `work` until the thread has used this much CPU time, under a profile.
fn profile_of(time: Duration, mut work: impl FnMut()) -> Profile {
    let capture = cpu::start(Options::default().hz(1000)).unwrap();
    let end = thread_cpu() + time;
    while thread_cpu() < end {
        work();
    }
    capture.finish().unwrap()
}

fn names<'a>(profile: &'a Profile, sample: &Sample<'a>) -> Vec<&'a str> {
    let lines = sample.stack.iter().flat_map(|&location| profile.lines_of(location));
    lines.map(|l| profile.str(profile.functions[l.function.index()].name)).collect()
}

/// CPU time of the samples for which `wanted` holds of the names.
fn nanos(profile: &Profile, wanted: impl Fn(&[&str], &Sample<'_>) -> bool) -> i64 {
    let samples = profile.samples.iter().filter(|s| wanted(&names(profile, s), s));
    samples.map(|s| s.values[1]).sum()
}

fn has(names: &[&str], name: &str) -> bool {
    names.iter().any(|n| n.ends_with(name))
}

fn is_guessed(profile: &Profile, sample: &Sample<'_>) -> bool {
    sample.labels.iter().any(|label| {
        let value = match label.value {
            LabelValue::Str(value) => profile.str(value),
            LabelValue::Num { .. } => "",
        };
        (profile.str(label.key), value) == ("unwind", "guessed")
    })
}

/// Builds and loads a library of this C code; `None` if there is no C compiler.
fn load(name: &str, code: &str, flags: &[&str]) -> Option<*mut libc::c_void> {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (source, library) =
        (directory.join(format!("{name}.c")), directory.join(format!("{name}.so")));
    std::fs::write(&source, code).unwrap();
    let mut cc = Command::new("cc");
    cc.args(flags).args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source);
    if !cc.status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: no working C compiler");
        return None;
    }
    let path = CString::new(library.into_os_string().into_encoded_bytes()).unwrap();
    // SAFETY: a library without initialisers.
    let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
    assert!(!handle.is_null());
    Some(handle)
}

/// As in musl, whose C code has none.
#[test]
fn code_without_call_frame_information() {
    let code = "__attribute__((noinline)) static long inner(long n) {\n\
                  volatile char local[200]; long x = n;\n\
                  for (int i = 0; i < 30000; i++) { local[i % 200] = x; x = x * 31 + local[(i * 7) % 200]; }\n\
                  return x; }\n\
                long opaque(long n) { volatile long pad[3] = {n, n, n}; return inner(n) + pad[1]; }\n";
    let flags =
        ["-O1", "-fomit-frame-pointer", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables"];
    let Some(library) = load("opaque", code, &flags) else { return };
    // SAFETY: the function is the one above.
    let opaque: extern "C" fn(i64) -> i64 = unsafe {
        let symbol = libc::dlsym(library, c"opaque".as_ptr());
        assert!(!symbol.is_null());
        std::mem::transmute(symbol)
    };
    let profile = profile_of(Duration::from_millis(300), || _ = black_box(opaque(3)));
    // What is between the leaf and code that has some is skipped.
    let inside = nanos(&profile, |names, _| has(names, "inner"));
    let guessed = nanos(&profile, |names, s| {
        is_guessed(&profile, s)
            && names[0] == "inner"
            && has(names, "code_without_call_frame_information")
            && !has(names, "[incomplete]")
    });
    assert!(inside > 150_000_000 && guessed * 100 >= inside * 98, "{guessed} of {inside} ns");
}

extern "C" fn on_user_signal(_: i32) {
    black_box((0..200_000).fold(1u64, |x, i| black_box(x * 31 % 1_000_003 + i)));
}

#[inline(never)]
fn raises() {
    // SAFETY: a signal that has a handler.
    black_box(unsafe { libc::raise(libc::SIGUSR2) });
}

/// The handler's stack leads through the interrupted code to the thread's root, though it is elsewhere.
#[test]
fn signal_handlers_on_an_alternate_stack() {
    let mut stack = vec![0u8; 256 << 10];
    // SAFETY: the stack outlives its use, the handler is a function of the right type.
    unsafe {
        let alternate =
            libc::stack_t { ss_sp: stack.as_mut_ptr().cast(), ss_flags: 0, ss_size: stack.len() };
        assert_eq!(libc::sigaltstack(&raw const alternate, std::ptr::null_mut()), 0);
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_user_signal as *const () as usize;
        action.sa_flags = libc::SA_ONSTACK;
        assert_eq!(libc::sigaction(libc::SIGUSR2, &raw const action, std::ptr::null_mut()), 0);
    }
    let profile = profile_of(Duration::from_millis(300), raises);
    // SAFETY: back to no alternate stack before the memory goes.
    unsafe {
        let none =
            libc::stack_t { ss_sp: std::ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
        libc::sigaltstack(&raw const none, std::ptr::null_mut());
    }
    let inside = nanos(&profile, |names, _| has(names, "on_user_signal"));
    let whole = nanos(&profile, |names, _| {
        has(names, "on_user_signal")
            && has(names, "cpu_stacks::raises")
            && !has(names, "[incomplete]")
    });
    assert!(inside > 100_000_000 && whole == inside, "{whole} of {inside} ns");
}

#[inline(never)]
fn descend(depth: u32) -> u64 {
    if depth == 0 {
        (0..1000).fold(1, |x, i| black_box(x * 31 % 1_000_003 + i))
    } else {
        black_box(descend(depth - 1)) + 1
    }
}

#[test]
fn stacks_deeper_than_can_be_kept() {
    let profile = profile_of(Duration::from_millis(200), || _ = descend(2000));
    let deep = profile.samples.iter().map(|s| s.stack.len()).max().unwrap();
    assert_eq!(deep, 513, "512 frames and the mark");
    let truncated = profile.samples.iter().filter(|s| s.stack.len() == 513);
    for sample in truncated {
        let names = names(&profile, &sample);
        assert!(names[0].ends_with("descend") || names.len() > 1);
        assert_eq!(names.last(), Some(&"[truncated]"));
    }
}
