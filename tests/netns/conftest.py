"""conftest.py - what every netns test shares: a lab of its own, logs on failure, an end to tests that hang.

Run with "make netns" or "make test", as root. VRRPD_BUILD names the build folder under test (default build).
"""

import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))

import lab as labs  # noqa: E402
import reasons_watch  # noqa: E402

collect_ignore = ["test_systemd.py"]  # run by its name only: "make systemd-test"

TEST_TIMEOUT = 120  # seconds; a single test that takes longer hangs


def pytest_configure(config):
    config.pluginmanager.register(reasons_watch.Plugin())


def pytest_sessionstart(session):
    del session
    if os.geteuid() != 0:
        pytest.exit("the netns tests make network namespaces and need root; type: sudo make test", 1)
    for program in ("vrrpd", "tests/probe"):
        if not os.path.exists(os.path.join(labs.build_dir(), program)):
            pytest.exit(f"{labs.build_dir()}/{program} is missing; type: make netns", 1)


@pytest.hookimpl(trylast=True)  # after pytest has ended what fixtures of whole files hold
def pytest_sessionfinish(session):
    """Whatever happened: no network of this run may remain."""
    left = labs.netns_names(f"{labs.PREFIX}-{os.getpid()}")
    if left:
        print(f"\nnetworks were left behind: {left}")
        session.exitstatus = 1


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Attach the logs of the daemons to the report of a failed test."""
    report = (yield).get_result()
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, labs.Lab):
                report.sections.append((f"logs of {name}", value.logs()))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    """Interrupt a test that hangs."""

    def give_up(*_):
        raise TimeoutError(f"{item.name} took longer than {TEST_TIMEOUT} s")

    old = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(TEST_TIMEOUT)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, old)


@pytest.fixture
def lab():
    """A network of the test's own; hosts are made with lab.host(name)."""
    with labs.Lab() as one:
        yield one
        assert not one.complaints(), one.logs()


@pytest.fixture
def lab2():
    """The same with two LANs: lab2.host(name, lans=(1, 2)) has eth0 and eth1."""
    with labs.Lab(lans=2) as one:
        yield one
        assert not one.complaints(), one.logs()
