/*
 * stages_host.h - what of the program stages count in. The program owns all of it, and keeps it while its stages live.
 */
#ifndef CW_PIPELINE_STAGES_HOST_H
#define CW_PIPELINE_STAGES_HOST_H
#include "common/pipeline/custom_metrics.h"
#include "common/pipeline/stages.h"

struct cw_stages_host {
    /* The metrics stage's metrics, and cordwood_shipper_redacted_total. */
    struct cw_custom_metrics *metrics;
};

#endif
