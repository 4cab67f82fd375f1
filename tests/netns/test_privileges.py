"""test_privileges.py - what each process may do, read from /proc and compared with the table in README.md."""

import grp
import os
import pwd
import shutil
import signal

import pytest

import lab as labs
from daemons import conf, instance

VIP = "10.77.1.100"

# capabilities(7)
NUMBERS = {
    "chown": 0,
    "dac_read_search": 2,
    "kill": 5,
    "setgid": 6,
    "setuid": 7,
    "setpcap": 8,
    "net_bind_service": 10,
    "net_admin": 12,
    "net_raw": 13,
    "ipc_lock": 14,
    "sys_nice": 23,
}
ENGINE = {"net_admin", "net_raw", "sys_nice", "ipc_lock"}
PARENT = ENGINE | {"setuid", "setgid", "setpcap", "kill", "dac_read_search", "net_bind_service"}

# What a log must not say when everything is possible.
COMPLAINTS = ("could not be given up", "could not give up", "not filtered", "cannot be cut down", "may not change")


def mask(names):
    return sum(1 << NUMBERS[n] for n in names)


def own_capabilities():
    """Of the test: in a container that may be fewer than all."""
    return int(fields("self")["CapPrm"], 16)


def fields(pid, thread=None):
    """/proc/PID/status as a dict of text."""
    path = f"/proc/{pid}/status" if thread is None else f"/proc/{pid}/task/{thread}/status"
    with open(path, encoding="utf-8", errors="replace") as f:
        return {k: v.strip() for k, _, v in (line.partition(":") for line in f)}


def filters(pid, thread=None):
    """How many filters a thread is under besides those of the test; None when the kernel does not tell."""
    counts = [f.get("Seccomp_filters") for f in (fields(pid, thread), fields("self"))]
    return None if None in counts else int(counts[0]) - int(counts[1])


def agent_user():
    """The user that the agent is to become: its number, its group, its groups."""
    for name in ("vrrpd", "nobody"):
        try:
            one = pwd.getpwnam(name)
        except KeyError:
            continue
        return one.pw_uid, one.pw_gid, sorted(os.getgrouplist(name, one.pw_gid))
    raise AssertionError("no user vrrpd and no user nobody")


def other_users():
    """Users that are not the agent's: an ordinary one, one in several groups where this system has it, root."""
    member = [name for g in grp.getgrall() if g.gr_gid != 0 for name in g.gr_mem if name not in ("vrrpd", "nobody")]
    return ["daemon", "root", *member[:1]]


def rights(pid, thread=None):
    """What matters of /proc/PID/status, as numbers."""
    f = fields(pid, thread)
    return {
        "uid": [int(n) for n in f["Uid"].split()],
        "gid": [int(n) for n in f["Gid"].split()],
        "groups": sorted(int(n) for n in f["Groups"].split()),
        **{k: int(f[k], 16) for k in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")},
        "no new privileges": int(f["NoNewPrivs"]),
        "seccomp": int(f["Seccomp"]),
    }


def expected(uid, gid, groups, capabilities):
    capabilities &= own_capabilities()
    return {
        "uid": [uid] * 4,
        "gid": [gid] * 4,
        "groups": groups,
        "CapInh": 0,
        "CapPrm": capabilities,
        "CapEff": capabilities,
        "CapBnd": capabilities,
        "CapAmb": 0,
        "no new privileges": 1,
        "seccomp": 2,  # a filter
    }


def settled(d):
    """All three processes, once every thread of the engine has its filter."""

    def look():
        now = d.processes()
        assert set(now) == {"parent", "engine", "agent"}, now
        threads = os.listdir(f"/proc/{now['engine']}/task")
        assert len(threads) == 2, threads
        # the filter of the parent, and its own
        counts = [filters(now["engine"], t) for t in threads] + [filters(now["agent"])]
        assert set(counts) <= {2, None}, counts
        return now

    return d.host.lab.wait_until(look, 10, f"{d.host.name}: three processes with their filters")


def check_rights(d):
    """Every thread of every process has exactly what is its own."""
    now = settled(d)
    uid, gid, groups = agent_user()
    # the parent keeps the groups that it was started with: it is root
    parent = expected(0, 0, sorted(set(os.getgroups())), mask(PARENT))
    want = {
        "parent": parent,
        "engine": expected(0, 0, [], mask(ENGINE)),
        "agent": expected(uid, gid, groups, 0),
    }
    for role, pid in now.items():
        for thread in os.listdir(f"/proc/{pid}/task"):
            assert rights(pid, thread) == want[role], role
    assert filters(now["parent"]) in (1, None), "a restart does not add to them"
    for words in COMPLAINTS:
        assert words not in d.log_text()
    return now


def test_each_process_has_what_it_needs(lab):
    """After the start, fail-over, reload, a killed engine, a restart in place, a killed agent; all of it works."""
    a, b = lab.host("a"), lab.host("b")
    flag = os.path.join(a.dir, "flag")
    with open(flag, "w", encoding="ascii"):
        pass
    check = {"kind": "script", "command": ["/bin/sh", "-c", f"test -e {flag}"], "interval": "100ms"}
    check["timeout"] = "100ms"
    text = conf(instance(priority=150, track=({"check": "flag"},)), node="a", checks={"flag": check})
    da = a.vrrpd(text)
    da.wait_state("pg", "active")
    db = b.vrrpd(conf(instance(priority=100), node="b"))
    db.wait_state("pg", "backup")
    check_rights(da)
    check_rights(db)

    os.unlink(flag)  # the check fails over
    da.wait_state("pg", "fault")
    db.wait_state("pg", "active")
    with open(flag, "w", encoding="ascii"):
        pass
    da.wait_state("pg", "active")

    with open(da.conf_path, "w", encoding="utf-8") as f:
        f.write(text.replace("150", "160"))
    da.signal(signal.SIGHUP)
    lab.wait_until(lambda: da.instance()["priority"]["base"] == 160, 5, "the new priority is in force")
    check_rights(da)

    was = da.signal_role("engine", signal.SIGKILL)
    lab.wait_until(lambda: da.processes().get("engine", was) != was, 5, "another engine runs")
    da.wait_state("pg", "active")
    check_rights(da)

    was = da.processes()
    da.signal(signal.SIGUSR2)
    lab.wait_until(
        lambda: all(da.processes().get(k, was[k]) != was[k] for k in ("engine", "agent")), 5, "others run"
    )
    da.wait_state("pg", "active")
    assert check_rights(da)["parent"] == was["parent"]

    was = da.signal_role("agent", signal.SIGKILL)
    lab.wait_until(lambda: da.processes().get("agent", was) != was, 5, "another agent runs")
    da.wait_state("pg", "active")
    check_rights(da)
    done = da.ctl("status")
    assert done.returncode == 0, done.stdout + done.stderr
    assert lab.holders(VIP) == ["a"]
    assert da.stop() == 0
    db.wait_state("pg", "active")
    assert lab.holders(VIP) == ["b"]


def test_the_group_of_the_socket_changes_with_a_restart(lab):
    """Also without CAP_CHOWN, which the process does not have any more."""
    a = lab.host("a")
    first, second = sorted({g.gr_gid: g.gr_name for g in grp.getgrall() if g.gr_gid}.items())[:2]
    d = a.vrrpd(conf(instance(), node="a", control={"group": first[1]}))
    assert os.stat(d.socket_path).st_gid == first[0]
    with open(d.conf_path, "w", encoding="utf-8") as f:
        f.write(conf(instance(), node="a", control={"group": second[1]}))
    d.signal(signal.SIGUSR2)
    lab.wait_until(lambda: os.stat(d.socket_path).st_gid == second[0], 5, f"it is of group {second[1]}")
    check_rights(d)


# ---- scripts -----------------------------------------------------------------------------------------------

LONG = {"kind": "script", "interval": "60s", "timeout": "60s"}


def start_script(lab, text, user=None, **environment):
    """A host whose check runs this shell text for long; the daemon, and the script's process id."""
    a = lab.host("a")
    place = os.path.join(a.dir, "out")
    os.mkdir(place)
    os.chmod(place, 0o777)
    command = ["/bin/sh", "-c", f"echo $$ >{place}/new; mv {place}/new {place}/pid; {text}"]
    check = {**LONG, "command": command, **({"user": user} if user else {})}
    d = a.vrrpd(
        conf(instance(track=({"check": "long"},)), node="a1", checks={"long": check}),
        env=environment,
    )

    def pid():
        with open(f"{place}/pid", encoding="ascii") as f:
            return int(f.read())

    lab.wait_until(lambda: os.path.exists(f"{place}/pid"), 5, "the script runs")
    return d, pid()


def stat(pid):
    """(parent, process group) of a process."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        words = f.read().rpartition(")")[2].split()
    return int(words[1]), int(words[2])


@pytest.mark.parametrize("user", [None, *other_users()])
def test_a_script_has_nothing_of_ours(lab, user):
    """The agent starts its own, vrrpd those of other users: they have the same rights and surroundings."""
    d, pid = start_script(lab, "sleep 1000 & wait", user, VRRPD_TEST_SECRET="1", LANG="de_DE.UTF-8")
    now = settled(d)
    uid, gid, groups = agent_user()
    if user:
        uid, gid = pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid
        groups = sorted(os.getgrouplist(user, gid))
    starter = now["parent" if user else "agent"]
    sleep = lab.wait_until(
        lambda: [p for p in d.host.pids() if stat(p)[0] == pid], 5, "the script has a child"
    )[0]
    for one in (pid, sleep):
        assert rights(one) == expected(uid, gid, groups, 0)
        assert stat(one)[1] == pid, "a process group of its own"
        assert os.readlink(f"/proc/{one}/cwd") == "/"
    assert stat(pid) == (starter, pid) and stat(starter)[1] != pid
    with open(f"/proc/{pid}/environ", "rb") as f:
        environment = f.read().decode().rstrip("\0").split("\0")
    assert sorted(environment) == [
        "LC_ALL=C",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "VRRPD_CHECK=long",
        "VRRPD_NODE=a1",
    ]
    files = {int(n): os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")}
    assert set(files) == {0, 1, 2}, files
    assert files[0] == "/dev/null" and files[1].startswith("pipe:") and files[1] == files[2]
    # The shell blocks signals itself for a moment while it starts its child.
    lab.wait_until(lambda: int(fields(pid)["SigBlk"], 16) == 0, 5, "no signal is blocked")
    assert d.stop() == 0
    lab.wait_until(lambda: not d.host.pids(), 5, "script and child have ended with vrrpd")


@pytest.mark.parametrize(("user", "role"), [(None, "agent"), ("daemon", "agent"), ("daemon", "parent")])
def test_a_script_dies_with_its_asker(lab, user, role):
    """Also when that one cannot say so any more."""
    d, pid = start_script(lab, "exec sleep 1000", user)
    d.signal_role(role, signal.SIGKILL)
    lab.wait_until(lambda: not os.path.exists(f"/proc/{pid}"), 5, "the script is gone")


def test_a_script_for_root_that_others_may_write(lab):
    """--check names the folder above the script and what to type."""
    a = lab.host("a")
    folder = os.path.join(a.dir, "open")
    os.mkdir(folder)
    os.chmod(folder, 0o777)
    script, path = os.path.join(folder, "check"), os.path.join(a.dir, "x.conf")
    for name, text in (
        (script, "#!/bin/sh\n"),
        (path, conf(instance(), checks={"c": {"kind": "script", "command": [script], "user": "root"}})),
    ):
        with open(name, "w", encoding="ascii") as f:
            f.write(text)
    os.chmod(script, 0o755)
    program = os.path.join(labs.build_dir(), "vrrpd")
    done = a.run([program, "--check", "-f", path], check=False)
    assert done.returncode == 2
    assert f"checks.c.command[0]: \"{script}\" would run as root" in done.stderr, done.stderr
    assert f"run chmod go-w {folder}" in done.stderr, done.stderr
    os.chmod(folder, 0o755)
    assert a.run([program, "--check", "-f", path], check=False).returncode == 0


# ---- where not everything is possible ----------------------------------------------------------------------


def test_few_capabilities(lab):
    """A container that gives little: the agent keeps the user; what nobody needs stays, where nobody can get it."""
    a = lab.host("a")
    prefix = ["setpriv", "--bounding-set=-all,+net_admin,+net_raw,+chown", "--"]
    d = a.vrrpd(conf(instance(), node="a"), prefix=prefix)
    d.wait_state("pg", "active")
    now = settled(d)
    network = mask({"net_admin", "net_raw"})
    for role, capabilities in (("parent", network), ("engine", network), ("agent", 0)):
        have = rights(now[role])
        assert have["CapPrm"] == have["CapEff"] == capabilities, role
        assert have["CapBnd"] == network | mask({"chown"}) and have["CapInh"] == have["CapAmb"] == 0, role
        assert have["no new privileges"] == 1 and have["seccomp"] == 2, role
    log = d.log_text()
    assert log.count("cannot be cut down without CAP_SETPCAP") == 1
    assert log.count("may not change users") == 1
    d.signal(signal.SIGUSR2)
    lab.wait_until(lambda: d.processes().get("engine", now["engine"]) != now["engine"], 5, "another engine")
    d.wait_state("pg", "active")
    assert rights(d.pid)["CapEff"] == network
    assert a.holds(VIP)


def test_another_user_with_ambient_capabilities(lab):
    """Not root at all, as a service manager can start it: capabilities are handed on by the ambient set."""
    a = lab.host("a")
    user = pwd.getpwnam("nobody")
    group = grp.getgrgid(user.pw_gid).gr_name
    run_dir = os.path.join(a.dir, "run")
    os.mkdir(run_dir)
    os.chown(run_dir, user.pw_uid, user.pw_gid)
    names = "+net_admin,+net_raw,+sys_nice,+ipc_lock"
    prefix = ["setpriv", "--reuid=nobody", f"--regid={group}", "--clear-groups"]
    prefix += [f"--inh-caps={names}", f"--ambient-caps={names}", "--"]
    # the build may lie where only root can read
    build = os.path.join(a.dir, "build")
    os.mkdir(build)
    for name in ("vrrpd", "vrrpd-engine", "vrrpd-agent", "vrrpctl"):
        shutil.copy(os.path.join(labs.build_dir(), name), build)
    d = a.vrrpd(
        conf(instance(), node="a"), prefix=prefix, args=("--run-dir", run_dir), wait=False, build=build
    )
    d.run_dir, d.socket_path = run_dir, os.path.join(run_dir, "vrrpd.sock")
    d.wait_ready()
    d.wait_state("pg", "active")
    for signalled in (None, signal.SIGUSR2):
        was = settled(d)
        if signalled:
            d.signal(signalled)
            lab.wait_until(lambda: d.processes().get("engine", was["engine"]) != was["engine"], 5, "another")
            d.wait_state("pg", "active")
        now = settled(d)
        for role, capabilities in (("parent", mask(ENGINE)), ("engine", mask(ENGINE)), ("agent", 0)):
            have = rights(now[role])
            assert have["uid"] == [user.pw_uid] * 4
            assert have["CapPrm"] == have["CapEff"] == capabilities & own_capabilities(), role
            handed_on = have["CapPrm"] if role == "parent" else 0
            assert have["CapInh"] == have["CapAmb"] == handed_on, role
    assert a.holds(VIP)


@pytest.mark.parametrize("name", ["bash", "python3", "curl"])
def test_ordinary_programs_run_as_scripts(lab, name):
    """What check scripts are written in works under the agent's filter."""
    a = lab.host("a")
    curl = f"curl -s -o /dev/null http://{a.ip4()}:1/; test $? -eq 7 && echo fine"
    python = (
        "import subprocess, threading, socket, multiprocessing as m; m.Queue(); "
        "t = threading.Thread(target=lambda: socket.getaddrinfo('127.0.0.1', 80)); t.start(); t.join(); "
        "print(subprocess.check_output('echo fine', shell=True, text=True))"
    )
    command = {
        "bash": ["/bin/bash", "-c", 'read -r x < <(echo fine) && (echo "$x") | cat'],
        "python3": ["/usr/bin/python3", "-c", python],
        "curl": ["/bin/sh", "-c", curl],
    }[name]
    check = {"kind": "script", "command": command, "interval": "2s", "timeout": "2s"}
    d = a.vrrpd(conf(instance(track=({"check": "c"},)), node="a", checks={"c": check}))

    def ran():
        one = d.instance()["checks"][0]
        assert (one["state"], one["last"]) == ("up", "fine"), one
        return True

    lab.wait_until(ran, 10, f"{name} as a check")


def test_programs_in_a_folder_that_only_root_may_enter(lab, tmp_path):
    """A clone below /root: the agent's user may not look into its folder, but its program is run."""
    a = lab.host("a")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for name in ("vrrpd", "vrrpd-engine", "vrrpd-agent", "vrrpctl"):
        shutil.copy(os.path.join(labs.build_dir(), name), closed / name)
    d = a.vrrpd(conf(instance()), build=str(closed))
    d.wait_state("pg", "active")
    assert set(d.processes()) == {"parent", "engine", "agent"}
