"""test_checks.py - script checks that lower the priority or make unfit, one of them for the real HAProxy."""

import os

import pytest

import daemons
from daemons import conf, instance

VIP = "10.77.1.100"


def flag_check(host, **options):
    """A check that is up while the host's flag file exists, and the file."""
    flag = os.path.join(host.dir, "flag")
    check = {
        "kind": "script",
        "command": [
            "/bin/sh",
            "-c",
            f"test -e {flag} && echo flag is there || " "{ echo flag is missing; exit 1; }",
        ],
        "interval": "100ms",
        "timeout": "100ms",
        "rise": 2,
        "fall": 2,
    }
    check.update(options)
    with open(flag, "w", encoding="ascii"):
        pass
    return flag, check


def pair(lab, weight):
    a, b = lab.host("a"), lab.host("b")
    flag, check = flag_check(a)
    track = {"check": "flag"} if weight is None else {"check": "flag", "weight": weight}
    da = a.vrrpd(conf(instance(priority=150, track=(track,)), node="a", checks={"flag": check}))
    da.wait_state("pg", "active")
    db = b.vrrpd(conf(instance(priority=100), node="b"))
    db.wait_state("pg", "backup")
    return flag, da, db


@pytest.mark.parametrize("weight", [None, -60])
def test_check_fails_and_recovers(lab, weight):
    flag, da, db = pair(lab, weight)
    check = da.instance()["checks"][0]
    assert (check["name"], check["state"], check["last"]) == ("flag", "up", "flag is there")
    os.unlink(flag)
    one = da.wait_state("pg", "fault" if weight is None else "backup")
    if weight is None:
        assert one["reason"] == "check flag failed"
    else:
        assert one["priority"] == {"base": 150, "effective": 90}
    assert one["checks"][0]["state"] == "down" and one["checks"][0]["last"] == "flag is missing"
    db.wait_state("pg", "active")
    lab.wait_until(lambda: lab.holders(VIP) == ["b"], 5, "b alone holds the address")
    assert da.ctl("status").returncode == 1 or weight is not None
    with open(flag, "w", encoding="ascii"):
        pass
    da.wait_state("pg", "active")
    db.wait_state("pg", "backup")
    lab.wait_until(lambda: lab.holders(VIP) == ["a"], 5, "a alone holds the address")


def test_a_failing_check_keeps_the_instance_from_starting(lab):
    a = lab.host("a")
    flag, check = flag_check(a)
    os.unlink(flag)
    d = a.vrrpd(conf(instance(priority=255, track=({"check": "flag"},)), node="a", checks={"flag": check}))
    lab.wait_until(lambda: d.instance()["checks"][0]["state"] == "down", 5, "the check has run")
    one = d.instance()
    assert one["state"] == "fault" and "check flag" in one["reason"]
    assert not a.holds(VIP)


def sleepers(host):
    """Processes of the host that run sleep(1)."""
    found = []
    for pid in host.pids():
        try:
            with open(f"/proc/{pid}/comm", encoding="ascii") as f:
                if f.read().strip() == "sleep":
                    found.append(pid)
        except OSError:
            continue
    return found


def test_a_check_that_hangs_counts_as_failed(lab):
    a = lab.host("a")
    flag = os.path.join(a.dir, "hang")
    check = {
        "kind": "script",
        "command": ["/bin/sh", "-c", f"test -e {flag} && sleep 100; exit 0"],
        "interval": "200ms",
        "timeout": "200ms",
        "rise": 1,
        "fall": 2,
    }
    d = a.vrrpd(conf(instance(track=({"check": "slow"},)), node="a", checks={"slow": check}))
    d.wait_state("pg", "active")
    with open(flag, "w", encoding="ascii"):
        pass
    lab.wait_until(lambda: sleepers(a), 2, "the check hangs")
    d.wait_state("pg", "fault")
    os.unlink(flag)
    d.wait_state("pg", "active")
    lab.wait_until(lambda: not sleepers(a), 5, "what hung has been ended")


@pytest.mark.parametrize("policy", ["fail", "hold"])
def test_agent_gone(lab, policy):
    """Results expire by the check's own policy; adverts never stop."""
    a = lab.host("a")
    _, check = flag_check(a, on_stale=policy)
    d = a.vrrpd(conf(instance(track=({"check": "flag"},)), node="a", checks={"flag": check}))
    d.wait_state("pg", "active")
    capture = a.capture()
    pid = d.signal_role("agent", 19)  # SIGSTOP: there, but silent
    try:
        if policy == "hold":
            lab.wait_until(lambda: len(capture.frames()) > 20, 5, "two seconds of adverts")
            assert a.holds(VIP)
        else:
            lab.wait_until(lambda: not a.holds(VIP), 8, "the address is given up")
    finally:
        os.kill(pid, 18)
    d.wait_state("pg", "active")


def test_haproxy_stopped(lab):
    """scripts/check_haproxy against the real HAProxy: when it goes, the address goes to the other host."""
    hosts = [lab.host("a"), lab.host("b")]
    check = os.path.join(lab.scripts(), "check_haproxy")
    proxies, vrrpds = [], []
    for host, priority in zip(hosts, (150, 100)):
        daemons.web_server(host)
        proxies.append(daemons.web_proxy(host))
        vrrpds.append(
            host.vrrpd(
                conf(
                    instance(priority=priority, track=({"check": "haproxy"},)),
                    node=host.name,
                    checks={
                        "haproxy": {
                            "kind": "script",
                            "command": [check, "--socket", proxies[-1].socket_path],
                            "interval": "500ms",
                            "timeout": "500ms",
                            "rise": 1,
                            "fall": 2,
                        }
                    },
                )
            )
        )
    vrrpds[0].wait_state("pg", "active")
    vrrpds[1].wait_state("pg", "backup")
    client = lab.host("client")
    probe = client.probe("http", VIP, port=80, interval_us=5000)
    probe.wait_answers()
    proxies[0].kill()
    one = vrrpds[0].wait_state("pg", "fault")
    assert one["reason"] == "check haproxy failed"
    vrrpds[1].wait_state("pg", "active")
    assert probe.wait_answers()[-1]["who"].keys() == {"b"}
    daemons.web_proxy(hosts[0])
    vrrpds[0].wait_state("pg", "active")
    lab.wait_until(lambda: probe.report()["who"].keys() == {"a"}, 5, "a answers again")
