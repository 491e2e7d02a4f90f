#!/usr/bin/env python3
"""Whole processes side by side: oxprof-profile, `go tool pprof`, and a prost-generated decoder.

    cargo build --release && ./compare.py [--runs N] [--quick]

Prints CPU seconds (user + system) and peak memory of each, best of N runs taken in turns, and the ratios.
`--quick` uses a tenth of the samples. Files are made once in target/profiles.
"""
import argparse, os, shutil, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.path.join(HERE, "target", "release")
DATA = os.path.join(HERE, "target", "profiles")


def measure(command):
    """CPU seconds and peak MB of a command; None if it fails."""
    with open(os.devnull, "w") as null:
        process = subprocess.Popen(command, stdout=null, stderr=null, env={**os.environ, "PPROF_TMPDIR": DATA})
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = 0  # reaped above
    if status != 0:
        return None
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def best(commands, runs):
    """Best CPU and memory of each command, the commands taking turns."""
    seen = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            seen[name].append(measure(command))
    return {
        name: None if None in results else (min(r[0] for r in results), min(r[1] for r in results))
        for name, results in seen.items()
    }


def synth(name, samples, functions, seed):
    path = os.path.join(DATA, name)
    if not os.path.exists(path):
        subprocess.run([f"{BIN}/synth", str(samples), str(functions), str(seed), path], check=True)
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    os.makedirs(DATA, exist_ok=True)
    tenth = 10 if options.quick else 1
    kind = "quick-" if options.quick else ""
    big = synth(f"{kind}big.pb.gz", 1_000_000 // tenth, 100_000 // tenth, 1)
    parts = [synth(f"{kind}part{i}.pb.gz", 100_000 // tenth, 10_000 // tenth, 100 + i) for i in range(10)]
    out = os.path.join(DATA, "out.pb.gz")
    go = ["go", "tool", "pprof", "-proto", "-symbolize=none", f"-output={out}"]
    cases = {
        "rewrite": {"oxprof": [f"{BIN}/rewrite", big, out], "go": go + [big]},
        "merge of 10": {"oxprof": [f"{BIN}/rewrite", *parts, out], "go": go + parts},
        "decode": {"oxprof": [f"{BIN}/rewrite", "--decode", big], "prost": [f"{BIN}/prost", big]},
    }
    if not shutil.which("go"):
        print("go is not installed: its columns are missing")
        for commands in cases.values():
            commands.pop("go", None)
    print(f"{'case':12} {'program':8} {'CPU s':>8} {'peak MB':>8}   oxprof uses")
    for case, commands in cases.items():
        results = best(commands, options.runs)
        own = results["oxprof"]
        for name, result in results.items():
            if result is None:
                print(f"{case:12} {name:8} failed")
                continue
            ratio = "" if name == "oxprof" else f"   1/{result[0] / own[0]:.1f} CPU, 1/{result[1] / own[1]:.1f} memory"
            print(f"{case:12} {name:8} {result[0]:8.2f} {result[1]:8.0f}{ratio}")


if __name__ == "__main__":
    main()
