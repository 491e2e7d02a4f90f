#!/usr/bin/env bash
# What locks, condition variables and channels cost with profiles of contention: linked and off, once threads have been
# dumped, on at the rates for all the time, on for every wait; each as a ratio to the same program without.
# ROUNDS says how many rounds; arguments name scenarios.
set -euo pipefail
cd "$(dirname "$0")"
cargo build --quiet --release
exec "${CARGO_TARGET_DIR:-target}/release/compare" "$@"
