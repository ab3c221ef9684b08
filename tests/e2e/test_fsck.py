"""`cordwood fsck`: it names every damage, repairs it at the price of what is damaged, and says what that was."""
import collections
import json
import os
import random
import re
import shutil
import subprocess
import time

import pytest

import store_files
from programs import BUILD, INGESTER, NS, cli

DATA = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data")
T = 1767571200 * NS                          # 2026-01-05T00:00:00Z
FLUSHED, LATER = 900, 90
SEED = int(os.environ.get("CW_SEED", "7"))


def row(app, i):
    return T + i * NS, "%s line %04d from 10.0.%d.%d %s" % (app, i, i % 3, i % 200, "x" * (i % 50)), {"trace": "t%d" % i}


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A directory with two parts of one tenant and what came after in the log, left by kill -9."""
    from programs import Ingester
    folder = tmp_path_factory.mktemp("fsck")
    server = Ingester(folder).start()
    try:
        for app in ("web", "db"):
            day = 0 if app == "web" else 86400
            for k in range(3):
                server.push([({"app": app, "host": "h%d" % k}, [row(app, i + day) for i in range(FLUSHED) if i % 3 == k])])
        assert server.ask("POST", "/flush")[0] == 204
        for i in range(LATER // 10):
            server.push([({"app": "later"}, [row("later", j) for j in range(10 * i, 10 * i + 10)])])
    finally:
        server.kill()
    assert len(store_files.parts(server.data)) == 2
    return server.data


@pytest.fixture
def data(original, tmp_path):
    copy = str(tmp_path / "data")
    shutil.copytree(original, copy)
    return copy


def everything():
    out = collections.Counter()
    for app, first, n in (("web", 0, FLUSHED), ("db", 86400, FLUSHED), ("later", 0, LATER)):
        out.update((app, ns, line) for ns, line, _ in (row(app, first + i) for i in range(n)))
    return out


def served(server):
    return collections.Counter((e["labels"]["app"], int(e["ts"]), e["line"]) for e in server.export('{app=~".+"}'))


def tree(folder):
    """{path: bytes} of all files."""
    out = {}
    for at, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(at, name)
            with open(path, "rb") as f:
                out[os.path.relpath(path, folder)] = f.read()
    return out


def fsck(data, *flags, status):
    done = cli("fsck", *flags, data)
    assert done.returncode == status, done
    assert b"Sanitizer" not in done.stderr and done.stderr == b"", done
    return done.stdout.decode()


def lost(text):
    return int(re.search(r"lost: (\d+) entr", text).group(1))


def repaired(data, make_ingester):
    """Repair; then it is clean, and a server serves what is left of it, nothing else, and nothing twice."""
    told = fsck(data, "--repair", status=1)
    assert "repaired" in told
    assert "clean" in fsck(data, status=0)
    server = make_ingester(data=data).start()
    left = served(server)
    assert not left - everything()
    server.stop()
    assert "clean" in fsck(data, status=0)
    return told, sum(everything().values()) - sum(left.values())


def test_a_whole_directory_is_clean_and_only_read(data):
    before = tree(data)
    text = fsck(data, status=0)
    assert "checked 2 parts, 2 blocks, %d entries" % (2 * FLUSHED) in text and "clean" in text
    assert tree(data) == before


def test_texts_speak_of_one_thing_as_of_one_and_of_what_is_set_aside(data):
    assert re.search(r"; [2-9] segments of the log, ", fsck(data, status=0)) or "; 1 segment of the log, " in fsck(data, status=0)
    part = store_files.parts(data)[0]
    os.truncate(part, os.path.getsize(part) // 2)            # in its block
    told = fsck(data, status=1)
    assert re.search(r"^parts/\S+: footer, bytes \d+ to \d+: no footer at the end", told, re.M), told
    assert "1 problem; lost: 0 entries in parts and those of 1 part that does not say how many, 0 pushes in the log" in told
    assert "set aside" not in told
    fsck(data, "--repair", status=1)
    again = fsck(data, status=0)
    assert "quarantine: 1 file: bytes that were found bad and set aside; nothing in them is served\n" in again and again.endswith("clean\n"), again
    assert "checked 1 part, 1 block, %d entries; " % FLUSHED in again


def test_what_is_no_data_directory_is_refused(tmp_path):
    for flags in ([], ["--repair"]):
        done = cli("fsck", *flags, str(tmp_path))
        assert done.returncode == 3 and b"no data directory" in done.stderr, done
    assert os.listdir(tmp_path) == []
    assert cli("fsck").returncode == 2


@pytest.mark.parametrize("text", [b"", b"cordwooe 1\n", bytes(11), bytes(range(256)) * 20])
def test_a_format_file_that_says_anything_else_is_written_anew(data, text, make_ingester):
    with open(os.path.join(data, "FORMAT"), "wb") as f:
        f.write(text)
    done = subprocess.run([INGESTER, "--data-dir", data, "--listen", "127.0.0.1:0"], capture_output=True, timeout=60)
    assert done.returncode == 1 and f"`cordwood fsck {data} --repair`".encode() in done.stderr, done
    assert "FORMAT: it does not say what it should" in fsck(data, status=1)
    assert repaired(data, make_ingester)[1] == 0


@pytest.mark.parametrize("region", store_files.REGIONS)
def test_each_region_of_a_part_is_named_and_costs_that_part(data, region, make_ingester):
    path = store_files.parts(data)[0]
    part = store_files.Part(path)
    off, length = part.regions[region]
    assert length > 0
    store_files.flip(path, off + length // 2)
    text = fsck(data, status=1)
    assert os.path.relpath(path, data) + ": " + region in text
    told, missing = repaired(data, make_ingester)
    assert lost(text) == lost(told) == missing
    assert missing == (part.rows if region == "streams" else 0)


@pytest.mark.parametrize("after_a_start", [False, True])
@pytest.mark.parametrize("place", ["header", "footer", "end", "blocks", "origin", "postings", "one byte short", "half of the footer", "appended"])
def test_a_part_that_does_not_open_loses_no_entry(data, place, after_a_start, make_ingester):
    path = store_files.parts(data)[0]
    part = store_files.Part(path)
    at = {"header": 1, "footer": part.footer + 50, "end": part.size - 1}
    if place in at or place in part.regions:
        store_files.flip(path, at[place] if place in at else part.regions[place][0] + 1)
    elif place == "appended":
        with open(path, "ab") as f:
            f.write(b"x")
    else:
        os.truncate(path, part.size - (1 if place == "one byte short" else 128))
    if after_a_start:
        server = make_ingester("before", data=data).start()
        assert sum(served(server).values()) == sum(everything().values()) - part.rows
        assert "cordwood fsck --repair" in server.log()
        server.stop()
    else:
        assert "--repair brings back %d of its %d entries" % (part.rows, part.rows) in fsck(data, status=1)
    told, missing = repaired(data, make_ingester)
    assert lost(told) == missing == 0 and "with all of its %d entries" % part.rows in told
    assert not [name for name in store_files.quarantined(data) if name.endswith(".part")]


def test_each_section_of_a_block_is_named_and_costs_that_block(data, make_ingester):
    path = store_files.parts(data)[1]
    part = store_files.Part(path)
    off, length, rows = part.blocks[0]
    for name, at, size in store_files.sections(path, off):
        store_files.flip(path, at + size // 2)
        text = fsck(data, status=1)
        assert "%s: block 0, %s, bytes %d to %d" % (os.path.relpath(path, data), name, at, at + size) in text, (name, text)
        assert 0 <= lost(text) <= rows
        store_files.flip(path, at + size // 2)
    store_files.flip(path, off + 20)
    assert "block 0, header" in fsck(data, status=1)
    told, missing = repaired(data, make_ingester)
    assert missing == lost(told) == rows
    assert any(name.endswith("-block-0.bin") for name in store_files.quarantined(data))


def test_a_part_cut_anywhere_is_told_and_costs_that_part(data, make_ingester):
    path = store_files.parts(data)[0]
    rows, size = store_files.Part(path).rows, os.path.getsize(path)
    with open(path, "rb") as f:
        whole = f.read()
    for cut in [0, 1, 16, 17, 255, 256, 272] + list(range(512, size, max(512, size // 12))) + [size - 1]:
        with open(path, "wb") as f:
            f.write(whole[:cut])
        text = fsck(data, status=1)
        assert os.path.relpath(path, data) + ": footer" in text, (cut, text)
    told, missing = repaired(data, make_ingester)
    assert missing == 0 and "with all of its %d entries" % rows in told           # one byte is missing now


def test_a_missing_part_is_told(data, make_ingester):
    path = store_files.parts(data)[0]
    rows = store_files.Part(path).rows
    os.unlink(path)
    text = fsck(data, status=1)
    assert os.path.relpath(path, data) + ": it is missing" in text and "2026-01-05T00:00:00Z to" in text
    assert repaired(data, make_ingester)[1] == rows


def test_a_part_that_is_put_back_is_told_and_taken_in_by_a_start(data, make_ingester):
    path = store_files.parts(data)[0]
    name = os.path.relpath(path, data)
    shutil.copy(path, path + ".copy")
    os.truncate(path, os.path.getsize(path) // 2)            # nothing can be saved of it
    fsck(data, "--repair", status=1)
    assert "catalog: 1 part is missing, and remembered" in fsck(data, status=0)
    assert "parts: 1, 1 more are missing" in cli("inspect", data).stdout.decode()
    shutil.copy(store_files.parts(data)[0], path)            # another part
    assert name + ": it is not the part that is missing here" in fsck(data, status=0)
    os.rename(path + ".copy", path)
    assert name + ": it was missing and is there again: a start takes it in" in fsck(data, status=0)
    server = make_ingester(data=data).start()
    assert served(server) == everything()
    assert server.metrics()["cordwood_parts_missing"] == "0"
    server.stop()
    assert "missing" not in fsck(data, status=0)


def test_a_part_that_no_catalog_remembers_is_told_as_the_only_copy_before_a_start_removes_it(data):
    path = store_files.parts(data)[0]
    os.rename(path, path + ".copy")
    os.unlink(os.path.join(data, "catalog"))
    for segment in store_files.segments(data):
        os.unlink(segment)
    fsck(data, "--repair", status=1)
    os.rename(path + ".copy", path)
    told = fsck(data, status=0)
    assert "%s: the catalog does not name it, and no part replaces it" % os.path.relpath(path, data) in told
    assert "a start removes it with its %d entries: move it away to keep them" % FLUSHED in told


@pytest.mark.parametrize("how", ["flipped", "cut", "gone"])
def test_a_lost_catalog_is_made_again_and_costs_nothing(data, how, make_ingester):
    path = os.path.join(data, "catalog")
    if how == "gone":
        os.unlink(path)
    elif how == "flipped":
        store_files.flip(path, 30)
    else:
        os.truncate(path, 40)
    assert "catalog: " in fsck(data, status=1)
    assert repaired(data, make_ingester)[1] == 0


def test_a_lost_catalog_beside_a_bad_part_keeps_it_and_takes_the_flush_from_the_log(data, make_ingester):
    path = store_files.parts(data)[0]
    store_files.flip(path, os.path.getsize(path) - 100)
    os.unlink(os.path.join(data, "catalog"))
    assert "footer" in fsck(data, status=1)
    assert repaired(data, make_ingester)[1] == 0             # one part of two: the flush does not count, and the log has it all
    assert os.path.basename(path) in store_files.quarantined(data)


def test_a_server_that_must_leave_a_bad_part_out_of_a_rebuilt_catalog_sets_it_aside(data, make_ingester):
    path = store_files.parts(data)[0]
    store_files.flip(path, os.path.getsize(path) - 100)
    os.unlink(os.path.join(data, "catalog"))
    server = make_ingester(data=data).start()
    server.stop()
    assert os.path.basename(path) in store_files.quarantined(data)


@pytest.mark.parametrize("where", ["header", "checkpoint", "meta", "body", "last"])
def test_bad_bytes_of_the_log_are_named_and_cost_their_push(data, where, make_ingester):
    path = store_files.segments(data)[-1]
    frames = store_files.frames(path)
    pushes = [f for f in frames if f.kind == 1]
    flushed = len(pushes) - LATER // 10
    victim = pushes[flushed + 3]
    at = {"header": 20, "checkpoint": frames[0].start + 20, "meta": victim.meta + 1, "body": victim.body + 1, "last": pushes[-1].start + 30}[where]
    store_files.flip(path, at)
    text = fsck(data, status=1)
    assert os.path.relpath(path, data) + ": bytes " in text
    told, missing = repaired(data, make_ingester)
    assert missing == {"header": 0, "checkpoint": 0}.get(where, 10), told
    assert [name for name in store_files.quarantined(data) if name.startswith("wal-")]


def test_the_log_cut_anywhere(data, make_ingester, original):
    path = store_files.segments(data)[-1]
    ends = {f.end for f in store_files.frames(path)}
    size = os.path.getsize(path)
    for cut in range(size - 1, 64, -max(7, size // 60)):
        os.truncate(path, cut)
        done = cli("fsck", data)
        assert done.returncode in (0, 1) and done.stderr == b"", done
        assert done.returncode == 1 or any(end <= cut <= (end + 7) // 8 * 8 for end in ends), (cut, done)
    os.truncate(path, 30)
    assert "nothing in it is whole" in fsck(data, status=1)
    assert repaired(data, make_ingester)[1] == LATER


NPUSHES, SMALL_SEGMENTS = 24, "wal: {segment_bytes: 1MiB}\nlimits_config: {discover_log_levels: false}\n"


@pytest.fixture(scope="module")
def long_log(tmp_path_factory):
    """A directory whose entries are all in the log, in several segments, left by kill -9."""
    from programs import Ingester
    server = Ingester(tmp_path_factory.mktemp("long"), config=SMALL_SEGMENTS).start()
    rng = random.Random(SEED)
    try:
        for i in range(NPUSHES):
            server.push([({"app": "web"}, [(T + i * NS + j, "%04d %s" % (i, rng.randbytes(3000).hex())) for j in range(30)])])
    finally:
        server.kill()
    assert len(store_files.segments(server.data)) >= 4
    return server.data


@pytest.fixture
def segments(long_log, tmp_path):
    shutil.copytree(long_log, tmp_path / "data")
    return store_files.segments(tmp_path / "data")


def pushes_of(path):
    return sum(f.kind == 1 for f in store_files.frames(path))


def pushes_served(server):
    return len({e["line"][:4] for e in server.export('{app="web"}')})


@pytest.mark.parametrize("nth", [0, 1, 2])
def test_a_segment_that_is_missing_is_told_by_all_and_once_repaired_no_more(segments, nth, make_ingester):
    data, n, frames = os.path.dirname(os.path.dirname(segments[0])), pushes_of(segments[nth]), store_files.frames(segments[nth])
    os.unlink(segments[nth])
    gap = "%d to %d" % (frames[0].seq, frames[-1].seq)
    told = fsck(data, status=1)
    assert "%s: frames %s, which come before it, are in no segment; it costs up to %d pushes\n" % (os.path.relpath(segments[nth + 1], data), gap, n) in told
    assert "1 problem; lost: 0 entries in parts, up to %d pushes in the log" % n in told
    done = cli("query", "-o", "raw", "--data-dir", data, '{app="web"}')
    assert done.returncode == 4 and "frames %s of the log are missing" % gap in done.stderr.decode() and len(done.stdout.splitlines()) == 30 * (NPUSHES - n)
    server = make_ingester("beside", data=shutil.copytree(data, data + "-beside"), config=SMALL_SEGMENTS).start()
    assert pushes_served(server) == NPUSHES - n
    assert int(server.metrics()["cordwood_wal_missing_frames_total"]) == len(frames)
    assert "frames %s of the log are missing" % gap in server.log()
    assert server.stop() == 0                     # what is left is in parts now: nothing of the log is needed
    assert "clean" in fsck(server.data, status=0)
    fsck(data, "--repair", status=1)
    assert "clean" in fsck(data, status=0)
    assert cli("query", "-o", "raw", "--data-dir", data, '{app="web"}').stderr == done.stderr.splitlines(True)[-1]
    server = make_ingester(data=data, config=SMALL_SEGMENTS).start()
    assert pushes_served(server) == NPUSHES - n and "are missing" not in server.log()


def test_a_log_that_is_missing_although_parts_came_from_it_is_told(data, make_ingester):
    shutil.rmtree(os.path.join(data, "wal"))
    assert "wal: the newest segments are missing: the log ends before frame 1, and frames up to " in fsck(data, status=1)
    assert b"the log lacks its newest segments" in cli("query", "--data-dir", data, '{app="web"}').stderr
    server = make_ingester("beside", data=shutil.copytree(data, data + "-beside")).start()
    assert "the log lacks its newest segments" in server.log()
    assert repaired(data, make_ingester)[1] == LATER


def test_swapped_segments_are_counted_once_and_a_cut_one_by_what_it_held(segments):
    data, n = os.path.dirname(os.path.dirname(segments[0])), [pushes_of(path) for path in segments]
    middle = store_files.frames(segments[1])[2]
    whole = os.path.getsize(segments[1])
    with open(segments[1], "rb") as f:
        bytes_of_it = f.read()
    os.truncate(segments[1], middle.start + 100)
    assert "1 problem; lost: 0 entries in parts, %d pushes in the log" % (n[1] - 1) in fsck(data, status=1)
    with open(segments[1], "wb") as f:
        f.write(bytes_of_it)
    last = store_files.frames(segments[-1])
    with open(segments[-1], "rb") as f:
        bytes_of_last = f.read()
    os.truncate(segments[-1], last[0].end + 16)
    assert "1 problem; lost: 0 entries in parts, at least 1 push in the log" in fsck(data, status=1)
    with open(segments[-1], "wb") as f:
        f.write(bytes_of_last)
    assert os.path.getsize(segments[1]) == whole and "clean" in fsck(data, status=0)
    os.rename(segments[0], segments[0] + ".away")
    os.rename(segments[1], segments[0])
    os.rename(segments[0] + ".away", segments[1])
    assert "2 problems; lost: 0 entries in parts, up to %d pushes in the log" % (n[0] + n[1]) in fsck(data, status=1)
    fsck(data, "--repair", status=1)
    assert "clean" in fsck(data, status=0)


def test_any_damage_is_told_and_repaired(original, tmp_path, make_ingester):
    """Random bytes of random files; whatever it is, the repaired directory is clean and serves a part of what was there."""
    rng = random.Random(SEED)
    for turn in range(int(os.environ.get("CW_FSCK_TURNS", "12"))):
        data = str(tmp_path / ("turn%d" % turn))
        shutil.copytree(original, data)
        for _ in range(rng.randint(1, 4)):
            path = rng.choice(store_files.parts(data) + store_files.segments(data) + [os.path.join(data, "catalog"), os.path.join(data, "FORMAT")])
            size = os.path.getsize(path)
            if rng.random() < 0.2 and "FORMAT" not in path:
                os.truncate(path, rng.randrange(size))
            elif size:
                for _ in range(rng.choice((1, 1, 20))):
                    store_files.flip(path, rng.randrange(size), rng.randrange(1, 256))
        done = cli("fsck", data)
        assert done.returncode in (0, 1), (SEED, turn, done)     # bytes that nobody reads: 0
        if done.returncode == 1:
            repaired(data, lambda data: make_ingester("turn%d-server" % turn, data=data))
        shutil.rmtree(data)


def test_repair_needs_the_lock_and_reading_does_not(ingester):
    ingester.push([({"app": "a"}, [(T, "x")])])
    done = cli("fsck", "--repair", ingester.data)
    assert done.returncode == 3 and ingester.address.encode() in done.stderr, done
    assert "clean" in fsck(ingester.data, status=0)


def test_reading_beside_a_server_at_work_finds_nothing(ingester):
    for i in range(15):
        ingester.push([({"app": "a%d" % (i % 3)}, [(T + i * 10**6 + j, "line %d %d" % (i, j)) for j in range(500)])])
        if i % 4 == 3:
            assert ingester.ask("POST", "/flush")[0] == 204
        assert "clean" in fsck(ingester.data, status=0)


def test_damaged_deletes_are_told_and_the_others_kept(data):
    from programs import Ingester
    server = Ingester(os.path.dirname(data), data=data).start()
    for line in ("line 0001", "line 0002"):
        status, text = server.ask("POST", "/loki/api/v1/delete", {"query": '{app="web"} |= "%s"' % line, "start": "2026-01-05T00:00:00Z"})
        assert status == 204, text
    assert server.stop() == 0
    path = os.path.join(data, "deletes")
    with open(path, "rb+") as f:
        text = f.read()
        at = text.index(b"line 0002")
        f.seek(at)
        f.write(b"l")
        f.seek(at + 1)
        f.write(b"!")
    assert "deletes: 1 lines are damaged or missing" in fsck(data, status=1)
    assert "deletes: repaired: written anew with the 1 that are whole" in fsck(data, "--repair", status=1)
    assert "clean" in fsck(data, status=0)
    server.start()
    try:
        (row,) = json.loads(server.ask("GET", "/loki/api/v1/delete")[1])
        assert "line 0001" in row["query"]
    finally:
        server.kill()


@pytest.mark.parametrize("repaired_by", ["start", "fsck"])
def test_a_list_of_deletes_that_was_removed_is_told(make_ingester, repaired_by):
    server = make_ingester().start()
    server.push([({"app": "web"}, [row("web", 1), row("web", 2)])])
    assert server.ask("POST", "/flush")[0] == 204
    assert server.ask("POST", "/loki/api/v1/delete", {"query": '{app="web"} |= "line 0001"', "start": "2026-01-05T00:00:00Z"})[0] == 204
    assert len(served(server)) == 1
    assert server.stop() == 0
    os.unlink(os.path.join(server.data, "deletes"))
    assert "deletes: it is missing: what deletes hid is seen again" in fsck(server.data, status=1)
    if repaired_by == "fsck":
        fsck(server.data, "--repair", status=1)
    told = "/deletes is missing: what deletes hid"
    for starts in (1, 2):
        server.start()
        assert server.stop() == 0
        assert server.log().count(told) == (repaired_by == "start")      # once, at the first of them
        assert "clean" in fsck(server.data, status=0)


def test_a_directory_that_never_had_a_list_of_deletes_misses_none(make_ingester, tmp_path):
    shutil.copytree(os.path.join(DATA, "data_v2"), tmp_path / "data")
    assert "clean" in fsck(str(tmp_path / "data"), status=0)
    server = make_ingester(data=str(tmp_path / "data")).start()
    assert server.stop() == 0
    assert "deletes is missing" not in server.log()
    assert os.path.exists(tmp_path / "data" / "deletes")


# ---- what is no file ----

def put_in_place(path, kind):
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        os.mkdir(path)
    else:
        os.symlink("/dev/zero", path)


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
@pytest.mark.parametrize("repaired_by", ["start", "fsck"])
def test_what_stands_in_the_place_of_a_segment_is_told_and_set_aside(data, make_ingester, kind, repaired_by):
    path = store_files.segments(data)[-1]
    name = os.path.relpath(path, data)
    os.unlink(path)
    put_in_place(path, kind)
    assert name + ": nothing in it is whole: it is no regular file" in fsck(data, status=1)
    if repaired_by == "fsck":
        fsck(data, "--repair", status=1)
    server = make_ingester(data=data).start()
    assert sum(served(server).values()) == 2 * FLUSHED
    if repaired_by == "start":
        assert "segment 1 of the log is unreadable: it is no regular file" in server.log()
        assert server.metrics()["cordwood_wal_bad_total"] == "1"
    assert [n for n in store_files.quarantined(data) if n.startswith("wal-")]
    server.push([({"app": "more"}, [row("more", 1)])])
    server.kill()
    server.start()
    assert sum(served(server).values()) == 2 * FLUSHED + 1


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
@pytest.mark.parametrize("name", ["FORMAT", "catalog", "deletes", "part"])
def test_what_stands_in_the_place_of_a_file_is_told_and_moved_aside(make_ingester, name, kind):
    server = make_ingester(config="limits_config: {discover_log_levels: false}\nstorage: {min_free: 0}\n").start()
    now = time.time_ns()
    for day in (0, 5):
        server.push([({"a": "b"}, [(now - day * 24 * 3600 * NS, "line of %d" % day)])])
        assert server.ask("POST", "/flush")[0] == 204
    assert server.stop() == 0
    path = sorted(store_files.parts(server.data))[0] if name == "part" else os.path.join(server.data, name)
    if os.path.exists(path):
        os.remove(path)
    put_in_place(path, kind)

    def fsck(*flags):
        return subprocess.run([os.path.join(BUILD, "querier", "cordwood"), "fsck", *flags, server.data], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)

    found = fsck()
    assert found.returncode == 1 and os.path.basename(path).encode() in found.stdout, found
    assert fsck("--repair").returncode == 1
    assert fsck().returncode == 0
    assert not os.path.lexists(path) or os.path.isfile(path)
    server.start()
    assert len(server.export('{a="b"}')) == (1 if name == "part" else 2)
