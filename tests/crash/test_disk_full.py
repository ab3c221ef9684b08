"""A full disk: pushes are refused with a clear 5xx, nothing acknowledged is lost, work goes on when space is back."""
import os
import subprocess

import pytest

from load import Pushers, differences
from programs import Ingester, wait_for

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
