"""Smaller versions of a failing case: data with less in it, and expressions with a part left out."""
from ref_parse import parse
from ref_print import to_text


def smaller_data(data):
    if len(data) > 1:
        for i in range(len(data)):
            yield data[:i] + data[i + 1:]
    for i, (labels, entries) in enumerate(data):
        sizes = [len(entries) // 2, 1] if len(entries) > 3 else [1]
        for size in sizes:
            for at in range(0, len(entries), max(size, 1)):
                rest = entries[:at] + entries[at + size:]
                if rest:
                    yield data[:i] + [(labels, rest)] + data[i + 1:]


def without_one(items, least=0):
    if len(items) > least:
        for i in range(len(items)):
            yield items[:i] + items[i + 1:]


def smaller_stage(stage):
    kind = stage[0]
    if kind == "line":
        yield from ((kind, stage[1], needles) for needles in without_one(stage[2], 1))
    elif kind in ("json", "logfmt"):
        yield from ((kind, set(flags), stage[2]) for flags in without_one(sorted(stage[1])))
        yield from ((kind, stage[1], fields) for fields in without_one(stage[2], 1))
    elif kind in ("label_format", "drop", "keep", "distinct", "sort"):
        yield from ((kind, items) for items in without_one(stage[1], 1))
    elif kind == "filter" and stage[1][0] in ("and", "or"):
        yield from (("filter", side) for side in stage[1][1:])
    elif kind == "filter" and stage[1][0] == "in":
        yield from ((kind, (*stage[1][:3], less)) for less in smaller(stage[1][3]))


def smaller_list(stages):
    yield from without_one(stages)
    for i, stage in enumerate(stages):
        for less in smaller_stage(stage):
            yield stages[:i] + [less] + stages[i + 1:]


def smaller(node):
    kind = node[0]
    if kind == "log":
        yield from (("log", node[1], stages) for stages in smaller_list(node[2]))
        yield from (("log", matchers, node[2]) for matchers in without_one(node[1], 1))
    elif kind == "range":
        _, name, parameter, grouping, log, unwrap, range_ns, offset = node
        for less in smaller(log):
            yield (kind, name, parameter, grouping, less, unwrap, range_ns, offset)
        if grouping:
            yield (kind, name, parameter, None, log, unwrap, range_ns, offset)
        if unwrap and unwrap[2]:
            yield (kind, name, parameter, grouping, log, (unwrap[0], unwrap[1], []), range_ns, offset)
        if offset:
            yield (kind, name, parameter, grouping, log, unwrap, range_ns, 0)
    elif kind == "vec":
        yield node[4]
        yield from ((*node[:4], less) for less in smaller(node[4]))
        if node[3]:
            yield (*node[:3], None, node[4])
            yield from ((*node[:3], (node[3][0], names), node[4]) for names in without_one(node[3][1]))
    elif kind == "label_replace":
        yield node[1]
        yield from ((kind, less, *node[2:]) for less in smaller(node[1]))
    elif kind == "bin":
        yield from node[2:4]
        yield from ((kind, node[1], less, node[3], node[4]) for less in smaller(node[2]))
        yield from ((kind, node[1], node[2], less, node[4]) for less in smaller(node[3]))


def smaller_queries(text):
    """LogQL of expressions with one part less; NotCovered where the text cannot be read."""
    for node in smaller(parse(text)):
        yield to_text(node)
