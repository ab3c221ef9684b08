#include "common/pipeline/stage_priv.h"

struct labels_stage {
    struct pair {
        struct cw_str name;
        uint32_t slot;
    } * pairs;
    size_t n;
};

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    const struct cw_config_map *map = config;
    struct labels_stage *stage = CW_ARENA_NEW(build->arena, struct labels_stage);
    node->state = stage;
    stage->pairs = CW_ARENA_ARRAY(build->arena, struct pair, map->n);
    stage->n = map->n;
    for (size_t i = 0; i < map->n; i++) {
        struct cw_str name = map->items[i].name, source = map->items[i].value;
        if (!cw_label_name_valid(name))
            return cw_err_set(err, CW_E_INVALID, "\"%.*s\" is no name of a label",
                              CW_STR_ARG(name));
        stage->pairs[i] = (struct pair){name, cw_stage_slot(build, source.len > 0 ? source : name)};
    }
    if (map->n > 0)
        return 0;
    cw_err_set(err, CW_E_INVALID, "no label is named");
    return 1;
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    const struct labels_stage *stage = node->state;
    struct cw_str value;
    for (size_t i = 0; i < stage->n; i++) {
        if (cw_stage_text(run, item, stage->pairs[i].slot, &value))
            cw_stage_set_label(run, item, stage->pairs[i].name, value);
    }
    return CW_STAGE_ON;
}

const struct cw_stage_def cw_stage_labels_def = {.compile = compile, .run = run_stage};
