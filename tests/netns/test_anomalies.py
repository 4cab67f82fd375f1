"""test_anomalies.py - a sample of tests/tools/anomalies.py (`make anomalies` takes all of them), and failures found by it."""

import os
import random
import sys
import time

import lab as labs
import pytest

sys.path.insert(0, os.path.join(labs.ROOT, "tests", "tools"))

import anomalies  # noqa: E402
import anomaly  # noqa: E402

SAMPLE_S = 8.0  # as many as fit
# How many there are, about: (phase, program, what): n. Those that few are left to `make anomalies`.
TYPICAL = {
    ("start", "vrrpd", "call"): 350,
    ("start", "vrrpd-engine", "call"): 90,  # behind that libnl may wait for ever: vrrpd takes 30 s to end that
    ("start", "vrrpd-agent", "allocation"): 700,
    ("start", "vrrpd-agent", "call"): 200,
    ("takeover", "vrrpd-engine", "allocation"): 10,
    ("takeover", "vrrpd-engine", "call"): 58,
    ("takeover", "vrrpd-engine", "ack"): 2,
    ("takeover", "vrrpd-agent", "allocation"): 170,
    ("takeover", "vrrpd-agent", "call"): 94,
    ("release", "vrrpd-engine", "call"): 60,
    ("release", "vrrpd-engine", "ack"): 2,
    ("release", "vrrpd-engine", "request"): 2,
    ("release", "vrrpd-agent", "call"): 90,
    ("stop", "vrrpd", "call"): 20,
    ("stop", "vrrpd-engine", "call"): 60,
    ("reload", "vrrpd", "allocation"): 290,
    ("reload", "vrrpd", "call"): 55,
    ("reload", "vrrpd-engine", "allocation"): 30,
    ("reload", "vrrpd-engine", "call"): 100,
    ("reload", "vrrpd-agent", "call"): 60,
    ("resume", "vrrpd", "call"): 105,
    ("resume", "vrrpd-engine", "allocation"): 400,
    ("resume", "vrrpd-engine", "call"): 90,
    ("agent", "vrrpd", "call"): 105,
    ("agent", "vrrpd-agent", "allocation"): 700,
    ("agent", "vrrpd-agent", "call"): 160,
}


@pytest.fixture(name="run", scope="module")
def run_fixture():
    """Workers that are used by all tests of this file."""
    lines = []
    run = anomalies.Run(3, 0.0, lines.append)
    run.lines = lines
    yield run
    run.close()


def outcome_of(run, group, only, n=1, variant=0):
    """The n-th call of one function fails: what became of it, which is a state that is defined."""
    (outcome,) = run.these([anomalies.Job(group, n, variant, only)], 1)
    assert outcome.wrong is None, f"{outcome.wrong}\n{outcome.place}\n{outcome.log}"
    assert outcome.fired, f"{only} was called {outcome.count} times only"
    return outcome


def test_sample(run):
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
    print(f"SEED={seed}")
    chance = random.Random(seed)
    end = time.monotonic() + SAMPLE_S
    run.outcomes.clear()
    while time.monotonic() < end:
        jobs = []
        for group in chance.sample(sorted(TYPICAL), 8):
            jobs.append(anomalies.Job(group, chance.randint(1, TYPICAL[group]), chance.randrange(2)))
        run.these(jobs, 4)
    good = run.report()
    print("\n".join(run.lines))
    assert good
    assert sum(o.fired for o in run.outcomes) > 10


def test_no_descriptor_for_a_connection(run):
    """The agent, which runs out of descriptors for a moment, goes on."""
    outcome = outcome_of(run, ("takeover", "vrrpd-agent", "call"), "accept4")
    assert outcome.kind == "survived, said"
    assert "a connection could not be accepted: Too many open files" in outcome.log


def test_answer_of_the_kernel_thread(run):
    """The answer that addresses are there is not lost for want of memory."""
    assert outcome_of(run, ("takeover", "vrrpd-engine", "call"), "send").kind.startswith("survived")


@pytest.mark.parametrize("program", ["vrrpd", "vrrpd-engine", "vrrpd-agent"])
def test_channels_live_through_want_of_memory(run, program):
    """Nobody takes the other one for dead because the kernel is short of memory."""
    assert outcome_of(run, ("takeover", program, "call"), "recvmsg").kind.startswith("survived")


@pytest.mark.parametrize("call", ["waitid", "waitpid"])
def test_agent_is_reaped(run, call):
    """An interrupted wait does not leave the dead agent as it is."""
    assert outcome_of(run, ("agent", "vrrpd", "call"), call).kind.startswith("survived")


def test_last_words_of_an_engine(run):
    """An engine that ends with unread messages has told why."""
    outcome = outcome_of(run, ("start", "vrrpd-engine", "call"), "socketpair")
    assert "cannot reach the kernel's network configuration over netlink: Too many open files" in outcome.log


def test_engine_that_runs_in_a_circle_is_ended(lab):
    """In real time it would keep the kernel from removing addresses whose lifetime is over."""
    d = lab.host("a").vrrpd(anomaly.conf(anomaly.instance(), node="a"))
    d.wait_state("pg", "active")
    with open(f"/proc/{d.processes()['engine']}/limits", encoding="ascii") as f:
        (line,) = [line for line in f if line.startswith("Max realtime timeout")]
    assert not d.status()["realtime"] or line.split()[3] == "2000000"


def test_the_judge_sees_what_is_wrong(lab):
    """An address that nobody claims, a crash, a crash loop, an end without a word, half a reload."""
    world = anomaly.World(lab)
    world.start_a(150)
    world.da.wait_state("pg", "active")
    lab.wait_until(lambda: world.check_truth() or True, 5, "the kernel has what is claimed")
    with pytest.raises(anomaly.Undefined, match="signal 11"):
        anomaly.judge_end(world.da, "error: vrrpd-agent was ended by signal 11 (Segmentation fault)\n", ["said"], False)
    with pytest.raises(anomaly.Undefined, match="4 times"):
        anomaly.judge_end(world.da, 4 * "x vrrpd: starting vrrpd-agent again\n", ["said"], False)
    phase = anomaly.Reload(world)
    world.answer = (0, "")
    seen = {"a": world.status(world.da)}
    phase.good(seen)
    seen["a"]["instances"].append({"name": "web", "state": "active"})
    with pytest.raises(anomaly.Undefined, match="half a reload"):
        phase.good(seen)
    world.da.kill_all()
    with pytest.raises(anomaly.Undefined, match="the kernel has"):
        world.check_truth()
    with pytest.raises(anomaly.Undefined, match="without a word"):
        anomaly.judge_end(world.da, "", [], False)
    world.clear()
