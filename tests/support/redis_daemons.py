"""redis_daemons.py - Redis, Sentinels and certificates for the hosts of a lab. Used by the netns tests.

Every server has its own folder, namespace and configuration file; nothing of the machine's own Redis is used.
"""

import json
import os

import daemons

REDIS_CONF = """
daemonize no
dir {dir}
logfile ""
save ""
appendonly no
protected-mode no
bind * -::*
repl-diskless-sync-delay 0
repl-ping-replica-period 1
"""

SENTINEL_CONF = """
daemonize no
dir {dir}
logfile ""
protected-mode no
bind * -::*
port 26379
sentinel announce-ip {ip}
sentinel monitor {master} {master_ip} 6379 2
sentinel down-after-milliseconds {master} 500
sentinel failover-timeout {master} 5000
sentinel parallel-syncs {master} 2
"""


def secret_file(host, name, text):
    """A file that only its owner may read; its path."""
    path = os.path.join(host.dir, name)
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    os.chmod(path, 0o600)
    return path


class Redis(daemons.Process):
    """One redis-server; `lines` are added to its configuration, `cli` are redis-cli's options to reach it."""

    def __init__(self, host, lines=(), name="redis", cli=(), port=6379):
        self.dir = os.path.join(host.dir, name)
        self.cli_args = ["redis-cli", "-p", str(port), *cli]
        conf_path = os.path.join(self.dir, "redis.conf")
        if not os.path.exists(self.dir):  # else it was rewritten by the server and is kept
            os.makedirs(self.dir)
            own = [f"port {port}"] if not any(line.startswith("port ") for line in lines) else []
            text = REDIS_CONF.format(dir=self.dir) + "\n".join([*own, *lines]) + "\n"
            with open(conf_path, "w", encoding="utf-8") as f:
                f.write(text)
        super().__init__(host, name, ["redis-server", conf_path], f"{name}.log")
        host.lab.wait_until(lambda: "PONG" in self.cli("PING"), 10, f"{host.name}: {name} answers")

    def cli(self, *words, check=False):
        """Run a command with redis-cli; its output as text."""
        done = self.host.run([*self.cli_args, *words], check=check, timeout=10)
        return (done.stdout + done.stderr).strip()

    def role(self):
        """ "master" or "slave", or what redis-cli said instead."""
        return self.cli("ROLE").splitlines()[0] if self.alive() else "dead"


class Sentinel(daemons.Process):
    """One Sentinel that monitors `master_host`'s Redis."""

    def __init__(self, host, master_host, master="mymaster", name="sentinel", lines=(), cli=()):
        self.dir = os.path.join(host.dir, name)
        self.cli_args = ["redis-cli", "-p", "26379", *cli]
        self.master = master
        conf_path = os.path.join(self.dir, "sentinel.conf")
        if not os.path.exists(self.dir):
            os.makedirs(self.dir)
            text = SENTINEL_CONF.format(dir=self.dir, ip=host.ip4(), master=master, master_ip=master_host.ip4())
            with open(conf_path, "w", encoding="utf-8") as f:
                f.write(text + "\n".join(lines) + "\n")
        super().__init__(host, name, ["redis-server", conf_path, "--sentinel"], f"{name}.log")
        host.lab.wait_until(lambda: "PONG" in self.cli("PING"), 10, f"{host.name}: {name} answers")

    def cli(self, *words):
        done = self.host.run([*self.cli_args, *words], check=False, timeout=10)
        return (done.stdout + done.stderr).strip()

    def master_ip(self):
        return self.cli("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.master).split("\n")[0]

    def usable(self):
        """True when it reaches three Sentinels, itself among them."""
        return self.cli("SENTINEL", "CKQUORUM", self.master).startswith("OK 3 ")

    def replicas(self):
        """How many replicas of the master it knows."""
        return int(json.loads(self.cli("--json", "SENTINEL", "MASTER", self.master))["num-slaves"])


class Watched:
    """A Redis and a Sentinel on each of three hosts a, b, c; a's Redis is the master at first."""

    def __init__(self, lab):
        self.lab = lab
        self.hosts = [lab.host(n) for n in "abc"]
        self.endpoints = [f"{h.ip4()}:26379" for h in self.hosts]
        self.redis, self.sentinels = {}, {}
        for h in self.hosts:
            lines = [f"replica-announce-ip {h.ip4()}"]
            if h is not self.hosts[0]:
                lines.append(f"replicaof {self.hosts[0].ip4()} 6379")
            self.redis[h.name] = Redis(h, lines)
        for h in self.hosts:
            self.start_sentinel(h.name)
        self.wait_whole()

    def start_sentinel(self, name):
        """A Sentinel, again with what it knew. Quicker than usual: a new master must be pinged before it counts as down
        (but what is known of a replica counts for five of these periods, and is asked for every second then), one that comes
        back is made a replica after four PUBLISH-PERIODs, and TILT mode does not last half a minute."""
        host = next(h for h in self.hosts if h.name == name)
        one = self.sentinels[name] = Sentinel(host, self.hosts[0])
        for what, ms in (("PING", 250), ("INFO", 500), ("PUBLISH", 800), ("TILT", 2000)):
            one.cli("SENTINEL", "DEBUG", f"{what}-PERIOD", str(ms))

    def wait_whole(self, deadline=20):
        """Wait until the Sentinels know each other and both replicas."""
        self.lab.wait_until(
            lambda: all(s.usable() and s.replicas() == 2 for s in self.sentinels.values()),
            deadline,
            "the Sentinels know all",
        )

    def master(self):
        """Name of the host whose Redis is the master, if one is."""
        return next((n for n, r in self.redis.items() if r.role() == "master"), None)

    def kill(self, name):
        """The Redis and the Sentinel of a host; its replica that is promoted then."""
        self.redis[name].kill()
        self.sentinels[name].kill()
        return self.lab.wait_until(self.master, 20, "a replica is promoted")

    def restart(self, name):
        """Both again: what comes back believes that nothing has changed."""
        self.start_sentinel(name)
        self.redis[name] = Redis(self.sentinels[name].host)


class Authority:
    """A certificate authority in the lab's folder, and what it signs."""

    def __init__(self, host, name="ca"):
        self.host = host
        self.dir = os.path.join(host.lab.dir, name)
        os.makedirs(self.dir)
        os.chmod(self.dir, 0o755)
        self.cert = os.path.join(self.dir, "ca.pem")
        self.key = os.path.join(self.dir, "ca.key")
        subject = ["-subj", "/CN=lab " + name]
        self._openssl("req", "-x509", *self._new(self.key), "-out", self.cert, "-days", "2", *subject)
        os.chmod(self.cert, 0o644)

    @staticmethod
    def _new(key):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key]

    def _openssl(self, *args):
        self.host.run(["openssl", *args])

    def sign(self, name, alt=None):
        """(certificate, key) for a name; `alt` like "IP:10.77.1.1" or "DNS:redis1"."""
        cert, key, request = (os.path.join(self.dir, f"{name}.{end}") for end in ("pem", "key", "csr"))
        ext = os.path.join(self.dir, f"{name}.ext")
        with open(ext, "w", encoding="ascii") as f:
            f.write(f"subjectAltName={alt}\n" if alt else "basicConstraints=CA:FALSE\n")
        self._openssl("req", *self._new(key), "-out", request, "-subj", f"/CN={name}")
        self._openssl(
            *("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial"),
            *("-days", "2", "-extfile", ext, "-out", cert),
        )
        os.chmod(cert, 0o644)
        os.chmod(key, 0o600)
        return cert, key
