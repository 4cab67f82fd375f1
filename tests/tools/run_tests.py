#!/usr/bin/env python3
"""Run the kinds of tests one after another and count them: the last line is "N passed, N failed".

    run_tests.py --build build --san build/san structure unit cases sim netns

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

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
UNIT_LIMIT_S = 300
NETNS_LIMIT_S = 1500


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
    passed = failed = 0
    env = dict(os.environ, VRRPD_BUILD=str(pathlib.Path(args.san).resolve()))
    for program in sorted(pathlib.Path(args.san, "tests").glob("test_*")):
        if program.suffix:
            continue
        status, output = run([str(program.resolve())], UNIT_LIMIT_S, env)
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
    """Run pytest with a report that can be counted; of a run without failure its last lines are shown."""
    report = pathlib.Path(args.build, f"{name}.xml").resolve()
    report.unlink(missing_ok=True)
    env = dict(os.environ, VRRPD_BUILD=str(pathlib.Path(args.build).resolve()),
               VRRPD_SAN_BUILD=str(pathlib.Path(args.san).resolve()))
    status, output = run([sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--durations=8",
                          f"--junitxml={report}", *what], NETNS_LIMIT_S, env)
    if not report.exists():
        print(output)
        return 0, 1
    total = bad = skipped = 0
    for suite in ElementTree.parse(report).getroot().iter("testsuite"):
        total += int(suite.get("tests"))
        bad += int(suite.get("failures")) + int(suite.get("errors"))
        skipped += int(suite.get("skipped"))
    if status != 0 or bad:
        print(output)
        bad = max(bad, 1)
    else:
        print("\n".join(output.splitlines()[-lines:]))
    return max(0, total - bad - skipped), bad


def netns(args):
    """Two halves side by side: most of each is waiting. What asks or runs other programs on one side, the rest on the other."""
    names = ("arbiter", "checks", "follow", "hooks", "lease", "scripts", "services")
    checks = [str(p) for n in names for p in sorted(pathlib.Path("tests/netns").glob(f"test_{n}*.py"))]
    rest = [str(p) for p in sorted(pathlib.Path("tests/netns").glob("test_*.py"))]
    rest = [p for p in rest if p not in checks and not p.endswith("test_systemd.py")]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        halves = [pool.submit(pytest_run, args, "checks", 12, *checks), pool.submit(pytest_run, args, "netns", 12, *rest)]
        results = [half.result() for half in halves]
    return sum(p for p, _ in results), sum(f for _, f in results)


def systemd(args):
    return pytest_run(args, "systemd", 40, "-s", "tests/netns/test_systemd.py")


KINDS = {"structure": structure, "unit": unit, "cases": cases, "sim": sim, "netns": netns, "systemd": systemd}


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
