"""test_reload_settings.py - what a reload changes of a running instance, beyond its election: name, tracks,
announcements, lifetimes; and what is removed while the next reload comes."""

import time

from daemons import conf, instance

VIP = "10.77.1.100"


def reload(d, text):
    with open(d.conf_path, "w", encoding="utf-8") as f:
        f.write(text)
    done = d.ctl("reload", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr


def valid_s(host):
    """The lifetime of the address in the kernel, None when it is not there."""
    return next((a["valid_s"] for a in host.addresses("eth0") if a["address"] == VIP), None)


def test_renamed_instance_hears_its_peer(lab):
    """The instance under the old name only leaves: adverts are for the new one, though both have the VRID."""
    a, b = lab.host("a"), lab.host("b")
    da = a.vrrpd(conf(instance(priority=150)))
    da.wait_state("pg", "active")
    db = b.vrrpd(conf(instance(priority=100)))
    db.wait_state("pg", "backup")
    reload(db, conf(instance("other", priority=100)))
    lab.wait_until(
        lambda: db.counters("other")["adverts_received"] >= 10, 5, "the new name hears adverts of a"
    )
    assert db.state("other") == "backup", db.instance("other")["reason"]
    assert db.counters("other")["transitions"] == 0
    assert lab.holders(VIP) == ["a"]


def test_added_tracks_move_nothing(lab):
    """A check that has not run yet, an interface not looked at yet: no reason to hand over."""
    a, b = lab.host("a"), lab.host("b")
    da = a.vrrpd(conf(instance(priority=150)))
    da.wait_state("pg", "active")
    b.vrrpd(conf(instance(priority=100)))
    checks = {
        "fine": {"kind": "script", "command": ["/bin/sh", "-c", "sleep 0.5"], "interval": "1s"},
        "light": {"kind": "script", "command": ["/bin/sh", "-c", "sleep 0.5"], "interval": "1s"},
    }
    tracks = ({"interface": "eth0"}, {"check": "fine"}, {"check": "light", "weight": -100})
    reload(da, conf(instance(priority=150, track=tracks), checks=checks))
    lab.wait_until(
        lambda: all(c["state"] == "up" for c in da.instance()["checks"]), 10, "every check of a is up"
    )
    one = da.instance()
    assert one["counters"]["transitions"] == 1, one["reason"]
    assert one["counters"]["priority_zero_sent"] == 0
    assert lab.holders(VIP) == ["a"]
    # But what is known to be bad counts at once.
    reload(da, conf(instance(priority=150, track=({"interface": "eth7"},))))
    da.wait_state("pg", "fault")


def test_announcements_follow(lab):
    """garp.refresh turned off: no more frames; turned on: they begin."""
    a = lab.host("a")
    d = a.vrrpd(conf(instance(garp={"repeat": 1, "delay": "0s", "refresh": "1s"})))
    d.wait_state("pg", "active")
    sent = d.counters()["announcements_sent"]
    reload(d, conf(instance(garp={"repeat": 1, "delay": "0s", "refresh": "0s"})))
    before = d.counters()["announcements_sent"]
    assert before <= sent + 2, "the reload itself announces nothing"
    # longer than a refresh: only time can show that nothing comes
    end = time.monotonic() + 2
    while time.monotonic() < end:
        now = d.counters()["announcements_sent"]
        assert now == before, f"{now - before} frames after the refresh was turned off"
        time.sleep(0.05)
    reload(d, conf(instance(garp={"repeat": 1, "delay": "0s", "refresh": "1s"})))
    lab.wait_until(lambda: d.counters()["announcements_sent"] >= before + 2, 5, "frames are sent again")


def test_lifetime_turned_off_and_on(lab):
    """The address never goes away in between."""
    a = lab.host("a")
    d = a.vrrpd(conf(instance(), engine={"address_lifetime": "2s"}))
    d.wait_state("pg", "active")
    reload(d, conf(instance(), engine={"address_lifetime": "0s"}))
    lab.wait_until(lambda: valid_s(a) == 0xFFFFFFFF, 1, "the address is permanent")
    reload(d, conf(instance(), engine={"address_lifetime": "2s"}))
    lab.wait_until(lambda: valid_s(a) is not None and valid_s(a) <= 2, 2, "the address has a lifetime")
    assert d.counters()["addresses_healed"] == 0, "it was lost and put back"


def test_removed_instance_hands_over_though_another_reload_comes(lab):
    a, b, c = lab.host("a"), lab.host("b"), lab.host("c")

    def text(priority, *names):
        return conf(
            *[
                instance(n, f"10.77.1.{100 + k}/24", vrid=51 + k, advert_interval="1s", priority=priority)
                for k, n in enumerate(("stays", "goes"))
                if n in names
            ]
        )

    for host in (a, b):
        host.udp_echo()
    da = a.vrrpd(text(150, "stays", "goes"))
    da.wait_state("goes", "active", 10)
    db = b.vrrpd(text(100, "stays", "goes"))
    db.wait_state("goes", "backup", 10)
    probe = c.probe("udp", "10.77.1.101", port=7)
    probe.wait_answers()
    probe.report()
    reload(da, text(150, "stays"))
    reload(da, text(149, "stays"))
    db.wait_state("goes", "active")
    lab.wait_until(lambda: lab.holders("10.77.1.101") == ["b"], 5, "b alone holds the address")
    silence = max(probe.silence_ms(r) for r in probe.wait_answers())
    assert silence < 100, f"{silence} ms: the address was removed before a successor had it"
    assert da.counters("stays")["transitions"] == 1
