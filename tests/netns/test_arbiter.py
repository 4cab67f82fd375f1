"""test_arbiter.py - VRRP with an arbiter: three hosts elect by VRRP, and an etcd of three members lends the address out.

The margin that is tested: no host holds the address for a single sample while another one does, whatever is cut, killed or
frozen. What it costs is printed with its bound (pytest -s): a holder that dies keeps its lease for up to ttl.
"""

import os
import random
import signal
import sys
import time

import pytest

import lab as labs
from daemons import conf, instance
from stores import VIP, Site

sys.path.insert(0, os.path.join(labs.ROOT, "tests", "tools"))

import splits  # noqa: E402

TTL_S = 5
PRIORITY = {"a": 150, "b": 120, "c": 100}
VRRP_S = 1.0  # a Backup finds out (adverts every 100 ms), on a busy machine
LEASE_S = TTL_S + 2.5  # etcd ends a lease up to a second late, and somebody else takes it


def text(site, name, **options):
    arbiter = {"store": "etcd3", "endpoints": site.etcd.endpoints, "key": "/vrrpd/pg", "ttl": f"{TTL_S}s", **options}
    return conf(instance("pg", VIP + "/24", priority=PRIORITY[name], arbiter=arbiter), node=name)


@pytest.fixture(scope="module")
def made():
    with labs.Lab() as lab:
        site = Site(lab, "abc")
        for name in site.hosts:
            site.start(name, text(site, name))
        yield site
        assert not lab.complaints(), lab.logs()


@pytest.fixture
def site(made):
    """All is well, and a holds the address."""
    made.etcd.wait_healthy()
    made.at("a", deadline=20)
    for name in made.hosts:
        made.lab.wait_until(lambda n=name: made.leader(n)["trouble"] is None, 5, f"{name}: no trouble")
    made.sampler.clear()
    yield made
    made.mend()


def within(what, took, limit):
    print(f"{what}: {took * 1000:.0f} ms (<= {limit * 1000:.0f})")
    assert took <= limit, f"{what}: took {took:.3f} s, allowed {limit}"


def nobody(site, what, limit):
    none = site.sampler.longest_ms(0) / 1000
    within(f"{what}: no holder", none, limit)
    site.never_two()


def test_drain_and_resume(site):
    done = site.vrrpd["a"].ctl("drain", "--all", "--wait")
    assert done.returncode == 0, done.stderr
    site.at("b")
    nobody(site, "drain", VRRP_S)
    site.sampler.clear()
    site.vrrpd["a"].ctl("resume", "--all")
    site.at("a", deadline=10)
    nobody(site, "a better node comes", VRRP_S)


def test_takeover_by_command(site):
    """The one told to asks for the lease by adverts of priority 254; undone, the better node comes back."""
    assert site.vrrpd["c"].get("/v1/instances/pg/takeover", method="POST")[0] == 200
    site.at("c")
    assert site.vrrpd["c"].instance("pg")["reason_code"] == "takeover"
    nobody(site, "take-over by command", VRRP_S)
    site.sampler.clear()
    assert site.vrrpd["c"].get("/v1/instances/pg/resume", method="POST")[0] == 200
    site.at("a", deadline=10)
    nobody(site, "a better node comes back", VRRP_S)


def test_holder_is_killed(site):
    """Its lease runs on for up to ttl; nobody has the address before that is over."""
    for pid in site.vrrpd["a"].processes().values():
        os.kill(pid, signal.SIGKILL)
    site.vrrpd["a"].wait()
    site.at("b", deadline=LEASE_S + 5)
    nobody(site, "all processes killed", LEASE_S)
    site.start("a", text(site, "a"))
    site.at("a", deadline=10)
    site.never_two()


@pytest.mark.parametrize("stays", ["a", "b"])
def test_split(site, stays):
    """a and b do not hear each other, c hears both: without an arbiter two hold the address. And when a is cut off from the
    store too, b has it once a's lease is over."""
    for x, y in ("ab", "ba"):
        site.hosts[x].drop(f"ip saddr {site.hosts[y].ip4()}")
    if stays == "b":
        site.silence("a")
        site.at("b", deadline=LEASE_S + 5)
        nobody(site, "split, the holder is on the side without the store", LEASE_S)
        assert site.vrrpd["a"].instance("pg")["reason_code"] == "lease_lost"
    else:
        site.lab.wait_until(
            lambda: site.vrrpd["b"].instance("pg")["waiting_for"] == "arbiter", 5, "b asks for the lease"
        )
        assert site.sampler.present() == ["a"]
        nobody(site, "split, the holder reaches the store", 0.1)
    site.mend()
    site.at("a", deadline=15)
    site.never_two()


def test_frozen(site):
    thaw = site.freeze("a")
    site.at("b", deadline=LEASE_S + 5)
    nobody(site, "the holder is frozen", LEASE_S)
    thaw()
    site.at("a", deadline=15)
    site.never_two()


def test_store_is_away(site):
    """All members are killed: the holder goes on as long as most of them refuse. With one silent it cannot know."""
    start = time.monotonic()
    site.etcd.kill()
    site.lab.wait_until(lambda: site.leader("a")["trouble"], 5, "a knows")
    site.lab.wait_until(
        lambda: site.sampler.present() != ["a"] or time.monotonic() - start > LEASE_S, LEASE_S + 3, "the lease is over"
    )
    assert site.sampler.present() == ["a"]
    nobody(site, "the store is away", 0.1)
    site.etcd.restart()
    site.etcd.wait_healthy()
    site.lab.wait_until(lambda: not site.leader("a")["trouble"], 15, "a has a lease again")
    nobody(site, "the store is back", 0.1)


def test_store_is_silent(site):
    """No member answers anybody: it may be this host that is cut off, so the address is given up with the lease."""
    for name in site.hosts:
        site.silence(name)
    site.at(deadline=LEASE_S)
    site.never_two()
    site.mend()
    site.at("a", deadline=15)
    nobody(site, "the store was silent", 15)


def test_splits(lab):
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
    assert splits.run(lab, 3, seed) == 0
