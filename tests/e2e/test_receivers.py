"""What the shipper receives rather than reads from files, from real senders through its spool to the ingester."""
import collections
import contextlib
import gzip
import json
import logging
import os
import random
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request

import graypy
import logging_loki
import msgpack
import pytest
from fluent import asyncsender, sender
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor

from journal_files import Journal
from load import Pushers, differences
from loki_stub import LokiStub
from programs import LONG, NS, SHIPPER, Program, wait_for
from receiving import address, labels_of, post, spool_files, stored

KILLS = 20 if LONG else 4


# ---- lines ----

def test_lines_over_tcp_and_a_unix_socket(ingester, receive, tmp_path):
    shipper = receive("job_name: t\nlines: {listen_address: '127.0.0.1:0', labels: {job: tcp}}\n"
                      "relabel_configs: [{source_labels: [__lines_connection_ip_address], target_label: peer}]",
                      "job_name: u\nlines: {listen_address: 'unix:%s/in.sock', labels: {job: unix}}" % tmp_path).start()
    where = address(shipper, "lines.t")
    want = [b"tcp %d" % i for i in range(2000)] + [b"", b"\xff no utf-8", b"x" * 60000, b"without a newline"]
    with socket.create_connection(where) as connection:
        connection.sendall(b"\n".join(want[:10]) + b"\r\n")
        connection.sendall(b"\n".join(want[10:]))
    local = socket.socket(socket.AF_UNIX)
    wait_for("the socket", lambda: "lines.u: listening" in shipper.log())
    local.connect(str(tmp_path / "in.sock"))
    local.sendall(b"one\ntwo\n")
    stored(ingester, want, '{job="tcp"}')
    assert labels_of(ingester, '{job="tcp"}')[0] == {"job": "tcp", "peer": "127.0.0.1", "service_name": "tcp"}
    stored(ingester, [b"one", b"two"], '{job="unix"}')
    local.sendall(b"half")
    time.sleep(0.3)
    assert shipper.stop() == 0                              # ends the line where it is
    stored(ingester, [b"one", b"two", b"half"], '{job="unix"}') if ingester.count('{job="unix"}') == 3 else None
    shipper.start()
    stored(ingester, [b"one", b"two", b"half"], '{job="unix"}')
    assert not (tmp_path / "positions.yml.cordwood.spool").exists()
    assert shipper.stop() == 0
    assert not (tmp_path / "in.sock").exists()


def run_with_stdin(shipper, stdin):
    with open(shipper.log_path, "ab") as log:
        shipper.process = subprocess.Popen(shipper.argv, stdin=stdin, stdout=log, stderr=log, env=shipper.env)
    return shipper


@pytest.mark.parametrize("kind", ["pipe", "file"])
def test_standard_input_to_its_end(ingester, receive, tmp_path, kind):
    shipper = receive("job_name: in\nstdin: {labels: {job: in}}", arguments=["--once"])
    want = [b"line %d" % i for i in range(30000)] + [b"the end"]
    (tmp_path / "input").write_bytes(b"\n".join(want))
    if kind == "file":
        with open(tmp_path / "input", "rb") as f:
            run_with_stdin(shipper, f).finish()
    else:
        cat = subprocess.Popen(["cat", str(tmp_path / "input")], stdout=subprocess.PIPE)
        run_with_stdin(shipper, cat.stdout).finish()
    stored(ingester, want, '{job="in"}')
    assert spool_files(tmp_path, "stdin.in") == [] or ingester.count('{job="in"}') == len(want)


@pytest.mark.parametrize("kind", ["pipe", "file", "exec", "lines"])
def test_lines_as_long_as_a_store_takes_are_whole_and_longer_ones_are_cut_and_told(ingester, receive, tmp_path, kind):
    longest = 256 << 10
    text = b"\n".join([b"a" * longest, b"b", b"c" * (2 * longest + 1), b"d" * longest + b"\r", b"e\n"])
    (tmp_path / "input").write_bytes(text)
    if kind == "exec":
        shipper = receive("job_name: in\nexec: {command: [cat, %s/input], restart_wait: 1h, labels: {job: in}}" % tmp_path).start()
    elif kind == "lines":
        shipper = receive("job_name: in\nlines: {listen_address: '127.0.0.1:0', labels: {job: in}}").start()
        with socket.create_connection(address(shipper, "lines.in")) as connection:
            connection.sendall(text)
    else:
        shipper = receive("job_name: in\nstdin: {labels: {job: in}}")
        with open(tmp_path / "input", "rb") as f:
            run_with_stdin(shipper, f if kind == "file" else subprocess.Popen(["cat"], stdin=f, stdout=subprocess.PIPE).stdout)
    wait_for("the lines", lambda: ingester.count('{job="in"}') >= 7)
    lines = sorted(ingester.export_lines('{job="in"}'))
    assert [(line[:1], len(line)) for line in lines if line[:1] != b"c"] == [(b"a", longest), (b"b", 1), (b"d", longest), (b"e", 1)]
    assert b"".join(line for line in lines if line[:1] == b"c") == b"c" * (2 * longest + 1)
    assert shipper.log().count("an entry over 256 KiB: cut") == 1
    assert shipper.stop() == 0


@pytest.mark.parametrize("how", ["flags", "file", "dry-run"])
def test_where_standard_input_is_all_the_shipper_ends_with_it(ingester, make_shipper, tmp_path, how):
    config = "clients: [{url: %s/loki/api/v1/push}]\npositions: {filename: %s/positions}\nscrape_configs: [{job_name: in, stdin: {labels: {job: in}}}]\n" % (ingester.url, tmp_path)
    flags = ["--label", "job=in", "-"]
    shipper = make_shipper(config=config if how == "file" else None,
                           arguments=[] if how == "file" else (["--dry-run"] if how == "dry-run" else ["--push", ingester.url]) + flags)
    want = [b"line %d" % i for i in range(100)] + [b"the end"]
    (tmp_path / "input").write_bytes(b"\n".join(want))
    cat = subprocess.Popen(["cat", str(tmp_path / "input")], stdout=subprocess.PIPE)
    run_with_stdin(shipper, cat.stdout).finish()
    if how == "dry-run":
        assert shipper.log().count("\tline ") == 100 and "\tthe end\n" in shipper.log()
    else:
        stored(ingester, want, '{job="in"}')


def test_the_end_of_standard_input_is_not_that_of_other_sources(ingester, make_shipper, tmp_path):
    (tmp_path / "a.log").write_text("one\n")
    shipper = make_shipper(arguments=["--push", ingester.url, "--label", "job=in", "-", str(tmp_path / "a.log")])
    run_with_stdin(shipper, subprocess.DEVNULL)
    wait_for("its end", lambda: "standard input is at its end" in shipper.log())
    stored(ingester, [b"one"], '{job="in"}')
    with open(tmp_path / "a.log", "a") as f:
        f.write("two\n")
    stored(ingester, [b"one", b"two"], '{job="in"}')
    assert shipper.stop() == 0


def test_a_named_pipe_outlives_its_writers(ingester, receive, tmp_path):
    shipper = receive("job_name: f\nfifo: {path: %s/fifo, labels: {job: fifo}}" % tmp_path).start()
    wait_for("fifo", (tmp_path / "fifo").exists)
    for i in range(3):
        with open(tmp_path / "fifo", "w") as f:
            f.write("line %d\n" % i)
        time.sleep(0.1)
    stored(ingester, [b"line 0", b"line 1", b"line 2"], '{job="fifo"}')
    assert shipper.stop() == 0


def test_a_program_is_run_again(ingester, receive):
    shipper = receive("job_name: x\nexec:\n  command: [sh, -c, 'echo out; echo err >&2; exit 3']\n  restart_wait: 200ms\n  labels: {job: exec}").start()
    wait_for("three runs", lambda: ingester.count('{job="exec", stream="stdout"} |= "out"') >= 3, 30, 0.1)
    assert ingester.count('{job="exec", stream="stderr"} |= "err"') >= 2
    assert "the program ended with status 3" in shipper.log()
    assert shipper.stop() == 0


def test_a_program_that_runs_on_is_ended_with_all_that_it_began(ingester, receive, tmp_path):
    shipper = receive("job_name: x\nexec:\n  command: [sh, -c, 'sleep 1000 & echo $$ $! > %s/pids; echo up; wait']\n  labels: {job: exec}" % tmp_path).start()
    stored(ingester, [b"up"], '{job="exec"}')
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 2 and shipper.stop() == 0

    def over(pid):
        try:
            with open("/proc/%d/stat" % pid) as f:
                return "Z" in f.read().split(")")[1][:3]
        except (FileNotFoundError, ProcessLookupError):
            return True
    wait_for("end of the programs", lambda: all(map(over, pids)))


GOODBYE = "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.3), print('goodbye'), print('half', end=''), sys.exit()))\nprint('up', flush=True)\n"


def test_the_last_words_of_a_program_that_is_ended_are_taken(ingester, receive, tmp_path):
    (tmp_path / "app.py").write_text(GOODBYE + "time.sleep(1000)")
    exec_it = "job_name: x\nexec:\n  command: [%s, %s/app.py]\n  labels: {job: exec}" % (sys.executable, tmp_path)
    shipper = receive(exec_it).start()
    stored(ingester, [b"up"], '{job="exec"}')
    assert shipper.stop() == 0
    assert ingester.export_lines('{job="exec"}') == [b"up", b"goodbye", b"half"]       # before it ended


def test_a_program_that_does_not_end_is_killed(ingester, receive, tmp_path):
    (tmp_path / "app.py").write_text("import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\nwhile True: time.sleep(1)")
    shipper = receive("job_name: x\nexec:\n  command: [%s, %s/app.py]\n  labels: {job: exec}" % (sys.executable, tmp_path)).start()
    stored(ingester, [b"up"], '{job="exec"}')
    assert shipper.stop(30) == 0


def test_half_a_line_at_a_stop_is_an_entry(ingester, receive):
    shipper = receive("job_name: x\nlines: {listen_address: '127.0.0.1:0', labels: {job: half}}").start()
    with socket.create_connection(address(shipper, "lines.x")) as sender:
        sender.sendall(b"whole\nha")
        stored(ingester, [b"whole"], '{job="half"}')
        assert shipper.stop() == 0
    receive("job_name: x\nlines: {listen_address: '127.0.0.1:0', labels: {job: half}}").start()
    stored(ingester, [b"whole", b"ha"], '{job="half"}')


# ---- syslog ----

SYSLOG_RELABEL = """
relabel_configs:
- {action: labelmap, regex: __syslog_message_(severity|facility|hostname|app_name|proc_id|msg_id|sd_.+)}
- {source_labels: [__syslog_connection_ip_address], target_label: ip}"""


def test_logger_over_tcp_and_udp(ingester, receive):
    shipper = receive("job_name: t\nsyslog: {listen_address: '127.0.0.1:0', label_structured_data: true, labels: {job: tcp}}" + SYSLOG_RELABEL,
                      "job_name: u\nsyslog: {listen_address: '127.0.0.1:0', listen_protocol: udp, labels: {job: udp}}" + SYSLOG_RELABEL).start()
    for proto, receiver, old in (("--tcp", "syslog.t", []), ("--udp", "syslog.u", ["--rfc3164"])):
        host, port = address(shipper, receiver)
        more = old or ["--rfc5424=notq", "--sd-id", "x@1", "--sd-param", r'a="b\]"', "--msgid", "M1"]
        base = ["logger", "--server", host, "--port", str(port), proto, "--tag", "app", "--id=77", "-p", "local3.warning", *more]
        subprocess.run([*base, "the message"], check=True)
        if not old:
            subprocess.run([*base, "--octet-count", "counted\nin two lines"], check=True)
    stored(ingester, [b"the message", b"counted\nin two lines"], '{job="tcp"}')
    stored(ingester, [b"the message"], '{job="udp"}')
    labels = labels_of(ingester, '{job="tcp"}')[0]
    host = labels.pop("hostname")
    assert labels == {"job": "tcp", "ip": "127.0.0.1", "severity": "warning", "facility": "local3", "app_name": "app", "proc_id": "77",
                      "msg_id": "M1", "sd_x_1_a": "b]", "service_name": "app"}, labels
    labels = labels_of(ingester, '{job="udp"}')[0]
    assert labels == {"job": "udp", "ip": "127.0.0.1", "severity": "warning", "facility": "local3", "app_name": "app", "proc_id": "77",
                      "hostname": host, "service_name": "app"}, labels


def test_times_and_whole_messages(ingester, receive):
    shipper = receive("job_name: s\nsyslog: {listen_address: '127.0.0.1:0', use_incoming_timestamp: true, use_rfc5424_message: true, labels: {job: s}}").start()
    when = int(time.time()) - 3600
    message = "<13>1 %s h a - - - text" % time.strftime("%Y-%m-%dT%H:%M:%S.000000007Z", time.gmtime(when))
    with socket.create_connection(address(shipper, "syslog.s")) as connection:
        connection.sendall(message.encode() + b"\nno syslog at all\n")
    stored(ingester, [message.encode(), b"no syslog at all"], '{job="s"}')
    assert int(ingester.export('{job="s"} |= "text"')[0]["ts"]) == when * NS + 7
    assert "not a syslog message: kept" in shipper.log()


def test_the_name_of_who_connects(ingester, receive):
    """By /etc/hosts, which names 127.0.0.1."""
    relabel = ("\nrelabel_configs:\n- {source_labels: [__syslog_connection_hostname], target_label: peer}\n"
               "- {source_labels: [__syslog_connection_ip_address], target_label: ip}")
    shipper = receive("job_name: t\nsyslog: {listen_address: '127.0.0.1:0', labels: {job: t}}" + relabel,
                      "job_name: u\nsyslog: {listen_address: '127.0.0.1:0', listen_protocol: udp, labels: {job: u}}" + relabel).start()
    name = socket.getnameinfo(("127.0.0.1", 0), socket.NI_NAMEREQD)[0]
    name += "." if "." in name else ""
    for i in range(3):
        with socket.create_connection(address(shipper, "syslog.t")) as connection:
            connection.sendall(b"<13>1 - h a - - - line %d\n" % i)
    stored(ingester, [b"line 0", b"line 1", b"line 2"], '{job="t"}')
    assert labels_of(ingester, '{job="t"}') == 3 * [{"job": "t", "ip": "127.0.0.1", "peer": name, "service_name": "t"}]
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def known():                                            # datagrams do not wait for it
        datagrams.sendto(b"<13>1 - h a - - - again", address(shipper, "syslog.u"))
        return ingester.count('{job="u", peer="%s"}' % name)
    wait_for("a datagram with the name", known, every=0.1)
    assert shipper.stop() == 0


class Rsyslog(Program):
    def __init__(self, folder, actions):
        folder.mkdir()
        (folder / "work").mkdir()
        config = folder / "rsyslog.conf"
        config.write_text('global(workDirectory="%s/work" maxMessageSize="64k")\nmodule(load="imfile")\n'
                          'input(type="imfile" file="%s/app.log" tag="app:")\n%s\n' % (folder, folder, actions))
        self.log_file = folder / "app.log"
        super().__init__(["/usr/sbin/rsyslogd", "-n", "-iNONE", "-f", str(config)], str(folder / "rsyslogd.log"))


@pytest.mark.parametrize("framing", ["octet-counted", "traditional"])
@pytest.mark.parametrize("template", ["RSYSLOG_SyslogProtocol23Format", "RSYSLOG_ForwardFormat", "RSYSLOG_TraditionalForwardFormat"])
def test_rsyslogd_forwards(ingester, receive, started, tmp_path, framing, template):
    shipper = receive("job_name: s\nsyslog: {listen_address: '127.0.0.1:0', labels: {job: s}}" + SYSLOG_RELABEL).start()
    host, port = address(shipper, "syslog.s")
    rsyslog = started.add(Rsyslog(tmp_path / "rsyslog", '*.* action(type="omfwd" target="%s" port="%d" protocol="tcp" tcp_framing="%s" template="%s")'
                                  % (host, port, framing, template)))
    want = [b"rsyslog line %d of [them]: with: colons" % i for i in range(500)]
    rsyslog.log_file.write_bytes(b"\n".join(want) + b"\n")
    rsyslog.start()
    wait_for("lines", lambda: ingester.count('{job="s", app_name="app"}') >= len(want), 60, 0.1)
    have = [line for line in ingester.export_lines('{job="s", app_name="app"}')]
    assert sorted(line.strip() for line in have) == sorted(want)
    rsyslog.stop()


# ---- TLS ----

def test_rsyslogd_forwards_over_tls(ingester, receive, started, tmp_path, certificates):
    shipper = receive("job_name: s\nsyslog:\n  listen_address: 127.0.0.1:0\n  labels: {job: s}\n"
                      "  tls_config: {cert_file: %(c)s/server.pem, key_file: %(c)s/server.key, ca_file: %(c)s/ca.pem}" % {"c": certificates} + SYSLOG_RELABEL).start()
    host, port = address(shipper, "syslog.s")
    rsyslog = started.add(Rsyslog(tmp_path / "rsyslog",
                                  'global(defaultNetstreamDriverCAFile="%(c)s/ca.pem" defaultNetstreamDriverCertFile="%(c)s/client.pem" '
                                  'defaultNetstreamDriverKeyFile="%(c)s/client.key")\n*.* action(type="omfwd" target="%(h)s" port="%(p)d" protocol="tcp" '
                                  'tcp_framing="octet-counted" streamDriver="gtls" streamDriverMode="1" streamDriverAuthMode="x509/certvalid" '
                                  'template="RSYSLOG_SyslogProtocol23Format")' % {"c": certificates, "h": host, "p": port}))
    want = [b"over TLS %d %s" % (i, b"x" * (i % 7000 + 1)) for i in range(2000)]
    rsyslog.log_file.write_bytes(b"\n".join(want) + b"\n")
    rsyslog.start()
    wait_for("lines", lambda: ingester.count('{job="s", app_name="app"}') >= len(want), 60, 0.1)
    assert sorted(line.strip() for line in ingester.export_lines('{job="s", app_name="app"}')) == sorted(want)
    rsyslog.stop()


def test_who_may_connect_over_tls(ingester, receive, certificates):
    common = "tls_config: {cert_file: %(c)s/server.pem, key_file: %(c)s/server.key" % {"c": certificates}
    shipper = receive("job_name: open\nlines: {listen_address: '127.0.0.1:0', labels: {job: open}, %s}}" % common,
                      "job_name: known\nforward: {listen_address: '127.0.0.1:0', labels: {job: known}, %s, ca_file: %s/ca.pem}}" % (common, certificates)).start()
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    with context.wrap_socket(socket.create_connection(address(shipper, "lines.open")), server_hostname="127.0.0.1") as connection:
        for piece in (b"one\ntw", b"o\n" + b"x" * 100000 + b"\n", b"the end"):
            connection.sendall(piece)
        connection.unwrap()
    wait_for("lines", lambda: ingester.count('{job="open"}') >= 4, every=0.1)
    assert ingester.export_lines('{job="open"}') == [b"one", b"two", b"x" * 100000, b"the end"]
    with socket.create_connection(address(shipper, "lines.open")) as connection:
        connection.sendall(b"no TLS at all\n" * 10)
        connection.settimeout(10)
        while connection.recv(1000):
            pass                                            # an alert, then the end
    for name, chain in ((None, None), ("other", None), ("client", "client")):
        known = ssl.create_default_context(cafile=certificates / "ca.pem")
        if name:
            known.load_cert_chain(certificates / (name + ".pem"), certificates / (name + ".key"))
        try:
            with known.wrap_socket(socket.create_connection(address(shipper, "forward.known")), server_hostname="127.0.0.1") as connection:
                connection.settimeout(10)
                connection.sendall(msgpack.packb(["t", int(time.time()), {"message": "from " + str(name)}, {"chunk": "c"}]))
                answer = connection.recv(1000)
        except (ssl.SSLError, ConnectionError):
            answer = b""
        assert (answer == msgpack.packb({"ack": "c"})) == (chain is not None), name
    stored(ingester, [b"from client"], '{job="known"}')
    assert shipper.stop() == 0
    assert ingester.count('{job="open"}') == 4


# ---- pushes ----

PUSH = "job_name: p\nloki_push_api: {server: {http_listen_address: 127.0.0.1, http_listen_port: 0}, use_incoming_timestamp: true, labels: {via: shipper}}"


def test_clients_push_through_a_gateway(ingester, receive):
    shipper = receive(PUSH + "\nrelabel_configs: [{source_labels: [app], regex: secret, action: drop}]").start()
    host, port = where = address(shipper, "loki_push_api.p")
    logger = logging.getLogger("gateway")
    logger.propagate = False
    handler = logging_loki.LokiHandler(url="http://%s:%d/loki/api/v1/push" % where, tags={"app": "python"}, version="1")
    failures = []
    handler.handleError = lambda record: failures.append(record)
    logger.addHandler(handler)
    for i in range(20):
        logger.error("line %d Zoë" % i)
    logger.removeHandler(handler)
    assert not failures
    stored(ingester, [("line %d Zoë" % i).encode() for i in range(20)], '{app="python", via="shipper"}')

    provider = LoggerProvider()
    provider.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(endpoint="http://%s:%d/otlp/v1/logs" % where)))
    otel = logging.getLogger("gateway.otel")
    otel.propagate = False
    otel.addHandler(LoggingHandler(logger_provider=provider))
    otel.error("from otel", extra={"order": 7})
    provider.shutdown()
    entry = wait_for("OTLP entry", lambda: ingester.export('{via="shipper"} |= "from otel"'), every=0.1)[0]
    assert entry["metadata"]["order"] == "7", entry

    now = time.time_ns()
    body = json.dumps({"streams": [{"stream": {"app": "json"}, "values": [[str(now), "a", {"trace": "1"}], [str(now + 1), "b"]]},
                                   {"stream": {"app": "secret"}, "values": [[str(now), "not this"]]}]}).encode()
    assert post(where, "/loki/api/v1/push", gzip.compress(body), {"Content-Type": "application/json", "Content-Encoding": "gzip"})[0] == 204
    stored(ingester, [b"a", b"b"], '{app="json"}')
    assert ingester.export('{app="json"} |= "a"')[0]["metadata"]["trace"] == "1"
    assert int(ingester.export('{app="json"} |= "b"')[0]["ts"]) == now + 1
    assert post(where, "/loki/api/v1/raw", b"raw one\nraw two\n", {})[0] == 204
    stored(ingester, [b"raw one", b"raw two"], '{via="shipper"} |= "raw "')
    assert ingester.count('{app="secret"}') == 0
    assert shipper.stop() == 0


def test_what_is_no_push_is_told(receive):
    shipper = receive(PUSH).start()
    where = address(shipper, "loki_push_api.p")
    for body, headers in ((b"{", {"Content-Type": "application/json"}), (b"\xff\xff", {"Content-Type": "application/x-protobuf"}),
                          (b"{}", {"Content-Type": "application/json", "Content-Encoding": "br"}),
                          (b'{"streams":[{"labels":"{a=","entries":[{"ts":"2026-01-05T10:00:00Z","line":"x"}]}]}', {"Content-Type": "application/json"}),
                          (b'{"streams":[]}', {"Content-Type": "application/json", "X-Scope-OrgID": "../x"})):
        status, _, text = post(where, "/loki/api/v1/push", body, headers)
        assert status == 400 and text, (body, status, text)


def test_tenants_go_through_a_gateway(make_ingester, receive):
    server = make_ingester("tenants", config="auth_enabled: true\n").start()
    shipper = receive(PUSH, url=server.url, client="tenant_id: own, ").start()
    where = address(shipper, "loki_push_api.p")
    for tenant in ("red", "blue"):
        body = json.dumps({"streams": [{"stream": {"app": "x"}, "values": [[str(time.time_ns()), "for " + tenant]]}]}).encode()
        assert post(where, "/loki/api/v1/push", body, {"Content-Type": "application/json", "X-Scope-OrgID": tenant})[0] == 204
    for tenant in ("red", "blue"):
        wait_for("line of " + tenant, lambda: server.export_lines('{app="x"}', headers={"X-Scope-OrgID": tenant}) == [b"for " + tenant.encode()], 30, 0.1)


class Gateway:
    """What Pushers want of a server."""

    def __init__(self, where):
        self.address = "%s:%d" % where


def test_no_acknowledged_push_is_lost_or_repeated_by_kills(ingester, receive, own_port):
    config = PUSH.replace("http_listen_port: 0", "http_listen_port: %d" % own_port())
    shipper = receive(config).start()
    pushers = Pushers(Gateway(address(shipper, "loki_push_api.p")), name="gw").start()
    rng = random.Random(6)
    for _ in range(KILLS):
        time.sleep(rng.uniform(0.3, 1.5))
        shipper.kill()
        if rng.random() < 0.5:
            ingester.kill()
            ingester.start()
        shipper.start()
        address(shipper, "loki_push_api.p")
    wait_for("pushes after the last kill", lambda: len(pushers.acked) > 50, 60, 0.1)
    pushers.stop()
    acked = collections.Counter(line for _, lines in pushers.acked for line in lines)
    wait_for("all acknowledged lines", lambda: ingester.count('{app="gw"}') >= len(acked), 60, 0.2)
    assert shipper.stop() == 0
    have = collections.Counter(line.decode() for line in ingester.export_lines('{app="gw"}'))
    assert len(acked) > 500
    assert not acked - have, list((acked - have).items())[:5]
    assert max(have.values()) == 1                          # a push is sent once, so nothing comes twice
    assert not have - pushers.sent


# ---- journald ----

def test_the_journal_with_its_fields_and_matches(ingester, receive, tmp_path):
    journal = Journal(tmp_path / "journal")
    want = journal.write(8)
    journal.write(5, _TRANSPORT="kernel", _SYSTEMD_UNIT="other.service")
    receive("job_name: j\njournal: {path: %s/journal, matches: _SYSTEMD_UNIT=app.service, labels: {job: j}}\n"
            "relabel_configs: [{source_labels: [__journal__systemd_unit], target_label: unit}, {source_labels: [__journal_priority_keyword], target_label: level}]"
            % tmp_path,
            "job_name: k\njournal: {path: %s/journal, json: true, labels: {job: k}}" % tmp_path).start()
    stored(ingester, want, '{job="j"}')
    assert {l["level"] for l in labels_of(ingester, '{job="j", unit="app.service"}')} == {"emerg", "alert", "crit", "error", "warning", "notice", "info", "debug"}
    wait_for("JSON entries", lambda: ingester.count('{job="k"}') == 13, every=0.1)
    assert ingester.count('{job="k"} | json | _TRANSPORT="kernel"') == 5
    more = journal.write(3)
    stored(ingester, want + more, '{job="j"}')


def test_the_journal_goes_on_from_promtails_cursor(ingester, receive, tmp_path):
    journal = Journal(tmp_path / "journal")
    journal.write(5)
    text = subprocess.run(["journalctl", "--directory", str(tmp_path / "journal"), "-o", "json"], stdout=subprocess.PIPE, check=True).stdout
    cursor = json.loads(text.splitlines()[4])["__CURSOR"]
    want = journal.write(3)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "positions.yml").write_text("positions:\n  cursor-j: %s\n  /var/log/none.log: \"7\"\n" % cursor)
    shipper = receive("job_name: j\njournal: {path: %s/journal, labels: {job: j}}" % tmp_path).start()
    stored(ingester, want, '{job="j"}')
    assert shipper.stop() == 0
    want += journal.write(2)                                # from here on by our own
    shipper.start()
    stored(ingester, want, '{job="j"}')
    assert shipper.stop() == 0


def test_the_journal_exactly_once_whatever_is_killed(ingester, receive, tmp_path):
    journal = Journal(tmp_path / "journal")
    want, rng = journal.write(300), random.Random(5)
    shipper = receive("job_name: j\njournal: {path: %s/journal, labels: {job: j}}" % tmp_path).start()
    for _ in range(KILLS):
        want += journal.write(200)
        time.sleep(rng.uniform(0.05, 1))
        shipper.kill()
        want += journal.write(50)
        if rng.random() < 0.5:
            ingester.kill()
            ingester.start()
        shipper.start()
    want += journal.write(10)
    stored(ingester, want, '{job="j"}')
    assert shipper.stop() == 0


# ---- forward ----

def forward_socket(where):
    connection = socket.create_connection(where)
    connection.settimeout(30)
    return connection, msgpack.Unpacker(connection.makefile("rb", buffering=0), read_size=1)


def test_fluent_logger(ingester, receive):
    shipper = receive("job_name: f\nforward: {listen_address: '127.0.0.1:0', labels: {job: fl}}\nrelabel_configs: [{source_labels: [__fluentd_tag], target_label: tag}]").start()
    host, port = address(shipper, "forward.f")
    when = int(time.time()) - 3600
    client = sender.FluentSender("app", host=host, port=port, nanosecond_precision=True)
    assert client.emit("web", {"message": "hello", "n": 1})
    assert client.emit_with_time("web", when, {"log": "just text\n"})
    client.close()
    queued = asyncsender.FluentSender("queue", host=host, port=port)
    for i in range(100):
        queued.emit(None, {"message": "queued %d" % i})
    queued.close()
    stored(ingester, [b'{"message":"hello","n":1}', b"just text"], '{job="fl", tag="app.web"}')
    assert ingester.export('{tag="app.web"} |= "just"')[0]["ts"] == str(when * NS)
    stored(ingester, [b"queued %d" % i for i in range(100)], '{tag="queue"}')


def forward_messages(name, n):
    """Every mode, with the chunk that is to be acknowledged, and the lines."""
    start = int(time.time()) - 36000

    def entry(i):
        return [msgpack.ExtType(0, (start + i).to_bytes(4, "big") + (i).to_bytes(4, "big")), {"message": "%s %d" % (name, i)}]
    packed = b"".join(msgpack.packb(entry(i)) for i in range(n))
    yield ["t", *entry(n), {"chunk": name + "-m"}], name + "-m", ["%s %d" % (name, n)]
    yield ["t", [entry(n + 1 + i) for i in range(n)], {"chunk": name + "-f"}], name + "-f", ["%s %d" % (name, n + 1 + i) for i in range(n)]
    yield ["t", packed, {"chunk": name + "-p"}], name + "-p", ["%s %d" % (name, i) for i in range(n)]
    packed = b"".join(msgpack.packb(entry(10 * n + i)) for i in range(n))
    yield ["t", gzip.compress(packed), {"chunk": name + "-c", "compressed": "gzip", "size": n}], name + "-c", ["%s %d" % (name, 10 * n + i) for i in range(n)]


def test_every_forward_mode_is_acknowledged(ingester, receive):
    shipper = receive("job_name: f\nforward: {listen_address: '127.0.0.1:0', labels: {job: fl}}").start()
    connection, answers = forward_socket(address(shipper, "forward.f"))
    want = []
    for message, chunk, lines in forward_messages("mode", 300):
        connection.sendall(msgpack.packb(message))
        assert next(answers) == {"ack": chunk}
        want += [line.encode() for line in lines]
    stored(ingester, want, '{job="fl"}')
    connection.sendall(b"\xc1 no MessagePack")
    assert connection.recv(1) == b""                        # it hangs up
    assert "no MessagePack" in shipper.log()


@pytest.mark.parametrize("end", ["kills", "stops"])
def test_no_acknowledged_chunk_is_lost_by(ingester, receive, own_port, end):
    port = own_port()
    shipper = receive("job_name: f\nforward: {listen_address: '127.0.0.1:%d', labels: {job: fl}}" % port).start()
    acked, sent, ending = [], [], threading.Event()

    def send():
        n = 0
        while not ending.is_set():
            try:
                connection, answers = forward_socket(("127.0.0.1", port))
                while not ending.is_set():
                    for message, chunk, lines in forward_messages("kill%d" % n, 5):
                        sent.extend(lines)
                        connection.sendall(msgpack.packb(message))
                        assert next(answers) == {"ack": chunk}
                        acked.extend(lines)
                    n += 1
            except (OSError, StopIteration, ValueError):
                n += 1
                time.sleep(0.05)
    sending = threading.Thread(target=send)
    sending.start()
    rng = random.Random(7)
    for _ in range(KILLS):
        time.sleep(rng.uniform(0.3, 1))
        if end == "kills":
            shipper.kill()
        else:
            assert shipper.stop() == 0
        shipper.start()
    time.sleep(1)
    try:
        wait_for("acknowledged lines", lambda: len(acked) > 100)
    finally:
        ending.set()
        sending.join()
    acked, sent = collections.Counter(l.encode() for l in acked), collections.Counter(l.encode() for l in sent)
    wait_for("all acknowledged lines", lambda: ingester.count('{job="fl"}') >= len(acked), 60, 0.2)
    assert shipper.stop() == 0
    have = collections.Counter(ingester.export_lines('{job="fl"}'))
    assert not acked - have and not have - sent


# ---- GELF ----

@pytest.mark.parametrize("kind", ["udp", "chunked", "plain", "tcp"])
def test_graypy(ingester, receive, kind):
    shipper = receive("job_name: g\ngelf: {listen_address: '127.0.0.1:0', listen_protocol: %s, use_incoming_timestamp: true, labels: {job: g}}\n"
                      "relabel_configs: [{source_labels: [__gelf_message_level], target_label: level}, {source_labels: [__gelf_message_host], target_label: host}]"
                      % ("tcp" if kind == "tcp" else "udp")).start()
    host, port = address(shipper, "gelf.g")
    make = {"tcp": lambda: graypy.GELFTCPHandler(host, port, localname="here"),
            "udp": lambda: graypy.GELFUDPHandler(host, port, localname="here"),
            "plain": lambda: graypy.GELFUDPHandler(host, port, localname="here", compress=False),
            "chunked": lambda: graypy.GELFUDPHandler(host, port, localname="here", compress=False, gelf_chunker=graypy.handler.GELFWarningChunker(500))}[kind]
    logger = logging.getLogger("gelf." + kind)
    logger.propagate = False
    handler = make()
    logger.addHandler(handler)
    text = "a message of more than one chunk " * 100
    before = time.time()
    logger.error(text)
    logger.warning("short")
    handler.close()
    logger.removeHandler(handler)
    wait_for("two messages", lambda: ingester.count('{job="g"}') == 2, every=0.1)
    entries = {json.loads(e["line"])["level"]: e for e in ingester.export('{job="g"}')}
    assert json.loads(entries[3]["line"])["short_message"] == text
    assert entries[4]["labels"]["level"] == "warning" and entries[4]["labels"]["host"] == "here"
    assert int(before) * NS <= int(entries[3]["ts"]) <= time.time_ns()


# ---- the spool ----

def test_the_spool_waits_for_a_server_and_is_emptied(ingester, receive, tmp_path):
    ingester.kill()
    shipper = receive(PUSH, more="spool: {segment_bytes: 64KiB}").start()
    where = address(shipper, "loki_push_api.p")
    want = []
    for i in range(60):
        lines = ["spooled %d %d %s" % (i, k, "x" * 100) for k in range(50)]
        want += [line.encode() for line in lines]
        body = json.dumps({"streams": [{"stream": {"app": "s"}, "values": [[str(time.time_ns() + k), line] for k, line in enumerate(lines)]}]}).encode()
        assert post(where, "/loki/api/v1/push", body, {"Content-Type": "application/json"})[0] == 204
    assert len(spool_files(tmp_path, "loki_push_api.p")) > 5
    shipper.kill()
    ingester.start()
    shipper.start()
    stored(ingester, want, '{app="s"}')
    wait_for("an empty spool", lambda: len(spool_files(tmp_path, "loki_push_api.p")) <= 1, 30, 0.1)
    assert shipper.stop() == 0


def bytes_in(folder):
    """Of files that are removed meanwhile, none."""
    used = 0
    for entry in os.scandir(folder):
        with contextlib.suppress(FileNotFoundError):
            used += entry.stat().st_size
    return used


def test_a_burst_does_not_pass_the_bounds_of_a_spool(ingester, receive, tmp_path):
    ingester.kill()
    shipper = receive(PUSH, more="spool: {max_bytes: 1MiB, when_full: drop_oldest}").start()
    where = address(shipper, "loki_push_api.p")
    folder, largest, want = tmp_path / "state" / "positions.yml.cordwood.spool" / "loki_push_api.p", 0, []
    for i in range(60):
        want += [b"burst %d %d %s" % (i, k, b"x" * 200) for k in range(500)]
        body = json.dumps({"streams": [{"stream": {"app": "s"}, "values": [[str(time.time_ns() + k), line.decode()] for k, line in enumerate(want[-500:])]}]}).encode()
        assert post(where, "/loki/api/v1/push", body, {"Content-Type": "application/json"})[0] == 204
        largest = max(largest, bytes_in(folder))
    assert largest < 2 << 20, largest                       # of 8 MB: the bound, a segment, and the push that is written
    shipper.stop()
    ingester.start()
    shipper.start()
    wait_for("an empty spool", lambda: len(spool_files(tmp_path, "loki_push_api.p")) <= 1, 30, 0.1)
    wait_for("the last line", lambda: want[-1] in ingester.export_lines('{app="s"}'), 30, 0.1)
    left = ingester.export_lines('{app="s"}')
    assert sorted(left) == sorted(want[-len(left):])
    assert sum(map(int, re.findall("([0-9]+) entries are lost with", shipper.log()))) + len(left) == len(want)


def test_what_a_removed_receiver_left_is_delivered(ingester, receive):
    ingester.kill()
    shipper = receive(PUSH).start()
    where = address(shipper, "loki_push_api.p")
    body = json.dumps({"streams": [{"stream": {"app": "left"}, "values": [[str(time.time_ns()), "behind"]]}]}).encode()
    assert post(where, "/loki/api/v1/push", body, {"Content-Type": "application/json"})[0] == 204
    shipper.kill()
    ingester.start()
    other = receive("job_name: other\nlines: {listen_address: '127.0.0.1:0'}", name="other").start()
    stored(ingester, [b"behind"], '{app="left"}')
    assert other.stop() == 0


def test_a_full_spool_refuses_pushes_and_drops_the_oldest_datagrams(ingester, receive):
    ingester.kill()
    shipper = receive(PUSH, "job_name: u\nsyslog: {listen_address: '127.0.0.1:0', listen_protocol: udp, syslog_format: raw, labels: {job: udp}}",
                      more="server: {http_listen_address: 127.0.0.1, http_listen_port: 0}\nspool: {max_bytes: 1MiB, segment_bytes: 64KiB}").start()
    where = address(shipper, "loki_push_api.p")
    taken = refused = 0
    for i in range(200):
        body = json.dumps({"streams": [{"stream": {"app": "full"}, "values": [[str(time.time_ns()), "push %d %s" % (i, "x" * 20000)]]}]}).encode()
        status, headers, _ = post(where, "/loki/api/v1/push", body, {"Content-Type": "application/json"})
        assert status in (204, 429), status
        assert status == 204 or int(headers["Retry-After"]) > 0
        taken, refused = taken + (status == 204), refused + (status == 429)
    assert taken >= 40 and refused > 100
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for i in range(400):
        udp.sendto(b"udp %d %s" % (i, b"x" * 5000), address(shipper, "syslog.u"))
        time.sleep(0.001)
    wait_for("lost entries", lambda: "entries are lost" in shipper.log(), 30)
    time.sleep(1.5)
    ingester.start()
    wait_for("delivery", lambda: ingester.count('{job="udp"}') > 0 and ingester.count('{app="full"}') == taken, 60, 0.2)
    wait_for("the last datagram", lambda: ingester.count('{job="udp"} |= "udp 399 "') == 1, 30, 0.2)
    have = ingester.count('{job="udp"}')
    lost = sum(int(n) for n in re.findall(r"bounds: (\d+) entries are lost", shipper.log()))
    assert have + lost == 400, (have, lost)
    assert shipper.stop() == 0
    told = subprocess.run([SHIPPER, "audit", "--config", shipper.argv[2]], stdout=subprocess.PIPE).stdout.decode()
    assert sum(int(n) for n in re.findall(r"(\d+) entries of syslog\.u, whose spool was over its bounds", told)) > 0, told
    assert " 0 bytes missing" not in told, told


def test_a_full_disk_is_told_and_recovers(ingester, receive, small_disk):
    shipper = receive(PUSH, "job_name: l\nlines: {listen_address: '127.0.0.1:0', labels: {job: lines}}", state=small_disk / "state").start()
    where = address(shipper, "loki_push_api.p")
    tcp = socket.create_connection(address(shipper, "lines.l"))

    def push(line):
        body = json.dumps({"streams": [{"stream": {"app": "disk"}, "values": [[str(time.time_ns()), line]]}]}).encode()
        return post(where, "/loki/api/v1/push", body, {"Content-Type": "application/json"})[0]
    assert push("before") == 204
    with open(small_disk / "ballast", "wb", buffering=0) as f:
        with pytest.raises(OSError):
            while True:
                f.write(b"x" * 65536)
    tcp.sendall(b"line while it is full\n" + b"y" * 70000 + b"\n")
    statuses = [push("while it is full " + "z" * 70000) for _ in range(3)]
    assert set(statuses) <= {503, 429}, statuses
    assert "the spool cannot be written" in shipper.log()
    os.unlink(small_disk / "ballast")
    wait_for("room", lambda: push("after") == 204, 30, 0.2)
    stored(ingester, [b"before", b"after"], '{app="disk"}')
    wait_for("lines that waited", lambda: ingester.count('{job="lines"}') >= 2, 30, 0.2)
    have = ingester.export_lines('{job="lines"}')
    assert have[0] == b"line while it is full" and b"".join(have[1:]) == b"y" * 70000
    assert shipper.stop() == 0


def test_a_pipeline_of_stages_and_loki_as_the_server(receive, tmp_path):
    stub = LokiStub()
    try:
        shipper = receive("job_name: l\nlines: {listen_address: '127.0.0.1:0', labels: {job: staged}}\n"
                          "pipeline_stages: [{json: {expressions: {level: level}}}, {labels: {level: ''}}]", url=stub.url).start()
        with socket.create_connection(address(shipper, "lines.l")) as connection:
            connection.sendall(b'{"level":"warn","n":1}\n')
        wait_for("a push", lambda: stub.stored, 30)
        labels, entries = stub.stored[0].streams[0]
        assert labels == '{job="staged", level="warn"}' and entries[0][1] == b'{"level":"warn","n":1}'
        assert shipper.stop() == 0
    finally:
        stub.stop()


def test_a_configuration_that_cannot_be(make_shipper):
    base = "clients: [{url: 'http://127.0.0.1:1/loki/api/v1/push'}]\nscrape_configs:\n"
    for scrapes, told in (("- {job_name: a, syslog: {}}\n", "listen_address"),
                          ("- {job_name: a, syslog: {listen_address: nowhere}}\n", "nowhere"),
                          ("- {job_name: a, fifo: {path: relative}}\n", "whole path"),
                          ("- {job_name: a, exec: {command: []}}\n", "program"),
                          ("- {job_name: a, journal: {matche: x}}\n", "matches"),
                          ("- {job_name: a, journal: {matches: '_PID=1  a'}}\n", ':3:36: scrape_configs[0].journal.matches: "a" is no match'),
                          ("- {job_name: a, journal: {matches: '_PID=1 + _PID=2'}}\n", '"+" is no match'),
                          ("- {job_name: a, journal: {matches: '_PID'}}\n", '"_PID" is no match'),
                          ("- {job_name: a, journal: {matches: '__CURSOR=x'}}\n", '"__CURSOR=x" is no match'),
                          ("- {job_name: a, lines: {listen_address: '127.0.0.1:0', labels: {'a b': c}}}\n", "label name")):
        shipper = make_shipper("c", config=base + scrapes, arguments=["--check"]).start()
        assert shipper.process.wait(30) == 2 and told in shipper.log(), (scrapes, shipper.log())
    twice = make_shipper("d", config=base + "- {stdin: {}}\n- {stdin: {}}\n").start()
    assert twice.process.wait(30) == 1 and "two jobs of one name" in twice.log(), twice.log()
    told = make_shipper("e", config=base + "- {job_name: a, fifo: {path: /x}}\n- {fifo: {path: /y}}\n- {job_name: a, fifo: {path: /z}, exec: {command: [x]}}\n", arguments=["--check"]).start()
    assert told.process.wait(30) == 2, told.log()
    assert told.log().endswith(':5: a job of the same name (line 3: "a") has a fifo too: give it a job_name of its own, for its spool has that name\n'), told.log()
    nowhere = make_shipper("f", config=base + "- {lines: {listen_address: 'unix:/no/such/folder/socket'}}\n").start()
    assert nowhere.process.wait(30) == 1 and "listen on /no/such/folder/socket: no such file" in nowhere.log(), nowhere.log()
