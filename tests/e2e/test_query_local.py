"""`cordwood query` without a server: over a data directory, log files and standard input; the answers are the server's."""
import bz2
import contextlib
import gzip
import hashlib
import json
import lzma
import os
import pty
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import pytest

import store_files
from programs import CLI, NS, cli, wait_for

T = 1767571200 * NS                          # 2026-01-05T00:00:00Z
RANGE = ("--from", "2026-01-05T00:00:00Z", "--to", "2026-01-05T02:00:00Z")
UTC = {"TZ": "UTC"}

LOG_QUERIES = [
    '{app="web"}', '{app=~"web|db"}', '{env="prod"} |= "error"', '{env="prod"} != "error"', '{env="prod"} |~ "status=5.."',
    '{env="prod"} |= "error" or "slow"', '{app="web"} |= "error" | logfmt | status >= 500', '{app="web"} | logfmt | line_format "{{.path}} {{.status}}"',
    '{env="prod"} |~ "(?i)ERROR"', '{app="json"} | json | level="warn"', '{app="nothing"}', '{env="prod"} |> "<_> status=500 <_>"',
]
METRIC_QUERIES = [
    'sum by (app) (count_over_time({env="prod"}[5m]))', 'sum(rate({env="prod"} |= "error" [1m]))', 'bytes_over_time({app="web"}[10m])',
    'quantile_over_time(0.9, {app="web"} | logfmt | unwrap took [10m]) by (app)', 'topk(2, sum by (path) (count_over_time({app="web"} | logfmt [30m])))',
    'sum by (app) (count_over_time({env="prod"}[5m])) / on() group_left sum(count_over_time({env="prod"}[5m]))',
    'absent_over_time({app="nothing"}[5m])', 'sum by (level) (count_over_time({app="json"} | json | level="warn" [7m]))',
]


def web_line(i, rng):
    return "method=GET path=/p/%d status=%d took=%d msg=%s" % (rng.randrange(7), rng.choice((200, 200, 404, 500)), rng.randrange(900), rng.choice(("fine", "error", "slow", "Error")))


def fill(server, rng, first=0, n=1500, at=T):
    """Two hours of three streams; times are out of order here and there, and some are there twice."""
    times = sorted(at + rng.randrange(7200) * NS + rng.choice((0, 0, 123456789)) for _ in range(n))
    for app in ("web", "db", "json"):
        entries = []
        for i, ts in enumerate(times):
            line = web_line(i, rng) if app != "json" else json.dumps({"level": rng.choice(("info", "warn")), "n": first + i, "msg": "status=500 x error"})
            entries.append((ts, "%s #%d" % (line, first + i) if app != "json" else line))
        rng.shuffle(entries)
        for at_entry in range(0, n, 500):
            server.push([({"app": app, "env": "prod"}, entries[at_entry:at_entry + 500])])


def tree(folder):
    """Every file below with its bytes' hash."""
    found = {}
    for top, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(top, name)
            with open(path, "rb") as f:
                found[os.path.relpath(path, folder)] = hashlib.sha256(f.read()).hexdigest()
    return found


def both(query, server, local, flags=("query", *RANGE)):
    """The same call of the server and without one; their outputs."""
    asked = cli(*flags, "-z", "UTC", query, server=server, env=UTC)
    read = cli(*flags, "-z", "UTC", *local, query, env=UTC)
    assert read.stderr == asked.stderr and read.returncode == asked.returncode < 2, (query, asked, read)
    return asked.stdout, read.stdout


def rows(text):
    return [json.loads(row) for row in text.splitlines()]


def agree_logs(server, local, query, more):
    asked, read = (rows(text) for text in both(query, server, local, ("query", *RANGE, "-o", "jsonl", "--batch", "4000", *more)))
    assert [row["timestamp"] for row in asked] == [row["timestamp"] for row in read], query
    if more[1] == "0":                                                              # else ties may be cut elsewhere
        assert sorted(map(json.dumps, asked)) == sorted(map(json.dumps, read)), query


def agree(server, local, logs=LOG_QUERIES, metrics=METRIC_QUERIES):
    """Each query in one way, the first ones in all."""
    ways = (("--limit", "0"), ("--limit", "0", "--forward"), ("--limit", "17"))
    for i, query in enumerate(logs):
        for more in ways if i == 0 else (ways[i % 3],):
            agree_logs(server, local, query, more)
    ways = (("query", *RANGE, "--step", "1m"), ("query", *RANGE, "--step", "13m"), ("query", *RANGE), ("instant-query", "--now", "2026-01-05T01:30:00Z"))
    for i, query in enumerate(metrics):
        for flags in ways if i < 2 else (ways[i % 4],):
            asked, read = both(query, server, local, flags)
            assert json.loads(asked or "[]") == json.loads(read or "[]"), query


# ---- a data directory ----

def test_a_data_directory_answers_as_the_server_does_from_its_log_and_from_its_parts(ingester):
    rng = random.Random(1)
    fill(ingester, rng)
    agree(ingester, ("--data-dir", ingester.data))                                  # all of it is in the log
    assert ingester.ask("POST", "/flush")[0] == 204
    agree(ingester, ("--data-dir", ingester.data), LOG_QUERIES[:4], METRIC_QUERIES[:3])
    fill(ingester, rng, 10000)                                                       # and then in both
    agree(ingester, ("--data-dir", ingester.data))


def test_a_directory_without_a_server_is_read_and_not_a_byte_of_it_is_changed(ingester):
    fill(ingester, random.Random(2), n=300)
    assert ingester.ask("POST", "/flush")[0] == 204
    fill(ingester, random.Random(3), 5000, n=300)
    want = cli("query", *RANGE, "-o", "raw", "--limit", "0", '{env="prod"}', server=ingester).stdout
    ingester.kill()
    before = tree(ingester.data)
    # Its folders too: nothing could be made in them.
    for top, folders, _ in os.walk(ingester.data):
        os.chmod(top, 0o500)
    done = cli("query", "-o", "raw", "--data-dir", ingester.data, '{env="prod"}')
    for top, folders, _ in os.walk(ingester.data):
        os.chmod(top, 0o700)
    assert done.returncode == 0 and sorted(done.stdout.splitlines()) == sorted(want.splitlines())
    assert tree(ingester.data) == before
    ingester.start()                                                                # the lock was left alone
    assert ingester.count('{env="prod"}', end=T // NS + 7200) == 1800


def test_every_acknowledged_entry_is_there_once_while_the_server_flushes_and_merges(ingester):
    pushed, stop = [0], threading.Event()

    def push():
        rng = random.Random(4)
        while not stop.is_set():
            n = pushed[0]
            ingester.push([({"app": "busy"}, [(T + i * 1000, "line %d %s" % (i, "x" * rng.randrange(200))) for i in range(n, n + 200)])])
            pushed[0] = n + 200
            if n % 1000 == 0:
                ingester.ask("POST", "/flush")

    thread = threading.Thread(target=push)
    thread.start()
    try:
        wait_for("entries", lambda: pushed[0] >= 2000)
        for _ in range(25):
            at_least = pushed[0]
            done = cli("query", "-o", "raw", "--data-dir", ingester.data, '{app="busy"}')
            assert done.returncode == 0 and done.stderr.count(b"cordwood:") == 0, done.stderr
            numbers = [int(line.split()[1]) for line in done.stdout.splitlines()]
            assert len(numbers) == len(set(numbers)) and len(numbers) >= at_least
            assert sorted(numbers) == list(range(len(numbers)))
    finally:
        stop.set()
        thread.join()
    assert os.path.isdir(os.path.join(ingester.data, "parts"))


def test_what_deletes_hide_is_hidden_and_tenants_are_apart(make_ingester):
    server = make_ingester(config="auth_enabled: true\n").start()
    shop, other = {"X-Scope-OrgID": "shop"}, {"X-Scope-OrgID": "other.one"}
    for tenant in (shop, other):
        server.push([({"app": "web"}, [(T + i * NS, "line %d" % i) for i in range(100)])], headers=tenant)
    assert server.ask("POST", "/flush")[0] == 204
    server.push([({"app": "web"}, [(T + i * NS, "line %d" % i) for i in range(100, 150)])], headers=shop)
    params = {"query": '{app="web"} |~ "5$"', "start": str(T // NS), "end": str(T // NS + 3600)}
    assert server.ask("POST", "/loki/api/v1/delete", params, headers=shop)[0] == 204
    server.push([({"app": "web"}, [(T + 150 * NS + i, "later 5") for i in range(3)])], headers=shop)

    def lines(tenant):
        return sorted(cli("query", "-o", "raw", "--data-dir", server.data, "--org-id", tenant, '{app="web"}').stdout.decode().splitlines())
    want = sorted(["line %d" % i for i in range(150) if i % 10 != 5] + ["later 5"] * 3)
    assert lines("shop") == want
    assert lines("other.one") == sorted("line %d" % i for i in range(100)) and lines("none") == []
    server.stop()
    assert lines("shop") == want


def test_damage_in_a_data_directory_is_told_and_costs_only_itself(ingester):
    fill(ingester, random.Random(5), n=200)
    assert ingester.ask("POST", "/flush")[0] == 204
    ingester.push([({"app": "web", "env": "prod"}, [(T, "in the log")])])
    ingester.kill()
    lost = [os.path.join(top, name) for top, _, names in os.walk(os.path.join(ingester.data, "parts")) for name in names if name.endswith(".part")]
    for path in lost:
        os.rename(path, path + ".away")
    done = cli("query", "-o", "raw", "--data-dir", ingester.data, '{env="prod"}')
    assert done.stdout == b"in the log\n" and b"are lost" in done.stderr and done.returncode == 4
    assert cli("query", "-o", "raw", "--data-dir", ingester.data, '{env="none"}').returncode == 4
    assert cli("instant-query", "--data-dir", ingester.data, 'sum(count_over_time({env="prod"}[87600h]))').returncode == 4
    for path in lost:
        os.rename(path + ".away", path)
    whole = shutil.copytree(ingester.data, ingester.data + "-whole")
    for how in ("cut", "block", "log"):
        data = shutil.copytree(whole, ingester.data + "-" + how)
        part = store_files.parts(data)[0]
        if how == "cut":
            os.truncate(part, os.path.getsize(part) // 2)
        elif how == "block":
            off, length, _ = store_files.Part(part).blocks[0]
            for at in range(off, off + length, 16):
                store_files.flip(part, at)
        else:
            segment = store_files.segments(data)[-1]
            store_files.flip(segment, store_files.frames(segment)[-1].start + 70)
        for verb, query in (("query", '{app=~".+"} |~ "."'), ("instant-query", 'sum(count_over_time({app=~".+"} |~ "." [87600h]))')):
            done = cli(verb, "--data-dir", data, query)
            assert done.returncode == 4 and done.stderr, (how, done)
    assert cli("query", "--data-dir", whole, '{app=~".+"}').returncode == 0
    os.unlink(os.path.join(ingester.data, "catalog"))                                # made again from the parts, in memory
    done = cli("query", "-o", "raw", "--data-dir", ingester.data, '{env="prod"}')
    assert len(done.stdout.splitlines()) == 601 and not os.path.exists(os.path.join(ingester.data, "catalog"))


def test_what_is_no_data_directory_is_told(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        done = cli("query", "--data-dir", str(path), '{app="web"}')
        assert done.returncode == 3 and str(path).encode() in done.stderr and b"no data directory" in done.stderr
    assert cli("query", "--data-dir", str(tmp_path), "--stdin", '{app="web"}').returncode == 2


def test_flags_that_would_be_of_no_effect_are_refused(tmp_path):
    for command in ("query", "instant-query"):
        for flags, text in ((("--data-dir", ""), b'--data-dir: "" names no folder'), (("--label", "a=b"), b"--label goes with --file or --stdin"),
                            (("--file", str(tmp_path / "**" / "*.log")), b"** is no part of a pattern")):
            done = cli(command, *flags, '{app="web"}')
            assert done.returncode == 2 and text in done.stderr and not done.stdout, done
    assert b"at least one regexp or equality matcher" in cli("query", "--data-dir", str(tmp_path), '{}').stderr


# ---- files ----

def stamp(ns):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ns // NS)) + ".%09dZ" % (ns % NS)


@pytest.fixture
def logs(tmp_path):
    """Three logs of an hour each, about one line a second; their times overlap, and some lines are out of order."""
    rng = random.Random(6)
    for name, shift in (("web", 0), ("db", 1800), ("batch", 3600)):
        times = [T + (shift + i) * NS + rng.randrange(NS) for i in range(3000)]
        for i in range(0, 2990, 37):
            times[i], times[i + 5] = times[i + 5], times[i]
        with open(tmp_path / (name + ".log"), "w") as f:
            for i, ts in enumerate(times):
                f.write("%s %s #%d\n" % (stamp(ts), web_line(i, rng), i))
    return tmp_path


def pushed(server, folder, names=("web", "db", "batch")):
    """The lines of the files, as --file labels them."""
    for name in names:
        path = str(folder / (name + ".log"))
        entries = []
        with open(path) as f:
            for line in f.read().splitlines():
                date, clock = line[:19], line[20:29]
                ns = int(time.mktime(time.strptime(date + " UTC", "%Y-%m-%dT%H:%M:%S %Z")) - time.timezone) * NS + int(clock)
                entries.append((ns, line))
        server.push([({"filename": path, "job": name}, entries)])


FILE_LOGS = ['{job="web"}', '{job=~".+"}', '{job=~".+"} |= "error"', '{job=~".+"} != "error"', '{job=~".+"} |~ "status=5.. .*#1.$"', '{job="db"} |= "error" or "slow" |= "path=/p/3"',
             '{job=~"web|db"} |~ "(?i)ERROR" | logfmt | status >= 404', '{filename=~".*batch.*"} | logfmt | line_format "{{.status}}"']
FILE_METRICS = ['sum by (job) (count_over_time({job=~".+"}[5m]))', 'sum(rate({job=~".+"} |= "error" [1m]))', 'quantile_over_time(0.5, {job="web"} | logfmt | unwrap took [10m])',
                'topk(2, sum by (path) (count_over_time({job=~".+"} | logfmt [30m])))', 'sum(bytes_over_time({job="db"} |~ "slow" [10m]))']


def test_files_answer_as_the_server_does_over_the_same_lines(make_ingester, logs):
    # What a server adds to what is pushed is not there in a file.
    ingester = make_ingester(config="limits_config: {discover_log_levels: false, discover_service_name: []}\n").start()
    pushed(ingester, logs)
    agree(ingester, ("--file", str(logs / "*.log")), FILE_LOGS, FILE_METRICS)


@pytest.mark.parametrize("form", ["gz", "members", "zst", "stdin"])
def test_compressed_files_and_pipes_answer_as_plain_ones(logs, form, tmp_path):
    query, flags = 'sum by (status) (count_over_time({} |= "took" | logfmt [1h]))', ("query", *RANGE, "--step", "20m")
    plain, data = str(logs / "web.log"), (logs / "web.log").read_bytes()
    want = cli(*flags, "--file", plain, query, env=UTC).stdout
    assert len(json.loads(want)) == 3
    if form == "stdin":
        assert cli(*flags, "--stdin", query, stdin=data, env=UTC).stdout == want
        assert cli(*flags, "--stdin", query, stdin=gzip.compress(data), env=UTC).stdout == want
        return
    packed = tmp_path / ("web.log.1." + form)
    if form == "zst":
        subprocess.run(["zstd", "-q", plain, "-o", str(packed)], check=True)
    else:
        cut = len(data) // 3                                                        # `cat a.gz b.gz`, in the middle of a line
        packed.write_bytes(gzip.compress(data) if form == "gz" else gzip.compress(data[:cut]) + gzip.compress(data[cut:]))
    assert cli(*flags, "--file", str(packed), query, env=UTC).stdout == want
    raw = [cli("query", "-o", "raw", "--forward", "--file", path, '|= "error"').stdout for path in (plain, str(packed))]
    assert raw[0] == raw[1] != b""


def test_a_query_of_files_may_leave_its_selector_out(logs):
    path = ("--file", str(logs / "web.log"))
    want = cli("query", "-o", "raw", *path, '{job="web"} |= "error"').stdout
    assert want and all(b"error" in line for line in want.splitlines())
    for query in ('|= "error"', '{} |= "error"', ' |= `error`', '{filename=~".+"} |= "error"'):
        assert cli("query", "-o", "raw", *path, query).stdout == want
    for query in ((), ("",), ("{}",), ('!= "no such text"',)):
        assert len(cli("query", "-o", "raw", *path, *query).stdout.splitlines()) == 3000
    assert json.loads(cli("instant-query", *path, "--now", "2026-01-05T03:00:00Z", 'sum(count_over_time({}[3h]))').stdout)[0]["value"][1] == "3000"
    assert cli("query").returncode == 2


def test_no_flag_of_time_asks_for_all_time_and_no_limit_for_all_lines(logs):
    files = ("--file", str(logs / "*.log"))
    assert len(cli("query", "-o", "raw", *files).stdout.splitlines()) == 9000
    assert len(cli("query", "-o", "raw", "--limit", "30", *files).stdout.splitlines()) == 30
    matrix = json.loads(cli("query", *files, 'sum(count_over_time({}[3h]))', env=UTC).stdout)
    assert matrix[0]["values"][-1][1] == "9000" and matrix[0]["values"][0][0] <= T // NS + 30
    assert len(cli("query", "-o", "raw", *files, "--to", "2026-01-05T00:10:00Z").stdout.splitlines()) == 600
    assert cli("query", "-o", "raw", *files, "--since", "1h").returncode == 1          # they are old


def test_files_are_merged_by_time(logs):
    for more, reverse in (((), True), (("--forward",), False)):
        lines = cli("query", "-o", "raw", "--file", str(logs / "*.log"), *more).stdout.splitlines()
        times = [line[:30] for line in lines]
        assert times == sorted(times, reverse=reverse) and len(lines) == 9000
    assert len(cli("query", "-o", "raw", "--file", str(logs / "web.log"), "--file", str(logs / "w*.log")).stdout.splitlines()) == 3000


def test_labels_are_filename_job_and_those_that_are_given(logs):
    shutil.copy(logs / "web.log", logs / "access.log.2.gz")                            # the name tells nothing: the bytes do
    row = json.loads(cli("query", "--limit", "1", "-o", "jsonl", "--file", str(logs / "access*"), "--label", "env=prod").stdout)
    assert row["labels"] == {"env": "prod", "filename": str(logs / "access.log.2.gz"), "job": "access"}
    row = json.loads(cli("query", "--limit", "1", "-o", "jsonl", "--file", str(logs / "access*"), "-l", "job=mine").stdout)
    assert row["labels"]["job"] == "mine"
    row = json.loads(cli("query", "-o", "jsonl", "--stdin", stdin=b"2026-01-05T00:00:00Z x\n").stdout)
    assert row["labels"] == {"job": "stdin"} and row["line"] == "2026-01-05T00:00:00Z x"
    assert cli("query", "--stdin", "--label", "a b=c", stdin=b"x").returncode == 2


def test_lines_of_one_event_stay_together(tmp_path):
    path = tmp_path / "app.log"
    path.write_text("no time yet\n"
                    "2026-01-05 10:00:00,123 ERROR it broke\njava.lang.Error: x\n\tat a.b.C(D.java:1) 2020-01-01 00:00:00\n\n"
                    "2026-01-05 10:00:05,000 INFO fine")
    rows = [json.loads(r) for r in cli("query", "-o", "jsonl", "--forward", "-z", "UTC", "--file", str(path)).stdout.splitlines()]
    at = "2026-01-05T10:00:00.123Z"
    assert [(r["timestamp"], r["line"][:8]) for r in rows] == [(at, "no time "), (at, "2026-01-"), (at, "java.lan"), (at, "\tat a.b."), (at, ""), ("2026-01-05T10:00:05Z", "2026-01-")]
    plain = tmp_path / "plain.txt"
    plain.write_text("a\nb\n")
    os.utime(plain, (1767571200, 1767571200))
    rows = [json.loads(r) for r in cli("query", "-o", "jsonl", "--forward", "-z", "UTC", "--file", str(plain)).stdout.splitlines()]
    assert [(r["timestamp"], r["line"]) for r in rows] == [("2026-01-05T00:00:00Z", "a"), ("2026-01-05T00:00:00Z", "b")]


def test_times_without_a_zone_are_of_the_zone_that_is_shown(tmp_path):
    path = tmp_path / "a.log"
    path.write_text("2026-07-05 10:00:00 x\n")
    vienna = {"TZ": "Europe/Vienna"}
    row = json.loads(cli("query", "-o", "jsonl", "--file", str(path), env=vienna).stdout)
    assert row["timestamp"] == "2026-07-05T10:00:00+02:00"
    row = json.loads(cli("query", "-o", "jsonl", "-z", "UTC", "--file", str(path), env=vienna).stdout)
    assert row["timestamp"] == "2026-07-05T10:00:00Z"


def test_lines_that_cross_chunks_are_whole(tmp_path):
    """Chunks are 1 MiB: lines of all lengths around their ends, and without a time for more than a chunk."""
    rng = random.Random(7)
    path, want = tmp_path / "big.log", []
    with open(path, "wb") as f:
        for i in range(400):
            line = b"%s %d %s" % (stamp(T + i * NS).encode(), i, b"y" * rng.choice((0, 10, 1000, 4096, 60000)))
            more = [b"  more %d %s" % (i, b"z" * rng.choice((0, 100, 30000))) for _ in range(100 if i == 200 else rng.randrange(3))]
            want += [line] + more
            f.write(b"\n".join([line] + more) + b"\n")
    assert path.stat().st_size > 6 << 20
    packed = tmp_path / "big.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    for file in (path, packed):
        assert cli("query", "-o", "raw", "--forward", "--file", str(file)).stdout.splitlines() == want
        found = cli("query", "-o", "jsonl", "--forward", "-z", "UTC", "--file", str(file), '|= "more 200 "').stdout.splitlines()
        assert len(found) == 100 and {json.loads(r)["timestamp"] for r in found} == {"2026-01-05T00:03:20Z"}


def test_times_are_taken_as_people_say_them(logs):
    files = ("--file", str(logs / "web.log"))
    vienna = {"TZ": "Europe/Vienna"}
    for flags, env, n in ((("--from", "2026-01-05 00:10", "--to", "2026-01-05 00:20:00"), UTC, 600), (("--since", "2026-01-05 00:10", "--to", "2026-01-05T00:20:00Z"), UTC, 600),
                          (("--from", "2026-01-05 01:10", "--to", "2026-01-05 01:20"), vienna, 600), (("--from", "2026-01-05 00:10", "--to", "2026-01-05 00:20", "-z", "UTC"), vienna, 600),
                          (("--from", "2026-01-05", "--to", "2026-01-06"), UTC, 3000), (("--to", "tomorrow"), UTC, 3000), (("--from", "yesterday 10:30"), UTC, 0), (("--from", "2h ago", "--to", "now-15m"), UTC, 0)):
        assert len(cli("query", "-o", "raw", *files, *flags, env=env).stdout.splitlines()) == n, flags
    for flag in ("--from", "--to", "--since"):
        done = cli("query", *files, flag, "someday")
        assert done.returncode == 2 and b"%s: \"someday\" is no time: expected RFC 3339" % flag.encode() in done.stderr


# ---- what is wrong with files ----

def test_a_file_that_cannot_be_read_is_told_and_the_others_are_read(tmp_path):
    good = tmp_path / "good.log"
    good.write_text("2026-01-05T00:00:00Z good\n")
    data = b"".join(b"2026-01-05T00:00:%02dZ line %d\n" % (i % 60, random.Random(i).randrange(10 ** 9)) for i in range(20000))
    cases = {"missing.log": (None, b"No such file"), "folder": ("folder", b"a folder"), "elf": (b"\x7fELF\2\1\1" + b"\0" * 9 + b"\3\0>\0\1\0\0\0", b"a binary file, no text: 14 of its first 24 bytes are NULs, the first at offset 7"),
             "utf16.log": ("2026-01-05T00:00:00Z wide\n".encode("utf-16"), b"a binary file"),
             "a.bz2": (bz2.compress(b"x" * 100), b"bzip2"), "a.xz": (lzma.compress(b"x" * 100), b"xz"),
             "cut.gz": (gzip.compress(data)[:60000], b"ends too early"), "bad.gz": (gzip.compress(data)[:60000] + b"garbage" * 1000, b"what comes before is read"),
             "long.log": (b"2026-01-05T00:00:00Z " + b"x" * (300 << 10) + b"\n2026-01-05T00:00:01Z behind\n", b"more than 262144 bytes")}
    for name, (content, sentence) in cases.items():
        path = tmp_path / name
        if content == "folder":
            path.mkdir()
        elif content is not None:
            path.write_bytes(content)
        done = cli("query", "-o", "raw", "--file", str(path), "--file", str(good), '{}')
        assert done.returncode == 3 and str(path).encode() in done.stderr and sentence in done.stderr, (name, done.stderr)
        assert b"2026-01-05T00:00:00Z good" in done.stdout.splitlines(), name
        if name.endswith(".gz"):
            read = [line for line in done.stdout.splitlines() if b"good" not in line]
            assert len(set(read) & set(data.splitlines())) > 1000, name                     # what was before the damage
            assert name == "bad.gz" or len(set(read) - set(data.splitlines())) <= 1, name   # and a line cut there
        if name == "long.log":
            assert b"2026-01-05T00:00:01Z behind" in done.stdout.splitlines()


def test_nuls_in_a_log_end_lines_and_are_none(tmp_path):
    """Of a file that was cut while its writer went on, a write that a crash lost, and a hole of more than a chunk."""
    lines = ["2026-01-05T00:%02d:%02dZ line %d %s" % (i // 60 % 60, i % 60, i, "x" * 60) for i in range(1000)]
    text = ["\n".join(lines[at:at + 250]) + "\n" for at in range(0, 1000, 250)]
    cut = tmp_path / "cut.log"
    cut.write_bytes(b"\0" * 5000 + text[0].encode() + b"\0" * 300 + text[1].encode()[:-1] + b"\0" * (3 << 20) + text[2].encode() + b"\n" + text[3].encode() + b"\0" * 100)
    want = sorted(lines + [""])
    for how in (["--file", str(cut)], ["--stdin"]):
        done = cli("query", "-o", "raw", *how, '{}', stdin=cut.read_bytes() if how == ["--stdin"] else None)
        assert done.returncode == 0, (how, done.stderr)
        assert sorted(done.stdout.decode().splitlines()) == want, how
    with open(tmp_path / "hole.log", "wb") as f:                                            # all of the first bytes are NULs
        f.seek((64 << 20) + 5)
        f.write(b"2026-01-05T00:00:00Z behind the hole\n")
    done = cli("query", "-o", "raw", "--file", str(tmp_path / "hole.log"), '{}')
    assert done.returncode == 0 and done.stdout == b"2026-01-05T00:00:00Z behind the hole\n", done


def test_a_file_without_permission_is_told(public_path):
    path = public_path / "secret.log"
    path.write_text("2026-01-05T00:00:00Z x\n")
    path.chmod(0)
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", CLI, "query", "--file", str(path)], capture_output=True)
    assert done.returncode == 3 and b"secret.log" in done.stderr and b"Permission denied" in done.stderr, done


def test_wrong_queries_are_told_as_the_server_tells_them(ingester, logs):
    for query in ('{job="web"', 'sum(count_over_time({job="web"}))', '{job="web"} |~ "("'):
        asked, read = cli("query", query, server=ingester), cli("query", "--file", str(logs / "web.log"), query)
        assert asked.returncode == read.returncode == 3
        assert read.stderr.decode().split("cordwood: ")[1] in asked.stderr.decode()


# ---- large input ----

def memory_kb(arguments, stdin=None):
    """At its peak. The kernel counts what a process was forked from, too: that is a small one here."""
    run = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True); "
           "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    return int(subprocess.run([sys.executable, "-c", run, CLI, *arguments], stdin=stdin, stdout=subprocess.PIPE, check=True).stdout)


def test_memory_does_not_grow_with_the_files(tmp_path):
    rng = random.Random(8)
    block = "".join("2026-01-05T%02d:00:00Z %x %s\n" % (i % 24, rng.getrandbits(128), "a word or two") for i in range(20000)).encode()
    path, packed = tmp_path / "a.log", tmp_path / "a.log.gz"
    with open(path, "wb") as f, open(packed, "wb") as g:
        for _ in range(80):
            f.write(block)
        for _ in range(80):
            g.write(gzip.compress(block, 1))
    for more in (["|= \"no such\""], ["-q", "-o", "raw", "--limit", "1000"], ['sum(count_over_time({}[1h]))']):
        for file in (path, packed):
            arguments = ["query", "--file", str(file), *more]
            if more[0].startswith("|="):
                arguments = ["query", "--file", str(file), '|= "a word"', "--limit", "5"]
            assert memory_kb(arguments) < 150 << 10, more                                # spools hold 64 MiB of it


# ---- the terminal ----

def shown_on(master):
    """All that was written to a terminal, once nobody has it open any more."""
    shown = b""
    with contextlib.suppress(OSError):      # EIO: the end
        while chunk := os.read(master, 65536):
            shown += chunk
    os.close(master)
    return shown


def on_a_terminal(arguments, env=None, seconds=60):
    """What standard error shows on a terminal; standard output is a file."""
    master, slave = pty.openpty()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen([CLI, *arguments], stdout=out, stderr=slave, env={**os.environ, **(env or {})})
        os.close(slave)
        limit = threading.Timer(seconds, process.kill)
        limit.start()
        shown = shown_on(master)
        process.wait()
        limit.cancel()
        out.seek(0)
        return shown, out.read()


def test_a_long_query_shows_its_progress_on_a_terminal_and_takes_it_away():
    import socket
    with socket.socket() as listener:                                                  # a server that takes two seconds
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def serve():
            connection, _ = listener.accept()
            connection.recv(65536)
            time.sleep(2)
            body = b'{"status":"success","data":{"resultType":"streams","result":[]}}'
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body))
            connection.close()
        thread = threading.Thread(target=serve)
        thread.start()
        shown, _ = on_a_terminal(["query", "--addr", "http://127.0.0.1:%d" % listener.getsockname()[1], '{a="b"}'])
        thread.join()
    assert re.search(rb"\r\x1b\[K1 s", shown) and shown.endswith(b"\r\x1b[K")


def test_a_short_query_and_one_without_a_terminal_show_nothing(logs):
    assert on_a_terminal(["query", "-q", "--file", str(logs / "web.log")])[0] == b""
    reader, writer = os.pipe()
    process = subprocess.Popen([CLI, "query", "-q", "--stdin"], stdin=reader, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.close(reader)
    time.sleep(1.5)
    os.write(writer, b"2026-01-05T00:00:00Z x\n")
    os.close(writer)
    out, err = process.communicate()
    assert err == b"" and out.endswith(b"x\n")


def test_progress_of_files_tells_what_was_read():
    reader, writer = os.pipe()
    master, slave = pty.openpty()
    process = subprocess.Popen([CLI, "query", "-q", "--stdin"], stdin=reader, stdout=subprocess.PIPE, stderr=slave)
    os.close(reader)
    os.close(slave)
    os.write(writer, b"2026-01-05T00:00:00Z a line\n" * 2000)
    time.sleep(1.6)
    os.close(writer)
    process.communicate()
    shown = shown_on(master)
    assert b"1 s" in shown and shown.endswith(b"\r\x1b[K")
