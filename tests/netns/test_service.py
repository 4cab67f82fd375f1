"""test_service.py - what vrrpd and a service manager say to each other, with a socket in the manager's place.

The real one is in test_systemd.py ("make systemd-test").
"""

import os
import shutil
import signal
import socket
import struct
import sys
import time

import pytest

from daemons import conf, instance
from pairs import events_of
import lab as labs

VIP = "10.77.1.100"
NO_BUS = "unix:path=/nonexistent/bus"


def one(priority=100, **options):
    return conf(instance("pg", f"{VIP}/24", priority=priority, **options))


class Manager:
    """The socket of NOTIFY_SOCKET: every message as a dict, with the descriptors that came along."""

    def __init__(self, host):
        self.path = os.path.join(host.dir, "notify")
        self.lab = host.lab
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.sock.bind(self.path)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.messages = []  # (monotonic seconds, dict)
        self.kept = {}  # name: descriptor
        host.lab.on_close(self.close)

    def env(self, **more):
        return {"NOTIFY_SOCKET": self.path, "DBUS_SYSTEM_BUS_ADDRESS": NO_BUS, **more}

    def read(self):
        """Take what has come; returns every message so far."""
        while True:
            try:
                data, control, _, _ = self.sock.recvmsg(4096, socket.CMSG_SPACE(64) * 2)
            except BlockingIOError:
                return [m for _, m in self.messages]
            message = dict(line.split("=", 1) for line in data.decode().splitlines())
            fds = []
            for level, kind, value in control:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    fds += struct.unpack(f"{len(value) // 4}i", value[: len(value) // 4 * 4])
            if "FDSTOREREMOVE" in message:
                self._drop(message["FDNAME"])
            elif "FDSTORE" in message:
                assert len(fds) == 1, f"{message} came with descriptors {fds}"
                self._drop(message["FDNAME"])
                self.kept[message["FDNAME"]] = fds[0]
            else:
                assert not fds, f"{message} came with descriptors {fds}"
            self.messages.append((time.monotonic(), message))

    def _drop(self, name):
        if name in self.kept:
            os.close(self.kept.pop(name))

    def clear(self):
        self.read()
        self.messages.clear()

    def wait(self, key, value="1", deadline=5):
        """Wait for a message with this line; returns the message."""

        def come():
            found = [m for m in self.read() if m.get(key) == value]
            assert found, f"heard {self.read()}"
            return found[0]

        return self.lab.wait_until(come, deadline, f"the manager hears {key}={value}")

    def wait_kept(self):
        """Wait until both memories are kept."""
        names = {"vrrpd-memory", "vrrpd-events"}
        self.lab.wait_until(lambda: self.read() and set(self.kept) == names, 5, "both memories are kept")

    def order(self):
        """The messages as words, those about the watchdog and status alone left out."""
        words = ("READY", "RELOADING", "STOPPING", "FDSTORE")
        return [w for m in self.read() for w in words if w in m]

    def close(self):
        for name in list(self.kept):
            self._drop(name)
        self.sock.close()


def waiting_engine(host):
    """A copy of the programs whose engine starts only when the file `go` exists; returns (folder, go)."""
    folder = os.path.join(host.dir, "build")
    go = os.path.join(folder, "go")
    os.mkdir(folder)
    for name in ("vrrpd", "vrrpd-agent", "vrrpctl", "vrrpd-engine"):
        target = "real-engine" if name == "vrrpd-engine" else name
        shutil.copy(os.path.join(labs.build_dir(), name), os.path.join(folder, target))
    with open(os.path.join(folder, "vrrpd-engine"), "w", encoding="ascii") as f:
        f.write(f'#!/bin/sh\nwhile [ ! -e {go} ]; do sleep 0.02; done\nexec {folder}/real-engine "$@"\n')
    os.chmod(os.path.join(folder, "vrrpd-engine"), 0o755)
    return folder, go


def test_ready_and_alive_only_with_an_engine(lab):
    a = lab.host("a")
    manager = Manager(a)
    build, go = waiting_engine(a)
    d = a.vrrpd(one(), wait=False, build=build, env=manager.env(WATCHDOG_USEC="200000"))
    manager.wait_kept()
    lab.wait_until(lambda: {"engine", "agent"} <= set(d.processes()), 5, "both children run")
    until = time.monotonic() + 0.5  # five times the pause between two signs of life
    while time.monotonic() < until:
        assert manager.order() == ["FDSTORE", "FDSTORE"] and not any("WATCHDOG" in m for m in manager.read()), manager.read()
        time.sleep(0.02)
    with open(go, "w", encoding="ascii"):
        pass
    ready = manager.wait("READY")
    assert ready["STATUS"] == "1 instance, 0 checks"
    manager.clear()
    lab.wait_until(lambda: len([m for m in manager.read() if "WATCHDOG" in m]) >= 5, 5, "five signs of life")
    times = [t for t, m in manager.messages if "WATCHDOG" in m]
    assert times[4] - times[0] >= 0.3, f"signs of life at {times}: more often than every 100 ms"


def test_the_children_do_not_know_the_manager(lab):
    a = lab.host("a")
    manager = Manager(a)
    d = a.vrrpd(one(), env=manager.env(WATCHDOG_USEC="10000000"))
    pids = d.processes()
    for role in ("engine", "agent"):
        with open(f"/proc/{pids[role]}/environ", "rb") as f:
            environ = f.read()
        assert b"NOTIFY_SOCKET" not in environ and b"WATCHDOG" not in environ, role


def test_reload_and_stop_are_told(lab):
    a = lab.host("a")
    manager = Manager(a)
    d = a.vrrpd(one(), env=manager.env())
    manager.wait("READY")
    assert manager.order() == ["FDSTORE", "FDSTORE", "READY"]

    for text, ok in ((one(priority=120), True), ("instances = (", False)):
        manager.clear()
        with open(d.conf_path, "w", encoding="utf-8") as f:
            f.write(text)
        before = time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6
        assert (d.ctl("reload").returncode == 0) == ok
        began = manager.wait("RELOADING")
        assert before <= int(began["MONOTONIC_USEC"]) <= time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6
        manager.wait("READY")
        assert manager.order() == ["RELOADING", "READY"], manager.read()

    manager.clear()
    d.signal(signal.SIGTERM)
    manager.wait("STOPPING")
    assert d.wait() == 0
    assert manager.order() == ["STOPPING"]


def test_a_restart_in_place_keeps_the_manager(lab):
    a = lab.host("a")
    manager = Manager(a)
    d = a.vrrpd(one(), env=manager.env())
    d.wait_state("pg", "active")
    manager.clear()
    d.signal(signal.SIGUSR2)
    manager.wait("READY")
    assert manager.order() == ["FDSTORE", "FDSTORE", "READY"]
    d.wait_state("pg", "active")
    assert "went on after" in d.instance("pg")["reason"]


def test_a_bus_that_does_not_answer_holds_nothing_up(lab):
    """Asked to end, vrrpd asks whether it is a restart: not for ever, and then it hands over."""
    a = lab.host("a")
    manager = Manager(a)
    silent = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    silent.bind(os.path.join(a.dir, "bus"))
    silent.listen()
    d = a.vrrpd(one(), env=manager.env(DBUS_SYSTEM_BUS_ADDRESS="unix:path=" + os.path.join(a.dir, "bus")))
    d.wait_state("pg", "active")
    start = time.monotonic()
    d.signal(signal.SIGTERM)
    manager.wait("STOPPING")
    took = time.monotonic() - start
    assert d.wait() == 0
    assert 0.3 < took < 3, f"hand-over began after {took:.2f} s"
    assert not a.holds(VIP)
    silent.close()


# Runs the command behind it with descriptors 3, 4, ... as the service manager hands them over.
STARTER = """
import os, sys
fds = [int(n) for n in sys.argv[1].split(",")]
for i, fd in enumerate(fds):
    os.dup2(fd, 100 + i)
for i in range(len(fds)):
    os.dup2(100 + i, 3 + i)
os.closerange(3 + len(fds), 200)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""


def handed_over(host, fds, text, manager):
    """Start vrrpd as a manager does that hands these descriptors over: {name: descriptor}."""
    numbers = ",".join(str(fd) for fd in fds.values())
    env = {"LISTEN_FDS": str(len(fds)), "LISTEN_FDNAMES": ":".join(fds), **manager.env()}
    return host.vrrpd(text, prefix=[sys.executable, "-c", STARTER, numbers], pass_fds=set(fds.values()), env=env)


def test_what_the_manager_kept_outlives_everything(lab):
    """SIGKILL to all three processes; the next vrrpd gets the memory and goes on as Active."""
    a, b = lab.host("a"), lab.host("b")
    manager = Manager(a)
    text = one(150, advert_interval="500ms")
    da = a.vrrpd(text, env=manager.env())
    da.wait_state("pg", "active")
    db = b.vrrpd(one(100, advert_interval="500ms"))
    lab.wait_until(lambda: db.instance("pg")["peers"], 5, "b has heard a")
    manager.wait("READY")
    kept = {name: os.dup(manager.kept[name]) for name in ("vrrpd-memory", "vrrpd-events")}
    before = events_of(da)
    da.kill_all()
    assert a.holds(VIP), "the lifetime of 3 s has not passed"
    da = handed_over(a, kept, text, manager)
    for fd in kept.values():
        os.close(fd)
    now = da.wait_state("pg", "active", 1)
    assert "went on after" in now["reason"], now["reason"]
    assert before and events_of(da)[: len(before)] == before, "the events go on, too"
    assert lab.holders(VIP) == ["a"]
    assert db.state() == "backup" and db.counters()["transitions"] == 0, db.instance("pg")


@pytest.mark.parametrize("name", ["vrrpd-memory", "vrrpd-events", "something-else"])
def test_a_descriptor_that_is_no_memory_is_closed(lab, name):
    a = lab.host("a")
    manager = Manager(a)
    before = a.vrrpd(one(), env=manager.env())
    manager.wait_kept()
    before.stop()
    path = os.path.join(a.dir, "foreign")
    foreign = os.open(path, os.O_RDWR | os.O_CREAT)
    os.ftruncate(foreign, os.fstat(manager.kept["vrrpd-events" if name == "vrrpd-events" else "vrrpd-memory"]).st_size)  # all is right but that it could shrink
    d = handed_over(a, {"other": foreign, name: foreign}, one(), manager)
    os.close(foreign)
    d.wait_state("pg", "active")
    assert "went on" not in d.instance("pg")["reason"]
    assert ("not of its form" in d.log_text()) == (name != "something-else"), d.log_text()
    for pid in d.processes().values():
        held = [os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")]
        assert path not in held, held
