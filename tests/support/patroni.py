"""patroni.py - the distribution's Patroni, PostgreSQL and etcd on the hosts of a lab.

Used by the netns tests. Everything runs as the user postgres, with its files below the lab's folder; the clusters
of the distribution in /etc/postgresql are not touched. Durability is off: what is tested is who leads.
"""

import glob
import json
import os
import pwd
import shutil
import signal

import daemons

USER = "postgres"
REST_PORT = 8008
ETCD_PORT = 2379

# Patroni's smallest times: a dead leader's lock lasts `ttl` seconds (20 is the least it takes).
CONF = """
scope: pg
name: {name}
restapi: {{ listen: "0.0.0.0:{rest}", connect_address: "{ip}:{rest}" }}
etcd3: {{ host: "{etcd}" }}
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 1
    retry_timeout: 3
    primary_start_timeout: 0
    postgresql:
      use_pg_rewind: false
      parameters: {{ fsync: "off", full_page_writes: "off", shared_buffers: 16MB, max_connections: 20,
                    wal_level: replica, max_worker_processes: 4, checkpoint_timeout: 30 }}
  initdb: [ {{ encoding: UTF8 }}, {{ auth: trust }}, no-sync ]
  pg_hba: [ "host all all all trust", "host replication all all trust", "local all all trust" ]
postgresql:
  listen: "0.0.0.0:5432"
  connect_address: "{ip}:5432"
  data_dir: {dir}/data
  bin_dir: {bin_dir}
  pgpass: {dir}/pgpass
  authentication: {{ replication: {{ username: rep }}, superuser: {{ username: postgres }} }}
  parameters: {{ unix_socket_directories: "{dir}" }}
  basebackup: [ {{ checkpoint: fast }}, no-sync ]
"""


def available():
    """Debian has Patroni and etcd, and install_deps.sh installs them; other distributions may not."""
    return shutil.which("apt-get") or (shutil.which("patroni") and shutil.which("etcd"))


def stop(pids):
    """SIGSTOP: connections are taken, but no answer comes."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)


def resume(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass


def _as_user(cmd):
    return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *cmd]


def bin_dir():
    """Where the newest PostgreSQL keeps its programs (Debian, Fedora, Alpine)."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin")) + sorted(glob.glob("/usr/libexec/postgresql*"))
    return found[-1] if found else os.path.dirname(shutil.which("initdb") or "/usr/bin/initdb")


def _own_dir(host, name):
    path = os.path.join(host.dir, name)
    os.makedirs(path, exist_ok=True)
    os.chmod(path, 0o700)
    user = pwd.getpwnam(USER)
    os.chown(path, user.pw_uid, user.pw_gid)
    return path


class Etcd(daemons.Process):
    """An etcd of one member; a second one with the same host and name goes on with its data."""

    def __init__(self, host, name="etcd"):
        self.dir = _own_dir(host, name)
        self.endpoint = f"{host.ip4()}:{ETCD_PORT}"
        cmd = ["etcd", "--data-dir", self.dir, "--unsafe-no-fsync", "--logger", "zap"]
        cmd += ["--listen-client-urls", f"http://{self.endpoint}"]
        cmd += ["--advertise-client-urls", f"http://{self.endpoint}"]
        cmd += ["--listen-peer-urls", "http://127.0.0.1:2380"]
        super().__init__(host, name, _as_user(cmd), f"{name}.log")


class Patroni(daemons.Process):
    """Patroni and its PostgreSQL; a second one on the same host goes on with the data of the first."""

    def __init__(self, host, etcd, name="patroni"):
        self.dir = _own_dir(host, name)
        self.conf_path = os.path.join(host.dir, f"{name}.yml")
        with open(self.conf_path, "w", encoding="utf-8") as f:
            f.write(
                CONF.format(
                    name=host.name,
                    ip=host.ip4(),
                    etcd=etcd.endpoint,
                    dir=self.dir,
                    rest=REST_PORT,
                    bin_dir=bin_dir(),
                )
            )
        env = {"HOME": self.dir, "PATH": bin_dir() + ":" + os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        super().__init__(host, name, _as_user(["patroni", self.conf_path]), f"{name}.log", env=env, cwd="/")

    def ctl(self, *args, check=True):
        """Run patronictl; the CompletedProcess."""
        cmd = ["patronictl", "-c", self.conf_path, *args]
        return self.host.run(_as_user(["env", f"HOME={self.dir}", "LC_ALL=C.UTF-8", *cmd]), check=check)

    def ask(self, path="/patroni", timeout=2):
        """(status, document) of the REST API, asked on the host itself; (None, {}) when there is no answer; {} for other documents."""
        cmd = ["curl", "-sS", "-m", str(timeout), "-w", "\\n%{http_code}", f"http://127.0.0.1:{REST_PORT}{path}"]
        done = self.host.run(cmd, check=False)
        body, _, status = done.stdout.rpartition("\n")
        if done.returncode != 0:
            return None, {}
        return int(status), json.loads(body) if body.startswith("{") else {}

    def role(self):
        """ "primary", "replica", ... of a PostgreSQL that runs; else its state, or None without an answer."""
        _, doc = self.ask()
        if doc.get("state") != "running":
            return doc.get("state")
        return {"master": "primary"}.get(doc["role"], doc["role"])

    def wait_role(self, role, deadline=30):
        self.host.lab.wait_until(
            lambda: self.role() == role, deadline, f"{self.host.name}: Patroni's role is {role}"
        )

    def postgres_pids(self):
        """Process ids of this host's PostgreSQL, the postmaster first."""
        found = []
        for pid in self.host.pids():
            try:
                with open(f"/proc/{pid}/comm", encoding="ascii") as f:
                    if f.read().strip() == "postgres":
                        found.append(pid)
            except OSError:
                continue
        return sorted(found)


class Cluster:
    """Patroni on the hosts a and b, etcd on the host dcs. .leader and .other are names, as of wait_whole()."""

    def __init__(self, lab):
        self.lab = lab
        self.dcs, self.hosts = lab.host("dcs"), [lab.host("a"), lab.host("b")]
        self.etcd = Etcd(self.dcs)
        self.patroni = {"a": Patroni(self.hosts[0], self.etcd)}
        self.patroni["a"].wait_role("primary")
        self.patroni["b"] = Patroni(self.hosts[1], self.etcd)
        self.leader = self.other = None

    def wait_whole(self, deadline=40):
        """Wait until there are a primary and a replica."""
        roles = {}

        def has_both():
            roles.update({name: p.role() for name, p in self.patroni.items()})
            assert sorted(map(str, roles.values())) == ["primary", "replica"], roles
            return True

        self.lab.wait_until(has_both, deadline, "one primary and one replica")
        self.leader = next(n for n, r in roles.items() if r == "primary")
        self.other = next(n for n, r in roles.items() if r == "replica")

    def restart_etcd(self):
        self.etcd = Etcd(self.dcs)

    def at(self, address, *names, deadline=10):
        """Wait until exactly these hosts hold the address."""
        self.lab.wait_until(
            lambda: self.lab.holders(address) == sorted(names), deadline, f"{address} is at {names or 'nobody'}"
        )
