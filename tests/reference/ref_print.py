"""An expression of ref_parse as LogQL again, for the shrinker."""
import json

NS_UNITS = (("h", 3600 * 10**9), ("m", 60 * 10**9), ("s", 10**9), ("ms", 10**6), ("us", 10**3), ("ns", 1))


def quote(text):
    """A Go string literal."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\x7f")


def span(ns):
    for unit, size in NS_UNITS:
        if ns % size == 0:
            return "%d%s" % (ns // size, unit)
    raise AssertionError(ns)


def plain(number):
    return repr(int(number)) if number == int(number) and abs(number) < 1e15 else repr(number)


def filter_text(tree):
    if tree[0] in ("and", "or"):
        return "(%s %s %s)" % (filter_text(tree[1]), tree[0], filter_text(tree[2]))
    kind, name, op, value = tree
    if kind == "in":
        return "%s %s (%s)" % (name, "not in" if op else "in", to_text(value))
    return name + op + {"text": lambda: quote(value), "ip": lambda: "ip(%s)" % quote(value), "number": lambda: plain(value),
                        "duration": lambda: span(int(value)), "bytes": lambda: "%dB" % value}[kind]()


def stage_text(stage):
    kind = stage[0]
    if kind == "line":
        return stage[1] + " " + " or ".join(quote(t) if k == "text" else "ip(%s)" % quote(t) for k, t in stage[2])
    if kind in ("json", "logfmt"):
        return " ".join(["|", kind, *sorted(stage[1]), ", ".join("%s=%s" % (n, quote(e)) for n, e in stage[2])]).strip()
    if kind == "filter":
        return "| " + filter_text(stage[1])
    if kind == "label_format":
        return "| label_format " + ", ".join("%s=%s" % (n, v if k == "rename" else quote(v)) for n, k, v in stage[1])
    if kind in ("drop", "keep"):
        return "| %s %s" % (kind, ", ".join(n + (op + quote(v) if op else "") for n, op, v in stage[1]))
    if kind == "context":
        return "| context -B %d -A %d" % stage[1:]
    if kind == "distinct":
        return "| distinct " + ", ".join(stage[1])
    if kind == "sort":
        return "| sort by (%s)" % ", ".join(n + (" desc" if descending else "") for n, descending in stage[1])
    return "| " + kind + (" " + quote(stage[1]) if len(stage) > 1 else "")


def log_text(log):
    return " ".join(["{" + ", ".join(n + op + quote(v) for n, op, v in log[1]) + "}"] + [stage_text(s) for s in log[2]])


def group_text(grouping):
    return "" if grouping is None else " %s (%s)" % (grouping[0], ", ".join(grouping[1]))


def to_text(node):
    kind = node[0]
    if kind == "log":
        return log_text(node)
    if kind == "lit":
        return plain(node[1])
    if kind == "vector":
        return "vector(%s)" % plain(node[1])
    if kind == "range":
        _, name, parameter, grouping, log, unwrap, range_ns, offset_ns = node
        text = log_text(log)
        if unwrap:
            label = "%s(%s)" % (unwrap[1], unwrap[0]) if unwrap[1] else unwrap[0]
            text += " | unwrap " + " ".join([label] + [stage_text(s) for s in unwrap[2]])
        offset = "" if not offset_ns else " offset %s%s" % ("-" if offset_ns < 0 else "", span(abs(offset_ns)))
        first = "" if parameter is None else (parameter if isinstance(parameter, str) else plain(parameter)) + ", "
        return "%s(%s%s [%s]%s)%s" % (name, first, text, span(range_ns), offset, group_text(grouping))
    if kind == "vec":
        _, name, parameter, grouping, inner = node
        return "%s%s (%s%s)" % (name, group_text(grouping), "" if parameter is None else "%d, " % parameter, to_text(inner))
    if kind == "label_replace":
        return "label_replace(%s, %s)" % (to_text(node[1]), ", ".join(quote(x) for x in node[2:]))
    _, op, left, right, options = node
    words = [op] + (["bool"] if options["bool"] else [])
    if options["match"]:
        words.append("%s(%s)" % (options["match"][0], ", ".join(options["match"][1])))
        if options["group"]:
            words.append("%s(%s)" % (options["group"], ", ".join(options["include"])))
    return "(%s) %s (%s)" % (to_text(left), " ".join(words), to_text(right)) if "lit" not in (left[0], right[0]) else "%s %s %s" % (
        to_text(left) if left[0] == "lit" else "(%s)" % to_text(left), " ".join(words), to_text(right) if right[0] == "lit" else "(%s)" % to_text(right))
