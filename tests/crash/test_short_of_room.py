"""Kills and power cuts while memory and disk are short: pushes are refused, the head is flushed early, a replay does not fit into
memory, the disk is full. What was acknowledged is there, once."""
import collections
import random
import time

import pytest

from full_disk import fill
from load import Pushers, differences
from powercut import read_journal
from programs import LONG, Ingester, wait_for
from test_deletes import LIBRARY, POINTS, Actions, check_cuts
from test_deletes import CONFIG as DELETES_CONFIG
from test_deletes import check as check_deletes

# The head may have 12 MiB, bodies 3 MiB: the pushers below send more than that at once.
CONFIG = "memory: {limit: 24MiB}\nwal: {segment_bytes: 1MiB}\nstorage: {min_free: 0}\n"
NTHREADS, LINES_PER_PUSH = 12, 3000


def check(server, loads, until=None):
    acked = set().union(*(load.acked_by(until or time.monotonic_ns()) for load in loads))
    have = [line.decode() for line in server.export_lines('{app=~"%s"}' % "|".join(load.name for load in loads))]
    assert acked <= set(have), differences(acked, set(have) & acked)
    assert len(have) == len(set(have)), differences(set(have), have)


def was_short(loads):
    """Were pushes refused for memory, and for the disk?"""
    statuses = sum((load.statuses for load in loads), collections.Counter())
    return statuses[429] > 0 and statuses[503] + statuses[507] > 0


@pytest.mark.parametrize("seed", range(1, POINTS // 10 + 1))
def test_what_was_acknowledged_survives_kills_at_any_point(small_disk, make_ingester, seed):
    rng, ballast, loads = random.Random(seed), small_disk / "ballast", []
    server = make_ingester(config=CONFIG, data=small_disk / "data").start()
    for n in range(10 if LONG else 4):
        loads.append(Pushers(server, NTHREADS, LINES_PER_PUSH, "load%d" % n).start())
        try:
            time.sleep(rng.uniform(0.05, 1))
            if n % 2:
                fill(ballast)
                time.sleep(rng.uniform(0, 0.5))
            server.kill()
            while rng.random() < 0.5:                                  # while it replays, on a full disk too
                server.start(ready=False)
                time.sleep(rng.uniform(0, 0.3))
                server.kill()
        finally:
            loads[-1].stop()
        ballast.unlink(missing_ok=True)
        server.start()
        check(server, loads[-1:])
    check(server, loads)
    assert was_short(loads), [load.statuses for load in loads]
    assert server.stop() == 0


def test_what_was_acknowledged_survives_power_cuts(small_disk, tmp_path):
    data, journal, ballast = small_disk / "data", tmp_path / "journal", small_disk / "ballast"
    data.mkdir()
    server = Ingester(tmp_path / "run", config=CONFIG, env={"CW_POWERCUT_ROOT": str(data), "CW_POWERCUT_LOG": str(journal)}, preload=LIBRARY, data=data)
    try:
        server.start()
        load = Pushers(server, NTHREADS, LINES_PER_PUSH).start()
        try:
            for _ in range(8 if LONG else 3):
                time.sleep(0.7)
                fill(ballast)
                time.sleep(0.3)
                ballast.unlink()
            wait_for("acknowledged pushes after space is back", lambda n=len(load.acked): len(load.acked) > n + 5)
        finally:
            load.stop()
        assert was_short([load]), load.statuses
        assert server.stop() == 0
    finally:
        server.kill()
    events = read_journal(journal)
    first = next(i for i, e in enumerate(events) if e.mono_ns >= load.acked[0][0])
    interesting = [i for i, e in enumerate(events) if i > first and e.op in "RUC"]
    check_cuts(tmp_path, data, events, (interesting, range(first, len(events))), random.Random(6), CONFIG,
               lambda again, until: check(again, [load], until))


def test_deletes_that_are_made_on_a_full_disk_survive_power_cuts(small_disk, tmp_path):
    data, journal, ballast = small_disk / "data", tmp_path / "journal", small_disk / "ballast"
    data.mkdir()
    config = DELETES_CONFIG.replace("storage: {", "storage: {min_free: 0, ")
    server = Ingester(tmp_path / "run", config=config, env={"CW_POWERCUT_ROOT": str(data), "CW_POWERCUT_LOG": str(journal)}, preload=LIBRARY, data=data)
    actions = Actions(server, 7)
    try:
        server.start()
        for _ in range(20 if LONG else 6):
            for _ in range(15):
                actions.one()
            fill(ballast)
            assert [actions.delete(), actions.delete()] == [204, 204]
            actions.cancel()
            actions.wait()
            assert actions.delete() == 204
            time.sleep(0.5)
            ballast.unlink()
        assert server.stop() == 0
    finally:
        server.kill()
    events = read_journal(journal)
    first = next(i for i, e in enumerate(events) if e.mono_ns >= actions.history[0].begun)
    reserved = [i for i, e in enumerate(events) if e.op == "R" and e.path1.endswith("/deletes.reserve")]
    assert len(reserved) > 10
    beside = [i for i, e in enumerate(events) if i > first and "deletes" in e.path1 + e.path2]
    check_cuts(tmp_path, data, events, (reserved, beside, range(first, len(events))), random.Random(8), config,
               lambda again, until: check_deletes(again, actions.history, until))
