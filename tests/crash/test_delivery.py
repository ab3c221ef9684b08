"""The scenarios of tests/models/delivery.py that one machine can stage, with the real programs: every line exactly once.

restarts, power, segments: test_kill.py and test_power_loss.py.
"""
import os
import shutil
import signal
import time

import pytest

from load import differences, numbered
from programs import BUILD, wait_for
from proxy import Proxy

FAULTS = os.path.join(BUILD, "tests", "support", "libfaults.so")
SMALL_STORE = "wal: {segment_bytes: 1MiB}\n"


def append(path, lines):
    with open(path, "ab") as f:
        f.write(b"".join(line + b"\n" for line in lines))


def tail(make_shipper, url, logs, name="shipper", *more):
    return make_shipper(name, arguments=["--push", url, "--label", "job=d", *more, str(logs / "*.log")])


def stored(server, want, selector='{job="d"}'):
    """Wait for as many entries as there are lines, then compare."""
    wait_for("stored lines", lambda: server.count(selector) >= len(want), 60, 0.1)
    time.sleep(0.5)
    difference = differences(want, server.export_lines(selector))
    assert difference is None, difference


class Faulty:
    """An ingester under libfaults.so, and its orders."""

    def __init__(self, make_ingester, tmp_path, config=SMALL_STORE):
        self.orders = tmp_path / "orders"
        self.orders.write_text("")
        self.server = make_ingester(config=config, env={"CW_FAULTS": str(self.orders)}, preload=FAULTS)

    def order(self, *orders):
        for note in self.orders.parent.glob("orders.*"):
            note.unlink()
        temporary = self.orders.with_name("next-orders")
        temporary.write_text("".join(o + "\n" for o in orders))
        temporary.rename(self.orders)

    def done(self, n=0):
        return os.path.exists("%s.%d" % (self.orders, n))


def test_a_lost_answer_is_asked_for_and_nothing_comes_twice(ingester, make_shipper, logs):
    seen = []

    def lose(request):
        if b" /loki/api/v1/push" not in request.split(b"\r\n", 1)[0]:
            return False
        seen.append(request)
        return len(seen) % 2 == 1                   # the ingester stores it, the shipper does not hear of it
    proxy = Proxy(ingester.address, lose).start()
    want = []
    shipper = tail(make_shipper, proxy.url, logs).start()
    for i in range(6):
        lines = numbered("lost", 50, i * 50)
        append(logs / "a.log", lines)
        want += lines
        wait_for("stored lines", lambda: ingester.count('{job="d"}') >= len(want), 60, 0.1)
    stored(ingester, want)
    assert proxy.lost >= 3
    assert shipper.stop() == 0
    proxy.stop()


def test_a_resend_that_arrives_during_the_fsync_is_answered_after_it_and_stored_once(make_ingester, make_shipper, tmp_path, logs):
    faulty = Faulty(make_ingester, tmp_path)
    server = faulty.server.start()
    append(logs / "a.log", numbered("resend", 100))
    faulty.order("sync wal delay:3000")
    shipper = tail(make_shipper, server.url, logs).start()
    wait_for("slow sync", faulty.done)
    shipper.kill()                                  # its push is under way and nobody waits for the answer
    shipper.start()                                 # asks, and sends again from the mark that it is told
    faulty.order()
    stored(server, numbered("resend", 100))
    assert shipper.stop() == 0


@pytest.mark.parametrize("operation", ["sync", "write"])
def test_a_failed_write_or_fsync_is_no_acknowledgement_and_nothing_comes_twice(make_ingester, make_shipper, tmp_path, logs, operation):
    faulty = Faulty(make_ingester, tmp_path)
    server = faulty.server.start()
    shipper = tail(make_shipper, server.url, logs).start()
    append(logs / "a.log", numbered("before", 50))
    stored(server, numbered("before", 50))
    faulty.order(operation + " wal fail:5")         # EIO
    append(logs / "a.log", numbered("during", 50))
    wait_for("failed " + operation, faulty.done)
    status, text = server.push([({"job": "e"}, [(str(time.time_ns()), "refused")])], check=False)
    assert status == 500, (status, text)
    assert server.count('{job="e"}') == 0
    faulty.order()
    want = numbered("before", 50) + numbered("during", 50)
    stored(server, want)
    server.kill()
    server.start()
    stored(server, want)
    assert server.count('{job="e"}') == 0
    assert shipper.stop() == 0


@pytest.mark.parametrize("order", ["rename .part kill", "rename .part killafter", "rename catalog kill", "rename catalog killafter"])
def test_a_crash_between_part_and_catalog(make_ingester, make_shipper, tmp_path, logs, order):
    faulty = Faulty(make_ingester, tmp_path)
    server = faulty.server.start()
    shipper = tail(make_shipper, server.url, logs).start()
    want = numbered("crash", 500)
    append(logs / "a.log", want)
    stored(server, want)
    faulty.order(order)
    try:
        server.ask("POST", "/flush")
    except (OSError, Exception) as e:               # the connection breaks when the server is killed
        assert "Remote" in repr(e) or "reset" in repr(e), e
    assert server.process.wait(30) == -signal.SIGKILL
    faulty.order()
    server.start()
    stored(server, want)
    assert server.ask("POST", "/flush")[0] in (200, 204)
    stored(server, want)
    server.kill()
    server.start()
    stored(server, want)
    assert shipper.stop() == 0


def test_truncation_raises_the_generation_and_counts_what_was_lost(ingester, make_shipper, logs):
    shipper = tail(make_shipper, ingester.url, logs).start()
    first = numbered("first", 100)
    append(logs / "a.log", first)
    stored(ingester, first)
    with open(logs / "a.log", "r+b") as f:          # copytruncate: the same file, empty, then other lines
        f.truncate(0)
    second = numbered("second generation", 30)
    append(logs / "a.log", second)
    stored(ingester, first + second)
    shipper.stop()
    with open(logs / "a.log", "r+b") as f:          # and while the shipper is down
        f.truncate(0)
    third = numbered("third generation, longer than the one before it was", 200)
    append(logs / "a.log", third)
    shipper.start()
    stored(ingester, first + second + third)
    assert shipper.stop() == 0


def test_a_refused_line_is_given_up_alone(make_ingester, make_shipper, logs):
    server = make_ingester(config="limits_config: {max_line_size: 1KiB, max_line_size_truncate: false}\n").start()
    good = numbered("good", 40)
    append(logs / "a.log", good[:20] + [b"too long " + b"x" * 2000] + good[20:])
    shipper = tail(make_shipper, server.url, logs).start()
    stored(server, good)
    more = numbered("after", 10)
    append(logs / "a.log", more)
    stored(server, good + more)
    assert shipper.stop() == 0


def test_a_copied_state_directory_goes_on_under_an_id_of_its_own(ingester, make_shipper, logs, tmp_path):
    shipper = tail(make_shipper, ingester.url, logs).start()
    first = numbered("shared", 50)
    append(logs / "a.log", first)
    stored(ingester, first)
    assert shipper.stop() == 0
    shutil.copytree(tmp_path / "shipper" / "state", tmp_path / "twin" / "state")
    twin_logs = tmp_path / "twin-logs"              # the copied machine: its files are copies too
    shutil.copytree(logs, twin_logs)
    shipper.start()
    append(logs / "a.log", numbered("original", 50))
    stored(ingester, first + numbered("original", 50))
    twin = make_shipper("twin", arguments=["--push", ingester.url, "--label", "job=twin", str(twin_logs / "*.log")]).start()
    append(twin_logs / "a.log", numbered("twin", 50))
    wait_for("the twin's lines", lambda: ingester.count('{job="twin"} |= "twin line"') >= 50, 60, 0.1)
    append(logs / "a.log", numbered("still here", 50))
    stored(ingester, first + numbered("original", 50) + numbered("still here", 50))
    assert differences(numbered("twin", 50), ingester.export_lines('{job="twin"} |= "twin line"')) is None
    assert shipper.stop() == 0 and twin.stop() == 0


def test_several_tenants_have_marks_of_their_own(make_ingester, make_shipper, logs):
    server = make_ingester(config="auth_enabled: true\n").start()
    shippers = []
    for tenant in ("red", "blue"):
        config = ("clients: [{url: %s/loki/api/v1/push, tenant_id: %s}]\npositions: {filename: %s/positions-%s.yaml}\n"
                  "scrape_configs: [{job_name: d, static_configs: [{targets: [localhost], labels: {job: d, __path__: '%s/*.log'}}]}]\n"
                  % (server.url, tenant, logs, tenant, logs))
        shippers.append(make_shipper("shipper-" + tenant, config=config).start())
    lines = numbered("tenant", 60)
    append(logs / "a.log", lines)
    for tenant in ("red", "blue"):
        head = {"X-Scope-OrgID": tenant}
        wait_for("lines of " + tenant, lambda: len(server.export('{job="d"}', headers=head)) >= 60, 60, 0.1)
        assert differences(lines, [e["line"].encode() for e in server.export('{job="d"}', headers=head)]) is None
    for shipper in shippers:
        assert shipper.stop() == 0


SEVERAL = """
clients:
  - {url: "%(url)s/loki/api/v1/push", name: errors, selector: '{level="error"}', external_labels: {to: errors}}
  - {url: "%(dead)s/loki/api/v1/push", name: infos, selector: '{level="info"}', backoff_config: {max_period: 100ms, min_period: 50ms}}
  - {url: "%(url)s/loki/api/v1/push", name: all, external_labels: {to: all}}
positions: {filename: %(logs)s/positions.yaml, sync_period: 1h}
scrape_configs:
  - job_name: d
    static_configs: [{targets: [localhost], labels: {job: d, __path__: '%(logs)s/*.log'}}]
    pipeline_stages: [{regex: {expression: '(?P<level>error|info)'}}, {labels: {level: }}]
"""


def test_clients_of_one_server_each_deliver_all_of_their_own(ingester, make_shipper, logs, own_port):
    """What one client has stored of a file says nothing about what another sends of it."""
    where = {"url": ingester.url, "dead": "http://127.0.0.1:%d" % own_port(), "logs": logs}
    errors, infos = numbered("error", 300), numbered("info", 300)
    append(logs / "a.log", errors + infos)
    shipper = make_shipper(config=SEVERAL % where).start()
    stored(ingester, errors, '{to="errors"}')
    stored(ingester, errors + infos, '{to="all"}')
    shipper.kill()
    # The client that had no server finds the others', which has more of the file from them than it has read.
    shipper = make_shipper("again", config=SEVERAL % {**where, "dead": ingester.url}).start()
    stored(ingester, infos, '{job="d", to=""}')
    more = numbered("error more", 50)
    append(logs / "a.log", more)
    stored(ingester, errors + more, '{to="errors"}')
    stored(ingester, errors + infos + more, '{to="all"}')
    stored(ingester, infos, '{job="d", to=""}')
    assert shipper.stop() == 0
