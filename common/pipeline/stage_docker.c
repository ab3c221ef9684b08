#include "common/base/clock.h"
#include "common/extract/json_pick.h"
#include "common/pipeline/stage_priv.h"

/* A line of Docker's json-file driver: {"log":"...\n","stream":"stderr","time":"..."} */
struct docker_stage {
    struct cw_json_picker *picker;
    uint32_t output, stream, timestamp;
};

enum { PICK_LOG, PICK_STREAM, PICK_TIME, NPICKS };

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    static const struct cw_str names[NPICKS] = {{"log", 3}, {"stream", 6}, {"time", 4}};
    struct cw_json_keys paths[NPICKS];
    struct docker_stage *stage = CW_ARENA_NEW(build->arena, struct docker_stage);
    (void)config, (void)err;
    node->state = stage;
    for (size_t i = 0; i < NPICKS; i++)
        paths[i] = (struct cw_json_keys){&names[i], 1};
    stage->picker = cw_json_picker_new(paths, NPICKS);
    stage->output = cw_stage_slot(build, CW_STR("output"));
    stage->stream = cw_stage_slot(build, CW_STR("stream"));
    stage->timestamp = cw_stage_slot(build, CW_STR("timestamp"));
    return 0;
}

static void free_stage(void *state)
{
    struct docker_stage *stage = state;
    cw_json_picker_free(&stage->picker);
}

static bool text_of(const struct cw_json_picked *picked, struct cw_arena *arena, struct cw_str *out)
{
    if (!picked->found || picked->value.type != CW_JSON_TYPE_STRING)
        return false;
    *out = picked->value.text;
    return !picked->value.escaped || cw_json_unescape(*out, arena, out);
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    const struct docker_stage *stage = node->state;
    struct cw_arena *arena = run->options.arena;
    struct cw_json_picked picked[NPICKS];
    struct cw_str text;
    int64_t ts_ns;
    if (cw_json_pick(stage->picker, item->entry.line, picked) != CW_JSON_AN_OBJECT)
        return CW_STAGE_ON;
    if (text_of(&picked[PICK_STREAM], arena, &text)) {
        cw_stage_set(item, stage->stream, CW_EXTRACTED_TEXT, text);
        cw_stage_set_label(run, item, CW_STR("stream"), text);
    }
    if (text_of(&picked[PICK_TIME], arena, &text)) {
        cw_stage_set(item, stage->timestamp, CW_EXTRACTED_TEXT, text);
        if (cw_time_parse_rfc3339(text, &ts_ns))
            item->entry.ts_ns = run->last_ts_ns = ts_ns;
    }
    if (text_of(&picked[PICK_LOG], arena, &text)) {
        /* The line's end is the driver's framing. */
        if (cw_str_ends(text, CW_STR("\n")))
            text.len--;
        cw_stage_set(item, stage->output, CW_EXTRACTED_TEXT, text);
        item->entry.line = text;
    }
    return CW_STAGE_ON;
}

const struct cw_stage_def cw_stage_docker_def = {
    .compile = compile, .run = run_stage, .free = free_stage};
