"""status.py - how long vrrpctl takes, whole process, with 255 instances: to start, to show the status, to pass on its JSON.

Runs are spaced out: the agent asks the engine for a snapshot at most every 20 ms, and runs on each other's heels would
measure that. What curl takes for the same document is the client's floor; keepalived has no such client.
"""

import json
import os
import statistics
import subprocess
import time

import lab as labs

import procstat
import rig as rigs

INSTANCES = 255
RUNS = 100
PAUSE = 0.04  # twice the time between two snapshots
DEADLINE_S = 60


def _run_ms(command, env):
    """One process from its start to its end, in ms."""
    start = time.perf_counter()
    pid = os.posix_spawn(command[0], command, env, file_actions=[
        (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
    _, status, used = os.wait4(pid, 0)
    took = (time.perf_counter() - start) * 1000
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        raise RuntimeError(f"{command} ended with {os.waitstatus_to_exitcode(status)}")
    return took, (used.ru_utime + used.ru_stime) * 1000


def _measure(bench, row, command, subject="vrrpd", **facts):
    runs = [_run_ms(command, os.environ)]  # the first one finds cold caches and does not count
    runs.clear()
    for _ in range(bench.count(RUNS)):
        time.sleep(PAUSE)
        runs.append(_run_ms(command, os.environ))
    took = sorted(t for t, _ in runs)
    bench.record(row, subject, statistics.median(took), runs=len(took), p90_ms=round(took[len(took) * 9 // 10], 3),
                 worst_ms=round(took[-1], 3), cpu_ms=round(statistics.median(c for _, c in runs), 3), **facts)


def status(bench):
    """vrrpctl --version, status, status -j; curl for the same document; the agent's CPU time for each."""
    program = os.path.join(labs.build_dir(), "vrrpctl")
    start = bench.row("vrrpctl: start to end (--version)", "ms", "under 10 ms", 10)
    table = bench.row(f"vrrpctl status, {INSTANCES} instances", "ms", "under 5 ms", 5)
    text = bench.row(f"vrrpctl status -j, {INSTANCES} instances", "ms", "under 5 ms", 5)
    raw = bench.row(f"curl of the same document, {INSTANCES} instances", "ms")
    with bench.attempt("status"), rigs.Rig("vrrpd", rigs.routers(INSTANCES, 100)) as rig:
        daemon = rig.start(rig.a)
        rig.wait(lambda: rig.held(rig.a) == INSTANCES, DEADLINE_S, "every instance is Active")
        octets = len(json.dumps(daemon.status(), separators=(",", ":")))
        agent = daemon.processes()["agent"]
        for _ in range(bench.rounds(3)):
            _measure(bench, start, [program, "--version"])
            before = procstat.cpu_ns(agent)
            _measure(bench, table, [program, "--run-dir", daemon.run_dir, "status"], octets=octets)
            used = sum(procstat.cpu_ns(agent).values()) - sum(before.values())
            bench.note("agent's CPU time for one status", ms=round(used / 1e6 / bench.count(RUNS), 3))
            _measure(bench, text, [program, "--run-dir", daemon.run_dir, "status", "-j"], octets=octets)
            _measure(bench, raw, [_which("curl"), "-s", "--unix-socket", daemon.socket_path, "http://-/v1/status"])


def _which(name):
    done = subprocess.run(["sh", "-c", f"command -v {name}"], capture_output=True, text=True, check=True)
    return done.stdout.strip()
