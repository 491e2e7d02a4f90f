//! Async tasks: each is accounted for, with what it awaits.
#![cfg(all(target_os = "linux", target_arch = "x86_64", feature = "tokio"))]

use std::collections::BTreeMap;
use std::future::{pending, ready};
use std::process::Command;
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use oxprof::labels::{self, LabelFuture, Labels};
use oxprof::tasks::ProfileFuture;
use oxprof_profile::{LabelValue, Profile, Sample};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Mutex, Notify, mpsc, oneshot};

/// Tests see all tasks of the process, so they take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: StdMutex<()> = StdMutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn tasks() -> Profile {
    oxprof::lookup("tasks").unwrap().profile()
}

/// The names of the functions of a stack, innermost first.
fn names(profile: &Profile, sample: &Sample<'_>) -> Vec<String> {
    let lines = sample.stack.iter().flat_map(|&location| profile.lines_of(location));
    lines.map(|l| profile.str(profile.functions[l.function.index()].name).to_owned()).collect()
}

fn label<'p>(profile: &'p Profile, sample: &Sample<'_>, key: &str) -> Option<&'p str> {
    let label = sample.labels.iter().find(|label| profile.str(label.key) == key)?;
    match label.value {
        LabelValue::Str(text) => Some(profile.str(text)),
        LabelValue::Num { .. } => None,
    }
}

/// Tasks, and places where tasks wait, by name.
fn by_name(profile: &Profile) -> BTreeMap<String, (i64, i64)> {
    let mut sums = BTreeMap::<_, (i64, i64)>::new();
    for sample in profile.samples.iter() {
        let name = label(profile, &sample, "task").unwrap_or("?").to_owned();
        let sum = sums.entry(name).or_default();
        *sum = (sum.0 + sample.values[0], sum.1 + sample.values[1]);
    }
    sums
}

/// Waits until all spawned tasks have been polled.
fn settle(runtime: &Runtime) {
    runtime.block_on(async { tokio::time::sleep(Duration::from_millis(50)).await });
}

async fn leaf_lock(lock: Arc<Mutex<()>>) {
    let _guard = lock.lock().await;
}

async fn query(lock: Arc<Mutex<()>>) {
    leaf_lock(lock).await;
}

async fn handler(lock: Arc<Mutex<()>>) {
    query(lock).await;
}

async fn receive(mut channel: mpsc::Receiver<()>) {
    channel.recv().await;
}

async fn accept(listener: tokio::net::TcpListener) {
    let _ = listener.accept().await;
}

async fn first_of(notify: Arc<Notify>) {
    tokio::select! {
        () = notify.notified() => {}
        () = tokio::time::sleep(Duration::from_secs(1000)) => {}
    }
}

async fn all_of(notify: Arc<Notify>) {
    tokio::join!(notify.notified(), pending_twice(), tokio::time::sleep(Duration::from_secs(1000)));
}

/// Clones its waker twice in one place, and is one wait.
async fn pending_twice() {
    std::future::poll_fn(|context| {
        for _ in 0..2 {
            std::mem::forget(context.waker().clone());
        }
        std::task::Poll::<()>::Pending
    })
    .await;
}

#[test]
fn awaits_are_shown_by_stack() {
    let _turn = turn();
    let runtime = runtime();
    let lock = Arc::new(Mutex::new(()));
    let held = runtime.block_on(Arc::clone(&lock).lock_owned());
    let (_sender, receiver) = mpsc::channel(1);
    let (_reply, replied) = oneshot::channel::<()>();
    let notify = Arc::new(Notify::new());
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    runtime.spawn(handler(lock).profiled_as("lock"));
    runtime.spawn(receive(receiver).profiled_as("receive"));
    runtime.spawn(replied.profiled_as("oneshot"));
    runtime.spawn(accept(listener).profiled_as("accept"));
    runtime
        .spawn(async { tokio::time::sleep(Duration::from_secs(1000)).await }.profiled_as("sleep"));
    runtime.spawn(first_of(Arc::clone(&notify)).profiled_as("select"));
    runtime.spawn(all_of(notify).profiled_as("join"));
    runtime.spawn(pending::<()>().profiled_as("unseen"));
    settle(&runtime);
    let profile = tasks();
    let expected = [
        ("accept", 1),
        ("join", 3),
        ("lock", 1),
        ("oneshot", 1),
        ("receive", 1),
        ("select", 2),
        ("sleep", 1),
        ("unseen", 1),
    ];
    let expected = expected.map(|(name, awaits)| (name.to_owned(), (1, awaits)));
    assert_eq!(by_name(&profile), BTreeMap::from(expected));
    let check = |task: &str, functions: &[&str]| {
        let of_task = |s: &Sample<'_>| label(&profile, s, "task") == Some(task);
        let stacks: Vec<_> =
            profile.samples.iter().filter(of_task).map(|s| names(&profile, &s)).collect();
        let holds = |stack: &Vec<String>| {
            let mut names = stack.iter();
            functions.iter().all(|f| names.any(|name| name.contains(f)))
        };
        assert!(stacks.iter().any(holds), "{task}: {functions:?} are not in {stacks:#?}");
        for stack in &stacks {
            assert!(!stack[0].contains("oxprof::"), "{stack:?}");
            assert!(!stack.last().unwrap().contains("oxprof::"), "{stack:?}");
            assert!(!stack.iter().any(|name| name.contains("Harness")), "{stack:?}");
        }
    };
    check("lock", &["batch_semaphore", "leaf_lock", "query", "handler"]);
    check("receive", &["mpsc", "tasks::receive"]);
    check("accept", &["TcpListener", "tasks::accept"]);
    check("select", &["notify", "tasks::first_of"]);
    check("select", &["time", "tasks::first_of"]);
    check("join", &["pending_twice", "tasks::all_of"]);
    check("unseen", &["[waiting unseen]"]);
    drop(held);
    runtime.shutdown_background();
}

#[test]
fn tasks_come_and_go() {
    let _turn = turn();
    let count = || oxprof::lookup("tasks").unwrap().count();
    assert_eq!(count(), 0);
    let waiting = pending::<()>().profiled();
    let done = ready(()).profiled();
    assert_eq!(count(), 2);
    let runtime = runtime();
    runtime.block_on(done);
    assert_eq!(count(), 1);
    drop(waiting);
    assert_eq!(count(), 0);
    let tasks: Vec<_> = (0..100).map(|_| runtime.spawn(pending::<()>().profiled())).collect();
    assert_eq!(count(), 100);
    tasks.iter().for_each(|task| task.abort());
    tasks.into_iter().for_each(|task| assert!(runtime.block_on(task).is_err()));
    assert_eq!(count(), 0);
    let panicking = runtime.spawn(async { panic!("on purpose") }.profiled());
    assert!(runtime.block_on(panicking).is_err());
    assert_eq!(count(), 0);
}

#[test]
fn who_cannot_answer_is_shown_without_stack() {
    let _turn = turn();
    let runtime = runtime();
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    runtime.spawn(async move { _ = blocked.recv() }.profiled_as("busy"));
    let never_polled = pending::<()>().profiled_as("new");
    settle(&runtime);
    let begun = Instant::now();
    let profile = tasks();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    for (task, frame) in [("busy", "[running]"), ("new", "[not polled yet]")] {
        let sample = profile.samples.iter().find(|s| label(&profile, s, "task") == Some(task));
        assert_eq!(names(&profile, &sample.unwrap()), [frame]);
    }
    drop((release, never_polled));
}

/// A spurious poll takes nothing from anyone, and is not counted as a wake.
#[test]
fn dumps_disturb_nobody() {
    let _turn = turn();
    let runtime = runtime();
    let (sender, mut receiver) = mpsc::channel::<u32>(1);
    let sum = runtime.spawn(
        async move {
            let mut sum = 0;
            while let Some(number) = receiver.recv().await {
                sum += number;
            }
            sum
        }
        .profiled_as("sum"),
    );
    let numbers = runtime.spawn(
        async move {
            for number in 0..20_000 {
                sender.send(number).await.unwrap();
            }
        }
        .profiled_as("numbers"),
    );
    while !numbers.is_finished() {
        tasks();
    }
    assert_eq!(runtime.block_on(sum).unwrap(), 19_999 * 10_000);
    let idle = runtime.spawn(pending_twice().profiled_as("idle"));
    settle(&runtime);
    (0..3).for_each(|_| _ = tasks());
    let text = oxprof::lookup("tasks").unwrap().text_of_each();
    assert!(text.contains("{task: \"idle\", polls: 1, wakes: 0, busy: "), "{text}");
    idle.abort();
}

#[test]
fn labels_are_inherited_by_spawn() {
    let _turn = turn();
    let runtime = runtime();
    let (seen, labels) = oneshot::channel();
    runtime.block_on(async {
        let _scope = labels::scope([("tenant", "acme")]);
        let task = async { _ = seen.send(labels::current()) };
        drop(oxprof::spawn(task.labeled(Labels::new([("inner", 1)]))));
    });
    let labels = runtime.block_on(labels).unwrap();
    assert_eq!(
        labels,
        Labels::new([("tenant", labels.get("tenant").unwrap()), ("inner", 1.into())])
    );
}

#[test]
fn text_of_each() {
    let _turn = turn();
    let runtime = runtime();
    let notify = Arc::new(Notify::new());
    let (_sender, receiver) = mpsc::channel(1);
    runtime.spawn(first_of(Arc::clone(&notify)).profiled_as("two places"));
    runtime.spawn(receive(receiver).profiled());
    settle(&runtime);
    let text = oxprof::lookup("tasks").unwrap().text_of_each();
    let blocks: Vec<&str> = text.trim_end().split("\n\n").collect();
    assert_eq!(blocks.len(), 3, "{text}");
    let check = |block: &str, state: &str, function: &str| {
        let lines: Vec<&str> = block.lines().collect();
        let header = lines[0].strip_prefix("goroutine ").unwrap();
        assert!(header.contains(&format!(" [{state}] {{")) && header.ends_with("}:"), "{header}");
        let (frames, creator) = lines[1..].split_at(lines.len() - 3);
        assert!(creator[0].starts_with("created by tasks::text_of_each"), "{block}");
        for frame in frames.chunks(2) {
            assert!(frame[0].ends_with("(...)") && frame[1].starts_with('\t'), "{block}");
            assert!(frame[1].contains(" +0x"), "{block}");
        }
        assert!(frames.iter().any(|line| line.contains(function)), "{block}");
    };
    check(blocks[0], "select, branch 1 of 2", "tasks::first_of");
    check(blocks[1], "select, branch 2 of 2", "tasks::first_of");
    check(blocks[2], "chan receive", "tasks::receive");
}

/// A small piece of what the task dump of a large service is.
#[test]
fn ten_thousand_tasks_are_all_accounted_for() {
    let _turn = turn();
    let runtime = runtime();
    let notify = Arc::new(Notify::new());
    for _ in 0..10_000 {
        let notify = Arc::clone(&notify);
        runtime.spawn(async move { notify.notified().await }.profiled());
    }
    settle(&runtime);
    // On a busy machine not all answer in time; those that did need not again.
    let answered = (0..20).find_map(|_| {
        let profile = tasks();
        let total: i64 = profile.samples.iter().map(|s| s.values[0]).sum();
        assert_eq!(total, 10_000);
        (profile.samples.len() == 1).then_some(profile)
    });
    assert!(answered.is_some(), "all wait in the same place");
}

#[test]
fn go_opens_all_forms() {
    let _turn = turn();
    let runtime = runtime();
    for _ in 0..7 {
        let (sender, receiver) = mpsc::channel(1);
        std::mem::forget(sender);
        runtime.spawn(receive(receiver).profiled());
    }
    settle(&runtime);
    for debug in [0, 1] {
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tasks-{debug}"));
        let file = std::fs::File::create(&path).unwrap();
        oxprof::lookup("tasks").unwrap().write_to(file, debug).unwrap();
        let Ok(output) = Command::new("go").args(["tool", "pprof", "-top"]).arg(&path).output()
        else {
            eprintln!("skipped: go is not installed");
            return;
        };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let top = String::from_utf8(output.stdout).unwrap();
        assert!(top.contains("accounting for 7, 100% of 7 total"), "debug={debug}: {top}");
        // Text has no names that tools read.
        assert!(debug == 1 || top.contains("tasks::receive"), "{top}");
    }
}

/// Polls that are due to a dump do not make a wait look young.
#[test]
fn waits_last_since_they_began() {
    let _turn = turn();
    let runtime = runtime();
    let task = runtime.spawn(pending_twice().profiled());
    settle(&runtime);
    std::thread::sleep(Duration::from_millis(300));
    let waits = || tasks().samples.iter().map(|s| s.values[2]).sum::<i64>();
    let (first, second) = (waits(), waits());
    assert!(first >= 300_000_000 && second > first, "{first} {second}");
    task.abort();
}

async fn slow_answer() -> &'static str {
    tokio::time::sleep(Duration::from_secs(1000)).await;
    "late"
}

#[test]
fn requests_of_services_are_tasks() {
    let _turn = turn();
    let requests =
        oxprof::tasks::RequestLayer::new("request", |request: &axum::extract::Request| {
            Labels::new([("method", request.method().as_str())])
        });
    let app = axum::Router::new().route("/slow", axum::routing::get(slow_answer)).layer(requests);
    let runtime = runtime();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(async move { axum::serve(listener, app).await });
    let mut client = std::net::TcpStream::connect(address).unwrap();
    std::io::Write::write_all(&mut client, b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    settle(&runtime);
    let profile = tasks();
    let sample = profile.samples.iter().next().expect("the request is a task");
    assert_eq!(by_name(&profile), BTreeMap::from([("request".to_owned(), (1, 1))]));
    assert_eq!(label(&profile, &sample, "method"), Some("GET"));
    let names = names(&profile, &sample);
    assert!(names.iter().any(|name| name.contains("slow_answer")), "{names:?}");
    drop(client);
}

/// Holds a lock for a while.
async fn hold(lock: Arc<Mutex<()>>) -> Duration {
    let begun = Instant::now();
    let guard = lock.lock().await;
    let waited = begun.elapsed();
    tokio::time::sleep(Duration::from_millis(20)).await;
    drop(guard);
    waited
}

/// Milliseconds by stack of samples with this category: those with `inside` in a function's name.
fn delay(profile: &Profile, category: &str, inside: &str) -> f64 {
    let holds = |s: &Sample<'_>| {
        label(profile, s, "category") == Some(category)
            && names(profile, s).iter().any(|name| name.contains(inside))
    };
    profile.samples.iter().filter(holds).map(|s| s.values[1]).sum::<i64>() as f64 / 1e6
}

#[test]
fn waits_for_async_locks_are_in_block_and_mutex() {
    let _turn = turn();
    let (Some(block), Some(mutex)) = (oxprof::lookup("block"), oxprof::lookup("mutex")) else {
        eprintln!("skipped: built without hooks");
        return;
    };
    let _sampling = oxprof::contention::Sampling::new().block(1).mutex(1).start();
    let runtime = runtime();
    let lock = Arc::new(Mutex::new(()));
    let tasks: Vec<_> = (0..5).map(|_| runtime.spawn(hold(Arc::clone(&lock)).profiled())).collect();
    let begin = Instant::now();
    // Looking meanwhile wakes tasks, and ends no wait.
    while begin.elapsed() < Duration::from_millis(40) {
        self::tasks();
    }
    let waited: Duration = tasks.into_iter().map(|task| runtime.block_on(task).unwrap()).sum();
    let expected = waited.as_secs_f64() * 1e3;
    let (block, mutex) = (block.profile(), mutex.profile());
    let blocked = delay(&block, "lock", "tasks::hold");
    let charged = delay(&mutex, "lock", "tasks::hold");
    // What lies between being woken and being polled is the runtime's.
    assert!((0.7..1.02).contains(&(blocked / expected)), "{blocked} of {expected} ms");
    assert!((charged - blocked).abs() < 1.0, "{charged} charged, {blocked} waited");
    // Sleeping is no contention.
    assert_eq!(delay(&block, "sleep", "tasks::hold"), 0.0);
    let names: Vec<_> = mutex.samples.iter().map(|s| names(&mutex, &s)).collect();
    let unlocks = |names: &Vec<String>| {
        names[0].contains("tokio::") && names.iter().any(|n| n.contains("MutexGuard"))
    };
    assert!(names.iter().any(unlocks), "{names:#?}");
}

async fn ticks() {
    loop {
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

/// Of a task that does not move, and of one that does between any two looks.
#[test]
fn wall_clock_profiles_show_where_tasks_wait() {
    let _turn = turn();
    let runtime = runtime();
    let (sender, receiver) = mpsc::channel(1);
    runtime.spawn(receive(receiver).profiled_as("waits"));
    runtime.spawn(ticks().profiled_as("ticks"));
    settle(&runtime);
    let capture = oxprof::wall::start(oxprof::wall::Options::default()).unwrap();
    runtime.spawn(receive(mpsc::channel(1).1).profiled_as("is over at once"));
    std::thread::sleep(Duration::from_secs(1));
    let profile = capture.finish().unwrap();
    let check = |name: &str, function: &str, state: &str| {
        let is_there = |sample: &Sample<'_>| {
            label(&profile, sample, "task") == Some(name)
                && names(&profile, sample).iter().any(|n| n.starts_with(function))
                && label(&profile, sample, "cpu") == Some("off")
                && label(&profile, sample, "thread").is_none()
                && [Some(state), Some("runnable")].contains(&label(&profile, sample, "state"))
        };
        let nanos: i64 = profile.samples.iter().filter(is_there).map(|s| s.values[1]).sum();
        let ratio = nanos as f64 / profile.duration_nanos as f64;
        assert!((0.8..1.01).contains(&ratio), "{name}: {ratio}");
    };
    check("waits", "tasks::receive", "chan receive");
    check("ticks", "tasks::ticks", "sleep");
    drop((sender, runtime));
}
