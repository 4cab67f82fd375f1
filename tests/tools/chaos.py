#!/usr/bin/python3
"""chaos.py - three hosts, one address, and everything that may happen to a host, at random, for a while.

Started by `make chaos` (SECONDS=600, SEED=...) and, for a short time, by the netns tests. A sampler looks every
millisecond who holds the address; afterwards every time without a holder and every time with two is judged against
what happened. When something is not explained, the seed, the events and what was seen around it are printed and the exit
status is 1. The same seed makes the same decisions; times differ a little from run to run.

What is allowed:
 - two holders: the lifetime of an address and a second after everything of one of them was killed or frozen; else
   SHORT_TWO. A host that is cut off does not count: nobody reaches it.
 - no holder, although some host is fit all the time: the time that a Backup waits and SLACK, after something that
   nobody could announce (cut, killed, frozen); else SHORT_NONE. Fit: it runs, takes part, reaches the others, and nothing was
   done to it meanwhile.
"""

import argparse
import collections
import os
import random
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))

import lab as labs  # noqa: E402
from daemons import conf, instance  # noqa: E402

VIP = "10.77.1.100"
INTERVAL_S = 0.1
LIFETIME_S = 2
DOWN_S = 4 * INTERVAL_S  # no Backup waits longer: 3 intervals and the skew time of any priority
SLACK_S = 0.35  # to start a process, to be late on a busy machine
SHORT_NONE_S = 0.1
SHORT_TWO_S = 0.5
START_S = 0.3  # a daemon that was just started reads its files and opens its sockets
SETTLED_S = 1.0  # a host to which nothing was done for so long can be relied on
AFTERMATH_S = LIFETIME_S + 2  # for so long what nobody could announce explains what is seen
CRASH_WINDOW_S, CRASHES = 12, 3  # engine killed more often: it hands over and pauses

PRIORITIES = {"a": (150, 151, 90), "b": (120, 121, 160), "c": (100, 101, 170)}
UNANNOUNCED = {"kill all", "freeze", "thaw", "cut", "mend", "cable out", "kill parent", "crash loop"}
GHOSTS = {"kill all", "freeze", "crash loop"}  # after these an address may stay where nobody tends it


class Member:
    """One host and what is wrong with it at present: a set of "off", "drained", "frozen", "cut", "no cable"."""

    def __init__(self, run, host):
        self.run = run
        self.host = host
        self.priority = PRIORITIES[host.name][0]
        self.trouble = {"off"}
        self.daemon = None
        self.killed_at = []

    def text(self):
        return conf(
            instance(priority=self.priority, advert_interval=f"{round(INTERVAL_S * 1000)}ms"),
            node=self.host.name,
            engine={"address_lifetime": f"{LIFETIME_S}s"},
        )

    def note(self, what):
        self.run.note(self.host.name, what)

    # ---- events: (name, weight, needs, excludes) in EVENTS ----

    def start(self):
        number = len(self.run.lab.processes)
        self.daemon = self.host.vrrpd(self.text(), name=f"vrrpd{number}", wait=False)
        # Before it has its handlers, a signal would simply end it.
        labs.wait_until(self.daemon.log_text, 10, f"{self.host.name}: vrrpd has started")
        self.killed_at = []
        self.trouble -= {"off", "drained"}

    def stop(self):
        self.trouble.add("off")
        self.daemon.stop(25)

    def kill_all(self):
        self.trouble.add("off")
        self.daemon.kill_all()

    def kill_parent(self):
        self.trouble.add("off")
        pids = self.daemon.processes()
        self.daemon.kill()
        labs.wait_until(
            lambda: not any(os.path.exists(f"/proc/{p}") for p in pids.values()), 20, "engine and agent end"
        )

    def kill_engine(self):
        pid = self.daemon.processes().get("engine")
        if pid is None:
            return
        os.kill(pid, signal.SIGKILL)
        now = time.monotonic()
        self.killed_at = [t for t in self.killed_at if now - t < CRASH_WINDOW_S] + [now]
        if len(self.killed_at) > CRASHES:
            self.note("crash loop")

    def kill_agent(self):
        pid = self.daemon.processes().get("agent")
        if pid is not None:
            os.kill(pid, signal.SIGKILL)

    def freeze(self):
        self.trouble.add("frozen")
        for pid in self.daemon.processes().values():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self):
        for pid in reversed(list(self.daemon.processes().values())):
            os.kill(pid, signal.SIGCONT)
        self.trouble.discard("frozen")

    def drain(self):
        self.trouble.add("drained")
        self.daemon.ctl("drain", "pg")

    def resume(self):
        if self.daemon.ctl("resume", "pg").returncode == 0:
            self.trouble.discard("drained")

    def restart(self):
        self.daemon.signal(signal.SIGUSR2)

    def reload(self):
        self.priority = self.run.random.choice(PRIORITIES[self.host.name])
        with open(self.daemon.conf_path + ".new", "w", encoding="utf-8") as f:
            f.write(self.text())
        os.replace(self.daemon.conf_path + ".new", self.daemon.conf_path)
        self.daemon.signal(signal.SIGHUP)

    def delete_address(self):
        self.host.ip("addr", "del", VIP + "/24", "dev", "eth0", check=False)

    def cut(self):
        self.host.cut()
        self.trouble.add("cut")

    def mend(self):
        self.host.mend()
        self.trouble.discard("cut")

    def cable_out(self):
        self.host.link_down()
        self.trouble.add("no cable")

    def cable_in(self):
        self.host.link_up()
        self.trouble.discard("no cable")


# name: (method, weight, troubles that must be there, troubles that must not)
EVENTS = {
    "start": (Member.start, 8, {"off"}, set()),
    "stop": (Member.stop, 2, set(), {"off", "frozen"}),
    "drain": (Member.drain, 3, set(), {"off", "frozen", "drained"}),
    "resume": (Member.resume, 8, {"drained"}, {"off", "frozen"}),
    "kill engine": (Member.kill_engine, 3, set(), {"off", "frozen"}),
    "kill agent": (Member.kill_agent, 1, set(), {"off", "frozen"}),
    "kill parent": (Member.kill_parent, 1, set(), {"off", "frozen"}),
    "kill all": (Member.kill_all, 1, set(), {"off", "frozen"}),
    "freeze": (Member.freeze, 1, set(), {"off", "frozen"}),
    "thaw": (Member.thaw, 6, {"frozen"}, set()),
    "restart in place": (Member.restart, 2, set(), {"off", "frozen"}),
    "reload": (Member.reload, 3, set(), {"off", "frozen"}),
    "delete address": (Member.delete_address, 2, set(), {"off", "frozen"}),
    "cut": (Member.cut, 1, set(), {"cut", "no cable"}),
    "mend": (Member.mend, 6, {"cut"}, set()),
    "cable out": (Member.cable_out, 1, set(), {"cut", "no cable"}),
    "cable in": (Member.cable_in, 6, {"no cable"}, set()),
}
HARMLESS = {"kill agent", "reload"}  # to whoever is to take over, too


class Run:
    """A chaos run: events now, judgement later."""

    def __init__(self, lab, seed, out=print):
        self.lab = lab
        self.random = random.Random(seed)
        self.seed = seed
        self.out = out
        self.events = []  # (when, host, what), ends of what takes time as "... done"
        self.troubles = []  # (when, host, frozenset of its troubles), from the start on
        self.members = [Member(self, lab.host(name)) for name in "abc"]
        self.sampler = lab.sampler(VIP)
        self.begin = None

    def note(self, host, what):
        self.events.append((time.monotonic(), host, what))

    def happen(self, member, name):
        """Let one thing happen, with notes of when it began and ended, and of what is wrong with the host then."""
        before = frozenset(member.trouble)
        self.note(member.host.name, name)
        self.troubles.append((time.monotonic(), member.host.name, before | {"busy"}))
        EVENTS[name][0](member)
        self.note(member.host.name, name + " done")
        self.troubles.append((time.monotonic(), member.host.name, frozenset(member.trouble)))

    def possible(self):
        for member in self.members:
            for name, (_, weight, needs, excludes) in EVENTS.items():
                if needs <= member.trouble and not excludes & member.trouble:
                    yield (member, name), weight

    def settle(self):
        """Everything put right; one host holds the address."""
        for member in self.members:
            for name in ("thaw", "mend", "cable in", "start", "resume"):
                if EVENTS[name][2] <= member.trouble:
                    self.happen(member, name)
        self.lab.wait_until(
            lambda: len([m for m in self.members if m.daemon.try_status()]) == 3, 30, "every host answers"
        )
        self.lab.wait_until(lambda: len(self.sampler.present()) == 1, 15, "one host holds the address")
        best = max(self.members, key=lambda m: m.priority).host.name
        self.lab.wait_until(lambda: self.sampler.present() == [best], 25, f"{best}, the best host, holds the address")
        for member in self.members:
            state = "active" if member.host.name == best else "backup"
            member.daemon.wait_state("pg", state, 10)

    def go(self, seconds):
        """Run for so long, then put everything right."""
        self.settle()
        self.sampler.clear()
        self.begin = time.monotonic()
        while time.monotonic() - self.begin < seconds:
            choices, weights = zip(*self.possible())
            self.happen(*self.random.choices(choices, weights)[0])
            self.sampler.periods()
            time.sleep(self.random.choice((0.0, 0.05, 0.2, 0.5, 1.0)) * self.random.random())
        self.settle()

    # ---- judgement ----

    def spans(self, host, bad):
        """Times during which a host had none of these troubles: [(from, to), ...]."""
        out, since = [], None
        for when, name, troubles in self.troubles:
            if name != host:
                continue
            if troubles & bad:
                if since is not None:
                    out.append((since, when))
                since = None
            elif since is None:
                since = when
        if since is not None:
            out.append((since, time.monotonic()))
        return out

    def fit_spans(self, host):
        """Times during which a host could take over or be Active: nothing wrong, nothing done to it."""
        out = []
        breaks = [
            t for t, name, what in self.events if name == host and what.replace(" done", "") not in HARMLESS
        ]
        for start, end in self.spans(host, {"off", "drained", "frozen", "cut", "no cable", "busy"}):
            inner = sorted(t for t in breaks if start <= t < end)
            edges = [start, *inner, end]
            out += [(x + START_S, y) for x, y in zip(edges, edges[1:]) if y > x + START_S]
        return out

    def reachable(self):
        """The sampler's periods without the hosts that were cut off at the time: [(from, to, [names])]."""
        good = {m.host.name: self.spans(m.host.name, {"cut", "no cable"}) for m in self.members}
        edges = sorted({t for spans in good.values() for span in spans for t in span})
        out = []
        for start, end, names in self.sampler.periods():
            cuts = [start, *[t for t in edges if start < t < end], end]
            for x, y in zip(cuts, cuts[1:]):
                middle = (x + y) / 2
                here = [n for n in names if any(s <= middle <= e for s, e in good[n])]
                if out and out[-1][2] == here:
                    out[-1] = (out[-1][0], y, here)
                else:
                    out.append((x, y, here))
        return out

    def happened(self, kinds, start, end, hosts=None):
        return [
            e for e in self.events if start <= e[0] <= end and e[2] in kinds and (hosts is None or e[1] in hosts)
        ]

    def judge_two(self, periods):
        """Longest time with two holders, and the sentences about those that nothing explains."""
        longest, wrong = 0.0, []
        for start, end, names in join(periods, lambda n: n >= 2):
            longest = max(longest, end - start)
            ghosts = self.happened(GHOSTS, start - LIFETIME_S - 1, end)
            allowed = LIFETIME_S + 1 if ghosts else SHORT_TWO_S
            if end - start > allowed:
                wrong.append((start, end, f"{' and '.join(names)} held the address for {end - start:.3f} s (<= {allowed})"))
        return longest, wrong

    def judge_none(self, periods):
        longest, wrong = 0.0, []
        fit = {m.host.name: self.fit_spans(m.host.name) for m in self.members}
        for start, end, _ in join(periods, lambda n: n == 0):
            harsh = self.happened(UNANNOUNCED, start - AFTERMATH_S, end)
            for host, spans in fit.items():
                for x, y in spans:
                    settled = x - START_S + SETTLED_S <= start and y >= end
                    allowed = SHORT_NONE_S if settled and not harsh else DOWN_S + SLACK_S
                    time_s = min(end, y) - max(start, x)
                    longest = max(longest, time_s)
                    if time_s > allowed:
                        wrong.append((start, end, f"nobody held the address for {time_s:.3f} s (<= {allowed}), {host} was fit"))
        return longest, wrong

    def verdict(self):
        """Judge the run; prints a summary, and everything about what is not explained. True when all is well."""
        periods = self.reachable()
        two, wrong_two = self.judge_two(periods)
        none, wrong_none = self.judge_none(periods)
        counts = collections.Counter(what for _, _, what in self.events if not what.endswith(" done"))
        self.out(f"seed {self.seed}: {sum(counts.values())} events: " + ", ".join(f"{k} {v}" for k, v in sorted(counts.items())))
        self.out(f"two holders for {two * 1000:.0f} ms at most, none although one was fit for {none * 1000:.0f} ms at most, "
                 f"sampler's longest pause {self.sampler.gap_ms:.1f} ms")
        for start, end, text in sorted(wrong_two + wrong_none):
            self.out(f"\nWRONG at {self.clock(start)}: {text}")
            lines = [(t, f"{host}: {what}") for t, host, what in self.events if start - 5 <= t <= end + 1]
            lines += [(s, f"holders: {' '.join(names) or 'none'}") for s, e, names in periods if e >= start - 5 and s <= end + 1]
            for t, line in sorted(lines):
                self.out(f"  {self.clock(t)}  {line}")
        complaints = self.lab.complaints() + self.lab.impossible()
        for line in complaints:
            self.out(line)
        return not (wrong_two or wrong_none or complaints)

    def clock(self, t):
        """A time as in the daemons' logs."""
        wall = time.time() - time.monotonic() + t
        return time.strftime("%H:%M:%S", time.localtime(wall)) + f".{int(wall * 1000) % 1000:03d}"


def join(periods, test):
    """Periods for whose number of holders the test is true, those that follow each other as one."""
    out = []
    for start, end, names in periods:
        if not test(len(names)):
            continue
        if out and out[-1][1] == start:
            out[-1] = (out[-1][0], end, sorted({*out[-1][2], *names}))
        else:
            out.append((start, end, names))
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    print(f"chaos for {options.seconds:g} s, seed {seed}", flush=True)
    with labs.Lab() as lab:
        run = Run(lab, seed)
        try:
            run.go(options.seconds)
        except labs.LabTimeout as e:
            print(f"it did not settle: {e}")
            for t, host, what in run.events[-40:]:
                print(f"  {run.clock(t)}  {host}: {what}")
            return 1
        good = run.verdict()
        if not good:
            print(lab.logs(200))
            print(f"again: make chaos SECONDS={options.seconds:g} SEED={seed}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
