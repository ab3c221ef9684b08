#include "common/extract/jmespath.h"
#include "common/pipeline/geo_ip.h"
#include "common/pipeline/stage_priv.h"

struct geoip_stage {
    uint32_t source;
    struct cw_geo_ip *geo;
    struct cw_jmespath_set *lookups; /* NULL: none */
    struct cw_str *names;            /* of their labels */
    struct cw_jmespath_result *results;
    size_t n;
    struct cw_buf json;
};

static int lookups_compile(struct geoip_stage *stage, const struct cw_config_map *map,
                           struct cw_arena *arena, struct cw_err *err)
{
    struct cw_str *expressions = CW_ARENA_ARRAY(arena, struct cw_str, map->n);
    stage->n = map->n;
    stage->names = CW_ARENA_ARRAY(arena, struct cw_str, map->n);
    stage->results = CW_ARENA_ARRAY(arena, struct cw_jmespath_result, map->n);
    for (size_t i = 0; i < map->n; i++) {
        stage->names[i] = map->items[i].name;
        expressions[i] = map->items[i].value;
        if (!cw_label_name_valid(stage->names[i]))
            return cw_err_set(err, CW_E_INVALID, "custom_lookups: \"%.*s\" is no name of a label",
                              CW_STR_ARG(stage->names[i]));
    }
    int rc = map->n > 0 ? cw_jmespath_set_new(expressions, map->n, &stage->lookups, err) : 0;
    return rc < 0 ? cw_err_wrap(err, "custom_lookups") : 0;
}

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    const struct cw_stage_geoip_config *c = config;
    struct geoip_stage *stage = CW_ARENA_NEW(build->arena, struct geoip_stage);
    node->state = stage;
    stage->source = cw_stage_slot(build, c->source);
    cw_buf_init(&stage->json, CW_GEO_IP_JSON_BYTES);
    int rc = lookups_compile(stage, &c->custom_lookups, build->arena, err);
    if (rc == 0)
        rc = cw_geo_ip_open(c->db.ptr, (enum cw_geo_ip_type)c->db_type, &stage->geo, err);
    return rc;
}

static void free_stage(void *state)
{
    struct geoip_stage *stage = state;
    cw_geo_ip_close(&stage->geo);
    cw_jmespath_set_free(&stage->lookups);
    cw_buf_fini(&stage->json);
}

static void lookups_run(struct geoip_stage *stage, struct cw_stages_run *run,
                        struct cw_stage_item *item, struct cw_str address)
{
    struct cw_arena *arena = run->options.arena;
    cw_buf_clear(&stage->json);
    if (!cw_geo_ip_json(stage->geo, address, &stage->json))
        return;
    struct cw_str json = cw_arena_dup(arena, cw_buf_str(&stage->json)); /* results borrow from it */
    if (!cw_jmespath_set_search(stage->lookups, json, arena, stage->results))
        return;
    for (size_t i = 0; i < stage->n; i++)
        if (stage->results[i].text.len > 0)
            cw_stage_set_label(run, item, stage->names[i], stage->results[i].text);
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    struct geoip_stage *stage = node->state;
    struct cw_label labels[CW_GEO_IP_LABELS];
    struct cw_str address;
    if (!cw_stage_text(run, item, stage->source, &address))
        return CW_STAGE_ON;
    size_t n = cw_geo_ip_lookup(stage->geo, address, run->options.arena, labels);
    for (size_t i = 0; i < n; i++)
        cw_stage_set_label(run, item, labels[i].name, labels[i].value);
    if (stage->lookups != NULL)
        lookups_run(stage, run, item, address);
    return CW_STAGE_ON;
}

const struct cw_stage_def cw_stage_geoip_def = {
    .compile = compile, .run = run_stage, .free = free_stage};
