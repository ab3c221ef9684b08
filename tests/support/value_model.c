#include "tests/support/value_model.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/store/block_writer.h"
#include "common/store/cursor.h"
#include "common/store/value_rows.h"
#include "tests/support/match_model.h"
#include "tests/support/part_model.h"

enum { RUN_ROWS_MAX = 400 };

struct input {
    struct cw_block block;
    struct cw_template_block *tb;
    struct cw_value_rows values;
    bool as_values;
    struct cw_buf text; /* its lines */
    uint32_t offsets[CW_BLOCK_ROWS_MAX + 1], sizes[CW_BLOCK_ROWS_MAX];
    uint32_t next;
};

struct output {
    struct cw_block_writer *writer;
    struct cw_str *lines; /* borrowed */
    size_t n;
    bool full;
};

/* False: it is no block of templates whose lines can be read. */
static bool input_open(struct input *in, struct cw_str bytes)
{
    static uint64_t keep[CW_BLOCK_ROWS_MAX / 64];
    struct cw_err err;
    memset(keep, 0xff, sizeof(keep));
    cw_buf_init(&in->text, SIZE_MAX);
    in->tb = cw_template_block_new();
    if (cw_block_open(bytes, &in->block, &err) < 0 || in->block.kind != CW_BLOCK_TEMPLATES ||
        cw_template_block_open(in->tb, &in->block, &err) < 0)
        return false;
    int rc = cw_value_rows_open(&in->values, in->tb, in->sizes, &err);
    in->as_values = rc == 1;
    if (cw_template_block_lines(in->tb, keep, 0, in->block.rows, &in->text, in->offsets, &err) < 0)
        return false;
    for (uint32_t i = 0; rc == 1 && i < in->block.rows; i++)
        CW_ASSERT(in->sizes[i] == in->offsets[i + 1] - in->offsets[i]);
    return true;
}

static void input_close(struct input *in)
{
    cw_template_block_free(&in->tb);
    cw_buf_fini(&in->text);
    free(in);
}

static struct cw_str line_of(const struct input *in, uint32_t row)
{
    return cw_str_make(in->text.ptr + in->offsets[row], in->offsets[row + 1] - in->offsets[row]);
}

/* How many of the rows were written; 0: the block is full. */
static uint32_t run_write(struct output *out, struct input *in, uint32_t n,
                          struct value_model_counts *counts)
{
    int64_t times[RUN_ROWS_MAX];
    struct cw_err err;
    for (uint32_t i = 0; i < n; i++)
        times[i] = (int64_t)(out->n + i);
    if (in->as_values) {
        struct cw_entry_batch batch = {.n = n,
                                       .ts_ns = times,
                                       .sizes = in->sizes + in->next,
                                       .values = &in->values,
                                       .first_row = in->next};
        int done = cw_block_writer_add_values(out->writer, 0, &batch, 0, SIZE_MAX, &err);
        CW_ASSERT(done >= 0 && done <= (int)n);
        counts->as_values += (uint32_t)done;
        return (uint32_t)done;
    }
    struct cw_block_row row = {.ts_ns = times[0]};
    struct cw_str line = line_of(in, in->next);
    if (cw_block_writer_full(out->writer, line.len, 0))
        return 0;
    int rc = cw_block_writer_add(out->writer, &row, line, &err);
    CW_ASSERT(rc >= 0);
    counts->as_lines += (uint32_t)rc;
    return (uint32_t)rc;
}

static void rows_write(struct output *out, struct input **inputs, size_t n, uint64_t *state,
                       struct value_model_counts *counts)
{
    size_t nleft = 0;
    for (size_t i = 0; i < n; i++)
        nleft += inputs[i]->block.rows;
    out->lines = cw_mem_array(nleft + 1, sizeof(*out->lines));
    while (nleft > 0 && !out->full) {
        struct input *in = inputs[part_model_random(state) % n];
        uint32_t left = in->block.rows - in->next;
        uint32_t run = 1 + (uint32_t)(part_model_random(state) % RUN_ROWS_MAX);
        run = part_model_random(state) % 4 == 0 ? run % 3 : run;
        run = CW_MIN(run, left);
        if (part_model_random(state) % 5 > 0) {
            uint32_t done = run == 0 ? 0 : run_write(out, in, run, counts);
            out->full = run > 0 && done == 0;
            for (uint32_t i = 0; i < done; i++)
                out->lines[out->n++] = line_of(in, in->next + i);
            run = done;
        }
        in->next += run;
        nleft -= run;
    }
}

static bool lines_are_same(struct cw_str bytes, const struct output *out, struct cw_buf *wrong)
{
    struct input *in = cw_mem_new(sizeof(*in));
    bool same = input_open(in, bytes) && in->block.rows == out->n;
    if (!same)
        cw_buf_addz(wrong, "the block cannot be read again");
    for (uint32_t i = 0; same && i < in->block.rows; i++) {
        same = cw_str_eq(line_of(in, i), out->lines[i]);
        if (!same)
            cw_buf_addf(wrong, "row %u is not %.*s", i, CW_STR_ARG(out->lines[i]));
    }
    input_close(in);
    return same;
}

static bool output_check(struct output *out, uint64_t *state, size_t nqueries,
                         struct value_model_counts *counts, struct cw_buf *wrong)
{
    struct cw_template_memory memory = {0};
    struct cw_block_summary summary;
    struct cw_buf bytes, filter;
    struct match_counts match_counts = {0};
    struct cw_err err;
    cw_buf_init(&bytes, SIZE_MAX);
    cw_buf_init(&filter, SIZE_MAX);
    int rc = cw_block_writer_finish(out->writer, &memory, &bytes, &filter, &summary, &err);
    CW_ASSERT(rc == 0 && summary.rows == out->n);
    struct match_model *m =
        match_model_of_block(cw_buf_str(&bytes), cw_buf_str(&filter), out->lines, out->n);
    bool same = true;
    if (match_model_kind(m) == CW_BLOCK_TEMPLATES) {
        same = lines_are_same(cw_buf_str(&bytes), out, wrong);
        for (size_t i = 0; same && i < nqueries; i++)
            same = match_model_check_random(m, state, &match_counts, wrong);
    }
    counts->queries += match_counts.queries;
    match_model_free(&m);
    cw_buf_fini(&bytes);
    cw_buf_fini(&filter);
    return same;
}

bool value_model_check(const struct cw_str *blocks, size_t n, uint64_t *state, size_t nqueries,
                       struct value_model_counts *counts, struct cw_buf *wrong)
{
    struct input **inputs = cw_mem_array(n, sizeof(*inputs));
    /* One for all calls, as a part has one for all its blocks. */
    static struct cw_block_writer *writer;
    if (writer == NULL)
        writer = cw_block_writer_new(CW_CODEC_LZ4);
    struct output out = {.writer = writer};
    bool good = true;
    for (size_t i = 0; i < n; i++) {
        inputs[i] = cw_mem_new(sizeof(*inputs[i]));
        good &= input_open(inputs[i], blocks[i]);
    }
    if (good) {
        rows_write(&out, inputs, n, state, counts);
        good = out.n == 0 || output_check(&out, state, nqueries, counts, wrong);
    } else {
        good = true; /* no lines to compare with */
    }
    for (size_t i = 0; i < n; i++)
        input_close(inputs[i]);
    free(out.lines);
    free(inputs);
    return good;
}
