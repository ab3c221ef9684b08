"""kill -9 at random moments under load: afterwards the store holds every line exactly once."""
import random
import time

from load import Pushers, RotatingWriter, differences
from programs import LONG, wait_for

KILLS = 100 if LONG else 3
SMALL_STORE = "head: {flush_bytes: 1MiB}\nwal: {segment_bytes: 1MiB}\n"     # so that flushes and merges run all the time


def test_acknowledged_pushes_survive_kills_of_the_ingester(make_ingester):
    server = make_ingester(config=SMALL_STORE).start()
    load = Pushers(server).start()
    rng = random.Random(1)
    try:
        for _ in range(KILLS):
            time.sleep(rng.uniform(0.05, 1.5))
            server.kill()
            server.start()
            assert int(server.metrics()["cordwood_wal_missing_frames_total"]) == 0
    finally:
        load.stop()
    acked = [line for _, lines in load.acked for line in lines]
    have = [line.decode() for line in server.export_lines('{app="load"}')]
    assert len(acked) > 1000, load.statuses
    assert set(acked) <= set(have), differences(acked, have)
    assert len(have) == len(set(have)), differences(set(have), have)    # a push whose answer was lost may be there, but once
    assert set(have) <= set(load.sent)


def test_every_line_once_over_kills_of_both_programs_and_rotation(make_ingester, make_shipper, tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()
    server = make_ingester(config=SMALL_STORE).start()
    shipper = make_shipper(arguments=["--push", server.url, "--label", "job=crash", str(logs / "*.log")]).start()
    writers = [RotatingWriter(logs, name).start() for name in ("one", "two")]
    rng = random.Random(2)
    try:
        for i in range(2 * KILLS):
            time.sleep(rng.uniform(0.05, 1.5))
            victim = (server, shipper)[i % 2]
            victim.kill()
            time.sleep(rng.choice((0, 0, 0.3)))
            victim.start()
    finally:
        for writer in writers:
            writer.stop()
    want = [line for writer in writers for line in writer.lines]
    wait_for("stored lines", lambda: server.count('{job="crash"}') >= len(want), 120, 0.5)
    time.sleep(1.5)                                                     # what would come twice, comes now
    have = server.export_lines('{job="crash"}')
    assert differences(want, have) is None
    assert shipper.stop() == 0
    assert server.stop() == 0
