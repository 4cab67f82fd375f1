"""test_services.py - what runs where the addresses are and nowhere else: order, failures, hand-over, and the real HAProxy."""

import os
import signal
import time

from daemons import WEB_PORT, conf, instance
from test_hooks import Diary, events, switch

VIP = "10.77.1.100"

# A service is a file. The program says when it is started and stopped, and whether the address is there.
PROGRAM = f"""
run=$(dirname $DIARY)/$2
ip -o addr | grep -q {VIP} && there=there || there=absent
case $1 in
start) echo "start $2 $there" >> $DIARY; test ! -e $run.broken && touch $run ;;
stop)
    echo "stop $2 $there" >> $DIARY; test ! -e $run.hangs || sleep 77; test ! -e $run.slow || sleep 1
    rm -f $run ;;
status) test -e $run ;;
esac
"""


class App:
    """Services of a host, each a file."""

    def __init__(self, host):
        self.host = host
        self.diary = Diary(host)
        self.program = self.diary.script(PROGRAM, "app.sh")

    def service(self, name, **options):
        triple = {k: [self.program, k, name] for k in ("start", "stop", "status")}
        return {"name": name, **triple, "user": "root", "interval": "100ms", "timeout": "2s", **options}

    def path(self, name, end=""):
        return os.path.join(self.host.dir, name + end)

    def runs(self, name):
        return os.path.exists(self.path(name))

    def set(self, name, end=""):
        with open(self.path(name, end), "w", encoding="ascii"):
            pass


def pair(lab, **options):
    """Two hosts with two services each, the first one Active: daemons and apps."""
    a, b = lab.host("a"), lab.host("b")
    apps = App(a), App(b)
    daemons = []
    for host, app, priority in ((a, apps[0], 150), (b, apps[1], 100)):
        services = tuple(app.service(name, **options) for name in ("one", "two"))
        daemons.append(host.vrrpd(conf(instance(services=services, priority=priority), node=host.name)))
        if host is a:
            daemons[0].wait_state("pg", "active")
    return *daemons, *apps


def running(d):
    """Names of the services that run, as the status says."""
    return [s["name"] for s in d.instance()["services"] if s["state"] == "running"]


def test_order_and_drain(lab):
    """Started in order when the addresses are there, stopped in reverse while they still are; then the other host has them."""
    da, db, aa, ab = pair(lab)
    lab.wait_until(lambda: running(da) == ["one", "two"], 5, "both run on a")
    assert aa.diary.lines() == ["start one there", "start two there"]
    lab.wait_until(lambda: running(db) == [] and db.instance()["services"][0]["state"] == "stopped", 5, "none on b")
    done = da.ctl("drain", "pg", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    assert aa.diary.lines()[2:] == ["stop two there", "stop one there"]
    lab.wait_until(lambda: running(db) == ["one", "two"], 5, "both run on b")
    assert lab.holders(VIP) == ["b"] and not aa.runs("one") and not aa.runs("two")
    assert [e["text"].split(",")[0] for e in events(da, "service_stopped")] == [
        "service two was stopped",
        "service one was stopped",
    ]
    da.ctl("resume", "pg")
    # It preempts: the services of the other host stop when it hears that, and start here.
    lab.wait_until(lambda: running(da) == ["one", "two"] and running(db) == [], 5, "all back on a")
    assert not ab.runs("one") and aa.runs("two")


def test_stop_and_leftovers(lab):
    """vrrpd's stop stops them first; a Backup stops what runs although it should not."""
    da, db, aa, ab = pair(lab)
    lab.wait_until(lambda: aa.runs("two"), 5, "they run")
    assert da.stop() == 0
    assert not aa.runs("one") and aa.diary.lines()[2:] == ["stop two there", "stop one there"]
    lab.wait_until(lambda: running(db) == ["one", "two"], 5, "b runs them")
    aa.set("two")
    da = aa.host.vrrpd(conf(instance(services=(aa.service("one"), aa.service("two")), priority=50), node="a"), name="again")
    lab.wait_until(lambda: not aa.runs("two"), 5, "the leftover is stopped")
    assert da.state() == "backup" and running(db) == ["one", "two"]


def test_failures(lab):
    """One that dies is started again; the third failure hands over, and a forgotten failure makes the host fit again."""
    da, db, aa, _ = pair(lab, failure_decay="2s")
    lab.wait_until(lambda: running(da) == ["one", "two"], 5, "both run")
    os.unlink(aa.path("one"))
    lab.wait_until(lambda: aa.runs("one"), 5, "started again")
    assert da.state() == "active" and db.state() == "backup"
    assert lab.wait_until(lambda: da.instance()["services"][0]["failures"] == 1, 5, "counted")
    assert da.instance()["services"][0]["last"] == "it does not run: exit status 1"
    aa.set("one", ".broken")
    os.unlink(aa.path("one"))
    reason = da.wait_state("pg", "fault", 10)["reason"]
    assert reason == "service one failed 3 times", reason
    lab.wait_until(lambda: lab.holders(VIP) == ["b"] and running(db) == ["one", "two"], 5, "b took over")
    assert not aa.runs("two")
    os.unlink(aa.path("one", ".broken"))
    lab.wait_until(lambda: running(da) == ["one", "two"], 15, "fit again, and it preempts")
    assert lab.holders(VIP) == ["a"]


def test_a_check_fails(lab):
    """Unfit by a check: the services stop before the addresses go."""
    a, b = lab.host("a"), lab.host("b")
    aa, ab = App(a), App(b)
    path, check = switch(a)
    da = a.vrrpd(
        conf(
            instance(services=(aa.service("one"),), track=({"check": "off"},), priority=150),
            node="a",
            checks={"off": check},
        )
    )
    da.wait_state("pg", "active")
    db = b.vrrpd(conf(instance(services=(ab.service("one"),)), node="b"))
    lab.wait_until(lambda: running(da) == ["one"], 5, "it runs")
    with open(path, "w", encoding="ascii"):
        pass
    assert da.wait_state("pg", "fault")["reason"] == "check off failed"
    assert aa.diary.lines() == ["start one there", "stop one there"]
    lab.wait_until(lambda: running(db) == ["one"], 5, "on b")


def test_one_that_does_not_stop(lab):
    """It has its time, then the addresses go all the same."""
    da, db, aa, _ = pair(lab, timeout="700ms")
    lab.wait_until(lambda: running(da) == ["one", "two"], 5, "both run")
    aa.set("two", ".hangs")
    began = time.monotonic()
    done = da.ctl("drain", "pg", "--wait")
    took = time.monotonic() - began
    assert done.returncode == 0, done.stdout + done.stderr
    print(f"handed over after {took:.2f} s")
    assert 0.6 < took < 5
    assert aa.diary.lines()[2:] == ["stop two there", "stop one there"]
    assert "it could not be stopped: time-out" in da.instance()["services"][1]["last"]
    lab.wait_until(lambda: lab.holders(VIP) == ["b"], 5, "b holds it")


def test_processes_that_die(lab):
    """Agent, engine, restart in place: the services run on, and none is started or stopped."""
    da, db, aa, _ = pair(lab)
    lab.wait_until(lambda: running(da) == ["one", "two"], 5, "both run")
    lines = aa.diary.lines()
    for role in ("agent", "engine"):
        old = da.signal_role(role, signal.SIGKILL)
        lab.wait_until(lambda role=role, old=old: da.processes().get(role, old) != old, 5, f"another {role}")
        lab.wait_until(lambda: da.try_status() and running(da) == ["one", "two"], 5, "known again")
    old = da.processes()["engine"]
    da.signal(signal.SIGUSR2)
    lab.wait_until(lambda: da.processes().get("engine", old) != old and da.try_status(), 10, "restarted in place")
    lab.wait_until(lambda: da.try_status() and running(da) == ["one", "two"], 5, "known again")
    assert aa.diary.lines() == lines and db.counters()["transitions"] == 0
    # Killed while they stop: the next agent goes on.
    aa.set("two", ".hangs")
    da.ctl("drain", "pg")
    lab.wait_until(lambda: aa.diary.lines()[-1] == "stop two there", 5, "it stops")
    os.unlink(aa.path("two", ".hangs"))
    da.signal_role("agent", signal.SIGKILL)
    lab.wait_until(lambda: lab.holders(VIP) == ["b"], 10, "handed over")
    assert not aa.runs("one") and not aa.runs("two")


def test_removed_by_reload(lab):
    """An instance that is no longer configured stops its services before its addresses go."""
    a = lab.host("a")
    app = App(a)
    other = instance("other", "10.77.1.101/24", vrid=52)
    services = (app.service("one", timeout="20s"), app.service("two", timeout="20s"))
    d = a.vrrpd(conf(instance(services=services), other, node="a"))
    lab.wait_until(lambda: running(d) == ["one", "two"], 5, "both run")
    app.set("two", ".slow")
    with open(d.conf_path, "w", encoding="ascii") as f:
        f.write(conf(other, node="a"))
    assert d.ctl("reload").returncode == 0
    # Another one while they stop: their commands are still known.
    with open(d.conf_path, "w", encoding="ascii") as f:
        f.write(conf(other, node="b"))
    d.signal(signal.SIGHUP)
    lab.wait_until(lambda: app.diary.lines()[2:] == ["stop two there", "stop one there"], 5, "stopped in order")
    lab.wait_until(lambda: VIP not in a.run(["ip", "-o", "addr"]).stdout, 5, "then the address goes")
    assert not app.runs("one") and not app.runs("two") and d.state("other") == "active"


def test_haproxy_as_a_service(lab):
    """The group of address and HAProxy that Pacemaker gives: HAProxy runs on the holder only, also after its death."""
    a, b, c = lab.host("a"), lab.host("b"), lab.host("c")
    daemons = []
    for host, priority in ((a, 150), (b, 100)):
        diary = Diary(host)
        cfg, pid = os.path.join(host.dir, "haproxy.cfg"), os.path.join(host.dir, "haproxy.pid")
        with open(cfg, "w", encoding="ascii") as f:
            f.write(
                "global\n    maxconn 100\ndefaults\n    mode http\n    timeout client 5s\n    timeout server 5s\n"
                f"    timeout connect 1s\nfrontend web\n    bind {VIP}:{WEB_PORT}\n"
                f'    http-request return status 200 content-type text/plain string "{host.name}\\n"\n'
            )
        program = diary.script(
            f"case $1 in\nstart) exec haproxy -D -f {cfg} -p {pid} ;;\n"
            f"stop) test ! -e {pid} || kill $(cat {pid}) 2>/dev/null; rm -f {pid} ;;\n"
            f"status) test -e {pid} && kill -0 $(cat {pid}) ;;\nesac",
            "haproxy.sh",
        )
        service = {"name": "haproxy", **{k: [program, k] for k in ("start", "stop", "status")}}
        service.update({"user": "root", "interval": "100ms"})
        daemons.append(host.vrrpd(conf(instance(services=(service,), priority=priority), node=host.name)))
        if host is a:
            daemons[0].wait_state("pg", "active")

    def answer():
        done = c.run(["curl", "-s", "-m", "1", f"http://{VIP}:{WEB_PORT}/"], check=False)
        return done.stdout.strip()

    # It binds to the address, which is there before it is started.
    lab.wait_until(lambda: answer() == "a", 5, "HAProxy on a answers")
    with open(os.path.join(a.dir, "haproxy.pid"), encoding="ascii") as f:
        os.kill(int(f.read()), signal.SIGKILL)
    lab.wait_until(lambda: running(daemons[0]) == ["haproxy"] and answer() == "a", 5, "started again on a")
    assert daemons[0].state() == "active"
    daemons[0].ctl("drain", "pg", "--wait")
    lab.wait_until(lambda: answer() == "b", 5, "HAProxy on b answers")
    assert not os.path.exists(os.path.join(a.dir, "haproxy.pid"))
    assert daemons[1].stop() == 0
    assert not os.path.exists(os.path.join(b.dir, "haproxy.pid"))


def test_agent_that_dies_with_failed_services(lab):
    """What the engine was told last is taken back by the next agent."""
    a = lab.host("a")
    app = App(a)
    d = a.vrrpd(conf(instance(services=(app.service("one", migration_threshold=1, failure_decay="1h"),)), node="a"))
    lab.wait_until(lambda: running(d) == ["one"], 5, "it runs")
    os.unlink(app.path("one"))
    d.wait_state("pg", "fault")
    d.signal_role("agent", signal.SIGKILL)
    d.wait_state("pg", "active")
    lab.wait_until(lambda: running(d) == ["one"], 5, "it runs again")


def test_agent_that_dies_while_vrrpd_stops(lab):
    """The services are stopped all the same."""
    a = lab.host("a")
    app = App(a)
    d = a.vrrpd(conf(instance(services=(app.service("one"), app.service("two", timeout="20s"))), node="a"))
    lab.wait_until(lambda: running(d) == ["one", "two"], 5, "both run")
    app.set("two", ".hangs")
    d.signal(signal.SIGTERM)
    lab.wait_until(lambda: app.diary.lines()[-1] == "stop two there", 5, "it stops")
    os.unlink(app.path("two", ".hangs"))
    d.signal_role("agent", signal.SIGKILL)
    assert d.wait(10) == 0
    assert not app.runs("one") and not app.runs("two")


def test_frozen_engine(lab):
    """Its address goes by its lifetime, another host takes over: the services here stop, too."""
    da, db, aa, _ = pair(lab)
    lab.wait_until(lambda: running(da) == ["one", "two"], 5, "both run on a")
    engine = da.signal_role("engine", signal.SIGSTOP)
    try:
        lab.wait_until(lambda: running(db) == ["one", "two"], 10, "both run on b")
        lab.wait_until(lambda: not aa.runs("one") and not aa.runs("two"), 10, "none on a")
    finally:
        os.kill(engine, signal.SIGCONT)
    lab.wait_until(lambda: lab.holders(VIP) == ["a"] and running(da) == ["one", "two"], 10, "a preempts")
    lab.wait_until(lambda: running(db) == [], 5, "none on b")


def test_what_a_start_leaves_in_the_background(lab):
    """A service that does not detach itself, and goes on writing, lives on after the command that started it."""
    a = lab.host("a")
    diary = Diary(a)
    pid = os.path.join(a.dir, "pid")
    program = diary.script(
        f"case $1 in\nstart) sh -c 'while :; do echo a line of its log; sleep 0.05; done' & echo $! > {pid} ;;\n"
        f"stop) kill $(cat {pid}); rm {pid} ;;\nstatus) test -e {pid} && kill -0 $(cat {pid}) ;;\nesac"
    )
    service = {"name": "app", **{k: [program, k] for k in ("start", "stop", "status")}, "user": "root", "interval": "100ms"}
    d = a.vrrpd(conf(instance(services=(service,)), node="a"))
    lab.wait_until(lambda: running(d) == ["app"], 5, "it runs")
    runs = len(d.log_text())
    lab.wait_until(lambda: d.counters()["adverts_sent"] > 10, 5, "a second later")
    assert running(d) == ["app"] and d.instance()["services"][0]["failures"] == 0, d.log_text()[runs:]
    assert d.stop() == 0 and not os.path.exists(pid)


def test_what_cannot_be_asked_is_not_known(lab):
    """A program that others may change is not run as root: that says nothing about the service."""
    a = lab.host("a")
    app = App(a)
    d = a.vrrpd(conf(instance(services=(app.service("one"),)), node="a"))
    lab.wait_until(lambda: running(d) == ["one"], 5, "it runs")
    os.chmod(app.program, 0o775)
    lab.wait_until(lambda: d.log_text().count("the status of service one could not be asked") > 3, 5, "refused")
    assert d.state() == "active" and running(d) == ["one"] and d.instance()["services"][0]["failures"] == 0
    os.chmod(app.program, 0o755)


def test_started_by_hand_on_a_backup(lab):
    """It is stopped again."""
    _, db, _, ab = pair(lab)
    lab.wait_until(lambda: db.instance()["services"][0]["state"] == "stopped", 5, "known")
    ab.set("one")
    lab.wait_until(lambda: not ab.runs("one"), 5, "stopped")
