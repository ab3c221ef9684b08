"""cordwood tail: what it prints, over servers that come and go."""
import contextlib
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

from programs import CLI, NS, cli, wait_for


def now():
    return time.time_ns()


class Tail:
    """`cordwood tail` under way; its output in files."""

    def __init__(self, folder, server, *arguments, stdout=None):
        self.out_path, self.err_path = str(folder / "tail.out"), str(folder / "tail.err")
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.process = subprocess.Popen([CLI, "tail", *arguments], stdout=stdout or out, stderr=err,
                                            env={**os.environ, "CORDWOOD_ADDR": server.url})

    def kill(self):
        self.process.kill()
        self.process.wait()

    def lines(self):
        with open(self.out_path, encoding="utf-8") as f:
            return f.read().splitlines()

    def errors(self):
        with open(self.err_path, encoding="utf-8") as f:
            return f.read()

    def wait_lines(self, n, seconds=30):
        wait_for("%d lines" % n, lambda: len(self.lines()) >= n or self.process.poll() is not None, seconds)
        assert self.process.poll() is None, self.errors()
        return self.lines()

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(10)


@pytest.fixture
def run_tail(tmp_path, started):
    return lambda server, *arguments, **more: started.add(Tail(tmp_path, server, *arguments, **more))


def test_entries_are_printed_as_they_come(ingester, run_tail):
    t = now()
    ingester.push([({"app": "a", "env": "x"}, [(t - i * NS, "old %d" % i) for i in range(40)])])
    tail = run_tail(ingester, "-o", "raw", '{app="a"}')
    assert tail.wait_lines(30) == ["old %d" % i for i in reversed(range(30))], "the newest, oldest first"
    ingester.push([({"app": "a"}, [(now(), "new")]), ({"app": "b"}, [(now(), "other")])])
    assert tail.wait_lines(31)[30:] == ["new"]
    assert tail.interrupt() == 0
    assert tail.errors() == ""


@pytest.mark.parametrize("output", ["default", "raw", "jsonl"])
def test_the_output_is_that_of_query(ingester, run_tail, output):
    t = now() // NS * NS
    ingester.push([({"app": "a", "env": "x"}, [(t, "one <&>", {"trace": "1"})]), ({"app": "a"}, [(t + 1, "two")])])
    arguments = ("-o", output, "--timezone", "UTC", "--include-label", "app", '{app="a"}')
    tail = run_tail(ingester, *arguments)
    printed = tail.wait_lines(2)
    assert printed == cli("query", "--forward", "-q", *arguments, server=ingester).stdout.decode().splitlines()


def test_limit_since_and_from(ingester, run_tail):
    t = now()
    ingester.push([({"app": "a"}, [(t - 7200 * NS, "two hours"), (t - 60 * NS, "a minute"), (t, "now")])])
    for arguments, want in ((("--since", "3h"), ["two hours", "a minute", "now"]), (("--since", "3h", "--limit", "2"), ["a minute", "now"]),
                            (("--from", str(t)), ["now"]), (("--since", "3h", "--limit", "0"), ["two hours", "a minute", "now"])):
        tail = run_tail(ingester, "-o", "raw", *arguments, '{app="a"}')
        assert tail.wait_lines(len(want)) == want
        assert tail.interrupt() == 0


def test_nothing_found_is_told_by_the_exit_status(ingester, run_tail):
    tail = run_tail(ingester, '{app="a"}')
    wait_for("a tail", lambda: ingester.metrics()["cordwood_tails"] == "1")
    assert tail.interrupt() == 1


def test_a_reader_that_leaves_ends_it(ingester, tmp_path):
    ingester.push([({"app": "a"}, [(now(), "line %d" % i) for i in range(5)])])
    pipe = subprocess.Popen("%s tail -o raw '{app=\"a\"}' | head -n 2; echo status ${PIPESTATUS[0]}" % CLI, shell=True, executable="/bin/bash",
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "CORDWOOD_ADDR": ingester.url})
    out, err = pipe.communicate(timeout=20)
    assert out.decode().splitlines() == ["line 0", "line 1", "status %d" % (128 + signal.SIGPIPE)] and err == b"", "though nothing more comes"


def test_errors_end_it_at_the_beginning(ingester, make_ingester):
    for query, text in (("{app=", "parse error"), ("rate({app=\"a\"}[1m])", "only log selector is supported")):
        done = cli("tail", query, server=ingester)
        assert done.returncode == 3 and text in done.stderr.decode(), done
    assert cli("tail", "--delay-for", "6s", '{app="a"}', server=ingester).returncode == 2
    for flags, text in ((("--delay-for", "1500ms"), "--delay-for takes whole seconds"), (("--from", "tomorrow"), "begins after now: check --from")):
        done = cli("tail", *flags, '{app="a"}', server=ingester)
        assert done.returncode == 2 and text in done.stderr.decode() and "--to" not in done.stderr.decode(), done
    ingester.stop()
    done = cli("tail", '{app="a"}', server=ingester)
    assert done.returncode == 3 and b"connect" in done.stderr.lower()


def test_credentials_and_tenant_are_sent_as_elsewhere(tmp_path, make_ingester, run_tail):
    server = make_ingester(config="auth_enabled: true\n").start()
    done = cli("tail", '{app="a"}', server=server)
    assert done.returncode == 3 and b"401" in done.stderr and b"no org id" in done.stderr
    server.push([({"app": "a"}, [(now(), "mine")])], headers={"X-Scope-OrgID": "me"})
    tail = run_tail(server, "--org-id", "me", "--username", "u", "--password", "p", "-o", "raw", '{app="a"}')
    assert tail.wait_lines(1) == ["mine"]


class TlsRelay:
    """A proxy that speaks TLS to its clients, as before a server of others; it keeps what they said first."""

    def __init__(self, folder, address):
        self.cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
                        "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", self.cert], check=True, stderr=subprocess.DEVNULL)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.cert, key)
        self.context.set_alpn_protocols(["h2", "http/1.1"])
        self.address, self.said = address, b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "https://127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                plain, _ = self.listener.accept()
                client = self.context.wrap_socket(plain, server_side=True)
            except ssl.SSLError:
                continue  # it does not trust us
            except OSError:
                return
            host, port = self.address.rsplit(":", 1)
            server = socket.create_connection((host, int(port)))
            self.said = client.recv(65536)
            server.sendall(self.said)
            threading.Thread(target=self.forward, args=(client, server), daemon=True).start()
            threading.Thread(target=self.forward, args=(server, client), daemon=True).start()

    @staticmethod
    def forward(source, to):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                to.sendall(data)
        with contextlib.suppress(OSError):
            to.shutdown(socket.SHUT_WR)

    def kill(self):
        self.listener.close()


def test_tls_and_basic_authentication(ingester, run_tail, tmp_path, started):
    relay = started.add(TlsRelay(tmp_path, ingester.address))
    done = cli("tail", "--addr", relay.url, '{app="a"}')
    assert done.returncode == 3 and b"certificate" in done.stderr, done
    tail = run_tail(ingester, "--addr", relay.url, "--ca-cert", relay.cert, "--username", "me", "--password", "secret", "-o", "raw", '{app="a"}')
    wait_for("a tail", lambda: ingester.metrics()["cordwood_tails"] == "1")
    big = "x" * 200000
    for i in range(10):
        ingester.push([({"app": "a"}, [(now(), "%d %s" % (i, big))])])
    assert tail.wait_lines(10) == ["%d %s" % (i, big) for i in range(10)]
    assert b"\r\nAuthorization: Basic bWU6c2VjcmV0\r\n" in relay.said and relay.said.startswith(b"GET /loki/api/v1/tail?query=")
    assert tail.interrupt() == 0


def test_an_orderly_restart_leaves_no_gap(ingester, run_tail):
    tail = run_tail(ingester, "-o", "raw", '{app="a"}')
    wait_for("a tail", lambda: ingester.metrics()["cordwood_tails"] == "1")
    ingester.push([({"app": "a"}, [(now(), "before")])])
    tail.wait_lines(1)
    assert ingester.stop() == 0
    wait_for("notice", lambda: "the connection was lost" in tail.errors())
    ingester.start()
    ingester.push([({"app": "a"}, [(now(), "after")])])
    assert tail.wait_lines(2) == ["before", "after"]
    wait_for("notice", lambda: "connected again" in tail.errors())
    assert len(tail.errors().splitlines()) == 2, tail.errors()
    assert tail.interrupt() == 0


def test_kill_9_leaves_no_gap_and_repeats_nothing(ingester, run_tail):
    """Pushes go on while the server is killed again and again: each acknowledged line is printed once."""
    tail = run_tail(ingester, "-q", "-o", "raw", '{app="a"} |= "line"')
    wait_for("a tail", lambda: ingester.metrics()["cordwood_tails"] == "1")
    stop, acknowledged, tried = threading.Event(), [], []
    lock = threading.Lock()

    def push(number):
        n = 0
        while not stop.is_set():
            lines = ["line %d.%d" % (number, n + k) for k in range(5)]
            n += 5
            t, status = now(), None
            with lock:
                tried.extend(lines)
            try:
                status, _ = ingester.push([({"app": "a", "by": str(number)}, [(t + k, line) for k, line in enumerate(lines)])], check=False)
            except OSError:
                pass  # it may have been stored all the same
            if status == 204:
                with lock:
                    acknowledged.extend(lines)
            else:
                time.sleep(0.02)
    threads = [threading.Thread(target=push, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(4):
            wait_for("more lines", lambda n=len(acknowledged): len(acknowledged) > n + 150)
            ingester.kill()
            time.sleep(0.3)
            ingester.start()
        wait_for("more lines", lambda n=len(acknowledged): len(acknowledged) > n + 150)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    wait_for("all lines", lambda: set(acknowledged) <= set(tail.lines()), 60)
    time.sleep(0.5)
    printed = tail.lines()
    assert len(printed) == len(set(printed)), "printed twice"
    assert set(printed) <= set(tried)
    assert sorted(printed) == sorted(line.decode() for line in ingester.export_lines('{app="a"}'))
    assert tail.interrupt() == 0


def test_real_twins_are_printed_as_often_as_they_are_stored(ingester, run_tail):
    """Two entries that are alike but for the stream's labels, with labels that are not printed."""
    t = now()
    ingester.push([({"app": "a", "n": str(i)}, [(t, "same")]) for i in range(3)])
    tail = run_tail(ingester, "-o", "raw", '{app="a"} | label_format n="x"')
    assert tail.wait_lines(3) == ["same"] * 3
    ingester.kill()
    ingester.start()
    ingester.push([({"app": "a", "n": "9"}, [(t + 1, "new")])])
    assert tail.wait_lines(4) == ["same"] * 3 + ["new"]


def test_what_is_dropped_is_told(make_ingester, tmp_path, started):
    server = make_ingester(config="memory: {limit: 256MiB}\n").start()
    read, write = os.pipe()
    tail = started.add(Tail(tmp_path, server, "-o", "raw", '{app="a"}', stdout=write))
    os.close(write)
    wait_for("a tail", lambda: server.metrics()["cordwood_tails"] == "1")
    for i in range(40):
        t = now()
        server.push([({"app": "a"}, [(t + k, "%d " % k + "x" * 1000) for k in range(1000)])])
    wait_for("dropped entries", lambda: int(server.metrics()["cordwood_tail_dropped_total"]) > 0)
    with os.fdopen(read, "rb") as f:
        wait_for("the notice", lambda: f.read1(1 << 20) and "the server dropped" in tail.errors())
    assert re.search(r'the server dropped \d+ entries that were not read in time, the first of \{app="a", .*\} at 20\d\d-', tail.errors())


def test_help_tells_about_it():
    text = cli("tail", "--help").stdout.decode()
    for word in ("--since", "--from", "--limit", "--delay-for", "--output"):
        assert word in text
    assert "--to " not in text
