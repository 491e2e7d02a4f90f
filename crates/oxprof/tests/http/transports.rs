//! What the endpoints are reached over: Unix sockets, HTTP/2, TLS; and how the server ends.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use oxprof::http::{Server, Tls};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::support::{Reply, exchange, exchange_over, get, receive, send, server};

const INDEX: &str = "GET /debug/pprof/ HTTP/1.1\nHost: localhost\nConnection: close\n\n";

#[test]
fn a_unix_socket() {
    let path = std::env::temp_dir().join(format!("oxprof-test-{}.sock", std::process::id()));
    let address = format!("unix:{}", path.display());
    let start = || Server::builder().address(&address).start();
    let server = start().unwrap();
    assert_eq!(server.url(), format!("{address}:/debug/pprof/"));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    // No browser sends requests here, so the host may be anything.
    for host in ["localhost", "evil.example"] {
        let request = format!("GET /debug/pprof/ HTTP/1.1\nHost: {host}\nConnection: close\n\n");
        let reply = exchange_over(&mut UnixStream::connect(&path).unwrap(), &request);
        assert_eq!(reply.status, 200);
    }
    assert!(start().is_err(), "somebody listens there");
    drop(server);
    assert!(!path.exists());

    // What a killed process leaves behind is no obstacle.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    drop(start().unwrap());
}

#[test]
fn http_2_without_tls() {
    let server = server();
    let address = server.local_addr();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (status, index, profile) = runtime.block_on(async move {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let (mut client, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .unwrap();
        tokio::spawn(connection);
        let mut get = |path: &str| {
            let uri = format!("http://{address}/debug/pprof/{path}");
            client.send_request(http::Request::get(uri).body(Empty::<bytes::Bytes>::new()).unwrap())
        };
        // Two at a time over one connection.
        let (slow, index) = (get("profile?seconds=0.3"), get(""));
        let index = index.await.unwrap();
        let status = index.status();
        let index = index.into_body().collect().await.unwrap().to_bytes();
        let profile = slow.await.unwrap().into_body().collect().await.unwrap().to_bytes();
        (status, index, profile)
    });
    assert_eq!(status, 200);
    assert!(String::from_utf8_lossy(&index).contains("<title>/debug/pprof/"));
    assert!(oxprof_profile::decode(&profile).is_ok());
}

/// Certificates of an authority, of a server called `localhost`, and of a client.
struct Certificates {
    authority: rcgen::Certificate,
    server: (String, String),
    client: (rcgen::Certificate, KeyPair),
}

impl Certificates {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        let issue = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|&n| n.to_owned()).collect();
            let key = KeyPair::generate().unwrap();
            let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer);
            (certificate.unwrap(), key)
        };
        let (server, server_key) = issue(&["localhost"]);
        let server = (server.pem(), server_key.serialize_pem());
        Self { authority, server, client: issue(&[]) }
    }

    /// What the server says to a client, with its certificate or without.
    fn get(&self, address: SocketAddr, as_client: bool) -> std::io::Result<Reply> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = if as_client {
            let (certificate, key) = &self.client;
            let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
            builder.with_client_auth_cert(vec![certificate.der().clone()], key).unwrap()
        } else {
            builder.with_no_client_auth()
        };
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut stream = StreamOwned::new(connection, TcpStream::connect(address)?);
        stream.write_all(INDEX.replace('\n', "\r\n").as_bytes())?;
        stream.flush()?;
        let mut first = [0];
        std::io::Read::read_exact(&mut stream, &mut first)?;
        let rest = std::io::Read::chain(&first[..], stream);
        Ok(receive(&mut { rest }))
    }
}

#[test]
fn tls() {
    let certificates = Certificates::new();
    let (certificate, key) = &certificates.server;
    let tls = Tls::new(certificate.as_bytes(), key.as_bytes()).unwrap();
    let server = Server::builder().address("127.0.0.1:0").tls(tls).start().unwrap();
    let address = server.local_addr();
    assert!(server.url().starts_with("https://127.0.0.1:"), "{}", server.url());
    assert_eq!(certificates.get(address, false).unwrap().status, 200);
    // Without TLS there is no answer, and no harm.
    let mut plain = send(address, INDEX);
    let _ = std::io::Read::read_to_end(&mut plain, &mut Vec::new());
    assert_eq!(certificates.get(address, false).unwrap().status, 200);
}

#[test]
fn client_certificates() {
    let certificates = Certificates::new();
    let (certificate, key) = &certificates.server;
    let ca = certificates.authority.pem();
    let tls = Tls::with_client_ca(certificate.as_bytes(), key.as_bytes(), ca.as_bytes()).unwrap();
    // They are protection enough for an address that others can reach.
    let server = Server::builder().address("0.0.0.0:0").tls(tls.clone()).start().unwrap();
    drop(server);
    let server = Server::builder().address("127.0.0.1:0").tls(tls).start().unwrap();
    assert_eq!(certificates.get(server.local_addr(), true).unwrap().status, 200);
    assert!(certificates.get(server.local_addr(), false).is_err());
}

#[test]
fn bad_certificates() {
    let certificates = Certificates::new();
    let (certificate, key) = &certificates.server;
    let check = |certificate: &str, key: &str, part: &str| {
        let error = Tls::new(certificate.as_bytes(), key.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    check("", key, "no BEGIN CERTIFICATE");
    check(certificate, "", "the private key");
    let other = KeyPair::generate().unwrap().serialize_pem();
    check(certificate, &other, "the certificate and its key");
}

#[test]
fn shutting_down_waits_for_what_is_being_answered() {
    let server = server();
    let address = server.local_addr();
    let request = format!(
        "GET /debug/pprof/profile?seconds=1 HTTP/1.1\nHost: {address}\nConnection: close\n\n"
    );
    let mut waiting = send(address, &request);
    // Over a connection that is kept open, nothing is asked.
    let idle = send(address, &INDEX.replace("Connection: close\n", ""));
    std::thread::sleep(Duration::from_millis(200));
    let started = Instant::now();
    server.shutdown(Duration::from_secs(30));
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert_eq!(receive(&mut waiting).status, 200);
    assert!(TcpStream::connect(address).is_err());
    drop(idle);
}

#[test]
fn shutting_down_does_not_wait_longer_than_told() {
    let server = server();
    let address = server.local_addr();
    let request = format!("GET /debug/pprof/profile?seconds=3600 HTTP/1.1\nHost: {address}\n\n");
    let waiting = send(address, &request);
    std::thread::sleep(Duration::from_millis(100));
    let started = Instant::now();
    server.shutdown(Duration::from_millis(200));
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    drop(waiting);
}

#[test]
fn a_wedged_runtime_does_not_matter() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (let_go, held) = std::sync::mpsc::channel::<()>();
    let held = Arc::new(std::sync::Mutex::new(held));
    let server = runtime.block_on(async { server() });
    for _ in 0..4 {
        let held = Arc::clone(&held);
        // Blocks a worker, as programs in trouble do.
        runtime.spawn(async move { drop(held.lock().map(|held| held.recv())) });
    }
    let address = server.local_addr();
    assert_eq!(get(address, "/debug/pprof/").status, 200);
    assert_eq!(get(address, "/debug/pprof/profile?seconds=0.05").status, 200);
    assert_eq!(exchange(address, INDEX).status, 200);
    drop(let_go);
}
