"""test_watch.py - vrrpctl watch on a real terminal: what it shows, how it ends, what it leaves behind."""

import http.server
import json
import os
import shlex
import signal
import socketserver
import subprocess
import threading

import pytest

from daemons import children, conf, instance
import lab as labs
from terminal import Terminal


def watch(run_dir, *args):
    program = os.path.abspath(os.path.join(labs.build_dir(), "vrrpctl"))
    return shlex.join([program, "--run-dir", run_dir, "watch", *args])


def start(lab, terminal, command):
    terminal.line(command)
    lab.wait_until(lambda: terminal.is_screen() and "q: end" in terminal.text(), 10, "the screen is taken")


def shell_pid(terminal):
    return int(terminal._ask("display-message", "-p", "#{pane_pid}"))


def test_shows_what_is_and_goes_on_by_itself(lab):
    a = lab.host("a")
    daemon = a.vrrpd(conf(instance(priority=150)))
    daemon.wait_state("pg", "active")
    with Terminal(a.dir, 80, 24, a.command) as t:
        start(lab, t, watch(daemon.run_dir, "-n", "0.2"))
        lab.wait_until(lambda: "pg        active" in t.text(), 5, "the table")
        lab.wait_until(lambda: "  pg  backup -> active  nobody was heard for" in t.text(), 5, "its event")
        assert any("\033[32m" in line and "active" in line for line in t.lines(colours=True))
        assert daemon.ctl("drain", "pg").returncode == 0
        lab.wait_until(lambda: "drained until vrrpctl resume" in t.text(), 5, "the drain is seen")
        assert daemon.ctl("resume", "pg").returncode == 0
        lab.wait_until(lambda: "drained until" not in t.text() and "pg        active" in t.text(), 5, "it is resumed")
        assert daemon.stop() == 0
        lab.wait_until(lambda: "vrrpd does not answer:" in t.text() and "as it was" in t.text(), 5, "it is away")
        daemon = a.vrrpd(conf(instance(priority=150)))
        daemon.wait_state("pg", "active")
        lab.wait_until(lambda: "does not answer" not in t.text() and "pg        active" in t.text(), 5, "it is back")
        assert t.is_screen()


def test_the_terminal_is_left_as_it_was(lab):
    a = lab.host("a")
    daemon = a.vrrpd(conf(instance()))
    daemon.wait_state("pg", "active")
    command = watch(daemon.run_dir, "-n", "0.2")
    modes = [os.path.join(a.dir, f"modes{i}") for i in range(5)]

    def note(t, i):
        t.line(f"echo ended with $?; stty -g >{modes[i]}.new; mv {modes[i]}.new {modes[i]}")
        lab.wait_until(lambda: os.path.exists(modes[i]) and t.is_given_back(), 10, "the shell is back")

    with Terminal(a.dir, 80, 24, a.command) as t:
        note(t, 0)
        for i, (key, status) in enumerate((("q", 0), ("C-c", 0)), 1):
            start(lab, t, command)
            t.type(key)
            lab.wait_until(t.is_given_back, 5, "it has ended")
            t.line("clear")
            note(t, i)
        # stopped, and in front again
        start(lab, t, command)
        t.type("C-z")
        lab.wait_until(lambda: t.is_given_back() and "Stopped" in t.text(), 10, "it has stopped")
        note(t, 3)
        t.line("fg")
        lab.wait_until(lambda: t.is_screen() and "q: end" in t.text(), 10, "it is in front again")
        # asked to end from outside
        os.kill(children(shell_pid(t))["vrrpctl"], signal.SIGTERM)
        lab.wait_until(t.is_given_back, 5, "it has ended")
        note(t, 4)
        lab.wait_until(lambda: "ended with 143" in t.text(), 5, "the signal is seen")
    found = []
    for path in modes:
        with open(path, encoding="ascii") as f:
            found.append(f.read())
    assert len(set(found)) == 1


def waits_for_an_answer(daemon):
    """Is a connection open that nobody accepts?"""
    done = daemon.host.run(["ss", "-xlH", "src", daemon.socket_path])
    return int(done.stdout.split()[2]) > 0


def test_keys_count_while_the_daemon_hangs(lab):
    a = lab.host("a")
    daemon = a.vrrpd(conf(instance()))
    daemon.wait_state("pg", "active")
    with Terminal(a.dir, 80, 24, a.command) as t:
        start(lab, t, watch(daemon.run_dir, "-n", "0.1"))
        pid = daemon.signal_role("agent", signal.SIGSTOP)
        try:
            lab.wait_until(lambda: waits_for_an_answer(daemon), 10, "a question is open")
            t.type("q")
            lab.wait_until(t.is_given_back, 4, "it has ended before the question was given up")
        finally:
            os.kill(pid, signal.SIGCONT)


# ---- a daemon of any size ----------------------------------------------------------------------------------


def one(n, state="backup"):
    return {"name": f"i{n:03}", "mode": "vrrp", "state": state, "since_s": 5.0, "reason": f"reason {n}",
            "priority": {"base": 100, "effective": 100}, "active_node": {"address": "10.0.0.2", "self": False},
            "addresses": [{"address": "10.0.0.9/24", "interface": "eth0", "held": False}],
            "checks": [{"name": "haproxy", "kind": "check", "state": "up", "since_s": 3.0, "last": "ok"}],
            "peers": [], "warnings": []}


class Double(socketserver.ThreadingUnixStreamServer):
    """The status API with given documents."""

    daemon_threads = True

    def __init__(self, folder, instances, events):
        double = self
        self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # noqa: N802
                double.asked.append(self.path)
                if self.path.startswith("/v1/events"):
                    body = "".join(json.dumps(e) + "\n" for e in events)
                else:
                    body = json.dumps({"node": "n1", "version": "1", "uptime_s": 5, "warnings": [],
                                       "instances": instances}) + "\n"
                data = body.encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def address_string(self):
                return "unix"

            def log_message(self, *_):
                pass

        super().__init__(os.path.join(folder, "vrrpd.sock"), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path)


def wait(fn, what):
    return labs.wait_until(fn, 10, what)


def test_fits_the_terminal(folder):
    events = [{"seq": n, "time": f"2020-01-02T03:04:0{n}.123Z", "instance": "i007", "from": "backup", "to": "fault",
               "reason": "check_failed", "text": f"check haproxy failed, time {n}"} for n in range(1, 4)]
    instances = [one(n) for n in range(255)]
    instances[200] = one(200, "fault")
    double = Double(folder, instances, events)
    with Terminal(folder, 80, 24) as t:
        t.line(watch(folder, "-n", "0.2"))
        wait(lambda: "i000" in t.text() and "time 3" in t.text(), "table and events")
        lines = t.lines()
        assert len(lines) == 24
        assert lines[-1].startswith("q: end   every 0.2 s   ")
        assert lines[2].startswith("i200      fault"), lines  # what is wrong is never cut off
        assert lines[3] == "  reason 200"
        assert [x.partition(", ")[2] for x in lines[-4:-1]] == ["time 1", "time 2", "time 3"]
        assert any(x.startswith("... and ") and x.endswith(" lines more: vrrpctl status shows all") for x in lines)
        for columns, rows in ((40, 12), (120, 40), (25, 3), (80, 24)):
            t.resize(columns, rows)
            wait(lambda c=columns, r=rows: len(t.lines()) == r and t.lines()[-1].startswith("q: end")
                 and max(len(x) for x in t.lines()) <= c, f"it fits {columns} columns and {rows} rows")
        # two instances have room for everything
        instances[:] = [one(1), one(2)]
        wait(lambda: "check haproxy: up" in t.text() and "i200" not in t.text(), "the details")
        assert "... and" not in t.text()
        assert "/v1/events?n=8" in double.asked
        t.type("q")
        wait(t.is_given_back, "it has ended")
    double.shutdown()
    double.server_close()


def test_without_a_terminal(folder):
    double = Double(folder, [one(1)], [])
    program = os.path.join(labs.build_dir(), "vrrpctl")
    done = subprocess.run([program, "--run-dir", folder, "watch"], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2 and "needs a terminal" in done.stderr and done.stdout == ""
    with subprocess.Popen([program, "--run-dir", folder, "watch", "-j", "-n", "0.1"], stdout=subprocess.PIPE,
                          text=True) as process:
        try:
            for _ in range(3):
                assert json.loads(process.stdout.readline())["node"] == "n1"
            double.shutdown()
            double.server_close()
            for line in process.stdout:
                if "error" in line:
                    assert json.loads(line)["error"] == "vrrpd does not answer"
                    break
        finally:
            process.terminate()
    assert process.returncode == -signal.SIGTERM
