"""A full disk: pushes are refused with a clear 5xx, nothing acknowledged is lost, work goes on when space is back."""
import json
import os
import time

from full_disk import fill
from load import Pushers, differences
from programs import NS, wait_for

DAY = 24 * 3600 * NS
CONFIG = "head: {flush_bytes: 1MiB}\nwal: {segment_bytes: 1MiB}\nstorage: {min_free: 0}\n"


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


def test_refused_pushes_cost_no_segment_and_are_told_in_one_line(small_disk, make_ingester):
    server = make_ingester(config="storage: {min_free: 0}\n", data=small_disk / "data").start()
    server.push([({"app": "kept"}, [("1", "acknowledged")])])
    fill(small_disk / "ballast")
    before, nrefused = {path.name for path in (small_disk / "data" / "wal").iterdir()}, 50
    for i in range(nrefused):
        status, _ = server.push([({"app": "full"}, [(str(i), os.urandom(20000).hex())])], check=False)
        assert status == 503
    assert {path.name for path in (small_disk / "data" / "wal").iterdir()} == before
    os.unlink(small_disk / "ballast")
    server.push([({"app": "kept"}, [("2", "goes on at once")])])
    told = [line for line in server.log().splitlines() if "pushes" in line]
    assert len(told) == 2 and "cannot be written" in told[0] and "; %d pushes were refused in" % nrefused in told[1], told
    server.kill()
    server.start()
    assert [line for line in server.export_lines('{app=~"kept|full"}')] == [b"acknowledged", b"goes on at once"]
    assert {path.name for path in (small_disk / "data" / "wal").iterdir()} >= before


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
    dropped = {name: int(value) for name, value in server.metrics().items() if name.startswith("cordwood_retention_dropped_parts_total")}
    assert dropped.pop('cordwood_retention_dropped_parts_total{reason="free_space"}') >= 13 - len(kept) and not any(dropped.values()), dropped
    report = json.loads(server.ask("GET", "/cordwood/v1/retention")[1])
    rule, = report["store"]["rules"]                                     # no other is set
    assert rule["rule"] == "storage.min_free" and rule["free_bytes"] >= rule["min_free_bytes"] and report["tenants"][0]["rules"] == []
    assert rule["next"]["due"] is False and rule["next"]["to"].startswith(time.strftime("%Y-%m-%d", time.gmtime((now - kept[-1] * day) / NS)))
    server.kill()
    server.start()
    assert days() == kept


def small_lines(now, n, width):
    return [(now + i, "line %d %s" % (i, os.urandom(width // 2).hex())) for i in range(n)]


def test_a_log_larger_than_memory_is_replayed_on_a_full_disk_and_goes_on_when_there_is_room(small_disk, make_ingester):
    """The head cannot be flushed, and the log does not fit into memory: reads are served meanwhile, and no restart is needed."""
    server = make_ingester(config="head: {flush_bytes: 64MiB}\nwal: {segment_bytes: 1MiB}\nstorage: {min_free: 0}\n", data=small_disk / "data").start()
    now, acked = time.time_ns(), 0
    for k in range(34):                                                 # some 5 MiB of text, all of it in the log
        acked += 200 * (server.push([({"app": "full", "k": str(k)}, small_lines(now + k * 1000, 200, 800))])[0] == 204)
    server.kill()
    fill(small_disk / "ballast")
    little = make_ingester("little", config="memory: {limit: 8MiB}\nstorage: {min_free: 0}\n", data=small_disk / "data").start(ready=False)
    status, text = wait_for("flush that fails", lambda: (lambda a: a if b"space" in a[1] else None)(little.ask("GET", "/ready")), 30)
    assert status == 503, (status, text)
    status, text = little.push([({"app": "full"}, [(now, "early")])], check=False)
    assert status == 503 and b"space" in text and little.answer_headers["Retry-After"].isdigit(), (status, text)
    status, text = little.ask("GET", "/loki/api/v1/query_range", {"query": '{app="full"}', "start": now - NS, "end": now + 3600 * NS, "limit": 10})
    answer = json.loads(text)
    assert status == 200 and len(answer["data"]["result"]) > 0 and "replayed" in answer["warnings"][0], answer
    os.unlink(small_disk / "ballast")
    wait_for("ready ingester", lambda: little.ask("GET", "/ready")[0] == 200, 60)
    wait_for("room", lambda: little.push([({"app": "full", "k": "last"}, [(now, "later")])], check=False)[0] == 204)
    assert little.count('{app="full"}') == acked + 1
    assert little.stop() == 0


def test_retention_makes_room_on_a_disk_that_is_full_to_the_last_byte(small_disk, make_ingester):
    """Dropping a part needs a new catalog, for which there is no room: the reserve is."""
    config = "wal: {segment_bytes: 1MiB}\nstorage: {min_free: %s}\n"
    server = make_ingester(config=config % 0, data=small_disk / "data").start()
    now = time.time_ns()
    for back in (3, 2, 1):
        server.push([({"app": "old", "back": str(back)}, small_lines(now - back * 24 * 3600 * NS, 1500, 800))])
        assert server.ask("POST", "/flush")[0] == 204
    acked = 0
    for k in range(20):
        acked += 100 * (server.push([({"app": "new", "k": str(k)}, small_lines(now + k * 1000, 100, 200))])[0] == 204)
    reserve = small_disk / "data" / "catalog.reserve"
    assert reserve.stat().st_size == 1 << 20
    server.kill()
    fill(small_disk / "ballast")
    catalog = (small_disk / "data" / "catalog").read_bytes()
    keeping = make_ingester("keeping", config=config % 0, data=small_disk / "data").start()      # starts, and answers
    assert keeping.count('{app="new"}') == acked and keeping.count('{app="old"}') == 4500
    assert keeping.push([({"app": "new"}, [(now, "refused")])], check=False)[0] == 503
    keeping.kill()
    assert (small_disk / "data" / "catalog").read_bytes() == catalog
    dropping = make_ingester("dropping", config=config % 0.1, data=small_disk / "data").start()
    wait_for("room", lambda: dropping.push([({"app": "new", "k": "last"}, [(now, "x")])], check=False)[0] == 204, 60, 0.1)
    assert "the reserve is used" in dropping.log()
    assert dropping.count('{app="new"}') == acked + 1 and dropping.count('{app="old"}') < 4500
    assert dropping.ask("POST", "/flush")[0] == 204
    assert reserve.stat().st_size == 1 << 20                            # made again
    dropping.kill()
    dropping.start()
    assert dropping.count('{app="new"}') == acked + 1


def test_a_delete_makes_room_on_a_disk_that_is_full_to_the_last_byte(small_disk, make_ingester):
    """Days that go whole are dropped, and what the disk had no room to write anew goes on then; entries of today wait in the head."""
    server = make_ingester(config="wal: {segment_bytes: 1MiB}\nstorage: {min_free: 0}\n", data=small_disk / "data").start()
    now = time.time_ns()
    for back in (3, 2):
        server.push([({"app": "old", "back": str(back)}, small_lines(now - back * DAY, 1500, 800))])
        assert server.ask("POST", "/flush")[0] == 204
    server.push([({"app": "mixed", "k": str(k)}, small_lines(now - 4 * DAY, 1000, 800)) for k in range(2)])
    assert server.ask("POST", "/flush")[0] == 204
    acked = 0
    for k in range(5):
        acked += 100 * (server.push([({"app": "new", "k": str(k)}, small_lines(now + k * 1000, 100, 200))])[0] == 204)
    fill(small_disk / "ballast")
    assert server.push([({"app": "new"}, [(now, "refused " + "x" * 5000)])], check=False)[0] == 503

    def delete(query, first_ns, last_ns):
        status, text = server.ask("POST", "/loki/api/v1/delete", {"query": query, "start": first_ns // NS, "end": last_ns // NS, "force": "true"})
        assert status == 204, text

    def listed():
        return json.loads(server.ask("GET", "/loki/api/v1/delete")[1])

    def waits():
        return {d["query"]: d.get("parts_without_room", 0) for d in listed()}
    parts = lambda: int(server.metrics()["cordwood_parts"])
    assert parts() == 3
    delete('{k="0"}', now - 5 * DAY, now - 3 * DAY - DAY // 2)
    assert server.count('{app="mixed"}') == 1000                          # hidden at once
    wait_for("want of room", lambda: waits()['{k="0"}'] == 1, 60, 0.1)
    report = json.loads(server.ask("GET", "/cordwood/v1/retention")[1])
    assert [rule["parts_without_room"] for rule in report["tenants"][0]["rules"]] == [1]
    assert parts() == 3 and "wait for room" in server.log()
    delete('{app="old"}', now - 4 * DAY, now - DAY)                       # of the mixed day too, in which there are none
    wait_for("both deletes", lambda: [d["status"] for d in listed()] == ["processed"] * 2, 60, 0.1)
    assert "the reserve is used" in server.log() and not any(waits().values())
    assert server.push([({"app": "new", "k": "last"}, [(now, "x")])], check=False)[0] == 204
    os.unlink(small_disk / "ballast")
    server.kill()
    server.start()
    assert server.count('{app="new"}') == acked + 1 and server.count('{app="old"}') == 0 and server.count('{app="mixed"}') == 1000
    assert (small_disk / "data" / "deletes.reserve").stat().st_size == 256 << 10
