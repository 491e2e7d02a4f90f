//! The page, from the outside: by its URLs, and in a browser.

mod http;
mod keys;
mod live;
mod page;
mod support;
mod trace;
mod urls;
