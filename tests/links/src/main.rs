//! A program with everything linked into it.

fn main() -> std::process::ExitCode {
    links::run_all("program").into()
}
