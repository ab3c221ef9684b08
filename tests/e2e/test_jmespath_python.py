"""JMESPath expressions against the package jmespath (the language's author's): random expressions on random documents, and a list of
those that people write. Both say no to the same ones and find the same values."""
import json
import math
import os
import random
import re
import subprocess

import jmespath
import jmespath.exceptions
import pytest

from programs import BUILD

PROBE = os.path.join(BUILD, "tests", "support", "jmespath_probe")
KEYS = ["a", "b", "c", "a b", "ü", "x"]
TEXTS = ["", "a", "b", "<&>", "é\n\"", "12", "1.50", "zeta"]
NUMBERS = [0, 1, -1, 2, 7, 1.5, -0.25, 1e21, 1e-7, 123456789012, 0.1]
FUNCTIONS = ["abs", "avg", "ceil", "contains", "ends_with", "floor", "join", "keys", "length", "map", "max", "max_by", "merge",
             "min", "min_by", "not_null", "reverse", "sort", "sort_by", "starts_with", "sum", "to_array", "to_number", "type",
             "values"]  # to_string prints as Go does, see below
TWO = {"contains", "ends_with", "join", "map", "max_by", "min_by", "sort_by", "starts_with"}
EXPREF_FIRST, EXPREF_LAST = {"map"}, {"max_by", "min_by", "sort_by"}


def document(rng, depth):
    kind = rng.randrange(8 if depth > 0 else 4)
    if kind == 0:
        return rng.choice(TEXTS)
    if kind == 1:
        return rng.choice(NUMBERS)
    if kind == 2:
        return rng.choice([True, False])
    if kind == 3:
        return None
    if kind in (4, 5):
        return {k: document(rng, depth - 1) for k in rng.sample(KEYS, rng.randrange(5))}
    if rng.randrange(3) == 0:
        return [rng.choice(NUMBERS) for _ in range(rng.randrange(5))]
    if rng.randrange(3) == 0:
        return [rng.choice(TEXTS) for _ in range(rng.randrange(5))]
    return [document(rng, depth - 1) for _ in range(rng.randrange(5))]


def name(rng):
    key = rng.choice(KEYS)
    return key if key.isascii() and " " not in key and rng.randrange(4) else json.dumps(key, ensure_ascii=rng.randrange(2) == 0)


def bracket(rng, depth):
    kind = rng.randrange(6)
    if kind == 0:
        return f"[{rng.randrange(-3, 4)}]"
    if kind == 1:
        parts = [rng.choice(["", str(rng.randrange(-4, 5))]) for _ in range(rng.choice([2, 3]))]
        return "[" + ":".join(parts) + "]" if parts[2:] != ["0"] else "[::2]"
    if kind == 2:
        return "[*]"
    if kind == 3:
        return "[]"
    return f"[?{expression(rng, depth - 1)}]"


def literal(rng):
    if rng.randrange(2):
        return "'" + rng.choice(TEXTS).replace("'", "\\'") + "'"
    return "`" + json.dumps(document(rng, 1)).replace("`", "\\`") + "`"


def call(rng, depth):
    function = rng.choice(FUNCTIONS)
    args = [expression(rng, depth - 1) for _ in range(2 if function in TWO else 1)]
    if function in EXPREF_FIRST:
        args[0] = "&" + args[0]
    if function in EXPREF_LAST:
        args[1] = "&" + args[1]
    return function + "(" + ", ".join(args) + ")"


def expression(rng, depth):
    if depth <= 0:
        return rng.choice([name(rng), name(rng), "@", literal(rng)])
    kind = rng.randrange(15)
    left = expression(rng, depth - 1)
    if kind < 4:
        return f"{left}.{name(rng)}"
    if kind < 6:
        return left + bracket(rng, depth)
    if kind == 6:
        return bracket(rng, depth)
    if kind == 7:
        return rng.choice(["*", f"{left}.*", f"{left}.*.{name(rng)}"])
    if kind == 8:
        return f"{left} {rng.choice(['||', '&&', '|'])} {expression(rng, depth - 1)}"
    if kind == 9:
        return f"{left} {rng.choice(['==', '!=', '<', '<=', '>', '>='])} {expression(rng, depth - 1)}"
    if kind == 10:
        return rng.choice([f"!{left}", f"({left})"])
    if kind == 11:
        return f"{left}.[{expression(rng, depth - 1)}, {expression(rng, depth - 1)}]"
    if kind == 12:
        return "{" + f"{name(rng)}: {left}, {name(rng)}: {expression(rng, depth - 1)}" + "}"
    if kind == 13:
        return f"{left}.{call(rng, depth)}"
    return call(rng, depth)


def damaged(rng, text):
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice(["", ".", "[", "]", "*", "(", ")", "`", "'", "!", "|", "1", "&", ","]) + text[at + rng.randrange(2):]


# Over there a slice behind an index does not project ([0][:].a), and two numbers pass for one part of a slice ([1-2:]).
DIFFERS = re.compile(r"\d\]\)*\[[-0-9]*:|\d-\d")


def orders_texts(expr, doc):
    """Does it compare texts by '<'? Python's package does that beyond the specification; Go's, which promtail has, does not."""
    seen = []
    original = jmespath.visitor._is_comparable
    jmespath.visitor._is_comparable = lambda x: seen.append(x) or original(x)
    try:
        jmespath.search(expr, doc)
    except (jmespath.exceptions.JMESPathError, ValueError, TypeError):
        pass
    finally:
        jmespath.visitor._is_comparable = original
    return any(isinstance(x, str) for x in seen)


def holds_json(value):
    """Not an expression (&a) that no function took."""
    if isinstance(value, dict):
        return all(holds_json(v) for v in value.values())
    if isinstance(value, list):
        return all(holds_json(v) for v in value)
    return value is None or isinstance(value, (bool, int, float, str))


def of_python(expr, doc):
    try:
        compiled = jmespath.compile(expr)
    except jmespath.exceptions.JMESPathError:
        return "E", None
    try:
        found = compiled.search(doc)
    except (jmespath.exceptions.JMESPathError, ValueError):
        return "X", None
    except TypeError:
        return "python's own", None  # 1 in "a": not of the language
    return ("V", found) if holds_json(found) else ("X", None)


def of_ours(answer):
    kind, _, text = answer.partition(" ")
    if kind == "x":
        return "X", None
    value = bytes.fromhex(text).decode()
    if kind == "e":
        return "E", value
    return "V", {"n": lambda: None, "s": lambda: value}.get(kind, lambda: json.loads(value))()


def same(a, b):
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return math.isclose(a, b, rel_tol=1e-15)
    if type(a) is not type(b):
        return False
    if isinstance(a, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return a == b


def ask(cases):
    lines = [f"{e.encode().hex() or '-'} {json.dumps(d, ensure_ascii=False).encode().hex()}" for e, d in cases]
    run = subprocess.run([PROBE], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True)
    answers = run.stdout.splitlines()
    assert len(answers) == len(cases)
    return [of_ours(a) for a in answers]


def check(cases):
    kinds = {"E": 0, "X": 0, "V": 0, "none": 0}
    for (expr, doc), ours in zip(cases, ask(cases)):
        theirs = of_python(expr, doc)
        if theirs[0] == "python's own" or orders_texts(expr, doc) or DIFFERS.search(expr):
            continue
        # What only fails when it runs over there is found when the expression is compiled: functions and their arguments.
        if ours[0] == "E" and theirs[0] != "E":
            assert "function" in ours[1] or "arguments" in ours[1], (expr, ours)
            continue
        assert theirs[0] == ours[0], (expr, doc, theirs, ours)
        assert theirs[0] != "V" or same(theirs[1], ours[1]), (expr, doc, theirs, ours)
        kinds["none" if theirs == ("V", None) else theirs[0]] += 1
    return kinds


@pytest.mark.parametrize("seed", range(4))
def test_random_expressions_give_what_python_gives(seed):
    rng = random.Random(seed)
    cases = []
    for _ in range(5000):
        doc = {k: document(rng, 3) for k in KEYS}
        cases.append((expression(rng, rng.randrange(5)), doc))
    kinds = check(cases)
    assert min(kinds["X"], kinds["V"], kinds["none"]) > 200, kinds


@pytest.mark.parametrize("seed", range(2))
def test_damaged_expressions_are_refused_where_python_refuses_them(seed):
    rng = random.Random(100 + seed)
    doc = {k: document(rng, 3) for k in KEYS}
    cases = [(damaged(rng, expression(rng, rng.randrange(4))), doc) for _ in range(4000)]
    # Laxer there: `text` without quotes, a comma before ')' or none between arguments, & anywhere.
    cases = [(e, d) for e, d in cases if "`" not in e and "(" not in e and "&" not in e.replace("&&", "") and e.strip() != ""]
    kinds = check(cases)
    assert min(kinds["E"], kinds["V"]) > 100, kinds


WRITTEN = {
    "level": "warn", "log.level": "x", "ts": 1700000000.25, "n": 12, "ok": True, "none": None,
    "http": {"request": {"method": "GET", "headers": [{"name": "Host", "value": "a"}, {"name": "X", "value": "b"}]}, "status": 200},
    "tags": ["a", "b", "c"], "tokens": [3, 1, 2], "labels": {"app": "shop", "env": "prod"},
}
EXPRESSIONS = """level
http.request.method
http.status
"log.level"
"http"."request"
http.request.headers[0].value
http.request.headers[-1].value
http.request.headers[?name == 'Host'].value | [0]
http.request.headers[*].name
http.request.headers[].{n: name, v: value}
http.*.method
labels.*
labels
tags[1]
tags[9]
tags[::-1]
tags[:2]
missing.deeply.nested
none
level || 'info'
missing || level
ok && n
!ok
n > `10`
join('-', tags)
length(tags)
sort(tokens)
max(tokens)
keys(labels)
to_string(labels)
contains(tags, 'b')
not_null(missing, none, level)
type(ts)
[level, n]
{l: level, s: http.status}
@.level
@
tags | [0]
(tags)[0]
sort_by(http.request.headers, &value)[-1].name
map(&name, http.request.headers)""".splitlines()


def test_expressions_as_people_write_them():
    kinds = check([(e, WRITTEN) for e in EXPRESSIONS])
    assert kinds["V"] > 30 and kinds["E"] == 0
