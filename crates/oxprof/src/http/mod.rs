//! The `/debug/pprof/` routes: as a [`Server`] of their own, or mounted into one that is there.
//!
//! ```text
//! connection ──limits, TLS, Host──▶ Request ──token, method, route──▶ Profile │ Symbol │ … ──▶ Response
//!           Server                                  Endpoints
//! ```
//!
//! [`Endpoints`] answers requests and knows nothing of sockets. It is a [`tower_service::Service`], so
//! hyper, tonic and tower stacks take it as it is; for axum there is `Endpoints::router` (feature
//! `axum`), and `docs/endpoints.md` shows others. [`Server`] runs it on a thread of its own, which stays responsive
//! whatever the program's async runtime does. [`Config`](crate::Config) makes either from files and the environment.
//!
//! Paths, parameters, headers, status codes and messages are those of Go's `net/http/pprof`, so its
//! clients work unchanged. On purpose these differ:
//!
//! * `symbol` takes POST as well as GET: pprof clients send POST.
//! * Several clients may ask for a CPU profile at once; each gets its own. Go answers 500 to all but
//!   the first.
//! * `profile` has a parameter `hz`, and `seconds` may be a fraction.
//! * `seconds` gives the difference of any other profile, too, in which values that go up and down, such as memory in
//!   use, are those at the end; with `delta=all` they are subtracted like the others, as Go does.
//! * `block` and `mutex` with `seconds` sample for that time, also where the program has not turned them on; `rate`
//!   and `fraction` say how finely. `block` shows waits for the world outside with `all=1`, and waits that are not over
//!   with `pending=1`. See [`contention`](crate::contention).
//! * Parameters that are unknown or cannot be read are refused with 400. Go silently takes the default.
//!
//! # Who may ask
//! Nothing is served until the program says so. A server listens on this machine only, unless it has a token or asks for
//! client certificates. Without a token it answers only requests that name this machine in their `Host` header, so
//! that no web page can read profiles through a browser here; no answer permits other origins to read it.
//! [`Limits`] bound what requests cost. The log has a line for each profile that somebody took.

mod aside;
mod audit;
mod body;
mod connection;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod contention;
mod endpoints;
mod error;
mod failures;
mod index;
mod limits;
mod listen;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod named;
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
#[path = "none_named.rs"]
mod named;
mod page;
mod peer;
mod query;
mod reply;
mod routes;
mod server;
mod settings;
mod symbol;
#[cfg(feature = "tls")]
mod tls;
mod token;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod trace;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod wall;

pub use self::endpoints::Endpoints;
pub use self::error::ServeError;
pub use self::limits::Limits;
pub use self::peer::Peer;
pub use self::reply::Body;
pub use self::server::{Server, ServerBuilder};
pub(crate) use self::settings::Settings;
#[cfg(feature = "tls")]
pub use self::tls::{Tls, TlsError};
