//! pprof for Rust programs.
pub mod cpu;
