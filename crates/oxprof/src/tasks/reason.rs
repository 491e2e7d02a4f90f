//! What a task waits for, by the functions of its stack.

/// What a future waits for whose innermost functions these are, in Go's words; `None` if no library that is known
/// says so.
///
/// Only functions of libraries count, up to the first of the program: it may be called anything.
pub(crate) fn reason<'n>(functions: impl Iterator<Item = &'n str>) -> Option<&'static str> {
    const REASONS: [(&str, &str); 15] = [
        ("::mutex::Mutex<", "sync.Mutex.Lock"),
        ("::rwlock::RwLock<", "sync.RWMutex.Lock"),
        ("::mpsc::", "chan receive"),
        ("::oneshot::", "chan receive"),
        ("::broadcast::", "chan receive"),
        ("::watch::", "chan receive"),
        ("async_channel::", "chan receive"),
        ("::notify::", "sync.Cond.Wait"),
        ("::barrier::", "sync.WaitGroup.Wait"),
        ("::task::join::", "sync.WaitGroup.Wait"),
        ("::time::", "sleep"),
        ("::net::", "IO wait"),
        ("::io::", "IO wait"),
        ("::batch_semaphore::", "semacquire"),
        ("::semaphore::", "semacquire"),
    ];
    const LIBRARIES: [&str; 8] = [
        "oxprof::",
        "tokio::",
        "futures",
        "async_",
        "event_listener::",
        "core::",
        "std::",
        "alloc::",
    ];
    let is_library = |name: &&str| {
        let name = name.trim_start_matches(['<', '&']);
        LIBRARIES.iter().any(|library| name.starts_with(library))
    };
    let functions: Vec<&str> = functions.take_while(is_library).collect();
    let is_in = |part: &str| functions.iter().any(|name| name.contains(part));
    REASONS.iter().find(|(part, _)| is_in(part)).map(|(_, reason)| *reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(functions: &[&str], expected: Option<&str>) {
        assert_eq!(reason(functions.iter().copied()), expected, "{functions:?}");
    }

    #[test]
    fn reasons() {
        let acquire =
            "<tokio::sync::batch_semaphore::Acquire as core::future::future::Future>::poll";
        let lock = "tokio::sync::mutex::Mutex<T>::lock::{{closure}}";
        let send = "tokio::sync::mpsc::bounded::Sender<T>::reserve_inner::{{closure}}";
        check(&[acquire, lock, "app::handler"], Some("sync.Mutex.Lock"));
        check(&[acquire, send, "app::handler"], Some("chan receive"));
        check(&[acquire, "app::net::io::handler"], Some("semacquire"));
        check(
            &["<tokio::time::sleep::Sleep as core::future::future::Future>::poll"],
            Some("sleep"),
        );
        check(&["app::time::sleep", acquire], None);
    }
}
