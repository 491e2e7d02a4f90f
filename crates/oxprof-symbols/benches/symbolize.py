#!/usr/bin/env python3
"""Symbolization of a whole profile, side by side with what people use today.

usage: symbolize.py OXPROF UNSYMBOLIZED BINARY [COUNT]

OXPROF is the command; UNSYMBOLIZED is this crate's example of that name. Makes a profile of COUNT
addresses of BINARY and measures, in one run and as whole processes:
  oxprof      names, files, lines and inlined frames
  go          go tool pprof, which knows no inlining
  addr2line   binutils, asked for one address after the other over a pipe, as google/pprof does
  llvm        llvm-symbolizer, likewise
Then compares the chains of functions, files and lines of oxprof with those of llvm-symbolizer.
Tools that are not installed are left out.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time


def main():
    oxprof, unsymbolized, binary = sys.argv[1:4]
    count = sys.argv[4] if len(sys.argv) > 4 else "2000"
    with tempfile.TemporaryDirectory() as directory:
        profile = os.path.join(directory, "profile.pb")
        with open(profile, "wb") as out:
            subprocess.run([unsymbolized, binary, count], stdout=out, check=True)
        addresses = file_addresses(oxprof, profile, binary)
        print(f"{os.path.basename(binary)}: {os.path.getsize(binary) >> 20} MiB, {len(addresses)} addresses")
        out = os.path.join(directory, "out")
        ours = [oxprof, "-symbolize=local", "-proto", f"-output={out}", profile]
        base = report("oxprof", *best_of(5, lambda: run(ours)), None)
        if shutil.which("go"):
            pprof = subprocess.run(["go", "tool", "-n", "pprof"], capture_output=True, text=True)
            theirs = [pprof.stdout.strip(), "-symbolize=local", "-proto", f"-output={out}", profile]
            report("go", *timed(lambda: run(theirs)), base)
        if shutil.which("addr2line"):
            command = ["addr2line", "-aif", "-e", binary]
            report("addr2line", *timed(lambda: ask(command, addresses, "0xffffffffffffffff")), base)
        if shutil.which("llvm-symbolizer"):
            command = LLVM + ["-e", binary]
            report("llvm", *timed(lambda: ask(command, addresses, "0xffffffffffffffff")), base)
            compare(oxprof, profile, binary, addresses)


LLVM = ["llvm-symbolizer", "--functions=linkage", "--no-demangle", "--output-style=GNU", "-a"]


PATIENCE = 60


def run(command):
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(command, **quiet, check=True, timeout=PATIENCE)


def timed(work):
    before, start = os.times(), time.perf_counter()
    try:
        work()
    except subprocess.TimeoutExpired:
        print(f"  gave up after {PATIENCE} s; at least:")
    after = os.times()
    cpu = after.children_user + after.children_system
    cpu -= before.children_user + before.children_system
    return cpu, time.perf_counter() - start


def best_of(times, work):
    work()
    return min(timed(work) for _ in range(times))


def report(name, cpu, wall, base):
    ratio = f"{cpu / base[0]:8.1f}x cpu {wall / base[1]:8.1f}x wall" if base else ""
    print(f"  {name:10} {cpu:8.3f} s cpu {wall:8.3f} s wall {ratio}", flush=True)
    return cpu, wall


def ask(command, addresses, sentinel):
    """One address at a time: the answer ends where that of the sentinel, which has none, starts."""
    tool = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    start = time.perf_counter()
    for address in addresses:
        if time.perf_counter() - start > PATIENCE:
            tool.kill()
            tool.wait()
            raise subprocess.TimeoutExpired(command, PATIENCE)
        tool.stdin.write(f"{address:#x}\n{sentinel}\n".encode())
        tool.stdin.flush()
        while b"0xffffffffffffffff" not in tool.stdout.readline():
            pass
        for _ in range(2):
            tool.stdout.readline()
    tool.stdin.close()
    tool.stdout.read()
    tool.wait()


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
    """LLVM repeats relative directories of units: `./stdlib/./stdlib/abort.c`."""
    if len(ours) != len(theirs):
        return False
    for (name, file, line), (their_name, their_file, their_line) in zip(ours, theirs):
        aliases = name in symbols and symbols[name] == symbols.get(their_name)
        if not (name == their_name or aliases):
            return False
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
