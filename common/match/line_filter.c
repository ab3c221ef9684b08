#include "common/match/line_filter.h"

#include <stdbool.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/match/ip_match.h"
#include "common/match/match_stop.h"
#include "common/match/pattern_match.h"
#include "common/match/regex.h"
#include "common/match/text_search.h"

/* More alternatives than this are faster in one pass of PCRE2 over each line than in a pass each over the block. */
enum { MAX_TEXTS = 8 };

enum operand_kind { OPERAND_TEXT, OPERAND_REGEX, OPERAND_IP, OPERAND_PATTERN };

struct operand {
    enum operand_kind kind;
    char *text; /* owned: the needle of a TEXT */
    /* TEXT: decides. REGEX and PATTERN: every line that matches holds it; an empty needle says nothing. */
    struct cw_text_search search;
    struct cw_regex *regex;
    struct cw_pattern_match *pattern;
    struct cw_ip_match ip;
};

struct cw_line_filter {
    enum cw_filter_op op;
    struct operand *operands; /* a line holds any of them */
    size_t n;
};

bool cw_line_filter_negated(const struct cw_line_filter *filter)
{
    return filter->op == CW_FILTER_NOT_CONTAINS || filter->op == CW_FILTER_NOT_RE ||
           filter->op == CW_FILTER_NOT_PATTERN;
}

int cw_line_filter_new(enum cw_filter_op op, struct cw_line_filter **out, struct cw_err *err)
{
    if (op > CW_FILTER_NOT_PATTERN)
        return cw_err_set(err, CW_E_INVALID, "unknown line filter");
    *out = cw_mem_new(sizeof **out);
    (*out)->op = op;
    return 0;
}

void cw_line_filter_free(struct cw_line_filter **filter)
{
    if (*filter == NULL)
        return;
    for (size_t i = 0; i < (*filter)->n; i++) {
        struct operand *operand = &(*filter)->operands[i];
        free(operand->text);
        cw_regex_free(&operand->regex);
        cw_pattern_match_free(&operand->pattern);
    }
    free((*filter)->operands);
    free(*filter);
    *filter = NULL;
}

static struct operand *operand_new(struct cw_line_filter *filter, enum operand_kind kind)
{
    filter->operands =
        cw_mem_resize(filter->operands, (filter->n + 1) * sizeof filter->operands[0]);
    struct operand *operand = &filter->operands[filter->n++];
    memset(operand, 0, sizeof *operand);
    operand->kind = kind;
    cw_text_search_init(&operand->search, CW_STR(""), false);
    return operand;
}

static void add_text(struct cw_line_filter *filter, struct cw_str text, bool nocase)
{
    struct operand *operand = operand_new(filter, OPERAND_TEXT);
    operand->text = cw_str_dupz(text);
    cw_text_search_init(&operand->search, cw_str_make(operand->text, text.len), nocase);
}

/* An expression of few literals is searched as such; with (?i) up to ASCII case, which is how Loki does it. */
static int add_regex(struct cw_line_filter *filter, struct cw_str pattern, struct cw_err *err)
{
    struct cw_regex *regex;
    int rc = cw_regex_compile(pattern, CW_REGEX_SEARCH, &regex, err);
    if (rc < 0)
        return rc;
    bool nocase;
    size_t n;
    const struct cw_str *texts = cw_regex_alternatives_nocase(regex, &nocase, &n);
    if (n > 0 && n <= MAX_TEXTS) {
        for (size_t i = 0; i < n; i++)
            add_text(filter, texts[i], nocase);
        cw_regex_free(&regex);
        return 0;
    }
    struct operand *operand = operand_new(filter, OPERAND_REGEX);
    operand->regex = regex;
    struct cw_str literal = cw_regex_literal(regex, &nocase);
    if (literal.len > 0)
        cw_text_search_init(&operand->search, literal, nocase);
    return 0;
}

static int add_pattern(struct cw_line_filter *filter, struct cw_str text, struct cw_err *err)
{
    struct cw_pattern_match *pattern;
    int rc = cw_pattern_match_new(text, &pattern, err);
    if (rc < 0)
        return rc;
    struct operand *operand = operand_new(filter, OPERAND_PATTERN);
    operand->pattern = pattern;
    struct cw_str literal = cw_pattern_match_literal(pattern);
    if (literal.len > 0)
        cw_text_search_init(&operand->search, literal, false);
    return 0;
}

static int add_ip(struct cw_line_filter *filter, struct cw_str text, struct cw_err *err)
{
    if (filter->op != CW_FILTER_CONTAINS && filter->op != CW_FILTER_NOT_CONTAINS)
        return cw_err_set(err, CW_E_INVALID, "ip: invalid operation");
    struct cw_ip_match ip;
    int rc = cw_ip_match_parse(text, &ip, err);
    if (rc < 0)
        return rc;
    operand_new(filter, OPERAND_IP)->ip = ip;
    return 0;
}

int cw_line_filter_add(struct cw_line_filter *filter, struct cw_str operand, int is_ip,
                       struct cw_err *err)
{
    if (is_ip)
        return add_ip(filter, operand, err);
    switch (filter->op) {
    case CW_FILTER_RE:
    case CW_FILTER_NOT_RE: return add_regex(filter, operand, err);
    case CW_FILTER_PATTERN:
    case CW_FILTER_NOT_PATTERN: return add_pattern(filter, operand, err);
    default: add_text(filter, operand, false); return 0;
    }
}

/* ---- what is known of it ---- */

size_t cw_line_filter_noperands(const struct cw_line_filter *filter)
{
    return filter->n;
}

static void pattern_literals(const struct cw_pattern_match *pattern, struct cw_line_operand *out)
{
    struct cw_str text;
    while (out->nliterals < CW_LINE_LITERALS_MAX &&
           cw_pattern_match_literal_at(pattern, out->nliterals, &text))
        out->literals[out->nliterals++] = (struct cw_literal){text, false};
}

static void regex_literals(const struct cw_regex *regex, struct cw_line_operand *out)
{
    size_t n;
    const struct cw_literal *literals = cw_regex_literals(regex, &n);
    out->nliterals = CW_MIN(n, (size_t)CW_LINE_LITERALS_MAX);
    memcpy(out->literals, literals, out->nliterals * sizeof literals[0]);
}

void cw_line_filter_operand(const struct cw_line_filter *filter, size_t i,
                            struct cw_line_operand *out)
{
    const struct operand *operand = &filter->operands[i];
    out->nliterals = 0;
    out->exact = operand->kind == OPERAND_TEXT;
    out->ip = operand->kind == OPERAND_IP ? &operand->ip : NULL;
    if (operand->kind == OPERAND_TEXT)
        out->literals[out->nliterals++] =
            (struct cw_literal){operand->search.needle, operand->search.nocase};
    else if (operand->kind == OPERAND_REGEX)
        regex_literals(operand->regex, out);
    else if (operand->kind == OPERAND_PATTERN)
        pattern_literals(operand->pattern, out);
}

/* ---- one line ---- */

/* For a line that holds operand->search. */
static int confirm(const struct operand *operand, struct cw_str line, struct cw_err *err)
{
    switch (operand->kind) {
    case OPERAND_REGEX:
        if (cw_match_stop_raised())
            return cw_err_set(err, CW_E_CANCELED, "cancelled");
        return cw_regex_match(operand->regex, line, err);
    case OPERAND_IP: return cw_ip_match_find(&operand->ip, line);
    case OPERAND_PATTERN: return cw_pattern_match_test(operand->pattern, line);
    default: return 1;
    }
}

/* Does the line hold any operand? 1, 0 or negative. */
static int holds_any(const struct cw_line_filter *filter, struct cw_str line, struct cw_err *err)
{
    for (size_t i = 0; i < filter->n; i++) {
        const struct operand *operand = &filter->operands[i];
        int rc = cw_text_search_find(&operand->search, line.ptr, line.len) != NULL;
        if (rc > 0)
            rc = confirm(operand, line, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int cw_line_filter_match(const struct cw_line_filter *filter, struct cw_str line,
                         struct cw_err *err)
{
    int rc = holds_any(filter, line, err);
    return rc < 0 ? rc : (rc > 0) != cw_line_filter_negated(filter);
}

/* ---- many lines ---- */

/* Lines that are done at once: their marks fit a few cache lines on the stack. */
enum { CHUNK_LINES = 4096, CHUNK_WORDS = CHUNK_LINES / 64 };
/* With less than one line in so many left, they are looked at one by one. */
enum { SPARSE = 16 };

struct chunk {
    const char *text;
    const uint32_t *offsets; /* of the chunk's first line */
    size_t first, end;       /* lines to look at */
    uint64_t *keep;
    uint64_t hits[CHUNK_WORDS]; /* lines that hold an operand */
};

static bool bit_get(const uint64_t *bits, size_t i)
{
    return bits[i / 64] >> (i % 64) & 1;
}

static void bit_set(uint64_t *bits, size_t i)
{
    bits[i / 64] |= UINT64_C(1) << (i % 64);
}

static struct cw_str chunk_line(const struct chunk *chunk, size_t i)
{
    return cw_str_make(chunk->text + chunk->offsets[i], chunk->offsets[i + 1] - chunk->offsets[i]);
}

/* The line that holds the byte at `off`; it is `line` or a later one. Hits are close together or rare: gallop. */
static size_t line_at(const struct chunk *chunk, size_t line, uint32_t off)
{
    size_t lo = line, width = 1;
    while (lo + width < chunk->end && chunk->offsets[lo + width] <= off) {
        lo += width;
        width *= 2;
    }
    size_t hi = CW_MIN(lo + width, chunk->end); /* offsets[lo] <= off < offsets[hi] */
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (chunk->offsets[mid] <= off)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

/* Mark the lines that hold the operand, searching the whole text for its literal. */
static int mark_by_search(struct chunk *chunk, const struct operand *operand, struct cw_err *err)
{
    const char *at = chunk->text + chunk->offsets[chunk->first];
    const char *end = chunk->text + chunk->offsets[chunk->end];
    size_t line = chunk->first, len = operand->search.needle.len;
    const char *hit;
    while ((hit = cw_text_search_find(&operand->search, at, (size_t)(end - at))) != NULL) {
        line = line_at(chunk, line, (uint32_t)(hit - chunk->text));
        const char *line_end = chunk->text + chunk->offsets[line + 1];
        if (hit + len > line_end) { /* it runs into the next line */
            at = hit + 1;
            continue;
        }
        if (bit_get(chunk->keep, line) && !bit_get(chunk->hits, line)) {
            int rc = confirm(operand, chunk_line(chunk, line), err);
            if (rc < 0)
                return rc;
            if (rc > 0)
                bit_set(chunk->hits, line);
        }
        at = line_end;
        if (at == end)
            break;
    }
    return 0;
}

static int mark_each(struct chunk *chunk, const struct operand *operand, struct cw_err *err)
{
    for (size_t i = chunk->first; i < chunk->end; i++) {
        if (!bit_get(chunk->keep, i) || bit_get(chunk->hits, i))
            continue;
        int rc = confirm(operand, chunk_line(chunk, i), err);
        if (rc < 0)
            return rc;
        if (rc > 0)
            bit_set(chunk->hits, i);
    }
    return 0;
}

/* Few lines are left: each alone. */
static int mark_sparse(const struct cw_line_filter *filter, struct chunk *chunk, struct cw_err *err)
{
    for (size_t word = chunk->first / 64; word <= (chunk->end - 1) / 64; word++) {
        for (uint64_t bits = chunk->keep[word]; bits != 0; bits &= bits - 1) {
            size_t i = 64 * word + (size_t)__builtin_ctzll(bits);
            int rc = holds_any(filter, chunk_line(chunk, i), err);
            if (rc < 0)
                return rc;
            if (rc > 0)
                bit_set(chunk->hits, i);
        }
    }
    return 0;
}

/* From the first to the last kept line; returns how many are kept. */
static size_t narrow(struct chunk *chunk, size_t nwords)
{
    size_t kept = 0;
    chunk->end = 0;
    for (size_t i = 0; i < nwords; i++) {
        uint64_t bits = chunk->keep[i];
        if (bits == 0)
            continue;
        if (kept == 0)
            chunk->first = 64 * i + (size_t)__builtin_ctzll(bits);
        kept += (size_t)__builtin_popcountll(bits);
        chunk->end = 64 * i + 64 - (size_t)__builtin_clzll(bits);
    }
    return kept;
}

static int select_chunk(const struct cw_line_filter *filter, struct chunk *chunk, size_t nlines,
                        struct cw_err *err)
{
    size_t nwords = (nlines + 63) / 64;
    /* Bits behind the last line are not ours to read as lines, nor to change. */
    uint64_t last_mask = nlines % 64 == 0 ? UINT64_MAX : (UINT64_C(1) << (nlines % 64)) - 1;
    uint64_t tail = chunk->keep[nwords - 1] & ~last_mask;
    chunk->keep[nwords - 1] &= last_mask;
    size_t kept = narrow(chunk, nwords);
    memset(chunk->hits, 0, sizeof chunk->hits);
    int rc = 0;
    if (kept > 0 && kept < (chunk->end - chunk->first) / SPARSE) {
        rc = mark_sparse(filter, chunk, err);
    } else if (kept > 0) {
        for (size_t i = 0; i < filter->n && rc == 0; i++) {
            const struct operand *operand = &filter->operands[i];
            rc = operand->search.needle.len > 0 ? mark_by_search(chunk, operand, err)
                                                : mark_each(chunk, operand, err);
        }
    }
    uint64_t flip = cw_line_filter_negated(filter) ? UINT64_MAX : 0;
    for (size_t i = 0; i < nwords && rc == 0; i++)
        chunk->keep[i] &= chunk->hits[i] ^ flip;
    chunk->keep[nwords - 1] |= tail;
    return rc;
}

int cw_line_filter_select(const struct cw_line_filter *filter, const char *text,
                          const uint32_t *offsets, size_t n, uint64_t *keep, struct cw_err *err)
{
    struct chunk chunk = {.text = text};
    for (size_t line = 0; line < n; line += CHUNK_LINES) {
        chunk.offsets = offsets + line;
        chunk.keep = keep + line / 64;
        int rc = select_chunk(filter, &chunk, CW_MIN(n - line, (size_t)CHUNK_LINES), err);
        if (rc < 0)
            return rc;
    }
    return 0;
}
