#include "common/match/regex_print.h"

#include "common/base/assert.h"

static void print_rune(uint32_t rune, struct cw_buf *out)
{
    if ((rune >= '0' && rune <= '9') || (rune >= 'a' && rune <= 'z') ||
        (rune >= 'A' && rune <= 'Z') || rune == '_' || rune == ' ')
        cw_buf_addc(out, (char)rune);
    else if (rune > ' ' && rune < 0x7F)
        cw_buf_addf(out, "\\%c", (char)rune);
    else
        cw_buf_addf(out, "\\x{%x}", rune);
}

static void print_range(uint32_t lo, uint32_t hi, struct cw_buf *out)
{
    print_rune(lo, out);
    if (hi > lo) {
        if (hi > lo + 1)
            cw_buf_addc(out, '-');
        print_rune(hi, out);
    }
}

/* PCRE2 refuses surrogates, and no valid text holds one. */
static void print_range_utf(uint32_t lo, uint32_t hi, struct cw_buf *out)
{
    if (lo < 0xD800)
        print_range(lo, CW_MIN(hi, 0xD7FFu), out);
    if (hi > 0xDFFF)
        print_range(CW_MAX(lo, 0xE000u), hi, out);
}

static void print_class(const struct cw_rune_range *ranges, size_t n, enum cw_re_text text,
                        struct cw_buf *out)
{
    /* What holds all runes up from some ASCII one is shorter, and faster to run, as what it does not hold. */
    bool negate = n > 0 && ranges[n - 1].hi == CW_RUNE_MAX && ranges[n - 1].lo <= 0x80;
    size_t start = out->len;
    uint32_t next = 0;
    cw_buf_addz(out, negate ? "[^" : "[");
    size_t empty = out->len;
    for (size_t i = 0; i < n; i++) {
        uint32_t lo = negate ? next : ranges[i].lo, hi = ranges[i].hi;
        if (negate) {
            next = hi + 1;
            if (ranges[i].lo == 0)
                continue;
            hi = ranges[i].lo - 1;
        }
        if (text == CW_RE_TEXT_UTF8)
            print_range_utf(lo, hi, out);
        else if (lo < 0x80)
            print_range(lo, CW_MIN(hi, 0x7Fu), out);
    }
    if (out->len == empty) {
        out->len = start;
        cw_buf_addz(out, negate ? "." : "(?!)");
    } else {
        cw_buf_addc(out, ']');
    }
}

static void print_folded(const struct cw_re_node *node, enum cw_re_text text, struct cw_buf *out)
{
    if (text == CW_RE_TEXT_ASCII)
        cw_buf_addz(out, "(?i:");
    for (size_t i = 0; i < node->nrunes; i++) {
        uint32_t rune = node->runes[i];
        if (text == CW_RE_TEXT_ASCII || cw_rune_fold(rune) == rune) {
            print_rune(rune, out);
            continue;
        }
        cw_buf_addc(out, '[');
        uint32_t r = rune;
        do {
            print_rune(r, out);
            r = cw_rune_fold(r);
        } while (r != rune);
        cw_buf_addc(out, ']');
    }
    if (text == CW_RE_TEXT_ASCII)
        cw_buf_addc(out, ')');
}

static void print_literal(const struct cw_re_node *node, enum cw_re_text text, struct cw_buf *out)
{
    for (size_t i = 0; i < node->nrunes; i++) {
        uint32_t rune = node->runes[i];
        if ((text == CW_RE_TEXT_ASCII && rune >= 0x80) || (rune >= 0xD800 && rune <= 0xDFFF)) {
            cw_buf_addz(out, "(?!)");
            return;
        }
    }
    if (node->fold) {
        print_folded(node, text, out);
        return;
    }
    for (size_t i = 0; i < node->nrunes; i++)
        print_rune(node->runes[i], out);
}

static void print_repeat(const struct cw_re_node *node, enum cw_re_text text, struct cw_buf *out)
{
    const struct cw_re_node *sub = node->subs[0];
    bool atom =
        sub->op == CW_RE_CLASS || sub->op == CW_RE_ANY || sub->op == CW_RE_ANY_NOT_NL ||
        sub->op == CW_RE_CAPTURE ||
        (sub->op == CW_RE_LITERAL && sub->nrunes == 1 && sub->runes[0] < 0x80 && !sub->fold);
    if (!atom)
        cw_buf_addz(out, "(?:");
    cw_regex_print(sub, text, out);
    if (!atom)
        cw_buf_addc(out, ')');
    if (node->max == CW_RE_NO_MAX && node->min <= 1)
        cw_buf_addc(out, node->min == 0 ? '*' : '+');
    else if (node->min == 0 && node->max == 1)
        cw_buf_addc(out, '?');
    else if (node->max == CW_RE_NO_MAX)
        cw_buf_addf(out, "{%d,}", node->min);
    else
        cw_buf_addf(out, "{%d,%d}", node->min, node->max);
    if (node->lazy)
        cw_buf_addc(out, '?');
}

void cw_regex_print(const struct cw_re_node *node, enum cw_re_text text, struct cw_buf *out)
{
    switch (node->op) {
    case CW_RE_EMPTY: cw_buf_addz(out, "(?:)"); break;
    case CW_RE_LITERAL: print_literal(node, text, out); break;
    case CW_RE_CLASS: print_class(node->ranges, node->nranges, text, out); break;
    case CW_RE_ANY: cw_buf_addc(out, '.'); break;
    case CW_RE_ANY_NOT_NL: cw_buf_addz(out, "\\N"); break;
    case CW_RE_BEGIN_TEXT: cw_buf_addz(out, "\\A"); break;
    case CW_RE_END_TEXT: cw_buf_addz(out, "\\z"); break;
    case CW_RE_BEGIN_LINE: cw_buf_addz(out, "(?<![^\\n])"); break; /* also behind a last newline */
    case CW_RE_END_LINE: cw_buf_addz(out, "(?![^\\n])"); break;
    case CW_RE_WORD_BOUNDARY: cw_buf_addz(out, "\\b"); break;
    case CW_RE_NO_WORD_BOUNDARY: cw_buf_addz(out, "\\B"); break;
    case CW_RE_CAPTURE:
        cw_buf_addc(out, '(');
        cw_regex_print(node->subs[0], text, out);
        cw_buf_addc(out, ')');
        break;
    case CW_RE_REPEAT: print_repeat(node, text, out); break;
    case CW_RE_CONCAT:
        for (size_t i = 0; i < node->nsubs; i++)
            cw_regex_print(node->subs[i], text, out);
        break;
    case CW_RE_ALTERNATE:
        cw_buf_addz(out, "(?:");
        for (size_t i = 0; i < node->nsubs; i++) {
            if (i > 0)
                cw_buf_addc(out, '|');
            cw_regex_print(node->subs[i], text, out);
        }
        cw_buf_addc(out, ')');
        break;
    }
}
