//! Who sends requests.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::Extensions;

/// Who sent a request, as the log says it and as wrong tokens are counted.
///
/// [`Server`](super::Server) knows. Where the endpoints are mounted into another server, put it into the request's
/// extensions; `axum::extract::ConnectInfo<SocketAddr>` is understood as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Peer {
    /// Over TCP, from this address.
    Tcp(SocketAddr),
    /// Over a Unix socket, by this user.
    Unix {
        /// The user's number.
        uid: u32,
    },
}

impl Peer {
    pub(super) fn of(extensions: &Extensions) -> Option<Self> {
        let peer = extensions.get::<Self>().copied();
        #[cfg(feature = "axum")]
        let peer = peer.or_else(|| {
            let info = extensions.get::<axum::extract::ConnectInfo<SocketAddr>>();
            info.map(|info| Self::Tcp(info.0))
        });
        peer
    }

    /// By what the peer's wrong tokens are counted: of IPv6 the network, in which one may have any address.
    pub(super) fn source(self) -> Source {
        match self {
            Self::Tcp(address) => match address.ip() {
                IpAddr::V6(ip) if ip.to_ipv4_mapped().is_none() => {
                    Source::Ip(IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)))
                }
                ip => Source::Ip(ip.to_canonical()),
            },
            Self::Unix { uid } => Source::User(uid),
        }
    }
}

/// Where requests come from, more or less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Source {
    Ip(IpAddr),
    User(u32),
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix { uid } => write!(f, "user {uid}"),
        }
    }
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources() {
        let check = |address: &str, expected: &str| {
            let peer = Peer::Tcp(SocketAddr::new(address.parse().unwrap(), 99));
            assert_eq!(peer.source(), Source::Ip(expected.parse().unwrap()));
        };
        check("10.1.2.3", "10.1.2.3");
        check("::ffff:10.1.2.3", "10.1.2.3");
        check("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::");
        assert_eq!(Peer::Unix { uid: 7 }.source(), Source::User(7));
    }
}
