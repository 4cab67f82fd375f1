"""test_crashes.py - the engine ends at bad moments: long after a crash loop, while it starts, before a stop."""

import os
import shutil
import signal
import time

import lab as labs
from daemons import children, conf, instance

VIP = "10.77.1.100"


def kill_engine(d):
    """SIGKILL; returns when the next engine runs."""
    pid = d.signal_role("engine", signal.SIGKILL)
    return d.host.lab.wait_until(
        lambda: d.processes().get("engine") not in (None, pid), 20, "another engine was started"
    )


def test_crash_long_after_others_is_resumed_from(lab):
    """Three crashes, ten quiet seconds: the next one is the first again, not the fourth."""
    a, b = lab.host("a"), lab.host("b")
    da = a.vrrpd(conf(instance(priority=150)))
    da.wait_state("pg", "active")
    db = b.vrrpd(conf(instance(priority=100)))
    db.wait_state("pg", "backup")
    for _ in range(4):
        kill_engine(da)
    da.wait_state("pg", "active", 30)
    engine = da.processes()["engine"]
    time.sleep(10.5)  # what counts as long is time that passes, nothing else
    assert da.processes()["engine"] == engine
    before = db.counters()["transitions"]
    kill_engine(da)
    da.wait_state("pg", "active")
    assert "went on" in da.instance()["reason"]
    assert db.counters()["transitions"] == before, "the peer took over"


def test_stopped_before_the_next_engine_was_ready(lab):
    """Nobody would ever remove what the engine before left: without a lifetime it must go now."""
    a = lab.host("a")
    for pause_ms in (0, 1, 2, 4):
        d = a.vrrpd(conf(instance(), engine={"address_lifetime": "0s"}), name=f"vrrpd{pause_ms}")
        d.wait_state("pg", "active")
        d.signal_role("engine", signal.SIGKILL)
        while "starting vrrpd-engine again" not in d.log_text():
            pass
        time.sleep(pause_ms / 1000)
        assert d.stop(20) == 0
        assert not a.holds(VIP), f"stopped {pause_ms} ms after the next engine was started"


def crash_at_will(folder):
    """A build whose engine ends at once while the file `ends` is there: (folder, that file)."""
    for name in ("vrrpd", "vrrpd-agent", "vrrpctl"):
        shutil.copy(os.path.join(labs.build_dir(), name), folder)
    shutil.copy(os.path.join(labs.build_dir(), "vrrpd-engine"), folder / "real-engine")
    script = folder / "vrrpd-engine"
    script.write_text(f'#!/bin/sh\n[ -e {folder}/ends ] && exit 3\nexec {folder}/real-engine "$@"\n')
    script.chmod(0o755)
    for place in (folder, *folder.parents):
        if place.owner() == "root" and str(place).startswith("/tmp/"):
            place.chmod(0o755)  # the agent is somebody else
    return str(folder), folder / "ends"


def test_end_of_the_engine_is_not_the_agents(lab, tmp_path):
    """An engine that ends while the agent is being started: only the engine is started again."""
    a = lab.host("a")
    build, ends = crash_at_will(tmp_path)
    ends.touch()
    for n in range(10):
        d = a.vrrpd(conf(instance()), name=f"vrrpd{n}", build=build, wait=False)
        lab.wait_until(lambda d=d: d.log_text().count("vrrpd-engine ended with status 3") >= 2, 20, "the engine ends")
        lab.wait_until(lambda d=d: d.get("/v1/status")[0] == 503, 20, "the agent answers, and has heard no engine")
        assert "vrrpd-agent" not in d.log_text().replace("vrrpd-agent and its", "")
        d.kill_all()


def test_reload_while_the_engine_cannot_run(lab, tmp_path):
    """The file in force may be what ends it: another one is taken, also while that reload never finishes."""
    a = lab.host("a")
    build, ends = crash_at_will(tmp_path)
    d = a.vrrpd(conf(instance(priority=100)), build=build)
    d.wait_state("pg", "active")
    ends.touch()
    os.kill(children(d.pid)["real-engine"], signal.SIGKILL)
    lab.wait_until(lambda: "4 times in a row" in d.log_text(), 10, "the crash loop is noticed")
    for n, priority in enumerate((110, 120, 130), 1):
        with open(d.conf_path, "w", encoding="utf-8") as f:
            f.write(conf(instance(priority=priority)))

        def taken(n=n):
            # an engine that is just starting makes it wait for that one's end
            return d.log_text().count("is started with the new configuration") >= n

        d.signal(signal.SIGHUP)
        lab.wait_until(taken, 15, f"reload {n} is taken")
    ends.unlink()
    d.wait_state("pg", "active", 30)
    assert d.instance()["priority"]["base"] == 130


def test_restart_in_place_with_a_taken_port(lab):
    """The status listener cannot be opened: the addresses go on all the same."""
    a, b = lab.host("a"), lab.host("b")
    da = a.vrrpd(conf(instance(priority=150)))
    da.wait_state("pg", "active")
    db = b.vrrpd(conf(instance(priority=100)))
    db.wait_state("pg", "backup")
    listen = "import socket,time; s=socket.create_server(('127.0.0.1',9650)); print('open',flush=True); time.sleep(60)"
    taken = a.popen(["python3", "-c", listen], "taken.log")
    lab.wait_until(lambda: "open" in taken.log_text(), 10, "another program has the port")
    with open(da.conf_path, "w", encoding="utf-8") as f:
        f.write(conf(instance(priority=150), control={"listen": "127.0.0.1:9650"}))
    engine = da.processes()["engine"]
    da.signal(signal.SIGUSR2)
    lab.wait_until(lambda: da.processes().get("engine") not in (None, engine), 10, "it was restarted")
    da.wait_state("pg", "active")
    assert "cannot listen on 127.0.0.1:9650" in da.log_text()
    assert db.counters()["transitions"] == 0, "the peer took over"


def test_stop_right_after_a_restart_in_place(lab):
    """A signal between the two programs is not lost."""
    a = lab.host("a")
    for n in range(10):
        d = a.vrrpd(conf(instance(advert_interval="10ms"), node="a"), name=f"restart{n}")
        d.wait_state("pg", "active")
        d.signal(signal.SIGUSR2)
        for _ in range(n * 200):
            pass  # the same moment is not hit twice
        assert d.stop(15) == 0
        assert not a.holds("10.77.1.100")
