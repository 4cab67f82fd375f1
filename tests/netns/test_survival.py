"""test_survival.py - what may happen to vrrpd on the holder, at adverts every second, and what a client sees of it.

One pair of hosts for the whole file: every test finds a Active and b Backup, and leaves them so. Each test prints what it
measured ("pytest -rP" shows it). The bounds are for a busy machine; the figures are mostly a tenth of them.
"""

import os
import shutil
import signal
import sys
import time

import pytest

import lab as labs
from daemons import conf, instance
from packets import priority_of
from pairs import VIP, Pair, alive, engine_pid, events_of, gone, kill_engine, sent_by, transitions_of, wait_advert
from wire import any_of, is_arp, is_vrrp

LIFETIME_S = 3  # default of engine.address_lifetime
DOWN_MS = 3000 + 1000 * (256 - 100) / 256  # b's down interval: RFC 9568, priority 100, adverts every second


@pytest.fixture(scope="module")
def built():
    """The one pair, made at the first use and again after a test that failed."""
    box = []
    yield box
    for pair in box:
        pair.lab.close()


@pytest.fixture
def pair(built, request):
    if not built:
        lab = labs.Lab()
        lab.shared = True
        try:
            built.append(Pair(lab, advert_interval="1s"))
        except BaseException:
            lab.close()
            raise
    one = built[0]
    failed = request.session.testsfailed
    one.d("a").wait_state("pg", "active", 10)
    one.d("b").wait_state("pg", "backup", 10)
    one.watch()
    yield one
    complaints = one.lab.complaints()
    if request.session.testsfailed != failed or complaints:
        print(one.lab.logs())
        built.pop().lab.close()
    assert not complaints


def come_back(pair):
    """a returns and preempts: no silence worth the name, never two for long."""
    pair.watch()
    pair.start("a", wait=False)
    pair.d("a").wait_state("pg", "active", 12)
    seen = pair.seen("better node returns", "a")
    pair.expect(seen)
    pair.d("b").wait_state("pg", "backup")


def test_engine_killed_three_times(pair):
    before = pair.d("a").status()["engine_restarts"]
    with pair.undisturbed("b"):
        kill_engine(pair.d("a"), 3)
        pair.d("a").wait_state("pg", "active", 5)
        seen = pair.seen("engine killed -9 three times", "a")
        time.sleep(1.5)  # the longest that b may still wait for the next advert is far above; one is seen
    pair.expect(seen)
    assert seen.two_ms == 0
    status = pair.d("a").status()
    assert status["engine_restarts"] - before == 3
    assert any("vrrpd-engine ended by signal 9" in w for w in status["warnings"])
    assert ("initialize", "active", "resumed") in transitions_of(pair.d("a"))


def test_agent_killed(pair):
    pid = pair.d("a").processes()["agent"]
    with pair.undisturbed("b"):
        os.kill(pid, signal.SIGKILL)
        pair.lab.wait_until(lambda: pair.d("a").processes().get("agent") not in (None, pid), 5, "a new agent runs")
        assert pair.d("a").wait_state("pg", "active", 5)["counters"]["adverts_sent"] > 1
        seen = pair.seen("agent killed -9", "a")
    pair.expect(seen)


def test_restart_in_place(pair):
    d = pair.d("a")
    pid, engine = d.pid, engine_pid(d)
    with pair.undisturbed("b"):
        d.signal(signal.SIGUSR2)
        new = engine_pid(d, other_than=(None, engine))
        d.wait_state("pg", "active", 5)
        seen = pair.seen("restart in place", "a")
    pair.expect(seen)
    assert d.alive() and d.processes()["parent"] == pid and alive(new)
    assert "restart: executing" in d.log_text()


def test_restart_in_place_with_a_bad_file(pair):
    d = pair.d("a")
    good = pair.text("a")
    processes = d.processes()
    sent = d.counters()["adverts_sent"]
    pair.rewrite("a", good + 'nonsense = 1;\n')
    try:
        with pair.undisturbed("b"), pair.undisturbed("a"):
            d.signal(signal.SIGUSR2)
            pair.lab.wait_until(lambda: "nothing was changed" in d.log_text(), 5, "it says that nothing was changed")
            pair.lab.wait_until(lambda: d.counters()["adverts_sent"] > sent + 1, 5, "adverts go on")
            seen = pair.seen("restart in place with a bad file", "a")
    finally:
        pair.rewrite("a", good)
    assert d.processes() == processes
    pair.expect(seen)


def test_address_deleted_by_hand(pair):
    d = pair.d("a")
    healed = d.counters()["addresses_healed"]
    arp = pair.c.capture(is_arp)
    with pair.undisturbed("b"), pair.undisturbed("a"):
        pair.a.ip("addr", "del", VIP + "/24", "dev", "eth0")
        pair.lab.wait_until(lambda: d.counters()["addresses_healed"] == healed + 1, 5, "counted")
        pair.lab.wait_until(lambda: arp.frames(), 5, "a gratuitous ARP frame")
        seen = pair.seen("address deleted by hand", "a")
    assert seen.silence_ms < 250 and seen.none_ms < 50, seen
    assert "address_healed" in [e["reason"] for e in events_of(d)]
    assert d.instance()["addresses"][0]["held"]


def test_drained_and_resumed(pair):
    done = pair.d("a").ctl("drain", "pg", "--wait")
    assert done.returncode == 0, done.stderr
    assert not pair.a.holds(VIP), "drain --wait is over when the addresses are gone"
    pair.expect(pair.seen("drain --wait", "b"))
    one = pair.d("a").instance()
    assert one["drained"] and not one["leaving"] and one["reason_code"] == "drained"
    # It stays away, even without its peer, and also after its engine was killed.
    kill_engine(pair.d("a"))
    pair.lab.wait_until(lambda: pair.d("a").try_status(), 5, "status answers again")
    assert pair.d("a").instance()["drained"]
    pair.watch()
    assert pair.d("a").ctl("resume", "pg").returncode == 0
    pair.d("a").wait_state("pg", "active", 8)
    pair.expect(pair.seen("resume", "a"))


def test_clean_stop(pair):
    capture = pair.c.capture()
    pids = pair.d("a").processes()
    assert pair.d("a").stop() == 0
    seen = pair.seen("clean stop", "b")
    pair.expect(seen)
    assert [f for f in sent_by(pair.a, capture.frames()) if priority_of(f) == 0]
    gone(pids.values(), 1, pair.lab)
    come_back(pair)


def test_everything_is_told_to_end(pair):
    """As a host does that shuts down: SIGTERM to every process."""
    pids = pair.d("a").processes()
    for pid in pids.values():
        os.kill(pid, signal.SIGTERM)
    assert pair.d("a").wait(10) == 0
    pair.expect(pair.seen("SIGTERM to all processes", "b"))
    gone(pids.values(), 1, pair.lab)
    come_back(pair)


def test_all_processes_killed(pair):
    pair.d("a").kill_all()
    pair.lab.wait_until(lambda: pair.sampler.present() == ["b"], DOWN_MS / 1000 + LIFETIME_S + 2, "b is the holder")
    seen = pair.seen("all processes killed", "b")
    assert seen.two_ms < (LIFETIME_S + 1) * 1000, seen
    assert seen.silence_ms < DOWN_MS + 200, seen
    come_back(pair)


def test_all_processes_stopped_and_continued(pair):
    """Frozen for longer than its peer waits, then thawed: it hears the network before it says anything."""
    pair.own["a"]["preempt"] = False  # so that it has no reason to say anything afterwards
    pair.d("a").stop()
    pair.start("a")
    pair.d("b").stop()
    pair.d("a").wait_state("pg", "active", 10)
    pair.start("b")
    pair.d("b").wait_state("pg", "backup", 10)
    pair.watch()
    capture = pair.c.capture(any_of(is_vrrp, is_arp))
    pids = list(pair.d("a").processes().values())
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    seen = pair.seen("all processes stopped (SIGSTOP)", "b", 12)
    assert seen.two_ms < (LIFETIME_S + 1) * 1000, seen
    assert seen.silence_ms < DOWN_MS + 200, seen
    pair.watch()
    capture.clear()
    for pid in reversed(pids):
        os.kill(pid, signal.SIGCONT)
    pair.d("a").wait_state("pg", "backup", 5)
    time.sleep(1.5 * DOWN_MS / 1000)
    mac = bytes.fromhex(pair.a.mac().replace(":", ""))
    said = [f for f in sent_by(pair.a, capture.frames()) if priority_of(f) > 0]
    assert not said, f"{len(said)} adverts of a host that was frozen"
    claims = [f for f in capture.frames() if is_arp(f) and f.data[22:28] == mac and f.data[28:32] == b"\x0a\x4d\x01\x64"]
    assert not claims, "it announced an address that is not its own any more"
    pair.expect(pair.seen("continued (SIGCONT)", "b"), two=1)
    assert pair.d("a").instance()["reason_code"] == "slept"
    assert pair.d("b").counters()["transitions"] == 1
    del pair.own["a"]["preempt"]
    pair.d("a").stop()
    come_back(pair)


def test_only_the_parent_killed(pair):
    capture = pair.c.capture()
    pids = pair.d("a").processes()
    pair.d("a").signal(signal.SIGKILL)
    wait_advert(pair.lab, capture, pair.a, lambda p: p == 0, 3, "priority 0")
    pair.expect(pair.seen("parent killed -9", "b"))
    gone(pids.values(), 3, pair.lab)
    assert not pair.a.holds(VIP)
    come_back(pair)


def test_restart_into_another_build(pair, tmp_path):
    """The four programs replaced by others while they run, then restarted in place."""
    other = os.environ.get("VRRPD_OTHER_BUILD") or os.path.join(labs.build_dir(), "san")
    if not os.path.exists(os.path.join(other, "vrrpd")):
        other = labs.build_dir()
    programs = ("vrrpd", "vrrpd-engine", "vrrpd-agent")
    folder = os.path.join(pair.lab.dir, "installed")
    os.makedirs(folder, exist_ok=True)
    os.chmod(folder, 0o755)
    del tmp_path
    for name in programs:
        shutil.copy(os.path.join(labs.build_dir(), name), folder)
    pair.d("a").stop()
    pair.start("a", build=folder)
    d = pair.d("a")
    d.wait_state("pg", "active", 10)
    pair.d("b").wait_state("pg", "backup", 5)
    pair.watch()
    for name in programs:
        shutil.copy(os.path.join(other, name), os.path.join(folder, name + ".new"))
        os.rename(os.path.join(folder, name + ".new"), os.path.join(folder, name))
    pid, engine = d.pid, engine_pid(d)
    with pair.undisturbed("b"):
        d.signal(signal.SIGUSR2)
        new = engine_pid(d, other_than=(None, engine))
        d.wait_state("pg", "active", 5)
        seen = pair.seen("restart into another build", "a")
    pair.expect(seen)
    assert d.alive() and d.processes()["parent"] == pid
    for process, name in ((pid, "vrrpd"), (new, "vrrpd-engine")):
        assert os.path.samefile(f"/proc/{process}/exe", os.path.join(folder, name)), name
    d.stop()
    come_back(pair)


def test_restart_from_a_version_with_another_memory(lab):
    """What an earlier version remembered in another form is left alone: the engine starts, as Backup."""
    a = lab.host("a")
    hand_over = (
        "import os, sys; fd = os.memfd_create('old', 0); os.ftruncate(fd, 100); "
        "os.environ['VRRPD_RESTART'] = f'-1,-1,-1,{fd}'; os.execvp(sys.argv[1], sys.argv[1:])"
    )
    d = a.vrrpd(conf(instance(), node="a"), prefix=[sys.executable, "-c", hand_over])
    d.wait_state("pg", "active", 5)
    assert "is not of its form" in d.log_text()
    assert d.status()["engine_restarts"] == 0
