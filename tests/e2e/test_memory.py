"""The memory budget under hostile load: memory.limit and a fixed base bound the process, whatever clients do at once."""
import collections
import concurrent.futures
import gzip
import http.client
import json
import os
import random
import threading
import time
import urllib.parse

from programs import LONG, NS, wait_for
from wire import field, push_body, snappy, varint

JSON = {"Content-Type": "application/json"}
PROTO = {"Content-Type": "application/x-protobuf"}
LIMIT_MIB = 128
BASE_MIB = 64       # the program itself, its libraries and stacks, and what the allocator cannot use again at once


def peak_mib(server):
    with open("/proc/%d/status" % server.pid) as f:
        return next(int(row.split()[1]) >> 10 for row in f if row.startswith("VmHWM:"))


class Clients:
    """Pushes and queries from many threads; what was acknowledged, and how the rest was refused."""

    def __init__(self, server):
        self.server, self.lock = server, threading.Lock()
        self.statuses = collections.defaultdict(collections.Counter)     # by kind of load
        self.acked = collections.Counter()                               # entries, by the value of the label `load`
        self.without_retry = []

    def ask(self, kind, method, path, **more):
        """(status, text); 0 when the connection was refused or cut."""
        host, port = self.server.address.rsplit(":", 1)
        connection = http.client.HTTPConnection(host, int(port), timeout=120)
        try:
            if "params" in more:
                path += "?" + urllib.parse.urlencode(more["params"])
            connection.request(method, path, body=more.get("body"), headers=more.get("headers") or {})
            answer = connection.getresponse()
            status, text = answer.status, answer.read()
            if status == 429 and not (answer.getheader("Retry-After") or "").isdigit():
                self.without_retry.append((kind, text))
        except OSError:
            status, text = 0, b""
        finally:
            connection.close()
        with self.lock:
            self.statuses[kind][status] += 1
        return status, text

    def push(self, kind, body, headers, n=0):
        status, text = self.ask(kind, "POST", "/loki/api/v1/push", body=body, headers=headers)
        if status == 204:
            with self.lock:
                self.acked[kind] += n
        return status, text

    def query(self, kind, path, **params):
        return self.ask(kind, "GET", "/loki/api/v1/" + path, params=params)


def run(*loads, nthreads=16):
    """All loads at once: each a list of functions, taken in turn."""
    jobs = [job for row in zip(*[load + [None] * (max(map(len, loads)) - len(load)) for load in loads]) for job in row if job]
    with concurrent.futures.ThreadPoolExecutor(nthreads) as pool:
        for done in [pool.submit(job) for job in jobs]:
            done.result()


def large_pushes(clients, now, sizes_kib):
    """Lines of 1,000 bytes that do not compress well."""
    def one(k, kib):
        def push():
            entries = [(now + k * NS + i, os.urandom(500).hex()) for i in range(kib)]
            clients.push("large", snappy(push_body([('{load="large", k="%d"}' % (k % 7), entries)])), PROTO, len(entries))
        return push
    return [one(k, kib) for k, kib in enumerate(sizes_kib)]


def many_streams(clients, now, npushes, nstreams=400):
    """Streams of one short line under 14 labels of 50 bytes."""
    def one(k):
        def push():
            streams = []
            for i in range(nstreams):
                pairs = ", ".join('l%d="%s"' % (j, "%s-%d-%d" % ("v" * 40, k * nstreams + i, j)) for j in range(13))
                streams.append(('{load="streams", %s}' % pairs, [(now + i, "x")]))
            clients.push("streams", snappy(push_body(streams)), PROTO, nstreams)
        return push
    return [one(k) for k in range(npushes)]


def parsed_lines(clients, now, npushes, per_push=2000):
    """What heavy queries go over: an id of its own in each line."""
    def one(k):
        def push():
            entries = [(now - 600 * NS + (k * per_push + i) * 1000, "id=%d-%d took=%d text=%s" % (k, i, i * 7919 % 100000, "y" * 120)) for i in range(per_push)]
            body = snappy(push_body([('{load="lines"}', entries)]))
            wait_for("room", lambda: clients.push("lines", body, PROTO, per_push)[0] == 204, 60, 0.1)
        return push
    return [one(k) for k in range(npushes)]


def bombs(clients, now, rounds):
    empty_entries = b"\x12\x00" * (4 << 20)                                        # 2 bytes, 40 when decoded
    small_entries = field(1, field(1, '{load="bomb"}') + empty_entries)
    empty_streams = b"\x0a\x00" * (1 << 20)
    pairs = field(1, field(1, '{load="bomb"}') + field(2, field(1, field(1, now // NS)) + b"\x1a\x00" * (3 << 20)))
    bodies = [
        (varint(0xffffffff) + b"\x00x", PROTO),                                      # says 4 GB
        (varint(100 << 20) + b"\x00x", PROTO),                                       # says 100 MiB
        (varint(20 << 20) + b"\x00x", PROTO),                                        # says what could be
        (snappy(bytes(60 << 20)), PROTO),
        (snappy(push_body([('{load="bomb"}', [(now, "z" * (30 << 20))])])), PROTO),  # a line that is too long
        (snappy(small_entries), PROTO),
        (snappy(empty_streams), PROTO),
        (snappy(pairs), PROTO),
        (gzip.compress(b'{"streams":[{"stream":{"load":"bomb"},"values":[' + b"[]," * (4 << 20), 1), {**JSON, "Content-Encoding": "gzip"}),
        (gzip.compress(b'{"streams":[' + b'{},' * (1 << 20), 1), {**JSON, "Content-Encoding": "gzip"}),
        (gzip.compress(bytes(200 << 20), 1), {**JSON, "Content-Encoding": "gzip"}),
        (b'{"streams":[{"stream":{"load":"bomb"},"values":[["%d","' % now + b"x" * (20 << 20), JSON),
    ]
    return [lambda body=body, headers=headers: clients.push("bomb", body, headers) for _ in range(rounds) for body, headers in bodies]


def heavy_queries(clients, now, n):
    start, end = (now - 3600 * NS) // NS, now // NS + 60
    queries = [
        ("query_range", {"query": '{load=~"lines|large"}', "limit": 5000}),
        ("query_range", {"query": '{load="lines"} | logfmt', "limit": 5000, "direction": "forward"}),
        ("query_range", {"query": 'sum by (id) (count_over_time({load="lines"} | logfmt [5m]))', "step": 10}),
        ("query", {"query": 'sum by (id) (count_over_time({load="lines"} | logfmt [1h]))'}),
        ("query", {"query": 'sort_desc(sum by (text, id) (count_over_time({load="lines"} | logfmt [1h])))'}),
        ("query", {"query": 'quantile_over_time(0.99, {load="lines"} | logfmt | unwrap took [1h]) by (load)'}),
        ("query_range", {"query": 'quantile_over_time(0.99, {load="lines"} | logfmt | unwrap took [30m]) by (id)', "step": 5}),
        ("query", {"query": 'topk(10, count_over_time({load="streams"}[1h]))'}),
        ("series", {"match[]": '{load="streams"}'}),
        ("query", {"query": 'count_over_time({load="streams"}[1h]) / on (l1) count_over_time({load="streams"}[1h])'}),
    ]
    chosen = [queries[i % len(queries)] for i in range(n)]
    return [lambda path=path, params=params: clients.query("query", path, **{"start": start, "end": end, "time": end, **params}) for path, params in chosen]


def counted(clients, load, now):
    """How many entries of the load there are; asked again while queries are refused for memory."""
    def ask():
        status, text = clients.query("count", "query", query='sum(count_over_time({load="%s"}[6h]))' % load, time=now // NS + 3600)
        assert status in (200, 429), (status, text)
        if status == 200:
            result = json.loads(text)["data"]["result"]
            return (int(float(result[0]["value"][1])) if result else 0,)
    return wait_for("count of " + load, ask, 60, 0.1)[0]


def test_the_process_stays_within_its_limit_under_hostile_load(make_ingester):
    server = make_ingester(config="memory: {limit: %dMiB}\nlimits_config: {max_query_series: 0}\n" % LIMIT_MIB).start()
    clients, now, rng = Clients(server), time.time_ns(), random.Random(1)
    sizes = [rng.choice([1000, 1000, 4000, 16000, 30000]) for _ in range(30)]
    run(parsed_lines(clients, now, 40))
    run(large_pushes(clients, now, sizes), bombs(clients, now, 2), heavy_queries(clients, now, 50))
    run(many_streams(clients, now, 250 if LONG else 100), heavy_queries(clients, now, 50))
    print(peak_mib(server), {k: dict(v) for k, v in clients.statuses.items()})
    assert server.running(), server.log()[-3000:]
    assert peak_mib(server) <= LIMIT_MIB + BASE_MIB, (peak_mib(server), {k: v for k, v in server.metrics().items() if "memory" in k})
    # Refused were the ones that must be, and in such a way that a client knows what to do.
    assert not clients.without_retry, clients.without_retry[:3]
    for kind, allowed in (("large", {204, 429}), ("streams", {204, 429}), ("lines", {204, 429}), ("bomb", {400, 413, 429}), ("query", {200, 400, 429})):
        assert set(clients.statuses[kind]) <= allowed | ({413} if kind == "large" else set()), (kind, clients.statuses[kind])
    assert clients.statuses["large"][204] >= 5 and clients.statuses["streams"][204] >= 5 and clients.statuses["query"][200] >= 5, clients.statuses
    # The server is as it was.
    wait_for("room", lambda: server.push([({"load": "after"}, [(now, "x")])], check=False)[0] == 204)
    assert server.ask("GET", "/ready")[0] == 200
    for load in ("large", "streams", "lines"):
        assert counted(clients, load, now) == clients.acked[load], load
    server.kill()
    server.start()
    for load in ("large", "streams", "lines"):
        assert counted(clients, load, now) == clients.acked[load], load
    assert peak_mib(server) <= LIMIT_MIB + BASE_MIB, peak_mib(server)
