#include "common/pipeline/stage_priv.h"

/* A name, and where its value is: among the extracted, or a label, which then is one no more. */
struct metadata_pair {
    struct cw_str name, source;
    uint32_t slot;
};

struct metadata_stage {
    struct metadata_pair *pairs;
    size_t n;
};

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    const struct cw_config_map *map = config;
    struct metadata_stage *stage = CW_ARENA_NEW(build->arena, struct metadata_stage);
    node->state = stage;
    stage->n = map->n;
    stage->pairs = CW_ARENA_ARRAY(build->arena, struct metadata_pair, map->n);
    for (size_t i = 0; i < map->n; i++) {
        struct cw_str name = map->items[i].name, source = map->items[i].value;
        if (source.len == 0)
            source = name;
        if (source.len == 0)
            return cw_err_set(err, CW_E_INVALID, "a name is empty");
        stage->pairs[i] = (struct metadata_pair){cw_label_name_sanitize(build->arena, name), source,
                                                 cw_stage_slot(build, source)};
    }
    if (map->n > 0)
        return 0;
    cw_err_set(err, CW_E_INVALID, "no name is given");
    return 1;
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    const struct metadata_stage *stage = node->state;
    struct cw_str value, label;
    for (size_t i = 0; i < stage->n; i++) {
        const struct metadata_pair *pair = &stage->pairs[i];
        bool is_label = cw_stage_label(item, pair->source, &label);
        if (cw_stage_text(run, item, pair->slot, &value))
            cw_stage_set_metadata(run, item, pair->name, value);
        else if (is_label)
            cw_stage_set_metadata(run, item, pair->name, label);
        if (is_label)
            cw_stage_set_label(run, item, pair->source, CW_STR_NONE);
    }
    return CW_STAGE_ON;
}

const struct cw_stage_def cw_stage_structured_metadata_def = {.compile = compile, .run = run_stage};
