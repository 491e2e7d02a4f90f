//! A test that runs itself, with profiles of the run.

use std::process::Command;

#[global_allocator]
static ALLOC: oxprof::Heap = oxprof::Heap::system();

#[inline(never)]
fn work() -> u64 {
    let kept = std::hint::black_box(vec![1u8; 8 << 20]);
    std::mem::forget(kept);
    (0..40_000_000u64).fold(7, |sum, i| std::hint::black_box(sum ^ i))
}

/// What is profiled; without being asked for, next to nothing.
#[test]
fn busy() {
    if std::env::var_os("OXPROF_TEST_BUSY").is_some() {
        work();
    }
}

#[test]
fn profiles_of_a_run() {
    let at = |name: &str| {
        let file = format!("testing-{}-{name}-%e.pb.gz", std::process::id());
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(file)
    };
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["busy", "--exact"])
        .env("OXPROF_TEST_BUSY", "1")
        .env("OXPROF_HEAP_RATE", "65536")
        .env("OXPROF_CPUPROFILE", at("cpu"))
        .env("OXPROF_HEAPPROFILE", at("heap"))
        .env("OXPROF_NONSENSEPROFILE", at("nonsense"))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains("no profile nonsense of this run: there is none"), "{stderr}");
    for (name, kind) in [("cpu", "cpu"), ("heap", "inuse_space")] {
        let path = at(name).display().to_string().replace("%e", "testing");
        let profile =
            oxprof_profile::decode(&std::fs::read(&path).expect("it was written")).unwrap();
        let column = profile.sample_types.iter().position(|t| profile.str(t.kind) == kind);
        let column = column.expect("the profile has the value");
        let of_work = profile.samples.iter().filter(|sample| {
            let lines = sample.stack.iter().flat_map(|&l| profile.lines_of(l));
            let mut names = lines.map(|l| profile.str(profile.functions[l.function.index()].name));
            names.any(|name| name == "testing::work")
        });
        let sum: i64 = of_work.map(|sample| sample.values[column]).sum();
        assert!(sum > 1_000_000, "{name}: {sum}");
        std::fs::remove_file(path).unwrap();
    }
}
