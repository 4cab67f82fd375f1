"""measures.py - the measurements themselves. Each takes the Bench (bench.py) and alternates the two daemons.

A figure is recorded under a row (one line of the table) and, with everything known beside it, as one JSON
line. Nothing runs beside a window in which CPU time is taken: counters are read before and after it.
"""

import json
import os
import time

import lab as labs

import checks
import follow
import procstat
import rig as rigs
import split_brain
import status
import survival

LATE_VRID = 128  # of 255: the one whose adverts are timed on the wire


# ---- client silence ----------------------------------------------------------------------------------------


def _reports(probe, done, deadline):
    """Poll a probe until done(longest silence so far in ms, report); returns that silence."""
    longest = 0.0
    end = time.monotonic() + deadline
    while True:
        report = probe.report()
        longest = max(longest, report["longest_us"] / 1000)
        late = report["late_us_max"] / 1000
        if done(longest, report):
            return longest, late
        if time.monotonic() > end:
            return max(longest, report["silent_us"] / 1000), late
        time.sleep(0.01)


def _host_lost(rig, probe, interval_ms, rng):
    """Cut off the Active once; the client's silence in ms, and everything back as before."""
    time.sleep(rng.random() * interval_ms / 1000)  # any point between two adverts
    probe.wait_answers(steady=0.05)
    probe.report()
    rig.cut(rig.a)
    # No honest take-over is faster than this: wait for a silence of at least so long.
    least = 0.9 * (rigs.bound_ms(interval_ms) - interval_ms)
    silence, late = _reports(probe, lambda longest, r: longest > least and r["answered"], 20)
    rig.mend(rig.a)
    rig.wait(lambda: rig.held(rig.b) == 0 and rig.held(rig.a) == 1, 20, "host a is the only holder again")
    rig.client.ip("neigh", "flush", "dev", "eth0")
    return silence, late


def silence_host_lost(bench):
    """Client silence when the Active is cut off from the network."""
    for interval_ms, cuts, rounds in ((1000, 1, bench.rounds(3)), (10, bench.count(7), bench.rounds(3))):
        limit = rigs.bound_ms(interval_ms)
        slow = interval_ms == 1000
        row = bench.row(f"client silence, host lost, {_every(interval_ms)} (bound {limit:.0f} ms)", "ms",
                        "at most the bound + 20 ms" if slow else "under 45 ms", limit + 20 if slow else 45,
                        judge="worst")
        for subject in bench.alternate(rounds):
            router = rigs.Router(51, interval_ms, [rigs.VIP + "/24"])
            with bench.attempt(f"{row.what}: {subject}"), rigs.Rig(subject, [router]) as rig:
                rig.settle()
                probe = rig.probe()
                for _ in range(cuts):
                    silence, late = _host_lost(rig, probe, interval_ms, bench.rng)
                    bench.record(row, subject, silence, bound_ms=limit, probe_late_ms=late)


# ---- CPU and memory ----------------------------------------------------------------------------------------


def _floor(bench, count, interval_ms):
    """What bare sends and receives of the same adverts cost on the same cable; one round of both."""
    bursts = bench.count(200) if interval_ms < 1000 else 4
    with rigs.Rig("none", [], cable=True) as rig:
        sink = rig.program(rig.b, "bench_send", "sink", rig.ifname)
        rigs.ready(sink)
        send = rig.program(rig.a, "bench_send", "send", rig.ifname, rig.source(rig.a), count, bursts,
                           interval_ms * 1000)
        lines = [json.loads(x) for x in rigs.finish(send)] + [json.loads(x) for x in rigs.finish(sink)]
    for line in lines:
        bench.note("floor", instances=count, interval_ms=interval_ms, **line)
    sent = min(x["cpu_us_per_packet"] for x in lines if x.get("pace") == "paced")
    return sent, lines[-1]["cpu_us_per_packet"]


class Sample:
    """Counters of one host: CPU time by thread, adverts sent and received."""

    def __init__(self, cpu_ns, sent, received):
        self.cpu_ns, self.sent, self.received = cpu_ns, sent, received

    @classmethod
    def take(cls, rig, host):
        return cls(procstat.cpu_ns(rig.pid(host)), *rig.adverts(host))

    def since(self, before):
        return Sample({name: ns - before.cpu_ns.get(name, 0) for name, ns in self.cpu_ns.items()},
                      self.sent - before.sent, self.received - before.received)


def _window(rig, seconds):
    """What the counters of both hosts gained over a window, and the time it really took."""
    start = time.monotonic()
    before = {h.name: Sample.take(rig, h) for h in (rig.a, rig.b)}
    time.sleep(seconds)
    after = {h.name: Sample.take(rig, h) for h in (rig.a, rig.b)}
    took = time.monotonic() - start
    rig.check_alive()
    return {name: after[name].since(before[name]) for name in after}, took


def _settle_or_note(bench, rig, **facts):
    try:
        rig.settle(20)
        return True
    except labs.LabTimeout as e:
        bench.note("unsettled", subject=rig.subject, what=str(e).splitlines()[0], **facts)
        return len(rig.daemon) == 2


def cpu(bench):
    """CPU per advert on the Active and the Backup side, and the floor under it."""
    # At 1 s a single virtual router needs a long window for 20 adverts; the others have enough sooner.
    plan = [(10, 1, 5, 3), (10, 50, 5, 3), (10, 255, 5, 3),
            (1000, 1, 20, 1), (1000, 50, 8, 2), (1000, 255, 8, 2)]
    bench.detail("CPU per advert is all that a daemon does in the window. At 1 s much of it is not adverts: "
                 "vrrpd renews its addresses' lifetimes. 100 us a second are 0.01 % of a core.")
    for interval_ms, count, seconds, rounds in plan:
        rounds = bench.rounds(rounds)
        strict = interval_ms == 10 and count == 255
        what = f"{_instances(count)}, {_every(interval_ms)}: CPU per advert"
        active = bench.row(f"{what}, Active side", "us", *(("under 5 us", 5) if strict else ()))
        backup = bench.row(f"{what}, Backup side", "us")
        for subject in bench.alternate(rounds, "floor"):
            if subject == "floor":
                if interval_ms == 1000 and active.floors:
                    continue
                with bench.attempt(f"{what}: floor"):
                    sent, received = _floor(bench, count, interval_ms)
                    active.floors.append(sent)
                    backup.floors.append(received)
                continue
            rig = rigs.Rig(subject, rigs.routers(count, interval_ms), cable=True)
            with bench.attempt(f"{what}: {subject}"), rig:
                if not _settle_or_note(bench, rig, instances=count, interval_ms=interval_ms):
                    continue
                time.sleep(0.5)  # the first burst of announcements is over
                seen, took = _window(rig, min(seconds, 5) if bench.quick else seconds)
                _record_cpu(bench, rig, active, backup, seen, took)


def _record_cpu(bench, rig, active, backup, seen, took):
    a, b = seen["a"], seen["b"]
    facts = {"window_s": round(took, 3), "sent_a": a.sent, "received_b": b.received, "sent_b": b.sent}
    for row, host, one, adverts in ((active, rig.a, a, a.sent), (backup, rig.b, b, b.received)):
        if adverts:
            bench.record(row, rig.subject, sum(one.cpu_ns.values()) / 1000 / adverts,
                         threads={k: round(ns / 1000 / adverts, 3) for k, ns in one.cpu_ns.items() if ns},
                         scheduling=procstat.scheduling(rig.pid(host)), **facts)


def soak(bench):
    """255 virtual routers at 10 ms: false take-overs, lateness on the wire; for a minute, and under load."""
    for busy, seconds in ((0, 60), (os.cpu_count(), 15)):
        seconds = min(seconds, 10) if bench.quick else seconds
        what = f"255 instances, adverts every 10 ms, {seconds} s" + (", every core busy" if busy else "")
        rows = (bench.row(f"{what}: false take-overs", "", "0", 0, judge="worst"),
                bench.row(f"{what}: latest advert, on the wire", "ms", judge="worst"),
                bench.row(f"{what}: adverts sent of those due", "%", higher_is_better=True))
        for subject in bench.alternate(1):
            with bench.attempt(f"{what}: {subject}"), rigs.Rig(subject, rigs.routers(255, 10)) as rig:
                if _settle_or_note(bench, rig, what=what):
                    _soak(bench, rig, rows, seconds, busy)


def _soak(bench, rig, rows, seconds, busy):
    watch = rig.program(rig.client, "bench_watch", f"/run/netns/{rig.a.netns}", "eth0", rig.client.ip4(),
                        rig.a.ip4(), rig.a.mac(), 255, LATE_VRID, rigs.BLOCK, 0, (seconds + 60) * 1000)
    rigs.ready(watch)
    load = [rig.client.popen(["sh", "-c", "while :; do :; done"], "load.log") for _ in range(busy)]
    before = _transitions(rig)
    seen, took = _window(rig, seconds)
    for process in load:
        process.kill()
    after = _transitions(rig)
    wire = json.loads(rigs.finish(watch)[-1])
    gap = max(wire["beat_gap_ms"], wire["beat_gap_idle_ms"])
    takeovers, late, rate = rows
    bench.record(takeovers, rig.subject, after - before, adverts_from_backup=seen["b"].sent, window_s=took,
                 **_lateness(rig))
    bench.record(late, rig.subject, gap - 10, vrid=LATE_VRID, seen=wire["beats"])
    bench.record(rate, rig.subject, 100 * seen["a"].sent / (took * 100 * 255))


def _transitions(rig):
    """Transitions to Active so far on both hosts, by what the daemon itself says."""
    if rig.subject == "keepalived":
        return sum(d.log_text().count("Entering MASTER STATE") for d in rig.daemon.values())
    return sum(i["counters"]["transitions"] for d in rig.daemon.values() for i in d.status()["instances"])


def _lateness(rig):
    """What vrrpd's own status says of its punctuality."""
    if rig.subject != "vrrpd":
        return {}
    return {"status_adverts": {name: d.status().get("adverts") for name, d in rig.daemon.items()}}


def memory(bench):
    """Resident memory of each process, Active side."""
    for count in (1, 255):
        total = bench.row(f"{_instances(count)}: resident memory, all processes (PSS)", "kB")
        for subject in bench.alternate(1):
            rig = rigs.Rig(subject, rigs.routers(count, 1000 if count == 1 else 100))
            with bench.attempt(f"{total.what}: {subject}"), rig:
                if not _settle_or_note(bench, rig, instances=count, what="memory"):
                    continue
                processes = procstat.memory_kb(rig.pid(rig.a))
                bench.record(total, subject, sum(p["pss_kb"] for p in processes), processes=processes,
                             rss_kb=sum(p["rss_kb"] for p in processes))
                bench.detail(f"{subject}, {_instances(count)}: " + ", ".join(
                    f"{p['name']} RSS {p['rss_kb']} kB, PSS {p['pss_kb']} kB" for p in processes))


# ---- many addresses ----------------------------------------------------------------------------------------


def takeover(bench):
    """1 to 4000 addresses until the last one answers; another virtual router's adverts meanwhile."""
    wanted = {1000: ("under 50 ms", 50), 4000: ("under 400 ms", 400)}
    for count in (1, 100, 1000, 4000):
        name = f"{count} address{'es' if count > 1 else ''}"
        last = bench.row(f"{name} taken over: last one answers", "ms", *wanted.get(count, ("", None)))
        told = bench.row(f"{name} taken over: last one announced", "ms")
        beat = bench.row(f"{name} taken over: another instance's 10 ms adverts, longest gap", "ms",
                         "on time (under 20 ms)", 20, judge="worst")
        for subject in bench.alternate(bench.rounds(3 if count < 4000 else 2)):
            with bench.attempt(f"{name} taken over: {subject}"):
                result = _takeover(subject, count)
                bench.record(last, subject, result["last_answered_ms"], **result)
                bench.record(told, subject, result["last_announced_ms"])
                bench.record(beat, subject, result["beat_gap_ms"], idle_ms=result["beat_gap_idle_ms"])


def _takeover(subject, count):
    spec = [rigs.Router(51, 100, rigs.block(count)), rigs.Router(52, 10, [rigs.VIP + "/24"], {"b": 150})]
    with rigs.Rig(subject, spec) as rig:
        rig.settle(60)
        watch = rig.watch(51, 52, rigs.BLOCK, count, 60000)
        time.sleep(1.0)  # how regular the other adverts are before
        rig.cut(rig.a)
        result = json.loads(watch.popen.stdout.readline())
        if result["answered"] != count or result["announced"] != count:
            raise RuntimeError(f"not every address came within 60 s: {result}\n{rig.lab.logs(20)}")
        return result


def _every(interval_ms):
    return "adverts every " + (f"{interval_ms // 1000} s" if interval_ms >= 1000 else f"{interval_ms} ms")


def _instances(count):
    return f"{count} instance{'s' if count > 1 else ''}"


# In this order; the names are what ONLY= takes.
ALL = {"silence": silence_host_lost, "survival": survival.survival, "cpu": cpu, "soak": soak, "takeover": takeover,
       "memory": memory, "checks": checks.checks, "follow": follow.follow,
       "splits": split_brain.split_brain, "status": status.status}
