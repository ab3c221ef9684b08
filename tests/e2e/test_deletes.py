"""Deletes over the API and the CLI, and retention by selector and bytes: hidden at once, removed later, told before."""
import datetime
import json
import os
import random
import subprocess
import time

import pytest

from programs import INGESTER, NS, cli, wait_for
from store_files import Part, flip, parts, quarantined, sections

HOUR = 3600 * NS
PATH = "/loki/api/v1/delete"


def seconds(ns):
    return str(ns // NS)


def delete(server, query, start, end=None, check=True, headers=None, method="POST", **more):
    params = {"query": query, "start": seconds(start), **({"end": seconds(end)} if end else {}), **more}
    status, text = server.ask(method, PATH, params, headers=headers)
    assert not check or status == 204, (status, text)
    return status, text.decode()


def deletes(server, headers=None):
    status, text = server.ask("GET", PATH, headers=headers)
    assert status == 200 and server.answer_headers["Content-Type"] == "application/json"
    return json.loads(text)


def flush(server):
    assert server.ask("POST", "/flush")[0] == 204


def lines(server, query, headers=None):
    return [e["line"] for e in server.export(query, headers=headers)]


def stored_rows(server):
    return sum(Part(p).rows for p in parts(server.data))


@pytest.fixture
def now():
    return time.time_ns()


def fill(server, now, headers=None):
    """100 lines of each of two streams, the last minute before `now`, two a second."""
    for app in ("web", "db"):
        server.push([({"app": app, "env": "prod"}, [(now - 60 * NS + i * NS // 2, "line %d user=%d" % (i, i % 10)) for i in range(100)])],
                    headers=headers)


def seen(server, now, headers=None):
    """What each kind of query says there is of {app="web"}."""
    entries = server.query_range('{app="web"}', now - HOUR, now + 1, limit=5000, headers=headers)
    samples = server.query('sum(count_over_time({app="web"}[1h]))', time=now + NS, headers=headers)
    sizes = server.query('sum(bytes_over_time({app="web"}[1h]))', time=now + NS, headers=headers)
    exported = lines(server, '{app="web"}', headers=headers)
    status, text = server.ask("GET", "/loki/api/v1/index/stats", {"query": '{app="web"}', "start": now - HOUR, "end": now + 1}, headers=headers)
    assert status == 200
    counts = {sum(len(s["values"]) for s in entries), len(exported), json.loads(text)["entries"],
              int(float(samples[0]["value"][1])) if samples else 0}
    assert len(counts) == 1, counts
    assert (int(float(sizes[0]["value"][1])) if sizes else 0) == sum(len(line) for line in exported)
    return counts.pop()


@pytest.mark.parametrize("flushed", [False, True])
def test_a_delete_hides_at_once_what_was_stored_before_it(ingester, now, flushed):
    fill(ingester, now)
    if flushed:
        flush(ingester)
    delete(ingester, '{app="web"} |= "user=7"', now - HOUR)
    assert seen(ingester, now) == 90
    assert not any("user=7" in line for line in lines(ingester, '{app="web"}'))
    assert len(lines(ingester, '{app="db"}')) == 100
    # the same again, with its old times: it was stored after the delete
    fill(ingester, now)
    again = 10 if not flushed else 100
    for _ in range(2):
        assert len([line for line in lines(ingester, '{app="web"}') if "user=7" in line]) == 10
        assert len(lines(ingester, '{app="web"}')) in (100, 190) and again
        flush(ingester)
    ingester.kill()
    ingester.start()
    assert len([line for line in lines(ingester, '{app="web"}') if "user=7" in line]) == 10


def start_without_its_part(server, now):
    """Where the part stood; it is beside it, as .kept."""
    fill(server, now)
    flush(server)
    path, = parts(server.data)
    assert server.stop() == 0
    os.rename(path, path + ".kept")
    server.start()
    return path


def test_a_missing_part_does_not_bring_back_what_was_deleted_meanwhile(make_ingester, now):
    server = make_ingester(config="storage: {delete_cancel_period: 0}\n").start()
    path = start_without_its_part(server, now)
    assert server.metrics()["cordwood_parts_missing"] == "1"
    delete(server, '{app="web"} |= "user=7"', now - HOUR)
    wait_for("removal", lambda: [d["status"] for d in deletes(server)] == ["processed"], 60, 0.1)
    assert server.metrics()["cordwood_parts_missing"] == "0"
    assert server.stop() == 0
    os.rename(path + ".kept", path)
    server.start()
    assert seen(server, now) == 0


def test_a_missing_part_that_is_back_before_a_delete_is_carried_out_is_hidden_by_it(make_ingester, now):
    server = make_ingester().start()
    path = start_without_its_part(server, now)
    delete(server, '{app="web"} |= "user=7"', now - HOUR)
    assert server.stop() == 0
    os.rename(path + ".kept", path)
    server.start()
    assert seen(server, now) == 90


def test_a_delete_of_a_stream_takes_it_from_labels_and_series(ingester, now):
    fill(ingester, now)
    names = lambda: json.loads(ingester.ask("GET", "/loki/api/v1/label/app/values", {"start": now - HOUR, "end": now + 1})[1])["data"]
    series = lambda: json.loads(ingester.ask("GET", "/loki/api/v1/series", {"match[]": '{env="prod"}', "start": now - HOUR, "end": now + 1})[1])["data"]
    assert names() == ["db", "web"] and len(series()) == 2
    delete(ingester, '{app="web"}', now - HOUR)
    for _ in range(2):
        assert names() == ["db"] and series() == [{"app": "db", "env": "prod", "service_name": "db"}]
        assert seen(ingester, now) == 0
        flush(ingester)


@pytest.mark.parametrize("query, left", [
    ('{app="web"}', 0), ('{app=~"web|nothing"} != "user=7"', 10), ('{app="web"} |~ "user=[0-4]$"', 50),
    ('{app="web"} | logfmt | user > 7', 80), ('{app="web"} | logfmt | line_format "{{.user}}" |= "7"', 90),
    ('{app="web"} | regexp "line (?P<n>[0-9]+) " | n < 10 or n >= 90', 80), ('{env="prod"} | trace="a"', 90),
    ('{app="web"} | trace="a" | logfmt | user=3', 99), ('{app="other"}', 100)])
def test_any_pipeline_decides(ingester, now, query, left):
    ingester.push([({"app": "web", "env": "prod"}, [(now - 60 * NS + i * NS // 2, "line %d user=%d" % (i, i % 10),
                                                     *([{"trace": "a"}] if i < 10 else [])) for i in range(100)])])
    delete(ingester, query, now - HOUR)
    assert seen(ingester, now) == left
    flush(ingester)
    assert seen(ingester, now) == left


def test_times_are_inclusive(ingester, now):
    base = now // NS * NS - 100 * NS
    ingester.push([({"a": "b"}, [(base + i, "%d" % i) for i in (-1, 0, 5 * NS, 10 * NS, 10 * NS + 1)])])
    delete(ingester, '{a="b"}', base, base + 10 * NS)
    assert lines(ingester, '{a="b"}') == ["-1", str(10 * NS + 1)]


def test_the_list_has_lokis_shape_and_a_cancelled_delete_shows_its_entries_again(ingester, now):
    fill(ingester, now)
    assert deletes(ingester) == []
    delete(ingester, '{app="web"} |= "user=1"', now - HOUR, now - 20 * NS, method="PUT")
    delete(ingester, '{app="web"} |= "user=2"', now - HOUR, max_interval="10m")
    first, second = deletes(ingester)
    assert set(first) >= {"request_id", "start_time", "end_time", "query", "status", "created_at"}
    assert first["query"] == '{app="web"} |= "user=1"' and first["status"] == "received"
    assert first["start_time"] == (now - HOUR) // NS and first["end_time"] == (now - 20 * NS) // NS
    assert abs(first["created_at"] - now / NS) < 60 and abs(first["removal_at"] - first["created_at"] - 86400) < 1
    assert seen(ingester, now) < 90
    flush(ingester)
    ingester.kill()
    ingester.start()
    assert deletes(ingester) == [first, second]
    assert ingester.ask("DELETE", PATH, {"request_id": second["request_id"]})[0] == 204
    assert len([line for line in lines(ingester, '{app="web"}') if "user=2" in line]) == 10
    assert deletes(ingester) == [first]
    assert ingester.ask("DELETE", PATH, {"request_id": second["request_id"]}) == (404, b"could not find delete request with given id\n")
    assert ingester.ask("DELETE", PATH, {"request_id": first["request_id"]})[0] == 204
    assert seen(ingester, now) == 100
    ingester.kill()
    ingester.start()
    assert seen(ingester, now) == 100 and deletes(ingester) == []


@pytest.mark.parametrize("params, text", [
    ({}, "query not set"), ({"query": '{a="b"}'}, "start time not set"),
    ({"query": '{a="b"}', "start": "yesterday"}, "invalid start time: require unix seconds or RFC3339 format"),
    ({"query": '{a="b"}', "start": "1000000000", "end": "1.5"}, "invalid end time: require unix seconds or RFC3339 format"),
    ({"query": '{a="b"}', "start": "1000000000", "end": "9999999999"}, "deletes in the future are not allowed"),
    ({"query": '{a="b"}', "start": "1000000001", "end": "1000000000"}, "start time can't be greater than or equal to end time"),
    ({"query": '{a="b"} |= "x"', "start": "1000000000", "end": "1000000000"}, "start time can't be greater than or equal to end time"),
    ({"query": '{a="b"} |= "x"', "start": "1000000000", "max_interval": "x"}, "invalid max_interval: valid time units are 's', 'm', 'h'"),
    ({"query": '{a="b"} |= "x"', "start": "1000000000", "max_interval": "25h"}, "max_interval can't be greater than 24h0m0s"),
    ({"query": '{a="b"} |= "x"', "start": "1000000000", "end": "1000000060", "max_interval": "2m"},
     "max_interval can't be greater than the interval to be deleted (1m0s)"),
    ({"query": "{}", "start": "1000000000"}, "invalid query expression: "),
    ({"query": 'rate({a="b"}[1m])', "start": "1000000000"}, "invalid query expression: only log selector is supported"),
    ({"query": '{a="b"} |~ "("', "start": "1000000000"}, "invalid query expression: ")])
def test_what_loki_refuses_is_refused_in_its_words(ingester, params, text):
    status, body = ingester.ask("POST", PATH, params)
    assert status == 400 and body.decode().startswith(text), body
    assert deletes(ingester) == []


def test_entries_are_removed_after_the_cancel_period_and_there_is_a_receipt(make_ingester, now):
    server = make_ingester(config="storage: {delete_cancel_period: 3s}\n").start()
    fill(server, now)
    flush(server)
    delete(server, '{app="web"} |= "user=7"', now - HOUR)
    delete(server, '{app="db"}', now - HOUR, now - 30 * NS)
    flush(server)
    assert stored_rows(server) == 200
    wait_for("removal", lambda: [d["status"] for d in deletes(server)] == ["processed", "processed"], 60, 0.1)
    gone = sum(now - 60 * NS + i * NS // 2 <= (now - 30 * NS) // NS * NS for i in range(100))
    assert [d["removed_entries"] for d in deletes(server)] == [10, gone]
    wait_for("old parts to leave", lambda: stored_rows(server) == 190 - gone, 10)
    assert seen(server, now) == 90 and len(lines(server, '{app="db"}')) == 100 - gone
    first = deletes(server)[0]["request_id"]
    assert server.ask("DELETE", PATH, {"request_id": first}) == (400, b"deletion of request which is in process or already processed is not allowed\n")
    server.kill()
    server.start()
    assert seen(server, now) == 90 and stored_rows(server) == 190 - gone
    assert [d["removed_entries"] for d in deletes(server)] == [10, gone]
    metrics = server.metrics()
    assert metrics['cordwood_deletes{state="processed"}'] == "2"


@pytest.mark.parametrize("stored", ["in the head", "in parts, and the log is empty"])
def test_force_gives_up_the_cancel_period(ingester, now, stored):
    fill(ingester, now)
    if stored != "in the head":
        assert ingester.stop() == 0
        ingester.start()
    delete(ingester, '{app="web"}', now - HOUR, force="true")
    wait_for("removal", lambda: [d["status"] for d in deletes(ingester)] == ["processed"], 60, 0.1)
    assert stored_rows(ingester) == 100 and seen(ingester, now) == 0


def test_merges_keep_apart_what_a_delete_separates_until_it_is_carried_out(make_ingester, now):
    server = make_ingester(config="storage: {delete_cancel_period: 4s}\n").start()
    for i in range(12):
        server.push([({"app": "web"}, [(now - NS - i, "entry %d" % i)])])
        flush(server)
        if i == 5:
            delete(server, '{app="web"} |~ "entry [0-9]$"', now - HOUR)
    left = ["entry %d" % i for i in range(6, 12)]
    assert sorted(lines(server, '{app="web"}')) == sorted(left)
    wait_for("removal", lambda: deletes(server)[0]["status"] == "processed", 60, 0.1)
    flush(server)
    assert sorted(lines(server, '{app="web"}')) == sorted(left)
    assert stored_rows(server) == 6


def test_tenants_delete_their_own_if_they_may(make_ingester, now):
    config = """auth_enabled: true
storage: {delete_cancel_period: 0}
overrides: {none: {deletion_mode: disabled}, hide: {deletion_mode: filter-only}}
"""
    server = make_ingester(config=config).start()
    auth = lambda tenant: {"X-Scope-OrgID": tenant}
    for tenant in ("one", "two", "none", "hide"):
        fill(server, now, auth(tenant))
    assert delete(server, '{app="web"}', now - HOUR, check=False, headers=auth("none")) == (403, "deletion is not available for this tenant\n")
    for method in ("GET", "DELETE"):
        assert server.ask(method, PATH, headers=auth("none"))[0] == 403
    assert server.ask("GET", PATH)[0] == 401
    delete(server, '{app="web"}', now - HOUR, headers=auth("one"))
    delete(server, '{app="web"}', now - HOUR, headers=auth("hide"))
    assert [seen(server, now, auth(t)) for t in ("one", "two", "none", "hide")] == [0, 100, 100, 0]
    request_id = deletes(server, auth("one"))[0]["request_id"]
    assert deletes(server, auth("two")) == []
    assert server.ask("DELETE", PATH, {"request_id": request_id}, headers=auth("two"))[0] == 404
    flush(server)
    wait_for("removal", lambda: [d["status"] for d in deletes(server, auth("one"))] == ["processed"], 60, 0.1)
    assert [d["status"] for d in deletes(server, auth("hide"))] == ["received"]
    assert stored_rows(server) == 700
    assert [seen(server, now, auth(t)) for t in ("one", "two", "none", "hide")] == [0, 100, 100, 0]


def test_a_damaged_file_costs_the_lines_that_are_damaged(ingester, now):
    fill(ingester, now)
    delete(ingester, '{app="web"} |= "user=1"', now - HOUR)
    delete(ingester, '{app="web"} |= "user=2"', now - HOUR)
    assert ingester.stop() == 0
    path = ingester.data + "/deletes"
    with open(path) as f:
        text = f.read()
    with open(path, "w") as f:
        f.write(text.replace("user=2", "user=3"))
    ingester.start()
    assert [d["query"] for d in deletes(ingester)] == ['{app="web"} |= "user=1"']
    assert seen(ingester, now) == 90
    assert "is damaged" in ingester.log()
    with open(ingester.data + "/quarantine/deletes") as f:
        assert "user=3" in f.read()


def test_nothing_of_a_deleted_entry_is_left_on_the_disk(ingester, now):
    secret = "password=hunter2 of somebody"
    ingester.push([({"a": "b"}, [(now - NS, secret), (now, "harmless")])])
    delete(ingester, '{a="b"} |= "hunter2"', now - HOUR, force="true")
    ingester.push([({"a": "b"}, [(now + 1, "later")])])                    # the log goes on
    wait_for("removal", lambda: deletes(ingester)[0]["status"] == "processed", 60, 0.1)
    for folder, _, names in os.walk(ingester.data):
        for name in names:
            with open(os.path.join(folder, name), "rb") as f:
                if name != "deletes":
                    assert b"password=" not in f.read(), name
    assert lines(ingester, '{a="b"}') == ["harmless", "later"]


# ---- the command line ----

def test_the_cli_makes_lists_and_cancels_deletes(ingester, now):
    fill(ingester, now)
    run = lambda *args: cli("delete", *args, server=ingester)
    assert run("list").returncode == 1
    created = run("create", '{app="web"} |= "user=1"', "--from", "1h")
    assert created.returncode == 0 and b' deleted: {app="web"} |= "user=1" from ' in created.stdout
    assert run("create", '{app="web"}', "--from", "2026-01-01T00:00:00Z", "--to", "2026-01-02T00:00:00Z").returncode == 0
    listed = run("list")
    rows = listed.stdout.decode().splitlines()
    assert listed.returncode == 0 and len(rows) == 2
    assert created.stdout.decode().split()[0] == rows[0].split()[0]
    told = json.loads(ingester.ask("GET", "/loki/api/v1/delete")[1])[1]
    stamp = lambda s: datetime.datetime.fromtimestamp(s, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    fields = rows[1].split()
    assert fields[:3] == [told["request_id"], "received", "0"]
    assert fields[3].startswith(stamp(told["created_at"])) and fields[4].startswith(stamp(told["removal_at"])) and fields[3] != fields[4]
    assert fields[5:] == ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", '{app="web"}']
    assert seen(ingester, now) == 90
    assert run("cancel", rows[0].split()[0]).returncode == 0
    assert seen(ingester, now) == 100
    for wrong in ([], ["create", '{a="b"}'], ["create", "--from", "1h"], ["cancel"], ["list", "x"], ["undo"], ["create", '{a="b"}', "--from", "soon"],
                  ["create", '{a="b"}', "--from", "1795000000"], ["create", '{a="b"}', "--from", "1h", "--to", "0"]):
        assert run(*wrong).returncode == 2, wrong
    refused = run("create", "{}", "--from", "1h")
    assert refused.returncode == 3 and b"invalid query expression" in refused.stderr
    assert run("cancel", "00000000").returncode == 3


# ---- retention ----

def retention(server, headers=None):
    status, text = server.ask("GET", "/cordwood/v1/retention", headers=headers)
    assert status == 200
    return json.loads(text)


def test_streams_have_periods_of_their_own(make_ingester, now):
    config = """limits_config:
  retention_period: 30d
  retention_stream:
  - {selector: '{level="debug"}', priority: 1, period: 1d}
  - {selector: '{level="debug", app="audit"}', priority: 2, period: 90d}
"""
    server = make_ingester(config=config).start()
    ages = {"hours": 3 * HOUR, "days": 4 * 24 * HOUR, "weeks": 40 * 24 * HOUR, "months": 100 * 24 * HOUR}
    kept = {"web": ["hours"], "audit": ["weeks", "days", "hours"], "info": ["days", "hours"]}
    streams = {"web": {"app": "web", "level": "debug"}, "audit": {"app": "audit", "level": "debug"}, "info": {"app": "info", "level": "info"}}
    server.push([(labels, [(now - age, name) for name, age in ages.items()]) for labels in streams.values()])
    for _ in range(2):
        for app, want in kept.items():
            assert lines(server, '{app="%s"}' % app) == want, app
        flush(server)
    wait_for("what is too old to leave the disk", lambda: stored_rows(server) == 6, 60, 0.2)
    for app, want in kept.items():
        assert lines(server, '{app="%s"}' % app) == want, app
    rules = {(r["rule"], r.get("selector")): r for r in retention(server)["tenants"][0]["rules"]}
    assert set(rules) == {("retention_stream", '{level="debug"}'), ("retention_stream", '{level="debug", app="audit"}'), ("retention_period", None)}
    audit = rules["retention_stream", '{level="debug", app="audit"}']
    assert audit["priority"] == 2 and audit["period"] == "90d" and audit["next"]["due"] is False
    assert audit["next"]["entries"] == 1 and audit["next"]["at"] > audit["next"]["to"]


def test_a_period_does_not_name_a_part_that_another_rule_keeps(make_ingester, now):
    config = """limits_config:
  retention_period: 48h
  retention_stream:
  - {selector: '{app="keep"}', priority: 5, period: 0s}
  - {selector: '{app=~"keep|short"}', priority: 1, period: 24h}
"""
    server = make_ingester(config=config).start()
    server.push([({"app": "keep"}, [(now - 100 * HOUR, "old keep")]), ({"app": "x"}, [(now - 100 * HOUR, "old x"), (now - HOUR, "new x")])])
    flush(server)
    wait_for("the old entry of x to leave the disk", lambda: stored_rows(server) == 2, 60, 0.2)
    assert lines(server, '{app="keep"}') == ["old keep"]

    def rules():
        return {(r["rule"], r.get("selector")): r for r in retention(server)["tenants"][0]["rules"]}

    found = rules()
    assert "next" not in found["retention_stream", '{app="keep"}'] and "next" not in found["retention_stream", '{app=~"keep|short"}']
    of_x = found["retention_period", None]["next"]
    assert of_x["due"] is False and of_x["entries"] == 1 and of_x["from"] == of_x["to"], of_x
    server.push([({"app": "short"}, [(now - 2 * HOUR, "short")])])
    flush(server)
    short = rules()["retention_stream", '{app=~"keep|short"}']["next"]
    assert short["due"] is False and short["entries"] == 1, short


def test_streams_have_bytes_of_their_own_and_the_oldest_of_them_go(make_ingester, now):
    day_ns = 24 * HOUR
    rng = random.Random(6)
    labels = {"web": {"app": "web", "level": "debug"}, "audit": {"app": "audit", "level": "debug"}, "info": {"app": "info", "level": "info"}}

    def config(web, audit):
        return """limits_config:
  retention_stream:
  - {selector: '{level="debug"}', priority: 1, bytes: %d}
  - {selector: '{level="debug", app="audit"}', priority: 2, period: 90d, bytes: %d}
""" % (web, audit)

    def push_day(server, day):
        at = now // day_ns * day_ns - day * day_ns
        server.push([(of, [(at + i, "%d user=%d %030x" % (day, i % 10, rng.getrandbits(120))) for i in range(300)]) for of in labels.values()])
        flush(server)

    def days(server, app):
        found = [int(line.split()[0]) for line in lines(server, '{app="%s"}' % app)]
        return {day: found.count(day) for day in dict.fromkeys(found)}

    def whole(first, last):
        return {day: 300 for day in range(first, last - 1, -1)}

    def bounds(server):
        rules = [r for r in retention(server)["tenants"][0]["rules"] if "max_bytes" in r]
        assert [r["selector"] for r in rules] == ['{level="debug", app="audit"}', '{level="debug"}'] and {r["rule"] for r in rules} == {"retention_stream"}
        return rules

    server = make_ingester(config=config(10 ** 9, 10 ** 9)).start()
    for day in range(6, 0, -1):
        push_day(server, day)
    audit, web = bounds(server)
    total = retention(server)["tenants"][0]["bytes"]
    for rule in (audit, web):
        assert abs(rule["used_bytes"] * 3 - total) < 20 and rule["max_bytes"] == 10 ** 9 and rule["next"]["due"] is False and "at" not in rule["next"]
        assert rule["next"]["to"].startswith(time.strftime("%Y-%m-%d", time.gmtime((now - 6 * day_ns) // NS)))
    delete(server, '{app="info"} |= "user=7"', now - 10 * day_ns)
    assert server.stop() == 0

    day = total // 18                                                        # what a stream has of a day
    bounded = make_ingester("bounded", config=config(day * 7 // 2, day * 11 // 2), data=server.data).start()
    wait_for("the oldest to go", lambda: days(bounded, "web") == whole(3, 1) and days(bounded, "audit") == whole(5, 1), 30, 0.1)
    assert stored_rows(bounded) == 300 * (3 + 5 + 6)
    push_day(bounded, 0)
    for _ in range(2):
        wait_for("the oldest to go", lambda: days(bounded, "web") == whole(2, 0) and days(bounded, "audit") == whole(4, 0), 30, 0.1)
        time.sleep(1.5)                                                     # and no more of them
        assert days(bounded, "web") == whole(2, 0) and days(bounded, "audit") == whole(4, 0)
        assert days(bounded, "info") == {**{day: 270 for day in range(6, 0, -1)}, 0: 300}
        for rule in bounds(bounded):
            assert 0 < rule["used_bytes"] <= rule["max_bytes"] and rule["next"]["due"] is False
        bounded.kill()
        bounded.start()
    waiting, = deletes(bounded)
    assert waiting["status"] == "received"
    assert bounded.ask("DELETE", PATH, {"request_id": waiting["request_id"]})[0] == 204
    assert days(bounded, "info") == whole(6, 0)


def test_a_rule_of_streams_needs_a_period_or_bytes(tmp_path):
    path = tmp_path / "cordwood.yaml"
    path.write_text("limits_config:\n  retention_stream:\n  - {selector: '{a=\"b\"}'}\n  - {selector: '{a=\"c\"}', bytes: 1GB}\n  - {selector: '{a=\"d\"}', bytes: much}\n")
    done = subprocess.run([INGESTER, "--config", str(path), "--check"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 2
    errors = done.stderr.decode().splitlines()
    assert any(":3:5: limits_config.retention_stream[0]: a rule needs a period or bytes" in e for e in errors), errors
    assert any(":5:" in e and "bytes" in e for e in errors) and not any(":4:" in e for e in errors), errors


def test_bytes_bound_a_tenant_and_the_answer_says_what_is_next(make_ingester, now):
    server = make_ingester(config="limits_config: {retention_bytes: 1000000000}\nstorage: {max_bytes: 2000000000}\n").start()
    for day in range(5):
        server.push([({"a": "b"}, [(now - day * 24 * HOUR, "day %d" % day)])])
    flush(server)
    report = retention(server)
    tenant = report["tenants"][0]
    assert tenant["tenant"] == "fake" and tenant["parts"] == 5 and report["store"]["bytes"] == tenant["bytes"]
    rules = {r["rule"]: r for r in tenant["rules"] + report["store"]["rules"]}
    assert rules["retention_bytes"]["max_bytes"] == 10 ** 9 and rules["retention_bytes"]["next"]["due"] is False
    assert rules["storage.max_bytes"]["next"]["part"] == rules["retention_bytes"]["next"]["part"]
    assert server.stop() == 0
    small = make_ingester("small", config="limits_config: {retention_bytes: %d}\n" % (tenant["bytes"] - 1), data=server.data).start()
    wait_for("the oldest to go", lambda: lines(small, '{a="b"}') == ["day %d" % d for d in (3, 2, 1, 0)], 30, 0.1)
    assert small.metrics()['cordwood_retention_dropped_parts_total{reason="tenant_bytes"}'] == "1"
    time.sleep(0.1)
    assert len(lines(small, '{a="b"}')) == 4


# What is left of twelve days of 2 MB each, of which the oldest is day 11; each limit is set alone.
LIMITS = {
    "retention_period": ("limits_config: {retention_period: 150h}\nstorage: {min_free: 0}\n", "age", lambda kept: kept == list(range(6, -1, -1))),
    "retention_bytes": ("limits_config: {retention_bytes: 7MB}\nstorage: {min_free: 0}\n", "tenant_bytes", lambda kept: 2 <= len(kept) <= 4),
    "storage.max_bytes": ("storage: {max_bytes: 16MiB, min_free: 0}\nwal: {segment_bytes: 1MiB}\n", "store_bytes", lambda kept: 5 <= len(kept) <= 8),
}
REASONS = ("age", "tenant_bytes", "store_bytes", "free_space")


@pytest.mark.parametrize("limit", LIMITS)
def test_each_limit_works_alone_and_costs_the_oldest(make_ingester, now, limit):
    config, reason, fits = LIMITS[limit]
    server = make_ingester("keeping", config="storage: {min_free: 0}\n").start()
    for day in range(11, -1, -1):
        server.push([({"a": "b"}, [(now - day * 24 * HOUR - i, "day %d %s" % (day, os.urandom(1000).hex())) for i in range(1000)])])
    flush(server)
    assert server.stop() == 0
    bounded = make_ingester("bounded", config=config, data=server.data).start()
    days = lambda: sorted({int(line.split()[1]) for line in lines(bounded, '{a="b"}')}, reverse=True)    # noqa: E731
    kept = wait_for("the oldest to go", lambda: (lambda found: found if fits(found) else None)(days()), 30, 0.1)
    assert kept == list(range(kept[0], -1, -1)), "a day before another went"
    dropped = lambda: {r: int(bounded.metrics()['cordwood_retention_dropped_parts_total{reason="%s"}' % r]) for r in REASONS}    # noqa: E731
    wait_for("whole parts to go", lambda: dropped()[reason] >= 3, 30, 0.1)
    assert all(n == 0 for r, n in dropped().items() if r != reason), dropped()
    report = retention(bounded)
    assert [rule["rule"] for rule in report["store"]["rules"] + report["tenants"][0]["rules"]] == [limit]
    bounded.kill()
    bounded.start()
    assert days() == kept


def test_a_tenant_is_told_only_of_itself(make_ingester, now):
    server = make_ingester(config="auth_enabled: true\noverrides: {one: {retention_period: 7d}}\n").start()
    for tenant in ("one", "two"):
        server.push([({"a": "b"}, [(now, "x")])], headers={"X-Scope-OrgID": tenant})
    flush(server)
    report = retention(server, {"X-Scope-OrgID": "one"})
    assert "store" not in report and [t["tenant"] for t in report["tenants"]] == ["one"]
    assert [r["rule"] for r in report["tenants"][0]["rules"]] == ["retention_period"]
    assert server.ask("GET", "/cordwood/v1/retention")[0] == 401


# ---- damaged parts ----

def big_part(server, now, apps):
    """A part with so many lines of each of these apps, of 60 bytes, that say which they are. Ended, so that it can be damaged."""
    for app, lines_each in apps.items():
        for at in range(0, lines_each, 10000):
            server.push([({"app": app}, [(now - HOUR + i * 1000, "line %d of %s, secret %s" % (i, app, os.urandom(12).hex()))
                                         for i in range(at, min(at + 10000, lines_each))])])
    flush(server)
    server.stop()
    path, = parts(server.data)
    return path, Part(path)


def carried_out(server, query, now):
    delete(server, query, now - 2 * HOUR, force="true")
    wait_for("the delete", lambda: deletes(server)[-1]["status"] == "processed", 60, 0.1)
    return deletes(server)[-1]


def count(server, query, now):
    answer = server.query("sum(count_over_time(%s[2h]))" % query, time=now + NS)
    return int(float(answer[0]["value"][1])) if answer else 0


@pytest.mark.parametrize("place", ["header", "text", "times", "end"])
def test_a_delete_is_carried_out_in_a_part_with_a_bad_block(ingester, now, place):
    path, part = big_part(ingester, now, {"a": 80000})
    assert len(part.blocks) > 2
    start, length, rows = part.blocks[0]
    inside = {name: at for name, at, _ in sections(path, start)}
    flip(path, {"header": start + 20, "end": start + length - 1}.get(place) or inside[place])
    with open(path, "rb") as f:
        f.seek(start)
        bad = f.read(length)
    ingester.start()
    row = carried_out(ingester, '{app="a"} |= "line 79999 of"', now)
    unread = row["unreadable_entries"]
    assert row["removed_entries"] == 1 and 0 < unread <= rows, row
    new, = parts(ingester.data)
    assert new != path and Part(new).rows == 80000 - 1 - unread
    assert count(ingester, '{app="a"}', now) == 80000 - 1 - unread and lines(ingester, '{app="a"} |= "line 79999 of"') == []
    assert len(lines(ingester, '{app="a"} |= "line 79998 of"')) == 1
    aside, = quarantined(ingester.data)
    with open(os.path.join(ingester.data, "quarantine", aside), "rb") as f:
        assert f.read() == bad
    ingester.kill()
    ingester.start()
    assert deletes(ingester)[0]["unreadable_entries"] == unread
    assert cli("delete", "list", "--addr", ingester.url).stderr.decode().count("%d entries of bad blocks" % unread) == 1
    ingester.stop()
    assert cli("fsck", ingester.data).returncode == 0


@pytest.mark.parametrize("place", ["header", "text", "streams"])
def test_a_bad_block_that_a_delete_does_not_touch_stays_as_it_is(ingester, now, place):
    """Small streams share the block that is bad; the stream that goes whole comes before them, so that their numbers change."""
    path, part = big_part(ingester, now, {"a": 30000, "m1": 4000, "m2": 4000, "m3": 4000})
    start = part.blocks[-1][0]
    assert part.blocks[-1][2] == 12000
    flip(path, start + 20 if place == "header" else {name: at for name, at, _ in sections(path, start)}[place])
    ingester.start()
    kept = {app: count(ingester, '{app="%s"}' % app, now) for app in ("m1", "m2", "m3")}
    row = carried_out(ingester, '{app="a"}', now)
    assert row["removed_entries"] == 30000 and "unreadable_entries" not in row
    new, = parts(ingester.data)
    assert new != path and Part(new).rows == 12000
    assert {app: count(ingester, '{app="%s"}' % app, now) for app in kept} == kept and count(ingester, '{app="a"}', now) == 0
    ingester.stop()
    assert cli("fsck", ingester.data).stdout.decode().count("block %d, " % (len(Part(new).blocks) - 1)) > 0
    assert b"1 problem, repaired" in cli("fsck", "--repair", ingester.data).stdout
    assert cli("fsck", ingester.data).returncode == 0


def test_a_delete_that_waits_for_a_damaged_part_says_so(ingester, now):
    path, part = big_part(ingester, now, {"a": 2000, "b": 2000})
    offset, length = part.regions["streams"]
    flip(path, offset + length - 1)             # a group of streams
    ingester.start()
    delete(ingester, '{app="a"} |= "line 7 of"', now - 2 * HOUR, force="true")
    wait_for("the refusal", lambda: deletes(ingester)[0].get("damaged_parts") == 1, 60, 0.1)
    assert deletes(ingester)[0]["status"] == "received"
    told = cli("delete", "list", "--addr", ingester.url)
    assert "waits for 1 damaged part" in told.stderr.decode() and "fsck --repair" in told.stderr.decode()
