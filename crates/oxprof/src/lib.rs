//! pprof for Rust programs: what Go has in `runtime/pprof` and `net/http/pprof`.
//!
//! ```
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let _pprof = oxprof::serve_from_env()?; // off unless PPROF_ADDR or PPROF_PORT is set
//!     // … the program …
//!     Ok(())
//! }
//! ```
//!
//! With `PPROF_PORT=6060` in the environment, `oxprof -top http://localhost:6060` or
//! `go tool pprof http://localhost:6060` then take a CPU profile and say where the time goes.
//!
//! * [`cpu`]: CPU profiles, from code.
//! * [`Heap`]: an allocator on top of any other, for [heap profiles](heap).
//! * [`contention`]: where threads wait for each other, and who makes them wait.
//! * [`custom`]: profiles of what a program has open.
//! * [`labels`]: what the program is doing, on the samples of every profile.
//! * [`wall`]: wall-clock profiles: where time passes, on the CPU and off it.
//! * [`tasks`]: async tasks, and what they await.
//! * [`trace`]: execution traces, from code.
//! * [`metrics`], [`stats`]: numbers about the program and its functions, for Prometheus and for people.
//! * [`profiles`], [`lookup`]: the profiles that are always being taken, by name.
//! * [`Config`]: what of this may be seen, by whom, from code, the environment or a file.
//! * [`http`]: the `/debug/pprof/` routes, on a server of their own or mounted into one.
//!
//! Nothing runs until somebody asks for a profile, but for the sampling of a [`Heap`].

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod code;
#[cfg(feature = "http")]
pub mod config;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod contention;
mod cost;
pub mod cpu;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod custom;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod goroutine;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod heap;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod hooks;
#[cfg(feature = "http")]
pub mod http;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod labels;
#[cfg(feature = "http")]
mod log;
pub mod metrics;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod registry;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod stacks;
pub mod stats;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod tasks;
#[cfg(all(feature = "testing", target_os = "linux", target_arch = "x86_64"))]
pub mod testing;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod threads;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod trace;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod wall;

#[cfg(all(feature = "http", any(feature = "json", feature = "yaml")))]
pub use config::serve_from_file;
#[cfg(feature = "http")]
pub use config::{Config, ConfigError, serve_from_env};
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub use heap::Heap;
/// Measures the calls of a function: how many, how long, how many failed, how much they allocated. See [`metrics`].
///
/// Of functions whose return type is called `…Result`, calls fail that return an `Err`. Panics are failures of any.
/// It takes `async fn`s, too, but not `const fn`s. Below `#[async_trait]`, which makes functions that return a future, only making
/// it is measured.
#[cfg(feature = "measure")]
pub use oxprof_macros::measure;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub use registry::{Baseline, Gauges, NamedProfile, lookup, profiles};
#[cfg(all(feature = "tokio", target_os = "linux", target_arch = "x86_64"))]
pub use tasks::spawn;
