//! A chat room over gRPC: who says something is heard by all.

pub mod proto;

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

use self::proto::chat_server::Chat;
use self::proto::{Line, Receipt};

/// Lines that late comers hear, too.
const HISTORY: usize = 50;

/// Lines that a slow listener may lag behind.
const BACKLOG: usize = 1024;

const RUDE: [&str; 4] = ["darn", "drat", "heck", "blast"];

/// The room that everybody is in.
#[derive(Clone, Debug)]
pub struct Room {
    speak: broadcast::Sender<Line>,
    talk: Arc<Mutex<Talk>>,
}

#[derive(Debug, Default)]
struct Talk {
    history: VecDeque<Line>,
    words: HashMap<String, u64>,
}

impl Default for Room {
    fn default() -> Self {
        Self { speak: broadcast::Sender::new(BACKLOG), talk: Arc::default() }
    }
}

impl Room {
    /// Has a line heard by all, moderated; how many that are.
    #[inline(never)]
    pub fn deliver(&self, line: Line) -> u32 {
        let line = Line { text: moderate(&line.text), ..line };
        let mut talk = self.talk.lock().unwrap_or_else(PoisonError::into_inner);
        for word in line.text.split_whitespace() {
            *talk.words.entry(word.to_lowercase()).or_default() += 1;
        }
        talk.history.push_back(line.clone());
        if talk.history.len() > HISTORY {
            talk.history.pop_front();
        }
        drop(talk);
        // Nobody may be there to hear it.
        self.speak.send(line).map_or(0, |heard_by| heard_by.try_into().unwrap_or(u32::MAX))
    }

    fn history(&self) -> Vec<Line> {
        self.talk.lock().unwrap_or_else(PoisonError::into_inner).history.iter().cloned().collect()
    }
}

/// Stars in place of rude words.
fn moderate(text: &str) -> String {
    let word = |word: &str| {
        let bare: String =
            word.chars().filter(|c| c.is_alphabetic()).collect::<String>().to_lowercase();
        if RUDE.contains(&&*bare) { "*".repeat(word.chars().count()) } else { word.to_owned() }
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[tonic::async_trait]
impl Chat for Room {
    async fn say(&self, request: Request<Line>) -> Result<Response<Receipt>, Status> {
        Ok(Response::new(Receipt { heard_by: self.deliver(request.into_inner()) }))
    }

    type ChatStream = Pin<Box<dyn Stream<Item = Result<Line, Status>> + Send>>;

    async fn chat(
        &self,
        request: Request<Streaming<Line>>,
    ) -> Result<Response<Self::ChatStream>, Status> {
        let heard = BroadcastStream::new(self.speak.subscribe());
        let history = tokio_stream::iter(self.history().into_iter().map(Ok));
        let (room, mut said) = (self.clone(), request.into_inner());
        oxprof::spawn(async move {
            while let Ok(Some(line)) = said.message().await {
                room.deliver(line);
            }
        });
        let lagging = |_| Status::resource_exhausted("you listen too slowly");
        Ok(Response::new(Box::pin(history.chain(heard.map(move |line| line.map_err(lagging))))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rude_words_get_stars() {
        assert_eq!(moderate("oh Darn, what a heckler"), "oh ***** what a heckler");
    }

    #[test]
    fn late_comers_hear_the_end_of_the_talk() {
        let room = Room::default();
        for i in 0..=HISTORY {
            room.deliver(Line { who: "a".into(), text: i.to_string() });
        }
        let history = room.history();
        assert_eq!((history.len(), history[0].text.as_str()), (HISTORY, "1"));
    }
}
