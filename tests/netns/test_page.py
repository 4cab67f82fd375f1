"""test_page.py - the status page in a headless Chromium on a host of the lab: what it shows, how it goes on, what it never does."""

import json
import re
import subprocess

import pytest

import daemons
import lab as labs
from browser import Browser, available
from consul_double import Consul
from daemons import conf, instance
from followers import follower
from http_double import HttpDouble, reply

pytestmark = pytest.mark.skipif(not available(), reason="this distribution has Chromium as a snap only")

PORT = 9650
EVIL = "<img/src=x/onerror=hacked=1><script>hacked=1</script>"
PROXY = """
defaults
    mode http
    timeout client 5s
    timeout server 5s
    timeout connect 1s
frontend all
    bind :80
    http-request replace-path /vip/one/?(.*) /\\1
    default_backend vrrpd
backend vrrpd
    server one {server}
"""


@pytest.fixture(scope="module")
def made():
    """The hosts and the browser; starting one takes a second."""
    with labs.Lab() as one:
        for name in ("a", "b", "store", "desk"):
            one.host(name)
        one.browser = Browser(one.hosts["desk"])
        yield one
        assert not one.complaints(), one.logs()


@pytest.fixture
def lab(made):
    """The lab with no page and nothing but the browser running, before and after."""
    before = len(made.processes)
    yield made
    for page in list(made.browser.pages.values()):
        page.close()
    for process in reversed(made.processes[before:]):
        process.stop()


def text(host, *instances, **settings):
    return conf(*instances, **{"node": host.name, "control": {"listen": f"{host.ip4()}:{PORT}"}, **settings})


def url(host):
    return f"http://{host.ip4()}:{PORT}/"


def fetch(host, *args):
    """curl on a host: (header lines, body)."""
    done = host.run(["curl", "-sS", "-D", "-", *args])
    head, _, body = done.stdout.replace("\r\n", "\n").partition("\n\n")
    return head, body


def innocent(page, *origins):
    """Nothing on the console, nothing asked of anybody else, and only read."""
    assert page.console == []
    asked = [r for r in page.requests if not r.startswith("data:")]
    assert asked and all(r.startswith(origins or page.url) for r in asked), asked


def row(name):
    """JavaScript: the row of an instance."""
    return f"[...document.querySelectorAll('#list > li')].find(x => x.querySelector('strong').textContent === {json.dumps(name)})"


def wait_row(page, name, pattern, deadline=10):
    """Wait until the line of an instance, with single spaces, fits a regular expression."""
    return page.wait(f"new RegExp({json.dumps(pattern)}).test(({row(name)})?.querySelector('summary').innerText.replace(/\\s+/g, ' '))", deadline)


def test_answer_on_both_sockets(lab):
    a = lab.hosts["a"]
    da = a.vrrpd(text(a, instance()))
    da.wait_state("pg", "active")
    nonces = set()
    for where in ([url(a)], ["--unix-socket", da.socket_path, "http://-/"]):
        head, body = fetch(a, *where)
        assert " 200 " in head and "Content-Type: text/html; charset=utf-8" in head
        for header in ("X-Content-Type-Options: nosniff", "Cache-Control: no-store", "Referrer-Policy: no-referrer"):
            assert header in head, head
        policy = re.search("Content-Security-Policy: (.*)", head)[1]
        assert policy.startswith("default-src 'none'; ") and "connect-src 'self'" in policy and "unsafe" not in policy
        nonce = re.search("script-src 'nonce-([0-9a-f]{32})'", policy)[1]
        assert f"style-src 'nonce-{nonce}'" in policy and re.findall('nonce="(.*?)"', body) == [nonce, nonce]
        assert len(body.encode()) < 40 * 1024 and body.endswith("</html>\n")
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", body), "nothing of elsewhere"
        nonces.add(nonce)
        head = fetch(a, "-I", "-o", "/dev/null", *where)[0]
        assert " 200 " in head and f"Content-Length: {len(body.encode())}" in head
        assert " 405 " in fetch(a, "-X", "POST", *where)[0]
    assert len(nonces) == 2
    assert "nosniff" in fetch(a, url(a) + "v1/config")[0]


def test_shows_who_holds_it_and_goes_on_by_itself(lab):
    a, b = lab.hosts["a"], lab.hosts["b"]
    flag = f"{lab.dir}/flag"
    check = {"switch": {"kind": "file", "path": flag, "interval": "200ms"}}
    more = [instance(f"other-{n}", f"10.77.1.{110 + n}/24", vrid=60 + n) for n in range(9)]
    pg = instance(addresses=("10.77.1.100/24", "10.77.1.101/24"), track=({"check": "switch", "weight": -60},))
    da = a.vrrpd(text(a, {**pg, "priority": 150}, *({**m, "priority": 150} for m in more), checks=check))
    da.wait_state("pg", "active")
    da.wait_state("other-8", "active")
    db = b.vrrpd(text(b, {**pg, "priority": 100}, *({**m, "priority": 100} for m in more), checks=check))
    page = lab.browser.page(url(b), 1280, 500)
    wait_row(page, "pg", "backup.*10.77.1.100/24.*10.77.1.101/24.*not here.*held by 10.77.1.1.*priority 150.*started, listening")
    page.wait_text("10.77.1.1 10 instances holds pg, other-0, other-1, other-2 and 6 more; priority 150, last advert just now", "#hosts")
    page.wait_text("All well", "#attention")
    assert page.text("#counted") == "10 instances: 0 active, 10 backup, 0 fault, 0 initialize"
    assert page.js("document.title") == "0 active - b - vrrpd"

    # What a reader has done to the page must outlive every refresh.
    page.js(f"window.kept = {row('pg')}; kept.querySelector('details').open = true; scrollTo(0, 200)")
    page.wait_text("switch.*does not exist.*-60", ".more")
    page.js("kept.querySelector('summary').focus({preventScroll: true}); getSelection().selectAllChildren(kept.querySelector('strong'))")
    da.kill_all()
    wait_row(page, "pg", "^active.*all held here.*this node.*no adverts from 10.77.1.1 for \\d+ ms.*since \\d\\d:\\d\\d:\\d\\d")
    page.wait_text("pg backup . active no adverts from 10.77.1.1", "#events")
    page.wait("document.title === '10 active - b - vrrpd'")
    assert page.js(f"kept === {row('pg')} && kept.querySelector('details').open && scrollY === 200")
    assert page.js("getSelection().toString() + ' ' + document.activeElement.tagName") == "pg SUMMARY"

    # A warning is the first thing to see.
    with open(flag, "w", encoding="ascii"):
        page.wait_text("1 warning.*pg: check switch is down \\(-60\\): .*exists", "#attention")
    wait_row(page, "pg", "priority 40 of 100")
    page.wait("kept.querySelectorAll('.strip .active').length === 1 && /active/.test(kept.querySelector('.strip').getAttribute('aria-label'))")
    innocent(page)

    # Nobody looks: nothing is asked. Somebody looks again: at once.
    page.js("Object.defineProperty(document, 'hidden', {get: () => window.away, configurable: true}); window.away = true")
    page.wait("Date.now() - got > 1400", what="a hidden page pauses")
    page.js("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")
    page.wait("Date.now() - got < 1000")

    db.stop()
    page.wait_text("vrrpd does not answer since \\d\\d:\\d\\d:\\d\\d: it cannot be reached. Shown is what it said at .* ago. Asked again in", "#alert")
    assert page.text("#live").endswith("not answering") and page.js("document.body.className") == "old"
    db = b.vrrpd(text(b, {**pg, "priority": 100}, checks=check), name="again")
    page.wait("document.getElementById('alert').hidden && document.querySelectorAll('#list > li').length === 1", 20)
    wait_row(page, "pg", "^active")


def test_text_stays_text(lab):
    a, store = lab.hosts["a"], lab.hosts["store"]
    consul = Consul([store])
    consul.acquire("leader", EVIL)
    script = f"{lab.dir}/check"
    with open(script, "w", encoding="ascii") as f:
        f.write(f"#!/bin/sh\necho '{EVIL}'\nexit 1\n")
    subprocess.run(["chmod", "755", script], check=True)
    evil = {"kind": "script", "command": [script], "interval": "200ms", "fall": 1}
    led = follower("led", "10.77.1.101", leader={"store": "consul", "endpoints": consul.endpoints, "key": "leader", "value": EVIL + "2"})
    a.vrrpd(text(a, instance(track=({"check": "evil"},)), led, node=EVIL, checks={"evil": evil}))
    page = lab.browser.page(url(a))
    page.wait("document.querySelectorAll('#list > li').length === 2")
    page.js("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    for where in ("#node", "#attention", "#list", "#hosts"):
        page.wait(f"document.querySelector('{where}').innerText.includes({json.dumps(EVIL)})", what=f"the text in {where}")
    wait_row(page, "led", "backup.*held by <img.*the leader is <img")
    assert page.js("typeof hacked === 'undefined' && document.querySelectorAll('img').length === 0 && document.scripts.length === 1")
    assert page.js("document.title").endswith(f"{EVIL} - vrrpd")
    # Even if the page were careless, the browser would not be.
    assert page.js("try { document.body.innerHTML = '<b>x</b>'; 'done' } catch (x) { x.name }") == "TypeError"
    page.console.clear()
    innocent(page)


def test_many_instances_on_any_screen(lab):
    a = lab.hosts["a"]
    many = [instance(f"a-service-with-a-long-name-{n:03}", f"10.77.{2 + n // 100}.{n % 100 + 1}/32", vrid=n + 1) for n in range(254)]
    bad = instance("broken", "fd77:1:2:3:4:5:6:7/128", vrid=255, track=({"check": "gone"},))
    gone = {"gone": {"kind": "file", "path": "/nowhere/" + "x" * 100, "content": "present", "interval": "200ms"}}
    da = a.vrrpd(text(a, *many, bad, checks=gone))
    da.wait_state(many[-1]["name"], "active")
    page = lab.browser.page(url(a) + "#q=with+name-25", 360, 740, dark=True)
    page.wait("document.getElementById('counted').textContent.startsWith('255 instances: 254 active, 0 backup, 1 fault') && "
              "document.querySelectorAll('#list > li:not([hidden])').length === 4", 20)
    assert page.text("#chips").split("\n") == ["all 255", "254 active", "0 backup", "1 fault", "1 to look at"]
    page.wait_text("1 fault.*broken: check gone failed, since .*; gone: /nowhere/x", "#attention")
    page.js("document.querySelector('#attention button').click()")
    assert page.js(f"({row('broken')}).querySelector('details').open && document.activeElement === ({row('broken')}).querySelector('summary')")
    page.js("document.querySelectorAll('#list details').forEach((d, n) => { d.open = d.open || n < 9; })")
    for width in (360, 1000, 1920):
        page.look(width, 740)
        page.wait(f"document.documentElement.scrollWidth <= {width} && innerWidth === {width}", 2, f"no scrolling sideways at {width}")
    page.js("[...document.querySelectorAll('#chips button')].find(b => b.textContent === '1 fault').click()")
    assert page.js("[...document.querySelectorAll('#list > li:not([hidden]) strong')].map(x => x.textContent).join()") == "broken"
    assert page.js("location.hash") == "#show=fault"
    # Milliseconds of a refresh: it happens every other second.
    assert page.js("(() => { const t = performance.now(); draw(); return performance.now() - t; })()") < 400
    innocent(page, url(a))

    plain = lab.browser.page(url(a), script=False)
    plain.wait_text("needs JavaScript.*vrrpctl status.*v1/status")
    assert plain.requests == [url(a)] and da.state("broken") == "fault"


def commanded(doc):
    """A status document with what commands leave behind, as no daemon of this test can be brought to at once."""
    pg = doc["instances"][0]
    pg.update(drained=True, drained_left_s=540.2, takeover=True, takeover_left_s=None, leaving=True, waiting_for="services")
    pg["priority"].update(effective=200)
    pg.update(priority_override=200, priority_override_left_s=59.5)
    pg["services"] = [{"name": "haproxy", "state": "failed", "failures": 3, "last": "exit status 1"}]
    return json.dumps(doc)


def event(seq, from_, to, why):
    return json.dumps({"seq": seq, "time": f"2026-01-02T03:04:{seq:02}.500Z", "instance": "pg", "from": from_, "to": to, "reason": "x",
                       "text": why, "priority": 150, "figures": {}}) + "\n"


def test_overrides_events_and_a_prefix(lab):
    """Behind a proxy's prefix; events come by their numbers, each once."""
    a = lab.hosts["a"]
    da = a.vrrpd(text(a, instance()))
    da.wait_state("pg", "active")
    head, html = fetch(a, url(a))
    policy = re.search("Content-Security-Policy: (.*)", head)[1]
    log = [event(1, "initialize", "backup", "started"), event(2, "backup", "active", "nobody was heard")]

    def answer(request):
        if request.path == "/v1/status":
            return reply(200, commanded(da.status()))
        if request.path == "/v1/events":
            return reply(200, "".join(log[int(request.query.get("since", 0)) :]))
        return reply(200, html, Content_Type="text/html", Content_Security_Policy=policy)

    double = HttpDouble(a, 8000, answer)
    for n, server in enumerate((f"{a.ip4()}:{PORT}", f"{a.ip4()}:8000")):
        daemons.Haproxy(a, PROXY.replace(":80", f":{80 + n}").format(server=server), f"proxy{n}")
    page = lab.browser.page(f"http://{a.ip4()}/vip/one")
    wait_row(page, "pg", "^active.*this node")
    assert page.js("document.querySelector('footer a').pathname") == "/vip/one/v1/status"
    innocent(page, f"http://{a.ip4()}/vip/one")

    page = lab.browser.page(f"http://{a.ip4()}:81/vip/one/")
    wait_row(page, "pg", "leaving: serves.*its services are stopping.*drained by command, 9 min 0 s left.*takeover by command, until undone"
             ".*priority 200 by command, 59 s left.*200.*of 100")
    page.wait_text("1 warning, 3 overrides.*service haproxy is failed, 3 failures: exit status 1", "#attention")
    page.wait("document.querySelectorAll('#events li').length === 2")
    log.append(event(3, "active", "active", "address 10.77.1.100 was put back"))
    page.wait_text("2026-01-02 03:04:03 pg active address 10.77.1.100 was put back", "#events")
    assert page.js("document.querySelectorAll('#events li').length") == 3
    lab.wait_until(lambda: [r.query.get("since") for r in double.asked if r.path == "/v1/events"][-1] == "3", 5, "asked for later ones")
    innocent(page)
