"""Requests that a client has under way, and may leave."""
import os
import socket
import threading
import urllib.parse


class Asking(threading.Thread):
    """One request on a connection of its own."""

    def __init__(self, server, path, **params):
        super().__init__(daemon=True)
        self.server, self.path, self.status = server, path, None
        self.params = params
        host, port = server.address.rsplit(":", 1)
        self.socket = socket.create_connection((host.strip("[]"), int(port)))
        self.start()

    def run(self):
        answer = b""
        try:
            self.socket.sendall(("GET %s?%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n"
                                 % (self.path, urllib.parse.urlencode(self.params, doseq=True), self.server.address)).encode())
            while piece := self.socket.recv(1 << 20):
                answer = answer or piece
        except OSError:
            return
        if answer:
            self.status = int(answer.split(b" ")[1])

    def leave(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def running(server):
    """Queries that the server has under way."""
    return int(server.metrics()["cordwood_queries_running"])


def cpu_ms(server):
    """What all of its threads have used so far."""
    folder = "/proc/%d/task" % server.pid
    total = 0
    for task in os.listdir(folder):
        with open("%s/%s/schedstat" % (folder, task)) as f:
            total += int(f.read().split()[0])
    return total / 1e6
