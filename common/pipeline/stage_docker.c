#include "common/base/clock.h"
#include "common/extract/jmespath.h"
#include "common/pipeline/stage_priv.h"

/* A line of Docker's json-file driver: {"log":"...\n","stream":"stderr","time":"..."} */
struct docker_stage {
    struct cw_jmespath_set *set;
    uint32_t output, stream, timestamp;
};

enum { MEMBER_LOG, MEMBER_STREAM, MEMBER_TIME, NMEMBERS };

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    static const struct cw_str names[NMEMBERS] = {{"log", 3}, {"stream", 6}, {"time", 4}};
    struct docker_stage *stage = CW_ARENA_NEW(build->arena, struct docker_stage);
    node->state = stage;
    stage->output = cw_stage_slot(build, CW_STR("output"));
    stage->stream = cw_stage_slot(build, CW_STR("stream"));
    stage->timestamp = cw_stage_slot(build, CW_STR("timestamp"));
    return cw_jmespath_set_new(names, NMEMBERS, &stage->set, err);
}

static void free_stage(void *state)
{
    struct docker_stage *stage = state;
    cw_jmespath_set_free(&stage->set);
}

static bool text_of(const struct cw_jmespath_result *member, struct cw_str *out)
{
    *out = member->text;
    return member->type == CW_JMESPATH_STRING;
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    const struct docker_stage *stage = node->state;
    struct cw_jmespath_result members[NMEMBERS];
    struct cw_str text;
    int64_t ts_ns;
    if (!cw_jmespath_set_search(stage->set, item->entry.line, run->options.arena, members))
        return CW_STAGE_ON;
    if (text_of(&members[MEMBER_STREAM], &text)) {
        cw_stage_set(item, stage->stream, CW_EXTRACTED_TEXT, text);
        cw_stage_set_label(run, item, CW_STR("stream"), text);
    }
    if (text_of(&members[MEMBER_TIME], &text)) {
        cw_stage_set(item, stage->timestamp, CW_EXTRACTED_TEXT, text);
        if (cw_time_parse_rfc3339(text, &ts_ns))
            item->entry.ts_ns = ts_ns;
    }
    if (text_of(&members[MEMBER_LOG], &text)) {
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
