//! All tasks of a runtime, as its hooks tell of them.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oxprof::tasks::{self, ProfileFuture};
use oxprof_profile::{LabelValue, Profile};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

/// Tests see all tasks of the process, so they take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    tasks::watch_runtime(builder.worker_threads(2).enable_all()).build().unwrap()
}

/// Waits until what was woken has been polled.
fn settle(runtime: &Runtime) {
    runtime.block_on(async { tokio::time::sleep(Duration::from_millis(200)).await });
}

fn tasks() -> Profile {
    oxprof::lookup("tasks").unwrap().profile()
}

fn total(profile: &Profile) -> i64 {
    profile.samples.iter().map(|sample| sample.values[0]).sum()
}

fn text() -> String {
    oxprof::lookup("tasks").unwrap().text_of_each()
}

/// Tasks by the lines of this file that spawned them.
fn by_place(profile: &Profile) -> BTreeMap<u32, i64> {
    let mut sums = BTreeMap::new();
    for sample in profile.samples.iter() {
        let label = sample.labels.iter().find(|l| profile.str(l.key) == "spawned_at");
        let Some(LabelValue::Str(place)) = label.map(|label| label.value) else { continue };
        let place = profile.str(place);
        let line = place.split_once("all_tasks.rs:").and_then(|(_, rest)| rest.split(':').next());
        *sums.entry(line.unwrap().parse().unwrap()).or_default() += sample.values[0];
    }
    sums
}

#[test]
fn every_task_is_there_until_it_is_over() {
    let _turn = turn();
    let runtime = runtime();
    let go = Arc::new(Notify::new());
    let waits = |_| {
        let go = Arc::clone(&go);
        runtime.spawn(async move { go.notified().await })
    };
    let line = line!() - 2;
    let waiting: Vec<_> = (0..1000).map(waits).collect();
    let aborted = runtime.spawn(pending::<()>());
    settle(&runtime);
    assert_eq!(by_place(&tasks()), [(line, 1000), (line + 4, 1)].into());
    assert_eq!(oxprof::lookup("tasks").unwrap().count(), 1001);
    aborted.abort();
    go.notify_waiters();
    runtime.block_on(async {
        for task in waiting {
            task.await.unwrap();
        }
        aborted.await.unwrap_err();
    });
    assert_eq!(total(&tasks()), 0);
}

#[test]
fn polls_and_time_are_counted() {
    let _turn = turn();
    let runtime = runtime();
    let go = Arc::new(Notify::new());
    let works = {
        let go = Arc::clone(&go);
        async move {
            for _ in 0..4 {
                go.notified().await;
                std::thread::sleep(Duration::from_millis(20));
            }
            pending::<()>().await;
        }
    };
    runtime.spawn(works);
    for _ in 0..4 {
        settle(&runtime);
        go.notify_one();
    }
    settle(&runtime);
    let text = text();
    let busy = text.split_once("polls: 5, busy: ").and_then(|(_, rest)| rest.split_once("ms"));
    assert!(busy.unwrap().0.parse::<f64>().unwrap() >= 80.0, "{text}");
    assert!(text.contains("[waiting]") && text.contains("spawned_at: "), "{text}");
    assert!(!text.contains("wakes: "), "{text}");
}

#[test]
fn a_task_that_is_polled_is_running() {
    let _turn = turn();
    let runtime = runtime();
    let (entered, enter) = std::sync::mpsc::channel();
    let (leave, left) = std::sync::mpsc::channel::<()>();
    let task = runtime.spawn(async move {
        entered.send(()).unwrap();
        left.recv().unwrap();
        panic!("on purpose");
    });
    enter.recv().unwrap();
    let text = text();
    assert!(text.contains("[running]"), "{text}");
    assert!(text.contains("created by all_tasks::a_task_that_is_polled_is_running"), "{text}");
    leave.send(()).unwrap();
    runtime.block_on(task).unwrap_err();
    assert_eq!(total(&tasks()), 0);
}

#[test]
fn a_task_is_there_once() {
    let _turn = turn();
    let runtime = runtime();
    let other = Arc::new(Notify::new());
    let first = {
        let other = Arc::clone(&other);
        async move { other.notified().await }.profiled_as("first")
    };
    runtime.block_on(async {
        oxprof::spawn(pending::<()>());
        tokio::spawn(pending::<()>().profiled_as("wrapped"));
        // A task that does more than what is wrapped.
        tokio::spawn(async move {
            first.await;
            pending::<()>().await;
        });
        // A task with another inside of it.
        tokio::spawn(async { pending::<()>().profiled_as("inner").await });
    });
    settle(&runtime);
    let names = |profile: &Profile| -> Vec<String> {
        let names = profile.samples.iter().flat_map(|sample| {
            let label = sample.labels.iter().find(|l| profile.str(l.key) == "task")?;
            let LabelValue::Str(name) = label.value else { return None };
            Some(profile.str(name).to_owned())
        });
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    };
    let profile = tasks();
    assert_eq!(total(&profile), 5);
    assert_eq!(names(&profile), ["first", "inner", "wrapped"]);
    other.notify_one();
    settle(&runtime);
    let profile = tasks();
    assert_eq!(total(&profile), 5);
    assert_eq!(names(&profile), ["inner", "wrapped"]);
    drop(runtime);
    assert_eq!(total(&tasks()), 0);
}

#[test]
fn tasks_go_with_their_runtime() {
    let _turn = turn();
    let mut builder = Builder::new_current_thread();
    let runtime = tasks::watch_runtime(&mut builder).build().unwrap();
    runtime.spawn(pending::<()>());
    // Nobody polls that.
    assert_eq!(total(&tasks()), 1);
    drop(runtime);
    assert_eq!(total(&tasks()), 0);
}
