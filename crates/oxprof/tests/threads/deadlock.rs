//! Hints at deadlocks, in the text of each thread.

use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use super::turn;

/// Takes two locks one after the other, when the other thread has its first.
fn takes_both(first: &Mutex<()>, second: &Mutex<()>, both_have_one: &Barrier) {
    let _first = first.lock().unwrap();
    both_have_one.wait();
    drop(second.lock().unwrap());
}

#[test]
fn threads_that_wait_for_each_other() {
    let _turn = turn();
    let locks = Arc::new((Mutex::new(()), Mutex::new(()), Barrier::new(2)));
    let spawn = |name: &str, body: fn(&(Mutex<()>, Mutex<()>, Barrier))| {
        let locks = Arc::clone(&locks);
        // It never ends, and nobody waits for it.
        drop(thread::Builder::new().name(name.to_owned()).spawn(move || body(&locks)).unwrap());
    };
    // From here on, threads say where they wait.
    drop(oxprof::lookup("threads").unwrap().text());
    spawn("stuck-one", |(a, b, barrier)| takes_both(a, b, barrier));
    spawn("stuck-two", |(a, b, barrier)| takes_both(b, a, barrier));
    thread::sleep(Duration::from_millis(500));
    let text = || oxprof::lookup("threads").unwrap().text_of_each();
    assert!(!text().contains("# probable deadlock"), "it has not lasted long enough");
    thread::sleep(Duration::from_millis(2500));
    let text = text();
    let hint = text.split("\n\n").next().unwrap();
    assert!(hint.starts_with("# probable deadlock:\n"), "{text}");
    for (name, other) in [("stuck-one", "stuck-two"), ("stuck-two", "stuck-one")] {
        let line = hint.lines().find(|line| line.contains(&format!("{name:?} waits for")));
        assert!(line.is_some_and(|line| line.ends_with(&format!("{other:?}"))), "{hint}");
    }
    assert_eq!(hint.lines().count(), 3, "{hint}");
}
