"""The shipper into the real VictoriaLogs, by its endpoint for Loki's pushes: at least once, over kills of either."""
import json
import os
import random
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter

import pytest

from go_toolchain import build, go_like_lokis
from load import RotatingWriter
from programs import LONG, Program, wait_for

PACKAGE = "github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs"
KILLS = 20 if LONG else 4
ALL = 10 ** 6


@pytest.fixture(scope="module")
def victoria_logs():
    """The program, compiled: it and its modules are pinned by go.mod and go.sum."""
    return build(go_like_lokis(), "victoria_logs", PACKAGE, GOFLAGS="-buildvcs=false", GO111MODULE="on", CGO_ENABLED="0")


class VictoriaLogs(Program):
    def __init__(self, program, folder, port, *flags):
        self.url = "http://127.0.0.1:%d" % port
        super().__init__([program, "-storageDataPath=%s/victoria-logs" % folder, "-httpListenAddr=127.0.0.1:%d" % port, *flags],
                         os.path.join(folder, "victoria-logs.log"))

    def ask(self, path, tenant="0:0", **params):
        account, project = tenant.split(":")
        request = urllib.request.Request(self.url + path + "?" + urllib.parse.urlencode(params), headers={"AccountID": account, "ProjectID": project})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    def healthy(self):
        assert self.running(), self.log()[-3000:]
        try:
            return self.ask("/health") == b"OK"
        except urllib.error.URLError:
            return False

    def start(self):
        super().start()
        wait_for("VictoriaLogs", self.healthy, 60)
        return self

    def entries(self, query="*", tenant="0:0"):
        return [json.loads(row.decode(errors="replace")) for row in self.ask("/select/logsql/query", tenant, query=query, limit=ALL).splitlines()]

    def lines(self, query="*", tenant="0:0"):
        return Counter(entry["_msg"] for entry in self.entries(query, tenant))

    def in_memory(self):
        """Entries that it has acknowledged and would lose in a kill: it saves them every few seconds."""
        return sum(int(row.split()[1]) for row in self.ask("/metrics").decode().splitlines()
                   if row.startswith(("vl_pending_rows", 'vl_storage_rows{type="storage/inmemory"}')))

    def saved(self):
        wait_for("all on its disk", lambda: not self.in_memory(), 60, 0.1)


@pytest.fixture
def store(victoria_logs, tmp_path, own_port, started):
    return lambda *flags: started.add(VictoriaLogs(victoria_logs, str(tmp_path), own_port(), "-inmemoryDataFlushInterval=1s", *flags)).start()


@pytest.fixture
def ship(make_shipper, tmp_path, logs):
    """ship(store, keys of the client, stages, path) - a shipper of logs/*.log into it; not started."""
    def make(store, client="", stages="[]", path="/insert/loki/api/v1/push"):
        return make_shipper(config=(
            "positions: {filename: %s/positions.yml, sync_period: 200ms}\ntarget_config: {sync_period: 200ms}\n"
            "clients: [{url: '%s%s', batchwait: 50ms, backoff_config: {min_period: 50ms, max_period: 200ms}%s}]\n"
            "scrape_configs: [{job_name: v, pipeline_stages: %s, static_configs: [{labels: {job: v, env: prod, __path__: '%s/*.log'}}]}]\n"
            % (tmp_path, store.url, path, client, stages, logs)))
    return make


def append(path, lines):
    with open(path, "ab") as f:
        f.write(b"".join(line.encode() + b"\n" for line in lines))


def arrive(store, want, tenant="0:0"):
    """All of them, each at least once and nothing else."""
    want = Counter(want)
    wait_for("lines", lambda: not want - store.lines(tenant=tenant), 60, 0.2)
    assert set(store.lines(tenant=tenant)) == set(want)


def numbers(lines):
    """Those of a writer's lines, whose other bytes are any."""
    return Counter(" ".join(line.split(" ")[:3]) for line in lines)


def load_arrives(store, path):
    want = numbers(path.read_bytes().decode(errors="replace").split("\n")[:-1])
    assert len(want) > 1000
    wait_for("lines", lambda: not want - numbers(store.lines().elements()), 60, 0.2)
    assert set(numbers(store.lines())) == set(want)


def letters(tmp_path):
    return [json.loads(row) for path in tmp_path.glob("positions.yml.cordwood.refused*") for row in path.read_bytes().splitlines()]


def test_lines_arrive_with_their_labels_metadata_and_time(store, ship, logs):
    lines = ["plain", "grüße 世界", "tab\tand \"quotes\"", "trace=abc123 level=warn with metadata", "x" * 200000]
    append(logs / "a.log", lines)
    stages = ("[{regex: {expression: '^trace=(?P<trace>\\w+) level=(?P<level>\\w+)'}}, {labels: {level: }}, {structured_metadata: {trace_id: trace}}]")
    server = store()
    began = time.time()
    shipper = ship(server, stages=stages).start()
    arrive(server, lines)
    assert shipper.stop() == 0
    assert "delivery is at least once" in shipper.log()         # it has no ranges, and says so by a 400
    (entry,) = server.entries('{job="v", level="warn"}')
    stream = '{env="prod",filename="%s",job="v",level="warn"}' % (logs / "a.log")
    assert (entry["trace_id"], entry["_stream"], entry["job"]) == ("abc123", stream, "v")
    assert abs(time.mktime(time.strptime(entry["_time"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone - began) < 3600
    assert {e["_stream"] for e in server.entries('{level=""}')} == {stream.replace(',level="warn"', "")}


@pytest.mark.parametrize("client", [", tenant_id: '12:34'", ", headers: {AccountID: '12', ProjectID: '34'}"])
def test_a_tenant_is_an_account_and_a_project(store, ship, logs, client):
    append(logs / "a.log", ["of a tenant"])
    server = store()
    shipper = ship(server, client).start()
    arrive(server, ["of a tenant"], tenant="12:34")
    assert shipper.stop() == 0
    assert server.entries() == []


@pytest.mark.parametrize("query,want", [("", {"_msg": "hello", "a": "1"}), ("?disable_message_parsing=1", {"_msg": '{"a":1,"_msg":"hello"}'})])
def test_a_line_of_json_is_taken_apart_there_unless_the_url_says_otherwise(store, ship, logs, query, want):
    append(logs / "a.log", ['{"a":1,"_msg":"hello"}'])
    server = store()
    ship(server, path="/insert/loki/api/v1/push" + query).start()
    (entry,) = wait_for("the line", server.entries)
    assert {name: value for name, value in entry.items() if name in ("_msg", "a")} == want


def test_killed_shippers_lose_nothing(store, ship, logs):
    server = store()
    shipper = ship(server).start()
    writer = RotatingWriter(logs, "a", rotate_every=10 ** 9).start()
    rng = random.Random(7)
    try:
        for _ in range(KILLS):
            time.sleep(rng.uniform(0.3, 1.2))
            shipper.kill()
            time.sleep(rng.uniform(0, 0.5))
            shipper.start()
    finally:
        writer.stop()
    load_arrives(server, logs / "a.log")


def test_what_is_written_while_it_is_killed_waits_for_it(store, ship, logs):
    server = store()
    shipper = ship(server).start()
    want = []
    for i in range(KILLS // 2):
        lines = ["round %d line %d" % (i, n) for n in range(500)]
        append(logs / "a.log", lines[:250])
        arrive(server, want + lines[:250])
        server.saved()
        server.kill()
        append(logs / "a.log", lines[250:])
        wait_for("a failed push", lambda: "failed" in shipper.log())
        if i % 2:
            shipper.kill()
            shipper.start()
        server.start()
        want += lines
        arrive(server, want)
        server.saved()
    assert shipper.stop() == 0


def test_its_restarts_under_load_lose_nothing(store, ship, logs):
    """SIGTERM, as a service manager sends it: what it acknowledged is saved then."""
    server = store()
    shipper = ship(server).start()
    writer = RotatingWriter(logs, "a", rotate_every=10 ** 9).start()
    try:
        for _ in range(KILLS):
            time.sleep(0.7)
            assert server.stop() == 0
            server.start()
    finally:
        writer.stop()
    load_arrives(server, logs / "a.log")
    assert shipper.stop() == 0


def test_a_batch_that_it_refuses_is_cut_until_only_bad_lines_are_left(store, ship, logs, tmp_path):
    """It answers 400, and takes none of a batch whose request is too large for it."""
    good = ["good %d %s" % (i, random.Random(i).randbytes(500).hex()) for i in range(300)]
    too_long = random.Random(9).randbytes(100 << 10).hex()
    append(logs / "a.log", good[:100] + [too_long] + good[100:])
    server = store("-loki.maxRequestSize=64KiB")
    shipper = ship(server, ", batchsize: 4MiB").start()
    arrive(server, good)
    (letter,) = wait_for("the dead letter", lambda: letters(tmp_path))
    assert letter["line"] == too_long and letter["status"] == 400, letter["status"]
    append(logs / "a.log", ["behind it"])
    arrive(server, good + ["behind it"])
    assert shipper.stop() == 0


def test_entries_of_a_tenant_that_it_cannot_have_are_dead_letters(store, ship, logs, tmp_path):
    append(logs / "a.log", ["12:34 taken", "team-a refused", "0:0 taken too"])
    server = store()
    ship(server, stages="[{regex: {expression: '^(?P<t>\\S+)'}}, {tenant: {source: t}}]").start()
    arrive(server, ["12:34 taken"], tenant="12:34")
    arrive(server, ["0:0 taken too"])
    (letter,) = wait_for("the dead letter", lambda: letters(tmp_path))
    assert letter["line"] == "team-a refused"
