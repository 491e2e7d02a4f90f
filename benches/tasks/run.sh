#!/usr/bin/env bash
# What labels cost, what profiled tasks cost, and how long it takes to show all of them; then tokio's own dump.
set -euo pipefail
cd "$(dirname "$0")"
cargo build --quiet --release
bin=${CARGO_TARGET_DIR:-target}/release
"$bin/labels"
"$bin/polls"
"$bin/dump"
RUSTFLAGS="--cfg tokio_unstable" CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/taskdump" \
  cargo run --quiet --release --features taskdump --bin dump-tokio
