//! Requests over HTTP, with TLS and Unix sockets.

#[cfg(unix)]
mod unix;

use std::path::Path;
use std::time::Duration;

use ureq::http::{HeaderMap, Response, StatusCode};
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, Proxy};

use super::read_limited;
use super::url::Url;
use crate::failure::{file_error, reason};
use crate::plan::FetchPlan;

/// What a server sent, or why it did not, in words.
pub(super) type Answer = Result<Vec<u8>, String>;

/// Why a server did not send what it was asked for.
#[derive(Debug)]
pub(crate) struct GetError {
    /// What it answered; `None` if it did not.
    pub status: Option<u16>,
    /// The reason in words.
    pub text: String,
}

/// Fetches `url`, waiting at most `timeout` for the server to start answering.
pub(super) fn get(url: &Url, timeout: Duration, plan: &FetchPlan) -> Answer {
    fetch(url, timeout, plan).map_err(|e| e.text)
}

/// Like [`get`], for those who want to know what the server answered.
pub(crate) fn fetch(url: &Url, timeout: Duration, plan: &FetchPlan) -> Result<Vec<u8>, GetError> {
    let unanswered = |text| GetError { status: None, text };
    let mut request = agent(url, timeout, plan).map_err(unanswered)?.get(url.request());
    for (name, value) in &plan.headers {
        request = request.header(name, value);
    }
    let response = request.call().map_err(|e| unanswered(get_error(url, &e)))?;
    let status = response.status();
    body(response, plan).map_err(|e| match e {
        BodyError::Status(text) => GetError { status: Some(status.as_u16()), text },
        BodyError::Transport(e) => unanswered(get_error(url, &e)),
    })
}

/// What a file from a server may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileLimits {
    /// How long to wait for an answer.
    pub answer: Duration,
    /// How long to wait for the whole file.
    pub whole: Duration,
    /// How large it may be.
    pub bytes: u64,
}

/// Fetches a file; `None` if the server does not have it. Nothing that is meant for servers of profiles
/// is sent along.
///
/// # Errors
/// Why it could not be fetched, in words.
pub(crate) fn get_file(url: &str, limits: FileLimits) -> Result<Option<Vec<u8>>, String> {
    let url = Url::parse(url).ok_or("this is no URL")?;
    let plan = FetchPlan { max_bytes: limits.bytes, ..FetchPlan::default() };
    let agent = agent(&url, limits.answer, &plan)?;
    let request = agent.get(url.request()).config().timeout_recv_body(Some(limits.whole)).build();
    let response = request.call().map_err(|e| why(&e))?;
    if response.status() == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    let bytes = body(response, &plan).map_err(|e| match e {
        BodyError::Status(text) => text,
        BodyError::Transport(e) => why(&e),
    })?;
    if bytes.len() as u64 > limits.bytes {
        return Err(format!("larger than {} bytes", limits.bytes));
    }
    Ok(Some(bytes))
}

/// How long a server may take to look up names.
const POST_TIMEOUT: Duration = Duration::from_secs(60);

/// Sends `question` to `url`.
pub(super) fn post(url: &Url, question: String, plan: &FetchPlan) -> Answer {
    let describe = |e: String| format!("{url}: {e}");
    let mut request = agent(url, POST_TIMEOUT, plan).map_err(describe)?.post(url.request());
    for (name, value) in &plan.headers {
        request = request.header(name, value);
    }
    let request = request.content_type("application/octet-stream");
    let response = request.send(question).map_err(|e| describe(why(&e)))?;
    body(response, plan).map_err(|e| match e {
        BodyError::Status(text) => describe(text),
        BodyError::Transport(e) => describe(why(&e)),
    })
}

enum BodyError {
    Status(String),
    Transport(ureq::Error),
}

fn body(mut response: Response<Body>, plan: &FetchPlan) -> Result<Vec<u8>, BodyError> {
    let status = response.status();
    if status != StatusCode::OK {
        let explanation = explanation(&mut response);
        return Err(BodyError::Status(format!("server response: {status}{explanation}")));
    }
    let mut body = response.body_mut().with_config().limit(u64::MAX).reader();
    read_limited(&mut body, plan.max_bytes).map_err(|e| BodyError::Transport(e.into()))
}

/// What a Go server has to say about a failure, where it says so in plain text.
fn explanation(response: &mut Response<Body>) -> String {
    const MAX: u64 = 64 << 10;
    let header = |headers: &HeaderMap, name: &str| {
        headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned()
    };
    let headers = response.headers();
    let is_text = header(headers, "content-type").contains("text/plain");
    if header(headers, "x-go-pprof").is_empty() || !is_text {
        return String::new();
    }
    let text = response.body_mut().with_config().limit(MAX).read_to_string().unwrap_or_default();
    format!(" - {}", text.trim_end())
}

fn get_error(url: &Url, e: &ureq::Error) -> String {
    format!("Get \"{url}\": {}", why(e))
}

fn why(e: &ureq::Error) -> String {
    match e {
        ureq::Error::Io(e) => reason(e),
        ureq::Error::Timeout(_) => {
            "the server took too long to answer; allow more with -timeout".to_owned()
        }
        ureq::Error::HostNotFound => "no such host".to_owned(),
        e => e.to_string(),
    }
}

/// Whoever sends requests to the server of `url`; keeps connections open.
pub(crate) fn agent(url: &Url, timeout: Duration, plan: &FetchPlan) -> Result<Agent, String> {
    if !matches!(url.scheme.as_str(), "http" | "https" | "https+insecure") {
        return Err(format!("Get \"{url}\": unsupported protocol scheme \"{}\"", url.scheme));
    }
    // Servers that take their time to collect are waited for; those that cannot be reached are not.
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(timeout.min(Duration::from_secs(30))))
        .timeout_recv_response(Some(timeout + Duration::from_secs(5)))
        .tls_config(tls(url, plan)?)
        .proxy(proxy(url))
        .build();
    match &url.socket {
        None => Ok(config.new_agent()),
        #[cfg(unix)]
        Some(path) => Ok(unix::agent(config, path)),
        #[cfg(not(unix))]
        Some(_) => Err("Unix sockets are not available on this system".to_owned()),
    }
}

/// The proxy that the environment names, which this machine itself is never reached through.
fn proxy(url: &Url) -> Option<Proxy> {
    let host = url.authority.rsplit('@').next().unwrap_or_default();
    let is_local = host.starts_with("localhost")
        || host.starts_with("127.")
        || host.starts_with("[::1]")
        || host.starts_with(':');
    if is_local || url.socket.is_some() { None } else { Proxy::try_from_env() }
}

fn tls(url: &Url, plan: &FetchPlan) -> Result<TlsConfig, String> {
    let mut config = TlsConfig::builder()
        .disable_verification(url.is_insecure())
        .root_certs(RootCerts::PlatformVerifier);
    if let Some(file) = &plan.tls_ca {
        let roots = certificates(file, "tls_ca")?;
        config = config.root_certs(RootCerts::new_with_certs(&roots));
    }
    if let (Some(cert), Some(key)) = (&plan.tls_cert, &plan.tls_key) {
        let chain = certificates(cert, "tls_cert")?;
        let key = PrivateKey::from_pem(&read(key, "tls_key")?)
            .map_err(|e| format!("-tls_key {}: {e}", key.display()))?;
        config = config.client_cert(Some(ClientCert::new_with_certs(&chain, key)));
    }
    Ok(config.build())
}

fn certificates(file: &Path, flag: &str) -> Result<Vec<Certificate<'static>>, String> {
    let pem = read(file, flag)?;
    let mut found = Vec::new();
    for item in parse_pem(&pem) {
        let item = item.map_err(|e| format!("-{flag} {}: {e}", file.display()))?;
        if let PemItem::Certificate(certificate) = item {
            found.push(certificate);
        }
    }
    if found.is_empty() {
        return Err(format!("-{flag} {}: no certificate in PEM format", file.display()));
    }
    Ok(found)
}

fn read(file: &Path, flag: &str) -> Result<Vec<u8>, String> {
    let describe = |e| format!("-{flag}: {}", file_error("open", file.display(), &e));
    std::fs::read(file).map_err(describe)
}
