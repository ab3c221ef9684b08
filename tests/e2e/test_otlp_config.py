"""What becomes of OTLP's attributes, as the configuration says: labels, metadata, nothing; of each tenant, after a kill, and behind a reload."""
import json
import signal
import subprocess

from programs import NS, wait_for

START = 1_767_571_200 * NS   # 2026-01-05
CONFIG = """auth_enabled: true
distributor:
  otlp_config:
    default_resource_attributes_as_index_labels: [service.name]
limits_config:
  discover_log_levels: false
  otlp_config:
    resource_attributes:
      attributes_config:
        - {action: index_label, regex: "k8s[.].*"}
        - {action: drop, attributes: [host.id]}
    scope_attributes:
      - {action: drop, regex: ".*"}
    log_attributes:
      - {action: index_label, attributes: [user.id]}
      - {action: drop, regex: "secret.*"}
overrides:
  plain:
    otlp_config:
      resource_attributes: {ignore_defaults: true, attributes_config: [{action: index_label, attributes: [env]}]}
      scope_attributes: []
      log_attributes: []
"""


def attributes(**values):
    return [{"key": key.replace("__", "."), "value": {"stringValue": value}} for key, value in values.items()]


def push(server, tenant, at=START):
    def record(i, line, **values):
        return {"timeUnixNano": str(at + i), "body": {"stringValue": line}, "attributes": attributes(**values)}
    body = {"resourceLogs": [{
        "resource": {"attributes": attributes(service__name="shop", k8s__pod__name="p1", host__id="h", env="dev")},
        "scopeLogs": [{"scope": {"name": "lib", "attributes": attributes(a="b")},
                       "logRecords": [record(0, "one", user__id="u1", secret__key="s"), record(1, "two", user__id="u2", kept="k"),
                                      record(2, "three")]}]}]}
    status, text = server.ask("POST", "/otlp/v1/logs", body=json.dumps(body).encode(),
                              headers={"Content-Type": "application/json", "X-Scope-OrgID": tenant})
    assert status == 204, text


def found(server, tenant, query, start=START):
    headers = {"X-Scope-OrgID": tenant, "X-Loki-Response-Encoding-Flags": "categorize-labels"}
    streams = server.query_range(query, start, start + NS, headers=headers)
    return sorted((line, stream["stream"], more.get("structuredMetadata", {})) for stream in streams for _, line, more in stream["values"])


def test_attributes_go_where_the_configuration_says(make_ingester):
    server = make_ingester(config=CONFIG).start()
    push(server, "some")
    push(server, "plain")
    shop = {"service_name": "shop", "k8s_pod_name": "p1"}
    metadata = {"env": "dev", "scope_name": "lib"}
    want = [("one", {**shop, "user_id": "u1"}, metadata), ("three", shop, metadata), ("two", {**shop, "user_id": "u2"}, {**metadata, "kept": "k"})]
    resource = {"service_name": "shop", "k8s_pod_name": "p1", "host_id": "h", "scope_name": "lib", "a": "b"}
    plain = [("one", {"env": "dev"}, {**resource, "user_id": "u1", "secret_key": "s"}), ("three", {"env": "dev"}, resource),
             ("two", {"env": "dev"}, {**resource, "user_id": "u2", "kept": "k"})]
    for _ in range(2):
        assert found(server, "some", '{service_name="shop"}') == want
        assert found(server, "plain", '{env="dev"}') == plain
        server.kill()
        server.start()


def test_a_reload_holds_for_what_arrives_then(make_ingester):
    server = make_ingester(config=CONFIG).start()
    push(server, "some")
    path = server.argv[server.argv.index("--config") + 1]
    with open(path, "w") as f:
        f.write("auth_enabled: true\nlimits_config: {otlp_config: {severity_text_as_label: true}, max_query_series: 7}\n")
    server.process.send_signal(signal.SIGHUP)
    ask = lambda: json.loads(server.ask("GET", "/loki/api/v1/drilldown-limits", headers={"X-Scope-OrgID": "some"})[1])["limits"]
    wait_for("other limits", lambda: ask()["max_query_series"] == 7)
    push(server, "some", START + NS)
    for _ in range(2):
        assert len(found(server, "some", '{user_id="u1"}')) == 1
        later = found(server, "some", '{service_name="shop"}', START + NS)
        assert [labels for _, labels, _ in later] == [{"service_name": "shop", "k8s_pod_name": "p1"}] * 3
        assert later[0][2]["secret_key"] == "s"
        server.kill()
        server.start()


def test_what_is_wrong_is_told_with_its_place(make_ingester, tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(CONFIG.replace("drop, attributes: [host.id]", "drop").replace("secret.*", "secret(") + "  other: {otlp_config: {log: []}}\n")
    server = make_ingester()
    done = subprocess.run([server.argv[0], "--config", str(path), "--check"], capture_output=True, text=True)
    assert done.returncode == 2
    for text in ("bad.yaml:11:11: limits_config.otlp_config.resource_attributes.attributes_config[1]: attributes or regex must be set",
                 "bad.yaml:16:31: limits_config.otlp_config.log_attributes[1].regex: error parsing regexp: missing closing ): `secret(`",
                 'unknown key "log" in overrides.other.otlp_config'):
        assert text in done.stdout + done.stderr, (text, done.stderr)
