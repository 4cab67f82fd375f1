"""test_checks_patroni.py - kind "patroni" with the real Patroni, PostgreSQL and etcd: the address is where the primary is.

One cluster of two hosts serves all tests of this file, because making it takes five seconds; each test begins
by waiting until it is whole, whoever leads.
"""

import os
import re
import signal
import time

import pytest

import lab as labs
import patroni
from daemons import conf, instance

VIP = "10.77.1.100"
READ_VIP = "10.77.1.101"
INTERVAL = 0.5  # seconds, the time-out too
FALL = 2
# Noticing takes interval x fall; the rest is the protocol's time (adverts every 100 ms) and a busy machine.
NOTICED = INTERVAL * FALL + 4


pytestmark = pytest.mark.skipif(not patroni.available(), reason="this distribution has no packages of Patroni and etcd")


def vrrpd_conf(host, priority):
    url = f"http://127.0.0.1:{patroni.REST_PORT}"
    common = {"kind": "patroni", "url": url, "interval": "500ms", "timeout": "500ms", "rise": 1, "fall": FALL}
    return conf(
        instance("rw", VIP + "/24", priority=priority, track=({"check": "primary"},)),
        instance("ro", READ_VIP + "/24", vrid=52, priority=priority, track=({"check": "replica"},)),
        node=host.name,
        checks={
            "primary": {**common, "role": "primary"},
            "replica": {**common, "role": "replica", "max_lag": "16MB"},
        },
    )


@pytest.fixture(scope="module")
def cluster():
    with labs.Lab() as lab:
        c = patroni.Cluster(lab)
        c.vrrpd = {h.name: h.vrrpd(vrrpd_conf(h, 150 - 50 * n)) for n, h in enumerate(c.hosts)}
        yield c
        assert not lab.complaints(), lab.logs()


@pytest.fixture
def whole(cluster):
    """The cluster with a primary and a replica."""
    cluster.wait_whole()
    cluster.lab.parts = {cluster.leader: "leader", cluster.other: "other"}
    at(cluster, VIP, cluster.leader)
    return cluster


def at(c, address, *names, deadline=NOTICED):
    c.at(address, *names, deadline=deadline)


def check_of(c, name, check="primary"):
    """The check in status, by way of the instance that tracks it alone."""
    return c.vrrpd[name].instance({"primary": "rw", "replica": "ro"}[check])["checks"][0]


def wait_result(c, name, state, text, check="primary", deadline=NOTICED):
    """Wait for the verdict of a check and a result that matches a pattern."""

    def seen():
        one = check_of(c, name, check)
        assert one["state"] == state and re.search(text, one["last"]), f"{one['state']}: {one['last']}"
        return True

    c.lab.wait_until(seen, deadline, f'{name}: check {check} is {state}: "{text}"')


def test_the_addresses_follow_the_roles(whole):
    wait_result(whole, whole.leader, "up", "role (master|primary), running")
    wait_result(whole, whole.other, "down", "/primary answers 503: role replica, running")
    wait_result(whole, whole.other, "up", "role replica, running, replay lag 0 B", "replica")
    at(whole, READ_VIP, whole.other)
    one = whole.vrrpd[whole.other].instance("rw")
    assert (one["state"], one["reason"]) == ("fault", "check primary failed")


def test_paused_cluster_without_etcd(whole):
    """Maintenance: the lock cannot be renewed, but nobody else is made a primary, so the address stays."""
    changes = whole.vrrpd[whole.leader].counters("rw")["transitions"]
    whole.patroni[whole.leader].ctl("pause", "--wait", "pg")
    wait_result(whole, whole.leader, "up", ", paused")
    whole.etcd.kill()
    wait_result(whole, whole.leader, "up", ", paused, nobody holds the leader lock", deadline=20)
    whole.restart_etcd()
    whole.lab.wait_until(
        lambda: whole.patroni[whole.leader].ctl("resume", "pg", check=False).returncode == 0, 20, "resumed"
    )
    wait_result(whole, whole.leader, "up", "running$")
    assert whole.lab.holders(VIP) == [whole.leader]
    assert whole.vrrpd[whole.leader].counters("rw")["transitions"] == changes


@pytest.mark.parametrize("what", ["patroni", "postgres"])
def test_a_hung_process(whole, what):
    """SIGSTOP: the connection is taken, but no answer comes; the check times out and the address goes."""
    leader = whole.patroni[whole.leader]
    pids = [leader.pid] if what == "patroni" else leader.postgres_pids()
    assert pids
    stopped_at = time.monotonic()
    try:
        patroni.stop(pids)
        wait_result(whole, whole.leader, "down", "no result within 500 ms")
        at(whole, VIP)
        assert time.monotonic() - stopped_at < 15, "before anybody else can be primary"
    finally:
        patroni.resume(pids)
    at(whole, VIP, whole.leader)
    wait_result(whole, whole.leader, "up", "role (master|primary), running")


def test_switchover(whole):
    done = whole.patroni[whole.leader].ctl("switchover", "--candidate", whole.other, "--force", "pg")
    assert "Successfully switched over" in done.stdout
    at(whole, VIP, whole.other, deadline=20)
    wait_result(whole, whole.leader, "down", "role replica", deadline=20)
    at(whole, READ_VIP, whole.leader, deadline=20)


def test_primary_stopped(whole):
    """Patroni ends in order: the other host is promoted, and serves readers as well as nobody else does."""
    old = whole.patroni[whole.leader]
    old.stop(20)
    wait_result(whole, whole.leader, "down", "no answer: Connection refused")
    at(whole, VIP, whole.other, deadline=20)
    at(whole, READ_VIP, deadline=20)
    whole.patroni[whole.leader] = patroni.Patroni(old.host, whole.etcd)
    at(whole, READ_VIP, whole.leader, deadline=30)


def test_primary_killed(whole):
    """PostgreSQL dies: Patroni hands the role on at once (primary_start_timeout is 0)."""
    os.kill(whole.patroni[whole.leader].postgres_pids()[0], signal.SIGKILL)
    at(whole, VIP, whole.other, deadline=25)
    wait_result(whole, whole.other, "up", "role (master|primary), running")
