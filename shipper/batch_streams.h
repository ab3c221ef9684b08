/*
 * batch_streams.h - the streams of a batch: each label set once, with the output's external labels,
 * and whether the output takes it.
 *
 * Ownership  Texts live in the arena until cw_batch_streams_clear().
 */
#ifndef CW_SHIPPER_BATCH_STREAMS_H
#define CW_SHIPPER_BATCH_STREAMS_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/match/selector.h"

struct cw_batch_stream {
    struct cw_hash128 hash;  /* of the labels without the external ones */
    struct cw_labels labels; /* those, if they are kept */
    struct cw_str text;      /* `{a="b"}` with the external ones */
    bool taken;              /* by the output's selector */
    bool counted;            /* among those that max_streams allows */
};

struct cw_batch_streams {
    struct cw_arena *arena; /* the batch's */
    struct cw_labels external;
    const struct cw_selector *selector; /* may be NULL: all are taken */
    bool keeps_labels;
    struct cw_buf text;            /* of the stream that is being made */
    struct cw_batch_stream *items; /* heap, kept */
    uint32_t n, cap;
    uint32_t *index; /* open addressing: position in items + 1 */
    uint32_t index_size;
};

struct cw_batch_streams *cw_batch_streams_new(struct cw_arena *arena, struct cw_labels external,
                                              const struct cw_selector *selector);
void cw_batch_streams_free(struct cw_batch_streams **streams);
void cw_batch_streams_clear(struct cw_batch_streams *streams);
/* `labels`, and of `external` those whose names they have not. Borrows from both. */
struct cw_labels cw_batch_labels_join(struct cw_arena *arena, struct cw_labels labels,
                                      struct cw_labels external);
/* The number of the stream with these labels (sorted, unique names). */
uint32_t cw_batch_streams_of(struct cw_batch_streams *streams, struct cw_labels labels);

#endif
