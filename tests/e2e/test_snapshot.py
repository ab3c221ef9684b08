"""Snapshots: every entry that was acknowledged before is in them, they are made in milliseconds, and a crash leaves none that is half."""
import collections
import json
import os
import shutil
import threading
import time

import pytest

import store_files
import wire
from programs import NS, cli

T = 1767571200 * NS                          # 2026-01-05T00:00:00Z
PATH = "/cordwood/v1/snapshot"
SHIPPER, SESSION, SOURCE = "0" * 31 + "1", "a" * 32, "0" * 31 + "2"
SMALL = "head:\n  flush_bytes: 1MiB\nwal:\n  segment_bytes: 1MiB\n"


def create(server):
    status, text = server.ask("POST", PATH)
    assert status == 200, (status, text)
    return json.loads(text)


def listed(server):
    status, text = server.ask("GET", PATH)
    assert status == 200, (status, text)
    return json.loads(text)["snapshots"]


def restored(snapshot, folder, make_ingester):
    """A server on a copy of it."""
    assert cli("fsck", snapshot["path"]).returncode == 0
    data = str(folder)
    shutil.copytree(snapshot["path"], data)
    return make_ingester(os.path.basename(data) + "-server", data=data).start()


def served(server, selector='{app=~".+"}'):
    return collections.Counter((int(e["ts"]), e["line"], e.get("metadata", {}).get("k")) for e in server.export(selector))


def push(server, worker, i, n=50):
    rows = [(T + i * NS + j, "worker %d push %d line %d %s" % (worker, i, j, "y" * (j * 3)), {"k": "%d" % j}) for j in range(n)]
    server.push([({"app": "w%d" % worker}, rows)])
    return collections.Counter((ns, line, metadata["k"]) for ns, line, metadata in rows)


def test_a_snapshot_has_what_was_acknowledged_and_nothing_of_later(ingester, make_ingester, tmp_path):
    before = sum((push(ingester, 0, i) for i in range(5)), collections.Counter())
    assert ingester.ask("POST", "/flush")[0] == 204
    before += sum((push(ingester, 1, i) for i in range(5)), collections.Counter())
    snapshot = create(ingester)
    after = sum((push(ingester, 2, i) for i in range(5)), collections.Counter())
    assert ingester.ask("POST", "/flush")[0] == 204
    assert set(snapshot) == {"name", "path", "made", "bytes", "wal_sequence"}
    assert os.path.dirname(snapshot["path"]) == os.path.realpath(os.path.join(ingester.data, "snapshots"))
    assert snapshot["bytes"] == sum(os.path.getsize(os.path.join(at, f)) for at, _, names in os.walk(snapshot["path"]) for f in names)
    copy = restored(snapshot, tmp_path / "copy", make_ingester)
    assert served(copy) == before
    assert copy.ask("POST", "/flush")[0] == 204
    push(copy, 3, 1)
    assert served(ingester) == before + after               # the two share nothing
    again = restored(snapshot, tmp_path / "again", make_ingester)
    assert served(again) == before


def did_io(server):
    """Bytes that the process read and wrote so far, by any system call."""
    with open("/proc/%d/io" % server.pid) as f:
        return {row.split(":")[0]: int(row.split()[1]) for row in f}


def test_it_copies_nothing_but_names(make_ingester):
    """Milliseconds whatever the store holds: each file is another name of the store's, and next to nothing is read or written."""
    server = make_ingester(config="wal: {segment_bytes: 1MiB}\n").start()
    noise = lambda i, rows: [(T + i * NS + j, os.urandom(500).hex()) for j in range(rows)]  # noqa: E731
    for i in range(4):
        server.push([({"app": "flushed"}, noise(i, 2000))])
        assert server.ask("POST", "/flush")[0] == 204
    for i in range(4, 6):
        server.push([({"app": "logged"}, noise(i, 2000))])
    before = did_io(server)
    snapshot = create(server)
    after = did_io(server)
    assert snapshot["bytes"] > 6 << 20
    copied = 0
    for at, _, names in os.walk(snapshot["path"]):
        for name in names:
            path = os.path.join(at, name)
            own = os.path.join(server.data, os.path.relpath(path, snapshot["path"]))
            if not os.path.exists(own) or not os.path.samefile(path, own):
                copied += os.path.getsize(path)
                assert not name.endswith(".part"), path
    assert copied < 32 << 10, "more than the catalog, and the segment that was just begun"
    done = {name: after[name] - before[name] for name in ("rchar", "wchar", "write_bytes")}
    assert max(done.values()) < 256 << 10, done
    assert server.stop() == 0


def test_an_empty_store_has_one_too(ingester, make_ingester, tmp_path):
    assert served(restored(create(ingester), tmp_path / "copy", make_ingester)) == {}


def test_marks_of_sources_are_those_of_its_entries(ingester, make_ingester, tmp_path):
    assert wire.ask_sources(ingester, SHIPPER, [SESSION])[0] == 200
    deliver = lambda server, a: wire.deliver(server, SHIPPER, SESSION, SOURCE, [(a, a + 10)], [('{app="s"}', [(T + a, "at %d" % a)])])[0]  # noqa: E731
    snapshots = []
    for i in range(6):
        assert deliver(ingester, 10 * i) == 204
        if i % 2:
            assert ingester.ask("POST", "/flush")[0] == 204
        snapshots.append((10 * i + 10, create(ingester)))
    for mark, snapshot in snapshots:
        copy = restored(snapshot, tmp_path / ("copy%d" % mark), make_ingester)
        assert wire.ask_sources(copy, SHIPPER, [SESSION])[1]["marks"] == [{"source": SOURCE, "generation": 0, "offset": mark}]
        assert served(copy) == {(T + a, "at %d" % a, None): 1 for a in range(0, mark, 10)}
        assert deliver(copy, mark - 10) == 204              # a repeat
        assert deliver(copy, mark) == 204
        assert sum(served(copy).values()) == mark // 10 + 1
        copy.kill()


def test_under_load_each_is_consistent(make_ingester, tmp_path):
    server = make_ingester(config=SMALL).start()
    acknowledged, begun, stop = {}, {}, threading.Event()

    def work(worker):
        i = 0
        while not stop.is_set():
            begun[worker] = i + 1
            push(server, worker, i)
            i += 1
            acknowledged[worker] = i
    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(3)]
    for thread in threads:
        thread.start()
    taken = []
    try:
        for k in range(6):
            time.sleep(0.4)
            before = dict(acknowledged)
            snapshot = create(server)
            taken.append((before, dict(begun), snapshot))
            if k == 2:
                assert server.ask("POST", "/flush")[0] == 204
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert sum(acknowledged.values()) > 50
    assert store_files.parts(server.data), "nothing was flushed meanwhile"
    for k, (before, begun_then, snapshot) in enumerate(taken):
        copy = restored(snapshot, tmp_path / ("copy%d" % k), make_ingester)
        for worker in range(3):
            pushes = collections.Counter(int(line.split()[3]) for _, line, _ in served(copy, '{app="w%d"}' % worker).elements())
            assert set(pushes.values()) <= {50}, "half a push, or one twice"
            assert sorted(pushes) == list(range(len(pushes)))
            assert before.get(worker, 0) <= len(pushes) <= begun_then[worker]
        copy.kill()


def test_list_and_delete(ingester):
    assert listed(ingester) == []
    push(ingester, 0, 0)
    made = [create(ingester) for _ in range(3)]
    assert listed(ingester) == made
    assert [s["wal_sequence"] for s in made] == sorted(s["wal_sequence"] for s in made)
    assert ingester.ask("DELETE", PATH + "/" + made[1]["name"])[0] == 204
    assert ingester.ask("DELETE", PATH + "/" + made[1]["name"])[0] == 404
    assert listed(ingester) == [made[0], made[2]]
    assert not os.path.exists(made[1]["path"])


@pytest.mark.parametrize("name", ["..%2Fwal", "..", ".%2e", "%2Fetc", "x", "20260105T000000Z-000000000001", "20260105T000000Z-000000000001.tmp"])
def test_no_other_name_is_touched(ingester, name):
    push(ingester, 0, 0)
    before = sorted(os.listdir(ingester.data))
    assert ingester.ask("DELETE", PATH + "/" + name)[0] == 404
    assert sorted(os.listdir(ingester.data)) == before


def test_the_command(ingester):
    assert json.loads(cli("snapshot", "list", server=ingester).stdout) == {"snapshots": []}
    done = cli("snapshot", "create", server=ingester)
    assert done.returncode == 0, done
    name = json.loads(done.stdout)["name"]
    assert [s["name"] for s in json.loads(cli("snapshot", "list", server=ingester).stdout)["snapshots"]] == [name]
    done = cli("snapshot", "delete", "", server=ingester)
    assert done.returncode == 2 and b"snapshot takes: create, list, or delete NAME" in done.stderr, done
    assert cli("snapshot", "delete", name, server=ingester).returncode == 0
    done = cli("snapshot", "delete", name, server=ingester)
    assert done.returncode == 3 and b"there is no snapshot" in done.stderr, done
    for words in ([], ["delete"], ["create", "x"], ["make"]):
        assert cli("snapshot", *words, server=ingester).returncode == 2, words


def test_what_a_crash_leaves_is_no_snapshot_and_goes_at_the_next_start(make_ingester):
    server = make_ingester(config=SMALL).start()
    answered, left = [], 0
    for turn in range(15):
        for i in range(4):
            push(server, turn, i)
        stop = threading.Event()

        def ask():
            try:
                while not stop.is_set():
                    answered.append(create(server)["name"])
            except (AssertionError, OSError, ValueError):
                pass                         # the server is gone
            except Exception as e:           # http.client's own
                assert "http" in type(e).__module__, e
        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        time.sleep(0.01 + 0.003 * turn)
        server.kill()
        stop.set()
        for thread in threads:
            thread.join()
        folder = os.path.join(server.data, "snapshots")
        left += sum(name.endswith(".tmp") for name in os.listdir(folder)) if os.path.isdir(folder) else 0
        server.start()
        names = [s["name"] for s in listed(server)]
        assert set(answered) <= set(names)
        assert names == sorted(os.listdir(folder)) if os.path.isdir(folder) else names == []
        for snapshot in listed(server)[-2:]:
            assert cli("fsck", snapshot["path"]).returncode == 0
    assert left > 0, "no crash came in the middle of one"
