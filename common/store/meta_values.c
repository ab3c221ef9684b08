/* meta_values.c - values as lines: those that are wanted are rebuilt, the others are never looked at. */
#include "common/store/meta_values.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/store/row_bits.h"
#include "common/store/template_block.h"
#include "common/store/template_match.h"

struct cw_meta_values {
    struct cw_block block;
    struct cw_template_block *templates;
    bool open;          /* the templates: those of the block */
    uint32_t n;         /* values */
    uint32_t from, to;  /* that were read */
    struct cw_buf text; /* of those */
    uint32_t offsets[CW_BLOCK_ROWS_MAX +
                     1]; /* value i is text[offsets[i - from], offsets[i - from + 1]) */
    uint64_t want[CW_BLOCK_ROWS_MAX / 64];
    uint64_t unsure[CW_BLOCK_ROWS_MAX / 64];
};

struct cw_meta_values *cw_meta_values_new(void)
{
    /* Not zeroed: most of it is written before it is read, and never touched where values are few. */
    struct cw_meta_values *v = cw_mem_resize(NULL, sizeof(*v));
    v->templates = cw_template_block_new();
    v->open = false;
    v->n = v->from = v->to = 0;
    cw_buf_init(&v->text, SIZE_MAX);
    return v;
}

void cw_meta_values_free(struct cw_meta_values **values)
{
    struct cw_meta_values *v = *values;
    *values = NULL;
    if (v == NULL)
        return;
    cw_template_block_free(&v->templates);
    cw_buf_fini(&v->text);
    free(v);
}

size_t cw_meta_values_bytes(const struct cw_meta_values *v)
{
    return sizeof(*v) + v->text.cap + cw_template_block_bytes(v->templates);
}

int cw_meta_values_open(struct cw_meta_values *v, const struct cw_section *section, uint32_t n,
                        struct cw_err *err)
{
    cw_meta_values_close(v);
    int rc = cw_block_open_values(section, &v->block, err);
    if (rc == 0 && v->block.rows != n)
        rc = cw_err_set(err, CW_E_CORRUPT, "%u values where %u are meant", v->block.rows, n);
    if (rc < 0)
        return cw_err_wrap(err, "values of metadata");
    v->n = n;
    return 0;
}

void cw_meta_values_close(struct cw_meta_values *v)
{
    cw_template_block_close(v->templates);
    v->open = false;
    v->n = v->from = v->to = 0;
}

uint64_t *cw_meta_values_want(struct cw_meta_values *v)
{
    memset(v->want, 0, ((size_t)v->n + 63) / 64 * sizeof(v->want[0]));
    return v->want;
}

static int templates_open(struct cw_meta_values *v, struct cw_err *err)
{
    int rc = v->open ? 0 : cw_template_block_open(v->templates, &v->block, err);
    v->open = rc == 0;
    return rc;
}

int cw_meta_values_read(struct cw_meta_values *v, uint32_t from, uint32_t to, struct cw_err *err)
{
    CW_ASSERT(from <= to && to <= v->n);
    v->from = v->to = 0;
    cw_buf_clear(&v->text);
    int rc = templates_open(v, err);
    if (rc == 0)
        rc = cw_template_block_lines(v->templates, v->want, from, to, &v->text, v->offsets, err);
    if (rc < 0)
        return cw_err_wrap(err, "values of metadata");
    v->from = from;
    v->to = to;
    return 0;
}

struct cw_str cw_meta_values_at(const struct cw_meta_values *v, uint32_t i)
{
    CW_ASSERT(i >= v->from && i < v->to);
    const uint32_t *at = v->offsets + (i - v->from);
    return cw_str_make(v->text.ptr + at[0], at[1] - at[0]);
}

/* Leave the values in `want` that the operand fits; from..to: where those are that are asked. */
static int values_judge(struct cw_meta_values *v, const struct cw_meta_filter *f, uint32_t from,
                        uint32_t to, struct cw_err *err)
{
    int rc = cw_meta_values_read(v, from, to, err);
    for (uint32_t i = from; rc == 0 && (i = cw_bits_next(v->want, i, to)) < to; i++)
        if (!cw_meta_filter_fits(f, cw_meta_values_at(v, i)))
            v->want[i / 64] &= ~(UINT64_C(1) << (i % 64));
    return rc;
}

int cw_meta_values_match(struct cw_meta_values *v, const struct cw_meta_filter *f,
                         struct cw_str value_filter, const uint64_t **out, bool *by_values_out,
                         struct cw_err *err)
{
    uint64_t *want = cw_meta_values_want(v);
    cw_bits_set(want, 0, v->n);
    memset(v->unsure, 0, ((size_t)v->n + 63) / 64 * sizeof(v->unsure[0]));
    *out = want;
    int rc = templates_open(v, err);
    if (rc == 0 && f->lines != NULL)
        rc = cw_template_match((const struct cw_line_filter *const[]){f->lines}, 1,
                               CW_MATCH_WANTS_LINES, v->templates, value_filter, want, v->unsure,
                               by_values_out, err);
    if (rc < 0)
        return cw_err_wrap(err, "values of metadata");
    uint32_t from = cw_bits_next(want, 0, v->n), to = v->n;
    while (to > from && (want[(to - 1) / 64] >> ((to - 1) % 64) & 1) == 0)
        to--;
    return from < to ? values_judge(v, f, from, to, err) : 0;
}

/* ---- of a block ---- */

struct cw_meta_memory {
    struct cw_meta_values *values[CW_BLOCK_META_VALUES_MAX]; /* NULL: not needed so far */
};

struct cw_meta_memory *cw_meta_memory_new(void)
{
    return cw_mem_new(sizeof(struct cw_meta_memory));
}

void cw_meta_memory_free(struct cw_meta_memory **memory)
{
    struct cw_meta_memory *m = *memory;
    *memory = NULL;
    if (m == NULL)
        return;
    for (size_t i = 0; i < CW_COUNT(m->values); i++)
        cw_meta_values_free(&m->values[i]);
    free(m);
}

size_t cw_meta_memory_bytes(const struct cw_meta_memory *m)
{
    size_t bytes = sizeof(*m);
    for (size_t i = 0; i < CW_COUNT(m->values); i++)
        bytes += m->values[i] != NULL ? cw_meta_values_bytes(m->values[i]) : 0;
    return bytes;
}

struct cw_meta_values *cw_meta_memory_values(struct cw_meta_memory *m, uint32_t i)
{
    CW_ASSERT(i < CW_BLOCK_META_VALUES_MAX);
    if (m->values[i] == NULL)
        m->values[i] = cw_meta_values_new();
    return m->values[i];
}
