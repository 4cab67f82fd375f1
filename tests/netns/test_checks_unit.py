"""test_checks_unit.py - kind "unit" over a system bus of the test's own, on which a Python program plays systemd."""

import os
import subprocess
import sys

import lab as labs
from daemons import conf, instance

from test_checks_local import check, wait_check

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={path}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="false"/><allow receive_sender="*"/><allow own="*"/>
<allow user="*"/></policy></busconfig>
"""


class Bus:
    """A system bus, and systemd on it."""

    def __init__(self, host):
        self.host = host
        self.path = os.path.join(host.dir, "bus")
        self.env = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={self.path}"}
        self.daemon = self.systemd = None
        host.lab.on_close(self.close)

    def start(self):
        config = os.path.join(self.host.dir, "bus.conf")
        with open(config, "w", encoding="ascii") as f:
            f.write(BUS.format(path=self.path))
        self.daemon = subprocess.Popen(["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile"])
        self.host.lab.wait_until(lambda: os.path.exists(self.path), 10, "the bus is there")
        self.systemd = subprocess.Popen(
            [sys.executable, "-B", os.path.join(labs.ROOT, "tests", "support", "fake_systemd.py")],
            env={**os.environ, **self.env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.systemd.stdout.readline() == "ready\n"

    def say(self, line):
        self.systemd.stdin.write(line + "\n")
        self.systemd.stdin.flush()

    def close(self):
        for p in (self.systemd, self.daemon):
            if p is not None:
                p.kill()
                p.wait()
        if os.path.exists(self.path):
            os.unlink(self.path)


def test_unit(lab):
    a = lab.host("a")
    bus = Bus(a)
    checks = {
        "c": check("unit", unit="haproxy.service", interval="200ms", timeout="200ms"),
        "none": check("unit", unit="nosuch.service"),
    }
    d = a.vrrpd(
        conf(instance(track=tuple({"check": n, "weight": -1} for n in checks)), node="a", checks=checks),
        env=bus.env,
    )
    wait_check(d, "down", "there is no system bus on this host")
    bus.start()
    bus.say("haproxy.service activating")
    wait_check(d, "down", "haproxy.service is activating")
    wait_check(d, "down", "nosuch.service is inactive (there is no such unit)", "none")
    bus.say("haproxy.service active")
    wait_check(d, "up", "haproxy.service is active")
    for state, verdict in (("failed", "down"), ("active", "up"), ("reloading", "up"), ("inactive", "down")):
        bus.say(f"haproxy.service {state}")
        wait_check(d, verdict, f"haproxy.service is {state}", "c")
    bus.say("quiet haproxy.service active")
    wait_check(d, "up", "haproxy.service is active")
    bus.say("mute")
    wait_check(d, "down", "no result within 200 ms")
    bus.close()
    wait_check(d, "down", "haproxy.service: ")
    bus.start()
    bus.say("haproxy.service active")
    wait_check(d, "up", "haproxy.service is active")


def test_change_counts_at_once(lab):
    """The interval is an hour: only the signal can tell."""
    a = lab.host("a")
    bus = Bus(a)
    bus.start()
    bus.say("haproxy.service active")
    checks = {"c": check("unit", unit="haproxy.service", interval="1h", timeout="1s")}
    d = a.vrrpd(conf(instance(track=({"check": "c"},)), node="a", checks=checks), env=bus.env)
    wait_check(d, "up", "haproxy.service is active")
    d.wait_state("pg", "active")
    bus.say("haproxy.service failed")
    wait_check(d, "down", "haproxy.service is failed", deadline=2)
    d.wait_state("pg", "fault")
    bus.say("haproxy.service active")
    d.wait_state("pg", "active")
