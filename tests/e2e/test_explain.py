"""What a query would do and what it did: /cordwood/v1/explain and analyze, and `cordwood query --explain` and --analyze."""
import json

import pytest

from programs import NS, cli

START = 1_700_000_000 * NS
HOUR = 3600 * NS
LINES = 4000


def push_all(server, first=0):
    """A line a second of each app, each with a number that no other line has."""
    def lines(app):
        return [(START + (first + i) * NS, json.dumps({"app": app, "id": 7_000_000 + first + i, "ms": i % 500,
                                                       "word": "needle" if (first + i) % 1000 == 3 else "hay"}))
                for i in range(LINES)]
    for app in ("shop", "proxy", "disk"):
        server.push([({"app": app, "env": "test"}, lines(app))])


def ask(server, what, status=200, **params):
    params = {"start": START, "end": START + 2 * HOUR, **params}
    got, body = server.ask("GET", "/cordwood/v1/" + what, params)
    assert got == status, (got, body)
    return json.loads(body)["data"] if status == 200 else body.decode().strip()


@pytest.fixture
def flushed(ingester):
    push_all(ingester)
    assert ingester.ask("POST", "/flush")[0] == 204
    return ingester


def test_explain_tells_the_plan_and_runs_nothing(flushed):
    before = flushed.metrics()["cordwood_query_scanned_bytes_total"]
    plan = ask(flushed, "explain", query='{app="shop"} |= "needle" | json | ms > 5 | line_format "{{.id}}" |= "7"', limit=17, direction="forward")
    assert (plan["result_type"], plan["limit_entries"], plan["direction"]) == ("streams", 17, "forward")
    assert (plan["start_ns"], plan["end_ns"]) == (str(START), str(START + 2 * HOUR))
    [scan] = plan["scans"]
    assert scan["selector"] == '{app="shop"}'
    stages = [(s["stage"], s["runs"]) for s in scan["stages"]]
    assert [runs for _, runs in stages] == ["in the store"] + ["in the pipeline"] * 4, stages
    assert scan["stages"][0]["literals"] == ["needle"]
    assert scan["stages"][2]["needs_labels"] == ["ms"]
    assert scan["fields"] == "all"
    assert scan["streams"] == 1
    assert scan["sources"]["selected"] >= 1
    assert scan["blocks"]["selected"] >= 1
    assert scan["estimate"]["entries"] >= LINES
    assert plan["estimate"]["text_bytes"] > 0 and plan["estimate"]["cpu_seconds"] > 0
    assert flushed.metrics()["cordwood_query_scanned_bytes_total"] == before


def test_explain_of_a_metric_has_its_windows_and_the_fields_it_needs(flushed):
    query = 'sum by (word) (rate({app="shop"} | json | ms > 5 | drop id [5m] offset 1m)) / count_over_time({app="disk"}[1m])'
    plan = ask(flushed, "explain", query=query, step="60")
    assert (plan["result_type"], plan["step_seconds"]) == ("matrix", 60)
    left, right = plan["scans"]
    assert left["aggregation"] == {"function": "rate", "range_seconds": 300, "offset_seconds": 60}
    assert right["aggregation"] == {"function": "count_over_time", "range_seconds": 60, "offset_seconds": 0}
    assert sorted(left["fields"]) == ["ms", "word"]
    assert "templates" in left["reads"] and not {"templates", "lines"} & set(right["reads"])
    grid_start = START - START % (60 * NS)
    assert int(left["start_ns"]) == grid_start - 60 * NS - 300 * NS + 1
    assert right["estimate"]["kind"] == "count" and left["estimate"]["kind"] == "fields"
    instant = ask(flushed, "explain", query='sum(count_over_time({app="disk"}[1h]))', time=str(START + HOUR))
    assert instant["result_type"] == "vector"
    assert int(instant["scans"][0]["end_ns"]) == START + HOUR + 1


def test_time_and_streams_rule_out_parts_and_blocks(flushed):
    scan = ask(flushed, "explain", query='{app="shop"}', start=START - 3 * HOUR, end=START - 2 * HOUR)["scans"][0]
    assert scan["blocks"]["selected"] == 0 and scan["streams"] == 0
    assert scan["sources"]["skipped_by_time"] == scan["sources"]["total"]
    scan = ask(flushed, "explain", query='{app="nobody"}')["scans"][0]
    assert scan["blocks"]["selected"] == 0 and scan["blocks"]["skipped_by_streams"] >= 1
    assert scan["text_bytes"]["skipped_by_streams"] > 0
    half = ask(flushed, "explain", query='{app="shop"}', end=START + LINES // 2 * NS)["scans"][0]
    assert LINES * .4 < half["estimate"]["entries"] < half["entries"]


def test_limits_that_would_refuse_the_query_are_named_and_do_not_refuse_its_plan(flushed):
    plan = ask(flushed, "explain", query='{app="shop"}', limit=6000)
    assert plan["refused"] == "max entries limit per query exceeded, limit > max_entries_limit_per_query (6000 > 5000)"
    exceeded = {one["name"]: one for one in plan["limits"]}
    assert exceeded["max_entries_limit_per_query"] == {"name": "max_entries_limit_per_query", "unit": "entries", "limit": 5000,
                                                       "query": 6000, "exceeded": True}
    assert not exceeded["max_query_length"]["exceeded"]
    plan = ask(flushed, "explain", query='{app="shop"}', start=START - 1000 * HOUR)
    assert plan["refused"].startswith("the query time range exceeds the limit")
    assert "refused" not in ask(flushed, "explain", query='{app="shop"}')
    assert ask(flushed, "analyze", 400, query='{app="shop"}', limit=6000) == plan_text(6000)


def plan_text(limit):
    return "max entries limit per query exceeded, limit > max_entries_limit_per_query (%d > 5000)" % limit


def test_analyze_counts_what_each_step_skipped(flushed):
    query = '{env="test"} |= "needle"'
    plan = ask(flushed, "analyze", query=query, limit=1000)
    run = plan["analyze"]
    want = sum(len(one["values"]) for one in flushed.query_range(query, START, START + 2 * HOUR, limit=1000))
    assert run["answer"]["entries"] == want == 3 * 4
    assert run["answer"]["series"] == 0 and run["answer"]["bytes"] > 100
    assert run["entries"]["in_range"] == 3 * LINES
    assert run["entries"]["matched_in_store"] == want
    assert run["entries"]["skipped_by_literals"] + run["entries"]["matched_in_store"] <= 3 * LINES
    assert run["blocks"]["read"] == plan["scans"][0]["blocks"]["selected"] == run["blocks"]["selected"]
    assert run["bytes"]["stored_read"] > 0 and run["bytes"]["decompressed"] > 0
    assert run["peak_memory_bytes"] > 0
    for step in ("plan", "scan", "evaluate", "answer"):
        assert run["time"][step]["wall_seconds"] >= 0 and run["time"][step]["cpu_seconds"] >= 0, step
    assert run["time"]["scan"]["cpu_seconds"] > 0
    parts = run["time"]["scan_read"]["cpu_seconds"] + run["time"]["scan_process"]["cpu_seconds"]
    assert abs(parts - run["time"]["scan"]["cpu_seconds"]) < 1e-6
    assert run["time"]["total"]["wall_seconds"] > 0


def test_analyze_tells_blocks_that_literals_and_the_value_filter_rule_out(flushed):
    absent = ask(flushed, "analyze", query='{env="test"} |= "qzxjkvwpq"')["analyze"]
    assert absent["answer"]["entries"] == 0
    assert absent["blocks"]["skipped_by_literals"] == absent["blocks"]["read"]
    assert absent["entries"]["lines_rebuilt"] == 0
    assert absent["entries"]["skipped_by_literals"] == 3 * LINES
    # A number that no line has: in the text of no template, and the filter of values knows that it is none of them.
    number = ask(flushed, "analyze", query='{env="test"} |= "\\"id\\": 9876543,"')["analyze"]
    assert number["answer"]["entries"] == 0
    assert number["blocks"]["skipped_by_value_filter"] == number["blocks"]["read"]


def test_analyze_of_metrics_counts_series_and_finds_the_cache_warm(flushed):
    query = 'sum by (app) (count_over_time({env="test"} |= "needle" [1m]))'
    cold = ask(flushed, "analyze", query=query, step="60")["analyze"]
    warm = ask(flushed, "analyze", query=query, step="60")["analyze"]
    assert cold["answer"] == {"entries": 0, "series": 3, "bytes": cold["answer"]["bytes"]}
    assert warm["cache"]["hits"] >= 1 and warm["cache"]["misses"] == 0
    instant = ask(flushed, "analyze", query='sum(count_over_time({env="test"}[2h]))', time=str(START + 2 * HOUR - 1))["analyze"]
    assert instant["answer"]["series"] == 1


def test_what_is_in_memory_is_explained_too(ingester):
    push_all(ingester)
    plan = ask(ingester, "analyze", query='{app="disk"}', limit=10)
    assert plan["scans"][0]["entries"] == LINES and plan["scans"][0]["stored_bytes"] == 0
    assert plan["analyze"]["answer"]["entries"] == 10


def test_a_limit_leaves_blocks_unread(ingester):
    for hour in range(4):
        push_all(ingester, first=3600 * hour)
        assert ingester.ask("POST", "/flush")[0] == 204
    run = ask(ingester, "analyze", query='{app="disk"} |= "hay"', limit=10, end=START + 6 * HOUR)["analyze"]
    assert run["answer"]["entries"] == 10
    assert run["entries"]["in_range"] < 4 * LINES


@pytest.mark.parametrize("what", ["explain", "analyze"])
def test_bad_queries_are_refused_as_query_range_refuses_them(ingester, what):
    for params in ({"query": '{app="x"'}, {"query": ""}, {"query": '{app="x"}', "limit": "none"}, {"query": '{app="x"}', "start": "tomorrow"},
                   {"query": 'rate({app="x"}[1m])', "step": "-1"}, {"query": '{app="x"} | json a="b["'},
                   {"query": '{app="x"}', "direction": "up"}):
        status, body = ingester.ask("GET", "/loki/api/v1/query_range", params)
        assert status == 400, params
        assert ingester.ask("GET", "/cordwood/v1/" + what, params) == (status, body), params
    assert ingester.ask("POST", "/cordwood/v1/" + what, body=b"query=%7Bapp%3D%22x%22%7D",
                        headers={"Content-Type": "application/x-www-form-urlencoded"})[0] == 200
    assert ask(ingester, what, 400 if what == "analyze" else 400, query='{app="x"}', time="5").startswith("log queries are not supported as an instant")


def test_the_command_prints_text_and_json(flushed):
    common = ["query", '{app="shop"} |= "needle"', "--from", "2023-11-14T22:00:00Z", "--to", "2023-11-15T00:00:00Z"]
    text = cli(*common, "--explain", server=flushed)
    assert text.returncode == 0, text.stderr
    lines = text.stdout.decode().splitlines()
    assert lines[0] == 'query: {app="shop"} |= "needle"'
    assert "start: 2023-11-14T22:00:00Z" in lines
    assert "  streams: 1" in lines
    assert not any(line.startswith("analyze:") for line in lines)
    text = cli(*common, "--analyze", server=flushed)
    assert "analyze:" in text.stdout.decode().splitlines() and text.returncode == 0
    got = cli(*common, "--analyze", "-o", "jsonl", server=flushed)
    plan = json.loads(got.stdout)
    assert plan["analyze"]["answer"]["entries"] == 4 and got.stdout.count(b"\n") == 1
    instant = cli("instant-query", 'sum(count_over_time({app="shop"}[2h]))', "--now", "2023-11-15T00:00:00Z", "--explain", server=flushed)
    assert instant.returncode == 0 and b"result_type: vector" in instant.stdout
    bad = cli("query", '{app="x"', "--explain", server=flushed)
    assert bad.returncode == 3 and b"parse error" in bad.stderr


def test_the_command_explains_without_a_server(flushed, tmp_path):
    common = ["query", '{app="shop"} |= "needle"', "--analyze", "-o", "jsonl"]
    over_data = json.loads(cli(*common, "--data-dir", str(flushed.data)).stdout)
    assert over_data["analyze"]["answer"]["entries"] == 4
    assert over_data["scans"][0]["blocks"]["selected"] == over_data["analyze"]["blocks"]["read"]
    assert "limits" not in over_data
    (tmp_path / "one.log").write_text("".join("2023-11-14T22:%02d:00Z line %d\n" % (i, i) for i in range(60)))
    over_files = json.loads(cli("query", '|= "line 4"', "--file", str(tmp_path / "one.log"), "--analyze", "-o", "jsonl").stdout)
    assert over_files["analyze"]["answer"]["entries"] == 11
    metric = cli("query", 'count_over_time({}[10m])', "--file", str(tmp_path / "one.log"), "--explain")
    assert metric.returncode == 0 and b"result_type: matrix" in metric.stdout


EXTENDED = [
    ('{app="shop"} | json | distinct ms', ["answer"], 500),
    ('{app="shop"} | json | sort by (id desc)', ["answer"], 1000),
    ('{app="shop"} |= "needle" | context -B 2 -A 1', ["answer", "context"], 16),
    ('{app="shop"} | json | id in ({app="proxy"} |= "needle" | json)', ["values", "answer"], 4),
    ('{app="shop"} | json | ms in (sum by (ms) (count_over_time({app="disk"} |= "needle" | json [2h])))', ["values", "answer"], 8),
]


@pytest.mark.parametrize("query,purposes,entries", EXTENDED)
def test_extensions_are_explained_and_analyzed(flushed, tmp_path, query, purposes, entries):
    params = {"query": query, "limit": 1000, "extensions": "on"}
    for what in ("explain", "analyze"):
        plan = ask(flushed, what, **params)
        assert [scan["purpose"] for scan in plan["scans"]] == purposes
        assert all(scan["blocks"]["selected"] > 0 for scan in plan["scans"])
        assert plan["estimate"]["text_bytes"] == sum(scan["estimate"]["text_bytes"] for scan in plan["scans"])
    assert plan["analyze"]["answer"]["entries"] == entries
    if "values" in purposes:
        assert plan["scans"][0]["values_of"] == ("id" if "id in" in query else "ms")
    common = ["query", query, "--data-dir", str(flushed.data), "--limit", "1000", "-o", "jsonl"]
    assert [scan["purpose"] for scan in json.loads(cli(*common, "--explain").stdout)["scans"]] == purposes
    ran = cli(*common, "--analyze")
    assert ran.returncode == 0 and json.loads(ran.stdout)["analyze"]["answer"]["entries"] == entries


def test_extensions_are_explained_only_where_they_are_on(flushed):
    for query, _, _ in EXTENDED:
        params = {"query": query, "start": START, "end": START + HOUR}
        assert flushed.ask("GET", "/cordwood/v1/explain", params) == flushed.ask("GET", "/loki/api/v1/query_range", params)


@pytest.mark.parametrize("name", ["start", "end", "since", "step", "interval", "limit", "direction", "time", "extensions", "partial"])
def test_a_bad_parameter_is_refused_as_by_the_query(flushed, name):
    params = {"query": '{app="x"}', "start": START, "end": START + HOUR, name: "zzz"}
    if name == "since":
        del params["start"]
    asked = flushed.ask("GET", "/loki/api/v1/query%s" % ("" if name == "time" else "_range"), params)
    assert asked[0] == 400 and asked[1].strip()
    for path in ("explain", "analyze"):
        assert flushed.ask("GET", "/cordwood/v1/" + path, params) == asked, path


def test_in_within_a_metric_is_analyzed_without_a_server(tmp_path):
    (tmp_path / "one.log").write_text("".join("2023-11-14T22:%02d:00Z user=u%d ms=%d\n" % (i, i % 3, i) for i in range(60)))
    query = 'sum by (user) (count_over_time({} | logfmt | user in ({} | logfmt | ms > 58)[1h]))'
    got = cli("query", query, "--file", str(tmp_path / "one.log"), "--analyze", "-o", "jsonl")
    assert got.returncode == 0, got.stderr
    plan = json.loads(got.stdout)
    assert [scan["purpose"] for scan in plan["scans"]] == ["values", "answer"]
    assert plan["analyze"]["answer"]["series"] == 1
