"""A full disk: pushes are refused with a clear 5xx, nothing acknowledged is lost, work goes on when space is back."""
import os
import subprocess
import time

import pytest

from load import Pushers, differences
from programs import NS, Ingester, wait_for

CONFIG = "head: {flush_bytes: 1MiB}\nwal: {segment_bytes: 1MiB}\nstorage: {min_free: 0}\n"


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 16 MiB (needs root, as continuous integration has)."""
    where = tmp_path / "disk"
    where.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(where)], check=True)
    yield where
    subprocess.run(["umount", "-l", str(where)], check=True)


def fill(path):
    with open(path, "wb", buffering=0) as f:
        try:
            while True:
                f.write(b"\0" * 65536)
        except OSError:
            pass
        try:
            while True:
                f.write(b"\0")
        except OSError:
            pass


def test_pushes_are_refused_while_the_disk_is_full_and_go_on_afterwards(small_disk, make_ingester):
    server = make_ingester(config=CONFIG, data=small_disk / "data").start()
    load = Pushers(server)
    load.start()
    try:
        wait_for("acknowledged pushes", lambda: len(load.acked) > 50)
        fill(small_disk / "ballast")
        refused = wait_for("refused push", lambda: [s for s in load.statuses if s >= 500] or None)
        status, text = server.push([({"app": "full"}, [("1", "x" * 4000)])], check=False)
        assert status in (503, 507) and b"space" in text, (status, text)
        assert server.ask("GET", "/loki/api/v1/labels")[0] == 200                  # reading goes on
        os.unlink(small_disk / "ballast")
        before = len(load.acked)
        wait_for("acknowledged pushes after space is back", lambda: len(load.acked) > before + 20, 60)
    finally:
        load.stop()
    assert refused
    acked = {line for _, lines in load.acked for line in lines}
    have = [line.decode() for line in server.export_lines('{app="load"}')]
    assert acked <= set(have), differences(acked, set(have) & acked)
    assert len(have) == len(set(have))


def test_an_ingester_starts_and_reads_on_a_full_disk(small_disk, make_ingester):
    server = make_ingester(config=CONFIG, data=small_disk / "data").start()
    load = Pushers(server)
    load.start()
    wait_for("acknowledged pushes", lambda: len(load.acked) > 50)
    load.stop()
    server.kill()
    fill(small_disk / "ballast")
    server.start()
    acked = {line for _, lines in load.acked for line in lines}
    have = {line.decode() for line in server.export_lines('{app="load"}')}
    assert acked <= have, differences(acked, have & acked)


def test_the_oldest_days_make_room_before_the_disk_is_full(small_disk, make_ingester):
    server = make_ingester(config="wal: {segment_bytes: 1MiB}\nstorage: {min_free: 0.4}\n", data=small_disk / "data").start()
    now, day = time.time_ns(), 24 * 3600 * NS
    for back in range(12, -1, -1):                                      # about 1 MiB a day, which does not compress
        for at in range(0, 600, 200):
            entries = [(now - back * day + at + i, "day %d %s" % (back, os.urandom(1300).hex())) for i in range(200)]
            wait_for("place in the log", lambda: server.push([({"app": "space"}, entries)], check=False)[0] == 204, 60, 0.1)
        wait_for("flush", lambda: server.ask("POST", "/flush")[0] == 204, 60, 0.1)

    def days():
        return sorted({int(line.split()[1]) for line in server.export_lines('{app="space"}')})

    def free():
        space = os.statvfs(small_disk)
        return space.f_bavail / space.f_blocks
    wait_for("room", lambda: free() >= 0.4, 60, 0.2)
    kept = days()
    assert kept == list(range(len(kept))) and 3 <= len(kept) < 13, kept  # the newest, without a gap
    assert "storage.min_free" in server.log()
    server.kill()
    server.start()
    assert days() == kept
