"""test_config_cli.py - the command line: --check, --print, errors that name the place, missing rights."""

import os
import subprocess

import pytest

import lab as labs
from daemons import conf, instance

GOOD = {
    "smallest": conf(instance()),
    "everything": conf(
        instance(
            "four",
            ["10.77.1.100/24", {"address": "10.77.1.101/24", "interface": "eth1"}],
            priority=150,
            preempt_delay="5s",
            start_delay="2s",
            down_adverts=5,
            v3_checksum="rfc5798",
            extra_addresses=("fd77:1::100/64", "10.77.9.1/32"),
            unicast={"source": "10.77.1.1", "peers": ["10.77.1.2", "10.77.1.3"]},
            garp={"repeat": 3, "delay": "1s", "refresh": "60s", "interval": "1ms"},
            track=({"check": "web", "weight": -60}, {"interface": "eth1"}),
        ),
        instance("six", ["fe80::1/64", "2001:db8::1/64"], vrid=52, advert_interval="10ms"),
        instance("old", "10.77.1.102/24", vrid=53, version=2, advert_interval="3s", auth={"pass": "secret"}),
        node="proxy1",
        engine={"realtime_priority": 0, "lock_memory": False, "address_lifetime": "10s"},
        control={"group": "root"},
        checks={
            "web": {
                "kind": "script",
                "command": ["/bin/true", "-x"],
                "interval": "200ms",
                "timeout": "100ms",
                "rise": 3,
                "fall": 1,
                "on_timeout": "hold",
                "on_stale": "hold",
                "user": "nobody",
            }
        },
    ),
}

# what is wrong: (configuration, words that must stand in the same line of the errors)
BAD = {
    "unknown option": (conf(instance(prioritty=100)), ["prioritty", "priority"]),
    "unknown top-level option": (conf(instance(), enginee={"lock_memory": True}), ["enginee"]),
    "wrong type": (conf(instance(priority="high")), ["priority"]),
    "out of range": (conf(instance(vrid=256)), ["vrid", "255"]),
    "priority 0": (conf(instance(priority=0)), ["priority", "1"]),
    "no unit": (conf(instance(advert_interval="100")), ["advert_interval"]),
    "not a multiple": (conf(instance(advert_interval="15ms")), ["advert_interval", "10"]),
    "version 2 below a second": (conf(instance(version=2, advert_interval="100ms")), ["advert_interval"]),
    "version 2 over IPv6": (
        conf(instance(address="fe80::1/64", version=2, advert_interval="1s")),
        ["version"],
    ),
    "no address": (conf(instance(address=[])), ["addresses"]),
    "families mixed": (conf(instance(address=["10.77.1.100/24", "fd77:1::1/64"])), ["addresses"]),
    "not an address": (conf(instance(address="10.77.1.300/24")), ["10.77.1.300"]),
    "prefix too long": (conf(instance(address="10.77.1.30/33")), ["33"]),
    "password too long": (
        conf(instance(version=2, advert_interval="1s", auth={"pass": "123456789"})),
        ["auth"],
    ),
    "password in version 3": (conf(instance(auth={"pass": "1234"})), ["auth"]),
    "unknown check": (conf(instance(track=({"check": "nothing"},))), ["nothing"]),
    "weight 0": (conf(instance(track=({"interface": "eth1", "weight": 0},))), ["weight"]),
    "name twice": (conf(instance("a"), instance("a", "10.77.1.101/24", vrid=52)), ["a"]),
    "VRID twice": (conf(instance("a"), instance("b", "10.77.1.101/24")), ["vrid"]),
    "no vrid": (conf({"name": "x", "interface": "eth0", "addresses": ("10.77.1.100/24",)}), ["vrid"]),
    "no instance": ('node = "x";\n', ["instances"]),
    "syntax": ('node = ;\n', ["syntax error"]),
    "script not absolute": (
        conf(instance(), checks={"x": {"kind": "script", "command": ["true"]}}),
        ["command"],
    ),
}


def program(name="vrrpd"):
    return os.path.join(labs.build_dir(), name)


def vrrpd(*args, **kwargs):
    return subprocess.run(
        [program(), *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=20,
        check=False,
        **kwargs,
    )


@pytest.fixture
def write(tmp_path):
    def to_file(text, name="vrrpd.conf"):
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return to_file


@pytest.mark.parametrize("name", GOOD)
def test_check_good(write, name):
    done = vrrpd("--check", "-f", write(GOOD[name]))
    assert (done.returncode, done.stderr) == (0, "")
    instances, checks = (1, 0) if name == "smallest" else (3, 1)
    words = (
        f"ok: {instances} instance{'s' if instances != 1 else ''}, {checks} check{'s' if checks != 1 else ''}"
    )
    assert done.stdout.startswith("ok: ") and (
        words in done.stdout or f"ok: {instances} instances" in done.stdout
    )


@pytest.mark.parametrize("name", GOOD)
def test_print_round_trip(write, name):
    done = vrrpd("--print", "-f", write(GOOD[name]))
    assert done.returncode == 0, done.stderr
    again = vrrpd("--print", "-f", write(done.stdout, "again.conf"))
    assert again.returncode == 0, again.stderr
    assert again.stdout == done.stdout
    assert "advert_interval" in done.stdout and "down_adverts" in done.stdout, "defaults are shown"


@pytest.mark.parametrize("name", BAD)
def test_check_bad(write, name):
    text, words = BAD[name]
    path = write(text)
    done = vrrpd("--check", "-f", path)
    assert done.returncode == 2, done.stdout + done.stderr
    *lines, summary = done.stderr.strip().splitlines()
    assert "1 error " in summary
    assert any(all(w in line for w in words) for line in lines), done.stderr
    assert all(line.startswith(path + ":") for line in lines), done.stderr
    assert "ok" not in done.stdout


def test_all_errors_at_once(write):
    text = conf(instance("a", vrid=300, priority=999), instance("b", "nonsense", version=7), colour="red")
    done = vrrpd("--check", "-f", write(text))
    assert done.returncode == 2
    for word in ("vrid", "priority", "nonsense", "version", "colour"):
        assert word in done.stderr, f"{word} is missing in:\n{done.stderr}"
    numbers = [line.split(":")[1] for line in done.stderr.strip().splitlines()[:-1]]
    assert len(numbers) >= 5 and all(n.isdigit() for n in numbers)


def test_missing_file(tmp_path):
    done = vrrpd("--check", "-f", str(tmp_path / "nothing.conf"))
    assert done.returncode == 2 and "nothing.conf" in done.stderr


def test_nothing_starts_with_a_bad_configuration(lab, write):
    a = lab.host("a")
    run_dir = os.path.join(a.dir, "run")
    done = a.run(
        [
            program(),
            "-f",
            write(conf(instance(vrid=0), instance("b", "10.77.1.1/77", vrid=2))),
            "--run-dir",
            run_dir,
        ],
        check=False,
    )
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) >= 2
    assert not os.path.exists(os.path.join(run_dir, "vrrpd.sock"))
    assert not a.holds("10.77.1.100")
    assert not a.pids()


def test_include(write, tmp_path):
    write("node = \"included\";\n", "more.conf")
    path = write(f'@include "{tmp_path}/more.conf"\n' + conf(instance()))
    done = vrrpd("--print", "-f", path)
    assert done.returncode == 0 and '"included"' in done.stdout


def test_missing_rights_are_one_clear_sentence(lab, write):
    a = lab.host("a")
    path = os.path.join(a.dir, "vrrpd.conf")
    with open(path, "w", encoding="utf-8") as f:
        f.write(conf(instance()))
    run_dir = os.path.join(a.dir, "run")
    os.mkdir(run_dir)
    os.chmod(run_dir, 0o777)
    done = a.run(
        [
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            program(),
            "-f",
            path,
            "--run-dir",
            run_dir,
        ],
        check=False,
    )
    assert done.returncode not in (0, 2)
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert "root" in lines[0] or "CAP_NET" in lines[0], lines[0]
    assert vrrpd("--check", "-f", path).returncode == 0, "checking needs no rights"


@pytest.mark.parametrize("args", [["--no-such-option"], ["-f"], ["stray"]])
def test_wrong_usage(args):
    done = vrrpd(*args)
    assert done.returncode not in (0, 1) and done.stderr


@pytest.mark.parametrize("name", ["vrrpd", "vrrpctl"])
def test_help_and_version(name):
    for option in ("--help", "--version"):
        done = subprocess.run(
            [program(name), option],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=20,
            check=False,
        )
        assert done.returncode == 0 and done.stdout.strip() and not done.stderr


def test_log_level(lab):
    a = lab.host("a")
    d = a.vrrpd(conf(instance()), args=("--log-level", "debug"))
    d.wait_state("pg", "active")
    assert d.stop() == 0
    b = lab.host("b")
    d = b.vrrpd(conf(instance()), args=("--log-level", "error"))
    d.wait_state("pg", "active")
    assert d.stop() == 0 and d.log_text() == ""
