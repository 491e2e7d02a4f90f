//! The `oxprof` command.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    oxprof_cli::main()
}
