package main

import (
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A sweep asks for every combination of what a format, a layout or a zone is made of, many in one template.
type sweep struct {
	items []string
	bytes int
	asked int
	every int // of the combinations, one of so many is asked
	n     int
}

const (
	templateBytes = 16 << 10 // what template_probe's line holds is twice as much
	separator     = "\x1e"
)

var sweepFields = map[string]string{"a": "1", "b": "x y"}

func (s *sweep) ask(expr string) {
	s.n++
	if s.every > 1 && rnd.Intn(s.every) != 0 {
		return
	}
	s.items = append(s.items, "{{"+expr+"}}")
	s.bytes += len(expr) + 5
	if s.bytes > templateBytes {
		s.flush()
	}
}

func (s *sweep) flush() {
	if len(s.items) == 0 {
		return
	}
	text := strings.Join(s.items, separator)
	want, _ := wanted(text, sweepFields)
	got := probed(text, sweepFields)
	wants, gots := strings.Split(want, separator), strings.Split(got, separator)
	if len(wants) != len(s.items) || len(gots) != len(s.items) { // an error: which one?
		for _, item := range s.items {
			want, _ := wanted(item, sweepFields)
			judge(item, sweepFields, want, probed(item, sweepFields))
		}
	} else {
		for i, item := range s.items {
			judge(item, sweepFields, wants[i], gots[i])
		}
	}
	s.asked += len(s.items)
	s.items, s.bytes = nil, 0
}

var flagSets = func() (sets []string) {
	for i := 0; i < 32; i++ {
		set := ""
		for j, c := range []string{"+", "-", "#", "0", " "} {
			if i&(1<<j) != 0 {
				set += c
			}
		}
		sets = append(sets, set)
	}
	return
}()

const (
	verbs     = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ%!.*é"
	timeVerbs = "vsxXqT" // of a time, the others show the insides of Go's struct
)

var scalars = []string{"0", "1", "-42", "233", "39", "34", "0x10FFFF", "0x110000", "55296", "173", "-9223372036854775808", "9223372036854775807", "(index \"\\xe9\" 0)",
	"0.0", "1.5", "-1e-7", "123456789.5", "1e21", "5e-324", "0x1.fffffffffffffp1023", "(float64 \"NaN\")", "(float64 \"Inf\")", "(float64 \"-Inf\")", "2.5i", "true", "nil",
	`""`, `"a"`, `"héllo wörld"`, `"\xff\x00"`, "\"a`b\"", `"tab\t\"q\""`, `"日本\u00ad\U000e0001"`}
var containers = []string{`(fromJson "[1,\"a\",null,true,[2.5]]")`, `(fromJson "{\"a\":1.5,\"é\":\"x\",\"n\":null}")`, "."}
var timeValues = []string{"__timestamp__", `(toDateInZone "2006-01-02" "Europe/Berlin" "2021-07-02")`, `(toDateInZone "-0700" "Europe/Berlin" "+0130")`,
	`(toDateInZone "-0700" "Europe/Berlin" "+0000")`, `(toDateInZone "MST" "" "CET")`}

func (s *sweep) directive(format, verb string) {
	ints := ""
	for rest := format; strings.Contains(rest, "*"); {
		at := strings.IndexByte(rest, '*')
		if at == 0 || rest[at-1] != ']' {
			ints += pick(" 7", " -9", " 0", " 3", " 12", " \"x\"", " 1000001", " 1.5", " nil")
		}
		rest = rest[at+1:]
	}
	format = strconv.Quote("%" + format + verb + "|")
	if strings.HasSuffix(verb, ".") || rnd.Intn(8) == 0 {
		format = format[:len(format)-2] + `"` // what ends the format ends there
	}
	values := scalars
	if verb != "p" && verb != "" {
		values = append(values[:len(values):len(values)], containers...)
		if strings.Contains(timeVerbs, verb) {
			values = append(values, timeValues...)
		}
	}
	for _, v := range values {
		s.ask("printf " + format + ints + " " + v + pick("", "", " 7 "+v))
	}
}

func (s *sweep) formats() {
	widths := []string{"", "1", "12", "30", "*", "00", "[2]*", "[9]*", "12345678901"}
	precs := []string{"", ".", ".0", ".1", ".3", ".25", ".*", ".[2]*", ".[9]*", ".-1", "..", ".[1]2", ".10000010"}
	indexes := []string{"", "[1]", "[2]", "[0]", "[9]", "[", "[]", "[x]", "[1x]", "[1", "]", "[99999999999]", "[-1]"}
	for _, v := range verbs {
		for _, f := range flagSets {
			for _, w := range widths[:6] {
				for _, p := range precs[:7] {
					s.directive(f+w+p, string(v))
				}
			}
		}
		for _, f := range []string{"", "#", "+0"} {
			for _, w := range widths {
				for _, p := range precs {
					for _, i := range indexes {
						s.directive(f+w+p+i, string(v))
						s.directive(f+i+w+p, string(v))
					}
				}
			}
		}
	}
}

func (s *sweep) floats() {
	values := []float64{0, 1, 0x1p-44, 0x1p-1021, 1e-7, 2.5, 5e-324, math.MaxFloat64, 0x1p-1022, 0x1.8p-1074, 0x1.fffffffffffffp-1023, 0.1, 1e15, 1e16, 1e17, 123456, 1e6, 999999.5, 0x1.08p0, 0x1.18p0, 0x1.8p0, 0x1.fp0, 1e22, 1e23}
	for e := -1074; e < 1024; e++ {
		s.ask("print " + strconv.FormatFloat(math.Ldexp(1, e), 'x', -1, 64))
	}
	for i := 0; i < 300; i++ {
		if v := math.Abs(math.Float64frombits(rnd.Uint64())); v <= math.MaxFloat64 {
			values = append(values, v)
		}
		values = append(values, math.Float64frombits(rnd.Uint64()>>(12+rnd.Intn(50))), float64(rnd.Intn(100000))/pick10(), math.Ldexp(float64(rnd.Intn(1<<12)), rnd.Intn(40)-20))
	}
	for _, v := range values {
		literal := strconv.FormatFloat(v, "xg"[rnd.Intn(2)], -1, 64)
		if !strings.ContainsAny(literal, ".ep") {
			literal += ".0"
		}
		for _, verb := range "xXeEfFgGbv" {
			for prec := -1; prec < 19; prec++ {
				p := ""
				if prec >= 0 {
					p = "." + strconv.Itoa(prec)
				}
				s.ask(fmt.Sprintf(`printf "%%%s%s%s%c" %s%s`, flagSets[rnd.Intn(32)], pick("", "12", "40"), p, verb, pick("", "-"), literal))
			}
		}
	}
}

func pick10() float64 { return math.Pow(10, float64(rnd.Intn(12))) }

var locations = []string{"", "UTC", "Europe/Berlin", "Europe/London", "America/New_York", "Asia/Kolkata", "Australia/Sydney", "Etc/UTC", "Africa/Abidjan", "Etc/GMT+5", "America/St_Johns", "Africa/Monrovia"}

func dated(layout, zone, text string) string { return fmt.Sprintf("%q %q %q", layout, zone, text) }

// One time, shown in each way.
func (s *sweep) time(layout, zone, text string) {
	t := "(toDateInZone " + dated(layout, zone, text) + ")"
	s.ask("print " + t)
	s.ask("printf \"%#v\" " + t)
	s.ask("unixEpochNanos " + t)
}

func (s *sweep) offsets() {
	layouts := []string{"-0700", "-07:00", "-07", "-070000", "-07:00:00", "Z0700", "Z07:00", "Z07", "Z070000", "Z07:00:00", "MST", "-0700 MST", "MST -0700", "Z07:00 MST"}
	texts := []string{"Z", "UTC", "GMT", "GMT+3", "GMT-11", "GMT+24", "GMT+", "CET", "CEST", "EST", "EDT", "BST", "IST", "WITA", "ChST", "MeST", "AB", "ABCD", "ABCDT", "ABCDEFT", "LMT", "AEST", "NDT", "NDDT", "MMT"}
	for _, sign := range []string{"+", "-", ""} {
		for _, h := range []string{"00", "01", "02", "05", "10", "12", "15", "23", "24", "25", "3"} {
			for _, rest := range []string{"", "00", ":00", "30", ":30", "0000", ":00:00", "0001", ":00:30", "3060", "60", "61"} {
				texts = append(texts, sign+h+rest)
			}
		}
	}
	for _, l := range layouts {
		for _, zone := range locations {
			for _, text := range texts {
				for _, more := range []string{"", " UTC", " CET", " GMT", " EST", " GMT+1"} {
					for _, date := range []string{"", "1975-01-15 12:00:00 ", "2021-07-02 10:00:00 "} {
						if strings.Contains(l, " ") != (more != "") {
							continue
						}
						shown := text + more
						if strings.HasPrefix(l, "MST ") {
							shown = strings.TrimSpace(more) + " " + text
						}
						layout := "2006-01-02 15:04:05 "
						if date == "" {
							layout = ""
						}
						s.time(layout+l, zone, date+shown)
					}
				}
			}
		}
	}
	for _, l := range []string{time.RFC3339, time.RFC3339Nano} {
		for _, zone := range locations {
			for _, text := range texts {
				s.time(l, zone, "2021-07-02T10:00:00"+pick("", ".5", ",123456789", ".1234567890", ".")+text)
			}
		}
	}
}

// Every zone, from before its first transition to behind its last one.
func (s *sweep) zones() {
	const root = "/usr/share/zoneinfo"
	filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		name, _ := filepath.Rel(root, path)
		if err != nil || entry.IsDir() || strings.HasPrefix(name, "right") || strings.HasPrefix(name, "posix") {
			return err
		}
		if _, err := time.LoadLocation(name); err != nil {
			return nil
		}
		for year := 1800; year < 2500; year += 1 + rnd.Intn(8) {
			t := time.Date(year, time.Month(1+rnd.Intn(12)), 1+rnd.Intn(31), rnd.Intn(24), rnd.Intn(60), rnd.Intn(60), 0, time.UTC)
			s.ask("print (toDateInZone " + dated("2006-01-02 15:04:05", name, t.Format("2006-01-02 15:04:05")) + ")")
			s.ask("print (toDateInZone " + dated("2006-01-02 15:04:05 -0700", name, t.Format("2006-01-02 15:04:05 -0700")) + ")")
		}
		for year := 1990; year < 2042; year++ { // around the hours at which it may change
			loc, _ := time.LoadLocation(name)
			t := time.Date(year, 1, 1, 0, 0, 0, 0, loc)
			for {
				_, end := t.ZoneBounds()
				if end.IsZero() || end.Year() != year || !end.After(t) {
					break
				}
				for _, off := range []time.Duration{-3601, -3600, -1, 0, 1, 3599, 3600, 7200} {
					s.ask("print (toDateInZone " + dated("2006-01-02 15:04:05", name, end.Add(off*time.Second).Format("2006-01-02 15:04:05")) + ")")
				}
				t = end
			}
		}
		return nil
	})
}

// Each element of a layout before each other one: written, read back, and read from a text that is nearly one.
func (s *sweep) layouts() {
	elements := []string{"January", "Jan", "1", "01", "Monday", "Mon", "2", "_2", "02", "002", "__2", "15", "3", "03", "4", "04", "5", "05", "2006", "06", "PM", "pm", "MST", "Z0700", "Z070000", "Z07", "Z07:00",
		"Z07:00:00", "-0700", "-070000", "-07", "-07:00", "-07:00:00", ".000", ",000", ".999", ",999999999", ".0", ".00000000000", ".99999999999", ".9", "05.00", "x", "_", "_2006", "%"}
	for _, a := range elements {
		for _, b := range elements {
			for _, between := range []string{"", " ", ":", "  ", "x", "-", "."} {
				layout := a + between + b + pick("", "", " 2006-01-02 15:04:05")
				loc, _ := time.LoadLocation(locations[rnd.Intn(len(locations))])
				t := time.Unix(rnd.Int63n(6e9)-3e9, rnd.Int63n(1e9)/int64(pick10())*int64(pick10())%1e9).In(loc)
				text := t.Format(layout)
				s.ask("date " + strconv.Quote(layout) + " __timestamp__")
				s.ask(fmt.Sprintf("date %q %d", layout, rnd.Int63n(1<<uint(20+rnd.Intn(36)))-rnd.Int63n(1e12)))
				s.time(layout, locations[rnd.Intn(len(locations))], text)
				if len(text) > 0 {
					i := rnd.Intn(len(text))
					text = text[:i] + pick("", "x", " ", "9", "0", "1", "Z", "+", "-", ".", ":", "00") + text[i+rnd.Intn(2):]
				}
				s.time(layout, locations[rnd.Intn(len(locations))], text)
			}
		}
	}
}
