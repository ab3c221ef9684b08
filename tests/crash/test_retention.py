"""Bytes of single streams over kills and power cuts: what left the disk never comes back, and nothing else is lost."""
import json
import random
import threading
import time

import pytest

import test_deletes
from powercut import read_journal
from programs import LONG, Ingester, wait_for
from test_deletes import CONFIG, LIBRARY, POINTS, check_cuts

RULES = """limits_config:
  retention_stream:
  - {selector: '{job="b0"}', bytes: 60KiB}
  - {selector: '{job=~"b."}', priority: -1, bytes: 200KiB}
"""


class Actions(test_deletes.Actions):
    """As well as what happens there: pushes of streams {job=...} that have bytes of their own."""

    def fill(self):
        return self.push_lines("fill", "job", "b", lambda: "%0200x" % self.rng.getrandbits(800))

    def one(self):
        return self.fill() if self.rng.random() < 0.4 else super().one()


def bounded(server):
    """The lines that are there of the streams with bytes."""
    have = [line.decode() for line in server.export_lines('{job=~"b."}')]
    assert len(have) == len(set(have)), "entries are there twice"
    return set(have)


def acknowledged(history, until=None):
    return {line for d in history if d.kind == "fill" and d.answered is not None and (until is None or d.answered <= until) for line, _, _ in d.lines}


def check(server, history, until=None):
    """Nothing is lost of other streams, and not all of any rule's. What is there of those."""
    test_deletes.check(server, history, until)
    have = bounded(server)
    jobs = {line: job for d in history if d.kind == "fill" for line, job, _ in d.lines}
    assert have <= set(jobs)
    for first in (True, False):
        of_rule = lambda lines: {line for line in lines if (jobs[line] == "b0") == first}
        assert of_rule(have) or not of_rule(acknowledged(history, until)), "a rule's newest part did not keep its share"
    return have


@pytest.mark.parametrize("seed", range(1, POINTS // 10 + 1))
def test_what_made_room_never_comes_back_after_kills_at_any_point(make_ingester, seed):
    server = make_ingester(config=CONFIG + RULES).start()
    actions, gone = Actions(server, seed), set()
    for _ in range(10):
        timer = threading.Timer(actions.rng.uniform(0.02, 1.5), server.kill)
        timer.start()
        while server.running():
            actions.one()
        timer.join()
        server.start()
        assert int(server.metrics()["cordwood_wal_missing_frames_total"]) == 0
        have = check(server, actions.history)
        assert not gone & have, "entries that made room are back"
        gone |= acknowledged(actions.history) - have
    for _ in range(60):
        actions.one()
    for _ in range(2):
        actions.flush()
    have = check(server, actions.history)
    assert not gone & have and acknowledged(actions.history) - have

    def has_room():
        status, text = server.ask("GET", "/cordwood/v1/retention")
        rules = [r for r in json.loads(text)["tenants"][0]["rules"] if "max_bytes" in r]
        assert status == 200 and len(rules) == 2
        return all(rule["used_bytes"] <= rule["max_bytes"] or "next" not in rule for rule in rules)
    wait_for("room", has_room)                      # a flush does not wait for it
    assert server.stop() == 0


def test_what_has_room_survives_power_cuts(tmp_path):
    data = tmp_path / "run" / "data"
    data.mkdir(parents=True)
    journal = tmp_path / "run" / "journal"
    server = Ingester(tmp_path / "run", config=CONFIG + RULES, env={"CW_POWERCUT_ROOT": str(data), "CW_POWERCUT_LOG": str(journal)},
                      preload=LIBRARY, data=data)
    actions = Actions(server, 4)
    try:
        server.start()
        for _ in range(400 if LONG else 120):
            actions.one()
        end = time.monotonic_ns()
        kept = bounded(server)                       # up to `end` it was there all the time since it was pushed
        assert acknowledged(actions.history) - kept
        assert server.stop() == 0
    finally:
        server.kill()
    events = [e for e in read_journal(journal) if e.mono_ns <= end]
    first = next(i for i, e in enumerate(events) if e.mono_ns >= actions.history[0].begun)
    interesting = [i for i, e in enumerate(events) if i > first and e.op in "RUC"]

    def check_at(again, until):
        have = check(again, actions.history, until)
        lost = acknowledged(actions.history, until) & kept - have
        assert not lost, "%d entries that had room are lost: %s" % (len(lost), sorted(lost)[:3])
    check_cuts(tmp_path, data, events, (interesting, interesting, range(first, len(events))), random.Random(5), CONFIG,
               check_at)                             # there are no rules any more, so that nothing makes room
