"""How the shipper reaches a server: TLS, credentials, OAuth 2, proxies, redirects; nginx, tinyproxy and Authlib are the others."""
import os
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from certificates import make_certificates
from load import differences
from loki_stub import LokiStub
from programs import SHIPPER, Program, wait_for

LINES = [b"line %d" % i for i in range(50)]
SUPPORT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support")


def listening(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def pki(tmp_path):
    folder = tmp_path / "pki"
    folder.mkdir()
    return make_certificates(folder, "DNS:logs.internal")


@pytest.fixture
def nginx(tmp_path, started, ingester, own_port):
    """nginx(inside, outside="", ssl=...) - a server in front of the ingester; its port."""
    def start(inside="", outside="", listen=""):
        port = own_port()
        folder = tmp_path / ("nginx-%d" % port)
        folder.mkdir()
        (folder / "nginx.conf").write_text("""
            daemon off; pid %(f)s/pid; error_log %(f)s/error.log; worker_processes 1; user root;
            events {}
            http {
                access_log %(f)s/access.log; client_max_body_size 0;
                client_body_temp_path %(f)s/b; proxy_temp_path %(f)s/p; fastcgi_temp_path %(f)s/f; uwsgi_temp_path %(f)s/u; scgi_temp_path %(f)s/s;
                server { listen 127.0.0.1:%(port)d %(listen)s; %(inside)s
                         location / { proxy_pass %(url)s; } %(outside)s }
            }""" % {"f": folder, "port": port, "listen": listen, "inside": inside, "outside": outside, "url": ingester.url})
        started.add(Program(["/usr/sbin/nginx", "-e", "stderr", "-p", str(folder), "-c", "nginx.conf"], str(folder / "log"))).start()
        wait_for("nginx", lambda: listening(port))
        return port
    return start


@pytest.fixture
def tinyproxy(tmp_path, started, own_port):
    """(port, what it logged)."""
    port, config, log = own_port(), tmp_path / "tinyproxy.conf", tmp_path / "tinyproxy.log"
    config.write_text('Port %d\nListen 127.0.0.1\nTimeout 60\nMaxClients 20\nLogLevel Connect\nBasicAuth proxyuser proxypass\nUser root\nGroup root\n' % port)
    started.add(Program(["/usr/bin/tinyproxy", "-d", "-c", str(config)], str(log))).start()
    wait_for("tinyproxy", lambda: listening(port))
    return port, lambda: log.read_text()


@pytest.fixture
def ship(make_shipper, tmp_path):
    """ship(url, "client's further keys") - a shipper of LINES."""
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a.log").write_bytes(b"".join(line + b"\n" for line in LINES))

    def start(url, keys="", **more):
        config = ("clients: [{url: '%s/loki/api/v1/push', batchwait: 50ms, backoff_config: {min_period: 50ms, max_period: 200ms}, %s}]\n"
                  "positions: {filename: %s/positions.yaml}\n"
                  "scrape_configs: [{static_configs: [{labels: {job: o, __path__: '%s/*.log'}}]}]\n" % (url, keys, tmp_path, logs))
        return make_shipper(config=config, **more).start()
    return start


def arrived(ingester, want=LINES):
    wait_for("%d lines" % len(want), lambda: ingester.count('{job="o"}') >= len(want), 30, 0.1)
    difference = differences(want, ingester.export_lines('{job="o"}'))
    assert difference is None, difference


def refused(shipper, ingester, why):
    wait_for("a failure that says " + why, lambda: why in shipper.log(), 20)
    assert ingester.count('{job="o"}') == 0
    shipper.kill()


# ---- TLS ----

def tls(pki, more=""):
    return "ssl_certificate %s/server.pem; ssl_certificate_key %s/server.key; %s" % (pki, pki, more)


def test_tls_is_checked_by_authority_and_name(ingester, nginx, pki, ship):
    url = "https://127.0.0.1:%d" % nginx(tls(pki), listen="ssl")
    refused(ship(url), ingester, "certificate")                                                  # nobody vouches for it
    refused(ship(url, "tls_config: {ca_file: %s/other.pem}" % pki), ingester, "certificate")
    refused(ship(url, "tls_config: {ca_file: %s/ca.pem}" % pki), ingester, "127.0.0.1")        # its name is another
    refused(ship(url, "tls_config: {ca_file: %s/ca.pem, server_name: logs.example}" % pki), ingester, "logs.example")
    shipper = ship(url, "tls_config: {ca_file: %s/ca.pem, server_name: logs.internal}" % pki)
    arrived(ingester)
    assert shipper.stop() == 0


def test_insecure_skip_verify_asks_nobody(ingester, nginx, pki, ship):
    ship("https://127.0.0.1:%d" % nginx(tls(pki), listen="ssl"), "tls_config: {insecure_skip_verify: true}")
    arrived(ingester)


def test_a_client_shows_its_certificate(ingester, nginx, pki, ship):
    url = "https://127.0.0.1:%d" % nginx(tls(pki, "ssl_client_certificate %s/ca.pem; ssl_verify_client on;" % pki), listen="ssl")
    common = "ca_file: %s/ca.pem, server_name: logs.internal" % pki
    refused(ship(url, "tls_config: {%s}" % common), ingester, "HTTP status 400")   # a page of nginx: no reason to give lines up
    assert not os.path.exists(str(pki.parent / "positions.yaml.cordwood.refused"))
    ship(url, "tls_config: {%s, cert_file: %s/client.pem, key_file: %s/client.key}" % (common, pki, pki))
    arrived(ingester)


def test_old_versions_of_tls_are_refused(ingester, nginx, pki, ship):
    url = "https://127.0.0.1:%d" % nginx(tls(pki, "ssl_protocols TLSv1.2;"), listen="ssl")
    common = "ca_file: %s/ca.pem, server_name: logs.internal" % pki
    refused(ship(url, "tls_config: {%s, min_version: TLS13}" % common), ingester, "handshake")
    ship(url, "tls_config: {%s, min_version: TLS12}" % common)
    arrived(ingester)


# ---- credentials ----

def test_basic_authentication_with_files_that_are_read_again(ingester, nginx, ship, tmp_path):
    hashed = subprocess.check_output(["openssl", "passwd", "-apr1", "pass:word"]).decode().strip()
    (tmp_path / "htpasswd").write_text("me:%s\n" % hashed)
    url = "http://127.0.0.1:%d" % nginx('auth_basic "logs"; auth_basic_user_file %s/htpasswd;' % tmp_path)
    (tmp_path / "user").write_text("me\n")
    (tmp_path / "password").write_text("wrong\n")
    shipper = ship(url, "basic_auth: {username_file: %s/user, password_file: %s/password}" % (tmp_path, tmp_path))
    wait_for("a 401", lambda: "401" in shipper.log())
    assert ingester.count('{job="o"}') == 0
    (tmp_path / "password").write_text("pass:word\n")
    arrived(ingester)
    assert shipper.stop() == 0


@pytest.mark.parametrize("keys, want", [("bearer_token_file: %s/token", "Bearer"), ("authorization: {credentials_file: %s/token}", "Bearer"),
                                        ("authorization: {type: Token, credentials_file: %s/token}", "Token")])
def test_tokens_in_files_that_are_read_again(ingester, nginx, ship, tmp_path, keys, want):
    url = "http://127.0.0.1:%d" % nginx('if ($http_authorization != "%s good") { return 403; }' % want)
    (tmp_path / "token").write_text("stale")
    shipper = ship(url, keys % tmp_path)
    wait_for("a 403", lambda: "403" in shipper.log())
    (tmp_path / "token").write_text("good\n")
    arrived(ingester)
    assert shipper.stop() == 0


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_oauth2_tokens_are_fetched_renewed_and_replaced(ingester, nginx, ship, started, own_port, tmp_path, method):
    port = own_port()
    started.add(Program([sys.executable, os.path.join(SUPPORT, "oauth2_server.py"), str(port), method, "4"], str(tmp_path / "oauth2.log"),
                        env={"AUTHLIB_INSECURE_TRANSPORT": "1"})).start()
    wait_for("the OAuth 2 server", lambda: listening(port), 60)
    ask = lambda path, data=None: urllib.request.urlopen("http://127.0.0.1:%d%s" % (port, path), data).read()
    url = "http://127.0.0.1:%d" % nginx("auth_request /check;", "location = /check { auth_request off; proxy_pass http://127.0.0.1:%d; proxy_pass_request_body off; proxy_set_header Content-Length ''; }" % port)
    (tmp_path / "secret").write_text("wrong")
    shipper = ship(url, "oauth2: {client_id: shipper, client_secret_file: %s/secret, token_url: 'http://127.0.0.1:%d/token', "
                        "scopes: ['logs:write', more], endpoint_params: {audience: logs}}" % (tmp_path, port))
    wait_for("a failure that names the token", lambda: "OAuth2 token" in shipper.log())
    (tmp_path / "secret").write_text("s3cret &+/\n")
    arrived(ingester)
    assert ask("/given") == b"1"
    want = list(LINES)
    for i in range(6):                                      # over the end of several tokens
        want.append(b"later %d" % i)
        with open(tmp_path / "logs" / "a.log", "ab") as f:
            f.write(want[-1] + b"\n")
        arrived(ingester, want)
        if i == 3:
            ask("/revoke", b"")                             # 401 to one that should be good: another is fetched
        time.sleep(0.7)
    assert 2 <= int(ask("/given")) <= 8
    assert shipper.stop() == 0


# ---- proxies ----

def test_a_proxy_is_used_as_the_configuration_says(ingester, nginx, pki, ship, tinyproxy):
    port, log = tinyproxy
    url = "https://127.0.0.1:%d" % nginx(tls(pki), listen="ssl")
    common = "tls_config: {ca_file: %s/ca.pem, server_name: logs.internal}, " % pki
    refused(ship(url, common + "proxy_url: 'http://127.0.0.1:%d'" % port), ingester, "407")
    ship(url, common + "proxy_url: 'http://proxyuser:proxypass@127.0.0.1:%d'" % port)
    arrived(ingester)
    assert "CONNECT 127.0.0.1:%s" % url.rsplit(":", 1)[1] in log()


def test_a_proxy_for_plain_http_takes_credentials_in_its_own_header(ingester, ship, tinyproxy):
    port, log = tinyproxy
    ship(ingester.url, "proxy_url: 'http://proxyuser:proxypass@127.0.0.1:%d'" % port)
    arrived(ingester)
    assert "POST http://" in log()


@pytest.mark.parametrize("keys, through", [("", False), ("proxy_from_environment: true", True)])
def test_the_environment_counts_only_if_it_is_named(ingester, ship, tinyproxy, keys, through):
    port, log = tinyproxy
    ship(ingester.url, keys, env={"http_proxy": "http://proxyuser:proxypass@127.0.0.1:%d" % port, "no_proxy": ""})
    arrived(ingester)
    assert ("POST http://" in log()) == through


def test_hosts_in_no_proxy_are_reached_without_it(ingester, ship):
    ship(ingester.url, "proxy_url: 'http://127.0.0.1:1', no_proxy: 'example.org,127.0.0.0/8'")
    arrived(ingester)


# ---- the rest ----

def test_redirects_are_followed_if_wanted(ingester, nginx, ship):
    url = "http://127.0.0.1:%d/old" % nginx("rewrite ^/old(.*)$ %s$1 permanent;" % ingester.url)
    refused(ship(url, "follow_redirects: false"), ingester, "301")
    ship(url)
    arrived(ingester)


def test_headers_and_tenant_are_sent_with_every_request(ship):
    stub = LokiStub()
    ship(stub.url, "tenant_id: t1, headers: {X-One: a b, X-Two: c}")
    wait_for("pushes", lambda: len(stub.lines) == len(LINES))
    for push in stub.pushes:
        assert (push.headers["X-Scope-OrgID"], push.headers["X-One"], push.headers["X-Two"]) == ("t1", "a b", "c")
    stub.stop()


def test_rate_limited_batches_are_dropped_only_if_wanted(ship, tmp_path):
    stub = LokiStub(answer=lambda push: (429, {"Retry-After": "0"}, b"too fast"))
    shipper = ship(stub.url, "drop_rate_limited_batches: true")
    refused_path = tmp_path / "positions.yaml.cordwood.refused"
    wait_for("dead letters", lambda: refused_path.exists() and len(refused_path.read_bytes().splitlines()) == len(LINES))
    assert len(stub.pushes) == 1
    shipper.kill()
    stub.stop()


@pytest.mark.parametrize("keys, says", [
    ("bearer_token: a, basic_auth: {username: b}", "at most one of"), ("bearer_token: a, bearer_token_file: b", "at most one of"),
    ("oauth2: {client_id: a}", "token_url"), ("oauth2: {client_id: a, token_url: 'http://h/', client_secret: a, client_secret_file: b}", "client_secret"),
    ("proxy_from_environment: true, proxy_url: 'http://h'", "proxy_from_environment"), ("no_proxy: a", "proxy_url"),
    ("tls_config: {cert_file: a}", "key_file"), ("tls_config: {min_version: TLS13, max_version: TLS12}", "max_version"),
    ("authorization: {type: Basic, credentials: x}", "basic_auth"), ("oauth2: {client_id: a, token_url: h}", "http://")])
def test_contradictions_are_told_with_their_place(tmp_path, keys, says):
    config = tmp_path / "c.yaml"
    config.write_text("clients: [{url: 'http://h/', %s}]\nscrape_configs: []\n" % keys)
    done = subprocess.run([SHIPPER, "--config", str(config), "--check"], stderr=subprocess.PIPE, timeout=30)
    assert done.returncode == 2 and says in done.stderr.decode() and "c.yaml:1:" in done.stderr.decode(), done.stderr
