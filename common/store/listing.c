/* listing.c - listings of streams that lie in memory. */
#include "common/store/listing.h"

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/match/stop_sort.h"
#include "common/store/stream_table.h"

int cw_list_cursor_next(struct cw_list_cursor *cursor, struct cw_list_item *out, struct cw_err *err)
{
    return cursor->ops->next(cursor, out, err);
}

void cw_list_cursor_close(struct cw_list_cursor **cursor)
{
    if (*cursor != NULL)
        (*cursor)->ops->close(*cursor);
    *cursor = NULL;
}

int cw_listing_match(const struct cw_listing *listing, struct cw_labels labels, struct cw_err *err)
{
    int rc = listing->nselectors == 0;
    for (size_t i = 0; rc == 0 && i < listing->nselectors; i++)
        rc = cw_selector_match(listing->selectors[i], labels, err);
    return rc;
}

/* Sorted: streams, or texts. */
struct memory_cursor {
    struct cw_list_cursor base;
    enum cw_list_what what;
    struct cw_stream_ref *streams;
    struct cw_str *texts;
    size_t n, at;
};

static int memory_next(struct cw_list_cursor *base, struct cw_list_item *out, struct cw_err *err)
{
    struct memory_cursor *c = CW_CONTAINER_OF(base, struct memory_cursor, base);
    (void)err;
    if (c->at == c->n)
        return 0;
    if (c->what == CW_LIST_STREAMS)
        out->stream = c->streams[c->at];
    else
        out->text = c->texts[c->at];
    c->at++;
    return 1;
}

static void memory_close(struct cw_list_cursor *base)
{
    struct memory_cursor *c = CW_CONTAINER_OF(base, struct memory_cursor, base);
    free(c->streams);
    free(c->texts);
    free(c);
}

static const struct cw_list_cursor_ops memory_ops = {memory_next, memory_close};

static int stream_cmp(const void *a, const void *b, void *arg)
{
    (void)arg;
    return cw_part_stream_cmp(((const struct cw_stream_ref *)a)->labels,
                              ((const struct cw_stream_ref *)b)->labels);
}

static int text_cmp(const void *a, const void *b, void *arg)
{
    (void)arg;
    return cw_str_cmp(*(const struct cw_str *)a, *(const struct cw_str *)b);
}

static int texts_gather(struct memory_cursor *c, const struct cw_listing *listing, size_t nstreams,
                        struct cw_err *err)
{
    size_t n = 0, cap = 0;
    for (size_t i = 0; i < nstreams; i++) {
        struct cw_labels labels = c->streams[i].labels;
        for (size_t k = 0; k < labels.n; k++) {
            bool names = listing->what == CW_LIST_NAMES;
            if (!names && !cw_str_eq(labels.items[k].name, listing->name))
                continue;
            if (n == cap) {
                cap = cap > 0 ? 2 * cap : 64;
                c->texts = cw_mem_resize(c->texts, cap * sizeof(*c->texts));
            }
            c->texts[n++] = names ? labels.items[k].name : labels.items[k].value;
        }
    }
    int rc = cw_stop_sort(c->texts, n, sizeof(*c->texts), text_cmp, NULL, err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (c->n == 0 || !cw_str_eq(c->texts[c->n - 1], c->texts[i]))
            c->texts[c->n++] = c->texts[i];
    return rc;
}

int cw_list_cursor_of(const struct cw_listing *listing, struct cw_stream_ref *streams, size_t n,
                      struct cw_list_cursor **out, struct cw_err *err)
{
    int rc;
    struct memory_cursor *c = cw_mem_new(sizeof(*c));
    c->base.ops = &memory_ops;
    c->what = listing->what;
    c->streams = streams;
    if (listing->what != CW_LIST_STREAMS) {
        rc = texts_gather(c, listing, n, err);
    } else {
        c->n = n;
        rc = cw_stop_sort(streams, n, sizeof(*streams), stream_cmp, NULL, err);
    }
    if (rc < 0)
        memory_close(&c->base);
    else
        *out = &c->base;
    return rc;
}
