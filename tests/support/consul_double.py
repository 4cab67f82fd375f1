"""consul_double.py - stands in for Consul's servers, which Debian 12 has no package of: the KV reads that vrrpd makes.

A double, written from the documentation of Consul's HTTP API (KV store, blocking queries, consistency modes, ACL errors),
not from Consul: keys have the index of their last change, absent ones that of the last change of any key; a blocking query
ends when its key's index is above the one asked, or after `wait` and up to a sixteenth more. Writes come from the test.
"""

import base64
import json
import random
import threading
import time

from http_double import HttpDouble, reply

PORT = 8500
SESSION = "adf4238a-882b-9ddc-4a9d-5b6758e4159e"


class Consul:
    """Servers on these hosts, with one content. A fault of one of them is fault[host name] = fn(request)."""

    def __init__(self, hosts, token=None):
        self.token = token
        self.index = 100
        self.keys = {}
        self.fault = {}
        self.polls = []  # (time.monotonic(), host name, client) of every blocking query
        self._changed = threading.Condition()
        self.servers = {h.name: HttpDouble(h, PORT, self._answerer(h.name)) for h in hosts}

    @property
    def endpoints(self):
        return [s.url for s in self.servers.values()]

    # ---- writes ----

    def acquire(self, key, value, session=SESSION):
        """PUT ?acquire: the key holds the value and is locked; session None: a plain PUT; value None: an empty one."""
        with self._changed:
            self.index += 1
            old = self.keys.get(key, {"CreateIndex": self.index, "LockIndex": 0})
            entry = {"LockIndex": old["LockIndex"] + (session is not None), "Key": key, "Flags": 0}
            entry["Value"] = None if value is None else base64.b64encode(value.encode()).decode()
            if session is not None:
                entry["Session"] = session
            self.keys[key] = {**entry, "CreateIndex": old["CreateIndex"], "ModifyIndex": self.index}
            self._changed.notify_all()

    def delete(self, key):
        with self._changed:
            self.index += 1
            self.keys.pop(key, None)
            self._changed.notify_all()

    def restore(self, index, key, value):
        """A snapshot of before is restored: indexes go backwards, and blocking queries return."""
        with self._changed:
            self.index = index - 1
        self.acquire(key, value)

    # ---- reads ----

    def _index_of(self, key):
        return self.keys[key]["ModifyIndex"] if key in self.keys else self.index

    def _wait(self, key, index, wait):
        end = time.monotonic() + wait + random.uniform(0, wait / 16)
        with self._changed:
            # after a restore the index is below the one asked: real servers return then, too
            while index == self._index_of(key) and time.monotonic() < end:
                self._changed.wait(0.5)

    def _answerer(self, name):
        def answer(request):
            if name in self.fault:
                return self.fault[name](request)
            return self.read(name, request)

        return answer

    def read(self, name, request):
        """The answer of a server without a fault."""
        token = request.headers.get("x-consul-token")
        if self.token and token != self.token:
            return reply(403, "ACL not found" if token else "Permission denied")
        assert request.method == "GET" and request.path.startswith("/v1/kv/") and "consistent" in request.query
        key = request.path[len("/v1/kv/") :]
        if "index" in request.query:
            self.polls.append((time.monotonic(), name, request.client))
            self._wait(key, int(request.query["index"]), int(request.query["wait"].rstrip("s")))
        with self._changed:
            head = {"X_Consul_Index": self._index_of(key), "X_Consul_Knownleader": "true", "X_Consul_Lastcontact": 0}
            if key not in self.keys:
                return reply(404, **head)
            return reply(200, json.dumps([self.keys[key]]), Content_Type="application/json", **head)
