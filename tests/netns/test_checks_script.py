"""test_checks_script.py - scripts: weights, another user, and everything that a script can do wrong."""

import os
import pwd
import signal
import subprocess
import time

import pytest

import lab as labs
from daemons import conf, instance

from test_checks_local import Server, check, flood, one, reset, slowly, wait_check

OTHER = "daemon"  # a user that is neither the agent's nor root, on every system


def sh(text, **options):
    return check("script", command=["/bin/sh", "-c", text], **options)


def start(host, checks, **kwargs):
    """vrrpd with these checks; the first 16 are tracked (an instance tracks no more), by a weight."""
    tracks = tuple({"check": name, "weight": -1} for name in list(checks)[:16])
    return host.vrrpd(conf(instance(track=tracks), node=host.name, checks=checks), **kwargs)


def processes_of(text):
    """Process ids whose arguments hold this text."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open(f"/proc/{name}/cmdline", "rb") as f:
                if text.encode() in f.read():
                    found.append(int(name))
        except OSError:
            continue
    return found


def test_weights(lab):
    """The number in a file comes out as exit status or as last line, and is added to the priority."""
    a = lab.host("a")
    number = os.path.join(a.dir, "number")

    def write(text):
        with open(number + ".new", "w", encoding="ascii") as f:
            f.write(text)
        os.rename(number + ".new", number)

    write("0")
    for how, command, rows in (
        ("exit", f'n=$(cat {number}); test "$n" = 0 && echo fine; exit $n', ((12, 10), (255, 154), (2, 0), (0, 0))),
        ("output", f"echo thinking; cat {number}", ((-10, -10), ("100\n\n", 100), (-253, -99), (0, 0))),
    ):
        checks = {"c": sh(command, weight_from=how)}
        d = a.vrrpd(conf(instance(track=({"check": "c"},)), node="a", checks=checks), name=how)
        d.wait_state("pg", "active")
        for text, more in rows:
            write(str(text))
            lab.wait_until(
                lambda more=more: d.instance()["priority"]["effective"] == 100 + more, 5, f"{how} {text!r}: {more}"
            )
        write("1" if how == "exit" else "many")
        d.wait_state("pg", "fault")
        if how == "output":
            assert one(d)["last"] == "the last line is no number from -253 to 253: many"
        write("0")
        d.wait_state("pg", "active")
        d.kill_all()
        write("0")


def test_another_user(lab):
    """Who runs, with which rights, and in which surroundings."""
    a = lab.host("a")
    show = (
        "echo $(id -un):$(id -gn) $(grep -hE '^(CapEff|CapPrm|CapBnd|NoNewPrivs)' /proc/self/status | tr -d '\\t' | "
        "cut -d: -f2 | tr '\\n' ' ') $(pwd) $VRRPD_CHECK $VRRPD_NODE $(ls /proc/self/fd | wc -l) "
        "$(test $(ps -o pgid= -p $$) = $$ && echo leads) ${HOME:-nohome}"
    )
    checks = {"own": sh(show), "c": sh(show, user=OTHER), "root": sh(show, user="root")}
    d = start(a, checks)
    none = "0000000000000000"
    for name, user in (("c", OTHER), ("root", "root")):
        group = "daemon" if user == OTHER else "root"
        last = wait_check(d, "up", f"{user}:{group} ", name)["last"]
        words = last.split()
        assert words[1:3] == [none, none] and words[4] == "1", last
        assert words[5:] == ["/", name, "a", words[8], "leads", "nohome"], last
        assert int(words[8]) <= 5, last
    agent = pwd.getpwuid(os.stat(f"/proc/{d.processes()['agent']}").st_uid).pw_name
    assert one(d, "own")["last"].startswith(agent + ":"), one(d, "own")


def test_another_users_failures(lab):
    a = lab.host("a")
    checks = {
        "status": sh("echo broken; exit 3", user=OTHER),
        "silent": sh("exit 3", user=OTHER),
        "signal": sh("kill -9 $$", user=OTHER),
        "big": sh("head -c 20000000 /dev/zero | tr '\\0' 'x'; echo; echo done", user=OTHER, interval="2s", timeout="2s"),
    }
    d = start(a, checks)
    wait_check(d, "down", "broken", "status")
    wait_check(d, "down", "exit status 3", "silent")
    wait_check(d, "down", "killed by signal 9 (Killed)", "signal")
    # 64 KiB are kept, from the beginning; the rest is read and dropped.
    assert wait_check(d, "up", "xxxxx", "big")
    with open(f"/proc/{d.processes()['agent']}/status", encoding="ascii") as f:
        peak = [int(line.split()[1]) for line in f if line.startswith("VmHWM")][0]
    assert peak < 60000, peak


@pytest.mark.parametrize("user", [None, OTHER])
def test_ends_what_does_not_end(lab, user):
    """It forks, ignores SIGTERM and hangs: counted at the time-out, and nothing of it remains."""
    a = lab.host("a")
    mark = f"9{os.getpid()}"
    text = f"trap '' TERM; sleep {mark} & sleep {mark} & sleep {mark}; exit 0"
    d = start(a, {"c": sh(text, user=user, interval="400ms", timeout="300ms")})
    wait_check(d, "down", "no result within 300 ms")
    lab.wait_until(lambda: len(processes_of(mark)) >= 3, 5, "it runs again")
    began = time.monotonic()
    for _ in range(20):
        assert len(processes_of(f"sleep\0{mark}")) <= 3, "runs pile up"
        time.sleep(0.05)
    print(f"watched for {time.monotonic() - began:.1f} s")
    d.signal(signal.SIGTERM)
    d.popen.wait(20)
    lab.wait_until(lambda: not processes_of(mark), 5, "nothing remains after vrrpd")


@pytest.mark.parametrize("user", [None, OTHER])
def test_leaves_nothing_behind(lab, user):
    """It ends in order, but something that it started in the background does not."""
    a = lab.host("a")
    mark = f"6{os.getpid()}"
    d = start(a, {"c": sh(f"sleep {mark} >/dev/null 2>&1 & echo fine", user=user, interval="1h", timeout="1h")})
    wait_check(d, "up", "fine")
    lab.wait_until(lambda: not processes_of(f"sleep\0{mark}"), 5, "what it left is gone")


def test_orphans(lab):
    """The agent, or vrrpd itself, is killed while another user's command runs."""
    a = lab.host("a")
    mark = f"8{os.getpid()}"
    checks = {"c": sh(f"sleep {mark}; true", user=OTHER, interval="1h", timeout="1h")}
    d = start(a, checks)
    before = set(lab.wait_until(lambda: processes_of(mark), 5, "it runs"))
    d.signal_role("agent", signal.SIGKILL)
    lab.wait_until(lambda: not before & set(processes_of(mark)), 5, "the run of the agent before has ended")
    again = lab.wait_until(lambda: processes_of(mark), 10, "the next agent runs it anew")
    assert not before & set(again)
    d.wait_state("pg", "active")
    # Removed from the configuration while it runs.
    with open(d.conf_path, "w", encoding="ascii") as f:
        f.write(conf(instance(), node="a"))
    assert d.ctl("reload", "--wait").returncode == 0
    lab.wait_until(lambda: not processes_of(mark), 5, "a removed check's run has ended")


def test_vrrpd_killed(lab):
    a = lab.host("a")
    mark = f"7{os.getpid()}"
    d = start(a, {"c": sh(f"exec sleep {mark}", user=OTHER, interval="1h", timeout="1h")})
    lab.wait_until(lambda: processes_of(mark), 5, "it runs")
    d.signal(signal.SIGKILL)
    d.popen.wait()
    lab.wait_until(lambda: not processes_of(mark), 5, "the command dies with vrrpd")


def test_reload_keeps_running(lab):
    """Reloads one after another while commands of another user run: no run is refused for that."""
    a = lab.host("a")
    checks = {f"c{i}": sh("echo fine", user=OTHER, interval="20ms", timeout="20ms", fall=1) for i in range(3)}
    for c in checks.values():
        c["timeout"] = c["interval"] = "200ms"
    d = start(a, checks)
    for i in range(8):
        with open(d.conf_path, "w", encoding="ascii") as f:
            f.write(conf(instance(priority=100 + i, track=({"check": "c0"},)), node="a", checks=checks))
        done = d.ctl("reload", "--wait")
        assert done.returncode == 0, done.stderr
        wait_check(d, "up", "fine", "c0")
    assert "not run" not in d.log_text() + str(d.status())


def refused(d_dir, text):
    """vrrpd --check of this configuration: its complaints."""
    path = os.path.join(d_dir, "refused.conf")
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    done = subprocess.run(
        [os.path.join(labs.build_dir(), "vrrpd"), "--check", "-f", path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done
    return done.stderr


def test_what_root_may_run(lab):
    a = lab.host("a")
    folder = os.path.join(a.dir, "scripts")
    os.mkdir(folder)
    script = os.path.join(folder, "check")
    with open(script, "w", encoding="ascii") as f:
        f.write("#!/bin/sh\necho I am $(id -un)\n")
    os.chmod(script, 0o755)
    checks = {"c": check("script", command=[script], user="root")}
    text = conf(instance(track=({"check": "c"},)), node="a", checks=checks)
    nobody = pwd.getpwnam(OTHER)

    os.chmod(script, 0o775)
    assert "chmod go-w" in refused(a.dir, text)
    os.chmod(script, 0o755)
    os.chown(script, nobody.pw_uid, 0)
    assert f"would run as root but it belongs to user {nobody.pw_uid}" in refused(a.dir, text)
    os.chown(script, 0, 0)
    os.chmod(folder, 0o777)
    assert f"the folder {folder} can be changed by others (mode 0777)" in refused(a.dir, text)
    os.chmod(folder, 0o755)
    os.chown(folder, nobody.pw_uid, 0)
    assert f"the folder {folder} belongs to user {nobody.pw_uid}" in refused(a.dir, text)
    os.chown(folder, 0, 0)

    d = a.vrrpd(text)
    wait_check(d, "up", "I am root")
    os.chown(script, nobody.pw_uid, 0)  # while it runs: looked at again before each execution
    wait_check(d, "down", f"not run: not as root: {script} belongs to user {nobody.pw_uid}"[:100])
    os.chown(script, 0, 0)
    wait_check(d, "up", "I am root")


def test_two_hundred_that_misbehave(lab):
    """Adverts every 10 ms stay on time while 200 checks hang, flood, fork, talk rubbish and never end."""
    a, b, server = lab.host("a"), lab.host("b"), lab.host("s")
    servers = {6000: lambda c: time.sleep(60), 6001: slowly, 6002: flood, 6003: reset}
    for port, fn in servers.items():
        Server(server, port, fn)
    slow = {"interval": "1s", "timeout": "500ms"}
    checks = {}
    for i in range(40):
        checks[f"hangs{i}"] = sh("sleep 77", **slow)
        checks[f"ignores{i}"] = sh("trap '' TERM; sleep 77 & sleep 77", user=OTHER if i % 2 else None, **slow)
        checks[f"tcp{i}"] = check("tcp", address=f"{server.ip4()}:{6000 + i % 4}", expect="+PONG", **slow)
        checks[f"pg{i}"] = check("postgres", address=f"{server.ip4()}:{6000 + i % 4}", **slow)
        checks[f"none{i}"] = check("tcp", address=f"{server.ip4()}:{7000 + i}", **slow)
    for i in range(3):
        checks[f"hangs{i}"] = sh("while :; do echo garbage garbage garbage; done", **slow)
    assert len(checks) == 200
    tracks = tuple({"check": name, "weight": -1} for name in list(checks)[:16])
    fast = {"advert_interval": "10ms"}
    da = a.vrrpd(
        conf(
            instance(priority=150, **fast),
            instance(name="other", vrid=52, address="10.77.1.101/24", track=tracks),
            node="a",
            checks=checks,
        )
    )
    db = b.vrrpd(conf(instance(priority=100, **fast), node="b"))
    da.wait_state("pg", "active")
    db.wait_state("pg", "backup")
    lab.wait_until(lambda: one_of(da, "hangs0")["state"] == "down", 10, "the checks have begun to fail")
    moved = db.instance()["counters"], da.instance().get("transitions"), db.state()
    capture = b.capture()
    end = time.monotonic() + 5
    while time.monotonic() < end:
        assert db.state() == "backup" and da.state() == "active"
        time.sleep(0.25)
    frames = [f for f in capture.frames() if vrid_of(f) == 51]
    times = sorted(f.ns / 1e9 for f in frames)
    gaps = sorted(y - x for x, y in zip(times, times[1:]))
    print(
        f"{len(frames)} adverts in 5 s, gaps: median {gaps[len(gaps) // 2] * 1e3:.2f} ms, "
        f"99 % {gaps[len(gaps) * 99 // 100] * 1e3:.2f} ms, largest {gaps[-1] * 1e3:.2f} ms"
    )
    late = [x for x in da.get("/metrics")[1].splitlines() if "late" in x and not x.startswith("#")]
    print("\n".join(late))
    assert len(frames) > 470, len(frames)
    assert gaps[len(gaps) * 99 // 100] < 0.015, gaps[-20:]
    with open(f"/proc/{da.processes()['agent']}/status", encoding="ascii") as f:
        peak = [int(line.split()[1]) for line in f if line.startswith("VmHWM")][0]
    print(f"peak memory of the agent {peak} kB, {len(processes_of('sleep'))} sleeps run")
    assert peak < 100000 and moved
    da.signal(signal.SIGTERM)
    da.popen.wait(20)
    lab.wait_until(lambda: not processes_of("sleep\x0077"), 5, "nothing remains")


def one_of(d, name, which="other"):
    for c in d.instance(which)["checks"]:
        if c["name"] == name:
            return c
    raise AssertionError(name)


def vrid_of(frame):
    """Of a captured advert over IPv4: the second octet after the header."""
    data = frame.data
    return data[14 + (data[14] & 15) * 4 + 1]
