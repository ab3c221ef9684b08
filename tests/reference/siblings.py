"""Queries like those that were recorded (tests/conformance): with another function, operator, range, parser or label in place of one
that they have."""
import re

# What stands in one list may stand in another's place; not every query that comes of it means anything.
FAMILIES = [
    ["sum_over_time", "avg_over_time", "min_over_time", "max_over_time", "stddev_over_time", "stdvar_over_time", "first_over_time", "last_over_time",
     "rate", "rate_counter", "absent_over_time"],
    ["count_over_time", "rate", "bytes_over_time", "bytes_rate", "absent_over_time"],
    ["sum", "avg", "min", "max", "count", "stddev", "stdvar"],
    ["topk(1,", "topk(2,", "topk(5,", "bottomk(1,", "bottomk(3,"],
    ["sort", "sort_desc"],
    [" by ", " without "],
    [" + ", " - ", " * ", " / ", " % ", " ^ ", " == ", " != ", " > ", " >= ", " < ", " <= ", " and ", " or ", " unless ", " == bool ", " >= bool "],
    ["|=", "!=", "|~", "!~", "|>", "!>"],
    ["[1h]", "[2h]", "[30m]", "[10m]", "[90m]", "[17m]", "[1m]"],
    ["| json", "| logfmt", "| logfmt --strict", "| logfmt --keep-empty", "| logfmt --strict --keep-empty", "| unpack"],
    ["unwrap v", "unwrap total", "unwrap took_ms", "unwrap duration(latency)", "unwrap bytes(size)", "unwrap duration_seconds(took)", "unwrap seq"],
    ["| drop ", "| keep "],
    ["on (", "ignoring ("],
    ["group_left", "group_right"],
    ["upper", "lower", "title", "trim", "b64enc", "urlencode", "trunc 3", "trunc -3", "substr 1 4", "repeat 2", "indent 2", "nindent 2", 'default "x"',
     'replace "e" "E"', 'trimPrefix "t"', 'trimSuffix "n"', 'trimAll "aeiou"', "alignLeft 6", "alignRight 6", 'count "[a-e]"'],
    ["level", "region", "env", "pod", "app", "status", "method", "took", "size", "msg", "kind", "part", "colour", "side", "host", "path"],
    ['"error"', '"info"', '"warn"', '"web"', '"prod"', '"p1"', '"200"', '"404"'],
    ["0.5", "0.9", "0.99", "0", "1"],
]


def pattern(words):
    """Any of them, as whole words."""
    ends = [("(?<![\\w.])" if re.match(r"\w", w) else "") + re.escape(w) + ("(?![\\w.])" if re.search(r"\w$", w) else "")
            for w in sorted(words, key=len, reverse=True)]
    return re.compile("|".join(ends))


PATTERNS = [(words, pattern(words)) for words in FAMILIES]


def sibling(query, random):
    """The query with one to three of its words changed."""
    for _ in range(random.choice([1, 1, 2, 3])):
        places = [(words, match) for words, found in PATTERNS for match in found.finditer(query)]
        if not places:
            break
        words, match = random.choice(places)
        query = query[:match.start()] + random.choice(words) + query[match.end():]
    return query
