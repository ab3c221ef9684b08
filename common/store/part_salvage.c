#include "common/store/part_salvage.h"

#include "common/base/arena.h"
#include "common/store/part_source.h"
#include "common/store/part_writer.h"

/* A stream as it comes out of the blocks, which hold streams in order. */
struct kept {
    struct cw_hash128 id;
    struct cw_labels labels; /* in the arena */
    uint64_t rows, raw_bytes;
};

struct salvage {
    struct cw_source *source;
    struct cw_arena *arena;
    struct kept *kept;
    size_t n, cap;
    struct cw_part_writer *writer; /* the second time through */
    size_t at;                     /* streams that were begun */
};

static int count_batch(struct salvage *s, const struct cw_entry_batch *batch, struct cw_err *err)
{
    struct kept *last = s->n > 0 ? &s->kept[s->n - 1] : NULL;
    if (last == NULL || !cw_hash128_eq(last->id, batch->stream.id)) {
        if (last != NULL && cw_part_stream_cmp(last->labels, batch->stream.labels) >= 0)
            return cw_err_set(err, CW_E_CORRUPT, "its streams are not in order");
        s->kept = cw_arena_grow(s->arena, s->kept, s->n, &s->cap, s->n + 1, sizeof(*s->kept));
        last = &s->kept[s->n++];
        *last = (struct kept){.id = batch->stream.id,
                              .labels = cw_labels_dup(s->arena, batch->stream.labels)};
    }
    last->rows += batch->n;
    for (size_t i = 0; i < batch->n; i++)
        last->raw_bytes += batch->lines[i].len;
    return 0;
}

static int write_batch(struct salvage *s, const struct cw_entry_batch *batch, struct cw_err *err)
{
    if (s->at == 0 || !cw_hash128_eq(s->kept[s->at - 1].id, batch->stream.id)) {
        if (s->at == s->n) /* the file changed between the two */
            return cw_err_set(err, CW_E_CORRUPT, "it reads differently the second time");
        const struct kept *next = &s->kept[s->at++];
        int rc = cw_part_writer_stream(s->writer, next->labels, next->rows, next->raw_bytes, err);
        if (rc < 0)
            return rc;
    }
    return cw_part_writer_add(s->writer, batch, err);
}

static int each_batch(struct salvage *s,
                      int (*fn)(struct salvage *, const struct cw_entry_batch *, struct cw_err *),
                      struct cw_err *err)
{
    struct cw_part_reader *reader = cw_part_source_reader(s->source);
    struct cw_scan scan = {.start_ns = INT64_MIN,
                           .end_ns = INT64_MAX,
                           .need = CW_NEED_TIMES | CW_NEED_LINES | CW_NEED_METADATA};
    int rc = 0;
    for (uint32_t i = 0; i < cw_part_reader_footer(reader)->nblocks && rc == 0; i++) {
        struct cw_part_block b = cw_part_reader_block(reader, i);
        struct cw_unit unit = {s->source, i, b.min_ns, b.max_ns, b.raw_bytes};
        struct cw_cursor *cursor;
        struct cw_entry_batch batch;
        struct cw_err why;
        if (s->source->ops->open(s->source, &scan, &unit, &cursor, &why) < 0)
            continue;
        while (rc == 0 && cw_cursor_next(cursor, &batch, &why) > 0)
            rc = fn(s, &batch, err);
        cw_cursor_close(&cursor);
    }
    return rc;
}

int cw_part_salvage(const char *path, struct cw_err *err)
{
    struct salvage s = {.arena = cw_arena_new()};
    int rc = cw_part_source_open(path, NULL, &s.source, err);
    if (rc == 0)
        rc = each_batch(&s, count_batch, err);
    if (rc == 0 && s.n == 0)
        rc = cw_err_set(err, CW_E_CORRUPT, "none of its entries can be read");
    if (rc == 0) {
        struct cw_part_reader *reader = cw_part_source_reader(s.source);
        rc = cw_part_writer_new(path, &cw_part_reader_footer(reader)->info, CW_CODEC_LZ4, &s.writer,
                                err);
    }
    if (rc == 0)
        rc = each_batch(&s, write_batch, err);
    if (rc == 0)
        rc = cw_part_writer_finish(s.writer, NULL, err);
    if (rc < 0)
        cw_err_wrap(err, "part %s", path);
    cw_part_writer_free(&s.writer);
    if (s.source != NULL)
        cw_source_unref(&s.source);
    cw_arena_free(&s.arena);
    return rc;
}
