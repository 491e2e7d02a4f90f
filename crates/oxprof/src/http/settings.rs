//! What may change while requests are answered.

use std::time::Duration;

use super::limits::Limits;
use super::token::Token;

/// How the endpoints behave.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Whether anything is answered at all.
    pub(crate) is_enabled: bool,
    pub(super) token: Option<Token>,
    pub(super) limits: Limits,
    /// How long to take a CPU profile when the request does not say.
    pub(crate) cpu_duration: Duration,
    /// How often who keeps profiles of this program is to take one of its memory; for him to know.
    pub(crate) memory_interval: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            is_enabled: true,
            token: None,
            limits: Limits::default(),
            cpu_duration: Duration::from_secs(30),
            memory_interval: None,
        }
    }
}

impl Settings {
    pub(crate) fn set_token(&mut self, secret: Option<&str>) {
        self.token = secret.map(Token::new);
    }
}
