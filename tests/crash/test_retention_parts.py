"""Whole parts that retention drops, over kills and power cuts: what is to stay is all there, once; what was dropped never comes back; the
catalog names the files that are there."""
import base64
import collections
import json
import os
import random
import threading
import time

import pytest

from powercut import read_journal
from programs import LONG, NS, Ingester, cli, wait_for
from store_files import parts
from test_deletes import DAY, LIBRARY, Done, check_cuts
import test_deletes

KILLS, CUTS = (100, 100) if LONG else (2, 3)
SMALL_STORE = "head: {flush_bytes: 1MiB}\nwal: {segment_bytes: 1MiB}\n"
PERIOD = 25 * 3600 * NS                         # so that what comes of age is never of the day of what does not
Mode = collections.namedtuple("Mode", "config reason lines line_bytes kept_min")
# Of bytes: how much text is pushed at once, and how much of it is at least of the days from the newest on that made room: half of the bound, as
# parts of few lines are not all text, and some of storage.max_bytes is the log.
MODES = {
    "retention_period": Mode("limits_config: {retention_period: 25h}\nstorage: {min_free: 0}\n", "age", 20, 100, 0),
    "retention_bytes": Mode("limits_config: {retention_bytes: 512KiB}\nstorage: {min_free: 0}\n", "tenant_bytes", 40, 1000, 256 << 10),
    "storage.max_bytes": Mode("storage: {max_bytes: 16MiB, min_free: 0}\n", "store_bytes", 100, 8000, 8 << 20),
}


class Actions(test_deletes.Actions):
    """Pushes and flushes, one after the other. By bytes: of days that rise, so that the oldest parts hold the lines that came first. By age:
    half of the lines come of age within seconds."""

    def __init__(self, server, seed, mode):
        super().__init__(server, seed)
        self.mode, self.npushes = mode, 0
        self.first_day = time.time_ns() // DAY - 1000

    def push(self):
        lines, young = [], self.rng.random() < 0.5
        for i in range(self.rng.randrange(1, self.mode.lines)):
            if self.mode.reason != "age":
                ts = (self.first_day + self.npushes // 4) * DAY + self.npushes % 4 * NS + i
            else:
                ts = time.time_ns() - (0 if young else PERIOD - self.rng.randrange(1, 3 * NS))
            lines.append(("%d %s" % (self.nlines, base64.b64encode(self.rng.randbytes(self.mode.line_bytes * 3 // 4)).decode()), "a%d" % (i % 3), ts))
            self.nlines += 1
        self.npushes += 1
        streams = collections.defaultdict(list)
        for line, app, ts in lines:
            streams[app].append([str(ts), line])
        body = json.dumps({"streams": [{"stream": {"app": app}, "values": values} for app, values in streams.items()]})
        return self.call(Done("push", lines=lines), "POST", "/loki/api/v1/push", body=body.encode())

    def one(self):
        self.push()
        for _ in range(self.rng.randrange(4)):      # every tenth look at the parts is one of retention
            self.flush()

    def kill_soon(self):
        """At any time, or when parts are dropped: they are told before the catalog is written."""
        end, at = time.monotonic() + self.rng.uniform(0.02, 1), os.path.getsize(self.server.log_path)
        if self.rng.random() < 0.7:
            end = time.monotonic() + 4
        with open(self.server.log_path, "rb") as log:
            log.seek(at)
            while time.monotonic() < end and b"dropping part" not in log.read():
                time.sleep(0.001)
        time.sleep(self.rng.choice((0, 0.002, 0.01, 0.05)) * self.rng.random())
        self.server.kill()


def have_of(server):
    lines = [line.decode() for line in server.export_lines('{app=~".+"}')]
    assert len(lines) == len(set(lines)), "entries are there twice"
    return set(lines)


def sure(history, until=None):
    """What was acknowledged: {line: time}."""
    return {line: ts for d in history if d.kind == "push" and d.answered is not None and (until is None or d.answered <= until) for line, _, ts in d.lines}


def pushed(history):
    """What may be there: {line: time}."""
    return {line: ts for d in history if d.kind == "push" for line, _, ts in d.lines}


def check_kept(mode, history, have):
    """What is gone was to go."""
    acked, every = sure(history), pushed(history)
    assert have <= every.keys()
    lost = {line: ts for line, ts in acked.items() if line not in have}
    if mode.reason == "age":
        assert all(ts < time.time_ns() - PERIOD for ts in lost.values()), "entries that had not come of age are gone"
        return
    if lost:
        newest = max(lost.values()) // DAY
        back = [line for line, ts in acked.items() if ts // DAY < newest and line in have]
        assert not back, "newer parts made room than those of %d entries" % len(back)
        left = sum(len(line) for line, ts in every.items() if ts // DAY >= newest)
        assert left >= mode.kept_min, "more made room than was needed: %d bytes are left" % left


def named(data):
    """Ids of the parts that the catalog names; none is missing."""
    with open(os.path.join(data, "catalog")) as f:
        rows = [row.split() for row in f]
    assert not [row for row in rows if row[0] == "missing"]
    return {int(row[1]) for row in rows if row[0] == "part"}


def files(data):
    return {int(os.path.basename(path)[:-5], 16) for path in parts(data)}


def check_folder(data):
    """Of a server that was stopped."""
    assert named(data) == files(data)
    done = cli("fsck", str(data))
    assert done.returncode == 0, done


def dropped(server, mode):
    return int(server.metrics()['cordwood_retention_dropped_parts_total{reason="%s"}' % mode.reason])


@pytest.mark.parametrize("limit", MODES)
def test_dropped_parts_stay_dropped_and_nothing_else_goes_after_kills_at_any_point(make_ingester, limit):
    mode = MODES[limit]
    server = make_ingester(config=SMALL_STORE + mode.config).start()
    actions, gone = Actions(server, 1, mode), set()
    for n in range(KILLS):
        killer = threading.Thread(target=actions.kill_soon)
        killer.start()
        while server.running():
            actions.one()
        killer.join()
        if os.path.exists(os.path.join(server.data, "catalog")):
            assert named(server.data) <= files(server.data), "a part went before the catalog did without it"
        server.start()
        metrics = server.metrics()
        assert metrics["cordwood_wal_missing_frames_total"] == metrics["cordwood_parts_missing"] == "0"
        have = have_of(server)
        check_kept(mode, actions.history, have)
        if mode.reason != "age":                     # there what is hidden now was not dropped
            assert not gone & have, "entries that made room are back"
            gone |= sure(actions.history).keys() - have
        if n % 10 == 0:                              # a kill may leave half a push at the end of the log, which fsck tells
            assert server.stop() == 0
            check_folder(server.data)
            server.start()
    actions.push()
    wait_for("parts that are dropped", lambda: (actions.one(), dropped(server, mode))[1] > 0)
    if mode.reason != "age":
        have = have_of(server)
        check_kept(mode, actions.history, have)
        assert not gone & have and sure(actions.history).keys() - have
    else:
        aged = {line for line, ts in pushed(actions.history).items() if ts < time.time_ns() - PERIOD + 10 * NS}
        wait_for("what came of age to go", lambda: (actions.flush(), not aged & have_of(server))[1])
        assert sure(actions.history).keys() - aged <= have_of(server)
    assert server.stop() == 0
    check_folder(server.data)


@pytest.mark.parametrize("limit", MODES)
def test_dropped_parts_stay_dropped_and_nothing_else_goes_after_power_cuts(tmp_path, limit):
    mode, data, journal = MODES[limit], tmp_path / "run" / "data", tmp_path / "run" / "journal"
    data.mkdir(parents=True)
    server = Ingester(tmp_path / "run", config=SMALL_STORE + mode.config, env={"CW_POWERCUT_ROOT": str(data), "CW_POWERCUT_LOG": str(journal)},
                      preload=LIBRARY, data=data)
    actions, seen = Actions(server, 2, mode), []      # seen: when what was gone
    try:
        server.start()
        wait_for("parts that are dropped", lambda: (actions.one(), dropped(server, mode))[1] >= 3)
        for _ in range(5):
            for _ in range(10):
                actions.one()
            have = have_of(server)
            seen.append((time.monotonic_ns(), sure(actions.history).keys() - have))
        kept = {line for line in have if mode.reason != "age" or sure(actions.history)[line] > time.time_ns() - PERIOD + 10 * NS}
        end = time.monotonic_ns()
        assert seen[-1][1] and server.stop() == 0
    finally:
        server.kill()
    events = [e for e in read_journal(journal) if e.mono_ns <= end]
    first = next(i for i, e in enumerate(events) if e.mono_ns >= actions.history[0].begun)
    removals = [i for i, e in enumerate(events) if i > first and e.op == "U" and e.path1.endswith(".part")]
    renames = [i for i, e in enumerate(events) if i > first and e.op in "RC"]
    assert removals

    def check_at(again, until):
        assert again.metrics()["cordwood_parts_missing"] == "0"
        have = have_of(again)
        lost = sure(actions.history, until).keys() & kept - have
        assert not lost, "%d entries that were to stay are lost: %s" % (len(lost), sorted(lost)[:3])
        if mode.reason != "age":
            back = have & set().union(*(lines for at, lines in seen if at <= until))
            assert not back, "%d entries that made room are back" % len(back)
        assert again.stop() == 0
        check_folder(again.data)
        again.start()
    # There are no rules of bytes any more, so that nothing makes room.
    check_cuts(tmp_path, data, events, (removals, renames, range(first, len(events))), random.Random(3),
               SMALL_STORE + ("storage: {min_free: 0}\n" if mode.reason != "age" else mode.config), check_at, CUTS)
