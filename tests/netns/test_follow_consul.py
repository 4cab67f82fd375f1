"""test_follow_consul.py - mode follow with Consul, by its double (support/consul_double.py)."""

import os
import time

import pytest

import lab as labs
from consul_double import Consul
from followers import KEY, Followers, check_bad_answers
from http_double import reply

NAME = KEY.lstrip("/")  # keys of Consul have no leading slash


@pytest.fixture(scope="module")
def site():
    with labs.Lab() as lab:
        one = Followers(lab)
        one.consul = Consul([lab.host("c1"), lab.host("c2")])
        one.consul.acquire(NAME, "a")
        one.put = lambda value: one.consul.acquire(NAME, value)
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


def test_the_address_follows_the_key(whole):
    whole.check_moves()


def test_key_goes_and_comes_back(whole):
    whole.consul.delete(NAME)
    whole.at()
    whole.wait_leader("a", fact="none", trouble=None)
    whole.consul.delete("another")  # the index of an absent key moves with every write
    whole.moved("b")


def test_lock_released(whole):
    """The value is left over, but nobody has the lock."""
    whole.consul.acquire(NAME, "a", session=None)
    whole.at()
    whole.wait_leader("a", fact="none")
    whole.moved("a")


def test_index_goes_backwards(whole):
    """Another leader while the store was restored from an older snapshot; then both go on from there."""
    whole.consul.restore(7, NAME, "b")
    whole.at("b")
    whole.wait_leader("b", revision=7)
    assert "went back from" in whole.vrrpd["a"].log_text()
    assert whole.moved("a") + whole.moved("b") < 2 * 0.25, "the long polls go on"


def test_one_server_killed(whole):
    """The one that is read: who holds the address notices nothing."""
    asked = whole.leader("a")["endpoint"]
    server = next(s for s in whole.consul.servers.values() if s.url == asked)
    server.close()
    whole.lab.wait_until(lambda: whole.leader("a")["endpoint"] != asked, 5, "a asks the other one")
    assert whole.leader("a")["trouble"] is None and whole.sampler.longest_ms(0) == 0
    whole.moved("b")
    server.start()


def polled(site, name="a"):
    """The server with the last long poll of this host."""
    client = site.hosts[name].ip4()
    return site.consul.servers[next(server for _, server, c in reversed(site.consul.polls) if c == client)]


def test_long_poll_cut_off_silently(whole):
    """Packets of the server with the long poll vanish: it is given up after some seconds, though nothing changes."""
    a, mute = whole.hosts["a"], polled(whole)
    a.drop(f"ip saddr {mute.host.ip4()}")
    try:
        whole.lab.wait_until(lambda: polled(whole) is not mute, 8, "the long poll goes on at the other server")
        assert whole.moved("b") + whole.moved("a") < 2 * 0.25
    finally:
        a.undrop()


def test_long_poll_hangs(whole):
    """A server that answers reads but no long poll: what it should have told, a read has told, so it is left."""
    mute, consul = polled(whole), whole.consul
    consul.fault[mute.host.name] = lambda r: None if "index" in r.query else consul.read(mute.host.name, r)
    try:
        whole.moved("b")  # by the long polls of before
        whole.moved("a")  # by a read
        whole.lab.wait_until(lambda: polled(whole) is not mute, 2, "the long poll goes on at the other server")
    finally:
        consul.fault.clear()


def test_a_key_that_changes_all_the_time(whole):
    """The holder stays, and Consul is not asked in a frenzy: 2 long polls and 5 a second, each with a read."""
    asked = sum(len(s.asked) for s in whole.consul.servers.values())
    start = time.monotonic()
    while time.monotonic() - start < 0.6:
        whole.consul.acquire(NAME, "a")
        time.sleep(0.005)
    asked = sum(len(s.asked) for s in whole.consul.servers.values()) - asked
    assert 8 <= asked <= 2 * 2 * (2 + 5 * 1) + 2 * 2
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
    no_leader = ("no leader", lambda _: reply(500, "No cluster leader"), "No cluster leader: more than half of Consul's")
    check_bad_answers(lab, "consul", reply(200, '[{"Value": "YQ==", "Session": "x"}]', X_Consul_Index=5), no_leader)
