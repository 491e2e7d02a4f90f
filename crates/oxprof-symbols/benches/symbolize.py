#!/usr/bin/env python3
"""Symbolization of whole profiles, side by side with the reference.

usage: symbolize.py OXPROF UNSYMBOLIZED BINARY[:COUNT]...

OXPROF is the command; UNSYMBOLIZED is this crate's example of that name. Makes a profile of COUNT
addresses (default 2000) of each BINARY and symbolizes it, in one run and as whole processes, with:
  oxprof          names, files, lines and inlined frames
  go              `go tool pprof`: a reader of its own, which knows no inlining and no split debug files
  pprof           google/pprof as it comes, with the tools that it finds
  pprof+llvm      the same with LLVM's tools alone, which it asks for one address after the other
  pprof+binutils  the same with addr2line, nm and objdump alone
google/pprof is used where $PPROF names it (`go install github.com/google/pprof@latest`). The best of
several runs counts, interleaved. `alone` is symbolization alone: what the process takes less what it takes
with `-symbolize=none`. `named` is how many locations got a function, `lined` how many a line:
who says less has less to do. Then the chains of functions, files and lines of oxprof are compared with
those of llvm-symbolizer. What is not installed is left out.
"""

import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

PATIENCE = 100
RUNS = 3
TOOLS = {
    "pprof+llvm": ["llvm-symbolizer", "llvm-nm", "llvm-objdump"],
    "pprof+binutils": ["addr2line", "nm", "objdump"],
}


def main():
    oxprof, unsymbolized = sys.argv[1:3]
    for argument in sys.argv[3:]:
        binary, _, count = argument.partition(":")
        with tempfile.TemporaryDirectory() as directory:
            measure(oxprof, unsymbolized, binary, count or "2000", directory)


def measure(oxprof, unsymbolized, binary, count, directory):
    profile = os.path.join(directory, "profile.pb")
    with open(profile, "wb") as out:
        subprocess.run([unsymbolized, binary, count], stdout=out, check=True)
    addresses = file_addresses(oxprof, profile, binary)
    print(f"{os.path.basename(binary)}: {os.path.getsize(binary) / 2**20:.1f} MiB, {len(addresses)} addresses")
    out = os.path.join(directory, "out.pb.gz")
    tasks = contestants(oxprof, directory)
    best, idle, said = {}, {}, {}
    for _ in range(RUNS):
        for name, (command, variables) in tasks.items():
            if name in best and best[name][1] > 20:
                continue
            rest = ["-proto", f"-output={out}", profile]
            spent = timed([*command, "-symbolize=none", *rest], variables)
            idle[name] = min(idle.get(name, spent), spent)
            spent = timed([*command, "-symbolize=local", *rest], variables)
            best[name] = min(best.get(name, spent), spent)
            said[name] = coverage(oxprof, out)
    base = best["oxprof"]
    alone = {name: max(0.001, cpu - idle[name][0]) for name, (cpu, _) in best.items()}
    for name, (cpu, wall) in best.items():
        ratio = "" if name == "oxprof" else f"{cpu / base[0]:8.1f}x cpu {wall / base[1]:7.1f}x wall"
        named, lined = said[name]
        if name != "oxprof":
            ratio += f" {alone[name] / alone['oxprof']:7.1f}x alone"
        times = f"{cpu:7.3f} s cpu {wall:7.3f} s wall {alone[name]:7.3f} s alone"
        print(f"  {name:15} {times} {named:6} named {lined:6} lined {ratio}", flush=True)
    if shutil.which("llvm-symbolizer"):
        compare(oxprof, profile, binary, addresses)


def contestants(oxprof, directory):
    tasks = {"oxprof": ([oxprof], {})}
    if shutil.which("go"):
        pprof = subprocess.run(["go", "tool", "-n", "pprof"], capture_output=True, text=True).stdout.strip()
        tasks["go"] = ([pprof], {})
    pprof = os.environ.get("PPROF")
    if pprof:
        tasks["pprof"] = ([pprof], {})
        for name, tools in TOOLS.items():
            paths = [shutil.which(tool) for tool in tools]
            if all(paths):
                only = os.path.join(directory, name)
                os.mkdir(only)
                for tool, path in zip(tools, paths):
                    os.symlink(path, os.path.join(only, tool))
                # What it does not find there it looks for in the path, LLVM's before others.
                tasks[name] = ([pprof], {"PPROF_TOOLS": only, "PATH": only})
    return tasks


def timed(command, variables):
    """CPU and wall seconds of a process and all that it starts."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        subprocess.run(command, **quiet, check=True, timeout=PATIENCE, env={**os.environ, **variables})
    except subprocess.TimeoutExpired:
        print(f"  gave up on {command[0]} after {PATIENCE} s; it takes at least:")
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, wall


def coverage(oxprof, profile):
    raw = subprocess.run([oxprof, "-raw", "-symbolize=none", profile], capture_output=True, text=True, check=True).stdout
    innermost = re.findall(r"^ +\d+: 0x\w+ M=1 (?:.* \S*:(\d+):\d+ s=|\S)", raw, re.M)
    return len(innermost), sum(line not in ("", "0") for line in innermost)


LLVM = ["llvm-symbolizer", "--functions=linkage", "--no-demangle", "--output-style=GNU", "-a"]


def file_addresses(oxprof, profile, binary):
    """The addresses of the profile as the binary states them."""
    raw = subprocess.run([oxprof, "-raw", "-symbolize=none", profile], capture_output=True, text=True, check=True).stdout
    mapping = re.search(r"^1: (0x\w+)/(0x\w+)/(0x\w+) ", raw, re.M)
    start, offset = int(mapping[1], 16), int(mapping[3], 16)
    listing = subprocess.run(["readelf", "-lW", binary], capture_output=True, text=True, check=True).stdout
    for line in listing.splitlines():
        words = line.split()
        if words[:1] == ["LOAD"] and int(words[1], 16) == offset:
            bias = int(words[2], 16) - start
            return [int(a, 16) + bias for a in re.findall(r"^ +\d+: (0x\w+) M=1", raw, re.M)]
    raise SystemExit(f"{binary} has no segment at offset {offset:#x}")


def symbol_addresses(binary):
    """Where each symbol is: different names of the same code are no difference."""
    notes = subprocess.run(["readelf", "-n", binary], capture_output=True, text=True).stdout
    build_id = re.search(r"Build ID: (\w\w)(\w+)", notes)
    files = [binary]
    if build_id:
        files.append(f"/usr/lib/debug/.build-id/{build_id[1]}/{build_id[2]}.debug")
    addresses = {}
    for file in files:
        for flags in ([], ["-D"]):
            listing = subprocess.run(["nm", *flags, file], capture_output=True, text=True).stdout
            for address, name in re.findall(r"^([0-9a-f]+) \w (.*)$", listing, re.M):
                addresses[name.split("@")[0]] = address
    return addresses


def same(ours, theirs, symbols):
    """LLVM repeats relative directories of units: `./stdlib/./stdlib/abort.c`. It calls assembly of Go by the name
    for the linker, and knows no file of what Go's compiler generated; Go itself shows both as oxprof does."""
    if len(ours) != len(theirs):
        return False
    for (name, file, line), (their_name, their_file, their_line) in zip(ours, theirs):
        aliases = name in symbols and symbols[name] == symbols.get(their_name)
        if not (name == their_name.removesuffix(".abi0") or aliases):
            return False
        if file == "<autogenerated>" and their_file == "??":
            continue
        if line != their_line or not their_file.endswith(file):
            return False
    return True


def compare(oxprof, profile, binary, addresses):
    flags = ["-raw", "-symbolize=local:demangle=none"]
    raw = subprocess.run([oxprof, *flags, profile], capture_output=True, text=True, check=True).stdout
    ours = []
    for line in raw[raw.index("Locations\n") :].splitlines()[1:]:
        if line.startswith("Mappings"):
            break
        start = re.match(r" +\d+: 0x\w+ M=1 ", line)
        if start:
            ours.append([])
            line = line[start.end() :]
        frame = re.match(r"(.*) (\S*):(\d+):\d+ s=", line.strip())
        if frame:
            name, file, number = frame.groups()
            ours[-1].append((name.strip(), file if number != "0" else "??", int(number)))
    answer = subprocess.run(LLVM + ["-e", binary], input="".join(f"{a:#x}\n" for a in addresses), capture_output=True, text=True, check=True).stdout
    theirs = []
    lines = iter(answer.splitlines())
    for line in lines:
        if re.fullmatch(r"0x[0-9a-f]+", line):
            theirs.append([])
        elif line:
            file, _, number = next(lines).split(" (disc")[0].rpartition(":")
            theirs[-1].append((line, file if number != "0" else "??", int(number)))
    symbols = symbol_addresses(binary)
    chains = zip(addresses, ours, theirs)
    different = [(a, o, t) for a, o, t in chains if not same(o, t, symbols)]
    share = 100 * (1 - len(different) / len(addresses))
    print(f"  {share:.2f} % of the chains are those of llvm-symbolizer, {len(different)} differ")
    for address, our, their in different[: int(os.environ.get("SHOW", "3"))]:
        print(f"    {address:#x}\n      oxprof {our}\n      llvm   {their}")


main()
