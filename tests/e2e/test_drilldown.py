"""What Grafana's Logs Drilldown asks of an ingester: limits, labels, fields, patterns; before and behind a flush, and of other tenants."""
import json
import time

import pytest

from programs import NS

START = 1_700_000_000 * NS
HOUR = 3600 * NS
LINES = 1200
MESSAGES = ["user logged in", "cache is cold", "job 17 done"]
USERS = ["ann", "bob", "cho", "dee", "eve", "fred", "gina", "hugo", "ivy", "jon"]


def push_all(server, headers=None):
    """A line a second of each app."""
    times = [START + i * NS for i in range(LINES)]
    shop = [(ts, json.dumps({"ts": i, "level": "info", "msg": MESSAGES[i % 3], "req": {"took-ms": i % 90}})) for i, ts in enumerate(times)]
    proxy = [(ts, 'level=%s user=%s status=%d bytes=%dKB' % ("warn" if i % 2 else "info", USERS[i // 2 % 10], 200 + i % 3, i)) for i, ts in enumerate(times)]
    plain = [(ts, "2023-11-14 22:%02d:%02d INFO disk sd%d read %d blocks from 10.0.0.%d:80" % (i // 60 % 60, i % 60, i % 4, i, i % 250))
             for i, ts in enumerate(times)]
    server.push([({"app": "shop", "pod": "1", "shard": "7"}, shop), ({"app": "proxy", "pod": "2", "shard": "8"}, proxy),
                 ({"app": "disk", "pod": "3", "shard": "9"}, plain)], headers=headers)


def get(server, path, status=200, headers=None, **params):
    params = {"start": START, "end": START + HOUR, **params}
    got, body = server.ask("GET", "/loki/api/v1/" + path, params, headers=headers)[:2]
    assert got == status, (got, body)
    return json.loads(body) if status == 200 else body.decode().strip()


def patterns(server, query, headers=None, **params):
    answer = get(server, "patterns", query=query, headers=headers, **params)
    assert answer["status"] == "success"
    counts = {}
    for one in answer["data"]:
        counts[one["pattern"]] = counts.get(one["pattern"], 0) + sum(count for _, count in one["samples"])
    return counts


WANT = {
    '{app="shop"}': {"<_>user logged in<_>": 400, "<_>cache is cold<_>": 400, "<_>job <_> done<_>": 400},
    '{app="proxy"}': {"level=info user=<_> status=<_> bytes=<_>": 600, "level=warn user=<_> status=<_> bytes=<_>": 600},
    '{app="disk"}': {"<_> <_> INFO disk <_> read <_> blocks from <_>": 1200},
}


@pytest.mark.parametrize("flushed", [False, True])
def test_patterns_are_the_same_from_memory_and_from_parts(ingester, flushed):
    push_all(ingester)
    if flushed:
        assert ingester.ask("POST", "/flush")[0] == 204
    for query, want in WANT.items():
        assert patterns(ingester, query) == want
    assert sum(patterns(ingester, '{app=~".+"}').values()) == 3 * LINES


def test_patterns_count_by_step_and_keep_to_the_range(ingester):
    push_all(ingester)
    assert ingester.ask("POST", "/flush")[0] == 204
    data = get(ingester, "patterns", query='{app="disk"}', step="60s", start=START + 30 * NS, end=START + 330 * NS)["data"]
    assert len(data) == 1
    samples = data[0]["samples"]
    assert all(seconds % 60 == 0 for seconds, _ in samples) and samples == sorted(samples)
    assert sum(count for _, count in samples) == 300
    first = (START // NS + 30) // 60 * 60
    assert samples[0][0] == first and samples[0][1] == first + 60 - (START // NS + 30)
    assert get(ingester, "patterns", query='{app="none"}') == {"status": "success", "data": []}


@pytest.mark.parametrize("flushed", [False, True])
def test_a_pattern_has_a_series_for_each_level(ingester, flushed):
    push_all(ingester)
    lines = [(START + i * NS, "request %d" % i, {"detected_level": "ERROR"} if i % 3 == 0 else {"user": "u"}) for i in range(90)]
    ingester.push([({"app": "meta"}, lines)])
    if flushed:
        assert ingester.ask("POST", "/flush")[0] == 204
    for query, want in (('{app="shop"}', {"info": 1200}), ('{app="proxy"}', {"info": 600, "warn": 600}), ('{app="meta"}', {"error": 30, "unknown": 60})):
        data = get(ingester, "patterns", query=query)["data"]
        assert all(list(one) == ["pattern", "level", "samples"] for one in data)
        got = {}
        for one in data:
            got[one["level"]] = got.get(one["level"], 0) + sum(count for _, count in one["samples"])
        assert got == want


def test_a_pattern_finds_its_lines(ingester):
    push_all(ingester)
    assert ingester.ask("POST", "/flush")[0] == 204
    for query in WANT:
        for pattern, count in patterns(ingester, query).items():
            found = ingester.query("sum(count_over_time(%s |> `%s` [1h]))" % (query, pattern), time=START + HOUR - 1)
            assert int(found[0]["value"][1]) == count, pattern


def test_hidden_lines_have_no_pattern(ingester):
    now = time.time_ns()
    lines = [(now - 600 * NS + i * NS, "number %d is %s" % (i, "odd" if i % 2 else "even")) for i in range(300)]
    ingester.push([({"app": "n"}, lines)])
    assert ingester.ask("POST", "/flush")[0] == 204
    params = {"query": '{app="n"} |= "odd"', "start": (now - HOUR) // NS, "end": now // NS}
    assert ingester.ask("POST", "/loki/api/v1/delete", params)[0] == 204
    assert patterns(ingester, '{app="n"}', start=now - HOUR, end=now) == {"number <_> is even": 150}


def test_fields_and_their_values(ingester):
    push_all(ingester)
    fields = {one["label"]: one for one in get(ingester, "detected_fields", query='{app="shop"}', line_limit=1000)["fields"]}
    assert set(fields) == {"ts", "level", "msg", "req_took_ms", "detected_level"}
    assert fields["detected_level"] == {"label": "detected_level", "type": "string", "cardinality": 1, "parsers": None}
    assert fields["req_took_ms"] == {"label": "req_took_ms", "type": "int", "cardinality": 90, "parsers": ["json"], "jsonPath": ["req", "took-ms"]}
    assert fields["ts"]["cardinality"] == 1000
    fields = {one["label"]: one for one in get(ingester, "detected_fields", query='{app="proxy"}')["fields"]}
    assert (fields["bytes"]["type"], fields["bytes"]["parsers"], fields["user"]["cardinality"]) == ("bytes", ["logfmt"], 10)
    assert "jsonPath" not in fields["bytes"]
    answer = get(ingester, "detected_field/status/values", query='{app="proxy"} | logfmt | level="warn"')
    assert answer == {"values": ["200", "201", "202"], "limit": 1000}
    assert get(ingester, "detected_field/user/values", query='{app="proxy"}', limit=3)["limit"] == 3
    assert len(get(ingester, "detected_fields", query='{app=~".+"}', limit=2)["fields"]) == 2


def test_labels_of_ids_are_left_out(ingester):
    push_all(ingester)
    want = {"detectedLabels": [{"label": name, "cardinality": 3} for name in ("app", "pod", "service_name")]}
    assert get(ingester, "detected_labels") == want
    assert ingester.ask("POST", "/flush")[0] == 204
    assert get(ingester, "detected_labels", query='{app=~".+"}') == want
    assert get(ingester, "detected_labels", start=START + HOUR, end=START + 2 * HOUR) == {}


@pytest.mark.parametrize("path, params, text", [
    ("detected_fields", {"query": '{a="b"}', "line_limit": "5001"},
     "max entries limit per query exceeded, limit > max_entries_limit_per_query (5001 > 5000)"),
    ("detected_fields", {"query": '{a="b"}', "line_limit": "0"}, "limit must be a positive value"),
    ("detected_fields", {"query": '{a="b"}', "limit": "-1"}, "limit must be a positive value"),
    ("detected_fields", {"query": '{a="b"}', "field_limit": "x"}, 'strconv.Atoi: parsing "x": invalid syntax'),
    ("detected_fields", {"query": '{a="b"}', "start": "20", "end": "10"}, "end timestamp must not be before or equal to start time"),
    ("detected_field/x/values", {"query": 'rate({a="b"}[1m])'}, "only log selector is supported"),
    ("detected_labels", {"query": '{a="b"} |= "x"'}, "only label matchers are supported"),
    ("detected_labels", {"start": "20", "end": "10"}, "end timestamp must not be before or equal to start time"),
    ("patterns", {"query": '{a="b"} |= "x"'}, "only label matchers are supported"),
    ("patterns", {"query": '{a="b"}', "step": "0"},
     "zero or negative query resolution step widths are not accepted. Try a positive integer"),
    ("patterns", {"query": '{a="b"}', "step": "1s", "start": "0", "end": "100000"},
     "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step parameter"),
    ("patterns", {"query": '{a="b"}', "start": "1697321600", "end": "1700000000", "step": "1d"},
     "the query time range exceeds the limit (query length: 744h0m0s, limit: 30d1h)"),
])
def test_refusals_in_lokis_words(ingester, path, params, text):
    assert get(ingester, path, status=400, **params) == text


def test_limits_are_the_tenants(make_ingester):
    server = make_ingester(config="""
auth_enabled: true
limits_config: {max_query_series: 77, retention_period: 0}
overrides: {one: {max_query_series: 5, max_query_length: 24h, volume_enabled: false}}
""").start()
    one, two = {"X-Scope-OrgID": "one"}, {"X-Scope-OrgID": "two"}
    limits = json.loads(server.ask("GET", "/loki/api/v1/drilldown-limits", headers=one)[1])
    assert limits["pattern_ingester_enabled"] is True and limits["version"]
    assert (limits["limits"]["max_query_series"], limits["limits"]["max_query_length"], limits["limits"]["volume_enabled"]) == (5, "1d", False)
    limits = json.loads(server.ask("GET", "/loki/api/v1/drilldown-limits", headers=two)[1])
    assert limits["limits"]["max_query_series"] == 77
    assert server.ask("GET", "/loki/api/v1/drilldown-limits")[0] == 401
    push_all(server, headers=one)
    assert sum(patterns(server, '{app=~".+"}', headers=one).values()) == 3 * LINES
    assert patterns(server, '{app=~".+"}', headers=two) == {}
    assert get(server, "detected_labels", headers=two) == {}
