//! Broken traces: what is wrong with them is said, and what is not broken is read.

mod support;

use oxprof_trace::{Options, for_each};
use support::{go_tool_trace, reference_trace};

const STRICT: Options = Options { strict: true, max_generation: 1 << 30 };
const LENIENT: Options = Options { strict: false, max_generation: 1 << 30 };

/// A trace broken in a way that Go's reader finds: ours finds it after the same number of events, and says
/// what it is. Read leniently, at least as much comes out.
#[track_caller]
fn check(broken: &str, expected: &str) {
    let Some((file, bytes)) = reference_trace(26, broken) else { return };
    let mut events = 0;
    let violation = for_each(&bytes, STRICT, |_, _| events += 1).expect_err(broken).to_string();
    assert!(violation.contains(expected), "{broken}: {violation}");

    let mut lenient = 0;
    match for_each(&bytes, LENIENT, |_, _| lenient += 1) {
        Ok(problems) => {
            assert!(!problems.is_empty() && lenient >= events, "{broken}: {lenient} of {events}");
        }
        Err(_) => assert_eq!(broken, "bad-header"),
    }

    let Some(go) = go_tool_trace(&["-d=parsed"], &file) else { return };
    assert!(!go.status.success(), "Go's reader accepts {broken}");
    let theirs =
        String::from_utf8_lossy(&go.stdout).lines().filter(|line| line.starts_with("M=")).count();
    assert_eq!(events, theirs, "events before the violation in {broken}");
}

/// A trace that looks odd and is not against the rules.
#[track_caller]
fn check_accepted(odd: &str) {
    let Some((_, bytes)) = reference_trace(26, odd) else { return };
    assert_eq!(for_each(&bytes, STRICT, |_, _| ()).map(|p| p.count), Ok(0), "{odd}");
}

#[test]
fn contexts() {
    check("no-procstatus", "thread 1001: ProcsChange needs a processor, and there is none");
    check("no-gostatus", "ProcsChange needs a goroutine, and there is none");
    check("no-goblock-start", "thread 1002: UserLog needs a goroutine, and there is none");
    check("no-gostart", "GoSyscallBegin needs a goroutine, and there is none");
}

#[test]
fn sequences() {
    check(
        "pseq-skip",
        "ProcStart on thread 1002 waits for number 2 of processor 1 (it is idle with number 0)",
    );
    check(
        "gseq-skip",
        "GoStart on thread 1002 waits for number 2 of goroutine 2 (it is runnable with number 0)",
    );
    check(
        "gseq-zero",
        "GoStart on thread 1002 waits for number 0 of goroutine 2 (it is runnable with number 0)",
    );
    check("syscall-pseq", "GoSyscallBegin for processor 1, whose number is 3, the event has 99");
    check("gc-seq", "GCEnd on thread 1001 waits for number 7 of the garbage collector (at 1)");
    check(
        "endblocked-with-p",
        "GoSyscallEndBlocked on thread 1002 waits for processor 1 to leave its thread",
    );
}

#[test]
fn states() {
    check("bad-gostatus", "goroutine 9, status 9 is unknown");
    check("create-twice", "GoCreate for goroutine 2, which exists already");
    check(
        "steal-wrong-m",
        "ProcSteal for processor 1, taken from thread 5555, which does not exist",
    );
    check("task-twice", "UserTaskBegin for task 7, which has begun already");
    check(
        "region-cross",
        "region \"parse\" of task 7 ends while \"inner\" of task 7 is the innermost",
    );
    check(
        "new-goroutine-gen2",
        "generation 2, thread 1001: GoStatusStack for goroutine 77, which is new",
    );
}

#[test]
fn tables() {
    check("undefined-string", "GoLabel refers to string 4242, which does not exist");
    check("undefined-stack", "UserLog refers to stack 4242, which does not exist");
    check("no-stacks", "GoStatusStack refers to stack 1, which does not exist");
    check("no-strings", "a stack refers to string 1, which does not exist");
    check("dup-string", "a second string has id 1");
    check("long-string", "a string has a size of 1025, more than the 1024 allowed");
}

#[test]
fn generations() {
    check("no-sync", "the generation has no frequency");
    check("no-freq", "the generation has no frequency");
    check("no-snapshot", "the generation has no clock snapshot");
    check("no-eog", "a batch of generation 2 stands in generation 1, which has not been ended");
    check("gen-zero", "a batch has generation number 0");
    check("unknown-event", "a batch of events holds one of type 50, which has no time");
    check("truncate", "generation 2: the trace ends within a generation");
    check(
        "bad-header",
        "trace version go 1.27 is unknown; versions 1.22, 1.23, 1.25 and 1.26 are supported",
    );
}

#[test]
fn oddities_that_are_allowed() {
    for odd in ["none", "clock-skew", "zero-freq", "reverse-batches", "same-pc", "no-cpu"] {
        check_accepted(odd);
    }
}

#[test]
fn other_files_are_refused_in_words() {
    let refuse = |bytes: &[u8]| for_each(bytes, LENIENT, |_, _| ()).unwrap_err().to_string();
    assert!(refuse(b"").contains("there is nothing in it"));
    assert!(refuse(b"\x1f\x8b and so on, for more than a header").contains("it is compressed"));
    assert!(refuse(b"this is some other file").contains("its header is missing"));
    assert!(refuse(b"go 1.21 trace\0\0\0").contains("Go 1.21 and older are not supported"));
}
