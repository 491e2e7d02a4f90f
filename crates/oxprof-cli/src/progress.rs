//! Signs of life during long work.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::ui::Ui;

/// Work that is done sooner needs no sign.
const PATIENCE: Duration = Duration::from_millis(700);
const INTERVAL: Duration = Duration::from_millis(250);

/// Does `work`, showing `what` and the seconds it has taken where that can be shown.
pub(crate) fn during<T>(ui: &dyn Ui, what: &str, work: impl FnOnce() -> T) -> T {
    if !ui.shows_progress() {
        return work();
    }
    let (done, waiting) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || tell(ui, what, &waiting));
        let result = work();
        drop(done);
        result
    })
}

/// Shows the time until the other end of `waiting` is gone.
fn tell(ui: &dyn Ui, what: &str, waiting: &mpsc::Receiver<()>) {
    let start = Instant::now();
    let mut wait = PATIENCE;
    while waiting.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
        ui.progress(&format!("{what}... {}s", start.elapsed().as_secs()));
        wait = INTERVAL;
    }
    if wait == INTERVAL {
        ui.progress("");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::tests::Recorder;

    #[test]
    fn only_long_work_shows() {
        let ui = Recorder::default();
        assert_eq!(during(&ui, "Counting", || 3), 3);
        assert_eq!(ui.progress_shown(), [""; 0]);
        during(&ui, "Counting", || thread::sleep(PATIENCE + INTERVAL));
        let shown = ui.progress_shown();
        assert_eq!(shown.first().map(String::as_str), Some("Counting... 0s"));
        assert_eq!(shown.last().map(String::as_str), Some(""));
    }
}
