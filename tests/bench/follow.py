"""follow.py - how fast the address follows a leader key in etcd, beside the distribution's vip-manager.

One lab for both: three members of etcd, hosts a and b, a client. The key is written in turns with the one and the other
host; a client asks the address every half millisecond and the kernel of whoever has it answers. A figure begins
before the write is sent, so the commit of etcd is in it. The sampler says when the old host had let go.

Debian's vip-manager 1.0 speaks etcd's API v2 only and asks again after a pause: etcd runs with --enable-v2, its key is written there
by the same client, and its pause is the shortest it takes. vrrpd follows the v3 key by a watch.
"""

import json
import os
import statistics
import subprocess
import time
import urllib.parse

import daemons
import etcd
import lab as labs

import procstat
import rig as rigs

KEY = "/service/pg/leader"
SUBJECTS = ("vrrpd", "vip-manager")
TTL = {"a": 60, "b": 61}  # by which the client tells their answers
PAUSE_MS = 1  # of vip-manager between two questions
ASK_US = 500
DEADLINE_S = 5


class Site:
    """The lab, and the client's view of it; a context manager."""

    def __init__(self):
        self.lab = labs.Lab()
        try:
            members = [self.lab.host(f"e{n}") for n in (1, 2, 3)]
            self.hosts = {name: self.lab.host(name) for name in "ab"}
            for name, host in self.hosts.items():
                host.sysctl(**{"net.ipv4.ip_default_ttl": TTL[name]})
            self.client = self.lab.host("client")
            self.etcd = etcd.Etcd(members, "--enable-v2")
            self.gateway = self.etcd.gateway()
            self.sampler = self.lab.sampler(rigs.VIP, hosts=list(self.hosts.values()))
            program = os.path.join(labs.build_dir(), "tests", "bench_who")
            self.who = self.client.popen([program, rigs.VIP, str(ASK_US)], "who.log", stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True)
            rigs.ready(self.who)
            self.answering = None  # the host that answered last
        except BaseException:
            self.lab.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lab.close()

    def start(self, subject):
        """The daemon on both hosts; host a holds the address."""
        self.write(subject, "a")
        run = {name: (self._vrrpd if subject == "vrrpd" else self._vip_manager)(host) for name, host in self.hosts.items()}
        self.lab.wait_until(lambda: self.sampler.present() == ["a"], 10, f"{subject}: host a holds the address")
        self.client.ip("neigh", "flush", "dev", "eth0")
        self.lab.wait_until(lambda: self.changes() is not None and self.answering == "a", 5, "host a answers")
        return run

    def _vrrpd(self, host):
        leader = {"store": "etcd3", "endpoints": self.etcd.endpoints, "key": KEY}
        one = daemons.instance("pg", rigs.VIP + "/24", vrid=None, advert_interval=None, mode="follow", leader=leader)
        return host.vrrpd(daemons.conf(one, node=host.name), name=f"vrrpd{len(self.lab.processes)}")

    def _vip_manager(self, host):
        return host.popen(
            ["vip-manager", "--ip", rigs.VIP, "--netmask", "24", "--interface", "eth0", "--trigger-key", KEY,
             "--trigger-value", host.name, "--dcs-type", "etcd", "--dcs-endpoints", ",".join(self.etcd.endpoints),
             "--interval", str(PAUSE_MS)], "vip-manager.log")

    def write(self, subject, value):
        """(before it was sent, when it was answered)"""
        before = time.monotonic()
        if subject == "vrrpd":
            self.gateway.put(KEY, value)
        else:
            self.gateway.http.request("PUT", "/v2/keys" + KEY, urllib.parse.urlencode({"value": value}),
                                      {"Content-Type": "application/x-www-form-urlencoded"})
            answer = self.gateway.http.getresponse()
            text = answer.read()
            if answer.status not in (200, 201):
                raise RuntimeError(f"etcd v2: {answer.status}: {text}")
        return before, time.monotonic()

    def changes(self):
        """Who began to answer since the last question: [(when, name)]."""
        self.who.popen.stdin.write("\n")
        self.who.popen.stdin.flush()
        names = {ttl: name for name, ttl in TTL.items()}
        found = [(us / 1e6, names.get(ttl, "?")) for us, ttl in json.loads(self.who.popen.stdout.readline())]
        self.answering = found[-1][1] if found else self.answering
        return found

    def move(self, subject, rng):
        """Write the key with the other host's name: in ms until it answers, until the old one has let go, of the write."""
        old = self.sampler.present()[0]
        new = "b" if old == "a" else "a"
        time.sleep(0.02 + 0.06 * rng.random())  # any moment between two questions of whoever asks
        self.changes()
        self.sampler.clear()
        sent, written = self.write(subject, new)
        seen = []

        def answered():
            seen.extend(t for t, name in self.changes() if name == new and t >= sent)
            return bool(seen) and self.sampler.present() == [new]

        self.lab.wait_until(answered, DEADLINE_S, f"{subject}: host {new} answers, and is alone")
        let_go = max((end for _, end, names in self.sampler.periods() if old in names), default=sent)
        return (seen[0] - sent) * 1000, (let_go - sent) * 1000, (written - sent) * 1000


def p99(values):
    return sorted(values)[max(0, -(-len(values) * 99 // 100) - 1)]


def _rows(bench):
    def row(what, unit="ms", *wanted):
        return bench.row(what, unit, *wanted, beside="vip-manager")

    return {
        "median": row("leader key written: new host answers, median", "ms", "under 10 ms", 10),
        "p99": row("leader key written: new host answers, 99th percentile", "ms", "under 20 ms", 20),
        "gone": row("leader key written: old host has let go, median"),
        "gone p99": row("leader key written: old host has let go, 99th percentile"),
        "cpu": row("CPU while the key stays, one host", "% of a core"),
    }


def _idle(run, seconds):
    """What the daemon on host a uses while nothing happens, in percent of a core."""
    pids = {procstat.name(p): p for p in procstat.tree(run["a"].pid)}
    start, before = time.monotonic(), {n: procstat.process_ns(p) for n, p in pids.items()}
    time.sleep(seconds)
    took = time.monotonic() - start
    return {n: (procstat.process_ns(p) - before[n]) / 1e7 / took for n, p in pids.items()}


def _one(bench, site, subject, rows, moves, idle_s):
    run = site.start(subject)
    try:
        used = _idle(run, idle_s)
        bench.record(rows["cpu"], subject, sum(used.values()), window_s=idle_s, pause_ms=PAUSE_MS,
                     processes={n: round(x, 4) for n, x in used.items()})
        seen = [site.move(subject, bench.rng) for _ in range(moves)]
        for daemon in run.values():
            if not daemon.alive():
                raise RuntimeError(f"{subject} ended: {daemon.log_text()[-500:]}")
    finally:
        for daemon in run.values():
            daemon.stop()
        for host in site.hosts.values():  # vip-manager may leave it
            host.ip("addr", "del", rigs.VIP + "/24", "dev", "eth0", check=False)
    answered, gone, written = zip(*seen)
    facts = {"changes": moves, "ask_every_us": ASK_US, "write_ms": round(statistics.median(written), 3)}
    bench.record(rows["median"], subject, statistics.median(answered), values=[round(x, 2) for x in answered], **facts)
    bench.record(rows["p99"], subject, p99(answered), worst_ms=max(answered), **facts)
    bench.record(rows["gone"], subject, statistics.median(gone), values=[round(x, 2) for x in gone], **facts)
    bench.record(rows["gone p99"], subject, p99(gone), worst_ms=max(gone), **facts)


def follow(bench):
    """The leader key moves; vrrpd and vip-manager in turns."""
    bench.detail("Follow: from before the write of the key is sent (its commit by three members is in the figure) to the first "
                 f"answer of the new host's kernel to a client that asks every {ASK_US / 1000:g} ms; let go: looked at every ms.")
    bench.detail(f"vip-manager (etcd API v2, the only one it speaks) pauses {PAUSE_MS} ms between two questions.")
    rounds, moves = (1, 20) if bench.quick else (2, 100)
    rows = _rows(bench)
    with Site() as site:
        for i in range(rounds):
            for subject in SUBJECTS if i % 2 == 0 else reversed(SUBJECTS):
                with bench.attempt(f"follow: {subject}"):
                    _one(bench, site, subject, rows, moves, 3 if bench.quick else 10)
