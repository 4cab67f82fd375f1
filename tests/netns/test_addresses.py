"""test_addresses.py - what the kernel holds: many addresses, IPv6 without delay, others' left alone."""

from daemons import conf, instance
from packets import vrid_of

THOUSAND = [f"10.78.{n // 250}.{n % 250 + 1}/32" for n in range(1000)]


def held(host, prefix="10.78."):
    return len([a for a in host.addresses("eth0") if a["address"].startswith(prefix)])


def test_thousand_addresses_appear_and_vanish(lab):
    a, b = lab.host("a"), lab.host("b")
    capture = b.capture()

    def text(priority):
        return conf(
            instance("many", extra_addresses=tuple(THOUSAND), priority=priority, garp={"repeat": 1}),
            instance("fast", "10.77.1.101/24", vrid=52, advert_interval="10ms", priority=255),
            node="x",
        )

    da = a.vrrpd(text(150))
    da.wait_state("fast", "active")
    da.wait_state("many", "active")
    lab.wait_until(lambda: held(a) == 1000, 5, "a holds a thousand addresses")
    lab.wait_until(lambda: all(x["held"] for x in da.instance("many")["addresses"]), 5, "status says so")
    assert len(da.instance("many")["addresses"]) == 1001
    # they move, and the other instance of the same engine keeps its 10 ms meanwhile
    lab.wait_until(lambda: len(capture.frames()) > 20, 5, "adverts")
    db = b.vrrpd(
        conf(instance("many", extra_addresses=tuple(THOUSAND), priority=200, garp={"repeat": 1}), node="b")
    )
    db.wait_state("many", "active")
    lab.wait_until(lambda: held(b) == 1000 and held(a) == 0, 5, "all of them moved to b")
    fast = [f.ns for f in capture.stop() if vrid_of(f) == 52]
    gap = max((y - x) / 1e6 for x, y in zip(fast, fast[1:]))
    assert gap < 30, f"adverts every 10 ms, longest gap {gap:.1f} ms"
    assert da.status()["adverts"]["late_max_us"] < 20000
    db.stop()
    lab.wait_until(lambda: held(a) == 1000 and held(b) == 0, 5, "and back")
    da.stop()
    lab.wait_until(lambda: held(a) == 0 and not a.holds("10.77.1.100"), 5, "all are gone after the stop")


def test_ipv6_addresses_are_usable_at_once(lab):
    a, b = lab.host("a"), lab.host("b")
    a.sysctl(**{"net.ipv6.conf.eth0.accept_dad": 1, "net.ipv6.conf.eth0.dad_transmits": 1})
    d = a.vrrpd(conf(instance(address=["fe80::100/64", "fd77:1::100/64"]), node="a"))
    seen = set()

    def there():
        for x in a.addresses("eth0"):
            if x["address"] in ("fe80::100", "fd77:1::100"):
                assert "tentative" not in x["flags"] and "dadfailed" not in x["flags"]
                seen.add(x["address"])
        return len(seen) == 2

    lab.wait_until(there, 5, "both addresses are there")
    d.wait_state("pg", "active")
    b.probe("icmp", "fd77:1::100", interval_us=10000).wait_answers(3, steady=0)


def test_addresses_go_to_their_interfaces(lab2):
    a = lab2.host("a", lans=(1, 2))
    d = a.vrrpd(
        conf(
            instance(
                address=["10.77.1.100/24", {"address": "10.77.2.100/24", "interface": "eth1"}],
                extra_addresses=("fd77:1::100/64",),
            ),
            node="a",
        )
    )
    d.wait_state("pg", "active")
    lab2.wait_until(lambda: a.holds("fd77:1::100"), 5, "the extra address is there")
    where = {x["address"]: x["ifname"] for x in a.addresses()}
    assert (
        where["10.77.1.100"] == "eth0" and where["10.77.2.100"] == "eth1" and where["fd77:1::100"] == "eth0"
    )


def test_addresses_of_others_stay(lab):
    """An address that was there before and is not ours is neither counted as trouble nor removed."""
    a = lab.host("a")
    a.ip("addr", "add", "10.77.1.100/24", "dev", "eth0")
    a.ip("addr", "add", "10.77.1.55/24", "dev", "eth0")
    d = a.vrrpd(conf(instance(), node="a"))
    d.wait_state("pg", "active")
    assert d.instance()["addresses"][0]["held"]
    assert d.stop() == 0
    assert a.holds("10.77.1.55") and a.holds("10.77.1.100") and a.holds(a.ip4())


def test_leftovers_of_a_killed_daemon_are_removed(lab):
    """T45: addresses that an earlier life left behind are gone before another host's are answered for."""
    a, b = lab.host("a"), lab.host("b")
    text = conf(instance(priority=100), node="a", engine={"address_lifetime": "0s"})
    d = a.vrrpd(text)
    d.wait_state("pg", "active")
    lab.wait_until(lambda: a.holds("10.77.1.100"), 5, "a holds the address")
    d.kill_all()
    assert a.holds("10.77.1.100"), "nobody removed it"
    other = b.vrrpd(conf(instance(priority=150), node="b"))
    other.wait_state("pg", "active")
    d = a.vrrpd(text)
    d.wait_state("pg", "backup")
    lab.wait_until(lambda: lab.holders("10.77.1.100") == ["b"], 5, "b alone holds the address")
