"""test_checks_local.py - checks of what is on the host itself and of its gateway: file, interface, route, ping, process, tcp."""

import os
import socket
import subprocess
import threading
import time

from daemons import conf, instance

VIP = "10.77.1.100"


def check(kind, **options):
    return {"kind": kind, "interval": "100ms", "timeout": "100ms", "rise": 1, "fall": 1, **options}


def start(host, tracks=None, **checks):
    """vrrpd with these checks, all tracked without a weight unless `tracks` says which."""
    if tracks is None:
        tracks = [{"check": name} for name in checks]
    return host.vrrpd(conf(instance(track=tuple(tracks)), node=host.name, checks=checks))


def one(d, name="c"):
    """A check's part of the status."""
    for c in d.instance()["checks"]:
        if c["name"] == name:
            return c
    raise AssertionError(f"no check {name} in status")


def wait_check(d, state, last=None, name="c", deadline=5):
    """Wait until a check says this; `last` is part of its line."""

    def reached():
        c = one(d, name)
        assert c["state"] == state and (last is None or last in c["last"]), c
        return c

    return d.host.lab.wait_until(reached, deadline, f"check {name} is {state}, {last}")


def put(path, text=""):
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


def test_maintenance_switch(lab):
    """A file appears and the address goes, long before the interval is over."""
    a, b = lab.host("a"), lab.host("b")
    path = os.path.join(a.dir, "maintenance")
    d = a.vrrpd(
        conf(
            instance(priority=150, track=({"check": "c"},)),
            node="a",
            checks={"c": {"kind": "file", "path": path, "interval": "1h", "timeout": "1s", "rise": 2, "fall": 2}},
        )
    )
    d.wait_state("pg", "active")
    b.vrrpd(conf(instance(priority=100), node="b")).wait_state("pg", "backup")
    began = time.monotonic()
    put(path)
    lab.wait_until(lambda: lab.holders(VIP) == ["b"], 5, "b alone holds the address")
    assert time.monotonic() - began < 2
    assert path in one(d)["last"] and one(d)["last"].endswith("exists")
    os.unlink(path)
    d.wait_state("pg", "active")


def test_number_in_a_file(lab):
    a = lab.host("a")
    path = os.path.join(a.dir, "weight")
    d = start(a, c=check("file", path=path, content="number", interval="1h", timeout="1s"))
    d.wait_state("pg", "active")

    def effective(n):
        lab.wait_until(lambda: d.instance()["priority"]["effective"] == n, 5, f"effective priority {n}")

    for text, priority in (("-10\n", 90), ("50", 150), ("", 100), ("-253", 1), ("0", 100)):
        put(path, text)
        effective(priority)
    put(path, "x")
    wait_check(d, "down", "holds no number: x")
    d.wait_state("pg", "fault")


def test_interface_and_address(lab):
    a = lab.host("a")
    d = start(
        a,
        tracks=[{"check": "c", "weight": -10}],
        c=check("interface", interface="eth0", address="10.77.1.200"),
    )
    wait_check(d, "down", "eth0 does not have 10.77.1.200")
    a.ip("addr", "add", "10.77.1.200/32", "dev", "lo")
    wait_check(d, "down", "eth0 does not have 10.77.1.200: it is on lo")
    a.ip("addr", "add", "10.77.1.200/24", "dev", "eth0")
    wait_check(d, "up", "eth0 is up and has 10.77.1.200")
    a.link_down()
    wait_check(d, "down", "eth0 has no carrier")
    a.link_up()
    wait_check(d, "up")
    a.ip("link", "set", "eth0", "down")
    wait_check(d, "down", "eth0 is down")


def test_routes(lab):
    a = lab.host("a")
    t = [{"check": n, "weight": -1} for n in ("any", "via", "six", "net", "table", "dev")]
    d = start(
        a,
        tracks=t,
        any=check("route"),
        via=check("route", via="10.77.1.253"),
        six=check("route", destination="default6"),
        net=check("route", destination="10.99.0.0/16", via="10.77.1.253"),
        table=check("route", destination="10.98.0.0/16", table=1000),
        dev=check("route", destination="10.99.0.0/16", interface="eth9"),
    )
    wait_check(d, "down", "no default route", "any")
    wait_check(d, "down", "no route to 10.98.0.0/16 in table 1000", "table")
    wait_check(d, "down", "eth9 does not exist", "dev")
    a.ip("route", "add", "default", "via", "10.77.1.254", "dev", "eth0")
    wait_check(d, "up", "default route via 10.77.1.254", "any")
    wait_check(d, "down", "no default route via 10.77.1.253", "via")
    a.ip("route", "replace", "default", "nexthop", "via", "10.77.1.254", "nexthop", "via", "10.77.1.253")
    wait_check(d, "up", "default route via 10.77.1.253", "via")
    a.ip("-6", "route", "add", "default", "via", "fe80::99", "dev", "eth0")
    wait_check(d, "up", "IPv6 default route via fe80::99", "six")
    a.ip("route", "add", "blackhole", "10.99.0.0/16")
    end = time.monotonic() + 0.3  # three runs: a black hole is no route
    while time.monotonic() < end:
        c = one(d, "net")
        assert c["state"] == "down" and c["last"] == "no route to 10.99.0.0/16 via 10.77.1.253", c
    a.ip("route", "replace", "10.99.0.0/16", "via", "10.77.1.253")
    wait_check(d, "up", None, "net")
    a.ip("route", "add", "10.98.0.0/16", "via", "10.77.1.253", "table", "1000")
    wait_check(d, "up", "route to 10.98.0.0/16 in table 1000 via 10.77.1.253", "table")
    a.link_down()
    wait_check(d, "down", "is there, but its link is down", "any")
    a.link_up()
    wait_check(d, "up", None, "any")


def test_route_among_many(lab):
    """A large table is read in pieces: found in time, and nothing else waits."""
    a = lab.host("a")
    a.batch(f"route add 10.{100 + n // 256 // 64}.{n // 64 % 256}.{n % 64 * 4}/30 dev eth0" for n in range(20000))
    d = start(
        a,
        tracks=[{"check": "c", "weight": -1}],
        c=check("route", destination="10.100.77.252/30", interval="500ms", timeout="500ms"),
    )
    wait_check(d, "up", "route to 10.100.77.252/30")


def allow_ping(host, allowed):
    host.sysctl(**{"net.ipv4.ping_group_range": "0 2147483647" if allowed else "1 0"})


def test_ping(lab):
    a, gw = lab.host("a"), lab.host("gw")
    names = ("v4", "v6", "ll", "dev", "no", "far")
    allow_ping(a, False)
    d = start(
        a,
        tracks=[{"check": n, "weight": -1} for n in names],
        v4=check("ping", address=gw.ip4()),
        v6=check("ping", address=gw.ip6()),
        ll=check("ping", address=gw.link_local(), interface="eth0"),
        dev=check("ping", address=gw.ip4(), interface="eth7"),
        no=check("ping", address="10.77.1.250", interval="200ms", timeout="200ms"),
        far=check("ping", address="192.0.2.1"),
    )
    wait_check(d, "down", 'run sysctl -w net.ipv4.ping_group_range="0 2147483647"', "v4")
    wait_check(d, "down", "ping_group_range", "v6")
    allow_ping(a, True)
    wait_check(d, "up", f"{gw.ip4()} answers after ", "v4")
    wait_check(d, "up", f"{gw.ip6()} answers after ", "v6")
    wait_check(d, "up", f"{gw.link_local()} answers after ", "ll")
    wait_check(d, "down", "eth7 does not exist", "dev")
    wait_check(d, "down", "10.77.1.250 does not answer 3 echo requests", "no")
    wait_check(d, "down", "192.0.2.1 cannot be reached: Network is unreachable", "far")
    gw.cut()
    for name in ("v4", "v6", "ll"):
        wait_check(d, "down", "does not answer", name)
    gw.mend()
    for name in ("v4", "v6", "ll"):
        wait_check(d, "up", None, name)


def test_ping_survives_loss(lab):
    """Half of all packets are lost: three requests a run and fall = 2 keep it up far more often than not."""
    a, gw = lab.host("a"), lab.host("gw")
    allow_ping(a, True)
    d = start(
        a, tracks=[{"check": "c", "weight": -1}], c=check("ping", address=gw.ip4(), interval="50ms", timeout="50ms", fall=2)
    )
    wait_check(d, "up")
    gw.drop("icmp type echo-request", percent=30)
    end = time.monotonic() + 2
    seen = []
    while time.monotonic() < end:
        seen.append(one(d)["state"])
        time.sleep(0.02)
    assert seen.count("up") > 0.8 * len(seen), seen


def test_process(lab):
    """A process of a name and one of a pid file: their ends count at once, at an interval of an hour."""
    a = lab.host("a")
    pid_file = os.path.join(a.dir, "pid")
    name = f"vt{os.getpid()}"[:15]
    program = os.path.join(a.dir, name)
    os.symlink("/bin/sleep", program)
    p = subprocess.Popen([program, "100"])
    q = subprocess.Popen(["/bin/sleep", "100"])
    try:
        put(pid_file, f"{q.pid}\n")
        d = start(
            a,
            tracks=[{"check": "name", "weight": -10}, {"check": "file", "weight": -20}],
            name=check("process", process=name, interval="1h", timeout="1s"),
            file=check("process", pid_file=pid_file, interval="1h", timeout="1s"),
        )
        wait_check(d, "up", f"{name} runs as process {p.pid}", "name")
        wait_check(d, "up", f"process {q.pid} of {pid_file} runs", "file")
        began = time.monotonic()
        p.kill()
        wait_check(d, "down", f"no process {name}", "name", deadline=2)
        q.kill()
        wait_check(d, "down", "does not run", "file", deadline=2)
        print(f"both ends counted within {time.monotonic() - began:.3f} s")
        lab.wait_until(lambda: d.instance()["priority"]["effective"] == 70, 2, "both weights count")
    finally:
        for x in (p, q):
            x.kill()
            x.wait()


class Server:
    """A TCP server in a host's namespace that serves each connection with fn(socket) in a thread of its own."""

    def __init__(self, host, port, fn):
        self.fn = fn
        self.sockets = []
        import wire

        self.listener = wire.in_netns(host.netns, lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("0.0.0.0", port))
        self.listener.listen(128)
        host.lab.on_close(self.close)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                c = self.listener.accept()[0]
            except OSError:
                return
            self.sockets.append(c)
            threading.Thread(target=self._serve, args=(c,), daemon=True).start()

    def _serve(self, c):
        try:
            self.fn(c)
        except OSError:
            pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for c in self.sockets:
            c.close()


def reset(c):
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    c.close()


def slowly(c):
    for octet in b"-ERR I have all the time of the world\r\n" * 10:
        c.send(bytes([octet]))
        time.sleep(0.1)


def flood(c):
    piece = b"x" * 65536
    for _ in range(1600):
        c.sendall(piece)


def test_tcp_servers_that_misbehave(lab):
    a, b = lab.host("a"), lab.host("b")
    servers = {
        "good": (lambda c: (c.recv(100), c.sendall(b"+PONG\r\n"), c.recv(1)), "up", "answers as expected"),
        "silent": (lambda c: time.sleep(60), "down", "no result within 100 ms"),
        "slow": (slowly, "down", "no result within 100 ms"),
        "flood": (flood, "down", "not in the first 64 KiB"),
        "reset": (reset, "down", "Connection reset by peer"),
        "rubbish": (lambda c: (c.sendall(os.urandom(3000)), c.close()), "down", None),
    }
    checks = {"nobody": check("tcp", address=f"{b.ip4()}:5999")}
    for i, (name, (fn, _, _)) in enumerate(servers.items()):
        Server(b, 6000 + i, fn)
        checks[name] = check("tcp", address=f"{b.ip4()}:{6000 + i}", send="PING\\r\\n", expect="+PONG")
    text = conf(
        instance(track=tuple({"check": n, "weight": -1} for n in checks)),
        node="a",
        checks=checks,
    ).replace("\\\\r\\\\n", "\\r\\n")
    d = a.vrrpd(text)
    wait_check(d, "down", "Connection refused", "nobody")
    for name, (_, state, last) in servers.items():
        wait_check(d, state, last, name)
    with open(f"/proc/{d.processes()['agent']}/status", encoding="ascii") as f:
        peak = [int(line.split()[1]) for line in f if line.startswith("VmHWM")][0]
    print(f"peak memory of the agent: {peak} kB")
    assert peak < 60000
