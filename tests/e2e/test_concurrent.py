"""Many queries at once: none waits for the end of long ones, memory stays within its limit, and a client that leaves ends its query."""
import time

import pytest

from asking import Asking, running
from programs import NS, wait_for

START = 1_700_000_000 * NS
STREAMS, LINES = 100, 200


def slow(steps):
    """Some 65 microseconds a line for each thousand steps, and no entry in the answer."""
    return '| line_format "{{ range %d }}{{ end }}{{ .n }}" | n = "none"' % steps


SLOW = slow(20000)   # tens of seconds


def push_all(server):
    for i in range(STREAMS):
        server.push([({"app": "big", "n": str(i)}, [(START + k * NS, "line %d of %d" % (k, i)) for k in range(LINES)])])
    server.push([({"app": "small"}, [(START + k * NS, "line %d" % k) for k in range(10)])])


@pytest.fixture
def full(make_ingester):
    server = make_ingester(config="memory: {limit: 256MiB}\n").start()
    push_all(server)
    return server


def asking(server, path, **params):
    return Asking(server, path, **{"start": START, "end": START + LINES * NS, **params})


def test_short_queries_end_while_long_ones_run(full):
    long = [asking(full, "/loki/api/v1/query_range", query='{app="big"} ' + slow(3000)) for _ in range(8)]
    wait_for("the long queries", lambda: running(full) == 8)
    short = [asking(full, "/loki/api/v1/query_range", query='sum(count_over_time({app="small"}[1m]))') for _ in range(100)]
    for one in short:
        one.join()
    assert [one.status for one in short] == [200] * 100
    assert [one.status for one in long] == [None] * 8, "a long query was answered before"
    for one in long:
        one.leave()
    wait_for("the end of what nobody waits for", lambda: running(full) == 0, seconds=10)


def test_a_hundred_queries_at_once_are_all_answered_within_the_memory(full):
    assert full.ask("POST", "/flush")[0] == 204
    queries = ['sum by (n) (count_over_time({app="big"} |= "line" [1m]))', '{app="big"} |= "7"', 'sum(rate({app=~".+"} | pattern "line <k> of <_>" | k > 50 [30s]))']
    asked = [asking(full, "/loki/api/v1/query_range", query=queries[i % 3], step="10") for i in range(100)]
    for one in asked:
        one.join()
    assert [one.status for one in asked] == [200] * 100
    with open("/proc/%d/status" % full.pid) as file:
        peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM:"))
    assert peak < 256 << 10


@pytest.mark.parametrize("flushed", [False, True])
@pytest.mark.parametrize("path, params", [
    ("/loki/api/v1/query_range", {"query": '{app="big"} ' + SLOW}),
    ("/loki/api/v1/query_range", {"query": '{app="big"} ' + SLOW, "partial": "true"}),
    ("/loki/api/v1/query_range", {"query": 'sum by (n) (rate({app="big"} %s [1m]))' % SLOW, "step": "5"}),
    ("/loki/api/v1/query_range", {"query": 'sum by (n) (rate({app="big"} %s [1m]))' % SLOW, "step": "5", "partial": "true"}),
    ("/loki/api/v1/query", {"query": 'sum(count_over_time({app="big"} %s [1h]))' % SLOW, "time": str(START + LINES * NS)}),
    ("/loki/api/v1/detected_fields", {"query": '{app="big"} ' + SLOW}),
    ("/loki/api/v1/detected_field/n/values", {"query": '{app="big"} ' + SLOW}),
    ("/api/prom/query", {"query": '{app="big"} ' + SLOW}),
    ("/cordwood/v1/export", {"query": '{app="big"} ' + SLOW}),
    ("/cordwood/v1/analyze", {"query": '{app="big"} ' + SLOW}),
])
def test_a_query_ends_with_its_client(full, path, params, flushed):
    """100 ms is what is promised; the machine that runs the test may be slow, the query takes tens of seconds."""
    assert not flushed or full.ask("POST", "/flush")[0] == 204
    one = asking(full, path, **params)
    wait_for("the query", lambda: running(full) == 1, seconds=8, every=0.005)
    time.sleep(0.1)
    assert running(full) == 1, "the query is too short for the test"
    one.leave()
    left = time.monotonic()
    wait_for("its end", lambda: running(full) == 0, seconds=5, every=0.005)
    print("ended %.0f ms behind its client" % ((time.monotonic() - left) * 1e3))
