"""test_follow_consul.py - mode follow with Consul, by its double (support/consul_double.py): the address is where the key says."""

import os
import time

import pytest

import lab as labs
from consul_double import Consul
from followers import KEY, Followers, check_bad_answers
from http_double import reply

NAME = KEY.lstrip("/")  # keys of Consul have no leading slash
FRESH = 3  # seconds that an answer stands without another one (STORE_FRESH_US)


@pytest.fixture(scope="module")
def site():
    with labs.Lab() as lab:
        one = Followers(lab)
        one.consul = Consul([lab.host("c1"), lab.host("c2")])
        one.consul.acquire(NAME, "a")
        for name in one.hosts:
            one.start(name, store="consul", endpoints=one.consul.endpoints)
        yield one
        assert not lab.complaints(), lab.logs()


@pytest.fixture
def whole(site):
    """Everything works and host a is the leader."""
    site.consul.acquire(NAME, "a")
    site.at("a", deadline=10)
    site.sampler.clear()
    return site


def moved(site, value):
    site.consul.acquire(NAME, value)
    return site.at(value)


def test_the_address_follows_the_key(whole):
    """Faster than by reading every second: that would take half a second on average."""
    took = sum(moved(whole, value) for value in "bababa")
    assert took < 6 * 0.25, f"{took:.2f} s for six moves"


def test_key_goes_and_comes_back(whole):
    whole.consul.delete(NAME)
    whole.at()
    whole.wait_leader("a", fact="none", trouble=None)
    whole.consul.delete("another")  # the index of an absent key moves with every write
    moved(whole, "b")


def test_lock_released(whole):
    """The value is left over, but nobody has the lock."""
    whole.consul.acquire(NAME, "a", session=None)
    whole.at()
    whole.wait_leader("a", fact="none")
    moved(whole, "a")


def test_null_value(whole):
    whole.consul.acquire(NAME, None)
    whole.at()
    whole.wait_leader("a", fact="other", trouble=None)
    moved(whole, "a")


def test_index_goes_backwards(whole):
    """Another leader while the store was restored from an older snapshot; then both go on from there."""
    whole.consul.restore(7, NAME, "b")
    whole.at("b")
    whole.wait_leader("b", revision=7)
    assert "went back from" in whole.vrrpd["a"].log_text()
    assert sum(moved(whole, value) for value in "abab") < 4 * 0.25, "the long polls go on"


def test_no_cluster_leader(whole):
    """Lost: the holder stays as long as its last answer stands, and nobody else takes the address."""
    for name in whole.consul.servers:
        whole.consul.fault[name] = lambda _: reply(500, "No cluster leader")
    now = whole.wait_leader("a", fact="lost", trouble="No cluster leader: more than half of Consul's servers must run")
    assert 0 < now["lease_left_s"] <= FRESH and now["name"] == "a"
    assert whole.sampler.present() == ["a"]
    whole.consul.acquire(NAME, "b")
    whole.consul.fault.clear()
    whole.at("b")
    whole.wait_leader("b", fact="self", trouble=None)


def test_one_server_killed(whole):
    """The one that is read, then the other one: who holds the address notices nothing."""
    for server in whole.consul.servers.values():
        server.close()
        whole.lab.wait_until(lambda: whole.leader("a")["endpoint"] != server.url, 5, "a asks the other one")
        whole.lab.wait_until(lambda: whole.leader("b")["endpoint"] != server.url, 5, "b asks the other one")
        moved(whole, "b")
        moved(whole, "a")
        server.start()
    assert whole.leader("a")["trouble"] is None


def test_one_server_takes_connections_only(whole):
    asked = whole.leader("a")["endpoint"]
    name = next(name for name, server in whole.consul.servers.items() if server.url == asked)
    whole.consul.fault[name] = lambda _: None
    whole.lab.wait_until(lambda: whole.leader("a")["endpoint"] != asked, 5, "a asks the other one")
    assert whole.leader("a")["trouble"] is None and whole.sampler.longest_ms(0) == 0
    moved(whole, "b")
    del whole.consul.fault[name]


def test_long_poll_cut_off_silently(whole):
    """Packets of the server with the long poll vanish: it is given up after some seconds, the reads tell meanwhile."""
    consul, a = whole.consul, whole.hosts["a"]
    mute = consul.servers[next(name for _, name, client in reversed(consul.polls) if client == a.ip4())]
    a.drop(f"ip saddr {mute.host.ip4()}")
    cut = time.monotonic()
    try:
        moved(whole, "b")
        whole.lab.wait_until(
            lambda: any(t > cut and name != mute.host.name and client == a.ip4() for t, name, client in list(consul.polls)),
            8,
            "the long poll goes on at the other server",
        )
        moved(whole, "a")
    finally:
        a.undrop()


def test_holder_cut_off_from_all(whole):
    """It gives the address up by itself, when its last answer does not stand any more."""
    for server in whole.consul.servers.values():
        whole.hosts["a"].drop(f"ip saddr {server.host.ip4()}")
    start = time.monotonic()
    try:
        whole.wait_leader("a", fact="lost", trouble="no endpoint of Consul answers with a quorum: http.*: no answer")
        whole.at()
        assert FRESH - 1.2 < time.monotonic() - start < FRESH + 1.5
    finally:
        whole.hosts["a"].undrop()


def test_a_key_that_changes_all_the_time(whole):
    """The holder stays, and Consul is not asked in a frenzy: 2 long polls and 5 a second, each with a read."""
    asked = sum(len(s.asked) for s in whole.consul.servers.values())
    start = time.monotonic()
    while time.monotonic() - start < 1:
        whole.consul.acquire(NAME, "a")
        time.sleep(0.005)
    asked = sum(len(s.asked) for s in whole.consul.servers.values()) - asked
    assert 10 <= asked <= 2 * 2 * (2 + 5 * 1.5) + 2 * 2
    assert whole.sampler.longest_ms(0) == 0 and whole.sampler.present() == ["a"]


@pytest.fixture
def alone(lab):
    """One host, one server."""
    one = Followers(lab, "a")
    one.consul = Consul([lab.host("c")])
    one.consul.acquire(NAME, "a")
    return one


def test_token(alone):
    """None, a wrong one and the right one, which neither log nor status ever says."""
    alone.consul.token = "right-token"
    path = os.path.join(alone.lab.dir, "token")
    for token, fact, trouble in (
        (None, "denied", r"Consul wants a token \(Permission denied\): write password_file"),
        ("wrong-token", "denied", r"Consul refuses the token \(ACL not found\): mend password_file"),
        ("right-token", "self", ""),
    ):
        if token:
            with open(path, "w", encoding="ascii", opener=lambda p, f: os.open(p, f, 0o600)) as f:
                f.write(token + "\n")
        alone.start("a", store="consul", endpoints=alone.consul.endpoints, password_file=path if token else None)
        alone.wait_leader("a", fact=fact, trouble=trouble)
        alone.at(*(["a"] if fact == "self" else []))
        assert "-token" not in alone.vrrpd["a"].log_text() + alone.vrrpd["a"].get("/v1/status")[1].replace(path, "")
        alone.vrrpd["a"].stop()


def test_bad_answers(lab):
    check_bad_answers(lab, "consul", lambda: reply(200, '[{"Value": "YQ==", "Session": "x"}]', X_Consul_Index=5))


def test_answers_of_another_service(alone):
    alone.start("a", store="consul", endpoints=alone.consul.endpoints)
    alone.at("a")
    for answer, trouble in (
        (reply(200, "[]", X_Consul_Index=5), "it has no entry with a Value"),
        (reply(404, "not found"), "this is no Consul"),
        (reply(200, '[{"Value": "AGE=", "Session": "x"}]', X_Consul_Index=500), "the key holds no name"),
    ):
        alone.consul.fault["c"] = lambda _, answer=answer: answer
        alone.wait_leader("a", trouble=trouble)
    # an index that is none: no long poll, but reading goes on
    asked = len(alone.consul.polls)
    entry = '[{"Value": "YQ==", "Session": "x", "ModifyIndex": 9}]'
    alone.consul.fault["c"] = lambda _: reply(200, entry, X_Consul_Index=0)
    alone.at("a")
    assert len(alone.consul.polls) == asked
    alone.consul.fault.clear()
    alone.at("a")
