// unicode_tables writes the Unicode tables that follow Go's: which runes strconv.Quote prints as they are, and the
// classes and case folding of package regexp. Run it from the top of the tree after a new Go brings a new Unicode:
//
//	go run tests/support/unicode_tables/main.go
package main

import (
	"bufio"
	"fmt"
	"os"
	"sort"
	"strings"
	"unicode"
)

const note = "/* Made by tests/support/unicode_tables/main.go from Go's package unicode (Unicode %s). Do not edit. */\n"

type rng struct{ lo, hi rune }

func ranges(t *unicode.RangeTable) []rng {
	var out []rng
	unicodeRunes(t, func(lo, hi rune) {
		if n := len(out); n > 0 && out[n-1].hi+1 == lo {
			out[n-1].hi = hi
			return
		}
		out = append(out, rng{lo, hi})
	})
	return out
}

func unicodeRunes(t *unicode.RangeTable, add func(lo, hi rune)) {
	each := func(lo, hi, stride rune) {
		if stride == 1 {
			add(lo, hi)
			return
		}
		for c := lo; c <= hi; c += stride {
			add(c, c)
		}
	}
	for _, r := range t.R16 {
		each(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	for _, r := range t.R32 {
		each(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
}

// writer breaks lines of numbers before column 100.
type writer struct {
	*bufio.Writer
	col int
}

func (w *writer) item(s string) {
	if w.col+len(s)+1 > 98 {
		w.WriteString("\n")
		w.col = 0
	}
	if w.col == 0 {
		w.WriteString("    ")
		w.col = 4
	} else {
		w.WriteString(" ")
		w.col++
	}
	w.WriteString(s)
	w.col += len(s)
}

func (w *writer) end(s string) {
	w.WriteString("\n" + s)
	w.col = 0
}

func create(path string) (*writer, func()) {
	f, err := os.Create(path)
	if err != nil {
		panic(err)
	}
	w := &writer{Writer: bufio.NewWriter(f)}
	fmt.Fprintf(w, note, unicode.Version)
	return w, func() {
		if err := w.Flush(); err != nil {
			panic(err)
		}
		f.Close()
	}
}

func writePrintable(path string) {
	w, done := create(path)
	defer done()
	w.WriteString("#ifndef CW_LABELS_QUOTE_TABLES_H\n#define CW_LABELS_QUOTE_TABLES_H\n#include <stdint.h>\n\n" +
		"/* First and last rune of each range that Go's strconv.IsPrint accepts. */\n" +
		"// clang-format off\nstatic const uint32_t printable_ranges[][2] = {\n")
	first := rune(-1)
	for r := rune(0); r <= unicode.MaxRune+1; r++ {
		p := r <= unicode.MaxRune && unicode.IsPrint(r)
		if p && first < 0 {
			first = r
		} else if !p && first >= 0 {
			w.item(fmt.Sprintf("{%d, %d},", first, r-1))
			first = -1
		}
	}
	w.end("};\n// clang-format on\n\n#endif\n")
}

func writeClasses(path string) {
	w, done := create(path)
	defer done()
	w.WriteString("#include \"common/match/regex_unicode.h\"\n\n// clang-format off\n" +
		"const struct cw_rune_range cw_unicode_ranges[] = {\n")
	type entry struct {
		name   string
		kind   string
		off, n int
	}
	var index []entry
	off := 0
	emit := func(kind, name string, t *unicode.RangeTable) {
		rs := ranges(t)
		for _, r := range rs {
			w.item(fmt.Sprintf("{%d,%d},", r.lo, r.hi))
		}
		index = append(index, entry{name, kind, off, len(rs)})
		off += len(rs)
	}
	table := func(kind string, m map[string]*unicode.RangeTable, want func(string) bool) {
		var names []string
		for name := range m {
			if want(name) {
				names = append(names, name)
			}
		}
		sort.Strings(names)
		for _, name := range names {
			emit(kind, name, m[name])
		}
	}
	all := func(string) bool { return true }
	table("CATEGORY", unicode.Categories, func(n string) bool { return len(n) == 2 && n != "LC" })
	table("SCRIPT", unicode.Scripts, all)
	table("FOLD_CATEGORY", unicode.FoldCategory, all)
	table("FOLD_SCRIPT", unicode.FoldScript, all)
	w.end("};\n\nconst struct cw_unicode_table cw_unicode_tables[] = {\n")
	for _, e := range index {
		w.item(fmt.Sprintf("{%q, CW_UNICODE_%s, %d, %d},", e.name, e.kind, e.off, e.n))
	}
	w.end("};\nconst size_t cw_unicode_ntables = sizeof(cw_unicode_tables) / sizeof(cw_unicode_tables[0]);\n\n" +
		"const struct cw_unicode_alias cw_unicode_aliases[] = {\n")
	var aliases []string
	for name := range unicode.CategoryAliases {
		aliases = append(aliases, name)
	}
	sort.Strings(aliases)
	for _, name := range aliases {
		plain := strings.ReplaceAll(name, "_", "")
		w.item(fmt.Sprintf("{%q, %q},", strings.ToUpper(plain[:1])+strings.ToLower(plain[1:]), unicode.CategoryAliases[name]))
	}
	w.end("};\nconst size_t cw_unicode_naliases = sizeof(cw_unicode_aliases) / sizeof(cw_unicode_aliases[0]);\n// clang-format on\n")
}

func writeFolds(path string) {
	w, done := create(path)
	defer done()
	w.WriteString("#include \"common/match/regex_unicode.h\"\n\n// clang-format off\n" +
		"const struct cw_rune_fold cw_unicode_folds[] = {\n")
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if f := unicode.SimpleFold(r); f != r {
			w.item(fmt.Sprintf("{%d,%d},", r, f))
		}
	}
	w.end("};\nconst size_t cw_unicode_nfolds = sizeof(cw_unicode_folds) / sizeof(cw_unicode_folds[0]);\n// clang-format on\n")
}

func writeCases(path string) {
	w, done := create(path)
	defer done()
	w.WriteString("#include \"common/template/go_case.h\"\n\n#include \"common/base/assert.h\"\n\n// clang-format off\n" +
		"const struct cw_go_case_range cw_go_case_ranges[] = {\n")
	for _, r := range unicode.CaseRanges {
		w.item(fmt.Sprintf("{%d, %d, {%d, %d, %d}},", r.Lo, r.Hi, r.Delta[0], r.Delta[1], r.Delta[2]))
	}
	w.end("};\n// clang-format on\nconst size_t cw_go_ncase_ranges = CW_COUNT(cw_go_case_ranges);\n")
}

func main() {
	writePrintable("common/labels/quote_tables.h")
	writeClasses("common/match/regex_unicode_tables.c")
	writeFolds("common/match/regex_unicode_folds.c")
	writeCases("common/template/go_case_tables.c")
}
