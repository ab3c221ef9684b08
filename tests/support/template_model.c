/* template_model.c - by the drawing in format.h, column after column. */
#include "tests/support/template_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/codec.h"
#include "common/base/hash.h"
#include "common/store/block_writer.h"
#include "common/store/encode_int.h"
#include "tests/support/part_model.h"

static uint64_t below(uint64_t *state, uint64_t n)
{
    return part_model_random(state) % n;
}

static void hex_digits(uint64_t *state, size_t n, struct cw_buf *out)
{
    while (n-- > 0)
        cw_buf_addc(out, "0123456789abcdef"[below(state, 16)]);
}

static void random_clock(uint64_t *state, struct cw_buf *out)
{
    cw_buf_addf(out, "%02u:%02u:%02u", (unsigned)below(state, 100), (unsigned)below(state, 60),
                (unsigned)below(state, 60));
}

static void random_text(unsigned type, uint64_t *state, struct cw_buf *out)
{
    uint64_t r = part_model_random(state);
    switch (type) {
    case CW_SLOT_TIME: random_clock(state, out); break;
    case CW_SLOT_TIME_DOT_MS:
    case CW_SLOT_TIME_COMMA_MS:
        random_clock(state, out);
        cw_buf_addf(out, "%c%03u", type == CW_SLOT_TIME_DOT_MS ? '.' : ',', (unsigned)(r % 1000));
        break;
    case CW_SLOT_IP4:
        cw_buf_addf(out, "%u.%u.%u.%u", (unsigned)(r & 255), (unsigned)(r >> 8 & 255),
                    (unsigned)(r >> 16 & 63), (unsigned)(r >> 24 & 7));
        break;
    case CW_SLOT_DEC: {
        unsigned whole = (unsigned)below(state, 10), decimals = 1 + (unsigned)below(state, 8);
        cw_buf_addf(out, "%" PRIu64 ".", whole == 0 ? 0 : r % UINT64_C(1000000000) >> 3 * whole);
        while (decimals-- > 0)
            cw_buf_addc(out, (char)('0' + below(state, 10)));
        break;
    }
    case CW_SLOT_NUM: {
        unsigned len = 1 + (unsigned)below(state, 18);
        while (len-- > 0)
            cw_buf_addc(out, (char)('0' + below(state, 10)));
        break;
    }
    case CW_SLOT_HEX: hex_digits(state, 6 + below(state, 11), out); break;
    case CW_SLOT_HEX32: hex_digits(state, 32, out); break;
    case CW_SLOT_UUID:
        for (unsigned i = 0; i < 5; i++) {
            if (i > 0)
                cw_buf_addc(out, '-');
            hex_digits(state, i == 0 ? 8 : i == 4 ? 12 : 4, out);
        }
        break;
    case CW_SLOT_RAW: cw_buf_addc(out, 1); /* fall through */
    default:
        for (uint64_t n = below(state, r % 8 == 0 ? 200 : 20); n > 0; n--)
            cw_buf_addc(out, (char)(1 + below(state, 255)));
        break;
    }
}

/* A new value, or one of those before. */
static struct cw_str random_value(struct template_model *m, uint32_t column, uint64_t *state)
{
    uint32_t n = m->nvalues[column];
    if (n > 0 && column % 2 == 0 && below(state, 8) != 0)
        return m->values[column][below(state, n)];
    struct cw_buf text;
    cw_buf_init(&text, 1 << 20);
    random_text(m->layout.columns[column].type, state, &text);
    struct cw_str value = cw_arena_dup(m->arena, cw_buf_str(&text));
    cw_buf_fini(&text);
    return value;
}

static void row_add(struct template_model *m, uint16_t number, uint64_t *state)
{
    const struct cw_template *t = &m->layout.templates[number];
    struct cw_buf line;
    size_t from = 0;
    cw_buf_init(&line, 16 << 20);
    for (uint32_t s = 0; s < t->nslots; s++) {
        const struct cw_slot *slot = &m->layout.slots[t->first_slot + s];
        struct cw_str value = random_value(m, slot->column, state);
        m->values[slot->column][m->nvalues[slot->column]++] = value;
        cw_buf_adds(&line, cw_str_sub(t->text, from, slot->at));
        cw_buf_adds(&line, value);
        from = slot->at + 1;
    }
    cw_buf_adds(&line, cw_str_sub(t->text, from, t->text.len));
    m->rows[m->nrows] = number;
    m->lines[m->nrows++] = cw_arena_dup(m->arena, cw_buf_str(&line));
    m->counts[number]++;
    cw_buf_fini(&line);
}

void template_model_make(struct template_model *m, const struct cw_str *templates,
                         size_t ntemplates, uint32_t nrows, uint64_t seed)
{
    struct cw_err err;
    CW_ASSERT(ntemplates <= nrows);
    *m = (struct template_model){.arena = cw_arena_new()};
    cw_layout_init(&m->layout);
    for (size_t t = 0; t < ntemplates; t++)
        CW_ASSERT(cw_layout_add(&m->layout, cw_arena_dup(m->arena, templates[t]), &err) == 0);
    m->lines = CW_ARENA_ARRAY(m->arena, struct cw_str, nrows);
    m->rows = CW_ARENA_ARRAY(m->arena, uint16_t, nrows);
    m->counts = CW_ARENA_ARRAY(m->arena, uint32_t, ntemplates);
    m->values = CW_ARENA_ARRAY(m->arena, struct cw_str *, m->layout.ncolumns + 1);
    m->nvalues = CW_ARENA_ARRAY(m->arena, uint32_t, m->layout.ncolumns + 1);
    for (uint32_t c = 0; c < m->layout.ncolumns; c++) {
        size_t nslots = 0;
        for (uint32_t i = 0; i < m->layout.nslots; i++)
            nslots += m->layout.slots[i].column == c;
        m->values[c] = CW_ARENA_ARRAY(m->arena, struct cw_str, nrows * nslots);
    }
    while (m->nrows < nrows)
        row_add(m, (uint16_t)(m->nrows < ntemplates ? m->nrows : below(&seed, ntemplates)), &seed);
}

void template_model_fini(struct template_model *m)
{
    cw_layout_fini(&m->layout);
    cw_arena_free(&m->arena);
}

/* ---- encoding ---- */

static void ints_add(int64_t *values, size_t n, struct cw_buf *out)
{
    cw_encode_int(values, n, out);
}

static uint64_t digits_value(struct cw_str text, unsigned base)
{
    uint64_t v = 0;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] != '.' && text.ptr[i] != '-')
            v = v * base + (unsigned)cw_str_hex_digit(text.ptr[i]);
    return v;
}

static int64_t clock_value(struct cw_str text)
{
    uint64_t s = digits_value(cw_str_sub(text, 0, 2), 10) * 3600 +
                 digits_value(cw_str_sub(text, 3, 5), 10) * 60 +
                 digits_value(cw_str_sub(text, 6, 8), 10);
    return (int64_t)(text.len == 8 ? s
                                   : s * 1000 + digits_value(cw_str_sub(text, 9, text.len), 10));
}

static int64_t ip_value(struct cw_str text)
{
    struct cw_str octet;
    uint64_t v = 0;
    while (text.len > 0 && cw_str_split(&text, '.', &octet))
        v = v << 8 | digits_value(octet, 10);
    return (int64_t)v;
}

static int64_t int_value(unsigned type, struct cw_str text)
{
    switch (type) {
    case CW_SLOT_TIME:
    case CW_SLOT_TIME_DOT_MS:
    case CW_SLOT_TIME_COMMA_MS: return clock_value(text);
    case CW_SLOT_IP4: return ip_value(text);
    case CW_SLOT_HEX: return (int64_t)digits_value(text, 16);
    case CW_SLOT_RAW: return (int64_t)text.len;
    default: return (int64_t)digits_value(text, 10);
    }
}

static int64_t digits_count(unsigned type, struct cw_str text)
{
    ptrdiff_t point = cw_str_find_byte(text, '.');
    return type == CW_SLOT_DEC ? (int64_t)text.len - point - 1 : (int64_t)text.len;
}

/* Numbers of the distinct texts, which go to `distinct`. */
static uint32_t distinct_find(const struct cw_str *values, uint32_t n, int64_t *numbers,
                              struct cw_str *distinct)
{
    uint32_t ndistinct = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t d = 0;
        while (d < ndistinct && !cw_str_eq(distinct[d], values[i]))
            d++;
        if (d == ndistinct)
            distinct[ndistinct++] = values[i];
        numbers[i] = d;
    }
    return ndistinct;
}

static void wide_add(struct cw_str text, struct cw_buf *out)
{
    uint8_t bytes[16];
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '-')
            continue;
        uint8_t half = (uint8_t)cw_str_hex_digit(text.ptr[i]);
        bytes[n / 2] = (uint8_t)(n % 2 == 0 ? half << 4 : bytes[n / 2] | half);
        n++;
    }
    cw_buf_add(out, bytes, sizeof(bytes));
}

static void texts_column(const struct template_model *m, uint32_t c, uint64_t *state,
                         struct cw_buf *out, struct cw_buf *dictionary)
{
    uint32_t n = m->nvalues[c];
    bool wide = !cw_slot_is_string(m->layout.columns[c].type), numbered = below(state, 2) == 0;
    int64_t *numbers = cw_mem_array(n, sizeof(*numbers));
    struct cw_str *texts = cw_mem_array(n, sizeof(*texts));
    uint32_t ntexts = n;
    if (numbered)
        ntexts = distinct_find(m->values[c], n, numbers, texts);
    else
        memcpy(texts, m->values[c], n * sizeof(*texts));
    cw_buf_addc(out, numbered == wide);
    if (numbered)
        cw_encode_varint(ntexts, out);
    if (numbered && !wide)
        ints_add(numbers, n, out);
    for (uint32_t i = 0; i < ntexts; i++) {
        if (wide) {
            wide_add(texts[i], out);
            continue;
        }
        cw_buf_adds(dictionary, texts[i]);
        cw_buf_addc(dictionary, 0);
    }
    if (numbered && wide)
        ints_add(numbers, n, out);
    free(numbers);
    free(texts);
}

static void ints_column(const struct template_model *m, uint32_t c, struct cw_buf *out)
{
    uint32_t n = m->nvalues[c];
    unsigned type = m->layout.columns[c].type;
    int64_t *values = cw_mem_array(n, sizeof(*values)), *digits = cw_mem_array(n, sizeof(*digits));
    bool zeros = false;
    for (uint32_t i = 0; i < n; i++) {
        struct cw_str text = m->values[c][i];
        values[i] = int_value(type, text);
        digits[i] = digits_count(type, text);
        zeros |= text.len > 1 && text.ptr[0] == '0';
    }
    if (type == CW_SLOT_NUM)
        cw_buf_addc(out, zeros);
    ints_add(values, n, out);
    if (type == CW_SLOT_DEC || type == CW_SLOT_HEX || (type == CW_SLOT_NUM && zeros))
        ints_add(digits, n, out);
    free(values);
    free(digits);
}

struct sections {
    struct cw_buf directory, bytes;
    uint64_t *state;
};

static void section_add(struct sections *s, unsigned kind, unsigned count, bool packed,
                        struct cw_str raw)
{
    struct cw_err err;
    struct cw_buf stored;
    uint8_t entry[CW_BLOCK_SECTION_BYTES] = {(uint8_t)kind};
    cw_buf_init(&stored, SIZE_MAX);
    entry[1] = (uint8_t)(packed ? CW_CODEC_NONE : below(s->state, 3));
    CW_ASSERT(cw_codec_compress(entry[1], raw, &stored, &err) == 0);
    cw_put16(entry + 2, (uint16_t)count);
    cw_put32(entry + 4, (uint32_t)raw.len);
    cw_put32(entry + 8, (uint32_t)stored.len);
    cw_put32(entry + 12, (uint32_t)cw_hash64(stored.ptr, stored.len));
    cw_buf_add(&s->directory, entry, sizeof(entry));
    cw_buf_adds(&s->bytes, cw_buf_str(&stored));
    cw_buf_fini(&stored);
}

/* One stream, a row a microsecond. */
static void times_add(const struct template_model *m, struct sections *s)
{
    struct cw_buf raw;
    int64_t *times = cw_mem_array(m->nrows, sizeof(*times));
    cw_buf_init(&raw, SIZE_MAX);
    for (uint32_t i = 0; i < m->nrows; i++)
        times[i] = (int64_t)i * 1000;
    ints_add(times, m->nrows, &raw);
    section_add(s, CW_SECTION_TIMES, 0, true, cw_buf_str(&raw));
    free(times);
    cw_buf_fini(&raw);
}

static void rows_add(const struct template_model *m, struct sections *s)
{
    struct cw_buf raw;
    int64_t *rows = cw_mem_array(m->nrows, sizeof(*rows));
    cw_buf_init(&raw, SIZE_MAX);
    for (uint32_t i = 0; i < m->nrows; i++)
        rows[i] = m->rows[i];
    ints_add(rows, m->nrows, &raw);
    if (m->layout.ntemplates > 1)
        section_add(s, CW_SECTION_ROWS, 0, false, cw_buf_str(&raw));
    free(rows);
    cw_buf_fini(&raw);
}

void template_model_encode(const struct template_model *m, uint64_t seed, struct cw_buf *out)
{
    uint32_t ncolumns = m->layout.ncolumns, nstrings = 0;
    struct cw_buf *columns = cw_mem_array(ncolumns + 1, sizeof(*columns));
    struct cw_buf text, raw, small, templates;
    struct sections s = {.state = &seed};
    int64_t *counts = cw_mem_array(m->layout.ntemplates, sizeof(*counts));
    int64_t *sizes = cw_mem_array(ncolumns + 1, sizeof(*sizes));
    struct cw_buf *all[] = {&text, &raw, &small, &templates, &s.directory, &s.bytes};
    for (size_t i = 0; i < CW_COUNT(all); i++)
        cw_buf_init(all[i], SIZE_MAX);
    for (uint32_t t = 0; t < m->layout.ntemplates; t++) {
        cw_buf_adds(&text, m->layout.templates[t].text);
        cw_buf_addc(&text, 0);
        counts[t] = m->counts[t];
    }
    for (uint32_t c = 0; c < ncolumns; c++) {
        unsigned type = m->layout.columns[c].type;
        size_t before = text.len;
        cw_buf_init(&columns[c], SIZE_MAX);
        if (cw_slot_is_string(type) || type == CW_SLOT_HEX32 || type == CW_SLOT_UUID)
            texts_column(m, c, &seed, &columns[c], &text);
        else
            ints_column(m, c, &columns[c]);
        if (cw_slot_is_string(type))
            sizes[nstrings++] = (int64_t)(text.len - before);
        for (uint32_t i = 0; type == CW_SLOT_RAW && i < m->nvalues[c]; i++)
            cw_buf_adds(&raw, m->values[c][i]);
    }
    ints_add(counts, m->layout.ntemplates, &templates);
    ints_add(sizes, nstrings, &templates);
    times_add(m, &s);
    section_add(&s, CW_SECTION_TEMPLATES, 0, false, cw_buf_str(&templates));
    section_add(&s, CW_SECTION_TEXT, 0, false, cw_buf_str(&text));
    rows_add(m, &s);
    for (uint32_t c = 0; c < ncolumns; c++) {
        if (columns[c].len >= CW_COLUMN_SMALL_BYTES)
            continue;
        cw_encode_varint(columns[c].len, &small);
        cw_buf_adds(&small, cw_buf_str(&columns[c]));
    }
    if (small.len > 0)
        section_add(&s, CW_SECTION_SMALL, 0, false, cw_buf_str(&small));
    for (uint32_t c = 0; c < ncolumns; c++)
        if (columns[c].len >= CW_COLUMN_SMALL_BYTES)
            section_add(&s, CW_SECTION_COLUMN, c, false, cw_buf_str(&columns[c]));
    if (raw.len > 0)
        section_add(&s, CW_SECTION_RAW, 0, false, cw_buf_str(&raw));
    uint8_t header[CW_BLOCK_HEADER_BYTES] = {0};
    uint64_t raw_bytes = 0;
    for (uint32_t i = 0; i < m->nrows; i++)
        raw_bytes += m->lines[i].len;
    cw_put32(header, CW_BLOCK_MAGIC);
    header[4] = CW_BLOCK_MAJOR;
    header[5] = CW_BLOCK_MINOR;
    header[6] = CW_BLOCK_TEMPLATES;
    cw_put32(header + 16, m->nrows);
    cw_put32(header + 20, m->layout.ntemplates);
    cw_put32(header + 24, ncolumns);
    cw_put32(header + 28, (uint32_t)raw_bytes);
    cw_put64(header + 40, (uint64_t)(m->nrows - 1) * 1000);
    cw_put32(header + 48, (uint32_t)s.directory.len);
    cw_put16(header + 52, 1);
    cw_block_seal(header, cw_buf_str(&s.directory));
    cw_buf_add(out, header, sizeof(header));
    cw_buf_adds(out, cw_buf_str(&s.directory));
    cw_buf_adds(out, cw_buf_str(&s.bytes));
    for (uint32_t c = 0; c < ncolumns; c++)
        cw_buf_fini(&columns[c]);
    for (size_t i = 0; i < CW_COUNT(all); i++)
        cw_buf_fini(all[i]);
    free(columns);
    free(counts);
    free(sizes);
}

void template_model_reseal(char *block, size_t len)
{
    if (len < CW_BLOCK_HEADER_BYTES)
        return;
    uint32_t dir_bytes = cw_get32(block + 48);
    if (dir_bytes > len - CW_BLOCK_HEADER_BYTES)
        return;
    size_t at = CW_BLOCK_HEADER_BYTES + dir_bytes;
    for (uint32_t d = 0; d + CW_BLOCK_SECTION_BYTES <= dir_bytes; d += CW_BLOCK_SECTION_BYTES) {
        char *entry = block + CW_BLOCK_HEADER_BYTES + d;
        uint32_t stored = cw_get32(entry + 8);
        if (stored > len - at)
            break;
        if (entry[0] == CW_SECTION_META_VALUES) /* a block in it */
            template_model_reseal(block + at, stored);
        cw_put32(entry + 12, (uint32_t)cw_hash64(block + at, stored));
        at += stored;
    }
    cw_block_seal((uint8_t *)block, cw_str_make(block + CW_BLOCK_HEADER_BYTES, dir_bytes));
}
