"""test_links.py - interfaces that are missing, come, go, are renamed, lose their address: state and
reason."""

import pytest

from daemons import conf, instance

VIP = "10.77.1.100"


def start(host, **options):
    return host.vrrpd(conf(instance(**options), node=host.name))


def expect(d, state, reason, name="pg"):
    """The instance reaches the state for this reason."""

    def reached():
        one = d.instance(name)
        assert one["state"] == state and reason in one["reason"], f"{one['state']}: {one['reason']}"
        return one

    return d.host.lab.wait_until(reached, 5, f"{name} is {state} because: {reason}")


def test_interface_created_after_the_start(lab):
    a = lab.host("a")
    d = start(a, interface="eth7", address="10.77.1.100/24")
    expect(d, "fault", "interface eth7 does not exist")
    assert not d.instance()["addresses"][0]["held"]
    a.del_interface("eth0")
    a.add_interface("eth7")
    d.wait_state("pg", "active")
    lab.wait_until(lambda: a.holds(VIP), 2, "a holds the address")


def test_interface_deleted_and_created_again(lab):
    a, b = lab.host("a"), lab.host("b")
    da = start(a, priority=150)
    da.wait_state("pg", "active")
    db = start(b, priority=100)
    db.wait_state("pg", "backup")
    a.del_interface()
    expect(da, "fault", "interface eth0 does not exist")
    db.wait_state("pg", "active")
    a.add_interface()
    da.wait_state("pg", "active")
    db.wait_state("pg", "backup")
    lab.wait_until(lambda: lab.holders(VIP) == ["a"], 5, "a alone holds the address")


def test_interface_renamed_and_renamed_back(lab):
    a = lab.host("a")
    d = start(a)
    d.wait_state("pg", "active")
    a.batch(["link set eth0 down", "link set eth0 name other0", "link set other0 up"])
    expect(d, "fault", "interface eth0 does not exist")
    lab.wait_until(lambda: not a.holds(VIP), 5, "the address is gone")
    a.batch(
        [
            "link set other0 down",
            "link set other0 name eth0",
            "link set eth0 up",
            f"addr replace {a.ip4()}/24 dev eth0",
        ]
    )
    d.wait_state("pg", "active")
    lab.wait_until(lambda: a.holds(VIP), 5, "a holds the address")


def test_interface_set_down(lab):
    a = lab.host("a")
    d = start(a)
    d.wait_state("pg", "active")
    a.ip("link", "set", "eth0", "down")
    expect(d, "fault", "interface eth0 is down")
    a.ip("link", "set", "eth0", "up")
    d.wait_state("pg", "active")
    lab.wait_until(lambda: a.holds(VIP), 2, "a holds the address")


def test_no_carrier_at_start(lab):
    """T41."""
    a = lab.host("a")
    a.link_down()
    d = start(a)
    expect(d, "fault", "interface eth0 has no carrier")
    assert not a.holds(VIP)
    a.link_up()
    d.wait_state("pg", "backup")
    d.wait_state("pg", "active")


def test_carrier_lost_and_back_goes_through_backup(lab):
    """T80."""
    a = lab.host("a")
    d = start(a, advert_interval="1s")
    d.wait_state("pg", "active", 8)
    a.link_down()
    expect(d, "fault", "interface eth0 has no carrier")
    lab.wait_until(lambda: not a.holds(VIP), 5, "the address is withdrawn")
    a.link_up()
    d.wait_state("pg", "backup", 2)
    assert not a.holds(VIP)


def test_source_address_removed_and_returned(lab):
    a = lab.host("a")
    d = start(a)
    d.wait_state("pg", "active")
    a.ip("addr", "del", f"{a.ip4()}/24", "dev", "eth0")
    expect(d, "fault", "interface eth0 has no usable source address")
    lab.wait_until(lambda: not a.holds(VIP), 5, "the address is withdrawn")
    a.ip("addr", "add", f"{a.ip4()}/24", "dev", "eth0")
    d.wait_state("pg", "active")
    assert d.instance()["source"] == a.ip4()


def test_source_address_changed(lab):
    a, b = lab.host("a"), lab.host("b")
    d = start(a)
    d.wait_state("pg", "active")
    a.batch(["addr add 10.77.1.77/24 dev eth0", f"addr del {a.ip4()}/24 dev eth0"])
    lab.wait_until(lambda: d.instance()["source"] == "10.77.1.77", 5, "adverts leave from the other address")
    d.wait_state("pg", "active")
    other = start(b, priority=50)
    lab.wait_until(
        lambda: [p["address"] for p in other.instance()["peers"]] == ["10.77.1.77"], 5, "b hears it"
    )


def test_ipv6_link_local_missing(lab):
    a = lab.host("a")
    a.ip("addr", "del", f"{a.link_local()}/64", "dev", "eth0")
    d = start(a, address=["fe80::100/64", "fd77:1::100/64"])
    expect(d, "fault", "interface eth0 has no usable source address")
    a.ip("addr", "add", f"{a.link_local()}/64", "dev", "eth0", "nodad")
    d.wait_state("pg", "active")
    lab.wait_until(lambda: a.holds("fd77:1::100"), 2, "a holds the address")
    a.ip("addr", "del", f"{a.link_local()}/64", "dev", "eth0")
    expect(d, "fault", "interface eth0 has no usable source address")
    lab.wait_until(lambda: not a.holds("fd77:1::100"), 5, "the address is withdrawn")


def test_ipv6_link_local_tentative(lab):
    """T42: no advert before duplicate address detection is over."""
    a = lab.host("a")
    a.ip("addr", "del", f"{a.link_local()}/64", "dev", "eth0")
    a.sysctl(**{"net.ipv6.conf.eth0.accept_dad": 1, "net.ipv6.conf.eth0.dad_transmits": 1})
    capture = a.capture()
    d = start(a, address=["fe80::100/64"], priority=255)
    expect(d, "fault", "no usable source address")
    a.ip("addr", "add", f"{a.link_local()}/64", "dev", "eth0")
    lab.wait_until(
        lambda: any("tentative" in x["flags"] for x in a.addresses()), 2, "the address is tentative"
    )
    assert d.state() == "fault" and not capture.frames()
    d.wait_state("pg", "active")


def test_two_interfaces_one_in_trouble(lab2):
    a = lab2.host("a", lans=(1, 2))
    d = a.vrrpd(conf(instance("one"), instance("two", "10.77.2.100/24", interface="eth1", vrid=52), node="a"))
    d.wait_state("one", "active")
    d.wait_state("two", "active")
    a.link_down("eth1")
    expect(d, "fault", "interface eth1 has no carrier", "two")
    assert d.state("one") == "active" and a.holds(VIP)


@pytest.mark.parametrize("weight", [None, -60])
def test_tracked_interface(lab2, weight):
    a, b = lab2.host("a", lans=(1, 2)), lab2.host("b", lans=(1, 2))
    track = {"interface": "eth1"} if weight is None else {"interface": "eth1", "weight": weight}
    da = start(a, priority=150, track=(track,))
    da.wait_state("pg", "active")
    db = start(b, priority=100)
    db.wait_state("pg", "backup")
    a.link_down("eth1")
    if weight is None:
        expect(da, "fault", "tracked interface eth1 is not up")
    else:
        da.wait_state("pg", "backup")
        assert da.instance()["priority"] == {"base": 150, "effective": 90}
    db.wait_state("pg", "active")
    a.link_up("eth1")
    da.wait_state("pg", "active")
    db.wait_state("pg", "backup")
    lab2.wait_until(lambda: lab2.holders(VIP) == ["a"], 5, "a alone holds the address")


def test_sockets_that_could_not_be_opened(lab):
    """They are tried again by themselves: nothing on the interface changes, and lifetimes are renewed meanwhile."""
    a = lab.host("a")
    a.sysctl(**{"net.ipv4.igmp_max_memberships": 0})
    d = a.vrrpd(conf(instance(), engine={"address_lifetime": "2s"}))
    expect(d, "fault", "interface eth0 is down")
    assert "cannot open VRRP sockets on eth0" in d.log_text()
    a.sysctl(**{"net.ipv4.igmp_max_memberships": 20})
    d.wait_state("pg", "active", 5)
