#include "common/pipeline/geo_ip.h"
#include "common/pipeline/stage_priv.h"

struct geoip_stage {
    uint32_t source;
    struct cw_geo_ip *geo;
};

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    const struct cw_stage_geoip_config *c = config;
    struct geoip_stage *stage = CW_ARENA_NEW(build->arena, struct geoip_stage);
    node->state = stage;
    stage->source = cw_stage_slot(build, c->source);
    return cw_geo_ip_open(c->db.ptr, (enum cw_geo_ip_type)c->db_type, &stage->geo, err);
}

static void free_stage(void *state)
{
    struct geoip_stage *stage = state;
    cw_geo_ip_close(&stage->geo);
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    const struct geoip_stage *stage = node->state;
    struct cw_label labels[CW_GEO_IP_LABELS];
    struct cw_str address;
    if (!cw_stage_text(run, item, stage->source, &address))
        return CW_STAGE_ON;
    size_t n = cw_geo_ip_lookup(stage->geo, address, run->options.arena, labels);
    for (size_t i = 0; i < n; i++)
        cw_stage_set_label(run, item, labels[i].name, labels[i].value);
    return CW_STAGE_ON;
}

const struct cw_stage_def cw_stage_geoip_def = {
    .compile = compile, .run = run_stage, .free = free_stage};
