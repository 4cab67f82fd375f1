"""test_clean.py - nothing of the lab stays behind, whatever happened to the test that used it."""

import os
import signal
import subprocess
import sys
import tempfile
import textwrap

import pytest

import lab as labs


def remains(prefix):
    """Namespaces, folders and processes that belong to labs with this prefix."""
    found = labs.netns_names(prefix)
    found += [n for n in os.listdir(tempfile.gettempdir()) if n.startswith(prefix + "-")]
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                if f"{prefix}-".encode() in f.read():
                    found.append(f"process {pid}")
        except OSError:
            continue
    return found


def test_a_closed_lab_leaves_nothing():
    with labs.Lab() as lab:
        a = lab.host("a")
        a.udp_echo()
        a.capture()
        a.popen(["sh", "-c", "sleep 1000 & sleep 1000"], "sleepers.log")
        a.keepalived(
            "vrrp_instance x { interface eth0\n virtual_router_id 1\n virtual_ipaddress { 10.77.1.9 } }\n"
        )
        prefix = lab.prefix
        assert remains(prefix)
    assert not remains(prefix)


SCRIPT = """
    import sys, time
    sys.path.insert(0, {support!r})
    import lab as labs
    with labs.Lab() as lab:
        a = lab.host("a")
        a.popen(["sleep", "1000"], "sleep.log")
        print(lab.prefix, flush=True)
        time.sleep(1000)
"""


def start_script():
    support = os.path.dirname(os.path.abspath(labs.__file__))
    child = subprocess.Popen(
        [sys.executable, "-B", "-c", textwrap.dedent(SCRIPT).format(support=support)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return child, child.stdout.readline().strip()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing(number):
    child, prefix = start_script()
    assert remains(prefix)
    child.send_signal(number)
    assert child.wait(20) != 0
    assert not remains(prefix)


def test_what_a_killed_run_left_goes_at_the_next_start():
    child, prefix = start_script()
    child.kill()
    child.wait(20)
    assert remains(prefix)
    with labs.Lab():
        pass
    assert not remains(prefix)


def test_two_runs_do_not_touch_each_other():
    child, prefix = start_script()
    with labs.Lab() as lab:
        lab.host("a")
        assert lab.prefix != prefix
    assert remains(prefix), "closing one lab must not remove another's"
    child.send_signal(signal.SIGTERM)
    child.wait(20)
    assert not remains(prefix)
