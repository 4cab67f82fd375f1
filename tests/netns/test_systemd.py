"""test_systemd.py - vrrpd as a service of a real systemd, with the unit file that "make install" installs.

Run with "make systemd-test", not by "make test": the root file system for it is made by debootstrap. Host a runs
systemd (support/systemd_host.py), host b runs vrrpd directly, host c is the client.
"""

import os
import signal
import time

import pytest

from daemons import conf, instance
import lab as labs
import systemd_host

VIP = "10.77.1.100"
LIFETIME_S = 3  # engine.address_lifetime, its default


def one(priority, **options):
    """One instance that needs a check script to succeed: what the unit file forbids, scripts must do without."""
    checks = {"script": {"kind": "script", "command": ["/bin/true"], "interval": "100ms"}}
    return conf(instance("pg", f"{VIP}/24", priority=priority, track=({"check": "script"},), **options), checks=checks)


@pytest.fixture(scope="module", autouse=True)
def base_root():
    """Made before the first test, outside its time limit."""
    return systemd_host.base_root()


class World:
    """The three hosts, with the service running and Active, and the client getting answers."""

    def __init__(self, lab, **options):
        self.lab = lab
        self.a, self.b, self.c = (lab.host(n) for n in "abc")
        self.machine = systemd_host.SystemdHost(self.a, one(150, **options))
        self.machine.systemctl("start", "vrrpd")
        self.service = self.machine.service()
        self.peer = self.b.vrrpd(one(100, **options))
        self.service.wait_state("pg", "active")
        lab.wait_until(lambda: self.peer.instance("pg")["peers"], 5, "b has heard a")
        self.probe = self.c.probe("icmp", VIP)
        self.probe.wait_answers()
        self.probe.report()

    def main_pid(self):
        """The main process of the service as this machine counts; 0 when there is none."""
        inner = self.machine.property("MainPID")
        with open(os.path.join(self.machine.cgroup, "system.slice/vrrpd.service/cgroup.procs"), encoding="ascii") as f:
            for pid in f.read().split():
                with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
                    words = next(line for line in status if line.startswith("NSpid:")).split()
                if words[-1] == inner:
                    return int(pid)
        return 0

    def silence(self):
        """The client's longest silence since the last question, in ms."""
        return self.probe.silence_ms(self.probe.report())

    def peer_never_left_backup(self):
        now = self.peer.instance("pg")
        return now["state"] == "backup" and now["counters"]["transitions"] == 0


def gaps_ms(frames, source):
    """The times between adverts of this sender."""
    times = [f.ns for f in frames if f.data[26:30] == bytes(int(n) for n in source.split("."))]
    return [(b - a) / 1e6 for a, b in zip(times, times[1:])]


def show(text):
    print(f"\n    {text}", end="")


def test_start_waits_for_the_engine(lab):
    machine = systemd_host.SystemdHost(lab.host("a"), one(150))
    engine = "/usr/local/libexec/vrrpd/vrrpd-engine"
    machine.run(f"mv {engine} {engine}.real")
    with open(machine.path(engine), "w", encoding="ascii") as f:
        f.write(f'#!/bin/sh\nwhile [ ! -e /run/go ]; do sleep 0.05; done\nexec {engine}.real "$@"\n')
    machine.run(f"chmod 755 {engine}")
    machine.systemctl("start", "--no-block", "vrrpd")
    lab.wait_until(lambda: machine.property("MainPID") != "0", 5, "vrrpd runs")
    until = time.monotonic() + 1
    while time.monotonic() < until:
        assert machine.property("ActiveState") == "activating"
    machine.run("touch /run/go")
    lab.wait_until(lambda: machine.property("SubState") == "running", 5, "the service is active (running)")
    assert machine.property("StatusText") == "1 instance, 1 check"
    assert machine.property("NFileDescriptorStore") == "2"
    assert machine.service().instance("pg")["state"] != "initialize"


def test_notify_service(lab):
    """scripts/notify_service starts and stops a unit, and says what systemd says of one that it does not know."""
    machine = systemd_host.SystemdHost(lab.host("a"), one(150))
    with open(machine.path("/etc/systemd/system/lab.service"), "w", encoding="ascii") as f:
        f.write("[Service]\nExecStart=/bin/sleep infinity\n")
    machine.systemctl("daemon-reload")
    script = "/usr/local/libexec/vrrpd/notify_service --unit"

    for word, state, verb, then in (("MASTER", "active", "start", "active"), ("BACKUP", "backup", "stop", "inactive")):
        done = machine.run(f"{script} lab INSTANCE pg {word} 150")
        assert done.stdout == f"pg is {state}: systemctl {verb} lab\n"
        assert machine.property("ActiveState", "lab.service") == then
    done = machine.run(f"VRRPD_STATE=active VRRPD_INSTANCE=pg {script} none", check=False)
    assert done.returncode == 1 and "none.service not found" in done.stdout


def test_unit_as_a_service(lab):
    """A unit runs where the address is, by the option "services" and by notify_service as root's notify command."""
    a, b = lab.host("a"), lab.host("b")
    script = "/usr/local/libexec/vrrpd/notify_service"
    # vrrpd's unit comes after haproxy's, which must not keep it waiting for its stop.
    options = {"services": ("haproxy.service",), "notify_user": "root", "notify": [script, "--unit", "other"]}
    machine = systemd_host.SystemdHost(a, one(150))
    for name in ("haproxy", "other"):
        with open(machine.path(f"/etc/systemd/system/{name}.service"), "w", encoding="ascii") as f:
            f.write("[Service]\nExecStart=/bin/sleep infinity\n")
    machine.systemctl("daemon-reload")
    # Checked where the programs are: this machine's have other owners' folders above them.
    with open(machine.path("/etc/vrrpd/vrrpd.conf"), "w", encoding="ascii") as f:
        f.write(one(150, **options))
    machine.systemctl("start", "vrrpd")
    service = machine.service()

    def states():
        return [machine.property("ActiveState", f"{name}.service") for name in ("haproxy", "other")]

    service.wait_state("pg", "active")
    lab.wait_until(lambda: states() == ["active", "active"], 10, "both units run")
    assert [s["name"] for s in service.instance("pg")["services"]] == ["haproxy"]
    # It is started again when it ends.
    machine.systemctl("stop", "haproxy")
    lab.wait_until(lambda: states()[0] == "active", 15, "it runs again")
    b.vrrpd(one(100)).wait_state("pg", "backup")
    assert service.ctl("drain", "pg", "--wait").returncode == 0
    lab.wait_until(lambda: states() == ["inactive", "inactive"], 10, "both stopped")
    assert lab.holders(VIP) == ["b"]
    service.ctl("resume", "pg")
    lab.wait_until(lambda: states() == ["active", "active"], 10, "both run again")
    # A restart of vrrpd is not noticed by them either.
    before = [machine.property("MainPID", f"{name}.service") for name in ("haproxy", "other")]
    machine.systemctl("restart", "vrrpd")
    service.wait_state("pg", "active")
    lab.wait_until(lambda: service.instance("pg")["notified"] == "active", 5, "known")
    assert before == [machine.property("MainPID", f"{name}.service") for name in ("haproxy", "other")]
    began = time.monotonic()
    machine.systemctl("stop", "vrrpd")
    took = time.monotonic() - began
    lab.wait_until(lambda: states() == ["inactive", "inactive"], 10, "both stopped with vrrpd")
    show(f"systemctl stop with its services: {took:.1f} s")
    assert took < 15, "nobody waited for a time-out of 30 s"


def test_restart_is_not_noticed(lab):
    w = World(lab)
    capture = w.c.capture()
    for _ in range(5):
        before = w.machine.property("MainPID")
        w.machine.systemctl("restart", "vrrpd")
        assert w.machine.property("MainPID") != before
        reason = w.service.wait_state("pg", "active", 1)["reason"]
        assert "went on after" in reason, reason
        lab.wait_until(lambda: len(w.service.get("/v1/status")[1]) > 0, 5, "status")
    silence, gap = w.silence(), max(gaps_ms(capture.frames(), w.a.ip4()))
    show(f"5 restarts: client silence {silence:.1f} ms, between two adverts at most {gap:.0f} ms")
    assert silence < 50, "the address never leaves"
    assert w.peer_never_left_backup(), w.peer.instance("pg")
    assert lab.holders(VIP) == ["a"]


def test_restart_that_peers_would_notice_is_a_hand_over(lab):
    """At 10 ms adverts the peers are quicker than systemd: better they are told."""
    w = World(lab, advert_interval="10ms")
    w.machine.systemctl("restart", "vrrpd")
    assert "peers of pg would take over" in w.machine.journal()
    w.service.wait_state("pg", "active")  # preempts
    silence = w.silence()
    show(f"restart at 10 ms adverts: client silence {silence:.1f} ms")
    assert silence < 100
    assert w.peer.counters()["transitions"] >= 1


def test_restart_with_a_wrong_file_is_a_hand_over(lab):
    w = World(lab)
    with open(w.machine.path("/etc/vrrpd/vrrpd.conf"), "a", encoding="utf-8") as f:
        f.write("nonsense = 1;\n")
    assert w.machine.systemctl("restart", "vrrpd", check=False).returncode != 0
    w.peer.wait_state("pg", "active")
    silence = w.silence()
    show(f"restart with a wrong file: client silence {silence:.1f} ms")
    assert silence < 100
    assert lab.holders(VIP) == ["b"]
    assert w.machine.property("ActiveState") == "failed", "it is not tried again and again"
    assert "vrrpd.conf:" in w.machine.journal()


def test_reload(lab):
    w = World(lab)
    pid = w.machine.property("MainPID")
    path = w.machine.path("/etc/vrrpd/vrrpd.conf")
    with open(path, "w", encoding="utf-8") as f:
        f.write(one(160))
    w.machine.systemctl("reload", "vrrpd")
    assert w.service.instance("pg")["priority"]["base"] == 160
    with open(path, "w", encoding="utf-8") as f:
        f.write(one(300))
    bad = w.machine.systemctl("reload", "vrrpd", check=False)
    assert bad.returncode != 0
    assert "vrrpd.conf:" in w.machine.journal() and "300" in w.machine.journal()
    assert w.machine.property("SubState") == "running" and w.machine.property("MainPID") == pid
    assert w.service.instance("pg")["priority"]["base"] == 160
    silence = w.silence()
    show(f"two reloads: client silence {silence:.1f} ms")
    assert silence < 50 and w.peer_never_left_backup()


@pytest.mark.parametrize("how", ["systemctl stop", "a signal by hand"])
def test_stop_hands_over(lab, how):
    w = World(lab)
    if how == "systemctl stop":
        w.machine.systemctl("stop", "vrrpd")
    else:
        os.kill(w.main_pid(), signal.SIGTERM)
        lab.wait_until(lambda: w.machine.property("ActiveState") == "inactive", 10, "the service has ended")
    # The end has waited for the successor: nothing is left to wait for.
    assert lab.holders(VIP) == ["b"] and w.peer.state() == "active", w.peer.instance("pg")
    silence = w.silence()
    show(f"{how}: client silence {silence:.1f} ms")
    assert silence < 100
    assert w.machine.property("Result") == "success" and w.machine.property("NRestarts") == "0"


def test_a_killed_vrrpd_comes_back(lab):
    w = World(lab)
    os.kill(w.main_pid(), signal.SIGKILL)
    killed = time.monotonic()
    both = 0.0
    last = killed

    def back():
        nonlocal both, last
        holders, now = lab.holders(VIP), time.monotonic()
        if holders == ["a", "b"]:
            both += now - last
        last = now
        assert w.machine.property("NRestarts") == "1" and w.machine.property("SubState") == "running"
        return holders == ["a"] and w.service.state() == "active"

    lab.wait_until(back, 15, "systemd has started it again, and it preempts")
    silence = w.silence()
    show(f"SIGKILL to vrrpd: client silence {silence:.1f} ms, two holders for {both * 1000:.0f} ms, "
         f"back after {time.monotonic() - killed:.1f} s")
    assert both < LIFETIME_S + 1
    assert silence < 1000


def test_a_vrrpd_that_hangs_is_started_again(lab):
    """The watchdog: satisfied while all is well, and not by a process that stands still."""
    w = World(lab)
    w.machine.run("mkdir -p /run/systemd/system/vrrpd.service.d")
    with open(w.machine.path("/run/systemd/system/vrrpd.service.d/watchdog.conf"), "w", encoding="ascii") as f:
        f.write("[Service]\nWatchdogSec=1\n")
    w.machine.systemctl("daemon-reload")
    w.machine.systemctl("restart", "vrrpd")
    until = time.monotonic() + 3
    while time.monotonic() < until:
        assert w.machine.property("NRestarts") == "0" and w.machine.property("SubState") == "running"
        time.sleep(0.05)
    os.kill(w.main_pid(), signal.SIGSTOP)
    lab.wait_until(lambda: w.machine.property("NRestarts") == "1", 10, "systemd has noticed")
    w.service.wait_state("pg", "active", 10)
    lab.wait_until(lambda: lab.holders(VIP) == ["a"], LIFETIME_S + 2, "a alone holds the address")


def test_nothing_of_it_stays_behind():
    with labs.Lab() as one_lab:
        machine = systemd_host.SystemdHost(one_lab.host("a"), one(150))
        machine.systemctl("start", "vrrpd")
        cgroup, init = machine.cgroup, machine.init
        assert os.path.isdir(cgroup)
    assert not os.path.exists(cgroup) and not os.path.exists(f"/proc/{init}")
