//! The `oxprof` command.
fn main() {}
