//! As much of WebSocket (RFC 6455) as a client of one well-behaved server needs.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const FINAL: u8 = 0x80;
const MASKED: u8 = 0x80;
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// A command that takes longer than this never ends.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Socket {
    stream: BufReader<TcpStream>,
}

impl Socket {
    /// Connects to `host:port/path`.
    pub(crate) fn connect(address: &str) -> io::Result<Self> {
        let (host, path) = address.split_once('/').ok_or(io::ErrorKind::InvalidInput)?;
        let stream = TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut socket = Self { stream: BufReader::new(stream) };
        let request = format!(
            "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: b3hwcm9mIGJyb3dzZXIgIQ==\r\n\r\n"
        );
        socket.stream.get_mut().write_all(request.as_bytes())?;
        socket.read_upgrade()?;
        Ok(socket)
    }

    fn read_upgrade(&mut self) -> io::Result<()> {
        let mut status = String::new();
        self.stream.read_line(&mut status)?;
        if !status.contains(" 101 ") {
            return Err(io::Error::other(format!("no WebSocket: {}", status.trim_end())));
        }
        let mut header = String::new();
        while self.stream.read_line(&mut header)? > "\r\n".len() {
            header.clear();
        }
        Ok(())
    }

    pub(crate) fn send(&mut self, text: &str) -> io::Result<()> {
        self.write(TEXT, text.as_bytes())
    }

    /// The next message.
    pub(crate) fn receive(&mut self) -> io::Result<String> {
        let mut message = Vec::new();
        loop {
            let (first, payload) = self.read()?;
            match first & 0x0f {
                PING => self.write(PONG, &payload)?,
                PONG => {}
                CLOSE => return Err(io::ErrorKind::ConnectionAborted.into()),
                _ => {
                    message.extend(payload);
                    if first & FINAL != 0 {
                        return String::from_utf8(message).map_err(io::Error::other);
                    }
                }
            }
        }
    }

    /// A mask of zero leaves the payload as it is: masks are for proxies, and there is none.
    fn write(&mut self, kind: u8, payload: &[u8]) -> io::Result<()> {
        let mut frame = vec![FINAL | kind];
        match payload.len() {
            short @ 0..126 => frame.push(MASKED | short as u8),
            medium @ 126..=0xffff => {
                frame.push(MASKED | 126);
                frame.extend((medium as u16).to_be_bytes());
            }
            long => {
                frame.push(MASKED | 127);
                frame.extend((long as u64).to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        self.stream.get_mut().write_all(&frame)
    }

    fn read(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let [first, length] = self.bytes()?;
        let length = match length & !MASKED {
            126 => u64::from(u16::from_be_bytes(self.bytes()?)),
            127 => u64::from_be_bytes(self.bytes()?),
            short => u64::from(short),
        };
        let mut payload = Vec::new();
        (&mut self.stream).take(length).read_to_end(&mut payload)?;
        if payload.len() as u64 == length {
            Ok((first, payload))
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }

    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}
