"""What LogQL has here and not in Loki: refused as Loki refuses it until it is switched on, and then answered alike from the head, from parts, from
a data directory, from files and from standard input."""
import json
import time

import pytest

from programs import NS, cli
from test_tail import refused, tail, take

T = 1767571200 * NS                          # 2026-01-05T00:00:00Z
RANGE = ("--from", "2026-01-05T00:00:00Z", "--to", "2026-01-05T01:00:00Z")
ON = {"X-Cordwood-Extensions": "on"}
UTC = {"TZ": "UTC"}
USERS = ("ana", "bo", "cy", "dee", "eli")


def web_line(i):
    return json.dumps({"time": "2026-01-05T00:%02d:%02dZ" % (i // 60, i % 60), "user": USERS[i * i % 5], "ms": i * 37 % 1000, "status": (200, 200, 404, 500)[i % 4],
                       "tags": ["t%d" % (i % 3), "x"][:i % 3]})


def app_line(i):
    return "2026-01-05T00:%02d:%02dZ level=%s user=%s msg=\"request %d took %d ms\"" % (i // 60, i % 60, ("info", "warn")[i % 7 == 0], USERS[i % 3], i, i % 50)


N = 600
WEB, APP = [web_line(i) for i in range(N)], [app_line(i) for i in range(N)]


@pytest.fixture
def filled(ingester):
    """Half in parts, half in the head."""
    for half in (range(0, N // 2), range(N // 2, N)):
        ingester.push([({"job": "web"}, [(T + i * NS, WEB[i]) for i in half]), ({"job": "app"}, [(T + i * NS, APP[i]) for i in half])])
        if half[0] == 0:
            assert ingester.ask("POST", "/flush")[0] == 204
    return ingester


# A query, and the numbers of the lines that answer it (newest first, or in its order).
def first_of(numbers, key):
    seen = {}
    for i in numbers:
        seen.setdefault(key(i), i)
    return list(seen.values())


WEB_ROWS = [json.loads(line) for line in WEB]
BACK = range(N - 1, -1, -1)
QUERIES = [
    ('{job="web"} | json | distinct user', first_of(BACK, lambda i: WEB_ROWS[i]["user"])),
    ('{job="web"} | json | distinct user, status', first_of(BACK, lambda i: (WEB_ROWS[i]["user"], WEB_ROWS[i]["status"]))),
    ('{job="web"} | json | distinct user | status = 500', [i for i in first_of(BACK, lambda i: WEB_ROWS[i]["user"]) if WEB_ROWS[i]["status"] == 500]),
    ('{job="web"} | json | status = 500 | distinct user', first_of([i for i in BACK if WEB_ROWS[i]["status"] == 500], lambda i: WEB_ROWS[i]["user"])),
    ('{job="web"} | json | ms > 900 | sort by (ms desc)', sorted([i for i in BACK if WEB_ROWS[i]["ms"] > 900], key=lambda i: -WEB_ROWS[i]["ms"])),
    ('{job="web"} | json | sort by (ms desc) | distinct user', first_of(sorted(BACK, key=lambda i: -WEB_ROWS[i]["ms"]), lambda i: WEB_ROWS[i]["user"])),
    ('{job="web"} | json | ms < 40 | user in ({job="app"} | logfmt | level="warn")', [i for i in BACK if WEB_ROWS[i]["ms"] < 40 and WEB_ROWS[i]["user"] in USERS[:3]]),
    ('{job="web"} | json | ms < 40 | user not in (sum by (user) (count_over_time({job="app"} | logfmt [1h])))',
     [i for i in BACK if WEB_ROWS[i]["ms"] < 40 and WEB_ROWS[i]["user"] not in USERS[:3]]),
    ('{job="web"} | json --arrays | tags_length = 2 | tags_0 = "t2" | ms > 950', [i for i in BACK if len(WEB_ROWS[i]["tags"]) == 2 and WEB_ROWS[i]["ms"] > 950]),
    ('{job="app"} |= "request 300 " or "request 302 " | logfmt | level="info" | context -B 2 -A 1', [303, 302, 301, 300, 299, 298]),
    ('{job="app"} | template | distinct template', first_of(BACK, lambda i: (i % 7 == 0, i % 3))),
]
METRICS = [
    'count_distinct_over_time(user, {job="web"} | json [10m]) by ()', 'count_distinct_over_time(user, {job="app"} | logfmt | keep user, level [10m])', 'count_distinct_over_time(user, {job="web"} | json [7m]) by (status)',
    'sum by (template) (count_over_time({job="app"} | template [5m]))', 'sum(count_over_time({job="web"} | json | user in ({job="app"} | logfmt) [10m]))',
]


def raw(*arguments, server=None, stdin=None):
    done = cli("query", *RANGE, "-o", "raw", "-z", "UTC", *arguments, server=server, stdin=stdin, env=UTC)
    assert done.returncode < 2, done.stderr
    return done.stdout.decode().splitlines()


def lines_of(query, numbers):
    return [(WEB if 'job="web"' in query.split("}")[0] else APP)[i] for i in numbers]


@pytest.mark.parametrize("query, numbers", QUERIES)
def test_each_is_answered_alike_by_server_data_directory_and_files(filled, query, numbers, tmp_path):
    want = lines_of(query, numbers)
    assert want and raw("--limit", "1000", query, server=filled) == want
    assert raw("--data-dir", filled.data, query) == want
    assert raw("--limit", "2", query, server=filled) == raw("--limit", "2", "--data-dir", filled.data, query) == want[:2]
    for name, lines in (("web", WEB), ("app", APP)):
        (tmp_path / (name + ".log")).write_text("".join(line + "\n" for line in lines))
    assert raw("--file", str(tmp_path / "*.log"), query) == want
    if "({job=" not in query:                                                          # of one stream
        piped = query.replace('{job="web"}', "{}").replace('{job="app"}', "{}")
        assert raw("--stdin", piped, stdin="\n".join(WEB if 'job="web"' in query else APP).encode()) == want
    assert filled.ask("POST", "/flush")[0] == 204
    assert raw("--limit", "1000", query, server=filled) == want


@pytest.mark.parametrize("query", METRICS)
def test_metrics_are_answered_alike_too(filled, query):
    for command, flags in (("query", (*RANGE, "--step", "3m")), ("instant-query", ("--now", "2026-01-05T00:10:00Z"))):
        asked = cli(command, *flags, "-z", "UTC", query, server=filled, env=UTC)
        read = cli(command, *flags, "-z", "UTC", "--data-dir", filled.data, query, env=UTC)
        assert asked.returncode == read.returncode == 0 and json.loads(asked.stdout) == json.loads(read.stdout) != []


def test_different_values_are_counted_exactly(filled):
    for at, seconds in ((600, 600), (600, 7), (300, 2)):
        window = [WEB_ROWS[i] for i in range(N) if at - seconds < i <= at]
        result = filled.query('count_distinct_over_time(ms, {job="web"} | json [%ds]) by (status)' % seconds, headers=ON, time=T // NS + at)
        want = {str(s): str(len({row["ms"] for row in window if row["status"] == s})) for s in (200, 404, 500)}
        assert {r["metric"]["status"]: r["value"][1] for r in result} == {s: n for s, n in want.items() if n != "0"}


def test_a_sorted_answer_lists_its_streams_in_its_order(filled):
    streams = filled.query_range('{job="web"} | json | sort by (ms desc, user)', T // NS, T // NS + 3600, headers=ON, limit=50)
    shown = [(s["stream"]["ms"], s["stream"]["user"]) for s in streams for _ in s["values"]]
    want = sorted(((row["ms"], row["user"]) for row in WEB_ROWS), key=lambda r: (-r[0], r[1]))[:50]
    assert [(int(ms), user) for ms, user in shown] == want


def test_context_is_marked(filled):
    found = {}
    for s in filled.query_range('{job="app"} |= "request 300 " | context -C 1', T // NS, T // NS + 3600, headers=ON):
        labels = {name: s["stream"][name] for name in ("job", "context") if name in s["stream"]}
        found.update((line, labels) for _, line in s["values"])
    assert found == {APP[299]: {"job": "app", "context": "before"}, APP[300]: {"job": "app"}, APP[301]: {"job": "app", "context": "after"}}


REFUSED = {
    '{job="web"} | json | distinct user': "parse error at line 1, col 31: syntax error: unexpected IDENTIFIER",
    '{job="web"} | sort by (user)': "parse error at line 1, col 15: syntax error: unexpected SORT",
    '{job="web"} | user in ({job="app"})': "parse error at line 1, col 20: syntax error: unexpected IDENTIFIER",
    '{job="web"} | user not in ({job="app"})': "parse error at line 1, col 20: syntax error: unexpected IDENTIFIER",
    '{job="web"} | json --arrays': "parse error at line 1, col 22: syntax error: unexpected IDENTIFIER, expecting NUMBER",
    '{job="web"} | context -B 2': "parse error at line 1, col 23: syntax error: unexpected -",
    '{job="web"} | template': "parse error at line 1, col 23: syntax error: unexpected $end",
    'count_distinct_over_time(user, {job="web"}[5m])': "parse error at line 1, col 1: syntax error: unexpected IDENTIFIER",
}


@pytest.mark.parametrize("query", REFUSED)
def test_without_the_switch_each_is_refused_as_loki_refuses_it(filled, query):
    params = {"query": query, "start": T // NS, "end": T // NS + 600}
    for headers, more in (({}, {}), ({"X-Cordwood-Extensions": "off"}, {}), ({}, {"extensions": "off"}), ({"X-Cordwood-Extensions": "off"}, {"extensions": "on"})):
        assert filled.ask("GET", "/loki/api/v1/query_range", {**params, **more}, headers=headers) == (400, REFUSED[query].encode() + b"\n")
    for headers, more in ((ON, {}), ({}, {"extensions": "on"})):
        assert filled.ask("GET", "/loki/api/v1/query_range", {**params, **more}, headers=headers)[0] == 200
        status, text = filled.ask("GET", "/loki/api/v1/format_query", {"query": query, **more}, headers=headers)
        assert status == 200 and json.loads(text)["data"]
    done = cli("query", *RANGE, "--extensions", "off", query, server=filled)
    assert done.returncode == 3 and REFUSED[query].encode() in done.stderr
    done = cli("query", *RANGE, "--extensions", "off", "--data-dir", filled.data, query)
    assert done.returncode == 3 and REFUSED[query].encode() in done.stderr
    assert cli("fmt", "--extensions", "off", query).returncode == 3 and cli("fmt", query).returncode == 0


def test_a_switch_that_is_neither_is_an_error(ingester):
    status, text = ingester.ask("GET", "/loki/api/v1/query", {"query": "vector(1)", "extensions": "maybe"})
    assert status == 400 and b'extensions can be on or off, not "maybe"' in text


def test_what_gathers_is_one_answer(filled):
    query = '{job="web"} | json | distinct ms'
    assert len(raw("--limit", "600", "--batch", "7", query, server=filled)) == N          # not page by page: each would be distinct for itself
    inner = '{job="web"} | json | user in ({job="web"} | json | ms = 0)'                    # which is in one page alone
    assert raw("--limit", "600", "--batch", "7", inner, server=filled) == raw("--data-dir", filled.data, inner) != []
    done = cli("query", *RANGE, "--limit", "0", query, server=filled)
    assert done.returncode == 2 and b"give --limit a number" in done.stderr
    done = cli("export", *RANGE, "-z", "UTC", "-o", "raw", '{job="web"} | json | distinct user', server=filled, env=UTC)
    assert done.stdout.decode().splitlines() == lines_of('{job="web"}', first_of(range(N), lambda i: WEB_ROWS[i]["user"]))
    assert cli("export", *RANGE, "--extensions", "off", query, server=filled).returncode == 3


def test_a_tail_takes_what_looks_at_one_entry_and_refuses_the_rest(ingester):
    for query, why in (('{job="web"} | distinct user', "distinct, sort by and context cannot be tailed"), ('{job="web"} | sort by (user)', "distinct, sort by and context cannot be tailed"),
                       ('{job="web"} | context -A 1', "distinct, sort by and context cannot"), ('{job="web"} | user in ({job="app"})', "`user in (...)` cannot be tailed")):
        status, text = refused(ingester, query=query, extensions="on")
        assert status == 400 and text.startswith(why)
        assert "syntax error" in refused(ingester, query=query)[1]
    done = cli("tail", '{job="web"} | distinct user', server=ingester)
    assert done.returncode == 3 and b"cannot be tailed" in done.stderr
    with tail(ingester, '{job="web"} | json --arrays | template | keep tags_1, template', headers=ON) as connection:
        now = time.time_ns()
        ingester.push([({"job": "web"}, [(now, '{"tags":["a","b"],"msg":"all well"}')])])
        assert take(connection, 1)[0][2] == {"tags_1": "b", "template": "<_>all well<_>"}
