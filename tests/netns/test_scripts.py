"""test_scripts.py - scripts/: the checks against the real services, the notify scripts, both under keepalived."""

import base64
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import time
from types import SimpleNamespace

import pytest

import lab as labs
import patroni
import wire
from daemons import conf, instance, keepalived_instance, web_proxy, web_server
from redis_daemons import Authority, Redis, Sentinel
from test_checks_postgres import Postgres
from web_fake import Web

CHECKS = ["check_etcd", "check_haproxy", "check_patroni", "check_postgres", "check_redis_role"]
NOTIFIES = ["notify_log", "notify_service", "notify_webhook"]
NASTY = 'a "b" \\ c\td\ne \u00e9\u20ac\U0001f600 /\x01\x7f'


class Scripts:
    """Runs scripts on a host; each must say exactly one line."""

    def __init__(self, lab, host):
        self.dir = lab.scripts()
        self.host = host

    def path(self, name):
        return os.path.join(self.dir, name)

    def run(self, name, *args, env=None, prefix=(), timeout=15):
        cmd = self.host.command([*prefix, self.path(name), *args])
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", **(env or {})}
        done = subprocess.run(cmd, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=timeout, check=False)
        assert done.stderr == b"", done.stderr
        assert done.stdout.count(b"\n") == 1 and done.stdout.endswith(b"\n"), done.stdout
        return done.returncode, done.stdout.decode(errors="replace").rstrip("\n")

    def ok(self, pattern, name, *args, **how):
        self.expect(0, pattern, name, *args, **how)

    def bad(self, pattern, name, *args, **how):
        self.expect(1, pattern, name, *args, **how)

    def expect(self, status, pattern, name, *args, **how):
        got = self.run(name, *args, **how)
        assert got[0] == status and re.fullmatch(pattern, got[1]), f"{got}, not {status}, {pattern!r}"

    def wait(self, status, pattern, name, *args, deadline=15):
        """Until it says so; expect() raises until then."""
        self.host.lab.wait_until(lambda: self.expect(status, pattern, name, *args) or True, deadline, f"{name}: {pattern}")

    def file(self, name, text, mode=0o600):
        path = os.path.join(self.host.dir, name)
        with open(path, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(path, mode)
        return path


@pytest.fixture(scope="module")
def plain():
    """One host without services: what needs no more shares it."""
    with labs.Lab() as lab:
        host = lab.host("a")
        yield Scripts(lab, host)


# ---- every script ------------------------------------------------------------------------------------------


def test_install(plain):
    """make install brings them all, and each explains itself there, also by way of a link."""
    root = os.path.join(plain.host.dir, "root")
    subprocess.run(["make", "-s", "install", f"BUILD={labs.build_dir()}", f"DESTDIR={root}"], cwd=labs.ROOT,
                   check=True, stdin=subprocess.DEVNULL)
    folder = os.path.join(root, "usr/local/libexec/vrrpd")
    assert sorted(n for n in os.listdir(folder) if n.startswith(("check_", "notify_"))) == CHECKS + NOTIFIES
    for name in CHECKS + NOTIFIES:
        link = os.path.join(root, name)
        os.symlink(os.path.join(folder, name), link)
        done = subprocess.run([link, "--help"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True)
        assert done.stdout.startswith(f"usage: {name} ")
        assert f"/{name}" in done.stdout.partition("\nvrrpd: ")[2].partition("\nkeepalived: ")[0]
        assert f"/{name}" in done.stdout.partition("\nkeepalived: ")[2]


@pytest.mark.parametrize("name", CHECKS + NOTIFIES)
def test_options(plain, name):
    """Those that --help tells are known, others are not."""
    done = subprocess.run([plain.path(name), "--help"], stdout=subprocess.PIPE, text=True, check=True)
    told = set(re.findall(r"--[a-z-]+", done.stdout.partition("\nvrrpd: ")[0])) - {"--help", "--tls"}
    assert "--timeout" in told
    for option in told:
        plain.bad(f"{name}: {option} needs a value; see --help", name, option)
    plain.bad(f'{name}: there is no option "--bad"; see --help', name, "--bad")
    needs = {"notify_service": ["--unit", "x"], "notify_webhook": ["--url", "http://x"]}.get(name, [])
    plain.bad(f'{name}: there is no option "stray"; see --help', name, *needs, "stray")
    for value in ("0", "0.0", "1.2.3", "-1", "", "1s"):
        plain.bad(f"{name}: --timeout takes seconds.*; see --help", name, *needs, "--timeout", value)


@pytest.mark.parametrize(
    "call, message",
    [
        ("check_patroni --role boss", '--role takes primary, .* or health, not "boss"'),
        ("check_patroni --role primary --max-lag 1MB", "--max-lag goes with --role replica, async or read-only"),
        ("check_patroni --role replica --max-lag 1&x", '--max-lag takes bytes or a size like 16MB, not "1&x"'),
        ("check_patroni --role replica --max-lag much", '--max-lag takes bytes or a size like 16MB, not "much"'),
        ("check_patroni --url 10.0.0.1:8008", "--url takes a URL that begins with http.*"),
        ("check_patroni --user x", "--user goes with --password-file"),
        ("check_patroni --password-file x", "--password-file goes with --user"),
        ("check_etcd --leader-key /k", "--leader-key goes with --value"),
        ("check_etcd --leader-key a:b", "--leader-key goes with --value"),
        ("check_etcd --value v", "--value goes with --leader-key"),
        ("check_etcd --endpoint 127.0.0.1:2379", "--endpoint takes a URL that begins with http.*"),
        ("check_redis_role --role slave", '--role takes master or replica, not "slave"'),
        ("check_redis_role --sentinel x:1", "--sentinel goes with --self.*"),
        ("check_redis_role --sentinel x:y --self x", 'the port of --sentinel takes a number, not "y"'),
        ("check_redis_role --self x", "--self goes with --sentinel"),
        ("check_redis_role --cacert x", "--cacert, --cert and --key go with --tls"),
        ("check_redis_role --address ::1", r"--address takes HOST:PORT, and \[IPV6\]:PORT for IPv6, not \"::1\""),
        ("check_redis_role --address x:y", 'the port of --address takes a number, not "y"'),
        ("check_postgres --role primary", "--role goes with --user.*"),
        ("check_postgres --user x", "--user goes with --role"),
        ("check_postgres --role boss --user x", '--role takes primary or replica, not "boss"'),
        ("check_postgres --address /run", '--address takes HOST:PORT or a path like .*, not "/run"'),
        ("check_postgres --sslmode yes", '--sslmode takes disable, .*, not "yes"'),
        ("notify_log", "no state: call it as a notify script, .*"),
        ("notify_log INSTANCE pg", "INSTANCE needs a name and a state after it"),
        ("notify_webhook", "no URL: write --url URL or --url-file FILE"),
        ("notify_webhook --url http://x --url-file y", "--url and --url-file exclude each other"),
        ("notify_webhook --url ftp://x", "--url takes a URL that begins with http.*"),
        ("notify_webhook --url http://x --retries many", '--retries takes a number, not "many"'),
        ("notify_webhook --url http://x", "no state: .*"),
        ("notify_service INSTANCE pg MASTER", "no service: write --unit NAME"),
        ("notify_service --unit a;b INSTANCE pg MASTER", '--unit takes the name of a service, not "a;b"'),
        ("notify_service --unit x", "no state: .*"),
    ],
)
def test_misuse(plain, call, message):
    name, *args = call.split()
    plain.bad(f"{name}: {message}; see --help", name, *args)


def test_files_with_secrets(plain):
    """Only what its owner alone may use is read, and nothing of it is shown."""
    call = ["check_etcd", "--user", "u", "--password-file"]
    open_file = plain.file("open", "geheim\n", 0o640)
    plain.bad(f"--password-file: others than its owner may use {open_file}: run chmod 600 on it", *call, open_file)
    plain.bad("--password-file: .*/none is no file: write the path .*", *call, "/none")
    plain.bad("--password-file: .* is empty: write the secret into it", *call, plain.file("empty", ""))
    plain.bad("--password-file: .* is empty: write .*", *call, plain.file("blank", "\n"))
    plain.bad("--password-file: .* holds more than one line: .*", *call, plain.file("lines", "a\nb\n"))
    plain.bad("--header-file: others than its owner may use .*", "notify_webhook", "--url", "http://x", "--header-file",
              open_file, "INSTANCE", "pg", "MASTER")
    as_nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    plain.bad("--password-file: .* cannot be read as nobody: run chown nobody on it", *call,
              plain.file("mine", "geheim\n"), prefix=as_nobody)


# ---- notify scripts ----------------------------------------------------------------------------------------


def test_log_to_a_file(plain):
    path = os.path.join(plain.host.dir, "vrrp.log")
    log = ["notify_log", "--file", path]
    env = {
        "VRRPD_INSTANCE": "pg", "VRRPD_STATE": "active", "VRRPD_FROM": "backup", "VRRPD_PRIORITY": "150",
        "VRRPD_REASON": "no adverts\nfrom 10.0.0.2", "VRRPD_INTERFACE": "eth0", "VRRPD_SUPERSEDED": "2",
        "VRRPD_ADDRESSES": "10.0.0.100/24 10.0.0.101/24",
    }  # fmt: skip
    whole = ("pg: active (was backup), priority 150, no adverts from 10.0.0.2, 10.0.0.100/24 10.0.0.101/24 on eth0, "
             "2 transitions before it not told")
    plain.ok(re.escape(whole), *log, env=env)
    plain.ok(re.escape(whole), *log, "INSTANCE", "pg", "MASTER", "150", env=env)
    plain.ok("pg: fault, priority 90", *log, "INSTANCE", "pg", "FAULT", "90")
    plain.ok("group all: initialize", *log, "GROUP", "all", "DELETED")
    with open(path, encoding="utf-8") as f:
        lines = f.read().splitlines()
    assert [re.sub(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} ", "", x) for x in lines] == [
        whole, whole, "pg: fault, priority 90", "group all: initialize"]  # fmt: skip
    for state in ("MASTER_PRIORITY", "BACKUP_PRIORITY", "MASTER_RX_LOWER_PRI", "WHATEVER"):
        plain.ok(f"pg: nothing to do for {state}", *log, "INSTANCE", "pg", state, "150")
    with open(path, encoding="utf-8") as f:
        assert len(f.read().splitlines()) == 4
    plain.bad("cannot append to /proc/none as root: .*No such file.*", "notify_log", "--file", "/proc/none",
              "INSTANCE", "pg", "STOP")
    pipe = os.path.join(plain.host.dir, "pipe")
    os.mkfifo(pipe)
    plain.bad("cannot append to .*/pipe as root: nobody takes it within 0.2 s", "notify_log", "--file", pipe,
              "--timeout", "0.2", "INSTANCE", "pg", "STOP")


def test_log_to_the_system(plain):
    """logger(1) with a socket of ours as /dev/log, in a mount namespace."""
    path = os.path.join(plain.host.dir, "devlog")
    dev = f'mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && ln -s {path} /dev/log && exec "$@"'
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(path)
        s.settimeout(5)
        plain.ok("pg: active", "notify_log", "--tag", "vip", "INSTANCE", "pg", "MASTER",
                 prefix=["unshare", "-m", "sh", "-c", dev, "-"])
        assert re.fullmatch(r"<29>.*\bvip: pg: active", s.recv(1000).decode())
    os.unlink(path)
    plain.bad("there is no system log here: .*", "notify_log", "INSTANCE", "pg", "MASTER",
              prefix=["unshare", "-m", "sh", "-c", dev, "-"])


def test_webhook_says_it_in_json(plain):
    web = Web(plain.host, 8101, {None: (204, "")})
    header_file = plain.file("headers", "Authorization: Bearer t0ken\nX-Team: db\n")
    env = {"VRRPD_INSTANCE": NASTY, "VRRPD_STATE": "active", "VRRPD_FROM": "backup", "VRRPD_PRIORITY": "150",
           "VRRPD_REASON": NASTY * 20, "VRRPD_REASON_ID": "no_adverts", "VRRPD_NODE": "n", "VRRPD_INTERFACE": "eth0",
           "VRRPD_ADDRESSES": "10.0.0.100/24 fd00::1/64", "VRRPD_HOOK": "notify", "VRRPD_SUPERSEDED": "0"}  # fmt: skip
    plain.ok('told that a "b" .*', "notify_webhook", "--url", web.url + "/x?a=b&c", "--header-file", header_file, env=env)
    method, path, headers, body = web.asked[-1]
    assert (method, path, headers["Content-Type"]) == ("POST", "/x?a=b&c", "application/json")
    assert (headers["Authorization"], headers["X-Team"]) == ("Bearer t0ken", "db")
    assert "notify_webhook" in web.spied and "t0ken" not in web.spied
    assert json.loads(body) == {
        "instance": NASTY, "state": "active", "from": "backup", "priority": 150, "reason": NASTY * 20,
        "reason_id": "no_adverts", "node": "n", "interface": "eth0",
        "addresses": ["10.0.0.100/24", "fd00::1/64"], "hook": "notify", "superseded": 0,
    }  # fmt: skip
    # Under keepalived: words only. What is no UTF-8 arrives as U+FFFD, and what is begins anew behind it.
    plain.ok("told that .* is fault: 204", "notify_webhook", "--url", web.url, "GROUP", b"\xff\xc3(\xed\xa0\x80\xc3\xa9\xf0\x9f",
             "FAULT", "0")
    assert json.loads(web.asked[-1][3]) == {
        "group": "\ufffd\ufffd(\ufffd\ufffd\ufffd\u00e9\ufffd\ufffd", "state": "fault", "priority": 0, "node": os.uname().nodename,
    }  # fmt: skip


def test_webhook_tries_again_but_not_for_ever(plain):
    web = Web(plain.host, 8102, {"/": [(503, ""), (429, ""), (200, "")], "/gone": (410, ""), "/busy": (500, "")})
    secret_url = plain.file("url", web.url + "/\n")

    def post(*args):
        web.asked.clear()
        started = time.monotonic()
        got = plain.run("notify_webhook", *args, "INSTANCE", "pg", "BACKUP", "100")
        return *got, len(web.asked), time.monotonic() - started

    assert post("--url-file", secret_url)[:3] == (0, "told that pg is backup: 200", 3)
    assert post("--url", web.url + "/gone")[:3] == (
        1, "the server answers 410 to the POST: look at --url and --header-file", 1)  # fmt: skip
    status, line, asked, took = post("--url", web.url + "/busy", "--retries", "1")
    assert (status, line, asked) == (1, "pg is backup, but nobody was told: the server answers 500 (asked 2 times)", 2)
    assert 1 <= took < 4
    with wire.in_netns(plain.host.netns, lambda: socket.create_server(("127.0.0.1", 8103))):  # takes, and says nothing
        status, line, _, took = post("--url", "http://127.0.0.1:8103", "--timeout", "0.2", "--retries", "0")
    assert status == 1 and re.search(r"no answer: .*timed out.* \(asked 1 times\)", line)
    assert took < 2


def mounted(host, systemd):
    """A command that runs another with a /run of its own, with or without systemd, and a service "lab"."""
    folder = os.path.join(host.dir, "init.d")
    if not os.path.exists(folder):
        os.mkdir(folder)
        log = os.path.join(host.dir, "service.log")
        for path, text in ((os.path.join(folder, "lab"), f'echo "init.d $1" >>{log}; [ $1 != stop ] || exit 7'),
                           (os.path.join(folder, "systemctl"), f'echo "systemctl $*" >>{log}')):
            with open(path, "w", encoding="ascii") as f:
                f.write(f"#!/bin/sh\n{text}\n")
            os.chmod(path, 0o755)
    script = f"mount -t tmpfs none /run && mount --bind {folder} /etc/init.d && "
    script += f"mkdir -p /run/systemd/system && PATH={folder}:$PATH && " if systemd else ""
    return ["unshare", "-m", "sh", "-c", script + 'exec "$@"', "-"]


def test_service(plain):
    """By service(8) and an init script where no systemd runs; by systemctl where one does."""
    call = ["notify_service", "--unit", "lab.service"]
    prefix = mounted(plain.host, systemd=False)
    plain.ok("pg is active: service lab start", *call, "INSTANCE", "pg", "MASTER", "150", prefix=prefix)
    plain.bad("service lab stop failed as root: .*", *call, "INSTANCE", "pg", "BACKUP", "150", prefix=prefix)
    plain.bad("service none start failed as root: .*none.*", "notify_service", "--service", "none", "INSTANCE", "pg",
              "MASTER", prefix=prefix)
    prefix = mounted(plain.host, systemd=True)
    plain.ok("pg is active: systemctl start lab.service", *call, env={"VRRPD_STATE": "active", "VRRPD_INSTANCE": "pg"},
             prefix=prefix)
    for state, word in (("fault", "FAULT"), ("initialize", "STOP"), ("initialize", "DELETED")):
        plain.ok(f"pg is {state}: systemctl stop lab.service", *call, "INSTANCE", "pg", word, prefix=prefix)
    plain.ok("pg: nothing to do for MASTER_PRIORITY", *call, "INSTANCE", "pg", "MASTER_PRIORITY", prefix=prefix)
    with open(os.path.join(plain.host.dir, "service.log"), encoding="ascii") as f:
        assert f.read().splitlines() == ["init.d start", "init.d stop"] + [
            f"systemctl --no-ask-password {verb} lab.service" for verb in ("start", "stop", "stop", "stop")]  # fmt: skip


def test_keepalived_runs_them(lab):
    """A vrrp_script that is check_haproxy, a notify that is notify_log with options of its own."""
    a = lab.host("a")
    scripts = Scripts(lab, a)
    web_server(a)
    proxy = web_proxy(a)
    log = os.path.join(a.dir, "vrrp.log")
    options = ["--socket", proxy.socket_path, "--backend", "servers"]
    scripts.wait(0, "1 of 1 servers up in servers", "check_haproxy", *options)
    check = " ".join([scripts.path("check_haproxy"), *options])
    a.keepalived(
        f'vrrp_script haproxy {{\n script "{check}"\n interval 1\n timeout 3\n fall 1\n rise 1\n init_fail\n}}\n'
        + keepalived_instance(track_script=["haproxy"], notify=f'"{scripts.path("notify_log")} --file {log}"'),
        global_defs=["script_user root"],
    )

    def told(*wanted):
        def seen():
            with open(log, encoding="ascii") as f:
                return sorted(line.partition(" ")[2] for line in f.read().splitlines()) == sorted(wanted)

        lab.wait_until(lambda: os.path.exists(log) and seen(), 10, f"told: {wanted}")

    fault, backup, active = (f"VI_1: {state}, priority 100" for state in ("fault", "backup", "active"))
    told(backup, active)
    proxy.kill()
    told(backup, active, fault)


# ---- checks against servers that say what real ones say rarely ---------------------------------------------

PRIMARY = {"state": "running", "role": "primary", "xlog": {"location": 67395656}, "replication": [{"state": "x", "role": "y"}]}
REPLICA = {"state": "running", "role": "replica", "xlog": {"received_location": 166, "replayed_location": 110}}


def test_patroni_answers(plain):
    """What the status of the endpoint says is not enough; the same verdicts as kind "patroni" has."""
    web = Web(plain.host, 8104)

    def ask(role, status, doc, *args):
        web.answers = {None: (status, doc if isinstance(doc, str) else json.dumps(doc))}
        return plain.run("check_patroni", "--url", web.url + "/", "--role", role, *args)

    assert ask("primary", 200, PRIMARY) == (0, "role primary, running")
    assert web.asked[-1][1] == "/primary"
    assert ask("primary", 200, {**PRIMARY, "role": "master"}) == (0, "role primary, running")
    assert ask("primary", 200, REPLICA) == (
        1, "holds the leader lock, but is not promoted yet: role replica, running, replay lag 56 B")  # fmt: skip
    assert ask("primary", 200, {**PRIMARY, "state": "starting"})[0] == 1
    assert ask("primary", 503, PRIMARY) == (1, "/primary answers 503: role primary, running")
    paused = {**PRIMARY, "pause": True, "cluster_unlocked": True}
    assert ask("primary", 503, paused) == (0, "role primary, running, paused, nobody holds the leader lock")
    assert ask("primary", 503, {**REPLICA, "pause": True, "cluster_unlocked": True})[0] == 1
    assert ask("leader", 200, {**PRIMARY, "role": "standby_leader"}) == (0, "role standby_leader, running")
    assert ask("primary", 200, {**PRIMARY, "role": "standby_leader"})[0] == 1
    assert ask("replica", 200, REPLICA, "--max-lag", "16MB") == (0, "role replica, running, replay lag 56 B")
    assert web.asked[-1][1] == "/replica?lag=16MB"
    assert ask("replica", 200, PRIMARY) == (1, "wanted replica: role primary, running")
    assert ask("sync", 200, REPLICA)[0] == 1 and ask("sync", 200, {**REPLICA, "sync_standby": True})[0] == 0
    assert ask("async", 200, REPLICA)[0] == 0 and ask("async", 200, {**REPLICA, "quorum_standby": True})[0] == 1
    assert ask("quorum", 200, {**REPLICA, "quorum_standby": True})[0] == 0
    assert ask("health", 200, {**REPLICA, "state": "stopped"})[1].startswith("PostgreSQL is not running: role replica")
    for text in ("", "<html>", '{"state":"running","role":"primary"', '{"a":{"state":"running","role":"primary"}}',
                 '["state","running"]', '{"state":"running","role":"primary"}x', "[" * 100):  # fmt: skip
        assert ask("primary", 200, text) == (1, "/primary answers 200 without role and state: is this Patroni?"), text
    password = plain.file("patroni.pass", 'ge"h\\eim\n')
    assert ask("primary", 200, PRIMARY, "--user", "u", "--password-file", password)[0] == 0
    login = web.asked[-1][2]["Authorization"]
    assert login == "Basic " + base64.b64encode(b'u:ge"h\\eim').decode()
    assert "check_patroni" in web.spied and "h\\eim" not in web.spied and login.split()[1] not in web.spied


def test_etcd_answers(plain):
    """A token for the key, what every endpoint would refuse, and endpoints that are not fit to ask."""
    ranged = {"header": {"revision": "8"}, "kvs": [{"key": "L2s=", "value": "cGcx"}], "count": "1"}
    web = Web(plain.host, 8105)
    key = ["check_etcd", "--endpoint", web.url, "--leader-key", "/k", "--value", "pg1"]

    def answers(**by_path):
        web.answers = {"/v3/" + k.replace("_", "/"): (status, json.dumps(doc)) for k, (status, doc) in by_path.items()}

    answers(auth_authenticate=(200, {"header": {"x": 1}, "token": "abc.12"}), kv_range=(200, ranged))
    plain.ok("/k is pg1", *key, "--user", 'o"p', "--password-file", plain.file("etcd.pass", "ge\\heim\n"))
    assert json.loads(web.asked[-2][3]) == {"name": 'o"p', "password": "ge\\heim"}
    assert web.asked[-1][2]["Authorization"] == "abc.12" and json.loads(web.asked[-1][3]) == {"key": "L2s="}
    assert "heim" not in web.spied and "abc.12" not in web.spied
    answers(kv_range=(200, {"header": {"revision": "8"}}))
    plain.bad("nobody holds /k", *key)
    answers(kv_range=(200, {"x": 1}))
    plain.bad(f"no endpoint is fit to ask: {web.url}: answers 200, but not as etcd does", *key)
    answers(kv_range=(400, {"error": "e", "code": 3, "message": "etcdserver: user name is empty"}))
    plain.bad(r"etcd refuses: etcdserver: user name is empty \(options --user and --password-file\)", *key)
    answers(kv_range=(503, {"code": 14, "message": "etcdserver: request timed out"}))
    plain.bad(f"no endpoint is fit to ask: {web.url}: etcdserver: request timed out", *key)
    answers()
    plain.bad("no endpoint is fit to ask: .*: no JSON gateway there .*", *key)
    web.answers = {"/health": (503, '{"health":"false","reason":"RAFT NO LEADER"}')}
    plain.bad("no endpoint is fit to ask: .*: unhealthy: RAFT NO LEADER", *key[:3])


# ---- checks against the real services ----------------------------------------------------------------------


@pytest.mark.skipif(
    not shutil.which("apt-get") and not (shutil.which("patroni") and shutil.which("etcd")),
    reason="this distribution has no packages of Patroni and etcd",
)
def test_patroni_etcd_and_postgres(lab):
    dcs, a, b = (lab.host(n) for n in ("dcs", "a", "b"))
    etcd = patroni.Etcd(dcs)
    nodes = [patroni.Patroni(a, etcd)]
    nodes[0].wait_role("primary")
    nodes.append(patroni.Patroni(b, etcd))
    nodes[1].wait_role("replica")
    on_a, on_b = Scripts(lab, a), Scripts(lab, b)

    login = ["--user", "postgres"]
    on_a.wait(0, "role primary, running", "check_patroni", "--role", "primary")
    on_b.wait(0, "role replica, running, replay lag .*", "check_patroni", "--role", "replica", "--max-lag", "16MB")
    on_b.bad("/primary answers 503: role replica, running.*", "check_patroni", "--role", "primary")
    on_a.bad("/replica answers 503: role primary, running", "check_patroni", "--role", "replica")
    on_a.ok("accepts connections, is primary", "check_postgres", "--role", "primary", *login)
    on_b.ok("accepts connections, is replica", "check_postgres", "--role", "replica", *login)
    on_b.bad("is replica, not primary", "check_postgres", "--role", "primary", *login)
    on_b.ok("accepts connections", "check_postgres", "--address", nodes[1].dir + "/.s.PGSQL.5432")

    closed, mute = "http://127.0.0.1:1", "http://127.0.0.1:9"
    real = f"http://{etcd.endpoint}"
    with wire.in_netns(a.netns, lambda: socket.create_server(("127.0.0.1", 9))):
        tried = [x for url in (closed, mute, real) for x in ("--endpoint", url)] + ["--timeout", "0.5"]
        key = ["--leader-key", "/service/pg/leader", "--value"]
        on_a.ok(f"{real} is healthy", "check_etcd", *tried)
        on_a.ok("/service/pg/leader is a", "check_etcd", *tried, *key, "a")
        on_a.bad("/service/pg/leader is a, not b", "check_etcd", *tried, *key, "b")
        on_a.bad("nobody holds /none", "check_etcd", *tried, "--leader-key", "/none", "--value", "a")
        etcd.signal(signal.SIGSTOP)
        try:
            started = time.monotonic()
            on_a.bad(f"no endpoint is fit to ask: {closed}: .*refused.*; {mute}: .*timed out.*; {real}: .*timed out.*|"
                     f"no endpoint is fit to ask: {closed}: Failed to connect.*; {mute}: .*timed out.*; {real}: .*timed out.*",
                     "check_etcd", *tried, *key, "a")
            assert time.monotonic() - started < 3
        finally:
            etcd.signal(signal.SIGCONT)

    pids = nodes[0].postgres_pids()
    try:
        for pid in [nodes[0].pid, *pids]:
            os.kill(pid, signal.SIGSTOP)
        on_a.bad("no answer: .*timed out.*", "check_patroni", "--role", "primary", "--timeout", "0.3")
        on_a.bad("PostgreSQL hangs: no answer at 127.0.0.1:5432 within 0.5 s", "check_postgres",
                 "--timeout", "0.5")
    finally:
        for pid in [nodes[0].pid, *pids]:
            os.kill(pid, signal.SIGCONT)
    nodes[0].kill()
    os.kill(pids[0], signal.SIGKILL)
    on_a.bad("no answer: Failed to connect.*", "check_patroni")
    lab.wait_until(lambda: not nodes[0].postgres_pids(), 10, "PostgreSQL has ended")
    on_a.bad("PostgreSQL is not running: no server answers at 127.0.0.1:5432", "check_postgres")


def test_postgres_login(lab):
    a = lab.host("a")
    pg, scripts = Postgres(a), Scripts(lab, a)
    call = ["check_postgres", "--user", "postgres", "--role", "replica"]
    good = scripts.file("good.pass", "geheim\n")
    pg.start(hot_standby="on")
    scripts.wait(0, "accepts connections, is replica", *call, "--password-file", good)
    ca = os.path.join(pg.dir, "cert.pem")
    scripts.ok("accepts connections, is replica", *call, "--password-file", good, "--sslmode", "verify-ca", "--cacert", ca)
    scripts.bad('the login as user "postgres" failed: server certificate for "db.test" .*does not match host name .*', *call, "--password-file", good,
                "--sslmode", "verify-full", "--cacert", ca)
    passfile = scripts.file("pgpass", "127.0.0.1:*:*:postgres:geheim\n")
    scripts.ok("accepts connections, is replica", *call, env={"PGPASSFILE": passfile})
    scripts.bad('PostgreSQL wants a password of user "postgres".*', *call, env={"PGPASSFILE": "/dev/null"})
    scripts.bad('the login as user "postgres" failed: password authentication failed.*', *call, "--password-file",
                scripts.file("wrong.pass", "falsch\n"))
    pg.stop()
    pg.start(hot_standby="off")
    scripts.wait(1, "PostgreSQL does not accept connections: .*", "check_postgres")
    pg.stop()


def test_redis_and_sentinels(lab):
    """Roles, links, loading; a failover, and the old master that comes back and believes that it still is one."""
    a, b, c = (lab.host(n) for n in "abc")
    on_a, on_b = Scripts(lab, a), Scripts(lab, b)
    quick = ["key-load-delay 2000", "loading-process-events-interval-bytes 1024", "enable-debug-command yes"]
    redis = {"a": Redis(a, quick), "b": Redis(b, [f"replicaof {a.ip4()} 6379"])}
    lab.wait_until(lambda: "connected" in redis["b"].cli("ROLE"), 10, "b is a's replica")
    sentinels = [Sentinel(h, a) for h in (a, b, c)]
    lab.wait_until(lambda: all(s.usable() and s.replicas() == 1 for s in sentinels), 20, "the Sentinels know all")
    voters = [x for h in (a, b, c) for x in ("--sentinel", f"{h.ip4()}:26379")]
    role = ["check_redis_role", "--timeout", "2", "--role"]

    on_a.ok("role master", *role, "master")
    on_b.ok("role replica", *role, "replica", "--address", f"{b.ip4()}:6379")
    on_b.bad("role replica, not master", *role, "master", *voters, "--self", b.ip4())
    on_a.bad("role master, not replica", *role, "replica", "--address", "[::1]:6379")
    on_a.bad("it is a Sentinel and no Redis", *role, "master", "--address", "127.0.0.1:26379")
    on_a.ok("role master, named by 3 of 3 Sentinels", *role, "master", *voters, "--self", f"{a.ip4()}:6379")
    on_a.ok("role master, named by 3 of 3 Sentinels", *role, "master", *voters, "--self", "x", "--self", a.ip4())
    on_a.bad("role master, but 3 of 3 Sentinels name 10.77.1.1:6379, not this host", *role, "master", *voters,
             "--self", a.ip4() + ":6380")
    dead = ["--sentinel", "127.0.0.1:1"]
    on_a.ok("role master, named by 3 of 5 Sentinels", *role, "master", *voters, *dead * 2, "--self", a.ip4())
    on_a.bad("role master, but only 3 of 6 Sentinels name this host: Sentinel 127.0.0.1: Could not connect.*", *role,
             "master", *voters, *dead * 3, "--self", a.ip4())
    on_a.bad('role master, but only 0 of 3 .*: 10.77.1.[123]: it knows no "x".*', *role, "master", *voters, "--self",
             a.ip4(), "--master", "x")

    redis["a"].kill()
    on_a.bad("Redis: Could not connect to Redis at 127.0.0.1:6379: Connection refused", *role, "master")
    on_b.bad("role replica, link to its master: connect.*", *role, "replica")
    lab.wait_until(lambda: redis["b"].role() == "master", 20, "b is promoted")
    on_b.wait(0, "role master, named by [23] of 3 Sentinels", *role, "master", *voters, "--self", b.ip4())
    for s in sentinels:
        s.signal(signal.SIGSTOP)  # else they make a replica of it before it is asked
    redis["a"] = Redis(a)
    on_a.ok("role master", *role, "master")
    started = time.monotonic()
    on_a.bad("role master, but only 0 of 3 .*: Sentinel .*: no answer within 0.5 s.*", *role, "master", *voters,
             "--self", a.ip4(), "--timeout", "0.5")
    assert time.monotonic() - started < 3
    for s in sentinels:
        s.signal(signal.SIGCONT)

    def voted_down():
        status, line = on_a.run(*role, "master", *voters, "--self", a.ip4())
        assert status == 1
        return re.fullmatch("role master, but [23] of 3 Sentinels name 10.77.1.2:6379, not this host|role replica, not master", line)

    lab.wait_until(voted_down, 10, "the Sentinels name b")


def test_redis_login_and_tls(lab):
    a = lab.host("a")
    scripts = Scripts(lab, a)
    ca = Authority(a)
    cert, key = ca.sign("redis1", "IP:127.0.0.1")
    own_cert, own_key = ca.sign("client")
    lines = ["requirepass s3cret", "user vrrpd on >pw-of-vrrpd resetkeys -@all +ping +role", "tls-port 6380",
             f"tls-cert-file {cert}", f"tls-key-file {key}", f"tls-ca-cert-file {ca.cert}", "enable-debug-command yes",
             "key-load-delay 2000", "loading-process-events-interval-bytes 1024"]  # fmt: skip
    redis = Redis(a, lines, cli=("--no-auth-warning", "-a", "s3cret"))
    call = ["check_redis_role", "--timeout", "2", "--role", "master"]
    good, wrong = scripts.file("good", "s3cret\n"), scripts.file("wrong", "falsch\n")
    user, tls = ["--user", "vrrpd"], ["--address", "127.0.0.1:6380", "--tls", "--cacert", ca.cert]
    scripts.ok("role master", *call, "--password-file", good)
    scripts.bad(r"Redis wants a password \(option --password-file\)", *call)
    scripts.bad(r"Redis says that the password is wrong \(option --password-file\)", *call, "--password-file", wrong)
    scripts.ok("role master", *call, *user, "--password-file", scripts.file("user", "pw-of-vrrpd\n"))
    scripts.bad('Redis does not let user "vrrpd" in: .*', *call, *user, "--password-file", wrong)
    redis.cli("ACL", "SETUSER", "vrrpd", "-role")
    scripts.bad('Redis does not let user "vrrpd" run what the check needs .*', *call, *user, "--password-file",
                scripts.file("user", "pw-of-vrrpd\n"))
    client = ["--cert", own_cert, "--key", own_key, "--password-file", good]
    scripts.ok("role master", *call, *tls, *client)
    scripts.bad("Redis: Could not connect.*certificate verify failed.*", *call, *tls[:3], "--cacert", own_cert, *client)
    scripts.bad(r"Redis.* \(does it want TLS\?\)", *call, *tls[:2], "--password-file", good)

    # What the process list shows while redis-cli waits.
    redis.signal(signal.SIGSTOP)
    running = a.popen([scripts.path("check_redis_role"), "--password-file", good, "--timeout", "10"], "check.log")

    def spied():
        texts = []
        for pid in a.pids():
            try:
                with open(f"/proc/{pid}/cmdline", encoding="utf-8") as f:
                    texts.append(f.read())
            except OSError:
                continue
        return any("redis-cli\0--raw" in t for t in texts) and texts

    texts = lab.wait_until(spied, 5, "redis-cli waits")
    assert not any("s3cret" in t for t in texts)
    redis.signal(signal.SIGCONT)
    assert running.wait(10) == 0

    redis.cli("CONFIG", "SET", "requirepass", "")
    scripts.ok("role master", *call, "--password-file", good)
    redis.cli("DEBUG", "POPULATE", "1000", "key", "100")
    loader = a.popen([*redis.cli_args, "DEBUG", "RELOAD"], "reload.log")
    lab.wait_until(lambda: scripts.run(*call, "--password-file", good) == (1, "Redis is loading its data"), 10, "loading")
    loader.kill()


def test_vrrpd_runs_them(lab):
    """As the agent's user, without rights, with vrrpd's few variables."""
    a = lab.host("a")
    scripts = Scripts(lab, a)
    web = Web(a, 8008, {None: (200, json.dumps(PRIMARY))})
    password = scripts.file("pass", "geheim\n")
    try:
        user = pwd.getpwnam("vrrpd")
    except KeyError:
        user = pwd.getpwnam("nobody")
    os.chown(password, user.pw_uid, user.pw_gid)
    command = [scripts.path("check_patroni"), "--role", "primary", "--user", "u", "--password-file", password]
    check = {"kind": "script", "command": command, "interval": "1s", "timeout": "1s", "rise": 1, "fall": 1}
    d = a.vrrpd(conf(instance(track=({"check": "p"},)), node="a", checks={"p": check}))
    d.wait_state("pg", "active")
    assert d.instance()["checks"][0]["last"] == "role primary, running"
    web.answers = {None: (200, json.dumps(REPLICA))}
    d.wait_state("pg", "fault")
    assert d.instance()["checks"][0]["last"].startswith("holds the leader lock, but is not promoted yet")
    assert "geheim" not in web.spied + d.log_text()
