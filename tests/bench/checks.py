"""checks.py - what a run of each kind of check costs, beside a forked script, and 200 checks a second.

One host runs the real servers of the distribution; vrrpd on it runs checks of one kind. A figure is the CPU time that
vrrpd-agent, and for scripts its children that have ended, gained over a window, divided by the runs that the agent
counted in it: waking up, timers and verdicts are in it, nothing is subtracted. The floor is the bare system calls that
ask the same server the same, in the same bursts (bench_ask.c).
"""

import json
import os
import re
import time

import daemons
import lab as labs
import postgres
import redis_daemons

import procstat

WANTED_US = 50
RATE = 1000  # runs a second of the kind under measurement
MANY = 200
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HTTP_QUESTION = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: vrrpd\r\nAccept: */*\r\n\r\n"


class Kind:
    """One kind of check: its options, how bench_ask asks the same: (endpoint, until, question), interval, and rate."""

    def __init__(self, options, ask=None, beside="script true", wanted=WANTED_US, interval_ms=10, rate=RATE):
        self.options, self.ask, self.beside, self.wanted = options, ask, beside, wanted
        self.interval_ms, self.checks = interval_ms, rate * interval_ms // 1000


class Servers:
    """A host of a lab with HAProxy, Redis and PostgreSQL on it; a context manager."""

    def __init__(self):
        self.lab = labs.Lab()
        self.number = 0

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.lab.close()
            raise
        return self

    def __exit__(self, *_):
        self.lab.close()

    def _start(self):
        self.host = self.lab.host("a")
        self.other = self.lab.host("b")
        self.host.sysctl(**{"net.ipv4.ping_group_range": "0 2147483647"})
        self.web = daemons.web_server(self.host)
        self.proxy = daemons.web_proxy(self.host)
        self.redis = redis_daemons.Redis(self.host)
        self.postgres = postgres.Postgres(self.host)
        self.postgres.start()
        self.password = postgres.secret(self.host, "geheim")
        self.script = os.path.join(self.lab.dir, "check_haproxy")  # where the agent's user may look
        for name in ("check_haproxy", "common.sh"):
            self.host.run(["install", "-m", "755", os.path.join(ROOT, "scripts", name), self.lab.dir])

    def kinds(self):
        """By name, in the order of the table; scripts first."""
        login = {"username": "postgres", "password_file": self.password}
        proxy, stats, sql = f"127.0.0.1:{daemons.WEB_PORT}", self.proxy.socket_path, "127.0.0.1:5432"
        hello = b"\x00\x03\x00\x00user\0vrrpd\0database\0postgres\0application_name\0vrrpd\0\0"
        hello = (len(hello) + 4).to_bytes(4, "big") + hello
        role = b"*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nROLE\r\n"
        return {
            "script true": Kind({"kind": "script", "command": ["/bin/true"]}, wanted=None, rate=200),
            "script check_haproxy": Kind(
                {"kind": "script", "command": [self.script, "--socket", stats, "--backend", "servers"]}, wanted=None,
                interval_ms=50, rate=20),
            "haproxy": Kind({"kind": "haproxy", "socket": stats, "backends": ["servers"]},
                            (stats, "closed", b"show info;show stat servers 2 -1\n"), "script check_haproxy"),
            "redis": Kind({"kind": "redis", "address": "127.0.0.1:6379", "role": "master"},
                          ("127.0.0.1:6379", "kept", role)),
            # A process is forked for each connection, which takes the server longer than all else; a login even more.
            "postgres": Kind({"kind": "postgres", "address": sql}, (sql, "some", hello), interval_ms=50, rate=200),
            "postgres, by Unix socket": Kind({"kind": "postgres", "address": self.postgres.socket},
                                             (self.postgres.socket, "some", hello), interval_ms=50, rate=200),
            "postgres, with role": Kind({"kind": "postgres", "address": sql, "role": "replica", **login},
                                        (sql, "some", hello), interval_ms=50, rate=200),
            "http": Kind({"kind": "http", "url": f"http://{proxy}/"}, (proxy, "some", HTTP_QUESTION)),
            "tcp": Kind({"kind": "tcp", "address": proxy}, (proxy, "connected", b"")),
            "process": Kind({"kind": "process", "process": "redis-server"}),
            "file": Kind({"kind": "file", "path": os.path.join(self.lab.dir, "maintenance")}),
            "interface": Kind({"kind": "interface", "interface": "eth0"}),
            "route": Kind({"kind": "route", "destination": "10.77.1.0/24", "interface": "eth0"}),
            "ping": Kind({"kind": "ping", "address": self.other.ip4()}),
        }

    def vrrpd(self, checks, interval_ms):
        """vrrpd with checks by name, all at this interval and tracked; runs until every one is up."""
        every = f"{interval_ms}ms"
        checks = {n: {**c, "interval": every, "timeout": every, "rise": 1, "fall": 3} for n, c in checks.items()}
        tracks = tuple({"check": n, "weight": -1} for n in list(checks)[:16])
        self.number += 1
        text = daemons.conf(daemons.instance(advert_interval="1s", track=tracks), checks=checks)
        d = self.host.vrrpd(text, name=f"vrrpd{self.number}")
        self.lab.wait_until(lambda: runs(d)["up"] >= 3 * len(checks), 20, "the checks run and are up")
        return d

    def ask(self, kind, seconds):
        """The floor: CPU in us per run, as many of them as checks one after the other at each interval."""
        endpoint, until, question = kind.ask
        path = os.path.join(labs.build_dir(), "tests", "bench_ask")
        pace = (seconds * 1000 // kind.interval_ms, kind.checks, kind.interval_ms * 1000)
        done = self.host.run([path, endpoint, until, *map(str, pace), question.hex()])
        return json.loads(done.stdout)["cpu_us_per_run"]


def runs(d):
    """Ended runs of all checks by their result."""
    out = {"up": 0, "down": 0, "timeout": 0}
    for result, n in re.findall(r'vrrpd_check_runs_total\{check=".*",result="(.*)"\} (\d+)', d.get("/metrics")[1]):
        out[result] += int(n)
    return out


def window(d, seconds):
    """What agent and engine used over a window, in ns, and the runs that ended in it."""
    def used():
        return {name: procstat.process_ns(pid) for name, pid in d.processes().items()}

    runs_before, start, before = runs(d), time.monotonic(), used()
    time.sleep(seconds)
    after, took, runs_after = used(), time.monotonic() - start, runs(d)
    return ({name: ns - before[name] for name, ns in after.items()},
            {result: n - runs_before[result] for result, n in runs_after.items()}, took)


def one_kind(bench, servers, name, kind, seconds):
    """(agent's us per run, facts) of one kind over one window."""
    d = servers.vrrpd({f"c{i}": kind.options for i in range(kind.checks)}, kind.interval_ms)
    ns, ended, took = window(d, seconds)
    d.stop()
    total = sum(ended.values())
    if ended["up"] < 0.9 * total:
        bench.note("not up", check=name, **ended)
    return ns["agent"] / 1000 / total, {
        "runs": total, "up": ended["up"], "window_s": round(took, 3), "checks": kind.checks,
        "interval_ms": kind.interval_ms, "engine_us_per_run": round(ns["engine"] / 1000 / total, 2)}


def each_kind(bench, servers):
    seconds = 2 if bench.quick else 4
    kinds = servers.kinds()
    rows = {}
    for name, kind in kinds.items():
        wanted = (f"under {kind.wanted} us", kind.wanted) if kind.wanted else ()
        rows[name] = bench.row(f"check {name}: CPU per run", "us", *wanted, beside="forked script")
    for _ in range(bench.rounds(3)):
        scripts = {}
        for name, kind in kinds.items():
            row = rows[name]
            with bench.attempt(row.what):
                value, facts = one_kind(bench, servers, name, kind, seconds)
                scripts[name] = value
                bench.record(row, "vrrpd", value, **facts)
                if kind.wanted and kind.beside in scripts:
                    row.values.setdefault("forked script", []).append(scripts[kind.beside])
                if kind.ask:
                    row.floors.append(servers.ask(kind, seconds))


def many(bench, servers):
    """200 native checks every second, beside as many forked scripts."""
    kinds = servers.kinds()
    row = bench.row(f"{MANY} checks a second: share of a core, agent and engine", "%", "under 2 %", 2,
                    beside="forked script")
    mixes = {"vrrpd": ("haproxy", "redis", "http", "tcp"), "forked script": ("script true",)}
    for subject in list(mixes) * bench.rounds(3):
        mix = mixes[subject]
        with bench.attempt(f"{row.what}: {subject}"):
            d = servers.vrrpd({f"c{i}": kinds[mix[i % len(mix)]].options for i in range(MANY)}, 1000)
            ns, ended, took = window(d, 4 if bench.quick else 10)
            d.stop()
            share = {who: 100 * ns[who] / 1e9 / took for who in ("agent", "engine")}
            bench.record(row, subject, sum(share.values()), mix=mix, runs=sum(ended.values()), up=ended["up"],
                         window_s=round(took, 3), **{f"{who}_percent": round(x, 3) for who, x in share.items()})


def checks(bench):
    """CPU per run of each kind, and 200 checks a second."""
    if "vrrpd" not in bench.subjects:
        return
    bench.detail(f"Checks: {RATE} runs a second of one kind, 10 checks every 10 ms (postgres: every 50 ms; scripts: "
                 "fewer), against real servers: all that vrrpd-agent does, by runs. Beside haproxy: "
                 "scripts/check_haproxy; beside all others: /bin/true.")
    bench.detail("Floor of a check: the same question to the same server by bare system calls, a new connection each "
                 "time; redis: over one kept connection; postgres with role: without the question for it.")
    with Servers() as servers:
        each_kind(bench, servers)
        many(bench, servers)
