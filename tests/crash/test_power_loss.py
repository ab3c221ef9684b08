"""Power loss: whatever legal state the disk is left in, no acknowledged entry is missing and none is there twice."""
import os
import random
import shutil
import subprocess
import sys
import time

import pytest

from load import Pushers, differences
from powercut import Disk, read_journal, write_state
from programs import BUILD, LONG, Ingester

CUTS = 300 if LONG else 30
LIBRARY = os.path.join(BUILD, "tests", "support", "libpowercut.so")
SMALL_STORE = "head: {flush_bytes: 1MiB}\nwal: {segment_bytes: 1MiB}\n"


def recorded(folder):
    data = folder / "data"
    data.mkdir(parents=True)
    return data, {"CW_POWERCUT_ROOT": str(data), "CW_POWERCUT_LOG": str(folder / "journal")}


WRITER = """
import os, sys
os.chdir(sys.argv[1])
a = os.open("synced", os.O_CREAT | os.O_WRONLY); os.write(a, b"1" * 5000); os.fsync(a); os.write(a, b"2" * 5000)
d = os.open(".", os.O_RDONLY); os.fsync(d)
b = os.open("new.tmp", os.O_CREAT | os.O_WRONLY); os.write(b, b"3"); os.rename("new.tmp", "new")
"""


def test_the_recorder_tells_what_is_sure_from_what_is_not(tmp_path):
    data, env = recorded(tmp_path)
    subprocess.run([sys.executable, "-c", WRITER, str(data)], env={**os.environ, **env, "LD_PRELOAD": LIBRARY}, check=True)
    disk = Disk(read_journal(tmp_path / "journal"), str(data))
    rng = random.Random(3)
    assert disk.state(rng, "least") == {str(data / "synced"): b"1" * 5000}
    assert disk.state(rng, "most") == {str(data / "synced"): b"1" * 5000 + b"2" * 5000, str(data / "new"): b"3"}
    seen = set()
    for _ in range(300):
        state = disk.state(rng, "mixed")
        assert state[str(data / "synced")].startswith(b"1" * 5000)
        seen.add(tuple(sorted(os.path.basename(p) for p in state)))
    assert seen == {("synced",), ("new.tmp", "synced"), ("new", "synced")}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """(data folder, journal, pushers) of an ingester that was pushed to, flushed and stopped while it was recorded."""
    folder = tmp_path_factory.mktemp("power")
    data, env = recorded(folder)
    server = Ingester(folder, config=SMALL_STORE, env=env, preload=LIBRARY, data=data)
    try:
        server.start()
        load = Pushers(server, nthreads=4).start()
        for _ in range(6 if not LONG else 20):
            time.sleep(0.5)
            server.ask("POST", "/flush")
        load.stop()
        assert server.stop() == 0
    finally:
        server.kill()
    events = read_journal(folder / "journal")
    assert len(load.acked) > 100 and {e.op for e in events} >= set("CWbeR"), (load.statuses, len(events))
    return data, events, load


def test_no_acknowledged_entry_is_missing_after_a_power_cut(run, tmp_path):
    data, events, load = run
    rng = random.Random(4)
    first = next(i for i, e in enumerate(events) if e.mono_ns >= load.acked[0][0])
    interesting = [i for i, e in enumerate(events) if i > first and e.op in "RUCT"]       # beside flushes, catalogs, segments
    for n in range(CUTS):
        at = rng.choice(interesting) + rng.randrange(-2, 3) if n % 2 and interesting else rng.randrange(first, len(events))
        at = min(max(at, 1), len(events) - 1)
        mode = ("mixed", "mixed", "least", "most")[n % 4]
        state = Disk(events[:at], str(data)).state(rng, mode)
        folder = tmp_path / ("cut%d" % n)
        write_state(state, str(data), str(folder / "data"))
        server = Ingester(folder, config=SMALL_STORE, data=folder / "data")
        try:
            server.start()
            have = [line.decode() for line in server.export_lines('{app="load"}')]
            acked = load.acked_by(events[at - 1].mono_ns)
            where = "cut %d at event %d (%s) of %d, %s" % (n, at, events[at].op, len(events), mode)
            assert acked <= set(have), "%s: %s" % (where, differences(acked, set(have) & acked))
            assert len(have) == len(set(have)), "%s: %s" % (where, differences(set(have), have))
            assert int(server.metrics()["cordwood_wal_missing_frames_total"]) == 0, where
            assert server.stop() == 0
        finally:
            server.kill()
        shutil.rmtree(folder)
