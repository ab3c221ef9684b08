"""tests/data/data_v*: data directories as earlier versions wrote them. Every later version must start on them and serve all of it."""
import collections
import json
import os
import shutil
import struct
import time

import pytest

import wire
from programs import NS, Ingester, cli, wait_for
from store_files import Part, flip, parts

DATA = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data")
# Which, and what its version found in lines by itself.
VERSIONS = {"data_v1": {}, "data_v2": {"detected_level": "unknown"}, "data_v3": {"detected_level": "unknown"}, "data_v4": {"detected_level": "unknown"},
            "data_v5": {"detected_level": "unknown"}}
# Those with deletes: one that is carried out, one that can be cancelled; and a merged part, compressed with zstd, with a block of mode J.
DELETES = {"data_v4": 1, "data_v5": 2}       # the version of the file
# As well: a delete that met a bad block; a part that is missing, which is kept beside the directory; values of metadata in blocks of their own.
MISSING = ("data_v5",)
T = 1767571200 * NS                          # 2026-01-05T00:00:00Z
TENANTS = ("one", "two")
CONFIG = "auth_enabled: true\n"
SHIPPER, SESSION, SOURCE = "0" * 31 + "1", "a" * 32, "0" * 31 + "2"


def entries(tenant, app, first, n):
    """(labels, [(ns, line, metadata)])"""
    return {"app": app, "env": "prod"}, [
        (T + i * NS * 60, "%s %s line %d: GET /item/%d 200 %s" % (tenant, app, i, i * 7, "naïve" if i % 9 == 0 else "ok"),
         {"trace_id": "%08x" % (i * 2654435761 % 2**32)} if i % 3 else {}) for i in range(first, first + n)]


def batches():
    """(tenant, streams) in the order in which they were pushed; the store was flushed behind the second and the fourth."""
    out = []
    for round_ in range(3):
        for tenant in TENANTS:
            out.append((tenant, [entries(tenant, app, round_ * 700, 60) for app in ("web", "db")]))
    return out


def word(i, n):
    """One of n words of letters."""
    return "".join(chr(97 + (i * 2654435761 % n * 7919 + k * 104729) % 26) for k in range(4 + i % n % 5))


def json_lines(flush):
    """Of one of eight flushes: what mode J is better for than the others, many words without a digit."""
    return [(T + i * NS, json.dumps({"ts": "2026-01-05T%02d:%02d:%02dZ" % (i // 3600, i // 60 % 60, i % 60), "level": ("info", "warn")[i % 2], "event": "order_" + word(i, 5),
                                     "user": word(i // 3, 90), "city": word(i // 7, 60), "order": i * 7919, "note": ("secret", "hidden", "plain")[i % 9 % 3]}))
            for i in range(flush * 400, flush * 400 + 400)]


def deleted(line):
    return '"secret"' in line or '"hidden"' in line


def delivered(i):
    return T + i * NS, "delivered line %d" % i


def want(version):
    out, found = collections.defaultdict(list), VERSIONS[version]
    for tenant, streams in batches():
        for labels, values in streams:
            out[tenant] += [(labels["app"], ns, line, tuple(sorted({**metadata, **found}.items()))) for ns, line, metadata in values]
    out["one"] += [("shipped", *delivered(i), tuple(found.items())) for i in range(2)]
    if version in MISSING:
        out["rich"] += [("rich", ns, line, tuple(sorted({**metadata, **found}.items()))) for ns, line, metadata in rich("rich")]
    return {tenant: sorted(rows) for tenant, rows in out.items()}


def served(server, tenant):
    return sorted((e["labels"]["app"], int(e["ts"]), e["line"], tuple(sorted(e.get("metadata", {}).items())))
                  for e in server.export('{env="prod"}', headers={"X-Scope-OrgID": tenant}))


def rich(app):
    """Entries with so many values of metadata, of several kinds, that these are a block of templates of their own."""
    return [(T + i * NS, "%s %d" % (app, i), {"trace_id": "%032x" % (i * 2654435761 % 2**61 * 7919), "user": "user-%d" % (i * 7 % 300), "zone": "z%d" % (i % 3),
                                              **({"pod": "web-%d-%s" % (i % 70, word(i, 97))} if i % 4 else {})}) for i in range(400)]


def mark(server):
    return wire.ask_sources(server, SHIPPER, [SESSION], headers={"X-Scope-OrgID": "one"})[1]["marks"]


def make_deletes(server, headers):
    """Of what is flushed, and in one part."""
    for flush in range(8):
        server.push([({"app": "orders", "env": "json"}, json_lines(flush))], headers=headers)
        assert server.ask("POST", "/flush")[0] == 204
    wait_for("the merge", lambda: len(parts(server.data)) == 1, 60, 0.1)
    for word, force in (("secret", "true"), ("hidden", "false")):
        query = {"query": '{env="json"} |= "\\"%s\\""' % word, "start": str(T // NS - 3600), "end": str(T // NS + 86400), "force": force}
        assert server.ask("POST", "/loki/api/v1/delete", query, headers=headers)[0] == 204
    assert server.ask("POST", "/flush")[0] == 204
    wait_for("the delete", lambda: listed(server, headers)[0]["status"] == "processed", 60, 0.1)


def make_unread(server):
    """A delete in a part one of whose blocks is damaged: its entries leave for quarantine/, and the delete counts them."""
    headers = {"X-Scope-OrgID": "unread"}
    for at in range(0, 2500, 500):
        server.push([({"app": "large", "env": "unread"}, [(T + i * NS, "line %d of %s" % (i, "x" * 2000)) for i in range(at, at + 500)])], headers=headers)
    assert server.ask("POST", "/flush")[0] == 204
    assert server.stop() == 0
    path, = [p for p in parts(server.data) if "/unread/" in p]
    assert len(Part(path).blocks) > 1
    flip(path, Part(path).blocks[0][0] + 20)
    server.start()
    query = {"query": '{app="large"} |= "line 2499 of"', "start": str(T // NS - 3600), "end": str(T // NS + 86400), "force": "true"}
    assert server.ask("POST", "/loki/api/v1/delete", query, headers=headers)[0] == 204
    wait_for("the delete", lambda: listed(server, headers)[0]["status"] == "processed", 60, 0.1)


def make_missing(server, kept):
    """A start does not find a part, and remembers it."""
    server.push([({"app": "away", "env": "prod"}, rich("away"))], headers={"X-Scope-OrgID": "away"})
    assert server.ask("POST", "/flush")[0] == 204
    assert server.stop() == 0
    path, = [p for p in parts(server.data) if "/away/" in p]
    shutil.move(path, kept)
    server.start()
    server.push([({"app": "rich", "env": "prod"}, rich("rich"))], headers={"X-Scope-OrgID": "rich"})
    assert server.ask("POST", "/flush")[0] == 204


def listed(server, headers):
    return json.loads(server.ask("GET", "/loki/api/v1/delete", headers=headers)[1])


def make(folder, version):
    """How it was made: CW_MAKE_EXAMPLE=<its name>, with the programs of that version."""
    server = Ingester(folder, config=CONFIG + ("storage: {merge_codec: zstd}\nwal: {segment_bytes: 1MiB}\n" if version in DELETES else "")).start()
    one = {"X-Scope-OrgID": "one"}
    try:
        if version in DELETES:
            make_deletes(server, one)
        if version in MISSING:
            make_unread(server)
            make_missing(server, os.path.join(DATA, version + ".missing.part"))
        assert wire.ask_sources(server, SHIPPER, [SESSION], headers=one)[0] == 200
        for i, (tenant, streams) in enumerate(batches()):
            server.push(streams, headers={"X-Scope-OrgID": tenant})
            if i in (1, 3):
                assert wire.deliver(server, SHIPPER, SESSION, SOURCE, [(i // 2 * 10, i // 2 * 10 + 10)],
                                    [('{app="shipped", env="prod"}', [delivered(i // 2)])], headers=one)[0] == 204
                assert server.ask("POST", "/flush")[0] == 204
    finally:
        server.kill()                        # the last two pushes are in the log alone
    shutil.rmtree(os.path.join(DATA, version), ignore_errors=True)
    shutil.copytree(server.data, os.path.join(DATA, version), ignore=shutil.ignore_patterns("LOCK", "quarantine", "*.reserve"))


@pytest.fixture(params=VERSIONS)
def version(request):
    return request.param


@pytest.fixture
def data(tmp_path, version):
    if os.environ.get("CW_MAKE_EXAMPLE") == version:
        make(tmp_path / "make", version)
    copy = tmp_path / version
    shutil.copytree(os.path.join(DATA, version), copy)
    return str(copy)


def test_a_directory_of_an_old_version_is_clean_and_inspected(data):
    done = cli("fsck", data)
    assert done.returncode == 0 and b"clean" in done.stdout, done
    done = cli("inspect", data)
    assert done.returncode == 0, done
    text = done.stdout.decode()
    for word in ("240 entries are not in parts yet", '{app="web", env="prod"', "metadata", "postings"):
        assert word in text, (word, text)


def test_a_server_starts_on_it_and_serves_every_entry_and_mark(data, version, make_ingester):
    server = make_ingester(config=CONFIG, data=data).start()
    for rounds in range(2):                  # as it was, and what this version makes of it
        for tenant, rows in want(version).items():
            assert served(server, tenant) == rows
        assert mark(server) == [{"source": SOURCE, "generation": 0, "offset": 20}]
        assert server.ask("POST", "/flush")[0] == 204
    server.stop()
    assert cli("fsck", data).returncode == 0
    assert not os.listdir(os.path.join(data, "quarantine"))


def test_the_command_line_reads_it_as_it_is(data, version):
    for tenant, rows in want(version).items():
        done = cli("query", "-o", "jsonl", "-z", "UTC", "--data-dir", data, "--org-id", tenant, '{env="prod"}')
        assert done.returncode == 0, done
        read = [json.loads(row) for row in done.stdout.splitlines()]
        assert sorted((e["labels"]["app"], e["line"]) for e in read) == sorted((app, line) for app, _, line, _ in rows)


@pytest.mark.parametrize("version", DELETES)
def test_its_deletes_hide_and_are_carried_out(make_ingester, version, data):
    with open(os.path.join(data, "deletes"), "rb") as f:
        assert f.read().startswith(b"cordwood deletes %d\n" % DELETES[version])
    want = sorted(line for flush in range(8) for _, line in json_lines(flush) if not deleted(line))
    one = {"X-Scope-OrgID": "one"}
    found = set()
    for path in parts(data):
        with open(path, "rb") as f:
            raw = f.read()
        for at, _, _ in Part(path).blocks:
            codecs = raw[at + 65:at + 64 + struct.unpack_from("<I", raw, at + 48)[0]:16]
            found.add((raw[at + 7], 2 in codecs))
    assert (1, True) in found, "no block of mode J with sections of zstd"
    done = cli("query", "-o", "raw", "--limit", "0", "--data-dir", data, "--org-id", "one", "--from", "2026-01-04T00:00:00Z", '{env="json"}')
    assert sorted(done.stdout.decode().splitlines()) == want
    server = make_ingester(config=CONFIG, data=data).start()
    exported = lambda: sorted(e["line"] for e in server.export('{env="json"}', headers=one))     # noqa: E731
    assert exported() == want
    # The one that hides is due a day after it was made; receipts are kept for a month.
    last = listed(server, one)[-1]
    assert "hidden" in last["query"] and server.ask("POST", "/flush")[0] == 204
    if last["removal_at"] < time.time():
        wait_for("the other delete", lambda: listed(server, one)[-1]["status"] == "processed", 60, 0.1)
    else:
        assert last["status"] == "received"
    assert exported() == want


@pytest.mark.parametrize("version", MISSING)
def test_its_missing_part_is_remembered_and_taken_in_when_it_is_back(make_ingester, version, data):
    with open(os.path.join(data, "catalog")) as f:
        catalog = f.read().splitlines()
    assert catalog[0] == "cordwood catalog 2"
    missing, = [row.split() for row in catalog if row.startswith("missing ")]
    text = cli("fsck", data).stdout.decode()
    assert "1 part is missing, and remembered" in text, text
    server = make_ingester(config=CONFIG, data=data).start()
    assert server.metrics()["cordwood_parts_missing"] == "1" and served(server, "away") == []
    assert server.stop() == 0
    path = os.path.join(data, "parts", "away", "2026-01-05", "%016x.part" % int(missing[1]))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    shutil.copy(os.path.join(DATA, version + ".missing.part"), path)
    server.start()
    assert served(server, "away") == sorted(("away", ns, line, tuple(sorted({**metadata, **VERSIONS[version]}.items()))) for ns, line, metadata in rich("away"))
    assert server.metrics()["cordwood_parts_missing"] == "0"


@pytest.mark.parametrize("version", MISSING)
def test_its_delete_tells_what_it_could_not_read(make_ingester, version, data):
    with open(os.path.join(data, "deletes"), "rb") as f:
        row, = [row.split(b" ", 12) for row in f if b" unread " in row]
    server = make_ingester(config=CONFIG, data=data).start()
    assert int(row[10]) > 0
    if int(row[11]) > time.time_ns() - 29 * 86400 * NS:      # receipts are kept for a month
        done, = listed(server, {"X-Scope-OrgID": "unread"})
        assert done["unreadable_entries"] == int(row[10]) and done["removed_entries"] == 1
    left = server.export_lines('{env="unread"}', headers={"X-Scope-OrgID": "unread"})
    assert sorted(left) == sorted(b"line %d of %s" % (i, b"x" * 2000) for i in range(2500 - len(left) - 1, 2499))
    assert len(left) == 2499 - int(row[10])


@pytest.mark.parametrize("version", MISSING)
def test_its_metadata_is_in_blocks_of_templates(version, data):
    kinds = set()
    for path in parts(data):
        with open(path, "rb") as f:
            raw = f.read()
        for at, _, _ in Part(path).blocks:
            directory = raw[at + 64:at + 64 + struct.unpack_from("<I", raw, at + 48)[0]]
            kinds |= {(raw[at + 4], raw[at + 5], raw[at + 6], kind & 127) for kind in directory[::16]}
    assert (1, 3, 1, 11) in kinds, "no block of templates of format 1.3 with a section META_VALUES"
