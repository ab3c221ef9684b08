#include "querier/engine/pattern_lines.h"

#include <stdlib.h>
#include <string.h>

#include "common/store/tokenize.h"
#include "querier/engine/pattern_text.h"

enum {
    /* Lines that are cut at once: their text stays in the cache. */
    WINDOW_BYTES = 64 << 10,
    /* As the store decides: more templates than one for so many lines, and quoted values are what varies. */
    QUOTED_LINES_PER_TEMPLATE = 8,
    QUOTED_LINES_MIN = 64,
};

struct cw_pattern_lines {
    struct cw_pattern_table *table;
    struct cw_tokenizer tokenizer;
    struct cw_tokens tokens;
    struct cw_buf window, template, pattern;
    struct cw_id_map map; /* of what was cut in this unit: templates, each with its message */
    uint32_t *patterns;   /* by number in the map */
    size_t cap, nlines;
    bool quoted;
};

struct cw_pattern_lines *cw_pattern_lines_new(struct cw_pattern_table *table)
{
    struct cw_pattern_lines *l = cw_mem_new(sizeof *l);
    l->table = table;
    cw_tokenizer_init(&l->tokenizer);
    cw_tokens_init(&l->tokens);
    cw_buf_init(&l->window, SIZE_MAX);
    cw_buf_init(&l->template, SIZE_MAX);
    cw_buf_init(&l->pattern, SIZE_MAX);
    cw_id_map_init(&l->map);
    return l;
}

void cw_pattern_lines_free(struct cw_pattern_lines **lines)
{
    struct cw_pattern_lines *l = *lines;
    if (l == NULL)
        return;
    cw_tokenizer_fini(&l->tokenizer);
    cw_tokens_fini(&l->tokens);
    cw_buf_fini(&l->window);
    cw_buf_fini(&l->template);
    cw_buf_fini(&l->pattern);
    cw_id_map_fini(&l->map);
    free(l->patterns);
    free(l);
    *lines = NULL;
}

static void forget(struct cw_pattern_lines *l)
{
    cw_id_map_fini(&l->map);
    cw_id_map_init(&l->map);
    l->nlines = 0;
}

void cw_pattern_lines_begin(struct cw_pattern_lines *l)
{
    forget(l);
    l->quoted = false;
}

static int pattern_of(struct cw_pattern_lines *l, struct cw_str template, uint32_t *out,
                      struct cw_err *err)
{
    struct cw_str message = cw_pattern_message(template, &l->tokens, cw_buf_str(&l->window));
    struct cw_hash128 id = cw_hash128(template.ptr, template.len);
    if (message.len > 0)
        id.lo ^= cw_hash64(message.ptr, message.len);
    bool added;
    size_t number = cw_id_map_put(&l->map, id, &added), idx;
    if (added) {
        cw_pattern_text(template, message, &l->pattern);
        int rc = cw_pattern_table_put(l->table, cw_buf_str(&l->pattern), &idx, err);
        if (rc < 0)
            return rc;
        if (number >= l->cap) {
            l->cap = l->cap > 0 ? 2 * l->cap : 256;
            l->patterns = cw_mem_resize(l->patterns, l->cap * sizeof *l->patterns);
        }
        l->patterns[number] = (uint32_t)idx;
    }
    *out = l->patterns[number];
    return 0;
}

/* Lines texts[0, n) into the window, each ended by LF. */
static void window_fill(struct cw_pattern_lines *l, const struct cw_str *texts, size_t n)
{
    cw_buf_clear(&l->window);
    for (size_t i = 0; i < n; i++) {
        cw_buf_adds(&l->window, texts[i]);
        cw_buf_addc(&l->window, '\n');
    }
    cw_buf_reserve(&l->window, CW_BYTE_CLASSES_SLACK);
}

static enum cw_token_mode mode_of(const struct cw_pattern_lines *l)
{
    if (l->quoted)
        return CW_TOKEN_QUOTED;
    return *l->window.ptr == '{' ? CW_TOKEN_JSON : CW_TOKEN_PLAIN;
}

static int window_cut(struct cw_pattern_lines *l, const struct cw_str *texts, size_t n,
                      uint32_t *rows_out, struct cw_err *err)
{
    int rc = 0;
    size_t at = 0;
    cw_tokenizer_window(&l->tokenizer, l->window.ptr, 0, l->window.len, mode_of(l));
    for (size_t i = 0; rc == 0 && i < n; i++) {
        cw_buf_clear(&l->template);
        l->tokens.n = 0;
        char *out = cw_buf_reserve(&l->template, texts[i].len + CW_TOKENIZE_SLACK);
        size_t len = cw_tokenize_line(&l->tokenizer, at, at + texts[i].len, &l->tokens, out);
        rc = pattern_of(l, cw_str_make(out, len), &rows_out[i], err);
        at += texts[i].len + 1;
    }
    l->nlines += n;
    return rc;
}

static bool is_quoted(const struct cw_pattern_lines *l)
{
    return !l->quoted && mode_of(l) == CW_TOKEN_PLAIN && l->nlines >= QUOTED_LINES_MIN &&
           l->map.n > l->nlines / QUOTED_LINES_PER_TEMPLATE &&
           memchr(l->window.ptr, '"', l->window.len) != NULL;
}

int cw_pattern_lines_rows(struct cw_pattern_lines *l, const struct cw_str *texts, size_t n,
                          uint32_t *rows_out, struct cw_err *err)
{
    int rc = 0;
    for (size_t from = 0, to; rc == 0 && from < n; from = to) {
        size_t bytes = 0;
        for (to = from; to < n && (to == from || bytes < WINDOW_BYTES); to++)
            bytes += texts[to].len + 1;
        window_fill(l, texts + from, to - from);
        rc = window_cut(l, texts + from, to - from, rows_out + from, err);
        if (rc == 0 && is_quoted(l)) {
            forget(l);
            l->quoted = true;
            rc = window_cut(l, texts + from, to - from, rows_out + from, err);
        }
    }
    return rc;
}
