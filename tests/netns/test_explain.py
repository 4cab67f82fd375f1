"""test_explain.py - GET /v1/instances/NAME/explain: the reasoning in words, compared with what was set up."""

import json
import re

from daemons import conf, instance


def explain(daemon, name="pg"):
    """The document, and its lines by section title."""
    code, body = daemon.get(f"/v1/instances/{name}/explain")
    assert code == 200, body
    doc = json.loads(body)
    return doc, {s["title"]: [one["text"] for one in s["lines"]] for s in doc["sections"]}


def said(lines, pattern):
    """Exactly one of these lines is this; what its groups hold."""
    found = [m for m in (re.fullmatch(pattern, one) for one in lines) if m]
    assert len(found) == 1, (pattern, lines)
    return found[0].groups()


def seconds(text):
    number, unit = text.split()
    return float(number) * {"ms": 0.001, "s": 1, "min": 60, "h": 3600}[unit]


def test_active_and_backup_tell_what_comes_next(lab):
    a, b = lab.host("a"), lab.host("b")
    # adverts every second: skew time (256 - 100) / 256 s, down interval 3 s more
    da = a.vrrpd(conf(instance(priority=150, advert_interval="1s")))
    da.wait_state("pg", "active")
    doc, lines = explain(da)
    assert doc["state"] == "active" and re.fullmatch(r"nobody was heard for 3\d\d\d ms", doc["reason"]), doc
    said(lines["now"], "this node is the active one")
    said(lines["now"], "1 of 1 address is in place on this node")
    said(lines["priority"], "base 150")
    said(lines["priority"], "effective priority 150")
    said(lines["heard"], "nobody yet")
    low, high = said(lines["next"], "if this host fails without a word, it takes over after (.*) to (.*), by its priority")
    assert (seconds(low), seconds(high)) == (3.0, 4.0)
    said(lines["problems"], "none that can be seen from here")
    db = b.vrrpd(conf(instance(priority=100, advert_interval="1s")))
    db.wait_state("pg", "backup")
    lab.wait_until(lambda: db.instance()["active_node"], 5, "b hears a")
    doc, lines = explain(db)
    assert (doc["name"], doc["mode"], doc["state"], doc["reason_code"]) == ("pg", "vrrp", "backup", "started")
    said(lines["now"], "10.77.1.1 is the active node, with priority 150")
    said(lines["now"], "0 of 1 address is in place on this node")
    said(lines["heard"], "10.77.1.1: .* ago, with priority 150, adverts every 1.0 s")
    (skew,) = said(lines["next"], "if 10.77.1.1 stops in order, this node takes over after at most (.*), without loss")
    (down,) = said(lines["next"], "if it fails without a word, this node takes over after about (.*)")
    assert (seconds(skew), seconds(down)) == (0.609, 3.6)
    said(lines["next"], "if this node stops, nothing changes: 10.77.1.1 goes on")
    # and it does happen so
    da.stop()
    db.wait_state("pg", "active")
    doc, lines = explain(db)
    assert (doc["state"], doc["reason"]) == ("active", "10.77.1.1 left (priority 0)")
    said(lines["heard"], r"10.77.1.1: .* ago, it left then \(priority 0\)")


def test_checks_weights_and_commands_make_the_priority(lab):
    a = lab.host("a")
    checks = {"good": {"kind": "script", "command": ["/bin/true"], "interval": "100ms"},
              "bad": {"kind": "script", "command": ["/bin/false"], "interval": "100ms", "fall": 1}}
    track = ({"check": "good", "weight": 10}, {"check": "bad", "weight": -30}, {"interface": "eth0"})
    da = a.vrrpd(conf(instance(priority=150, track=track), checks=checks))
    da.wait_state("pg", "active")
    lab.wait_until(lambda: da.instance()["priority"]["effective"] == 130, 5, "both checks count")
    _, lines = explain(da)
    said(lines["priority"], r"check good is up \(.*\): \+10")
    said(lines["priority"], r"check bad is down \(exit status 1.*\): -30")
    said(lines["priority"], "interface eth0 is up: fit")
    said(lines["priority"], "effective priority 130")
    assert da.get("/v1/instances/pg/priority?value=90&for=10m", method="POST")[0] == 200
    assert da.get("/v1/instances/pg/takeover", method="POST")[0] == 200
    _, lines = explain(da)
    said(lines["priority"], r"base 90 by command \(150 configured\), for (9 min|600.0 s) more")
    said(lines["priority"], "told to take over: 254 instead of all that, until vrrpctl resume pg")
    said(lines["priority"], "effective priority 254")
    assert da.get("/v1/instances/pg/drain", method="POST")[0] == 200
    da.wait_state("pg", "initialize")
    _, lines = explain(da)
    said(lines["next"], "drained: this node stays away until vrrpctl resume pg")


def test_unfit_says_what_must_be_mended(lab):
    a = lab.host("a")
    checks = {"bad": {"kind": "script", "command": ["/bin/false"], "interval": "100ms", "fall": 1}}
    da = a.vrrpd(conf(instance(track=({"check": "bad"},)), checks=checks))
    da.wait_state("pg", "fault")
    lab.wait_until(lambda: da.instance()["reason_code"] == "check_failed", 5, "the check has failed")
    doc, lines = explain(da)
    assert doc["reason"] == "check bad failed"
    said(lines["priority"], r"check bad is down \(.*\): this node is unfit")
    said(lines["next"], "this node takes part again as soon as that is mended")
    said(lines["next"], "no active node is known: nobody may be holding the addresses")


def test_what_is_wrong_between_two_hosts(lab):
    a, b = lab.host("a"), lab.host("b")
    two = ("10.77.1.100/24", "10.77.1.86/24")
    da = a.vrrpd(conf(instance(address=two)))
    da.wait_state("pg", "active")
    db = b.vrrpd(conf(instance(address=("10.77.1.100/24", "10.77.1.87/24"), preempt=False)))
    lab.wait_until(lambda: db.instance()["peers"], 5, "b hears a")
    doc, lines = explain(db)
    said(lines["problems"],
         "10.77.1.1 announces other addresses than we have: 10.77.1.87 is missing there, 10.77.1.86 is missing here")
    said(lines["problems"], "10.77.1.1 has our priority 100: the higher address decides; give each node its own priority")
    assert all(one["warning"] for s in doc["sections"] if s["title"] == "problems" for one in s["lines"])
    assert lines["problems"] == db.instance()["warnings"]
    da.stop()
    a.vrrpd(conf(instance(address=("10.77.1.100/24",), priority=150)))
    lab.wait_until(lambda: any("10.77.1.87 is missing there" in one and "missing here" not in one
                               for one in explain(db)[1]["problems"]), 5, "only one is missing there now")


def test_two_actives_that_cannot_hear_each_other(lab):
    a, b = lab.host("a"), lab.host("b")
    for host in (a, b):
        host.drop("ip protocol 112")
    da = a.vrrpd(conf(instance(priority=150)))
    db = b.vrrpd(conf(instance(priority=100)))
    da.wait_state("pg", "active")
    db.wait_state("pg", "active")

    def suspected():
        return [one for one in explain(da)[1]["problems"] if "is protocol 112 open in the firewalls" in one]

    lab.wait_until(suspected, 10, "a suspects the firewall")
    (line,) = suspected()
    assert line.startswith("another host claims the addresses, but we hear no adverts of it although interface eth0 is up")


def test_preempt_off_and_delay(lab):
    a, b = lab.host("a"), lab.host("b")
    da = a.vrrpd(conf(instance(priority=100)))
    da.wait_state("pg", "active")
    db = b.vrrpd(conf(instance(priority=150, preempt=False), instance("other", "10.77.1.101/24", vrid=52)))
    lab.wait_until(lambda: db.instance()["active_node"], 5, "b hears a")
    said(explain(db)[1]["next"], r"this node has the higher priority \(150 to 100\), but preempt = false: it takes over "
         "only when the active node leaves or fails, or by vrrpctl takeover pg")
    assert db.get("/v1/instances/nobody/explain")[0] == 404


def test_follow_names_the_store(lab):
    a = lab.host("a")
    leader = {"store": "etcd3", "endpoints": ["http://10.77.1.9:2379"], "key": "/x/leader", "value": "a"}
    da = a.vrrpd(conf({"name": "f", "mode": "follow", "interface": "eth0", "addresses": ("10.77.1.101/24",),
                       "leader": leader}))
    lab.wait_until(lambda: da.instance("f")["leader"]["fact"] == "lost", 10, "the store is known to be away")
    _, lines = explain(da, "f")
    said(lines["leader"], "etcd3 /x/leader cannot be reached")
    said(lines["next"], "as soon as the key names this node, it takes the addresses")
    assert "priority" not in lines and "heard" not in lines
