"""test_checks_redis.py - kinds redis and sentinel with the real Redis, Sentinels and Redis Cluster, and with
servers that misbehave."""

import os
import re
import socket
import threading
import time

import pytest

import wire
from daemons import conf, instance
from redis_daemons import Authority, Redis, Sentinel, Watched, secret_file

VIP = "10.77.1.100"
QUICK = {"interval": "400ms", "rise": 1, "fall": 2}


def redis_check(**options):
    return {"kind": "redis", "address": "127.0.0.1:6379", **QUICK, **options}


def start(host, checks, priority=100):
    """vrrpd with one instance that tracks all of the checks."""
    tracks = tuple({"check": name} for name in checks)
    return host.vrrpd(conf(instance(priority=priority, track=tracks), node=host.name, checks=checks))


def check_of(d, name="redis"):
    return next(c for c in d.instance()["checks"] if c["name"] == name)


def wait_check(lab, d, state, text, name="redis", deadline=10):
    """Wait until a check is in a state and its line holds a text; returns the line."""

    def seen():
        one = check_of(d, name)
        assert one["state"] == state and text in one["last"], f"{one['state']}: {one['last']}"
        return one["last"]

    return lab.wait_until(seen, deadline, f"{d.host.name}: {name} is {state}: {text}")


def runs(d, check, result):
    """How many runs of a check had a result."""
    head = f'vrrpd_check_runs_total{{check="{check}",result="{result}"}} '
    return next(int(x[len(head) :]) for x in d.get("/metrics")[1].splitlines() if x.startswith(head))


def test_sentinels_and_a_restarted_old_master(lab):
    """Master and Sentinel of one host killed, failover, both restarted: the address follows the master only."""
    watched, ds = Watched(lab), {}
    for h, priority in zip(watched.hosts, (200, 150, 100)):
        checks = {
            "redis": redis_check(role="master", sentinels=watched.endpoints, master="mymaster"),
            "quorum": {"kind": "sentinel", "address": "127.0.0.1:26379", "master": "mymaster", **QUICK},
        }
        ds[h.name] = start(h, checks, priority)
    ds["a"].wait_state("pg", "active")
    assert re.fullmatch("role master, named by [23] of 3 Sentinels", check_of(ds["a"])["last"])
    assert check_of(ds["a"], "quorum")["last"] == "3 Sentinels usable, the master 10.77.1.1:6379 is this host"
    wait_check(lab, ds["b"], "down", "role replica, not master")
    wait_check(lab, ds["b"], "down", "the master is 10.77.1.1:6379, not this host", "quorum")

    new = watched.kill("a")
    wait_check(lab, ds["a"], "down", "Redis on 127.0.0.1:6379: Connection refused")
    ds[new].wait_state("pg", "active")
    lab.wait_until(lambda: lab.holders(VIP) == [new], 5, f"{new} alone holds the address")

    watched.restart("a")
    assert watched.redis["a"].role() == "master", "it believes that it is still the master"
    wait_check(lab, ds["a"], "down", "role master, but 2 of ")
    lines = set()

    def turned():
        one = check_of(ds["a"])
        lines.add(one["last"])
        assert one["state"] == "down", one["last"]
        assert lab.holders(VIP) == [new]
        return watched.redis["a"].role() == "slave"

    end = time.monotonic() + 25
    while not turned():
        assert time.monotonic() < end, f"never made a replica: {lines}"
    wait_check(lab, ds["a"], "down", "role replica, not master")
    assert ds[new].state() == "active" and lab.holders(VIP) == [new]


def test_replica(lab):
    a, b = lab.host("a"), lab.host("b")
    master = Redis(a)
    replica = Redis(b, [f"replicaof {a.ip4()} 6379", "repl-timeout 60"])
    d = start(b, {"redis": redis_check(role="replica", max_lag="2s")})
    d.wait_state("pg", "active", 15)
    line = wait_check(lab, d, "up", "role replica, heard its master ")
    assert line in ("role replica, heard its master 0 s ago", "role replica, heard its master 1 s ago")
    master.signal(19)  # SIGSTOP: the link stays, but nothing comes
    wait_check(lab, d, "down", "more than 2 s")
    master.signal(18)
    wait_check(lab, d, "up", "role replica")
    replica.cli("CONFIG", "SET", "replica-serve-stale-data", "no")
    master.kill()
    wait_check(lab, d, "down", "Redis is a replica that lost its master and refuses to serve stale data")
    replica.cli("REPLICAOF", "NO", "ONE")
    wait_check(lab, d, "down", "role master, not replica")


def test_passwords_and_users(lab):
    a = lab.host("a")
    redis = Redis(
        a,
        ["requirepass s3cret", "user vrrpd on >pw-of-vrrpd resetkeys -@all +ping +info"],
        cli=("--no-auth-warning", "-a", "s3cret"),
    )
    checks = {
        "redis": redis_check(role="master", password_file=secret_file(a, "good.pass", "s3cret\n")),
        "wrong": redis_check(password="wr0ng"),
        "none": redis_check(),
        "user": redis_check(username="vrrpd", password="pw-of-vrrpd", role="master"),
        "stranger": redis_check(username="nobody", password="pw-of-vrrpd"),
    }
    d = start(a, checks)
    wait_check(lab, d, "up", "role master")
    wait_check(lab, d, "down", "Redis says that the password is wrong", "wrong")
    wait_check(lab, d, "down", "Redis wants a password (option password_file)", "none")
    wait_check(lab, d, "up", "role master", "user")
    wait_check(
        lab, d, "down", 'Redis does not let user "nobody" in: wrong password, or no such user', "stranger"
    )
    redis.cli("ACL", "SETUSER", "vrrpd", "-info")
    wait_check(lab, d, "down", 'Redis does not let user "vrrpd" run INFO', "user")
    redis.cli("ACL", "SETUSER", "vrrpd", "+role")
    wait_check(lab, d, "up", "role master", "user")
    redis.cli("ACL", "SETUSER", "vrrpd", "-ping")
    wait_check(lab, d, "down", 'Redis does not let user "vrrpd" run PING', "user")
    secrets = ("s3cret", "wr0ng", "pw-of-vrrpd")
    seen = d.log_text() + d.get("/v1/status")[1] + d.get("/metrics")[1]
    for pid in d.processes().values():
        with open(f"/proc/{pid}/cmdline", encoding="utf-8") as f:
            seen += f.read()
    assert not [s for s in secrets if s in seen]
    os.chmod(checks["redis"]["password_file"], 0o644)
    done = a.run([os.path.join(d.build, "vrrpd"), "--check", "-f", d.conf_path], check=False)
    assert done.returncode != 0 and "chmod 600" in done.stderr + done.stdout


def test_loading_and_no_room(lab):
    """A server that still loads its data, and one that takes no more clients."""
    a = lab.host("a")
    redis = Redis(
        a, ["key-load-delay 2000", "loading-process-events-interval-bytes 1024", "enable-debug-command yes"]
    )
    d = start(a, {"redis": redis_check(role="master")})
    d.wait_state("pg", "active")
    redis.cli("DEBUG", "POPULATE", "2000", "key", "100")
    loader = threading.Thread(target=redis.cli, args=("DEBUG", "RELOAD"))
    loader.start()
    wait_check(lab, d, "down", "Redis is loading its data")
    loader.join(20)
    wait_check(lab, d, "up", "role master", deadline=15)
    with wire.in_netns(a.netns, lambda: socket.create_connection(("127.0.0.1", 6379))) as only:
        only.sendall(b"CONFIG SET maxclients 1\r\nCLIENT KILL TYPE normal SKIPME yes\r\n")
        wait_check(lab, d, "down", "Redis has no room for another client (maxclients)")



def test_tls(lab):
    a = lab.host("a")
    ca, other = Authority(a), Authority(a, "other")
    cert, key = ca.sign("redis1", "DNS:redis1,IP:127.0.0.1,IP:::1")
    own_cert, own_key = ca.sign("client")
    lines = [
        "port 0",
        f"tls-cert-file {cert}",
        f"tls-key-file {key}",
        f"tls-ca-cert-file {ca.cert}",
        "requirepass s3cret",
    ]
    cli = ["--tls", "--cacert", ca.cert, "--cert", own_cert, "--key", own_key, "-h", "127.0.0.1"]
    cli += ["--no-auth-warning", "-a", "s3cret"]
    redis = Redis(a, ["tls-port 6379", *lines], cli=cli)
    Sentinel(a, a, lines=["tls-port 26379", *lines], cli=cli)
    locked = os.path.join(ca.dir, "locked.key")  # with a pass phrase, which nobody may be asked for
    a.run(["openssl", "ec", "-aes128", "-passout", "pass:x", "-in", own_key, "-out", locked])
    os.chmod(locked, 0o600)
    good = {"ca": ca.cert, "cert": own_cert, "key": own_key}
    login = {"password_file": secret_file(a, "redis.pass", "s3cret\n")}
    checks = {
        "redis": redis_check(role="master", tls=good, **login),
        "named": redis_check(tls={**good, "server_name": "redis1"}, **login),
        "voted": redis_check(tls=good, sentinels=["127.0.0.1:26379"], master="mymaster", **login),
        "six": redis_check(address="[::1]:6379", tls=good, **login),
        "misnamed": redis_check(tls={**good, "server_name": "redis2"}, **login),
        "other_ca": redis_check(tls={**good, "ca": other.cert}, **login),
        "unverified": redis_check(tls={**good, "ca": other.cert, "verify": False}, **login),
        "no_cert": redis_check(tls={"ca": ca.cert}, **login),
        "locked": redis_check(tls={**good, "key": locked}, **login),
        "plain": redis_check(**login),
    }
    d = start(a, checks)
    wait_check(lab, d, "up", "role master")
    wait_check(lab, d, "up", "role master", "named")
    wait_check(lab, d, "up", "role master, named by 1 of 1 Sentinels", "voted")
    wait_check(lab, d, "up", "role master", "six")
    wait_check(lab, d, "up", "role master", "unverified")
    wait_check(lab, d, "down", "redis2", "misnamed")
    wait_check(lab, d, "down", "self-signed certificate in certificate chain", "other_ca")
    wait_check(lab, d, "down", "certificate required", "no_cert")
    wait_check(lab, d, "down", "unable to set private key", "locked")
    wait_check(lab, d, "down", "(does it want TLS?)", "plain")
    # A handshake a minute and not one for every run; what failed left nothing open.
    good_runs = runs(d, "redis", "up")
    lab.wait_until(lambda: runs(d, "redis", "up") >= good_runs + 5, 10, "five more runs")
    clients = [line for line in redis.cli("CLIENT", "LIST").splitlines() if "redis-cli" not in line]
    ages = [int(c.partition(" age=")[2].split()[0]) for c in clients if "cmd=role" in c]
    assert len(ages) == 5 and min(ages) >= 1, clients
    assert len(os.listdir(f"/proc/{d.processes()['agent']}/fd")) < 60
    # Closed between two runs: the next one connects anew, and it counts as no failure.
    failed = runs(d, "redis", "down")
    redis.cli("CLIENT", "KILL", "TYPE", "normal")
    good_runs = runs(d, "redis", "up")
    lab.wait_until(lambda: runs(d, "redis", "up") >= good_runs + 3, 10, "three more runs")
    assert runs(d, "redis", "down") == failed


def test_cluster(lab):
    """Three masters, one of them fails: its host gives the address to one whose node is fit."""
    hosts = [lab.host(n) for n in "abc"]
    nodes = {
        h.name: Redis(
            h,
            [
                "cluster-enabled yes",
                "cluster-node-timeout 1000",
                "cluster-require-full-coverage no",
                f"cluster-announce-ip {h.ip4()}",
            ],
        )
        for h in hosts
    }
    plain = Redis(hosts[0], name="plain", port=6380)
    hosts[0].run(
        ["redis-cli", "--cluster", "create", *(f"{h.ip4()}:6379" for h in hosts), "--cluster-yes"], timeout=30
    )
    lab.wait_until(
        lambda: all("cluster_state:ok" in n.cli("CLUSTER", "INFO") for n in nodes.values()),
        15,
        "the cluster is ok",
    )
    ds = {}
    for h, priority in zip(hosts, (150, 120, 100)):
        ds[h.name] = start(h, {"redis": redis_check(cluster=True, owns_slots=True, role="master")}, priority)
    ds["a"].wait_state("pg", "active")
    assert check_of(ds["a"])["last"] == "role master, cluster ok, owns 5461 slots"
    nodes["a"].kill()
    began = time.monotonic()
    ds["b"].wait_state("pg", "active")
    print(f"b is active {time.monotonic() - began:.2f} s after a's node was killed")
    lab.wait_until(lambda: lab.holders(VIP) == ["b"], 5, "b alone holds the address")
    for n in "bc":
        nodes[n].cli("CONFIG", "SET", "cluster-require-full-coverage", "yes")
    wait_check(lab, ds["b"], "down", "cluster state fail: 10923 of 16384 slots ok")
    nodes["a"] = Redis(hosts[0])
    ds["a"].wait_state("pg", "active", 15)
    assert plain.alive()
    d = hosts[0].vrrpd(
        conf(
            instance(vrid=52, address="10.77.1.101/24", track=({"check": "redis"},)),
            node="a",
            checks={"redis": redis_check(cluster=True, address="127.0.0.1:6380")},
        ),
        name="second",
    )
    wait_check(lab, d, "down", "Redis is no node of a cluster")


# ---- servers that misbehave --------------------------------------------------------------------------------


class Fake:
    """A server in a host's namespace; serve(connection) runs in a thread for each client."""

    def __init__(self, host, port, serve):
        self.serve = serve
        self.over = threading.Event()
        self.listener = wire.in_netns(host.netns, self._listen(port))
        threading.Thread(target=self._accept, daemon=True).start()
        host.lab.on_close(self.close)

    @staticmethod
    def _listen(port):
        def make():
            s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", port))
            s.listen(64)
            return s

        return make

    def _accept(self):
        while not self.over.is_set():
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection):
        try:
            with connection:
                self.serve(connection, self.over)
        except OSError:
            pass

    def close(self):
        self.over.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def silent(c, over):
    while not over.is_set() and c.recv(4096):
        pass


def one_octet_a_second(c, over):
    for octet in b"+PONG\r\n*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n" * 100:
        c.sendall(bytes([octet]))
        if over.wait(1):
            return


def flood(head, block):
    def serve(c, over):
        c.sendall(head)
        sent = 0
        while sent < 100 * 1000 * 1000 and not over.is_set():
            sent += c.send(block)

    return serve


def says(text):
    def serve(c, over):
        del over
        c.recv(4096)
        c.sendall(text)

    return serve


def reset(c, over):
    del over
    c.recv(4096)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


MISBEHAVE = {
    "silent": (silent, "no result within 500 ms"),
    "slow": (one_octet_a_second, "no result within 500 ms"),
    "bulk": (flood(b"$100000000\r\n", b"x" * 65536), "the answer is too long"),
    "line": (flood(b"+", b"x" * 65536), "the answer is too long"),
    "many": (flood(b"", b"+PONG\r\n" * 10000), "Redis gives no sensible answer to ROLE"),
    "array": (says(b"*2147483647\r\n"), "the answer is too long"),
    "nested": (says(b"*1\r\n" * 50), "the answer is no RESP"),
    "http": (says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "the answer is no RESP"),
    "garbage": (says(bytes(range(128, 256)) * 10), "the answer is no RESP"),
    "closed": (says(b""), "closed the connection (does it want TLS?)"),
    "reset": (reset, "Connection reset by peer"),
}


# What TLS makes of them; the others end as "Redis on ADDRESS: " and what OpenSSL says.
TLS_TEXTS = {
    "silent": "no result within 500 ms",
    "slow": "no result within 500 ms",
    "http": "wrong version number",
    "reset": "Connection reset by peer",
}


def peak_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM:"))


@pytest.mark.parametrize("tls", [False, True])
def test_servers_that_misbehave(lab, tls):
    """Each gets a clear result, memory and descriptors stay bounded, adverts stay on time."""
    a, b = lab.host("a"), lab.host("b")
    quick = {"advert_interval": "50ms"}
    options = {"role": "master", "interval": "500ms", **({"tls": {"verify": False}} if tls else {})}
    checks = {}
    for i, (name, (serve, _)) in enumerate(MISBEHAVE.items()):
        Fake(a, 7000 + i, serve)
        checks[name] = redis_check(address=f"127.0.0.1:{7000 + i}", **options)
    tracks = tuple({"check": name, "weight": -1} for name in checks)
    d = a.vrrpd(conf(instance(priority=200, track=tracks, **quick), node="a", checks=checks))
    d.wait_state("pg", "active")
    other = b.vrrpd(conf(instance(priority=100, **quick), node="b"))
    other.wait_state("pg", "backup")
    for name, (_, text) in MISBEHAVE.items():
        wait_check(lab, d, "down", TLS_TEXTS.get(name, "Redis on 127.0.0.1:70") if tls else text, name)
    peak = peak_kib(d.processes()["agent"])
    lab.wait_until(
        lambda: all(runs(d, n, "down") + runs(d, n, "timeout") >= 6 for n in checks), 20, "six rounds of each"
    )
    agent = d.processes()["agent"]
    grown = peak_kib(agent) - peak
    assert peak < 64 * 1024 and grown < 4096, f"{peak} KiB, then {grown} KiB more"
    assert len(os.listdir(f"/proc/{agent}/fd")) < 100
    assert d.state() == "active" and other.state() == "backup"
    assert not [line for line in other.log_text().splitlines() if "-> active" in line]


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_cost(lab):
    """What a run costs the agent: 200 checks twice a second. Counted at Redis: asking the agent costs, too."""
    a = lab.host("a")
    redis = Redis(a)
    checks = {f"r{i}": redis_check(role="master", interval="500ms") for i in range(200)}
    tracks = tuple({"check": f"r{i}"} for i in range(16))
    d = a.vrrpd(conf(instance(track=tracks), node="a", checks=checks))
    d.wait_state("pg", "active")
    agent = d.processes()["agent"]

    def asked():
        return int(re.search("cmdstat_role:calls=([0-9]+)", redis.cli("INFO", "commandstats")).group(1))

    before, cpu = asked(), cpu_seconds(agent)
    lab.wait_until(lambda: asked() >= before + 1600, 30, "eight rounds")
    count, spent = asked() - before, cpu_seconds(agent) - cpu
    print(f"{spent / count * 1e6:.0f} us of CPU per run, {count} runs")
    assert spent / count < 300e-6
