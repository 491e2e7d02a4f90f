//! The page on an address of this machine: one thread, with a thread more for every request that is worked on.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::app::Refusal;
use crate::reply::Reply;
use crate::request::Ask;
use crate::{App, Giver, router};

/// Connections served at a time, and those that were left while work for them goes on; further ones wait to be accepted.
const MAX_CONNECTIONS: usize = 64;
/// How long a client may take to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest profile that a page may be given, and the most that all may take together which are received and read.
const MAX_BODY: usize = 1 << 30;
/// How long a client may take to send a request's body.
const BODY_TIMEOUT: Duration = Duration::from_secs(300);
/// How long it may pause.
const PAUSE: Duration = Duration::from_secs(10);
/// Where the page lives.
const DIRECTORY: &str = "/ui";

/// A page that is listened for, but not served yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    local: SocketAddr,
    /// The host as it was asked for, for links.
    host: String,
}

/// Why the page cannot be served.
#[derive(Debug)]
pub enum ServerError {
    /// The address is not `[host]:[port]`.
    Address {
        /// The address.
        given: String,
    },
    /// It cannot be listened on.
    Listen {
        /// The address.
        given: String,
        /// Why.
        reason: io::Error,
    },
    /// The server cannot run.
    Run(io::Error),
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { given } => {
                write!(f, "could not split HTTP address {given:?}: write [host]:[port]")
            }
            Self::Listen { given, reason } => write!(f, "listen {given}: {reason}"),
            Self::Run(reason) => write!(f, "cannot serve the web page: {reason}"),
        }
    }
}

impl std::error::Error for ServerError {}

impl Server {
    /// Listens on `[host]:[port]`: without a host on this machine only, without a port on any that is free.
    ///
    /// # Errors
    /// When the address is none, or cannot be listened on.
    pub fn listen(address: &str) -> Result<Self, ServerError> {
        let wrong = || ServerError::Address { given: address.to_owned() };
        let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
        let port: u16 = if port.is_empty() { 0 } else { port.parse().map_err(|_| wrong())? };
        let host = if host.is_empty() { "localhost" } else { host };
        let failed = |reason| ServerError::Listen { given: address.to_owned(), reason };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let mut candidates: Vec<_> = (bare, port).to_socket_addrs().map_err(failed)?.collect();
        candidates.sort_by_key(SocketAddr::is_ipv6);
        let listener = TcpListener::bind(&*candidates).map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, local, host: host.to_owned() })
    }

    /// The address of the page.
    pub fn url(&self) -> String {
        format!("http://{}:{}", self.host, self.local.port())
    }

    /// The address that is listened on.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Whether nobody but this machine is answered.
    pub fn is_private(&self) -> bool {
        self.local.ip().is_loopback()
    }

    /// Serves the page for ever.
    ///
    /// Who reaches a page that is not private is a [`Giver::Visitor`].
    ///
    /// # Errors
    /// When the system has no means to.
    pub fn run(self, app: App) -> Result<(), ServerError> {
        self.listener.set_nonblocking(true).map_err(ServerError::Run)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(ServerError::Run)?.block_on(self.accept(app)).map_err(ServerError::Run)
    }

    async fn accept(self, app: App) -> io::Result<()> {
        let private = self.is_private();
        let names = Arc::new(Names { asked: self.host, local: self.local.ip() });
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let room = Arc::new(Semaphore::new(MAX_BODY));
        loop {
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return Ok(()) };
            let Ok((stream, peer)) = listener.accept().await else {
                // Out of descriptors, most likely: wait for some to be closed.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            // Some machines pass on to loopback what comes from elsewhere.
            if private && !peer.ip().is_loopback() {
                continue;
            }
            let giver = if private { Giver::User } else { Giver::Visitor };
            let (app, names, room) = (app.clone(), Arc::clone(&names), Arc::clone(&room));
            let door = Door { app, names, giver, slot: Arc::new(slot), room };
            tokio::spawn(door.serve(stream));
        }
    }
}

/// Who comes in.
#[derive(Clone)]
struct Door {
    app: App,
    names: Arc<Names>,
    giver: Giver,
    /// The connection's place.
    slot: Arc<OwnedSemaphorePermit>,
    /// Bytes that bodies may still take.
    room: Arc<Semaphore>,
}

impl Door {
    async fn serve(self, stream: TcpStream) {
        let service = service_fn(move |request: Request<Incoming>| {
            let door = self.clone();
            async move { Ok::<_, Infallible>(door.answer(request).await) }
        });
        // Errors here are the client's: it went away or did not speak HTTP.
        let _ = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }

    async fn answer(self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if !self.names.are_meant_by(request.headers()) {
            return Reply::error(StatusCode::FORBIDDEN, "permission denied").into_response(false);
        }
        let path = request.uri().path();
        let Some(rest) = path.strip_prefix(DIRECTORY).and_then(|rest| rest.strip_prefix('/'))
        else {
            return enter(request.uri()).into_response(false);
        };
        let path = rest.to_owned();
        let (head, body) = request.into_parts();
        match self.receive(path, head, body).await {
            Ok((ask, room)) => answer(self.app, ask, (self.slot, room)).await,
            Err(reply) => reply.into_response(false),
        }
    }

    /// A request, with its body if it is one that needs it, and the room that this takes.
    async fn receive(
        &self,
        path: String,
        head: Parts,
        body: Incoming,
    ) -> Result<(Ask, Option<OwnedSemaphorePermit>), Reply> {
        let mut ask = router::admit(path, head, self.giver)?;
        let mut room = None;
        if ask.takes_body() {
            (ask.body, room) = receive(body, &self.room).await?;
        }
        Ok((ask, room))
    }
}

/// Sends those who come without the directory to the page, and old links to where they lead now.
fn enter(uri: &http::Uri) -> Reply {
    let path = uri.path().trim_start_matches('/');
    let page = if router::was_at_the_root(path) { path } else { "" };
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    Reply::redirect(StatusCode::TEMPORARY_REDIRECT, &format!("{DIRECTORY}/{page}{query}"))
}

/// A body, as far as there is room for it, and that room.
async fn receive<B>(
    body: B,
    room: &Arc<Semaphore>,
) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Reply>
where
    B: http_body::Body<Data = Bytes, Error: fmt::Display>,
{
    let failed = |e: &dyn fmt::Display| {
        Reply::error(StatusCode::BAD_REQUEST, &format!("reading request: {e}"))
    };
    let late = |_| Reply::error(StatusCode::REQUEST_TIMEOUT, "the request came too slowly");
    let (mut body, mut bytes, mut taken) = (pin!(body), Vec::new(), None);
    let end = Instant::now() + BODY_TIMEOUT;
    loop {
        let patience = end.min(Instant::now() + PAUSE);
        let frame = timeout_at(patience, body.frame()).await.map_err(late)?;
        let Some(frame) = frame else { return Ok((bytes.into(), taken)) };
        let Ok(piece) = frame.map_err(|e| failed(&e))?.into_data() else { continue };
        let more = take(room, piece.len()).ok_or_else(full)?;
        match &mut taken {
            None => taken = Some(more),
            Some(taken) => taken.merge(more),
        }
        bytes.extend_from_slice(&piece);
    }
}

fn take(room: &Arc<Semaphore>, bytes: usize) -> Option<OwnedSemaphorePermit> {
    Arc::clone(room).try_acquire_many_owned(bytes.try_into().ok()?).ok()
}

fn full() -> Reply {
    let message = "there is no room for this profile: 1 GiB is for all that are sent at a time";
    Reply::error(StatusCode::PAYLOAD_TOO_LARGE, message)
}

/// Works on a request in a thread of its own.
pub(crate) async fn answer(app: App, ask: Ask, slot: impl Send + 'static) -> Response<Full<Bytes>> {
    let answered = aside(slot, move || app.answer(&ask)).await;
    answered.unwrap_or_else(|refusal| Reply::from(refusal).into_response(false))
}

/// Works in a thread of its own: the server stays responsive, whatever runtime it is on. The work goes on when the client
/// goes away, and so it is what keeps `slot`, the request's place among those that are worked on.
pub(crate) async fn aside<T: Send + 'static>(
    slot: impl Send + 'static,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    let (done, result) = oneshot::channel();
    let work = move || {
        let made = work();
        drop(slot);
        // Nobody is there to be told if the client went away meanwhile.
        drop(done.send(made));
    };
    let message = "the page failed; see the server's messages";
    let failed = || Refusal(StatusCode::INTERNAL_SERVER_ERROR, message.to_owned());
    let thread = std::thread::Builder::new().name("oxprof-web".to_owned()).spawn(work);
    thread.map_err(|_| failed())?;
    result.await.map_err(|_| failed())
}

/// By which names the page is reached. Nothing else keeps a page of another site from reading profiles through a name of
/// its own that it points here.
#[derive(Debug)]
struct Names {
    /// The one that was asked for.
    asked: String,
    local: IpAddr,
}

impl Names {
    /// Whether the `Host` header is one of them, with any port. Where all addresses of the machine are listened on, it may have
    /// any name. HTTP/1.0 clients send none; browsers always do.
    fn are_meant_by(&self, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(HOST).iter();
        match (hosts.next(), hosts.next()) {
            _ if self.local.is_unspecified() => true,
            (None, _) => true,
            (Some(host), None) => {
                let host = host.to_str().ok().and_then(|h| h.parse::<Authority>().ok());
                host.is_some_and(|host| self.have(host.host()))
            }
            _ => false,
        }
    }

    fn have(&self, name: &str) -> bool {
        let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        name.eq_ignore_ascii_case("localhost")
            || name.eq_ignore_ascii_case(&self.asked)
            || address.is_ok_and(|ip| ip.is_loopback() || ip == self.local)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::Weak;
    use std::task::{Context, Poll};

    use http::HeaderValue;
    use http_body::Frame;
    use oxprof_profile::Builder;
    use oxprof_report::options::Options;

    use super::*;
    use crate::live::Program;
    use crate::{Loaded, SettingsFile, Setup};

    fn app() -> App {
        App::new(Setup {
            name: "late".to_owned(),
            options: Options::default(),
            settings: SettingsFile::none(),
            world: Arc::new(Program),
        })
    }

    fn block_on<F: Future>(future: F) -> F::Output {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(future)
    }

    #[test]
    fn work_keeps_its_place_when_the_client_has_left() {
        let (app, slot) = (app(), Arc::new(()));
        let place: Weak<()> = Arc::downgrade(&slot);
        block_on(async {
            let head = Request::new(()).into_parts().0;
            let ask = router::admit("api/top".to_owned(), head, Giver::User).unwrap();
            let answer = answer(app.clone(), ask, slot);
            // There is no answer before there is a profile. Who is tired of waiting leaves.
            assert!(tokio::time::timeout(Duration::from_millis(20), answer).await.is_err());
        });
        assert!(place.upgrade().is_some());
        let profile = Builder::new(&[("samples", "count")]).finish();
        app.show(Loaded { profile, remarks: Vec::new() });
        let begun = Instant::now();
        while place.upgrade().is_some() {
            assert!(begun.elapsed() < Duration::from_secs(60));
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A body that has so many pieces of 100 bytes, and never ends.
    struct Endless(usize);

    impl http_body::Body for Endless {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let Some(left) = self.0.checked_sub(1) else { return Poll::Pending };
            self.0 = left;
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[0; 100])))))
        }
    }

    #[test]
    fn bodies_are_bounded_in_time_and_together_in_size() {
        let room = Arc::new(Semaphore::new(1000));
        let refused = |body| {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            // Nobody has to wait: time passes as soon as there is nothing else to do.
            let runtime = runtime.enable_all().start_paused(true).build().unwrap();
            runtime.block_on(receive(body, &room)).unwrap_err().status
        };
        assert_eq!(refused(Endless(1)), StatusCode::REQUEST_TIMEOUT);
        assert_eq!(refused(Endless(11)), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(room.available_permits(), 1000, "what was refused takes no room");
        let others = take(&room, 950);
        assert_eq!(refused(Endless(1)), StatusCode::PAYLOAD_TOO_LARGE);
        drop(others);
        let body = Full::new(Bytes::from_static(b"profile"));
        let (bytes, taken) = block_on(receive(body, &room)).unwrap();
        assert_eq!((&*bytes, room.available_permits()), (&b"profile"[..], 993));
        drop(taken);
        assert_eq!(room.available_permits(), 1000);
    }

    #[test]
    fn pages_of_other_sites_do_not_get_in_by_a_name_of_theirs() {
        #[track_caller]
        fn check((asked, local): (&str, &str), hosts: &[&'static str], expected: bool) {
            let names = Names { asked: asked.to_owned(), local: local.parse().unwrap() };
            let headers = hosts.iter().map(|host| (HOST, HeaderValue::from_static(host))).collect();
            assert_eq!(names.are_meant_by(&headers), expected, "{hosts:?} of {asked}");
        }
        let here = ("localhost", "127.0.0.1");
        for host in ["localhost:8080", "LOCALHOST", "127.0.0.1:1", "[::1]:1"] {
            check(here, &[host], true);
        }
        for host in ["evil.example:8080", "10.0.0.1", "", "localhost.evil.example", "a b"] {
            check(here, &[host], false);
        }
        check(here, &[], true);
        check(here, &["localhost", "evil.example"], false);
        let there = ("build", "10.0.0.1");
        for (host, expected) in [("Build:80", true), ("10.0.0.1:80", true), ("evil.example", false)]
        {
            check(there, &[host], expected);
        }
        check(("0.0.0.0", "0.0.0.0"), &["any.name"], true);
        check(("[::]", "::"), &["any.name"], true);
    }
}
