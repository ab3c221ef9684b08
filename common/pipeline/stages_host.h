/*
 * stages_host.h - what of the program stages count in. The program owns all of it, and keeps it while its stages live.
 */
#ifndef CW_PIPELINE_STAGES_HOST_H
#define CW_PIPELINE_STAGES_HOST_H
#include "common/pipeline/custom_metrics.h"
#include "common/pipeline/stages.h"

/* Tokens, one per line. */
struct cw_token_bucket {
    double tokens;
    int64_t filled_ns; /* when it held so many; INT64_MIN: never yet */
};

struct cw_stages_host {
    /* The metrics stage's metrics, cordwood_shipper_redacted_total and _truncated_fields_total. */
    struct cw_custom_metrics *metrics;
    /* limits_config.readline_rate: a limit behind the stages of every pipeline, which they share; rate 0: none. */
    struct cw_shared_limit {
        double rate, burst;
        bool drop;
        struct cw_token_bucket bucket;
    } limit;
};

#endif
