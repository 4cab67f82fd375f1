"""test_follow_etcd3_refused.py - etcds that do not say who the leader is: users, tokens, certificates, no gateway, silence, no
key, a name that is perhaps this node's.

One vrrpd has an instance for each of them. Nobody gets an address that the store does not confirm, and status and log say in
one sentence what is wrong and what to do.
"""

import os
import re
import signal

import etcd
import lab as labs
import wire
from daemons import conf
from stores import following
from test_checks_http import BadServer, certificates

KEY = "/service/pg/leader"
PASSWORD = "tell-it-nobody"


def users(server):
    """A user who may read the key, and one who may read another."""
    commands = (
        ["user", "add", "root:" + PASSWORD],
        ["user", "grant-role", "root", "root"],
        ["role", "add", "reader"],
        ["role", "grant-permission", "reader", "read", KEY],
        ["role", "add", "stranger"],
        ["role", "grant-permission", "stranger", "read", "/else"],
        ["user", "add", "vrrpd:" + PASSWORD],
        ["user", "grant-role", "vrrpd", "reader"],
        ["user", "add", "stranger:" + PASSWORD],
        ["user", "grant-role", "stranger", "stranger"],
        ["put", KEY, "a"],
        ["auth", "enable"],
    )
    for command in commands:
        done = server.ctl(*command, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"


def as_root(server, *command):
    return server.ctl("--user", "root:" + PASSWORD, *command)


def tokens(host, pki):
    """Options for tokens that last two seconds, whoever uses them; of a key so long that few clients expect it."""
    host.run(f"openssl genrsa -out {pki}/jwt.key 4096 && openssl rsa -in {pki}/jwt.key -pubout -out {pki}/jwt.pub")
    return f"jwt,pub-key={pki}/jwt.pub,priv-key={pki}/jwt.key,sign-method=RS256,ttl=2s"


def certificates_of(host):
    """Those of the http tests, and one of a server whose days are over."""
    files = certificates(host)
    folder = os.path.dirname(files["ca.pem"])
    host.run(
        f"cd {folder} && openssl req -new -key server.key -subj /CN=server -out old.csr &&"
        " openssl x509 -req -in old.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days -1 -extfile san -out old.pem"
    )
    return {**files, "old.pem": os.path.join(folder, "old.pem")}, folder


def secret(host, name, text):
    path = os.path.join(host.dir, name)
    with open(path, "w", encoding="ascii") as f:
        f.write(text + "\n")
    os.chmod(path, 0o600)
    return path


# The instance: its state, and what its store's trouble must match.
WANTED = {
    "open": ("active", None),
    "needless_user": ("active", None),
    "user": ("active", None),
    "jwt": ("active", None),
    "no_user": ("backup", "etcd wants a user .*: write username and password_file"),
    "wrong_password": ("backup", 'does not know user "vrrpd" with this password: mend username or password_file'),
    "no_rights": ("backup", f'user "stranger" of etcd has not the rights for key {KEY}: grant its role reading it'),
    "no_gateway": ("backup", "has no JSON gateway of etcd v3 .*: start etcd with --enable-grpc-gateway"),
    "silent": ("backup", "no endpoint of etcd answers with a quorum: .*: no answer"),
    "silent_first": ("active", None),
    "tls": ("active", None),
    "tls_expired": ("backup", "certificate has expired: renew the certificate, or mend tls"),
    "tls_no_cert": ("backup", "(certificate required|bad certificate).*: renew the certificate, or mend tls"),
    "missing": ("backup", "key /service/gp/leader has named nobody for 10 s .*: start what writes it, or mend leader.key"),
    "alike": ("backup", 'the leader is a, and this node is A.example.org there: .* write value = "a" in leader'),
    "nobody": ("backup", "the leader is x9, but nobody answers at 10.77.1.200: .* which is a there, write value = \"x9\" in leader"),
    "somebody": ("backup", None),
    "tls_other_ca": ("backup", "certificate problem.*: renew the certificate, or mend tls"),
}


def stores(host, servers, files):
    good, wrong = secret(host, "good.pass", PASSWORD), secret(host, "wrong.pass", "guessed")
    ca = {"ca": files["ca.pem"], "cert": files["client.pem"], "key": files["client.key"]}
    silent = "http://127.0.0.1:4001"

    def store(server, **options):
        return {"store": "etcd3", "endpoints": [s if isinstance(s, str) else s.endpoint for s in server], "key": KEY, **options}

    return {
        "open": store([servers["open"]]),
        "needless_user": store([servers["open"]], username="vrrpd", password_file=good),
        "user": store([servers["auth"]], username="vrrpd", password_file=good),
        "jwt": store([servers["jwt"]], username="vrrpd", password_file=good),
        "missing": store([servers["open"]], key="/service/gp/leader"),
        "alike": store([servers["open"]], value="A.example.org"),
        "nobody": store([servers["open"]], key="/service/nobody/leader"),
        "somebody": store([servers["open"]], key="/service/nobody/leader"),
        "no_user": store([servers["auth"]]),
        "wrong_password": store([servers["auth"]], username="vrrpd", password_file=wrong),
        "no_rights": store([servers["auth"]], username="stranger", password_file=good),
        "no_gateway": store([servers["no_gateway"]]),
        "silent": store([silent]),
        "silent_first": store([silent, servers["open"]]),
        "tls": store([servers["tls"]], tls=ca),
        "tls_expired": store([servers["expired"]], tls=ca),
        "tls_no_cert": store([servers["tls"]], tls={"ca": files["ca.pem"]}),
        "tls_other_ca": store([servers["tls"]], tls={**ca, "ca": files["other.pem"]}),
    }


def start(host, files, folder):
    tls = ["--client-cert-auth", "--trusted-ca-file", files["ca.pem"], "--key-file", files["server.key"], "--cert-file"]
    made = {
        "open": etcd.Single(host, 2001),
        "auth": etcd.Single(host, 2011, "--auth-token-ttl", "2"),
        "jwt": etcd.Single(host, 2021, "--auth-token", tokens(host, folder)),
        "no_gateway": etcd.Single(host, 2031, "--enable-grpc-gateway=false"),
        "tls": etcd.Single(host, 2041, *tls, files["server.pem"], tls=True),
        "expired": etcd.Single(host, 2051, *tls, files["old.pem"], tls=True),
    }
    host.lab.wait_until(lambda: made["jwt"].ctl("endpoint", "health", check=False).returncode == 0, 10, "etcd runs")
    for name in ("auth", "jwt"):
        users(made[name])
    gateway = etcd.Gateway(host, made["open"].endpoint)
    gateway.put(KEY, "a")
    gateway.put("/service/nobody/leader", "x9")
    client = ["--cacert", files["ca.pem"], "--cert", files["client.pem"], "--key", files["client.key"]]
    made["tls"].ctl(*client, "put", KEY, "a")
    return made


def leaders(daemon):
    return {i["name"]: (i["state"], i["leader"]["trouble"]) for i in daemon.status()["instances"]}


def wait_wanted(lab, daemon, wanted, deadline=8):
    def seen():
        have = leaders(daemon)
        wrong = {
            n: have[n]
            for n, (state, text) in wanted.items()
            if have[n][0] != state or (have[n][1] is None) != (text is None) or not re.search(text or "", have[n][1] or "")
        }
        assert not wrong, f"not as wanted: {wrong}"
        return True

    lab.wait_until(seen, deadline, "every instance is as it should be")


def test_what_etcd_may_refuse(lab):
    a = lab.host("a")
    files, folder = certificates_of(a)
    servers = start(a, files, folder)
    BadServer(a, 4001, lambda c: c.recv(1 << 20) and wire.time.sleep(60))
    named = stores(a, servers, files)
    elsewhere = {"nobody": "10.77.1.200", "somebody": lab.host("b").ip4()}
    d = a.vrrpd(
        conf(
            *(
                following(n, elsewhere.get(n, f"10.77.2.{i + 1}"), mode="follow", leader=s)
                for i, (n, s) in enumerate(named.items())
            ),
            node="a",
        )
    )
    wait_wanted(lab, d, WANTED, 25)
    changes = {i["name"]: i["counters"]["transitions"] for i in d.status()["instances"]}
    text = d.get("/v1/config")[1] + d.get("/v1/status")[1] + d.get("/metrics")[1] + d.log_text()
    assert PASSWORD not in text
    # Its token is over (two seconds without use), or not known any more: another one is asked for, without trouble.
    agent = d.processes()["agent"]
    os.kill(agent, signal.SIGSTOP)
    servers["auth"].kill()
    servers["auth"] = etcd.Single(a, 2011, "--auth-token-ttl", "2")
    lab.wait_until(lambda: as_root(servers["auth"], "get", KEY).stdout, 10, "etcd runs again")
    os.kill(agent, signal.SIGCONT)
    wait_wanted(lab, d, WANTED)
    # Mended while it runs; a right that is taken away.
    as_root(servers["auth"], "role", "grant-permission", "stranger", "read", KEY)
    as_root(servers["auth"], "role", "revoke-permission", "reader", KEY)
    wait_wanted(lab, d, {"no_rights": ("active", None), "user": ("backup", "grant its role reading it")})
    as_root(servers["auth"], "role", "grant-permission", "reader", "read", KEY)
    wait_wanted(lab, d, {**WANTED, "no_rights": ("active", None)})
    now = {i["name"]: i["counters"]["transitions"] for i in d.status()["instances"]}
    steady = {n for n, (state, _) in WANTED.items() if state == "active"} - {"user"}
    assert {n: now[n] for n in steady} == {n: changes[n] for n in steady}, "nothing moved meanwhile"
    for name, (_, sentence) in WANTED.items():
        lines = [x for x in d.log_text().splitlines() if f"warning: {name}: " in x]
        if sentence:
            assert any(re.search(sentence, x) for x in lines) and len(lines) <= 6, f"{name}: {lines}"
    assert labs.netns_names(lab.prefix)
