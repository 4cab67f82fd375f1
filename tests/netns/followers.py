"""followers.py - for the netns tests of stores with long polls: hosts in mode follow, who holds the address, bad answers."""

import re
import time

from daemons import conf, instance
from http_double import HttpDouble, reply

VIP = "10.77.1.100"
KEY = "/service/pg/leader"


def follower(name, address, **options):
    """An instance of mode follow: without what is VRRP's alone."""
    return instance(name, address + "/24", vrid=None, advert_interval=None, mode="follow", **options)


class Followers:
    """Hosts that follow one key; put(value) writes it."""

    def __init__(self, lab, names=("a", "b"), put=None):
        self.lab, self.put = lab, put
        self.hosts = {name: lab.host(name) for name in names}
        self.vrrpd = {}
        self.sampler = lab.sampler(VIP, hosts=list(self.hosts.values()))

    def start(self, name, **leader):
        one = follower("pg", VIP, leader={"key": KEY, **leader})
        self.vrrpd[name] = self.hosts[name].vrrpd(conf(one, node=name), name=f"vrrpd{len(self.lab.processes)}")

    def at(self, *names, deadline=5):
        """Wait until exactly these hosts hold the address; how long that took."""
        start = time.monotonic()
        self.lab.wait_until(
            lambda: self.sampler.present() == sorted(names), deadline, f"the address is at {names or 'nobody'}"
        )
        return time.monotonic() - start

    def moved(self, value):
        """Make this host the leader; how long until the address was there."""
        self.put(value)
        return self.at(value)

    def check_moves(self):
        """Faster than by reading every second: that would take half a second on average."""
        took = sum(self.moved(value) for value in "baba")
        assert took < 4 * 0.25, f"{took:.2f} s for four moves"

    def leader(self, name):
        """What status says of the store."""
        return self.vrrpd[name].instance()["leader"]

    def wait_leader(self, name, deadline=5, **wanted):
        """Wait until status says this of the store; texts are patterns."""

        def seen():
            now = self.leader(name)
            for key, want in wanted.items():
                same = re.search(want, now[key] or "") if isinstance(want, str) else now[key] == want
                assert same, f"{key} of {now}"
            return now

        return self.lab.wait_until(seen, deadline, f"{name} sees {wanted}")


# ---- answers of a server that is out of its mind: name, fn(request), pattern of what status says then ----


def _huge(_):
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n"
    for _ in range(100):
        yield b"[" * 1048576


def _slow(_):
    for octet in reply(200, "{}"):
        yield bytes([octet])
        time.sleep(1)


BAD_ANSWERS = (
    ("garbage", lambda _: reply(200, '{"node": [[[\x01'), "HTTP status 200, and no JSON"),
    ("no HTTP", lambda _: iter([b"\x16\x03\x01\x00hello\r\n\r\n"]), "the answer is no HTTP"),
    ("100 MB", _huge, "longer than 64 KiB"),
    ("an octet a second", _slow, "no answer"),
    ("silence", lambda _: None, "no answer"),
)
FRESH = 3  # seconds that an answer stands without another one (STORE_FRESH_US)


def check_bad_answers(lab, store, good, *more):
    """A server for each of them: its store is lost with a sentence, the address goes when the last answer does not stand
    any more, memory stays bounded, and good answers mend everything."""
    bad = [*BAD_ANSWERS, *more]
    host = lab.host("s")
    servers = [HttpDouble(host, 9000 + n, lambda _: good) for n in range(len(bad))]
    daemon = lab.host("a").vrrpd(
        conf(
            *(
                follower(f"i{n}", f"10.77.1.{100 + n}", leader={"store": store, "endpoints": [s.url], "key": KEY})
                for n, s in enumerate(servers)
            ),
            node="a",
        )
    )

    def wait_all(state, fact):
        """In this state and with that fact; what is lost says why."""

        def seen():
            for one, (what, _, pattern) in zip(daemon.status()["instances"], bad):
                now = one["leader"]
                assert (one["state"], now["fact"]) == (state, fact), f"{what}: {one['state']}, {now}"
                if fact == "lost":
                    assert re.match(r"no endpoint of \S.* answers with a quorum: http://", now["trouble"]), f"{what}: {now}"
                    assert re.search(pattern, now["trouble"]), f"{what}: {now}"
            return True

        lab.wait_until(seen, FRESH + 3, f"{state} with {fact}")

    wait_all("active", "self")
    before, start = peak_kb(daemon), time.monotonic()
    for server, (_, fn, _) in zip(servers, bad):
        server.answer = fn
    wait_all("active", "lost")
    wait_all("backup", "lost")
    assert FRESH - 1.2 < time.monotonic() - start < FRESH + 2
    assert peak_kb(daemon) < before + 8192
    for server in servers:
        server.answer = lambda _: good
    wait_all("active", "self")


def peak_kb(daemon):
    """The most memory that the agent ever had."""
    with open(f"/proc/{daemon.processes()['agent']}/status", encoding="ascii") as f:
        return int(re.search(r"VmHWM:\s+(\d+) kB", f.read())[1])
