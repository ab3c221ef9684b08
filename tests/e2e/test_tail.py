"""Live tails: /loki/api/v1/tail with a WebSocket client of others, and what a client may do wrong."""
import json
import socket
import threading
import time
import urllib.parse

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from programs import NS, wait_for

# What the server adds to entries of {app="a"} whose lines tell no level.
FOUND = {"detected_level": "unknown", "service_name": "a"}


def now():
    return time.time_ns()


def tail(server, query, path="/loki/api/v1/tail", headers=None, **params):
    url = "ws://%s%s?%s" % (server.address, path, urllib.parse.urlencode({"query": query, **params}))
    return connect(url, additional_headers=headers or {}, open_timeout=20, close_timeout=2, max_size=None)


def entries_of(frame):
    """[(ns, line, labels)] of one frame."""
    return [(int(value[0]), value[1], stream["stream"]) for stream in frame["streams"] for value in stream["values"]]


def take(connection, n, seconds=20):
    """The next n entries (or more), over as many frames as they come in."""
    entries, end = [], time.monotonic() + seconds
    while len(entries) < n:
        frame = json.loads(connection.recv(timeout=max(0.01, end - time.monotonic())))
        entries += entries_of(frame)
    return entries


def closing(connection, seconds=20):
    """How the server ends it: (code, reason)."""
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            connection.recv(timeout=seconds)
    return closed.value.rcvd.code, closed.value.rcvd.reason


def refused(server, **params):
    with pytest.raises(InvalidStatus) as refusal:
        tail(server, **params)
    return refusal.value.response.status_code, refusal.value.response.body.decode().strip()


def test_a_tail_gives_what_there_is_and_what_comes(ingester):
    start = now()
    ingester.push([({"app": "a", "env": "x"}, [(start + i, "old %d" % i) for i in range(5)]), ({"app": "b"}, [(start, "other")])])
    with tail(ingester, '{app="a"}', limit=3) as connection:
        frame = json.loads(connection.recv(timeout=20))
        assert frame == {"streams": [{"stream": {"app": "a", "env": "x", **FOUND}, "values": [[str(start + i), "old %d" % i]]} for i in (2, 3, 4)]}
        then = now()
        ingester.push([({"app": "b"}, [(then, "other")]), ({"app": "a", "env": "y"}, [(then + 1, "new 1"), (then + 2, "new 2")])])
        assert take(connection, 2) == [(then + 1 + i, "new %d" % (i + 1), {"app": "a", "env": "y", **FOUND}) for i in range(2)]
    metrics = ingester.metrics()
    assert metrics["cordwood_tail_entries_total"] == "5" and metrics["cordwood_tail_dropped_total"] == "0"
    wait_for("end of the tail", lambda: ingester.metrics()["cordwood_tails"] == "0")


def test_start_bounds_the_history_and_the_default_is_an_hour(ingester):
    t = now()
    ingester.push([({"app": "a"}, [(t - 7200 * NS, "two hours"), (t - 600 * NS, "ten minutes"), (t - NS, "a second")])])
    with tail(ingester, '{app="a"}') as connection:
        assert [e[1] for e in take(connection, 2)] == ["ten minutes", "a second"]
    with tail(ingester, '{app="a"}', start=t - 60 * NS) as connection:
        assert [e[1] for e in take(connection, 1)] == ["a second"]
    with tail(ingester, '{app="a"}', start=t - 3 * 3600 * NS) as connection:
        assert [e[1] for e in take(connection, 3)] == ["two hours", "ten minutes", "a second"]


def test_pipelines_work_on_tails(ingester):
    query = '{app="a"} |= "GET" | json | status >= 500 | line_format "{{.path}} {{.status}}" | drop path'
    with tail(ingester, query) as connection:
        t = now()
        lines = [json.dumps({"method": m, "path": "/%d" % i, "status": s}) for i, (m, s) in enumerate([("GET", 200), ("GET", 503), ("PUT", 500), ("GET", 500)])]
        ingester.push([({"app": "a"}, [(t + i, line, {"trace": "t%d" % i}) for i, line in enumerate(lines)])])
        assert take(connection, 2) == [(t + 1, "/1 503", {"app": "a", "method": "GET", "status": "503", "trace": "t1", **FOUND}),
                                       (t + 3, "/3 500", {"app": "a", "method": "GET", "status": "500", "trace": "t3", **FOUND})]


def test_labels_are_categorised_when_asked(ingester):
    with tail(ingester, '{app="a"} | logfmt', headers={"X-Loki-Response-Encoding-Flags": "categorize-labels"}) as connection:
        t = now()
        ingester.push([({"app": "a"}, [(t, "k=v", {"trace": "1"})])])
        assert json.loads(connection.recv(timeout=20)) == {
            "streams": [{"stream": {"app": "a", "service_name": "a"},
                         "values": [[str(t), "k=v", {"structuredMetadata": {"detected_level": "unknown", "trace": "1"}, "parsed": {"k": "v"}}]]}],
            "encodingFlags": ["categorize-labels"]}


def test_the_old_api(ingester):
    with tail(ingester, '{app="a"}', path="/api/prom/tail", regexp="n.w") as connection:
        ingester.push([({"app": "a"}, [(NS * (now() // NS), "old"), (NS * (now() // NS) + 5, "new")])])
        frame = json.loads(connection.recv(timeout=20))
        assert frame["dropped_entries"] is None
        assert [(s["labels"], [e["line"] for e in s["entries"]]) for s in frame["streams"]] == [
            ('{app="a", detected_level="unknown", service_name="a"}', ["new"])]
        assert frame["streams"][0]["entries"][0]["ts"].endswith(".000000005Z")


def test_an_entry_waits_for_delay_for(ingester):
    with tail(ingester, '{app="a"}', delay_for=2) as connection:
        t = now()
        ingester.push([({"app": "a", "n": "1"}, [(t, "second")])])
        ingester.push([({"app": "a", "n": "2"}, [(t - 1, "first")])])
        got = take(connection, 2)
        waited = now() - t
        assert [e[1] for e in got] == ["first", "second"], "put in order meanwhile"
        assert 2 * NS <= waited


def test_entries_of_the_future_wait_for_their_time(ingester):
    with tail(ingester, '{app="a"}') as connection:
        t = now()
        ingester.push([({"app": "a"}, [(t + 2 * NS, "later"), (t, "now")])])
        assert take(connection, 1)[0][1] == "now"
        assert take(connection, 1)[0][1] == "later"
        assert now() >= t + 2 * NS


def test_wrong_requests_are_refused_before_the_upgrade(ingester):
    assert refused(ingester, query='{app="a"}', delay_for=6) == (400, "delay_for can't be greater than 5")
    assert refused(ingester, query='{app="a"}', delay_for=-1) == (400, "delay_for can't be greater than 5")
    assert refused(ingester, query='{app="a"}', delay_for="x") == (400, 'strconv.Atoi: parsing "x": invalid syntax')
    assert refused(ingester, query='{app="a"}', limit=0) == (400, "limit must be a positive value")
    assert refused(ingester, query="{app=") == (400, "parse error at line 1, col 6: syntax error: unexpected $end, expecting STRING")
    assert ingester.ask("GET", "/loki/api/v1/tail", {"query": '{app="a"}'}) == (400, b"Bad Request\n")
    assert ingester.answer_headers["Sec-WebSocket-Version"] == "13"
    assert ingester.ask("POST", "/loki/api/v1/tail")[0] == 405


def test_a_metric_query_is_refused_in_lokis_words(ingester):
    with tail(ingester, 'count_over_time({app="a"}[1m])') as connection:
        assert closing(connection) == (1011, "only log selector is supported")


def test_ten_tails_and_no_more(ingester):
    tails = [tail(ingester, '{app="a"}') for _ in range(10)]
    with tail(ingester, '{app="a"}') as connection:
        assert closing(connection) == (
            1011, "rpc error: code = Code(400) desc = max concurrent tail requests limit exceeded, count > limit (11 > 10)")
    ingester.push([({"app": "a"}, [(now(), "for all")])])
    for connection in tails:
        assert take(connection, 1)[0][1] == "for all"
    tails.pop().close()
    wait_for("room", lambda: ingester.metrics()["cordwood_tails"] == "9")
    with tail(ingester, '{app="a"}') as connection:
        assert take(connection, 1)[0][1] == "for all"
    for connection in tails:
        connection.close()


def test_limits_are_of_a_tenant_and_tenants_do_not_see_each_other(make_ingester):
    server = make_ingester(config="auth_enabled: true\nlimits_config: {max_concurrent_tail_requests: 1}\noverrides: {big: {max_concurrent_tail_requests: 2}}\n").start()
    with pytest.raises(InvalidStatus) as refusal:
        tail(server, '{app="a"}')
    assert refusal.value.response.status_code == 401
    small, big = {"X-Scope-OrgID": "small"}, {"X-Scope-OrgID": "big"}
    with tail(server, '{app="a"}', headers=small) as a, tail(server, '{app="a"}', headers=big) as b, tail(server, '{app="a"}', headers=big):
        with tail(server, '{app="a"}', headers=small) as more:
            assert closing(more)[1].endswith("(2 > 1)")
        server.push([({"app": "a"}, [(now(), "of big")])], headers=big)
        server.push([({"app": "a"}, [(now(), "of small")])], headers=small)
        assert [e[1] for e in take(a, 1)] == ["of small"]
        assert [e[1] for e in take(b, 1)] == ["of big"]


def test_a_tail_goes_on_over_flushes_and_merges(ingester):
    with tail(ingester, '{app="a"}') as connection:
        want = []
        for i in range(20):
            t = now()
            ingester.push([({"app": "a"}, [(t, "line %d" % i)])])
            want.append("line %d" % i)
            if i % 3 == 2:
                assert ingester.ask("POST", "/flush")[0] == 204
        assert [e[1] for e in take(connection, 20)] == want


def test_history_and_news_meet_without_gap_or_repeat(ingester):
    """Tails that begin in the middle of a stream of pushes see each line once."""
    stop, sent = threading.Event(), []

    def push():
        while not stop.is_set():
            lines = [(now() + k, "line %d" % (len(sent) + k)) for k in range(20)]
            ingester.push([({"app": "a", "s": str(len(sent) % 3)}, lines)])
            sent.extend(line for _, line in lines)
    thread = threading.Thread(target=push)
    thread.start()
    try:
        for _ in range(15):
            wait_for("lines", lambda n=len(sent): len(sent) > n + 100)
            with tail(ingester, '{app="a"}', limit=5000) as connection:
                got = take(connection, min(len(sent), 5000) + 200)
                lines = [e[1] for e in got]
                assert len(set(lines)) == len(lines)
                numbers = sorted(int(line.split()[1]) for line in lines)
                # One push may be seen in part: its other streams come with the next frame.
                assert numbers[-1] - numbers[0] + 1 - len(numbers) <= 20, "a gap"
    finally:
        stop.set()
        thread.join()


def test_a_slow_reader_loses_entries_is_told_and_holds_up_nobody(make_ingester):
    server = make_ingester(config="memory: {limit: 256MiB}\n").start()
    with raw_tail(server) as slow, tail(server, '{app="b"}') as other:
        line, pushes = "x" * 1000, 60
        for i in range(pushes):
            t = now()
            server.push([({"app": "a"}, [(t + k, "%d.%d %s" % (i, k, line)) for k in range(1000)])])
        server.push([({"app": "b"}, [(now(), "quick")])])
        assert take(other, 1, seconds=5)[0][1] == "quick"
        wait_for("dropped entries", lambda: int(server.metrics()["cordwood_tail_dropped_total"]) > 1000)
        assert int(server.metrics()['cordwood_memory_bytes{use="queries"}']) < 16 << 20
        assert server.count('{app="a"}') == pushes * 1000, "all is stored"
        # It reads after all: what was kept for it, and then what was not.
        entries, dropped = [], []
        for frame in text_frames(slow):
            entries += entries_of(frame)
            dropped += frame.get("dropped_entries", [])
            if dropped:
                break
        assert len(entries) >= 1000 and len({line for _, line, _ in entries}) == len(entries)
        assert 1 <= len(dropped) <= 1000
        assert all(d["labels"] == {"app": "a", **FOUND} and d["timestamp"].isdigit() for d in dropped)
        wait_for("room", lambda: int(server.metrics()['cordwood_memory_bytes{use="queries"}']) < 8 << 20)


def test_the_end_of_the_server_is_told(ingester):
    with tail(ingester, '{app="a"}') as connection:
        begin = time.monotonic()
        assert ingester.stop() == 0
        assert time.monotonic() - begin < 8, "tails do not hold up the stop"
        assert closing(connection) == (1001, "the server is stopping")


def test_the_longest_tail(make_ingester):
    server = make_ingester(config="querier: {tail_max_duration: 1s}\n").start()
    with tail(server, '{app="a"}') as connection:
        assert closing(connection) == (1011, "reached tail max duration limit")


def test_pings_both_ways(ingester):
    with tail(ingester, '{app="a"}') as connection:
        assert connection.ping("hello").wait(10), "answered"
        # The library answers the server's pings, so a tail lives longer than it would in silence.
        connection.close(1000, "bye")
        assert connection.close_code == 1000


def test_grafana_may_pass_a_tail_on(ingester):
    """What Grafana's proxy adds is taken, as far as it is of this machine."""
    with tail(ingester, '{app="a"}', headers={"Origin": "http://localhost:3000"}) as connection:
        ingester.push([({"app": "a"}, [(now(), "seen")])])
        assert take(connection, 1)[0][1] == "seen"
    with pytest.raises(InvalidStatus) as refusal:
        tail(ingester, '{app="a"}', headers={"Origin": "http://evil.example"})
    assert refusal.value.response.status_code == 403


HANDSHAKE = ("GET /loki/api/v1/tail?query=%%7Bapp%%3D%%22a%%22%%7D HTTP/1.1\r\nHost: %s\r\nConnection: keep-alive, Upgrade\r\n"
             "Upgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")


def raw_tail(server, behind=b""):
    """A WebSocket without a library: what it says is up to the test."""
    host, port = server.address.rsplit(":", 1)
    connection = socket.create_connection((host, int(port)), timeout=20)
    connection.sendall((HANDSHAKE % server.address).encode() + behind)
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(1)
    assert head.startswith(b"HTTP/1.1 101 ") and b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
    return connection


def text_frames(connection):
    """The texts that come, as JSON; a server's frames are not masked and not fragmented."""
    data = b""

    def need(n):
        nonlocal data
        while len(data) < n:
            piece = connection.recv(1 << 16)
            assert piece, "the connection ended"
            data += piece
    while True:
        need(2)
        size = {126: 2, 127: 8}.get(data[1], 0)
        need(2 + size)
        length = int.from_bytes(data[2:2 + size], "big") if size else data[1]
        need(2 + size + length)
        payload, opcode = data[2 + size:2 + size + length], data[0] & 15
        data = data[2 + size + length:]
        if opcode == 1:
            yield json.loads(payload)


def close_code(connection):
    """The code of the close frame that comes, pings before it left out."""
    data = b""
    while True:
        piece = connection.recv(4096)
        data += piece
        while len(data) >= 2 and len(data) >= 2 + data[1]:
            if data[0] == 0x88:
                return int.from_bytes(data[2:4], "big")
            data = data[2 + data[1]:]
        assert piece, "the connection ended without a close frame"


def test_what_clients_do_wrong_is_told_by_the_close_code(ingester):
    mask = b"\0\0\0\0"
    for frame, code in ((b"\x81\x01x", 1002),                                       # not masked
                        (b"\xc1\x81" + mask + b"x", 1002),                          # a reserved bit
                        (b"\x83\x80" + mask, 1002),                                 # an unknown opcode
                        (b"\x80\x81" + mask + b"x", 1002),                          # nothing to continue
                        (b"\x81\x81" + mask + b"\xff", 1007),                       # no UTF-8
                        (b"\x81\xff" + (1 << 40).to_bytes(8, "big") + mask, 1009),  # too long
                        (b"\x88\x82" + mask + b"\x03\xe9", 1001)):                  # a close frame is answered
        with raw_tail(ingester, behind=frame) as connection:
            assert close_code(connection) == code, frame
    assert ingester.push([({"app": "a"}, [(now(), "alive")])])[0] == 204


def test_head_is_no_way_to_a_websocket(ingester):
    host, port = ingester.address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall((HANDSHAKE % ingester.address).replace("GET", "HEAD", 1).encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 400 ")
    assert ingester.ask("GET", "/ready")[0] == 200


def test_clients_that_vanish_leave_nothing(ingester):
    for i in range(30):
        connection = raw_tail(ingester)
        if i % 2:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
        connection.close()
        wait_for("end of the tail", lambda: ingester.metrics()["cordwood_tails"] == "0")
    assert ingester.stop() == 0
