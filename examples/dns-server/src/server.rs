//! Questions over UDP, and over TCP behind their lengths.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::resolver::Resolver;

/// A TCP connection without a question for so long is closed.
const IDLE: Duration = Duration::from_secs(30);

/// Answers datagrams, each in a task of its own.
pub(crate) async fn serve_udp(socket: Arc<UdpSocket>, resolver: Arc<Resolver>) {
    let mut buffer = vec![0; 4096];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
        let (query, socket, resolver) =
            (buffer[..length].to_vec(), Arc::clone(&socket), Arc::clone(&resolver));
        oxprof::spawn(async move {
            // What is no question gets no answer.
            if let Ok(answer) = resolver.resolve(&query).await {
                let _ = socket.send_to(&answer, from).await;
            }
        });
    }
}

/// Answers connections.
pub(crate) async fn serve_tcp(listener: TcpListener, resolver: Arc<Resolver>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let resolver = Arc::clone(&resolver);
        oxprof::spawn(async move {
            // Whoever breaks off has what he wanted.
            let _ = converse(stream, &resolver).await;
        });
    }
}

async fn converse(mut stream: TcpStream, resolver: &Resolver) -> io::Result<()> {
    loop {
        let length = timeout(IDLE, stream.read_u16()).await??;
        let mut query = vec![0; length.into()];
        timeout(IDLE, stream.read_exact(&mut query)).await??;
        let Ok(answer) = resolver.resolve(&query).await else { return Ok(()) };
        stream.write_u16(u16::try_from(answer.len()).unwrap_or(u16::MAX)).await?;
        stream.write_all(&answer).await?;
    }
}
