"""Logs are rotated in each way that people rotate them, every few milliseconds to seconds, while the shipper is killed and started
again: each line is stored exactly once."""
import itertools
import os
import random
import threading
import time

import cramjam
import pytest

from load import differences
from programs import LONG, wait_for

FIRST_SEED = int(os.environ.get("CORDWOOD_ROTATION_SEED", 1))   # which kinds run together, and what each log does
SEEDS = range(FIRST_SEED, FIRST_SEED + (40 if LONG else 3))
SECONDS = 12 if LONG else 7
LOGS = 12                                                       # in one folder
BANNER = b"starting, as each of these programs does " + b"=" * 1200

RENAME, NOCREATE, COPYTRUNCATE = "rename", "nocreate", "copytruncate"
PLAIN, GZIP, ZSTD, DELAYED = "plain", "gzip", "zstd", "delayed"
NUMBERED, DATED, DATED_BEFORE = "numbered", "dated", "dated-before"
KINDS = list(itertools.product((RENAME, NOCREATE, COPYTRUNCATE), (PLAIN, GZIP, ZSTD, DELAYED), (NUMBERED, DATED, DATED_BEFORE)))


class RotatedLog:
    """Writes a log and rotates it, as one program: nothing is written between a copy and its truncation, and each file has a line
    of its own before it is rotated. Nothing that was rotated is ever removed."""

    def __init__(self, folder, kind, seed, banner):
        self.how, self.packing, self.naming = kind
        self.name = "-".join(kind) + ("-banner" if banner else "")
        self.banner, self.folder, self.path = banner, str(folder), os.path.join(str(folder), self.name + ".log")
        self.random, self.lines, self.file, self.nrotations = random.Random("%d %s" % (seed, self.name)), [], None, 0
        self.older = []                                         # suffixes (".gz") of the numbered ones, the newest first
        self.late = None                                        # what is compressed with the next rotation
        self.ending, self.failed = threading.Event(), None
        self.thread = threading.Thread(target=self.run)

    def sleep(self, *most):
        """A pause up to one of these, as short as can be more often than not."""
        if self.random.random() < 0.5:
            time.sleep(self.random.uniform(0, self.random.choice(most)))

    def write_line(self, line):
        self.lines.append(line)
        cut = self.random.randrange(len(line)) if self.random.random() < 0.1 else 0     # a reader may see half a line
        self.file.write(line[:cut])
        self.file.write(line[cut:] + b"\n")

    def write(self):
        if self.file is None:
            self.file = open(self.path, "ab", buffering=0)
            if self.banner:
                self.write_line(BANNER)
        for _ in range(self.random.choice((1, 1, 2, 5, 30))):
            self.write_line(b"%s %d %s" % (self.name.encode(), len(self.lines), b"x" * self.random.randrange(120)))

    def rotated_path(self):
        """The name that what is rotated now gets; numbered ones move on."""
        if self.naming == DATED:
            return "%s-20260105-%06d" % (self.path, self.nrotations)
        if self.naming == DATED_BEFORE:
            return "%s-20260105-%06d.log" % (self.path[:-len(".log")], self.nrotations)
        for k in range(len(self.older), 0, -1):
            suffix = self.older[k - 1]
            os.rename("%s.%d%s" % (self.path, k, suffix), "%s.%d%s" % (self.path, k + 1, suffix))
        self.older.insert(0, "")
        return self.path + ".1"

    def pack(self, path):
        """As gzip(1) and logrotate: beside the file, with its times, and then that is removed. It is the newest of the numbered ones."""
        suffix, compress = (".zst", cramjam.zstd.compress) if self.packing == ZSTD else (".gz", cramjam.gzip.compress)
        with open(path, "rb") as file:
            packed = bytes(compress(file.read()))
        times, cut = os.stat(path), self.random.randrange(len(packed))
        with open(path + suffix, "xb", buffering=0) as file:
            self.sleep(0.002)
            file.write(packed[:cut])
            self.sleep(0.005)
            file.write(packed[cut:])
        os.utime(path + suffix, ns=(times.st_atime_ns, times.st_mtime_ns))
        self.sleep(0.002, 0.02)
        os.unlink(path)
        if self.naming == NUMBERED:
            self.older[0] = suffix

    def copy_and_truncate(self, to):
        with open(self.path, "rb") as file:
            text = file.read()
        cut = self.random.randrange(len(text))
        with open(to, "xb", buffering=0) as file:
            file.write(text[:cut])
            self.sleep(0.002)
            file.write(text[cut:])
        self.sleep(0.002, 0.3)
        self.file.truncate(0)

    def rotate(self):
        self.nrotations += 1
        if self.late:
            self.pack(self.late)
        to = self.rotated_path()
        if self.how == COPYTRUNCATE:
            self.copy_and_truncate(to)
        else:
            os.rename(self.path, to)
            self.sleep(0.002, 0.1)
            if self.random.random() < 0.3:
                self.write()                                    # the program is not told yet
            self.file.close()
            self.file = None
        if self.how == RENAME:
            self.write()
        self.sleep(0.002, 0.1)
        if self.packing == DELAYED:
            self.late = to
        elif self.packing != PLAIN:
            self.pack(to)

    def rotate_all_the_time(self):
        while not self.ending.is_set():
            time.sleep(self.random.uniform(*self.random.choice(((0, 0.03), (0, 0.03), (0.05, 0.5), (0.5, 3)))))
            self.write()
            if self.random.random() < 0.8:
                self.sleep(0.002, 0.1)
                self.rotate()
        if self.file:
            self.file.close()

    def run(self):
        try:
            self.rotate_all_the_time()
        except BaseException as e:                              # told by the test, whose thread is another
            self.failed = e


def kills(shipper, seed, seconds):
    """Of the shipper, at random; it is down for up to a second and a half."""
    rng, end = random.Random(seed), time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(rng.uniform(0.3, 2.5))
        assert shipper.running(), "the shipper ended by itself"
        shipper.kill()
        time.sleep(rng.choice((0, 0, 0.05, 0.5, 1.5)))
        shipper.start()


CONFIG = """
clients: [{url: "%s/loki/api/v1/push", batchwait: 50ms}]
positions: {filename: "%s", sync_period: 300ms}
target_config: {sync_period: 1s}
scrape_configs: [{static_configs: [{labels: {job: rotation, __path__: "%s/%s"}}]}]
"""


@pytest.mark.parametrize("seed", SEEDS)
def test_each_line_is_stored_once_however_its_log_is_rotated(make_shipper, ingester, logs, tmp_path, seed):
    kinds = list(KINDS)
    random.Random((seed - 1) // 3).shuffle(kinds)               # three seeds in a row have each kind once
    kinds = kinds[(seed - 1) % 3 * LOGS:][:LOGS]
    rotated = [RotatedLog(logs, kind, seed, i % 2 == 0) for i, kind in enumerate(kinds)]
    pattern = "*.log*" if seed % 3 == 2 else "*.log"            # the first has what was rotated too
    shipper = make_shipper(config=CONFIG % (ingester.url, tmp_path / "positions", logs, pattern)).start()
    for log in rotated:                                         # what was rotated before the very first look is nobody's
        log.write()
    stored = lambda: ingester.count('{job="rotation"}')
    wait_for("first lines", lambda: stored() >= sum(len(log.lines) for log in rotated))
    for log in rotated:
        log.thread.start()
    try:
        kills(shipper, seed, SECONDS)
    finally:
        for log in rotated:
            log.ending.set()
        for log in rotated:
            log.thread.join()
    assert not [log.failed for log in rotated if log.failed]
    want = [line for log in rotated for line in log.lines]
    late = None
    try:
        wait_for("all lines", lambda: stored() >= len(want), 60, 0.2)
    except AssertionError as e:
        late = e                                                # what is missing is told first
    time.sleep(2)                                               # what would come twice, comes now
    difference = differences(want, ingester.export_lines('{job="rotation"}'))
    print("%d lines, %d rotations" % (len(want), sum(log.nrotations for log in rotated)))
    assert difference is None, "CORDWOOD_ROTATION_SEED=%d: %s" % (seed, difference)
    assert late is None, late
    assert shipper.stop() == 0
