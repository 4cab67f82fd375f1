#!/usr/bin/python3
"""anomalies.py - fail the n-th allocation, system call and answer over netlink, for every n, in every phase of vrrpd's life.

Started by `make anomalies [PHASE=takeover] [PROGRAM=vrrpd-engine] [WHAT=allocation] [FROM=n] [TO=n] [VARIANT=1] [PLACES=1]
[LINGER=3]`. For each phase (start, takeover, release, stop, reload, resume, agent), program and kind of failure, n goes from
1 up until a run ends without an n-th one. tests/support/anomaly.py runs one and judges it.

PLACES=1 takes of all n that come from the same place in the programs only the first: six minutes instead of half an hour. LINGER=3
looks for so many seconds whether what settled stays. VARIANT=1 takes the other errno, where a call may have two.

Prints each distinct outcome with its count, those without a word by place, and for what is not defined how to repeat it; then the
exit status is 1.
"""

import argparse
import collections
import multiprocessing
import os
import queue
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))

import anomaly  # noqa: E402
import lab as labs  # noqa: E402

BEYOND = 3  # so many runs in a row must end without an n-th one: counts differ a little from run to run
TRIES = 3  # of a run that could not even be prepared


class Job:
    """One iteration: (phase, program, what), which one fails, with which errno, of which function only."""

    def __init__(self, group, n, variant=0, only=""):
        self.group, self.n, self.variant, self.only = group, n, variant, only


def attempt(world, job):
    """One iteration; what cannot be prepared, or does not stay as it was, is tried again: the machine may be busy."""
    for left in reversed(range(TRIES)):
        try:
            outcome = anomaly.iterate(world, *job.group, job.n, job.variant, job.only)
            if left == 0 or not outcome.relapsed:
                return outcome
        except (labs.LabTimeout, OSError, RuntimeError, KeyError) as e:
            if left == 0:
                outcome = anomaly.Outcome(*job.group, job.n, job.variant)
                outcome.wrong = f"could not be run: {e}"
                return outcome
    return None


def work(jobs, results, linger):
    """A worker: a world of its own, one job after another, until there is none."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with labs.Lab() as lab:
        world = anomaly.World(lab, linger)
        while True:
            job = jobs.get()
            if job is None:
                return
            outcome = attempt(world, job)
            sites = world.control.sites() if job.n == 0 and outcome.wrong is None else {}
            if outcome.place is not None:
                outcome.place = anomaly.where(outcome.place, labs.build_dir())
            results.put((outcome, sites))


class Run:
    """Workers, and what they found."""

    def __init__(self, workers, linger, say=print, verbose=False):
        self.say = say
        self.verbose = verbose
        self.jobs, self.results = multiprocessing.Queue(), multiprocessing.Queue()
        self.pending = 0
        self.outcomes = []
        self.workers = [
            multiprocessing.Process(target=work, args=(self.jobs, self.results, linger)) for _ in range(workers)
        ]
        for worker in self.workers:
            worker.start()

    def close(self):
        for _ in self.workers:
            self.jobs.put(None)
        for worker in self.workers:
            worker.join(60)
            if worker.is_alive():
                worker.terminate()
                worker.join()

    def submit(self, job):
        self.pending += 1
        self.jobs.put(job)

    def take(self):
        """The next result: (outcome, sites)."""
        while True:
            try:
                outcome, sites = self.results.get(timeout=5)
                break
            except queue.Empty:
                if not all(w.is_alive() for w in self.workers):
                    raise RuntimeError("a worker has ended") from None
        self.pending -= 1
        if outcome.n > 0:
            self.outcomes.append(outcome)
        if outcome.wrong is not None:
            self.tell_wrong(outcome)
        elif self.verbose and outcome.fired:
            self.say(f"{outcome.kind}: {outcome.repeat()}: {outcome.place}")
            for line in outcome.said[:3]:
                self.say("    " + line)
        return outcome, sites

    def tell_wrong(self, outcome):
        self.say(f"NOT DEFINED: {outcome.wrong}\n  {outcome.place}\n  make anomalies {outcome.repeat()}")
        for line in outcome.log.splitlines()[-12:]:
            self.say("    " + line)

    def look(self, groups):
        """Run each group once without a failure: {group: (how many, {place: first n})}."""
        for group in groups:
            self.submit(Job(group, 0))
        found = {}
        while self.pending:
            outcome, sites = self.take()
            found[(outcome.phase, outcome.program, outcome.what)] = (outcome.count, sites)
        return found

    def all_of(self, group, first, last, variant, ahead):
        """n from `first` on until it is not reached, or to `last`."""
        n, missed = first, 0
        while missed < BEYOND:
            while self.pending < ahead and (last is None or n <= last):
                self.submit(Job(group, n, variant))
                n += 1
            if not self.pending:
                return
            outcome, _ = self.take()
            missed = 0 if outcome.fired or outcome.wrong else missed + 1
        while self.pending:
            self.take()

    def these(self, jobs, ahead):
        """These and no others; their outcomes, in the order in which they came."""
        jobs, found = list(jobs), []
        while jobs or self.pending:
            while jobs and self.pending < ahead:
                self.submit(jobs.pop(0))
            found.append(self.take()[0])
        return found

    def report(self):
        """Print what there was; True when all of it was defined."""
        table = collections.defaultdict(collections.Counter)
        silent = collections.Counter()
        for o in self.outcomes:
            table[(o.phase, o.program, o.what)]["NOT DEFINED" if o.wrong else o.kind] += 1
            if o.fired and o.kind.endswith("silent"):
                silent[o.place] += 1
        for group, kinds in table.items():
            fired = sum(n for kind, n in kinds.items() if kind != "not reached")
            words = "; ".join(f"{n} x {kind}" for kind, n in kinds.most_common() if kind != "not reached")
            self.say(f"{' '.join(group):34} {fired:5}  {words}")
        if silent:
            self.say(f"survived without a word, {sum(silent.values())} at {len(silent)} places:")
        for place, n in silent.most_common():
            self.say(f"  {n:4} x {place}")
        wrong = sum(o.wrong is not None for o in self.outcomes)
        self.say(f"{sum(o.fired for o in self.outcomes)} failures, {wrong} ended in a state that is not defined")
        return wrong == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--phase", choices=sorted(anomaly.PHASES))
    parser.add_argument("--program", choices=anomaly.PROGRAMS)
    parser.add_argument("--what", choices=sorted(anomaly.WHATS))
    parser.add_argument("--from", dest="first", type=int, default=1)
    parser.add_argument("--to", dest="last", type=int)
    parser.add_argument("--variant", type=int, default=0)
    parser.add_argument("--places", action="store_true")
    parser.add_argument("--linger", type=float, default=0.0)
    parser.add_argument("--workers", type=int, default=3, help="each waits most of the time")
    parser.add_argument("--verbose", action="store_true", help="tell of each failure what became of it")
    args = parser.parse_args()
    groups = [
        (phase, program, what)
        for phase in ([args.phase] if args.phase else anomaly.PHASES)
        for program in ([args.program] if args.program else anomaly.PROGRAMS)
        for what in ([args.what] if args.what else anomaly.WHATS)
    ]
    started = time.monotonic()
    run = Run(args.workers, args.linger, verbose=args.verbose)
    try:
        counts = run.look(groups)
        if args.places:
            run.these(
                [
                    Job(group, n, args.variant)
                    for group in groups
                    for n in sorted(counts[group][1].values())
                    if n >= args.first and (args.last is None or n <= args.last)
                ],
                args.workers + 1,
            )
        else:
            for group in groups:
                if counts[group][0] > 0:
                    run.all_of(group, args.first, args.last, args.variant, args.workers + 1)
    finally:
        run.close()
    good = run.report()
    print(f"{time.monotonic() - started:.0f} s")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
