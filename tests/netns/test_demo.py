"""test_demo.py - "make demo" from beginning to end, and interrupted; the installer of dependencies.

The demo is the first thing that a newcomer sees: it must work, say what it found, and leave nothing behind.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import pytest

import lab as labs

DEMO = os.path.join(labs.ROOT, "tests", "tools", "demo.py")
INSTALL = os.path.join(labs.ROOT, "tests", "tools", "install_deps.sh")


def start(logs):
    return subprocess.Popen(
        [sys.executable, "-B", DEMO],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "VRRPD_LOGS": logs},
        start_new_session=True,
    )


def remains(pid):
    return labs.netns_names(f"{labs.PREFIX}-{pid}")


def test_demo(watch_logs):
    demo = start(watch_logs)
    output, _ = demo.communicate(timeout=90)
    assert demo.returncode == 0, output
    table = dict(re.findall(r"^(\S.*?) {2,}([0-9.]+) ms  proxy[123]$", output, re.M))
    assert len(table) >= 8, output
    bounds = {
        "vrrpd on proxy1 is stopped in order": 200,
        "the network cable of proxy1 is pulled": 600,
        "all of vrrpd on proxy1 is killed (kill -9)": 200,
        "the cable is plugged in again": 100,
    }
    for what, most in bounds.items():
        assert float(table[what]) < most, output
    assert not remains(demo.pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_demo_interrupted(number, watch_logs):
    demo = start(watch_logs)
    lines = []
    for line in demo.stdout:  # interrupted in the middle of it
        lines.append(line)
        if line.startswith("1. "):
            break
    demo.send_signal(number)
    rest = demo.communicate(timeout=20)[0]
    assert demo.returncode != 0
    assert "Traceback" not in rest, "".join(lines) + rest
    assert not remains(demo.pid)


def test_demo_without_root():
    # the sources may lie where only root can read
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        tests = shutil.copytree(os.path.join(labs.ROOT, "tests"), os.path.join(folder, "tests"))
        run_without_root(os.path.join(tests, "tools", "demo.py"))


def run_without_root(demo):
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-B", demo],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and "sudo make demo" in done.stderr


def test_nothing_to_install_is_silent():
    for name in ("demo", "test"):
        done = subprocess.run(
            [INSTALL, name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (0, "")
    done = subprocess.run(
        [INSTALL, "nonsense"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False
    )
    assert done.returncode == 1 and "nonsense" in done.stderr
