"""test_checks_score.py - graded checks: load that a server reports moves the address once, warm-up holds it back."""

import json
import os
import signal
import time

from daemons import conf, instance

from test_checks_local import VIP, Server, check, one, put, wait_check


class Load:
    """A web server on a host whose page says its load."""

    def __init__(self, host, value):
        self.value = value
        self.server = Server(host, 8080, self.serve)

    def serve(self, c):
        c.recv(4096)
        body = json.dumps({"load": {"cpu": self.value}})
        c.sendall(f"HTTP/1.0 200 OK\r\nX-Load: {self.value}\r\n\r\n{body}".encode())
        c.close()


def effective(d):
    return d.instance()["priority"]["effective"]


def transitions(*ds):
    return [d.instance()["counters"]["transitions"] for d in ds]


def start(host, priority, **options):
    """vrrpd that tracks one graded check c."""
    return host.vrrpd(
        conf(instance(priority=priority, track=({"check": "c"},)), node=host.name, checks={"c": check(**options)})
    )


def watch(lab, seconds, fn):
    """Call fn for so long, and look that the address stays where it is."""
    holders, end, seen = lab.holders(VIP), time.monotonic() + seconds, []
    while time.monotonic() < end:
        seen.append(fn())
        assert lab.holders(VIP) == holders
        time.sleep(0.02)
    return seen


def runs(d):
    found = [line for line in d.get("/metrics")[1].splitlines() if line.startswith("vrrpd_check_runs_total")]
    return sum(int(line.split()[-1]) for line in found)


def test_load_moves_the_address_once(lab):
    a, b = lab.host("a"), lab.host("b")
    loads = [Load(a, 20), Load(b, 10)]
    page = {"kind": "http", "url": "http://127.0.0.1:8080/", "interval": "50ms", "timeout": "50ms", "fall": 20}
    graded = {"scale": -80, "hysteresis": 10, "decay": "4s"}
    da = start(a, 150, score="json load.cpu", **page, **graded)
    db = start(b, 100, score="header X-Load", **page, **graded)
    da.wait_state("pg", "active")
    db.wait_state("pg", "backup")
    wait_check(da, "up", "status 200, load.cpu 20 (score 20, priority -16)")
    wait_check(db, "up", "status 200, X-Load 10 (score 10, priority -8)")
    assert (effective(da), effective(db)) == (134, 92)

    loads[0].value = 90.5  # worse: at once
    lab.wait_until(lambda: lab.holders(VIP) == ["b"], 5, "b alone holds the address")
    c = one(da)
    assert (c["state"], c["score"], c["priority_change"]) == ("up", 90.5, -72), c
    assert 'vrrpd_check_score{check="c"} 90.5\n' in da.get("/metrics")[1]
    before = transitions(da, db)
    done = runs(da)
    noise = iter([81, 99, 85.5, 92, 84, 96, 88] * 100)

    def wobble():
        loads[0].value = next(noise)
        return effective(da)

    assert set(watch(lab, 0.8, wobble)) == {78}
    assert transitions(da, db) == before and runs(da) > done + 5

    loads[0].value = 0  # better: little by little
    seen = []

    def back():
        seen.append(effective(da))
        return lab.holders(VIP) == ["a"]

    lab.wait_until(back, 5, "a alone holds the address again")
    assert seen == sorted(seen) and len(set(seen)) > 3, seen
    assert 92 <= seen[-1] < 140, seen
    assert transitions(da, db) == [before[0] + 1, before[1]]


def test_warmup(lab):
    a, b = lab.host("a"), lab.host("b")
    down = os.path.join(a.dir, "down")
    db = b.vrrpd(conf(instance(priority=100), node="b"))
    db.wait_state("pg", "active")
    da = start(a, 150, kind="file", path=down, interval="20ms", timeout="20ms", scale=-100, warmup="1s")

    def climbs():
        """A cold start: the address comes once the priority is above b's, and not before."""
        seen = []

        def arrived():
            now = da.instance()
            seen.append((now["priority"]["effective"], now["state"]))
            return now["state"] == "active" and now["priority"]["effective"] == 150

        lab.wait_until(arrived, 5, "a is warm")
        priorities = [p for p, _ in seen]
        assert priorities == sorted(priorities) and len(set(priorities)) > 3, seen
        assert all(p > 100 for p, state in seen if state == "active"), seen
        assert min(priorities) < 100 and "backup" in {state for _, state in seen}, seen

    climbs()
    assert one(da)["last"] == f"{down} does not exist (score 0, priority +0)"
    # Another agent is no cold start.
    before, old = transitions(da, db), da.processes()["agent"]
    os.kill(old, signal.SIGKILL)

    def another():
        status = da.try_status()
        return status and da.processes().get("agent") not in (None, old) and one(da)["last"]

    lab.wait_until(another, 5, "the next agent has a result")
    assert set(watch(lab, 0.3, lambda: effective(da))) == {150}
    assert transitions(da, db) == before
    # Down and up again is one.
    put(down)
    lab.wait_until(lambda: lab.holders(VIP) == ["b"], 5, "b alone holds the address")
    assert one(da)["priority_change"] == 0 and "(score" not in one(da)["last"]
    os.unlink(down)
    lab.wait_until(lambda: da.state() == "backup", 5, "a is fit again")
    assert "warming up" in one(da)["last"]
    climbs()
