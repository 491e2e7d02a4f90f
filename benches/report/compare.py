#!/usr/bin/env python3
"""Reports as whole processes, oxprof beside `go tool pprof`.

    cargo build --release --bin pprof       (in the workspace)
    cargo build --release                   (here)
    ./compare.py [--runs N] [--big] [--case TEXT]

Prints CPU seconds (user + system) and peak memory of each, best of N runs taken in turns, and the ratios.
Profiles have 100,000 samples; `--big` adds those of a million, which take the peer minutes each. Both
programs must print the same, or the row says so. Files are made once in target/profiles.
"""
import argparse
import filecmp
import os
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "target", "profiles")
OURS = os.path.join(HERE, "..", "..", "target", "release", "pprof")
ENVIRONMENT = {"HOME": DATA, "PPROF_TMPDIR": DATA, "TZ": "UTC", "PATH": "/nonexistent"}


def measure(command, out):
    """CPU seconds and peak MB of a command; None if it fails."""
    with open(out, "wb") as stdout, open(os.devnull, "wb") as null:
        process = subprocess.Popen(command, stdout=stdout, stderr=null, env=ENVIRONMENT)
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
            seen[name].append(measure(command, os.path.join(DATA, f"out.{name}")))
    return {
        name: None if None in results else tuple(min(column) for column in zip(*results))
        for name, results in seen.items()
    }


def synth(name, samples, functions, seed):
    path = os.path.join(DATA, name)
    if not os.path.exists(path):
        subprocess.run([f"{HERE}/target/release/synth", str(samples), str(functions), str(seed), path], check=True)
    return path


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
    os.makedirs(DATA, exist_ok=True)
    go = None
    if shutil.which("go"):
        go = subprocess.run(["go", "tool", "-n", "pprof"], check=True, capture_output=True, text=True).stdout.strip()
    else:
        print("go is not installed: its rows are missing")
    print(f"{'case':22} {'program':8} {'CPU s':>8} {'peak MB':>8}   oxprof uses")
    for case, arguments, ask_peer in cases(options.big):
        if options.case not in case:
            continue
        commands = {"oxprof": [OURS, "-symbolize=none", *arguments]}
        if go and ask_peer:
            commands["go"] = [go, "-symbolize=none", *arguments]
        results = best(commands, options.runs)
        for name, result in results.items():
            if result is None:
                print(f"{case:22} {name:8} failed")
                continue
            ratio = ""
            if name == "go" and results["oxprof"]:
                cpu, memory = (theirs / max(ours, 0.001) for theirs, ours in zip(result, results["oxprof"]))
                ratio = f"   1/{cpu:.0f} CPU, 1/{memory:.1f} memory"
                if not filecmp.cmp(*(os.path.join(DATA, f"out.{n}") for n in commands), shallow=False):
                    ratio += ", and prints something else"
            print(f"{case:22} {name:8} {result[0]:8.2f} {result[1]:8.0f}{ratio}", flush=True)


if __name__ == "__main__":
    main()
