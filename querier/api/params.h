/*
 * params.h - the parameters of the query API, read as Loki reads them: spellings, defaults, order of checks, error texts.
 *
 * Times are nanoseconds (integers of more than 10 digits), seconds (up to 10), seconds with a fraction (kept to the
 * millisecond) or RFC 3339. Steps and intervals are seconds (a float) or a Prometheus duration.
 *
 * Ownership  Texts borrow from the source of the parameters.
 * Errors     CW_E_INVALID.
 */
#ifndef CW_API_PARAMS_H
#define CW_API_PARAMS_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/str.h"

#define CW_PARAMS_DEFAULT_LIMIT 100
#define CW_PARAMS_DEFAULT_SINCE_NS (INT64_C(3600) * 1000000000)

struct cw_params {
    struct cw_str (*get)(const void *ctx, const char *name); /* empty when absent */
    const void *ctx;
    int64_t now_ns;
};

struct cw_range_params {
    struct cw_str query;
    int64_t start_ns, end_ns, step_ns, interval_ns;
    uint32_t limit;
    bool forward;
};

/* A live tail: how many of the entries since start_ns go before it, and how long entries wait for late ones. */
struct cw_tail_params {
    uint32_t limit;
    int64_t start_ns, delay_for_ns;
};

struct cw_instant_params {
    struct cw_str query;
    int64_t time_ns;
};

/* `start`, `end` and `since`: end is now, start `since` (1 h) before end or, if that is in the future, before now. */
int cw_params_bounds(const struct cw_params *params, int64_t *start_ns, int64_t *end_ns,
                     struct cw_err *err) CW_MUST_USE;
int cw_params_range(const struct cw_params *params, struct cw_range_params *out,
                    struct cw_err *err) CW_MUST_USE;
int cw_params_instant(const struct cw_params *params, struct cw_instant_params *out,
                      struct cw_err *err) CW_MUST_USE;
int cw_params_tail(const struct cw_params *params, struct cw_tail_params *out,
                   struct cw_err *err) CW_MUST_USE;
int cw_params_limit(const struct cw_params *params, uint32_t *out, struct cw_err *err) CW_MUST_USE;
/* Any other that is read as `limit` is; absent: `def`. */
int cw_params_count(struct cw_str text, uint32_t def, uint32_t *out,
                    struct cw_err *err) CW_MUST_USE;
/* targetBytesPerShard as Loki's datasize.ByteSize reads it ("600MB" are 600 * 2^20), more than 0 and below 2^64; what it is does not matter
 * here. */
int cw_params_target_bytes(struct cw_str text, struct cw_err *err) CW_MUST_USE;
/* `step`; absent: 250 points over the range. */
int cw_params_step(const struct cw_params *params, int64_t start_ns, int64_t end_ns,
                   int64_t *step_ns, struct cw_err *err) CW_MUST_USE;
/* Refuse a range that ends before it begins. */
int cw_params_check_bounds(int64_t start_ns, int64_t end_ns, struct cw_err *err) CW_MUST_USE;
/* One time of its own; absent: `def`. */
int cw_params_time(struct cw_str text, int64_t def_ns, int64_t *out,
                   struct cw_err *err) CW_MUST_USE;
/* Seconds as a float, or a Prometheus duration. */
int cw_params_seconds_or_duration(struct cw_str text, int64_t *ns_out,
                                  struct cw_err *err) CW_MUST_USE;

#endif
