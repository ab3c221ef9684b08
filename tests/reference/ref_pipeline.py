"""The log pipeline of the reference: an entry goes through the stages one after another, with a plain dictionary of labels."""
import ipaddress
import math
import operator
import re

from ref_extract import (BadLine, document, json_fields, json_lookup, json_path, logfmt_fields, pattern_fields, pattern_matches,
                         pattern_parts, regex, regexp_fields, sanitise, unpack_fields)
from ref_parse import BYTES, NotCovered
from ref_template import Template

ERROR, DETAILS, PRESERVE = "__error__", "__error_details__", "__preserve_error__"
COMPARE = {"=": operator.eq, "==": operator.eq, "!=": operator.ne, ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
ANSI = re.compile("\x1b\\[[0-9;]*[A-Za-z]")


class Hints:
    """What a metric query needs of the parsers: None for all labels, else the names; nothing at all when `none`."""

    def __init__(self, required=None, none=False):
        self.required, self.none = required, none


class Entry:
    """One entry on its way: its line, and its labels by where they came from."""

    def __init__(self, ts, line, stream, metadata, hints):
        self.ts, self.line, self.stream, self.hints = ts, line, stream, hints
        self.labels = dict(stream)
        self.metadata = set()       # names whose value is structured metadata's
        self.parsed = set()         # names whose value a stage made
        self.extracted = set()      # names that a stage once made: parsers leave them alone from then on
        for name, value in metadata.items():
            name = name + "_extracted" if name in stream else name
            self.labels[name] = value
            self.metadata.add(name)

    def get(self, name):
        return self.labels.get(name)

    def set_error(self, kind, details=None):
        self.labels[ERROR] = kind
        if details is not None:
            self.labels[DETAILS] = details

    def parse_error(self, kind, details=None):
        """A parser's error; a metric query that reads __error__ keeps it instead of failing."""
        self.set_error(kind, details)
        if ERROR in (self.hints.required or ()):
            self.put(PRESERVE, "true")

    def parse_nothing(self):
        """Nothing is needed, or all that is needed is there."""
        return self.hints.none or bool(self.hints.required) and self.hints.required <= self.extracted

    def free_name(self, name):
        return name + "_extracted" if name in self.stream or name in self.metadata else name

    def extract(self, name, value):
        """A parser found a field: the first of a name counts. False when the parser may stop."""
        name = self.free_name(name)
        if name in self.extracted or self.hints.required is not None and name not in self.hints.required:
            return True
        self.put(name, value)
        return not self.parse_nothing()

    def put(self, name, value):
        """A value that a stage made; it hides the stream's and the metadata's."""
        self.metadata.discard(name)
        self.parsed.add(name)
        self.extracted.add(name)
        self.labels[name] = value

    def rename(self, name, to):
        """The value is parsed then, whatever it was: it takes the place of what had the name."""
        self.put(to, self.labels[name])
        self.delete(name)

    def delete(self, name):
        self.metadata.discard(name)
        self.parsed.discard(name)
        self.labels.pop(name, None)


# ---- values of labels ----

def go_float(text):
    """strconv.ParseFloat; ValueError says what Go says."""
    if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text, re.ASCII):
        value = float(text)
        if math.isinf(value):
            raise ValueError('strconv.ParseFloat: parsing "%s": value out of range' % text)
        return value
    if re.fullmatch(r"[+-]?inf(inity)?|nan", text, re.I | re.ASCII):
        return float(text)
    if re.fullmatch(r"\d+(_\d+)+", text, re.ASCII):
        return float(text)
    if re.fullmatch(r"0[xX][0-9a-fA-F]+|0b\d+", text):
        raise ValueError('strconv.ParseFloat: parsing "%s": invalid syntax' % text)
    if re.search(r"[_xX\"\\]", text) or not text.isprintable():
        raise NotCovered("number " + text)
    raise ValueError('strconv.ParseFloat: parsing "%s": invalid syntax' % text)


UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


def go_duration_ns(text):
    """time.ParseDuration."""
    if not text.isascii() and not text.endswith(("µs", "μs")):
        raise NotCovered("duration " + text)     # Go quotes it byte by byte
    body = text[1:] if text[:1] in ("-", "+") else text
    if body == "0":
        return 0
    total = 0
    if not re.fullmatch(r"((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+", body, re.ASCII):
        if re.fullmatch(r"\d+(\.\d+)?", body, re.ASCII):
            raise ValueError('time: missing unit in duration "%s"' % text)
        if not re.match(r"\.?\d", body) and text.isprintable() and '"' not in text and "\\" not in text:
            raise ValueError('time: invalid duration "%s"' % text)
        m = re.match(r"((\d+\.?\d*)(ns|us|ms|s|m|h))*(\d+\.?\d*)([^\d.\"\\]+)", body, re.ASCII)
        if m and text.isprintable() and text.isascii() and '"' not in text and "\\" not in text:
            raise ValueError('time: unknown unit "%s" in duration "%s"' % (m.group(5), text))
        raise NotCovered("duration " + text)
    for number, unit in re.findall(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", body):
        whole, _, fraction = number.partition(".")
        total += int(whole or "0") * UNITS[unit]
        if fraction:
            total += int(int(fraction) * UNITS[unit] // 10 ** len(fraction))
    if total >= 2**63:
        raise NotCovered("duration " + text)
    return -total if text[0] == "-" else total


def go_bytes(text):
    """humanize.ParseBytes."""
    m = re.fullmatch(r"([\d.,]*)(.*)", text, re.S | re.ASCII)
    number, unit = m.group(1).replace(",", ""), m.group(2).strip().lower()
    if "." in number and not re.fullmatch(r"\d+\.\d+", number):
        raise NotCovered("size " + text)
    if not number:
        raise ValueError('strconv.ParseFloat: parsing "": invalid syntax')
    units = dict(BYTES, eb=10**18, eib=2**60, pib=2**50, **{u[:-1]: v for u, v in BYTES.items() if len(u) > 1}, **{"": 1})
    if unit not in units:
        raise ValueError("unhandled size name: " + unit)
    return int(float(number) * units[unit])


# ---- filters ----

class IpPattern:
    def __init__(self, text):
        self.low, self.high = None, None
        try:
            if "-" in text:
                low, high = text.split("-")
                self.low, self.high = ipaddress.ip_address(low), ipaddress.ip_address(high)
            elif "/" in text:
                net = ipaddress.ip_network(text, strict=False)
                self.low, self.high = net[0], net[-1]
            else:
                self.low = self.high = ipaddress.ip_address(text)
        except ValueError as e:
            raise NotCovered("address " + text) from e
        if self.low.version != 4:
            raise NotCovered("IPv6")

    def found_in(self, text):
        """Some address of the text is in the range. Only plain IPv4 addresses between other characters are understood."""
        if re.search(r"[0-9a-fA-F:]*:[0-9a-fA-F:]*:", text):
            raise NotCovered("IPv6")
        for m in re.finditer(r"[0-9A-Fa-f.:]+", text):
            if m.group().count(".") < 3:
                continue
            if not re.fullmatch(r"\d+(\.\d+){3}", m.group()):
                raise NotCovered("text near an address")
            try:
                if self.low <= ipaddress.ip_address(m.group()) <= self.high:
                    return True
            except ValueError as e:
                raise NotCovered("address " + m.group()) from e
        return False


def line_test(op, needles):
    tests = []
    for kind, text in needles:
        if kind == "ip":
            tests.append(IpPattern(text).found_in)
        elif op in ("|~", "!~"):
            compiled = regex(text)
            tests.append(lambda line, c=compiled: c.search(line) is not None)
        elif op in ("|>", "!>"):
            if text == "":
                raise NotCovered("empty pattern")
            parts = pattern_parts(text)
            tests.append(lambda line, p=parts: pattern_matches(line, p))
        else:
            tests.append(lambda line, t=text: t in line)
    wanted = op[0] == "|"
    return lambda line: any(test(line) for test in tests) == wanted


def text_test(op, wanted, anchored=False):
    """Label filters and matchers of drop and keep: regular expressions match the whole value."""
    if op in ("=~", "!~"):
        if re.search(r"[^.]\.[*+]|\.[*+].", wanted) and not anchored:
            raise NotCovered("a label filter that Loki simplifies to a part of the value")
        compiled = regex("^(?:" + wanted + ")$") if wanted[:4] not in ("(?i)", "(?s)") else regex(wanted[:4] + "^(?:" + wanted[4:] + ")$")
        return lambda value: (compiled.search(value) is not None) == (op == "=~")
    return lambda value: (value == wanted) == (op == "=" or op == "==")


def filter_names(tree):
    return filter_names(tree[1]) | filter_names(tree[2]) if tree[0] in ("and", "or") else {tree[1]}


def label_test(tree):
    """A function of the entry; a value that is no number keeps the entry, and marks it."""
    kind = tree[0]
    if kind in ("and", "or"):
        left, right = label_test(tree[1]), label_test(tree[2])
        # the right side of an "and" may mark the entry also when the left side is false
        return (lambda e: all([left(e), right(e)])) if kind == "and" else (lambda e: left(e) or right(e))
    _, name, op, wanted = tree
    if name == DETAILS:     # no filter sees them
        name = ""
    if kind == "set":
        return lambda e: (e.get(name) in wanted) != op
    if kind == "text":
        test = text_test(op, wanted)
        return lambda e: test(e.get(name) or "")
    if kind == "ip":
        pattern = IpPattern(wanted)
        # an entry with an error stays
        return lambda e: ERROR in e.labels or e.get(name) is not None and pattern.found_in(e.get(name)) == (op == "=")
    convert = {"number": go_float, "duration": go_duration_ns, "bytes": go_bytes}[kind]

    def numeric(e):
        text = e.get(name)
        if text is None:
            return False
        try:
            return COMPARE[op](convert(text), wanted)
        except ValueError as error:
            if ERROR not in e.labels:
                e.set_error("LabelFilterErr", str(error))
            return True
    return numeric


# ---- stages ----

def without_errors(value):
    """A value that json, logfmt or unpack found: what stands for bytes that are not UTF-8 is no part of a label."""
    return value.replace("\ufffd", " ")


def json_stage(flags, extractions):
    paths = [(name, json_path(expression)) for name, expression in extractions]

    def all_fields(e):
        if e.parse_nothing():
            return True
        try:
            for name, value in json_fields(e.line, "--arrays" in flags):
                if not e.extract(name, without_errors(value)):
                    break
        except BadLine as bad:
            e.parse_error("JSONParserErr", bad.details)
        return True

    def some_fields(e):
        if e.line == "" or e.parse_nothing():
            return True
        if e.line[0] not in '{["':
            e.parse_error("JSONParserErr")
            return True
        try:
            items = document(e.line) if e.line[0] == "{" else []
        except BadLine as bad:
            raise NotCovered("broken JSON below expressions") from bad
        missing = False     # one that is not there: then all names get a label
        for name, path in paths:
            found = json_lookup(items, path)
            missing = missing or found is None
            if found is not None:
                e.put(e.free_name(name), found)
        for name, _ in paths:
            if missing and e.get(name) is None:
                e.put(name, "")
        return True
    return some_fields if extractions else all_fields


def logfmt_stage(flags, extractions):
    strict, keep_empty = "--strict" in flags, "--keep-empty" in flags
    wanted = dict(extractions)      # the last declaration of a name counts
    if not all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key) for key in wanted.values()):
        raise NotCovered("logfmt expressions with other keys")

    def all_fields(e):
        for key, value in logfmt_fields(e.line, strict):
            if value == "" and not keep_empty:
                continue
            if not e.extract(sanitise(key), without_errors(value)):
                break

    def some_fields(e):
        for name in wanted:
            if e.free_name(name) == name:
                e.put(name, "")
        for key, value in logfmt_fields(e.line, strict):
            key = sanitise(key)
            if key not in wanted and key in e.extracted:
                continue
            names = [name for name in wanted if wanted[name] == key] or [key]
            if len(names) > 1:
                raise NotCovered("two logfmt expressions of one key")
            if names[0] not in wanted:
                continue
            label = e.free_name(names[0])
            if label != names[0] and label in e.extracted:
                break
            e.put(label, "" if "\ufffd" in value else value)

    def run(e):
        try:
            if not e.parse_nothing():
                (some_fields if extractions else all_fields)(e)
        except BadLine as bad:
            e.parse_error("LogfmtParserErr", bad.details)
        return True
    return run


def unpack_stage():
    def run(e):
        if e.line == "" or e.parse_nothing():
            return True
        try:
            fields = list(unpack_fields(e.line))
        except BadLine as bad:
            e.parse_error("JSONParserErr", bad.details)
            return True
        names = [k for k, _ in fields]
        if "_entry" not in names:
            return True
        if len(set(names)) < len(names):
            raise NotCovered("repeated key of a packed line")
        for name, value in fields:
            if name == "_entry":
                e.line = value
            else:
                e.extract(sanitise(name), without_errors(value))
        return True
    return run


def fields_stage(find):
    def run(e):
        if not e.parse_nothing():
            for name, value in find(e.line):
                e.extract(name, value)
        return True
    return run


def line_format_stage(text):
    template = Template(text)

    def run(e):
        e.line = template.run(e.labels, e.line, e.ts)
        return True
    return run


def label_format_stage(formats):
    formats = [(dst, kind, Template(value) if kind == "template" else value) for dst, kind, value in formats]

    def run(e):
        seen = {}       # templates see the labels as the first of them met them that met any
        for dst, kind, value in formats:
            if kind == "template":
                seen = seen or dict(e.labels)
                e.put(dst, value.run(seen, e.line, e.ts))
            elif e.get(value) is not None:
                e.rename(value, dst)
        return True
    return run


def drop_stage(items):
    tests = [(name, text_test(op, value, anchored=True) if op else lambda _: True) for name, op, value in items]

    def run(e):
        for name, test in tests:
            if e.get(name) is not None and test(e.get(name)):
                e.delete(name)
        return True
    return run


def keep_stage(items):
    tests = [(name, text_test(op, value, anchored=True) if op else lambda _: True) for name, op, value in items]

    def run(e):
        for name in list(e.labels):
            if name not in (ERROR, DETAILS, PRESERVE) and not any(n == name and test(e.labels[name]) for n, test in tests):
                e.delete(name)
        return True
    return run


def decolorize(e):
    e.line = ANSI.sub("", e.line)
    if "\x1b" in e.line:
        raise NotCovered("an escape sequence that sets no colour")
    return True


def stage_function(stage):
    kind = stage[0]
    if kind == "line":
        test = line_test(stage[1], stage[2])
        return lambda e: test(e.line)
    if kind == "filter":
        return label_test(stage[1])
    if kind == "regexp":
        compiled = regex(stage[1])
        return fields_stage(lambda line: regexp_fields(line, compiled))
    if kind == "pattern":
        parts = pattern_parts(stage[1])
        return fields_stage(lambda line: pattern_fields(line, parts))
    if kind == "decolorize":
        return decolorize
    return {"json": json_stage, "logfmt": logfmt_stage, "unpack": unpack_stage, "line_format": line_format_stage,
            "label_format": label_format_stage, "drop": drop_stage, "keep": keep_stage}[kind](*stage[1:])


def line_filters_first(stages):
    """Line filters move ahead of what does not change lines for them: all but line_format, unpack and label filters."""
    out, filters, others = [], [], []
    for stage in stages:
        if stage[0] == "line":
            filters.append(stage)
        else:
            others.append(stage)
            if stage[0] in ("line_format", "unpack", "filter", "distinct"):
                out, filters, others = out + filters + others, [], []
    return out + filters + others


def required_names(stages):
    """The labels that stages read."""
    names = set()
    for stage in stages:
        if stage[0] == "filter":
            names |= filter_names(stage[1])
        elif stage[0] == "line_format":
            names |= Template(stage[1]).fields()
        elif stage[0] == "label_format":
            for _, kind, value in stage[1]:
                names |= Template(value).fields() if kind == "template" else {value}
    return names


def selected(matchers, stream):
    for name, op, value in matchers:
        if op in ("=~", "!~"):
            flags = regex("(?s)^(?:" + value + ")$")
            if (flags.search(stream.get(name, "")) is not None) != (op == "=~"):
                return False
        elif (stream.get(name, "") == value) != (op == "="):
            return False
    return True


def run_stages(entries, stages):
    """Those of the entries that pass."""
    functions = [stage_function(s) for s in line_filters_first(stages)]
    return (e for e in entries if all(f(e) for f in functions))


def run_pipeline(data, log, start_ns, end_ns, hints=None):
    """Entries that pass, as Entry; data: [(labels, [(ns, line, metadata)])]; start <= t < end."""
    _, matchers, stages = log
    entries_in_range = []
    for stream, entries in data:
        if selected(matchers, stream):
            for ts, line, metadata in entries:
                if start_ns <= ts < end_ns:
                    entries_in_range.append(Entry(ts, line, stream, metadata, hints or Hints()))
    yield from run_stages(entries_in_range, stages)
