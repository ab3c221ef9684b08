"""What Loki answers to a query over a small data set, worked out in the plainest way, and the comparison with a server's answer.

Written from Loki's documentation and from the recorded answers of tests/conformance (test_reference.py checks it against
them), not from the engine that it judges. It is slow on purpose. What it does not know it refuses with NotCovered; where
several answers are right (ties) it raises Undefined.

Data: [(labels, [(ns, line, metadata)])].
"""
import math

from ref_gather import gathered, resolved
from ref_metric import REL, Evaluator, QueryError, both, key
from ref_parse import NotCovered, parse

NS = 10 ** 9
MAX_STEPS = 400


class Log:
    """The entries that a log query finds, and how many of them are wanted from which end."""

    def __init__(self, entries, limit, forward, order=None):
        self.entries, self.limit, self.forward = entries, limit, forward
        self.order = order      # of a query that sorts: the values that the entries are sorted by, one for each; they are in order


def answer(data, query, start, end, step=None, limit=100, direction="backward"):
    """A range query's answer: a Log, or {labels: [(ns, value)]}."""
    node = parse(query) if isinstance(query, str) else query
    if node[0] == "log":
        entries, order = gathered(data, resolved(data, node, (start, end), None), start, end, direction == "forward", limit)
        return Log([(e.ts, e.line, key(e.labels)) for e in entries], limit, direction == "forward", order)
    start, end = start // step * step, -(-end // step) * step
    if (end - start) // step > MAX_STEPS:
        raise NotCovered("many steps")
    node = resolved(data, node, None, (start, end))
    evaluator, series = Evaluator(data), {}
    steps = range(start, end + 1, step)
    for ts, value in zip(steps, both(*[lambda ts=ts: evaluator.instant(node, ts) for ts in steps])):
        for labels, v in value if isinstance(value, list) else [({}, value)]:
            points = series.setdefault(key(labels), [])
            if points and points[-1][0] == ts:
                raise NotCovered("two series of one name")
            points.append((ts, v))
    return series


def answer_instant(data, query, ts):
    """An instant query's answer: a number, or [(labels, value)] (in order only if the query sorts)."""
    node = parse(query) if isinstance(query, str) else query
    if node[0] == "log":
        raise QueryError(400, "log queries are not supported as an instant query type")
    value = Evaluator(data, split=True).instant(resolved(data, node, None, (ts, ts)), ts)
    if isinstance(value, list) and len({key(labels) for labels, _ in value}) < len(value):
        raise NotCovered("two series of one name")
    return value


# ---- comparing with a server ----

def number(text):
    return float(text.replace("Inf", "inf"))


def same_number(a, b, rel):
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return a == b or abs(a - b) <= rel * max(abs(a), abs(b))


def short(value):
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) < 400 else text[:400] + "..."


def difference(want, got, rel=REL):
    """None, or what differs. `got` is the `data` of a server's answer; numbers may differ by `rel` of them."""
    kind, result = got["resultType"], got["result"]
    if isinstance(want, Log):
        return (sorted_difference if want.order else log_difference)(want, result) if kind == "streams" else "type %s" % kind
    if isinstance(want, dict):
        if kind != "matrix":
            return "type %s" % kind
        there = {key(s["metric"]): [(round(t * 1000) * 10 ** 6, number(v)) for t, v in s["values"]] for s in result}
        if len(there) < len(result):
            return "a series twice"
        return series_difference(want, there, rel)
    if isinstance(want, list):
        if kind != "vector":
            return "type %s" % kind
        there = {key(s["metric"]): [(0, number(s["value"][1]))] for s in result}
        if len(there) < len(result):
            return "a series twice"
        return series_difference({key(labels): [(0, v)] for labels, v in want}, there, rel)
    if kind != "scalar":
        return "type %s" % kind
    return None if same_number(float(want), number(result[1]), rel) else "%r, not %r" % (result[1], want)


def series_difference(want, there, rel):
    for labels in want:
        if labels not in there:
            return "missing series %s %s" % (dict(labels), short(want[labels]))
    for labels, points in there.items():
        if labels not in want:
            return "series that should not be: %s %s" % (dict(labels), short(points))
        wanted = want[labels]
        if [t for t, _ in points] != [t for t, _ in wanted]:
            return "times of %s: %s, not %s" % (dict(labels), short([t for t, _ in points]), short([t for t, _ in wanted]))
        for (t, a), (_, b) in zip(points, wanted):
            if not same_number(a, b, rel):
                return "%s at %d: %r, not %r" % (dict(labels), t, a, b)
    return None


def sorted_difference(want, result):
    """The order is that of the streams in the answer; entries with one place are in any order."""
    got = [(int(v[0]), v[1], key(s["stream"])) for s in result for v in s["values"]]
    if len(got) != min(want.limit, len(want.entries)):
        return "%d entries, not %d" % (len(got), min(want.limit, len(want.entries)))
    places = [(order, e[0]) for order, e in zip(want.order, want.entries)]
    at = 0
    while at < len(got):
        end = at + 1
        while end < len(places) and places[end] == places[at]:
            end += 1
        possible = list(want.entries[at:end])
        for e in got[at:end]:
            if e not in possible:
                return "entry that should not be at %d: %s" % (at, short(e))
            possible.remove(e)
        at = end
    return None


def log_difference(want, result):
    got, seen = [], set()
    for s in result:
        labels = key(s["stream"])
        if labels in seen:
            return "a stream twice: %s" % dict(labels)
        seen.add(labels)
        times = [int(v[0]) for v in s["values"]]
        if times != sorted(times, reverse=not want.forward):
            return "times of %s are not in order" % dict(labels)
        got += [(int(v[0]), v[1], labels) for v in s["values"]]
    entries = sorted(want.entries, key=lambda e: (e[0] if want.forward else -e[0], e[1:]))
    if len(got) != min(want.limit, len(entries)):
        missing = [e for e in entries[:want.limit] if e not in got]
        extra = [e for e in got if e not in entries]
        return "%d entries, not %d; missing %s; extra %s" % (len(got), min(want.limit, len(entries)), short(missing[:2]), short(extra[:2]))
    # entries with the time at which the limit falls are any of them; all others must be there
    sure = entries
    if len(entries) > want.limit:
        edge = entries[want.limit - 1][0]
        sure = [e for e in entries[:want.limit] if e[0] != edge]
        possible = [e for e in entries if e[0] == edge]
    else:
        possible = []
    rest = list(got)
    for e in sure:
        if e not in rest:
            return "missing %s" % short(e)
        rest.remove(e)
    for e in rest:
        if e not in possible:
            return "entry that should not be: %s" % short(e)
        possible.remove(e)
    return None
