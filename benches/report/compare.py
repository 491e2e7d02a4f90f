#!/usr/bin/env python3
"""Reports as whole processes, oxprof beside `go tool pprof`.

    cargo build --release --bin pprof       (in the workspace)
    cargo build --release                   (in benches/profile)
    ./compare.py [--runs N] [--big] [--case TEXT]

Prints CPU seconds (user + system), wall seconds and peak memory of each, medians of N runs taken in turns, and
the ratios. Profiles have 100,000 samples; `--big` adds those of a million, which take the peer minutes each.
Both programs must print the same, or the row says so. Files are made once in ../profile/target/profiles.
"""
import argparse
import filecmp
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from measure import PPROF, go_pprof, head, output, row, synth


def cases(big):
    """Name and arguments of each run, and whether the peer is asked, too."""
    tiny = synth("tiny.pb.gz", 4, 10, 1)
    yield "start", ["-top", tiny], True
    for size, samples in [("100k", 100_000), ("1M", 1_000_000)][: 2 if big else 1]:
        profile = synth(f"{size}.pb.gz", samples, samples // 10, 1)
        other = synth(f"{size}-other.pb.gz", samples, samples // 10, 2)
        yield f"{size} top", ["-top", profile], True
        yield f"{size} top -cum -lines", ["-top", "-cum", "-lines", profile], True
        yield f"{size} tree", ["-tree", profile], True
        yield f"{size} dot", ["-dot", profile], True
        yield f"{size} diff", ["-top", f"-diff_base={other}", profile], True
        # The peer holds the whole text in memory, more than 9 GB of it for a million samples.
        yield f"{size} traces", ["-traces", profile], samples <= 100_000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--big", action="store_true")
    parser.add_argument("--case", default="")
    options = parser.parse_args()
    go = go_pprof()
    head()
    is_same = lambda: filecmp.cmp(output("oxprof"), output("go"), shallow=False)
    for case, arguments, ask_peer in cases(options.big):
        if options.case in case:
            commands = {"oxprof": [PPROF, "-symbolize=none", *arguments]}
            if go and ask_peer:
                commands["go"] = [go, "-symbolize=none", *arguments]
            row(case, commands, options.runs, lambda: "" if is_same() else ", and prints something else")


if __name__ == "__main__":
    main()
