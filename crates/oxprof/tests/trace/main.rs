//! Traces of this program say what it did, and strict readers accept them.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod go;
#[cfg(feature = "http")]
mod http;
mod scenarios;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use oxprof::labels::{self, LabelFuture, Labels};
use oxprof::tasks::ProfileFuture;
use oxprof::trace;
use oxprof_trace::{Event, GoState, Kind, Options, Summarizer, Summary, Tables, for_each};

/// One trace at a time, so that each shows its own test.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn summary(bytes: &[u8]) -> Summary {
    let mut summarizer = Summarizer::default();
    let strict = Options { strict: true, max_generation: 1 << 30 };
    let result = for_each(bytes, strict, |event, tables| summarizer.event(event, tables));
    result.unwrap_or_else(|error| panic!("{error}"));
    summarizer.finish()
}

/// The trace of some work.
fn record(work: impl FnOnce()) -> Vec<u8> {
    let capture = trace::start().unwrap();
    work();
    let mut bytes = Vec::new();
    capture.finish(&mut bytes).unwrap();
    bytes
}

#[test]
fn tasks_and_regions_have_their_length() {
    let _alone = alone();
    let bytes = record(|| {
        let task = trace::task("request");
        let _entered = task.enter();
        let _region = trace::region("parse");
        trace::log("size", || "42 bytes");
        thread::sleep(Duration::from_millis(50));
    });
    let summary = summary(&bytes);
    let task = summary.tasks.iter().find(|task| summary.names.get(task.name) == "request").unwrap();
    assert!(
        (50_000_000..2_000_000_000).contains(&summary.task_time(task)),
        "{}",
        summary.task_time(task)
    );
    let log = &task.logs[0];
    assert_eq!(summary.names.get(log.category), "size");
    assert_eq!(summary.names.get(log.message), "42 bytes");
    let region = &summary.regions[task.regions[0] as usize];
    assert_eq!(summary.names.get(region.name), "parse");
    assert!(summary.region_time(region) >= 50_000_000);
}

#[test]
fn threads_begin_and_end_under_their_names() {
    let _alone = alone();
    let bytes = record(|| {
        let work = || thread::sleep(Duration::from_millis(20));
        thread::Builder::new().name("worker-7".into()).spawn(work).unwrap().join().unwrap();
    });
    let summary = summary(&bytes);
    let named = |name: &str| -> Vec<_> {
        summary.goroutines.iter().filter(|g| summary.names.get(g.name) == name).collect()
    };
    let worker = named("worker-7")[0];
    assert!(worker.ended.unwrap() - worker.created >= 20_000_000);
    assert_eq!(named("oxprof").len(), 1);
}

#[test]
fn several_recordings_at_once_are_each_whole() {
    let _alone = alone();
    let outer = trace::start().unwrap();
    drop(trace::region("before"));
    let inner = record(|| drop(trace::region("inside")));
    drop(trace::region("after"));
    let mut bytes = Vec::new();
    outer.finish(&mut bytes).unwrap();
    let regions = |bytes: &[u8]| {
        let summary = summary(bytes);
        let names = summary.regions.iter().map(|r| summary.names.get(r.name).to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(regions(&inner), ["inside"]);
    assert_eq!(regions(&bytes), ["before", "inside", "after"]);
}

#[test]
fn nothing_is_recorded_when_nobody_wants_it() {
    let _alone = alone();
    assert!(!trace::is_enabled());
    drop(trace::region("unseen"));
    let capture = trace::start().unwrap();
    assert!(trace::is_enabled());
    capture.stop();
    assert!(!trace::is_enabled());
}

#[test]
fn the_flight_recorder_has_the_last_seconds() {
    let _alone = alone();
    let recorder = trace::FlightRecorder::builder().start().unwrap();
    drop(trace::region("a while ago"));
    thread::sleep(Duration::from_millis(1300));
    drop(trace::region("just now"));
    let first = summary(&recorder.snapshot());
    let names: Vec<_> = first.regions.iter().map(|r| first.names.get(r.name)).collect();
    assert_eq!(names, ["a while ago", "just now"]);
    assert!(summary(&recorder.snapshot()).regions.len() >= 2, "it goes on");

    let short = trace::FlightRecorder::builder().min_age(Duration::ZERO).start().unwrap();
    drop(trace::region("too old"));
    short.snapshot();
    thread::sleep(Duration::from_millis(1100));
    drop(trace::region("new"));
    let last = summary(&short.snapshot());
    assert_eq!(last.regions.iter().map(|r| last.names.get(r.name)).collect::<Vec<_>>(), ["new"]);
}

/// A thread and a task began long ago and have waited ever since: of what they did then, nothing is left but what came of
/// it.
#[test]
fn the_flight_recorder_knows_what_was_before() {
    let _alone = alone();
    let recorder = trace::FlightRecorder::builder().min_age(Duration::ZERO).start().unwrap();
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let waits = move || receiver.recv().unwrap();
    let thread = thread::Builder::new().name("waits".into()).spawn(waits).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (wake, woken) = tokio::sync::oneshot::channel();
    let task = runtime.spawn(wait_for(woken).profiled_as("waits, too"));
    runtime.block_on(tokio::task::yield_now());
    thread::sleep(Duration::from_millis(50));
    recorder.snapshot();
    thread::sleep(Duration::from_millis(1100));
    recorder.snapshot();
    sender.send(()).unwrap();
    thread.join().unwrap();
    wake.send(()).unwrap();
    runtime.block_on(task).unwrap();
    let bytes = recorder.snapshot();
    let mut first = std::collections::HashMap::new();
    let strict = Options { strict: true, max_generation: 1 << 30 };
    for_each(&bytes, strict, |event, _| {
        if let Kind::Go(go) = event.kind {
            first.entry(go.id).or_insert((go.from, go.to));
        }
    })
    .unwrap();
    let summary = summary(&bytes);
    for name in ["waits", "waits, too"] {
        let found = scenarios::named(&summary, name);
        assert_eq!(found.len(), 1, "{name}");
        assert!(found[0].ended.is_some(), "{name}");
        assert_eq!(first[&found[0].id], (GoState::Undetermined, GoState::Waiting), "{name}");
    }
}

#[test]
fn a_watch_saves_what_was_slow() {
    let _alone = alone();
    let directory = std::env::temp_dir().join(format!("oxprof-watch-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let recorder = trace::FlightRecorder::builder().start().unwrap();
    drop(recorder.watch(&directory, "quick", Duration::from_secs(60)));
    let watch = recorder.watch(&directory, "GET /a?b", Duration::from_millis(1));
    thread::sleep(Duration::from_millis(5));
    drop(watch);
    let files: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|f| f.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    assert!(files[0].to_str().unwrap().ends_with("-GET--a-b.trace"), "{files:?}");
    summary(&std::fs::read(&files[0]).unwrap());
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_panic_saves_what_led_to_it() {
    let _alone = alone();
    let directory = std::env::temp_dir().join(format!("oxprof-panic-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let recorder = std::sync::Arc::new(trace::FlightRecorder::builder().start().unwrap());
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    recorder.save_on_panic(&directory);
    let panics = || {
        let _region = trace::region("what led to it");
        panic!("as expected");
    };
    assert!(thread::spawn(panics).join().is_err());
    std::panic::set_hook(before);
    let files: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|f| f.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    assert!(files[0].to_str().unwrap().ends_with("-panic.trace"), "{files:?}");
    let summary = summary(&std::fs::read(&files[0]).unwrap());
    let regions: Vec<_> = summary.regions.iter().map(|r| summary.names.get(r.name)).collect();
    assert_eq!(regions, ["what led to it"]);
    std::fs::remove_dir_all(directory).unwrap();
}

/// Who reads a trace may be woken by the recorder's thread, and panic there: nobody waits for what is no more.
#[test]
fn a_panic_of_the_recorder_ends_the_trace_only() {
    struct Panics;
    impl std::task::Wake for Panics {
        fn wake(self: std::sync::Arc<Self>) {
            panic!("as expected");
        }
    }
    let _alone = alone();
    let directory = std::env::temp_dir().join(format!("oxprof-wake-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let recorder = std::sync::Arc::new(trace::FlightRecorder::builder().start().unwrap());
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    recorder.save_on_panic(&directory);
    let capture = trace::start().unwrap();
    let waker = std::sync::Arc::new(Panics).into();
    let mut context = std::task::Context::from_waker(&waker);
    while capture.poll_next(&mut context).is_ready() {}
    while capture.next().is_some() {}
    std::panic::set_hook(before);
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1);
    summary(&recorder.snapshot());
    drop((capture, recorder));
    assert_eq!(summary(&record(|| drop(trace::region("again")))).regions.len(), 1);
    std::fs::remove_dir_all(directory).unwrap();
}

/// Texts of any length are there, up to what the format takes.
#[test]
fn texts_have_bounds() {
    let _alone = alone();
    let bytes = record(|| {
        trace::log("long", || "é".repeat(10_000_000));
        let task = trace::task("x".repeat(1025));
        drop(task);
    });
    let summary = summary(&bytes);
    let names: Vec<_> = summary.tasks.iter().map(|task| summary.names.get(task.name)).collect();
    assert!(names.contains(&"x".repeat(1024).as_str()), "{names:?}");
}

/// Threads come and go, and fork, while two record who begin and end at different times.
#[test]
fn threads_come_and_go_while_two_record() {
    let _alone = alone();
    const THREADS: usize = 300;
    let churn = |threads: usize| {
        for _ in 0..threads / 3 {
            let work = || {
                let _region = trace::region("work");
                thread::sleep(Duration::from_micros(50));
            };
            let spawn = || thread::Builder::new().name("churn".into()).spawn(work).unwrap();
            let threads = [spawn(), spawn(), spawn()];
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        }
    };
    let mut inner = Vec::new();
    let outer = record(|| {
        churn(THREADS);
        inner = record(|| {
            churn(THREADS);
            // SAFETY: the child does nothing but end.
            match unsafe { libc::fork() } {
                // SAFETY: ends the process.
                0 => unsafe { libc::_exit(0) },
                // SAFETY: waits for the child, of which nothing is asked.
                child => unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) },
            };
            churn(THREADS);
        });
        churn(THREADS);
    });
    for (bytes, expected) in [(outer, 4 * THREADS), (inner, 2 * THREADS)] {
        let summary = summary(&bytes);
        let threads = scenarios::named(&summary, "churn");
        assert_eq!(threads.len(), expected);
        assert!(threads.iter().all(|thread| thread.ended.is_some()));
        assert_eq!(summary.regions.len(), expected);
    }
}

#[test]
fn a_child_of_a_fork_can_record_too() {
    let _alone = alone();
    let capture = trace::start().unwrap();
    // SAFETY: the child does what the parent may do too: our locks are free in it. It never returns.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let fine = !trace::is_enabled() && {
            let bytes = record(|| drop(trace::region("in the child")));
            summary(&bytes).regions.len() == 1
        };
        // SAFETY: ends the process.
        unsafe { libc::_exit(i32::from(!fine)) };
    }
    let mut status = 0;
    // SAFETY: a valid place for the status.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(status, 0);
    let mut bytes = Vec::new();
    capture.finish(&mut bytes).unwrap();
    summary(&bytes);
}

#[test]
fn labels_are_those_of_threads_and_tasks() {
    let _alone = alone();
    let bytes = record(|| {
        let _scope = labels::scope([("tenant", "acme")]);
        trace::log("a", || "message");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let labels = Labels::new([("route", "/cart"), ("tenant", "b")]);
        runtime.block_on(tokio::task::yield_now().profiled_as("task").labeled(labels));
    });
    let (mut seen, mut names) = (Vec::new(), std::collections::HashMap::new());
    let each = |event: &Event, tables: &Tables| match event.kind {
        Kind::Go(go) => {
            let name = go.stack.map(|stack| tables.root_func(stack).to_owned());
            names.entry(go.id).or_insert(name.unwrap_or_default());
        }
        Kind::Label(label) => seen.push((event.goroutine, tables.str(label).to_owned())),
        _ => {}
    };
    for_each(&bytes, Options { strict: true, max_generation: 1 << 30 }, each).unwrap();
    let seen: Vec<_> = seen.iter().map(|(id, label)| (&*names[id] == "task", &**label)).collect();
    assert_eq!(seen[0], (false, "{tenant: acme}"));
    assert!(seen.contains(&(true, "{route: /cart, tenant: b}")), "{seen:?}");
}

/// What is asked of a task's time: from its creation to its end, and of that waiting.
#[test]
fn tasks_are_polled_and_wait() {
    let _alone = alone();
    let bytes = record(|| {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let (sender, receiver) = tokio::sync::oneshot::channel();
        runtime.block_on(async {
            let task = oxprof::spawn(wait_for(receiver));
            tokio::task::spawn_blocking(|| thread::sleep(Duration::from_millis(50))).await.unwrap();
            sender.send(()).unwrap();
            task.await.unwrap();
        });
        drop(runtime.spawn(std::future::pending::<()>().profiled_as("never")));
    });
    let summary = summary(&bytes);
    let named = |name: &str| {
        let has_name = |g: &&oxprof_trace::Goroutine| summary.names.get(g.name).contains(name);
        summary.goroutines.iter().find(has_name).unwrap_or_else(|| panic!("no {name}"))
    };
    let task = named("wait_for");
    assert!(task.ended.is_some());
    let waited = task.stats.blocked_total();
    assert!((50_000_000..task.stats.total).contains(&waited), "{waited} of {}", task.stats.total);
    assert!(named("never").ended.is_some(), "dropped with its runtime");
}

/// With its name, and as long as the trace, whether it is polled meanwhile or not.
#[test]
fn tasks_that_there_were_before_are_there() {
    let _alone = alone();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let [(wake, woken), (_open, never)] = [(); 2].map(|()| tokio::sync::oneshot::channel());
    let _entered = runtime.enter();
    let tasks = [woken, never].map(|receiver| oxprof::spawn(wait_for(receiver)));
    let bytes = record(|| {
        thread::sleep(Duration::from_millis(20));
        wake.send(()).unwrap();
        let [woken, _] = tasks;
        runtime.block_on(woken).unwrap();
    });
    let summary = summary(&bytes);
    let is_one = |g: &&oxprof_trace::Goroutine| summary.names.get(g.name).contains("wait_for");
    let both: Vec<_> = summary.goroutines.iter().filter(is_one).collect();
    assert_eq!(both.iter().filter(|task| task.ended.is_some()).count(), 1);
    assert_eq!(both.len(), 2);
    assert!(both.iter().all(|task| task.stats.total >= 20_000_000));
}

async fn wait_for(receiver: tokio::sync::oneshot::Receiver<()>) {
    receiver.await.unwrap();
}

#[test]
fn spans_and_events_are_regions_and_messages() {
    use tracing_subscriber::layer::SubscriberExt;

    let _alone = alone();
    let bytes = record(|| {
        let subscriber = tracing_subscriber::registry().with(trace::TracingLayer);
        tracing::subscriber::with_default(subscriber, || {
            let request = tracing::info_span!("request").entered();
            tracing::info_span!("parse").in_scope(|| tracing::info!(bytes = 42, "a body"));
            drop(request);
        });
    });
    let summary = summary(&bytes);
    let text = |id| summary.names.get(id);
    let task = summary.tasks.iter().find(|task| text(task.name) == "request").unwrap();
    assert!(task.start.is_some() && task.end.is_some());
    let regions: Vec<_> =
        task.regions.iter().map(|&i| text(summary.regions[i as usize].name)).collect();
    assert_eq!(regions, ["request", "parse"]);
    assert_eq!(text(task.logs[0].category), "trace");
    assert_eq!(text(task.logs[0].message), "INFO a body bytes=42");
}

/// Where the CPU profiler finds threads and tasks, if it runs at the same time.
#[test]
fn cpu_samples_are_of_threads_and_tasks() {
    let _alone = alone();
    let mut profile = None;
    let bytes = record(|| {
        let cpu = oxprof::cpu::start(oxprof::cpu::Options::default().hz(500)).unwrap();
        let thread = thread::Builder::new().name("burner".into());
        thread.spawn(|| burn(Duration::from_millis(300))).unwrap().join().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let labels = Labels::new([("route", "/cart")]);
        let task = async { burn(Duration::from_millis(300)) };
        runtime.block_on(task.profiled_as("burning task").labeled(labels));
        profile = Some(cpu.finish().unwrap());
    });
    let (mut names, mut samples) = (std::collections::HashMap::new(), Vec::new());
    let each = |event: &Event, tables: &Tables| match event.kind {
        Kind::Go(go) => {
            let name = go.stack.map(|stack| tables.root_func(stack).to_owned());
            names.entry(go.id).or_insert(name.unwrap_or_default());
        }
        Kind::StackSample => {
            let mut frames = tables.frames(event.stack).map(|frame| tables.str(frame.func));
            samples.push((event.goroutine, frames.any(|name| name.ends_with("trace::burn"))));
        }
        _ => {}
    };
    for_each(&bytes, Options { strict: true, max_generation: 1 << 30 }, each).unwrap();
    for name in ["burner", "burning task"] {
        let its = samples.iter().filter(|(id, _)| names.get(id).is_some_and(|n| n == name));
        let (all, burning) = (its.clone().count(), its.filter(|(_, burns)| *burns).count());
        // At 500 a second of CPU time, 150 each; fewer where others have the processor.
        assert!(all >= 10 && burning * 10 >= all * 9, "{burning} of {all} of {name}");
    }
    // Those that stand for several ticks of the timer are there once.
    let ticks: i64 = profile.unwrap().samples.iter().map(|sample| sample.values[0]).sum();
    assert!(samples.len() as i64 <= ticks + 10, "{} of {ticks}", samples.len());
}

/// Uses a processor for some CPU time.
#[inline(never)]
fn burn(time: Duration) {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let mut used = || {
        // SAFETY: a place for a time.
        unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut now) };
        Duration::new(now.tv_sec.cast_unsigned(), now.tv_nsec as u32)
    };
    let start = used();
    while used() - start < time {}
}
