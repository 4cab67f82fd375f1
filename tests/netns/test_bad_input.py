"""test_bad_input.py - garbage, replays, floods on a real network: no crash, no state change, adverts on time.

The mutations are random; the seed is printed and VRRPD_SEED repeats a run. Where VRRPD_SAN_BUILD names a
build with sanitizers ("make test" does), the daemon that is fed garbage comes from there.
"""

import os
import random
import struct
import time

import pytest
from scapy.layers.inet import checksum

import lab as labs
from daemons import conf, instance
from packets import VECTORS, advert, priority_of
from wire import is_vrrp

SAN_BUILD = os.environ.get("VRRPD_SAN_BUILD") or labs.build_dir()
MUTATIONS = int(os.environ.get("VRRPD_MUTATIONS", "100000"))


def host_pair(lab):
    a, b = lab.host("dut"), lab.host("tester")
    a.sysctl(
        **{
            "net.ipv4.conf.all.rp_filter": 0,
            "net.ipv4.conf.eth0.rp_filter": 0,
            "net.ipv4.conf.eth0.accept_local": 1,
        }
    )
    return a, b


def mutate(rng, frame):
    """A changed copy: octets flipped, cut, grown or swapped; half of them with a right checksum again.

    Never a priority above ours that the checksum vouches for: that would be a legal reason to step down.
    """
    head, packet = frame[:14], bytearray(frame[14:])
    v6 = frame[12:14] == b"\x86\xdd"
    start = 40 if v6 else 20
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        kind = rng.randrange(5)
        at = rng.randrange(start, len(packet)) if len(packet) > start else start
        if kind == 0 and len(packet) > at:
            packet[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and len(packet) > at:
            packet[at] = rng.choice((0, 1, 2, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif kind == 2:
            del packet[at:]
        elif kind == 3:
            packet += rng.randbytes(rng.randrange(1, 64))
        elif not v6:
            packet[rng.choice((8, 12, 13, 14, 15))] = rng.randrange(256)  # TTL, source
        else:
            packet[rng.choice((7, 8, 9, 22, 23))] = rng.randrange(256)  # hop limit, source
    if len(packet) >= start + 8 and rng.randrange(2):
        packet[start + 2] = rng.randrange(1, 50)
        packet[start + 6 : start + 8] = b"\0\0"
        if v6:
            pseudo = bytes(packet[8:40]) + struct.pack("!II", len(packet) - 40, 112)
            total = checksum(pseudo + bytes(packet[40:]))
        else:
            total = checksum(bytes(packet[20:]))
        packet[start + 6 : start + 8] = struct.pack("!H", total)
    if v6:
        struct.pack_into("!H", packet, 4, len(packet) - 40)
    else:
        struct.pack_into("!H", packet, 2, len(packet))
        packet[10:12] = b"\0\0"
        packet[10:12] = struct.pack("!H", checksum(bytes(packet[:20])))
    return head + bytes(packet)


def test_random_mutations(lab):
    seed = int(os.environ.get("VRRPD_SEED", random.randrange(2**32)))
    print(f"VRRPD_SEED={seed}")
    rng = random.Random(seed)
    a, b = host_pair(lab)
    capture = b.capture(lambda f: is_vrrp(f) and not f.outgoing)
    d = a.vrrpd(
        conf(
            instance("four", "192.0.2.1/24", priority=254),
            instance("six", ["fe80::1/64", "2001:db8::1/64"], priority=254),
            instance("two", "192.0.2.2/24", vrid=52, version=2, advert_interval="1s", priority=255),
            instance("waiting", "192.0.2.3/24", vrid=53, advert_interval="40950ms", priority=1),
            node="dut",
        ),
        build=SAN_BUILD,
    )
    for name, state in (("four", "active"), ("six", "active"), ("two", "active"), ("waiting", "backup")):
        d.wait_state(name, state)
    pids = d.processes()
    base = [
        VECTORS["V01"],
        VECTORS["V02"],
        VECTORS["V06"],
        VECTORS["V08"],
        VECTORS["V10"],
        advert("192.0.2.10", ["192.0.2.1"], priority=50, interval=10),
        advert("fe80::a", ["fe80::1", "2001:db8::1"], priority=50, interval=10),
        advert("192.0.2.10", ["192.0.2.2"], vrid=52, version=2, priority=50),
        advert("192.0.2.10", ["192.0.2.3"], vrid=53, priority=40, interval=4095),
    ]
    injector = b.injector()
    capture.clear()
    for _ in range(MUTATIONS):
        injector.send(mutate(rng, rng.choice(base)))
    lab.wait_until(lambda: len(capture.frames()) > 20, 5, "adverts after the mutations")
    assert d.processes() == pids, f"a process ended and was started anew (VRRPD_SEED={seed})"
    for name, state in (("four", "active"), ("six", "active"), ("two", "active"), ("waiting", "backup")):
        one = d.instance(name)
        assert one["state"] == state, f"{name}: {one['state']}: {one['reason']} (VRRPD_SEED={seed})"
    status = d.status()
    judged = sum(status["discarded"].values())
    for one in status["instances"]:
        judged += sum(one["counters"]["discarded"].values()) + one["counters"]["adverts_received"]
    assert MUTATIONS / 100 < judged <= MUTATIONS, f"{judged} of {MUTATIONS} packets were judged"
    kinds = {label for one in status["instances"] for label, n in one["counters"]["discarded"].items() if n}
    assert {"length", "checksum", "ttl", "version"} <= kinds, f"only {kinds} (VRRPD_SEED={seed})"


def test_replayed_own_adverts(lab):
    a, b = host_pair(lab)
    capture = b.capture(lambda f: is_vrrp(f) and not f.outgoing)
    d = a.vrrpd(conf(instance("four"), instance("six", ["fe80::1/64"]), node="dut"), build=SAN_BUILD)
    for name in ("four", "six"):
        d.wait_state(name, "active")
    lab.wait_until(lambda: len(capture.frames()) >= 4, 5, "adverts of both families")
    injector = b.injector()
    own = {f.ethertype: f.data for f in capture.frames()}
    assert set(own) == {0x0800, 0x86DD}
    sent_before = {n: d.counters(n)["adverts_sent"] for n in ("four", "six")}
    started = time.monotonic()
    for _ in range(200):
        for data in own.values():
            injector.send(data)
    for name in ("four", "six"):
        lab.wait_until(
            lambda n=name: d.counters(n)["discarded"]["own"] == 200, 5, f"{name}: 200 own packets counted"
        )
        one = d.instance(name)
        assert one["state"] == "active" and one["counters"]["transitions"] <= 2
        # and not answered
        elapsed = time.monotonic() - started
        assert one["counters"]["adverts_sent"] - sent_before[name] <= elapsed / 0.1 + 2


FLOODS = {
    "lower priority": lambda: advert("192.0.2.10", ["10.77.1.100"], priority=50, interval=10),
    "wrong checksum": lambda: advert("192.0.2.10", ["10.77.1.100"], priority=200, interval=10, form=1),
    "foreign VRID": lambda: advert("192.0.2.10", ["10.77.1.100"], vrid=99, priority=200, interval=10),
}


@pytest.mark.parametrize("kind", FLOODS)
def test_flood(lab, kind):
    """Packets as fast as they can be sent for two seconds: adverts stay on time, no more than allowed."""
    a, b = host_pair(lab)
    capture = b.capture(incoming=True)
    d = a.vrrpd(conf(instance(priority=100), node="dut"))
    d.wait_state("pg", "active")
    pids = d.processes()
    frame = FLOODS[kind]()
    injector = b.injector()
    lab.wait_until(lambda: len(capture.frames()) > 2, 5, "adverts")
    capture.clear()
    before = d.counters()["adverts_sent"]
    sent, end = 0, time.monotonic() + 2
    while time.monotonic() < end:
        for _ in range(100):
            injector.send(frame)
        sent += 100
    frames = capture.stop()
    assert d.processes() == pids
    one = d.instance()
    assert one["state"] == "active"
    # on time where they are sent: the flood also fills the queue in which the other host would receive them
    late = d.status()["adverts"]["late_max_us"]
    assert late < 80000, f"adverts every 100 ms, {late} us late"
    assert one["counters"]["adverts_sent"] - before >= 19, "an advert every 100 ms for 2 s"
    # T71: an answer to a lower priority at most every max(10 ms, AI / 4), beside 10 regular ones per second
    assert len(frames) <= 2 * (40 + 10) + 10, f"{len(frames)} adverts in 2 s, {sent} packets"
    assert {priority_of(f) for f in frames} == {100}
    discarded = one["counters"]["discarded"]
    heard = {
        "lower priority": one["counters"]["adverts_received"],
        "wrong checksum": discarded["checksum"],
        "foreign VRID": d.status()["discarded"]["vrid"],
    }[kind]
    assert 0 < heard <= sent
