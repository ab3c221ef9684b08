/* What each stage makes of a line: promtail's documented examples and behaviour, and the edges around them. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/support/stage_lines.h"

/* Entries come from {app="x"} at 2026-01-05T09:00:00Z, which `NOW` is. */
#define NOW "2026-01-05T09:00:00Z"

#define DROPPED_3 "dropped: malformed_json\ndropped: malformed_json\ndropped: malformed_json\n"
#define DROPPED_6 DROPPED_3 DROPPED_3

struct row {
    const char *name, *stages, *lines, *want; /* lines end in '\n' */
};

static const struct row rows[] = {
    /* ---- cri ---- */
    {"cri", "- cri: {}\n", "2019-04-30T02:12:41.8443515Z stdout F message\n",
     "2019-04-30T02:12:41.8443515Z {app=\"x\", stream=\"stdout\"} message\n"},
    {"cri without options", "- cri:\n", "2019-01-01T01:00:00.000000001Z stderr F a  b \n",
     "2019-01-01T01:00:00.000000001Z {app=\"x\", stream=\"stderr\"} a  b \n"},
    {"cri joins partial lines of each stream", "- cri: {}\n",
     "2019-01-01T01:00:00Z stdout P one \n2019-01-01T01:00:01Z stderr P other \n"
     "2019-01-01T01:00:02Z stdout P two \n2019-01-01T01:00:03Z stdout F three\n"
     "2019-01-01T01:00:04Z stderr F end\n",
     "2019-01-01T01:00:03Z {app=\"x\", stream=\"stdout\"} one two three\n"
     "2019-01-01T01:00:04Z {app=\"x\", stream=\"stderr\"} other end\n"},
    {"cri cuts partial lines",
     "- cri: {max_partial_line_size: 5, max_partial_line_size_truncate: true}\n",
     "2019-01-01T01:00:00Z stdout P abc\n2019-01-01T01:00:00Z stdout F defg\n",
     "2019-01-01T01:00:00Z {app=\"x\", stream=\"stdout\"} abcde\n"},
    {"cri lets too many partial lines go", "- cri: {max_partial_lines: 1}\n",
     "2019-01-01T01:00:00Z stdout P abc\n2019-01-01T01:00:00Z stderr P def\n",
     "2019-01-01T01:00:00Z {app=\"x\", stream=\"stdout\"} abc\n"
     "2019-01-01T01:00:00Z {app=\"x\", stream=\"stderr\"} def\n"},
    {"cri leaves other lines alone", "- cri: {}\n",
     "2019-01-01 T01:00:00.000000001Z stderr testgood\n2019-01-01T01:00:00.000000001Z testgood\n\n",
     NOW " {app=\"x\"} 2019-01-01 T01:00:00.000000001Z stderr testgood\n" NOW
         " {app=\"x\"} 2019-01-01T01:00:00.000000001Z testgood\n" NOW " {app=\"x\"} \n"},
    /* ---- docker ---- */
    {"docker", "- docker: {}\n",
     "{\"log\":\"log message\\n\",\"stream\":\"stderr\",\"time\":\"2019-04-30T02:12:41.8443515Z\"}\n",
     "2019-04-30T02:12:41.8443515Z {app=\"x\", stream=\"stderr\"} log message\n"},
    {"docker leaves other lines alone", "- docker: {}\n", "plain\n{\"log\":\n",
     NOW " {app=\"x\"} plain\n" NOW " {app=\"x\"} {\"log\":\n"},
    /* ---- eventlogmessage ---- */
    {"eventlogmessage",
     "- json: {expressions: {message: , Overwritten: }}\n- eventlogmessage: {}\n"
     "- labels: {Key1: , Two_Words: , _st: , Empty: , Overwritten: }\n- output: {source: Key1}\n",
     "{\"message\":\"no key\\r\\nKey1: Value 1: more\\r\\nTwo Words:v2\\r\\n1st: x\\nKey1: "
     "y\\r\\nEmpty:\\r\\nOverwritten: new\",\"Overwritten\":\"old\"}\n",
     NOW " {Key1=\"Value 1: more\", Overwritten=\"old\", Two_Words=\"v2\", _st=\"x\\nKey1: y\", "
         "app=\"x\"} Value 1: more\n"},
    {"eventlogmessage with options",
     "- json: {expressions: {m: , Old: }}\n"
     "- eventlogmessage: {source: m, drop_invalid_labels: true, overwrite_existing: true}\n"
     "- labels: {Key: , Two_Words: , Old: }\n- template: {source: o, template: o}\n"
     "- output: {source: o}\n",
     "{\"m\":\"Key: v\\r\\nTwo Words: v2\\r\\nOld: new\",\"Old\":\"old\"}\n",
     NOW " {Key=\"v\", Old=\"new\", app=\"x\"} o\n"},
    {"eventlogmessage without a message",
     "- json: {expressions: {message: }}\n- eventlogmessage: {}\n",
     "{\"message\":null}\n{\"message\":17}\nplain\n",
     "dropped: eventlogmessage_stage\n" NOW " {app=\"x\"} {\"message\":17}\n" NOW
     " {app=\"x\"} plain\n"},
    /* ---- decolorize ---- */
    {"decolorize of odd sequences", "- decolorize: {}\n",
     "\x1b[1;31mbold\x1b[m \x1b[38;5;200mx\x1b[K\n\x1b[3;;z\n\x1b]8;;http\x07link\n\x1b(B\x1b)0\n"
     "\x9b"
     "31mraw\n\xc2\x9b"
     "31mu\n\x1b[31;45\nend\x1b\n\x1b[31;x\n",
     NOW " {app=\"x\"} bold x\n" NOW " {app=\"x\"} ;;z\n" NOW " {app=\"x\"} link\n" NOW
         " {app=\"x\"} \n" NOW " {app=\"x\"} \x9b"
         "31mraw\n" NOW " {app=\"x\"} u\n" NOW " {app=\"x\"} \n" NOW " {app=\"x\"} end\x1b\n" NOW
         " {app=\"x\"} ;x\n"},
    {"decolorize", "- decolorize: {}\n", "\x1b[31mred\x1b[0m text\n",
     NOW " {app=\"x\"} red text\n"},
    /* ---- drop ---- */
    {"drop by expression", "- drop: {expression: \".*debug.*\"}\n", "a debug line\nan info line\n",
     "dropped: drop_stage\n" NOW " {app=\"x\"} an info line\n"},
    {"drop by joined sources",
     "- json: {expressions: {level: , msg: }}\n"
     "- drop: {source: [level, msg], separator: '#', expression: '(error|ERROR)#.*/push.*'}\n",
     "{\"level\":\"error\",\"msg\":\"POST /push 200\"}\n{\"level\":\"info\",\"msg\":\"POST /push\"}\n",
     "dropped: drop_stage\n" NOW " {app=\"x\"} {\"level\":\"info\",\"msg\":\"POST /push\"}\n"},
    {"drop by value",
     "- json: {expressions: {level: }}\n"
     "- drop: {source: level, value: error, drop_counter_reason: errors}\n",
     "{\"level\":\"error\"}\n{\"level\":\"errors\"}\n{}\n",
     "dropped: errors\n" NOW " {app=\"x\"} {\"level\":\"errors\"}\n" NOW " {app=\"x\"} {}\n"},
    {"drop where all sources are",
     "- regex: {expression: 'a=(?P<a>\\d+)'}\n- regex: {expression: 'b=(?P<b>\\d+)'}\n"
     "- drop: {source: 'a, b'}\n",
     "a=1\na=1 b=2\n", NOW " {app=\"x\"} a=1\ndropped: drop_stage\n"},
    {"drop sees labels", "- drop: {source: app, value: x}\n", "line\n", "dropped: drop_stage\n"},
    {"drop old lines",
     "- json: {expressions: {time: }}\n- timestamp: {source: time, format: RFC3339}\n"
     "- drop: {older_than: 24h, drop_counter_reason: line_too_old}\n",
     "{\"time\":\"2026-01-04T08:59:59Z\"}\n{\"time\":\"2026-01-04T09:00:00Z\"}\n",
     "dropped: line_too_old\n2026-01-04T09:00:00Z {app=\"x\"} {\"time\":\"2026-01-04T09:00:00Z\"}\n"},
    {"drop long lines", "- drop: {longer_than: 4b}\n", "1234\n12345\n",
     NOW " {app=\"x\"} 1234\ndropped: drop_stage\n"},
    {"drop where both hold", "- drop: {expression: '.*debug.*', longer_than: 5}\n",
     "debug\ndebug debug\nlonger line\n",
     NOW " {app=\"x\"} debug\ndropped: drop_stage\n" NOW " {app=\"x\"} longer line\n"},
    {"drop without a reason of its own", "- drop: {expression: a, drop_counter_reason: ''}\n",
     "a\n", "dropped: drop_stage\n"},
    {"drop compares nothing with a null",
     "- json: {expressions: {a: , b: }}\n- drop: {source: a, expression: '^$'}\n"
     "- drop: {source: [a, b], value: x}\n- drop: {source: b, expression: '^$'}\n",
     "{\"a\":null,\"b\":\"x\"}\n{\"a\":\"\"}\n{\"a\":1,\"b\":\"\"}\n",
     NOW " {app=\"x\"} {\"a\":null,\"b\":\"x\"}\ndropped: drop_stage\ndropped: drop_stage\n"},
    {"drop of a null that is there", "- json: {expressions: {a: }}\n- drop: {source: a}\n",
     "{\"a\":null}\n", "dropped: drop_stage\n"},
    /* ---- json ---- */
    {"json results of each kind",
     "- json:\n    expressions:\n      proj: 'l[*].n'\n      none: 'l[?n > `9`].n'\n"
     "      hash: '{x: s, y: l[0]}'\n      list: '[s, num]'\n      lit: '`{\"k\": [1.50, null]}`'\n"
     "      fn: 'sum(l[].n)'\n      cmp: 'num > `1`'\n"
     "      type: 'type(l)'\n      join: \"join(',', keys(o))\"\n      pipe: 'o | values(@) | [0]'\n"
     "      html: h\n      obj: o\n      big: big\n      neg: neg\n      wrong: 'length(num)'\n"
     "- template: {source: out, template: '{{.proj}}|{{.none}}|{{.hash}}|{{.list}}|{{.lit}}|{{.fn}}|"
     "{{.cmp}}|{{.type}}|{{.join}}|{{.pipe}}|{{.html}}|{{.obj}}|{{.big}}|{{.neg}}|{{.wrong}}'}\n"
     "- output: {source: out}\n",
     "{\"s\":\"t\",\"num\":2,\"l\":[{\"n\":1},{\"n\":2.5},{}],\"o\":{\"a\":\"<b>\"},\"h\":\"<i>\",\"big\":1e21,"
     "\"neg\":-0.0000001}\n",
     NOW
     " {app=\"x\"} [1,2.5]|[]|{\"x\":\"t\",\"y\":{\"n\":1}}|[\"t\",2]|{\"k\":[1.5,null]}|3.5|true|array|a|<b>|<i>|{\"a\":\"\\u003cb\\u003e\"}|1000000000000000000000|-0.0000001|<no value>\n"},
    {"json of lines that are none, or no object",
     "- json: {expressions: {a: }, drop_malformed: true}\n- labels: {a: }\n",
     "{\"a\":1,\"a\":\"last\"}\nnull\n \t{ }\t \n\n[{\"a\":1}]\n3\n\"s\"\n{\"a\":1} x\n{\"a\":1}{\"a\":2}\n"
     "{\"a\":1,}\n{\"a\":01}\n{\"a\":1.}\n{\"a\":.5}\n{\"a\":+1}\n{\"a\":NaN}\n{a:1}\n{'a':1}\n{\"a\":\"\\x\"}\n"
     "{\"a\":\"\t\"}\n{\"a\":1e999}\n\xEF\xBB\xBF{\"a\":1}\n",
     NOW " {a=\"last\", app=\"x\"} {\"a\":1,\"a\":\"last\"}\n" NOW " {app=\"x\"} null\n" NOW
         " {app=\"x\"}  \t{ }\t \n" DROPPED_6 DROPPED_6 DROPPED_6},
    {"json of a source that is none is not malformed",
     "- json: {expressions: {b: }}\n- json: {expressions: {c: }, source: b, drop_malformed: true}\n",
     "{}\n{\"b\":null}\n{\"b\":\"x\"}\n{\"b\":{\"c\":1}}\n",
     NOW " {app=\"x\"} {}\n" NOW " {app=\"x\"} {\"b\":null}\ndropped: malformed_json\n" NOW
         " {app=\"x\"} {\"b\":{\"c\":1}}\n"},
    {"json leaves what was extracted before",
     "- json: {expressions: {a: }}\n- json: {expressions: {a: 'length(x)', app: }, source: a}\n"
     "- labels: {a: , copy: app}\n",
     "{\"a\":\"{\\\"x\\\":1,\\\"app\\\":\\\"y\\\"}\"}\n",
     NOW
     " {a=\"{\\\"x\\\":1,\\\"app\\\":\\\"y\\\"}\", app=\"x\", copy=\"y\"} {\"a\":\"{\\\"x\\\":1,\\\"app\\\":\\\"y\\\"}\"}\n"},
    {"json types",
     "- json: {expressions: {s: , i: , f: , e: , t: , n: , o: , m: }}\n"
     "- template: {source: all, template: '{{.s}} {{.i}} {{.f}} {{.e}} {{.t}} [{{.n}}] {{.o}} "
     "[{{.m}}]'}\n"
     "- output: {source: all}\n",
     "{\"s\":\"a\\tb\",\"i\":12,\"f\":1.50,\"e\":1e3,\"t\":true,\"n\":null,\"o\":{\"x\": [1, 2]}}\n",
     NOW " {app=\"x\"} a\tb 12 1.5 1000 true [<no value>] {\"x\":[1,2]} [<no value>]\n"},
    {"json paths of JMESPath",
     "- json: {expressions: {n: 'length(items)', last: 'items[-1].id', dashed: '\"a-b\".c'}}\n"
     "- labels: {n: , last: , dashed: }\n",
     "{\"items\":[{\"id\":1},{\"id\":7}],\"a-b\":{\"c\":\"d\"}}\n",
     NOW " {app=\"x\", dashed=\"d\", last=\"7\", n=\"2\"} "
         "{\"items\":[{\"id\":1},{\"id\":7}],\"a-b\":{\"c\":\"d\"}}\n"},
    {"json of a source",
     "- json: {expressions: {extra: }}\n- json: {expressions: {user: }, source: extra}\n"
     "- labels: {user: }\n",
     "{\"extra\":\"{\\\"user\\\":\\\"marco\\\"}\"}\n",
     NOW " {app=\"x\", user=\"marco\"} {\"extra\":\"{\\\"user\\\":\\\"marco\\\"}\"}\n"},
    {"json drops what is malformed", "- json: {expressions: {a: }, drop_malformed: true}\n",
     "{\"a\":1}\n{\"a\":1\nno\n",
     NOW " {app=\"x\"} {\"a\":1}\ndropped: malformed_json\ndropped: malformed_json\n"},
    /* ---- labels ---- */
    {"labels", "- json: {expressions: {stream: }}\n- labels: {stream: }\n",
     "{\"stream\":\"stderr\"}\n{\"stream\":\"\"}\n{}\n",
     NOW " {app=\"x\", stream=\"stderr\"} {\"stream\":\"stderr\"}\n" NOW
         " {app=\"x\"} {\"stream\":\"\"}\n" NOW " {app=\"x\"} {}\n"},
    {"labels of labels", "- labels: {copy: app}\n", "l\n", NOW " {app=\"x\", copy=\"x\"} l\n"},
    {"labels that are no text", "- json: {expressions: {a: }}\n- labels: {a: }\n",
     "{\"a\":\"\xff\"}\n", NOW " {app=\"x\"} {\"a\":\"\xff\"}\n"},
    {"labeldrop", "- static_labels: {a: 1, b: 2}\n- labeldrop: [a, app]\n", "l\n",
     NOW " {b=\"2\"} l\n"},
    {"label_drop", "- label_drop: [app]\n", "l\n", NOW " {} l\n"},
    {"labelallow", "- static_labels: {a: 1, b: 2, c: 3}\n- labelallow: [b, z]\n", "l\n",
     NOW " {b=\"2\"} l\n"},
    {"label_keep", "- static_labels: {a: 1}\n- label_keep: [a]\n", "l\n", NOW " {a=\"1\"} l\n"},
    /* ---- level ---- */
    {"level", "- level: {}\n", "level=warning msg=x\n{\"severity\":\"ERROR\"}\nnothing\n",
     NOW " {app=\"x\"} {detected_level=\"warn\"} level=warning msg=x\n" NOW
         " {app=\"x\"} {detected_level=\"error\"} {\"severity\":\"ERROR\"}\n" NOW
         " {app=\"x\"} nothing\n"},
    {"level as label of a source",
     "- regex: {expression: '^(?P<l>\\w+)'}\n- level: {source: l, as: label}\n", "WRN hello\n",
     NOW " {app=\"x\", level=\"warn\"} WRN hello\n"},
    /* ---- logfmt ---- */
    {"logfmt",
     "- logfmt: {mapping: {timestamp: time, app: , duration: , unknown: }}\n"
     "- template: {source: o, template: '{{.timestamp}}|{{.app}}|{{.duration}}|{{.unknown}}'}\n"
     "- output: {source: o}\n",
     "time=2012-11-01T22:08:41+00:00 app=loki level=WARN duration=125 message=\"a b\"\n",
     NOW " {app=\"x\"} 2012-11-01T22:08:41+00:00|loki|125|<no value>\n"},
    {"logfmt of a source",
     "- logfmt: {mapping: {extra: }}\n- logfmt: {mapping: {user: }, source: extra}\n"
     "- labels: {user: }\n",
     "extra=\"user=foo\"\n", NOW " {app=\"x\", user=\"foo\"} extra=\"user=foo\"\n"},
    {"logfmt up to what is broken",
     "- logfmt: {mapping: {a: , b: , c: , d: }}\n"
     "- template: {source: o, template: '{{.a}}|{{.b}}|{{.c}}|{{.d}}'}\n- output: {source: o}\n",
     "a=1 b=\"x\\n\\u00e4\" c d=\na=\"\t\" b=\"\t\\n\"\na=1 =x b=2\na=1 \"b=2\na=1 b=2\" c=3\na=1 b=\"2 c=3\na=1 b=\"\\x\" c=3\n"
     "a='1 2' b=2\na=1 a=2 b==3 c=4\na=1\r\n",
     NOW " {app=\"x\"} 1|x\n\xc3\xa4||\n" NOW
         " {app=\"x\"} \t|<no value>|<no value>|<no value>\n" NOW
         " {app=\"x\"} 1|<no value>|<no value>|<no value>\n" NOW
         " {app=\"x\"} 1|<no value>|<no value>|<no value>\n" NOW
         " {app=\"x\"} 1|<no value>|<no value>|<no value>\n" NOW
         " {app=\"x\"} 1|<no value>|<no value>|<no value>\n" NOW
         " {app=\"x\"} 1|<no value>|<no value>|<no value>\n" NOW
         " {app=\"x\"} '1|2|<no value>|<no value>\n" NOW
         " {app=\"x\"} 2|<no value>|<no value>|<no value>\n" NOW
         " {app=\"x\"} 1|<no value>|<no value>|<no value>\n"},
    {"logfmt of several lines, where no pair goes beyond its own",
     "- json: {expressions: {t: }}\n- logfmt: {mapping: {a: , b: , c: }, source: t}\n"
     "- template: {source: o, template: '{{.a}}|{{.b}}|{{.c}}'}\n- output: {source: o}\n",
     "{\"t\":\"a=1\\r\\n\\nb=2\\nc=3\"}\n{\"t\":\"a=1 b=\\\"2\\n3\\\" c=4\\nc=5\"}\n",
     NOW " {app=\"x\"} 1|2|3\n" NOW " {app=\"x\"} 1|<no value>|<no value>\n"},
    /* ---- match ---- */
    {"match",
     "- json: {expressions: {app: }}\n- labels: {app: }\n"
     "- match:\n    selector: '{app=\"loki\"}'\n    stages:\n      - json: {expressions: {msg: "
     "message}}\n"
     "- match:\n    pipeline_name: app2\n    selector: '{app=\"pokey\"}'\n    action: keep\n"
     "    stages:\n      - json: {expressions: {msg: msg}}\n"
     "- match: {selector: '{app=\"promtail\"} |~ \".*noisy error.*\"', action: drop,\n"
     "    drop_counter_reason: promtail_noisy_error}\n"
     "- output: {source: msg}\n",
     "{\"app\":\"loki\",\"message\":\"app1 log line\"}\n"
     "{\"app\":\"promtail\",\"message\":\"foo noisy error\"}\n{\"app\":\"other\"}\n",
     NOW " {app=\"loki\"} app1 log line\ndropped: promtail_noisy_error\n" NOW
         " {app=\"other\"} {\"app\":\"other\"}\n"},
    {"match that drops without a reason of its own",
     "- match: {selector: '{app=\"x\"}', action: drop, drop_counter_reason: ''}\n", "l\n",
     "dropped: match_stage\n"},
    {"match within match",
     "- match:\n    selector: '{app=\"x\"}'\n    stages:\n      - match:\n          selector: "
     "'{app=\"x\"} |= \"a\"'\n          stages: [{static_labels: {inner: 1}}]\n"
     "      - static_labels: {outer: 1}\n",
     "a\nb\n",
     NOW " {app=\"x\", inner=\"1\", outer=\"1\"} a\n" NOW " {app=\"x\", outer=\"1\"} b\n"},
    {"match by what a label is not",
     "- match: {selector: '{app!=\"x\"}', action: drop}\n- match: {selector: '{none=\"\"}', stages: [{static_labels: {k: v}}]}\n",
     "a\n", NOW " {app=\"x\", k=\"v\"} a\n"},
    {"match by several matchers and filters",
     "- match: {selector: '{app=\"x\", b!=\"t\"} |= \"foo\"', stages: [{static_labels: {m1: y}}]}\n"
     "- match: {selector: '{app=~\"x|y\"} |~ \"ba.\"', stages: [{static_labels: {m2: y}}]}\n"
     "- match: {selector: '{app=\"x\"} != \"foo\"', stages: [{static_labels: {m3: y}}]}\n"
     "- match: {selector: '{app!~\"x.*\"} !~ \"q\"', stages: [{static_labels: {m4: y}}]}\n",
     "foo\nbar\n", NOW " {app=\"x\", m1=\"y\"} foo\n" NOW " {app=\"x\", m2=\"y\", m3=\"y\"} bar\n"},
    /* ---- multiline ---- */
    {"multiline of lines ahead of a first one",
     "- multiline: {firstline: '^START', max_wait_time: 3s}\n",
     "before 1\nbefore 2\nSTART 1\nnot a start\nSTART 2\nSTART 3\n",
     NOW " {app=\"x\"} before 1\n" NOW " {app=\"x\"} before 2\n" NOW
         " {app=\"x\"} START 1\nnot a start\n" NOW " {app=\"x\"} START 2\n" NOW
         " {app=\"x\"} START 3\n"},
    {"multiline",
     "- multiline: {firstline: '^\\[\\d{4}-\\d{2}-\\d{2} \\d{1,2}:\\d{2}:\\d{2}\\]', max_wait_time: 3s}\n"
     "- regex: {expression: '^(?P<time>\\[[^\\]]*\\]) (?P<message>(?s:.*))$'}\n"
     "- output: {source: message}\n",
     "[2020-12-03 11:36:20] \"GET /hello\" 200\n[2020-12-03 11:36:23] ERROR in app:\nTraceback:\n"
     "  File\n[2020-12-03 11:36:26] \"GET\"\n",
     NOW " {app=\"x\"} \"GET /hello\" 200\n" NOW
         " {app=\"x\"} ERROR in app:\nTraceback:\n  File\n" NOW " {app=\"x\"} \"GET\"\n"},
    {"multiline of lines that go on",
     "- multiline: {continuation: '^(\\s|\\.{3}|$)'}\n- drop: {expression: '^drop'}\n",
     "  after nothing\none\ntwo\n  a\n\n... b\ndrop\n  c\nthree\n",
     NOW " {app=\"x\"}   after nothing\n" NOW " {app=\"x\"} one\n" NOW
         " {app=\"x\"} two\n  a\n\n... b\ndropped: drop_stage\n" NOW " {app=\"x\"} three\n"},
    {"multiline with few lines", "- multiline: {firstline: '^-', max_lines: 2}\n",
     "before\n-a\nb\nc\nd\ne\n-f\n",
     NOW " {app=\"x\"} before\n" NOW " {app=\"x\"} -a\nb\n" NOW " {app=\"x\"} c\nd\n" NOW
         " {app=\"x\"} e\n" NOW " {app=\"x\"} -f\n"},
    {"multiline of any number of lines", "- multiline: {firstline: '^-', max_lines: 0}\n",
     "-a\nb\nc\nd\n-f\n", NOW " {app=\"x\"} -a\nb\nc\nd\n" NOW " {app=\"x\"} -f\n"},
    {"multiline of each stream", "- cri: {}\n- multiline: {firstline: '^-'}\n",
     "2019-01-01T01:00:00Z stdout F -a\n2019-01-01T01:00:01Z stderr F -b\n"
     "2019-01-01T01:00:02Z stdout F c\n2019-01-01T01:00:03Z stderr F d\n",
     "2019-01-01T01:00:00Z {app=\"x\", stream=\"stdout\"} -a\nc\n"
     "2019-01-01T01:00:01Z {app=\"x\", stream=\"stderr\"} -b\nd\n"},
    {"multiline knows stack traces", "- multiline: {}\n",
     "10:00 ERROR failed\njava.lang.IllegalStateException: no\n\tat a.B.c(B.java:1)\nCaused by: x.Y: z\n"
     "\t... 3 more\n10:01 INFO on\nTraceback (most recent call last):\n  File \"a.py\", line 1, in b\n"
     "    c()\nValueError: d\n10:02 INFO\n",
     NOW
     " {app=\"x\"} 10:00 ERROR failed\njava.lang.IllegalStateException: no\n\tat a.B.c(B.java:1)\n"
     "Caused by: x.Y: z\n\t... 3 more\n" NOW " {app=\"x\"} 10:01 INFO on\n" NOW
     " {app=\"x\"} Traceback (most recent call last):\n  File \"a.py\", line 1, in b\n    c()\n"
     "ValueError: d\n" NOW " {app=\"x\"} 10:02 INFO\n"},
    /* ---- output ---- */
    {"output", "- json: {expressions: {message: }}\n- output: {source: message}\n",
     "{\"message\":\"m\"}\n{\"user\":1}\n",
     NOW " {app=\"x\"} m\n" NOW " {app=\"x\"} {\"user\":1}\n"},
    /* ---- pack ---- */
    {"pack",
     "- static_labels: {pod: p}\n- regex: {expression: '(?P<id>\\d+)'}\n"
     "- pack: {labels: [pod, id, none], ingest_timestamp: false}\n",
     "a \"7\" <b>\n",
     NOW " {app=\"x\"} {\"id\":\"7\",\"pod\":\"p\",\"_entry\":\"a \\\"7\\\" \\u003cb\\u003e\"}\n"},
    {"pack without labels", "- pack: {ingest_timestamp: false}\n", "test \"1\"\n",
     NOW " {app=\"x\"} {\"_entry\":\"test \\\"1\\\"\"}\n"},
    {"pack of labels, extracted values and what is none",
     "- json: {expressions: {e: , n: , o: }}\n- static_labels: {kept: k}\n"
     "- pack: {labels: [app, e, n, absent], ingest_timestamp: false}\n",
     "{\"e\":\"a\\\"b\",\"n\":null,\"o\":1}\n",
     NOW
     " {kept=\"k\"} {\"app\":\"x\",\"e\":\"a\\\"b\",\"_entry\":\"{\\\"e\\\":\\\"a\\\\\\\"b\\\",\\\"n\\\":null,\\\"o\\\":1}\"}\n"},
    {"pack takes extracted values ahead of labels",
     "- json: {expressions: {app: , none: , kept: }}\n- static_labels: {none: n, kept: k}\n"
     "- template: {source: kept, template: ''}\n"
     "- pack: {labels: [none, app, app, kept], ingest_timestamp: false}\n",
     "{\"app\":\"y\",\"none\":null,\"kept\":1}\n",
     NOW
     " {kept=\"k\", none=\"n\"} "
     "{\"app\":\"y\",\"_entry\":\"{\\\"app\\\":\\\"y\\\",\\\"none\\\":null,\\\"kept\\\":1}\"}\n"},
    {"pack takes the time",
     "- timestamp: {source: app, format: RFC3339, action_on_failure: skip}\n"
     "- pack: {labels: [app]}\n",
     "a\n", NOW " {} {\"app\":\"x\",\"_entry\":\"a\"}\n"},
    /* ---- pattern ---- */
    {"pattern", "- pattern: {pattern: '<ip> - <_> <status>', labels_from_groups: true}\n",
     "1.2.3.4 - GET 200\n", NOW " {app=\"x\", ip=\"1.2.3.4\", status=\"200\"} 1.2.3.4 - GET 200\n"},
    {"pattern of a source",
     "- regex: {expression: 'm=(?P<m>.*)'}\n- pattern: {pattern: '<a>:<b>', source: m}\n"
     "- labels: {a: , b: }\n",
     "m=x:y\n", NOW " {a=\"x\", app=\"x\", b=\"y\"} m=x:y\n"},
    /* ---- regex ---- */
    {"regex",
     "- regex: {expression: '^(?s)(?P<time>\\S+?) (?P<stream>stdout|stderr) (?P<flags>\\S+?) "
     "(?P<content>.*)$'}\n- labels: {stream: , flags: }\n- output: {source: content}\n",
     "2019-01-01T01:00:00.000000001Z stderr P i'm a log message!\n",
     NOW " {app=\"x\", flags=\"P\", stream=\"stderr\"} i'm a log message!\n"},
    {"regex with groups as labels",
     "- regex: {expression: '(?P<a>\\d+)(-(?P<b>\\d+))?', labels_from_groups: true}\n",
     "1-2\n3\nx\n",
     NOW " {a=\"1\", app=\"x\", b=\"2\"} 1-2\n" NOW " {a=\"3\", app=\"x\"} 3\n" NOW
         " {app=\"x\"} x\n"},
    /* ---- replace ---- */
    {"replace", "- replace: {expression: 'password (\\S+)', replace: '****'}\n",
     "log in with password xyz !\n", NOW " {app=\"x\"} log in with password **** !\n"},
    {"replace with a template",
     "- replace: {expression: '(\\d{3}|-)', replace: '{{ if eq .Value \"200\" }}{{ Replace .Value "
     "\"200\" \"HttpStatusOk\" -1 }}{{ else }}{{ .Value | ToUpper }}{{ end }}'}\n",
     "GET 200 - 404\n", NOW " {app=\"x\"} GET HttpStatusOk - 404\n"},
    {"replace extracts named groups",
     "- replace: {expression: '^(?P<ip>\\S+) (\\S+) (?P<user>\\S+)', replace: '{{ .Value | ToUpper }}'}\n"
     "- labels: {ip: , user: }\n",
     "h1 - frank rest\n", NOW " {app=\"x\", ip=\"H1\", user=\"FRANK\"} H1 - FRANK rest\n"},
    {"replace by nothing", "- replace: {expression: '11.11.11.11 - (\\S+\\s)', replace: ''}\n",
     "11.11.11.11 - frank [25/Jan]\n", NOW " {app=\"x\"} 11.11.11.11 - [25/Jan]\n"},
    {"replace in a source",
     "- json: {expressions: {msg: }}\n- replace: {expression: '(secret)', source: msg, replace: x}\n"
     "- output: {source: msg}\n",
     "{\"msg\":\"a secret, a secret\"}\n", NOW " {app=\"x\"} a x, a x\n"},
    {"replace with a group of the source's name",
     "- json: {expressions: {msg: }}\n- replace: {expression: 'a(?P<msg>\\d+)', source: msg, replace: '<{{.Value}}>'}\n"
     "- output: {source: msg}\n",
     "{\"msg\":\"a1 b\"}\n", NOW " {app=\"x\"} <1>\n"},
    {"replace with groups in groups",
     "- replace: {expression: '((a)b)', replace: '<{{.Value}}>'}\n", "ab ab\n",
     NOW " {app=\"x\"} <ab> <ab>\n"},
    {"replace hashes",
     "- replace: {expression: '(\\d{3}-\\d{2}-\\d{4})', replace: '*{{ .Value | Sha2Hash \"salt\" }}*'}\n",
     "ssn 123-45-6789\n",
     NOW " {app=\"x\"} ssn *c4bf0915280b73444e042af9065c83bb4e56e5f51bb7cb0c26f95e0c83bcdc93*\n"},
    {"replace of groups side by side", "- replace: {expression: '(a|b|c)', replace: ''}\n",
     "abc\nxabcx\n", NOW " {app=\"x\"} \n" NOW " {app=\"x\"} xx\n"},
    {"replace of an access log",
     "- replace:\n    expression: '^(?P<ip>\\S+) (?P<identd>\\S+) (?P<user>\\S+) \\[(?P<timestamp>[\\w:/]+\\s[+\\-]\\d{4})\\] "
     "\"(?P<action>\\S+)\\s?(?P<path>\\S+)?\\s?(?P<protocol>\\S+)?\" (?P<status>\\d{3}|-) (\\d+|-)$'\n"
     "    replace: '{{ if eq .Value \"200\" }}HttpStatusOk{{ else }}{{ .Value | ToUpper }}{{ end }}'\n"
     "- labels: {user: , status: , path: }\n",
     "11.11.11.11 - frank [25/Jan/2000:14:00:01 -0500] \"GET /1986.js HTTP/1.1\" 200 932\n",
     NOW
     " {app=\"x\", path=\"/1986.JS\", status=\"HttpStatusOk\", user=\"FRANK\"} 11.11.11.11 - FRANK "
     "[25/JAN/2000:14:00:01 -0500] \"GET /1986.JS HTTP/1.1\" HttpStatusOk 932\n"},
    /* ---- split_json ---- */
    {"split_json", "- split_json: {}\n", "[{\"a\":1}, \"b\\n\", 3]\n[]\n[1\n",
     NOW " {app=\"x\"} {\"a\":1}\n" NOW " {app=\"x\"} b\n\n" NOW
         " {app=\"x\"} 3\ndropped: empty_array\n" NOW " {app=\"x\"} [1\n"},
    /* ---- structured metadata ---- */
    {"structured_metadata",
     "- json: {expressions: {traceID: }}\n- static_labels: {pod: p1}\n"
     "- structured_metadata: {traceID: , pod_uid: pod, absent: }\n",
     "{\"traceID\":\"0242\"}\n",
     NOW " {app=\"x\"} {pod_uid=\"p1\", traceID=\"0242\"} {\"traceID\":\"0242\"}\n"},
    {"structured_metadata_drop",
     "- structured_metadata: {a: app, b: app}\n- structured_metadata_drop: [a]\n", "l\n",
     NOW " {} {b=\"x\"} l\n"},
    {"structured_metadata_regex",
     "- json: {regex: '^(user|req)_', expressions: {user_id: }}\n- logfmt: {regex: ., source: req_log}\n"
     "- structured_metadata_regex: '_|^a$'\n",
     "{\"user_id\":7,\"user_name\":\"x\",\"other_\":1,\"req_log\":\"a=1 b=2 c_d=3\",\"user_none\":null}\n",
     NOW
     " {app=\"x\"} {a=\"1\", c_d=\"3\", req_log=\"a=1 b=2 c_d=3\", user_id=\"7\", user_name=\"x\"} "
     "{\"user_id\":7,\"user_name\":\"x\",\"other_\":1,\"req_log\":\"a=1 b=2 c_d=3\",\"user_none\":null}\n"},
    {"template of values that no stage names",
     "- logfmt: {regex: .}\n- template: {source: m, template: '{{ .b }}{{ range $k, $v := . }} {{$k}}{{ end }}'}\n"
     "- output: {source: m}\n",
     "a=1 b=2\n", NOW " {app=\"x\"} 2 Entry a app b\n"},
    /* ---- template ---- */
    {"template makes a value",
     "- template: {source: new_key, template: 'hello world!'}\n"
     "- labels: {new_key: }\n",
     "l\n", NOW " {app=\"x\", new_key=\"hello world!\"} l\n"},
    {"template of a value",
     "- template: {source: app, template: '{{ .Value }}_suffix'}\n"
     "- labels: {app: }\n",
     "l\n", NOW " {app=\"x_suffix\"} l\n"},
    {"template of a value that is not there",
     "- json: {expressions: {message: }}\n- template: {source: message, template: '{{.Value}} in module {{.module}}'}\n"
     "- output: {source: message}\n",
     "{\"message\":\"warn\"}\n", NOW " {app=\"x\"} warn in module <no value>\n"},
    {"template with an expression that is wrong",
     "- json: {expressions: {v: }}\n- template: {source: v, template: '{{ regexReplaceAll \"\\\\K\" .Value \"err\" }}'}\n"
     "- output: {source: v}\n",
     "{\"v\":\"Some Silly Value\"}\n", NOW " {app=\"x\"} Some Silly Value\n"},
    {"template where a value is missing", /* the same in all rows: what Go makes of it */
     "- template: {source: a, template: '{{ .m | ToLower }}x'}\n"
     "- template: {source: b, template: '{{ if .m }}y{{ else }}n{{ end }}'}\n"
     "- template: {source: c, template: '{{ if eq .m \"\" }}y{{ else }}n{{ end }}'}\n"
     "- template: {source: d, template: '{{ or .m \"d\" }}{{ not .m }}'}\n"
     "- template: {source: e, template: '{{ print .m \"a\" }}{{ .m.n }}{{ index . \"m\" }}'}\n"
     "- template: {source: f, template: '{{ .m | default \"none\" }}'}\n"
     "- template: {source: out, template: '{{ .a }}|{{ .b }}|{{ .c }}|{{ .d }}|{{ .e }}|{{ .f }}'}\n"
     "- output: {source: out}\n",
     "line\n", NOW " {app=\"x\"} <no value>|n|n|dtrue|<nil>a<no value><no value>|none\n"},
    {"template functions",
     "- json: {expressions: {a: , b: , c: , d: , e: }}\n"
     "- template: {source: a, template: '{{ regexReplaceAll \"(Silly)\" .Value \"${1}foo\" }}'}\n"
     "- template: {source: b, template: '{{ regexReplaceAll \"( |Of)\" .Value \"_\" }}'}\n"
     "- template: {source: c, template: '{{ Trim .Value \"!\" }}'}\n"
     "- template: {source: d, template: '{{ Sha2Hash .Value \"salt\" }}'}\n"
     "- template: {source: e, template: '{{ Hash .Value \"salt\" }}'}\n"
     "- template: {source: out, template: '{{.a}}|{{.b}}|{{.c}}|{{.d}}|{{.e}}'}\n- output: {source: out}\n",
     "{\"a\":\"Some Silly Value\",\"b\":\"Lots Of Spaces\",\"c\":\"!!WO!O!!!\",\"d\":\"this is PII data\",\"e\":\"this is PII data\"}\n",
     NOW
     " {app=\"x\"} Some Sillyfoo Value|Lots___Spaces|WO!O|5526fd6f8ad457279cf8ff06453c6cb61bf479fa826e3b099caa6c846f9376f2|"
     "0807ea24e992127128b38e4930f7155013786a4999c73a25910318a793847658\n"},
    {"template of several values",
     "- json: {expressions: {level: , module: }}\n"
     "- template: {source: app, template: '{{ .level }} for app {{ ToUpper .Value }} in module {{.module}}'}\n"
     "- output: {source: app}\n",
     "{\"level\":\"warn\",\"module\":\"test\"}\n",
     NOW " {app=\"x\"} warn for app X in module test\n"},
    {"template of the line",
     "- template: {source: m, template: '{{.app }}: {{ .Entry }}'}\n"
     "- output: {source: m}\n",
     "l\n", NOW " {app=\"x\"} x: l\n"},
    {"template that is empty takes the value away",
     "- template: {source: app, template: ''}\n- labels: {copy: app}\n", "l\n",
     NOW " {app=\"x\"} l\n"},
    {"template that fails changes nothing",
     "- template: {source: app, template: '{{ index .Value 99 }}'}\n- labels: {copy: app}\n", "l\n",
     NOW " {app=\"x\", copy=\"x\"} l\n"},
    {"template of all values",
     "- regex: {expression: '(?P<b>.*)'}\n"
     "- template: {source: m, template: '{{ range $k, $v := . }}{{$k}}={{$v}};{{ end }}'}\n"
     "- output: {source: m}\n",
     "l\n", NOW " {app=\"x\"} Entry=l;app=x;b=l;\n"},
    {"template with sprig",
     "- template: {source: m, template: '{{ splitList \"/\" .Entry | last | quote }} {{ regexFind \"[0-9]+\" "
     ".Entry }} {{ ternary \"y\" \"n\" (eq .app \"x\") }} {{ coalesce .none .app }}'}\n"
     "- output: {source: m}\n",
     "/a/b7/c\n", NOW " {app=\"x\"} \"c\" 7 y x\n"},
    /* ---- tenant ---- */
    {"tenant by value", "- tenant: {value: team-a}\n", "l\n", NOW " {app=\"x\"} tenant=team-a l\n"},
    {"tenant by source",
     "- json: {expressions: {customer_id: }}\n- tenant: {source: customer_id}\n",
     "{\"customer_id\":\"1\"}\n{}\n",
     NOW " {app=\"x\"} tenant=1 {\"customer_id\":\"1\"}\n" NOW " {app=\"x\"} {}\n"},
    {"tenant by label", "- tenant: {label: app}\n", "l\n", NOW " {app=\"x\"} tenant=x l\n"},
    {"tenant in match", "- match: {selector: '{app=\"x\"}', stages: [{tenant: {value: other}}]}\n",
     "l\n", NOW " {app=\"x\"} tenant=other l\n"},
    /* ---- truncate ---- */
    {"truncate a line",
     "- truncate: {rules: [{limit: 8b, suffix: '...'}]}\n- labels: {truncated: }\n",
     "12345678\n123456789\n",
     NOW " {app=\"x\"} 12345678\n" NOW " {app=\"x\", truncated=\"line\"} 12345...\n"},
    {"truncate never cuts a rune", "- truncate: {rules: [{limit: 4}]}\n", "abc\xc3\xa4\n",
     NOW " {app=\"x\"} abc\n"},
    {"truncate other texts",
     "- static_labels: {a: aaaa, b: bbbb}\n- structured_metadata: {m: b}\n"
     "- regex: {expression: '(?P<e>.*)'}\n"
     "- truncate: {rules: [{limit: 2, source_type: label, sources: a}, {limit: 3, source_type: "
     "structured_metadata}, {limit: 1, source_type: extracted, sources: [e, f]}]}\n"
     "- labels: {e: , truncated: }\n",
     "line\n",
     NOW " {a=\"aa\", app=\"x\", e=\"l\", truncated=\"extracted,label,structured_metadata\"} "
         "{m=\"bbb\"} line\n"},
    {"truncate all labels, each with the suffix",
     "- static_labels: {a: aaaa, b: bb}\n"
     "- truncate: {rules: [{limit: 3B, source_type: label, suffix: '-'}]}\n",
     "line\n", NOW " {a=\"aa-\", app=\"x\", b=\"bb\"} line\n"},
    {"truncate some metadata with the suffix",
     "- static_labels: {a: aaaa, b: bbbb}\n- structured_metadata: {m: a, n: b}\n"
     "- truncate: {rules: [{limit: 3, source_type: structured_metadata, sources: [n, none], suffix: "
     "'..'}]}\n",
     "line\n", NOW " {app=\"x\"} {m=\"aaaa\", n=\"b..\"} line\n"},
    {"truncate an extracted value with the suffix",
     "- regex: {expression: '(?P<e>.*)'}\n"
     "- truncate: {rules: [{limit: 1KiB, source_type: extracted, sources: e}, "
     "{limit: 4, source_type: extracted, sources: e, suffix: '+'}]}\n- labels: {e: }\n",
     "a line\n", NOW " {app=\"x\", e=\"a l+\"} a line\n"},
    {"truncate by several rules, and by several stages",
     "- static_labels: {a: aaaa}\n"
     "- truncate: {rules: [{limit: 6}, {limit: 4, suffix: '.'}]}\n"
     "- truncate: {rules: [{limit: 2, source_type: label}]}\n"
     "- truncate: {rules: [{limit: 9}]}\n- labels: {truncated: }\n",
     "a long line\n", NOW " {a=\"aa\", app=\"x\", truncated=\"label,line\"} a l.\n"},
    {"truncate leaves what is as long as the limit",
     "- truncate: {rules: [{limit: 4}]}\n- labels: {truncated: }\n", "line\n",
     NOW " {app=\"x\"} line\n"},
    /* ---- static_labels ---- */
    {"static_labels", "- static_labels: {custom: value, app: y}\n", "l\n",
     NOW " {app=\"y\", custom=\"value\"} l\n"},
    {"static_labels without a value leave a label alone", "- static_labels: {app: , other: ''}\n",
     "l\n", NOW " {app=\"x\"} l\n"},
    /* ---- sampling ---- */
    {"sampling without a share", "- sampling: {rate: 0, drop_counter_reason: ''}\n", "l\n",
     "dropped: sampling_stage\n"},
    {"sampling of all", "- sampling: {rate: 1.0}\n", "l\n", NOW " {app=\"x\"} l\n"},
    {"sampling with a reason", "- sampling: {rate: '0.0', drop_counter_reason: few}\n", "l\n",
     "dropped: few\n"},
};

static void feed_all(struct cw_stage_lines *lines, const char *text)
{
    struct cw_str rest = cw_str_of(text), line;
    while (rest.len > 0 && cw_str_split(&rest, '\n', &line))
        cw_stage_lines_feed(lines, cw_arena_dup(lines->arena, line).ptr);
    cw_stages_flush(lines->run);
}

Test(stage_table, stages_do_what_promtails_do)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cw_stage_lines lines;
        cw_stage_lines_init(&lines, rows[i].stages);
        feed_all(&lines, rows[i].lines);
        cr_expect_str_eq(cw_buf_z(&lines.out), rows[i].want, "%s: got:\n%swant:\n%s", rows[i].name,
                         cw_buf_z(&lines.out), rows[i].want);
        cw_stage_lines_fini(&lines);
    }
}

static const struct {
    const char *stages, *want;
} errors[] = {
    {"- regex: {expression: '(?P<a>'}\n",
     "regex: expression: error parsing regexp: missing closing ): `(?P<a>`"},
    {"- regex:\n", "regex: expression is missing"},
    {"- drop: {}\n", "drop: wants source, expression, older_than or longer_than, one at least"},
    {"- drop: {value: x}\n", "drop: value wants a source, whose value it is"},
    {"- match: {selector: '{app=\"x\"}', action: drop, stages: [{docker: {}}]}\n",
     "match: what is dropped cannot go through stages"},
    {"- match: {selector: '{app=\"x\"}'}\n", "match: stages are missing"},
    {"- match: {selector: '{app=\"x\"} | json', stages: [{docker: {}}]}\n",
     "match: selector: only matchers and line filters can stand in it"},
    {"- match: {selector: 'count_over_time({app=\"x\"}[1m])', stages: [{docker: {}}]}\n",
     "match: selector: it is a metric query"},
    {"- match: {selector: '{app=\"x\"}', pipeline_name: '', stages: [{docker: {}}]}\n",
     "match: pipeline_name may be left out, but not be empty"},
    {"- match: {selector: '{app=\"x\"} !~ \"[]\"', stages: [{docker: {}}]}\n",
     "match: selector: parse error : stage '!~ \"[]\"' : error parsing regexp: missing closing ]: `[]`"},
    {"- limit: {rate: 1, burst: 1, by_label_name: a}\n", "limit: by_label_name wants drop: true"},
    {"- limit: {rate: 0, burst: 1}\n", "limit: rate and burst must be more than 0"},
    {"- tenant: {value: a, source: b}\n", "tenant: wants exactly one of label, source and value"},
    {"- tenant: {}\n", "tenant: wants exactly one of label, source and value"},
    {"- timestamp: {source: a, format: RFC3339, location: Nowhere/Town}\n",
     "timestamp: location: no time zone is called \"Nowhere/Town\""},
    {"- template: {source: a, template: '{{ nope }}'}\n",
     "template: template: template: pipeline_template:1: function \"nope\" not defined"},
    {"- labels: {a-b: }\n", "labels: \"a-b\" is no name of a label"},
    {"- labeldrop: []\n", "labeldrop: no name is listed"},
    {"- labelallow: []\n", "labelallow: no name is listed"},
    {"- static_labels: {a-b: c}\n", "static_labels: \"a-b\" is no name of a label"},
    {"- logfmt: {}\n", "logfmt: mapping is missing"},
    {"- logfmt: {mapping: {'': a}}\n", "logfmt: mapping: a name is empty"},
    {"- json: {expressions: {a: 'b[', c: d}}\n",
     "json: expressions: JMESPath expression `b[`, offset 2: expected a number, ':' or '*]'"},
    {"- json: {expressions: {a: 'nope(b)'}}\n",
     "json: expressions: JMESPath expression `nope(b)`, offset 5: there is no such function"},
    {"- output: {source: ''}\n", "output: source is missing"},
    {"- pack: {labels: ['']}\n", "pack: a label has no name"},
    {"- drop: {source: a, value: x, expression: y}\n",
     "drop: value and expression cannot both be given"},
    {"- match: {selector: ''}\n", "match: selector is missing"},
    {"- timestamp: {source: '', format: Unix}\n", "timestamp: source is missing"},
    {"- timestamp: {source: a, format: ''}\n", "timestamp: format is missing"},
    {"- truncate: {rules: [{limit: 3, suffix: '...'}]}\n",
     "truncate: rules: the suffix leaves nothing of the limit"},
    {"- truncate: {rules: []}\n", "truncate: rules are missing"},
    {"- truncate: {rules: [{limit: 3, sources: a}]}\n", "truncate: rules: a line has no sources"},
    {"- truncate: {rules: [{limit: 3, source_type: extracted}]}\n",
     "truncate: rules: extracted values want sources"},
    {"- multiline: {firstline: a, continuation: b}\n",
     "multiline: firstline and continuation cannot both be given"},
    {"- multiline: {continuation: '('}\n",
     "multiline: continuation: error parsing regexp: missing closing ): `(`"},
    {"- json: {}\n", "json: expressions is missing: what is to be extracted?"},
};

static const struct {
    const char *stages, *want;
} idle[] = {
    {"- regex: {expression: 'a(b)'}\n",
     "2:3: pipeline_stages[0] is ignored: regex: expression: no group has a name, (?P<name>...), so "
     "nothing is extracted"},
    {"- replace: {expression: 'line', replace: 'x'}\n",
     "2:3: pipeline_stages[0] is ignored: replace: expression: there is no group, (...), that could "
     "be replaced"},
    {"- labels: {}\n", "2:3: pipeline_stages[0] is ignored: labels: no label is named"},
    {"- static_labels: {}\n",
     "2:3: pipeline_stages[0] is ignored: static_labels: no label is named"},
    {"- structured_metadata: {}\n",
     "2:3: pipeline_stages[0] is ignored: structured_metadata: no name is given"},
    {"- docker:\n- match:\n    selector: '{app=\"x\"}'\n    stages:\n    - regex: {expression: 'a'}\n",
     "6:7: pipeline_stages[1].match.stages[0] is ignored: regex: expression: no group has a name, "
     "(?P<name>...), so nothing is extracted"},
};

/* promtail takes them too, and lets the line pass as it is. */
Test(stage_table, what_does_nothing_is_warned_of)
{
    for (size_t i = 0; i < sizeof idle / sizeof idle[0]; i++) {
        struct cw_stage_lines lines;
        char want[512];
        snprintf(want, sizeof want, "p.yml:%s", idle[i].want);
        cw_stage_lines_expect_warning(idle[i].stages, want);
        cw_stage_lines_init(&lines, idle[i].stages);
        cw_stage_lines_feed(&lines, "a line");
        cw_stage_lines_expect(&lines, "2026-01-05T09:00:00Z {app=\"x\"} a line\n");
        cw_stage_lines_fini(&lines);
    }
}

Test(stage_table, what_cannot_be_meant_is_refused)
{
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        char want[512];
        snprintf(want, sizeof want, "p.yml:2:3: pipeline_stages[0]: %s", errors[i].want);
        cw_stage_lines_expect_error(errors[i].stages, want);
    }
}
