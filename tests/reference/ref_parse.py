"""LogQL read into plain tuples, by its grammar; the first half of the reference evaluator.

    ("log", [(name, op, value)], [stage...])
    ("range", function, parameter, grouping, log, unwrap or None, range_ns, offset_ns)
    ("vec", operator, parameter, grouping, expression)       grouping: None or ("by" | "without", [names])
    ("bin", operator, left, right, options)  ("lit", number)  ("vector", number)
    ("label_replace", expression, dst, replacement, src, regex)

Extensions: stages ("distinct", [name...]), ("sort", [(name, descending)...]) and ("context", before, after), filters ("in", name, negated, expression), and the
function count_distinct_over_time, whose parameter is a label.

Stages are tuples that begin with their kind; unwrap is (label, conversion, [post filter stages]).
"""
import math
import re

RANGE_FUNCTIONS = {
    "count_over_time", "rate", "rate_counter", "bytes_over_time", "bytes_rate", "avg_over_time", "sum_over_time", "min_over_time",
    "max_over_time", "stdvar_over_time", "stddev_over_time", "quantile_over_time", "first_over_time", "last_over_time", "absent_over_time",
    "count_distinct_over_time"}
VECTOR_FUNCTIONS = {"sum", "avg", "count", "min", "max", "stddev", "stdvar", "topk", "bottomk", "sort", "sort_desc"}
KEYWORDS = {"by", "without", "on", "ignoring", "bool", "offset", "or", "and", "unless", "unwrap", "json", "logfmt"}
LEVELS = [["or"], ["and", "unless"], ["==", "!=", ">", ">=", "<", "<="], ["+", "-"], ["*", "/", "%"], ["^"]]
DURATION_NS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9,
               "d": 24 * 3600 * 10**9, "w": 7 * 24 * 3600 * 10**9, "y": 365 * 24 * 3600 * 10**9}
BYTES = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "pb": 10**15, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}

TOKEN = re.compile(r"""
    (?P<space>\s+|\#[^\n]*)
  | (?P<string>"(?:[^"\\\n]|\\.)*"|`[^`]*`)
  | (?P<duration>(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|[smhdwy]))+(?![a-zA-Z]))
  | (?P<bytes>\d+(?:\.\d+)?(?:[kKmMgGtTpP]i?)?[bB](?![a-zA-Z]))
  | (?P<number>0x[0-9a-fA-F]+|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<flag>--[a-z-]+)
  | (?P<op>\|=|\|~|\|>|!>|!=|!~|=~|==|>=|<=|[|{}()\[\],=<>+\-*/%^])
""", re.X)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "\\": "\\", '"': '"', "'": "'"}


class NotCovered(Exception):
    """The query, or what it meets in the data, is outside of what the reference knows."""


def unquote(text):
    """A Go string literal's value."""
    if text[0] == "`":
        return text[1:-1].replace("\r", "")
    out, i, text = [], 0, text[1:-1]
    while i < len(text):
        if text[i] != "\\":
            out.append(text[i])
            i += 1
            continue
        kind = text[i + 1]
        width = {"x": 2, "u": 4, "U": 8}.get(kind)
        if width:
            code = int(text[i + 2:i + 2 + width], 16)
            if kind == "x" and code > 127:
                raise NotCovered("a byte that is not UTF-8")
            out.append(chr(code))
            i += 2 + width
        elif kind in ESCAPES:
            out.append(ESCAPES[kind])
            i += 2
        else:
            raise NotCovered("escape \\" + kind)
    return "".join(out)


def duration_ns(text):
    return sum(round(float(n) * DURATION_NS[unit]) for n, unit in re.findall(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|[smhdwy])", text))


def bytes_of(text):
    """A size in a query. Loki hands queries on as text, in which sizes have two digits and decimal units (1KiB is 1.0kB)."""
    n, unit = re.fullmatch(r"([\d.]+)([a-zA-Z]*)", text).groups()
    size = int(float(n) * BYTES[unit.lower() or "b"])
    exponent = 0
    while size >= 1000 ** (exponent + 1):
        exponent += 1
    if exponent == 0:
        return size
    shown = math.floor(size / 1000 ** exponent * 10 + 0.5) / 10
    return round(float("%.0f" % shown if shown >= 10 else "%.1f" % shown) * 1000 ** exponent)


class Parser:
    def __init__(self, text):
        self.tokens, at = [], 0
        while at < len(text):
            m = TOKEN.match(text, at)
            if not m:
                raise NotCovered("token at %r" % text[at:at + 20])
            at = m.end()
            if m.lastgroup != "space":
                self.tokens.append((m.lastgroup, m.group()))
        self.tokens.append(("end", ""))
        self.at = 0

    def peek(self, ahead=0):
        return self.tokens[min(self.at + ahead, len(self.tokens) - 1)][1]

    def kind(self, ahead=0):
        return self.tokens[min(self.at + ahead, len(self.tokens) - 1)][0]

    def take(self, *wanted):
        kind, text = self.tokens[self.at]
        if wanted and (text not in wanted or kind == "string") and kind not in wanted:
            raise NotCovered("%r where %s was expected" % (text, " or ".join(wanted)))
        self.at += 1
        return text

    def maybe(self, *wanted):
        if self.kind() != "string" and self.peek() in wanted:
            return self.take()
        return None

    def string(self):
        return unquote(self.take("string"))

    # ---- metric expressions ----

    def query(self):
        expression = self.binary(0)
        self.take("end")
        return expression

    def binary(self, level):
        if level == len(LEVELS):
            return self.operand()
        left = self.binary(level + 1)
        while self.kind() in ("op", "name") and self.peek().lower() in LEVELS[level]:
            operator = self.take().lower()
            options = self.binary_options()
            # only ^ binds to the right
            right = self.binary(level if operator == "^" else level + 1)
            if "log" in (left[0], right[0]):
                raise NotCovered("operator on log lines")
            left = ("bin", operator, left, right, options)
        return left

    def binary_options(self):
        options = {"bool": bool(self.maybe("bool")), "match": None, "group": None, "include": []}
        match = self.maybe("on", "ignoring")
        if match:
            options["match"] = (match, self.names())
            group = self.maybe("group_left", "group_right")
            if group:
                options["group"] = group
                options["include"] = self.names() if self.peek() == "(" else []
        return options

    def names(self):
        out = []
        self.take("(")
        while not self.maybe(")"):
            out.append(self.take("name"))
            self.maybe(",")
        return out

    def grouping(self):
        kind = self.maybe("by", "without")
        return (kind, self.names()) if kind else None

    def number(self):
        sign = -1 if self.maybe("-") else 1 if self.maybe("+") or True else 0
        text = self.take("number")
        return sign * (int(text, 16) if text.startswith("0x") else float(text))

    def operand(self):
        text, kind = self.peek(), self.kind()
        if kind == "number" or text in ("+", "-"):
            return ("lit", self.number())
        if text == "{":
            return self.log()
        if text == "(":
            self.take()
            inner = self.binary(0)
            self.take(")")
            if inner[0] == "log":
                return ("log", inner[1], inner[2] + self.stages())
            return inner
        if text == "vector":
            self.take()
            self.take("(")
            value = float(self.take("number"))
            self.take(")")
            return ("vector", value)
        if text == "label_replace":
            self.take()
            self.take("(")
            inner, more = self.binary(0), []
            for _ in range(4):
                self.take(",")
                more.append(self.string())
            self.take(")")
            return ("label_replace", inner, *more)
        if text.lower() in VECTOR_FUNCTIONS:
            return self.vector_aggregation()
        if text.lower() in RANGE_FUNCTIONS:
            return self.range_aggregation()
        raise NotCovered("%r where an expression was expected" % text)

    def vector_aggregation(self):
        name = self.take().lower()
        grouping, parameter = self.grouping(), None
        self.take("(")
        if name in ("topk", "bottomk"):
            parameter = int(self.number())
            self.take(",")
        inner = self.binary(0)
        self.take(")")
        return ("vec", name, parameter, grouping or self.grouping(), inner)

    def range_aggregation(self):
        name, parameter = self.take().lower(), None
        self.take("(")
        if name == "quantile_over_time":
            parameter = self.number()
            self.take(",")
        if name == "count_distinct_over_time":
            parameter = self.take("name")
            self.take(",")
        depth = 0
        while self.maybe("("):
            depth += 1
        _, matchers, stages = self.log()
        unwrap, span = self.unwrap(), None
        while depth or span is None:
            if self.peek() == "[":
                span = self.span()
                stages = stages + self.stages()
                unwrap = unwrap or self.unwrap()
            elif depth and self.maybe(")"):
                depth -= 1
                stages = stages + self.stages()
                unwrap = unwrap or self.unwrap()
            else:
                raise NotCovered("%r in a range" % self.peek())
        self.take(")")
        return ("range", name, parameter, self.grouping(), ("log", matchers, stages), unwrap, *span)

    def span(self):
        self.take("[")
        length = duration_ns(self.take("duration"))
        self.take("]")
        offset = 0
        if self.maybe("offset"):
            sign = -1 if self.maybe("-") else 1
            offset = sign * duration_ns(self.take("duration"))
        return length, offset

    def unwrap(self):
        if not (self.peek() == "|" and self.peek(1) == "unwrap"):
            return None
        self.take()
        self.take()
        label, conversion = self.take("name"), ""
        if self.maybe("("):
            conversion, label = label, self.take("name")
            self.take(")")
        return (label, conversion, self.stages())

    # ---- log pipelines ----

    def log(self):
        matchers = []
        self.take("{")
        while not self.maybe("}"):
            if self.peek() in KEYWORDS:
                raise NotCovered("a keyword as a label")
            matchers.append((self.take("name"), self.take("=", "!=", "=~", "!~"), self.string()))
            self.maybe(",")
        return ("log", matchers, self.stages())

    def stages(self):
        out = []
        while self.kind() == "op" and self.peek() in ("|", "|=", "!=", "|~", "!~", "|>", "!>"):
            if self.peek() == "|" and self.peek(1) == "unwrap":
                break
            if self.peek() in ("!=",) and self.kind(1) != "string" and self.peek(1) != "ip":
                break       # a comparison of two expressions
            out.append(self.line_filter() if self.peek() != "|" else self.stage())
        return out

    def line_filter(self):
        op, needles = self.take(), []
        while True:
            if self.maybe("ip"):
                self.take("(")
                needles.append(("ip", self.string()))
                self.take(")")
            else:
                needles.append(("text", self.string()))
            if not (self.peek() == "or" and (self.kind(1) == "string" or self.peek(1) == "ip")):
                return ("line", op, needles)
            self.take()

    def stage(self):
        self.take("|")
        name = self.peek()
        follows = self.peek(1)
        if self.kind() == "name" and follows != "=":
            if name in ("json", "logfmt"):
                self.take()
                flags = set()
                while self.kind() == "flag":
                    flags.add(self.take())
                return (name, flags, self.extractions())
            if name in ("regexp", "pattern", "line_format"):
                self.take()
                return (name, self.string())
            if name in ("unpack", "decolorize"):
                self.take()
                return (name,)
            if name == "label_format":
                self.take()
                return ("label_format", self.formats())
            if name in ("drop", "keep"):
                self.take()
                return (name, self.drops())
            if name == "distinct" and self.kind(1) == "name":
                self.take()
                return ("distinct", [name for name, _ in self.sort_keys()])
            if name == "context" and follows == "-":
                self.take()
                sizes = {"B": 0, "A": 0}
                while self.maybe("-"):
                    option, size = self.take("name"), int(self.take("number"))
                    sizes.update({"B": size, "A": size} if option == "C" else {option: size})
                return ("context", sizes["B"], sizes["A"])
            if name == "sort" and follows == "by":
                self.take()
                self.take()
                self.take("(")
                keys = self.sort_keys()
                self.take(")")
                return ("sort", keys)
        return ("filter", self.filter_or())

    def sort_keys(self):
        out = []
        while True:
            name, order = self.take("name"), self.maybe("asc", "desc")
            out.append((name, order == "desc"))
            if not self.maybe(","):
                return out

    def extractions(self):
        out = []
        while self.kind() == "name" and self.peek() not in ("or", "and", "unless"):
            name = self.take("name")
            out.append((name, self.string() if self.maybe("=") else name))
            if not self.maybe(","):
                break
        return out

    def formats(self):
        out = []
        while True:
            name = self.take("name")
            self.take("=")
            out.append((name, "template", self.string()) if self.kind() == "string" else (name, "rename", self.take("name")))
            if not self.maybe(","):
                return out

    def drops(self):
        out = []
        while True:
            name = self.take("name")
            op = self.maybe("=", "!=", "=~", "!~")
            out.append((name, op, self.string() if op else None))
            if not self.maybe(","):
                return out

    # ---- label filters ----

    def filter_or(self):
        left = self.filter_and()
        while self.kind() == "name" and self.peek().lower() == "or":
            self.take()
            left = ("or", left, self.filter_and())
        return left

    def filter_and(self):
        left = self.filter_listed()
        while self.kind() == "name" and self.peek().lower() == "and":
            self.take()
            left = ("and", left, self.filter_listed())
        return left

    def filter_listed(self):
        """Filters with a comma or nothing between them: the first and all that follows, also what stands behind an or."""
        left = self.filter_one()
        if self.peek() == "," and self.kind() != "string":
            self.take()
        elif not (self.peek() == "(" or self.kind() == "name" and self.peek(1) in ("=", "!=", "=~", "!~", "==", ">", ">=", "<", "<=", "in", "not")):
            return left
        return ("and", left, self.filter_or())

    def filter_one(self):
        if self.maybe("("):
            inner = self.filter_or()
            self.take(")")
            return inner
        if self.peek(1) in ("in", "not"):
            name, negated = self.take("name"), bool(self.maybe("not"))
            self.take("in")
            self.take("(")
            inner = self.binary(0)
            self.take(")")
            return ("in", name, negated, inner)
        name, op = self.take("name"), self.take("=", "!=", "=~", "!~", "==", ">", ">=", "<", "<=")
        if self.kind() == "string":
            return ("text", name, op, self.string())
        if self.maybe("ip"):
            self.take("(")
            pattern = self.string()
            self.take(")")
            return ("ip", name, op, pattern)
        if self.kind() == "duration":
            return ("duration", name, op, duration_ns(self.take()) / 1)
        if self.kind() == "bytes":
            return ("bytes", name, op, bytes_of(self.take()))
        return ("number", name, op, self.number())


def parse(text):
    return Parser(text).query()
