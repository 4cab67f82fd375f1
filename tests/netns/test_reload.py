"""test_reload.py - a changed configuration while everything runs: what did not change goes on as if nothing were."""

import collections
import http.client
import json
import os
import re
import signal
import time

import pytest

from daemons import conf, instance
from packets import priority_of, vrid_of
from pairs import VIP, Pair, engine_pid, kill_engine, rewrite, sent_by, transitions_of
from test_checks import flag_check


def reload(d, text, changed=0, added=0, removed=0):
    """Put a configuration in force with vrrpctl; what it says must be this. How long it took, in milliseconds."""
    rewrite(d, text)
    begin = time.monotonic()
    done = d.ctl("reload", timeout=30)
    took = (time.monotonic() - begin) * 1000
    assert done.returncode == 0, done.stderr + d.host.lab.logs()
    assert f"reloaded; instances: {changed} changed, {added} added, {removed} removed" in done.stdout, done.stdout
    return took


def all_counters(d):
    """Counters of every instance by name."""
    return {i["name"]: i["counters"] for i in d.status()["instances"]}


def transitions(d):
    return {name: c["transitions"] for name, c in all_counters(d).items()}


def longest_gap_ms(host, frames, lan=1):
    """Longest time between two adverts of the same VRID on the wire."""
    times = collections.defaultdict(list)
    for f in sent_by(host, frames, lan):
        times[vrid_of(f)].append(f.ns)
    return max((y - x) / 1e6 for seen in times.values() for x, y in zip(seen, seen[1:]))


# ---- nothing changed, or little ----------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["vrrpctl", "SIGHUP", "HTTP"])
def test_nothing_changed(lab, how):
    pair = Pair(lab)
    d = pair.d("a")
    capture = pair.c.capture()
    processes = d.processes()
    before = d.counters()
    pair.watch()
    with pair.undisturbed("a"), pair.undisturbed("b"):
        for n in range(1, 4):
            if how == "vrrpctl":
                reload(d, pair.text("a"))
            elif how == "SIGHUP":
                d.signal(signal.SIGHUP)
            else:
                code, body = d.get("/v1/reload", "POST")
                assert code == 200 and json.loads(body)["changed"] == 0, body
            lab.wait_until(lambda n=n: d.log_text().count("reload: done: 0 changed") == n, 5, "reloaded")
        seen = pair.seen("nothing changed", "a")
    pair.expect(seen, two=1)
    assert d.processes() == processes
    after = d.counters()
    assert after["adverts_sent"] > before["adverts_sent"], "counters go on"
    assert after["announcements_sent"] >= before["announcements_sent"]
    gap = longest_gap_ms(pair.a, capture.frames())
    print(f"longest time between two adverts {gap:.1f} ms")
    assert gap < 150
    assert all(priority_of(f) == 150 for f in sent_by(pair.a, capture.frames()))


def many(host, count, interval, lans=1, priority=100, **changes):
    """`count` instances spread over the LANs; changes: options of single ones by name."""
    out = []
    for n in range(count):
        lan, k = n % lans, n // lans
        name = f"i{n}"
        options = {"interface": f"eth{lan}", "vrid": k + 1, "advert_interval": interval, "priority": priority}
        options.update(garp={"repeat": 1, "delay": "0s"}, **changes.get(name, {}))
        out.append(instance(name, f"10.{78 + lan}.{k // 250}.{k % 250 + 1}/32", **options))
    return conf(*out, node=host.name)


def start_many(lab, count, interval, lans):
    a, b = (lab.host(name, lans=tuple(range(1, lans + 1))) for name in "ab")
    da = a.vrrpd(many(a, count, interval, lans, 150))
    lab.wait_until(lambda: all(i["state"] == "active" for i in da.status()["instances"]), 15, "a is Active everywhere")
    db = b.vrrpd(many(b, count, interval, lans, 100))
    lab.wait_until(
        lambda: all(i["active_node"] and i["state"] == "backup" for i in db.status()["instances"]), 15, "b hears a"
    )
    return a, da, db


def test_one_of_255_changed(lab):
    a, da, db = start_many(lab, 255, "100ms", 1)
    capture = lab.hosts["b"].capture()
    before, sent = (transitions(da), transitions(db)), all_counters(da)
    took = reload(da, many(a, 255, "100ms", 1, 150, i16={"priority": 160}), changed=1)
    assert da.instance("i16")["priority"]["effective"] == 160
    lab.wait_until(
        lambda: all(c["adverts_sent"] > sent[n]["adverts_sent"] + 3 for n, c in all_counters(da).items()), 5, "adverts"
    )
    assert (transitions(da), transitions(db)) == before
    gap = longest_gap_ms(a, capture.frames())
    print(f"one of 255 changed: {took:.0f} ms, longest time between two adverts of any instance {gap:.1f} ms")
    assert gap < 200
    assert {priority_of(f) for f in sent_by(a, capture.frames()) if vrid_of(f) == 17} <= {150, 160}
    assert {priority_of(f) for f in sent_by(a, capture.frames()) if vrid_of(f) != 17} == {150}


def test_thousand_instances():
    import lab as labs  # pylint: disable=import-outside-toplevel

    with labs.Lab(lans=4) as lab:
        a, da, db = start_many(lab, 1000, "1s", 4)
        before = (transitions(da), transitions(db))
        capture = lab.hosts["b"].capture(ifname="eth2")
        text = many(a, 1000, "1s", 4, 150, i500={"priority": 200}, i501={"reset_connections": False})
        took = reload(da, text, changed=2)
        first = len(sent_by(a, capture.frames(), 3))
        lab.wait_until(lambda: len(sent_by(a, capture.frames(), 3)) > first + 500, 5, "adverts go on")
        gap = longest_gap_ms(a, capture.frames(), 3)
        print(f"2 of 1000 changed: {took:.0f} ms; longest time between two adverts of any instance {gap:.1f} ms")
        assert (transitions(da), transitions(db)) == before
        assert gap < 1300 and took < 5000
        took = reload(da, text)
        print(f"0 of 1000 changed: {took:.0f} ms")
        held = [x for x in a.addresses() if x["prefixlen"] == 32]
        assert len(held) == 1000
        assert (transitions(da), transitions(db)) == before
        assert not lab.complaints()


# ---- what is wrong changes nothing -------------------------------------------------------------------------


def test_bad_file(lab):
    pair = Pair(lab)
    d = pair.d("a")
    processes = d.processes()
    bad = pair.text("a").replace("vrid = 51", "vrid = 300")
    line = next(n for n, text in enumerate(bad.splitlines(), 1) if "vrid" in text)
    expected = f"{d.conf_path}:{line}: instances.pg.vrid: 300 is out of range"
    pair.watch()
    with pair.undisturbed("a"), pair.undisturbed("b"):
        rewrite(d, bad)
        done = d.ctl("reload")
        assert done.returncode != 0
        assert expected in done.stderr and "nothing was changed" in done.stderr, done.stderr
        code, body = d.get("/v1/reload", "POST")
        assert code >= 400 and "out of range" in body, (code, body)
        logged = d.log_text().count(expected)
        d.signal(signal.SIGHUP)
        lab.wait_until(lambda: d.log_text().count(expected) == logged + 1, 5, "the log says it, too")
        os.unlink(d.conf_path)
        done = d.ctl("reload")
        assert done.returncode != 0 and d.conf_path in done.stderr, done.stderr
        seen = pair.seen("bad file", "a")
    pair.expect(seen, two=1)
    assert d.processes() == processes and d.instance()["vrid"] == 51
    # Put right, it works again; and an engine that is started meanwhile never saw the bad one.
    rewrite(d, pair.text("a", priority=160))
    kill_engine(d)
    d.wait_state("pg", "active")
    assert d.instance()["priority"]["base"] == 150
    reload(d, pair.text("a", priority=160), changed=1)
    assert d.instance()["priority"]["base"] == 160


# ---- instances come and go ---------------------------------------------------------------------------------


def test_instance_added_and_removed(lab):
    """Added: it begins like any other. Removed: handed over to the host that still has it, and gone here."""
    pair = Pair(lab)
    d = pair.d("a")
    pg = instance(**pair.own["a"])
    other = instance("other", "10.77.1.101/24", vrid=52, priority=150)
    pair.watch()
    with pair.undisturbed("a"), pair.undisturbed("b"):
        reload(d, conf(pg, other, node="a"), added=1)
        d.wait_state("other", "active")
        reload(d, conf(pg, node="a"), removed=1)
        lab.wait_until(lambda: not pair.a.holds("10.77.1.101"), 3, "the removed instance's address is gone")
        assert [i["name"] for i in d.status()["instances"]] == ["pg"]
        seen = pair.seen("another instance added and removed", "a")
    pair.expect(seen, two=1)
    capture = pair.c.capture()
    reload(d, conf(other, node="a"), added=1, removed=1)
    pair.expect(pair.seen("instance removed", "b"))
    assert [priority_of(f) for f in sent_by(pair.a, capture.frames()) if vrid_of(f) == 51][-1] == 0
    assert [i["name"] for i in d.status()["instances"]] == ["other"]
    d.wait_state("other", "active")
    # It comes back only when it is configured again: not by a reload, not by a restart of the engine.
    reload(d, conf(other, node="a"))
    kill_engine(d)
    d.wait_state("other", "active")
    time.sleep(0.5)
    assert [i["name"] for i in d.status()["instances"]] == ["other"]
    assert pair.sampler.present() == ["b"]
    reload(d, conf(other, pg, node="a"), added=1)
    d.wait_state("pg", "active")
    pair.expect(pair.seen("instance added again, preempts", "a"))


def test_added_then_removed_before_it_was_active(lab):
    a = lab.host("a")
    pg = instance()
    d = a.vrrpd(conf(pg, node="a"))
    d.wait_state("pg", "active")
    for n in range(5):
        more = instance(f"x{n}", f"10.77.1.{110 + n}/24", vrid=60 + n, advert_interval="1s")
        reload(d, conf(pg, more, node="a"), added=1)
        reload(d, conf(more, pg, node="a"))
        reload(d, conf(pg, node="a"), removed=1)
    assert [i["name"] for i in d.status()["instances"]] == ["pg"]
    assert not [x for x in a.addresses() if x["address"].startswith("10.77.1.11")]
    assert d.state() == "active" and d.counters()["transitions"] == 1


# ---- addresses come, go and move ---------------------------------------------------------------------------


def test_address_added_removed(lab):
    pair = Pair(lab)
    d = pair.d("a")
    arp = pair.c.capture(lambda f: f.ethertype == 0x0806)
    pair.watch()
    with pair.undisturbed("b"), pair.undisturbed("a"):
        reload(d, pair.text("a", addresses=(VIP + "/24", "10.77.1.101/24")), changed=1)
        lab.wait_until(lambda: pair.a.holds("10.77.1.101"), 3, "the new address is there")
        lab.wait_until(
            lambda: [f for f in arp.frames() if f.data[28:32] == bytes([10, 77, 1, 101])], 3, "and is announced"
        )
        assert len(d.instance()["addresses"]) == 2
        reload(d, pair.text("a", addresses=(VIP + "/24",), extra_addresses=("10.77.1.101/24",)), changed=1)
        assert pair.a.holds("10.77.1.101")
        reload(d, pair.text("a"), changed=1)
        lab.wait_until(lambda: not pair.a.holds("10.77.1.101"), 3, "the address is gone")
        seen = pair.seen("another address added and removed", "a")
    pair.expect(seen, two=1)
    assert d.counters()["addresses_healed"] == 0, "what the configuration changes heals nothing"
    assert len(d.instance()["addresses"]) == 1


def two(host, first, second, priority, vrids=(51, 52), **options):
    return conf(
        instance("one", first, vrid=vrids[0], priority=priority, **options),
        instance("two", second, vrid=vrids[1], priority=priority, **options),
        node=host.name,
    )


def two_pair(lab):
    """A pair with two instances; the client asks an address that moves between them."""
    a, b, c = (lab.host(x) for x in "abc")
    a.udp_echo()
    one, both = "10.77.1.100/24", ("10.77.1.102/24", "10.77.1.101/24")
    da = a.vrrpd(two(a, one, both, 150))
    for name in ("one", "two"):
        da.wait_state(name, "active")
    db = b.vrrpd(two(b, one, both, 100))
    for name in ("one", "two"):
        db.wait_state(name, "backup")
    probe = c.probe("udp", "10.77.1.101", port=7)
    sampler = lab.sampler("10.77.1.101", hosts=[a, b])
    probe.wait_answers()
    probe.report()
    return a, b, da, db, probe, sampler


def expect_untouched(da, db, probe, sampler, what):
    silence = max(probe.silence_ms(r) for r in probe.wait_answers())
    none = sampler.longest_ms(0)
    print(f"{what}: silence {silence:.1f} ms, no holder {none:.1f} ms, two {sampler.longest_ms(2):.1f} ms")
    assert silence < 250 and none < 20 and sampler.longest_ms(2) == 0
    assert set(transitions(da).values()) == {1} and set(transitions(db).values()) == {0}
    assert all(i["state"] == "active" for i in da.status()["instances"])


def test_address_moves_between_instances(lab):
    """Never gone from the wire, forth and back, on both hosts."""
    a, b, da, db, probe, sampler = two_pair(lab)
    plans = [
        (("10.77.1.100/24", "10.77.1.101/24"), "10.77.1.102/24"),
        ("10.77.1.100/24", ("10.77.1.101/24", "10.77.1.102/24")),
        (("10.77.1.101/24", "10.77.1.100/24"), "10.77.1.102/24"),
        (("10.77.1.102/24",), ("10.77.1.100/24", "10.77.1.101/24")),
    ]
    for first, second in plans:
        reload(da, two(a, first, second, 150), changed=2)
        reload(db, two(b, first, second, 100), changed=2)
    expect_untouched(da, db, probe, sampler, "address moved between instances four times")
    assert {x["address"] for x in a.addresses()} >= {"10.77.1.100", "10.77.1.101", "10.77.1.102"}
    assert da.counters("one")["addresses_healed"] == 0


def test_vrids_swapped(lab):
    a, b, da, db, probe, sampler = two_pair(lab)
    one, both = "10.77.1.100/24", ("10.77.1.102/24", "10.77.1.101/24")
    for vrids in ((52, 51), (51, 52)):
        reload(da, two(a, one, both, 150, vrids), changed=2)
        reload(db, two(b, one, both, 100, vrids), changed=2)
        assert da.instance("one")["vrid"] == vrids[0]
    expect_untouched(da, db, probe, sampler, "VRIDs swapped and swapped back")


# ---- options -----------------------------------------------------------------------------------------------


def test_interval_changed(lab):
    """On the Active first, then on the Backup; longer and shorter. Nobody takes over."""
    pair = Pair(lab)
    pair.watch()
    with pair.undisturbed("a"), pair.undisturbed("b"):
        for interval in ("1s", "50ms", "100ms"):
            reload(pair.d("a"), pair.text("a", advert_interval=interval), changed=1)
            time.sleep(0.15)
            reload(pair.d("b"), pair.text("b", advert_interval=interval), changed=1)
            sent = pair.d("a").counters()["adverts_sent"]
            lab.wait_until(lambda s=sent: pair.d("a").counters()["adverts_sent"] > s + 1, 5, "adverts")
        seen = pair.seen("interval changed three times", "a")
    pair.expect(seen, two=1)
    assert pair.d("b").instance()["advert_interval_ms"] == 100


def test_interval_changed_on_the_backup_first(lab):
    pair = Pair(lab)
    pair.watch()
    with pair.undisturbed("a"), pair.undisturbed("b"):
        for interval in ("20ms", "1s"):
            reload(pair.d("b"), pair.text("b", advert_interval=interval), changed=1)
            time.sleep(0.3)
            reload(pair.d("a"), pair.text("a", advert_interval=interval), changed=1)
            time.sleep(0.3)
        seen = pair.seen("interval changed on the Backup first", "a")
    pair.expect(seen, two=1)


def test_priority_changed(lab):
    """Lower than the peer's: it preempts, and back."""
    pair = Pair(lab)
    pair.watch()
    reload(pair.d("a"), pair.text("a", priority=50), changed=1)
    pair.expect(pair.seen("priority lowered by a reload", "b"))
    pair.d("a").wait_state("pg", "backup")
    assert pair.d("a").instance()["priority"] == {"base": 50, "effective": 50}
    reload(pair.d("a"), pair.text("a", priority=150), changed=1)
    pair.expect(pair.seen("priority raised by a reload", "a"))
    assert pair.d("a").counters()["transitions"] == 2


def test_check_changed(lab):
    """Another command under the same name, a check more, a check less."""
    extra = lab.host("x")
    flag, check = flag_check(extra)
    pair = Pair(lab, settings={"checks": {"flag": check}}, track=({"check": "flag"},))
    d = pair.d("a")

    def text(checks, **options):
        return conf(instance(**{**pair.own["a"], **options}), node="a", checks=checks)

    pair.watch()
    with pair.undisturbed("a"), pair.undisturbed("b"):
        good = {**check, "command": ["/bin/true"]}
        reload(d, text({"flag": good}, track=({"check": "flag"},)))
        os.unlink(flag)  # nobody on a looks at it any more, but b does
        pair.d("b").instance()
        with open(flag, "w", encoding="ascii"):
            pass
        both = {"flag": good, "more": {"kind": "script", "command": ["/bin/true"], "interval": "50ms", "rise": 1}}
        reload(d, text(both, track=({"check": "flag"}, {"check": "more", "weight": 20})), changed=1)
        lab.wait_until(lambda: d.instance()["priority"]["effective"] == 170, 3, "the new check counts")
        reload(d, text({"more": both["more"]}, track=({"check": "more", "weight": 20},)), changed=1)
        assert [c["name"] for c in d.instance()["checks"]] == ["more"]
        seen = pair.seen("checks changed", "a")
    pair.expect(seen, two=1)
    bad = {"more": {**both["more"], "command": ["/bin/false"], "fall": 1}}
    reload(d, text(bad, track=({"check": "more"},)), changed=1)
    assert d.wait_state("pg", "fault")["reason_code"] == "check_failed"
    pair.expect(pair.seen("a check that fails", "b"))


def test_instance_added_for_a_check_that_is_known(lab):
    """What the check said long ago holds for an instance that is new, too, and for one with another name."""
    flag, check = flag_check(lab.host("x"))
    a = lab.host("a")
    one = instance("one", "10.77.1.100/24", priority=150, track=({"check": "flag"},))
    other = instance("other", "10.77.1.101/24", vrid=52, priority=150, track=({"check": "flag"},))
    d = a.vrrpd(conf(one, node="a", checks={"flag": check}))
    d.wait_state("one", "active")
    reload(d, conf(one, other, node="a", checks={"flag": check}), added=1)
    assert d.wait_state("other", "active")["checks"][0]["state"] == "up"
    os.unlink(flag)
    assert d.wait_state("other", "fault")["reason_code"] == "check_failed"


def test_renamed_while_active(lab):
    """Another name is another instance, which takes over as others do; meanwhile the address stays with the old one."""
    pair = Pair(lab)
    d = pair.d("a")
    pair.watch()
    reload(d, conf(instance(**{**pair.own["a"], "name": "pg2"}), node="a"), added=1, removed=1)
    d.wait_state("pg2", "active")
    pair.expect(pair.seen("another name", "a"))
    assert "was removed by another program" not in d.log_text()


def test_interface_changed(lab2):
    """Another interface is another virtual router: the old one is handed over, the new one begins."""
    lab = lab2
    a, b = (lab.host(x, lans=(1, 2)) for x in "ab")
    vip = "10.99.0.100"

    def text(name, priority, ifname):
        return conf(instance(address=vip + "/24", interface=ifname, priority=priority), node=name)

    da = a.vrrpd(text("a", 150, "eth0"))
    da.wait_state("pg", "active")
    db = b.vrrpd(text("b", 100, "eth0"))
    db.wait_state("pg", "backup")
    reload(da, text("a", 150, "eth1"), changed=1)
    db.wait_state("pg", "active")
    da.wait_state("pg", "active")
    lab.wait_until(
        lambda: [x["ifname"] for x in a.addresses() if x["address"] == vip] == ["eth1"], 3, "a holds it on eth1 only"
    )
    assert [x["ifname"] for x in b.addresses() if x["address"] == vip] == ["eth0"]
    reload(db, text("b", 100, "eth1"), changed=1)
    db.wait_state("pg", "backup")
    lab.wait_until(lambda: lab.holders(vip) == ["a"], 3, "a alone holds the address")


def test_options_that_need_a_restart_are_named(lab):
    pair = Pair(lab)
    with pair.undisturbed("a"):
        rewrite(pair.d("a"), conf(instance(**pair.own["a"]), node="a", engine={"realtime_priority": 0}))
        done = pair.d("a").ctl("reload")
        assert done.returncode == 0 and "engine.realtime_priority is changed only by a restart" in done.stdout


# ---- at the wrong moment -----------------------------------------------------------------------------------


def test_reloads_in_quick_succession(lab):
    """The last one counts, whatever the ones before were doing."""
    pair = Pair(lab)
    d = pair.d("a")
    pair.watch()
    with pair.undisturbed("a"), pair.undisturbed("b"):
        for n in range(20):
            rewrite(d, pair.text("a", priority=150 + n))
            d.signal(signal.SIGHUP)
            if n % 4 == 0:
                time.sleep(0.02)
        lab.wait_until(lambda: d.instance()["priority"]["base"] == 169, 5, "the last configuration is in force")
        seen = pair.seen("20 reloads in quick succession", "a")
    pair.expect(seen, two=1)


@pytest.mark.parametrize("order", ["engine first", "reload first"])
def test_reload_while_the_engine_ends(lab, order):
    pair = Pair(lab)
    d = pair.d("a")
    pair.watch()
    with pair.undisturbed("b"):
        for n in range(3):
            rewrite(d, pair.text("a", priority=160 + n, addresses=(VIP + "/24", f"10.77.1.{110 + n}/24")))
            engine = engine_pid(d)
            if order == "engine first":
                os.kill(engine, signal.SIGKILL)
                d.signal(signal.SIGHUP)
            else:
                d.signal(signal.SIGHUP)
                time.sleep(0.001 * n)
                os.kill(engine, signal.SIGKILL)
            engine_pid(d, other_than=(engine, None))

            def in_force(n=n):
                try:
                    one = d.instance()
                except (OSError, http.client.HTTPException) as e:
                    raise AssertionError(str(e)) from e
                assert one["priority"]["base"] == 160 + n and one["state"] == "active", one["reason"]
                return pair.a.holds(f"10.77.1.{110 + n}")

            lab.wait_until(in_force, 5, "the new configuration is in force")
        seen = pair.seen(f"reload while the engine ends, {order}", "a")
    pair.expect(seen, two=1)
    lab.wait_until(lambda: not pair.a.holds("10.77.1.110"), 4, "addresses of before are gone")
    assert not pair.a.holds("10.77.1.111")


def test_reload_while_leaving_and_drained(lab):
    pair = Pair(lab)
    d = pair.d("a")
    assert d.ctl("drain", "pg").returncode == 0
    reload(d, pair.text("a", priority=160), changed=1)
    pair.expect(pair.seen("reload while drained", "b"))
    assert d.instance()["drained"]
    assert d.ctl("resume", "pg").returncode == 0
    d.wait_state("pg", "active")
    pair.expect(pair.seen("resumed", "a"))


def test_agent_killed_while_reloading(lab):
    pair = Pair(lab)
    d = pair.d("a")
    before = transitions_of(d)
    with pair.undisturbed("b"):
        rewrite(d, pair.text("a", priority=170))
        d.signal(signal.SIGHUP)
        os.kill(d.processes()["agent"], signal.SIGKILL)

        def in_force():
            status = d.try_status()
            return status and status["instances"][0]["priority"]["base"] == 170

        lab.wait_until(in_force, 5, "the new configuration is in force")
        lab.wait_until(lambda: re.search("reload: done: 1 changed", d.log_text()), 5, "the reload ended")
    assert transitions_of(d) == before
