//! Where the server listens: TCP or a Unix socket.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::error::ServeError;
use super::peer::Peer;

/// What marks the address of a Unix socket.
const UNIX: &str = "unix:";

/// A socket that listens.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// What a server is reached by.
#[derive(Clone, Debug)]
pub(super) enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Address {
    /// An address to listen on, from `host:port` (an empty host is `127.0.0.1`) or `unix:/path`.
    pub(super) fn parse(text: &str) -> Result<Self, ServeError> {
        match text.strip_prefix(UNIX) {
            Some(path) => Ok(Self::Unix(path.into())),
            None => resolve(text).map(Self::Tcp),
        }
    }

    /// Whether other machines cannot reach it.
    pub(super) fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }

    /// Starts to listen. A Unix socket is for this user only, and takes the place of one that nobody listens on any more.
    pub(super) fn listen(&self) -> Result<(Listener, Self), ServeError> {
        let failed = |reason| ServeError::Listen { address: self.to_string(), reason };
        match self {
            Self::Tcp(address) => {
                let listener = TcpListener::bind(address).map_err(failed)?;
                listener.set_nonblocking(true).map_err(failed)?;
                let address = listener.local_addr().map_err(failed)?;
                Ok((Listener::Tcp(listener), Self::Tcp(address)))
            }
            Self::Unix(path) => {
                let listener = bind_unix(path).map_err(failed)?;
                listener.set_nonblocking(true).map_err(failed)?;
                Ok((Listener::Unix(listener), self.clone()))
            }
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    let in_use = |error: &io::Error| error.kind() == io::ErrorKind::AddrInUse;
    let listener = match UnixListener::bind(path) {
        Err(error) if in_use(&error) && UnixStream::connect(path).is_err() => {
            std::fs::remove_file(path)?;
            UnixListener::bind(path)?
        }
        bound => bound?,
    };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
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

/// Bytes to and from a client.
pub(super) trait Stream:
    tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin
{
}

impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin> Stream for T {}

/// A [`Listener`] in the server's runtime.
pub(super) enum Accept {
    Tcp(tokio::net::TcpListener),
    Unix(tokio::net::UnixListener),
}

impl Accept {
    pub(super) fn new(listener: Listener) -> io::Result<Self> {
        Ok(match listener {
            Listener::Tcp(listener) => Self::Tcp(tokio::net::TcpListener::from_std(listener)?),
            Listener::Unix(listener) => Self::Unix(tokio::net::UnixListener::from_std(listener)?),
        })
    }

    /// The next connection, and who it is from.
    pub(super) async fn next(&self) -> io::Result<(Box<dyn Stream>, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                // Without it answers are only slower.
                let _ = stream.set_nodelay(true);
                Ok((Box::new(stream), Peer::Tcp(address)))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                let uid = stream.peer_cred()?.uid();
                Ok((Box::new(stream), Peer::Unix { uid }))
            }
        }
    }
}
