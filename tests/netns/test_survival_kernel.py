"""test_survival_kernel.py - what others do to our addresses and interfaces, and what is found at the start."""

import os
import signal
import time

import pytest

from daemons import conf, instance
from packets import priority_of
from pairs import VIP, VIP6, Pair, add_marked, engine_pid, events_of, rewrite, sent_by, transitions_of
from test_links import expect
from wire import is_arp, is_na

PROTO = 112  # the mark (IFA_PROTO) of our addresses


def hold(lab, host, address=VIP):
    lab.wait_until(lambda: host.holds(address), 3, f"{host.name} holds {address}")


# ---- addresses removed by others ---------------------------------------------------------------------------


@pytest.mark.parametrize("v6", [False, True], ids=["IPv4", "IPv6"])
def test_deleted_address_comes_back(lab, v6):
    pair = Pair(lab, v6=v6, garp={"delay": "0s"})
    vip = VIP6 if v6 else VIP
    capture = pair.c.capture(is_na if v6 else is_arp)
    pair.watch()
    time.sleep(0.3)  # the announcements of the take-over are over
    capture.clear()
    with pair.undisturbed("a"), pair.undisturbed("b"):
        for n in range(1, 4):
            pair.a.ip("addr", "del", f"{vip}/{64 if v6 else 24}", "dev", "eth0")
            lab.wait_until(lambda n=n: pair.d("a").counters()["addresses_healed"] == n, 3, f"healed {n} times")
        seen = pair.seen("address deleted three times", "a")
    assert seen.silence_ms < 250 and seen.none_ms < 50, seen
    own = bytes.fromhex(pair.a.mac().replace(":", ""))
    lab.wait_until(
        lambda: [f for f in capture.frames() if f.data[6:12] == own and f.data[:1] in (b"\xff", b"\x33")],
        3,
        "the address is announced again",
    )
    told = [e for e in events_of(pair.d("a")) if e["reason"] == "address_healed"]
    assert told and vip in told[0]["text"]


def test_all_addresses_flushed(lab):
    """Everything on the interface removed at once, the own address too, and that one put back by the administrator."""
    pair = Pair(lab, address=("10.77.1.100/24", "10.77.1.101/24", "10.77.1.102/32"))
    pair.watch()
    pair.a.ip("addr", "flush", "dev", "eth0", "scope", "global")
    pair.d("b").wait_state("pg", "active")
    pair.a.ip("addr", "add", pair.a.ip4() + "/24", "dev", "eth0")
    pair.d("a").wait_state("pg", "active")
    pair.d("b").wait_state("pg", "backup")
    pair.seen("every address flushed", "a")
    for n in (100, 101, 102):
        hold(lab, pair.a, f"10.77.1.{n}")


def test_deleted_again_and_again(lab):
    """Somebody insists: the host gives up, says why, and its peer takes over."""
    pair = Pair(lab)
    d = pair.d("a")
    pair.watch()
    deleted = 0
    end = time.monotonic() + 15
    while deleted < 30 and d.state() == "active" and time.monotonic() < end:
        if pair.a.holds(VIP):
            pair.a.ip("addr", "del", VIP + "/24", "dev", "eth0", check=False)
            deleted += 1
    one = d.wait_state("pg", "fault", 3)
    assert one["reason_code"] == "address_taken" and VIP in one["reason"], one["reason"]
    assert deleted >= 10
    pair.d("b").wait_state("pg", "active")
    seen = pair.seen(f"address deleted {deleted} times", "b")
    assert seen.two_ms < 400, seen
    assert d.ctl("status").returncode == 1


# ---- news that are lost ------------------------------------------------------------------------------------


def flood(count, verb):
    return [f"addr {verb} 10.{80 + n // 62500}.{n // 250 % 250}.{n % 250 + 1}/32 dev dummy0" for n in range(count)]


def test_lost_netlink_news(lab):
    """More news than the socket takes while the engine is stopped: what it then believes is nevertheless true."""
    pair = Pair(lab, settings={"engine": {"address_lifetime": "30s"}})
    for name in "ba":  # so patient that a slow machine is no reason to take over
        rewrite(pair.d(name), pair.text(name, advert_interval="1s", down_adverts=20))
        assert pair.d(name).ctl("reload").returncode == 0
    d = pair.d("a")
    pair.a.batch(["link add dummy0 type bridge", "link set dummy0 up"])
    pair.watch()
    engine = engine_pid(d)
    with pair.undisturbed("b"), pair.undisturbed("a"):
        os.kill(engine, signal.SIGSTOP)
        try:
            pair.a.batch(flood(8000, "add"))
            # on a busy machine its lifetime has ended meanwhile
            pair.a.ip("addr", "del", VIP + "/24", "dev", "eth0", check=False)
            pair.a.batch(flood(8000, "del"))
        finally:
            os.kill(engine, signal.SIGCONT)
        lab.wait_until(lambda: d.counters()["addresses_healed"] == 1, 5, "the missing address was noticed")
        hold(lab, pair.a)
        seen = pair.seen("deleted among 16000 other changes", "a")
    print(f"address gone for {seen.none_ms:.0f} ms, most of it while the engine was stopped")
    # An interface that goes meanwhile is noticed as well.
    os.kill(engine, signal.SIGSTOP)
    try:
        pair.a.batch(flood(4000, "add"))
        pair.a.ip("link", "set", "eth0", "down")
        pair.a.batch(flood(4000, "del"))
    finally:
        os.kill(engine, signal.SIGCONT)
    expect(d, "fault", "interface eth0 is down")
    assert engine_pid(d) == engine, "the engine did not need to be started again"


def test_many_address_changes_beside(lab):
    pair = Pair(lab)
    pair.a.batch(["link add dummy0 type bridge", "link set dummy0 up"])
    pair.watch()
    with pair.undisturbed("b"), pair.undisturbed("a"):
        pair.a.batch(flood(5000, "add"))
        pair.a.batch(flood(5000, "del"))
        seen = pair.seen("10000 address changes on another interface", "a")
    pair.expect(seen, two=1)


# ---- interfaces --------------------------------------------------------------------------------------------


def test_interface_deleted_and_created(lab):
    pair = Pair(lab)
    pair.watch()
    for _ in range(2):
        pair.a.del_interface()
        expect(pair.d("a"), "fault", "interface eth0 does not exist")
        pair.d("b").wait_state("pg", "active")
        pair.a.add_interface()
        pair.d("a").wait_state("pg", "active")
        pair.d("b").wait_state("pg", "backup")
    pair.seen("interface deleted and created, twice", "a")
    hold(lab, pair.a)


def test_interface_renamed_away_and_back(lab):
    """Under its other name the interface is not ours: nothing stays on it."""
    pair = Pair(lab, v6=False)
    pair.watch()
    for _ in range(2):
        pair.a.batch(["link set eth0 down", "link set eth0 name other0", "link set other0 up"])
        expect(pair.d("a"), "fault", "interface eth0 does not exist")
        pair.d("b").wait_state("pg", "active")
        lab.wait_until(lambda: not pair.a.holds(VIP), 2, "the address left the renamed interface")
        assert pair.a.holds(pair.a.ip4()), "what is not ours stays"
        pair.a.batch(["link set other0 down", "link set other0 name eth0", "link set eth0 up"])
        pair.d("a").wait_state("pg", "active")
        pair.d("b").wait_state("pg", "backup")
    seen = pair.seen("interface renamed away and back, twice", "a")
    assert seen.two_ms < 400, seen
    assert [x["ifname"] for x in pair.a.addresses() if x["address"] == VIP] == ["eth0"]


def test_renamed_while_up(lab):
    """A name is given to another interface without taking the first one down."""
    pair = Pair(lab)
    if pair.a.run(["ip", "link", "set", "eth0", "name", "other0"], check=False).returncode != 0:
        pytest.skip("this kernel does not rename an interface that is up")
    expect(pair.d("a"), "fault", "interface eth0 does not exist")
    lab.wait_until(lambda: not pair.a.holds(VIP), 4, "the address left the renamed interface")
    pair.a.ip("link", "set", "other0", "name", "eth0")
    pair.d("a").wait_state("pg", "active")
    hold(lab, pair.a)


def test_carrier_flaps(lab):
    pair = Pair(lab)
    pair.watch()
    for n in range(12):
        pair.a.link_down()
        time.sleep(0.01 * (n % 5))
        pair.a.link_up()
        time.sleep(0.02 * (n % 3))
    pair.d("a").wait_state("pg", "active")
    pair.d("b").wait_state("pg", "backup")
    seen = pair.seen("carrier lost and back, twelve times", "a")
    assert seen.two_ms < 400, seen
    # Down at the end: b is the holder.
    pair.a.link_down()
    expect(pair.d("a"), "fault", "interface eth0 has no carrier")
    pair.d("b").wait_state("pg", "active")
    pair.seen("carrier lost", "b")


def test_own_address_changed_removed_back(lab):
    pair = Pair(lab)
    lab.strangers.add("10.77.1.77")
    capture = pair.c.capture()
    pair.watch()
    with pair.undisturbed("b"):
        pair.a.batch(["addr add 10.77.1.77/24 dev eth0", f"addr del {pair.a.ip4()}/24 dev eth0"])
        lab.wait_until(lambda: pair.d("a").instance()["source"] == "10.77.1.77", 3, "the other address is used")
        pair.d("a").wait_state("pg", "active")
        hold(lab, pair.a)
    pair.a.ip("addr", "del", "10.77.1.77/24", "dev", "eth0")
    expect(pair.d("a"), "fault", "interface eth0 has no usable source address")
    pair.d("b").wait_state("pg", "active")
    lab.wait_until(lambda: not pair.a.holds(VIP), 3, "the address left")
    pair.a.ip("addr", "add", f"{pair.a.ip4()}/24", "dev", "eth0")
    pair.d("a").wait_state("pg", "active")
    pair.d("b").wait_state("pg", "backup")
    pair.seen("own address changed, removed and back", "a")
    assert pair.d("a").instance()["source"] == pair.a.ip4()
    assert VIP not in {f"{f.data[26]}.{f.data[27]}.{f.data[28]}.{f.data[29]}" for f in capture.frames()}
    assert {priority_of(f) for f in sent_by(pair.a, capture.frames())} <= {150, 0}


# ---- the whole of it ends ----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_nothing_renews_the_addresses(lab, how):
    """At adverts every 100 ms the peer is there long before the addresses end: two holders, for that long only."""
    pair = Pair(lab, settings={"engine": {"address_lifetime": "2s"}})
    assert pair.d("a").status()["address_lifetime_s"] == 2
    pair.watch()
    pids = list(pair.d("a").processes().values())
    if how == "killed":
        pair.d("a").kill_all()
    else:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
    lab.wait_until(lambda: pair.sampler.present() == ["b"], 6, "b alone holds the address")
    seen = pair.seen(f"all processes {how}, adverts every 100 ms", "b")
    assert seen.none_ms < 20 and seen.silence_ms < 361 + 200, seen
    assert seen.two_ms < 3000, seen
    if how == "frozen":
        pair.watch()
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        pair.d("a").wait_state("pg", "active")
        assert "slept" in [reason for _, _, reason in transitions_of(pair.d("a"))]
        assert pair.seen("continued, preempts", "a").two_ms < 300


def test_frozen_for_a_moment(lab):
    """Shorter than its peer waits: nothing happens at all."""
    pair = Pair(lab, advert_interval="1s")
    pids = pair.d("a").processes().values()
    pair.watch()
    with pair.undisturbed("b"), pair.undisturbed("a"):
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(1.2)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        pair.expect(pair.seen("frozen for 1.2 s", "a"), two=1)


# ---- what is found at the start ----------------------------------------------------------------------------


def test_leftovers_are_removed_at_the_start(lab):
    """Marked as ours and wanted by nobody: gone. Everything else is left alone, also when it looks alike."""
    a = lab.host("a")
    a.batch(
        [
            "addr add 10.77.1.98/24 dev eth0",
            "link add dummy0 type bridge",
            "link set dummy0 up",
            "addr add 192.0.2.98/32 dev dummy0",
        ]
    )
    for address in ("10.77.1.99/24", "fd77:1::99/64", VIP + "/24"):
        add_marked(a, address, "eth0", PROTO)
    add_marked(a, "192.0.2.99/32", "dummy0", PROTO)
    add_marked(a, "10.77.1.97/24", "eth0", 3)
    before = {x["address"] for x in a.addresses()}
    sampler = lab.sampler(VIP)
    d = a.vrrpd(conf(instance(advert_interval="1s"), node="a"))
    lab.wait_until(lambda: not a.holds("10.77.1.99") and not a.holds("192.0.2.99"), 3, "leftovers are gone")
    assert not a.holds("fd77:1::99")
    assert not a.holds(VIP), "nobody knows that it is ours to hold yet"
    d.wait_state("pg", "active", 8)
    lost = before - {x["address"] for x in a.addresses()}
    assert lost == {"10.77.1.99", "fd77:1::99", "192.0.2.99"}
    d.stop()
    assert {"10.77.1.98", "10.77.1.97", "192.0.2.98", a.ip4(), a.ip6()} <= {x["address"] for x in a.addresses()}
    assert sampler.periods()[0][2] == ["a"] and sampler.present() == []


def test_what_was_there_before_is_left_alone(lab):
    """The administrator's own address is one of the instance's: it serves, and nothing of it is changed."""
    a = lab.host("a")
    a.ip("addr", "add", VIP + "/24", "dev", "eth0")
    d = a.vrrpd(conf(instance(), node="a"))
    d.wait_state("pg", "active")
    time.sleep(1.2)  # a renewal has passed
    mine = [x for x in a.addresses() if x["address"] == VIP]
    assert len(mine) == 1 and mine[0]["valid_s"] > 10**6, "no lifetime"
    engine = engine_pid(d)
    os.kill(engine, signal.SIGKILL)
    engine_pid(d, other_than=(engine, None))
    d.wait_state("pg", "active")
    assert [x for x in a.addresses() if x["address"] == VIP][0]["valid_s"] > 10**6
    assert d.stop() == 0
    assert a.holds(VIP)
