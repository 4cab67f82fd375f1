"""test_election.py - who becomes Active among vrrpd hosts, when, and what each of them says about it."""

import json
import time

import pytest

from daemons import conf, instance
from packets import priority_of, vrrp_of
from wire import is_vrrp

VIP = "10.77.1.100"
DOWN_100 = 0.361  # seconds: the down interval at 100 ms adverts and priority 100


def start(host, priority, **options):
    return host.vrrpd(conf(instance(priority=priority, **options), node=host.name))


def one_holder(lab, name):
    """Exactly this host has the address in its kernel."""
    lab.wait_until(lambda: lab.holders(VIP) == [name], 5, f"{name} alone holds {VIP}")


def test_highest_priority_becomes_active(lab):
    a, b, c = lab.host("a"), lab.host("b"), lab.host("c")
    daemons = [start(a, 150), start(b, 100), start(c, 50)]
    daemons[0].wait_state("pg", "active")
    for d in daemons[1:]:
        d.wait_state("pg", "backup")
    one_holder(lab, "a")

    def told():
        one = daemons[2].instance()
        return one["active_node"] == {"address": a.ip4(), "priority": 150, "self": False}

    lab.wait_until(told, 5, "c says that a is Active with 150")
    assert daemons[0].instance()["active_node"] == {"address": a.ip4(), "priority": 150, "self": True}
    # when it goes, only the better of the other two takes over
    daemons[0].stop()
    daemons[1].wait_state("pg", "active")
    one_holder(lab, "b")
    assert daemons[2].state() == "backup"


def test_preempt(lab):
    a, b = lab.host("a"), lab.host("b")
    db = start(b, 100)
    db.wait_state("pg", "active")
    da = start(a, 150)
    one = da.wait_state("pg", "active")
    assert f"{b.ip4()} advertises priority 100, lower than ours (150)" in one["reason"]
    one = db.wait_state("pg", "backup")
    assert f"{a.ip4()} advertises priority 150, higher than ours (100)" in one["reason"]
    one_holder(lab, "a")


def test_no_preempt(lab):
    a, b = lab.host("a"), lab.host("b")
    db = start(b, 100)
    db.wait_state("pg", "active")
    da = start(a, 150, preempt=False)
    da.wait_state("pg", "backup")
    before = db.counters()["adverts_sent"]
    lab.wait_until(lambda: db.counters()["adverts_sent"] >= before + 15, 5, "15 more adverts of b")
    assert da.state() == "backup"
    one_holder(lab, "b")
    # silence still leads to a take-over
    b.cut()
    da.wait_state("pg", "active")


def test_preempt_delay(lab):
    a, b = lab.host("a"), lab.host("b")
    db = start(b, 100)
    db.wait_state("pg", "active")
    started = time.monotonic()
    da = start(a, 150, preempt_delay="1s")
    da.wait_state("pg", "active")
    took = time.monotonic() - started
    assert 1.0 <= took < 1.0 + DOWN_100 + 0.6, f"preempted after {took:.3f} s"
    one_holder(lab, "a")


def test_split_heals_by_address_when_priorities_are_equal(lab):
    a, b = lab.host("a"), lab.host("b")
    da, db = start(a, 100), start(b, 100)
    lab.wait_until(
        lambda: sorted([da.state(), db.state()]) == ["active", "backup"], 5, "one of two is Active"
    )
    a.cut()
    da.wait_state("pg", "active")
    db.wait_state("pg", "active")
    a.mend()
    one = da.wait_state("pg", "backup")
    assert one["reason"] == f"{b.ip4()} advertises our priority (100) and has the higher address"
    assert db.state() == "active"
    one_holder(lab, "b")


def test_equal_priority_does_not_preempt(lab):
    a, b = lab.host("a"), lab.host("b")
    da = start(a, 100)
    da.wait_state("pg", "active")
    db = start(b, 100)  # the higher address, but a Backup compares priorities only
    before = da.counters()["adverts_sent"]
    lab.wait_until(lambda: da.counters()["adverts_sent"] >= before + 10, 5, "10 more adverts of a")
    assert db.state() == "backup"
    one_holder(lab, "a")


def test_owner_is_active_at_once(lab):
    a = lab.host("a")
    capture = a.capture()
    d = start(a, 255, advert_interval="1s")  # the down interval would be 3 s
    one = d.wait_state("pg", "active", 1)
    assert one["reason"] == "priority 255: this host owns the address"
    lab.wait_until(capture.frames, 1, "an advert")
    assert priority_of(capture.frames()[0]) == 255
    # an owner ignores everybody's adverts, another owner's too
    b = lab.host("b")
    other = start(b, 254, advert_interval="1s")
    other.wait_state("pg", "backup")
    assert d.state() == "active"


def test_two_owners_are_told(lab):
    """Neither yields (RFC 9568 7.1): a mistake that both hosts name, in the log and in status."""
    hosts = [lab.host("a"), lab.host("b")]
    owners = [start(h, 255, advert_interval="100ms") for h in hosts]
    for d, other in zip(owners, reversed(hosts)):
        d.wait_state("pg", "active", 1)
        said = f"{other.ip4()} has priority 255, too: both own the addresses and neither yields; give one of them a lower priority"
        lab.wait_until(lambda d=d, said=said: f"warning: pg: {said}" in d.log_text(), 5, "the log names the other owner")
        lab.wait_until(lambda d=d, said=said: said in d.instance()["warnings"], 5, "status warns of it")
        assert d.counters()["discarded"]["owner"] > 0
        assert not [w for w in d.instance()["warnings"] if "all are discarded" in w]
    assert [d.state() for d in owners] == ["active", "active"]
    third = start(lab.host("c"), 100, advert_interval="100ms")
    said = "both have priority 255: both own the addresses and neither yields"
    lab.wait_until(lambda: any(said in w for w in third.instance()["warnings"]), 5, "so does a host that hears both")


def test_stop_hands_over_after_a_short_skew_time(lab):
    a, b = lab.host("a"), lab.host("b")
    capture = b.capture()
    da = start(a, 150)
    da.wait_state("pg", "active")
    db = start(b, 100)
    db.wait_state("pg", "backup")
    lab.wait_until(lambda: db.counters()["adverts_received"] > 2, 5, "b hears a")
    assert da.stop() == 0
    one = db.wait_state("pg", "active")
    assert one["reason"] == f"{a.ip4()} left (priority 0)"
    one_holder(lab, "b")
    frames = capture.stop()
    zero = [f for f in frames if priority_of(f) == 0]
    assert zero and vrrp_of(zero[0])[0].src == a.ip4()
    taken = [f for f in frames if f.outgoing and priority_of(f) == 100]
    skew = (taken[0].ns - zero[0].ns) / 1e6
    # a announced an interval of 4 cs right before: (256 - 100) * 4 cs / 256 = 24.4 ms instead of 60.9 ms
    assert [vrrp_of(f)[1].adv for f in frames[: frames.index(zero[0])]][-1] == 4
    assert 24 < skew < 60, f"take-over {skew:.1f} ms after priority 0"


def test_stop_in_backup_sends_nothing(lab):
    a, b = lab.host("a"), lab.host("b")
    da, db = start(a, 150), start(b, 100)
    da.wait_state("pg", "active")
    db.wait_state("pg", "backup")
    capture = b.capture()
    assert db.stop() == 0
    assert not [f for f in capture.stop() if f.outgoing]
    one_holder(lab, "a")


def test_cable_pulled(lab):
    a, b = lab.host("a"), lab.host("b")
    da = start(a, 150)
    da.wait_state("pg", "active")
    db = start(b, 100)
    db.wait_state("pg", "backup")
    lab.wait_until(lambda: db.counters()["adverts_received"] > 2, 5, "b hears a")
    a.link_down()
    one = da.wait_state("pg", "fault")
    assert one["reason"] == "interface eth0 has no carrier"
    one = db.wait_state("pg", "active")
    words = one["reason"].split()
    assert one["reason"].startswith(f"no adverts from {a.ip4()} for ") and one["reason"].endswith(" ms")
    assert 360 <= int(words[-2]) < 600
    one_holder(lab, "b")
    a.link_up()
    da.wait_state("pg", "active")
    db.wait_state("pg", "backup")
    one_holder(lab, "a")


def test_silence_at_10_ms_adverts(lab):
    a, b = lab.host("a"), lab.host("b")
    da = start(a, 150, advert_interval="10ms")
    da.wait_state("pg", "active")
    db = start(b, 100, advert_interval="10ms")
    db.wait_state("pg", "backup")
    lab.wait_until(lambda: db.counters()["adverts_received"] > 20, 5, "b hears a")
    capture = b.capture()
    lab.wait_until(lambda: len(capture.frames()) > 3, 5, "adverts")
    a.cut()
    db.wait_state("pg", "active")
    frames = capture.stop()
    first = next(f for f in frames if f.outgoing)
    last = [f for f in frames if not f.outgoing and f.ns < first.ns][-1]
    # 3 * 10 ms + 156 / 256 * 10 ms = 36.1 ms
    silence = (first.ns - last.ns) / 1e6
    assert 36 <= silence < 60, f"{silence:.1f} ms"


def test_a_packet_filter_looks_like_a_dead_peer(lab):
    """Adverts dropped in one direction: two holders while it lasts, and one at once when it ends."""
    a, b = lab.host("a"), lab.host("b")
    da = start(a, 150)
    da.wait_state("pg", "active")
    db = start(b, 100)
    db.wait_state("pg", "backup")
    lab.wait_until(lambda: db.counters()["adverts_received"] > 2, 5, "b hears a")
    b.drop("ip protocol 112")
    one = db.wait_state("pg", "active")
    assert one["reason"].startswith(f"no adverts from {a.ip4()} for ")
    assert da.state() == "active"
    b.undrop()
    db.wait_state("pg", "backup", 1)
    one_holder(lab, "a")


def test_ipv6_and_ipv4_with_one_vrid(lab):
    a, b = lab.host("a"), lab.host("b")

    def both(host, priority):
        return host.vrrpd(
            conf(
                instance("four", priority=priority),
                instance("six", ["fe80::100/64", "fd77:1::100/64"], priority=priority),
                node=host.name,
            )
        )

    capture = b.capture()
    da, db = both(a, 150), both(b, 100)
    for name in ("four", "six"):
        da.wait_state(name, "active")
        db.wait_state(name, "backup")
    for address in ("fe80::100", "fd77:1::100", VIP):
        lab.wait_until(lambda x=address: lab.holders(x) == ["a"], 5, f"a alone holds {address}")
    da.stop()
    for name in ("four", "six"):
        db.wait_state(name, "active")
    for address in ("fe80::100", "fd77:1::100", VIP):
        lab.wait_until(lambda x=address: lab.holders(x) == ["b"], 5, f"b alone holds {address}")
    sources = {vrrp_of(f)[0].src for f in capture.stop() if is_vrrp(f)}
    assert sources <= {a.ip4(), b.ip4(), a.link_local(), b.link_local()}, "never a shared address"


def test_unicast_pair(lab):
    a, b, c = lab.host("a"), lab.host("b"), lab.host("c")
    seen = c.capture()

    def unicast(host, peer, priority):
        return start(host, priority, unicast={"peers": [peer.ip4()]})

    da, db = unicast(a, b, 150), unicast(b, a, 100)
    da.wait_state("pg", "active")
    db.wait_state("pg", "backup")
    one_holder(lab, "a")
    lab.wait_until(lambda: db.counters()["adverts_received"] > 5, 5, "b hears a")
    # somebody who is no peer, with the same VRID: counted, without effect
    dc = start(c, 200, unicast={"peers": [b.ip4()]})
    dc.wait_state("pg", "active")
    lab.wait_until(lambda: db.counters()["discarded"]["peer"] > 3, 5, "b discards c's adverts")
    assert db.state() == "backup"
    assert not [f for f in seen.stop() if not f.outgoing], "no advert goes to the group"


STATUS_SHAPE = {
    "node": str,
    "version": str,
    "uptime_s": (int, float),
    "instances": [
        {
            "name": str,
            "mode": str,
            "state": str,
            "since_s": (int, float),
            "reason": str,
            "priority": {"base": int, "effective": int},
            "active_node": {"address": str, "priority": int, "self": bool},
            "addresses": [{"address": str, "interface": str, "held": bool}],
            "checks": [
                {"name": str, "state": str, "since_s": (int, float), "last": str, "weight": (int, type(None))}
            ],
            "peers": [{"address": str, "priority": int, "last_heard_ms": (int, float)}],
            "counters": {
                "adverts_sent": int,
                "adverts_received": int,
                "transitions": int,
                "discarded": {
                    label: int
                    for label in (
                        "truncated",
                        "own",
                        "length",
                        "destination",
                        "ttl",
                        "version",
                        "type",
                        "checksum",
                        "vrid",
                        "owner",
                        "address_count",
                        "interval",
                        "source",
                        "peer",
                        "auth_type",
                        "auth",
                        "address_list",
                    )
                },
            },
        }
    ],
}


def differences(value, shape, path="status"):
    """Where a document lacks a member of the shape or has another type there."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return [f"{path} is no object"]
        return [
            text
            for key, inner in shape.items()
            for text in (
                differences(value[key], inner, f"{path}.{key}")
                if key in value
                else [f"{path}.{key} is missing"]
            )
        ]
    if isinstance(shape, list):
        if not isinstance(value, list) or not value:
            return [f"{path} is no list, or empty"]
        return [text for i, v in enumerate(value) for text in differences(v, shape[0], f"{path}[{i}]")]
    kinds = shape if isinstance(shape, tuple) else (shape,)
    if isinstance(value, bool) and bool not in kinds:
        return [f"{path} is true or false"]
    return [] if isinstance(value, kinds) else [f"{path} is {value!r}"]


def test_status_is_complete_and_typed(lab):
    a, b = lab.host("a"), lab.host("b")

    def with_check(host, priority):
        return host.vrrpd(
            conf(
                instance(priority=priority, track=({"check": "well", "weight": -10},)),
                node=host.name,
                checks={
                    "well": {
                        "kind": "script",
                        "command": ["/bin/sh", "-c", "echo all well"],
                        "interval": "50ms",
                    }
                },
            )
        )

    da, db = with_check(a, 150), with_check(b, 100)
    da.wait_state("pg", "active")
    db.wait_state("pg", "backup")
    lab.wait_until(lambda: db.instance()["checks"][0]["state"] == "up", 5, "the check is up")
    # a hears nobody: a Backup is silent; b hears a
    status = db.status()
    assert not differences(status, STATUS_SHAPE)
    one = status["instances"][0]
    assert status["node"] == "b"
    assert (one["name"], one["mode"], one["state"]) == ("pg", "vrrp", "backup")
    assert one["addresses"] == [{"address": f"{VIP}/24", "interface": "eth0", "held": False}]
    assert one["priority"] == {"base": 100, "effective": 100}
    check = one["checks"][0]
    assert (check["name"], check["last"], check["weight"]) == ("well", "all well", -10)
    assert (one["peers"][0]["address"], one["peers"][0]["priority"]) == (a.ip4(), 150)
    assert one["peers"][0]["last_heard_ms"] < 1000
    assert one["counters"]["adverts_sent"] == 0 and not any(one["counters"]["discarded"].values())
    # one instance by its own route, and what is not there
    code, body = db.get("/v1/instances/pg")
    assert code == 200 and not differences(json.loads(body), STATUS_SHAPE["instances"][0])
    code, body = db.get("/v1/instances/nobody")
    assert code == 404 and "error" in json.loads(body)
    assert db.get("/healthz")[0] == 200
    # as anybody would ask
    done = b.run(["curl", "-s", "--unix-socket", db.socket_path, "http://-/v1/status"])
    assert not differences(json.loads(done.stdout), STATUS_SHAPE)
    code, metrics = db.get("/metrics")
    assert code == 200 and "vrrpd_" in metrics


def test_status_command(lab):
    a, b = lab.host("a"), lab.host("b")
    da, db = start(a, 150), start(b, 100)
    da.wait_state("pg", "active")
    db.wait_state("pg", "backup")
    one_holder(lab, "a")
    for d, state in ((da, "active"), (db, "backup")):
        done = d.ctl("status")
        assert done.returncode == 0, done.stderr
        assert "pg" in done.stdout and state in done.stdout
    done = da.ctl("status", "-j")
    assert done.returncode == 0
    assert not [
        d
        for d in differences(json.loads(done.stdout), STATUS_SHAPE)
        if ".checks" not in d and ".peers" not in d
    ]
    assert da.ctl("status", "pg").returncode == 0
    assert da.ctl("status", "nobody").returncode not in (0, 1)
    assert da.ctl("no-such-verb").returncode not in (0, 1)
    a.link_down()
    da.wait_state("pg", "fault")
    done = da.ctl("status")
    assert done.returncode == 1 and "interface eth0 has no carrier" in done.stdout
    da.stop()
    done = da.ctl("status")
    assert done.returncode == 4 and len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("role", ["engine", "agent"])
def test_a_killed_child_is_started_again(lab, role):
    a, b = lab.host("a"), lab.host("b")
    da = start(a, 150)
    da.wait_state("pg", "active")
    db = start(b, 100)
    db.wait_state("pg", "backup")
    old = da.signal_role(role, 9)
    lab.wait_until(lambda: da.processes().get(role, old) != old, 5, f"a new {role} runs")
    da.wait_state("pg", "active")
    one_holder(lab, "a")
    db.wait_state("pg", "backup")
