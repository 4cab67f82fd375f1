"""daemons.py - the programs that run on the hosts of a lab: vrrpd, keepalived, haproxy, the probe.

Used by lab.py. Each program gets its own files below the lab's folder, so many of a kind run beside each
other. The functions conf(), instance() and keepalived_instance() write configurations from Python values.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import time

import lab as labs  # lab.py imports us, too: its names are looked up when they are used


# ---- configuration text ------------------------------------------------------------------------------------


def _value(value, indent=""):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, dict):
        inner = indent + "  "
        body = "".join(f"{inner}{k} = {_value(v, inner)};\n" for k, v in value.items() if v is not None)
        return "{\n" + body + indent + "}"
    if isinstance(value, tuple):
        return "( " + ", ".join(_value(v, indent + "  ") for v in value) + " )"
    if isinstance(value, list):
        return "[ " + ", ".join(_value(v, indent) for v in value) + " ]"
    raise TypeError(f"no configuration value: {value!r}")


def conf(*instances, **settings):
    """Text of a vrrpd configuration: instances as made by instance(), settings as top-level options.

    A dict is a group, a tuple a list in parentheses, a list an array in brackets; None leaves an option out.
    """
    settings["instances"] = tuple(instances)
    return "".join(f"{k} = {_value(v)};\n" for k, v in settings.items())


def instance(name="pg", address="10.77.1.100/24", **options):
    """One instance with the lab's usual options: eth0, VRID 51, adverts every 100 ms, one address."""
    base = {"name": name, "interface": "eth0", "vrid": 51, "advert_interval": "100ms"}
    base["addresses"] = tuple(address) if isinstance(address, (list, tuple)) else (address,)
    base.update(options)
    return base


def keepalived_instance(name="VI_1", address="10.77.1.100/24", version=3, **options):
    """One vrrp_instance block for keepalived; an option of value True is a bare word, a list a block."""
    base = {
        "version": version,
        "state": "BACKUP",
        "interface": "eth0",
        "virtual_router_id": 51,
        "priority": 100,
        "advert_int": 1 if version == 2 else 0.1,
        "virtual_ipaddress": list(address) if isinstance(address, (list, tuple)) else [address],
    }
    base.update(options)
    lines = []
    for key, value in base.items():
        if value is True:
            lines.append(f"    {key}")
        elif isinstance(value, (list, tuple)):
            lines += [f"    {key} {{"] + [f"        {v}" for v in value] + ["    }"]
        elif value is not None:
            lines.append(f"    {key} {value}")
    return f"vrrp_instance {name} {{\n" + "\n".join(lines) + "\n}\n"


# ---- processes ---------------------------------------------------------------------------------------------


class Process:
    """A program on a host, its output in a log file."""

    def __init__(self, host, name, cmd, log, env=None, **popen):
        self.host = host
        self.name = name
        self.log_path = os.path.join(host.dir, log)
        with open(self.log_path, "ab") as out:
            options = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": out, "start_new_session": True}
            options.update(popen)
            self.popen = subprocess.Popen(host.command(cmd), env={**os.environ, **(env or {})}, **options)
        self.pid = self.popen.pid
        host.lab.processes.append(self)

    def alive(self):
        return self.popen.poll() is None

    def log_text(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def signal(self, number):
        self.popen.send_signal(number)

    def wait(self, timeout=10):
        """Wait for the end; the exit status (negative: the signal)."""
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise labs.LabTimeout(
                f"{self.host.name}: {self.name} still runs after {timeout:g} s\n" + self.host.lab.logs()
            ) from None

    def stop(self, timeout=10):
        """Ask it to end (SIGTERM) and wait; the exit status."""
        if self.alive():
            self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill(self):
        """End it at once (SIGKILL); nothing happens when it has ended already."""
        if self.alive():
            self.signal(signal.SIGKILL)
        self.popen.wait()


def children(pid):
    """Process ids of the children of a process and their programs' names: {"vrrpd-engine": 4711, ...}."""
    found = {}
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            pids = [int(p) for p in f.read().split()]
    except FileNotFoundError:
        return found
    for child in pids:
        try:
            with open(f"/proc/{child}/stat", encoding="utf-8", errors="replace") as f:
                text = f.read()
        except OSError:
            continue
        name, state = text[text.index("(") + 1 : text.rindex(")")], text.rpartition(")")[2].split()[0]
        if state != "Z":
            found[name] = child
    return found


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("-", timeout=timeout)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Vrrpd(Process):
    """vrrpd with its engine and agent: one daemon on one host (several with different `name`).

    `prefix` is a command that executes the daemon, with fewer rights for example.
    """

    def __init__(
        self, host, conf_text, name="vrrpd", wait=True, args=(), env=None, build=None, prefix=(), **popen
    ):
        self.build = build or labs.build_dir()
        self.dir = os.path.join(host.dir, name)
        self.conf_path = os.path.join(self.dir, "vrrpd.conf")
        self.run_dir = os.path.join(self.dir, "run")
        self.socket_path = os.path.join(self.run_dir, "vrrpd.sock")
        self.logs_changes = not {"error", "warning"} & set(args)  # of state: at the level of information
        os.makedirs(self.dir, exist_ok=True)
        with open(self.conf_path, "w", encoding="utf-8") as f:
            f.write(conf_text)
        sanitizers = {
            "ASAN_OPTIONS": "abort_on_error=1:detect_leaks=0",
            "UBSAN_OPTIONS": "print_stacktrace=1",
        }
        program = os.path.join(self.build, "vrrpd")
        super().__init__(
            host,
            name,
            [*prefix, program, "-f", self.conf_path, "--run-dir", self.run_dir, *args],
            f"{name}.log",
            env={**sanitizers, **(env or {})},
            **popen,
        )
        if wait:
            self.wait_ready()

    def stop(self, timeout=10):
        for fn in labs.BEFORE_STOP:
            fn(self)
        return super().stop(timeout)

    def wait_ready(self, deadline=10):
        """Wait until the status socket answers with every instance."""

        def ready():
            if not self.alive():
                raise RuntimeError(
                    f"{self.host.name}: {self.name} ended with {self.popen.returncode}\n" + self.log_text()
                )
            return self.try_status() is not None

        self.host.lab.wait_until(
            ready, deadline, f"{self.host.name}: the status socket of {self.name} answers"
        )

    def get(self, path, method="GET", timeout=5):
        """One HTTP request to the status socket: (status code, body as text)."""
        connection = _UnixConnection(self.socket_path, timeout)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def status(self):
        """The document of GET /v1/status."""
        code, body = self.get("/v1/status")
        assert code == 200, f"GET /v1/status: {code}: {body}"
        return json.loads(body)

    def try_status(self):
        """The status document, or None while it cannot be had."""
        try:
            return self.status()
        except (OSError, AssertionError, http.client.HTTPException):
            return None

    def instance(self, name="pg"):
        """One instance of the status document."""
        for one in self.status()["instances"]:
            if one["name"] == name:
                return one
        raise AssertionError(f"{self.host.name}: no instance {name} in status")

    def state(self, name="pg"):
        return self.instance(name)["state"]

    def counters(self, name="pg"):
        return self.instance(name)["counters"]

    def wait_state(self, name, state, deadline=5):
        """Wait until an instance is in a state; returns its part of the status document."""

        def reached():
            try:
                one = self.instance(name)
            except (OSError, http.client.HTTPException) as e:
                raise AssertionError(f"no status: {e}") from e
            assert one["state"] == state, f"state {one['state']}: {one.get('reason')}"
            return one

        return self.host.lab.wait_until(reached, deadline, f"{self.host.name}: {name} is {state}")

    def ctl(self, *args, timeout=20):
        """Run vrrpctl for this daemon; the CompletedProcess."""
        program = os.path.join(self.build, "vrrpctl")
        return self.host.run([program, "--run-dir", self.run_dir, *args], check=False, timeout=timeout)

    def processes(self):
        """Process ids by role: parent, engine, agent (those that run)."""
        kids = children(self.pid)
        out = {"parent": self.pid} if self.alive() else {}
        for role in ("engine", "agent"):
            for name, pid in kids.items():
                if name.startswith(f"vrrpd-{role}"[:15]):
                    out[role] = pid
        return out

    def signal_role(self, role, number):
        """Send a signal to the parent, the engine or the agent; returns the process id."""
        pid = self.processes()[role]
        os.kill(pid, number)
        return pid

    def kill_all(self):
        """SIGKILL to all three processes, the parent first so that it restarts nothing."""
        pids = self.processes()
        self.signal(signal.SIGSTOP)  # a stopped parent can neither restart nor clean up
        for role in ("engine", "agent"):
            if role in pids:
                os.kill(pids[role], signal.SIGKILL)
        self.signal(signal.SIGKILL)
        self.popen.wait()


class Keepalived(Process):
    """The distribution's keepalived, VRRP part only, with pid files and reports in a folder of its own."""

    def __init__(self, host, conf_text, name="keepalived", global_defs=()):
        self.dir = os.path.join(host.dir, name)
        os.makedirs(self.dir, exist_ok=True)
        conf_path = os.path.join(self.dir, "keepalived.conf")
        if "global_defs" not in conf_text:
            words = ["enable_script_security", *global_defs]
            conf_text = "global_defs {\n" + "".join(f"    {w}\n" for w in words) + "}\n" + conf_text
        with open(conf_path, "w", encoding="utf-8") as f:
            f.write(conf_text)
        pid_files = [
            word
            for flag, file in (("-p", "main"), ("-r", "vrrp"), ("-c", "checkers"), ("-b", "bfd"))
            for word in (flag, os.path.join(self.dir, file + ".pid"))
        ]
        super().__init__(
            host,
            name,
            [
                "keepalived",
                "--dont-fork",
                "--log-console",
                "--no-syslog",
                "--log-detail",
                "--vrrp",
                "-f",
                conf_path,
                *pid_files,
            ],
            f"{name}.log",
            env={"TMPDIR": self.dir},
        )

    def report(self, name="VI_1"):
        """What keepalived says of an instance as JSON: {"data": ..., "stats": ...}, freshly written."""
        path = os.path.join(self.dir, "keepalived.json")
        number = int(self.host.run(["keepalived", "--signum=JSON"]).stdout)
        vrrp = os.path.join(self.dir, "vrrp.pid")
        self.host.lab.wait_until(
            lambda: os.path.exists(vrrp), 5, f"{self.host.name}: {self.name} has started"
        )
        if os.path.exists(path):
            os.unlink(path)
        self.signal(number)
        asked = time.monotonic()

        def read():
            nonlocal asked
            try:
                with open(path, encoding="utf-8") as f:
                    return json.load(f)
            except (FileNotFoundError, ValueError):
                # a signal that comes while it starts is lost
                if time.monotonic() - asked > 0.5:
                    self.signal(number)
                    asked = time.monotonic()
                return None

        for one in self.host.lab.wait_until(read, 5, f"{self.host.name}: {self.name} wrote its report"):
            if one["data"]["iname"] == name:
                return one
        raise AssertionError(f"{self.host.name}: keepalived knows no {name}")

    def stats(self, name="VI_1"):
        return self.report(name)["stats"]

    def discarded(self, name="VI_1"):
        """Those of keepalived's counters that mean a discarded or doubtful advert, when above zero."""
        return {
            k: v
            for k, v in self.stats(name).items()
            if v
            and (
                k.endswith("_err")
                or k.endswith("_errors")
                or k.endswith("authtype")
                or "auth" in k
                or "invalid" in k
            )
        }

    def state(self, name="VI_1"):
        """ "backup", "master", "fault", ... as keepalived last logged it; "init" before."""
        for line in reversed(self.log_text().splitlines()):
            if f"({name}) Entering " in line:
                return line.partition("Entering ")[2].split()[0].lower()
        return "init"

    def wait_state(self, name, state, deadline=5):
        self.host.lab.wait_until(
            lambda: self.state(name) == state, deadline, f"{self.host.name}: keepalived's {name} is {state}"
        )


# ---- HAProxy and the web server behind it ------------------------------------------------------------------

WEB_PORT = 8080

# HAProxy is its own small web server: it answers every request with the name of the host.
WEB_CONF = """
global
    maxconn 4000
defaults
    mode http
    timeout client 5s
    timeout server 5s
    timeout connect 1s
frontend web
    bind 127.0.0.1:{port}
    http-request return status 200 content-type text/plain string "{name}\\n"
"""

PROXY_CONF = """
global
    maxconn 4000
    stats socket {socket} mode 666 level user
defaults
    mode http
    timeout client 5s
    timeout server 5s
    timeout connect 1s
frontend shared
    bind :::{port} v4v6
    default_backend servers
backend servers
    http-reuse always
    server local 127.0.0.1:{web} check inter 500ms
"""


class Haproxy(Process):
    """HAProxy with a given configuration; socket_path is where the usual one keeps its runtime socket."""

    def __init__(self, host, conf_text, name="haproxy"):
        self.dir = os.path.join(host.dir, name)
        os.makedirs(self.dir, exist_ok=True)
        os.chmod(self.dir, 0o755)
        self.socket_path = os.path.join(self.dir, "admin.sock")
        conf_path = os.path.join(self.dir, "haproxy.cfg")
        with open(conf_path, "w", encoding="utf-8") as f:
            f.write(conf_text.replace("{socket}", self.socket_path))
        super().__init__(host, name, ["haproxy", "-db", "-f", conf_path], f"{name}.log")


def web_server(host):
    """The small web server on this host's loopback."""
    return Haproxy(host, WEB_CONF.format(port=WEB_PORT, name=host.name), "web")


def web_proxy(host, port=80):
    """HAProxy in front of the small web server, listening on every address of the host."""
    return Haproxy(host, PROXY_CONF.format(port=port, web=WEB_PORT, socket="{socket}"), "haproxy")


class Probe(Process):
    """A client that asks an address at a fixed pace (tests/support/probe.c)."""

    def __init__(self, host, kind, address, port=0, interval_us=1000, gap_ms=5):
        host.sysctl(**{"net.ipv4.ip_local_port_range": "1024 65000"})
        program = os.path.join(labs.build_dir(), "tests", "probe")
        super().__init__(
            host,
            f"probe-{kind}",
            [program, kind, address, str(port), str(interval_us), str(gap_ms)],
            f"probe-{kind}.log",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def report(self):
        """What was seen since the last report, as a dict (times in microseconds); a new period starts."""
        self.popen.stdin.write("report\n")
        self.popen.stdin.flush()
        return json.loads(self.popen.stdout.readline())

    def silence_ms(self, report):
        """Longest time without an answer in a report, a silence that still lasts included."""
        return max(report["longest_us"], report["silent_us"]) / 1000

    def wait_answers(self, deadline=10, steady=0.2):
        """Wait until answers come again and have come for `steady` seconds; the reports seen meanwhile."""
        reports = []
        good_since = None
        end = time.monotonic() + deadline
        while True:
            time.sleep(0.02)
            r = self.report()
            reports.append(r)
            if 0 <= r["silent_us"] < 20000 and r["answered"] > 0:
                good_since = good_since or time.monotonic()
                if time.monotonic() - good_since >= steady:
                    return reports
            else:
                good_since = None
            if time.monotonic() >= end:
                raise labs.LabTimeout(
                    f"{self.name} got no steady answers within {deadline:g} s\n" + self.host.lab.logs()
                )


class Holders(Process):
    """Who holds an address, sampled on all hosts of the lab every millisecond (tests/support/holders.c).

    Times are those of time.monotonic(). periods() is everything since the start or the last clear().
    """

    def __init__(self, lab, address, interval_us=1000, hosts=None):
        hosts = hosts or list(lab.hosts.values())
        program = os.path.join(labs.build_dir(), "tests", "holders")
        super().__init__(
            hosts[-1],
            "holders",
            [program, address, str(interval_us), *(f"{h.name}=/run/netns/{h.netns}" for h in hosts)],
            "holders.log",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._seen = []
        self.gap_ms = 0.0  # the longest time between two looks so far
        if self.popen.stdout.readline() != "ready\n":
            raise RuntimeError(f"holders did not start: {self.log_text()}")

    def _ask(self):
        self.popen.stdin.write("\n")
        self.popen.stdin.flush()
        return json.loads(self.popen.stdout.readline())

    def periods(self):
        """What was seen so far, oldest first: [(from, to, [names of hosts]), ...]."""
        report = self._ask()
        self.gap_ms = max(self.gap_ms, report["gap_us"] / 1000)
        for start, end, names in report["periods"]:
            names = names.split()
            if self._seen and self._seen[-1][2] == names:
                start = self._seen.pop()[0]
            else:
                start /= 1e6
            self._seen.append((start, end / 1e6, names))
        return list(self._seen)

    def clear(self):
        """Forget what was seen so far."""
        self._ask()
        self._seen = []
        self.gap_ms = 0.0

    def present(self):
        """Who holds it now."""
        return self.periods()[-1][2]

    def longest_ms(self, count):
        """The longest time that so many hosts held it: 0, 1; 2 means two or more."""
        spans = [0.0]
        before = None
        for start, end, names in self.periods():
            if min(len(names), 2) == count:
                # Periods that follow each other are one, whoever the hosts were.
                spans.append(end - start + (spans.pop() if before == count else 0.0))
            before = min(len(names), 2)
        return max(spans) * 1000
