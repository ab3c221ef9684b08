"""The block `server` of a configuration, by promtail's keys: what it serves, to whom, where, and how it is reloaded."""
import contextlib
import json
import re
import socket
import ssl
import subprocess
import urllib.error
import urllib.request

import pytest

from programs import SHIPPER, wait_for


@pytest.fixture
def serve(make_shipper, ingester, tmp_path):
    """serve(keys of server) - a running shipper with them, and where its paths begin."""
    (tmp_path / "a.log").write_text("one\n")

    def make(keys, url=None):
        shipper = make_shipper(config=config(keys, tmp_path, url or ingester.url)).start()
        return shipper, told(shipper)
    return make


def config(keys, folder, url, job="a"):
    return ("server: {http_listen_address: 127.0.0.1, http_listen_port: 0, %s}\npositions: {filename: %s/p.yml}\n"
            "clients: [{url: '%s/loki/api/v1/push', batchwait: 50ms, backoff_config: {max_period: 500ms}}]\n"
            "scrape_configs: [{job_name: a, static_configs: [{labels: {job: %s, __path__: '%s/*.log'}}]}]\n" % (keys, folder, url, job, folder))


def told(shipper, nth=1):
    found = wait_for("address", lambda: (lambda all: all if len(all) >= nth else None)(re.findall(r"/targets at (\S+?)\"", shipper.log())))
    return found[nth - 1]


def ask(url, method="GET", context=None):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=30, context=context) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_below_a_prefix(serve):
    shipper, base = serve("http_path_prefix: /logs/shipper/")
    assert base.endswith("/logs/shipper")
    for path in ("/metrics", "/targets"):
        assert ask(base + path)[0] == 200 and ask(base[:-len("/logs/shipper")] + path)[0] == 404, path
    assert ask(base)[0] == 404 and ask(base + "x/metrics")[0] == 404
    assert ask(base + "/reload", "POST")[0] == 404          # nobody asked for it
    assert audit(shipper)["behind"] >= 0
    assert shipper.stop() == 0


def audit(shipper):
    path = shipper.argv[shipper.argv.index("--config") + 1]
    done = subprocess.run([SHIPPER, "audit", "--config", path, "--json"], capture_output=True, timeout=60)
    assert done.returncode == 0, done
    audit.stderr = done.stderr.decode()
    return json.loads(done.stdout)


def test_without_metrics_and_ready_at_once(serve):
    _, base = serve("register_instrumentation: false, health_check_target: false", url="http://127.0.0.1:1")
    assert ask(base + "/metrics")[0] == 404 and ask(base + "/ready") == (200, "Ready\n")


def test_ready_when_a_server_has_answered(serve):
    _, base = serve("log_level: info", url="http://127.0.0.1:1")
    assert ask(base + "/ready")[0] == 503


def test_disabled(make_shipper, ingester, tmp_path):
    (tmp_path / "a.log").write_text("one\n")
    shipper = make_shipper(config=config("disable: true", tmp_path, ingester.url)).start()
    wait_for("the line", lambda: ingester.count('{job="a"}') == 1)
    assert "/targets at" not in shipper.log() and shipper.stop() == 0


def test_over_https(serve, certificates):
    shipper, base = serve("http_tls_config: {cert_file: %(c)s/server.pem, key_file: %(c)s/server.key}" % {"c": certificates})
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    assert base.startswith("https://")
    assert ask(base + "/ready", context=context)[0] in (200, 503) and "cordwood_shipper_" in ask(base + "/metrics", context=context)[1]
    wait_for("all delivered", lambda: audit(shipper)["behind"] == 0)
    assert audit.stderr == "" and shipper.stop() == 0


def test_who_must_show_a_certificate(serve, certificates):
    shipper, base = serve("http_tls_config: {cert_file: %(c)s/server.pem, key_file: %(c)s/server.key, client_ca_file: %(c)s/ca.pem, "
                          "client_auth_type: RequireAndVerifyClientCert}" % {"c": certificates})
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    with pytest.raises((urllib.error.URLError, ConnectionError, ssl.SSLError)):
        ask(base + "/ready", context=context)
    context.load_cert_chain(certificates / "client.pem", certificates / "client.key")
    assert ask(base + "/metrics", context=context)[0] == 200
    audit(shipper)                                          # by what it has written
    assert "what it has written is told instead" in audit.stderr
    assert shipper.stop() == 0


def test_reload_by_a_request(make_shipper, ingester, tmp_path):
    (tmp_path / "a.log").write_text("one\n")
    shipper = make_shipper(config=config("enable_runtime_reload: true", tmp_path, ingester.url)).start()
    base = told(shipper)
    path = shipper.argv[shipper.argv.index("--config") + 1]
    wait_for("the line", lambda: ingester.count('{job="a"}') == 1)
    assert ask(base + "/reload")[0] == 405
    with open(path) as f:
        good = f.read()
    with open(path, "w") as f:
        f.write(good.replace("batchwait", "batchwat"))
    status, text = ask(base + "/reload", "POST")
    assert status == 500 and text.startswith("failed to reload config: ") and 'did you mean "batchwait"' in text
    with open(path, "w") as f:
        f.write(good.replace("job: a,", "job: b,"))
    assert ask(base + "/reload", "POST") == (200, "")
    again = told(shipper, 2)
    with open(tmp_path / "a.log", "a") as f:
        f.write("two\n")
    wait_for("the other line", lambda: ingester.count('{job="b"}') == 1)
    assert ingester.export_lines('{job=~"a|b"}') == [b"one", b"two"] and ask(again + "/metrics")[0] == 200
    assert shipper.stop() == 0


def test_an_idle_client_is_cut_off(serve):
    _, base = serve("http_server_idle_timeout: 1s, http_listen_conn_limit: 3")
    host, port = base[len("http://"):].rsplit(":", 1)
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\n")
        connection.settimeout(20)
        while connection.recv(4096):
            pass
    idle = [socket.create_connection((host, int(port))) for _ in range(3)]
    with socket.create_connection((host, int(port))) as fourth, contextlib.suppress(ConnectionError):
        fourth.settimeout(20)
        fourth.sendall(b"GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
        fourth.recv(100)                                    # cut, perhaps by a reset, or answered when another one was
    for connection in idle:
        connection.close()

    def is_answered():
        with contextlib.suppress(ConnectionError, urllib.error.URLError):   # their places are free when the server has seen their end
            return ask(base + "/metrics")[0] == 200

    assert wait_for("room", is_answered)
