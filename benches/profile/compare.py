#!/usr/bin/env python3
"""Reading, writing and merging as whole processes: oxprof, `go tool pprof`, and a prost-generated decoder.

    cargo build --release --bin pprof       (in the workspace)
    cargo build --release                   (here)
    ./compare.py [--runs N] [--quick]

Prints CPU seconds (user + system), wall seconds and peak memory of each, medians of N runs taken in turns, and
the ratios. `--quick` uses a tenth of the samples. Files are made once in target/profiles.
"""
import argparse
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from measure import BIN, PPROF, go_pprof, head, output, row, synth


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    tenth, kind = (10, "quick-") if options.quick else (1, "")
    big = synth(f"{kind}big.pb.gz", 1_000_000 // tenth, 100_000 // tenth, 1)
    parts = [synth(f"{kind}part{i}.pb.gz", 100_000 // tenth, 10_000 // tenth, 100 + i) for i in range(10)]
    go = go_pprof()
    head()
    for case, files in {"rewrite": [big], "merge of 10": parts}.items():
        arguments = ["-proto", "-symbolize=none", *files]
        commands = {"oxprof": [PPROF, *arguments]} | ({"go": [go, *arguments]} if go else {})
        sizes = lambda: f", writes {os.path.getsize(output('oxprof')) / os.path.getsize(output('go')):.2f} of its size"
        row(case, commands, options.runs, sizes)
    row("decode", {"oxprof": [f"{BIN}/decode", big], "prost": [f"{BIN}/prost", big]}, options.runs)


if __name__ == "__main__":
    main()
