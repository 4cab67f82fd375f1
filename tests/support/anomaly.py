"""anomaly.py - one failure at one place in one phase of vrrpd's life, and the judgement of what became of it.

Used by tests/tools/anomalies.py and tests/netns/test_anomalies.py. fail_nth.c is preloaded into vrrpd's programs on host a
and fails the n-th allocation, system call or answer over netlink of one of them; host b is the other one of the pair, without
failures. A World is two hosts that are used for one iteration after another.

What is defined: the failure was survived, or the process ended with a sentence and was started again, or vrrpd refused to
start or ended with a sentence and its status says so. In each case the addresses in the kernel are in the end those that the
status claims, and stay so. What is not: a hang, a crash by a signal other than abort() with a sentence, processes that end over
and over, an address that nobody claims or one that is claimed and not there, two holders for longer than an address lasts
without its vrrpd and a second, a reload of which a part is in force.
"""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import struct
import time

import lab as labs
import wire
from daemons import conf, instance
from fail_nth import ALLOCATIONS, WHATS, Control, where

VIPS = ("10.77.1.100", "10.77.1.101")
MORE = "10.77.1.110"  # of the instance that a reload adds
LIFETIME_S = 2
PROGRAMS = ("vrrpd", "vrrpd-engine", "vrrpd-agent")
DEADLINE_S = 40.0  # vrrpd itself gives a child that hangs at its start 30 s
IFA_PROTO, OURS = 11, 112
RESTARTS_MAX = 2  # of one program after one failure

# A line of a level above information, or one that did not come through the log at all.
COMPLAINT = re.compile(r"^\S+ \S+ vrrpd\S*: (error|warning): |^(?!\d{4}-\d\d-\d\d )\S")
STARTED = re.compile(r": starting (vrrpd-\w+) again$", re.M)
ENDED = re.compile(r": vrrpd-\w+ (?:was ended by signal|ended with status) \d+")
SIGNALLED = re.compile(r"(vrrpd-\w+) was ended by signal (\d+)")
# What the parent says of the end itself explains nothing.
EPITAPH = re.compile(r"was ended by signal|ended with status|starting vrrpd-\w+ again|no user \"vrrpd\"|no group \"vrrpd\"")


class Kernel:
    """The addresses of one host that carry vrrpd's mark, asked over netlink without another process."""

    def __init__(self, host):
        self.sock = wire.in_netns(
            host.netns, lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        )
        self.sock.settimeout(5)

    def close(self):
        self.sock.close()

    def ours(self):
        """The set of them, as text."""
        self.sock.send(struct.pack("=IHHIIBxxx", 20, 22, 0x301, 1, 0, socket.AF_INET))  # RTM_GETADDR, all
        found = set()
        while True:
            data = self.sock.recv(65536)
            while len(data) >= 16:
                size, kind = struct.unpack_from("=IH", data)
                if kind == 3:  # NLMSG_DONE
                    return found
                attributes, message = {}, data[24:size]
                while len(message) >= 4:
                    length, name = struct.unpack_from("=HH", message)
                    attributes[name] = message[4:length]
                    message = message[(length + 3) & ~3 :]
                if attributes.get(IFA_PROTO) == bytes([OURS]):
                    found.add(socket.inet_ntoa(attributes[2]))
                data = data[(size + 3) & ~3 :]


# Libraries that crash, instead of saying so, where they get no memory (libconfig 1.5, libnl 3.7, libseccomp 2.5, the C
# library's name service); libseccomp may also put a filter in force that permits nothing, not even a last word. That process
# is started again, or vrrpd has ended, and what is held is judged all the same.
CRASHES = re.compile(r"libconfig|config_|libseccomp|seccomp_load|nl_cache_mngr_alloc|__nss_")
MUTES = re.compile(r"libseccomp|seccomp_load")


class Undefined(Exception):
    """The state at the end is none of those that are defined; the text says in which way."""


class NoStatus(Undefined):
    """No answer this time: a request may be the one that fails."""


class World:
    """Two hosts, the failing one (a) and its peer (b)."""

    def __init__(self, lab, linger=0.0):
        self.lab = lab
        self.linger = linger
        self.a, self.b = lab.host("a"), lab.host("b")
        self.kernels = {h.name: Kernel(h) for h in (self.a, self.b)}
        preload = os.path.join(lab.dir, "fail_nth.so")  # where the agent's user can read it
        shutil.copy(os.path.join(labs.build_dir(), "tests", "fail_nth.so"), preload)
        os.chmod(preload, 0o755)
        self.control = Control(os.path.join(lab.dir, "control"))
        self.prefix = ["env", f"LD_PRELOAD={preload}", f"FAIL_NTH={self.control.path}"]
        self.sampler = lab.sampler(VIPS[0], 2000)
        self.number = 0
        self.da = self.db = None
        self.answer = None  # what the request of the phase was answered
        lab.on_close(self.close)

    def close(self):
        self.control.close()
        for kernel in self.kernels.values():
            kernel.close()

    # ---- the two daemons ----

    def text(self, name, priority, more=False):
        one = instance(
            "pg",
            tuple(f"{v}/24" for v in VIPS),
            priority=priority,
            advert_interval="10ms",
            track=({"check": "file", "weight": 5}, {"interface": "lo", "weight": -1}),
        )
        two = instance("web", f"{MORE}/24", vrid=52, priority=priority, advert_interval="10ms")
        return conf(
            *((one, two) if more else (one,)),
            node=name,
            engine={"address_lifetime": f"{LIFETIME_S}s"},
            checks={"file": {"kind": "file", "path": "/nowhere", "interval": "1s"}},
        )

    def start_a(self, priority, wait=True):
        self.number += 1
        self.da = self.a.vrrpd(
            self.text("a", priority), name=f"vrrpd{self.number}", wait=False, prefix=self.prefix
        )
        if wait:
            self.da.wait_ready()

    def start_b(self, priority):
        self.number += 1
        self.db = self.b.vrrpd(self.text("b", priority), name=f"vrrpd{self.number}", wait=False)

    def kill_b(self):
        """Host b is gone, as if its power had failed: its addresses, too."""
        self.db.kill_all()
        self.forget(self.b)

    def forget(self, host):
        for vip in self.kernels[host.name].ours():
            host.ip("addr", "del", vip + "/24", "dev", "eth0", check=False)

    def clear(self):
        """Everything ends, nothing stays."""
        self.control.arm(False)
        for daemon in (self.da, self.db):
            if daemon is None:
                continue
            if daemon.alive():
                daemon.kill_all()
        self.da = self.db = None
        for host in (self.a, self.b):
            deadline = time.monotonic() + 5
            while True:
                left = [p for p in host.pids() if p != self.sampler.pid]
                if not left or time.monotonic() > deadline:
                    break
                for pid in left:
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
            self.forget(host)
        for process in self.lab.processes[:]:
            if process is not self.sampler:
                self.lab.processes.remove(process)
                shutil.rmtree(getattr(process, "dir", process.log_path), ignore_errors=True)
                os.unlink(process.log_path)

    # ---- what is there ----

    def status(self, daemon):
        """The status document, or None."""
        if not daemon.alive():
            return None
        try:
            code, body = daemon.get("/v1/status", timeout=1)
            return json.loads(body) if code == 200 else None
        except (OSError, http.client.HTTPException, ValueError):
            return None

    def claims(self, daemon, status):
        """The addresses that a daemon says it holds; none when it has ended."""
        if daemon is None or not daemon.alive():
            return set()
        return {
            a["address"].split("/")[0] for i in status["instances"] for a in i["addresses"] if a["held"]
        }

    def role(self, status, name="pg"):
        return next((i["state"] for i in status["instances"] if i["name"] == name), None)

    def check_truth(self):
        """The addresses in the kernels are those that are claimed, or Undefined. Returns the status of both."""
        out = {}
        for host, daemon in ((self.a, self.da), (self.b, self.db)):
            status = None
            if daemon is not None and daemon.alive():
                status = self.status(daemon)
                if status is None:
                    raise NoStatus(f"{host.name}: no status")
            claimed, there = self.claims(daemon, status), self.kernels[host.name].ours()
            if claimed != there:
                raise Undefined(f"{host.name}: claims {sorted(claimed)}, the kernel has {sorted(there)}")
            out[host.name] = status
        return out


# ---- the phases --------------------------------------------------------------------------------------------


class Phase:
    """prepare(), then failures begin, act(), then good() until it says nothing against the state."""

    alone = True  # there is no b to take over
    may_end = True  # a's vrrpd may refuse or end with a sentence

    def __init__(self, world):
        self.w = world

    def prepare(self):
        self.w.start_a(150)
        self.wait(self.w.da, "active")

    def wait(self, daemon, state):
        daemon.wait_state("pg", state, 10)

    def act(self):
        raise NotImplementedError

    def good(self, seen):
        """Raises Undefined while the state is not the one that the phase must end in."""
        raise NotImplementedError

    def must_be(self, seen, host, state, name="pg"):
        is_now = self.w.role(seen[host], name) if seen[host] else "ended"
        if is_now != state:
            raise Undefined(f"{host}: {name} is {is_now}, not {state}")


class Start(Phase):
    """vrrpd is started on a host without a peer."""

    def prepare(self):
        pass

    def act(self):
        self.w.start_a(150, wait=False)

    def good(self, seen):
        self.must_be(seen, "a", "active")


class Takeover(Phase):
    """The Active host vanishes."""

    def prepare(self):
        self.w.start_b(150)
        self.w.start_a(100)
        self.wait(self.w.db, "active")
        self.wait(self.w.da, "backup")

    def act(self):
        self.w.kill_b()
        self.w.db = None

    def good(self, seen):
        self.must_be(seen, "a", "active")


class Pair(Phase):
    """a is Active, b stands by."""

    alone = False

    def prepare(self):
        self.w.start_b(100)
        self.w.start_a(150)
        self.wait(self.w.da, "active")
        self.wait(self.w.db, "backup")


class Release(Pair):
    """The Active host is drained. A request that is refused with a sentence may leave all as it was."""

    def act(self):
        self.w.answer = ask(self.w.da, "/v1/instances/pg/drain")

    def good(self, seen):
        if not seen["a"]:
            self.must_be(seen, "b", "active")
            return
        # Not answered, nobody knows whether it is in force: either is defined, half of it is not.
        drained = seen["a"]["instances"][0]["drained"]
        if self.w.answer[0] == 200 and not drained:
            raise Undefined("a: said that pg is drained, and it is not")
        self.must_be(seen, "a", "initialize" if drained else "active")
        self.must_be(seen, "b", "active" if drained else "backup")


class Stop(Pair):
    """The Active host's vrrpd is asked to end."""

    def act(self):
        self.w.da.signal(signal.SIGTERM)

    def good(self, seen):
        if seen["a"]:
            raise Undefined("a: vrrpd still runs")
        self.must_be(seen, "b", "active")


class Reload(Phase):
    """A reload that changes an instance and adds one: all or nothing."""

    def act(self):
        with open(self.w.da.conf_path, "w", encoding="utf-8") as f:
            f.write(self.w.text("a", 160, more=True))
        self.w.answer = ask(self.w.da, "/v1/reload")

    def good(self, seen):
        self.must_be(seen, "a", "active")
        new = seen["a"]["instances"][0]["priority"]["base"] == 160
        if self.w.answer[0] == 200 and not new:
            raise Undefined("a: said that the reload is done, and it is not")
        if [i["name"] for i in seen["a"]["instances"]] != (["pg", "web"] if new else ["pg"]):
            raise Undefined("a: half a reload: " + ", ".join(i["name"] for i in seen["a"]["instances"]))
        if new:
            self.must_be(seen, "a", "active", "web")
        try:
            text = self.w.da.get("/v1/config")[1]
        except (OSError, http.client.HTTPException):
            raise NoStatus("a: no answer to /v1/config") from None
        if ("priority = 160" in text) != new:
            raise Undefined("a: half a reload: /v1/config shows another configuration than the one in force")


class Resume(Pair):
    """The Active host's engine is killed: the next one goes on."""

    def act(self):
        self.w.da.signal_role("engine", signal.SIGKILL)

    def good(self, seen):
        if not seen["a"]:
            self.must_be(seen, "b", "active")
            return
        self.must_be(seen, "a", "active")
        self.must_be(seen, "b", "backup")


class Agent(Phase):
    """The agent is killed: the next one tells the state."""

    def act(self):
        self.w.da.signal_role("agent", signal.SIGKILL)

    def good(self, seen):
        self.must_be(seen, "a", "active")


PHASES = {
    "start": Start,
    "takeover": Takeover,
    "release": Release,
    "stop": Stop,
    "reload": Reload,
    "resume": Resume,
    "agent": Agent,
}


def ask(daemon, path):
    """POST to the status socket: (status code or 0, text)."""
    try:
        return daemon.get(path, "POST", timeout=DEADLINE_S)
    except (OSError, http.client.HTTPException) as e:
        return 0, f"no answer: {e!r}"


# ---- one iteration -----------------------------------------------------------------------------------------


class Outcome:
    """What became of one failure: `kind` names it, `wrong` says what is not defined about it, or is None."""

    def __init__(self, phase, program, what, n, variant):
        self.phase, self.program, self.what, self.n, self.variant = phase, program, what, n, variant
        self.fired = False
        self.count = 0
        self.kind = ""
        self.wrong = None
        self.relapsed = False  # it was as it should be for a while, and then not: a busy machine does that, too
        self.said = []
        self.place = None
        self.log = ""
        self.seconds = 0.0

    def repeat(self):
        return (
            f"PHASE={self.phase} PROGRAM={self.program} WHAT={self.what} FROM={self.n} TO={self.n}"
            + (f" VARIANT={self.variant}" if self.variant else "")
        )


def said_since(text):
    """The lines of a log that explain something."""
    return [line for line in text.splitlines() if COMPLAINT.search(line) and not EPITAPH.search(line)]


def judge_end(daemon, text, lines, in_library, mute=False):
    """How processes ended: the kind, or Undefined."""
    fine = (signal.SIGKILL, signal.SIGABRT) + ((signal.SIGSEGV,) if in_library else ())
    crashed = False
    for program, number in SIGNALLED.findall(text):
        if int(number) not in fine:
            raise Undefined(f"{program} was ended by signal {number}")
        crashed = crashed or int(number) == signal.SIGSEGV
    restarts = {}
    for program in STARTED.findall(text):
        restarts[program] = restarts.get(program, 0) + 1
        if restarts[program] > RESTARTS_MAX + 1:
            raise Undefined(f"{program} was started {restarts[program]} times again")
    if daemon is not None and not daemon.alive():
        status = daemon.popen.returncode
        if status < 0 and -status not in fine:
            raise Undefined(f"vrrpd was ended by signal {-status}")
        if status == -signal.SIGSEGV:
            return "vrrpd crashed in a library"
        if status != 0 and not lines and not mute:
            raise Undefined(f"vrrpd ended with {status} without a word")
        return "vrrpd ended with " + ("a failed assertion" if status < 0 else f"status {status}")
    return ", ".join(f"{p} started again" for p in sorted(restarts)) + (", crashed in a library" if crashed else "")


def settle(world, phase, outcome):
    """Wait until the state is a defined one and stays so; Undefined when that does not come."""
    end = time.monotonic() + DEADLINE_S
    good_since = None
    while True:
        try:
            seen = world.check_truth()
            if outcome.fired and world.da is not None and not world.da.alive():
                if not phase.alone:
                    phase.must_be(seen, "b", "active")
            else:
                phase.good(seen)
            now = time.monotonic()
            if good_since is None:
                good_since = now
                outcome.fired = world.control.fired()
            elif now - good_since >= (0.02 + world.linger if outcome.fired else 0):
                return
        except Undefined as wrong:
            if time.monotonic() > end:
                raise
            settled = good_since is not None and time.monotonic() - good_since > 0.5
            if settled and not isinstance(wrong, NoStatus):
                outcome.relapsed = True
                raise Undefined(f"after it had settled: {wrong}") from None
            good_since = None
            outcome.fired = world.control.fired()
        time.sleep(0.004 if not world.linger else 0.02)


def iterate(world, name, program, what, n, variant=0, only=""):
    """Run one phase with one failure; the Outcome. `n` 0: with none, noting who calls. `only`: see Control.aim()."""
    outcome = Outcome(name, program, what, n, variant)
    started = time.monotonic()
    phase = PHASES[name](world)
    world.answer = None
    world.control.aim(program, what, n, variant, only)
    before = ""
    try:
        phase.prepare()
        if world.da is not None:
            before = world.da.log_text()
        world.sampler.clear()
        world.control.arm(True)
        phase.act()
        settle(world, phase, outcome)
        world.control.arm(False)
        outcome.fired = world.control.fired()
        two = world.sampler.longest_ms(2)
        if two > (LIFETIME_S + 1) * 1000:
            raise Undefined(f"both hosts held {VIPS[0]} for {two:.0f} ms")
        finish(world, outcome, before)
    except Undefined as wrong:
        outcome.wrong = str(wrong)
    finally:
        outcome.fired = world.control.fired()
        outcome.count = world.control.count()
        if outcome.fired:
            outcome.place = world.control.place()
        if world.da is not None:
            outcome.log = world.da.log_text()
        world.clear()
        outcome.seconds = time.monotonic() - started
    return outcome


def log_of_ends(daemon, before):
    """What was logged since, when it tells an end for each process that was started again: that may come after the start."""
    end = time.monotonic() + 5
    while True:
        text = daemon.log_text()[len(before) :]
        if len(ENDED.findall(text)) >= len(STARTED.findall(text)) or time.monotonic() > end:
            return text
        time.sleep(0.02)


def finish(world, outcome, before):
    """Name what became of it."""
    text = log_of_ends(world.da, before)
    outcome.fired = outcome.fired or world.control.fired()  # at the last moment, before it was disarmed
    outcome.said = said_since(text)
    answered = world.answer is not None and world.answer[0] != 200
    if answered:
        outcome.said.append(f"answer {world.answer[0]}: {world.answer[1].strip()}")
    place = world.control.place()
    in_library = place[0] in ALLOCATIONS and any(CRASHES.search(f"{m} {s}") for m, s, _ in place[3][:10])
    mute = in_library and any(MUTES.search(f"{m} {s}") for m, s, _ in place[3][:10])
    kind = judge_end(world.da, text, outcome.said, in_library, mute)
    if outcome.phase in ("resume", "agent") and kind.startswith("vrrpd-"):
        own = "vrrpd-engine" if outcome.phase == "resume" else "vrrpd-agent"
        again = [p for p in STARTED.findall(text)]
        again.remove(own)
        crashed = kind.endswith("in a library")
        kind = ", ".join([f"{p} started again" for p in sorted(set(again))] + ["crashed in a library"] * crashed)
    if not outcome.fired:
        outcome.kind = "not reached"
        if "started again" in kind or outcome.said:
            raise Undefined("without any failure: " + "; ".join(outcome.said or [kind]))
        return
    words = "said" if outcome.said else "silent"
    if not kind or (outcome.phase == "stop" and kind.endswith("status 0")):
        kind = "refused" if answered else "survived"
    outcome.kind = f"{kind}, {words}"
    if "again" in kind and not outcome.said and "crashed" not in kind and not mute:
        raise Undefined(f"{kind} without a word")


__all__ = ["World", "PHASES", "PROGRAMS", "WHATS", "Outcome", "iterate", "where", "conf", "instance"]
