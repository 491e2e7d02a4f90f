//! The messages, and the client and server that `build.rs` writes.

/// Something that somebody says.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Line {
    #[prost(string, tag = "1")]
    pub who: String,
    #[prost(string, tag = "2")]
    pub text: String,
}

/// What came of it.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Receipt {
    /// How many heard it.
    #[prost(uint32, tag = "1")]
    pub heard_by: u32,
}

#[expect(clippy::allow_attributes, unused_qualifications, reason = "not written by hand")]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/chat.Chat.rs"));
}

pub use generated::{chat_client, chat_server};
