/*
 * match_model.h - a block of lines, and random line filters that its encoded form must answer as the lines do.
 */
#ifndef CW_TESTS_MATCH_MODEL_H
#define CW_TESTS_MATCH_MODEL_H
#include "common/base/buf.h"
#include "common/match/line_filter.h"
#include "common/store/format.h"
#include "common/store/template_match.h"

struct match_model;

/* What was decided so far. */
struct match_counts {
    uint64_t queries, rows; /* asked */
    uint64_t unsure;        /* rows left to their lines */
    uint64_t empty;         /* queries that no line of the block passes ... */
    uint64_t ruled_out;     /* ... and those of which grams of its TEXT say so */
};

/* At most CW_BLOCK_ROWS_MAX lines, of together at most CW_BLOCK_RAW_TARGET bytes; copied. */
struct match_model *match_model_new(const struct cw_str *lines, size_t n);
/* Of a block that was made of those lines, with its value filter (empty: none); all is copied. */
struct match_model *match_model_of_block(struct cw_str block, struct cw_str filter,
                                         const struct cw_str *lines, size_t n);
void match_model_free(struct match_model **model);
/* Of what kind did the block become? Only CW_BLOCK_TEMPLATES can be asked. */
enum cw_block_kind match_model_kind(const struct match_model *model);

/* Does the block answer the filters as its lines do, with the value filter and without, and do grams rule out nothing that is there? What is wrong is said in *wrong. */
bool match_model_check(struct match_model *model, const struct cw_line_filter *const *filters,
                       size_t nfilters, enum cw_match_wants wants, const uint64_t *keep,
                       struct match_counts *counts, struct cw_buf *wrong);
/* The same for one random filter, or some. */
bool match_model_check_random(struct match_model *model, uint64_t *state,
                              struct match_counts *counts, struct cw_buf *wrong);

#endif
