//! How long tokio's own dump of tasks takes, without naming anything. Of a hundred tasks at most: of a thousand it did
//! not end in nine minutes (tokio 1.54.1, two workers).

#[cfg(not(all(feature = "taskdump", tokio_unstable)))]
fn main() {
    println!("skipped: tokio's dump needs --cfg tokio_unstable and the feature taskdump");
}

#[cfg(all(feature = "taskdump", tokio_unstable))]
fn main() {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use tokio::sync::Notify;

    async fn leaf(notify: Arc<Notify>) {
        notify.notified().await;
    }

    async fn task(notify: Arc<Notify>) {
        leaf(notify).await;
    }

    for tasks in [10, 100] {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let notify = Arc::new(Notify::new());
        for _ in 0..tasks {
            runtime.spawn(task(Arc::clone(&notify)));
        }
        std::thread::sleep(Duration::from_millis(200));
        let dump = || {
            let begun = Instant::now();
            let dump = runtime.block_on(runtime.handle().dump());
            (begun.elapsed().as_secs_f64() * 1e3, dump.tasks().iter().count())
        };
        let (first, shown) = dump();
        assert!(shown >= tasks);
        let again = (0..5).map(|_| dump().0).fold(f64::INFINITY, f64::min);
        println!("{tasks:6} tasks  first {first:8.2} ms  again {again:8.2} ms  (tokio's dump)");
        runtime.shutdown_background();
    }
}
