"""The metric half of the reference: each step is evaluated on its own, from all entries of its window."""
import math
import re
import sys

from ref_extract import regex
from ref_parse import NotCovered
from ref_pipeline import ERROR, PRESERVE, Hints, go_bytes, go_duration_ns, go_float, label_test, required_names, run_pipeline

NS = 10 ** 9
REL = 1e-12     # what two right answers may differ by, of themselves: sums may be added up in any order


class QueryError(Exception):
    """Loki answers with an error; `status` is its HTTP status."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


class Undefined(Exception):
    """More than one answer is right: ties, the order of equal times, what rounding decides."""


def both(*sides):
    """What the sides are; which of two errors is told is nobody's promise."""
    out, errors = [], []
    for side in sides:
        try:
            out.append(side())
        except QueryError as error:
            errors.append(error)
    if len({error.status for error in errors}) > 1:
        raise Undefined("two errors")
    if errors:
        raise errors[0]
    return out


def key(labels):
    return tuple(sorted(labels.items()))


def without(labels, names):
    return {k: v for k, v in labels.items() if k not in names}


def only(labels, names):
    return {k: v for k, v in labels.items() if k in names}


def full(labels):
    """What becomes of a series' labels as soon as one is changed: empty ones go."""
    return {k: v for k, v in labels.items() if v != ""}


def grouped(labels, grouping):
    if grouping is None:
        return {}
    kind, names = grouping
    return only(labels, names) if kind == "by" else without(labels, names)


def gathered(labels, grouping):
    """As Prometheus groups samples: `without` drops the name of a metric too, and empty labels."""
    labels = grouped(labels, grouping)
    return full(without(labels, ["__name__"])) if grouping and grouping[0] == "without" else labels


# ---- range aggregations ----

def mean(values):
    if any(math.isinf(v) or math.isnan(v) for v in values):
        raise Undefined("mean with an infinity")
    return math.fsum(values) / len(values)


def variance(values):
    m = mean(values)
    if len(set(values)) == 1:
        return 0.0
    try:
        out = math.fsum((v - m) ** 2 for v in values) / len(values)
    except OverflowError:
        raise Undefined("a variance beyond all numbers") from None
    # what a running variance may be off by (Chan, Golub, LeVeque: Algorithms for Computing the Sample Variance, 1983): n times the condition number
    if len(values) * sys.float_info.epsilon * math.hypot(1, m / math.sqrt(out) if out else math.inf) > REL:
        raise Undefined("a variance of rounding errors")
    return out


def total(values):
    if any(math.isinf(v) or math.isnan(v) for v in values):
        return sum(values)
    return math.fsum(values)


def smallest(values):
    numbers = [v for v in values if not math.isnan(v)]
    return min(numbers) if numbers else math.nan


def largest(values):
    numbers = [v for v in values if not math.isnan(v)]
    return max(numbers) if numbers else math.nan


def quantile(q, values):
    if any(math.isnan(v) for v in values):
        raise Undefined("quantile of NaN")
    if q < 0 or q > 1:
        return -math.inf if q < 0 else math.inf
    values = sorted(values)
    rank = q * (len(values) - 1)
    low = math.floor(rank)
    high = min(low + 1, len(values) - 1)
    weight = rank - low
    if math.isinf(values[low]) or math.isinf(values[high]):
        raise Undefined("quantile of infinities")
    return values[low] * (1 - weight) + values[high] * weight


def rate_counter(samples, range_ns, end):
    """Growth per second, resets added, extrapolated towards the window's ends as Prometheus does."""
    if len(samples) < 2:
        return 0.0
    if len({ts for ts, _ in samples}) < len(samples):
        raise Undefined("several values at one time")
    samples = sorted(samples)
    first, last = samples[0], samples[-1]
    grown = last[1] - first[1] + sum(a for (_, a), (_, b) in zip(samples, samples[1:]) if b < a)
    covered = (last[0] - first[0]) / NS
    mean_gap = covered / (len(samples) - 1)
    to_start, to_end = (first[0] - (end - range_ns)) / NS, (end - last[0]) / NS
    if grown > 0 and first[1] >= 0:
        to_start = min(to_start, covered * (first[1] / grown))
    reach = covered + (to_start if to_start < mean_gap * 1.1 else mean_gap / 2) + (to_end if to_end < mean_gap * 1.1 else mean_gap / 2)
    return grown * (reach / covered) / (range_ns / NS)


def at_one_time(samples, which):
    """The value at the first or last time; several different ones have no order."""
    when = which(ts for ts, _ in samples)
    values = {repr(v) for ts, v in samples if ts == when}
    if len(values) > 1:
        raise Undefined("several values at one time")
    return next(v for ts, v in samples if ts == when)


def range_value(name, parameter, samples, range_ns, end):
    values = [v for _, v in samples]
    if name == "count_distinct_over_time":
        return float(len(set(values)))
    if name in ("count_over_time", "bytes_over_time", "sum_over_time"):
        return total(values)
    if name in ("rate", "bytes_rate"):
        return total(values) / (range_ns / NS)
    if name == "quantile_over_time":
        return quantile(parameter, values)
    if name == "rate_counter":
        return rate_counter(samples, range_ns, end)
    if name == "first_over_time":
        return at_one_time(samples, min)
    if name == "last_over_time":
        return at_one_time(samples, max)
    return {"avg_over_time": mean, "min_over_time": smallest, "max_over_time": largest, "stdvar_over_time": variance,
            "stddev_over_time": lambda v: math.sqrt(variance(v))}[name](values)


def is_scalar(node):
    return node[0] == "lit" or node[0] == "bin" and is_scalar(node[2]) and is_scalar(node[3])


class Evaluator:
    def __init__(self, data, split=False):
        self.data = data
        self.split = split      # an instant query
        self.samples = {}       # id of a range node: its samples over all time

    def instant(self, node, ts):
        """A list of (labels, value), or a number."""
        kind = node[0]
        if kind == "lit":
            return node[1]
        if kind == "vector":
            return [({}, float(node[1]))]
        if kind == "range":
            return self.range(node, ts, None)
        if kind == "vec":
            return self.vector_aggregation(node, ts)
        if kind == "label_replace":
            return self.label_replace(node, ts)
        return self.binary(node, ts)

    # ---- range ----

    def extract(self, node, outer):
        """All samples of a range aggregation over all time: (ts, value, labels). `outer` is the grouping of a sum around it."""
        cache = (id(node), repr(outer))
        if cache not in self.samples:
            self.samples[cache] = list(self._extract(node, outer))
        return self.samples[cache]

    def _extract(self, node, outer):
        _, name, parameter, own, log, unwrap, _, _ = node
        grouping = outer or own
        counted = parameter if name == "count_distinct_over_time" else None
        special = unwrap[0] if unwrap else counted     # the label that is the value, and none of the series'
        post = [label_test(s[1]) if s[0] == "filter" else None for s in (unwrap[2] if unwrap else [])]
        if None in post:
            raise NotCovered("a stage after unwrap")
        required = required_names(list(log[2]) + list(unwrap[2] if unwrap else []))
        hints = Hints()
        nothing = name == "absent_over_time" or grouping is not None and grouping == ("by", [])
        if nothing:
            required |= {special} if special else set()
            hints = Hints(with_originals(required)) if required else Hints(none=True)
        elif grouping and grouping[0] == "by":
            hints = Hints(with_originals(required | set(grouping[1]) | ({special} if special else set())))
        for e in run_pipeline(self.data, log, -2 ** 62, 2 ** 62, hints):
            value = 1.0
            if name in ("bytes_over_time", "bytes_rate"):
                value = float(len(e.line.encode()))
            if unwrap:
                label, conversion, _ = unwrap
                text = e.get(label)
                if not text:
                    continue
                try:
                    value = {"": go_float, "bytes": lambda t: float(go_bytes(t)), "duration": lambda t: go_duration_ns(t) / NS,
                             "duration_seconds": lambda t: go_duration_ns(t) / NS}[conversion](text)
                except ValueError as error:
                    e.set_error("SampleExtractionErr", str(error))
                    value = 0.0
                if not all(test(e) for test in post):
                    continue
            if counted:
                value = e.get(counted)
                if not value:
                    continue
            labels = e.labels
            if ERROR not in labels:
                if nothing:
                    labels = {}
                elif grouping:
                    labels = grouped(labels, grouping)
                if special and not (grouping and grouping[0] == "by"):
                    labels = without(labels, [special])
            yield e.ts, value, labels

    def range(self, node, ts, outer):
        _, name, parameter, _, log, _, range_ns, offset_ns = node
        series = {}
        for when, value, labels in self.extract(node, outer):
            if ts - offset_ns - range_ns < when <= ts - offset_ns:
                series.setdefault(key(labels), []).append((when, value))
        for labels in series:
            if ERROR in dict(labels) and (PRESERVE, "true") not in labels:
                raise QueryError(400, "pipeline error: %s" % dict(labels)[ERROR])
        if name == "absent_over_time":
            if series:
                return []
            equal = [(n, v) for n, op, v in log[1] if op == "="]
            names = [n for n, _, _ in log[1]]
            return [({n: v for n, v in equal if names.count(n) == 1 and v}, 1.0)]
        return [(dict(labels), range_value(name, parameter, samples, range_ns, ts - offset_ns)) for labels, samples in series.items()]

    # ---- vector ----

    def vector_aggregation(self, node, ts):
        _, name, parameter, grouping, inner = node
        if name == "sum" and inner[0] == "range" and inner[3] is None and inner[1] in (
                "count_over_time", "rate", "bytes_over_time", "bytes_rate", "sum_over_time"):
            vector = self.range(inner, ts, grouping or ("by", []))
        else:
            if self.split and name in ("avg", "min", "max") and inner[0] == "range" and inner[6] > 3600 * NS:
                raise NotCovered("an instant query that Loki splits by the hour")
            vector = self.instant(inner, ts)
        if not isinstance(vector, list):
            raise QueryError(500, "unexpected expr type (*syntax.LiteralExpr)")
        groups = {}
        for labels, value in vector:
            groups.setdefault(key(gathered(labels, grouping)), []).append((labels, value))
        if name in ("topk", "bottomk", "sort", "sort_desc"):
            return [item for members in groups.values() for item in ranked(name, parameter, members)]
        return [(dict(labels), aggregate(name, [v for _, v in members])) for labels, members in groups.items()]

    def label_replace(self, node, ts):
        _, inner, dst, replacement, src, pattern = node
        compiled = regex("^(?:" + pattern + ")$")
        out = []
        vector = self.instant(inner, ts)
        if not isinstance(vector, list):
            raise NotCovered("label_replace of a scalar")
        for labels, value in vector:
            m = compiled.search(labels.get(src, ""))
            if m:
                text = expand(replacement, m)
                labels = full({**labels, dst: text})
            out.append((labels, value))
        return out

    # ---- binary ----

    def binary(self, node, ts):
        _, op, a, b, options = node
        if op in ("and", "or", "unless") and (is_scalar(a) or is_scalar(b)):
            raise NotCovered("set operator with a scalar")     # refused before anything is evaluated
        left, right = both(lambda: self.instant(a, ts), lambda: self.instant(b, ts))
        if op in ("and", "or", "unless"):
            return set_operation(op, left, right, options)
        if not isinstance(left, list) and not isinstance(right, list):
            value = apply(op, left, right)
            return float(value)
        if isinstance(left, list) and isinstance(right, list):
            return join(op, left, right, options)
        vector, scalar_left = (right, True) if isinstance(right, list) else (left, False)
        out = []
        for labels, value in vector:
            result = apply(op, left, value) if scalar_left else apply(op, value, right)
            if op not in COMPARISONS or options["bool"]:
                out.append((labels, float(result)))
            elif result:
                out.append((labels, value))
        return out


def with_originals(names):
    return names | {n.removesuffix("_extracted") for n in names}


COMPARISONS = ("==", "!=", ">", ">=", "<", "<=")


def apply(op, a, b):
    """Go's arithmetic on float64."""
    if op == "+":
        return a + b
    if op == "-":
        return a - b
    if op == "*":
        return a * b
    if op == "/":
        return math.nan if b == 0 else a / b
    if op == "%" and math.isfinite(a) and math.isfinite(b) and b and (a != int(a) or b != int(b)):
        quotient = abs(a / b)
        if quotient > 1000 or abs(quotient - round(quotient)) < 1e-9:
            raise Undefined("a remainder of rounding errors")
    if op == "%":
        return math.nan if b == 0 or math.isnan(a) or math.isnan(b) or math.isinf(a) else math.fmod(a, b)
    if op == "^":
        return power(a, b)
    return {"==": a == b, "!=": a != b, ">": a > b, ">=": a >= b, "<": a < b, "<=": a <= b}[op]


def power(a, b):
    try:
        return math.pow(a, b)
    except OverflowError:
        return -math.inf if a < 0 and b % 2 == 1 else math.inf
    except ValueError:      # zero to a negative power, or a root of a negative
        if a == 0:
            return math.copysign(math.inf, a) if b % 2 == 1 else math.inf
        return math.nan


def aggregate(name, values):
    if name == "count":
        return float(len(values))
    return {"sum": total, "avg": mean, "min": smallest, "max": largest, "stdvar": variance, "stddev": lambda v: math.sqrt(variance(v))}[name](values)


def ranked(name, k, members):
    if any(math.isnan(v) for _, v in members):
        raise Undefined("order of NaN")
    members = sorted(members, key=lambda item: item[1], reverse=name in ("topk", "sort_desc"))
    if name in ("sort", "sort_desc"):
        return members
    if 0 < k < len(members) and nearly(members[k - 1][1], members[k][1]):
        raise Undefined("tie")
    return members[:max(k, 0)]


def nearly(a, b):
    return a == b or abs(a - b) <= 1e-9 * max(abs(a), abs(b))


def expand(template, m):
    """Go's Regexp.Expand."""
    def one(found):
        name = found.group(1) or found.group(2)
        if name.isdigit():
            return (m.group(int(name)) or "") if int(name) <= m.re.groups else ""
        return (m.group(name) or "") if name in m.re.groupindex else ""
    if "$$" in template:
        raise NotCovered("$$")
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", one, template, flags=re.ASCII)


def signature(labels, options):
    match = options["match"]
    if match is None:
        return key(full(labels))
    return key(full(only(labels, match[1]) if match[0] == "on" else without(labels, match[1])))


def set_operation(op, left, right, options):
    there = {signature(labels, options) for labels, _ in right}
    if op == "and":
        return [x for x in left if signature(x[0], options) in there]
    if op == "unless":
        return [x for x in left if signature(x[0], options) not in there]
    there = {signature(labels, options) for labels, _ in left}
    return left + [x for x in right if signature(x[0], options) not in there]


def join(op, left, right, options):
    """One to one, or with group_left and group_right many to one: the "one" side may have one series of a signature."""
    many_right = options["group"] == "group_right"
    many, one = (right, left) if many_right else (left, right)
    ones = {}
    for labels, value in one:
        if signature(labels, options) in ones:
            raise QueryError(500, "many-to-many")
        ones[signature(labels, options)] = (labels, value)
    out, taken = [], set()
    for labels, value in many:
        sig = signature(labels, options)
        if sig not in ones:
            continue
        other, other_value = ones[sig]
        a, b = (other_value, value) if many_right else (value, other_value)
        result = apply(op, a, b)
        if op in COMPARISONS and not options["bool"]:
            keep, result = result, a
        else:
            keep, result = True, float(result)
        metric = result_labels(labels, other, options)
        # a second match is an error, also of a comparison that drops it
        mark = sig if options["group"] is None else key(metric)
        if mark in taken:
            raise QueryError(500, "multiple matches")
        taken.add(mark)
        if keep:
            out.append((metric, result))
    return out


def result_labels(many, one, options):
    labels = dict(many)
    if options["group"] is None and options["match"]:
        kind, names = options["match"]
        labels = only(labels, names) if kind == "on" else without(labels, names)
    for name in options["include"]:
        labels.pop(name, None)
        if name in one:
            labels[name] = one[name]
    return full(labels)
