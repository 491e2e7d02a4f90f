//! The command, run as a process.

mod differential;
mod fetch;
mod messages;
mod ops;
#[cfg(unix)]
mod shell;
mod support;
mod tls;
