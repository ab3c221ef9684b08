/* part_list.c - a part's streams, label names and values. Names and values come from the postings: no stream is decoded. */
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/store/listing.h"
#include "common/store/part_source_priv.h"

struct part_list {
    struct cw_list_cursor base; /* first */
    struct cw_part_source *source;
    const struct cw_listing *listing;
    struct cw_stream_set set; /* streams that count */
    bool all;                 /* every one does */
    uint32_t next;            /* stream, or name */
    struct cw_stream_pin pin;
    struct cw_postings_values *values; /* of the label */
};

void cw_part_touched_streams(const struct cw_part_source *p, const struct cw_stream_set *set,
                             int64_t start_ns, int64_t end_ns, struct cw_stream_set *out)
{
    for (uint32_t i = 0; i < cw_part_reader_footer(p->reader)->nblocks; i++) {
        struct cw_part_block b = cw_part_reader_block(p->reader, i);
        if (cw_part_times_touch(b.min_ns, b.max_ns, start_ns, end_ns))
            cw_stream_set_add_members(out, set, b.first_stream, b.last_stream);
    }
}

/* The streams of the selectors that have entries near the range. */
static int set_make(struct part_list *list, struct cw_err *err)
{
    const struct cw_listing *what = list->listing;
    const struct cw_part_footer *f = cw_part_reader_footer(list->source->reader);
    int64_t start_ns = cw_part_source_start_ns(list->source, what->start_ns);
    list->all = what->nselectors == 0 && f->min_ns >= start_ns &&
                (f->max_ns < what->end_ns || what->end_ns == INT64_MAX);
    cw_stream_set_init(&list->set, f->nstreams);
    for (size_t i = 0; i < CW_MAX(what->nselectors, (size_t)1); i++) {
        struct cw_part_selection *selection;
        int rc =
            cw_part_source_select(list->source, what->nselectors > 0 ? what->selectors[i] : NULL,
                                  what->stats, &selection, err);
        if (rc < 0)
            return rc;
        cw_part_touched_streams(list->source, cw_part_selection_set(selection), start_ns,
                                what->end_ns, &list->set);
        cw_part_selection_unref(&selection);
    }
    return 0;
}

static int next_stream(struct part_list *list, struct cw_list_item *out)
{
    for (;;) {
        uint32_t number = cw_stream_set_next(&list->set, list->next);
        const struct cw_part_stream *stream;
        struct cw_err why;
        if (number == list->set.n)
            return 0;
        if (cw_part_reader_stream(list->source->reader, number, &list->pin, &stream, &why) == 0) {
            list->next = number + 1;
            out->stream = stream->ref;
            return 1;
        }
        cw_part_source_report_index(list->source, &why, list->listing->stats);
        list->next = (number / CW_PART_STREAM_GROUP + 1) * CW_PART_STREAM_GROUP;
    }
}

static const struct cw_stream_set *wanted(const struct part_list *list)
{
    return list->all ? NULL : &list->set;
}

static int next_name(struct part_list *list, struct cw_list_item *out, struct cw_err *err)
{
    const struct cw_postings *postings = cw_part_reader_postings(list->source->reader);
    while (list->next < postings->nnames) {
        bool has;
        struct cw_err why;
        int rc = cw_postings_name(postings, list->next++, wanted(list), &out->text, &has, &why);
        if (rc == CW_E_CANCELED)
            return cw_err_set(err, rc, "%s", why.text);
        if (rc < 0)
            cw_part_source_report_index(list->source, &why, list->listing->stats);
        else if (has)
            return 1;
    }
    return 0;
}

static int next_value(struct part_list *list, struct cw_list_item *out, struct cw_err *err)
{
    struct cw_err why;
    int rc;
    while ((rc = cw_postings_values_next(list->values, &out->text, &why)) < 0) {
        if (rc == CW_E_CANCELED)
            return cw_err_set(err, rc, "%s", why.text);
        cw_part_source_report_index(list->source, &why, list->listing->stats);
    }
    return rc;
}

static int list_next(struct cw_list_cursor *cursor, struct cw_list_item *out, struct cw_err *err)
{
    struct part_list *list = CW_CONTAINER_OF(cursor, struct part_list, base);
    int rc = 0;
    switch (list->listing->what) {
    case CW_LIST_STREAMS: rc = next_stream(list, out); break;
    case CW_LIST_NAMES: rc = next_name(list, out, err); break;
    case CW_LIST_VALUES: rc = next_value(list, out, err); break;
    }
    if (rc == 0)
        cw_part_source_report_lost(list->source, list->listing->stats);
    return rc;
}

static void list_close(struct cw_list_cursor *cursor)
{
    struct part_list *list = CW_CONTAINER_OF(cursor, struct part_list, base);
    cw_postings_values_close(&list->values);
    cw_stream_pin_fini(&list->pin);
    cw_stream_set_fini(&list->set);
    free(list);
}

static const struct cw_list_cursor_ops part_list_ops = {list_next, list_close};

int cw_part_list_open(struct cw_part_source *source, const struct cw_listing *listing,
                      struct cw_list_cursor **out, struct cw_err *err)
{
    struct part_list *list = cw_mem_new(sizeof(*list));
    list->base.ops = &part_list_ops;
    list->source = source;
    list->listing = listing;
    int rc = set_make(list, err);
    if (rc == 0 && listing->what == CW_LIST_VALUES)
        rc = cw_postings_values_open(cw_part_reader_postings(source->reader), listing->name,
                                     wanted(list), &list->values, err);
    if (rc < 0) {
        list_close(&list->base);
        return rc;
    }
    *out = &list->base;
    return 0;
}
