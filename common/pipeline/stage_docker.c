#include "common/base/clock.h"
#include "common/extract/jmespath.h"
#include "common/pipeline/stage_joins.h"

/* A line of Docker's json-file driver: {"log":"...\n","stream":"stderr","time":"..."}. A long line comes in pieces, of which the last
 * one alone ends with a newline: they are joined, as those of containers that were discovered. */
struct docker_stage {
    struct cw_jmespath_set *set;
    uint32_t output, stream, timestamp;
};

/* The pieces' size. A shorter text without a newline is whole: what a container ended with, or the line of a writer that is not Docker
 * and leaves newlines out. */
enum { PIECE_BYTES = 16 << 10 };
/* The next piece follows at once. */
#define PIECE_WAIT_NS (5 * CW_NS_PER_S)

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
    cw_stage_waits(build, node, PIECE_WAIT_NS);
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

static void text_set(const struct docker_stage *stage, struct cw_stage_item *item,
                     struct cw_str text)
{
    cw_stage_set(item, stage->output, CW_EXTRACTED_TEXT, text);
    item->entry.line = text;
}

/* With the pieces ahead of it, whose time counts; or held until the last one comes. */
static enum cw_stage_end piece_take(const struct cw_stage_node *node, struct cw_stages_run *run,
                                    struct cw_stage_item *item, struct cw_str text, bool is_last)
{
    const struct docker_stage *stage = node->state;
    struct cw_stage_joins *lines = cw_stage_run_state(node, run);
    struct cw_stage_join *line = lines->n > 0 ? cw_stage_joins_find(lines, item) : NULL;
    if (is_last && line == NULL) {
        text_set(stage, item, text);
        return CW_STAGE_ON;
    }
    if (line == NULL)
        line = cw_stage_joins_add(lines, run, item);
    cw_stage_join_append(line, run, &item->entry, CW_STR(""), text);
    text_set(stage, line->item, cw_stage_join_text(line));
    if (!is_last)
        return CW_STAGE_GONE;
    item->entry.from = line->item->entry.from;
    item->entry.ts_ns = line->item->entry.ts_ns;
    text_set(stage, item, cw_stage_join_text(line));
    cw_stage_joins_remove(lines, line);
    return CW_STAGE_ON;
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
    if (!text_of(&members[MEMBER_LOG], &text))
        return CW_STAGE_ON;
    bool ends = cw_str_ends(text, CW_STR("\n")); /* that is the driver's framing */
    return piece_take(node, run, item, cw_str_sub(text, 0, text.len - ends),
                      ends || text.len < PIECE_BYTES);
}

const struct cw_stage_def cw_stage_docker_def = {.compile = compile,
                                                 .run = run_stage,
                                                 .free = free_stage,
                                                 .flush = cw_stage_joins_flush,
                                                 .flush_quiet = cw_stage_joins_flush_quiet,
                                                 .unfinished = cw_stage_joins_unfinished,
                                                 .run_bytes = sizeof(struct cw_stage_joins)};
