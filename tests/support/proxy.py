"""A TCP proxy between shipper and ingester that loses answers, as networks do."""
import socket
import socketserver
import threading


class Proxy:
    """Forwards to `address`. `lose(request)` is asked per HTTP request (its first bytes): true lets the request through
    and cuts the connection before the answer's first byte."""

    def __init__(self, address, lose=lambda request: False):
        host, port = address.rsplit(":", 1)
        self.target, self.lose, self.lost = (host, int(port)), lose, 0
        proxy = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                proxy.serve(self.request)

        class Threads(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self.server = Threads(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    @property
    def url(self):
        return "http://%s:%d" % self.server.server_address

    def start(self):
        self.thread.start()
        return self

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def serve(self, client):
        try:
            upstream = socket.create_connection(self.target, timeout=60)
        except OSError:
            client.close()
            return
        with client, upstream:
            while True:
                request = self.message(client)
                if not request:
                    return
                upstream.sendall(request)
                answer = self.message(upstream)
                if self.lose(request):
                    self.lost += 1
                    return
                if not answer:
                    return
                client.sendall(answer)

    @staticmethod
    def message(sock):
        """One HTTP message with Content-Length (or none); b"" at the end of the connection."""
        data = b""
        try:
            while b"\r\n\r\n" not in data:
                more = sock.recv(65536)
                if not more:
                    return b""
                data += more
            head, _, body = data.partition(b"\r\n\r\n")
            fields = dict(row.lower().split(b":", 1) for row in head.split(b"\r\n")[1:] if b":" in row)
            if fields.get(b"expect", b"").strip() == b"100-continue" and not body:
                sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            want = int(fields.get(b"content-length", b"0"))
            while len(body) < want:
                more = sock.recv(1 << 20)
                if not more:
                    return b""
                body += more
            return head + b"\r\n\r\n" + body
        except OSError:
            return b""
