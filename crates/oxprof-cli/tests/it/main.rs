//! The command, run as a process.

mod fetch;
mod messages;
mod support;
