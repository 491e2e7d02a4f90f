//! The routes on a server of their own: one thread with its own small runtime, apart from the program's.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use http::{HeaderMap, Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};

use super::{Endpoints, reply};

/// Connections served at a time; further ones wait to be accepted.
const MAX_CONNECTIONS: usize = 64;

/// How long a client may take to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves `/debug/pprof/` if the environment says so.
///
/// | variable | meaning |
/// |---|---|
/// | `PPROF_ADDR` | `host:port` to listen on; an empty host is `127.0.0.1` |
/// | `PPROF_PORT` | port on `127.0.0.1`; used when `PPROF_ADDR` is not set |
/// | `ADMIN_KEY` | token that requests must present as `Authorization: Bearer …` |
///
/// With neither of the first two set, or both empty, nothing is started and `None` is returned. The
/// server ends when the returned value is dropped, so keep it for as long as the program runs:
///
/// ```
/// let _pprof = oxprof::serve_from_env()?;
/// # Ok::<(), oxprof::http::ServeError>(())
/// ```
///
/// # Errors
/// When a variable cannot be understood, the address is not local and there is no `ADMIN_KEY`, or the
/// address cannot be listened on.
pub fn serve_from_env() -> Result<Option<Server>, ServeError> {
    match ServerBuilder::from_vars(std::env::var_os)? {
        Some(builder) => builder.start().map(Some),
        None => Ok(None),
    }
}

/// A running server of the `/debug/pprof/` routes. Dropping it closes all connections, cancels the
/// captures they wait for, and frees the port.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What to listen on, and who may ask.
#[derive(Clone, Debug)]
#[must_use]
pub struct ServerBuilder {
    address: String,
    token: Option<String>,
}

/// Why the server could not be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// A variable of the environment is not Unicode.
    NotUnicode {
        /// The variable.
        variable: &'static str,
    },
    /// `PPROF_PORT` is not a port.
    BadPort {
        /// Its value.
        value: String,
    },
    /// The address is not `host:port`, or its host is unknown.
    BadAddress {
        /// The address.
        value: String,
        /// What is wrong with it.
        reason: io::Error,
    },
    /// The address can be reached from other machines and no token protects it.
    NotLocal {
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        reason: io::Error,
    },
    /// The server's thread or runtime could not be created.
    Thread(io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUnicode { variable } => {
                write!(f, "the environment variable {variable} is not valid Unicode")
            }
            Self::BadPort { value } => {
                write!(f, "PPROF_PORT is {value:?}, but must be a port number from 0 to 65535")
            }
            Self::BadAddress { value, reason } => write!(
                f,
                "cannot serve profiles on {value:?}: {reason}; give host:port, such as localhost:6060"
            ),
            Self::NotLocal { address } => write!(
                f,
                "refusing to serve profiles on {address}: other machines could read them; set \
                 ADMIN_KEY to a secret that requests must present, or listen on localhost and reach \
                 it through an SSH tunnel"
            ),
            Self::Listen { address, reason } => write!(
                f,
                "cannot serve profiles on {address}: {reason}; choose another port with PPROF_ADDR \
                 or PPROF_PORT (0 picks a free one)"
            ),
            Self::Thread(reason) => {
                write!(f, "cannot start the thread that serves profiles: {reason}")
            }
        }
    }
}

impl std::error::Error for ServeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::BadAddress { reason, .. }
            | Self::Listen { reason, .. }
            | Self::Thread(reason) => Some(reason),
            Self::NotUnicode { .. } | Self::BadPort { .. } | Self::NotLocal { .. } => None,
        }
    }
}

impl Server {
    /// A server on `127.0.0.1:6060` without a token.
    pub fn builder() -> ServerBuilder {
        ServerBuilder { address: "127.0.0.1:6060".to_owned(), token: None }
    }

    /// The address it listens on; the port that was picked where port 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A send fails only when the thread has already ended.
        let _ = self.stop.take().map(|stop| stop.send(()));
        if let Some(thread) = self.thread.take() {
            // It ends with an error only if it panicked, which has been reported by then.
            let _ = thread.join();
        }
    }
}

impl ServerBuilder {
    /// Listens on `host:port`; an empty host is `127.0.0.1`, port 0 any free port.
    pub fn address(self, address: impl Into<String>) -> Self {
        Self { address: address.into(), ..self }
    }

    /// Answers only requests with the header `Authorization: Bearer <secret>`.
    pub fn token(self, secret: impl Into<String>) -> Self {
        Self { token: Some(secret.into()), ..self }
    }

    /// The configuration that environment variables describe; `None` when they do not ask for a server.
    fn from_vars(
        var: impl Fn(&'static str) -> Option<std::ffi::OsString>,
    ) -> Result<Option<Self>, ServeError> {
        let text = |variable| match var(variable).map(std::ffi::OsString::into_string) {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(value).filter(|v| !v.is_empty())),
            Some(Err(_)) => Err(ServeError::NotUnicode { variable }),
        };
        let address = match (text("PPROF_ADDR")?, text("PPROF_PORT")?) {
            (Some(address), _) => address,
            (None, Some(port)) => match port.parse::<u16>() {
                Ok(port) => format!("127.0.0.1:{port}"),
                Err(_) => return Err(ServeError::BadPort { value: port }),
            },
            (None, None) => return Ok(None),
        };
        Ok(Some(Self { address, token: text("ADMIN_KEY")? }))
    }

    /// Starts the server on a thread of its own.
    ///
    /// # Errors
    /// When the address is malformed, not local without a token, or cannot be listened on.
    pub fn start(self) -> Result<Server, ServeError> {
        let address = resolve(&self.address)?;
        if self.token.is_none() && !address.ip().is_loopback() {
            return Err(ServeError::NotLocal { address });
        }
        let listener =
            TcpListener::bind(address).map_err(|reason| ServeError::Listen { address, reason })?;
        let (stop, stopped) = oneshot::channel();
        let endpoints = match &self.token {
            Some(secret) => Endpoints::new().with_token(secret),
            None => Endpoints::new(),
        };
        let policy = Policy { endpoints, check_host: self.token.is_none() };
        let address = listener.local_addr().map_err(ServeError::Thread)?;
        listener.set_nonblocking(true).map_err(ServeError::Thread)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(ServeError::Thread)?;
        let thread = std::thread::Builder::new()
            .name("oxprof-http".to_owned())
            .spawn(move || {
                super::named::keep_out_of_profiles();
                runtime.spawn(serve(listener, policy));
                // Whether told to stop or left behind by its owner, the server ends here: dropping
                // the runtime drops every connection and the capture it may be waiting for.
                let _ = runtime.block_on(stopped);
            })
            .map_err(ServeError::Thread)?;
        Ok(Server { address, stop: Some(stop), thread: Some(thread) })
    }
}

/// The address to listen on, IPv4 first where a name has both.
fn resolve(address: &str) -> Result<SocketAddr, ServeError> {
    let bad = |reason| ServeError::BadAddress { value: address.to_owned(), reason };
    if let Some(port) = address.strip_prefix(':') {
        let port = port.parse().map_err(|_| bad(io::Error::other("the port is not a number")))?;
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    let mut candidates: Vec<_> = address.to_socket_addrs().map_err(bad)?.collect();
    candidates.sort_by_key(SocketAddr::is_ipv6);
    candidates.first().copied().ok_or_else(|| bad(io::Error::other("the host has no address")))
}

#[derive(Clone)]
struct Policy {
    endpoints: Endpoints,
    /// Whether the `Host` header must name this machine: without a token, nothing else keeps a web
    /// page in a browser here from reading profiles through a DNS name that it points to 127.0.0.1.
    check_host: bool,
}

/// Accepts connections for ever.
async fn serve(listener: TcpListener, policy: Policy) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, most likely: wait for some to be closed.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let policy = policy.clone();
        tokio::spawn(async move {
            serve_connection(stream, policy).await;
            drop(slot);
        });
    }
}

async fn serve_connection(stream: TcpStream, policy: Policy) {
    let service = service_fn(move |request: Request<Incoming>| {
        let policy = policy.clone();
        async move {
            Ok::<_, Infallible>(if policy.check_host && !names_this_machine(request.headers()) {
                reply::error(
                    StatusCode::FORBIDDEN,
                    "the Host header does not name this machine - use localhost or its IP address, or set a token",
                )
            } else {
                policy.endpoints.handle(request).await
            })
        }
    });
    // Errors here are the client's: it went away or did not speak HTTP.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// Whether the `Host` header is `localhost` or a loopback address, with any port. HTTP/1.0 clients
/// send none; browsers always do.
fn names_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(http::header::HOST) else { return true };
    let Ok(host) = host.to_str() else { return false };
    let authority = host.parse::<http::uri::Authority>();
    let Some(name) = authority.as_ref().ok().map(http::uri::Authority::host) else { return false };
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_vars(vars: &[(&str, &str)], expected: Result<Option<(&str, Option<&str>)>, &str>) {
        let found = ServerBuilder::from_vars(|name| {
            vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).into())
        });
        match (found, expected) {
            (Ok(builder), Ok(expected)) => {
                let got = builder.as_ref().map(|b| (b.address.as_str(), b.token.as_deref()));
                assert_eq!(got, expected, "{vars:?}");
            }
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (got, expected) => panic!("{vars:?}: got {got:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn environment() {
        check_vars(&[], Ok(None));
        check_vars(&[("PPROF_ADDR", ""), ("PPROF_PORT", "")], Ok(None));
        check_vars(&[("ADMIN_KEY", "k")], Ok(None));
        check_vars(&[("PPROF_PORT", "6060")], Ok(Some(("127.0.0.1:6060", None))));
        check_vars(
            &[("PPROF_ADDR", "h:1"), ("PPROF_PORT", "2"), ("ADMIN_KEY", "k")],
            Ok(Some(("h:1", Some("k")))),
        );
        check_vars(&[("PPROF_PORT", "x")], Err("PPROF_PORT is \"x\""));
        check_vars(&[("PPROF_PORT", "65536")], Err("from 0 to 65535"));
    }

    fn check_start(builder: ServerBuilder, expected: Result<(), &str>) {
        match (builder.clone().start(), expected) {
            (Ok(server), Ok(())) => assert!(server.local_addr().ip().is_loopback()),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (got, expected) => panic!("{builder:?}: got {got:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn listens_on_local_addresses_only_without_a_token() {
        check_start(Server::builder().address("127.0.0.1:0"), Ok(()));
        check_start(Server::builder().address("localhost:0"), Ok(()));
        check_start(Server::builder().address(":0"), Ok(()));
        check_start(Server::builder().address("0.0.0.0:0"), Err("set ADMIN_KEY"));
        check_start(Server::builder().address("[::]:0"), Err("set ADMIN_KEY"));
        check_start(Server::builder().address("6060"), Err("host:port"));
        check_start(Server::builder().address(":x"), Err("port is not a number"));
        check_start(Server::builder().address("localhost:99999"), Err("host:port"));
    }

    #[test]
    fn a_port_in_use_is_reported() {
        let first = Server::builder().address("127.0.0.1:0").start().unwrap();
        let address = first.local_addr().to_string();
        check_start(Server::builder().address(address.clone()), Err("choose another port"));
        drop(first);
        check_start(Server::builder().address(address), Ok(()));
    }

    fn check_host(host: Option<&'static str>, expected: bool) {
        let mut headers = HeaderMap::new();
        if let Some(host) = host {
            headers.insert(http::header::HOST, http::HeaderValue::from_static(host));
        }
        assert_eq!(names_this_machine(&headers), expected, "{host:?}");
    }

    #[test]
    fn host_header() {
        for local in ["localhost", "LOCALHOST:6060", "127.0.0.1:6060", "127.1.2.3", "[::1]:6060"] {
            check_host(Some(local), true);
        }
        for foreign in ["evil.example", "localhost.evil.example", "10.0.0.1:6060", "", "[::2]"] {
            check_host(Some(foreign), false);
        }
        check_host(None, true);
    }
}
