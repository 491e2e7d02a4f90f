//! The crate through its public interface, in one binary because linking many takes long.

mod codec;
mod legacy;
mod perf;
mod properties;
mod random;
mod support;
