//! One connection: TLS, HTTP/1.1 or HTTP/2, and no patience with clients that neither send nor receive.

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Frame;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::Watcher;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::endpoints::Endpoints;
use super::listen::Stream;
use super::peer::Peer;
use super::reply::{self, Body};

/// Longest head of a request: some hundred headers, or a few thousand addresses to look up.
const MAX_HEAD: usize = 64 << 10;

/// How connections are treated.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) endpoints: Endpoints,
    /// Whether requests come over TCP, where a browser could send them.
    pub(super) is_tcp: bool,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<super::tls::Tls>,
}

/// How many requests of a connection are being answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Busy(Arc<AtomicUsize>);

impl Busy {
    pub(super) fn is_busy(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    fn enter(&self) -> impl Drop + use<> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Entered(Self(Arc::clone(&self.0)))
    }
}

struct Entered(Busy);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Answers the requests that come over `stream` until either side has enough.
pub(super) async fn serve(
    stream: Box<dyn Stream>,
    peer: Peer,
    policy: Policy,
    busy: Busy,
    watcher: Watcher,
) {
    let limits = policy.endpoints.settings().limits.clone();
    let Ok(accepted) = tokio::time::timeout(limits.receive, accept(stream, &policy)).await else {
        return;
    };
    // Errors here and below are the client's: it went away or did not speak TLS or HTTP.
    let Ok((stream, is_http2)) = accepted else { return };
    let io = TokioIo::new(Impatient::new(stream, limits.send));
    let service = service_fn(move |request: Request<Incoming>| {
        let (policy, entered) = (policy.clone(), busy.enter());
        async move {
            let mut reply = answer(&policy, peer, request).await;
            reply.body_mut().hold(entered);
            Ok::<_, Infallible>(reply)
        }
    });
    #[cfg(feature = "h2")]
    if is_http2 {
        let mut builder =
            hyper::server::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .keep_alive_interval(limits.receive)
            .keep_alive_timeout(limits.receive)
            .max_concurrent_streams(32)
            .max_header_list_size(MAX_HEAD as u32);
        let _ = watcher.watch(builder.serve_connection(io, service)).await;
        return;
    }
    debug_assert!(!is_http2);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.receive)
        .max_buf_size(MAX_HEAD)
        .serve_connection(io, service);
    let _ = watcher.watch(connection).await;
}

async fn answer(policy: &Policy, peer: Peer, mut request: Request<Incoming>) -> Response<Body> {
    let is_checked = policy.is_tcp && !policy.endpoints.has_token();
    if is_checked && !names_this_machine(&request) {
        return reply::error(
            StatusCode::FORBIDDEN,
            "the Host header does not name this machine - use localhost or its IP address, or set a token",
        );
    }
    request.extensions_mut().insert(peer);
    let patience = policy.endpoints.settings().limits.receive;
    let request = request.map(|body| Timed { body, end: Box::pin(sleep(patience)) });
    policy.endpoints.handle(request).await
}

/// Shakes hands, and finds out whether the client speaks HTTP/2.
async fn accept(stream: Box<dyn Stream>, policy: &Policy) -> io::Result<(Box<dyn Stream>, bool)> {
    #[cfg(feature = "tls")]
    if let Some(tls) = &policy.tls {
        let stream =
            tokio_rustls::TlsAcceptor::from(Arc::clone(&tls.config)).accept(stream).await?;
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        return Ok((Box::new(stream), is_http2));
    }
    let _ = policy;
    #[cfg(feature = "h2")]
    {
        let (stream, is_http2) = preface::look(stream).await?;
        Ok((Box::new(stream), is_http2))
    }
    #[cfg(not(feature = "h2"))]
    Ok((stream, false))
}

/// Whether the host that a request is for is `localhost` or a loopback address, with any port. HTTP/1.0 clients
/// may not say; browsers always do.
fn names_this_machine<B>(request: &Request<B>) -> bool {
    match request.uri().authority() {
        Some(authority) => is_this_machine(authority.host()),
        None => is_named_in(request.headers()),
    }
}

fn is_named_in(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(http::header::HOST).iter();
    let (host, None) = (hosts.next(), hosts.next()) else { return false };
    let Some(host) = host else { return true };
    let authority = host.to_str().ok().and_then(|host| host.parse::<http::uri::Authority>().ok());
    authority.is_some_and(|authority| is_this_machine(authority.host()))
}

fn is_this_machine(name: &str) -> bool {
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|ip| ip.is_loopback())
}

/// A request's body that has to arrive before some time.
struct Timed<B> {
    body: B,
    end: Pin<Box<Sleep>>,
}

impl<B> http_body::Body for Timed<B>
where
    B: http_body::Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static> + Unpin,
{
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        ready!(self.end.as_mut().poll(context));
        Poll::Ready(Some(Err("the body did not arrive in time".into())))
    }
}

/// A stream that fails when the other side accepts nothing for some time.
struct Impatient<S> {
    stream: S,
    patience: Duration,
    /// When patience ends; there only while something is not accepted.
    end: Option<Pin<Box<Sleep>>>,
}

impl<S> Impatient<S> {
    fn new(stream: S, patience: Duration) -> Self {
        Self { stream, patience, end: None }
    }

    /// Passes on what came of an attempt to send, unless it has been pending for too long.
    fn wait<T>(
        &mut self,
        attempt: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if attempt.is_ready() {
            self.end = None;
            return attempt;
        }
        let patience = self.patience;
        let end = self.end.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(end.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let attempt = pin!(&mut self.stream).poll_write(context, bytes);
        self.wait(attempt, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let attempt = pin!(&mut self.stream).poll_flush(context);
        self.wait(attempt, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let attempt = pin!(&mut self.stream).poll_shutdown(context);
        self.wait(attempt, context)
    }
}

/// HTTP/2 without TLS starts with bytes that no HTTP/1 request starts with.
#[cfg(feature = "h2")]
mod preface {
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    /// A stream of which some was read to look at, and is read again.
    pub(super) struct Reread<S> {
        seen: Vec<u8>,
        stream: S,
    }

    /// Whether the client starts with the preface.
    pub(super) async fn look<S: AsyncRead + Unpin>(mut stream: S) -> io::Result<(Reread<S>, bool)> {
        let mut seen = Vec::with_capacity(PREFACE.len());
        while seen.len() < PREFACE.len() && PREFACE.starts_with(&seen) {
            let mut rest = (&mut stream).take((PREFACE.len() - seen.len()) as u64);
            if rest.read_buf(&mut seen).await? == 0 {
                break;
            }
        }
        let is_http2 = seen == PREFACE;
        Ok((Reread { seen, stream }, is_http2))
    }

    impl<S: AsyncRead + Unpin> AsyncRead for Reread<S> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            if self.seen.is_empty() {
                return Pin::new(&mut self.stream).poll_read(context, buffer);
            }
            let now = self.seen.len().min(buffer.remaining());
            buffer.put_slice(&self.seen[..now]);
            self.seen.drain(..now);
            Poll::Ready(Ok(()))
        }
    }

    impl<S: AsyncWrite + Unpin> AsyncWrite for Reread<S> {
        fn poll_write(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.stream).poll_write(context, bytes)
        }

        fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_flush(context)
        }

        fn poll_shutdown(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_shutdown(context)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_host(uri: &str, hosts: &[&'static str], expected: bool) {
        let mut request = Request::get(uri).body(()).unwrap();
        for host in hosts {
            let value = http::HeaderValue::from_static(host);
            request.headers_mut().append(http::header::HOST, value);
        }
        assert_eq!(names_this_machine(&request), expected, "{uri} {hosts:?}");
    }

    #[test]
    fn host_header() {
        for local in ["localhost", "LOCALHOST:6060", "127.0.0.1:6060", "127.1.2.3", "[::1]:6060"] {
            check_host("/", &[local], true);
        }
        for foreign in ["evil.example", "localhost.evil.example", "10.0.0.1:6060", "", "[::2]"] {
            check_host("/", &[foreign], false);
        }
        check_host("/", &[], true);
        check_host("/", &["localhost", "localhost"], false);
        check_host("http://localhost:1/", &[], true);
        check_host("http://evil.example/", &["localhost"], false);
    }
}
