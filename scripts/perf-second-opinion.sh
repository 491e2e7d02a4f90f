#!/usr/bin/env bash
# Our CPU profile beside perf's of the same work: the shares of the busiest functions, in percent.
# Needs perf and permission to use it. Exits with 1 if a share differs by more than LIMIT points.
#
#   scripts/perf-second-opinion.sh [ROUNDS] [LIMIT]
set -euo pipefail
cd "$(dirname "$0")/../benches/cpu"
rounds=${1:-30000} limit=${2:-4}
command -v perf >/dev/null || { echo "skipped: no perf"; exit 0; }
cargo build --quiet --release --bin second_opinion
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
perf record -q -e cpu-clock:u -F 997 -o "$dir/perf.data" target/release/second_opinion "$rounds" >"$dir/ours" ||
  { echo "skipped: perf may not record here"; exit 0; }
perf report -i "$dir/perf.data" --stdio --no-children -F overhead,sym -w 0,0 2>/dev/null >"$dir/perf"

python3 - "$dir/ours" "$dir/perf" "$limit" <<'PYTHON'
import re, sys
ours = dict((name, float(share)) for share, name in (l.rstrip("\n").split(" ", 1) for l in open(sys.argv[1])))
perf = {}
for line in open(sys.argv[2]):
    if match := re.match(r"\s*([\d.]+)%\s+\[[.k]\]\s+(.*?)\s*$", line):
        # perf demangles with the hash of legacy names and without the first angle bracket's quirks.
        name = re.sub(r"::h[0-9a-f]{16}$", "", match[2])
        name = "?" if name.startswith("0x") else name
        perf[name] = perf.get(name, 0) + float(match[1])
worst = 0.0
print(f"{'ours':>7} {'perf':>7}  function")
for name, share in sorted(ours.items(), key=lambda row: -row[1])[:15]:
    if name not in perf:
        print(f"{share:7.1f} {'':>7}  {name}")
        continue
    worst = max(worst, abs(share - perf[name]))
    print(f"{share:7.1f} {perf[name]:7.1f}  {name}")
print(f"largest difference: {worst:.1f} points")
sys.exit(worst > float(sys.argv[3]))
PYTHON
