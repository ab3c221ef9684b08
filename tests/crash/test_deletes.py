"""Deletes over kills and power cuts: nothing that was not deleted is lost, nothing that was deleted comes back."""
import http.client
import json
import os
import random
import shutil
import threading
import time

import pytest

from powercut import Disk, read_journal, write_state
from programs import BUILD, LONG, NS, Ingester

POINTS = 100 if LONG else 10
LIBRARY = os.path.join(BUILD, "tests", "support", "libpowercut.so")
CONFIG = "head: {flush_bytes: 1MiB}\nwal: {segment_bytes: 1MiB}\nstorage: {delete_cancel_period: 700ms}\n"
PATH = "/loki/api/v1/delete"
DAY = 24 * 3600 * NS


class Done:
    """One thing that was done: when it began, when its answer came (None: it never did)."""

    def __init__(self, kind, **what):
        self.kind, self.begun, self.answered = kind, time.monotonic_ns(), None
        self.__dict__.update(what)


class Actions:
    """Pushes, deletes, cancellations, flushes and waits, one after the other; what was done is remembered."""

    def __init__(self, server, seed):
        self.server, self.rng, self.history, self.nlines, self.ndeletes = server, random.Random(seed), [], 0, 0

    def call(self, done, method, path, params=None, body=None):
        self.history.append(done)
        try:
            status, text = self.server.ask(method, path, params, body, headers={"Content-Type": "application/json"} if body else None)
        except (OSError, http.client.HTTPException):
            return None
        if status == 204:
            done.answered = time.monotonic_ns()
        return status

    def push_lines(self, kind, label, prefix, text):
        """Up to 300 lines of three streams {label="<prefix>0"}..., of the last three days; `text` makes what follows a line's number."""
        now, lines, streams = time.time_ns(), [], {}
        for _ in range(self.rng.randrange(1, 300)):
            value, ts = "%s%d" % (prefix, self.rng.randrange(3)), now - self.rng.randrange(3 * DAY)
            line = "%d %s" % (self.nlines, text())
            self.nlines += 1
            lines.append((line, value, ts))
            streams.setdefault(value, []).append([str(ts), line])
        body = json.dumps({"streams": [{"stream": {label: value}, "values": values} for value, values in streams.items()]})
        return self.call(Done(kind, lines=lines), "POST", "/loki/api/v1/push", body=body.encode())

    def push(self):
        return self.push_lines("push", "app", "a", lambda: "k%d %s" % (self.rng.randrange(8), "x" * self.rng.randrange(200)))

    def delete(self):
        self.ndeletes += 1
        app, k, cut = "a%d" % self.rng.randrange(3), self.rng.randrange(8), self.rng.random() < 0.3
        query = '{app="%s"} != "%d of no line"' % (app, self.ndeletes)
        if self.rng.random() < 0.8:
            query += ' |= " k%d "' % k
        else:
            k = None
        end = int(time.time()) - (DAY // NS if cut else 0)
        done = Done("delete", query=query, app=app, k=k, end=end * NS)
        return self.call(done, "POST", PATH, {"query": query, "start": end - 10 * DAY // NS, "end": end})

    def listed(self):
        status, text = self.server.ask("GET", PATH)
        assert status == 200
        return json.loads(text)

    def cancel(self):
        try:
            waiting = [d for d in self.listed() if d["status"] == "received"]
        except (OSError, AssertionError, http.client.HTTPException):
            return None
        if not waiting:
            return None
        chosen = self.rng.choice(waiting)
        return self.call(Done("cancel", query=chosen["query"]), "DELETE", PATH, {"request_id": chosen["request_id"]})

    def flush(self):
        return self.call(Done("flush"), "POST", "/flush")

    def wait(self):
        time.sleep(self.rng.choice((0.01, 0.1, 0.5)))

    def one(self):
        return self.rng.choice([self.push] * 6 + [self.delete] * 3 + [self.cancel, self.flush, self.flush, self.wait])()


def check(server, history, until=None):
    """What the server has is what was done up to `until`; what was under way then may have been done or not."""
    done = [d for d in history if until is None or d.begun <= until]
    sure = lambda d: d.answered is not None and (until is None or d.answered <= until)
    status, text = server.ask("GET", PATH)
    assert status == 200
    listed = {d["query"] for d in json.loads(text)}
    cancels = {d.query: d for d in done if d.kind == "cancel"}
    there, must, hidden = [], set(), set()
    for d in done:
        if d.kind == "push":
            there += d.lines
            must.update(line for line, _, _ in d.lines if sure(d))
        elif d.kind == "delete":
            if sure(d) and d.query not in cancels:
                assert d.query in listed, "the delete %s is lost" % d.query
            if d.query in cancels and sure(cancels[d.query]):
                assert d.query not in listed, "the cancelled delete %s is back" % d.query
            if d.query in listed:
                hidden.update(line for line, app, ts in there
                              if app == d.app and ts <= d.end and (d.k is None or " k%d " % d.k in line))
    have = [line.decode() for line in server.export_lines('{app=~".+"}')]
    assert len(have) == len(set(have)), "entries are there twice"
    have = set(have)
    lost, back = must - hidden - have, hidden & have
    assert not lost, "%d entries that nobody deleted are lost: %s" % (len(lost), sorted(lost)[:3])
    assert not back, "%d deleted entries are back: %s" % (len(back), sorted(back)[:3])
    assert have <= {line for line, _, _ in there}


@pytest.mark.parametrize("seed", range(1, POINTS // 10 + 1))
def test_deletes_survive_kills_at_any_point(make_ingester, seed):
    server = make_ingester(config=CONFIG).start()
    actions = Actions(server, seed)
    for _ in range(10):
        timer = threading.Timer(actions.rng.uniform(0.02, 1.5), server.kill)
        timer.start()
        while server.running():
            actions.one()
        timer.join()
        server.start()
        assert int(server.metrics()["cordwood_wal_missing_frames_total"]) == 0
        check(server, actions.history)
    for _ in range(40):
        actions.one()
    time.sleep(1)
    actions.flush()
    check(server, actions.history)
    kinds = [d.kind for d in actions.history if d.answered]
    assert kinds.count("push") > 10 and kinds.count("delete") > 5 and "cancel" in kinds
    assert int(server.metrics()["cordwood_removed_entries_total"]) > 0 or any(d["removed_entries"] for d in actions.listed())
    assert server.stop() == 0


def check_cuts(tmp_path, data, events, choices, rng, config, check_at, points=POINTS):
    """So many power cuts at events drawn from `choices` in turn, or beside them: check_at(server, time of the cut) of a server that starts there."""
    for n in range(points):
        at = rng.choice(choices[n % len(choices)]) + rng.randrange(-2, 3)
        at = min(max(at, 1), len(events) - 1)
        mode = ("mixed", "least", "mixed", "most")[n % 4]
        folder = tmp_path / ("cut%d" % n)
        write_state(Disk(events[:at], str(data)).state(rng, mode), str(data), str(folder / "data"))
        again = Ingester(folder, config=config, data=folder / "data")
        try:
            again.start()
            assert int(again.metrics()["cordwood_wal_missing_frames_total"]) == 0
            try:
                check_at(again, events[at - 1].mono_ns)
            except AssertionError as e:
                raise AssertionError("cut %d at event %d (%s) of %d, %s: %s" % (n, at, events[at].op, len(events), mode, e)) from e
            assert again.stop() == 0
        finally:
            again.kill()
        shutil.rmtree(folder)


def test_deletes_survive_power_cuts(tmp_path):
    data = tmp_path / "run" / "data"
    data.mkdir(parents=True)
    journal = tmp_path / "run" / "journal"
    server = Ingester(tmp_path / "run", config=CONFIG, env={"CW_POWERCUT_ROOT": str(data), "CW_POWERCUT_LOG": str(journal)},
                      preload=LIBRARY, data=data)
    actions = Actions(server, 2)
    try:
        server.start()
        for _ in range(400 if LONG else 120):
            actions.one()
        assert server.stop() == 0
    finally:
        server.kill()
    events = read_journal(journal)
    first = next(i for i, e in enumerate(events) if e.mono_ns >= actions.history[0].begun)
    # beside changes of the file, of the catalog, of parts and segments
    interesting = [i for i, e in enumerate(events) if i > first and e.op in "RUC"]
    of_deletes = [i for i in interesting if "/deletes" in events[i].path1 + events[i].path2]
    assert len(of_deletes) > 20
    check_cuts(tmp_path, data, events, (of_deletes, interesting, range(first, len(events))), random.Random(3), CONFIG,
               lambda again, until: check(again, actions.history, until))
