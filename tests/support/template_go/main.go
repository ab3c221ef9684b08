// template_go holds common/template against Go's text/template, fmt and time: random templates and fields go to Go and, over a pipe, to
// the C driver template_probe; parse errors, execution errors and outputs must be the same. With -sweep it asks for all that formats,
// layouts and zones are made of instead, or for one in so many of the combinations.
//
//	go run . -probe BUILD/tests/support/template_probe -n 2000 [-seed 1]
//	go run . -probe BUILD/tests/support/template_probe -sweep 1
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"text/template"
	"time"
	"unicode/utf8"
)

var (
	probe   = flag.String("probe", "", "path of template_probe")
	count   = flag.Int("n", 2000, "templates")
	seed    = flag.Int64("seed", 1, "of the random templates")
	every   = flag.Int("sweep", 0, "no random templates, but one in so many of all combinations")
	rnd     *rand.Rand
	line    string
	stampNs int64 = 1673798889902000000
	failed  int
	in      io.WriteCloser
	lines   *bufio.Reader
)

// The functions that are Go's own, under the names that Loki gives them. What is computed by other libraries there is held
// against recorded answers in the unit tests.
var funcs = template.FuncMap{
	"__line__":      func() string { return line },
	"__timestamp__": func() time.Time { return time.Unix(0, stampNs).UTC() },
	"ToLower":       strings.ToLower, "ToUpper": strings.ToUpper, "Replace": strings.Replace, "Trim": strings.Trim,
	"TrimLeft": strings.TrimLeft, "TrimRight": strings.TrimRight, "TrimPrefix": strings.TrimPrefix,
	"TrimSuffix": strings.TrimSuffix, "TrimSpace": strings.TrimSpace,
	"lower": strings.ToLower, "upper": strings.ToUpper, "title": strings.Title, "trim": strings.TrimSpace,
	"trimAll":    func(a, b string) string { return strings.Trim(b, a) },
	"trimPrefix": func(a, b string) string { return strings.TrimPrefix(b, a) },
	"trimSuffix": func(a, b string) string { return strings.TrimSuffix(b, a) },
	"replace":    func(o, n, s string) string { return strings.ReplaceAll(s, o, n) },
	"contains":   func(a, b string) bool { return strings.Contains(b, a) },
	"hasPrefix":  func(a, b string) bool { return strings.HasPrefix(b, a) },
	"hasSuffix":  func(a, b string) bool { return strings.HasSuffix(b, a) },
	"repeat":     repeat,
	"regexReplaceAll": func(re, s, to string) (string, error) {
		r, err := regexp.Compile(re)
		if err != nil {
			return "", err
		}
		return r.ReplaceAllString(s, to), nil
	},
	"regexReplaceAllLiteral": func(re, s, to string) (string, error) {
		r, err := regexp.Compile(re)
		if err != nil {
			return "", err
		}
		return r.ReplaceAllLiteralString(s, to), nil
	},
	"count": func(re, s string) (int, error) {
		r, err := regexp.Compile(re)
		if err != nil {
			return 0, err
		}
		return len(r.FindAllStringIndex(s, -1)), nil
	},
	"urlencode": url.QueryEscape, "urldecode": url.QueryUnescape,
	"b64enc": func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"b64dec": func(s string) string {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return err.Error()
		}
		return string(b)
	},
	"fromJson": func(s string) any {
		var v any
		if json.Unmarshal([]byte(s), &v) != nil {
			return nil
		}
		return v
	},
	"duration": func(s string) (float64, error) {
		d, err := time.ParseDuration(s)
		return d.Seconds(), err
	},
	"date": func(layout string, t any) string {
		switch t := t.(type) {
		case time.Time:
			return t.UTC().Format(layout)
		case int:
			return time.Unix(int64(t), 0).UTC().Format(layout)
		case int64:
			return time.Unix(t, 0).UTC().Format(layout)
		}
		return time.Unix(0, stampNs).UTC().Format(layout)
	},
	"toDate": func(layout, s string) time.Time {
		t, _ := time.ParseInLocation(layout, s, time.UTC)
		return t
	},
	"toDateInZone": func(layout, zone, s string) time.Time {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			loc = time.UTC
		}
		t, _ := time.ParseInLocation(layout, s, loc)
		return t
	},
	"unixEpoch":       func(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) },
	"unixEpochMillis": func(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) },
	"unixEpochNanos":  func(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) },
	"ceil":            func(f any) float64 { return math.Ceil(number(f)) },
	"floor":           func(f any) float64 { return math.Floor(number(f)) },
	"float64":         func(f any) float64 { return number(f) },
}

func number(v any) float64 {
	switch v := v.(type) {
	case int:
		return float64(v)
	case int64:
		return float64(v)
	case uint8:
		return float64(v)
	case time.Month:
		return float64(v)
	case time.Weekday:
		return float64(v)
	case float64:
		return v
	case bool:
		if v {
			return 1
		}
	case string:
		if f, err := strconv.ParseFloat(v, 64); err == nil {
			return f
		}
	}
	return 0
}

func pick(s ...string) string { return s[rnd.Intn(len(s))] }

var texts = []string{"", "a", "ab", "Hello world", "error", "café", "  x ", "1", "42", "-7", "3.5", "1e3", "0x1F", "true", "é世界", "\\xff\\x00",
	"a,b,c", "foo=bar baz=1", "ÄÖÜ straße", "ǆ ŉ ﬁ", "<b>&'x'</b>", "x y+z%20", "1m30s", "5", "1h", "2.5x", ".5s", "YWJj", "YWJ", "!!!!", "YW Jj", "YQ=", "YQ==x",
	"a\\nb\\n", "%41%zz", "%4", "{{", "2021-07-02", "2021-07-02 10:00"}

func str() string {
	s := texts[rnd.Intn(len(texts))]
	if rnd.Intn(4) == 0 && !strings.ContainsAny(s, "`\\") {
		return "`" + s + "`"
	}
	return `"` + s + `"`
}

var jsons = []string{`{\"a\":1,\"b\":[1,2.5,\"x\",null,true],\"c\":{\"d\":\"e\"}}`, `[5,6,7]`, `[]`, `{}`, `null`, `\"s\"`, `12`, `1e400`, `nope`, `{\"a\":1,\"a\":2}`,
	`[1,]`, `\"\\u00e9\\ud83d\\ude00\\ud800\"`, `[[1,[2]],{\"k\":[]}]`, ` true `, `-0.0`, `01`, `[1 2]`, `{\"a\" : {\"b\":{}}}`, `1e21`, `123456789.5`}

func integer() string {
	return pick("0", "1", "2", "3", "-1", "5", "10", "-3", "0x10", "'a'", "1_000", "07", "100", "99999999999999999999", "0b101", "'\\n'", "'é'")
}

func float() string {
	return pick("1.5", "-0.25", "1e3", "2.0", "1e21", "1e-7", ".5", "3.14159", "1e300", "0x1p4", "123456.7", "1234567.8", "2.")
}

var layouts = []string{"2006-01-02", "2006-01-02 15:04", "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05.000Z07:00", "Mon Jan 2 15:04:05 2006", "Mon Jan _2 15:04:05 MST 2006",
	"02 Jan 06 15:04 -0700", "3:04PM", "03:04:05.999 pm", "January Monday", "002 __2", "15:04:05,000", "Z0700 Z07 -07 -07:00:00 -070000", "20060102150405", "Jan. 2nd", "06/1/2 5s",
	"2006-002", "MST", "15h04", "_2006", ".00", "05.000000", "2006  01", "Mondayx Monx Janx", "-0700 MST", "Z070000"}

func timeText() string {
	t := time.Unix(rnd.Int63n(4e9)-1e9, rnd.Int63n(1e9))
	loc, err := time.LoadLocation(pick("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Sydney"))
	if err == nil {
		t = t.In(loc)
	}
	s := t.Format(layouts[rnd.Intn(len(layouts))])
	if rnd.Intn(5) == 0 && len(s) > 0 {
		i := rnd.Intn(len(s))
		s = s[:i] + pick("", "x", " ", "9", "0", "Z", "+") + s[i+rnd.Intn(2):]
	}
	return s
}

func timeExpr() string {
	l := layouts[rnd.Intn(len(layouts))]
	s := timeText()
	if rnd.Intn(2) == 0 {
		t := time.Unix(rnd.Int63n(4e9)-1e9, rnd.Int63n(1e9)).UTC()
		s = t.Format(l)
	}
	switch rnd.Intn(4) {
	case 0:
		return "__timestamp__"
	case 1:
		return fmt.Sprintf("(toDate %q %q)", l, s)
	default:
		return fmt.Sprintf("(toDateInZone %q %q %q)", l, pick("Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC", "No/Zone", "", "Australia/Sydney", "America/Sao_Paulo", "../x", "Pacific/Apia", "Europe/London"), s)
	}
}

// What a time's methods give, those of months, durations and places included.
func method() string {
	t := timeExpr()
	switch rnd.Intn(9) {
	case 0:
		return t + pick(".Month", ".Weekday", ".Location", ".UTC", ".String", ".GoString", ".Date", ".Clock", ".ISOWeek", ".Zone", ".ZoneBounds", ".Nope", ".Month.Nope", ".Day 1", ".Zone 1")
	case 1:
		return t + pick(".Year", ".YearDay", ".Nanosecond", ".Unix", ".UnixMicro", ".UnixMilli", ".UnixNano", ".IsZero", ".IsDST", ".Day", ".Hour", ".Minute", ".Second", ".Month.String", ".Weekday.String", ".Location.String")
	case 2:
		return t + pick(".Before", ".After", ".Equal", ".Compare", ".Sub") + " " + pick(timeExpr(), timeExpr(), timeExpr(), "1", "nil", "\"x\"", ".a", ".nope", "$")
	case 3:
		return t + pick(".Add", ".Truncate", ".Round") + " " + pick("0", "-1", "1000000000", "3600000000000", "86400000000000", "604800000000000", "7", "-90000000000", "1e9", "1.5", "nil", "\"x\"", ".a", "("+t+".Sub "+timeExpr()+")", "(len .a)")
	case 4:
		return t + ".AddDate " + pick("0", "1", "-4", "400", "x") + " " + pick("0", "1", "-13", "25", "1.5") + " " + pick("0", "1", "-31", "1000", "(len \"abc\")", ".a")
	case 5:
		return t + ".In " + pick("("+timeExpr()+".Location)", timeExpr()+".Location", "("+timeExpr()+").Location", "nil", "1", ".a", "$x")
	case 6:
		d := "(" + t + ".Sub " + timeExpr() + ")"
		return d + pick("", ".Hours", ".Minutes", ".Seconds", ".Milliseconds", ".Microseconds", ".Nanoseconds", ".Abs", ".String", ".Nope", ".Round 1000000000", ".Truncate 60000000000", ".Round 7000000000", ".Truncate -1", ".Abs.Hours", ".Round "+d)
	case 7:
		return "printf \"" + pick("%s", "%d", "%v", "%q", "%x", "%X", "%5s|", "%-12v|", "%05d", "%#v", "%+v", "%z", "%t", "%c", "%T", "%.2s", "%f") + "\" " + pick("(", "(", "(printf \"%s\" ") + t + pick(".Month", ".Weekday", ".Sub "+timeExpr()) + ")"
	default:
		a := "(" + t + pick(".Month", ".Weekday", ".Sub "+timeExpr()) + ")"
		return pick("eq ", "lt ", "ne ", "ge ", "print ", "and ", "not ", "len ", "html ", "index . ", "slice .msg ") + a + " " + pick("1", "3", a, "\"x\"", ".a", "")
	}
}

func verb() string {
	return "%" + pick("", "", "", "", "+", "-", "#", "0", " ", "+0", "#0") + pick("", "", "", "5", "8", "*", "[1]", "[2]", "[9]", "[") + pick("", "", "", ".2", ".0", ".*", ".", ".10") +
		pick("s", "d", "v", "q", "x", "X", "f", "e", "g", "t", "c", "U", "T", "b", "o", "O", "%", "z", "E", "G", "F", "")
}

func format() string {
	var b strings.Builder
	for n := 1 + rnd.Intn(3); n > 0; n-- {
		b.WriteString(pick("", " ", "a", "é") + verb())
	}
	return strings.ReplaceAll(b.String(), `"`, ``)
}

func field() string {
	return pick(".a", ".b", ".num", ".msg", ".json", ".nope", "$.a", ".a.b", ".time")
}

func value(depth int) string {
	if depth <= 0 {
		switch rnd.Intn(8) {
		case 0:
			return integer()
		case 1:
			return float()
		case 2, 3:
			return str()
		case 4:
			return pick("true", "false", "nil", ".", "$", "__line__", "1i", "2+3i")
		case 5:
			return "(fromJson \"" + jsons[rnd.Intn(len(jsons))] + "\")" + pick("", "", ".a", ".c.d", ".x.y", ".b")
		default:
			return field()
		}
	}
	return "(" + pipeline(depth-1) + ")"
}

func arg(depth int) string { return value(rnd.Intn(depth + 1)) }

func regex() string {
	return pick(`"a"`, `"(\\w+) (\\w+)"`, `"o*"`, `""`, `"(?P<x>l)"`, `"("`, `"^"`, `"\\b"`, `"é|."`, `"[0-9]+"`, `"$"`, `"(a)|(b)"`)
}

func replacement() string {
	return pick(`"-"`, `"$1"`, `"${x}y"`, `"$x"`, `"$$"`, `"<$0>"`, `"$2 $1"`, `"${"`, `"$1x"`, `""`)
}

func call(depth int) string {
	a := func() string { return arg(depth) }
	s := func() string {
		if rnd.Intn(5) > 0 {
			return pick(str(), str(), ".a", ".msg", ".b", "__line__")
		}
		return arg(depth)
	}
	n := func() string {
		if rnd.Intn(6) > 0 {
			return pick("0", "1", "2", "3", "-1", "5", "12")
		}
		return arg(depth)
	}
	switch rnd.Intn(28) {
	case 24, 25:
		return method()
	case 26:
		return method() + pick(" | print", " | "+timeExpr()+pick(".Add", ".Sub", ".Before", ".Format", ".In", ".Nope", ".Month"))
	case 0, 1:
		c := pick("printf", "printf", "print", "println", "html", "js", "urlquery")
		out := c
		if c == "printf" {
			out += " " + strconv.Quote(format())
		}
		for i := rnd.Intn(4); i > 0; i-- {
			out += " " + a()
		}
		return out
	case 2, 3:
		return pick("eq", "ne", "lt", "le", "gt", "ge") + " " + a() + " " + a() + pick("", "", "", " "+a())
	case 4:
		return pick("and", "or") + " " + a() + " " + a()
	case 5:
		return pick("not", "len") + " " + a()
	case 6:
		return "index " + pick(".", "(fromJson .json)", "(fromJson \"[5,[6],7]\")", str(), a()) + " " + pick(`"a"`, `"b"`, n(), a())
	case 7:
		return "slice " + pick(str(), ".msg", "(fromJson \"[5,6,7]\")", a()) + " " + n() + pick("", " "+n())
	case 8:
		return pick("lower", "upper", "title", "trim", "ToLower", "ToUpper", "TrimSpace", "b64enc", "b64dec", "urlencode", "urldecode", "duration", "fromJson") + " " + s()
	case 9:
		return pick("trimAll", "trimPrefix", "trimSuffix", "contains", "hasPrefix", "hasSuffix", "Trim", "TrimLeft", "TrimRight", "TrimPrefix", "TrimSuffix") + " " + s() + " " + s()
	case 10:
		return "replace " + s() + " " + s() + " " + s()
	case 11:
		return "Replace " + s() + " " + s() + " " + s() + " " + n()
	case 12:
		return "repeat " + n() + " " + s()
	case 13:
		return pick("regexReplaceAll", "regexReplaceAllLiteral") + " " + regex() + " " + s() + " " + replacement()
	case 14:
		return "count " + regex() + " " + s()
	case 15, 16:
		return "date " + strconv.Quote(layouts[rnd.Intn(len(layouts))]) + " " + pick(timeExpr(), timeExpr(), "1700000000", a())
	case 17, 18:
		return pick("unixEpoch", "unixEpochMillis", "unixEpochNanos", "print") + " " + timeExpr()
	case 19:
		return pick("ceil", "floor", "float64") + " " + a()
	case 20:
		return pick("call", "nosuch", "lower", "printf", "eq", "replace") + " " + a()
	default:
		return a()
	}
}

func pipeline(depth int) string {
	out := call(depth)
	for rnd.Intn(3) == 0 {
		out += pick(" | ", "|") + pick("lower", "printf \"%v\"", "len", "print", "not", "eq 1", "upper", "title", "trim", "printf \"%q\" 1", "index .", "replace \"a\" \"b\"", "slice", "html",
			"repeat 2", "or 0", "and 1", "5", ".a", "$x", "b64enc", "fromJson", "printf \"%5d|\"", "print 1 2")
	}
	return out
}

func open() string { return pick("{{", "{{", "{{", "{{ ", "{{- ") }

func shut() string { return pick("}}", "}}", "}}", " }}", " -}}") }

func body(depth int) string {
	var b strings.Builder
	for n := 1 + rnd.Intn(3); n > 0; n-- {
		b.WriteString(pick("", "", "x ", " y\n", "é", "}}", "{"))
		switch k := rnd.Intn(14); {
		case k < 6 || depth <= 0:
			b.WriteString(open() + pipeline(depth) + shut())
		case k == 6:
			b.WriteString(open() + "if " + pipeline(depth-1) + shut() + body(depth-1) + pick("", "{{else}}"+body(depth-1), "{{else if "+pipeline(0)+"}}"+body(depth-1)) + "{{end}}")
		case k == 7:
			b.WriteString(open() + "with " + pick("", "$x := ") + pipeline(depth-1) + shut() + body(depth-1) + pick("", "{{else}}"+body(depth-1)) + "{{end}}")
		case k == 8 || k == 9:
			b.WriteString(open() + "range " + pick("", "$x := ", "$i, $x := ", "$x = ") + pick(".", "(fromJson .json)", "3", "(fromJson \"[1,\\\"a\\\",null]\")", pipeline(depth-1)) + shut() +
				body(depth-1) + pick("", "{{break}}", "{{if eq 1 2}}{{continue}}{{end}}", "{{continue}}z") + pick("", "{{else}}none") + "{{end}}")
		case k == 10:
			b.WriteString("{{$x := " + pipeline(depth-1) + "}}" + pick("{{$x}}", "{{$x = 1}}{{$x}}", "{{print $x}}", "{{$x.a}}"))
		case k == 11:
			b.WriteString(pick("{{/* c */}}", "{{- /* c */ -}}", "{{/* c}}", "{{template \"t\" .}}", "{{define \"t\"}}T{{.}}{{end}}", "{{block \"u\" 1}}U{{.}}{{end}}", "{{end}}", "{{else}}", "{{", "{{.a}", "{{if}}",
				"{{range}}", "{{break}}", "{{.a b}}", "{{$y}}", "{{\"x}}", "{{`x}}", "{{'ab'}}", "{{1x}}", "{{.a | 1}}", "{{a:b}}", "{{(1}}", "{{1)}}", "{{$x, $y := 1}}", "{{nil}}", "{{nil.a}}", "{{#}}", "{{é}}",
				"{{if 1}}", "{{\n.a\n}\n}}", "{{.a.b.c}}", "{{\"a\".b}}", "{{1 2}}", "{{.a 2}}", "{{1.a}}", "{{template}}", "{{template \"no\"}}", "{{$.a.b}}", "{{(print .a).b}}", "{{with}}", "{{.\x01}}", "{{^}}",
				"{{0x}}", "{{1e}}", "{{$x := }}", "{{|}}", "{{.a|}}", "{{range $i := 2}}{{$i}}{{end}}", "{{()}}"))
		default:
			b.WriteString(open() + field() + shut())
		}
	}
	return b.String()
}

func fields() map[string]string {
	m := map[string]string{}
	for _, name := range []string{"a", "b", "num", "msg", "json", "time"} {
		if rnd.Intn(6) == 0 {
			continue
		}
		switch name {
		case "num":
			m[name] = pick("1", "2.5", "-3", "", "x", "1e3")
		case "json":
			s, _ := strconv.Unquote(`"` + jsons[rnd.Intn(len(jsons))] + `"`)
			m[name] = s
		case "time":
			m[name] = timeText()
		default:
			s, _ := strconv.Unquote(`"` + texts[rnd.Intn(len(texts))] + `"`)
			m[name] = s
		}
	}
	return m
}

func hexed(s string) string {
	if s == "" {
		return "-"
	}
	return hex.EncodeToString([]byte(s))
}

// What Go says: "P " and a parse error, "E " and an execution's, "O " and the output, or "L " when it was stopped at a bound. With it
// whether the C side may have been stopped.
func wanted(text string, m map[string]string) (string, bool) {
	t, err := template.New("line").Option("missingkey=zero").Funcs(funcs).Parse(text)
	if err != nil {
		return "P " + err.Error(), false
	}
	countLists(t)
	var out bounded
	if err := t.Execute(&out, m); errors.Is(err, errBound) {
		return "L ", true
	} else if err != nil {
		text, _, _ := strings.Cut(err.Error(), "\x00") // our sentences are C strings: a NUL ends them
		return "E " + text, out.large()
	}
	return "O " + out.String(), out.large()
}

// These give times and places, of which a verb for numbers shows Go's inside.
var givesStruct = regexp.MustCompile(`\.(Add|AddDate|UTC|In|Round|Truncate|Location)\b`)

// What another Go, or a C library, says in other words, or differs from run to run.
func unstable(text, want string) bool {
	return givesStruct.MatchString(text) && strings.Contains(text, "printf") || strings.Contains(want, "0xc0") || strings.Contains(want, "wall:") || strings.Contains(want, "*time.Location=") || strings.Contains(want, "range can't iterate over {") || strings.Contains(want, "%!p(") ||
		strings.Contains(text, "%T") && strings.Contains(want, "template") || !utf8.ValidString(text)
}

func die(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(2)
}

// The answer of template_probe.
func probed(text string, m map[string]string) string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	pairs := ""
	for _, name := range names {
		pairs += name + "\x00" + m[name] + "\x00"
	}
	fmt.Fprintf(in, "%s %s %d %s\n", hexed(text), hexed(line), stampNs, hexed(pairs))
	answer, err := lines.ReadString('\n')
	if err != nil {
		die("template_probe died on %q with %q", text, m)
	}
	answer = strings.TrimRight(answer, "\n")
	b, err := hex.DecodeString(answer[2:])
	if err != nil {
		die("template_probe: %q", answer)
	}
	return answer[:2] + string(b)
}

// Our sentences are bounded: of a longer one of Go's we have the beginning.
const errorBytes = 4000

func judge(text string, m map[string]string, want, got string) {
	if strings.HasPrefix(want, "E ") && min(len(want), len(got)) > errorBytes {
		want, got = want[:errorBytes], got[:errorBytes]
	}
	if got == want || unstable(text, want) {
		return
	}
	if failed++; failed <= 20 {
		fmt.Printf("template %q fields %q line %q\n  want %.2000q\n  got  %.2000q\n", text, m, line, want, got)
	}
}

// Of these both sides have enough, and of these neither.
var (
	boundless = []string{"{{range 9000000000000000000}}{{end}}", "{{range 4000}}{{range 4000}}{{else}}{{end}}{{end}}", "{{range 100000}}{{printf \"%50d\" .}}{{end}}", "{{repeat 900000000000 .a}}",
		"{{$x := __timestamp__.Sub (toDate \"2006\" \"1970\")}}{{range $x}}{{if eq . 0}}{{break}}{{end}}{{end}}{{range $x}}{{continue}}{{end}}"}
	farEnough = []string{"{{range 100000}}{{end}}", "{{range 9000000000000000000}}{{if eq . 90000}}{{break}}{{end}}{{end}}", "{{len (repeat 4000000 .a)}}", "{{range 100000}}{{.}}{{end}}"}
)

func bounds() {
	m := map[string]string{"a": "x"}
	for _, text := range farEnough {
		want, _ := wanted(text, m)
		judge(text, m, want, probed(text, m))
	}
	for _, text := range boundless {
		want, _ := wanted(text, m)
		judge(text, m, want, probed(text, m)[:2])
	}
}

func randomTemplates() {
	bounds()
	refused, stopped := 0, 0
	for i := 0; i < *count; i++ {
		text, m := body(2), fields()
		line, _ = strconv.Unquote(`"` + texts[rnd.Intn(len(texts))] + `"`)
		stampNs = 1673798889902000000 + rnd.Int63n(1e15)
		for name := range m {
			m[name] = strings.ReplaceAll(m[name], "\x00", "0")
		}
		want, large := wanted(text, m)
		if unstable(text, want) {
			continue
		}
		got := probed(text, m)
		if large && got[0] == 'L' {
			stopped++
			continue
		}
		if want[0] != 'O' {
			refused++
		}
		judge(text, m, want, got)
	}
	fmt.Printf("%d templates, %d with errors, %d stopped at a bound, %d differences\n", *count, refused, stopped, failed)
}

func sweeps() {
	for _, part := range []struct {
		name  string
		run   func(*sweep)
		finer int // there are fewer of these
	}{{"formats", (*sweep).formats, 1}, {"floats", (*sweep).floats, 10}, {"offsets", (*sweep).offsets, 10}, {"zones", (*sweep).zones, 10}, {"layouts", (*sweep).layouts, 50}} {
		s := &sweep{every: *every / part.finer}
		part.run(s)
		s.flush()
		fmt.Printf("%s: %d of %d combinations\n", part.name, s.asked, s.n)
	}
	fmt.Printf("%d differences\n", failed)
}

func main() {
	flag.Parse()
	rnd = rand.New(rand.NewSource(*seed))
	cmd := exec.Command(*probe)
	var out io.Reader
	var err error
	if in, err = cmd.StdinPipe(); err != nil {
		die("%v", err)
	}
	if out, err = cmd.StdoutPipe(); err != nil {
		die("%v", err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		die("%v", err)
	}
	lines = bufio.NewReaderSize(out, 1<<20)
	if *every > 0 {
		sweeps()
	} else {
		randomTemplates()
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		die("template_probe: %v", err)
	}
	if failed > 0 {
		os.Exit(1)
	}
}
