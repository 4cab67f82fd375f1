"""reasons.py - what vrrpd says of its changes of state, and whether that can be true.

The vocabulary is read from vrrpd/base/role.h: each sentence of a log or of the API is mapped back to the one reason that
makes such sentences. CAUSES says which changes of state a reason may cause, by RFC 9568 6.4 and vrrpd/elect; a Chain
follows one instance through the log of a daemon and finds what cannot have happened.

Used by the netns tests (reasons_watch.py), and as a program: reasons.py FILE judges a log.
"""

import ipaddress
import itertools
import json
import os
import re
import sys
from typing import NamedTuple, Optional

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STATES = ("initialize", "backup", "active", "fault")
I, B, A, F = STATES

# ---- the vocabulary ----------------------------------------------------------------------------------------------


def vocabulary(path=os.path.join(ROOT, "vrrpd", "base", "role.h")):
    """{label: sentence} of ROLE_REASONS, as C has it."""
    with open(path, encoding="utf-8") as f:
        text = f.read().replace("\\\n", "")
    body = text[text.index("#define ROLE_REASONS(X)") : text.index("enum role_reason {")]
    found = re.findall(r'X\(\s*(\w+),\s*"(\w+)",\s*"([^"]*)"\s*\)', body)
    assert found and len(found) == body.count("X("), f"{path}: ROLE_REASONS is written in another way"
    assert all(name.lower() == label for name, label, _ in found), f"{path}: a label that is not its name"
    return {label: sentence for _, label, sentence in found}


PATTERNS = {
    "addr": r"(?P<addr>[0-9a-fA-F:.]+)",
    "ms": r"(?P<ms>\d+)",
    "a": r"(?P<a>\d+)",
    "b": r"(?P<b>\d+)",
    "errno": r"(?P<errno>\w.*)",
}


def sentence_pattern(sentence):
    """A regular expression for every sentence that role_cause_text() makes of it.

    A name at its beginning ("notify (for all)") or after a colon is words; else it is that of something, without blanks,
    but for the leader that the local Patroni does not name.
    """
    out = ""
    for text, word in re.findall(r"([^{]*)(?:\{(\w+)\})?", sentence):
        out += re.escape(text)
        if word == "name":
            out += r"(?P<name>.{1,31})" if not text or text.endswith(": ") else r"(?P<name>\S{1,31}|another node)"
        elif word:
            out += PATTERNS[word]
    return re.compile(out)


REASONS = vocabulary()
SENTENCES = {label: sentence_pattern(sentence) for label, sentence in REASONS.items()}


def explain(sentence):
    """(label, figures) of a sentence; ValueError unless it is that of exactly one reason."""
    found = [(label, m.groupdict()) for label, p in SENTENCES.items() if (m := p.fullmatch(sentence))]
    if len(found) != 1:
        what = "of no reason in vrrpd/base/role.h" if not found else f"of several reasons, {[label for label, _ in found]}"
        raise ValueError(f'the sentence "{sentence}" is {what}')
    return found[0]


# ---- what a reason may cause --------------------------------------------------------------------------------------

# A node that takes no part in the election: not (any longer) wanted, or unfit. The mode begins anew from there.
OUT = (I, F)


def _pairs(befores, after):
    return {(before, after) for before in befores}


# An engine that goes on from the one before is in initialize until the addresses are confirmed (resume), and so is an
# owner: what calls that off takes it out of initialize, or of fault where an owner was that before. A reason that only
# replaces another one in the same state (the log says "still") is in the list, too, with that state twice.
_UNFIT = _pairs(STATES, F)  # elect_fit.c, whatever the node was doing
_STOP = _pairs(STATES, I)  # elect.c: evaluate()
_TAKE = {(B, A)}  # vrrp_fsm.c: takeover_cause(); elect_follow.c: decide()
_YIELD = {(A, B), (I, B)}  # vrrp_fsm.c: advert_in_active(), advert_in_resume()
_NEWS = _pairs(STATES, B)  # elect_follow.c: it starts with what is known, gives up by it, and retells it
_ENTER = {(I, F), (B, F), (F, F)}  # elect_ask.c, on_acquired(): what failed on the way to Active

CAUSES = {
    "start_delay": {(I, I), (F, I)},
    "started": _pairs(OUT, B),
    "resumed": {(I, A)},
    "takeover": _TAKE,
    "owner": _pairs(OUT, A),
    "no_adverts": _TAKE,
    "nobody_heard": _TAKE,
    "active_left": _TAKE,
    "preempt": _TAKE,
    "higher_priority": _YIELD,
    "higher_address": _YIELD,
    "slept": _pairs(STATES, B),  # Active steps back; who was on the way to it listens again
    "interface_missing": _UNFIT,
    "interface_down": _UNFIT,
    "no_carrier": _UNFIT,
    "no_source": _UNFIT,
    "tracked_interface": _UNFIT,
    "check_pending": {(I, F), (F, F)},  # what is known of a check is never forgotten by a node that takes part
    "check_failed": _UNFIT,
    "check_stale": _UNFIT,
    "address_failed": _ENTER,
    "address_taken": {(A, F), (F, F)},  # engine_lost() tells it of an Active only
    "send_failed": {(A, F), (F, F)},
    "store_awaited": _NEWS,
    "leader_self": {(B, A), (I, B), (F, B)},  # the second: on its way
    "leader_other": _NEWS | _UNFIT,  # fault: with an arbiter, where another node has the lease
    "leader_none": _NEWS,
    "store_lost": _NEWS,
    "lease_lost": _UNFIT,
    "gate_refused": _ENTER,
    "gate_silent": _ENTER,
    "services_failed": _UNFIT,
    "drained": _STOP,
    "removed": _STOP,
    "crash_loop": _STOP,
    "stopping": _STOP,
}

# Where an instance stands before it has said anything, and what is told of one without a change of its state.
NEVER_CAUSE = {
    "starting",
    "address_healed",
    "address_conflict",
    "connections_reset",
    "service_started",
    "service_stopped",
    "service_trouble",
    "hook_ended",
    "hook_killed",
    "hook_timed_out",
    "hook_not_run",
}
SILENT_MS = 10  # nobody is given up sooner: adverts are 10 ms apart at least
_lives = itertools.count(1)
PEER_NAMED = ("no_adverts", "active_left", "preempt", "higher_priority", "higher_address")


class Change(NamedTuple):
    """A change of state as the log tells it; reason "?" where the sentence is wrong."""

    host: str
    instance: str
    before: str
    after: str
    reason: str
    text: str
    time: str = ""
    life: int = 0  # number of the engine's life

    @property
    def what(self):
        return (self.before, self.after, self.reason)

    def __str__(self):
        return f"{self.instance}@{self.host}: {self.before} -> {self.after} ({self.reason}): {self.text}"


def judge(change, own_addresses=(), peers=()):
    """What is wrong with one change by itself: a sentence, or None. peers: who there is, where that is known."""
    try:
        label, figures = explain(change.text)
    except ValueError as e:
        return str(e)
    if change.before == change.after and label not in CAUSES:
        return f"{label} is no reason to be in a state"
    if (change.before, change.after) not in CAUSES.get(label, ()):
        may = ", ".join(f"{b} -> {a}" for b, a in sorted(CAUSES.get(label, ()))) or "nothing"
        return f"{label} cannot cause this; it may cause {may}"
    if label in PEER_NAMED:
        address = ipaddress.ip_address(figures["addr"])
        if address.is_unspecified or address.is_loopback or address.is_multicast:
            return f"{address} is no host's address"
        if str(address) in own_addresses:
            return f"{address} is this host's own address"
        if peers and str(address) not in peers:
            return f"{address} is no host of the lab"
    if label in ("no_adverts", "nobody_heard") and int(figures["ms"]) < SILENT_MS:
        return f"{figures['ms']} ms are not long enough"
    if label in ("preempt", "higher_priority"):
        ours, theirs = int(figures["a"]), int(figures["b"])
        if not (1 <= ours <= 255 and 1 <= theirs <= 255 and (ours > theirs) == (label == "preempt")):
            return f"priorities {ours} and {theirs}"
    return None


# ---- the log --------------------------------------------------------------------------------------------------------

_HEAD = r"(?:(?P<time>\d{4}-\d\d-\d\d [\d:.]+) vrrpd: |<\d>)?(?:warning: )?"
_STATE = "|".join(STATES)
LINE = re.compile(
    _HEAD + rf"(?P<name>\S+): (?:(?P<before>{_STATE}) -> (?P<after>{_STATE})|still (?P<still>{_STATE})): (?P<text>.*)"
)
ALMOST = re.compile(_HEAD + rf"\S+: (?:(?:{_STATE}) -> |\S* -> (?:{_STATE})\b|still (?:{_STATE})\b)")
# The next engine begins: all of its instances start anew. (That the one before has ended may be told later.)
LIFE = re.compile(_HEAD + r"(?:error: )?(?:vrrpd \S+ on \S+: \d+ instance|starting vrrpd-engine again|restart: cannot execute)")


class Chain:
    """Reads the log of one daemon line by line; `changes` are the changes of state, `wrong` what cannot be."""

    def __init__(self, host, own_addresses=(), peers=lambda: ()):
        self.host = host
        self.own = own_addresses
        self.peers = peers
        self.life = next(_lives)
        self.state = {}  # of each instance, in the present life
        self.changes = []
        self.wrong = []

    def line(self, text):
        if LIFE.match(text):
            self.life = next(_lives)
            self.state = {}
        found = LINE.fullmatch(text)
        if found is None:
            if ALMOST.match(text):
                self.wrong.append(f"{self.host}: not written as a change of state: {text}")
            return
        name, before, after = found["name"], found["before"] or found["still"], found["after"] or found["still"]
        try:
            reason = explain(found["text"])[0]
        except ValueError:
            reason = "?"
        change = Change(self.host, name, before, after, reason, found["text"], found["time"] or "", self.life)
        self._judge(change)
        if before != after:
            self.changes.append(change)
        self.state[name] = after

    def _judge(self, change):
        expected = self.state.get(change.instance, I)
        if change.before != expected:
            self.wrong.append(f"{change}: it was in state {expected} before")
        wrong = judge(change, self.own, self.peers())
        if wrong:
            self.wrong.append(f"{change}: {wrong}")


# ---- events of the API ----------------------------------------------------------------------------------------------


def read_events(body):
    """The events of GET /v1/events, oldest first: NDJSON, or one document {"events": [...]}."""
    lines = [json.loads(line) for line in body.splitlines() if line.strip()]
    if len(lines) == 1 and "events" in lines[0]:
        return lines[0]["events"]
    return lines


def event_wrong(event) -> Optional[str]:
    """What is wrong with one event of the API by itself: its label must be that of its sentence."""
    try:
        label, _ = explain(event["text"])
    except ValueError as e:
        return str(e)
    return None if label == event["reason"] else f"reason {event['reason']}, but the sentence is that of {label}"


def main(paths):
    wrong = 0
    for path in paths:
        chain = Chain(os.path.basename(path))
        with open(path, encoding="utf-8", errors="replace") as f:
            for line in f:
                chain.line(line.rstrip("\n"))
        for text in chain.wrong:
            print(text)
        print(f"{path}: {len(chain.changes)} changes of state, {len(chain.wrong)} wrong")
        wrong += len(chain.wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
