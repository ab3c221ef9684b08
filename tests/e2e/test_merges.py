"""What merging costs a disk: room for what it joins once more, and each byte once a level."""
import os
import random
import threading
import time

from programs import NS
from store_files import Part, parts

T = 1767571200 * NS
FLUSHES = 64                     # two levels of eight
LINES = 2000


class Watch:
    """Every part that was ever seen under its own name, and the most that all files took at once, between two calls of most()."""

    def __init__(self, data):
        self.folder, self.peak, self.seen, self.over = os.path.join(data, "parts"), 0, {}, threading.Event()
        self.thread = threading.Thread(target=self.look)

    def look(self):
        while not self.over.wait(0.002):
            self.add()

    def add(self):
        size = 0
        for at, _, names in os.walk(self.folder):
            for name in names:
                try:
                    bytes_now = os.stat(os.path.join(at, name)).st_size
                except FileNotFoundError:
                    continue
                size += bytes_now
                if name.endswith(".part"):
                    self.seen[name] = bytes_now
        self.peak = max(self.peak, size)

    def most(self):
        peak, self.peak = self.peak, 0
        return peak

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def batch(rng, n):
    """Lines with ids that nothing compresses, so that what is joined gets hardly smaller."""
    return [(T + (n * LINES + i) * NS // 100, "request %d took %d ms id=%032x" % (i, rng.randrange(1000), rng.getrandbits(128))) for i in range(LINES)]


def test_a_merge_needs_no_more_than_its_inputs_once_more_and_each_level_is_written_once(ingester):
    rng, at_rest, flushed, merged = random.Random(1), 0, {}, 0
    with Watch(ingester.data) as watch:
        for n in range(FLUSHES):
            known = set(watch.seen)
            ingester.push([({"app": "a%d" % (n % 3)}, batch(rng, n))])
            assert ingester.ask("POST", "/flush")[0] == 204            # and what is due is merged
            watch.add()
            new = {name: size for name, size in watch.seen.items() if name not in known}
            first = min(new)                                           # ids ascend: the flush's own is the least
            flushed[first] = new[first]
            assert watch.most() <= 2 * (at_rest + new[first]), n
            at_rest = sum(os.path.getsize(p) for p in parts(ingester.data))
            merged += len(new) > 1
    assert merged >= FLUSHES // 8 and max(Part(p).level for p in parts(ingester.data)) >= 2
    assert sum(watch.seen.values()) <= 3.05 * sum(flushed.values())
    assert len(ingester.export_lines('{app=~"a."}')) == FLUSHES * LINES


def test_days_that_are_over_and_quiet_end_in_one_part_each(ingester):
    """Fifteen flushes leave seven parts and one of the next level, and each is a file, a mapping and work for every query."""
    days, flushes = 3, 15
    for n in range(flushes):
        ingester.push([({"app": "a"}, [(T + (day * 86400 + n) * NS + i, "day %d flush %d line %d" % (day, n, i))
                                       for day in range(days) for i in range(20)])])
        assert ingester.ask("POST", "/flush")[0] == 204
    before = ingester.export_lines('{app="a"}')
    assert len(before) == flushes * days * 20
    assert len(parts(ingester.data)) == days * 8
    ingester.stop()
    for path in parts(ingester.data):
        os.utime(path, (time.time() - 2 * 3600,) * 2)
    ingester.start()
    assert ingester.ask("POST", "/flush")[0] == 204
    assert [Part(p).level for p in parts(ingester.data)] == [1] * days
    assert [Part(p).rows for p in parts(ingester.data)] == [flushes * 20] * days
    assert ingester.export_lines('{app="a"}') == before
    kept = parts(ingester.data)
    assert ingester.ask("POST", "/flush")[0] == 204 and parts(ingester.data) == kept
