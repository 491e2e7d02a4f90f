#!/usr/bin/env bash
# How much of the CPU of a service of HTTP goes into keeping a trace, by perf's samples of it, which tells a tenth of a
# percent where run.sh tells some: for each size of requests, the share of hooks, clocks and the recorder's thread. What
# hooks do is subtracted that they do without a trace, and what they push out of caches is not seen.
set -euo pipefail
cd "$(dirname "$0")"
cargo build --quiet --release
bin=${CARGO_TARGET_DIR:-target}/release
rounds=${ROUNDS:-4}
samples=$(mktemp)
trap 'rm -f "$samples"' EXIT
for pages in ${PAGES:-1 5 10 20}; do
  for _ in $(seq "$rounds"); do
    for mode in off trace; do
      cpu=$(perf record --quiet -e cpu-clock -F 5000 -o "$samples" "$bin/carries" "$mode" http "$pages" 2>/dev/null | cut -d' ' -f1)
      perf script -i "$samples" -F comm,ip,sym,dso 2>/dev/null | awk -v mode="$mode" -v cpu="$cpu" '
        # The threads of the service, not those of its client.
        $1 ~ /^oxprof/ { all++; ours++ }
        $1 ~ /^tokio/ {
          all++
          is_hook = /oxprof::|oxprof_unwind| recv \(| epoll_wait \(/ && /\/carries\)/
          if (is_hook || /vdso/ || /clock_gettime/ || /fcntl/) ours++
        }
        END { print mode, cpu, ours, all }'
    done
  done | awk -v pages="$pages" '
    { cpu[$1] += $2; rounds[$1]++; share[$1] += $3; all[$1] += $4 }
    END {
      off = share["off"] / all["off"]; on = share["trace"] / all["trace"]
      printf "requests of %6.1f us: %.1f %% more CPU\n", cpu["off"] / rounds["off"] / 1000, 100 * (on - off) / (1 - on)
    }'
done
