//! From questions to answers: known here, kept, or asked upstream.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::cache::Cache;
use crate::config::Config;
use crate::message::{self, A, Answer, Malformed, NAME_ERROR, Question, SERVER_FAILURE};

const UPSTREAM_PATIENCE: Duration = Duration::from_secs(2);
const RECORD_TTL: u32 = 300;

/// Answers questions.
pub(crate) struct Resolver {
    records: HashMap<String, Ipv4Addr>,
    cache: Cache,
    upstream: SocketAddr,
    next_id: AtomicU16,
    pub(crate) counts: Counts,
}

/// How often what was done.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) queries: AtomicU64,
    pub(crate) hits: AtomicU64,
    pub(crate) forwarded: AtomicU64,
    pub(crate) failures: AtomicU64,
}

impl Resolver {
    pub(crate) fn new(config: &Config) -> Self {
        let records =
            config.records.iter().map(|(name, a)| (name.to_ascii_lowercase(), *a)).collect();
        Self {
            records,
            cache: Cache::new(config.cache_entries),
            upstream: config.upstream,
            next_id: AtomicU16::new(1),
            counts: Counts::default(),
        }
    }

    pub(crate) fn cache(&self) -> &Cache {
        &self.cache
    }

    /// The answer to a message. Its samples in profiles say what was asked for.
    pub(crate) async fn resolve(&self, query: &[u8]) -> Result<Vec<u8>, Malformed> {
        let (id, question) = message::question(query)?;
        self.counts.queries.fetch_add(1, Ordering::Relaxed);
        let mut answer = match self.known(&question) {
            Some(answer) => answer,
            None => self.forward(&question).await,
        };
        message::set_id(&mut answer, id);
        Ok(answer)
    }

    /// What needs nobody else.
    fn known(&self, question: &Question) -> Option<Vec<u8>> {
        let is_ours = self.records.contains_key(&question.name);
        if is_ours {
            let address = (question.kind == A).then(|| self.records[&question.name]);
            return Some(message::answer(0, question, address.as_slice(), RECORD_TTL));
        }
        let kept = self.cache.get(question, Instant::now())?;
        self.counts.hits.fetch_add(1, Ordering::Relaxed);
        Some(kept)
    }

    async fn forward(&self, question: &Question) -> Vec<u8> {
        self.counts.forwarded.fetch_add(1, Ordering::Relaxed);
        match self.ask_upstream(question).await {
            Ok((answer, read)) => {
                if read.code == 0 || read.code == NAME_ERROR {
                    self.cache.put(question.clone(), &answer, &read, Instant::now());
                }
                answer
            }
            Err(e) => {
                self.counts.failures.fetch_add(1, Ordering::Relaxed);
                log::debug!("{}: {e}", question.name);
                message::failure(0, question, SERVER_FAILURE)
            }
        }
    }

    async fn ask_upstream(&self, question: &Question) -> io::Result<(Vec<u8>, Answer)> {
        let any = if self.upstream.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any).await?;
        socket.connect(self.upstream).await?;
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        socket.send(&message::ask(id, question)).await?;
        let mut buffer = vec![0; 4096];
        let reply = async {
            loop {
                let length = socket.recv(&mut buffer).await?;
                // Whoever guesses an address may send anything there.
                if message::question(&buffer[..length]) == Ok((id, question.clone())) {
                    return io::Result::Ok(length);
                }
            }
        };
        let length = timeout(UPSTREAM_PATIENCE, reply).await??;
        buffer.truncate(length);
        let answer = Answer::read(&buffer).map_err(|e| io::Error::other(e.to_string()))?;
        Ok((buffer, answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolver(upstream: SocketAddr, records: &[(&str, Ipv4Addr)]) -> Resolver {
        let records = records.iter().map(|(name, a)| ((*name).to_owned(), *a)).collect();
        let any = "127.0.0.1:0".parse().unwrap();
        Resolver::new(&Config { dns: any, http: any, upstream, cache_entries: 10, records })
    }

    #[tokio::test]
    async fn what_is_not_known_is_asked_upstream_once() {
        let address = Ipv4Addr::new(10, 1, 2, 3);
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let here = socket.local_addr().unwrap();
        let upstream = std::sync::Arc::new(resolver(here, &[("far.example", address)]));
        tokio::spawn(crate::server::serve_udp(socket.into(), upstream));
        let near = resolver(here, &[("near.home", Ipv4Addr::LOCALHOST)]);
        for (name, expected) in
            [("far.example", address), ("far.example", address), ("near.home", Ipv4Addr::LOCALHOST)]
        {
            let query = message::ask(99, &Question { name: name.into(), kind: A });
            let answer = near.resolve(&query).await.unwrap();
            assert_eq!(message::question(&answer).unwrap().0, 99);
            assert_eq!(Answer::read(&answer).unwrap().addresses, [expected]);
        }
        assert_eq!(near.counts.forwarded.load(Ordering::Relaxed), 1);
        assert_eq!(near.counts.hits.load(Ordering::Relaxed), 1);
    }
}
