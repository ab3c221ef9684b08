"""The shipper on real files: rotation, truncation, restarts, other servers, its configuration, its own log and metrics."""
import glob
import json
import os
import random
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections import Counter

import pytest

from load import RotatingWriter, differences, numbered
from loki_stub import LokiStub
from programs import LONG, SHIPPER, wait_for

KILLS = 30 if LONG else 5


def append(path, *lines, end=b"\n"):
    with open(path, "ab") as f:
        f.write(b"".join(line + b"\n" for line in lines[:-1]) + lines[-1] + end)


@pytest.fixture
def stub():
    stub = LokiStub()
    yield stub
    stub.stop()


@pytest.fixture
def tail(make_shipper, logs):
    """tail(url, flags...) - a shipper of logs/*.log with the label job=s."""
    return lambda url, *more: make_shipper(arguments=["--push", url, "--label", "job=s", *more, str(logs / "*.log")])


def stored(server, want, selector='{job="s"}'):
    wait_for("%d stored lines" % len(want), lambda: server.count(selector) >= len(want), 120, 0.1)
    time.sleep(0.3)                                         # what would come twice, comes now
    difference = differences(want, server.export_lines(selector))
    assert difference is None, difference


def usage(*arguments, **more):
    return subprocess.run([SHIPPER, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, **more)


# ---- files ----

def test_lines_arrive_byte_for_byte_with_their_labels(ingester, tail, logs):
    lines = [b"plain", b"", b"carriage return\r", b"\xff\xfe no utf-8 \xc3", "grüße 世界".encode(), b"tab\tand nul\0in it", b"x" * 200000]
    append(logs / "a.log", *lines)
    shipper = tail(ingester.url).start()
    stored(ingester, lines)
    labels = ingester.export('{job="s"}')[0]["labels"]
    assert labels == {"job": "s", "filename": str(logs / "a.log"), "service_name": "s"}
    assert shipper.stop() == 0


def test_a_file_that_grows_all_the_time_in_small_steps_is_not_kept_waiting(ingester, tail, logs):
    shipper = tail(ingester.url).start()
    until = time.monotonic() + 20
    while ingester.count('{job="s"}') == 0:                 # a batch is due one second after its first line, 20 are enough
        assert time.monotonic() < until, shipper.log()
        for _ in range(10):
            append(logs / "a.log", b"a small step")
            time.sleep(0.01)


def test_half_a_line_waits_for_its_end(ingester, tail, logs):
    append(logs / "a.log", b"whole", b"half", end=b"")
    shipper = tail(ingester.url).start()
    stored(ingester, [b"whole"])
    time.sleep(1.5)
    append(logs / "a.log", b" and the other half")
    stored(ingester, [b"whole", b"half and the other half"])
    assert shipper.stop() == 0


def test_once_reads_to_the_end_and_a_second_run_sends_nothing_twice(ingester, tail, logs):
    lines = numbered("once", 1000)
    append(logs / "a.log", *lines, end=b"")                 # without a newline at its end
    for _ in range(2):
        tail(ingester.url, "--once").start().finish()
        stored(ingester, lines)
    append(logs / "a.log", b"", b"more")
    tail(ingester.url, "--once").start().finish()
    stored(ingester, lines + [b"", b"more"])


@pytest.mark.parametrize("how", ["create", "copytruncate"])
def test_logrotate_twice_between_lines(ingester, tail, logs, tmp_path, how):
    """The real logrotate; with copytruncate the writer stops meanwhile, as that mode loses lines by its nature."""
    config = tmp_path / "logrotate.conf"
    config.write_text("%s/a.log {\n rotate 5\n size 1\n %s\n missingok\n}\n" % (logs, "create" if how == "create" else how))
    want = []
    shipper = tail(ingester.url).start()
    for i in range(4):
        lines = numbered("round %d" % i, 50)
        append(logs / "a.log", *lines)
        want += lines
        stored(ingester, want)
        subprocess.run(["/usr/sbin/logrotate", "-f", "-s", str(tmp_path / "status"), str(config)], check=True)
    append(logs / "a.log", b"the end")
    stored(ingester, want + [b"the end"])
    assert shipper.stop() == 0


@pytest.mark.parametrize("pattern", ["*.log", "*.log*"])
def test_logrotate_with_copytruncate_under_load(ingester, make_shipper, logs, tmp_path, pattern):
    """Nobody waits for anybody: at each rotation there is much that was not read yet, and the shipper is killed in
    the middle of some. What is written between logrotate's copy and its truncation is in no file any more: it may be
    missing if nobody read it in time. All other lines arrive once."""
    config = tmp_path / "logrotate.conf"
    config.write_text("%s/a.log {\n rotate 1000\n size 1\n copytruncate\n missingok\n}\n" % logs)
    shipper = make_shipper(arguments=["--push", ingester.url, "--label", "job=s", str(logs / pattern)]).start()
    writer = RotatingWriter(logs, "a", rotate_every=10 ** 9).start()
    rng = random.Random(5)
    try:
        for i in range(30 if LONG else 10):
            time.sleep(rng.uniform(0.2, 1.5))
            if i % 3 == 1:
                shipper.kill()
            for _ in range(1 + (i % 4 == 1)):               # twice while the shipper is down
                subprocess.run(["/usr/sbin/logrotate", "-f", "-s", str(tmp_path / "status"), str(config)], check=True)
                time.sleep(0.1)
            if i % 3 == 1:
                shipper.start()
    finally:
        writer.stop()
    pieces = [path.read_bytes().split(b"\n") for path in logs.iterdir()]
    want, ends = [line for piece in pieces for line in piece[:-1]], {piece[-1] for piece in pieces}
    assert len(want) > 5000 and len(pieces) > 10
    wait_for("the lines", lambda: not Counter(want) - Counter(ingester.export_lines('{job="s"}')), 60, 1)
    time.sleep(6)                                           # ends of copies without a newline, and what would come twice
    have, want = Counter(ingester.export_lines('{job="s"}')), Counter(want)
    wrong = {line: (n, have[line]) for line, n in want.items() if not n <= have[line] <= n + (line in ends)}
    assert not wrong, list(wrong.items())[:10]
    more = set(have) - set(want)                            # read before the truncation; cut off by it
    assert more <= set(writer.lines) | ends
    assert all(have[line] == 1 for line in more)
    assert shipper.stop() == 0


def test_two_renames_at_once_lose_nothing(ingester, tail, logs):
    shipper = tail(ingester.url).start()
    append(logs / "a.log", b"0")
    stored(ingester, [b"0"])
    want = [b"0"]
    for i in range(1, 6):                                   # quicker than anybody can look
        append(logs / "a.log", b"%d" % i)
        want.append(b"%d" % i)
        for k in (3, 2, 1):
            if (logs / ("a.log.%d" % k)).exists():
                os.rename(logs / ("a.log.%d" % k), logs / ("a.log.%d" % (k + 1)))
        os.rename(logs / "a.log", logs / "a.log.1")
    append(logs / "a.log", b"last")
    stored(ingester, want + [b"last"])
    assert shipper.stop() == 0


def test_a_file_renamed_while_the_shipper_was_down_is_read_to_its_end(ingester, tail, logs):
    first = numbered("before", 100)
    append(logs / "a.log", *first)
    shipper = tail(ingester.url).start()
    stored(ingester, first)
    shipper.kill()
    append(logs / "a.log", *numbered("written while down", 100))
    os.rename(logs / "a.log", logs / "old-a")
    append(logs / "a.log", *numbered("new file", 100))
    shipper.start()
    stored(ingester, first + numbered("written while down", 100) + numbered("new file", 100))
    assert {e["labels"]["filename"] for e in ingester.export('{job="s"}')} == {str(logs / "a.log")}
    assert shipper.stop() == 0


def test_a_file_that_came_and_was_rotated_away_while_the_shipper_was_down_is_read(ingester, tail, logs):
    append(logs / "a.log", *numbered("before", 10))
    shipper = tail(ingester.url).start()
    stored(ingester, numbered("before", 10))
    shipper.kill()
    os.rename(logs / "a.log", logs / "a.log.1")
    append(logs / "a.log", *numbered("nobody saw this one", 10))
    os.rename(logs / "a.log.1", logs / "a.log.2")
    os.rename(logs / "a.log", logs / "a.log.1")
    append(logs / "a.log", *numbered("after", 10))
    shipper.start()
    stored(ingester, numbered("before", 10) + numbered("nobody saw this one", 10) + numbered("after", 10))
    assert shipper.stop() == 0


def test_a_deleted_file_is_read_to_its_end(stub, tail, logs):
    lines = numbered("deleted", 100)
    writer = open(logs / "a.log", "ab", buffering=0)
    writer.write(b"first\n")
    shipper = tail(stub.url).start()
    wait_for("first line", lambda: stub.lines == [b"first"])
    os.unlink(logs / "a.log")
    for line in lines:
        writer.write(line + b"\n")
    writer.close()
    wait_for("all lines", lambda: stub.lines == [b"first"] + lines)
    assert shipper.stop() == 0


def test_every_line_once_over_kills_of_the_shipper_and_rotation(ingester, tail, logs):
    shipper = tail(ingester.url).start()
    writers = [RotatingWriter(logs, name, rotate_every=1000).start() for name in ("one", "two")]
    rng = random.Random(7)
    try:
        for _ in range(KILLS):
            time.sleep(rng.uniform(0.05, 1.0))
            shipper.kill()
            time.sleep(rng.choice((0, 0.1, 0.3)))
            shipper.start()
    finally:
        for writer in writers:
            writer.stop()
    stored(ingester, [line for writer in writers for line in writer.lines])
    assert shipper.stop() == 0


def test_folders_that_come_later_are_followed_and_links_are_no_copies(stub, make_shipper, logs):
    shipper = make_shipper(arguments=["--push", stub.url, str(logs / "**/*.log")]).start()
    (logs / "a" / "b").mkdir(parents=True)
    append(logs / "a" / "b" / "x.log", b"deep")
    wait_for("deep line", lambda: stub.lines == [b"deep"])
    os.symlink(logs / "a" / "b" / "x.log", logs / "link.log")
    os.link(logs / "a" / "b" / "x.log", logs / "hard.log")
    append(logs / "a" / "b" / "x.log", b"again")
    wait_for("second line", lambda: len(stub.lines) >= 2)
    time.sleep(1.5)
    assert stub.lines == [b"deep", b"again"]
    assert shipper.stop() == 0


def test_its_own_log_is_not_shipped(stub, make_shipper, tmp_path):
    shipper = make_shipper(arguments=["--push", stub.url, str(tmp_path / "**/*.log")]).start()
    append(tmp_path / "other.log", b"other")
    wait_for("line", lambda: stub.lines)
    time.sleep(2)
    assert stub.lines == [b"other"]
    assert shipper.stop() == 0 and len(shipper.log()) > 0


def test_the_end_of_a_file_is_where_from_end_begins(stub, tail, logs):
    append(logs / "a.log", b"old")
    shipper = tail(stub.url, "--from-end").start()
    wait_for("start", lambda: "reading" in shipper.log())
    append(logs / "a.log", b"new")
    wait_for("line", lambda: stub.lines)
    assert shipper.stop() == 0
    append(logs / "a.log", b"while down")
    append(logs / "b.log", b"another")
    shipper.start()
    wait_for("lines", lambda: sorted(stub.lines) == [b"another", b"new", b"while down"])
    assert shipper.stop() == 0


# ---- servers ----

def test_a_plain_loki_gets_no_ranges_and_a_retry_is_the_same_push(logs, tail):
    failures = [(500, {}, b"no"), (429, {"Retry-After": "1"}, b"slow down"), (503, {}, b"no")]
    stub = LokiStub(lambda push: failures.pop() if failures else (204, {}, b""))
    append(logs / "a.log", b"same", b"same", b"same")
    shipper = tail(stub.url).start()
    wait_for("lines", lambda: stub.lines)
    assert stub.lines == [b"same"] * 3
    assert len(stub.pushes) == 4 and len({push.body for push in stub.pushes}) == 1
    assert all(push.delivery is None for push in stub.pushes) and stub.asked >= 4
    times = [ns for _, entries in stub.stored[0].streams for ns, _ in entries]
    assert len(set(times)) == 3 and times == sorted(times), "equal lines must differ in time, or Loki drops them"
    assert abs(times[0] - time.time_ns()) < 60e9
    assert stub.pushes[0].headers["Content-Type"] == "application/x-protobuf"
    assert shipper.stop() == 0
    stub.stop()


def test_retry_after_is_waited_for(logs, tail):
    seen = []

    def answer(push):
        seen.append(time.monotonic())
        return (429, {"Retry-After": "3"}, b"") if len(seen) == 1 else (204, {}, b"")
    stub = LokiStub(answer)
    append(logs / "a.log", b"x")
    shipper = tail(stub.url).start()
    wait_for("line", lambda: stub.lines)
    assert seen[1] - seen[0] >= 3
    assert shipper.stop() == 0
    stub.stop()


def test_refused_lines_are_written_down_one_by_one(logs, tail, tmp_path):
    stub = LokiStub(lambda push: (400, {}, b"entry is bad") if any(b"bad" in line for line in push.lines) else (204, {}, b""))
    good, bad = numbered("good", 500), [b"bad \xff 1", b"bad 2"]
    append(logs / "a.log", *good[:100], bad[0], *good[100:], bad[1])
    shipper = tail(stub.url).start()
    refused = tmp_path / "shipper" / "state" / "cordwood" / "positions.cordwood.refused"
    wait_for("good lines", lambda: len(stub.lines) >= 500)
    wait_for("two refused lines", lambda: refused.exists() and len(refused.read_text().splitlines()) == 2)
    assert stub.lines == good
    letters = [json.loads(row) for row in refused.read_text().splitlines()]
    assert letters[0]["line_b64"] == "YmFkIP8gMQ==" and letters[1]["line"] == "bad 2"
    assert letters[0]["status"] == 400 and letters[0]["error"] == "entry is bad"
    assert len(stub.pushes) < 60, "halving, not one by one"
    assert shipper.stop() == 0
    stub.stop()


def test_once_tells_what_was_refused_for_good(logs, tail):
    stub = LokiStub(lambda push: (400, {}, b"entry is bad") if any(b"bad" in line for line in push.lines) else (204, {}, b""))
    append(logs / "a.log", b"good 1", b"bad 1", b"good 2", b"bad 2", b"good 3")
    shipper = tail(stub.url, "--once").start()
    assert shipper.process.wait(60) == 1
    assert "not all could be delivered: 2 refused for good; they are in " in shipper.log() and "positions.cordwood.refused" in shipper.log()
    assert stub.lines == [b"good 1", b"good 2", b"good 3"]
    tail(stub.url, "--once").start().finish()               # nothing is left that could be refused
    stub.stop()


def test_a_413_is_cut_smaller_and_nothing_is_lost(logs, tail):
    stub = LokiStub(lambda push: (413, {}, b"too large") if sum(map(len, push.lines)) > 5000 else (204, {}, b""))
    lines = numbered("413", 2000)
    append(logs / "a.log", *lines)
    shipper = tail(stub.url).start()
    wait_for("lines", lambda: len(stub.lines) >= 2000)
    assert stub.lines == lines
    assert shipper.stop() == 0
    stub.stop()


def test_a_401_or_404_keeps_everything_until_it_is_repaired(logs, tail):
    status = [401]
    stub = LokiStub(lambda push: (status[0], {}, b"no"))
    append(logs / "a.log", *numbered("kept", 10))
    shipper = tail(stub.url).start()
    for status[0] in (401, 404):
        n = len(stub.pushes)
        wait_for("another try", lambda: len(stub.pushes) > n)
    status[0] = 204
    wait_for("lines", lambda: stub.lines == numbered("kept", 10))
    assert shipper.stop() == 0
    stub.stop()


def test_two_clients_each_get_every_line_and_one_does_not_wait_for_the_other(ingester, make_shipper, logs, tmp_path):
    down = [True]
    stub = LokiStub(lambda push: (503, {}, b"") if down[0] else (204, {}, b""))
    config = """
clients:
  - {url: %s/loki/api/v1/push, external_labels: {to: one, job: not-this}}
  - {url: %s/loki/api/v1/push, external_labels: {to: two}, tenant_id: blue, headers: {X-Test: yes}, bearer_token: secret, backoff_config: {max_period: 1s}}
positions: {filename: %s/positions.yaml}
scrape_configs:
  - job_name: a
    static_configs: [{targets: [localhost], labels: {job: s, __path__: '%s/*.log'}}]
""" % (ingester.url, stub.url, tmp_path, logs)
    lines = numbered("both", 100)
    append(logs / "a.log", *lines)
    shipper = make_shipper(config=config).start()
    stored(ingester, lines, '{job="s", to="one"}')
    wait_for("tries", lambda: stub.pushes)
    shipper.kill()                                          # the position is that of the one that is behind
    shipper.start()
    down[0] = False
    wait_for("lines", lambda: len(stub.lines) >= 100)
    assert stub.lines == lines
    assert stub.stored[0].streams[0][0] == '{filename="%s/a.log", job="s", to="two"}' % logs
    headers = stub.stored[0].headers
    assert headers["X-Scope-OrgID"] == "blue" and headers["X-Test"] == "yes" and headers["Authorization"] == "Bearer secret"
    stored(ingester, lines, '{job="s"}')
    assert shipper.stop() == 0
    stub.stop()


def test_a_truncation_goes_on_at_one_server_while_another_is_away(stub, make_shipper, logs, tmp_path):
    config = ("clients:\n  - {url: %s/loki/api/v1/push}\n  - {url: 'http://127.0.0.1:1/loki/api/v1/push', name: away}\n"
              "positions: {filename: %s/p.yaml}\nscrape_configs: [{static_configs: [{labels: {__path__: '%s/*.log'}}]}]\n" % (stub.url, tmp_path, logs))
    append(logs / "a.log", b"first")
    shipper = make_shipper(config=config).start()
    wait_for("first line", lambda: stub.lines == [b"first"])
    os.truncate(logs / "a.log", 0)
    append(logs / "a.log", b"second, longer than the first was")
    wait_for("second line", lambda: stub.lines == [b"first", b"second, longer than the first was"])
    assert "were seen, but are in no copy and lost" in shipper.log()
    assert shipper.stop() == 0


def test_a_server_that_is_away_is_waited_for(make_ingester, tail, logs):
    server = make_ingester().start()
    shipper = tail(server.url).start()
    append(logs / "a.log", *numbered("first", 10))
    stored(server, numbered("first", 10))
    server.stop()
    append(logs / "a.log", *numbered("meanwhile", 10))
    time.sleep(2)
    server.start()
    stored(server, numbered("first", 10) + numbered("meanwhile", 10))
    assert shipper.stop() == 0


def test_sigterm_ends_what_is_under_way(logs, tail):
    def slow(push):
        time.sleep(1)
        return 204, {}, b""
    stub = LokiStub(slow)
    append(logs / "a.log", b"under way")
    shipper = tail(stub.url).start()
    wait_for("push", lambda: stub.pushes)
    assert shipper.stop() == 0
    assert stub.lines == [b"under way"]
    stub.answer = lambda push: (204, {}, b"")
    shipper.start()
    append(logs / "a.log", b"next")
    wait_for("next line", lambda: len(stub.lines) > 1)
    assert stub.lines == [b"under way", b"next"]
    assert shipper.stop() == 0
    stub.stop()


def test_once_gives_up_on_a_server_that_is_not_there(make_shipper, logs, tmp_path):
    append(logs / "a.log", b"x")
    config = ("clients: [{url: 'http://127.0.0.1:1/loki/api/v1/push', backoff_config: {min_period: 10ms, max_period: 10ms, max_retries: 3}}]\n"
              "positions: {filename: %s/p.yaml}\nscrape_configs: [{static_configs: [{labels: {__path__: '%s/*.log'}}]}]\n" % (tmp_path, logs))
    shipper = make_shipper(config=config, arguments=["--once"]).start()
    assert shipper.process.wait(60) == 1


def test_once_delivers_to_the_others_when_one_gives_up(ingester, stub, make_shipper, logs, tmp_path):
    """And the next run has the rest."""
    lines = numbered("left", 20000)
    append(logs / "a.log", *lines)
    stub.answer = lambda push: (503, {}, b"")
    config = ("clients:\n"
              "  - {name: dead, url: %s/loki/api/v1/push, backoff_config: {min_period: 10ms, max_period: 10ms, max_retries: 3}}\n"
              "  - {name: live, url: %s/loki/api/v1/push, batchsize: 20000}\n"
              "positions: {filename: %s/p.yaml}\nscrape_configs: [{static_configs: [{labels: {job: s, __path__: '%s/*.log'}}]}]\n")
    config %= stub.url, ingester.url, tmp_path, logs
    shipper = make_shipper(config=config, arguments=["--once"]).start()
    assert shipper.process.wait(60) == 1
    assert "client dead: giving up after 4 failures in a row" in shipper.log()
    stored(ingester, lines)
    assert stub.lines == []
    stub.answer = lambda push: (204, {}, b"")
    shipper.start().finish()
    assert stub.lines == lines
    stored(ingester, lines)


@pytest.mark.parametrize("nreloads", [1, 3])
def test_what_is_deleted_before_it_is_delivered_outlives_a_reload(stub, make_shipper, logs, tmp_path, nreloads):
    lines = numbered("deleted", 2000)
    stub.answer = lambda push: (503, {}, b"")
    shipper = make_shipper(config=(
        "clients: [{url: %s/loki/api/v1/push, batchsize: 5000, backoff_config: {min_period: 50ms, max_period: 50ms}}]\n"
        "positions: {filename: %s/p.yaml}\nscrape_configs: [{static_configs: [{labels: {job: s, __path__: '%s/*.log'}}]}]\n")
        % (stub.url, tmp_path, logs)).start()
    append(logs / "a.log", *lines)
    append(logs / "b.log", b"stays")
    wait_for("a push", lambda: stub.pushes)
    os.remove(logs / "a.log")
    for i in range(nreloads):
        shipper.process.send_signal(signal.SIGHUP)
        wait_for("the reload", lambda: shipper.log().count("a.log was deleted and is read to its end") > i)
    stub.answer = lambda push: (204, {}, b"")
    wait_for("the lines", lambda: len(stub.lines) >= len(lines) + 1)
    assert sorted(stub.lines) == sorted(lines + [b"stays"])
    wait_for("its end", lambda: "a.log is read to its end and deleted" in shipper.log())
    assert not [link for link in map(os.path.realpath, glob.glob("/proc/%d/fd/*" % shipper.pid)) if "a.log" in link]
    assert shipper.stop() == 0


def test_pushes_in_gzip(ingester, stub, make_shipper, logs, tmp_path):
    lines = numbered("packed", 5000)
    append(logs / "a.log", *lines)
    make_shipper(arguments=["--once"], config=(
        "clients: [{url: %s/loki/api/v1/push, compression: gzip}, {url: %s/loki/api/v1/push, compression: gzip}]\n"
        "positions: {filename: %s/positions}\n"
        "scrape_configs: [{static_configs: [{labels: {job: s, __path__: '%s/*.log'}}]}]\n") % (ingester.url, stub.url, tmp_path, logs)).start().finish()
    stored(ingester, lines)
    assert [line for push in stub.stored for line in push.lines] == lines
    assert all(push.headers["Content-Encoding"] == "gzip" for push in stub.pushes)


# ---- configuration, positions, metrics ----

def test_promtails_configuration_and_positions_are_taken_over(stub, make_shipper, logs, tmp_path):
    append(logs / "a.log", b"done", b"new")
    append(logs / "b.log", b"all of it")
    append(logs / "c.tmp.log", b"excluded")
    positions = tmp_path / "positions.yaml"
    positions.write_text('positions:\n  %s: "5"\n' % (logs / "a.log"))
    config = """
server: {http_listen_port: 0, http_listen_address: 127.0.0.1, grpc_listen_port: 0}
positions: {filename: %s, sync_period: 100ms}
clients: [{url: "${URL}/loki/api/v1/push", batchwait: 100ms, batchsize: 1024}]
scrape_configs:
  - job_name: system
    static_configs:
      - targets: [localhost]
        labels: {job: varlogs, __path__: "%s/*.log", __path_exclude__: "%s/*.tmp.log"}
""" % (positions, logs, logs)
    shipper = make_shipper(config=config, arguments=["-config.expand-env"], env={"URL": stub.url}).start()
    wait_for("lines", lambda: sorted(stub.lines) == [b"all of it", b"new"])
    assert stub.stored[0].streams[0][0].startswith('{filename="%s/' % logs)
    base = wait_for("address", lambda: re.search(r"http://127\.0\.0\.1:\d+", shipper.log())).group()
    assert urllib.request.urlopen(base + "/ready").read() == b"Ready\n"
    metrics = urllib.request.urlopen(base + "/metrics").read().decode()
    assert re.search(r"^cordwood_shipper_files 2$", metrics, re.M), metrics
    assert re.search(r'^cordwood_shipper_pushes_total\{client="127[^"]*",status="204"\} [12]$', metrics, re.M)
    assert re.search(r'^cordwood_shipper_sent_entries_total\{.*\} 2$', metrics, re.M)
    assert shipper.stop() == 0
    assert positions.read_text() == 'positions:\n  %s: "5"\n' % (logs / "a.log")
    shipper.start()
    append(logs / "a.log", b"later")
    wait_for("later line", lambda: len(stub.lines) > 2)
    assert sorted(stub.lines) == [b"all of it", b"later", b"new"]
    assert shipper.stop() == 0


def test_sighup_takes_a_new_configuration_and_keeps_the_old_one_if_it_is_wrong(stub, make_shipper, logs, tmp_path):
    text = ("clients: [{url: %s/loki/api/v1/push}]\npositions: {filename: %s/p.yaml}\n"
            "scrape_configs: [{static_configs: [{labels: {v: '%%s', __path__: '%s/*.log'}}]}]\n" % (stub.url, tmp_path, logs))
    append(logs / "a.log", b"1")
    shipper = make_shipper(config=text % "one").start()
    pid = shipper.pid
    wait_for("line", lambda: stub.lines == [b"1"])
    config = tmp_path / "shipper" / "shipper.yaml"
    config.write_text("clints: []\n")
    shipper.process.send_signal(signal.SIGHUP)
    wait_for("complaint", lambda: "not reloaded" in shipper.log())
    append(logs / "a.log", b"2")
    wait_for("line", lambda: stub.lines == [b"1", b"2"])
    config.write_text(text % "two")
    shipper.process.send_signal(signal.SIGHUP)
    wait_for("restart", lambda: shipper.log().count("files\"") == 2)
    append(logs / "a.log", b"3")
    wait_for("line", lambda: stub.lines == [b"1", b"2", b"3"])
    assert 'v="one"' in stub.stored[1].streams[0][0] and 'v="two"' in stub.stored[2].streams[0][0]
    assert shipper.pid == pid and shipper.stop() == 0


@pytest.fixture
def signals_held():
    """What is started meanwhile begins with them blocked, as when they come before its first instruction."""
    held = {signal.SIGTERM, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, held)
    yield
    signal.pthread_sigmask(signal.SIG_UNBLOCK, held)


def test_a_sigterm_that_comes_before_the_start_ends_it_in_order(stub, tail, logs, signals_held):
    append(logs / "a.log", b"there before")
    for _ in range(3):
        shipper = tail(stub.url).start()
        shipper.process.send_signal(signal.SIGTERM)
        assert shipper.process.wait(60) == 0
    assert stub.lines == [b"there before"]


def test_any_number_of_sighups_at_any_time_are_reloads(stub, tail, logs, signals_held):
    want, end = [], time.monotonic() + 2
    shipper = tail(stub.url).start()
    while time.monotonic() < end:
        shipper.process.send_signal(signal.SIGHUP)
        want.append(b"line %d" % len(want))
        append(logs / "a.log", want[-1])
        time.sleep(random.uniform(0, 0.01))
    wait_for("all lines", lambda: set(want) <= set(stub.lines))
    assert shipper.log().count("reloading") > 10
    shipper.process.send_signal(signal.SIGTERM)
    assert shipper.process.wait(60) == 0


def test_positions_that_cannot_be_written_at_the_start_are_an_error(stub, make_shipper, logs, tmp_path):
    (tmp_path / "p.cordwood.tmp").mkdir()
    append(logs / "a.log", b"1")
    shipper = make_shipper(config="clients: [{url: %s/loki/api/v1/push}]\npositions: {filename: %s/p}\n"
                           "scrape_configs: [{static_configs: [{labels: {job: s, __path__: '%s/*.log'}}]}]\n" % (stub.url, tmp_path, logs)).start()
    assert shipper.process.wait(60) == 1
    assert "positions could not be written" in shipper.log() and not stub.lines


def test_the_store_is_told_when_marks_may_be_forgotten_and_positions_are_not_shipped(ingester, make_shipper, logs):
    config = ("clients: [{url: %s/loki/api/v1/push, batchwait: 100ms}]\npositions: {filename: %s/positions.yaml, sync_period: 200ms}\n"
              "scrape_configs: [{static_configs: [{labels: {job: s, __path__: '%s/*'}}]}]\n" % (ingester.url, logs, logs))
    append(logs / "a", *numbered("confirm", 10))
    shipper = make_shipper(config=config).start()
    stored(ingester, numbered("confirm", 10))

    def confirmed():
        sources = json.loads(ingester.ask("GET", "/cordwood/v1/sources")[1])["sources"]
        return len(sources) == 1 and sources[0]["confirmed"] == sources[0]["offset"] == os.path.getsize(logs / "a")
    wait_for("confirm", confirmed)
    os.unlink(logs / "a")
    wait_for("gone source", lambda: b"/a " not in (logs / "positions.yaml.cordwood").read_bytes(), 60)
    assert shipper.stop() == 0


def test_long_lines_are_cut_or_left_out_as_configured(stub, make_shipper, logs, tmp_path):
    append(logs / "a.log", b"short", b"x" * 3000, b"y" * 2000000, b"end")
    for truncate, want in ((True, [b"short", b"x" * 1024, b"y" * 1024, b"end"]), (False, [b"short", b"end"])):
        stub.stored.clear()
        config = ("clients: [{url: %s/loki/api/v1/push}]\npositions: {filename: %s/p-%s.yaml}\n"
                  "limits_config: {max_line_size: 1KB, max_line_size_truncate: %s}\n"
                  "scrape_configs: [{static_configs: [{labels: {__path__: '%s/*.log'}}]}]\n" % (stub.url, tmp_path, truncate, str(truncate).lower(), logs))
        shipper = make_shipper("shipper-%s" % truncate, config=config).start()
        wait_for("lines", lambda: stub.lines == want)
        assert shipper.stop() == 0


def test_two_shippers_do_not_share_positions(stub, make_shipper, logs, tmp_path):
    append(logs / "a.log", b"x")
    state = ["--state-dir", str(tmp_path / "state")]
    first = make_shipper("one", arguments=["--push", stub.url, *state, str(logs / "*.log")]).start()
    wait_for("line", lambda: stub.lines)
    second = usage("--push", stub.url, *state, str(logs / "*.log"))
    assert second.returncode == 1 and b"pid %d" % first.pid in second.stderr, second.stderr
    assert first.stop() == 0


def test_a_damaged_positions_file_is_an_error_not_a_guess(stub, tail, logs, tmp_path):
    append(logs / "a.log", b"x")
    tail(stub.url, "--once").start().finish()
    positions = tmp_path / "shipper" / "state" / "cordwood" / "positions.cordwood"
    text = positions.read_bytes()
    positions.write_bytes(text.replace(b" 1 2 ", b" 1 0 "))
    assert positions.read_bytes() != text
    shipper = tail(stub.url, "--once").start()
    assert shipper.process.wait(30) == 1
    assert "positions.cordwood: bad checksum" in shipper.log()


def test_usage_and_check(tmp_path, logs):
    assert usage().returncode == 2
    assert usage("--push", "http://h").returncode == 2
    assert usage("--push", "h:1", "/x").returncode == 2
    assert usage("--push", "http://h", "/x[").returncode == 2
    assert usage("--help").returncode == 0 and b"--push" in usage("--help").stdout
    config = tmp_path / "c.yaml"
    config.write_text("clients: [{url: 'http://h/loki/api/v1/push'}]\nscrape_configs: [{static_configs: [{labels: {__path__: /x}}]}]\n")
    for flag in ("--config", "-config.file", "--config.file"):
        assert usage(flag, str(config), "--check").returncode == 0
    assert usage("--config=" + str(config), "--push", "http://h").returncode == 2
    config.write_text("scrape_configs: [{static_configs: [{labels: {__path__: /x}, pipeline_stages: []}]}]\n")
    bad = usage("--config", str(config), "--check")
    assert bad.returncode == 2 and b"c.yaml:1:" in bad.stderr, bad.stderr
    config.write_text("first: 1\nsecond: 2\n")
    several = usage("--config", str(config), "--check").stderr.decode().splitlines()
    assert [row.rpartition("c.yaml:")[2][:2] for row in several] == ["1:", "2:", " 2"], several     # as in the file, then their number


def test_a_pattern_that_matches_nothing_is_told(tmp_path, logs):
    append(logs / "a.log", b"one")
    done = usage("--dry-run", "--once", str(logs / "a.log"), str(logs / "b*.log"))
    assert done.returncode == 0 and b"no file matches %s" % bytes(logs / "b*.log") in done.stderr and b"a.log\"" not in done.stderr, done


def test_a_dry_run_prints_and_remembers_nothing(tmp_path, logs):
    append(logs / "a.log", b"one", b"two")
    for _ in range(2):
        done = usage("--dry-run", "--once", "--label", "job=d", str(logs / "*.log"), env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")})
        assert done.returncode == 0, done.stderr
        rows = [row.split("\t") for row in done.stdout.decode().splitlines()]
        assert [row[2] for row in rows] == ["one", "two"] and 'job="d"' in rows[0][1]
    assert not (tmp_path / "state").exists()


def test_only_public_leaves_out_what_not_everybody_may_read(public_path):
    for name, mode in (("open", 0o755), ("closed", 0o700)):
        folder = public_path / name
        folder.mkdir(0o755)
        for file, bits in (("public", 0o644), ("private", 0o640)):
            path = folder / (file + ".log")
            path.write_text("%s %s\n" % (name, file))
            path.chmod(bits)
        folder.chmod(mode)
    arguments = ["--push", "http://127.0.0.1:1", "--label", "job=x", "--once", "--dry-run"]
    shown = []
    for more in ([], ["--only-public"]):
        done = subprocess.run([SHIPPER, *arguments, *more, "%s/**/*.log" % public_path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
        shown.append(sorted(row.rsplit(b"\t", 1)[1] for row in done.stdout.splitlines()))
    assert shown == [[b"closed private", b"closed public", b"open private", b"open public"], [b"open public"]]


def test_sigterm_delivers_what_is_there_within_a_bound(make_shipper, logs, tmp_path):
    stub, want = LokiStub(), numbered("last words", 5000)

    def started(name, bound, says):
        config = ("server: {graceful_shutdown_timeout: %s}\nclients: [{url: '%s/loki/api/v1/push', batchwait: 1h}]\npositions: {filename: %s/p}\n"
                  "scrape_configs: [{static_configs: [{labels: {job: s, __path__: '%s/*.log'}}]}]\n" % (bound, stub.url, tmp_path, logs))
        shipper = make_shipper(name, config=config).start()
        wait_for("its start", lambda: says in shipper.log())
        return shipper, time.monotonic()
    shipper, _ = started("delivers", "2m", "no ranges")
    append(logs / "a.log", *want[:2000])
    time.sleep(1.5)
    assert not stub.lines                                   # they wait for a full batch
    append(logs / "a.log", *want[2000:])
    append(logs / "new.log", b"a file that nobody saw yet", b"and no end", end=b"")
    assert shipper.stop() == 0                              # in half of the two minutes that it may take
    assert differences(want + [b"a file that nobody saw yet"], stub.lines) is None
    stub.stop()                                             # and nobody takes anything
    append(logs / "a.log", b"more")
    shipper, began = started("waits", "4s", "again in")
    assert shipper.stop() == 0 and time.monotonic() - began > 3
    assert "bytes wait for the next start" in shipper.log()
    shipper, _ = started("hurries", "2m", "again in")
    shipper.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert shipper.stop() == 0                              # the second one does not wait


def test_a_last_stack_trace_is_delivered_at_a_stop(make_shipper, logs, tmp_path):
    stub = LokiStub()
    append(logs / "a.log", b"1 first", b"2 crash", b" at a", b" at b")
    shipper = make_shipper(config="""
server: {graceful_shutdown_timeout: 4s}
clients: [{url: '%s/loki/api/v1/push', batchwait: 50ms}]
positions: {filename: %s/p}
scrape_configs:
  - static_configs: [{labels: {job: s, __path__: '%s/*.log'}}]
    pipeline_stages: [{multiline: {firstline: '^[0-9]', max_wait_time: 1h}}]
""" % (stub.url, tmp_path, logs)).start()
    wait_for("what is ahead of it", lambda: stub.lines == [b"1 first"])
    assert shipper.stop() == 0
    assert stub.lines == [b"1 first", b"2 crash\n at a\n at b"]
    assert "wait for the next start" not in shipper.log()
    stub.stop()


@pytest.mark.parametrize("clients", ["", ", {name: too, tenant_id: b, url: '%s/loki/api/v1/push', batchwait: 50ms}"])
def test_tenants_that_entries_name_all_arrive_at_a_server_that_has_none(make_shipper, ingester, logs, tmp_path, clients):
    """To it they are one: each of them must not take the marks of another for its own. Nor a client those of one with another tenant."""
    want = [b"%s line %d" % (who, i) for i in range(500) for who in (b"a", b"b", b"nobody")]
    shipper = make_shipper(config="""
clients: [{url: '%s/loki/api/v1/push', batchwait: 50ms}%s]
positions: {filename: %s/positions.yaml}
scrape_configs:
  - static_configs: [{labels: {job: s, __path__: '%s/*.log'}}]
    pipeline_stages:
      - regex: {expression: '^(?P<who>[ab]) '}
      - tenant: {source: who}
""" % (ingester.url, clients and clients % ingester.url, tmp_path, logs))
    shipper.start()
    for i in range(0, len(want), 300):                      # so that each has something of several pushes
        with open(logs / "a.log", "ab") as f:
            f.write(b"".join(line + b"\n" for line in want[i:i + 300]))
        time.sleep(0.3)
    wait_for("%d lines" % len(want), lambda: ingester.count('{job="s"}') >= len(want), 30, 0.2)
    assert sorted(set(ingester.export_lines('{job="s"}'))) == sorted(want)
    assert clients or ingester.count('{job="s"}') == len(want)
