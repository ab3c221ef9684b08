#include "tests/support/block_round_trip.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/store/block_reader.h"
#include "common/store/block_writer.h"
#include "common/store/template_block.h"

enum { KEEP_WORDS = CW_BLOCK_ROWS_MAX / 64 };

static const char *lines_check(struct cw_template_block *tb, const struct cw_str *lines, size_t n,
                               const uint64_t *keep)
{
    struct cw_err err;
    struct cw_buf text;
    uint32_t *offsets = cw_mem_array(n + 1, sizeof(*offsets)),
             *sizes = cw_mem_array(n, sizeof(*sizes));
    const char *wrong = NULL;
    cw_buf_init(&text, SIZE_MAX);
    if (cw_template_block_lines(tb, keep, 0, (uint32_t)n, &text, offsets, &err) < 0 ||
        cw_template_block_sizes(tb, keep, 0, (uint32_t)n, sizes, &err) < 0)
        wrong = "lines are not rebuilt";
    for (size_t i = 0; wrong == NULL && i < n; i++) {
        struct cw_str want = keep[i / 64] >> i % 64 & 1 ? lines[i] : CW_STR_NONE;
        if (!cw_str_eq(cw_str_make(text.ptr + offsets[i], offsets[i + 1] - offsets[i]), want))
            wrong = "a line differs";
        else if (sizes[i] != want.len)
            wrong = "a line's size differs";
    }
    cw_buf_fini(&text);
    free(offsets);
    free(sizes);
    return wrong;
}

static const char *templates_check(const struct cw_block *b, const struct cw_str *lines, size_t n)
{
    struct cw_template_block *tb = cw_template_block_new();
    struct cw_err err;
    uint64_t all[KEEP_WORDS], some[KEEP_WORDS], few[KEEP_WORDS] = {0};
    const char *wrong = NULL;
    memset(all, 0xff, sizeof(all));
    for (size_t i = 0; i < KEEP_WORDS; i++)
        some[i] = UINT64_C(0x9249249249249249);
    for (size_t i = 0; i < n; i += 301)
        few[i / 64] |= UINT64_C(1) << i % 64;
    const uint64_t *keeps[] = {all, some, few};
    for (size_t i = 0; wrong == NULL && i < CW_COUNT(keeps); i++) {
        if (cw_template_block_open(tb, b, &err) < 0)
            wrong = "the block does not open";
        else
            wrong = lines_check(tb, lines, n, keeps[i]);
    }
    cw_template_block_free(&tb);
    return wrong;
}

static const char *plain_check(const struct cw_block *b, const struct cw_str *lines, size_t n)
{
    int64_t *scratch = cw_mem_array(n, sizeof(*scratch));
    uint32_t *lengths = cw_mem_array(n, sizeof(*lengths));
    char *text = malloc((size_t)b->raw_bytes + 1), *at = text;
    struct cw_err err;
    const char *wrong = NULL;
    if (cw_block_lengths(b, scratch, lengths, &err) < 0)
        wrong = "lengths are not read";
    for (uint32_t i = 0; wrong == NULL && i < b->npieces; i++) {
        if (cw_block_section_into(&b->pieces[i].text, at, &err) < 0)
            wrong = "a piece is not read";
        at += b->pieces[i].text.raw_bytes;
    }
    at = text;
    for (size_t i = 0; wrong == NULL && i < n; i++) {
        if (!cw_str_eq(lines[i], cw_str_make(at, lengths[i])))
            wrong = "a line of a plain block differs";
        at += lengths[i];
    }
    free(scratch);
    free(lengths);
    free(text);
    return wrong;
}

struct block_round_trip block_round_trip(const struct cw_str *lines, size_t n, enum cw_codec codec)
{
    struct block_round_trip result = {0};
    /* One for all calls, as a part has one for all its blocks. */
    static struct cw_block_writer *writers[CW_CODEC_ZSTD + 1];
    if (writers[codec] == NULL)
        writers[codec] = cw_block_writer_new(codec);
    struct cw_block_writer *w = writers[codec];
    struct cw_template_memory memory = {0};
    struct cw_block_summary summary;
    struct cw_block *b = cw_mem_new(sizeof(*b));
    struct cw_buf out, filter;
    struct cw_err err;
    cw_buf_init(&out, SIZE_MAX);
    cw_buf_init(&filter, SIZE_MAX);
    for (size_t i = 0; i < n; i++)
        CW_ASSERT(cw_block_writer_add(w, &(struct cw_block_row){.ts_ns = (int64_t)i}, lines[i],
                                      &err) == 1);
    if (cw_block_writer_finish(w, &memory, &out, &filter, &summary, &err) < 0)
        result.wrong = "the block is not written";
    else if (cw_block_open(cw_buf_str(&out), b, &err) < 0)
        result.wrong = "the block's sections are not found";
    else if (b->kind == CW_BLOCK_TEMPLATES)
        result.wrong = templates_check(b, lines, n);
    else
        result.wrong = plain_check(b, lines, n);
    if (out.len > 0) {
        result.kind = b->kind;
        result.bytes = out.len;
        result.filter_bytes = filter.len;
        result.templates = cw_get32(out.ptr + 20);
        result.columns = cw_get32(out.ptr + 24);
    }
    cw_buf_fini(&out);
    cw_buf_fini(&filter);
    free(b);
    return result;
}
