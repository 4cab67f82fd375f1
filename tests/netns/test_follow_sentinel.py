"""test_follow_sentinel.py - mode follow by Redis' Sentinels, with the real Redis and three Sentinels on three hosts.

One set of them serves the tests of its fixture; each begins by waiting until it is whole, whoever is the master.
"""

import re
import time

import pytest

import lab as labs
import patroni
from daemons import conf, instance
from redis_daemons import Authority, Redis, Sentinel, Watched, secret_file

VIP = "10.77.1.100"
LASTS = 3  # seconds that the last word of a majority lasts (STORE_FRESH_US)
SLACK = 3.3  # a question each second, 800 ms for its answer, and a busy machine


def vrrpd_conf(host, endpoints, **leader):
    leader = {"store": "sentinel", "endpoints": endpoints, "master": "mymaster", **leader}
    options = {"mode": "follow", "leader": leader, "vrid": None, "advert_interval": None}
    return conf(instance(address=VIP + "/24", **options), node=host.name)


@pytest.fixture(scope="module")
def watched():
    with labs.Lab() as lab:
        w = Watched(lab)
        w.vrrpd = {h.name: h.vrrpd(vrrpd_conf(h, w.endpoints)) for h in w.hosts}
        w.sampler = lab.sampler(VIP)
        yield w
        assert not lab.complaints(), lab.logs()


@pytest.fixture
def whole(watched):
    """A master, two replicas, three Sentinels; the address at .here, not at .others."""
    watched.wait_whole(30)
    watched.here = watched.lab.wait_until(watched.master, 10, "a master")
    watched.others = [n for n in "abc" if n != watched.here]
    at(watched, watched.here, deadline=15)
    watched.lab.parts = dict(zip([watched.here, *watched.others], ("master", "first", "second")))
    watched.sampler.clear()
    yield watched
    s = watched.sampler
    print(f"nobody for {s.longest_ms(0):.0f} ms, two for {s.longest_ms(2):.0f} ms at most, looked every {s.gap_ms:.0f} ms")
    assert s.longest_ms(2) == 0, s.periods()


def at(w, *names, deadline=10):
    w.lab.wait_until(lambda: w.lab.holders(VIP) == sorted(names), deadline, f"the address is at {names or 'nobody'}")


def wait_leader(d, deadline=5, **wanted):
    """Wait until parts of status' "leader" are so; trouble is a pattern."""

    def seen():
        now = d.instance()["leader"]
        for key, value in wanted.items():
            fits = re.search(value, now[key] or "") if key == "trouble" else now[key] == value
            assert fits, now
        return now

    return d.host.lab.wait_until(seen, deadline, f"{d.host.name}: leader is {wanted}")


def test_the_leader_is_the_master(whole):
    name = f"10.77.1.{'abc'.index(whole.here) + 1}:6379"
    here = wait_leader(whole.vrrpd[whole.here], fact="self", self=True, name=name, trouble="^$")
    assert here["store"] == "sentinel" and 0 < here["lease_left_s"] <= LASTS
    for other in whole.others:
        wait_leader(whole.vrrpd[other], fact="other", self=False, name=name)


def test_failover_and_a_restarted_old_master(whole):
    """The master and the Sentinel of its host die, and come back believing that nothing has changed."""
    old = whole.here
    new = whole.kill(old)
    promoted = time.monotonic()
    at(whole, new)
    print(f"the address had moved {(time.monotonic() - promoted) * 1000:.0f} ms after the promotion was seen")
    assert whole.sampler.longest_ms(0) < 1000
    whole.restart(old)
    assert whole.redis[old].role() == "master", "it believes that it is still the master"
    whole.lab.wait_until(lambda: whole.redis[old].role() == "slave", 25, "it was made a replica")
    later = [names for _, _, names in whole.sampler.periods()]
    assert later[-1] == [new] and later.count([old]) <= 1, later


def test_a_sentinel_hangs_and_tilts(whole):
    """Two of three are enough. One that hung and goes on is in TILT mode and does not count: then one is too few."""
    first, second = (whole.sentinels[n] for n in whole.others)
    first.cli("SENTINEL", "DEBUG", "TILT-PERIOD", "20000")
    patroni.stop([first.pid])
    hung_until = time.monotonic() + LASTS + 0.5
    try:
        whole.lab.wait_until(lambda: time.monotonic() > hung_until, 5, "longer than a word lasts")
        wait_leader(whole.vrrpd[whole.here], fact="self", trouble="^$")
        assert whole.sampler.longest_ms(0) == 0, "the address stays"
    finally:
        patroni.resume([first.pid])
    whole.lab.wait_until(lambda: "sentinel_tilt:1" in first.cli("INFO", "sentinel"), 5, "it is in TILT mode")
    lost = time.monotonic()
    second.kill()
    wait_leader(whole.vrrpd[whole.here], fact="lost", trouble="no majority of the 3 Sentinels: 1 answer")
    assert re.search("in TILT mode|Connection refused", whole.vrrpd[whole.here].log_text())
    at(whole)
    took = next(start for start, _, names in reversed(whole.sampler.periods()) if not names) - lost
    print(f"the address was given up {took:.2f} s after the majority was gone, bound {LASTS + SLACK:.1f} s")
    assert took <= LASTS + SLACK
    first.cli("SENTINEL", "DEBUG", "TILT-PERIOD", "2000")
    at(whole, whole.here)
    whole.start_sentinel(whole.others[1])


def test_the_majority_is_gone(whole):
    killed = time.monotonic()
    for name in whole.others:
        whole.sentinels[name].kill()
    at(whole)
    took = next(start for start, _, names in reversed(whole.sampler.periods()) if not names) - killed
    print(f"the address was given up {took:.2f} s after the majority was gone, bound {LASTS + SLACK:.1f} s")
    assert LASTS - 1.1 <= took <= LASTS + SLACK
    wait_leader(whole.vrrpd[whole.here], fact="lost", self=False, trouble="1 answer, .*: Connection refused")
    one = whole.vrrpd[whole.here].instance()
    assert (one["state"], one["reason"]) == ("backup", one["reason"]) and "no majority" in one["reason"], one["reason"]
    for name in whole.others:
        whole.start_sentinel(name)
    at(whole, whole.here)


def test_users_and_tls(lab):
    """A Sentinel that wants both; what each mistake is called; a user with just the rights that the manual names."""
    a = lab.host("a")
    ca = Authority(a)
    cert, key = ca.sign("redis1", "IP:127.0.0.1")
    own_cert, own_key = ca.sign("client")
    tls = [f"tls-cert-file {cert}", f"tls-key-file {key}", f"tls-ca-cert-file {ca.cert}", "port 0"]
    user = "user vrrpd on >pw-of-vrrpd resetkeys allchannels -@all"
    rights = "+info +psubscribe +sentinel|get-master-addr-by-name"
    cli = ["--tls", "--cacert", ca.cert, "--cert", own_cert, "--key", own_key, "-h", "127.0.0.1"]
    Redis(a)
    sentinel = Sentinel(a, a, lines=[*tls, "tls-port 26379", f"{user} {rights}"], cli=cli)
    good = {"ca": ca.cert, "cert": own_cert, "key": own_key}
    login = {"username": "vrrpd", "password_file": secret_file(a, "sentinel.pass", "pw-of-vrrpd\n")}

    def start(name, **leader):
        return a.vrrpd(vrrpd_conf(a, ["127.0.0.1:26379"], **leader), name=name)

    d = start("good", tls=good, **login)
    d.wait_state("pg", "active")
    clients = [c for c in sentinel.cli("CLIENT", "LIST").splitlines() if "user=vrrpd" in c]
    assert len(clients) == 2 and sum("psub=1" in c for c in clients) == 1, clients
    sentinel.cli("ACL", "SETUSER", "vrrpd", "-info")
    wait_leader(d, fact="denied", trouble='Sentinel does not let user "vrrpd" run INFO')
    sentinel.cli("ACL", "SETUSER", "vrrpd", "+info")
    wait_leader(d, fact="self", trouble="^$")
    d.stop()
    for name, leader, trouble in (
        ("wrong", {"tls": good, **login, "password_file": None, "password": "wr0ng"}, "wrong password, or no such user"),
        ("plain", login, r"\(does it want TLS\?\)"),
        ("master", {"tls": good, **login, "master": "other"}, 'knows no master "other": mend master'),
        ("self", {"tls": good, **login, "self": "10.0.0.1:6379"}, "^$"),
    ):
        d = start(name, **leader)
        wait_leader(d, self=False, trouble=trouble)
        assert d.state() == "backup" and "pw-of-vrrpd" not in d.log_text() + d.get("/v1/status")[1]
        d.stop()
