"""Damaged files (design: corruption is contained): what is bad is set aside, counted and named; the rest is served."""
import glob
import http.client
import json
import os
import random
import shutil
import subprocess
import time

import pytest

from load import differences
from programs import INGESTER, LONG, NS, cli
from store_files import Part, flip, frames, parts, quarantined, segments

LABELS = {"app": "damage"}
SELECTOR = '{app="damage"}'


def lines_of(server):
    return [line.decode() for line in server.export_lines(SELECTOR, damaged="skip")]


def fill(server, pushes, first=0, per_push=5):
    """One push after the other; the lines of each."""
    groups = []
    for n in range(first, first + pushes):
        now = time.time_ns()
        lines = ["push %d line %d %s" % (n, i, "y" * (n * 37 % 400)) for i in range(per_push)]
        server.push([(LABELS, [(now + i, line) for i, line in enumerate(lines)])])
        groups.append(lines)
    return groups


def flat(groups):
    return [line for group in groups for line in group]


@pytest.fixture
def with_wal(make_ingester, tmp_path):
    """(start on a copy with some damage, the pushed groups): the entries are in the log alone."""
    first = make_ingester("first").start()
    groups = fill(first, 30)
    first.kill()
    count = iter(range(1000))

    def start(damage):
        name = "copy%d" % next(count)
        server = make_ingester(name, data=tmp_path / name / "data")
        shutil.copytree(first.data, server.data)
        damage(segments(server.data))
        return server.start()
    return start, groups


# ---- the end of the log ----

def test_a_torn_end_costs_only_what_was_never_whole(with_wal):
    start, groups = with_wal
    seen = []
    server = start(lambda paths: seen.append((frames(paths[-1]), os.path.getsize(paths[-1]))))
    assert differences(flat(groups), lines_of(server)) is None
    server.kill()
    layout, size = seen[0]
    data = [f for f in layout if f.kind == 1]
    assert len(data) == len(groups)
    rng = random.Random(3)
    cuts = {64, layout[0].end, size - 1, data[-1].start, data[-1].start + 8, data[-1].body, data[7].end, data[7].end - 1}
    cuts |= {rng.randrange(64, size) for _ in range(60 if LONG else 6)}
    for cut in sorted(cuts):
        server = start(lambda paths: os.truncate(paths[-1], cut))
        whole = [group for f, group in zip(data, groups) if f.end <= cut]
        assert differences(flat(whole), lines_of(server)) is None, cut
        torn = not any(f.end <= cut <= (f.end + 7) // 8 * 8 for f in layout) and cut != 64
        assert int(server.metrics()["cordwood_wal_bad_total"]) == torn, cut
        assert ("torn end" in server.log()) == torn
        whole += fill(server, 3, first=1000)                # and it goes on
        server.kill()
        server.start()
        assert differences(flat(whole), lines_of(server)) is None, cut
        server.kill()


@pytest.mark.parametrize("tail,bad", [(b"\0" * 4096, 0), (b"\xff" * 999, 1), (b"CWFr" * 500, 1), (os.urandom(5000), 1)],
                         ids=["zeros", "ones", "magics", "noise"])
def test_garbage_behind_the_end_costs_nothing(with_wal, tail, bad):
    start, groups = with_wal

    def append(paths):
        with open(paths[-1], "ab") as f:
            f.write(tail)
    server = start(append)
    assert differences(flat(groups), lines_of(server)) is None
    assert int(server.metrics()["cordwood_wal_bad_total"]) == bad
    assert len(quarantined(server.data)) == bad
    assert server.stop() == 0
    server.start()
    assert differences(flat(groups), lines_of(server)) is None
    assert int(server.metrics()["cordwood_wal_bad_total"]) == 0     # it was cut off


# ---- the middle of the log ----

@pytest.mark.parametrize("place", ["magic", "checksum", "sequence", "body length", "meta length", "meta", "body", "last byte"])
def test_a_flipped_byte_in_a_frame_costs_that_frame(with_wal, place):
    start, groups = with_wal
    where = {}

    def damage(paths):
        frame = [f for f in frames(paths[-1]) if f.kind == 1][11]
        at = {"magic": frame.start, "checksum": frame.start + 9, "sequence": frame.start + 16, "body length": frame.start + 53,
              "meta length": frame.start + 56, "meta": frame.meta + 3, "body": frame.body + 20, "last byte": frame.end - 1}[place]
        with open(paths[-1], "rb") as f:
            f.seek(frame.start)
            where["lost"] = f.read(frame.end - frame.start)
        where["offset"] = frame.start
        flip(paths[-1], at)
    server = start(damage)
    assert differences(flat(groups[:11] + groups[12:]), lines_of(server)) is None
    assert int(server.metrics()["cordwood_wal_bad_total"]) == 1
    names = quarantined(server.data)
    assert len(names) == 1 and names[0] in server.log() and "offset %d" % where["offset"] in server.log()
    with open(os.path.join(server.data, "quarantine", names[0]), "rb") as f:
        copy = f.read()
    assert sum(a != b for a, b in zip(copy, where["lost"])) == 1    # what can be saved by hand is there
    # Nothing of it comes back, and nothing is lost later.
    assert server.stop() == 0
    server.start()
    assert differences(flat(groups[:11] + groups[12:]), lines_of(server)) is None


def test_a_damaged_checkpoint_or_segment_header_costs_no_entry(with_wal):
    start, groups = with_wal
    for at in (64 + 20, 64 + 66, 8, 20, 30, 60):
        server = start(lambda paths: flip(paths[-1], at))
        assert differences(flat(groups), lines_of(server)) is None, at
        assert int(server.metrics()["cordwood_wal_bad_total"]) == 1
        assert "segment 1" in server.log() and len(quarantined(server.data)) == 1
        more = fill(server, 2, first=1000)
        server.kill()
        server.start()
        assert differences(flat(groups + more), lines_of(server)) is None, at
        server.kill()


def test_damage_in_an_older_segment(make_ingester):
    server = make_ingester(config="wal: {segment_bytes: 1MiB}\n").start()
    groups = fill(server, 60, per_push=200)
    assert len(segments(server.data)) >= 3
    server.kill()
    old = segments(server.data)[1]
    data = [f for f in frames(old) if f.kind == 1]
    before = sum(sum(f.kind == 1 for f in frames(p)) for p in segments(server.data)[:1])
    flip(old, data[2].body + 5)
    os.truncate(old, data[-1].end - 1)                              # torn, though it is not the last
    server.start()
    lost = {before + 2, before + len(data) - 1}
    assert differences(flat(g for i, g in enumerate(groups) if i not in lost), lines_of(server)) is None
    assert int(server.metrics()["cordwood_wal_bad_total"]) == 2 == len(quarantined(server.data))


def test_a_log_that_may_not_be_read_ends_the_start(with_wal, tmp_path):
    start, groups = with_wal
    server = start(lambda paths: None)
    assert server.stop() == 0
    shutil.rmtree(os.path.join(server.data, "wal"))
    with open(os.path.join(server.data, "wal"), "w"):
        pass
    done = subprocess.run(server.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 1 and os.path.join(server.data, "wal").encode() in done.stderr, done


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user, and only another user is refused anything")
@pytest.mark.parametrize("what", ["wal", "segment", "parts", "catalog", "."])
def test_what_another_user_may_not_read_is_left_alone_and_named(make_ingester, public_path, what):
    server = make_ingester(data=public_path / "data").start()
    groups = fill(server, 3)
    assert server.ask("POST", "/flush")[0] == 204
    groups += fill(server, 3, first=3)
    server.kill()
    for folder, names, files in os.walk(server.data):
        for name in names + files:
            os.chown(os.path.join(folder, name), 65534, 65534)
    os.chown(server.data, 65534, 65534)
    path = segments(server.data)[-1] if what == "segment" else os.path.join(server.data, what)
    mode = os.stat(path).st_mode
    os.chown(path, 0, 0)
    os.chmod(path, 0o700)
    before = sorted(p for p in glob.glob(server.data + "/**", recursive=True))
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", INGESTER, "--data-dir", server.data, "--listen", "127.0.0.1:0"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 1, done
    assert os.path.normpath(path).encode() in done.stderr and b"Permission denied" in done.stderr, done.stderr
    assert sorted(p for p in glob.glob(server.data + "/**", recursive=True)) == before     # nothing moved, nothing removed
    os.chmod(path, mode)
    server.start()
    assert differences(flat(groups), lines_of(server)) is None


# ---- parts ----

DAY = 24 * 3600 * NS
ROWS = 40000


@pytest.fixture
def with_parts(make_ingester, tmp_path):
    """(start on a damaged copy, lines by day): two parts of several blocks each."""
    first = make_ingester("first").start()
    today = time.time_ns() // DAY * DAY
    days = {}
    for back in (2, 1):
        days[back] = ["day %d row %d %s" % (back, i, "z" * (i % 90)) for i in range(ROWS)]
        for at in range(0, ROWS, 5000):
            first.push([({**LABELS, "day": str(back)}, [(today - back * DAY + i, days[back][i]) for i in range(at, at + 5000)])])
    assert first.ask("POST", "/flush")[0] == 204
    assert len(parts(first.data)) == 2
    assert differences(flat(days.values()), lines_of(first)) is None
    assert first.stop() == 0
    count = iter(range(1000))

    def start(damage=lambda data: None, **more):
        name = "copy%d" % next(count)
        server = make_ingester(name, data=tmp_path / name / "data", **more)
        shutil.copytree(first.data, server.data)
        damage(server.data)
        return server.start()
    return start, days


def test_a_part_that_is_cut_off_or_has_no_good_footer_is_set_aside(with_parts):
    start, days = with_parts
    damages = {
        "half": lambda path, part: os.truncate(path, part.size // 2),
        "one byte short": lambda path, part: os.truncate(path, part.size - 1),
        "empty": lambda path, part: os.truncate(path, 0),
        "footer": lambda path, part: flip(path, part.footer + 50),
        "end magic": lambda path, part: flip(path, part.size - 1),
        "header": lambda path, part: flip(path, 1),
        "blocks": lambda path, part: flip(path, part.regions["blocks"][0] + 50),
    }
    for name, damage in damages.items():
        victim = []

        def hurt(data):
            victim.append(parts(data)[0])
            damage(victim[0], Part(victim[0]))
        server = start(hurt)
        assert differences(days[1], lines_of(server)) is None, name
        assert int(server.metrics()["cordwood_bad_parts_total"]) == 1, name
        assert quarantined(server.data) == [os.path.basename(victim[0])]
        assert victim[0] in server.log()
        fill(server, 1)
        assert server.stop() == 0
        server.start()                                              # told once: it has left the catalog
        assert int(server.metrics()["cordwood_bad_parts_total"]) == 0, name
        assert server.count(SELECTOR) == ROWS + 5
        server.kill()


def test_a_flipped_byte_in_a_block_costs_that_block(with_parts):
    start, days = with_parts
    for place in ("header", "directory", "middle", "end"):
        lost = []

        def hurt(data):
            path = parts(data)[0]
            offset, length, rows = Part(path).blocks[0]
            assert len(Part(path).blocks) > 1
            flip(path, offset + {"header": 17, "directory": 70, "middle": length // 2, "end": length - 1}[place])
            lost.append((rows, path))
        server = start(hurt)
        rows, path = lost[0]
        for _ in range(2):
            have = lines_of(server)
            assert set(days[1]) <= set(have)
            assert len(have) == len(set(have)) and set(have) <= set(flat(days.values()))
            assert 2 * ROWS - rows <= len(have) < 2 * ROWS, place      # a section of the block may be whole
            assert int(server.metrics()["cordwood_bad_blocks_total"]) == 1, place
        assert len(quarantined(server.data)) == 1 and path in server.log()
        for path, params, damaged in (("query", {"query": "count_over_time(%s |= `row`[5d])" % SELECTOR}, True),
                                      ("query", {"query": "count_over_time(%s |= `row`[5d])" % SELECTOR.replace("}", ', day="1"}')}, False)):
            status, text = server.ask("GET", "/loki/api/v1/" + path, params)
            warnings = json.loads(text).get("warnings", [])
            assert status == 200 and [("damaged" in w) for w in warnings] == [True] * damaged, (place, text)
        with pytest.raises(http.client.IncompleteRead):                # an export that misses something does not look whole
            server.export(SELECTOR)
        done = cli("export", "--from", "0", SELECTOR, server=server)
        assert done.returncode == 3 and done.stderr and done.stdout.count(b"\n") == len(have), (done.returncode, done.stderr)
        assert server.ask("POST", "/flush")[0] == 204                  # merges leave it alone
        assert len(parts(server.data)) == 2
        assert server.stop() == 0


def test_a_flipped_byte_in_streams_or_postings_is_contained(with_parts):
    start, days = with_parts
    for region in ("streams", "postings", "origin"):
        def hurt(data):
            path = parts(data)[0]
            offset, length = Part(path).regions[region]
            flip(path, offset + length - 1)
        server = start(hurt)
        have = lines_of(server)
        assert differences(days[1], [line for line in have if line.startswith("day 1")]) is None, region
        assert set(have) <= set(flat(days.values())) and len(set(have)) == len(have)
        metrics = server.metrics()
        assert int(metrics["cordwood_bad_parts_total"]) + int(metrics["cordwood_bad_indexes_total"]) > 0 or len(have) == 2 * ROWS, region
        assert parts(server.data)[0] in server.log() or quarantined(server.data) or len(have) == 2 * ROWS, region
        status, text = server.ask("GET", "/loki/api/v1/label/day/values", {"start": time.time_ns() - 4 * DAY, "end": time.time_ns()})
        assert status == 200 and b'"1"' in text, region
        assert server.stop() == 0


def test_a_part_that_is_gone_is_told_and_the_rest_served(with_parts):
    start, days = with_parts
    gone = []

    def hurt(data):
        gone.append(parts(data)[1])
        os.rename(gone[0], gone[0] + ".kept")
    server = start(hurt)
    assert differences(days[2], lines_of(server)) is None
    assert int(server.metrics()["cordwood_bad_parts_total"]) == 1 and gone[0] in server.log()
    assert server.stop() == 0
    server.start()
    assert int(server.metrics()["cordwood_bad_parts_total"]) == 0 and server.count(SELECTOR) == ROWS
    assert int(server.metrics()["cordwood_parts_missing"]) == 1
    assert server.stop() == 0
    os.rename(gone[0] + ".kept", gone[0])                           # from a backup, or the disk is there again
    server.start()
    assert differences(flat(days.values()), lines_of(server)) is None
    assert int(server.metrics()["cordwood_parts_missing"]) == 0


# ---- the catalog ----

def test_a_lost_or_damaged_catalog_is_made_again_from_the_parts(with_parts):
    start, days = with_parts
    want = flat(days.values())

    def catalog(data):
        return os.path.join(data, "catalog")
    damages = {
        "deleted": lambda data: os.unlink(catalog(data)),
        "flipped": lambda data: flip(catalog(data), os.path.getsize(catalog(data)) // 2),
        "cut off": lambda data: os.truncate(catalog(data), os.path.getsize(catalog(data)) - 20),
        "empty": lambda data: os.truncate(catalog(data), 0),
    }
    for name, damage in damages.items():
        server = start(damage)
        assert differences(want, lines_of(server)) is None, name
        assert "made again: 2 parts" in server.log(), server.log()
        assert len(quarantined(server.data)) == (name != "deleted"), name
        more = flat(fill(server, 2))
        assert server.stop() == 0
        server.start()
        assert differences(want + more, lines_of(server)) is None, name
        assert "made again" not in server.log()[server.log().rindex("stopping on signal"):]
        server.kill()


def test_a_lost_catalog_beside_the_log_and_merged_parts_loses_and_doubles_nothing(make_ingester):
    server = make_ingester().start()
    groups = []
    for n in range(12):                                     # merges replace parts, and the last pushes are in the log alone
        groups += fill(server, 3, first=3 * n)
        if n < 11:
            assert server.ask("POST", "/flush")[0] == 204
    for _ in range(3):
        server.kill()
        os.unlink(os.path.join(server.data, "catalog"))
        server.start()
        assert differences(flat(groups), lines_of(server)) is None
        groups += fill(server, 2, first=100 * len(groups))
        assert server.ask("POST", "/flush")[0] == 204
    assert differences(flat(groups), lines_of(server)) is None


def test_files_that_the_catalog_does_not_name_are_removed(with_parts):
    start, days = with_parts
    strangers = []

    def add(data):
        path = parts(data)[0]
        strangers.append(os.path.join(os.path.dirname(path), "00000000000000ff.part"))
        strangers.append(path + ".tmp")
        shutil.copy(path, strangers[0])
        with open(strangers[1], "wb") as f:
            f.write(b"half a part")
    server = start(add)
    assert differences(flat(days.values()), lines_of(server)) is None
    assert not any(os.path.exists(p) for p in strangers)
    assert all(p in server.log() for p in strangers)
    assert len(parts(server.data)) == 2


def test_a_catalog_or_part_of_a_newer_version_is_not_touched(with_parts, tmp_path):
    start, days = with_parts
    server = start()
    assert server.stop() == 0
    path = os.path.join(server.data, "FORMAT")
    with open(path) as f:
        now = f.read()
    assert now.strip()
    with open(path, "w") as f:
        f.write(now.replace("1", "999"))
    done = subprocess.run(server.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 1 and b"999" in done.stderr and server.data.encode() in done.stderr, done
    assert len(parts(server.data)) == 2 and not quarantined(server.data)
    with open(path, "w") as f:
        f.write(now)
    server.start()
    assert differences(flat(days.values()), lines_of(server)) is None
