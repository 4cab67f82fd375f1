"""etcd.py - etcd on hosts of a lab: clusters and single servers, etcdctl, and a client of the JSON gateway."""

import base64
import http.client
import json
import os
import shutil
import socket
import time

import daemons
import wire

CLIENT_PORT, PEER_PORT = 2379, 2380
QUICK = ["--unsafe-no-fsync", "--logger", "zap", "--heartbeat-interval", "50", "--election-timeout", "500"]


class Member(daemons.Process):
    """One etcd of a cluster; started again with the same name it goes on with its data."""

    def __init__(self, host, cluster, token="lab", args=()):
        self.dir = os.path.join(host.dir, "etcd")
        self.endpoint = f"http://{host.ip4()}:{CLIENT_PORT}"
        fresh = not os.path.exists(self.dir)
        os.makedirs(self.dir, mode=0o700, exist_ok=True)
        own, peer = f"http://{host.ip4()}:{CLIENT_PORT}", f"http://{host.ip4()}:{PEER_PORT}"
        super().__init__(
            host,
            "etcd",
            ["etcd", "--name", host.name, "--data-dir", self.dir, *QUICK]
            + ["--listen-client-urls", f"{own},http://127.0.0.1:{CLIENT_PORT}", "--advertise-client-urls", own]
            + ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]
            + ["--initial-cluster", cluster, "--initial-cluster-state", "new" if fresh else "existing"]
            + ["--initial-cluster-token", token, *args],
            "etcd.log",
        )


class Single(daemons.Process):
    """A cluster of one, with options of its own, on this port of the host's loopback (and the next one)."""

    def __init__(self, host, port, *args, tls=False):
        self.dir = os.path.join(host.dir, f"etcd-{port}")
        os.makedirs(self.dir, mode=0o700, exist_ok=True)
        self.endpoint = f"http{'s' if tls else ''}://127.0.0.1:{port}"
        peer = f"http://127.0.0.1:{port + 1}"
        super().__init__(
            host,
            f"etcd-{port}",
            ["etcd", "--name", "one", "--data-dir", self.dir, *QUICK]
            + ["--listen-client-urls", self.endpoint, "--advertise-client-urls", self.endpoint]
            + ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]
            + ["--initial-cluster", f"one={peer}", *args],
            f"etcd-{port}.log",
        )

    def ctl(self, *args, check=True):
        cmd = ["env", "ETCDCTL_API=3", "etcdctl", "--endpoints", self.endpoint, "--command-timeout=3s"]
        return self.host.run([*cmd, *args], check=check)


class Gateway:
    """A client of one member's JSON gateway over one kept connection: as fast as a client can be."""

    def __init__(self, host, endpoint, timeout=5):
        address, _, port = endpoint.rpartition("/")[2].partition(":")
        self.http = http.client.HTTPConnection(address, int(port))
        self.http.sock = wire.in_netns(host.netns, lambda: socket.create_connection((address, int(port)), timeout))
        self.http.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        host.lab.on_close(self.http.close)

    def call(self, path, **body):
        self.http.request("POST", "/v3/" + path, json.dumps(body), {"Content-Type": "application/json"})
        answer = self.http.getresponse()
        text = answer.read().decode()
        assert answer.status == 200, f"etcd: {path}: {answer.status}: {text}"
        return json.loads(text)

    def put(self, key, value, lease=None):
        """Write a key; when the member has answered, which is after the commit (time.monotonic())."""
        self.call("kv/put", key=b64(key), value=b64(value), **({"lease": lease} if lease else {}))
        return time.monotonic()

    def delete(self, key):
        self.call("kv/deleterange", key=b64(key))
        return time.monotonic()

    def move(self, key, old, new, also_delete):
        """In one transaction: when the key holds `old` it holds `new`, and another key is gone."""
        compare = {"key": b64(key), "target": "VALUE", "result": "EQUAL", "value": b64(old)}
        ops = [{"request_put": {"key": b64(key), "value": b64(new)}},
               {"request_delete_range": {"key": b64(also_delete)}}]
        assert self.call("kv/txn", compare=[compare], success=ops).get("succeeded"), f"{key} was not {old}"
        return time.monotonic()

    def grant(self, ttl):
        """A lease of so many seconds: (its id, when it was asked for)."""
        asked = time.monotonic()
        return self.call("lease/grant", TTL=ttl)["ID"], asked

    def keep_alive(self, lease):
        self.call("lease/keepalive", ID=lease)

    def revoke(self, lease):
        self.call("lease/revoke", ID=lease)

    def get(self, key):
        kvs = self.call("kv/range", key=b64(key)).get("kvs")
        return base64.b64decode(kvs[0].get("value", "")).decode() if kvs else None

    def status(self):
        """(number of the leader or None, number of this member)"""
        answer = self.call("maintenance/status")
        return answer.get("leader"), answer["header"]["member_id"]

    def compact(self):
        self.call("kv/compaction", revision=self.call("kv/range", key=b64("x"))["header"]["revision"])


def b64(text):
    return base64.b64encode(text.encode()).decode()


class Etcd:
    """A cluster with a member on each of these hosts."""

    def __init__(self, hosts, *args):
        self.hosts = hosts
        self.args = args
        self.lab = hosts[0].lab
        self.cluster = ",".join(f"{h.name}=http://{h.ip4()}:{PEER_PORT}" for h in hosts)
        self.members = {h.name: Member(h, self.cluster, args=args) for h in hosts}
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

    def gateway(self, name=None):
        """A client of one member, which is asked from its own host."""
        member = self.members[name or next(iter(self.members))]
        return Gateway(member.host, member.endpoint)

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
        """Name of the host whose member leads, by what most members say; None: they have none."""
        votes, numbers = [], {}
        for name, member in self.members.items():
            try:
                leader, number = Gateway(member.host, member.endpoint, timeout=0.3).status()
            except (OSError, AssertionError, http.client.HTTPException):
                continue
            votes.append(leader)
            numbers[number] = name
        return next((numbers.get(x) for x in votes if x and 2 * votes.count(x) > len(self.members)), None)

    def kill(self, *names):
        """End these members, all without a name."""
        for name in names or self.members:
            self.members[name].kill()

    def restart(self, *names, token="lab", wipe=False):
        """Start members (all without a name) that have ended again, with the data they had or with none."""
        for name in names or self.members:
            member = self.members[name]
            if wipe:
                shutil.rmtree(member.dir)
            self.members[name] = Member(member.host, self.cluster, token, self.args)
