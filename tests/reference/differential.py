#!/usr/bin/env python3
"""Random queries over random small data: a server's answers against the reference evaluator's.

    differential.py --url http://127.0.0.1:3100 --queries 10000 --seed 1     against a server with auth_enabled: true
    differential.py --url ... --case 1/17/4                                  one case again, with its data, shrunk

Each data set is a tenant of its own, pushed in three parts with a flush behind the first two, so that entries lie in parts
and in the head; all queries are asked then, and again once all is flushed. A case is named seed/data set/query.
"""
import argparse
import concurrent.futures
import contextlib
import http.client
import json
import multiprocessing
import os
import random
import signal
import sys
import time
import urllib.parse
import uuid

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import reference  # noqa: E402
from generate import Generator  # noqa: E402
from ref_metric import QueryError, Undefined  # noqa: E402
from ref_parse import NotCovered  # noqa: E402
from shrink import smaller_data, smaller_queries  # noqa: E402

PER_DATA = 60       # queries over one data set
# Processor time that the evaluator gets for one query, which takes it a tenth of a second at most: but Python's regular expressions
# backtrack, on some for longer than anyone waits.
SECONDS = 5
SLOW = ("unknown", "the evaluator takes too long")


class Server:
    """One connection, kept."""

    def __init__(self, url):
        self.address = urllib.parse.urlsplit(url).netloc
        self.connection = None

    def ask(self, method, path, tenant, params=None, body=None, extensions=False):
        """(status, body bytes)"""
        headers = {"X-Scope-OrgID": tenant, "Content-Type": "application/json"}
        if extensions:
            headers["X-Cordwood-Extensions"] = "on"
        if params:
            path += "?" + urllib.parse.urlencode(params)
        for last in (False, True):
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPConnection(self.address, timeout=120)
                self.connection.request(method, path, body=body, headers=headers)
                answer = self.connection.getresponse()
                return answer.status, answer.read()
            except (OSError, http.client.HTTPException):
                self.connection = None
                if last:
                    raise

    def must(self, *arguments, **more):
        status, text = self.ask(*arguments, **more)
        if status // 100 != 2:
            raise AssertionError("%s: status %d: %s" % (arguments[:2], status, text[:500]))

    def push(self, tenant, data):
        streams = [{"stream": labels, "values": [[str(ts), line, metadata] if metadata else [str(ts), line] for ts, line, metadata in entries]}
                   for labels, entries in data if entries]
        if streams:
            self.must("POST", "/loki/api/v1/push", tenant, body=json.dumps({"streams": streams}).encode())

    def flush(self, tenant):
        self.must("POST", "/flush", tenant)

    def query(self, tenant, request):
        if request["kind"] == "instant":
            return self.ask("GET", "/loki/api/v1/query", tenant, {"query": request["query"], "time": request["time"]},
                            extensions=request["extensions"])
        params = {"query": request["query"], "start": request["start"], "end": request["end"]}
        if request["kind"] == "log":
            params.update(limit=request["limit"], direction=request["direction"])
        else:
            params["step"] = "%ds" % (request["step"] // reference.NS)
        return self.ask("GET", "/loki/api/v1/query_range", tenant, params, extensions=request["extensions"])


class TooLong(Exception):
    """No QueryError or NotCovered: the evaluator deals with those itself."""


@contextlib.contextmanager
def time_limit(seconds):
    """TooLong after so much processor time, from within a match too, which looks for signals. Of the main thread."""
    def out_of_time(_number, _frame):
        raise TooLong

    before = signal.signal(signal.SIGVTALRM, out_of_time)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def expected(data, request):
    """("answer", ...), ("error", status), or ("unknown", why), of which SLOW is one."""
    try:
        with time_limit(SECONDS):
            if request["kind"] == "instant":
                return "answer", reference.answer_instant(data, request["query"], request["time"])
            return "answer", reference.answer(data, request["query"], request["start"], request["end"], request.get("step"), request.get("limit"),
                                              request.get("direction"))
    except QueryError as error:
        return "error", error.status
    except (NotCovered, Undefined) as why:
        return "unknown", "%s: %s" % (type(why).__name__, why)
    except TooLong:
        return SLOW


def judge(want, status, body):
    """What is wrong with an answer, or None."""
    kind, value = want
    if kind == "unknown":
        # no answer to compare with: but a query that is well typed never breaks the server
        return "status %d: %s" % (status, body[:300]) if status > 500 else None
    if kind == "error":
        return None if status == value else "status %d where %d is right" % (status, value)
    if status != 200:
        return "status %d: %s" % (status, body.decode(errors="replace")[:300])
    return reference.difference(value, json.loads(body)["data"])


def seed_of(*numbers):
    return "/".join(map(str, numbers))


def thirds(data, r):
    """The entries in three pushes; a stream may be in one or in all."""
    parts = [[], [], []]
    for labels, entries in data:
        bins = [[], [], []]
        spread = r.random() < 0.6
        home = r.randrange(3)
        for e in entries:
            bins[r.randrange(3) if spread else home].append(e)
        for part, some in zip(parts, bins):
            part.append((labels, some))
    return parts


def store(server, tenant, data, seed):
    """Push in parts; the last stays in the head."""
    for i, part in enumerate(thirds(data, random.Random(seed))):
        server.push(tenant, part)
        if i < 2:
            server.flush(tenant)


def run_batch(job):
    """The data sets of one batch; returns ([queries, compared, errors wanted, too slow], [failure])."""
    url, run, seed, first, count = job
    server = Server(url)
    sets, counts, failures = [], [0, 0, 0, 0], []
    for number in range(first, first + count):
        generator = Generator(seed_of(seed, number))
        data = generator.data()
        requests = [generator.request() for _ in range(PER_DATA)]
        tenant = "%s-%d" % (run, number)
        sets.append((number, tenant, data, thirds(data, random.Random(seed_of(seed, number))), requests, [expected(data, q) for q in requests]))
    for i in range(3):
        for _, tenant, _, parts, _, _ in sets:
            server.push(tenant, parts[i])
        if i < 2:
            server.flush(sets[0][1])
    failed = set()
    for phase in ("head and parts", "parts"):
        if phase == "parts":
            server.flush(sets[0][1])
        for number, tenant, data, _, requests, wants in sets:
            for i, (request, want) in enumerate(zip(requests, wants)):
                if phase == "parts":
                    counts[0] += 1
                    counts[1] += want[0] != "unknown"
                    counts[2] += want[0] == "error"
                    counts[3] += want == SLOW
                wrong = judge(want, *server.query(tenant, request))
                if wrong and (number, i) not in failed:
                    failed.add((number, i))
                    failures.append({"case": seed_of(seed, number, i), "phase": phase, "wrong": wrong, "request": request, "data": data})
    return counts, failures


def wrong_answer(server, data, request, in_parts):
    """What is wrong with the answer over this data, pushed at once or in parts; or None."""
    want = expected(data, request)
    if want[0] == "unknown":
        return None
    tenant = "shrink-" + uuid.uuid4().hex[:12]
    if in_parts:
        store(server, tenant, data, "shrink")
    else:
        server.push(tenant, data)
    wrong = judge(want, *server.query(tenant, request))
    if not wrong:
        server.flush(tenant)
        wrong = judge(want, *server.query(tenant, request))
    return wrong


def shrink(url, failure, seconds=60):
    """The smallest data and query found that still fail, greedily."""
    server, end = Server(url), time.monotonic() + seconds
    data, request, wrong = failure["data"], failure["request"], failure["wrong"]
    if expected(data, request)[0] == "unknown":
        return failure
    in_parts = not wrong_answer(server, data, request, in_parts=False)

    def tries():
        for query in smaller_queries(request["query"]):
            yield data, dict(request, query=query)
        for less in smaller_data(data):
            yield less, request

    progress = True
    while progress and time.monotonic() < end:
        progress = False
        for less, asked in tries():
            found = wrong_answer(server, less, asked, in_parts)
            # not another fault: a query that is refused instead of one that is answered wrongly
            found = found if found and found.startswith("status") == wrong.startswith("status") else None
            if found:
                data, request, wrong, progress = less, asked, found, True
            if found or time.monotonic() > end:
                break
    return {"data": data, "request": request, "wrong": wrong}


def describe(failure, small=None):
    out = ["case %s (%s): %s" % (failure["case"], failure["phase"], failure["wrong"]), "  " + json.dumps(failure["request"], ensure_ascii=False)]
    if small:
        out += ["  smallest: %s" % small["wrong"], "  " + json.dumps(small["request"], ensure_ascii=False)]
        for labels, entries in small["data"]:
            out.append("    " + json.dumps(labels, ensure_ascii=False))
            out += ["      " + json.dumps(e, ensure_ascii=False) for e in entries]
    return "\n".join(out)


def one_case(url, name):
    """Ask one case again."""
    seed, number, i = name.split("/")
    generator = Generator(seed_of(seed, number))
    data = generator.data()
    request = [generator.request() for _ in range(int(i) + 1)][-1]
    want, server, tenant = expected(data, request), Server(url), "case-" + uuid.uuid4().hex[:12]
    store(server, tenant, data, seed_of(seed, number))
    for phase in ("head and parts", "parts"):
        wrong = judge(want, *server.query(tenant, request))
        if wrong:
            return {"case": name, "phase": phase, "wrong": wrong, "request": request, "data": data}
        server.flush(tenant)
    return None


def run(url, queries, seed, most_failures=20):
    """([queries, compared, errors, too slow], failures) of so many queries."""
    batch, run_id = 10, uuid.uuid4().hex[:8]
    nsets = -(-queries // PER_DATA)
    jobs = [(url, run_id, seed, first, min(batch, nsets - first)) for first in range(0, nsets, batch)]
    counts, failures = [0, 0, 0, 0], []
    # flushes are waited for: more processes than processors
    with concurrent.futures.ProcessPoolExecutor(2 * os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as pool:
        pending = [pool.submit(run_batch, job) for job in jobs]
        for done in concurrent.futures.as_completed(pending):
            more, failed = done.result()
            counts = [a + b for a, b in zip(counts, more)]
            failures += failed
            if len(failures) >= most_failures:
                pool.shutdown(cancel_futures=True)
                break
    return counts, failures


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--url", required=True)
    p.add_argument("--queries", type=int, default=2000)
    p.add_argument("--seed", default="1")
    p.add_argument("--case", help="seed/data set/query: this case alone")
    p.add_argument("--failures", type=int, default=20, help="stop after so many")
    p.add_argument("--no-shrink", action="store_true")
    args = p.parse_args()
    if args.case:
        failure = one_case(args.url, args.case)
        print(describe(failure, shrink(args.url, failure)) if failure else "no difference")
        return 1 if failure else 0
    counts, failures = run(args.url, args.queries, args.seed, most_failures=args.failures)
    for failure in failures:
        print(describe(failure, None if args.no_shrink else shrink(args.url, failure)))
    print("%d queries, %d compared (%d of them errors), %d too slow for the evaluator, %d differences" % (*counts, len(failures)))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
