"""test_follow_patroni.py - mode follow with the real Patroni, PostgreSQL and etcd: the local Patroni as the store, and as
what decides while etcd is gone (on_store_loss = "patroni").

One cluster of two hosts serves all tests of this file, as in test_checks_patroni.py. Two addresses: one by store "patroni",
one by Patroni's key in etcd. The sampler sees every millisecond who holds them: never two hosts at once.
"""

import base64
import json
import os
import re
import signal
import time
from types import SimpleNamespace

import pytest

import lab as labs
import patroni
from daemons import conf, instance
from web_fake import Web

VIP = "10.77.1.100"  # by the local Patroni
KEY_VIP = "10.77.1.101"  # by the key in etcd
LASTS = 3  # seconds that Patroni's word lasts (PATRONI_LASTS_US)
SLACK = 1.5  # a busy machine

pytestmark = pytest.mark.skipif(not patroni.available(), reason="this distribution has no packages of Patroni and etcd")


def follow(name, address, leader, **options):
    vrrp = {"vrid": None, "advert_interval": None}
    return instance(name, address + "/24", mode="follow", leader=leader, **vrrp, **options)


def vrrpd_conf(host, etcd):
    key = {"store": "etcd3", "endpoints": [f"http://{etcd.endpoint}"], "key": "/service/pg/leader"}
    return conf(
        follow("local", VIP, {"store": "patroni"}),
        follow("key", KEY_VIP, key, on_store_loss="patroni"),
        node=host.name,
    )


@pytest.fixture(scope="module")
def cluster():
    with labs.Lab() as lab:
        c = patroni.Cluster(lab)
        c.vrrpd = {h.name: h.vrrpd(vrrpd_conf(h, c.etcd)) for h in c.hosts}
        c.samplers = {a: lab.sampler(a, hosts=c.hosts) for a in (VIP, KEY_VIP)}
        yield c
        assert not lab.complaints(), lab.logs()


@pytest.fixture
def whole(cluster):
    """A primary and a replica, and the addresses at the primary; at the end: never two holders."""
    cluster.wait_whole()
    cluster.lab.parts = {cluster.leader: "leader", cluster.other: "other"}
    for address, sampler in cluster.samplers.items():
        cluster.at(address, cluster.leader)
        sampler.clear()
    yield cluster
    for address, sampler in cluster.samplers.items():
        nobody = sampler.longest_ms(0)
        print(f"{address}: nobody for {nobody:.0f} ms, two for {sampler.longest_ms(2):.0f} ms at most")
        assert sampler.longest_ms(2) == 0, sampler.periods()


def leader_of(c, host, which):
    return c.vrrpd[host].instance(which)["leader"]


def wait_leader(c, host, which, deadline=5, **wanted):
    """Wait until parts of status' "leader" are so; trouble is a pattern."""

    def seen():
        now = leader_of(c, host, which)
        for key, value in wanted.items():
            fits = re.search(value, now[key] or "") if key == "trouble" else now[key] == value
            assert fits, now
        return now

    return c.lab.wait_until(seen, deadline, f"{host}: leader of {which} is {wanted}")


def gone_after(c, address, since, bound):
    """Wait until nobody holds the address; seconds since then."""
    c.at(address, deadline=bound + 5)
    took = next(start for start, _, names in reversed(c.samplers[address].periods()) if not names) - since
    print(f"{address} was given up after {took:.2f} s, bound {bound:g} s")
    assert took <= bound
    return took


def test_the_leader_is_the_running_primary(whole):
    here = wait_leader(whole, whole.leader, "local", fact="self", self=True, trouble="^$")
    assert (here["store"], here["key"], here["endpoint"]) == ("patroni", None, "http://127.0.0.1:8008")
    assert here["name"] == whole.leader and 0 < here["lease_left_s"] <= LASTS
    there = wait_leader(whole, whole.other, "local", fact="other", self=False)
    assert there["lease_left_s"] is None
    wait_leader(whole, whole.leader, "key", fact="self", name=whole.leader)
    wait_leader(whole, whole.other, "key", fact="other", name=whole.leader)


def test_switchover(whole):
    new, old = whole.other, whole.leader
    done = whole.patroni[old].ctl("switchover", "--candidate", new, "--force", "pg")
    assert "Successfully switched over" in done.stdout
    for address in (VIP, KEY_VIP):
        whole.at(address, new, deadline=15)
    wait_leader(whole, old, "local", fact="other", deadline=15)
    assert whole.patroni[new].role() == "primary"


def test_primary_killed(whole):
    """PostgreSQL dies, Patroni hands the role on at once (primary_start_timeout is 0)."""
    killed = time.monotonic()
    os.kill(whole.patroni[whole.leader].postgres_pids()[0], signal.SIGKILL)
    for address in (VIP, KEY_VIP):
        whole.at(address, whole.other, deadline=20)
    print(f"both addresses moved {time.monotonic() - killed:.2f} s after PostgreSQL was killed")
    assert whole.patroni[whole.other].role() == "primary"


def test_patroni_hung(whole):
    """It says nothing any more: its last word counts for three seconds. The key in etcd lasts longer (ttl 20 s)."""
    pids = [whole.patroni[whole.leader].pid]
    stopped = time.monotonic()
    patroni.stop(pids)
    try:
        gone_after(whole, VIP, stopped, LASTS + SLACK)
        wait_leader(whole, whole.leader, "local", fact="lost", trouble="the local Patroni does not answer")
        assert whole.lab.holders(KEY_VIP) == [whole.leader]
    finally:
        patroni.resume(pids)
    whole.at(VIP, whole.leader)
    assert "the local Patroni does not answer: http://127.0.0.1:8008: no answer within a second" in (
        whole.vrrpd[whole.leader].log_text()
    )


def test_patroni_restarted_while_paused(whole):
    """Maintenance: PostgreSQL runs on, nobody else is made a primary, and the address stays."""
    old = whole.patroni[whole.leader]
    old.ctl("pause", "--wait", "pg")
    whole.lab.wait_until(lambda: old.ask("/primary")[1].get("pause"), 10, "Patroni knows that it is paused")
    wait_leader(whole, whole.leader, "local", fact="self")
    whole.lab.wait_until(
        lambda: leader_of(whole, whole.leader, "local")["lease_left_s"] > LASTS + 1, 3, "its word lasts longer"
    )
    old.kill()
    wait_leader(whole, whole.leader, "local", fact="lost", trouble="Connection refused")
    whole.patroni[whole.leader] = patroni.Patroni(old.host, whole.etcd)
    wait_leader(whole, whole.leader, "local", fact="self", deadline=10)
    whole.patroni[whole.leader].ctl("resume", "--wait", "pg")
    for address in (VIP, KEY_VIP):
        assert whole.samplers[address].longest_ms(0) == 0, "nobody noticed"


def test_without_etcd_the_primary_is_demoted(whole):
    """Failsafe mode is off: Patroni demotes within its retry_timeout (3 s), and the addresses go with the role."""
    killed = time.monotonic()
    whole.etcd.kill()
    wait_leader(whole, whole.leader, "key", fact="lost", trouble="no endpoint of etcd")
    assert whole.lab.holders(KEY_VIP) == [whole.leader], "Patroni says that it is the primary"
    for address in (VIP, KEY_VIP):
        gone_after(whole, address, killed, 12)
    assert "the local Patroni says that this is no primary" in whole.vrrpd[whole.leader].log_text()
    assert whole.patroni[whole.leader].role() != "primary"
    whole.restart_etcd()


def test_without_etcd_in_failsafe_mode(whole):
    """All members agree: Patroni goes on. A new agent knows no lease: Patroni's word alone holds the address."""
    patroni_here, d = whole.patroni[whole.leader], whole.vrrpd[whole.leader]
    patroni_here.ctl("edit-config", "--force", "--set", "failsafe_mode=true", "pg")
    whole.lab.wait_until(
        lambda: all(len(p.ask("/failsafe")[1]) == 2 for p in whole.patroni.values()), 10, "all know the members"
    )
    whole.etcd.kill()
    whole.lab.wait_until(
        lambda: patroni_here.ask("/primary")[1].get("failsafe_mode_is_active"), 15, "failsafe mode is active"
    )
    wait_leader(whole, whole.leader, "key", fact="lost")
    d.signal_role("agent", signal.SIGKILL)
    whole.lab.wait_until(lambda: d.try_status() is not None, 10, "another agent")
    now = wait_leader(whole, whole.leader, "key", fact="lost", deadline=10)
    assert 0 < now["lease_left_s"] <= LASTS, now
    held_until = time.monotonic() + LASTS + 0.5
    whole.lab.wait_until(lambda: time.monotonic() > held_until, 10, "longer than one word of Patroni's lasts")
    for address in (VIP, KEY_VIP):
        assert whole.samplers[address].longest_ms(0) == 0, "held all the time"
    assert "the local Patroni is in its failsafe mode" in d.log_text()
    stopped = time.monotonic()
    patroni.stop([patroni_here.pid])
    try:
        gone_after(whole, KEY_VIP, stopped, LASTS + SLACK)
    finally:
        patroni.resume([patroni_here.pid])
        whole.restart_etcd()


def test_answers_that_are_hard_to_meet(lab):
    """A promotion under way, a standby cluster, a Patroni that has just started, something that is no Patroni."""
    a = lab.host("a")

    def says(status, role, state="running", **more):
        return status, json.dumps({"state": state, "role": role, **more})

    primary = says(200, "primary", patroni={"version": "4.1.4", "scope": "pg", "name": "pg1"})
    web = Web(a, 8008, {None: primary})
    leader = {"store": "patroni", "username": "u", "password": "pw-of-u", "value": "n1"}
    d = a.vrrpd(conf(follow("pg", VIP, leader), node="a"))
    c = SimpleNamespace(lab=lab, vrrpd={"a": d})
    d.wait_state("pg", "active")
    assert leader_of(c, "a", "pg")["name"] == "pg1"
    path, headers = web.asked[0][1], web.asked[0][2]
    assert (path, headers["Authorization"]) == ("/primary", "Basic " + base64.b64encode(b"u:pw-of-u").decode())
    for answer, fact, trouble in (
        (says(200, "replica"), "none", "^$"),  # holds the lock, is not promoted yet
        (says(200, "master"), "self", "^$"),  # before 4.0, which has no name of the member, too
        (says(503, "standby_leader"), "none", "^$"),
        (primary, "self", "^$"),
        (says(503, "primary", pause=True, cluster_unlocked=True), "self", "^$"),
        (says(503, "primary"), "lost", r"does not hold the leader lock \(yet\)"),
        (primary, "self", "^$"),
        (says(200, "primary", state="stopping"), "none", "^$"),
        (says(503, "replica", cluster_unlocked=True), "none", "^$"),
        (says(503, "replica"), "other", "^$"),
        ((404, "<html>"), "denied", "/primary answers 404 without role and state: is this Patroni.: write the URL"),
        ((200, "x" * 100000), "denied", "of more than 64 KiB"),
    ):
        web.answers[None] = answer
        wait_leader(c, "a", "pg", fact=fact, trouble=trouble)
        if fact not in ("denied", "lost"):
            d.wait_state("pg", "active" if fact == "self" else "backup")
        assert "pw-of-u" not in d.get("/v1/status")[1] + d.log_text()
    web.answers[None] = says(200, "master")
    wait_leader(c, "a", "pg", fact="self", name="n1")
