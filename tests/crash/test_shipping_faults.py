"""Everything fails at random while rotating logs are shipped: both programs are killed, the network breaks. Into cordwood every
line arrives exactly once, into two as well; into what looks like a plain Loki at least once."""
import http.client
import os
import random
import threading
import time
from collections import Counter

import pytest

from bad_network import BadNetwork, LokiMask
from load import differences
from programs import LONG, wait_for

SECONDS = int(os.environ.get("CORDWOOD_FAULT_SECONDS", 1200 if LONG else 50))
SHORT_SECONDS = int(os.environ.get("CORDWOOD_FAULT_SECONDS", 300 if LONG else 20))
GENERATIONS = 60                                            # that are renamed on; one more is there until it is overwritten
SEED = os.environ.get("CORDWOOD_FAULT_SEED", "")            # another one, other faults


class RandomWriter:
    """Appends lines in pieces, and rotates by renaming every few seconds, now and then twice at once. The generations keep a name of
    their own, or are numbered (.1 is the newest), and then the oldest goes. What goes before it was read is lost by right, so
    stored(a text of its last line) must be true of it first: until then the file grows on."""

    def __init__(self, folder, name, numbered, stored, lines_per_second=400):
        self.path, self.numbered, self.pause = os.path.join(str(folder), name + ".log"), numbered, 20 / lines_per_second
        self.stored, self.ends = stored, []                 # ends: the last line's number of each generation, the newest first
        self.random, self.lines, self.nrotations, self.name = random.Random(name + SEED), [], 0, name.encode()
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def start(self):
        self.thread.start()
        return self

    def stop(self):
        self.ending.set()
        self.thread.join()

    def rotate(self):
        if self.numbered and len(self.ends) > GENERATIONS and not self.stored("%s line %d " % (self.name.decode(), self.ends[-1])):
            return
        self.nrotations += 1
        if not self.numbered:
            os.rename(self.path, "%s-2026%06d" % (self.path, self.nrotations))
            return
        for k in range(min(len(self.ends), GENERATIONS), 0, -1):
            os.rename("%s.%d" % (self.path, k), "%s.%d" % (self.path, k + 1))
        os.rename(self.path, self.path + ".1")
        self.ends = [len(self.lines) - 1] + self.ends[:GENERATIONS]

    def write(self, file, n):
        chunk = b""
        for _ in range(n):
            line = b"%s line %d %s" % (self.name, len(self.lines), bytes(self.random.choices(b"abcdefgh \xff\xc3\xa9\t", k=self.random.randrange(120))))
            self.lines.append(line)
            chunk += line + b"\n"
        cut = self.random.randrange(len(chunk))             # a reader may see half a line
        file.write(chunk[:cut])
        file.write(chunk[cut:])

    def run(self):
        file, due = open(self.path, "ab", buffering=0), time.monotonic() + 1
        while not self.ending.is_set():
            self.write(file, 20)
            if time.monotonic() > due:
                for _ in range(self.random.choice((1, 1, 1, 2, 3))):
                    file.close()
                    self.rotate()
                    file = open(self.path, "ab", buffering=0)
                    self.write(file, self.random.randrange(1, 20))
                due = time.monotonic() + self.random.uniform(0.5, 5)
            time.sleep(self.pause)
        file.close()


class Faults:
    """Kills both programs and cuts the network at random for so many seconds, each in a thread of its own."""

    def __init__(self, server, shipper, network, seconds):
        self.server, self.shipper, self.network, self.counts, self.failed = server, shipper, network, Counter(), []
        self.end = time.monotonic() + seconds
        self.threads = [threading.Thread(target=self.run, args=a) for a in ((self.kill_shipper, 1, 5), (self.kill_server, 3, 9), (self.cut, 4, 12))]

    def run(self, fault, least, most):
        rng = random.Random(fault.__name__ + SEED)
        while time.monotonic() + most < self.end:
            time.sleep(rng.uniform(least, most))
            try:
                fault(rng)
            except BaseException as e:                      # told by the test, whose thread is another
                self.failed.append(e)
                return
            self.counts[fault.__name__] += 1

    def kill_shipper(self, rng):
        assert self.shipper.running(), "the shipper ended by itself"
        self.shipper.kill()
        if rng.random() < 0.4:
            time.sleep(rng.uniform(0, 4))                   # long enough for several rotations
        self.shipper.start()

    def kill_server(self, rng):
        assert self.server.running(), "the ingester ended by itself"
        self.server.kill()
        if rng.random() < 0.4:
            time.sleep(rng.uniform(0, 2))
        self.server.start()

    def cut(self, rng):
        self.network.cut = True
        time.sleep(rng.uniform(0.1, 3))
        self.network.cut = False

    def go(self):
        for thread in self.threads:
            thread.start()
        for thread in self.threads:
            thread.join()
        assert not self.failed, self.failed
        assert len(self.counts) == 3, self.counts
        self.network.faulty = False


def has(server, text):
    """Has it such a line? One that is down has none, for now."""
    try:
        return server.count('{job="faults"} |= "%s"' % text) > 0
    except (OSError, AssertionError, ValueError, http.client.HTTPException):
        return False


CLIENT = """
  - url: %s/loki/api/v1/push
    batchwait: 200ms
    batchsize: 100KiB
    timeout: 4s
    backoff_config: {min_period: 50ms, max_period: 1s}"""
CONFIG = """
clients:%s
positions: {filename: "%s", sync_period: 500ms}
target_config: {sync_period: 2s}
scrape_configs: [{static_configs: [{labels: {job: faults, __path__: "%s/*.log"}}]}]
"""


@pytest.mark.parametrize("form", ["ranges", "plain", "two"])
def test_no_line_is_lost_or_stored_twice_whatever_fails(make_ingester, make_shipper, tmp_path, form):
    plain = form == "plain"
    logs = tmp_path / "logs"
    logs.mkdir()
    server = make_ingester(config="wal: {segment_bytes: 1MiB}\nhead: {flush_bytes: 2MiB}\n").start()
    mask = LokiMask(server.address) if plain else None
    network = BadNetwork(mask.address if mask else server.address, "network" + SEED)
    steady = make_ingester("steady").start() if form == "two" else None     # another output, which nothing holds up
    clients = "".join(CLIENT % to.url for to in (network, steady) if to)
    shipper = make_shipper(config=CONFIG % (clients, tmp_path / "positions.yaml", logs)).start()
    writers = [RandomWriter(logs, "w%d" % i, i % 2 == 0, lambda text: all(has(to, text) for to in (server, steady) if to)).start() for i in range(4)]
    faults = Faults(server, shipper, network, SECONDS if form == "ranges" else SHORT_SECONDS)
    try:
        faults.go()
    finally:
        for writer in writers:
            writer.stop()
    want = [line for writer in writers for line in writer.lines]
    late = None
    try:
        wait_for("all lines", lambda: server.count('{job="faults"}') >= len(want) if not plain else
                 not Counter(want) - Counter(server.export_lines('{job="faults"}')), 120, 1)
    except AssertionError as e:
        late = e                                            # what is missing is told first
    time.sleep(3)                                           # what would come twice, comes now
    have = server.export_lines('{job="faults"}')
    print("%d lines, %d stored, %s, %d connections broken, %d rotations" %
          (len(want), len(have), dict(faults.counts), network.nbroken, sum(w.nrotations for w in writers)))
    assert network.nbroken > 0
    if plain:
        missing, unknown = Counter(want) - Counter(have), set(have) - set(want)
        assert not missing and not unknown, (missing.most_common(5), list(unknown)[:5])
        assert mask.nstripped == 0 and server.metrics().get("cordwood_sources", "0") == "0"
    else:
        difference = differences(want, have)
        assert difference is None, difference
    if steady:
        wait_for("all lines at the other output", lambda: steady.count('{job="faults"}') >= len(want), 120, 1)
        difference = differences(want, steady.export_lines('{job="faults"}'))
        assert difference is None, difference
    assert late is None, late
    assert shipper.stop() == 0
    network.stop()
