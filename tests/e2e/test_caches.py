"""What queries decoded is kept for the next ones: it changes no answer, and gives way to whatever needs memory."""
import json
import os
import random
import signal
import time

import pytest

from programs import NS, Ingester, wait_for

DAY_NS = 86400 * NS
START_NS = 1767571200 * NS      # a day of parts that are merged
WORDS = "alpha bravo charlie delta echo foxtrot golf hotel".split()


def log_lines(n, seed=1):
    """Lines of a few shapes with numbers, words that come often, and ids that never come again."""
    rng = random.Random(seed)
    for i in range(n):
        yield "%s worker-%d %s user=%s%d took %d.%02d ms id %08xz%d" % (
            rng.choice(("INFO", "WARN", "ERROR")), rng.randrange(9), rng.choice(("opened", "closed", "could not find")), rng.choice(WORDS),
            rng.randrange(500), rng.randrange(900), rng.randrange(100), rng.getrandbits(32), i)


def push_day(server, hosts=6, per_host=15000):
    """Hosts whose entries are spread over the day, each with ties."""
    for host in range(hosts):
        step = DAY_NS // per_host
        entries = [(START_NS + i // 2 * 2 * step, line, *([{"trace": "t%d" % (i % 3)}] if i % 100 == 0 else [])) for i, line in enumerate(log_lines(per_host, host))]
        for at in range(0, per_host, 5000):
            server.push([({"app": "a%d" % (host % 2), "host": "h%d" % host}, entries[at:at + 5000])])
    assert server.ask("POST", "/flush")[0] in (200, 204)


def answers(server):
    """Of many kinds of queries, without what they cost."""
    out = []

    def ask(path, **params):
        status, text = server.ask("GET", "/loki/api/v1/" + path, params)
        assert status == 200, text
        out.append(json.loads(text)["data"]["result"])

    for direction in ("backward", "forward"):
        for limit in (1, 10, 100, 1000):
            for query in ('{app=~"a."}', '{host="h3"}', '{app=~"a."} |= "delta7 "', '{app="a1"} != "INFO" |~ "took [0-9]{3}"'):
                ask("query_range", query=query, start=START_NS, end=START_NS + DAY_NS, limit=limit, direction=direction)
        ask("query_range", query='{app=~"a."}', start=START_NS + DAY_NS // 3, end=START_NS + DAY_NS // 2, limit=50, direction=direction)
    for line_filter in ("", '|= "could not find"', '|= "no such word"', '|~ "(?i)error.*golf"', '|= "worker-7"', '| logfmt | user="alpha7"'):
        ask("query", query='sum by (host) (count_over_time({app=~"a."} %s [24h]))' % line_filter, time=START_NS + DAY_NS)
    ask("query_range", query='sum by (app) (rate({app=~"a."} |= "ERROR" [5m]))', start=START_NS, end=START_NS + DAY_NS, step="30m")
    return out


def cache(server):
    """Bytes held, and what happened so far."""
    metrics = server.metrics()
    return int(metrics['cordwood_memory_bytes{use="caches"}']), {name: int(metrics["cordwood_cache_%s_total" % name]) for name in ("hits", "misses", "evicted")}


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """A data directory with a day in it."""
    server = Ingester(tmp_path_factory.mktemp("day")).start()
    push_day(server)
    server.stop()
    return server.data


def test_answers_are_the_same_with_a_cache_of_any_size(make_ingester, day):
    wanted = None
    for share in (0, 0.001, 0.125, 0.9):
        server = make_ingester(config="memory: {limit: 256MiB, caches: %g}\n" % share, data=day).start()
        first, second, third = answers(server), answers(server), answers(server)     # what is kept of texts that are asked for again serves the third
        held, did = cache(server)
        assert first == second == third
        wanted = wanted or first
        assert first == wanted, share
        assert (held > 0) == (did["hits"] > 0) == (share > 0), (share, held, did)
        assert held <= 256 * share * 2 ** 20
        assert (did["evicted"] > 0) == (share == 0.001), (share, did)
        server.stop()


def test_the_newest_lines_are_those_that_are_there_now(make_ingester):
    """Rows that are kept stand beside entries that come late, deletes, flushes and merges: none of these is ever answered from what was."""
    now, second = time.time_ns() // NS, NS
    server = make_ingester().start()
    rng = random.Random(4)
    there, hidden, number = {}, [], 0      # (host, seconds): lines

    def push(host, first, last, n):
        nonlocal number
        entries = []
        for _ in range(n):
            number += 1
            entries.append((rng.randrange(first, last), "line %d of %s" % (number, "odd even".split()[number % 2])))
            there.setdefault((host, entries[-1][0]), []).append(entries[-1][1])
        server.push([({"app": "a", "host": host}, [(at * second, line) for at, line in sorted(entries)])])

    def check(limit):
        for backward in (True, False):
            ask = lambda: sorted((int(t), line) for s in server.query_range('{app="a"}', (now - 5000) * second, (now + 1) * second, limit=limit,
                                                                           direction="backward" if backward else "forward") for t, line in s["values"])
            entries = sorted((at * second, line) for (_, at), lines in there.items() for line in lines if not any(h(at, line) for h in hidden))
            wanted = entries[-limit:] if backward else entries[:limit]
            got = [ask() for _ in range(3)]
            assert [t for t, _ in got[0]] == [t for t, _ in wanted]          # of several at the time of the last any may be given
            edge = wanted[0 if backward else -1][0]
            assert [e for e in got[0] if e[0] != edge] == [e for e in wanted if e[0] != edge] and set(got[0]) <= set(entries)
            assert got[0] == got[1] == got[2]

    for step in range(24):
        hosts = ["h%d" % (step % 5), "h%d" % rng.randrange(5)]
        for host in hosts:
            push(host, now - 4000, now - 1000 + step * 30, 400)              # the newest, and what comes late
        if step % 3 == 0:
            assert server.ask("POST", "/flush")[0] == 204                    # and merges
        check(rng.choice((1, 30, 100)))
        if step % 4 == 1:
            word, first, last = rng.choice(("odd", "even")), now - rng.randrange(1200, 2000), now - rng.randrange(200, 800)
            assert server.ask("POST", "/loki/api/v1/delete", {"query": '{app="a"} |= "%s"' % word, "start": first, "end": last})[0] == 204
            known = {line for lines in there.values() for line in lines}
            hidden.append(lambda at, line, word=word, first=first, last=last, known=known: word in line and first <= at <= last and line in known)
            check(50)
    assert int(server.metrics()["cordwood_cache_hits_total"]) > 0


def test_kept_rows_leave_with_what_hides_them_and_come_back_with_a_cancelled_delete(make_ingester):
    """Of the newest and the oldest rows, which are kept once they were asked for: a delete, its cancellation, periods that a reload brings."""
    server = make_ingester(config="limits_config: {}\n").start()
    now, rng = time.time_ns() // NS, random.Random(8)
    # None comes to one of the periods below while the test runs.
    ages = [age for age in range(100, 5000) if not 1400 < age < 1500 and not 1900 < age < 2000]
    rows = {(now - rng.choice(ages), "h%d" % (i % 3), "line %d %s" % (i, "odd even".split()[i % 2])) for i in range(900)}
    for host in ("h0", "h1", "h2"):
        server.push([({"app": "a", "host": host}, sorted((at * NS, line) for at, of, line in rows if of == host))])
    assert server.ask("POST", "/flush")[0] == 204

    def answer(backward, limit):
        got = server.query_range('{app="a"}', (now - 6000) * NS, (now + 1) * NS, limit=limit, direction="backward" if backward else "forward")
        return sorted((int(t) // NS, s["stream"]["host"], line) for s in got for t, line in s["values"])

    def shows(hidden=lambda row: False):
        there = sorted(row for row in rows if not hidden(row))
        for backward, limit in ((True, 100), (False, 100), (True, 30), (False, 5000)):
            wanted = there[-limit:] if backward else there[:limit]
            edge = wanted[0 if backward else -1][0]             # of several at the time of the last any may be given
            for _ in range(3):
                got = answer(backward, limit)
                if [t for t, _, _ in got] != [t for t, _, _ in wanted] or [r for r in got if r[0] != edge] != [r for r in wanted if r[0] != edge]:
                    return False
        return True

    def reload(limits):
        with open(server.argv[server.argv.index("--config") + 1], "w") as f:
            f.write("limits_config: {%s}\n" % limits)
        server.process.send_signal(signal.SIGHUP)

    assert shows()
    hits = cache(server)[1]["hits"]
    assert shows() and cache(server)[1]["hits"] > hits
    for first, last in ((now - 700, now), (now - 6000, now - 4500)):
        assert server.ask("POST", "/loki/api/v1/delete", {"query": '{app="a"} |= "odd"', "start": first, "end": last})[0] == 204
        assert shows(lambda row: row[2].endswith("odd") and first <= row[0] <= last)
        request, = json.loads(server.ask("GET", "/loki/api/v1/delete")[1])
        assert server.ask("DELETE", "/loki/api/v1/delete", {"request_id": request["request_id"]})[0] == 204
        assert shows()
    reload("retention_stream: [{selector: '{host=\"h1\"}', period: 2000s}]")
    wait_for("what the rule hides to be hidden", lambda: shows(lambda row: row[1] == "h1" and row[0] <= now - 2000), 20, 0.1)
    assert cache(server)[1]["hits"] > hits
    reload("retention_period: 1500s")
    assert server.ask("POST", "/flush")[0] == 204                       # retention is looked at now, and not within its minute
    wait_for("what the period hides to be hidden", lambda: shows(lambda row: row[0] <= now - 1500), 20, 0.1)
    assert server.stop() == 0


def test_caches_give_way_to_what_must_have_memory(make_ingester, day):
    # A flush alone accounts for more than this limit.
    server = make_ingester(config="memory: {limit: 8MiB, caches: 0.9}\n", data=day).start()
    end = (START_NS + DAY_NS) // NS
    for _ in range(2):
        assert server.count('{app=~"a."} |= "no such word"', end=end, hours=24) == 0
    held, before = cache(server)
    assert held > 700 << 10 and before["hits"] > 0, (held, before)
    server.push([({"app": "new"}, [(START_NS, "a line")])])
    assert server.ask("POST", "/flush")[0] in (200, 204)
    assert cache(server)[1]["evicted"] > before["evicted"]
    wait_for("memory of the flush", lambda: server.metrics()['cordwood_memory_bytes{use="flush"}'] == "0")
    for _ in range(2):
        assert server.count('{app=~"a."} |= "no such word"', end=end, hours=24) == 0
    held, after = cache(server)
    assert held > 700 << 10 and after["hits"] > before["hits"]
