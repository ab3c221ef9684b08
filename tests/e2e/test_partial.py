"""Answers that stop at a limit: pages that follow each other are together the whole answer, and name the limit."""
import json
import random

import pytest

from programs import NS, cli

START = 1_700_000_000 * NS
SPAN = 600


def push_random(server, rng, n=600):
    """Many entries of few times, some with the same text."""
    streams = {}
    for i in range(n):
        labels = ("abc"[rng.randrange(3)], "xy"[rng.randrange(2)])
        streams.setdefault(labels, []).append((START + rng.randrange(SPAN) // 7 * 7 * NS, "n=%d w=%d" % (i, rng.randrange(3))))
    server.push([({"app": app, "pod": pod}, entries) for (app, pod), entries in streams.items()])


def ask(server, status=200, headers=None, **params):
    got, body = server.ask("GET", "/loki/api/v1/query_range", {"start": START, "end": START + SPAN * NS, **params}, headers=headers)
    assert got == status, (got, body)
    return json.loads(body) if status == 200 else body.decode().strip()


def entries(answer, forward):
    """In the order of the query; of one time and stream in the answer's order."""
    rows = [(int(ts), stream["stream"], line) for stream in answer["data"]["result"] for ts, line in stream["values"]]
    return sorted(rows, key=lambda row: row[0], reverse=not forward)


def samples(answer):
    return sorted((ts, sorted(series["metric"].items()), value) for series in answer["data"]["result"] for ts, value in series["values"])


def pages(server, draw, between=lambda: None, **params):
    """All answers; the first has the range, the others only the token."""
    token, all_pages = {}, []
    while True:
        answer = ask(server, **{**params, **draw(), "partial": "true", **token})
        all_pages.append(answer)
        assert len(all_pages) < 5000
        if "continuation" not in answer:
            assert "warnings" not in answer
            return all_pages
        token = {"continuation": answer["continuation"]}
        between()


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_pages_of_entries_are_together_the_whole_answer(make_ingester, direction):
    rng = random.Random(direction)
    server = make_ingester(config="limits_config: {max_entries_limit_per_query: 100000}\n").start()
    for _ in range(3):
        push_random(server, rng)
        assert server.ask("POST", "/flush")[0] == 204
    push_random(server, rng)
    forward = direction == "forward"
    for query in ('{app=~".+"}', '{app=~"a|b"} |= "w=1" | logfmt | n > 100'):
        whole = entries(ask(server, query=query, limit=100000, direction=direction), forward)
        for draw in (lambda: {"limit": rng.randrange(1, 60)}, lambda: {"limit": 100000, "max_bytes": rng.randrange(1, 4000)},
                     lambda: {"limit": rng.randrange(1, 200), "max_bytes": rng.randrange(1, 20000), "max_time": "1ms"}):
            got = [row for page in pages(server, draw, query=query, direction=direction) for row in entries(page, forward)]
            # Rows of one time come by stream in an answer; whole and pages have the same rows of each time, each as often.
            key = lambda row: (row[0], sorted(row[1].items()), row[2])
            assert [row[0] for row in got] == [row[0] for row in whole]
            assert sorted(map(key, got)) == sorted(map(key, whole))


def test_pages_stay_whole_while_the_head_becomes_parts_and_late_entries_come(ingester):
    rng = random.Random(7)
    push_random(ingester, rng)
    query = '{app=~".+"}'
    whole = entries(ask(ingester, query=query, limit=5000), False)
    state = {"n": 0}

    def disturb():
        state["n"] += 1
        if state["n"] == 3:
            assert ingester.ask("POST", "/flush")[0] == 204
        if state["n"] % 4 == 0:   # behind what pages gave already, and in a stream that sorts first
            ingester.push([({"app": "_late"}, [(START + SPAN * NS - 1, "late %d" % state["n"])])])
    got = [row for page in pages(ingester, lambda: {"limit": 17}, between=disturb, query=query) for row in entries(page, False)]
    key = lambda row: (row[0], sorted(row[1].items()), row[2])
    assert sorted(map(key, (row for row in got if row[1]["app"] != "_late"))) == sorted(map(key, whole))


def test_pages_of_samples_are_together_the_whole_answer(ingester):
    rng = random.Random(3)
    push_random(ingester, rng)
    assert ingester.ask("POST", "/flush")[0] == 204
    push_random(ingester, rng)
    for query in ('sum by (app) (rate({app=~".+"}[1m]))', 'max by (pod) (max_over_time({app=~".+"} | logfmt | unwrap n [20s] offset 5s)) / 3'):
        whole = ask(ingester, query=query, step="5")
        got = pages(ingester, lambda: {"max_bytes": rng.randrange(1, 8000)}, query=query, step="5")
        assert len(got) > 2
        assert sorted(sum(map(samples, got), [])) == samples(whole)


def test_a_limit_is_an_error_without_and_a_warning_with_the_switch(make_ingester):
    server = make_ingester(config="limits_config: {max_query_bytes_read: 2KB, max_entries_limit_per_query: 50}\n").start()
    push_random(server, random.Random(1), n=2000)
    query = '{app=~".+"}'
    refused = ask(server, 400, query=query, limit=10)
    assert refused.startswith("the query would read too many bytes (query: ") and "limit: 2.0 KiB" in refused, refused
    assert ask(server, 400, query="sum(rate(%s[1m]))" % query) .startswith("the query would read too many bytes")
    plan = json.loads(server.ask("GET", "/cordwood/v1/explain", {"query": query, "start": START, "end": START + SPAN * NS})[1])["data"]
    assert [one["exceeded"] for one in plan["limits"] if one["name"] == "max_query_bytes_read"] == [True]
    assert ask(server, 400, query=query, limit=51) == "max entries limit per query exceeded, limit > max_entries_limit_per_query (51 > 50)"
    answer = ask(server, headers={"X-Cordwood-Partial": "allow"}, query=query, limit=5000)
    assert answer["warnings"] == ["the answer is partial: max_entries_limit_per_query was reached; the rest is asked with the continuation token"]
    assert len(entries(answer, False)) == 50
    answer = ask(server, partial="true", query="sum(rate(%s[1s]))" % query, step="1")
    assert answer["warnings"] == ["the answer is partial: max_query_bytes_read was reached; the rest is asked with the continuation token"]
    answer = ask(server, partial="true", query="sum(rate(%s[1s]))" % query, step="1", max_bytes=100)
    assert answer["warnings"] == ["the answer is partial: max_bytes was reached; the rest is asked with the continuation token"]
    # A page that is full because it was asked to be no larger is no failure.
    answer = ask(server, partial="true", query=query, limit=5)
    assert "warnings" not in answer and "continuation" in answer
    # What a limit does not touch is as ever.
    assert "continuation" not in ask(server, query='{app="nobody"}', partial="true")
    assert "continuation" not in ask(server, query='{app="nobody"}', limit=10)


def test_time_that_is_up_ends_the_answer(ingester):
    push_random(ingester, random.Random(2), n=4000)
    assert ingester.ask("POST", "/flush")[0] == 204
    # The first slice is more than all that there is here: whatever the time, the answer is whole.
    whole = ask(ingester, query='{app=~".+"}', limit=5000, partial="true", max_time="1ms")
    assert "continuation" not in whole
    assert len(entries(whole, False)) == len(entries(ask(ingester, query='{app=~".+"}', limit=5000), False))


def test_bad_input_is_refused_and_says_why(ingester):
    push_random(ingester, random.Random(4))
    query = '{app=~".+"}'
    token = ask(ingester, query=query, limit=3, partial="true")["continuation"]
    assert ask(ingester, query=query, continuation=token, limit=3)["data"]["result"]
    steps = ask(ingester, query="sum(rate(%s[10s]))" % query, step="1", max_bytes=1, partial="true")["continuation"]
    for params, text in (
            ({"partial": "maybe"}, "partial is true or false, not 'maybe'"),
            ({"continuation": token[:-5]}, "this is not a continuation token of a partial answer, or it is not all of it"),
            ({"continuation": "x"}, "this is not a continuation token of a partial answer, or it is not all of it"),
            ({"continuation": token, "query": '{app="a"}'}, "the continuation token is of another query"),
            ({"continuation": steps}, "the continuation token is of another query"),
            ({"partial": "true", "max_bytes": "0"}, "max_bytes must be a positive number of bytes, or a size as 20MB"),
            ({"partial": "true", "max_bytes": "lots"}, "max_bytes must be a positive number of bytes, or a size as 20MB"),
            ({"partial": "true", "max_time": "-1s"}, None), ({"partial": "true", "max_time": "0"}, "max_time must be a positive duration"),
            ({"partial": "true", "interval": "5"}, "an answer with an interval cannot be partial")):
        got = ask(ingester, 400, **{"query": query, **params})
        assert text is None or got == text, params


def test_the_command_prints_what_is_there_and_the_warning(make_ingester):
    server = make_ingester(config="limits_config: {max_query_bytes_read: 2KB}\n").start()
    push_random(server, random.Random(5), n=2000)
    got = cli("query", '{app=~".+"}', "--from", "2023-11-14T22:00:00Z", "--to", "2023-11-15T00:00:00Z", server=server)
    assert got.returncode == 3 and b"too many bytes" in got.stderr
