/* template_writer.c - find each line's template, then write templates, rows and columns. */
#include "common/store/template_writer.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/hash.h"
#include "common/store/encode_column.h"
#include "common/store/encode_int.h"
#include "common/store/layout.h"

enum {
    WINDOW_BYTES = 64 << 10, /* what bitmaps are made of at once */
    TABLE_SIZE = 4 * CW_BLOCK_TEMPLATES_MAX,
    RAW_BYTES_MAX = CW_BLOCK_RAW_TARGET + CW_BLOCK_ROWS_MAX,
    /* Templates may be so large, and half of the text before them. */
    TEMPLATES_BYTES_FREE = 64 << 10,
    /* A line may be as long as the whole block. */
    TEXTS_BYTES = TEMPLATES_BYTES_FREE + RAW_BYTES_MAX / 2 + RAW_BYTES_MAX + CW_TOKENIZE_SLACK,
    /* Denser ones are no logs; bounds the memory. */
    VALUES_MAX = 1 << 20,
    PIECES_MIN = 1024,
    WORTH_PERCENT = 90,
    QUOTED_ROWS_PER_TEMPLATE = 8, /* fewer: quoted values may be what makes so many templates */
};

/* Values of one column that lie on end among the tokens. */
struct piece {
    uint16_t column, n;
};

struct cw_template_writer {
    struct cw_tokenizer tokenizer;
    struct cw_tokens tokens;
    bool by_pieces; /* what the tokens are of; else of the slots of one row after the other */
    struct piece *pieces;
    size_t npieces, pieces_cap;
    enum cw_token_mode mode;
    uint64_t block; /* tells blocks apart that values are copied to */
    struct cw_layout layout;
    char *texts; /* of the templates, each ended by 0 */
    size_t texts_len;
    uint64_t hashes[CW_BLOCK_TEMPLATES_MAX];
    int64_t counts[CW_BLOCK_TEMPLATES_MAX]; /* rows of each */
    uint16_t table[TABLE_SIZE];             /* of numbers of templates + 1 by hash; 0 is free */
    uint16_t rows[CW_BLOCK_ROWS_MAX];       /* template of each */
    uint32_t starts[CW_BLOCK_COLUMNS_MAX + 1];
    uint64_t *values; /* of the tokens, column after column */
    uint8_t *extra;
    size_t values_cap;
    int64_t scratch[CW_BLOCK_ROWS_MAX];
    struct cw_column_encoder *encoder;
    struct cw_value_filter_builder *filter;
    struct cw_buf head, text, small, column, raw;
    struct cw_block_sections columns, trial;
};

struct cw_template_writer *cw_template_writer_new(void)
{
    struct cw_template_writer *w = cw_mem_new(sizeof(*w));
    cw_tokenizer_init(&w->tokenizer);
    cw_tokens_init(&w->tokens);
    cw_layout_init(&w->layout);
    w->texts = cw_mem_array(TEXTS_BYTES, 1);
    w->encoder = cw_column_encoder_new();
    w->filter = cw_value_filter_builder_new();
    struct cw_buf *bufs[] = {&w->head, &w->text, &w->small, &w->column, &w->raw};
    for (size_t i = 0; i < CW_COUNT(bufs); i++)
        cw_buf_init(bufs[i], 2u * CW_BLOCK_RAW_MAX);
    cw_block_sections_init(&w->columns);
    cw_block_sections_init(&w->trial);
    return w;
}

void cw_template_writer_free(struct cw_template_writer **writer)
{
    struct cw_template_writer *w = *writer;
    *writer = NULL;
    if (w == NULL)
        return;
    cw_tokenizer_fini(&w->tokenizer);
    cw_tokens_fini(&w->tokens);
    cw_layout_fini(&w->layout);
    free(w->pieces);
    free(w->texts);
    free(w->values);
    free(w->extra);
    cw_column_encoder_free(&w->encoder);
    cw_value_filter_builder_free(&w->filter);
    struct cw_buf *bufs[] = {&w->head, &w->text, &w->small, &w->column, &w->raw};
    for (size_t i = 0; i < CW_COUNT(bufs); i++)
        cw_buf_fini(bufs[i]);
    cw_block_sections_fini(&w->columns);
    cw_block_sections_fini(&w->trial);
    free(w);
}

/* ---- templates ---- */

/* The number of the template that stands at the end of the texts; -1 over a bound. */
static int template_number(struct cw_template_writer *w, size_t len, size_t bytes_max)
{
    char *text = w->texts + w->texts_len;
    uint64_t hash = cw_hash64(text, len);
    uint32_t mask = TABLE_SIZE - 1, at = (uint32_t)hash & mask;
    for (; w->table[at] != 0; at = (at + 1) & mask) {
        uint32_t number = w->table[at] - 1u;
        if (w->hashes[number] == hash &&
            cw_str_eq(w->layout.templates[number].text, cw_str_make(text, len)))
            return (int)number;
    }
    if (w->texts_len + len + 1 > bytes_max ||
        cw_layout_add(&w->layout, cw_str_make(text, len), NULL) < 0)
        return -1;
    uint32_t number = w->layout.ntemplates - 1;
    text[len] = 0;
    w->texts_len += len + 1;
    w->hashes[number] = hash;
    w->counts[number] = 0;
    w->table[at] = (uint16_t)(number + 1);
    return (int)number;
}

void cw_template_writer_begin(struct cw_template_writer *w, enum cw_token_mode mode)
{
    static atomic_uint_fast64_t nblocks;
    w->block = atomic_fetch_add_explicit(&nblocks, 1, memory_order_relaxed) + 1;
    w->mode = mode;
    cw_layout_clear(&w->layout);
    memset(w->table, 0, sizeof(w->table));
    w->texts_len = w->tokens.n = w->npieces = 0;
    w->by_pieces = false;
}

/* How long the templates of a block with so much text may be. */
static size_t texts_max(size_t bytes)
{
    return TEMPLATES_BYTES_FREE + bytes / 2;
}

/* Cut a line of the tokenizer's window; false over a bound. */
static bool row_cut(struct cw_template_writer *w, const struct cw_block_lines *l, uint32_t row,
                    size_t bytes)
{
    size_t ntokens = w->tokens.n;
    size_t len = cw_tokenize_line(&w->tokenizer, l->offsets[row], l->offsets[row + 1] - 1u,
                                  &w->tokens, w->texts + w->texts_len);
    int number = w->tokens.n > VALUES_MAX ? -1 : template_number(w, len, texts_max(bytes));
    if (number < 0) {
        w->tokens.n = ntokens;
        return false;
    }
    w->rows[row] = (uint16_t)number;
    w->counts[number]++;
    return true;
}

static bool rows_cut(struct cw_template_writer *w, const struct cw_block_lines *l, uint32_t from,
                     uint32_t to, size_t bytes_before)
{
    const uint32_t *offsets = l->offsets, first = offsets[from];
    for (uint32_t row = from, end; row < to;) {
        for (end = row + 1; end < to && offsets[end + 1] - offsets[row] <= WINDOW_BYTES;)
            end++;
        cw_tokenizer_window(&w->tokenizer, l->text, offsets[row], offsets[end], w->mode);
        for (; row < end; row++)
            if (!row_cut(w, l, row, bytes_before + offsets[row + 1] - first))
                return false;
    }
    return true;
}

static void piece_add(struct cw_template_writer *w, uint16_t column, uint32_t n)
{
    while (n > 0) {
        uint16_t some = (uint16_t)CW_MIN(n, (uint32_t)UINT16_MAX);
        if (w->npieces == w->pieces_cap) {
            w->pieces_cap = CW_MAX(2 * w->pieces_cap, (size_t)PIECES_MIN);
            w->pieces = cw_mem_resize(w->pieces, w->pieces_cap * sizeof(*w->pieces));
        }
        w->pieces[w->npieces++] = (struct piece){column, some};
        n -= some;
    }
}

bool cw_template_writer_add_lines(struct cw_template_writer *w, const struct cw_block_lines *l,
                                  uint32_t from, size_t bytes_before)
{
    w->by_pieces = true;
    if (bytes_before + l->offsets[l->rows] - l->offsets[from] > RAW_BYTES_MAX ||
        !rows_cut(w, l, from, l->rows, bytes_before))
        return false;
    for (uint32_t row = from; row < l->rows; row++) {
        const struct cw_template *t = &w->layout.templates[w->rows[row]];
        for (uint32_t s = 0; s < t->nslots; s++)
            piece_add(w, w->layout.slots[t->first_slot + s].column, 1);
    }
    return true;
}

/* The template of a row of `values`; -1 over a bound. */
static int template_of_values(struct cw_template_writer *w, struct cw_value_rows *values,
                              uint16_t template, size_t bytes)
{
    int number = cw_value_rows_number(values, template);
    struct cw_str text = values->layout->templates[template].text;
    if (number >= 0)
        return number;
    if (text.len > RAW_BYTES_MAX)
        return -1;
    memcpy(w->texts + w->texts_len, text.ptr, text.len);
    number = template_number(w, text.len, texts_max(bytes));
    if (number >= 0)
        cw_value_rows_map(values, template, (uint16_t)number,
                          w->layout.slots + w->layout.templates[number].first_slot);
    return number;
}

static int columns_take(struct cw_template_writer *w, struct cw_value_rows *values, uint32_t from,
                        uint32_t to, struct cw_buf *text, struct cw_err *err)
{
    const uint16_t *columns;
    uint32_t n = cw_value_rows_count(values, from, to, &columns);
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < n; i++) {
        piece_add(w, cw_value_rows_column(values, columns[i]),
                  cw_value_rows_left(values, columns[i]));
        rc = cw_value_rows_copy(values, columns[i], text, &w->tokens, err);
    }
    return rc;
}

int cw_template_writer_add_values(struct cw_template_writer *w, const struct cw_value_run *run,
                                  uint32_t row, size_t bytes_before, struct cw_buf *text,
                                  struct cw_err *err)
{
    struct cw_value_rows *values = run->values;
    size_t bytes = bytes_before, ntokens = w->tokens.n;
    uint32_t n = 0;
    w->by_pieces = true;
    cw_value_rows_target(values, w->block);
    for (; n < run->n; n++) {
        uint16_t template = values->rows[run->from + n];
        bytes += run->sizes[n] + 1u;
        ntokens += values->layout->templates[template].nslots;
        int number = bytes > RAW_BYTES_MAX || ntokens > VALUES_MAX
                         ? -1
                         : template_of_values(w, values, template, bytes);
        if (number < 0)
            break;
        w->rows[row + n] = (uint16_t)number;
        w->counts[number]++;
    }
    int rc = columns_take(w, values, run->from, run->from + n, text, err);
    return rc < 0 ? rc : (int)n;
}

/* ---- columns ---- */

/* at[c]: where the next values of column c go. */
static void rows_sort(struct cw_template_writer *w, uint32_t rows, uint32_t *at)
{
    const struct cw_layout *l = &w->layout;
    size_t token = 0;
    for (uint32_t row = 0; row < rows; row++) {
        const struct cw_template *t = &l->templates[w->rows[row]];
        const struct cw_slot *slots = l->slots + t->first_slot;
        for (uint32_t s = 0; s < t->nslots; s++, token++) {
            uint32_t to = at[slots[s].column]++;
            w->values[to] = w->tokens.values[token];
            w->extra[to] = w->tokens.extra[token];
        }
    }
}

static void pieces_sort(struct cw_template_writer *w, uint32_t *at)
{
    size_t token = 0;
    for (size_t i = 0; i < w->npieces; i++) {
        struct piece p = w->pieces[i];
        uint32_t to = at[p.column];
        memcpy(w->values + to, w->tokens.values + token, p.n * sizeof(*w->values));
        memcpy(w->extra + to, w->tokens.extra + token, p.n);
        at[p.column] += p.n;
        token += p.n;
    }
}

/* Bring the values of each column together: starts[c] is where those of column c begin. */
static void values_sort(struct cw_template_writer *w, uint32_t rows)
{
    const struct cw_layout *l = &w->layout;
    uint32_t at[CW_BLOCK_COLUMNS_MAX] = {0};
    if (w->tokens.n > w->values_cap) {
        w->values_cap = w->tokens.cap;
        w->values = cw_mem_resize(w->values, w->values_cap * sizeof(*w->values));
        w->extra = cw_mem_resize(w->extra, w->values_cap);
    }
    for (uint32_t t = 0; t < l->ntemplates; t++)
        for (uint32_t s = 0; s < l->templates[t].nslots; s++)
            at[l->slots[l->templates[t].first_slot + s].column] += (uint32_t)w->counts[t];
    uint32_t sum = 0;
    for (uint32_t c = 0; c < l->ncolumns; c++) {
        uint32_t n = at[c];
        w->starts[c] = at[c] = sum;
        sum += n;
    }
    w->starts[l->ncolumns] = sum;
    CW_ASSERT(sum == w->tokens.n);
    if (w->by_pieces)
        pieces_sort(w, at);
    else
        rows_sort(w, rows, at);
}

static void raw_lines_gather(struct cw_template_writer *w, const struct cw_column_values *c)
{
    for (uint32_t i = 0; i < c->n; i++)
        cw_buf_add(&w->raw, c->text + (c->values[i] >> 32), (uint32_t)c->values[i]);
}

/* All columns: dictionaries to w->text, their sizes to w->scratch, columns to w->small or w->columns. */
static int columns_encode(struct cw_template_writer *w, const char *text, enum cw_codec codec,
                          uint32_t *ndictionaries_out, struct cw_err *err)
{
    *ndictionaries_out = 0;
    for (uint32_t c = 0; c < w->layout.ncolumns; c++) {
        uint32_t start = w->starts[c];
        struct cw_column_values values = {
            .type = w->layout.columns[c].type,
            .n = w->starts[c + 1] - start,
            .values = w->values + start,
            .extra = w->extra + start,
            .text = text,
        };
        size_t text_before = w->text.len;
        if (values.type == CW_SLOT_RAW)
            raw_lines_gather(w, &values);
        cw_buf_clear(&w->column);
        cw_encode_column(w->encoder, &values, &w->column, &w->text, w->filter);
        if (cw_slot_is_string(values.type))
            w->scratch[(*ndictionaries_out)++] = (int64_t)(w->text.len - text_before);
        if (w->column.len < CW_COLUMN_SMALL_BYTES) {
            cw_encode_varint(w->column.len, &w->small);
            cw_buf_adds(&w->small, cw_buf_str(&w->column));
            continue;
        }
        int rc = cw_block_sections_add(&w->columns, CW_SECTION_COLUMN, codec, (uint16_t)c,
                                       cw_buf_str(&w->column), err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* ---- sections ---- */

static int section_add(struct cw_block_sections *out, enum cw_section_kind kind,
                       enum cw_codec codec, const struct cw_buf *raw, struct cw_err *err)
{
    return raw->len > 0 ? cw_block_sections_add(out, kind, codec, 0, cw_buf_str(raw), err) : 0;
}

/* The sections of the first `rows` rows, which have been cut from `text`. */
static int sections_write(struct cw_template_writer *w, const char *text, uint32_t rows,
                          enum cw_codec codec, struct cw_block_sections *out, struct cw_err *err)
{
    struct cw_buf *bufs[] = {&w->head, &w->text, &w->small, &w->raw};
    for (size_t i = 0; i < CW_COUNT(bufs); i++)
        cw_buf_clear(bufs[i]);
    cw_block_sections_clear(&w->columns);
    uint32_t ndictionaries;
    values_sort(w, rows);
    cw_buf_add(&w->text, w->texts, w->texts_len);
    int rc = columns_encode(w, text, codec, &ndictionaries, err);
    cw_encode_int(w->counts, w->layout.ntemplates, &w->head);
    cw_encode_int(w->scratch, ndictionaries, &w->head);
    if (rc == 0)
        rc = section_add(out, CW_SECTION_TEMPLATES, codec, &w->head, err);
    if (rc == 0)
        rc = section_add(out, CW_SECTION_TEXT, codec, &w->text, err);
    if (rc == 0 && w->layout.ntemplates > 1) {
        for (uint32_t row = 0; row < rows; row++)
            w->scratch[row] = w->rows[row];
        cw_buf_clear(&w->head);
        cw_encode_int(w->scratch, rows, &w->head);
        rc = section_add(out, CW_SECTION_ROWS, codec, &w->head, err);
    }
    if (rc == 0)
        rc = section_add(out, CW_SECTION_SMALL, codec, &w->small, err);
    cw_block_sections_append(out, &w->columns);
    if (rc == 0)
        rc = section_add(out, CW_SECTION_RAW, codec, &w->raw, err);
    return rc;
}

/* ---- what an app's quoted values become ---- */

/* What the first `rows` rows cost in a mode; SIZE_MAX over a bound. */
static int trial_size(struct cw_template_writer *w, const struct cw_block_lines *l, uint32_t rows,
                      enum cw_token_mode mode, enum cw_codec codec, size_t *size_out,
                      struct cw_err *err)
{
    *size_out = SIZE_MAX;
    cw_template_writer_begin(w, mode);
    if (!rows_cut(w, l, 0, rows, 0))
        return 0;
    cw_block_sections_clear(&w->trial);
    int rc = sections_write(w, l->text, rows, codec, &w->trial, err);
    cw_value_filter_builder_clear(w->filter);
    *size_out = w->trial.bytes.len + w->trial.entries.len;
    return rc;
}

static struct cw_str sample_of(const struct cw_block_lines *l, uint32_t *rows_out)
{
    uint32_t rows = 1;
    while (rows < l->rows && l->offsets[rows] < CW_TEMPLATE_TRIAL_BYTES)
        rows++;
    *rows_out = rows;
    return cw_str_make(l->text, l->offsets[rows]);
}

static int plain_try(struct cw_template_writer *w, const struct cw_block_lines *l,
                     struct cw_template_memory *memory, struct cw_err *err)
{
    uint32_t rows;
    struct cw_str sample = sample_of(l, &rows);
    cw_buf_clear(&w->column);
    int rc = cw_codec_compress(CW_CODEC_LZ4, sample, &w->column, err);
    memory->plain_permille = CW_MAX((uint32_t)(w->column.len * 1000 / sample.len), 1u);
    return rc;
}

int cw_template_writer_try(struct cw_template_writer *w, const struct cw_block_lines *l,
                           struct cw_template_memory *memory, enum cw_codec codec,
                           struct cw_err *err)
{
    uint32_t rows;
    struct cw_str sample = sample_of(l, &rows);
    memory->mode = CW_TOKEN_PLAIN;
    memory->mode_known = true;
    if (memchr(sample.ptr, '"', sample.len) == NULL)
        return 0;
    size_t best, size;
    int rc = trial_size(w, l, rows, CW_TOKEN_PLAIN, codec, &best, err);
    bool many = best == SIZE_MAX || w->layout.ntemplates > rows / QUOTED_ROWS_PER_TEMPLATE;
    for (int mode = CW_TOKEN_JSON; rc == 0 && mode <= CW_TOKEN_QUOTED; mode++) {
        if (mode == CW_TOKEN_JSON ? *sample.ptr != '{' : !many)
            continue;
        rc = trial_size(w, l, rows, (enum cw_token_mode)mode, codec, &size, err);
        if (rc == 0 && size < best) {
            best = size;
            memory->mode = (enum cw_token_mode)mode;
        }
    }
    return rc;
}

static void block_end(struct cw_template_writer *w, struct cw_value_filter_builder *keys,
                      struct cw_template_counts *counts_out)
{
    *counts_out = (struct cw_template_counts){w->mode, w->layout.ntemplates, w->layout.ncolumns};
    cw_value_filter_builder_move(keys, w->filter);
}

int cw_template_writer_encode(struct cw_template_writer *w, const struct cw_block_lines *l,
                              struct cw_template_memory *memory, enum cw_codec codec,
                              struct cw_block_sections *out, struct cw_value_filter_builder *keys,
                              struct cw_template_counts *counts_out, struct cw_err *err)
{
    size_t raw_bytes = l->offsets[l->rows], bytes_before = out->bytes.len,
           entries_before = out->entries.len;
    if (cw_template_memory_given_up(memory) || raw_bytes > RAW_BYTES_MAX)
        return 0;
    int rc = memory->plain_permille > 0 ? 0 : plain_try(w, l, memory, err);
    if (rc == 0 && !memory->mode_known)
        rc = cw_template_writer_try(w, l, memory, codec, err);
    if (rc < 0)
        return rc;
    cw_template_writer_begin(w, memory->mode);
    bool worth = rows_cut(w, l, 0, l->rows, 0);
    if (worth) {
        rc = sections_write(w, l->text, l->rows, codec, out, err);
        if (rc < 0)
            return rc;
        size_t size = out->bytes.len - bytes_before + out->entries.len - entries_before;
        worth = w->text.len <= CW_MAX(raw_bytes / 2, (size_t)TEMPLATES_BYTES_FREE) &&
                size * 1000 * 100 <= raw_bytes * memory->plain_permille * WORTH_PERCENT;
    }
    if (!worth) {
        memory->ngiven_up++;
        cw_value_filter_builder_clear(w->filter);
        out->bytes.len = bytes_before;
        out->entries.len = entries_before;
        return 0;
    }
    block_end(w, keys, counts_out);
    return 1;
}

int cw_template_writer_finish(struct cw_template_writer *w, const char *text, uint32_t rows,
                              enum cw_codec codec, struct cw_block_sections *out,
                              struct cw_value_filter_builder *keys,
                              struct cw_template_counts *counts_out, struct cw_err *err)
{
    int rc = sections_write(w, text, rows, codec, out, err);
    if (rc == 0)
        block_end(w, keys, counts_out);
    return rc;
}
