// regex_go holds common/match's regular expressions against Go's: random patterns and texts go to Go and, over a pipe, to
// the C driver regex_probe; compile errors, matches and captures must be the same.
//
//	go run main.go -probe BUILD/tests/support/regex_probe -n 2000 [-seed 1]
package main

import (
	"bufio"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

var (
	probe  = flag.String("probe", "", "path of regex_probe")
	count  = flag.Int("n", 2000, "patterns")
	seed   = flag.Int64("seed", 1, "of the random patterns")
	rnd    *rand.Rand
	namedC = regexpSupportsAngleNames()
)

// Go 1.22 brought (?<name>...).
func regexpSupportsAngleNames() bool {
	_, err := regexp.Compile(`(?<a>b)`)
	return err == nil
}

func pick(s ...string) string { return s[rnd.Intn(len(s))] }

var words = []string{"a", "b", "ab", "foo", "bar", "x", "1", "42", "é", "世", "ß", "K", "s", "ſ", "\u212a", "-", ".", " ", "\n",
	"_", "Z", "\ufffd", "😀", "\xff", "\x80", "\xc3", "\x00", "]", "{", "}"}

func text() string {
	var b strings.Builder
	for n := rnd.Intn(9); n > 0; n-- {
		b.WriteString(words[rnd.Intn(len(words))])
	}
	if rnd.Intn(12) == 0 {
		for n := rnd.Intn(30); n > 0; n-- {
			b.WriteString(pick("a", "ab", "foo"))
		}
	}
	return b.String()
}

func class() string {
	var b strings.Builder
	b.WriteString(pick("[", "[", "[^"))
	for n := 1 + rnd.Intn(3); n > 0; n-- {
		b.WriteString(pick("a", "b", "x", "a-c", "0-9", "é", "世", "α-ω", `\d`, `\w`, `\s`, `\S`, `\pL`, `[:alpha:]`, `[:^digit:]`, `[:space:]`,
			`\n`, `\x41`, `\x{e9}`, `-`, `.`, "]", "z-a", `\-`, "K", "k", "s", `\PN`, "A-Z", `\x{10000}-\x{10ffff}`, `[:foo:]`, "\ufffd"))
	}
	return b.String() + pick("]", "]", "]", "]", "]", "]", "]", "]", "")
}

func atom(depth int) string {
	if depth > 0 && rnd.Intn(3) == 0 {
		in := pattern(depth - 1)
		switch rnd.Intn(10) {
		case 0:
			return "(?:" + in + ")"
		case 1:
			return "(?P<n>" + in + ")"
		case 2:
			if namedC {
				return "(?<n>" + in + ")"
			}
			return "(" + in + ")"
		case 3:
			return "(?i:" + in + ")"
		case 4:
			return "(?s:" + in + ")"
		case 5:
			return "(?m:" + in + ")"
		case 6:
			return "(?U:" + in + ")"
		default:
			return "(" + in + ")"
		}
	}
	switch rnd.Intn(14) {
	case 0, 1:
		return class()
	case 2:
		return pick(`\d`, `\D`, `\w`, `\W`, `\s`, `\S`, `\pL`, `\p{Greek}`, `\PL`, `\p{^Lu}`, `\p{Lu}`, `\p{Han}`, `\p{Foo}`)
	case 3:
		return pick("^", "$", `\A`, `\z`, `\b`, `\B`, "(?m)^", "(?m)$", "(?i)", "(?-i)", "(?s)", "(?U)")
	case 4, 5:
		return pick(".", ".", "(?s:.)")
	case 6:
		return pick(`\.`, `\x41`, `\x{e9}`, `\n`, `\t`, `\141`, `\0`, `\Qa.b\E`, `\Q*`, `\-`, `\\`, `\x{fffd}`)
	case 7:
		if rnd.Intn(6) == 0 {
			if namedC && rnd.Intn(20) == 0 {
				return "(?<=a)" // a bad name to newer Gos, bad syntax to older ones
			}
			return pick(`\q`, `\1`, `\8`, `\x`, `\xg1`, `\x{}`, `\x{110000}`, `\C`, `(?=a)`, `(?!a)`, `(?P=n)`, `(?P<1-2>a)`,
				`(?i`, `(?`, "(", ")", "*", "+", "?", `\`, "[", "a**", "a{2}{3}", "x{1001}", "x{2,1}", "(x{100}){100}", "(?z)", "\xff", "(?P<>a)",
				"(?P<n", "a{,2}", "a{", "{2}", "|*", "(*)", `\pX`, `\p{`, "[[:foo:]]", "(?i-)", "(?-)", "(?-:a)", `\Z`)
		}
		return pick("a", "foo")
	default:
		return pick("a", "b", "c", "foo", "bar", "ab", "x", "1", "é", "世", "K", "s", "ß", "Ab", "-", " ", "_", "\n", "{", "}", "😀")
	}
}

func piece(depth int) string {
	s := atom(depth)
	switch rnd.Intn(8) {
	case 0:
		s += pick("*", "*?")
	case 1:
		s += pick("+", "+?")
	case 2:
		s += pick("?", "??")
	case 3:
		if rnd.Intn(2) == 0 {
			s += pick("{2}", "{0}", "{1,2}", "{2,}", "{0,3}?", "{1,3}", "{0,1}", "{1}", "{3,}?")
		}
	}
	return s
}

func pattern(depth int) string {
	var b strings.Builder
	for alt := 1 + rnd.Intn(5)/3; alt > 0; alt-- {
		for n := rnd.Intn(4); n >= 0; n-- {
			b.WriteString(piece(depth))
		}
		if alt > 1 {
			b.WriteString("|")
			if rnd.Intn(10) == 0 {
				b.WriteString("|")
			}
		}
	}
	return b.String()
}

// answer is what regex_probe prints: "E TEXT", "N", or "M 0-3 -" and so on.
func answer(re *regexp.Regexp, err error, s string) string {
	if err != nil {
		return "E " + hex.EncodeToString([]byte(err.Error()))
	}
	loc := re.FindStringSubmatchIndex(s)
	if loc == nil {
		return "N"
	}
	out := "M"
	for i := 0; i < len(loc); i += 2 {
		if loc[i] < 0 {
			out += " -"
		} else {
			out += fmt.Sprintf(" %d-%d", loc[i], loc[i+1])
		}
	}
	return out
}

func die(format string, args ...interface{}) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(2)
}

func main() {
	flag.Parse()
	rnd = rand.New(rand.NewSource(*seed))
	cmd := exec.Command(*probe)
	in, err := cmd.StdinPipe()
	if err != nil {
		die("%v", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		die("%v", err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		die("%v", err)
	}
	lines := bufio.NewReaderSize(out, 1<<20)
	checks, failed := 0, 0
	for i := 0; i < *count; i++ {
		mode := pick("s", "s", "f", "d") // search, full match with (?s), search with (?s)
		p := pattern(2)
		re, err := compile(mode, p)
		for t := 0; t < 6; t++ {
			s := text()
			fmt.Fprintf(in, "%s %s %s\n", mode, hexed(p), hexed(s))
			line, rerr := lines.ReadString('\n')
			if rerr != nil && rerr != io.EOF || line == "" {
				die("regex_probe died on pattern %q mode %s text %q", p, mode, s)
			}
			checks++
			want, got := answer(re, err, s), strings.TrimSpace(line)
			if want != got {
				failed++
				if failed <= 20 {
					fmt.Printf("mode %s pattern %q text %q\n  want %s\n  got  %s\n", mode, p, s, shown(want), shown(got))
				}
			}
			if err != nil {
				break
			}
		}
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		die("regex_probe: %v", err)
	}
	fmt.Printf("%d patterns, %d checks, %d differences\n", *count, checks, failed)
	if failed > 0 {
		os.Exit(1)
	}
}

// compile does what cw_regex_compile's flags mean; errors are those of the bare pattern.
func compile(mode, p string) (*regexp.Regexp, error) {
	flags := ""
	if mode != "s" {
		flags = "(?s)"
	}
	re, err := regexp.Compile(p)
	if err != nil {
		return nil, err
	}
	if mode == "f" {
		re, err = regexp.Compile(`\A(?s:` + p + `)\z`)
		if err != nil { // an open \Q swallowed the end
			re, err = regexp.Compile(`\A(?s:` + p + `\E)\z`)
		}
	} else if flags != "" {
		re, err = regexp.Compile(flags + p)
	}
	return re, err
}

func hexed(s string) string {
	if s == "" {
		return "-"
	}
	return hex.EncodeToString([]byte(s))
}

func shown(s string) string {
	if strings.HasPrefix(s, "E ") {
		if b, err := hex.DecodeString(s[2:]); err == nil {
			return "E " + string(b)
		}
	}
	return s
}
