#include "common/pipeline/stage_priv.h"
#include "common/wire/json_writer.h"

/* The line with some values as a JSON object; LogQL's `unpack` takes it apart again. */
struct pack_stage {
    const struct cw_config_strings *names; /* sorted copies are in `order` */
    struct cw_str *order;
    uint32_t *slots;
    bool ingest_timestamp;
};

enum { PACKED_MAX_BYTES = 16 << 20 };

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    const struct cw_stage_pack_config *c = config;
    struct pack_stage *stage = CW_ARENA_NEW(build->arena, struct pack_stage);
    size_t n = c->labels.n;
    node->state = stage;
    stage->names = &c->labels;
    stage->ingest_timestamp = c->ingest_timestamp;
    /* As Go prints maps: by name. */
    struct cw_label *sorted = CW_ARENA_ARRAY(build->arena, struct cw_label, n);
    for (size_t i = 0; i < n; i++)
        sorted[i].name = c->labels.items[i];
    cw_label_pairs_sort(sorted, n);
    stage->order = CW_ARENA_ARRAY(build->arena, struct cw_str, n);
    stage->slots = CW_ARENA_ARRAY(build->arena, uint32_t, n);
    for (size_t i = 0; i < n; i++) {
        if (sorted[i].name.len == 0)
            return cw_err_set(err, CW_E_INVALID, "a label has no name");
        stage->order[i] = sorted[i].name;
        stage->slots[i] = cw_stage_slot(build, sorted[i].name);
    }
    return 0;
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    const struct pack_stage *stage = node->state;
    struct cw_buf out;
    cw_buf_init(&out, PACKED_MAX_BYTES);
    struct cw_json_writer w = cw_json_writer_make(&out);
    cw_json_begin_object(&w);
    for (size_t i = 0; i < stage->names->n; i++) {
        struct cw_str name = stage->order[i], value;
        bool is_label = cw_stage_label(item, name, &value);
        if (!is_label && !cw_stage_text(run, item, stage->slots[i], &value))
            continue;
        cw_json_key(&w, name);
        cw_json_string(&w, value);
        if (is_label)
            cw_stage_set_label(run, item, name, CW_STR_NONE);
    }
    cw_json_key(&w, CW_STR("_entry"));
    cw_json_string(&w, item->entry.line);
    cw_json_end_object(&w);
    if (!cw_buf_failed(&out))
        item->entry.line = cw_arena_dup(run->options.arena, cw_buf_str(&out));
    cw_buf_fini(&out);
    if (stage->ingest_timestamp)
        item->entry.ts_ns = run->options.now_ns;
    return CW_STAGE_ON;
}

const struct cw_stage_def cw_stage_pack_def = {.compile = compile, .run = run_stage};
