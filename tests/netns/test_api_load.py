"""test_api_load.py - every kind of client at once on the status API, good and bad, while adverts leave every 10 ms.

VRRPD_API_SECONDS (3), VRRPD_API_RATE (10000 requests a second), VRRPD_API_PATH and VRRPD_SEED set another load; the
figures are printed (pytest -s) and, with VRRPD_API_REPORT=FILE, appended there as a line of JSON.
"""

import json
import os
import random
import time

from daemons import Process, conf, instance

SECONDS = int(os.environ.get("VRRPD_API_SECONDS", "3"))
RATE = int(os.environ.get("VRRPD_API_RATE", "10000"))
PATH = os.environ.get("VRRPD_API_PATH", "/v1/instances/fast")
SEED = int(os.environ.get("VRRPD_SEED") or random.SystemRandom().randrange(1, 1 << 32))
MANY = 64  # instances: a status that fits no socket's buffer
RSS_MAX_KB = 192 * 1024  # 64 MiB of documents, 1024 connections, and what it is anyway


def fast(priority):
    # The peer waits 100 ms: the two share two busy cores, whose kernel hands packets on when it gets to it.
    return instance("fast", "10.77.1.100/24", vrid=1, priority=priority, advert_interval="10ms", down_adverts=10)


def many():
    return [instance(f"i{n}", f"10.77.2.{n + 1}/24", vrid=100 + n, advert_interval="100ms") for n in range(MANY)]


def memory_kb(pid, key):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(key + ":"))


def has_sanitizers(pid):
    with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as f:
        return "libasan" in f.read()


def cpu_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def stir(d, deadline, running):
    """Drain and resume everything but the fast instance, again and again: events for the followers."""
    rounds = 0
    while running() and time.monotonic() < deadline:
        for verb in ("drain", "resume"):
            for n in range(0, MANY, 4):
                code, body = d.get(f"/v1/instances/i{n}/{verb}", "POST", timeout=10)
                assert code == 200, body
        rounds += 1
    return rounds


def test_load(lab):
    """Adverts stay on time, the next request is answered, memory stays bounded, nothing is started again."""
    a, b = lab.host("a"), lab.host("b")
    da = a.vrrpd(conf(fast(200), *many(), control={"listen": "127.0.0.1:9650"}))
    db = b.vrrpd(conf(fast(100)))
    da.wait_state("fast", "active")
    db.wait_state("fast", "backup")
    da.wait_state(f"i{MANY - 1}", "active", 10)
    processes, took_over = da.processes(), db.counters("fast")["transitions"]
    agent = processes["agent"]
    cpu, sent = cpu_s(agent), da.counters("fast")["adverts_sent"]
    late = [row["adverts"] for row in da.status()["adverts"]["late"]]
    print(f"VRRPD_SEED={SEED}")

    tool = os.path.join(da.build, "tests", "api_load")
    if not os.path.exists(tool):  # a build for sanitizers has no tools of the lab
        tool = os.path.join(os.path.dirname(os.path.abspath(da.build)), "tests", "api_load")
    began = time.monotonic()
    load = Process(
        a, "api_load", [tool, da.socket_path, "9650", str(SECONDS), str(SEED), str(RATE), PATH], "api_load.log"
    )
    rounds = stir(da, began + SECONDS + 10, load.alive)
    assert load.wait(SECONDS + 30) == 0, load.log_text()
    lasted = time.monotonic() - began
    result = json.loads(load.log_text().splitlines()[-1])
    busy = cpu_s(agent) - cpu

    status = da.status()
    late = [row["adverts"] - n for row, n in zip(status["adverts"]["late"], late)]
    report = {
        **result,
        "seed": SEED,
        "path": PATH,
        "agent_cpu_percent": round(100 * busy / lasted),
        "agent_rss_peak_kb": memory_kb(agent, "VmHWM"),
        "agent_rss_kb": memory_kb(agent, "VmRSS"),
        "adverts_sent": da.counters("fast")["adverts_sent"] - sent,
        "adverts_late": {str(row["up_to_us"]): n for row, n in zip(status["adverts"]["late"], late)},
        "advert_late_max_us": status["adverts"]["late_max_us"],
        "drain_rounds": rounds,
    }
    print(json.dumps(report))
    if os.environ.get("VRRPD_API_REPORT"):
        with open(os.environ["VRRPD_API_REPORT"], "a", encoding="ascii") as f:
            f.write(json.dumps(report) + "\n")

    assert da.processes() == processes, "nothing was started again"
    assert db.counters("fast")["transitions"] == took_over and db.state("fast") == "backup", "the peer took over"
    assert da.state("fast") == "active"
    assert report["adverts_sent"] >= 100 * (lasted - 1) * 0.9, report
    assert report["agent_rss_peak_kb"] < RSS_MAX_KB * (8 if has_sanitizers(agent) else 1), report
    assert result["fresh"] >= SECONDS and result["fresh_failed"] == 0, report
    assert result["fresh_max_ms"] < 2000, report
    assert result["answered"] > 100 * SECONDS and result["refused"] == 0, report
    assert result["closed"]["askers"] == 0, "who asks is not closed for those who do not"
    assert result["bad_answered"] > 0 and result["slow_octets"] > 0 and result["followed_octets"] > 0, report
    assert rounds > 0
