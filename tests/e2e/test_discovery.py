"""What an ingester adds to pushes, as Loki's discover_service_name and discover_log_levels say: seen before and behind a flush, after a kill,
and after a restart with other settings."""
import json
import signal

import pytest

from programs import NS, wait_for

START = 1_767_571_200 * NS   # 2026-01-05
END = START + 3600 * NS
OFF = "limits_config: {discover_log_levels: false, discover_service_name: []}\n"
LINES = [  # line, metadata, level
    ("level=warn msg=\"an error\"", {}, "warn"),
    ('{"msg": "an error", "level": "DEBUG"}', {}, "debug"),
    ("2026-01-05 00:00:00 ERROR it broke", {}, "error"),
    ("plain text", {}, "unknown"),
    ("plain text of info", {"severity": "Critical"}, "critical"),
    ("plain text", {"level": "NOTICE", "trace": "x"}, "NOTICE"),
    ("plain text", {"detected_level": "ERR"}, "error"),
]


def push_lines(server, headers=None):
    return server.push([({"app": "shop"}, [(START + i, line, metadata) for i, (line, metadata, _) in enumerate(LINES)]),
                        ({"zone": "eu", "level": "Warning"}, [(START, "info")]),
                        ({"zone": "eu", "service_name": "own"}, [(START, "info: there")])], headers=headers)


def found(server, query, headers=None):
    """[(line, labels)] in order of time, of any stream."""
    rows = [(int(ts), line, stream["stream"]) for stream in server.query_range(query, START, END, limit=5000, headers=headers)
            for ts, line in stream["values"]]
    return [(line, labels) for _, line, labels in sorted(rows, key=lambda row: row[:2])]


def check(server, headers=None):
    shop = found(server, '{service_name="shop"}', headers)
    assert [(line, labels["detected_level"]) for line, labels in shop] == [(line, level) for line, _, level in LINES]
    assert shop[5][1] == {"app": "shop", "service_name": "shop", "level": "NOTICE", "trace": "x", "detected_level": "NOTICE"}
    assert found(server, '{service_name="unknown_service"}', headers) == [
        ("info", {"zone": "eu", "level": "Warning", "service_name": "unknown_service", "detected_level": "warn"})]
    assert found(server, '{service_name="own"}', headers) == [("info: there", {"zone": "eu", "service_name": "own", "detected_level": "info"})]
    assert [line for line, _ in found(server, '{service_name="shop"} | detected_level="error"', headers)] == [LINES[2][0], LINES[6][0]]
    counts = server.query('sum by (detected_level) (count_over_time({service_name=~"shop|own|unknown_service"}[1h]))', time=END - 1, headers=headers)
    assert {one["metric"]["detected_level"]: int(one["value"][1]) for one in counts} == {
        "warn": 2, "debug": 1, "error": 2, "unknown": 1, "critical": 1, "NOTICE": 1, "info": 1}


def test_what_is_added_is_there_in_memory_in_parts_and_after_a_kill(ingester):
    push_lines(ingester)
    check(ingester)
    ingester.kill()
    ingester.start()
    check(ingester)
    assert ingester.ask("POST", "/flush")[0] == 204
    check(ingester)
    assert ingester.stop() == 0
    check(ingester.start())


@pytest.mark.parametrize("killed", [True, False])
def test_other_settings_after_a_restart_hold_for_what_comes_then(make_ingester, killed):
    server = make_ingester().start()
    push_lines(server)
    server.kill() if killed else server.stop()
    later = make_ingester("off", config=OFF, data=server.data).start()
    check(later)                                   # what was answered stays, each entry once
    later.push([({"app": "off"}, [(START, "an error")])])
    assert found(later, '{app="off"}') == [("an error", {"app": "off"})]
    later.kill()
    again = make_ingester("on", data=server.data).start()
    check(again)
    assert found(again, '{app="off"}') == [("an error", {"app": "off"})]
    own = make_ingester("own", config="limits_config: {log_level_fields: [stufe], discover_service_name: [zone]}\n", data=server.data)
    again.kill()
    own.start()
    own.push([({"app": "own", "zone": "eu"}, [(START, "stufe=wrn level=err")])])
    own.kill()
    own.start()
    check(own)
    assert found(own, '{app="own"}') == [("stufe=wrn level=err", {"app": "own", "zone": "eu", "service_name": "eu", "detected_level": "warn"})]


def test_an_entry_sent_again_after_a_change_of_levels_is_the_same_entry(make_ingester):
    levels_off = "limits_config: {discover_log_levels: false}\n"
    entries = [(START, "an error"), (START + 1, "other", {"trace": "1"})]
    server = make_ingester().start()
    server.push([({"app": "a"}, entries)])
    server.kill()
    off = make_ingester("off", config=levels_off, data=server.data).start()
    off.push([({"app": "a"}, entries), ({"app": "b"}, entries)])
    assert [labels.get("detected_level") for _, labels in found(off, '{app="a"}')] == ["error", "unknown"]
    off.kill()
    on = make_ingester("on", data=server.data).start()
    on.push([({"app": "b"}, entries)])
    assert [labels.get("detected_level") for _, labels in found(on, '{app="b"}')] == [None, None]
    # A level that is sent makes another entry, as other metadata does.
    on.push([({"app": "b"}, [(START, "an error", {"detected_level": "info"})])])
    assert len(found(on, '{app="b"}')) == 3


def test_settings_are_the_tenants_and_are_reloaded(make_ingester, tmp_path):
    config = "auth_enabled: true\noverrides: {two: {discover_log_levels: false, discover_service_name: [zone]}}\n"
    server = make_ingester(config=config).start()
    one, two = {"X-Scope-OrgID": "one"}, {"X-Scope-OrgID": "two"}
    for headers in one, two:
        push_lines(server, headers)
    check(server, one)
    assert found(server, '{service_name="eu"}', two) == [("info", {"zone": "eu", "level": "Warning", "service_name": "eu"})]
    assert found(server, '{app="shop"}', two)[0][1] == {"app": "shop", "service_name": "unknown_service"}

    def limits(headers):
        return json.loads(server.ask("GET", "/loki/api/v1/drilldown-limits", headers=headers)[1])["limits"]
    assert limits(one)["discover_log_levels"] is True and limits(one)["discover_service_name"][:2] == ["service", "app"]
    assert limits(one)["log_level_fields"][-1] == "SEVERITY_TEXT"
    assert limits(two)["discover_log_levels"] is False and limits(two)["discover_service_name"] == ["zone"]
    with open(server.argv[server.argv.index("--config") + 1], "w") as f:
        f.write("auth_enabled: true\n" + OFF)
    server.process.send_signal(signal.SIGHUP)
    wait_for("other limits", lambda: not limits(one)["discover_log_levels"])
    server.push([({"app": "new"}, [(START, "an error")])], headers=one)
    assert found(server, '{app="new"}', one) == [("an error", {"app": "new"})]
    check(server, one)


def test_labels_are_counted_without_the_service(ingester):
    labels = {"l%02d" % i: "x" for i in range(15)}
    ingester.push([(labels, [(START, "fits")])])
    status, text = ingester.push([({**labels, "one": "more"}, [(START, "does not")])], check=False)
    assert status == 400 and b"has 16 label names; limit 15" in text and b'service_name="unknown_service"' in text
    ingester.push([({}, [(START, "no labels at all")])])
    assert found(ingester, '{service_name="unknown_service"}') == [
        ("fits", {**labels, "service_name": "unknown_service", "detected_level": "unknown"}),
        ("no labels at all", {"service_name": "unknown_service", "detected_level": "unknown"})]


def test_internal_streams_of_loki_get_no_service(ingester):
    ingester.push([({"__pattern__": "x"}, [(START, "a")])])
    assert found(ingester, '{__pattern__="x"}') == [("a", {"__pattern__": "x", "detected_level": "unknown"})]


def attribute(key, value):
    return {"key": key, "value": {"stringValue": value}}


def test_otlp_has_severities_and_services_of_its_own(ingester):
    records = [{"timeUnixNano": str(START), "body": {"stringValue": "an error"}, "severityNumber": 9},
               {"timeUnixNano": str(START + 1), "body": {"stringValue": "a warning"}, "severityNumber": 9, "severityText": "Fatal"},
               {"timeUnixNano": str(START + 2), "body": {"stringValue": "level=debug"}}]
    resources = [[attribute("service.name", "shop")],
                 [attribute("k8s.job.name", "job"), attribute("k8s.container.name", "box")],   # the first attribute, not the first of the list
                 [attribute("host.arch", "amd64")]]
    body = {"resourceLogs": [{"resource": {"attributes": attributes}, "scopeLogs": [{"logRecords": records}]} for attributes in resources]}
    status, text = ingester.ask("POST", "/otlp/v1/logs", body=json.dumps(body).encode(), headers={"Content-Type": "application/json"})
    assert status == 204, text
    for _ in range(2):
        for name in "shop", "job", "unknown_service":
            assert [labels["detected_level"] for _, labels in found(ingester, '{service_name="%s"}' % name)] == ["info", "fatal", "debug"]
        ingester.kill()
        ingester.start()


def test_a_push_of_which_a_part_is_refused_keeps_what_was_found(make_ingester):
    server = make_ingester(config="limits_config: {max_line_size: 100B, max_line_size_truncate: true}\n").start()
    server.push([({"app": "a"}, [(START, "x" * 99 + " error"), (START + 1, "error " + "x" * 200)])])
    want = [("x" * 99 + " ", {"app": "a", "service_name": "a", "detected_level": "unknown"}),
            ("error " + "x" * 94, {"app": "a", "service_name": "a", "detected_level": "error"})]
    for _ in range(2):
        assert found(server, '{app="a"}') == want
        server.kill()
        server.start()


@pytest.mark.parametrize("flushed", [False, True])
def test_logs_drilldown_finds_services_and_levels(ingester, flushed):
    push_lines(ingester)
    if flushed:
        assert ingester.ask("POST", "/flush")[0] == 204
    ask = lambda path, **params: json.loads(ingester.ask("GET", "/loki/api/v1/" + path, {"start": START, "end": END, **params})[1])
    volumes = ask("index/volume", query='{service_name=~".+"}', targetLabels="service_name")["data"]["result"]
    assert {one["metric"]["service_name"] for one in volumes} == {"shop", "own", "unknown_service"}
    assert ask("label/service_name/values")["data"] == ["own", "shop", "unknown_service"]
    labels = {one["label"]: one["cardinality"] for one in ask("detected_labels", query='{service_name=~".+"}')["detectedLabels"]}
    assert labels["service_name"] == 3
    values = ask("detected_field/detected_level/values", query='{service_name="shop"}')["values"]
    assert sorted(values) == ["NOTICE", "critical", "debug", "error", "unknown", "warn"]
    rows = ask("query_range", query='sum by (detected_level) (count_over_time({service_name="shop"} | detected_level!="" [60s]))', step="60s")
    assert {one["metric"]["detected_level"] for one in rows["data"]["result"]} == {"NOTICE", "critical", "debug", "error", "unknown", "warn"}
