#include "tests/support/match_model.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/store/block_reader.h"
#include "common/store/block_writer.h"
#include "common/store/template_match.h"
#include "common/store/text_grams.h"
#include "tests/support/part_model.h"

enum { KEEP_WORDS = CW_BLOCK_ROWS_MAX / 64, OPERANDS_MAX = 3, FILTERS_MAX = 4 };

struct match_model {
    struct cw_buf bytes, filter, text; /* text: of all lines */
    uint32_t *offsets;
    uint32_t n;
    struct cw_block *block;
    struct cw_template_block *tb;
    struct cw_part_cache *cache; /* every other query reads from it */
    struct cw_cache_slot slots[2];
    bool has_values;
    struct cw_text_grams *grams; /* NULL: of no block of templates */
};

struct match_model *match_model_of_block(struct cw_str block, struct cw_str filter,
                                         const struct cw_str *lines, size_t n)
{
    struct match_model *m = cw_mem_new(sizeof(*m));
    struct cw_err err;
    cw_buf_init(&m->bytes, SIZE_MAX);
    cw_buf_init(&m->filter, SIZE_MAX);
    cw_buf_init(&m->text, SIZE_MAX);
    cw_buf_adds(&m->bytes, block);
    cw_buf_adds(&m->filter, filter);
    m->n = (uint32_t)n;
    m->offsets = cw_mem_array(n + 1, sizeof(*m->offsets));
    for (size_t i = 0; i < n; i++) {
        cw_buf_adds(&m->text, lines[i]);
        m->offsets[i + 1] = (uint32_t)m->text.len;
    }
    m->block = cw_mem_new(sizeof(*m->block));
    CW_ASSERT(cw_block_open(cw_buf_str(&m->bytes), m->block, &err) == 0);
    m->has_values = m->filter.len > 0;
    m->tb = cw_template_block_new();
    m->cache = cw_part_cache_new(SIZE_MAX, NULL);
    if (m->block->kind == CW_BLOCK_TEMPLATES) {
        CW_ASSERT(cw_template_block_open(m->tb, m->block, &err) == 0);
        m->grams =
            cw_text_grams_new(cw_template_block_text(m->tb), m->block->raw.stored.ptr != NULL);
    }
    return m;
}

struct match_model *match_model_new(const struct cw_str *lines, size_t n)
{
    struct cw_block_writer *w = cw_block_writer_new(CW_CODEC_LZ4);
    struct cw_template_memory memory = {0};
    struct cw_block_summary summary;
    struct cw_buf bytes, filter;
    struct cw_err err;
    cw_buf_init(&bytes, SIZE_MAX);
    cw_buf_init(&filter, SIZE_MAX);
    for (size_t i = 0; i < n; i++)
        CW_ASSERT(cw_block_writer_add(w, &(struct cw_block_row){.ts_ns = (int64_t)i}, lines[i],
                                      &err) == 1);
    CW_ASSERT(cw_block_writer_finish(w, &memory, &bytes, &filter, &summary, &err) == 0);
    cw_block_writer_free(&w);
    struct match_model *m = match_model_of_block(cw_buf_str(&bytes), cw_buf_str(&filter), lines, n);
    cw_buf_fini(&bytes);
    cw_buf_fini(&filter);
    return m;
}

void match_model_free(struct match_model **model)
{
    struct match_model *m = *model;
    *model = NULL;
    cw_template_block_free(&m->tb);
    cw_part_cache_drop(m->cache, m->slots, 2);
    cw_part_cache_free(&m->cache);
    if (m->grams != NULL)
        cw_cached_unref(&m->grams->base);
    cw_buf_fini(&m->bytes);
    cw_buf_fini(&m->filter);
    cw_buf_fini(&m->text);
    free(m->block);
    free(m->offsets);
    free(m);
}

enum cw_block_kind match_model_kind(const struct match_model *m)
{
    return m->block->kind;
}

static struct cw_str line_of(const struct match_model *m, uint32_t i)
{
    return cw_str_make(m->text.ptr + m->offsets[i], m->offsets[i + 1] - m->offsets[i]);
}

static bool bit(const uint64_t *bits, uint32_t i)
{
    return (bits[i / 64] >> (i % 64) & 1) != 0;
}

static uint64_t below(uint64_t *state, uint64_t n)
{
    return part_model_random(state) % n;
}

/* ---- compare ---- */

static bool same_rows(const struct match_model *m, const uint64_t *asked, const uint64_t *want,
                      const uint64_t *keep, const uint64_t *unsure, struct match_counts *counts,
                      struct cw_buf *wrong)
{
    for (uint32_t i = 0; i < m->n; i++) {
        const char *problem = NULL;
        if (bit(keep, i) && !bit(asked, i))
            problem = "a row that was not asked for stays";
        else if (bit(unsure, i) && !bit(keep, i))
            problem = "a row that is dropped is unsure";
        else if (bit(want, i) && !bit(keep, i))
            problem = "a row that matches is dropped";
        else if (bit(keep, i) && !bit(unsure, i) && !bit(want, i))
            problem = "a row that does not match is kept for sure";
        if (problem != NULL) {
            struct cw_str line = line_of(m, i);
            cw_buf_addf(wrong, "%s: row %u: %.*s", problem, i, CW_STR_ARG(line));
            return false;
        }
        counts->rows += bit(asked, i);
        counts->unsure += bit(unsure, i);
    }
    return true;
}

/* Leave the bits of rows whose lines pass. */
static void lines_select(const struct match_model *m, const struct cw_line_filter *const *filters,
                         size_t nfilters, uint64_t *keep)
{
    struct cw_err err;
    for (size_t i = 0; i < nfilters; i++)
        CW_ASSERT(cw_line_filter_select(filters[i], m->text.ptr, m->offsets, m->n, keep, &err) ==
                  0);
}

/* What grams of TEXT say, beside how many of all rows pass. */
static bool grams_agree(const struct match_model *m, const struct cw_line_filter *const *filters,
                        size_t nfilters, struct match_counts *counts, struct cw_buf *wrong)
{
    uint64_t all[KEEP_WORDS];
    bool any = false;
    memset(all, 0, sizeof(all));
    for (uint32_t i = 0; i < m->n; i++)
        all[i / 64] |= UINT64_C(1) << (i % 64);
    lines_select(m, filters, nfilters, all);
    for (size_t i = 0; i < KEEP_WORDS; i++)
        any |= all[i] != 0;
    bool may = cw_text_grams_may_pass(m->grams, filters, nfilters);
    counts->empty += !any;
    counts->ruled_out += !may;
    if (any && !may)
        cw_buf_addf(wrong, "grams rule out a block with rows that match");
    return may || !any;
}

bool match_model_check(struct match_model *m, const struct cw_line_filter *const *filters,
                       size_t nfilters, enum cw_match_wants wants, const uint64_t *asked,
                       struct match_counts *counts, struct cw_buf *wrong)
{
    uint64_t want[KEEP_WORDS];
    struct cw_err err;
    memcpy(want, asked, sizeof(want));
    lines_select(m, filters, nfilters, want);
    if (!grams_agree(m, filters, nfilters, counts, wrong))
        return false;
    for (int with_values = 0; with_values <= m->has_values; with_values++) {
        uint64_t keep[KEEP_WORDS], unsure[KEEP_WORDS] = {0};
        bool by_values = false;
        memcpy(keep, asked, sizeof(keep));
        struct cw_template_places places = {.text = {.cache = m->cache, .slot = &m->slots[0]},
                                            .rows = {.cache = m->cache, .slot = &m->slots[1]}};
        if (counts->queries % 2 == 0)
            places = (struct cw_template_places){0};
        int rc = cw_template_block_open_kept(m->tb, m->block, &places, &err);
        if (rc >= 0)
            rc = cw_template_match(filters, nfilters, wants, m->tb,
                                   with_values ? cw_buf_str(&m->filter) : CW_STR_NONE, keep, unsure,
                                   &by_values, &err);
        if (rc < 0) {
            cw_buf_addf(wrong, "%s", err.text);
            return false;
        }
        counts->queries++;
        if (!same_rows(m, asked, want, keep, unsure, counts, wrong))
            return false;
    }
    return true;
}

/* ---- random filters ---- */

static struct cw_str random_piece(const struct match_model *m, uint64_t *state, size_t most)
{
    struct cw_str line = line_of(m, (uint32_t)below(state, m->n));
    size_t len = 1 + below(state, most), from = line.len > 0 ? below(state, line.len) : 0;
    return cw_str_sub(line, from, from + len);
}

static bool is_word_byte(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* The run of letters and digits around a random place, or what is there. */
static struct cw_str random_word(const struct match_model *m, uint64_t *state)
{
    struct cw_str line = line_of(m, (uint32_t)below(state, m->n));
    if (line.len == 0)
        return line;
    size_t from = below(state, line.len), to = from + 1;
    while (from > 0 && is_word_byte(line.ptr[from - 1]))
        from--;
    while (to < line.len && is_word_byte(line.ptr[to]))
        to++;
    return cw_str_sub(line, from, to);
}

/* A digit or two, which stand in many lines. */
static void add_digits(uint64_t *state, struct cw_buf *out)
{
    for (uint64_t n = 1 + below(state, 2); n > 0; n--)
        cw_buf_addc(out, (char)('0' + below(state, 10)));
}

/* Into *out as it is, or with a digit or a letter changed. */
static void add_changed(uint64_t *state, struct cw_str s, struct cw_buf *out)
{
    uint64_t change = below(state, 3), at = s.len > 0 ? below(state, s.len) : 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (change == 0 && c >= '0' && c <= '9' && below(state, 3) == 0)
            c = (char)('0' + below(state, 10));
        else if (change == 1 && i == at)
            c = "0a9f.:-\" zZ"[below(state, 11)];
        cw_buf_addc(out, c);
    }
}

/* As an expression that matches it. */
static void add_quoted(struct cw_str s, uint64_t *state, bool loose, struct cw_buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (loose && c >= '0' && c <= '9' && below(state, 2) == 0) {
            cw_buf_addz(out, "[0-9]");
        } else if (is_word_byte(c) || (c & 0x80) != 0) {
            cw_buf_addc(out, c);
        } else {
            cw_buf_addf(out, "\\x%02x", (unsigned char)c);
        }
    }
}

static void random_regex(const struct match_model *m, uint64_t *state, struct cw_buf *out)
{
    if (below(state, 2) == 0)
        cw_buf_addz(out, "(?i)");
    size_t n = 1 + below(state, 3);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            cw_buf_addz(out, below(state, 2) == 0 ? ".*" : "|");
        struct cw_str piece =
            below(state, 2) == 0 ? random_word(m, state) : random_piece(m, state, 8);
        if (below(state, 4) == 0)
            add_digits(state, out);
        else
            add_quoted(piece, state, below(state, 2) == 0, out);
    }
}

static void random_pattern(const struct match_model *m, uint64_t *state, struct cw_buf *out)
{
    cw_buf_addz(out, "<_>");
    cw_buf_adds(out, random_piece(m, state, 10));
    if (below(state, 2) == 0) {
        cw_buf_addz(out, "<_>");
        cw_buf_adds(out, random_word(m, state));
    }
    cw_buf_addz(out, "<_>");
}

static bool is_address_byte(char c)
{
    return c == '.' || (c >= '0' && c <= '9');
}

/* An address that stands in a line, if one is soon found; else any. */
static void random_address(const struct match_model *m, uint64_t *state, struct cw_buf *out)
{
    struct cw_str address = CW_STR("10.0.0.1");
    for (int tries = 0; tries < 20; tries++) {
        struct cw_str line = line_of(m, (uint32_t)below(state, m->n));
        for (size_t i = 0, n; i < line.len; i += n + 1) {
            size_t dots = 0;
            for (n = 0; i + n < line.len && is_address_byte(line.ptr[i + n]); n++)
                dots += line.ptr[i + n] == '.';
            if (dots == 3)
                address = cw_str_sub(line, i, i + n);
        }
    }
    cw_buf_adds(out, address);
    if (below(state, 2) == 0)
        cw_buf_addf(out, "/%u", (unsigned)below(state, 33));
}

static bool add_operand(const struct match_model *m, uint64_t *state, enum cw_filter_op op,
                        struct cw_line_filter *filter, struct cw_buf *said)
{
    size_t from = said->len;
    bool ip = false;
    switch (op) {
    case CW_FILTER_CONTAINS:
    case CW_FILTER_NOT_CONTAINS:
        ip = below(state, 8) == 0;
        if (ip)
            random_address(m, state, said);
        else if (below(state, 8) == 0)
            add_digits(state, said);
        else
            add_changed(state,
                        below(state, 3) == 0 ? random_word(m, state) : random_piece(m, state, 20),
                        said);
        break;
    case CW_FILTER_RE:
    case CW_FILTER_NOT_RE: random_regex(m, state, said); break;
    default: random_pattern(m, state, said);
    }
    struct cw_err err;
    struct cw_str operand = cw_str_make(said->ptr + from, said->len - from);
    bool good = cw_line_filter_add(filter, operand, ip, &err) == 0;
    cw_buf_addz(said, ip ? " (ip) or " : " or ");
    return good;
}

static void random_rows(const struct match_model *m, uint64_t *state, uint64_t *keep)
{
    uint64_t kind = below(state, 4);
    memset(keep, 0, KEEP_WORDS * sizeof(*keep));
    for (uint32_t i = 0; i < m->n; i++)
        if (kind > 0 || below(state, 50) == 0)
            keep[i / 64] |= UINT64_C(1) << (i % 64);
}

/* NULL: what was thought of is no filter. */
static struct cw_line_filter *random_filter(const struct match_model *m, uint64_t *state,
                                            struct cw_buf *said)
{
    static const enum cw_filter_op ops[] = {
        CW_FILTER_CONTAINS, CW_FILTER_CONTAINS, CW_FILTER_CONTAINS, CW_FILTER_NOT_CONTAINS,
        CW_FILTER_RE,       CW_FILTER_NOT_RE,   CW_FILTER_PATTERN,  CW_FILTER_NOT_PATTERN};
    enum cw_filter_op op = ops[below(state, CW_COUNT(ops))];
    struct cw_line_filter *filter;
    struct cw_err err;
    CW_ASSERT(cw_line_filter_new(op, &filter, &err) == 0);
    cw_buf_addf(said, "operator %d, ", (int)op);
    size_t n = below(state, 4) == 0 ? 1 + below(state, OPERANDS_MAX) : 1;
    bool good = true;
    for (size_t i = 0; i < n && good; i++)
        good = add_operand(m, state, op, filter, said);
    if (!good)
        cw_line_filter_free(&filter);
    return filter;
}

bool match_model_check_random(struct match_model *m, uint64_t *state, struct match_counts *counts,
                              struct cw_buf *wrong)
{
    uint64_t keep[KEEP_WORDS];
    const struct cw_line_filter *filters[FILTERS_MAX];
    struct cw_line_filter *own[FILTERS_MAX];
    struct cw_buf said, what;
    cw_buf_init(&said, SIZE_MAX);
    cw_buf_init(&what, SIZE_MAX);
    size_t n = 0, most = below(state, 4) == 0 ? 1 + below(state, FILTERS_MAX) : 1;
    for (size_t i = 0; i < most; i++)
        if ((own[n] = random_filter(m, state, &said)) != NULL) {
            filters[n] = own[n];
            n++;
        }
    random_rows(m, state, keep);
    enum cw_match_wants wants = below(state, 8) == 0 ? CW_MATCH_WANTS_LINES : CW_MATCH_WANTS_ROWS;
    bool same = n == 0 || match_model_check(m, filters, n, wants, keep, counts, &what);
    if (!same)
        cw_buf_addf(wrong, "%.*s: %.*s", (int)said.len, said.ptr, (int)what.len, what.ptr);
    for (size_t i = 0; i < n; i++)
        cw_line_filter_free(&own[i]);
    cw_buf_fini(&what);
    cw_buf_fini(&said);
    return same;
}
