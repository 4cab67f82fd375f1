"""test_follow_etcd2.py - mode follow with the keys API of etcd v2, by the real etcd: the address is where the key says."""

import json
import os
import shutil
import threading

import pytest

import lab as labs
from etcd2 import Etcd2
from followers import KEY, Followers
from http_double import HttpDouble, reply

pytestmark = pytest.mark.skipif(
    not shutil.which("apt-get") and not shutil.which("etcd"), reason="this distribution has no package of etcd"
)


@pytest.fixture(scope="module")
def site():
    with labs.Lab() as lab:
        one = Followers(lab)
        one.etcd = Etcd2([lab.host(f"e{n}") for n in (1, 2, 3)])
        one.guarded = Etcd2([lab.host("u")])  # for test_users
        one.guarded.wait_healthy(lab)
        one.etcd.wait_healthy(lab)
        one.put = lambda value: one.etcd.put(KEY, value)
        for name in one.hosts:
            one.start(name, store="etcd2", endpoints=one.etcd.endpoints)
        yield one
        assert not lab.complaints(), lab.logs()


@pytest.fixture
def whole(site):
    """Everything works and host a is the leader, for ever."""
    site.lab.wait_until(lambda: site.etcd.put(KEY, "a") is None, 10, "etcd takes writes")
    site.at("a", deadline=10)
    site.sampler.clear()
    return site


def test_the_address_follows_the_key(whole):
    whole.check_moves()


def test_key_goes_and_comes_back(whole):
    whole.etcd.delete(KEY)
    whole.at()
    whole.wait_leader("a", fact="none", trouble=None)
    whole.moved("b")


def test_the_lease_is_the_ttl(whole):
    """What is left of it, rounded up by etcd: so a second less. Renewed as Patroni does it, the holder stays."""
    assert whole.wait_leader("a", fact="self")["lease_left_s"] <= 3, "no ttl: as long as an answer stands"
    whole.etcd.put(KEY, "a", ttl=30)
    whole.lab.wait_until(lambda: 26 < whole.leader("a")["lease_left_s"] <= 29, 3, "the lease is the ttl")
    whole.etcd.put(KEY, "a", ttl=60, prevValue="a")
    whole.lab.wait_until(lambda: 56 < whole.leader("a")["lease_left_s"] <= 59, 3, "the lease is the new ttl")
    assert whole.sampler.longest_ms(0) == 0


def test_members_go(whole):
    """One is killed: nothing happens. Another one, too: no quorum, but the lease of the holder lasts."""
    asked = whole.leader("a")["endpoint"]
    one = next(name for name, m in whole.etcd.members.items() if m.endpoint == asked)
    two = next(name for name in whole.etcd.members if name != one)
    whole.etcd.members[one].kill()
    whole.lab.wait_until(lambda: whole.leader("a")["endpoint"] != asked, 5, "a asks another member")
    whole.lab.wait_until(lambda: whole.etcd.put(KEY, "a", ttl=60) is None, 5, "etcd takes writes")
    whole.lab.wait_until(lambda: whole.leader("a")["lease_left_s"] > 50, 3, "the lease is known")
    whole.etcd.members[two].kill()
    whole.wait_leader("a", fact="lost", trouble="no endpoint of etcd v2 answers with a quorum: http")
    assert whole.sampler.present() == ["a"]
    whole.etcd.restart(one)
    whole.etcd.restart(two)
    whole.wait_leader("a", deadline=10, fact="self", trouble=None)
    assert whole.sampler.longest_ms(0) == 0 and whole.sampler.longest_ms(2) == 0
    whole.moved("b")


def test_users(site):
    """The guest may not read: without a user, with a wrong password, with the right one."""
    one, etcd = Followers(site.lab, ["c"]), site.guarded
    etcd.put(KEY, "c")
    for method, path, body in (
        ("PUT", "users/root", {"user": "root", "password": "secret"}),
        ("PUT", "enable", None),
        ("PUT", "roles/guest", {"role": "guest", "revoke": {"kv": {"read": ["/*"], "write": ["/*"]}}}),
    ):
        assert etcd.call(method, "/v2/auth/" + path, body=body)[0] in (200, 201), path
        etcd.user = ("root", "secret")
    path = os.path.join(site.lab.dir, "password")
    for password, fact, trouble in (
        (None, "denied", "etcd wants a user: write username and password_file"),
        ("wrong", "denied", 'etcd does not let user "root" read the key: mend username'),
        ("secret", "self", ""),
    ):
        login = {}
        if password:
            with open(path, "w", encoding="ascii", opener=lambda p, f: os.open(p, f, 0o600)) as f:
                f.write(password + "\n")
            login = {"username": "root", "password_file": path}
        one.start("c", store="etcd2", endpoints=etcd.endpoints, **login)
        one.wait_leader("c", fact=fact, trouble=trouble)
        one.at(*(["c"] if fact == "self" else []))
        one.vrrpd["c"].stop()


def test_ends_of_long_polls(lab):
    """A server that ends them in every way that etcd knows; what it says when read is what counts."""
    one = Followers(lab, "a")
    waited, seen = [], threading.Event()

    def event(value, index):
        return reply(200, json.dumps({"action": "set", "node": {"key": KEY, "value": value, "modifiedIndex": index}}))

    ends = [
        lambda: reply(400, json.dumps({"errorCode": 401, "message": "The event ... is outdated and cleared"})),
        lambda: reply(200),  # closed without news
        lambda: event("b", 49),  # of before the read: what has long been over
        lambda: reply(200, "[1, 2"),
    ]

    def answer(request):
        if "wait" in request.query:
            seen.wait(10)
            waited.append(request.query["waitIndex"])
            return ends[len(waited) - 1]() if len(waited) <= len(ends) else None
        assert request.query == {"quorum": "true"} and request.path == "/v2/keys" + KEY
        return reply(
            200,
            json.dumps({"action": "get", "node": {"key": KEY, "value": "a", "modifiedIndex": 40}}),
            X_Etcd_Index=50,
        )

    server = HttpDouble(lab.host("s"), 2379, answer)
    one.start("a", store="etcd2", endpoints=[server.url])
    one.at("a")
    one.sampler.clear()
    seen.set()
    lab.wait_until(lambda: len(waited) > len(ends), 10, "the long poll began again after every end")
    assert set(waited) == {"51"}
    assert one.sampler.longest_ms(0) == 0, "nothing of that made the holder give up"
