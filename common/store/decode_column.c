/* decode_column.c - what stands in a column, by the type of its slots. */
#include "common/store/decode_column.h"

#include "common/base/assert.h"
#include "common/store/encode_int.h"
#include "common/store/format.h"
#include "common/store/format_slot.h"
#include "common/store/int_column.h"
#include "common/store/layout.h"

/* A dictionary is texted when its values come so often at least. */
enum { DISTINCT_SHARE = 2 };
enum { NUMBERED = 0, IN_ORDER = 1 /* encodings of strings */ };
enum { WIDE_IN_ORDER = 0, WIDE_NUMBERED = 1, WIDE_BYTES = 16 };

static int bad(struct cw_err *err, const char *what)
{
    return cw_err_set(err, CW_E_CORRUPT, "column: %s", what);
}

static bool take_byte(struct cw_str *in, uint8_t *out)
{
    if (in->len == 0)
        return false;
    *out = (uint8_t)in->ptr[0];
    *in = cw_str_sub(*in, 1, in->len);
    return true;
}

/* An integer column of all values off the front of *in. */
static int take_ints(struct cw_str *in, uint32_t n, struct cw_arena *arena,
                     struct cw_int_access *out, struct cw_err *err)
{
    size_t used;
    int rc = cw_int_access_open(*in, n, arena, out, &used, err);
    if (rc == 0)
        *in = cw_str_sub(*in, used, in->len);
    return rc;
}

static int take_values(struct cw_column_reader *c, struct cw_str *in, struct cw_arena *arena,
                       struct cw_err *err)
{
    c->have_values = true;
    return take_ints(in, c->n, arena, &c->values, err);
}

static int take_digits(struct cw_column_reader *c, struct cw_str *in, struct cw_arena *arena,
                       struct cw_err *err)
{
    c->have_digits = true;
    return take_ints(in, c->n, arena, &c->digits, err);
}

static int num_open(struct cw_column_reader *c, struct cw_str *in, struct cw_arena *arena,
                    struct cw_err *err)
{
    uint8_t flags;
    if (!take_byte(in, &flags) || flags > 1)
        return bad(err, "unknown flags");
    int rc = take_values(c, in, arena, err);
    return rc == 0 && flags == 1 ? take_digits(c, in, arena, err) : rc;
}

/* How many bytes of `text` are 0x00; all bits of a byte but the highest are added up without a carry into the next one. */
static size_t zeros_count(struct cw_str text)
{
    const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f);
    size_t n = 0, i = 0;
    for (; i + 8 <= text.len; i += 8) {
        uint64_t v = cw_get64(text.ptr + i);
        n += (size_t)__builtin_popcountll(~(((v & low) + low) | v | low));
    }
    for (; i < text.len; i++)
        n += text.ptr[i] == 0;
    return n;
}

/* The dictionary's values, each ended by 0x00. */
static int strings_split(struct cw_column_reader *c, struct cw_str text, uint64_t n,
                         struct cw_arena *arena, struct cw_err *err)
{
    if (n != zeros_count(text) || (text.len > 0 && text.ptr[text.len - 1] != 0))
        return bad(err, "the dictionary does not hold what the column says");
    struct cw_str *strings = cw_arena_alloc(arena, n * sizeof(*strings));
    const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f);
    const char *at = text.ptr;
    size_t next = 0, i = 0;
    for (; i + 8 <= text.len; i += 8) {
        uint64_t v = cw_get64(text.ptr + i), zeros = ~(((v & low) + low) | v | low);
        for (; zeros != 0; zeros &= zeros - 1) {
            const char *end = text.ptr + i + (unsigned)__builtin_ctzll(zeros) / 8;
            strings[next++] = cw_str_make(at, (size_t)(end - at));
            at = end + 1;
        }
    }
    for (; i < text.len; i++) {
        if (text.ptr[i] != 0)
            continue;
        strings[next++] = cw_str_make(at, (size_t)(text.ptr + i - at));
        at = text.ptr + i + 1;
    }
    c->strings = strings;
    c->ndistinct = (uint32_t)n;
    return 0;
}

static int string_open(struct cw_column_reader *c, struct cw_str *in, struct cw_str dictionary,
                       struct cw_arena *arena, struct cw_err *err)
{
    uint8_t encoding;
    uint64_t n = c->n;
    if (!take_byte(in, &encoding) || encoding > IN_ORDER)
        return bad(err, "unknown encoding of strings");
    if (encoding == NUMBERED) {
        if (!cw_decode_varint(in, &n) || n == 0 || n > c->n)
            return bad(err, "no count of strings");
        int rc = take_values(c, in, arena, err);
        if (rc < 0)
            return rc;
    }
    return strings_split(c, dictionary, n, arena, err);
}

static int wide_open(struct cw_column_reader *c, struct cw_str *in, struct cw_arena *arena,
                     struct cw_err *err)
{
    uint8_t encoding;
    uint64_t n = c->n;
    if (!take_byte(in, &encoding) || encoding > WIDE_NUMBERED)
        return bad(err, "unknown encoding of wide values");
    if (encoding == WIDE_NUMBERED && (!cw_decode_varint(in, &n) || n == 0))
        return bad(err, "no count of wide values");
    if (n > in->len / WIDE_BYTES)
        return bad(err, "wide values are missing");
    c->wide = (const uint8_t(*)[WIDE_BYTES])in->ptr;
    c->ndistinct = (uint32_t)n;
    *in = cw_str_sub(*in, n * WIDE_BYTES, in->len);
    return encoding == WIDE_NUMBERED ? take_values(c, in, arena, err) : 0;
}

/* Lines that lie one behind the other in `text`. */
static int raw_open(struct cw_column_reader *c, struct cw_str *in, struct cw_str text,
                    struct cw_arena *arena, struct cw_err *err)
{
    int rc = take_values(c, in, arena, err);
    if (rc < 0)
        return rc;
    struct cw_str *lines = cw_arena_alloc(arena, c->n * sizeof(*lines));
    size_t at = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        int64_t len;
        rc = cw_int_access_read(&c->values, i, 1, &len, err);
        if (rc < 0)
            return rc;
        if ((uint64_t)len > text.len - at)
            return bad(err, "lines are missing");
        lines[i] = cw_str_make(text.ptr + at, (size_t)len);
        at += (size_t)len;
    }
    c->raw = text.ptr;
    c->strings = lines;
    c->ndistinct = c->n;
    return at == text.len ? 0 : bad(err, "bytes follow the lines");
}

int cw_column_open(unsigned type, uint32_t n, struct cw_str bytes, struct cw_str texts,
                   struct cw_arena *arena, struct cw_column_reader *c, struct cw_err *err)
{
    int rc;
    *c = (struct cw_column_reader){.type = (uint8_t)type, .n = n};
    switch (type) {
    case CW_SLOT_NUM: rc = num_open(c, &bytes, arena, err); break;
    case CW_SLOT_STR:
    case CW_SLOT_QUOTED: rc = string_open(c, &bytes, texts, arena, err); break;
    case CW_SLOT_HEX32:
    case CW_SLOT_UUID: rc = wide_open(c, &bytes, arena, err); break;
    case CW_SLOT_RAW: rc = raw_open(c, &bytes, texts, arena, err); break;
    case CW_SLOT_DEC:
    case CW_SLOT_HEX:
        rc = take_values(c, &bytes, arena, err);
        if (rc == 0)
            rc = take_digits(c, &bytes, arena, err);
        break;
    default: rc = take_values(c, &bytes, arena, err); break;
    }
    return rc == 0 && bytes.len != 0 ? bad(err, "bytes follow its end") : rc;
}

/* Do `values` number what there is? */
static bool numbers_within(const int64_t *values, uint32_t n, uint32_t ndistinct)
{
    bool within = true;
    for (uint32_t i = 0; i < n; i++)
        within &= (uint64_t)values[i] < ndistinct;
    return within;
}

static bool is_numbers(unsigned type)
{
    return cw_slot_is_string(type) || type == CW_SLOT_HEX32 || type == CW_SLOT_UUID;
}

int cw_column_decode(const struct cw_column_reader *c, struct cw_arena *arena,
                     struct cw_column *out, struct cw_err *err)
{
    int64_t *values = NULL, *digits = NULL;
    int rc = 0;
    if (c->have_values) {
        values = cw_arena_alloc(arena, c->n * sizeof(*values));
        rc = cw_int_access_read(&c->values, 0, c->n, values, err);
    }
    if (rc == 0 && c->have_digits) {
        digits = cw_arena_alloc(arena, c->n * sizeof(*digits));
        rc = cw_int_access_read(&c->digits, 0, c->n, digits, err);
    }
    if (rc == 0 && values != NULL && is_numbers(c->type) &&
        !numbers_within(values, c->n, c->ndistinct))
        rc = bad(err, "the number of a value that is not there");
    *out = (struct cw_column){
        .type = c->type,
        .n = c->n,
        .values = values,
        .digits = digits,
        .strings = c->type == CW_SLOT_RAW ? NULL : c->strings,
        .wide = c->wide,
        .ndistinct = c->ndistinct,
        .raw = c->raw,
    };
    return rc;
}

int cw_column_text(const struct cw_column *c, uint32_t i, char *area, struct cw_str *out,
                   struct cw_err *err)
{
    int64_t number = c->values != NULL ? c->values[i] : i;
    CW_ASSERT(i < c->n && c->type != CW_SLOT_RAW);
    if (c->strings != NULL)
        *out = c->strings[number];
    else if (c->wide != NULL)
        cw_format_wide_slots(c->type, c->wide, &number, 1, area, out);
    else if (!cw_format_slots(c->type, &number, c->digits != NULL ? &c->digits[i] : NULL, 1, area,
                              out))
        return bad(err, "a value that no line has");
    return 0;
}

/* Numbers of strings or wide values. */
static int numbers_read(const struct cw_column_reader *c, uint32_t from, uint32_t n, int64_t *out,
                        struct cw_err *err)
{
    if (!c->have_values) {
        for (uint32_t i = 0; i < n; i++)
            out[i] = from + i;
        return 0;
    }
    int rc = cw_int_access_read(&c->values, from, n, out, err);
    if (rc == 0 && !numbers_within(out, n, c->ndistinct))
        rc = bad(err, "the number of a value that is not there");
    return rc;
}

int cw_column_texts_prepare(struct cw_column_reader *c, struct cw_arena *arena, struct cw_err *err)
{
    uint32_t n = c->values.ndistinct;
    bool pays = c->have_values && !c->have_digits && c->strings == NULL && c->wide == NULL &&
                c->values.encoding == CW_INT_DICT && n <= c->n / DISTINCT_SHARE;
    if (!pays || c->texts != NULL)
        return 0;
    int64_t *values = cw_arena_alloc(arena, n * sizeof(*values));
    struct cw_str *texts = cw_arena_alloc(arena, n * sizeof(*texts));
    char *area = cw_arena_alloc(arena, n * cw_slot_text_room(c->type) + (size_t)CW_SLOT_TEXT_SLACK);
    for (uint32_t i = 0; i < n; i++)
        values[i] = (int64_t)((uint64_t)c->values.values[i] * c->values.scale);
    if (!cw_format_slots(c->type, values, NULL, n, area, texts))
        return bad(err, "a value that no line has");
    c->texts = texts;
    return 0;
}

bool cw_column_is_constant(const struct cw_column_reader *c)
{
    return c->type != CW_SLOT_RAW && c->have_values && c->values.encoding == CW_INT_CONST &&
           (!c->have_digits || c->digits.encoding == CW_INT_CONST);
}

int cw_column_texts(const struct cw_column_reader *c, uint32_t from, uint32_t n, char *area,
                    struct cw_str *texts, const struct cw_str **texts_out, struct cw_err *err)
{
    int64_t values[CW_COLUMN_TEXTS_MAX], digits[CW_COLUMN_TEXTS_MAX];
    CW_ASSERT(n <= CW_COLUMN_TEXTS_MAX);
    *texts_out = texts;
    if (c->type == CW_SLOT_RAW || (cw_slot_is_string(c->type) && !c->have_values)) {
        *texts_out = c->strings + from;
        return 0;
    }
    if (is_numbers(c->type)) {
        int rc = numbers_read(c, from, n, values, err);
        if (rc < 0)
            return rc;
        if (c->wide != NULL)
            cw_format_wide_slots(c->type, c->wide, values, n, area, texts);
        else
            for (uint32_t i = 0; i < n; i++)
                texts[i] = c->strings[values[i]];
        return 0;
    }
    if (c->texts != NULL) {
        int rc = cw_int_access_numbers(&c->values, from, n, values, err);
        for (uint32_t i = 0; rc == 0 && i < n; i++)
            texts[i] = c->texts[values[i]];
        return rc;
    }
    int rc = cw_int_access_read(&c->values, from, n, values, err);
    if (rc == 0 && c->have_digits)
        rc = cw_int_access_read(&c->digits, from, n, digits, err);
    if (rc == 0 &&
        !cw_format_slots(c->type, values, c->have_digits ? digits : NULL, n, area, texts))
        rc = bad(err, "a value that no line has");
    return rc;
}
