#!/usr/bin/env bash
# What the heap profiler costs: a pair of calls, then a program that allocates like a service. First, that it knows how
# to ask allocators what they hold.
set -euo pipefail
cd "$(dirname "$0")"
cargo build --quiet --release
bin=${CARGO_TARGET_DIR:-target}/release

"$bin/totals-jemalloc"
"$bin/totals-mimalloc"

_RJEM_MALLOC_CONF=prof:true,prof_active:false,lg_prof_sample:19 "$bin/pairs"

# Least CPU milliseconds of each program over many rounds, in which all take turns.
rounds=${ROUNDS:-15}
programs=(
  "bare|env $bin/service-bare"
  "oxprof, off|env OXPROF_HEAP_RATE=0 $bin/service-oxprof"
  "oxprof, 512 KiB|env OXPROF_HEAP_RATE=524288 $bin/service-oxprof"
  "oxprof, 64 KiB|env OXPROF_HEAP_RATE=65536 $bin/service-oxprof"
  "jemalloc|env $bin/service-jemalloc"
  "jemalloc, own, 512 KiB|env _RJEM_MALLOC_CONF=prof:true,lg_prof_sample:19 $bin/service-jemalloc"
  "jemalloc, oxprof, 512 KiB|env OXPROF_HEAP_RATE=524288 $bin/service-jemalloc-oxprof"
)
for _ in $(seq "$rounds"); do
  for program in "${programs[@]}"; do
    echo "${program%%|*}|$(${program#*|})"
  done
done >"$bin/rounds.txt"
echo "dhat|$(env "$bin/service-dhat")" >>"$bin/rounds.txt"
awk -F'|' '
  !($1 in least) { order[++n] = $1; least[$1] = $2 }
  $2 < least[$1] { least[$1] = $2 }
  END {
    for (i = 1; i <= n; i++)
      printf "service  %-26s %8.1f ms  %6.3fx\n", order[i], least[order[i]] / 1e6, least[order[i]] / least["bare"]
  }' "$bin/rounds.txt"
