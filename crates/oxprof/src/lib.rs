//! pprof for Rust programs.
