"""reasons_watch.py - sees every change of state of every vrrpd of the netns tests, judges it and compares it. A pytest plugin.

Of each test: the logs of all vrrpd of all labs are read as they grow, so also of those that were killed; what is there at the
end of a fixture or of the test itself belongs to that. reasons.py judges each change; reasons_book.py says what the test
expects. What the API tells of the changes must be what the log says.

VRRPD_REASONS=record (make netns REASONS=record) writes down what the tests that pass do, merged with what is there;
VRRPD_REASONS=anew writes it anew.
"""

import http.client
import os
import time

import pytest

import daemons
import lab as labs
import reasons
import reasons_book

FOLDER = os.environ.get("VRRPD_REASONS_FOLDER") or os.path.join(labs.ROOT, "tests", "netns", "reasons")
SETTLE_S = 3  # the log and the API get a change each by its own way, on a busy machine
HELD_S = 0.3  # between the addresses and the word that they are there
SHOWN = 30  # sentences of what is wrong with a test
COMPARED = 20  # that many changes of an instance, the last ones
HOW = "type: make netns REASONS=record NETNS=\"-k '{}'\", then read the difference in {}"


class Reader:
    """The log of one daemon; several that ran after each other with the same name share one."""

    def __init__(self, process):
        self.process = process
        self.chain = reasons.Chain(process.host.name, process.host.own_addresses(), process.host.lab.speakers)
        self.offset = 0
        self.told = 0
        self.known = set()  # events of the API that were looked at
        self.taken = self.blamed = 0

    def read(self):
        if not self.process.logs_changes:
            return
        try:
            with open(self.process.log_path, "rb") as f:
                f.seek(self.offset)
                text = f.read()
        except FileNotFoundError:
            return
        text = text[: text.rfind(b"\n") + 1]
        self.offset += len(text)
        if b" -> " in text or b": still " in text or b"vrrpd" in text:
            for line in text.decode("utf-8", "replace").splitlines():
                self.chain.line(line)

    def hear(self, events):
        """What the API tells of a daemon whose log does not: its log level is above that of information."""
        for e in events[self.told :]:
            self.chain.line(f"{e['instance']}: {e['from']} -> {e['to']}: {e['text']}")
        self.told = len(events)

    def events_wrong(self, events):
        out = []
        for e in events:
            key = tuple(e.get(k) for k in ("time", "instance", "reason", "text"))
            if key not in self.known:
                self.known.add(key)
                out += [f"event {e}: {wrong}" for wrong in [reasons.event_wrong(e)] if wrong]
        return out

    def take(self):
        """(changes, what is wrong) since the last time."""
        self.read()
        changes, wrong = self.chain.changes[self.taken :], self.chain.wrong[self.blamed :]
        self.taken, self.blamed = len(self.chain.changes), len(self.chain.wrong)
        return changes, wrong


def answers(process):
    """May a daemon be asked? Not one that has ended or is frozen."""
    if not process.alive() or not os.path.exists(process.socket_path):
        return False
    for pid in process.processes().values():
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
                if f.read().rpartition(")")[2].split()[0] in "TtZ":
                    return False
        except OSError:
            return False
    return True


def api_events(process):
    """The events of a daemon, or None when it does not answer."""
    try:
        code, body = process.get("/v1/events", timeout=2)
    except (OSError, http.client.HTTPException):
        return None
    return reasons.read_events(body) if code == 200 else None


def on_its_way(process):
    """Does an instance hold its addresses and has not said yet that it is Active? What waits for addresses comes earlier."""
    status = process.try_status() or {"instances": ()}
    return any(
        one["state"] != "active" and not one["leaving"] and any(a["held"] for a in one["addresses"])
        for one in status["instances"]
    )


def events_differ(chain, events):
    """How the changes that the API tells differ from those in the log: sentences.

    It may know fewer: an agent that was started again begins with none, and what an engine has told it may be lost when
    that is killed.
    """
    told, logged, out = {}, {}, []
    for e in events:
        if e["from"] != e["to"]:
            told.setdefault(e["instance"], []).append((e["from"], e["to"], e["text"]))
    for c in chain.changes:
        logged.setdefault(c.instance, []).append(c)
    for name, api in told.items():
        log = [(c.before, c.after, c.text) for c in logged.get(name, ())]
        present = [c for c in logged.get(name, ()) if c.life == chain.life]
        n = min(COMPARED, len(api), len(present))
        rest = iter(log[: len(log) - n])
        if api[len(api) - n :] != log[len(log) - n :] or not all(one in rest for one in api[: len(api) - n]):
            out.append(f"{name}@{chain.host}: the API tells {api[-COMPARED:]}\n    the log {log[-COMPARED:]}")
    return out


class Watch:
    """The changes that were seen, by whom they belong to; and what is wrong with them."""

    def __init__(self):
        self.readers = {}  # by the path of the log
        self.wrong = []
        self.test = []
        self.fixtures = {}
        self.between = []
        self.fixture = None  # one of more than a test that is being set up
        self.calling = False  # the test itself runs
        self.fixtures_used = ()  # names of all that it uses
        self.closing = False
        self.parts = {}  # of hosts, in the test that has just ended
        labs.BEFORE_CLOSE.append(self.before_close)
        labs.BEFORE_STOP.append(self.before_stop)

    def _readers(self, lab):
        for process in lab.processes:
            if isinstance(process, daemons.Vrrpd):
                yield self.readers.setdefault(process.log_path, Reader(process)), process

    def take(self, lab):
        """What the logs of a lab have more; give it to whom it belongs."""
        found = []
        for reader in {id(r): r for r, _ in self._readers(lab)}.values():
            changes, wrong = reader.take()
            found += changes
            self.wrong += wrong
        found.sort(key=lambda c: c.time)
        mine = self.calling and (lab.owner is None or lab.owner in self.fixtures_used)
        if mine and lab.parts:
            found = [c._replace(host=lab.parts.get(c.host, c.host)) for c in found]
            self.parts = lab.parts
        fixture = self.fixture or lab.fixture
        if fixture is not None:
            self.fixtures.setdefault(fixture, []).extend(found)
        elif lab.shared and not mine:
            self.between += [c._replace(host="any") for c in found] if lab.parts else found
        elif not self.closing:
            self.test += found

    def take_all(self):
        for lab in labs.OPEN:
            self.take(lab)

    def settle(self, lab):
        """Wait until the log of each daemon that runs says what its API says, and nobody is about to say more."""
        end = time.monotonic() + SETTLE_S
        last = {p.log_path: (r, p) for r, p in self._readers(lab)}
        for reader, process in last.values():
            soon = time.monotonic() + HELD_S
            while True:
                asked = answers(process)
                waits = asked and time.monotonic() < soon and on_its_way(process)
                events = api_events(process) if asked else None
                reader.read()
                if events and not process.logs_changes:
                    reader.hear([e for e in events if e["from"] != e["to"]])
                differ = events_differ(reader.chain, events) if events is not None else []
                if not waits and (not differ or time.monotonic() >= end):
                    break
                time.sleep(0.01)
            self.wrong += [f"log and API differ: {text}" for text in differ]
            self.wrong += [f"{process.host.name}: {text}" for text in reader.events_wrong(events or ())]

    def before_close(self, lab):
        if self.calling:
            self.settle(lab)
        self.take(lab)
        self.readers = {p: r for p, r in self.readers.items() if r.process.host.lab is not lab}

    def before_stop(self, process):
        if not process.logs_changes:  # the last moment to hear of them
            self.settle(process.host.lab)

    def taken(self):
        """What is wrong since the last time."""
        wrong, self.wrong = self.wrong, []
        return wrong


    def take_logs(self, folder):
        """What a program did that the test ran, with VRRPD_LOGS=folder in its environment (lab.py)."""
        for name in sorted(os.listdir(folder)):
            chain = reasons.Chain(name.split(".")[0])
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as f:
                for line in f:
                    chain.line(line.rstrip("\n"))
            self.test += chain.changes
            self.wrong += chain.wrong


class Plugin:
    """The hooks of pytest."""

    def __init__(self):
        self.watch = Watch()
        self.mode = os.environ.get("VRRPD_REASONS", "")
        if self.mode not in ("", "record", "anew"):
            raise pytest.UsageError("VRRPD_REASONS is record or anew")
        self.verdict = ""  # what is wrong with the phase of a test that has just ended
        self.folders = []  # of logs of other programs
        self.books = {}
        self.failed = set()  # test files
        self.anew = set()  # what was written anew in this run: later recordings of the run are merged

    def book(self, item):
        path = os.path.join(FOLDER, item.path.stem + ".txt")
        if path not in self.books:
            self.books[path] = reasons_book.Book(path)
        return self.books[path]

    @pytest.fixture
    def watch_logs(self, tmp_path):
        """A folder for the logs of a program that makes a lab of its own, for VRRPD_LOGS; they are read after the test."""
        folder = tmp_path / "logs"
        folder.mkdir(mode=0o755)
        self.folders.append(str(folder))
        return str(folder)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(self, fixturedef):
        if fixturedef.scope == "function":
            yield
            return
        watch, before, outer = self.watch, list(labs.OPEN), self.watch.fixture
        watch.take_all()
        watch.fixture = fixturedef.argname
        yield
        for lab in labs.OPEN:
            if lab not in before:
                lab.shared = True
                lab.owner = lab.fixture = fixturedef.argname
                watch.settle(lab)
        watch.take_all()
        watch.fixture = outer

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_setup(self):
        self.watch.take_all()
        yield
        for lab in labs.OPEN:
            if lab.shared:
                self.watch.settle(lab)
        self.watch.take_all()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item):
        watch = self.watch
        watch.calling = True
        watch.fixtures_used = item.fixturenames
        for lab in labs.OPEN:
            lab.fixture = None
        outcome = yield
        try:
            if outcome.excinfo is None:
                for lab in labs.OPEN:
                    watch.settle(lab)
            watch.take_all()
            while self.folders:
                watch.take_logs(self.folders.pop())
        finally:
            watch.calling = False
        changes, watch.test = watch.test, []
        if outcome.excinfo is None:
            self.verdict = self.judged(item, item.name, changes)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_teardown(self, item):
        self.watch.closing = True
        outcome = yield
        self.watch.take_all()
        self.watch.closing = False
        self.watch.test = []
        if outcome.excinfo is None:
            self.verdict = self.judged(item, None, [])

    @pytest.hookimpl(hookwrapper=True, trylast=True)  # before others look at what became of the test
    def pytest_runtest_makereport(self, item):
        report = (yield).get_result()
        verdict, self.verdict = self.verdict, ""
        if verdict and report.passed:
            report.outcome, report.longrepr = "failed", verdict
        if report.failed:
            self.failed.add(item.path)

    def judged(self, item, name, changes):
        """Judge and compare what the test did, and what fixtures did before it; what is wrong as one text."""
        out = [f"{item.name}: cannot be: {w}" for w in self.watch.taken()]
        parts = [(f"fixture {f}", c, True) for f, c in self.watch.fixtures.items()]
        if self.watch.between and item.path not in self.failed:  # what a failed test has left comes to order here
            parts.append((reasons_book.SHARED, self.watch.between, False))
        if name:
            parts.append((name, changes, True))
        self.watch.fixtures, self.watch.between = {}, []
        parts_of_hosts, self.watch.parts = self.watch.parts, {}
        for section, seen, ordered in parts:
            if not (self.mode and out):  # what cannot be is not recorded
                out += self.compared(item, section, seen, ordered)
        if len(out) > SHOWN:
            out[SHOWN:] = [f"... and {len(out) - SHOWN} more"]
        if out and parts_of_hosts:
            out.append("here " + ", ".join(f"{part} is {host}" for host, part in parts_of_hosts.items()))
        return "\n".join(out)

    def compared(self, item, name, changes, ordered):
        book = self.book(item)
        section = book.sections.get(name)
        if self.mode:
            if changes or section:
                first = self.mode == "anew" and (book.path, name) not in self.anew
                self.anew.add((book.path, name))
                book.record(name, reasons_book.Section.recorded(changes, ordered), first)
                book.write()
            return []
        if section is None and changes:
            how = HOW.format(item.originalname if hasattr(item, "originalname") else item.name, book.path)
            listed = "\n".join(f"    {c}" for c in changes[:SHOWN])
            return [f"{item.name}: [{name}] is not in {book.path}; {how}\n{listed}"]
        where = item.name if name == item.name else f"{item.name}: [{name}]"
        return [f"{where}: {text}" for text in section.compare(changes)] if section else []
