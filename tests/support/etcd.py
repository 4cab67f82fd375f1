"""etcd.py - an etcd cluster on hosts of a lab, and its client."""

import os
import subprocess

import daemons

CLIENT_PORT, PEER_PORT = 2379, 2380


class Member(daemons.Process):
    """One etcd of a cluster; started again with the same name it goes on with its data."""

    def __init__(self, host, cluster, fresh=True):
        self.dir = os.path.join(host.dir, "etcd")
        self.endpoint = f"http://{host.ip4()}:{CLIENT_PORT}"
        os.makedirs(self.dir, mode=0o700, exist_ok=True)
        own, peer = f"http://{host.ip4()}:{CLIENT_PORT}", f"http://{host.ip4()}:{PEER_PORT}"
        super().__init__(
            host,
            "etcd",
            ["etcd", "--name", host.name, "--data-dir", self.dir, "--unsafe-no-fsync", "--logger", "zap"]
            + ["--listen-client-urls", f"{own},http://127.0.0.1:{CLIENT_PORT}", "--advertise-client-urls", own]
            + ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]
            + ["--initial-cluster", cluster, "--initial-cluster-state", "new" if fresh else "existing"]
            + ["--heartbeat-interval", "50", "--election-timeout", "500"],
            "etcd.log",
        )


class Etcd:
    """A cluster with a member on each of these hosts."""

    def __init__(self, hosts):
        self.hosts = hosts
        self.lab = hosts[0].lab
        self.cluster = ",".join(f"{h.name}=http://{h.ip4()}:{PEER_PORT}" for h in hosts)
        self.members = {h.name: Member(h, self.cluster) for h in hosts}
        self.wait_healthy()

    @property
    def endpoints(self):
        return [m.endpoint for m in self.members.values()]

    def ctl(self, *args, host=None, check=True, timeout=10, user=None):
        """Run etcdctl (v3) on a host, against all members; the CompletedProcess."""
        host = host or self.hosts[0]
        login = ["--user", user] if user else []
        cmd = ["env", "ETCDCTL_API=3", "etcdctl", "--endpoints", ",".join(self.endpoints), "--dial-timeout=1s"]
        return host.run([*cmd, "--command-timeout=3s", *login, *args], check=check, timeout=timeout)

    def put(self, key, value, lease=None):
        self.ctl("put", *([f"--lease={lease}"] if lease else []), key, value)

    def get(self, key):
        return self.ctl("get", "--print-value-only", key).stdout.rstrip("\n")

    def grant(self, ttl):
        """A lease of so many seconds; its id."""
        return self.ctl("lease", "grant", str(ttl)).stdout.split()[1]

    def wait_healthy(self, deadline=20):
        self.lab.wait_until(
            lambda: self.ctl("endpoint", "health", check=False).returncode == 0, deadline, "etcd is healthy"
        )

    def leader(self):
        """Name of the host whose member leads."""
        out = self.ctl("endpoint", "status", check=False).stdout.splitlines()
        for line, name in zip(out, self.members):
            if line.split(", ")[4] == "true":
                return name
        return None

    def restart(self, name):
        """Start a member that has ended again."""
        host = next(h for h in self.hosts if h.name == name)
        self.members[name] = Member(host, self.cluster, fresh=False)
