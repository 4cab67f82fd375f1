"""test_reasons.py - the judge of all changes of state (tests/support/reasons*.py) finds what is wrong, and only that."""

import os
import re
import subprocess
import sys

import pytest

import lab as labs
import reasons
import reasons_book
import reasons_watch
from daemons import conf, instance

NAMES = ("x", "n1", "failed", "no-name", "a.b")
SAMPLES = {"addr": "10.77.1.2", "ms": "361", "a": "150", "b": "100", "errno": "No such device"}


def samples(label, names=NAMES):
    text = reasons.REASONS[label]
    words = {w: [v] for w, v in SAMPLES.items()} | {"name": names}
    found = [text]
    for word in set(re.findall(r"\{(\w+)\}", text)):
        found = [t.replace("{" + word + "}", value) for t in found for value in words[word]]
    return found


def line(text):
    return f"2026-11-21 21:00:00.123 vrrpd: {text}"


def read(*lines, own=("10.77.1.1",)):
    chain = reasons.Chain("a", own)
    for text in lines:
        chain.line(line(text))
    return chain


STARTED = "pg: initialize -> backup: started, listening for adverts for 361 ms"
ACTIVE = "pg: backup -> active: no adverts from 10.77.1.2 for 361 ms"
AGAIN = "starting vrrpd-engine again"


def test_each_sentence_is_of_one_reason():
    for label in reasons.REASONS:
        for text in samples(label):
            assert reasons.explain(text)[0] == label, text
    assert reasons.explain("notify (for all) ended with exit status 0 after 30 ms")[0] == "hook_ended"
    assert reasons.explain("the leader is another node")[0] == "leader_other"
    assert reasons.explain("the arbiter's lease is over: another host is Active")[0] == "lease_lost"


def test_each_reason_has_its_place():
    assert set(reasons.CAUSES) | reasons.NEVER_CAUSE == set(reasons.REASONS)
    assert not set(reasons.CAUSES) & reasons.NEVER_CAUSE
    for pairs in reasons.CAUSES.values():
        assert pairs and {s for pair in pairs for s in pair} <= set(reasons.STATES)


@pytest.mark.parametrize(
    "lines, wrong",
    [
        (["pg: initialize -> backup: unknown"], "of no reason"),
        (["pg: initialize -> backup: "], "of no reason"),
        (["pg: initialize -> unknown: starting"], "not written as"),
        (["pg: initialize -> backup"], "not written as"),
        ([STARTED, "pg: backup -> active: vrrpd is stopping"], "stopping cannot cause this"),
        ([STARTED, "pg: backup -> active: starting"], "starting cannot cause this"),
        ([STARTED, "pg: still backup: 10.77.1.2 left (priority 0)"], "active_left cannot cause this"),
        ([STARTED, "pg: backup -> active: no adverts from 10.77.1.1 for 361 ms"], "own address"),
        ([STARTED, "pg: backup -> active: no adverts from 0.0.0.0 for 361 ms"], "no host's address"),
        ([STARTED, "pg: backup -> active: 10.77.1.2 advertises priority 150, lower than ours (100)"], "priorities 100 and 150"),
        ([ACTIVE], "in state initialize before"),
        ([STARTED, ACTIVE, ACTIVE], "in state active before"),
        ([STARTED, ACTIVE, AGAIN, "pg: active -> backup: the leader is b"], "in state initialize before"),
        ([STARTED, ACTIVE, "pg: still fault: check x failed"], "in state active before"),
    ],
)
def test_what_cannot_be(lines, wrong):
    said = read(*lines).wrong
    assert len(said) == 1 and wrong in said[0], said


def test_what_can_be():
    chain = read(
        "vrrpd 0.1.0 on a: 1 instance, 0 checks from vrrpd.conf",
        STARTED,
        ACTIVE,
        AGAIN,
        "pg: initialize -> active: went on after 40 ms: the engine was started again",
        "error: vrrpd-engine was ended by signal 9 (Killed)",
        "warning: pg: active -> fault: check x failed",
        "pg: still fault: interface eth0 is down",
        "other: address 10.77.1.100 was removed by another program and put back",
    )
    assert not chain.wrong
    assert [c.what for c in chain.changes] == [
        ("initialize", "backup", "started"),
        ("backup", "active", "no_adverts"),
        ("initialize", "active", "resumed"),
        ("active", "fault", "check_failed"),
    ]
    order = "initialize, backup (started), active (no_adverts), initialize, active (resumed), fault (check_failed)"
    assert reasons_book.write_steps(reasons_book.steps_of(chain.changes)) == order


# ---- the API ---------------------------------------------------------------------------------------------------------


EVENT = (
    '{"instance": "pg", "from": "backup", "to": "active", "reason": "no_adverts", '
    '"text": "no adverts from 10.77.1.2 for 361 ms"}'
)


def test_events_in_both_forms():
    assert reasons.read_events('{"events": [' + EVENT + "," + EVENT + "]}") == reasons.read_events(EVENT + "\n" + EVENT + "\n")
    assert reasons.read_events("") == reasons.read_events('{"events": []}') == []
    (event,) = reasons.read_events(EVENT)
    assert reasons.event_wrong(event) is None
    assert "that of no_adverts" in reasons.event_wrong({**event, "reason": "preempt"})
    assert "of no reason" in reasons.event_wrong({**event, "text": "unknown"})


@pytest.mark.parametrize("key, value", [("from", "initialize"), ("to", "fault"), ("text", "nobody was heard for 361 ms")])
def test_api_and_log_differ(key, value):
    events, chain = reasons.read_events(EVENT), read(STARTED, ACTIVE)
    assert not reasons_watch.events_differ(chain, events)
    assert reasons_watch.events_differ(chain, [{**events[0], key: value}])
    resumed = "pg: initialize -> active: went on after 40 ms: the engine was started again"
    again = read(STARTED, ACTIVE, AGAIN, resumed)
    assert not reasons_watch.events_differ(again, [])
    assert not reasons_watch.events_differ(read(STARTED, ACTIVE, AGAIN), events)
    after = {"instance": "pg", "from": "initialize", "to": "active", "text": resumed.split(": ", 2)[2]}
    assert not reasons_watch.events_differ(again, [*events, after]) and not reasons_watch.events_differ(again, [after])
    assert reasons_watch.events_differ(again, [{**events[0], key: value}, after])
    assert reasons_watch.events_differ(again, events), "the present life is missing"
    assert reasons_watch.events_differ(read(STARTED), events), "the API knows more than the log"
    assert reasons_watch.events_differ(read(STARTED, ACTIVE, "pg: active -> initialize: vrrpd is stopping"), events)


# ---- expectations ----------------------------------------------------------------------------------------------------


def changes(*lines):
    return read(*lines).changes


def section(*lines):
    one = reasons_book.Section()
    for text in lines:
        one.read(text)
    return one


def differs(expected, *lines):
    return "\n".join(section(*expected).compare(changes(*lines)))


def test_what_is_there_and_may_not_be():
    said = differs(["pg@a: initialize, backup (started)"], STARTED, ACTIVE)
    assert "pg@a: backup -> active (no_adverts): no adverts from 10.77.1.2 for 361 ms" in said
    assert "expected: pg@a: initialize, backup (started)" in said
    assert "no change of pg@a at all" in differs([], STARTED)
    assert "no_adverts" in differs(["pg@a must: initialize -> backup (started)"], STARTED, ACTIVE)
    assert not differs(["pg@a must: initialize -> backup (started)", "pg@a may: backup -> active (no_adverts)"], STARTED, ACTIVE)


def test_what_is_missing():
    assert "missing: backup -> active (preempt)" in differs(["pg@a: initialize, backup (started), active (preempt)"], STARTED)
    assert "missing: initialize -> backup (started)" in differs(["pg@b must: initialize -> backup (started)"])
    assert not differs(["pg@a may: initialize -> backup (started)"])


def test_the_order():
    back = "pg: active -> backup: this host did not run for 400 ms, its peers may have taken over"
    order = "pg@a: initialize, backup (started), active (no_adverts), backup (slept), active (no_adverts), backup (slept)"
    assert not differs([order], STARTED, ACTIVE, back, ACTIVE, back)
    assert "in another order" in differs([order], STARTED, ACTIVE, back)
    assert not differs(["only judged: everything happens at random"], STARTED, ACTIVE)


def test_recordings_are_merged():
    recorded = reasons_book.Section.recorded
    once = recorded(changes(STARTED, ACTIVE))
    once.merge(recorded(changes(STARTED, ACTIVE)))
    assert once.text("t")[1:] == ["pg@a: initialize, backup (started), active (no_adverts)"]
    once.merge(recorded(changes(STARTED)))
    assert once.text("t")[1:] == ["pg@a must: initialize -> backup (started)", "pg@a may: backup -> active (no_adverts)"]
    once.merge(recorded([]))
    assert once.text("t")[1:] == ["pg@a may: backup -> active (no_adverts); initialize -> backup (started)"]


def test_what_may_come_first_or_second():
    pending = "warning: pg: initialize -> fault: check x has no result yet"
    failed = "warning: pg: initialize -> fault: check x failed"
    fit = STARTED.replace("initialize", "fault")
    for lines in ([STARTED], [pending, fit], [failed, fit]):
        assert not differs(["pg@a: initialize, backup (started)"], *lines)
        assert differs(["pg@a: initialize, fault (first_check)"], *lines)
    for lines in ([pending], [failed]):
        assert not differs(["pg@a: initialize, fault (first_check)"], *lines)
        assert differs(["pg@a: initialize, backup (started)"], *lines)
    late = [STARTED, "warning: pg: backup -> fault: check x failed", fit]
    assert not differs(["pg@a: initialize, backup (started), fault (check_failed), backup (started)"], *late)
    for text in ("waiting for the store to say who is the leader", "the leader is b"):
        assert not differs(["pg@a: initialize, backup (first_news)"], f"pg: initialize -> backup: {text}")


def test_one_reason_or_the_other():
    other = ACTIVE.replace("no adverts from 10.77.1.2", "nobody was heard")
    one = reasons_book.Section.recorded(changes(STARTED, ACTIVE))
    one.merge(reasons_book.Section.recorded(changes(STARTED, other)))
    (text,) = one.text("t")[1:]
    assert text == "pg@a: initialize, backup (started), active (no_adverts|nobody_heard)"
    assert not differs([text], STARTED, ACTIVE) and not differs([text], STARTED, other)
    left = ACTIVE.replace("no adverts from 10.77.1.2 for 361 ms", "10.77.1.2 left (priority 0)")
    assert "active_left" in differs([text], STARTED, left)
    assert "missing: backup -> active (no_adverts|nobody_heard)" in differs([text], STARTED)
    one.merge(reasons_book.Section.recorded(changes(STARTED)))
    assert one.text("t")[1:] == [
        "pg@a must: initialize -> backup (started)",
        "pg@a may: backup -> active (no_adverts); backup -> active (nobody_heard)",
    ]


def test_many_alike_are_one_line():
    many = changes(*(STARTED.replace("pg", f"i{n}") for n in range(100)))
    one = reasons_book.Section.recorded(many)
    assert one.text("t")[1:] == ["i{0..99}@a: initialize, backup (started)"]
    one.merge(reasons_book.Section.recorded(many + many[:1]))
    assert one.text("t")[1:] == ["i{0..99}@a must: initialize -> backup (started)"]
    assert "i99@a: missing" in "\n".join(one.compare(many[:99]))


def test_a_file_reads_as_it_is_written(tmp_path):
    path = str(tmp_path / "book.txt")
    text = (
        "# by hand\n[test_one[a-b]]\n"
        "i{0..254},pg@a,b: initialize, 3 x [backup (started), fault (no_carrier)], backup (started)\n"
        "x{8..10}@c may: backup -> active (no_adverts)\n\n[test_two]\nonly judged: everything happens at random\n"
    )
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    book = reasons_book.Book(path)
    book.write()
    with open(path, encoding="utf-8") as f:
        assert f.read() == text
    for bad in ("pg: backup", "pg@a: backup (unknown)", "pg@a: backup (started)", "pg@a may: backup (started)"):
        with pytest.raises(ValueError):
            section(bad)


def test_each_entry_is_of_a_test():
    for name in sorted(os.listdir(reasons_watch.FOLDER)):
        path = os.path.join(labs.ROOT, "tests", "netns", name.replace(".txt", ".py"))
        with open(path, encoding="utf-8") as f:
            defined = set(re.findall(r"^def (\w+)\(", f.read(), re.M)) | {reasons_book.SHARED}
        for entry in reasons_book.Book(os.path.join(reasons_watch.FOLDER, name)).sections:
            assert entry.split("[")[0].removeprefix("fixture ") in defined, f"{name}: [{entry}] is of no test in {path}"


# ---- all of it --------------------------------------------------------------------------------------------------------

INNER = "pair_for_the_judge"  # a test only for the test below


def pair_for_the_judge(lab):
    a, b = lab.host("a"), lab.host("b")
    da = a.vrrpd(conf(instance(priority=150)))
    da.wait_state("pg", "active")
    db = b.vrrpd(conf(instance(priority=100)), args=("--log-level", "debug"))
    db.wait_state("pg", "backup")
    da.kill()
    db.wait_state("pg", "active")


def inner(folder, **env):
    done = subprocess.run(
        [sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", f"python_functions={INNER}", __file__],
        env={**os.environ, "VRRPD_REASONS_FOLDER": str(folder), "VRRPD_REASONS": "", **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout


def test_a_test_that_does_something_else_fails(tmp_path):
    code, said = inner(tmp_path)
    assert code == 1 and f"[{INNER}] is not in {tmp_path}/test_reasons.txt; type: make netns REASONS=record" in said, said
    code, said = inner(tmp_path, VRRPD_REASONS="record")
    assert code == 0, said
    path = tmp_path / "test_reasons.txt"
    text = path.read_text(encoding="utf-8")
    assert "pg@a: initialize, backup (started), active (nobody_heard)" in text, text
    assert inner(tmp_path)[0] == 0
    path.write_text(re.sub(r"(pg@b: initialize, backup \(started\)), active .*", r"\1", text), encoding="utf-8")
    code, said = inner(tmp_path)
    assert code == 1 and "pg@b: backup -> active (active_left): 10.77.1.1 left (priority 0)" in said, said
    assert "expected: pg@b: initialize, backup (started)\n" in said, said
