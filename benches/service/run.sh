#!/usr/bin/env bash
# What it costs services to carry profiles: linked and off, enabled and idle, under attack, keeping a trace; beside the
# same services without. Then what a measured call costs.
set -euo pipefail
cd "$(dirname "$0")"
cargo build --quiet --release
bin=${CARGO_TARGET_DIR:-target}/release
rounds=${ROUNDS:-15}
programs=(
  "queue: bare|$bin/bare queue"
  "queue: linked, off, no heap samples|env OXPROF_HEAP_RATE=0 $bin/carries off queue"
  "queue: linked, off|$bin/carries off queue"
  "queue: enabled, idle|$bin/carries idle queue"
  "queue: off, but a trace is kept|$bin/carries trace queue"
  "queue: under attack|$bin/carries attack queue"
  "http: bare|$bin/bare http 1"
  "http: linked, off|$bin/carries off http 1"
  "http: enabled, idle|$bin/carries idle http 1"
  "http: off, but a trace is kept|$bin/carries trace http 1"
  "ten pages: bare|$bin/bare http 10"
  "ten pages: off, but a trace is kept|$bin/carries trace http 10"
)
for _ in $(seq "$rounds"); do
  for program in "${programs[@]}"; do
    echo "${program%%|*}|$(${program#*|} | tr ' ' '|')"
  done
done >"$bin/rounds.txt"
# Medians over the rounds, in which all take turns: of the CPU of a request, and of what each figure is to that of the
# same round's service without.
awk -F'|' '
  { service = $1; sub(/:.*/, "", service) }
  $1 ~ /: bare$/ { for (i = 2; i <= 4; i++) bare[service, i] = $i }
  {
    if (!($1 in rounds)) order[++programs] = $1
    n = ++rounds[$1]
    cpu[$1, n] = $2
    for (i = 2; i <= 4; i++) ratio[i, $1, n] = $i / bare[service, i]
  }
  function median(values, name, n, i, j, t, list) {
    for (i = 1; i <= n; i++) {
      t = values[name, i]
      for (j = i - 1; j >= 1 && list[j] > t; j--) list[j + 1] = list[j]
      list[j + 1] = t
    }
    return list[int((n + 1) / 2)]
  }
  END {
    for (p = 1; p <= programs; p++) {
      name = order[p]; n = rounds[name]
      printf "%-36s CPU of a request %6d ns", name, median(cpu, name, n)
      printf " %6.3fx   p50 %6.3fx   p99 %6.3fx\n", median(ratio, 2 SUBSEP name, n), median(ratio, 3 SUBSEP name, n), median(ratio, 4 SUBSEP name, n)
    }
  }' "$bin/rounds.txt"
"$bin/calls"
