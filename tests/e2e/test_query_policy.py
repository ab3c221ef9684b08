"""What a tenant may not ask, and what it is told of its limits."""
import json
import os
import signal
import subprocess

import pytest

from programs import INGESTER, NS, wait_for

START = 1_700_000_000 * NS
DISABLED = "querying is disabled, please contact your Loki operator"
BLOCKED = "query blocked by policy"
ONE, TWO = {"X-Scope-OrgID": "one"}, {"X-Scope-OrgID": "two"}
# Loki's tenant_limits_allow_publish.
PUBLISHED = {"discover_log_levels", "discover_service_name", "log_level_fields", "max_entries_limit_per_query", "max_line_size_truncate",
             "max_query_bytes_read", "max_query_length", "max_query_lookback", "max_query_range", "max_query_series", "metric_aggregation_enabled",
             "otlp_config", "pattern_persistence_enabled", "query_timeout", "retention_period", "volume_enabled", "volume_max_series"}


def ask(server, path, headers=ONE, method="GET", **params):
    """(status, text of the error or None)"""
    status, body = server.ask(method, path if path.startswith("/") else "/loki/api/v1/" + path, {"start": START, "end": START + 60 * NS, **params},
                              headers=headers)[:2]
    text = body.decode().strip()
    return status, None if status == 200 else text


def write_config(server, text):
    with open(server.argv[server.argv.index("--config") + 1], "w") as f:
        f.write(text)
    server.process.send_signal(signal.SIGHUP)


def test_selectors_need_what_the_tenant_requires_until_a_reload(make_ingester):
    server = make_ingester(config="""
auth_enabled: true
limits_config: {minimum_labels_number: 2}
overrides: {one: {required_labels: [env], minimum_labels_number: 0}}
""").start()
    missing = "stream selector is missing required matchers [env], labels present in the query were [app]"
    few = "stream selector has less label matchers than required: (present: [app], number_present: 1, required_number_label_matchers: 2)"
    for query in ('{app="a"}', 'rate({app="a"}[1m])'):
        assert ask(server, "query_range", query=query) == (400, missing)
        assert ask(server, "query_range", headers=TWO, query=query) == (400, few)
    assert ask(server, "patterns", query='{app="a"}') == (400, missing)
    assert ask(server, "/api/prom/query", query='{app="a"}') == (400, missing)
    assert ask(server, "/cordwood/v1/export", query='{app="a"}') == (400, missing)
    # As in Loki.
    assert ask(server, "query", query='rate({app="a"}[1m])') == (200, None)
    assert ask(server, "series", **{"match[]": '{app="a"}'}) == (200, None)
    assert ask(server, "query_range", query='{env="a"}') == (200, None)
    assert ask(server, "query_range", headers=TWO, query='{env="a", app="b"}') == (200, None)
    write_config(server, "auth_enabled: true\n")
    wait_for("other limits", lambda: ask(server, "query_range", query='{app="a"}') == (200, None))


def test_queries_are_blocked_by_pattern_type_hash_and_tag(make_ingester):
    server = make_ingester(config=r"""
auth_enabled: true
overrides:
  one:
    blocked_queries:
      - {pattern: 'sum(rate({env="prod"}[1m]))'}
      - {pattern: '.*secret.*', regex: true, types: 'filter,limited'}
      - {hash: 2943214005, types: [limited]}
      - {tags: {source: logcli}}
""").start()
    for path in ("query", "query_range", "/cordwood/v1/analyze"):
        assert ask(server, path, query=' sum(rate({env="prod"}[1m]))') == (400, BLOCKED)
        assert ask(server, path, query='sum(rate({env="prod"}[2m]))') == (200, None)
        assert ask(server, path, headers=TWO, query='sum(rate({env="prod"}[1m]))') == (200, None)
    assert ask(server, "query_range", query='{app="secrets"}') == (400, BLOCKED)
    assert ask(server, "query_range", method="POST", query='{app="secrets"}') == (400, BLOCKED)
    assert ask(server, "detected_fields", query='{app="secrets"}') == (400, BLOCKED)
    assert ask(server, "query_range", query='rate({app="secrets"}[1m])') == (200, None)
    assert ask(server, "query_range", query='{stream="stdout",pod="loki-canary-9w49x"}') == (400, BLOCKED)
    assert ask(server, "query_range", query='{a="b"}', headers={**ONE, "X-Query-Tags": "Source=LogCLI"}) == (400, BLOCKED)
    assert ask(server, "query_range", query='{a="b"}', headers={**ONE, "X-Query-Tags": "Source=grafana"}) == (200, None)
    plan = json.loads(server.ask("GET", "/cordwood/v1/explain", {"query": '{app="secrets"}', "start": START, "end": START + NS}, headers=ONE)[1])
    assert plan["data"]["refused"] == BLOCKED


@pytest.mark.parametrize("key", ["max_query_parallelism", "tsdb_max_query_parallelism"])
def test_no_parallelism_is_no_queries(make_ingester, key):
    server = make_ingester(config="auth_enabled: true\noverrides: {one: {%s: 0}}\n" % key).start()
    for path, params in (("query_range", {"query": '{a="b"}'}), ("query", {"query": 'rate({a="b"}[1m])'}), ("series", {"match[]": '{a="b"}'}),
                         ("detected_labels", {}), ("detected_fields", {"query": '{a="b"}'}), ("detected_field/x/values", {"query": '{a="b"}'})):
        assert ask(server, path, **params) == (429, DISABLED)
        assert ask(server, path, headers=TWO, **params) == (200, None)
    assert ask(server, "labels") == (200, None)


def test_a_volume_finds_no_more_series_than_it_may(make_ingester):
    server = make_ingester(config="limits_config: {volume_max_series: 2}\n").start()
    server.push([({"app": str(i % 2), "pod": str(i)}, [(START + i * 20 * NS, "x")]) for i in range(3)])
    error = "the query hit the max number of series limit (limit: 2 series)"
    assert ask(server, "index/volume", query='{pod=~".+"}') == (400, error)
    assert ask(server, "index/volume", query='{app=~".+"}') == (200, None)
    assert ask(server, "index/volume_range", query='{pod=~".+"}', step="3600") == (400, error)
    assert ask(server, "index/volume_range", query='{pod=~".+"}', step="10") == (200, None)


def test_what_grafana_reads_of_the_limits(make_ingester):
    server = make_ingester(config="""
auth_enabled: true
distributor: {otlp_config: {default_resource_attributes_as_index_labels: [service.name]}}
overrides:
  one:
    max_query_bytes_read: 1536KB
    volume_max_series: 7
    max_line_size_truncate: true
    retention_stream: [{selector: '{a="b"}', period: 36h, priority: 2}]
    otlp_config:
      resource_attributes: {attributes_config: [{action: index_label, regex: "k8s.+"}]}
      log_attributes: [{action: drop, attributes: [secret]}]
""").start()
    published = lambda headers: json.loads(server.ask("GET", "/loki/api/v1/drilldown-limits", headers=headers)[1])["limits"]
    two, one = published(TWO), published(ONE)
    assert set(two) == PUBLISHED and set(one) == PUBLISHED | {"retention_stream"}
    assert (two["max_query_bytes_read"], two["volume_max_series"], two["max_line_size_truncate"]) == ("0B", 1000, False)
    assert two["pattern_persistence_enabled"] is True and two["metric_aggregation_enabled"] is False
    default = {"action": "index_label", "attributes": ["service.name"]}
    assert two["otlp_config"] == {"resource_attributes": {"attributes_config": [default]}}
    assert (two["max_query_length"], two["query_timeout"], two["retention_period"]) == ("30d1h", "1m", "0s")
    assert (one["max_query_bytes_read"], one["volume_max_series"], one["max_line_size_truncate"]) == ("1536KB", 7, True)
    assert one["retention_stream"] == [{"period": "1d12h", "priority": 2, "selector": '{a="b"}'}]
    assert one["otlp_config"] == {"resource_attributes": {"attributes_config": [default, {"action": "index_label", "regex": "k8s.+"}]},
                                  "log_attributes": [{"action": "drop", "attributes": ["secret"]}]}
    # The same as YAML: a name a line, its value in YAML's flow style, which is JSON.
    for headers, want in ((ONE, one), (TWO, two)):
        status, body = server.ask("GET", "/config/tenant/v1/limits", headers=headers)[:2]
        assert status == 200
        lines = [line.partition(": ")[::2] for line in body.decode().splitlines()]
        assert {name: json.loads(value) for name, value in lines} == want
    assert server.ask("GET", "/config/tenant/v1/limits")[0] == 401


def test_a_request_is_of_one_tenant(make_ingester):
    server = make_ingester(config="auth_enabled: true\n").start()
    assert ask(server, "query_range", headers={"X-Scope-OrgID": "one|two"}, query='{a="b"}') == (
        400, "multiple org IDs present: there is no querier.multi_tenant_queries_enabled, a request is of one tenant")


def check(tmp_path, text):
    path = tmp_path / "ingester.yaml"
    path.write_text(text)
    done = subprocess.run([INGESTER, "--config", os.fspath(path), "--check"], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr


def test_lokis_limits_that_mean_nothing_here_are_warned_of(tmp_path):
    ignored = ["cardinality_limit: 100", "max_chunks_per_query: 5", "max_querier_bytes_read: 1GB", "split_queries_by_interval: 30m", "max_queriers_per_tenant: 3",
               "max_cache_freshness_per_query: 1m", "query_ready_index_num_days: 7", "shard_streams: {enabled: true}", "metric_aggregation_enabled: true"]
    status, stderr = check(tmp_path, "limits_config:\n  max_query_parallelism: 16\n  increment_duplicate_timestamp: true\n"
                           + "".join("  %s\n" % line for line in ignored))
    assert status == 0, stderr
    for line in ignored:
        assert line.partition(":")[0] in stderr
    assert "parallelism" not in stderr and "duplicate" not in stderr
    status, stderr = check(tmp_path, "limits_config: {discover_generic_fields: {fields: {a: [b]}}}\n")
    assert status == 2 and '"discover_generic_fields" is not supported' in stderr


def test_a_rule_that_is_wrong_is_told_with_its_place(tmp_path):
    status, stderr = check(tmp_path, "limits_config:\n  blocked_queries:\n    - {pattern: 'a(', regex: true}\n    - {types: metrics}\n")
    assert status == 2
    assert "ingester.yaml:3:" in stderr and "error parsing regexp: missing closing ): `a(`" in stderr
    assert "ingester.yaml:4:" in stderr and '"metrics" is no type of query: expected metric, filter or limited' in stderr
