#include "common/match/regex_literal.h"

#include "common/base/assert.h"
#include "common/base/buf.h"

/* Bounds of what is spelled out as alternatives: a class or a product of groups may stand for many. */
enum { ALTERNATIVES_MAX = 16384, ALTERNATIVES_MAX_BYTES = 4 << 20, CLASS_MAX = 16 };

/* ---- the empty text ---- */

/* May it match without taking text? `boundary`: what \b says, which is false in the empty text. */
static bool takes_nothing(const struct cw_re_node *node, bool boundary)
{
    switch (node->op) {
    case CW_RE_LITERAL:
    case CW_RE_CLASS:
    case CW_RE_ANY:
    case CW_RE_ANY_NOT_NL: return false;
    case CW_RE_WORD_BOUNDARY: return boundary;
    case CW_RE_REPEAT: return node->min == 0 || takes_nothing(node->subs[0], boundary);
    case CW_RE_CAPTURE: return takes_nothing(node->subs[0], boundary);
    case CW_RE_CONCAT:
        for (size_t i = 0; i < node->nsubs; i++)
            if (!takes_nothing(node->subs[i], boundary))
                return false;
        return true;
    case CW_RE_ALTERNATE:
        for (size_t i = 0; i < node->nsubs; i++)
            if (takes_nothing(node->subs[i], boundary))
                return true;
        return false;
    default: return true; /* begin, end, \B and the empty expression */
    }
}

static bool has_empty_loop(const struct cw_re_node *node)
{
    if (node->op == CW_RE_REPEAT && node->max != 1 && takes_nothing(node->subs[0], true))
        return true;
    for (size_t i = 0; i < node->nsubs; i++)
        if (has_empty_loop(node->subs[i]))
            return true;
    return false;
}

/* ---- the required literal ---- */

/* The run of literal text that grows while a sequence is walked, and the longest seen. */
struct scan {
    struct cw_arena *arena;
    struct cw_buf run;
    bool run_nocase, run_letters;
    struct cw_re_facts *out;
};

/* Keep the longest, in order: a full list loses its shortest. */
static void add_literal(struct cw_re_facts *out, struct cw_literal literal)
{
    if (out->nliterals == CW_RE_LITERALS_MAX) {
        size_t shortest = 0;
        for (size_t i = 1; i < out->nliterals; i++)
            if (out->literals[i].text.len < out->literals[shortest].text.len)
                shortest = i;
        if (literal.text.len <= out->literals[shortest].text.len)
            return;
        out->nliterals--;
        memmove(out->literals + shortest, out->literals + shortest + 1,
                (out->nliterals - shortest) * sizeof out->literals[0]);
    }
    out->literals[out->nliterals++] = literal;
}

static void end_run(struct scan *scan)
{
    if (scan->run.len > 0) {
        struct cw_literal literal = {cw_arena_dup(scan->arena, cw_buf_str(&scan->run)),
                                     scan->run_nocase};
        add_literal(scan->out, literal);
        if (literal.text.len > scan->out->literal.len) {
            scan->out->literal = literal.text;
            scan->out->nocase = literal.nocase;
        }
    }
    cw_buf_clear(&scan->run);
    scan->run_nocase = scan->run_letters = false;
}

static bool is_ascii_letter(uint32_t rune)
{
    return (rune | 0x20) >= 'a' && (rune | 0x20) <= 'z' && rune < 0x80;
}

static void scan_literal(struct scan *scan, const struct cw_re_node *node)
{
    for (size_t i = 0; i < node->nrunes; i++) {
        uint32_t rune = node->runes[i];
        bool folds = node->fold && cw_rune_fold(rune) != rune;
        /* U+FFFD also stands for bytes that are not UTF-8; s and k are also the long s and the Kelvin sign. */
        if (rune == CW_RUNE_ERROR ||
            (folds && (!is_ascii_letter(rune) || (rune | 0x20) == 's' || (rune | 0x20) == 'k'))) {
            end_run(scan);
            continue;
        }
        bool cased = is_ascii_letter(rune);
        if (cased && scan->run_letters && scan->run_nocase != folds)
            end_run(scan);
        if (cased) {
            scan->run_letters = true;
            scan->run_nocase = folds;
        }
        char bytes[4];
        size_t n = cw_utf8_encode(folds ? rune | 0x20 : rune, bytes);
        cw_buf_add(&scan->run, bytes, n);
    }
}

static void scan_node(struct scan *scan, const struct cw_re_node *node)
{
    switch (node->op) {
    case CW_RE_LITERAL: scan_literal(scan, node); break;
    case CW_RE_CAPTURE: scan_node(scan, node->subs[0]); break;
    case CW_RE_CONCAT:
        for (size_t i = 0; i < node->nsubs; i++)
            scan_node(scan, node->subs[i]);
        break;
    case CW_RE_REPEAT:
        if (node->min == 1 && node->max == 1) {
            scan_node(scan, node->subs[0]);
        } else {
            end_run(scan);
            if (node->min > 0) { /* its body is there at least once, with who knows what around */
                scan_node(scan, node->subs[0]);
                end_run(scan);
            }
        }
        break;
    case CW_RE_CLASS:
    case CW_RE_ANY:
    case CW_RE_ANY_NOT_NL:
    case CW_RE_ALTERNATE: end_run(scan); break;
    default: break; /* takes no text: what is before and behind it touch */
    }
}

/* ---- alternatives ---- */

/* Of the whole expression. */
struct expansion {
    struct cw_arena *arena;
    size_t bytes; /* of all texts ever made, halfway ones too */
    bool nocase;
    bool cased; /* a letter was seen that is not folded */
};

struct texts {
    struct expansion *of;
    struct cw_str *items;
    size_t n, cap;
};

static bool texts_add(struct texts *texts, struct cw_str text)
{
    texts->of->bytes += text.len + sizeof text;
    if (texts->n == ALTERNATIVES_MAX || texts->of->bytes > ALTERNATIVES_MAX_BYTES)
        return false;
    texts->items = cw_arena_grow(texts->of->arena, texts->items, texts->n, &texts->cap,
                                 texts->n + 1, sizeof texts->items[0]);
    texts->items[texts->n++] = text;
    return true;
}

static bool expand(const struct cw_re_node *node, struct texts *out);

static bool expand_literal(const struct cw_re_node *node, struct texts *out)
{
    char *text = cw_arena_alloc(out->of->arena, 4 * node->nrunes);
    size_t n = 0;
    for (size_t i = 0; i < node->nrunes; i++) {
        uint32_t rune = node->runes[i];
        bool folds = cw_rune_fold(rune) != rune;
        if (rune == CW_RUNE_ERROR || (rune >= 0xD800 && rune <= 0xDFFF))
            return false;
        if (folds && node->fold) {
            if (!is_ascii_letter(rune))
                return false;
            out->of->nocase = true;
            rune |= 0x20;
        } else if (folds) {
            out->of->cased = true;
        }
        n += cw_utf8_encode(rune, text + n);
    }
    return texts_add(out, cw_str_make(text, n));
}

static bool expand_class(const struct cw_re_node *node, struct texts *out)
{
    size_t n = 0;
    for (size_t i = 0; i < node->nranges; i++) {
        for (uint32_t rune = node->ranges[i].lo; rune <= node->ranges[i].hi; rune++) {
            if (++n > CLASS_MAX || rune == CW_RUNE_ERROR || (rune >= 0xD800 && rune <= 0xDFFF))
                return false;
            if (cw_rune_fold(rune) != rune)
                out->of->cased = true;
            char bytes[4];
            if (!texts_add(out, cw_arena_dup(out->of->arena,
                                             cw_str_make(bytes, cw_utf8_encode(rune, bytes)))))
                return false;
        }
    }
    return true;
}

/* left x right, in order. */
static bool multiply(const struct texts *left, const struct texts *right, struct texts *out)
{
    for (size_t i = 0; i < left->n; i++) {
        for (size_t j = 0; j < right->n; j++) {
            struct cw_str a = left->items[i], b = right->items[j];
            char *text = cw_arena_alloc(out->of->arena, a.len + b.len);
            memcpy(text, a.ptr, a.len);
            memcpy(text + a.len, b.ptr, b.len);
            if (!texts_add(out, cw_str_make(text, a.len + b.len)))
                return false;
        }
    }
    return true;
}

static bool expand_sequence(struct cw_re_node *const *subs, size_t n, struct texts *out)
{
    struct texts sum = {.of = out->of};
    if (!texts_add(&sum, CW_STR("")))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct texts part = {.of = out->of}, next = {.of = out->of};
        if (!expand(subs[i], &part) || !multiply(&sum, &part, &next))
            return false;
        sum = next;
    }
    for (size_t i = 0; i < sum.n; i++)
        if (!texts_add(out, sum.items[i]))
            return false;
    return true;
}

/* Add all texts that the node may be; false when they are too many, or not only literal. */
static bool expand(const struct cw_re_node *node, struct texts *out)
{
    switch (node->op) {
    case CW_RE_EMPTY: return texts_add(out, CW_STR(""));
    case CW_RE_LITERAL: return expand_literal(node, out);
    case CW_RE_CLASS: return expand_class(node, out);
    case CW_RE_CAPTURE: return expand(node->subs[0], out);
    case CW_RE_REPEAT:
        if (node->max != 1)
            return false;
        return expand(node->subs[0], out) && (node->min == 1 || texts_add(out, CW_STR("")));
    case CW_RE_CONCAT: return expand_sequence(node->subs, node->nsubs, out);
    case CW_RE_ALTERNATE:
        for (size_t i = 0; i < node->nsubs; i++)
            if (!expand(node->subs[i], out))
                return false;
        return true;
    default: return false;
    }
}

/* At the ends of a search `.*` changes nothing, at those of a full match \A and \z. */
static bool changes_nothing(const struct cw_re_node *node, bool full, bool first)
{
    if (full)
        return node->op == (first ? CW_RE_BEGIN_TEXT : CW_RE_END_TEXT);
    while (node->op == CW_RE_CAPTURE)
        node = node->subs[0];
    return node->op == CW_RE_REPEAT && node->min == 0 && node->max == CW_RE_NO_MAX &&
           (node->subs[0]->op == CW_RE_ANY || node->subs[0]->op == CW_RE_ANY_NOT_NL);
}

static bool expand_root(const struct cw_re_node *root, bool full, struct texts *out)
{
    struct cw_re_node *self = (struct cw_re_node *)root; /* only read */
    struct cw_re_node *const *subs = root->op == CW_RE_CONCAT ? root->subs : &self;
    size_t first = 0, end = root->op == CW_RE_CONCAT ? root->nsubs : 1;
    while (first < end && changes_nothing(subs[first], full, true))
        first++;
    while (end > first && changes_nothing(subs[end - 1], full, false))
        end--;
    return expand_sequence(subs + first, end - first, out);
}

void cw_regex_facts(const struct cw_re_node *root, bool full, struct cw_arena *arena,
                    struct cw_re_facts *out)
{
    *out = (struct cw_re_facts){.matches_empty = takes_nothing(root, false),
                                .empty_loop = has_empty_loop(root)};
    struct scan scan = {.arena = arena, .out = out};
    cw_buf_init(&scan.run, SIZE_MAX);
    scan_node(&scan, root);
    end_run(&scan);
    cw_buf_fini(&scan.run);

    struct expansion of = {.arena = arena};
    struct texts texts = {.of = &of};
    if (expand_root(root, full, &texts) && !(of.nocase && of.cased)) {
        out->alternatives = texts.items;
        out->nalternatives = texts.n;
        out->alternatives_nocase = of.nocase;
    }
}
