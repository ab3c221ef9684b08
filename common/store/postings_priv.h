/*
 * postings_priv.h - how postings*.c read a POSTINGS region: names, chunks, and the values in a chunk.
 */
#ifndef CW_STORE_POSTINGS_PRIV_H
#define CW_STORE_POSTINGS_PRIV_H
#include "common/store/postings.h"

int postings_bad(struct cw_err *err, const char *what);
/* Name i < nnames; false when it does not lie in the region. */
bool postings_name(const struct cw_postings *postings, uint32_t i, struct cw_str *out);
/* The chunks of name i. */
int postings_chunks(const struct cw_postings *postings, uint32_t i, uint32_t *first_out,
                    uint32_t *n_out, struct cw_err *err) CW_MUST_USE;
/* The chunks of a name; 0 of them when no stream carries it. */
int postings_find(const struct cw_postings *postings, struct cw_str name, uint32_t *first_out,
                  uint32_t *n_out, struct cw_err *err) CW_MUST_USE;
/* Of the chunks [first, first + n) of one name, the one where `value` stands if it is anywhere. */
int postings_chunk_of(const struct cw_postings *postings, uint32_t first, uint32_t n,
                      struct cw_str value, uint32_t *out, struct cw_err *err) CW_MUST_USE;

/* One chunk, value by value. */
struct postings_chunk {
    uint32_t nstreams;
    struct cw_buf raw, value;
    struct cw_str rest; /* of raw */
    uint32_t nleft;     /* values */
};
void postings_chunk_init(struct postings_chunk *chunk);
void postings_chunk_fini(struct postings_chunk *chunk);
/* Decompress chunk i. */
int postings_chunk_read(struct postings_chunk *chunk, const struct cw_postings *postings,
                        uint32_t i, struct cw_err *err) CW_MUST_USE;
/* 1: the next value stands in chunk->value, and its runs are next; 0: the end. */
int postings_chunk_value(struct postings_chunk *chunk, struct cw_err *err) CW_MUST_USE;
/* The runs of that value. `add` (may be NULL) gets them; *any_out (may be NULL) tells whether one holds a member of `of`. */
int postings_chunk_runs(struct postings_chunk *chunk, struct cw_stream_set *add,
                        const struct cw_stream_set *of, bool *any_out,
                        struct cw_err *err) CW_MUST_USE;

#endif
