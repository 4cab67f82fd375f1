"""rig.py - two hosts and a client on a switch, and the daemon under measurement on both hosts.

Used by the benchmarks, on top of tests/support/lab.py. Host a is the Active (higher priority), host b the
Backup. A rig is made afresh for each run, so nothing of one run is left in the next.
"""

import os
import subprocess

import daemons
import lab as labs

import procstat

SUBJECTS = ("vrrpd", "keepalived")
VIP = "10.77.1.100"
BLOCK = "10.78.0.1"  # many addresses: from here upwards
ADVERTISED_MAX = 255  # addresses one advert can carry


def block(count, first=BLOCK):
    """`count` addresses in a row, as /32."""
    a, b, c, d = (int(x) for x in first.split("."))
    start = (a << 24) + (b << 16) + (c << 8) + d
    return [f"{n >> 24}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}/32" for n in range(start, start + count)]


class Router:
    """One virtual router of the pair. priority: {"a": 200, "b": 100}; a host not named does not run it."""

    def __init__(self, vrid, interval_ms, addresses, priority=None):
        self.vrid = vrid
        self.interval_ms = interval_ms
        self.addresses = addresses[:ADVERTISED_MAX]
        self.extra = addresses[ADVERTISED_MAX:]
        self.priority = priority or {"a": 200, "b": 100}

    def vrrpd(self, host, ifname):
        more = {"extra_addresses": tuple(self.extra)} if self.extra else {}
        return daemons.instance(f"i{self.vrid}", self.addresses, vrid=self.vrid, priority=self.priority[host],
                                advert_interval=f"{self.interval_ms}ms", interface=ifname, **more)

    def keepalived(self, host, ifname):
        more = {"virtual_ipaddress_excluded": self.extra} if self.extra else {}
        return daemons.keepalived_instance(
            f"i{self.vrid}", self.addresses, virtual_router_id=self.vrid, priority=self.priority[host],
            advert_int=f"{self.interval_ms / 1000:g}", interface=ifname, **more)


def routers(count, interval_ms):
    """`count` virtual routers with one address each."""
    return [Router(i + 1, interval_ms, [a]) for i, a in enumerate(block(count))]


def bound_ms(interval_ms, priority=100, skewed=True):
    """The protocol's longest silence of an Active until a Backup acts: RFC 9568's Active_Down_Interval."""
    return interval_ms * (3 + ((256 - priority) / 256 if skewed else 0))


class Rig:
    """Two hosts and a client in namespaces, and the daemon on both hosts. A context manager.

    With `cable` the daemons speak over a veth pair from host to host instead of through the switch. The
    kernel does the work of a bridge and of every receiver behind it in the sender's name; the less of that,
    the nearer the sender's CPU time is to its own.
    """

    def __init__(self, subject, spec, cable=False):
        self.subject = subject
        self.spec = spec
        self.ifname = "cable0" if cable else "eth0"
        self.lab = labs.Lab()
        try:
            self.a = self.lab.host("a")
            self.b = self.lab.host("b")
            self.client = self.lab.host("client")
            if cable:
                self._plug_cable()
        except BaseException:
            self.lab.close()
            raise
        self.daemon = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lab.close()

    def _plug_cable(self):
        self.a.ip("link", "add", "name", self.ifname, "type", "veth",
                  "peer", "name", self.ifname, "netns", self.b.netns)
        for host in (self.a, self.b):
            host.batch([f"link set {self.ifname} addrgenmode none", f"link set {self.ifname} up",
                        f"addr add {self.source(host)}/24 dev {self.ifname}"])

    def source(self, host):
        """A host's own address where the daemons speak."""
        return host.ip4() if self.ifname == "eth0" else f"10.79.0.{host.number}"

    # ---- the daemon ----

    def start(self, host):
        """Start the daemon on one host with the routers that this host runs."""
        mine = [r for r in self.spec if host.name in r.priority]
        again = len(self.lab.processes)
        if self.subject == "vrrpd":
            text = daemons.conf(*(r.vrrpd(host.name, self.ifname) for r in mine), node=host.name)
            self.daemon[host.name] = host.vrrpd(text, name=f"vrrpd{again}", wait=False)
        else:
            text = "global_defs {\n}\n" + "\n".join(r.keepalived(host.name, self.ifname) for r in mine)
            self.daemon[host.name] = self._keepalived(host, text, f"keepalived{again}")
        return self.daemon[host.name]

    @staticmethod
    def _keepalived(host, text, name):
        """As the lab starts it, but with default logging too: a log line per ARP would slow it down."""
        folder = os.path.join(host.dir, name)
        os.makedirs(folder)
        conf = os.path.join(folder, "keepalived.conf")
        with open(conf, "w", encoding="utf-8") as f:
            f.write(text)
        pids = [word for flag in "prcb" for word in (f"-{flag}", os.path.join(folder, f"{flag}.pid"))]
        return host.popen(["keepalived", "--dont-fork", "--log-console", "--no-syslog", "-f", conf, *pids],
                          f"{name}.log", env={"TMPDIR": folder})

    def pid(self, host):
        return self.daemon[host.name].pid

    def check_alive(self):
        for host, daemon in self.daemon.items():
            if not daemon.alive():
                status = daemon.popen.returncode
                raise RuntimeError(f"{self.subject} on host {host} ended with status {status}:\n"
                                   + daemon.log_text()[-2000:])

    # ---- waiting ----

    def held(self, host):
        """How many of the routers' addresses a host has in its kernel."""
        wanted = {x.split("/")[0] for r in self.spec for x in r.addresses + r.extra}
        return sum(1 for x in host.addresses(self.ifname) if x["address"] in wanted)

    def all_of(self, host):
        """How many addresses a host has when it is Active wherever it has the highest priority."""
        return sum(len(r.addresses) + len(r.extra) for r in self.spec
                   if r.priority.get(host.name, 0) == max(r.priority.values()))

    def adverts(self, host):
        """(sent, received) by a host."""
        return procstat.multicast(self.pid(host))

    def settle(self, deadline=30):
        """Start both, the Active first; wait until each holds what it should and b hears a."""
        self.start(self.a)
        self.wait(lambda: self.held(self.a) == self.all_of(self.a), deadline, "host a is Active")
        self.start(self.b)
        before = self.adverts(self.b)[1]
        enough = 3 * sum(1 for r in self.spec if r.priority.get("a", 0) == max(r.priority.values()))
        self.wait(lambda: self.adverts(self.b)[1] - before >= enough, deadline, "host b hears host a")
        self.wait(lambda: self.held(self.b) == self.all_of(self.b), deadline, "host b holds what it should")

    def wait(self, fn, deadline, what):
        def alive_and():
            self.check_alive()
            return fn()
        return self.lab.wait_until(alive_and, deadline, f"{self.subject}: {what}")

    # ---- the network ----

    def _port_state(self, host, state):
        subprocess.run(["bridge", "-n", self.lab.switch, "link", "set", "dev", host.port(),
                        "state", str(state)], check=True)

    def cut(self, host):
        """The switch stops forwarding for a host's port, at once: the host is lost to everybody.

        Done by the port's state, not by taking the link down: that would hold the kernel's one lock for
        network configuration for milliseconds and so disturb the very take-over that is measured.
        """
        self._port_state(host, 0)

    def mend(self, host):
        self._port_state(host, 3)

    # ---- measuring programs ----

    def probe(self, address=VIP, interval_us=500):
        """A client that pings: the host's kernel answers, so no program's scheduling is in the figure."""
        return self.client.probe("icmp", address, interval_us=interval_us, gap_ms=2)

    def program(self, host, name, *args):
        """Start one of the bench_ programs; its output can be read, its stdin ends it when closed."""
        path = os.path.join(labs.build_dir(), "tests", name)
        return host.popen([path, *(str(x) for x in args)], f"{name}.log", stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True)

    def watch(self, vrid, beat_vrid, first, count, timeout_ms):
        """bench_watch from the client on host b, ready."""
        watch = self.program(self.client, "bench_watch", f"/run/netns/{self.b.netns}", "eth0",
                             self.client.ip4(), self.b.ip4(), self.b.mac(), vrid, beat_vrid, first, count,
                             timeout_ms)
        ready(watch)
        return watch


def ready(process):
    """Wait for the first line of a measuring program."""
    line = process.popen.stdout.readline().strip()
    if line != "ready":
        process.popen.wait(5)
        raise RuntimeError(f"{process.name} did not start: {line} {process.log_text()}")


def finish(process, timeout=90):
    """Close a measuring program's stdin; what it still printed, as text lines."""
    out, _ = process.popen.communicate(timeout=timeout)
    if process.popen.returncode != 0:
        raise RuntimeError(f"{process.name}: exit {process.popen.returncode}: {process.log_text()}")
    return out.splitlines()
