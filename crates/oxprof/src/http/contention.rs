//! What requests for profiles of contention may ask for, beyond what all profiles take.

use crate::NamedProfile;
use crate::contention::{self, BlockView, Sampling, Started};

/// Nanoseconds for each sample of `block`, and waits for each of `mutex`, while a request waits that does not say, if the
/// program does not sample by itself.
const DEFAULT_RATE: u64 = 10_000;
const DEFAULT_FRACTION: u64 = 10;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ContentionQuery {
    /// Of a profile of something else.
    None,
    Block {
        rate: Option<u64>,
        view: BlockView,
    },
    /// Of `mutex` or `wakeup`.
    Wakes {
        fraction: Option<u64>,
    },
}

impl ContentionQuery {
    /// For the profile of this name, as long as nothing is asked for.
    pub(super) fn new(name: &str) -> Self {
        match name {
            "block" => Self::Block { rate: None, view: BlockView::default() },
            "mutex" | "wakeup" => Self::Wakes { fraction: None },
            _ => Self::None,
        }
    }

    /// Reads a parameter; false if it is none of ours. Empty values count as absent.
    pub(super) fn read(&mut self, key: &str, value: &str) -> Result<bool, String> {
        match (self, key) {
            (Self::Block { rate, .. }, "rate") => *rate = number(key, value)?,
            (Self::Block { view, .. }, "all") => view.outside = flag(key, value)?,
            (Self::Block { view, .. }, "pending") => view.pending = flag(key, value)?,
            (Self::Wakes { fraction }, "fraction") => *fraction = number(key, value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// What to say of a parameter that the profile does not take.
    pub(super) fn unknown(&self, key: &str) -> String {
        let takes = match self {
            Self::None => "profiles take ",
            Self::Block { .. } => "it takes \"rate\", \"all\", \"pending\", ",
            Self::Wakes { .. } => "it takes \"fraction\", ",
        };
        format!("unknown parameter {key:?} - {takes}\"debug\", \"gc\", \"seconds\" and \"delta\"")
    }

    /// The parameter that says how finely to sample, if it is there: it makes no difference to what was sampled already.
    pub(super) fn rate_parameter(&self) -> Option<&'static str> {
        match self {
            Self::Block { rate: Some(_), .. } => Some("rate"),
            Self::Wakes { fraction: Some(_) } => Some("fraction"),
            _ => None,
        }
    }

    /// The profile that shows what was asked for.
    pub(super) fn profile(&self, named: NamedProfile) -> NamedProfile {
        match *self {
            Self::Block { view, .. } => contention::block(view).unwrap_or(named),
            _ => named,
        }
    }

    /// Samples as asked for until what this returns is dropped.
    pub(super) fn start(&self) -> Option<Started> {
        let or_default = |asked: Option<u64>, set, default| {
            asked.unwrap_or(if set == 0 { default } else { set })
        };
        let sampling = match *self {
            Self::None => return None,
            Self::Block { rate, view } => {
                let rate = or_default(rate, contention::block_profile_rate(), DEFAULT_RATE);
                let sampling = Sampling::new().block(rate);
                if view.outside { sampling.outside() } else { sampling }
            }
            Self::Wakes { fraction } => {
                let set = contention::mutex_profile_fraction();
                Sampling::new().mutex(or_default(fraction, set, DEFAULT_FRACTION))
            }
        };
        Some(sampling.start())
    }
}

fn number(key: &str, value: &str) -> Result<Option<u64>, String> {
    if value.is_empty() {
        return Ok(None);
    }
    let number = value.parse().ok().filter(|number| *number > 0);
    number
        .map(Some)
        .ok_or_else(|| format!("invalid value for {key:?} - must be a positive integer"))
}

fn flag(key: &str, value: &str) -> Result<bool, String> {
    match value {
        "" | "0" => Ok(false),
        "1" => Ok(true),
        _ => Err(format!("invalid value for {key:?} - must be 0 or 1")),
    }
}
