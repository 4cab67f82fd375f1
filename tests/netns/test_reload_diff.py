"""test_reload_diff.py - what a reload says: which options changed, to whoever asked and in the log; what is wrong; and
what it would change, without doing it."""

import concurrent.futures
import json
import os
import signal

from daemons import conf, instance
from pairs import rewrite

CHECK = {"kind": "script", "command": ["/bin/true"], "interval": "1s"}


def before(**options):
    return conf(
        instance(priority=150, address=("10.77.1.100/24", "10.77.1.101/24"), **options),
        instance("old", "10.77.1.110/24", vrid=52),
        instance("stays", "10.77.1.120/24", vrid=53),
        checks={"fine": CHECK, "gone": CHECK},
        node="a",
    )


def after(**options):
    """The same, changed in many ways, the instances in another order."""
    return conf(
        instance("stays", "10.77.1.120/24", vrid=53),
        instance("web", "10.77.1.130/24", vrid=54),
        instance(priority=100, address=("10.77.1.100/24", "10.77.1.102/24"), preempt=False, **options),
        checks={"fine": {**CHECK, "interval": "2s", "timeout": "1s"}},
        control={"listen": "127.0.0.1:9650"},
        node="a",
    )


LINES = [
    'control.listen: none -> "127.0.0.1:9650"',
    "checks.gone: removed",
    'checks.fine.interval: "1s" -> "2s"',
    "instances.old: removed",
    "instances.web: added",
    "instances.pg.priority: 150 -> 100",
    "instances.pg.preempt: true -> false",
    "instances.pg.addresses: - 10.77.1.101/24",
    "instances.pg.addresses: + 10.77.1.102/24",
]
COUNTS = {"changed": 1, "added": 1, "removed": 1}


def start(lab, text=None):
    d = lab.host("a").vrrpd(text or before())
    d.wait_state("pg", "active")
    return d


def note(d):
    return (
        "note: control.listen is changed only by a restart: "
        f"kill -USR2 {d.processes()['parent']} does it without an interruption"
    )


def logged(d):
    """What reloads have said in the log, without what stands before it."""
    return [line.split("reload: ", 1)[1] for line in d.log_text().splitlines() if "reload: " in line]


def test_vrrpctl_prints_what_changed(lab):
    d = start(lab)
    d.wait_state("old", "active")
    rewrite(d, after())
    done = d.ctl("reload")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [*LINES, note(d), "reloaded; instances: 1 changed, 1 added, 1 removed"]
    lab.wait_until(
        lambda: logged(d) == [*LINES, note(d), "done: 1 changed, 1 added, 1 removed, now 3 instances"], 5, "the log has it"
    )
    done = d.ctl("reload")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines == ["nothing changed", note(d), "reloaded; instances: 0 changed, 0 added, 0 removed"], "it is still not in force"
    rewrite(d, before())
    code, body = d.get("/v1/reload", "POST")
    answer = json.loads(body)
    assert code == 200 and answer["ok"] and {k: answer[k] for k in COUNTS} == COUNTS
    assert answer["lines"][0] == 'control.listen: "127.0.0.1:9650" -> none'
    assert "instances.pg.priority: 100 -> 150" in answer["lines"] and "checks.gone: added" in answer["lines"]
    assert note(d) not in answer["lines"], "what is in force is written again"
    done = d.ctl("reload")
    assert done.stdout.splitlines() == ["nothing changed", "reloaded; instances: 0 changed, 0 added, 0 removed"]


def test_sighup_logs_what_changed(lab):
    d = start(lab)
    d.wait_state("old", "active")
    rewrite(d, after())
    d.signal(signal.SIGHUP)
    lab.wait_until(
        lambda: logged(d) == [*LINES, note(d), "done: 1 changed, 1 added, 1 removed, now 3 instances"], 5, "the log has it"
    )


def test_secrets_are_not_shown(lab):
    """That they changed is, also in a file of the same name."""
    a = lab.host("a")
    secret = os.path.join(a.dir, "secret")

    def write(text):
        with open(secret, "w", encoding="utf-8", opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write(text)

    def text(password):
        v2 = {"version": 2, "advert_interval": "1s"}
        return conf(
            instance(**v2, auth={"pass": password}),
            instance("filed", "10.77.1.110/24", vrid=52, **v2, auth={"pass_file": secret}),
        )

    write("filed-1\n")
    d = a.vrrpd(text("plain-1"))
    d.wait_ready()
    write("filed-2\n")
    rewrite(d, text("plain-2"))
    done = d.ctl("reload")
    assert done.stdout.splitlines() == [
        "instances.pg.auth.pass: changed",
        "instances.filed.auth.pass_file: the file's content changed",
        "reloaded; instances: 2 changed, 0 added, 0 removed",
    ], (done.stdout, done.stderr)
    for word in ("plain-", "filed-"):
        assert word not in done.stdout + d.log_text()


def test_every_error_with_its_line(lab):
    """And nothing changes."""
    d = start(lab)
    config = d.get("/v1/config")[1]
    bad = after(vrid=300, colour="red").replace('"/bin/true"', '"/bin/no-such-program"')
    rewrite(d, bad)

    def line_of(word):
        return next(n for n, text in enumerate(bad.splitlines(), 1) if word in text)

    expected = [
        f"{d.conf_path}:{line_of('no-such-program')}: checks.fine.command[0]: ",
        f"{d.conf_path}:{line_of('vrid = 300')}: instances.pg.vrid: 300 is out of range: ",
        f"{d.conf_path}:{line_of('colour')}: instances.pg.colour: ",
        "3 errors in the configuration: nothing was changed",
    ]
    for verb in (["reload"], ["reload", "--wait"]):
        done = d.ctl(*verb)
        lines = done.stderr.splitlines()
        assert done.returncode != 0 and not done.stdout, done.stdout
        assert len(lines) == len(expected), done.stderr
        for line, begin in zip(lines, expected):
            assert line.startswith(begin), done.stderr
    code, body = d.get("/v1/reload", "POST")
    assert code == 409 and json.loads(body)["lines"] == lines, body
    said = len(logged(d))
    d.signal(signal.SIGHUP)
    lab.wait_until(lambda: logged(d)[said:] == lines, 5, "the log has each error")
    assert d.get("/v1/config")[1] == config
    assert [i["name"] for i in d.status()["instances"]] == ["pg", "old", "stays"]
    assert d.instance()["priority"]["base"] == 150 and d.instance()["vrid"] == 51
    rewrite(d, after())
    assert d.ctl("reload").stdout.splitlines()[:-2] == LINES, "the next diff begins where nothing was changed"


def test_instances_that_begin_anew_are_named(lab):
    """Another interface is another virtual router: whoever asks first knows."""
    d = start(lab)
    rewrite(d, before(interface="lo"))
    code, body = d.get("/v1/reload?check=1", "POST")
    assert code == 200
    assert json.loads(body)["lines"] == [
        'instances.pg.interface: "eth0" -> "lo"',
        "note: another interface, mode or address family: these hand over and begin anew: pg",
    ]
    rewrite(d, before(vrid=99))
    assert d.ctl("reload").stdout.splitlines()[:-1] == ["instances.pg.vrid: 51 -> 99"]


def test_long_diff_is_cut(lab):
    """Two hundred addresses of one instance: the first hundred, and how many more."""
    d = start(lab)
    many = tuple(f"10.77.{1 + n // 250}.{n % 250 + 1}/32" for n in range(600, 800))
    rewrite(d, before(extra_addresses=many))
    done = d.ctl("reload")
    lines = done.stdout.splitlines()
    assert lines[:100] == [f"instances.pg.extra_addresses: + {x}" for x in many[:100]], done.stdout + done.stderr
    assert lines[100:] == ["and 100 more changes", "reloaded; instances: 1 changed, 0 added, 0 removed"]


def test_many_errors_are_all_told(lab):
    """Many more than fit the link to the agent, which is slow to take them."""
    d = start(lab)
    options = {f"unknown{n}": n for n in range(16)}
    rewrite(d, conf(*[instance(f"i{n}", f"10.77.2.{n % 250 + 1}/32", **options) for n in range(1000)]))
    agent = d.processes()["agent"]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        reply = pool.submit(d.get, "/v1/reload", "POST", 30)
        lab.wait_until(lambda: logged(d), 10, "errors come")
        os.kill(agent, signal.SIGSTOP)
        try:
            lab.wait_until(lambda: len(logged(d)) > 5500, 10, "vrrpd goes on without the agent")
        finally:
            os.kill(agent, signal.SIGCONT)
        code, body = reply.result()
    assert code == 409
    told = [line for line in json.loads(body)["lines"] if ": instances.i" in line]
    assert len(told) >= 16000, f"{len(told)} of 16000 were told"


def test_check_changes_nothing(lab):
    """POST /v1/reload?check=1: the same answer, and all goes on as before."""
    d = start(lab)
    config = d.get("/v1/config")[1]
    rewrite(d, after())
    for _ in range(2):
        code, body = d.get("/v1/reload?check=1", "POST")
        answer = json.loads(body)
        assert code == 200 and answer["check"] and {k: answer[k] for k in COUNTS} == COUNTS, body
        assert answer["lines"] == [*LINES, note(d)]
    done = d.ctl("reload", "--check")
    assert done.returncode == 0 and done.stdout.splitlines()[: len(LINES)] == LINES, done
    assert done.stdout.splitlines()[-1] == "a reload would do this; instances: 1 changed, 1 added, 1 removed"
    rewrite(d, after().replace("vrid = 51", "vrid = 300"))
    code, body = d.get("/v1/reload?check=1", "POST")
    answer = json.loads(body)
    assert code == 409 and answer["error"] == "a reload would be refused" and "is out of range" in answer["lines"][0]
    for query in ("check=2", "chek=1", "check=1&x"):
        code, body = d.get("/v1/reload?" + query, "POST")
        assert code == 400, body
    assert not logged(d), "the log tells of reloads only"
    assert d.get("/v1/config")[1] == config and d.instance()["priority"]["base"] == 150
    rewrite(d, after())
    code, body = d.get("/v1/reload?check=0", "POST")
    answer = json.loads(body)
    assert code == 200 and not answer["check"] and answer["lines"][: len(LINES)] == LINES
    assert d.instance()["priority"]["base"] == 100


def test_check_while_the_engine_is_away(lab):
    """It needs neither the engine nor a finished reload."""
    d = start(lab)
    rewrite(d, after())
    engine = d.processes()["engine"]
    os.kill(engine, signal.SIGSTOP)
    try:
        code, body = d.get("/v1/reload?check=1", "POST")
    finally:
        os.kill(engine, signal.SIGCONT)
    assert code == 200 and json.loads(body)["lines"] == [*LINES, note(d)]
