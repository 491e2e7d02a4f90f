//! A library that has an oxprof of its own in a program that knows nothing of it.

/// Is profiled a little, by nothing that keeps the library in memory.
#[unsafe(no_mangle)]
pub extern "C" fn wait_a_little() {
    let _sampling = oxprof::contention::Sampling::new().block(1).mutex(1).start();
    let waits = || std::thread::sleep(std::time::Duration::from_millis(1));
    std::thread::spawn(waits).join().expect("nobody panics");
}

/// Checks everything; 0 if all is right.
#[unsafe(no_mangle)]
pub extern "C" fn check_profiles() -> i32 {
    i32::from(!links::run_all("plugin").is_right)
}
