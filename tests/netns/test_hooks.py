"""test_hooks.py - notify commands and gates: what is told, in which order, to whom, and what happens when they misbehave."""

import json
import os
import signal
import time

import pytest

from daemons import conf, instance, keepalived_instance

VIP = "10.77.1.100"


class Diary:
    """A file that commands write a line into, readable and writable by every user."""

    def __init__(self, host, name="diary"):
        self.path = os.path.join(host.dir, name)
        self.lab = host.lab
        os.chmod(host.dir, 0o755)
        with open(self.path, "w", encoding="ascii"):
            pass
        os.chmod(self.path, 0o666)

    def script(self, text, name="hook.sh"):
        """A program of root's that may use $DIARY; its path."""
        path = os.path.join(os.path.dirname(self.path), name)
        with open(path, "w", encoding="ascii") as f:
            f.write(f"#!/bin/sh\nDIARY={self.path}\n{text}\n")
        os.chmod(path, 0o755)
        return path

    def lines(self):
        with open(self.path, encoding="utf-8") as f:
            return f.read().splitlines()

    def wait(self, wanted, deadline=5):
        """Wait until the lines are exactly these."""

        def same():
            assert self.lines() == wanted, "\n".join(["these:", *self.lines()])
            return True

        return self.lab.wait_until(same, deadline, f"{self.path} holds {wanted}")

    def wait_last(self, start, deadline=5):
        """Wait for a last line that begins so; that line."""

        def found():
            lines = self.lines()
            assert lines and lines[-1].startswith(start), "\n".join(["these:", *lines])
            return lines[-1]

        return self.lab.wait_until(found, deadline, f"the last line of {self.path} begins with {start}")


def events(d, code, name="pg"):
    """Events of one reason, oldest first."""
    _, body = d.get("/v1/events")
    return [e for e in map(json.loads, body.splitlines()) if e["instance"] == name and e["reason"] == code]


def switch(host):
    """A maintenance switch as a check, and its path."""
    path = os.path.join(host.dir, "maintenance")
    return path, {"kind": "file", "path": path, "interval": "50ms", "rise": 1, "fall": 1}


def test_every_change_in_order(lab):
    """All of an instance's and everybody's notify commands, from the start to the stop: arguments and environment."""
    a = lab.host("a")
    diary = Diary(a)
    show = diary.script('echo "$VRRPD_HOOK $VRRPD_FROM>$VRRPD_STATE $*" >> $DIARY')
    path, check = switch(a)
    own = {f"notify_{k}": [show, "own", k] for k in ("active", "backup", "fault", "stop")}
    d = a.vrrpd(
        conf(
            instance(notify=show, track=({"check": "off"},), priority=150, **own),
            node="a",
            checks={"off": check},
            notify_active=[show, "all", "active"],
            notify=[show, "all"],
        )
    )
    d.wait_state("pg", "active")
    told = [
        "notify_backup >backup own backup",
        "notify >backup INSTANCE pg BACKUP 150 started, listening for adverts for 341 ms",
        "notify >backup all INSTANCE pg BACKUP 150 started, listening for adverts for 341 ms",
        "notify_active backup>active own active",
        "notify backup>active INSTANCE pg MASTER 150 nobody was heard for 341 ms",
        "notify_active backup>active all active",
        "notify backup>active all INSTANCE pg MASTER 150 nobody was heard for 341 ms",
    ]
    # Before its first result the check kept the instance in Fault: that is not told.
    diary.wait(told)
    before = list(told)
    with open(path, "w", encoding="ascii"):
        pass
    why = "150 check off failed"
    before += [
        "notify_fault active>fault own fault",
        f"notify active>fault INSTANCE pg FAULT {why}",
        f"notify active>fault all INSTANCE pg FAULT {why}",
    ]
    diary.wait(before)
    os.unlink(path)
    d.wait_state("pg", "active")
    diary.wait(before + [told[0].replace(" >", " fault>")] + [t.replace(" >", " fault>") for t in told[1:3]] + told[3:])
    before = diary.lines()
    assert d.stop() == 0
    why = "150 vrrpd is stopping"
    assert diary.lines() == before + [
        "notify_stop active>initialize own stop",
        f"notify active>initialize INSTANCE pg STOP {why}",
        f"notify active>initialize all INSTANCE pg STOP {why}",
    ]


def test_surroundings(lab):
    """Who runs them, with which rights, what they find in their environment."""
    a = lab.host("a")
    diary = Diary(a)
    show = diary.script(
        'echo "$(id -un) $(grep CapEff /proc/self/status | cut -f2) $(pwd) $VRRPD_NODE $VRRPD_INSTANCE $VRRPD_INTERFACE '
        "$VRRPD_VRID $VRRPD_PRIORITY $VRRPD_REASON_ID $VRRPD_SUPERSEDED $VRRPD_ADDRESS_COUNT ($VRRPD_ADDRESSES) "
        '${HOME:-nohome}" >> $DIARY'
    )
    d = a.vrrpd(
        conf(
            instance("own", vrid=51, extra_addresses=("fd77:1::99/64",), notify_active=show),
            instance("other", f"{VIP[:-1]}1/24", vrid=52, notify_active=show, notify_user="daemon"),
            instance("root", f"{VIP[:-1]}2/24", vrid=53, notify_active=show, notify_user="root"),
            node="a",
        )
    )
    lab.wait_until(lambda: len(diary.lines()) == 3, 5, "three lines")
    lines = {line.split()[4]: line.split() for line in diary.lines()}
    agent = d.processes()["agent"]
    with open(f"/proc/{agent}/status", encoding="ascii") as f:
        uid = [int(line.split()[1]) for line in f if line.startswith("Uid:")][0]
    assert lines["own"][0] == {65534: "nobody"}.get(uid, "vrrpd")
    assert lines["other"][0] == "daemon" and lines["root"][0] == "root"
    assert int(lines["own"][1], 16) == 0 and int(lines["other"][1], 16) == 0
    assert int(lines["root"][1], 16) & 1 << 12, "root's has NET_ADMIN"
    rest = ["/", "a", "own", "eth0", "51", "100", "nobody_heard", "0", "2", f"({VIP}/24", "fd77:1::99/64)", "nohome"]
    assert lines["own"][2:] == rest


def test_keepalived_runs_the_same_script(lab):
    """One script under both: the four arguments are keepalived's, and mean the same."""
    a, b = lab.host("a"), lab.host("b")
    diary = Diary(a)
    show = diary.script('echo "$(test -n "$VRRPD_NODE" && echo v || echo k) $1 $2 $3 $4" >> $DIARY')
    k = b.keepalived(
        "global_defs {\n    script_user root\n}\n"
        + keepalived_instance("pg", priority=100, notify=f'"{show}"')
    )
    k.wait_state("pg", "master")
    d = a.vrrpd(conf(instance(notify=show, priority=150, notify_user="root"), node="a"))
    d.wait_state("pg", "active")
    # Either of the two may write its line first.
    lab.wait_until(lambda: "v INSTANCE pg MASTER 150" in diary.lines(), 5, "vrrpd tells it")
    d.stop()
    k.wait_state("pg", "master")
    lab.wait_until(lambda: diary.lines().count("k INSTANCE pg MASTER 100") == 2, 5, "keepalived tells it, too")
    assert [line for line in diary.lines() if line.startswith("v")] == [
        "v INSTANCE pg BACKUP 150",
        "v INSTANCE pg MASTER 150",
        "v INSTANCE pg STOP 150",
    ]
    k.stop()
    diary.wait_last("k INSTANCE pg STOP 100")


def test_one_at_a_time_and_the_last_state(lab):
    """A slow command while the state changes many times: never two at once, superseded states are left out."""
    a = lab.host("a")
    diary = Diary(a)
    gate = os.path.join(a.dir, "go")
    show = diary.script(
        'echo "begin $3 $VRRPD_SUPERSEDED" >> $DIARY\n'
        f'test $3 != MASTER || for i in $(seq 200); do test -e {gate} && break; sleep 0.05; done\n'
        'echo "end $3" >> $DIARY'
    )
    d = a.vrrpd(conf(instance(notify=show), node="a"))
    diary.wait_last("begin MASTER 0")
    for _ in range(3):
        d.ctl("drain", "pg")
        d.wait_state("pg", "initialize")
        d.ctl("resume", "pg")
        d.wait_state("pg", "active")
    d.ctl("drain", "pg")
    d.wait_state("pg", "initialize")
    assert diary.lines()[-1] == "begin MASTER 0"
    with open(gate, "w", encoding="ascii"):
        pass
    # initialize, backup, active three times, then initialize: nine are left out
    diary.wait(["begin BACKUP 0", "end BACKUP", "begin MASTER 0", "end MASTER", "begin STOP 9", "end STOP"])
    assert d.instance()["notified"] == "initialize"


def test_what_does_not_end(lab):
    """A command that ignores SIGTERM and floods its output is ended with all that it started; the next state is told."""
    a = lab.host("a")
    diary = Diary(a)
    show = diary.script(
        'echo "$3" >> $DIARY\ntest $3 = BACKUP || exit 3\n'
        "trap '' TERM; (yes >&2 &) ; yes & sleep 77; echo never >> $DIARY"
    )
    d = a.vrrpd(conf(instance(notify=show, notify_timeout="300ms", advert_interval="10ms"), node="a"))
    diary.wait(["BACKUP", "MASTER"])
    timed_out = lab.wait_until(lambda: events(d, "hook_timed_out"), 5, "it is an event")
    assert timed_out[0]["text"].startswith("notify was ended after ") and "time-out" in timed_out[0]["text"]
    ended = lab.wait_until(lambda: events(d, "hook_ended"), 5, "so is the exit status")
    assert "notify ended with exit status 3 after" in ended[0]["text"]
    assert d.status()["adverts"]["late_max_us"] < 100000


def test_a_command_that_is_gone(lab):
    """Removed after the start: an event says that it was not run, the log why; nothing else suffers."""
    a = lab.host("a")
    diary = Diary(a)
    show = diary.script('echo "$3" >> $DIARY')
    d = a.vrrpd(conf(instance(notify=show, start_delay="500ms"), node="a"))
    os.unlink(show)
    d.wait_state("pg", "active")
    lab.wait_until(lambda: len(events(d, "hook_not_run")) == 2, 5, "two events")
    assert f"cannot run {show} as the agent's user: No such file or directory" in d.log_text()


def test_not_told_twice(lab):
    """Processes that die or are restarted tell nothing again, and nothing is lost meanwhile."""
    a = lab.host("a")
    diary = Diary(a)
    show = diary.script('echo "$3" >> $DIARY')
    d = a.vrrpd(conf(instance(notify=show), node="a"))
    told = ["BACKUP", "MASTER"]
    diary.wait(told)
    for role in ("agent", "engine"):
        # that it has been told is known before anybody dies
        lab.wait_until(lambda: d.instance()["notified"] == "active", 5, "its end is known")
        old = d.signal_role(role, signal.SIGKILL)
        lab.wait_until(lambda role=role, old=old: d.processes().get(role, old) != old, 5, f"another {role}")
        lab.wait_until(lambda: (d.try_status() or {"instances": [{}]})["instances"][0].get("notified") == "active", 5, "known")
        assert d.wait_state("pg", "active") and diary.lines() == told
    pid = d.processes()["engine"]
    d.signal(signal.SIGUSR2)
    lab.wait_until(lambda: d.processes().get("engine", pid) != pid and d.try_status(), 10, "restarted in place")
    lab.wait_until(lambda: (d.try_status() or {"instances": [{}]})["instances"][0].get("notified") == "active", 5, "known")
    assert d.state() == "active" and diary.lines() == told
    # The state changes while there is no agent.
    os.kill(d.signal_role("agent", signal.SIGSTOP), signal.SIGCONT)
    agent = d.signal_role("agent", signal.SIGSTOP)
    a.link_down()
    lab.wait_until(lambda: VIP not in a.run(["ip", "-o", "addr"]).stdout, 5, "the address is gone")
    os.kill(agent, signal.SIGKILL)
    told.append("FAULT")
    diary.wait(told)
    a.link_up()
    d.wait_state("pg", "active")
    told += ["BACKUP", "MASTER"]
    diary.wait(told)


def test_reload(lab):
    """Added, changed and removed by a reload: a new command is told the next change, a removed instance its stop."""
    a = lab.host("a")
    diary = Diary(a)
    one, two = diary.script('echo "one $2 $3" >> $DIARY'), diary.script('echo "two $2 $3" >> $DIARY', "two.sh")
    other = instance("other", f"{VIP[:-1]}1/24", vrid=52, notify=one)
    d = a.vrrpd(conf(instance(), other, node="a"))
    d.wait_state("pg", "active")
    diary.wait_last("one other MASTER")

    def reload(*instances):
        with open(d.conf_path, "w", encoding="ascii") as f:
            f.write(conf(*instances, node="a"))
        done = d.ctl("reload")
        assert done.returncode == 0, done.stdout + done.stderr

    reload(instance(notify=one), other)
    d.ctl("drain", "pg")
    diary.wait(["one other BACKUP", "one other MASTER", "one pg STOP"])
    reload(instance(notify=two))
    diary.wait(["one other BACKUP", "one other MASTER", "one pg STOP", "one other STOP"])
    d.ctl("resume", "pg")
    diary.wait_last("two pg MASTER")


def test_many_instances(lab):
    """Sixty instances change at once: each is told each state once, in order, and adverts every 10 ms stay on time."""
    a = lab.host("a")
    diary = Diary(a)
    show = diary.script('echo "$2 $3" >> $DIARY')
    many = [
        instance(f"i{n}", f"10.77.1.{100 + n}/24", vrid=100 + n, advert_interval="10ms", start_delay="300ms")
        for n in range(60)
    ]
    d = a.vrrpd(conf(*many, node="a", notify=show))
    lab.wait_until(lambda: len(diary.lines()) == 120, 20, "120 lines")
    for n in range(60):
        assert [line for line in diary.lines() if line.startswith(f"i{n} ")] == [f"i{n} BACKUP", f"i{n} MASTER"]
    assert d.status()["adverts"]["late_max_us"] < 100000


# ---- gates ---------------------------------------------------------------------------------------------------


def test_gate_is_asked_first(lab):
    """Neither address nor advert before the gate has agreed; an engine that is started again does not ask."""
    a = lab.host("a")
    diary = Diary(a)
    gate = diary.script(
        f'ip -o addr | grep -q {VIP} && there=there || there=absent\n'
        'echo "$VRRPD_HOOK $VRRPD_FROM>$VRRPD_STATE $there" >> $DIARY; sleep 0.3'
    )
    active = diary.script(
        f'ip -o addr | grep -q {VIP} && there=there || there=absent\necho "$VRRPD_HOOK $there" >> $DIARY', "active.sh"
    )
    d = a.vrrpd(conf(instance(gate=gate, notify_active=active, notify_user="root"), node="a"))
    lab.wait_until(lambda: d.instance()["waiting_for"] == "gate", 5, "the status says what it waits for")
    assert d.state() == "backup" and d.counters()["adverts_sent"] == 0
    d.wait_state("pg", "active")
    diary.wait(["gate backup>active absent", "notify_active there"])
    old = d.signal_role("engine", signal.SIGKILL)
    lab.wait_until(lambda: d.processes().get("engine", old) != old, 5, "another engine")
    d.wait_state("pg", "active")
    assert len(diary.lines()) == 2


@pytest.mark.parametrize("how", ["fails", "hangs"])
def test_gate_refuses(lab, how):
    """Then the other host takes over, and the status says why this one did not."""
    a, b = lab.host("a"), lab.host("b")
    diary = Diary(a)
    gate = diary.script('echo asked >> $DIARY; echo "the old holder lives"; ' + ("exit 4" if how == "fails" else "sleep 66"))
    db = b.vrrpd(conf(instance(priority=100), node="b"))
    db.wait_state("pg", "active")
    da = a.vrrpd(conf(instance(gate=gate, gate_timeout="500ms", priority=150), node="a"))
    reason = da.wait_state("pg", "fault")["reason"]
    assert reason == "the gate refused: " + ("exit status 4" if how == "fails" else "time-out"), reason
    assert lab.holders(VIP) == ["b"] and db.counters()["transitions"] == 1
    # Again after 5 s; meanwhile the holder was not disturbed.
    lab.wait_until(lambda: len(diary.lines()) >= 2, 10, "it is asked again")
    assert db.counters()["transitions"] == 1
    if how == "fails":
        assert "the old holder lives" in da.log_text()


def test_gate_is_called_off(lab):
    """Another host is Active before the gate has an answer: its command is ended, the address stays where it is."""
    a, b = lab.host("a"), lab.host("b")
    diary = Diary(a)
    gate = diary.script('echo asked >> $DIARY; sleep 55; echo never >> $DIARY')
    da = a.vrrpd(conf(instance(gate=gate, gate_timeout="30s", priority=100), node="a"))
    diary.wait(["asked"])
    db = b.vrrpd(conf(instance(priority=150), node="b"))
    db.wait_state("pg", "active")
    lab.wait_until(lambda: da.instance()["waiting_for"] is None, 5, "nothing is asked any more")
    assert da.state() == "backup" and lab.holders(VIP) == ["b"]
    assert diary.lines() == ["asked"]


def test_gate_outlives_an_agent(lab):
    """The agent is killed while the gate runs: the next one asks it again."""
    a = lab.host("a")
    diary = Diary(a)
    gate = diary.script('echo asked >> $DIARY; test $(wc -l < $DIARY) -gt 1 || sleep 44')
    d = a.vrrpd(conf(instance(gate=gate, gate_timeout="20s"), node="a"))
    diary.wait(["asked"])
    began = time.monotonic()
    d.signal_role("agent", signal.SIGKILL)
    d.wait_state("pg", "active", 10)
    print(f"Active {time.monotonic() - began:.2f} s after the agent was killed")
    assert diary.lines() == ["asked", "asked"]


def test_gate_is_asked_for_each_take_over(lab):
    """Also by an engine that was started again, and for other addresses under the same name."""
    a, b = lab.host("a"), lab.host("b")
    diary = Diary(a)
    gate = diary.script("echo asked >> $DIARY")
    da = a.vrrpd(conf(instance(gate=gate, priority=100), node="a"))
    da.wait_state("pg", "active")
    db = b.vrrpd(conf(instance(priority=150), node="b"))
    db.wait_state("pg", "active")
    da.wait_state("pg", "backup")
    old = da.signal_role("engine", signal.SIGKILL)
    lab.wait_until(lambda: da.processes().get("engine", old) != old, 5, "another engine")
    da.wait_state("pg", "backup")
    db.stop()
    da.wait_state("pg", "active")
    assert len(diary.lines()) == 2
    with open(da.conf_path, "w", encoding="ascii") as f:
        f.write(conf(instance("pg", "fe80::77/64", gate=gate, priority=255), node="a"))
    assert da.ctl("reload").returncode == 0
    lab.wait_until(lambda: da.instance()["family"] == "ipv6" and da.state() == "active", 5, "Active with other addresses")
    assert len(diary.lines()) == 3


def test_gate_of_a_new_instance(lab):
    """An instance that a reload adds is asked about at once."""
    a = lab.host("a")
    diary = Diary(a)
    gate = diary.script("echo asked >> $DIARY")
    one = instance()
    d = a.vrrpd(conf(one, node="a"))
    d.wait_state("pg", "active")
    for n in range(3):
        two = instance(f"new{n}", "10.77.1.101/24", vrid=60 + n, priority=255, gate=gate)
        with open(d.conf_path, "w", encoding="ascii") as f:
            f.write(conf(one, two, node="a"))
        assert d.ctl("reload").returncode == 0
        d.wait_state(f"new{n}", "active", 3)
    assert len(diary.lines()) == 3


def test_hung_notify_commands_hold_nobody_up(lab):
    """Seventy that hang: gates have their own room, so every instance becomes Active."""
    a = lab.host("a")
    hang = Diary(a).script("exec sleep 33")
    many = [
        instance(f"i{n}", f"10.77.1.{100 + n}/24", vrid=100 + n, gate="/bin/true", notify_backup=hang) for n in range(70)
    ]
    d = a.vrrpd(conf(*many, node="a", notify_timeout="20s"))
    lab.wait_until(lambda: all(i["state"] == "active" for i in d.status()["instances"]), 10, "all are Active")


def test_unfit_from_the_start(lab):
    """A check that fails at once: the host is told to be in Fault, and nothing before."""
    a = lab.host("a")
    diary = Diary(a)
    show = diary.script('echo "$3 $5" >> $DIARY')
    checks = {"bad": {"kind": "script", "command": ["/bin/false"], "interval": "100ms", "rise": 1, "fall": 1}}
    d = a.vrrpd(conf(instance(notify=show, track=({"check": "bad"},)), node="a", checks=checks))
    d.wait_state("pg", "fault")
    diary.wait(["FAULT check bad failed"])
