#include "common/pipeline/stage_priv.h"
#include "common/wire/json_writer.h"

/* The line with some values as a JSON object; LogQL's `unpack` takes it apart again. */
struct pack_stage {
    struct cw_str *order; /* the names, sorted, each once */
    uint32_t *slots;
    size_t n;
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
        if (i > 0 && cw_str_eq(sorted[i].name, sorted[i - 1].name))
            continue;
        stage->order[stage->n] = sorted[i].name;
        stage->slots[stage->n++] = cw_stage_slot(build, sorted[i].name);
    }
    return 0;
}

/* The extracted value, as promtail takes it; and, where none was, a label that a stage set. */
static bool value_of(const struct cw_stages_run *run, const struct cw_stage_item *item,
                     struct cw_str name, uint32_t slot, struct cw_str *out)
{
    if (cw_stage_text(run, item, slot, out))
        return true;
    return item->slots[slot].kind == CW_EXTRACTED_UNSET && cw_stage_label(item, name, out);
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    const struct pack_stage *stage = node->state;
    struct cw_buf out;
    cw_buf_init(&out, PACKED_MAX_BYTES);
    struct cw_json_writer w = cw_json_writer_make(&out);
    cw_json_begin_object(&w);
    for (size_t i = 0; i < stage->n; i++) {
        struct cw_str name = stage->order[i], value;
        if (!value_of(run, item, name, stage->slots[i], &value))
            continue;
        cw_json_key(&w, name);
        cw_json_string(&w, value);
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
