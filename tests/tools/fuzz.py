#!/usr/bin/env python3
"""Run fuzz targets, two at a time, and print a line for each: what it did, and what it found.

    fuzz.py --build build/fuzz --time 60 packet elect ...     so many seconds each
    fuzz.py --build build/fuzz --runs 2000 packet elect ...   so many runs each, the same ones every time

A target starts from tests/fuzz/corpus/TARGET and from what earlier runs by time found (BUILD/corpus/TARGET). Exit status 1
when an input crashed, leaked, or took too long; it is kept, and its path printed.
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
FUZZ = HERE.parent / "fuzz"
INPUT_LIMIT_S = 30  # one input may take so long, on a busy machine, too
MEMORY_MIB = 1024
GRACE_S = 300       # beyond its time, for a run to end
# What was freed is kept aside for long enough to see it used; more only costs time.
ENV = dict(os.environ, ASAN_OPTIONS="quarantine_size_mb=16:" + os.environ.get("ASAN_OPTIONS", ""))


def arguments(build, target, seconds, runs, new):
    command = [str(build / f"fuzz_{target}"), f"-timeout={INPUT_LIMIT_S}", f"-rss_limit_mb={MEMORY_MIB}",
               f"-artifact_prefix={build}/crashes/{target}-", "-print_final_stats=1"]
    words = FUZZ / f"{target}.dict"
    if words.exists():
        command.append(f"-dict={words}")
    command += [f"-runs={runs}", "-seed=1"] if runs else [f"-max_total_time={seconds}"]
    length = FUZZ / f"{target}.options"
    if length.exists():
        command += length.read_text().split()
    # libFuzzer writes what is new into the first folder.
    return command + [str(new), str(FUZZ / "corpus" / target)]


def figures(output):
    """What libFuzzer's lines say at the end: executions, coverage, features."""
    done = re.findall(r"stat::number_of_executed_units:\s+(\d+)", output)
    last = re.findall(r"cov: (\d+) ft: (\d+)", output)
    cov, ft = last[-1] if last else ("?", "?")
    return int(done[-1]) if done else 0, cov, ft


def fuzz(build, target, seconds=0, runs=0):
    """Run one target. (it found nothing, a line about it, its output)"""
    if not (build / f"fuzz_{target}").exists():
        return False, f"{target}: FAILED: there is no such target in {build}", ""
    corpus = build / "corpus" / target
    (build / "crashes").mkdir(parents=True, exist_ok=True)
    corpus.mkdir(parents=True, exist_ok=True)
    (FUZZ / "corpus" / target).mkdir(parents=True, exist_ok=True)
    new = pathlib.Path(tempfile.mkdtemp(prefix=f"{target}-", dir=build)) if runs else corpus
    before = len(list(new.iterdir()))
    started = time.monotonic()
    try:
        done = subprocess.run(arguments(build, target, seconds, runs, new), env=ENV, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds + GRACE_S, text=True,
                              errors="replace")
        status, output = done.returncode, done.stdout
    except subprocess.TimeoutExpired as e:
        status, output = 124, f"{(e.output or b'').decode(errors='replace')}\ndid not end\n"
    took = time.monotonic() - started
    execs, cov, ft = figures(output)
    line = (f"{target:<14} {execs:>9} execs {execs / max(took, 0.001):>8.0f}/s  cov {cov:>5} ft {ft:>6}  "
            f"{len(list(new.iterdir())) - before:>5} new inputs  {took:>5.0f} s")
    if runs:
        shutil.rmtree(new)
    if status != 0:
        kept = re.findall(r"Test unit written to (\S+)", output)
        line += f"\n{target}: FAILED (exit status {status}), input: {kept[-1] if kept else 'none'}"
    return status == 0, line, output


def fuzz_all(build, targets, seconds=0, runs=0, tell=print):
    """All of them, two at a time: how many passed, how many failed."""
    passed = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = {pool.submit(fuzz, build, t, seconds, runs): t for t in targets}
        for job in concurrent.futures.as_completed(jobs):
            good, line, output = job.result()
            if not good:
                output = re.sub(r"^#\d+\t.*\n|^\tNEW_FUNC.*\n", "", output, flags=re.M)
                tell(f"--- {jobs[job]}\n{output}")
            tell(line)
            passed += good
    return passed, len(targets) - passed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/fuzz"))
    parser.add_argument("--time", type=int, default=60, help="seconds for each target")
    parser.add_argument("--runs", type=int, default=0, help="runs of each target instead, from seed 1")
    parser.add_argument("targets", nargs="+")
    args = parser.parse_args()
    _, failed = fuzz_all(args.build.resolve(), args.targets, 0 if args.runs else args.time, args.runs,
                         lambda text: print(text, flush=True))
    print("no input failed" if failed == 0 else f"{failed} of {len(args.targets)} targets FAILED")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
