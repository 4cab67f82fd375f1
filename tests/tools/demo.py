#!/usr/bin/env python3
"""demo.py - the show of "make demo": three hosts share one address, and what a client notices when one fails.

Everything runs in network namespaces of this machine (tests/support/lab.py) and is removed at the end, on
Ctrl-C too. Uses only Python's standard library: the demo needs no more than the programs that it shows.
"""

import os
import signal
import sys
import textwrap
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))

import daemons  # noqa: E402
import lab as labs  # noqa: E402

VIP = "10.77.1.100"
PRIORITIES = {"proxy1": 150, "proxy2": 100, "proxy3": 50}
STEADY = 0.3  # seconds of answers after which an outage counts as over
WIDTH = 78

INTRO = f"""\
Three proxy hosts share the address {VIP}. On each run vrrpd and a HAProxy in
front of a small web server; a client asks http://{VIP}/ every millisecond.

      client ---- switch ---+--- proxy1   10.77.1.1   priority 150
                            +--- proxy2   10.77.1.2   priority 100
                            +--- proxy3   10.77.1.3   priority  50

The hosts are network namespaces of this machine: nothing reaches your network,
and everything goes when the demo ends, on Ctrl-C too.

The holder announces itself every 100 ms here (advert_interval = "100ms", the
default is one second): a host that is lost without a word is missed after 0.3 to
0.4 s. HAProxy is checked every 200 ms and counts as down after two failures.
"""

OUTRO = """\
How to read it: a holder that leaves in order says so and goes on serving until
the next one has the address: nothing is lost. One that is lost is missed after
three adverts and the "skew" (the better the priority, the shorter); that scales
with advert_interval. One that comes back has the address before it says so. An
engine that dies, a reload and an upgrade in place are no fail-over at all.
"""


def say(text=""):
    print(text, flush=True)


def tell(text):
    """Our own words below a numbered heading."""
    say(textwrap.fill(text, WIDTH, initial_indent="   ", subsequent_indent="   "))


def show(text):
    """Program output, set off from our own words."""
    say(textwrap.indent(text.rstrip(), "   | "))


class Show:
    """The hosts, the client, and the table of what it saw."""

    def __init__(self, lab):
        self.lab = lab
        self.rows = []
        self.number = 0
        self.check = os.path.join(lab.scripts(), "check_haproxy")
        self.hosts = [lab.host(name) for name in PRIORITIES]
        self.client = lab.host("client")
        self.vrrpd, self.haproxy = {}, {}
        for host in self.hosts:
            daemons.web_server(host)
            self.start_haproxy(host)
        for host in self.hosts:
            path = self.haproxy[host.name].socket_path
            lab.wait_until(lambda p=path: os.path.exists(p), 10, f"HAProxy on {host.name} runs")
        for host in self.hosts:
            self.start_vrrpd(host)
        self.wait_holder("proxy1")
        self.probe = self.client.probe("http", VIP, port=80, gap_ms=3)
        self.probe.wait_answers(steady=0.5)

    def start_haproxy(self, host):
        self.haproxy[host.name] = daemons.web_proxy(host)

    def start_vrrpd(self, host):
        check = {
            "kind": "script",
            "command": [self.check, "--socket", self.haproxy[host.name].socket_path],
            "interval": "200ms",
            "timeout": "200ms",
            "rise": 2,
            "fall": 2,
        }
        web = daemons.instance(
            "web", VIP + "/24", priority=PRIORITIES[host.name], track=({"check": "haproxy"},)
        )
        self.vrrpd[host.name] = host.vrrpd(daemons.conf(web, node=host.name, checks={"haproxy": check}))

    def holders(self):
        """Hosts whose vrrpd says that it is Active."""
        names = []
        for name, daemon in self.vrrpd.items():
            status = daemon.try_status() if daemon.alive() else None
            if status and status["instances"][0]["state"] == "active":
                names.append(name)
        return names

    def wait_holder(self, name, deadline=10):
        self.lab.wait_until(lambda: self.holders() == [name], deadline, f"{name} alone is Active")

    def status(self, name):
        say(f"   {name}$ vrrpctl status")
        show(self.vrrpd[name].ctl("status").stdout)
        say()

    def act(self, what, action, holder, note=None):
        """Do something to the hosts, wait until `holder` has the address and the client answers; note it."""
        self.number += 1
        say(f"{self.number}. {what}")
        self.probe.report()
        action()
        self.wait_holder(holder)
        reports = self.probe.wait_answers(steady=STEADY)
        silence = max(r["longest_us"] for r in reports) / 1000
        tell(f"{holder} holds the address. Its reason: {self.vrrpd[holder].instance('web')['reason']}.")
        tell(f"The client had no answer for {silence:.0f} ms." + (f" {note}" if note else ""))
        say()
        self.rows.append((what, silence, holder))

    def calm(self):
        """The same measurement with nothing happening: what is below is the machine's own noise."""
        self.probe.report()
        time.sleep(1)
        silence = self.probe.report()["longest_us"] / 1000
        self.rows.append(("nothing happens (what the machine itself costs)", silence, "proxy1"))

    def table(self):
        width = max(len(row[0]) for row in self.rows)
        say(f"{'What happened':{width}}  {'no answer for':>13}  now holds it")
        say(f"{'-' * width}  {'-' * 13}  {'-' * 12}")
        for what, silence, holder in self.rows:
            say(f"{what:{width}}  {silence:10.1f} ms  {holder}")
        say()


def drain(daemon, verb):
    done = daemon.ctl(verb, "web")
    if done.returncode != 0:
        raise labs.LabTimeout(f"vrrpctl {verb} web: {done.stderr}")


def reload(daemon):
    """Another priority in the file; what vrrpctl says of it is shown."""
    with open(daemon.conf_path, encoding="utf-8") as f:
        text = f.read()
    with open(daemon.conf_path, "w", encoding="utf-8") as f:
        f.write(text.replace("priority = 150", "priority = 160"))
    done = daemon.ctl("reload")
    if done.returncode != 0:
        raise labs.LabTimeout(f"vrrpctl reload: {done.stderr}")
    show(done.stdout)


def restart(lab, daemon):
    """SIGUSR2: the same process executes its program anew; over when another engine answers."""
    old = daemon.processes().get("engine")
    daemon.signal(signal.SIGUSR2)
    lab.wait_until(
        lambda: daemon.processes().get("engine") not in (None, old) and daemon.try_status(),
        5,
        "vrrpd on proxy1 has restarted",
    )


def heal(lab, daemon, host):
    host.ip("addr", "del", VIP + "/24", "dev", "eth0")
    lab.wait_until(
        lambda: daemon.counters("web")["addresses_healed"] > 0, 5, "the address on proxy1 is put back"
    )


def kill_engine(lab, daemon):
    """SIGKILL to the engine alone; back when the parent has started another."""
    old = daemon.signal_role("engine", 9)
    lab.wait_until(
        lambda: daemon.processes().get("engine") not in (None, old), 5, "a new engine runs on proxy1"
    )


def run(lab):
    say(INTRO)
    s = Show(lab)
    one, haproxy = s.hosts[0], s.haproxy["proxy1"]
    say("Who holds the address, and why:\n")
    s.status("proxy1")
    s.status("proxy2")
    s.calm()

    s.act("vrrpd on proxy1 is stopped in order", lambda: s.vrrpd["proxy1"].stop(), "proxy2")
    s.act("vrrpd on proxy1 is started again", lambda: s.start_vrrpd(one), "proxy1")
    s.act("vrrpctl drain on proxy1", lambda: drain(s.vrrpd["proxy1"], "drain"), "proxy2")
    s.act("vrrpctl resume on proxy1", lambda: drain(s.vrrpd["proxy1"], "resume"), "proxy1")
    s.act("vrrpctl reload on proxy1, another priority", lambda: reload(s.vrrpd["proxy1"]), "proxy1")
    s.act("vrrpd restarts in place (an upgrade)", lambda: restart(lab, s.vrrpd["proxy1"]), "proxy1")
    s.act(
        "somebody deletes the address on proxy1",
        lambda: heal(lab, s.vrrpd["proxy1"], one),
        "proxy1",
        "vrrpd has put it back.",
    )

    s.act("the network cable of proxy1 is pulled", one.link_down, "proxy2")
    s.status("proxy1")
    s.act("the cable is plugged in again", one.link_up, "proxy1")

    killed = time.monotonic()
    s.act(
        "all of vrrpd on proxy1 is killed (kill -9)",
        lambda: s.vrrpd["proxy1"].kill_all(),
        "proxy2",
        "HAProxy on proxy1 went on answering until proxy2 took over.",
    )
    lab.wait_until(lambda: not one.holds(VIP), 10, "the kernel has removed the address from proxy1")
    tell(
        f"{time.monotonic() - killed:.1f} s after the kill the kernel of proxy1 has removed the address by "
        "itself: the engine gives it a lifetime and renews it (engine.address_lifetime)."
    )
    say()
    s.act("vrrpd on proxy1 is started again", lambda: s.start_vrrpd(one), "proxy1")

    s.act(
        "only the engine process is killed (kill -9)", lambda: kill_engine(lab, s.vrrpd["proxy1"]), "proxy1"
    )

    s.act(
        "HAProxy on proxy1 is stopped",
        haproxy.kill,
        "proxy2",
        "Nearly all of it passed until the check noticed.",
    )
    s.status("proxy1")
    s.act("HAProxy on proxy1 is started again", lambda: s.start_haproxy(one), "proxy1")
    s.table()
    say(OUTRO)


def main():
    if os.geteuid() != 0:
        sys.exit("the demo makes network namespaces and needs root; type: sudo make demo")
    try:
        with labs.Lab() as lab:
            run(lab)
    except KeyboardInterrupt:
        say("\ninterrupted; everything is removed")
        return 130
    except labs.LabError as e:
        sys.exit(f"the demo cannot make its network here (a container needs --privileged): {e}")
    except labs.LabTimeout as e:
        say(f"\nthe demo did not go as it should: {e}")
        return 1
    say("Everything is removed again. Next: README.md, a ten-minute start with two hosts.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
