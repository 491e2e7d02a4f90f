"""What benchmarks of whole processes share: synthetic profiles, measuring, and the table."""
import os
import shutil
import statistics
import subprocess
import time

BENCHES = os.path.dirname(os.path.abspath(__file__))
BIN = os.path.join(BENCHES, "profile", "target", "release")
DATA = os.path.join(BENCHES, "profile", "target", "profiles")
PPROF = os.path.join(BENCHES, "..", "target", "release", "pprof")
ENVIRONMENT = {"HOME": DATA, "PPROF_TMPDIR": DATA, "TZ": "UTC", "PATH": "/nonexistent"}


def go_pprof():
    """The path of Go's tool; None, and a remark, without it."""
    if not shutil.which("go"):
        print("go is not installed: its rows are missing")
        return None
    found = subprocess.run(["go", "tool", "-n", "pprof"], check=True, capture_output=True, text=True)
    return found.stdout.strip()


def synth(name, samples, functions, seed):
    """A synthetic profile, made once."""
    os.makedirs(DATA, exist_ok=True)
    path = os.path.join(DATA, name)
    if not os.path.exists(path):
        subprocess.run([f"{BIN}/synth", str(samples), str(functions), str(seed), path], check=True)
    return path


def output(name):
    """Where the last output of the program of that name is."""
    return os.path.join(DATA, f"out.{name}")


def once(name, command):
    """CPU seconds, wall seconds and peak MB of a command; None if it fails."""
    start = time.monotonic()
    with open(output(name), "wb") as stdout, open(os.devnull, "wb") as null:
        process = subprocess.Popen(command, stdout=stdout, stderr=null, env=ENVIRONMENT)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = 0  # reaped above
    if status != 0:
        return None
    return usage.ru_utime + usage.ru_stime, time.monotonic() - start, usage.ru_maxrss / 1024


def medians(commands, runs):
    """Medians of what `once` gives for each command, the commands taking turns."""
    seen = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            seen[name].append(once(name, command))
    return {
        name: None if None in results else tuple(statistics.median(column) for column in zip(*results))
        for name, results in seen.items()
    }


def head():
    print(f"{'case':22} {'program':8} {'CPU s':>8} {'wall s':>8} {'peak MB':>8}   oxprof uses", flush=True)


def row(case, commands, runs, remark=lambda: ""):
    """Measures and prints; the first command is ours. `remark` is added to the rows of peers."""
    results = medians(commands, runs)
    own = results[next(iter(commands))]
    for name, result in results.items():
        if result is None:
            print(f"{case:22} {name:8} failed", flush=True)
            continue
        ratio = ""
        if own and result is not own:
            cpu, wall, memory = (theirs / max(ours, 0.001) for theirs, ours in zip(result, own))
            ratio = f"   1/{cpu:.1f} CPU, 1/{wall:.1f} wall, 1/{memory:.1f} memory{remark()}"
        print(f"{case:22} {name:8} {result[0]:8.2f} {result[1]:8.2f} {result[2]:8.0f}{ratio}", flush=True)
