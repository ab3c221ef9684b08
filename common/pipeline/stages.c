#include "common/base/assert.h"
#include "common/pipeline/stage_priv.h"
#include "common/pipeline/stages_host.h"

#define DECLARE(name, stem, type) extern const struct cw_stage_def cw_stage_##stem##_def;
CW_STAGES(DECLARE)
#undef DECLARE

/* The members of struct cw_stage_config, and what they mean. */
static const struct {
    const char *name;
    size_t config, seen;
    const struct cw_stage_def *def;
} stage_rows[] = {
#define ROW(member, stem, type)                                                                    \
    {#member, offsetof(struct cw_stage_config, member),                                            \
     offsetof(struct cw_stage_config, seen.member), &cw_stage_##stem##_def},
    CW_STAGES(ROW)
#undef ROW
};

uint32_t cw_stage_slot(struct cw_stages_build *build, struct cw_str name)
{
    struct cw_stages *stages = build->stages;
    if (name.len == 0)
        return CW_SLOT_LINE;
    for (size_t i = 0; i < stages->nslots; i++) {
        if (cw_str_eq(stages->slot_names[i], name))
            return (uint32_t)i;
    }
    stages->slot_names =
        cw_arena_grow(stages->arena, stages->slot_names, stages->nslots, &stages->slots_cap,
                      stages->nslots + 1, sizeof *stages->slot_names);
    stages->slot_names[stages->nslots] = cw_arena_dup(stages->arena, name);
    return (uint32_t)stages->nslots++;
}

static struct cw_stage_node *add_node(struct cw_stages_build *build)
{
    struct cw_stages *stages = build->stages;
    stages->nodes = cw_arena_grow(stages->arena, stages->nodes, stages->nnodes, &stages->nodes_cap,
                                  stages->nnodes + 1, sizeof *stages->nodes);
    struct cw_stage_node *node = &stages->nodes[stages->nnodes];
    *node = (struct cw_stage_node){.idx = stages->nnodes, .depth = build->depth};
    stages->nnodes++;
    return node;
}

/* Nested stages are compiled by the one that nests them, which moves the nodes: `made` is copied back. */
static int compile_one(struct cw_stages_build *build, const struct cw_stage_config *config,
                       struct cw_err *err)
{
    struct cw_stages *stages = build->stages;
    for (size_t i = 0; i < CW_COUNT(stage_rows); i++) {
        if (!*(const bool *)((const char *)config + stage_rows[i].seen))
            continue;
        struct cw_stage_node made = *add_node(build);
        made.def = stage_rows[i].def;
        made.name = stage_rows[i].name;
        made.run_off = stages->run_bytes;
        stages->run_bytes += (made.def->run_bytes + 15) & ~(size_t)15;
        struct cw_err why = {0};
        int rc = made.def->compile(build, (const char *)config + stage_rows[i].config, &made, &why);
        made.end = stages->nnodes;
        stages->nodes[made.idx] = made;
        if (rc != 0)
            cw_err_wrap(&why, "%s", made.name);
        if (rc < 0)
            *err = why;
        else if (rc > 0 && build->depth == 0 && stages->idle.code == 0)
            stages->idle = why;
        return CW_MIN(rc, 0);
    }
    return cw_err_set(err, CW_E_INVALID, "a stage is missing");
}

int cw_stages_compile(struct cw_stages_build *build, const struct cw_config_tables *configs,
                      struct cw_err *err)
{
    const struct cw_stage_config *items = configs->items;
    for (size_t i = 0; i < configs->n; i++) {
        int rc = compile_one(build, &items[i], err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Behind all that is configured. */
static void add_shared_limit(struct cw_stages_build *build, struct cw_shared_limit *limit)
{
    struct cw_stage_node *node = add_node(build);
    node->def = &cw_stage_limit_def;
    node->name = "limits_config.readline_rate";
    node->state = cw_stage_limit_shared(build, limit);
    node->end = build->stages->nnodes;
}

int cw_stages_new(const struct cw_config_tables *configs, struct cw_stages_host *host,
                  struct cw_stages **out, struct cw_err *err)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_stages *stages = CW_ARENA_NEW(arena, struct cw_stages);
    stages->arena = arena;
    stages->host = host;
    struct cw_stages_build build = {stages, arena, 0};
    int rc = cw_stages_compile(&build, configs, err);
    if (rc == 0 && host != NULL && host->limit.rate > 0)
        add_shared_limit(&build, &host->limit);
    if (rc < 0) {
        cw_stages_free(&stages);
        return rc;
    }
    *out = stages;
    return 0;
}

void cw_stages_free(struct cw_stages **stages)
{
    struct cw_stages *old = *stages;
    *stages = NULL;
    if (old == NULL)
        return;
    for (size_t i = 0; i < old->nnodes; i++) {
        const struct cw_stage_node *node = &old->nodes[i];
        if (node->def != NULL && node->def->free != NULL && node->state != NULL)
            node->def->free(node->state);
    }
    struct cw_arena *arena = old->arena;
    cw_arena_free(&arena);
}

const char *cw_stages_idle(const struct cw_stages *stages)
{
    return stages->idle.code != 0 ? stages->idle.text : NULL;
}

int64_t cw_stages_wait_ns(const struct cw_stages *stages)
{
    return stages->wait_ns;
}

bool cw_stages_keep_time(const struct cw_stages *stages)
{
    return stages->keeps_time;
}

bool cw_stages_sets_tenant(const struct cw_stages *stages)
{
    return stages->sets_tenant;
}
