"""`cordwood metrics`: log-derived metrics that promtool finds right and a real Prometheus scrapes."""
import http.client
import json
import os
import socket
import subprocess
import time
import types
import urllib.parse

import pytest

from programs import CLI, TOP, Program, cli, wait_for

CONFIG = """exports:
  - name: shop_lines
    help: 'Lines, by host: "all" of them''s \\ count.'
    type: gauge
    expr: sum by (host) (count_over_time({app="shop"}[1h]))
    interval: 1s
    labels: {team: red}
  - name: shop_errors
    help: Errors.
    type: gauge
    expr: sum(count_over_time({app="shop"} |= "error" [1h]))
    interval: 1s
"""


def get(address, path, **params):
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        connection.request("GET", path + ("?" + urllib.parse.urlencode(params) if params else ""))
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except ConnectionRefusedError:
        return 0, ""
    finally:
        connection.close()


def push_lines(server):
    now = time.time_ns()
    server.push([({"app": "shop", "host": "a"}, [(now - i, "line %d" % i) for i in range(5)]),
                 ({"app": "shop", "host": 'b"\\'}, [(now - i, "error %d" % i) for i in range(3)])])


def exporter(server, tmp_path, started, config=CONFIG):
    (tmp_path / "exports.yaml").write_text(config)
    listen = tmp_path / "exporter.listen"
    program = started.add(Program([CLI, "metrics", "--addr", server.url, "--config", str(tmp_path / "exports.yaml"),
                                   "--listen", "127.0.0.1:0", "--listen-file", str(listen)], str(tmp_path / "exporter.log"))).start()

    def bound():
        assert program.running(), program.log()
        return listen.exists() and listen.read_text().strip()
    program.address = wait_for("listen file", bound)
    return program


def test_once_prints_what_promtool_accepts(ingester, tmp_path):
    push_lines(ingester)
    (tmp_path / "exports.yaml").write_text(CONFIG)
    done = cli("metrics", "--config", str(tmp_path / "exports.yaml"), "--once", server=ingester)
    assert done.returncode == 0, done.stderr
    text = done.stdout.decode()
    assert 'shop_lines{host="a",team="red"} 5\n' in text and 'shop_lines{host="b\\"\\\\",team="red"} 3\n' in text
    assert "# TYPE shop_lines gauge\n" in text and "# HELP shop_lines Lines, by host:" in text and "shop_errors 3\n" in text
    check = subprocess.run(["promtool", "check", "metrics"], input=done.stdout, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert check.returncode == 0, check.stdout


def test_a_real_prometheus_scrapes_it(ingester, tmp_path, started):
    push_lines(ingester)
    program = exporter(ingester, tmp_path, started)
    wait_for("series", lambda: "shop_errors 3" in get(program.address, "/metrics")[1])
    (tmp_path / "prometheus.yml").write_text("global: {scrape_interval: 1s}\nscrape_configs: [{job_name: logs, static_configs: [{targets: ['%s']}]}]\n" % program.address)
    log = tmp_path / "prometheus.log"
    prometheus = started.add(Program(["prometheus", "--config.file", str(tmp_path / "prometheus.yml"), "--storage.tsdb.path", str(tmp_path / "tsdb"),
                                      "--web.listen-address", "127.0.0.1:0", "--log.level", "info"], str(log))).start()

    def listening():
        assert prometheus.running(), prometheus.log()[-2000:]
        sockets = subprocess.run(["ss", "-Hltnp"], stdout=subprocess.PIPE, check=True).stdout.decode()
        return next((row.split()[3] for row in sockets.splitlines() if "pid=%d," % prometheus.pid in row), None)
    address = wait_for("Prometheus", listening)

    def value():
        status, text = get(address, "/api/v1/query", query='shop_lines{host="a",team="red"}')
        result = json.loads(text)["data"]["result"] if status == 200 else []
        return result and result[0]["value"][1]
    assert wait_for("scraped series", value) == "5"
    now = time.time_ns()
    ingester.push([({"app": "shop", "host": "a"}, [(now, "one more")])])
    wait_for("scraped new value", lambda: value() == "6")


def test_a_failed_query_drops_its_series_and_is_counted(make_ingester, tmp_path, started):
    server = make_ingester().start()
    push_lines(server)
    program = exporter(server, tmp_path, started)
    wait_for("series", lambda: "shop_errors 3" in get(program.address, "/metrics")[1])
    server.kill()

    def failed():
        text = get(program.address, "/metrics")[1]
        return text if not any(series in text for series in ("shop_errors 3", "shop_lines{")) and "cordwood_export_errors_total" in text else None
    text = wait_for("both to be gone", failed)                 # each query fails in its own time
    counted = [row for row in text.splitlines() if row.startswith("cordwood_export_errors_total")]
    assert counted and sum(float(row.rsplit(" ", 1)[1]) for row in counted) >= 1
    server.start()
    wait_for("series again", lambda: "shop_errors 3" in get(program.address, "/metrics")[1])
    assert program.stop() == 0


BAD = [
    ("exports: [{name: 9x, help: h, type: gauge, expr: 'count_over_time({a=\"b\"}[1m])'}]", b"name"),
    ("exports: [{name: x, help: h, type: counter, expr: 'count_over_time({a=\"b\"}[1m])'}]", b"gauge"),
    ("exports: [{name: x, help: h, type: gauge, expr: 'count_over_time({a=\"b\"}'}]", b"parse error"),
    ("exports: [{name: x, help: h, type: gauge, expr: 'count_over_time({a=~\"b(\"}[1m])'}]", b"missing closing )"),
    ("exports: [{name: x, help: h, type: gauge, expr: '{a=\"b\"}'}]", b"metric"),
    ("exports: [{nam: x}]", b"name"),
]


@pytest.mark.parametrize("text,names", BAD)
def test_bad_config_names_the_place(ingester, tmp_path, text, names):
    (tmp_path / "exports.yaml").write_text(text)
    done = cli("metrics", "--config", str(tmp_path / "exports.yaml"), "--once", server=ingester)
    assert done.returncode == 2 and b"exports.yaml:1:" in done.stderr and names in done.stderr, done


def test_the_example_is_right(ingester, tmp_path):
    done = cli("metrics", "--config", os.path.join(TOP, "deploy", "examples", "exports.yaml"), "--once", server=ingester)
    assert done.returncode == 0, done.stderr


def test_a_query_without_an_answer_does_not_hold_up_the_end(tmp_path, started):
    with socket.create_server(("127.0.0.1", 0)) as silent:        # takes connections, never answers
        server = types.SimpleNamespace(url="http://127.0.0.1:%d" % silent.getsockname()[1])
        program = exporter(server, tmp_path, started)
        connection, _ = silent.accept()
        assert connection.recv(100).startswith(b"GET /loki/api/v1/query")
        assert get(program.address, "/ready") == (200, "ready\n")
        began = time.monotonic()
        assert program.stop(30) == 0
        assert time.monotonic() - began < 10
        connection.close()
