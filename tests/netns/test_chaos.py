"""test_chaos.py - twenty seconds of tests/tools/chaos.py; `make chaos` runs it for as long as wanted."""

import os
import random
import sys

import lab as labs

sys.path.insert(0, os.path.join(labs.ROOT, "tests", "tools"))

import chaos  # noqa: E402


def test_chaos(lab):
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
    print(f"SEED={seed}")
    run = chaos.Run(lab, seed)
    run.go(20)
    assert run.verdict(), lab.logs(200)


def test_the_judge_sees_what_is_wrong(lab):
    """Two holders without any reason, then none although all are fit: both are found."""
    said = []
    run = chaos.Run(lab, 1, said.append)
    run.settle()
    run.sampler.clear()
    a, b = run.members[0].host, run.members[1].host
    b.ip("addr", "add", chaos.VIP + "/32", "dev", "lo")
    labs.time.sleep(0.8)
    b.ip("addr", "del", chaos.VIP + "/32", "dev", "lo")
    labs.time.sleep(1.2)
    a.ip("route", "add", "throw", chaos.VIP + "/32", "table", "99")
    a.ip("rule", "add", "to", chaos.VIP, "blackhole", "priority", "0")
    a.ip("rule", "del", "priority", "0", "lookup", "local", check=False)
    labs.time.sleep(0.4)
    a.ip("rule", "del", "blackhole", check=False)
    a.ip("rule", "add", "lookup", "local", "priority", "0", check=False)
    assert not run.verdict()
    assert any("b held the address" in line for line in said), said
    assert any("nobody held the address" in line for line in said), said
