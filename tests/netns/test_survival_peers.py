"""test_survival_peers.py - the same with keepalived as the peer, IPv6, checks, adverts every 10 ms; engines that keep
ending, and hosts that claim an address that is not theirs."""

import os
import signal
import time

import pytest

from daemons import keepalived_instance
from packets import priority_of
from pairs import (
    VIP,
    VIP6,
    Pair,
    engine_pid,
    events_of,
    kill_engine,
    sent_by,
    transitions_of,
    wait_advert,
)
from test_checks import flag_check
from wire import is_arp, is_na

FOREIGN_MAC = "02:00:00:00:01:ee"


# ---- keepalived is the successor ---------------------------------------------------------------------------


@pytest.mark.parametrize("preempt", [True, False], ids=["preempt", "nopreempt"])
def test_keepalived_succeeds(lab, preempt):
    """Drained, stopped, told to end all at once: keepalived has the address before it is gone here."""
    theirs = keepalived_instance(**({} if preempt else {"nopreempt": True}))
    pair = Pair(lab, keepalived=theirs)
    k = pair.keepalived

    def comes_back(what, after):
        pair.watch()
        after()
        pair.d("a").wait_state("pg", "active", 8)
        pair.expect(pair.seen(what, "a"))
        k.wait_state("VI_1", "backup")
        pair.watch()

    pair.watch()
    done = pair.d("a").ctl("drain", "--all", "--wait")
    assert done.returncode == 0, done.stderr
    pair.expect(pair.seen("drain --wait, keepalived succeeds", "b"))
    comes_back("resume, keepalived yields", lambda: pair.d("a").ctl("resume", "--all"))
    assert pair.d("a").stop() == 0
    pair.expect(pair.seen("clean stop, keepalived succeeds", "b"))
    comes_back("better node returns, keepalived yields", lambda: pair.start("a", wait=False))
    for pid in pair.d("a").processes().values():
        os.kill(pid, signal.SIGTERM)
    assert pair.d("a").wait() == 0
    pair.expect(pair.seen("SIGTERM to all processes, keepalived succeeds", "b"))
    assert not k.discarded()


def test_slowest_keepalived_succeeds(lab):
    """The lowest priority waits longest after a priority 0: 996 ms at adverts every second. The address stays so long."""
    slow = keepalived_instance(priority=1, advert_int=1)
    pair = Pair(lab, advert_interval="1s", keepalived=slow)
    pair.watch()
    assert pair.d("a").stop() == 0
    pair.expect(pair.seen("clean stop, the slowest keepalived succeeds", "b"))


@pytest.mark.parametrize("preempt", [True, False], ids=["preempt", "nopreempt"])
def test_engine_killed_beside_keepalived(lab, preempt):
    pair = Pair(lab, keepalived=keepalived_instance(**({} if preempt else {"nopreempt": True})))
    before = pair.keepalived.log_text().count("Entering MASTER")
    pair.watch()
    kill_engine(pair.d("a"), 3)
    pair.d("a").wait_state("pg", "active")
    pair.expect(pair.seen("engine killed -9 three times, keepalived is the Backup", "a"), two=1)
    assert pair.keepalived.log_text().count("Entering MASTER") == before
    assert not pair.keepalived.discarded()


# ---- other kinds of instances ------------------------------------------------------------------------------


def test_engine_killed_ipv6(lab):
    pair = Pair(lab, v6=True)
    na = pair.c.capture(is_na)
    pair.watch()
    with pair.undisturbed("b"):
        kill_engine(pair.d("a"), 3)
        pair.d("a").wait_state("pg", "active")
        seen = pair.seen("IPv6: engine killed -9 three times", "a")
    pair.expect(seen, two=1)
    assert na.frames(), "the next engine announces the addresses"
    assert pair.d("a").ctl("drain", "pg", "--wait").returncode == 0
    pair.expect(pair.seen("IPv6: drain --wait", "b"))
    assert not pair.a.holds("fe80::100") and pair.b.holds("fe80::100")


@pytest.mark.parametrize("weight", [None, -20])
def test_engine_killed_with_a_passing_check(lab, weight):
    """The verdict is remembered: the next engine does not wait for the check's next run."""
    one = lab.host("x")
    _, check = flag_check(one, interval="5s", timeout="1s", rise=1)
    track = {"check": "flag"} if weight is None else {"check": "flag", "weight": weight}
    pair = Pair(lab, settings={"checks": {"flag": check}}, options_a={"track": (track,)})
    pair.watch()
    with pair.undisturbed("b"):
        kill_engine(pair.d("a"), 3)
        pair.d("a").wait_state("pg", "active")
        seen = pair.seen("engine killed -9 three times, a passing check", "a")
    pair.expect(seen, two=1)
    state = pair.d("a").instance()
    assert state["checks"][0]["state"] == "up" and state["priority"]["effective"] == 150


def test_engine_killed_with_a_failed_check(lab):
    """A failed check lowered the priority, no other node runs: the next engine is Active with the same priority."""
    one = lab.host("x")
    flag, check = flag_check(one, interval="5s", timeout="1s", rise=1, fall=1)
    os.unlink(flag)
    pair = Pair(
        lab,
        settings={"checks": {"flag": check}},
        options_a={"track": ({"check": "flag", "weight": -20},)},
    )
    lab.wait_until(lambda: pair.d("a").instance()["checks"][0]["state"] == "down", 5, "the check has failed")
    capture = pair.c.capture()
    pair.watch()
    with pair.undisturbed("b"):
        kill_engine(pair.d("a"), 2)
        pair.d("a").wait_state("pg", "active")
        seen = pair.seen("engine killed -9 twice, a failed check", "a")
    pair.expect(seen, two=1)
    assert {priority_of(f) for f in sent_by(pair.a, capture.frames())} == {130}
    assert pair.d("a").instance()["checks"][0]["state"] == "down"


def test_engine_killed_at_10_ms(lab):
    """The next engine has 22 ms. On a machine that is busy with other things once may fail."""
    pair = Pair(lab, advert_interval="10ms")
    for attempt in (1, 2):
        pair.watch()
        before = pair.d("b").counters()["transitions"]
        engine = engine_pid(pair.d("a"))
        os.kill(engine, signal.SIGKILL)
        engine_pid(pair.d("a"), other_than=(engine, None))
        pair.d("a").wait_state("pg", "active")
        seen = pair.seen(f"engine killed -9, adverts every 10 ms, attempt {attempt}", "a")
        if pair.d("b").counters()["transitions"] == before:
            pair.expect(seen, two=1)
            return
        pair.d("b").wait_state("pg", "backup")
    pytest.fail(f"the peer took over twice\n{lab.logs()}")


def test_restart_in_place_at_10_ms(lab):
    pair = Pair(lab, advert_interval="10ms")
    for attempt in (1, 2):
        pair.watch()
        before = pair.d("b").counters()["transitions"]
        engine = engine_pid(pair.d("a"))
        pair.d("a").signal(signal.SIGUSR2)
        engine_pid(pair.d("a"), other_than=(engine, None))
        pair.d("a").wait_state("pg", "active")
        seen = pair.seen(f"restart in place, adverts every 10 ms, attempt {attempt}", "a")
        if pair.d("b").counters()["transitions"] == before:
            pair.expect(seen, two=1)
            return
        pair.d("b").wait_state("pg", "backup")
    pytest.fail(f"the peer took over twice\n{lab.logs()}")


# ---- an engine that keeps ending ---------------------------------------------------------------------------


def test_crash_loop(lab):
    """Killed again and again: what it held is handed over in order, and it comes back later by itself."""
    pair = Pair(lab)
    d = pair.d("a")
    capture = pair.c.capture()
    pair.watch()
    killed = []

    def handed_over():
        pid = d.processes().get("engine")
        if pid is not None and pid not in killed and "times in a row" not in d.log_text():
            killed.append(pid)
            os.kill(pid, signal.SIGKILL)
        return pair.d("b").state() == "active"

    lab.wait_until(handed_over, 10, "what a held is handed over to b")
    assert len(killed) >= 4
    pair.expect(pair.seen(f"engine killed {len(killed)} times in a row", "b", 3), two=400)
    assert [f for f in sent_by(pair.a, capture.frames()) if priority_of(f) == 0], "priority 0 was never seen"
    assert "what it holds is handed over" in d.log_text()
    status = lab.wait_until(d.try_status, 15, "status answers again")
    assert status["engine_restarts"] == len(killed)
    assert any("in a row" in w for w in status["warnings"]), status["warnings"]
    d.wait_state("pg", "active", 15)
    pair.expect(pair.seen("back after a crash loop", "a"))


def test_crash_loop_where_nothing_works(lab):
    """Not even the last will can be carried out: the parent removes the addresses itself."""
    pair = Pair(lab)
    d = pair.d("a")
    killed = []

    def taken_over():
        pid = d.processes().get("engine")
        if pid is not None and pid not in killed:
            killed.append(pid)
            os.kill(pid, signal.SIGKILL)
        return pair.d("b").state() == "active" and not pair.a.holds(VIP)

    pair.watch()
    lab.wait_until(taken_over, 10, "b is the holder, nothing is left on a")
    seen = pair.seen(f"engine killed {len(killed)} times at once", "b", 3)
    assert seen.two_ms < 400, seen
    assert seen.silence_ms < 700, seen  # 361 ms after the last advert
    assert "that vrrpd-engine left removed" in d.log_text() or "handed over" in d.log_text(), d.log_text()
    d.wait_state("pg", "active", 20)


# ---- who says that an address is his -----------------------------------------------------------------------


def claim(address):
    """A gratuitous ARP frame or an unsolicited neighbour advertisement of a foreign host."""
    from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6NDOptDstLLAddr, IPv6
    from scapy.layers.l2 import ARP, Ether

    if ":" in address:
        return bytes(
            Ether(src=FOREIGN_MAC, dst="33:33:00:00:00:01")
            / IPv6(src=address, dst="ff02::1", hlim=255)
            / ICMPv6ND_NA(tgt=address, R=0, S=0, O=1)
            / ICMPv6NDOptDstLLAddr(lladdr=FOREIGN_MAC)
        )
    return bytes(
        Ether(src=FOREIGN_MAC, dst="ff:ff:ff:ff:ff:ff")
        / ARP(op=2, hwsrc=FOREIGN_MAC, psrc=address, hwdst="ff:ff:ff:ff:ff:ff", pdst=address)
    )


@pytest.mark.parametrize("v6", [False, True], ids=["ARP", "NA"])
def test_conflict(lab, v6):
    pair = Pair(lab, v6=v6, garp={"repeat": 1, "delay": "0s"})
    vip = VIP6 if v6 else VIP
    d = pair.d("a")
    time.sleep(1.2)  # its own announcement at the take-over counts as one answer
    capture = pair.c.capture(is_na if v6 else is_arp)
    injector = pair.c.injector()
    pair.watch()
    own = bytes.fromhex(pair.a.mac().replace(":", ""))

    def answers():
        return [f for f in capture.frames() if f.data[6:12] == own and f.data[:6] != bytes.fromhex("0200000001fe")]

    before = len(answers())
    with pair.undisturbed("a"), pair.undisturbed("b"):
        injector.send(claim(vip))
        lab.wait_until(lambda: d.counters()["conflicts"] == 1, 3, "the claim is counted")
        lab.wait_until(lambda: len(answers()) > before, 3, "a announces the address itself")
        one = d.instance()
        assert one["conflict"]["mac"] == FOREIGN_MAC and one["conflict"]["address"] == vip
        assert one["conflict"]["count"] == 1 and one["conflict"]["ago_s"] < 5
        assert any(FOREIGN_MAC in w for w in one["warnings"]), one["warnings"]
        told = [e for e in events_of(d) if e["reason"] == "address_conflict"]
        assert len(told) == 1 and FOREIGN_MAC in told[0]["text"] and vip in told[0]["text"]
        # A flood of claims: all counted, few answers, few events.
        before = len(answers())
        started = time.monotonic()
        for _ in range(100):
            injector.send(claim(vip))
            time.sleep(0.01)
        lab.wait_until(lambda: d.counters()["conflicts"] == 101, 3, "all claims are counted")
        seconds = time.monotonic() - started
        n = len(answers()) - before
        addresses = 2 if v6 else 1  # each answer announces every address of the instance
        print(f"{n} frames answered 100 claims within {seconds:.1f} s")
        assert 1 <= n <= addresses * (seconds + 1), n
        assert len([e for e in events_of(d) if e["reason"] == "address_conflict"]) <= 2
    assert pair.sampler.present() == ["a"]
    # What it learned is not for ever: the client finds the real holder again.
    pair.seen("100 foreign claims", "a")
    assert transitions_of(d)[-1][1] == "active"
    assert pair.d("b").counters()["conflicts"] == 0, "a Backup has nothing to defend"


def test_claims_of_a_successor_are_no_conflict(lab):
    """What the next holder announces while this one leaves is the handover itself."""
    pair = Pair(lab)
    wait_advert(lab, pair.c.capture(), pair.a, lambda p: p == 150)
    assert pair.d("a").ctl("drain", "pg", "--wait").returncode == 0
    assert pair.d("a").ctl("resume", "pg").returncode == 0
    pair.d("a").wait_state("pg", "active", 5)
    pair.d("b").wait_state("pg", "backup", 5)
    for name in "ab":
        one = pair.d(name).instance()
        assert one["conflict"] is None and one["counters"]["conflicts"] == 0, (name, one["conflict"])
        assert one["counters"]["addresses_healed"] == 0
