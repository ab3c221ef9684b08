/* Parameters of the query API: "name=value" lines. Whatever they say, times stay ordered and steps positive. */
#include <stdlib.h>
#include <string.h>

#include "querier/api/params.h"

#define NOW INT64_C(1700000000000000000)

static struct cw_str get(const void *ctx, const char *name)
{
    struct cw_str text = *(const struct cw_str *)ctx, line;
    while (cw_str_split(&text, '\n', &line)) {
        size_t n = strlen(name);
        if (line.len > n && memcmp(line.ptr, name, n) == 0 && line.ptr[n] == '=')
            return cw_str_sub(line, n + 1, line.len);
    }
    return CW_STR_NONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_str text = cw_str_make(data, size);
    struct cw_params params = {get, &text, NOW};
    struct cw_range_params range;
    struct cw_instant_params instant;
    struct cw_err err;
    if (cw_params_range(&params, &range, &err) == 0 &&
        (range.end_ns < range.start_ns || range.step_ns <= 0 || range.limit == 0 ||
         range.interval_ns < 0))
        abort();
    if (cw_params_instant(&params, &instant, &err) == 0 && size == 0 && instant.time_ns != NOW)
        abort();
    int rc = cw_params_target_bytes(text, &err);
    if (rc != 0 && rc != CW_E_INVALID)
        abort();
    return 0;
}
