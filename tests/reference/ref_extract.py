"""The parsers of the reference: what json, logfmt, regexp, pattern and unpack find in a line.

Each yields (name, value) in the order of the line, and raises BadLine where the line breaks its syntax: what was yielded
before stays.
"""
import re

from ref_parse import NotCovered


class BadLine(Exception):
    def __init__(self, details=""):
        super().__init__(details)
        self.details = details


def sanitise(name):
    """A label's name made of a key: letters, digits and underscores, no digit first."""
    name = name.strip(" \t\n\r")
    if name and name[0].isdigit() and name[0].isascii():
        name = "_" + name
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


# ---- JSON ----

SPACE = " \t\r\n"
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
NO_END = "Value looks like object, but can't find closing '}' symbol"
NO_QUOTE = "Value is string, but can't find closing '\"' symbol"


class Json:
    """One value of a text as (kind, value, raw, end); objects are lists of pairs, in order."""

    def __init__(self, text):
        self.text = text

    def skip(self, at):
        while at < len(self.text) and self.text[at] in SPACE:
            at += 1
        return at

    def value(self, at):
        at = self.skip(at)
        first = self.text[at:at + 1]
        if first == "{":
            return self.container(at, "object", "}")
        if first == "[":
            return self.container(at, "array", "]")
        if first == '"':
            text, end = self.string(at)
            return "string", text, self.text[at:end], end
        for word, kind in (("true", "bool"), ("false", "bool"), ("null", "null")):
            if self.text.startswith(word, at):
                return kind, word if kind == "bool" else "", word, at + len(word)
        m = NUMBER.match(self.text, at)
        if m:
            return "number", m.group(), m.group(), m.end()
        raise BadLine("Unknown value type")

    def string(self, at):
        out, at = [], at + 1
        while True:
            if at >= len(self.text):
                raise BadLine(NO_QUOTE)
            c = self.text[at]
            if c == '"':
                return "".join(out), at + 1
            if c != "\\":
                out.append(c)
                at += 1
                continue
            kind = self.text[at + 1:at + 2]
            if kind == "u":
                code, at = int(self.text[at + 2:at + 6], 16), at + 6
                if 0xdc00 <= code < 0xe000:
                    raise NotCovered("surrogate")
                if 0xd800 <= code < 0xdc00:
                    if self.text[at:at + 2] != "\\u":
                        raise NotCovered("surrogate")
                    code, at = 0x10000 + ((code - 0xd800) << 10) + int(self.text[at + 2:at + 6], 16) - 0xdc00, at + 6
                out.append(chr(code))
            elif kind in '"\\/bfnrt' and kind:
                out.append({"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}.get(kind, kind))
                at += 2
            else:
                raise NotCovered("JSON escape")

    def container(self, at, kind, closing):
        start, items = at, []
        at = self.skip(at + 1)
        if self.text[at:at + 1] == closing:
            return kind, items, self.text[start:at + 1], at + 1
        while True:
            key = None
            if kind == "object":
                at = self.skip(at)
                if self.text[at:at + 1] != '"':
                    raise NotCovered("JSON key")
                key, at = self.string(at)
                at = self.skip(at)
                if self.text[at:at + 1] != ":":
                    raise NotCovered("JSON colon")
                at += 1
            value = self.value(at)
            items.append((key, value) if kind == "object" else value)
            at = self.skip(value[3])
            if self.text[at:at + 1] == closing:
                return kind, items, self.text[start:at + 1], at + 1
            if self.text[at:at + 1] != ",":
                raise NotCovered("JSON separator")
            at += 1


def document(line):
    """The line's object. Lines that only begin like JSON are left out: what Loki makes of them is its own affair."""
    text = line.lstrip(SPACE)
    if not text.startswith("{"):
        raise BadLine(NO_END)
    try:
        _, items, _, end = Json(text).value(0)
    except (IndexError, ValueError) as e:
        raise NotCovered("JSON") from e
    if text[end:].strip(SPACE):
        raise NotCovered("text after JSON")
    return items


def json_fields(line, arrays=False):
    """All scalars of the object, nested names joined by _; nulls are left out, and so are arrays unless they are wanted: then their elements
    have numbers as names, and their length is one more. What stands before a place that breaks the syntax counts."""
    text = line.lstrip(SPACE)
    if arrays and text.startswith("["):
        return array_fields(Json(text).value(0)[1], "")
    if not text.startswith("{"):
        raise BadLine(NO_END)
    json = Json(text)

    def walk(at, prefix):
        """Returns where the object that begins at `at` ends."""
        at = json.skip(at + 1)
        while text[at:at + 1] != "}":
            if text[at:at + 1] != '"':
                raise NotCovered("JSON key")
            key, at = json.string(at)
            at = json.skip(at)
            if text[at:at + 1] != ":":
                raise NotCovered("JSON colon")
            at = json.skip(at + 1)
            name = joined(prefix, key)
            if name == "" and text[at:at + 1] != "{":
                raise NotCovered("an empty JSON key")
            if text[at:at + 1] == "{":
                json.value(at)      # a nested object is looked for whole
                at = yield from walk(at, name)
            else:
                kind, value, _, at = json.value(at)
                if arrays and kind == "array":
                    yield from array_fields(value, name)
                elif kind not in ("array", "null"):
                    yield name, value
            at = json.skip(at)
            if text[at:at + 1] == ",":
                at = json.skip(at + 1)
                if text[at:at + 1] == "}":
                    raise NotCovered("JSON comma")
            elif text[at:at + 1] != "}":
                raise NotCovered("JSON separator")
        return at + 1

    def whole():
        end = yield from walk(0, "")
        if text[end:].strip(SPACE):
            raise NotCovered("text after JSON")
    return whole()


def joined(prefix, key):
    """The name of a member; a key of which nothing is left adds nothing."""
    key = key.strip()
    if not prefix or not key:
        return prefix or sanitise(key)
    return prefix + "_" + re.sub(r"[^A-Za-z0-9_]", "_", key)


def array_fields(elements, prefix):
    def name(key):
        return joined(prefix, key)

    def inner(members):
        for key, (kind, value, _, _) in members:
            if kind == "array":
                yield from array_fields(value, name(key))
            elif kind == "object":
                yield from array_objects(value, name(key))
            elif kind != "null":
                yield name(key), value
    if len(elements) > 100:
        raise NotCovered("a long array")
    yield from inner((str(i), e) for i, e in enumerate(elements))
    yield name("length"), str(len(elements))


def array_objects(members, prefix):
    for key, (kind, value, _, _) in members:
        name = joined(prefix, key)
        if kind == "array":
            yield from array_fields(value, name)
        elif kind == "object":
            yield from array_objects(value, name)
        elif kind != "null":
            yield name, value


def json_path(expression):
    """a.b[0]["c"] as a list of names and indices."""
    path, at = [], 0
    while at < len(expression):
        m = re.compile(r'\.?([A-Za-z_]\w*)|\[(\d+)\]|\["([^"\\]*)"\]').match(expression, at)
        if not m:
            raise NotCovered("JSON expression " + expression)
        path.append(int(m.group(2)) if m.group(2) else m.group(1) or m.group(3))
        at = m.end()
    return path


def unescaped(text):
    """A text that holds quotes, with its escapes as in a string."""
    return "".join(part if part == '"' else Json('"' + part + '"').string(0)[0] for part in re.findall(r'"|(?:[^"\\]|\\.)+', text, re.S))


def json_lookup(items, path):
    """The text of what a path finds, or None."""
    node = ("object", items, "", 0)
    for step in path:
        if isinstance(step, int):
            if node[0] != "array" or step >= len(node[1]):
                return None
            node = node[1][step]
        else:
            if node[0] != "object":
                return None
            found = [v for k, v in node[1] if k == step]
            if not found:
                return None
            if len(found) > 1:
                raise NotCovered("repeated key below a JSON expression")
            node = found[0]
    if node[0] == "object":     # stays as it is; an array's escapes are taken out as a string's are
        return node[2]
    return (unescaped(node[2]) if node[0] == "array" else node[1]).replace("\ufffd", " ")


def unpack_fields(line):
    """The strings of a packed object."""
    if not line.startswith("{"):
        raise BadLine("expecting json object(6), but it is not")
    for key, (kind, value, _, _) in document(line):
        if kind == "string":
            yield key, value


# ---- logfmt ----

def logfmt_fields(line, strict):
    """(key, value) pairs. A broken pair is skipped to the next space, or with --strict ends the line."""
    at = 0
    while at < len(line):
        if line[at] <= " ":
            at += 1
            continue
        start = at
        try:
            while at < len(line) and line[at] > " " and line[at] not in '="':
                at += 1
            if at == start or line[at:at + 1] == '"':
                raise BadLine("logfmt syntax error at pos %d : unexpected %r" % (pos(line, at), line[at]))
            key = line[start:at]
            if line[at:at + 1] != "=":
                yield key, ""
                continue
            at += 1
            if line[at:at + 1] == '"':
                value, at = quoted(line, at)
            else:
                start = at
                while at < len(line) and line[at] > " ":
                    if line[at] in '="':
                        raise BadLine("logfmt syntax error at pos %d : unexpected '%s'" % (pos(line, at), line[at]))
                    at += 1
                value = line[start:at]
            if "\ufffd" in key:
                raise NotCovered("logfmt key that is not UTF-8")
            yield key, value
        except BadLine:
            if strict:
                raise
            while at < len(line) and line[at] > " ":
                at += 1


def pos(line, at):
    return len(line[:at].encode()) + 1


def quoted(line, at):
    out, i = [], at + 1
    while i < len(line):
        if line[i] == '"':
            return "".join(out), i + 1
        if line[i] == "\\":
            kind = line[i + 1:i + 2]
            if kind not in ('"', "\\", "n", "t", "r"):
                raise NotCovered("logfmt escape")
            out.append({"n": "\n", "t": "\t", "r": "\r"}.get(kind, kind))
            i += 2
        else:
            out.append(line[i])
            i += 1
    raise BadLine("logfmt syntax error at pos %d : unterminated quoted value" % pos(line, len(line)))


# ---- regexp, pattern ----

def regex(text, flags=0):
    """A regular expression of the subset in which Go and Python agree (on what it matches)."""
    if re.search(r"\\[pPQEzCxZ]|\(\?U|\[\[:|\(\?[ims-]*[ims]+[:)]", text.replace("(?i)", "").replace("(?s)", "")):
        raise NotCovered("regular expression " + text)
    lead = ""
    while text[:4] in ("(?i)", "(?s)"):
        lead += text[2]
        text = text[4:]
    if "(?i)" in text or "(?s)" in text:
        raise NotCovered("flags within a regular expression")
    if "i" in lead:
        flags |= re.IGNORECASE
        if not text.isascii() or re.search("[sSkK]", text):
            raise NotCovered("case folding beyond ASCII")
    if "s" in lead:
        flags |= re.DOTALL
    try:
        return re.compile(re.sub(r"(?<!\\)\$", r"\\Z", text) if "$" in text else text, flags | re.ASCII)
    except re.error as e:
        raise NotCovered("regular expression " + text) from e


def regexp_fields(line, compiled):
    m = compiled.search(line)
    if m:
        for name, _ in sorted(compiled.groupindex.items(), key=lambda item: item[1]):
            yield name, m.group(name) or ""


def pattern_parts(text):
    """Literals and captures: ("text", t) and ("capture", name), the name "_" for those not wanted."""
    parts, at = [], 0
    for m in re.finditer(r"<([A-Za-z_][A-Za-z0-9_]*)>", text):
        if m.start() > at:
            parts.append(("text", text[at:m.start()]))
        parts.append(("capture", m.group(1)))
        at = m.end()
    if at < len(text):
        parts.append(("text", text[at:]))
    return parts


def pattern_fields(line, parts):
    """A capture runs to the first place of the literal after it, or to the end when that is not there."""
    if not line:
        return
    if parts[0][0] == "text":
        if not line.startswith(parts[0][1]):
            return
        line, parts = line[len(parts[0][1]):], parts[1:]
    while parts:
        name = parts[0][1]
        end = line.find(parts[1][1]) if len(parts) > 1 else -1
        if name != "_":
            yield name, line if end < 0 else line[:end]
        if end < 0:
            return
        line, parts = line[end + len(parts[1][1]):], parts[2:]


def pattern_matches(line, parts):
    """The filter |>: captures hold at least one character, literals stand at their first place; the end of the line is
    anchored, the start is not."""
    if not line:
        return False
    at = 0
    for i, (kind, text) in enumerate(parts):
        if kind == "text":
            found = line.find(text, at)
            if found < 0 or i > 0 and found == at:
                return False
            at = found + len(text)
    return (at < len(line)) == (parts[-1][0] == "capture")
