"""Clients that others wrote for Loki's push API, unchanged, against the real ingester."""
import json
import logging
import queue
import subprocess
import time

import logging_loki
import pytest
from loki_logger_handler.loki_logger_handler import LokiLoggerHandler
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

from go_toolchain import any_go, build
from programs import NS, wait_for


@pytest.fixture
def logger(request):
    made = logging.getLogger("cordwood." + request.node.name)
    made.setLevel(logging.DEBUG)
    made.propagate = False
    yield made
    for handler in list(made.handlers):
        made.removeHandler(handler)
        handler.close()


@pytest.mark.parametrize("version,path", [("1", "/loki/api/v1/push"), ("0", "/api/prom/push")])
def test_python_logging_loki(ingester, logger, version, path):
    failures = []
    handler = logging_loki.LokiHandler(url=ingester.url + path, tags={"app": "python", "host": "h-1"}, version=version)
    handler.handleError = lambda record: failures.append(record)
    logger.addHandler(handler)
    want = []
    for i in range(50):
        want.append("line %d: \"quotes\", tabs\t, Zoë, 日本語 and a\nsecond line" % i)
        (logger.info, logger.error)[i % 2](want[-1], extra={"tags": {"service.name": "checkout", "n": str(i % 2)}})
    assert not failures
    have = ingester.export('{app="python"}')
    assert [e["line"] for e in have] == want
    now = time.time_ns()
    (labels, other) = sorted((s["stream"] for s in ingester.query_range('{app="python"}', now - 60 * NS, now)), key=lambda s: s["severity"])
    assert labels["severity"] == "error" and other["severity"] == "info" and labels["logger"] == logger.name
    assert ingester.count('{app="python", severity="error"} |= "日本語"') == 25


def test_python_logging_loki_through_its_queue(ingester, logger):
    handler = logging_loki.LokiQueueHandler(queue.Queue(-1), url=ingester.url + "/loki/api/v1/push", tags={"app": "queue"}, version="1")
    logger.addHandler(handler)
    for i in range(200):
        logger.warning("queued line %d", i)
    handler.listener.stop()
    assert [e["line"] for e in ingester.export('{app="queue"}')] == ["queued line %d" % i for i in range(200)]


@pytest.mark.parametrize("compressed", [True, False])
def test_loki_logger_handler_with_gzip_and_structured_metadata(ingester, logger, compressed):
    handler = LokiLoggerHandler(url=ingester.url + "/loki/api/v1/push", labels={"app": "handler"}, label_keys={"region"}, timeout=1, compressed=compressed,
                                enable_structured_loki_metadata=True, loki_metadata={"version": "1.2.3"}, loki_metadata_keys=["trace_id"])
    logger.addHandler(handler)
    for i in range(300):
        logger.info("request %d", i, extra={"region": ("eu", "us")[i % 2], "trace_id": "%032x" % i})
    wait_for("entries", lambda: ingester.count('{app="handler"}') == 300, 20, 0.1)
    have = ingester.export('{app="handler", region="eu"}')
    assert [json.loads(e["line"])["message"] for e in have] == ["request %d" % i for i in range(0, 300, 2)]
    now = time.time_ns()
    status, text = ingester.ask("GET", "/loki/api/v1/query_range", {"query": '{app="handler", region="us"} |= "request 7\\""', "start": now - 60 * NS, "end": now},
                                headers={"X-Loki-Response-Encoding-Flags": "categorize-labels"})
    ((_, _, more),) = json.loads(text)["data"]["result"][0]["values"]
    assert more["structuredMetadata"] == {"detected_level": "info", "trace_id": "%032x" % 7, "version": "1.2.3"}


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_opentelemetrys_sdk(ingester, logger, compression):
    resource = Resource({"service.name": "shop", "k8s.pod.name": "shop-7", "host.arch": "amd64"})
    provider = LoggerProvider(resource)
    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(ingester.url + "/otlp/v1/logs", compression=Compression(compression))))
    logger.addHandler(LoggingHandler(logger_provider=provider))
    want = ["order %d: Zoë" % i for i in range(700)]
    for i, line in enumerate(want):
        (logger.info, logger.error)[i % 2](line, extra={"order.id": i, "parts": {"a": 1.5}})
    provider.shutdown()
    have = ingester.export('{service_name="shop", k8s_pod_name="shop-7"}')
    assert [e["line"] for e in have] == want
    one = have[7]["metadata"]
    assert one["host_arch"] == "amd64" and one["order_id"] == "7" and one["severity_text"] == "ERROR" and one["severity_number"] == "17"
    assert one["scope_name"] == logger.name and int(one["observed_timestamp"]) > 0
    assert ingester.count('{service_name="shop"} | severity_text="ERROR" |= "order 9"') == 6


@pytest.fixture(scope="module")
def go_client():
    """Grafana's own Go client, compiled: its modules are pinned by go.sum."""
    return build(any_go(), "loki_go_client", GOFLAGS="-buildvcs=false", GO111MODULE="on")


def test_grafanas_go_client_in_batches_over_a_restart(make_ingester, go_client):
    server = make_ingester(config="auth_enabled: true\n").start()
    want = ["line %d %s" % (i, "é" * (i % 50)) for i in range(5000)]
    client = subprocess.Popen([go_client, server.url + "/loki/api/v1/push", "team-a"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8")
    client.stdin.write("\n".join(want[:2500]) + "\n")
    client.stdin.flush()
    wait_for("first batches", lambda: server.export('{app="go"}', headers={"X-Scope-OrgID": "team-a"}))
    server.kill()                                                       # it backs off and sends again
    server.start()
    errors = client.communicate("\n".join(want[2500:]) + "\n", timeout=120)[1]
    assert client.returncode == 0, errors
    have = server.export('{app="go"}', headers={"X-Scope-OrgID": "team-a"})
    assert [e["line"] for e in have] == want                            # what was sent twice is dropped: same time, same line
    assert server.export('{app="go"}', headers={"X-Scope-OrgID": "team-b"}) == []
