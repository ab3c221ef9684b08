"""The query API over HTTP: what the conformance cases cannot ask for - clients that leave, exports, many queries at once."""
import gzip
import http.client
import json
import select
import socket
import threading
import time
import urllib.parse
import urllib.request

import pytest

from programs import NS, cli, wait_for
from wire import push_body, snappy

START = 1_700_000_000 * NS


def push_bytes(server, labels, entries):
    """Lines of any bytes, as protobuf: [(ns, line)]."""
    status, text = server.ask("POST", "/loki/api/v1/push", body=snappy(push_body([(labels, entries)])),
                              headers={"Content-Type": "application/x-protobuf"})
    assert status == 204, (status, text)


def fill(server, lines, streams=5):
    for s in range(streams):
        for at in range(0, lines, 20_000):
            server.push([({"app": "fill", "s": str(s)}, [(START + i * NS // 1000 * 7, "line %d of stream %d" % (i, s))
                                                         for i in range(at, min(lines, at + 20_000))])])


def running(server):
    return int(server.metrics()["cordwood_queries_running"])


def send_request(server, path, params):
    """The socket of a request whose answer nobody has read."""
    host, port = server.address.rsplit(":", 1)
    sock = socket.create_connection((host, int(port)))
    sock.sendall(("GET %s?%s HTTP/1.1\r\nHost: %s\r\n\r\n" % (path, urllib.parse.urlencode(params), server.address)).encode())
    return sock


def expect_end(server, path, params):
    """The query runs until its client leaves, and no longer."""
    sock = send_request(server, path, params)
    try:
        wait_for("running query", lambda: running(server) == 1, every=0.005)
    finally:
        sock.close()
    wait_for("end of the query", lambda: running(server) == 0, seconds=5, every=0.005)   # 0.1 is promised; a busy machine adds to it


# Tens of milliseconds for each text of 200,000 letters.
SLOW = "(a|aa)*(a|aaa)*(aa|aaaa)*[b-z]$"


def push_slow(server, line):
    """As a whole far longer than a test waits."""
    for k in range(5):
        server.push([({"app": "slow"}, [(START + NS * k + i, line % (i, "a" * 200_000)) for i in range(40)])])


def test_a_query_ends_when_its_client_leaves(ingester):
    push_slow(ingester, "%d %s")
    expect_end(ingester, "/loki/api/v1/query_range", {"query": '{app="slow"} |~ "%s"' % SLOW, "start": START, "end": START + 100 * NS})
    wait_for("a failure", lambda: int(ingester.metrics()["cordwood_queries_failed_total"]) >= 1)   # counted behind the end


def test_a_query_that_parses_lines_ends_when_its_client_leaves(ingester):
    push_slow(ingester, '{"n": %d, "text": "%s"}')
    for _ in range(2):   # from the head, then from parts
        for query in ('sum(count_over_time({app="slow"} | json | text=~"%s" [1h]))', 'max_over_time({app="slow"} | json | text=~"%s" | unwrap n [1h]) by (app)'):
            expect_end(ingester, "/loki/api/v1/query", {"query": query % SLOW, "time": START // NS + 100})
        assert ingester.ask("POST", "/flush")[0] in (200, 204)
    wait_for("four failures", lambda: int(ingester.metrics()["cordwood_queries_failed_total"]) >= 4)   # counted behind the end


def test_an_export_has_everything_in_time_order_and_byte_identical(ingester):
    fill(ingester, 60_000)
    odd = [(START + 5, b"\xff\x00\xfe"), (START + 5, "caf\u00e9 \u4e2d".encode()), (START + 5, b""), (START + 6, b"\x80" * 1000)]
    push_bytes(ingester, '{app="odd"}', odd)
    for _ in range(2):   # from the head, then from parts
        rows = ingester.export('{app="fill"}')
        assert len(rows) == 300_000
        times = [int(row["ts"]) for row in rows]
        assert times == sorted(times)
        assert len({(row["ts"], row["labels"]["s"], row["line"]) for row in rows}) == 300_000
        assert ingester.export_lines('{app="odd"}') == [line for _, line in odd]
        assert [set(row) for row in ingester.export('{app="odd"}')] == [
            {"ts", "labels", "metadata", line} for line in ("line_b64", "line", "line", "line_b64")]
        assert ingester.ask("POST", "/flush")[0] in (200, 204)


def test_an_export_that_nobody_reads_holds_no_query_up_and_ends_with_its_client(ingester):
    fill(ingester, 60_000)
    socks = [send_request(ingester, "/cordwood/v1/export", {"query": '{app="fill"}'}) for _ in range(6)]
    try:
        wait_for("running exports", lambda: running(ingester) >= 4)
        assert ingester.count('{app="fill"}', end=START // NS + 3600) == 300_000
    finally:
        for sock in socks:
            sock.close()
    wait_for("end of the exports", lambda: running(ingester) == 0)


def test_queries_of_long_chains_are_answered_and_not_laid_out_without_end(ingester):
    ingester.push([({"app": "chain"}, [(START + i * NS, "n=%d" % i) for i in range(10)])])
    selector, seconds = '{app="chain"}', START // NS

    def vector(query):
        status, text = ingester.ask("POST", "/loki/api/v1/query", body=urllib.parse.urlencode({"query": query, "time": seconds + 10}).encode(),
                                    headers={"Content-Type": "application/x-www-form-urlencoded"})
        assert status == 200, text[:300]
        return [s["value"][1] for s in json.loads(text)["data"]["result"]]

    def laid_out(query):
        status, text = ingester.ask("POST", "/loki/api/v1/format_query", body=urllib.parse.urlencode({"query": query}).encode(),
                                    headers={"Content-Type": "application/x-www-form-urlencoded"})
        return status, json.loads(text)

    for n in (1000, 5000, 20_000):
        assert vector("sum(count_over_time(%s[1m]))%s" % (selector, "+1" * n)) == [str(10 + n)]
    assert vector("+".join(["sum(count_over_time(%s[1m]))" % selector] * 1000)) == ["10000"]
    for n in (1000, 5000, 9000):
        assert vector("sum(count_over_time(%s | logfmt | n=5%s[1m]))" % (selector, " or n=11" * n)) == ["1"]
        assert vector("sum(count_over_time(%s | logfmt | n=5%s[1m]))" % (selector, " and n<9" * n)) == ["1"]
        assert vector("sum(count_over_time(%s |= `n`%s[1m]))" % (selector, " |= `=`" * n)) == ["10"]
    status, answer = laid_out("vector(1)" + "+1" * 1000)
    assert status == 200 and len(answer["data"].splitlines()) == 2 * (1000 - 14) + 1
    status, answer = laid_out("vector(1)" + "+1" * 65_000)
    assert (status, answer["status"]) == (400, "invalid-query") and answer["error"].startswith("the query over lines is longer than 64 MiB"), answer
    done = cli("fmt", "vector(1)" + "+1" * 65_000)
    assert done.returncode == 3 and b"the query over lines is longer than 64 MiB" in done.stderr and done.stdout == b""


def test_an_export_of_a_bad_query_is_an_error(ingester):
    assert ingester.ask("GET", "/cordwood/v1/export", {"query": "{"})[0] == 400
    assert ingester.ask("GET", "/cordwood/v1/export", {"query": 'rate({a="b"}[1m])'}) == (400, b"only log queries can be exported\n")
    assert ingester.ask("GET", "/cordwood/v1/export", {"query": '{a="none"}'}) == (200, b"")
    assert ingester.ask("GET", "/cordwood/v1/export", {"query": '{a="none"}', "start": START, "end": START, "damaged": "skip"}) == (200, b"")


@pytest.mark.parametrize("params,text", [
    ({"start": "x"}, "could not parse 'start' parameter: expected Unix time in nanoseconds or seconds, or RFC 3339, got \"x\""),
    ({"end": "yesterday"}, "could not parse 'end' parameter: expected Unix time in nanoseconds or seconds, or RFC 3339, got \"yesterday\""),
    ({"start": "1700000001", "end": "1700000000"}, "'start' (1700000001) is later than 'end' (1700000000): expected a start that is not"),
    ({"damaged": "zzz"}, "could not parse 'damaged' parameter: expected skip, or nothing, got \"zzz\""),
    ({"extensions": "zzz"}, "extensions can be on or off, not \"zzz\""),
])
def test_an_export_with_a_bad_parameter_is_an_error_that_names_it(ingester, params, text):
    assert ingester.ask("GET", "/cordwood/v1/export", {"query": '{a="b"}', **params}) == (400, text.encode() + b"\n")


def test_what_loki_has_behind_switches_is_behind_them_here(make_ingester):
    server = make_ingester(config="auth_enabled: true\noverrides: {on: {shard_aggregations: [approx_topk], enable_multi_variant_queries: true}}\n").start()
    now = time.time_ns()
    streams = [({"a": name}, [(now - k * 1000, "x" * count) for k in range(count)]) for name, count in (("b", 3), ("c", 1), ("d", 2))]
    queries = ['approx_topk(2, sum by (a) (count_over_time({a=~".+"}[1h])))',
               'variants(sum(count_over_time({a=~".+"}[1h])), sum(bytes_over_time({a=~".+"}[1h]))) of ({a=~".+"}[1h])',
               'variants(sum without (a, service_name, detected_level) (count_over_time({a=~".+"}[1h]))) of ({a=~".+"}[1h])']
    for tenant in ("off", "on"):
        server.push(streams, headers={"X-Scope-OrgID": tenant})
    answers = [server.ask("GET", "/loki/api/v1/query", {"query": q, "time": now}, headers={"X-Scope-OrgID": "off"}) for q in queries]
    assert answers == [(400, b"approx_topk is not enabled. See -limits.shard_aggregations\n"),
                       (400, b"multi variant queries are disabled for this instance\n")] + answers[1:2]
    results = []
    for q in queries:
        status, text = server.ask("GET", "/loki/api/v1/query", {"query": q, "time": now}, headers={"X-Scope-OrgID": "on"})
        assert status == 200, text
        results.append({json.dumps(s["metric"]): s["value"][1] for s in json.loads(text)["data"]["result"]})
    assert results == [{'{"a": "b"}': "3", '{"a": "d"}': "2"}, {'{"__variant__": "0"}': "6", '{"__variant__": "1"}': "14"},
                       {"{}": "6"}]


def test_many_queries_at_once_are_right_or_refused(ingester):
    fill(ingester, 2000)
    now = (START + 3600 * NS) // NS
    answers = []

    def ask():
        for _ in range(10):
            status, text = ingester.ask("GET", "/loki/api/v1/query", {"query": 'sum(count_over_time({app="fill"}[2h]))', "time": now})
            answers.append((status, json.loads(text)["data"]["result"][0]["value"][1] if status == 200 else text))
    threads = [threading.Thread(target=ask) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 400
    assert set(answers) <= {(200, "10000"), (429, b"too many outstanding requests\n")}
    assert (200, "10000") in answers


def test_short_queries_go_past_long_ones_of_their_tenant(ingester):
    """Order, not speed: short queries that come last are answered before any of 20 long ones."""
    for s in range(80):
        ingester.push([({"app": "slow", "s": str(s)}, [(START + s, "a" * 100_000)])])
    fill(ingester, 100)
    now = START // NS + 3600
    # Many pieces of work, and seconds of it, for each
    filters = " ".join('!~ "%s"' % SLOW.replace("b-z", "b-" + end) for end in "zyxwvuts")
    long = {"query": 'sum(count_over_time({app="slow"} %s [2h]))' % filters, "time": now}
    socks = [send_request(ingester, "/loki/api/v1/query", long) for _ in range(20)]
    try:
        wait_for("long queries", lambda: running(ingester) + int(ingester.metrics()["cordwood_queries_waiting"]) == len(socks))
        for _ in range(5):
            status, text = ingester.ask("GET", "/loki/api/v1/query", {"query": 'sum(count_over_time({app="fill"}[2h]))', "time": now}, timeout=300)
            assert (status, json.loads(text)["data"]["result"][0]["value"][1]) == (200, "500")
        assert select.select(socks, [], [], 0)[0] == []
    finally:
        for sock in socks:
            sock.close()
    wait_for("end of the long queries", lambda: running(ingester) == 0)


def test_answers_are_gzipped_when_asked(ingester):
    fill(ingester, 1000)
    host, port = ingester.address.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port))
    path = "/loki/api/v1/query_range?" + urllib.parse.urlencode({"query": '{app="fill"}', "start": START, "end": START + 3600 * NS, "limit": 5000})
    connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    body = answer.read()
    assert answer.getheader("Content-Encoding") == "gzip"
    assert sum(len(stream["values"]) for stream in json.loads(gzip.decompress(body))["data"]["result"]) == 5000


def test_a_query_past_its_time_is_504(make_ingester):
    """The query takes far longer than the 25 ms after which its time is looked at."""
    server = make_ingester(config="limits_config: {query_timeout: 1ms}\n").start()
    server.push([({"app": "slow"}, [(START + i, "a" * 200_000) for i in range(40)])])
    slow = '{app="slow"} | line_format `{{ regexReplaceAll "a(a)a" (repeat 20 __line__) "$1" }}`'
    status, text = server.ask("GET", "/loki/api/v1/query_range", {"query": slow, "start": START, "end": START + NS})
    assert status == 504 and text.startswith(b"Request timed out")


def test_the_volume_of_every_stream(make_ingester):
    ingester = make_ingester(config="limits_config: {discover_service_name: []}\n").start()
    fill(ingester, 10, streams=2)
    ingester.push([({"other": "x"}, [(START, "four")])])
    params = {"query": "{}", "start": START - NS, "end": START + NS}
    volumes = {}
    for extra in ({}, {"targetLabels": "other"}, {"aggregateBy": "labels"}):
        status, body = ingester.ask("GET", "/loki/api/v1/index/volume", {**params, **extra})
        assert status == 200, body
        volumes[str(extra)] = {json.dumps(one["metric"], sort_keys=True): int(one["value"][1]) for one in json.loads(body)["data"]["result"]}
    size = 10 * len("line 0 of stream 0")
    assert volumes["{}"] == {'{"app": "fill", "s": "0"}': size, '{"app": "fill", "s": "1"}': size, '{"other": "x"}': 4}
    assert volumes["{'targetLabels': 'other'}"] == {'{"other": "x"}': 4}
    assert volumes["{'aggregateBy': 'labels'}"] == {'{"app": ""}': 2 * size, '{"s": ""}': 2 * size, '{"other": ""}': 4}
    status, body = ingester.ask("GET", "/loki/api/v1/index/volume_range", {**params, "step": "1"})
    assert status == 200 and len(json.loads(body)["data"]["result"]) == 3


def test_the_volume_of_pieces_of_a_range(make_ingester):
    """Loki's times: a piece ends a millisecond before the next multiple of the step, the last one where the range does; each has its own largest."""
    server = make_ingester(config="limits_config: {discover_service_name: []}\n").start()
    s = START // NS                                                     # a multiple of 100
    for app, rows in (("a", [(0, "x"), (9, "xx"), (10, "xxx"), (24, "xxxx")]), ("b", [(9, "x" * 9), (19, "x"), (25, "never")])):
        server.push([({"app": app}, [(START + at * NS, line) for at, line in rows])])

    def ask(**extra):
        status, body = server.ask("GET", "/loki/api/v1/index/volume_range", {"query": '{app=~".+"}', "start": START, "end": START + 25 * NS, "step": "10", **extra})
        assert status == 200, body
        data = json.loads(body)["data"]
        return data["resultType"], {one["metric"]["app"]: one.get("values", one.get("value")) for one in data["result"]}, [one["metric"]["app"] for one in data["result"]]

    assert ask() == ("matrix", {"a": [[s + 9.999, "3"], [s + 19.999, "3"], [s + 25, "4"]], "b": [[s + 9.999, "9"], [s + 19.999, "1"]]}, ["b", "a"])
    assert ask(start=START + 20 * NS, end=START + 24 * NS + 1) == ("vector", {"a": [s + 24.001, "4"]}, ["a"])
    assert ask(limit=1) == ("matrix", {"b": [[s + 9.999, "9"]], "a": [[s + 19.999, "3"], [s + 25, "4"]]}, ["b", "a"])
    assert ask(start=START + 5 * NS, end=START + 10 * NS) == ("vector", {"a": [s + 10, "2"], "b": [s + 10, "9"]}, ["b", "a"])
    assert ask(step="100s") == ("vector", {"a": [s + 25, "10"], "b": [s + 25, "10"]}, ["a", "b"])
    assert ask(end=START + 5 * NS, step="0.0005") == ("vector", {"a": [s + 5, "1"]}, ["a"])
    assert ask(query='{app="none"}') == ("vector", {}, [])
    assert ask(end=START) == ("vector", {}, [])


def test_a_query_is_one_shard(ingester):
    ingester.push([({"app": "x", "n": str(i)}, [(START + i, "line")]) for i in range(3)])
    common = {"start": START - NS, "end": START + NS}
    stats = json.loads(ingester.ask("GET", "/loki/api/v1/index/stats", {**common, "query": '{app="x"}'})[1])
    for query in ('{app="x"}', '{app="x"} |= "line" | json', 'sum by (n) (rate({app="x"} [5m])) / 2'):
        for method in ("GET", "POST"):
            params = {**common, "query": query, "targetBytesPerShard": "1KB"}
            body, headers = (urllib.parse.urlencode(params).encode(), {"Content-Type": "application/x-www-form-urlencoded"}) if method == "POST" else (None, {})
            status, text = ingester.ask(method, "/loki/api/v1/index/shards", {} if body else params, body=body, headers=headers)
            answer = json.loads(text)
            assert status == 200 and sorted(answer) == ["chunkGroups", "shards", "statistics"] and answer["chunkGroups"] is None, text
            assert answer["shards"] == [{"bounds": {"min": 0, "max": 2**64 - 1}, "stats": stats}] and stats["streams"] == stats["entries"] == 3
            assert {"summary", "querier", "ingester"} <= set(answer["statistics"])
    empty = json.loads(ingester.ask("GET", "/loki/api/v1/index/shards", {**common, "query": '{app="none"}', "targetBytesPerShard": "1"})[1])
    assert empty["shards"] == [{"bounds": {"min": 0, "max": 2**64 - 1}, "stats": {"streams": 0, "chunks": 0, "bytes": 0, "entries": 0}}]
    status, text = ingester.ask("GET", "/loki/api/v1/index/shards", {**common, "query": 'rate({a="b"}[1m]) + rate({a="c"}[1m])', "targetBytesPerShard": "1"})
    assert (status, text) == (400, b"shards are of one selector, and the query has more: ask for each alone\n")


def test_answers_are_json_also_for_who_takes_protobuf(ingester):
    """Loki's queriers answer its own query frontend in protobuf; nobody else asks for it."""
    ingester.push([({"app": "x"}, [(START, "line")])])
    for path in ("query_range", "labels", "series", "index/stats"):
        params = {"query": '{app="x"}', "match[]": '{app="x"}', "start": START, "end": START + NS}
        url = "http://%s/loki/api/v1/%s?%s" % (ingester.address, path, urllib.parse.urlencode(params))
        with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": "application/vnd.google.protobuf"})) as answer:
            assert answer.headers["Content-Type"].startswith("application/json") and json.load(answer), path


def test_a_list_of_nothing_is_left_out_as_by_loki(ingester):
    ingester.push([({"app": "x"}, [(START, "line")])])
    for path, params, body in (("/loki/api/v1/labels", {"query": '{app="none"}'}, {"status": "success"}), ("/loki/api/v1/label/app/values", {"query": '{app="none"}'}, {"status": "success"}),
                               ("/loki/api/v1/label/none/values", {}, {"status": "success"}), ("/loki/api/v1/series", {"match[]": '{app="none"}'}, {"status": "success", "data": []}),
                               ("/api/prom/label", {"query": '{app="none"}'}, {}), ("/api/prom/label/none/values", {}, {})):
        status, text = ingester.ask("GET", path, {"start": START - NS, "end": START + NS, **params})
        assert (status, json.loads(text)) == (200, body), path


def test_metadata_without_a_name_costs_the_push_and_is_not_stored(ingester):
    for name, text in (("", "label name is empty"), ("é", 'normalization for label name "é" resulted in invalid name "_"')):
        body = json.dumps({"streams": [{"stream": {"app": "m"}, "values": [[str(START), "good"], [str(START + 1), "x", {name: "v"}]]}]})
        status, answer = ingester.ask("POST", "/loki/api/v1/push", body=body.encode(), headers={"Content-Type": "application/json"})
        assert (status, answer.decode().strip()) == (400, text)
    status, answer = ingester.ask("GET", "/loki/api/v1/query_range", {"query": '{app="m"}', "start": START - NS, "end": START + NS})
    assert status == 200 and json.loads(answer)["data"]["result"] == []
