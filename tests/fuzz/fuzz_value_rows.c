/*
 * Any bytes as a block of templates (its checksums are put right first), whose rows are written into a new one as values: it must have the
 * same lines and answer filters as those do, whatever templates and values the bytes say. The first byte draws runs of rows and filters.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/assert.h"
#include "common/base/log.h"
#include "tests/support/template_model.h"
#include "tests/support/value_model.h"

enum { QUERIES = 6 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct value_model_counts counts = {0};
    struct cw_buf wrong;
    cw_log_init(CW_LOG_ERROR + 1, CW_LOG_LOGFMT);
    if (size < 2)
        return 0;
    uint64_t state = data[0];
    char *copy = malloc(size - 1);
    memcpy(copy, data + 1, size - 1);
    template_model_reseal(copy, size - 1);
    struct cw_str block = cw_str_make(copy, size - 1);
    struct cw_str blocks[] = {block, block};
    cw_buf_init(&wrong, SIZE_MAX);
    bool good = value_model_check(blocks, CW_COUNT(blocks), &state, QUERIES, &counts, &wrong);
    if (!good)
        cw_log_error("%.*s", (int)wrong.len, wrong.ptr);
    CW_ASSERT(good);
    cw_buf_fini(&wrong);
    free(copy);
    return 0;
}
