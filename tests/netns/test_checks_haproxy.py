"""test_checks_haproxy.py - kind haproxy with the real HAProxy: stopped, killed, hung, reloaded, its servers gone."""

import os
import signal
import socket
import time

import pytest

import daemons
import wire
from daemons import WEB_PORT, Haproxy, conf, instance

from test_checks_local import Server, check, flood, reset, slowly, wait_check

VIP = "10.77.1.100"
INTERVAL_S, FALL = 0.2, 2

# Two servers of one backend, one of them a backup; an empty one, which HAProxy calls UP; a stats socket over TCP, too.
PROXY = """
global
    maxconn 100
    stats socket {socket} mode 666 level admin expose-fd listeners
    stats socket 127.0.0.1:9999 level user
defaults
    mode http
    timeout client 5s
    timeout server 5s
    timeout connect 1s
frontend shared
    bind :::80 v4v6
    default_backend servers
backend servers
    server first 127.0.0.1:{web} check inter 100ms fall 1 rise 1
    server second 127.0.0.1:{web} check inter 100ms fall 1 rise 1 backup
backend empty
"""


def proxy(host, name="haproxy"):
    return Haproxy(host, PROXY.replace("{web}", str(WEB_PORT)), name)


def haproxy_check(path, **options):
    quick = {"interval": f"{int(INTERVAL_S * 1000)}ms", "timeout": "200ms", "rise": 1, "fall": FALL}
    return {"kind": "haproxy", "socket": path, "backends": ["servers"], "frontends": ["shared"], **quick, **options}


def workers(master):
    """Process ids of the children of a master, those that are about to end left out."""
    with open(f"/proc/{master}/task/{master}/children", encoding="ascii") as f:
        return {int(p) for p in f.read().split()}


def ask(path, command):
    """One command to the stats socket; the answer."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        s.connect(path)
        s.sendall(command.encode() + b"\n")
        return s.recv(4096).decode()


class World:
    """Two hosts with HAProxy and vrrpd, the first one Active, and a client."""

    def __init__(self, lab):
        self.lab = lab
        self.a, self.b, self.c = (lab.host(n) for n in "abc")
        self.webs, self.proxies, self.vrrpd = {}, {}, {}
        for host, priority in ((self.a, 150), (self.b, 100)):
            self.webs[host.name] = daemons.web_server(host)
            self.proxies[host.name] = proxy(host)
            self.vrrpd[host.name] = host.vrrpd(
                conf(
                    instance(priority=priority, track=({"check": "haproxy"},)),
                    node=host.name,
                    checks={"haproxy": haproxy_check(self.proxies[host.name].socket_path)},
                )
            )
        self.vrrpd["a"].wait_state("pg", "active", 10)
        self.vrrpd["b"].wait_state("pg", "backup", 10)
        self.probe = self.c.probe("http", VIP, port=80, interval_us=5000)
        self.probe.wait_answers()

    def line(self, name="a"):
        return self.vrrpd[name].instance()["checks"][0]["last"]

    def moves(self, text, began):
        """The address goes to b in time, and a's status says why."""
        at = self.lab.wait_until(lambda: self.vrrpd["b"].state() == "active" and time.monotonic(), 10, "b is Active")
        status = self.vrrpd["a"].wait_state("pg", "fault")
        assert status["reason"] == "check haproxy failed"
        assert text in self.line(), self.line()
        assert self.lab.holders(VIP) == ["b"]
        took = at - began
        print(f"{text}: b is Active after {took:.2f} s")
        assert took < INTERVAL_S * FALL + 0.2 + 2, "interval x fall, a time-out, the leave, and a busy machine's share"
        assert self.probe.wait_answers()[-1]["who"].keys() == {"b"}

    def back(self):
        self.vrrpd["a"].wait_state("pg", "active", 10)
        self.lab.wait_until(lambda: self.probe.report()["who"].keys() == {"a"}, 5, "a answers again")


@pytest.fixture
def world(lab):
    return World(lab)


def test_the_address_follows_haproxy(world):
    """Killed, hung, stopping, all servers down, a frontend disabled: each time it goes, and comes back."""
    assert world.line() == "2 of 2 servers up in servers"
    began = time.monotonic()
    world.proxies["a"].kill()
    world.moves("HAProxy does not answer on", began)
    world.proxies["a"] = proxy(world.a)
    world.back()

    began = time.monotonic()
    world.proxies["a"].signal(signal.SIGSTOP)
    world.moves("no result within 200 ms", began)
    world.proxies["a"].signal(signal.SIGCONT)
    world.back()

    began = time.monotonic()
    world.webs["a"].kill()
    world.moves("backend servers is DOWN (0 of 2 servers up in servers)", began)
    world.webs["a"] = daemons.web_server(world.a)
    world.back()

    began = time.monotonic()
    assert ask(world.proxies["a"].socket_path, "disable frontend shared") == "\n"
    world.moves("frontend shared is PAUSED", began)
    assert ask(world.proxies["a"].socket_path, "enable frontend shared") == "\n"
    world.back()

    # A client that stays connected keeps the old process alive: it is stopping, and says so while its socket is there.
    began = time.monotonic()
    world.proxies["a"].signal(signal.SIGUSR1)
    world.moves("HAProxy", began)


def test_one_of_two_servers(lab):
    """A backup server counts; min_servers; an empty backend is down whatever HAProxy calls it; a name that is none."""
    a = lab.host("a")
    web = daemons.web_server(a)
    p = proxy(a)
    checks = {
        "any": haproxy_check(p.socket_path),
        "both": haproxy_check(p.socket_path, min_servers=2),
        "tcp": haproxy_check("127.0.0.1:9999", backends=["servers", "empty"]),
        "none": haproxy_check(p.socket_path, backends=["nothing"], frontends=["nobody"]),
        "alive": {"kind": "haproxy", "socket": p.socket_path, "min_idle": 1},
    }
    d = a.vrrpd(conf(instance(track=tuple({"check": n, "weight": -1} for n in checks)), node="a", checks=checks))
    wait_check(d, "up", "2 of 2 servers up in servers", "both")
    wait_check(d, "up", "HAProxy answers", "alive")
    wait_check(d, "down", "backend empty has too few servers up (2 of 2 servers up in servers, 0 of 0 servers", "tcp")
    wait_check(d, "down", "HAProxy has no backend nothing, HAProxy has no frontend nobody", "none")
    assert ask(p.socket_path, "set server servers/first state maint") == "\n"
    wait_check(d, "down", "backend servers has too few servers up (1 of 2 servers up in servers)", "both")
    assert wait_check(d, "up", "1 of 2 servers up in servers", "any")
    assert ask(p.socket_path, "set server servers/first state ready") == "\n"
    wait_check(d, "up", "2 of 2 servers up in servers", "both")
    web.kill()
    wait_check(d, "down", "is DOWN", "any")


def reload(lab, master, n):
    """A master that has not quite come back from the reload before loses the signal: it gets another one."""
    before = workers(master.pid)
    sent = 0.0

    def another():
        nonlocal sent
        if time.monotonic() - sent > 2:
            sent = time.monotonic()
            master.signal(signal.SIGUSR2)
        return workers(master.pid) - before

    lab.wait_until(another, 20, f"another worker, {n}")


def test_reloads_are_not_noticed(lab):
    """Master and worker, reloaded five times while clients keep the old workers busy: the new one is asked, nothing moves."""
    a = lab.host("a")
    daemons.web_server(a)
    path = os.path.join(a.dir, "admin.sock")
    cfg = os.path.join(a.dir, "haproxy.cfg")
    with open(cfg, "w", encoding="ascii") as f:
        f.write(PROXY.replace("{socket}", path).replace("{web}", str(WEB_PORT)))
    master = daemons.Process(a, "haproxy", ["haproxy", "-W", "-db", "-f", cfg], "haproxy.log")
    lab.wait_until(lambda: os.path.exists(path), 5, "HAProxy's socket")
    d = a.vrrpd(
        conf(instance(track=({"check": "haproxy"},)), node="a", checks={"haproxy": haproxy_check(path, interval="50ms", timeout="50ms")})
    )
    d.wait_state("pg", "active", 10)
    clients = []
    for n in range(5):
        clients.append(wire.in_netns(a.netns, lambda: socket.create_connection((VIP, 80), 5)))
        reload(lab, master, n)
        wait_check(d, "up", "2 of 2 servers up in servers", "haproxy")
    assert len(workers(master.pid)) > 1, "the old ones still serve their clients"
    for s in clients:
        s.close()
    assert d.state() == "active" and d.counters()["transitions"] == 1


def closing(fn):
    """A server that ends the connection when fn has ended."""

    def serve(c):
        fn(c)
        c.close()

    return serve


def test_stats_sockets_that_misbehave(lab):
    """Silence, drops of an answer, floods, resets, garbage: bounded time and memory, and a line that says what it was."""
    a = lab.host("a")
    servers = {
        "silent": (lambda c: time.sleep(60), "no result within 300 ms"),
        "slow": (slowly, "no result within 300 ms"),
        "flood": (flood, "the answer is longer than 2 MiB"),
        "reset": (reset, "HAProxy does not answer on"),
        "garbage": (lambda c: (c.recv(4096), c.sendall(b"\x00\xff<html>no</html>\n")), "no answer that can be understood"),
        "empty": (lambda c: c.recv(4096), "no answer that can be understood: (nothing)"),
    }
    checks = {}
    for i, (name, (fn, _)) in enumerate(servers.items()):
        Server(a, 6000 + i, closing(fn))
        checks[name] = check("haproxy", socket=f"{a.ip4()}:{6000 + i}", timeout="300ms", interval="300ms")
    d = a.vrrpd(conf(instance(track=tuple({"check": n, "weight": -1} for n in checks)), node="a", checks=checks))
    for name, (_, text) in servers.items():
        wait_check(d, "down", text, name)
    with open(f"/proc/{d.processes()['agent']}/status", encoding="ascii") as f:
        peak = [int(line.split()[1]) for line in f if line.startswith("VmHWM")][0]
    print(f"peak memory of the agent: {peak} kB")
    assert peak < 60000, peak
