"""pairs.py - for the netns tests: two hosts, a client that asks every millisecond, and who holds the address.

Host a is the Active (higher priority), b its Backup, c the client. A measurement begins with watch() and ends with
seen(): the client's longest silence, the longest time without a holder and with two of them.
"""

import contextlib
import json
import os
import signal
import socket
import struct
import time

from daemons import conf, instance
from packets import priority_of
from wire import in_netns, is_vrrp

VIP, VIP6 = "10.77.1.100", "fd77:1::100"
ADDRESSES6 = ("fe80::100/64", VIP6 + "/64")


class Seen:
    """What a client and the sampler saw of something."""

    def __init__(self, silence_ms, none_ms, two_ms, gap_ms):
        self.silence_ms = silence_ms  # the client got no answer
        self.none_ms = none_ms  # no host held the address
        self.two_ms = two_ms  # two hosts held it
        self.gap_ms = gap_ms  # the sampler itself did not look

    def __repr__(self):
        return (
            f"silence {self.silence_ms:.1f} ms, no holder {self.none_ms:.1f} ms, two holders {self.two_ms:.1f} ms"
            f" (sampler's longest pause {self.gap_ms:.1f} ms)"
        )


class Pair:
    """vrrpd on a and b with one instance "pg". options: for both hosts' instance; settings: for both files.

    options_a, options_b: for one host only. keepalived: text of its configuration, which then runs on b.
    """

    def __init__(self, lab, v6=False, settings=None, options_a=None, options_b=None, keepalived=None, **options):
        self.lab = lab
        self.vip = VIP6 if v6 else VIP
        self.settings = settings or {}
        self.options = {"address": ADDRESSES6, **options} if v6 else options
        self.own = {"a": {"priority": 150, **(options_a or {})}, "b": {"priority": 100, **(options_b or {})}}
        self.host = {name: lab.host(name) for name in "abc"}
        self.a, self.b, self.c = (self.host[name] for name in "abc")
        for host in (self.a, self.b):
            host.udp_echo()
        self.vrrpd = {}
        self.keepalived = None
        if keepalived:  # first, so that it is heard (option v3_checksum)
            self.keepalived = self.b.keepalived(keepalived)
            self.keepalived.wait_state("VI_1", "master", 8)
        self.start("a")
        self.d("a").wait_state("pg", "active", 8)
        if keepalived:
            self.keepalived.wait_state("VI_1", "backup", 5)
        else:
            self.start("b")
            self.d("b").wait_state("pg", "backup", 8)
        self.sampler = lab.sampler(self.vip, hosts=[self.a, self.b])
        self.probe = self.c.probe("udp", self.vip, port=7)

    # ---- daemons ----

    def d(self, name):
        return self.vrrpd[name]

    def text(self, name, **options):
        """The configuration of a host, with other options perhaps."""
        settings = {"node": name, **self.settings}
        return conf(instance(**{**self.options, **self.own[name], **options}), **settings)

    def start(self, name, **kwargs):
        """Start vrrpd (again) on a host, with a log and a folder of its own."""
        number = len(self.lab.processes)
        self.vrrpd[name] = self.host[name].vrrpd(self.text(name), name=f"vrrpd{number}", **kwargs)
        return self.vrrpd[name]

    def rewrite(self, name, text):
        """Put another configuration into the file of a host; nobody is told."""
        rewrite(self.d(name), text)

    # ---- measuring ----

    def watch(self):
        """Begin: answers come, who asks knows the holder, one host holds the address."""
        self.probe.wait_answers(10)
        self.lab.wait_until(lambda: len(self.sampler.present()) == 1, 5, "one host holds the address")
        self.probe.report()
        self.sampler.clear()

    def seen(self, what, holder, deadline=15):
        """End: this host alone holds the address and the client has answers. Prints what was seen in between."""
        names = [holder]
        self.lab.wait_until(
            lambda: self.sampler.present() == names, deadline, f"{what}: {holder} alone holds the address"
        )
        silence = max(self.probe.silence_ms(r) for r in self.probe.wait_answers(deadline))
        sampler = self.sampler
        seen = Seen(silence, sampler.longest_ms(0), sampler.longest_ms(2), sampler.gap_ms)
        print(f"{what}: {seen}")
        assert sampler.present() == names
        return seen

    def expect(self, seen, silence=250.0, two=300.0):
        """Never without a holder, and bounds for silence and two holders in milliseconds."""
        assert seen.silence_ms < silence, f"{seen}\n{self.lab.logs()}"
        # the hosts are looked at one after the other: a quick hand-over can fall between two looks
        assert seen.none_ms < 20, f"{seen}\n{self.lab.logs()}"
        assert seen.two_ms < two, f"{seen}\n{self.lab.logs()}"

    # ---- the peer ----

    @contextlib.contextmanager
    def undisturbed(self, name):
        """vrrpd on this host must not move meanwhile: same state, no transition, no event."""
        d = self.d(name)
        before = d.instance()
        events = len(transitions_of(d))
        yield
        after = d.instance()
        assert after["state"] == before["state"], f"{before['state']} -> {after['state']}: {after['reason']}"
        assert after["counters"]["transitions"] == before["counters"]["transitions"]
        assert transitions_of(d)[events:] == []


def rewrite(d, text):
    """Replace a daemon's configuration file in one step."""
    with open(d.conf_path + ".new", "w", encoding="utf-8") as f:
        f.write(text)
    os.replace(d.conf_path + ".new", d.conf_path)


def events_of(d):
    """The events of a daemon, oldest first."""
    code, body = d.get("/v1/events")
    assert code == 200, body
    return [json.loads(line) for line in body.splitlines()]


def transitions_of(d, name="pg"):
    """Those events of an instance that changed its state, as (from, to, reason)."""
    return [(e["from"], e["to"], e["reason"]) for e in events_of(d) if e["instance"] == name and e["from"] != e["to"]]


def engine_pid(d, deadline=5, other_than=()):
    """Process id of the engine, once one that is none of `other_than` runs."""

    def find():
        pid = d.processes().get("engine")
        return pid if pid not in other_than else None

    return d.host.lab.wait_until(find, deadline, f"{d.host.name}: an engine runs")


def kill_engine(d, times=1, pause=0.3):
    """SIGKILL to the engine, so many times; each next one after a new engine has been up for `pause` seconds."""
    gone = []
    for n in range(times):
        pid = engine_pid(d, other_than=gone)
        if n > 0:
            time.sleep(pause)
        os.kill(pid, signal.SIGKILL)
        gone.append(pid)
    return engine_pid(d, other_than=gone)


def sent_by(host, frames, lan=1):
    """Adverts of a host among captured frames: its card's address is in them."""
    mac = bytes.fromhex(host.mac(lan).replace(":", ""))
    return [f for f in frames if is_vrrp(f) and f.data[6:12] == mac]


def wait_advert(lab, capture, host, test, deadline=5, what="advert"):
    """Wait until a host has sent an advert whose priority passes `test`."""
    return lab.wait_until(
        lambda: [f for f in sent_by(host, capture.frames()) if test(priority_of(f))],
        deadline,
        f"{what} of {host.name} is seen on the wire",
    )


def gone(pids, deadline, lab):
    """Wait until none of the processes exists any more."""

    def none_left():
        left = [p for p in pids if alive(p)]
        assert not left, f"still there: {left}"
        return True

    lab.wait_until(none_left, deadline, "no process is left")


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def add_marked(host, address, ifname, proto):
    """Add an address (with prefix length) that carries a mark (IFA_PROTO): older versions of ip(8) cannot."""
    IFA_ADDRESS, IFA_LOCAL, IFA_PROTO, RTM_NEWADDR, NODAD = 1, 2, 11, 20, 0x02
    text, _, length = address.partition("/")
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    octets = socket.inet_pton(family, text)

    def attribute(kind, value):
        return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)

    def send():
        index = socket.if_nametoindex(ifname)
        body = struct.pack("=BBBBI", family, int(length), NODAD if family == socket.AF_INET6 else 0, 0, index)
        body += attribute(IFA_LOCAL, octets) + attribute(IFA_ADDRESS, octets) + attribute(IFA_PROTO, bytes([proto]))
        head = struct.pack("=IHHII", 16 + len(body), RTM_NEWADDR, 0x605, 1, 0)  # request, answer, create, exclusive
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as s:
            s.send(head + body)
            error = struct.unpack_from("=i", s.recv(4096), 16)[0]
        if error:
            raise OSError(-error, f"{os.strerror(-error)}: {address}")

    in_netns(host.netns, send)
