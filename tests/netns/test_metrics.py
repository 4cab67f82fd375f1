"""test_metrics.py - GET /metrics of real daemons in all modes; alert rules and dashboard, by promtool and a real Prometheus."""

import http.client
import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse

import pytest

import etcd
import lab as labs
import wire
from daemons import Process, conf, instance
from stores import following

PACKAGING = os.path.join(labs.ROOT, "packaging")
RULES = os.path.join(PACKAGING, "prometheus", "vrrpd.rules.yml")
RULES_TEST = os.path.join(PACKAGING, "prometheus", "vrrpd.rules.test.yml")
SCRAPE = os.path.join(PACKAGING, "prometheus", "scrape.yml")
DASHBOARD = os.path.join(PACKAGING, "grafana", "vrrpd.json")
ODD = 'pröxy "1"\\'  # a node may be named so,
ODD_IF = 'é"1\\'  # and an interface
PORT = 9650
pytestmark = pytest.mark.skipif(
    not (shutil.which("apt-get") or (shutil.which("prometheus") and shutil.which("promtool") and shutil.which("etcd"))),
    reason="prometheus or etcd is not packaged here",
)
SAMPLE = re.compile(r'^([a-zA-Z_:]\w*)(\{(?:\w+="(?:[^"\\\n]|\\["\\n])*",?)*\})? (\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


# ---- the hosts -----------------------------------------------------------------------------------------------


def a_conf(store):
    """Every mode, every kind of thing that has metrics."""
    lease = {"store": "etcd3", "endpoints": [store], "ttl": "5s"}
    true = ["/bin/true"]
    return conf(
        instance(
            "pg", priority=150, track=({"check": "good"}, {"check": "bad", "weight": -5}, {"interface": ODD_IF, "weight": 5}),
            notify=true, notify_active=["/bin/false"], gate=true,
            services=({"name": "app", "start": true, "stop": true, "status": true},),
        ),
        instance("app", "10.77.1.101/24", vrid=52, priority=150, arbiter={**lease, "key": "/vrrpd/app"}),
        following("svc", "10.77.1.102", mode="lease", lease={**lease, "key": "/vrrpd/svc"}),
        following("lead", "10.77.1.103", mode="follow", leader={"store": "etcd3", "endpoints": [store], "key": "/lead"}),
        node=ODD,
        checks={
            "good": {"kind": "script", "command": true, "interval": "100ms"},
            "bad": {"kind": "script", "command": ["/bin/false"], "interval": "100ms"},
            "slow": {"kind": "script", "command": ["/bin/sleep", "9"], "interval": "200ms", "timeout": "100ms"},
            "graded": {"kind": "script", "command": ["/bin/echo", "50"], "score": "output", "scale": -10},
        },
        control={"listen": f"10.77.1.1:{PORT}"},
    )


def b_conf():
    """A Backup of a's pg, and a store that is not there."""
    leader = {"store": "etcd3", "endpoints": ["http://127.0.0.1:1"], "key": "/lead"}
    return conf(instance("pg", priority=100), following("lead", "10.77.1.103", mode="follow", leader=leader), node="b",
                control={"listen": f"10.77.1.2:{PORT}"})


class Site:
    def __init__(self, lab):
        self.lab = lab
        a, b, watcher = lab.host("a"), lab.host("b"), lab.host("w")
        a.run(["ip", "link", "add", ODD_IF, "type", "veth", "peer", "name", "other"])
        store = etcd.Single(a, 2379)
        lab.wait_until(lambda: store.ctl("put", "/lead", ODD, check=False).returncode == 0, 10, "etcd answers")
        self.a = a.vrrpd(a_conf(store.endpoint), wait=False)
        self.b = b.vrrpd(b_conf())
        for name in ("pg", "app", "svc", "lead"):
            self.a.wait_state(name, "active", 10)
        self.b.wait_state("pg", "backup")
        self.prometheus = Prometheus(watcher)  # it takes five seconds to look at its targets


@pytest.fixture(scope="module")
def site():
    with labs.Lab() as lab:
        yield Site(lab)
        assert not lab.complaints(), lab.logs()


def samples(text):
    """{(name, labels): value} of a scrape; every line must be a comment or a sample, none twice."""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        match = SAMPLE.match(line)
        assert match, line
        key = match[1], tuple(sorted(LABEL.findall(match[2] or "")))
        assert key not in found, line
        found[key] = float(match[3])
    return found


def families(text):
    return dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M))


def metrics(d):
    code, text = d.get("/metrics")
    assert code == 200, text
    return text


def known(d):
    """Names that samples may have."""
    found = families(metrics(d))
    parts = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count")}
    return {name + part for name, kind in found.items() for part in parts.get(kind, ("",))}


def one(d, metric, **labels):
    """The value of the only sample of this name with these labels (and perhaps others), or None."""
    values = [v for (n, have), v in samples(metrics(d)).items() if n == metric and set(labels.items()) <= set(have)]
    assert len(values) < 2, (metric, labels)
    return values[0] if values else None


def promtool(*args, stdin=None):
    done = subprocess.run(["promtool", *args], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=60, check=False)
    return done.returncode, done.stdout


# ---- what is told ------------------------------------------------------------------------------------------------


def test_promtool_has_nothing_to_say(site):
    """All modes and odd names; a node with little; one with nothing."""
    lone = site.lab.host("lone").vrrpd(conf(instance(interface="eth0")))
    for d in (site.a, site.b, lone):
        text = metrics(d)
        assert promtool("check", "metrics", stdin=text) == (0, ""), text
        samples(text)
        for name, kind in families(text).items():
            assert name.endswith("_total") == (kind == "counter"), name
            assert text.count(f"# HELP {name} ") == 1
    assert 'node="pröxy \\"1\\"\\\\"' in metrics(site.a)
    assert one(site.a, "vrrpd_track_up", kind="interface", name='é\\"1\\\\') == 0


def test_every_family_has_a_sample(site):
    """On the two hosts together there is something of everything: nothing is named and never told."""
    site.lab.wait_until(lambda: one(site.a, "vrrpd_check_runs_total", check="slow", result="timeout") > 0, 5, "a time-out")
    texts = [metrics(site.a), metrics(site.b)]
    told = {name for text in texts for name, _ in samples(text)}
    told |= {re.sub("_(bucket|sum|count)$", "", name) for name in told}
    assert set(families(texts[0])) <= told


def test_what_they_say(site):
    """The same as the status."""
    status = site.a.instance("pg")
    assert one(site.a, "vrrpd_instance_state", instance="pg", state="active") == 1
    assert one(site.a, "vrrpd_instance_reason", instance="pg", reason=status["reason_code"]) == 1
    assert one(site.a, "vrrpd_instance_priority", instance="pg") == status["priority"]["effective"] == 145
    assert one(site.a, "vrrpd_instance_base_priority", instance="pg") == 150
    assert abs(one(site.a, "vrrpd_instance_state_age_seconds", instance="pg") - status["since_s"]) < 5
    assert one(site.a, "vrrpd_addresses_held", instance="pg") == one(site.a, "vrrpd_addresses_configured", instance="pg") == 1
    assert one(site.b, "vrrpd_addresses_held", instance="pg") == 0
    assert one(site.b, "vrrpd_instance_active_heard", instance="pg") == 1
    assert one(site.b, "vrrpd_peer_priority", instance="pg", peer="10.77.1.1") == 145
    assert one(site.b, "vrrpd_peer_last_heard_seconds", instance="pg", peer="10.77.1.1") < 1
    for name, mode, lease in (("app", "vrrp", 5), ("svc", "lease", 5), ("lead", "follow", None)):
        assert one(site.a, "vrrpd_instance_info", instance=name, mode=mode) == 1
        assert one(site.a, "vrrpd_store_reachable", instance=name, store="etcd3") == 1
        assert one(site.a, "vrrpd_store_fact", instance=name, fact="self") == 1
        assert one(site.a, "vrrpd_lease_ttl_seconds", instance=name) == lease
        assert one(site.a, "vrrpd_store_latency_seconds_count", instance=name) > 0
        assert lease is None or 0 < one(site.a, "vrrpd_lease_left_seconds", instance=name) <= lease
    site.lab.wait_until(lambda: one(site.b, "vrrpd_store_failures_total", instance="lead") > 0, 5, "it was asked")
    assert one(site.b, "vrrpd_store_reachable", instance="lead") == 0
    assert one(site.b, "vrrpd_store_warning", instance="lead") == 1
    for check, result in (("good", "up"), ("bad", "down"), ("slow", "timeout")):
        site.lab.wait_until(lambda c=check, r=result: one(site.a, "vrrpd_check_runs_total", check=c, result=r) > 0, 5, check)
        state = "up" if check == "good" else "down"
        assert one(site.a, "vrrpd_check_state", check=check, state=state) == 1
    assert one(site.a, "vrrpd_check_score", check="graded") == 50
    for hook, result in (("notify", "failed"), ("notify", "ok"), ("gate", "ok"), ("service_start", "not_run")):
        n = one(site.a, "vrrpd_hook_runs_total", instance="pg", hook=hook, result=result)
        assert n == 0 if hook == "service_start" else n >= 1, (hook, result)
    assert one(site.a, "vrrpd_service_running", instance="pg", service="app") == 1
    assert one(site.a, "vrrpd_hook_runs_total", instance="svc", hook="notify", result="ok") is None


def counters(d):
    """The counters of a scrape with their labels: those that must not go back."""
    text = metrics(d)
    kinds = families(text)
    return {k: v for k, v in samples(text).items()
            if kinds.get(re.sub("_(bucket|sum|count)$", "", k[0]), kinds.get(k[0])) in ("counter", "histogram", "summary")}


def grew(before, after, but=()):
    """Nothing went back, or away."""
    back = {k: (v, after.get(k)) for k, v in before.items() if k[0] not in but and after.get(k, -1) < v}
    assert not back, back


def test_counters_never_go_back(site):
    """Over reloads that change every check; when the agent dies, all that are not the agent's own; when the engine does, the
    agent's."""
    d, seen = site.a, counters(site.a)
    before = read(d.conf_path)
    changed = before.replace("100ms", "90ms").replace("priority = 150", "priority = 151")
    for text in (changed, before):
        with open(d.conf_path, "w", encoding="utf-8") as f:
            f.write(text)
        assert d.ctl("reload").returncode == 0
        now = counters(d)
        grew(seen, now)
        seen = now
    assert one(d, "vrrpd_config_generation") == 3

    d.signal_role("agent", signal.SIGKILL)
    site.lab.wait_until(lambda: d.try_status() and one(d, "vrrpd_agent_restarts_total") == 1, 10, "another agent")
    agents = ("vrrpd_agent_cpu", "vrrpd_check_", "vrrpd_hook_", "vrrpd_state_changes", "vrrpd_store_", "vrrpd_transitions")
    grew(seen, counters(d), [k[0] for k in seen if k[0].startswith(agents)])
    seen = counters(d)

    d.signal_role("engine", signal.SIGKILL)
    site.lab.wait_until(lambda: d.try_status() and one(d, "vrrpd_engine_restarts_total") == 1, 10, "another engine")
    mine = agents + ("vrrpd_became_active", "vrrpd_agent_restarts")
    grew({k: v for k, v in seen.items() if k[0].startswith(mine)}, counters(d))


# ---- the rules ---------------------------------------------------------------------------------------------------


def alerts():
    return re.findall(r"^ *- alert: (\w+)$", read(RULES), re.M)


def exprs_of_rules():
    """The expressions of the rules, as a YAML reader would see them."""
    found = re.findall(r"^ +expr: (?:\|\n((?: {10}.*\n)+)|(.*)\n)", read(RULES), re.M)
    assert len(found) == len(alerts())
    return [block or line for block, line in found]


def names_in(expr):
    """Names of metrics in an expression."""
    return set(re.findall(r"\bvrrpd_\w+", expr))


def test_rules(site):
    """promtool runs their unit tests, and each alert is in there: firing, and not firing. Each is about metrics that exist."""
    status, text = promtool("check", "rules", RULES)
    assert status == 0 and f"{len(alerts())} rules found" in text, text
    status, text = promtool("test", "rules", RULES_TEST)
    assert status == 0, text
    tested = read(RULES_TEST)
    for alert in alerts():
        assert f'alertname="{alert}"' in tested, f"no test lets {alert} fire"
    for expr in exprs_of_rules():
        assert names_in(expr) <= known(site.a), names_in(expr) - known(site.a)
    for text in re.findall(r"^ +description: '(.*)'$", read(RULES), re.M):
        assert "vrrpctl " in text, f"says not what to type: {text}"


# ---- the dashboard -----------------------------------------------------------------------------------------------


def dashboard():
    return json.loads(read(DASHBOARD))


def dashboard_exprs():
    """(title, expression) of all panels and annotations, variables filled in."""
    values = {"$__rate_interval": "4s", "$__range": "1m", "$node": ".+", "$instance": ".+"}
    board = dashboard()
    found = [(p["title"], t["expr"]) for p in board["panels"] for t in p.get("targets", ())]
    found += [(a["name"], a["expr"]) for a in board["annotations"]["list"] if "expr" in a]
    for variable, value in values.items():
        found = [(title, expr.replace(variable, value)) for title, expr in found]
    assert not [e for _, e in found if "$" in e]
    return found


def test_dashboard(site, tmp_path):
    """As far as it goes without a Grafana: its form, its expressions by promtool, its metrics."""
    board = dashboard()
    panels = board["panels"]
    assert len({p["id"] for p in panels}) == len(panels)
    for p in panels:
        g = p["gridPos"]
        assert g["w"] > 0 and g["h"] > 0 and g["x"] >= 0 and g["x"] + g["w"] <= 24, p["title"]
    for p, q in itertools.combinations(panels, 2):
        p, q = p["gridPos"], q["gridPos"]
        assert (p["x"] + p["w"] <= q["x"] or q["x"] + q["w"] <= p["x"] or p["y"] + p["h"] <= q["y"] or
                q["y"] + q["h"] <= p["y"]), (p, q)
    for p in panels:
        refs = [t["refId"] for t in p.get("targets", ())]
        assert len(set(refs)) == len(refs) and all(refs) and (refs or p["type"] == "row"), p["title"]
        sources = [x["datasource"]["uid"] for x in [p, *p.get("targets", ())] if p["type"] != "row"]
        assert set(sources) <= {"${datasource}"}, p["title"]
    variables = {v["name"]: v for v in board["templating"]["list"]}
    assert list(variables) == ["datasource", "node", "instance"] and variables["datasource"]["query"] == "prometheus"
    used = set(re.findall(r"\$\{?(\w+)", json.dumps([panels, board["annotations"]])))
    assert used <= set(variables) | {"__rate_interval", "__range"}
    rules = [{"record": f"x:{n}", "expr": expr} for n, (_, expr) in enumerate(dashboard_exprs())]
    path = tmp_path / "exprs.yml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}), encoding="utf-8")
    status, text = promtool("check", "rules", str(path))
    assert status == 0 and f"{len(rules)} rules found" in text, text
    names = names_in(" ".join([v.get("definition", "") for v in variables.values()] + [e for _, e in dashboard_exprs()]))
    assert names <= known(site.a), names - known(site.a)


def test_installed(tmp_path):
    """make install brings rules, scrape configuration and dashboard."""
    subprocess.run(["make", "-s", "install", f"BUILD={labs.build_dir()}", f"DESTDIR={tmp_path}"], cwd=labs.ROOT, check=True,
                   stdout=subprocess.DEVNULL)
    share = tmp_path / "usr" / "local" / "share" / "vrrpd"
    for source in (RULES, SCRAPE, DASHBOARD):
        path = share / os.path.relpath(source, PACKAGING)
        assert path.read_text(encoding="utf-8") == read(source) and path.stat().st_mode & 0o777 == 0o644


# ---- a real Prometheus ---------------------------------------------------------------------------------------------


class Prometheus(Process):
    """The distribution's Prometheus with our scrape.yml, every half a second, and our rules."""

    def __init__(self, host):
        folder = os.path.join(host.dir, "prometheus")
        os.makedirs(folder)
        shutil.copy(RULES, folder)
        text = read(SCRAPE)
        for old, new in (
            ("/etc/prometheus/rules/", ""),
            ("scrape_interval: 5s", "scrape_interval: 500ms"),
            ('"10.0.0.1:9650", "10.0.0.2:9650"', f'"10.77.1.1:{PORT}", "10.77.1.2:{PORT}"'),
        ):
            assert text.count(old) == 1
            text = text.replace(old, new)
        path = os.path.join(folder, "prometheus.yml")
        with open(path, "w", encoding="utf-8") as f:
            f.write("global: { evaluation_interval: 500ms }\n" + text)
        assert promtool("check", "config", path)[0] == 0
        super().__init__(host, "prometheus", ["prometheus", f"--config.file={path}", f"--storage.tsdb.path={folder}/data",
                                              "--web.listen-address=127.0.0.1:9090", "--log.level=warn"], "prometheus.log")

    def ask(self, path, **query):
        """The data of an answer of its API."""
        connection = http.client.HTTPConnection("127.0.0.1", 9090)
        connection.sock = wire.in_netns(self.host.netns, lambda: socket.create_connection(("127.0.0.1", 9090), 5))
        try:
            connection.request("GET", f"/api/v1/{path}?{urllib.parse.urlencode(query)}")
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        assert answer["status"] == "success", answer
        return answer["data"]

    def try_ask(self, path, **query):
        try:
            return self.ask(path, **query)
        except (OSError, ValueError, http.client.HTTPException):
            return {"result": []}

    def query(self, expr):
        return self.try_ask("query", query=expr)["result"]


def test_a_real_prometheus(site):
    """It scrapes both hosts and evaluates the dashboard and the rules without an error; a restarted engine is told."""
    p = site.prometheus
    wait = site.lab.wait_until
    wait(lambda: len(p.query('count_over_time(up{job="vrrpd"}[1m]) > 4 and up == 1')) == 2, 15, "it has read both")
    engine = one(site.b, "vrrpd_engine_restarts_total")
    site.b.signal_role("engine", signal.SIGKILL)
    wait(lambda: site.b.try_status() and one(site.b, "vrrpd_engine_restarts_total") > engine, 10, "another engine")
    name = "VrrpdEngineRestarted"
    told = wait(lambda: [a for a in p.ask("alerts")["alerts"] if a["labels"]["alertname"] == name], 10, "the alert fires")
    assert told[0]["state"] == "firing" and told[0]["labels"]["instance"] == f"10.77.1.2:{PORT}"
    assert told[0]["annotations"]["summary"] == f"vrrpd-engine on 10.77.1.2:{PORT} ended unexpectedly"

    now = time.time()
    for title, expr in dashboard_exprs():
        p.ask("query_range", query=expr, start=now - 10, end=now, step=1)
        if " > 0" in expr or "offset" in expr:
            continue  # may be empty
        found = p.ask("query", query=expr)["result"]
        assert found, f"{title}: nothing found by {expr}"
    for group in p.ask("rules")["groups"]:
        for rule in group["rules"]:
            assert rule["health"] == "ok", rule
    for alert in p.ask("alerts")["alerts"]:
        assert "<error" not in json.dumps(alert) and "<no value>" not in json.dumps(alert), alert
    labels = {one["metric"]["exported_instance"] for one in p.query('vrrpd_instance_state{state="active"} == 1')}
    assert labels == {"pg", "app", "svc", "lead"}
