"""Load for crash tests: pushers that remember what was acknowledged, writers of rotating files, and the comparison."""
import collections
import http.client
import json
import os
import random
import threading
import time


class Pushers:
    """Threads that push lines of which each is written once in the world, and note when each push was acknowledged."""

    def __init__(self, server, nthreads=3, lines_per_push=20, name="load"):
        self.server, self.name, self.lines_per_push = server, name, lines_per_push
        self.acked = []                 # (monotonic ns, [line, ...])
        self.sent = collections.Counter()
        self.statuses = collections.Counter()
        self.ending = threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(k,)) for k in range(nthreads)]

    def start(self):
        for t in self.threads:
            t.start()
        return self

    def stop(self):
        self.ending.set()
        for t in self.threads:
            t.join()

    def run(self, k):
        rng, n, connection = random.Random(k), 0, None
        while not self.ending.is_set():
            lines = ["%s thread %d line %d %s" % (self.name, k, n + i, "x" * rng.randrange(200)) for i in range(self.lines_per_push)]
            n += self.lines_per_push
            now = time.time_ns()
            body = json.dumps({"streams": [
                {"stream": {"app": self.name, "part": str(part)}, "values": [[str(now + i), line] for i, line in enumerate(lines) if i % 2 == part]}
                for part in (0, 1)]}).encode()
            with self.lock:
                self.sent.update(lines)
            try:
                if connection is None:
                    host, port = self.server.address.rsplit(":", 1)
                    connection = http.client.HTTPConnection(host, int(port), timeout=30)
                connection.request("POST", "/loki/api/v1/push", body, {"Content-Type": "application/json"})
                status = connection.getresponse()
                status.read()
                with self.lock:
                    self.statuses[status.status] += 1
                    if status.status == 204:
                        self.acked.append((time.monotonic_ns(), lines))
                if status.status != 204:
                    time.sleep(0.02)
            except (OSError, http.client.HTTPException):
                if connection:
                    connection.close()
                connection = None
                time.sleep(0.02)

    def acked_by(self, mono_ns):
        return {line for when, lines in self.acked if when <= mono_ns for line in lines}


class RotatingWriter:
    """A thread that appends lines to <folder>/<name>.log and now and then renames it to .1 (the old .1 to .2, ...)."""

    def __init__(self, folder, name, lines_per_second=2000, rotate_every=3000):
        self.path = os.path.join(str(folder), name + ".log")
        self.name, self.pause, self.rotate_every = name, 100 / lines_per_second, rotate_every
        self.lines = []
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def start(self):
        self.thread.start()
        return self

    def stop(self):
        self.ending.set()
        self.thread.join()

    def run(self):
        rng, n, file = random.Random(self.name), 0, open(self.path, "ab", buffering=0)
        while not self.ending.is_set():
            chunk = b""
            for _ in range(100):
                line = b"%s line %d %s" % (self.name.encode(), n, bytes(rng.choices(b"abcdefgh \xff\xc3\xa9\t", k=rng.randrange(120))))
                self.lines.append(line)
                chunk += line + b"\n"
                n += 1
            cut = rng.randrange(len(chunk))                 # a reader may see half a line
            file.write(chunk[:cut])
            file.write(chunk[cut:])
            if n % self.rotate_every == 0:
                file.close()
                for k in range(20, 0, -1):
                    older = "%s.%d" % (self.path, k)
                    if os.path.exists(older):
                        os.rename(older, "%s.%d" % (self.path, k + 1))
                os.rename(self.path, self.path + ".1")
                file = open(self.path, "ab", buffering=0)
            time.sleep(self.pause)
        file.close()


def numbered(name, n, start=0):
    """Lines of which none is like another."""
    return [b"%s line %d" % (name.encode(), i) for i in range(start, start + n)]


def differences(want, have):
    """How two multisets of lines differ, in a sentence; None when they do not."""
    want, have = collections.Counter(want), collections.Counter(have)
    missing, extra = want - have, have - want
    if not missing and not extra:
        return None
    show = lambda c: ", ".join("%r x%d" % (line[:80], k) for line, k in c.most_common(5))
    return "%d lines missing (%s), %d too many (%s)" % (sum(missing.values()), show(missing), sum(extra.values()), show(extra))
