/*
 * pipelines.h - stages that have a name of their own: what containers ask for with the label
 * cordwood.pipeline.
 *
 * Ownership  Borrows its configuration; owns the stages.
 */
#ifndef CW_SHIPPER_PIPELINES_H
#define CW_SHIPPER_PIPELINES_H
#include "common/pipeline/stages.h"

/* One of the configuration's `pipelines`. */
struct cw_pipeline_config {
    struct cw_config_tables stages; /* struct cw_stage_config */
};

struct cw_pipelines {
    const struct cw_config_table_map *configs; /* struct cw_pipeline_config */
    struct cw_stages **stages;                 /* one each */
};

int cw_pipelines_init(struct cw_pipelines *pipelines, const struct cw_config_table_map *configs,
                      struct cw_stages_host *host, struct cw_err *err) CW_MUST_USE;
void cw_pipelines_fini(struct cw_pipelines *pipelines);
/* False: there is none of that name. */
bool cw_pipelines_find(const struct cw_pipelines *pipelines, struct cw_str name,
                       struct cw_stages **out);

#endif
