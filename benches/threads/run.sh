#!/usr/bin/env bash
# Dumps of 10 to 5000 threads that say where they wait, and of the same threads by signals; what our pthread_create costs;
# what wall-clock profiles cost.
set -euo pipefail
cd "$(dirname "$0")"
target=${CARGO_TARGET_DIR:-target}
cargo build --quiet --release --target-dir "$target"
cargo build --quiet --release --target-dir "$target/signals" --no-default-features
for round in 1 2; do
  "$target/release/dump"
  "$target/signals/release/dump"
done
for round in 1 2 3; do
  "$target/release/create"
  "$target/signals/release/create"
done
"$target/release/wall"
