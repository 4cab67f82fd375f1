#!/usr/bin/python3
"""splits.py - three hosts, an etcd of three members, and the network between them cut at random, again and again.

Started by `make splits` (SPLITS=200, SEED=...) and, for a few splits, by the netns tests. Three addresses are on the same
three hosts at the same time: one lent out by a key with a lease (mode "lease"), one elected by VRRP with an arbiter, and
one of keepalived as the contrast. A sampler looks every millisecond who holds each of them. vrrpd's may never be seen on
two hosts; then the seed, what was done and what was seen around it are printed, and the exit status is 1. The same
seed makes the same decisions; times differ a little from run to run.
"""

import argparse
import itertools
import os
import random
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))

import etcd  # noqa: E402
import lab as labs  # noqa: E402
from daemons import conf, instance, keepalived_instance  # noqa: E402

ADDRESSES = {"lease": "10.77.1.101", "arbiter": "10.77.1.102", "keepalived": "10.77.1.103"}
PRIORITIES = {"a": 150, "b": 120, "c": 100}
TTL = "5s"
FAULT_S = (0.3, 12.0)  # how long a fault lasts
PAUSE_S = (0.0, 6.0)  # until the next one
WHOLE_S = 30  # after the last one: until everybody agrees again


def text(name, endpoints):
    def key(which):
        return {"store": "etcd3", "endpoints": endpoints, "key": f"/vrrpd/{which}", "ttl": TTL}

    lease = instance(
        "lease", ADDRESSES["lease"] + "/24", mode="lease", vrid=None, advert_interval=None,
        priority=PRIORITIES[name], lease=key("lease"),
    )
    arbiter = instance("arbiter", ADDRESSES["arbiter"] + "/24", priority=PRIORITIES[name], arbiter=key("arbiter"))
    return conf(lease, arbiter, node=name)


class Run:
    def __init__(self, lab, seed):
        self.lab = lab
        self.random = random.Random(seed)
        self.seed = seed
        self.stores = [lab.host(f"e{n}") for n in (1, 2, 3)]
        self.hosts = [lab.host(name) for name in PRIORITIES]
        self.etcd = etcd.Etcd(self.stores)
        self.samplers = {
            name: lab.sampler(address, interval_us=1000, hosts=self.hosts) for name, address in ADDRESSES.items()
        }
        self.vrrpd, self.keepalived = {}, {}
        self.log = []  # (when, what)
        for host in self.hosts:
            self.vrrpd[host.name] = host.vrrpd(text(host.name, self.etcd.endpoints), wait=False)
            self.keepalived[host.name] = host.keepalived(
                keepalived_instance(
                    address=ADDRESSES["keepalived"] + "/24", virtual_router_id=52, priority=PRIORITIES[host.name]
                )
            )

    def note(self, what):
        self.log.append((time.monotonic(), what))

    # ---- faults: each is begun, and returns what ends it ----

    def cut(self, pairs):
        """Host x hears nothing from host y, for each (x, y)."""
        for x, group in itertools.groupby(sorted(pairs, key=lambda p: p[0].name), key=lambda p: p[0]):
            heard = ", ".join(y.ip4() for _, y in group)
            x.drop(f"ip saddr {{ {heard} }}")

        def end():
            for x in {x for x, _ in pairs}:
                x.undrop()

        return end

    def split(self):
        """Two sides that do not hear each other."""
        all_hosts = self.stores + self.hosts
        one = [h for h in all_hosts if self.random.random() < 0.5] or [self.hosts[0]]
        other = [h for h in all_hosts if h not in one]
        what = f"split: {' '.join(h.name for h in one)} | {' '.join(h.name for h in other)}"
        return what, lambda: self.cut([(x, y) for x in all_hosts for y in all_hosts if (x in one) != (y in one)])

    def one_way(self):
        """Some hear some others no more, who still hear them."""
        ways = self.random.sample(list(itertools.permutations(self.stores + self.hosts, 2)), self.random.randint(1, 12))
        what = "deaf: " + " ".join(f"{x.name}<{y.name}" for x, y in ways)
        return what, lambda: self.cut(ways)

    def pause(self):
        """Nothing of one or two hosts runs."""
        frozen = self.random.sample(self.hosts, self.random.choice((1, 1, 2)))

        def begin():
            pids = [p for h in frozen for p in h.pids()]
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)

            def end():
                for pid in pids:
                    if os.path.exists(f"/proc/{pid}"):
                        os.kill(pid, signal.SIGCONT)

            return end

        return "pause: " + " ".join(h.name for h in frozen), begin

    def outage(self):
        """Members of the store are killed, and started again with their data."""
        lost = [h.name for h in self.random.sample(self.stores, self.random.randint(1, 3))]

        def begin():
            self.etcd.kill(*lost)
            return lambda: self.etcd.restart(*lost)

        return "outage: " + " ".join(lost), begin

    def fault(self):
        what, begin = self.random.choices((self.split, self.one_way, self.pause, self.outage), (6, 2, 2, 2))[0]()
        lasts = self.random.uniform(*FAULT_S) * self.random.random()
        rest = self.random.uniform(*PAUSE_S) * self.random.random()
        self.note(f"{what}, for {lasts:.2f} s")
        end = begin()
        time.sleep(lasts)
        end()
        self.note("whole again")
        time.sleep(rest)

    # ---- what was seen ----

    def whole(self):
        """Everybody agrees again: one holder each."""
        for name, sampler in self.samplers.items():
            labs.wait_until(
                lambda s=sampler: len(s.present()) == 1, WHOLE_S, f"one host holds the address of {name}", self.lab.logs
            )

    def seconds_with_two(self, name):
        return sum(end - start for start, end, who in self.samplers[name].periods() if len(who) > 1)

    def report(self):
        """Print what was seen of each address; how often vrrpd's were on two hosts."""
        bad = 0
        print(f"{'':12}{'two holders':>14}{'how often':>12}{'longest':>12}{'no holder':>12}{'longest':>12}")
        for name, sampler in self.samplers.items():
            periods = sampler.periods()
            two = [end - start for start, end, who in periods if len(who) > 1]
            none = [end - start for start, end, who in periods if not who]
            print(
                f"{name:12}{self.seconds_with_two(name):>12.3f} s{len(two):>12}{max(two, default=0):>10.3f} s{sum(none):>10.1f} s"
                f"{max(none, default=0):>10.1f} s"
            )
            if name != "keepalived" and two:
                bad += len(two)
                self.explain(name, periods)
        return bad

    def explain(self, name, periods):
        for start, end, who in periods:
            if len(who) < 2:
                continue
            print(f"  {name}: {' '.join(who)} for {(end - start) * 1000:.1f} ms at {start:.3f}")
            for at, what in self.log:
                if start - 15 < at < end + 2:
                    print(f"    {at:.3f} {what}")
            for at, until, then in periods:
                if start - 15 < at < end + 2:
                    print(f"    {at:.4f} to {until:.4f}: {' '.join(then) or 'nobody'}")


def go(lab, splits, seed):
    """So many faults; returns the Run, with everything whole again."""
    r = Run(lab, seed)
    r.whole()
    for sampler in r.samplers.values():
        sampler.clear()
    for _ in range(splits):
        r.fault()
        for sampler in r.samplers.values():
            sampler.periods()
    r.whole()
    for d in [*r.vrrpd.values(), *r.keepalived.values()]:
        assert d.alive(), f"{d.name} has ended:\n{lab.logs()}"
    return r


def run(lab, splits, seed):
    """The same, and print what was seen; returns how often one of vrrpd's addresses was on two hosts, or a change of state was impossible."""
    print(f"seed {seed}: {splits} splits, pauses and outages", flush=True)
    bad = go(lab, splits, seed).report()
    print(f"seed {seed}: {bad} times two holders")
    impossible = lab.impossible()
    for line in impossible:
        print(line)
    return bad + len(impossible)


def main():
    args = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    args.add_argument("--splits", type=int, default=200)
    args.add_argument("--seed", type=int, default=int(time.time()))
    args = args.parse_args()
    with labs.Lab() as lab:
        sys.exit(1 if run(lab, args.splits, args.seed) else 0)


if __name__ == "__main__":
    main()
