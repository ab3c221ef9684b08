"""Kills and power cuts that come while parts are merged: at whatever step, every entry is there, once, and the merge is done again."""
import glob
import http.client
import os
import random
import shutil
import threading
import time

import pytest

from load import differences
from powercut import Disk, read_journal, write_state
from programs import NS, Ingester, cli, wait_for
from store_files import Part, parts
from test_deletes import LIBRARY, POINTS, check_cuts

T = 1767571200 * NS
FAN_IN = 8                       # parts of a level that are merged
LINES = 4000                     # a flush


class Flushes:
    """Pushes with a flush behind each; the lines that were pushed."""

    def __init__(self, server, seed):
        self.server, self.rng, self.lines = server, random.Random(seed), []

    def push(self):
        entries = [(T + (len(self.lines) + i) * NS // 100, "request %d took %d ms id=%032x" % (len(self.lines) + i, self.rng.randrange(1000), self.rng.getrandbits(128)))
                   for i in range(LINES)]
        self.server.push([({"app": "a%d" % (len(self.lines) // LINES % 3)}, entries)])
        self.lines += [line for _, line in entries]

    def one(self):
        self.push()
        assert self.server.ask("POST", "/flush")[0] == 204

    def check(self, server, until_merged=True):
        have = [line.decode() for line in server.export_lines('{app=~"a."}')]
        assert differences(self.lines, have) is None
        if until_merged:
            assert server.ask("POST", "/flush")[0] == 204
            assert unfinished(server.data) == []
            assert sum(Part(p).level == 0 for p in parts(server.data)) < FAN_IN
            assert server.count('{app=~"a."}', end=T // NS + 86400, hours=25) == len(self.lines)


def unfinished(data):
    return glob.glob(os.path.join(data, "parts", "*", "*", "*.tmp"))


def clean(data):
    done = cli("fsck", data)
    assert done.returncode == 0, done


# ---- at each step ----

def of_merges(events, data):
    """Numbers of the events from where a merge makes its file up to where the last of its inputs is gone."""
    merged = {p for p in parts(data) if Part(p).level > 0}
    flushed = {e.path2 for e in events if e.op == "R" and e.path2.endswith(".part")} - merged
    assert merged and len(flushed) >= FAN_IN
    steps = []
    for path in merged:
        first = next(i for i, e in enumerate(events) if e.op == "C" and e.path1 == path + ".tmp")
        done = next(i for i, e in enumerate(events) if e.op == "R" and e.path2 == path)
        gone = [i for i, e in enumerate(events) if i > done and e.op == "U" and e.path1 in flushed][:FAN_IN]
        assert len(gone) == FAN_IN
        steps += range(first, gone[-1] + 1)
    return sorted(set(steps))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """(data folder, journal, its events in merges, what was pushed): every entry is acknowledged and flushed before the last merge begins."""
    folder = tmp_path_factory.mktemp("merge")
    data = folder / "data"
    data.mkdir()
    server = Ingester(folder, env={"CW_POWERCUT_ROOT": str(data), "CW_POWERCUT_LOG": str(folder / "journal")}, preload=LIBRARY, data=data)
    try:
        server.start()
        flushes = Flushes(server, 1)
        for _ in range(FAN_IN):
            flushes.one()
        assert [Part(p).level for p in parts(data)] == [1]
        server.kill()
    finally:
        server.kill()
    events = read_journal(folder / "journal")
    return data, events, of_merges(events, str(data)), flushes


def test_a_kill_at_any_step_of_a_merge_costs_nothing(recorded, tmp_path):
    data, events, steps, flushes = recorded
    seen = {e.op for e in (events[i] for i in steps)}
    assert seen >= set("CWbeRU"), seen                   # made, written, synced, renamed, and the inputs removed
    assert any("catalog" in events[i].path2 for i in steps if events[i].op == "R")
    for n, at in enumerate(steps):
        folder = tmp_path / ("kill%d" % n)
        write_state(Disk(events[:at + 1], str(data)).state(random.Random(0), "most"), str(data), str(folder / "data"))
        server = Ingester(folder, data=folder / "data")
        try:
            server.start()
            flushes.check(server)
            assert server.stop() == 0
        except AssertionError as e:
            raise AssertionError("kill behind event %d, step %d of %d (%s %s): %s" % (at, n, len(steps), events[at].op, events[at].path1, e)) from e
        finally:
            server.kill()
        if n % 8 == 0:
            clean(str(folder / "data"))
        shutil.rmtree(folder)


def test_a_power_cut_while_a_merge_runs_costs_nothing(recorded, tmp_path):
    data, events, steps, flushes = recorded
    check_cuts(tmp_path, data, events, (steps,), random.Random(2), "", lambda again, _: flushes.check(again))


# ---- kills of a server at work ----

def merge_begins(server, known):
    """The file of a merge is there: not one of a flush, whose part comes before it."""
    return [p for p in unfinished(server.data) if p not in known]


@pytest.mark.parametrize("seed", range(1, POINTS // 10 + 1))
def test_a_server_that_is_killed_while_it_merges_loses_and_doubles_nothing(make_ingester, seed):
    """The same merge is begun and killed again and again, each time somewhere else; then it ends."""
    server = make_ingester(config="storage: {merge_codec: %s}\n" % ("lz4", "zstd")[seed % 2]).start()
    flushes = Flushes(server, seed)
    for _ in range(FAN_IN - 1):
        flushes.one()
    flushes.push()
    within, window = 0, 0.04                                 # seconds, within which a merge is killed; less where merges are faster
    for _ in range(60):
        if within == 10:
            break
        answer = []

        def flush():
            try:
                answer.append(server.ask("POST", "/flush")[0])
            except (OSError, http.client.HTTPException):
                pass
        asking = threading.Thread(target=flush)
        due = sum(Part(p).level == 0 for p in parts(server.data)) >= FAN_IN
        asking.start()
        if not due:
            wait_for("flush", lambda: len(parts(server.data)) >= FAN_IN or answer, every=0.002)
        wait_for("merge", lambda: merge_begins(server, ()) or answer, every=0.002)
        time.sleep(flushes.rng.uniform(0, window))
        server.kill()
        asking.join()
        within += not answer
        if answer:                                       # it was faster
            window *= 0.7
            server.start()
            for _ in range(FAN_IN - 1):
                flushes.one()
            flushes.push()
            server.kill()
        server.start()
        flushes.check(server, until_merged=False)
    assert within == 10, "most kills came behind the merge"
    flushes.check(server)
    assert server.stop() == 0
    clean(server.data)
