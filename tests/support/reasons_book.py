"""reasons_book.py - which changes of state each netns test expects: the files tests/netns/reasons/<test file>.txt.

A section for each test, [test_name[parameters]]; what a fixture that several tests share does, until the first of them
begins, is in [fixture NAME], and what is still on its way from one test to the next in [between tests]. Its lines, each for some instances on some hosts:

    pg@a: initialize, backup (started), active (nobody_heard)      exactly that, in this order
    pg@a: initialize, backup (store_awaited|leader_other)          one reason or the other
    i{0..254}@a,b: initialize, backup (started)                    the same for many of them
    pg@b: active, 3 x [backup (slept), active (no_adverts)]        three times over
    pg@a must: backup -> active (no_adverts)                       any order: each of them at least once,
    pg@a may: active -> backup (higher_priority)                   and none but these besides
    only judged: everything happens at random                      no expectation, and why

A state without a reason is the one it begins with: there starts an engine (or, on hosts that tests share, the test).
The first result of a check, and the first news of a store, come before the engine begins or soon after it: so a node that is
unfit until its checks are good has begun with "backup (started)", (first_check) is check_pending or check_failed, and
(first_news) is any of a store's reasons. Lines that begin with "#" are comments on the section that follows. Recording merges: what is not the same in each run
becomes "may", and the rest "must", unless only reasons differ.
"""

import os
import re

import reasons

FIRST_NEWS = {"store_awaited", "leader_self", "leader_other", "leader_none", "store_lost"}
FIRST_CHECK = {"check_pending", "check_failed"}
KNOWN = {*reasons.CAUSES, "first_news", "first_check"}
MANY = 64  # instances with names that differ in their number alone: beyond that they are one thing
SHARED = "between tests"


# ---- one instance: a sequence, or sets ---------------------------------------------------------------------------------


class Line:
    """What is expected of one instance on one host: `order` (a list of steps), or `must` and `may` (sets of changes).

    A change is (before, after, reason). A step is (state, reason), where reason None begins a life, and "x|y" is either.
    """

    def __init__(self, order=None, must=(), may=()):
        self.order = order
        self.must, self.may = set(must), set(may)

    def key(self):
        return (tuple(self.order or ()), self.order is None, frozenset(self.must), frozenset(self.may))

    def sets(self):
        if self.order is None:
            return self.must, self.may
        sure = {what for what in changes_of(self.order) if "|" not in what[2]}
        return sure, set(each_of(self.order)) - sure

    def merged(self, other):
        """What both allow; the same order only where both have the same."""
        if self.order is not None and other.order is not None:
            order = either_of(self.order, other.order)
            if order is not None:
                return Line(order=order)
        (must, may), (must2, may2) = self.sets(), other.sets()
        both = must & must2
        return Line(must=both, may=(must | may | must2 | may2) - both)

    def compare(self, changes):
        """Changes that are there and may not be, changes that are missing, and whether only their order is wrong."""
        seen = [c.what for c in changes]
        if self.order is None:
            extra = [c for c in changes if c.what not in self.must | self.may]
            return extra, self.must - set(seen), False
        if either_of(self.order, steps_of(changes)) == self.order:
            return [], set(), False
        extra = [c for c in changes if c.what not in each_of(self.order)]
        missing = {w for w in changes_of(self.order) if not any((*w[:2], r) in seen for r in w[2].split("|"))}
        return extra, missing, not extra and not missing

    def text(self, head):
        if self.order is not None:
            return [f"{head}: {write_steps(self.order)}"]
        kinds = (("must", self.must), ("may", self.may))
        return [f"{head} {kind}: {write_changes(what)}" for kind, what in kinds if what]


def steps_of(changes):
    """The steps of one instance; a state by itself wherever it does not go on from the change before."""
    steps, last = [], None
    for c in changes:
        if last is None or (last.after, last.life) != (c.before, c.life):
            steps.append((c.before, None))
        steps.append((c.after, c.reason))
        last = c
    return steps


def changes_of(steps):
    found, state = [], None
    for after, reason in steps:
        if reason is not None:
            found.append((state, after, reason))
        state = after
    return found


def each_of(steps):
    """The changes of steps, each of alternative reasons by itself."""
    return [(before, after, r) for before, after, reason in changes_of(steps) for r in reason.split("|")]


def either_of(one, two):
    """Steps that allow for the reasons of both; None where more differs."""
    if [(state, reason is None) for state, reason in one] != [(state, reason is None) for state, reason in two]:
        return None
    both = [{*(a or "").split("|"), *(b or "").split("|")} for (_, a), (_, b) in zip(one, two)]
    return [(state, "|".join(sorted(reasons_)) or None) for (state, _), reasons_ in zip(one, both)]


def _repeated(words, at):
    """(length, times) of what repeats itself from words[at] on, at least three times; (1, 1) for nothing."""
    for length in range(1, 9):
        times = 1
        while words[at : at + length] == words[at + times * length : at + (times + 1) * length]:
            times += 1
        if times >= 3:
            return length, times
    return 1, 1


def write_steps(steps):
    words = [state if reason is None else f"{state} ({reason})" for state, reason in steps]
    out, at = [], 0
    while at < len(words):
        length, times = _repeated(words, at)
        part = ", ".join(words[at : at + length])
        out.append(f"{times} x [{part}]" if times > 1 else part)
        at += length * times
    return ", ".join(out)


def read_steps(text):
    text = re.sub(r"(\d+) x \[([^]]*)\]", lambda m: ", ".join([m[2]] * int(m[1])), text)
    steps = []
    for word in text.split(","):
        found = re.fullmatch(r"\s*(\w+)(?: \(([\w|]+)\))?\s*", word)
        why = sorted(found[2].split("|")) if found and found[2] else []
        if not found or found[1] not in reasons.STATES or not set(why) <= KNOWN:
            raise ValueError(f'"{word.strip()}" is no state with a reason')
        steps.append((found[1], "|".join(why) or None))
    if steps[0][1] is not None:
        raise ValueError(f'"{text}" does not begin with a state alone')
    return steps


def write_change(what):
    return f"{what[0]} -> {what[1]} ({what[2]})"


def write_changes(what):
    return "; ".join(sorted(map(write_change, what)))


def read_changes(text):
    found = []
    for part in text.split(";"):
        one = re.fullmatch(r"\s*(\w+) -> (\w+) \((\w+)\)\s*", part)
        if not one or one[3] not in KNOWN or not {one[1], one[2]} <= set(reasons.STATES):
            raise ValueError(f'"{part.strip()}" is no change of state with a reason')
        found.append(one.groups())
    return found


# ---- names: pg@a, i{0..254}@a,b ------------------------------------------------------------------------------------------


def _numbered(name):
    found = re.fullmatch(r"(.*?)(0|[1-9]\d*)", name)
    return (found[1], int(found[2])) if found else (name, None)


def write_names(names):
    """Names with commas between, runs of three and more numbers in braces."""
    out, run = [], []

    def flush():
        stem, first = run[0]
        if len(run) > 2:
            out.append(f"{stem}{{{first}..{run[-1][1]}}}")
        else:
            out.extend(s if n is None else f"{s}{n}" for s, n in run)

    for stem, number in sorted(map(_numbered, names), key=lambda one: (one[0], one[1] is not None, one[1])):
        if run and (number is None or run[-1][1] is None or run[-1] != (stem, number - 1)):
            flush()
            run = []
        run.append((stem, number))
    flush()
    return ",".join(out)


def read_names(text):
    found = []
    for part in text.split(","):
        run = re.fullmatch(r"(.*)\{(\d+)\.\.(\d+)\}", part)
        found += [f"{run[1]}{n}" for n in range(int(run[2]), int(run[3]) + 1)] if run else [part]
    return found


# ---- a section ----------------------------------------------------------------------------------------------------------


def settled(changes):
    """The changes of one instance, with what may come first or second at the beginning of a life made the same."""
    out = []
    for c in changes:
        begins = not out or out[-1].life != c.life or out[-1].reason == "removed"
        if begins and c.before == reasons.I and c.after == reasons.B and c.reason in FIRST_NEWS:
            c = c._replace(reason="first_news")
        elif begins and c.before == reasons.I and c.after == reasons.F and c.reason in FIRST_CHECK:
            c = c._replace(reason="first_check")
        elif not begins and out[-1].reason == "first_check" and c.reason == "started":
            c = c._replace(before=out.pop().before)
        out.append(c)
    return out


def by_instance(changes):
    """{(instance, host): its changes, in order}."""
    found = {}
    for c in changes:
        found.setdefault((c.instance, c.host), []).append(c)
    return {key: settled(own) for key, own in found.items()}


class Section:
    """What one test expects: {(instance, host): Line}, or `why` there is no expectation."""

    def __init__(self, lines=None, why=None, comments=()):
        self.lines = lines or {}
        self.why = why
        self.comments = list(comments)

    @classmethod
    def recorded(cls, changes, ordered=True):
        """Of one run; `ordered` false: all of it may be, none of it must."""
        lines = {}
        for key, own in by_instance(changes).items():
            lines[key] = Line(order=steps_of(own)) if ordered else Line(may={c.what for c in own})
        return cls(lines)

    def merge(self, other):
        """Take in another recording of the same."""
        if self.why:
            return
        nothing = Line(must=(), may=())
        for key in set(self.lines) | set(other.lines):
            self.lines[key] = self.lines.get(key, nothing).merged(other.lines.get(key, nothing))
        self._level()

    def _level(self):
        """Of many instances alike none is special: once one of them differs between runs, all have the same sets."""
        groups = {}
        for instance, host in self.lines:
            groups.setdefault((_numbered(instance)[0], host), []).append((instance, host))
        for keys in groups.values():
            if len(keys) <= MANY or all(self.lines[k].order is not None for k in keys):
                continue
            sets = [self.lines[k].sets() for k in keys]
            must = set.intersection(*(m for m, _ in sets))
            may = set.union(*(m | n for m, n in sets)) - must
            self.lines.update({k: Line(must=must, may=may) for k in keys})

    def compare(self, changes):
        """What differs: sentences."""
        if self.why:
            return []
        seen, out = by_instance(changes), []
        for key in sorted(set(seen) | set(self.lines)):
            instance, host = key
            line = self.lines.get(key)
            if line is None:
                out += [f"{c}\n    expected: no change of {instance}@{host} at all" for c in seen[key]]
                continue
            extra, missing, order = line.compare(seen.get(key, ()))
            expected = "\n    expected: ".join(["", *line.text(f"{instance}@{host}")])
            out += [f"{c}{expected}" for c in extra]
            out += [f"{instance}@{host}: missing: {write_change(what)}{expected}" for what in sorted(missing)]
            if order:
                out.append(f"{instance}@{host}: in another order: {write_steps(steps_of(seen[key]))}{expected}")
        return out

    def text(self, name):
        out = [*self.comments, f"[{name}]"]
        if self.why:
            return out + [f"only judged: {self.why}"]
        hosts = {}  # instances of a host with the same line first, then hosts with the same
        for (instance, host), line in self.lines.items():
            hosts.setdefault((host, line.key()), []).append(instance)
        groups = {}
        for (host, key), instances in hosts.items():
            groups.setdefault((write_names(instances), key), []).append(host)
        for (names, key), group in sorted(groups.items(), key=lambda g: (g[0][0], sorted(g[1]))):
            order, in_sets, must, may = key
            out += Line(None if in_sets else list(order), must, may).text(f"{names}@{write_names(group)}")
        return out

    def read(self, text):
        """Take one line of a file."""
        if text.startswith("only judged: "):
            self.why = text.partition(": ")[2]
            return
        found = re.fullmatch(r"(\S+)@(\S+?)(?: (must|may))?: (.*)", text)
        if not found:
            raise ValueError(f'"{text}" is no line')
        for key in ((i, h) for h in read_names(found[2]) for i in read_names(found[1])):
            line = self.lines.get(key)
            if found[3] is None or (line is not None and line.order is not None):
                if line is not None:
                    raise ValueError(f"{key[0]}@{key[1]} has a line in order already")
                self.lines[key] = Line(order=read_steps(found[4]))
            else:
                line = self.lines.setdefault(key, Line())
                (line.must if found[3] == "must" else line.may).update(read_changes(found[4]))


# ---- a file --------------------------------------------------------------------------------------------------------------


class Book:
    """The expectations of one test file."""

    def __init__(self, path):
        self.path = path
        self.sections = {}
        self.changed = False
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                self._read(f)

    def _read(self, file):
        comments, section = [], None
        for number, line in enumerate(file, 1):
            line = line.rstrip("\n")
            try:
                if line.startswith("#"):
                    comments.append(line)
                elif re.fullmatch(r"\[.*\]", line):
                    if line[1:-1] in self.sections:
                        raise ValueError(f"{line} is there twice")
                    section = self.sections[line[1:-1]] = Section(comments=comments)
                    comments = []
                elif line and section is None:
                    raise ValueError("a line before the first section")
                elif line:
                    section.read(line)
            except ValueError as e:
                raise ValueError(f"{self.path}:{number}: {e}") from e

    def record(self, name, section, anew=False):
        old = self.sections.get(name)
        if old is None or (anew and not old.why):
            section.comments = old.comments if old else []
            self.sections[name] = section
        else:
            old.merge(section)
        self.changed = True

    def write(self):
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with open(self.path + ".new", "w", encoding="utf-8") as f:
            f.write("\n\n".join("\n".join(s.text(name)) for name, s in sorted(self.sections.items())) + "\n")
        os.replace(self.path + ".new", self.path)
        self.changed = False
