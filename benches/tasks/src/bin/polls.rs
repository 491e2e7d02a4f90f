//! A round trip between two tasks over channels, which is two polls and two wakes: bare, and with both tasks profiled.

use oxprof::tasks::ProfileFuture;
use oxprof_bench_tasks::{Subject, compare};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{self, Receiver, Sender};

async fn echo(mut from: Receiver<u64>, to: Sender<u64>) {
    while let Some(number) = from.recv().await {
        if to.send(number).await.is_err() {
            return;
        }
    }
}

async fn ask(times: u64, to: Sender<u64>, mut from: Receiver<u64>) {
    for number in 0..times {
        to.send(number).await.expect("the other side listens");
        from.recv().await;
    }
}

fn pair() -> ((Sender<u64>, Receiver<u64>), (Sender<u64>, Receiver<u64>)) {
    (mpsc::channel(1), mpsc::channel(1))
}

fn runtime() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime")
}

fn bare() -> Subject {
    let runtime = runtime();
    let run = move |times| {
        let ((to, asked), (answer, from)) = pair();
        runtime.spawn(echo(asked, answer));
        let asking = runtime.spawn(ask(times, to, from));
        runtime.block_on(asking).expect("no panic");
    };
    ("bare tasks, round trip", Box::new(run))
}

fn profiled() -> Subject {
    let runtime = runtime();
    let run = move |times| {
        let ((to, asked), (answer, from)) = pair();
        runtime.spawn(echo(asked, answer).profiled());
        let asking = runtime.spawn(ask(times, to, from).profiled());
        runtime.block_on(asking).expect("no panic");
    };
    ("profiled tasks, round trip", Box::new(run))
}

fn spawn(name: &'static str, spawn: fn() -> tokio::task::JoinHandle<()>) -> Subject {
    let runtime = runtime();
    let run = move |times| {
        runtime.block_on(async {
            for _ in 0..times {
                spawn().await.expect("no panic");
            }
        });
    };
    (name, Box::new(run))
}

fn main() {
    compare(40, 20_000, &mut [bare(), profiled()]);
    let bare = spawn("tokio::spawn", || tokio::spawn(async {}));
    let ours = spawn("oxprof::spawn", || oxprof::spawn(async {}));
    compare(40, 5_000, &mut [bare, ours]);
}
