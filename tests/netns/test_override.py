"""test_override.py - what an operator says by command: take over, another priority, for a time; what outlives what."""

import json
import signal

from daemons import conf, instance
from pairs import rewrite


def post(daemon, verb, name="pg", query=""):
    """The API's answer to a command, which must have been carried out."""
    code, body = daemon.get(f"/v1/instances/{name}/{verb}{query}", method="POST")
    assert code == 200, (code, body)
    return json.loads(body)


def refused(daemon, verb, code, name="pg", query=""):
    """What a refusal says; nothing may have changed."""
    before = daemon.instance(name)
    got, body = daemon.get(f"/v1/instances/{name}/{verb}{query}", method="POST")
    assert got == code, (got, body)
    after = daemon.instance(name)
    for key in ("state", "drained", "takeover", "priority", "priority_override"):
        assert before[key] == after[key], key
    return json.loads(body)["detail"]


def pair(lab, **options):
    a, b = lab.host("a"), lab.host("b")
    da = a.vrrpd(conf(instance(priority=150, **options)))
    da.wait_state("pg", "active")
    db = b.vrrpd(conf(instance(priority=100, **options)))
    db.wait_state("pg", "backup")
    lab.wait_until(lambda: db.instance()["active_node"], 5, "b hears a")
    return a, b, da, db


def test_takeover_and_back_without_loss(lab):
    a, b, da, db = pair(lab, preempt=False)
    probe = lab.host("client").probe("icmp", "10.77.1.100", interval_us=5000)
    probe.wait_answers()
    done = post(db, "takeover")
    assert done["done"] == "takeover" and done["takeover"] and done["priority"] == 254 and done["left_s"] is None
    assert db.wait_state("pg", "active")["reason_code"] == "takeover"
    one = da.wait_state("pg", "backup")
    assert one["reason"] == "10.77.1.2 advertises priority 254, higher than ours (150)"
    one = db.instance()
    assert one["takeover"] and one["takeover_left_s"] is None
    assert one["priority"] == {"base": 100, "effective": 254} and one["priority_override"] is None
    lab.wait_until(lambda: not a.holds("10.77.1.100"), 5, "a has let go")
    assert b.holds("10.77.1.100")
    post(db, "resume")
    lab.wait_until(lambda: not db.instance()["takeover"], 5, "undone")
    assert db.state() == "active"  # preempt = false: nobody takes it away
    assert probe.silence_ms(probe.report()) < 500


def test_takeover_refused(lab):
    _, b, da, db = pair(lab)
    post(da, "takeover")  # it is Active already: it stays so whoever comes
    assert "advertises priority 254" in _refused_when_heard(lab, db)
    post(da, "resume")
    post(db, "drain")
    assert refused(db, "takeover", 409) == "pg is drained here: vrrpctl resume pg first"
    post(db, "resume")
    b.link_down()
    db.wait_state("pg", "fault")
    assert "unfit here: interface eth0 " in refused(db, "takeover", 409)
    assert "is no duration" in refused(da, "takeover", 400, query="?for=10")
    assert "not understood" in refused(da, "takeover", 400, query="?four=10m")
    assert "a priority is 1 to 254" in refused(da, "priority", 400, query="?value=255")
    assert "a priority is 1 to 254" in refused(da, "priority", 400)
    assert "there are: pg" in json.loads(da.get("/v1/instances/x/takeover", method="POST")[1])["detail"]


def _refused_when_heard(lab, db):
    lab.wait_until(lambda: db.instance()["active_node"]["priority"] == 254, 5, "b hears priority 254")
    return refused(db, "takeover", 409)


def test_takeover_of_owner_and_of_a_store(lab):
    a = lab.host("a")
    leader = {"store": "etcd3", "endpoints": ["http://10.77.1.9:2379"], "key": "/x/leader", "value": "a"}
    follow = {"name": "f", "mode": "follow", "interface": "eth0", "addresses": ("10.77.1.101/24",), "leader": leader}
    da = a.vrrpd(conf(instance(priority=255), follow))
    da.wait_state("pg", "active")
    assert "priority 255" in refused(da, "takeover", 409)
    assert "priority 255" in refused(da, "priority", 409, query="?value=3")
    assert "its store says" in refused(da, "takeover", 409, name="f")
    assert "its store says" in refused(da, "priority", 409, name="f", query="?value=3")


def test_priority_moves_the_address_until_reset(lab):
    _, _, da, db = pair(lab)
    done = post(da, "priority", query="?value=50")
    assert done["priority"] == 50 and done["done"] == "priority"
    db.wait_state("pg", "active")
    one = da.instance()
    assert one["priority"] == {"base": 150, "effective": 50}
    assert one["priority_override"] == 50 and one["priority_override_left_s"] is None
    assert post(da, "priority", query="?value=reset")["priority"] == 150
    da.wait_state("pg", "active")
    post(db, "priority", query="?value=200&for=3s")
    left = db.instance()["priority_override_left_s"]
    assert 0 < left <= 3
    db.wait_state("pg", "active")
    lab.wait_until(lambda: db.instance()["priority_override"] is None, 10, "the priority's time is over")
    da.wait_state("pg", "active")


def test_drain_ends_by_itself(lab):
    _, _, da, db = pair(lab)
    done = post(da, "drain", query="?for=2s")
    assert done["drained"] and done["left_s"] == 2.0
    db.wait_state("pg", "active")
    assert 0 < da.instance()["drained_left_s"] <= 2
    da.wait_state("pg", "active", deadline=10)
    one = da.instance()
    assert not one["drained"] and one["drained_left_s"] is None


def test_overrides_outlive_crash_reload_stop_and_kill(lab):
    a, _, da, db = pair(lab)
    post(da, "drain", query="?for=10m")
    post(da, "priority", query="?value=120")
    db.wait_state("pg", "active")

    def as_said():
        one = da.try_status() and da.instance()
        return one and one["drained"] and 0 < one["drained_left_s"] <= 600 and one["priority_override"] == 120

    old = da.signal_role("engine", signal.SIGKILL)
    lab.wait_until(lambda: da.processes().get("engine") not in (None, old), 5, "another engine")
    lab.wait_until(as_said, 5, "the same after a crash of the engine")
    rewrite(da, conf(instance(priority=140)))
    assert da.ctl("reload").returncode == 0
    assert as_said() and da.instance()["priority"]["base"] == 140
    da.stop()
    da = a.vrrpd(conf(instance(priority=140)))
    lab.wait_until(as_said, 10, "the same after stop and start")
    da.kill_all()
    da = a.vrrpd(conf(instance(priority=140)))
    lab.wait_until(as_said, 10, "the same after everything was killed")
    post(da, "resume")
    post(da, "priority", query="?value=reset")
    da.wait_state("pg", "active")
    da.stop()
    da = a.vrrpd(conf(instance(priority=140)))
    assert da.wait_state("pg", "active")["priority_override"] is None


def test_overrides_go_by_name(lab):
    """Over a stop and a start, and over a restart in place that puts the instances in another order."""
    a = lab.host("a")
    three = {n: instance(n, f"10.77.1.{100 + k}/24", vrid=51 + k) for k, n in enumerate("xab")}
    da = a.vrrpd(conf(*(three[n] for n in "xab")))
    for n in "xab":
        da.wait_state(n, "active")
    post(da, "drain", "a")
    post(da, "priority", "b", "?value=200")
    da.stop()
    da = a.vrrpd(conf(*(three[n] for n in "xab")))
    said = {n: (da.instance(n)["drained"], da.instance(n)["priority_override"]) for n in "xab"}
    assert said == {"x": (False, None), "a": (True, None), "b": (False, 200)}
    for n in "xb":
        da.wait_state(n, "active")
    rewrite(da, conf(*(three[n] for n in "bxa")))
    old = da.processes()["engine"]
    da.signal(signal.SIGUSR2)
    lab.wait_until(lambda: da.processes().get("engine") not in (None, old) and da.try_status(), 5, "restarted in place")
    assert {n: da.wait_state(n, "active")["reason_code"] for n in "xb"} == {"x": "resumed", "b": "resumed"}
    said = {n: (da.instance(n)["drained"], da.instance(n)["priority_override"]) for n in "xab"}
    assert said == {"x": (False, None), "a": (True, None), "b": (False, 200)}


def test_drain_outlives_another_interface(lab2):
    """A reload that makes it another virtual router: what was said by command is said of the name."""
    a = lab2.host("a", lans=(1, 2))
    da = a.vrrpd(conf(instance()))
    da.wait_state("pg", "active")
    post(da, "drain")
    rewrite(da, conf(instance(address="10.77.2.100/24", interface="eth1")))
    assert da.ctl("reload").returncode == 0
    one = da.instance()
    assert one["interface"] == "eth1" and one["drained"] and one["state"] == "initialize"


def test_priority_is_reset_whatever_the_configuration_says_now(lab):
    a = lab.host("a")
    da = a.vrrpd(conf(instance(priority=100)))
    da.wait_state("pg", "active")
    post(da, "priority", query="?value=120")
    rewrite(da, conf(instance(priority=255)))
    assert da.ctl("reload").returncode == 0
    assert post(da, "priority", query="?value=reset")["priority"] == 255
    assert da.instance()["priority_override"] is None
    assert "longer than ten years" in refused(da, "drain", 400, query="?for=999999h")


def test_drained_and_unfit_says_both(lab):
    a = lab.host("a")
    da = a.vrrpd(conf(instance()))
    da.wait_state("pg", "active")
    post(da, "drain")
    a.link_down()
    da.wait_state("pg", "fault")
    lines = [one["text"] for s in json.loads(da.get("/v1/instances/pg/explain")[1])["sections"] for one in s["lines"]]
    assert "drained: also when that is mended, this node stays away until vrrpctl resume pg" in lines
