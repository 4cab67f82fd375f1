"""test_events.py - events over the lives of agents and daemons, who follows them, and who may change something."""

import grp
import http.client
import json
import os
import pwd
import signal
import socket
import subprocess

import pytest

from daemons import conf, instance

VIP = "10.77.1.100"


def one(priority=150, interval="100ms", **settings):
    return conf(instance("pg", f"{VIP}/24", priority=priority, advert_interval=interval), **settings)


def events(d, query=""):
    code, body = d.get("/v1/events" + query)
    assert code == 200, body
    return [json.loads(line) for line in body.splitlines()]


def seqs(d):
    return [e["seq"] for e in events(d)]


def counted(d):
    """Transitions by reason, as the metrics have it."""
    _, body = d.get("/metrics")
    lines = [line for line in body.splitlines() if line.startswith("vrrpd_transitions_total{")]
    return {line.rpartition(" ")[0]: int(line.rpartition(" ")[2]) for line in lines}


def new_agent(d, old):
    def there():
        now = d.processes().get("agent")
        return now is not None and now != old and d.try_status() is not None

    d.host.lab.wait_until(there, 10, f"{d.host.name}: another agent answers")


def kill_agent(d):
    old = d.signal_role("agent", signal.SIGKILL)
    new_agent(d, old)


# ---- what outlives an agent ----------------------------------------------------------------------------------


def test_the_document(lab):
    """One event a line, with its number, its sentence and the figures that the sentence uses."""
    a, b = lab.host("a"), lab.host("b")
    da, db = a.vrrpd(one(150)), b.vrrpd(one(100))
    da.wait_state("pg", "active")
    db.wait_state("pg", "backup")
    a.link_down()
    db.wait_state("pg", "active")
    last = events(db, "?n=1")[0]
    assert list(last) == ["seq", "time", "instance", "from", "to", "reason", "text", "priority", "figures"]
    assert (last["instance"], last["from"], last["to"], last["reason"]) == ("pg", "backup", "active", "no_adverts")
    assert last["priority"] == 100
    assert last["figures"]["address"] == a.ip4()
    assert f"no adverts from {a.ip4()} for {last['figures']['ms']} ms" == last["text"]
    assert events(db, f"?since={last['seq'] - 1}") == [last]
    code, body = db.get("/v1/events?last=3")
    assert code == 400 and json.loads(body)["error"] == "bad query", body


def test_ring_and_counters_outlive_everything(lab):
    """The agent is killed, the configuration read again, the program restarted in place: nothing is forgotten."""
    a = lab.host("a")
    d = a.vrrpd(one(interval="10ms"))
    d.wait_state("pg", "active")
    before, counts = events(d), counted(d)
    assert before and counts
    kill_agent(d)
    assert events(d) == before and counted(d) == counts
    with open(d.conf_path, "w", encoding="utf-8") as f:
        f.write(one(interval="10ms", control={"events": 10}))
    assert d.ctl("reload").returncode == 0
    assert events(d)[: len(before)] == before
    for _ in range(6):  # each resume and drain is two events or more
        assert d.ctl("drain", "pg").returncode == 0
        d.wait_state("pg", "initialize")
        assert d.ctl("resume", "pg").returncode == 0
        d.wait_state("pg", "active")
    now = seqs(d)
    assert len(now) == 10 and now == list(range(now[0], now[0] + 10)), now
    kept, counts = events(d), counted(d)
    d.signal(signal.SIGUSR2)
    lab.wait_until(lambda: "executing" in d.log_text() and d.try_status(), 10, "restarted in place")
    lab.wait_until(lambda: seqs(d)[-1] >= kept[-1]["seq"] + 1, 5, "the next engine has told how it went on")
    after = {e["seq"]: e for e in events(d)}
    assert all(after.get(e["seq"], e) == e for e in kept), (kept, after)
    assert min(after) > kept[0]["seq"], "the ring goes on where it was"
    for line, n in counts.items():
        assert counted(d)[line] >= n


@pytest.mark.parametrize("how", ["hung", "dead"])
def test_transition_without_an_agent(lab, how):
    """What happens while no agent reads is told to the next one, as it was, and counted once."""
    a, b = lab.host("a"), lab.host("b")
    da, db = a.vrrpd(one(150)), b.vrrpd(one(100))
    da.wait_state("pg", "active")
    db.wait_state("pg", "backup")
    last = events(db)[-1]["seq"]
    old = db.processes()["agent"]
    if how == "hung":
        os.kill(old, signal.SIGSTOP)  # what the engine tells it now, it takes with it
    else:
        db.signal(signal.SIGSTOP)  # nobody starts another one
        os.kill(old, signal.SIGKILL)
    try:
        a.link_down()
        lab.wait_until(lambda: b.holds(VIP), 5, "b has taken over")
    finally:
        db.signal(signal.SIGCONT)
    if how == "hung":
        os.kill(old, signal.SIGKILL)
    new_agent(db, old)
    news = lab.wait_until(lambda: events(db, f"?since={last}"), 5, "the take-over is among the events")
    assert [(e["from"], e["to"], e["reason"]) for e in news] == [("backup", "active", "no_adverts")], news
    line = 'vrrpd_transitions_total{instance="pg",to="active",reason="no_adverts"}'
    assert counted(db)[line] == 1
    kill_agent(db)
    assert events(db, f"?since={last}") == news, "told again, and known"
    assert counted(db)[line] == 1


# ---- vrrpctl events -f ------------------------------------------------------------------------------------------


def ctl_events(d, *args):
    return subprocess.Popen(
        [os.path.join(d.build, "vrrpctl"), "--run-dir", d.run_dir, "events", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_follow_over_restarts_of_the_agent(lab):
    """-f goes on where it was when the agent is killed, says so once, and ends with 0 when it is told to."""
    a = lab.host("a")
    d = a.vrrpd(one())
    d.wait_state("pg", "active")
    first = seqs(d)[-1]
    p = ctl_events(d, "-f", "-j", "-n", "1")
    try:
        lines = [json.loads(p.stdout.readline())]
        assert lines[0]["seq"] == first
        kill_agent(d)
        d.ctl("drain", "pg")
        while lines[-1]["to"] != "initialize" and lines[-1]["reason"] != "drained":
            lines.append(json.loads(p.stdout.readline()))
        p.send_signal(signal.SIGINT)
        out, err = p.communicate(timeout=10)
    finally:
        p.kill()
        p.wait()
    lines += [json.loads(line) for line in out.splitlines()]
    assert [e["seq"] for e in lines] == list(range(first, first + len(lines))), lines
    assert err.count("\n") == 1 and "the connection to vrrpd was lost" in err, err
    assert p.returncode == 0


def test_follow_nobody(lab):
    """Exit status 4 when nobody is there."""
    a = lab.host("a")
    d = a.vrrpd(one())
    d.stop()
    done = d.ctl("events", "-f")
    assert done.returncode == 4, done
    assert "is vrrpd running" in done.stderr, done.stderr


def test_follow_when_too_many_do(lab):
    """The 65th follower is told so; one that went makes room."""
    a = lab.host("a")
    d = a.vrrpd(one())
    sockets = []
    for _ in range(64):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(5)
        s.connect(d.socket_path)
        s.sendall(b"GET /v1/events?follow=1&n=0 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert s.recv(4096).startswith(b"HTTP/1.1 200 "), "it follows"
        sockets.append(s)
    done = d.ctl("events", "-f")
    assert done.returncode == 1 and "64 clients follow the events" in done.stderr, done
    sockets.pop().close()
    lab.wait_until(lambda: d.get("/v1/events?n=0&follow=0")[0] == 200, 5, "it answers others")
    for s in sockets:
        s.close()


# ---- who may ----------------------------------------------------------------------------------------------------


def as_user(uid, gid, groups, folder, work):
    """Run work() in a child of this user, in this folder; what it returns, by way of JSON."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.chdir(folder)  # as root: the folders above may be closed to others
            os.setgroups(groups)
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            result = work()
        except OSError as e:
            result = e.__class__.__name__
        os.write(write, json.dumps(result).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, encoding="utf-8") as f:
        text = f.read()
    os.waitpid(pid, 0)
    return json.loads(text)


def ask(method, path, name="vrrpd.sock"):
    """One request over the socket in this folder: its status and what it says."""
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(5)
    s.connect(name)
    c = http.client.HTTPConnection("-")
    c.sock = s
    c.request(method, path)
    r = c.getresponse()
    return r.status, r.read().decode()


def someone():
    """A user and a group that are neither root's nor the agent's; the group is not the user's."""
    user = pwd.getpwnam("daemon")
    group = next(
        g for g in grp.getgrall() if g.gr_gid not in (0, user.pw_gid, 65534) and g.gr_name not in ("vrrpd", "nogroup")
    )
    return user.pw_uid, user.pw_gid, group


def test_who_may_change_something(lab):
    """By the group, whatever the file's mode is; everybody who gets in may read."""
    uid, gid, group = someone()
    a = lab.host("a")
    d = a.vrrpd(one(control={"group": group.gr_name}))
    d.wait_state("pg", "active")
    drain, status = ("POST", "/v1/instances/pg/drain"), ("GET", "/v1/status")

    def outsider(what):
        return as_user(uid, gid, [], d.run_dir, lambda: ask(*what))

    def member(what):
        return as_user(uid, gid, [group.gr_gid], d.run_dir, lambda: ask(*what))

    assert outsider(status) == "PermissionError"
    os.chmod(d.socket_path, 0o666)
    assert outsider(status)[0] == 200
    code, body = outsider(drain)
    assert code == 403 and f'members of group \\"{group.gr_name}\\"' in body and f"uid {uid}" in body, body
    assert as_user(65534, 65534, [], d.run_dir, lambda: ask(*drain))[0] == 403, "whoever has no user of his own"
    assert d.instance("pg")["drained"] is False

    vrrpctl = os.open(os.path.join(d.build, "vrrpctl"), os.O_RDONLY)
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.chdir(d.run_dir)
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        os.dup2(write, 2)
        os.execve(vrrpctl, ["vrrpctl", "--socket", "vrrpd.sock", "drain", "pg"], os.environ)
    os.close(write)
    os.close(vrrpctl)
    with os.fdopen(read, encoding="utf-8") as f:
        said = f.read()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
    assert f'drain of pg is for root and members of group "{group.gr_name}"' in said, said

    assert member(status)[0] == 200
    assert member(drain)[0] == 200
    lab.wait_until(lambda: d.instance("pg")["drained"], 5, "drained")
    assert member(("POST", "/v1/instances/pg/resume"))[0] == 200
    d.wait_state("pg", "active")
    os.chmod(d.socket_path, 0o660)
    assert member(("POST", "/v1/instances/pg/garp"))[0] == 200
    assert outsider(drain) == "PermissionError"
    assert d.ctl("drain", "pg").returncode == 0
    log = d.log_text()
    assert f"drain of pg asked for by uid {uid}" in log
    assert "drain of pg asked for by uid 0" in log
    assert f"drain of pg refused to uid {uid}" in log


def test_listener_changes_nothing(lab):
    """Every request that would change something gets 403 over TCP."""
    a = lab.host("a")
    d = a.vrrpd(one(control={"listen": f"{a.ip4()}:9650"}))
    d.wait_state("pg", "active")
    before = seqs(d)
    for path in (
        "/v1/instances/pg/drain",
        "/v1/instances/pg/resume",
        "/v1/instances/pg/garp",
        "/v1/reload",
        "/v1/checks/x/run",
    ):
        done = a.run(["curl", "-s", "-w", "%{http_code}", "-X", "POST", f"http://{a.ip4()}:9650{path}"])
        assert done.stdout.endswith("403") and "read-only" in done.stdout, (path, done.stdout)
    assert a.run(["curl", "-s", f"http://{a.ip4()}:9650/v1/events"]).stdout.splitlines(), "reading is fine"
    assert d.state() == "active" and seqs(d) == before and not d.instance("pg")["drained"]
    assert "reload" not in d.log_text()
