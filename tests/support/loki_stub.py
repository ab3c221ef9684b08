"""A server that takes Loki's pushes and answers as a test says: what a shipper sends to servers other than cordwood."""
import gzip
import http.server
import threading

from wire import fields, unsnappy


class Push:
    def __init__(self, headers, body):
        self.headers, self.body = headers, body
        self.streams, self.delivery = [], None      # [(labels, [(ns, line)])]
        packed = gzip.decompress(body) if headers["Content-Encoding"] == "gzip" else body
        for number, value in fields(unsnappy(packed)):
            if number == 1000:
                self.delivery = value
            elif number == 1:
                stream = list(fields(value))
                entries = []
                for _, entry in (f for f in stream if f[0] == 2):
                    entry = dict(fields(entry))
                    time = dict(fields(entry[1]))
                    entries.append((time.get(1, 0) * 10 ** 9 + time.get(2, 0), entry.get(2, b"")))
                self.streams.append((next(v for n, v in stream if n == 1).decode(), entries))

    @property
    def lines(self):
        return [line for _, entries in self.streams for _, line in entries]


class LokiStub:
    """`answer(push)` gives (status, headers, body); pushes that it answered with 2xx are in `stored`, all in `pushes`."""

    def __init__(self, answer=lambda push: (204, {}, b"")):
        self.answer, self.pushes, self.stored, self.asked, self.lock = answer, [], [], 0, threading.Lock()
        stub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path != "/loki/api/v1/push":
                    with stub.lock:
                        stub.asked += 1
                    return self.say(404, {}, b"404 page not found\n")
                push = Push(self.headers, body)
                with stub.lock:
                    stub.pushes.append(push)
                    status, headers, text = stub.answer(push)
                    if status < 300:
                        stub.stored.append(push)
                self.say(status, headers, text)

            def say(self, status, headers, text):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if status != 204:
                    self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                if status != 204:
                    self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return "http://%s:%d" % self.server.server_address

    @property
    def lines(self):
        with self.lock:
            return [line for push in self.stored for line in push.lines]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
