//! Profiles over TLS: whom we trust, and whom servers trust.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, Stream};

use super::support::{PPROF, Place, Ran};

const ANSWER: &str =
    "HTTP/1.1 200 OK\r\nContent-Length: 14\r\nConnection: close\r\n\r\nmain;parse 30\n";

/// An authority, a server that it vouches for, and its certificates in files.
struct World {
    place: Place,
    url: String,
}

impl World {
    /// With `clients`, the server talks only to those that the authority vouches for.
    fn new(clients: bool) -> Self {
        let place = Place::new();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&key).unwrap();
        place.write("ca.pem", authority.pem());
        let issuer = Issuer::new(params, key);
        let issue = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|&n| n.to_owned()).collect();
            let key = KeyPair::generate().unwrap();
            let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer);
            (certificate.unwrap(), key)
        };
        let (client, client_key) = issue(&[]);
        place.write("client.pem", client.pem());
        place.write("client.key", client_key.serialize_pem());
        let (server, server_key) = issue(&["localhost"]);

        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if clients {
            let mut roots = RootCertStore::empty();
            roots.add(authority.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::try_from(server_key.serialize_der()).unwrap();
        let config = builder.with_single_cert(vec![server.der().clone()], key).unwrap();
        let port = serve(Arc::new(config));
        Self { place, url: format!("localhost:{port}/p") }
    }

    fn fetch(&self, scheme: &str, flags: &str) -> Ran {
        let url = format!("{scheme}://{}", self.url);
        let words = flags.split(' ').filter(|w| !w.is_empty()).chain([url.as_str()]);
        self.place.run(PPROF, ["-top", "-no_save"].into_iter().chain(words))
    }

    #[track_caller]
    fn check(&self, scheme: &str, flags: &str) {
        let ran = self.fetch(scheme, flags);
        assert!(ran.out.contains("parse"), "{}", ran.err);
    }

    #[track_caller]
    fn check_refused(&self, scheme: &str, flags: &str) {
        let ran = self.fetch(scheme, flags);
        assert_eq!(ran.code, Some(2), "{}", ran.out);
        assert!(ran.err.contains(&format!("Get \"{scheme}://{}\": ", self.url)), "{}", ran.err);
    }
}

fn serve(config: Arc<ServerConfig>) -> u16 {
    let listener = TcpListener::bind("localhost:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = Stream::new(&mut connection, &mut socket);
            // Whoever does not trust us, or is not trusted, gets nothing.
            if stream.read(&mut [0; 4096]).is_ok() {
                let _ = stream.write_all(ANSWER.as_bytes());
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
    port
}

#[test]
fn servers_must_be_vouched_for_unless_nobody_cares() {
    let world = World::new(false);
    world.check_refused("https", "");
    world.check("https", "-tls_ca=ca.pem");
    world.check("https+insecure", "");
}

#[test]
fn clients_show_their_certificate() {
    let world = World::new(true);
    world.check("https", "-tls_ca=ca.pem -tls_cert=client.pem -tls_key=client.key");
    world.check_refused("https", "-tls_ca=ca.pem");
}

#[test]
fn files_without_certificates_are_named() {
    let world = World::new(false);
    world.place.write("empty.pem", "");
    let ran = world.fetch("https", "-tls_ca=empty.pem");
    assert!(ran.err.contains("-tls_ca empty.pem: no certificate in PEM format"), "{}", ran.err);
    let ran = world.fetch("https", "-tls_cert=client.pem -tls_key=empty.pem");
    assert!(ran.err.contains("-tls_key empty.pem: "), "{}", ran.err);
}
