"""test_keepalived.py - the distribution's keepalived as the other host: both ways, nothing discarded.

All wire forms run beside each other, one VRID each, in one story per direction; the tests then look at what
each of them lived through. keepalived starts first in both stories: an instance with v3_checksum = "auto"
that has heard its peer speaks the peer's form from its first advert on.
"""

import subprocess
import time

import pytest

import lab as labs
from daemons import conf, instance, keepalived_instance
from packets import form_of, vrid_of

# name: (VRID, version, addresses, what keepalived's block and ours have beside the usual)
FORMS = {
    "v2": (61, 2, ["10.77.1.61/24"]),
    "v2-pass": (62, 2, ["10.77.1.62/24"]),
    "v3": (63, 3, ["10.77.1.63/24"]),
    "v3-unicast": (64, 3, ["10.77.1.64/24"]),
    "v2-unicast": (65, 2, ["10.77.1.65/24"]),
    "v6": (66, 3, ["fe80::66/64", "fd77:1::66/64"]),
    "v6-unicast": (67, 3, ["fe80::67/64", "fd77:1::67/64"]),
    "v3-three-addresses": (68, 3, ["10.77.1.68/24", "10.77.1.168/24", "192.0.2.68/32"]),
}


def ours(name, priority, host, peer):
    vrid, version, addresses = FORMS[name]
    options = {"vrid": vrid, "version": version, "priority": priority}
    if version == 2:
        options["advert_interval"] = "1s"
    if name == "v2-pass":
        options["auth"] = {"pass": "1111"}
    if "unicast" in name:
        six = name.startswith("v6")
        options["unicast"] = {
            "source": host.link_local() if six else host.ip4(),
            "peers": [peer.link_local() if six else peer.ip4()],
        }
    return instance(name, addresses, **options)


def theirs(name, priority, host, peer):
    vrid, version, addresses = FORMS[name]
    options = {"virtual_router_id": vrid, "version": version, "priority": priority}
    if name == "v2-pass":
        options["authentication"] = ["auth_type PASS", "auth_pass 1111"]
    if "unicast" in name:
        six = name.startswith("v6")
        options["unicast_src_ip"] = host.link_local() if six else host.ip4()
        options["unicast_peer"] = [peer.link_local() if six else peer.ip4()]
    return keepalived_instance(name, addresses, **options)


class Story:
    """A vrrpd host and a keepalived host, and for each form what went wrong: {form: [sentences]}."""

    def __init__(self, our_priority, their_priority):
        self.lab = labs.Lab()
        self.a, self.b = self.lab.host("a"), self.lab.host("b")
        self.priorities = our_priority, their_priority
        self.wrong = {name: [] for name in FORMS}
        self.vrrpd = self.keepalived = None

    def start_vrrpd(self):
        text = conf(*[ours(n, self.priorities[0], self.a, self.b) for n in FORMS], node="a")
        self.vrrpd = self.a.vrrpd(text)

    def start_keepalived(self):
        text = "".join(theirs(n, self.priorities[1], self.b, self.a) for n in FORMS)
        self.keepalived = self.b.keepalived(text)

    def expect_holder(self, host, when, deadline=8):
        """Each form's addresses are on this host alone, in time."""
        left = set(FORMS)

        def settled():
            for name in list(left):
                if all(self.lab.holders(a.split("/")[0]) == [host.name] for a in FORMS[name][2]):
                    left.discard(name)
            return not left

        try:
            self.lab.wait_until(settled, deadline, f"{host.name} alone holds every address")
        except labs.LabTimeout:
            for name in left:
                holders = {a: self.lab.holders(a.split("/")[0]) for a in FORMS[name][2]}
                self.wrong[name].append(f"{when}: {host.name} should hold: {holders}")

    def expect_nothing_discarded(self, when):
        for name in FORMS:
            ours_discarded = {k: v for k, v in self.vrrpd.counters(name)["discarded"].items() if v}
            if ours_discarded:
                self.wrong[name].append(f"{when}: vrrpd discarded {ours_discarded}")
            theirs_discarded = self.keepalived.discarded(name)
            if theirs_discarded:
                self.wrong[name].append(f"{when}: keepalived counted {theirs_discarded}")
        for line in self.keepalived.log_text().splitlines():
            if "lower priority" in line:
                continue  # a Backup that preempts is deaf to it by protocol
            if any(
                word in line.lower()
                for word in (
                    "checksum",
                    "invalid",
                    "mismatch",
                    "bogus",
                    "discard",
                    "incorrect",
                    "malformed",
                    "received an",
                )
            ):
                for name in FORMS:
                    if f"({name})" in line or "(" not in line:
                        self.wrong[name].append(f"{when}: keepalived said: {line}")

    def expect_form_named(self):
        for name, (_, version, addresses) in FORMS.items():
            if version == 3 and ":" not in addresses[0]:
                peers = self.vrrpd.instance(name)["peers"]
                if [p.get("checksum") for p in peers] != ["rfc5798"]:
                    self.wrong[name].append(f"status does not name the peer's checksum form: {peers}")

    def close(self):
        complaints = self.lab.complaints()
        self.lab.close()
        assert not complaints, complaints


@pytest.fixture(scope="module")
def vrrpd_preferred():
    """vrrpd has the higher priority: it preempts keepalived, dies, comes back."""
    s = Story(150, 100)
    try:
        s.start_keepalived()
        s.expect_holder(s.b, "keepalived alone")
        s.start_vrrpd()
        s.expect_holder(s.a, "vrrpd preempts")
        s.expect_form_named()
        s.expect_nothing_discarded("after vrrpd preempted")
        s.vrrpd.stop()
        s.expect_holder(s.b, "vrrpd stopped")
        s.start_vrrpd()
        s.expect_holder(s.a, "vrrpd came back")
        s.a.cut()
        s.lab.wait_until(lambda: all(s.b.holds(a[2][0]) for a in FORMS.values()), 8, "keepalived takes over")
        s.a.mend()
        s.expect_holder(s.a, "after the split")
        s.expect_nothing_discarded("at the end")
        yield s
    finally:
        s.close()


@pytest.fixture(scope="module")
def keepalived_preferred():
    """keepalived has the higher priority: it stops, vrrpd takes over, keepalived comes back."""
    s = Story(100, 150)
    try:
        s.start_keepalived()
        s.expect_holder(s.b, "keepalived alone")
        s.start_vrrpd()
        s.lab.wait_until(
            lambda: all(s.vrrpd.counters(n)["adverts_received"] >= 3 for n in FORMS),
            8,
            "vrrpd hears keepalived in every form",
        )
        s.expect_holder(s.b, "vrrpd is Backup")
        s.expect_form_named()
        s.expect_nothing_discarded("while keepalived is Active")
        s.keepalived.stop()
        s.expect_holder(s.a, "keepalived stopped")
        s.start_keepalived()
        s.expect_holder(s.b, "keepalived came back")
        s.expect_nothing_discarded("at the end")
        yield s
    finally:
        s.close()


@pytest.mark.parametrize("form", FORMS)
def test_vrrpd_preferred(vrrpd_preferred, form):
    assert not vrrpd_preferred.wrong[form], "\n".join(
        vrrpd_preferred.wrong[form] + [vrrpd_preferred.lab.logs(25)]
    )


@pytest.mark.parametrize("form", FORMS)
def test_keepalived_preferred(keepalived_preferred, form):
    wrong = keepalived_preferred.wrong[form]
    assert not wrong, "\n".join(wrong + [keepalived_preferred.lab.logs(25)])


@pytest.mark.parametrize("priority", [150, 255])
def test_auto_checksum_settles_with_one_holder(lab, priority):
    """vrrpd starts first, in the RFC 9568 form, which keepalived discards: it must turn to keepalived's, also as the owner."""
    a, b = lab.host("a"), lab.host("b")
    d = a.vrrpd(conf(instance(priority=priority), node="a"))
    d.wait_state("pg", "active")
    capture = b.capture()
    lab.wait_until(capture.frames, 5, "an advert")
    assert form_of(capture.frames()[-1]) == "rfc9568"
    k = b.keepalived(keepalived_instance())
    # keepalived cannot hear the other form, becomes master, is heard, and then answered in its own form
    lab.wait_until(lambda: "Entering MASTER" in k.log_text(), 5, "keepalived takes over")
    lab.wait_until(lambda: k.state() == "backup" and lab.holders("10.77.1.100") == ["a"], 5, "one holder: a")
    # and so it stays
    before = d.counters()["adverts_sent"]
    lab.wait_until(lambda: d.counters()["adverts_sent"] > before + 10, 5, "10 more adverts")
    assert k.state() == "backup" and lab.holders("10.77.1.100") == ["a"]
    assert form_of([f for f in capture.stop() if not f.outgoing][-1]) == "rfc5798"
    assert d.instance()["peers"][0]["checksum"] == "rfc5798"


@pytest.mark.parametrize("form,discarded", [("rfc5798", False), ("rfc9568", True)])
def test_fixed_checksum(lab, form, discarded):
    """v3_checksum fixes the form that is sent; keepalived discards the one of RFC 9568."""
    a, b = lab.host("a"), lab.host("b")
    d = a.vrrpd(conf(instance(priority=150, v3_checksum=form), node="a"))
    d.wait_state("pg", "active")
    capture = b.capture()
    k = b.keepalived(keepalived_instance())
    if discarded:
        k.wait_state("VI_1", "master")
        lab.wait_until(lambda: "checksum" in k.log_text(), 5, "keepalived complains")
    else:
        lab.wait_until(lambda: k.stats()["advert_rcvd"] > 5, 5, "keepalived hears vrrpd")
        assert k.state() in ("init", "backup") and not k.discarded()
    assert {form_of(f) for f in capture.stop() if not f.outgoing} == {form}


def knows_checksum_as_v2():
    """Whether this keepalived has the option (2.3 and later)."""
    with open(
        subprocess.run(
            ["sh", "-c", "command -v keepalived"], stdout=subprocess.PIPE, text=True, check=True
        ).stdout.strip(),
        "rb",
    ) as f:
        return b"v3_checksum_as_v2" in f.read()


@pytest.mark.skipif(not knows_checksum_as_v2(), reason="this keepalived has no v3_checksum_as_v2")
def test_keepalived_with_the_rfc9568_form(lab):
    a, b = lab.host("a"), lab.host("b")
    k = b.keepalived(keepalived_instance(v3_checksum_as_v2=True))
    k.wait_state("VI_1", "master")
    d = a.vrrpd(conf(instance(priority=150), node="a"))
    d.wait_state("pg", "active")
    lab.wait_until(lambda: lab.holders("10.77.1.100") == ["a"], 5, "one holder: a")
    assert d.instance()["peers"][0]["checksum"] == "rfc9568"
    assert not any(d.counters()["discarded"].values()) and not k.discarded()


SAMPLE = """
global_defs {
   router_id LVS_DEVEL
   enable_script_security
}

vrrp_instance VI_1 {
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 100
    advert_int 1
    authentication {
        auth_type PASS
        auth_pass 1111
    }
    virtual_ipaddress {
        192.168.200.16
        192.168.200.17
        192.168.200.18
    }
}
"""


def test_the_sample_configuration_works_on_the_other_host(lab):
    """The vrrp_instance of keepalived's own sample, unchanged: version 2, PASS, one second."""
    a, b = lab.host("a"), lab.host("b")
    k = b.keepalived(SAMPLE)
    k.wait_state("VI_1", "master", 8)
    addresses = [f"192.168.200.{n}/32" for n in (16, 17, 18)]
    d = a.vrrpd(
        conf(
            instance("VI_1", addresses, version=2, advert_interval="1s", priority=150, auth={"pass": "1111"}),
            node="a",
        )
    )
    capture = a.capture()
    d.wait_state("VI_1", "active", 8)
    k.wait_state("VI_1", "backup")
    lab.wait_until(
        lambda: all(lab.holders(x.split("/")[0]) == ["a"] for x in addresses), 5, "a alone holds all"
    )
    lab.wait_until(lambda: k.stats()["advert_rcvd"] > 2, 5, "keepalived hears vrrpd")
    assert not k.discarded() and not any(d.counters("VI_1")["discarded"].values())
    assert {vrid_of(f) for f in capture.stop()} == {51}
    started = time.monotonic()
    d.stop()
    k.wait_state("VI_1", "master")
    assert time.monotonic() - started < 2, "priority 0 was understood"
    lab.wait_until(lambda: lab.holders("192.168.200.16") == ["b"], 5, "b alone holds it")


def test_peers_with_different_forms_are_named_and_warned_about(lab):
    """Each peer's form is in status, and a warning where they differ: a strict host hears only some of them."""
    a, b, c = lab.host("a"), lab.host("b"), lab.host("c")
    d = a.vrrpd(conf(instance(priority=50, preempt=False), node="a"))
    d.wait_state("pg", "active")
    b.vrrpd(conf(instance(priority=100, v3_checksum="rfc5798"), node="b"))
    d.wait_state("pg", "backup")
    c.vrrpd(conf(instance(priority=150, v3_checksum="rfc9568"), node="c"))

    def both():
        return {p["address"]: p["checksum"] for p in d.instance()["peers"]} == {
            b.ip4(): "rfc5798",
            c.ip4(): "rfc9568",
        }

    lab.wait_until(both, 5, "both forms are named")
    text = " ".join(d.instance()["warnings"])
    assert b.ip4() in text and c.ip4() in text and "rfc5798" in text and "rfc9568" in text
