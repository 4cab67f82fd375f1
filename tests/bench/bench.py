#!/usr/bin/python3
"""bench.py - vrrpd beside the distribution's keepalived, in one run, on the same machine.

Started by `make bench`. Every measurement alternates the two daemons over several rounds; the table shows
medians (worst in parentheses) and the ratio. Each single figure, with the facts around it, is one JSON line
in BUILD/bench.jsonl.

keepalived runs with its defaults: ordinary scheduling, no locked memory, its own pacing of announcements.
vrrpd runs with its defaults, too: real-time priority and locked memory where the machine allows them.
"""

import argparse
import contextlib
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "support")]

import lab as labs  # noqa: E402  the folders above must be known first
import measures  # noqa: E402
import rig as rigs  # noqa: E402


# What may go wrong in one run without ending the others: a condition that never came, a program that ended.
FAILURES = (AssertionError, RuntimeError, OSError, ValueError, KeyError, subprocess.SubprocessError)


class Row:
    """One line of the table: figures of vrrpd and of what it stands beside, and what is wanted of ours."""

    def __init__(self, what, unit, wanted, limit, judge, higher_is_better, beside):
        self.what, self.unit, self.wanted, self.limit = what, unit, wanted, limit
        self.judge, self.higher_is_better, self.beside = judge, higher_is_better, beside
        self.values = {}
        self.floors = []  # what no daemon can be below

    def floor(self):
        return statistics.median(self.floors) if self.floors else None

    def median(self, subject):
        return statistics.median(self.values[subject]) if self.values.get(subject) else None

    def worst(self, subject):
        values = self.values.get(subject)
        return (min(values) if self.higher_is_better else max(values)) if values else None

    def ratio(self):
        """How many times better vrrpd is."""
        ours, theirs = self.median("vrrpd"), self.median(self.beside)
        if ours is None or theirs is None:
            return None
        if self.higher_is_better:
            ours, theirs = theirs, ours
        if ours <= 0:
            return 1.0 if theirs <= 0 else float("inf")
        return theirs / ours

    def met(self):
        """Whether vrrpd is where it should be; None without a wish or a figure."""
        figure = self.worst("vrrpd") if self.judge == "worst" else self.median("vrrpd")
        if self.limit is None or figure is None:
            return None
        return figure <= self.limit


class Bench:
    """What a measurement needs: rounds, a seeded generator, and where results go."""

    def __init__(self, args, out):
        self.quick = args.quick
        self.subjects = args.subjects.split(",")
        self.rng = random.Random(args.seed)
        self.rows = {}
        self.details = []
        self.failed = []
        self._out = out
        self._started = time.monotonic()

    def rounds(self, n):
        return 1 if self.quick else n

    def count(self, n):
        return max(2, n // 4) if self.quick else n

    def alternate(self, rounds, *more):
        """Each daemon (and what else is named) once per round; the order is reversed from round to round."""
        for i in range(rounds):
            order = [*more, *self.subjects]
            yield from order if i % 2 == 0 else reversed(order)

    def row(self, what, unit, wanted="", limit=None, judge="median", higher_is_better=False, beside="keepalived"):
        """A line of the table. limit: met when the `judge` (median or worst) of vrrpd is not above it."""
        return self.rows.setdefault(what, Row(what, unit, wanted, limit, judge, higher_is_better, beside))

    def _write(self, document):
        self._out.write(json.dumps(document) + "\n")
        self._out.flush()

    def record(self, row, subject, value, **facts):
        row.values.setdefault(subject, []).append(value)
        self._write({"kind": "figure", "what": row.what, "subject": subject, "unit": row.unit,
                     "round": len(row.values[subject]), "value": round(value, 4), **facts})
        self.say(f"{row.what}: {subject} {_figure(value)} {row.unit}")

    def note(self, kind, **facts):
        self._write({"kind": kind, **facts})
        self.say(kind + ": " + ", ".join(f"{k} {v}" for k, v in facts.items()))

    @contextlib.contextmanager
    def attempt(self, what):
        """Around one run: its failure is noted with the daemons' logs and does not spoil the other runs."""
        try:
            yield
        except FAILURES as e:
            self._write({"kind": "failed", "what": what, "error": f"{type(e).__name__}: {e}"})
            self.say(f"failed: {what}: {type(e).__name__}: " + "\n    ".join(str(e).splitlines()[:12]))
            self.failed.append(what)

    def detail(self, text):
        if text not in self.details:
            self.details.append(text)

    def say(self, text):
        print(f"  [{time.monotonic() - self._started:6.1f} s] {text}", file=sys.stderr, flush=True)

    def summary(self):
        for row in self.rows.values():
            if row.values:
                ratio = row.ratio()
                self._write({"kind": "row", "what": row.what, "unit": row.unit, "wanted": row.wanted,
                             "met": row.met(), "ratio": None if ratio == float("inf") else ratio,
                             "floor": row.floor(),
                             **{s: {"median": row.median(s), "worst": row.worst(s), "values": row.values[s]}
                                for s in row.values}})


def machine(seed):
    """Facts about the machine and the versions measured."""
    def first_line(cmd):
        try:
            done = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  check=False)
            return done.stdout.splitlines()[0].strip() if done.stdout else ""
        except OSError:
            return ""

    def proc_value(path, key):
        with open(path, encoding="utf-8") as f:
            return next((line.partition(":")[2].strip() for line in f if line.startswith(key)), "")

    os_release = platform.freedesktop_os_release()
    return {"kind": "machine", "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "seed": seed,
            "cores": os.cpu_count(), "cpu": proc_value("/proc/cpuinfo", "model name"),
            "memory": proc_value("/proc/meminfo", "MemTotal"),
            "kernel": platform.release(), "os": os_release.get("PRETTY_NAME", ""), "load": os.getloadavg(),
            "keepalived": first_line(["keepalived", "-v"]),
            "vip_manager": first_line(["vip-manager", "--version"]), "etcd": first_line(["etcd", "--version"]),
            "vrrpd": first_line([os.path.join(labs.build_dir(), "vrrpd"), "--version"]),
            "keepalived_options": "defaults: ordinary scheduling, memory not locked",
            "vrrpd_options": "defaults: real-time priority, memory locked, where allowed",
            "cpu_time": "all threads; delivery to the far side of a veth pair counts for the sender"}


def _figure(value):
    if value is None:
        return "-"
    if abs(value) >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _cell(row, subject):
    values = row.values.get(subject)
    if not values:
        return "-"
    unit = f" {row.unit}" if row.unit else ""
    text = _figure(row.median(subject)) + unit
    return f"{text} ({_figure(row.worst(subject))})" if len(values) > 1 else text


def _ratio(row):
    ratio = row.ratio()
    if ratio is None:
        return "-"
    return "all" if ratio == float("inf") else f"{ratio:.1f}x" if ratio < 100 else f"{ratio:.0f}x"


def table(rows, beside):
    """The readable table of the rows with figures beside that subject, as lines; none without such rows."""
    head = ["what", "vrrpd", beside, "better by", "floor", "wanted", "met"]
    body = [[r.what, _cell(r, "vrrpd"), _cell(r, beside), _ratio(r),
             f"{r.floor():.2f} {r.unit}" if r.floors else "", r.wanted,
             {True: "yes", False: "NO", None: ""}[r.met()]] for r in rows if r.values and r.beside == beside]
    if not body:
        return []
    widths = [max(len(line[i]) for line in [head, *body]) for i in range(len(head))]
    return ["  ".join(cell.ljust(w) for cell, w in zip(line, widths)).rstrip()
            for line in ([], head, ["-" * w for w in widths], *body)]


def arguments():
    parser = argparse.ArgumentParser(description="vrrpd beside keepalived")
    parser.add_argument("--build", default="build", help="folder of the programs (default: build)")
    parser.add_argument("--only", help="one measurement, or several with commas: " + ", ".join(measures.ALL))
    parser.add_argument("--quick", action="store_true", help="one round of everything, shorter windows")
    parser.add_argument("--subjects", default=",".join(rigs.SUBJECTS), help="vrrpd,keepalived or one of them")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the moments of the cuts")
    args = parser.parse_args()
    for name in (args.only or "").split(","):
        if name and name not in measures.ALL:
            parser.error(f"no measurement \"{name}\": there are {', '.join(measures.ALL)}")
    for name in args.subjects.split(","):
        if name not in rigs.SUBJECTS:
            parser.error(f"no subject \"{name}\": there are {', '.join(rigs.SUBJECTS)}")
    return args


def main():
    args = arguments()
    if os.geteuid() != 0:
        print("make bench needs root for its network namespaces: type sudo make bench", file=sys.stderr)
        return 1
    os.environ["VRRPD_BUILD"] = os.path.join(ROOT, args.build)
    path = os.path.join(ROOT, args.build, "bench.jsonl")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    facts = machine(args.seed)
    print(f"{facts['cores']} cores, {facts['cpu']}, Linux {facts['kernel']}, {facts['keepalived']}, "
          f"seed {args.seed}")
    interrupted = False
    with open(path, "w", encoding="utf-8") as out:
        bench = Bench(args, out)
        out.write(json.dumps(facts) + "\n")
        try:
            for name in args.only.split(",") if args.only else measures.ALL:
                measures.ALL[name](bench)
        except KeyboardInterrupt:
            interrupted = True
        bench.summary()
    print("\nMedian (worst); \"better by\": the figure beside vrrpd's over vrrpd's.")
    for beside in ("keepalived", "forked script", "vip-manager"):
        print("\n".join(table(bench.rows.values(), beside)), end="")
    print()
    for line in bench.details:
        print(line)
    print(f"\nEvery figure with its circumstances: {os.path.relpath(path)}")
    if bench.failed:
        print("not measured to the end (see above): " + "; ".join(bench.failed), file=sys.stderr)
    return 130 if interrupted else 1 if bench.failed else 0


if __name__ == "__main__":
    sys.exit(main())
