/*
 * postings.h - which streams of a part carry a label: built while streams are written, asked by selectors and for the values of
 * a label.
 *
 * Memory     A builder holds some megabytes of label pairs plain, and the rest sorted and compressed: about 20 B a distinct pair.
 *            Reading decompresses one chunk at a time.
 * Ownership  The builder copies. An opened region is borrowed. A set is the caller's.
 * Threads    A builder, or values: one. Selecting reads only: any.
 * Errors     CW_E_CORRUPT; CW_E_LIMIT from a regex that gave up. Bytes from disk never abort.
 */
#ifndef CW_STORE_POSTINGS_H
#define CW_STORE_POSTINGS_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/labels/labels.h"
#include "common/match/selector.h"
#include "common/store/stream_set.h"

struct cw_postings_builder;
struct cw_postings_builder *cw_postings_builder_new(void);
void cw_postings_builder_free(struct cw_postings_builder **builder);
/* Streams come in order of their numbers. */
int cw_postings_builder_add(struct cw_postings_builder *builder, uint32_t stream,
                            struct cw_labels labels, struct cw_err *err) CW_MUST_USE;
/* Append the region to *out. Only _free() may follow. */
int cw_postings_builder_finish(struct cw_postings_builder *builder, struct cw_buf *out,
                               struct cw_err *err) CW_MUST_USE;

enum cw_postings_layout { CW_POSTINGS_PLAIN /* of format 1.0 */, CW_POSTINGS_FENCED };

/* A region of a part of `nstreams` streams; its parts are postings*.c's own. */
struct cw_postings {
    struct cw_str region;
    uint32_t nstreams, nnames, nchunks;
    const char *names, *chunks, *fences; /* in the region; fences NULL: it has none */
};
int cw_postings_open(struct cw_str region, uint32_t nstreams, enum cw_postings_layout layout,
                     struct cw_postings *out, struct cw_err *err) CW_MUST_USE;
/* What stands before the first chunk: directories, names and fences. (The chunks have checksums of their own.) */
struct cw_str cw_postings_front(const struct cw_postings *postings);

/* The streams that a selector (NULL: all) matches. */
int cw_postings_select(const struct cw_postings *postings, const struct cw_selector *selector,
                       struct cw_stream_set *out, struct cw_err *err) CW_MUST_USE;

/* Does a stream carry a label of that name? Also when that cannot be read. */
bool cw_postings_has_name(const struct cw_postings *postings, struct cw_str name);
/* Values of a label, sorted: those that a stream of the set (NULL: any) carries. */
struct cw_postings_values;
int cw_postings_values_open(const struct cw_postings *postings, struct cw_str name,
                            const struct cw_stream_set *set, struct cw_postings_values **out,
                            struct cw_err *err) CW_MUST_USE;
void cw_postings_values_close(struct cw_postings_values **values);
/* 1: *out lives until the next call; 0: the end. After CW_E_CORRUPT the next call goes on behind the bad chunk. */
int cw_postings_values_next(struct cw_postings_values *values, struct cw_str *out,
                            struct cw_err *err) CW_MUST_USE;
/* Name i < nnames (they are sorted); *has_out: does a stream of the set (NULL: any) carry it? */
int cw_postings_name(const struct cw_postings *postings, uint32_t i,
                     const struct cw_stream_set *set, struct cw_str *name_out, bool *has_out,
                     struct cw_err *err) CW_MUST_USE;

#endif
