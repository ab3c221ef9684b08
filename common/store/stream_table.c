/* stream_table.c - streams of a part, front-coded and compressed in groups. */
#include "common/store/stream_table.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/store/encode_int.h"
#include "common/store/format.h"
#include "common/store/packed_piece.h"

struct cw_str cw_part_stream_app(struct cw_labels labels)
{
    static const char *const names[] = {"app", "service_name", "service", "job", "container"};
    for (size_t i = 0; i < CW_COUNT(names); i++) {
        struct cw_str value = cw_labels_get(labels, cw_str_of(names[i]));
        if (value.len > 0)
            return value;
    }
    return CW_STR_NONE;
}

int cw_part_stream_cmp(struct cw_labels a, struct cw_labels b)
{
    int c = cw_str_cmp(cw_part_stream_app(a), cw_part_stream_app(b));
    return c != 0 ? c : cw_labels_cmp(a, b);
}

/* ---- writer ---- */

struct cw_stream_table_writer {
    struct cw_buf raw;       /* the group under way */
    struct cw_buf directory; /* offsets count from the end of the directory until it is finished */
    struct cw_buf bytes;
    struct cw_buf before;  /* values of the stream before, one behind the other, and ... */
    uint32_t *before_ends; /* ... where each ends */
    size_t nbefore, before_cap;
    size_t value_bytes; /* of the group's values, not front-coded: what a reader allocates */
    uint32_t nstreams;
};

struct cw_stream_table_writer *cw_stream_table_writer_new(void)
{
    struct cw_stream_table_writer *w = cw_mem_new(sizeof(*w));
    cw_buf_init(&w->raw, CW_PART_GROUP_RAW_MAX);
    cw_buf_init(&w->directory, CW_PART_STREAMS_MAX);
    cw_buf_init(&w->bytes, UINT32_MAX);
    cw_buf_init(&w->before, CW_PART_GROUP_RAW_MAX);
    return w;
}

void cw_stream_table_writer_free(struct cw_stream_table_writer **writer)
{
    struct cw_stream_table_writer *w = *writer;
    *writer = NULL;
    if (w == NULL)
        return;
    cw_buf_fini(&w->raw);
    cw_buf_fini(&w->directory);
    cw_buf_fini(&w->bytes);
    cw_buf_fini(&w->before);
    free(w->before_ends);
    free(w);
}

static int group_end(struct cw_stream_table_writer *w, struct cw_err *err)
{
    if (w->raw.len == 0)
        return 0;
    if (cw_buf_failed(&w->raw) || w->value_bytes > CW_PART_GROUP_RAW_MAX)
        return cw_err_set(err, CW_E_LIMIT, "labels of %u streams are over %u bytes",
                          CW_PART_STREAM_GROUP, CW_PART_GROUP_RAW_MAX);
    uint8_t entry[CW_PART_GROUP_ENTRY_BYTES];
    int rc = cw_packed_piece_add(cw_buf_str(&w->raw), &w->bytes, entry, err);
    if (rc < 0)
        return rc;
    cw_buf_add(&w->directory, entry, sizeof(entry));
    cw_buf_clear(&w->raw);
    cw_buf_clear(&w->before);
    w->nbefore = w->value_bytes = 0;
    return 0;
}

static struct cw_str value_before(const struct cw_stream_table_writer *w, size_t i)
{
    if (i >= w->nbefore)
        return CW_STR_NONE;
    uint32_t from = i == 0 ? 0 : w->before_ends[i - 1];
    return cw_str_make(w->before.ptr + from, w->before_ends[i] - from);
}

int cw_stream_table_writer_add(struct cw_stream_table_writer *w, struct cw_labels labels,
                               uint64_t rows, uint64_t raw_bytes, struct cw_err *err)
{
    if (w->nstreams == CW_PART_STREAMS_MAX || labels.n > CW_PART_STREAM_LABELS_MAX)
        return cw_err_set(err, CW_E_LIMIT, "a part of %u streams, a stream of %zu labels: too many",
                          w->nstreams, labels.n);
    cw_encode_varint(rows, &w->raw);
    cw_encode_varint(raw_bytes, &w->raw);
    cw_encode_varint(labels.n, &w->raw);
    for (size_t i = 0; i < labels.n; i++) {
        struct cw_str name = labels.items[i].name, value = labels.items[i].value,
                      before = value_before(w, i);
        size_t shared = cw_str_shared(before, value);
        cw_encode_varint(name.len, &w->raw);
        cw_buf_adds(&w->raw, name);
        cw_encode_varint(shared, &w->raw);
        cw_encode_varint(value.len - shared, &w->raw);
        cw_buf_adds(&w->raw, cw_str_sub(value, shared, value.len));
    }
    cw_buf_clear(&w->before);
    if (labels.n > w->before_cap) {
        w->before_cap = 2 * labels.n;
        w->before_ends = cw_mem_resize(w->before_ends, w->before_cap * sizeof(*w->before_ends));
    }
    for (size_t i = 0; i < labels.n; i++) {
        cw_buf_adds(&w->before, labels.items[i].value);
        w->before_ends[i] = (uint32_t)w->before.len;
        w->value_bytes += labels.items[i].value.len;
    }
    w->nbefore = labels.n;
    w->nstreams++;
    return w->nstreams % CW_PART_STREAM_GROUP == 0 ? group_end(w, err) : 0;
}

int cw_stream_table_writer_finish(struct cw_stream_table_writer *w, struct cw_buf *out,
                                  struct cw_err *err)
{
    int rc = group_end(w, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < w->directory.len; i += CW_PART_GROUP_ENTRY_BYTES)
        cw_put64(w->directory.ptr + i, cw_get64(w->directory.ptr + i) + w->directory.len);
    cw_buf_adds(out, cw_buf_str(&w->directory));
    cw_buf_adds(out, cw_buf_str(&w->bytes));
    if (cw_buf_failed(&w->directory) || cw_buf_failed(&w->bytes))
        return cw_err_set(err, CW_E_LIMIT, "labels of %u streams are too large", w->nstreams);
    return 0;
}

/* ---- reader ---- */

static int bad(struct cw_err *err, const char *what)
{
    return cw_err_set(err, CW_E_CORRUPT, "stream table: %s", what);
}

static uint64_t directory_bytes(uint32_t nstreams)
{
    uint64_t groups = ((uint64_t)nstreams + CW_PART_STREAM_GROUP - 1) / CW_PART_STREAM_GROUP;
    return groups * CW_PART_GROUP_ENTRY_BYTES;
}

int cw_stream_table_check(struct cw_str region, uint32_t nstreams, struct cw_err *err)
{
    if (nstreams > CW_PART_STREAMS_MAX || directory_bytes(nstreams) > region.len)
        return bad(err, "it is too short");
    return 0;
}

struct cw_str cw_stream_table_front(struct cw_str region, uint32_t nstreams)
{
    return cw_str_sub(region, 0, directory_bytes(nstreams));
}

static bool take(struct cw_str *in, struct cw_str *out)
{
    uint64_t n;
    if (!cw_decode_varint(in, &n) || n > in->len)
        return false;
    *out = cw_str_make(in->ptr, n);
    in->ptr += n;
    in->len -= n;
    return true;
}

/* The decoded form has, behind the streams: all labels, then the texts of all values (names stay in the raw text, which is
 * kept behind them). Counted first, filled second, so that it is one block of memory. */
struct sizes {
    size_t labels, value_bytes;
};

struct fill {
    struct cw_label *labels;
    char *text;
};

/* One stream off the front of *in. Only counts when `fill` is NULL. `before` are the labels of the stream before: values
 * only have their length while counting. */
static int stream_read(struct cw_str *in, struct cw_part_stream *s, struct sizes *sizes,
                       struct fill *fill, struct cw_labels *before, struct cw_label *counted,
                       struct cw_err *err)
{
    uint64_t n;
    if (!cw_decode_varint(in, &s->rows) || !cw_decode_varint(in, &s->raw_bytes) ||
        !cw_decode_varint(in, &n) || n > CW_PART_STREAM_LABELS_MAX)
        return bad(err, "a stream is cut");
    struct cw_label *labels = fill != NULL ? fill->labels : counted;
    for (size_t i = 0; i < n; i++) {
        struct cw_str name, more, old = i < before->n ? before->items[i].value : CW_STR_NONE;
        uint64_t shared;
        if (!take(in, &name) || !cw_decode_varint(in, &shared) || !take(in, &more) ||
            shared > old.len)
            return bad(err, "a label is cut");
        size_t len = shared + more.len;
        sizes->value_bytes += len;
        if (sizes->value_bytes > CW_PART_GROUP_RAW_MAX)
            return bad(err, "labels that are too long");
        labels[i] = (struct cw_label){name, {NULL, len}};
        if (fill == NULL)
            continue;
        labels[i].value.ptr = fill->text;
        if (shared > 0)
            memcpy(fill->text, old.ptr, shared);
        if (more.len > 0)
            memcpy(fill->text + shared, more.ptr, more.len);
        fill->text += len;
    }
    sizes->labels += n;
    *before = (struct cw_labels){labels, n};
    if (fill != NULL) {
        s->ref.labels = *before;
        s->ref.id = cw_labels_hash(*before);
        fill->labels += n;
    }
    return 0;
}

static int group_count(struct cw_str in, uint32_t n, struct sizes *sizes, struct cw_err *err)
{
    struct cw_label counted[2][CW_PART_STREAM_LABELS_MAX];
    struct cw_labels before = CW_LABELS_NONE;
    *sizes = (struct sizes){0};
    for (uint32_t i = 0; i < n; i++) {
        struct cw_part_stream s;
        int rc = stream_read(&in, &s, sizes, NULL, &before, counted[i % 2], err);
        if (rc < 0)
            return rc;
    }
    return in.len == 0 ? 0 : bad(err, "bytes follow a group's end");
}

static int group_bytes(struct cw_str region, uint32_t group, struct cw_buf *raw, struct cw_err *err)
{
    const char *wrong = cw_packed_piece_read(region.ptr + (size_t)group * CW_PART_GROUP_ENTRY_BYTES,
                                             region, CW_PART_GROUP_RAW_MAX, raw);
    return wrong == NULL ? 0 : cw_err_set(err, CW_E_CORRUPT, "stream table: a group %s", wrong);
}

void cw_stream_group_unref(struct cw_stream_group **group)
{
    if (*group != NULL)
        cw_cached_unref(&(*group)->base);
    *group = NULL;
}

int cw_stream_table_group(struct cw_str region, uint32_t nstreams, uint32_t group,
                          struct cw_stream_group **out, struct cw_err *err)
{
    uint32_t first = group * CW_PART_STREAM_GROUP;
    CW_ASSERT(first < nstreams);
    uint32_t n = CW_MIN((uint32_t)CW_PART_STREAM_GROUP, nstreams - first);
    struct cw_buf raw;
    struct sizes sizes;
    cw_buf_init(&raw, CW_PART_GROUP_RAW_MAX);
    int rc = group_bytes(region, group, &raw, err);
    if (rc == 0)
        rc = group_count(cw_buf_str(&raw), n, &sizes, err);
    if (rc == 0) {
        size_t streams_bytes = sizeof(struct cw_stream_group) + n * sizeof(struct cw_part_stream);
        size_t labels_bytes = sizes.labels * sizeof(struct cw_label);
        size_t bytes = streams_bytes + labels_bytes + sizes.value_bytes + raw.len;
        struct cw_stream_group *g = cw_cached_new(bytes); /* the rest is written below */
        struct fill fill = {(struct cw_label *)((char *)g + streams_bytes),
                            (char *)g + streams_bytes + labels_bytes};
        char *names = fill.text + sizes.value_bytes;
        memcpy(names, raw.ptr, raw.len);
        struct cw_str in = cw_str_make(names, raw.len);
        struct cw_labels before = CW_LABELS_NONE;
        sizes = (struct sizes){0};
        g->first = first;
        g->n = n;
        for (uint32_t i = 0; rc == 0 && i < n; i++)
            rc = stream_read(&in, &g->streams[i], &sizes, &fill, &before, NULL, err);
        CW_ASSERT(rc == 0); /* it was counted */
        *out = g;
    }
    cw_buf_fini(&raw);
    return rc;
}
