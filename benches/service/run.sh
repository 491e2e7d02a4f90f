#!/usr/bin/env bash
# What it costs a service to carry profiles: linked and off, enabled and idle, under attack; beside the same service
# without. Then what a measured call costs.
set -euo pipefail
cd "$(dirname "$0")"
cargo build --quiet --release
bin=${CARGO_TARGET_DIR:-target}/release
rounds=${ROUNDS:-15}
programs=(
  "bare|$bin/bare"
  "linked, off, no heap samples|env OXPROF_HEAP_RATE=0 $bin/carries off"
  "linked, off|$bin/carries off"
  "enabled, idle|$bin/carries idle"
  "off, but a trace is kept|$bin/carries trace"
  "under attack|$bin/carries attack"
)
for _ in $(seq "$rounds"); do
  for program in "${programs[@]}"; do
    echo "${program%%|*}|$(${program#*|} | tr ' ' '|')"
  done
done >"$bin/rounds.txt"
# Medians over the rounds, in which all take turns.
sort -t'|' -k1,1 -k2,2n "$bin/rounds.txt" | awk -F'|' '
  { cpu[$1, ++n[$1]] = $2; fifty[$1, n[$1]] = $3; ninety[$1, n[$1]] = $4; if (!($1 in seen)) { seen[$1]; order[++k] = $1 } }
  function median(values, name, i, j, m, t, list) {
    m = n[name]
    for (i = 1; i <= m; i++) list[i] = values[name, i]
    for (i = 2; i <= m; i++) { t = list[i]; for (j = i - 1; j >= 1 && list[j] > t; j--) list[j + 1] = list[j]; list[j + 1] = t }
    return list[int((m + 1) / 2)]
  }
  END {
    b = median(cpu, "bare"); f = median(fifty, "bare"); t = median(ninety, "bare")
    for (i = 1; i <= k; i++)
      printf "%-30s CPU of a request %6d ns %6.3fx   p50 %6.3fx   p99 %6.3fx\n", order[i], median(cpu, order[i]), median(cpu, order[i]) / b, median(fifty, order[i]) / f, median(ninety, order[i]) / t
  }'
"$bin/calls"
