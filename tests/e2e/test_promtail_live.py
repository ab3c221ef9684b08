"""The published configurations of tests/data/promtail that read no plain files: an API server's pods, a Docker Engine's containers, a journal,
and what is sent to ports. Only addresses and paths are changed."""
import glob
import json
import os
import re
import socket
import ssl

import pytest

from certificates import make_certificates
from docker_engine import forwarded, running_engine
from journal_files import Journal
from kube_api import KubeApi, pod
from programs import NS, TOP, free_port, wait_for
from receiving import address, post

FOLDER = os.path.join(TOP, "tests", "data", "promtail")
HERE = {"docker-compose-sd", "docker-sd", "docker-sd-tls", "gelf", "helm-chart", "journal", "kubernetes-outside", "kubernetes-pods", "loki-push", "syslog", "syslog-relay-udp"}


def test_each_configuration_has_its_effect_tested():
    names = {os.path.basename(path)[:-5] for path in glob.glob(os.path.join(FOLDER, "*.yaml"))}
    assert {name for name in names if not os.path.exists(os.path.join(FOLDER, name + ".want"))} - {"every-key"} == HERE      # that is the reference, no configuration


@pytest.fixture
def published(ingester, make_shipper, tmp_path):
    """published(name, ("text", "instead")...) - a shipper that runs it."""
    def make(name, *changes, **more):
        with open(os.path.join(FOLDER, name + ".yaml")) as f:
            text = f.read()
        for old, new in (("http://loki:3100", ingester.url), ("/var/log/positions.yaml", str(tmp_path / "positions.yaml")), *changes):
            assert old in text, old
            text = text.replace(old, str(new))
        return make_shipper(config=text, **more).start()
    return make


def labels_by_line(ingester, n):
    """Of all entries, once there are n."""
    entries = wait_for("%d entries" % n, lambda: (lambda e: e if len(e) >= n else None)(ingester.export('{service_name=~".+"}')), 40, 0.1)
    assert len(entries) == n, entries
    return {e["line"]: {k: v for k, v in e["labels"].items() if k not in ("service_name", "filename")} for e in entries}


def test_a_single_client_gets_the_lines(ingester, published, tmp_path):
    (tmp_path / "syslog").write_text("a line\n")
    published("single-client", ("/var/log/*log", tmp_path / "*log"))
    assert labels_by_line(ingester, 1) == {"a line": {"job": "varlogs"}}


# ---- ports ----

def test_syslog(ingester, published):
    shipper = published("syslog", ("0.0.0.0:1514", "127.0.0.1:0"))
    with socket.create_connection(address(shipper, "syslog.syslog")) as connection:
        for text in ('<165>1 2026-01-02T03:04:05.000006Z web shop 7 ID [ex@32473 iut="3"] one', "<14>1 - db - - - - two"):
            connection.sendall(b"%d %s" % (len(text), text.encode()))
    got = labels_by_line(ingester, 2)
    assert got["one"] == {"job": "syslog", "host": "web", "app": "shop", "level": "notice"} and got["two"] == {"job": "syslog", "host": "db", "level": "informational"}
    assert [int(e["ts"]) for e in ingester.export('{host="web"}')] == [1767323045 * NS + 6000]


def test_syslog_relay_udp(ingester, published):
    shipper = published("syslog-relay-udp", ("0.0.0.0:1514", "127.0.0.1:0"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for text in (b"<189>Jan  2 03:04:05 sw1 %LINK-3: port up", b"<189>Jan  2 03:04:05 sw1 %LINEPROTO-5-UPDOWN: x", b"<34>Jan  2 03:04:06 gw su: failed"):
            s.sendto(text, address(shipper, "syslog.network"))
    assert labels_by_line(ingester, 2) == {"failed": {"job": "network", "host": "gw", "level": "critical", "facility": "auth", "app": "su", "peer": "127.0.0.1"},
                                           "port up": {"job": "network", "host": "sw1", "level": "notice", "facility": "local7", "app": "%LINK-3", "peer": "127.0.0.1"}}


def test_gelf(ingester, published):
    shipper = published("gelf", ("0.0.0.0:12201", "127.0.0.1:0"))
    message = {"version": "1.1", "host": "web", "short_message": "m", "timestamp": 1767323045.5, "level": 3}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(json.dumps(message).encode(), address(shipper, "gelf.gelf"))
    (line, labels), = labels_by_line(ingester, 1).items()
    assert labels == {"job": "gelf", "host": "web", "level": "error"} and json.loads(line) == message
    assert [int(e["ts"]) for e in ingester.export('{job="gelf"}')] == [1767323045 * NS + NS // 2]


def test_loki_push(ingester, published):
    port = free_port()
    shipper = published("loki-push", ("http_listen_port: 3500", "http_listen_port: %d" % port), ("grpc_listen_port: 3600", "grpc_listen_port: 0"))
    where = address(shipper, "loki_push_api.push1")
    assert where[1] == port
    body = {"streams": [{"stream": {"app": "x"}, "values": [["1767323045000000000", "pushed"]]}]}
    assert post(where, "/loki/api/v1/push", json.dumps(body).encode(), {"Content-Type": "application/json"})[0] == 204
    assert labels_by_line(ingester, 1) == {"pushed": {"app": "x", "pushserver": "push1"}}
    assert [int(e["ts"]) for e in ingester.export('{app="x"}')] == [1767323045 * NS]


def test_journal(ingester, published, tmp_path):
    journal = Journal(tmp_path / "journal")
    journal.write(2)
    line, = journal.write(1, _TRANSPORT="kernel", _SYSTEMD_UNIT="init.scope", _HOSTNAME="h1", PRIORITY=3)
    published("journal", ("/var/log/journal", tmp_path / "journal"))
    assert labels_by_line(ingester, 1) == {line.decode(): {"job": "systemd-journal", "unit": "init.scope", "host": "h1", "level": "error"}}


# ---- pods ----

def pod_log(root, folder, container, line):
    (root / folder / container).mkdir(parents=True)
    (root / folder / container / "0.log").write_text("2026-01-02T03:04:05.000000006Z stdout F %s\n" % line)


@pytest.fixture
def kube(tmp_path):
    make_certificates(tmp_path, "IP:127.0.0.1")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    api = KubeApi(tls=context)
    yield api
    api.stop()


def owned(item, kind, name):
    item["metadata"]["ownerReferences"] = [{"kind": kind, "name": name, "controller": True}]
    return item


@pytest.mark.parametrize("name", ["kubernetes-pods", "helm-chart"])
def test_pods_of_the_cluster(ingester, published, tmp_path, kube, name):
    root = tmp_path / "pods"
    root.mkdir()
    kube.put(owned(pod("web-5d8f7c9b4-abcde", "u1", labels={"app": "shop", "app.kubernetes.io/name": "web", "app.kubernetes.io/instance": "blue", "component": "front"}), "ReplicaSet", "web-5d8f7c9b4"))
    kube.put(owned(pod("cron-5d8f7c9b4-xyz", "u2"), "ReplicaSet", "cron-5d8f7c9b4"))
    kube.put(pod("alone", "u3", containers=("a", "b")))
    kube.put(pod("etcd-n1", "u4", annotations={"kubernetes.io/config.hash": "h4sh"}))
    kube.put(pod("far", "u5", node="n2"))
    for folder, container, line in (("shop_web_u1", "app", "web"), ("shop_cron_u2", "app", "cron"), ("shop_alone_u3", "b", "alone"), ("kube_etcd_h4sh", "app", "etcd")):
        pod_log(root, folder, container, line)
    (tmp_path / "token").write_text("first")
    published(name, ("- role: pod", "- role: pod\n        api_server: %s\n        bearer_token_file: %s/token\n        tls_config: {ca_file: %s/ca.pem}" % (kube.url, tmp_path, tmp_path)),
              ("/var/log/pods", root))
    got = labels_by_line(ingester, 4)
    common = {"node_name": "n1", "stream": "stdout"}
    if name == "kubernetes-pods":       # an older one: its rules know no namespace
        assert got == {"web": {"app": "web", "job": "/web", **common}, "cron": {"app": "cron", "job": "/cron", **common},
                       "alone": {"app": "alone", "job": "/alone", **common}, "etcd": {"app": "etcd-n1", "job": "/etcd-n1", **common}}
        return
    common["namespace"] = "shop"
    assert got == {"web": {"app": "web", "instance": "blue", "component": "front", "job": "shop/web", "pod": "web-5d8f7c9b4-abcde", "container": "app", **common},
                   "cron": {"app": "cron", "job": "shop/cron", "pod": "cron-5d8f7c9b4-xyz", "container": "app", **common},
                   "alone": {"app": "alone", "job": "shop/alone", "pod": "alone", "container": "b", **common},
                   "etcd": {"app": "etcd-n1", "job": "shop/etcd-n1", "pod": "etcd-n1", "container": "app", **common}}


def test_kubernetes_outside(ingester, published, tmp_path, kube):
    root = tmp_path / "pods"
    root.mkdir()
    for name, namespace, more in (("one", "shop", {}), ("two", "web", {"containers": ("istio-proxy", "main")}), ("three", "other", {}), ("four", "shop", {"node": "n2"})):
        kube.put(pod(name, name, namespace=namespace, labels={"app": "a"}, **more))
        pod_log(root, "%s_%s_%s" % (namespace, name, name), "app", name)
    (tmp_path / "token").write_text("first")
    # Selectors are the server's business; the stand-in knows only equality.
    published("kubernetes-outside", ("https://10.0.0.1:6443", kube.url), ("/etc/token", tmp_path / "token"), ("/etc/ca.crt", tmp_path / "ca.pem"),
              ("app in (a,b)", "app=a"), ("/var/log/pods", root), env={"HOSTNAME": "n1"})
    assert set(labels_by_line(ingester, 2)) == {"2026-01-02T03:04:05.000000006Z stdout F " + name for name in ("one", "two")}
    assert {re.match(r"/api/v1/namespaces/(\w+)/pods", path).group(1) for path in kube.requests} == {"shop", "web"}


# ---- containers ----

@pytest.fixture(scope="module")
def engine():
    with running_engine() as engine:
        yield engine.image()


def test_docker_sd(ingester, published, engine):
    engine.run("said", "echo '2 hello'; echo more; echo '3 end' >&2; sleep 1000", "--label", "logging=promtail", "--label", "logging.jobname=shop")
    engine.run("silent", "echo never", "--label", "logging=none")
    published("docker-sd", ("unix:///var/run/docker.sock", "unix://" + engine.socket))
    assert labels_by_line(ingester, 2) == {"2 hello\nmore": {"container": "said", "logstream": "stdout", "job": "shop"}, "3 end": {"container": "said", "logstream": "stderr", "job": "shop"}}


def test_docker_compose_sd(ingester, published, engine):
    for name, more in (("web", ()), ("db", ()), ("migrate", ("--label", "com.docker.compose.oneoff=True"))):
        engine.run("shop-%s-1" % name, "echo from %s" % name, "--label", "com.docker.compose.project=shop", "--label", "com.docker.compose.service=" + name, *more)
    engine.run("blog-web-1", "echo never", "--label", "com.docker.compose.project=blog", "--label", "com.docker.compose.service=web")
    published("docker-compose-sd", ("unix:///var/run/docker.sock", "unix://" + engine.socket))
    common = {"project": "shop", "stream": "stdout"}
    assert labels_by_line(ingester, 2) == {"from web": {"service": "web", "job": "shop/web", **common}, "from db": {"service": "db", "job": "shop/db", "kind": "database", **common}}


def test_docker_sd_tls(ingester, published, engine, tmp_path):
    make_certificates(tmp_path, "DNS:localhost,IP:127.0.0.1")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tmp_path / "ca.pem")
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    context.verify_mode = ssl.CERT_REQUIRED
    listener, port = forwarded(engine, context)
    try:
        for name in ("said", "silent", "shop-web-1", "shop-db-1", "shop-migrate-1", "blog-web-1"):
            engine.docker("rm", "-f", name, check=False)
        engine.run("behind", "echo over TLS")
        published("docker-sd-tls", ("tcp://docker.example.com:2376", "tcp://127.0.0.1:%d" % port), ("/etc/docker/ca.pem", tmp_path / "ca.pem"),
                  ("/etc/docker/cert.pem", tmp_path / "client.pem"), ("/etc/docker/key.pem", tmp_path / "client.key"))
        assert labels_by_line(ingester, 1) == {"over TLS": {"container": "behind", "image": "bb:1", "stream": "stdout"}}
    finally:
        listener.close()
