"""test_packets.py - what we send as others dissect it (tshark, scapy), and how we judge what others send.

Reception follows the conformance cases T12 to T37: each bad packet raises exactly its counter and changes no
state.
"""

import subprocess

import pytest
from scapy.layers.inet import IP, fragment
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.layers.vrrp import VRRP, VRRPv3

import lab as labs
from daemons import conf, instance
from packets import VECTORS, advert, form_of, vrid_of, vrrp_of
from wire import any_of, is_arp, is_na, is_vrrp

# ---- what we send ------------------------------------------------------------------------------------------

SENT = {
    "v3": (51, {"address": ["10.77.1.100/24", "10.77.1.103/24", "10.77.1.101/24"], "v3_checksum": "rfc9568"}),
    "v3-5798": (52, {"address": "10.77.1.152/24", "v3_checksum": "rfc5798"}),
    "v2": (53, {"address": "10.77.1.153/24", "version": 2, "advert_interval": "1s", "priority": 255}),
    "v2-pass": (
        54,
        {
            "address": "10.77.1.154/24",
            "version": 2,
            "advert_interval": "1s",
            "priority": 255,
            "auth": {"pass": "password"},
        },
    ),
    "v6": (55, {"address": ["fe80::55/64", "fd77:1::55/64"]}),
    "v3-unicast": (56, {"address": "10.77.1.156/24", "unicast": {"peers": ["10.77.1.2"]}}),
    "v6-unicast": (57, {"address": ["fe80::57/64"], "unicast": {"peers": ["fe80::ff:2"]}}),
    "v3-slow-owner": (58, {"address": "10.77.1.158/24", "priority": 255, "advert_interval": "40950ms"}),
    "v3-many": (59, {"address": [f"10.77.5.{n}/32" for n in range(1, 256)]}),
    "v6-many": (60, {"address": ["fe80::60/64"] + [f"fd77:5::{n:x}/128" for n in range(1, 90)]}),
}


class Sent:
    """The frames of one host from its start until every instance has sent a few adverts and a priority 0."""

    def __init__(self, lab, path):
        a, b = lab.host("a"), lab.host("b")
        self.mac = a.mac()
        capture = b.capture(
            any_of(is_vrrp, is_arp, is_na)
        )  # as they arrive: a's own taps do not see all of them
        # so that unicast adverts need no question first
        a.probe("icmp", b.ip4(), interval_us=10000).wait_answers(3, steady=0)
        instances = []
        for name, (vrid, options) in SENT.items():
            options = dict(options)
            instances.append(
                instance(
                    name, options.pop("address"), vrid=vrid, garp={"repeat": 2, "delay": "0s"}, **options
                )
            )
        d = a.vrrpd(conf(*instances, node="a"))
        for name in SENT:
            d.wait_state(name, "active", 8)

        def enough():
            counts = [d.counters(n)["adverts_sent"] for n, (_, o) in SENT.items() if o.get("priority") != 255]
            frames = capture.frames()
            return (
                min(counts) >= 5
                and len([f for f in frames if is_na(f)]) >= 2 * 93
                and len([f for f in frames if is_arp(f)]) >= 2 * 263
            )

        lab.wait_until(enough, 8, "every instance has sent adverts and announcements")
        d.stop(30)  # leaving takes as long as the slowest possible successor
        self.frames = [f for f in capture.stop() if not f.outgoing]
        self.path = path
        capture.save(path)

    def adverts(self, name):
        return [f for f in self.frames if is_vrrp(f) and vrid_of(f) == SENT[name][0]]


@pytest.fixture(scope="module")
def sent(tmp_path_factory):
    with labs.Lab() as lab:
        return Sent(lab, str(tmp_path_factory.mktemp("pcap") / "sent.pcap"))


def tshark(path, *fields, where=None, v3_as_v2=False):
    """Chosen fields of every packet of a file, as lists of text. v3_as_v2: a v3 sum has no pseudo-header."""
    cmd = [
        "tshark",
        "-n",
        "-r",
        path,
        "-o",
        f"vrrp.v3_checksum_as_in_v2:{str(v3_as_v2).upper()}",
        "-T",
        "fields",
        "-E",
        "separator=|",
    ]
    for f in fields:
        cmd += ["-e", f]
    if where:
        cmd += ["-Y", where]
    done = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [line.split("|") for line in done.stdout.splitlines()]


# v3 over IPv4 in the form of RFC 9568: tshark must be told that the sum covers no pseudo-header.
BARE = {str(vrid) for name, (vrid, _) in SENT.items() if name.startswith("v3") and name != "v3-5798"}


def test_tshark_finds_nothing_wrong(sent):
    rows = tshark(
        sent.path, "frame.number", "_ws.malformed", "_ws.expert.message", "vrrp.version", "vrrp.virt_rtr_id"
    )
    assert len(rows) > 100
    for number, malformed, expert, version, vrid in rows:
        assert not malformed, f"frame {number}: {malformed}"
        if expert:
            assert version == "3" and vrid in BARE and "hecksum" in expert, f"frame {number}: {expert}"


def test_tshark_agrees_on_checksums(sent):
    """Status 1 is "good"."""
    for bare in (False, True):
        rows = tshark(
            sent.path,
            "vrrp.virt_rtr_id",
            "vrrp.checksum.status",
            where="vrrp and ip" if bare else "vrrp",
            v3_as_v2=bare,
        )
        for name, (vrid, _) in SENT.items():
            if (str(vrid) in BARE) == bare and (not bare or not name.startswith("v6")):
                assert {status for v, status in rows if v == str(vrid)} == {"1"}, name


def test_checksum_forms(sent):
    for name, (_, options) in SENT.items():
        if name.startswith("v3"):
            assert {form_of(f) for f in sent.adverts(name)} == {options.get("v3_checksum", "rfc9568")}, name


@pytest.mark.parametrize("name", SENT)
def test_adverts_as_scapy_sees_them(sent, name):
    vrid, options = SENT[name]
    addresses = options["address"] if isinstance(options["address"], list) else [options["address"]]
    addresses = [a.split("/")[0] for a in addresses]
    v6, unicast, version = name.startswith("v6"), "unicast" in options, options.get("version", 3)
    frames = sent.adverts(name)
    assert frames
    priority = options.get("priority", 100)
    wanted = {"40950ms": 4095, "1s": 1 if version == 2 else 100}.get(options.get("advert_interval"), 10)
    intervals = [vrrp_of(f)[1].adv for f in frames]
    if version == 3 and wanted > 4:
        # the last but one tells a short interval, so that the skew time after priority 0 is short
        assert intervals[-2:] == [4, wanted] and set(intervals[:-2]) == {wanted}
    else:
        assert set(intervals) == {wanted}
    for f in frames:
        ether = Ether(f.data)
        ip, vrrp = vrrp_of(f)
        assert isinstance(vrrp, VRRP if version == 2 else VRRPv3)
        assert ether.src == sent.mac
        group = "ff02::12" if v6 else "224.0.0.18"
        peer = "fe80::ff:2" if v6 else "10.77.1.2"
        assert ip.dst == (peer if unicast else group)
        assert ether.dst == (
            "02:00:00:00:01:02" if unicast else "33:33:00:00:00:12" if v6 else "01:00:5e:00:00:12"
        )
        if v6:
            assert (ip.src, ip.hlim, ip.tc, ip.nh) == ("fe80::ff:1", 255, 0xC0, 112)
            assert ip.plen == 8 + 16 * len(addresses) == len(f.data) - 54
        else:
            assert (ip.src, ip.ttl, ip.tos, ip.proto, ip.ihl) == ("10.77.1.1", 255, 0xC0, 112, 5)
            assert ip.frag == 0 and "MF" not in str(ip.flags)
            assert ip.len == 20 + 8 + 4 * len(addresses) + (8 if version == 2 else 0)
        assert (vrrp.version, vrrp.type, vrrp.vrid, vrrp.ipcount) == (version, 1, vrid, len(addresses))
        assert vrrp.addrlist == addresses, "configured order"
        if version == 3:
            assert vrrp.res == 0
        else:
            assert vrrp.authtype == (1 if "auth" in options else 0)
            assert bytes(vrrp)[-8:] == (b"password" if "auth" in options else bytes(8))
        if v6 or version == 2 or options.get("v3_checksum") == "rfc5798":
            again = vrrp.copy()
            del again.chksum
            rebuilt = (
                IPv6(src=ip.src, dst=ip.dst, nh=112) if v6 else IP(src=ip.src, dst=ip.dst, proto=112)
            ) / again
            assert bytes(rebuilt)[-len(bytes(vrrp)) :] == bytes(vrrp), "scapy computes the same sum"
    assert {vrrp_of(f)[1].priority for f in frames} == {priority, 0}
    assert [vrrp_of(f)[1].priority for f in frames].index(0) == len(frames) - 1, "priority 0 once, last"


def test_gratuitous_arp(sent):
    mac = bytes.fromhex(sent.mac.replace(":", ""))
    arps = [f.data for f in sent.frames if is_arp(f) and f.data[28:32] == f.data[38:42]]
    for name, (_, options) in SENT.items():
        if name.startswith("v6"):
            continue
        addresses = options["address"] if isinstance(options["address"], list) else [options["address"]]
        for text in addresses:
            address = bytes(int(x) for x in text.split("/")[0].split("."))
            wanted = (
                b"\xff" * 6 + mac + bytes.fromhex("0806 0001 0800 0604 0001") + mac + address + mac + address
            )
            count = len([a for a in arps if a[:42] == wanted])
            assert count == 2, f"{text}: {count} announcements of the right form"
    assert all(len(a) == 60 and not any(a[42:]) for a in arps), "padded with zeros to 60 octets"


def test_neighbour_advertisements(sent):
    mac = bytes.fromhex(sent.mac.replace(":", ""))
    nas = [f.data for f in sent.frames if is_na(f)]
    for name in ("v6", "v6-unicast", "v6-many"):
        for text in SENT[name][1]["address"]:
            address = text.split("/")[0]
            mine = [n for n in nas if Ether(n)[IPv6].src == address]
            assert len(mine) == 2, f"{address}: {len(mine)} announcements"
            for n in mine:
                ip = Ether(n)[IPv6]
                raw = bytes(ip)[8:24]  # the source, and so the target
                assert n[:14] == bytes.fromhex("333300000001") + mac + bytes.fromhex("86dd")
                assert (ip.dst, ip.hlim, ip.plen) == ("ff02::1", 255, 32)
                assert n[54:56] == b"\x88\x00" and n[58:62] == bytes.fromhex("a0000000"), "R=1 S=0 O=1"
                assert n[62:78] == raw and n[78:86] == b"\x02\x01" + mac and len(n) == 86
                again = ip.copy()
                del again.payload.cksum
                assert bytes(again) == bytes(ip), "checksum"


def test_order_at_take_over(sent):
    """First the advert, then one announcement for every address, then the repeats."""
    for name in ("v3", "v3-many"):
        addresses = [a.split("/")[0] for a in SENT[name][1]["address"]]
        first_advert = sent.adverts(name)[0].ns
        mine = [
            f
            for f in sent.frames
            if is_arp(f) and Ether(f.data).psrc in addresses and Ether(f.data).psrc == Ether(f.data).pdst
        ]
        assert mine[0].ns >= first_advert
        assert {Ether(f.data).psrc for f in mine[: len(addresses)]} == set(addresses)


# ---- what we receive ---------------------------------------------------------------------------------------

PEER = "192.0.2.10"
PEER6 = "fe80::a"
# The longest interval, so that an instance once calmed stays Backup for two minutes.
LONG = {"advert_interval": "40950ms", "priority": 100}
BARE_FORM = {"v3_checksum": "rfc9568"}  # "auto" would follow the form heard last


class Dut:
    """A vrrpd host in Backup on a network where every advert comes from the test."""

    def __init__(self, lab):
        self.lab = lab
        a, b = lab.host("dut"), lab.host("tester")
        # so that the kernel lets even packets with our own source address through to the daemon
        a.sysctl(
            **{
                "net.ipv4.conf.all.rp_filter": 0,
                "net.ipv4.conf.eth0.rp_filter": 0,
                "net.ipv4.conf.eth0.accept_local": 1,
            }
        )
        self.host, self.tester = a, b
        self.injector = b.injector()
        self.vrrpd = a.vrrpd(
            conf(
                instance("four", "192.0.2.1/24", **LONG, **BARE_FORM),
                instance("six", ["fe80::1/64", "2001:db8::1/64"], **LONG),
                instance("two", "192.0.2.2/24", vrid=52, version=2, advert_interval="40s"),
                instance(
                    "pass", "192.0.2.3/24", vrid=53, version=2, advert_interval="40s", auth={"pass": "1111"}
                ),
                instance("uni", "192.0.2.4/24", vrid=54, unicast={"peers": [b.ip4()]}, **LONG, **BARE_FORM),
                instance("uni6", "fe80::4/64", vrid=54, unicast={"peers": [b.link_local()]}, **LONG),
                instance("owner", "192.0.2.5/24", vrid=55, priority=255, advert_interval="40950ms"),
                node="dut",
            )
        )
        self.good = {
            "four": advert(PEER, ["192.0.2.1"], interval=4095),
            "six": advert(PEER6, ["fe80::1", "2001:db8::1"], interval=4095),
            "two": advert(PEER, ["192.0.2.2"], vrid=52, version=2, interval=40),
            "pass": advert(PEER, ["192.0.2.3"], vrid=53, version=2, interval=40, password="1111"),
            "uni": self.unicast(),
            "uni6": advert(
                b.link_local(), ["fe80::4"], dst=a.link_local(), vrid=54, interval=4095, dst_mac=a.mac()
            ),
        }
        for name in self.good:
            self.vrrpd.wait_state(name, "backup")
        self.vrrpd.wait_state("owner", "active")

    def unicast(self, **other):
        options = {
            "src": self.tester.ip4(),
            "addresses": ["192.0.2.4"],
            "dst": self.host.ip4(),
            "vrid": 54,
            "interval": 4095,
            "dst_mac": self.host.mac(),
        }
        options.update(other)
        return advert(**options)

    def picture(self):
        """Everything a packet could change: {(instance, counter): value}."""
        out = {}
        status = self.vrrpd.status()
        for one in status["instances"]:
            name = one["name"]
            out[name, "state"] = one["state"]
            for key, value in one["counters"].items():
                if key == "discarded":
                    out.update({(name, f"discarded.{label}"): n for label, n in value.items()})
                else:
                    out[name, key] = value
        out.update({("", f"discarded.{label}"): n for label, n in status["discarded"].items()})
        return out

    def changes(self, before, ignore=("adverts_sent", "announcements_sent")):
        after = self.picture()
        return {
            key: after[key] - value if isinstance(value, int) else (value, after[key])
            for key, value in before.items()
            if after[key] != value and key[1] not in ignore
        }

    def send(self, frame, expected, calm=None):
        """Send one frame and wait until exactly the expected counters have risen, each by its number."""
        if calm in self.good:
            heard = self.vrrpd.counters(calm)["adverts_received"]
            self.injector.send(self.good[calm])
            self.lab.wait_until(
                lambda: self.vrrpd.counters(calm)["adverts_received"] == heard + 1,
                5,
                f"{calm} accepts a good advert",
            )
        before = self.picture()
        self.injector.send(frame)
        self.lab.wait_until(
            lambda: self.changes(before) == expected or self.fail(before), 3, f"counters {expected}"
        )
        # what came before a later good packet has been judged: nothing else may have moved
        if calm in self.good:
            self.injector.send(self.good[calm])
            expected = dict(expected)
            expected[calm, "adverts_received"] = expected.get((calm, "adverts_received"), 0) + 1
            self.lab.wait_until(
                lambda: self.changes(before) == expected or self.fail(before),
                3,
                f"counters {expected} after a good advert",
            )

    def fail(self, before):
        raise AssertionError(f"counters changed: {self.changes(before)}")


@pytest.fixture(scope="module")
def dut():
    with labs.Lab() as lab:
        yield Dut(lab)
        assert not lab.complaints(), lab.logs()


def discarded(label, name="four"):
    return {(name, f"discarded.{label}"): 1}


BAD = {
    "T12 ttl 254": (VECTORS["N01"], "ttl"),
    "T14 version 4": (VECTORS["N02"], "version"),
    "T14 version 2": (VECTORS["V08"], "version"),
    "T15 type 2": (VECTORS["N03"], "type"),
    "T16 count 2, one address": (VECTORS["N05"], "length"),
    "T17 seven octets": (advert(PEER, ["192.0.2.1"], cut=7), "length"),
    "T17 three octets": (advert(PEER, ["192.0.2.1"], cut=3), "length"),
    "T18 two octets more": (VECTORS["N08"], "length"),
    "HMAC trailer": (VECTORS["V15"], "length"),
    "T20 checksum off by one": (VECTORS["N04"], "checksum"),
    "T23 count 0": (VECTORS["N06"], "address_count"),
    "T24 interval 0": (VECTORS["N07"], "interval"),
    "T35 source 0.0.0.0": (advert("0.0.0.0", ["192.0.2.1"]), "source"),
    "T37 ttl, version and checksum at once": (
        advert(PEER, ["192.0.2.1"], ttl=1, form=1, **{"type": 3}),
        "ttl",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_ipv4_packet(dut, name):
    frame, label = BAD[name]
    dut.send(frame, discarded(label), calm="four")


def test_unicast_packet_to_a_multicast_router(dut):
    frame = advert(PEER, ["192.0.2.1"], dst=dut.host.ip4(), dst_mac=dut.host.mac())
    dut.send(frame, discarded("destination"), calm="four")


def test_own_packet(dut):
    dut.send(advert(dut.host.ip4(), ["192.0.2.1"]), discarded("own"), calm="four")
    dut.send(advert(dut.host.link_local(), ["fe80::1", "2001:db8::1"]), discarded("own", "six"), calm="six")


def test_sources_that_the_kernel_itself_refuses(dut):
    """T35: a multicast or broadcast source never reaches the daemon: nothing happens."""
    for source in ("224.0.0.5", "255.255.255.255"):
        dut.send(advert(source, ["192.0.2.1"]), {}, calm="four")


def test_unknown_vrid(dut):
    """T26: counted for the interface, no virtual router notices."""
    dut.send(advert(PEER, ["192.0.2.1"], vrid=52), {("two", "discarded.version"): 1}, calm="two")
    dut.send(advert(PEER, ["192.0.2.1"], vrid=99), {("", "discarded.vrid"): 1}, calm="four")
    dut.send(advert(PEER6, ["fe80::1"], vrid=99), {("", "discarded.vrid"): 1}, calm="six")
    # an unknown VRID with a bad TTL is a TTL error (chapter 9, notes)
    dut.send(advert(PEER, ["192.0.2.1"], vrid=99, ttl=3), {("", "discarded.ttl"): 1}, calm="four")


def test_bad_ipv6_packets(dut):
    both = ["fe80::1", "2001:db8::1"]
    dut.send(advert(PEER6, both, ttl=64), discarded("ttl", "six"), calm="six")  # T13
    dut.send(
        VECTORS["V06"][:60] + b"\xda\x29" + VECTORS["V06"][62:], discarded("checksum", "six"), calm="six"
    )  # T22
    dut.send(advert("2001:db8::a", both), discarded("source", "six"), calm="six")
    dut.send(advert(PEER6, both, version=3, cut=24), discarded("length", "six"), calm="six")
    dut.send(
        advert(
            PEER6,
            [],
        ),
        discarded("address_count", "six"),
        calm="six",
    )


def test_bad_version_2_packets(dut):
    def two(**other):
        return advert(PEER, ["192.0.2.2"], vrid=52, version=2, **{"interval": 40, **other})

    dut.send(two(interval=3), discarded("interval", "two"), calm="two")  # T29
    dut.send(two(password="1111"), discarded("auth_type", "two"), calm="two")
    dut.send(two(ttl=254), discarded("ttl", "two"), calm="two")
    dut.send(two(form=7), discarded("checksum", "two"), calm="two")
    dut.send(two(cut=19), discarded("length", "two"), calm="two")
    dut.send(two(type=2), discarded("type", "two"), calm="two")
    dut.send(advert(PEER, ["192.0.2.2"], vrid=52), discarded("version", "two"), calm="two")


def test_version_2_password(dut):
    """T32."""

    def with_pass(**other):
        return advert(PEER, ["192.0.2.3"], vrid=53, version=2, interval=40, **other)

    dut.send(with_pass(password="1111"), {("pass", "adverts_received"): 1}, calm="pass")
    dut.send(with_pass(password="1112"), discarded("auth", "pass"), calm="pass")
    dut.send(with_pass(), discarded("auth_type", "pass"), calm="pass")


def test_unicast_router(dut):
    """T91: the source must be a peer; the group does not concern it."""
    dut.send(dut.unicast(), {("uni", "adverts_received"): 1}, calm="uni")
    dut.send(dut.unicast(src="10.77.1.9"), discarded("peer", "uni"), calm="uni")
    dut.send(dut.unicast(ttl=254), discarded("ttl", "uni"), calm="uni")
    dut.send(advert(dut.tester.ip4(), ["192.0.2.4"], vrid=54), discarded("destination", "uni"), calm="uni")
    dut.send(
        dut.unicast(form="rfc5798"), {("uni", "adverts_received"): 1, ("uni", "alt_checksum"): 1}, calm="uni"
    )
    # keepalived's IPv6 unicast adverts leave with a hop limit of 64
    six = {
        "addresses": ["fe80::4"],
        "dst": dut.host.link_local(),
        "vrid": 54,
        "interval": 4095,
        "dst_mac": dut.host.mac(),
    }
    dut.send(advert(dut.tester.link_local(), ttl=64, **six), {("uni6", "adverts_received"): 1}, calm="uni6")
    dut.send(advert(dut.tester.link_local(), ttl=63, **six), discarded("ttl", "uni6"), calm="uni6")
    dut.send(advert("fe80::99", **six), discarded("peer", "uni6"), calm="uni6")


def test_owner(dut):
    """Published RFC 9568 7.1: an owner discards every advert, another owner's too."""
    for priority in (100, 255, 0):
        dut.send(
            advert(PEER, ["192.0.2.5"], vrid=55, priority=priority, interval=4095),
            {("owner", "discarded.owner"): 1},
        )
    assert dut.vrrpd.state("owner") == "active"


def test_larger_than_any_vrrp_packet(dut):
    """A datagram in fragments that the kernel puts together to more than any VRRP message can be."""
    huge = Ether(advert(PEER, ["192.0.2.1"], tail=bytes(5000)))
    before = dut.picture()
    for part in fragment(huge[IP], fragsize=1400):
        dut.injector.send(bytes(Ether(src=huge.src, dst=huge.dst) / part))
    dut.lab.wait_until(
        lambda: dut.changes(before) == {("", "discarded.truncated"): 1} or dut.fail(before),
        3,
        "one discarded",
    )


GOOD = {
    "V01": (VECTORS["V01"], {"interval_differs": 1}),
    "T19 Ethernet padding": (VECTORS["P01"], {"interval_differs": 1}),
    "T21 with pseudo-header": (VECTORS["V02"], {"interval_differs": 1, "alt_checksum": 1}),
    "T25 reserved bits": (VECTORS["V05"], {"interval_differs": 1}),
    "T28 another interval": (advert(PEER, ["192.0.2.1"], interval=3000), {"interval_differs": 1}),
    "T30 another address list": (advert(PEER, ["192.0.2.9"], interval=4095), {"addresses_differ": 1}),
    "one address more": (advert(PEER, ["192.0.2.1", "192.0.2.9"], interval=4095), {"addresses_differ": 1}),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_ipv4_packet(dut, name):
    frame, more = GOOD[name]
    expected = {("four", "adverts_received"): 1, **{("four", key): n for key, n in more.items()}}
    dut.send(frame, expected, calm="four")


def test_first_ipv6_address_not_link_local(dut):
    """T34: accepted and counted."""
    dut.send(
        advert(PEER6, ["2001:db8::1", "fe80::1"], interval=4095),
        {("six", "adverts_received"): 1, ("six", "first_not_link_local"): 1},
        calm="six",
    )


def test_checksum_field_of_zero(lab):
    """T27: priority 10, V14 has priority 12 and a sum that is 0000."""
    a, b = lab.host("a"), lab.host("b")
    d = a.vrrpd(conf(instance("four", "192.0.2.1/24", priority=10, advert_interval="40950ms"), node="a"))
    d.wait_state("four", "backup")
    b.injector().send(VECTORS["V14"])
    lab.wait_until(lambda: d.counters("four")["adverts_received"] == 1, 3, "accepted")
    assert d.state("four") == "backup"


@pytest.mark.parametrize("vector", ["N01", "N04"])
def test_discarded_packets_do_not_hold_off_the_take_over(lab, vector):
    """A stream of discarded adverts: the Backup takes over when its own interval is up."""
    a, b = lab.host("a"), lab.host("b")
    capture = b.capture()
    injector = b.injector()
    d = a.vrrpd(conf(instance("four", "192.0.2.1/24"), node="a"))
    d.wait_state("four", "backup")

    def taken():
        injector.send(VECTORS[vector])
        return [f for f in capture.frames() if not f.outgoing]

    lab.wait_until(taken, 2, "an advert of the Backup")
    assert d.state("four") == "active"
