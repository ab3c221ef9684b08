"""Networks between shipper and ingester: one that fails at random, and one that hides what only cordwood knows."""
import random
import socket
import struct
import threading
import time

from wire import field, fields, snappy, unsnappy


def reset(sock):
    """Close with RST instead of FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Listener:
    """Accepts on a port of its own, a thread per connection."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.ended = False
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def address(self):
        return "127.0.0.1:%d" % self.socket.getsockname()[1]

    @property
    def url(self):
        return "http://" + self.address

    def accept(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve_quietly, args=(client,), daemon=True).start()

    def serve_quietly(self, client):
        try:
            self.serve(client)
        except OSError:
            pass
        finally:
            client.close()

    def stop(self):
        self.ended = True
        self.socket.close()


class BadNetwork(Listener):
    """Passes bytes both ways, and breaks connections: before a request, within it, within its answer, with FIN or RST, or after
    a delay. `cut` is for minutes without any network; `faulty` false lets all pass."""

    def __init__(self, address, seed, share=0.25):
        host, port = address.rsplit(":", 1)
        self.target, self.share, self.faulty, self.cut, self.nbroken = (host, int(port)), share, True, False, 0
        self.random = random.Random(seed)
        super().__init__()

    def fault(self):
        """(what, after how many bytes)."""
        if not self.faulty or self.random.random() >= self.share:
            return None, 0
        what = self.random.choice(("request", "answer", "answer", "delay"))
        return what, self.random.choice((0, 1, self.random.randrange(400), self.random.randrange(200000))) if what == "request" else self.random.choice((0, 1, self.random.randrange(200)))

    def serve(self, client):
        if self.cut:
            return reset(client)
        upstream = socket.create_connection(self.target, timeout=60)
        closing = threading.Event()

        def break_both():
            self.nbroken += 1
            for sock in (client, upstream):
                if self.random.random() < 0.5:
                    reset(sock)
                else:
                    try:
                        sock.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        pass
            closing.set()

        def pass_on(source, sink, name):
            try:
                while not closing.is_set():
                    data = source.recv(65536)
                    if not data:
                        break
                    what, after = self.fault()
                    if self.cut:
                        return break_both()
                    if what == name:
                        sink.sendall(data[:after])
                        return break_both()
                    if what == "delay":
                        time.sleep(self.random.random())
                    sink.sendall(data)
                sink.shutdown(socket.SHUT_WR)
            except OSError:
                closing.set()

        back = threading.Thread(target=pass_on, args=(upstream, client, "answer"), daemon=True)
        back.start()
        pass_on(client, upstream, "request")
        back.join()
        upstream.close()


class LokiMask(Listener):
    """An ingester behind this looks like a plain Loki: pushes lose their delivery (field 1000), and /cordwood/ is not found."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.target, self.nstripped = (host, int(port)), 0
        super().__init__()

    def serve(self, client):
        reader = client.makefile("rb")
        while True:
            first = reader.readline()
            if not first:
                return
            head = [first]
            while head[-1] not in (b"\r\n", b""):
                head.append(reader.readline())
            if head[-1] == b"":                             # the network cut it off
                return
            fields = {name.strip().lower(): value.strip() for name, _, value in (row.partition(b":") for row in head[1:])}
            size = int(fields.get(b"content-length", b"0"))
            body = reader.read(size)
            if len(body) < size:
                return
            if b" /cordwood/" in first:
                client.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 19\r\nContent-Type: text/plain\r\n\r\n404 page not found\n")
                continue
            if fields.get(b"content-type") == b"application/x-protobuf":
                body = self.strip(body)
            with socket.create_connection(self.target, timeout=60) as upstream:
                kept = [row for row in head[1:-1] if row.split(b":")[0].lower() not in (b"content-length", b"connection")]
                upstream.sendall(first + b"".join(kept) + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                answer = b""
                while data := upstream.recv(65536):
                    answer += data
            if not answer:
                return
            client.sendall(answer)
            return

    def strip(self, body):
        kept = b""
        for number, value in fields(unsnappy(body)):
            if number == 1000:
                self.nstripped += 1
            else:
                kept += field(number, value)
        return snappy(kept)
