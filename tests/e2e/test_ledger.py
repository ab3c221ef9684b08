"""The ledger adds up: read = dropped + left out + acknowledged + refused, for each client that takes all."""
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
    return ("server: {http_listen_address: 127.0.0.1, http_listen_port: 0}\n"
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
    path = shipper.argv[shipper.argv.index("--config") + 1]
    return json.loads(subprocess.run([SHIPPER, "audit", "--config", path, "--json"], stdout=subprocess.PIPE, timeout=60).stdout)


def row(ledger, name):
    return ledger["clients"][name]


def settled(ledger, name):
    """What became of the lines for a client."""
    has = row(ledger, name)
    return (sum(ledger.get("dropped", {}).values()) + has.get("acknowledged", 0) + sum(has.get("left_out", {}).values())
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
    if "split" not in limits:
        assert adds_up(ledger, "a", "some"), ledger
    assert set(row(ledger, "some")["left_out"]) == {"selector", *left_out} and row(ledger, "some")["acknowledged"] == len(stubs[1].lines) == taken // 4
