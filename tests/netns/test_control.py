"""test_control.py - commands about running instances: drain, resume, garp; who may give them, what they answer."""

import json
import signal
import sys

from daemons import conf, instance
from wire import is_arp


ADDRESS = bytes([10, 77, 1, 100])


def pair(lab, **settings):
    a, b = lab.host("a"), lab.host("b")
    da = a.vrrpd(conf(instance(priority=150), instance("other", "10.77.1.101/24", vrid=52, priority=150), **settings))
    da.wait_state("pg", "active")
    db = b.vrrpd(conf(instance(priority=100), instance("other", "10.77.1.101/24", vrid=52, priority=100)))
    return a, b, da, db


def test_drain_one_then_all_then_resume(lab):
    a, b, da, db = pair(lab)
    done = da.ctl("drain", "pg", "--wait")
    assert done.returncode == 0, done.stderr
    assert "gone from this node" in done.stdout
    assert db.state() == "active" and db.state("other") == "backup"
    assert not a.holds("10.77.1.100") and b.holds("10.77.1.100")
    one = da.instance()
    assert one["drained"] and one["state"] == "initialize" and one["reason_code"] == "drained"
    assert da.ctl("status").returncode == 0  # wanted, so nothing is unfit
    done = da.ctl("drain", "--all", "--wait", "-j")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["done"] for line in done.stdout.splitlines()] == ["drain", "drain"]
    db.wait_state("other", "active")
    done = da.ctl("resume", "--all")
    assert done.returncode == 0 and "takes part again" in done.stdout
    da.wait_state("pg", "active")
    da.wait_state("other", "active")


def test_drained_outlives_engine_agent_and_restart(lab):
    _, _, da, db = pair(lab)
    assert da.ctl("drain", "pg", "--wait").returncode == 0
    for role in ("engine", "agent"):
        old = da.signal_role(role, signal.SIGKILL)
        lab.wait_until(lambda r=role, o=old: da.processes().get(r) not in (None, o), 5, f"another {role}")
        lab.wait_until(lambda: da.try_status() and da.instance()["drained"], 5, f"drained after the {role}")
    old = da.processes()["engine"]
    da.signal(signal.SIGUSR2)
    lab.wait_until(lambda: da.processes().get("engine") not in (None, old), 5, "restarted in place")
    lab.wait_until(lambda: da.try_status() and da.instance()["drained"], 5, "drained after the restart")
    assert db.state() == "active"
    assert da.ctl("resume", "pg").returncode == 0
    da.wait_state("pg", "active")


def test_garp_announces_again(lab):
    _, b, da, db = pair(lab)
    capture = b.capture(keep=is_arp)
    # the bursts after the take-over are over
    lab.wait_until(lambda: da.counters()["announcements_sent"] >= 10, 10, "both bursts have left")
    before = len(capture.frames())
    done = da.ctl("garp", "pg")
    assert done.returncode == 0 and "announced again" in done.stdout, done.stderr
    lab.wait_until(
        lambda: any(ADDRESS in f.data for f in capture.frames()[before:]), 5, "the address is announced again"
    )
    done = db.ctl("garp", "pg")
    assert done.returncode == 1 and "only its active node announces" in done.stderr


def test_who_may_and_what_is_answered(lab):
    a, _, da, _ = pair(lab, control={"listen": "127.0.0.1:9650"})
    assert da.ctl("drain", "nobody").returncode == 3
    code, body = da.get("/v1/instances/pg/drain")
    assert code == 405 and json.loads(body)["error"] == "method not allowed"
    code, body = da.get("/v1/instances/nobody/drain", method="POST")
    assert code == 404 and "there are: pg, other" in json.loads(body)["detail"]
    ask = "import urllib.request as u; u.urlopen(u.Request('http://127.0.0.1:9650/v1/reload', method='POST'))"
    done = a.run([sys.executable, "-c", ask], check=False)
    assert "403" in done.stderr
    assert da.state() == "active"
