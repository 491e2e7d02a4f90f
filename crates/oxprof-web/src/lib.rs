//! The web page of a profile.
//!
//! ```text
//! Request ──router──▶ Ask ──library──▶ Profile ──view──▶ filtered, named ──api──▶ values ──▶ Reply
//! ```
//!
//! [`App`] answers requests and knows nothing of sockets; [`Server`] puts it on an address of this machine. The page
//! that the browser gets (`assets/`) holds no profile: it asks for what is to be seen, at the size at which it is
//! seen. One decoded profile is shared by all requests; what filters make of it is kept for as long as it is looked at
//! (`view`), so that zooming and searching only walk over samples.
//!
//! An execution trace has a page of its own ([`App::with_trace`]), beside which profiles of its waits are looked at.
//!
//! [`live`] puts the page into a running program, next to the endpoints that its profiles come from.
//!
//! Files, binaries and clocks are the caller's: they come through [`World`]. Files that a profile names are opened only if
//! its user gave it ([`Giver`]).
#![forbid(unsafe_code)]

mod api;
mod app;
mod assets;
mod library;
mod live;
mod reply;
mod request;
mod router;
mod server;
mod settings;
mod trace;
mod view;
mod world;

pub use app::{App, Setup};
pub use live::live;
pub use server::{Server, ServerError};
pub use settings::SettingsFile;
pub use trace::{TraceSetup, TraceSource};
pub use world::{Giver, Loaded, World};
