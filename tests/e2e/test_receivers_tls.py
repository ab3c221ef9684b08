"""TLS of what the shipper receives over HTTP and GELF, by the peers that speak it: curl, openssl and Python's ssl."""
import json
import socket
import ssl
import subprocess
import time

import pytest

from receiving import address, stored

IDENTITY = "cert_file: %(c)s/server.pem, key_file: %(c)s/server.key"


def push_config(certificates, more="", server=""):
    tls = (IDENTITY + more) % {"c": certificates}
    return ("job_name: p\nloki_push_api:\n  server: {http_listen_address: 127.0.0.1, http_listen_port: 0, %shttp_tls_config: {%s}}\n"
            "  labels: {job: p}" % (server, tls))


def curl(where, path, line, certificates, *arguments):
    """The status that curl is answered, 0: none."""
    done = subprocess.run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", str(certificates / "ca.pem"), "--data-binary", line,
                           *arguments, "https://%s:%d%s" % (*where, path)], capture_output=True, timeout=60)
    return int(done.stdout or 0)


def shows(certificates, name):
    return ["--cert", str(certificates / (name + ".pem")), "--key", str(certificates / (name + ".key"))] if name else []


def test_pushes_over_https(ingester, receive, certificates):
    shipper = receive(push_config(certificates, server="http_path_prefix: /v1/, ")).start()
    where = address(shipper, "loki_push_api.p")
    assert curl(where, "/v1/loki/api/v1/raw", "one\ntwo", certificates) == 204
    assert curl(where, "/v1/ready", "", certificates, "-G") == 200
    for path in ("/loki/api/v1/raw", "/v1x/loki/api/v1/raw", "/v1"):
        assert curl(where, path, "lost", certificates) == 404, path
    body = json.dumps({"streams": [{"stream": {"app": "j"}, "values": [["%d" % time.time_ns(), "three" + "x" * 200000]]}]})
    with open(shipper.log_path + ".body", "w") as f:
        f.write(body)
    assert curl(where, "/v1/loki/api/v1/push", "@" + shipper.log_path + ".body", certificates, "-H", "Content-Type: application/json") == 204
    stored(ingester, [b"one", b"two", b"three" + b"x" * 200000], '{job="p"}')
    # What speaks no TLS, or an old one, gets no answer of HTTP, and holds nobody up.
    with socket.create_connection(where) as connection:
        connection.sendall(b"POST /v1/loki/api/v1/raw HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nlost")
        connection.settimeout(10)
        assert b"HTTP" not in connection.recv(1000)
    for version, spoken in (("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)):
        done = subprocess.run(["openssl", "s_client", "-connect", "%s:%d" % where, "-CAfile", str(certificates / "ca.pem"), version, "-cipher",
                               "DEFAULT@SECLEVEL=0", "-verify_return_error"], input=b"", capture_output=True, timeout=60)
        assert (b"Verify return code: 0 (ok)" in done.stdout and b"Cipher is (NONE)" not in done.stdout) == spoken, (version, done)
    assert curl(where, "/v1/loki/api/v1/raw", "four", certificates) == 204
    assert shipper.stop() == 0


@pytest.mark.parametrize("auth, taken", [
    ("NoClientCert", {None, "client", "other"}), ("RequestClientCert", {None, "client", "other"}), ("RequireAnyClientCert", {"client", "other"}),
    ("VerifyClientCertIfGiven", {None, "client"}), ("RequireAndVerifyClientCert", {"client"})])
def test_who_may_push_over_https(ingester, receive, certificates, auth, taken):
    ca = ", client_ca_file: %s/ca.pem" % certificates if "Verify" in auth else ""
    shipper = receive(push_config(certificates, ", client_auth_type: %s%s" % (auth, ca))).start()
    where = address(shipper, "loki_push_api.p")
    got = {name for name in (None, "client", "other") if curl(where, "/loki/api/v1/raw", "of %s" % name, certificates, *shows(certificates, name)) == 204}
    assert got == taken
    stored(ingester, [b"of %s" % str(name).encode() for name in taken], '{job="p"}')


def test_certificates_as_text_and_an_older_version(ingester, receive, certificates):
    def text(name):
        return json.dumps((certificates / name).read_text())
    tls = "cert: %s, key: %s, client_ca: %s, client_auth_type: RequireAndVerifyClientCert" % (text("server.pem"), text("server.key"), text("ca.pem"))
    shipper = receive("job_name: p\nloki_push_api:\n  labels: {job: p}\n  server: {http_listen_address: 127.0.0.1, http_listen_port: 0, "
                      "tls_min_version: VersionTLS13, http_tls_config: {%s}}" % tls,
                      "job_name: l\nlines: {listen_address: '127.0.0.1:0', labels: {job: l}, tls_config: {cert: %s, key: %s, ca: %s, min_version: TLS13}}"
                      % (text("server.pem"), text("server.key"), text("ca.pem"))).start()
    where = address(shipper, "loki_push_api.p")
    assert curl(where, "/loki/api/v1/raw", "a", certificates, "--tls-max", "1.2", *shows(certificates, "client")) == 0
    assert curl(where, "/loki/api/v1/raw", "b", certificates) == 0
    assert curl(where, "/loki/api/v1/raw", "c", certificates, *shows(certificates, "client")) == 204
    stored(ingester, [b"c"], '{job="p"}')
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    context.load_cert_chain(certificates / "client.pem", certificates / "client.key")
    with context.wrap_socket(socket.create_connection(address(shipper, "lines.l")), server_hostname="localhost") as connection:
        connection.sendall(b"over 1.3\n")
        assert connection.version() == "TLSv1.3"
        stored(ingester, [b"over 1.3"], '{job="l"}')
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(socket.create_connection(address(shipper, "lines.l")), server_hostname="localhost")


def test_gelf_over_tls(ingester, receive, certificates):
    shipper = receive("job_name: g\ngelf: {listen_address: '127.0.0.1:0', listen_protocol: tcp, labels: {job: g}, tls_config: {%s, ca_file: %s/ca.pem}}"
                      % (IDENTITY % {"c": certificates}, certificates)).start()
    want = [json.dumps({"version": "1.1", "host": "h", "short_message": "line %d" % i, "full": "x" * (i * 1000)}).encode() for i in range(40)]
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    context.load_cert_chain(certificates / "client.pem", certificates / "client.key")
    with context.wrap_socket(socket.create_connection(address(shipper, "gelf.g")), server_hostname="127.0.0.1") as connection:
        connection.sendall(b"\0".join(want) + b"\0")
        stored(ingester, want, '{job="g"}')
    assert shipper.stop() == 0


@pytest.mark.parametrize("receiver, told", [
    ("syslog: {listen_address: '127.0.0.1:0', listen_protocol: udp, tls_config: {cert_file: a, key_file: b}}", "over UDP nothing is encrypted"),
    ("gelf: {tls_config: {cert_file: a, key_file: b}}", "over UDP nothing is encrypted"),
    ("syslog: {listen_address: '127.0.0.1:0', tls_config: {ca_file: a}}", "TLS needs both"),
    ("lines: {listen_address: '127.0.0.1:0', tls_config: {cert_file: a, cert: b, key: c}}", "as text or as a file"),
    ("loki_push_api: {server: {http_tls_config: {cert_file: a}}}", "TLS needs both"),
    ("loki_push_api: {server: {http_tls_config: {cert_file: a, key_file: b, client_ca_file: c}}}", "client_auth_type"),
    ("loki_push_api: {server: {http_tls_config: {cert_file: a, key_file: b, client_auth_type: RequireAndVerifyClientCert}}}", "client_ca_file"),
    ("loki_push_api: {server: {http_path_prefix: v1}}", "from / on"),
    ("loki_push_api: {server: {http_tls_config: {cert_file: /nowhere, key_file: /nowhere}}}", "/nowhere")])
def test_what_cannot_be_is_told(make_shipper, tmp_path, receiver, told):
    shipper = make_shipper("shipper", config="positions: {filename: %s/p.yml}\nclients: [{url: 'http://127.0.0.1:1/'}]\n"
                           "scrape_configs: [{job_name: x, %s}]\n" % (tmp_path, receiver))
    done = subprocess.run(shipper.argv, capture_output=True, timeout=60)
    assert done.returncode in (1, 2) and told in done.stderr.decode(), done
