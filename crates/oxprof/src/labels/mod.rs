//! Labels: what a program says about what it is doing, on the samples of every profile.
//!
//! ```
//! use oxprof::labels::{self, LabelFuture, Labels};
//!
//! // For the life of a guard.
//! let _request = labels::scope([("tenant", "acme"), ("route", "/checkout")]);
//!
//! // For the length of a call, added to the labels in force.
//! labels::with([("shard", 7)], || {
//!     assert_eq!(labels::current().get("shard"), Some(7.into()));
//!     assert_eq!(labels::current().get("tenant"), Some("acme".into()));
//! });
//!
//! // Prepared, for places that run often: entering costs nanoseconds.
//! const PARSE: Labels = Labels::from_static(&[("phase", "parse")]);
//! PARSE.run(|| { /* … */ });
//!
//! // Other threads and tasks have the labels that they are given.
//! let thread = std::thread::spawn(labels::inherit(|| labels::current()));
//! assert_eq!(thread.join().unwrap().get("tenant"), Some("acme".into()));
//! let request = async { /* … */ }.labeled(labels::current());
//! # drop(request);
//! ```
//!
//! A label is a key and a value, which is text or a number. An inner scope adds to the outer ones, and wins where keys
//! are equal. Tools show them (`-tags`), and filter and split by them (`-tagfocus`, `-tagroot`).
//!
//! # What it costs
//! Entering and leaving a prepared set takes a few nanoseconds, whatever it holds; making one allocates three
//! times. Samples carry the number of a set, so a set takes room when it is first sampled, not when it is
//! made: a program may make millions of them. Room is for some hundred thousand different sets and values over the life of
//! the process, in at most 24 MiB; samples with others have the label `labels` with the value `[lost]`.
//! So do give requests their own labels while looking for something, but not for ever.
//!
//! # Limits
//! Samples have at most 16 labels, the innermost if there are more. Text of more than 256 bytes is cut, which the end
//! `…` shows. Labels with an empty key are left out: profiles cannot express them.

mod future;
mod scopes;
mod set;
mod table;

pub use future::{LabelFuture, Labeled};
pub use scopes::Scope;
pub use set::{Labels, Value};

pub(crate) use scopes::sample;
pub(crate) use table::{LabelsId, Resolved, get};

/// Puts labels in force in this thread until the guard is dropped.
///
/// In async code use [`LabelFuture::labeled`]: a guard that is held while waiting labels whatever else the thread does
/// meanwhile.
pub fn scope<'v, K: AsRef<str>, V: Into<Value<'v>>>(
    labels: impl IntoIterator<Item = (K, V)>,
) -> Scope {
    scopes::enter(Labels::new(labels))
}

/// Runs `f` with labels in force.
pub fn with<'v, K: AsRef<str>, V: Into<Value<'v>>, R>(
    labels: impl IntoIterator<Item = (K, V)>,
    f: impl FnOnce() -> R,
) -> R {
    Labels::new(labels).run(f)
}

/// The labels in force in this thread.
pub fn current() -> Labels {
    scopes::current()
}

/// Whether there are any scopes in this thread.
#[inline]
pub(crate) fn are_in_force() -> bool {
    scopes::are_in_force()
}

/// A function that calls `f` with the labels that are in force now, for another thread to do.
pub fn inherit<R>(f: impl FnOnce() -> R) -> impl FnOnce() -> R {
    let labels = current();
    move || labels.run(f)
}
