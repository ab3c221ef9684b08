"""The ingester under load and over time: who may run it, what clients see at once, stops, merges, retention, memory, the log's size."""
import concurrent.futures
import gzip
import json
import os
import random
import re
import shutil
import signal
import socket
import stat
import subprocess
import threading
import time
import urllib.parse
import zlib

import pytest

from load import Pushers, differences
from programs import BUILD, INGESTER, LONG, NS, wait_for
from store_files import Part, parts, segments
from wire import push_body, snappy

JSON = {"Content-Type": "application/json"}
PROTO = {"Content-Type": "application/x-protobuf"}
DAY = 24 * 3600 * NS
# For tests that compare all labels and metadata with what was pushed.
AS_PUSHED = "limits_config: {discover_log_levels: false, discover_service_name: []}\n"


def lines(server, selector, headers=None):
    return [e["line"] for e in server.export(selector, headers=headers)]


def flush(server):
    assert server.ask("POST", "/flush")[0] == 204


# ---- where and who ----

def test_all_addresses_answer_ipv4_and_ipv6(make_ingester):
    server = make_ingester()
    server.address = ":0"
    server.start(ready=False)
    port = server.address.rsplit(":", 1)[1]
    for address in ["127.0.0.1:" + port] + (["[::1]:" + port] if socket.has_ipv6 else []):
        server.address = address
        wait_for("ready", lambda: server.ask("GET", "/ready")[0] == 200)
    assert server.ask("GET", "/ready", headers={"Host": "logs.example", "Origin": "http://logs.example"})[0] == 200


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_an_ordinary_user_runs_it_in_a_folder_of_its_own(make_ingester, public_path):
    home = public_path / "home"
    home.mkdir()
    os.chown(home, 65534, 65534)
    server = make_ingester(data=home / "data")
    argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", INGESTER, "--listen", "127.0.0.1:0", "--listen-file", str(home / "listen"),
            "--data-dir", server.data]
    with open(server.log_path, "ab") as log:
        server.process = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    server.address = wait_for("listen file", lambda: (home / "listen").exists() and (home / "listen").read_text().strip(), 20)
    wait_for("ready", lambda: server.ask("GET", "/ready")[0] == 200)
    server.push([({"a": "b"}, [(time.time_ns(), "x")])])
    flush(server)
    assert lines(server, '{a="b"}') == ["x"]
    assert os.stat(home / "data").st_uid == 65534
    for folder, _, files in os.walk(home / "data"):
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700, folder
        assert all(stat.S_IMODE(os.stat(os.path.join(folder, f)).st_mode) & 0o077 == 0 for f in files), files
    assert server.stop() == 0


def test_a_second_server_is_told_the_pid_of_the_first(ingester, tmp_path):
    done = subprocess.run([INGESTER, "--listen", "127.0.0.1:0", "--data-dir", ingester.data], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 1 and b"%d %s" % (ingester.pid, ingester.address.encode()) in done.stderr and b"in use" in done.stderr, done.stderr


def test_the_log_of_the_server_is_json_when_asked(make_ingester):
    server = make_ingester(config="server: {log_format: json, log_level: debug}\n").start()
    server.push([({"a": "b"}, [(time.time_ns(), "x")])])
    assert server.stop() == 0
    rows = [json.loads(row) for row in server.log().splitlines()]
    assert any("listening on" in row["msg"] for row in rows) and {row["level"] for row in rows} >= {"info", "debug"}


# ---- what clients send and see ----

METADATA = {"trace_id": "0af7651916cd43dd", "user": "Zoë \"q\"", "empty": ""}


def test_structured_metadata_comes_back_whichever_way_it_came(make_ingester):
    ingester = make_ingester(config=AS_PUSHED).start()
    now = time.time_ns()
    assert ingester.ask("POST", "/loki/api/v1/push", body=snappy(push_body([('{from="proto"}', [(now, "one", METADATA), (now + 1, "bare")])])), headers=PROTO)[0] == 204
    ingester.push([({"from": "json"}, [(now, "one", METADATA), (now + 1, "bare")])])
    for where in ("head", "parts", "after a kill"):
        for source in ("proto", "json"):
            exported = ingester.export('{from="%s"}' % source)
            assert [e["line"] for e in exported] == ["one", "bare"]
            assert {k: v for k, v in exported[0].get("metadata", exported[0].get("structured_metadata", {})).items() if v} == {k: v for k, v in METADATA.items() if v}, (where, exported)
            status, text = ingester.ask("GET", "/loki/api/v1/query_range", {"query": '{from="%s"}' % source, "start": now - NS, "end": now + NS, "direction": "forward"},
                                        headers={"X-Loki-Response-Encoding-Flags": "categorize-labels"})
            data = json.loads(text)["data"]
            assert status == 200 and data["encodingFlags"] == ["categorize-labels"]
            (stream,) = data["result"]
            assert stream["stream"] == {"from": source}
            assert stream["values"][0][2]["structuredMetadata"]["trace_id"] == METADATA["trace_id"]
            assert stream["values"][0][2]["structuredMetadata"]["user"] == METADATA["user"]
            assert stream["values"][1] == [str(now + 1), "bare", {}]
            plain = ingester.query_range('{from="%s"}' % source, now - NS, now + NS)
            assert len(plain) == 2 and {"from": source} in [s["stream"] for s in plain]     # as labels of the stream, as in Loki
        if where == "head":
            flush(ingester)
        elif where == "parts":
            ingester.kill()
            ingester.start()


def test_deflate_is_raw_as_in_go_and_zlib_is_refused_by_name(ingester):
    body = json.dumps({"streams": [{"stream": {"a": "b"}, "values": [[str(time.time_ns()), "x"]]}]}).encode()
    assert ingester.ask("POST", "/loki/api/v1/push", body=zlib.compress(body, wbits=-15), headers={**JSON, "Content-Encoding": "deflate"})[0] == 204
    status, text = ingester.ask("POST", "/loki/api/v1/push", body=zlib.compress(body), headers={**JSON, "Content-Encoding": "deflate"})
    assert status == 400 and b"zlib" in text


def test_every_query_after_an_answer_sees_the_push(make_ingester):
    server = make_ingester(config="head: {flush_bytes: 1MiB}\n").start()     # flushes go on meanwhile
    start = time.time_ns()

    def client(k):
        rng = random.Random(k)
        for i in range(250):
            line = "client %d push %d %s" % (k, i, "x" * rng.randrange(3000))
            server_push(k, i, line)
            result = server.query_range('{app="ryw", client="%d"}' % k, start - NS, time.time_ns() + NS, limit=1)
            assert [v[1] for s in result for v in s["values"]] == [line]
            if i % 25 == 24:
                assert server.count('{app="ryw", client="%d"}' % k) == i + 1
        return True

    def server_push(k, i, line):
        body = json.dumps({"streams": [{"stream": {"app": "ryw", "client": str(k)}, "values": [[str(time.time_ns()), line]]}]}).encode()
        assert server.ask("POST", "/loki/api/v1/push", body=body, headers=JSON)[0] == 204

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert all(pool.map(client, range(4)))
    assert server.count('{app="ryw"}') == 1000


def test_any_order_and_very_late_entries_are_kept(ingester):
    now = time.time_ns()
    times = [now - i * 7 * 3600 * NS for i in range(200)] + [1, NS, now + 300 * NS]     # 58 days, and 1970
    random.Random(4).shuffle(times)
    want = {}
    for n, at in enumerate(times):
        want[at] = "entry %d" % n
        ingester.push([({"a": "order"}, [(at, want[at])])])
        if n % 50 == 49:
            flush(ingester)
    for _ in range(2):
        have = ingester.export('{a="order"}')
        assert [(int(e["ts"]) if "ts" in e else None, e["line"]) for e in have] == sorted(want.items())
        flush(ingester)
    (stream,) = ingester.query_range('{a="order"}', now - 30 * DAY, now + 600 * NS, limit=5)
    assert [int(v[0]) for v in stream["values"]] == sorted(times, reverse=True)[:5]
    assert "cordwood_discarded" not in " ".join(ingester.metrics())


def test_duplicates_are_counted_and_only_the_unflushed_are_dropped(ingester):
    now = time.time_ns()
    entries = [(now, "a", {"k": "1"}), (now, "a", {"k": "2"}), (now, "a"), (now + 1, "a")]
    for _ in range(3):
        ingester.push([({"a": "dup"}, entries)])
    assert len(lines(ingester, '{a="dup"}')) == 4
    assert ingester.metrics()['cordwood_discarded_entries_total{reason="duplicate",tenant="fake"}'] == "8"
    ingester.push([({"a": "dup", "other": "stream"}, entries[:1])])
    assert len(lines(ingester, '{a="dup"}')) == 5
    flush(ingester)
    ingester.push([({"a": "dup"}, entries[:1])])
    assert len(lines(ingester, '{a="dup"}')) == 6           # as in Loki: nothing is compared with what is flushed


def test_names_of_metadata_are_rewritten_alike_in_every_format(ingester):
    """What ingester/README.md says of them."""
    names = {"k8s.pod-name": "1", "a..b": "2", "__x__": "3", "9e": "4", "p.q": "5", "p_q": "6", "none": ""}
    want = {"k8s_pod_name": "1", "a_b": "2", "__x__": "3", "key_9e": "4", "p_q": "5"}
    now = time.time_ns()

    def json_body(names):
        return json.dumps({"streams": [{"stream": {"f": "json"}, "values": [[str(now), "x", names]]}]}).encode()

    def proto_body(names):
        return snappy(push_body([('{f="proto"}', [(now, "x", names)])]))

    def otlp_body(names):
        attributes = [{"key": name, "value": {"stringValue": value}} for name, value in names.items()]
        return json.dumps({"resourceLogs": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "otlp"}}]},
                                             "scopeLogs": [{"logRecords": [{"timeUnixNano": str(now), "body": {"stringValue": "x"}, "attributes": attributes}]}]}]}).encode()

    for make, path, kind, selector in ((json_body, "/loki/api/v1/push", "application/json", '{f="json"}'), (proto_body, "/loki/api/v1/push", "application/x-protobuf", '{f="proto"}'),
                                       (otlp_body, "/otlp/v1/logs", "application/json", '{service_name="otlp"}')):
        status, text = ingester.ask("POST", path, body=make(names), headers={"Content-Type": kind})
        assert status in (200, 204), (path, text)
        for bad in ("", "é"):
            status, text = ingester.ask("POST", path, body=make({"good": "1", bad: "2"}), headers={"Content-Type": kind})
            assert status == 400 and (bad or "empty").encode() in text, (path, bad, text)
        status, text = ingester.ask("GET", "/loki/api/v1/query_range", {"query": selector, "start": now - 1, "end": now + 1})
        (stream,) = json.loads(text)["data"]["result"]
        assert len(stream["values"]) == 1 and {k: v for k, v in stream["stream"].items() if k not in ("f", "service_name", "detected_level")} == want, (path, stream)


def test_tenants_see_only_their_own_labels_series_and_exports(make_ingester):
    server = make_ingester(config="auth_enabled: true\n").start()
    now, auth = time.time_ns(), lambda tenant: {"X-Scope-OrgID": tenant}
    for tenant in ("one", "two"):
        server.push([({"only_" + tenant: "v" + tenant, "both": tenant}, [(now, "of " + tenant)])], headers=auth(tenant))
    for _ in range(2):
        for tenant in ("one", "two"):
            get = lambda path, **params: json.loads(server.ask("GET", path, {"start": now - NS, "end": now + NS, **params}, headers=auth(tenant))[1])
            assert get("/loki/api/v1/labels")["data"] == ["both", "only_" + tenant, "service_name"]
            assert get("/loki/api/v1/label/both/values")["data"] == [tenant]
            assert get("/loki/api/v1/series", **{"match[]": '{both=~".+"}'})["data"] == [
                {"both": tenant, "only_" + tenant: "v" + tenant, "service_name": "unknown_service"}]
            assert get("/loki/api/v1/index/stats", query='{both=~".+"}')["entries"] == 1
            assert lines(server, '{both=~".+"}', auth(tenant)) == ["of " + tenant]
        flush(server)
    for path in ("/loki/api/v1/labels", "/loki/api/v1/series", "/cordwood/v1/export?query=%7Ba%3D%22b%22%7D", "/loki/api/v1/query?query=1"):
        assert server.ask("GET", path)[0] == 401, path
    assert sorted(os.listdir(os.path.join(server.data, "parts"))) == ["one", "two"]


def test_the_api_before_v1(ingester):
    now = time.time_ns()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // NS)) + ".%09dZ" % (now % NS)
    body = json.dumps({"streams": [{"labels": '{a="old"}', "entries": [{"ts": stamp, "line": "through the old door"}]}]}).encode()
    status, text = ingester.ask("POST", "/api/prom/push", body=body, headers=JSON)
    assert status == 204, text
    status, text = ingester.ask("POST", "/api/prom/push", body=snappy(push_body([('{a="old"}', [(now + 1, "in protobuf")])])), headers=PROTO)
    assert status == 204, text
    status, text = ingester.ask("GET", "/api/prom/query", {"query": '{a="old"}', "start": now - NS, "end": now + NS})
    streams = json.loads(text)["streams"]
    assert status == 200 and [s["labels"] for s in streams] == [
        '{a="old", detected_level="unknown", service_name="unknown_service"}']
    assert [e["line"] for e in streams[0]["entries"]] == ["in protobuf", "through the old door"]


# ---- what it says of itself ----

def test_buildinfo_has_lokis_shape(ingester):
    status, text = ingester.ask("GET", "/loki/api/v1/status/buildinfo")
    info = json.loads(text)
    assert status == 200 and set(info) == {"version", "revision", "branch", "buildUser", "buildDate", "goVersion"}
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", info["version"])


def test_metrics_are_what_prometheus_expects(ingester):
    ingester.push([({"a": "b"}, [(time.time_ns(), "x")])])
    ingester.query('count_over_time({a="b"}[1m])')
    ingester.ask("GET", "/nowhere")
    flush(ingester)
    status, text = ingester.ask("GET", "/metrics")
    assert ingester.answer_headers["Content-Type"].startswith("text/plain; version=0.0.4")
    names = {re.match(rb"[a-zA-Z_:0-9]+", row).group().decode() for row in text.splitlines() if row and not row.startswith(b"#")}
    assert all(name.startswith("cordwood_") or name.startswith("process_") for name in names), names
    promtool = shutil.which("promtool")
    assert promtool, "promtool (Debian: prometheus) is missing"
    done = subprocess.run([promtool, "check", "metrics"], input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0 and not done.stdout, done.stdout.decode()


def test_while_the_log_is_replayed_queries_carry_a_warning_and_pushes_wait(make_ingester, tmp_path):
    orders = tmp_path / "orders"
    orders.write_text("")
    server = make_ingester(env={"CW_FAULTS": str(orders)}, preload=os.path.join(BUILD, "tests", "support", "libfaults.so")).start()
    now = time.time_ns()
    server.push([({"a": "b"}, [(now, "flushed")])])
    flush(server)
    server.push([({"a": "b"}, [(now + 1, "in the log")])])
    server.kill()
    orders.write_text("sync .wal delay:3000\n")                # the replay fsyncs what it has read before it answers
    server.start(ready=False)
    status, text = server.ask("GET", "/ready")
    assert status == 503 and b"replayed" in text
    for path, params in (("/loki/api/v1/query_range", {"query": '{a="b"}', "start": now - NS, "end": now + NS}), ("/loki/api/v1/query", {"query": 'count_over_time({a="b"}[1h])'})):
        status, text = server.ask("GET", path, params)
        answer = json.loads(text)
        assert status == 200 and answer["data"]["result"] and "replayed" in answer["warnings"][0], answer
    status, text = server.push([({"a": "b"}, [(now + 2, "too early")])], check=False)
    assert status == 503 and server.answer_headers["Retry-After"] == "1"
    assert server.metrics()["cordwood_ready"] == "0"
    orders.write_text("")
    wait_for("ready", lambda: server.ask("GET", "/ready")[0] == 200)
    status, text = server.ask("GET", "/loki/api/v1/query_range", {"query": '{a="b"}', "start": now - NS, "end": now + NS})
    assert "warnings" not in json.loads(text)
    assert lines(server, '{a="b"}') == ["flushed", "in the log"]


# ---- stop, flush, merge, retention ----

def test_a_stop_under_load_loses_nothing_that_was_acknowledged(make_ingester):
    server = make_ingester(config="head: {flush_bytes: 1MiB}\n").start()
    load = Pushers(server, nthreads=4).start()
    try:
        for _ in range(5 if LONG else 2):
            time.sleep(1)
            assert server.stop() == 0
            assert sum(os.path.getsize(p) for p in segments(server.data)) < 10_000      # everything is in parts
            server.start()
    finally:
        load.stop()
    acked = [line for _, group in load.acked for line in group]
    have = lines(server, '{app="load"}')
    assert len(acked) > 1000 and set(acked) <= set(have), differences(acked, have)
    assert len(have) == len(set(have)) and set(have) <= set(load.sent)


def test_a_stop_waits_for_a_push_under_way_and_refuses_new_ones(make_ingester, tmp_path):
    orders = tmp_path / "orders"
    orders.write_text("")
    server = make_ingester(env={"CW_FAULTS": str(orders)}, preload=os.path.join(BUILD, "tests", "support", "libfaults.so")).start()
    server.push([({"a": "b"}, [(time.time_ns(), "first")])])
    orders.write_text("sync .wal delay:1000\n")
    answers = []
    pusher = threading.Thread(target=lambda: answers.append(server.push([({"a": "b"}, [(time.time_ns(), "slow")])], check=False)[0]))
    pusher.start()
    wait_for("sync under way", lambda: os.path.exists(str(orders) + ".0"))
    server.process.send_signal(signal.SIGTERM)
    pusher.join()
    assert answers == [204]
    assert server.process.wait(60) == 0
    orders.write_text("")
    server.start()
    assert lines(server, '{a="b"}') == ["first", "slow"]


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_during_the_replay_is_a_clean_one(make_ingester, tmp_path, sign):
    orders = tmp_path / "orders"
    orders.write_text("")
    server = make_ingester(env={"CW_FAULTS": str(orders)}, preload=os.path.join(BUILD, "tests", "support", "libfaults.so")).start()
    want = ["line %d" % i for i in range(100)]
    server.push([({"a": "b"}, [(time.time_ns() + i, line) for i, line in enumerate(want)])])
    server.kill()
    orders.write_text("sync .wal delay:1000\n")
    server.start(ready=False)
    server.process.send_signal(sign)
    assert server.process.wait(60) == 0 and "level=error" not in server.log(), server.log()
    orders.write_text("")
    for _ in range(2):
        server.start()
        assert lines(server, '{a="b"}') == want
        assert server.stop() == 0


@pytest.mark.parametrize("order", ["sync .wal kill", "sync .wal killafter", "write .wal kill"])
def test_a_crash_while_the_log_is_begun_anew_loses_and_doubles_nothing(make_ingester, tmp_path, order):
    orders = tmp_path / "orders"
    orders.write_text("")
    server = make_ingester(env={"CW_FAULTS": str(orders)}, preload=os.path.join(BUILD, "tests", "support", "libfaults.so")).start()
    want = ["line %d" % i for i in range(100)]
    server.push([({"a": "b"}, [(time.time_ns() + i, line) for i, line in enumerate(want)])])
    flush(server)
    orders.write_text(order + "\n")
    server.process.send_signal(signal.SIGTERM)                   # the head is empty: what is written now is the new segment
    assert server.process.wait(60) == -signal.SIGKILL
    orders.write_text("")
    server.start()
    assert lines(server, '{a="b"}') == want
    server.push([({"a": "b"}, [(time.time_ns(), "more")])])
    server.kill()
    server.start()
    assert lines(server, '{a="b"}') == want + ["more"]
    assert server.metrics()["cordwood_wal_bad_total"] == "0"
    assert server.stop() == 0


def test_a_stop_with_a_full_disk_keeps_the_log(make_ingester, tmp_path):
    orders = tmp_path / "orders"
    orders.write_text("")
    server = make_ingester(env={"CW_FAULTS": str(orders)}, preload=os.path.join(BUILD, "tests", "support", "libfaults.so")).start()
    want = ["line %d" % i for i in range(100)]
    server.push([({"a": "b"}, [(time.time_ns() + i, line) for i, line in enumerate(want)])])
    orders.write_text("write .part fail:28\nsync .part fail:28\n")
    assert server.stop() == 0 and "No space left" in server.log()
    orders.write_text("")
    server.start()
    assert lines(server, '{a="b"}') == want


def test_the_log_goes_when_the_head_is_flushed(make_ingester):
    server = make_ingester().start()                            # with default sizes: one segment of 64 MiB would hold it all
    now = time.time_ns()
    for i in range(10):
        server.push([({"a": "b"}, [(now + 1000 * i + k, os.urandom(1000).hex()) for k in range(1000)])])
    size = lambda: sum(os.path.getsize(p) for p in segments(server.data))
    assert size() > 10 << 20
    flush(server)
    wait_for("smaller log", lambda: size() < 100_000, 10)
    server.push([({"a": "b"}, [(now - 1, "after")])])
    server.kill()
    server.start()
    assert server.count('{a="b"}') == 10_001
    assert server.stop() == 0
    assert size() < 10_000 and len(segments(server.data)) == 1
    server.start()
    assert server.count('{a="b"}') == 10_001 and server.metrics()["cordwood_wal_replayed_entries_total"] == "0"


def test_an_idle_head_is_flushed(ingester):
    now = time.time_ns()
    for i in range(10):
        ingester.push([({"a": "b"}, [(now + 1000 * i + k, os.urandom(500).hex()) for k in range(1000)])])
    wait_for("flush", lambda: ingester.metrics()["cordwood_head_entries"] == "0", 20, 0.2)
    assert ingester.count('{a="b"}') == 10_000
    wait_for("smaller log", lambda: sum(os.path.getsize(p) for p in segments(ingester.data)) < 100_000, 10)


def test_many_small_flushes_become_few_parts_with_the_same_content(ingester):
    now, want = time.time_ns(), []
    for i in range(70):
        entries = [(now + 1000 * i + k, "flush %d line %d" % (i, k), *([{"n": str(i)}] if k % 3 == 0 else [])) for k in range(20)]
        ingester.push([({"a": "merge", "s": str(i % 5)}, entries)])
        want += [(e[1], e[2]["n"] if len(e) > 2 else None) for e in entries]
        flush(ingester)
    have = ingester.export('{a="merge"}')
    row = lambda e: (e["line"], (e.get("metadata") or e.get("structured_metadata") or {}).get("n"))
    assert sorted(map(row, have), key=str) == sorted(want, key=str)
    paths = parts(ingester.data)
    assert len(paths) < 20 and max(Part(p).level for p in paths) >= 1, [(p, Part(p).level) for p in paths]
    assert sum(Part(p).rows for p in paths) == 1400
    assert int(ingester.metrics()["cordwood_parts"]) == len(paths) and int(ingester.metrics()["cordwood_merges_total"]) >= 7
    assert ingester.stop() == 0
    assert parts(ingester.data) == paths or len(parts(ingester.data)) <= len(paths)
    ingester.start()
    assert sorted(map(row, ingester.export('{a="merge"}')), key=str) == sorted(want, key=str)


def test_a_query_goes_on_over_parts_that_are_merged_away(ingester):
    now = time.time_ns()
    for i in range(12):
        ingester.push([({"a": "b"}, [(now + i * 100_000 + k, "%d %s" % (k, "q" * 200)) for k in range(20_000)])])
        if i < 7:
            flush(ingester)
    failures = []

    def ask():
        for _ in range(15):
            n = ingester.count('{a="b"}')
            if n != 240_000:
                failures.append(n)
    threads = [threading.Thread(target=ask) for _ in range(2)]
    for t in threads:
        t.start()
    for i in range(10):
        ingester.push([({"a": "c"}, [(now + i, "y")])])
        flush(ingester)
    for t in threads:
        t.join()
    assert not failures


def test_retention_drops_old_parts_by_tenant_and_follows_a_reload(make_ingester):
    config = "auth_enabled: true\nlimits_config: {retention_period: %s}\noverrides: {long: {retention_period: 0}, short: {retention_period: 1h}}\n"
    server = make_ingester(config=config % "30d").start()
    now = time.time_ns()
    auth = lambda tenant: {"X-Scope-OrgID": tenant}
    ages = {"minutes": 60 * NS, "hours": 3 * 3600 * NS, "days": 4 * DAY, "months": 70 * DAY}
    kept = {"long": ["months", "days", "hours", "minutes"], "short": ["minutes"], "usual": ["days", "hours", "minutes"]}
    for tenant in kept:
        server.push([({"a": "b"}, [(now - age, name) for name, age in ages.items()])], headers=auth(tenant))
    for _ in range(2):
        for tenant, want in kept.items():
            assert lines(server, '{a="b"}', auth(tenant)) == want, tenant
            result = server.query_range('{a="b"}', now - 5 * DAY, now, headers=auth(tenant))
            assert sorted(v[1] for s in result for v in s["values"]) == sorted(set(want) - {"months"})
        flush(server)
    on_disk = lambda: {t: sum(Part(p).rows for p in parts(server.data) if "/parts/%s/" % t in p) for t in kept}
    wait_for("old parts to go", lambda: on_disk()["long"] == 4 and on_disk()["usual"] == 3, 60, 0.2)
    path = server.argv[server.argv.index("--config") + 1]
    with open(path, "w") as f:
        f.write(config % "2d")
    server.process.send_signal(signal.SIGHUP)
    wait_for("reload", lambda: "read again" in server.log())
    wait_for("hidden", lambda: lines(server, '{a="b"}', auth("usual")) == ["hours", "minutes"], 5)
    wait_for("part to go", lambda: on_disk()["usual"] == 2, 60, 0.2)
    assert server.stop() == 0
    server.start()
    assert lines(server, '{a="b"}', auth("usual")) == ["hours", "minutes"] and lines(server, '{a="b"}', auth("long")) == kept["long"]


# ---- connections ----

def test_clients_that_stay_idle_keep_nobody_out(make_ingester):
    server = make_ingester(config="memory: {limit: 16MiB}\n").start()       # 16 places
    host, port = server.address.rsplit(":", 1)
    idle = []
    for _ in range(40):
        idle.append(socket.create_connection((host, int(port)), timeout=60))
        idle[-1].sendall(b"GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert idle[-1].recv(100).startswith(b"HTTP/1.1 200 ")
    assert server.ask("GET", "/ready")[0] == 200
    server.push([({"a": "b"}, [(time.time_ns(), "x")])])
    metrics = server.ask("GET", "/metrics")[1].decode()
    value = {name: int(re.search("^cordwood_http_connections%s ([0-9]+)$" % name, metrics, re.M).group(1)) for name in ("", "_limit", "_gave_way_total", "_refused_total")}
    assert value[""] < 40 and value["_limit"] == 16 and value["_gave_way_total"] >= 25 and value["_refused_total"] == 0, value
    assert server.log().count("all 16 places for connections are taken") == 1
    for client in idle:
        client.close()
    wait_for("places to be free again", lambda: "there are places for connections again" in server.log())


# ---- clients that leave ----

def cpu_seconds(server):
    with open("/proc/%d/stat" % server.pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_heavy_query_stops_with_its_client(ingester):
    now = time.time_ns()
    for i in range(4):
        ingester.push([({"a": "heavy"}, [(now - i * 1000 - k, os.urandom(4000).hex()) for k in range(1000)])])
    flush(ingester)
    query = 'sum(count_over_time({a="heavy"} |~ `[a-c][0-9a-f]{900}[xyz]` [1h]))'
    host, port = ingester.address.split(":")
    sockets = []
    for _ in range(2):
        s = socket.create_connection((host, int(port)))
        s.sendall(b"GET /loki/api/v1/query?" + urllib.parse.urlencode({"query": query}).encode() + b" HTTP/1.1\r\nHost: %s\r\n\r\n" % ingester.address.encode())
        sockets.append(s)
    before = cpu_seconds(ingester)
    wait_for("work", lambda: cpu_seconds(ingester) > before + 0.5)
    assert ingester.metrics()["cordwood_queries_running"] == "2"
    for s in sockets:
        s.close()
    wait_for("end of the queries", lambda: ingester.metrics()["cordwood_queries_running"] == "0", 5)
    before = cpu_seconds(ingester)
    time.sleep(1)
    assert cpu_seconds(ingester) - before < 0.2


# ---- memory ----

class PeakMemory:
    """The most anonymous memory that a process was seen with, in MiB; pages of mapped parts are the kernel's cache."""

    def __init__(self, pid):
        self.pid, self.peak, self.ending = pid, 0, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.ending.wait(0.02):
            with open("/proc/%d/status" % self.pid) as f:
                self.peak = max(self.peak, next(int(row.split()[1]) >> 10 for row in f if row.startswith("RssAnon:")))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()


def test_with_little_memory_pushes_are_refused_and_the_process_does_not_grow(make_ingester, tmp_path):
    orders = tmp_path / "orders"
    orders.write_text("sync .part delay:700\n")                 # a slow disk: the head cannot be flushed as fast as pushes come
    server = make_ingester(config="memory: {limit: 64MiB}\n", env={"CW_FAULTS": str(orders)}, preload=os.path.join(BUILD, "tests", "support", "libfaults.so")).start()
    statuses, lock, acked = {}, threading.Lock(), [0]
    now = time.time_ns()

    def client(k):
        for i in range(40):
            body = snappy(push_body([('{app="memory", k="%d"}' % k, [(now + i * 1000 + n, os.urandom(750).hex()) for n in range(1000)])]))
            status, text = server.ask("POST", "/loki/api/v1/push", body=body, headers=PROTO)
            with lock:
                statuses[status] = statuses.get(status, 0) + 1
                acked[0] += 1000 * (status == 204)
    with PeakMemory(server.pid) as memory:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(client, range(4)))
        # Bodies larger than what all of them may take, and raw ones larger than the head's half, will never fit: no 429.
        status, text = server.ask("POST", "/loki/api/v1/push", body=os.urandom(9 << 20), headers=PROTO)
        assert status == 413, text
        # Its head says what the first needs; how much the second grows to is seen when there is room for the beginning.
        orders.write_text("")
        packed = gzip.compress(b'{"streams":[]}' + b" " * (60 << 20), 1)
        wait_for("a refusal for good", lambda: server.ask("POST", "/loki/api/v1/push", body=packed, headers={**JSON, "Content-Encoding": "gzip"})[0] == 413)
        wait_for("room", lambda: server.push([({"app": "memory", "k": "last"}, [(now, "x")])], check=False)[0] == 204)
        wait_for("room for a query", lambda: server.ask("GET", "/loki/api/v1/query", {"query": 'count_over_time({app="memory"}[1h])'})[0] == 200)
        assert server.count('{app="memory"}') == acked[0] + 1
    assert set(statuses) == {204, 429}, statuses
    assert memory.peak < 64 + 24, memory.peak                   # the budget, and the program itself
