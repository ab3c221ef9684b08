"""The real programs, started by tests: each in a folder of its own, on a port of its own."""
import base64
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import time
import urllib.parse

from ports import OwnPort

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("CORDWOOD_BUILD", os.path.join(TOP, "build-tests", "release"))
LONG = bool(os.environ.get("CORDWOOD_LONG"))
INGESTER = os.path.join(BUILD, "ingester", "cordwood-ingester")
SHIPPER = os.path.join(BUILD, "shipper", "cordwood-shipper")
CLI = os.path.join(BUILD, "querier", "cordwood")
NS = 10 ** 9


def free_port():
    """For programs that cannot be told to take any."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, condition, seconds=30, every=0.02):
    """Ask `condition` until it is true; its last value is returned. The time limit is far above what is needed."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("no %s within %d s" % (what, seconds))
        time.sleep(every)


class Program:
    """One process with its log in a file; subclasses say how it is started."""

    def __init__(self, argv, log, env=None, preload=None):
        self.argv, self.log_path, self.process = argv, log, None
        self.env = dict(os.environ, **(env or {}))
        if preload:
            self.env["LD_PRELOAD"] = preload

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self.env)
        return self

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process is not None and self.process.poll() is None

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def kill(self):
        """kill -9, at once."""
        if self.running():
            self.process.send_signal(signal.SIGKILL)
        if self.process:
            self.process.wait()

    def stop(self, seconds=60):
        """SIGTERM; the exit status, which must be 0."""
        if not self.running():
            return self.process.returncode if self.process else None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("%s did not stop within %d s of SIGTERM:\n%s" % (self.argv[0], seconds, self.log()[-3000:]))


class Ingester(Program):
    def __init__(self, folder, config=None, arguments=(), env=None, preload=None, data=None):
        folder = str(folder)
        os.makedirs(folder, exist_ok=True)
        self.data = str(data or os.path.join(folder, "data"))
        self.listen_file = os.path.join(folder, "listen")
        self.port = OwnPort()
        self.address = "127.0.0.1:%d" % self.port.number
        argv = [INGESTER, "--listen", self.address, "--data-dir", self.data, "--listen-file", self.listen_file]
        if config is not None:
            path = os.path.join(folder, "cordwood.yaml")
            with open(path, "w") as f:
                f.write(config)
            argv += ["--config", path]
        super().__init__(argv + list(arguments), os.path.join(folder, "ingester.log"), env, preload)

    def start(self, ready=True):
        """Every start is at the same address, so that clients find it."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.listen_file)
        self.argv[self.argv.index("--listen") + 1] = self.address
        super().start()

        def bound():
            if not self.running():
                raise AssertionError("the ingester ended with %s:\n%s" % (self.process.returncode, self.log()[-3000:]))
            with contextlib.suppress(FileNotFoundError):
                with open(self.listen_file) as f:
                    return f.read().strip()
        self.address = wait_for("listen file", bound)
        if ready:
            wait_for("ready ingester", lambda: self.ask("GET", "/ready")[0] == 200, 120)
        return self

    @property
    def url(self):
        return "http://" + self.address

    def ask(self, method, path, params=None, body=None, headers=None, timeout=60):
        """(status, body bytes)."""
        host, port = self.address.rsplit(":", 1)
        connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=timeout)
        try:
            if params:
                path += "?" + urllib.parse.urlencode(params, doseq=True)
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            self.answer_headers = dict(answer.getheaders())
            return answer.status, answer.read()
        except ConnectionRefusedError:
            return 0, b""
        finally:
            connection.close()

    def push(self, streams, headers=None, check=True):
        """streams: [({label: value}, [(ns, line) or (ns, line, metadata)])]; as JSON."""
        body = {"streams": [{"stream": labels, "values": [[str(e[0]), e[1], *e[2:]] for e in entries]} for labels, entries in streams]}
        status, text = self.ask("POST", "/loki/api/v1/push", body=json.dumps(body).encode(),
                                headers={"Content-Type": "application/json", **(headers or {})})
        assert not check or status == 204, (status, text)
        return status, text

    def query_range(self, query, start, end, headers=None, **more):
        status, text = self.ask("GET", "/loki/api/v1/query_range", {"query": query, "start": start, "end": end, **more}, headers=headers)
        assert status == 200, (status, text)
        return json.loads(text)["data"]["result"]

    def query(self, query, headers=None, **more):
        status, text = self.ask("GET", "/loki/api/v1/query", {"query": query, **more}, headers=headers)
        assert status == 200, (status, text)
        return json.loads(text)["data"]["result"]

    def count(self, selector, end=None, hours=24 * 30):
        """How many entries the server has."""
        result = self.query("sum(count_over_time(%s[%dh]))" % (selector, hours), **({"time": end} if end else {}))
        return int(float(result[0]["value"][1])) if result else 0

    def export(self, query, start=0, end=2 ** 62, headers=None, **more):
        """All entries as a list of dictionaries (see GET /cordwood/v1/export); asked for again while there is no memory for them."""
        params = {"query": query, "start": start, "end": end, **more}
        status, text = wait_for("room for an export", lambda: (lambda a: a if a[0] != 429 else None)(self.ask("GET", "/cordwood/v1/export", params, headers=headers)))
        assert status == 200, (status, text[:500])
        return [json.loads(row) for row in text.splitlines() if row]

    def export_lines(self, query, **more):
        """The lines of all matching entries, as bytes."""
        return [base64.b64decode(e["line_b64"]) if "line_b64" in e else e["line"].encode() for e in self.export(query, **more)]

    def metrics(self):
        """{name or name{labels}: value}."""
        status, text = self.ask("GET", "/metrics")
        assert status == 200
        return dict(row.rsplit(" ", 1) for row in text.decode().splitlines() if row and row[0] != "#")


class Shipper(Program):
    def __init__(self, folder, config=None, arguments=(), env=None, preload=None):
        folder = str(folder)
        os.makedirs(folder, exist_ok=True)
        argv = [SHIPPER]
        if config is not None:
            path = os.path.join(folder, "shipper.yaml")
            with open(path, "w") as f:
                f.write(config)
            argv += ["--config", path]
        super().__init__(argv + list(arguments), os.path.join(folder, "shipper.log"),
                         {"XDG_STATE_HOME": os.path.join(folder, "state"), **(env or {})}, preload)

    def heeds_sigterm(self):
        with contextlib.suppress(FileNotFoundError):
            with open("/proc/%d/status" % self.pid) as f:
                caught = next(int(row.split()[1], 16) for row in f if row.startswith("SigCgt:"))
            return caught >> (signal.SIGTERM - 1) & 1

    def stop(self, seconds=60):
        """In the first moment of a start SIGTERM would just kill it."""
        wait_for("handler of SIGTERM", lambda: not self.running() or self.heeds_sigterm())
        return super().stop(seconds)

    def finish(self, seconds=120):
        """Wait for the end of a run with --once; its exit status must be 0."""
        status = self.process.wait(seconds)
        assert status == 0, "exit status %d:\n%s" % (status, self.log()[-3000:])


def cli(*arguments, server=None, stdin=None, env=None):
    """Run `cordwood`; a CompletedProcess with bytes."""
    more = {"CORDWOOD_ADDR": server.url} if server else {}
    return subprocess.run([CLI, *arguments], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env={**os.environ, **more, **(env or {})}, timeout=300)
