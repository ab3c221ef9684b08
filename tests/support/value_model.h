/*
 * value_model.h - blocks of templates, written into one as values: it must have their lines, and answer line filters as those do.
 */
#ifndef CW_TESTS_VALUE_MODEL_H
#define CW_TESTS_VALUE_MODEL_H
#include "common/base/buf.h"
#include "common/store/block_reader.h"

struct value_model_counts {
    uint64_t as_values, as_lines; /* rows that were written so */
    uint64_t queries;
};

/*
 * Runs of rows of the blocks (of any bytes behind good checksums) are written one behind the other in an order that is drawn from
 * *state, some rows left out; those of a block that is not handed out as values as lines. The new block is compared with the lines, and
 * asked `nqueries` random filters. What is wrong is said in *wrong.
 */
bool value_model_check(const struct cw_str *blocks, size_t n, uint64_t *state, size_t nqueries,
                       struct value_model_counts *counts, struct cw_buf *wrong);

#endif
