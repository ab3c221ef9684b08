"""What a server still does for a client that left: nothing, but for the little that is between two looks."""
import json
import signal
import subprocess
import time

import pytest

from asking import Asking, cpu_ms, running
from programs import CLI, LONG, NS, wait_for

START = 1_700_000_000 * NS
STREAMS, LINES = 20, 7500 if LONG else 2500   # of many lines each
WIDE = 100000 if LONG else 20000               # of one line each
ALL = '{app="big"} | json'
# 100 ms are promised. The watch looks at clients every 25 ms, and both of two workers may be at work until then; the machine that runs
# the test may give its cores to others, so that CPU is counted, not time.
PROMISED_MS = 150


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    from programs import Ingester
    server = Ingester(tmp_path_factory.mktemp("cancel"), config="limits_config: {max_query_series: 0, max_entries_limit_per_query: 0, volume_max_series: 1000000}\n"
                      "memory: {limit: 2GiB}\n").start()
    for i in range(STREAMS):
        lines = [(START + k * NS // 20, json.dumps({"id": "%d-%d" % (i, k), "ms": k * 7919 % 1000, "user": "u%d" % (k % 97),
                                                    "text": "request %d of user %d was answered" % (k, k % 97)})) for k in range(LINES)]
        server.push([({"app": "big", "n": str(i)}, lines)])
    for first in range(0, WIDE, 5000):
        server.push([({"app": "wide", "id": "%07d" % (k * 7919 % 1000003)}, [(START + k * NS // 1000, "line %d" % k)])
                     for k in range(first, min(first + 5000, WIDE))])
    yield server
    server.kill()


END = START + LINES * NS // 20
RANGE = {"start": START, "end": END}
INSTANT = {"time": END}
CASES = {
    "json": ("/loki/api/v1/query_range", {**RANGE, "query": ALL + ' | text=~".*9.*8.*7.*6.*"'}),
    "many lines": ("/loki/api/v1/query_range", {**RANGE, "query": ALL, "limit": STREAMS * LINES}),
    "the old API": ("/api/prom/query", {**RANGE, "query": ALL, "limit": STREAMS * LINES}),
    "distinct, sorted": ("/loki/api/v1/query_range", {**RANGE, "query": ALL + " | distinct id | sort by (ms desc)", "limit": STREAMS * LINES, "extensions": "on"}),
    "many series": ("/loki/api/v1/query", {**INSTANT, "query": "topk(10, count_over_time(%s [1h]))" % ALL}),
    "sorted": ("/loki/api/v1/query", {**INSTANT, "query": "sort_desc(count_over_time(%s [1h]))" % ALL}),
    "steps": ("/loki/api/v1/query_range", {**RANGE, "step": "1", "query": "max by (user) (quantile_over_time(0.9, %s | unwrap ms [5m]) by (user, n))" % ALL}),
    "counted apart": ("/loki/api/v1/query_range", {**RANGE, "step": "10", "query": "count_distinct_over_time(id, %s [5m])" % ALL, "extensions": "on"}),
    "joined": ("/loki/api/v1/query", {**INSTANT, "query": 'count(count_over_time(%s [1h]) / on (id) group_left rate(%s [1h]))' % (ALL, ALL)}),
    "united": ("/loki/api/v1/query", {**INSTANT, "query": 'count(count_over_time(%s [1h]) or rate(%s [1h]))' % (ALL, ALL)}),
    "renamed": ("/loki/api/v1/query", {**INSTANT, "query": 'label_replace(count_over_time(%s [1h]), "x", "$2$1", "id", "(.*)-(.*)")' % ALL}),
    "export": ("/cordwood/v1/export", {**RANGE, "query": ALL}),
    "patterns": ("/loki/api/v1/patterns", {**RANGE, "query": '{app=~".+"}', "step": "1"}),
    "volume": ("/loki/api/v1/index/volume", {**RANGE, "query": '{app=~".+"}', "targetLabels": "app,id", "limit": WIDE}),
    "series": ("/loki/api/v1/series", {**RANGE, "match[]": ['{app=~".+", id!~".*9.*8.*7.*6"}', '{id=~".*1.*2.*3"}']}),
    "values": ("/loki/api/v1/label/id/values", {**RANGE, "query": '{id=~".*1.*2.*|.*2.*1.*"}'}),
    "fields": ("/loki/api/v1/detected_fields", {**RANGE, "query": '{app="big"}', "line_limit": 100000}),
    "labels": ("/loki/api/v1/detected_labels", {**RANGE, "query": '{app=~".+"}'}),
}


def whole_ms(server, path, params):
    """How long the answer takes."""
    begun = time.monotonic()
    one = Asking(server, path, **params)
    one.join()
    assert one.status == 200, one.status
    return (time.monotonic() - begun) * 1e3


def behind_ms(server, path, params, leave_after_ms):
    """CPU behind a client that leaves so long after it asked."""
    one = Asking(server, path, **params)
    time.sleep(leave_after_ms / 1e3)
    one.leave()
    before = cpu_ms(server)
    wait_for("the query's end", lambda: running(server) == 0, seconds=20, every=0.01)
    return cpu_ms(server) - before


def settle(server):
    """What a flush leaves to do is done: it would be counted with the query's."""
    def quiet():
        before = cpu_ms(server)
        time.sleep(0.3)
        return cpu_ms(server) - before < 6
    wait_for("a quiet server", quiet, seconds=60)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("flushed", [False, True])
def test_little_is_done_behind_a_client_that_left(full, name, flushed):
    """Wherever the query is when the client leaves."""
    path, params = CASES[name]
    assert not flushed or full.ask("POST", "/flush")[0] == 204
    settle(full)
    whole = min(whole_ms(full, path, params) for _ in range(2))
    parts = 10 if LONG else 4
    behind = [behind_ms(full, path, params, whole * (i + 0.5) / parts) for i in range(parts)]
    print("%s: %.0f ms as a whole; behind a client that left: %s CPU ms" % (name, whole, " ".join("%.0f" % ms for ms in behind)))
    assert max(behind) < PROMISED_MS


def test_a_local_query_ends_with_ctrl_c(tmp_path):
    """At once, and leaves no file behind."""
    (tmp_path / "spool").mkdir()
    with open(tmp_path / "a.log", "w") as f:
        for k in range(200000):
            f.write('{"time":"2026-01-01T00:%02d:%02dZ","id":"%d","ms":%d}\n' % (k // 60 % 60, k % 60, k, k % 997))
    query = "topk(3, quantile_over_time(0.5, {} | json | unwrap ms [1h]) by (id))"
    process = subprocess.Popen([CLI, "query", "--file", str(tmp_path / "a.log"), "--step", "1s", query], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env={"TMPDIR": str(tmp_path / "spool"), "TZ": "UTC"},
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))   # who tests in the background may ignore it
    time.sleep(0.2)
    assert process.poll() is None, "the query is too short for the test"
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=5)
    assert process.returncode == -signal.SIGINT
    assert out == b""
    assert list((tmp_path / "spool").iterdir()) == []
