"""stores.py - for the netns tests of the modes follow and lease: hosts, a store of three members, who holds the address.

One site serves all tests of a file, because making it takes seconds. Each test begins with whole(): everything runs, the
first host holds the address, and what the sampler saw before is forgotten.
"""

import os
import signal

import etcd
from daemons import conf, instance

VIP = "10.77.1.100"
KEY = "/service/pg/leader"
SHORT_TWO_MS = 500  # the new holder waits 5 ms for the old one, which hears of it at the same time: a busy machine is slower


def following(name="pg", address=VIP, **options):
    """An instance that sends nothing: what is VRRP's alone is left out."""
    return instance(name, address + "/24", vrid=None, advert_interval=None, **options)


class Site:
    """Hosts with vrrpd, and an etcd cluster on three others."""

    def __init__(self, lab, names="ab"):
        self.lab = lab
        self.stores = [lab.host(f"e{n}") for n in (1, 2, 3)]
        self.hosts = {name: lab.host(name) for name in names}
        self.etcd = etcd.Etcd(self.stores)
        self.gateway = self.etcd.gateway()
        self.vrrpd = {}
        self.sampler = lab.sampler(VIP, hosts=list(self.hosts.values()))

    def start(self, name, text, wait=True):
        self.vrrpd[name] = self.hosts[name].vrrpd(text, name=f"vrrpd{len(self.lab.processes)}", wait=wait)
        return self.vrrpd[name]

    def reload(self, name, text):
        """Another configuration; returns when it is in force, with what vrrpctl says."""
        daemon = self.vrrpd[name]
        with open(daemon.conf_path, "w", encoding="utf-8") as f:
            f.write(text)
        done = daemon.ctl("reload")
        assert done.returncode == 0, done.stderr
        return done.stdout

    # ---- who holds the address ----

    def at(self, *names, deadline=5):
        """Wait until exactly these hosts hold the address; the moment (time.monotonic(), to a millisecond)."""
        self.lab.wait_until(
            lambda: self.sampler.present() == sorted(names), deadline, f"the address is at {names or 'nobody'}"
        )
        return self.sampler.periods()[-1][0]

    def holder(self, deadline=5):
        """Wait for exactly one holder: its name."""
        return self.lab.wait_until(
            lambda: self.sampler.present() if len(self.sampler.present()) == 1 else None, deadline, "one holder"
        )[0]

    def never_two(self, ms=0.0):
        """Since whole() there were never two holders, or for so long at most."""
        two = self.sampler.longest_ms(2)
        assert two <= ms, f"two holders for {two:.1f} ms: {self.sampler.periods()}"
        return two

    def leader(self, name, instance_name="pg"):
        """The store as this host's status shows it."""
        return self.vrrpd[name].instance(instance_name)["leader"]

    # ---- the network between hosts and members ----

    def silence(self, name, *members):
        """The host hears no more of these members (all without a name), and they do not learn why."""
        for h in self.stores:
            if h.name in members or not members:
                self.hosts[name].drop(f"ip saddr {h.ip4()}")

    def split(self, member):
        """A member reaches the others no more, but its clients."""
        host = next(h for h in self.stores if h.name == member)
        for way in ("dport", "sport"):
            host.drop(f"tcp {way} {etcd.PEER_PORT}")

    def mend(self):
        for host in [*self.stores, *self.hosts.values()]:
            host.run(["nft", "delete table netdev lab"], check=False)

    def freeze(self, name, *roles):
        """SIGSTOP to these processes of vrrpd, all without a role; returns what thaws them."""
        found = self.vrrpd[name].processes()
        pids = [pid for role, pid in found.items() if role in roles or not roles]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        return lambda: [os.kill(pid, signal.SIGCONT) for pid in reversed(pids) if os.path.exists(f"/proc/{pid}")]


def within(what, took, limit):
    """Print a time and its bound, and hold it to it."""
    print(f"{what}: {took * 1000:.0f} ms (<= {limit * 1000:.0f})")
    assert took <= limit, f"{what}: took {took:.3f} s, allowed {limit}"


def follow_conf(site, name, *more, endpoints=None, **options):
    leader = {"store": "etcd3", "endpoints": endpoints or site.etcd.endpoints, "key": KEY}
    pg = following(mode="follow", leader=leader, **options)
    return conf(pg, *more, node=name)
