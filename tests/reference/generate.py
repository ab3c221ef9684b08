"""Random small data sets and random well-typed queries over them. The same seed gives the same of both."""
import json
import random

NS = 10 ** 9
DAY = 86400 * NS
MIDNIGHT = 20500 * DAY
BASE = MIDNIGHT - 1800 * NS     # the hour of the data crosses a day
SPAN = 3600                     # seconds

APPS, ENVS, ZONES = ["api", "web", "job"], ["prod", "dev"], ["z1", "z2", "é"]
LEVELS = ["info", "warn", "error", "debug"]
USERS = ["ana", "bo", "célia", "dx"]
NUMBERS = ["0", "1", "2", "3", "7", "10", "2.5", "0.1", "-4", "1e3", "100", "250"]
ODD_NUMBERS = ["1_000", "0x1F", "007", "NaN", "Inf", "-Inf", "1e308", "abc", "1e400", "", "5 s", "123456789012"]
DURATIONS = ["1ms", "250ms", "1s", "1.5s", "2m", "1h", "90us", "0", "-3s"]
SIZES = ["1KB", "3KiB", "10B", "2.5MB", "512", "0B", "1MB"]
ADDRESSES = ["10.0.0.1", "10.0.1.200", "192.168.4.5", "8.8.8.8"]
PATHS = ["/", "/api/v1", "/login", "/a b", "/ü"]
WORDS = ["disk", "full", "user", "ok", "Timeout", "retry", "café", "😀", "100%", "a.b", "C:\\t", "'q'", "foo", "bar"]
FIELDS = ["level", "user", "num", "dur", "size", "ip", "path", "status", "msg"]
NUMERIC = ["num", "status", "dur", "size"]


class Generator:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def some(self, items, low, high):
        return self.r.sample(items, min(len(items), self.r.randint(low, high)))

    def chance(self, p):
        return self.r.random() < p

    # ---- data ----

    def field(self, name):
        r = self.r
        if name == "num":
            return r.choice(NUMBERS) if self.chance(0.94) else r.choice(ODD_NUMBERS)
        if name == "status":
            return r.choice(["200", "201", "404", "500", "503"])
        if name == "dur":
            return r.choice(DURATIONS) if self.chance(0.97) else "fast"
        if name == "size":
            return r.choice(SIZES) if self.chance(0.97) else "large"
        pool = {"level": LEVELS, "user": USERS, "ip": ADDRESSES, "path": PATHS}.get(name)
        return r.choice(pool) if pool else self.words()

    def words(self):
        return " ".join(self.r.choice(WORDS) for _ in range(self.r.randint(1, 4)))

    def json_object(self):
        out = {}
        for name in self.some(FIELDS, 1, 6):
            value = self.field(name)
            if name in ("num", "status") and self.chance(0.6):
                try:
                    value = json.loads(value)
                    value = value if abs(value) < 1e15 else str(value)
                except ValueError:
                    pass
            out[name] = value
        if self.chance(0.2):
            out["req"] = {"id": self.r.randint(1, 3), "user": self.r.choice(USERS), "deep": {"k": self.chance(0.5)}}
            if self.chance(0.2):    # keys of which no name is left
                out["req"][self.r.choice(["", " "])] = self.r.choice(["blank", {"id": 7, "": 8}])
        if self.chance(0.15):
            out["tags"] = self.some(WORDS + ['say "no"', "two\nlines"], 0, 3) if self.chance(0.7) else [{"k": self.r.choice(USERS)}, [1, [2, None]], self.chance(0.5)]
        if self.chance(0.1):
            out[self.r.choice(["app", "env", "trace", "bad-key", "9x", "none"])] = self.r.choice(["in", None, True, "", "a\ufffdb"])
        items = list(out.items())
        self.r.shuffle(items)
        return dict(items)

    def json_line(self):
        text = json.dumps(self.json_object(), ensure_ascii=self.chance(0.2), separators=(",", ":") if self.chance(0.7) else (", ", ": "))
        if self.chance(0.05):
            return self.r.choice(["not json", '{"level":"unterminated', '{"level":"info","msg":"cut', '{"num":tru}', "", "[1,2]"])
        return text

    def logfmt_line(self):
        parts = []
        for name in self.some(FIELDS + ["app", "extra-key", "trace"], 1, 7):
            value = self.field(name) if name in FIELDS else self.r.choice(["x", "y"])
            if value == "":
                parts.append(self.r.choice([name, name + "=", name + '=""']))
            elif any(c in value for c in ' ="\\') or self.chance(0.1):
                parts.append('%s="%s"' % (name, value.replace("\\", "\\\\").replace('"', '\\"')))
            else:
                parts.append(name + "=" + value)
        if self.chance(0.1):
            parts.append(self.r.choice(["bare", "level=again", "num=9", "le-vel=dash le.vel=dot", "user=a\ufffdb", "env=own env=two num=5", "a==b", "=x", 'bad="mid"dle', 'k=a"b', 'dash="unterminated', '"q']))
        return " ".join(parts)

    def plain_line(self):
        r = self.r
        kind = r.randrange(6)
        if kind == 0:
            return self.words()
        if kind == 1:
            return r.choice(["", " ", "\x1b[31m%s\x1b[0m tail" % r.choice(WORDS), "two\nlines", "tab\there", "日本語 テキスト"])
        return '%s %s %s %s %s' % (r.choice(ADDRESSES), r.choice(["GET", "POST"]), r.choice(["/", "/api/v1", "/login"]), self.field("status"),
                                   self.field("dur"))

    def packed_line(self):
        inner = self.r.choice([self.logfmt_line, self.plain_line, self.json_line])()
        out = {"_entry": inner} if self.chance(0.9) else {}
        out.update({"container": self.r.choice(["c1", "c2"]), **({"level": self.r.choice(LEVELS)} if self.chance(0.4) else {})})
        return json.dumps(out, ensure_ascii=False) if self.chance(0.95) else "not packed"

    def uniform(self, kind):
        """Makes lines of one template, as programs write them: the store keeps those in columns."""
        names = self.r.sample(FIELDS, self.r.randint(3, 7))
        number = self.r.choice([lambda: self.r.randint(0, 9), lambda: self.r.randint(0, 5000), lambda: round(self.r.uniform(-5, 500), 2)])

        def value(name):
            if name == "num":
                return str(number())
            if name == "dur" and self.chance(0.7):
                return "%d%s" % (self.r.randint(0, 999), self.r.choice(["ms", "us", "s"]))
            if name == "msg" and self.chance(0.5):
                return "user %d logged in from %s" % (self.r.randint(1, 300), self.r.choice(ADDRESSES))
            return self.field(name)

        def line():
            values = {name: value(name) for name in names}
            if kind == "json":
                bare = {k: json.loads(v) if k in ("num", "status") and v.lstrip("-").replace(".", "", 1).isdigit() and v[0] != "0" else v for k, v in values.items()}
                return json.dumps(bare, ensure_ascii=False, separators=(",", ":"))
            if kind == "logfmt":
                return " ".join("%s=%s" % (k, json.dumps(v, ensure_ascii=False) if k == "msg" or any(c in v for c in ' "=') else v) for k, v in values.items())
            return "%s GET /item/%d %s %s" % (self.r.choice(ADDRESSES), self.r.randint(1, 50), self.field("status"), value("dur"))
        return line

    def data(self):
        """[(labels, [(ns, line, metadata)])]; no entry twice in a stream."""
        streams, seen = [], set()
        for _ in range(self.r.randint(2, 7)):
            kind = self.r.choice(["json", "logfmt", "plain", "packed", "json", "logfmt"])
            labels = {"app": self.r.choice(APPS), "kind": kind}
            if self.chance(0.7):
                labels["env"] = self.r.choice(ENVS)
            if self.chance(0.4):
                labels["zone"] = self.r.choice(ZONES)
            if self.chance(0.1):
                labels["level"] = self.r.choice(LEVELS)
            if tuple(sorted(labels.items())) in seen:
                continue
            seen.add(tuple(sorted(labels.items())))
            make = {"json": self.json_line, "logfmt": self.logfmt_line, "plain": self.plain_line, "packed": self.packed_line}[kind]
            entries, there = [], set()
            count = self.r.choice([1, 3, 8, 15, 25])
            if kind != "packed" and self.chance(0.03):
                count, make = self.r.randint(150, 500), self.uniform(kind)
            for _ in range(count):
                ts = BASE + self.r.randrange(0, SPAN + 1, self.r.choice([1, 5, 60, 300])) * NS + self.r.choice([0, 0, 0, 1, 999999999, 500000000])
                line = make() if self.chance(0.97) else self.plain_line()
                metadata = {}
                if self.chance(0.25):
                    metadata["trace"] = self.r.choice(["t1", "t2"])
                if self.chance(0.1):
                    metadata[self.r.choice(["num", "pod", "env"])] = self.r.choice(["5", "12.5", "meta"])
                if (ts, line, tuple(metadata)) not in there:
                    there.add((ts, line, tuple(metadata)))
                    entries.append((ts, line, metadata))
            streams.append((labels, entries))
        return streams

    # ---- log queries ----

    def quote(self, text):
        if "`" not in text and self.chance(0.4):
            return "`" + text + "`"
        return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\x7f")

    def selector(self, kind=None):
        r, out = self.r, []
        if kind and self.chance(0.85):
            out.append('kind="%s"' % kind)
        choice = r.randrange(8)
        if choice == 0 or not out and choice < 4:
            out.append('app=~"%s"' % r.choice(["api|web", ".+", "(api|job)", "[a-z]+", "a.i|w.*"]))
        elif choice == 1:
            out.append('app="%s"' % r.choice(APPS))
        elif choice == 2:
            out.append('app!="%s"' % r.choice(APPS))
            out.append('kind=~".+"')
        elif choice == 3:
            out.append('app!~"%s"' % r.choice(["web", "api|job", "j.b"]))
            out.append('kind!=""')
        if self.chance(0.25):
            out.append(r.choice(['env="prod"', 'env=""', 'env!="dev"', 'env=~"prod|dev"', 'env!~"pr.*"', 'env=~".*"', 'env=~""', 'env=~"|prod"', 'env!=""', 'zone!~".+"', 'env=~"(?i)PROD"', 'app=~"^w.b$"', 'env!~""', 'app=~"...", app!="job"',
                                 'nosuch!="x"', 'zone="é"', 'zone!=""', 'zone=~"z[12]"']))
        if not any(m in s for s in out for m in ('kind="', 'app="', 'app=~', 'kind=~".+"', 'kind!=""')):
            out.append('app=~".+"')
        return "{" + r.choice([",", ", "]).join(out) + "}"

    def regex(self, depth=0):
        """A random expression of what Go and Python mean alike."""
        r = self.r
        choice = r.randrange(12)
        if choice < 5 or depth > 3:
            return r.choice(["o", "e", "us", "=", "0", "level", " ", "a", "é", "err", "/", "G", "m"])
        if choice < 6:
            return r.choice([".", "[a-f]", "[^ ]", r"\d", r"\w", r"\s", "[0-9.]", r"\.", '"', r"\S", "[A-Z]"])
        if choice < 8:
            return self.regex(depth + 1) + self.regex(depth + 1)
        if choice < 9:
            return "(%s%s|%s)" % (r.choice(["", "?:"]), self.regex(depth + 1), self.regex(depth + 1))
        if choice < 10:
            return "(?:%s)%s" % (self.regex(depth + 1), r.choice(["*", "+", "?", "{2}", "{1,3}", "*?", "+?"]))
        if choice < 11:
            return r.choice([".*", ".+", ".*?"]).join([self.regex(depth + 1), self.regex(depth + 1)])
        return r.choice(["^%s", "%s$", r"\b%s", "%s|%s", "(?i)%s", ".*%s.*", "%s.*", ".*%s", "|%s"]).replace("%s", self.regex(depth + 1)) if depth == 0 else self.regex(depth + 1)

    def needle(self, op):
        r = self.r
        if op in ("|~", "!~") and self.chance(0.6):
            return self.quote(self.regex())
        if op in ("|>", "!>") and self.chance(0.5):
            parts = [r.choice(["level", "=", "GET", " ", "user", '"', "ms", ":", "0", "_entry"]) for _ in range(r.randint(1, 3))]
            return self.quote(r.choice(["", "<_>"]) + "<_>".join(parts) + r.choice(["", "<_>"]))
        if op in ("|~", "!~"):
            return self.quote(r.choice(["foo|bar", "^[0-9]+", r"\d{3}", "(?i)timeout", r"\bok\b", "lev.l", "[^a-z]{4}", "e$", "^$", "us(er)?", ".+", "a.*b",
                                        r"\w+=\w+", "é", "^.{3,9}$", r"\.0\.", "(GET|POST) /a", "x*", "^{"]))
        if op in ("|>", "!>"):
            return self.quote(r.choice(["<_>level<_>", "<_> GET <_>", "{<_>}", "<_>=<_> <_>", "level=<_>", "<_>ms", "<_>user<_>msg<_>", "<_>"]))
        if self.chance(0.1):
            return "ip(%s)" % self.quote(r.choice(["10.0.0.0/8", "10.0.0.1", "192.168.0.0-192.168.255.255", "8.8.8.8"]))
        return self.quote(r.choice(WORDS + LEVELS + ['"level"', "level=", "200", "", "=", "\n", "\t", "GET", "_entry", "é"]))

    def line_filter(self):
        op = self.r.choice(["|=", "|=", "!=", "|~", "!~", "|>", "!>"])
        count = self.r.choice([1, 1, 1, 2, 3])
        needles = [self.needle(op) for _ in range(count)]
        return "%s%s%s" % (op, self.r.choice([" ", ""]), " or ".join(needles))

    def label_filter(self, names, depth=0):
        r = self.r
        if depth < 2 and self.chance(0.25):
            left, right = self.label_filter(names, depth + 1), self.label_filter(names, depth + 1)
            word = r.choice([" and ", " or ", " or ", ", ", " ", " AND ", " OR "])
            return ("(%s%s%s)" if self.chance(0.4) else "%s%s%s") % (left, word, right)
        name = r.choice(names)
        kind = r.randrange(10)
        base = name.removesuffix("_extracted")
        if base == "dur" and self.chance(0.8):
            return name + r.choice([">", ">=", "<", "<=", "=", "==", "!="]) + r.choice(["1s", "250ms", "1.5s", "90us", "1m", "1h30m", "0s"])
        if base == "size" and self.chance(0.8):
            return name + r.choice([">", ">=", "<", "<=", "=", "==", "!="]) + r.choice(["1KB", "3KiB", "10B", "1MB", "512B", "7B"])
        if base in ("num", "status", "req_id") and self.chance(0.8):
            return name + r.choice([">", ">=", "<", "<=", "=", "==", "!="]) + r.choice(["0", "2", "2.5", "-4", "200", "404", "1e3", "100"])
        if base == "ip" and self.chance(0.7):
            return name + r.choice(["=", "!="]) + "ip(%s)" % self.quote(r.choice(["10.0.0.0/8", "8.8.8.8", "10.0.0.1-10.0.1.255"]))
        if kind < 2:
            return name + r.choice(["=~", "!~"]) + self.quote(r.choice(["info|warn", "[a-d].", "", ".+", ".*", "a|b", "(prod|dev)", "x", "[0-9]+", "ana|bo|célia",
                                                                        "(?i)INFO", "e.r.r", "info"]))
        if kind == 2:
            return name + r.choice([">", "<", "=", "!="]) + r.choice(["1", "10s", "5KB"])
        value = self.field(base) if base in FIELDS else r.choice(["api", "prod", "t1", "c1", "", "x", "meta", "z1"])
        return name + r.choice(["=", "!=", "="]) + self.quote(value if self.chance(0.85) else "")

    def template(self, names):
        r, out = self.r, []
        for _ in range(r.randint(1, 3)):
            name = "." + r.choice(names)
            out.append(r.choice(["", "x", " ", "level=", "é", "-"]))
            out.append("{{" + r.choice([name, name, " %s " % name, name + ' | default "none"', name + ' | replace "a" "b"', "__line__", name + " | len", "len " + name,
                                        name + ' | trimPrefix "in"', name + ' | trimSuffix "o"', name + " | trim", 'if eq %s "info"}}I{{else}}O{{end' % name,
                                        "if %s}}has{{end" % name, 'if contains "a" %s}}A{{else if hasPrefix "w" %s}}W{{else}}N{{end' % (name, name),
                                        "repeat 2 " + name, name + " | upper", name + " | ToLower", "trunc 2 " + name, "trunc -2 " + name, "substr 1 3 " + name,
                                        name + " | substr 0 2 | upper", 'if and .level (eq %s "200")}}B{{end' % name, 'if or %s .user}}R{{end' % name,
                                        'printf "%%s/%%s" %s .app' % name, '__timestamp__ | unixEpoch', name + ' | b64enc', 'regexReplaceAll "[a-z]+" %s "w"' % name,
                                        'title "ab"', 'int 5', '%s | count "a"' % name, 'min 3 1 2', 'max 1 2', 'div 7 2', 'mod 7 4', 'add 1 2', 'mul 3 (sub 5 2)', '__line__ | replace " " "_"', '"lit"', "`q`",
                                        'if not %s}}no{{end' % name, 'if ne %s ""}}{{%s}}{{end' % (name, name), 'trimAll "ai" ' + name]) + "}}")
        return "".join(out)

    def parser(self, kind):
        r = self.r
        if kind == "mixed":
            kind = r.choice(["json", "logfmt", "plain"])
        if kind == "json":
            if self.chance(0.2):
                return "| json " + ", ".join(self.some(['level', 'l="level"', 'u="req.user"', 't="tags[0]"', 'r="req"', 'app="level"', 'tags', 'k="req.deep.k"',
                                                        'num', 'b="[\\"bad-key\\"]"', 'dur'], 1, 3))
            return "| json"
        if kind == "logfmt":
            if self.chance(0.2):
                fields = ["level", 'l="level"', "num", 'app="user"', "status", "zzz", 'num="status"', 'status="num"', 'user="level"', 'level="zzz"', 'le_vel="zzz"',
                          'user="le_vel"', 'l="nosuch"', 'env="level"', 'msg="user"']
                return "| logfmt " + r.choice(["", "", "--strict ", "--keep-empty "]) + ", ".join(self.some(fields, 1, 3))
            return "| logfmt" + r.choice(["", "", "", " --strict", " --keep-empty", " --strict --keep-empty"])
        if kind == "packed":
            return "| unpack"
        return r.choice(["| regexp %s" % self.quote(r.choice([r"(?P<ip>\d+\.\d+\.\d+\.\d+) (?P<verb>[A-Z]+)", r"(?P<status>\d{3}) (?P<dur>\S+)$", r"^(?P<first>\w+)( (?P<second>\w+))?",
                                                               r"(?P<app>GET|POST)", r"level=(?P<level>\w*)"])),
                         "| pattern %s" % self.quote(r.choice(["<ip> <verb> <path> <status> <dur>", "<_> <verb> <_>", "<a>=<b> <_>", "10<rest>", "<first> <second>",
                                                               "{<body>}"]))])

    def names(self, kinds):
        names = ["app", "env", "zone", "kind", "trace", "pod", "level", "num", "nosuch"]
        for kind in kinds:
            if kind in ("json", "logfmt", "mixed"):
                names += FIELDS + FIELDS + ["app_extracted", "env_extracted", "level_extracted"]
            if kind == "json":
                names += ["req_user", "req_id", "req_deep_k"]
            if kind == "plain":
                names += ["ip", "verb", "path", "status", "dur", "first"] * 2
            if kind == "packed":
                names += ["container", "level"] * 3
        return names

    def pipeline(self, kind, metric=False):
        """(text, names that may be there)"""
        r, out, kinds = self.r, [], []
        for _ in range(r.choice([0, 0, 1, 1, 2])):
            out.append(self.line_filter())
        if self.chance(0.05):
            out.append("| decolorize")
        if self.chance(0.75):
            out.append(self.parser(kind))
            kinds.append(kind)
            if kind == "packed" and self.chance(0.5):
                out.append(self.parser(r.choice(["logfmt", "plain"])))
                kinds += ["logfmt", "plain"]
        names = self.names(kinds)
        clean = metric and self.chance(0.8)
        if clean and kinds:
            out.append('| __error__=""')
        for _ in range(r.choice([0, 1, 1, 2, 3]) if not metric else r.choice([0, 0, 1, 2])):
            out.append(self.stage(names, kind))
        if clean and self.chance(0.7) and not out[-1:] == ['| __error__=""']:
            out.append('| __error__=""')
        return " ".join(out), names

    def stage(self, names, kind):
        r = self.r
        choice = r.randrange(20)
        if choice < 8:
            return "| " + self.label_filter(names)
        if choice < 10:
            return "| line_format " + self.quote(self.template(names))
        if choice < 13:
            parts = []
            for target in self.some(["lf1", "lf2", "lf3", "app", "trace"], 1, 3):
                parts.append(target + "=" + (r.choice(names) if self.chance(0.5) else self.quote(self.template(names))))
            return "| label_format " + ", ".join(parts)
        if choice < 16:
            items = []
            for name in self.some(names + ["lf1", "__error__"], 1, 3):
                if name == "__error__":
                    items += ["__error__", "__error_details__"]
                    continue
                items.append(name + (r.choice(["=", "!=", "=~", "!~"]) + self.quote(r.choice(["info", "200", "api", "a.*|in.*", ".+"])) if self.chance(0.3) else ""))
            return "| %s %s" % (r.choice(["drop", "keep", "keep"]), ", ".join(items))
        if choice < 18:
            return self.line_filter()
        if choice < 19:
            return self.parser(kind)
        return "| " + r.choice(['__error__=""', '__error__!=""', '__error__=~".+"', '__error_details__=""', '__error_details__!=""'])

    def log_query(self):
        kind = self.r.choice(["json", "logfmt", "plain", "packed", "json", "logfmt", "mixed"])
        text, _ = self.pipeline(kind)
        return (self.selector(None if kind == "mixed" else kind) + " " + text).strip()

    # ---- metric queries ----

    def duration(self):
        return self.r.choice(["1s", "30s", "1m", "5m", "10m", "17m", "30m", "1h", "90s", "1h"])

    def range(self):
        r = self.r
        kind = r.choice(["json", "logfmt", "plain", "json", "logfmt", "packed", "mixed"])
        text, names = self.pipeline(kind, metric=True)
        name = r.choice(["count_over_time", "rate", "bytes_over_time", "bytes_rate", "absent_over_time", "sum_over_time", "avg_over_time", "min_over_time",
                         "max_over_time", "stddev_over_time", "stdvar_over_time", "quantile_over_time", "first_over_time", "last_over_time", "rate", "rate_counter"])
        plain = name in ("count_over_time", "bytes_over_time", "bytes_rate")
        unwrap = not plain and (name not in ("rate", "absent_over_time") or self.chance(0.3))
        inner = self.selector(None if kind == "mixed" else kind) + " " + text
        if unwrap:
            label = r.choice([n for n in names if n in NUMERIC + ["req_id"]] * 3 + ["num", "nosuch", "lf1"])
            conversion = {"dur": r.choice(["duration", "duration_seconds"]), "size": "bytes"}.get(label) if self.chance(0.95) else None
            inner += " | unwrap " + ("%s(%s)" % (conversion, label) if conversion else label)
            if self.chance(0.7):
                inner += ' | __error__=""'
            if self.chance(0.15):
                inner += " | %s > %s" % (label, r.choice(["0", "2", "1s"]))
            if self.chance(0.15):
                inner += " | " + self.label_filter(names)
        span = "[%s]" % self.duration()
        if self.chance(0.2):
            span += " offset " + r.choice(["1m", "10m", "30s", "1h"])
        if not unwrap and self.chance(0.15):
            selector, rest = inner.split("}", 1)
            inner = selector + "}" + span + rest
        else:
            inner += " " + span
        out = "%s(%s%s)" % (name, "%s, " % r.choice(["0", "0.5", "0.9", "1", "0.25"]) if name == "quantile_over_time" else "", inner)
        if name in ("avg_over_time", "min_over_time", "max_over_time", "stddev_over_time", "stdvar_over_time", "quantile_over_time", "first_over_time",
                    "last_over_time") and self.chance(0.5):
            out += self.grouping(names)
        return out, names

    def grouping(self, names):
        kind = self.r.choice([" by ", " by ", " without "])
        return "%s(%s)" % (kind, ", ".join(self.some(sorted(set(names)), 0 if self.chance(0.1) else 1, 3)))

    def aggregation(self, depth):
        r = self.r
        inner, names = self.range() if self.chance(0.8) or depth > 1 else (self.metric(depth + 1), self.names([]))
        name = r.choice(["sum", "sum", "sum", "count", "avg", "min", "max", "stddev", "stdvar", "topk", "bottomk", "sort", "sort_desc"])
        if name.startswith("sort"):
            return "%s(%s)" % (name, inner)
        parameter = "%d, " % r.randint(1, 3) if name.endswith("k") else ""
        grouping = self.grouping(names) if self.chance(0.7) else ""
        if self.chance(0.5):
            return "%s%s (%s%s)" % (name, grouping, parameter, inner)
        return "%s(%s%s)%s" % (name, parameter, inner, grouping)

    def scalar(self):
        return self.r.choice(["0", "1", "2", "0.5", "-1", "10", "1e3", "100"])

    def join_side(self, by):
        kind = self.r.choice(["json", "logfmt", "plain"])
        fn = self.r.choice(["count_over_time", "rate", "bytes_over_time"])
        filters = self.line_filter() if self.chance(0.3) else ""
        parse = ' | %s | __error__=""' % kind if kind in ("json", "logfmt") and self.chance(0.5) else ""
        agg = self.r.choice(["sum", "max", "count"])
        return "%s by (%s) (%s(%s %s%s [%s]))" % (agg, ", ".join(by), fn, self.selector(None), filters, parse, self.duration())

    def join(self):
        r = self.r
        by = self.some(["app", "kind", "env", "level"], 1, 2)
        op = r.choice(["+", "-", "*", "/", "%", "^", ">", "<", "==", "!=", ">=", "<=", "> bool", "== bool", "and", "or", "unless", "and", "or"])
        choice = r.randrange(6)
        left, right = self.join_side(by), self.join_side(by)
        match = ""
        if choice == 1:
            match = " on (%s)" % ", ".join(self.some(by, 1, 2))
        elif choice == 2:
            match = " ignoring (%s)" % r.choice(["zone", by[0], "zone, " + by[-1]])
        elif choice >= 3 and len(by) == 2 and op not in ("and", "or", "unless"):
            side = r.choice(["group_left", "group_right"])
            few = self.join_side(by[:1])
            include = r.choice(["", "()", " (%s)" % by[1], "(zone)"])
            match = " %s (%s) %s%s" % (("on", by[0], side, include) if self.chance(0.6) else ("ignoring", by[1], side, include))
            left, right = (left, few) if side == "group_left" else (few, right)
        return "%s %s%s %s" % (left, op, match, right)

    def chain(self):
        """Operators side by side, so that precedence decides."""
        out = self.join_side(["app"])
        for _ in range(self.r.randint(2, 4)):
            op = self.r.choice(["+", "-", "*", "/", "%", "^", ">", "<=", "== bool", "!=", "and", "or", "unless"])
            right = self.scalar() if op not in ("and", "or", "unless") and self.chance(0.5) else self.join_side(["app"])
            out += self.r.choice([" %s ", "\n%s  ", " # and\n %s "]) % op + right
        return out

    def metric(self, depth=0):
        r = self.r
        if depth < 2 and self.chance(0.06):
            return self.chain()
        choice = r.randrange(20)
        if depth > 2:
            choice = r.randrange(11)
        if choice < 5:
            return self.range()[0]
        if choice < 11:
            return self.aggregation(depth)
        if choice < 14:
            return self.join()
        if choice < 17:
            op = r.choice(["+", "-", "*", "/", "%", "^", ">", "<", ">=", "<=", "==", "!=", "> bool", "<= bool"])
            inner = self.metric(depth + 1)
            inner = "(%s)" % inner if self.chance(0.8) else inner
            return "%s %s %s" % ((inner, op, self.scalar()) if self.chance(0.6) else (self.scalar(), op, inner))
        if choice < 18:
            return "%s or vector(%s)" % (self.metric(depth + 1), r.choice(["0", "1"]))
        if choice < 19:
            pattern, replacement = r.choice([("(.*)", "$1"), ("a(.)i", "x$1y"), ("(a|w).*", "${1}z"), (".*", "const"), ("(?P<n>.).*", "$n"), ("nope", "x"), (".*", "")])
            return "label_replace(%s, %s)" % (self.metric(depth + 1), ", ".join(map(self.quote, [r.choice(["app", "new", "kind"]), replacement,
                                                                                                    r.choice(["app", "env", "level", "nosuch"]), pattern])))
        if self.chance(0.3):
            return r.choice(["1 + 2 * 3", "vector(2)", "2 ^ 3 ^ 2", "7 % 4 - 1", "(1 + 2) / 0", "vector(3) > 2", "1 > bool 2", "10 / 4 * 2"])
        return "(%s) %s (%s)" % (self.metric(depth + 1), r.choice(["+", "/", "or", "and", "unless", ">"]), self.metric(depth + 1))

    # ---- extensions ----

    def few_filters(self, kind):
        """A pipeline that leaves entries for what compares them."""
        if self.chance(0.25):
            return self.pipeline(kind, metric=True)
        names = [n for n in self.names([kind]) if n not in ("nosuch", "pod")]
        if kind == "json" and self.chance(0.3):
            return "| json --arrays", names + ["tags_0", "tags_1", "tags_length"] * 3
        if kind != "plain":
            return {"json": "| json", "logfmt": "| logfmt", "packed": "| unpack"}[kind], names
        return "| pattern `<ip> <verb> <path> <status> <dur>`", names

    def in_filter(self, names):
        name = self.r.choice(names)
        if self.chance(0.6):
            kind = self.r.choice(["json", "logfmt", "plain"])
            inner = '{kind="%s"} %s | %s' % (kind, self.few_filters(kind)[0], self.label_filter(names))
        else:
            inner = "%s by (%s) (%s)" % (self.r.choice(["sum", "max", "count", "topk", "topk"]), name, self.range()[0])
            inner = inner.replace("topk by (%s) (" % name, "topk(%d, sum by (%s) (" % (self.r.randint(1, 3), name)) + (")" if inner.startswith("topk") else "")
        return "| %s %s (%s)" % (name, self.r.choice(["in", "not in"]), inner)

    def gathering(self, names):
        r, out = self.r, []
        if self.chance(0.6):
            out.append("| distinct " + ", ".join(self.some(sorted(set(names)), 1, 2)))
        if not out or self.chance(0.3):
            keys = [n + r.choice(["", " desc", " asc", " desc"]) for n in self.some(sorted(set(names)), 1, 2)]
            out.insert(r.randint(0, 1), "| sort by (%s)" % ", ".join(keys))
        return out

    def extended_log_query(self):
        kind = self.r.choice(["json", "logfmt", "plain", "packed", "json", "logfmt"])
        text, names = self.few_filters(kind)
        stages = [self.in_filter(names)] if self.chance(0.35) else []
        if not stages or self.chance(0.4):
            if self.chance(0.25):
                option = self.r.choice(["-B %d -A %d", "-A %d -B %d"]) % (self.r.randint(0, 3), self.r.randint(0, 3))
                return " ".join([self.selector(kind), text, self.line_filter(), *stages, "| context " + option])
            stages += self.gathering(names)
            for _ in range(self.r.choice([0, 0, 1])):
                stages.insert(self.r.randint(1, len(stages)), self.stage(names, kind))
        return " ".join(['{kind="%s"}' % kind if self.chance(0.7) else self.selector(kind), text] + stages)

    def extended_metric(self):
        kind = self.r.choice(["json", "logfmt", "plain"])
        text, names = self.few_filters(kind)
        text += ' | __error__=""'
        if self.chance(0.3):
            text += " " + self.in_filter(names)
        inner = '{kind="%s"} %s [%s]' % (kind, text, self.r.choice(["5m", "30m", "1h", "1h"]))
        if self.chance(0.2):
            return "sum by (kind) (count_over_time(%s))" % inner
        out = "count_distinct_over_time(%s, %s)" % (self.r.choice(names), inner)
        return out + self.grouping(names) if self.chance(0.7) else out

    # ---- requests ----

    def request(self):
        """One that may use the extensions; others are asked with and without the switch, which does not change them."""
        out = self.plain_request()
        out["extensions"] = self.chance(0.5)
        if self.chance(0.2):
            out.update(extensions=True, query=self.extended_log_query() if out["kind"] == "log" else self.extended_metric())
        return out

    def plain_request(self):
        """{query, kind: "log" | "range" | "instant", ...}; times in nanoseconds."""
        r = self.r
        choice = r.randrange(10)
        start = BASE + r.choice([-600, -60, 0, 0, 0, 300, 1200, 1801]) * NS
        end = BASE + r.choice([600, 1800, 2400, 3600, 3601, 3660, 4200]) * NS
        if choice < 4:
            if self.chance(0.2):
                start += r.choice([1, -1, 500000000])
            if end <= start:
                end = start + 600 * NS
            return {"kind": "log", "query": self.log_query(), "start": start, "end": end, "limit": r.choice([1, 2, 3, 10, 50, 1000, 1000]),
                    "direction": r.choice(["forward", "backward"])}
        if choice < 8:
            step = r.choice([1, 7, 30, 60, 60, 300, 300, 900]) * NS
            if self.chance(0.2):
                start += r.choice([1, 500000000, 3 * NS])
            end = max(end, start)
            if (end - start) // step > 60:
                end = start + r.randint(1, 60) * step
            return {"kind": "range", "query": self.metric(), "start": start, "end": end, "step": step}
        return {"kind": "instant", "query": self.metric(), "time": BASE + r.choice([0, 300, 1800, 3600, 3600, 3601, 4000]) * NS + r.choice([0, 0, 0, 1, -1])}
