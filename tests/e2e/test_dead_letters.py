"""What a server refuses, and what the shipper tells of its lines: dead letters, resend, audit, /targets."""
import json
import os
import random
import signal
import subprocess
import time
import urllib.request
from collections import Counter

import pytest

from bad_network import BadNetwork
from load import differences
from loki_stub import LokiStub
from programs import BUILD, SHIPPER, wait_for

STRICT = "limits_config: {max_line_size: 100, max_line_size_truncate: false}\n"
LONG_LINES = [b"too long %d " % i + b"\xff" * 200 for i in range(7)]
LINES = [b"line %d" % i for i in range(60)]


@pytest.fixture
def state(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    (tmp_path / "logs").mkdir()
    return folder


def config(state, url, more="", name="main"):
    return ("server: {http_listen_address: 127.0.0.1, http_listen_port: 0}\n"
            "clients: [{name: %s, url: '%s/loki/api/v1/push', batchwait: 50ms, timeout: 3s, backoff_config: {min_period: 20ms, max_period: 200ms, max_retries: 3}, %s}]\n"
            "positions: {filename: %s/positions, sync_period: 100ms}\n"
            "scrape_configs: [{static_configs: [{labels: {job: r, __path__: '%s/*.log'}}]}]\n" % (name, url, more, state, state.parent / "logs"))


def append(state, lines):
    with open(state.parent / "logs" / "a.log", "ab") as f:
        f.write(b"".join(line + b"\n" for line in lines))


def run(word, state, text, *more):
    path = state / (word + ".yaml")
    path.write_text(text)
    return subprocess.run([SHIPPER, word, "--config", str(path), *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)


def letters(state):
    return [json.loads(row) for path in sorted(state.glob("positions.cordwood.refused*")) if path.name.split(".")[-1] not in ("again", "progress")
            for row in path.read_bytes().splitlines()]


def refuse(make_ingester, make_shipper, state):
    """A server that refused LONG_LINES, and its shipper."""
    server = make_ingester(config=STRICT).start()
    append(state, LINES[:30] + LONG_LINES + LINES[30:])
    shipper = make_shipper(config=config(state, server.url)).start()
    wait_for("all lines", lambda: server.count('{job="r"}') >= len(LINES) and len(letters(state)) >= len(LONG_LINES), 30, 0.1)
    return server, shipper


def relax(make_ingester, server):
    """The same store, without the limit."""
    server.kill()
    again = make_ingester("relaxed", config="limits_config: {max_line_size: 1MiB}\n", data=server.data)
    return again.start()


def test_what_was_refused_arrives_when_the_server_takes_it_with_its_time_and_labels(make_ingester, make_shipper, state):
    server, shipper = refuse(make_ingester, make_shipper, state)
    times = {l["time"] for l in letters(state)}
    assert len(times) == len(LONG_LINES)
    refused_again = run("resend", state, config(state, server.url))
    assert refused_again.returncode == 1 and b"0 sent, 7 kept" in refused_again.stdout, refused_again
    assert len(letters(state)) == len(LONG_LINES)
    assert shipper.stop() == 0
    server = relax(make_ingester, server)
    done = run("resend", state, config(state, server.url))
    assert done.returncode == 0 and b"7 sent, 0 kept" in done.stdout, done
    assert letters(state) == [] and not list(state.glob("*.again")) + list(state.glob("*.progress"))
    assert differences(LINES + LONG_LINES, server.export_lines('{job="r"}')) is None
    assert {e["labels"]["filename"] for e in server.export('{job="r"}')} == {str(state.parent / "logs" / "a.log")}
    for _ in range(2):
        twice = run("resend", state, config(state, server.url))
        assert twice.returncode == 0 and b"no dead letters" in twice.stdout
    assert server.count('{job="r"}') == len(LINES) + len(LONG_LINES)


def test_letters_are_taken_from_a_running_shipper(make_ingester, make_shipper, state):
    server, shipper = refuse(make_ingester, make_shipper, state)
    assert run("resend", state, config(state, server.url)).returncode == 1
    more = [b"also " + line for line in LONG_LINES]
    append(state, more)
    wait_for("more letters", lambda: len(letters(state)) == 14)
    assert (state / "positions.cordwood.refused").exists()      # it began another file
    assert shipper.stop() == 0
    server = relax(make_ingester, server)
    assert run("resend", state, config(state, server.url)).returncode == 0
    assert differences(LINES + LONG_LINES + more, server.export_lines('{job="r"}')) is None


def test_a_resend_that_is_killed_anywhere_sends_each_letter_once(make_ingester, make_shipper, state, tmp_path):
    rng, server = random.Random(7), make_ingester().start()
    want = [b"letter %d %s" % (i, b"x" * rng.randrange(400)) for i in range(4000)]
    rows = [json.dumps({"time": "2026-01-05T10:00:00.%09dZ" % i, "client": "main", "status": 400, "error": "e", "labels": '{job="r", part="%d"}' % (i % 3),
                        "line": line.decode()}) for i, line in enumerate(want)]
    path = tmp_path / "letters"
    path.write_text("\n".join(rows) + "\n")
    network = BadNetwork(server.address, 3, share=0.1)
    text = config(state, network.url, "batchsize: 8KiB")
    (state / "c.yaml").write_text(text.replace("max_retries: 3", "max_retries: 50"))
    kills = 0
    while kills < 400 and path.exists():  # a kill can come after the file is gone and before the program ends
        process = subprocess.Popen([SHIPPER, "resend", "--config", str(state / "c.yaml"), str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(rng.uniform(0.01, 0.4))
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
    assert process.returncode in (0, -signal.SIGKILL) and kills > 3 and not path.exists()
    difference = differences(want, server.export_lines('{job="r"}'))
    assert difference is None, difference
    network.stop()


def test_only_what_is_refused_again_stays_and_what_is_no_letter(make_ingester, state, tmp_path):
    server = make_ingester(config=STRICT).start()
    letter = {"time": "2026-01-05T10:00:00Z", "client": "main", "status": 400, "error": "old", "labels": '{job="r"}'}
    rows = [dict(letter, line="good %d" % i) for i in range(20)]
    rows[5]["line"] = "x" * 300
    rows[11]["labels"] = "{no"
    path = tmp_path / "letters"
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\ngarbage\n")
    for _ in range(2):                                      # and once more, with the same end
        done = run("resend", state, config(state, server.url), str(path))
        assert done.returncode == 1, done
        kept = path.read_text().splitlines()
        assert sorted(json.loads(row)["error"][:8] for row in kept if row[0] == "{") != ["old", "old"]
        assert Counter(row for row in kept if row[0] != "{") == Counter(["garbage"]) and len(kept) == 3
    assert sorted(server.export_lines('{job="r"}')) == sorted(b"good %d" % i for i in range(20) if i not in (5, 11))


def test_each_letter_goes_to_its_client_and_tenant(make_ingester, state, tmp_path):
    server, stub = make_ingester(config="auth_enabled: true\n").start(), LokiStub()
    text = config(state, server.url, "tenant_id: red").replace("}]\npositions", "}, {name: other, url: '%s/loki/api/v1/push'}]\npositions" % stub.url)
    letter = {"time": "2026-01-05T10:00:00Z", "status": 400, "error": "", "labels": '{job="r"}'}
    rows = [dict(letter, client="main", line="to red"), dict(letter, client="other", line="to other", metadata={"a": "b"}),
            dict(letter, client="main", tenant="blue", line="to blue"), dict(letter, client="nobody", line="stays")]
    path = tmp_path / "letters"
    path.write_text("\n".join(json.dumps(row) for row in rows))     # and no newline at its end
    done = run("resend", state, text, str(path))
    assert done.returncode == 1 and b"3 sent, 1 kept" in done.stdout and b"no client of its name" in done.stderr, done
    for tenant in ("red", "blue"):
        assert [e["line"] for e in server.export('{job="r"}', headers={"X-Scope-OrgID": tenant})] == ["to " + tenant]
    assert stub.lines == [b"to other"] and stub.stored[0].delivery is None
    assert [json.loads(row)["line"] for row in path.read_text().splitlines()] == ["stays"]
    stub.stop()


def test_a_server_that_is_away_leaves_everything_where_it_is(state, tmp_path):
    path = tmp_path / "letters"
    text = json.dumps({"time": "2026-01-05T10:00:00Z", "client": "main", "status": 400, "error": "", "labels": "{}", "line": "l"}) + "\n"
    path.write_text(text)
    done = run("resend", state, config(state, "http://127.0.0.1:1"), str(path))
    assert done.returncode == 1 and b"the rest waits" in done.stdout and path.read_text() == text
    assert run("resend", state, config(state, "http://127.0.0.1:1"), str(tmp_path / "none")).returncode == 1


# ---- the ledger ----

TOO_OLD = b"entry for stream '{job=\"r\"}' has timestamp too old: 2026-01-05T09:00:%02dZ, oldest acceptable timestamp is: 2026-01-05T10:00:00Z\n"
REFUSED_LINES = 3000


@pytest.mark.parametrize("which, counted, pushes, good_too", [
    ("all", True, 3, 0), ("run", True, 80, 0), ("all", False, 90, 0), ("run", False, 150, REFUSED_LINES), ("every other", False, 200, REFUSED_LINES)])
def test_runs_of_refused_lines_take_few_requests(make_shipper, state, which, counted, pushes, good_too):
    """Of a server that stores the good entries of what it refuses, as Loki does."""
    lines = [b"line %d" % i for i in range(REFUSED_LINES)]
    bad = set(lines if which == "all" else lines[700:1900] if which == "run" else lines[::2])
    stored = set()

    def answer(push):
        nbad = sum(line in bad for line in push.lines)
        stored.update(set(push.lines) - bad)
        if nbad == 0:
            return 204, {}, b""
        return 400, {}, (b"%d errors like: " % nbad if counted and nbad > 1 else b"") + TOO_OLD % (len(stored) % 60)
    stub = LokiStub(answer)
    append(state, lines)
    shipper = make_shipper(config=config(state, stub.url), arguments=["--once"]).start()
    assert shipper.process.wait(60) == 1 and "refused for good" in shipper.log()
    written = Counter(l["line"].encode() for l in letters(state))
    assert set(written) >= bad and max(written.values()) == 1
    assert len(set(written) - bad) <= good_too
    assert stored == set(lines) - bad
    assert len(stub.pushes) <= pushes
    stub.stop()


def test_letters_that_could_not_be_synced_are_written_once_all_the_same(make_shipper, state, tmp_path):
    orders = tmp_path / "orders"
    orders.write_text("sync positions.cordwood.refused fail:28\n")
    stub = LokiStub(lambda push: (400, {}, (b"%d errors like: " % len(push.lines) if len(push.lines) > 1 else b"") + TOO_OLD % 0))
    names = ["%d.log" % i for i in range(5)]
    for name in names:
        (tmp_path / "logs" / name).write_text("line of %s\n" % name)
    shipper = make_shipper(config=config(state, stub.url), env={"CW_FAULTS": str(orders)}, preload=os.path.join(BUILD, "tests", "support", "libfaults.so")).start()
    wait_for("some failures", lambda: shipper.log().count("writing down ") >= 3, 30, 0.1)
    assert letters(state) == []
    orders.write_text("")
    wait_for("the letters", lambda: len(letters(state)) >= len(names), 30, 0.1)
    assert shipper.stop() == 0
    assert sorted(l["line"] for l in letters(state)) == ["line of " + name for name in names]
    stub.stop()


def test_a_run_of_lines_that_cordwood_refuses_is_given_up_alone_and_in_few_requests(make_ingester, make_shipper, state):
    server = make_ingester(config=STRICT).start()
    bad = [b"bad %d " % i + b"x" * 200 for i in range(REFUSED_LINES)]
    append(state, LINES[:30] + bad + LINES[30:])
    shipper = make_shipper(config=config(state, server.url)).start()
    wait_for("all lines", lambda: server.count('{job="r"}') >= len(LINES) and len(letters(state)) >= len(bad), 30, 0.1)
    address = (state / "positions.cordwood.lock").read_text().splitlines()[1]
    counts = [float(row.rsplit(" ", 1)[1]) for row in urllib.request.urlopen(address + "/metrics").read().decode().splitlines()
              if row.startswith("cordwood_shipper_pushes_total")]
    assert 0 < sum(counts) <= 80
    assert shipper.stop() == 0
    assert [l["line"].encode() for l in letters(state)] == bad
    assert differences(LINES, server.export_lines('{job="r"}')) is None
    refused_again = run("resend", state, config(state, server.url))
    assert refused_again.returncode == 1 and b"0 sent, %d kept" % len(bad) in refused_again.stdout, refused_again
    assert [l["line"].encode() for l in letters(state)] == bad
    server = relax(make_ingester, server)
    done = run("resend", state, config(state, server.url))
    assert done.returncode == 0 and b"%d sent, 0 kept" % len(bad) in done.stdout, done


def audit(state, text, status):
    done = run("audit", state, text, "--json")
    assert done.returncode == status, done
    return json.loads(done.stdout)


def test_audit_and_targets_tell_what_became_of_every_line(make_ingester, make_shipper, state):
    server, shipper = refuse(make_ingester, make_shipper, state)
    text = config(state, server.url)
    running = wait_for("settled", lambda: (lambda a: a if a["behind"] == 0 else None)(audit(state, text, 1)))
    address = (state / "positions.cordwood.lock").read_text().splitlines()[1]
    page = urllib.request.urlopen(address + "/targets").read().decode()
    assert "a.log" in page and "acknowledged 60" in page and "refused 7 (HTTP status 400)" in page
    assert shipper.stop() == 0
    for told in (running, audit(state, text, 1)):
        assert told["sum"]["read"] == 67 and told["dead_letters"] == 7 and len(told["sources"]) == 1
        main = told["sum"]["clients"]["main"]
        assert main["acknowledged"] == 60 and main["refused"] == {"HTTP status 400": 7} and main["sent"] == 67 and main["retried"] > 0
        assert told["sources"][0]["position"] == told["sources"][0]["size"]
    words = run("audit", state, text).stdout.decode()
    assert "read 67 lines" in words and "refused 7 (HTTP status 400)" in words and "7 dead letters" in words


def test_counts_go_on_over_restarts_kills_and_files_that_are_gone(make_ingester, make_shipper, state):
    server, total, nbytes = make_ingester().start(), 0, 0
    text = config(state, server.url)
    shipper = make_shipper(config=text)
    for i in range(8):
        lines = [b"round %d line %d" % (i, k) for k in range(500)]
        append(state, lines)
        total += 500
        nbytes += sum(len(line) + 1 for line in lines)
        shipper.start()
        wait_for("some lines", lambda: server.count('{job="r"}') > total - 400, 60, 0.02)
        if i == 4:
            wait_for("all", lambda: server.count('{job="r"}') == total)
            os.unlink(state.parent / "logs" / "a.log")
        (shipper.kill if i % 2 else lambda: wait_for("all", lambda: server.count('{job="r"}') == total) and shipper.stop())()
    shipper.start()
    wait_for("all lines", lambda: server.count('{job="r"}') == total)
    wait_for("its start", lambda: shipper.log().count("/targets at http") == 9)
    wait_for("what the store has", lambda: audit(state, text, 0)["behind"] == 0)
    assert shipper.stop() == 0
    told = audit(state, text, 0)
    # What was stored in the moments before a kill is told by the store's mark, in bytes; no line counts twice.
    told = told["sum"]
    main = told["clients"]["main"]
    assert told["read"] <= total and main["acknowledged"] <= total
    assert told["read_bytes"] + told["read"] + main.get("adopted", 0) >= nbytes


def test_a_truncation_before_the_lines_were_read_is_a_gap(make_ingester, make_shipper, state):
    server = make_ingester().start()
    text = config(state, server.url, "batchsize: 1KiB")     # a batch that waits in memory is not lost
    shipper = make_shipper(config=text).start()
    append(state, LINES)
    wait_for("lines", lambda: server.count('{job="r"}') == len(LINES))
    server.kill()
    append(state, [b"never read %d" % i for i in range(1000)])
    time.sleep(1.5)                                         # the size is seen
    os.truncate(state.parent / "logs" / "a.log", 0)
    time.sleep(1.5)
    server.start()
    append(state, [b"after"])
    wait_for("the line after", lambda: b"after" in server.export_lines('{job="r"}'))
    assert shipper.stop() == 0
    told = audit(state, text, 1)
    gaps = [gap for source in told["sources"] for gap in source.get("gaps", [])]
    assert gaps and gaps[0]["from"] >= sum(len(line) + 1 for line in LINES) and "truncated" in gaps[0]["why"]
    assert told["sum"]["gap_bytes"] == gaps[0]["to"] - gaps[0]["from"] > 1000
    assert b"MISSING bytes" in run("audit", state, text).stdout


def test_a_damaged_ledger_is_begun_anew_and_holds_up_nothing(make_ingester, make_shipper, state):
    server = make_ingester().start()
    text = config(state, server.url)
    shipper = make_shipper(config=text).start()
    append(state, LINES)
    wait_for("lines", lambda: server.count('{job="r"}') == len(LINES))
    assert shipper.stop() == 0
    (state / "positions.cordwood.ledger").write_bytes(b"\0garbage")
    append(state, [b"more"])
    shipper.start()
    wait_for("the line", lambda: server.count('{job="r"}') == len(LINES) + 1)
    assert shipper.stop() == 0 and "counts begin anew" in shipper.log()
    assert audit(state, text, 0)["sum"]["read"] == 1


def test_subcommands_are_words_and_wrong_usage_is_2(state):
    for word in ("resend", "audit"):
        assert subprocess.run([SHIPPER, word, "--no-such"], stderr=subprocess.PIPE).returncode == 2
        done = subprocess.run([SHIPPER, word, "--help"], stdout=subprocess.PIPE)
        assert done.returncode == 0 and done.stdout.startswith(b"Usage: cordwood-shipper " + word.encode())
    assert subprocess.run([SHIPPER, "resend"], stderr=subprocess.PIPE).returncode == 2
    assert subprocess.run([SHIPPER, "audit", "--state-dir", str(state)], stderr=subprocess.PIPE).returncode == 1
