//! The same command under the name of the original.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    oxprof_cli::main()
}
