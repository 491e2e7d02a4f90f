//! Stack walking from compact tables, safe inside a signal handler.
