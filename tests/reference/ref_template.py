"""The part of Go's text/template that the reference knows: fields, literals, pipelines, if/else, and the functions below."""
import base64
import re

from ref_extract import regex
from ref_parse import NotCovered, unquote

ACTION = re.compile(r"\{\{((?:[^`\"}]|`[^`]*`|\"(?:[^\"\\]|\\.)*\"|\}(?!\}))*)\}\}", re.S)
WORD = re.compile(r"""\s*(?:(?P<string>`[^`]*`|"(?:[^"\\]|\\.)*")|(?P<number>-?\d+(?:\.\d+)?)|(?P<field>\.[A-Za-z_]\w*)|(?P<name>[A-Za-z_]\w*)
                      |(?P<punct>[()|]))""", re.X)


def go_substr(start, end, text):
    end = len(text) if start >= 0 and (end < 0 or end > len(text)) else end
    start = max(start, 0)
    if not start <= end <= len(text):
        raise NotCovered("a slice that Go refuses")
    return text[start:end]


def ascii_only(text):
    """Where Go counts bytes and Python characters."""
    if not text.isascii():
        raise NotCovered("bytes of text that is not ASCII")
    return text


def to_int(value):
    text = str(value)
    if not re.fullmatch(r"-?(0|[1-9]\d{0,15})", text):
        raise NotCovered("%r as an integer" % text)
    return int(text)


FUNCTIONS = {
    "upper": lambda s: ascii_only(s).upper(), "lower": lambda s: ascii_only(s).lower(),
    "ToUpper": lambda s: ascii_only(s).upper(), "ToLower": lambda s: ascii_only(s).lower(),
    "trim": lambda s: s.strip(" \t\n\v\f\r\x85\xa0"), "TrimSpace": lambda s: s.strip(" \t\n\v\f\r\x85\xa0"),
    "trimPrefix": lambda p, s: s.removeprefix(p), "trimSuffix": lambda p, s: s.removesuffix(p),
    "trimAll": lambda cut, s: s.strip(cut),
    "replace": lambda old, new, s: s.replace(old, new),
    "contains": lambda part, s: part in s, "hasPrefix": lambda p, s: s.startswith(p), "hasSuffix": lambda p, s: s.endswith(p),
    "repeat": lambda n, s: s * n if n >= 0 else _unknown(n), "default": lambda d, s: s if s != "" else d,
    "trunc": lambda n, s: ascii_only(s)[:n] if n >= 0 else ascii_only(s)[n:] if -n < len(ascii_only(s)) else s,
    "substr": lambda a, b, s: go_substr(a, b, ascii_only(s)),
    "eq": lambda a, *b: any(a == x for x in b), "ne": lambda a, b: a != b,
    "not": lambda a: not a,
    "len": lambda s: len(s.encode()),
    "add": lambda *v: sum(map(to_int, v)), "sub": lambda a, b: to_int(a) - to_int(b), "mul": lambda a, *b: _product(a, *b),
    "int": to_int,
    "div": lambda a, b: _quotient(to_int(a), to_int(b)), "mod": lambda a, b: to_int(a) - to_int(b) * _quotient(to_int(a), to_int(b)),
    "min": lambda *v: min(map(to_int, v)), "max": lambda *v: max(map(to_int, v)),
    "and": lambda *v: next((x for x in v if not x), v[-1]), "or": lambda *v: next((x for x in v if x), v[-1]),
    "printf": lambda form, *v: _printf(form, v),
    "b64enc": lambda s: base64.b64encode(s.encode()).decode(), "title": lambda s: re.sub(r"\b[a-z]", lambda m: m.group().upper(), ascii_only(s)),
    "regexReplaceAll": lambda pattern, s, new: regex(pattern).sub(lambda _: new if "$" not in new else _unknown(new), s),
    "count": lambda pattern, s: len(regex(pattern).findall(s)),
    "unixEpoch": lambda ts: str(ts // 10 ** 9) if isinstance(ts, int) else _unknown(ts),
}


def _unknown(value):
    raise NotCovered("template argument %r" % (value,))


def _quotient(a, b):
    """Towards zero, as Go divides."""
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1) if b else _unknown(b)


def _printf(form, values):
    if re.sub("%s", "", form).count("%") or form.count("%s") != len(values) or not all(isinstance(v, str) for v in values):
        raise NotCovered("printf " + form)
    return form % tuple(values)


def _product(*values):
    out = 1
    for v in values:
        out *= to_int(v)
    return out


def shown(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value > 10 ** 17:
        return _unknown(value)      # a time
    return str(value)


VALUES = ("__line__", "__timestamp__")      # of the entry


class Template:
    """A template, parsed once."""

    def __init__(self, text):
        self.text = text
        pieces, at = [], 0
        for m in ACTION.finditer(text):
            pieces += [("text", text[at:m.start()]), ("action", m.group(1).strip())]
            at = m.end()
        pieces.append(("text", text[at:]))
        if "{{" in "".join(t for k, t in pieces if k == "text"):
            raise NotCovered("template " + text)
        self.pieces, self.at = pieces, 0
        self.body, ended = self._block()
        if ended:
            raise NotCovered("template " + text)

    def _block(self):
        out = []
        while self.at < len(self.pieces):
            kind, text = self.pieces[self.at]
            self.at += 1
            if kind == "text":
                out.append(("text", text))
            elif text == "end" or text.split(None, 1)[:1] == ["else"]:
                return out, text
            elif text.startswith("if "):
                out.append(self._if(text[3:]))
            elif re.match(r"(range|with|define|template|block|break|continue)\b|/\*|-|.*-$|\$|.*:=", text, re.S):
                raise NotCovered("template action " + text)
            else:
                out.append(("pipe", self._pipeline(text)))
        return out, None

    def _if(self, condition):
        then, ended = self._block()
        other = []
        if ended == "else":
            other, ended = self._block()
        elif ended and ended.startswith("else if "):
            return ("if", self._pipeline(condition), then, [self._if(ended[8:])])
        if ended != "end":
            raise NotCovered("template if")
        return ("if", self._pipeline(condition), then, other)

    def _pipeline(self, text):
        tokens, at = [], 0
        text = text.strip()
        while at < len(text):
            m = WORD.match(text, at)
            if not m:
                raise NotCovered("template action " + text)
            tokens.append((m.lastgroup, m.group(m.lastgroup)))
            at = m.end()
            while at < len(text) and text[at].isspace():
                at += 1
        tree, rest = self._commands(tokens)
        if rest:
            raise NotCovered("template action " + text)
        return tree

    def _commands(self, tokens):
        commands, words = [], []
        while tokens:
            kind, text = tokens.pop(0)
            if (kind, text) == ("punct", ")"):
                tokens.insert(0, (kind, text))
                break
            if (kind, text) == ("punct", "|"):
                commands.append(words)
                words = []
            elif (kind, text) == ("punct", "("):
                inner, tokens = self._commands(tokens)
                if not tokens:
                    raise NotCovered("template parenthesis")
                tokens.pop(0)
                words.append(("pipe", inner))
            elif kind == "string":
                words.append(("value", unquote(text)))
            elif kind == "number":
                if "." in text:
                    raise NotCovered("template number")
                words.append(("value", int(text)))
            elif kind == "field":
                words.append(("field", text[1:]))
            elif text in ("true", "false"):
                words.append(("value", text == "true"))
            elif text in FUNCTIONS or text in VALUES:
                words.append(("call", text))
            else:
                raise NotCovered("template function " + text)
        return commands + [words], tokens

    def fields(self):
        """The labels that the template names."""
        found = set()

        def walk(node):
            if isinstance(node, tuple):
                if node[0] == "field":
                    found.add(node[1])
                for x in node[1:]:
                    walk(x)
            elif isinstance(node, list):
                for x in node:
                    walk(x)
        walk(self.body)
        return found

    def run(self, labels, line, ts):
        return "".join(self._run(self.body, dict(labels, **{" line": line, " ts": ts})))

    def _run(self, body, entry):
        for node in body:
            if node[0] == "text":
                yield node[1]
            elif node[0] == "pipe":
                yield shown(self._value(node[1], entry))
            else:
                yield from self._run(node[2] if self._value(node[1], entry) else node[3], entry)

    def _value(self, commands, entry):
        piped = []
        for words in commands:
            head, arguments = words[0], [self._word(w, entry) for w in words[1:]] + piped
            if head[0] == "call" and head[1] not in VALUES:
                try:
                    piped = [FUNCTIONS[head[1]](*arguments)]
                except (TypeError, AttributeError) as e:
                    raise NotCovered("template call %s: %s" % (head[1], e)) from e
            elif arguments:
                raise NotCovered("template arguments")
            else:
                piped = [self._word(head, entry)]
        return piped[0]

    def _word(self, word, entry):
        kind, value = word
        if kind == "field":
            return entry.get(value, "")
        if kind == "pipe":
            return self._value(value, entry)
        if kind == "call":
            return entry[" line"] if value == "__line__" else entry[" ts"] if value == "__timestamp__" else FUNCTIONS[value]()
        return value
