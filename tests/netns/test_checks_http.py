"""test_checks_http.py - kind "http" with the real HAProxy, TLS with client certificates, and servers that misbehave."""

import os
import re
import socket
import threading
import time

import daemons
import wire
from daemons import conf, instance

VIP = "10.77.1.100"

WEB = """
global
    maxconn 4000
defaults
    mode http
    timeout client 20s
    timeout http-keep-alive 20s
frontend web
    {binds}
    http-request return status 401 if {{ path /login }} !{{ http_auth(people) }}
    http-request return status 503 if {{ path /busy }}
    http-request return status 302 hdr Location /ok if {{ path /moved }}
    http-request return status 200 content-type text/plain string "ok from {name}\\n"
userlist people
    user vrrpd insecure-password {password}
"""
PASSWORD = "tell-it-nobody"


def http(url, **options):
    return {"kind": "http", "url": url, "interval": "200ms", "timeout": "200ms", "rise": 1, "fall": 2, **options}


def web(host, *binds):
    server = daemons.Haproxy(
        host,
        WEB.format(binds="\n    ".join(f"bind {b}" for b in binds), name=host.name, password=PASSWORD),
        "web",
    )
    return server


def run_checks(host, checks, env=None):
    """vrrpd with an instance per check, so that status shows them all."""
    instances = [
        instance(f"i{n}", f"10.77.2.{n + 1}/32", vrid=n + 1, track=({"check": name},))
        for n, name in enumerate(checks)
    ]
    return host.vrrpd(conf(*instances, node=host.name, checks=checks), env=env)


def results(daemon):
    """{check: (state, line)}"""
    found = {}
    for one in daemon.status()["instances"]:
        for check in one["checks"]:
            found[check["name"]] = (check["state"], check["last"])
    return found


def wait_results(lab, daemon, wanted, deadline=10):
    """Wait until every check has the state, and a line that matches the pattern, that is wanted of it."""

    def seen():
        have = results(daemon)
        wrong = {k: have[k] for k, (s, t) in wanted.items() if have[k][0] != s or not re.search(t, have[k][1])}
        assert not wrong, f"not as wanted: {wrong}"
        return True

    lab.wait_until(seen, deadline, "results of all checks")


def runs(daemon, check):
    text = daemon.get("/metrics")[1]
    return sum(int(n) for n in re.findall(rf'^vrrpd_check_runs_total{{check="{check}",.*}} (\d+)$', text, re.M))


def test_a_web_server(lab):
    a = lab.host("a")
    secret = os.path.join(a.dir, "web.pass")
    with open(secret, "w", encoding="ascii") as f:
        f.write(PASSWORD + "\n")
    os.chmod(secret, 0o600)
    sock = os.path.join(a.dir, "web", "web.sock")
    server = web(a, "127.0.0.1:8080", f"{sock} mode 666", "[::1]:8080")
    url = "http://127.0.0.1:8080"
    login = {"username": "vrrpd", "password_file": secret}
    d = run_checks(
        a,
        {
            "page": http(url, body="ok from a"),
            "head": http(url + "/ok", method="HEAD"),
            "options": http(url + "/ok", method="OPTIONS"),
            "v6": http("http://[::1]:8080/"),
            "localhost": http("http://localhost:8080/"),
            "unix": http(f"unix:{sock}:/ok", body="ok"),
            "login": http(url + "/login", **login),
            "no_login": http(url + "/login"),
            "busy": http(url + "/busy"),
            "busy_is_good": http(url + "/busy", status="200,503"),
            "moved": http(url + "/moved"),
            "other_body": http(url, body="ok from b"),
        },
    )
    wait_results(
        lab,
        d,
        {
            "page": ("up", "^status 200, the body holds the text$"),
            "head": ("up", "^status 200$"),
            "options": ("up", "^status 200$"),
            "v6": ("up", "^status 200$"),
            "localhost": ("up", "^status 200$"),
            "unix": ("up", "^status 200, the body holds the text$"),
            "login": ("up", "^status 200$"),
            "no_login": ("down", "^status 401, wanted 200-299$"),
            "busy": ("down", "^status 503, wanted 200-299$"),
            "busy_is_good": ("up", "^status 503$"),
            "moved": ("down", "redirects are not followed"),
            "other_body": ("down", "^status 200, but the body does not hold the text$"),
        },
    )
    text = d.get("/v1/config")[1] + d.get("/v1/status")[1] + d.get("/metrics")[1] + d.log_text()
    assert PASSWORD not in text
    for pid in a.pids():
        with open(f"/proc/{pid}/cmdline", encoding="ascii", errors="replace") as f:
            assert PASSWORD not in f.read()
    server.kill()
    wait_results(lab, d, {k: ("down", "^no answer: Connection refused$") for k in ("page", "v6", "unix", "login")})


def test_the_address_follows_the_web_server(lab):
    hosts = [lab.host("a"), lab.host("b")]
    servers = [web(h, "127.0.0.1:8080") for h in hosts]
    ds = [
        h.vrrpd(
            conf(
                instance(priority=150 - 50 * n, track=({"check": "web"},)),
                node=h.name,
                checks={"web": http("http://127.0.0.1:8080/", body="ok")},
            )
        )
        for n, h in enumerate(hosts)
    ]
    ds[0].wait_state("pg", "active")
    ds[1].wait_state("pg", "backup")
    servers[0].kill()
    assert ds[0].wait_state("pg", "fault")["reason"] == "check web failed"
    ds[1].wait_state("pg", "active")
    lab.wait_until(lambda: lab.holders(VIP) == ["b"], 5, "b alone holds the address")
    web(hosts[0], "127.0.0.1:8080")
    ds[0].wait_state("pg", "active")


# ---- TLS ----------------------------------------------------------------------------------------------------


def certificates(host):
    """An authority, and what it signed: server (127.0.0.1, web.test) and client; {name: path} of their files."""
    folder = os.path.join(host.dir, "pki")
    os.mkdir(folder)
    new = "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -quiet".replace(" -quiet", "")
    script = f"""set -e
    cd {folder}
    {new} -x509 -days 2 -subj /CN=authority -keyout ca.key -out ca.pem
    {new} -x509 -days 2 -subj /CN=stranger -keyout other.key -out other.pem
    printf 'subjectAltName=IP:127.0.0.1,DNS:web.test' >san
    for who in server client; do
        {new} -subj /CN=$who -keyout $who.key -out $who.csr
        openssl x509 -req -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile san -out $who.pem
    done
    cat server.pem server.key >both.pem
    chmod 644 *.pem
    chmod 600 *.key
    """
    host.run(script)
    return {name: os.path.join(folder, name) for name in os.listdir(folder)}


def test_tls(lab):
    a = lab.host("a")
    pki = certificates(a)
    ssl = f"ssl crt {pki['both.pem']}"
    web(
        a,
        f"127.0.0.1:8443 {ssl}",
        f"127.0.0.2:8443 {ssl}",
        f"127.0.0.1:8444 {ssl} ca-file {pki['ca.pem']} verify required",
        f"{a.dir}/web/tls.sock mode 666 {ssl}",
        "127.0.0.1:8080",
    )
    url, strict = "https://127.0.0.1:8443/", "https://127.0.0.1:8444/"
    ca = {"ca": pki["ca.pem"]}
    own = {"cert": pki["client.pem"], "key": pki["client.key"]}
    other = {"cert": pki["other.pem"], "key": pki["other.key"]}
    d = run_checks(
        a,
        {
            "good": http(url, tls=ca, body="ok"),
            "system_ca": http(url),
            "not_verified": http(url, tls={"verify": False}),
            "other_ca": http(url, tls={"ca": pki["other.pem"]}),
            "other_address": http("https://127.0.0.2:8443/", tls=ca),
            "by_name": http("https://127.0.0.2:8443/", tls={**ca, "server_name": "web.test"}, body="ok"),
            "other_name": http(url, tls={**ca, "server_name": "other.test"}),
            "unix": http(f"unix:{a.dir}/web/tls.sock:/", tls={**ca, "server_name": "web.test"}, body="ok"),
            "client": http(strict, tls={**ca, **own}, body="ok"),
            "no_client": http(strict, tls=ca),
            "other_client": http(strict, tls={**ca, **other}),
            "no_tls_there": http("https://127.0.0.1:8080/", tls=ca),
            "tls_there": http("http://127.0.0.1:8443/"),
        },
    )
    wait_results(
        lab,
        d,
        {
            "good": ("up", "holds the text"),
            "system_ca": ("down", "^no answer: SSL certificate problem"),
            "not_verified": ("up", "^status 200$"),
            "other_ca": ("down", "^no answer: SSL certificate problem"),
            "other_address": ("down", "^no answer: SSL: no alternative certificate subject name matches"),
            "by_name": ("up", "holds the text"),
            "other_name": ("down", "^no answer: SSL: no alternative certificate subject name matches"),
            "unix": ("up", "holds the text"),
            "client": ("up", "holds the text"),
            "no_client": ("down", "^no answer: .*certificate required"),
            "other_client": ("down", "^no answer: .*(unknown ca|decrypt error|bad certificate)"),
            "no_tls_there": ("down", "^no answer: .*(wrong version number|SSL)"),
            "tls_there": ("down", "^no answer: |^status 400"),
        },
    )
    key = open(pki["client.key"], encoding="ascii").read().splitlines()[1]
    assert key not in d.get("/v1/config")[1] + d.get("/v1/status")[1] + d.log_text()


def test_tls_server_gone(lab):
    """A connection that is kept does not hide that nobody serves it any more."""
    a = lab.host("a")
    pki = certificates(a)
    server = web(a, f"127.0.0.1:8443 ssl crt {pki['both.pem']}")
    d = run_checks(a, {"web": http("https://127.0.0.1:8443/", tls={"ca": pki["ca.pem"]})})
    wait_results(lab, d, {"web": ("up", "^status 200$")})
    lab.wait_until(lambda: runs(d, "web") > 5, 10, "some runs on one connection")
    server.kill()
    killed = time.monotonic()
    wait_results(lab, d, {"web": ("down", "Connection refused")})
    assert time.monotonic() - killed < 3


# ---- servers that misbehave ---------------------------------------------------------------------------------

HEAD = b"HTTP/1.1 200 OK\r\n"


def _forever(c, data):
    while True:
        c.sendall(data)


def _slowly(c, data):
    for i in range(len(data)):
        c.sendall(data[i : i + 1])
        time.sleep(1)


def _reset(c):
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


# What the server does with a connection, and what the check must say.
BAD = {
    "silent": (lambda c: c.recv(1 << 20) and time.sleep(30), r"^no result within 200 ms$"),
    "one_octet_a_second": (lambda c: _slowly(c, HEAD * 100), r"^no result within 200 ms$"),
    "slow_body": (lambda c: c.sendall(HEAD + b"\r\n") or _slowly(c, b"x" * 100), r"^no result within 200 ms$"),
    "flood": (lambda c: c.sendall(HEAD + b"\r\n") or _forever(c, b"x" * 65536), r"first 64 KiB do not hold"),
    "flood_of_headers": (lambda c: c.sendall(HEAD) or _forever(c, b"X-A: b\r\n" * 999), r"64 KiB of headers"),
    "flood_of_continues": (lambda c: _forever(c, b"HTTP/1.1 100 Go\r\n\r\n" * 999), r"64 KiB of headers"),
    "flood_of_trailers": (
        lambda c: c.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n") or _forever(c, b"X: y\r\n" * 999),
        r"^no (answer: the answer begins with more than 64 KiB of headers|result within)",
    ),
    "one_endless_line": (lambda c: c.sendall(HEAD + b"X: ") or _forever(c, b"y" * 65536), r"header"),
    "garbage": (lambda c: c.sendall(os.urandom(3000)), r"^no answer: "),
    "huge_length": (lambda c: c.sendall(HEAD + b"Content-Length: 99999999999999999999\r\n\r\nx"), r"^no "),
    "huge_chunk": (
        lambda c: c.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\nx"),
        r"^no answer: ",
    ),
    "reset": (_reset, r"^no answer: (Recv failure: )?Connection reset by peer"),
    "closes": (lambda c: None, r"^no answer: the server closed the connection|reset by peer"),
}


class BadServer:
    """Listens in a host's namespace and treats every connection as told, in a thread of its own."""

    def __init__(self, host, port, treat):
        self.treat = treat
        self.listener = wire.in_netns(host.netns, lambda: socket.create_server(("127.0.0.1", port), backlog=64))
        host.lab.on_close(self.close)
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self.listener.close()

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection):
        with connection:
            try:
                self.treat(connection)
            except OSError:
                pass  # the client has gone, as it should


def rss_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


def test_servers_that_misbehave(lab):
    """Bounded time and memory, a clear result, and no effect on adverts or on the checks of good servers."""
    a = lab.host("a")
    web(a, "127.0.0.1:8080")
    checks = {"good": http("http://127.0.0.1:8080/")}
    for n, (name, (treat, _)) in enumerate(BAD.items()):
        BadServer(a, 9000 + n, treat)
        for i in range(3):
            checks[f"{name}_{i}"] = http(f"http://127.0.0.1:{9000 + n}/", body="not there")
    # With the address sanitizer, memory that was freed must not count as used.
    d = run_checks(a, checks, {"ASAN_OPTIONS": "abort_on_error=1:detect_leaks=0:quarantine_size_mb=1"})
    wanted = {f"{name}_{i}": ("down", text) for name, (_, text) in BAD.items() for i in range(3)}
    wait_results(lab, d, {"good": ("up", "^status 200$"), **wanted}, deadline=20)
    agent = d.processes()["agent"]
    before, good_runs = rss_kib(agent), runs(d, "good")
    lab.wait_until(lambda: runs(d, "good") >= good_runs + 15, 20, "more runs of the good check, 5 a second")
    assert results(d)["good"] == ("up", "status 200")
    assert rss_kib(agent) < before + 4096 and rss_kib(agent) < 64 * 1024
    with open(f"/proc/{agent}/status", encoding="ascii") as f:
        assert "Threads:\t1\n" in f.read()
    files = len(os.listdir(f"/proc/{agent}/fd"))
    assert files < len(checks) + 60, "connections are closed"


def test_names_that_nobody_looks_up(lab):
    """The name server does not answer: runs time out, threads stay few, other checks go on."""
    a, b = lab.host("a"), lab.host("b")
    with open("/etc/resolv.conf", encoding="ascii") as f:
        servers = re.findall(r"^nameserver\s+(\d+\.\d+\.\d+\.\d+)\s*$", f.read(), re.M)
    for server in servers:
        if not server.startswith("127."):
            a.ip("route", "replace", f"{server}/32", "via", b.ip4())  # which forwards nothing
    web(a, "127.0.0.1:8080")
    names = {f"name_{n}": http(f"http://host-{n}.example/", interval="100ms", timeout="100ms") for n in range(4)}
    d = run_checks(a, {"good": http("http://127.0.0.1:8080/"), **names})
    wait_results(lab, d, {k: ("down", "^no (result|answer)") for k in names})
    runs_before = runs(d, "good")
    lab.wait_until(lambda: runs(d, "good") >= runs_before + 15, 15, "the good check goes on")
    assert results(d)["good"] == ("up", "status 200")
    with open(f"/proc/{d.processes()['agent']}/status", encoding="ascii") as f:
        threads = int(re.search(r"Threads:\s+(\d+)", f.read()).group(1))
    assert threads <= 1 + 8 + len(names)
    stopped = time.monotonic()
    assert d.stop() == 0
    assert time.monotonic() - stopped < 5
