#!/usr/bin/env bash
# Checks the lock-free parts of the profilers under all interleavings that loom knows: rings, the gate that says
# when handlers' data may be freed, the tables of stacks and of live blocks, the buffers of execution traces.
set -euo pipefail
cd "$(dirname "$0")/.."
RUSTFLAGS="--cfg oxprof_loom" CARGO_TARGET_DIR=target/loom \
  cargo test --release -p oxprof --no-default-features --lib models
