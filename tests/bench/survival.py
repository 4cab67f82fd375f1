"""survival.py - measurements of what may happen to the daemon on the Active host, at adverts every second.

Each story is a pair of hosts of its own (rig.py): host a is Active, what happens happens there, a client pings the address
twice a millisecond and a sampler looks every millisecond who holds it. A figure is what the client and the sampler saw
from just before it happened until everything is steady again.
"""

import os
import signal
import time

import procstat
import rig as rigs

WATCHED_S = 8  # for two holders: longer than anything here should last


class Watch:
    """A pair in its first state, and what is seen from watch() on."""

    def __init__(self, rig):
        self.rig = rig
        self.probe = rig.probe()
        self.sampler = rig.lab.sampler(rigs.VIP, hosts=[rig.a, rig.b])

    def begin(self):
        self.rig.client.ip("neigh", "flush", "dev", "eth0")
        self.probe.wait_answers(steady=0.2)
        self.probe.report()
        self.sampler.clear()

    def seen(self, steady_s=0.5):
        """(longest silence in ms, longest time with two holders in ms, facts) since begin()."""
        reports = self.probe.wait_answers(30, steady=steady_s)
        silence = max(self.probe.silence_ms(r) for r in reports)
        none, two = self.sampler.longest_ms(0), self.sampler.longest_ms(2)
        facts = {
            "no_holder_ms": round(none, 1),
            "two_holders_ms": round(two, 1),
            "probe_late_ms": max(r["late_us_max"] for r in reports) / 1000,
            "holders": self.sampler.present(),
        }
        return silence, two, facts

    def only(self, host, deadline=20):
        name = [host.name]
        self.rig.wait(lambda: self.sampler.present() == name, deadline, f"host {host.name} is the only holder")


def _rows(bench):
    """The lines of the table, in the order in which things happen."""

    def row(what, wanted, limit):
        return bench.row(what, "ms", wanted, limit, judge="worst")

    bound = rigs.bound_ms(1000)
    return {
        "reload": row("client silence, reload, nothing changed", "under 5 ms", 5),
        "killed": row("client silence, VRRP process killed", "under 5 ms", 5),
        "restart": row("client silence, restart (keepalived: stop, start)", "under 5 ms", 5),
        "stop": row("client silence, clean stop", "under 5 ms", 5),
        "preempt": row("client silence, better host returns", "under 5 ms", 5),
        "deleted": row("client silence, address deleted by hand", "under 5 ms", 5),
        "frozen": row("client silence, all processes frozen", "at most the bound + 20 ms", bound + 20),
        "frozen two": row(f"the same: two holders for (watched for {WATCHED_S} s)", "at most 4 s", 4000),
        "thawed": row("client silence, continued afterwards", "under 5 ms", 5),
        "all": row("client silence, all processes killed", "at most the bound + 20 ms", bound + 20),
        "all two": row(f"all processes killed: two holders for (watched for {WATCHED_S} s)", "at most 4 s", 4000),
    }


def _restart(rig):
    """A new program without (vrrpd) or with (keepalived) an end of the one before."""
    if rig.subject == "vrrpd":
        rig.daemon["a"].signal(signal.SIGUSR2)
        return
    rig.daemon.pop("a").stop(20)
    rig.start(rig.a)


def _engine(rig):
    """The process that speaks VRRP on host a."""
    parent = rig.pid(rig.a)
    names = ("vrrpd-engine", "keepalived")
    return next(p for p in procstat.tree(parent) if p != parent and procstat.name(p) in names)


def planned(bench, subject, rows):
    """Reload, the VRRP process killed, restart, clean stop, return."""

    def record(name, settle_s=0.5, **facts):
        silence, _, seen = watch.seen(settle_s)
        bench.record(rows[name], subject, silence, **seen, **facts)

    with rigs.Rig(subject, [rigs.Router(51, 1000, [rigs.VIP + "/24"])]) as rig:
        rig.settle()
        watch = Watch(rig)
        for name, what in (
            ("reload", lambda: rig.daemon["a"].signal(signal.SIGHUP)),
            ("killed", lambda: os.kill(_engine(rig), signal.SIGKILL)),
            ("restart", lambda: _restart(rig)),
        ):
            watch.begin()
            what()
            time.sleep(6)  # whatever the peer makes of it has begun
            watch.only(rig.a)
            record(name)
        watch.begin()
        started = time.monotonic()
        status = rig.daemon.pop("a").stop(20)
        stop_ms = (time.monotonic() - started) * 1000
        watch.only(rig.b)
        record("stop", stop_took_ms=stop_ms, exit_status=status)
        watch.begin()
        rig.start(rig.a)
        watch.only(rig.a)
        record("preempt")


def deleted(bench, subject, rows):
    with rigs.Rig(subject, [rigs.Router(51, 1000, [rigs.VIP + "/24"])]) as rig:
        rig.settle()
        watch = Watch(rig)
        watch.begin()
        rig.a.ip("addr", "del", rigs.VIP + "/24", "dev", rig.ifname)
        time.sleep(WATCHED_S)
        report = watch.probe.report()
        bench.record(rows["deleted"], subject, watch.probe.silence_ms(report), holders=watch.sampler.present(),
                     no_holder_ms=watch.sampler.longest_ms(0), watched_s=WATCHED_S)


def frozen(bench, subject, rows):
    """SIGSTOP to everything, later SIGCONT."""
    with rigs.Rig(subject, [rigs.Router(51, 1000, [rigs.VIP + "/24"])]) as rig:
        rig.settle()
        watch = Watch(rig)
        watch.begin()
        pids = procstat.tree(rig.pid(rig.a))
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(WATCHED_S)
        silence, two, facts = watch.seen()
        bench.record(rows["frozen"], subject, silence, **facts)
        bench.record(rows["frozen two"], subject, two, at_the_end=facts["holders"])
        watch.begin()
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)
        time.sleep(1)
        watch.only(rig.a)
        silence, _, facts = watch.seen()
        bench.record(rows["thawed"], subject, silence, **facts)


def all_killed(bench, subject, rows):
    with rigs.Rig(subject, [rigs.Router(51, 1000, [rigs.VIP + "/24"])]) as rig:
        rig.settle()
        watch = Watch(rig)
        watch.begin()
        pids = procstat.tree(rig.pid(rig.a))
        for number in (signal.SIGSTOP, signal.SIGKILL):  # stopped first: nobody may see the other die
            for pid in pids:
                os.kill(pid, number)
        rig.daemon.pop("a").popen.wait()
        time.sleep(WATCHED_S)
        silence, two, facts = watch.seen()
        bench.record(rows["all"], subject, silence, **facts)
        bench.record(rows["all two"], subject, two, at_the_end=facts["holders"])
        if len(facts["holders"]) == 2:
            bench.detail(f"{subject}: {WATCHED_S} s after all its processes were killed two hosts hold the address")


def survival(bench):
    """All of it, the daemons in turns."""
    bench.detail("Survival: adverts every second, 0.5 ms between two pings, 1 ms between two looks at the holders.")
    rows = _rows(bench)
    for story in (planned, deleted, frozen, all_killed):
        for subject in bench.alternate(bench.rounds(2)):
            with bench.attempt(f"{story.__name__}: {subject}"):
                story(bench, subject, rows)
