#!/usr/bin/env python3
"""Run the kinds of tests one after another and count them: the last line is "N passed, N failed".

    run_tests.py --build build --san build/san structure unit cases fuzz sim netns

Everything runs whatever failed before; the output of what failed is shown whole. Exit status 1 when anything
failed, or when a kind ran no test at all.
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

import fuzz as fuzzing

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
UNIT_LIMIT_S = 300
NETNS_LIMIT_S = 1500
AGAIN_MAX = 20  # failed tests that get another run
AGAIN_TIMES = 2
LANES = 3  # files of netns tests side by side
# The longest of them.
LONG = [f"test_{name}" for name in (
    "follow_etcd3", "follow_patroni", "checks_redis", "scripts", "arbiter", "checks_patroni", "follow_sentinel", "survival_peers",
    "survival", "chaos", "reload", "follow_etcd3_refused", "lease_etcd3", "override", "hooks", "services", "survival_kernel")]
FUZZ_RUNS = 2000  # of each target, its corpus included


def run(command, limit_s, env=None):
    """Returns (exit status, output); a command that takes too long is killed and has failed."""
    try:
        done = subprocess.run(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=limit_s, text=True, errors="replace")
    except subprocess.TimeoutExpired as e:
        return 124, f"{e.output or ''}\ntook longer than {limit_s} s\n"
    return done.returncode, done.stdout


def counted(output):
    """(passed, failed) by cmocka's closing lines."""
    passed = sum(int(n) for n in re.findall(r"\[  PASSED  \] (\d+) test", output))
    failed = sum(int(n) for n in re.findall(r"\[  FAILED  \] (\d+) test", output))
    return passed, failed


def structure(args):
    """Scripts that look at the code itself: each is one test."""
    passed = failed = 0
    for script in sorted(HERE.glob("check_*.sh")):
        status, output = run([str(script), args.build], UNIT_LIMIT_S)
        if status == 0:
            passed += 1
        else:
            failed += 1
            print(f"--- {script.name}\n{output}")
    return passed, failed


def unit(args):
    """Two programs at a time: many wait most of the time."""
    passed = failed = 0
    env = dict(os.environ, VRRPD_BUILD=str(pathlib.Path(args.san).resolve()))
    programs = [p for p in sorted(pathlib.Path(args.san, "tests").glob("test_*")) if not p.suffix]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda p: run([str(p.resolve())], UNIT_LIMIT_S, env), programs))
    for program, (status, output) in zip(programs, results):
        p, f = counted(output)
        if status != 0 and f == 0:
            f = 1  # crashed, or a sanitizer spoke
        if f or p == 0:
            print(f"--- {program.name} (exit status {status})\n{output}")
            f = max(f, 1)
        passed += p
        failed += f
    return passed, failed


def cases(args):
    status, output = run([f"{args.san}/tests/case_run", "tests/cases"], UNIT_LIMIT_S)
    closing = re.findall(r"^(\d+) passed, (\d+) failed$", output, re.M)
    p, f = (int(n) for n in closing[-1]) if closing else (0, 1)
    if status != 0 or f:
        print(f"--- cases (exit status {status})\n{output}")
        f = max(f, 1)
    return p, f


def fuzz(args):
    """Each target is one test: its corpus and some runs, the same every time. Figures are for `make fuzz`."""
    targets = sorted(p.stem.removeprefix("fuzz_") for p in pathlib.Path("tests/fuzz").glob("fuzz_*.c"))
    build = pathlib.Path(args.build, "fuzz").resolve()
    return fuzzing.fuzz_all(build, targets, runs=FUZZ_RUNS, tell=lambda text: print(text) if "FAILED" in text else None)


def sim(args):
    """Lives of hosts in virtual time, those that once broke a rule, the small worlds, and that planted bugs are found."""
    program, worlds = f"{args.build}/tests/sim", f"{args.build}/tests/worlds"
    runs = [[program, "--seeds", "2000"]]
    for line in pathlib.Path(ROOT, "tests/sim/seeds").read_text(encoding="ascii").splitlines():
        if line and not line.startswith("#"):
            seed, kinds = line.split()[:2]
            runs.append([program, "--seed", seed] + ([] if kinds == "-" else ["--kinds", kinds]))
    runs += [[worlds, "--nodes", "2", "--losses", "2", "--acts", "2", "--preempt", p] for p in "01"]
    runs += [[worlds, "--nodes", "3", "--preempt", p] for p in "01"]
    passed = failed = 0
    for command in runs:
        status, output = run(command, UNIT_LIMIT_S)
        if status == 0:
            passed += 1
        else:
            failed += 1
            print(f"--- {' '.join(command)} (exit status {status})\n{output}")
        if command == runs[0] or command[0] == worlds:
            print(output, end="")
    status, output = run([sys.executable, "-B", "tests/sim/planted.py", "--build", args.build], UNIT_LIMIT_S)
    closing = re.findall(r"^(\d+) passed, (\d+) failed$", output, re.M)
    p, f = (int(n) for n in closing[-1]) if closing else (0, 1)
    if status != 0 or f:
        print(f"--- planted bugs (exit status {status})\n{output}")
        f = max(f, 1)
    return passed + p, failed + f


def pytest_run(args, name, lines, *what):
    """Run pytest with a report that can be counted: (passed, failed, the tests that failed by name). Of a run without
    failure its last lines are shown."""
    report = pathlib.Path(args.build, f"{name}.xml").resolve()
    report.unlink(missing_ok=True)
    env = dict(os.environ, VRRPD_BUILD=str(pathlib.Path(args.build).resolve()),
               VRRPD_SAN_BUILD=str(pathlib.Path(args.san).resolve()))
    status, output = run([sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--durations=8",
                          f"--junitxml={report}", *what], NETNS_LIMIT_S, env)
    if not report.exists():
        print(output)
        return 0, 1, []
    verdicts = {}  # a test that fails, and its fixture's end, too, is one
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        test = f"{case.get('classname').replace('.', '/')}.py::{case.get('name')}"
        bad = case.find("failure") is not None or case.find("error") is not None
        skipped = case.find("skipped") is not None
        verdicts[test] = "bad" if bad or verdicts.get(test) == "bad" else "skipped" if skipped else "good"
    failed = [test for test, verdict in verdicts.items() if verdict == "bad"]
    if status != 0 or failed:
        print(output)
    elif lines:
        print("\n".join(output.splitlines()[-lines:]))
    return sum(v == "good" for v in verdicts.values()), max(len(failed), int(status != 0)), failed


def once_more(args, results):
    """What failed beside others is run again alone, twice at most: many hosts on few cores starve each other now and then,
    and that is no answer to what a test asks. What fails each time has failed. Many failures are no accident."""
    passed, failed = sum(r[0] for r in results), sum(r[1] for r in results)
    again = [test for r in results for test in r[2]]
    for _ in range(AGAIN_TIMES):
        if not again or failed > len(again) or len(again) > AGAIN_MAX:
            break
        print(f"once more, alone: {' '.join(again)}", flush=True)
        p, failed, again = pytest_run(args, "again", 12, *again)
        passed += p
    return passed, failed


def netns(args):
    """File by file, several side by side: most of each is waiting. The longest first, so that all end together."""
    files = sorted(pathlib.Path("tests/netns").glob("test_*.py"), key=lambda p: (LONG + [p.stem]).index(p.stem))
    files = [p for p in files if p.stem != "test_systemd"]

    def one(path):
        started = time.monotonic()
        return pytest_run(args, path.stem, 0, str(path)), time.monotonic() - started, path.stem

    with concurrent.futures.ThreadPoolExecutor(LANES) as pool:
        results = list(pool.map(one, files))
    slow = sorted(((took, name) for _, took, name in results), reverse=True)[:10]
    print("netns: the longest: " + ", ".join(f"{name.removeprefix('test_')} {took:.0f} s" for took, name in slow))
    return once_more(args, [r for r, _, _ in results])


def systemd(args):
    return pytest_run(args, "systemd", 40, "-s", "tests/netns/test_systemd.py")[:2]


KINDS = {"structure": structure, "unit": unit, "cases": cases, "fuzz": fuzz, "sim": sim, "netns": netns,
         "systemd": systemd}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--san", default="build/san", help="the build with sanitizers")
    parser.add_argument("kinds", nargs="+", choices=KINDS)
    args = parser.parse_args()
    # Whoever starts this in the background has Ctrl-C ignored; tests of it are to mean something there, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    passed = failed = 0
    for kind in args.kinds:
        started = time.monotonic()
        p, f = KINDS[kind](args)
        if p + f == 0:
            print(f"{kind}: no test ran")
            f = 1
        print(f"{kind}: {p} ok, {f} not, {time.monotonic() - started:.0f} s", flush=True)
        passed += p
        failed += f
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
