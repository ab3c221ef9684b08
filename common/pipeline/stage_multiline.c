#include "common/match/regex.h"
#include "common/pipeline/stack_trace.h"
#include "common/pipeline/stage_joins.h"

/* Lines that follow a first one, up to the next first one, are one entry with it. Without an expression for first lines, or for the
 * others, all are first ones but those of stack traces. */
struct multiline_stage {
    struct cw_regex *firstline;
    struct cw_regex *continuation;
    struct cw_stack_traces *traces; /* one of the three */
    size_t max_lines;
    bool trim_newlines;
};

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    const struct cw_stage_multiline_config *c = config;
    struct multiline_stage *stage = CW_ARENA_NEW(build->arena, struct multiline_stage);
    node->state = stage;
    stage->max_lines = c->max_lines > 0 ? (size_t)c->max_lines : SIZE_MAX;
    stage->trim_newlines = c->trim_newlines;
    cw_stage_waits(build, node, c->max_wait_ns);
    if (c->firstline.len > 0 && c->continuation.len > 0)
        return cw_err_set(err, CW_E_INVALID, "firstline and continuation cannot both be given");
    if (c->firstline.len > 0) {
        int rc = cw_regex_compile(c->firstline, CW_REGEX_SEARCH, &stage->firstline, err);
        return rc < 0 ? cw_err_wrap(err, "firstline") : 0;
    }
    if (c->continuation.len > 0) {
        int rc = cw_regex_compile(c->continuation, CW_REGEX_SEARCH, &stage->continuation, err);
        return rc < 0 ? cw_err_wrap(err, "continuation") : 0;
    }
    stage->traces = cw_stack_traces_new();
    return 0;
}

static void free_stage(void *state)
{
    struct multiline_stage *stage = state;
    cw_regex_free(&stage->firstline);
    cw_regex_free(&stage->continuation);
    cw_stack_traces_free(&stage->traces);
}

/* The block is over; the next one begins with `item`, or like `item`, which began it. */
static void next_block(const struct cw_stage_node *node, struct cw_stages_run *run,
                       struct cw_stage_join *block, const struct cw_stage_item *item, uint64_t from)
{
    struct cw_stage_item *next = cw_stage_keep(run, item);
    cw_stage_join_pass(block, node, run);
    next->entry.from = from;
    cw_stage_join_restart(block, next);
}

static bool is_first(const struct multiline_stage *stage, struct cw_stack_trace *trace,
                     struct cw_str line)
{
    if (stage->traces != NULL)
        return !cw_stack_trace_continues(stage->traces, trace, line);
    if (stage->continuation != NULL)
        return cw_regex_match(stage->continuation, line, NULL) != 1;
    return cw_regex_match(stage->firstline, line, NULL) == 1;
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    const struct multiline_stage *stage = node->state;
    struct cw_stage_joins *blocks = cw_stage_run_state(node, run);
    struct cw_stage_join *block = cw_stage_joins_find(blocks, item);
    struct cw_stack_trace *trace = block != NULL ? block->extra : NULL;
    if (trace == NULL && stage->traces != NULL)
        trace = CW_ARENA_NEW(run->options.arena, struct cw_stack_trace);
    bool first = is_first(stage, trace, item->entry.line);
    if (!first && block == NULL)
        return CW_STAGE_ON; /* it follows nothing */
    if (block == NULL) {
        block = cw_stage_joins_add(blocks, run, item);
        block->extra = trace;
    } else if (first || block->nlines >= stage->max_lines) {
        /* What an overlong block goes on with is an entry like the one it began with. */
        next_block(node, run, block, first ? item : block->item, item->entry.from);
    }
    struct cw_str line = item->entry.line;
    while (stage->trim_newlines && line.len > 0 && line.ptr[line.len - 1] == '\n')
        line.len--;
    cw_stage_join_append(block, run, &item->entry, CW_STR("\n"), line);
    return CW_STAGE_GONE;
}

const struct cw_stage_def cw_stage_multiline_def = {.compile = compile,
                                                    .run = run_stage,
                                                    .free = free_stage,
                                                    .flush = cw_stage_joins_flush,
                                                    .flush_quiet = cw_stage_joins_flush_quiet,
                                                    .unfinished = cw_stage_joins_unfinished,
                                                    .run_bytes = sizeof(struct cw_stage_joins)};
