"""etcd2.py - etcd with its keys API of v2 on hosts of a lab: the distribution's etcd 3.4, started with --enable-v2."""

import base64
import http.client
import json
import os
import urllib.parse

import daemons
import wire

CLIENT_PORT, PEER_PORT = 2379, 2380


class Member(daemons.Process):
    """One etcd of a cluster; started again on its host it goes on with its data."""

    def __init__(self, host, cluster):
        data = os.path.join(host.dir, "etcd2")
        self.endpoint = f"http://{host.ip4()}:{CLIENT_PORT}"
        peer = f"http://{host.ip4()}:{PEER_PORT}"
        fresh = not os.path.exists(data)
        super().__init__(
            host,
            "etcd2",
            ["etcd", "--enable-v2", "--name", host.name, "--data-dir", data, "--unsafe-no-fsync", "--logger", "zap"]
            + ["--listen-client-urls", self.endpoint, "--advertise-client-urls", self.endpoint]
            + ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]
            + ["--initial-cluster", cluster, "--initial-cluster-state", "new" if fresh else "existing"]
            + ["--heartbeat-interval", "50", "--election-timeout", "500"],
            "etcd2.log",
        )


class Etcd2:
    """A cluster with a member on each of these hosts."""

    def __init__(self, hosts):
        self.cluster = ",".join(f"{h.name}=http://{h.ip4()}:{PEER_PORT}" for h in hosts)
        self.members = {h.name: Member(h, self.cluster) for h in hosts}
        self.user = None  # (name, password) for call()

    @property
    def endpoints(self):
        return [m.endpoint for m in self.members.values()]

    def restart(self, name):
        self.members[name] = Member(self.members[name].host, self.cluster)

    def call(self, method, path, form=None, body=None):
        """One request to the first member that answers: (status, JSON)."""
        headers = {"Content-Type": "application/x-www-form-urlencoded" if form else "application/json"}
        if self.user:
            headers["Authorization"] = "Basic " + base64.b64encode(":".join(self.user).encode()).decode()
        data = urllib.parse.urlencode(form) if form else body and json.dumps(body)

        def ask(member):
            conn = http.client.HTTPConnection(member.host.ip4(), CLIENT_PORT, timeout=3)
            try:
                conn.request(method, path, data, headers)
                answer = conn.getresponse()
                text = answer.read()
                return answer.status, json.loads(text) if text.startswith(b"{") else None
            finally:
                conn.close()

        for member in self.members.values():
            try:
                return wire.in_netns(member.host.netns, lambda member=member: ask(member))
            except OSError:
                continue
        return None, None

    def put(self, key, value, **more):
        """Set a key; ttl=SECONDS, prevValue=..."""
        status, answer = self.call("PUT", "/v2/keys" + key, form={"value": value, **more})
        assert status in (200, 201), f"{key}: {status} {answer}"

    def delete(self, key):
        assert self.call("DELETE", "/v2/keys" + key)[0] == 200

    def wait_healthy(self, lab):
        lab.wait_until(lambda: self.call("GET", "/v2/keys/?quorum=true")[0] == 200, 20, "etcd answers")
