#include "common/base/hash.h"
#include "common/extract/json_strict.h"
#include "common/pipeline/stage_priv.h"

/* An array becomes one entry per element, all of the same bytes of the source. */
static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    const struct cw_stage_source_config *c = config;
    uint32_t *slot = CW_ARENA_NEW(build->arena, uint32_t);
    node->state = slot;
    *slot = cw_stage_slot(build, c->source);
    return 0;
}

/* Is it an array, and right to its end? */
static bool is_array(struct cw_str text)
{
    struct cw_json_walk walk = {text.ptr, text.ptr + text.len, 0};
    struct cw_json_value value;
    return text.len > 0 && cw_json_walk_value(&walk, &value) && cw_json_walk_done(&walk) &&
           value.type == CW_JSON_TYPE_ARRAY;
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    struct cw_str text;
    struct cw_json_elements elements;
    struct cw_json_value value;
    const char *why;
    if (!cw_stage_text(run, item, *(const uint32_t *)node->state, &text) || !is_array(text))
        return CW_STAGE_ON;
    const struct cw_stage_item *whole = cw_stage_keep(run, item);
    cw_json_elements_init(&elements, text);
    uint64_t n = 0;
    while (cw_json_elements_next(&elements, &value, &why)) {
        uint64_t key[] = {whole->part, ++n};
        struct cw_stage_item *part = cw_stage_keep(run, whole);
        part->part = cw_hash64(key, sizeof key);
        part->entry.line = value.text;
        if (value.type == CW_JSON_TYPE_STRING && value.escaped)
            cw_json_unescape(value.text, run->options.arena, &part->entry.line);
        cw_stage_pass(node, run, part);
    }
    if (n > 1 && whole->entry.counting)
        run->counts.made += n - 1;
    return n > 0 ? CW_STAGE_GONE : cw_stage_drop(run, whole, CW_STR("empty_array"));
}

const struct cw_stage_def cw_stage_split_json_def = {.compile = compile, .run = run_stage};
