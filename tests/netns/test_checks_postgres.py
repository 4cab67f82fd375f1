"""test_checks_postgres.py - kind "postgres" against a real server and pgbouncer: accepts, role, TLS, hung, gone."""

import glob
import os
import pwd
import shutil
import signal
import subprocess
import time

from daemons import conf, instance
from postgres import AS_POSTGRES, Postgres, secret

from test_checks_local import check, one, wait_check

def pgbouncer(pg):
    """pgbouncer on port 6432 before the server; nobody needs a password for its first answer."""
    folder = os.path.join(pg.dir, "bouncer")
    os.mkdir(folder)
    user = pwd.getpwnam("postgres")
    os.chown(folder, user.pw_uid, user.pw_gid)
    path = os.path.join(folder, "pgbouncer.ini")
    with open(path, "w", encoding="ascii") as f:
        f.write(
            "[databases]\npostgres = host=127.0.0.1 port=5432\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = 6432\nunix_socket_dir = \nauth_type = scram-sha-256\nauth_file = {folder}/users\n"
        )
    with open(os.path.join(folder, "users"), "w", encoding="ascii") as f:
        f.write('"vrrpd" ""\n"postgres" "geheim"\n')
    return pg.host.popen([*AS_POSTGRES, shutil.which("pgbouncer") or "/usr/sbin/pgbouncer", path], "pgbouncer.log")


def agent_cpu(d):
    """Seconds of CPU that the agent has used."""
    with open(f"/proc/{d.processes()['agent']}/schedstat", encoding="ascii") as f:
        return int(f.read().split()[0]) / 1e9


def test_postgres(lab):
    a = lab.host("a")
    pg = Postgres(a)
    login = {"username": "postgres", "password_file": secret(a, "geheim")}
    tls = {"ca": os.path.join(pg.dir, "cert.pem")}

    def postgres(**options):
        return check("postgres", interval="200ms", timeout="200ms", **{"address": "127.0.0.1:5432", **options})

    checks = {
        "hello": postgres(),
        "unix": postgres(address=pg.socket),
        "bouncer": postgres(address="127.0.0.1:6432"),
        "primary": postgres(role="primary", **login),
        "replica": postgres(role="replica", **{**login, "address": pg.socket}),
        "pooled": postgres(**{**login, "address": "127.0.0.1:6432"}),
        "wrong": postgres(username="postgres", password_file=secret(a, "falsch")),
        "tls": postgres(tls={**tls, "server_name": "db.test"}, **login),
        "name": postgres(tls={**tls, "server_name": "other.test"}, **login),
        "path": postgres(address=os.path.join(pg.dir, "data"), **login),
    }
    d = a.vrrpd(
        conf(instance(track=tuple({"check": n, "weight": -1} for n in checks)), node="a", checks=checks)
    )
    wait_check(d, "down", "Connection refused", "hello")
    wait_check(d, "down", "there is no such socket", "unix")
    wait_check(d, "down", "", "path")

    pg.start(hot_standby="off")
    wait_check(d, "down", "does not accept connections: the database system is not", "hello", 15)
    wait_check(d, "down", "does not accept connections: the database system is not", "primary")
    pg.stop()

    pg.start(hot_standby="on")
    pgbouncer(pg)
    for name in ("hello", "unix", "bouncer"):
        wait_check(d, "up", "accepts connections", name, 15)
    wait_check(d, "down", "is replica, not primary", "primary")
    wait_check(d, "up", "is replica", "replica")
    wait_check(d, "up", "accepts connections, replica", "pooled")
    wait_check(d, "up", "accepts connections, replica", "tls")
    wait_check(d, "down", 'password authentication failed for user "postgres"', "wrong")
    wait_check(d, "down", "does not match host name", "name")
    assert "geheim" not in d.log_text() + str(d.status()) + d.get("/v1/config")[1]

    pg.promote()
    wait_check(d, "up", "is primary", "primary")
    wait_check(d, "down", "is primary, not replica", "replica")
    wait_check(d, "up", "accepts connections, primary", "pooled")

    # The server hangs: the connection that is kept would still be answered.
    pg.process.signal(signal.SIGSTOP)
    for name in ("hello", "primary"):
        wait_check(d, "down", "no result within 200 ms", name)
    pg.process.signal(signal.SIGCONT)
    wait_check(d, "up", "is primary", "primary")

    # Restarted: the kept connection is replaced in the same run.
    pg.stop()
    wait_check(d, "down", "Connection refused", "primary")
    pg.start()
    wait_check(d, "up", "is primary", "primary", 15)
    wait_check(d, "up", "accepts connections", "hello")
    assert one(d, "wrong")["state"] == "down"
    # The server hears of no protocol error of ours.
    for path in glob.glob(os.path.join(a.dir, "postgres*.log")):
        with open(path, encoding="utf-8", errors="replace") as f:
            text = f.read()
        for word in ("invalid startup packet", "incomplete startup packet", "could not receive data"):
            assert word not in text, f"{path}: {text[-3000:]}"


def test_cost(lab):
    """What a run costs the agent: handshake alone, and with the role over the kept connection."""
    a = lab.host("a")
    pg = Postgres(a)
    pg.start()
    login = {"username": "postgres", "password_file": secret(a, "geheim")}
    for name, options in (("hello", {}), ("role", login)):
        checks = {
            f"c{i}": check("postgres", address=pg.socket, interval="50ms", timeout="50ms", **options) for i in range(4)
        }
        d = a.vrrpd(
            conf(
                instance(name=name, track=tuple({"check": n, "weight": -1} for n in checks)),
                node="a",
                checks=checks,
            ),
            name=name,
        )
        for n in checks:
            lab.wait_until(lambda n=n: next(c for c in d.instance(name)["checks"] if c["name"] == n)["state"] == "up", 15, n)

        def runs():
            lines = [x for x in d.get("/metrics")[1].splitlines() if x.startswith("vrrpd_check_runs_total")]
            return sum(float(x.split()[-1]) for x in lines)

        before, cpu = runs(), agent_cpu(d)
        time.sleep(3)  # nobody asks for status meanwhile: what is measured are the checks alone
        done = runs() - before
        cost = (agent_cpu(d) - cpu) / done * 1e6
        assert done > 100
        print(f"{name}: {cost:.0f} us of CPU for a run")
        assert cost < 500
        d.kill_all()
