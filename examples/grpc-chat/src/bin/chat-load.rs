//! People who talk: load for the server.
//!
//! usage: chat-load [SECONDS [PEOPLE]]

use std::error::Error;
use std::time::{Duration, Instant};

use grpc_chat::proto::Line;
use grpc_chat::proto::chat_client::ChatClient;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Endpoint;

const TALK: [&str; 4] = [
    "what the heck happened to the build",
    "drat I forgot to commit the lock file again",
    "has anybody looked at the profile of the last night",
    "it was the allocator it is always the allocator",
];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let seconds = arguments.next().map_or(Ok(30), |n| n.parse())?;
    let people = arguments.next().map_or(Ok(8), |n| n.parse::<usize>())?;
    let end = Instant::now() + Duration::from_secs(seconds);
    let talkers: Vec<_> =
        (0..people).map(|i| tokio::spawn(talk(format!("person {i}"), end))).collect();
    let mut heard = 0;
    for talker in talkers {
        heard += talker.await?.map_err(|e| format!("cannot talk: {e}"))?;
    }
    println!("{people} people heard {heard} lines in {seconds} s");
    Ok(())
}

/// Says something every few milliseconds, and listens; how many lines were heard.
async fn talk(who: String, end: Instant) -> Result<u64, tonic::Status> {
    let address = std::env::var("CHAT_ADDR").unwrap_or_else(|_| "127.0.0.1:50051".to_owned());
    let unavailable = |e: tonic::transport::Error| tonic::Status::unavailable(e.to_string());
    let server = Endpoint::from_shared(format!("http://{address}")).map_err(unavailable)?;
    let mut client = ChatClient::new(server.connect().await.map_err(unavailable)?);
    let (say, said) = tokio::sync::mpsc::channel(16);
    let mut lines = client.chat(ReceiverStream::new(said)).await?.into_inner();
    tokio::spawn(async move {
        for text in TALK.iter().cycle() {
            let line = Line { who: who.clone(), text: (*text).to_owned() };
            if say.send(line).await.is_err() || Instant::now() >= end {
                break;
            }
            tokio::time::sleep(Duration::from_millis(4)).await;
        }
    });
    let mut heard = 0;
    while Instant::now() < end
        && let Ok(Some(_line)) = tokio::time::timeout(Duration::from_secs(1), lines.next()).await
    {
        heard += 1;
    }
    Ok(heard)
}
