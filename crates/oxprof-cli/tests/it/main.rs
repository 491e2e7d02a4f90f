//! The command, run as a process.

#[cfg(unix)]
mod debuginfod;
mod differential;
mod fetch;
mod messages;
mod ops;
#[cfg(unix)]
mod shell;
mod support;
mod tls;
