"""The ledger adds up: read + made = joined + dropped + left out + acknowledged + refused, for each client."""
import gzip
import json
import re
import subprocess
import urllib.request

import pytest

from loki_stub import LokiStub
from programs import SHIPPER, wait_for


@pytest.fixture
def stubs():
    made = [LokiStub(), LokiStub()]
    yield made
    for stub in made:
        stub.stop()


def client(name, url, more=""):
    return ("- {name: %s, url: '%s/loki/api/v1/push', batchwait: 50ms, backoff_config: {min_period: 20ms, max_period: 100ms}%s}\n"
            % (name, url, more))


def config(folder, clients, stages="", more=""):
    return ("server: {http_listen_address: 127.0.0.1, http_listen_port: 0, graceful_shutdown_timeout: 100ms}\n"
            "clients:\n%s"
            "positions: {filename: %s/state/positions, sync_period: 100ms}\n"
            "target_config: {sync_period: 100ms}\n%s\n"
            "scrape_configs:\n- static_configs: [{labels: {job: l, __path__: '%s/logs/*'}}]\n%s"
            % ("".join(clients), folder, more, folder, "  pipeline_stages:\n" + stages if stages else ""))


def append(folder, lines, name="a.log"):
    (folder / "logs").mkdir(exist_ok=True)
    with open(folder / "logs" / name, "a") as f:
        f.write("".join(line + "\n" for line in lines))


def metric(shipper, name):
    own = re.search(r"at (http://[^\s\"]+)", shipper.log()).group(1)
    rows = urllib.request.urlopen(own + "/metrics").read().decode().splitlines()
    return sum(float(row.rsplit(" ", 1)[1]) for row in rows if re.match(name + r"[ {]", row))


def audit(shipper):
    """By the running shipper, or by what it has written; a start has written nothing for a moment."""
    command = [SHIPPER, "audit", "--config", shipper.argv[shipper.argv.index("--config") + 1], "--json"]
    return json.loads(wait_for("positions", lambda: subprocess.run(command, stdout=subprocess.PIPE, timeout=60).stdout))


def row(ledger, name):
    return ledger.get("clients", {}).get(name, {})


def settled(ledger, name):
    """What became of the lines for a client; those that were made of others do not count."""
    has = row(ledger, name)
    return (ledger.get("joined", 0) - ledger.get("made", 0) + sum(ledger.get("dropped", {}).values()) + has.get("acknowledged", 0) + sum(has.get("left_out", {}).values())
            + sum(has.get("refused", {}).values()))


def adds_up(ledger, *names):
    return all(ledger["read"] == settled(ledger, name) for name in names)


TENANTS = """
  - regex: {expression: '^(?P<k>\\S+)'}
  - labels: {k: }
  - tenant: {source: k}
  - drop: {expression: 'debug', drop_counter_reason: debug}
"""


@pytest.mark.parametrize("limits,left_out,taken", [("", {"line too long": 12}, 28), (", max_line_size_truncate: true", {}, 40), (", long_lines: split", {}, 52)])
def test_a_line_counts_once_for_each_client_whatever_tenants_there_are(make_shipper, stubs, tmp_path, limits, left_out, taken):
    lines = ["t%d short %d" % (i % 4, i) for i in range(28)] + ["t%d is longer than %s %d" % (i % 4, "thirty bytes", i + 10) for i in range(12)]
    append(tmp_path, lines + ["t9 debug"] * 5)
    clients = [client("a", stubs[0].url), client("some", stubs[1].url, ", selector: '{k=\"t2\"}'")]
    shipper = make_shipper(config=config(tmp_path, clients, TENANTS, "limits_config: {max_line_size: 25%s}" % limits)).start()
    wait_for("all", lambda: len(stubs[0].lines) == taken and audit(shipper)["behind"] == 0)
    counted = [metric(shipper, "cordwood_shipper_lines_%s_total" % what) for what in ("skipped", "truncated", "split")]
    assert shipper.stop() == 0 and counted == [12 * (limits == ""), 12 * ("truncate" in limits), 24 * ("split" in limits)]
    ledger = audit(shipper)["sum"]
    assert ledger["read"] == 45 and ledger["dropped"] == {"debug": 5}
    assert row(ledger, "a").get("left_out", {}) == left_out and row(ledger, "a")["acknowledged"] == taken
    assert adds_up(ledger, "a", "some"), ledger
    assert set(row(ledger, "some")["left_out"]) == {"selector", *left_out} and row(ledger, "some")["acknowledged"] == len(stubs[1].lines) == taken // 4


def broken(push):
    return 500, {}, b""


@pytest.mark.parametrize("cordwood", [True, False], ids=["with_marks", "without"])
def test_counts_outlive_restarts_while_one_of_several_clients_is_down(make_shipper, make_ingester, stubs, tmp_path, cordwood):
    server = make_ingester().start() if cordwood else stubs[0]
    stubs[1].answer = broken
    clients = [client("a", server.url), client("b", stubs[1].url)]
    text = config(tmp_path, clients, TENANTS, "limits_config: {max_line_size: 30}")
    nlines = 0
    for run in range(3):
        append(tmp_path, ["t%d line %d of %d" % (i % 3, i, run) for i in range(200)] + ["t1 debug"] * 5 + ["t2 is longer than thirty bytes, by far"] * 4)
        nlines += 209
        shipper = make_shipper(config=text).start()
        wait_for("what a takes", lambda: settled(audit(shipper)["sum"], "a") == nlines)
        assert shipper.stop() == 0
        ledger = audit(shipper)["sum"]
        assert ledger["read"] == nlines == settled(ledger, "a"), ledger
        assert row(ledger, "a")["sent"] == row(ledger, "a")["acknowledged"] == 200 * (run + 1)
        assert row(ledger, "b")["sent"] == 200 * (run + 1) and "acknowledged" not in row(ledger, "b")
    stubs[1].answer = lambda push: (204, {}, b"")
    shipper.start()
    wait_for("b too", lambda: len(stubs[1].lines) == 600 and audit(shipper)["behind"] == 0)
    assert shipper.stop() == 0
    ledger = audit(shipper)["sum"]
    assert ledger["read"] == nlines and adds_up(ledger, "a", "b"), ledger
    for name in "ab":
        assert row(ledger, name)["sent"] == row(ledger, name)["acknowledged"] == 600 and "adopted" not in row(ledger, name)
        assert row(ledger, name)["left_out"] == {"line too long": 12}
    assert ledger["dropped"] == {"debug": 15}


@pytest.mark.parametrize("stages,nread", [("", 33), (TENANTS, 333)], ids=["no_tenants", "tenants"])
def test_a_kill_leaves_a_ledger_that_says_how_much_the_server_had(make_shipper, make_ingester, tmp_path, stages, nread):
    """What was stored since the ledger was written is in no count but that of bytes, once for all tenants; if no output has to read
    it again, nor in `read`."""
    server = make_ingester().start()
    text = config(tmp_path, [client("a", server.url)], stages).replace("sync_period: 100ms", "sync_period: 1h")
    log, sizes, nlines = tmp_path / "logs" / "a.log", [], 0
    shipper = make_shipper(config=text)
    for n, end in [(3, shipper.stop), (300, shipper.kill), (30, shipper.stop)]:
        append(tmp_path, ["t%d line %d" % (i % 3, i) for i in range(n)])
        shipper.start()
        nlines += n
        wait_for("the lines", lambda: server.count('{job="l"}') == nlines and audit(shipper)["behind"] == 0)
        end()
        sizes.append(log.stat().st_size)
    ledger = audit(shipper)["sum"]
    assert ledger["read"] == nread and row(ledger, "a")["sent"] == 33 == row(ledger, "a")["acknowledged"], ledger
    assert row(ledger, "a")["adopted"] == sizes[1] - sizes[0], ledger


JOINED = """
  - multiline: {firstline: '^[t\\[]', max_wait_time: 200ms}
  - split_json: {}""" + TENANTS


def test_lines_that_are_joined_split_and_in_pieces_add_up_over_a_restart(make_shipper, make_ingester, stubs, tmp_path):
    server = make_ingester().start()
    stubs[1].answer = broken
    clients = [client("a", server.url), client("b", stubs[1].url), client("some", stubs[0].url, ", selector: '{k=\"t1\"}'")]
    text = config(tmp_path, clients, JOINED, "limits_config: {max_line_size: 30, long_lines: split}")
    lines = []
    for i in range(60):
        lines += ["t%d crash %d" % (i % 3, i), "  at a.c", "  at b.c"][:1 + i % 3] + ["t%d debug" % (i % 3)] * (i % 5 == 0)
    append(tmp_path, lines + ['["t1 one", "t2 two", "t2 debug", "t0 four"]'] * 5 + ["t0 is in two pieces, which a line may be"] * 4 + ["t1 last", "  at c.c"])
    nlines = len(lines) + 11
    shipper = make_shipper(config=text).start()
    wait_for("what a takes", lambda: audit(shipper)["sum"].get("read") == nlines and adds_up(audit(shipper)["sum"], "a", "some"))
    njoined = metric(shipper, "cordwood_shipper_lines_joined_total")
    assert shipper.stop() == 0
    stubs[1].answer = lambda push: (204, {}, b"")
    shipper.start()
    wait_for("b too", lambda: adds_up(audit(shipper)["sum"], "a", "b", "some"))
    assert shipper.stop() == 0
    ledger = audit(shipper)["sum"]
    assert ledger["read"] == nlines and ledger["joined"] == njoined == 61 and ledger["made"] == 5 * 3 + 4, ledger
    assert ledger["dropped"] == {"debug": 12 + 5} and adds_up(ledger, "a", "b", "some"), ledger
    assert row(ledger, "a")["sent"] == row(ledger, "b")["acknowledged"] == len(stubs[1].lines) and "adopted" not in row(ledger, "a")
    path = shipper.argv[shipper.argv.index("--config") + 1]
    told = subprocess.run([SHIPPER, "audit", "--config", path], stdout=subprocess.PIPE, text=True, timeout=60).stdout
    assert "read %d lines" % nlines in told and "joined 61, made 19 more, dropped 17 (debug)" in told, told


def test_compressed_files_are_settled_in_bytes_of_their_text(make_shipper, stubs, tmp_path):
    stubs[0].answer = broken
    texts = {"small.gz": b"g1\ng2\n", "large.gz": b"".join(b"line %d\n" % i for i in range(20000))}
    (tmp_path / "logs").mkdir()
    for name, text in texts.items():
        (tmp_path / "logs" / name).write_bytes(gzip.compress(text))
    shipper = make_shipper(config=config(tmp_path, [client("a", stubs[0].url)], "", "").replace("static_configs", "decompression: {enabled: true, format: gz}\n  static_configs"))

    def sizes():
        return {source["path"].rsplit("/")[-1]: (source["position"], source.get("size")) for source in audit(shipper)["sources"]}

    def told():
        path = shipper.argv[shipper.argv.index("--config") + 1]
        return subprocess.run([SHIPPER, "audit", "--config", path], stdout=subprocess.PIPE, text=True, timeout=60).stdout

    shipper.start()
    wait_for("what waits", lambda: audit(shipper)["behind"] == sum(map(len, texts.values())) and audit(shipper)["sum"].get("read") == 20002)
    assert shipper.stop() == 0
    assert sizes() == {name: (0, len(text)) for name, text in texts.items()} and "settled 0 bytes of 6 unpacked\n" in told()
    stubs[0].answer = lambda push: (204, {}, b"")
    shipper.start()
    wait_for("all", lambda: len(stubs[0].lines) == 20002 and audit(shipper)["behind"] == 0)
    assert shipper.stop() == 0
    assert sizes() == {name: (len(text), len(text)) for name, text in texts.items()}
    assert "settled 6 bytes of 6 unpacked\n" in told() and "in all 2 files, 0 bytes behind" in told(), told()
    ledger = tmp_path / "state" / "positions.cordwood.ledger"
    ledger.write_text(ledger.read_text().splitlines()[0] + "\n")   # of a shipper that kept none
    assert "settled 6 bytes unpacked, of a compressed file of " in told() and audit(shipper)["behind"] == 0
