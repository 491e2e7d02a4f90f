//! The command, run as a process.

mod differential;
mod fetch;
mod messages;
#[cfg(unix)]
mod shell;
mod support;
mod tls;
