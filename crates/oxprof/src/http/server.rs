//! The routes on a server of their own: one thread with its own small runtime, apart from the program's.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper_util::server::graceful::GracefulShutdown;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::connection::{self, Busy, Policy};
use super::endpoints::Endpoints;
use super::error::ServeError;
use super::listen::{Accept, Address, Listener};
use crate::cost::OurThread;
use crate::log;

/// A running server of the `/debug/pprof/` routes. Dropping it closes all connections, cancels the
/// captures they wait for, and frees the port.
#[derive(Debug)]
pub struct Server {
    address: Address,
    endpoints: Endpoints,
    is_encrypted: bool,
    /// Whether it was fit to start without a token.
    needs_token: bool,
    /// Takes how long to wait for requests that are being answered.
    stop: Option<oneshot::Sender<Duration>>,
    thread: Option<JoinHandle<()>>,
}

/// What to listen on, and who may ask.
#[derive(Clone, Debug)]
#[must_use]
pub struct ServerBuilder {
    address: String,
    token: Option<String>,
    endpoints: Option<Endpoints>,
    #[cfg(feature = "tls")]
    tls: Option<super::tls::Tls>,
}

impl Server {
    /// A server on `127.0.0.1:6060` without a token.
    pub fn builder() -> ServerBuilder {
        ServerBuilder {
            address: "127.0.0.1:6060".to_owned(),
            token: None,
            endpoints: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// The address it listens on; the port that was picked where port 0 was asked for. Of a server on a Unix socket,
    /// `0.0.0.0:0`.
    pub fn local_addr(&self) -> SocketAddr {
        match self.address {
            Address::Tcp(address) => address,
            Address::Unix(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        }
    }

    /// Where the index page is: `http://127.0.0.1:6060/debug/pprof/`, or `unix:/path/to/socket` with its path after
    /// another colon.
    pub fn url(&self) -> String {
        let path = self.endpoints.prefix();
        match &self.address {
            Address::Tcp(address) if self.is_encrypted => format!("https://{address}{path}/"),
            Address::Tcp(address) => format!("http://{address}{path}/"),
            Address::Unix(_) => format!("{}:{path}/", self.address),
        }
    }

    /// What it serves, for instance to be mounted elsewhere, too.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Stops to accept connections, waits up to `grace` for requests that are being answered, and ends.
    pub fn shutdown(mut self, grace: Duration) {
        self.end(grace);
    }

    /// Whether it may be left without a token.
    pub(crate) fn needs_token(&self) -> bool {
        self.needs_token
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    /// Whether this address, as one would give it to start a server, is the one it listens on.
    pub(crate) fn listens_on(&self, address: &str) -> bool {
        match (Address::parse(address), &self.address) {
            (Ok(Address::Tcp(a)), Address::Tcp(b)) => {
                a.ip() == b.ip() && (a.port() == 0 || a.port() == b.port())
            }
            (Ok(Address::Unix(a)), Address::Unix(b)) => a == *b,
            _ => false,
        }
    }

    fn end(&mut self, grace: Duration) {
        // A send fails only when the thread has already ended.
        let _ = self.stop.take().map(|stop| stop.send(grace));
        if let Some(thread) = self.thread.take() {
            // It ends with an error only if it panicked, which has been reported by then.
            let _ = thread.join();
            if let Address::Unix(path) = &self.address {
                // Somebody may have removed it already.
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

impl ServerBuilder {
    /// Listens on `host:port`; an empty host is `127.0.0.1`, port 0 any free port. Or on a Unix socket,
    /// `unix:/path/to/socket`, which only this user can use.
    pub fn address(self, address: impl Into<String>) -> Self {
        Self { address: address.into(), ..self }
    }

    /// Answers only requests with the header `Authorization: Bearer <secret>`.
    pub fn token(self, secret: impl Into<String>) -> Self {
        Self { token: Some(secret.into()), ..self }
    }

    /// Serves these, with their prefix, limits and pages.
    pub fn endpoints(self, endpoints: Endpoints) -> Self {
        Self { endpoints: Some(endpoints), ..self }
    }

    /// Speaks TLS.
    #[cfg(feature = "tls")]
    pub fn tls(self, tls: super::tls::Tls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// Starts the server on a thread of its own.
    ///
    /// # Errors
    /// When the address is malformed, not local without a token or client certificates, or cannot be listened on.
    pub fn start(self) -> Result<Server, ServeError> {
        let address = Address::parse(&self.address)?;
        let endpoints = self.endpoints.unwrap_or_default();
        let endpoints = match &self.token {
            Some(secret) => endpoints.with_token(secret),
            None => endpoints,
        };
        #[cfg(feature = "tls")]
        let (is_encrypted, checks_clients) =
            (self.tls.is_some(), self.tls.as_ref().is_some_and(|tls| tls.checks_clients));
        #[cfg(not(feature = "tls"))]
        let (is_encrypted, checks_clients) = (false, false);
        let needs_token = !address.is_local() && !checks_clients;
        check_token(&address, needs_token, &endpoints)?;
        if !address.is_local() && !is_encrypted {
            log::warn(format_args!(
                "profiles and the token go unencrypted to and from {address}: use TLS, or localhost and an SSH tunnel"
            ));
        }
        let (listener, address) = address.listen()?;
        let policy = Policy {
            endpoints: endpoints.clone(),
            is_tcp: matches!(address, Address::Tcp(_)),
            #[cfg(feature = "tls")]
            tls: self.tls,
        };
        let (stop, thread) = spawn(listener, policy).map_err(ServeError::Thread)?;
        let (stop, thread) = (Some(stop), Some(thread));
        Ok(Server { address, endpoints, is_encrypted, needs_token, stop, thread })
    }
}

fn check_token(
    address: &Address,
    needs_token: bool,
    endpoints: &Endpoints,
) -> Result<(), ServeError> {
    match address {
        Address::Tcp(address) if needs_token && !endpoints.has_token() => {
            Err(ServeError::NotLocal { address: *address })
        }
        _ => Ok(()),
    }
}

/// Starts the thread.
fn spawn(
    listener: Listener,
    policy: Policy,
) -> io::Result<(oneshot::Sender<Duration>, JoinHandle<()>)> {
    let (stop, stopped) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let thread = std::thread::Builder::new().name("oxprof-http".to_owned()).spawn(move || {
        let _ours = OurThread::enter();
        runtime.block_on(async move {
            let connections = Arc::new(GracefulShutdown::new());
            let accepting = tokio::spawn(accept(listener, policy, Arc::clone(&connections)));
            // Whether told to stop or left behind by its owner, the server ends here: dropping
            // the runtime drops every connection and the capture it may be waiting for.
            let grace = stopped.await.unwrap_or_default();
            accepting.abort();
            // Waiting for it drops the listener, and leaves us the only one to know the connections.
            let _ = accepting.await;
            if let Some(connections) = Arc::into_inner(connections) {
                let _ = timeout(grace, connections.shutdown()).await;
            }
        });
    })?;
    Ok((stop, thread))
}

/// Accepts connections for ever.
async fn accept(listener: Listener, policy: Policy, watched: Arc<GracefulShutdown>) {
    let Ok(listener) = Accept::new(listener) else { return };
    let mut connections = Connections::default();
    loop {
        let Ok((stream, peer)) = listener.next().await else {
            // Out of descriptors, most likely: wait for some to be closed.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        if connections.make_room(policy.endpoints.settings().limits.connections) {
            // Somebody opens connections without end. Let him not have a whole processor.
            sleep(Duration::from_millis(1)).await;
        }
        let busy = Busy::default();
        let watcher = watched.watcher();
        let task = connection::serve(stream, peer, policy.clone(), busy.clone(), watcher);
        connections.open.push_back((tokio::spawn(task).abort_handle(), busy));
    }
}

/// Connections that are open, oldest first.
#[derive(Default)]
struct Connections {
    open: VecDeque<(AbortHandle, Busy)>,
}

impl Connections {
    /// Closes the oldest connection without a request if there are too many. Returns whether there were.
    fn make_room(&mut self, most: usize) -> bool {
        self.open.retain(|(task, _)| !task.is_finished());
        if self.open.len() < most.max(1) {
            return false;
        }
        let idle = self.open.iter().position(|(_, busy)| !busy.is_busy()).unwrap_or(0);
        if let Some((task, _)) = self.open.remove(idle) {
            task.abort();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        check_start(Server::builder().address("unix:/nowhere/at/all"), Err("/nowhere/at/all"));
    }

    #[test]
    fn a_port_in_use_is_reported() {
        let first = Server::builder().address("127.0.0.1:0").start().unwrap();
        let address = first.local_addr().to_string();
        check_start(Server::builder().address(address.clone()), Err("choose another port"));
        drop(first);
        check_start(Server::builder().address(address), Ok(()));
    }
}
