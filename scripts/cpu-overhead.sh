#!/usr/bin/env bash
# What CPU profiling costs, beside the pprof crate: a fixed amount of work under each profiler, side by side
# in one run. Prints medians of the ratios to the unprofiled run next to it, and how many of the samples that the
# rate promises were got. Takes some minutes, most of them to build the peer three times.
#
#   scripts/cpu-overhead.sh [RUNS] [ROUNDS]
set -euo pipefail
cd "$(dirname "$0")/../benches/cpu"
runs=${1:-15} rounds=${2:-4000}

declare -A features=([default]=peer [framehop]=peer-framehop [frame-pointer]=peer-frame-pointer)
cargo build --quiet --release --bin overhead
for variant in "${!features[@]}"; do
  CARGO_TARGET_DIR=target/peer-$variant cargo build --quiet --release --bin overhead --features "${features[$variant]}" ||
    echo "cannot build the peer with ${features[$variant]}: left out" >&2
done

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# A peer that hangs or crashes is a result, too: it counts as a failure.
run() {
  local name=$1 binary=$2 profiler=$3 hz=$4
  [ -x "$binary" ] || return 0
  echo "$i $name $hz $(timeout 120 "$binary" "$profiler" "$hz" "$rounds" 2>/dev/null || echo failed)" >>"$log"
}
for ((i = 0; i < runs; i++)); do
  run off target/release/overhead off 0
  for hz in 100 1000; do
    run oxprof target/release/overhead oxprof $hz
    for variant in "${!features[@]}"; do
      run "pprof $variant" "target/peer-$variant/release/overhead" peer $hz
    done
  done
done

python3 - "$log" <<'PYTHON'
import statistics, sys, collections
base, runs, failures = {}, collections.defaultdict(list), collections.Counter()
for line in open(sys.argv[1]):
    run, *rest = line.split()
    if rest[-1] == "failed":
        failures[" ".join(rest[:-2]), int(rest[-2])] += 1
        continue
    *name, hz, process, workers, samples = rest
    name, hz = " ".join(name), int(hz)
    if name == "off":
        base[run] = float(process), float(workers)
    else:
        runs[name, hz].append((run, float(process), float(workers), int(samples)))
print(f"{'profiler':22} {'hz':>5} {'workers':>8} {'process':>8} {'samples got':>12}  failed")
for (name, hz), rows in sorted(runs.items(), key=lambda r: (r[0][1], r[0][0])):
    median = lambda values: statistics.median(values)
    workers = median([w / base[r][1] for r, _, w, _ in rows])
    process = median([p / base[r][0] for r, p, _, _ in rows])
    got = median([s / (w * hz) for _, _, w, s in rows])
    print(f"{name:22} {hz:5} {workers:8.4f} {process:8.4f} {got:12.2f}  {failures[name, hz]}")
for (name, hz), count in failures.items():
    if (name, hz) not in runs:
        print(f"{name:22} {hz:5} {'':8} {'':8} {'':12}  {count}")
PYTHON
