"""test_vrrpctl.py - what vrrpctl tells of commands, after it has seen them come true."""

import json
import re

from daemons import conf, instance


def pair(lab, **a_options):
    a, b = lab.host("a"), lab.host("b")
    da = a.vrrpd(conf(instance(priority=150, **a_options)))
    da.wait_state("pg", "active")
    db = b.vrrpd(conf(instance(priority=100)))
    db.wait_state("pg", "backup")
    lab.wait_until(lambda: db.instance()["active_node"], 5, "b hears a")
    return a, b, da, db


def done(process):
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_takeover_returns_when_it_is_active(lab):
    a, b, da, db = pair(lab)
    said = done(db.ctl("takeover", "pg"))
    # what was said was so
    assert db.state() == "active"
    assert said.startswith("pg: Active here (after ") and said.endswith("\n  it prefers itself until vrrpctl resume\n")
    assert "takeover: prefers itself until vrrpctl resume" in done(db.ctl("status", "pg"))
    lab.wait_until(lambda: lab.holders("10.77.1.100") == ["b"], 5, "b alone holds it")
    assert "takes part again, " in done(db.ctl("resume", "pg"))
    da.wait_state("pg", "active")
    answer = json.loads(done(db.ctl("takeover", "-j", "--for", "10m", "pg")))
    assert answer["done"] == "takeover" and answer["state"] == "active" and answer["confirmed"]
    assert 590 < answer["left_s"] <= 600
    assert "takeover: prefers itself for " in done(db.ctl("status", "pg"))


def test_takeover_that_is_refused_says_why(lab):
    _, _, _, db = pair(lab)
    done(db.ctl("drain", "pg"))
    refused = db.ctl("takeover", "pg")
    assert refused.returncode == 1 and refused.stdout == "" and "drained" in refused.stderr
    assert db.ctl("takeover", "nobody").returncode == 3


def test_priority_by_command(lab):
    _, _, da, db = pair(lab)
    said = done(da.ctl("priority", "pg", "10", "--for", "1h"))
    assert re.fullmatch(r"pg: priority 10 by command \(150 configured\), for (1 h 0 min|59 min \d+ s)\n", said)
    db.wait_state("pg", "active")
    assert "priority 10 by command (150 configured) for " in done(da.ctl("status", "pg"))
    assert done(da.ctl("priority", "pg", "reset")) == "pg: priority 150 as configured\n"
    da.wait_state("pg", "active")
    for wrong in ("0", "256", "999999"):
        refused = da.ctl("priority", "pg", wrong)
        assert refused.returncode == 1 and refused.stderr, wrong


def test_drain_tells_how_it_stands(lab):
    a, _, da, db = pair(lab)
    said = done(da.ctl("drain", "pg", "--for", "10m", "--wait"))
    assert said.startswith("pg: the addresses are gone from this node, 10.77.1.2 is Active (after "), said
    assert not a.holds("10.77.1.100") and db.state() == "active"
    assert re.search(r"\n  drained for (10 min|9 min \d+ s) more\n", done(da.ctl("status", "pg")))
    answer = json.loads(done(da.ctl("drain", "-j", "pg", "--wait")))
    assert answer["active_node"]["address"] == "10.77.1.2" and answer["confirmed"]
    # nobody else is there: it is gone and that is an error
    db.stop()
    alone = da.ctl("drain", "pg", "--wait")
    assert alone.returncode == 1 and "no other node is Active" in alone.stderr


def test_explain_and_texts_as_json(lab):
    _, _, da, _ = pair(lab)
    said = done(da.ctl("explain", "pg"))
    assert said.startswith("pg (mode vrrp): active for ")
    code, body = da.get("/v1/instances/pg/explain")
    assert code == 200
    for section in json.loads(body)["sections"]:
        assert f"\n{section['title']}\n" in said
    assert json.loads(done(da.ctl("explain", "-j", "pg")))["sections"]
    assert all(len(line) <= 80 for line in said.splitlines())
    text, series = done(da.ctl("metrics")), json.loads(done(da.ctl("metrics", "-j")))
    assert len(series) == sum(1 for line in text.splitlines() if line and not line.startswith("#"))
    assert all(set(one) == {"name", "labels", "value", "type"} and one["type"] != "untyped" for one in series)
    assert {"name": "vrrpd_instance_state", "labels": {"instance": "pg", "state": "active"}, "value": 1,
            "type": "gauge"} in series
    assert json.loads(done(da.ctl("config", "-j")))["config"] == done(da.ctl("config"))
