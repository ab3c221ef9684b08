"""The extensions of the reference: `distinct`, `sort by`, `context`, and `label in (query)`, whose values are put into the expression before it runs."""
import functools
import re

from ref_metric import Evaluator, Undefined, key
from ref_parse import NotCovered
from ref_pipeline import Entry, Hints, go_bytes, go_duration_ns, run_pipeline, run_stages, selected

GATHERING = ("distinct", "sort")


# ---- label in (query) ----

def in_values(data, name, node, bounds):
    """The values that a query's results have of the label over the time [start, end)."""
    start, end = bounds
    node = resolved(data, node, bounds, (end - 1, end - 1))
    if node[0] == "log":
        return {e.get(name) for e in run_pipeline(data, node, start, end)} - {None, ""}
    vector = Evaluator(data, split=True).instant(node, end - 1)
    return {labels.get(name) for labels, _ in vector} - {None, ""} if isinstance(vector, list) else set()


def resolved_filter(data, tree, bounds):
    if tree[0] in ("and", "or"):
        return (tree[0], resolved_filter(data, tree[1], bounds), resolved_filter(data, tree[2], bounds))
    if tree[0] != "in":
        return tree
    _, name, negated, node = tree
    return ("set", name, negated, frozenset(in_values(data, name, node, bounds)))


def resolved_stages(data, stages, bounds):
    return [("filter", resolved_filter(data, s[1], bounds)) if s[0] == "filter" else s for s in stages]


def resolved(data, node, bounds, steps):
    """The expression with values in place of sub-queries. bounds: what a log query reads; steps: the first and last time at which a metric
    query is evaluated."""
    kind = node[0]
    if kind == "log":
        return (kind, node[1], resolved_stages(data, node[2], bounds))
    if kind == "range":
        _, name, parameter, grouping, log, unwrap, range_ns, offset_ns = node
        inner = (steps[0] - offset_ns - range_ns + 1, steps[1] - offset_ns + 1)
        unwrap = unwrap and (*unwrap[:2], resolved_stages(data, unwrap[2], inner))
        return (kind, name, parameter, grouping, resolved(data, log, inner, steps), unwrap, range_ns, offset_ns)
    return tuple(resolved(data, part, bounds, steps) if isinstance(part, tuple) and part and part[0] in ("range", "vec", "bin", "label_replace") else part
                 for part in node)


# ---- distinct and sort by ----

def sort_value(text):
    """(kind, value): numbers stand before durations, these before sizes, then texts, and those before nothing."""
    if not text:
        return 4, None
    if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf(inity)?", text, re.I | re.ASCII):
        if abs(float(text)) != float("inf") or "n" in text.lower():
            return 0, float(text)
    elif re.fullmatch(r"[+-]?0x.*", text, re.I):
        raise NotCovered("number " + text)
    if text[0] in "0123456789-+.,":
        for kind, parse in ((1, go_duration_ns), (2, go_bytes)):
            try:
                return kind, float(parse(text))
            except ValueError:
                pass
    return 3, text.encode()


def compare(a, b, keys):
    for (kind_a, value_a), (kind_b, value_b), (_, descending) in zip(a, b, keys):
        if (kind_a, value_a) == (kind_b, value_b):
            continue
        less = kind_a < kind_b or kind_a == kind_b and value_a < value_b
        if descending and 4 not in (kind_a, kind_b):
            less = not less
        return -1 if less else 1
    return 0


def distinct(entries, names, rank):
    """The first of each combination; with another one at its place nobody knows which it is."""
    first = {}
    for e in entries:
        combination = tuple(e.get(name) or "" for name in names)
        there = first.setdefault(combination, e)
        if there is not e and rank(there) == rank(e) and (there.ts, there.line, key(there.labels)) != (e.ts, e.line, key(e.labels)):
            raise Undefined("several first entries")
    return list(first.values())


# ---- context ----

class ContextStream:
    """A stream's entries in the range, and which of them match."""

    def __init__(self, stream, entries, stages):
        self.stream, self.entries = stream, sorted(entries, key=lambda e: e[0])
        self.matches = {}
        for i, (ts, line, metadata) in enumerate(self.entries):
            self.matches.update((i, e) for e in run_stages([Entry(ts, line, stream, metadata, Hints())], stages))

    def answer(self, times, before, after):
        """The matches from the first to the last of the times, and what stands around them."""
        if len({ts for ts, _, _ in self.entries}) < len(self.entries):
            raise Undefined("several entries at one time")
        inside = [i for i, e in self.matches.items() if min(times) <= e.ts <= max(times)]
        for i, (ts, line, metadata) in enumerate(self.entries):
            if i in inside:
                yield self.matches[i]
                continue
            behind, ahead = any(i - after <= k < i for k in inside), any(i < k <= i + before for k in inside)
            if behind or ahead:
                entry = Entry(ts, line, self.stream, metadata, Hints())
                entry.put(entry.free_name("context"), "after" if behind else "before")
                yield entry


def with_context(data, node, start, end, forward, limit):
    _, matchers, stages = node
    streams = [ContextStream(stream, [e for e in entries if start <= e[0] < end], stages[:-1]) for stream, entries in data if selected(matchers, stream)]
    found = sorted(((e.ts, at) for at, s in enumerate(streams) for e in s.matches.values()), reverse=not forward)
    if len(found) > limit and found[limit - 1][0] == found[limit][0]:
        raise Undefined("the limit falls between entries of one time")
    for at, s in enumerate(streams):
        times = [ts for ts, k in found[:limit] if k == at]
        if times:
            yield from s.answer(times, *stages[-1][1:])


def gathered(data, node, start, end, forward, limit):
    """(entries in the order of the answer, the values that they are sorted by or None) of a log query."""
    if node[2] and node[2][-1][0] == "context":
        return list(with_context(data, node, start, end, forward, limit)), None
    pieces, keys, values = [[]], None, {}
    for stage in node[2]:
        if stage[0] in GATHERING:
            pieces += [stage, []]
        else:
            pieces[-1].append(stage)
    entries = sorted(run_pipeline(data, ("log", node[1], pieces[0]), start, end), key=lambda e: e.ts if forward else -e.ts)

    def rank(e):
        return values.get(id(e)), e.ts

    for gather, stages in zip(pieces[1::2], pieces[2::2]):
        if gather[0] == "sort":
            keys = gather[1]
            values.update((id(e), tuple(sort_value(e.get(name)) for name, _ in keys)) for e in entries)
            entries.sort(key=functools.cmp_to_key(lambda a, b: compare(values[id(a)], values[id(b)], keys)))
        else:
            entries = distinct(entries, gather[1], rank)
        entries = list(run_stages(entries, stages))
    return entries, [values[id(e)] for e in entries] if keys else None
