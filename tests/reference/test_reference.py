"""The engine answers as a plain evaluator does: random queries over random data, and the evaluator itself against the
answers that a real Loki gave (tests/conformance)."""
import importlib.machinery
import importlib.util
import json
import os
import random
import re
import sys
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import differential  # noqa: E402
import reference  # noqa: E402
import siblings  # noqa: E402
from ref_metric import QueryError, Undefined, variance  # noqa: E402
from ref_parse import NotCovered, duration_ns  # noqa: E402

CONFORMANCE = os.path.join(os.path.dirname(HERE), "conformance")
BASE = 1773482400       # any full hour
NS = reference.NS
GROUPS = ["binop", "boundaries", "decolorize", "drop_keep", "instant", "json", "label_filters", "label_format", "label_replace", "line_filters",
          "line_format", "logfmt", "matchers", "offset", "parsed_metric", "pattern", "pipeline", "range_agg", "regexp", "template", "unpack", "unwrap",
          "vector_agg"]
MOST_SLOW = 5000        # of so many queries one may be too slow for the evaluator
# Cases about parameters and not about the language.
OTHER = {"instant/limit-bad", "instant/direction-bad"}
LEAST = 600             # cases that the evaluator knows; it loses none


def conformance_run():
    """The suite's program, which normalises answers."""
    loader = importlib.machinery.SourceFileLoader("conformance_run", os.path.join(CONFORMANCE, "run"))
    made = importlib.util.module_from_spec(importlib.util.spec_from_loader("conformance_run", loader))
    loader.exec_module(made)
    return made


RUN = conformance_run()


def recorded_data():
    """The suite's data set as it is stored: no empty labels, names of metadata sanitised, no entry twice."""
    def name(key):
        return ("key_" if key[0].isdigit() else "") + re.sub(r"[^A-Za-z0-9_]", "_", key)

    with open(os.path.join(CONFORMANCE, "dataset.json"), encoding="utf-8") as f:
        streams = json.load(f)["streams"]
    data = []
    for s in streams:
        entries = {(BASE * NS + e[0], e[1], tuple(sorted((name(k), v) for k, v in (e[2] if len(e) > 2 else {}).items() if v))) for e in s["entries"]}
        data.append(({k: v for k, v in s["labels"].items() if v}, [(ts, line, dict(metadata)) for ts, line, metadata in sorted(entries)]))
    return data


def place_ns(text):
    """A time parameter of a case."""
    text = RUN.place(text, BASE)
    if not re.fullmatch(r"\d{19}", text):
        raise NotCovered("time " + text)
    return int(text)


def request_of(params, endpoint):
    query = RUN.place(params["query"], BASE)
    if "interval" in params or endpoint == "query" and "time" not in params:
        raise NotCovered("parameters")
    if endpoint == "query":
        return {"kind": "instant", "query": query, "time": place_ns(params["time"]), "extensions": False}
    if not {"start", "end"} <= set(params):
        raise NotCovered("parameters")
    out = {"query": query, "start": place_ns(params["start"]), "end": place_ns(params["end"]), "limit": int(params.get("limit", "100")),
           "direction": params.get("direction", "backward").lower(), "kind": "log"}
    if "step" in params:
        step = params["step"]
        out.update(kind="range", step=int(float(step) * NS) if re.fullmatch(r"[\d.]+", step) else duration_ns(step))
    return dict(out, extensions=False)


def absolute(answer):
    """A recorded answer with its times as a server gives them."""
    answer = json.loads(json.dumps(answer))
    for series in answer["result"] if answer["resultType"] != "scalar" else []:
        for value in [series["value"]] if "value" in series else series["values"]:
            value[0] = str(value[0] + BASE * NS) if answer["resultType"] == "streams" else value[0] + BASE
    return answer


def differs(case, data):
    """What the evaluator has against a recorded answer, or None."""
    request, expect = request_of(case["params"], case["endpoint"]), case["expect"]
    kind, want = differential.expected(data, request)
    if kind == "unknown":
        raise NotCovered(want)
    if kind == "error" or expect["status"] != 200:
        status = want if kind == "error" else 200
        return None if status == expect["status"] else "status %d, recorded %d" % (status, expect["status"])
    got = absolute(expect["body"]["data"])
    if isinstance(want, reference.Log):
        # the suite sorts entries of one time, and keeps long lines as hashes and times in text as offsets
        want.entries = [(ts, RUN.short(line, BASE), tuple(sorted(RUN.clean(dict(labels), BASE).items()))) for ts, line, labels in want.entries]
        for stream in got["result"]:
            stream["values"].sort(key=lambda v: int(v[0]), reverse=not want.forward)
    return reference.difference(want, got, rel=1e-9)


def test_the_evaluator_agrees_with_recorded_answers():
    data, agreed, wrong = recorded_data(), 0, []
    for group in GROUPS:
        with open(os.path.join(CONFORMANCE, "cases", group + ".json"), encoding="utf-8") as f:
            cases = json.load(f)
        for case in cases:
            if case["endpoint"] not in ("query", "query_range") or "query" not in case["params"] or case["id"] in OTHER:
                continue
            try:
                difference = differs(case, data)
            except (NotCovered, Undefined, QueryError):
                continue
            agreed += difference is None
            if difference:
                wrong.append("%s: %s" % (case["id"], difference))
    assert not wrong
    assert agreed >= LEAST


# The evaluator works on labels and metadata as they are pushed, and knows no limits.
CONFIG = "auth_enabled: true\nlimits_config: {discover_log_levels: false, discover_service_name: [], max_query_series: 1000000}\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    from programs import Ingester
    ingester = Ingester(tmp_path_factory.mktemp("reference"), config=CONFIG).start()
    yield ingester
    assert ingester.stop() == 0
    ingester.kill()


def test_random_queries_are_answered_as_the_evaluator_answers_them(server):
    from programs import LONG
    # the long run draws other queries each time; the seed is in what it prints
    seed, queries = (str(int(time.time())), 100000) if LONG else ("short", 2000)
    counts, failures = differential.run(server.url, queries, seed, most_failures=5)
    asked, compared, errors, slow = counts
    print("seed %s: %d queries, %d compared, %d of them errors; %d too slow for the evaluator" % (seed, *counts))
    shown = [differential.describe(f, differential.shrink(server.url, f)) for f in failures]
    assert not failures, "%s\n(tests/reference/differential.py --case NAME asks one again)" % "\n\n".join(shown)
    # a generator that asks what the evaluator does not know tests nothing
    assert asked >= queries and compared > 0.9 * asked and errors > 0
    assert slow <= asked / MOST_SLOW


# What long runs found: {line: query}.
FOUND = {
    '{"k": "x\ufffdy", "o": {"p\ufffdq": "z"}, "e": "g\\ufffdh", "_entry": "in a\ufffdb"}': "| json",
    '{"k": "x\ufffdy", "o": {"p": "z\ufffd"}, "a": ["v\ufffdw"], "": 1}': '| json a="k", b="o", c="o.p", d="a[0]", e="a"',
    '{"_entry": "in a\ufffdb", "k": "x\ufffdy"}': "| unpack",
    'k=x\ufffdy q="q\ufffdq"': "| logfmt",
    'k=x\ufffdy b="q\ufffdq" c=1': '| logfmt a="k", b, c',
    "first k=x\ufffdy": '| regexp "k=(?P<kk>\\\\S+)"',
    "the second template sees the first one's label when there were none": '| keep nosuch | label_format app="x{{.trace | len}}", trace="{{.app}}!", third="{{.app}}{{.trace}}"',
    "and nothing of it when there were some": '| keep kind | label_format app="x{{.kind}}", trace="{{.app}}!"',
}


def test_what_long_runs_found_is_answered_as_the_evaluator_answers_it(server):
    connection = differential.Server(server.url)
    for i, (line, query) in enumerate(FOUND.items()):
        data, tenant = [({"app": "api", "kind": "k"}, [(BASE * NS, line, {})])], "found-%d" % i
        request = {"kind": "log", "query": '{app="api"} ' + query, "start": (BASE - 60) * NS, "end": (BASE + 60) * NS, "limit": 10, "direction": "forward",
                   "extensions": False}
        connection.push(tenant, data)
        want = differential.expected(data, request)
        assert want[0] == "answer" and len(want[1].entries) == 1, (query, want)
        assert differential.judge(want, *connection.query(tenant, request)) is None, query


def test_a_metric_query_sees_the_labels_that_a_log_query_sees(server):
    # a label with the suffix ends the line at its second value, whether it is needed or not
    data = [({"app": "job"}, [(BASE * NS, 'app="y" num=1 user=ana num=9', {}), (BASE * NS + 1, "num=9", {})])]
    connection = differential.Server(server.url)
    connection.push("suffixed", data)
    query = 'sum by (app, num) (count_over_time({app="job"} | logfmt num="num", app="user" [1h]))'
    request = {"kind": "instant", "query": query, "time": (BASE + 60) * NS, "extensions": False}
    want = differential.expected(data, request)
    assert want == ("answer", [({"app": "job", "num": "1"}, 1), ({"app": "job", "num": "9"}, 1)])
    assert differential.judge(want, *connection.query("suffixed", request)) is None


def test_a_variance_that_is_made_of_rounding_errors_is_left_out():
    assert variance([1000 + 1 / 8, 1001 + 1 / 8]) == 0.25
    with pytest.raises(Undefined):      # a running mean gets 2.6e-12 of the deviation wrong
        variance([1000 + 1 / 90, 1000 + 3 / 90])


def test_a_query_on_which_the_evaluator_backtracks_without_end_is_left_out(server, monkeypatch):
    monkeypatch.setattr(differential, "SECONDS", 0.2)
    data = [({"app": "api"}, [(BASE * NS, "a" * 50 + "b", {})])]
    request = {"kind": "log", "start": (BASE - 60) * NS, "end": (BASE + 60) * NS, "limit": 10, "direction": "forward", "extensions": False}
    connection = differential.Server(server.url)
    connection.push("backtracking", data)
    for query in ('{app="api"} |~ "^(?:(?:a+)+|x)$"', '{app="api"} | regexp "(?P<all>(?:a|a)*$)c"', '{app="api"} | line_format "{{ count `(a+)+c` __line__ }}"'):
        want = differential.expected(data, dict(request, query=query))
        assert want == differential.SLOW, query
        assert differential.judge(want, *connection.query("backtracking", dict(request, query=query))) is None, query
    # the next one is answered as ever
    request["query"] = '{app="api"} |~ "^a+b$"'
    want = differential.expected(data, request)
    assert want[0] == "answer" and len(want[1].entries) == 1
    assert differential.judge(want, *connection.query("backtracking", request)) is None


def recorded_queries():
    """[(params, endpoint)]"""
    out = []
    for group in GROUPS:
        with open(os.path.join(CONFORMANCE, "cases", group + ".json"), encoding="utf-8") as f:
            out += [(c["params"], c["endpoint"]) for c in json.load(f) if c["endpoint"] in ("query", "query_range") and "query" in c["params"]]
    return out


def ask_siblings(server, queries, seed):
    """([asked, compared, too slow], [what differs]) of so many queries over the recorded data."""
    data, recorded, r = recorded_data(), recorded_queries(), random.Random(seed)
    asked, compared, slow, wrong = 0, 0, 0, []
    while asked < queries:
        params, endpoint = r.choice(recorded)
        try:
            request = request_of(dict(params, query=siblings.sibling(params["query"], r)), endpoint)
        except (NotCovered, ValueError):
            continue
        if request.get("step", NS) % NS or request.get("step") == 0:
            continue
        if request["kind"] == "log":
            request.update(limit=r.choice([5, 100, 1000]), direction=r.choice(["forward", "backward"]))
        asked += 1
        status, body = server.query("siblings", request)
        # words that do not go together are an error of the parser, whose texts the suite knows, and the evaluator does not
        if status == 400 and body.startswith(b"parse error"):
            continue
        want = differential.expected(data, request)
        compared += want[0] != "unknown"
        slow += want == differential.SLOW
        if want[0] == "answer" and status == 200:
            difference = reference.difference(want[1], json.loads(body)["data"], rel=1e-9)
        else:
            difference = differential.judge(want, status, body)
        if difference:
            wrong.append("%s\n%s" % (request, difference))
    return [asked, compared, slow], wrong


def test_siblings_of_recorded_queries_are_answered_as_the_evaluator_answers_them(server):
    from programs import LONG
    seed, queries = (str(int(time.time())), 20000) if LONG else ("short", 300)
    connection = differential.Server(server.url)
    connection.push("siblings", recorded_data())
    (asked, compared, slow), wrong = ask_siblings(connection, queries, seed)
    assert not wrong, "seed %s: %s" % (seed, "\n".join(wrong[:5]))
    print("seed %s: %d queries, %d compared; %d too slow for the evaluator" % (seed, asked, compared, slow))
    assert compared > 0.7 * asked and slow <= asked / MOST_SLOW
