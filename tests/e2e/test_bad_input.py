"""Bad input of every kind gets its status and a text that names the place; the server goes on."""
import gzip
import json
import os
import subprocess
import time
import urllib.parse

import cramjam
import pytest

import store_files
from programs import INGESTER, NS, SHIPPER, cli

PROTO = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}


def snappy(data):
    return bytes(cramjam.snappy.compress_raw(data))


def field(number, data):
    assert len(data) < 128
    return bytes([number << 3 | 2, len(data)]) + data


PUSHES = [
    ("protobuf cut off", PROTO, snappy(field(1, field(1, b'{a="b"}'))[:-1]), 400, b""),
    ("protobuf of nonsense", PROTO, snappy(b"\xff" * 100), 400, b""),
    ("field longer than the message", PROTO, snappy(b"\x0a\xff\xff\xff\xff\x0f"), 400, b""),
    ("not snappy", PROTO, b"\x0a\x00garbage", 400, b"snappy"),
    ("snappy that says 4 GB", PROTO, b"\xff\xff\xff\xff\x0f\x00", 413, b""),
    ("protobuf in gzip without snappy", {**PROTO, "Content-Encoding": "gzip"}, gzip.compress(b"\x0a\x00garbage"), 400, b"snappy: corrupt input"),
    ("protobuf that says gzip and is none", {**PROTO, "Content-Encoding": "gzip"}, snappy(b""), 400, b"gzip"),
    ("protobuf in an unknown encoding", {**PROTO, "Content-Encoding": "br"}, snappy(b""), 400, b'Content-Encoding "br" not supported'),
    ("gzip bomb around snappy", {**PROTO, "Content-Encoding": "gzip"}, gzip.compress(bytes(300 << 20), 1), 413, b""),
    ("snappy bomb in gzip", {**PROTO, "Content-Encoding": "gzip"}, gzip.compress(b"\xff\xff\xff\xff\x0f\x00"), 413, b""),
    ("gzip bomb", {**JSON, "Content-Encoding": "gzip"}, gzip.compress(bytes(300 << 20), 1), 413, b""),
    ("gzip cut off", {**JSON, "Content-Encoding": "gzip"}, gzip.compress(b'{"streams":[]}')[:-6], 400, b""),
    ("unknown encoding", {**JSON, "Content-Encoding": "br"}, b"{}", 400, b"br"),
    ("JSON cut off", JSON, b'{"streams":[{"stream":{"a":"b"},"values":[["1","x"]', 400, b""),
    ("JSON of the wrong shape", JSON, b'{"streams":{"a":1}}', 400, b""),
    ("deep JSON", JSON, b'{"streams":' + b"[" * 100000, 400, b""),
    ("empty body", JSON, b"", 400, b""),
    ("no streams", JSON, b'{"streams":[]}', 422, b""),
    ("labels that do not parse", PROTO, snappy(field(1, field(1, b'{a="b"') + field(2, field(1, b"\x08\x01") + field(2, b"x")))), 400, b"labels"),
    ("a time that is no number", JSON, b'{"streams":[{"stream":{"a":"b"},"values":[["soon","x"]]}]}', 400, b""),
    ("a time beyond int64", JSON, b'{"streams":[{"stream":{"a":"b"},"values":[["99999999999999999999","x"]]}]}', 400, b""),
]


@pytest.mark.parametrize("name,headers,body,status,text", PUSHES, ids=[p[0] for p in PUSHES])
def test_push(ingester, name, headers, body, status, text):
    got, answer = ingester.ask("POST", "/loki/api/v1/push", body=body, headers=headers)
    assert got == status and text in answer and len(answer) > 5, (got, answer)
    assert ingester.push([({"still": "alive"}, [(str(time.time_ns()), "x")])])[0] == 204
    assert ingester.count('{still="alive"}') == 1


def test_a_line_of_100_mb_is_refused_by_size(ingester):
    body = b'{"streams":[{"stream":{"a":"b"},"values":[["%d","%s"]]}]}' % (time.time_ns(), b"x" * 100_000_000)
    before = int(ingester.metrics()["process_resident_memory_bytes"].split(".")[0]) if "process_resident_memory_bytes" in ingester.metrics() else 0
    status, answer = ingester.ask("POST", "/loki/api/v1/push", body=body, headers=JSON)
    assert status == 413 and answer, (status, answer)
    status, answer = ingester.ask("POST", "/loki/api/v1/push", body=gzip.compress(body, 1), headers={**JSON, "Content-Encoding": "gzip"})
    assert status in (400, 413) and answer, (status, answer)
    assert ingester.count('{a="b"}') == 0 and before >= 0


QUERIES = [
    ("syntax", {"query": '{app="x"'}, 400, b"parse error"),
    ("empty", {"query": ""}, 400, b"parse error"),
    ("no matcher that selects", {"query": '{app=~".*"}'}, 400, b"at least one"),
    ("bad regex", {"query": '{app="x"} |~ "a("'}, 400, b"missing closing )"),
    ("repeat over 1000", {"query": '{app="x"} |~ "a{1001}"'}, 400, b"repeat"),
    ("limit over the limit", {"query": '{app="x"}', "limit": "1000000000"}, 400, b"max entries limit"),
    ("limit of nonsense", {"query": '{app="x"}', "limit": "many"}, 400, b"many"),
    ("start of nonsense", {"query": '{app="x"}', "start": "soon"}, 400, b"soon"),
    ("end before start", {"query": '{app="x"}', "start": "2000000000", "end": "1000000000"}, 400, b"end"),
    ("a range of years", {"query": 'rate({app="x"}[5m])', "start": "0", "end": "%d" % time.time_ns(), "step": "1d"}, 400, b""),
    ("too many steps", {"query": 'rate({app="x"}[5m])', "start": "1700000000", "end": "1700086400", "step": "1ms"}, 400, b"11,000 points"),
    ("direction", {"query": '{app="x"}', "direction": "sideways"}, 400, b"sideways"),
    ("deep nesting", {"query": "(" * 100000 + "1" + ")" * 100000}, 400, b""),
    ("switched off", {"query": 'approx_topk(2, rate({app="x"}[1m]))'}, 400, b"approx_topk is not enabled"),
]


@pytest.mark.parametrize("name,params,status,text", QUERIES, ids=[q[0] for q in QUERIES])
def test_query(ingester, name, params, status, text):
    body = "&".join("%s=%s" % (k, urllib.parse.quote(v)) for k, v in params.items()).encode()
    got, answer = ingester.ask("POST", "/loki/api/v1/query_range", body=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert got == status and text in answer and answer, (got, answer)
    assert ingester.ask("GET", "/ready")[0] == 200


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*$", "(a*)*b", "(.*a){20}$", "(?:a?){60}a{60}$"])
def test_a_catastrophic_regex_ends_soon(ingester, pattern):
    ingester.push([({"app": "redos"}, [(str(time.time_ns()), "a" * 200_000 + "!")])])
    started = time.monotonic()
    status, answer = ingester.ask("GET", "/loki/api/v1/query", {"query": 'count_over_time({app="redos"} |~ `%s` [5m])' % pattern})
    assert status == 200 or (status == 400 and pattern.encode() in answer), (status, answer)
    assert time.monotonic() - started < 10                              # hours without a limit; no speed is tested here


CONFIGS = [
    ("unknown key", "servr: {}\n", b":1:1:", b"server"),
    ("wrong type", "server: {http_listen_port: abc}\n", b":1:28:", b"abc"),
    ("a list for a table", "limits_config: [1]\n", b":1:16:", b""),
    ("not YAML", "server: {\n", b":", b""),
    ("twice", "auth_enabled: true\nauth_enabled: false\n", b":2:1:", b"auth_enabled"),
]


@pytest.mark.parametrize("name,text,place,names", CONFIGS, ids=[c[0] for c in CONFIGS])
def test_config_of_the_ingester(tmp_path, name, text, place, names):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    done = subprocess.run([INGESTER, "--config", str(path), "--check"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert b"c.yaml" + place in done.stderr and names in done.stderr, done.stderr


@pytest.mark.parametrize("program", [INGESTER, SHIPPER])
def test_a_config_file_that_is_not_there_and_an_unknown_flag(tmp_path, program):
    for arguments, text in ((["--config", str(tmp_path / "none.yaml")], b"none.yaml"), (["--confg", "x"], b"--config")):
        done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == 2 and text in done.stderr, done.stderr


def test_config_of_the_shipper(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("clients: [{url: 'http://localhost:1', batchwat: 1s}]\nscrape_configs: [{job_name: x, static_config: []}]\n")
    done = subprocess.run([SHIPPER, "--config", str(path), "--check"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert b"s.yaml:1:" in done.stderr and b"batchwait" in done.stderr, done.stderr
    assert b"s.yaml:2:" in done.stderr and b"static_configs" in done.stderr, done.stderr        # all errors at once


def test_the_cli_says_what_is_wrong_and_with_which_status(ingester):
    assert cli("query", '{app="x"', server=ingester).returncode == 3
    assert cli("query", server=ingester).returncode == 2
    assert cli("qurey", '{app="x"}', server=ingester).returncode == 2
    assert b"query" in cli("qurey", '{app="x"}', server=ingester).stderr
    assert cli("query", "--limit", "many", '{app="x"}', server=ingester).returncode == 2
    assert cli("query", '{app="nothing here"}', server=ingester).returncode == 1
    assert cli("query", "--addr", "http://127.0.0.1:1", '{app="x"}').returncode == 3


def test_a_foreign_origin_or_host_is_refused(ingester):
    assert ingester.ask("GET", "/loki/api/v1/labels", headers={"Origin": "http://evil.example"})[0] == 403
    assert ingester.ask("GET", "/loki/api/v1/labels", headers={"Host": "evil.example"})[0] == 403
    assert ingester.ask("GET", "/loki/api/v1/labels", headers={"Origin": ingester.url})[0] == 200


def test_a_tenant_is_asked_for_when_auth_is_enabled(make_ingester):
    server = make_ingester(config="auth_enabled: true\n").start()
    now = time.time_ns()
    assert server.push([({"a": "b"}, [(now, "x")])], check=False) == (401, b"no org id\n")
    assert server.push([({"a": "b"}, [(now, "of one")])], headers={"X-Scope-OrgID": "one"})[0] == 204
    assert server.push([({"a": "b"}, [(now, "of two")])], headers={"X-Scope-OrgID": "two"})[0] == 204
    for tenant in ("one", "two"):
        result = server.query_range('{a="b"}', now - NS, now + NS, headers={"X-Scope-OrgID": tenant})
        assert [v[1] for s in result for v in s["values"]] == ["of " + tenant]
    assert server.ask("GET", "/loki/api/v1/labels", headers={"X-Scope-OrgID": "../etc"})[0] == 400


def test_a_part_that_is_cut_while_it_is_served_is_told_in_every_answer(make_ingester):
    """Its tables were checked when it was opened; what the disk does not give reads as zeros, and those must not pass for nothing."""
    server = make_ingester().start()
    begin = time.time_ns() - 600 * NS
    server.push([({"app": "cut"}, [(begin + i * NS, "line %d" % i) for i in range(300)])])
    assert server.ask("POST", "/flush")[0] == 204

    def answer(query):
        status, text = server.ask("GET", "/loki/api/v1/query_range", {"query": query, "start": begin - NS, "end": begin + 600 * NS, "limit": 1000})
        assert status == 200, text
        return json.loads(text)

    whole = answer('{app="cut"} |= "line"')
    assert sum(len(s["values"]) for s in whole["data"]["result"]) == 300 and "warnings" not in whole
    part, = store_files.parts(server.data)
    os.truncate(part, 0)
    for query in ('{app=~".+"} |= "line 7"', 'sum(count_over_time({app="cut"} |= "line" [10m]))') * 2:
        assert answer(query)["warnings"] == ["stored blocks are damaged: the answer misses what they held"], query
    assert "the disk failed, or the file was cut" in server.log()
    assert server.metrics()["cordwood_bad_indexes_total"] == "1"
