//! How long it takes to show all tasks: the first time, when all are woken, and again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

async fn leaf(notify: Arc<Notify>) {
    notify.notified().await;
}

async fn middle(notify: Arc<Notify>) {
    leaf(notify).await;
}

async fn task(notify: Arc<Notify>) {
    middle(notify).await;
}

fn milliseconds(work: impl FnOnce() -> usize) -> (f64, usize) {
    let begun = Instant::now();
    let result = work();
    (begun.elapsed().as_secs_f64() * 1e3, result)
}

fn main() {
    for tasks in [10, 100, 1000, 10_000, 100_000] {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let notify = Arc::new(Notify::new());
        runtime.block_on(async {
            for _ in 0..tasks {
                oxprof::spawn(task(Arc::clone(&notify)));
            }
        });
        std::thread::sleep(Duration::from_millis(200));
        let profile = oxprof::lookup("tasks").expect("a built-in profile");
        let dump = || profile.profile().samples.iter().map(|s| s.values[0] as usize).sum();
        let (first, shown) = milliseconds(dump);
        assert_eq!(shown, tasks);
        let again = (0..10).map(|_| milliseconds(dump).0).fold(f64::INFINITY, f64::min);
        println!("{tasks:6} tasks  first {first:8.2} ms  again {again:8.2} ms");
        runtime.shutdown_background();
        std::thread::sleep(Duration::from_millis(100));
    }
}
